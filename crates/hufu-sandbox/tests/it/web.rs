//! Web authorization: `/open/connect/oauth2/authorize` for official accounts, `/open/connect/qrconnect` for
//! websites, and the tokens of their users.

use axum::http::Method;
use hufu_sandbox::{AppKind, AppPatch, AppState, SettingsPatch, UserPatch};
use serde_json::{Value, json};

use crate::support::{
    Answer, SECRET, SERVICE, SHOP, SUBSCRIPTION, WEBSITE, World, encoded, parameter, read_qr_code,
};

const BACK: &str = "http://login.example/cb?x=1";

fn world() -> World {
    let world = World::new();
    world.add(WEBSITE, AppKind::Website);
    world.add(SERVICE, AppKind::ServiceAccount);
    world.add(SUBSCRIPTION, AppKind::SubscriptionAccount);
    world
}

fn link(app_id: &str, scope: &str, state: &str) -> String {
    format!(
        "/open/connect/oauth2/authorize?appid={app_id}&redirect_uri={}&response_type=code&scope={scope}&state={state}",
        encoded(BACK)
    )
}

fn qr_link(state: &str) -> String {
    format!(
        "/open/connect/qrconnect?appid={WEBSITE}&redirect_uri={}&response_type=code&scope=snsapi_login&state={state}",
        encoded(BACK)
    )
}

async fn exchange(world: &World, app_id: &str, code: &str) -> Answer {
    let path = format!(
        "/api/sns/oauth2/access_token?appid={app_id}&secret={SECRET}&code={code}&grant_type=authorization_code"
    );
    world.get(&path).await
}

async fn get_ok(world: &World, path: &str) -> Value {
    let answer = world.get(path).await;
    assert_eq!(answer.errcode(), 0, "{path}: {}", answer.text);
    answer.json()
}

fn uuid_of(page: &Answer) -> String {
    let (_, rest) = page.text.split_once("data-uuid=\"").unwrap_or_else(|| panic!("{}", page.text));
    rest.split('"').next().unwrap().to_owned()
}

const WECHAT: &str = "Mozilla/5.0 (iPhone) MicroMessenger/8.0.50";

#[tokio::test]
async fn in_wechat_a_silent_authorization_redirects_at_once() {
    let world = world();
    let path = link(SERVICE, "snsapi_base", "abc123");
    let answer = world.browse(&path, "hufu-sandbox-person=alice", WECHAT).await;
    let location = answer.location();
    assert!(location.starts_with("http://login.example/cb?x=1&code="), "{location}");
    assert_eq!(parameter(location, "state").as_deref(), Some("abc123"));

    let tokens = exchange(&world, SERVICE, &parameter(location, "code").unwrap()).await.json();
    assert_eq!(tokens["scope"], "snsapi_base");
    assert_eq!(tokens["unionid"], world.log_in(SHOP, "alice").await["unionid"]);
    assert!(tokens.get("is_snapshotuser").is_none());
    let (token, openid) = (tokens["access_token"].as_str().unwrap(), tokens["openid"].as_str().unwrap());
    let info = world.get(&format!("/api/sns/userinfo?access_token={token}&openid={openid}")).await;
    assert_eq!(info.errcode(), 48001, "a silent authorization tells no nickname");
    get_ok(&world, &format!("/api/sns/auth?access_token={token}&openid={openid}")).await;
    let other = "oXXXXXXXXXXXXXXXXXXXXXXXXXXX";
    let wrong = world.get(&format!("/api/sns/auth?access_token={token}&openid={other}")).await;
    assert_eq!(wrong.errcode(), 40003);
}

#[tokio::test]
async fn outside_of_wechat_nothing_is_authorized() {
    let world = world();
    let path = link(SERVICE, "snsapi_base", "abc");
    for (cookie, agent) in [
        ("", "Mozilla/5.0"),
        ("", WECHAT),
        ("hufu-sandbox-person=alice", "Mozilla/5.0"),
        ("hufu-sandbox-person=nobody", WECHAT),
    ] {
        let answer = world.browse(&path, cookie, agent).await;
        assert!(answer.text.contains("id=\"not-in-wechat\""), "{cookie} {agent}: {}", answer.text);
    }
    let named = path.replace("?appid", "?sandbox_user=alice&appid");
    assert!(world.get(&named).await.location().contains("code="), "the phone names a person itself");
}

