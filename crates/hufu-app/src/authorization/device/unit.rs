//! The units of work of a device's login: its codes are stored, found, answered and exchanged.

use std::sync::Arc;
use std::time::Duration;

use hufu_store::consents::{self, Consent};
use hufu_store::device_codes::{self, DeviceStatus, FoundDevice, NewDeviceCode, PendingDevice};
use hufu_store::rates::Limit;
use hufu_store::refresh_tokens::{self, NewRefreshToken};
use hufu_store::sessions::{self, Beneath, NewSession};
use hufu_store::{Read, StoreError, Tx, Write, browser_sessions};
use hufu_types::refusal::Code;
use hufu_types::{
    Action, ApplicationId, BrowserSessionId, Facts, PoolId, PoolSettings, Scope, ScopeSet, SessionId,
    Timestamp, TokenHash, User, UserId,
};
use serde_json::{Map, json};

use crate::authorization::issue::{agree, logged_in};
use crate::authorization::resources::are_granted;
use crate::events::{Event, Trace};
use crate::login::Admission;

/// How many seconds longer it waits each time that it asked too often (RFC 8628 section 3.5).
const SLOWER_BY: i64 = 5;

/// Stores the codes of a device.
pub struct StartDevice {
    /// The pool.
    pub pool: PoolId,
    /// The code, each time with another user code.
    pub codes: Vec<NewDeviceCode>,
    /// The bucket of the network.
    pub guard: Option<Limit>,
    /// The current time.
    pub now: Timestamp,
}

/// The outcome of [`StartDevice`].
#[derive(Debug)]
pub enum Started {
    /// The code at this place was stored.
    At(usize),
    /// Too many come from this network.
    TooOften,
    /// All user codes are taken.
    NoneFree,
}

impl Write for StartDevice {
    type Out = Started;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Started, StoreError> {
        if let Some(guard) = &self.guard
            && guard.take(tx, self.now).await?.is_none()
        {
            return Ok(Started::TooOften);
        }
        for (place, code) in self.codes.iter().enumerate() {
            if device_codes::insert(tx, &self.pool, code).await? {
                return Ok(Started::At(place));
            }
        }
        Ok(Started::NoneFree)
    }
}

/// Finds the device of a user code, and counts the try.
pub struct FindDevice {
    /// The keyed hash of the user code.
    pub user_code: TokenHash,
    /// The bucket of the network for wrong ones.
    pub guard: Option<Limit>,
    /// The current time.
    pub now: Timestamp,
}

/// The outcome of [`FindDevice`].
#[derive(Debug)]
pub enum Found {
    /// The device waits for an answer.
    Device(FoundDevice),
    /// No device waits under this code.
    Nothing,
    /// It was not looked at: too many wrong ones came from this network.
    TooOften,
}

impl Write for FindDevice {
    type Out = Found;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Found, StoreError> {
        if let Some(guard) = &self.guard
            && guard.take(tx, self.now).await?.is_none()
        {
            return Ok(Found::TooOften);
        }
        let Some(found) = device_codes::find(tx, &self.user_code, self.now).await? else {
            return Ok(Found::Nothing);
        };
        if let Some(guard) = &self.guard {
            guard.take_back(tx, self.now).await?;
        }
        Ok(Found::Device(found))
    }
}

/// Reads what a device that waits asks for.
pub(super) struct ReadDevice {
    pub(super) pool: PoolId,
    pub(super) user_code: TokenHash,
    pub(super) application: ApplicationId,
    pub(super) now: Timestamp,
}

impl Read for ReadDevice {
    type Out = Option<PendingDevice>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        device_codes::get_pending(tx, &self.pool, &self.user_code, &self.application, self.now).await
    }
}

/// Stores what a person answers to a device.
pub struct AnswerDevice {
    /// The pool.
    pub pool: PoolId,
    /// The keyed hash of the user code.
    pub user_code: TokenHash,
    /// The application.
    pub application: ApplicationId,
    /// Who approves it. Nothing denies it.
    pub approval: Option<Approval>,
    /// The account that denies it, if the browser has it.
    pub denied_by: Option<UserId>,
    /// Where the answer comes from, and when.
    pub trace: Trace,
}

