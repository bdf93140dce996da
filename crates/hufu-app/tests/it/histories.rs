//! Random histories of people who log in, bind, prove numbers, merge, and continue waiting logins, partly in
//! parallel. They are checked against a model that knows who the people are. Two people share one phone
//! number, and UnionIDs change.
//!
//! After every parallel batch, there must be an order of its operations in which the model gives each the
//! same outcome as the store, and ends in the same state. The model finds accounts by the ids seen before. So
//! one person never has two accounts that an id could have joined, and two people never share an account
//! unless they share the number that led there.
//!
//! Not covered: e-mail addresses and external ids, which no source proves yet, and the stages after the
//! account is known, which have their own tests.

mod model;
mod operations;

use std::collections::{BTreeMap, BTreeSet};

use hufu_app::people::identities::BindOutcome;
use hufu_store::Store;
use hufu_testkit::on_both_engines;
use hufu_types::flow::Stage;
use hufu_types::resolution::PhoneUse;
use hufu_types::{AssociationMode, ConflictRule, FlowId, MergeId, PoolId, SystemRandom, TokenHash, UserId};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

use self::model::{Id, Waiting, World};
use self::operations::{held, perform, totals};
use crate::support::{NOW, migrated, random_hash};

/// Histories per engine.
const CASES: u32 = 256;
/// How often one history is played whose outcome depends on who is faster.
const ROUNDS: u32 = 200;
/// What [`Step::GoOn`] makes of these numbers at [`Stage::Associate`].
const CREATE: u8 = 0;
const BIND_BY_NUMBER: u8 = 4;
/// The phone number of each person. The first two share one.
const NUMBERS: [u8; 3] = [0, 0, 1];
/// The number of people. They do not know each other.
const PEOPLE: u8 = 3;
/// Apps, each with its Open Platform account.
const APPS: [(&str, &str); 4] = [
    ("wx00000000000000a1", "shop"),
    ("wx00000000000000a2", "shop"),
    ("wx00000000000000b1", "market"),
    ("wx00000000000000b2", "market"),
];
/// The number of failed steps after which a waiting login ends.
const MAX_TRIES: i64 = 3;

/// Something that a person does, or that is done to an account.
#[derive(Clone, Debug)]
enum Step {
    /// Logs in through an app.
    Arrive(Visit),
    /// Binds what an app proves to one of the person's accounts.
    Bind { account: u8, proof: Proof },
    /// An account with a number appears, created by an administrator, or by a stranger who hopes to get
    /// somebody's account.
    Number { person: u8, vouched: bool },
    /// Merges two of the person's accounts.
    Merge { person: u8, survivor: u8, merged: u8 },
    /// Undoes a merge.
    Undo { merge: u8 },
    /// Unbinds one of the person's ids, even the last.
    Unbind { person: u8, id: u8 },
    /// Takes a step of a waiting login.
    GoOn { flow: u8, act: u8, account: u8 },
}

/// What an app proves about a person.
#[derive(Clone, Copy, Debug)]
struct Proof {
    person: u8,
    app: usize,
    /// The UnionID that it reports, if any. UnionIDs change.
    unionid: Option<u8>,
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
    let unionid = select(vec![None, None, None, Some(0), Some(0), Some(0), Some(1)]);
    // Mostly the same two apps, so that ids meet.
    let app = select(vec![0, 0, 0, 1, 1, 1, 2, 3]);
    (0..PEOPLE, app, unionid).prop_map(|(person, app, unionid)| Proof { person, app, unionid })
}

