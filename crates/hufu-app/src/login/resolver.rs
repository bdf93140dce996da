//! Login through a source: finding the account and logging it in, in one unit of work.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use hufu_connect::templates::AddedWay;
use hufu_store::identities::{self, NewIdentity};
use hufu_store::passcodes::Target;
use hufu_store::{
    Read, StoreError, Tx, Write, browser_sessions, choices, exchanges, flows, refresh_tokens, sessions, users,
};
use hufu_types::flow::FlowState;
use hufu_types::resolution::{Denial, KnownOwners, Owner, Resolution, Rules, resolve};
use hufu_types::{
    Action, BrowserSessionId, ConnectionId, FlowId, IdentityKey, MatchField, PoolId, Proof, SessionId,
    Timestamp, TokenHash, User, UserId,
};
use serde_json::json;

use super::finish::{
    BrowserBinding, LoginOutcome, LoginPlan, LoginProgress, finish, record_login, refuse, wait,
};
use crate::address::network_of;
use crate::events::{Event, Recorder, Trace};
use crate::people::accounts::{self, NewAccount};
use crate::people::holders::{release, unusable};
use crate::people::identities::shown;
use crate::people::notices::way_in_added;

/// Finds the account that a source's proof leads to.
#[derive(Clone, Debug)]
pub struct AccountResolver {
    /// The pool.
    pub pool: PoolId,
    /// What the source proved.
    pub proof: Proof,
    /// The rules of the connection and the pool, and the options of the call.
    pub rules: Rules,
}

/// Logs a user in through a source.
#[derive(Clone, Debug)]
pub struct Login {
    /// Finds the account.
    pub resolver: AccountResolver,
    /// The id of the user, if one is created.
    pub candidate: UserId,
    /// The `register_source` of the account, if one is created.
    pub register_source: String,
    /// What the login writes once the account is known.
    pub plan: LoginPlan,
    /// What the same code led to before: a session, which is resumed if it belongs to the same user, or a waiting
    /// login, which is started again.
    pub before: CodeResults,
    /// The record of the code: its hash and the sealed exchange.
    pub exchange: Option<(TokenHash, Vec<u8>)>,
}

/// What a code led to before.
#[derive(Clone, Debug, Default)]
pub struct CodeResults {
    /// The session.
    pub login: Option<(UserId, SessionId)>,
    /// The waiting login.
    pub flow: Option<FlowId>,
    /// The hash of the last refresh token.
    pub refresh: Option<Vec<u8>>,
}

impl Write for Login {
    type Out = LoginOutcome;

