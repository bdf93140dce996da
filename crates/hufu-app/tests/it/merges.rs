//! Merges: nothing is lost, both ids lead to the survivor, and everything can be undone.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use hufu_app::administration;
use hufu_app::credentials::locks::Name;
use hufu_app::login::Admission;
use hufu_app::people::merging::unit::{Merge, Merged, UndoMerge, Undone};
use hufu_app::people::names::unit::{NameUnbound, UnbindMergedName};
use hufu_app::people::status::SetStatus;
use hufu_app::people::ways_in;
use hufu_app::tokens::{Rotate, Rotation};
use hufu_store::merges::{ListMerges, NewMerge};
use hufu_store::sessions::GetSession;
use hufu_store::users::{self, GetUser, GetUserWithIdentities};
use hufu_store::{Store, sessions};
use hufu_testkit::raw;
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::{
    Email, Gender, MergeId, PhoneProof, PoolId, Profile, SessionRules, SystemRandom, Timestamp, User, UserId,
    UserStatus, Username,
};
use serde_json::json;

use crate::support::{
    APP, NOW, OTHER_APP, Variant as _, application, hash, log_in, login, migrated, openid, other_pool, phone,
    pool, random_hash, seconds, trace, unit,
};

const WINDOW: Duration = Duration::from_secs(30 * 86_400);

unit! {
    Write Make { user: User, password_hash: Option<&'static str> } -> (), |this, tx| {
        users::insert(tx, &this.user, this.password_hash).await
    }
}
unit! {
    Read Named { username: Username, email: Email, number: u32 } -> Vec<Option<UserId>>, |this, tx| {
        let mut leads = Vec::new();
        for found in [
            users::by_username(tx, &pool(), &this.username).await?,
            users::by_email(tx, &pool(), &this.email).await?,
            users::by_phone(tx, &pool(), &phone(this.number)).await?,
        ] {
            leads.push(match found {
                Some(user) => Some(users::survivor(tx, user).await?.id),
                None => None,
            });
        }
        Ok(leads)
    }
}

unit! {
    Write SetPassword { user: UserId, now: Timestamp } -> (), |this, tx| {
        administration::write_password(tx, &pool(), &this.user, Some("$set-since$"), false, this.now).await
    }
}

fn id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

fn bare(name: &str) -> User {
    User::new(pool(), id(name), "admin", NOW)
}

/// An account that has everything.
fn full(name: &str, number: u32) -> User {
    User {
        username: Some(Username::parse(name).unwrap()),
        email: Some(Email::parse(&format!("{name}@example.com")).unwrap()),
        email_verified: true,
        phone: Some((phone(number), PhoneProof::Code)),
        external_id: Some(format!("ext-{name}")),
        profile: Profile {
            nickname: Some(name.to_owned()),
            city: Some("Shenzhen".to_owned()),
            gender: Some(Gender::Female),
            ..Profile::default()
        },
        custom_data: json!({ "level": 7, "tags": [name] }).as_object().unwrap().clone(),
        agreements: BTreeMap::from([("terms".to_owned(), 3), ("news".to_owned(), 1)]),
        password_set_at: Some(NOW),
        ..bare(name)
    }
}

async fn make(store: &Store, user: &User) {
    let password_hash = user.password_set_at.map(|_| "$argon2id$of-the-account");
    store.write(Make { user: user.clone(), password_hash }).await.unwrap();
}

async fn user(store: &Store, name: &str) -> User {
    store.read(GetUser { pool: pool(), user: id(name) }).await.unwrap().unwrap()
}

fn merging(merged: &str, survivor: &str, now: Timestamp) -> (MergeId, Merge) {
    let merge = MergeId::generate(now, &SystemRandom);
    let new = NewMerge { id: merge.clone(), survivor: id(survivor), merged: id(merged) };
    (merge, Merge { pool: pool(), new, trace: trace(now) })
}

