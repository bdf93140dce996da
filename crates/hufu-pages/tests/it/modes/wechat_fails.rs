//! WeChat refuses, fails, lies or is silent, at each call of each way to log in: the client gets a stable code and a
//! sentence, the operator a line that says why, nobody is logged in, and no code is sent twice whose fate nobody knows.

use std::time::Duration;

use hufu_sandbox::{Fault, WrongJson};
use hufu_testkit::on_both_engines;
use hufu_testkit::world::Plan;
use hufu_types::Language;
use hufu_types::refusal::{Code, Refusal};
use tokio::net::TcpListener;

use super::{Mode, Outcome, Shop};
use crate::hosted::has;

const EXCHANGE: &str = "/sns/jscode2session";
const ACCESS_TOKEN: &str = "/sns/oauth2/access_token";
const USER_INFO: &str = "/sns/userinfo";
const FETCH: &str = "/cgi-bin/stable_token";
const NUMBER: &str = "/wxa/business/getuserphonenumber";
const CREATE: &str = "/cgi-bin/qrcode/create";
const FOLLOWER: &str = "/cgi-bin/user/info";
const PICTURE: &str = "/wxa/getwxacodeunlimit";

/// Each call to WeChat, and the ways to log in that make it. In mini programs a phone number comes along.
const CALLS: [(&str, &[Mode]); 8] = [
    (EXCHANGE, &[Mode::MiniProgram, Mode::AppLaunch, Mode::Scan]),
    (ACCESS_TOKEN, &[Mode::Mobile, Mode::Pc, Mode::Webpage]),
    (USER_INFO, &[Mode::Mobile, Mode::Pc, Mode::Webpage]),
    (FETCH, &[Mode::MiniProgram, Mode::AppLaunch, Mode::Follow, Mode::Scan]),
    (NUMBER, &[Mode::MiniProgram, Mode::AppLaunch]),
    (CREATE, &[Mode::Follow]),
    (FOLLOWER, &[Mode::Follow]),
    (PICTURE, &[Mode::Scan]),
];

/// What becomes of a login for an `errcode`: at an exchange of a code of `wx.login`, of an authorization, at a fetch of the
/// app token, at a phone code, and where a QR code is made.
const ERRCODES: [(i32, [Code; 5]); 31] = {
    use Code::{
        AppDown, CodeInvalid, CodeUsed, Denied, Misconfigured, PhoneCodeInvalid, WechatDown, WechatLimit,
        WechatNonsense,
    };
    [
        // Busy.
        (-1, [WechatDown; 5]),
        (-1000, [WechatDown; 5]),
        // The app token, where there is one.
        (40001, [Misconfigured; 5]),
        (40014, [Misconfigured; 5]),
        (42001, [Misconfigured; 5]),
        // The code.
        (40029, [CodeInvalid, CodeInvalid, WechatNonsense, PhoneCodeInvalid, WechatNonsense]),
        (40163, [CodeUsed, CodeUsed, WechatNonsense, PhoneCodeInvalid, WechatNonsense]),
        (50001, [CodeInvalid, CodeInvalid, WechatNonsense, PhoneCodeInvalid, WechatNonsense]),
        // The person.
        (40226, [Denied; 5]),
        // The settings: AppID, secret, kind of app, permissions, allow-list.
        (40013, [Misconfigured, Misconfigured, Misconfigured, PhoneCodeInvalid, Misconfigured]),
        (40125, [Misconfigured; 5]),
        (40164, [Misconfigured; 5]),
        (40243, [Misconfigured; 5]),
        (41030, [Misconfigured; 5]),
        (45063, [Misconfigured; 5]),
        (48001, [Misconfigured; 5]),
        (50003, [Misconfigured; 5]),
        (61024, [Misconfigured; 5]),
        (89503, [Misconfigured; 5]),
        (89507, [Misconfigured; 5]),
        (99_999, [Misconfigured; 5]),
        // Quotas.
        (45009, [WechatLimit; 5]),
        (45011, [WechatLimit; 5]),
        // The app is frozen, banned or closed. Where the person is known it is about them.
        (50002, [AppDown, Denied, AppDown, AppDown, AppDown]),
        (50004, [AppDown; 5]),
        (50007, [AppDown; 5]),
        (48004, [AppDown; 5]),
        (85079, [AppDown; 5]),
        (89013, [AppDown; 5]),
        // A mistake of this server's.
        (40002, [WechatNonsense; 5]),
        (47001, [WechatNonsense; 5]),
    ]
};

