//! What all pages have in common: languages, themes, assets, and pages instead of JSON for browsers.

use std::collections::BTreeSet;
use std::io::Read as _;

use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use flate2::read::GzDecoder;
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::Language;
use hufu_web::WebSettings;
use hufu_web::cors;
use hufu_web::page::Policy;
use hufu_web::server::Routes;
use hufu_web::surface::{self, refusing};

use crate::server::{Plan, assets_of};

#[test]
fn every_language_has_the_same_keys() {
    for folder in ["texts", "texts/dev", "texts/hosted", "../hufu-web/texts/pages", "../hufu-admin/texts"] {
        let keys = |language: Language| {
            let path = format!("{}/{folder}/{language}.ftl", env!("CARGO_MANIFEST_DIR"));
            let file = std::fs::read_to_string(path).unwrap();
            keys_of(&file)
        };
        let expected = keys(Language::SimplifiedChinese);
        assert!(expected.len() > 5);
        for language in Language::ALL {
            assert_eq!(keys(language), expected, "{folder} in {language}");
        }
    }
}

/// The keys of a Fluent file with the placeholders of each. Attributes are `key.attribute`.
fn keys_of(file: &str) -> BTreeSet<(String, Vec<String>)> {
    let mut key = "";
    let lines = file.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys = lines.map(|line| {
        let (name, text) = line.split_once('=').unwrap_or_else(|| panic!("not a message: {line}"));
        let name = if let Some(attribute) = name.trim().strip_prefix('.') {
            format!("{key}.{attribute}")
        } else {
            key = name.trim();
            key.to_owned()
        };
        let values = text.split("{ $").skip(1).map(|rest| rest.split(" }").next().unwrap().to_owned());
        (name, values.collect())
    });
    keys.collect()
}

#[test]
fn a_policy_names_what_a_page_may_do() {
    assert_eq!(
        Policy::OWN.value(),
        "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    let wider = Policy {
        form_origins: vec!["https://shop.example.com".to_owned()],
        frame_sources: Vec::new(),
        img_origins: vec!["https://img.example.com".to_owned()],
        frame_ancestors: vec!["https://shop.example.com".to_owned(), "https://m.example.com".to_owned()],
    };
    let value = wider.value();
    let value = value.to_str().unwrap();
    assert!(value.contains("form-action 'self' https://shop.example.com;"), "{value}");
    assert!(value.contains("img-src 'self' data: https://img.example.com;"), "{value}");
    assert!(value.contains("frame-ancestors https://shop.example.com https://m.example.com;"), "{value}");
}