/// Performs a merge that is expected to succeed.
async fn merge(store: &Store, merged: &str, survivor: &str) -> MergeId {
    let (id, unit) = merging(merged, survivor, NOW.plus(seconds(1)));
    match store.write(unit).await.unwrap() {
        Merged::Done(user) => assert_eq!(user.id.as_str(), survivor),
        refused => panic!("not merged: {refused:?}"),
    }
    id
}

fn undoing(merge: &MergeId, of: Option<&str>, now: Timestamp) -> UndoMerge {
    UndoMerge {
        pool: pool(),
        merge: merge.clone(),
        of: of.map(id),
        since: now.minus(WINDOW),
        trace: trace(now),
    }
}

async fn undo(store: &Store, merge: &MergeId) -> Undone {
    store.write(undoing(merge, None, NOW.plus(seconds(2)))).await.unwrap()
}

/// Asserts that only the time of the last change differs.
fn assert_same(now: &User, before: &User) {
    assert_eq!(*now, User { updated_at: now.updated_at, ..before.clone() });
}

/// Sets an account's password as every use case does: including the accounts merged into it.
async fn set_password(store: &Store, name: &str, now: Timestamp) {
    store.write(SetPassword { user: id(name), now }).await.unwrap();
}

async fn password_of(database: &TestDatabase, name: &str) -> Vec<Vec<String>> {
    let sql = format!("SELECT COALESCE(password_hash, 'none') FROM users WHERE id = '{name}'");
    raw::texts(database, &sql).await
}

