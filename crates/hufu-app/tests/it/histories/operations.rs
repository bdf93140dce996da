//! Running operations on the store, and reading the state after them.

use hufu_app::credentials::guess::{Guess, Presented};
use hufu_app::credentials::locks::{Admission, CountTry, FindAccount, LockRule};
use hufu_app::login::{Continue, Continued, PreparedAction, StepFailure};
use hufu_app::login::{Login, LoginOutcome};
use hufu_app::people::identities::{Bind, Unbind, Unbound};
use hufu_app::people::merging::unit::{Merge, Merged, UndoMerge, Undone};
use hufu_store::merges::NewMerge;
use hufu_store::passcodes::{self, Addressed, Target};
use hufu_store::{Store, StoreError, users};
use hufu_types::{
    Association, FlowId, Identifier, IdentityKey, OpenPlatform, PasscodeChannel, PasscodePurpose, PhoneProof,
    PoolId, Timestamp, TokenHash, User, UserId,
};

use super::model::{Id, Model};
use super::{APPS, Act, Done, MAX_TRIES, NUMBERS, Operation, Proof, Visit};
use crate::support::{
    NOW, Variant as _, arrival, connection, login, phone, plan, random_hash, recent, seconds, trace, unit,
};

impl Proof {
    fn keys(self) -> (IdentityKey, Option<IdentityKey>) {
        (self.openid().key(), self.unionid().map(Id::key))
    }
}

impl Id {
    fn key(self) -> IdentityKey {
        match self {
            Self::Openid(person, app) => IdentityKey::wechat_openid(app, &format!("{person}-0")),
            Self::Unionid(person, platform, version) => {
                let platform = OpenPlatform(Identifier::parse(platform).unwrap());
                IdentityKey::wechat_unionid(&platform, &format!("{person}-{version}"))
            }
            Self::Number(_) => panic!("a number is no identity"),
        }
    }
}

impl Visit {
    fn login(self, pool: &PoolId) -> Login {
        let (openid, unionid) = self.proof.keys();
        let association = Association { mode: self.mode, conflict: self.conflict, ..Association::default() };
        let mut login = login(openid, unionid).into_pool(pool.clone()).associating(association);
        login.resolver.rules.login_only = self.login_only;
        match self.phone {
            Some(phone_use) => login.with_phone(phone(u32::from(self.proof.number())), phone_use),
            None => login,
        }
    }
}

unit! {
    Write MakeWithNumber { user: User } -> bool, |this, tx| {
        let (number, _) = this.user.phone.as_ref().unwrap();
        if users::by_phone(tx, &this.user.pool, number).await?.is_some() {
            return Ok(false);
        }
        users::insert(tx, &this.user, None).await.map(|()| true)
    }
}
unit! {
    Write PutCode { pool: PoolId, to: Addressed, code: TokenHash } -> (), |this, tx| {
        let expires_at = NOW.plus(seconds(300));
        passcodes::put(tx, &this.pool, &this.to, PasscodePurpose::Bind, &this.code, NOW, expires_at).await
    }
}
unit! {
    // Gives the user's account a password, and returns which account that is.
    Write GivePassword { pool: PoolId, user: UserId } -> UserId, |this, tx| {
        const SQL: &str = "UPDATE users SET password_hash = '$pw$' WHERE pool_id = $1 AND id = $2";
        let user = users::get(tx, &this.pool, &this.user).await?.ok_or(StoreError::LostRace)?;
        let account = users::survivor(tx, user).await?.id;
        tx.execute(SQL, &[(&this.pool).into(), (&account).into()]).await.map(|_| account)
    }
}
unit! {
    Read ReadModel { pool: PoolId } -> Model, |this, tx| read_model(tx, &this.pool).await
}
unit! {
    Read Totals { pool: PoolId } -> Vec<i64>, |this, tx| {
        let mut totals = Vec::new();
        for sql in [
            "SELECT CAST(COALESCE(SUM(logins_count), 0) AS BIGINT) FROM users WHERE pool_id = $1",
            "SELECT COUNT(*) FROM sessions WHERE pool_id = $1",
            "SELECT COUNT(*) FROM audit_events WHERE pool_id = $1 AND action = 'login' AND code = 0",
            "SELECT COUNT(*) FROM audit_events WHERE pool_id = $1 AND action = 'user.created'",
            "SELECT COUNT(*) FROM audit_events WHERE pool_id = $1 AND action = 'identity.conflict'",
            "SELECT CAST(COALESCE(SUM(occurrences), 0) AS BIGINT) FROM identity_conflicts WHERE pool_id = $1",
        ] {
            totals.extend(tx.optional(sql, &[(&this.pool).into()], |row| row.get::<i64>(0)).await?);
        }
        Ok(totals)
    }
}

/// The state of the store, as a model.
pub(super) async fn held(store: &Store, pool: &PoolId) -> Model {
    store.read(ReadModel { pool: pool.clone() }).await.unwrap()
}

