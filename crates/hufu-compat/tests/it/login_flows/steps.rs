//! The steps that an account must complete: only what is due is asked for, and only as long as it is due.

use hufu_testkit::on_both_engines;
use hufu_types::{AdminRole, UserStatus};
use serde_json::{Value, json};

use super::{Waiting, asking, connection_with, person, shop_with, two_accounts, world_with};
use crate::client::{Answer, Client, Mode, SCOPE};
use crate::world::{ALICE_PHONE, FILE, MINI, Plan, SHOP, World};
use hufu_testkit::administration::{call, create, key, users};

const OLD: &str = "a good long password";
const NEW: &str = "another good long password";

/// The code that a channel of the v3 clients sends.
pub(super) async fn code_to(client: &Client<'_>, target: &str, channel: &str) -> String {
    let world = client.world;
    let (path, name) = if target.contains('@') {
        ("/api/v3/send-email", "email")
    } else {
        ("/api/v3/send-sms", "phoneNumber")
    };
    let codes = || world.outbox().list().into_iter().filter_map(|message| message.code).collect::<Vec<_>>();
    let sent = codes().len();
    client.post(path, json!({ name: target, "channel": channel })).await.refused_or_data();
    world.node.app.run_due_jobs().await;
    assert_eq!(codes().len(), sent + 1, "{target} {channel}");
    codes().swap_remove(0)
}

/// A login by password, as the v3 clients send it.
async fn sign_in(client: &Client<'_>, username: &str, password: &str) -> Answer {
    let payload = json!({ "username": username, "password": password });
    let body = json!({ "connection": "PASSWORD", "passwordPayload": payload, "options": { "scope": SCOPE } });
    client.post("/api/v3/signin", body).await
}

/// A login by password, as the v2 clients send it.
async fn log_in(client: &Client<'_>, username: &str, password: &str) -> Answer {
    const QUERY: &str =
        "mutation ($input: LoginByUsernameInput!) { loginByUsername(input: $input) { id token } }";
    client.graphql(QUERY, json!({ "input": { "username": username, "password": password } })).await
}

/// The response of a waiting login in GraphQL.
fn waiting_in_graphql(answer: &Answer, code: u64) -> Waiting {
    answer.refused(code);
    let data = answer.json()["errors"][0]["message"]["data"].clone();
    let id = data["flowId"].as_str().unwrap_or_else(|| panic!("no flow: {answer}")).to_owned();
    Waiting { id, data }
}

/// Sets another password with a code sent to the address.
async fn reset(client: &Client<'_>, email: &str, password: &str) {
    const QUERY: &str = "mutation ($email: String, $code: String!, $new: String!) {
        resetPassword(email: $email, code: $code, newPassword: $new) { code } }";
    let code = code_to(client, email, "CHANNEL_RESET_PASSWORD").await;
    client.graphql(QUERY, json!({ "email": email, "code": code, "new": password })).await.data();
}

/// An account as administrators see it.
async fn seen(world: &World, key: &str, id: &str) -> Value {
    call(world, Some(key), "GET", &format!("{}/{id}", users(SHOP)), None).await.is(200)
}

async fn anna(world: &World, key: &str) -> Value {
    let path = format!("{}?limit=50", users(SHOP));
    let page = call(world, Some(key), "GET", &path, None).await.is(200);
    let all = page["users"].as_array().unwrap();
    all.iter().find(|user| user["username"] == "anna").unwrap().clone()
}

fn nickname() -> Value {
    json!({ "action": "fill_in", "profile": { "nickname": "Thief" } })
}

