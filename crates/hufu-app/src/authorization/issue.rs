//! Answering an authorization request: the session of the application, and the code that opens it.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::authorization_codes::{self, NewAuthorizationCode};
use hufu_store::browser_sessions::LockedBrowserSession;
use hufu_store::consents::{self, Consent};
use hufu_store::rates::Quota;
use hufu_store::sessions::{self, Beneath, NewSession};
use hufu_store::{StoreError, Tx, Write, browser_sessions, identities, users};
use hufu_types::flow::{self, Stage};
use hufu_types::refusal::Code;
use hufu_types::{
    Action, Application, ApplicationId, AuthorizationRequest, BrowserSessionId, ConnectionId, Facts,
    Identity, OpaqueToken, PoolId, PoolSettings, Prompt, Scope, ScopeSet, SessionId, Timestamp, TokenPurpose,
    User, UserId,
};
use serde_json::json;

use super::browser::{Browser, BrowserAccount};
use super::decision::{Given, Need, decide};
use super::dpop::BEARER;
use super::request::OpenRequest;
use super::response::{AuthorizationResponse, OAuthError};
use super::social::SocialResponse;
use crate::digest::hash_token;
use crate::events::{Event, Trace};
use crate::login::Admission;
use crate::people::holders::unusable;
use crate::tokens::refresh::group_key;
use crate::tokens::{IdTokenParts, Issue};
use crate::{App, Origin, Refusal};

/// What has to happen next in an authorization request.
#[derive(Debug)]
pub enum Next {
    /// The client receives this.
    Respond(Box<AuthorizationResponse>),
    /// The person logs in.
    LogIn,
    /// The application does not list the account: the person logs in with another one ([`Code::NotListed`]).
    LogInAsAnother,
    /// The person chooses one of these accounts, or logs in to another.
    Choose(Vec<BrowserAccount>),
    /// The person says whether the application may have these. Nothing is left out, though they agreed to some of it
    /// before.
    Consent {
        /// The account.
        account: Box<BrowserAccount>,
        /// The scopes.
        scopes: ScopeSet,
        /// The APIs that the access token is for.
        resources: Vec<Arc<Application>>,
        /// The names of claims that are requested one by one.
        claims: Vec<String>,
    },
    /// The login is for a device: the person says whether it may log in as this account.
    Device(Box<BrowserAccount>),
    /// Nobody asked for the login: the browser goes to the application.
    Application(Box<BrowserAccount>),
    /// A published client that began the login at a connection receives this.
    Return(Box<SocialResponse>),
}

impl App {
    /// Decides what has to happen next in an authorization request, and answers it if nothing has.
    ///
    /// # Errors
    /// Database errors, and a missing signing key.
    #[boxed]
    pub async fn authorize(
        &self,
        open: &OpenRequest,
        browser: &Browser,
        given: &Given,
        origin: &Origin,
    ) -> Result<Next, Refusal> {
        let accounts = self.browser_accounts(&open.application.pool, browser).await?;
        self.authorize_among(open, accounts, given, origin).await
    }

    /// As [`Self::authorize`], where it is known who is logged in to the browser.
    pub(super) async fn authorize_among(
        &self,
        open: &OpenRequest,
        accounts: Vec<BrowserAccount>,
        given: &Given,
        origin: &Origin,
    ) -> Result<Next, Refusal> {
        let OpenRequest { application, request } = open;
        let may_ask = !request.prompts.has(Prompt::None);
        let refuse = |error, description: &str| Ok(self.answer_with_error(open, error, description));
        // The configuration may have changed since the request was read.
        if self.check_resources(&application.pool, &request.resources).is_err() {
            return refuse(OAuthError::InvalidTarget, "resource is not an API of the user pool any more");
        }
        let settings = self.config().settings(&application.pool);
        let account =
            match decide(request, application, &settings, &accounts, given, &self.subjects, self.now()) {
                Need::Login if may_ask => return Ok(Next::LogIn),
                Need::Login => {
                    return refuse(
                        OAuthError::LoginRequired,
                        "nobody is logged in, or not as this request needs it",
                    );
                }
                Need::Choice if may_ask => return Ok(Next::Choose(accounts)),
                Need::Choice => {
                    return refuse(OAuthError::AccountSelectionRequired, "an account must be chosen");
                }
                Need::AnotherUser => {
                    return refuse(
                        OAuthError::LoginRequired,
                        "somebody else is logged in than the client named",
                    );
                }
                Need::Account(account) => account.clone(),
            };
        if request.device.is_some() {
            return Ok(Next::Device(Box::new(account)));
        }
        if request.is_own {
            return Ok(Next::Application(Box::new(account)));
        }
        let code = OpaqueToken::generate(TokenPurpose::AuthorizationCode, &*self.random);
        let asked =
            Asked { browser: account.id(), consented: given.consented, login: &account.session.facts };
        let unit = self.issue_unit(open, &asked, &code, settings, origin);
        let issued = self.write(unit).await?;
        self.answer_issued(open, account, issued, &code)
    }