/// A way in which WeChat fails.
#[derive(Clone, Copy, Debug)]
enum Failure {
    Errcode(i32, [Code; 5]),
    /// A gateway answers.
    Status(u16),
    /// 200, and a page.
    Html,
    Json(WrongJson),
    /// The connection breaks.
    Broken,
    /// No answer.
    Silence,
}

impl Failure {
    fn all() -> impl Iterator<Item = Self> {
        let others = [
            Self::Status(502),
            Self::Status(404),
            Self::Html,
            Self::Json(WrongJson::Truncated),
            Self::Json(WrongJson::Types),
            Self::Json(WrongJson::Empty),
            Self::Json(WrongJson::Array),
            Self::Broken,
        ];
        ERRCODES.into_iter().map(|(errcode, codes)| Self::Errcode(errcode, codes)).chain(others)
    }

    /// The fault, at each call of this path.
    fn at(self, path: &str) -> Fault {
        let fault = Fault { path: Some(path.to_owned()), count: 100, ..Fault::default() };
        match self {
            Self::Errcode(errcode, _) => Fault { errcode: Some(errcode), ..fault },
            Self::Status(status) => Fault { http_status: Some(status), after: true, ..fault },
            Self::Html => Fault { html: true, after: true, ..fault },
            Self::Json(way) => Fault { wrong_json: Some(way), after: true, ..fault },
            Self::Broken => Fault { drop_connection: true, after: true, ..fault },
            Self::Silence => Fault { delay_ms: 100_000, ..fault },
        }
    }

    /// What the login is refused with. None: it goes on without what the call would have told.
    fn refusal(self, path: &str) -> Option<Code> {
        let column = match path {
            // The person is known by then, so a nickname fails no login.
            USER_INFO => return None,
            EXCHANGE => 0,
            ACCESS_TOKEN => 1,
            FETCH => 2,
            NUMBER => 3,
            _ => 4,
        };
        let code = match self {
            Self::Errcode(_, codes) => codes[column],
            Self::Status(_) | Self::Broken => Code::WechatDown,
            Self::Html | Self::Json(_) => Code::WechatNonsense,
            Self::Silence => Code::WechatSlow,
        };
        // Where WeChat may tell another time, nobody becomes a second person; otherwise followers log in without a UnionID.
        let may_tell_later = match self {
            Self::Errcode(errcode, _) => [-1, -1000, 40001, 40014, 42001, 45009, 45011].contains(&errcode),
            _ => true,
        };
        (path != FOLLOWER || may_tell_later).then_some(code)
    }

    /// How often the call is made.
    fn calls(self, path: &str) -> usize {
        match self {
            Self::Errcode(-1, _) => 3,
            // With another app token, once.
            Self::Errcode(40001 | 40014 | 42001, _)
                if ![EXCHANGE, ACCESS_TOKEN, USER_INFO].contains(&path) =>
            {
                2
            }
            _ => 1,
        }
    }

    /// Whether a code that was sent may be spent, though nobody knows.
    fn is_unclear(self) -> bool {
        !matches!(self, Self::Errcode(..))
    }
}

/// Longer than any app token, pause or quota.
const LATER: Duration = Duration::from_secs(130 * 60);

async fn shop(database: hufu_testkit::TestDatabase) -> Shop {
    let plan = Plan::new()
        .sandbox(|sandbox| (sandbox.push_sends, sandbox.log_capacity) = (1, 100_000))
        .wechat(|wechat| wechat.call_timeout = Duration::from_secs(1));
    Shop::with(plan, database, "").await
}

