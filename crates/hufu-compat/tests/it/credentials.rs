//! Passwords, codes and registration: requests that the published clients never send, and users and tokens of
//! other pools.

use std::time::Duration;

use axum::http::Method;
use hufu_testkit::on_both_engines;
use hufu_types::AdminRole;
use serde_json::{Value, json};

use crate::client::{Client, GRAPHQL, UPDATE_PROFILE};
use crate::world::{CAFE, CAFE_APP, MINI, SHOP, SHOP_APP, World};
use hufu_testkit::administration::{create, key};

/// The calls that need no login, with bodies that are valid except for the account they name.
fn before_login() -> Vec<(&'static str, Value)> {
    let by_password = json!({
        "connection": "PASSWORD", "passwordPayload": { "username": "somebody", "password": PASSWORD },
    });
    vec![
        ("/api/v2/sms/send", json!({ "phone": "13812345678" })),
        ("/api/v2/login/email-code", json!({ "email": "somebody@example.com", "code": "123456" })),
        ("/api/v2/register/email-code", json!({ "email": "somebody@example.com", "code": "123456" })),
        ("/api/v3/send-sms", json!({ "phoneNumber": "13812345678", "channel": "CHANNEL_LOGIN" })),
        ("/api/v3/send-email", json!({ "email": "somebody@example.com", "channel": "CHANNEL_LOGIN" })),
        ("/api/v3/signin", by_password.clone()),
        ("/api/v3/signup", by_password),
        ("/api/v3/unlock-account", json!({ "phoneNumber": "13812345678", "passCode": "123456" })),
    ]
}

/// The calls that need a login.
fn after_login() -> Vec<(&'static str, Value)> {
    let phones = json!({ "newPhoneNumber": "13812345678", "newPhonePassCode": "123456" });
    let emails = json!({ "newEmail": "somebody@example.com", "newEmailPassCode": "123456" });
    vec![
        ("/api/v3/update-password", json!({ "newPassword": PASSWORD, "oldPassword": PASSWORD })),
        ("/api/v3/bind-phone", json!({ "phoneNumber": "13812345678", "passCode": "123456" })),
        ("/api/v3/bind-email", json!({ "email": "somebody@example.com", "passCode": "123456" })),
        (
            "/api/v3/verify-update-phone-request",
            json!({ "verifyMethod": "PHONE_PASSCODE", "phonePassCodePayload": phones }),
        ),
        ("/api/v3/update-phone", json!({ "updatePhoneToken": "hfs_nonsense" })),
        (
            "/api/v3/verify-update-email-request",
            json!({ "verifyMethod": "EMAIL_PASSCODE", "emailPassCodePayload": emails }),
        ),
        ("/api/v3/update-email", json!({ "updateEmailToken": "hfs_nonsense" })),
        (
            "/api/v3/verify-delete-account-request",
            json!({ "verifyMethod": "PASSWORD", "passwordPayload": { "password": PASSWORD } }),
        ),
        ("/api/v3/delete-account", json!({ "deleteAccountToken": "hfs_nonsense" })),
        ("/api/v3/unlink-extidp", json!({ "extIdpId": "6560c0ffee00000000000099" })),
    ]
}

/// The calls that only read.
const READS: [&str; 5] = [
    "/api/v2/users/me",
    "/api/v2/users/me/applications/allowed?page=1&limit=10",
    "/api/v2/users/me/security-level",
    "/api/v3/get-identities",
    "/api/v3/get-security-info",
];

const PASSWORD: &str = "correct horse battery staple";

/// Mutations that change credentials.
const MUTATIONS: [&str; 7] = [
    "mutation { updatePassword(newPassword: \"correct horse battery\") { id } }",
    "mutation { updatePhone(phone: \"13812345678\", phoneCode: \"123456\") { id } }",
    "mutation { updateEmail(email: \"a@example.com\", emailCode: \"123456\") { id } }",
    "mutation { bindPhone(phone: \"13812345678\", phoneCode: \"123456\") { id } }",
    "mutation { bindEmail(email: \"a@example.com\", emailCode: \"123456\") { id } }",
    "mutation { unbindPhone { id } }",
    "mutation { unbindEmail { id } }",
];