#[tokio::test]
async fn a_nickname_needs_consent() {
    let world = world();
    let path = link(SERVICE, "snsapi_userinfo", "abc");
    let page = world.browse(&path, "hufu-sandbox-person=alice", WECHAT).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("to use your nickname and avatar") && page.text.contains("ALICE"));
    assert!(page.text.contains("The service account") && page.text.contains("login.example"));

    let query = path.split_once('?').unwrap().1;
    let form = |consent: &str| format!("query={}&user=alice&consent={consent}", encoded(query));
    let allowed = world.tap("/open/connect/oauth2/authorize", "alice", &form("allow")).await;
    let code = parameter(allowed.location(), "code").unwrap();
    let tokens = exchange(&world, SERVICE, &code).await.json();
    let (token, openid) = (tokens["access_token"].as_str().unwrap(), tokens["openid"].as_str().unwrap());
    let info = get_ok(&world, &format!("/api/sns/userinfo?access_token={token}&openid={openid}")).await;
    assert_eq!(info["nickname"], "ALICE");

    let refused = world.tap("/open/connect/oauth2/authorize", "alice", &form("deny")).await;
    assert_eq!(refused.location(), "http://login.example/cb?x=1&state=abc");
    let log = world.get("/__sandbox/log").await.json();
    let acts: Vec<_> =
        log["calls"].as_array().unwrap().iter().filter(|call| call["user"] == "alice").collect();
    assert_eq!(
        (acts[0]["path"].as_str(), acts[1]["path"].as_str()),
        (Some("phone allow"), Some("phone refuse"))
    );
}

#[tokio::test]
async fn a_form_of_another_site_authorizes_nothing() {
    let world = world();
    let query = encoded(link(SERVICE, "snsapi_userinfo", "abc").split_once('?').unwrap().1);
    let request = axum::http::Request::post("/open/connect/oauth2/authorize")
        .header("host", "127.0.0.1:3100")
        .header("origin", "http://evil.example");
    let body = format!("query={query}&user=alice&consent=allow");
    assert_eq!(world.send(request.body(body.into()).unwrap()).await.status, 403);
}

#[tokio::test]
async fn the_parameters_of_a_link_have_an_order() {
    let world = world();
    let appid = format!("appid={SERVICE}");
    let uri = format!("redirect_uri={}", encoded(BACK));
    let (kind, scope, state) = ("response_type=code", "scope=snsapi_base", "state=abc");
    let long_state = format!("state={}", "a".repeat(129));
    let cases: [(&[&str], i64); 15] = [
        (&[&uri, &appid, kind, scope, state], 10012),
        (&["appid=wx9999999999999999", &uri, kind, scope, state], 10012),
        (&[&appid, kind, &uri, scope, state], 10011),
        (&[&appid, "redirect_uri=", kind, scope, state], 10011),
        (&[&appid, &uri, scope, kind, state], 40035),
        (&[&appid, &uri, "response_type=token", scope, state], 40035),
        (&[&appid, &uri, kind, state, scope], 10010),
        (&[&appid, &uri, kind, "scope=snsapi_login", state], 10005),
        (&[&appid, &uri, kind, scope], 10013),
        (&[&appid, &uri, kind, scope, "state="], 10013),
        (&[&appid, &uri, kind, scope, "state=a.b"], 10013),
        (&[&appid, &uri, kind, scope, &long_state], 10013),
        (&["appid=wx0000000000000011", &uri, kind, scope, state], 10016),
        (&["appid=wx0000000000000013", &uri, kind, scope, state], 10005),
        (&[&appid, "redirect_uri=javascript%3Aalert%281%29", kind, scope, state], 10003),
    ];
    for (parts, code) in cases {
        let path = format!("/open/connect/oauth2/authorize?{}", parts.join("&"));
        let answer = world.browse(&path, "hufu-sandbox-person=alice", WECHAT).await;
        assert_eq!(answer.page_error(), code, "{path}");
    }
    let more = format!("{}&forcePopup=true&connect_redirect=1", link(SERVICE, "snsapi_base", "abc"));
    assert!(world.browse(&more, "hufu-sandbox-person=alice", WECHAT).await.status.is_redirection());
}

