//! The readable page of the API.

use axum::body::Body;
use axum::http::Request;
use hufu_testkit::TestDatabase;
use hufu_testkit::administration::call;
use hufu_testkit::world::World;
use tower::ServiceExt as _;

async fn page(world: &World, query: &str) -> (axum::http::HeaderMap, String) {
    let request = Request::get(format!("/admin/v1/docs{query}")).body(Body::empty()).unwrap();
    let answer = world.node.router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let headers = answer.headers().clone();
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 22).await.unwrap();
    (headers, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_all_that_the_document_says_and_asks_nobody() {
    let world = World::new(TestDatabase::sqlite()).await;
    let (headers, html) = page(&world, "").await;
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let document = call(&world, None, "GET", "/admin/v1/openapi.json", None).await.is(200);
    let mut ids = std::collections::BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        assert!(html.contains(&format!("<code>{path}</code>")), "{path}");
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(html.contains(&format!("<details id=\"{id}\">")), "{method} {path}");
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
        }
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(html.contains(&format!("id=\"object-{name}\"")), "{name}");
    }
    // Every link leads somewhere on the page or on this server.
    for link in html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        match link.strip_prefix('#') {
            Some(anchor) => assert!(html.contains(&format!("id=\"{anchor}\"")), "{link}"),
            None => assert!(link.starts_with('/') && !link.starts_with("//"), "{link}"),
        }
    }
    for source in html.split("src=\"").skip(1) {
        assert!(source.starts_with("/assets/"), "{}", &source[..40]);
    }
    assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains("onclick"));
    let sheet = html.split("href=\"").find(|rest| rest.starts_with("/assets/api.")).unwrap();
    let path = sheet.split('"').next().unwrap();
    let request = Request::get(path).body(Body::empty()).unwrap();
    assert_eq!(world.node.router.clone().oneshot(request).await.unwrap().status(), 200);
    for (tag, title) in
        [("zh-CN", "管理 API"), ("zh-TW", "管理 API"), ("en", "Administration API"), ("ja", "管理 API")]
    {
        let (_, html) = page(&world, &format!("?lang={tag}")).await;
        assert!(
            html.contains(&format!("<html lang=\"{tag}\"")) && html.contains(&format!("<h1>{title}</h1>")),
            "{tag}"
        );
    }
}
