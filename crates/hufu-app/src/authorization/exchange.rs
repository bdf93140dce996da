//! The authorization code grant (RFC 6749 section 4.1.3): a code becomes tokens, once.

use async_recursion::async_recursion as boxed;
use hufu_protocol::pkce;
use hufu_store::authorization_codes::{self, AuthorizationCode};
use hufu_store::refresh_tokens::{self, NewRefreshToken};
use hufu_store::sessions::{self, Session};
use hufu_store::{StoreError, Tx, Write, endings, users};
use hufu_types::refusal::Code;
use hufu_types::{
    Action, Application, ApplicationId, Facts, OpaqueToken, PoolId, ScopeSet, SessionId, SessionRules,
    Thumbprint, Timestamp, TokenAuth, TokenHash, TokenPurpose, User, UserId,
};
use serde_json::{Map, Value, json};

use super::dpop::Binding;
use super::resources::are_granted;
use crate::digest::hash_token;
use crate::events::{Event, Trace};
use crate::people::holders::unusable;
use crate::tokens::refresh::group_key;
use crate::tokens::{IdTokenParts, Issue};
use crate::{App, Origin, Refusal, TokenSet};

/// What a client brings to the token endpoint for an authorization code.
#[derive(Clone)]
pub struct CodeGrant<'a> {
    /// The code.
    pub code: &'a str,
    /// The redirect URI that it came to.
    pub redirect_uri: &'a str,
    /// The PKCE verifier.
    pub verifier: Option<&'a str>,
    /// The resources that the access token is for, of those that were granted. Empty: all of them.
    pub resources: Vec<String>,
}

impl App {
    /// Exchanges an authorization code for tokens.
    ///
    /// # Errors
    /// [`Code::AuthorizationCodeInvalid`], whatever is wrong with it. [`Code::TargetInvalid`].
    #[boxed]
    pub async fn exchange_code<'a>(
        &'a self,
        application: &Application,
        client_auth: TokenAuth,
        grant: CodeGrant<'a>,
        binding: &Binding,
        origin: &Origin,
    ) -> Result<TokenSet, Refusal> {
        let asked = grant.resources.clone();
        self.check_resources(&application.pool, &asked)?;
        let (unit, refresh) = self.exchange_unit(application, client_auth, grant, binding, origin);
        match self.write(unit).await? {
            Exchanged::Done(opened) => {
                let Opened {
                    session,
                    user,
                    account: _,
                    facts,
                    scopes,
                    resources,
                    nonce,
                    claims,
                    asks_for_acr,
                    auth_time,
                    renews,
                } = *opened;
                let resources = &self.target(&application.pool, asked, resources)?;
                let id_token = IdTokenParts {
                    facts: Some(&facts),
                    nonce: nonce.as_deref(),
                    code: None,
                    claims: Some(&claims),
                    acr: asks_for_acr,
                };
                let session = &session;
                let issue =
                    Issue { application, user: &user, session, auth_time, binding, id_token, resources };
                self.token_set(&issue, &scopes, renews.then_some(refresh))
            }
            Exchanged::Unknown => Err(Code::AuthorizationCodeInvalid.into()),
            Exchanged::NotGranted => Err(Code::TargetInvalid.because("the resource was not granted")),
            Exchanged::Ended(session) => Err(self.code_was_reused(&session, &application.id)),
        }
    }

    /// The unit that exchanges a code, and the refresh token that it may issue.
    pub(crate) fn exchange_unit(
        &self,
        application: &Application,
        client_auth: TokenAuth,
        grant: CodeGrant<'_>,
        binding: &Binding,
        origin: &Origin,
    ) -> (ExchangeCode, OpaqueToken) {
        let CodeGrant { code, redirect_uri, verifier, resources } = grant;
        let now = self.now();
        let refresh = OpaqueToken::generate(TokenPurpose::Refresh, &*self.random);
        let unit = ExchangeCode {
            pool: application.pool.clone(),
            application: application.id.clone(),
            code: hash_token(code),
            redirect_uri: Some(redirect_uri.to_owned()),
            verifier: verifier.map(str::to_owned),
            key: binding.key().cloned(),
            resources,
            refresh: NewRefreshToken {
                hash: hash_token(refresh.expose()),
                scope: ScopeSet::default(),
                expires_at: now.plus(application.lifetimes.refresh_token),
                client_auth: Some(client_auth),
                key: binding.renewing_key(Some(client_auth)),
                resources: Vec::new(),
            },
            session_ends: now.plus(application.lifetimes.session),
            rules: self.config().settings(&application.pool).session,
            trace: self.trace(&application.pool, None, Some(&application.id), None, origin),
        };
        (unit, refresh)
    }

    /// The refusal of a code that was used before, and whose session a unit has ended.
    pub(crate) fn code_was_reused(&self, session: &SessionId, application: &ApplicationId) -> Refusal {
        self.forget_session(session);
        tracing::warn!(%session, %application, "an authorization code was used twice: its session is ended");
        metrics::counter!("hufu_code_reuse_total").increment(1);
        Code::AuthorizationCodeInvalid.into()
    }
}

/// Exchanges an authorization code.
pub struct ExchangeCode {
    /// The pool.
    pub pool: PoolId,
    /// The application that presents it.
    pub application: ApplicationId,
    /// The hash of the code.
    pub code: TokenHash,
    /// The redirect URI of the token request. None: the code is a ticket, which brings nothing else.
    pub redirect_uri: Option<String>,
    /// The PKCE verifier of the token request.
    pub verifier: Option<String>,
    /// The key whose proof the token request brought.
    pub key: Option<Thumbprint>,
    /// The resources of the token request.
    pub resources: Vec<String>,
    /// The refresh token, if one is issued. The unit fills in the scope and the resources.
    pub refresh: NewRefreshToken,
    /// When the session ends.
    pub session_ends: Timestamp,
    /// How long sessions live.
    pub rules: SessionRules,
    /// Where the request comes from, and when.
    pub trace: Trace,
}

