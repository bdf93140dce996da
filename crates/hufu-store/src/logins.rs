//! The unit of a login: who arrives, which account, its session and what was exchanged for it.

use std::sync::Arc;

use hufu_types::flow::{self, FlowState, Stage, Want};
use hufu_types::refusal::Code;
use hufu_types::resolution::{Arrival, Conflict, Denial, Holdings, Owner, Resolution, Rules, resolve};
use hufu_types::{
    Action, ConnectionId, Email, IdentityKey, MatchField, Phone, PhoneProof, PoolId, PoolSettings, Profile,
    SessionId, Timestamp, TokenHash, User, UserId,
};
use serde_json::json;

use crate::credentials::record_refused_login;
use crate::events::{Event, Recorder, Trace};
use crate::flows::NewFlow;
use crate::refresh_tokens::NewRefreshToken;
use crate::sessions::NewSession;
use crate::users::{self, decode_user, user_columns};
use crate::{Read, StoreError, Tx, Write, exchanges, flows, refresh_tokens, sessions, statements};

statements! {
    USER_BY_IDENTITY = concat!(
        "SELECT ", user_columns!(), "
         FROM identities i JOIN users ON users.pool_id = i.pool_id AND users.id = i.user_id
         WHERE i.pool_id = $1 AND i.realm = $2 AND i.kind = $3 AND i.value = $4"
    );
    NOTE_LOGIN = concat!(
        "UPDATE users
         SET logins_count = logins_count + $6, last_login_at = $3, last_ip = $4, last_application = $5
         WHERE pool_id = $1 AND id = $2
         RETURNING ", user_columns!()
    );
    FILL = "
        UPDATE users SET phone = $3, phone_proof = $4, profile = $5, updated_at = $6
        WHERE pool_id = $1 AND id = $2";
    RECORD_CONFLICT = "
        INSERT INTO identity_conflicts
            (pool_id, kind, chosen_user, other_user, connection_id, first_seen_at, last_seen_at, occurrences)
        VALUES ($1, $2, $3, $4, $5, $6, $6, 1)
        ON CONFLICT (pool_id, kind, chosen_user, other_user) DO UPDATE
        SET last_seen_at = excluded.last_seen_at, occurrences = identity_conflicts.occurrences + 1";
}

/// Who arrives, and what may come of it.
#[derive(Clone, Debug)]
pub struct Arriving {
    /// The pool.
    pub pool: PoolId,
    /// The ids that the source proved.
    pub arrival: Arrival,
    /// The phone number that the source proved.
    pub phone: Option<Phone>,
    /// The e-mail address that the source verified.
    pub email: Option<Email>,
    /// The id in the owner's original system, where the source warrants it.
    pub external_id: Option<String>,
    /// What the connection and the pool permit.
    pub rules: Rules,
}

/// What every login writes once its account is known, however the person came.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The session, if none goes on.
    pub session: NewSession,
    /// The refresh token, where one is wanted.
    pub refresh_token: Option<NewRefreshToken>,
    /// What the pool asks of accounts.
    pub settings: Arc<PoolSettings>,
    /// The flow, if the login has to wait.
    pub flow: NewFlow,
    /// What the login ends with.
    pub want: Want,
    /// By what the person came: a connection's kind, `password`, `phone-code` and so on.
    pub method: &'static str,
    /// Who does it, from where and when.
    pub trace: Trace,
}

/// Logs a person in who comes from a source.
#[derive(Clone, Debug)]
pub struct Login {
    /// Who.
    pub who: Arriving,
    /// The id of the user, if one must be made.
    pub candidate: UserId,
    /// What fills an empty nickname and photo.
    pub profile: Profile,
    /// What makes the account, if one must be made.
    pub register_source: String,
    /// What is written once the account is known.
    pub ticket: Ticket,
    /// A session that goes on if it is the same user's: the same code came again.
    pub resume: Option<(UserId, SessionId)>,
    /// The record of the code: its hash and the sealed exchange.
    pub exchange: Option<(TokenHash, Vec<u8>)>,
}

