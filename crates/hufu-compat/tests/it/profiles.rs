//! Profile data from logins: only empty fields are filled, and ids and phone numbers are never taken from it.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use hufu_sandbox::{DataKind, NewUser};
use hufu_testkit::on_both_engines;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use crate::client::{
    AUTH, AUTH_BY_PHONE, Answer, Client, DECRYPT, GET_PHONE, GET_PROFILE, Mode, SIGNIN, UPDATE_PROFILE, User,
};
use crate::world::{MINI, TWO, World};

const PHOTO: &str = "https://thirdwx.qlogo.cn/mmopen/vi_32/abc/132";
const PLACEHOLDER: &str = "微信用户";

fn known(world: &World, name: &str) {
    world.person_with(NewUser {
        name: Some(name.to_owned()),
        nickname: Some("小明".to_owned()),
        avatar_url: Some(PHOTO.to_owned()),
        ..NewUser::default()
    });
}

/// Logs in with the data that `wx.getUserInfo` returned together with the code.
async fn log_in_with(world: &World, code: &str, iv: &str, encrypted_data: &str, raw_data: &str) -> User {
    let body = json!({ "code": code, "iv": iv, "encryptedData": encrypted_data, "rawData": raw_data });
    world.client().post(AUTH, body).await.user()
}

/// Data sealed in a way that an honest phone would not.
async fn sealed_otherwise(world: &World, request: Value) -> (String, String) {
    let request = Request::post("/__sandbox/encrypted-data")
        .header("host", "127.0.0.1")
        .body(Body::from(request.to_string()))
        .unwrap();
    let answer = world.sandbox.router().oneshot(request).await.unwrap();
    let answer = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    (text("iv"), text("encryptedData"))
}

/// Sets a value of custom data, given as JSON, as the v2 clients do.
async fn set(client: &Client<'_>, user: &User, key: &str, value: &str) -> Answer {
    let mutation = "mutation ($id: String!, $key: String!, $value: String!) { setUdv(targetType: USER, targetId: $id, \
        key: $key, value: $value) { key value } }";
    client.graphql(mutation, json!({ "id": user.id, "key": key, "value": value })).await
}

