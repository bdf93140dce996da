//! The login of a device without a browser (RFC 8628): it shows a short code, a person types that on another device, logs
//! in there and says whether the first one may log in as them; the first one keeps asking until then.
//!
//! The session begins when the device gets its tokens, beneath the browser session in which it was approved.

mod unit;
mod user_code;

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::device_codes::{NewDeviceCode, PendingDevice};
use hufu_store::rates::{self, Limit};
use hufu_store::refresh_tokens::NewRefreshToken;
use hufu_store::sessions::NewSession;
use hufu_types::refusal::Code;
use hufu_types::{
    Application, AuthorizationRequest, BrowserSessionId, ConnectionId, Grant, OpaqueToken, Scope, ScopeSet,
    SessionId, TokenAuth, TokenHash, TokenPurpose, UserId,
};

use self::unit::ReadDevice;
pub use self::unit::{
    AnswerDevice, Approval, DeviceAnswered, DeviceExchanged, ExchangeDeviceCode, FindDevice, Found,
    OpenedByDevice, StartDevice, Started,
};
use self::user_code::UserCode;
use super::browser::Browser;
use super::decision::{Given, Need, decide};
use super::dpop::Binding;
use super::request::OpenRequest;
use crate::address::network_of;
use crate::digest::hash_token;
use crate::login::Admission;
use crate::tokens::{IdTokenParts, Issue};
use crate::{App, Origin, Refusal, TokenSet};

/// How many seconds a device waits between two questions, unless it asked too often.
const INTERVAL: i64 = 5;
/// How many user codes are tried until one is free. There are 25,600,000,000.
const CANDIDATES: usize = 4;

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
    /// The APIs that its access token is for.
    pub resources: Vec<Arc<Application>>,
}