/// Totals: logins counted, sessions, logins and new accounts in the audit log, conflicts in the audit log and
/// in their table.
pub(super) async fn totals(store: &Store, pool: &PoolId) -> Vec<i64> {
    store.read(Totals { pool: pool.clone() }).await.unwrap()
}

async fn read_model(tx: &mut hufu_store::Tx<'_>, pool: &PoolId) -> Result<Model, StoreError> {
    const IDENTITIES: &str = "SELECT realm, kind, value, user_id FROM identities WHERE pool_id = $1";
    const USERS: &str = "SELECT id, phone, phone_proof, merged_into FROM users WHERE pool_id = $1";
    const FLOWS: &str = "SELECT id, handle FROM login_flows WHERE pool_id = $1";
    const CHOICES: &str =
        "SELECT realm, value, chosen_user, other_user FROM login_choices WHERE pool_id = $1";
    let user = |text: String| UserId::parse(&text).unwrap();
    let mut held = Model::default();
    let rows = tx
        .all(IDENTITIES, &[pool.into()], |row| {
            Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<String>(2)?, row.get::<String>(3)?))
        })
        .await?;
    for (realm, kind, value, owner) in rows {
        let (person, version) = value.split_once('-').unwrap();
        let (person, version) = (person.parse().unwrap(), version.parse().unwrap());
        let name = realm.rsplit(':').next().unwrap();
        let id = match kind.as_str() {
            "openid" => Id::Openid(person, APPS.iter().find(|(app, _)| *app == name).unwrap().0),
            _ => Id::Unionid(person, APPS.iter().find(|(_, platform)| *platform == name).unwrap().1, version),
        };
        held.owners.insert(id, user(owner));
    }
    let rows = tx
        .all(USERS, &[pool.into()], |row| {
            let (number, proof, into) = (row.get(1)?, row.get(2)?, row.get(3)?);
            Ok::<(String, Option<String>, Option<String>, Option<String>), StoreError>((
                row.get(0)?,
                number,
                proof,
                into,
            ))
        })
        .await?;
    for (id, number, proof, merged_into) in rows {
        let id = user(id);
        held.accounts.insert(id.clone());
        if let Some(text) = number {
            let number =
                NUMBERS.into_iter().find(|number| phone(u32::from(*number)).as_str() == text).unwrap();
            if proof.as_deref() == Some(PhoneProof::Unverified.as_str()) {
                held.waits_in.insert(number, id.clone());
            } else {
                held.owners.insert(Id::Number(number), id.clone());
            }
        }
        if let Some(survivor) = merged_into {
            held.into.insert(id, user(survivor));
        }
    }
    let flows = tx.all(FLOWS, &[pool.into()], |row| Ok((row.get(0)?, row.get(1)?))).await?;
    held.flows = flows.into_iter().collect();
    let choices = tx
        .all(CHOICES, &[pool.into()], |row| {
            Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<String>(2)?, row.get::<String>(3)?))
        })
        .await?;
    for (realm, value, chosen, other) in choices {
        let (person, _) = value.split_once('-').unwrap();
        let app = APPS.iter().find(|(app, _)| realm.ends_with(app)).unwrap().0;
        held.choices.insert(Id::Openid(person.parse().unwrap(), app), (user(chosen), user(other)));
    }
    Ok(held)
}

/// Runs an operation.
pub(super) async fn perform(store: &Store, pool: &PoolId, operation: Operation) -> Result<Done, StoreError> {
    let pool = pool.clone();
    Ok(match operation {
        Operation::Arrive { visit, candidate, flow, handle } => {
            let mut login = visit.login(&pool);
            login.candidate = candidate;
            (login.plan.flow.id, login.plan.flow.handle) = (flow, handle);
            observed(store.write(login).await?)
        }
        Operation::Bind { user, proof } => {
            let (openid, unionid) = proof.keys();
            let (proof, connection) = (arrival(openid, unionid), connection());
            let bind =
                Bind { pool, user, connection, proof, exchange: None, recent: recent(), trace: trace(NOW) };
            Done::Bound(store.write(bind).await?)
        }
        Operation::Number { number, vouched, user } => {
            let proof = if vouched { PhoneProof::Administrator } else { PhoneProof::Unverified };
            let phone = Some((phone(u32::from(number)), proof));
            let user = User { phone, ..User::new(pool, user, "admin", NOW) };
            Done::Made(store.write(MakeWithNumber { user }).await?)
        }
        Operation::Merge { survivor, merged, id } => {
            let new = NewMerge { id, survivor, merged };
            Done::Merged(match store.write(Merge { pool, new, trace: trace(NOW) }).await? {
                Merged::Done(_) => "done",
                Merged::SameAccount => "same account",
                Merged::Unusable => "unusable",
                Merged::Gone => "gone",
                Merged::LastOwner => "the last owner",
            })
        }
        Operation::Undo { id } => {
            let undo = UndoMerge { pool, merge: id, of: None, since: Timestamp(0), trace: trace(NOW) };
            Done::Undone(match store.write(undo).await? {
                Undone::Done { .. } => "done",
                Undone::Unknown => "unknown",
                Undone::AlreadyUndone => "before",
                Undone::TooLate => "too late",
                Undone::SurvivorMerged => "merged on",
                Undone::Unusable => "unusable",
            })
        }
        Operation::Unbind { user, id } => {
            let unbind = Unbind { pool, user, keys: vec![id.key()], allow_last: true, trace: trace(NOW) };
            Done::Unbound(match store.write(unbind).await? {
                Unbound::Done(_) => "done",
                Unbound::NotBound => "not bound",
                Unbound::LastWayIn => "last way in",
            })
        }
        Operation::GoOn { flow, handle, next, visit, act, candidate, merge } => {
            let step = Continue {
                handle,
                prepared: PreparedAction::GiveUp,
                candidate,
                ..step(&pool, flow, next, visit)
            };
            loop {
                let prepared = match &act {
                    Act::Create => PreparedAction::Create,
                    Act::BindByNumber => by_number(store, &pool, visit.proof.number()).await?,
                    Act::BindByPassword(user) => by_password(store, &pool, user).await?,
                    Act::Choose(user) => PreparedAction::Choose(user.clone()),
                    Act::Merge(survivor) => {
                        PreparedAction::Merge { survivor: survivor.clone(), id: merge.clone() }
                    }
                    Act::GiveUp => PreparedAction::GiveUp,
                };
                match store.write(Continue { prepared, ..step.clone() }).await? {
                    // The account was merged while the password was being verified: start again.
                    Continued::Changed => {}
                    continued => return Ok(went_on(continued)),
                }
            }
        }
    })
}

