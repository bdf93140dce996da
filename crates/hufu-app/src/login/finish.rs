//! The end of every login, whatever the method: checks, session and audit log.

use std::sync::Arc;

use hufu_store::browser_sessions::{self, BrowserSession, NewBrowserSession};
use hufu_store::flows::{self, NewFlow};
use hufu_store::refresh_tokens::{self, NewRefreshToken};
use hufu_store::sessions::{self, NewSession};
use hufu_store::users::{self, LoginRecord};
use hufu_store::{StoreError, Tx, conflicts};
use hufu_types::flow::{self, FlowState, RequestedTokens, Stage};
use hufu_types::refusal::Code;
use hufu_types::resolution::{Conflict, PhoneUse};
use hufu_types::{
    Action, BrowserSessionId, Facts, Method, PoolId, PoolSettings, SessionId, Timestamp, User, UserId,
};
use serde_json::{Map, Value, json};

use super::admission::Admission;
use crate::authorization::{IssueCode, Issued};
use crate::events::{Event, Recorder, Trace};
use crate::people::holders::{Unusable, unusable};
use crate::people::profile::{CustomDataLimits, Excess, changed_names};

/// What every login writes once its account is known, whatever the method.
#[derive(Clone, Debug)]
pub struct LoginPlan {
    /// The session, unless an existing one is resumed.
    pub session: NewSession,
    /// The refresh token, if one is issued.
    pub refresh_token: Option<NewRefreshToken>,
    /// The pool's settings: what it requires of accounts.
    pub settings: Arc<PoolSettings>,
    /// The flow, if the login has to wait.
    pub flow: NewFlow,
    /// What the login issues at the end.
    pub requested: RequestedTokens,
    /// The login method: a connection's kind, `password`, `phone-code`, `register` and so on.
    pub method: &'static str,
    /// How the user has authenticated so far.
    pub facts: Facts,
    /// Custom data that the client sends to be stored with the account.
    pub patch: CustomDataPatch,
    /// The browser session that the login starts or belongs to, if any.
    pub browser: Option<BrowserBinding>,
    /// The stages at which the login has waited already.
    pub passed: Vec<Stage>,
    /// The answer to the authorization request that the login is for, where nobody else is logged in to the browser.
    pub answer: Option<Box<IssueCode>>,
    /// Whom the application lets log in.
    pub admission: Admission,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

/// Custom data that comes with a login, checked against the pool's declared fields. It is stored once the
/// user is logged in. If the account has no room for it, the login is refused: otherwise nobody would learn
/// that the data was dropped.
#[derive(Clone, Debug, Default)]
pub struct CustomDataPatch {
    /// The data; null removes a key.
    pub data: Map<String, Value>,
    /// The limits on an account's custom data.
    pub limits: CustomDataLimits,
}

/// How a login relates to a browser session.
#[derive(Clone, Debug)]
pub enum BrowserBinding {
    /// It starts a new browser session.
    New(NewBrowserSession),
    /// It belongs to an existing browser session.
    Existing(BrowserSessionId),
}

/// The outcome of a login.
#[derive(Debug)]
pub enum LoginOutcome {
    /// The user is logged in.
    LoggedIn(Box<LoggedIn>),
    /// The user has to complete a step first.
    Waiting(Box<Waiting>),
    /// No account has these ids, and the connection does not create users.
    LoginOnly,
    /// No account has these ids, and registration is off in the pool.
    RegistrationOff,
    /// A virtual user of WeChat's "snapshot page".
    Snapshot,
    /// The application does not list the account, and lets only those log in whom it lists.
    NotListed,
    /// The account is disabled.
    Disabled,
    /// The owner deleted the account. It will be erased at this time.
    DeletionPending(Timestamp),
    /// The same code was used before, and the session that it started has ended (logout or revocation). Also
    /// if the browser session that the login belongs to has ended.
    Ended,
    /// The account has no room for the custom data that came with the login.
    CustomDataTooLarge(Excess),
}

impl LoginOutcome {
    /// The refusal code for the audit log, which is also what clients receive. None if the login was not
    /// refused.
    pub const fn code(&self) -> Option<u32> {
        match self {
            Self::LoggedIn(_) | Self::Waiting(_) => None,
            Self::LoginOnly => Some(Code::NoAccount.number()),
            Self::RegistrationOff => Some(Code::RegistrationOff.number()),
            Self::Snapshot => Some(Code::SnapshotUser.number()),
            Self::NotListed => Some(Code::NotListed.number()),
            Self::Disabled => Some(Code::Disabled.number()),
            Self::DeletionPending(_) => Some(Code::DeletionPending.number()),
            Self::Ended => Some(Code::CodeUsed.number()),
            Self::CustomDataTooLarge(_) => Some(Code::Invalid.number()),
        }
    }
}

impl From<Unusable> for LoginOutcome {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Disabled => Self::Disabled,
            Unusable::DeletionPending(at) => Self::DeletionPending(at),
        }
    }
}