    /// Two logins of one identity never share a transaction: the second has to see the account that the first made.
    fn group(&self) -> Option<u64> {
        let is_common = self.before.login.is_none()
            && self.before.flow.is_none()
            && self.resolver.proof.phone.is_none()
            && self.resolver.proof.email.is_none()
            && self.plan.patch.data.is_empty()
            && self.plan.trace.subscribers.is_empty()
            && !self.plan.settings.may_make_wait();
        let IdentityKey { realm, kind, value } = &self.resolver.proof.own;
        is_common.then(|| {
            let mut key = DefaultHasher::new();
            (self.resolver.pool.as_str(), realm, kind.as_str(), value).hash(&mut key);
            key.finish()
        })
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<LoginOutcome, StoreError> {
        let (pool, plan) = (&self.resolver.pool, &self.plan);
        // A code does not log in again once the login that it started, and that waited, has ended.
        if let (None, Some(flow)) = (&self.before.login, &self.before.flow)
            && flows::get_locked(tx, pool, flow).await?.is_none()
        {
            return refuse(tx, plan, &mut plan.trace.recorder(), pool, None, LoginOutcome::Ended).await;
        }
        let Resolved { resolution, known, says_more, .. } = self.resolver.resolve(tx).await?;
        let asks = matches!(resolution, Resolution::Choose { .. });
        let decided = self.resolver.remember(tx, resolution).await?;
        let mut events = plan.trace.recorder();
        let outcome = match decided.clone() {
            Resolution::Deny(denial) => refuse(tx, plan, &mut events, pool, None, denied(denial)).await?,
            Resolution::Create { fill_phone, fill_email } => {
                let user = self.resolver.new_user(self, fill_phone, fill_email);
                let identities = self.resolver.identities(&plan.trace);
                let new = NewAccount { identities: &identities, ..NewAccount::of(&user) };
                accounts::create(tx, &mut events, new, json!({ "by": plan.method })).await?;
                let progress = LoginProgress { newly_created: true, ..LoginProgress::default() };
                finish(tx, plan, &mut events, user, progress).await?
            }
            Resolution::LogIn { user, attach_own, attach_shared, fill_phone, fill_email, conflict } => {
                let user = match known.into_iter().find(|k| k.id == user) {
                    Some(known) => known,
                    None => {
                        users::get(tx, pool, &user).await?.ok_or(StoreError::Corrupt { column: "user_id" })?
                    }
                };
                if let Some(refused) = unusable(&user) {
                    return refuse(tx, plan, &mut events, pool, Some(&user.id), refused.into()).await;
                }
                // The same code again is the same login, and counts once.
                let resumed = self.resumed(tx, &user.id).await?;
                let is_first = matches!(resumed, Resumed::Nothing) && self.before.flow.is_none();
                let resumed_session = match resumed {
                    Resumed::Nothing | Resumed::InBrowser => None,
                    Resumed::Active(session, since) if self.replaces_refresh_token(tx).await? => {
                        Some((session, since))
                    }
                    Resumed::Active(..) | Resumed::Ended => {
                        let ended = LoginOutcome::Ended;
                        return refuse(tx, plan, &mut events, pool, Some(&user.id), ended).await;
                    }
                };
                if attach_own || attach_shared {
                    // Decide again now that the account is locked: if two users prove the same phone number
                    // in parallel, the second must see that the account already belongs to the first.
                    users::get_locked(tx, pool, &user.id).await?;
                    if self.resolver.resolve(tx).await?.resolution != decided {
                        return Err(StoreError::LostRace);
                    }
                    let attach = (attach_own, attach_shared);
                    self.resolver.attach(tx, &mut events, &plan.trace, &user.id, attach).await?;
                    let after = shown(self.resolver.attached(attach_own, attach_shared));
                    let details = json!({ "by": plan.method, "after": after });
                    events.record(tx, pool, Event::of(Action::IdentityBound, &user.id).with(details)).await?;
                }
                let counts = i64::from(is_first);
                let fill = Fill { phone: fill_phone, email: fill_email };
                let user = self.record_login(tx, &mut events, &user.id, fill, counts).await?;
                if says_more {
                    self.resolver.keep_user_info(tx).await?;
                }
                let mut progress = LoginProgress { resumed_session, conflict, ..LoginProgress::default() };
                if asks {
                    progress.details.insert("chosenBefore".to_owned(), true.into());
                }
                finish(tx, plan, &mut events, user, progress).await?
            }
            Resolution::Choose { accounts } => {
                let state = plan.waiting_at(decided.stage());
                let phone_use = self.resolver.rules.phone_use;
                let state = FlowState { candidates: accounts.to_vec(), may_merge: true, phone_use, ..state };
                wait(tx, pool, plan, state).await?
            }
            Resolution::Ask { may_create } => {
                let phone_use = self.resolver.rules.phone_use;
                let state = FlowState { may_create, phone_use, ..plan.waiting_at(decided.stage()) };
                wait(tx, pool, plan, state).await?
            }
        };
        self.keep_exchange(tx, &outcome).await?;
        Ok(outcome)
    }
}

impl Login {
    /// Records what the code led to, so that the same code is the same login.
    async fn keep_exchange(&self, tx: &mut Tx<'_>, outcome: &LoginOutcome) -> Result<(), StoreError> {
        let (pool, plan) = (&self.resolver.pool, &self.plan);
        let Some((code, sealed)) = &self.exchange else { return Ok(()) };
        let (login, flow, refresh) = match outcome {
            LoginOutcome::LoggedIn(done) => {
                let refresh = plan.refresh_token.as_ref().map(|token| token.hash.as_bytes().to_vec());
                (Some((done.user.id.clone(), self.began(&done.session))), None, refresh)
            }
            LoginOutcome::Waiting(_) => (None, Some(plan.flow.id.clone()), None),
            _ => return Ok(()),
        };
        if let (Some(_), Some(flow)) = (&login, &self.before.flow) {
            flows::end(tx, pool, flow).await?;
        }
        let exchange = exchanges::Exchange {
            application: plan.session.application.clone(),
            sealed: sealed.clone(),
            login,
            created_at: plan.trace.at,
            network: plan.trace.ip.as_deref().map(network_of),
            flow,
            refresh,
        };
        exchanges::put(tx, pool, code, &exchange).await
    }