on_both_engines! {
    async fn the_address_decides_the_language_then_the_cookie_then_the_browser(database) {
        let server = Plan::default().start(database).await;
        for (query, cookie, accepted, lang) in [
            ("", "", "ja,en;q=0.5", "ja"),
            ("", "", "zh-Hant-HK", "zh-TW"),
            ("", "", "", "en"),
            ("", "hufu-language=zh-TW", "ja", "zh-TW"),
            ("", "hufu-language=xx", "ja", "ja"),
            ("?ui_locales=zh-CN", "hufu-language=zh-TW", "ja", "zh-CN"),
            ("?ui_locales=fr%20ja%20en", "", "zh", "ja"),
            ("?ui_locales=fr+en", "", "zh", "en"),
            ("?ui_locales=fr", "", "zh", "zh-CN"),
        ] {
            let headers = [("cookie", cookie), ("accept-language", accepted)];
            let answer = server.get(&format!("/dev/outbox{query}"), &headers).await;
            let expected = format!("<html lang=\"{lang}\">");
            assert!(answer.text().contains(&expected), "{query} {cookie} {accepted}: {}", answer.text());
            let is_kept = answer.header("set-cookie").starts_with(&format!("hufu-language={lang};"));
            assert_eq!(is_kept, query.starts_with("?ui_locales") && query != "?ui_locales=fr", "{query}");
        }
    }

    async fn links_to_other_languages_keep_the_rest_of_the_address(database) {
        let server = Plan::default().start(database).await;
        let text = server.get("/dev/outbox?a=1&ui_locales=en&b=%26", &[]).await.text();
        assert!(text.contains("href=\"/dev/outbox?a=1&amp;b=%26&amp;ui_locales=ja\""), "{text}");
    }

    async fn the_theme_is_the_cookies(database) {
        let server = Plan::default().start(database).await;
        for (cookie, attribute) in [
            ("hufu-theme=dark", " data-theme=\"dark\""),
            ("a=b; hufu-theme=light", " data-theme=\"light\""),
            ("hufu-theme=\"><script>", ""),
            ("", ""),
        ] {
            let text = server.get("/dev/outbox", &[("cookie", cookie)]).await.text();
            assert!(text.contains(&format!("<html lang=\"en\"{attribute}>")), "{cookie}");
        }
    }

    async fn assets_are_cached_for_ever_and_compressed(database) {
        let server = Plan::default().start(database).await;
        let assets = assets_of(&server.get("/dev/outbox", &[]).await.text());
        for path in assets {
            let plain = server.get(&path, &[]).await;
            assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable", "{path}");
            assert_eq!(plain.header("vary"), "accept-encoding");
            let packed = server.get(&path, &[("accept-encoding", "br, gzip;q=0.8")]).await;
            assert_eq!(packed.header("content-encoding"), "gzip", "{path}");
            assert_eq!(packed.header("content-type"), plain.header("content-type"));
            let mut unpacked = Vec::new();
            GzDecoder::new(packed.bytes.as_slice()).read_to_end(&mut unpacked).unwrap();
            assert!(unpacked == plain.bytes && packed.bytes.len() < plain.bytes.len(), "{path}");
            for refuses in ["gzip;q=0", "br", "identity"] {
                let answer = server.get(&path, &[("accept-encoding", refuses)]).await;
                assert_eq!(answer.header("content-encoding"), "", "{refuses}");
            }
            let other = path.replace(".css", ".0.css").replace(".svg", ".0.svg").replace(".js", ".0.js");
            assert_eq!(server.get(&other, &[]).await.status, 404);
        }
    }

    async fn browsers_get_pages_and_programs_json(database) {
        let more = Routes::new()
            .route("/broken", get(async || -> &'static str { panic!("as the test wants it") }))
            .route("/gone", get(async || StatusCode::NOT_FOUND))
            .route("/only-post", post(async || "ok"));
        let server = Plan { more, ..Plan::default() }.start(database).await;
        for (path, status, title) in [
            ("/nothing", 404, "There is no page here"),
            ("/gone", 404, "There is no page here"),
            ("/broken", 500, "Something broke on the server"),
            ("/only-post", 405, "This address cannot be opened"),
        ] {
            let page = server.open(path, "en").await;
            assert_eq!((page.status.as_u16(), page.header("content-type")), (status, "text/html; charset=utf-8"));
            assert!(page.text().contains(&format!("<h1>{title}</h1>")), "{path}: {}", page.text());
            let id = page.header("x-request-id");
            assert!(!id.is_empty() && page.text().contains(id), "{path}");
            assert!(page.header("content-security-policy").starts_with("default-src 'none'"));

            for accepted in ["application/json", "*/*", ""] {
                let answer = server.get(path, &[("accept", accepted)]).await;
                assert_eq!(answer.status, status);
                assert_ne!(answer.header("content-type"), "text/html; charset=utf-8", "{path} {accepted}");
            }
            let posted = server.send("PUT", path, &[("accept", "text/html")], "").await;
            assert_ne!(posted.header("content-type"), "text/html; charset=utf-8", "{path}");
        }
        // Paths for programs are answered as programs expect, whatever the request accepts.
        for path in ["/api/v3/nothing", "/admin/v1/nothing", "/graphql/nothing"] {
            let answer = server.open(path, "en").await;
            assert_ne!(answer.header("content-type"), "text/html; charset=utf-8", "{path}");
        }
    }

    /// A page that fails, and two surfaces: each writes it as its clients expect.
    async fn a_panic_is_answered_in_the_form_of_the_surface(database) {
        let broken = || get(async || -> &'static str { panic!("as the test wants it") });
        let sdk = refusing(Routes::new().route("/test/sdk", broken()), surface::sdk);
        let oauth = refusing(Routes::new().route("/test/oauth", broken()), surface::oauth);
        let more = sdk.merge(oauth).route("/test/page", broken());
        let server = Plan { more, ..Plan::default() }.start(database).await;
        let ask = async |path: &str| {
            let answer = server.get(path, &[("accept", "application/json")]).await;
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            let body: serde_json::Value = serde_json::from_slice(&answer.bytes).unwrap();
            (answer.status.as_u16(), body)
        };
        let (status, body) = ask("/test/sdk").await;
        assert_eq!((status, &body["code"], &body["statusCode"]), (200, &500.into(), &500.into()));
        let (status, body) = ask("/test/oauth").await;
        assert_eq!((status, &body["error"]), (500, &"server_error".into()));
        let (status, body) = ask("/test/page").await;
        assert_eq!((status, &body["code"]), (500, &500.into()));
    }

    async fn no_answer_is_sniffed(database) {
        let more = Routes::new()
            .route("/broken", get(async || -> &'static str { panic!("as the test wants it") }))
            .route("/only-post", post(async || "ok"));
        let server = Plan { more, ..Plan::default() }.start(database).await;
        let assets = assets_of(&server.open("/dev/outbox", "en").await.text());
        let paths = ["/dev/outbox", "/nothing", "/broken", "/only-post", "/healthz", "/readyz",
            "/oidc/.well-known/jwks.json", "/oidc/token"];
        for path in paths.into_iter().chain(assets.iter().map(String::as_str)) {
            for accepted in ["application/json", "text/html"] {
                let answer = server.get(path, &[("accept", accepted)]).await;
                assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            }
        }
    }

    async fn the_page_of_a_refusal_repeats_no_long_address(database) {
        let server = Plan::default().start(database).await;
        let usual = server.open("/nothing?a=1", "en").await.text();
        assert!(usual.contains("/nothing?a=1&amp;ui_locales=ja"), "{usual}");
        for address in [format!("/nothing?{}", "&".repeat(60_000)), format!("/{}", "'".repeat(60_000))] {
            let page = server.open(&address, "en").await;
            assert_eq!(page.status, 404);
            assert!(page.bytes.len() < usual.len() + 100, "{}", page.bytes.len());
        }
    }

    async fn a_foreign_host_is_told_which_name_to_use(database) {
        let web = WebSettings { loopback_hosts_only: true, ..WebSettings::default() };
        let server = Plan { web, ..Plan::default() }.start(database).await;
        assert_eq!(server.open("/dev/outbox", "zh").await.status, 200);
        let headers = [("host", "evil.example"), ("accept", "text/html"), ("accept-language", "zh")];
        let page = server.get("/dev/outbox", &headers).await;
        assert_eq!(page.status, 403);
        assert!(page.text().contains("<h1>开发服务只回应本机</h1>"));
        // The page has its style.
        for asset in assets_of(&page.text()) {
            assert_eq!(server.get(&asset, &[("host", "evil.example")]).await.status, 200, "{asset}");
        }
    }
}

/// Whatever a handler comes to read: on a route that scripts of other origins may call, it gets no cookie.
#[tokio::test(flavor = "multi_thread")]
async fn no_cookie_passes_a_route_that_other_origins_may_call() {
    async fn cookies(headers: HeaderMap) -> String {
        let cookies = headers.get_all("cookie").into_iter().map(|value| value.to_str().unwrap());
        format!("[{}]", cookies.collect::<Vec<_>>().join("; "))
    }
    let more = Routes::new().route("/own", get(cookies)).route("/open", cors::open(get(cookies)));
    let server = Plan { more, ..Plan::default() }.start(TestDatabase::sqlite()).await;
    let headers = [("cookie", "a=1"), ("cookie", "b=2"), ("origin", "https://other.example")];
    assert_eq!(server.get("/own", &headers).await.text(), "[a=1; b=2]");
    let open = server.get("/open", &headers).await;
    assert_eq!(open.text(), "[]");
    assert_eq!(open.header("access-control-allow-origin"), "https://other.example");
}

/// Browsers read `//host` as another server, so no link of a page may begin like that.
#[tokio::test(flavor = "multi_thread")]
async fn links_stay_on_this_server_whatever_the_path() {
    let server = Plan::default().start(TestDatabase::sqlite()).await;
    for path in ["//other.example/x", "///other.example/x"] {
        let page = server.open(path, "en").await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        let text = page.text();
        assert!(text.contains(r#"href="/other.example/x?ui_locales="#), "{path}: {text}");
        assert!(!text.contains(r#"href="//"#), "{path}: {text}");
    }
}
