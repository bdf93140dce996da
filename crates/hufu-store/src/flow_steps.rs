//! The steps of a login that waits, each one unit: the flow is locked, its handle
//! compared, the step done, and the flow ended, or left at its next stage with a new handle.

use std::collections::BTreeMap;

use hufu_types::flow::{self, FlowState, Stage, Step};
use hufu_types::resolution::Resolution;
use hufu_types::{
    Action, Email, FlowId, MergeId, PhoneProof, PoolId, Profile, TokenHash, User, UserId, Username,
};
use serde_json::{Map, Value as Json, json};

use crate::credentials::password;
use crate::events::{Event, Recorder};
use crate::logins::{self, Arriving, Came, LoginOutcome, Resolved, Ticket, Waiting, unusable};
use crate::merges::{self, Merged, NewMerge};
use crate::passcodes::{self, Consumed, Presented, Target};
use crate::{StoreError, Tx, Write, flows, statements, users};

statements! {
    SET_AGREEMENTS = "UPDATE users SET agreements = $3, updated_at = $4 WHERE pool_id = $1 AND id = $2";
    SET_NAMES = "
        UPDATE users
        SET username = $3, email = $4, email_verified = $5, phone = $6, phone_proof = $7, updated_at = $8
        WHERE pool_id = $1 AND id = $2";
}

/// What the person does. Whatever hashes or calls is done before.
#[derive(Clone, Debug)]
pub enum Doing {
    /// Makes a new account.
    Create,
    /// Binds the identity to an account that a code proves.
    BindByCode {
        /// The code.
        code: Presented,
        /// Where it was sent to.
        to: Target,
    },
    /// Binds the identity to an account whose password was right.
    BindByPassword {
        /// The account.
        user: UserId,
        /// The hash that was verified: another one now means that the password was changed meanwhile.
        hash: String,
    },
    /// Chooses an account.
    Choose(UserId),
    /// Merges the accounts into one.
    Merge {
        /// The one that stays.
        survivor: UserId,
        /// The id of the merge.
        id: MergeId,
    },
    /// Sets a new password.
    SetPassword {
        /// Its hash.
        hash: String,
    },
    /// Fills in what is missing.
    FillIn {
        /// Text fields of the profile by name.
        fields: Vec<(String, String)>,
        /// Custom data.
        custom_data: Map<String, Json>,
        /// A username.
        username: Option<Username>,
        /// A phone number or an e-mail address with the code that proves it.
        proved: Vec<(Target, Presented)>,
    },
    /// Accepts agreements, by id in this version.
    Accept(BTreeMap<String, u32>),
    /// Gives up.
    GiveUp,
}

impl Doing {
    /// The step that it is.
    pub fn step(&self) -> Step {
        match self {
            Self::Create => Step::Create,
            Self::BindByCode { .. } | Self::BindByPassword { .. } => Step::Bind,
            Self::Choose(_) => Step::Choose,
            Self::Merge { .. } => Step::Merge,
            Self::SetPassword { .. } => Step::SetPassword,
            Self::FillIn { .. } => Step::FillIn,
            Self::Accept(_) => Step::Accept,
            Self::GiveUp => Step::Expire,
        }
    }
}

/// Goes on with a login that waits.
#[derive(Clone, Debug)]
pub struct Continue {
    /// The pool.
    pub pool: PoolId,
    /// The flow.
    pub flow: FlowId,
    /// The hash of the handle that the person presents.
    pub handle: TokenHash,
    /// The hash of the cookie of the browser, where there is one.
    pub cookie: Option<TokenHash>,
    /// What the person does.
    pub doing: Doing,
    /// Who arrived, where the proof was kept.
    pub who: Option<Arriving>,
    /// What fills the nickname and photo of a new account.
    pub profile: Profile,
    /// The id of the user, if one must be made.
    pub candidate: UserId,
    /// What is written at the end; its flow has the hash of the next handle.
    pub ticket: Ticket,
    /// Failed steps after which the flow is over.
    pub max_tries: i64,
}