/// A login that has been written.
#[derive(Debug)]
pub struct LoggedIn {
    /// The user after the login.
    pub user: User,
    /// Whether the login created the user.
    pub newly_created: bool,
    /// The session.
    pub session: SessionId,
    /// When the session started, or the one whose user lent it.
    pub session_created_at: Timestamp,
    /// The browser session that the login began.
    pub browser: Option<BrowserSession>,
    /// The answer of [`LoginPlan::answer`].
    pub issued: Option<Issued>,
    /// Ids that lead to different accounts, for the log.
    pub conflict: Option<Conflict>,
}

/// A login that waits for the user's next step.
#[derive(Debug)]
pub struct Waiting {
    /// The state of the flow.
    pub state: FlowState,
    /// The accounts involved, to show to the user.
    pub accounts: Vec<User>,
}

/// How a login reached its account.
#[derive(Debug, Default)]
pub(super) struct LoginProgress {
    /// Whether it created the account.
    pub(super) newly_created: bool,
    /// A session to resume.
    pub(super) resumed_session: Option<(SessionId, Timestamp)>,
    /// Ids that lead to different accounts.
    pub(super) conflict: Option<Conflict>,
    /// How the user authenticated in this step, in addition to the plan's facts.
    pub(super) proved: Option<Method>,
    /// More details for the audit log.
    pub(super) details: serde_json::Map<String, serde_json::Value>,
}

impl LoginProgress {
    /// The facts of the login, including this step.
    pub(super) fn facts(&self, plan: &LoginPlan) -> Facts {
        let facts = plan.facts.clone();
        match self.proved {
            Some(method) => facts.and(method, plan.trace.at),
            None => facts,
        }
    }
}

/// Logs in an account whose login name or identity has been proved: checks, session and audit log. Refusals
/// are recorded in the audit log as well. The login must already be counted ([`count_login`], or in the new
/// user).
pub(super) async fn finish(
    tx: &mut Tx<'_>,
    plan: &LoginPlan,
    events: &mut Recorder<'_>,
    user: User,
    progress: LoginProgress,
) -> Result<LoginOutcome, StoreError> {
    let pool = user.pool.clone();
    if let Some(refused) = unusable(&user) {
        return refuse(tx, plan, events, &pool, Some(&user.id), refused.into()).await;
    }
    // In a browser the answer to the request decides, since other applications of the pool may be used.
    let is_decided_later = matches!(plan.requested, RequestedTokens::Authorization(_));
    if !is_decided_later && !plan.admission.admits(tx, &pool, &user.id).await? {
        return refuse(tx, plan, events, &pool, Some(&user.id), LoginOutcome::NotListed).await;
    }
    if let Some(conflict) = &progress.conflict {
        conflicts::record(tx, &pool, &plan.session.connection, conflict, plan.trace.at).await?;
        let disagree = json!({ "kind": conflict.kind.as_str(), "other": conflict.other.as_str() });
        events.record(tx, &pool, Event::of(Action::IdentityConflict, &user.id).with(disagree)).await?;
    }
    let facts = progress.facts(plan);
    let stage = flow::stage_of(&user, &plan.settings, &facts);
    if stage != Stage::Done {
        let (user, newly_created) = (Some(user.id.clone()), progress.newly_created);
        let state = FlowState { user, newly_created, facts, ..plan.waiting_at(stage) };
        return wait(tx, &pool, plan, state).await;
    }
    log_in(tx, plan, events, user, &facts, progress).await
}

