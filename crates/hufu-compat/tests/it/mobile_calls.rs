//! The REST calls of the mobile SDKs and of Guard: logging in, registering, one's own account. And where an id token is
//! a bearer.

use std::time::Duration;

use axum::http::Method;
use hufu_testkit::on_both_engines;
use hufu_testkit::routes::ROUTES;
use hufu_types::ApplicationKind;
use serde_json::{Value, json};

use crate::client::{Answer, Client, GET_PROFILE, LOGOUT, SIGNIN, claims, signin};
use crate::login_flows::shop_with;
use crate::world::{FILE, MINI, SHOP_APP, TWO, World};

const NUMBER: &str = "13800000001";
const OTHER: &str = "13800000002";
const ADDRESS: &str = "mei@example.com";
const PASSWORD: &str = "a good long password";
const NEW_PASSWORD: &str = "another good long password";

/// The calls that take the id token of the mobile SDKs.
const MOBILE: [(&str, &str); 20] = [
    ("GET", "/api/v2/users/me"),
    ("GET", "/api/v2/users/me/info"),
    ("GET", "/api/v3/get-user"),
    ("POST", "/api/v2/users/refresh-token"),
    ("POST", "/api/v2/users/profile/update"),
    ("POST", "/api/v2/password/update"),
    ("POST", "/api/v2/users/phone/bind"),
    ("POST", "/api/v2/users/phone/unbind"),
    ("POST", "/api/v2/users/phone/update"),
    ("POST", "/api/v2/users/email/bind"),
    ("POST", "/api/v2/users/email/unbind"),
    ("POST", "/api/v2/users/email/update"),
    ("POST", "/api/v2/udvs/get"),
    ("POST", "/api/v2/udfs/values"),
    ("POST", "/api/v2/qrcode/scanned"),
    ("POST", "/api/v2/qrcode/confirm"),
    ("POST", "/api/v2/qrcode/cancel"),
    ("POST", "/api/v3/qrcode-app-login"),
    // These end the login.
    ("GET", LOGOUT),
    ("DELETE", "/api/v2/users/delete"),
];

/// The code that `send` leads to.
async fn code(client: &Client<'_>, path: &str, body: Value) -> String {
    let world = client.world;
    world.advance(Duration::from_secs(61));
    client.post(path, body).await.data();
    world.node.app.run_due_jobs().await;
    world.outbox().list().into_iter().find_map(|message| message.code).unwrap()
}

async fn sms(client: &Client<'_>, phone: &str) -> String {
    code(client, "/api/v2/sms/send", json!({ "phone": phone, "phoneCountryCode": "+86" })).await
}

async fn mail(client: &Client<'_>, email: &str, scene: &str) -> String {
    code(client, "/api/v2/email/send", json!({ "email": email, "scene": scene })).await
}

async fn send(client: &Client<'_>, method: &str, path: &str) -> Answer {
    let method: Method = method.parse().unwrap();
    let body = if method == Method::POST { b"{}".to_vec() } else { Vec::new() };
    client.send(method, path, "application/json", body).await
}

/// What an answer says, without what differs from request to request.
fn said(answer: &Answer) -> (u16, Value, Value) {
    let json: Value = serde_json::from_slice(&answer.bytes).unwrap_or_default();
    (answer.status.as_u16(), json["code"].clone(), json["error"].clone())
}

