//! Secrets as people paste them: with a space before them, a line break after them, a space inside.

use hufu_testkit::administration::{Reply, call, key};
use hufu_testkit::on_both_engines;
use hufu_types::{AdminRole, ConnectionKind};
use serde_json::{Value, json};

use crate::shop::{at, fields};
use crate::world::World;

/// What is wrong with a secret that was pasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blemish {
    Before,
    After,
    Inside,
}

impl Blemish {
    const ALL: [Self; 3] = [Self::Before, Self::After, Self::Inside];

    fn of(self, secret: &str) -> String {
        let (start, rest) = secret.split_at(12);
        match self {
            Self::Before => format!(" {secret}"),
            Self::After => format!("{secret}\n"),
            Self::Inside => format!("{start} {rest}"),
        }
    }
}

/// An owner of all pools.
struct Owner<'w> {
    world: &'w World,
    key: String,
}

impl Owner<'_> {
    async fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        let reply = call(self.world, Some(&self.key), method, &at(path), Some(body.clone())).await;
        self.world.secret(reply.body["secret"].as_str().unwrap_or_default());
        reply
    }
}

/// A document with a blemish in the text at this path, which is recorded as a secret without it.
fn spoilt(world: &World, document: &Value, path: &str, blemish: Blemish) -> Value {
    let mut spoilt = document.clone();
    let at = spoilt.pointer_mut(&format!("/{}", path.replace('.', "/"))).unwrap();
    let secret = at.as_str().unwrap().to_owned();
    world.secret(&secret);
    *at = blemish.of(&secret).into();
    spoilt
}

/// The names of the secrets that an object has, as it is shown.
fn secrets_of(shown: &Value) -> Vec<&str> {
    let secrets = shown["secrets"].as_object().unwrap();
    assert!(secrets.values().all(|is_set| *is_set == true), "{shown}");
    secrets.keys().map(String::as_str).collect()
}