on_both_engines! {
    async fn a_waiting_login_ends_with_the_sessions(database) {
        let world = world_with(database, &shop_with(FILE, "required_fields = [\"nickname\"]")).await;
        let key = key(&world, AdminRole::Owner, None).await;
        let client = world.client();
        let id = anna(&world, &key).await["id"].as_str().unwrap().to_owned();

        let waiting = Waiting::of(&sign_in(&client, "anna", OLD).await, 1642);
        reset(&client, "anna@example.com", NEW).await;
        waiting.step(&client, nickname()).await.refused(2206);

        let waiting = Waiting::of(&sign_in(&client, "anna", NEW).await, 1642);
        call(&world, Some(&key), "DELETE", &format!("{}/{id}/sessions", users(SHOP)), None).await;
        waiting.step(&client, nickname()).await.refused(2206);

        let waiting = Waiting::of(&sign_in(&client, "anna", NEW).await, 1642);
        world.set_status(SHOP, &id, UserStatus::Suspended).await;
        waiting.step(&client, nickname()).await.refused(2206);
        world.set_status(SHOP, &id, UserStatus::Activated).await;
        waiting.step(&client, nickname()).await.refused(2206);

        // An administrator sets another password, and the sessions are kept.
        let waiting = Waiting::of(&sign_in(&client, "anna", NEW).await, 1642);
        let body = json!({ "password": OLD, "keepSessions": true });
        call(&world, Some(&key), "POST", &format!("{}/{id}/password", users(SHOP)), Some(body)).await.is(200);
        waiting.step(&client, nickname()).await.refused(2206);

        assert_eq!(seen(&world, &key, &id).await["profile"].get("nickname"), None, "nothing was filled in");
        assert_eq!((world.rows("login_flows").await, world.rows("sessions").await), (0, 0));
    }

    async fn a_first_password_is_replaced_at_the_first_login(database) {
        let world = World::new(database).await;
        let key = key(&world, AdminRole::Owner, None).await;
        let client = world.client();
        let body = json!({ "username": "carl", "password": OLD, "mustReset": true });
        let carl = create(&world, &key, body).await;

        let first = Waiting::of(&sign_in(&client, "carl", OLD).await, 1639);
        assert_eq!((&first.data["stage"], &first.data["actions"]), (&json!("new_password"), &json!(["set_password", "expire"])));
        assert_eq!(first.data["token"], first.data["key"], "by the name that the published clients read");
        assert_eq!(world.rows("sessions").await, 0);
        let set = |password: &str| json!({ "action": "set_password", "password": password });
        first.step(&client, set("short")).await.refused(2061);
        let tokens = first.step(&client, set(NEW)).await.tokens();
        assert_eq!(tokens.user(), carl);
        assert_eq!(sign_in(&client, "carl", OLD).await.code(), 2333);
        assert_eq!(sign_in(&client, "carl", NEW).await.tokens().user(), carl, "asked once");

        // The v2 clients, after an administrator demands a new password. The demand itself ends no session.
        let path = format!("{}/{carl}/password", users(SHOP));
        let body = json!({ "password": OLD, "mustReset": true, "keepSessions": true });
        call(&world, Some(&key), "POST", &path, Some(body)).await.is(200);
        assert_eq!(world.rows("sessions").await, 2);
        let waiting = waiting_in_graphql(&log_in(&client, "carl", OLD).await, 1639);
        let user = waiting.step(&client, set(NEW)).await.user();
        assert_eq!(user.id, carl);
        assert_eq!(world.rows("sessions").await, 1, "whoever knew the old password is out");
        log_in(&client, "carl", NEW).await.data();
        assert_eq!(seen(&world, &key, &carl).await["mustReset"], false);
    }

    async fn an_old_password_does_not_replace_a_new_one(database) {
        let world = World::new(database).await;
        let key = key(&world, AdminRole::Owner, None).await;
        let client = world.client();
        let body = json!({ "username": "carl", "email": "carl@example.com", "password": OLD, "mustReset": true });
        create(&world, &key, body).await;
        let set = |password: &str| json!({ "action": "set_password", "password": password });

        let thief = Waiting::of(&sign_in(&client, "carl", OLD).await, 1639);
        reset(&client, "carl@example.com", NEW).await;
        let owner = sign_in(&client, "carl", NEW).await.tokens();
        thief.step(&client, set("the password of the thief")).await.refused(2206);
        client.clone().bearer(&owner.access).get("/api/v3/get-profile").await.data();
        sign_in(&client, "carl", NEW).await.tokens();

        // If two logins wait for a new password, only one of them sets it.
        let id = owner.user();
        let path = format!("{}/{id}/password", users(SHOP));
        call(&world, Some(&key), "POST", &path, Some(json!({ "password": OLD, "mustReset": true }))).await.is(200);
        let thief = Waiting::of(&sign_in(&client, "carl", OLD).await, 1639);
        let owner = Waiting::of(&sign_in(&client, "carl", OLD).await, 1639);
        let (a, b) = futures::join!(owner.step(&client, set(NEW)), thief.step(&client, set("the password of the thief")));
        let mut codes = [a.code(), b.code()];
        codes.sort_unstable();
        assert_eq!(codes, [200, 2206]);
    }

    async fn a_login_takes_only_names_that_are_asked_for(database) {
        let world = world_with(database, &shop_with(FILE, "required_fields = [\"nickname\"]")).await;
        let key = key(&world, AdminRole::Owner, None).await;
        let client = world.client();
        let before = anna(&world, &key).await;
        let waiting = Waiting::of(&sign_in(&client, "anna", OLD).await, 1642);
        let phone_code = code_to(&client, "13700000001", "CHANNEL_COMPLETE_PHONE").await;
        let email_code = code_to(&client, "thief@example.com", "CHANNEL_COMPLETE_EMAIL").await;
        let step = json!({
            "action": "fill_in", "profile": { "nickname": "Anna", "gender": "F" }, "username": "annika",
            "phone": "13700000001", "phoneCode": phone_code, "email": "thief@example.com", "emailCode": email_code,
        });
        waiting.step(&client, step).await.tokens();
        let after = anna(&world, &key).await;
        for name in ["username", "email", "phone"] {
            assert_eq!(after[name], before[name], "{name}");
        }
        assert_eq!((&after["profile"]["nickname"], &after["profile"]["gender"]), (&json!("Anna"), &json!("F")));
    }

    async fn a_vouched_name_is_never_replaced(database) {
        // The number is due; the address is already there.
        let world = world_with(database, &shop_with(FILE, "required_fields = [\"phone\", \"email\"]")).await;
        let key = key(&world, AdminRole::Owner, None).await;
        let client = world.client();
        let waiting = Waiting::of(&sign_in(&client, "anna", OLD).await, 1642);
        assert_eq!(waiting.data["missing"], json!(["phone"]));
        let phone_code = code_to(&client, "13700000001", "CHANNEL_COMPLETE_PHONE").await;
        let email_code = code_to(&client, "thief@example.com", "CHANNEL_COMPLETE_EMAIL").await;
        let step = json!({
            "action": "fill_in", "phone": "13700000001", "phoneCode": phone_code,
            "email": "thief@example.com", "emailCode": email_code,
        });
        waiting.step(&client, step).await.tokens();
        let after = anna(&world, &key).await;
        assert_eq!((&after["email"], &after["phone"]), (&json!("anna@example.com"), &json!("+8613700000001")));
        assert_eq!(after["phoneProof"], "code");
    }

    async fn a_phone_number_and_an_address_are_filled_in(database) {
        let world = world_with(database, &shop_with(FILE, "required_fields = [\"phone\", \"email\"]")).await;
        let client = world.client();
        let waiting = Waiting::of(&client.try_log_in(Mode::Code, MINI, "bob").await, 1642);
        assert_eq!(waiting.data["missing"], json!(["phone", "email"]));
        let phone = |number: &str, code: &str| json!({ "action": "fill_in", "phone": number, "phoneCode": code });
        let email = |address: &str, code: &str| json!({ "action": "fill_in", "email": address, "emailCode": code });

        // Both are taken, which is reported only to a user who proves them.
        let code = code_to(&client, ALICE_PHONE, "CHANNEL_COMPLETE_PHONE").await;
        let waiting = Waiting::of(&waiting.step(&client, phone(ALICE_PHONE, "000000")).await, 2001);
        let waiting = Waiting::of(&waiting.step(&client, phone(ALICE_PHONE, &code)).await, 2035);
        let code = code_to(&client, "anna@example.com", "CHANNEL_COMPLETE_EMAIL").await;
        let waiting = Waiting::of(&waiting.step(&client, email("anna@example.com", &code)).await, 2200);

        // A wrong code for the other name does not consume the right one.
        let phone_code = code_to(&client, "13700000001", "CHANNEL_COMPLETE_PHONE").await;
        let both = json!({
            "action": "fill_in", "phone": "13700000001", "phoneCode": phone_code,
            "email": "bob@example.com", "emailCode": "000000",
        });
        let waiting = Waiting::of(&waiting.step(&client, both).await, 2001);
        let waiting = Waiting::of(&waiting.step(&client, phone("13700000001", &phone_code)).await, 2416);
        assert_eq!(waiting.data["missing"], json!(["email"]), "what was filled in stays");
        let code = code_to(&client, "bob@example.com", "CHANNEL_COMPLETE_EMAIL").await;
        let bob = waiting.step(&client, email("bob@example.com", &code)).await.tokens();
        let profile = client.clone().bearer(&bob.access).get("/api/v3/get-profile").await.data();
        assert_eq!((&profile["email"], &profile["phone"]), (&json!("bob@example.com"), &json!("13700000001")));
        assert_eq!(profile["emailVerified"], true);
        assert_eq!(client.log_in_v3(MINI, "bob").await.user(), bob.user(), "asked once");
    }

    async fn what_is_filled_in_has_limits(database) {
        let world = Plan::new().limits(|limits| (limits.custom_keys, limits.custom_total) = (3, 60)).build(database).await;
        world.person("bob");
        world.reconfigure(&shop_with(FILE, "required_fields = [\"nickname\", \"username\"]")).await;
        let client = world.client();
        let waiting = Waiting::of(&client.try_log_in(Mode::Code, MINI, "bob").await, 1642);
        let fill = |data: Value| json!({ "action": "fill_in", "profile": { "nickname": "Bob" }, "customData": data });
        let refused = world.stores_nothing(waiting.step(&client, fill(json!({ "a": 1, "b": 2, "c": 3, "d": 4 })))).await;
        let waiting = Waiting::of(&refused, 2231);
        let refused = world.stores_nothing(waiting.step(&client, fill(json!({ "a": "x".repeat(60) })))).await;
        let waiting = Waiting::of(&refused, 2231);
        assert_eq!(waiting.data["missing"], json!(["nickname", "username"]));
        let waiting = Waiting::of(&waiting.step(&client, fill(json!({ "a": 1, "b": 2, "c": 3 }))).await, 2416);
        let waiting = Waiting::of(&waiting.step(&client, fill(json!({ "e": 5 }))).await, 2231);
        let name = |name: &str| json!({ "action": "fill_in", "username": name });
        waiting.step(&client, name("13812345678")).await.refused(2231);
        let waiting = Waiting::of(&waiting.step(&client, name("anna")).await, 2034);
        let bob = waiting.step(&client, name("bob")).await.tokens();
        let profile = client.clone().bearer(&bob.access).get("/api/v3/get-profile").await.data();
        assert_eq!((&profile["username"], &profile["nickname"]), (&json!("bob"), &json!("Bob")));
    }

    async fn a_waiting_v2_login_ends_with_the_ids_that_were_proved(database) {
        let settings = "required_fields = [\"nickname\"]\n  agreements = [{ id = \"terms\", version = 1, title = \"Terms\" }]";
        let world = world_with(database, &shop_with(FILE, settings)).await;
        let client = world.client();
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "bob").await, 1642);
        let step = json!({ "action": "fill_in", "profile": { "nickname": "Bob" } });
        let waiting = Waiting::of(&waiting.step(&client, step).await, 2414);
        let bob = waiting.step(&client, json!({ "action": "accept", "agreements": ["terms"] })).await.user();
        let again = client.log_in(MINI, "bob").await;
        for name in ["openid", "unionid"] {
            assert!(again.data[name].is_string(), "{name}: {}", again.data);
            assert_eq!(bob.data[name], again.data[name], "{name}");
        }
    }

    async fn a_merge_can_be_looked_at_before(database) {
        let world = world_with(database, &connection_with("association = { conflict = \"choose\" }")).await;
        let client = world.client();
        let (by_openid, by_unionid) = two_accounts(&world).await;
        for (id, nickname) in [(&by_openid, "Bob"), (&by_unionid, "Bobby")] {
            let key = key(&world, AdminRole::Owner, None).await;
            let mut body = json!({ "profile": { "nickname": nickname } });
            if *id == by_unionid {
                body["username"] = "bobby".into();
            }
            call(&world, Some(&key), "PATCH", &format!("{}/{id}", users(SHOP)), Some(body)).await.is(200);
        }
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "bob").await, 2921);
        let preview = |id: &str| json!({ "action": "preview", "accountId": id });
        let would = world.stores_nothing(waiting.step(&client, preview(&by_openid))).await.data();
        assert_eq!((&would["survivor"]["id"], &would["merged"]["id"]), (&json!(by_openid), &json!(by_unionid)));
        assert_eq!((&would["moves"], &would["collides"]), (&json!(["username"]), &json!(["nickname"])));
        waiting.step(&client, preview("6560c0ffee00000000000009")).await.refused(2417);
        // The handle is still valid.
        waiting.step(&client, json!({ "action": "merge", "accountId": by_openid })).await.user();

        world.reconfigure(&asking("")).await;
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "carol").await, 1641);
        waiting.step(&client, preview(&by_openid)).await.refused(2231);
    }

    async fn an_unbound_identity_leads_to_no_account_that_waits_to_be_chosen(database) {
        let world = world_with(database, &connection_with("association = { conflict = \"choose\" }")).await;
        let client = world.client();
        let key = key(&world, AdminRole::Owner, None).await;
        let (by_openid, by_unionid) = two_accounts(&world).await;
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "bob").await, 2921);
        let path = format!("{}/{by_unionid}/identities", users(SHOP));
        let listed = call(&world, Some(&key), "GET", &path, None).await.is(200);
        let list = listed.as_array().or_else(|| listed["identities"].as_array()).unwrap().clone();
        for identity in list {
            let path = format!("{path}/{}?evenTheLast=true", identity["id"].as_str().unwrap());
            call(&world, Some(&key), "DELETE", &path, None).await;
        }
        let waiting = Waiting::of(&waiting.step(&client, json!({ "action": "choose", "accountId": by_unionid })).await, 2417);
        let waiting = Waiting::of(&waiting.step(&client, json!({ "action": "merge", "accountId": by_openid })).await, 2417);
        waiting.step(&client, json!({ "action": "choose", "accountId": by_openid })).await.user();
    }

    async fn a_field_that_matches_nobody_asks_where_no_account_is_made(database) {
        let keys = "association = { mode = \"field\", methods = [\"phone-code\"] }";
        let file = shop_with(&connection_with(keys), "").replacen("open_platform = \"shop\"", "open_platform = \"shop\"\n  login_only = true", 1);
        let world = world_with(database, &file).await;
        let client = world.client();
        person(&world, "nemo", "13700000009");
        let waiting = Waiting::of(&client.try_log_in(Mode::CodeAndPhone, MINI, "nemo").await, 1640);
        assert_eq!(waiting.data["methods"], json!(["phone-code"]));
        let by_password = json!({ "action": "bind", "method": "username-password", "account": "anna", "password": OLD });
        waiting.step(&client, by_password).await.refused(2415);
        let code = code_to(&client, ALICE_PHONE, "CHANNEL_BIND_PHONE").await;
        let bind = json!({ "action": "bind", "method": "phone-code", "phone": ALICE_PHONE, "code": code });
        waiting.step(&client, bind).await.tokens();
    }
}
