//! The start page of `hufu dev` and the demonstration application behind it, over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use hufu_app::connect::Mailer as _;
use hufu_pages::dev::{
    Answered, Answering, CALLBACK, Call, Demo, DemoMode, REPORTS, Surroundings, WechatCall,
};
use hufu_sandbox::Sandbox;
use hufu_testkit::client::signin;
use hufu_testkit::world::{MINI, Plan, SHOP, SHOP_APP, SHOP_WEB, TWO, World};
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::Language;
use hufu_web::WebSettings;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::samples::well_formed;
use crate::server::{Answer, mail};

const HOST: &str = "id.example.com";
const ORIGIN: &str = "https://id.example.com";
const SANDBOX: &str = "http://127.0.0.1:3100";
const CLIENT_SECRET: &str = "client-secret-of-the-demonstration-website";
const REPORT_SECRET: &str = "report-secret-of-the-demonstration";
const PASSWORD: &str = "correct horse battery";

/// The program around the page: the sandbox, and the server itself.
struct Around {
    sandbox: Sandbox,
    router: OnceLock<Router>,
}

impl Surroundings for Around {
    fn wechat_calls(&self, after: u64) -> Vec<WechatCall> {
        let now = self.sandbox.now_ms();
        let calls = self.sandbox.calls(after).into_iter().map(|call| WechatCall {
            number: call.seq,
            path: call.path,
            app_id: call.app_id.as_deref().map(str::to_owned),
            is_ok: call.errcode == Some(0),
            code: call.errcode.filter(|code| *code != 0),
            age: now - call.at,
        });
        calls.collect()
    }

    fn wechat_time(&self) -> i64 {
        self.sandbox.now_ms()
    }

    fn call(&self, call: Call) -> Answering<'_> {
        let router = self.router.get().unwrap().clone();
        Box::pin(async move {
            let request = Request::builder().method(call.method).uri(call.path).header("host", HOST);
            let request = call.headers.iter().fold(request, |all, (name, value)| all.header(*name, value));
            let response = router.oneshot(request.body(Body::from(call.body)).unwrap()).await.unwrap();
            let (parts, body) = response.into_parts();
            let location = parts.headers.get("location").map(|to| to.to_str().unwrap().to_owned());
            let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
            Ok(Answered { status: parts.status.as_u16(), location, body })
        })
    }
}

/// An instance with the start page. Its website has a mode as if it logged in by a connection, and asks for passwords.
struct Stand {
    world: World,
    router: Router,
}

const fn mode(kind: &'static str, application: &'static str, app_id: &'static str) -> DemoMode {
    DemoMode { kind, connection: "shop-mini", application, app_id }
}

impl Stand {
    async fn new(database: TestDatabase) -> Self {
        Self::with(database, WebSettings::default()).await
    }

    async fn with(database: TestDatabase, web: WebSettings) -> Self {
        let world = Plan::new().build(database).await;
        let old = "  id = \"6560c0ffee00000000000003\"\n";
        let new =
            format!("{old}  secret = \"{CLIENT_SECRET}\"\n  redirect_uris = [\"{ORIGIN}{CALLBACK}\"]\n");
        world.reconfigure_with(old, &new).await;
        world.secret(CLIENT_SECRET);
        world.secret(REPORT_SECRET);
        let around = Arc::new(Around { sandbox: world.sandbox.clone(), router: OnceLock::new() });
        let demo = Demo {
            sandbox: SANDBOX.to_owned(),
            pool: SHOP,
            modes: vec![
                mode("wechat:miniprogram:default", SHOP_APP, MINI),
                mode("wechat:pc", SHOP_WEB, TWO),
                mode("something:else", SHOP_WEB, TWO),
            ],
            web_view: Some(mode("wechat:miniprogram:default", SHOP_WEB, MINI)),
            client_secret: CLIENT_SECRET.into(),
            report_secret: REPORT_SECRET.into(),
            outbox: world.outbox().clone(),
            surroundings: around.clone(),
        };
        let pages = hufu_pages::routes(Some(world.outbox().clone()));
        let surfaces = [hufu_pages::dev::with_start_page(pages, demo)];
        let router = hufu_web::router(world.node.app.clone(), web, surfaces);
        around.router.set(router.clone()).unwrap();
        Self { world, router }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", HOST);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    async fn open(&self, path: &str, language: &str) -> Answer {
        self.send("GET", path, &[("accept", "text/html"), ("accept-language", language)], String::new()).await
    }

    async fn state(&self) -> Value {
        let answer = self.send("GET", "/dev/state.json", &[], String::new()).await;
        serde_json::from_slice(&answer.bytes).unwrap()
    }