/// The fields of each type of connection, and which of them are secrets.
fn connections() -> Vec<(&'static str, Value, &'static [&'static str])> {
    let app =
        |digit: u8| json!({ "appId": format!("wx00000000000000c{digit}"), "appSecret": "0123456789abcdef" });
    let with = |mut fields: Value, more: Value| {
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fields
    };
    let launch = json!({ "mobileAppId": "wx00000000000000d1", "originalId": "gh_a781a791e29e" });
    let aes_key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    let account = json!({
        "originalId": "gh_a781a791e29f", "token": "TokenOfTheAccount", "aesKey": aes_key,
        "relay": { "url": "https://shop.example.com/wechat", "token": "TokenOfTheRelay", "aesKey": aes_key },
    });
    vec![
        ("wechat:miniprogram:default", app(1), &["appSecret"]),
        ("wechat:miniprogram:qrconnect", app(2), &["appSecret"]),
        ("wechat:mobile", app(3), &["appSecret"]),
        ("wechat:miniprogram:app-launch", with(app(4), launch), &["appSecret"]),
        ("wechat:pc", app(5), &["appSecret"]),
        ("wechat:webpage-authorization", app(6), &["appSecret"]),
        (
            "wechatmp-qrcode",
            with(app(7), account),
            &["aesKey", "appSecret", "relay.aesKey", "relay.token", "token"],
        ),
    ]
}

on_both_engines! {
    /// No secret of a connection has spaces or line breaks, so one that was pasted with them is refused by its name.
    async fn secrets_of_connections_have_no_spaces(database) {
        let world = World::new(database).await;
        let owner = Owner { world: &world, key: key(&world, AdminRole::Owner, None).await };
        let table = connections();
        let mut types: Vec<_> = table.iter().map(|(name, ..)| *name).collect();
        let mut all: Vec<_> = ConnectionKind::ALL.iter().map(|kind| kind.as_str()).collect();
        types.sort_unstable();
        all.sort_unstable();
        assert_eq!(types, all);
        for (index, (name, sound, secrets)) in table.iter().enumerate() {
            let new = |fields: Value| json!({ "identifier": format!("new-{index}"), "type": name, "fields": fields });
            let spoilt_ones = || secrets.iter().flat_map(|secret| Blemish::ALL.map(|blemish| (*secret, blemish)));
            for (secret, blemish) in spoilt_ones() {
                let told = owner.send("POST", "/connections", &new(spoilt(&world, sound, secret, blemish))).await;
                assert_eq!(fields(told), [format!("fields.{secret}")], "{name} {blemish:?}");
            }
            let made = owner.send("POST", "/connections", &new(sound.clone())).await.is(201);
            assert_eq!(secrets_of(&made), *secrets, "{name}");
            let path = format!("/connections/new-{index}");
            for (secret, blemish) in spoilt_ones() {
                let patch = json!({ "fields": spoilt(&world, sound, secret, blemish) });
                let told = owner.send("PATCH", &path, &patch).await;
                assert_eq!(fields(told), [format!("fields.{secret}")], "{name} {blemish:?}");
            }
            let same = owner.send("PATCH", &path, &json!({ "fields": sound })).await.is(200);
            assert_eq!(same["fields"], made["fields"], "{name}");
        }
    }

    /// Secrets of senders have no spaces at their ends and no line breaks. A password may have spaces inside.
    async fn secrets_of_senders_have_no_spaces_at_their_ends(database) {
        let world = World::new(database).await;
        let owner = Owner { world: &world, key: key(&world, AdminRole::Owner, None).await };
        let smtp = json!({
            "provider": "smtp", "host": "mail.example.com", "from": "a@example.com", "username": "mailer",
            "password": "password-of-the-mailer",
        });
        let aliyun = json!({
            "provider": "aliyun", "accessKeyId": "id", "accessKeySecret": "secret-of-the-access-key", "signName": "Shop",
            "templateCode": "SMS_1",
        });
        let tencent = json!({
            "provider": "tencent", "secretId": "id", "secretKey": "secret-key-of-tencent", "sdkAppId": "1400000000",
            "templateId": "1",
        });
        let gateway = json!({
            "provider": "http", "url": "https://sms.example.com/send?key=key-of-the-url",
            "headers": { "X-Key": "key-in-a-header" }, "body": { "to": "{{phone}}", "text": "{{text}}", "key": "a key" },
        });
        // The body of a gateway is a document, which is sent as it is written. Its address has no spaces in the host.
        let table: [(&str, Value, &[&str], &[&str]); 4] = [
            ("email", smtp, &["password"], &["password"]),
            ("sms", aliyun, &["accessKeySecret"], &["accessKeySecret"]),
            ("sms", tencent, &["secretKey"], &["secretKey"]),
            ("sms", gateway, &["url", "headers.X-Key"], &["body", "headers", "url"]),
        ];
        for (channel, sound, checked, secrets) in table {
            let (path, provider) = (format!("/senders/{channel}"), &sound["provider"]);
            let refused = async |secret: &str, blemish: Blemish| {
                let told = owner.send("PATCH", &path, &spoilt(&world, &sound, secret, blemish)).await;
                assert_eq!(fields(told), [secret], "{provider} {blemish:?}");
            };
            for secret in checked {
                refused(secret, Blemish::Before).await;
                refused(secret, Blemish::After).await;
            }
            let made = owner.send("PATCH", &path, &sound).await.is(200);
            assert_eq!(secrets_of(&made), secrets, "{provider}");
            for secret in checked {
                refused(secret, Blemish::Before).await;
                refused(secret, Blemish::After).await;
                if *secret == "url" {
                    refused(secret, Blemish::Inside).await;
                    continue;
                }
                let patch = spoilt(&world, &sound, secret, Blemish::Inside);
                assert_eq!(secrets_of(&owner.send("PATCH", &path, &patch).await.is(200)), secrets, "{provider}");
            }
        }
    }

    /// A client secret has no spaces, the public keys of a client have none, and the secret of a webhook is not given.
    async fn secrets_of_clients_have_no_spaces(database) {
        let world = World::new(database).await;
        let owner = Owner { world: &world, key: key(&world, AdminRole::Owner, None).await };
        let with_secret = json!({ "name": "Robot", "type": "api", "secret": "0123456789abcdef0123456789abcdef" });
        let keys = [json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })];
        let with_keys = json!({ "name": "Signer", "type": "api", "tokenAuth": "private_key_jwt", "jwks": { "keys": keys } });
        for (sound, secret, field) in [(with_secret, "secret", "secret"), (with_keys, "jwks.keys.0.x", "jwks")] {
            for blemish in Blemish::ALL {
                let told = owner.send("POST", "/applications", &spoilt(&world, &sound, secret, blemish)).await;
                assert_eq!(fields(told), [field], "{blemish:?}");
            }
            let made = owner.send("POST", "/applications", &sound).await.is(201);
            let path = format!("/applications/{}", made["id"].as_str().unwrap());
            for blemish in Blemish::ALL {
                let told = owner.send("PATCH", &path, &spoilt(&world, &sound, secret, blemish)).await;
                assert_eq!(fields(told), [field], "{blemish:?}");
            }
            let shown = call(&world, Some(&owner.key), "GET", &at(&path), None).await.is(200);
            assert_eq!(shown["revision"], 1, "nothing was stored");
        }
        let hook = json!({ "name": "x", "url": "https://shop.example.com/hook", "secret": "given-by-somebody" });
        let told = owner.send("POST", "/webhooks", &hook).await.is(422);
        assert!(told["message"].as_str().unwrap().contains("secret"), "{told}");
    }
}
