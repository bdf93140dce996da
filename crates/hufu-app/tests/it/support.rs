//! Support for tests of units of work: the parts of a login.

use std::sync::Arc;

use hufu_app::events::Trace;
use hufu_app::login::{
    AccountResolver, Admission, CodeResults, CustomDataPatch, LoggedIn, Login, LoginOutcome, LoginPlan,
};
use hufu_app::people::ways_in::RecentLogin;
use hufu_store::Store;
use hufu_store::flows::NewFlow;
use hufu_store::refresh_tokens::NewRefreshToken;
use hufu_store::sessions::NewSession;
use hufu_types::flow::RequestedTokens;
use hufu_types::resolution::{PhoneUse, Rules};
use hufu_types::{
    Association, ConnectionKind, EventId, Facts, FlowId, IdentityKey, Method, Phone, PhoneProof, PoolId,
    PoolSettings, Proof, ScopeSet, SessionId, SystemRandom, Timestamp, TokenHash, UserId,
};

pub(crate) use hufu_testkit::store::{
    APP, Held, NOW, OTHER_APP, application, connection, hash, migrated, open, openid, other_pool, phone,
    pool, random_hash, seconds, unionid,
};
pub(crate) use hufu_testkit::unit;

/// A trace at this time, without an actor and without subscribers.
pub(crate) fn trace(now: Timestamp) -> Trace {
    Trace {
        actor: None,
        application: Some(application()),
        connection: Some(connection()),
        ip: Some("203.0.113.9".to_owned()),
        user_agent: Some("a test".to_owned()),
        request_id: None,
        at: now,
        first: EventId::generate(now, &SystemRandom),
        subscribers: Arc::default(),
    }
}

/// The plan of a login at this time.
pub(crate) fn plan(now: Timestamp) -> LoginPlan {
    LoginPlan {
        answer: None,
        passed: Vec::new(),
        session: NewSession {
            id: SessionId::generate(now, &SystemRandom),
            application: application(),
            connection: connection(),
            created_at: now,
            expires_at: now.plus(seconds(90 * 86_400)),
            ip: Some("203.0.113.9".to_owned()),
            user_agent: Some("a test".to_owned()),
        },
        refresh_token: None,
        settings: Arc::new(PoolSettings::default()),
        flow: NewFlow {
            id: FlowId::generate(now, &SystemRandom),
            handle: random_hash(),
            cookie: None,
            proof: b"sealed".to_vec(),
            expires_at: now.plus(seconds(600)),
        },
        requested: RequestedTokens::UserToken,
        method: "wechat:miniprogram:default",
        facts: Facts::of(Method::Source(ConnectionKind::WechatMiniProgram), now),
        patch: CustomDataPatch::default(),
        browser: None,
        admission: Admission::default(),
        trace: trace(now),
    }
}

/// A proof of these ids only.
pub(crate) fn arrival(openid: IdentityKey, unionid: Option<IdentityKey>) -> Proof {
    Proof { shared: unionid, ..Proof::of(openid) }
}

/// A login with these ids to the first pool, at [`NOW`].
pub(crate) fn login(openid: IdentityKey, unionid: Option<IdentityKey>) -> Login {
    Login {
        resolver: AccountResolver {
            pool: pool(),
            proof: arrival(openid, unionid),
            rules: Rules { registration: true, ..Rules::default() },
        },
        candidate: UserId::generate(NOW, &SystemRandom),
        register_source: "wechat:miniprogram:default".to_owned(),
        plan: plan(NOW),
        before: CodeResults::default(),
        exchange: None,
    }
}

/// Proof of a login at this moment.
pub(crate) fn recent() -> RecentLogin {
    RecentLogin::of(NOW, NOW, std::time::Duration::ZERO).unwrap()
}

/// Small changes to a login, to chain in a test.
pub(crate) trait Variant {
    fn with_phone(self, phone: Phone, phone_use: PhoneUse) -> Self;
    fn into_pool(self, pool: PoolId) -> Self;
    fn login_only(self) -> Self;
    fn associating(self, association: Association) -> Self;
    fn at(self, now: Timestamp) -> Self;
    fn with_refresh_token(self, hash: TokenHash) -> Self;
}

impl Variant for Login {
    fn with_phone(mut self, phone: Phone, phone_use: PhoneUse) -> Self {
        self.resolver.proof.phone = Some((phone, PhoneProof::Wechat));
        self.resolver.rules.phone_use = phone_use;
        self
    }

    fn into_pool(mut self, pool: PoolId) -> Self {
        self.resolver.pool = pool;
        self
    }

    fn login_only(mut self) -> Self {
        self.resolver.rules.login_only = true;
        self
    }

    fn associating(mut self, association: Association) -> Self {
        self.resolver.rules.association = association;
        self
    }

    fn at(mut self, now: Timestamp) -> Self {
        self.plan = LoginPlan { refresh_token: self.plan.refresh_token, ..plan(now) };
        self
    }

    fn with_refresh_token(mut self, hash: TokenHash) -> Self {
        let scope = ScopeSet::parse("openid offline_access");
        let expires_at = self.plan.trace.at.plus(seconds(30 * 86_400));
        let (client_auth, key, resources) = (None, None, Vec::new());
        self.plan.refresh_token =
            Some(NewRefreshToken { hash, scope, expires_at, client_auth, key, resources });
        self
    }
}

/// Writes a login that is expected to succeed.
pub(crate) async fn log_in(store: &Store, login: Login) -> LoggedIn {
    match store.write(login).await.unwrap() {
        LoginOutcome::LoggedIn(logged_in) => *logged_in,
        refused => panic!("not logged in: {refused:?}"),
    }
}