    /// What happens next once a request has been answered, or could not be.
    pub(super) fn answer_issued(
        &self,
        open: &OpenRequest,
        account: BrowserAccount,
        issued: Issued,
        code: &OpaqueToken,
    ) -> Result<Next, Refusal> {
        let OpenRequest { application, request } = open;
        let may_ask = !request.prompts.has(Prompt::None);
        let refuse = |error, description: &str| Ok(self.answer_with_error(open, error, description));
        match issued {
            Issued::Done { user, session, facts, identities } if request.social.is_some() => {
                let response = self.social_response(open, *user, identities, &session, &facts, code)?;
                Ok(Next::Return(Box::new(response)))
            }
            Issued::Done { user, session, facts, .. } => {
                let response = self.granted(open, &user, &session, &facts, code)?;
                Ok(Next::Respond(Box::new(response)))
            }
            Issued::NeedsConsent if may_ask => Ok(Next::Consent {
                account: Box::new(account),
                scopes: request.scopes.clone(),
                resources: self.apis(&application.pool, &request.resources),
                claims: claims_of_request(request),
            }),
            Issued::NeedsConsent => {
                refuse(OAuthError::ConsentRequired, "the person has not agreed to this request")
            }
            Issued::TooOften => refuse(
                OAuthError::TemporarilyUnavailable,
                "this browser asks too often: try again in a minute",
            ),
            Issued::NotListed if may_ask => Ok(Next::LogInAsAnother),
            Issued::NotListed => refuse(OAuthError::AccessDenied, "the application does not list this user"),
            Issued::NeedsLogin if may_ask => Ok(Next::LogIn),
            Issued::NeedsLogin => refuse(OAuthError::LoginRequired, "nobody is logged in"),
        }
    }

    /// The answer of a person who does not want the application to have what it asks for, or gave up the login.
    pub fn deny(&self, open: &OpenRequest) -> Next {
        self.answer_with_error(open, OAuthError::AccessDenied, "the person did not agree")
    }

    fn answer_with_error(&self, open: &OpenRequest, error: OAuthError, description: &str) -> Next {
        if open.request.social.is_some() {
            let code = match error {
                OAuthError::AccessDenied => Code::LoginGivenUp,
                _ => Code::LoginRequestExpired,
            };
            return Next::Return(Box::new(SocialResponse::refused(
                open,
                code.because(description.to_owned()),
            )));
        }
        let refused = AuthorizationResponse::refused(&open.request, &self.issuer, error, description);
        Next::Respond(Box::new(refused))
    }

    /// The answer to the request of a login that is about to begin a browser session, if nothing but the login is missing,
    /// with the code that it may bring. Nobody else is logged in to the browser.
    pub(crate) fn answer_of_login(
        &self,
        application: &Arc<Application>,
        request: &AuthorizationRequest,
        facts: &Facts,
        browser: &BrowserSessionId,
        origin: &Origin,
    ) -> Option<(Box<IssueCode>, OpaqueToken)> {
        let is_for_client = !request.is_own && request.device.is_none() && request.link.is_none();
        let is_for_anybody = request.expected_user.is_none() && !Admission::of(application).asks();
        let is_new = facts.lent_at().is_none();
        if !is_for_client || !is_for_anybody || !is_new || asks_consent(application, request) {
            return None;
        }
        self.check_resources(&application.pool, &request.resources).ok()?;
        let open = OpenRequest { application: application.clone(), request: request.clone() };
        let code = OpaqueToken::generate(TokenPurpose::AuthorizationCode, &*self.random);
        let settings = self.config().settings(&application.pool);
        let asked = Asked { browser, consented: false, login: facts };
        Some((Box::new(self.issue_unit(&open, &asked, &code, settings, origin)), code))
    }

