//! Which account a login leads to, and what it writes.

use hufu_app::login::{CheckLogin, CodeResults, Login, LoginOutcome};
use hufu_app::people::identities::{Bind, BindOutcome};
use hufu_app::people::merging::unit::{Merge, Merged};
use hufu_app::people::status::SetStatus;
use hufu_app::tokens::EndSession;
use hufu_store::audit::{AuditFilter, ListEvents};
use hufu_store::merges::NewMerge;
use hufu_store::users::{self, GetUser, GetUserWithIdentities};
use hufu_store::{Store, exchanges, sessions};
use hufu_testkit::raw;
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::resolution::{ConflictKind, PhoneUse};
use hufu_types::{
    Association, AssociationMode, Email, EmailProof, IdentityKey, MatchField, MergeId, PhoneProof, PoolId,
    SystemRandom, User, UserId, UserStatus,
};

use crate::support::{
    APP, NOW, OTHER_APP, Variant as _, application, arrival, connection, hash, log_in, login, migrated,
    openid, other_pool, phone, pool, recent, seconds, trace, unionid, unit,
};

unit! {
    Write Make { user: User } -> (), |this, tx| users::insert(tx, &this.user, None).await
}

async fn make(store: &Store, user: User) {
    store.write(Make { user }).await.unwrap();
}

fn user_id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

/// Finds accounts by these of the fields that the source proves.
fn matching(fields: &[MatchField]) -> Association {
    Association { mode: AssociationMode::Field, fields: fields.to_vec(), ..Association::default() }
}

/// The identities of a user.
async fn identities(store: &Store, pool: PoolId, user: &UserId) -> Vec<IdentityKey> {
    let found = store.read(GetUserWithIdentities { pool, user: user.clone() }).await.unwrap();
    found.unwrap().1.into_iter().map(|identity| identity.key).collect()
}

async fn disable(store: &Store, user: &UserId) {
    let status = UserStatus::Suspended;
    assert!(
        store.write(SetStatus { pool: pool(), user: user.clone(), status, trace: trace(NOW) }).await.unwrap()
    );
}

async fn users(database: &TestDatabase) -> i64 {
    raw::number(database, "SELECT COUNT(*) FROM users").await
}

