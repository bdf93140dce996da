//! The scopes of a pool, and the resources of its APIs.

use hufu_app::configuration::{Operation as _, Outcome, PutApplication, Rejection};
use hufu_store::{StoreError, Tx, Write};
use hufu_testkit::on_both_engines;
use hufu_types::{Application, PoolScope, SettingProblem, Timestamp};

use super::world::{PLAIN, PRUNE, World, pool};

const LEVEL: &str = "[user_pool.settings]\ncustom_fields = [{ key = \"level\", type = \"number\" }]\n";
const LOYALTY: &str = "[[user_pool.scope]]\nname = \"loyalty\"\nclaims = { level = \"custom.level\" }\n";
const ORDERS: &str = "[[user_pool.scope]]\nname = \"orders:read\"\n";

fn file(content: &[&str]) -> String {
    pool(&content.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
}

fn api(id: &str, resources: &str) -> String {
    format!("[[user_pool.application]]\nid = \"{id}\"\nname = \"App {id}\"\ntype = \"api\"\n{resources}\n")
}

impl World {
    async fn scopes(&self) -> Vec<PoolScope> {
        self.config()
            .await
            .pools
            .into_iter()
            .find(|pool| pool.id.as_str() == super::POOL)
            .unwrap()
            .settings
            .scopes
    }

    async fn names(&self) -> Vec<String> {
        self.scopes().await.into_iter().map(|scope| scope.name).collect()
    }
}

/// An application that is changed by itself.
struct Put(Application);

impl Write for Put {
    type Out = Outcome<Application>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        PutApplication { application: self.0.clone(), expected: None }.run(tx, Timestamp(1)).await
    }
}

