//! The common part of every login, whatever the method: what it writes, and what it answers.

use std::sync::Arc;

use hufu_store::browser_sessions::BrowserSession;
use hufu_store::flows::NewFlow;
use hufu_store::rates::Hits;
use hufu_store::refresh_tokens::NewRefreshToken;
use hufu_store::sessions::NewSession;
use hufu_types::flow::{self, FlowState, RequestedTokens, Stage};
use hufu_types::refusal::Code;
use hufu_types::{
    Application, AuthorizationRequest, BindMethod, ConnectionId, Facts, FlowId, Method, OpaqueToken, PoolId,
    PoolSettings, SessionId, Timestamp, TokenPurpose, User,
};
use serde_json::{Map, Value};

use super::admission::Admission;
use super::finish::{BrowserBinding, CustomDataPatch, LoggedIn, LoginOutcome, LoginPlan, Waiting};
use crate::authorization::Issued;
use crate::authorization::dpop::{BEARER, unbound};
use crate::digest::hash_token;
use crate::origin::Origin;
use crate::people::profile::{Editor, ProfileChange, check_custom_data};
use crate::refusal::deletion_pending;
use crate::tokens::{IdTokenParts, Issue};
use crate::{App, Refusal, TokenSet, UserToken};

/// What a login issues.
#[derive(Clone, Debug)]
pub enum Tokens {
    /// A user token, for the v2 clients.
    User(UserToken),
    /// A token set.
    Set(Box<TokenSet>),
    /// None yet. The authorization request is answered with an authorization code.
    Authorization(Box<AuthorizationRequest>),
}

/// The answer to a login.
#[derive(Debug)]
pub enum LoginAnswer {
    /// The user is logged in.
    Done(Box<LoginDone>),
    /// The user has to complete a step first.
    Waiting(Box<FlowView>),
}

/// A login that succeeded.
#[derive(Debug)]
pub struct LoginDone {
    /// The user.
    pub user: User,
    /// Whether the login created the user.
    pub newly_created: bool,
    /// The user's OpenID in the WeChat app that they logged in through.
    pub openid: Option<String>,
    /// The user's UnionID in the WeChat Open Platform account.
    pub unionid: Option<String>,
    /// What the client receives.
    pub tokens: Tokens,
    /// The browser session that the login began, if it was for an authorization request.
    pub browser: Option<BrowserLogin>,
}

/// A browser session that a login began.
#[derive(Clone, Debug)]
pub struct BrowserLogin {
    /// The session.
    pub session: BrowserSession,
    /// The secret for the browser's cookie.
    pub secret: OpaqueToken,
    /// The answer to the request that the login was for, with the code that it may bring. None if it is still to be
    /// answered.
    pub issued: Option<(Issued, OpaqueToken)>,
}

/// A login that waits for the user's next step. `Debug` does not show the handle.
#[derive(Clone)]
pub struct FlowView {
    /// The id of the flow.
    pub id: FlowId,
    /// The handle that the next step must present: the flow's id, a dot, and a secret that changes with each
    /// step.
    pub handle: String,
    /// The stage that the login is at.
    pub stage: Stage,
    /// At [`Stage::Associate`]: whether the user may create an account.
    pub may_create: bool,
    /// At [`Stage::Associate`]: the ways to bind an existing account.
    pub methods: Vec<BindMethod>,
    /// At [`Stage::Select`]: the accounts to choose from.
    pub accounts: Vec<User>,
    /// At [`Stage::Select`]: whether they may be merged.
    pub may_merge: bool,
    /// At [`Stage::Complete`]: what is missing.
    pub missing: Vec<String>,
    /// At [`Stage::Agree`]: the agreements to accept.
    pub agreements: Vec<hufu_types::Agreement>,
    /// When the flow expires.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for FlowView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowView").field("id", &self.id).field("stage", &self.stage).finish_non_exhaustive()
    }
}

/// What a client asks for in a login, and what it sends along.
#[derive(Clone, Debug)]
pub struct LoginOptions {
    /// What the login issues at the end.
    pub requested: RequestedTokens,
    /// Custom data to store with the account.
    pub custom_data: Map<String, Value>,
}