    /// Counts the login of a known user, and fills empty profile fields.
    async fn record_login(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        user: &UserId,
        fill: Fill,
        counts: i64,
    ) -> Result<User, StoreError> {
        let (pool, now) = (&self.resolver.pool, self.plan.trace.at);
        // The row is locked from here on, so filling empty fields cannot overwrite a concurrent change.
        let mut user = record_login(tx, &self.plan, pool, user, counts).await?;

        let proof = &self.resolver.proof;
        let before = (user.phone.clone(), user.email.clone(), user.profile.clone());
        if fill.phone
            && user.vouched_phone().is_none()
            && let Some(phone) = proof.proved_phone()
        {
            way_in_added(tx, events, pool, &user.id, AddedWay::Phone).await?;
            release(tx, events, pool, &Target::Phone(phone.clone()), &user.id, now).await?;
            user.phone = proof.phone.clone();
        }
        if fill.email
            && user.vouched_email().is_none()
            && let Some(email) = proof.proved_email()
        {
            way_in_added(tx, events, pool, &user.id, AddedWay::Email).await?;
            release(tx, events, pool, &Target::Email(email.clone()), &user.id, now).await?;
            (user.email, user.email_verified) = (Some(email.clone()), true);
        }
        fill_empty(&mut user.profile.nickname, proof.profile.nickname.as_ref());
        fill_empty(&mut user.profile.photo, proof.profile.photo.as_ref());
        if before != (user.phone.clone(), user.email.clone(), user.profile.clone()) {
            users::fill(tx, &mut user, now).await?;
        }
        Ok(user)
    }

    /// Takes back the refresh token that the same code gave before, if this login gives one, so that there is one
    /// at a time. Returns false if it was used by now: whoever has it needs no other.
    async fn replaces_refresh_token(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        match (&self.before.refresh, &self.plan.refresh_token) {
            (Some(given), Some(_)) => {
                let (pool, now) = (&self.resolver.pool, self.plan.trace.at);
                refresh_tokens::supersede_unused(tx, pool, given, now).await
            }
            _ => Ok(true),
        }
    }

    /// What the record of the code names: the session; or that of the browser, which a login for an authorization request
    /// begins in its place.
    fn began(&self, session: &SessionId) -> SessionId {
        let of_browser = match &self.plan.browser {
            Some(BrowserBinding::New(new)) => SessionId::parse(new.id.as_str()).ok(),
            _ => None,
        };
        of_browser.unwrap_or_else(|| session.clone())
    }

