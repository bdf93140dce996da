//! `/admin/v1`: the same change for many.

use hufu_testkit::administration::{call, create, key, users};
use hufu_testkit::on_both_engines;
use hufu_testkit::world::{CAFE, CAFE_APP, SHOP, SHOP_APP, SHOP_WEB, World};
use hufu_types::AdminRole;
use serde_json::{Value, json};

use crate::shop::at;

on_both_engines! {
    async fn each_is_a_change_of_its_own(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let send = async |path: &str, body: Value| call(&world, Some(&owner), "POST", &at(path), Some(body)).await;
        let get = async |path: String| call(&world, Some(&owner), "GET", &path, None).await;
        let (ann, ben) = (create(&world, &owner, json!({ "username": "ann" })).await, create(&world, &owner, json!({ "username": "ben" })).await);
        let foreign = call(&world, Some(&owner), "POST", &users(CAFE), Some(json!({ "username": "cleo" }))).await.is(201);
        let result = send("/batch/users", json!({ "operation": "disable", "users": [ann, "nobody", foreign["id"], ben] })).await.is(200);
        assert_eq!(result["done"], json!([ann, ben]));
        let failed: Vec<_> = result["failed"].as_array().unwrap().iter().map(|it| (&it["id"], &it["code"])).collect();
        assert_eq!(failed, [(&json!("nobody"), &json!(2443)), (&foreign["id"], &json!(2443))]);
        let status = async |pool: &str, id: &Value| get(format!("{}/{}", users(pool), id.as_str().unwrap())).await.is(200)["status"].clone();
        assert_eq!((status(SHOP, &json!(ann)).await, status(CAFE, &foreign["id"]).await), (json!("Suspended"), json!("Activated")));
        send("/batch/users", json!({ "operation": "enable", "users": [ann] })).await.is(200);
        assert_eq!(status(SHOP, &json!(ann)).await, "Activated");
        let gone = send("/batch/users", json!({ "operation": "delete", "users": [ann, ben, ann] })).await.is(200);
        assert_eq!((&gone["done"], gone["failed"].as_array().unwrap().len()), (&json!([ann, ben]), 1));

        for (list, own, foreign) in [("applications", [SHOP_APP, SHOP_WEB], CAFE_APP), ("connections", ["shop-mini", "shop-two"], "cafe-mini")] {
            let result = send(&format!("/batch/{list}"), json!({ "operation": "disable", list: [own[0], foreign, own[1]] })).await.is(200);
            assert_eq!((&result["done"], &result["failed"][0]["code"]), (&json!(own), &json!(2446)));
            for id in own {
                assert_eq!(get(at(&format!("/{list}/{id}"))).await.is(200)["enabled"], false);
            }
            send(&format!("/batch/{list}"), json!({ "operation": "enable", list: own })).await.is(200);
            assert_eq!(get(at(&format!("/{list}/{}", own[0]))).await.is(200)["enabled"], true);
        }
        for wrong in [
            json!({ "operation": "disable", "users": [] }),
            json!({ "operation": "disable", "users": vec!["x"; 101] }),
            json!({ "operation": "fly", "users": ["x"] }),
            json!({ "users": ["x"] }),
            json!({ "operation": "disable", "users": ["x"], "shoe": 1 }),
        ] {
            send("/batch/users", wrong).await.is(422);
        }
        // Who may disable but not delete is refused as a whole.
        let support = key(&world, AdminRole::Support, None).await;
        let body = json!({ "operation": "delete", "users": ["nobody", "alice"] });
        call(&world, Some(&support), "POST", &at("/batch/users"), Some(body)).await.is(403);
        let body = json!({ "operation": "disable", "users": ["nobody"] });
        call(&world, Some(&support), "POST", &at("/batch/users"), Some(body)).await.is(200);
    }
}
