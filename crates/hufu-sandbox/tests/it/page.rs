//! The page at `/`.

use axum::body::Body;
use axum::http::Request;
use hufu_sandbox::{AppKind, NewApp, NewUser, Options, Sandbox};

use crate::support::{Answer, SHOP, World};

async fn page(world: &World, path: &str, language: &str) -> Answer {
    let request =
        Request::builder().uri(path).header("host", "localhost:3100").header("accept-language", language);
    world.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn it_speaks_the_readers_language() {
    let world = World::new();
    let cases = [
        ("/", "zh-CN,zh;q=0.9,en;q=0.8", "微信沙箱"),
        ("/", "en-GB", "WeChat sandbox"),
        ("/", "fr, zh-TW;q=0.5", "微信沙箱"),
        ("/", "fr", "WeChat sandbox"),
        ("/?lang=zh", "en", "微信沙箱"),
        ("/?lang=en", "zh", "WeChat sandbox"),
        ("/?lang=xx", "zh", "微信沙箱"),
    ];
    for (path, language, title) in cases {
        let answer = page(&world, path, language).await;
        assert!(answer.text.contains(&format!("<h1>{title}</h1>")), "{path} {language}");
    }
}

#[tokio::test]
async fn it_shows_apps_and_people_and_escapes_what_was_typed() {
    let world = World::new();
    let name = "<script>alert('x')</script>&\"";
    let person =
        NewUser { name: Some(name.to_owned()), nickname: Some(name.to_owned()), ..NewUser::default() };
    world.sandbox.add_user(person).unwrap();
    let text = page(&world, "/", "en").await.text;
    assert!(text.contains(SHOP) && text.contains("alice"));
    assert!(
        !text.contains("<script>alert")
            && text.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;")
    );
}

#[tokio::test]
async fn it_says_which_kind_an_app_is_and_whose_ids_are_which() {
    let world = World::new();
    world.sandbox.add_app(NewApp { kind: AppKind::Mobile, ..NewApp::default() }).unwrap();
    let text = page(&world, "/", "en").await.text;
    assert!(text.contains("data-kind=\"mobile\"") && text.contains("data-kind=\"miniprogram\""));
    assert!(text.contains("<span>Mobile app</span>") && text.contains("<span>Mini program</span>"));
    assert!(text.contains("data-label=\"OpenID\"") && text.contains("data-label=\"UnionID\""));
    let chinese = page(&world, "/", "zh").await.text;
    assert!(chinese.contains("<span>移动应用</span>"));
}

#[tokio::test]
async fn apps_are_told_apart_by_their_names() {
    let world = World::new();
    let name = Some("A <shop> that asks".to_owned());
    let app = world.sandbox.add_app(NewApp { name, ..NewApp::default() }).unwrap();
    let text = page(&world, "/", "en").await.text;
    let named = format!(
        "<strong>A &lt;shop&gt; that asks</strong><span class=\"cell-sub\"><code class=\"mono\">{}</code></span>",
        app.app_id
    );
    // In the list of apps, and beside the OpenIDs of alice and bob.
    assert_eq!(text.matches(&named).count(), 3, "{text}");
    assert!(text.contains(&format!(
        "<strong>A &lt;shop&gt; that asks</strong><small><span class=\"mono\">{}</span>",
        app.app_id
    )));
    assert!(text.contains(&format!("<code class=\"mono\">{SHOP}</code>")), "one without a name is its AppID");
    let long = world.post("/__sandbox/apps", serde_json::json!({ "name": "x".repeat(65) })).await;
    assert_eq!(long.status, 400);
}

#[tokio::test]
async fn the_theme_is_the_one_that_the_server_beside_it_keeps() {
    let world = World::new();
    for (cookie, start) in [
        ("hufu-theme=dark", "<html lang=\"en\" data-theme=\"dark\">"),
        ("a=b; hufu-theme=light", "<html lang=\"en\" data-theme=\"light\">"),
        ("hufu-theme=x", "<html lang=\"en\">"),
    ] {
        let request = Request::builder().uri("/").header("host", "localhost:3100").header("cookie", cookie);
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        assert!(answer.text.contains(start), "{cookie}");
    }
}

#[tokio::test]
async fn no_answer_is_sniffed() {
    let world = World::new();
    let files = ["/", "/sandbox.css", "/sandbox.js", "/icon.svg", "/icons.svg"];
    for path in files.into_iter().chain(["/api/sns/jscode2session", "/__sandbox/users", "/elsewhere"]) {
        let answer = world.get(path).await;
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
    }
}

#[tokio::test]
async fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    let world = World::new();
    for path in ["/", "/sandbox.css", "/sandbox.js", "/icon.svg", "/icons.svg"] {
        let answer = page(&world, path, "en").await;
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let elsewhere = answer.text.replace("http://www.w3.org/2000/svg", "");
        assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "{path}");
        if path == "/" {
            assert!(!elsewhere.contains(" style=") && !elsewhere.contains(" onclick="), "{path}");
            assert_eq!(elsewhere.matches("<script").count(), 1);
        }
    }
}

#[tokio::test]
async fn an_empty_sandbox_says_how_to_begin() {
    let world = World { sandbox: Sandbox::new(Options::default()) };
    let text = page(&world, "/", "en").await.text;
    assert!(text.contains("No mini program yet") && text.contains("Nobody yet"));
}
