//! New ways to log in: they need a recent login on every surface, and the owner of the account is told.

use std::time::Duration;

use hufu_testkit::on_both_engines;
use hufu_types::Action;
use serde_json::{Value, json};

use crate::client::{BIND, Client, GRAPHQL, Mode};
use crate::login_flows::{asking, bind_anna, shop_with};
use crate::personal::IDENTITIES;
use crate::world::{MINI, TWO, World};

const NUMBER: &str = "13912345678";
const ADDRESS: &str = "bob@example.com";
const PASSWORD: &str = "a good long password";

/// Longer ago than a recent login may be.
const LATER: Duration = Duration::from_secs(15 * 60 + 1);

/// Every call that adds a way to log in to the account of the token, with the action that is refused.
fn calls(world: &World) -> Vec<(&'static str, Value, Action)> {
    let phone = json!({ "phoneNumber": NUMBER, "passCode": "123456" });
    let email = json!({ "email": ADDRESS, "passCode": "123456" });
    let change = json!({
        "verifyMethod": "PHONE_PASSCODE",
        "phonePassCodePayload": { "newPhoneNumber": NUMBER, "newPhonePassCode": "123456" },
    });
    let change_email = json!({
        "verifyMethod": "EMAIL_PASSCODE",
        "emailPassCodePayload": { "newEmail": ADDRESS, "newEmailPassCode": "123456" },
    });
    let graphql = |field: &str| json!({ "query": format!("mutation {{ {field} {{ id }} }}") });
    let code = || world.code(TWO, "thief");
    vec![
        (BIND, json!({ "code": code(), "extIdpConnidentifier": "shop-two" }), Action::IdentityBound),
        (IDENTITIES, json!({ "code": code(), "connection": "shop-two" }), Action::IdentityBound),
        ("/api/v3/bind-phone", phone, Action::PhoneBound),
        ("/api/v3/bind-email", email, Action::EmailBound),
        ("/api/v3/verify-update-phone-request", change, Action::PhoneBound),
        ("/api/v3/verify-update-email-request", change_email, Action::EmailBound),
        ("/api/v3/update-password", json!({ "newPassword": PASSWORD }), Action::PasswordChanged),
        ("/api/v3/me/username", json!({ "username": "thief" }), Action::UserUpdated),
        (
            GRAPHQL,
            graphql(&format!("bindPhone(phone: \"{NUMBER}\", phoneCode: \"123456\")")),
            Action::PhoneBound,
        ),
        (
            GRAPHQL,
            graphql(&format!("updatePhone(phone: \"{NUMBER}\", phoneCode: \"123456\")")),
            Action::PhoneBound,
        ),
        (
            GRAPHQL,
            graphql(&format!("bindEmail(email: \"{ADDRESS}\", emailCode: \"123456\")")),
            Action::EmailBound,
        ),
        (
            GRAPHQL,
            graphql(&format!("updateEmail(email: \"{ADDRESS}\", emailCode: \"123456\")")),
            Action::EmailBound,
        ),
        (GRAPHQL, graphql(&format!("updatePassword(newPassword: \"{PASSWORD}\")")), Action::PasswordChanged),
    ]
}

/// A code that was just sent.
async fn sent_code(world: &World, to: &str) -> String {
    world.node.app.run_due_jobs().await;
    let newest =
        world.outbox().list().into_iter().find(|message| message.to.ends_with(to) && message.code.is_some());
    let code = newest.unwrap().code.unwrap();
    world.secret(&code);
    code
}

pub(crate) async fn bind_email(client: &Client<'_>, address: &str) {
    client
        .post("/api/v3/send-email", json!({ "email": address, "channel": "CHANNEL_BIND_EMAIL" }))
        .await
        .data_or_nothing();
    let code = sent_code(client.world, address).await;
    client.post("/api/v3/bind-email", json!({ "email": address, "passCode": code })).await.data_or_nothing();
}

pub(crate) async fn bind_phone(client: &Client<'_>, number: &str) {
    let body = json!({ "phoneNumber": number, "channel": "CHANNEL_BIND_PHONE" });
    client.post("/api/v3/send-sms", body).await.data_or_nothing();
    let code = sent_code(client.world, number).await;
    client
        .post("/api/v3/bind-phone", json!({ "phoneNumber": number, "passCode": code }))
        .await
        .data_or_nothing();
}

/// The recipients of notices that are sent by now, sorted, and forgets none: the outbox keeps them.
async fn told(world: &World) -> Vec<String> {
    world.node.app.run_due_jobs().await;
    let notices = world.outbox().list().into_iter().filter(|message| message.code.is_none());
    let mut told: Vec<String> = notices.map(|message| message.to).collect();
    told.sort();
    told
}

