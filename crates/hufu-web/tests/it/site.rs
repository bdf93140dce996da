//! A shop with scopes of its own and APIs, and a browser in which somebody is logged in.

use axum::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hufu_app::authorization::{Browser, Given, Next, OpenRequest};
use hufu_app::{Evidence, LoginAnswer, Origin, PhoneUse, Refusal, SourceLogin};
use hufu_testkit::TestDatabase;
use hufu_types::flow::RequestedTokens;
use hufu_types::{BrowserSessionId, PoolId};
use serde_json::Value;

use crate::client::{Answer, TOKEN, claims};
use crate::world::{FILE, MINI, SHOP, SHOP_APP, SHOP_WEB, World};

pub(crate) const CALLBACK: &str = "https://shop.example.com/callback";
pub(crate) const INTROSPECTION: &str = "/oidc/token/introspection";
pub(crate) const PUSH: &str = "/oidc/request";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const ORDERS: &str = "https://orders.shop.example.com";
pub(crate) const STOCK: &str = "https://api.shop.example.com/stock";
pub(crate) const STOCK_OLD: &str = "urn:shop:stock";
pub(crate) const CAFE_API: &str = "https://api.cafe.example.com";
/// An application that asks for consent.
pub(crate) const PARTNER: &str = "partner";
/// Confidential clients of the shop's APIs and of the cafe's.
pub(crate) const ORDERS_API: &str = "orders-api";
pub(crate) const STOCK_API: &str = "stock-api";
pub(crate) const CAFE_CLIENT: &str = "cafe-api";
/// A device.
pub(crate) const TV: &str = "tv";

/// What the shop declares.
pub(crate) const SCOPES: &str = r#"
  [user_pool.settings]
  custom_fields = [
    { key = "level", type = "number" },
    { key = "tier", type = "string" },
    { key = "risk", type = "string", visible = false },
  ]
  [[user_pool.scope]]
  name = "loyalty"
  title = { en = "See your level" }
  claims = { level = "custom.level", called = "nickname" }
  [[user_pool.scope]]
  name = "orders:read"
"#;

const APPLICATIONS: &str = r#"
  [[user_pool.application]]
  id = "partner"
  name = "Partner"
  type = "web"
  secret = "0123456789abcdef0123456789abcdef"
  redirect_uris = ["https://shop.example.com/callback"]
  login = { consent = true }
  [[user_pool.application]]
  id = "orders-api"
  name = "Shop orders"
  type = "api"
  secret = "0123456789abcdef0123456789abcdef"
  resources = ["https://orders.shop.example.com"]
  [[user_pool.application]]
  id = "stock-api"
  name = "Shop stock"
  type = "api"
  secret = "0123456789abcdef0123456789abcdef"
  resources = ["https://api.shop.example.com/stock", "urn:shop:stock"]
  [[user_pool.application]]
  id = "tv"
  name = "Shop TV"
  type = "web"
  secret = "0123456789abcdef0123456789abcdef"
  grants = ["device_code", "refresh_token"]
"#;

const CAFE_APPLICATIONS: &str = r#"
  [[user_pool.application]]
  id = "cafe-api"
  name = "Cafe API"
  type = "api"
  secret = "0123456789abcdef0123456789abcdef"
  resources = ["https://api.cafe.example.com"]
"#;

/// The standard file with scopes and APIs.
pub(crate) fn file() -> String {
    let website = "  name = \"Shop website\"\n";
    let user = "  [[user_pool.user]]\n  username = \"alice\"\n";
    let cafe = "\n[[user_pool]]\nid = \"6560c0ffee00000000000021\"\n";
    for place in [website, user, cafe] {
        assert!(FILE.contains(place));
    }
    FILE.replacen("name = \"Shop\"\n", &format!("name = \"Shop\"\n{SCOPES}"), 1)
        .replace(
            website,
            &format!(
                "{website}  secret = \"{SECRET}\"\n  redirect_uris = [\"{CALLBACK}\"]\n  grants = [\"authorization_code\", \
                 \"refresh_token\", \"client_credentials\", \"implicit\"]\n"
            ),
        )
        .replace(user, &format!("{APPLICATIONS}{user}"))
        .replace("name = \"Cafe website\"\n", &format!("name = \"Cafe website\"\n  redirect_uris = [\"{CALLBACK}\"]\n"))
        .replace(cafe, &format!("{CAFE_APPLICATIONS}{cafe}"))
}