#[tokio::test]
async fn only_authorized_domains_get_users() {
    let world = world();
    let path = link(SERVICE, "snsapi_base", "abc");
    for (domains, code) in [(vec!["login.example"], None), (vec!["example"], Some(10003))] {
        let domains = json!({ "domains": domains });
        world.control(Method::PATCH, &format!("/apps/{SERVICE}"), domains.clone()).await;
        world.control(Method::PATCH, &format!("/apps/{WEBSITE}"), domains).await;
        let answer = world.browse(&path, "hufu-sandbox-person=alice", WECHAT).await;
        let page = world.get(&qr_link("s")).await;
        match code {
            None => assert!(answer.status.is_redirection() && page.text.contains("data-uuid")),
            Some(code) => assert_eq!((answer.page_error(), page.page_error()), (code, code)),
        }
    }
    let with_port = world.post("/__sandbox/apps", json!({ "domains": ["login.example:80"] })).await;
    assert_eq!(with_port.status, 400);
    for state in [AppState::Frozen, AppState::Banned] {
        world.sandbox.change_app(SERVICE, AppPatch { state: Some(state), ..AppPatch::default() }).unwrap();
        let answer = world.browse(&path, "hufu-sandbox-person=alice", WECHAT).await;
        assert_eq!(answer.page_error(), 10004);
    }
}

#[tokio::test]
async fn the_control_api_consents_for_a_person() {
    let world = world();
    let url = format!("http://127.0.0.1:3100{}#wechat_redirect", link(SERVICE, "snsapi_userinfo", "abc"));
    let allowed = json!({ "url": url, "user": "alice", "consent": true });
    let location = world.control(Method::POST, "/authorize", allowed).await["location"].clone();
    assert!(parameter(location.as_str().unwrap(), "code").is_some());
    let refused = json!({ "url": url, "user": "alice", "consent": false });
    let location = world.control(Method::POST, "/authorize", refused.clone()).await["location"].clone();
    assert_eq!(location, "http://login.example/cb?x=1&state=abc");
    world.control(Method::POST, "/settings", json!({ "deny_redirects": false })).await;
    assert!(world.control(Method::POST, "/authorize", refused).await["location"].is_null());

    let plain = json!({ "url": url.replace("#wechat_redirect", ""), "user": "alice" });
    let answer = world.post("/__sandbox/authorize", plain).await;
    assert!(answer.status == 400 && answer.text.contains("#wechat_redirect"), "{}", answer.text);
    let wrong = json!({ "url": url.replace("state=abc", "state="), "user": "alice" });
    let answer = world.post("/__sandbox/authorize", wrong).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["errcode"]), (400, &json!(10013)));
    let link = link(SERVICE, "snsapi_base", "abc") + "#wechat_redirect";
    assert!(world.sandbox.authorize(&link, "alice", true).unwrap().unwrap().contains("code="));
}

#[tokio::test]
async fn a_snapshot_is_of_a_virtual_person() {
    let world = world();
    let url = format!("{}#wechat_redirect", link(SERVICE, "snsapi_userinfo", "abc"));
    let mut seen = Vec::new();
    for snapshot in [false, true] {
        let request = json!({ "url": url, "user": "alice", "snapshot": snapshot });
        let location = world.control(Method::POST, "/authorize", request).await["location"].clone();
        let code = parameter(location.as_str().unwrap(), "code").unwrap();
        seen.push(exchange(&world, SERVICE, &code).await.json());
    }
    assert!(seen[0].get("is_snapshotuser").is_none());
    assert_eq!(seen[1]["is_snapshotuser"], 1);
    assert_ne!(seen[0]["openid"], seen[1]["openid"]);
    assert_ne!(seen[0]["unionid"], seen[1]["unionid"]);
    let (token, openid) = (seen[1]["access_token"].as_str().unwrap(), seen[1]["openid"].as_str().unwrap());
    let info = get_ok(&world, &format!("/api/sns/userinfo?access_token={token}&openid={openid}")).await;
    assert_eq!((info["nickname"].as_str(), &info["unionid"]), (Some("微信用户"), &seen[1]["unionid"]));

    world.sandbox.change_user("bob", UserPatch { snapshot: Some(true), ..UserPatch::default() }).unwrap();
    let location = world.sandbox.authorize(&url, "bob", true).unwrap().unwrap();
    let tokens = exchange(&world, SERVICE, &parameter(&location, "code").unwrap()).await.json();
    assert_eq!(tokens["is_snapshotuser"], 1, "it can be a trait of the person");
}