impl From<RequestedTokens> for LoginOptions {
    fn from(requested: RequestedTokens) -> Self {
        Self { requested, custom_data: Map::new() }
    }
}

/// The input of [`App::prepare_login`].
pub(crate) struct LoginParameters<'a> {
    pub(crate) application: &'a Arc<Application>,
    /// The connection; [`ConnectionId::own`] for logins by password or code, and for registration.
    pub(crate) connection: ConnectionId,
    /// The login method: a connection's kind, `password`, `phone-code`, `email-code` or `register`.
    pub(crate) method: &'static str,
    /// How the user has authenticated so far.
    pub(crate) facts: Facts,
    pub(crate) requested: RequestedTokens,
    /// Custom data to store with the account.
    pub(crate) patch: CustomDataPatch,
    pub(crate) origin: &'a Origin,
    /// What the source proved, sealed for the flow `flow`. Empty if the rest of the login needs only the
    /// account.
    pub(crate) proof: Vec<u8>,
    pub(crate) flow: FlowId,
}

/// What a login writes, and the secrets kept for its answer.
pub(crate) struct PreparedLogin {
    pub(crate) plan: LoginPlan,
    pub(crate) secrets: LoginSecrets,
}

/// What the client receives if the login is permitted.
pub(crate) struct LoginSecrets {
    refresh: Option<OpaqueToken>,
    handle: OpaqueToken,
    browser: Option<OpaqueToken>,
    /// The code of the authorization response.
    code: Option<OpaqueToken>,
}

impl LoginSecrets {
    /// The secret that the next step of a waiting login must present.
    pub(crate) fn handle(&self) -> &OpaqueToken {
        &self.handle
    }
}

impl App {
    /// Checks the custom data that comes with a login.
    pub(crate) fn custom_data_patch(
        &self,
        pool: &PoolId,
        data: Map<String, Value>,
    ) -> Result<CustomDataPatch, Refusal> {
        let change = ProfileChange { custom_data: data, ..ProfileChange::default() };
        self.check_change(&change)?;
        check_custom_data(&self.config().settings(pool), &change.custom_data, Editor::Person)?;
        Ok(CustomDataPatch { data: change.custom_data, limits: self.custom_data_limits() })
    }

    pub(crate) fn new_flow_id(&self) -> FlowId {
        FlowId::generate(self.now(), &*self.random)
    }

    /// Refuses a login by an API to an application whose users are asked for consent, which is done on pages alone, and
    /// one for tokens that the application gets bound to a key alone, which only the token endpoint does.
    pub(crate) fn check_surface(
        application: &Application,
        requested: &RequestedTokens,
    ) -> Result<(), Refusal> {
        let is_on_page = matches!(requested, RequestedTokens::Authorization(_));
        if application.login.consent && !is_on_page {
            return Err(Code::ConsentNeeded.into());
        }
        let is_set = matches!(requested, RequestedTokens::TokenSet(_));
        if application.client.dpop_bound_access_tokens && is_set { Err(unbound()) } else { Ok(()) }
    }

    /// Prepares a login that does not go through a source.
    pub(crate) fn prepare_own_login(
        &self,
        application: &Arc<Application>,
        method: &'static str,
        proved: Method,
        (requested, patch): (RequestedTokens, CustomDataPatch),
        origin: &Origin,
    ) -> PreparedLogin {
        let (connection, flow) = (ConnectionId::own(), self.new_flow_id());
        let facts = Facts::of(proved, self.now());
        let proof = Vec::new();
        self.prepare_login(LoginParameters {
            application,
            connection,
            method,
            facts,
            requested,
            patch,
            origin,
            proof,
            flow,
        })
    }

