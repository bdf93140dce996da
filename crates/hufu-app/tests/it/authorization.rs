//! Authorization codes, the sessions that they open, and consent.

use std::sync::Arc;
use std::time::Duration;

use hufu_app::authorization::{ExchangeCode, Exchanged, IssueCode, Issued, TakeOverBrowserSession};
use hufu_app::login::{Admission, BrowserBinding, Login, LoginOutcome, LoginPlan};
use hufu_app::people::status::SetStatus;
use hufu_app::tokens::{EndBrowserSession, Rotate, Rotation};
use hufu_store::Store;
use hufu_store::authorization_codes::{self, NewAuthorizationCode};
use hufu_store::browser_sessions::NewBrowserSession;
use hufu_store::consents::Consent;
use hufu_store::rates::{Hits, Quota};
use hufu_store::refresh_tokens::NewRefreshToken;
use hufu_store::sessions::{self, Beneath, GetSession, NewSession, Session};
use hufu_testkit::{on_both_engines, raw};
use hufu_types::flow::RequestedTokens;
use hufu_types::{
    ApplicationId, AuthorizationRequest, BrowserSessionId, CodeChallenge, CodeChallengeMethod, ConnectionId,
    Facts, PoolSettings, Prompt, Prompts, ResponseMode, ResponseType, ScopeSet, SessionId, SessionRules,
    SystemRandom, Timestamp, TokenAuth, UserId, UserStatus,
};
use serde_json::{Map, json};

use crate::support::{
    APP, NOW, application, hash, log_in, login, migrated, openid, other_pool, pool, seconds, trace, unit,
};

const DAY: u64 = 86_400;
const REDIRECT: &str = "https://shop.example/cb";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

type Change = fn(&mut ExchangeCode);

unit! {
    Write BeginDevice { user: UserId, new: NewSession, browser: BrowserSessionId, facts: Facts } -> (), |this, tx| {
        let claims = Map::new();
        let beneath = Beneath { browser: &this.browser, facts: &this.facts, claims: &claims, is_device: true };
        sessions::insert_beneath(tx, &pool(), &this.user, &this.new, beneath).await
    }
}
unit! { Write Sweep { now: Timestamp } -> u64, |this, tx| authorization_codes::sweep(tx, this.now).await }

fn browser(name: &str) -> BrowserSessionId {
    BrowserSessionId::parse(name).unwrap()
}

/// Somebody who logs in to a browser.
pub(crate) async fn enters(store: &Store, name: &str, who: &str) -> UserId {
    log_in(store, entering(name, who)).await.user.id
}

fn entering(name: &str, who: &str) -> Login {
    let new = NewBrowserSession {
        id: browser(name),
        cookie: hash(name),
        created_at: NOW,
        expires_at: NOW.plus(seconds(DAY)),
        ip: None,
        user_agent: None,
        granted: Hits::NONE,
    };
    let login = login(openid(APP, who), None);
    let requested = RequestedTokens::Authorization(Box::new(request()));
    let plan = LoginPlan { browser: Some(BrowserBinding::New(new)), requested, ..login.plan };
    Login { plan, ..login }
}

fn request() -> AuthorizationRequest {
    AuthorizationRequest {
        response_type: ResponseType::CODE,
        response_mode: ResponseMode::Query,
        redirect_uri: REDIRECT.to_owned(),
        scopes: ScopeSet::parse("openid profile offline_access"),
        resources: Vec::new(),
        at: NOW,
        state: None,
        nonce: Some("n".to_owned()),
        code_challenge: Some(CodeChallenge {
            method: CodeChallengeMethod::S256,
            challenge: CHALLENGE.to_owned(),
        }),
        dpop_jkt: None,
        claims: Map::new(),
        prompts: Prompts::default(),
        max_age: None,
        login_hint: None,
        expected_user: None,
        acr_values: Vec::new(),
        ui_locales: None,
        is_own: false,
        device: None,
        social: None,
        link: None,
    }
}

