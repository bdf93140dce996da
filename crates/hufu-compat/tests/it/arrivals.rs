//! Every order in which one person can arrive through three apps of an Open Platform account. The result is
//! one account wherever an id or the verified number can link the logins, and several accounts only where
//! nothing can.

use std::collections::{BTreeSet, HashMap};

use hufu_sandbox::{AppPatch, NewUser};
use hufu_store::users::{self, GetUser};
use hufu_store::{StoreError, Tx, Write};
use hufu_testkit::on_both_engines;
use hufu_types::{Phone, PhoneProof, PoolId, SystemRandom, User, UserId};

use crate::client::Mode;
use crate::world::{ALICE_PHONE, FILE, MINI, NOW, SHOP, SPARE, TWO, World};

/// The apps in every order.
const ORDERS: [[&str; 3]; 6] = [
    [MINI, TWO, SPARE],
    [MINI, SPARE, TWO],
    [TWO, MINI, SPARE],
    [TWO, SPARE, MINI],
    [SPARE, MINI, TWO],
    [SPARE, TWO, MINI],
];

/// From which visit on WeChat returns the unionid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unionid {
    Absent,
    Present,
    FromTheSecond,
}

/// The standard world with the third app enabled.
async fn world_of_three_apps(database: hufu_testkit::TestDatabase) -> World {
    let world = World::new(database).await;
    let connections = r#"["shop-mini", "shop-two", "shop-members""#;
    world.reconfigure_with(connections, &format!("{connections}, \"shop-spare\"")).await;
    world
}

/// Binds the apps to this Open Platform account at WeChat, or to none.
fn bind_at_wechat(world: &World, apps: &[&str], open_platform: Option<&str>) {
    for app_id in apps {
        let open_platform = Some(open_platform.map(str::to_owned));
        world.sandbox.change_app(app_id, AppPatch { open_platform, ..AppPatch::default() }).unwrap();
    }
}

fn person_with_phone(world: &World, name: &str, phone: &str) {
    let (name, phone) = (Some(name.to_owned()), Some(phone.to_owned()));
    world.person_with(NewUser { name, phone, ..NewUser::default() });
}

/// Inserts an account with a number that is not verified.
struct Lurk(User);

impl Write for Lurk {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        users::insert(tx, &self.0, None).await
    }
}