/// What came of a step.
#[derive(Debug)]
pub enum Continued {
    /// The login went on: it is done, waits at another stage, or was refused.
    On(Box<LoginOutcome>),
    /// The step failed, and the flow waits where it was, with a new handle.
    Failed(StepFailure, Box<Waiting>),
    /// The step failed for the last time, and the flow is over.
    Over(StepFailure),
    /// There is no such flow, or the handle is not its present one.
    Unknown,
    /// The step is not possible at its stage.
    Impossible,
    /// The person gave up.
    GivenUp,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepFailure {
    /// The code is wrong, used or expired.
    WrongCode,
    /// The account or the password is wrong.
    WrongPassword,
    /// No account is proved by it.
    NoAccount,
    /// The account has another identity of the same source.
    AnotherIdentityBound,
    /// The identity leads to another account by now.
    IdentityTaken,
    /// The account is not among those to choose from.
    NotACandidate,
    /// No account may be made.
    MayNotCreate,
    /// The account is switched off or deleted.
    Unusable,
    /// The username is taken.
    UsernameTaken,
    /// The phone number or the e-mail address is another account's.
    NameTaken,
    /// Something that is required is still missing.
    StillMissing,
}

/// What a step does to the flow.
enum Outcome {
    Login(LoginOutcome),
    Failed(StepFailure),
}

impl Write for Continue {
    type Out = Continued;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Continued, StoreError> {
        let now = self.ticket.trace.at;
        let Some(found) = flows::get_locked(tx, &self.pool, &self.flow).await? else {
            return Ok(Continued::Unknown);
        };
        let present = found.handle.matches(self.handle.as_bytes()) && found.expires_at > now;
        // What a browser began goes on in that browser alone.
        let same_browser = match (&found.cookie, &self.cookie) {
            (None, _) => true,
            (Some(kept), Some(sent)) => kept.matches(sent.as_bytes()),
            (Some(_), None) => false,
        };
        if !present || !same_browser || found.application != self.ticket.session.application {
            return Ok(Continued::Unknown);
        }
        let state = found.state;
        if state.stage.after(self.doing.step()).is_none() {
            return Ok(Continued::Impossible);
        }
        let mut events = self.ticket.trace.recorder();
        let outcome = self.step(tx, &mut events, &state).await?;
        match outcome {
            Outcome::Login(LoginOutcome::Waiting(waiting)) => {
                Ok(Continued::On(Box::new(LoginOutcome::Waiting(waiting))))
            }
            Outcome::Login(outcome) => {
                flows::end(tx, &self.pool, &self.flow).await?;
                let given_up = matches!(self.doing, Doing::GiveUp);
                Ok(if given_up { Continued::GivenUp } else { Continued::On(Box::new(outcome)) })
            }
            Outcome::Failed(failure) => {
                let tries = found.tries + 1;
                if tries >= self.max_tries {
                    flows::end(tx, &self.pool, &self.flow).await?;
                    return Ok(Continued::Over(failure));
                }
                let handle = &self.ticket.flow.handle;
                flows::advance(tx, &self.pool, &self.flow, handle, &state, tries).await?;
                let waiting = self.waiting(tx, state).await?;
                Ok(Continued::Failed(failure, Box::new(waiting)))
            }
        }
    }
}

impl Continue {
    async fn step(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        state: &FlowState,
    ) -> Result<Outcome, StoreError> {
        match &self.doing {
            Doing::Create if !state.may_create => Ok(Outcome::Failed(StepFailure::MayNotCreate)),
            Doing::Create => self.create(tx, events).await,
            Doing::BindByCode { code, to } => {
                let now = self.ticket.trace.at;
                if passcodes::consume(tx, &self.pool, code, now).await? != Consumed::Accepted {
                    return Ok(Outcome::Failed(StepFailure::WrongCode));
                }
                match self.vouched_owner(tx, to).await? {
                    Some(user) => self.bind(tx, events, user).await,
                    None => Ok(Outcome::Failed(StepFailure::NoAccount)),
                }
            }
            Doing::BindByPassword { user, hash } => {
                let same = password::password_of(tx, &self.pool, user).await?.as_deref() == Some(hash);
                match users::get(tx, &self.pool, user).await?.filter(|_| same) {
                    Some(user) => {
                        let user = users::survivor(tx, user).await?;
                        self.bind(tx, events, user).await
                    }
                    None => Ok(Outcome::Failed(StepFailure::WrongPassword)),
                }
            }
            Doing::Choose(user) if !state.candidates.contains(user) => {
                Ok(Outcome::Failed(StepFailure::NotACandidate))
            }
            Doing::Choose(user) => self.enter(tx, events, user, state, json!({ "chosen": true })).await,
            Doing::Merge { survivor, id } => self.merge(tx, events, state, survivor, id).await,
            Doing::SetPassword { .. } | Doing::FillIn { .. } | Doing::Accept(_) => {
                self.check(tx, events, state).await
            }
            // Whatever it answers, the flow ends.
            Doing::GiveUp => Ok(Outcome::Login(LoginOutcome::Ended)),
        }
    }

