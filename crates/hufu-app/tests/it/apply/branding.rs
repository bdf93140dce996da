//! The branding of a pool, in files.

use hufu_testkit::on_both_engines;
use hufu_types::{Branding, PageTheme};

use super::world::{World, pool};

const BRANDING: &str = "[user_pool.branding]\ntitle = { zh-CN = \"小店\" }\nprimary_color = \"#1a7f5a\"\ntheme = \"dark\"\nlanguage = \"auto\"\n";

fn file(content: &[&str]) -> String {
    pool(&content.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
}

impl World {
    async fn branding(&self) -> Branding {
        let pools = self.config().await.pools;
        pools.into_iter().find(|pool| pool.id.as_str() == super::POOL).unwrap().settings.branding
    }
}

on_both_engines! {
    async fn branding_is_stored_compared_and_left_alone(database) {
        let world = World::new(database).await;
        let branded = file(&[BRANDING]);
        world.apply(&branded).await;
        let branding = world.branding().await;
        assert_eq!((branding.title["zh-CN"].as_str(), branding.theme), ("小店", Some(PageTheme::Dark)));
        assert_eq!(branding.primary_color.as_deref(), Some("#1a7f5a"));
        let version = world.config().await.version;
        assert!(world.apply(&branded).await.is_empty());
        assert_eq!(world.config().await.version, version);

        // Settings of the file say nothing of the branding, and the branding nothing of settings.
        let plan = world.apply(&file(&["[user_pool.settings]\nregistration = false\n"])).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        ~ user_pool 6560c0ffee00000000000001 Shop: settings.registration changed
          ! left alone (not in the file): branding
        0 to add, 1 to change, 0 to disable, 0 unchanged, 1 left alone
        "); }
        assert_eq!(world.branding().await, branding);
        let plan = world.apply(&file(&["[user_pool.branding]\ntheme = \"light\"\n"])).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        ~ user_pool 6560c0ffee00000000000001 Shop: branding changed
          ! left alone (not in the file): settings
        0 to add, 1 to change, 0 to disable, 0 unchanged, 1 left alone
        "); }
        assert_eq!(world.branding().await, Branding { theme: Some(PageTheme::Light), ..Branding::default() });
    }
}
