//! Every refusal is in the audit log once, with the code that the client receives and with the origin of the
//! request.

use std::time::Duration;

use hufu_sandbox::{AppPatch, AppState, Fault, NewUser};
use hufu_store::audit::AuditEvent;
use hufu_store::{StoreError, Tx, Write};
use hufu_testkit::on_both_engines;
use hufu_types::UserStatus;
use serde_json::{Value, json};

use crate::client::{Answer, BIND, Client, Mode, User, session_of};
use crate::personal::{IDENTITIES, delete};
use crate::world::{CAFE_MINI, EXCHANGE, FILE, MEMBERS, MINI, PHONE_NUMBER, Plan, SHOP, TWO, World};

const MERGES: &str = "/api/v3/me/merges";
const MINUTE: Duration = Duration::from_secs(60);

/// Marks an account as deleted by its owner.
struct Leave(String);

impl Write for Leave {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let sql = "UPDATE users SET status = 'Deactivated', delete_after = 1800000000000 WHERE id = $1";
        tx.execute(sql, &[(&self.0).into()]).await.map(drop)
    }
}

/// Does not wait for the record of another node, since there is none.
async fn world(database: hufu_testkit::TestDatabase) -> World {
    let world = Plan::new().limits(|limits| limits.code_record_wait = Duration::ZERO).build(database).await;
    for name in ["bob", "carol", "late"] {
        world.person(name);
    }
    world
}

fn answering(path: &str, errcode: i32) -> Fault {
    Fault { path: Some(path.to_owned()), count: 1, errcode: Some(errcode), ..Fault::default() }
}

async fn log_in_with(client: &Client<'_>, mode: Mode, app_id: &str, connection: &str) -> Answer {
    let (path, mut body) = mode.request(client.world, app_id, "late");
    body["extIdpConnidentifier"] = connection.into();
    client.post(path, body).await
}