/// Who approves the login of a device.
pub struct Approval {
    /// Their browser session.
    pub browser: BrowserSessionId,
    /// Whether the application asks for consent, so that what they let it have is stored.
    pub stores_consent: bool,
    /// The pool's settings.
    pub settings: Arc<PoolSettings>,
    /// Whom the application lets log in.
    pub admission: Admission,
    /// Until when the browser session lives if it is not used again.
    pub extends_to: Timestamp,
}

/// The outcome of [`AnswerDevice`].
#[derive(Debug)]
pub enum DeviceAnswered {
    /// The answer is stored.
    Done,
    /// The browser session has ended, or its account has something to be through with.
    NeedsLogin,
    /// The application lets only those log in whom it lists, and does not list the account.
    NotListed,
    /// The device does not wait any more.
    Gone,
}

impl Write for AnswerDevice {
    type Out = DeviceAnswered;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<DeviceAnswered, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let asked = device_codes::get_pending(tx, pool, &self.user_code, &self.application, now).await?;
        let Some(asked) = asked else { return Ok(DeviceAnswered::Gone) };
        let scopes = asked.scopes.to_string();
        let mut by = self.denied_by.clone();
        if let Some(Approval { browser, stores_consent, settings, admission, extends_to }) = &self.approval {
            let found = logged_in(tx, pool, browser, settings, now).await?;
            let Some((session, account)) = found else { return Ok(DeviceAnswered::NeedsLogin) };
            if !admission.admits(tx, pool, &account.id).await? {
                let code = Code::NotListed.number();
                let event = Event { code, ..Event::of(Action::DeviceApproved, &account.id) };
                self.trace.recorder().record(tx, pool, event).await?;
                return Ok(DeviceAnswered::NotListed);
            }
            let extends_to = (*extends_to).min(settings.session.latest_end(session.created_at));
            browser_sessions::extend(tx, pool, browser, now, extends_to).await?;
            if *stores_consent {
                let before = consents::get(tx, pool, &account.id, &self.application).await?;
                let PendingDevice { scopes, resources, .. } = asked;
                let wanted = Consent { scopes, claims: Vec::new(), resources };
                let before = before.unwrap_or_default();
                agree(tx, pool, &account.id, &self.application, &wanted, before, now).await?;
            }
            by = Some(account.id);
        }
        let browser = self.approval.as_ref().map(|approval| &approval.browser);
        let is_first =
            device_codes::decide(tx, pool, &self.user_code, &self.application, browser, now).await?;
        if !is_first {
            return Ok(DeviceAnswered::Gone);
        }
        let action = if browser.is_some() { Action::DeviceApproved } else { Action::DeviceDenied };
        let event = Event { action, code: 0, user: by.as_ref(), details: json!({ "scopes": scopes }) };
        self.trace.recorder().record(tx, pool, event).await?;
        Ok(DeviceAnswered::Done)
    }
}

/// Exchanges a device code.
pub struct ExchangeDeviceCode {
    /// The pool.
    pub pool: PoolId,
    /// The hash of the code.
    pub code: TokenHash,
    /// The resources of the token request.
    pub resources: Vec<String>,
    /// The session that begins, of the application that presents the code.
    pub session: NewSession,
    /// The refresh token, if one is issued. The unit fills in the scope and the resources.
    pub refresh: NewRefreshToken,
    /// The pool's settings.
    pub settings: Arc<PoolSettings>,
    /// Whom the application lets log in.
    pub admission: Admission,
    /// Where the request comes from, and when.
    pub trace: Trace,
}

/// The outcome of [`ExchangeDeviceCode`].
#[derive(Debug)]
pub enum DeviceExchanged {
    /// The session has begun.
    Done(Box<OpenedByDevice>),
    /// Nobody has answered yet.
    Pending,
    /// Nobody has answered yet, and the device asks too often.
    TooFast,
    /// The person denied it, or the application does not list them any more.
    Denied,
    /// The code has expired, or the login of whoever approved it has ended.
    Expired,
    /// The request names a resource that was not granted. The code can still be used.
    NotGranted,
    /// There is no such code for this application, or it was used.
    Unknown,
}

