//! Applying a declarative file to a database.

mod branding;
mod clients;
mod export;
mod extras;
mod operations;
mod people;
mod random;
mod scopes;
mod world;

use std::sync::Arc;
use std::time::Duration;

use hufu_app::apply::{ApplyError, Changes, Options};
use hufu_protocol::sealing::SealingKey;
use hufu_store::config::StoredConnection;
use hufu_testkit::on_both_engines;

use self::world::*;

on_both_engines! {
    async fn the_example_is_applied_to_an_empty_database(database) {
        let world = World::new(database).await;
        let version = world.config().await.version;
        let plan = world.apply(EXAMPLE).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        + user_pool 6560c0ffee00000000000001 Shop
          + connection shop-mini (wechat:miniprogram:default)
          + application 6560c0ffee00000000000002 Shop mini program (mini-program)
          + user alice
        4 to add, 0 to change, 0 to disable, 0 unchanged, 0 left alone
        "); }
        assert!(!format!("{plan}{plan:?}").contains(SECRET));

        let config = world.config().await;
        assert_eq!(config.version, version + 1);
        let [shop, _system] = config.pools.as_slice() else { panic!("two pools") };
        assert_eq!((shop.id.as_str(), shop.name.as_str()), (POOL, "Shop"));
        let [connection] = config.connections.as_slice() else { panic!("one connection") };
        assert_eq!(connection.id.as_str().len(), 24);
        assert_eq!(connection.display_name, "WeChat");
        assert!(connection.enabled && !connection.login_only);
        assert_eq!(connection.open_platform.0.as_str(), "shop");
        let hufu_store::config::StoredSettings::Sealed(sealed) = &connection.settings else { panic!("sealed") };
        assert!(!sealed.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "sealed");
        let [application] = config.applications.as_slice() else { panic!("one application") };
        assert!(application.is_default && application.enabled);
        assert_eq!(application.connections, std::slice::from_ref(&connection.id));
        assert_eq!(application.lifetimes, hufu_types::TokenLifetimes::default());

        let (alice, hash) = world.user("alice").await.unwrap();
        assert_eq!(alice.register_source, "admin");
        assert_eq!((alice.logins_count, alice.is_active(), alice.email_verified), (0, true, false));
        let (phone, proof) = alice.phone.unwrap();
        assert_eq!((phone.as_str(), proof), ("+8613800000000", hufu_types::PhoneProof::Administrator));
        assert!(hash.unwrap().starts_with("$argon2id$"));

        // An instance with the same sealing key can open the sealed settings.
        let unsealed = hufu_app::Config::unseal(config.clone(), &world.sealing);
        let opened = unsealed.connection(&connection.id).unwrap();
        assert_eq!(opened.settings.text("app_id"), Some("wx0123456789abcdef"));
        assert_eq!(opened.settings.text("app_secret"), Some(SECRET));
    }

    async fn the_second_time_there_is_nothing_to_do(database) {
        let world = World::with_example(database).await;
        let before = world.everything().await;
        let plan = world.apply(EXAMPLE).await;
        assert!(plan.is_empty());
        assert_eq!(plan.changes(), Changes { unchanged: 4, ..Changes::default() });
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        = user_pool 6560c0ffee00000000000001 Shop
          = user alice exists
        0 to add, 0 to change, 0 to disable, 4 unchanged, 0 left alone
        "); }
        assert!(world.prune(EXAMPLE).await.is_empty());
        assert_eq!(world.everything().await, before);
    }

    async fn a_dry_run_plans_the_same_and_writes_nothing(database) {
        let world = World::with_example(database).await;
        let web = application("web", "connections = [\"other\"]");
        let text = pool(&[connection("other"), web, user("username = \"bob\"")]);
        let before = world.everything().await;
        let planned = world.apply_with(&text, Options { prune: true, new_apps: false, dry_run: true }).await;
        assert_eq!(world.everything().await, before);
        assert_eq!(world.prune(&text).await, planned);
        assert_ne!(world.everything().await, before);
    }

    async fn each_kind_of_change_is_made_and_named(database) {
        let world = World::with_example(database).await;
        let connection = "connection shop-mini";
        let application = "application 6560c0ffee00000000000002";
        let same_name = "application 6560c0ffee00000000000002 Shop mini program";
        for (old, new, line) in [
            ("name = \"Shop\"", "name = \"Store\"", format!("~ user_pool {POOL} Store: name changed")),
            ("\"WeChat\"", "\"微信\"", format!("  ~ {connection}: display_name changed")),
            ("login_only = false", "login_only = true", format!("  ~ {connection}: login_only changed")),
            ("= \"shop\"", "= \"mall\"", format!("  ~ {connection}: open_platform changed")),
            ("wx0123456789abcdef", "wx0123456789abcde0", format!("  ~ {connection}: app_id changed")),
            ("{ env = \"SHOP_SECRET\" }", "\"other\"", format!("  ~ {connection}: app_secret changed")),
            ("Shop mini program", "Mini", format!("  ~ {application} Mini: name changed")),
            ("\"mini-program\"", "\"spa\"", format!("  ~ {same_name}: type changed")),
            ("default = true", "default = false", format!("  ~ {same_name}: default changed")),
            ("[\"shop-mini\"]", "[]", format!("  ~ {same_name}: connections changed")),
            (
                "default = true",
                "default = true\nsigning_algorithm = \"EdDSA\"",
                format!("  ~ {same_name}: signing_algorithm changed"),
            ),
            (
                "default = true",
                "default = true\ntokens = { session = \"30d\" }",
                format!("  ~ {same_name}: tokens changed"),
            ),
        ] {
            let before = world.config().await;
            let changed = example_with(old, new);
            let plan = world.apply(&changed).await;
            assert!(plan.to_string().lines().any(|shown| shown == line), "{line}\n{plan}");
            assert_eq!(plan.changes(), Changes { change: 1, unchanged: 3, ..Changes::default() }, "{plan}");
            assert_eq!(world.config().await.version, before.version + 1);
            assert!(world.apply(&changed).await.is_empty(), "{line}");

            // Restore the example for the next change. What the example does not mention is unchanged.
            world.apply(EXAMPLE).await;
            assert_eq!(world.config().await.pools, before.pools);
            assert_eq!(world.config().await.connections[0].id, before.connections[0].id);
        }
        let application = world.application(APPLICATION).await;
        assert_eq!(application.signing_algorithm, hufu_types::SigningAlgorithm::EdDsa);
        assert_eq!(application.lifetimes.session, Duration::from_secs(30 * 24 * 60 * 60));
    }

    async fn several_changes_of_a_thing_stand_in_one_line(database) {
        let world = World::with_example(database).await;
        let text = example_with("\"WeChat\"", "\"微信\"").replace("{ env = \"SHOP_SECRET\" }", "\"another-secret\"");
        let text = text + &application("6560c0ffee00000000000003", "") + &user("phone = \"+12025550123\"")
            + &user("email = \"bob@example.com\"") + "[[user_pool]]\nid = \"empty\"\nname = \"Empty\"\n";
        let plan = world.apply(&text).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        = user_pool 6560c0ffee00000000000001 Shop
          ~ connection shop-mini: display_name, app_secret changed
          + application 6560c0ffee00000000000003 App 6560c0ffee00000000000003 (web); a client secret is made
          = user alice exists
          + user +120****0123
          + user b***@example.com
        + user_pool empty Empty
        4 to add, 1 to change, 0 to disable, 3 unchanged, 0 left alone
        "); }
        assert!(!format!("{plan:?}").contains("another-secret"));
    }

    /// Applying the file repairs a database whose sealing key was lost.
    async fn a_secret_that_does_not_open_is_sealed_again(database) {
        let mut world = World::with_example(database).await;
        world.sealing = Arc::new(SealingKey::from_bytes([8; 32]));
        let plan = world.apply(EXAMPLE).await;
        assert!(plan.to_string().contains("~ connection shop-mini: app_secret changed"), "{plan}");
        assert!(world.apply(EXAMPLE).await.is_empty());
    }

    async fn what_the_file_does_not_name_is_left_and_listed(database) {
        let world = World::with_example(database).await;
        world.apply("[[user_pool]]\nid = \"other\"\nname = \"Other\"").await;
        let before = world.everything().await;
        let plan = world.apply(&pool(&[])).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        = user_pool 6560c0ffee00000000000001 Shop
          ! left alone (not in the file): connection shop-mini
          ! left alone (not in the file): application 6560c0ffee00000000000002 Shop mini program
        ! left alone (not in the file): user_pool other Other
        0 to add, 0 to change, 0 to disable, 1 unchanged, 3 left alone
        "); }
        assert!(plan.is_empty());
        assert_eq!(world.everything().await, before);
    }

    async fn pruning_disables_and_a_new_mention_enables_again(database) {
        let world = World::with_example(database).await;
        let version = world.config().await.version;
        let plan = world.prune(&pool(&[])).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        = user_pool 6560c0ffee00000000000001 Shop
          - connection shop-mini: disabled
          - application 6560c0ffee00000000000002 Shop mini program: disabled
        0 to add, 0 to change, 2 to disable, 1 unchanged, 0 left alone
        "); }
        let config = world.config().await;
        assert_eq!(config.version, version + 1);
        assert!(!config.connections[0].enabled && !config.applications[0].enabled);
        assert!(world.user("alice").await.is_some(), "users are never removed");

        let again = world.prune(&pool(&[])).await;
        assert!(again.is_empty());
        let left = "! left alone (not in the file): connection shop-mini, disabled\n";
        assert!(again.to_string().contains(left), "{again}");

        let plan = world.apply(&example_with("\"WeChat\"", "\"微信\"")).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        = user_pool 6560c0ffee00000000000001 Shop
          ~ connection shop-mini: display_name changed; enabled again
          ~ application 6560c0ffee00000000000002 Shop mini program: enabled again
          = user alice exists
        0 to add, 2 to change, 0 to disable, 2 unchanged, 0 left alone
        "); }
        let config = world.config().await;
        assert!(config.connections.iter().all(|c| c.enabled) && config.applications.iter().all(|a| a.enabled));
    }

    async fn pruning_leaves_other_pools_and_what_an_application_names(database) {
        let world = World::with_example(database).await;
        let other = "[[user_pool]]\nid = \"other\"\nname = \"Other\"\n";
        let plan = world.prune(&(other.to_owned() + &connection("theirs"))).await;
        assert_eq!(plan.changes().disable, 0, "{plan}");
        let plan = world.prune(&pool(&[application("web", "connections = [\"shop-mini\"]")])).await;
        assert!(plan.to_string().contains("! left alone (not in the file): connection shop-mini\n"), "{plan}");
        assert_eq!(plan.changes().disable, 1, "{plan}");
        let config = world.config().await;
        assert!(config.connections.iter().all(|c| c.enabled));
        let shop_mini = config.connections.iter().find(|c| c.identifier.as_str() == "shop-mini").unwrap();
        assert_eq!(world.application("web").await.connections, std::slice::from_ref(&shop_mini.id));
    }

    /// The app has moved to another Open Platform account. Only the account's name changes.
    async fn a_connection_moves_to_another_open_platform_account(database) {
        let world = World::with_example(database).await;
        let before = world.config().await.connections;
        world.apply(&example_with("open_platform = \"shop\"", "open_platform = \"group\"")).await;
        let after = world.config().await.connections;
        let ([before], [after]) = (before.as_slice(), after.as_slice()) else { panic!("one connection") };
        assert_eq!(after.open_platform.0.as_str(), "group");
        let realms = after.realms.clone();
        assert_eq!(*after, StoredConnection { open_platform: after.open_platform.clone(), realms, ..before.clone() });
        assert_eq!((&after.realms.own, after.realms.shared == before.realms.shared), (&before.realms.own, false));
    }

    async fn connections_are_exactly_those_of_the_list_in_its_order(database) {
        let world = World::new(database).await;
        let both = [connection("one"), connection("two")];
        let with = |list: &str| pool(&[both.concat(), application("web", &format!("connections = {list}"))]);
        for list in [&["one", "two"][..], &["two", "one"], &["two"], &[], &["one"]] {
            world.apply(&with(&format!("{list:?}"))).await;
            let config = world.config().await;
            let name = |id| config.connections.iter().find(|c| c.id == id).unwrap().identifier.as_str();
            let stored: Vec<_> = world.application("web").await.connections.into_iter().map(name).collect();
            assert_eq!(stored, list);
        }
    }

    async fn applications_stand_in_the_order_of_the_file(database) {
        let world = World::new(database).await;
        let applications = |ids: &[&str]| {
            pool(&ids.iter().map(|id| application(id, "")).collect::<Vec<_>>())
        };
        world.apply(&applications(&["c", "a", "b"])).await;
        assert_eq!(world.order().await, ["c", "a", "b"]);
        world.apply(&applications(&["b", "d"])).await;
        assert_eq!(world.order().await, ["b", "d", "c", "a"]);

        let plan = world.apply(&applications(&["d", "a"])).await;
        assert_eq!(world.order().await, ["d", "a", "b", "c"]);
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        = user_pool 6560c0ffee00000000000001 Shop
          ~ application d App d: position changed
          ~ application a App a: position changed
          ! left alone (not in the file): application b App b
          ! left alone (not in the file): application c App c
        0 to add, 2 to change, 0 to disable, 1 unchanged, 2 left alone
        "); }
        assert!(world.apply(&applications(&["d", "a"])).await.is_empty());
        // Adding one does not move the existing ones.
        let plan = world.apply(&applications(&["new", "d", "a"])).await;
        assert_eq!(plan.changes(), Changes { add: 1, unchanged: 3, left_alone: 2, ..Changes::default() });
        assert_eq!(world.order().await, ["new", "d", "a", "b", "c"]);
    }

    async fn the_default_of_the_file_wins(database) {
        let world = World::with_example(database).await;
        let web = application("web", "default = true");
        let plan = world.apply(&pool(&[connection("shop-mini"), web.clone()])).await;
        let lost = "  ~ application 6560c0ffee00000000000002 Shop mini program: no longer the default\n";
        assert!(plan.to_string().contains(lost), "{plan}");
        assert!(!world.application(APPLICATION).await.is_default && world.application("web").await.is_default);

        world.apply(EXAMPLE).await;
        let plan = world.prune(&pool(&[web])).await;
        assert!(plan.to_string().contains("Shop mini program: disabled, no longer the default\n"), "{plan}");
        let defaults = world.config().await.applications.into_iter().filter(|a| a.is_default).count();
        assert_eq!(defaults, 1);
    }

    async fn a_password_is_set_only_when_the_user_is_made(database) {
        let world = World::with_example(database).await;
        let (alice, hash) = world.user("alice").await.unwrap();
        let version = world.config().await.version;
        let text = example_with("{ env = \"ALICE_PASSWORD\" }", "\"battery staple\"")
            .replace("phone = \"+8613800000000\"", "phone = \"+8613900000000\"\nnickname = \"Alice\"");
        let plan = world.apply(&text).await;
        assert!(plan.is_empty());
        assert!(plan.to_string().contains("  = user alice exists (with another phone or none, left as it is)\n"), "{plan}");
        assert_eq!(world.user("alice").await.unwrap(), (alice, hash));
        assert_eq!(world.config().await.version, version);
    }

    async fn users_alone_do_not_raise_the_version(database) {
        let world = World::with_example(database).await;
        let version = world.config().await.version;
        let keys = "id = \"legacy-7\"\nusername = \"bob\"\nemail = \"bob@example.com\"\nexternal_id = \"7\"\n\
                    nickname = \"Bobby\"\nname = \"Bob B\"";
        let plan = world.apply(&(EXAMPLE.to_owned() + &user(keys))).await;
        assert_eq!(plan.changes(), Changes { add: 1, unchanged: 4, ..Changes::default() });
        assert_eq!(world.config().await.version, version);
        let (bob, hash) = world.user("bob").await.unwrap();
        assert_eq!((bob.id.as_str(), bob.email_verified, hash), ("legacy-7", true, None));
        assert_eq!((bob.profile.nickname.as_deref(), bob.profile.name.as_deref()), (Some("Bobby"), Some("Bob B")));
        assert_eq!(bob.external_id.as_deref(), Some("7"));
        assert!(world.apply(&(EXAMPLE.to_owned() + &user(keys))).await.is_empty());
    }

    async fn what_only_the_database_can_tell_is_refused(database) {
        let world = World::with_example(database).await;
        let other = "[[user_pool]]\nid = \"other\"\nname = \"Other\"\n".to_owned();
        world.apply(&(other.clone() + &user("id = \"theirs\"\nusername = \"eve\""))).await;
        world.apply(&pool(&[user("username = \"bob\"\nemail = \"bob@example.com\"")])).await;

        let two = "lead to two users that exist already — take one of them out, or write each user on its own";
        for (text, refusal) in [
            (
                pool(&[application("web", "connections = [\"shop-mini\", \"nowhere\"]")]),
                "8:29: the user pool has no connection `nowhere`, here or in the database — \
                 add it as [[user_pool.connection]], or take it out of the list".to_owned(),
            ),
            (
                pool(&[application("web", "connections = [\"shop-mini\"]").replace("\"web\"\nc", "\"api\"\nc")]),
                "8:16: an application of type api cannot use `shop-mini`, which is wechat:miniprogram:default — \
                 take it out of the list".to_owned(),
            ),
            (
                other.clone() + &application(APPLICATION, ""),
                format!(
                    "4:1: the application id `{APPLICATION}` is taken in the user pool `{POOL}` — choose another id"
                ),
            ),
            (
                pool(&[application("web", "tokens = { session = \"10d\" }")]),
                "4:1: `session` (10d) is shorter than `user_token` (14d), counting what the file leaves out as it \
                 stands — a session lasts at least as long as its token".to_owned(),
            ),
            (
                pool(&[user("username = \"alice\"\nemail = \"bob@example.com\"")]),
                format!("4:1: `username` and `email` {two}"),
            ),
            (
                pool(&[user("username = \"carol\"\nphone = \"+8613800000000\"")]),
                "4:1: `phone` belongs to a user that exists already and has another `username` or none — \
                 change or take out one of the two".to_owned(),
            ),
            (
                pool(&[user("id = \"theirs\"\nusername = \"mallory\"")]),
                "4:1: this user id is taken in another user pool — choose another id".to_owned(),
            ),
        ] {
            assert_eq!(world.refused(&text).await, format!("hufu.toml:{refusal}"));
        }
    }

    async fn everything_that_is_wrong_is_told_at_once_and_nothing_is_done(database) {
        let world = World::with_example(database).await;
        let text = pool(&[
            connection("sound"),
            application("web", "connections = [\"nowhere\"]"),
            application("app", "connections = [\"neither\"]\ntokens = { user_token = \"91d\" }"),
        ]);
        assert_eq!(world.refused(&text).await.lines().count(), 3);
    }

    /// The last step fails in the database, after all the others have run.
    async fn a_step_that_fails_takes_all_others_back(database) {
        let world = World::with_example(database).await;
        let text = pool(&[connection("new"), application("web", ""), user("phone = \"+8613900000000\"")]);
        let mut file = read(&text);
        let users = &mut file.pools[0].users;
        users.push(users[0].clone());
        let before = world.everything().await;
        assert!(matches!(world.try_apply(&file, PLAIN).await, Err(ApplyError::Store(_))));
        assert_eq!(world.everything().await, before);
    }

    async fn two_at_once_end_in_one_consistent_state(database) {
        let world = World::new(database).await;
        let file = |first: &str, second: &str, name: &str| {
            pool(&[
                connection("one"),
                connection("two"),
                application(first, &format!("default = true\nconnections = [\"{first}\", \"{second}\"]")),
                application(second, &format!("connections = [\"{second}\"]")),
                user(&format!("username = \"alice\"\npassword = \"{name} password\"")),
            ])
        };
        let files = [file("one", "two", "first"), file("two", "one", "second")];
        world.apply_at_once(&[files.clone(), files.clone(), files.clone()].concat()).await;

        let mut fits = 0;
        for file in &files {
            fits += usize::from(world.apply_with(file, DRY_RUN).await.is_empty());
        }
        assert_eq!(fits, 1, "one of the files stands, whole");
        let config = world.config().await;
        assert_eq!(config.applications.iter().filter(|a| a.is_default).count(), 1);
        assert_eq!((config.connections.len(), config.applications.len()), (2, 2));
        assert_eq!(world.store.read(Users).await.unwrap().len(), 1);
    }

    /// The files have no row in common, so only the order of the runs keeps the result consistent.
    async fn several_at_once_leave_one_default_and_one_order(database) {
        let world = World::with_example(database).await;
        let version = world.config().await.version;
        let files: Vec<_> = ('a'..='h').map(|id| pool(&[application(&id.to_string(), "default = true")])).collect();
        world.apply_at_once(&files).await;

        let config = world.config().await;
        let defaults: Vec<_> = config.applications.iter().filter(|a| a.is_default).collect();
        let [default] = defaults.as_slice() else { panic!("one default: {defaults:?}") };
        assert_eq!(default.id, config.applications[0].id, "the last file's application is the first");
        let positions: Vec<_> = config.applications.iter().map(|a| a.position).collect();
        assert_eq!(positions, (0..9).collect::<Vec<_>>());
        assert_eq!(config.version, version + 8);
    }
}