    /// A login of the mini program as its SDK makes it; returns the answer of the server.
    async fn log_in(&self, app_id: &str, name: &str) -> Value {
        let code = self.world.code(app_id, name);
        let payload = json!({ "code": code, "iv": "", "encryptedData": "" });
        let mut body = signin("wechat_mini_program_code", "wechatMiniProgramCodePayload", &payload);
        body["extIdpConnidentifier"] = if app_id == MINI { "shop-mini".into() } else { "shop-two".into() };
        body["options"] = json!({ "scope": "openid profile phone" });
        let answer = self.world.client().post("/api/v3/signin-by-mobile", body).await.json();
        for token in ["id_token", "access_token"] {
            self.world.secret(answer["data"][token].as_str().unwrap_or_default());
        }
        answer
    }

    /// What the mini program tells its back end.
    async fn report(&self, report: &Value, headers: &[(&str, &str)]) -> Answer {
        let json = [("content-type", "application/json")];
        self.send("POST", REPORTS, &[headers, &json].concat(), report.to_string()).await
    }
}

const KNOWN: (&str, &str) = ("authorization", "Bearer report-secret-of-the-demonstration");

fn report_of(answer: &Value) -> Value {
    let step =
        json!({ "call": "POST /api/v3/signin-by-mobile", "http_status": 200, "code": 200, "millis": 12 });
    json!({ "mode": "wechat:miniprogram:default", "answer": answer, "millis": 417, "steps": [step] })
}

/// How many modes the page says are done.
#[track_caller]
fn done(page: &str) -> u32 {
    let (_, rest) = page.split_once("<progress class=\"progress\"").expect("a tally");
    let (_, rest) = rest.split_once("value=\"").unwrap();
    rest.split('"').next().unwrap().parse().unwrap()
}

