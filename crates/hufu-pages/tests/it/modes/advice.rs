//! A call to WeChat fails, and a person is in front of a page: it says in their language what is the matter and what to do,
//! and leaves them another way. The operator's log and the audit log say why, and hold no secret.

use std::time::Duration;

use hufu_sandbox::Fault;
use hufu_testkit::client::Answer as Called;
use hufu_testkit::world::{MINI, Plan, SHOP_WEB, secret_of};
use hufu_testkit::{TestDatabase, logs, on_both_engines};
use hufu_types::{Identifier, LoginTab};
use serde_json::json;

use super::Shop;
use super::ways::{ACCOUNT, Mode};
use crate::hosted::{Browser, authorization, has, has_not};
use crate::server::Answer;

/// What is said in Chinese and in English.
type Said = [&'static str; 2];

const LANGUAGES: [&str; 2] = ["zh-CN", "en"];
const LATER: Said = [
    "微信暂时没有响应。请稍后重新登录。",
    "WeChat isn't answering at the moment. Wait a moment, then log in again.",
];
const AGAIN: Said =
    ["微信未能确认你的身份。请重新登录。", "WeChat couldn't confirm who you are. Start the login again."];
const PAUSE: Said = [
    "现在通过微信登录的人太多。请过 1 分钟再试，或换一种登录方式。",
    "Too many people are logging in through WeChat here right now. Wait 1 min, then try again, or log in another way.",
];
const DOWN: Said = [
    "该应用目前已被微信暂停服务。请换一种登录方式，或稍后再来。",
    "WeChat has taken this app out of service for now. Choose another way to log in, or come back later.",
];
const OWNER: Said = [
    "该应用的登录设置有误。请返回重试，或联系应用的运营方。",
    "This app's login isn't set up correctly. Go back and try again, or contact the people who run the app.",
];
const DENIED: Said =
    ["微信拒绝了本次登录。请换一种登录方式。", "WeChat didn't let you log in. Choose another way to log in."];

/// A way in which a call fails.
#[derive(Clone, Copy, Debug)]
enum Fails {
    With(i32),
    /// 200, and a page.
    Garbage,
    Silence,
}

/// Each class of failures where a code is exchanged that a browser brought, and what the person reads. 50002 is about the
/// person there.
const AT_THE_EXCHANGE: [(Fails, Said); 13] = [
    (Fails::With(-1), LATER),
    (Fails::With(40029), AGAIN),
    (Fails::With(40163), AGAIN),
    (Fails::With(45011), PAUSE),
    (Fails::With(45009), PAUSE),
    (Fails::With(48004), DOWN),
    (Fails::With(50004), DOWN),
    (Fails::With(50002), DENIED),
    (Fails::With(40164), OWNER),
    (Fails::With(40125), OWNER),
    (Fails::With(40013), OWNER),
    (Fails::Garbage, LATER),
    (Fails::Silence, LATER),
];

/// The same where a QR code is made. There is no code that could be wrong, and no person yet.
const AT_THE_QR_CODE: [(Fails, Said); 11] = [
    (Fails::With(-1), LATER),
    (Fails::With(45011), PAUSE),
    (Fails::With(45009), PAUSE),
    (Fails::With(48004), DOWN),
    (Fails::With(50004), DOWN),
    (Fails::With(50002), DOWN),
    (Fails::With(40164), OWNER),
    (Fails::With(40125), OWNER),
    (Fails::With(40013), OWNER),
    (Fails::Garbage, LATER),
    (Fails::Silence, LATER),
];

/// Longer than any app token, pause or quota.
const MUCH_LATER: Duration = Duration::from_secs(130 * 60);

impl Fails {
    /// The fault, at each call of this path.
    fn at(self, path: &str) -> Fault {
        let fault = Fault { path: Some(path.to_owned()), count: 100, ..Fault::default() };
        match self {
            Self::With(errcode) => Fault { errcode: Some(errcode), ..fault },
            Self::Garbage => Fault { html: true, after: true, ..fault },
            Self::Silence => Fault { delay_ms: 100_000, ..fault },
        }
    }

    /// How the operator's line names it.
    fn in_the_log(self) -> String {
        match self {
            Self::With(errcode) => format!("errcode={errcode}"),
            Self::Garbage | Self::Silence => "error=".to_owned(),
        }
    }
}

async fn shop(database: TestDatabase) -> Shop {
    let plan = Plan::new()
        .sandbox(|sandbox| (sandbox.push_sends, sandbox.log_capacity) = (1, 100_000))
        .wechat(|wechat| wechat.call_timeout = Duration::from_secs(2));
    let shop = Shop::with(plan, database, "").await;
    let tabs = [Mode::Follow, Mode::Scan].map(|mode| Identifier::parse(mode.connection()).unwrap());
    shop.site.change(|application| application.login.methods.extend(tabs.map(LoginTab::QrCode))).await;
    shop
}

/// Fails unless a page says this in its language, is not kept, leaves the form of the password, and has nobody logged in.
#[track_caller]
fn says(page: &Answer, browser: &Browser<'_>, said: &str, case: &str) {
    let escaped = said.replace('\'', "&#39;");
    let text = page.text();
    assert!(text.contains(&escaped), "{case}: {said}: {text}");
    assert!(page.status.is_client_error() || page.status.is_server_error(), "{case}: {}", page.status);
    assert_eq!(page.header("cache-control"), "no-store", "{case}");
    assert!(!browser.keeps("__Host-hufu"), "{case}");
    has(page, "account");
}

/// Fails unless the log of a request says what failed at which connection.
#[track_caller]
fn is_told(log: &str, mode: Mode, fails: Fails, case: &str) {
    let connection = format!("connection={}", mode.connection());
    let named = |line: &&str| line.contains(&connection) && line.contains(&fails.in_the_log());
    let line = log.lines().find(named).unwrap_or_else(|| panic!("{case}: the operator is not told: {log}"));
    assert!(!matches!(fails, Fails::With(_)) || line.contains("rid="), "{case}: {line}");
}

/// The link of a connection on the login page.
#[track_caller]
fn link(page: &Answer, mode: Mode) -> String {
    let text = page.text();
    let (_, rest) = text.split_once(&format!("data-connection=\"{}\" href=\"", mode.connection())).unwrap();
    rest.split('"').next().unwrap().replace("&amp;", "&")
}

/// The QR code of a connection, as a tab of the login page.
pub(super) async fn open_tab(browser: &mut Browser<'_>, mode: Mode) -> Answer {
    let page = browser.begin().await;
    let text = page.text();
    let here = format!("\" data-connection=\"{}\"", mode.connection());
    let (before, _) = text.split_once(&here).unwrap_or_else(|| panic!("no tab: {text}"));
    browser.open(&before.rsplit("href=\"").next().unwrap().replace("&amp;", "&")).await
}

/// The value of an attribute of the page.
#[track_caller]
pub(super) fn attribute(page: &Answer, name: &str) -> String {
    let text = page.text();
    let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name}: {text}"));
    rest.split('"').next().unwrap().replace("&amp;", "&")
}

