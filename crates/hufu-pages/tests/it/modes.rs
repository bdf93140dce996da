//! All seven ways to log in through WeChat, in one pool: what has to hold in each of them, whichever way somebody takes.
//!
//! A login is two parts: everything up to its last request ([`Shop::begin`]), and that request ([`Shop::finish`]), which a
//! test can send late, twice, or together with another one.

mod advice;
mod arrivals;
mod associations;
mod hosts;
mod outages;
mod people;
mod platforms;
mod requests;
mod short_code;
mod ways;
mod wechat_fails;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};

use hufu_sandbox::{AppKind, AppPatch, Delivery, MessageMode, Messages, NewApp};
use hufu_testkit::client::{AUTH, Answer as Called, Client, SIGNIN, claims, signin};
use hufu_testkit::world::{MINI, Plan, SHOP, World, secret_of};
use hufu_testkit::{TestDatabase, logs};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use self::ways::{ACCOUNT, AES_KEY, IN_WECHAT, LAUNCHED, MOBILE, Mode, TOKEN, WEBSITE, file};
use crate::hosted::{BACK, Browser, Site};
use crate::server::Answer;

const GENE: &str = "/api/v2/qrcode/gene";
const USERINFO: &str = "/api/v2/qrcode/userinfo";

/// A shop with all seven ways in.
struct Shop {
    site: Site,
    /// The network that the next login comes from: each is another one.
    network: AtomicU16,
}