async fn registered(client: &Client<'_>, username: &str) -> String {
    let body = json!({ "connection": "PASSWORD", "passwordPayload": { "username": username, "password": PASSWORD } });
    let answer = client.post("/api/v3/signup", body).await;
    answer.data()["userId"].as_str().unwrap().to_owned()
}

/// The code that was sent last.
async fn sent_code(world: &World) -> String {
    world.node.app.run_due_jobs().await;
    world.outbox().list().into_iter().find_map(|message| message.code).unwrap()
}

on_both_engines! {
    async fn bodies_that_are_none(database) {
        let world = World::new(database).await;
        world.person("bob");
        let token = world.client().log_in(MINI, "bob").await.token;
        let client = world.client().bearer(&token);
        let bodies: [&[u8]; 8] = [b"", b"[]", b"7", b"\"text\"", b"{", b"null", b"\xff", b"{}"];
        let links = ["/api/v2/users/link", "/api/v2/users/unlink"];
        let paths = before_login().into_iter().chain(after_login()).map(|(path, _)| path).chain(links);
        for path in paths {
            for body in bodies {
                let answer = client.send(Method::POST, path, "application/json", body.to_vec()).await;
                let message = answer.refused(2231);
                assert!(message.starts_with("The request is not valid"), "{path}: {message}");
            }
            // The right field names, with values of the wrong type.
            let wrong = json!({
                "phone": 7, "phoneNumber": [], "email": {}, "connection": 7, "newPassword": 7, "verifyMethod": 7,
                "updatePhoneToken": 7, "updateEmailToken": 7, "deleteAccountToken": 7, "extIdpId": 7,
                "primaryUserToken": 7,
            });
            client.post(path, wrong).await.refused(2231);
        }
    }

    async fn values_that_cannot_be(database) {
        let world = World::new(database).await;
        let client = world.client();
        let signin = |more: Value| {
            let mut body = json!({ "connection": "PASSWORD", "passwordPayload": { "username": "a", "password": "b" } });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let long = "x".repeat(600);
        for (path, body) in [
            ("/api/v2/sms/send", json!({ "phone": "abc" })),
            ("/api/v2/sms/send", json!({ "phone": "13812345678", "scene": "nonsense" })),
            ("/api/v3/send-sms", json!({ "phoneNumber": "13812345678", "channel": "CHANNEL_UPDATE_EMAIL" })),
            ("/api/v3/send-email", json!({ "email": "nobody", "channel": "CHANNEL_LOGIN" })),
            ("/api/v3/signin", signin(json!({ "connection": "LDAP" }))),
            ("/api/v3/signin", signin(json!({ "passwordPayload": { "password": "b" } }))),
            ("/api/v3/signin", signin(json!({ "passwordPayload": { "username": "a", "password": long } }))),
            ("/api/v3/signin", signin(json!({ "options": { "passwordEncryptType": "rot13" } }))),
            ("/api/v3/signin", signin(json!({ "options": { "passwordEncryptType": "rsa" } }))),
            ("/api/v3/signin", signin(json!({ "options": { "customData": [] } }))),
            ("/api/v3/signin", json!({ "connection": "PASSCODE", "passCodePayload": { "passCode": "1" } })),
            ("/api/v3/signup", signin(json!({ "profile": { "nickname": 7 } }))),
            ("/api/v3/signup", signin(json!({ "passwordPayload": { "phone": "13812345678", "password": "b" } }))),
            ("/api/v2/login/email-code", json!({ "email": "a@example.com", "code": "1", "params": "{}" })),
            ("/api/v3/unlock-account", json!({ "passCode": "123456" })),
            ("/api/v3/unlock-account", json!({ "email": "nobody", "passCode": "123456" })),
            ("/api/v3/unlock-account", json!({ "email": "a@example.com" })),
        ] {
            world.stores_nothing(client.post(path, body)).await.refused(2231);
        }
        for query in [
            "mutation { loginByPhoneCode(input: { phone: \"abc\", code: \"1\" }) { id } }",
            "mutation { loginByUsername(input: { username: \"a\", password: \"\" }) { id } }",
            "mutation { loginByUsername(input: { username: \"a\", password: \"b\", params: \"7\" }) { id } }",
            "mutation { resetPassword(code: \"1\", newPassword: \"correct horse battery\") { code } }",
            "mutation { sendEmail(email: \"nobody\", scene: VERIFY_CODE) { code } }",
            "mutation { sendEmail(email: \"a@example.com\", scene: NONSENSE) { code } }",
            "{ isUserExists }",
        ] {
            world.stores_nothing(client.post(GRAPHQL, json!({ "query": query }))).await.refused(2231);
        }
    }

    async fn nothing_without_a_login(database) {
        let world = World::new(database).await;
        for client in [world.client(), world.client().bearer("nonsense"), world.nobody()] {
            for (path, body) in after_login() {
                world.stores_nothing(client.post(path, body)).await.refused(2020);
            }
            for path in READS {
                world.stores_nothing(client.get(path)).await.refused(2020);
            }
            for query in MUTATIONS {
                world.stores_nothing(client.post(GRAPHQL, json!({ "query": query }))).await.refused(2020);
            }
        }
        let tokens = json!({ "primaryUserToken": "a", "secondaryUserToken": "b", "provider": "wechat" });
        for path in ["/api/v2/users/link", "/api/v2/users/unlink"] {
            world.stores_nothing(world.client().post(path, tokens.clone())).await.refused(2020);
        }
    }

    async fn a_stale_bearer_fails_no_login(database) {
        let world = World::new(database).await;
        registered(&world.client().bearer("stale"), "bob").await;
        let client = world.client().bearer("stale");
        let body = json!({
            "connection": "PASSWORD", "passwordPayload": { "account": "bob", "password": PASSWORD },
        });
        assert!(client.post("/api/v3/signin", body).await.data()["access_token"].is_string());
        let query = "mutation ($input: LoginByUsernameInput!) { loginByUsername(input: $input) { id token } }";
        let input = json!({ "input": { "username": "bob", "password": PASSWORD } });
        assert!(client.graphql(query, input).await.data()["loginByUsername"]["token"].is_string());
        client.post("/api/v2/sms/send", json!({ "phone": "13812345678" })).await.data();
    }

    /// Tokens of another pool, and tokens of this pool with the application or pool id of another.
    async fn tokens_of_another_pool(database) {
        let world = World::new(database).await;
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;
        let clients = [world.cafe(), world.nobody().pool(CAFE), world.cafe().pool(SHOP)];
        for client in clients.map(|client| client.bearer(&bob.token)) {
            for (path, body) in after_login() {
                world.stores_nothing(client.post(path, body)).await.refused(2020);
            }
            for path in READS {
                world.stores_nothing(client.get(path)).await.refused(2020);
            }
            for query in MUTATIONS {
                world.stores_nothing(client.post(GRAPHQL, json!({ "query": query }))).await.refused(2020);
            }
            let own = json!({
                "primaryUserToken": bob.token, "secondaryUserToken": bob.token, "provider": "wechat",
            });
            for path in ["/api/v2/users/link", "/api/v2/users/unlink"] {
                world.stores_nothing(client.post(path, own.clone())).await.refused(2020);
            }
        }
        // Accounts of different pools are never merged.
        let cafe = world.cafe();
        registered(&cafe, "eve").await;
        let login = json!({ "connection": "PASSWORD", "passwordPayload": { "username": "eve", "password": PASSWORD } });
        let eve = cafe.post("/api/v3/signin", login).await.data()["access_token"].as_str().unwrap().to_owned();
        let both = json!({ "primaryUserToken": bob.token, "secondaryUserToken": eve });
        world.stores_nothing(world.client().post("/api/v2/users/link", both)).await.refused(2020);
        let query = "mutation ($input: UpdateUserInput!) { updateUser(input: $input) { id } }";
        world.cafe().bearer(&eve).graphql(query, json!({ "input": { "nickname": "Eve" } })).await.data();
        world.client().bearer(&bob.token).post(UPDATE_PROFILE, json!({ "nickname": "Bob" })).await.data();
    }

    /// Names, passwords and codes of one pool have no effect in another.
    async fn people_of_another_pool(database) {
        let world = World::new(database).await;
        for (path, body) in before_login() {
            world.stores_nothing(world.cafe().pool(SHOP).post(path, body.clone())).await.refused(2020);
            world.stores_nothing(world.nobody().post(path, body)).await.refused(2101);
        }
        let bob = registered(&world.client(), "bob").await;
        let login = json!({ "connection": "PASSWORD", "passwordPayload": { "account": "bob", "password": PASSWORD } });
        assert_eq!(world.cafe().post("/api/v3/signin", login.clone()).await.code(), 2333);
        let other = registered(&world.cafe(), "bob").await;
        assert_ne!(bob, other);

        let phone = "13812345678";
        let ask = json!({ "phoneNumber": phone, "channel": "CHANNEL_LOGIN" });
        world.nobody().pool(SHOP).post("/api/v3/send-sms", ask).await.data();
        let code = sent_code(&world).await;
        let login = json!({
            "connection": "PASSCODE", "passCodePayload": { "phone": phone, "passCode": code },
            "options": { "autoRegister": true },
        });
        world.cafe().post("/api/v3/signin", login.clone()).await.refused(2001);
        world.client().post("/api/v3/signin", login).await.data();

        let sources = world.nobody().pool(CAFE).get("/api/v3/get-application-enabled-extidps").await.data();
        let names: Vec<_> = sources.as_array().unwrap().iter().map(|s| s["identifier"].clone()).collect();
        assert_eq!(names, ["cafe-mini"]);
    }

    /// Only a code sent for this purpose unlocks a locked account.
    async fn an_account_is_unlocked(database) {
        let world = World::new(database).await;
        let client = world.client();
        let phone = "13812345678";
        let code_for = |channel: &'static str| {
            let (client, world) = (&client, &world);
            async move {
                world.advance(Duration::from_secs(60));
                client.post("/api/v3/send-sms", json!({ "phoneNumber": phone, "channel": channel })).await.data();
                sent_code(world).await
            }
        };
        let payload = json!({ "phone": phone, "passCode": code_for("CHANNEL_REGISTER").await });
        client.post("/api/v3/signup", json!({ "connection": "PASSCODE", "passCodePayload": payload })).await.data();
        let payload = json!({ "phone": phone, "passCode": code_for("CHANNEL_LOGIN").await });
        let by_code = json!({ "connection": "PASSCODE", "passCodePayload": payload });
        let access = client.post("/api/v3/signin", by_code).await.data()["access_token"].as_str().unwrap().to_owned();
        let own = client.clone().bearer(&access);
        own.post("/api/v3/update-password", json!({ "newPassword": PASSWORD })).await.data();

        let sign_in = |password: &str| {
            let payload = json!({ "account": phone, "password": password });
            let body = json!({ "connection": "PASSWORD", "passwordPayload": payload });
            let client = client.clone();
            async move { client.post("/api/v3/signin", body).await }
        };
        for _ in 0..10 {
            assert_eq!(sign_in("not the password").await.code(), 2333);
        }
        sign_in(PASSWORD).await.refused(2057);
        let unlock = |code: String| {
            let body = json!({ "phoneNumber": phone, "passCode": code });
            let client = client.clone();
            async move { client.post("/api/v3/unlock-account", body).await }
        };
        unlock(code_for("CHANNEL_LOGIN").await).await.refused(2001);
        let code = code_for("CHANNEL_UNLOCK_ACCOUNT").await;
        world.cafe().post("/api/v3/unlock-account", json!({ "phoneNumber": phone, "passCode": code })).await.refused(2001);
        sign_in(PASSWORD).await.refused(2057);
        unlock(code.clone()).await.data();
        sign_in(PASSWORD).await.data();
        unlock(code).await.refused(2001);
    }

    /// A login that waits for a new password returns a token that sets the password once.
    async fn a_first_login_sets_a_password(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let body = json!({ "username": "newcomer", "email": "newcomer@example.com", "password": PASSWORD, "mustReset": true });
        let id = create(&world, &owner, body).await;
        let client = world.client();
        let login = "mutation ($i: LoginByUsernameInput!) { loginByUsername(input: $i) { id token } }";
        let by = |password: &str| json!({ "i": { "username": "newcomer", "password": password } });
        let waiting = client.graphql(login, by(PASSWORD)).await.json()["errors"][0]["message"].clone();
        assert_eq!(waiting["code"], 1639, "{waiting}");
        let token = waiting["data"]["token"].as_str().unwrap();
        assert_eq!(waiting["data"]["key"], token);

        let first = "mutation ($token: String!, $password: String!) {
            resetPasswordByFirstLoginToken(token: $token, password: $password) { message code } }";
        let set = |token: &str, password: &str| json!({ "token": token, "password": password });
        world.cafe().graphql(first, set(token, "walnut harbour 12")).await.refused(2206);
        client.graphql(first, set("nonsense", "walnut harbour 12")).await.refused(2206);
        client.graphql(first, set(token, "password")).await.refused(2061);
        let done = client.graphql(first, set(token, "walnut harbour 12")).await.data();
        assert_eq!(done["resetPasswordByFirstLoginToken"]["code"], 200);
        client.graphql(first, set(token, "plum orchard 77")).await.refused(2206);
        assert_eq!(client.graphql(login, by(PASSWORD)).await.json()["errors"][0]["message"]["code"], 2333);
        client.graphql(login, by("walnut harbour 12")).await.data();
        assert_eq!(world.rows("sessions").await, 1, "none stays of the login that waited");

        // The other name of the same mutation.
        let path = format!("/admin/v1/pools/{SHOP}/users/{id}/password");
        let again = json!({ "password": PASSWORD, "mustReset": true });
        hufu_testkit::administration::call(&world, Some(&owner), "POST", &path, Some(again)).await.is(200);
        let waiting = client.graphql(login, by(PASSWORD)).await.json()["errors"][0]["message"].clone();
        let forced = "mutation ($token: String!, $oldPassword: String!, $newPassword: String!) {
            resetPasswordByForceResetToken(token: $token, oldPassword: $oldPassword, newPassword: $newPassword) {
                message code } }";
        let passwords = json!({
            "token": waiting["data"]["token"], "oldPassword": PASSWORD, "newPassword": "quince meadow 31",
        });
        client.graphql(forced, passwords).await.data();
        client.graphql(login, by("quince meadow 31")).await.data();

        // No new password is due any more. Nothing is sent, and the response is the same.
        let send = "mutation ($userId: String!, $appId: String!) {
            sendFirstLoginVerifyEmail(userId: $userId, appId: $appId) { message code } }";
        let before = world.outbox().list().len();
        for user in [&id, "6560c0ffee00000000000099", "nonsense"] {
            client.graphql(send, json!({ "userId": user, "appId": SHOP_APP })).await.data();
        }
        world.node.app.run_due_jobs().await;
        assert_eq!(world.outbox().list().len(), before);
        let body = json!({ "username": "second", "email": "second@example.com", "password": PASSWORD, "mustReset": true });
        let second = create(&world, &owner, body).await;
        client.graphql(send, json!({ "userId": second, "appId": SHOP_APP })).await.data();
        sent_code(&world).await;
        assert_eq!(world.outbox().list()[0].to, "second@example.com");
    }

    /// The claims of a token, and the token types it is not accepted as. Also the applications of its pool,
    /// and the other logout route.
    async fn tokens_are_looked_at(database) {
        let world = World::new(database).await;
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;
        let set = world.client().log_in_v3(MINI, "bob").await;
        let validate = |query: String| {
            let client = world.client();
            async move { client.get(&format!("/api/v2/oidc/validate_token?{query}")).await }
        };
        for token in [format!("id_token={}", bob.token), format!("id_token={}", set.id), format!("access_token={}", set.access)] {
            let claims = validate(token).await.json();
            assert_eq!((&claims["sub"], &claims["aud"]), (&json!(bob.id), &json!(SHOP_APP)), "{claims}");
        }
        for token in [format!("access_token={}", bob.token), format!("id_token={}", set.access), "id_token=nonsense".to_owned()] {
            validate(token).await.refused(2020);
        }
        for query in [String::new(), "id_token=".to_owned(), format!("id_token={0}&access_token={0}", set.access)] {
            validate(query).await.refused(2231);
        }
        let elsewhere = world.cafe().get(&format!("/api/v2/oidc/validate_token?access_token={}", set.access)).await;
        elsewhere.refused(2020);

        let own = world.client().bearer(&bob.token);
        let allowed = own.get("/api/v2/users/me/applications/allowed?page=1&limit=2").await.data();
        assert_eq!(allowed["totalCount"], 3);
        assert_eq!(allowed["list"].as_array().unwrap().len(), 2);
        let all = own.get("/api/v2/users/me/applications/allowed").await.data();
        assert!(all["list"].as_array().unwrap().iter().any(|app| app["id"] == SHOP_APP));
        assert!(all["list"].as_array().unwrap().iter().all(|app| app["userPoolId"] == SHOP && app["id"] != CAFE_APP));

        own.get(&format!("/logout?appId={SHOP_APP}&deviceId=current")).await.data();
        own.get("/api/v2/users/me").await.refused(2020);
        validate(format!("id_token={}", bob.token)).await.refused(2020);
        world.client().get("/logout").await.data();
    }

    /// A user who only has WeChat can bind a first number at any time. Removing it needs a recent login.
    async fn a_first_number_needs_a_recent_login_as_its_removal_does(database) {
        let world = World::new(database).await;
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;
        world.advance(Duration::from_secs(3600));
        let client = world.client().bearer(&bob.token);
        client.post("/api/v2/sms/send", json!({ "phone": "13812345678" })).await.data();
        let bind = "mutation ($phone: String!, $code: String!) { bindPhone(phone: $phone, phoneCode: $code) { id phone } }";
        let code = sent_code(&world).await;
        let with_code = json!({ "phone": "13812345678", "code": code });
        world.stores_nothing(client.graphql(bind, with_code.clone())).await.refused(2460);
        let again = world.client().log_in(MINI, "bob").await;
        world.client().bearer(&again.token).graphql(bind, with_code).await.data();
        world.advance(Duration::from_secs(3600));
        world.stores_nothing(client.graphql("mutation { unbindPhone { id } }", json!({}))).await.refused(2460);
        let again = world.client().log_in(MINI, "bob").await;
        let client = world.client().bearer(&again.token);
        client.graphql("mutation { unbindPhone { id } }", json!({})).await.data();
    }

    /// By default an address cannot be registered without a code. The response is the same if it already has
    /// an account.
    async fn registering_an_address_needs_a_code(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let body = json!({ "username": "known", "email": "known@example.com", "password": PASSWORD });
        create(&world, &owner, body).await;
        let register = "mutation ($i: RegisterByEmailInput!) { registerByEmail(input: $i) { id } }";
        let mut told = Vec::new();
        for email in ["known@example.com", "unknown@example.com"] {
            let input = json!({ "i": { "email": email, "password": PASSWORD } });
            told.push(world.stores_nothing(world.client().graphql(register, input)).await.refused(2422));
        }
        assert_eq!(told[0], told[1]);
    }

    /// A v3 access token is not a user token and is never exchanged for one.
    async fn a_user_of_v2_keeps_the_token_that_was_sent(database) {
        let world = World::new(database).await;
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;
        let me = world.client().bearer(&bob.token).get("/api/v2/users/me").await.data();
        assert_eq!(me["token"], bob.token.as_str());
        assert_eq!(me["id"], bob.id.as_str());
        assert!(!me["identities"].as_array().unwrap().is_empty());
        let access = world.client().log_in_v3(MINI, "bob").await.access;
        assert!(world.client().bearer(&access).get("/api/v2/users/me").await.data()["token"].is_null());
    }
}