/// Starts the session of an account that has passed all checks.
async fn log_in(
    tx: &mut Tx<'_>,
    plan: &LoginPlan,
    events: &mut Recorder<'_>,
    mut user: User,
    facts: &Facts,
    progress: LoginProgress,
) -> Result<LoginOutcome, StoreError> {
    let (pool, now) = (user.pool.clone(), plan.trace.at);
    let before = user.custom_data.clone();
    let CustomDataPatch { data, limits } = &plan.patch;
    if !data.is_empty()
        && let Err(excess) = limits.merge(&mut user.custom_data, data)?
    {
        return refuse(tx, plan, events, &pool, Some(&user.id), LoginOutcome::CustomDataTooLarge(excess))
            .await;
    }
    let mut began = None;
    let (session, session_created_at) = if let Some(resumed_session) = progress.resumed_session {
        resumed_session
    } else {
        let browser = match &plan.browser {
            None => None,
            Some(BrowserBinding::New(new)) => {
                began = Some(browser_sessions::insert(tx, &pool, &user.id, facts, new).await?);
                Some(&new.id)
            }
            Some(BrowserBinding::Existing(id)) if belongs_to(tx, &user, id, now).await? => Some(id),
            Some(BrowserBinding::Existing(_)) => {
                return refuse(tx, plan, events, &pool, Some(&user.id), LoginOutcome::Ended).await;
            }
        };
        let mut details = progress.details;
        details.extend(login_details(plan.method, facts));
        if !plan.passed.is_empty() {
            details.insert("waited".to_owned(), stages(&plan.passed));
        }
        if let (RequestedTokens::Authorization(_), Some(browser)) = (&plan.requested, browser) {
            // The answer to the request begins the session of the application.
            details.insert("browser_session".to_owned(), browser.as_str().into());
        } else {
            begin_session(tx, plan, &user, browser, facts).await?;
            details.insert("session".to_owned(), plan.session.id.as_str().into());
        }
        let event = Event::of(Action::Login, &user.id).with(details.into());
        events.record(tx, &pool, event).await?;
        (plan.session.id.clone(), facts.lent_at().unwrap_or(now))
    };
    let changed = changed_names((&user.profile, &before), (&user.profile, &user.custom_data));
    if !changed.is_empty() {
        users::set_profile(tx, &mut user, now).await?;
        let event = Event::of(Action::UserUpdated, &user.id).with(json!({ "changed": changed }));
        events.record(tx, &pool, event).await?;
    }
    if let Some(token) = &plan.refresh_token {
        refresh_tokens::insert(tx, &pool, &session, &plan.session.application, token, now).await?;
    }
    let issued = match (&plan.answer, &began) {
        (Some(answer), Some(browser)) => {
            Some(Box::pin(answer.issue_new(tx, &browser.facts, user.clone())).await?)
        }
        _ => None,
    };
    let (newly_created, conflict) = (progress.newly_created, progress.conflict);
    Ok(LoginOutcome::LoggedIn(Box::new(LoggedIn {
        user,
        newly_created,
        session,
        session_created_at,
        browser: began,
        issued,
        conflict,
    })))
}

/// Begins the session of a login. One that an app confirmed counts from the login there, and ends when that must.
async fn begin_session(
    tx: &mut Tx<'_>,
    plan: &LoginPlan,
    user: &User,
    browser: Option<&BrowserSessionId>,
    facts: &Facts,
) -> Result<(), StoreError> {
    let (pool, id) = (&user.pool, &user.id);
    let Some(lent_at) = facts.lent_at() else {
        return sessions::insert(tx, pool, id, &plan.session, browser).await;
    };
    let expires_at = plan.session.expires_at.min(plan.settings.session.latest_end(lent_at));
    let session = NewSession { expires_at, ..plan.session.clone() };
    sessions::insert_lent(tx, pool, id, &session, facts).await
}

/// Whether a browser session belongs to this account and has not expired. If so, it is locked until the unit
/// of work ends.
async fn belongs_to(
    tx: &mut Tx<'_>,
    user: &User,
    id: &BrowserSessionId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(found) = browser_sessions::get_locked(tx, &user.pool, id).await? else { return Ok(false) };
    let (owner, expires_at) = (found.user, found.expires_at);
    if owner == user.id {
        return Ok(expires_at > now);
    }
    let merged = users::get(tx, &user.pool, &owner).await?.and_then(|owner| owner.merged_into);
    Ok(merged.as_ref() == Some(&user.id) && expires_at > now)
}

/// The login method for the audit log. If the user authenticated by more than one method, they are listed as
/// well.
pub(super) fn login_details(method: &str, facts: &Facts) -> serde_json::Map<String, serde_json::Value> {
    let mut details = serde_json::Map::from_iter([("by".to_owned(), method.into())]);
    let methods: Vec<&str> = facts.methods().into_iter().map(Method::as_str).collect();
    if methods.len() > 1 {
        details.insert("methods".to_owned(), methods.into());
    }
    details
}