    /// Makes an account; or logs in the one that the ids lead to by now.
    async fn create(&self, tx: &mut Tx<'_>, events: &mut Recorder<'_>) -> Result<Outcome, StoreError> {
        let Some(who) = &self.who else { return Ok(Outcome::Failed(StepFailure::MayNotCreate)) };
        let Resolved { resolution, .. } = who.resolve(tx).await?;
        match resolution {
            Resolution::Ask { may_create: true } => {}
            Resolution::LogIn { user, .. } => {
                let user = logins::count(tx, &self.ticket, &self.pool, &user).await?;
                let came = Came::default();
                return self.finish(tx, events, user, came).await;
            }
            _ => return Ok(Outcome::Failed(StepFailure::MayNotCreate)),
        }
        let (session, trace) = (&self.ticket.session, &self.ticket.trace);
        let mut user = User {
            profile: self.profile.clone(),
            logins_count: 1,
            last_login_at: Some(trace.at),
            last_ip: session.ip.clone(),
            last_application: Some(session.application.clone()),
            ..User::new(self.pool.clone(), self.candidate.clone(), self.ticket.method, trace.at)
        };
        if let Some(phone) = &who.phone {
            let owner = users::by_phone(tx, &self.pool, phone).await?;
            if owner.is_none_or(|owner| owner.vouched_phone().is_none()) {
                logins::release_phone(tx, events, &self.pool, phone, &user.id, trace.at).await?;
                user.phone = Some((phone.clone(), PhoneProof::Wechat));
            }
        }
        users::insert(tx, &user, None).await?;
        who.attach(tx, trace, &user.id, true, who.arrival.unionid.is_some()).await?;
        let created = Event::of(Action::UserCreated, &user.id).with(json!({ "by": self.ticket.method }));
        events.record(tx, &self.pool, created).await?;
        self.finish(tx, events, user, Came { newly_created: true, ..Came::default() }).await
    }

    /// Binds what arrived to an account that the person has proved.
    async fn bind(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        user: User,
    ) -> Result<Outcome, StoreError> {
        let Some(who) = &self.who else { return Ok(Outcome::Failed(StepFailure::NoAccount)) };
        if unusable(&user).is_some() {
            return Ok(Outcome::Failed(StepFailure::Unusable));
        }
        // From here on the row is locked: two flows that bind to one account wait for each other.
        let user = users::get_locked(tx, &self.pool, &user.id).await?.ok_or(StoreError::LostRace)?;
        let mut missing = [false, false];
        let keys = std::iter::once(&who.arrival.openid).chain(&who.arrival.unionid);
        for (key, missing) in keys.zip(&mut missing) {
            match users::identity_owner(tx, &self.pool, key).await? {
                Some(owner) if owner != user.id => return Ok(Outcome::Failed(StepFailure::IdentityTaken)),
                Some(_) => {}
                None => *missing = true,
            }
        }
        if who.is_another_persons(tx, &user.id).await? {
            return Ok(Outcome::Failed(StepFailure::AnotherIdentityBound));
        }
        let [openid, unionid] = missing;
        who.attach(tx, &self.ticket.trace, &user.id, openid, unionid).await?;
        let bound = Event::of(Action::IdentityBound, &user.id).with(json!({ "by": self.ticket.method }));
        events.record(tx, &self.pool, bound).await?;
        let user = logins::count(tx, &self.ticket, &self.pool, &user.id).await?;
        self.finish(tx, events, user, Came::default()).await
    }