/// The world, with bob logged in to a browser.
pub(crate) struct Site {
    pub(crate) world: World,
    browser: Browser,
    session: BrowserSessionId,
}

impl Site {
    pub(crate) async fn new(database: TestDatabase) -> Self {
        let world = World::new(database).await;
        world.reconfigure(&file()).await;
        world.person("bob");
        let app = &world.node.app;
        let config = app.config();
        let application = config.application(SHOP_APP).unwrap();
        let request = app.own_request(Some(SHOP_APP)).unwrap().request;
        let code = world.code(MINI, "bob");
        let mut options = hufu_app::LoginOptions::from(RequestedTokens::Authorization(Box::new(request)));
        let data = serde_json::json!({ "level": 7, "tier": "gold", "loose": "loose-secret" });
        options.custom_data = data.as_object().unwrap().clone();
        let login = SourceLogin {
            application: application.clone(),
            connection: config.mini_program(application, Some("shop-mini"), None).unwrap(),
            evidence: Evidence::code(&code),
            phone_use: PhoneUse::Fill,
            options,
            origin: Origin::default(),
        };
        let LoginAnswer::Done(done) = app.log_in(&login).await.unwrap() else { panic!("the login waits") };
        let entered = done.browser.unwrap();
        let browser = Browser::default().with(&PoolId::parse(SHOP).unwrap(), &entered.secret, false);
        Self { world, browser, session: entered.session.id }
    }

    /// Asks as the browser in which bob is logged in.
    pub(crate) async fn authorize(&self, client: &str, parameters: &[(&str, &str)]) -> Answer {
        let own = [("client_id", client), ("redirect_uri", CALLBACK), ("nonce", "n")];
        let query = encoded(&[&own, parameters].concat());
        let cookie = format!("__Host-hufu={}", self.browser.cookie());
        self.world.nobody().header("cookie", &cookie).get(&format!("/oidc/auth?{query}")).await
    }

    /// The parameters that the client gets.
    #[track_caller]
    pub(crate) fn answered(answer: &Answer) -> Vec<(String, String)> {
        let location = answer.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap());
        let Some(parameters) = location.strip_prefix(CALLBACK) else {
            panic!("not there: {location} {answer}")
        };
        let parameters = parameters[1..].split('&').map(|one| one.split_once('=').unwrap());
        parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[track_caller]
    pub(crate) fn parameter(answer: &Answer, name: &str) -> String {
        let all = Self::answered(answer);
        let found = all.iter().find(|(own, _)| own == name).unwrap_or_else(|| panic!("no {name}: {all:?}"));
        found.1.clone()
    }

    /// The error that the client gets.
    #[track_caller]
    pub(crate) fn error(answer: &Answer) -> String {
        Self::parameter(answer, "error")
    }

    /// The code for the website's request.
    pub(crate) async fn code(&self, parameters: &[(&str, &str)]) -> String {
        let answer = self.authorize(SHOP_WEB, &[&[("response_type", "code")], parameters].concat()).await;
        let code = Self::parameter(&answer, "code");
        self.world.secret(&code);
        code
    }

    /// A call of a confidential client.
    pub(crate) async fn call(&self, client: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let basic = format!("Basic {}", STANDARD.encode(format!("{client}:{SECRET}")));
        let body = encoded(fields).into_bytes();
        let client = self.world.nobody().header("authorization", &basic);
        client.send(axum::http::Method::POST, path, "application/x-www-form-urlencoded", body).await
    }

