//! `hufu admin` while a server runs.

use std::time::Instant;

use hufu_testkit::on_both_engines;
use serde_json::{Value, json};

use crate::support::{APPLICATION, Client, Instance, POOL, SOON, WORLD, claims, eventually, header_of};

hufu_testkit::unit! { Write Forget {} -> (),
    |_this, tx| tx.execute("DELETE FROM exchanges", &[]).await.map(drop)
}

async fn keys(client: &Client) -> Vec<Value> {
    let keys = client.get("/oidc/.well-known/jwks.json").await.json();
    keys["keys"].as_array().unwrap().clone()
}

on_both_engines! {
    async fn a_new_signing_key_is_published_and_old_tokens_hold(database) {
        let instance = Instance::ready(database).await;
        let server = instance.serve().await;
        let client = &server.client;
        let old = client.log_in(&instance.code(None)).await.token();
        let before = keys(client).await;
        assert_eq!((before.len(), &before[0]["kid"]), (1, &header_of(&old)["kid"]));

        let ran = instance.run(&["admin", "rotate-keys"]).await;
        let rotated = Instant::now();
        let printed = ran.succeeded();
        assert!(printed.starts_with("Key ") && printed.ends_with(" is published now and will sign in 60 minutes.\n"), "{printed}");
        eventually("the new key is published", async || keys(client).await.len() == 2).await;
        assert!(rotated.elapsed() < SOON, "{:?}", rotated.elapsed());
        let after = keys(client).await;
        assert!(after.contains(&before[0]), "the old one stays as it is: {after:?}");
        let new = after.iter().find(|key| **key != before[0]).unwrap();
        assert!(new["kty"] == "EC" && new["alg"] == "ES256" && new.get("d").is_none(), "{new}");
        assert!(printed.contains(new["kid"].as_str().unwrap()), "{printed}");

        assert!(client.is_logged_in(&old).await);
        let token = client.log_in(&instance.code(None)).await.token();
        assert_eq!(header_of(&token)["kid"], before[0]["kid"], "nobody has seen the new key for an hour yet");

        // It survives a restart.
        server.stop().await.succeeded();
        let server = instance.serve().await;
        assert!(server.client.is_logged_in(&old).await && server.client.is_logged_in(&token).await);
        assert_eq!(keys(&server.client).await.len(), 2);

        // A key that is in wrong hands is replaced at once.
        let ran = instance.run(&["admin", "rotate-keys", "--now"]).await;
        let printed = ran.succeeded();
        let (id, rest) = printed.strip_prefix("Key ").unwrap().split_once(' ').unwrap();
        assert_eq!(rest, "is published and signs now.\n");
        eventually("the new key signs", async || {
            let token = server.client.log_in(&instance.code(None)).await.token();
            header_of(&token)["kid"] == id
        })
        .await;
        assert!(server.client.is_logged_in(&old).await);

        let ran = instance.run(&["admin", "rotate-keys", "--algorithm", "HS256"]).await;
        assert_eq!(ran.failed(), "HS256 is not a signing algorithm; use ES256, RS256 or EdDSA");
    }

    async fn the_sealing_key_is_changed_while_the_server_runs(database) {
        let instance = Instance::ready(database).await;
        let server = instance.serve().await;
        server.client.log_in(&instance.code(None)).await.token();
        let list = async || instance.run(&["keys", "list"]).await.succeeded().to_owned();
        let first = list().await;
        let old = first.strip_prefix("key ").unwrap().split(',').next().unwrap().to_owned();
        assert!(first.contains(", which seals\n") && first.contains("1 in connections.settings\n"), "{first}");

        let added = instance.run(&["keys", "add"]).await;
        let new = added.succeeded().strip_prefix("key ").unwrap().split(' ').next().unwrap().to_owned();
        assert_ne!(new, old);
        let early = instance.run(&["keys", "use", "0123456789abcdef"]).await;
        assert!(early.failed().starts_with("the key 0123456789abcdef is not among the keys"));
        eventually("the server has both keys", async || list().await.contains(&format!(" has {old}, {new}\n"))).await;
        instance.run(&["keys", "use", &new]).await.succeeded();
        eventually("the server seals with it", async || list().await.contains(&format!(" has {new}, {old}\n"))).await;
        let early = instance.run(&["keys", "retire", &old]).await;
        assert!(early.failed().contains("seal it again with `hufu keys reseal`"));
        let ran = instance.run(&["keys", "reseal"]).await;
        let sealed = ran.succeeded();
        assert!(sealed.contains(" sealed again\n") && sealed.contains(&format!("key {new}, which seals")), "{sealed}");
        server.client.log_in(&instance.code(None)).await.token();
        server.stop().await.succeeded();

        // What is left ends by itself.
        let left = instance.run(&["keys", "retire", &old]).await;
        assert!(left.failed().contains("these end by themselves"));
        let store = hufu_store::Store::open(&instance.database_url().parse().unwrap()).await.unwrap();
        store.write(Forget {}).await.unwrap();
        store.close().await;
        instance.run(&["keys", "retire", &old]).await.succeeded();
        let server = instance.serve().await;
        server.client.log_in(&instance.code(None)).await.token();
        assert!(!list().await.contains(&format!("key {old}")));
    }

    async fn a_user_who_is_switched_off_is_out_until_switched_on(database) {
        let instance = Instance::ready(database).await;
        let server = instance.serve().await;
        let client = &server.client;
        let v2 = client.log_in(&instance.code(Some("alice"))).await.token();
        let v3 = client.log_in_v3(&instance.code(Some("alice"))).await.token();
        let other = client.log_in(&instance.code(Some("bob"))).await.token();
        let user = claims(&v2)["sub"].as_str().unwrap().to_owned();
        assert_eq!(claims(&v3)["sub"].as_str(), Some(user.as_str()));
        let admin = async |command: &str, user: &str| {
            instance.run(&["admin", command, "--pool", POOL, "--user", user]).await
        };

        let ran = admin("disable-user", &user).await;
        let switched = Instant::now();
        assert_eq!(ran.succeeded(), format!("{user} is disabled.\n"));
        eventually("the token is refused", async || !client.is_logged_in(&v2).await).await;
        assert!(switched.elapsed() < SOON, "{:?}", switched.elapsed());
        assert_eq!(client.profile(&v3).await.code(), 2020);
        for answer in [
            client.log_in(&instance.code(Some("alice"))).await,
            client.log_in_v3(&instance.code(Some("alice"))).await,
        ] {
            assert_eq!(answer.code(), 2005, "{answer:?}");
        }
        assert!(client.is_logged_in(&other).await, "nobody else is");

        assert_eq!(admin("enable-user", &user).await.succeeded(), format!("{user} is enabled.\n"));
        eventually("the person logs in anew", async || {
            let answer = client.log_in(&instance.code(Some("alice"))).await;
            answer.code() == 200 && claims(&answer.token())["sub"] == user.as_str()
        })
        .await;
        assert!(!client.is_logged_in(&v2).await, "what was ended stays ended");
        assert_eq!(client.profile(&v3).await.code(), 2020);

        let ran = admin("disable-user", "nobody").await;
        assert_eq!(ran.failed(), format!("the pool {POOL} has no user nobody"));
        let ran = instance.run(&["admin", "disable-user", "--pool", "system", "--user", &user]).await;
        assert_eq!(ran.failed(), format!("the pool system has no user {user}"));
        assert!(client.is_logged_in(&other).await);
    }

    async fn an_access_key_is_made_listed_and_revoked(database) {
        let instance = Instance::ready(database).await;
        let server = instance.serve().await;
        let users = format!("/admin/v1/pools/{POOL}/users");
        let status = async |key: &str, path: &str| server.client.get_with(path, key).await;

        let make = ["admin", "create-key", "--name", "for the till", "--role", "auditor", "--pool", POOL];
        let made = instance.run(&make).await;
        let key = made.succeeded().trim();
        let id = key.strip_prefix("hfk_").and_then(|rest| rest.split('_').next()).unwrap();
        assert_eq!(status(key, &users).await, 200);
        assert_eq!(status(key, "/admin/v1/keys").await, 403);
        let listed = instance.run(&["admin", "list-keys"]).await;
        let line = listed.succeeded();
        assert!(line.contains(id) && line.contains("auditor") && line.contains("for the till"), "{line}");
        assert!(line.contains("made by the command line") && line.contains("  expires 2"), "{line}");
        let secret = key.rsplit('_').next().unwrap();
        assert!(!line.contains(secret), "a key is told once");
        let revoked = instance.run(&["admin", "revoke-key", "--key", id]).await;
        assert_eq!(revoked.succeeded(), format!("{id} is revoked.\n"));
        assert_eq!(status(key, &users).await, 401);
        instance.run(&["admin", "revoke-key", "--key", id]).await.failed();

        let narrow = |permissions: &[&'static str]| {
            let more = permissions.iter().flat_map(|permission| ["--permission", permission]);
            ["admin", "create-key", "--name", "narrow", "--role", "manager"].into_iter().chain(more).collect::<Vec<_>>()
        };
        let made = instance.run(&narrow(&["users.read", "audit.read"])).await;
        let key = made.succeeded().trim();
        for (path, expected) in [("/users", 200), ("/audit", 200), ("/webhooks", 403), ("", 403)] {
            assert_eq!(status(key, &format!("/admin/v1/pools/{POOL}{path}")).await, expected, "{path}");
        }
        // A permission that the role has not, and a name that is none.
        for wrong in ["keys.manage", "users.fly"] {
            let refused = instance.run(&narrow(&["users.read", wrong])).await;
            let told = refused.failed();
            assert!(told.starts_with(&format!("{wrong} is not a permission of the role; use some of users.read, ")), "{told}");
            assert!(told.contains("webhooks.write") && !told.ends_with("keys.manage"), "{told}");
        }
        assert_eq!(instance.run(&["admin", "list-keys"]).await.succeeded().matches("narrow").count(), 1);

        let bad = instance.run(&["admin", "create-key", "--name", "x", "--role", "king"]).await;
        assert_eq!(bad.failed(), "king is not a role; use owner, manager, support or auditor");
        let past = ["admin", "create-key", "--name", "x", "--role", "owner", "--expires", "2020-01-01T00:00:00Z"];
        assert!(instance.run(&past).await.failed().contains("expiresAt is in the past"));

        let made = instance.run(&["admin", "create-administrator", "--username", "mei", "--role", "owner"]).await;
        let login = json!({ "username": "mei", "password": made.succeeded().trim(), "newPassword": "correct horse battery" });
        let session = server.client.post("/admin/v1/sessions", &login).await.json();
        assert_eq!(status(session["key"].as_str().unwrap(), "/admin/v1/keys").await, 200);

        let made = instance.run(&["admin", "login-link", "mei"]).await;
        let (link, rest) = made.succeeded().split_once('\n').unwrap();
        assert_eq!(rest, "It works once, within 15 minutes.\n");
        let (_, path) = link.split_once("/administration/").unwrap();
        let page = server.client.get(&format!("/administration/{path}")).await;
        assert!(page.status == 200 && page.text.contains("mei"), "{page:?}");
        let unknown = instance.run(&["admin", "login-link", "nobody"]).await;
        assert_eq!(unknown.failed(), "there is no administrator nobody");
    }

    async fn clients_register_with_a_token_that_is_printed_once(database) {
        let instance = Instance::ready(database).await;
        let server = instance.serve().await;
        let client = &server.client;
        let make = ["admin", "registration-token", "--pool", POOL, "--name", "the portal", "--clients", "1"];
        let made = instance.run(&make).await;
        let token = made.succeeded().trim();
        let id = token.strip_prefix("hfi_").and_then(|rest| rest.split('_').next()).unwrap();
        // The key that signs for registered clients is published before the first of them is there.
        eventually("the key is published", async || keys(client).await.iter().any(|key| key["kty"] == "RSA")).await;
        let metadata = json!({ "redirect_uris": ["https://rp.example.com/callback"] });
        let register = async |token: &str| client.post_with("/oidc/reg", token, &metadata).await;
        let registered = register(token).await;
        assert_eq!(registered.status, 201, "{registered:?}");
        assert_eq!(register(token).await.status, 403, "one, and no more");
        let listed = instance.run(&["admin", "list-registration-tokens", "--pool", POOL]).await;
        let line = listed.succeeded();
        assert!(line.contains(id) && line.contains("1 of 1 clients") && line.contains("the portal"), "{line}");
        assert!(!line.contains(token.rsplit('_').next().unwrap()), "a token is told once");

        let revoke = ["admin", "revoke-registration-token", "--pool", POOL, "--token", id];
        assert_eq!(instance.run(&revoke).await.succeeded(), format!("{id} is revoked.\n"));
        assert_eq!(register(token).await.status, 401);
        assert_eq!(instance.run(&revoke).await.failed(), format!("the pool {POOL} has no registration token {id}"));
        let elsewhere = instance.run(&["admin", "registration-token", "--pool", "nowhere"]).await;
        assert_eq!(elsewhere.failed(), "there is no user pool nowhere");
        let past = ["admin", "registration-token", "--pool", POOL, "--expires", "2020-01-01T00:00:00Z"];
        assert!(instance.run(&past).await.failed().contains("expiresAt is in the past"));
    }

    async fn a_client_secret_is_rotated_and_printed_once(database) {
        let instance = Instance::ready(database).await;
        let website = r#"
  [[user_pool.application]]
  id = "6560c0ffee00000000000008"
  name = "Website"
  type = "web"
  secret = "a-secret-that-the-operator-chose-0001"
"#;
        let text = format!("{WORLD}{website}");
        instance.write("website.toml", &text);
        let ran = instance.run(&["apply", "website.toml"]).await;
        assert!(!ran.succeeded().contains("secret"), "{ran:?}");
        let rotate = async |id: &str| instance.run(&["admin", "rotate-secret", id]).await;
        let first = rotate("6560c0ffee00000000000008").await;
        let second = rotate("6560c0ffee00000000000008").await;
        let (first, second) = (first.succeeded(), second.succeeded());
        assert_ne!(first, second);
        for printed in [first, second] {
            assert!(printed.starts_with("hfc_") && printed.len() == 69 && printed.ends_with('\n'), "{printed}");
        }

        // The last two are valid: a file that has one of them changes nothing.
        for (secret, expected) in [(first.trim(), "unchanged"), (second.trim(), "unchanged"), ("a-secret-that-the-operator-chose-0001", "secret changed")] {
            instance.write("website.toml", &text.replace("a-secret-that-the-operator-chose-0001", secret));
            let ran = instance.run(&["apply", "website.toml", "--dry-run"]).await;
            let plan = ran.succeeded();
            assert!(plan.contains(expected) && !plan.contains(secret), "{plan}");
            assert_eq!(plan.contains("0 to add, 0 to change"), expected == "unchanged", "{plan}");
        }

        let public = rotate(APPLICATION).await;
        assert_eq!(
            public.failed(),
            format!(
                "the application {APPLICATION} has no secret: it is a public client, or signs with a key of its own; if it can \
                 keep a secret, give it token_auth = \"client_secret_basic\" with `hufu apply`"
            )
        );
        assert_eq!(rotate("nobody").await.failed(), "there is no application nobody");
        let malformed = rotate("a b").await;
        assert!(malformed.failed().starts_with("APPLICATION: "), "{malformed:?}");
    }
}