/// What a device code opened.
#[derive(Debug)]
pub struct OpenedByDevice {
    pub(super) session: SessionId,
    /// The account, with the id that the tokens name.
    pub(super) user: User,
    pub(super) facts: Facts,
    pub(super) scopes: ScopeSet,
    /// The resources that were granted.
    pub(super) resources: Vec<String>,
    pub(super) auth_time: Timestamp,
    /// Whether a refresh token was issued.
    pub(super) renews: bool,
}

impl Write for ExchangeDeviceCode {
    type Out = DeviceExchanged;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<DeviceExchanged, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        // Of two that bring the same code, the second waits here, and sees that it was used.
        let found = device_codes::get_locked(tx, pool, &self.code).await?;
        // A code of another application is neither spent nor slowed down.
        let Some(code) = found.filter(|code| code.application == self.session.application) else {
            return Ok(DeviceExchanged::Unknown);
        };
        match (code.status, code.browser) {
            (DeviceStatus::Used, _) => Ok(DeviceExchanged::Unknown),
            _ if code.expires_at <= now => Ok(DeviceExchanged::Expired),
            (DeviceStatus::Denied, _) | (DeviceStatus::Approved, None) => Ok(DeviceExchanged::Denied),
            (DeviceStatus::Approved, Some(_)) if !are_granted(&self.resources, &code.resources) => {
                Ok(DeviceExchanged::NotGranted)
            }
            (DeviceStatus::Approved, Some(browser)) => {
                self.open(tx, &browser, code.scopes, code.resources).await
            }
            (DeviceStatus::Pending, _) => {
                let wait = Duration::from_secs(u64::try_from(code.interval).unwrap_or_default());
                let is_early = code.polled_at.is_some_and(|last| last.plus(wait) > now);
                let interval = if is_early { code.interval.saturating_add(SLOWER_BY) } else { code.interval };
                device_codes::record_poll(tx, pool, &self.code, now, interval).await?;
                Ok(if is_early { DeviceExchanged::TooFast } else { DeviceExchanged::Pending })
            }
        }
    }
}

impl ExchangeDeviceCode {
    async fn open(
        &self,
        tx: &mut Tx<'_>,
        id: &BrowserSessionId,
        scopes: ScopeSet,
        resources: Vec<String>,
    ) -> Result<DeviceExchanged, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let Some((browser, account)) = logged_in(tx, pool, id, &self.settings, now).await? else {
            return Ok(DeviceExchanged::Expired);
        };
        if !self.admission.admits(tx, pool, &account.id).await? {
            return Ok(DeviceExchanged::Denied);
        }
        device_codes::mark_used(tx, pool, &self.code).await?;
        let auth_time = browser.facts.auth_time().unwrap_or(browser.created_at);
        let latest = self.settings.session.latest_end(auth_time);
        let session = NewSession { expires_at: self.session.expires_at.min(latest), ..self.session.clone() };
        let claims = Map::new();
        let beneath = Beneath { browser: id, facts: &browser.facts, claims: &claims, is_device: true };
        sessions::insert_beneath(tx, pool, &browser.user, &session, beneath).await?;
        let renews = scopes.has(Scope::OfflineAccess);
        if renews {
            let expires_at = self.refresh.expires_at.min(latest);
            let (scope, resources) = (scopes.clone(), resources.clone());
            let refresh = NewRefreshToken { scope, expires_at, resources, ..self.refresh.clone() };
            refresh_tokens::insert(tx, pool, &session.id, &session.application, &refresh, now).await?;
        }
        let details = json!({ "by": "device", "session": session.id.as_str() });
        let event = Event::of(Action::Login, &account.id).with(details);
        self.trace.recorder().record(tx, pool, event).await?;
        Ok(DeviceExchanged::Done(Box::new(OpenedByDevice {
            session: session.id,
            user: User { id: browser.user, ..account },
            facts: browser.facts,
            scopes,
            resources,
            auth_time,
            renews,
        })))
    }
}
