//! The steps of a login that waits. Each is one unit of work: it locks the flow, compares the handle, and
//! does the step. Then it ends the flow, or leaves it at its next stage with a new handle.

mod checks;
mod failure;

use std::collections::BTreeMap;

use hufu_store::flows::{self, Flow};
use hufu_store::merges::NewMerge;
use hufu_store::passcodes::Target;
use hufu_store::{Read, StoreError, Tx, Write, choices, identities, passwords, users};
use hufu_types::flow::{self, FlowState, Stage, Step};
use hufu_types::resolution::{Choice, Owner, Resolution};
use hufu_types::{Action, Facts, FlowId, MergeId, Method, PoolId, TokenHash, User, UserId};
use serde_json::{Value as Json, json};

use super::finish::{self, LoginOutcome, LoginPlan, LoginProgress, Waiting, accounts_of, record_abandoned};
use super::resolver::{AccountResolver, Resolved};
use crate::credentials::guess::{CodeCheck, Guess};
use crate::credentials::locks::Counted;
use crate::events::{Event, Recorder};
use crate::people::accounts::{self, NewAccount};
use crate::people::holders::{owner, unusable};
use crate::people::merging::unit::{Merged, merge};

pub use checks::CheckedFillIn;
pub use failure::StepFailure;

/// What the user does, with all hashing and remote calls already done.
#[derive(Clone)]
pub enum PreparedAction {
    /// Creates a new account.
    Create,
    /// Binds the identity to an account that a code proves.
    BindByCode {
        /// The code.
        guess: Guess,
        /// Where it was sent to.
        to: Target,
    },
    /// Binds the identity to an account whose password has been verified.
    BindByPassword {
        /// The account.
        user: UserId,
        /// The hash that was verified. If it differs now, the password has changed in the meantime.
        hash: String,
        /// The try, which is taken back.
        counted: Counted,
    },
    /// A failed attempt to bind an account by password: it was wrong, or not checked because the account is
    /// locked. The account's counter already includes it; the flow counts it as a failed step.
    WrongPassword(StepFailure),
    /// Chooses an account.
    Choose(UserId),
    /// Merges the accounts into one.
    Merge {
        /// The account that is kept.
        survivor: UserId,
        /// The id of the merge.
        id: MergeId,
    },
    /// Sets a new password.
    SetPassword {
        /// Its hash.
        hash: String,
        /// Whether the login ends here, and the user logs in again with the new password.
        ends_login: bool,
    },
    /// Fills in what is missing.
    FillIn(Box<CheckedFillIn>),
    /// Accepts agreements: the version accepted, by agreement id.
    Accept(BTreeMap<String, u32>),
    /// Cancels the login.
    GiveUp,
}

impl PreparedAction {
    /// The kind of step.
    pub fn step(&self) -> Step {
        match self {
            Self::Create => Step::Create,
            Self::BindByCode { .. } | Self::BindByPassword { .. } | Self::WrongPassword(_) => Step::Bind,
            Self::Choose(_) => Step::Choose,
            Self::Merge { .. } => Step::Merge,
            Self::SetPassword { .. } => Step::SetPassword,
            Self::FillIn(_) => Step::FillIn,
            Self::Accept(_) => Step::Accept,
            Self::GiveUp => Step::Expire,
        }
    }
}

/// Whether a step comes from where the login began. A login that began in a browser goes on in that browser only. One
/// that began through the API never goes on on a page: whoever began it could send its address to somebody else, who
/// would prove themselves for it.
pub(super) fn is_same_browser(kept: Option<&TokenHash>, sent: Option<&TokenHash>) -> bool {
    match (kept, sent) {
        (None, None) => true,
        (Some(kept), Some(sent)) => kept.matches(sent.as_bytes()),
        _ => false,
    }
}

/// Reads a waiting login and the accounts that it involves.
pub struct ViewFlow {
    /// The pool.
    pub pool: PoolId,
    /// The flow.
    pub flow: FlowId,
}

impl Read for ViewFlow {
    type Out = Option<(Flow, Vec<User>)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let Some(flow) = flows::get(tx, &self.pool, &self.flow).await? else { return Ok(None) };
        let accounts = accounts_of(tx, &self.pool, &flow.state).await?;
        Ok(Some((flow, accounts)))
    }
}