    /// Prepares a login.
    pub(crate) fn prepare_login(&self, parameters: LoginParameters<'_>) -> PreparedLogin {
        let LoginParameters { application, connection, method, facts, requested, patch, origin, proof, flow } =
            parameters;
        let now = self.now();
        let mut settings = self.config().settings(&application.pool);
        if application.login.ways_to_register().is_empty() && settings.registration {
            // Nobody gets an account through this application, whatever proves who they are.
            settings = Arc::new(PoolSettings { registration: false, ..(*settings).clone() });
        }
        // A login for an authorization request begins a session of the browser. That of the application begins with
        // the answer to the request.
        let mut of_browser = match &requested {
            RequestedTokens::Authorization(request) => Some((request, self.new_browser_session(origin))),
            RequestedTokens::UserToken | RequestedTokens::TokenSet(_) => None,
        };
        let is_in_browser = of_browser.is_some();
        // In a browser with others, sessions of theirs may have to give way first.
        let alone = of_browser.as_ref().filter(|_| origin.is_alone);
        let answer = alone.and_then(|(request, (_, new))| {
            let (answer, code) = self.answer_of_login(application, request, &facts, &new.id, origin)?;
            let granted = answer.codes.take(Hits::NONE, now)?;
            Some((granted, (answer, code)))
        });
        let (granted, answer) = answer.unzip();
        if let (Some((_, (_, new))), Some(granted)) = (&mut of_browser, granted) {
            new.granted = granted;
        }
        let (answer, code) = answer.unzip();
        let (browser, binding) =
            of_browser.map(|(_, (secret, new))| (secret, BrowserBinding::New(new))).unzip();
        let refresh = match &requested {
            RequestedTokens::TokenSet(scope) => self.new_refresh_token(application, scope, None, &BEARER),
            RequestedTokens::UserToken | RequestedTokens::Authorization(_) => None,
        };
        let (refresh, refresh_token): (_, Option<NewRefreshToken>) = refresh.unzip();
        let handle = OpaqueToken::generate(TokenPurpose::Flow, &*self.random);
        let plan = LoginPlan {
            session: NewSession {
                id: SessionId::generate(now, &*self.random),
                application: application.id.clone(),
                connection: connection.clone(),
                created_at: now,
                expires_at: now.plus(application.lifetimes.session).min(settings.session.latest_end(now)),
                ip: origin.ip.clone(),
                user_agent: origin.user_agent.clone(),
            },
            refresh_token,
            settings,
            flow: NewFlow {
                id: flow,
                handle: hash_token(handle.expose()),
                cookie: origin.browser.clone().filter(|_| is_in_browser),
                proof,
                expires_at: now.plus(self.limits.flow_life),
            },
            requested,
            method,
            facts,
            patch,
            browser: binding,
            answer,
            passed: Vec::new(),
            admission: Admission::of(application),
            trace: self.trace(&application.pool, None, Some(&application.id), Some(&connection), origin),
        };
        PreparedLogin { plan, secrets: LoginSecrets { refresh, handle, browser, code } }
    }

    /// Answers a login: with tokens, with the step that it waits for, or with the reason for its refusal.
    pub(crate) fn conclude(
        &self,
        application: &Application,
        plan: &LoginPlan,
        secrets: LoginSecrets,
        outcome: LoginOutcome,
    ) -> Result<LoginAnswer, Refusal> {
        match outcome {
            LoginOutcome::LoggedIn(done) => {
                let done = self.answer(application, &plan.requested, secrets, *done)?;
                Ok(LoginAnswer::Done(Box::new(done)))
            }
            LoginOutcome::Waiting(waiting) => {
                Ok(LoginAnswer::Waiting(Box::new(self.waiting_view(plan, &secrets.handle, *waiting))))
            }
            LoginOutcome::LoginOnly => Err(Code::NoAccount.into()),
            LoginOutcome::RegistrationOff => Err(Code::RegistrationOff.into()),
            LoginOutcome::Snapshot => Err(Code::SnapshotUser.into()),
            LoginOutcome::NotListed => Err(Code::NotListed.into()),
            LoginOutcome::Disabled => Err(Code::Disabled.into()),
            LoginOutcome::DeletionPending(at) => Err(deletion_pending(at)),
            LoginOutcome::Ended => Err(Refusal::new(Code::CodeUsed)),
            LoginOutcome::CustomDataTooLarge(excess) => Err(excess.into()),
        }
    }

