//! The login of a device without a browser (RFC 8628): it shows a short code, a person types that on another device, logs
//! in there and says whether the first one may log in as them; the first one keeps asking until then.
//!
//! The session begins when the device gets its tokens, beneath the browser session in which it was approved.

use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use hufu_store::consents::{self, Consent};
use hufu_store::device_codes::{self, DeviceStatus, FoundDevice, NewDeviceCode};
use hufu_store::rates::{self, Limit};
use hufu_store::refresh_tokens::{self, NewRefreshToken};
use hufu_store::sessions::{self, Beneath, NewSession};
use hufu_store::{Read, StoreError, Tx, Write, browser_sessions};
use hufu_types::refusal::Code;
use hufu_types::{
    Action, Application, ApplicationId, AuthorizationRequest, BrowserSessionId, ConnectionId, Facts, Grant,
    OpaqueToken, PoolId, PoolSettings, Random, Scope, ScopeSet, SessionId, Timestamp, TokenAuth, TokenHash,
    TokenPurpose, User,
};
use serde_json::{Map, json};

use super::browser::Browser;
use super::decision::{Given, Need, decide};
use super::issue::{agree, logged_in};
use super::request::OpenRequest;
use crate::address::network_of;
use crate::digest::hash_token;
use crate::events::{Event, Trace};
use crate::tokens::{IdTokenParts, Issue};
use crate::{App, Origin, Refusal, TokenSet};

/// How many seconds a device waits between two questions, unless it asked too often.
const INTERVAL: i64 = 5;
/// How many seconds longer it waits each time that it asked too often (RFC 8628 section 3.5).
const SLOWER_BY: i64 = 5;
/// How many user codes are tried until one is free. There are 25,600,000,000.
const CANDIDATES: usize = 4;

/// The code that a person types: eight letters without vowels, so that they spell nothing (RFC 8628 section 6.1).
struct UserCode(String);

impl UserCode {
    const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    const LENGTH: usize = 8;

    fn generate(random: &dyn Random) -> Self {
        let mut text = String::with_capacity(Self::LENGTH);
        while text.len() < Self::LENGTH {
            let mut byte = [0];
            random.fill(&mut byte);
            let [byte] = byte;
            // The largest multiple of 20 below 256, so that every letter is as likely.
            if let Some(letter) = Self::LETTERS.get(usize::from(byte) % 20).filter(|_| byte < 240) {
                text.push(char::from(*letter));
            }
        }
        Self(text)
    }

    /// Reads what a person typed: capitals, spaces and dashes do not matter, and letters of full width are letters.
    fn read(typed: &str) -> Option<Self> {
        let mut text = String::with_capacity(Self::LENGTH);
        for letter in typed.chars().map(narrow).filter(|c| c.is_alphanumeric()) {
            let letter = letter.to_ascii_uppercase();
            if text.len() == Self::LENGTH || !Self::LETTERS.iter().any(|known| char::from(*known) == letter) {
                return None;
            }
            text.push(letter);
        }
        (text.len() == Self::LENGTH).then_some(Self(text))
    }

    /// As the device shows it: `BCDF-GHJK`.
    fn shown(&self) -> String {
        let (first, second) = self.0.split_at_checked(Self::LENGTH / 2).unwrap_or((&self.0, ""));
        format!("{first}-{second}")
    }
}

/// A letter of full width, as Chinese and Japanese keyboards may write it, as the ASCII one.
fn narrow(letter: char) -> char {
    let code = u32::from(letter);
    let is_wide = (0xFF01..=0xFF5E).contains(&code);
    char::from_u32(code.wrapping_sub(0xFEE0)).filter(|_| is_wide).unwrap_or(letter)
}

/// What a device gets to begin with.
#[derive(Debug)]
pub struct DeviceStarted {
    /// The secret by which it asks for its tokens.
    pub device_code: OpaqueToken,
    /// What it shows to its owner.
    pub user_code: String,
    /// How many seconds both are valid.
    pub expires_in: u64,
    /// How many seconds it has to wait between two questions.
    pub interval: i64,
}

/// What the page shows on which a person answers.
#[derive(Debug)]
pub struct DeviceAsked {
    /// The code as the device shows it.
    pub user_code: String,
    /// What the application asks for.
    pub scopes: ScopeSet,
}

