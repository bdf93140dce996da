//! Random histories of people who arrive, bind, prove numbers and merge, some of it at the same instant, against a
//! model that knows who they are.
//!
//! After every instant there must be an order of its deeds in which the model answers each as the store did and
//! holds what the store holds. The model finds accounts by the ids that were seen before: so one person never has
//! two accounts where an id could have joined them, and two persons never share one.

use std::collections::{BTreeMap, BTreeSet};

use hufu_store::logins::{Bind, BindOutcome, LoginOutcome};
use hufu_store::merges::{Merge, Merged, NewMerge, UndoMerge, Undone};
use hufu_store::{Store, StoreError, users};
use hufu_testkit::on_both_engines;
use hufu_types::flow::Stage;
use hufu_types::resolution::PhoneUse;
use hufu_types::{
    Association, AssociationMode, ConflictRule, Identifier, IdentityKey, MergeId, OpenPlatform, PhoneProof,
    PoolId, SystemRandom, Timestamp, User, UserId,
};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

use crate::support::{NOW, Variant as _, arrival, connection, login, migrated, phone, trace, unit};

/// Histories an engine.
const CASES: u32 = 256;
/// People, all strangers to each other.
const PEOPLE: u8 = 3;
/// Apps, and the Open Platform account of each.
const APPS: [(&str, &str); 4] = [
    ("wx00000000000000a1", "shop"),
    ("wx00000000000000a2", "shop"),
    ("wx00000000000000b1", "market"),
    ("wx00000000000000b2", "market"),
];

/// Something that a person does, or that is done for them.
#[derive(Clone, Debug)]
enum Step {
    /// Logs in through an app.
    Arrive(Visit),
    /// Binds what an app proves to one of the person's accounts.
    Bind { account: u8, proof: Proof },
    /// An account turns up that has the person's number: an administrator's work, or a stranger's who lies in wait.
    Number { person: u8, vouched: bool },
    /// Merges two of the person's accounts.
    Merge { person: u8, survivor: u8, merged: u8 },
    /// Undoes a merge.
    Undo { merge: u8 },
}

/// What an app proves of a person.
#[derive(Clone, Copy, Debug)]
struct Proof {
    person: u8,
    app: usize,
    has_unionid: bool,
}

/// A login.
#[derive(Clone, Copy, Debug)]
struct Visit {
    proof: Proof,
    phone: Option<PhoneUse>,
    mode: AssociationMode,
    conflict: ConflictRule,
    login_only: bool,
}

fn proof() -> impl Strategy<Value = Proof> {
    (0..PEOPLE, 0..APPS.len(), any::<bool>()).prop_map(|(person, app, has_unionid)| Proof {
        person,
        app,
        has_unionid,
    })
}

fn visit() -> impl Strategy<Value = Visit> {
    use AssociationMode::{Ask, Field, None as Nothing};
    let phone = option::of(select(vec![PhoneUse::Fill, PhoneUse::LogIn]));
    // Mostly a plain one, so that accounts come about.
    let mode = select(vec![Nothing, Nothing, Field, Field, Ask]);
    let conflict = select(vec![ConflictRule::Keep, ConflictRule::Keep, ConflictRule::Choose]);
    (proof(), phone, mode, conflict, prop::bool::weighted(0.1)).prop_map(
        |(proof, phone, mode, conflict, login_only)| Visit { proof, phone, mode, conflict, login_only },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => visit().prop_map(Step::Arrive),
        3 => (any::<u8>(), proof()).prop_map(|(account, proof)| Step::Bind { account, proof }),
        2 => (0..PEOPLE, any::<bool>()).prop_map(|(person, vouched)| Step::Number { person, vouched }),
        2 => (0..PEOPLE, any::<u8>(), any::<u8>())
            .prop_map(|(person, survivor, merged)| Step::Merge { person, survivor, merged }),
        1 => any::<u8>().prop_map(|merge| Step::Undo { merge }),
    ]
}

/// Instants, and what is done at each.
fn histories() -> impl Strategy<Value = Vec<Vec<Step>>> {
    prop::collection::vec(prop::collection::vec(step(), 1..=3), 1..14)
}