/// Asks for a code in this browser.
pub(crate) fn issue(name: &str, code: &str) -> IssueCode {
    let session = NewSession {
        id: SessionId::generate(NOW, &SystemRandom),
        application: application(),
        connection: ConnectionId::own(),
        created_at: NOW,
        expires_at: NOW.plus(seconds(60)),
        ip: None,
        user_agent: None,
    };
    IssueCode {
        pool: pool(),
        browser: browser(name),
        request: request(),
        code: Some(NewAuthorizationCode {
            hash: hash(code),
            application: application(),
            session: session.id.clone(),
            request: request(),
            facts: Facts::default(),
            expires_at: NOW.plus(seconds(60)),
        }),
        session,
        asks: false,
        admission: Admission::default(),
        consent: None,
        hands_user_over: false,
        is_silent: true,
        settings: Arc::new(PoolSettings::default()),
        codes: Quota { most: 100, window: seconds(60) },
        extends_to: NOW.plus(seconds(2 * DAY)),
        trace: trace(NOW),
    }
}

fn exchange(code: &str, refresh: &str) -> ExchangeCode {
    ExchangeCode {
        pool: pool(),
        application: application(),
        code: hash(code),
        redirect_uri: Some(REDIRECT.to_owned()),
        verifier: Some(VERIFIER.to_owned()),
        key: None,
        resources: Vec::new(),
        refresh: NewRefreshToken {
            hash: hash(refresh),
            scope: ScopeSet::default(),
            expires_at: NOW.plus(seconds(30 * DAY)),
            client_auth: Some(TokenAuth::Basic),
            key: None,
            resources: Vec::new(),
        },
        session_ends: NOW.plus(seconds(90 * DAY)),
        rules: SessionRules::default(),
        trace: trace(NOW.plus(seconds(1))),
    }
}

/// The session that a granted request began or went on with.
pub(crate) async fn granted(store: &Store, unit: IssueCode) -> SessionId {
    match store.write(unit).await.unwrap() {
        Issued::Done { session, .. } => session,
        other => panic!("{other:?}"),
    }
}

async fn session(store: &Store, id: &SessionId) -> Option<Session> {
    store.read(GetSession { pool: pool(), session: id.clone() }).await.unwrap()
}

