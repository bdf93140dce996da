//! The parts of a file that concern a pool's users: settings, association, senders; and their audit log
//! entries.

use std::sync::Arc;
use std::time::Duration;

use hufu_app::apply::{Changes, Options};
use hufu_protocol::sealing::SealingKey;
use hufu_store::audit::{AuditFilter, ListEvents};
use hufu_store::senders::ReadSenders;
use hufu_testkit::on_both_engines;
use hufu_types::{Association, AssociationMode, MatchField, PoolId, PoolSettings, TestClock};

use super::world::*;

const SMTP: &str = "[user_pool.email]\nprovider = \"smtp\"\nhost = \"mail.example.com\"\nusername = \"mailer\"\n\
                    password = { env = \"SHOP_SECRET\" }\nfrom = \"no-reply@example.com\"\n";
const SMS: &str = "[user_pool.sms]\nprovider = \"http\"\nurl = \"https://sms.example.com/?key=5ec2e7\"\n\
                   body = { to = \"{{phone}}\", text = \"{{text}}\" }\n";
const TEMPLATES: &str = "[user_pool.templates.login.en]\nsms = \"{code}\"\n";

fn pool_with(tables: &[&str]) -> String {
    pool(&tables.iter().map(|table| (*table).to_owned()).collect::<Vec<_>>())
}

async fn settings(world: &World) -> PoolSettings {
    let shop = PoolId::parse(POOL).unwrap();
    world.config().await.pools.into_iter().find(|pool| pool.id == shop).unwrap().settings
}

async fn senders(world: &World) -> Vec<Vec<u8>> {
    let stored = world.store.read(ReadSenders(PoolId::parse(POOL).unwrap())).await.unwrap();
    stored.into_iter().map(|sender| sender.sealed).collect()
}

async fn audit(world: &World) -> Vec<(String, String, serde_json::Value)> {
    let list = ListEvents {
        pool: PoolId::parse(POOL).unwrap(),
        filter: AuditFilter::default(),
        before: None,
        limit: 100,
    };
    let events = world.store.read(list).await.unwrap();
    events.into_iter().rev().map(|event| (event.action, event.actor_kind, event.details)).collect()
}

