//! What every login ends in, whichever way the person came: its checks, its session, the audit log.

use std::sync::Arc;

use hufu_store::browser_sessions::{self, NewBrowserSession};
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

use crate::events::{Event, Recorder, Trace};
use crate::people::holders::{Unusable, unusable};
use crate::people::profile::{CustomDataLimits, Excess, changed_names};

/// What every login writes once its account is known, however the person came.
#[derive(Clone, Debug)]
pub struct LoginPlan {
    /// The session, if none goes on.
    pub session: NewSession,
    /// The refresh token, where one is wanted.
    pub refresh_token: Option<NewRefreshToken>,
    /// What the pool asks of accounts.
    pub settings: Arc<PoolSettings>,
    /// The flow, if the login has to wait.
    pub flow: NewFlow,
    /// What the login ends with.
    pub requested: RequestedTokens,
    /// By what the person came: a connection's kind, `password`, `phone-code`, `register` and so on.
    pub method: &'static str,
    /// What they have proved themselves with so far.
    pub facts: Facts,
    /// What the client sends to be kept with the account.
    pub patch: CustomDataPatch,
    /// The browser session that the login begins or belongs to, where there is one.
    pub browser: Option<BrowserBinding>,
    /// Who does it, from where and when.
    pub trace: Trace,
}

/// Custom data that comes with a login, checked against what the pool declares. It is kept once the person is in; where the
/// account has no room for it, nobody is logged in, since nobody would learn otherwise that something was not kept.
#[derive(Clone, Debug, Default)]
pub struct CustomDataPatch {
    /// The data; null removes a key.
    pub data: Map<String, Value>,
    /// How much an account may have.
    pub limits: CustomDataLimits,
}

/// How a login belongs to a browser.
#[derive(Clone, Debug)]
pub enum BrowserBinding {
    /// It begins the session of the browser.
    New(NewBrowserSession),
    /// It belongs to a session that the browser has.
    Existing(BrowserSessionId),
}

/// What came of a login.
#[derive(Debug)]
pub enum LoginOutcome {
    /// The person is in.
    LoggedIn(Box<LoggedIn>),
    /// The person has a step to take first.
    Waiting(Box<Waiting>),
    /// Nobody is known by these ids, and the connection makes no users.
    LoginOnly,
    /// Nobody is known by these ids, and the pool makes no users.
    RegistrationOff,
    /// A virtual user of WeChat's "snapshot page".
    Snapshot,
    /// The account is switched off.
    Disabled,
    /// The account was deleted by its owner, and is gone for good at this time.
    DeletionPending(Timestamp),
    /// The login that the same code began before is over: logged out, or revoked.
    Ended,
    /// The account has no room for the custom data that came with the login.
    CustomDataTooLarge(Excess),
}