on_both_engines! {
    async fn a_code_opens_its_session_once(database) {
        let store = migrated(&database).await;
        let user = enters(&store, "b1", "o1").await;
        let opened = granted(&store, issue("b1", "c1")).await;
        let before = session(&store, &opened).await.unwrap();
        assert_eq!((before.user, before.expires_at), (user, NOW.plus(seconds(60))), "it ends with the code");
        assert!(matches!(store.write(exchange("c1", "r1")).await.unwrap(), Exchanged::Done(_)));
        let after = session(&store, &opened).await.unwrap();
        assert_eq!(after.expires_at, NOW.plus(seconds(90 * DAY)));
        assert_eq!(after.facts.unwrap().auth_time(), Some(NOW));
        let texts = "SELECT COUNT(*) FROM refresh_tokens WHERE client_auth = 'client_secret_basic'";
        assert_eq!(raw::number(&database, texts).await, 1);

        // The second use ends what the first one gave.
        let again = store.write(exchange("c1", "r2")).await.unwrap();
        assert!(matches!(again, Exchanged::Ended(ended) if ended == opened));
        assert!(session(&store, &opened).await.is_none());
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM refresh_tokens").await, 0);
        let reused = "SELECT COUNT(*) FROM audit_events WHERE action = 'token.reused'";
        assert_eq!(raw::number(&database, reused).await, 1);
    }

    async fn a_login_alone_in_its_browser_answers_its_request(database) {
        let store = migrated(&database).await;
        let answering = |name: &str, who: &str, code: &str| {
            let login = entering(name, who);
            let answer = IssueCode { hands_user_over: true, ..issue(name, code) };
            Login { plan: LoginPlan { answer: Some(Box::new(answer)), ..login.plan }, ..login }
        };
        let done = log_in(&store, answering("b1", "o1", "c1")).await;
        let Some(Issued::Done { user, session: opened, facts, identities }) = done.issued else {
            panic!("{:?}", done.issued)
        };
        assert_eq!((&user.id, identities.len()), (&done.user.id, 1));
        assert_eq!(facts, done.browser.unwrap().facts);
        assert!(matches!(store.write(exchange("c1", "r1")).await.unwrap(), Exchanged::Done(_)));
        // The next request of the browser goes on with the session.
        assert_eq!(granted(&store, issue("b1", "c2")).await, opened);
        let logins = "SELECT COUNT(*) FROM audit_events WHERE action = 'login'";
        assert_eq!(raw::number(&database, logins).await, 1);

        // Who may not log in gets no answer.
        let (user, status) = (done.user.id.clone(), UserStatus::Suspended);
        store.write(SetStatus { pool: pool(), user, status, trace: trace(NOW) }).await.unwrap();
        let codes = "SELECT COUNT(*) FROM authorization_codes";
        let before = raw::number(&database, codes).await;
        let refused = store.write(answering("b2", "o1", "c3")).await.unwrap();
        assert!(matches!(refused, LoginOutcome::Disabled), "{refused:?}");
        assert_eq!(raw::number(&database, codes).await, before);
    }

    async fn of_two_who_bring_a_code_at_once_none_keeps_it(database) {
        let store = migrated(&database).await;
        enters(&store, "b1", "o1").await;
        for round in 0..20 {
            let code = format!("c{round}");
            let opened = granted(&store, issue("b1", &code)).await;
            let first = store.write(exchange(&code, &format!("x{round}")));
            let (first, second) = tokio::join!(first, store.write(exchange(&code, &format!("y{round}"))));
            let (first, second) = (first.unwrap(), second.unwrap());
            let is_done = |exchanged: &Exchanged| matches!(exchanged, Exchanged::Done(_));
            assert_eq!(usize::from(is_done(&first)) + usize::from(is_done(&second)), 1, "{round}");
            assert!(session(&store, &opened).await.is_none(), "{round}: nobody is believed");
        }
    }

    async fn only_who_asked_gets_the_tokens(database) {
        let store = migrated(&database).await;
        enters(&store, "b1", "o1").await;
        let wrong: [(&str, Change, bool); 6] = [
            ("another application", |e| e.application = ApplicationId::parse("other").unwrap(), false),
            ("another pool", |e| e.pool = other_pool(), false),
            ("no verifier", |e| e.verifier = None, true),
            ("another verifier", |e| e.verifier = Some("a".repeat(43)), true),
            ("the challenge as verifier", |e| e.verifier = Some(CHALLENGE.to_owned()), true),
            ("another redirect URI", |e| e.redirect_uri = Some(format!("{REDIRECT}/")), true),
        ];
        for (number, (what, change, is_spent)) in wrong.into_iter().enumerate() {
            let code = format!("c{number}");
            let opened = granted(&store, issue("b1", &code)).await;
            let mut stolen = exchange(&code, &format!("s{number}"));
            change(&mut stolen);
            assert!(!matches!(store.write(stolen).await.unwrap(), Exchanged::Done(_)), "{what}");
            let own = store.write(exchange(&code, &format!("r{number}"))).await.unwrap();
            assert_eq!(matches!(own, Exchanged::Done(_)), !is_spent, "{what}");
            assert!(session(&store, &opened).await.is_some(), "{what}: what else it holds is not its fault");
        }
        // A verifier where the request had no challenge: somebody took it out.
        let mut plain = issue("b1", "plain");
        plain.code.as_mut().unwrap().request.code_challenge = None;
        granted(&store, plain).await;
        assert!(matches!(store.write(exchange("plain", "r9")).await.unwrap(), Exchanged::Unknown));
    }

    async fn a_late_code_is_worth_nothing(database) {
        let store = migrated(&database).await;
        enters(&store, "b1", "o1").await;
        granted(&store, issue("b1", "c1")).await;
        let late = |after: u64| ExchangeCode { trace: trace(NOW.plus(seconds(after))), ..exchange("c1", "r1") };
        assert!(matches!(store.write(late(60)).await.unwrap(), Exchanged::Unknown));
        assert!(matches!(store.write(exchange("never", "r1")).await.unwrap(), Exchanged::Unknown));
        assert_eq!(store.write(Sweep { now: NOW.plus(seconds(60)) }).await.unwrap(), 0);
        assert_eq!(store.write(Sweep { now: NOW.plus(seconds(61)) }).await.unwrap(), 1);
    }

    async fn what_ends_the_login_ends_the_code(database) {
        let store = migrated(&database).await;
        let user = enters(&store, "b1", "o1").await;
        granted(&store, issue("b1", "c1")).await;
        let (pool, account) = (pool(), user.clone());
        let end = EndBrowserSession { pool: pool.clone(), id: browser("b1"), account, trace: trace(NOW) };
        let ended = store.write(end).await.unwrap();
        assert_eq!(ended.len(), 1);
        assert!(matches!(store.write(exchange("c1", "r1")).await.unwrap(), Exchanged::Unknown));
        assert!(matches!(store.write(issue("b1", "c2")).await.unwrap(), Issued::NeedsLogin));

        enters(&store, "b2", "o1").await;
        granted(&store, issue("b2", "c3")).await;
        let off = SetStatus { pool, user, status: UserStatus::Suspended, trace: trace(NOW) };
        store.write(off).await.unwrap();
        assert!(matches!(store.write(exchange("c3", "r3")).await.unwrap(), Exchanged::Unknown));
        assert!(matches!(store.write(issue("b2", "c4")).await.unwrap(), Issued::NeedsLogin));
    }

    async fn a_browser_session_ends_by_the_pools_rules(database) {
        let store = migrated(&database).await;
        enters(&store, "b1", "o1").await;
        let idle = SessionRules { idle: Duration::from_secs(3600), ..SessionRules::default() };
        let settings = Arc::new(PoolSettings { session: idle, ..PoolSettings::default() });
        let at = |after: u64| IssueCode {
            settings: settings.clone(),
            trace: trace(NOW.plus(seconds(after))),
            ..issue("b1", &format!("c{after}"))
        };
        assert!(matches!(store.write(at(3599)).await.unwrap(), Issued::Done { .. }), "and it is used now");
        assert!(matches!(store.write(at(7000)).await.unwrap(), Issued::Done { .. }));
        assert!(matches!(store.write(at(10_600)).await.unwrap(), Issued::NeedsLogin));
    }

    async fn an_application_has_one_session_in_a_browser(database) {
        let store = migrated(&database).await;
        enters(&store, "b1", "o1").await;
        enters(&store, "b2", "o1").await;
        let first = granted(&store, issue("b1", "c1")).await;
        let asks = json!({ "userinfo": { "email": null } });
        let mut second = issue("b1", "c2");
        second.request.claims = asks.as_object().unwrap().clone();
        assert_eq!(granted(&store, second).await, first);
        assert_eq!(session(&store, &first).await.unwrap().claims, *asks.as_object().unwrap());
        let elsewhere = granted(&store, issue("b2", "c3")).await;
        assert_ne!(elsewhere, first);
        let silent = "SELECT COUNT(*) FROM audit_events WHERE details LIKE '%browser-session%'";
        assert_eq!(raw::number(&database, silent).await, 2, "each session that began");
    }

    /// It is somewhere else, and perhaps somebody else's.
    async fn a_browser_does_not_go_on_with_the_session_of_a_device(database) {
        let store = migrated(&database).await;
        let user = enters(&store, "b1", "o1").await;
        let device = issue("b1", "c0").session;
        let (browser_session, facts) = (browser("b1"), Facts::default());
        store.write(BeginDevice { user, new: device.clone(), browser: browser_session, facts }).await.unwrap();
        let opened = granted(&store, issue("b1", "c1")).await;
        assert_ne!(opened, device.id);
        let kept = session(&store, &device.id).await.unwrap();
        assert!(kept.is_device && kept.facts == Some(Facts::default()));
        assert!(!session(&store, &opened).await.unwrap().is_device);
        // A logout ends both.
        let (pool, account) = (pool(), kept.account);
        let end = EndBrowserSession { pool, id: browser("b1"), account, trace: trace(NOW) };
        assert_eq!(store.write(end).await.unwrap().len(), 2);
    }

    async fn a_browser_is_granted_so_many_requests_in_a_while(database) {
        let store = migrated(&database).await;
        enters(&store, "b1", "o1").await;
        let few = |number: u32| {
            IssueCode { codes: Quota { most: 3, window: seconds(60) }, ..issue("b1", &format!("f{number}")) }
        };
        for number in 0..3 {
            assert!(matches!(store.write(few(number)).await.unwrap(), Issued::Done { .. }));
        }
        assert!(matches!(store.write(few(3)).await.unwrap(), Issued::TooOften));
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM authorization_codes").await, 3);
        enters(&store, "b2", "o1").await;
        granted(&store, issue("b2", "other")).await;
        let later = IssueCode { trace: trace(NOW.plus(seconds(60))), ..few(4) };
        assert!(matches!(store.write(later).await.unwrap(), Issued::Done { .. }), "the next window");
    }

    async fn a_later_login_takes_over_what_is_beneath_an_earlier_one(database) {
        let store = migrated(&database).await;
        enters(&store, "b1", "o1").await;
        let opened = granted(&store, issue("b1", "c1")).await;
        enters(&store, "b2", "o1").await;
        enters(&store, "b3", "o2").await;
        let take = |from: &str, to: &str| TakeOverBrowserSession { pool: pool(), from: browser(from), to: browser(to) };
        assert!(!store.write(take("b1", "b3")).await.unwrap(), "another person's");
        assert!(store.write(take("b1", "b2")).await.unwrap());
        assert!(!store.write(take("b1", "b2")).await.unwrap(), "it is over");
        assert!(session(&store, &opened).await.is_some());
        let mut later = issue("b2", "c2");
        later.request.nonce = None;
        assert_eq!(granted(&store, later).await, opened, "it goes on");
        let beneath = "SELECT COUNT(*) FROM sessions WHERE browser_session_id = 'b2'";
        assert_eq!(raw::number(&database, beneath).await, 1);
    }

    async fn consent_is_asked_until_it_covers_the_request(database) {
        let store = migrated(&database).await;
        enters(&store, "b1", "o1").await;
        let wants = |scopes: &str, claims: &[&str]| Consent {
            scopes: ScopeSet::parse(scopes),
            claims: claims.iter().map(|claim| (*claim).to_owned()).collect(),
            resources: Vec::new(),
        };
        let number = std::sync::atomic::AtomicU32::new(0);
        let asks = |consent: Consent, agreed: bool| {
            let code = format!("c{}", number.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            IssueCode { asks: !agreed, consent: Some(consent), ..issue("b1", &code) }
        };
        let is_asked = async |consent: Consent| {
            matches!(store.write(asks(consent, false)).await.unwrap(), Issued::NeedsConsent)
        };
        assert!(is_asked(wants("openid profile", &[])).await);
        granted(&store, asks(wants("openid profile", &["email"]), true)).await;
        assert!(!is_asked(wants("openid profile", &[])).await && !is_asked(wants("openid", &["email"])).await);
        assert!(is_asked(wants("openid phone", &[])).await, "another scope");
        assert!(is_asked(wants("openid", &["phone_number"])).await, "another claim");
        granted(&store, asks(wants("openid phone", &[]), true)).await;
        assert!(!is_asked(wants("openid profile phone", &["email"])).await, "they add up");
        let insists = AuthorizationRequest { prompts: Prompts::default().with(Prompt::Consent), ..request() };
        let again = IssueCode { request: insists, ..asks(wants("openid", &[]), false) };
        assert!(matches!(store.write(again).await.unwrap(), Issued::NeedsConsent), "the request insists");
        // Somebody else is asked for themselves.
        enters(&store, "b2", "o2").await;
        let other = IssueCode { browser: browser("b2"), ..asks(wants("openid", &[]), false) };
        assert!(matches!(store.write(other).await.unwrap(), Issued::NeedsConsent));
    }

    async fn a_refresh_token_demands_the_authentication_of_its_client(database) {
        let store = migrated(&database).await;
        enters(&store, "b1", "o1").await;
        granted(&store, issue("b1", "c1")).await;
        assert!(matches!(store.write(exchange("c1", "r1")).await.unwrap(), Exchanged::Done(_)));
        let rotate = |client_auth: Option<TokenAuth>, presented: &str, successor: &str| Rotate {
            pool: pool(),
            application: application(),
            client_auth,
            key: None,
            presented: hash(presented),
            resources: Vec::new(),
            successor: hash(successor),
            expires_at: NOW.plus(seconds(DAY)),
            grace: seconds(30),
            rules: SessionRules::default(),
            admission: Admission::default(),
            trace: trace(NOW.plus(seconds(2))),
        };
        for wrong in [None, Some(TokenAuth::None), Some(TokenAuth::Post)] {
            assert!(matches!(store.write(rotate(wrong, "r1", "r2")).await.unwrap(), Rotation::Unknown), "{wrong:?}");
        }
        let right = Some(TokenAuth::Basic);
        assert!(matches!(store.write(rotate(right, "r1", "r2")).await.unwrap(), Rotation::Rotated { .. }));
        assert!(matches!(store.write(rotate(None, "r2", "r3")).await.unwrap(), Rotation::Unknown));
        assert!(matches!(store.write(rotate(right, "r2", "r3")).await.unwrap(), Rotation::Rotated { .. }));
    }
}