on_both_engines! {
    /// Lessons 17 and 18: in WeChat's own browser, and where the website showed WeChat's code.
    async fn who_comes_back_from_wechat_reads_what_to_do(database) {
        let shop = shop(database).await;
        let world = &shop.site.world;
        for (place, (fails, said)) in AT_THE_EXCHANGE.into_iter().enumerate() {
            for (mode, (language, said)) in
                [Mode::Webpage, Mode::Pc].into_iter().flat_map(|mode| LANGUAGES.into_iter().zip(said).map(move |of| (mode, of)))
            {
                let case = format!("{mode:?}, {fails:?}, {language}");
                let name = format!("{mode:?}-{place}-{language}");
                world.person(&name);
                let mut browser = shop.browser(mode);
                browser.language = language;
                let page = browser.follow(&authorization("")).await;
                let at_wechat = match mode {
                    // It starts at once.
                    Mode::Webpage => page,
                    _ => browser.open(&link(&page, mode)).await,
                };
                let returns = shop.agreed(&at_wechat, &name);
                let code = returns.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned();
                world.secret(&code);
                world.sandbox.add_fault(fails.at("/sns/oauth2/access_token")).unwrap();
                let refused = browser.open(&returns).await;
                says(&refused, &browser, said, &case);
                // And the way back to WeChat.
                link(&refused, mode);
                is_told(&logs::of_request(refused.header("x-request-id")).concat(), mode, fails, &case);
                let audit = world.audit().await;
                let of_login = audit.iter().find(|event| event.request_id.as_deref() == Some(refused.header("x-request-id")));
                let event = of_login.unwrap_or_else(|| panic!("{case}: no entry"));
                let errcode = match fails {
                    Fails::With(errcode) => json!(errcode),
                    _ => json!(null),
                };
                assert_eq!((event.action.as_str(), &event.details["errcode"]), ("login", &errcode), "{case}");
                assert!(event.code != 0 && event.connection == Some(shop.connection(mode)), "{case}: {event:?}");
                let entry = format!("{event:?}");
                assert!(!entry.contains(&code) && !entry.contains(&secret_of(mode.app_id())), "{case}: {entry}");
                world.sandbox.clear_faults();
                world.advance(MUCH_LATER);
                world.node.app.run_due_jobs().await;
            }
        }
        world.person("mei");
        for mode in [Mode::Webpage, Mode::Pc] {
            shop.log_in(mode, "mei").await.id();
        }
    }

    /// Where no QR code can be made, the tab says why, and the others are there.
    async fn the_tab_of_a_qr_code_says_what_to_do(database) {
        let shop = shop(database).await;
        let world = &shop.site.world;
        let calls = [
            (Mode::Follow, "/cgi-bin/stable_token"),
            (Mode::Follow, "/cgi-bin/qrcode/create"),
            (Mode::Scan, "/cgi-bin/stable_token"),
            (Mode::Scan, "/wxa/getwxacodeunlimit"),
        ];
        for (mode, path) in calls {
            for (fails, said) in AT_THE_QR_CODE {
                for (language, said) in LANGUAGES.into_iter().zip(said) {
                    let case = format!("{mode:?}, {path}, {fails:?}, {language}");
                    world.sandbox.add_fault(fails.at(path)).unwrap();
                    let mut browser = shop.browser(mode);
                    browser.language = language;
                    let page = open_tab(&mut browser, mode).await;
                    says(&page, &browser, said, &case);
                    has_not(&page, "qr");
                    is_told(&logs::of_request(page.header("x-request-id")).concat(), mode, fails, &case);
                    world.sandbox.clear_faults();
                    world.advance(MUCH_LATER);
                    world.node.app.run_due_jobs().await;
                }
            }
            // And the way is open again.
            let page = open_tab(&mut shop.browser(mode), mode).await;
            assert_eq!(attribute(&page, "data-state"), "created", "{mode:?}");
        }
        let secrets = [secret_of(MINI), secret_of(ACCOUNT)];
        let audit = format!("{:?}", world.audit().await);
        assert!(secrets.iter().all(|secret| !audit.contains(secret.as_str())));
    }

    /// The phone that scanned a QR code is refused, and told. The page goes on showing the code: it can be scanned again.
    async fn a_phone_that_wechat_does_not_vouch_for_takes_no_code_from_the_page(database) {
        let shop = shop(database).await;
        let world = &shop.site.world;
        for (place, (fails, _)) in AT_THE_EXCHANGE.into_iter().enumerate() {
            let name = format!("person-{place}");
            world.person(&name);
            let mut browser = shop.browser(Mode::Scan);
            let page = open_tab(&mut browser, Mode::Scan).await;
            let next = attribute(&page, "data-next");
            let scene = page.text().split_once("src=\"/api/v2/qrcode/").unwrap().1.split(".png").next().unwrap().to_owned();
            let phone = shop.client(SHOP_WEB);
            let grant = async || -> Called {
                let code = world.code(MINI, &name);
                phone.get(&format!("/oauth/wxapp/grant/?alias=wxapp&code={code}&random={scene}")).await
            };
            world.sandbox.add_fault(fails.at("/sns/jscode2session")).unwrap();
            let refused = grant().await;
            assert!(refused.code() != 200 && refused.json()["message"].as_str().is_some_and(|said| !said.is_empty()), "{fails:?}");
            is_told(&refused.log(), Mode::Scan, fails, &format!("{fails:?}"));
            let waits = browser.open(&next).await;
            assert_eq!(attribute(&waits, "data-state"), "created", "{fails:?}");
            world.sandbox.clear_faults();
            // A pause after a quota.
            world.advance(Duration::from_secs(61));
            grant().await.data();
            assert_eq!(attribute(&browser.open(&next).await, "data-state"), "scanned", "{fails:?}");
            world.advance(MUCH_LATER);
            world.node.app.run_due_jobs().await;
        }
    }
}
