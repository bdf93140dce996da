//! Proof of the account to bind: every way to give it, and guesses.

use futures::future::join_all;
use hufu_testkit::on_both_engines;
use serde_json::{Value, json};

use super::steps::code_to;
use super::{Waiting, asking, shop_with, world_with};
use crate::client::{Client, Mode};
use crate::world::{ALICE_PHONE, MINI, Plan, World};

const PASSWORD: &str = "a good long password";

async fn stranger(client: &Client<'_>, mode: Mode, name: &str) -> Waiting {
    Waiting::of(&client.try_log_in(mode, MINI, name).await, 1641)
}

async fn guessing(database: hufu_testkit::TestDatabase, guesses: i64) -> World {
    let world = Plan::new().limits(|limits| limits.guesses_per_ip = guesses).build(database).await;
    for name in ["bob", "carol", "eve", "late"] {
        world.person(name);
    }
    world.reconfigure(&shop_with(&asking(""), "")).await;
    world
}

on_both_engines! {
    async fn an_account_is_bound_in_every_way(database) {
        // Another account, with a phone number and a password.
        let dora = "[[user_pool.user]]\n  username = \"dora\"\n  phone = \"+8613912340009\"\n  password = \"a good long password\"";
        let file = shop_with(&asking(""), "").replacen("[[user_pool.user]]", &format!("{dora}\n  [[user_pool.user]]"), 1);
        let world = world_with(database, &file).await;
        let client = world.client();
        let bound = async |name: &str, step: Value, username: &str| {
            let waiting = stranger(&client, Mode::V2Code, name).await;
            let user = waiting.step(&client, step).await.user();
            assert_eq!(user.data["username"], username);
            assert_eq!(client.log_in(MINI, name).await.id, user.id);
        };
        let code = code_to(&client, "anna@example.com", "CHANNEL_BIND_EMAIL").await;
        let by_code = json!({ "action": "bind", "method": "email-code", "email": "anna@example.com", "code": code });
        bound("bob", by_code, "anna").await;
        let by_phone = json!({ "action": "bind", "method": "phone-password", "phone": "13912340009", "password": PASSWORD });
        bound("carol", by_phone, "dora").await;

        // Each account is bound to a person now.
        let by_email = json!({ "action": "bind", "method": "email-password", "email": "Anna@Example.com", "password": PASSWORD });
        let eve = stranger(&client, Mode::V2Code, "eve").await;
        let eve = Waiting::of(&eve.step(&client, by_email.clone()).await, 2215);
        let code = code_to(&client, ALICE_PHONE, "CHANNEL_BIND_PHONE").await;
        let by_code = json!({ "action": "bind", "method": "phone-code", "phone": ALICE_PHONE, "code": code });
        eve.step(&client, by_code).await.user();
    }

    async fn an_account_is_bound_by_its_address_and_password(database) {
        let world = world_with(database, &shop_with(&asking(""), "")).await;
        let client = world.client();
        let waiting = stranger(&client, Mode::V2Code, "bob").await;
        let by_email = |password: &str| {
            json!({ "action": "bind", "method": "email-password", "account": "anna@example.com", "password": password })
        };
        let waiting = Waiting::of(&waiting.step(&client, by_email("not her password")).await, 2333);
        let anna = waiting.step(&client, by_email(PASSWORD)).await.user();
        assert_eq!(anna.data["username"], "anna");
    }

    async fn a_code_to_log_in_binds_nothing(database) {
        let world = world_with(database, &shop_with(&asking(""), "")).await;
        let client = world.client();
        let code = code_to(&client, ALICE_PHONE, "CHANNEL_LOGIN").await;
        for mode in [Mode::V2Code, Mode::Code] {
            let waiting = stranger(&client, mode, "eve").await;
            let bind = json!({ "action": "bind", "method": "phone-code", "phone": ALICE_PHONE, "code": code });
            Waiting::of(&waiting.step(&client, bind).await, 2001);
        }
        // Codes of the older clients have no purpose, and bind only in flows of those clients.
        world.advance(std::time::Duration::from_secs(61));
        client.post("/api/v2/sms/send", json!({ "phone": ALICE_PHONE })).await.data();
        world.node.app.run_due_jobs().await;
        let code = world.outbox().list()[0].code.clone().unwrap();
        let bind = json!({ "action": "bind", "method": "phone-code", "phone": ALICE_PHONE, "code": code });
        let waiting = stranger(&client, Mode::Code, "bob").await;
        Waiting::of(&waiting.step(&client, bind.clone()).await, 2001);
        stranger(&client, Mode::V2Code, "bob").await.step(&client, bind).await.user();
    }

    async fn wrong_codes_count_for_the_address(database) {
        let world = guessing(database, 3).await;
        let client = world.client();
        let code = code_to(&client, ALICE_PHONE, "CHANNEL_BIND_PHONE").await;
        let bind = |phone: &str, code: &str| json!({ "action": "bind", "method": "phone-code", "phone": phone, "code": code });
        for nth in 0..3 {
            let waiting = stranger(&client, Mode::Code, "eve").await;
            Waiting::of(&waiting.step(&client, bind(&format!("1370000000{nth}"), "000000")).await, 2001);
        }
        // This address is blocked whatever it guesses, in any number of flows. Another address is not
        // affected.
        let waiting = stranger(&client, Mode::Code, "eve").await;
        let waiting = Waiting::of(&waiting.step(&client, bind(ALICE_PHONE, &code)).await, 1002);
        let elsewhere = client.clone().from([198, 51, 100, 9]);
        waiting.step(&elsewhere, bind(ALICE_PHONE, &code)).await.tokens();
    }

    /// Whoever proves an account that its owner deleted is told that, and not that it is disabled.
    async fn an_account_about_to_be_deleted_says_so(database) {
        let world = world_with(database, &shop_with(&asking(""), "")).await;
        let client = world.client();
        let payload = json!({ "account": "anna", "password": PASSWORD });
        let by_password = json!({ "connection": "PASSWORD", "passwordPayload": payload });
        let anna = client.post("/api/v3/signin", by_password).await.data();
        let own = client.clone().bearer(anna["access_token"].as_str().unwrap());
        let proof = json!({ "verifyMethod": "PASSWORD", "passwordPayload": { "password": PASSWORD } });
        let step = own.post("/api/v3/verify-delete-account-request", proof).await.data();
        own.post("/api/v3/delete-account", json!({ "deleteAccountToken": step["deleteAccountToken"] })).await.refused_or_data();
        let waiting = stranger(&client, Mode::V2Code, "eve").await;
        let bind = json!({ "action": "bind", "method": "username-password", "account": "anna", "password": PASSWORD });
        let refused = waiting.step(&client, bind).await;
        Waiting::of(&refused, 2413);
        assert!(world.audit().await.iter().any(|event| event.action == "login" && event.code == 2413));
        assert_eq!(world.rows("identities").await, 0);
    }

    async fn a_handle_is_one_guess_however_many_are_sent_at_once(database) {
        let world = guessing(database, 50).await;
        let client = world.client();
        let waiting = stranger(&client, Mode::Code, "eve").await;
        let guess = |nth: usize| json!({
            "action": "bind", "method": "username-password", "account": "anna", "password": format!("wrong password {nth}"),
        });
        let answers = join_all((0..6).map(|nth| waiting.step(&client, guess(nth)))).await;
        let mut codes: Vec<u64> = answers.iter().map(crate::client::Answer::code).collect();
        codes.sort_unstable();
        assert_eq!(codes, [2206, 2206, 2206, 2206, 2206, 2333]);
    }
}
