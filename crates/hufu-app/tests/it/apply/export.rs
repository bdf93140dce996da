//! `hufu apply --export`: what is written is what was applied.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use hufu_app::apply::{Exported, export, file};
use hufu_types::PoolId;
use proptest::test_runner::{Config, TestRunner};
use secrecy::ExposeSecret as _;

use super::random::pools;
use super::*;

fn read_with(exported: &Exported) -> file::Desired {
    let secrets: HashMap<&str, &str> =
        exported.secrets.iter().map(|(name, secret)| (name.as_str(), secret.expose_secret())).collect();
    assert_eq!(secrets.len(), exported.secrets.len(), "each secret has a variable of its own");
    let environment = |name: &str| secrets.get(name).map(|secret| (*secret).to_owned());
    file::read(&exported.text, "exported.toml", &environment)
        .unwrap_or_else(|errors| panic!("{errors}\n{}", exported.text))
}

async fn exported(world: &World, pool: &str) -> Exported {
    export(&world.store, &world.sealing, &PoolId::parse(pool).unwrap()).await.unwrap()
}

/// The text of a pool with ids of its own.
pub(super) fn numbered(text: &str, number: usize) -> String {
    let own = number.to_string();
    text.replace("pool#", &format!("pool{own}"))
        .replace("-#\"", &format!("-{own}\""))
        .replace("api#.", &format!("api{own}."))
        .replace("urn:api:#", &format!("urn:api:{own}"))
        .replace("%.txt", &format!("x{own}.txt"))
}

/// What is exported changes nothing where it comes from, and makes the same pool where there is none.
async fn goes_around(world: &World, elsewhere: &World, number: usize, text: &str) {
    let (pool, text) = (format!("pool{number}"), numbered(text, number));
    world.apply(&text).await;
    let first = exported(world, &pool).await;
    for (name, secret) in &first.secrets {
        assert!(first.text.contains(&format!("{{ env = \"{name}\" }}")), "{name}: {}", first.text);
        assert!(
            !first.text.contains(secret.expose_secret()) || secret.expose_secret().len() < 8,
            "{}",
            first.text
        );
    }
    let before = world.everything().await;
    let plan = world.try_apply(&read_with(&first), PRUNE).await.unwrap();
    assert!(plan.is_empty(), "{plan}\n{text}\n{}", first.text);
    assert_eq!(world.everything().await, before, "not even the version changes");

    elsewhere
        .try_apply(&read_with(&first), PLAIN)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", first.text));
    let second = exported(elsewhere, &pool).await;
    for (line, expected) in second.text.lines().zip(first.text.lines()) {
        assert_eq!(line, expected, "{}", first.text);
    }
    assert_eq!(second.text.len(), first.text.len());
    let exposed = |exported: &Exported| -> Vec<(String, String)> {
        exported
            .secrets
            .iter()
            .map(|(name, secret)| (name.clone(), secret.expose_secret().to_owned()))
            .collect()
    };
    assert_eq!(exposed(&second), exposed(&first));
}

on_both_engines! {
    async fn what_is_exported_is_what_was_applied(database) {
        let other = if database.engine() == "sqlite" { hufu_testkit::TestDatabase::sqlite() } else { hufu_testkit::TestDatabase::postgres() };
        let (world, elsewhere) = (World::new(database).await, World::new(other).await);
        let count = AtomicUsize::new(0);
        let mut runner = TestRunner::new(Config { cases: 32, failure_persistence: None, max_shrink_iters: 256, ..Config::default() });
        let result = tokio::task::block_in_place(|| runner.run(&pools(), |text| {
            let number = count.fetch_add(1, Ordering::Relaxed);
            tokio::runtime::Handle::current().block_on(goes_around(&world, &elsewhere, number, &text));
            Ok(())
        }));
        result.unwrap_or_else(|error| panic!("{error}"));
    }

    async fn the_example_goes_around(database) {
        let other = hufu_testkit::TestDatabase::sqlite();
        let (world, elsewhere) = (World::with_example(database).await, World::new(other).await);
        let first = exported(&world, POOL).await;
        for line in [
            "\n[[user_pool]]\nid = \"6560c0ffee00000000000001\"\nname = \"Shop\"\n",
            "\n  [user_pool.settings]\n",
            "\n  [[user_pool.connection]]\n  identifier = \"shop-mini\"\n  type = \"wechat:miniprogram:default\"\n",
            "\n  fields = { app_id = \"wx0123456789abcdef\", app_secret = { env = \"SHOP_MINI__APP_SECRET\" } }\n",
            "\n  [[user_pool.application]]\n  id = \"6560c0ffee00000000000002\"\n  name = \"Shop mini program\"\n",
            "\n    [user_pool.application.login]\n",
        ] {
            assert!(first.text.contains(line), "{line} is missing in\n{}", first.text);
        }
        assert!(world.try_apply(&read_with(&first), PRUNE).await.unwrap().is_empty());
        elsewhere.try_apply(&read_with(&first), PLAIN).await.unwrap();
        assert_eq!(exported(&elsewhere, POOL).await.text, first.text);
        // Without the secrets, nothing is written.
        let refused = file::read(&first.text, "exported.toml", &|_| None).unwrap_err().to_string();
        assert!(refused.contains("SHOP_MINI__APP_SECRET"), "{refused}");
        let unknown = export(&world.store, &world.sealing, &PoolId::parse("nowhere").unwrap()).await;
        assert_eq!(unknown.err().unwrap().to_string(), "there is no user pool `nowhere`");
        let other_key = SealingKey::from_bytes([9; 32]);
        let closed = export(&world.store, &other_key, &PoolId::parse(POOL).unwrap()).await;
        assert!(closed.err().unwrap().to_string().starts_with("the connection `shop-mini` cannot be opened"));
    }
}