fn visit() -> impl Strategy<Value = Visit> {
    use AssociationMode::{Ask, Field, None as Nothing};
    let phone = option::of(select(vec![PhoneUse::Fill, PhoneUse::LogIn]));
    // Mostly a mode that creates accounts, so that there are some.
    let mode = select(vec![Nothing, Nothing, Field, Ask, Ask]);
    let conflict = select(vec![ConflictRule::Keep, ConflictRule::Choose, ConflictRule::Choose]);
    (proof(), phone, mode, conflict, prop::bool::weighted(0.1)).prop_map(
        |(proof, phone, mode, conflict, login_only)| Visit { proof, phone, mode, conflict, login_only },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let go_on = (any::<u8>(), any::<u8>(), any::<u8>());
    prop_oneof![
        10 => visit().prop_map(Step::Arrive),
        7 => go_on.prop_map(|(flow, act, account)| Step::GoOn { flow, act, account }),
        3 => (any::<u8>(), proof()).prop_map(|(account, proof)| Step::Bind { account, proof }),
        2 => (0..PEOPLE, any::<bool>()).prop_map(|(person, vouched)| Step::Number { person, vouched }),
        2 => (0..PEOPLE, any::<u8>(), any::<u8>())
            .prop_map(|(person, survivor, merged)| Step::Merge { person, survivor, merged }),
        1 => any::<u8>().prop_map(|merge| Step::Undo { merge }),
        2 => (0..PEOPLE, any::<u8>()).prop_map(|(person, id)| Step::Unbind { person, id }),
    ]
}

/// Batches of steps to run in parallel.
fn histories() -> impl Strategy<Value = Vec<Vec<Step>>> {
    prop::collection::vec(prop::collection::vec(step(), 1..=3), 1..22)
}

/// A step with the accounts that it involves.
#[derive(Clone, Debug)]
enum Operation {
    Arrive {
        visit: Visit,
        candidate: UserId,
        flow: FlowId,
        handle: TokenHash,
    },
    Bind {
        user: UserId,
        proof: Proof,
    },
    Number {
        number: u8,
        vouched: bool,
        user: UserId,
    },
    Merge {
        survivor: UserId,
        merged: UserId,
        id: MergeId,
    },
    Undo {
        id: MergeId,
    },
    Unbind {
        user: UserId,
        id: Id,
    },
    GoOn {
        flow: FlowId,
        handle: TokenHash,
        next: TokenHash,
        visit: Visit,
        act: Act,
        candidate: UserId,
        merge: MergeId,
    },
}

/// What a person does in a waiting login.
#[derive(Clone, Debug)]
enum Act {
    Create,
    BindByNumber,
    BindByPassword(UserId),
    Choose(UserId),
    Merge(UserId),
    GiveUp,
}

/// The outcome of an operation.
#[derive(Clone, Debug, PartialEq)]
enum Done {
    In { user: UserId, newly_created: bool, disagrees_with: Option<UserId> },
    Waits { stage: Stage, may_create: bool, candidates: Vec<UserId> },
    LoginOnly,
    Failed(&'static str),
    Over(&'static str),
    Unknown,
    GivenUp,
    Bound(BindOutcome),
    Made(bool),
    Merged(&'static str),
    Undone(&'static str),
    Unbound(&'static str),
}

impl World {
    /// Turns a step into an operation. None if the person has no such account yet, or no login waits.
    fn operation(&self, step: &Step) -> Option<Operation> {
        let pick = |person: u8, index: u8| {
            let accounts = self.model.accounts_of(person);
            accounts.get(usize::from(index) % accounts.len().max(1)).cloned()
        };
        let new_user = || UserId::generate(NOW, &SystemRandom);
        let new_merge = || MergeId::generate(NOW, &SystemRandom);
        Some(match *step {
            Step::Arrive(visit) => Operation::Arrive {
                visit,
                candidate: new_user(),
                flow: FlowId::generate(NOW, &SystemRandom),
                handle: random_hash(),
            },
            Step::Bind { account, proof } => Operation::Bind { user: pick(proof.person, account)?, proof },
            Step::Number { person, vouched } => {
                Operation::Number { number: NUMBERS[usize::from(person)], vouched, user: new_user() }
            }
            Step::Merge { person, survivor, merged } => Operation::Merge {
                survivor: pick(person, survivor)?,
                merged: pick(person, merged)?,
                id: new_merge(),
            },
            Step::Undo { merge } => {
                let count = self.merges.len();
                Operation::Undo { id: self.merges.get(usize::from(merge) % count.max(1))?.id.clone() }
            }
            Step::Unbind { person, id } => {
                let ids = self.model.ids_of(person);
                let (id, row) = ids.get(usize::from(id) % ids.len().max(1))?;
                Operation::Unbind { user: self.model.survivor(row), id: *id }
            }
            Step::GoOn { flow, act, account } => {
                // Prefers the few logins that offer a choice between accounts.
                let chooses = |waiting: &&Waiting| waiting.stage == Stage::Select;
                let mut open: Vec<&Waiting> = self.waiting.iter().filter(chooses).collect();
                if open.is_empty() || flow % 2 == 0 {
                    open = self.waiting.iter().collect();
                }
                let waiting = *open.get(usize::from(flow) % open.len().max(1))?;
                let visit = waiting.visit;
                let candidate = || waiting.candidates.get(usize::from(account) % 2).cloned();
                let act = match (waiting.stage, act % 16) {
                    (_, 15) => Act::GiveUp,
                    (Stage::Select, 0..=7) => Act::Choose(candidate()?),
                    (Stage::Select, _) => Act::Merge(candidate()?),
                    (_, 0..=3) => Act::Create,
                    (_, 4..=7) => Act::BindByNumber,
                    (_, _) => Act::BindByPassword(pick(visit.proof.person, account)?),
                };
                let (flow, handle) = (waiting.flow.clone(), waiting.handle.clone());
                let (candidate, merge) = (new_user(), new_merge());
                Operation::GoOn { flow, handle, next: random_hash(), visit, act, candidate, merge }
            }
        })
    }
}

/// All orders of `count` operations.
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

/// Runs a history in a separate pool.
async fn play(store: &Store, history: Vec<Vec<Step>>) -> Result<(), TestCaseError> {
    let pool = PoolId::generate(NOW, &SystemRandom);
    let mut world = World::default();
    let mut counted = [0_i64; 6];
    for instant in history {
        let operations: Vec<Operation> = instant.iter().filter_map(|step| world.operation(step)).collect();
        let at_once = operations.iter().cloned().map(|operation| {
            let (store, pool) = (store.clone(), pool.clone());
            tokio::spawn(async move { perform(&store, &pool, operation).await })
        });
        let mut done = Vec::new();
        for (operation, result) in operations.iter().zip(futures::future::join_all(at_once).await) {
            match result {
                Ok(Ok(outcome)) => done.push(outcome),
                Ok(Err(error)) => prop_assert!(false, "{operation:?}: {error:?}"),
                Err(error) => prop_assert!(false, "{operation:?}: {error:?}"),
            }
        }
        let held = held(store, &pool).await;
        let explained = orders(operations.len()).into_iter().find_map(|order| {
            let mut world = world.clone();
            let agrees = order.iter().all(|at| world.play(&operations[*at]) == done[*at]);
            (agrees && world.model == held).then_some(world)
        });
        let Some(after) = explained else {
            let observed: Vec<_> = operations.iter().zip(&done).collect();
            return Err(TestCaseError::fail(format!(
                "before: {world:#?}\ndone: {observed:#?}\nheld: {held:#?}"
            )));
        };
        world = after;
        for outcome in done {
            if let Done::In { newly_created, disagrees_with, .. } = outcome {
                for login in &mut counted[..3] {
                    *login += 1;
                }
                counted[3] += i64::from(newly_created);
                for conflict in &mut counted[4..] {
                    *conflict += i64::from(disagrees_with.is_some());
                }
            }
        }
    }
    // Every login is counted once, has one session and one entry in the audit log, whatever ran in parallel.
    prop_assert_eq!(totals(store, &pool).await, counted);
    let mut people: BTreeMap<UserId, BTreeSet<u8>> = BTreeMap::new();
    for (id, row) in &world.model.owners {
        if let Id::Openid(person, _) | Id::Unionid(person, ..) = id {
            let number = NUMBERS[usize::from(*person)];
            people.entry(world.model.survivor(row)).or_default().insert(number);
        }
    }
    let shared: Vec<_> = people.into_iter().filter(|(_, numbers)| numbers.len() > 1).collect();
    prop_assert!(shared.is_empty(), "two persons share an account: {shared:?}");
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

    // The number goes to another account at the moment in which its person makes one: either that account has it, and the
    // login says so, or the new one does, and the other is not made.
    async fn a_number_that_is_taken_while_its_person_makes_an_account(database) {
        let store = migrated(&database).await;
        let visit = Visit { phone: Some(PhoneUse::LogIn), ..visit_of(0, 0, AssociationMode::Ask) };
        let history = vec![
            vec![Step::Arrive(visit)],
            vec![Step::Number { person: 0, vouched: true }, Step::GoOn { flow: 0, act: CREATE, account: 0 }],
        ];
        play_often(&store, history).await;
    }

    // A merge is undone at the moment in which a waiting login binds to the account that has the number: it goes back to the
    // other account, and the login has to follow it.
    async fn a_number_that_goes_back_while_a_login_binds_by_it(database) {
        let store = migrated(&database).await;
        let with_number = Visit { phone: Some(PhoneUse::Fill), ..visit_of(0, 0, AssociationMode::None) };
        let history = vec![
            vec![Step::Arrive(with_number)],
            vec![Step::Arrive(visit_of(0, 1, AssociationMode::None))],
            vec![Step::Merge { person: 0, survivor: 0, merged: 1 }],
            // Somebody else with the same number.
            vec![Step::Arrive(visit_of(1, 0, AssociationMode::Ask))],
            vec![Step::Undo { merge: 0 }, Step::GoOn { flow: 0, act: BIND_BY_NUMBER, account: 0 }],
        ];
        play_often(&store, history).await;
    }
}

/// A login of a person through an app that says nothing else.
fn visit_of(person: u8, app: usize, mode: AssociationMode) -> Visit {
    let proof = Proof { person, app, unionid: None };
    Visit { proof, phone: None, mode, conflict: ConflictRule::Keep, login_only: false }
}

/// Plays a history whose outcome depends on who is faster.
async fn play_often(store: &Store, history: Vec<Vec<Step>>) {
    for _ in 0..ROUNDS {
        play(store, history.clone()).await.unwrap_or_else(|error| panic!("{error}"));
    }
}
