//! Merging two accounts of one person, and undoing the merge.

use std::time::Duration;

use futures::future::join_all;
use hufu_sandbox::NewUser;
use hufu_testkit::on_both_engines;
use serde_json::{Value, json};

use crate::client::{Answer, Client, GET_PROFILE, Mode, SCOPE, UPDATE_PROFILE, User, claims, session_of};
use crate::personal::{IDENTITIES, ME, delete};
use crate::world::{CAFE_MINI, MINI, SHOP_APP, World};

const MERGES: &str = "/api/v3/me/merges";
const PREVIEW: &str = "/api/v3/me/merges/preview";
const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

async fn two(world: &World) -> (User, User) {
    for name in ["early", "late"] {
        world.person(name);
    }
    (world.client().log_in(MINI, "early").await, world.client().log_in(MINI, "late").await)
}

async fn merge(world: &World, survivor: &User, token: &str) -> Answer {
    world.nobody().bearer(&survivor.token).post(MERGES, json!({ "token": token })).await
}

const UNBIND_NAME: &str = "/api/v3/me/login-names/unbind";

/// A user whose account has their phone number.
async fn with_number(world: &World, name: &str, number: &str) -> User {
    let (name, phone) = (Some(name.to_owned()), Some(number.to_owned()));
    world.person_with(NewUser { name: name.clone(), phone, ..NewUser::default() });
    world.client().try_log_in(Mode::V2Phone, MINI, &name.unwrap()).await.user()
}

/// A call with a username and a password.
async fn by_password(client: &Client<'_>, call: &str, username: &str, password: &str) -> Answer {
    client.world.secret(password);
    let payload = json!({ "username": username, "password": password });
    let options = json!({ "scope": SCOPE });
    let body = json!({ "connection": "PASSWORD", "passwordPayload": payload, "options": options });
    client.post(&format!("/api/v3/{call}"), body).await
}

async fn who(world: &World, token: &str) -> Value {
    world.nobody().bearer(token).get(GET_PROFILE).await.data()["userId"].clone()
}