/// The outcome of an exchange.
#[derive(Debug)]
pub enum Exchanged {
    /// The session is open.
    Done(Box<Opened>),
    /// There is no such code for this application, it has expired, its session or account is gone, or the request is not
    /// by whoever asked for it: then it is worth nothing any more.
    Unknown,
    /// The request names a resource that was not granted. The code can still be used.
    NotGranted,
    /// The code was used before. What it opened has ended.
    Ended(SessionId),
}

/// What a code opened.
#[derive(Debug)]
pub struct Opened {
    pub(crate) session: SessionId,
    /// The account, with the id that the tokens name.
    pub(super) user: User,
    /// The id of the account.
    pub(crate) account: UserId,
    facts: Facts,
    scopes: ScopeSet,
    /// The resources that were granted.
    resources: Vec<String>,
    pub(crate) nonce: Option<String>,
    claims: Map<String, Value>,
    asks_for_acr: bool,
    pub(crate) auth_time: Timestamp,
    /// Whether a refresh token was issued.
    renews: bool,
}

impl Write for ExchangeCode {
    type Out = Exchanged;

    /// Two that bring one code never share a transaction: the second has to see that it was used.
    fn group(&self) -> Option<u64> {
        Some(group_key(&self.pool, self.code.as_bytes()))
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Exchanged, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        // Of two that bring the same code, the second waits here, and sees that it was used. A code of another
        // application is not spent: whoever stole it must not spoil the login of its owner.
        let Some(code) = authorization_codes::claim(tx, pool, &self.code, &self.application, now).await?
        else {
            let found = authorization_codes::get_locked(tx, pool, &self.code).await?;
            let used = found.filter(|code| code.application == self.application && code.used_at.is_some());
            return match used {
                Some(code) => self.end(tx, &code).await,
                None => Ok(Exchanged::Unknown),
            };
        };
        if !self.is_its_client(&code) {
            // Worth nothing any more. What else the session holds is not its fault.
            authorization_codes::delete(tx, pool, &self.code).await?;
            return Ok(Exchanged::Unknown);
        }
        if !are_granted(&self.resources, &code.request.resources) {
            // A mistake of the client's own, which it may mend.
            authorization_codes::release(tx, pool, &self.code).await?;
            return Ok(Exchanged::NotGranted);
        }
        match sessions::get(tx, pool, &code.session).await? {
            Some(session) if session.user_is_active => self.open(tx, code, session).await,
            _ => Ok(Exchanged::Unknown),
        }
    }
}

impl ExchangeCode {
    /// Whether the token request is by whoever made the authorization request.
    fn is_its_client(&self, code: &AuthorizationCode) -> bool {
        let answers = match (&code.request.code_challenge, &self.verifier) {
            (Some(challenge), Some(verifier)) => pkce::answers(verifier, &challenge.challenge),
            (None, None) => true,
            // A verifier without a challenge: the challenge was taken out of the request on its way (RFC 9700 4.8.2).
            (Some(_), None) | (None, Some(_)) => false,
        };
        let has_key = code.request.dpop_jkt.is_none() || code.request.dpop_jkt == self.key;
        let is_asked_so = match &self.redirect_uri {
            Some(uri) => code.request.social.is_none() && code.request.redirect_uri == *uri,
            None => code.request.social.is_some(),
        };
        answers && has_key && is_asked_so
    }

    /// Ends what the code opened.
    async fn end(&self, tx: &mut Tx<'_>, code: &AuthorizationCode) -> Result<Exchanged, StoreError> {
        let pool = &self.pool;
        let session = sessions::get(tx, pool, &code.session).await?;
        endings::one(tx, pool, &code.session, self.trace.at).await?;
        if let Some(session) = session {
            let details = json!({ "session": code.session.as_str(), "token": "code" });
            let event = Event::of(Action::TokenReused, &session.account).with(details);
            self.trace.recorder().record(tx, pool, event).await?;
        }
        Ok(Exchanged::Ended(code.session.clone()))
    }

    async fn open(
        &self,
        tx: &mut Tx<'_>,
        code: AuthorizationCode,
        session: Session,
    ) -> Result<Exchanged, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let account = users::get(tx, pool, &session.account).await?;
        let Some(account) = account.filter(|account| unusable(account).is_none()) else {
            return Ok(Exchanged::Unknown);
        };
        let latest = self.rules.latest_end(session.auth_time());
        let expires_at = self.session_ends.min(latest);
        if !sessions::prolong(tx, pool, &code.session, now, expires_at).await? {
            // Somebody ended it since.
            return Err(StoreError::LostRace);
        }
        let (scopes, resources) = (code.request.scopes, code.request.resources);
        let renews = scopes.has(hufu_types::Scope::OfflineAccess);
        if renews {
            let expires_at = self.refresh.expires_at.min(latest);
            let (scope, resources) = (scopes.clone(), resources.clone());
            let refresh = NewRefreshToken { scope, expires_at, resources, ..self.refresh.clone() };
            refresh_tokens::insert(tx, pool, &code.session, &self.application, &refresh, now).await?;
        }
        Ok(Exchanged::Done(Box::new(Opened {
            session: code.session,
            account: session.account,
            auth_time: code.facts.auth_time().unwrap_or(session.created_at),
            user: User { id: session.user, ..account },
            facts: code.facts,
            scopes,
            resources,
            nonce: code.request.nonce,
            claims: code.request.claims,
            asks_for_acr: !code.request.acr_values.is_empty(),
            renews,
        })))
    }
}
