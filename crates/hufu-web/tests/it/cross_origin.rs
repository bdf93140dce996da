//! Other origins may call the routes of the published clients and no others, and cookies have no effect
//! there.

use axum::http::{HeaderMap, Method};
use hufu_testkit::on_both_engines;
use hufu_testkit::routes::ROUTES;
use serde_json::{Value, json};

use crate::client::{Answer, GET_PROFILE, JWKS};
use crate::world::{FILE, MINI, World};

const ORIGIN: &str = "https://h5.shop.example";
const WANTED: &str = "authorization,content-type,x-authing-app-id,x-authing-userpool-id,x-authing-request-from,\
                      x-authing-sdk-version,x-authing-lang";

fn cors(headers: &HeaderMap) -> Vec<String> {
    let of_cors = |name: &str| name.starts_with("access-control-");
    headers.keys().map(|name| name.as_str().to_owned()).filter(|name| of_cors(name)).collect()
}

fn open(path: &str) -> bool {
    !path.starts_with("/uploads/")
        && !path.starts_with("/dev/")
        && !path.starts_with("/preferences/")
        && !path.starts_with("/oidc/reg")
        && !path.ends_with("/{pool}/events")
        && !matches!(path, "/healthz" | "/readyz" | "/metrics" | "/oidc/auth")
}

/// Whether scripts of applications' origins alone may call it: OpenID Connect but for what everybody may read.
fn is_of_applications(path: &str) -> bool {
    path.starts_with("/oidc/") && open(path) && !path.starts_with("/oidc/.well-known/")
}

/// The standard file with origins for the shop's website.
fn with_origins(redirect_uris: &str, allowed: &str) -> String {
    let website = "name = \"Shop website\"\n";
    let client = format!("{website}  redirect_uris = [{redirect_uris}]\n  allowed_origins = [{allowed}]\n");
    // A mini program without origins lets in every origin.
    let mini = "type = \"mini-program\"\n";
    let own = format!("{mini}  allowed_origins = [\"https://mini.shop.example\"]\n");
    FILE.replace(website, &client).replace(mini, &own)
}