/// Takes a step of a login that waits.
#[derive(Clone)]
pub struct Continue {
    /// The pool.
    pub pool: PoolId,
    /// The flow.
    pub flow: FlowId,
    /// The hash of the handle that the client presents.
    pub handle: TokenHash,
    /// The hash of the browser's cookie, if any.
    pub cookie: Option<TokenHash>,
    /// What the user does.
    pub prepared: PreparedAction,
    /// Finds the account, if the flow has a proof.
    pub resolver: Option<AccountResolver>,
    /// The id of the user, if one is created.
    pub candidate: UserId,
    /// What the login writes at the end. Its flow has the hash of the next handle.
    pub plan: LoginPlan,
    /// The number of failed steps after which the flow ends.
    pub max_tries: i64,
    /// Whether a failed step leaves the handle as it is.
    pub keeps_handle: bool,
}

/// The outcome of a step.
#[derive(Debug)]
pub enum Continued {
    /// The login advanced: it is done, waits at another stage, or was refused.
    Login(Box<LoginOutcome>),
    /// The step failed. The flow still waits at the same stage, with a new handle.
    Failed(StepFailure, Box<Waiting>),
    /// The step failed once too often, and the flow has ended.
    Ended(StepFailure),
    /// There is no such flow, or the handle is not the current one.
    Unknown,
    /// The step is not possible at this stage.
    Impossible,
    /// The account or its password changed while the password was being verified: start again. The handle is
    /// unchanged.
    Changed,
    /// The user cancelled the login.
    GivenUp,
}

/// The effect of a step on the flow.
enum Outcome {
    /// The login advances, or ends.
    Login(LoginOutcome),
    /// The flow still waits at the same stage.
    Failed(StepFailure),
    /// The account that the flow waits for is gone, and the flow ends.
    Gone,
    /// Nothing was done.
    Changed,
}

impl Write for Continue {
    type Out = Continued;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Continued, StoreError> {
        let continued = self.advance(tx).await?;
        if let (Continued::Unknown | Continued::Impossible, PreparedAction::BindByPassword { counted, .. }) =
            (&continued, &self.prepared)
        {
            // The password was right all the same.
            counted.was_right(tx).await?;
        }
        Ok(continued)
    }
}

impl Continue {
    async fn advance(&self, tx: &mut Tx<'_>) -> Result<Continued, StoreError> {
        let now = self.plan.trace.at;
        // Lock order: the account before the flow, as everything that ends the waiting logins of an account
        // does.
        let seen = flows::get(tx, &self.pool, &self.flow).await?;
        if let Some(user) = seen.and_then(|flow| flow.state.user) {
            users::get_locked(tx, &self.pool, &user).await?;
        }
        let Some(found) = flows::get_locked(tx, &self.pool, &self.flow).await? else {
            return Ok(Continued::Unknown);
        };
        let present = found.handle.matches(self.handle.as_bytes()) && found.expires_at > now;
        let same_browser = is_same_browser(found.cookie.as_ref(), self.cookie.as_ref());
        if !present || !same_browser || found.application != self.plan.session.application {
            return Ok(Continued::Unknown);
        }
        let state = found.state;
        if state.stage.after(self.prepared.step()).is_none() {
            return Ok(Continued::Impossible);
        }
        let mut events = self.plan.trace.recorder();
        let outcome = self.step(tx, &mut events, &state).await?;
        match outcome {
            Outcome::Login(LoginOutcome::Waiting(waiting)) => {
                Ok(Continued::Login(Box::new(LoginOutcome::Waiting(waiting))))
            }
            Outcome::Login(outcome) => {
                flows::end(tx, &self.pool, &self.flow).await?;
                if !matches!(outcome, LoginOutcome::LoggedIn(_)) {
                    let reason = match &self.prepared {
                        PreparedAction::GiveUp => "cancelled",
                        PreparedAction::SetPassword { ends_login: true, .. } => "restarted",
                        _ => "refused",
                    };
                    record_abandoned(tx, &mut events, &self.pool, &state, reason).await?;
                }
                let given_up = self.ends_login() && matches!(outcome, LoginOutcome::Ended);
                Ok(if given_up { Continued::GivenUp } else { Continued::Login(Box::new(outcome)) })
            }
            Outcome::Gone => {
                flows::end(tx, &self.pool, &self.flow).await?;
                record_abandoned(tx, &mut events, &self.pool, &state, "refused").await?;
                Ok(Continued::Unknown)
            }
            Outcome::Changed => Ok(Continued::Changed),
            Outcome::Failed(failure) => {
                self.record(tx, &mut events, &state, &failure).await?;
                let tries = found.tries + 1;
                if tries >= self.max_tries {
                    flows::end(tx, &self.pool, &self.flow).await?;
                    record_abandoned(tx, &mut events, &self.pool, &state, "out_of_tries").await?;
                    return Ok(Continued::Ended(failure));
                }
                let handle = if self.keeps_handle { &self.handle } else { &self.plan.flow.handle };
                flows::advance(tx, &self.pool, &self.flow, handle, &state, tries).await?;
                let waiting = self.waiting(tx, state).await?;
                Ok(Continued::Failed(failure, Box::new(waiting)))
            }
        }
    }