#[tokio::test]
async fn a_code_lives_as_long_as_its_kind_of_app_says() {
    let world = world();
    let oauth = format!("{}#wechat_redirect", link(SERVICE, "snsapi_base", "abc"));
    for (url, app, life) in [(oauth, SERVICE, 300), (qr_link("abc"), WEBSITE, 600)] {
        let code = |url: &str| {
            let location = world.sandbox.authorize(url, "alice", true).unwrap().unwrap();
            parameter(&location, "code").unwrap()
        };
        let (early, late) = (code(&url), code(&url));
        world.advance(life - 1);
        assert_eq!(exchange(&world, app, &early).await.errcode(), 0, "{app}");
        assert_eq!(exchange(&world, app, &early).await.errcode(), 40163);
        world.advance(1);
        assert_eq!(exchange(&world, app, &late).await.errcode(), 40029, "{app}");
    }
}

#[tokio::test]
async fn a_refresh_token_extends_or_replaces_a_token() {
    let world = world();
    let location = world.sandbox.authorize(&qr_link("abc"), "alice", true).unwrap().unwrap();
    let tokens = exchange(&world, WEBSITE, &parameter(&location, "code").unwrap()).await.json();
    assert_eq!(tokens["scope"], "snsapi_login");
    let (token, openid) = (tokens["access_token"].as_str().unwrap(), tokens["openid"].as_str().unwrap());
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let renew = |app: &'static str, refresh: &str| {
        format!("/api/sns/oauth2/refresh_token?appid={app}&grant_type=refresh_token&refresh_token={refresh}")
    };
    world.advance(7000);
    let same = get_ok(&world, &renew(WEBSITE, refresh)).await;
    assert_eq!((&same["access_token"], &same["refresh_token"]), (&tokens["access_token"], &json!(refresh)));
    world.advance(7000);
    get_ok(&world, &format!("/api/sns/userinfo?access_token={token}&openid={openid}")).await;
    world.advance(200);
    let fresh = get_ok(&world, &renew(WEBSITE, refresh)).await;
    assert_ne!(fresh["access_token"], tokens["access_token"]);
    assert_eq!(fresh["openid"], tokens["openid"]);

    assert_eq!(world.get(&renew(SERVICE, refresh)).await.errcode(), 40030, "another app's");
    assert_eq!(world.get(&renew(WEBSITE, "unknown")).await.errcode(), 40030);
    assert_eq!(world.get(&renew(WEBSITE, "")).await.errcode(), 41003);
    let untyped = renew(WEBSITE, refresh).replace("grant_type=refresh_token", "grant_type=x");
    assert_eq!(world.get(&untyped).await.errcode(), 40002);
    world.advance(30 * 86_400);
    assert_eq!(world.get(&renew(WEBSITE, refresh)).await.errcode(), 42002);
}

