//! Logins of administrators in a browser: to the hosted pages of the application `console`, and back with a code.
//!
//! What comes of it is the access key of a login, as by username and password; the browser keeps it in a cookie. It is as old
//! as the login of the browser session: somebody who is only still logged in there does not get what calls for a recent login.
//! It ends with the session beneath that browser session, whatever ends it.

use async_recursion::async_recursion as boxed;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_protocol::pkce;
use hufu_store::administration::{self as store, Administrator, GetAccessKey, NewAccessKey};
use hufu_store::{StoreError, Tx, Write, users};
use hufu_types::refusal::Code;
use hufu_types::{AccessKeyId, Action, AdminRole, PoolId, SessionId, Timestamp, TokenAuth, User, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::logins::GetAdministrator;
use super::sign_up::{FirstPool, Made};
use super::{AdminLogin, record};
use crate::administration::AdminCaller;
use crate::authorization::dpop::BEARER;
use crate::authorization::{Browser, CodeGrant, ExchangeCode, Exchanged, Parameters};
use crate::digest::hash_token;
use crate::events::{Actor, Trace};
use crate::{App, Origin, Refusal};

/// What a begun login is sealed for.
const CONTEXT: &str = "administration login";

/// A login that a browser begins.
pub struct BegunLogin {
    /// Where the browser goes: a path of this server.
    pub address: String,
    /// What it keeps until it is back, sealed.
    pub kept: String,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Begun {
    state: String,
    nonce: String,
    verifier: String,
    at: Timestamp,
}

/// What comes of a login in a browser.
#[derive(Debug)]
pub enum Entered {
    /// An administrator is logged in.
    As(Box<AdminLogin>),
    /// Whoever it is has no role.
    WithoutRole,
}

/// The login of an administrator, as it is shown to them.
#[derive(Debug)]
pub struct ShownLogin {
    /// The administrator's name.
    pub name: String,
    /// When they proved who they are.
    pub logged_in_at: Timestamp,
    /// Until when they may do what calls for a recent login.
    pub recent_until: Timestamp,
    /// When the login ends.
    pub expires_at: Timestamp,
}

impl App {
    /// Begins a login in a browser. With `again` the person has to prove who they are even if they are logged in there.
    ///
    /// # Errors
    /// [`Code::ApplicationUnknown`] for a command.
    pub fn begin_admin_login(&self, again: bool) -> Result<BegunLogin, Refusal> {
        let config = self.config();
        let console = config.console().ok_or(Code::ApplicationUnknown)?;
        let text = || {
            let mut bytes = [0_u8; 32];
            self.random.fill(&mut bytes);
            URL_SAFE_NO_PAD.encode(bytes)
        };
        let begun = Begun { state: text(), nonce: text(), verifier: text(), at: self.now() };
        let challenge = pkce::challenge_of(&begun.verifier);
        let mut parameters = vec![
            ("client_id", console.application.id.as_str()),
            ("redirect_uri", console.callback()),
            ("response_type", "code"),
            ("scope", "openid"),
            ("state", &begun.state),
            ("nonce", &begun.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        parameters.extend(again.then_some(("prompt", "login")));
        let query = serde_urlencoded::to_string(&parameters).map_err(Refusal::internal)?;
        let json = serde_json::to_vec(&begun).map_err(Refusal::internal)?;
        let kept = URL_SAFE_NO_PAD.encode(self.sealing.seal(&*self.random, CONTEXT, &json));
        Ok(BegunLogin { address: format!("/oidc/auth?{query}"), kept })
    }

    /// Ends a login that the browser has come back from. `kept` is what it kept, `present` the access key that it has had.
    ///
    /// # Errors
    /// [`Code::AdminLoginExpired`] if it is not the login that this browser began, or its code is not good;
    /// [`Code::LoginGivenUp`]; [`Code::TooOften`].
    #[boxed]
    pub async fn enter_by_browser(
        &self,
        kept: Option<&str>,
        answer: &Parameters,
        present: Option<&str>,
        origin: &Origin,
    ) -> Result<Entered, Refusal> {
        let begun = kept.and_then(|kept| self.open_begun(kept)).ok_or(Code::AdminLoginExpired)?;
        let state = hash_token(answer.get("state").unwrap_or_default());
        if !hash_token(&begun.state).matches(state.as_bytes()) {
            return Err(Code::AdminLoginExpired.because("the state is of another login"));
        }
        match answer.get("error") {
            None => {}
            Some("access_denied") => return Err(Code::LoginGivenUp.into()),
            Some("temporarily_unavailable") => {
                return Err(Code::TooOften
                    .retry_after(self.limits.code_window)
                    .because("logins of a browser"));
            }
            Some(_) => return Err(Code::AdminLoginExpired.because("the authorization request was refused")),
        }
        let code = answer.get("code").ok_or(Code::AdminLoginExpired)?;
        let config = self.config();
        let console = config.console().ok_or(Code::AdminLoginExpired)?;
        let application = &console.application;
        let grant = CodeGrant {
            code,
            redirect_uri: console.callback(),
            verifier: Some(&begun.verifier),
            resources: Vec::new(),
        };
        let (exchange, _) = self.exchange_unit(application, TokenAuth::None, grant, &BEARER, origin);
        let system = PoolId::system();
        let (key, text) = self.new_key("login".to_owned(), AdminRole::Auditor, None, None, self.now());
        let unit = Enter {
            exchange,
            nonce: begun.nonce,
            key,
            life: self.limits.admin_session,
            first_pool: self.first_pool(origin),
            replaces: self.replaced_login(present, origin).await,
            trace: self.trace(&system, None, Some(&application.id), None, origin),
        };
        match self.write(unit).await? {
            Entry::As(administrator, expires_at, has_new_pool) => {
                if has_new_pool {
                    self.reload_config().await;
                }
                let login = AdminLogin { key: text, expires_at, administrator: *administrator };
                Ok(Entered::As(Box::new(login)))
            }
            Entry::WithoutRole => Ok(Entered::WithoutRole),
            Entry::TooOften => {
                let wait = hufu_store::rates::wait(self.limits.first_pool_window, self.now());
                Err(Code::TooOften.retry_after(wait).because("first pools of this network"))
            }
            Entry::Unknown => Err(Code::AdminLoginExpired.because("the code is not good")),
            Entry::Replayed(session) => {
                let refusal = self.code_was_reused(&session, &application.id);
                Err(Code::AdminLoginExpired.because(refusal))
            }
        }
    }

    /// The login that a browser has had, and whose it is: it ends with the next one of the same person.
    pub(super) async fn replaced_login(
        &self,
        present: Option<&str>,
        origin: &Origin,
    ) -> Option<(AccessKeyId, UserId)> {
        let by = self.authenticate_admin(Some(present?), origin.clone()).await.ok()?;
        by.key.zip(by.user)
    }

    fn open_begun(&self, kept: &str) -> Option<Begun> {
        let bytes = URL_SAFE_NO_PAD.decode(kept).ok()?;
        let json = self.sealing.open(CONTEXT, &bytes).ok()?;
        let begun: Begun = serde_json::from_slice(json.expose()).ok()?;
        (begun.at.plus(self.limits.authorization_request_life) > self.now()).then_some(begun)
    }

    /// The login of the administrator who calls.
    ///
    /// # Errors
    /// [`Code::AccessKeyInvalid`] for a machine's key.
    #[boxed]
    pub async fn shown_admin_login(&self, by: &AdminCaller) -> Result<ShownLogin, Refusal> {
        let (Some(key), Some(user), Some(logged_in_at)) = (&by.key, &by.user, by.logged_in_at) else {
            return Err(Code::AccessKeyInvalid.into());
        };
        let key = self.read(GetAccessKey(key.clone())).await?.ok_or(Code::AccessKeyInvalid)?;
        let administrator = self.read(GetAdministrator(user.clone())).await?.ok_or(Code::AccessKeyInvalid)?;
        let account = self.read(users::GetUser { pool: PoolId::system(), user: user.clone() }).await?;
        let recent_until = logged_in_at.plus(self.limits.admin_step_up);
        let expires_at = key.expires_at.unwrap_or(recent_until);
        let name = name_of(administrator, account);
        Ok(ShownLogin { name, logged_in_at, recent_until, expires_at })
    }

    /// Logs an administrator out of a browser: the access key that it has, and the browser sessions of the same account; of
    /// all accounts of administrators if the key is none any more. Returns what is left of the browser.
    ///
    /// # Errors
    /// Database errors, and [`Code::TooOften`].
    #[boxed]
    pub async fn leave_administration(
        &self,
        present: Option<&str>,
        browser: &Browser,
        origin: &Origin,
    ) -> Result<Browser, Refusal> {
        let by = match self.authenticate_admin(present, origin.clone()).await {
            Ok(by) => {
                self.log_out_administrator(&by).await?;
                by.user
            }
            Err(refusal) if refusal.is(Code::AccessKeyInvalid) || refusal.is(Code::TooOften) => None,
            Err(refusal) => return Err(refusal),
        };
        let mut accounts = self.browser_accounts(&PoolId::system(), browser).await?;
        accounts.retain(|account| by.as_ref().is_none_or(|user| account.user.id == *user));
        Ok(self.sign_out(&accounts, browser, origin).await?.browser)
    }
}

/// Exchanges the code, and issues the access key of the login.
struct Enter {
    exchange: ExchangeCode,
    nonce: String,
    /// The unit fills in whose it is, and how old the login is.
    key: NewAccessKey,
    /// How long a login is good after the person proved who they are.
    life: std::time::Duration,
    /// What somebody without any role gets who registered.
    first_pool: Option<FirstPool>,
    /// The login that the browser has had, and whose it is.
    replaces: Option<(AccessKeyId, UserId)>,
    trace: Trace,
}

enum Entry {
    /// Until when, and whether they own a pool now that did not exist before.
    As(Box<Administrator>, Timestamp, bool),
    WithoutRole,
    TooOften,
    Unknown,
    Replayed(SessionId),
}

impl Write for Enter {
    type Out = Entry;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Entry, StoreError> {
        let opened = match self.exchange.run(tx).await? {
            Exchanged::Done(opened) => opened,
            Exchanged::Ended(session) => return Ok(Entry::Replayed(session)),
            Exchanged::Unknown | Exchanged::NotGranted => return Ok(Entry::Unknown),
        };
        if opened.nonce.as_ref() != Some(&self.nonce) {
            return Ok(Entry::Unknown);
        }
        let user = &opened.account;
        let account = users::get_locked(tx, &PoolId::system(), user).await?;
        let mut has_new_pool = false;
        let mut administrator = store::administrator(tx, user).await?;
        if let (None, Some(first), Some(account)) = (&administrator, &self.first_pool, &account) {
            match first.make(tx, account).await? {
                Made::Yes => has_new_pool = true,
                Made::NotTheirs => {}
                Made::TooOften => return Ok(Entry::TooOften),
            }
            administrator = store::administrator(tx, user).await?;
        }
        let Some(administrator) = administrator else { return Ok(Entry::WithoutRole) };
        let expires_at = opened.auth_time.plus(self.life);
        let key = NewAccessKey {
            user: Some(user.clone()),
            expires_at: Some(expires_at),
            logged_in_at: Some(opened.auth_time),
            session: Some(opened.session.clone()),
            ..self.key.clone()
        };
        write_login(tx, &key, user, self.replaces.as_ref(), "browser", &self.trace).await?;
        Ok(Entry::As(Box::new(administrator), expires_at, has_new_pool))
    }
}

/// Inserts the key of a login, in place of the one that the browser has had of the same person, and records it.
pub(super) async fn write_login(
    tx: &mut Tx<'_>,
    key: &NewAccessKey,
    user: &UserId,
    replaces: Option<&(AccessKeyId, UserId)>,
    by: &str,
    trace: &Trace,
) -> Result<(), StoreError> {
    if let Some((replaced, _)) = replaces.filter(|(_, whose)| whose == user) {
        store::delete_access_key(tx, replaced).await?;
    }
    store::insert_access_key(tx, key).await?;
    let trace = Trace { actor: Some(Actor::administrator(user)), ..trace.clone() };
    let details = json!({ "key": key.id.as_str(), "by": by });
    record(tx, &mut trace.recorder(), Action::Login, Some(user), details).await
}

/// What an administrator is called: by username, address or id.
pub(super) fn name_of(administrator: Administrator, account: Option<User>) -> String {
    let email = account.and_then(|account| account.email).map(|email| email.as_str().to_owned());
    administrator.username.or(email).unwrap_or_else(|| administrator.user.to_string())
}
