//! The personal API: what users see and do with their own account.

use std::time::Duration;

use axum::http::Method;
use futures::future::join_all;
use hufu_app::administration::{AccessKeyRequest, AdminCaller};
use hufu_app::{Origin, Target};
use hufu_sandbox::NewUser;
use hufu_store::audit::AuditEvent;
use hufu_testkit::on_both_engines;
use hufu_types::{AdminRole, Language, PasscodePurpose, Phone};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::client::{Answer, Client, GET_PROFILE, Mode, UPDATE_PROFILE, session_of};
use crate::world::{CAFE_MINI, FILE, MINI, Plan, SHOP, SHOP_APP, TWO, World};

pub(crate) const ME: &str = "/api/v3/me";
pub(crate) const IDENTITIES: &str = "/api/v3/me/identities";
const USERNAME: &str = "/api/v3/me/username";
const PROFILE: &str = "/api/v3/me/profile";
const SESSIONS: &str = "/api/v3/me/sessions";
const ACTIVITY: &str = "/api/v3/me/activity";
const EXPORT: &str = "/api/v3/me/export";
const DELETION: &str = "/api/v3/me/deletion";

const MINUTE: Duration = Duration::from_secs(60);
const NUMBER: &str = "13812345678";

pub(crate) async fn delete(client: &Client<'_>, path: &str) -> Answer {
    client.send(Method::DELETE, path, "application/json", Vec::new()).await
}

fn list(answer: &Answer) -> Vec<Value> {
    answer.data().as_array().unwrap_or_else(|| panic!("no list: {answer}")).clone()
}

/// The ids of the caller's identities of this type.
async fn ids(client: &Client<'_>, kind: &str) -> Vec<String> {
    let identities = list(&client.get(IDENTITIES).await);
    let of_kind = identities.iter().filter(|identity| identity["type"] == kind);
    of_kind.map(|identity| identity["id"].as_str().unwrap().to_owned()).collect()
}

fn with_phone(world: &World, name: &str) {
    let (name, phone) = (Some(name.to_owned()), Some(NUMBER.to_owned()));
    world.person_with(NewUser { name, phone, ..NewUser::default() });
}