on_both_engines! {
    async fn what_wechat_refuses_is_told_with_its_errcode(database) {
        let world = world(database).await;
        let (client, connection) = (world.client(), world.connection(MINI));
        for (errcode, code) in [
            (40029, 2207), (40163, 2206), (40226, 1001), (45011, 1002), (40013, 2407), (50002, 2408), (40002, 500),
        ] {
            world.sandbox.add_fault(answering(EXCHANGE, errcode)).unwrap();
            let told = world.refuses(code, "login", client.try_log_in(Mode::V2Code, MINI, "bob")).await;
            assert_eq!((told.connection.as_deref(), told.user), (Some(connection.as_str()), None));
            assert_eq!(told.details, json!({ "by": "wechat:miniprogram:default", "errcode": errcode }));
        }
        world.sandbox.add_fault(answering(PHONE_NUMBER, 40029)).unwrap();
        world.refuses(2207, "login", client.try_log_in(Mode::CodeAndPhone, MINI, "bob")).await;
        let state = |state| AppPatch { state: Some(state), ..AppPatch::default() };
        world.sandbox.change_app(MINI, state(AppState::Frozen)).unwrap();
        world.refuses(2408, "login", client.try_log_in(Mode::Code, MINI, "bob")).await;
        world.sandbox.change_app(MINI, state(AppState::Ok)).unwrap();
        let (path, mut body) = Mode::V2Phone.request(&world, MINI, "bob");
        body["encryptedData"] = "AAAAAAAAAAAAAAAAAAAAAA==".into();
        world.refuses(2016, "login", client.clone().referer(MINI).post(path, body)).await;

        let bob = client.log_in(TWO, "bob").await;
        let bound = client.clone().bearer(&bob.token).referer(MINI);
        for (errcode, code) in [(40029, 2207), (50002, 2408)] {
            world.sandbox.add_fault(answering(EXCHANGE, errcode)).unwrap();
            let told = world.refuses(code, "identity.bound", bound.post(BIND, json!({ "code": world.code(MINI, "bob") }))).await;
            assert_eq!((told.user, told.connection), (Some(bob.id.clone()), Some(connection.clone())));
        }
    }

    async fn who_is_not_let_in_is_told_whatever_the_way(database) {
        let world = world(database).await;
        let client = world.client();
        let members = world.connection(MEMBERS);
        for mode in Mode::ALL {
            let told = world.refuses(2004, "login", log_in_with(&client, mode, MEMBERS, "shop-members")).await;
            assert_eq!((told.connection.as_deref(), told.user.as_deref()), (Some(members.as_str()), None), "{mode:?}");
            assert_eq!(told.actor_kind, "system");
        }
        let bob = client.log_in(MINI, "bob").await;
        let carol = client.log_in(MINI, "carol").await;
        // The numbers are saved to their accounts, so that they identify the users as well.
        for name in ["bob", "carol"] {
            client.try_log_in(Mode::Phone, MINI, name).await.data();
        }
        world.set_status(SHOP, &bob.id, UserStatus::Suspended).await;
        world.node.app.store().write(Leave(carol.id.clone())).await.unwrap();
        for (name, user, code) in [("bob", &bob, 2005), ("carol", &carol, 2413)] {
            for mode in Mode::ALL {
                let told = world.refuses(code, "login", client.try_log_in(mode, MINI, name)).await;
                assert_eq!(told.user.as_ref(), Some(&user.id), "{mode:?}");
                assert_eq!((told.actor_kind.as_str(), told.actor_id), ("user", Some(user.id.clone())));
                assert_eq!(told.details["by"], "wechat:miniprogram:default");
            }
        }
        let closed = "name = \"Shop\"\n  [user_pool.settings]\n  registration = false";
        world.reconfigure(&FILE.replacen("name = \"Shop\"", closed, 1)).await;
        for mode in [Mode::V2Code, Mode::Code, Mode::Phone, Mode::CodeAndPhone] {
            world.refuses(2031, "login", client.try_log_in(mode, MINI, "late")).await;
        }
    }

    async fn a_login_that_is_over_is_told_when_its_code_comes_again(database) {
        let world = world(database).await;
        let client = world.client().referer(MINI);
        let code = world.code(MINI, "bob");
        let bob = client.send_code(&code).await.user();
        client.clone().bearer(&bob.token).get("/api/v2/logout").await;
        let told = world.refuses(2206, "login", client.send_code(&code)).await;
        assert_eq!(told.user, Some(bob.id));
    }

    async fn refused_changes_of_what_leads_to_an_account_are_told(database) {
        let world = world(database).await;
        let bob = world.client().log_in(MINI, "bob").await;
        let carol = world.client().log_in(MINI, "carol").await;
        let client = world.nobody().bearer(&bob.token);
        let bind = async |name: &str| {
            let body = json!({ "connection": "shop-two", "code": world.code(TWO, name) });
            client.post(IDENTITIES, body).await
        };
        let told = world.refuses(2213, "identity.bound", bind("carol")).await;
        assert_eq!((told.user, told.connection), (Some(bob.id.clone()), Some(world.connection(TWO))));
        bind("bob").await.data();
        let count = world.audit().await.len();
        bind("bob").await.data();
        assert_eq!(world.audit().await.len(), count, "what is bound is bound: nothing happened");
        world.refuses(2215, "identity.bound", bind("carol")).await;

        world.refuses(2216, "identity.unbound", delete(&client, &format!("{IDENTITIES}/0123456789abcdef01234567"))).await;
        let mut held: Vec<Value> = client.get(IDENTITIES).await.data().as_array().unwrap().clone();
        let last = held.pop().unwrap();
        for identity in held {
            delete(&client, &format!("{IDENTITIES}/{}", identity["id"].as_str().unwrap())).await.data();
        }
        let last = format!("{IDENTITIES}/{}", last["id"].as_str().unwrap());
        let told = world.refuses(2217, "identity.unbound", delete(&client, &last)).await;
        assert_eq!(told.user, Some(bob.id.clone()));
        let foreign = format!("/api/v3/me/sessions/{}", session_of(&carol.token));
        world.refuses(2462, "sessions.ended", delete(&client, &foreign)).await;

        let unbind = |body| client.post("/api/v3/me/login-names/unbind", body);
        world.refuses(2216, "phone.unbound", unbind(json!({ "phone": "13812345678" }))).await;
        world.refuses(2216, "user.updated", unbind(json!({ "username": "carol" }))).await;
        world.advance(16 * MINUTE);
        world.refuses(2460, "email.unbound", unbind(json!({ "email": "a@example.com" }))).await;
        world.refuses(2460, "data.exported", client.get("/api/v3/me/export")).await;
        let late = json!({ "phone": "13800000001", "code": "123456" });
        world.refuses(2460, "user.deletion_requested", client.post("/api/v3/me/deletion", late)).await;
    }

    async fn refused_merges_are_told(database) {
        let world = world(database).await;
        world.person("eve");
        let bob = world.client().log_in(MINI, "bob").await;
        let carol = world.client().log_in(MINI, "carol").await;
        let eve = world.cafe().log_in(CAFE_MINI, "eve").await;
        let client = world.nobody().bearer(&bob.token);
        let merge = |token: &str| client.post(MERGES, json!({ "token": token }));
        let by = |user: &User, told: AuditEvent| assert_eq!(told.user, Some(user.id.clone()));
        by(&bob, world.refuses(2467, "users.merged", merge(&bob.token)).await);
        by(&bob, world.refuses(2020, "users.merged", merge(&eve.token)).await);
        by(&bob, world.refuses(2020, "users.merged", merge("nonsense")).await);
        let link = json!({ "primaryUserToken": bob.token, "secondaryUserToken": bob.token });
        let linked = world.client();
        by(&bob, world.refuses(2467, "users.merged", linked.post("/api/v2/users/link", link)).await);
        world.set_status(SHOP, &carol.id, UserStatus::Suspended).await;
        world.node.app.refresh_config().await.unwrap();
        by(&bob, world.refuses(2020, "users.merged", merge(&carol.token)).await);
        world.set_status(SHOP, &carol.id, UserStatus::Activated).await;
        let carol = world.client().log_in(MINI, "carol").await;
        merge(&carol.token).await.data();
        by(&bob, world.refuses(2467, "users.merged", merge(&carol.token)).await);

        let id = client.get(MERGES).await.data()[0]["id"].as_str().unwrap().to_owned();
        let path = format!("{MERGES}/{id}");
        let unknown = format!("{MERGES}/0123456789abcdef01234567");
        by(&bob, world.refuses(2463, "users.merge_undone", delete(&client, &unknown)).await);
        delete(&client, &path).await.data();
        let told = world.refuses(2464, "users.merge_undone", delete(&client, &path)).await;
        assert_eq!((told.details["merge"].as_str(), told.user), (Some(id.as_str()), Some(bob.id.clone())));
        world.advance(16 * MINUTE);
        by(&bob, world.refuses(2460, "users.merge_undone", delete(&client, &path)).await);
        by(&bob, world.refuses(2460, "users.merged", merge(&carol.token)).await);
        // What the user sees of it reveals nothing about the other account.
        let seen = client.get("/api/v3/me/activity?limit=100").await.data();
        let refused = |event: &&Value| event["action"] == "users.merged" && event["code"] != 0;
        let refused: Vec<&Value> = seen["list"].as_array().unwrap().iter().filter(refused).collect();
        assert_eq!(refused.len(), 7);
        assert!(refused.iter().all(|event| event["details"] == json!({})));
    }

    /// A flood of bad requests does not fill the log. For each address and window a limited number is
    /// written, and then one entry that there were more.
    async fn an_address_writes_so_many_refusals_and_no_more(database) {
        let plan = Plan::new().limits(|limits| {
            limits.login_failures_per_ip = 3;
            limits.code_record_wait = Duration::ZERO;
        });
        let world = plan.build(database).await;
        let name = Some("bob".to_owned());
        world.person_with(NewUser { name, ..NewUser::default() });
        let written = async || {
            let events = world.audit().await;
            let more = events.iter().filter(|event| event.details["more"] == true).count();
            (events.iter().filter(|event| event.code != 0).count(), more)
        };
        for _ in 0..8 {
            world.client().send_code("guess").await;
        }
        assert_eq!(written().await, (4, 1), "guesses");
        world.sandbox.change_app(MINI, AppPatch { state: Some(AppState::Frozen), ..AppPatch::default() }).unwrap();
        for _ in 0..8 {
            world.client().try_log_in(Mode::V2Code, MINI, "bob").await.refused(2408);
        }
        assert_eq!(written().await, (8, 2), "what is no guess");
        world.client().from([198, 51, 100, 1]).try_log_in(Mode::V2Code, MINI, "bob").await.refused(2408);
        assert_eq!(written().await, (9, 2), "each address has its own");
        for nothing in [json!({}), json!({ "code": "" }), json!({ "code": "x".repeat(600) })] {
            world.client().post(crate::client::AUTH, nothing).await;
        }
        assert_eq!(written().await, (9, 2), "a request that is malformed is about nobody");
    }
}
