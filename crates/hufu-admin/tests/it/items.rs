//! `/admin/v1`: the lists in a pool's settings element by element, lists with pages, and what is seen of the instance.

use hufu_testkit::administration::{call, call_if, key};
use hufu_testkit::on_both_engines;
use hufu_testkit::world::{CAFE, EMPTY, SHOP, World};
use hufu_types::AdminRole;
use serde_json::{Value, json};

use crate::shop::{at, fields};

on_both_engines! {
    async fn scopes_agreements_and_custom_fields_are_changed_one_by_one(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let send = async |method: &str, path: &str, body: Option<Value>| call(&world, Some(&owner), method, &at(path), body).await;
        send("GET", "/custom-fields/level", None).await.is(404);
        let field = send("PUT", "/custom-fields/level", Some(json!({ "type": "number", "label": "Level" }))).await.is(200);
        assert_eq!((&field["key"], &field["type"], &field["visible"]), (&json!("level"), &json!("number"), &json!(true)));
        let scope = json!({ "title": { "zh-CN": "会员等级" }, "claims": { "level": "custom.level" } });
        let made = send("PUT", "/scopes/loyalty", Some(scope)).await.is(200);
        assert_eq!((&made["title"]["zh-CN"], &made["claims"]), (&json!("会员等级"), &json!({ "level": "custom.level" })));
        let terms = json!({
            "version": 2, "title": { "zh-CN": "服务条款", "en": "Terms" },
            "url": { "zh-CN": "https://shop.example.com/zh", "en": "https://shop.example.com/en" },
        });
        let agreed = send("PUT", "/agreements/terms", Some(terms.clone())).await.is(200);
        assert_eq!((&agreed["title"], &agreed["url"], &agreed["required"]), (&terms["title"], &terms["url"], &json!(true)));
        let pool = send("GET", "", None).await.is(200);
        assert_eq!(pool["revision"], agreed["revision"]);
        assert_eq!(pool["settings"]["agreements"][0]["title"], terms["title"]);
        for (list, member) in [("scopes", "scopes"), ("agreements", "agreements"), ("custom-fields", "customFields")] {
            let listed = send("GET", &format!("/{list}"), None).await.is(200);
            assert_eq!((listed[member].as_array().unwrap().len(), &listed["revision"]), (1, &pool["revision"]));
        }
        // An element is replaced as a whole, in its place.
        send("PUT", "/agreements/privacy", Some(json!({ "version": 1, "title": "Privacy" }))).await.is(200);
        let short = send("PUT", "/agreements/terms", Some(json!({ "version": 3, "title": "Terms" }))).await.is(200);
        assert_eq!((&short["title"], &short["url"]), (&json!("Terms"), &json!("")));
        let listed = send("GET", "/agreements", None).await.is(200);
        let ids: Vec<_> = listed["agreements"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
        assert_eq!(ids, ["terms", "privacy"]);

        for (path, body, expected) in [
            ("/agreements/terms", json!({ "version": 0, "title": " " }), &["title", "version"][..]),
            ("/agreements/terms", json!({ "version": 1, "title": { "fr": "Conditions" } }), &["title.fr"]),
            ("/agreements/terms", json!({ "version": 1, "title": { "en": "" }, "url": { "en": "javascript:x" } }), &["title.en", "url.en"]),
            ("/agreements/terms", json!({ "version": 1, "title": {} }), &["title"]),
            ("/agreements/terms", json!({ "version": 1, "title": 1 }), &["title"]),
            ("/agreements/terms", json!({ "id": "other", "version": 1, "title": "x" }), &["id"]),
            ("/agreements/terms", json!({ "version": 1, "title": "x", "shoe": 1 }), &["shoe"]),
            ("/agreements/a b", json!({ "version": 1, "title": "x" }), &["id"]),
            ("/scopes/openid", json!({}), &["name"]),
            ("/scopes/loyalty", json!({ "claims": { "level": "custom.nothing" } }), &["claims.level"]),
            ("/custom-fields/size", json!({ "type": "shoe" }), &["settings.scopes.0.claims.level", "type"]),
            ("/custom-fields/size", json!({ "type": "enum" }), &["key"]),
        ] {
            let reply = send("PUT", &path.replace(' ', "%20"), Some(body.clone())).await;
            assert_eq!(fields(reply), expected, "{path} {body}");
        }
        // What something else names stays.
        assert!(!fields(send("DELETE", "/custom-fields/level", None).await).is_empty());
        let tag = format!("\"{}\"", agreed["revision"]);
        let path = at("/agreements/terms");
        let stale = call_if(&world, Some(&owner), "PUT", &path, Some(json!({ "version": 9, "title": "x" })), Some(&tag)).await;
        let stale = stale.is(409);
        assert_eq!((&stale["code"], &stale["present"]["version"]), (&json!(2444), &json!(3)));
        call_if(&world, Some(&owner), "DELETE", &path, None, Some(&tag)).await.is(409);
        for gone in ["/scopes/loyalty", "/custom-fields/level", "/agreements/terms"] {
            send("DELETE", gone, None).await.is(204);
            send("DELETE", gone, None).await.is(404);
            send("GET", gone, None).await.is(404);
        }
        let log = send("GET", "/audit?action=configuration.changed", None).await.is(200).to_string();
        assert!(log.contains("settings.agreements") && !log.contains("Terms"), "{log}");
    }

    async fn a_webhook_is_not_overwritten_unseen(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let new = json!({ "name": "x", "url": "https://example.com/", "events": ["user.created"] });
        let made = call(&world, Some(&owner), "POST", &at("/webhooks"), Some(new)).await.is(201);
        world.secret(made["secret"].as_str().unwrap());
        let path = at(&format!("/webhooks/{}", made["id"].as_str().unwrap()));
        let got = call(&world, Some(&owner), "GET", &path, None).await;
        let tag = got.tag.clone().unwrap();
        assert_eq!((tag.as_str(), &got.body["revision"]), ("\"1\"", &json!(1)));
        let changed = call_if(&world, Some(&owner), "PATCH", &path, Some(json!({ "name": "y" })), Some(&tag)).await.is(200);
        assert_eq!((&changed["revision"], &changed["name"]), (&json!(2), &json!("y")));
        for (method, body) in [("PATCH", Some(json!({ "name": "z" }))), ("DELETE", None)] {
            let stale = call_if(&world, Some(&owner), method, &path, body, Some(&tag)).await.is(409);
            assert_eq!((&stale["code"], &stale["present"]), (&json!(2444), &changed));
        }
        call(&world, Some(&owner), "PATCH", &path, Some(json!({ "name": "z", "revision": 1 }))).await.is(409);
        let again = call(&world, Some(&owner), "PATCH", &path, Some(json!({ "name": "z", "revision": 2 }))).await.is(200);
        assert_eq!(again["revision"], 3);
        call_if(&world, Some(&owner), "PATCH", &path, Some(json!({ "name": "a" })), Some("nonsense")).await.is(422);
        call_if(&world, Some(&owner), "DELETE", &path, None, Some("\"3\"")).await.is(204);
    }

    /// Every list goes on where the page before ended, and nobody is missed.
    async fn lists_have_pages(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let get = async |path: String| call(&world, Some(&owner), "GET", &path, None).await;
        for (base, member, id, count) in [
            (at("/connections"), "connections", "id", 4),
            (at("/applications"), "applications", "id", 3),
            ("/admin/v1/pools".to_owned(), "pools", "id", 4),
        ] {
            let whole = get(base.clone()).await.is(200);
            assert_eq!((whole[member].as_array().unwrap().len(), &whole["next"]), (count, &Value::Null), "{base}");
            let (mut all, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = get(format!("{base}?limit=1{cursor}")).await.is(200);
                all.extend(page[member].as_array().unwrap().iter().map(|it| it[id].clone()));
                assert!(all.len() <= count);
                match page["next"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            let ids: Vec<_> = whole[member].as_array().unwrap().iter().map(|it| it[id].clone()).collect();
            assert_eq!(all, ids);
            for wrong in ["limit=0", "limit=101", "limit=x", "cursor=nonsense", "cursor=WyIiXQ", "shoe=1"] {
                get(format!("{base}?{wrong}")).await.is(422);
            }
        }
        let found = async |query: &str| {
            let found = get(format!("/admin/v1/pools?q={query}")).await.is(200);
            found["pools"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found("HO").await, [SHOP]);
        assert_eq!(found("af").await, [CAFE]);
        assert_eq!(found(EMPTY).await, [EMPTY]);
        assert_eq!(found("6560C0FFEE").await, [SHOP, CAFE, EMPTY]);
        assert!(found("nothing").await.is_empty());
        get(format!("/admin/v1/pools?q={}", "x".repeat(129))).await.is(422);
        let cafe = key(&world, AdminRole::Manager, Some(CAFE)).await;
        let own = call(&world, Some(&cafe), "GET", "/admin/v1/pools?q=shop", None).await.is(200);
        assert_eq!(own["pools"], json!([]));
    }

    async fn limits_signing_keys_and_open_platforms_are_seen(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let limits = call(&world, Some(&owner), "GET", "/admin/v1/limits", None).await.is(200);
        let of = |name: &str| limits["limits"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone();
        assert_eq!((&of("sender_tests")["value"], &of("sender_test_window")["value"]), (&json!("10"), &json!("10m")));
        let keys = call(&world, Some(&owner), "GET", "/admin/v1/signing-keys", None).await.is(200);
        let published: Value = serde_json::from_slice(world.node.app.published_keys().json()).unwrap();
        let mut kids: Vec<_> = published["keys"].as_array().unwrap().iter().map(|it| it["kid"].clone()).collect();
        let mut ids: Vec<_> = keys["signingKeys"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
        kids.sort_by_key(Value::to_string);
        ids.sort_by_key(Value::to_string);
        assert_eq!(ids, kids);
        assert!(keys["signingKeys"].as_array().unwrap().iter().any(|it| it["algorithm"] == "ES256" && it["signs"] == true));
        let platforms = call(&world, Some(&owner), "GET", &at("/open-platforms"), None).await.is(200);
        assert_eq!(platforms["openPlatforms"][0]["name"], "shop");
        assert_eq!(platforms["openPlatforms"][0]["connections"].as_array().unwrap().len(), 4);
        // The instance is nobody's business who has one pool.
        let cafe = key(&world, AdminRole::Owner, Some(CAFE)).await;
        for path in ["/admin/v1/limits", "/admin/v1/signing-keys"] {
            call(&world, Some(&cafe), "GET", path, None).await.is(403);
        }
    }
}