    /// The state of the session that the same code started before, if it is this user's.
    async fn resumed(&self, tx: &mut Tx<'_>, user: &UserId) -> Result<Resumed, StoreError> {
        let Some((_, session)) = self.before.login.as_ref().filter(|(owner, _)| owner == user) else {
            return Ok(Resumed::Nothing);
        };
        if let Some(BrowserBinding::New(_)) = &self.plan.browser {
            let id = BrowserSessionId::parse(session.as_str());
            let id = id.map_err(|_| StoreError::Corrupt { column: "session_id" })?;
            let found = browser_sessions::get_locked(tx, &self.resolver.pool, &id).await?;
            let is_alive = found.is_some_and(|found| found.expires_at > self.plan.trace.at);
            return Ok(if is_alive { Resumed::InBrowser } else { Resumed::Ended });
        }
        let found = sessions::get(tx, &self.resolver.pool, session).await?;
        let rules = self.plan.settings.session;
        let ends = |s: &sessions::Session| rules.end(s.created_at, s.last_used_at, s.expires_at);
        Ok(match found.filter(|found| ends(found) > self.plan.trace.at) {
            Some(found) => Resumed::Active(session.clone(), found.created_at),
            None => Resumed::Ended,
        })
    }
}

/// Which proved names an account takes over if it has none.
#[derive(Clone, Copy)]
struct Fill {
    phone: bool,
    email: bool,
}

/// The state of the session that a code started before.
enum Resumed {
    /// The code started no session of this user.
    Nothing,
    /// It is active; it started at this time.
    Active(SessionId, Timestamp),
    /// It began a session of the browser, which is still there. Its secret is not, so this login begins another one.
    InBrowser,
    /// It has ended.
    Ended,
}

fn fill_empty(field: &mut Option<String>, value: Option<&String>) {
    if field.as_ref().is_none_or(String::is_empty) && value.is_some() {
        *field = value.cloned();
    }
}

/// The decision, who it was made by, and the users read on the way to it.
pub(crate) struct Resolved {
    pub(crate) resolution: Resolution,
    pub(crate) owners: KnownOwners,
    pub(crate) known: Vec<User>,
    /// Whether the source says something else about the person than what is kept with their identity.
    pub(crate) says_more: bool,
}

impl AccountResolver {
    /// Decides what to do.
    pub(crate) async fn resolve(&self, tx: &mut Tx<'_>) -> Result<Resolved, StoreError> {
        let (pool, proof) = (&self.pool, &self.proof);
        let mut owners = KnownOwners::default();
        let mut known = Vec::new();
        let mut says_more = false;
        if let Some(found) = users::by_identity(tx, pool, &proof.own, &proof.raw).await? {
            says_more = found.differs;
            let user = users::survivor(tx, found.user).await?;
            owners.by_own = Some(user.id.clone());
            known.push(user);
        }
        if let Some(shared) = &proof.shared {
            owners.by_shared = identities::owner(tx, pool, shared).await?;
            if let (Some(user), None) = (&owners.by_own, &owners.by_shared) {
                owners.other_shared = identities::has_other_in_realm(tx, pool, user, shared).await?;
            }
        }
        if let Some(phone) = proof.proved_phone() {
            let found = users::by_phone(tx, pool, phone).await?;
            let vouched = found.as_ref().is_some_and(|user| user.vouched_phone().is_some());
            owners.by_phone = self.owner(tx, found, vouched, &mut known).await?;
        }
        if let Some(email) = proof.proved_email() {
            let found = users::by_email(tx, pool, email).await?;
            let vouched = found.as_ref().is_some_and(|user| user.vouched_email().is_some());
            owners.by_email = self.owner(tx, found, vouched, &mut known).await?;
        }
        // An external id is used only if neither id of the source is known, and only if the connection
        // matches by it.
        if owners.by_own.is_none() && owners.by_shared.is_none() {
            let matches = self.rules.association.matches(MatchField::ExternalId);
            if let Some(id) = proof.external_id.as_ref().filter(|_| matches) {
                let found = users::by_external_id(tx, pool, id).await?;
                owners.by_external_id = self.owner(tx, found, true, &mut known).await?;
            }
        }
        Ok(Resolved { resolution: resolve(proof, &owners, &self.rules), owners, known, says_more })
    }

    /// Applies the person's earlier choice to a login that would ask them to choose.
    async fn remember(&self, tx: &mut Tx<'_>, resolution: Resolution) -> Result<Resolution, StoreError> {
        let Resolution::Choose { accounts } = &resolution else { return Ok(resolution) };
        // Whatever forgets a choice locks one of the accounts first. Same lock order as a merge.
        let mut locked: Vec<&UserId> = accounts.iter().collect();
        locked.sort_unstable();
        for user in locked {
            users::get_locked(tx, &self.pool, user).await?;
        }
        if self.resolve(tx).await?.resolution != resolution {
            return Err(StoreError::LostRace);
        }
        let choice = choices::get(tx, &self.pool, &self.proof.own).await?;
        Ok(resolution.remembering(choice))
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
        let has_other_identity = self.has_other_identity(tx, &user.id).await?;
        let owner = Owner { user: user.id.clone(), vouched, has_other_identity };
        known.push(user);
        Ok(Some(owner))
    }