/// A browser: it keeps cookies, and follows redirects on this server.
struct Browser<'s> {
    stand: &'s Stand,
    cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    async fn send(&mut self, method: &str, address: &str, body: String) -> Answer {
        let path = address.strip_prefix(ORIGIN).unwrap_or(address);
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let headers = [
            ("accept", "text/html"),
            ("accept-language", "en"),
            ("cookie", &cookies.join("; ")),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let answer = self.stand.send(method, path, &headers, body).await;
        for pair in answer.cookies().split("; ").filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Opens an address, and whatever it leads to but the callback.
    async fn follow(&mut self, address: &str) -> Answer {
        let mut answer = self.send("GET", address, String::new()).await;
        while answer.status == 303 && !answer.header("location").contains(CALLBACK) {
            let next = answer.header("location").to_owned();
            if !next.starts_with('/') && !next.starts_with(ORIGIN) {
                break;
            }
            answer = self.send("GET", &next, String::new()).await;
        }
        answer
    }

    /// Begins at the website, and logs in as alice on the login page. Returns where that leads.
    async fn log_in(&mut self) -> String {
        let begun = self.send("GET", "/dev/try/pc-scan", String::new()).await;
        // The login page, instead of WeChat's button: this world's website has no such connection.
        let start = begun.header("location").to_owned();
        assert!(start.contains("/connections/social/shop-mini?request="), "{start}");
        let page =
            self.follow(&start.replace("/connections/social/shop-mini?", "/login?method=password&")).await;
        let text = page.text();
        let (_, rest) = text.split_once("method=\"post\" action=\"").expect("a form");
        let (action, rest) = rest.split_once('"').unwrap();
        let hidden = rest.split("</form>").next().unwrap().split("type=\"hidden\" name=\"").skip(1);
        let hidden = hidden.map(|input| {
            let (name, rest) = input.split_once("\" value=\"").unwrap();
            (name, rest.split('"').next().unwrap())
        });
        let filled = [("account", "olga"), ("password", PASSWORD), ("submit", "1")];
        let form: Vec<_> = hidden.chain(filled).collect();
        let form = serde_urlencoded::to_string(form).unwrap();
        let mut answer = self.send("POST", action, form).await;
        while answer.status == 303 && !answer.header("location").contains(CALLBACK) {
            let next = answer.header("location").to_owned();
            answer = self.send("GET", &next, String::new()).await;
        }
        answer.header("location").to_owned()
    }
}

/// The stand with a person who has a password.
async fn with_olga(database: TestDatabase) -> Stand {
    let stand = Stand::new(database).await;
    let registration = hufu_app::Registration {
        username: Some(hufu_types::Username::parse("olga").unwrap()),
        password: Some(PASSWORD.into()),
        ..hufu_app::Registration::default()
    };
    let app = &stand.world.node.app;
    let website = app.config().application(SHOP_WEB).unwrap().clone();
    app.register(&website, registration, None, &hufu_app::Origin::default()).await.unwrap();
    stand
}

on_both_engines! {
    async fn a_mini_program_login_is_received_shown_and_ticked(database) {
        let stand = Stand::new(database).await;
        let before = stand.open("/", "en").await.text();
        assert_eq!(done(&before), 0);
        assert!(before.contains("One half is here") && before.contains("Two WeChat logins"), "{before}");
        assert!(before.contains("data-mode=\"mini-program\"") && !before.contains("something"), "{before}");
        let state = stand.state().await;

        stand.world.person("mei");
        let answer = stand.log_in(MINI, "mei").await;
        let reported = stand.report(&report_of(&answer), &[KNOWN]).await;
        assert_eq!(reported.status, 200, "{}", reported.text());
        assert_ne!(stand.state().await, state, "the page sees that something happened");

        let page = stand.open("/?mode=mini-program", "en").await.text();
        assert_eq!(done(&page), 1);
        let access = answer["data"]["access_token"].as_str().unwrap();
        for shown in ["417 ms", "POST /api/v3/signin-by-mobile", "ID Token", "Access Token", access.split('.').nth(1).unwrap(), "Next: PC scan"] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        let ids = &stand.world.person("mei").ids;
        let ids = ids.iter().find(|ids| ids.app_id == MINI).unwrap();
        assert!(page.contains(&ids.openid) && page.contains(ids.unionid.as_ref().unwrap()), "{page}");
        assert!(page.contains("the user, unique in the pool") && page.contains("Log in by another mode"));
        // The first one that is not done is chosen next.
        assert!(stand.open("/", "en").await.text().contains("data-mode=\"pc-scan\""));
    }

    async fn what_is_forged_is_refused_and_not_ticked(database) {
        let stand = Stand::new(database).await;
        stand.world.person("mei");
        let answer = stand.log_in(MINI, "mei").await;
        let good = report_of(&answer);
        for headers in [
            &[][..],
            &[("authorization", "Bearer report-secret-of-the-demonstratioN")],
            &[("authorization", "Bearer ")],
            // A page of another site, and this server's own, do not report.
            &[KNOWN, ("origin", "https://evil.example")],
            &[KNOWN, ("origin", ORIGIN)],
        ] {
            let refused = stand.report(&good, headers).await;
            assert_eq!(refused.status, 401, "{headers:?}: {}", refused.text());
        }
        // Tokens of another application, with another payload, and none that the server signed.
        let of_another = stand.world.client().app(SHOP_WEB);
        let code = stand.world.code(TWO, "mei");
        let payload = json!({ "code": code, "iv": "", "encryptedData": "" });
        let body = signin("wechat_mini_program_code", "wechatMiniProgramCodePayload", &payload);
        let of_another = of_another.post("/api/v3/signin-by-mobile", body).await.json();
        let mut changed = answer.clone();
        let token = answer["data"]["access_token"].as_str().unwrap();
        let (head, rest) = token.split_once('.').unwrap();
        changed["data"]["access_token"] = format!("{head}.x{}", &rest[1..]).into();
        let mut unsigned = answer.clone();
        unsigned["data"] = json!({ "access_token": "eyJhbGciOiJub25lIn0.e30." });
        for (what, forged) in [("another application", &of_another), ("changed", &changed), ("unsigned", &unsigned)] {
            let refused = stand.report(&report_of(forged), &[KNOWN]).await;
            assert_eq!(refused.status, 401, "{what}: {}", refused.text());
        }
        let mut unknown = good.clone();
        unknown["mode"] = "wechat:nothing".into();
        assert_eq!(stand.report(&unknown, &[KNOWN]).await.status, 400);
        let long = json!({ "mode": "wechat:miniprogram:default", "answer": { "token": "x".repeat(4 << 20) } });
        assert!(stand.report(&long, &[KNOWN]).await.status.is_client_error());
        assert_eq!(done(&stand.open("/", "en").await.text()), 0);
        // An expired one is not taken either.
        stand.world.advance(std::time::Duration::from_secs(3 * 60 * 60));
        assert_eq!(stand.report(&good, &[KNOWN]).await.status, 401);
    }

    async fn a_refusal_is_shown_and_not_ticked(database) {
        let stand = Stand::new(database).await;
        let denied = json!({ "mode": "wechat:miniprogram:default", "refused": true });
        assert_eq!(stand.report(&denied, &[KNOWN]).await.status, 204);
        let page = stand.open("/?mode=mini-program", "en").await.text();
        assert!(page.contains("The person refused.") && done(&page) == 0, "{page}");
        // The server's own refusal, as the app received it.
        let told = json!({ "statusCode": 400, "message": "The <b>code</b> was used already" });
        stand.report(&report_of(&told), &[KNOWN]).await;
        let page = stand.open("/?mode=mini-program", "en").await.text();
        assert!(page.contains("The login was refused.") && done(&page) == 0, "{page}");
        assert!(page.contains("The &lt;b&gt;code&lt;/b&gt; was used already"), "{page}");
    }

    async fn the_website_logs_people_in_as_any_relying_party(database) {
        let stand = Box::pin(with_olga(database)).await;
        let mut browser = Browser { stand: &stand, cookies: BTreeMap::new() };
        let back = browser.log_in().await;
        assert!(back.starts_with(&format!("{ORIGIN}{CALLBACK}?")), "{back}");

        // Another browser does not come back with it, and nobody does twice.
        let mut another = Browser { stand: &stand, cookies: BTreeMap::new() };
        assert_eq!(another.send("GET", &back, String::new()).await.status, 403);
        assert_eq!(browser.send("GET", &back, String::new()).await.status, 403);
        assert_eq!(done(&stand.open("/", "en").await.text()), 0);

        let back = browser.log_in().await;
        let arrived = browser.send("GET", &back, String::new()).await;
        assert_eq!(arrived.header("location"), "/?mode=pc-scan#got", "{}", arrived.text());
        let page = stand.open("/?mode=pc-scan", "en").await.text();
        assert!(done(&page) == 1 && page.contains("olga") && page.contains("/oidc/me"), "{page}");
        assert!(page.contains("the application’s own number, against replays"), "the nonce: {page}");
        assert!(page.contains("WeChat gave no UnionID") && page.contains("Once more"), "{page}");
        // Once more: the login page is there again, and in a frame of the page it says so alone.
        let again = stand.open("/?mode=pc-scan&round=1", "en").await.text();
        assert!(again.contains("<iframe class=\"win-frame\" src=\"/dev/try/pc-scan\""), "{again}");

        // The person refuses, or the server does.
        let begun = browser.send("GET", "/dev/try/pc-scan", String::new()).await;
        assert!(begun.header("set-cookie").contains("HttpOnly"), "{}", begun.header("set-cookie"));
        let query = "error=access_denied&error_description=no";
        let unknown = browser.send("GET", &format!("{CALLBACK}?state=made-up&{query}"), String::new()).await;
        assert_eq!(unknown.status, 403);
        let page = stand.open("/?mode=pc-scan", "en").await.text();
        assert!(!page.contains("refused."), "an unknown state says nothing: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_whole_in_every_language_and_brings_nothing_from_elsewhere() {
    let stand = Stand::new(TestDatabase::sqlite()).await;
    stand.world.person("mei");
    for round in 0..2 {
        for path in ["/", "/?mode=pc-scan", "/?mode=mini-program", "/?mode=nothing&round=x"] {
            for language in Language::ALL {
                let answer = stand.open(path, language.tag()).await;
                let (text, place) = (answer.text(), format!("{path} in {} {round}", language.tag()));
                assert_eq!(answer.status, 200, "{place}");
                assert!(text.contains(&format!("<html lang=\"{}\"", language.tag())), "{place}");
                assert!(!text.contains('⟦') && !text.contains("{ $"), "{place}: {text}");
                assert_eq!(text.matches("<h1").count(), 1, "{place}");
                assert!(!text.contains(" style=") && !text.contains("<style"), "{place}");
                well_formed(&text, &place);
                let policy = answer.header("content-security-policy");
                assert!(policy.contains("frame-src 'self' http://127.0.0.1:3100;"), "{policy}");
                assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            }
        }
        let answer = stand.log_in(MINI, "mei").await;
        assert_eq!(stand.report(&report_of(&answer), &[KNOWN]).await.status, 200);
    }
}

/// With `--allow-remote`, other machines see the page, and not who logged in with which token.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_application_received_is_shown_on_this_machine_alone() {
    let stand = Stand::new(TestDatabase::sqlite()).await;
    stand.world.person("mei");
    let answer = stand.log_in(MINI, "mei").await;
    assert_eq!(stand.report(&report_of(&answer), &[KNOWN]).await.status, 200);
    let open = async |path: &str, peer: [u8; 4]| {
        let request = Request::get(path).header("host", HOST).header("accept-language", "en");
        let mut request =
            request.header("accept", "text/html, application/json").body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 40_000))));
        let response = stand.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec();
        (status, String::from_utf8(body).unwrap())
    };
    let page = async |peer: [u8; 4]| open("/", peer).await.1;
    let payload = answer["data"]["access_token"].as_str().unwrap().split('.').nth(1).unwrap();
    let (near, far) = (page([127, 0, 0, 1]).await, page([192, 0, 2, 7]).await);
    assert!(near.contains(payload) && near.contains("token-raw"));
    assert!(
        !far.contains(payload) && !far.contains("token-raw") && !far.contains("class=\"who-got\""),
        "{far}"
    );
    well_formed(&far, "from another machine");

    // Nor are the codes of the outbox.
    stand.world.outbox().send(&mail("Code", "271828")).await.unwrap();
    for path in ["/dev/outbox", "/dev/outbox.json"] {
        let (status, near) = open(path, [127, 0, 0, 1]).await;
        assert!(status == 200 && near.contains("271828"), "{path}: {near}");
        let (status, far) = open(path, [192, 0, 2, 7]).await;
        assert!(status == 403 && !far.contains("271828") && far.contains("2670"), "{path}: {far}");
        assert!(far.contains("machine that runs"), "{path}: {far}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_to_its_own_name_alone() {
    let web = WebSettings { loopback_hosts_only: true, own_frames: true, ..WebSettings::default() };
    let stand = Stand::with(TestDatabase::sqlite(), web).await;
    for path in ["/", "/dev/state.json", "/dev/try/pc-scan"] {
        let foreign = stand.send("GET", path, &[("host", "evil.example")], String::new()).await;
        assert_eq!(foreign.status, 403, "{path}");
    }
    let foreign = stand.send("POST", REPORTS, &[("host", "evil.example"), KNOWN], "{}".to_owned()).await;
    assert_eq!(foreign.status, 403);
    // Another name of this machine leads to the one that cookies and redirect URIs are of.
    let moved = stand.send("GET", "/?mode=pc-scan", &[("host", "localhost:3000")], String::new()).await;
    assert_eq!((moved.status.as_u16(), moved.header("location")), (303, "https://id.example.com/"));
    // Its own pages may show the login page.
    let login = stand.send("GET", "/dev/outbox", &[("host", "localhost")], String::new()).await;
    assert!(login.header("content-security-policy").contains("frame-ancestors 'self'"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_web_view_is_where_its_login_begins_and_nowhere_else() {
    let stand = Stand::new(TestDatabase::sqlite()).await;
    let mut browser = Browser { stand: &stand, cookies: BTreeMap::new() };
    // What WeChat brings into a page in a web-view.
    let has_bridge = |page: &Answer| {
        let text = page.text();
        let own = text.find("<script src=\"/assets/page.").unwrap_or(usize::MAX);
        let bridge = text.find("<script src=\"/assets/bridge.");
        assert!(bridge.is_none_or(|bridge| bridge < own), "it is there before the page's own script: {text}");
        bridge.is_some() && text.contains(&format!("data-program=\"{SANDBOX}/phone/mini/{MINI}/page\""))
    };
    let outside = browser.follow("/dev/try/pc-scan").await;
    assert!(!has_bridge(&outside));
    let page = browser.follow("/dev/try/web-view").await;
    assert!(page.status == 200 && has_bridge(&page), "{}", page.text());
    assert!(page.header("content-security-policy").contains("script-src 'self'"));
    // The pages of development are the reader's own.
    assert!(!has_bridge(&browser.send("GET", "/", String::new()).await));
    let later = browser.follow("/dev/try/pc-scan").await;
    assert!(!has_bridge(&later), "another login is another browser's");
    let start = stand.open("/?mode=web-view", "en").await.text();
    assert!(start.contains(&format!("{SANDBOX}/phone/minis?web-view&amp;lang=en")), "{start}");
    let (_, modes) = start.split_once("<ol class=\"modes\">").unwrap();
    assert!(!modes.split("</ol>").next().unwrap().contains("mode=web-view"), "it is none of the modes");
    well_formed(&start, "web-view");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_it_has_nothing_of_it() {
    let server = crate::server::Plan::default().start(TestDatabase::sqlite()).await;
    for path in ["/", "/dev/state.json", "/dev/try/mini-program", CALLBACK] {
        assert_eq!(server.get(path, &[]).await.status, 404, "{path}");
    }
    let headers = [KNOWN, ("content-type", "application/json")];
    assert_eq!(server.send("POST", REPORTS, &headers, "{}").await.status, 404);
}