impl App {
    /// Begins the login of a device.
    ///
    /// # Errors
    /// [`Code::TooOften`].
    #[boxed]
    pub async fn start_device(
        &self,
        application: &Application,
        scope: Option<&str>,
        origin: &Origin,
    ) -> Result<DeviceStarted, Refusal> {
        let mut scopes = ScopeSet::asked(scope);
        if !application.has_grant(Grant::RefreshToken) {
            scopes = scopes.without(Scope::OfflineAccess);
        }
        let (now, life) = (self.now(), self.limits.device_code);
        let window = self.limits.device_code_window;
        let guard = origin.ip.as_deref().map(|ip| Limit {
            name: format!("device_code:{}", network_of(ip)),
            most: self.limits.device_codes_per_ip,
            window,
        });
        let device_code = OpaqueToken::generate(TokenPurpose::DeviceCode, &*self.random);
        let candidates: Vec<_> = (0..CANDIDATES).map(|_| UserCode::generate(&*self.random)).collect();
        let codes = candidates.iter().map(|code| {
            let user_code = self.user_code_hash(code);
            NewDeviceCode {
                hash: hash_token(device_code.expose()),
                sealed_code: self.sealing.seal(&*self.random, &context(&user_code), code.0.as_bytes()),
                user_code,
                application: application.id.clone(),
                scopes,
                interval: INTERVAL,
                expires_at: now.plus(life),
            }
        });
        let unit = StartDevice { pool: application.pool.clone(), codes: codes.collect(), guard, now };
        let place = match self.write(unit).await? {
            Started::At(place) => place,
            Started::TooOften => {
                let wait = rates::wait(window, now);
                return Err(Code::TooOften.retry_after(wait).because("device codes from this network"));
            }
            Started::NoneFree => return Err(Code::Internal.because("no user code was free")),
        };
        let user_code = candidates.get(place).map(UserCode::shown).unwrap_or_default();
        Ok(DeviceStarted { device_code, user_code, expires_in: life.as_secs(), interval: INTERVAL })
    }

    /// Finds the device of a code that a person typed. Codes are guessed as passwords are, so each try is counted before
    /// it is looked at. The request leads to the page where the person answers, once they have logged in.
    ///
    /// # Errors
    /// [`Code::UserCodeUnknown`], [`Code::TooOften`].
    #[boxed]
    pub async fn find_device(&self, typed: &str, origin: &Origin) -> Result<OpenRequest, Refusal> {
        let unknown = || Refusal::new(Code::UserCodeUnknown);
        let hash = self.user_code_hash(&UserCode::read(typed).ok_or_else(unknown)?);
        let guard = origin.ip.as_deref().map(|ip| Limit {
            name: format!("user_code:{}", network_of(ip)),
            most: self.limits.guesses_per_ip,
            window: self.limits.guess_window,
        });
        let unit = FindDevice { user_code: hash.clone(), guard, now: self.now() };
        let found = match self.write(unit).await? {
            Found::Device(found) => found,
            Found::Nothing => return Err(unknown()),
            Found::TooOften => return Err(self.too_many_codes()),
        };
        let config = self.config();
        let application = config.application(found.application.as_str());
        let application = application.filter(|application| application.pool == found.pool);
        let application = application.filter(|application| application.has_grant(Grant::DeviceCode));
        let device = Some(hex::encode(hash.as_bytes()));
        let request =
            AuthorizationRequest { scopes: found.scopes, device, ..self.request_without_response() };
        Ok(OpenRequest { application: application.ok_or_else(unknown)?.clone(), request })
    }

    /// What the device of this request asks for.
    ///
    /// # Errors
    /// [`Code::UserCodeUnknown`] if it was answered meanwhile, or has expired.
    pub async fn device_asked(&self, open: &OpenRequest) -> Result<DeviceAsked, Refusal> {
        let OpenRequest { application, request } = open;
        let user_code = user_code_of(request)?;
        let unit = ReadDevice {
            pool: application.pool.clone(),
            user_code: user_code.clone(),
            application: application.id.clone(),
            now: self.now(),
        };
        let (sealed, scopes) = self.read(unit).await?.ok_or(Code::UserCodeUnknown)?;
        let text = self.sealing.open(&context(&user_code), &sealed).map_err(Refusal::internal)?;
        let text = String::from_utf8(text.expose().to_vec()).map_err(Refusal::internal)?;
        Ok(DeviceAsked { user_code: UserCode(text).shown(), scopes })
    }