    pub(crate) async fn exchange(&self, code: &str, more: &[(&str, &str)]) -> Answer {
        let own = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
        self.call(SHOP_WEB, TOKEN, &[&own, more].concat()).await
    }

    /// The tokens for the website's request.
    pub(crate) async fn tokens(&self, parameters: &[(&str, &str)]) -> Value {
        let answer = self.exchange(&self.code(parameters).await, &[]).await;
        assert_eq!(answer.status, 200, "{answer}");
        answer.json()
    }

    pub(crate) async fn refresh(&self, token: &str, more: &[(&str, &str)]) -> Answer {
        let own = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.call(SHOP_WEB, TOKEN, &[&own, more].concat()).await
    }

    pub(crate) async fn for_itself(&self, client: &str, more: &[(&str, &str)]) -> Answer {
        self.call(client, TOKEN, &[&[("grant_type", "client_credentials")], more].concat()).await
    }

    pub(crate) async fn introspect(&self, client: &str, token: &str) -> Value {
        let answer = self.call(client, INTROSPECTION, &[("token", token)]).await;
        assert_eq!(answer.status, 200, "{answer}");
        answer.json()
    }

    pub(crate) async fn userinfo(&self, token: &str) -> Answer {
        self.world.nobody().bearer(token).get("/oidc/me").await
    }

    /// The request that a page is opened with.
    #[track_caller]
    pub(crate) fn opened(&self, answer: &Answer, page: &str) -> OpenRequest {
        let location = answer.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap());
        let sealed = location.strip_prefix(page).and_then(|rest| rest.strip_prefix("?request="));
        let sealed = sealed.unwrap_or_else(|| panic!("not {page}: {location} {answer}"));
        self.world.node.app.open_request(sealed.split('&').next().unwrap()).unwrap()
    }

    /// What the consent page would ask for. Panics if nobody is asked.
    pub(crate) async fn asked(&self, open: &OpenRequest) -> (String, Vec<String>) {
        let given = Given { account: Some(self.session.clone()), consented: false };
        let next =
            self.world.node.app.authorize(open, &self.browser, &given, &Origin::default()).await.unwrap();
        let Next::Consent { scopes, resources, .. } = next else { panic!("{next:?}") };
        (scopes.to_string(), resources.iter().map(|api| api.name.clone()).collect())
    }

    /// Bob agrees on the consent page. Returns the code.
    pub(crate) async fn agree(&self, open: &OpenRequest) -> String {
        let given = Given { account: Some(self.session.clone()), consented: true };
        let next =
            self.world.node.app.authorize(open, &self.browser, &given, &Origin::default()).await.unwrap();
        let Next::Respond(response) = next else { panic!("{next:?}") };
        let code = response.get("code").unwrap();
        self.world.secret(code);
        code.to_owned()
    }

    /// Bob approves the device that shows this code.
    pub(crate) async fn approve(&self, user_code: &str) {
        assert_eq!(self.try_approve(user_code).await.unwrap(), Some(()));
    }

    pub(crate) async fn try_approve(&self, user_code: &str) -> Result<Option<()>, Refusal> {
        let (app, origin) = (&self.world.node.app, Origin::default());
        let open = app.find_device(user_code, &origin).await.unwrap();
        let given = Given { account: Some(self.session.clone()), consented: true };
        app.approve_device(&open, &self.browser, &given, &origin).await
    }

    /// Bob denies it.
    pub(crate) async fn deny(&self, user_code: &str) {
        let (app, origin) = (&self.world.node.app, Origin::default());
        let open = app.find_device(user_code, &origin).await.unwrap();
        app.deny_device(&open, &self.browser, Some(&self.session), &origin).await.unwrap();
    }
}

#[track_caller]
pub(crate) fn token_of<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer}"))
}

/// The audience of an access token.
#[track_caller]
pub(crate) fn audience(answer: &Value) -> Value {
    claims(token_of(answer, "access_token"))["aud"].clone()
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}