    /// Whether the flow ends after this step without a login.
    fn ends_login(&self) -> bool {
        matches!(self.prepared, PreparedAction::GiveUp | PreparedAction::SetPassword { ends_login: true, .. })
    }

    async fn step(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        state: &FlowState,
    ) -> Result<Outcome, StoreError> {
        match &self.prepared {
            PreparedAction::Create if !state.may_create => Ok(Outcome::Failed(StepFailure::MayNotCreate)),
            PreparedAction::Create => self.create(tx, events, state).await,
            PreparedAction::BindByCode { guess, to } => {
                match guess.check(tx, &self.pool, self.plan.trace.at).await? {
                    CodeCheck::Right(purpose) => guess.spend(tx, &self.pool, purpose).await?,
                    CodeCheck::Wrong => return Ok(Outcome::Failed(StepFailure::WrongCode)),
                    CodeCheck::TooOften => return Ok(Outcome::Failed(StepFailure::TooManyCodes)),
                }
                let proved = match to {
                    Target::Phone(_) => Method::PhoneCode,
                    Target::Email(_) => Method::EmailCode,
                };
                let Some(user) = owner(tx, &self.pool, to).await? else {
                    return Ok(Outcome::Failed(StepFailure::NoAccount));
                };
                // While this waited for the row, the name may have moved: a merge that is undone gives it back.
                users::get_locked(tx, &self.pool, &user.id).await?;
                if owner(tx, &self.pool, to).await?.is_none_or(|now| now.id != user.id) {
                    return Err(StoreError::LostRace);
                }
                self.bind(tx, events, user, proved).await
            }
            PreparedAction::BindByPassword { user, hash, counted } => {
                let found = users::get_locked(tx, &self.pool, user).await?;
                counted.was_right(tx).await?;
                let Some(user) = found.filter(|user| user.merged_into.is_none()) else {
                    return Ok(Outcome::Changed);
                };
                if passwords::get(tx, &self.pool, &user.id).await?.as_ref() != Some(hash) {
                    return Ok(Outcome::Changed);
                }
                self.bind(tx, events, user, Method::Password).await
            }
            PreparedAction::WrongPassword(failure) => Ok(Outcome::Failed(failure.clone())),
            PreparedAction::Choose(user) => self.choose(tx, events, state, user).await,
            PreparedAction::Merge { survivor, id } => self.merge(tx, events, state, survivor, id).await,
            PreparedAction::SetPassword { .. } | PreparedAction::FillIn(_) | PreparedAction::Accept(_) => {
                self.check(tx, events, state).await
            }
            // The flow ends in any case.
            PreparedAction::GiveUp => Ok(Outcome::Login(LoginOutcome::Ended)),
        }
    }

    /// Creates an account, or logs in the one that the ids lead to by now.
    async fn create(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        state: &FlowState,
    ) -> Result<Outcome, StoreError> {
        let Some(resolver) = &self.resolver else { return Ok(Outcome::Failed(StepFailure::MayNotCreate)) };
        let Resolved { resolution, owners, .. } = resolver.resolve(tx).await?;
        match &resolution {
            Resolution::Ask { may_create: true } => {}
            Resolution::LogIn { user, attach_own, attach_shared, .. } => {
                users::get_locked(tx, &self.pool, user).await?;
                if resolver.resolve(tx).await?.resolution != resolution {
                    return Err(StoreError::LostRace);
                }
                if *attach_own || *attach_shared {
                    let attach = (*attach_own, *attach_shared);
                    resolver.attach(tx, events, &self.plan.trace, user, attach).await?;
                    self.record_bound(tx, events, user, &self.plan.facts).await?;
                }
                return self.enter(tx, events, user, state, json!({})).await;
            }
            // The ids lead to several accounts by now. Choosing one takes another login.
            Resolution::Choose { .. } => return Ok(Outcome::Gone),
            _ => return Ok(Outcome::Failed(StepFailure::MayNotCreate)),
        }
        let (session, trace) = (&self.plan.session, &self.plan.trace);
        let mut user = User {
            profile: resolver.proof.profile.clone(),
            logins_count: 1,
            last_login_at: Some(trace.at),
            last_ip: session.ip.clone(),
            last_application: Some(session.application.clone()),
            ..User::new(self.pool.clone(), self.candidate.clone(), self.plan.method, trace.at)
        };
        // By the owners that the decision was made with. If one appeared since, the name is taken, and the unit runs again;
        // looked up anew, the owner would be seen here alone, and the person would get a second account.
        let is_free = |owner: Option<Owner>| owner.is_none_or(|owner| !owner.vouched);
        if resolver.proof.proved_phone().is_some() && is_free(owners.by_phone) {
            user.phone.clone_from(&resolver.proof.phone);
        }
        if let Some(email) = resolver.proof.proved_email().filter(|_| is_free(owners.by_email)) {
            (user.email, user.email_verified) = (Some(email.clone()), true);
        }
        let identities = resolver.identities(trace);
        let new = NewAccount { identities: &identities, ..NewAccount::of(&user) };
        accounts::create(tx, events, new, json!({ "by": self.plan.method })).await?;
        self.finish(tx, events, user, LoginProgress { newly_created: true, ..LoginProgress::default() }).await
    }