on_both_engines! {
    async fn openid_connect_is_open_to_the_origins_of_applications(database) {
        let world = World::new(database).await;
        let (listed, own) = ("https://h5.shop.example", "https://www.shop.example");
        let may = async |origin: &str, path: &str| {
            let client = world.client().header("origin", origin);
            let preflight = client.clone().header("access-control-request-method", "POST");
            let asked = preflight.send(Method::OPTIONS, path, "text/plain", Vec::new()).await;
            let answer = client.send(Method::POST, path, "application/x-www-form-urlencoded", Vec::new()).await;
            let of = |headers: &HeaderMap| headers.get("access-control-allow-origin").cloned();
            assert_eq!(of(&asked.headers), of(&answer.headers), "{path}");
            of(&asked.headers).is_some_and(|allowed| allowed == origin)
        };
        let paths: Vec<_> = ROUTES.iter().map(|(_, path)| *path).filter(|path| is_of_applications(path)).collect();
        assert!(paths.contains(&"/oidc/token") && paths.contains(&"/oidc/me"), "{paths:?}");
        for path in &paths {
            assert!(may("https://wherever.example", path).await, "{path}");
        }
        world.reconfigure(&with_origins("", "")).await;
        for path in &paths {
            assert!(!may(listed, path).await && !may(own, path).await, "{path}");
        }
        let listing = format!("\"{listed}\"");
        world.reconfigure(&with_origins("\"https://www.shop.example/callback\"", &listing)).await;
        for path in &paths {
            assert!(may(listed, path).await && may(own, path).await, "{path}");
            for other in [
                "https://evil.example",
                "http://h5.shop.example",
                "https://h5.shop.example:8443",
                "https://h5.shop.example.evil.example",
                "null",
            ] {
                assert!(!may(other, path).await, "{path} {other}");
            }
        }
        // A second application has it too; then that one alone, then none.
        let cafe = "name = \"Cafe website\"\n";
        let of_cafe = |uris: &str| format!("{cafe}  redirect_uris = [{uris}]\n");
        let second = of_cafe("\"https://h5.shop.example/cafe\"");
        world.reconfigure(&with_origins("\"https://h5.shop.example/callback\"", &listing).replace(cafe, &second)).await;
        assert!(may(listed, "/oidc/token").await && !may(own, "/oidc/token").await);
        world.reconfigure(&with_origins("", "").replace(cafe, &second)).await;
        assert!(may(listed, "/oidc/token").await);
        world.reconfigure(&with_origins("", "").replace(cafe, &of_cafe(""))).await;
        assert!(!may(listed, "/oidc/token").await);
    }

    async fn other_origins_are_let_in_only_where_published_clients_call(database) {
        let world = World::new(database).await;
        world.reconfigure(&with_origins("\"https://h5.shop.example/callback\"", "")).await;
        let others = [(Method::GET, "/nothing"), (Method::GET, "/")];
        let routes =
            ROUTES.iter().map(|(method, path)| (method.parse().unwrap(), path.replace("{name}", "x")));
        for (method, path) in routes.chain(others.map(|(method, path)| (method, path.to_owned()))) {
            let is_open = open(&path) && ROUTES.iter().any(|(_, route)| *route == path);
            let client = world.client().header("origin", ORIGIN);
            let preflight = client
                .clone()
                .header("access-control-request-method", method.as_str())
                .header("access-control-request-headers", WANTED);
            let asked = preflight.send(Method::OPTIONS, &path, "text/plain", Vec::new()).await;
            let answer = client.send(method, &path, "application/json", b"{}".to_vec()).await;
            if is_open {
                assert_eq!(asked.status, 200, "{path}");
                for headers in [&asked.headers, &answer.headers] {
                    assert_eq!(headers["access-control-allow-origin"], ORIGIN, "{path}");
                    assert_eq!(headers["access-control-allow-credentials"], "true", "{path}");
                    assert!(
                        headers["vary"].to_str().unwrap().contains("origin"),
                        "{path}: caches keep origins apart"
                    );
                }
                let allowed = asked.headers["access-control-allow-headers"].to_str().unwrap();
                for header in WANTED.split(',') {
                    assert!(allowed.split(',').any(|allowed| allowed == header), "{path}: {header}");
                }
            } else {
                for headers in [&asked.headers, &answer.headers] {
                    assert_eq!(cors(headers), [""; 0], "{path}");
                }
            }
        }
    }

    async fn cookies_change_nothing(database) {
        let world = World::new(database).await;
        world.person("bob");
        let token = world.client().log_in(MINI, "bob").await.token;
        let cookie = format!(
            "session={token}; authing_session={token}; Authorization={token}; x-authing-app-id=x; sid=1"
        );
        let same = |answer: &Answer| {
            // What is no JSON is the same as a whole.
            let json: Option<Value> = serde_json::from_slice(&answer.bytes).ok();
            let said = json.map_or_else(|| json!(String::from_utf8_lossy(&answer.bytes)), |json| json["code"].clone());
            (answer.status, said, answer.headers.get("set-cookie").cloned())
        };
        for (method, path) in ROUTES {
            let path = path.replace("{name}", "x");
            let method: Method = method.parse().unwrap();
            if !open(&path) || path == JWKS || path.starts_with("/.well-known/") {
                continue;
            }
            let body = json!({ "code": "x", "query": "{ user { id } }" }).to_string().into_bytes();
            let without = world.client().send(method.clone(), &path, "application/json", body.clone()).await;
            let with =
                world.client().header("cookie", &cookie).send(method, &path, "application/json", body).await;
            assert_eq!(same(&with), same(&without), "{path}");
            assert!(with.headers.get("set-cookie").is_none(), "{path}");
        }
        world.nobody().header("cookie", &cookie).get(GET_PROFILE).await.refused(2020);
        let client = world.nobody().bearer(&token);
        let with = client.clone().header("cookie", "session=another; sid=2").get(GET_PROFILE).await.data();
        assert_eq!(with, client.get(GET_PROFILE).await.data());
    }
}