/// What leads to an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Id {
    Openid(u8, &'static str),
    Unionid(u8, &'static str),
    Number(u8),
}

impl Id {
    fn person(&self) -> u8 {
        match self {
            Self::Openid(person, _) | Self::Unionid(person, _) | Self::Number(person) => *person,
        }
    }
}

impl Proof {
    fn ids(self) -> impl Iterator<Item = Id> {
        let (app, platform) = APPS[self.app];
        let unionid = self.has_unionid.then_some(Id::Unionid(self.person, platform));
        std::iter::once(Id::Openid(self.person, app)).chain(unionid)
    }

    fn keys(self) -> (IdentityKey, Option<IdentityKey>) {
        let (app, platform) = APPS[self.app];
        let value = self.person.to_string();
        let platform = OpenPlatform(Identifier::parse(platform).unwrap());
        let unionid = self.has_unionid.then(|| IdentityKey::wechat_unionid(&platform, &value));
        (IdentityKey::wechat_openid(app, &value), unionid)
    }
}

/// A step that knows which accounts it is about.
#[derive(Clone, Debug)]
enum Deed {
    Arrive { visit: Visit, candidate: UserId },
    Bind { user: UserId, proof: Proof },
    Number { person: u8, vouched: bool, user: UserId },
    Merge { survivor: UserId, merged: UserId, id: MergeId },
    Undo { id: MergeId },
}

/// What came of a deed.
#[derive(Clone, Debug, PartialEq)]
enum Done {
    In { user: UserId, newly_created: bool, disagrees_with: Option<UserId> },
    Waits { stage: Stage, may_create: bool, candidates: Vec<UserId> },
    Stranger,
    Bound(BindOutcome),
    Made(bool),
    Merged(&'static str),
    Undone(&'static str),
}

/// Who is who.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    /// All accounts, merged ones too.
    accounts: BTreeSet<UserId>,
    /// To whose row an id leads.
    leads: BTreeMap<Id, UserId>,
    /// In whose row a number stands that nobody vouches for.
    waits_in: BTreeMap<u8, UserId>,
    /// What was merged, into what.
    into: BTreeMap<UserId, UserId>,
}

/// What undoing a merge needs.
#[derive(Clone, Debug)]
struct Undoing {
    id: MergeId,
    survivor: UserId,
    merged: UserId,
    number: Option<u8>,
    repointed: Vec<UserId>,
    is_undone: bool,
}

/// A model and its merges, which the store shows nowhere.
#[derive(Clone, Debug, Default)]
struct World {
    model: Model,
    merges: Vec<Undoing>,
}

impl Model {
    fn survivor(&self, row: &UserId) -> UserId {
        self.into.get(row).unwrap_or(row).clone()
    }

    fn account_of(&self, id: &Id) -> Option<UserId> {
        self.leads.get(id).map(|row| self.survivor(row))
    }

    /// The accounts to which ids of this person lead.
    fn accounts_of(&self, person: u8) -> Vec<UserId> {
        let ids = self.leads.keys().filter(|id| id.person() == person);
        let accounts: BTreeSet<UserId> = ids.filter_map(|id| self.account_of(id)).collect();
        accounts.into_iter().collect()
    }

    fn arrive(&mut self, visit: Visit, candidate: &UserId) -> Done {
        let proof = visit.proof;
        let number = visit.phone.map(|_| Id::Number(proof.person));
        let has_number = number.as_ref().and_then(|id| self.account_of(id));
        let by_ids: Vec<UserId> = proof.ids().filter_map(|id| self.account_of(&id)).collect();
        let logs_in = visit.phone == Some(PhoneUse::LogIn);
        let matches = visit.mode == AssociationMode::Field && by_ids.is_empty();

        // In the order in which they lead.
        let mut found: Vec<UserId> = has_number.clone().filter(|_| logs_in || matches).into_iter().collect();
        for account in by_ids {
            if !found.contains(&account) {
                found.push(account);
            }
        }
        let (user, disagrees_with) = match found.as_slice() {
            [] => {
                let waits = visit.mode == AssociationMode::Ask
                    || (visit.mode == AssociationMode::Field && visit.login_only);
                if waits {
                    let (stage, may_create) = (Stage::Associate, !visit.login_only);
                    return Done::Waits { stage, may_create, candidates: Vec::new() };
                }
                if visit.login_only {
                    return Done::Stranger;
                }
                self.accounts.insert(candidate.clone());
                (candidate, None)
            }
            [one] => (one, has_number.clone().filter(|other| other != one)),
            [first, second, ..] if visit.conflict == ConflictRule::Choose => {
                let candidates = vec![first.clone(), second.clone()];
                return Done::Waits { stage: Stage::Select, may_create: false, candidates };
            }
            [first, second, ..] => (first, Some(second.clone())),
        };
        // Where accounts disagree nothing moves.
        if found.len() < 2 {
            for id in proof.ids() {
                self.leads.entry(id).or_insert_with(|| user.clone());
            }
        }
        if let (Some(number), None) = (number, has_number) {
            self.leads.insert(number, user.clone());
            self.waits_in.remove(&proof.person);
        }
        Done::In { user: user.clone(), newly_created: found.is_empty(), disagrees_with }
    }

    fn bind(&mut self, user: &UserId, proof: Proof) -> BindOutcome {
        let account = self.survivor(user);
        if proof.ids().filter_map(|id| self.account_of(&id)).any(|owner| owner != account) {
            return BindOutcome::TakenByAnother;
        }
        for id in proof.ids() {
            self.leads.entry(id).or_insert_with(|| account.clone());
        }
        BindOutcome::Bound
    }

    fn number(&mut self, person: u8, vouched: bool, user: &UserId) -> bool {
        let is_free = !self.leads.contains_key(&Id::Number(person)) && !self.waits_in.contains_key(&person);
        if is_free {
            self.accounts.insert(user.clone());
            if vouched {
                self.leads.insert(Id::Number(person), user.clone());
            } else {
                self.waits_in.insert(person, user.clone());
            }
        }
        is_free
    }

    /// The number that stands in this row.
    fn number_of(&self, row: &UserId) -> Option<u8> {
        let numbers = self.leads.iter().filter(|(id, _)| matches!(id, Id::Number(_)));
        numbers.into_iter().find(|(_, at)| *at == row).map(|(id, _)| id.person())
    }
}

impl World {
    /// What should come of a deed.
    fn play(&mut self, deed: &Deed) -> Done {
        match deed {
            Deed::Arrive { visit, candidate } => self.model.arrive(*visit, candidate),
            Deed::Bind { user, proof } => Done::Bound(self.model.bind(user, *proof)),
            Deed::Number { person, vouched, user } => Done::Made(self.model.number(*person, *vouched, user)),
            Deed::Merge { survivor, merged, id } => Done::Merged(self.merge(survivor, merged, id)),
            Deed::Undo { id } => Done::Undone(self.undo(id)),
        }
    }

    fn merge(&mut self, survivor: &UserId, merged: &UserId, id: &MergeId) -> &'static str {
        let model = &mut self.model;
        if model.survivor(survivor) == model.survivor(merged) {
            return "same account";
        }
        if model.into.contains_key(survivor) || model.into.contains_key(merged) {
            return "unusable";
        }
        let number = model.number_of(merged).filter(|_| model.number_of(survivor).is_none());
        if let Some(person) = number {
            model.leads.insert(Id::Number(person), survivor.clone());
        }
        let mut repointed = Vec::new();
        for (row, into) in &mut model.into {
            if into == merged {
                *into = survivor.clone();
                repointed.push(row.clone());
            }
        }
        model.into.insert(merged.clone(), survivor.clone());
        let (id, survivor, merged) = (id.clone(), survivor.clone(), merged.clone());
        self.merges.push(Undoing { id, survivor, merged, number, repointed, is_undone: false });
        "done"
    }

    fn undo(&mut self, id: &MergeId) -> &'static str {
        let model = &mut self.model;
        let Some(merge) = self.merges.iter_mut().find(|merge| merge.id == *id) else { return "unknown" };
        if merge.is_undone {
            return "before";
        }
        if model.into.contains_key(&merge.survivor) || model.into.get(&merge.merged) != Some(&merge.survivor)
        {
            return "merged on";
        }
        merge.is_undone = true;
        if let Some(person) = merge.number
            && model.leads.get(&Id::Number(person)) == Some(&merge.survivor)
        {
            model.leads.insert(Id::Number(person), merge.merged.clone());
        }
        model.into.remove(&merge.merged);
        for row in &merge.repointed {
            if model.into.get(row) == Some(&merge.survivor) {
                model.into.insert(row.clone(), merge.merged.clone());
            }
        }
        "done"
    }

    /// The step as a deed; nothing where the person has no such account yet.
    fn deed(&self, step: &Step) -> Option<Deed> {
        let pick = |person: u8, index: u8| {
            let accounts = self.model.accounts_of(person);
            accounts.get(usize::from(index) % accounts.len().max(1)).cloned()
        };
        let new_user = || UserId::generate(NOW, &SystemRandom);
        Some(match *step {
            Step::Arrive(visit) => Deed::Arrive { visit, candidate: new_user() },
            Step::Bind { account, proof } => Deed::Bind { user: pick(proof.person, account)?, proof },
            Step::Number { person, vouched } => Deed::Number { person, vouched, user: new_user() },
            Step::Merge { person, survivor, merged } => Deed::Merge {
                survivor: pick(person, survivor)?,
                merged: pick(person, merged)?,
                id: MergeId::generate(NOW, &SystemRandom),
            },
            Step::Undo { merge } => {
                let count = self.merges.len();
                Deed::Undo { id: self.merges.get(usize::from(merge) % count.max(1))?.id.clone() }
            }
        })
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
    Read Holdings { pool: PoolId } -> Model, |this, tx| read_holdings(tx, &this.pool).await
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
            "SELECT COUNT(*) FROM login_flows WHERE pool_id = $1",
            "SELECT COUNT(*) FROM audit_events WHERE pool_id = $1 AND action = 'login' AND code = 2004",
        ] {
            totals.extend(tx.optional(sql, &[(&this.pool).into()], |row| row.get::<i64>(0)).await?);
        }
        Ok(totals)
    }
}

