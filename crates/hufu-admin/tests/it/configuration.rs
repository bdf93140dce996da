//! `/admin/v1`: pools with their settings, applications and connections.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hufu_testkit::administration::{Reply, call, call_if, call_with, key};
use hufu_testkit::{TestDatabase, on_both_engines, raw};
use hufu_types::AdminRole;
use serde_json::{Value, json};

use crate::client::{GET_PROFILE, TOKEN};
use crate::shop::{at, fields};
use crate::world::{CAFE, CAFE_APP, FILE, MINI, Node, SHOP, SHOP_APP, SHOP_WEB, World};

fn app(id: &str) -> String {
    at(&format!("/applications/{id}"))
}

/// An owner who configures the shop.
struct Owner<'w> {
    world: &'w World,
    key: String,
}

impl<'w> Owner<'w> {
    async fn of(world: &'w World) -> Self {
        Self { world, key: key(world, AdminRole::Owner, None).await }
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        call(self.world, Some(&self.key), method, path, body).await
    }

    async fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).await.is(200)
    }

    async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call("PATCH", path, Some(body)).await
    }

    async fn patch_if(&self, path: &str, body: Value, tag: &str) -> Reply {
        call_if(self.world, Some(&self.key), "PATCH", path, Some(body), Some(tag)).await
    }

    /// A patch by somebody who reads these languages.
    async fn patch_in(&self, languages: &str, path: &str, body: Value) -> Reply {
        call_with(self.world, Some(&self.key), "PATCH", path, Some(body), &[("accept-language", languages)])
            .await
    }

    /// Creates an application of the shop. Returns its id and the secret that was made for it.
    async fn application(&self, body: Value) -> (String, Option<String>) {
        let made = self.call("POST", &at("/applications"), Some(body)).await.is(201);
        let secret = made["secret"].as_str().map(str::to_owned);
        self.world.secret(secret.as_deref().unwrap_or_default());
        (made["id"].as_str().unwrap().to_owned(), secret)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

/// Whether a client gets a token by its secret.
async fn acts(world: &World, id: &str, secret: &str) -> bool {
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let client = world.nobody().header("authorization", &basic);
    let answer = client.form(TOKEN, &[("grant_type", "client_credentials")]).await;
    assert!([200, 401].contains(&answer.status.as_u16()), "{answer}");
    answer.status == 200
}

/// Everything in the audit log of the shop.
async fn log(owner: &Owner<'_>) -> String {
    owner.get(&at("/audit?limit=200&action=configuration.changed")).await.to_string()
}

/// Whether a bearer token is taken by a node.
async fn opens(world: &World, node: &Node, token: &str) -> bool {
    world.client_of(node).bearer(token).get(GET_PROFILE).await.code() == 200
}

on_both_engines! {
    /// An application from its creation to its end. What a patch does not name stays, and null takes the default.
    async fn an_applications_life(database) {
        let world = World::new(database).await;
        let owner = Owner::of(&world).await;
        let made = owner.call("POST", &at("/applications"), Some(json!({ "name": "Robot", "type": "api" }))).await;
        assert_eq!(made.tag.as_deref(), Some("\"1\""));
        let made = made.is(201);
        let (id, secret) = (text(&made["id"]), text(&made["secret"]));
        world.secret(&secret);
        assert!(acts(&world, &id, &secret).await, "this node serves it at once");
        assert!(!acts(&world, &id, "another secret that is long enough").await);

        let shown = owner.get(&app(&id)).await;
        assert_eq!(shown["revision"], 1);
        assert!(shown.get("secret").is_none() && !shown.to_string().contains(&secret), "{shown}");
        assert_eq!(shown["secrets"].as_array().unwrap().len(), 1);
        assert_eq!((&shown["tokenAuth"], &shown["grants"]), (&Value::Null, &Value::Null), "defaults of the type");
        assert_eq!(shown["tokens"]["userToken"], "14d");
        assert_eq!(shown["login"]["methods"], json!(["password", "phone-code", "email-code"]));

        let change = json!({
            "redirectUris": ["https://shop.example.com/callback"], "description": "Acts at night.",
            "grants": ["client_credentials", "authorization_code"],
            "login": { "methods": ["password"], "keepSignedIn": false }, "branding": { "title": { "en": "Shop" } },
            "tokens": { "accessToken": "5m" }, "signingAlgorithm": "EdDSA",
        });
        let changed = owner.patch(&app(&id), change).await;
        assert_eq!(changed.tag.as_deref(), Some("\"2\""));
        let changed = changed.is(200);
        assert_eq!(changed["redirectUris"], json!(["https://shop.example.com/callback"]));
        assert_eq!((&changed["login"]["methods"], &changed["login"]["registration"]),
            (&json!(["password"]), &shown["login"]["registration"]), "the rest of an inner object stays");
        assert!(changed.get("secret").is_none());
        let title = owner.patch(&app(&id), json!({ "branding": { "title": { "ja": "店" }, "theme": "dark" } })).await.is(200);
        assert_eq!(title["branding"]["title"], json!({ "en": "Shop", "ja": "店" }));
        let reset = json!({ "description": null, "login": null, "branding": { "title": { "en": null } }, "grants": null });
        let reset = owner.patch(&app(&id), reset).await.is(200);
        assert_eq!(reset["description"], Value::Null);
        assert_eq!((&reset["login"], &reset["grants"]), (&shown["login"], &shown["grants"]));
        assert_eq!(reset["branding"]["title"], json!({ "ja": "店" }));
        assert_eq!(reset["tokens"]["accessToken"], "5m", "what is not named stays");
        assert!(acts(&world, &id, &secret).await);

        // Nothing to change is no change, and the whole object can be sent back.
        let again = owner.patch(&app(&id), reset.clone()).await.is(200);
        assert_eq!(again, reset);
        let off = owner.patch(&app(&id), json!({ "enabled": false })).await.is(200);
        assert_eq!(off["enabled"], false);
        assert!(!acts(&world, &id, &secret).await);
        owner.patch(&app(&id), json!({ "enabled": true })).await.is(200);
        assert!(acts(&world, &id, &secret).await);

        owner.call("DELETE", &app(&id), None).await.is(204);
        assert!(!acts(&world, &id, &secret).await);
        for (method, body) in [("GET", None), ("PATCH", Some(json!({ "name": "x" }))), ("DELETE", None)] {
            assert_eq!(owner.call(method, &app(&id), body).await.is(404)["code"], 2446, "{method}");
        }
        let log = log(&owner).await;
        for part in ["created", "redirect_uris", "removed", &format!("\"id\":\"{id}\"")] {
            assert!(log.contains(part), "{part}: {log}");
        }
        assert!(!log.contains("shop.example.com"), "the log has names and no values: {log}");
    }

    /// A page after the other, in the order of the file, then of creation.
    async fn applications_are_listed(database) {
        let world = World::new(database).await;
        let owner = Owner::of(&world).await;
        let (last, _) = owner.application(json!({ "name": "Last", "type": "spa" })).await;
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = owner.get(&at(&format!("/applications?limit=2{cursor}"))).await;
            let applications = page["applications"].as_array().unwrap();
            assert!(applications.len() <= 2);
            names.extend(applications.iter().map(|found| text(&found["name"])));
            if let [website, _] = applications.as_slice()
                && website["id"] == SHOP_WEB
            {
                assert_eq!(website["connections"], json!(["shop-two", "shop-mini"]), "by identifier, in order");
            }
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(names, ["Shop website", "Shop mini program", "Shop counter", "Last"]);
        owner.call("GET", &at("/applications?limit=0"), None).await.is(422);
        owner.call("GET", &at("/applications?cursor=x"), None).await.is(422);
        owner.call("DELETE", &app(&last), None).await.is(204);
    }

    /// A secret is replaced without downtime, and the old one can be ended at once. No secret is shown twice.
    async fn secrets_are_replaced(database) {
        let world = World::new(database).await;
        let owner = Owner::of(&world).await;
        let (id, first) = owner.application(json!({ "name": "Robot", "type": "api" })).await;
        let first = first.unwrap();
        let secrets = format!("{}/secrets", app(&id));
        let rotate = async || {
            let made = owner.call("POST", &secrets, None).await.is(201);
            let secret = text(&made["secret"]);
            world.secret(&secret);
            (secret, made)
        };
        let only = owner.get(&app(&id)).await["secrets"][0].clone();
        assert_eq!(owner.call("DELETE", &format!("{secrets}/{}", text(&only["id"])), None).await.is(409)["code"], 2457);
        let (second, made) = rotate().await;
        assert_eq!(made["secrets"][1], only, "the newest first");
        assert!(acts(&world, &id, &first).await && acts(&world, &id, &second).await);
        let (third, made) = rotate().await;
        let valid = [acts(&world, &id, &first).await, acts(&world, &id, &second).await, acts(&world, &id, &third).await];
        assert_eq!(valid, [false, true, true]);
        let old = format!("{secrets}/{}", text(&made["secrets"][1]["id"]));
        call_if(&world, Some(&owner.key), "DELETE", &old, None, Some("\"1\"")).await.is(409);
        owner.call("DELETE", &old, None).await.is(204);
        assert!(!acts(&world, &id, &second).await && acts(&world, &id, &third).await);
        assert_eq!(owner.call("DELETE", &old, None).await.is(404)["code"], 2446);

        // One of the operator's own, as in a file. The one before stays valid here, too.
        let own = "a secret of the operator's own".replace(' ', "-") + "-choice";
        world.secret(&own);
        assert_eq!(fields(owner.patch(&app(&id), json!({ "secret": "short" })).await), ["secret"]);
        let changed = owner.patch(&app(&id), json!({ "secret": own })).await.is(200);
        assert!(changed.get("secret").is_none());
        assert!(acts(&world, &id, &own).await && acts(&world, &id, &third).await);
        // A client that signs has none; one that goes back to secrets gets a new one.
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] });
        let signs = json!({ "tokenAuth": "private_key_jwt", "jwks": keys });
        let signs = owner.patch(&app(&id), signs).await.is(200);
        assert_eq!((&signs["secrets"], &signs["jwks"]), (&json!([]), &keys));
        assert_eq!(fields(owner.call("POST", &secrets, None).await), ["tokenAuth"]);
        assert!(!acts(&world, &id, &own).await);
        let back = owner.patch(&app(&id), json!({ "tokenAuth": null, "jwks": null })).await.is(200);
        let made = text(&back["secret"]);
        world.secret(&made);
        assert!(acts(&world, &id, &made).await && !acts(&world, &id, &third).await);

        let (public, none) = owner.application(json!({ "name": "Page", "type": "spa" })).await;
        assert_eq!(none, None);
        assert_eq!(fields(owner.call("POST", &format!("{}/secrets", app(&public)), None).await), ["tokenAuth"]);
        let log = log(&owner).await;
        for secret in [&first, &second, &third, &own, &made] {
            assert!(!log.contains(secret.as_str()));
        }
        owner.call("DELETE", &format!("{secrets}/nobody"), None).await.is(404);
    }

    /// Deleting an application ends everything that hangs on it, and nothing of it comes back with the same id.
    async fn a_deleted_application_leaves_nothing(database) {
        let world = World::new(database).await;
        let owner = Owner::of(&world).await;
        let other = world.another_node().await;
        world.person("bob");
        let shop = world.client().log_in_v3(MINI, "bob").await;
        let web = world.client().app(SHOP_WEB).log_in_v3(MINI, "bob").await;
        assert!(opens(&world, &world.node, &shop.access).await && opens(&world, &other, &shop.access).await);
        let shown = owner.get(&app(SHOP_APP)).await;
        owner.call("DELETE", &app(SHOP_APP), None).await.is(204);
        assert!(!opens(&world, &world.node, &shop.access).await, "at once");
        other.app.refresh_config().await.unwrap();
        assert!(!opens(&world, &other, &shop.access).await, "with the next poll");
        assert!(world.client().refresh(&shop.refresh).await.status != 200);
        let website = world.client().app(SHOP_WEB);
        assert_eq!(website.clone().bearer(&web.access).get(GET_PROFILE).await.code(), 200, "others go on");
        for (table, count) in rows_of(&world, SHOP_APP).await {
            assert_eq!(count, 0, "{table}");
        }
        let again = json!({ "id": SHOP_APP, "name": "Shop", "type": "mini-program", "connections": shown["connections"] });
        owner.application(again).await;
        assert!(!opens(&world, &world.node, &shop.access).await);
        assert!(world.client().refresh(&shop.refresh).await.status != 200);
        assert!(!world.client().log_in(MINI, "bob").await.token.is_empty());
    }

    /// An optional secret is removed by `null`, and by an empty text in a file; what a table has inside, too.
    async fn an_optional_secret_can_be_removed(database) {
        let world = World::new(database).await;
        let owner = Owner::of(&world).await;
        let (account, aes_key) = ("wx00000000000000d1", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG");
        world.secret(aes_key);
        let new = json!({ "identifier": "shop-oa", "type": "wechatmp-qrcode", "openPlatform": "shop", "fields": {
            "appId": account, "appSecret": "the-secret-of-it", "originalId": "gh_5h0p", "token": "aToken", "aesKey": aes_key,
            "relay": { "url": "https://own.example.com/", "token": "another", "aesKey": aes_key },
        } });
        owner.call("POST", &at("/connections"), Some(new)).await.is(201);
        let path = at("/connections/shop-oa");
        let keys = |shown: &Value| [shown["secrets"]["aesKey"].clone(), shown["secrets"]["relay.aesKey"].clone()];
        let shown = owner.get(&path).await;
        assert_eq!(keys(&shown), [json!(true), json!(true)], "{shown}");

        // The key is needed as long as messages are encrypted, and stays where it is left out.
        assert_eq!(fields(owner.patch(&path, json!({ "fields": { "aesKey": null } })).await), ["fields.aesKey"]);
        let plain = owner.patch(&path, json!({ "fields": { "encryption": "plain" } })).await.is(200);
        assert_eq!(keys(&plain), [json!(true), json!(true)]);
        let own = owner.patch(&path, json!({ "fields": { "aesKey": null, "encryption": "plain" } })).await.is(200);
        assert_eq!(keys(&own), [json!(false), json!(true)]);
        assert_eq!(fields(owner.patch(&path, json!({ "fields": { "encryption": "safe" } })).await), ["fields.aesKey"]);
        let relay = owner.patch(&path, json!({ "fields": { "relay": { "aesKey": null } } })).await.is(200);
        assert_eq!((keys(&relay), &relay["secrets"]["relay.token"]), ([json!(false), json!(false)], &json!(true)));
        assert_eq!(fields(owner.patch(&path, json!({ "fields": { "token": null } })).await), ["fields.token"]);
        assert_eq!(owner.get(&path).await, relay);

        let with = owner.patch(&path, json!({ "fields": { "aesKey": aes_key, "relay": { "aesKey": aes_key } } })).await.is(200);
        assert_eq!(keys(&with), [json!(true), json!(true)]);
        let file = |own: &str, relay: &str| {
            let added = format!(
                "
  [[user_pool.connection]]
  identifier = \"shop-oa\"
  type = \"wechatmp-qrcode\"
  open_platform = \"shop\"
  fields = {{ app_id = \"{account}\", app_secret = \"the-secret-of-it\", original_id = \"gh_5h0p\", token = \"aToken\", encryption = \"plain\"{own}, relay = {{ url = \"https://own.example.com/\", token = \"another\"{relay} }} }}
  [[user_pool.user]]
  username = \"alice\""
            );
            FILE.replacen("\n  [[user_pool.user]]\n  username = \"alice\"", &added, 1)
        };
        world.reconfigure(&file("", "")).await;
        assert_eq!(keys(&owner.get(&path).await), [json!(true), json!(true)]);
        world.reconfigure(&file("", ", aes_key = \"\"")).await;
        assert_eq!(keys(&owner.get(&path).await), [json!(true), json!(false)]);
        let said = world.reconfigure(&file(", aes_key = \"\"", "")).await;
        assert!(said.contains("aes_key"), "{said}");
        let shown = owner.get(&path).await;
        assert_eq!(keys(&shown), [json!(false), json!(false)]);
        world.reconfigure(&file(", aes_key = \"\"", ", aes_key = \"\"")).await;
        assert_eq!(owner.get(&path).await["revision"], shown["revision"], "there is nothing to remove any more");
    }

    /// A connection: its secret is written and never shown, and stays if a patch leaves it out.
    async fn a_connections_life(database) {
        let world = World::new(database).await;
        let owner = Owner::of(&world).await;
        let path = at("/connections/shop-mini");
        let shown = owner.get(&path).await;
        assert_eq!((&shown["fields"], &shown["secrets"]), (&json!({ "appId": MINI }), &json!({ "appSecret": true })));
        assert_eq!(owner.get(&at(&format!("/connections/{}", text(&shown["id"])))).await, shown, "by its id too");
        assert_eq!(owner.get(&at("/connections")).await["connections"].as_array().unwrap().len(), 4);
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;

        let renamed = owner.patch(&path, json!({ "displayName": "WeChat", "loginOnly": true })).await.is(200);
        assert_eq!((&renamed["displayName"], &renamed["secrets"]["appSecret"]), (&"WeChat".into(), &true.into()));
        assert_eq!(world.client().log_in(MINI, "bob").await.id, bob.id, "the secret is the same");
        let wrong = "another-secret-than-wechat-knows";
        world.secret(wrong);
        let changed = owner.patch(&path, json!({ "fields": { "appSecret": wrong } })).await.is(200);
        assert!(!changed.to_string().contains(wrong));
        assert_ne!(world.client().send_code(&world.code(MINI, "bob")).await.code(), 200);
        let right = format!("secret-of-{MINI}");
        owner.patch(&path, json!({ "fields": { "appSecret": right } })).await.is(200);
        assert_eq!(world.client().log_in(MINI, "bob").await.id, bob.id);
        // Another app knows people by other ids, so that is confirmed once somebody came through the first.
        let mut another = json!({ "fields": { "appId": "wx00000000000000c9" } });
        assert_eq!(fields(owner.patch(&path, another.clone()).await), ["fields.appId"]);
        another["confirm"] = true.into();
        owner.patch(&path, another).await.is(200);
        owner.patch(&path, json!({ "fields": { "appId": MINI } })).await.is(200);
        assert_eq!(world.client().log_in(MINI, "bob").await.id, bob.id);
        // What a mode does not use takes its default when the mode changes.
        let by_field = owner.patch(&path, json!({ "association": { "mode": "field" } })).await.is(200);
        assert_eq!(by_field["association"]["fields"], json!(["phone"]));
        let none = owner.patch(&path, json!({ "association": { "mode": "none" } })).await.is(200);
        assert_eq!(none["association"], json!({ "mode": "none", "conflict": "keep" }));

        for (patch, expected) in [
            (json!({ "identifier": "other" }), &["identifier"][..]),
            (json!({ "type": "wechat:mobile" }), &["type"]),
            (json!({ "type": "wechat:none" }), &["type"]),
            (json!({ "fields": { "appId": "wx1", "appSecret": null, "shoe": 1 } }), &["fields.appId", "fields.appSecret", "fields.shoe"]),
            (json!({ "fields": { "appSecret": "a b" } }), &["fields.appSecret"]),
            (json!({ "fields": { "app_secret": "x" } }), &["fields.app_secret"]),
            (json!({ "secrets": { "appSecret": false } }), &["secrets"]),
            (json!({ "association": { "mode": "field", "fields": ["email"] } }), &["association.fields.0"]),
            (json!({ "association": { "methods": ["phone-code"] } }), &["association.methods"]),
            (json!({ "openPlatform": "a b", "displayName": " ", "loginOnly": "yes" }), &["displayName", "loginOnly", "openPlatform"]),
        ] {
            assert_eq!(fields(owner.patch(&path, patch.clone()).await), expected, "{patch}");
        }
        let new = json!({ "identifier": "shop-mini", "type": "wechat:mobile", "fields": { "appId": MINI, "appSecret": right } });
        let taken = owner.call("POST", &at("/connections"), Some(new)).await.is(409);
        assert_eq!(taken["code"], 2445);
        let nothing = owner.call("POST", &at("/connections"), Some(json!({}))).await;
        assert_eq!(fields(nothing), ["identifier", "type"]);

        // Deleting it ends what began through it. Whoever comes back by another connection of the app is the same.
        let before = owner.get(&app(SHOP_APP)).await;
        let token = world.client().log_in(MINI, "bob").await.token;
        assert!(opens(&world, &world.node, &token).await);
        owner.call("DELETE", &path, None).await.is(204);
        assert!(!opens(&world, &world.node, &token).await);
        owner.call("GET", &path, None).await.is(404);
        let after = owner.get(&app(SHOP_APP)).await;
        assert_eq!(after["connections"], json!(["shop-two", "shop-members"]));
        assert!(after["revision"].as_i64() > before["revision"].as_i64(), "its applications changed with it");
        assert_ne!(world.client().send_code(&world.code(MINI, "bob")).await.code(), 200);
        let new = json!({
            "identifier": "shop-again", "type": "wechat:miniprogram:default", "openPlatform": "shop",
            "fields": { "appId": MINI, "appSecret": right },
        });
        let made = owner.call("POST", &at("/connections"), Some(new)).await.is(201);
        assert_eq!((&made["displayName"], &made["enabled"]), (&"shop-again".into(), &true.into()));
        owner.patch(&app(SHOP_APP), json!({ "connections": ["shop-again"] })).await.is(200);
        assert_eq!(world.client().log_in(MINI, "bob").await.id, bob.id);
        assert!(!log(&owner).await.contains(&right));
    }

    /// A pool is made, and its settings change one by one.
    async fn what_a_connection_has_besides_its_fields(database) {
        let world = World::new(database).await;
        let owner = Owner::of(&world).await;
        let path = at("/connections/shop-mini");
        let shown = owner.get(&path).await;
        assert_eq!((&shown["logo"], &shown["verificationFile"], &shown["callback"], &shown["returnUser"]), (&Value::Null, &Value::Null, &json!([]), &json!(false)));
        let file = json!({ "name": "MP_verify_0123456789abcdef.txt", "content": "0123456789abcdef" });
        let patch = json!({ "logo": "https://shop.example.com/logo.png", "verificationFile": file });
        let changed = owner.patch(&path, patch.clone()).await.is(200);
        assert_eq!((&changed["logo"], &changed["verificationFile"]), (&patch["logo"], &file));
        let taken = owner.patch(&at("/connections/shop-two"), json!({ "verificationFile": file })).await.is(409);
        assert_eq!(taken["code"], 2445);
        for (patch, expected) in [
            (json!({ "callback": ["https://shop.example.com/"], "returnUser": true }), &["callback", "returnUser"][..]),
            (json!({ "logo": "javascript:alert(1)" }), &["logo"]),
            (json!({ "verificationFile": { "name": "robots.txt" } }), &["verificationFile.name"]),
            (json!({ "verificationFile": { "content": "a b" } }), &["verificationFile.content"]),
        ] {
            assert_eq!(fields(owner.patch(&path, patch.clone()).await), expected, "{patch}");
        }
        let none = owner.patch(&path, json!({ "verificationFile": null })).await.is(200);
        assert_eq!((&none["verificationFile"], &none["logo"]), (&Value::Null, &patch["logo"]));
        owner.patch(&at("/connections/shop-two"), json!({ "verificationFile": file })).await.is(200);

        let fields_of = |scope: &str| json!({ "appId": "wx00000000000000d1", "appSecret": "s3cret-of-the-account", "scope": scope });
        let new = |scope: &str| json!({ "identifier": "h5", "type": "wechat:webpage-authorization", "fields": fields_of(scope), "callback": ["https://shop.example.com/done"], "returnUser": true });
        world.secret("s3cret-of-the-account");
        assert_eq!(fields(owner.call("POST", &at("/connections"), Some(new("snsapi_login"))).await), ["fields.scope"]);
        let made = owner.call("POST", &at("/connections"), Some(new("snsapi_base"))).await.is(201);
        assert_eq!((&made["fields"]["scope"], &made["returnUser"]), (&"snsapi_base".into(), &true.into()));
        // What is taken back has its default again.
        let usual = owner.patch(&at("/connections/h5"), json!({ "fields": { "scope": null } })).await.is(200);
        assert_eq!(usual["fields"]["scope"], "snsapi_userinfo");
    }

    async fn a_pool_and_its_settings(database) {
        let world = World::new(database).await;
        let owner = Owner::of(&world).await;
        let shown = owner.get(&at("")).await;
        assert_eq!((&shown["name"], &shown["id"], &shown["settings"]["password"]["minLength"]),
            (&"Shop".into(), &SHOP.into(), &8.into()));
        let change = json!({ "settings": {
            "password": { "minLength": 10 }, "session": { "idle": "7d" }, "requiredFields": ["custom.size"],
            "customFields": [{ "key": "size", "type": "enum", "options": ["s", "m"] }],
        } });
        let changed = owner.patch(&at(""), change).await.is(200);
        assert_eq!((&changed["settings"]["password"]["minLength"], &changed["settings"]["session"]),
            (&10.into(), &json!({ "idle": "7d", "life": "90d" })));
        assert_eq!(changed["settings"]["customFields"][0]["editable"], true);
        assert_eq!(world.node.app.config().settings(&hufu_types::PoolId::parse(SHOP).unwrap()).password.min_length, 10);
        for (settings, expected) in [
            (json!({ "password": { "minLength": 12, "maxLength": 10 } }), &["settings.password.maxLength"][..]),
            (json!({ "auditDays": 0, "session": { "idle": "1s", "life": 3 }, "agreements": [{ "id": "a", "version": 1, "title": "" }] }),
                &["settings.agreements.0.title", "settings.auditDays", "settings.session.idle", "settings.session.life"]),
            (json!({ "auditDays": -1 }), &["settings.auditDays"]),
            (json!({ "audit_days": 5 }), &["settings.audit_days"]),
            (json!({ "factors": ["totp"], "password": { "level": "huge" } }), &["settings.factors", "settings.password.level"]),
            (json!({ "customFields": [{ "key": "x", "type": "string", "shoe": 1 }] }), &["settings.customFields.0.shoe", "settings.requiredFields.0"]),
            (json!({ "customFields": [{ "type": "string" }] }), &["settings.customFields", "settings.requiredFields.0"]),
        ] {
            assert_eq!(fields(owner.patch(&at(""), json!({ "settings": settings })).await), expected, "{settings}");
        }
        assert_eq!(fields(owner.patch(&at(""), json!({ "name": null, "users": [] })).await), ["name", "users"]);

        // How its pages look is one of its settings.
        let branding = json!({ "title": { "zh-CN": "小店" }, "primaryColor": "#1a7f5a", "theme": "dark", "logo": "", "background": "" });
        let branded = owner.patch(&at(""), json!({ "settings": { "branding": branding } })).await.is(200);
        let branding = &branded["settings"]["branding"];
        assert_eq!((&branding["title"], &branding["primaryColor"], &branding["logo"]),
            (&json!({ "zh-CN": "小店" }), &"#1a7f5a".into(), &Value::Null));
        let wrong = json!({ "css": "x", "background": "#fff", "theme": "blue", "title": { "fr": "x" }, "language": "en-GB" });
        let reply = owner.patch(&at(""), json!({ "settings": { "branding": wrong } })).await;
        for name in ["css", "background"] {
            let path = format!("settings.branding.{name}");
            let problem = reply.body["problems"].as_array().unwrap().iter().find(|problem| problem["field"] == path);
            assert_eq!(problem.unwrap()["reason"], "not available yet — take it out", "{path}");
        }
        assert_eq!(fields(reply), ["background", "css", "language", "theme", "title.fr"].map(|key| format!("settings.branding.{key}")));
        let gone = owner.patch(&at(""), json!({ "settings": { "branding": null } })).await.is(200);
        assert_eq!(gone["settings"]["branding"]["primaryColor"], Value::Null);

        let pools = "/admin/v1/pools";
        let made = owner.call("POST", pools, Some(json!({ "name": "Bakery", "settings": { "registration": false } }))).await.is(201);
        let path = format!("{pools}/{}", text(&made["id"]));
        assert_eq!(owner.get(&path).await, made);
        assert_eq!(made["settings"]["registration"], false);
        owner.call("POST", &format!("{path}/applications"), Some(json!({ "name": "A", "type": "web" }))).await.is(201);
        for id in [SHOP, "system"] {
            let taken = owner.call("POST", pools, Some(json!({ "id": id, "name": "X" }))).await.is(409);
            assert_eq!(taken["code"], 2445, "{id}");
        }
        assert_eq!(fields(owner.call("POST", pools, Some(json!({ "id": "a b", "name": "X" }))).await), ["id"]);
        let of_cafe = key(&world, AdminRole::Owner, Some(CAFE)).await;
        call(&world, Some(&of_cafe), "POST", pools, Some(json!({ "name": "X" }))).await.is(403);
        for (method, body) in [("GET", None), ("PATCH", Some(json!({})))] {
            owner.call(method, "/admin/v1/pools/system", body).await.is(404);
        }
    }

    /// Everything that is wrong is reported at once, by the names of this API. Nothing is written.
    async fn problems_come_all_at_once(database) {
        let world = World::new(database).await;
        let owner = Owner::of(&world).await;
        let before = owner.get(&app(SHOP_WEB)).await;
        for (patch, expected) in [
            (json!({ "redirectUris": ["https://a.example/cb", "https://*.example/", 5] }), &["redirectUris.2"][..]),
            (json!({ "redirectUris": ["https://a.example/cb", "https://*.example/"], "logo": "ftp://x", "shoe": 1 }),
                &["shoe", "redirectUris.1", "logo"]),
            (json!({ "redirect_uris": [] }), &["redirect_uris"]),
            (json!({ "RedirectUris": [] }), &["RedirectUris"]),
            (json!({ "policyUri": "javascript:alert(1)", "contacts": [""] }), &["contacts.0", "policyUri"]),
            (json!({ "type": "shoe", "tokenAuth": "basic", "grants": ["implicit", "magic"] }), &["grants.1", "tokenAuth", "type"]),
            (json!({ "type": null, "name": "" }), &["name", "type"]),
            (json!({ "type": "api" }), &["connections.0", "connections.1"]),
            (json!({ "connections": ["shop-mini", "shop-mini", "cafe-mini"] }), &["connections.1", "connections.2"]),
            (json!({ "tokenAuth": "none", "grants": ["client_credentials"] }), &["grants"]),
            (json!({ "tokenAuth": "private_key_jwt" }), &["tokenAuth"]),
            (json!({ "tokens": { "session": "1h", "accessToken": "1s", "idToken": "1h" } }),
                &["tokens.idToken", "tokens.accessToken", "tokens.session"]),
            (json!({ "login": { "methods": ["password"], "defaultMethod": "phone-code", "agreements": ["terms"], "merged": 1 } }),
                &["login.merged", "login.defaultMethod", "login.agreements.0"]),
            (json!({ "login": { "mfa": "required" } }), &["login.mfa"]),
            (json!({ "login": [] }), &["login"]),
            (json!({ "branding": { "css": "x", "background": "", "primaryColor": "red", "title": { "fr": "x" } } }),
                &["branding.css", "branding.title.fr", "branding.primaryColor"]),
            (json!({ "host": "login.example.com" }), &["host"]),
            (json!({ "jwks": { "keys": [{ "kty": "oct" }] }, "jwksUri": "https://a.example/keys" }), &["jwks"]),
            (json!({ "id": "other", "secrets": [], "revision": "x" }), &["id", "revision", "secrets"]),
        ] {
            let reply = owner.patch(&app(SHOP_WEB), patch.clone()).await;
            for problem in reply.body["problems"].as_array().unwrap() {
                assert!(text(&problem["reason"]).contains(" — "), "{problem}");
            }
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(fields(reply), expected, "{patch}");
        }
        // The same in Chinese, for whoever asks for it.
        let wrong = json!({ "redirectUris": ["http://a.example/"], "login": { "methods": ["password"], "defaultMethod": "phone-code" }, "nmae": 1 });
        let chinese = owner.patch_in("zh-CN,zh;q=0.9", &app(SHOP_WEB), wrong.clone()).await.is(422);
        let reasons: Vec<_> = chinese["problems"].as_array().unwrap().iter().map(|problem| text(&problem["reason"])).collect();
        assert_eq!(reasons, [
            "没有这个成员：是否想写 `name`？",
            "无效：请使用 https；http 只能用于本机（127.0.0.1、[::1]、localhost）",
            "登录方式中没有 `phone-code`：请填写 password 之一，或将其加入 `methods`",
        ]);
        for other in ["en", "fr", "ja"] {
            let english = owner.patch_in(other, &app(SHOP_WEB), wrong.clone()).await.is(422);
            assert!(english["problems"].to_string().contains("did you mean `name`?"), "{other}: {english}");
        }
        for allowed in [json!({ "login": { "mfa": "off", "access": "everybody" }, "host": "" }), json!({ "branding": { "logo": "" } })] {
            assert_eq!(owner.patch(&app(SHOP_WEB), allowed).await.is(200)["revision"], before["revision"]);
        }
        assert_eq!(owner.get(&app(SHOP_WEB)).await, before);
        let auto = owner.patch(&app(SHOP_WEB), json!({ "branding": { "language": "auto" } })).await.is(200);
        assert_eq!(auto["branding"]["language"], "auto", "it is kept: the pool may have another one");
        let told = owner.patch(&app(SHOP_WEB), json!({ "redirectUri": "https://a.example/", "jwksUri": "https://a.example/k", "jwks": {} })).await.is(422);
        let reasons = told["problems"].to_string();
        assert!(reasons.contains("did you mean `redirectUris`?") && reasons.contains("`jwksUri`"), "{reasons}");
        for body in [json!([]), json!("x")] {
            assert_eq!(owner.patch(&app(SHOP_WEB), body).await.is(422)["code"], 2231);
        }
        // However much is wrong, the answer is short.
        let many: serde_json::Map<_, _> = (0..5000).map(|n| (format!("m{n}"), json!(1))).collect();
        assert_eq!(fields(owner.patch(&app(SHOP_WEB), many.into()).await).len(), 64);
    }

    /// Who has seen an older revision changes nothing, and is shown what is there. `hufu apply` counts too.
    async fn revisions(database) {
        let world = World::new(database).await;
        let owner = Owner::of(&world).await;
        let path = app(SHOP_WEB);
        let seen = owner.get(&path).await;
        let tag = format!("\"{}\"", seen["revision"]);
        world.apply(&FILE.replace("\"Shop website\"", "\"Shop\"")).await;
        let refused = owner.patch_if(&path, json!({ "name": "Mine" }), &tag).await.is(409);
        assert_eq!((&refused["code"], &refused["present"]["name"]), (&2444.into(), &"Shop".into()));
        assert_eq!(refused["present"], owner.get(&path).await);
        let mut whole = seen.clone();
        whole["name"] = "Mine".into();
        owner.patch(&path, whole).await.is(409);
        call_if(&world, Some(&owner.key), "DELETE", &path, None, Some(&tag)).await.is(409);
        let mut now = refused["present"].clone();
        now["name"] = "Mine".into();
        let changed = owner.patch(&path, now).await.is(200);
        assert_eq!((&changed["name"], changed["revision"].as_i64()), (&"Mine".into(), seen["revision"].as_i64().map(|n| n + 2)));
        // Without a revision, it is merged into what is there.
        owner.patch(&path, json!({ "description": "A shop" })).await.is(200);
        owner.patch_if(&path, json!({ "description": "A store" }), "*").await.is(200);
        assert_eq!(owner.get(&path).await["name"], "Mine");
        for wrong in ["5", "W/\"5\"", "\"x\"", "\"1\", \"2\""] {
            owner.patch_if(&path, json!({ "name": "x" }), wrong).await.is(422);
        }
        let tag = format!("\"{}\"", owner.get(&path).await["revision"]);
        assert_eq!(fields(owner.patch_if(&path, json!({ "revision": 1 }), &tag).await), ["revision"]);

        let pool = owner.get(&at("")).await;
        let names: Vec<String> = (0..8).map(|n| format!("Shop {n}")).collect();
        let tag = format!("\"{}\"", pool["revision"]);
        let path = at("");
        let tries = names.iter().map(|name| owner.patch_if(&path, json!({ "name": name }), &tag));
        let statuses: Vec<u16> = futures::future::join_all(tries).await.iter().map(|reply| reply.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{statuses:?}");
        let connection = at("/connections/shop-mini");
        let reply = owner.patch_if(&connection, json!({ "displayName": "x" }), "\"9\"").await.is(409);
        assert_eq!(reply["present"], owner.get(&connection).await);
    }

    /// What is made here is what the same file makes.
    async fn apply_sees_no_difference(database) {
        let world = World::new(database).await;
        let owner = Owner::of(&world).await;
        let pools = "/admin/v1/pools";
        let secret = "c11e27c11e27c11e27c11e27c11e27c11e27";
        world.secret(secret);
        owner.call("POST", pools, Some(json!({
            "id": "bakery", "name": "Bakery", "settings": { "deletionGraceDays": 3, "agreements": [{ "id": "terms", "version": 1, "title": "T" }] },
        }))).await.is(201);
        owner.call("POST", &format!("{pools}/bakery/connections"), Some(json!({
            "identifier": "mini", "type": "wechat:miniprogram:default", "association": { "mode": "field" },
            "fields": { "appId": "wx00000000000000c1", "appSecret": "secret-of-the-bakery" },
        }))).await.is(201);
        owner.call("POST", &format!("{pools}/bakery/applications"), Some(json!({
            "id": "web", "name": "Web", "type": "web", "connections": ["mini"], "secret": secret, "default": true,
            "tokenAuth": "client_secret_post", "redirectUris": ["https://bakery.example.com/cb"],
            "tokens": { "session": "60d" }, "login": { "agreements": ["terms"] }, "branding": { "primaryColor": "#1a7f5a" },
        }))).await.is(201);
        let file = r##"
[[user_pool]]
id = "bakery"
name = "Bakery"
  [user_pool.settings]
  deletion_grace_days = 3
  agreements = [{ id = "terms", version = 1, title = "T" }]
  [[user_pool.connection]]
  identifier = "mini"
  type = "wechat:miniprogram:default"
  association = { mode = "field" }
  fields = { app_id = "wx00000000000000c1", app_secret = "secret-of-the-bakery" }
  [[user_pool.application]]
  id = "web"
  name = "Web"
  type = "web"
  default = true
  connections = ["mini"]
  secret = "c11e27c11e27c11e27c11e27c11e27c11e27"
  token_auth = "client_secret_post"
  redirect_uris = ["https://bakery.example.com/cb"]
    [user_pool.application.tokens]
    session = "60d"
    [user_pool.application.login]
    agreements = ["terms"]
    [user_pool.application.branding]
    primary_color = "#1a7f5a"
"##;
        let plan = world.plan(file).await;
        assert!(plan.is_empty(), "{plan}");
        // And what a file made is not changed by sending back what is shown.
        for path in [at(""), app(SHOP_WEB), app(SHOP_APP), at("/connections/shop-members")] {
            let shown = owner.get(&path).await;
            assert_eq!(owner.patch(&path, shown.clone()).await.is(200), shown);
        }
        assert!(world.plan(FILE).await.is_empty());
        let second = json!({ "name": "B", "type": "spa", "default": true });
        owner.call("POST", &format!("{pools}/bakery/applications"), Some(second)).await.is(201);
        assert_eq!(owner.get(&format!("{pools}/bakery/applications/web")).await["default"], false, "a pool has one default");
    }

    /// Objects of another pool are not there, also for who may see both. Ids of applications are taken everywhere.
    async fn other_pools_are_out_of_reach(database) {
        let world = World::new(database).await;
        let owner = Owner::of(&world).await;
        for (method, path, body) in [
            ("GET", app(CAFE_APP), None),
            ("PATCH", app(CAFE_APP), Some(json!({ "name": "x" }))),
            ("DELETE", app(CAFE_APP), None),
            ("POST", format!("{}/secrets", app(CAFE_APP)), None),
            ("GET", at("/connections/cafe-mini"), None),
            ("PATCH", at("/connections/cafe-mini"), Some(json!({ "displayName": "x" }))),
            ("DELETE", at("/connections/cafe-mini"), None),
        ] {
            assert_eq!(owner.call(method, &path, body).await.is(404)["code"], 2446, "{method} {path}");
        }
        let taken = json!({ "id": CAFE_APP, "name": "x", "type": "web" });
        let taken = owner.call("POST", &at("/applications"), Some(taken)).await.is(409);
        assert!(taken["code"] == 2445 && !taken.to_string().contains(CAFE), "it does not say whose it is: {taken}");
        let wrong = json!({ "id": "a b", "name": "x", "type": "web" });
        assert_eq!(fields(owner.call("POST", &at("/applications"), Some(wrong)).await), ["id"]);
        assert!(world.plan(FILE).await.is_empty());
    }

    /// A key that manages users reads the configuration and changes none of it.
    async fn managers_change_nothing(database) {
        let world = World::new(database).await;
        let manager = key(&world, AdminRole::Manager, None).await;
        let change = || Some(json!({ "redirectUris": ["https://evil.example/"] }));
        let refused = call(&world, Some(&manager), "PATCH", &app(SHOP_WEB), change()).await.is(403);
        assert_eq!(refused["code"], 2442);
        call(&world, Some(&manager), "POST", &format!("{}/secrets", app(SHOP_WEB)), None).await.is(403);
        call(&world, Some(&manager), "GET", &app(SHOP_WEB), None).await.is(200);
        let auditor = key(&world, AdminRole::Auditor, None).await;
        call(&world, Some(&auditor), "GET", &app(SHOP_WEB), None).await.is(403);
        let of_shop = key(&world, AdminRole::Owner, Some(SHOP)).await;
        call(&world, Some(&of_shop), "PATCH", &app(SHOP_WEB), Some(json!({ "name": "Shop" }))).await.is(200);
    }
}

/// The rows of each table that name an application, except those of the audit log.
async fn rows_of(world: &World, application: &str) -> Vec<(String, i64)> {
    let database: &TestDatabase = world.database();
    let sql = match database.engine() {
        "sqlite" => {
            "SELECT t.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
             WHERE t.type = 'table' AND c.name = 'application_id'"
        }
        _ => {
            "SELECT table_name::TEXT FROM information_schema.columns
             WHERE table_schema = current_schema() AND column_name = 'application_id'"
        }
    };
    let mut rows = Vec::new();
    for table in raw::texts(database, sql).await.concat() {
        if table != "audit_events" {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE application_id = '{application}'");
            rows.push((table, raw::number(database, &sql).await));
        }
    }
    assert!(rows.len() > 5, "{rows:?}");
    rows
}