fn step(pool: &PoolId, flow: FlowId, next: TokenHash, visit: Visit) -> Continue {
    let mut plan = plan(NOW);
    (plan.flow.id, plan.flow.handle) = (flow.clone(), next.clone());
    let login = visit.login(pool);
    Continue {
        pool: pool.clone(),
        flow,
        handle: next,
        cookie: None,
        prepared: PreparedAction::GiveUp,
        resolver: Some(login.resolver),
        candidate: login.candidate,
        plan,
        max_tries: MAX_TRIES,
        keeps_handle: false,
    }
}

async fn by_number(store: &Store, pool: &PoolId, number: u8) -> Result<PreparedAction, StoreError> {
    // A code for this operation only.
    let to = Addressed { channel: PasscodeChannel::Sms, target: random_hash() };
    let code = random_hash();
    store.write(PutCode { pool: pool.clone(), to: to.clone(), code: code.clone() }).await?;
    let code = Presented { to, code, purposes: &[PasscodePurpose::Bind], max_tries: 5 };
    let guess = Guess { code, guard: None };
    Ok(PreparedAction::BindByCode { guess, to: Target::Phone(phone(u32::from(number))) })
}

async fn by_password(store: &Store, pool: &PoolId, user: &UserId) -> Result<PreparedAction, StoreError> {
    let user = store.write(GivePassword { pool: pool.clone(), user: user.clone() }).await?;
    // As many as run in parallel: right passwords must not add up, however the login goes on.
    let lock = LockRule { most: 3, window: seconds(900) };
    let find = FindAccount {
        pool: pool.clone(),
        names: Vec::new(),
        unknown: format!("nobody of {pool}"),
        lock,
        network: None,
    };
    let locks = store.read(find).await?.lock;
    let Admission::Counted { counted, .. } = store.write(CountTry { locks, now: NOW }).await? else {
        panic!("locked")
    };
    Ok(PreparedAction::BindByPassword { user, hash: "$pw$".to_owned(), counted })
}

fn observed(outcome: LoginOutcome) -> Done {
    match outcome {
        LoginOutcome::LoggedIn(done) => Done::In {
            user: done.user.id,
            newly_created: done.newly_created,
            disagrees_with: done.conflict.map(|conflict| conflict.other),
        },
        LoginOutcome::Waiting(waiting) => Done::Waits {
            stage: waiting.state.stage,
            may_create: waiting.state.may_create,
            candidates: waiting.state.candidates,
        },
        LoginOutcome::LoginOnly => Done::LoginOnly,
        other => panic!("{other:?}"),
    }
}

fn went_on(continued: Continued) -> Done {
    let why = |failure: StepFailure| match failure {
        StepFailure::MayNotCreate => "may not create",
        StepFailure::NoAccount => "no account",
        StepFailure::IdentityTaken => "taken",
        StepFailure::AnotherIdentityBound => "has another",
        StepFailure::NotACandidate => "no candidate",
        StepFailure::Unusable(_) | StepFailure::MergeImpossible => "unusable",
        other => panic!("{other:?}"),
    };
    match continued {
        Continued::Login(outcome) => observed(*outcome),
        Continued::Failed(failure, _) => Done::Failed(why(failure)),
        Continued::Ended(failure) => Done::Over(why(failure)),
        Continued::Unknown => Done::Unknown,
        Continued::GivenUp => Done::GivenUp,
        other => panic!("{other:?}"),
    }
}
