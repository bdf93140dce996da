//! Users created by an administrator or an import, and how they are found.

use std::collections::BTreeMap;

use hufu_store::passwords;
use hufu_store::users::{self, GetUser};
use hufu_testkit::on_both_engines;
use hufu_testkit::raw;
use hufu_types::{
    ApplicationId, Email, Gender, Phone, PhoneProof, PoolId, Profile, User, UserId, UserStatus, Username,
};
use serde_json::json;

use crate::support::{NOW, migrated, other_pool, phone, pool, seconds, unit};

unit! {
    Write Make { user: User, password_hash: Option<&'static str> } -> (), |this, tx| {
        users::insert(tx, &this.user, this.password_hash).await
    }
}
unit! {
    Read Find { pool: PoolId, username: Username, email: Email, phone: Phone, external_id: &'static str }
        -> Vec<Option<User>>, |this, tx| Ok(vec![
            users::by_username(tx, &this.pool, &this.username).await?,
            users::by_email(tx, &this.pool, &this.email).await?,
            users::by_phone(tx, &this.pool, &this.phone).await?,
            users::by_external_id(tx, &this.pool, this.external_id).await?,
        ])
}
unit! {
    Read Schemes { pool: PoolId } -> Vec<String>, |this, tx| {
        let mut schemes = passwords::schemes(tx, &this.pool).await?;
        // PostgreSQL sorts by the language of the database.
        schemes.sort_unstable();
        Ok(schemes)
    }
}
unit! {
    Write SetHash { user: UserId, hash: &'static str } -> (), |this, tx| {
        passwords::set(tx, &pool(), &this.user, this.hash, NOW).await
    }
}
unit! {
    Read IsTaken { pools: Vec<PoolId>, user: UserId } -> bool, |this, tx| {
        users::id_is_taken(tx, &this.pools, &this.user).await
    }
}

fn alice() -> User {
    let mut profile = Profile { gender: Some(Gender::Female), ..Profile::default() };
    for name in Profile::FIELDS {
        *profile.field_mut(name).unwrap() = Some(format!("{name} 虎\u{0}\"'"));
    }
    let custom = json!({ "a": [1, null, { "b": "\u{0}" }], "虎": 1.5 });
    User {
        status: UserStatus::Archived,
        username: Some(Username::parse("alice").unwrap()),
        email: Some(Email::parse("alice@example.com").unwrap()),
        email_verified: true,
        phone: Some((phone(1), PhoneProof::Administrator)),
        external_id: Some("ext-1".to_owned()),
        profile,
        custom_data: custom.as_object().unwrap().clone(),
        logins_count: 3,
        last_login_at: Some(NOW),
        last_ip: Some("2001:db8::1".to_owned()),
        last_application: Some(ApplicationId::parse("app").unwrap()),
        updated_at: NOW.plus(seconds(1)),
        password_set_at: Some(NOW.plus(seconds(2))),
        must_reset: true,
        agreements: BTreeMap::from([("terms".to_owned(), 3)]),
        ..User::new(pool(), UserId::parse("Imported_user-1").unwrap(), "admin", NOW)
    }
}

fn find(pool: PoolId, name: &str, number: u32, external_id: &'static str) -> Find {
    Find {
        pool,
        username: Username::parse(name).unwrap(),
        email: Email::parse(&format!("{name}@example.com")).unwrap(),
        phone: phone(number),
        external_id,
    }
}

on_both_engines! {
    /// Each scheme among the hashes of a pool is told once, with its parameters, for as long as it is there.
    async fn the_schemes_of_a_pools_passwords(database) {
        let store = migrated(&database).await;
        let hashes = [
            Some("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAA"),
            Some("$argon2id$v=19$m=19456,t=2,p=1$b3RoZXJzYWx0c29tZXNhbA$BBBB"),
            Some("$2b$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            Some("$2b$10$DDDDDDDDDDDDDDDDDDDDD.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            Some("$2b$12$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            Some("$pbkdf2-sha256$i=29000,l=32$c29tZXNhbHQ$AAAA"),
            Some("$scrypt$ln=14,r=8,p=1$c29tZXNhbHQ$AAAA"),
            None,
        ];
        let id = |n: usize| UserId::parse(&format!("6560c0ffee0000000000000{n}")).unwrap();
        for (n, password_hash) in hashes.into_iter().enumerate() {
            store.write(Make { user: User::new(pool(), id(n), "admin", NOW), password_hash }).await.unwrap();
        }
        let ours = "$argon2id$v=19$m=19456,t=2,p=1$";
        let all = ["$2b$10$", "$2b$12$", ours, "$pbkdf2-sha256$i=29000,l=32$", "$scrypt$ln=14,r=8,p=1$"];
        assert_eq!(store.read(Schemes { pool: pool() }).await.unwrap(), all);
        assert_eq!(store.read(Schemes { pool: other_pool() }).await.unwrap(), [""; 0]);
        for n in [3, 4, 5, 6] {
            store.write(SetHash { user: id(n), hash: hashes[0].unwrap() }).await.unwrap();
        }
        assert_eq!(store.read(Schemes { pool: pool() }).await.unwrap(), ["$2b$10$", ours]);
    }

    async fn a_user_is_read_as_written_and_found_by_every_login_name(database) {
        let store = migrated(&database).await;
        store.write(Make { user: alice(), password_hash: Some("$argon2id$") }).await.unwrap();
        assert_eq!(store.read(GetUser { pool: pool(), user: alice().id }).await.unwrap(), Some(alice()));
        let found = store.read(find(pool(), "alice", 1, "ext-1")).await.unwrap();
        assert_eq!(found, vec![Some(alice()); 4]);
        for nobody in [find(other_pool(), "alice", 1, "ext-1"), find(pool(), "bob", 2, "EXT-1")] {
            assert_eq!(store.read(nobody).await.unwrap(), vec![None; 4]);
        }
        assert_eq!(raw::texts(&database, "SELECT password_hash FROM users").await, [["$argon2id$"]]);
    }

    async fn login_names_are_unique_in_their_pool(database) {
        let store = migrated(&database).await;
        store.write(Make { user: alice(), password_hash: None }).await.unwrap();
        let blank = || User {
            id: UserId::parse("other").unwrap(),
            username: None,
            email: None,
            phone: None,
            external_id: None,
            ..alice()
        };
        for same in [
            User { username: alice().username, ..blank() },
            User { email: alice().email, ..blank() },
            User { phone: alice().phone, ..blank() },
            User { external_id: alice().external_id, ..blank() },
            User { id: alice().id, ..blank() },
        ] {
            store.write(Make { user: same, password_hash: None }).await.unwrap_err();
        }
        store.write(Make { user: blank(), password_hash: None }).await.unwrap();
        store.write(Make { user: User { pool: other_pool(), ..alice() }, password_hash: None }).await.unwrap();
    }

    async fn an_id_is_taken_in_any_pool(database) {
        let store = migrated(&database).await;
        store.write(Make { user: alice(), password_hash: None }).await.unwrap();
        let is_taken = async |pools: Vec<PoolId>, user: &str| {
            store.read(IsTaken { pools, user: UserId::parse(user).unwrap() }).await.unwrap()
        };
        assert!(is_taken(vec![other_pool(), pool()], "Imported_user-1").await);
        assert!(!is_taken(vec![other_pool()], "Imported_user-1").await);
        assert!(!is_taken(vec![other_pool(), pool()], "imported_user-1").await);
    }
}