    /// Binds the identity to an account that the user has just proved, by method `proved`.
    async fn bind(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        user: User,
        proved: Method,
    ) -> Result<Outcome, StoreError> {
        let Some(resolver) = &self.resolver else { return Ok(Outcome::Failed(StepFailure::NoAccount)) };
        // The row is locked from here on, so two flows that bind to one account take turns.
        let user = users::get_locked(tx, &self.pool, &user.id).await?;
        // If the account was merged while this waited for the row, the names lead to another one by now.
        let user = user.filter(|user| user.merged_into.is_none()).ok_or(StoreError::LostRace)?;
        if let Some(why) = unusable(&user) {
            return Ok(Outcome::Failed(StepFailure::Unusable(why)));
        }
        let mut missing = [false, false];
        for (key, missing) in resolver.proof.ids().zip(&mut missing) {
            match identities::owner(tx, &self.pool, key).await? {
                Some(owner) if owner != user.id => return Ok(Outcome::Failed(StepFailure::IdentityTaken)),
                Some(_) => {}
                None => *missing = true,
            }
        }
        if resolver.has_other_identity(tx, &user.id).await? {
            return Ok(Outcome::Failed(StepFailure::AnotherIdentityBound));
        }
        let [own, shared] = missing;
        resolver.attach(tx, events, &self.plan.trace, &user.id, (own, shared)).await?;
        let progress = LoginProgress { proved: Some(proved), ..LoginProgress::default() };
        self.record_bound(tx, events, &user.id, &progress.facts(&self.plan)).await?;
        let user = finish::count_login(tx, &self.plan, &self.pool, &user.id).await?;
        self.finish(tx, events, user, progress).await
    }

    async fn record_bound(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        user: &UserId,
        facts: &Facts,
    ) -> Result<(), StoreError> {
        let details = finish::login_details(self.plan.method, facts);
        let bound = Event::of(Action::IdentityBound, user).with(details.into());
        events.record(tx, &self.pool, bound).await
    }

    /// Logs in the account that the user chooses, and remembers the choice.
    async fn choose(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        state: &FlowState,
        user: &UserId,
    ) -> Result<Outcome, StoreError> {
        let Some(candidates) = self.present_candidates(tx, state, &[user]).await? else {
            return Ok(Outcome::Failed(StepFailure::NotACandidate));
        };
        let outcome = self.enter(tx, events, user, state, json!({ "chosen": true })).await?;
        let chosen = match &outcome {
            Outcome::Login(LoginOutcome::LoggedIn(done)) => Some(&done.user.id),
            Outcome::Login(LoginOutcome::Waiting(waiting)) => waiting.state.user.as_ref(),
            _ => None,
        };
        let other = candidates.iter().find(|candidate| Some(*candidate) != chosen);
        if let (Some(chosen), Some(other), Some(resolver)) = (chosen, other, &self.resolver) {
            let choice = Choice { chosen: chosen.clone(), other: other.clone() };
            choices::put(tx, &self.pool, &resolver.proof.own, &choice, self.plan.trace.at).await?;
        }
        Ok(outcome)
    }

