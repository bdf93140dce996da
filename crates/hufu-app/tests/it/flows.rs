//! Logins that wait: which browser and account they belong to, and what they may still do after a concurrent
//! change.

use std::sync::Arc;

use hufu_app::credentials::guess::{Guess, Presented};
use hufu_app::credentials::locks::{Admission, CountTry, Counted, FindAccount, LockRule, Name};
use hufu_app::login::{CheckedFillIn, Continue, Continued, PreparedAction, StepFailure};
use hufu_app::login::{Login, LoginOutcome};
use hufu_app::people::identities::Unbind;
use hufu_app::people::merging::unit::Merge;
use hufu_app::people::sessions::unit::{EndSessions, SessionSelection};
use hufu_store::Store;
use hufu_store::merges::NewMerge;
use hufu_store::passcodes::{self, Addressed, Target};
use hufu_store::users::{self, GetUser};
use hufu_testkit::raw;
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::{
    Association, AssociationMode, MergeId, PasscodeChannel, PasscodePurpose, PhoneProof, PoolSettings,
    SystemRandom, TokenHash, User, UserId, Username,
};
use serde_json::Map;

use crate::support::{
    APP, Held, NOW, Variant as _, hash, log_in, login, migrated, openid, phone, plan, pool, seconds, trace,
    unit,
};

unit! {
    Write Make { user: User, password_hash: Option<&'static str> } -> (), |this, tx| {
        users::insert(tx, &this.user, this.password_hash).await
    }
}
unit! {
    Write PutCode { to: Addressed, code: TokenHash } -> (), |this, tx| {
        let expires_at = NOW.plus(seconds(300));
        passcodes::put(tx, &pool(), &this.to, PasscodePurpose::Complete, &this.code, NOW, expires_at).await
    }
}

/// Pool settings with these required fields.
fn requiring(fields: &[&str]) -> Arc<PoolSettings> {
    let required_fields = fields.iter().map(|field| (*field).to_owned()).collect();
    Arc::new(PoolSettings { required_fields, ..PoolSettings::default() })
}

/// A login to a pool that requires these fields.
fn login_that_lacks(value: &str, fields: &[&str]) -> Login {
    let mut login = login(openid(APP, value), None);
    login.plan.settings = requiring(fields);
    login
}

/// Writes a login that is expected to wait.
async fn wait(store: &Store, login: &Login) -> UserId {
    match store.write(login.clone()).await.unwrap() {
        LoginOutcome::Waiting(waiting) => {
            waiting.state.user.unwrap_or_else(|| UserId::parse("6560c0ffee0000000000ffff").unwrap())
        }
        other => panic!("does not wait: {other:?}"),
    }
}

/// A step of a login that waits.
fn step(login: &Login, prepared: PreparedAction) -> Continue {
    let flow = login.plan.flow.clone();
    let mut next = plan(NOW);
    (next.settings, next.flow.id) = (login.plan.settings.clone(), flow.id.clone());
    Continue {
        pool: pool(),
        flow: flow.id,
        handle: flow.handle,
        cookie: flow.cookie,
        prepared,
        resolver: Some(login.resolver.clone()),
        candidate: UserId::generate(NOW, &SystemRandom),
        plan: next,
        max_tries: 10,
        keeps_handle: false,
    }
}

fn filling() -> CheckedFillIn {
    CheckedFillIn {
        fields: vec![("nickname".to_owned(), "Bob".to_owned())],
        gender: None,
        upload: None,
        custom_data: Map::new(),
        username: None,
        proved: Vec::new(),
        max_keys: 10,
        max_total: 1000,
    }
}

fn fill_in() -> PreparedAction {
    PreparedAction::FillIn(Box::new(filling()))
}

async fn get(store: &Store, user: &UserId) -> User {
    store.read(GetUser { pool: pool(), user: user.clone() }).await.unwrap().unwrap()
}

async fn flows(database: &TestDatabase) -> i64 {
    raw::number(database, "SELECT COUNT(*) FROM login_flows").await
}

fn asking() -> Association {
    Association { mode: AssociationMode::Ask, ..Association::default() }
}