    fn issue_unit(
        &self,
        open: &OpenRequest,
        asked: &Asked<'_>,
        code: &OpaqueToken,
        settings: Arc<PoolSettings>,
        origin: &Origin,
    ) -> IssueCode {
        let OpenRequest { application, request } = open;
        let now = self.now();
        let code_ends = now.plus(self.limits.authorization_code);
        let full = now.plus(application.lifetimes.session);
        // A session that only a code opens ends with the code, unless somebody brings it.
        let hands_user_over = self.hands_user_over(request);
        let has_tokens = request.response_type.has_tokens() || hands_user_over;
        let expires_at = if has_tokens { full } else { code_ends };
        let session = NewSession {
            id: SessionId::generate(now, &*self.random),
            application: application.id.clone(),
            connection: ConnectionId::own(),
            created_at: now,
            expires_at,
            ip: origin.ip.clone(),
            user_agent: origin.user_agent.clone(),
        };
        let consent = Consent {
            scopes: request.scopes.clone(),
            claims: claims_of_request(request),
            resources: request.resources.clone(),
        };
        IssueCode {
            pool: application.pool.clone(),
            browser: asked.browser.clone(),
            code: (request.response_type.code && !hands_user_over).then(|| NewAuthorizationCode {
                hash: hash_token(code.expose()),
                application: application.id.clone(),
                session: session.id.clone(),
                request: request.clone(),
                // The unit fills it in.
                facts: Facts::default(),
                expires_at: code_ends,
            }),
            asks: asks_consent(application, request) && !asked.consented,
            consent: (asks_consent(application, request)).then_some(consent),
            admission: Admission::of(application),
            hands_user_over,
            is_silent: asked.login.auth_time().is_none_or(|at| at < request.at),
            request: request.clone(),
            session,
            settings,
            extends_to: now.plus(self.limits.browser_session),
            codes: Quota { most: self.limits.codes_per_browser, window: self.limits.code_window },
            trace: self.trace(&application.pool, None, Some(&application.id), None, origin),
        }
    }

    /// The response of a request that is granted.
    fn granted(
        &self,
        open: &OpenRequest,
        user: &User,
        session: &SessionId,
        facts: &Facts,
        code: &OpaqueToken,
    ) -> Result<AuthorizationResponse, Refusal> {
        let OpenRequest { application, request } = open;
        let wanted = request.response_type;
        let mut parameters = Vec::new();
        if wanted.code {
            parameters.push(("code", code.expose().to_owned()));
        }
        if wanted.has_tokens() {
            let auth_time = facts.auth_time().unwrap_or_else(|| self.now());
            let id_token = IdTokenParts {
                facts: Some(facts),
                nonce: request.nonce.as_deref(),
                code: wanted.code.then_some(code.expose()),
                claims: Some(&request.claims),
                acr: !request.acr_values.is_empty(),
            };
            let resources = request.resources.as_slice();
            // Nothing in the request of a browser proves a key.
            let binding = &BEARER;
            let issue = Issue { application, user, session, auth_time, binding, id_token, resources };
            // Tokens in a response are never renewed: only the code brings a refresh token.
            let scope = self.still_granted(application, &request.scopes.without(Scope::OfflineAccess));
            let access_token = if wanted.token { Some(self.access_token(&issue, &scope)?) } else { None };
            if wanted.id_token {
                let bearer = access_token.as_ref().map(|(token, _)| token.as_str());
                parameters.push(("id_token", self.id_token(&issue, &scope, bearer)?));
            }
            if let Some((token, expires_in)) = access_token {
                parameters.push(("access_token", token));
                parameters.push(("token_type", BEARER.token_type().to_owned()));
                parameters.push(("expires_in", expires_in.to_string()));
                parameters.push(("scope", scope.to_string()));
            }
        }
        Ok(AuthorizationResponse::granted(request, &self.issuer, parameters))
    }
}

/// Who asks for the answer to a request.
struct Asked<'a> {
    browser: &'a BrowserSessionId,
    /// Whether they just agreed to what the application wants.
    consented: bool,
    /// The facts of the login in this browser.
    login: &'a Facts,
}