impl LoginOutcome {
    /// The code of the refusal in the audit log, where it is one; the same as clients get.
    pub const fn code(&self) -> Option<u32> {
        match self {
            Self::LoggedIn(_) | Self::Waiting(_) => None,
            Self::LoginOnly => Some(Code::NoAccount.number()),
            Self::RegistrationOff => Some(Code::RegistrationOff.number()),
            Self::Snapshot => Some(Code::SnapshotUser.number()),
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

/// A login that was written.
#[derive(Debug)]
pub struct LoggedIn {
    /// The user as it is now.
    pub user: User,
    /// Whether the user was made.
    pub newly_created: bool,
    /// The session.
    pub session: SessionId,
    /// When the session began.
    pub session_created_at: Timestamp,
    /// Ids that disagree, for the log.
    pub conflict: Option<Conflict>,
}

/// A login that waits for the person.
#[derive(Debug)]
pub struct Waiting {
    /// Where it stands.
    pub state: FlowState,
    /// The accounts that it is about, to show to the person.
    pub accounts: Vec<User>,
}

/// How a login came to its account.
#[derive(Debug, Default)]
pub(super) struct LoginProgress {
    /// Whether it made the account.
    pub(super) newly_created: bool,
    /// A session that goes on.
    pub(super) resumed_session: Option<(SessionId, Timestamp)>,
    /// Ids that disagree.
    pub(super) conflict: Option<Conflict>,
    /// What the person proved themselves with in this step, besides the facts of the ticket.
    pub(super) proved: Option<Method>,
    /// What else the audit log should know.
    pub(super) details: serde_json::Map<String, serde_json::Value>,
}

impl LoginProgress {
    /// The facts of the login with this step.
    pub(super) fn facts(&self, plan: &LoginPlan) -> Facts {
        let facts = plan.facts.clone();
        match self.proved {
            Some(method) => facts.and(method, plan.trace.at),
            None => facts,
        }
    }
}

/// Logs an account in whose names or identity were proved: its checks, its session, the audit log, which is told
/// of a refusal as well. The login is counted before ([`count_login`], or in the new user).
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

/// Begins the session of an account that is through with everything.
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
    let (session, session_created_at) = if let Some(resumed_session) = progress.resumed_session {
        resumed_session
    } else {
        let browser = match &plan.browser {
            None => None,
            Some(BrowserBinding::New(new)) => {
                browser_sessions::insert(tx, &pool, &user.id, facts, new).await?;
                Some(&new.id)
            }
            Some(BrowserBinding::Existing(id)) if belongs_to(tx, &user, id, now).await? => Some(id),
            Some(BrowserBinding::Existing(_)) => {
                return refuse(tx, plan, events, &pool, Some(&user.id), LoginOutcome::Ended).await;
            }
        };
        sessions::insert(tx, &pool, &user.id, &plan.session, browser).await?;
        let mut details = progress.details;
        details.extend(login_details(plan.method, facts));
        details.insert("session".to_owned(), plan.session.id.as_str().into());
        let event = Event::of(Action::Login, &user.id).with(details.into());
        events.record(tx, &pool, event).await?;
        (plan.session.id.clone(), now)
    };
    let changed = changed_names((&user.profile, &before), (&user.profile, &user.custom_data));
    if !changed.is_empty() {
        user.updated_at = now;
        users::set_profile(tx, &user.id, &pool, &user.profile, &user.custom_data, now).await?;
        let event = Event::of(Action::UserUpdated, &user.id).with(json!({ "changed": changed }));
        events.record(tx, &pool, event).await?;
    }
    if let Some(token) = &plan.refresh_token {
        refresh_tokens::insert(tx, &pool, &session, &plan.session.application, token, now).await?;
    }
    let (newly_created, conflict) = (progress.newly_created, progress.conflict);
    Ok(LoginOutcome::LoggedIn(Box::new(LoggedIn {
        user,
        newly_created,
        session,
        session_created_at,
        conflict,
    })))
}

/// Whether a browser session is this account's and alive; then it is until the unit ends.
async fn belongs_to(
    tx: &mut Tx<'_>,
    user: &User,
    id: &BrowserSessionId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some((owner, expires_at)) = browser_sessions::get_locked(tx, &user.pool, id).await? else {
        return Ok(false);
    };
    if owner == user.id {
        return Ok(expires_at > now);
    }
    let merged = users::get(tx, &user.pool, &owner).await?.and_then(|owner| owner.merged_into);
    Ok(merged.as_ref() == Some(&user.id) && expires_at > now)
}

/// By what a person came, as the audit log names it; and what they proved themselves with, where that says more.
pub(super) fn login_details(method: &str, facts: &Facts) -> serde_json::Map<String, serde_json::Value> {
    let mut details = serde_json::Map::from_iter([("by".to_owned(), method.into())]);
    let methods: Vec<&str> = facts.methods().into_iter().map(Method::as_str).collect();
    if methods.len() > 1 {
        details.insert("methods".to_owned(), methods.into());
    }
    details
}

/// Lets a login wait.
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

/// The accounts that a waiting login is about.
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

/// Refuses a login, and says so in the audit log.
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

/// Counts a login of a known user, who is locked from here on; as it is now. Nothing where it was switched
/// off meanwhile.
pub(super) async fn count_login(
    tx: &mut Tx<'_>,
    plan: &LoginPlan,
    pool: &PoolId,
    user: &UserId,
) -> Result<User, StoreError> {
    record_login(tx, plan, pool, user, 1).await
}

/// Notes a login of a known user that counts for so many, as [`count_login`] does.
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

/// Why an account is logged in nowhere, if it is not: written to the audit log.
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
        }
    }
}