    /// Lets a device log in as an account of this browser. `None` if the person has to log in first.
    ///
    /// # Errors
    /// [`Code::UserCodeUnknown`] if it was answered meanwhile, or has expired.
    #[boxed]
    pub async fn approve_device(
        &self,
        open: &OpenRequest,
        browser: &Browser,
        given: &Given,
        origin: &Origin,
    ) -> Result<Option<()>, Refusal> {
        let OpenRequest { application, request } = open;
        let (settings, now) = (self.config().settings(&application.pool), self.now());
        let accounts = self.browser_accounts(&application.pool, browser).await?;
        let Need::Account(account) = decide(request, application, &settings, &accounts, given, now) else {
            return Ok(None);
        };
        let approval = Approval {
            browser: account.id().clone(),
            stores_consent: application.login.consent,
            settings,
            extends_to: now.plus(self.limits.browser_session),
        };
        self.answer_device(open, Some(approval), origin).await
    }

    /// Denies a device its login.
    ///
    /// # Errors
    /// [`Code::UserCodeUnknown`] if it was answered meanwhile, or has expired.
    pub async fn deny_device(&self, open: &OpenRequest, origin: &Origin) -> Result<(), Refusal> {
        self.answer_device(open, None, origin).await.map(|_| ())
    }

    async fn answer_device(
        &self,
        open: &OpenRequest,
        approval: Option<Approval>,
        origin: &Origin,
    ) -> Result<Option<()>, Refusal> {
        let OpenRequest { application, request } = open;
        let unit = AnswerDevice {
            pool: application.pool.clone(),
            user_code: user_code_of(request)?,
            application: application.id.clone(),
            approval,
            trace: self.trace(&application.pool, None, Some(&application.id), None, origin),
        };
        match self.write(unit).await? {
            DeviceAnswered::Done => Ok(Some(())),
            DeviceAnswered::NeedsLogin => Ok(None),
            DeviceAnswered::Gone => Err(Code::UserCodeUnknown.into()),
        }
    }

    /// Exchanges a device code for tokens, once its person has approved it.
    ///
    /// # Errors
    /// [`Code::DevicePending`], [`Code::DeviceTooFast`], [`Code::DeviceDenied`], [`Code::DeviceCodeExpired`],
    /// [`Code::DeviceCodeInvalid`].
    #[boxed]
    pub async fn exchange_device_code(
        &self,
        application: &Application,
        client_auth: TokenAuth,
        device_code: &str,
        origin: &Origin,
    ) -> Result<TokenSet, Refusal> {
        let now = self.now();
        let refresh = OpaqueToken::generate(TokenPurpose::Refresh, &*self.random);
        let unit = ExchangeDeviceCode {
            pool: application.pool.clone(),
            code: hash_token(device_code),
            session: NewSession {
                id: SessionId::generate(now, &*self.random),
                application: application.id.clone(),
                connection: ConnectionId::own(),
                created_at: now,
                expires_at: now.plus(application.lifetimes.session),
                ip: origin.ip.clone(),
                user_agent: origin.user_agent.clone(),
            },
            refresh: NewRefreshToken {
                hash: hash_token(refresh.expose()),
                scope: ScopeSet::default(),
                expires_at: now.plus(application.lifetimes.refresh_token),
                client_auth: Some(client_auth),
            },
            settings: self.config().settings(&application.pool),
            trace: self.trace(&application.pool, None, Some(&application.id), None, origin),
        };
        let opened = match self.write(unit).await? {
            DeviceExchanged::Done(opened) => *opened,
            DeviceExchanged::Pending => return Err(Code::DevicePending.into()),
            DeviceExchanged::TooFast => return Err(Code::DeviceTooFast.into()),
            DeviceExchanged::Denied => return Err(Code::DeviceDenied.into()),
            DeviceExchanged::Expired => return Err(Code::DeviceCodeExpired.into()),
            DeviceExchanged::Unknown => return Err(Code::DeviceCodeInvalid.into()),
        };
        let OpenedByDevice { session, user, facts, scopes, auth_time, renews } = opened;
        let id_token = IdTokenParts { facts: Some(&facts), ..IdTokenParts::default() };
        let issue = Issue { application, user: &user, session: &session, auth_time, id_token };
        self.token_set(&issue, scopes, renews.then_some(refresh))
    }

    /// The keyed hash of a user code, as in the database.
    fn user_code_hash(&self, code: &UserCode) -> TokenHash {
        TokenHash(self.sealing.mac("device:user_code", code.0.as_bytes()))
    }
}

/// What a sealed user code is bound to.
fn context(user_code: &TokenHash) -> String {
    format!("user code {}", hex::encode(user_code.as_bytes()))
}

/// The keyed hash of the user code that a request is about.
fn user_code_of(request: &AuthorizationRequest) -> Result<TokenHash, Refusal> {
    let unknown = || Refusal::new(Code::UserCodeUnknown);
    let mut bytes = [0; 32];
    let text = request.device.as_deref().ok_or_else(unknown)?;
    hex::decode_to_slice(text, &mut bytes).map_err(|_| unknown())?;
    Ok(TokenHash(bytes))
}

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