on_both_engines! {
    async fn an_account_is_registered_and_logged_in_to(database) {
        let world = World::new(database).await;
        let client = world.client();
        let sent = sms(&client, NUMBER).await;
        let body = json!({
            "phone": NUMBER, "code": sent, "phoneCountryCode": "+86", "password": PASSWORD, "forceLogin": true,
            "profile": { "nickname": "Mei" }, "customData": { "level": 3 },
        });
        let user = client.post("/api/v2/register/phone-code", body).await.user();
        assert_eq!((&user.data["phone"], &user.data["nickname"]), (&json!(NUMBER), &json!("Mei")));

        for account in [NUMBER.to_owned(), format!("+86{NUMBER}")] {
            let body = json!({ "account": account, "password": PASSWORD, "autoRegister": false, "withCustomData": false });
            assert_eq!(client.post("/api/v2/login/account", body).await.user().id, user.id);
        }
        let wrong = json!({ "account": NUMBER, "password": "not the password" });
        client.post("/api/v2/login/account", wrong).await.code_is(2333);
        let sent = sms(&client, NUMBER).await;
        let body = json!({ "phone": NUMBER, "code": sent, "phoneCountryCode": "+86" });
        assert_eq!(client.post("/api/v2/login/phone-code", body).await.user().id, user.id);

        // A code for a number without an account makes one, unless the client does not want that.
        let sent = sms(&client, OTHER).await;
        let body = |create: bool| json!({ "phone": OTHER, "code": sent, "autoRegister": create });
        client.post("/api/v2/login/phone-code", body(false)).await.refused(2004);
        let sent = sms(&client, OTHER).await;
        let body = json!({ "phone": OTHER, "code": sent });
        assert_eq!(client.post("/api/v2/login/phone-code", body).await.data()["newlyCreated"], true);

        let sent = mail(&client, ADDRESS, "REGISTER_VERIFY_CODE").await;
        let body = json!({ "account": ADDRESS, "code": sent, "password": PASSWORD, "generateToken": true });
        let by_mail = client.post("/api/v2/register-email-code", body).await.user();
        let sent = mail(&client, ADDRESS, "login_verify_code").await;
        let body = json!({ "email": ADDRESS, "code": sent });
        assert_eq!(client.post("/api/v2/login/email-code", body).await.user().id, by_mail.id);

        for (path, name) in [("/api/v2/register/username", "username"), ("/api/v2/register-username", "account")] {
            let body = json!({ name: name, "password": PASSWORD });
            let made = client.post(path, body).await.data();
            assert_eq!((&made["username"], &made["token"]), (&json!(name), &Value::Null), "a token only on request");
        }
    }

    async fn what_is_not_proved_is_not_registered(database) {
        let world = World::new(database).await;
        let client = world.client();
        for (path, body, code) in [
            ("/api/v2/register/email", json!({ "email": ADDRESS, "password": PASSWORD }), 2422),
            ("/api/v2/register-email", json!({ "account": ADDRESS, "password": PASSWORD }), 2422),
            ("/api/v2/register-phone", json!({ "account": NUMBER, "password": PASSWORD }), 2001),
            ("/api/v2/register-phone-code", json!({ "phone": NUMBER, "code": "123456" }), 2001),
            ("/api/v2/register/phone-code", json!({ "phone": NUMBER }), 2231),
            ("/api/v2/register/username", json!({ "username": "mei" }), 2231),
            ("/api/v2/register/username", json!({ "password": PASSWORD }), 2231),
            ("/api/v2/login/account", json!({ "account": "alice" }), 2231),
            ("/api/v2/login/phone-code", json!({ "phone": NUMBER }), 2231),
            ("/api/v2/email/send", json!({ "email": ADDRESS, "scene": "WHATEVER" }), 2231),
            ("/api/v2/password/reset/sms", json!({ "phone": NUMBER, "code": "123456", "newPassword": PASSWORD }), 2001),
            ("/api/v2/password/reset/email", json!({ "email": ADDRESS, "code": "123456" }), 2231),
        ] {
            world.stores_nothing(client.post(path, body)).await.refused(code);
        }
        let file = FILE.replacen("name = \"Shop\"", "name = \"Shop\"\n  [user_pool.settings]\n  register_email_without_code = true", 1);
        world.reconfigure(&file).await;
        let body = json!({ "email": ADDRESS, "password": PASSWORD, "forceLogin": true });
        let user = client.post("/api/v2/register/email", body).await.user();
        assert_eq!(user.data["emailVerified"], false);
    }

    async fn agreements_of_the_clients_page_are_accepted_with_the_login(database) {
        let world = World::new(database).await;
        let terms = "agreements = [{ id = \"terms\", version = 2, title = \"Terms\" }]";
        world.reconfigure(&shop_with(FILE, terms)).await;
        let client = world.client();
        let body = |ids: Value| json!({ "account": "anna", "password": PASSWORD, "agreementIds": ids });
        client.post("/api/v2/login/account", body(Value::Null)).await.refused(2414);
        client.post("/api/v2/login/account", body(json!(["news", 7]))).await.refused(2416);
        client.post("/api/v2/login/account", body(json!(["terms"]))).await.user();
        client.post("/api/v2/login/account", body(json!([]))).await.user();
    }

    async fn ones_own_account(database) {
        let world = World::new(database).await;
        world.change_application(SHOP_APP, |application| application.kind = ApplicationKind::Native).await;
        world.person("bob");
        let tokens = world.client().log_in_v3(MINI, "bob").await;
        let client = world.client().bearer(&tokens.id);
        let id = tokens.user();
        for path in ["/api/v2/users/me", "/api/v2/users/me/info"] {
            let me = client.get(path).await.data();
            assert_eq!((&me["id"], &me["token"]), (&json!(id), &Value::Null));
        }
        let user = client.get("/api/v3/get-user?withCustomData=true").await.data();
        assert_eq!((&user["userId"], &user["customData"]), (&json!(id), &json!({})));

        let change = json!({ "nickname": "Bob", "gender": "M", "username": "root", "blocked": true });
        let changed = client.post("/api/v2/users/profile/update", change).await.data();
        assert_eq!((&changed["nickname"], &changed["username"]), (&json!("Bob"), &Value::Null));

        let values = json!({ "udfs": [{ "definition": "level", "value": 3 }, { "definition": "note", "value": "x" }] });
        client.post("/api/v2/udfs/values", values).await.done();
        let read = json!({ "targetType": "USER", "targetId": id });
        let list = client.post("/api/v2/udvs/get", read.clone()).await.json();
        let expected = json!([
            { "key": "level", "dataType": "NUMBER", "value": "3", "label": null },
            { "key": "note", "dataType": "STRING", "value": "x", "label": null },
        ]);
        assert_eq!(list, expected, "a list without an envelope");
        client.post("/api/v2/udfs/values", json!({ "udfs": [{ "definition": "note" }] })).await.done();
        assert_eq!(client.post("/api/v2/udvs/get", read).await.json().as_array().unwrap().len(), 1);
        let foreign = json!({ "targetType": "USER", "targetId": "6560c0ffee00000000000099" });
        client.post("/api/v2/udvs/get", foreign).await.refused(1001);
        client.post("/api/v2/udvs/get", json!({ "targetType": "ORG", "targetId": id })).await.refused(2231);

        let sent = sms(&client, NUMBER).await;
        let bound = client.post("/api/v2/users/phone/bind", json!({ "phone": NUMBER, "phoneCode": sent })).await.data();
        assert_eq!(bound["phone"], NUMBER);
        let (new, old) = (sms(&client, OTHER).await, sms(&client, NUMBER).await);
        let body = json!({ "phone": OTHER, "phoneCode": new, "oldPhone": NUMBER, "oldPhoneCode": old });
        assert_eq!(client.post("/api/v2/users/phone/update", body).await.data()["phone"], OTHER);
        let sent = mail(&client, ADDRESS, "EMAIL_BIND_VERIFY_CODE").await;
        let bound = client.post("/api/v2/users/email/bind", json!({ "email": ADDRESS, "emailCode": sent })).await.data();
        assert_eq!(bound["email"], ADDRESS);
        let new = mail(&client, "new@example.com", "CHANGE_EMAIL").await;
        let old = mail(&client, ADDRESS, "CHANGE_EMAIL").await;
        let body = json!({ "email": "new@example.com", "emailCode": new, "oldEmail": ADDRESS, "oldEmailCode": old });
        assert_eq!(client.post("/api/v2/users/email/update", body).await.data()["email"], "new@example.com");
        assert_eq!(send(&client, "POST", "/api/v2/users/email/unbind").await.data()["email"], Value::Null);

        client.post("/api/v2/password/update", json!({ "newPassword": PASSWORD })).await.data();
        let again = world.client().post("/api/v2/login/account", json!({ "account": OTHER, "password": PASSWORD })).await.user();
        let client = world.client().bearer(&again.token);
        let body = json!({ "newPassword": NEW_PASSWORD, "oldPassword": PASSWORD });
        client.post("/api/v2/password/update", body).await.data();
        let sent = sms(&world.client(), OTHER).await;
        let body = json!({ "phone": OTHER, "code": sent, "newPassword": PASSWORD });
        world.client().post("/api/v2/password/reset/sms", body).await.done();
        let login = json!({ "account": OTHER, "password": PASSWORD });
        let user = world.client().post("/api/v2/login/account", login.clone()).await.user();

        let client = world.client().bearer(&user.token);
        let renewed = send(&client, "POST", "/api/v2/users/refresh-token").await.data();
        assert_eq!(claims(renewed["token"].as_str().unwrap())["sub"], id.as_str());
        assert!(renewed["exp"].as_i64() > renewed["iat"].as_i64());
        assert_eq!(send(&client, "POST", "/api/v2/users/phone/unbind").await.data()["phone"], Value::Null);

        send(&client, "DELETE", "/api/v2/users/delete").await.done();
        client.get("/api/v2/users/me").await.refused(2020);
        world.client().try_log_in(crate::client::Mode::V2Code, MINI, "bob").await.refused(2413);
    }

    async fn an_account_is_deleted_by_a_recent_login_alone(database) {
        let world = World::new(database).await;
        world.person("bob");
        let client = world.client().bearer(&world.client().log_in(MINI, "bob").await.token);
        world.advance(Duration::from_secs(15 * 60 + 1));
        world.refuses(2460, "user.deletion_requested", send(&client, "DELETE", "/api/v2/users/delete")).await;
        client.get("/api/v2/users/me").await.data();
    }

    async fn an_id_token_is_a_bearer_of_the_mobile_calls_and_of_no_others(database) {
        let world = World::new(database).await;
        world.change_application(SHOP_APP, |application| application.kind = ApplicationKind::Native).await;
        world.person("bob");
        for (method, path) in ROUTES {
            let path = path.replace("{name}", "x").replace("{id}", SHOP_APP);
            if MOBILE.contains(&(*method, path.as_str())) {
                continue;
            }
            let id_token = world.client().log_in_v3(MINI, "bob").await.id;
            let without = send(&world.client(), method, &path).await;
            let with = send(&world.client().bearer(&id_token), method, &path).await;
            assert_eq!(said(&with), said(&without), "{method} {path}: {with}");
        }
        // Before it is read, a token is not remembered for other calls either.
        let tokens = world.client().log_in_v3(MINI, "bob").await;
        let client = world.client().bearer(&tokens.id);
        client.get("/api/v2/users/me").await.data();
        client.get(GET_PROFILE).await.refused(2020);
        client.get("/logout").await.done();
        for (method, path) in &MOBILE[..18] {
            send(&world.client(), method, path).await.refused(2020);
            let answer = send(&client, method, path).await;
            assert_ne!(answer.json()["code"], 2020, "{path}: {answer}");
        }
        // As an access token, it never becomes a user token.
        send(&client, "POST", "/api/v2/users/refresh-token").await.refused(2231);
        client.get(&format!("{LOGOUT}?app_id={SHOP_APP}&only_self=true")).await.done();
        client.get("/api/v2/users/me").await.refused(2020);
        world.client().bearer(&tokens.access).get(GET_PROFILE).await.refused(2020);
    }

    async fn an_id_token_grants_no_more_than_its_login(database) {
        let world = World::new(database).await;
        world.change_application(SHOP_APP, |application| application.kind = ApplicationKind::Native).await;
        world.person("bob");
        let client = world.client();
        let log_in = async |scope: &str| {
            let mut body = signin("wechat_mini_program_code", "wechatMiniProgramCodePayload", &json!({ "code": world.code(MINI, "bob") }));
            body["options"]["scope"] = scope.into();
            client.post(SIGNIN, body).await.data()["id_token"].as_str().unwrap().to_owned()
        };
        let narrow = log_in("openid").await;
        client.clone().bearer(&narrow).get("/api/v2/users/me").await.refused(2470);
        let wide = log_in("openid profile").await;
        let own = client.clone().bearer(&wide);
        own.get("/api/v2/users/me").await.data();
        // Of another application, of another pool, expired.
        world.nobody().app(crate::world::SHOP_WEB).bearer(&wide).get("/api/v2/users/me").await.refused(2020);
        world.cafe().bearer(&wide).get("/api/v2/users/me").await.refused(2020);
        let (head, _) = wide.rsplit_once('.').unwrap();
        client.clone().bearer(&format!("{head}.AAAA")).get("/api/v2/users/me").await.refused(2020);
        // Those of other programs are shown to back ends.
        for kind in [ApplicationKind::Web, ApplicationKind::Spa, ApplicationKind::MiniProgram] {
            world.change_application(SHOP_APP, |application| application.kind = kind).await;
            own.get("/api/v2/users/me").await.refused(2020);
        }
        world.change_application(SHOP_APP, |application| application.kind = ApplicationKind::Native).await;
        // Where id tokens travel in addresses.
        world.change_application(SHOP_APP, |application| {
            application.client.grants = Some(vec![hufu_types::Grant::Implicit]);
        }).await;
        own.get("/api/v2/users/me").await.refused(2020);
        world.change_application(SHOP_APP, |application| application.client.grants = None).await;
        own.get("/api/v2/users/me").await.data();
        world.advance(Duration::from_secs(2 * 60 * 60 + 6));
        own.get("/api/v2/users/me").await.refused(2020);
    }

    async fn a_source_is_linked_by_the_code_that_its_client_got(database) {
        let world = World::new(database).await;
        for name in ["bob", "eve"] {
            world.person(name);
        }
        let bob = world.client().log_in(MINI, "bob").await;
        let eve = world.client().log_in(MINI, "eve").await;
        world.reconfigure_with("  open_platform = \"shop\"\n  fields = { app_id = \"wx00000000000000a2\"", "  fields = { app_id = \"wx00000000000000a2\"").await;
        let link = |code: String| json!({ "extIdpConnidentifier": "shop-two", "code": code });
        let client = world.client().bearer(&bob.token);
        client.post("/api/v3/link-extidp", link(world.code(TWO, "bob"))).await.done();
        assert_eq!(world.client().log_in(TWO, "bob").await.id, bob.id);
        let other = world.client().bearer(&eve.token);
        other.post("/api/v3/link-extidp", link(world.code(TWO, "bob"))).await.refused(2213);
        world.client().post("/api/v3/link-extidp", link(world.code(TWO, "bob"))).await.refused(2020);
        client.post("/api/v3/link-extidp", json!({ "code": "x" })).await.refused(2231);
        client.post("/api/v3/link-extidp", json!({ "extIdpConnidentifier": "shop-spare", "code": "x" })).await.refused(2404);
        world.advance(Duration::from_secs(15 * 60 + 1));
        other.post("/api/v3/link-extidp", link(world.code(TWO, "eve"))).await.refused(2460);
    }

    async fn the_login_mini_program_sets_a_number_and_logs_out(database) {
        let world = World::new(database).await;
        for (name, phone) in [("bob", NUMBER), ("eve", OTHER)] {
            let (name, phone) = (Some(name.to_owned()), Some(phone.to_owned()));
            world.person_with(hufu_sandbox::NewUser { name, phone, ..hufu_sandbox::NewUser::default() });
        }
        let tokens = world.client().log_in_v3(MINI, "bob").await;
        let client = world.client().header("authorization", &tokens.access);
        let code = || world.phone_code(MINI, "bob");
        let shown = client.post("/api/v3/get-wechat-miniprogram-phone-data", json!({ "extIdpConnidentifier": "shop-mini", "code": code() })).await.data();
        assert_eq!(shown["phone_info"]["purePhoneNumber"], NUMBER);

        let path = "/api/v3/wechat-miniprogram/updatePhone";
        let body = |phone: &str, code: String| json!({ "phone": phone, "phoneCountryCode": "+86", "codeForUpdatePhone": code });
        client.post(path, body(OTHER, code())).await.refused(2207);
        client.post(path, body(NUMBER, code())).await.done();
        assert_eq!(client.get(GET_PROFILE).await.data()["phone"], NUMBER);
        client.post(path, json!({ "phone": NUMBER })).await.refused(2231);
        world.client().post(path, body(NUMBER, code())).await.refused(2020);
        // Another person's number, and one's own that a code has to be sent to before it is replaced.
        let of_eve = world.phone_code(MINI, "eve");
        client.post(path, body(OTHER, of_eve)).await.refused(2038);
        let eve = world.client().header("authorization", &world.client().log_in_v3(MINI, "eve").await.access);
        eve.post(path, body(NUMBER, code())).await.refused(2035);
        world.advance(Duration::from_secs(15 * 60 + 1));
        eve.post(path, body(OTHER, world.phone_code(MINI, "eve"))).await.refused(2460);

        let logout = "/api/v3/wechat-miniprogram/logout";
        let sent = json!({ "idToken": tokens.id, "accessToken": tokens.access, "refreshToken": tokens.refresh });
        world.client().post(logout, json!({ "idToken": tokens.id })).await.done();
        client.get(GET_PROFILE).await.data();
        world.cafe().post(logout, sent.clone()).await.done();
        client.get(GET_PROFILE).await.data();
        world.client().post(logout, sent.clone()).await.done();
        client.get(GET_PROFILE).await.refused(2020);
        world.client().refresh(&tokens.refresh).await.oauth_error("invalid_grant");
        world.client().post(logout, sent).await.done();
    }
}