on_both_engines! {
    /// A token that is too old for sensitive steps binds nothing, not even to an account with only WeChat.
    async fn a_stolen_token_adds_no_way_in(database) {
        let world = World::new(database).await;
        for name in ["bob", "thief"] {
            world.person(name);
        }
        let bob = world.client().log_in(MINI, "bob").await;
        let client = world.client().bearer(&bob.token);
        let calls = calls(&world);
        world.advance(LATER);
        for (path, body, action) in calls {
            let event = world.refuses(2460, action.as_str(), client.post(path, body)).await;
            assert_eq!(event.user.as_deref(), Some(bob.id.as_str()), "{path}");
        }
        // With a login of just now, each of them gets further.
        let bob = world.client().log_in(MINI, "bob").await;
        let client = world.client().bearer(&bob.token);
        for (path, body, _) in self::calls(&world) {
            assert_ne!(client.post(path, body.clone()).await.json().get("code"), Some(&json!(2460)), "{path}");
        }
        assert!(world.outbox().list().is_empty(), "nobody could be told");
    }

    /// The channels that an account had before tell its owner, never the one that is new.
    async fn the_owner_is_told_of_a_new_way_in(database) {
        let world = World::new(database).await;
        for name in ["bob", "other"] {
            world.person(name);
        }
        let bob = world.client().log_in(MINI, "bob").await;
        let client = world.client().bearer(&bob.token);
        bind_email(&client, ADDRESS).await;
        assert_eq!(told(&world).await, Vec::<String>::new());
        bind_phone(&client, NUMBER).await;
        assert_eq!(told(&world).await, [ADDRESS]);
        let notice = world.outbox().list().into_iter().find(|message| message.code.is_none()).unwrap();
        assert!(notice.text.contains("Shop mini program") && notice.text.contains("手机号"), "{}", notice.text);
        client.post("/api/v3/update-password", json!({ "newPassword": PASSWORD })).await.data_or_nothing();
        let phone = format!("+86{NUMBER}");
        assert_eq!(told(&world).await, [phone.as_str(), ADDRESS, ADDRESS]);
        let client = world.client().bearer(&world.client().log_in(MINI, "bob").await.token);
        client.post("/api/v3/me/username", json!({ "username": "bob" })).await.data();
        assert_eq!(told(&world).await.len(), 5);
        let mut added: Vec<Value> = world.audit().await.into_iter()
            .filter(|event| event.action == "way_in.added").map(|event| event.details).collect();
        // The clock stands: their order in the log is none.
        added.sort_by_key(|details| details["way"].to_string());
        let both = json!(["email", "sms"]);
        assert_eq!(added, [
            json!({ "way": "email", "told": [] }),
            json!({ "way": "password", "told": both }),
            json!({ "way": "phone", "told": ["email"] }),
            json!({ "way": "username", "told": both }),
        ]);
        // What is no change is no news, and neither is a login.
        world.client().log_in(MINI, "bob").await;
        assert_eq!(told(&world).await.len(), 5);
    }

    /// A login that binds a WeChat identity to an account tells its owner too; another app of the same person,
    /// as WeChat says, does not.
    async fn the_owner_is_told_of_what_a_login_binds(database) {
        let world = World::new(database).await;
        world.person("eve");
        world.reconfigure(&shop_with(&asking(""), "")).await;
        let client = world.client();
        let waiting = client.try_log_in(Mode::V2Code, MINI, "eve").await;
        let data = waiting.json()["data"].clone();
        let mut step = bind_anna();
        step["key"] = data["key"].clone();
        client.post(&format!("/api/v3/login-flows/{}", data["flowId"].as_str().unwrap()), step).await.user();
        assert_eq!(told(&world).await, ["anna@example.com"]);
        client.log_in(TWO, "eve").await;
        assert_eq!(told(&world).await.len(), 1, "the same person");
    }

    /// A merge tells the owners of both accounts.
    async fn the_owners_are_told_of_a_merge(database) {
        let world = World::new(database).await;
        for name in ["bob", "carol"] {
            world.person(name);
        }
        let tokens = [world.client().log_in(MINI, "bob").await.token, world.client().log_in(MINI, "carol").await.token];
        for (token, address) in tokens.iter().zip([ADDRESS, "carol@example.com"]) {
            bind_email(&world.client().bearer(token), address).await;
        }
        let body = json!({ "token": tokens[1] });
        world.client().bearer(&tokens[0]).post("/api/v3/me/merges", body).await.data();
        assert_eq!(told(&world).await, [ADDRESS, "carol@example.com"]);
    }
}
