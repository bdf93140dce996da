//! The phone at `/phone`, by links and forms alone.

use axum::Router;
use axum::extract::State;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use hufu_sandbox::{AppKind, MessageMode, Options, PhoneChoice, SettingsPatch, UserPatch};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

use crate::receiver::{Receiver, Reply};
use crate::support::{SECRET, SERVICE, SHOP, WEBSITE, World, encoded, parameter};

const MOBILE: &str = "wx0000000000000009";

fn world() -> World {
    let world = World::new();
    world.add(WEBSITE, AppKind::Website);
    world.add(SERVICE, AppKind::ServiceAccount);
    world.add(MOBILE, AppKind::Mobile);
    world
}

fn qr_link() -> String {
    let back = encoded("http://login.example/cb");
    format!(
        "/open/connect/qrconnect?appid={WEBSITE}&redirect_uri={back}&response_type=code&scope=snsapi_login&state=abc"
    )
}

fn acts(log: &Value) -> Vec<String> {
    let calls = log["calls"].as_array().unwrap().iter();
    calls
        .filter(|call| call["user"] == "alice")
        .map(|call| call["path"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn somebody_takes_the_phone() {
    let world = world();
    assert_eq!(world.get("/phone").await.location(), "/phone/people");
    let people = world.get("/phone/people").await.text;
    assert!(people.contains("alice") && people.contains("+86 13800000002"), "{people}");
    let taken = world.tap("/phone/people", "", "name=alice").await;
    assert_eq!(taken.location(), "/phone");
    let cookie = taken.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("hufu-sandbox-person=alice;") && cookie.contains("HttpOnly"), "{cookie}");
    assert!(world.screen("/phone", "alice").await.text.contains("<strong>ALICE</strong>’s phone"));

    let made = world.tap("/phone/people", "", "make=1&name=%E6%9E%97%E6%99%93&phone=13900000001").await;
    let cookie = made.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("hufu-sandbox-person=%E6%9E%97%E6%99%93;"), "{cookie}");
    assert!(world.screen("/phone/me", "%E6%9E%97%E6%99%93").await.text.contains("13900000001"));
    let kept = world.tap("/phone/people", "", "make=1&name=alice&phone=1").await;
    assert_eq!(kept.status, 303);
    assert!(world.screen("/phone/me", "alice").await.text.contains("13800000001"), "she is not replaced");
    let wrong = world.tap("/phone/people", "", "make=1&name=x&phone=abc").await;
    assert_eq!(wrong.location(), "/phone/people?refused");
    assert_eq!(world.tap("/phone/people", "", "name=nobody").await.location(), "/phone/people?refused");
}

#[tokio::test]
async fn a_website_waits_is_scanned_and_confirmed() {
    let world = world();
    assert!(world.screen("/phone/scan", "alice").await.text.contains("No codes yet"));
    let page = world.get(&qr_link()).await.text;
    let uuid = page.split_once("data-uuid=\"").unwrap().1.split('"').next().unwrap();
    assert!(world.screen("/phone", "alice").await.text.contains("One code waits for this phone"));
    let scan = world.screen("/phone/scan", "alice").await.text;
    assert!(scan.contains("Website login") && scan.contains("300 s left · login.example"), "{scan}");
    let path = format!("/phone/web/{uuid}");
    assert!(scan.contains(&format!("href=\"{path}\"")) && scan.contains("class=\"tap\""));
    // To who came later it is offered; the code that they are to tap is another one.
    let now = world.sandbox.now_ms();
    for (since, is_ringed) in [(now, true), (now + 1, false)] {
        let scan = world.screen(&format!("/phone/scan?since={since}"), "alice").await.text;
        assert!(scan.contains(&path), "{scan}");
        assert_eq!(scan.contains("class=\"tap\""), is_ringed, "{scan}");
    }

    let asks = world.screen(&path, "alice").await.text;
    assert!(asks.contains("Log in to The website") && asks.contains("ALICE"), "{asks}");
    let poll = async || world.get(&format!("/open/connect/l/qrconnect?uuid={uuid}")).await.text;
    assert!(poll().await.contains("wx_errcode=404"), "to look is to scan");
    assert_eq!(world.tap(&path, "alice", "answer=allow").await.location(), path);
    assert!(poll().await.contains("wx_errcode=405"));
    assert!(world.screen(&path, "alice").await.text.contains("Logged in"));
    assert_eq!(acts(&world.get("/__sandbox/log").await.json()), ["phone scan", "phone allow"]);
    assert_eq!(world.screen("/phone/web/unknown", "alice").await.location(), "/phone/scan?unknown");
}

#[tokio::test]
async fn what_is_pasted_is_understood() {
    let world = world();
    let page = world.get(&qr_link()).await.text;
    let uuid = page.split_once("data-uuid=\"").unwrap().1.split('"').next().unwrap();
    let token = world.token(SHOP).await;
    world.post(&format!("/api/wxa/getwxacodeunlimit?access_token={token}"), json!({ "scene": "a&b" })).await;
    let authorize = "http://127.0.0.1:3100/open/connect/oauth2/authorize?appid=x#wechat_redirect";
    let cases = [
        (format!("http://127.0.0.1:3100/open/connect/confirm?uuid={uuid}"), format!("/phone/web/{uuid}")),
        (format!("http://127.0.0.1:3100/open/connect/qrcode/{uuid}"), format!("/phone/web/{uuid}")),
        ("a&b".to_owned(), format!("/phone/mini/{SHOP}?scene=a%26b")),
        (authorize.to_owned(), "/open/connect/oauth2/authorize?sandbox_user=alice&appid=x".to_owned()),
        ("http://shop.example/".to_owned(), "/phone/browser?url=http%3A%2F%2Fshop%2Eexample%2F".to_owned()),
    ];
    for (text, to) in cases {
        let answer = world.tap("/phone/scan", "alice", &format!("text={}", encoded(&text))).await;
        assert_eq!(answer.location(), to, "{text}");
    }
    let unknown = world.tap("/phone/scan", "alice", "text=nothing").await;
    assert!(unknown.text.contains("That is no code of this sandbox"), "{}", unknown.text);
}

#[tokio::test]
async fn an_account_is_followed_written_to_and_left() {
    let world = world();
    let receiver = Receiver::start().await;
    receiver.serve(&world, MessageMode::Plain);
    let token = world.token(SERVICE).await;
    let body = json!({ "action_name": "QR_STR_SCENE", "action_info": { "scene": { "scene_str": "abc" } } });
    let made = world.post(&format!("/api/cgi-bin/qrcode/create?access_token={token}"), body).await.json();
    let ticket = made["ticket"].as_str().unwrap();
    let scan = world.screen("/phone/scan", "alice").await.text;
    assert!(scan.contains("Official account") && scan.contains(ticket), "{scan}");

    let chat = format!("/phone/chat/{SERVICE}");
    // WeChat shows the account first, and pushes nothing before it is followed.
    let scan = format!("ticket={}", encoded(ticket));
    let shown = world.tap("/phone/ticket", "alice", &scan).await;
    assert!(shown.text.contains(r#"value="follow">Follow<"#), "{}", shown.text);
    let left = world.tap("/phone/ticket", "alice", &format!("{scan}&answer=leave")).await;
    assert_eq!(left.location(), "/phone/scan");
    let scanned = world.tap("/phone/ticket", "alice", &format!("{scan}&answer=follow")).await;
    assert_eq!(scanned.location(), chat);
    assert!(receiver.take_one().body.contains("qrscene_abc"));
    let text = world.screen(&chat, "alice").await.text;
    assert!(text.contains("Unfollow") && !text.contains(">Follow<"), "{text}");

    let users = world.control(Method::GET, "/users", json!({})).await;
    let openid = users["users"][0]["ids"].as_array().unwrap().iter().find(|ids| ids["app_id"] == SERVICE);
    let openid = openid.unwrap()["openid"].as_str().unwrap().to_owned();
    let apps = world.control(Method::GET, "/apps", json!({})).await;
    let account =
        apps["apps"].as_array().unwrap().iter().find(|app| app["app_id"] == SERVICE).unwrap()["original_id"]
            .clone();
    let reply = format!(
        "<xml><ToUserName>{openid}</ToUserName><FromUserName>{}</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content>Hello &lt;alice&gt;</Content></xml>",
        account.as_str().unwrap()
    );
    receiver.reply(Reply::Text(200, reply));
    world.tap(&chat, "alice", "text=4821&act=message").await;
    assert!(receiver.take_one().body.contains("4821"));
    assert!(world.screen("/phone", "alice").await.text.contains("<span class=\"dot\">1</span>"), "unread");
    let text = world.screen(&chat, "alice").await.text;
    assert!(text.contains("<p>4821</p>") && text.contains("<p>Hello &lt;alice&gt;</p>"), "{text}");
    assert!(!world.screen("/phone", "alice").await.text.contains("class=\"dot\""));

    world.tap(&chat, "alice", "act=menu").await;
    assert!(receiver.take_one().body.contains("CLICK"));
    world.tap(&chat, "alice", "text=&act=message").await;
    assert!(receiver.take().is_empty(), "nothing was written");
    world.tap(&chat, "alice", "act=unfollow").await;
    assert!(receiver.take_one().body.contains("unsubscribe"));
    assert!(world.screen(&chat, "alice").await.text.contains(">Follow<"));
    world.tap(&chat, "alice", "act=follow").await;
    assert!(receiver.take_one().body.contains("<EventKey><![CDATA[]]></EventKey>"));
}

#[tokio::test]
async fn without_a_network_nothing_happens() {
    let world = world();
    let receiver = Receiver::start().await;
    receiver.serve(&world, MessageMode::Plain);
    let page = world.get(&qr_link()).await.text;
    let uuid = page.split_once("data-uuid=\"").unwrap().1.split('"').next().unwrap();
    world.sandbox.change_user("alice", UserPatch { offline: Some(true), ..UserPatch::default() }).unwrap();

    assert!(world.screen(&format!("/phone/web/{uuid}"), "alice").await.text.contains("No network"));
    assert!(world.get(&format!("/open/connect/l/qrconnect?uuid={uuid}")).await.text.contains("408"));
    let chat = format!("/phone/chat/{SERVICE}");
    let answer = world.tap(&chat, "alice", "act=follow").await;
    assert_eq!(answer.location(), format!("{chat}?offline"));
    assert!(world.screen(&format!("{chat}?offline"), "alice").await.text.contains("role=\"alert\""));
    assert!(receiver.take().is_empty());
    let app = world.tap(&format!("/phone/app/{MOBILE}"), "alice", "act=allow").await.text;
    assert!(app.contains("No network") && !app.contains("errCode"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_network_takes_five_seconds() {
    let world = world();
    let path = format!("/phone/app/{MOBILE}");
    for (slow, seconds) in [(false, 0), (true, 5)] {
        world.sandbox.change_user("alice", UserPatch { slow: Some(slow), ..UserPatch::default() }).unwrap();
        let began = tokio::time::Instant::now();
        assert!(world.tap(&path, "alice", "act=login").await.text.contains("ph-sheet"));
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
}

#[tokio::test]
async fn the_phone_has_settings() {
    let world = world();
    let form = "nickname=Ali&phone=13700000000&offline=1&snapshot=1&risky=1&hide_phone=1&slow=";
    assert_eq!(world.tap("/phone/me", "alice", form).await.location(), "/phone/me");
    let alice = world.control(Method::PATCH, "/users/alice", json!({})).await;
    for (key, value) in [
        ("nickname", json!("Ali")),
        ("phone", json!("13700000000")),
        ("offline", json!(true)),
        ("snapshot", json!(true)),
        ("risky", json!(true)),
        ("hide_phone", json!(true)),
        ("slow", json!(false)),
    ] {
        assert_eq!(alice[key], value, "{key}");
    }
    let me = world.screen("/phone/me", "alice").await.text;
    assert!(
        me.contains("offline")
            && me.contains("name=\"snapshot\" value=\"1\" aria-label=\"Snapshot user\" checked")
    );
    assert_eq!(world.tap("/phone/me", "alice", "phone=abc").await.location(), "/phone/me?refused");
}

#[tokio::test]
async fn wechats_browser_opens_links() {
    let world = world();
    let link = format!(
        "http://127.0.0.1:3100/open/connect/oauth2/authorize?appid={SERVICE}&redirect_uri={}&response_type=code&scope=snsapi_base&state=abc",
        encoded("http://login.example/")
    );
    let open =
        async |link: &str| world.tap("/phone/browser", "alice", &format!("url={}", encoded(link))).await;
    let to = open(&format!("{link}#wechat_redirect")).await.location().to_owned();
    let landed = world.screen(&to, "alice").await;
    assert!(parameter(landed.location(), "code").is_some());
    let bare = open(&link).await.location().to_owned();
    assert!(world.screen(&bare, "alice").await.text.contains("#wechat_redirect"));
    let page = open("http://127.0.0.1:3000/login?a=1&b=2").await.location().to_owned();
    let page = world.screen(&page, "alice").await.text;
    assert!(page.contains("href=\"http://127.0.0.1:3000/login?a=1&amp;b=2\" target=\"_blank\""), "{page}");
    let wrong = open("javascript:alert(1)").await.location().to_owned();
    let page = world.screen(&wrong, "alice").await.text;
    assert!(page.contains("That is no http or https link") && !page.contains("href=\"javascript"), "{page}");
}

#[tokio::test]
async fn a_native_app_gets_codes() {
    let world = world();
    let path = format!("/phone/app/{MOBILE}");
    assert!(world.tap(&path, "alice", "act=login").await.text.contains("ph-sheet"));
    let got = |page: &str| -> Value {
        let (_, rest) = page.split_once("<code id=\"got\">").unwrap_or_else(|| panic!("{page}"));
        serde_json::from_str(&rest.split('<').next().unwrap().replace("&quot;", "\"")).unwrap()
    };
    let answer = got(&world.tap(&path, "alice", "act=allow").await.text);
    let code = answer["code"].as_str().unwrap();
    let tokens = world
        .get(&format!("/api/sns/oauth2/access_token?appid={MOBILE}&secret={SECRET}&code={code}&grant_type=authorization_code"))
        .await;
    assert_eq!((tokens.errcode(), &answer["errCode"]), (0, &json!(0)));
    assert_eq!(got(&world.tap(&path, "alice", "act=deny").await.text), json!({ "errCode": -4 }));

    assert!(world.screen(&path, "alice").await.text.contains(&format!("/phone/mini/{SHOP}?from={MOBILE}")));
    let mini = format!("/phone/mini/{SHOP}");
    let asks = world.screen(&format!("{mini}?from={MOBILE}"), "alice").await.text;
    assert!(asks.contains("138****0001") && asks.contains("value=\"allow\" checked"), "{asks}");
    let message =
        got(&world.tap(&mini, "alice", &format!("from={MOBILE}&answer=allow&phone=allow")).await.text);
    assert_eq!(world.login(SHOP, message["code"].as_str().unwrap()).await.errcode(), 0);
    let token = world.token(SHOP).await;
    let phone = world.phone_number(&token, json!({ "code": message["phoneInfoCode"] })).await.json();
    assert_eq!(phone["phone_info"]["purePhoneNumber"], "13800000001");
    let hidden =
        got(&world.tap(&mini, "alice", &format!("from={MOBILE}&answer=allow&phone=hide")).await.text);
    assert!(hidden["code"].is_string() && hidden.get("phoneInfoCode").is_none());
    let refused = got(&world.tap(&mini, "alice", &format!("from={MOBILE}&answer=refuse")).await.text);
    assert_eq!(refused, json!({ "errCode": -2 }));
}

/// A server that the login mini program logs in to. It notes the calls, and agrees except to what it was told.
#[derive(Clone, Default)]
struct Server {
    calls: Arc<Mutex<Vec<(String, String)>>>,
    refuses: Arc<Mutex<Option<&'static str>>>,
}

impl Server {
    async fn start(world: &World) -> Server {
        let server = Server::default();
        let router = Router::new().fallback(serve).with_state(server.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let patch = SettingsPatch { login_mini_program_host: Some(host), ..SettingsPatch::default() };
        world.sandbox.change_settings(patch).unwrap();
        server
    }

    fn take(&self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

async fn serve(
    State(server): State<Server>,
    method: Method,
    uri: Uri,
    headers: axum::http::HeaderMap,
    body: String,
) -> Response {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
    let line = format!("{method} {uri} app={} auth={}", header("x-authing-app-id"), header("authorization"));
    server.calls.lock().unwrap().push((line, body));
    if server.refuses.lock().unwrap().is_some_and(|path| path == uri.path()) {
        return json!({ "statusCode": 500, "message": "refused by the test" }).to_string().into_response();
    }
    let data = match uri.path() {
        "/api/v2/wechat-miniprogram-config/launch-params" => {
            json!({ "userpool": { "id": "POOL" }, "app": { "id": "APP", "name": "The shop" }, "extIdpConnIdentifier": "CONN" })
        }
        "/api/v3/wechat-miniprogram/checkExistsUser" => {
            json!({ "hasBindUser": false, "hasBindPhone": false })
        }
        "/api/v3/signin-by-mobile" => json!({ "access_token": "TOKEN" }),
        "/api/v3/get-profile" => json!({ "userId": "USER" }),
        _ => json!({}),
    };
    json!({ "statusCode": 200, "code": 200, "data": data }).to_string().into_response()
}

#[tokio::test]
async fn the_login_mini_program_logs_in_at_the_server() {
    let world = world();
    let path = format!("/phone/mini/{SHOP}?scene=SCENE1");
    assert!(world.screen(&path, "alice").await.text.contains("The login mini program has no server yet"));
    let server = Server::start(&world).await;
    let asks = world.screen(&path, "alice").await.text;
    assert!(asks.contains("Log in to The shop") && asks.contains("138****0001"), "{asks}");
    let calls = server.take();
    assert_eq!(
        calls[0].0,
        "GET /api/v2/wechat-miniprogram-config/launch-params?qrcodeId=SCENE1 app=- auth=-"
    );
    assert!(calls[1].0.starts_with("GET /oauth/wxapp/grant/?alias=wxapp&code=0"), "{}", calls[1].0);
    assert!(calls[1].0.contains("&random=SCENE1&enableFetchPhone=true&&useSelfWxapp=false"));
    assert_eq!(calls[2].0, "POST /api/v3/wechat-miniprogram/checkExistsUser app=APP auth=-");
    assert!(calls[2].1.contains("\"extIdpConnidentifier\":\"CONN\""));

    let run = world.sandbox.mini_login(SHOP, "alice", "SCENE1", PhoneChoice::Allow).await.unwrap();
    assert!(run.ok && !run.refused, "{run:?}");
    let calls = server.take();
    let sign_in: Value = serde_json::from_str(&calls[3].1).unwrap();
    assert_eq!(sign_in["connection"], "wechat_mini_program_code_and_phone");
    let payload = &sign_in["wechatMiniProgramCodeAndPhonePayload"];
    let phone = payload["wxPhoneInfo"]["code"].clone();
    let token = world.token(SHOP).await;
    assert_eq!(world.phone_number(&token, json!({ "code": phone })).await.errcode(), 0);
    assert_eq!(world.login(SHOP, payload["wxLoginInfo"]["code"].as_str().unwrap()).await.errcode(), 0);
    assert!(
        calls[4].0.starts_with("GET /api/v3/get-profile?") && calls[4].0.ends_with("auth=TOKEN"),
        "{}",
        calls[4].0
    );
    assert_eq!(calls[5].0, "POST /oauth/wxapp/redirect?random=SCENE1 app=- auth=-", "without authorization");
    assert!(calls[5].1.contains("\"userId\":\"USER\"") && calls[5].1.contains("\"openid\":\"o"));

    let hidden = world.sandbox.mini_login(SHOP, "alice", "rd=R2&bind=0", PhoneChoice::Hide).await.unwrap();
    let calls = server.take();
    assert!(hidden.ok && calls[3].1.contains("wechatMiniProgramCodePayload"), "{calls:?}");
    assert!(calls[5].0.contains("random=R2"), "the scene may name more than the code");
    world.sandbox.mini_login(SHOP, "alice", "rd=R3&bind=1", PhoneChoice::Allow).await.unwrap();
    let calls = server.take();
    assert!(calls[1].0.starts_with("POST /oauth/wxapp/bind?random=R3") && calls[1].1.contains("wxPhoneInfo"));
    let alone = world.sandbox.mini_login(SHOP, "alice", "", PhoneChoice::Hide).await.unwrap();
    assert!(
        alone.ok && server.take().iter().all(|(call, _)| !call.contains("/oauth/wxapp/")),
        "no code, no grant"
    );
}

#[tokio::test]
async fn the_login_mini_program_says_what_the_server_refused() {
    let world = world();
    let server = Server::start(&world).await;
    *server.refuses.lock().unwrap() = Some("/oauth/wxapp/grant/");
    let page = world.screen(&format!("/phone/mini/{SHOP}?scene=S"), "alice").await.text;
    assert!(page.contains("Not logged in") && page.contains("refused by the test"), "{page}");
    *server.refuses.lock().unwrap() = Some("/api/v3/signin-by-mobile");
    server.take();
    let asked = json!({ "app_id": SHOP, "user": "alice", "scene": "S" });
    let run = world.control(Method::POST, "/mini-login", asked).await;
    assert_eq!((&run["ok"], &run["steps"][3]["message"]), (&json!(false), &json!("refused by the test")));
    assert!(!server.take().iter().any(|(call, _)| call.contains("/oauth/wxapp/redirect")), "it stops there");
    let left = world.sandbox.mini_login(SHOP, "alice", "S", PhoneChoice::Refuse).await;
    assert!(left.unwrap().refused);
}

#[tokio::test]
async fn the_server_of_the_login_mini_program_can_be_given_at_the_start() {
    let host = Some("http://127.0.0.1:3000/".to_owned());
    let world = World::with(Options { login_mini_program_host: host, ..Options::default() });
    assert_eq!(world.sandbox.settings().login_mini_program_host.as_deref(), Some("http://127.0.0.1:3000"));
    let shown = world.control(Method::GET, "/settings", json!({})).await;
    assert_eq!((&shown["push_sends"], &shown["push_timeout_ms"]), (&json!(3), &json!(5000)));
    let none = world.control(Method::POST, "/settings", json!({ "login_mini_program_host": "" })).await;
    assert!(none["login_mini_program_host"].is_null());
    let asked = world.post("/__sandbox/mini-login", json!({ "app_id": SHOP, "user": "alice" })).await;
    assert_eq!(asked.status, 409);
}

#[tokio::test]
async fn the_phone_speaks_two_languages_and_keeps_the_rules_of_pages() {
    let world = world();
    world
        .sandbox
        .change_user("alice", UserPatch { nickname: Some("<script>x".to_owned()), ..UserPatch::default() })
        .unwrap();
    assert!(world.screen("/phone?lang=zh", "alice").await.text.contains("<strong>聊天</strong>"));
    let spoken = world.get("/phone/language?to=zh").await;
    assert!(spoken.headers["set-cookie"].to_str().unwrap().starts_with("hufu-sandbox-lang=zh;"));
    for (from, to) in [
        ("http://127.0.0.1:3100/phone/scan?x=1", "/phone/scan"),
        ("http://127.0.0.1:3100/", "/phone"),
        ("nonsense", "/phone"),
    ] {
        let request = axum::http::Request::get("/phone/language?to=en").header("host", "127.0.0.1:3100");
        let request = request.header("referer", from).body(axum::body::Body::empty()).unwrap();
        assert_eq!(world.send(request).await.location(), to, "{from}");
    }
    let cookie = "hufu-sandbox-person=alice; hufu-sandbox-lang=zh";
    assert!(world.browse("/phone", cookie, "").await.text.contains("<strong>聊天</strong>"));
    let chat = format!("/phone/chat/{SERVICE}");
    let app = format!("/phone/app/{MOBILE}");
    for path in
        ["/phone", "/phone/scan", "/phone/minis", "/phone/browser", "/phone/me", "/phone/people", &chat, &app]
    {
        let answer = world.screen(path, "alice").await;
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(!answer.text.contains(" style=") && !answer.text.contains("<script>"), "{path}");
        assert_eq!(answer.text.matches("<script").count(), 1, "{path}");
        assert_eq!(answer.text.matches("<h1").count(), 1, "{path}");
    }
    for path in ["/phone.css", "/phone.js"] {
        assert_eq!(world.get(path).await.headers["x-content-type-options"], "nosniff", "{path}");
    }
}

#[tokio::test]
async fn in_a_frame_of_this_machine_it_is_the_phone_alone() {
    let world = world();
    let request = axum::http::Request::get("/phone/scan")
        .header("host", "127.0.0.1:3100")
        .header("accept-language", "en")
        .header("cookie", "hufu-sandbox-person=alice")
        .header("sec-fetch-dest", "iframe");
    let framed = world.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert!(framed.text.contains("id=\"screen\"") && framed.text.contains("No codes yet"));
    assert!(!framed.text.contains("<header") && !framed.text.contains("id=\"beside\""));
    let policy = framed.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.ends_with("frame-ancestors 'self' http://127.0.0.1:* http://localhost:*"), "{policy}");
    let whole = world.screen("/phone/scan", "alice").await.text;
    assert!(whole.contains("<header") && whole.contains("id=\"beside\""));
    let page = world.get(&qr_link()).await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(!policy.contains("frame-ancestors"), "websites show the QR page in a frame: {policy}");
}

#[tokio::test]
async fn the_version_grows_with_what_happens() {
    let world = world();
    let version = async || world.get("/phone/version").await.text.parse::<u64>().unwrap();
    let before = version().await;
    assert_eq!(version().await, before);
    world.get(&qr_link()).await;
    assert!(version().await > before);
}

#[tokio::test]
async fn other_hosts_and_sites_do_not_get_the_phone() {
    let world = world();
    for (host, origin) in [("evil.example", None), ("127.0.0.1:3100", Some("http://evil.example"))] {
        let mut request = axum::http::Request::post("/phone/people").header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        assert_eq!(world.send(request.body("name=alice".into()).unwrap()).await.status, 403, "{host}");
    }
}