/// Suspends a login until the user's next step.
pub(super) async fn wait(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    plan: &LoginPlan,
    state: FlowState,
) -> Result<LoginOutcome, StoreError> {
    let (session, flow) = (&plan.session, &plan.flow);
    flows::insert(tx, pool, &session.application, &session.connection, flow, &state, plan.trace.at).await?;
    let accounts = accounts_of(tx, pool, &state).await?;
    Ok(LoginOutcome::Waiting(Box::new(Waiting { state, accounts })))
}

/// The accounts that a waiting login involves.
pub(super) async fn accounts_of(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    state: &FlowState,
) -> Result<Vec<User>, StoreError> {
    let mut accounts = Vec::new();
    for id in state.candidates.iter().chain(&state.user) {
        accounts.extend(users::get(tx, pool, id).await?);
    }
    Ok(accounts)
}

/// Refuses a login, and records the refusal in the audit log.
pub(super) async fn refuse(
    tx: &mut Tx<'_>,
    plan: &LoginPlan,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    user: Option<&UserId>,
    outcome: LoginOutcome,
) -> Result<LoginOutcome, StoreError> {
    if let Some(code) = outcome.code() {
        record_refused_login(tx, events, pool, user, code, plan.method).await?;
    }
    Ok(outcome)
}

/// Counts a login of a known user, and returns the user as it is now. The row is locked from here on.
///
/// # Errors
/// [`StoreError::LostRace`] if the account was disabled or merged in the meantime.
pub(super) async fn count_login(
    tx: &mut Tx<'_>,
    plan: &LoginPlan,
    pool: &PoolId,
    user: &UserId,
) -> Result<User, StoreError> {
    record_login(tx, plan, pool, user, 1).await
}

/// Records a login of a known user that counts as `counts` logins, as [`count_login`] does.
pub(super) async fn record_login(
    tx: &mut Tx<'_>,
    plan: &LoginPlan,
    pool: &PoolId,
    user: &UserId,
    counts: i64,
) -> Result<User, StoreError> {
    let login = LoginRecord {
        at: plan.trace.at,
        ip: plan.session.ip.as_deref(),
        application: &plan.session.application,
        counts,
    };
    let user = users::record_login(tx, pool, user, login).await?.ok_or(StoreError::LostRace)?;
    if !user.is_active() || user.merged_into.is_some() {
        return Err(StoreError::LostRace);
    }
    Ok(user)
}

/// If the account may not log in, records the refusal in the audit log and returns it.
pub(super) async fn refuse_unusable(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    user: &User,
    by: &'static str,
) -> Result<Option<LoginOutcome>, StoreError> {
    let Some(refused) = unusable(user) else { return Ok(None) };
    let code = match refused {
        Unusable::DeletionPending(_) => Code::DeletionPending.number(),
        Unusable::Disabled => Code::Disabled.number(),
    };
    record_refused_login(tx, events, &user.pool, Some(&user.id), code, by).await?;
    Ok(Some(refused.into()))
}

pub(super) async fn record_refused_login(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    user: Option<&UserId>,
    code: u32,
    by: &'static str,
) -> Result<(), StoreError> {
    let event = Event { action: Action::Login, code, user, details: json!({ "by": by }) };
    events.record(tx, pool, event).await
}

impl LoginPlan {
    pub(super) fn waiting_at(&self, stage: Stage) -> FlowState {
        FlowState {
            stage,
            requested: self.requested.clone(),
            facts: self.facts.clone(),
            may_create: false,
            candidates: Vec::new(),
            may_merge: false,
            user: None,
            newly_created: false,
            phone_use: PhoneUse::default(),
            passed: self.passed.clone(),
        }
    }
}

/// Stages, for the audit log.
fn stages(stages: &[Stage]) -> Value {
    stages.iter().map(|stage| Value::from(stage.as_str())).collect()
}

/// Records that a waiting login has ended without the person being logged in, and why.
pub(super) async fn record_abandoned(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    state: &FlowState,
    reason: &'static str,
) -> Result<(), StoreError> {
    let waited: Vec<Stage> = state.passed.iter().copied().chain([state.stage]).collect();
    let details = json!({ "waited": stages(&waited), "reason": reason });
    let event = Event { action: Action::LoginAbandoned, code: 0, user: state.user.as_ref(), details };
    events.record(tx, pool, event).await
}
