//! What connections have besides the fields of their type, and what happens when one gets another app.

use hufu_testkit::{on_both_engines, raw};

use super::world::*;

const OTHER_APP: &str = "wxfedcba9876543210";
const FILE: &str = "MP_verify_0123456789abcdef.txt";

/// The example with further lines of its connection.
fn with(lines: &str) -> String {
    example_with("  display_name = \"WeChat\"\n", &format!("  display_name = \"WeChat\"\n{lines}\n"))
}

fn with_file() -> String {
    with(&format!("  verification_file = {{ name = \"{FILE}\", content = \"0123456789abcdef\" }}"))
}

fn website(more: &str) -> String {
    format!(
        "[[user_pool]]\nid = \"other\"\nname = \"Other\"\n[[user_pool.connection]]\nidentifier = \"pc\"\ntype = \"wechat:pc\"\n\
         fields = {{ app_id = \"wx0123456789abcdef\", app_secret = \"s\" }}\n{more}\n"
    )
}

on_both_engines! {
    async fn extras_are_stored_compared_and_taken_back(database) {
        let world = World::new(database).await;
        let extras = "logo = \"https://a.example/logo.png\"\ncallback = [\"https://a.example/done\"]\nreturn_user = true";
        world.apply(&website(extras)).await;
        let stored = world.config().await.connections[0].extras.clone();
        assert_eq!(stored.callback, ["https://a.example/done"]);
        assert!(stored.return_user && stored.logo.is_some() && stored.verification_file.is_none());
        assert!(world.apply(&website(extras)).await.is_empty());
        let plan = world.apply(&website("")).await.to_string();
        assert!(plan.contains("connection pc: logo, callback, return_user changed"), "{plan}");
        assert_eq!(world.config().await.connections[0].extras, hufu_types::ConnectionExtras::default());
    }

    async fn a_verification_file_is_one_connections(database) {
        let world = World::new(database).await;
        world.apply(&with_file()).await;
        let file = format!("verification_file = {{ name = \"{FILE}\", content = \"0123456789abcdef\" }}");
        let taken = world.refused(&website(&file)).await;
        assert!(taken.contains("not in this file has a verification file of this name"), "{taken}");
        // It goes from one pool of a file to another, and back.
        let moved = format!("{}\n{EXAMPLE}", website(&file));
        world.apply(&moved).await;
        world.apply(&format!("{}\n{}", website(""), with_file())).await;
        let holders: Vec<_> = world.config().await.connections.into_iter().filter(|c| c.extras.verification_file.is_some()).map(|c| c.pool.to_string()).collect();
        assert_eq!(holders, [POOL]);
    }

    async fn an_app_of_its_own_is_whole(database) {
        let world = World::new(database).await;
        let launch = |more: &str| {
            pool(&[format!(
                "[[user_pool.connection]]\nidentifier = \"launch\"\ntype = \"wechat:miniprogram:app-launch\"\n\
                 fields = {{ mobile_app_id = \"wx0123456789abcdef\"{more} }}\n"
            )])
        };
        let (app, secret, original) = (", app_id = \"wx0123456789abcde0\"", ", app_secret = \"s\"", ", original_id = \"gh_0123456789ab\"");
        let advice = "missing — app_id, app_secret, original_id go together: write all of them, or none";
        for (half, missing) in [(format!("{app}{secret}"), "original_id"), (format!("{app}{original}"), "app_secret")] {
            let error = world.refused(&launch(&half)).await;
            assert!(error.contains(&format!("hufu.toml:4:1: `fields.{missing}`: {advice}")), "{error}");
        }
        world.apply(&launch(&format!("{app}{secret}{original}"))).await;
        // What is there stays if the file leaves it out, and nothing else does.
        world.apply(&launch(&format!("{app}{original}"))).await;
        let error = world.refused(&launch(&format!("{app}{secret}"))).await;
        assert!(error.contains(&format!("`fields.original_id`: {advice}")), "{error}");
        world.apply(&launch("")).await;
    }

    async fn another_app_has_to_be_confirmed_once_people_came_through_the_first(database) {
        let world = World::with_example(database).await;
        let other = example_with("wx0123456789abcdef", OTHER_APP);
        let realm = world.config().await.connections[0].realms.own.clone().unwrap();
        world.apply(&other).await;
        world.apply(EXAMPLE).await;
        let connection = world.config().await.connections[0].id.to_string();
        let insert = format!("INSERT INTO identities (pool_id, realm, kind, value, user_id, connection_id, created_at) VALUES ('{POOL}', '{realm}', 'openid', 'o1', 'u1', '{connection}', 0)");
        raw::execute(&world.database, &insert).await;
        let refused = world.refused(&other).await;
        assert!(refused.contains("other OpenIDs") && refused.contains("--new-apps"), "{refused}");
        // Another secret, or another name, is nothing of the kind.
        world.apply(&example_with("\"WeChat\"", "\"Weixin\"")).await;
        world.apply(EXAMPLE).await;
        let confirmed = hufu_app::apply::Options { new_apps: true, ..PLAIN };
        let plan = world.apply_with(&other, confirmed).await.to_string();
        assert!(plan.contains("app_id changed") && plan.contains("other OpenIDs"), "{plan}");
    }
}

#[test]
fn what_cannot_be_meant_is_told_with_its_place() {
    for (line, expected) in [
        ("callback = [\"https://a.example/\"]", "does not return to an address"),
        ("return_user = true", "does not return to an address"),
        ("logo = \"ftp://a.example\"", "`logo`: not valid"),
        ("verification_file = { name = \"robots.txt\", content = \"x\" }", "`name`: not valid"),
        ("verification_file = { name = \"MP_verify_0123456789abcdef.txt\" }", "without `content`"),
    ] {
        let text = with(line);
        let errors =
            hufu_app::apply::file::read(&text, "hufu.toml", &environment).expect_err(line).to_string();
        assert!(errors.contains(expected) && errors.contains("hufu.toml:9:"), "{line}: {errors}");
    }
}