struct ReadDevice {
    pool: PoolId,
    user_code: TokenHash,
    application: ApplicationId,
    now: Timestamp,
}

impl Read for ReadDevice {
    type Out = Option<(Vec<u8>, ScopeSet)>;

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
    /// Who approves it. Nobody denies it.
    pub approval: Option<Approval>,
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
    /// The device does not wait any more.
    Gone,
}

impl Write for AnswerDevice {
    type Out = DeviceAnswered;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<DeviceAnswered, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let asked = device_codes::get_pending(tx, pool, &self.user_code, &self.application, now).await?;
        let Some((_, scopes)) = asked else { return Ok(DeviceAnswered::Gone) };
        if let Some(Approval { browser, stores_consent, settings, extends_to }) = &self.approval {
            let found = logged_in(tx, pool, browser, settings, now).await?;
            let Some((session, account)) = found else { return Ok(DeviceAnswered::NeedsLogin) };
            let extends_to = (*extends_to).min(settings.session.latest_end(session.created_at));
            browser_sessions::extend(tx, pool, browser, now, extends_to).await?;
            if *stores_consent {
                let before = consents::get(tx, pool, &account.id, &self.application).await?;
                let wanted = Consent { scopes, claims: Vec::new() };
                let before = before.unwrap_or_default();
                agree(tx, pool, &account.id, &self.application, &wanted, before, now).await?;
            }
        }
        let browser = self.approval.as_ref().map(|approval| &approval.browser);
        let is_first =
            device_codes::decide(tx, pool, &self.user_code, &self.application, browser, now).await?;
        Ok(if is_first { DeviceAnswered::Done } else { DeviceAnswered::Gone })
    }
}

/// Exchanges a device code.
pub struct ExchangeDeviceCode {
    /// The pool.
    pub pool: PoolId,
    /// The hash of the code.
    pub code: TokenHash,
    /// The session that begins, of the application that presents the code.
    pub session: NewSession,
    /// The refresh token, if one is issued. The unit fills in the scope.
    pub refresh: NewRefreshToken,
    /// The pool's settings.
    pub settings: Arc<PoolSettings>,
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
    /// The person denied it.
    Denied,
    /// The code has expired, or the login of whoever approved it has ended.
    Expired,
    /// There is no such code for this application, or it was used.
    Unknown,
}

/// What a device code opened.
#[derive(Debug)]
pub struct OpenedByDevice {
    session: SessionId,
    /// The account, with the id that the tokens name.
    user: User,
    facts: Facts,
    scopes: ScopeSet,
    auth_time: Timestamp,
    /// Whether a refresh token was issued.
    renews: bool,
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
        match (code.status, &code.browser) {
            (DeviceStatus::Used, _) => Ok(DeviceExchanged::Unknown),
            _ if code.expires_at <= now => Ok(DeviceExchanged::Expired),
            (DeviceStatus::Denied, _) | (DeviceStatus::Approved, None) => Ok(DeviceExchanged::Denied),
            (DeviceStatus::Approved, Some(browser)) => self.open(tx, browser, code.scopes).await,
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
    ) -> Result<DeviceExchanged, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let Some((browser, account)) = logged_in(tx, pool, id, &self.settings, now).await? else {
            return Ok(DeviceExchanged::Expired);
        };
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
            let refresh = NewRefreshToken { scope: scopes, expires_at, ..self.refresh.clone() };
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
            auth_time,
            renews,
        })))
    }
}

#[cfg(test)]
mod tests {
    use hufu_types::SystemRandom;

    use super::*;

    #[test]
    fn user_codes_are_read_as_people_type_them() {
        for _ in 0..100 {
            let code = UserCode::generate(&SystemRandom);
            assert_eq!(UserCode::read(&code.shown()).map(|read| read.0), Some(code.0));
        }
        for typed in
            ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk ", "b-c-d-f-g-h-j-k", "ｂｃｄｆ－ＧＨＪＫ", "BCDF–GHJK"]
        {
            assert_eq!(
                UserCode::read(typed).map(|code| code.shown()).as_deref(),
                Some("BCDF-GHJK"),
                "{typed}"
            );
        }
        for wrong in ["", "BCDF-GHJ", "BCDF-GHJK-L", "ACDF-GHJK", "BCDF-GHJ1", "BCDF-GHJ虎"] {
            assert!(UserCode::read(wrong).is_none(), "{wrong}");
        }
    }
}
