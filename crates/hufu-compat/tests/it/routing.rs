//! Which pool, application and connection serve a client that names only some of them.

use hufu_testkit::on_both_engines;
use serde_json::json;

use crate::client::{AUTH, Answer, Client, DECRYPT, GRAPHQL, PHONE, SIGNIN, claims};
use crate::world::{
    CAFE, CAFE_APP, CAFE_MINI, EMPTY, FILE, MEMBERS, MINI, Plan, SHOP, SHOP_APP, SHOP_BARE, SHOP_WEB, SPARE,
    TWO, World, file_without, only_the_shop, tables,
};

/// Values that count as missing.
const NOTHING: [&str; 5] = ["", " ", "undefined", "null", " null "];

const REGISTER: &str = r#"mutation { registerByUsername(input: { username: "eve", password: "correct horse battery" }) { username } }"#;

fn application(answer: &Answer) -> String {
    claims(&answer.user().token)["aud"].as_str().unwrap().to_owned()
}

/// Sends a code through the connection with this identifier.
async fn named(client: &Client<'_>, identifier: &str) -> Answer {
    let code = client.world.code(MINI, "bob");
    client.post(AUTH, json!({ "code": code, "extIdpConnidentifier": identifier })).await
}

on_both_engines! {
    async fn absent_empty_undefined_and_null_are_none(database) {
        let world = World::new(database).await;
        world.person("bob");
        for nothing in NOTHING {
            let by_pool = world.nobody().app(nothing).pool(SHOP);
            assert_eq!(
                application(&by_pool.send_code(&world.code(MINI, "bob")).await),
                SHOP_APP,
                "{nothing:?}"
            );
            let by_app = world.nobody().app(SHOP_APP).pool(nothing);
            assert_eq!(
                application(&by_app.send_code(&world.code(MINI, "bob")).await),
                SHOP_APP,
                "{nothing:?}"
            );
            let by_none = world.nobody().app(nothing).pool(nothing);
            world.stores_nothing(by_none.send_code(&world.code(MINI, "bob"))).await.refused(2101);

            let body = json!({ "code": world.code(MINI, "bob"), "extIdpConnidentifier": nothing, "rawData": nothing });
            world.client().post(AUTH, body).await.user();
            world.client().post(AUTH, json!({ "code": nothing })).await.refused(2231);
        }
        world.nobody().send_code("x").await.refused(2101);
        let both = world.nobody().app(SHOP_APP).pool(SHOP);
        assert_eq!(application(&both.send_code(&world.code(MINI, "bob")).await), SHOP_APP);
    }

    async fn a_pool_alone_is_served_by_its_default_application(database) {
        let world = World::new(database).await;
        world.person("bob");
        // In the shop the default application is not the first one. The cafe has no default, and its first
        // application is a website.
        let shop = world.nobody().pool(SHOP);
        assert_eq!(application(&shop.send_code(&world.code(MINI, "bob")).await), SHOP_APP);
        let cafe = world.nobody().pool(CAFE);
        assert_eq!(application(&cafe.send_code(&world.code(CAFE_MINI, "bob")).await), CAFE_APP);
        let message = world.nobody().pool(EMPTY).send_code("x").await.refused(2011);
        assert!(message.contains("no default application"), "{message}");

        // The order is that of the file, not that of creation.
        let mut tables = tables();
        let place = |id: &str| tables.iter().position(|table| table.contains(id)).unwrap();
        let (first, second) = (place(CAFE_APP), place("6560c0ffee00000000000013"));
        tables.swap(first, second);
        world.reconfigure(&tables.join("[[")).await;
        let answer = cafe.send_code(&world.code(CAFE_MINI, "bob")).await;
        assert_eq!(application(&answer), "6560c0ffee00000000000013");
    }

    async fn a_single_pool_serves_who_names_nothing(database) {
        let world = Plan::new().file(only_the_shop()).build(database).await;
        world.person("bob");
        for nothing in NOTHING {
            let nobody = world.nobody().app(nothing).pool(nothing);
            assert_eq!(application(&nobody.send_code(&world.code(MINI, "bob")).await), SHOP_APP, "{nothing:?}");
        }
        // The SDK of mini programs, made with a `userPoolId` alone, names nothing in its GraphQL calls.
        let register = json!({ "query": REGISTER, "variables": {} });
        let registered = world.nobody().post(GRAPHQL, register).await.data();
        assert_eq!(registered["registerByUsername"]["username"], "eve");

        // Its default application is found as for a client that names the pool.
        world.reconfigure(&only_the_shop().replace("default = true", "")).await;
        assert_eq!(application(&world.nobody().send_code(&world.code(MINI, "bob")).await), SHOP_APP);
        let others = only_the_shop().split("[[").filter(|table| !table.contains("Shop mini program"));
        world.reconfigure(&others.collect::<Vec<_>>().join("[[")).await;
        world.nobody().send_code("x").await.refused(2011);

        // A second pool, and nobody can tell any more which one is meant.
        world.reconfigure(FILE).await;
        let message = world.nobody().send_code("x").await.refused(2101);
        assert!(message.contains("appId"), "{message}");
    }

    async fn the_application_decides_and_must_agree_with_the_pool(database) {
        let world = World::new(database).await;
        world.person("bob");
        for (app, pool, code) in [
            ("6560c0ffee00000000000099", "", 2011),
            ("no id at all!", "", 2011),
            ("", "6560c0ffee00000000000099", 2224),
            (SHOP_APP, "6560c0ffee00000000000099", 2224),
            ("6560c0ffee00000000000099", SHOP, 2011),
            (SHOP_APP, CAFE, 2020),
            (CAFE_APP, SHOP, 2020),
            (SHOP_APP, SHOP_APP, 2224),
            (SHOP, "", 2011),
            // The administrators' pool serves no client here.
            ("", "system", 2011),
        ] {
            let client = world.nobody().app(app).pool(pool);
            let body = json!({ "code": world.code(MINI, "bob") });
            world.stores_nothing(client.post(AUTH, body)).await.refused(code);
        }
        assert_eq!(world.exchanges(), 0, "no code is spent on a client that is told to correct itself");
    }

    async fn the_referer_of_a_mini_program_picks_the_connection(database) {
        let world = World::new(database).await;
        world.person("bob");
        let shop = world.nobody().pool(SHOP);
        for app_id in [MINI, TWO] {
            shop.clone().referer(app_id).send_code(&world.code(app_id, "bob")).await.user();
        }
        // Without one, the application's first connection is used, which differs between applications.
        shop.send_code(&world.code(MINI, "bob")).await.user();
        world.nobody().app(SHOP_WEB).send_code(&world.code(TWO, "bob")).await.user();
        // The address of a web page does not count either.
        for referer in [
            "https://shop.example/wx00000000000000a2/",
            "https://servicewechat.com/",
            "http://servicewechat.com/wx00000000000000a2/1/",
            "https://servicewechat.com.evil.example/wx00000000000000a2/1/x",
        ] {
            shop.clone().header("referer", referer).send_code(&world.code(MINI, "bob")).await.user();
        }
        // A connection that is named takes precedence over the Referer.
        let body = json!({ "code": world.code(TWO, "bob"), "extIdpConnidentifier": "shop-two" });
        shop.clone().referer(MINI).post(AUTH, body).await.user();

        let before = world.exchanges();
        for unknown in ["wxffffffffffffffff", SPARE, CAFE_MINI] {
            let answer =
                world.stores_nothing(shop.clone().referer(unknown).send_code(&world.code(MINI, "bob"))).await;
            let message = answer.refused(2406);
            assert!(message.contains(unknown), "{message}");
            assert!(answer.log().contains("code=2406"), "{}", answer.log());
        }
        world.nobody().app(SHOP_WEB).referer(MEMBERS).send_code("x").await.refused(2406);
        assert_eq!(world.exchanges(), before, "no code goes to a mini program that it is not of");
    }

    async fn a_connection_must_exist_be_on_and_be_for_the_application(database) {
        let world = World::new(database).await;
        world.person("bob");
        let shop = world.client();
        let message = world.stores_nothing(named(&shop, "no-such")).await.refused(2402);
        assert!(message.contains("no-such"), "{message}");
        world.stores_nothing(named(&shop, "cafe-mini")).await.refused(2402);
        let message = world.stores_nothing(named(&shop, "../../etc/passwd")).await.refused(2402);
        assert_eq!(message, "There is no such connection: check extIdpConnidentifier.");
        world.stores_nothing(named(&shop, "shop-spare")).await.refused(2404);
        world.stores_nothing(named(&world.nobody().app(SHOP_WEB), "shop-members")).await.refused(2404);
        world.stores_nothing(world.nobody().app(SHOP_BARE).send_code("x")).await.refused(2405);
        world.stores_nothing(world.nobody().app(SHOP_BARE).referer(MINI).send_code("x")).await.refused(2406);

        // The file no longer contains it, so it is disabled.
        world.reconfigure(&file_without("identifier = \"shop-spare\"")).await;
        let answer = world.stores_nothing(named(&shop, "shop-spare")).await;
        answer.refused(2403);
        assert!(answer.log().contains("code=2403"), "{}", answer.log());

        // A disabled application serves no client.
        world.reconfigure(&file_without(SHOP_BARE)).await;
        world.nobody().app(SHOP_BARE).send_code("x").await.refused(2011);
        assert_eq!(world.exchanges(), 0);
    }

    async fn v3_logins_and_helpers_choose_in_the_same_way(database) {
        let world = World::new(database).await;
        world.person("bob");
        let (path, mut body) = crate::client::Mode::Code.request(&world, TWO, "bob");
        body["extIdpConnidentifier"] = "shop-two".into();
        body["client_id"] = SHOP_WEB.into();
        let tokens = world.nobody().post(path, body.clone()).await.tokens();
        assert_eq!(claims(&tokens.access)["client_id"], SHOP_WEB, "server-side SDKs name it in the body");

        for (identifier, code) in [("no-such", 2402), ("cafe-mini", 2402), ("shop-spare", 2404)] {
            body["extIdpConnidentifier"] = identifier.into();
            world.stores_nothing(world.client().post(SIGNIN, body.clone())).await.refused(code);
            let helper =
                json!({ "code": "x", "iv": "x", "encryptedData": "x", "extIdpConnidentifier": identifier });
            for path in [PHONE, DECRYPT] {
                world.stores_nothing(world.client().post(path, helper.clone())).await.refused(code);
                world
                    .stores_nothing(world.nobody().pool(SHOP).post(path, helper.clone()))
                    .await
                    .refused(code);
            }
        }
        world
            .nobody()
            .referer("wxffffffffffffffff")
            .pool(SHOP)
            .post(PHONE, json!({ "code": "x" }))
            .await
            .refused(2406);
        world.nobody().post(PHONE, json!({ "code": "x" })).await.refused(2101);
        let phone = json!({ "code": world.phone_code(TWO, "bob"), "extIdpConnidentifier": "shop-two" });
        let told = world.nobody().pool(SHOP).post(PHONE, phone).await.data();
        assert_eq!(told["phone_info"]["watermark"]["appid"], TWO);
        assert_eq!(told["phoneNumber"], told["phone_info"]["phoneNumber"]);
    }

    async fn a_client_that_names_nothing_is_told_so_only_where_it_must_name_something(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        // After login, pool and user come from the token alone.
        let answer =
            world.nobody().bearer(&user.token).post(GRAPHQL, json!({ "query": "{ user { id } }" })).await;
        assert_eq!(answer.data()["user"]["id"], user.id.as_str());
    }
}