on_both_engines! {
    async fn a_stranger_with_a_unionid_becomes_a_user_of_both_ids(database) {
        let store = migrated(&database).await;
        let first = log_in(&store, login(openid(APP, "o1"), Some(unionid("u1")))).await;
        assert!(first.newly_created && first.conflict.is_none());
        assert_eq!((first.user.logins_count, first.user.last_login_at), (1, Some(NOW)));
        assert_eq!(first.user.last_ip.as_deref(), Some("203.0.113.9"));
        let found = identities(&store, pool(), &first.user.id).await;
        assert!(found.len() == 2 && found.contains(&openid(APP, "o1")) && found.contains(&unionid("u1")));

        let stored = store.read(GetUser { pool: pool(), user: first.user.id.clone() }).await.unwrap();
        assert_eq!(stored, Some(first.user));
    }

    async fn a_stranger_without_a_unionid_becomes_a_user_of_the_openid(database) {
        let store = migrated(&database).await;
        let first = log_in(&store, login(openid(APP, "o1"), None)).await;
        assert!(first.newly_created);
        assert_eq!(identities(&store, pool(), &first.user.id).await, [openid(APP, "o1")]);
        let other = log_in(&store, login(openid(APP, "O1"), None)).await;
        assert!(other.newly_created, "ids are case-sensitive");
        let elsewhere = log_in(&store, login(openid(OTHER_APP, "o1"), None)).await;
        assert!(elsewhere.newly_created, "an OpenID is unique within its app");
    }

    async fn a_known_openid_leads_to_its_user(database) {
        let store = migrated(&database).await;
        let first = log_in(&store, login(openid(APP, "o1"), None)).await;
        let later = NOW.plus(seconds(60));
        let again = log_in(&store, login(openid(APP, "o1"), None).at(later)).await;
        assert_eq!(again.user.id, first.user.id);
        assert!(!again.newly_created && again.session != first.session);
        assert_eq!((again.user.logins_count, again.user.last_login_at), (2, Some(later)));
        assert_eq!((again.user.created_at, again.user.updated_at), (NOW, NOW), "a login is no change");
        assert_eq!(again.session_created_at, later);
    }

    async fn a_known_unionid_leads_to_its_user_from_another_app(database) {
        let store = migrated(&database).await;
        let first = log_in(&store, login(openid(APP, "o1"), Some(unionid("u1")))).await;
        let second = log_in(&store, login(openid(OTHER_APP, "x1"), Some(unionid("u1")))).await;
        assert_eq!(second.user.id, first.user.id);
        let third = log_in(&store, login(openid(OTHER_APP, "x1"), None)).await;
        assert_eq!(third.user.id, first.user.id, "the new app's OpenID leads there alone");
        assert_eq!(users(&database).await, 1);
    }

    async fn a_unionid_that_comes_later_is_attached(database) {
        let store = migrated(&database).await;
        let first = log_in(&store, login(openid(APP, "o1"), None)).await;
        log_in(&store, login(openid(APP, "o1"), Some(unionid("u1")))).await;
        let other = log_in(&store, login(openid(OTHER_APP, "x1"), Some(unionid("u1")))).await;
        assert_eq!(other.user.id, first.user.id);
    }

    async fn ids_that_name_two_accounts_move_nothing_and_are_counted(database) {
        let store = migrated(&database).await;
        let by_openid = log_in(&store, login(openid(APP, "o1"), None)).await.user.id;
        let by_unionid = log_in(&store, login(openid(OTHER_APP, "x1"), Some(unionid("u1")))).await.user.id;
        for _ in 0..3 {
            let both = log_in(&store, login(openid(APP, "o1"), Some(unionid("u1"))).at(NOW.plus(seconds(5)))).await;
            assert_eq!(both.user.id, by_openid, "the OpenID's account is logged in");
            let conflict = both.conflict.unwrap();
            assert_eq!((conflict.kind, &conflict.other), (ConflictKind::OpenidUnionid, &by_unionid));
        }
        assert_eq!(identities(&store, pool(), &by_openid).await, [openid(APP, "o1")]);
        assert_eq!(identities(&store, pool(), &by_unionid).await.len(), 2);
        let recorded = raw::texts(&database, "SELECT kind, chosen_user, other_user FROM identity_conflicts").await;
        assert_eq!(recorded, [["openid_unionid", by_openid.as_str(), by_unionid.as_str()]]);
        assert_eq!(raw::number(&database, "SELECT occurrences FROM identity_conflicts").await, 3);
        assert_eq!(raw::number(&database, "SELECT last_seen_at FROM identity_conflicts").await, NOW.0 + 5000);
    }

    async fn a_changed_unionid_is_recorded_and_not_attached(database) {
        let store = migrated(&database).await;
        let first = log_in(&store, login(openid(APP, "o1"), Some(unionid("u1")))).await;
        let changed = log_in(&store, login(openid(APP, "o1"), Some(unionid("u2")))).await;
        assert_eq!(changed.user.id, first.user.id);
        assert_eq!(changed.conflict.unwrap().kind, ConflictKind::UnionidChanged);
        let stranger = log_in(&store, login(openid(OTHER_APP, "x2"), Some(unionid("u2")))).await;
        assert!(stranger.newly_created, "the second UnionID leads nowhere");
    }

    async fn a_proved_phone_fills_an_empty_one_and_takes_nobodys(database) {
        let store = migrated(&database).await;
        let plain = log_in(&store, login(openid(APP, "o1"), None)).await;
        assert_eq!(plain.user.phone, None);
        let later = NOW.plus(seconds(9));
        let filled =
            log_in(&store, login(openid(APP, "o1"), None).with_phone(phone(1), PhoneUse::Fill).at(later)).await;
        assert_eq!(filled.user.phone, Some((phone(1), PhoneProof::Wechat)));
        assert_eq!(filled.user.updated_at, later);

        let kept = log_in(&store, login(openid(APP, "o1"), None).with_phone(phone(2), PhoneUse::Fill)).await;
        assert_eq!(kept.user.phone, Some((phone(1), PhoneProof::Wechat)), "one that is there stays");

        let other = log_in(&store, login(openid(APP, "o2"), None).with_phone(phone(1), PhoneUse::Fill)).await;
        assert!(other.newly_created && other.user.phone.is_none(), "the number is taken");
        let again = log_in(&store, login(openid(APP, "o2"), None).with_phone(phone(1), PhoneUse::Fill)).await;
        assert_eq!(again.conflict.unwrap().kind, ConflictKind::IdentityPhone);
        let stored = store.read(GetUser { pool: pool(), user: filled.user.id }).await.unwrap().unwrap();
        assert_eq!(stored.phone, Some((phone(1), PhoneProof::Wechat)));
    }

    async fn a_login_by_phone_leads_to_the_account_of_the_number(database) {
        let store = migrated(&database).await;
        let owner = log_in(&store, login(openid(APP, "o1"), None).with_phone(phone(1), PhoneUse::LogIn)).await;
        assert!(owner.newly_created && owner.user.phone.is_some());

        let joined = login(openid(OTHER_APP, "x1"), Some(unionid("u1"))).with_phone(phone(1), PhoneUse::LogIn);
        let joined = log_in(&store, joined).await;
        assert_eq!(joined.user.id, owner.user.id);
        assert_eq!(identities(&store, pool(), &owner.user.id).await.len(), 3, "what came with the number is attached");

        let same_app = login(openid(APP, "o2"), None).with_phone(phone(1), PhoneUse::LogIn);
        let same_app = log_in(&store, same_app).await;
        assert_eq!(same_app.user.id, owner.user.id);
        assert!(same_app.conflict.is_some(), "another OpenID of the same app is not bound");
        assert_eq!(identities(&store, pool(), &owner.user.id).await.len(), 3);
    }

    async fn a_nickname_and_photo_fill_only_what_is_empty(database) {
        let store = migrated(&database).await;
        let named = |name: &str| {
            let mut login = login(openid(APP, "o1"), None);
            login.resolver.proof.profile.nickname = Some(name.to_owned());
            login
        };
        let first = log_in(&store, login(openid(APP, "o1"), None)).await;
        assert_eq!(first.user.profile.nickname, None);
        let filled = log_in(&store, named("Bob")).await;
        assert_eq!(filled.user.profile.nickname.as_deref(), Some("Bob"));
        let kept = log_in(&store, named("Eve")).await;
        assert_eq!(kept.user.profile.nickname.as_deref(), Some("Bob"));
    }

    async fn a_login_only_connection_refuses_strangers_and_writes_nothing(database) {
        let store = migrated(&database).await;
        let stranger = login(openid(APP, "o1"), Some(unionid("u1"))).login_only();
        let would = store.read(CheckLogin(stranger.resolver.clone())).await.unwrap();
        assert!(matches!(would, Some((LoginOutcome::LoginOnly, None))));
        assert!(matches!(store.write(stranger.clone()).await.unwrap(), LoginOutcome::LoginOnly));
        for table in ["users", "identities", "sessions"] {
            assert_eq!(raw::number(&database, &format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
        }
        log_in(&store, login(openid(APP, "o1"), None)).await;
        assert!(store.read(CheckLogin(stranger.resolver.clone())).await.unwrap().is_none());
        assert!(!log_in(&store, stranger.at(NOW)).await.newly_created, "who is known may come in");
    }

    async fn a_disabled_user_is_refused_and_nothing_is_written(database) {
        let store = migrated(&database).await;
        let user = log_in(&store, login(openid(APP, "o1"), Some(unionid("u1")))).await.user.id;
        disable(&store, &user).await;
        for arrival in [
            login(openid(APP, "o1"), None),
            login(openid(OTHER_APP, "x1"), Some(unionid("u1"))),
        ] {
            let would = store.read(CheckLogin(arrival.resolver.clone())).await.unwrap();
            assert!(matches!(would, Some((LoginOutcome::Disabled, Some(of))) if of == user));
            assert!(matches!(store.write(arrival).await.unwrap(), LoginOutcome::Disabled));
        }
        assert_eq!(identities(&store, pool(), &user).await.len(), 2, "the other app's OpenID is not attached");
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM sessions").await, 0, "the one that was has ended");
        let stored = store.read(GetUser { pool: pool(), user }).await.unwrap().unwrap();
        assert_eq!(stored.logins_count, 1);
    }

    /// Each refusal is in the audit log once, with its code, account, application and connection.
    async fn who_is_refused_stands_in_the_audit_log_once(database) {
        let store = migrated(&database).await;
        let known = |openid_value: &str| login(openid(APP, openid_value), None);
        let off = log_in(&store, known("off")).await.user.id;
        disable(&store, &off).await;
        let leaving = log_in(&store, known("leaving")).await.user.id;
        let put = format!(
            "UPDATE users SET status = 'Deactivated', delete_after = {} WHERE id = '{leaving}'", NOW.0 + 1000
        );
        raw::execute(&database, &put).await;
        let ended = log_in(&store, known("ended")).await;
        let unit = EndSession { pool: pool(), session: ended.session.clone(), trace: trace(NOW) };
        store.write(unit).await.unwrap();
        let login_before = Some((ended.user.id.clone(), ended.session));
        let before = CodeResults { login: login_before, ..CodeResults::default() };

        let mut closed = known("new");
        closed.resolver.rules.registration = false;
        let mut snapshot = known("off");
        snapshot.resolver.proof.snapshot = true;
        let cases = [
            (known("new").login_only(), 2004, None),
            (closed, 2031, None),
            (snapshot, 2412, None),
            (known("off"), 2005, Some(&off)),
            (known("leaving"), 2413, Some(&leaving)),
            (Login { before, ..known("ended") }, 2206, Some(&ended.user.id)),
        ];
        for (index, (refused, code, user)) in cases.into_iter().enumerate() {
            let at = NOW.plus(seconds(60 + u64::try_from(index).unwrap()));
            let outcome = store.write(refused.at(at)).await.unwrap();
            assert_eq!(outcome.code(), Some(code), "{outcome:?}");
            let filter = AuditFilter { from: Some(at), ..AuditFilter::default() };
            let list = ListEvents { pool: pool(), filter, before: None, limit: 10 };
            let logged = store.read(list).await.unwrap();
            let [logged] = logged.as_slice() else { panic!("{code}: {logged:?}") };
            assert_eq!((logged.action.as_str(), logged.code), ("login", i64::from(code)));
            assert_eq!(logged.user.as_deref(), user.map(UserId::as_str), "{code}");
            assert_eq!(logged.actor_id, logged.user);
            assert_eq!(logged.application.as_deref(), Some(application().as_str()));
            assert_eq!(logged.connection.as_deref(), Some(connection().as_str()));
            assert_eq!((logged.ip.as_deref(), &logged.details["by"]), (Some("203.0.113.9"), &"wechat:miniprogram:default".into()));
        }
    }

    /// A snapshot user never gets an account, even if other ids would lead to one.
    async fn a_snapshot_user_is_nobody(database) {
        let store = migrated(&database).await;
        let number = login(openid(APP, "o1"), Some(unionid("u1"))).with_phone(phone(1), PhoneUse::LogIn);
        log_in(&store, number.clone()).await;
        for mut arrival in [number, login(openid(APP, "o2"), None), login(openid(OTHER_APP, "x1"), Some(unionid("u1")))] {
            arrival.resolver.proof.snapshot = true;
            let would = store.read(CheckLogin(arrival.resolver.clone())).await.unwrap();
            assert!(matches!(would, Some((LoginOutcome::Snapshot, None))));
            assert!(matches!(store.write(arrival.at(NOW)).await.unwrap(), LoginOutcome::Snapshot));
        }
        assert_eq!((users(&database).await, raw::number(&database, "SELECT COUNT(*) FROM sessions").await), (1, 1));
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM identities").await, 2, "nothing was attached");
    }

    /// A verified e-mail address leads to the account that has it verified, and to no other.
    async fn a_verified_address_leads_to_its_account(database) {
        let store = migrated(&database).await;
        for (id, address, verified) in [("vouched", "a@example.com", true), ("lurker", "b@example.com", false)] {
            let email = Some(Email::parse(address).unwrap());
            make(&store, User { email, email_verified: verified, ..User::new(pool(), user_id(id), "admin", NOW) }).await;
        }
        let with = |openid_value: &str, address: &str, fields: &[MatchField]| {
            let mut login = login(openid(APP, openid_value), None).associating(matching(fields));
            login.resolver.proof.email = Some((Email::parse(address).unwrap(), EmailProof::Verified));
            login
        };
        let found = log_in(&store, with("o1", "A@example.com", &[MatchField::Email])).await;
        assert_eq!((found.user.id.as_str(), found.newly_created), ("vouched", false));
        assert_eq!(log_in(&store, login(openid(APP, "o1"), None)).await.user.id.as_str(), "vouched", "it is bound now");
        // A second user of the same source does not get in by the address.
        let second = store.write(with("o2", "a@example.com", &[MatchField::Email])).await.unwrap();
        assert!(!matches!(&second, LoginOutcome::LoggedIn(done) if done.user.id.as_str() == "vouched"), "{second:?}");
        let nobody = log_in(&store, with("o3", "b@example.com", &[MatchField::Email])).await;
        assert!(nobody.newly_created, "an address that nobody vouches for leads nowhere");
        assert_eq!(nobody.user.vouched_email().map(Email::as_str), Some("b@example.com"), "and goes to who proves it");
        assert_eq!(store.read(GetUser { pool: pool(), user: user_id("lurker") }).await.unwrap().unwrap().email, None);
        let unasked = log_in(&store, with("o4", "a@example.com", &[MatchField::Phone])).await;
        assert!(unasked.newly_created, "only what the connection matches by counts");
    }

    /// An external id leads to its account, even if that has been merged in the meantime.
    async fn an_external_id_leads_to_its_account(database) {
        let store = migrated(&database).await;
        for id in ["old", "new"] {
            let external_id = Some(format!("ext-{id}"));
            make(&store, User { external_id, ..User::new(pool(), user_id(id), "import", NOW) }).await;
        }
        let with = |openid_value: &str, id: &str| {
            let mut login = login(openid(APP, openid_value), None).associating(matching(&[MatchField::ExternalId]));
            login.resolver.proof.external_id = Some(id.to_owned());
            login
        };
        assert_eq!(log_in(&store, with("o1", "ext-old")).await.user.id.as_str(), "old");
        assert!(log_in(&store, with("o2", "ext-OLD")).await.newly_created, "ids are case-sensitive");
        let new = NewMerge { id: MergeId::generate(NOW, &SystemRandom), survivor: user_id("old"), merged: user_id("new") };
        let merged = store.write(Merge { pool: pool(), new, trace: trace(NOW) }).await.unwrap();
        assert!(matches!(merged, Merged::Done(_)));
        let mut elsewhere = with("x1", "ext-new");
        elsewhere.resolver.proof.own = openid(OTHER_APP, "x1");
        assert_eq!(log_in(&store, elsewhere).await.user.id.as_str(), "old");
    }

    async fn pools_know_nothing_of_each_other(database) {
        let store = migrated(&database).await;
        let arrival = || login(openid(APP, "o1"), Some(unionid("u1"))).with_phone(phone(1), PhoneUse::LogIn);
        let here = log_in(&store, arrival()).await;
        let there = log_in(&store, arrival().into_pool(other_pool())).await;
        assert!(here.newly_created && there.newly_created && here.user.id != there.user.id);
        assert_eq!(log_in(&store, arrival()).await.user.id, here.user.id);

        assert_eq!(store.read(GetUser { pool: other_pool(), user: here.user.id.clone() }).await.unwrap(), None);
        let session = sessions::GetSession { pool: other_pool(), session: here.session.clone() };
        assert!(store.read(session).await.unwrap().is_none());
        store.write(EndSession { pool: other_pool(), session: here.session.clone(), trace: trace(NOW) }).await.unwrap();
        assert!(
            store.read(sessions::GetSession { pool: pool(), session: here.session }).await.unwrap().is_some(),
            "a session ends only in its own pool"
        );
        let foreign = SetStatus {
            pool: other_pool(),
            user: here.user.id.clone(),
            status: UserStatus::Suspended,
            trace: trace(NOW),
        };
        assert!(!store.write(foreign).await.unwrap());
        assert!(store.read(GetUser { pool: pool(), user: here.user.id }).await.unwrap().unwrap().is_active());
    }

    async fn the_record_of_a_code_resumes_its_session(database) {
        let store = migrated(&database).await;
        let first = Login { exchange: Some((hash("code"), b"sealed".to_vec())), ..login(openid(APP, "o1"), None) };
        let first = log_in(&store, first).await;
        let record = store.read(exchanges::GetExchange { pool: pool(), code: hash("code") }).await.unwrap().unwrap();
        assert_eq!(record.login, Some((first.user.id.clone(), first.session.clone())));
        assert_eq!((record.application, record.sealed, record.created_at), (application(), b"sealed".to_vec(), NOW));

        let again = Login {
            before: CodeResults {
                login: Some((first.user.id.clone(), first.session.clone())),
                ..CodeResults::default()
            },
            ..login(openid(APP, "o1"), None).at(NOW.plus(seconds(30)))
        };
        let resumed = log_in(&store, again.clone()).await;
        assert_eq!((&resumed.session, resumed.session_created_at), (&first.session, NOW));

        let foreign = Login { before: again.before.clone(), ..login(openid(APP, "o2"), None) };
        assert_ne!(log_in(&store, foreign).await.session, first.session, "only of the same user");
        store.write(EndSession { pool: pool(), session: first.session.clone(), trace: trace(NOW) }).await.unwrap();
        assert!(matches!(store.write(again).await.unwrap(), LoginOutcome::Ended), "logged out is logged out");
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM sessions").await, 1, "the other person's");
    }

    async fn ids_are_bound_to_a_user_who_is_logged_in(database) {
        let store = migrated(&database).await;
        let user = log_in(&store, login(openid(APP, "o1"), None)).await.user.id;
        let other = log_in(&store, login(openid(APP, "o2"), None)).await.user.id;
        let bind = async |user: &UserId, openid: IdentityKey, unionid: Option<IdentityKey>| {
            let proof = arrival(openid, unionid);
            let (user, connection) = (user.clone(), connection());
            store.write(Bind { pool: pool(), user, connection, proof, exchange: None, recent: recent(), trace: trace(NOW) }).await.unwrap()
        };
        assert_eq!(bind(&user, openid(OTHER_APP, "x1"), Some(unionid("u1"))).await, BindOutcome::Bound);
        assert_eq!(bind(&user, openid(OTHER_APP, "x1"), Some(unionid("u1"))).await, BindOutcome::Bound);
        assert_eq!(log_in(&store, login(openid(OTHER_APP, "x1"), None)).await.user.id, user);

        assert_eq!(bind(&other, openid(OTHER_APP, "x1"), None).await, BindOutcome::TakenByAnother);
        assert_eq!(bind(&other, openid(OTHER_APP, "x2"), Some(unionid("u1"))).await, BindOutcome::TakenByAnother);
        assert_eq!(bind(&user, openid(OTHER_APP, "x2"), None).await, BindOutcome::HasAnother);
        assert_eq!(identities(&store, pool(), &user).await.len(), 3);
        assert_eq!(identities(&store, pool(), &other).await, [openid(APP, "o2")], "what fails binds nothing");
        let logged = "SELECT CAST(code AS TEXT), user_id, connection_id FROM audit_events
            WHERE action = 'identity.bound' AND code <> 0 ORDER BY code, user_id";
        let by = |code: &str, user: &UserId| vec![code.to_owned(), user.to_string(), connection().to_string()];
        assert_eq!(raw::texts(&database, logged).await, [by("2213", &other), by("2213", &other), by("2215", &user)]);
    }
}