    /// Merges the accounts that the proof leads to, and logs in the one that is kept.
    async fn merge(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        state: &FlowState,
        survivor: &UserId,
        id: &MergeId,
    ) -> Result<Outcome, StoreError> {
        let others: Vec<_> = state.candidates.iter().filter(|user| *user != survivor).collect();
        if !state.may_merge || !state.candidates.contains(survivor) {
            return Ok(Outcome::Failed(StepFailure::NotACandidate));
        }
        let [other] = others.as_slice() else { return Ok(Outcome::Failed(StepFailure::NotACandidate)) };
        if self.present_candidates(tx, state, &[survivor, other]).await?.is_none() {
            return Ok(Outcome::Failed(StepFailure::NotACandidate));
        }
        let new = NewMerge { id: id.clone(), survivor: survivor.clone(), merged: (*other).clone() };
        if let Merged::Done(_) = merge(tx, events, &self.pool, &new, self.plan.trace.at).await? {
            return self.enter(tx, events, survivor, state, json!({ "merged": true })).await;
        }
        // If one of them may not log in, the person is told why.
        for user in [survivor, *other] {
            let found = users::get(tx, &self.pool, user).await?;
            if let Some(why) = found.as_ref().and_then(unusable) {
                return Ok(Outcome::Failed(StepFailure::Unusable(why)));
            }
        }
        Ok(Outcome::Failed(StepFailure::MergeImpossible))
    }

    /// The accounts that the proof leads to now. None unless `chosen` are among the accounts to choose from,
    /// and the proof still leads to them: an identity may have been unbound since.
    async fn present_candidates(
        &self,
        tx: &mut Tx<'_>,
        state: &FlowState,
        chosen: &[&UserId],
    ) -> Result<Option<Vec<UserId>>, StoreError> {
        if chosen.iter().any(|user| !state.candidates.contains(user)) {
            return Ok(None);
        }
        let Some(resolver) = &self.resolver else { return Ok(None) };
        // Same lock order as a merge. Unbinding an identity locks its account too.
        let mut candidates: Vec<&UserId> = state.candidates.iter().collect();
        candidates.sort_unstable();
        for user in candidates {
            users::get_locked(tx, &self.pool, user).await?;
        }
        let candidates = match resolver.resolve(tx).await?.resolution {
            Resolution::Choose { accounts } => accounts.to_vec(),
            Resolution::LogIn { user, conflict, .. } => {
                std::iter::once(user).chain(conflict.map(|conflict| conflict.other)).collect()
            }
            _ => Vec::new(),
        };
        for user in chosen {
            let account = match users::get(tx, &self.pool, user).await? {
                Some(user) => users::survivor(tx, user).await?.id,
                None => return Ok(None),
            };
            if !candidates.contains(&account) {
                return Ok(None);
            }
        }
        Ok(Some(candidates))
    }

    /// Logs in an account that was chosen, or that the ids lead to.
    async fn enter(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        user: &UserId,
        state: &FlowState,
        details: Json,
    ) -> Result<Outcome, StoreError> {
        let Some(found) = users::get(tx, &self.pool, user).await? else {
            return Ok(Outcome::Failed(StepFailure::NoAccount));
        };
        let found = users::survivor(tx, found).await?;
        if let Some(why) = unusable(&found) {
            return Ok(Outcome::Failed(StepFailure::Unusable(why)));
        }
        let user = finish::count_login(tx, &self.plan, &self.pool, &found.id).await?;
        let details = details.as_object().cloned().unwrap_or_default();
        let progress =
            LoginProgress { newly_created: state.newly_created, details, ..LoginProgress::default() };
        self.finish(tx, events, user, progress).await
    }

    /// Finishes the login, or moves the flow to its next stage.
    async fn finish(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        user: User,
        progress: LoginProgress,
    ) -> Result<Outcome, StoreError> {
        let facts = progress.facts(&self.plan);
        let stage = flow::stage_of(&user, &self.plan.settings, &facts);
        if stage == Stage::Done || unusable(&user).is_some() {
            return finish::finish(tx, &self.plan, events, user, progress).await.map(Outcome::Login);
        }
        let state = FlowState {
            user: Some(user.id.clone()),
            newly_created: progress.newly_created,
            facts,
            ..self.plan.waiting_at(stage)
        };
        flows::advance(tx, &self.pool, &self.flow, &self.plan.flow.handle, &state, 0).await?;
        let waiting = Waiting { state, accounts: vec![user] };
        Ok(Outcome::Login(LoginOutcome::Waiting(Box::new(waiting))))
    }

    /// Records a failed step in the audit log.
    async fn record(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        state: &FlowState,
        failure: &StepFailure,
    ) -> Result<(), StoreError> {
        let Some(code) = failure.code() else { return Ok(()) };
        let details = json!({ "by": self.plan.method, "step": self.prepared.step().as_str() });
        let event = Event { action: Action::Login, code, user: state.user.as_ref(), details };
        events.record(tx, &self.pool, event).await
    }

    async fn waiting(&self, tx: &mut Tx<'_>, state: FlowState) -> Result<Waiting, StoreError> {
        let accounts = accounts_of(tx, &self.pool, &state).await?;
        Ok(Waiting { state, accounts })
    }
}
