//! Every management call with the ids of another pool.

use hufu_testkit::on_both_engines;
use serde_json::{Value, json};

use super::{BackEnd, shop};
use crate::world::{CAFE, CAFE_APP, CAFE_MINI, World};

/// The rows of the router.
const SOURCE: &str = include_str!("../../../src/management/mod.rs");

/// Calls that name nothing of a pool.
const NAMELESS: &[&str] = &["get-management-token", "get-webhook-event-list", "get-security-settings"];

pub(super) fn served() -> Vec<(&'static str, bool)> {
    let rows = SOURCE.lines().filter_map(|line| line.trim().strip_prefix("(\""));
    let rows = rows.filter_map(|row| row.split_once("\", "));
    rows.map(|(name, methods)| (name, methods.starts_with("get("))).collect()
}

on_both_engines! {
    async fn the_key_of_one_pool_reaches_nothing_of_another(database) {
        let world = World::new(database).await;
        let cafe = BackEnd::of(&world, CAFE).await;
        let eve = cafe.post("create-user", json!({ "username": "eve", "nickname": "Eve of the cafe" })).await.data();
        let eve = eve["userId"].as_str().unwrap();
        world.person("eve");
        world.cafe().log_in(CAFE_MINI, "eve").await;
        let hook = json!({ "name": "hook", "url": "https://cafe.example.com/hook", "events": [] });
        let hook = cafe.post("create-webhook", hook).await.data();
        let hook = hook["webhookId"].as_str().unwrap();
        let sources = cafe.get("list-ext-idp").await.data();
        let connection = sources["list"][0]["id"].as_str().unwrap();
        let back_end = shop(&world).await;
        let fields = json!({
            "userId": eve, "userIds": [eve], "targetIdentifier": eve, "appId": CAFE_APP, "appIds": [CAFE_APP],
            "id": connection, "extIdpId": connection, "webhookId": hook, "webhookIds": [hook], "name": "x",
            "userIdInIdp": "o-1", "nickname": "mine", "appName": "mine", "enabled": false, "association": true,
            "type": "openid", "displayName": "x", "identifier": "mine", "username": "eve",
            "fields": { "appId": "wx00000000000000c1", "appSecret": "s" },
            "list": [{ "key": "k", "value": "v", "userId": eve, "label": "l", "dataType": "STRING" }],
        });
        assert!(served().len() > 55);
        for (name, is_get) in served() {
            if NAMELESS.contains(&name) {
                continue;
            }
            let mut answers = Vec::new();
            if is_get {
                let ids = [("userId", eve), ("userIds", eve), ("appId", CAFE_APP), ("id", connection),
                    ("webhookId", hook), ("targetIdentifier", eve)];
                let query: Vec<String> = ids.iter().map(|(name, id)| format!("{name}={id}")).collect();
                answers.push(back_end.get(&format!("{name}?{}", query.join("&"))).await);
            } else {
                answers.push(back_end.post(name, fields.clone()).await);
            }
            for answer in answers {
                let text = String::from_utf8_lossy(&answer.bytes);
                for private in ["Eve of the cafe", "cafe.example.com", CAFE] {
                    assert!(!text.contains(private), "{name}: {text}");
                }
            }
        }
        // Nothing of the cafe has changed.
        let after = cafe.get(&format!("get-user?userId={eve}")).await.data();
        assert_eq!((&after["nickname"], &after["status"]), (&Value::from("Eve of the cafe"), &"Activated".into()));
        assert_eq!(cafe.get(&format!("get-webhook?webhookId={hook}")).await.data()["enabled"], true);
        assert_eq!(cafe.get(&format!("get-application?appId={CAFE_APP}")).await.data()["appId"], CAFE_APP);
        let source = cafe.get(&format!("get-ext-idp?id={connection}")).await.data();
        assert_eq!(source["connections"][0]["enabled"], true);
        let apps = cafe.get(&format!("ext-idp-conn-apps?id={connection}")).await.data();
        assert_eq!(apps[0]["enabled"], true);
        let history = cafe.get(&format!("get-user-login-history?userId={eve}")).await.data();
        assert!(history["list"].is_array());
    }
}
