//! The login of a device (RFC 8628): the device asks, a person types its code in a browser, logs in and answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use hufu_app::apply::Options;
use hufu_app::authorization::Presented;
use hufu_app::{App, ApplicationHint, Limits, Needs, Origin};
use hufu_testkit::{Base, TestDatabase, on_both_engines, raw};
use hufu_types::refusal::Code;
use hufu_types::{Language, SystemRandom};
use hufu_web::WebSettings;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::samples::well_formed;
use crate::server::{Answer, NOW};

const TV: &str = "6560c0ffee00000000000004";
const BOX: &str = "6560c0ffee00000000000005";
const WEB: &str = "6560c0ffee00000000000003";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const PASSWORD: &str = "correct horse battery";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

const FILE: &str = r#"
[[user_pool]]
id = "6560c0ffee00000000000001"
name = "Shop"
  [[user_pool.application]]
  id = "6560c0ffee00000000000004"
  name = "Shop TV"
  type = "native"
  connections = []
  grants = ["device_code", "refresh_token"]
  [[user_pool.application]]
  id = "6560c0ffee00000000000005"
  name = "Shop box"
  type = "web"
  connections = []
  secret = "0123456789abcdef0123456789abcdef"
  grants = ["device_code"]
  [[user_pool.application]]
  id = "6560c0ffee00000000000003"
  name = "Shop website"
  type = "spa"
  connections = []
  redirect_uris = ["https://shop.example.com/cb"]
  [[user_pool.application]]
  id = "orders-api"
  name = "Shop orders"
  type = "api"
  resources = ["https://orders.shop.example.com"]
  [[user_pool.scope]]
  name = "loyalty"
  title = { en = "See your level" }
  [[user_pool.user]]
  username = "alice"
  password = "correct horse battery"
"#;

/// An instance with the pages.
struct Site {
    router: Router,
    app: std::sync::Arc<App>,
    base: Base,
}

impl Site {
    async fn new(database: TestDatabase) -> Self {
        Self::with(database, |_| ()).await
    }

    async fn with(database: TestDatabase, change: impl FnOnce(&mut Limits)) -> Self {
        let base = Base::new(database, NOW, SystemRandom).await;
        base.apply(FILE, Options { prune: true, new_apps: false, dry_run: false }).await;
        let mut parts = base.parts();
        change(&mut parts.limits);
        let app = App::start(parts).await.unwrap();
        let router = hufu_web::router(app.clone(), WebSettings::default(), [hufu_pages::routes(None)]);
        Self { router, app, base }
    }

    fn advance(&self, seconds: u64) {
        self.base.clock.advance(Duration::from_secs(seconds));
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "id.example.com");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body)).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([203, 0, 113, 7], 1))));
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// A call of a device.
    async fn call(&self, path: &str, pairs: &[(&str, &str)]) -> (u16, Value) {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = self.send("POST", path, &headers, encoded(pairs)).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        (answer.status.as_u16(), serde_json::from_slice(&answer.bytes).unwrap())
    }

    /// Begins the login of the television. Returns device code and user code.
    async fn start(&self, scope: &str) -> (String, String) {
        let (status, started) = self.call("/oidc/device/auth", &[("client_id", TV), ("scope", scope)]).await;
        assert_eq!(status, 200, "{started}");
        (text(&started, "device_code"), text(&started, "user_code"))
    }

    /// The television asks for its tokens.
    async fn poll(&self, device_code: &str) -> (u16, Value) {
        let pairs = [("grant_type", GRANT), ("client_id", TV), ("device_code", device_code)];
        self.call("/oidc/token", &pairs).await
    }

    /// The error that it gets.
    async fn error(&self, device_code: &str) -> String {
        let (status, body) = self.poll(device_code).await;
        assert_eq!(status, 400, "{body}");
        text(&body, "error")
    }

    fn browser(&self, language: &'static str) -> Browser<'_> {
        Browser { site: self, cookies: BTreeMap::new(), language }
    }
}

fn text(json: &Value, name: &str) -> String {
    json[name].as_str().unwrap_or_else(|| panic!("{name}: {json}")).to_owned()
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(pairs).unwrap()
}

/// The claims of a token, unverified.
fn claims(token: &str) -> Value {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in token.split('.').nth(1).unwrap().chars() {
        bits = bits << 6 | u32::try_from(LETTERS.find(letter).unwrap()).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    serde_json::from_slice(&bytes).unwrap()
}

/// A browser: it keeps cookies.
struct Browser<'s> {
    site: &'s Site,
    cookies: BTreeMap<String, String>,
    language: &'static str,
}