    /// Merges the accounts that the proof leads to, and logs the one that stays in.
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
        let new = NewMerge { id: id.clone(), survivor: survivor.clone(), merged: (*other).clone() };
        match merges::merge(tx, events, &self.pool, &new, self.ticket.trace.at).await? {
            Merged::Done(_) => self.enter(tx, events, survivor, state, json!({ "merged": true })).await,
            _ => Ok(Outcome::Failed(StepFailure::Unusable)),
        }
    }

    /// Logs an account in that was chosen.
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
        if unusable(&found).is_some() {
            return Ok(Outcome::Failed(StepFailure::Unusable));
        }
        let user = logins::count(tx, &self.ticket, &self.pool, &found.id).await?;
        let details = details.as_object().cloned().unwrap_or_default();
        let came = Came { newly_created: state.newly_created, details, ..Came::default() };
        self.finish(tx, events, user, came).await
    }

    /// A stage of [`flow::CHECKS`]: changes the account, and goes on to the next.
    async fn check(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        state: &FlowState,
    ) -> Result<Outcome, StoreError> {
        let Some(id) = &state.user else { return Ok(Outcome::Failed(StepFailure::NoAccount)) };
        let Some(user) = users::get_locked(tx, &self.pool, id).await? else {
            return Ok(Outcome::Failed(StepFailure::NoAccount));
        };
        let user = match &self.doing {
            // Whoever knew the old password may be logged in somewhere: all sessions end.
            Doing::SetPassword { hash } => {
                password::set(tx, events, user, hash, "login", None, self.ticket.trace.at).await?.0
            }
            Doing::Accept(accepted) => self.accept(tx, events, user, accepted).await?,
            _ => match self.fill_in(tx, events, user).await? {
                Ok(user) => user,
                Err(failure) => return Ok(Outcome::Failed(failure)),
            },
        };
        if flow::stage_of(&user, &self.ticket.settings) == state.stage {
            return Ok(Outcome::Failed(StepFailure::StillMissing));
        }
        self.finish(tx, events, user, Came { newly_created: state.newly_created, ..Came::default() }).await
    }

    async fn accept(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        mut user: User,
        accepted: &BTreeMap<String, u32>,
    ) -> Result<User, StoreError> {
        let now = self.ticket.trace.at;
        user.agreements.extend(accepted.iter().map(|(id, version)| (id.clone(), *version)));
        let agreements = serde_json::to_string(&user.agreements)?;
        let values = [(&self.pool).into(), (&user.id).into(), (&agreements).into(), now.into()];
        tx.execute(SET_AGREEMENTS, &values).await?;
        let event = Event::of(Action::AgreementsAccepted, &user.id).with(json!({ "accepted": accepted }));
        events.record(tx, &self.pool, event).await?;
        Ok(user)
    }

    async fn fill_in(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        mut user: User,
    ) -> Result<Result<User, StepFailure>, StoreError> {
        let Doing::FillIn { fields, custom_data, username, proved } = &self.doing else {
            return Ok(Err(StepFailure::StillMissing));
        };
        let (pool, now) = (&self.pool, self.ticket.trace.at);
        let mut changed: Vec<&str> = Vec::new();
        // Only what is empty: a login is no place to change what is there.
        for (name, value) in fields {
            if let Some(field) = user.profile.field_mut(name).filter(|field| field.is_none()) {
                *field = Some(value.clone());
                changed.push(name);
            }
        }
        for (key, value) in custom_data {
            if user.custom_data.get(key).is_none_or(Json::is_null) {
                user.custom_data.insert(key.clone(), value.clone());
                changed.push(key);
            }
        }
        if let Some(name) = username.as_ref().filter(|_| user.username.is_none()) {
            if users::by_username(tx, pool, name).await?.is_some() {
                return Ok(Err(StepFailure::UsernameTaken));
            }
            user.username = Some(name.clone());
            changed.push("username");
        }
        for (what, code) in proved {
            if passcodes::consume(tx, pool, code, now).await? != Consumed::Accepted {
                return Ok(Err(StepFailure::WrongCode));
            }
            // Told only to who has proved the name.
            if self.vouched_owner(tx, what).await?.is_some_and(|owner| owner.id != user.id) {
                return Ok(Err(StepFailure::NameTaken));
            }
            match what {
                Target::Phone(phone) => {
                    logins::release_phone(tx, events, pool, phone, &user.id, now).await?;
                    user.phone = Some((phone.clone(), PhoneProof::Code));
                    changed.push("phone");
                }
                Target::Email(email) => {
                    logins::release_email(tx, events, pool, email, &user.id, now).await?;
                    (user.email, user.email_verified) = (Some(email.clone()), true);
                    changed.push("email");
                }
            }
        }
        user.updated_at = now;
        users::set_profile(tx, &user.id, pool, &user.profile, &user.custom_data, now).await?;
        let values = [
            pool.into(),
            (&user.id).into(),
            user.username.as_ref().map(Username::as_str).into(),
            user.email.as_ref().map(Email::as_str).into(),
            user.email_verified.into(),
            user.phone.as_ref().map(|(phone, _)| phone.as_str()).into(),
            user.phone.as_ref().map(|(_, proof)| proof.as_str()).into(),
            now.into(),
        ];
        tx.execute(SET_NAMES, &values).await?;
        let event =
            Event::of(Action::UserUpdated, &user.id).with(json!({ "changed": changed, "by": "login" }));
        events.record(tx, pool, event).await?;
        Ok(Ok(user))
    }

    /// The account that a proved name is vouched to belong to.
    async fn vouched_owner(&self, tx: &mut Tx<'_>, what: &Target) -> Result<Option<User>, StoreError> {
        let found = match what {
            Target::Phone(phone) => {
                users::by_phone(tx, &self.pool, phone).await?.filter(|user| user.vouched_phone().is_some())
            }
            Target::Email(email) => {
                users::by_email(tx, &self.pool, email).await?.filter(|user| user.vouched_email().is_some())
            }
        };
        match found {
            Some(user) => users::survivor(tx, user).await.map(Some),
            None => Ok(None),
        }
    }

    /// The session, or the next stage of the same flow.
    async fn finish(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        user: User,
        came: Came,
    ) -> Result<Outcome, StoreError> {
        let stage = flow::stage_of(&user, &self.ticket.settings);
        if stage == Stage::Done || unusable(&user).is_some() {
            return logins::finish(tx, &self.ticket, events, user, came).await.map(Outcome::Login);
        }
        let state = FlowState {
            user: Some(user.id.clone()),
            newly_created: came.newly_created,
            ..self.ticket.waiting_at(stage)
        };
        flows::advance(tx, &self.pool, &self.flow, &self.ticket.flow.handle, &state, 0).await?;
        let waiting = Waiting { state, accounts: vec![user] };
        Ok(Outcome::Login(LoginOutcome::Waiting(Box::new(waiting))))
    }

    async fn waiting(&self, tx: &mut Tx<'_>, state: FlowState) -> Result<Waiting, StoreError> {
        let mut accounts = Vec::new();
        for id in state.candidates.iter().chain(&state.user) {
            accounts.extend(users::get(tx, &self.pool, id).await?);
        }
        Ok(Waiting { state, accounts })
    }
}
