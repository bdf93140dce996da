//! Waiting logins: binding, choosing, merging, and the steps that an account must complete.

mod guesses;
mod steps;

use std::time::Duration;

use hufu_sandbox::{AppPatch, NewUser};
use hufu_testkit::on_both_engines;
use hufu_types::UserStatus;
use serde_json::{Value, json};

use crate::client::{AUTH, Answer, Client, Mode};
use crate::personal::delete;
use crate::world::{ALICE_PHONE, CAFE, CAFE_APP, FILE, MINI, SHOP, SHOP_APP, SHOP_WEB, TWO, World};

/// The shop, whose first mini program asks new users.
pub(crate) fn asking(more: &str) -> String {
    connection_with(&format!("association = {{ mode = \"ask\"{more} }}"))
}

/// The shop, with further keys for its first mini program.
fn connection_with(keys: &str) -> String {
    FILE.replacen("identifier = \"shop-mini\"", &format!("identifier = \"shop-mini\"\n  {keys}"), 1)
}

/// The shop with these settings, and anna, who has a password.
pub(crate) fn shop_with(file: &str, settings: &str) -> String {
    const ALICE: &str = "phone = \"+8613912340000\"";
    const ANNA: &str = "[[user_pool.user]]\n  username = \"anna\"\n  email = \"anna@example.com\"\n  password = \"a good long password\"";
    file.replacen("name = \"Shop\"", &format!("name = \"Shop\"\n  [user_pool.settings]\n  {settings}"), 1)
        .replacen(ALICE, &format!("{ALICE}\n  {ANNA}"), 1)
}

/// The response of a waiting login.
struct Waiting {
    id: String,
    data: Value,
}

impl Waiting {
    fn of(answer: &Answer, code: u64) -> Self {
        answer.refused(code);
        let data = answer.json()["data"].clone();
        let id = data["flowId"].as_str().unwrap().to_owned();
        assert!(data["key"].as_str().unwrap().starts_with(&format!("{id}.hff_")), "{data}");
        Self { id, data }
    }

    async fn step(&self, client: &Client<'_>, step: Value) -> Answer {
        let mut body = step;
        body.as_object_mut().unwrap().entry("key").or_insert_with(|| self.data["key"].clone());
        client.post(&format!("/api/v3/login-flows/{}", self.id), body).await
    }
}

async fn world_with(database: hufu_testkit::TestDatabase, file: &str) -> World {
    let world = World::new(database).await;
    for name in ["alice", "bob", "carol", "eve", "late"] {
        world.person(name);
    }
    world.reconfigure(file).await;
    world
}

pub(crate) fn bind_anna() -> Value {
    json!({ "action": "bind", "method": "username-password", "account": "anna", "password": "a good long password" })
}