/// Whether the person is asked before the request is granted.
fn asks_consent(application: &Application, request: &AuthorizationRequest) -> bool {
    application.login.consent || request.prompts.has(Prompt::Consent)
}

/// The names of the claims that are requested one by one, without those that tell nothing about the person.
fn claims_of_request(request: &AuthorizationRequest) -> Vec<String> {
    let parts = request.claims.values().filter_map(serde_json::Value::as_object);
    let names = parts.flat_map(serde_json::Map::keys);
    let protocol = ["sub", "acr", "amr", "auth_time"];
    let mut names: Vec<String> = names.filter(|name| !protocol.contains(&name.as_str())).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Begins the session of an application in a browser session, and stores the code that opens it.
#[derive(Clone, Debug)]
pub struct IssueCode {
    /// The pool.
    pub pool: PoolId,
    /// The browser session.
    pub browser: BrowserSessionId,
    /// The request.
    pub request: AuthorizationRequest,
    /// The session.
    pub session: NewSession,
    /// The code, if the response has one.
    pub code: Option<NewAuthorizationCode>,
    /// Whether the person is asked, unless they agreed before.
    pub asks: bool,
    /// What they agree to, if they are asked at all.
    pub consent: Option<Consent>,
    /// Whom the application lets log in.
    pub admission: Admission,
    /// Whether the response holds the user, with their identities.
    pub hands_user_over: bool,
    /// Whether the login is an earlier one, so that this is what the audit log shows of the application.
    pub is_silent: bool,
    /// The pool's settings.
    pub settings: Arc<PoolSettings>,
    /// How many requests one browser session is granted in a while: pages of other sites can make a browser ask.
    pub codes: Quota,
    /// Until when the browser session lives if it is not used again.
    pub extends_to: Timestamp,
    /// Where the request comes from, and when.
    pub trace: Trace,
}

/// The outcome of [`IssueCode`].
#[derive(Clone, Debug)]
pub enum Issued {
    /// The session has begun.
    Done {
        /// The user, with the id that the tokens name.
        user: Box<User>,
        /// The session of the application.
        session: SessionId,
        /// How and when they authenticated.
        facts: Facts,
        /// The user's identities, if the response holds them.
        identities: Vec<Identity>,
    },
    /// The person has not agreed to this.
    NeedsConsent,
    /// The application lets only those log in whom it lists, and does not list this account.
    NotListed,
    /// The browser session was granted too many requests lately.
    TooOften,
    /// The browser session has ended, or its account has something to be through with.
    NeedsLogin,
}

impl Write for IssueCode {
    type Out = Issued;

    /// Two of one browser never share a transaction: the second goes on with the session that the first began.
    fn group(&self) -> Option<u64> {
        let agrees_now = self.consent.is_some() && !self.asks;
        let may_share = self.trace.subscribers.is_empty() && !self.admission.asks() && !agrees_now;
        may_share.then(|| group_key(&self.pool, self.browser.as_str().as_bytes()))
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Issued, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let found = logged_in(tx, pool, &self.browser, &self.settings, now).await?;
        let Some((browser, account)) = found else { return Ok(Issued::NeedsLogin) };
        if !self.admission.admits(tx, pool, &account.id).await? {
            let event = Event { code: Code::NotListed.number(), ..Event::of(Action::Login, &account.id) };
            let event = event.with(json!({ "by": "browser-session" }));
            self.trace.recorder().record(tx, pool, event).await?;
            return Ok(Issued::NotListed);
        }
        if !self.may_have(tx, &account.id).await? {
            return Ok(Issued::NeedsConsent);
        }
        let Some(granted) = self.codes.take(browser.granted, now) else { return Ok(Issued::TooOften) };
        let extends_to = self.extends_to.min(self.settings.session.latest_end(browser.created_at));
        browser_sessions::extend_granted(tx, pool, &self.browser, granted, now, extends_to).await?;
        let (session, began) = self.go_on(tx, &browser).await?;
        // One that asks again every hour is not a login each time.
        if self.is_silent && began {
            let details = json!({ "by": "browser-session", "session": session.as_str() });
            let event = Event::of(Action::Login, &account.id).with(details);
            self.trace.recorder().record(tx, pool, event).await?;
        }
        self.grant(tx, (browser.user, browser.facts), account, session).await
    }
}

impl IssueCode {
    /// Answers the request for an account that has logged in just now, in the same unit. The browser session is as new, and
    /// counts the request already. Neither a list nor a consent stands in the way.
    pub(crate) async fn issue_new(
        &self,
        tx: &mut Tx<'_>,
        facts: &Facts,
        account: User,
    ) -> Result<Issued, StoreError> {
        self.begin(tx, &account.id, facts).await?;
        let session = self.session.id.clone();
        self.grant(tx, (account.id.clone(), facts.clone()), account, session).await
    }

    /// Stores the code of a request that is granted. Clients know the user by the id that the login began with, even if the
    /// account was merged since.
    async fn grant(
        &self,
        tx: &mut Tx<'_>,
        (user, facts): (UserId, Facts),
        account: User,
        session: SessionId,
    ) -> Result<Issued, StoreError> {
        if let Some(code) = &self.code {
            let (session, facts) = (session.clone(), facts.clone());
            let code = NewAuthorizationCode { session, facts, ..code.clone() };
            authorization_codes::insert(tx, &self.pool, &code).await?;
        }
        let identities = if self.hands_user_over {
            identities::of_account(tx, &self.pool, &account.id).await?
        } else {
            Vec::new()
        };
        let user = Box::new(User { id: user, ..account });
        Ok(Issued::Done { user, session, facts, identities })
    }
}

/// Who is logged in to a browser session, if it is alive and its account has nothing to be through with. It is locked
/// until the unit ends.
pub(super) async fn logged_in(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &BrowserSessionId,
    settings: &PoolSettings,
    now: Timestamp,
) -> Result<Option<(LockedBrowserSession, User)>, StoreError> {
    let Some(browser) = browser_sessions::get_locked(tx, pool, id).await? else { return Ok(None) };
    if settings.session.end(browser.created_at, browser.last_used_at, browser.expires_at) <= now {
        return Ok(None);
    }
    let Some(own) = users::get(tx, pool, &browser.user).await? else { return Ok(None) };
    let account = users::survivor(tx, own).await?;
    let is_through = flow::stage_of(&account, settings, &browser.facts) == Stage::Done;
    Ok((unusable(&account).is_none() && is_through).then_some((browser, account)))
}

/// Stores what a person lets an application have, beside what they let it have before.
pub(super) async fn agree(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    application: &ApplicationId,
    wanted: &Consent,
    before: Consent,
    now: Timestamp,
) -> Result<(), StoreError> {
    consents::put(tx, pool, user, application, &before.union(wanted), now).await
}

impl IssueCode {
    /// Goes on with the session that the application has in this browser session, or begins one: an application that asks
    /// again every hour does not pile them up. Also says whether it began.
    async fn go_on(
        &self,
        tx: &mut Tx<'_>,
        browser: &LockedBrowserSession,
    ) -> Result<(SessionId, bool), StoreError> {
        let (pool, new, claims) = (&self.pool, &self.session, &self.request.claims);
        if let Some(present) = sessions::of_browser(tx, pool, &self.browser, &new.application).await? {
            let (login, now) = ((&browser.facts, claims), self.trace.at);
            sessions::go_on(tx, pool, &present, login, now, new.expires_at).await?;
            return Ok((present, false));
        }
        self.begin(tx, &browser.user, &browser.facts).await?;
        Ok((new.id.clone(), true))
    }

    /// Begins the session of the application.
    async fn begin(&self, tx: &mut Tx<'_>, user: &UserId, facts: &Facts) -> Result<(), StoreError> {
        let claims = &self.request.claims;
        let beneath = Beneath { browser: &self.browser, facts, claims, is_device: false };
        sessions::insert_beneath(tx, &self.pool, user, &self.session, beneath).await
    }

    /// Whether the application may have what it asks for. If the person just agreed, that is stored.
    async fn may_have(&self, tx: &mut Tx<'_>, user: &UserId) -> Result<bool, StoreError> {
        let Some(wanted) = &self.consent else { return Ok(true) };
        let (pool, application) = (&self.pool, &self.session.application);
        let before = consents::get(tx, pool, user, application).await?;
        if self.asks {
            let asks_again = self.request.prompts.has(Prompt::Consent);
            return Ok(!asks_again && before.is_some_and(|before| before.covers(wanted)));
        }
        agree(tx, pool, user, application, wanted, before.unwrap_or_default(), self.trace.at).await?;
        Ok(true)
    }
}