on_both_engines! {
    async fn scopes_are_stored_compared_and_taken_away(database) {
        let world = World::new(database).await;
        let both = file(&[LEVEL, LOYALTY, ORDERS]);
        let plan = world.apply(&both).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        + user_pool 6560c0ffee00000000000001 Shop
          + scope loyalty
          + scope orders:read
        3 to add, 0 to change, 0 to disable, 0 unchanged, 0 left alone
        "); }
        let version = world.config().await.version;
        assert!(world.apply(&both).await.is_empty());
        assert!(world.apply(&file(&[LEVEL, ORDERS, LOYALTY])).await.is_empty(), "they have no order");
        assert_eq!(world.config().await.version, version);
        assert_eq!(world.scopes().await[0].claims["level"], "custom.level");

        // Settings of the file say nothing of scopes, and scopes nothing of settings.
        let plan = world.apply(&file(&["[user_pool.settings]\ncustom_fields = [{ key = \"level\", type = \"string\" }]\n"])).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        ~ user_pool 6560c0ffee00000000000001 Shop: settings.custom_fields changed
          ! left alone (not in the file): scope loyalty
          ! left alone (not in the file): scope orders:read
        0 to add, 1 to change, 0 to disable, 0 unchanged, 2 left alone
        "); }
        assert_eq!(world.names().await, ["loyalty", "orders:read"]);
        let changed = "[[user_pool.scope]]\nname = \"loyalty\"\ntitle = { en = \"Level\" }\nclaims = { tier = \"custom.level\" }\n";
        let plan = world.apply(&file(&[changed])).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        = user_pool 6560c0ffee00000000000001 Shop
          ! left alone (not in the file): settings
          ~ scope loyalty: title, claims changed
          ! left alone (not in the file): scope orders:read
        0 to add, 1 to change, 0 to disable, 1 unchanged, 2 left alone
        "); }
        let plan = world.prune(&file(&[ORDERS])).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        = user_pool 6560c0ffee00000000000001 Shop
          ! left alone (not in the file): settings
          - scope loyalty: taken away
        0 to add, 0 to change, 1 to disable, 2 unchanged, 1 left alone
        "); }
        assert_eq!(world.names().await, ["orders:read"]);
        let version = world.config().await.version;
        assert!(world.prune(&file(&[ORDERS])).await.is_empty());
        assert_eq!(world.config().await.version, version);
        world.prune(&file(&[])).await;
        assert!(world.names().await.is_empty());
    }

    async fn a_claim_comes_from_a_field_that_people_see(database) {
        let world = World::new(database).await;
        world.apply(&file(&[])).await;
        let error = world.refused(&file(&[LOYALTY])).await;
        assert_eq!(
            error,
            "hufu.toml:6:20: the user pool has no custom field for `custom.level` — declare it in custom_fields, or \
             take the claim out"
        );
        let hidden = LEVEL.replace("\"number\"", "\"number\", visible = false");
        let error = world.refused(&file(&[&hidden, LOYALTY])).await;
        assert_eq!(
            error,
            "hufu.toml:8:20: people cannot see `custom.level`, and their tokens would show it — make the field \
             visible, or take the claim out"
        );
        // The field may be in the database alone, and the scope as well.
        world.apply(&file(&[LEVEL])).await;
        world.apply(&file(&[LOYALTY])).await;
        for settings in [hidden.as_str(), "[user_pool.settings]\n"] {
            let error = world.refused(&file(&[settings])).await;
            let start = "hufu.toml:1:1: the scope `loyalty`, which the user pool has already: ";
            assert!(error.starts_with(start), "{error}");
        }
        world.prune(&file(&["[user_pool.settings]\n"])).await;
        assert!(world.names().await.is_empty());
    }

    async fn a_resource_is_of_one_application_in_the_instance(database) {
        let world = World::new(database).await;
        let own = |list: &str| format!("resources = [{list}]");
        let first = file(&[&api("a", &own("\"urn:a\", \"urn:b\"")), &api("b", &own("\"urn:c\""))]);
        world.apply(&first).await;
        assert!(world.apply(&first).await.is_empty());
        assert_eq!(world.application("a").await.client.resources, ["urn:a", "urn:b"]);

        // They change hands within a file, in whatever order.
        let moved = file(&[&api("a", &own("\"urn:c\", \"urn:a\"")), &api("b", &own("\"urn:b\""))]);
        let plan = world.apply(&moved).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        = user_pool 6560c0ffee00000000000001 Shop
          ~ application a App a: resources changed
          ~ application b App b: resources changed
        0 to add, 2 to change, 0 to disable, 1 unchanged, 0 left alone
        "); }
        assert_eq!(world.application("a").await.client.resources, ["urn:c", "urn:a"]);
        assert_eq!(world.application("b").await.client.resources, ["urn:b"]);
        assert!(world.apply(&moved).await.is_empty());

        // What the file leaves out stays, and is not taken.
        let taken = "the resource `urn:b` is the application `b` of the user pool `6560c0ffee00000000000001` — take it out \
                     there first, or choose another";
        for others in [String::new(), api("b", "")] {
            let error = world.refused(&file(&[&api("c", &own("\"urn:x\", \"urn:b\"")), &others])).await;
            assert_eq!(error, format!("hufu.toml:8:23: {taken}"));
        }
        let elsewhere = format!("[[user_pool]]\nid = \"q\"\nname = \"Q\"\n{}", api("c", &own("\"urn:b\"")));
        assert_eq!(world.refused(&elsewhere).await, format!("hufu.toml:8:14: {taken}"));
        // So is one whose application was disabled.
        world.apply_with(&file(&[&api("a", "")]), PRUNE).await;
        assert!(world.refused(&elsewhere).await.contains(taken));
        world.apply_with(&file(&[&api("b", &own(""))]), PLAIN).await;
        world.apply(&elsewhere).await;

        let web = "[[user_pool.application]]\nid = \"w\"\nname = \"W\"\ntype = \"web\"\nresources = [\"urn:w\"]\n";
        assert_eq!(
            world.refused(&file(&[web])).await,
            "hufu.toml:8:13: `resources`: only an application of type api is a resource — take them out"
        );

        // The same rule for whoever changes an application by itself.
        let mut changed = world.application("a").await;
        changed.client.resources = vec!["urn:free".to_owned(), "urn:b".to_owned()];
        let outcome = world.store.write(Put(changed.clone())).await.unwrap();
        let Outcome::Rejected(Rejection::Settings(problems)) = outcome else { panic!("{outcome:?}") };
        let paths: Vec<_> = problems.into_iter().map(|SettingProblem { path, .. }| path).collect();
        assert_eq!(paths, ["resources.1"]);
        changed.client.resources.pop();
        assert!(matches!(world.store.write(Put(changed)).await.unwrap(), Outcome::Done { .. }));
    }
}
