//! What opens a mini program: codes, schemes and links.

use axum::http::Method;
use hufu_sandbox::{AppKind, AppPatch, AppState};
use serde_json::{Value, json};

use crate::support::{Answer, SERVICE, SHOP, START_MS, World, read_qr_code};

async fn call(world: &World, path: &str, token: &str, body: Value) -> Answer {
    world.post(&format!("/api/wxa/{path}?access_token={token}"), body).await
}

async fn code(world: &World, token: &str, body: Value) -> Answer {
    call(world, "getwxacodeunlimit", token, body).await
}

#[tokio::test]
async fn a_code_is_a_picture_that_opens_the_mini_program() {
    let world = World::new();
    let token = world.token(SHOP).await;
    let scene = "rd=abc&bind=0";
    let plain = code(&world, &token, json!({ "scene": scene, "page": "pages/login", "width": 280 })).await;
    assert_eq!((plain.status.as_u16(), plain.label()), (200, "image/jpeg"));
    assert!(plain.bytes.starts_with(&[0xff, 0xd8]), "a JPEG");
    let content = read_qr_code(&plain.bytes);
    let scanned = world.control(Method::POST, "/scan", json!({ "url": content, "user": "alice" })).await;
    assert_eq!((&scanned["kind"], &scanned["app_id"]), (&json!("miniprogram"), &json!(SHOP)));
    assert_eq!((&scanned["scene"], &scanned["page"]), (&json!(scene), &json!("pages/login")));
    assert_eq!(scanned["env_version"], "release");

    let color = json!({ "r": "200", "g": 0, "b": 0 });
    let clear = json!({ "scene": "x", "is_hyaline": true, "line_color": color, "env_version": "trial" });
    let clear = code(&world, &token, clear).await;
    assert_eq!(clear.label(), "image/png");
    let picture = image::load_from_memory(&clear.bytes).unwrap().to_rgba8();
    assert_eq!((picture.width(), picture.get_pixel(0, 0).0[3]), (430, 0));
    assert!(picture.pixels().any(|pixel| pixel.0 == [200, 0, 0, 255]));
    let by_scene = world.control(Method::POST, "/scan", json!({ "scene": "x", "app_id": SHOP })).await;
    assert_eq!(by_scene["env_version"], "trial");
    let pending = world.control(Method::GET, "/pending", json!({})).await;
    assert_eq!(pending["miniprograms"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_wrong_code_is_refused() {
    let world = World::new();
    world.add(SERVICE, AppKind::ServiceAccount);
    let token = world.token(SHOP).await;
    let cases = [
        (json!({}), 40169),
        (json!({ "scene": "" }), 40169),
        (json!({ "scene": "a".repeat(33) }), 40169),
        (json!({ "scene": "50%" }), 40129),
        (json!({ "scene": "码" }), 40129),
        (json!({ "scene": "a", "page": "/pages/login" }), 41030),
        (json!({ "scene": "a", "page": "pages/login?x=1" }), 41030),
        (json!({ "scene": "a", "page": "pages/scancode_time" }), 85096),
        (json!({ "scene": "a", "env_version": "beta" }), 40097),
        (json!({ "scene": "a", "width": 279 }), 40097),
        (json!({ "scene": "a", "width": 1281 }), 40097),
        (json!({ "scene": "a", "line_color": { "r": 256, "g": 0, "b": 0 } }), 40097),
    ];
    for (body, errcode) in cases {
        assert_eq!(code(&world, &token, body.clone()).await.errcode(), errcode, "{body}");
    }
    let path = format!("/api/wxa/getwxacodeunlimit?access_token={token}");
    assert_eq!(world.call(Method::POST, &path, "scene=a").await.errcode(), 40169);
    assert_eq!(world.get(&path).await.errcode(), 43002);
    let other = world.token(SERVICE).await;
    assert_eq!(code(&world, &other, json!({ "scene": "a" })).await.errcode(), 45063);
    assert_eq!(code(&world, "unknown", json!({ "scene": "a" })).await.errcode(), 40014);
    let fault = json!({ "path": "/wxa/getwxacodeunlimit", "errcode": 45009 });
    world.control(Method::POST, "/faults", fault).await;
    assert_eq!(code(&world, &token, json!({ "scene": "a" })).await.errcode(), 45009);
}

#[tokio::test]
async fn a_page_must_be_released_unless_it_is_not_checked() {
    let world = World::new();
    let token = world.token(SHOP).await;
    let page = |page: &str, check: bool| json!({ "scene": "a", "page": page, "check_path": check });
    let pages = json!({ "pages": ["pages/login"] });
    world.control(Method::PATCH, &format!("/apps/{SHOP}"), pages).await;
    assert_eq!(code(&world, &token, page("pages/login", true)).await.label(), "image/jpeg");
    assert_eq!(code(&world, &token, page("pages/other", true)).await.errcode(), 41030);
    assert_eq!(code(&world, &token, page("pages/other", false)).await.label(), "image/jpeg");

    world
        .sandbox
        .change_app(SHOP, AppPatch { state: Some(AppState::Unreleased), ..AppPatch::default() })
        .unwrap();
    assert_eq!(code(&world, &token, json!({ "scene": "a" })).await.errcode(), 41030);
    assert_eq!(code(&world, &token, page("pages/login", true)).await.errcode(), 41030);
    assert_eq!(code(&world, &token, page("pages/login", false)).await.label(), "image/jpeg");
    let trial = json!({ "scene": "a", "page": "pages/login", "env_version": "trial" });
    assert_eq!(code(&world, &token, trial).await.label(), "image/jpeg");
    let link = json!({ "expire_type": 1, "expire_interval": 1 });
    assert_eq!(call(&world, "generate_urllink", &token, link).await.errcode(), 85079);
    assert_eq!(world.login(SHOP, &world.sandbox.login_code(SHOP, Some("alice")).unwrap()).await.errcode(), 0);
}

#[tokio::test]
async fn schemes_and_links_open_the_mini_program_until_they_expire() {
    let world = World::new();
    let token = world.token(SHOP).await;
    let soon = START_MS / 1000 + 3600;
    let target = json!({ "path": "/pages/login", "query": "a=1" });
    let scheme = json!({ "jump_wxa": target, "expire_type": 0, "expire_time": soon });
    let scheme = call(&world, "generatescheme", &token, scheme).await.json();
    let openlink = scheme["openlink"].as_str().unwrap();
    assert!(openlink.starts_with("weixin://dl/business/?t="), "{openlink}");
    let link = json!({ "path": "pages/login", "query": "a=1", "expire_type": 0, "expire_time": soon });
    let link = call(&world, "generate_urllink", &token, link).await.json();
    let url_link = link["url_link"].as_str().unwrap();
    assert!(url_link.starts_with("https://wxaurl.cn/"), "{url_link}");
    for url in [openlink.to_owned(), url_link.to_owned(), format!("{url_link}?cq=x%3D1")] {
        let scanned = world.control(Method::POST, "/scan", json!({ "url": url })).await;
        assert_eq!((&scanned["page"], &scanned["scene"]), (&json!("pages/login"), &json!("a=1")), "{url}");
    }
    world.advance(3600);
    assert_eq!(world.post("/__sandbox/scan", json!({ "url": url_link })).await.status, 404);
}

#[tokio::test]
async fn wrong_schemes_and_links_are_refused() {
    let world = World::new();
    let token = world.token(SHOP).await;
    let now = START_MS / 1000;
    let cases = [
        (json!({ "expire_type": 0 }), 85401),
        (json!({ "expire_type": 0, "expire_time": now + 59 }), 85401),
        (json!({ "expire_type": 0, "expire_time": now + 31 * 86_400 }), 85401),
        (json!({ "expire_type": 1, "expire_interval": 31 }), 85401),
        (json!({ "expire_type": 2, "expire_interval": 1 }), 85401),
        (json!({ "expire_type": 1, "expire_interval": 1, "env_version": "beta" }), 85402),
        (json!({ "expire_type": 1, "expire_interval": 1, "path": "pages/a?b=1" }), 40165),
        (json!({ "expire_type": 1, "expire_interval": 1, "query": "码" }), 40212),
        (json!({ "expire_type": 1, "expire_interval": 1, "query": "a".repeat(1025) }), 40212),
    ];
    for (body, errcode) in cases {
        assert_eq!(call(&world, "generate_urllink", &token, body.clone()).await.errcode(), errcode, "{body}");
    }
}