impl Browser<'_> {
    async fn send(&mut self, method: &str, path: &str, body: String) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let headers = [
            ("accept", "text/html"),
            ("accept-language", self.language),
            ("cookie", cookies.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let answer = self.site.send(method, path, &headers, body).await;
        for pair in answer.cookies().split("; ").filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    async fn open(&mut self, path: &str) -> Answer {
        let answer = self.send("GET", path, String::new()).await;
        self.follow(answer).await
    }

    async fn follow(&mut self, mut answer: Answer) -> Answer {
        while answer.status == 303 && answer.header("location").starts_with('/') {
            let next = answer.header("location").to_owned();
            answer = self.send("GET", &next, String::new()).await;
        }
        answer
    }

    /// Sends the form of a page to this path, with these values beside the hidden ones, and follows.
    async fn submit(&mut self, page: &Answer, path: &str, values: &[(&str, &str)]) -> Answer {
        let html = page.text();
        let mark = format!("method=\"post\" action=\"{path}\"");
        let (_, form) = html.split_once(&mark).unwrap_or_else(|| panic!("no form for {path}: {html}"));
        let form = form.split("</form>").next().unwrap();
        let hidden = form.split("type=\"hidden\" name=\"").skip(1).map(|input| {
            let (name, rest) = input.split_once("\" value=\"").unwrap();
            (name, rest.split('"').next().unwrap())
        });
        let pairs: Vec<_> = hidden.chain(values.iter().copied()).collect();
        let answer = self.send("POST", path, encoded(&pairs)).await;
        self.follow(answer).await
    }

    /// Types a code.
    async fn enter(&mut self, user_code: &str) -> Answer {
        let page = self.open("/device").await;
        self.submit(&page, "/device", &[("user_code", user_code), ("submit", "1")]).await
    }

    /// Logs in on the login page.
    async fn log_in(&mut self, page: &Answer) -> Answer {
        let values = [("account", "alice"), ("password", PASSWORD), ("submit", "1")];
        self.submit(page, "/login", &values).await
    }

    /// Types a code, logs in, and answers with this button.
    async fn answer(&mut self, user_code: &str, button: &str) -> Answer {
        let page = self.enter(user_code).await;
        let page = if page.text().contains("action=\"/login\"") { self.log_in(&page).await } else { page };
        self.submit(&page, "/device/confirm", &[(button, "1")]).await
    }
}

/// Whether the page has elements with these names, both as `id` and as `name`.
fn has_elements(page: &Answer, names: &[&str]) {
    let html = page.text();
    for name in names {
        assert!(html.contains(&format!("id=\"{name}\" name=\"{name}\"")), "{name}: {html}");
    }
    assert!(!html.contains('⟦') && !html.contains("{$"), "{html}");
}

on_both_engines! {
    async fn a_person_lets_a_device_log_in(database) {
        let site = Site::new(database).await;
        let pairs = [("client_id", TV), ("scope", "openid profile offline_access")];
        let (status, started) = site.call("/oidc/device/auth", &pairs).await;
        assert_eq!(status, 200, "{started}");
        let (device_code, user_code) = (text(&started, "device_code"), text(&started, "user_code"));
        assert_eq!((&started["expires_in"], &started["interval"]), (&600.into(), &5.into()));
        assert_eq!(started["verification_uri"], "https://id.example.com/device");
        let complete = format!("https://id.example.com/device?user_code={user_code}");
        assert_eq!(started["verification_uri_complete"], complete.as_str());
        assert_eq!((user_code.len(), user_code.find('-')), (9, Some(4)));
        assert_eq!(site.error(&device_code).await, "authorization_pending");

        let mut browser = site.browser("en");
        let page = browser.open(&format!("/device?user_code={user_code}")).await;
        has_elements(&page, &["user_code", "submit"]);
        assert!(page.text().contains(&format!("value=\"{user_code}\"")), "{}", page.text());
        // However it is typed.
        let typed = user_code.to_lowercase().replace('-', " ");
        let page = browser.submit(&page, "/device", &[("user_code", &typed), ("submit", "1")]).await;
        has_elements(&page, &["account", "password", "submit"]);
        let page = browser.log_in(&page).await;
        has_elements(&page, &["allow", "deny"]);
        let html = page.text();
        for shown in ["Shop TV", &user_code, "alice", "Keep its access", "If somebody sent you the code"] {
            assert!(html.contains(shown), "{shown}: {html}");
        }
        let later = NOW.seconds();
        site.advance(5);
        assert_eq!(site.error(&device_code).await, "authorization_pending");
        let page = browser.submit(&page, "/device/confirm", &[("allow", "1")]).await;
        assert!(page.text().contains("<h1>Your device is being logged in</h1>"), "{}", page.text());

        site.advance(5);
        let (status, tokens) = site.poll(&device_code).await;
        assert_eq!(status, 200, "{tokens}");
        assert_eq!(tokens["scope"], "openid profile offline_access");
        let id_token = claims(&text(&tokens, "id_token"));
        assert_eq!((&id_token["aud"], &id_token["auth_time"]), (&TV.into(), &later.into()));
        assert_eq!(id_token["amr"], serde_json::json!(["pwd"]));
        let bearer = format!("Bearer {}", text(&tokens, "access_token"));
        let me = site.send("GET", "/oidc/me", &[("authorization", &bearer)], String::new()).await;
        assert_eq!(serde_json::from_slice::<Value>(&me.bytes).unwrap()["sub"], id_token["sub"]);

        // A device code is worth one login.
        assert_eq!(site.error(&device_code).await, "invalid_grant");
        let refresh = text(&tokens, "refresh_token");
        let pairs = [("grant_type", "refresh_token"), ("client_id", TV), ("refresh_token", &refresh)];
        let (status, renewed) = site.call("/oidc/token", &pairs).await;
        assert_eq!(status, 200, "{renewed}");
        assert_eq!(claims(&text(&renewed, "id_token"))["amr"], id_token["amr"]);

        // It ends with the browser session that approved it.
        let page = browser.open("/accounts").await;
        let html = page.text();
        let (_, rest) = html.split_once("name=\"leave\" value=\"").unwrap();
        let account = rest.split('"').next().unwrap();
        browser.submit(&page, "/accounts", &[("leave", account)]).await;
        let me = site.send("GET", "/oidc/me", &[("authorization", &bearer)], String::new()).await;
        assert_eq!(me.status, 401);
    }

    async fn the_page_names_scopes_of_the_pool_and_apis(database) {
        let site = Site::new(database).await;
        let resource = ("resource", "https://orders.shop.example.com");
        let pairs = [("client_id", TV), ("scope", "openid loyalty"), resource];
        let (_, started) = site.call("/oidc/device/auth", &pairs).await;
        let mut browser = site.browser("en");
        let page = browser.enter(&text(&started, "user_code")).await;
        let page = browser.log_in(&page).await;
        let html = page.text();
        for shown in ["See your level", "loyalty", "Shop orders"] {
            assert!(html.contains(shown), "{shown}: {html}");
        }
        browser.submit(&page, "/device/confirm", &[("allow", "1")]).await;
        let (status, tokens) = site.poll(&text(&started, "device_code")).await;
        assert_eq!((status, &claims(&text(&tokens, "access_token"))["aud"]), (200, &resource.1.into()), "{tokens}");
    }

    async fn a_person_who_is_logged_in_is_only_asked(database) {
        let site = Site::new(database).await;
        let mut browser = site.browser("en");
        let (first, code) = site.start("openid").await;
        browser.answer(&code, "allow").await;
        let (second, code) = site.start("openid").await;
        let page = browser.enter(&code).await;
        has_elements(&page, &["allow", "deny"]);
        browser.submit(&page, "/device/confirm", &[("allow", "1")]).await;
        let tokens = [site.poll(&first).await.1, site.poll(&second).await.1];
        let [one, other] = tokens.each_ref().map(|tokens| claims(&text(tokens, "id_token")));
        assert_eq!(one["sub"], other["sub"]);
        assert_ne!(one["sid"], other["sid"]);
        // Without offline_access there is nothing to renew.
        assert!(tokens.iter().all(|tokens| tokens.get("refresh_token").is_none()));
    }

    /// Whoever follows the link of a stranger has just logged in, and the stranger has the device.
    async fn a_device_is_no_recent_login(database) {
        let site = Site::new(database).await;
        let (device_code, user_code) = site.start("openid profile").await;
        let mut browser = site.browser("en");
        browser.answer(&user_code, "allow").await;
        let (status, tokens) = site.poll(&device_code).await;
        assert_eq!(status, 200, "{tokens}");
        let token = text(&tokens, "access_token");
        let token = Some(Presented::Bearer(&token));
        let who = site.app.authenticate(token, ApplicationHint::default(), Origin::default(), Needs::Login);
        let who = who.await.unwrap();
        assert!(who.is_device && who.auth_time == site.app.now());
        assert!(site.app.export_own_data(&who).await.unwrap_err().is(Code::LoginTooOld));
    }

    async fn a_person_denies(database) {
        let site = Site::new(database).await;
        let (device_code, user_code) = site.start("openid").await;
        let mut browser = site.browser("en");
        let page = browser.answer(&user_code, "deny").await;
        assert!(page.text().contains("<h1>You denied the login</h1>"), "{}", page.text());
        assert_eq!(site.error(&device_code).await, "access_denied");
        assert_eq!(site.error(&device_code).await, "access_denied");
        // The answer stays.
        let page = browser.enter(&user_code).await;
        assert_eq!(page.status, 400);
        has_elements(&page, &["user_code", "submit"]);
    }

    async fn an_answer_is_given_once(database) {
        let site = Site::new(database).await;
        let (device_code, user_code) = site.start("openid").await;
        let (mut one, mut other) = (site.browser("en"), site.browser("en"));
        let page = one.enter(&user_code).await;
        let first = one.log_in(&page).await;
        let page = other.enter(&user_code).await;
        let second = other.log_in(&page).await;
        one.submit(&first, "/device/confirm", &[("deny", "1")]).await;
        let page = other.submit(&second, "/device/confirm", &[("allow", "1")]).await;
        assert_eq!(page.status, 400);
        assert!(page.text().contains("wrong or no longer valid"), "{}", page.text());
        assert_eq!(site.error(&device_code).await, "access_denied");
        // A form of another site changes nothing, nor does half a form.
        let (device_code, user_code) = site.start("openid").await;
        let page = one.enter(&user_code).await;
        assert_eq!(one.submit(&page, "/device/confirm", &[]).await.status, 400);
        let forged = one.send("POST", "/device/confirm", "form_token=x&request=x&account=x&allow=1".into()).await;
        assert_eq!(forged.status, 403);
        assert_eq!(site.error(&device_code).await, "authorization_pending");
    }

    async fn codes_expire(database) {
        let site = Site::new(database).await;
        let (device_code, user_code) = site.start("openid").await;
        let mut browser = site.browser("en");
        let page = browser.enter(&user_code).await;
        let page = browser.log_in(&page).await;
        let (approved, code) = site.start("openid").await;
        browser.answer(&code, "allow").await;
        site.advance(600);
        assert_eq!(site.error(&device_code).await, "expired_token");
        assert_eq!(site.error(&approved).await, "expired_token");
        let late = browser.submit(&page, "/device/confirm", &[("allow", "1")]).await;
        assert_eq!(late.status, 400);
        assert_eq!(browser.enter(&user_code).await.status, 400);
        site.app.sweep().await.unwrap();
        assert_eq!(site.error(&device_code).await, "expired_token");
        site.advance(601);
        site.app.sweep().await.unwrap();
        assert_eq!(raw::number(&site.base.database, "SELECT COUNT(*) FROM device_codes").await, 0);
        assert_eq!(site.error(&device_code).await, "invalid_grant");
    }

    async fn a_device_that_asks_too_often_waits_longer(database) {
        let site = Site::new(database).await;
        let (device_code, user_code) = site.start("openid").await;
        for (wait, error) in [
            (0, "authorization_pending"),
            (5, "authorization_pending"),
            (4, "slow_down"),
            (9, "slow_down"),
            (15, "authorization_pending"),
            (14, "slow_down"),
            (20, "authorization_pending"),
        ] {
            site.advance(wait);
            assert_eq!(site.error(&device_code).await, error, "after {wait} s");
        }
        site.browser("en").answer(&user_code, "allow").await;
        assert_eq!(site.poll(&device_code).await.0, 200);
    }

    async fn user_codes_are_not_guessed(database) {
        let site = Site::with(database, |limits| limits.guesses_per_ip = 3).await;
        let (_, user_code) = site.start("openid").await;
        let mut browser = site.browser("en");
        // What is right does not count, nor does what is no code.
        for typed in [user_code.as_str(), "BCDF", "", user_code.as_str(), "AEIO-UAEI"] {
            let expected = if typed == user_code { 200 } else { 400 };
            assert_eq!(browser.enter(typed).await.status, expected, "{typed}");
        }
        for guess in ["BCDF-GHJK", "BCDF-GHJL", "BCDF-GHJM"] {
            let page = browser.enter(guess).await;
            assert_eq!(page.status, 400);
            assert!(page.text().contains("wrong or no longer valid"), "{}", page.text());
        }
        let page = browser.enter(&user_code).await;
        assert_eq!(page.status, 429, "{}", page.text());
        has_elements(&page, &["user_code", "submit"]);
        site.advance(300);
        assert_eq!(browser.enter(&user_code).await.status, 200);
    }

    async fn a_network_gets_only_so_many_codes(database) {
        let site = Site::with(database, |limits| limits.device_codes_per_ip = 2).await;
        site.start("openid").await;
        site.start("openid").await;
        let (status, body) = site.call("/oidc/device/auth", &[("client_id", TV)]).await;
        assert_eq!((status, text(&body, "error").as_str()), (429, "temporarily_unavailable"));
        site.advance(300);
        site.start("openid").await;
    }

    async fn a_device_code_is_of_its_client(database) {
        let site = Site::new(database).await;
        let (device_code, user_code) = site.start("openid").await;
        site.browser("en").answer(&user_code, "allow").await;
        let of_box = [("client_id", BOX), ("client_secret", SECRET)];
        let basic = "Basic NjU2MGMwZmZlZTAwMDAwMDAwMDAwMDA1OjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm";
        let headers = [("authorization", basic), ("content-type", "application/x-www-form-urlencoded")];
        let pairs = [("grant_type", GRANT), ("device_code", &device_code)];
        let answer = site.send("POST", "/oidc/token", &headers, encoded(&pairs)).await;
        let body: Value = serde_json::from_slice(&answer.bytes).unwrap();
        assert_eq!((answer.status.as_u16(), &body["error"]), (400, &"invalid_grant".into()));
        // Its own client still gets the tokens.
        assert_eq!(site.poll(&device_code).await.0, 200);

        // Clients authenticate as they are registered, and need the grant.
        let (status, body) = site.call("/oidc/device/auth", &of_box).await;
        assert_eq!((status, text(&body, "error").as_str()), (401, "invalid_client"));
        let answer = site.send("POST", "/oidc/device/auth", &headers, String::new()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let (status, body) = site.call("/oidc/device/auth", &[("client_id", WEB)]).await;
        assert_eq!((status, text(&body, "error").as_str()), (400, "unauthorized_client"));
        let pairs = [("grant_type", GRANT), ("client_id", WEB), ("device_code", "x")];
        let (status, body) = site.call("/oidc/token", &pairs).await;
        assert_eq!((status, text(&body, "error").as_str()), (400, "unauthorized_client"));
        assert_eq!(site.error("x").await, "invalid_grant");
        let (status, body) = site.call("/oidc/device/auth", &[]).await;
        assert_eq!((status, text(&body, "error").as_str()), (401, "invalid_client"));
    }

    async fn a_login_that_ended_opens_nothing(database) {
        let site = Site::new(database).await;
        let (device_code, user_code) = site.start("openid").await;
        let mut browser = site.browser("en");
        browser.answer(&user_code, "allow").await;
        let page = browser.open("/accounts").await;
        let html = page.text();
        let (_, rest) = html.split_once("name=\"leave\" value=\"").unwrap();
        browser.submit(&page, "/accounts", &[("leave", rest.split('"').next().unwrap())]).await;
        assert_eq!(site.error(&device_code).await, "expired_token");
        assert_eq!(raw::number(&site.base.database, "SELECT COUNT(*) FROM sessions").await, 0);
    }

    async fn the_pages_are_whole_in_every_language(database) {
        let site = Site::new(database).await;
        for language in Language::ALL {
            let mut browser = site.browser(language.tag());
            let (_, user_code) = site.start("openid profile email phone offline_access").await;
            let empty = browser.open("/device").await;
            has_elements(&empty, &["user_code", "submit"]);
            let wrong = browser.enter("BCDF-GHJK").await;
            has_elements(&wrong, &["user_code", "submit"]);
            let page = browser.enter(&user_code).await;
            let asked = browser.log_in(&page).await;
            has_elements(&asked, &["allow", "deny"]);
            let done = browser.submit(&asked, "/device/confirm", &[("allow", "1")]).await;
            let denied = browser.open("/device/done?denied=1").await;
            for page in [empty, wrong, asked, done, denied] {
                let html = page.text();
                assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())), "{html}");
                assert!(!html.contains('⟦') && !html.contains("{$"), "{html}");
                assert_eq!(html.matches("<h1").count(), 1, "{html}");
                well_formed(&html, language.tag());
            }
        }
    }

    async fn the_grant_is_in_the_discovery(database) {
        let site = Site::new(database).await;
        let answer = site.send("GET", "/oidc/.well-known/openid-configuration", &[], String::new()).await;
        let document: Value = serde_json::from_slice(&answer.bytes).unwrap();
        assert_eq!(document["device_authorization_endpoint"], "https://id.example.com/oidc/device/auth");
        let grants = document["grant_types_supported"].as_array().unwrap();
        assert!(grants.contains(&GRANT.into()) && !grants.contains(&"device_code".into()), "{grants:?}");
    }
}
