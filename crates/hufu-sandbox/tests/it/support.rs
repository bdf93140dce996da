//! A sandbox with a stopped clock, with two apps of one Open Platform account, one of none, and two people.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hufu_sandbox::{AppKind, ClockStart, NewApp, NewUser, Options, Sandbox};
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const SHOP: &str = "wx0000000000000001";
pub(crate) const SHOP_ALSO: &str = "wx0000000000000002";
pub(crate) const ALONE: &str = "wx0000000000000003";
pub(crate) const WEBSITE: &str = "wx0000000000000011";
pub(crate) const SERVICE: &str = "wx0000000000000012";
pub(crate) const SUBSCRIPTION: &str = "wx0000000000000013";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// 2025-06-15 12:00:00 in Beijing.
pub(crate) const START_MS: i64 = 1_749_960_000_000;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    pub(crate) fn errcode(&self) -> i64 {
        assert_eq!(self.status, StatusCode::OK, "WeChat's errors come under HTTP 200: {}", self.text);
        self.json()["errcode"].as_i64().unwrap_or(0)
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> &str {
        assert!(self.status.is_redirection(), "{} {}", self.status, self.text);
        self.headers["location"].to_str().unwrap()
    }

    /// The code of WeChat's error page.
    pub(crate) fn page_error(&self) -> i64 {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        let (_, rest) = self.text.split_once("id=\"page-error\">").unwrap_or_else(|| panic!("{}", self.text));
        rest.split('<').next().unwrap().parse().unwrap()
    }

    pub(crate) fn label(&self) -> &str {
        self.headers["content-type"].to_str().unwrap()
    }
}

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> World {
        let options = Options { clock: ClockStart::StandingAt(START_MS), seed: Some([7; 32]), ..options };
        let sandbox = Sandbox::new(options);
        for (app_id, open_platform) in [(SHOP, Some("shop")), (SHOP_ALSO, Some("shop")), (ALONE, None)] {
            let app = NewApp {
                app_id: Some(app_id.to_owned()),
                secret: Some(SECRET.into()),
                open_platform: open_platform.map(str::to_owned),
                ..NewApp::default()
            };
            sandbox.add_app(app).unwrap();
        }
        for (name, phone) in [("alice", "13800000001"), ("bob", "13800000002")] {
            let user = NewUser {
                name: Some(name.to_owned()),
                phone: Some(phone.to_owned()),
                nickname: Some(name.to_uppercase()),
                ..NewUser::default()
            };
            sandbox.add_user(user).unwrap();
        }
        World { sandbox }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.sandbox.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, text, bytes: bytes.to_vec() }
    }

    /// A call from this machine.
    pub(crate) async fn call(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:3100");
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, Body::empty()).await
    }

    /// A page, as a browser with this cookie and User-Agent asks for it.
    pub(crate) async fn browse(&self, path: &str, cookie: &str, agent: &str) -> Answer {
        let request = Request::builder().uri(path).header("host", "127.0.0.1:3100");
        let request = request.header("cookie", cookie).header("user-agent", agent);
        self.send(request.header("accept-language", "en").body(Body::empty()).unwrap()).await
    }

    /// A form of the phone, sent by a browser in which this person holds it.
    pub(crate) async fn tap(&self, path: &str, person: &str, form: &str) -> Answer {
        let request = Request::builder().method(Method::POST).uri(path).header("host", "127.0.0.1:3100");
        let request = request
            .header("origin", "http://127.0.0.1:3100")
            .header("accept-language", "en")
            .header("cookie", format!("hufu-sandbox-person={person}"))
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(form.to_owned().into()).unwrap()).await
    }

    /// A screen of the phone that this person holds.
    pub(crate) async fn screen(&self, path: &str, person: &str) -> Answer {
        self.browse(path, &format!("hufu-sandbox-person={person}"), "Mozilla/5.0").await
    }

    /// Registers an app of this kind in the Open Platform account `shop`.
    pub(crate) fn add(&self, app_id: &str, kind: AppKind) {
        let app = NewApp {
            app_id: Some(app_id.to_owned()),
            name: Some(format!("The {}", kind_name(kind))),
            secret: Some(SECRET.into()),
            open_platform: Some("shop".to_owned()),
            kind,
            ..NewApp::default()
        };
        self.sandbox.add_app(app).unwrap();
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, body.to_string()).await
    }

    /// A control call that must succeed.
    pub(crate) async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        let answer = self.call(method, &format!("/__sandbox{path}"), body.to_string()).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        answer.json()
    }

    pub(crate) async fn login(&self, app_id: &str, code: &str) -> Answer {
        self.get(&format!(
            "/api/sns/jscode2session?appid={app_id}&secret={SECRET}&js_code={code}&grant_type=authorization_code"
        ))
        .await
    }

    /// Logs a person in and returns WeChat's response.
    pub(crate) async fn log_in(&self, app_id: &str, person: &str) -> Value {
        let code = self.sandbox.login_code(app_id, Some(person)).unwrap();
        let answer = self.login(app_id, &code).await;
        assert_eq!(answer.errcode(), 0, "{}", answer.text);
        answer.json()
    }

    pub(crate) async fn stable_token(&self, app_id: &str, force_refresh: bool) -> Answer {
        let body = json!({
            "grant_type": "client_credential",
            "appid": app_id,
            "secret": SECRET,
            "force_refresh": force_refresh,
        });
        self.post("/api/cgi-bin/stable_token", body).await
    }

    pub(crate) async fn token(&self, app_id: &str) -> String {
        self.stable_token(app_id, false).await.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// The response to a call with this token: 40029, for lack of a code, if the token is valid.
    pub(crate) async fn token_errcode(&self, token: &str) -> i64 {
        self.phone_number(token, json!({ "code": "none" })).await.errcode()
    }

    pub(crate) async fn phone_number(&self, token: &str, body: Value) -> Answer {
        self.post(&format!("/api/wxa/business/getuserphonenumber?access_token={token}"), body).await
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.sandbox.advance(std::time::Duration::from_secs(seconds));
    }
}

fn kind_name(kind: AppKind) -> &'static str {
    match kind {
        AppKind::Miniprogram => "mini program",
        AppKind::Mobile => "mobile app",
        AppKind::Website => "website",
        AppKind::ServiceAccount => "service account",
        AppKind::SubscriptionAccount => "subscription account",
    }
}

/// Text as a part of an address.
pub(crate) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The value of a parameter in an address.
pub(crate) fn parameter(address: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(address).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// What a picture of a QR code says.
pub(crate) fn read_qr_code(picture: &[u8]) -> String {
    let picture = image::load_from_memory(picture).unwrap().to_rgba8();
    let size = |side: u32| usize::try_from(side).unwrap();
    let (width, height) = (size(picture.width()), size(picture.height()));
    let shades: Vec<u8> =
        picture.pixels().map(|pixel| if pixel.0[3] == 0 { 255 } else { pixel.0[1] }).collect();
    let mut grey = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| shades[y * width + x]);
    let codes = grey.detect_grids();
    assert_eq!(codes.len(), 1, "one QR code");
    codes[0].decode().unwrap().1
}