impl App {
    /// Begins the login of a device.
    ///
    /// # Errors
    /// [`Code::TooOften`], [`Code::TargetInvalid`].
    #[boxed]
    pub async fn start_device(
        &self,
        application: &Application,
        scope: Option<&str>,
        resources: &[String],
        origin: &Origin,
    ) -> Result<DeviceStarted, Refusal> {
        self.check_resources(&application.pool, resources)?;
        let settings = self.config().settings(&application.pool);
        let mut scopes = application.client.scopes_asked(scope, &settings.scopes);
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
                sealed_code: self.sealing.seal(&*self.random, &context(&user_code), code.as_bytes()),
                user_code,
                application: application.id.clone(),
                scopes: scopes.clone(),
                resources: resources.to_vec(),
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
    /// [`Code::UserCodeUnknown`] if it was answered meanwhile, or has expired. [`Code::TargetInvalid`].
    pub async fn device_asked(&self, open: &OpenRequest) -> Result<DeviceAsked, Refusal> {
        let OpenRequest { application, request } = open;
        let user_code = user_code_of(request)?;
        let unit = ReadDevice {
            pool: application.pool.clone(),
            user_code: user_code.clone(),
            application: application.id.clone(),
            now: self.now(),
        };
        let PendingDevice { sealed_code, scopes, resources } =
            self.read(unit).await?.ok_or(Code::UserCodeUnknown)?;
        let text = self.sealing.open(&context(&user_code), &sealed_code).map_err(Refusal::internal)?;
        let text = String::from_utf8(text.expose().to_vec()).map_err(Refusal::internal)?;
        // The configuration may have changed since the device asked.
        self.check_resources(&application.pool, &resources)?;
        let scopes = self.still_granted(application, &scopes);
        let resources = self.apis(&application.pool, &resources);
        Ok(DeviceAsked { user_code: UserCode::stored(text).shown(), scopes, resources })
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
        let need = decide(request, application, &settings, &accounts, given, &self.subjects, now);
        let Need::Account(account) = need else {
            return Ok(None);
        };
        let approval = Approval {
            admission: Admission::of(&open.application),
            browser: account.id().clone(),
            stores_consent: application.login.consent,
            settings,
            extends_to: now.plus(self.limits.browser_session),
        };
        self.answer_device(open, Some(approval), None, origin).await
    }

    /// Denies a device its login. `account` is the one that the page showed, if it is still in this browser.
    ///
    /// # Errors
    /// [`Code::UserCodeUnknown`] if it was answered meanwhile, or has expired.
    pub async fn deny_device(
        &self,
        open: &OpenRequest,
        browser: &Browser,
        account: Option<&BrowserSessionId>,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let by = match account {
            Some(account) => self.browser_account(browser, account).await?.map(|found| found.user.id),
            None => None,
        };
        self.answer_device(open, None, by, origin).await.map(|_| ())
    }

    async fn answer_device(
        &self,
        open: &OpenRequest,
        approval: Option<Approval>,
        denied_by: Option<UserId>,
        origin: &Origin,
    ) -> Result<Option<()>, Refusal> {
        let OpenRequest { application, request } = open;
        let unit = AnswerDevice {
            pool: application.pool.clone(),
            user_code: user_code_of(request)?,
            application: application.id.clone(),
            approval,
            denied_by,
            trace: self.trace(&application.pool, None, Some(&application.id), None, origin),
        };
        match self.write(unit).await? {
            DeviceAnswered::Done => Ok(Some(())),
            DeviceAnswered::NeedsLogin => Ok(None),
            DeviceAnswered::NotListed => Err(Code::NotListed.into()),
            DeviceAnswered::Gone => Err(Code::UserCodeUnknown.into()),
        }
    }

    /// Exchanges a device code for tokens, once its person has approved it.
    ///
    /// # Errors
    /// [`Code::DevicePending`], [`Code::DeviceTooFast`], [`Code::DeviceDenied`], [`Code::DeviceCodeExpired`],
    /// [`Code::DeviceCodeInvalid`], [`Code::TargetInvalid`].
    #[boxed]
    pub async fn exchange_device_code(
        &self,
        application: &Application,
        client_auth: TokenAuth,
        device_code: &str,
        asked: Vec<String>,
        binding: &Binding,
        origin: &Origin,
    ) -> Result<TokenSet, Refusal> {
        self.check_resources(&application.pool, &asked)?;
        let now = self.now();
        let refresh = OpaqueToken::generate(TokenPurpose::Refresh, &*self.random);
        let unit = ExchangeDeviceCode {
            pool: application.pool.clone(),
            code: hash_token(device_code),
            resources: asked.clone(),
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
                key: binding.renewing_key(Some(client_auth)),
                resources: Vec::new(),
            },
            settings: self.config().settings(&application.pool),
            admission: Admission::of(application),
            trace: self.trace(&application.pool, None, Some(&application.id), None, origin),
        };
        let opened = match self.write(unit).await? {
            DeviceExchanged::Done(opened) => *opened,
            DeviceExchanged::Pending => return Err(Code::DevicePending.into()),
            DeviceExchanged::TooFast => return Err(Code::DeviceTooFast.into()),
            DeviceExchanged::Denied => return Err(Code::DeviceDenied.into()),
            DeviceExchanged::Expired => return Err(Code::DeviceCodeExpired.into()),
            DeviceExchanged::NotGranted => {
                return Err(Code::TargetInvalid.because("the resource was not granted"));
            }
            DeviceExchanged::Unknown => return Err(Code::DeviceCodeInvalid.into()),
        };
        let OpenedByDevice { session, user, facts, scopes, resources, auth_time, renews } = opened;
        let resources = &self.target(&application.pool, asked, resources)?;
        let id_token = IdTokenParts { facts: Some(&facts), ..IdTokenParts::default() };
        let session = &session;
        let issue = Issue { application, user: &user, session, auth_time, binding, id_token, resources };
        self.token_set(&issue, &scopes, renews.then_some(refresh))
    }

    /// The keyed hash of a user code, as in the database.
    fn user_code_hash(&self, code: &UserCode) -> TokenHash {
        TokenHash(self.sealing.mac("device:user_code", code.as_bytes()))
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