on_both_engines! {
    /// Lesson 7, with and without the phone number.
    async fn every_order_through_three_apps(database) {
        let world = world_of_three_apps(database).await;
        let client = world.client();
        let apps = [MINI, TWO, SPARE];
        let mut people = 0;
        for unionid in [Unionid::Absent, Unionid::Present, Unionid::FromTheSecond] {
            // The modes: without a number, with a number that only fills the profile, and with a number that
            // identifies the user.
            for mode in [Mode::V2Code, Mode::Phone, Mode::V2Phone] {
                for order in ORDERS {
                    let case = format!("{order:?}, unionid {unionid:?}, {mode:?}");
                    let name = format!("person-{people}");
                    person_with_phone(&world, &name, &format!("136{people:08}"));
                    people += 1;
                    let conflicts = world.rows("identity_conflicts").await;

                    let mut came_to: HashMap<&str, String> = HashMap::new();
                    for (visit, app_id) in order.into_iter().enumerate() {
                        let told = match unionid {
                            Unionid::Absent => false,
                            Unionid::Present => true,
                            Unionid::FromTheSecond => visit > 0,
                        };
                        bind_at_wechat(&world, &apps, told.then_some("shop"));
                        came_to.insert(app_id, client.try_log_in(mode, app_id, &name).await.logged_in());
                    }
                    let accounts: BTreeSet<&String> = came_to.values().collect();
                    let expected = match (mode, unionid) {
                        (Mode::V2Phone, _) | (_, Unionid::Present) => 1,
                        // The first account was created before anything could link it.
                        (_, Unionid::FromTheSecond) => 2,
                        (_, Unionid::Absent) => 3,
                    };
                    assert_eq!(accounts.len(), expected, "{case}");

                    // A later login through the same app always leads to the same account, whatever ids are
                    // known by then.
                    for app_id in order {
                        let again = client.try_log_in(Mode::V2Code, app_id, &name).await.logged_in();
                        assert_eq!(again, came_to[app_id], "{case}, again through {app_id}");
                    }
                    if mode == Mode::V2Code || expected == 1 {
                        let recorded = world.rows("identity_conflicts").await - conflicts;
                        let two_accounts = unionid == Unionid::FromTheSecond && expected == 2;
                        assert_eq!(recorded, i64::from(two_accounts), "{case}");
                    }
                }
            }
        }
    }

    /// A conflict between two accounts is recorded as soon as both ids are known. Only the user can resolve
    /// it.
    async fn an_openid_and_a_unionid_of_two_accounts_are_recorded_and_kept(database) {
        let world = world_of_three_apps(database).await;
        let client = world.client();
        world.person("bob");
        bind_at_wechat(&world, &[MINI], None);
        let by_openid = client.log_in(MINI, "bob").await;
        let by_unionid = client.log_in(TWO, "bob").await;
        assert_ne!(by_openid.id, by_unionid.id);
        bind_at_wechat(&world, &[MINI], Some("shop"));
        let identities = world.rows("identities").await;
        for _ in 0..2 {
            assert_eq!(client.log_in(MINI, "bob").await.id, by_openid.id);
            assert_eq!(client.log_in(TWO, "bob").await.id, by_unionid.id);
            assert_eq!(client.log_in(SPARE, "bob").await.id, by_unionid.id, "a new app joins by the unionid");
        }
        assert_eq!(world.rows("identity_conflicts").await, 1);
        assert_eq!(world.rows("identities").await, identities + 1, "nothing moved; the third app's openid is new");
    }

    /// The app is moved at WeChat first and in the configuration later. In between, no account is lost or
    /// mixed up.
    async fn an_app_that_moves_to_another_open_platform_account_loses_nobody(database) {
        let world = world_of_three_apps(database).await;
        let client = world.client();
        world.person("bob");
        let bob = client.log_in(MINI, "bob").await.id;
        bind_at_wechat(&world, &[MINI], Some("market"));
        assert_eq!(client.log_in(MINI, "bob").await.id, bob, "a changed unionid is recorded, and not attached");
        assert_eq!((world.rows("identities").await, world.rows("identity_conflicts").await), (2, 1));

        let moved = FILE.replacen("open_platform = \"shop\"", "open_platform = \"market\"", 1);
        world.reconfigure(&moved).await;
        assert_eq!(client.log_in(MINI, "bob").await.id, bob, "the new unionid is attached in its own realm");
        assert_eq!(client.log_in(TWO, "bob").await.id, bob, "by the unionid of before");
        assert_eq!((world.rows("identities").await, world.rows("identity_conflicts").await), (4, 1));
    }

    async fn a_number_that_stands_unverified_with_a_stranger_is_taken_by_who_proves_it(database) {
        let world = World::new(database).await;
        let (pool, store) = (PoolId::parse(SHOP).unwrap(), world.node.app.store().clone());
        for (index, mode) in [Mode::Phone, Mode::V2Phone, Mode::CodeAndPhone].into_iter().enumerate() {
            let (name, number) = (format!("bob-{index}"), format!("1371111000{index}"));
            person_with_phone(&world, &name, &number);
            let lurker = UserId::generate(NOW, &SystemRandom);
            let phone = Phone::parse(&format!("+86{number}")).unwrap();
            let new = User::new(pool.clone(), lurker.clone(), "admin", NOW);
            let new = User { phone: Some((phone.clone(), PhoneProof::Unverified)), ..new };
            store.write(Lurk(new)).await.unwrap();

            let bob = client_user(&world, mode, &name).await;
            assert_ne!(bob, lurker, "{mode:?}: it leads nobody to the account");
            let read = async |user: UserId| store.read(GetUser { pool: pool.clone(), user }).await.unwrap().unwrap();
            assert_eq!(read(bob).await.vouched_phone(), Some(&phone), "{mode:?}");
            assert_eq!(read(lurker).await.phone, None, "{mode:?}");
        }
    }

    /// With `field`, a number that an administrator entered leads a first login to its account, whichever
    /// call is used.
    async fn a_first_login_finds_the_account_of_the_number_where_the_connection_matches(database) {
        let world = World::new(database).await;
        person_with_phone(&world, "alice", ALICE_PHONE);
        person_with_phone(&world, "impostor", ALICE_PHONE);
        let identifier = "identifier = \"shop-mini\"";
        world.reconfigure_with(identifier, &format!("{identifier}\n  association = {{ mode = \"field\" }}")).await;
        let before = world.rows("users").await;
        let alice = client_user(&world, Mode::Phone, "alice").await;
        assert_eq!(world.rows("users").await, before, "she was there already");
        assert_eq!(client_user(&world, Mode::V2Code, "alice").await, alice, "and her openid leads there now");

        let other = client_user(&world, Mode::Phone, "impostor").await;
        assert_ne!(other, alice, "the account is another person's of this app by now");
        assert_eq!(world.rows("users").await, before + 1);
    }
}

/// The account that a login through the first app leads to.
async fn client_user(world: &World, mode: Mode, name: &str) -> UserId {
    UserId::parse(&world.client().try_log_in(mode, MINI, name).await.logged_in()).unwrap()
}
