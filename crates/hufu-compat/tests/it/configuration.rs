//! A configuration file is applied elsewhere while the server runs.

use std::sync::Arc;
use std::time::Duration;

use hufu_sandbox::AppPatch;
use hufu_testkit::on_both_engines;
use hufu_types::{PoolId, UserStatus};
use serde_json::json;

use crate::client::{AUTH, GET_PROFILE};
use crate::world::{CAFE, CAFE_APP, FILE, MINI, Plan, SHOP, SHOP_APP, TWO, World, file_without, secret_of};

on_both_engines! {
    async fn a_change_is_taken_up_when_the_node_looks(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let file = FILE.replace(
            "connections = [\"shop-mini\", \"shop-two\", \"shop-members\"]",
            "connections = [\"shop-two\"]",
        );
        world.apply(&file).await;
        world.client().log_in(MINI, "bob").await;
        world.node.app.refresh_config().await.unwrap();
        world.client().try_log_in(crate::client::Mode::V2Code, MINI, "bob").await.refused(2406);
        assert_eq!(world.client().log_in(TWO, "bob").await.id, user.id);
        world.nobody().bearer(&user.token).get(GET_PROFILE).await.data();
    }

    async fn a_running_server_looks_by_itself(database) {
        let world =
            Plan::new().limits(|limits| limits.config_poll = Duration::from_millis(5)).build(database).await;
        let watching = tokio::spawn(Arc::clone(&world.node.app).watch_config());
        let before = world.node.app.config().version;
        world.apply(&FILE.replace("name = \"Shop mini program\"", "name = \"Renamed\"")).await;
        let taken_up = async {
            while world.node.app.config().version == before {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), taken_up).await.unwrap();
        assert_eq!(world.node.app.config().application(SHOP_APP).unwrap().name, "Renamed");
        watching.abort();
        assert!(hufu_app::Limits::default().config_poll < Duration::from_secs(1), "within a second");
    }

    async fn applying_the_same_file_again_disturbs_no_node(database) {
        let world = World::new(database).await;
        let before = world.node.app.config().version;
        world.reconfigure(FILE).await;
        assert_eq!(world.node.app.config().version, before);
    }

    async fn a_new_secret_heals_a_connection(database) {
        let world = World::new(database).await;
        world.person("bob");
        let secret = "new-secret-of-wx00000000000000a1";
        world.secret(secret);
        let patch = AppPatch { secret: Some(secret.into()), ..AppPatch::default() };
        world.sandbox.change_app(MINI, patch).unwrap();
        world.client().send_code(&world.code(MINI, "bob")).await.refused(2407);
        world.reconfigure_with(&secret_of(MINI), secret).await;
        world.client().log_in(MINI, "bob").await;
    }

    /// The app moved to another Open Platform account. Its users have other unionids, and keep their
    /// accounts.
    async fn known_people_carry_on_where_the_open_platform_changed(database) {
        let world = World::new(database).await;
        world.person("bob");
        let before = world.client().log_in(MINI, "bob").await;
        let patch = AppPatch { open_platform: Some(Some("other".to_owned())), ..AppPatch::default() };
        world.sandbox.change_app(MINI, patch).unwrap();
        world.reconfigure_with("open_platform = \"shop\"", "open_platform = \"other\"").await;
        let after = world.client().log_in(MINI, "bob").await;
        assert_eq!(after.id, before.id);
        assert_ne!(after.data["unionid"], before.data["unionid"]);
        assert_eq!(world.client().log_in(TWO, "bob").await.id, before.id, "by the unionid of before");
        assert_eq!(world.rows("identity_conflicts").await, 0);
        let identities = world
            .nobody()
            .bearer(&after.token)
            .get(&format!("{GET_PROFILE}?withIdentities=true"))
            .await
            .data();
        assert_eq!(
            identities["identities"].as_array().unwrap().len(),
            4,
            "two openids, and a unionid of each account"
        );
    }

    async fn an_application_that_is_switched_off_loses_its_tokens(database) {
        let world = World::new(database).await;
        world.person("bob");
        let tokens = world.client().log_in_v3(MINI, "bob").await;
        world.reconfigure(&file_without(SHOP_APP)).await;
        world.nobody().bearer(&tokens.access).get(GET_PROFILE).await.refused(2020);
        world.client().refresh(&tokens.refresh).await.oauth_error("invalid_client");
        world.client().post(AUTH, json!({ "code": "x" })).await.refused(2011);
        world.reconfigure(FILE).await;
        world.nobody().bearer(&tokens.access).get(GET_PROFILE).await.data();
    }

    async fn a_pool_of_a_new_file_is_served(database) {
        let world = World::new(database).await;
        let new = CAFE.replace("11", "31");
        world.nobody().pool(&new).send_code("x").await.refused(2224);
        world.reconfigure(&format!("{FILE}\n[[user_pool]]\nid = \"{new}\"\nname = \"New\"\n")).await;
        world.nobody().pool(&new).send_code("x").await.refused(2011);
    }

    async fn a_change_in_one_pool_is_read_alone(database) {
        let world = World::new(database).await;
        let other_node = world.another_node().await;
        let (shop, cafe) = (PoolId::parse(SHOP).unwrap(), PoolId::parse(CAFE).unwrap());
        let nodes = [&world.node.app, &other_node.app];
        let before = nodes.map(|node| node.config());
        world.apply(&FILE.replace("name = \"Shop mini program\"", "name = \"Renamed\"")).await;
        for (node, before) in nodes.into_iter().zip(before) {
            node.refresh_config().await.unwrap();
            let after = node.config();
            assert_eq!(after.application(SHOP_APP).unwrap().name, "Renamed");
            assert!(!Arc::ptr_eq(before.of_pool(&shop).unwrap(), after.of_pool(&shop).unwrap()));
            assert!(Arc::ptr_eq(before.of_pool(&cafe).unwrap(), after.of_pool(&cafe).unwrap()));
            let app_of = |config: &hufu_app::Config| config.application(CAFE_APP).unwrap().clone();
            assert!(Arc::ptr_eq(&app_of(&before), &app_of(&after)));
        }
    }

    async fn ending_sessions_reads_no_configuration_and_reaches_every_node(database) {
        let world = World::new(database).await;
        let other_node = world.another_node().await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let nodes = [&world.node, &other_node];
        for node in nodes {
            world.client_of(node).bearer(&user.token).get(GET_PROFILE).await.data();
        }
        // The start of the other node may have created a signing key.
        world.node.app.refresh_config().await.unwrap();
        let before = nodes.map(|node| node.app.config());
        world.set_status(SHOP, &user.id, UserStatus::Suspended).await;
        for (node, before) in nodes.into_iter().zip(before) {
            node.app.refresh_config().await.unwrap();
            world.client_of(node).bearer(&user.token).get(GET_PROFILE).await.refused(2020);
            assert!(Arc::ptr_eq(&before, &node.app.config()), "nothing was read again");
        }
        let limits = hufu_app::Limits::default();
        assert!(limits.config_poll.max(limits.session_cache) <= Duration::from_secs(5), "with or without news");
    }
}