/// What the store holds, as the model says it.
async fn read_holdings(tx: &mut hufu_store::Tx<'_>, pool: &PoolId) -> Result<Model, StoreError> {
    const IDENTITIES: &str = "SELECT realm, kind, value, user_id FROM identities WHERE pool_id = $1";
    const USERS: &str = "SELECT id, phone, phone_proof, merged_into FROM users WHERE pool_id = $1";
    let user = |text: String| UserId::parse(&text).unwrap();
    let mut held = Model::default();
    let rows = tx
        .all(IDENTITIES, &[pool.into()], |row| {
            Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<String>(2)?, row.get::<String>(3)?))
        })
        .await?;
    for (realm, kind, value, owner) in rows {
        let person = value.parse().unwrap();
        let name = realm.rsplit(':').next().unwrap();
        let id = match kind.as_str() {
            "openid" => Id::Openid(person, APPS.iter().find(|(app, _)| *app == name).unwrap().0),
            _ => Id::Unionid(person, APPS.iter().find(|(_, platform)| *platform == name).unwrap().1),
        };
        held.leads.insert(id, user(owner));
    }
    let rows = tx
        .all(USERS, &[pool.into()], |row| {
            Ok((
                row.get::<String>(0)?,
                row.get(1)?,
                row.get::<Option<String>>(2)?,
                row.get::<Option<String>>(3)?,
            ))
        })
        .await?;
    for (id, number, proof, merged_into) in rows {
        let id = user(id);
        held.accounts.insert(id.clone());
        if let Some(number) = number {
            let number: String = number;
            let person = (0..PEOPLE).find(|person| phone(u32::from(*person)).as_str() == number).unwrap();
            if proof.as_deref() == Some(PhoneProof::Unverified.as_str()) {
                held.waits_in.insert(person, id.clone());
            } else {
                held.leads.insert(Id::Number(person), id.clone());
            }
        }
        if let Some(survivor) = merged_into {
            held.into.insert(id, user(survivor));
        }
    }
    Ok(held)
}

