//! What Guard alone calls.

use hufu_testkit::on_both_engines;
use serde_json::{Value, json};

use crate::world::{CAFE_APP, FILE, MINI, SHOP, SHOP_APP, World};

const STATUS: &str = "/api/v2/users/login/check-status";

fn find(key: &str, kind: &str) -> String {
    format!("/api/v2/users/find?userPoolId={SHOP}&key={key}&type={kind}")
}

on_both_engines! {
    async fn whether_somebody_has_a_name_is_told_where_the_pool_tells(database) {
        let world = World::new(database).await;
        let names = [
            ("13912340000", "phone", true),
            ("%2B8613912340000", "phone", true),
            ("13912340009", "phone", false),
            ("alice", "username", true),
            ("nobody", "username", false),
            ("nobody@example.com", "email", false),
        ];
        // A pool that hides it lets Guard go on, and says the same of everybody, at no cost.
        for (key, kind, _) in names {
            let answer = world.stores_nothing(world.client().get(&find(key, kind))).await;
            assert_eq!(answer.json()["data"], true, "{key}");
        }
        let exists = "/api/v2/users/is-user-exists?username=";
        world.client().get(&format!("{exists}alice")).await.refused(1001);

        world.reconfigure(&FILE.replacen("name = \"Shop\"", "name = \"Shop\"\n  [user_pool.settings]\n  tell_existence = true", 1)).await;
        for (key, kind, expected) in names {
            let client = world.client().bearer("stale").header("origin", "https://h5.shop.example");
            let answer = client.get(&find(key, kind)).await;
            assert_eq!(answer.json()["data"], expected, "{key}");
        }
        // Of the application's own pool, whatever the address names.
        assert_eq!(world.cafe().get(&find("alice", "username")).await.json()["data"], true, "hidden there");
        for (name, expected) in [("alice", true), ("nobody", false)] {
            assert_eq!(world.client().get(&format!("{exists}{name}")).await.json()["data"], expected);
        }
        for query in ["key=a", "type=phone", "key=a&type=nonsense", "key=abc&type=phone"] {
            world.client().get(&format!("/api/v2/users/find?{query}")).await.refused(2231);
        }
        world.client().get("/api/v2/users/is-user-exists").await.refused(2231);
        // Fifty questions in five minutes.
        let mut last = world.client().get(&find("alice", "username")).await;
        for _ in 0..60 {
            last = world.client().get(&find("alice", "username")).await;
        }
        last.refused(1002);
    }

    async fn the_status_of_a_login(database) {
        let world = World::new(database).await;
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;
        // No header says which application asks.
        let ask = async |token: &str| world.nobody().post(STATUS, json!({ "token": token })).await.json();
        let told = ask(&bob.token).await;
        assert_eq!((&told["code"], &told["status"]), (&json!(200), &json!(true)), "{told}");
        assert_eq!(told["data"], json!({ "id": bob.id, "userPoolId": SHOP }));
        assert!(told["exp"].as_i64() > told["iat"].as_i64(), "{told}");
        assert_eq!(world.client().bearer(&bob.token).get("/api/v2/logout").await.json()["code"], 200);
        for token in [bob.token.as_str(), "nonsense"] {
            let told = ask(token).await;
            assert_eq!((&told["code"], &told["status"], &told["data"]), (&json!(2020), &json!(false), &Value::Null));
        }
        world.nobody().post(STATUS, json!({})).await.refused(2231);
    }

    async fn a_token_of_another_application_is_its_own(database) {
        let world = World::new(database).await;
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;
        let ask = async |app: &str| world.nobody().app(app).post(STATUS, json!({ "token": bob.token })).await.json();
        assert_eq!(ask(SHOP_APP).await["status"], true);
        assert_eq!(ask(CAFE_APP).await["status"], false);
    }
}