/// A login before its last request.
#[derive(Clone)]
enum Begun<'s> {
    /// A client's call.
    Post(Client<'s>, String, Value),
    /// A browser comes back from WeChat.
    Return(Browser<'s>, String),
}

/// What became of a login.
#[derive(Debug)]
struct Outcome {
    /// The user and their token.
    user: Option<(String, String)>,
    /// The number of the refusal. 0: the browser still waits.
    code: u64,
    /// What is said about it.
    sentence: String,
    /// The log of the request that was refused.
    log: String,
}

impl Outcome {
    fn of_call(answer: &Called) -> Self {
        let json = answer.json();
        let data = &json["data"];
        let token = data["token"].as_str().or_else(|| data["access_token"].as_str());
        let user = token.filter(|_| json["code"] == 200).map(|token| {
            let id = data["id"]
                .as_str()
                .map_or_else(|| claims(token)["sub"].as_str().unwrap().to_owned(), str::to_owned);
            (id, token.to_owned())
        });
        Self {
            user,
            code: json["code"].as_u64().unwrap(),
            sentence: json["message"].as_str().unwrap_or_default().to_owned(),
            log: answer.log(),
        }
    }

    /// What a published client makes of the address that it is on.
    fn of_return(answer: &Answer) -> Self {
        let log = logs::of_request(answer.header("x-request-id")).concat();
        let location = answer.header("location");
        let Some((_, query)) = location.split_once('?') else {
            return Self { user: None, code: u64::MAX, sentence: answer.text(), log };
        };
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
        let get = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let user = get("data").map(|data| {
            let user: Value = serde_json::from_str(data).unwrap();
            (user["id"].as_str().unwrap().to_owned(), user["token"].as_str().unwrap().to_owned())
        });
        let code = get("code").unwrap().parse().unwrap();
        Self { user, code, sentence: get("message").unwrap_or_default().to_owned(), log }
    }

    #[track_caller]
    fn id(&self) -> &str {
        &self.user.as_ref().unwrap_or_else(|| panic!("nobody is logged in: {self:?}")).0
    }

    #[track_caller]
    fn is_refused(&self, code: u64) {
        assert!(self.user.is_none() && self.code == code && !self.log.is_empty(), "not {code}: {self:?}");
    }
}

impl Shop {
    async fn new(database: TestDatabase) -> Self {
        Self::with(Plan::new(), database, "").await
    }

    async fn with(plan: Plan, database: TestDatabase, more: &str) -> Self {
        Self::of(Box::pin(plan.build(database)).await, more).await
    }

    async fn of(world: World, more: &str) -> Self {
        for (app_id, kind) in [
            (WEBSITE, AppKind::Website),
            (ACCOUNT, AppKind::ServiceAccount),
            (MOBILE, AppKind::Mobile),
            (LAUNCHED, AppKind::Miniprogram),
        ] {
            world.secret(&secret_of(app_id));
            let app = NewApp {
                app_id: Some(app_id.to_owned()),
                secret: Some(secret_of(app_id).as_str().into()),
                open_platform: Some("shop".to_owned()),
                kind,
                domains: vec!["id.example.com".to_owned()],
                original_id: (app_id == ACCOUNT).then(|| "gh_5h0p".to_owned()),
                ..NewApp::default()
            };
            world.sandbox.add_app(app).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let messages = Messages {
            url: format!(
                "http://{}/connections/social/shop-oa/{SHOP}/events",
                listener.local_addr().unwrap()
            ),
            token: TOKEN.into(),
            encoding_aes_key: Some(AES_KEY.into()),
            mode: MessageMode::Safe,
        };
        let router = world.node.router.clone().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let patch = AppPatch { messages: Some(Some(messages)), ..AppPatch::default() };
        world.sandbox.change_app(ACCOUNT, patch).unwrap();
        let site = Site::of(world).await;
        site.world.reconfigure(&file(more)).await;
        Self { site, network: AtomicU16::new(0) }
    }

    /// The id of a mode's connection.
    fn connection(&self, mode: Mode) -> String {
        let pool = hufu_types::PoolId::parse(SHOP).unwrap();
        let config = self.site.world.node.app.config();
        let all = config.connections(&pool);
        all.iter().find(|one| one.identifier.as_str() == mode.connection()).unwrap().id.to_string()
    }

    /// Whether WeChat tells UnionIDs: whether the apps are bound to an Open Platform account there.
    fn tell_unionids(&self, tells: bool) {
        for app_id in [MINI, MOBILE, LAUNCHED, WEBSITE, ACCOUNT] {
            let open_platform = Some(tells.then(|| "shop".to_owned()));
            self.site
                .world
                .sandbox
                .change_app(app_id, AppPatch { open_platform, ..AppPatch::default() })
                .unwrap();
        }
    }

    fn next_network(&self) -> [u8; 4] {
        let [high, low] = self.network.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        [10, high, low, 7]
    }

    /// A client in a network of its own.
    fn client(&self, application: &str) -> Client<'_> {
        self.site.world.nobody().app(application).from(self.next_network())
    }

    /// Everything before the last request of a login, in mini programs with a phone number if `with_number`.
    async fn begin_with(&self, mode: Mode, person: &str, with_number: bool) -> Result<Begun<'_>, Outcome> {
        self.begin_at(mode.application(), mode, person, with_number).await
    }

    /// The same at another application that has the mode's connection.
    async fn begin_at(
        &self,
        application: &str,
        mode: Mode,
        person: &str,
        with_number: bool,
    ) -> Result<Begun<'_>, Outcome> {
        let world = &self.site.world;
        let code = || world.code(mode.app_id(), person);
        let number = || world.phone_code(mode.app_id(), person);
        Ok(match mode {
            Mode::MiniProgram if with_number => {
                let plain = json!({ "code": code(), "iv": "", "encryptedData": "" });
                let payload = json!({ "wxLoginInfo": plain, "wxPhoneInfo": { "code": number() } });
                let name = "wechatMiniProgramCodeAndPhonePayload";
                let body = signin("wechat_mini_program_code_and_phone", name, &payload);
                Begun::Post(self.client(application), SIGNIN.to_owned(), body)
            }
            Mode::MiniProgram => {
                Begun::Post(self.client(application), AUTH.to_owned(), json!({ "code": code() }))
            }
            Mode::Mobile | Mode::AppLaunch => {
                let source = if mode == Mode::Mobile { "wechatMobile" } else { "wechatminiprogramapplaunch" };
                let mut body = json!({ "connId": self.connection(mode), "code": code() });
                if with_number && mode == Mode::AppLaunch {
                    body["phoneInfoCode"] = number().into();
                }
                Begun::Post(self.client(application), format!("/api/v2/ecConn/{source}/authByCode"), body)
            }
            Mode::Pc | Mode::Webpage => {
                let mut browser = self.browser(mode);
                let start = format!(
                    "/connections/social/{}?app_id={application}&redirect_url={BACK}",
                    mode.connection()
                );
                let at_wechat = browser.open(&start).await;
                if at_wechat.status != 303 || at_wechat.header("location").starts_with(BACK) {
                    return Err(Outcome::of_return(&at_wechat));
                }
                Begun::Return(browser, self.agreed(&at_wechat, person))
            }
            Mode::Follow | Mode::Scan => self.shown(application, mode, person).await?,
        })
    }

    async fn begin(&self, mode: Mode, person: &str) -> Begun<'_> {
        self.begin_with(mode, person, false).await.unwrap()
    }

    fn browser(&self, mode: Mode) -> Browser<'_> {
        let mut browser = self.site.browser();
        browser.ip = Some(self.next_network());
        if mode == Mode::Webpage {
            browser.user_agent = IN_WECHAT;
        }
        browser
    }

    /// The person agrees on WeChat's page. Returns where WeChat sends the browser.
    #[track_caller]
    fn agreed(&self, at_wechat: &Answer, person: &str) -> String {
        self.site.world.sandbox.authorize(at_wechat.header("location"), person, true).unwrap().unwrap()
    }

    /// A browser shows a QR code, somebody scans and confirms, and the browser has a ticket.
    async fn shown(&self, application: &str, mode: Mode, person: &str) -> Result<Begun<'_>, Outcome> {
        let world = &self.site.world;
        let (client, phone) = (self.client(application), self.client(application));
        let scene = if mode == Mode::Follow { "WECHATMP_AUTH" } else { "WXAPP_AUTH" };
        let order = json!({ "scene": scene, "extIdpConnId": self.connection(mode) });
        let issued = took(&client.post(GENE, order).await)?;
        let secret = issued["random"].as_str().unwrap();
        world.secret(secret);
        let picture = issued["url"].as_str().unwrap();
        let scene = picture.rsplit('/').next().unwrap().strip_suffix(".png").unwrap();
        if mode == Mode::Follow {
            let before = world.sandbox.pushes(0).len();
            world.sandbox.scan(scene, person, &Delivery::default()).await.unwrap();
            let push = world.sandbox.pushes(0).remove(before);
            let attempt = push.attempts.last().unwrap();
            if attempt.http_status != Some(200) {
                let told: Value = serde_json::from_str(&attempt.body).unwrap();
                let log = logs::of_request(told["requestId"].as_str().unwrap()).concat();
                let sentence = told["message"].as_str().unwrap().to_owned();
                return Err(Outcome { user: None, code: told["code"].as_u64().unwrap(), sentence, log });
            }
        } else {
            let code = world.code(MINI, person);
            let path =
                format!("/oauth/wxapp/grant/?alias=wxapp&code={code}&random={scene}&enableFetchPhone=true");
            let granted = took(&phone.get(&path).await)?;
            let confirmation = json!({ "openid": granted["openid"] });
            took(&phone.post(&format!("/oauth/wxapp/redirect?random={scene}"), confirmation).await)?;
        }
        let seen = client.get(&format!("/api/v2/qrcode/check?random={secret}")).await;
        let told = &seen.data()["scannedResult"];
        match seen.data()["ticket"].as_str() {
            Some(ticket) => Ok(Begun::Post(client, USERINFO.to_owned(), json!({ "ticket": ticket }))),
            None => Err(Outcome {
                user: None,
                code: told["apiCode"].as_u64().unwrap_or_default(),
                sentence: told["message"].as_str().unwrap_or_default().to_owned(),
                log: "told to the phone".to_owned(),
            }),
        }
    }

    /// The last request of a login.
    async fn finish(&self, begun: &Begun<'_>) -> Outcome {
        match begun.clone() {
            Begun::Post(client, path, body) => Outcome::of_call(&client.post(&path, body).await),
            Begun::Return(mut browser, address) => Outcome::of_return(&browser.open(&address).await),
        }
    }

    /// A whole login.
    async fn log_in(&self, mode: Mode, person: &str) -> Outcome {
        match self.begin_with(mode, person, false).await {
            Ok(begun) => self.finish(&begun).await,
            Err(outcome) => outcome,
        }
    }
}

/// The data of a call that is not the last one, or what became of the login.
fn took(answer: &Called) -> Result<Value, Outcome> {
    let json = answer.json();
    if json["code"] == 200 { Ok(json["data"].clone()) } else { Err(Outcome::of_call(answer)) }
}