on_both_engines! {
    async fn the_account_as_its_owner_sees_it(database) {
        let world = World::new(database).await;
        with_phone(&world, "bob");
        let bob = world.client().referer(MINI).try_log_in(Mode::V2Phone, MINI, "bob").await.user();
        let client = world.nobody().bearer(&bob.token);
        let me = client.get(ME).await.data();
        assert_eq!(me["userId"], bob.id.as_str());
        let phone = json!({ "type": "phone", "value": NUMBER, "countryCode": "+86", "verified": true });
        assert_eq!(me["loginNames"], json!([phone]));
        let ways = &me["waysIn"];
        assert_eq!((&ways["password"], &ways["phoneCode"], &ways["emailCode"]), (&json!(false), &json!(true), &json!(false)));
        assert_eq!(ways["identities"].as_array().unwrap().len(), 2);

        let answer = client.get(IDENTITIES).await;
        let identities = list(&answer);
        assert_eq!(identities.len(), 2);
        for identity in &identities {
            assert_eq!((&identity["connection"], &identity["provider"]), (&json!("shop-mini"), &json!("wechat")));
            assert!(identity["maskedValue"].as_str().unwrap().ends_with("***"));
        }
        // The ids are the same the next time, and never the OpenID itself.
        assert_eq!(list(&client.get(IDENTITIES).await), identities);
        let openid = bob.data["openid"].as_str().unwrap();
        assert!(!answer.to_string().contains(openid) && !client.get(ME).await.to_string().contains(openid));

        let changed = client.post(PROFILE, json!({ "nickname": "Bob" })).await.data();
        assert_eq!((&changed["nickname"], &changed["userId"]), (&json!("Bob"), &json!(bob.id)));
        assert_eq!(changed["loginNames"], json!([phone]));
        for path in [ME, IDENTITIES, SESSIONS, ACTIVITY, EXPORT] {
            world.stores_nothing(world.client().get(path)).await.refused(2020);
            world.stores_nothing(world.cafe().bearer(&bob.token).get(path)).await.refused(2020);
        }
    }

    /// An unknown field is refused with its name and the fields that there are. The published clients' calls ignore it.
    async fn an_unknown_field_is_refused_by_name(database) {
        let world = World::new(database).await;
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;
        let client = world.nobody().bearer(&bob.token);
        for field in ["nickname_", "userId", "phone"] {
            let change = json!({ "nickname": "Bob", (field): "1" });
            let told = world.stores_nothing(client.post(PROFILE, change)).await;
            let told = told.refused(2231).clone();
            assert!(told.contains(field) && told.contains("givenName") && told.contains("customData"), "{told}");
        }
        for (path, field, known) in
            [(USERNAME, "name", "username"), (DELETION, "pass", "password"), (IDENTITIES, "conection", "connection")]
        {
            let told = world.stores_nothing(client.post(path, json!({ (field): "x" }))).await.refused(2231).clone();
            assert!(told.contains(field) && told.contains(known), "{told}");
        }
        let client = world.client().bearer(&bob.token);
        let changed = client.post(UPDATE_PROFILE, json!({ "nickname": "Bob", "nickname_": "1" })).await.data();
        assert_eq!(changed["nickname"], "Bob");
    }

    /// A URL in a profile is a web address, whichever call writes it.
    async fn urls_of_a_profile_are_web_addresses(database) {
        let world = World::new(database).await;
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;
        let client = world.client().bearer(&bob.token);
        for bad in ["javascript:alert(1)", "data:text/html,x", " javascript:alert(1)", "java\nscript:x", "//example.com", "x"] {
            for field in ["website", "profile", "photo"] {
                for path in [PROFILE, UPDATE_PROFILE] {
                    world.stores_nothing(client.post(path, json!({ (field): bad }))).await.refused(2231);
                }
                let changed = client.update_user(json!({ (field): bad })).await.to_string();
                assert!(changed.contains("2231") || changed.contains("errors"), "{field}: {changed}");
            }
        }
        for good in ["https://example.com/me", "http://example.com", ""] {
            let changed = client.post(PROFILE, json!({ "website": good, "profile": good })).await.data();
            assert_eq!((&changed["website"], &changed["profile"]), (&json!(good), &json!(good)));
        }
        assert!(!client.get(ME).await.to_string().contains("script"));
    }

    async fn a_username_is_chosen_once(database) {
        let plan = Plan::new().limits(|limits| limits.registrations_per_ip = 2);
        let world = plan.build(database).await;
        for name in ["bob", "carol"] {
            world.person(name);
        }
        let bob = world.client().log_in(MINI, "bob").await;
        let client = world.nobody().bearer(&bob.token);
        let choose = |name: &str| client.post(USERNAME, json!({ "username": name }));
        for bad in ["", "a@b", "13812345678", "+8613812345678", &"x".repeat(300)] {
            world.stores_nothing(choose(bad)).await.refused(2231);
        }
        world.stores_nothing(choose("alice")).await.refused(2034);
        let me = choose("Bob").await.data();
        assert_eq!((&me["username"], &me["loginNames"]), (&json!("Bob"), &json!([{ "type": "username", "value": "Bob" }])));
        for again in ["Bob", "robert"] {
            world.stores_nothing(choose(again)).await.refused(2469);
        }
        let told = world.audit().await;
        let told: Vec<_> = told.iter().filter(|event| event.action == "user.updated").map(|event| event.code).collect();
        assert_eq!(told.len(), 4);
        assert_eq!(told.iter().filter(|code| **code == 0).count(), 1);

        // Usernames cannot be enumerated.
        let carol = world.client().log_in(MINI, "carol").await;
        let client = world.nobody().bearer(&carol.token);
        client.post(USERNAME, json!({ "username": "Bob" })).await.refused(2034);
        client.post(USERNAME, json!({ "username": "free" })).await.refused(1002);
        world.advance(60 * MINUTE);
        let carol = world.client().log_in(MINI, "carol").await;
        let client = world.nobody().bearer(&carol.token);
        assert_eq!(client.post(USERNAME, json!({ "username": "free" })).await.data()["username"], "free");
    }

    async fn of_two_who_choose_one_username_at_once_one_has_it(database) {
        let world = World::new(database).await;
        let mut clients = Vec::new();
        for index in 0..6 {
            let name = format!("person-{index}");
            world.person(&name);
            clients.push(world.nobody().bearer(&world.client().log_in(MINI, &name).await.token));
        }
        let answers = join_all(clients.iter().map(|client| client.post(USERNAME, json!({ "username": "wanted" })))).await;
        let codes: Vec<u64> = answers.iter().map(Answer::code).collect();
        assert_eq!(codes.iter().filter(|code| **code == 200).count(), 1, "{codes:?}");
        assert!(codes.iter().all(|code| matches!(code, 200 | 2034)), "{codes:?}");
    }

    async fn custom_fields_are_what_the_pool_declares(database) {
        let world = World::new(database).await;
        world.person("bob");
        let fields = "custom_fields_only = true\n  custom_fields = [\n\
            { key = \"size\", type = \"enum\", label = \"Size\", options = [\"S\", \"M\"] },\n\
            { key = \"age\", type = \"number\" }, { key = \"since\", type = \"datetime\" },\n\
            { key = \"level\", type = \"number\", editable = false },\n\
            { key = \"note\", type = \"string\", visible = false } ]";
        let settings = format!("name = \"Shop\"\n  [user_pool.settings]\n  {fields}");
        world.reconfigure(&FILE.replacen("name = \"Shop\"", &settings, 1)).await;
        let bob = world.client().log_in(MINI, "bob").await;
        let client = world.nobody().bearer(&bob.token);
        let good = json!({ "size": "M", "age": 7, "since": "2025-06-15T08:00:00Z" });
        let changed = client.post(PROFILE, json!({ "customData": good })).await.data();
        assert_eq!(changed["customData"], good);
        let shown = changed["customFields"].as_array().unwrap();
        assert_eq!(shown.len(), 4, "all but the invisible one");
        assert_eq!(
            shown[0],
            json!({ "key": "size", "type": "enum", "label": "Size", "options": ["S", "M"], "editable": true, "value": "M" })
        );

        for (bad, named) in [
            (json!({ "size": "XXL" }), "size"),
            (json!({ "size": 1 }), "size"),
            (json!({ "age": "7" }), "age"),
            (json!({ "since": "yesterday" }), "since"),
            (json!({ "unheard": 1 }), "unheard"),
            (json!({ "age": 8, "size": "XXL" }), "size"),
        ] {
            for path in [PROFILE, UPDATE_PROFILE] {
                let answer = world.stores_nothing(client.post(path, json!({ "customData": bad }))).await;
                assert!(answer.refused(2231).contains(named), "{answer}");
            }
        }
        let answer = world.stores_nothing(client.post(PROFILE, json!({ "customData": { "level": 9 } }))).await;
        assert!(answer.refused(2461).contains("level"), "{answer}");
        let set = "mutation ($id: String!, $key: String!, $value: String!) {
            setUdv(targetType: USER, targetId: $id, key: $key, value: $value) { key dataType value label } }";
        let udv = async |key: &str, value: &str| {
            client.graphql(set, json!({ "id": bob.id, "key": key, "value": value })).await
        };
        udv("level", "9").await.refused(2461);
        udv("age", "\"old\"").await.refused(2231);
        let told = udv("note", "\"hidden\"").await.data();
        let size = json!({ "key": "size", "dataType": "SELECT", "value": "M", "label": "Size" });
        let since = json!({ "key": "since", "dataType": "DATETIME", "value": "2025-06-15T08:00:00Z", "label": null });
        let age = json!({ "key": "age", "dataType": "NUMBER", "value": "7", "label": null });
        assert_eq!(told["setUdv"], json!([age, since, size]), "not what people do not see");
        let profile = client.get(&format!("{GET_PROFILE}?withCustomData=true")).await;
        assert!(!profile.to_string().contains("hidden"), "{profile}");
        assert_eq!(client.post(PROFILE, json!({ "customData": { "age": null } })).await.data()["customData"].get("age"), None);
    }

    async fn identities_are_unbound_one_by_one_but_for_the_last_way_in(database) {
        let world = World::new(database).await;
        world.person("bob");
        world.person("carol");
        let bob = world.client().log_in(MINI, "bob").await;
        let carol = world.client().log_in(MINI, "carol").await;
        let client = world.nobody().bearer(&bob.token);
        let (openid, unionid) = (ids(&client, "openid").await.remove(0), ids(&client, "unionid").await.remove(0));
        let foreign = ids(&world.nobody().bearer(&carol.token), "openid").await.remove(0);
        for nothing in [foreign.as_str(), "0123456789abcdef01234567", "x"] {
            let path = format!("{IDENTITIES}/{nothing}");
            world.stores_nothing(delete(&client, &path)).await.refused(2216);
        }
        let unbound = delete(&client, &format!("{IDENTITIES}/{openid}")).await.data();
        assert_eq!(unbound["stillLeading"], json!([unionid]), "it is told that the person still comes by the other");
        delete(&client, &format!("{IDENTITIES}/{openid}")).await.refused(2216);
        let last = world.stores_nothing(delete(&client, &format!("{IDENTITIES}/{unionid}"))).await;
        last.refused(2217);
        assert_eq!(world.client().log_in(MINI, "bob").await.id, bob.id);
        assert_eq!(world.client().log_in(MINI, "carol").await.id, carol.id);
    }

    async fn of_two_that_unbind_the_last_two_at_once_one_is_refused(database) {
        let world = World::new(database).await;
        for round in 0..5 {
            let name = format!("bob{round}");
            world.person(&name);
            let bob = world.client().log_in(MINI, &name).await;
            let client = world.nobody().bearer(&bob.token);
            let both = [ids(&client, "openid").await, ids(&client, "unionid").await].concat();
            let paths: Vec<String> = both.iter().map(|id| format!("{IDENTITIES}/{id}")).collect();
            let answers = join_all(paths.iter().map(|path| delete(&client, path))).await;
            let mut codes: Vec<u64> = answers.iter().map(Answer::code).collect();
            codes.sort_unstable();
            assert_eq!(codes, [200, 2217]);
            assert_eq!(world.client().log_in(MINI, &name).await.id, bob.id);
        }
    }

    async fn an_identity_is_bound_by_a_code(database) {
        let world = World::new(database).await;
        for name in ["bob", "carol"] {
            world.person(name);
        }
        let bob = world.client().log_in(MINI, "bob").await;
        let carol = world.client().log_in(MINI, "carol").await;
        let client = world.nobody().bearer(&bob.token);
        let bind = async |connection: &str, code: String| {
            client.post(IDENTITIES, json!({ "connection": connection, "code": code })).await
        };
        bind("shop-two", world.code(TWO, "carol")).await.refused(2213);
        assert_eq!(list(&bind("shop-two", world.code(TWO, "bob")).await).len(), 3);
        bind("shop-two", world.code(TWO, "carol")).await.refused(2215);
        bind("cafe-mini", world.code(CAFE_MINI, "bob")).await.refused(2402);
        bind("shop-spare", world.code(MINI, "bob")).await.refused(2404);
        bind("shop-two", "nonsense".to_owned()).await.refused(2207);
        client.post(IDENTITIES, json!({ "connection": "shop-two" })).await.refused(2231);
        assert_eq!(world.client().log_in(TWO, "carol").await.id, carol.id);
        assert_eq!(world.client().log_in(TWO, "bob").await.id, bob.id);
    }

    async fn sessions_are_listed_and_ended(database) {
        let world = World::new(database).await;
        world.person("bob");
        world.person("carol");
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) MicroMessenger/8.0.50";
        let lost = world.client().header("user-agent", phone).log_in(MINI, "bob").await;
        world.advance(MINUTE);
        let tokens = world.client().log_in_v3(MINI, "bob").await;
        world.advance(MINUTE);
        let here = world.client().log_in(MINI, "bob").await;
        let carol = world.client().log_in(MINI, "carol").await;
        let client = world.nobody().bearer(&here.token);

        let sessions = list(&client.get(SESSIONS).await);
        let seen: Vec<&Value> = sessions.iter().map(|session| &session["id"]).collect();
        assert_eq!(seen, [&session_of(&here.token), &session_of(&tokens.access), &session_of(&lost.token)]);
        let current: Vec<bool> = sessions.iter().map(|session| session["current"].as_bool().unwrap()).collect();
        assert_eq!(current, [true, false, false]);
        assert_eq!((&sessions[2]["device"], &sessions[2]["browser"]), (&json!("iPhone"), &json!("WeChat")));
        assert_eq!(sessions[2]["applicationName"], "Shop mini program");
        assert_eq!(sessions[2]["ip"], "203.0.113.7");
        world.advance(MINUTE);
        world.client().refresh(&tokens.refresh).await.tokens();
        assert_eq!(list(&client.get(SESSIONS).await)[0]["id"], session_of(&tokens.access), "the last used is first");

        let of_carol = session_of(&carol.token);
        for nothing in [of_carol.as_str(), "6560c0ffee00000000000099", "%20"] {
            world.stores_nothing(delete(&client, &format!("{SESSIONS}/{nothing}"))).await.refused(2462);
        }
        delete(&client, &format!("{SESSIONS}/{}", session_of(&lost.token))).await.data_or_nothing();
        world.nobody().bearer(&lost.token).get(ME).await.refused(2020);
        assert_eq!(delete(&client, SESSIONS).await.data()["ended"], 1);
        world.nobody().bearer(&tokens.access).get(ME).await.refused(2020);
        client.get(ME).await.data();
        assert_eq!(delete(&client, &format!("{SESSIONS}?current=true")).await.data()["ended"], 1);
        client.get(ME).await.refused(2020);
        world.nobody().bearer(&carol.token).get(ME).await.data();
    }

    async fn the_audit_log_about_oneself_in_pages(database) {
        let world = World::new(database).await;
        world.person("bob");
        world.person("carol");
        let bob = world.client().log_in(MINI, "bob").await;
        world.client().log_in(MINI, "carol").await;
        let client = world.nobody().bearer(&bob.token);
        for n in 0..3 {
            world.advance(MINUTE);
            client.post(PROFILE, json!({ "nickname": format!("Bob {n}") })).await.data();
        }
        let (mut seen, mut next) = (Vec::new(), String::new());
        loop {
            let page = client.get(&format!("{ACTIVITY}?limit=2&before={next}")).await.data();
            seen.extend(page["list"].as_array().unwrap().clone());
            match page["next"].as_str() {
                Some(id) => next = id.to_owned(),
                None => break,
            }
        }
        let actions: Vec<&str> = seen.iter().map(|event| event["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["user.updated", "user.updated", "user.updated", "login", "user.created"]);
        assert_eq!(seen[0]["details"], json!({ "changed": ["nickname"] }), "names of fields, never values");
        for bad in ["before=a%20b", "limit=many"] {
            client.get(&format!("{ACTIVITY}?{bad}")).await.refused(2231);
        }
    }

    async fn ones_own_data_is_taken_out_after_a_recent_login(database) {
        let world = World::new(database).await;
        with_phone(&world, "bob");
        let bob = world.client().referer(MINI).try_log_in(Mode::V2Phone, MINI, "bob").await.user();
        let client = world.nobody().bearer(&bob.token);
        client.post(PROFILE, json!({ "nickname": "Bob", "customData": { "k": [1] } })).await.data();
        // Entries of the same millisecond have no order.
        world.advance(MINUTE);
        let data = client.get(EXPORT).await.data();
        let account = &data["accounts"][0];
        assert_eq!((&account["userId"], &account["phone"]), (&json!(bob.id), &json!("+8613812345678")));
        assert_eq!((&account["profile"]["nickname"], &account["customData"]), (&json!("Bob"), &json!({ "k": [1] })));
        let openid = bob.data["openid"].as_str().unwrap();
        assert!(data["identities"].as_array().unwrap().iter().any(|identity| identity["value"] == openid));
        assert_eq!(data["sessions"].as_array().unwrap().len(), 1);
        assert_eq!(data["activity"][0]["action"], "data.exported");
        for _ in 0..4 {
            client.get(EXPORT).await.data();
        }
        client.get(EXPORT).await.refused(1002);
        world.advance(16 * MINUTE);
        client.get(EXPORT).await.refused(2460);
        client.get(ME).await.data();
    }

    async fn an_account_is_deleted_in_one_step(database) {
        let world = World::new(database).await;
        with_phone(&world, "bob");
        let bob = world.client().referer(MINI).try_log_in(Mode::V2Phone, MINI, "bob").await.user();
        let client = world.nobody().bearer(&bob.token);
        for nothing in [json!({}), json!({ "phone": NUMBER }), json!({ "email": "x", "code": "1" })] {
            world.stores_nothing(client.post(DELETION, nothing)).await.refused(2231);
        }
        world.stores_nothing(client.post(DELETION, json!({ "phone": NUMBER, "code": "000000" }))).await.refused(2001);
        let app = &world.node.app;
        let application = app.config().application(SHOP_APP).unwrap().clone();
        let target = Target::Phone(Phone::parse(&format!("+86{NUMBER}")).unwrap());
        let origin = Origin::default();
        let sent = app.send_code(&application, target, PasscodePurpose::DeleteAccount, Language::English, &origin);
        sent.await.unwrap();
        app.run_due_jobs().await;
        let code = world.outbox().list()[0].code.clone().unwrap();
        world.secret(&code);
        client.post(DELETION, json!({ "phone": NUMBER, "code": code })).await.data_or_nothing();
        client.get(ME).await.refused(2020);
        world.client().try_log_in(Mode::V2Code, MINI, "bob").await.refused(2413);

        // An administrator cancels the deletion within the grace period.
        let wish = AccessKeyRequest { name: "test".to_owned(), role: AdminRole::Manager, permissions: None, pool: None, expires_at: None };
        let (_, key) = app.create_access_key(&AdminCaller::command_line(), wish).await.unwrap();
        world.secret(key.expose_secret());
        let path = format!("/admin/v1/pools/{SHOP}/users/{}/cancel-deletion", bob.id);
        let administrator = world.nobody().bearer(key.expose_secret());
        assert_eq!(administrator.post(&path, json!({})).await.status, 200);
        assert_eq!(administrator.post(&path, json!({})).await.status, 409, "nothing is left to call off");
        client.get(ME).await.refused(2020);
        let back = world.client().log_in(MINI, "bob").await;
        assert_eq!(back.id, bob.id);
        let me = world.nobody().bearer(&back.token).get(ME).await.data();
        assert_eq!((&me["status"], &me["loginNames"][0]["value"]), (&json!("Activated"), &json!(NUMBER)));
        world.advance(31 * 24 * 60 * MINUTE);
        app.run_due_jobs().await;
        app.sweep().await.unwrap();
        assert_eq!(world.client().log_in(MINI, "bob").await.id, bob.id, "nothing deletes it later");

        world.person("carol");
        let carol = world.client().log_in(MINI, "carol").await;
        world.advance(16 * MINUTE);
        let late = json!({ "phone": "13800000001", "code": "123456" });
        world.nobody().bearer(&carol.token).post(DELETION, late).await.refused(2460);
    }
}

on_both_engines! {
    /// A user who only has WeChat has no password or number to confirm with.
    async fn an_account_without_names_is_deleted_by_another_code_of_its_mini_program(database) {
        let world = World::new(database).await;
        for name in ["bob", "carol", "late"] {
            world.person(name);
        }
        let bob = world.client().log_in(MINI, "bob").await;
        world.client().log_in(MINI, "carol").await;
        let client = world.nobody().bearer(&bob.token);
        let delete_by = |connection: &str, code: &str| {
            client.post(DELETION, json!({ "connection": connection, "code": code }))
        };
        let of = |told: AuditEvent| assert_eq!(told.user, Some(bob.id.clone()));
        let action = "user.deletion_requested";
        of(world.refuses(2213, action, delete_by("shop-mini", &world.code(MINI, "carol"))).await);
        of(world.refuses(2216, action, delete_by("shop-mini", &world.code(MINI, "late"))).await);
        of(world.refuses(2207, action, delete_by("shop-mini", "nonsense")).await);
        delete_by("shop-spare", &world.code(MINI, "bob")).await.refused(2404);
        delete_by("cafe-mini", &world.code(CAFE_MINI, "bob")).await.refused(2402);
        client.get(ME).await.data();
        // Another mini program of the same Open Platform account works too, since its UnionID leads to this
        // account.
        delete_by("shop-two", &world.code(TWO, "bob")).await.data_or_nothing();
        client.get(ME).await.refused(2020);
        world.client().try_log_in(Mode::V2Code, MINI, "bob").await.refused(2413);
        let carol = world.client().log_in(MINI, "carol").await;
        world.advance(16 * MINUTE);
        let late = json!({ "connection": "shop-mini", "code": world.code(MINI, "carol") });
        let told = world.refuses(2460, action, world.nobody().bearer(&carol.token).post(DELETION, late)).await;
        assert_eq!(told.user, Some(carol.id));
    }
}