    /// Whether an account already has a different id in a realm where the source gives each user one id.
    pub(crate) async fn has_other_identity(
        &self,
        tx: &mut Tx<'_>,
        user: &UserId,
    ) -> Result<bool, StoreError> {
        for key in self.proof.ids() {
            if identities::has_other_in_realm(tx, &self.pool, user, key).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The identities of an account that is created from this proof.
    pub(crate) fn identities(&self, trace: &Trace) -> Vec<NewIdentity> {
        self.proof.ids().map(|key| self.identity(key, trace)).collect()
    }

    fn identity(&self, key: &IdentityKey, trace: &Trace) -> NewIdentity {
        NewIdentity {
            connection: trace.connection.clone().unwrap_or_else(ConnectionId::own),
            key: key.clone(),
            created_at: trace.at,
            user_info: self.proof.raw.clone(),
        }
    }

    /// Keeps what the source says about the person now with the identities that it proved.
    async fn keep_user_info(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        for key in self.proof.ids() {
            identities::set_user_info(tx, &self.pool, key, &self.proof.raw).await?;
        }
        Ok(())
    }

    /// The ids that are attached to an account.
    fn attached(&self, own: bool, shared: bool) -> impl Iterator<Item = &IdentityKey> {
        let own = own.then_some(&self.proof.own);
        own.into_iter().chain(self.proof.shared.as_ref().filter(move |_| shared))
    }

    /// Attaches the ids of the proof to an account, which is locked: its own one, the shared one, or both.
    pub(crate) async fn attach(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        trace: &Trace,
        user: &UserId,
        (own, shared): (bool, bool),
    ) -> Result<(), StoreError> {
        // If the account has one of the ids, the source says that its owner has the other one as well.
        let is_new = own && (shared || self.proof.shared.is_none());
        if is_new {
            way_in_added(tx, events, &self.pool, user, AddedWay::Identity).await?;
        }
        for key in self.attached(own, shared) {
            identities::insert(tx, &self.pool, user, &self.identity(key, trace)).await?;
        }
        Ok(())
    }

    fn new_user(&self, login: &Login, fill_phone: bool, fill_email: bool) -> User {
        let LoginPlan { session, trace, .. } = &login.plan;
        let email = self.proof.proved_email().filter(|_| fill_email).cloned();
        User {
            phone: self.proof.phone.clone().filter(|_| fill_phone),
            email_verified: email.is_some(),
            email,
            profile: self.proof.profile.clone(),
            logins_count: 1,
            last_login_at: Some(trace.at),
            last_ip: session.ip.clone(),
            last_application: Some(session.application.clone()),
            ..User::new(self.pool.clone(), login.candidate.clone(), &login.register_source, trace.at)
        }
    }
}

/// Checks whether a login would be permitted before a phone code is spent on it. Writes nothing: the caller
/// that refuses the login records it in the audit log.
pub struct CheckLogin(pub AccountResolver);

impl Read for CheckLogin {
    /// None if it would be permitted; otherwise the reason, and the account that is refused.
    type Out = Option<(LoginOutcome, Option<UserId>)>;

    /// As [`Login::group`]: who is known by a number or an address is found by other statements.
    fn may_share(&self) -> bool {
        self.0.proof.phone.is_none() && self.0.proof.email.is_none()
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let Resolved { resolution, known, .. } = self.0.resolve(tx).await?;
        Ok(match resolution {
            Resolution::Deny(denial) => Some((denied(denial), None)),
            Resolution::Create { .. } | Resolution::Choose { .. } | Resolution::Ask { .. } => None,
            Resolution::LogIn { user, .. } => {
                let user = match known.into_iter().find(|k| k.id == user) {
                    Some(known) => Some(known),
                    None => users::get(tx, &self.0.pool, &user).await?,
                };
                user.and_then(|user| unusable(&user).map(|refused| (refused.into(), Some(user.id))))
            }
        })
    }
}

fn denied(denial: Denial) -> LoginOutcome {
    match denial {
        Denial::Snapshot => LoginOutcome::Snapshot,
        Denial::LoginOnly => LoginOutcome::LoginOnly,
        Denial::RegistrationOff => LoginOutcome::RegistrationOff,
    }
}
