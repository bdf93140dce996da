//! An instance with an outbox and a manual clock.

use std::sync::Arc;
use std::time::Duration;

use hufu_app::apply::Options;
use hufu_app::authorization::Presented;
use hufu_app::connect::Outbox;
use hufu_app::{
    AccountName, App, ApplicationHint, Authenticated, Limits, LoginDone, Origin, Parts, Refusal,
    Registration, Target,
};
use hufu_testkit::{Base, TestDatabase};
use hufu_types::refusal::Code;
use hufu_types::{
    Application, Language, PasscodePurpose, Scope, TestClock, TestRandom, Timestamp, User, Username,
};

use super::{PASSWORD, Purpose, RequestedTokens, phone, sms};

const APPLICATION: &str = "6560c0ffee00000000000002";
const FILE: &str = r#"
[[user_pool]]
id = "6560c0ffee00000000000001"
name = "Shop"
  [user_pool.settings]
SETTINGS
  [[user_pool.application]]
  id = "6560c0ffee00000000000002"
  name = "Shop"
  type = "mini-program"
  default = true
"#;

pub(super) struct World {
    pub(super) app: Arc<App>,
    pub(super) outbox: Outbox,
    pub(super) clock: Arc<TestClock>,
    pub(super) origin: Origin,
    _database: TestDatabase,
}

impl World {
    pub(super) async fn new(database: TestDatabase) -> Self {
        Self::with(database, true, "", Limits::default()).await
    }

    /// A pool with these settings.
    pub(super) async fn with_settings(database: TestDatabase, settings: &str) -> Self {
        Self::with(database, true, settings, Limits::default()).await
    }

    pub(super) async fn with_limits(database: TestDatabase, change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        Self::with(database, true, "", limits).await
    }

    pub(super) async fn without_outbox(database: TestDatabase) -> Self {
        Self::with(database, false, "", Limits::default()).await
    }

    async fn with(database: TestDatabase, has_outbox: bool, settings: &str, limits: Limits) -> Self {
        let base = Base::new(database, Timestamp(1_700_000_100_000), TestRandom::new(1)).await;
        let options = Options { prune: false, new_apps: false, dry_run: false };
        base.apply(&FILE.replace("SETTINGS", settings), options).await;
        let outbox = Outbox::new(base.clock.clone());
        let parts = Parts { limits, outbox: has_outbox.then(|| outbox.clone()), ..base.parts() };
        let origin = Origin { ip: Some("203.0.113.9".to_owned()), ..Origin::default() };
        let Base { database, clock, .. } = base;
        Self { app: App::start(parts).await.unwrap(), outbox, clock, origin, _database: database }
    }

    /// From now on, requests come from this IP address.
    pub(super) fn from(&mut self, ip: &str) {
        self.origin.ip = Some(ip.to_owned());
    }

    pub(super) fn application(&self) -> Arc<Application> {
        self.app.config().application(APPLICATION).unwrap().clone()
    }

    pub(super) async fn send(&self, to: Target, purpose: PasscodePurpose) -> Result<(), Refusal> {
        let language = Language::English;
        self.app.send_code(&self.application(), to, purpose, language, &self.origin).await
    }

    /// Requests a code after the minimum interval, and returns it.
    pub(super) async fn code(&self, to: Target, purpose: PasscodePurpose) -> String {
        self.clock.advance(Duration::from_secs(60));
        let target = to.as_str().to_owned();
        self.send(to, purpose).await.unwrap();
        self.app.run_due_jobs().await;
        let newest = self.outbox.list().into_iter().find(|message| message.to == target).unwrap();
        newest.code.unwrap()
    }

    pub(super) async fn log_in_by_code(
        &self,
        to: Target,
        code: &str,
        create: bool,
    ) -> Result<LoginDone, Refusal> {
        let app = &self.app;
        let answer = app
            .log_in_by_code(
                &self.application(),
                to,
                code,
                create,
                RequestedTokens::UserToken.into(),
                &self.origin,
            )
            .await?;
        Ok(answer.done().unwrap())
    }

    pub(super) async fn log_in(&self, account: AccountName, password: &str) -> Result<LoginDone, Refusal> {
        self.log_in_from(&self.origin, account, password).await
    }

    pub(super) async fn log_in_from(
        &self,
        origin: &Origin,
        account: AccountName,
        password: &str,
    ) -> Result<LoginDone, Refusal> {
        let (application, requested) = (self.application(), RequestedTokens::UserToken.into());
        let login = self.app.log_in_by_password(&application, account, password.into(), requested, origin);
        Ok(login.await?.done().unwrap())
    }

    pub(super) async fn try_register(
        &self,
        registration: Registration,
    ) -> Result<(User, Option<LoginDone>), Refusal> {
        let (user, answer) = self
            .app
            .register(&self.application(), registration, Some(RequestedTokens::UserToken), &self.origin)
            .await?;
        Ok((user, answer.map(|answer| answer.done().unwrap())))
    }

    /// Registers a user with this name. Returns the token.
    pub(super) async fn register(&self, name: &str) -> String {
        let registration = Registration {
            username: Some(Username::parse(name).unwrap()),
            password: Some(PASSWORD.into()),
            ..Registration::default()
        };
        token(self.try_register(registration).await)
    }

    /// Registers a user with this phone number. Returns the token.
    pub(super) async fn user_of_phone(&self, number: u32) -> String {
        let code = self.code(sms(number), Purpose::Register).await;
        self.clock.advance(Duration::from_secs(60));
        let registration = Registration {
            phone: Some(phone(number)),
            code: Some(code),
            password: Some(PASSWORD.into()),
            ..Registration::default()
        };
        token(self.try_register(registration).await)
    }

    /// Tries wrong passwords until the account is locked, also for a network from which its owner logged in.
    pub(super) async fn lock(&self, account: &AccountName) {
        for _ in 0..20 {
            self.log_in(account.clone(), "wrong").await.unwrap_err();
        }
        assert!(
            matches!(self.log_in(account.clone(), PASSWORD).await, Err(ref refusal) if refusal.is(Code::Locked))
        );
        // The IP address's count expires sooner than the account's.
        self.clock.advance(Duration::from_secs(5 * 60));
    }

    pub(super) async fn who(&self, token: &str) -> Result<Authenticated, Refusal> {
        let named = ApplicationHint::default();
        self.app
            .authenticate(Some(Presented::Bearer(token)), named, self.origin.clone(), Scope::Profile.into())
            .await
    }
}

fn token(registered: Result<(User, Option<LoginDone>), Refusal>) -> String {
    registered.unwrap().1.unwrap().user_token().unwrap().token.clone()
}