    fn answer(
        &self,
        application: &Application,
        requested: &RequestedTokens,
        secrets: LoginSecrets,
        done: LoggedIn,
    ) -> Result<LoginDone, Refusal> {
        let LoggedIn { user, newly_created, session, session_created_at, browser, issued, conflict } = done;
        metrics::counter!("hufu_logins_total", "outcome" => if newly_created { "created" } else { "known" })
            .increment(1);
        if let Some(conflict) = conflict {
            tracing::warn!(
                pool = %application.pool,
                application = %application.id,
                kind = conflict.kind.as_str(),
                chosen = %conflict.chosen,
                other = %conflict.other,
                "ids of one person name two accounts: nothing was moved, the conflict is recorded"
            );
            metrics::counter!("hufu_identity_conflicts_total").increment(1);
        }
        let tokens = match requested {
            RequestedTokens::UserToken => {
                Tokens::User(self.user_token(application, &user.id, &session, session_created_at)?)
            }
            RequestedTokens::TokenSet(scope) => {
                let (auth_time, binding, id_token) = (session_created_at, &BEARER, IdTokenParts::default());
                let (user, session) = (&user, &session);
                let issue =
                    Issue { application, user, session, auth_time, binding, id_token, resources: &[] };
                Tokens::Set(Box::new(self.token_set(&issue, scope, secrets.refresh)?))
            }
            RequestedTokens::Authorization(request) => Tokens::Authorization(request.clone()),
        };
        let (browser, issued) = (browser.zip(secrets.browser), issued.zip(secrets.code));
        let browser = browser.map(|(session, secret)| BrowserLogin { session, secret, issued });
        Ok(LoginDone { user, newly_created, openid: None, unionid: None, tokens, browser })
    }

    /// The view of a login that waits, with the handle for its next step.
    pub(crate) fn waiting_view(&self, plan: &LoginPlan, handle: &OpaqueToken, waiting: Waiting) -> FlowView {
        let Waiting { state, accounts } = waiting;
        let id = plan.flow.id.clone();
        let connection = self.config().connection(&plan.session.connection).cloned();
        let methods = connection.map(|connection| connection.association.methods.clone());
        FlowView {
            handle: format!("{id}.{}", handle.expose()),
            ..FlowView::of(
                id,
                &state,
                accounts,
                methods.unwrap_or_default(),
                &plan.settings,
                plan.flow.expires_at,
            )
        }
    }
}

impl FlowView {
    /// The view of a login that waits in this state, without a handle.
    pub(crate) fn of(
        id: FlowId,
        state: &FlowState,
        accounts: Vec<User>,
        methods: Vec<BindMethod>,
        settings: &PoolSettings,
        expires_at: Timestamp,
    ) -> Self {
        let user = accounts.iter().find(|user| Some(&user.id) == state.user.as_ref());
        Self {
            id,
            handle: String::new(),
            stage: state.stage,
            may_create: state.may_create,
            methods: if state.stage == Stage::Associate { methods } else { Vec::new() },
            missing: user
                .filter(|_| state.stage == Stage::Complete)
                .map(|user| flow::missing_fields(user, settings).map(str::to_owned).collect())
                .unwrap_or_default(),
            agreements: user
                .filter(|_| state.stage == Stage::Agree)
                .map(|user| flow::open_agreements(user, settings).cloned().collect())
                .unwrap_or_default(),
            accounts: if state.stage == Stage::Select { accounts } else { Vec::new() },
            may_merge: state.may_merge,
            expires_at,
        }
    }
}

impl LoginAnswer {
    /// The completed login.
    ///
    /// # Errors
    /// The view of the flow, if the login waits.
    pub fn done(self) -> Result<LoginDone, Box<FlowView>> {
        match self {
            Self::Done(done) => Ok(*done),
            Self::Waiting(view) => Err(view),
        }
    }

    /// Applies `change` to a completed login.
    pub(crate) fn map(self, change: impl FnOnce(LoginDone) -> LoginDone) -> Self {
        match self {
            Self::Done(done) => Self::Done(Box::new(change(*done))),
            waiting @ Self::Waiting(_) => waiting,
        }
    }
}

impl LoginDone {
    /// The user token, if one was requested.
    pub fn user_token(&self) -> Option<&UserToken> {
        match &self.tokens {
            Tokens::User(token) => Some(token),
            Tokens::Set(_) | Tokens::Authorization(_) => None,
        }
    }

    /// The token set, if one was requested.
    pub fn token_set(self) -> Option<TokenSet> {
        match self.tokens {
            Tokens::Set(tokens) => Some(*tokens),
            Tokens::User(_) | Tokens::Authorization(_) => None,
        }
    }
}