/// Tries to log somebody in while a call fails. Returns what is wrong with what becomes of it.
async fn attempt(shop: &Shop, mode: Mode, path: &str, failure: Failure, person: &str) -> Option<String> {
    let world = &shop.site.world;
    world.person(person);
    let (begun, outcome) = match shop.begin_with(mode, person, true).await {
        Ok(begun) => (Some(begun.clone()), shop.finish(&begun).await),
        Err(outcome) => (None, outcome),
    };
    let Some(code) = failure.refusal(path) else {
        return outcome.user.is_none().then(|| format!("not logged in: {outcome:?}"));
    };
    if let Some(problem) = problem(&outcome, mode, path, failure, code) {
        return Some(format!("{problem}: {outcome:?}"));
    }
    let begun = begun.filter(|_| failure.is_unclear())?;
    let before = world.calls(path);
    let again = shop.finish(&begun).await;
    if again.user.is_some() || world.calls(path) > before {
        return Some(format!("a code was sent twice: {again:?}"));
    }
    None
}

/// What is wrong with what client and operator are told.
fn problem(outcome: &Outcome, mode: Mode, path: &str, failure: Failure, code: Code) -> Option<String> {
    if outcome.user.is_some() || outcome.code != u64::from(code.number()) || outcome.sentence.is_empty() {
        return Some(format!("not {code:?}"));
    }
    let of_connection = format!("connection={}", mode.connection());
    let line = outcome.log.lines().find(|line| line.contains(&of_connection) && line.contains("error="));
    let Some(line) = line else { return Some("the operator is told nothing".to_owned()) };
    let is_grave = matches!(code, Code::Misconfigured | Code::AppDown) && path != FOLLOWER;
    if !line.trim_start().starts_with(if is_grave { "ERROR" } else { "WARN" }) {
        return Some(format!("grave or not? {line}"));
    }
    if let Failure::Errcode(errcode, _) = failure
        && !(line.contains(&format!("errcode={errcode}")) && line.contains("rid="))
    {
        return Some(format!("the operator is not told WeChat's reason: {line}"));
    }
    None
}