/// Does a deed.
async fn perform(store: &Store, pool: &PoolId, deed: Deed) -> Result<Done, StoreError> {
    let pool = pool.clone();
    Ok(match deed {
        Deed::Arrive { visit, candidate } => {
            let (openid, unionid) = visit.proof.keys();
            let association =
                Association { mode: visit.mode, conflict: visit.conflict, ..Association::default() };
            let mut login = login(openid, unionid).into_pool(pool).associating(association);
            login.candidate = candidate;
            login.who.rules.login_only = visit.login_only;
            if let Some(phone_use) = visit.phone {
                login = login.with_phone(phone(u32::from(visit.proof.person)), phone_use);
            }
            match store.write(login).await? {
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
                LoginOutcome::Stranger => Done::Stranger,
                other => panic!("{other:?}"),
            }
        }
        Deed::Bind { user, proof } => {
            let (openid, unionid) = proof.keys();
            let (arrival, connection) = (arrival(openid, unionid), connection());
            Done::Bound(
                store
                    .write(Bind { pool, user, connection, arrival, exchange: None, trace: trace(NOW) })
                    .await?,
            )
        }
        Deed::Number { person, vouched, user } => {
            let proof = if vouched { PhoneProof::Administrator } else { PhoneProof::Unverified };
            let phone = Some((phone(u32::from(person)), proof));
            Done::Made(
                store
                    .write(MakeWithNumber { user: User { phone, ..User::new(pool, user, "admin", NOW) } })
                    .await?,
            )
        }
        Deed::Merge { survivor, merged, id } => {
            let new = NewMerge { id, survivor, merged };
            Done::Merged(match store.write(Merge { pool, new, trace: trace(NOW) }).await? {
                Merged::Done(_) => "done",
                Merged::SameAccount => "same account",
                Merged::Unusable => "unusable",
                Merged::Gone => "gone",
            })
        }
        Deed::Undo { id } => {
            let undo = UndoMerge { pool, merge: id, of: None, since: Timestamp(0), trace: trace(NOW) };
            Done::Undone(match store.write(undo).await? {
                Undone::Done { .. } => "done",
                Undone::Unknown => "unknown",
                Undone::Before => "before",
                Undone::TooLate => "too late",
                Undone::MergedOn => "merged on",
                Undone::Unusable => "unusable",
            })
        }
    })
}