on_both_engines! {
    async fn what_the_survivor_lacks_moves_to_it(database) {
        let store = migrated(&database).await;
        let (old, new) = (full("old", 1), bare("new"));
        make(&store, &old).await;
        make(&store, &new).await;
        let merge = merge(&store, "old", "new").await;

        let survivor = user(&store, "new").await;
        let expected = User { id: id("new"), updated_at: NOW.plus(seconds(1)), ..old.clone() };
        assert_eq!(survivor, expected);
        assert_eq!(password_of(&database, "new").await, [["$argon2id$of-the-account"]]);
        let merged = user(&store, "old").await;
        assert_eq!(merged.merged_into, Some(id("new")));
        assert!(merged.username.is_none() && merged.email.is_none() && merged.phone.is_none());
        assert_eq!(merged.status, UserStatus::Activated, "its row stays");

        let stored = store.read(ListMerges { pool: pool(), user: id("new") }).await.unwrap();
        assert_eq!(stored.len(), 1);
        assert_eq!((&stored[0].id, stored[0].undone_at), (&merge, None));
        let changes = raw::texts(&database, "SELECT changes FROM merges").await.concat().concat();
        assert!(!changes.contains("argon2"), "no hash is written twice: {changes}");
        let merges = "SELECT action, details FROM audit_events WHERE action <> 'way_in.added'";
        let audit = raw::texts(&database, merges).await;
        assert_eq!(audit.len(), 1);
        assert_eq!(audit[0][0], "users.merged");
        assert!(audit[0][1].contains("o***@example.com"), "{audit:?}");
        for private in ["old@example.com", phone(1).as_str(), "ext-old", "Shenzhen"] {
            assert!(!audit[0][1].contains(private), "{audit:?}");
        }

        let Undone::Done { kept, .. } = undo(&store, &merge).await else { panic!("undone") };
        assert!(kept.is_empty(), "{kept:?}");
        assert_same(&user(&store, "old").await, &old);
        assert_same(&user(&store, "new").await, &new);
        assert_eq!(password_of(&database, "new").await, [["none"]]);
        assert_eq!(password_of(&database, "old").await, [["$argon2id$of-the-account"]]);
    }

    async fn what_both_have_stays_and_leads_to_the_survivor(database) {
        let store = migrated(&database).await;
        let (old, mut new) = (full("old", 1), full("new", 2));
        new.agreements = BTreeMap::from([("terms".to_owned(), 2)]);
        make(&store, &old).await;
        make(&store, &new).await;
        let merge = merge(&store, "old", "new").await;

        let survivor = user(&store, "new").await;
        assert_eq!(survivor.agreements, old.agreements, "the same person accepted them");
        assert_same(&survivor, &User { agreements: old.agreements.clone(), ..new.clone() });
        let named = Named {
            username: old.username.clone().unwrap(),
            email: old.email.clone().unwrap(),
            number: 1,
        };
        assert_eq!(store.read(named).await.unwrap(), vec![Some(id("new")); 3]);

        let Undone::Done { survivor, restored, kept } = undo(&store, &merge).await else { panic!("undone") };
        assert!(kept.is_empty(), "{kept:?}");
        assert_same(&survivor, &new);
        assert_same(&restored, &old);
        assert_same(&user(&store, "new").await, &new);
        assert_same(&user(&store, "old").await, &old);
    }

    async fn identities_sessions_and_tokens_of_both_are_the_survivors(database) {
        let store = migrated(&database).await;
        let first = log_in(&store, login(openid(APP, "o1"), None).with_refresh_token(hash("old"))).await;
        let second = log_in(&store, login(openid(OTHER_APP, "o2"), None)).await;
        let (old, new) = (first.user.id.clone(), second.user.id.clone());
        let merge = merge(&store, old.as_str(), new.as_str()).await;

        let session = |session| GetSession { pool: pool(), session };
        let found = store.read(session(first.session.clone())).await.unwrap().unwrap();
        assert_eq!((&found.user, &found.account), (&old, &new), "it keeps its subject");
        let again = log_in(&store, login(openid(APP, "o1"), None)).await;
        assert_eq!(again.user.id, new);
        let (_, identities) =
            store.read(GetUserWithIdentities { pool: pool(), user: new.clone() }).await.unwrap().unwrap();
        assert_eq!(identities.len(), 2);
        let list = sessions::ListSessions { pool: pool(), user: new.clone(), now: NOW };
        assert_eq!(store.read(list).await.unwrap().len(), 3);
        let rotate = Rotate {
            client_auth: None,
            key: None,
            pool: pool(),
            application: application(),
            presented: hash("old"),
            resources: Vec::new(),
            successor: random_hash(),
            expires_at: NOW.plus(seconds(86_400)),
            grace: seconds(30),
            rules: SessionRules::default(),
            admission: Admission::default(),
            trace: trace(NOW.plus(seconds(5))),
        };
        match store.write(rotate).await.unwrap() {
            Rotation::Rotated { details, .. } => assert_eq!((details.user, details.account), (old.clone(), new.clone())),
            refused => panic!("not rotated: {refused:?}"),
        }

        // Disabling the survivor disables every way to log in.
        let status = |status| SetStatus { pool: pool(), user: new.clone(), status, trace: trace(NOW) };
        store.write(status(UserStatus::Suspended)).await.unwrap();
        assert!(store.read(session(first.session.clone())).await.unwrap().is_none());
        store.write(status(UserStatus::Activated)).await.unwrap();

        assert!(matches!(undo(&store, &merge).await, Undone::Done { .. }));
        assert_eq!(log_in(&store, login(openid(APP, "o1"), None)).await.user.id, old);
        assert_eq!(log_in(&store, login(openid(OTHER_APP, "o2"), None)).await.user.id, new);
    }

    async fn what_was_changed_since_stays_with_the_survivor(database) {
        let store = migrated(&database).await;
        make(&store, &full("old", 1)).await;
        make(&store, &bare("new")).await;
        let merge = merge(&store, "old", "new").await;
        raw::execute(&database, "UPDATE users SET username = 'renamed' WHERE id = 'new'").await;
        set_password(&store, "new", NOW.plus(seconds(2))).await;
        let Undone::Done { survivor, restored, kept } = undo(&store, &merge).await else { panic!("undone") };
        assert_eq!(kept, ["username", "password"]);
        assert_eq!(survivor.username.unwrap().as_str(), "renamed");
        assert!(restored.username.is_none() && restored.phone.is_some() && survivor.phone.is_none());
        assert_eq!(password_of(&database, "new").await, [["$set-since$"]]);
        assert_eq!(password_of(&database, "old").await, [["none"]], "it is not the survivor's");
    }

    /// A password set since the merge is written to both rows. The restored account must not get it, because
    /// it may be another person's.
    async fn a_password_that_was_set_since_stays_with_the_survivor_alone(database) {
        let store = migrated(&database).await;
        let people = [("none", false, false), ("copied", false, true), ("own", true, false), ("both", true, true)];
        for (case, survivors, mergeds) in people {
            for changed in [false, true] {
                let name = |part: &str| format!("{part}-{case}-{changed}");
                let with = |name: &str, has: bool| User { password_set_at: has.then_some(NOW), ..bare(name) };
                let (a, b) = (name("a"), name("b"));
                make(&store, &with(&a, survivors)).await;
                make(&store, &with(&b, mergeds)).await;
                let merge = merge(&store, &b, &a).await;
                if changed {
                    set_password(&store, &a, NOW.plus(seconds(2))).await;
                }
                let undone = store.write(undoing(&merge, None, NOW.plus(seconds(3)))).await.unwrap();
                let Undone::Done { survivor, restored, kept } = undone else { panic!("{case}: {undone:?}") };
                let of_the_account = |has: bool| if has { "$argon2id$of-the-account" } else { "none" };
                let (expected, left) =
                    if changed { ("$set-since$", "none") } else { (of_the_account(survivors), of_the_account(mergeds)) };
                assert_eq!(password_of(&database, &a).await, [[expected]], "{case} {changed}");
                assert_eq!(password_of(&database, &b).await, [[left]], "{case} {changed}");
                assert_eq!(kept, if changed { vec!["password".to_owned()] } else { vec![] }, "{case}");
                assert_eq!(survivor.password_set_at.is_some(), expected != "none");
                assert_eq!(restored.password_set_at.is_some(), left != "none");
                assert_same(&user(&store, &b).await, &restored);
            }
        }
    }

    /// Clients and the audit log get the same field names as everywhere else.
    async fn what_moved_is_told_by_the_names_that_clients_know(database) {
        let store = migrated(&database).await;
        let profile = Profile { given_name: Some("Ann".to_owned()), ..Profile::default() };
        let custom_data = json!({ "shoe_size": 38 }).as_object().unwrap().clone();
        let old = User { external_id: Some("ext-1".to_owned()), profile, custom_data, ..bare("old") };
        make(&store, &old).await;
        make(&store, &bare("new")).await;
        let merge = merge(&store, "old", "new").await;
        let stored = store.read(ListMerges { pool: pool(), user: id("new") }).await.unwrap();
        assert_eq!(stored[0].changes.names(), ["externalId", "givenName", "custom.shoe_size"]);
        raw::execute(&database, "UPDATE users SET external_id = 'ext-2', profile = '{}' WHERE id = 'new'").await;
        let Undone::Done { kept, .. } = undo(&store, &merge).await else { panic!("undone") };
        assert_eq!(kept, ["externalId", "givenName"]);
        let details = raw::texts(&database, "SELECT details FROM audit_events").await.concat().concat();
        assert!(details.contains("\"externalId\":") && !details.contains("external_id") && !details.contains("given_name"));
    }

    async fn accounts_that_were_merged_before_follow(database) {
        let store = migrated(&database).await;
        make(&store, &full("a", 1)).await;
        make(&store, &bare("b")).await;
        make(&store, &bare("c")).await;
        let first = merge(&store, "a", "b").await;
        let second = merge(&store, "b", "c").await;
        assert_eq!(user(&store, "a").await.merged_into, Some(id("c")), "never through two");
        assert_eq!(user(&store, "c").await.username.unwrap().as_str(), "a");
        assert_eq!(store.read(ListMerges { pool: pool(), user: id("c") }).await.unwrap().len(), 2);

        assert!(matches!(undo(&store, &first).await, Undone::SurvivorMerged));
        assert!(matches!(undo(&store, &second).await, Undone::Done { .. }));
        assert_eq!(user(&store, "a").await.merged_into, Some(id("b")));
        assert_eq!(user(&store, "b").await.username.unwrap().as_str(), "a");
        assert!(matches!(undo(&store, &first).await, Undone::Done { .. }));
        assert_same(&user(&store, "a").await, &full("a", 1));
        for name in ["b", "c"] {
            assert_same(&user(&store, name).await, &bare(name));
        }
    }

    async fn merges_that_make_no_sense_change_nothing(database) {
        let store = migrated(&database).await;
        for name in ["a", "b", "c", "off"] {
            make(&store, &bare(name)).await;
        }
        let other = User { pool: other_pool(), ..bare("foreign") };
        store.write(Make { user: other, password_hash: None }).await.unwrap();
        raw::execute(&database, "UPDATE users SET status = 'Suspended' WHERE id = 'off'").await;
        merge(&store, "a", "b").await;
        for (merged, survivor, expected) in [
            ("c", "c", "SameAccount"),
            ("a", "b", "SameAccount"),
            ("b", "a", "SameAccount"),
            ("a", "c", "Unusable"),
            ("c", "a", "Unusable"),
            ("off", "c", "Unusable"),
            ("c", "off", "Unusable"),
            ("nobody", "c", "Gone"),
            ("c", "nobody", "Gone"),
            ("foreign", "c", "Gone"),
        ] {
            let (_, unit) = merging(merged, survivor, NOW);
            let outcome = store.write(unit).await.unwrap();
            assert_eq!(format!("{outcome:?}"), expected, "{merged} into {survivor}");
        }
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM merges").await, 1);
        let logged = "SELECT CAST(code AS TEXT), CAST(COUNT(*) AS TEXT) FROM audit_events
            WHERE action = 'users.merged' GROUP BY code ORDER BY code";
        let logged = raw::texts(&database, logged).await;
        assert_eq!(logged, [["0", "1"], ["2443", "3"], ["2467", "3"], ["2468", "4"]], "each refusal stands in the log once");
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM users WHERE merged_into IS NOT NULL").await, 1);
    }

    async fn undoing_has_its_time_and_its_owner(database) {
        let store = migrated(&database).await;
        for name in ["a", "b", "c"] {
            make(&store, &bare(name)).await;
        }
        let merge = merge(&store, "a", "b").await;
        let now = NOW.plus(seconds(1));
        let outcome = async |unit: UndoMerge| format!("{:?}", store.write(unit).await.unwrap());
        assert_eq!(outcome(undoing(&merge, Some("c"), now)).await, "Unknown");
        assert_eq!(outcome(undoing(&merge, Some("a"), now)).await, "Unknown", "it is the survivor's");
        let foreign = UndoMerge { pool: other_pool(), ..undoing(&merge, None, now) };
        assert_eq!(outcome(foreign).await, "Unknown");
        let unknown = MergeId::generate(NOW, &SystemRandom);
        assert_eq!(outcome(undoing(&unknown, None, now)).await, "Unknown");
        let late = now.plus(WINDOW).plus(Duration::from_millis(1));
        assert_eq!(outcome(undoing(&merge, Some("b"), late)).await, "TooLate");
        let last = now.plus(WINDOW);
        assert!(outcome(undoing(&merge, Some("b"), last)).await.starts_with("Done"));
        assert_eq!(outcome(undoing(&merge, Some("b"), last)).await, "AlreadyUndone");
        let logged = "SELECT CAST(code AS TEXT), COALESCE(user_id, '') FROM audit_events
            WHERE action = 'users.merge_undone' AND pool_id = '6560c0ffee00000000000001' ORDER BY code, user_id";
        let logged = raw::texts(&database, logged).await;
        let expected = [("0", "b"), ("2463", ""), ("2463", "a"), ("2463", "c"), ("2464", "b"), ("2465", "b")];
        let logged: Vec<_> = logged.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
        let mut sorted = logged.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, expected);
    }

    async fn of_merges_that_race_one_wins(database) {
        let store = migrated(&database).await;
        make(&store, &full("a", 1)).await;
        make(&store, &full("b", 2)).await;
        let merges = (0..12).map(|n| {
            let (merged, survivor) = if n % 2 == 0 { ("a", "b") } else { ("b", "a") };
            let (store, (_, unit)) = (store.clone(), merging(merged, survivor, NOW));
            tokio::spawn(async move { store.write(unit).await.unwrap() })
        });
        let outcomes: Vec<_> = join_all(merges).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(outcomes.iter().filter(|o| matches!(o, Merged::Done(_))).count(), 1);
        assert!(outcomes.iter().all(|o| matches!(o, Merged::Done(_) | Merged::SameAccount)));
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM users WHERE merged_into IS NOT NULL").await, 1);

        let stored = raw::texts(&database, "SELECT id FROM merges").await;
        assert_eq!(stored.len(), 1);
        let merge = MergeId::parse(&stored[0][0]).unwrap();
        let undoings = (0..8).map(|_| {
            let (store, unit) = (store.clone(), undoing(&merge, None, NOW));
            tokio::spawn(async move { store.write(unit).await.unwrap() })
        });
        let outcomes: Vec<_> = join_all(undoings).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(outcomes.iter().filter(|o| matches!(o, Undone::Done { .. })).count(), 1);
        assert!(outcomes.iter().all(|o| matches!(o, Undone::Done { .. } | Undone::AlreadyUndone)));
        assert_same(&user(&store, "a").await, &full("a", 1));
        assert_same(&user(&store, "b").await, &full("b", 2));
    }

    /// Merging in a circle leaves one account, and no account points to a merged one.
    async fn merges_in_a_circle(database) {
        let store = migrated(&database).await;
        let names = ["a", "b", "c", "d", "e"];
        for name in names {
            make(&store, &bare(name)).await;
        }
        let merges = (0..20).map(|n| {
            let (_, unit) = merging(names[n % 5], names[(n + 1) % 5], NOW);
            let store = store.clone();
            tokio::spawn(async move { store.write(unit).await.unwrap() })
        });
        let outcomes: Vec<_> = join_all(merges).await.into_iter().map(Result::unwrap).collect();
        let done = outcomes.iter().filter(|o| matches!(o, Merged::Done(_))).count();
        let merged = raw::number(&database, "SELECT COUNT(*) FROM users WHERE merged_into IS NOT NULL").await;
        assert_eq!(i64::try_from(done).unwrap(), merged);
        assert!((1..=4).contains(&merged), "{merged}");
        let through_two = "SELECT COUNT(*) FROM users u JOIN users t ON t.id = u.merged_into
                           WHERE t.merged_into IS NOT NULL";
        assert_eq!(raw::number(&database, through_two).await, 0);
    }

    /// Names that came with a merged account lead to the survivor, and can be unbound one by one.
    async fn a_name_of_a_merged_account_is_unbound(database) {
        let store = migrated(&database).await;
        let (old, new) = (full("old", 1), User { password_set_at: None, ..full("new", 2) });
        make(&store, &old).await;
        make(&store, &new).await;
        make(&store, &full("third", 3)).await;
        let merge = merge(&store, "old", "new").await;
        let ways = store.read(ways_in::GetWaysIn { pool: pool(), user: id("new") }).await.unwrap();
        let merged: Vec<_> = ways.merged.iter().map(|user| user.id.as_str()).collect();
        assert_eq!(merged, ["old"]);
        let unbind = async |user: &str, name: Name, allow_last: bool| {
            let trace = trace(NOW.plus(seconds(5)));
            store.write(UnbindMergedName { pool: pool(), user: id(user), name, allow_last, trace }).await.unwrap()
        };
        for foreign in [Name::Phone(phone(2)), Name::Phone(phone(3)), Name::Phone(phone(9)), Name::ExternalId("ext-new".to_owned())] {
            assert_eq!(unbind("new", foreign.clone(), true).await, NameUnbound::NotBound, "{foreign:?}");
        }
        assert_eq!(unbind("third", Name::Phone(phone(1)), true).await, NameUnbound::NotBound);
        let named = [
            Name::Phone(phone(1)),
            Name::Email(old.email.clone().unwrap()),
            Name::Username(old.username.clone().unwrap()),
            Name::ExternalId("ext-old".to_owned()),
        ];
        for name in named {
            assert_eq!(unbind("new", name.clone(), false).await, NameUnbound::Done, "{name:?}");
            assert_eq!(unbind("new", name.clone(), false).await, NameUnbound::NotBound, "{name:?}");
        }
        let left = user(&store, "old").await;
        assert!(left.username.is_none() && left.email.is_none() && left.phone.is_none() && left.external_id.is_none());
        assert!(!left.email_verified && left.merged_into.is_some());
        assert_same(&user(&store, "new").await, &User { agreements: old.agreements.clone(), ..user(&store, "new").await });
        // The names are free for others, and do not come back.
        make(&store, &User { phone: old.phone.clone(), ..bare("fourth") }).await;
        let Undone::Done { restored, .. } = undo(&store, &merge).await else { panic!("undone") };
        assert!(restored.phone.is_none() && restored.username.is_none());
        let logged = "SELECT action, CAST(code AS TEXT) FROM audit_events WHERE user_id = 'new' AND action LIKE '%unbound'";
        let mut logged = raw::texts(&database, logged).await;
        logged.sort();
        let (phone, email) = ("phone.unbound", "email.unbound");
        let refused = [phone, "2216"];
        assert_eq!(logged, [[email, "0"], [email, "2216"], [phone, "0"], refused, refused, refused, refused]);
    }

    async fn the_last_way_in_of_a_merged_account_stays(database) {
        let store = migrated(&database).await;
        make(&store, &User { phone: Some((phone(1), PhoneProof::Code)), ..bare("old") }).await;
        make(&store, &User { phone: Some((phone(2), PhoneProof::Unverified)), ..bare("new") }).await;
        merge(&store, "old", "new").await;
        let unbind = async |allow_last: bool| {
            let (name, trace) = (Name::Phone(phone(1)), trace(NOW.plus(seconds(5))));
            let unit = UnbindMergedName { pool: pool(), user: id("new"), name, allow_last, trace };
            store.write(unit).await.unwrap()
        };
        assert_eq!(unbind(false).await, NameUnbound::LastWayIn);
        assert!(user(&store, "old").await.phone.is_some());
        assert_eq!(unbind(true).await, NameUnbound::Done, "administrators may");
    }

    async fn ways_into_a_merged_account(database) {
        let store = migrated(&database).await;
        make(&store, &full("old", 1)).await;
        make(&store, &User { phone: Some((phone(2), PhoneProof::Unverified)), ..bare("new") }).await;
        merge(&store, "old", "new").await;
        let ways = store.read(ways_in::GetWaysIn { pool: pool(), user: id("new") }).await.unwrap();
        assert_eq!(ways.phone, [id("old")], "the survivor's own is vouched for by nobody");
        assert_eq!(ways.email, [id("new")]);
        assert_eq!(ways.password_names.len(), 4);
        assert!(ways.accessible_after(ways_in::Removal::Password));
        let foreign = ways_in::GetWaysIn { pool: PoolId::parse("other").unwrap(), user: id("new") };
        let nothing = store.read(foreign).await.unwrap();
        assert!(!nothing.accessible_after(ways_in::Removal::Identities(&[])));
    }
}