/// Sets several values.
async fn set_batch(client: &Client<'_>, user: &User, list: Value) -> Answer {
    let mutation = "mutation ($id: String!, $list: [UserDefinedDataInput!]) { setUdvBatch(targetType: USER, targetId: \
        $id, udvList: $list) { key value } }";
    client.graphql(mutation, json!({ "id": user.id, "list": list })).await
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

on_both_engines! {
    async fn custom_data_is_small_in_all(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let client = world.nobody().bearer(&user.token);
        let value = json!("x".repeat(8000)).to_string();
        for i in 0..8 {
            set(&client, &user, &format!("key{i}"), &value).await.data();
        }
        let list = json!([{ "key": "key8", "value": value }]);
        let v3 = json!({ "customData": { "key8": "x".repeat(8000) } });
        for answer in [
            world.stores_nothing(set(&client, &user, "key8", &value)).await,
            world.stores_nothing(set_batch(&client, &user, list)).await,
            world.stores_nothing(client.post(UPDATE_PROFILE, v3)).await,
        ] {
            let message = answer.refused(2231);
            assert!(message.contains("65536 bytes in all"), "{message}");
        }
        // Replacing one key by another is allowed, and so is everything else.
        let exchange = json!({ "nickname": "Bob", "customData": { "key0": null, "key8": "x".repeat(8000) } });
        client.post(UPDATE_PROFILE, exchange).await.data();
    }

    async fn custom_data_comes_with_a_login_or_nobody_is_logged_in(database) {
        let world = World::new(database).await;
        world.person("bob");
        let log_in = |data: Value| {
            let (path, mut body) = Mode::Code.request(&world, MINI, "bob");
            body["options"]["customData"] = data;
            let client = world.client().referer(MINI);
            async move { client.post(path, body).await }
        };
        let tokens = log_in(json!({ "size": "M", "nothing": null })).await.tokens();
        let client = world.nobody().bearer(&tokens.access);
        let kept = client.get(&format!("{GET_PROFILE}?withCustomData=true")).await.data()["customData"].clone();
        assert_eq!(kept, json!({ "size": "M" }));
        let sessions = world.rows("sessions").await;
        let full: Map<String, Value> = (0..100).map(|n| (format!("key{n}"), json!(n))).collect();
        for (data, reason) in [(json!({ "a b": 1 }), "64 characters"), (full.into(), "100 keys")] {
            let message = log_in(data).await.refused(2231);
            assert!(message.contains(reason), "{message}");
        }
        assert_eq!(world.rows("sessions").await, sessions);
    }

    async fn custom_data_is_not_too_deep_to_be_read_again(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let client = world.nobody().bearer(&user.token);
        for levels in [33, 120, 127] {
            let text = nested(levels);
            let value: Value = serde_json::from_str(&text).unwrap();
            let list = json!([{ "key": "shallow", "value": "1" }, { "key": "deep", "value": text }]);
            let mut answers = vec![
                world.stores_nothing(set(&client, &user, "deep", &text)).await,
                world.stores_nothing(set_batch(&client, &user, list)).await,
            ];
            // With two levels around it, the deepest of these is beyond the parser's limit.
            if levels < 127 {
                let v3 = json!({ "customData": { "deep": value } });
                answers.push(world.stores_nothing(client.post(UPDATE_PROFILE, v3)).await);
            }
            for answer in answers {
                let message = answer.refused(2231);
                assert!(message.contains("deeper than 32 levels"), "{levels}: {message}");
            }
        }
        set(&client, &user, "deep", &nested(32)).await.data();
        let profile = client.get(&format!("{GET_PROFILE}?withCustomData=true")).await.data();
        assert_eq!(profile["customData"]["deep"].to_string(), nested(32));
        assert_eq!(world.client().log_in(MINI, "bob").await.id, user.id);
    }

    async fn custom_data_is_any_text(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let client = world.nobody().bearer(&user.token);
        let texts = ["a\u{0}b", r"a\u0000b", r"\\u0000", "\u{1}\u{7f}\u{ffff}", "虎符🐯"];
        for text in texts {
            for value in [json!(text), json!([text, { (text): text }])] {
                set(&client, &user, "text", &value.to_string()).await.data();
                client.post(UPDATE_PROFILE, json!({ "customData": { "same": value } })).await.data();
                let profile = client.get(&format!("{GET_PROFILE}?withCustomData=true")).await.data();
                assert_eq!(profile["customData"], json!({ "text": value, "same": value }));
                assert_eq!(world.client().log_in(MINI, "bob").await.id, user.id);
            }
        }
        client.post(UPDATE_PROFILE, json!({ "nickname": "\u{0}" })).await.refused(2231);
    }

    async fn one_value_is_told_a_few_times_at_most(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let client = world.nobody().bearer(&user.token);
        set(&client, &user, "text", &json!("x".repeat(8000)).to_string()).await.data();
        let aliases: Vec<String> = (0..100).map(|i| format!("a{i}: value")).collect();
        let query = format!("{{ user {{ customData {{ {} }} }} }}", aliases.join(" "));
        client.graphql(&query, Value::Null).await.refused(2231);
        let query = "{ user { customData { value again: value } } }";
        client.graphql(query, Value::Null).await.data();
    }

    async fn sealed_data_fills_an_empty_nickname_and_photo(database) {
        let world = World::new(database).await;
        known(&world, "bob");
        let plain = world.client().log_in(MINI, "bob").await;
        assert!(plain.data["nickname"].is_null() && plain.data["photo"].is_null());
        let code = world.code(MINI, "bob");
        let sealed = world.sealed(MINI, &code, DataKind::UserInfo);
        let user = log_in_with(&world, &code, &sealed.iv, &sealed.encrypted_data, "").await;
        assert_eq!(user.id, plain.id);
        assert_eq!((&user.data["nickname"], &user.data["photo"]), (&json!("小明"), &json!(PHOTO)));

        // Values that the user chose remain unchanged, and so do values that were filled in before.
        let client = world.nobody().bearer(&user.token);
        client.update_user(json!({ "nickname": "Bob" })).await.data();
        let code = world.code(MINI, "bob");
        let sealed = world.sealed(MINI, &code, DataKind::UserInfo);
        let user =
            log_in_with(&world, &code, &sealed.iv, &sealed.encrypted_data, r#"{"nickName":"Eve"}"#).await;
        assert_eq!((&user.data["nickname"], &user.data["photo"]), (&json!("Bob"), &json!(PHOTO)));
    }

    async fn v3_takes_a_profile_as_well(database) {
        let world = World::new(database).await;
        known(&world, "bob");
        let code = world.code(MINI, "bob");
        let sealed = world.sealed(MINI, &code, DataKind::UserInfo);
        let (_, mut body) = Mode::Code.request_with(&world, MINI, "bob", &code);
        body["wechatMiniProgramCodePayload"]["iv"] = sealed.iv.into();
        body["wechatMiniProgramCodePayload"]["encryptedData"] = sealed.encrypted_data.into();
        let tokens = world.client().post(SIGNIN, body).await.tokens();
        let claims = crate::client::claims(&tokens.id);
        assert_eq!((&claims["nickname"], &claims["picture"]), (&json!("小明"), &json!(PHOTO)));
    }

    async fn raw_data_counts_only_where_nothing_decrypts(database) {
        let world = World::new(database).await;
        known(&world, "bob");
        let code = world.code(MINI, "bob");
        let sealed = world.sealed(MINI, &code, DataKind::UserInfo);
        let raw = r#"{"nickName":"Eve","avatarUrl":"https://wx.qlogo.cn/eve/0"}"#;
        let user = log_in_with(&world, &code, &sealed.iv, &sealed.encrypted_data, raw).await;
        assert_eq!(user.data["nickname"], "小明");

        known(&world, "carol");
        let user = log_in_with(&world, &world.code(MINI, "carol"), "bm9uc2Vuc2U=", "bm9uc2Vuc2U=", raw).await;
        assert_eq!(
            (&user.data["nickname"], &user.data["photo"]),
            (&json!("Eve"), &json!("https://wx.qlogo.cn/eve/0"))
        );
    }

    async fn wechat_s_placeholder_is_no_profile(database) {
        let world = World::new(database).await;
        world.person("bob");
        let code = world.code(MINI, "bob");
        let sealed = world.sealed(MINI, &code, DataKind::UserInfo);
        assert!(sealed.raw_data.as_ref().unwrap().contains(PLACEHOLDER));
        for _ in 0..2 {
            let raw = sealed.raw_data.as_ref().unwrap();
            let user = log_in_with(&world, &code, &sealed.iv, &sealed.encrypted_data, raw).await;
            assert!(user.data["nickname"].is_null() && user.data["photo"].is_null(), "{}", user.data);
        }
        let user =
            log_in_with(&world, &world.code(MINI, "bob"), "", "", sealed.raw_data.as_ref().unwrap()).await;
        assert!(user.data["nickname"].is_null() && user.data["photo"].is_null(), "{}", user.data);
    }

    async fn raw_data_gives_no_ids_no_phone_and_no_foreign_photo(database) {
        let world = World::new(database).await;
        let bob = world.person("bob");
        let openid = &bob.ids.iter().find(|ids| ids.app_id == MINI).unwrap().openid;
        let raw = json!({
            "nickName": "Bob", "avatarUrl": "https://evil.example/track.png", "openId": "forged", "unionId": "forged",
            "phoneNumber": "13900000000", "purePhoneNumber": "13900000000", "phone": "13900000000", "username": "admin",
            "status": "Suspended", "gender": 1,
        });
        let user = log_in_with(&world, &world.code(MINI, "bob"), "", "", &raw.to_string()).await;
        assert_eq!(user.data["openid"].as_str(), Some(openid.as_str()));
        assert_eq!(user.data["nickname"], "Bob");
        for nothing in ["photo", "phone", "username", "email"] {
            assert!(user.data[nothing].is_null(), "{nothing}: {}", user.data);
        }
        for photo in [
            "http://wx.qlogo.cn/a",
            "https://qlogo.cn.evil.example/a",
            "https://user:pw@wx.qlogo.cn/a",
            "javascript:alert(1)",
        ] {
            let raw = json!({ "nickName": "Bob", "avatarUrl": photo });
            let user = log_in_with(&world, &world.code(MINI, "bob"), "", "", &raw.to_string()).await;
            assert!(user.data["photo"].is_null(), "{photo}");
        }
        for nonsense in [
            "{",
            "[]",
            "null",
            "7",
            r#"{"nickName":7}"#,
            r#"{"nickName":null}"#,
            r#"{"nickName":" \u0000 "}"#,
        ] {
            log_in_with(&world, &world.code(MINI, "bob"), "", "", nonsense).await;
        }
    }

    /// Data of another login or another app, or data that is too old, sets no profile and no phone number.
    async fn data_that_was_not_sealed_for_this_login_is_worth_nothing(database) {
        let world = World::new(database).await;
        known(&world, "bob");
        let other_login = world.code(MINI, "bob");
        for case in ["another login", "another app", "another app's key", "too old", "nonsense"] {
            let code = world.code(MINI, "bob");
            let other_app = world.code(TWO, "bob");
            let make = |kind: &'static str| {
                let (world, code, other_login, other_app) = (&world, &code, &other_login, &other_app);
                async move {
                    let request = match case {
                        "another login" => json!({ "app_id": MINI, "code": other_login, "kind": kind }),
                        "another app" => {
                            json!({ "app_id": MINI, "code": code, "kind": kind, "watermark_app_id": TWO })
                        }
                        "another app's key" => json!({ "app_id": TWO, "code": other_app, "kind": kind }),
                        "too old" => {
                            json!({ "app_id": MINI, "code": code, "kind": kind, "age_seconds": 2 * 86_400 + 1 })
                        }
                        _ => return ("not base64!".to_owned(), "???".to_owned()),
                    };
                    sealed_otherwise(world, request).await
                }
            };
            let (iv, data) = make("user_info").await;
            let user = log_in_with(&world, &code, &iv, &data, "").await;
            assert!(user.data["nickname"].is_null(), "{case}");

            let (iv, data) = make("phone").await;
            let body = json!({ "code": code, "iv": iv, "encryptedData": data });
            let phone_payload =
                crate::client::signin("wechat_mini_program_phone", "wechatMiniProgramPhonePayload", &body);
            for (path, body) in
                [(AUTH_BY_PHONE, &body), (GET_PHONE, &body), (DECRYPT, &body), (SIGNIN, &phone_payload)]
            {
                let answer = world.stores_nothing(world.client().post(path, body.clone())).await;
                answer.refused(2016);
            }
        }
        // Data that was sealed recently by WeChat's clock is accepted.
        let code = world.code(MINI, "bob");
        let request =
            json!({ "app_id": MINI, "code": code, "kind": "phone", "age_seconds": 2 * 86_400 - 10 });
        let (iv, data) = sealed_otherwise(&world, request).await;
        world
            .client()
            .post(AUTH_BY_PHONE, json!({ "code": code, "iv": iv, "encryptedData": data }))
            .await
            .user();
    }

    async fn sealed_data_is_opened_for_the_mini_program_that_asks(database) {
        let world = World::new(database).await;
        known(&world, "bob");
        let code = world.code(MINI, "bob");
        let sealed = world.sealed(MINI, &code, DataKind::UserInfo);
        let body = json!({
            "code": code, "iv": sealed.iv, "encryptedData": sealed.encrypted_data, "extIdpConnidentifier": "shop-mini",
        });
        let opened = world.client().post(DECRYPT, body.clone()).await.data();
        assert_eq!((&opened["nickName"], &opened["watermark"]["appid"]), (&json!("小明"), &json!(MINI)));
        for missing in ["code", "iv", "encryptedData"] {
            let mut body = body.clone();
            body[missing] = "".into();
            world.stores_nothing(world.client().post(DECRYPT, body)).await.refused(2231);
        }
    }
}