/// All orders of so many deeds.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let shorter = orders(last);
    let insert = |order: &Vec<usize>, at: usize| {
        let mut order = order.clone();
        order.insert(at, last);
        order
    };
    (0..count).flat_map(|at| shorter.iter().map(move |order| insert(order, at))).collect()
}

/// Plays a history in a pool of its own.
async fn play(store: &Store, history: Vec<Vec<Step>>) -> Result<(), TestCaseError> {
    let pool = PoolId::generate(NOW, &SystemRandom);
    let mut world = World::default();
    let mut totals = [0_i64; 8];
    for instant in history {
        let deeds: Vec<Deed> = instant.iter().filter_map(|step| world.deed(step)).collect();
        let at_once = deeds.iter().cloned().map(|deed| {
            let (store, pool) = (store.clone(), pool.clone());
            tokio::spawn(async move { perform(&store, &pool, deed).await })
        });
        let mut done = Vec::new();
        for (deed, result) in deeds.iter().zip(futures::future::join_all(at_once).await) {
            match result.unwrap() {
                Ok(outcome) => done.push(outcome),
                Err(error) => prop_assert!(false, "{deed:?}: {error:?}"),
            }
        }
        let held = store.read(Holdings { pool: pool.clone() }).await.unwrap();
        let explained = orders(deeds.len()).into_iter().find_map(|order| {
            let mut world = world.clone();
            let agrees = order.iter().all(|at| world.play(&deeds[*at]) == done[*at]);
            (agrees && world.model == held).then_some(world)
        });
        let Some(after) = explained else {
            let told: Vec<_> = deeds.iter().zip(&done).collect();
            return Err(TestCaseError::fail(format!("before: {world:#?}\ndone: {told:#?}\nheld: {held:#?}")));
        };
        world = after;
        for outcome in done {
            match outcome {
                Done::In { newly_created, disagrees_with, .. } => {
                    for counted in [0, 1, 2] {
                        totals[counted] += 1;
                    }
                    totals[3] += i64::from(newly_created);
                    totals[4] += i64::from(disagrees_with.is_some());
                    totals[5] += i64::from(disagrees_with.is_some());
                }
                Done::Waits { .. } => totals[6] += 1,
                Done::Stranger => totals[7] += 1,
                _ => {}
            }
        }
    }
    // Every login is counted once, has one session and stands in the audit log once, whatever raced; and so does
    // every refusal.
    prop_assert_eq!(store.read(Totals { pool }).await.unwrap(), totals);
    let mut owners: BTreeMap<UserId, u8> = BTreeMap::new();
    for (id, row) in &world.model.leads {
        let owner = *owners.entry(world.model.survivor(row)).or_insert(id.person());
        prop_assert_eq!(owner, id.person(), "two persons share an account");
    }
    Ok(())
}

on_both_engines! {
    async fn every_history_is_one_that_could_have_happened_step_by_step(database) {
        let store = migrated(&database).await;
        let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES);
        let config = ProptestConfig { failure_persistence: None, max_shrink_iters: 512, ..ProptestConfig::with_cases(cases) };
        let runtime = tokio::runtime::Handle::current();
        let found = tokio::task::block_in_place(|| {
            TestRunner::new(config).run(&histories(), |history| runtime.block_on(play(&store, history)))
        });
        found.unwrap_or_else(|error| panic!("{error}"));
    }
}