on_both_engines! {
    async fn a_flow_goes_on_in_the_browser_that_began_it(database) {
        let store = migrated(&database).await;
        let mut login = login_that_lacks("o-1", &["nickname"]);
        login.plan.flow.cookie = Some(hash("cookie"));
        let user = wait(&store, &login).await;
        for cookie in [None, Some(hash("of another browser"))] {
            let other = Continue { cookie, ..step(&login, fill_in()) };
            assert!(matches!(store.write(other).await.unwrap(), Continued::Unknown));
        }
        assert_eq!(get(&store, &user).await.profile.nickname, None);
        let on = store.write(step(&login, fill_in())).await.unwrap();
        assert!(matches!(on, Continued::Login(outcome) if matches!(*outcome, LoginOutcome::LoggedIn(_))));
    }

    async fn what_is_no_longer_due_is_not_done(database) {
        let store = migrated(&database).await;
        let login = login_that_lacks("o-1", &[]);
        let user = log_in(&store, login).await.user.id;
        let set = format!("UPDATE users SET must_reset = TRUE, password_hash = '$old$', password_set_at = 1 WHERE id = '{user}'");
        raw::execute(&database, &set).await;
        let login = login_that_lacks("o-1", &[]);
        wait(&store, &login).await;
        raw::execute(&database, "UPDATE users SET must_reset = FALSE, password_hash = '$new$'").await;
        let on = store.write(step(&login, PreparedAction::SetPassword { hash: "$thief$".to_owned(), ends_login: false })).await.unwrap();
        assert!(matches!(on, Continued::Login(_)), "{on:?}");
        assert_eq!(raw::texts(&database, "SELECT password_hash FROM users").await, [["$new$"]]);
    }

    async fn an_account_that_is_switched_off_is_not_written_to(database) {
        let store = migrated(&database).await;
        let login = login_that_lacks("o-1", &["nickname"]);
        let user = wait(&store, &login).await;
        raw::execute(&database, "UPDATE users SET status = 'Suspended'").await;
        let on = store.write(step(&login, fill_in())).await.unwrap();
        assert!(matches!(on, Continued::Login(outcome) if matches!(*outcome, LoginOutcome::Disabled)));
        assert_eq!((get(&store, &user).await.profile.nickname, flows(&database).await), (None, 0));
        let refused = "SELECT COUNT(*) FROM audit_events WHERE action = 'login' AND code = 2005";
        assert_eq!(raw::number(&database, refused).await, 1);

        // The same if the account was merged into another in the meantime.
        let login = login_that_lacks("o-2", &["nickname"]);
        let merged = wait(&store, &login).await;
        raw::execute(&database, &format!("UPDATE users SET merged_into = '{user}' WHERE id = '{merged}'")).await;
        assert!(matches!(store.write(step(&login, fill_in())).await.unwrap(), Continued::Unknown));
        assert_eq!((get(&store, &merged).await.profile.nickname, flows(&database).await), (None, 0));
    }

    async fn whoever_ends_the_sessions_ends_the_logins_that_wait(database) {
        let store = migrated(&database).await;
        let first = login_that_lacks("o-1", &["nickname"]);
        let user = wait(&store, &first).await;
        let other = login_that_lacks("o-2", &["nickname"]);
        wait(&store, &other).await;
        let which = SessionSelection::All;
        store.write(EndSessions { pool: pool(), user: user.clone(), which, trace: trace(NOW) }).await.unwrap();
        assert_eq!(flows(&database).await, 1, "the other person's");
        assert!(matches!(store.write(step(&first, fill_in())).await.unwrap(), Continued::Unknown));

        let again = login_that_lacks("o-1", &["nickname"]);
        wait(&store, &again).await;
        let keys = vec![openid(APP, "o-1")];
        store.write(Unbind { pool: pool(), user, keys, allow_last: true, trace: trace(NOW) }).await.unwrap();
        assert!(matches!(store.write(step(&again, fill_in())).await.unwrap(), Continued::Unknown), "came by it");
    }

    /// A try is counted before the password is looked at, and taken back with the step that it was right for.
    async fn a_password_that_was_right_is_no_try(database) {
        let store = migrated(&database).await;
        let (name, id) = (Username::parse("anna").unwrap(), UserId::parse("6560c0ffee00000000000a01").unwrap());
        let user = User { username: Some(name.clone()), ..User::new(pool(), id.clone(), "admin", NOW) };
        store.write(Make { user, password_hash: Some("$hash$") }).await.unwrap();
        let find = FindAccount {
            pool: pool(),
            names: vec![Name::Username(name)],
            unknown: "nobody".to_owned(),
            lock: LockRule { most: 2, window: seconds(900) },
            network: None,
        };
        let locks = store.read(find).await.unwrap().lock;
        let count = async |left| {
            let admission = store.write(CountTry { locks: locks.clone(), now: NOW }).await.unwrap();
            let Admission::Counted { counted, left: told, locks } = admission else { panic!("{admission:?}") };
            assert_eq!((told, locks), (left, left == 0));
            counted
        };
        let bind = |hash: &str, counted: &Counted| PreparedAction::BindByPassword {
            user: id.clone(), hash: hash.to_owned(), counted: counted.clone(),
        };
        let login = login(openid(APP, "o-1"), None).associating(asking());
        wait(&store, &login).await;
        let changed = store.write(step(&login, bind("$before$", &count(1).await))).await.unwrap();
        assert!(matches!(changed, Continued::Changed));
        let (_, last) = (count(1).await, count(0).await);
        let locked = store.write(CountTry { locks: locks.clone(), now: NOW }).await.unwrap();
        assert!(matches!(locked, Admission::Locked(wait) if wait > seconds(0) && wait <= seconds(900)), "{locked:?}");
        let bound = store.write(step(&login, bind("$hash$", &last))).await.unwrap();
        assert!(matches!(bound, Continued::Login(_)), "{bound:?}");
        count(0).await;
    }

    async fn a_number_of_a_merged_account_moves_to_the_one_that_asks_for_it(database) {
        let store = migrated(&database).await;
        let login = login_that_lacks("o-1", &["phone"]);
        let user = wait(&store, &login).await;
        let merged = UserId::parse("6560c0ffee00000000000a01").unwrap();
        let number = Some((phone(1), PhoneProof::Code));
        let row = User { phone: number, merged_into: Some(user.clone()), ..User::new(pool(), merged.clone(), "admin", NOW) };
        store.write(Make { user: row, password_hash: None }).await.unwrap();
        raw::execute(&database, &format!("UPDATE users SET merged_into = '{user}' WHERE id = '{merged}'")).await;
        let to = Addressed { channel: PasscodeChannel::Sms, target: hash("number") };
        store.write(PutCode { to: to.clone(), code: hash("code") }).await.unwrap();
        let code = Presented { to, code: hash("code"), purposes: &[PasscodePurpose::Complete], max_tries: 5 };
        let proved = vec![(Target::Phone(phone(1)), Guess { code, guard: None })];
        let prepared = PreparedAction::FillIn(Box::new(CheckedFillIn { proved, ..filling() }));
        let on = store.write(step(&login, prepared)).await.unwrap();
        assert!(matches!(on, Continued::Login(outcome) if matches!(*outcome, LoginOutcome::LoggedIn(_))));
        assert_eq!(get(&store, &user).await.vouched_phone(), Some(&phone(1)));
        assert_eq!(get(&store, &merged).await.phone, None);
    }

    /// The account that a code proves is merged into another while the step waits for it: the step then binds to the
    /// survivor.
    async fn a_step_that_waits_for_a_merge_goes_on_with_the_survivor(database) {
        let store = migrated(&database).await;
        let login = login(openid(APP, "o-1"), None).associating(asking());
        wait(&store, &login).await;
        let [merged, survivor] = ["a01", "a02"].map(|n| UserId::parse(&format!("6560c0ffee00000000000{n}")).unwrap());
        let number = phone(1);
        let of_number = User { phone: Some((number.clone(), PhoneProof::Code)), ..User::new(pool(), merged.clone(), "admin", NOW) };
        store.write(Make { user: of_number, password_hash: None }).await.unwrap();
        let other = User::new(pool(), survivor.clone(), "admin", NOW);
        store.write(Make { user: other, password_hash: None }).await.unwrap();
        let to = Addressed { channel: PasscodeChannel::Sms, target: hash("target") };
        store.write(PutCode { to: to.clone(), code: hash("code") }).await.unwrap();
        let code = Presented { to, code: hash("code"), purposes: &[PasscodePurpose::Complete], max_tries: 5 };
        let bind = PreparedAction::BindByCode { guess: Guess { code, guard: None }, to: Target::Phone(number) };

        let new = NewMerge { id: MergeId::generate(NOW, &SystemRandom), survivor: survivor.clone(), merged };
        let (merging, hold) = Held::new(Merge { pool: pool(), new, trace: trace(NOW) });
        let merging = tokio::spawn({ let store = store.clone(); async move { store.write(merging).await } });
        hold.until_worked();
        let step = step(&login, bind);
        let binding = tokio::spawn({ let store = store.clone(); async move { store.write(step).await } });
        raw::until_blocked(&database, &binding).await;
        hold.release();
        merging.await.unwrap().unwrap();
        let on = binding.await.unwrap().unwrap();
        let Continued::Login(outcome) = on else { panic!("{on:?}") };
        let LoginOutcome::LoggedIn(done) = *outcome else { panic!("{outcome:?}") };
        assert_eq!(done.user.id, survivor);
    }

    async fn a_refused_step_stands_in_the_audit_log(database) {
        let store = migrated(&database).await;
        let mut login = login(openid(APP, "o-1"), None).associating(asking()).login_only();
        login.resolver.proof.phone = None;
        wait(&store, &login).await;
        let refused = store.write(step(&login, PreparedAction::Create)).await.unwrap();
        assert!(matches!(refused, Continued::Failed(StepFailure::MayNotCreate, _)), "{refused:?}");
        let logged = "SELECT COUNT(*) FROM audit_events WHERE action = 'login' AND code = 2031";
        assert_eq!(raw::number(&database, logged).await, 1);
    }
}