/// What came of a login.
#[derive(Debug)]
pub enum LoginOutcome {
    /// The person is in.
    LoggedIn(Box<LoggedIn>),
    /// The person has a step to take first.
    Waiting(Box<Waiting>),
    /// Nobody is known by these ids, and the connection makes no users.
    Stranger,
    /// Nobody is known by these ids, and the pool makes no users.
    RegistrationOff,
    /// A virtual user of WeChat's "snapshot page".
    Snapshot,
    /// The account is switched off.
    Disabled,
    /// The account was deleted by its owner, and is gone for good at this time.
    Leaving(Timestamp),
    /// The login that the same code began before is over: logged out, or revoked.
    Ended,
}

impl LoginOutcome {
    /// The code of the refusal in the audit log, where it is one; the same as clients get.
    pub const fn code(&self) -> Option<u32> {
        match self {
            Self::LoggedIn(_) | Self::Waiting(_) => None,
            Self::Stranger => Some(Code::Stranger.number()),
            Self::RegistrationOff => Some(Code::RegistrationOff.number()),
            Self::Snapshot => Some(Code::SnapshotUser.number()),
            Self::Disabled => Some(Code::Disabled.number()),
            Self::Leaving(_) => Some(Code::Leaving.number()),
            Self::Ended => Some(Code::CodeUsed.number()),
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
pub struct Came {
    /// Whether it made the account.
    pub newly_created: bool,
    /// A session that goes on.
    pub going_on: Option<(SessionId, Timestamp)>,
    /// Ids that disagree.
    pub conflict: Option<Conflict>,
    /// What else the audit log should know.
    pub details: serde_json::Map<String, serde_json::Value>,
}

impl Write for Login {
    type Out = LoginOutcome;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<LoginOutcome, StoreError> {
        let (pool, ticket) = (&self.who.pool, &self.ticket);
        let Resolved { resolution: decided, known } = self.who.resolve(tx).await?;
        let mut events = ticket.trace.recorder();
        let outcome = match decided.clone() {
            Resolution::Deny(denial) => refuse(tx, ticket, &mut events, pool, None, denied(denial)).await?,
            Resolution::Create { fill_phone } => {
                let user = self.who.new_user(self, fill_phone);
                if fill_phone && let Some(phone) = &self.who.phone {
                    release_phone(tx, &mut events, pool, phone, &user.id, ticket.trace.at).await?;
                }
                users::insert(tx, &user, None).await?;
                let unionid = self.who.arrival.unionid.is_some();
                self.who.attach(tx, &ticket.trace, &user.id, true, unionid).await?;
                let created = Event::of(Action::UserCreated, &user.id).with(json!({ "by": ticket.method }));
                events.record(tx, pool, created).await?;
                let came = Came { newly_created: true, ..Came::default() };
                finish(tx, ticket, &mut events, user, came).await?
            }
            Resolution::LogIn { user, attach_openid, attach_unionid, fill_phone, conflict } => {
                let user = match known.into_iter().find(|k| k.id == user) {
                    Some(known) => known,
                    None => {
                        users::get(tx, pool, &user).await?.ok_or(StoreError::Corrupt { column: "user_id" })?
                    }
                };
                if let Some(refused) = unusable(&user) {
                    return refuse(tx, ticket, &mut events, pool, Some(&user.id), refused).await;
                }
                // The same code again is the same login, and counts once.
                let going_on = match self.resumed(tx, &user.id).await? {
                    Resumed::Nothing => None,
                    Resumed::GoesOn(session, since) => Some((session, since)),
                    Resumed::Ended => {
                        let ended = LoginOutcome::Ended;
                        return refuse(tx, ticket, &mut events, pool, Some(&user.id), ended).await;
                    }
                };
                if attach_openid || attach_unionid {
                    // Once the account is locked, what was decided must still be right: of two persons who prove
                    // one number at once, the second sees that the account is the first one's.
                    users::get_locked(tx, pool, &user.id).await?;
                    if self.who.resolve(tx).await?.resolution != decided {
                        return Err(StoreError::LostRace);
                    }
                    self.who.attach(tx, &ticket.trace, &user.id, attach_openid, attach_unionid).await?;
                    let arrival = &self.who.arrival;
                    let openid = attach_openid.then_some(&arrival.openid);
                    let unionid = arrival.unionid.as_ref().filter(|_| attach_unionid);
                    let after = shown(openid.into_iter().chain(unionid));
                    let details = json!({ "by": ticket.method, "after": after });
                    events.record(tx, pool, Event::of(Action::IdentityBound, &user.id).with(details)).await?;
                }
                let counts = i64::from(going_on.is_none());
                let user = self.note(tx, &mut events, &user.id, fill_phone, counts).await?;
                finish(tx, ticket, &mut events, user, Came { going_on, conflict, ..Came::default() }).await?
            }
            Resolution::Choose { accounts } => {
                let state = ticket.waiting_at(Stage::Select);
                let state = FlowState { candidates: accounts.to_vec(), may_merge: true, ..state };
                wait(tx, pool, ticket, state).await?
            }
            Resolution::Ask { may_create } => {
                let state = FlowState { may_create, ..ticket.waiting_at(Stage::Associate) };
                wait(tx, pool, ticket, state).await?
            }
        };
        if let Some((code, sealed)) = &self.exchange {
            let login = match &outcome {
                LoginOutcome::LoggedIn(done) => Some((done.user.id.clone(), done.session.clone())),
                LoginOutcome::Waiting(_) => None,
                _ => return Ok(outcome),
            };
            let exchange = exchanges::Exchange {
                application: ticket.session.application.clone(),
                sealed: sealed.clone(),
                login,
                created_at: ticket.trace.at,
            };
            exchanges::put(tx, pool, code, &exchange).await?;
        }
        Ok(outcome)
    }
}

/// Logs an account in whose names or identity were proved: its checks, its session, the audit log, which is told
/// of a refusal as well. The login is counted before ([`count`], or in the new user).
pub async fn finish(
    tx: &mut Tx<'_>,
    ticket: &Ticket,
    events: &mut Recorder<'_>,
    user: User,
    came: Came,
) -> Result<LoginOutcome, StoreError> {
    let pool = user.pool.clone();
    if let Some(refused) = unusable(&user) {
        return refuse(tx, ticket, events, &pool, Some(&user.id), refused).await;
    }
    if let Some(conflict) = &came.conflict {
        record_conflict(tx, &pool, &ticket.session.connection, conflict, ticket.trace.at).await?;
        let disagree = json!({ "kind": conflict.kind.as_str(), "other": conflict.other.as_str() });
        events.record(tx, &pool, Event::of(Action::IdentityConflict, &user.id).with(disagree)).await?;
    }
    let stage = flow::stage_of(&user, &ticket.settings);
    if stage != Stage::Done {
        let state = ticket.waiting_at(stage);
        let state = FlowState { user: Some(user.id.clone()), newly_created: came.newly_created, ..state };
        return wait(tx, &pool, ticket, state).await;
    }
    log_in(tx, ticket, events, user, came).await
}

/// Begins the session of an account that is through with everything.
async fn log_in(
    tx: &mut Tx<'_>,
    ticket: &Ticket,
    events: &mut Recorder<'_>,
    user: User,
    came: Came,
) -> Result<LoginOutcome, StoreError> {
    let (pool, now) = (user.pool.clone(), ticket.trace.at);
    let (session, session_created_at) = if let Some(going_on) = came.going_on {
        going_on
    } else {
        sessions::insert(tx, &pool, &user.id, &ticket.session).await?;
        let mut details = came.details;
        details.insert("by".to_owned(), ticket.method.into());
        details.insert("session".to_owned(), ticket.session.id.as_str().into());
        let event = Event::of(Action::Login, &user.id).with(details.into());
        events.record(tx, &pool, event).await?;
        (ticket.session.id.clone(), now)
    };
    if let Some(token) = &ticket.refresh_token {
        refresh_tokens::insert(tx, &pool, &session, &ticket.session.application, token, now).await?;
    }
    let (newly_created, conflict) = (came.newly_created, came.conflict);
    Ok(LoginOutcome::LoggedIn(Box::new(LoggedIn {
        user,
        newly_created,
        session,
        session_created_at,
        conflict,
    })))
}

/// Lets a login wait.
pub(crate) async fn wait(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    ticket: &Ticket,
    state: FlowState,
) -> Result<LoginOutcome, StoreError> {
    let (session, flow) = (&ticket.session, &ticket.flow);
    flows::insert(tx, pool, &session.application, &session.connection, flow, &state, ticket.trace.at).await?;
    let mut accounts = Vec::new();
    for id in state.candidates.iter().chain(&state.user) {
        accounts.extend(users::get(tx, pool, id).await?);
    }
    Ok(LoginOutcome::Waiting(Box::new(Waiting { state, accounts })))
}

/// Why an account is logged in nowhere, if it is not.
pub(crate) fn unusable(user: &User) -> Option<LoginOutcome> {
    match (user.is_active(), user.delete_after) {
        (true, _) => None,
        (false, Some(at)) => Some(LoginOutcome::Leaving(at)),
        (false, None) => Some(LoginOutcome::Disabled),
    }
}

/// Refuses a login, and says so in the audit log.
async fn refuse(
    tx: &mut Tx<'_>,
    ticket: &Ticket,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    user: Option<&UserId>,
    outcome: LoginOutcome,
) -> Result<LoginOutcome, StoreError> {
    if let Some(code) = outcome.code() {
        record_refused_login(tx, events, pool, user, code, ticket.method).await?;
    }
    Ok(outcome)
}

fn denied(denial: Denial) -> LoginOutcome {
    match denial {
        Denial::Snapshot => LoginOutcome::Snapshot,
        Denial::Stranger => LoginOutcome::Stranger,
        Denial::RegistrationOff => LoginOutcome::RegistrationOff,
    }
}

/// Counts a login of a known user, who is locked from here on; as it is now. Nothing where it was switched
/// off meanwhile.
pub async fn count(
    tx: &mut Tx<'_>,
    ticket: &Ticket,
    pool: &PoolId,
    user: &UserId,
) -> Result<User, StoreError> {
    note(tx, ticket, pool, user, 1).await
}

async fn note(
    tx: &mut Tx<'_>,
    ticket: &Ticket,
    pool: &PoolId,
    user: &UserId,
    counts: i64,
) -> Result<User, StoreError> {
    let values = [
        pool.into(),
        user.into(),
        ticket.trace.at.into(),
        (&ticket.session.ip).into(),
        (&ticket.session.application).into(),
        counts.into(),
    ];
    let user = tx.optional(NOTE_LOGIN, &values, decode_user).await?.ok_or(StoreError::LostRace)?;
    if !user.is_active() || user.merged_into.is_some() {
        return Err(StoreError::LostRace);
    }
    Ok(user)
}

/// Takes a proved number from whoever has it unverified, and says so.
pub(crate) async fn release_phone(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    phone: &Phone,
    prover: &UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Some(from) = users::release_phone(tx, pool, phone, prover, now).await? {
        let why = json!({ "because": "another account proved it" });
        events.record(tx, pool, Event::of(Action::PhoneUnbound, &from).with(why)).await?;
    }
    Ok(())
}

/// Takes a proved e-mail address from whoever has it unverified, and says so.
pub(crate) async fn release_email(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    email: &Email,
    prover: &UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Some(from) = users::release_email(tx, pool, email, prover, now).await? {
        let why = json!({ "because": "another account proved it" });
        events.record(tx, pool, Event::of(Action::EmailUnbound, &from).with(why)).await?;
    }
    Ok(())
}

impl Ticket {
    pub(crate) fn waiting_at(&self, stage: Stage) -> FlowState {
        FlowState {
            stage,
            want: self.want,
            may_create: false,
            candidates: Vec::new(),
            may_merge: false,
            user: None,
            newly_created: false,
        }
    }
}

impl Login {
    /// Counts the login of a known user and fills what is empty.
    async fn note(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        user: &UserId,
        fill_phone: bool,
        counts: i64,
    ) -> Result<User, StoreError> {
        let (pool, now) = (&self.who.pool, self.ticket.trace.at);
        // From here on the row is locked, and this is how it stands: what fills it overwrites nobody's change.
        let mut user = note(tx, &self.ticket, pool, user, counts).await?;

        let before = (user.phone.clone(), user.profile.clone());
        if fill_phone
            && user.vouched_phone().is_none()
            && let Some(phone) = &self.who.phone
        {
            release_phone(tx, events, pool, phone, &user.id, now).await?;
            user.phone = Some((phone.clone(), PhoneProof::Wechat));
        }
        fill_empty(&mut user.profile.nickname, self.profile.nickname.as_ref());
        fill_empty(&mut user.profile.photo, self.profile.photo.as_ref());
        if before != (user.phone.clone(), user.profile.clone()) {
            user.updated_at = now;
            let profile = serde_json::to_string(&user.profile)?;
            let values = [
                pool.into(),
                (&user.id).into(),
                user.phone.as_ref().map(|(phone, _)| phone.as_str()).into(),
                user.phone.as_ref().map(|(_, proof)| proof.as_str()).into(),
                (&profile).into(),
                now.into(),
            ];
            tx.execute(FILL, &values).await?;
        }
        Ok(user)
    }

    /// What became of the session that the same code began before, if it is this user's.
    async fn resumed(&self, tx: &mut Tx<'_>, user: &UserId) -> Result<Resumed, StoreError> {
        let Some((_, session)) = self.resume.as_ref().filter(|(owner, _)| owner == user) else {
            return Ok(Resumed::Nothing);
        };
        let found = sessions::get(tx, &self.who.pool, session).await?;
        Ok(match found.filter(|found| found.expires_at > self.ticket.trace.at) {
            Some(found) => Resumed::GoesOn(session.clone(), found.created_at),
            None => Resumed::Ended,
        })
    }
}

/// What became of a session that a code began before.
enum Resumed {
    /// The code began none of this user's.
    Nothing,
    /// It is alive, since then.
    GoesOn(SessionId, Timestamp),
    /// It is over.
    Ended,
}

fn fill_empty(field: &mut Option<String>, value: Option<&String>) {
    if field.as_ref().is_none_or(String::is_empty) && value.is_some() {
        *field = value.cloned();
    }
}

/// What is to be done, and the users that were read on the way.
pub(crate) struct Resolved {
    pub(crate) resolution: Resolution,
    pub(crate) known: Vec<User>,
}

impl Arriving {
    /// What is to be done, and the users that were read on the way.
    pub(crate) async fn resolve(&self, tx: &mut Tx<'_>) -> Result<Resolved, StoreError> {
        let (pool, arrival) = (&self.pool, &self.arrival);
        let mut holdings = Holdings::default();
        let mut known = Vec::new();
        if let Some(user) = user_by_identity(tx, pool, &arrival.openid).await? {
            holdings.by_openid = Some(user.id.clone());
            known.push(user);
        }
        if let Some(unionid) = &arrival.unionid {
            holdings.by_unionid = users::identity_owner(tx, pool, unionid).await?;
            if let (Some(user), None) = (&holdings.by_openid, &holdings.by_unionid) {
                holdings.other_unionid = users::has_other_in_realm(tx, pool, user, unionid).await?;
            }
        }
        if let (Some(phone), Some(_)) = (&self.phone, arrival.phone) {
            let found = users::by_phone(tx, pool, phone).await?;
            let vouched = found.as_ref().is_some_and(|user| user.vouched_phone().is_some());
            holdings.by_phone = self.owner(tx, found, vouched, &mut known).await?;
        }
        // What else is proved counts for strangers alone, and only where the connection matches by it.
        if holdings.by_openid.is_none() && holdings.by_unionid.is_none() {
            if let Some(email) =
                self.email.as_ref().filter(|_| self.rules.association.matches(MatchField::Email))
            {
                let found = users::by_email(tx, pool, email).await?;
                let vouched = found.as_ref().is_some_and(|user| user.vouched_email().is_some());
                holdings.by_email = self.owner(tx, found, vouched, &mut known).await?;
            }
            let matches = self.rules.association.matches(MatchField::ExternalId);
            if let Some(id) = self.external_id.as_ref().filter(|_| matches) {
                let found = users::by_external_id(tx, pool, id).await?;
                holdings.by_external_id = self.owner(tx, found, true, &mut known).await?;
            }
        }
        Ok(Resolved { resolution: resolve(arrival, &holdings, &self.rules), known })
    }

    async fn owner(
        &self,
        tx: &mut Tx<'_>,
        found: Option<User>,
        vouched: bool,
        known: &mut Vec<User>,
    ) -> Result<Option<Owner>, StoreError> {
        let Some(user) = found else { return Ok(None) };
        let user = users::survivor(tx, user).await?;
        let another_persons = self.is_another_persons(tx, &user.id).await?;
        let owner = Owner { user: user.id.clone(), vouched, another_persons };
        known.push(user);
        Ok(Some(owner))
    }

    /// Whether an account has another id where the source gives a person one.
    pub(crate) async fn is_another_persons(
        &self,
        tx: &mut Tx<'_>,
        user: &UserId,
    ) -> Result<bool, StoreError> {
        for key in std::iter::once(&self.arrival.openid).chain(&self.arrival.unionid) {
            if users::has_other_in_realm(tx, &self.pool, user, key).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) async fn attach(
        &self,
        tx: &mut Tx<'_>,
        trace: &Trace,
        user: &UserId,
        openid: bool,
        unionid: bool,
    ) -> Result<(), StoreError> {
        let connection = trace.connection.clone().unwrap_or_else(ConnectionId::own);
        let openid = openid.then_some(&self.arrival.openid);
        let unionid = self.arrival.unionid.as_ref().filter(|_| unionid);
        for key in openid.into_iter().chain(unionid) {
            users::insert_identity(tx, &self.pool, user, &connection, key, trace.at).await?;
        }
        Ok(())
    }

    pub(crate) fn new_user(&self, login: &Login, fill_phone: bool) -> User {
        let Ticket { session, trace, .. } = &login.ticket;
        let phone = self.phone.clone().filter(|_| fill_phone);
        User {
            phone: phone.map(|phone| (phone, PhoneProof::Wechat)),
            profile: login.profile.clone(),
            logins_count: 1,
            last_login_at: Some(trace.at),
            last_ip: session.ip.clone(),
            last_application: Some(session.application.clone()),
            ..User::new(self.pool.clone(), login.candidate.clone(), &login.register_source, trace.at)
        }
    }
}

/// Looks whether a login would be permitted, before a phone code is spent on it. It writes nothing: whoever refuses
/// the person for it says so in the audit log.
pub struct WouldLogIn(pub Arriving);

impl Read for WouldLogIn {
    /// Nothing where it would; else why not, and whose account is refused.
    type Out = Option<(LoginOutcome, Option<UserId>)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let Resolved { resolution, known } = self.0.resolve(tx).await?;
        Ok(match resolution {
            Resolution::Deny(denial) => Some((denied(denial), None)),
            Resolution::Create { .. } | Resolution::Choose { .. } | Resolution::Ask { .. } => None,
            Resolution::LogIn { user, .. } => {
                let user = match known.into_iter().find(|k| k.id == user) {
                    Some(known) => Some(known),
                    None => users::get(tx, &self.0.pool, &user).await?,
                };
                user.and_then(|user| unusable(&user).map(|refused| (refused, Some(user.id))))
            }
        })
    }
}

/// Binds ids that a source proved to a user who is logged in.
pub struct Bind {
    /// The pool.
    pub pool: PoolId,
    /// The user.
    pub user: UserId,
    /// The connection through which they came.
    pub connection: ConnectionId,
    /// The ids.
    pub arrival: Arrival,
    /// The record of the code: its hash and the exchange.
    pub exchange: Option<(TokenHash, exchanges::Exchange)>,
    /// Who does it, from where and when.
    pub trace: Trace,
}

/// What came of binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindOutcome {
    /// The ids lead to the user (now, or already).
    Bound,
    /// One of them leads to another user.
    TakenByAnother,
    /// The user has another id of the same app.
    HasAnother,
}

impl BindOutcome {
    /// The code of the refusal in the audit log, where it is one; the same as clients get.
    pub const fn code(self) -> Option<u32> {
        match self {
            Self::Bound => None,
            Self::TakenByAnother => Some(Code::IdentityTaken.number()),
            Self::HasAnother => Some(Code::AnotherIdentityBound.number()),
        }
    }
}

impl Write for Bind {
    type Out = BindOutcome;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<BindOutcome, StoreError> {
        // From here on the account is locked: of two binds at once the second sees what the first one bound.
        let user = locked_account(tx, &self.pool, &self.user).await?.id;
        let outcome = self.bind(tx, &user).await?;
        if let Some(code) = outcome.code() {
            let event = Event { code, ..Event::of(Action::IdentityBound, &user) };
            self.trace.recorder().record(tx, &self.pool, event).await?;
        }
        Ok(outcome)
    }
}

impl Bind {
    async fn bind(&self, tx: &mut Tx<'_>, user: &UserId) -> Result<BindOutcome, StoreError> {
        let pool = &self.pool;
        let mut missing = Vec::new();
        for key in std::iter::once(&self.arrival.openid).chain(&self.arrival.unionid) {
            match users::identity_owner(tx, pool, key).await? {
                Some(owner) if owner != *user => return Ok(BindOutcome::TakenByAnother),
                Some(_) => {}
                None if users::has_other_in_realm(tx, pool, user, key).await? => {
                    return Ok(BindOutcome::HasAnother);
                }
                None => missing.push(key),
            }
        }
        for key in &missing {
            users::insert_identity(tx, pool, user, &self.connection, key, self.trace.at).await?;
        }
        if !missing.is_empty() {
            let details = json!({ "after": shown(missing.into_iter()) });
            let event = Event::of(Action::IdentityBound, user).with(details);
            self.trace.recorder().record(tx, pool, event).await?;
        }
        if let Some((code, exchange)) = &self.exchange {
            exchanges::put(tx, pool, code, exchange).await?;
        }
        Ok(BindOutcome::Bound)
    }
}

/// Identities as the audit log shows them.
fn shown<'k>(keys: impl Iterator<Item = &'k IdentityKey>) -> serde_json::Value {
    keys.map(|key| {
        json!({ "realm": key.realm, "kind": key.kind.as_str(), "value": hufu_types::masked(&key.value) })
    })
    .collect()
}

/// The account that a user stands for, which no other unit changes until this one ends.
async fn locked_account(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<User, StoreError> {
    let known = users::get(tx, pool, user).await?.ok_or(StoreError::LostRace)?;
    let account = known.merged_into.unwrap_or(known.id);
    let locked = users::get_locked(tx, pool, &account).await?;
    locked.filter(|user| user.merged_into.is_none()).ok_or(StoreError::LostRace)
}

async fn user_by_identity(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    key: &IdentityKey,
) -> Result<Option<User>, StoreError> {
    let values = [pool.into(), (&key.realm).into(), key.kind.as_str().into(), (&key.value).into()];
    match tx.optional(USER_BY_IDENTITY, &values, decode_user).await? {
        Some(user) => users::survivor(tx, user).await.map(Some),
        None => Ok(None),
    }
}

async fn record_conflict(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    connection: &ConnectionId,
    conflict: &Conflict,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = [
        pool.into(),
        conflict.kind.as_str().into(),
        (&conflict.chosen).into(),
        (&conflict.other).into(),
        connection.into(),
        now.into(),
    ];
    tx.execute(RECORD_CONFLICT, &values).await.map(drop)
}