on_both_engines! {
    async fn both_ids_and_all_tokens_go_on_as_the_survivor(database) {
        let world = World::new(database).await;
        let (old, new) = two(&world).await;
        let tokens = world.client().log_in_v3(MINI, "early").await;
        let (as_old, as_new) = (world.nobody().bearer(&old.token), world.nobody().bearer(&new.token));
        as_old.post(UPDATE_PROFILE, json!({ "nickname": "Old", "city": "Xi'an", "customData": { "a": 1 } })).await.data();
        as_new.post(UPDATE_PROFILE, json!({ "nickname": "New" })).await.data();

        let preview = world.stores_nothing(as_new.post(PREVIEW, json!({ "token": old.token }))).await.data();
        assert_eq!(preview["moves"], json!(["city", "custom.a"]));
        assert_eq!(preview["collides"], json!(["nickname"]));
        assert_eq!((&preview["survivor"]["userId"], &preview["merged"]["userId"]), (&json!(new.id), &json!(old.id)));
        assert_eq!(preview["merged"]["identities"].as_array().unwrap().len(), 2);
        assert_eq!(preview["merged"]["identities"][0]["connection"], "shop-mini");
        assert!(!preview.to_string().contains(old.data["openid"].as_str().unwrap()));

        let other_node = world.another_node().await;
        world.client_of(&other_node).bearer(&old.token).get(GET_PROFILE).await.data();
        let merges = merge(&world, &new, &old.token).await.data();
        assert_eq!((&merges[0]["survivor"], &merges[0]["merged"]), (&json!(new.id), &json!(old.id)));
        assert_eq!(merges[0]["moved"], json!(["city", "custom.a"]));
        for token in [&old.token, &new.token, &tokens.access] {
            assert_eq!(who(&world, token).await, new.id.as_str());
        }
        other_node.app.refresh_config().await.unwrap();
        let there = world.client_of(&other_node).bearer(&old.token).get(GET_PROFILE).await.data();
        assert_eq!(there["userId"], new.id.as_str(), "other nodes forget whose the session was");

        // Clients know the user by the `sub` that the login began with.
        let renewed = world.client().refresh(&tokens.refresh).await.tokens();
        assert_eq!(claims(&renewed.access)["sub"], old.id.as_str());
        let told = claims(&renewed.id);
        assert_eq!((&told["sub"], &told["nickname"]), (&json!(old.id), &json!("New")));
        assert_eq!(session_of(&renewed.access), session_of(&tokens.access));
        assert_eq!(who(&world, &renewed.access).await, new.id.as_str());

        as_old.post(UPDATE_PROFILE, json!({ "company": "Tally" })).await.data();
        assert_eq!(as_new.get(GET_PROFILE).await.data()["company"], "Tally");
        assert_eq!(as_new.get(IDENTITIES).await.data().as_array().unwrap().len(), 4);
        for name in ["early", "late"] {
            assert_eq!(world.client().log_in(MINI, name).await.id, new.id);
        }

        let path = format!("{MERGES}/{}", merges[0]["id"].as_str().unwrap());
        let undone = delete(&as_new, &path).await.data();
        assert_eq!(undone, json!({ "survivor": new.id, "restored": old.id, "kept": [] }));
        assert_eq!(who(&world, &old.token).await, old.id.as_str());
        assert_eq!(who(&world, &new.token).await, new.id.as_str());
        assert_eq!(world.client().log_in(MINI, "early").await.id, old.id);
        let profile = as_new.get(ME).await.data();
        assert_eq!((&profile["city"], &profile["company"]), (&json!(null), &json!("Tally")));
        assert_eq!(as_old.get(ME).await.data()["city"], "Xi'an");
        delete(&as_new, &path).await.refused(2464);
    }

    async fn what_proves_nothing_merges_nothing(database) {
        let world = World::new(database).await;
        let (old, new) = two(&world).await;
        world.person("eve");
        let eve = world.cafe().log_in(CAFE_MINI, "eve").await;
        let id_token = world.client().log_in_v3(MINI, "early").await.id;
        let refused = async |token: &str, code: u64| {
            for path in [MERGES, PREVIEW] {
                let client = world.nobody().bearer(&new.token);
                world.stores_nothing(client.post(path, json!({ "token": token }))).await.refused(code);
            }
        };
        refused(&new.token, 2467).await;
        refused(&eve.token, 2020).await;
        refused("nonsense", 2020).await;
        refused(&id_token, 2020).await;
        refused("", 2231).await;
        world.client().post(MERGES, json!({ "token": old.token })).await.refused(2020);
        let ended = world.client().log_in(MINI, "early").await;
        world.nobody().bearer(&ended.token).get("/api/v2/logout").await;
        refused(&ended.token, 2020).await;

        world.advance(16 * MINUTE);
        let fresh = world.client().log_in(MINI, "late").await;
        merge(&world, &new, &old.token).await.refused(2460);
        merge(&world, &fresh, &old.token).await.refused(2460);
        let old = world.client().log_in(MINI, "early").await;
        merge(&world, &fresh, &old.token).await.data();
        merge(&world, &fresh, &old.token).await.refused(2467);
    }

    async fn a_merge_is_undone_by_its_owner_and_in_time(database) {
        let world = World::new(database).await;
        let (old, new) = two(&world).await;
        world.person("carol");
        let carol = world.client().log_in(MINI, "carol").await;
        let merges = merge(&world, &new, &old.token).await.data();
        let path = format!("{MERGES}/{}", merges[0]["id"].as_str().unwrap());
        let as_carol = world.nobody().bearer(&carol.token);
        world.stores_nothing(delete(&as_carol, &path)).await.refused(2463);
        delete(&as_carol, &format!("{MERGES}/nonsense%20")).await.refused(2463);
        assert_eq!(as_carol.get(MERGES).await.data(), json!([]));

        // The account was merged again. The later merge must be undone first.
        let later = merge(&world, &carol, &new.token).await.data();
        assert_eq!(later.as_array().unwrap().len(), 2);
        assert_eq!(who(&world, &old.token).await, carol.id.as_str());
        delete(&as_carol, &path).await.refused(2466);
        let last = later.as_array().unwrap().iter().find(|merge| merge["merged"] == new.id.as_str()).unwrap();
        let last = format!("{MERGES}/{}", last["id"].as_str().unwrap());
        delete(&world.nobody().bearer(&old.token), &last).await.data();
        assert_eq!(who(&world, &old.token).await, new.id.as_str());

        world.advance(16 * MINUTE);
        delete(&world.nobody().bearer(&new.token), &path).await.refused(2460);
        world.advance(30 * DAY);
        let new = world.client().log_in(MINI, "late").await;
        delete(&world.nobody().bearer(&new.token), &path).await.refused(2465);
    }

    /// Two accounts are merged by mistake and separated again. Neither ends up with the other's password.
    async fn a_password_that_was_changed_goes_with_nobody_else(database) {
        let world = World::new(database).await;
        let client = world.client();
        for name in ["alpha", "bravo"] {
            by_password(&client, "signup", name, "an old, long passphrase").await.data();
        }
        let alpha = by_password(&client, "signin", "alpha", "an old, long passphrase").await.tokens();
        let bravo = by_password(&client, "signin", "bravo", "an old, long passphrase").await.tokens();
        let as_alpha = world.nobody().bearer(&alpha.access);
        let merges = as_alpha.post(MERGES, json!({ "token": bravo.access })).await.data();
        world.advance(Duration::from_secs(1));
        world.secret("a new, long passphrase");
        let change = json!({ "newPassword": "a new, long passphrase", "oldPassword": "an old, long passphrase" });
        assert_eq!(as_alpha.post("/api/v3/update-password", change).await.code(), 200);
        let both = by_password(&client, "signin", "bravo", "a new, long passphrase").await.tokens();
        assert_eq!(who(&world, &both.access).await, alpha.user().as_str(), "merged, it is one account's");

        let path = format!("{MERGES}/{}", merges[0]["id"].as_str().unwrap());
        let undone = delete(&as_alpha, &path).await.data();
        assert_eq!(undone["kept"], json!(["password"]));
        for password in ["a new, long passphrase", "an old, long passphrase"] {
            assert_eq!(by_password(&client, "signin", "bravo", password).await.code(), 2333);
        }
        let alpha_again = by_password(&client, "signin", "alpha", "a new, long passphrase").await.tokens();
        assert_eq!(alpha_again.user(), alpha.user());
    }

    /// The number of a merged account leads to the survivor, who can see and unbind it.
    async fn a_number_that_came_with_a_merge_is_seen_and_unbound(database) {
        let world = World::new(database).await;
        let old = with_number(&world, "early", "13812345678").await;
        let new = with_number(&world, "late", "13812345679").await;
        merge(&world, &new, &old.token).await.data();
        let client = world.nobody().bearer(&new.token);
        let number = |value: &str| json!({ "type": "phone", "value": value, "countryCode": "+86", "verified": true });
        let mut merged = number("13812345678");
        merged["mergedFrom"] = old.id.clone().into();
        let me = client.get(ME).await.data();
        assert_eq!(me["loginNames"], json!([number("13812345679"), merged]));

        for (bad, code) in [
            (json!({}), 2231),
            (json!({ "phone": "13812345678", "username": "x" }), 2231),
            (json!({ "phone": "nonsense" }), 2231),
            (json!({ "phone": "13812345679" }), 2216),
            (json!({ "phone": "13912340000" }), 2216),
            (json!({ "email": "early@example.com" }), 2216),
        ] {
            world.stores_nothing(client.post(UNBIND_NAME, bad)).await.refused(code);
        }
        world.advance(16 * MINUTE);
        world.stores_nothing(client.post(UNBIND_NAME, json!({ "phone": "13812345678" }))).await.refused(2460);
        let fresh = world.client().log_in(MINI, "late").await;
        let client = world.nobody().bearer(&fresh.token);
        let me = client.post(UNBIND_NAME, json!({ "phone": "13812345678", "phoneCountryCode": "+86" })).await.data();
        assert_eq!(me["loginNames"], json!([number("13812345679")]));
        client.post(UNBIND_NAME, json!({ "phone": "13812345678" })).await.refused(2216);

        // The carrier reassigns the number to another person.
        let stranger = with_number(&world, "stranger", "13812345678").await;
        assert!(stranger.id != new.id && stranger.data["newlyCreated"] == true);
        // The user can still log in with everything else.
        assert_eq!(world.client().log_in(MINI, "early").await.id, new.id);
    }

    async fn of_merges_that_race_one_is_done(database) {
        let world = World::new(database).await;
        let (old, new) = two(&world).await;
        let answers = join_all((0..8).map(|n| {
            let (survivor, merged) = if n % 2 == 0 { (&old, &new) } else { (&new, &old) };
            merge(&world, survivor, &merged.token)
        }));
        let codes: Vec<u64> = answers.await.iter().map(Answer::code).collect();
        assert_eq!(codes.iter().filter(|code| **code == 200).count(), 1, "{codes:?}");
        assert!(codes.iter().all(|code| matches!(code, 200 | 2467)), "{codes:?}");
        assert_eq!(who(&world, &old.token).await, who(&world, &new.token).await);
        let client = world.nobody().app(SHOP_APP).bearer(&old.token);
        assert_eq!(client.get(MERGES).await.data().as_array().unwrap().len(), 1);
    }
}