on_both_engines! {
    async fn settings_are_the_files_where_it_has_any(database) {
        let world = World::new(database).await;
        world.apply(&pool_with(&["[user_pool.settings]\nregistration = false\naudit_days = 30\n"])).await;
        assert_eq!(settings(&world).await, PoolSettings { registration: false, audit_days: 30, ..PoolSettings::default() });

        let plan = world.apply(&pool_with(&["[user_pool.settings]\naudit_days = 31\n"])).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        ~ user_pool 6560c0ffee00000000000001 Shop: settings.audit_days, settings.registration changed
        0 to add, 1 to change, 0 to disable, 0 unchanged, 0 left alone
        "); }
        assert_eq!(settings(&world).await, PoolSettings { audit_days: 31, ..PoolSettings::default() });

        let plan = world.prune(&pool_with(&[])).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        = user_pool 6560c0ffee00000000000001 Shop
          ! left alone (not in the file): settings
        0 to add, 0 to change, 0 to disable, 1 unchanged, 1 left alone
        "); }
        assert_eq!(settings(&world).await.audit_days, 31);
    }

    async fn associations_are_compared_and_stored(database) {
        let world = World::with_example(database).await;
        assert_eq!(world.config().await.connections[0].association, Association::default());
        let text = example_with("login_only = false", "association = { mode = \"field\", conflict = \"choose\" }");
        let plan = world.apply(&text).await;
        assert!(plan.to_string().contains("  ~ connection shop-mini: association changed\n"), "{plan}");
        let association = world.config().await.connections[0].association.clone();
        assert_eq!((association.mode, association.fields.as_slice()), (AssociationMode::Field, &[MatchField::Phone][..]));
        assert!(world.apply(&text).await.is_empty());
        assert!(world.apply(EXAMPLE).await.to_string().contains("association changed"));
        assert_eq!(world.config().await.connections[0].association, Association::default());
    }

    async fn senders_are_sealed_and_compared_unsealed(database) {
        let mut world = World::new(database).await;
        let all = pool_with(&[SMTP, SMS, TEMPLATES]);
        let plan = world.apply(&all).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        + user_pool 6560c0ffee00000000000001 Shop
          + email (smtp)
          + sms (http)
          + templates (login)
        4 to add, 0 to change, 0 to disable, 0 unchanged, 0 left alone
        "); }
        let sealed = senders(&world).await;
        assert_eq!(sealed.len(), 3);
        assert!(sealed.iter().all(|sealed| !sealed.windows(6).any(|part| part == b"5ec2e7")), "sealed");
        let version = world.config().await.version;
        assert_eq!(world.apply(&all).await.changes(), Changes { unchanged: 4, ..Changes::default() });
        assert_eq!((senders(&world).await, world.config().await.version), (sealed, version));

        let changed = all
            .replace("{ env = \"SHOP_SECRET\" }", "\"another\"")
            .replace("mail.example.com", "smtp.example.com")
            .replace("key=5ec2e7", "key=5ec2e8")
            .replace("login.en", "register.en");
        let dry = world.apply_with(&changed, Options { prune: false, new_apps: false, dry_run: true }).await;
        let plan = world.apply(&changed).await;
        assert_eq!(plan, dry);
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        = user_pool 6560c0ffee00000000000001 Shop
          ~ email (smtp): host, password changed
          ~ sms (http): url changed
          ~ templates (register): login, register changed
        0 to add, 3 to change, 0 to disable, 1 unchanged, 0 left alone
        "); }
        assert!(world.config().await.version > version);

        // As after the loss of the sealing key.
        world.sealing = Arc::new(SealingKey::from_bytes([8; 32]));
        let plan = world.apply(&changed).await.to_string();
        assert!(plan.contains("~ email (smtp): written anew, since what is stored cannot be opened"), "{plan}");
        assert!(world.apply(&changed).await.is_empty());
    }

    async fn senders_that_the_file_does_not_name_are_left_or_pruned(database) {
        let world = World::new(database).await;
        world.apply(&pool_with(&[SMTP, TEMPLATES])).await;
        let plan = world.apply(&pool_with(&[])).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        = user_pool 6560c0ffee00000000000001 Shop
          ! left alone (not in the file): email (smtp)
          ! left alone (not in the file): templates (login)
        0 to add, 0 to change, 0 to disable, 1 unchanged, 2 left alone
        "); }
        assert_eq!(senders(&world).await.len(), 2);
        let plan = world.prune(&pool_with(&[TEMPLATES])).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        = user_pool 6560c0ffee00000000000001 Shop
          - email (smtp): taken away
        0 to add, 0 to change, 1 to disable, 2 unchanged, 0 left alone
        "); }
        assert_eq!(senders(&world).await.len(), 1);
    }

    async fn what_changed_is_in_the_audit_log_without_secrets(database) {
        let mut world = World::with_example(database).await;
        world.clock = Arc::new(TestClock::new(world.clock.now().plus(Duration::from_secs(1))));
        let text = EXAMPLE.replace("  [[user_pool.user]]", &format!("{SMTP}{SMS}  [[user_pool.user]]"));
        world.apply_with(&text, DRY_RUN).await;
        world.apply(&text.replace("display_name = \"WeChat\"", "display_name = \"微信\"")).await;
        world.apply(&text.replace("display_name = \"WeChat\"", "display_name = \"微信\"")).await;
        let events = audit(&world).await;
        let actions: Vec<_> = events.iter().map(|(action, ..)| action.as_str()).collect();
        assert_eq!(actions, ["user.created", "configuration.changed", "configuration.changed"]);
        assert!(events.iter().all(|(_, actor, _)| actor == "command"));
        assert_eq!(
            events[1].2["changes"],
            serde_json::json!([
                "+ user_pool 6560c0ffee00000000000001 Shop",
                "+ connection shop-mini (wechat:miniprogram:default)",
                "+ application 6560c0ffee00000000000002 Shop mini program (mini-program)",
            ])
        );
        let changes = ["+ email (smtp)", "+ sms (http)", "~ connection shop-mini: display_name changed"];
        assert_eq!(events[2].2["changes"], serde_json::json!(changes));
        assert!(!format!("{events:?}").contains("5ec2e7"));
    }
}