on_both_engines! {
    /// Lessons 17 and 18: each failure at each call of each way.
    async fn every_failure_at_every_call_of_every_mode_is_told(database) {
        let shop = shop(database).await;
        let world = &shop.site.world;
        let (mut people, mut problems) = (0, Vec::new());
        for (path, modes) in CALLS {
            for mode in modes {
                for failure in Failure::all() {
                    people += 1;
                    world.sandbox.add_fault(failure.at(path)).unwrap();
                    let (before, users) = (world.calls(path), world.rows("users").await);
                    let found = attempt(&shop, *mode, path, failure, &format!("person-{people}")).await;
                    let times = world.calls(path) - before;
                    let found = found.or((path != FETCH && times != failure.calls(path)).then(|| format!("{times} calls")));
                    problems.extend(found.map(|found| format!("{mode:?}, {path}, {failure:?}: {found}")));
                    let made = i64::from(failure.refusal(path).is_none());
                    assert_eq!(world.rows("users").await, users + made, "{mode:?}, {path}, {failure:?}");
                    world.sandbox.clear_faults();
                    world.advance(LATER);
                }
                // And the way is open again.
                shop.log_in(*mode, "person-1").await.id();
            }
        }
        assert!(problems.is_empty(), "{} of {people}: {problems:#?}", problems.len());
    }

    /// Lesson 17: silence is no answer, in whichever call: nobody waits for ever, and no code is sent again.
    async fn silence_at_every_call_of_every_mode_ends_in_time(database) {
        let shop = shop(database).await;
        let world = &shop.site.world;
        for (path, modes) in CALLS {
            world.sandbox.add_fault(Failure::Silence.at(path)).unwrap();
            let attempts = modes.iter().map(|mode| {
                let shop = &shop;
                async move { attempt(shop, *mode, path, Failure::Silence, &format!("{mode:?}{path}")).await }
            });
            let problems: Vec<_> = futures::future::join_all(attempts).await.into_iter().flatten().collect();
            assert!(problems.is_empty(), "{path}: {problems:#?}");
            world.sandbox.clear_faults();
            world.advance(LATER);
        }
    }

    /// Lesson 18: whoever logs in while WeChat is busy for a moment notices nothing.
    async fn a_moment_of_busyness_at_any_call_is_not_noticed(database) {
        let shop = shop(database).await;
        let world = &shop.site.world;
        for (path, modes) in CALLS {
            for mode in modes {
                let name = format!("{mode:?}{path}");
                world.person(&name);
                let fault = Fault { path: Some(path.to_owned()), errcode: Some(-1), count: 2, ..Fault::default() };
                world.sandbox.add_fault(fault).unwrap();
                let before = world.calls(path);
                let begun = shop.begin_with(*mode, &name, true).await.unwrap();
                shop.finish(&begun).await.id();
                assert_eq!(world.calls(path) - before, 3, "{mode:?}, {path}");
                world.sandbox.clear_faults();
                world.advance(LATER);
            }
        }
    }

    /// Lesson 17: what could not be sent at all is not lost. The same code logs in once WeChat can be reached.
    async fn a_wechat_out_of_reach_spends_no_code(database) {
        let (world, address) = Plan::new().build_unreachable(database).await;
        let shop = Shop::of(world, "").await;
        let mut begun = Vec::new();
        for mode in Mode::ALL {
            let name = format!("{mode:?}");
            shop.site.world.person(&name);
            let outcome = match shop.begin_with(mode, &name, false).await {
                Ok(login) => {
                    let outcome = shop.finish(&login).await;
                    begun.push(login);
                    outcome
                }
                Err(outcome) => outcome,
            };
            outcome.is_refused(u64::from(Code::WechatDown.number()));
            assert!(outcome.log.contains("no connection"), "{outcome:?}");
            // The operator reads which connection it was and that nobody was reached, in the log and in the audit log.
            let of_connection = format!("connection={}", mode.connection());
            let line = outcome.log.lines().find(|line| line.contains(&of_connection) && line.contains("no connection"));
            assert!(line.is_some_and(|line| line.trim_start().starts_with("WARN")), "{mode:?}: {}", outcome.log);
            if mode.sends_a_code() {
                let audit = shop.site.world.audit().await;
                let id = shop.connection(mode);
                let entry = audit.iter().find(|event| event.action == "login" && event.connection.as_ref() == Some(&id));
                let entry = entry.unwrap_or_else(|| panic!("{mode:?}: no entry"));
                assert_eq!((entry.code, &entry.details["errcode"]), (i64::from(Code::WechatDown.number()), &serde_json::Value::Null));
            }
        }
        shop.site.world.serve_wechat(TcpListener::bind(address).await.unwrap());
        for login in begun {
            shop.finish(&login).await.id();
        }
    }

    /// On the pages of this server the person reads what is the matter and what to do, and can go on in another way.
    async fn the_login_page_says_what_to_do(database) {
        let shop = shop(database).await;
        let world = &shop.site.world;
        for (index, failure) in Failure::all().enumerate() {
            let name = format!("person-{index}");
            world.person(&name);
            world.sandbox.add_fault(failure.at(ACCESS_TOKEN)).unwrap();
            let mut browser = shop.browser(Mode::Pc);
            let page = browser.begin().await;
            let text = page.text();
            let (_, rest) = text.split_once("data-connection=\"shop-pc\" href=\"").unwrap();
            let at_wechat = browser.open(&rest.split('"').next().unwrap().replace("&amp;", "&")).await;
            let refused = browser.open(&shop.agreed(&at_wechat, &name)).await;
            let code = failure.refusal(ACCESS_TOKEN).unwrap();
            let refusal = if code == Code::WechatLimit { code.retry_after(Duration::from_secs(60)) } else { Refusal::new(code) };
            let advice = refusal.for_person(Language::English);
            for said in std::iter::once(&advice.sentence).chain(&advice.actions) {
                let escaped = said.replace('\'', "&#39;").replace('"', "&#34;");
                assert!(refused.text().contains(&escaped), "{failure:?}: {said}: {}", refused.text());
            }
            assert_eq!(refused.status.as_u16(), code.status(), "{failure:?}");
            has(&refused, "account");
            assert!(refused.text().contains("data-connection=\"shop-pc\""), "{failure:?}");
            assert!(!browser.keeps("__Host-hufu"), "{failure:?}");
            world.sandbox.clear_faults();
            world.advance(LATER);
        }
    }
}