#[tokio::test]
async fn a_website_is_logged_in_to_by_its_qr_code() {
    let world = world();
    let page = world.get(&qr_link("a.b-c")).await;
    let uuid = uuid_of(&page);
    assert!(page.text.contains(&format!(
        "<noscript><meta http-equiv=\"refresh\" content=\"2; url=/open/connect/status?uuid={uuid}"
    )));
    let picture = world.get(&format!("/open/connect/qrcode/{uuid}")).await;
    let content = read_qr_code(&picture.bytes);
    assert_eq!(content, format!("http://127.0.0.1:3100/open/connect/confirm?uuid={uuid}"));
    let arrives = world.get(content.strip_prefix("http://127.0.0.1:3100").unwrap()).await;
    assert_eq!(arrives.location(), format!("/phone/web/{uuid}"));

    let poll = async || world.get(&format!("/open/connect/l/qrconnect?uuid={uuid}")).await.text;
    assert_eq!(poll().await, "window.wx_errcode=408;window.wx_code='';");
    let scan = |action: &str, user: &str| json!({ "uuid": uuid, "user": user, "action": action });
    world.control(Method::POST, "/scan", scan("scan", "alice")).await;
    assert_eq!(poll().await, "window.wx_errcode=404;window.wx_code='';");
    let status = format!("/open/connect/status?uuid={uuid}");
    assert!(world.browse(&status, "", "").await.text.contains("Now confirm on the phone"));
    let other = world.post("/__sandbox/scan", scan("confirm", "bob")).await;
    assert_eq!(other.status, 404, "it is in somebody else's hand");

    let confirmed = world.control(Method::POST, "/scan", scan("confirm", "alice")).await;
    let location = confirmed["location"].as_str().unwrap();
    let code = parameter(location, "code").unwrap();
    assert_eq!(parameter(location, "state").as_deref(), Some("a.b-c"));
    assert_eq!(poll().await, format!("window.wx_errcode=405;window.wx_code='{code}';"));
    assert_eq!(world.get(&status).await.location(), location);
    let tokens = exchange(&world, WEBSITE, &code).await.json();
    assert_eq!(tokens["unionid"], world.log_in(SHOP, "alice").await["unionid"]);
    let again = world.post("/__sandbox/scan", scan("confirm", "alice")).await;
    assert_eq!(again.status, 404, "once");
}

#[tokio::test]
async fn a_website_login_can_be_refused_and_expires() {
    let world = world();
    let start = async || uuid_of(&world.get(&qr_link("abc")).await);
    let status = |uuid: &str| format!("/open/connect/status?uuid={uuid}");
    let poll = |uuid: &str| format!("/open/connect/l/qrconnect?uuid={uuid}");

    let uuid = start().await;
    let cancel = json!({ "uuid": uuid, "user": "alice", "action": "cancel" });
    let answer = world.control(Method::POST, "/scan", cancel).await;
    assert_eq!(answer["location"], "http://login.example/cb?x=1&state=abc");
    assert_eq!(world.get(&status(&uuid)).await.location(), "http://login.example/cb?x=1&state=abc");
    assert!(world.get(&poll(&uuid)).await.text.contains("wx_errcode=403"));

    let quiet = SettingsPatch { deny_redirects: Some(false), ..SettingsPatch::default() };
    world.sandbox.change_settings(quiet).unwrap();
    let uuid = start().await;
    let cancel = json!({ "uuid": uuid, "user": "alice", "action": "cancel" });
    assert!(world.control(Method::POST, "/scan", cancel).await["location"].is_null());
    assert!(world.browse(&status(&uuid), "", "").await.text.contains("You cancelled this login"));

    let uuid = start().await;
    world.advance(300);
    assert!(world.get(&poll(&uuid)).await.text.contains("wx_errcode=402"));
    let late = world.post("/__sandbox/scan", json!({ "uuid": uuid, "user": "alice" })).await;
    assert_eq!(late.status, 404);
    assert!(world.get(&poll("unknown")).await.text.contains("wx_errcode=500"));
    assert_eq!(world.get(&status("unknown")).await.status, 404);
}

#[tokio::test]
async fn a_wrong_link_of_a_website_shows_an_error_page() {
    let world = world();
    let good = qr_link("abc");
    let cases = [
        (good.replace(WEBSITE, "wx9999999999999999"), 10012),
        (good.replace(WEBSITE, SERVICE), 10005),
        (good.replace("snsapi_login", "snsapi_userinfo"), 10005),
        (good.replace("scope=snsapi_login", "x=y"), 10010),
        (good.replace("redirect_uri", "uri"), 10011),
        (good.replace("response_type=code", "response_type=token"), 40035),
    ];
    for (path, code) in cases {
        assert_eq!(world.get(&path).await.page_error(), code, "{path}");
    }
    let fault = json!({ "path": "/connect/qrconnect", "errcode": 10009 });
    world.control(Method::POST, "/faults", fault).await;
    assert_eq!(world.get(&good).await.page_error(), 10009, "faults work on pages too");
    assert!(world.get(&good).await.text.contains("data-uuid"));
}