on_both_engines! {
    async fn a_stranger_makes_an_account_or_binds_one(database) {
        let world = world_with(database, &shop_with(&asking(""), "")).await;
        let client = world.client();
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "bob").await, 1641);
        assert_eq!(waiting.data["stage"], "associate");
        assert_eq!(waiting.data["mayCreate"], true);
        assert_eq!(world.rows("users").await, 2, "alice and anna");
        let bob = waiting.step(&client, json!({ "action": "create" })).await.user();
        assert_eq!(client.log_in(MINI, "bob").await.id, bob.id, "and is known from now on");
        assert_eq!(client.log_in(TWO, "bob").await.id, bob.id, "by the UnionID too");

        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "alice").await, 1641);
        let anna = waiting.step(&client, bind_anna()).await.user();
        assert_eq!(anna.data["username"], "anna");
        assert_eq!(client.log_in(MINI, "alice").await.id, anna.id);
        assert_eq!(world.rows("users").await, 3, "and bob");

        // The v3 calls return tokens.
        let waiting = Waiting::of(&client.try_log_in(Mode::Code, MINI, "carol").await, 1641);
        let tokens = waiting.step(&client, json!({ "action": "create" })).await.tokens();
        assert_ne!(tokens.user(), bob.id);
    }

    async fn the_account_must_not_be_another_persons(database) {
        let world = world_with(database, &shop_with(&asking(""), "")).await;
        let client = world.client();
        let alice = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "alice").await, 1641);
        alice.step(&client, bind_anna()).await.user();
        let eve = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "eve").await, 1641);
        let failed = eve.step(&client, bind_anna()).await;
        failed.refused(2215);
        // The flow continues with the handle from the refusal.
        let eve = Waiting::of(&failed, 2215);
        eve.step(&client, json!({ "action": "create" })).await.user();
    }

    async fn two_that_bind_to_one_account_at_once(database) {
        let world = world_with(database, &shop_with(&asking(""), "")).await;
        let client = world.client();
        let first = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "alice").await, 1641);
        let second = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "eve").await, 1641);
        let (a, b) = futures::join!(first.step(&client, bind_anna()), second.step(&client, bind_anna()));
        let mut codes = [a.code(), b.code()];
        codes.sort_unstable();
        assert_eq!(codes, [200, 2215], "one is in, the other is told");
    }

    async fn a_handle_is_good_once_for_its_application_and_its_time(database) {
        let world = world_with(database, &shop_with(&asking(""), "")).await;
        let client = world.client();
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "bob").await, 1641);
        let create = || json!({ "action": "create" });
        let view = waiting.step(&client, json!({ "action": "view" })).await.data();
        assert_eq!(view["stage"], "associate");

        waiting.step(&world.nobody().app(SHOP_WEB), create()).await.refused(2206);
        waiting.step(&world.nobody().app(CAFE_APP), create()).await.refused(2206);
        waiting.step(&world.nobody().pool(CAFE), create()).await.refused(2206);
        let other = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "carol").await, 1641);
        waiting.step(&client, json!({ "action": "create", "key": other.data["key"] })).await.refused(2206);
        waiting.step(&client, json!({ "action": "create", "key": format!("{}.hff_00", waiting.id) })).await.refused(2206);
        waiting.step(&client, json!({ "action": "create", "key": "" })).await.refused(2231);
        waiting.step(&client, json!({ "action": "dance" })).await.refused(2231);
        waiting.step(&client, json!({ "action": "choose", "accountId": "x" })).await.refused(2231);
        waiting.step(&client, create()).await.user();
        waiting.step(&client, create()).await.refused(2206);
        // Bound twice.
        other.step(&client, bind_anna()).await.user();
        other.step(&client, bind_anna()).await.refused(2206);

        let late = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "late").await, 1641);
        world.advance(Duration::from_secs(601));
        late.step(&client, create()).await.refused(2206);
        late.step(&client, bind_anna()).await.refused(2206);
        late.step(&client, json!({ "action": "view" })).await.refused(2206);
        assert_eq!(world.rows("users").await, 3, "and bob");
    }

    async fn a_password_is_not_guessed_in_a_flow(database) {
        let world = world_with(database, &shop_with(&asking(""), "")).await;
        let client = world.client();
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "eve").await, 1641);
        let guess = |account: &str| json!({ "action": "bind", "method": "username-password", "account": account, "password": "wrong password" });
        // After a wrong password the flow continues with the handle from the refusal. Nothing reveals whether
        // the account exists.
        let first = Waiting::of(&waiting.step(&client, guess("anna")).await, 2333);
        let second = Waiting::of(&first.step(&client, guess("nobody")).await, 2333);
        assert_eq!((&first.data["remainCount"], &second.data["remainCount"]), (&json!(9), &json!(9)));
        // A handle is good for one guess.
        first.step(&client, guess("anna")).await.refused(2206);
        waiting.step(&client, bind_anna()).await.refused(2206);

        // Ten wrong guesses end the flow, for whichever accounts they were…
        let mut waiting = second;
        for nth in 2..9 {
            waiting = Waiting::of(&waiting.step(&client, guess(&format!("nobody{nth}"))).await, 2333);
        }
        let last = waiting.step(&client, guess("nobody9")).await;
        assert_eq!((last.code(), &last.json()["data"]), (2333, &json!({ "remainCount": 9 })), "and no flow");
        waiting.step(&client, bind_anna()).await.refused(2206);

        // … and ten for one name lock it, in any number of flows. The right password does not unlock it.
        for account in ["anna", "nobody"] {
            let mut codes = Vec::new();
            while codes.last() != Some(&2057) && codes.len() < 15 {
                let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "eve").await, 1641);
                codes.push(waiting.step(&client, guess(account)).await.code());
            }
            assert_eq!(codes.len(), 10, "nine more, and then it is locked: {account}: {codes:?}");
        }
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "eve").await, 1641);
        let waiting = Waiting::of(&waiting.step(&client, bind_anna()).await, 2057);
        assert!(waiting.data.get("remainCount").is_none());
    }

    async fn login_only_binds_only(database) {
        let file = shop_with(&asking(""), "").replacen("open_platform = \"shop\"", "open_platform = \"shop\"\n  login_only = true", 1);
        let world = world_with(database, &file).await;
        let client = world.client();
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "bob").await, 1640);
        assert_eq!((&waiting.data["mayCreate"], &waiting.data["actions"]), (&json!(false), &json!(["bind", "expire"])));
        let failed = waiting.step(&client, json!({ "action": "create" })).await;
        let waiting = Waiting::of(&failed, 2031);
        waiting.step(&client, bind_anna()).await.user();
    }

    async fn only_the_methods_of_the_connection(database) {
        let world = world_with(database, &shop_with(&asking(", methods = [\"phone-code\"]"), "")).await;
        let client = world.client();
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "bob").await, 1641);
        assert_eq!(waiting.data["methods"], json!(["phone-code"]));
        waiting.step(&client, bind_anna()).await.refused(2415);
        client.post("/api/v2/sms/send", json!({ "phone": ALICE_PHONE })).await.data();
        world.node.app.run_due_jobs().await;
        let code = world.outbox().list().first().unwrap().code.clone().unwrap();
        world.secret(&code);
        let wrong = if code == "000000" { "000001" } else { "000000" };
        let bind = |code: &str| json!({ "action": "bind", "method": "phone-code", "phone": ALICE_PHONE, "code": code });
        let failed = waiting.step(&client, bind(wrong)).await;
        let waiting = Waiting::of(&failed, 2001);
        let alice = waiting.step(&client, bind(&code)).await.user();
        assert_eq!(alice.data["username"], "alice");
    }

    async fn a_field_finds_only_who_is_vouched_for(database) {
        let keys = "association = { mode = \"field\", fields = [\"phone\"] }";
        let world = world_with(database, &shop_with(&connection_with(keys), "")).await;
        let client = world.client();
        person(&world, "amy", ALICE_PHONE);
        let tokens = client.try_log_in(Mode::CodeAndPhone, MINI, "amy").await.tokens();
        assert_eq!(crate::client::claims(&tokens.id)["username"], "alice", "found by the number that WeChat proved");
        // Another user of the same mini program with that number gets another account.
        person(&world, "ann", ALICE_PHONE);
        let ann = client.try_log_in(Mode::CodeAndPhone, MINI, "ann").await.tokens();
        assert_ne!(ann.user(), tokens.user());
    }

    async fn two_accounts_of_one_person_are_chosen_or_merged(database) {
        let world = world_with(database, &connection_with("association = { conflict = \"choose\" }")).await;
        let client = world.client();
        let (by_openid, by_unionid) = two_accounts(&world).await;
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "bob").await, 2921);
        let ids: Vec<_> = waiting.data["accounts"].as_array().unwrap().iter().map(|a| a["id"].clone()).collect();
        assert_eq!(ids, [by_openid.as_str(), by_unionid.as_str()]);
        let failed = waiting.step(&client, json!({ "action": "choose", "accountId": "6560c0ffee00000000000009" })).await;
        let waiting = Waiting::of(&failed, 2417);
        let chosen = waiting.step(&client, json!({ "action": "choose", "accountId": by_unionid })).await.user();
        assert_eq!(chosen.id, by_unionid);

        forget(&world, &by_unionid).await;
        let chosen = client.log_in(TWO, "bob").await;
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "bob").await, 2921);
        let merged = waiting.step(&client, json!({ "action": "merge", "accountId": by_openid })).await.user();
        assert_eq!(merged.id, by_openid);
        for app in [MINI, TWO] {
            assert_eq!(client.log_in(app, "bob").await.id, by_openid, "all ids lead to the one that stayed");
        }
        // The token of the merged account remains valid, for the surviving account.
        let profile = client.bearer(&chosen.token).get("/api/v3/get-profile").await.data();
        assert_eq!(profile["userId"], by_openid.as_str());
    }

    async fn a_choice_is_remembered_until_something_changes(database) {
        let world = world_with(database, &connection_with("association = { conflict = \"choose\" }")).await;
        let client = world.client();
        let (by_openid, by_unionid) = two_accounts(&world).await;
        let asked = async || Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "bob").await, 2921);
        let choose = async |account: &str| {
            let chosen = asked().await.step(&client, json!({ "action": "choose", "accountId": account })).await.user();
            assert_eq!(chosen.id, account);
        };
        let another = asked().await;
        let known = async || world.audit().await.iter().filter(|event| event.details["chosenBefore"] == true).count();
        for (round, account) in [(1, &by_unionid), (2, &by_openid)] {
            choose(account).await;
            for _ in 0..2 {
                assert_eq!(client.log_in(MINI, "bob").await.id, *account, "not asked again");
            }
            assert_eq!(known().await, 2 * round);
            // Whichever of the two is disabled: when it is back, the person decides again.
            forget(&world, &by_unionid).await;
        }
        assert_eq!(world.rows("identity_conflicts").await, 0, "a choice settles the conflict");

        // The last choice counts, also where several logins waited for one.
        choose(&by_unionid).await;
        another.step(&client, json!({ "action": "choose", "accountId": by_openid })).await.user();
        let user = client.log_in(MINI, "bob").await;
        assert_eq!(user.id, by_openid);

        // Signing out of all devices is the person's own way to be asked again.
        delete(&client.clone().bearer(&user.token), "/api/v3/me/sessions").await.data_or_nothing();
        choose(&by_unionid).await;

        // Another pair of accounts is another question, and one account is none.
        let merged = client.log_in(MINI, "bob").await;
        let kept = client.log_in(TWO, "carol").await;
        let body = json!({ "token": merged.token });
        client.clone().bearer(&kept.token).post("/api/v3/me/merges", body).await.data();
        let waiting = asked().await;
        let ids: Vec<_> = waiting.data["accounts"].as_array().unwrap().iter().map(|a| a["id"].clone()).collect();
        assert_eq!(ids, [by_openid.as_str(), kept.id.as_str()]);
    }

    async fn what_is_refused_before_it_is_tried_keeps_the_key(database) {
        let world = world_with(database, &shop_with(&asking(", methods = [\"username-password\"]"), "")).await;
        let client = world.client();
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "carol").await, 1641);
        let view = waiting.step(&client, json!({ "action": "view" })).await.data();
        assert_eq!(view, waiting.data, "a view repeats what the login answered");
        for (step, code) in [
            (json!({ "action": "dance" }), 2231),
            (json!({}), 2231),
            (json!({ "action": "bind" }), 2231),
            (json!({ "action": "bind", "method": "carrier-pigeon" }), 2415),
            (json!({ "action": "bind", "method": "phone-code", "phone": ALICE_PHONE, "code": "123456" }), 2415),
            (json!({ "action": "set_password", "password": "correct horse battery" }), 2231),
            (json!({ "action": "preview", "accountId": "6560c0ffee00000000000009" }), 2231),
            (json!({ "action": "choose", "accountId": "6560c0ffee00000000000009" }), 2231),
        ] {
            let again = Waiting::of(&world.stores_nothing(waiting.step(&client, step.clone())).await, code);
            assert_eq!(again.data, waiting.data, "{step}");
        }
        // Nobody learns of a login by guessing at its key.
        let stranger = waiting.step(&client, json!({ "action": "dance", "key": format!("{}.hff_00", waiting.id) })).await;
        stranger.refused(2206);
        assert!(stranger.json()["data"].is_null(), "{}", stranger.json());
        waiting.step(&client, bind_anna()).await.user();

        world.reconfigure(&connection_with("association = { conflict = \"choose\" }")).await;
        let (by_openid, _) = two_accounts(&world).await;
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "bob").await, 2921);
        assert_eq!(waiting.data["actions"], json!(["choose", "preview", "merge", "expire"]));
        waiting.step(&client, json!({ "action": "preview", "accountId": by_openid })).await.data();
    }

    async fn a_disabled_candidate_is_no_way_in(database) {
        let world = world_with(database, &connection_with("association = { conflict = \"choose\" }")).await;
        let client = world.client();
        let (by_openid, by_unionid) = two_accounts(&world).await;
        world.set_status(SHOP, &by_unionid, UserStatus::Suspended).await;
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "bob").await, 2921);
        let failed = waiting.step(&client, json!({ "action": "choose", "accountId": by_unionid })).await;
        let waiting = Waiting::of(&failed, 2005);
        let failed = waiting.step(&client, json!({ "action": "merge", "accountId": by_openid })).await;
        let waiting = Waiting::of(&failed, 2005);
        waiting.step(&client, json!({ "action": "choose", "accountId": by_openid })).await.user();
    }

    async fn what_the_pool_asks_of_accounts(database) {
        let settings = "required_fields = [\"nickname\", \"custom.size\"]\n  agreements = [{ id = \"terms\", version = 2, title = \"Terms\" }]\n  custom_fields = [{ key = \"size\", type = \"enum\", options = [\"S\", \"M\"] }]";
        let world = world_with(database, &shop_with(FILE, settings)).await;
        let client = world.client();
        let waiting = Waiting::of(&client.try_log_in(Mode::Code, MINI, "bob").await, 1642);
        assert_eq!(waiting.data["missing"], json!(["nickname", "custom.size"]));
        let failed = waiting.step(&client, json!({ "action": "fill_in", "profile": { "nickname": "Bob" } })).await;
        let waiting = Waiting::of(&failed, 2416);
        assert_eq!(waiting.data["missing"], json!(["custom.size"]), "what was filled in stays");
        waiting.step(&client, json!({ "action": "fill_in", "customData": { "size": "XXL" } })).await.refused(2231);
        let next = waiting.step(&client, json!({ "action": "fill_in", "customData": { "size": "M" } })).await;
        let waiting = Waiting::of(&next, 2414);
        assert_eq!(waiting.data["agreements"][0]["id"], "terms");
        let failed = waiting.step(&client, json!({ "action": "accept", "agreements": ["other"] })).await;
        let waiting = Waiting::of(&failed, 2416);
        let tokens = waiting.step(&client, json!({ "action": "accept", "agreements": ["terms"] })).await.tokens();
        let again = client.log_in_v3(MINI, "bob").await;
        assert_eq!(again.user(), tokens.user(), "asked once");
    }

    async fn giving_up_ends_it(database) {
        let world = world_with(database, &asking("")).await;
        let client = world.client();
        let waiting = Waiting::of(&client.try_log_in(Mode::V2Code, MINI, "bob").await, 1641);
        assert_eq!(waiting.step(&client, json!({ "action": "expire" })).await.data()["stage"], "refused");
        waiting.step(&client, json!({ "action": "create" })).await.refused(2206);
        assert_eq!(world.rows("login_flows").await, 0);
    }

    async fn a_flow_tells_nothing_to_logs(database) {
        let world = world_with(database, &asking("")).await;
        let client = world.nobody().app(SHOP_APP);
        let code = world.code(MINI, "bob");
        let answer = client.post(AUTH, json!({ "code": code })).await;
        let waiting = Waiting::of(&answer, 1641);
        let secret = waiting.data["key"].as_str().unwrap().split_once('.').unwrap().1.to_owned();
        world.secret(&secret);
        waiting.step(&client, json!({ "action": "create" })).await.user();
    }
}

fn person(world: &World, name: &str, phone: &str) {
    let (name, phone) = (Some(name.to_owned()), Some(phone.to_owned()));
    world.person_with(NewUser { name, phone, ..NewUser::default() });
}

/// Disables an account and enables it again, which forgets the choices between it and another.
async fn forget(world: &World, account: &str) {
    for status in [UserStatus::Suspended, UserStatus::Activated] {
        world.set_status(SHOP, account, status).await;
    }
}

/// Two accounts of bob: one found by the OpenID of the first mini program, one by the UnionID that the second
/// returned.
async fn two_accounts(world: &World) -> (String, String) {
    let bind_app_to = |open_platform| {
        let open_platform = Some(open_platform);
        world.sandbox.change_app(MINI, AppPatch { open_platform, ..AppPatch::default() }).unwrap();
    };
    bind_app_to(None);
    let by_openid = world.client().log_in(MINI, "bob").await.id;
    bind_app_to(Some("shop".to_owned()));
    let by_unionid = world.client().log_in(TWO, "bob").await.id;
    assert_ne!(by_openid, by_unionid);
    (by_openid, by_unionid)
}
