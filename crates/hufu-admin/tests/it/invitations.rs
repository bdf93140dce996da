//! Invitations to be an administrator.

use std::time::Duration;

use hufu_app::Origin;
use hufu_testkit::administration::{call, key, users};
use hufu_testkit::on_both_engines;
use hufu_types::refusal::Code;
use hufu_types::{AdminRole, Language, PoolId, PoolRole};
use serde_json::{Value, json};

use crate::roles::{PASSWORD, administrator, made_key};
use crate::world::{CAFE, Plan, SHOP, World};

const INVITATIONS: &str = "/admin/v1/invitations";

/// Invites somebody. Returns the id, and the token of the link in the mail.
async fn invite(world: &World, by: &str, email: &str, role: &str, pool: Option<&str>) -> (String, String) {
    let new = json!({ "email": email, "role": role, "pool": pool, "language": "en" });
    let made = call(world, Some(by), "POST", INVITATIONS, Some(new)).await.is(201);
    assert!(!made.to_string().contains("hfv_"), "{made}");
    world.node.app.run_due_jobs().await;
    let link = world.outbox().list().into_iter().find_map(|message| message.code).unwrap();
    let (page, token) = link.split_once("?token=").unwrap();
    assert!(page.ends_with("/administration/invitation"), "{link}");
    world.secret(token);
    (made["id"].as_str().unwrap().to_owned(), token.to_owned())
}

async fn accept(
    world: &World,
    token: &str,
    username: &str,
    password: &str,
    has_account: bool,
) -> hufu_testkit::administration::Reply {
    let body =
        json!({ "token": token, "username": username, "password": password, "hasAccount": has_account });
    call(world, None, "POST", "/admin/v1/invitations/accept", Some(body)).await
}

async fn log_in(world: &World, username: &str) -> String {
    let login = json!({ "username": username, "password": PASSWORD });
    let session = call(world, None, "POST", "/admin/v1/sessions", Some(login)).await.is(201);
    let key = session["key"].as_str().unwrap().to_owned();
    world.secret(&key);
    key
}

on_both_engines! {
    /// A link makes an account with the role, once; another one attaches to the account that there is.
    async fn an_invitation_is_accepted_once(database) {
        let world = World::new(database).await;
        world.secret(PASSWORD);
        let owner = key(&world, AdminRole::Owner, None).await;
        let (_, token) = invite(&world, &owner, "mei@example.com", "manager", Some(SHOP)).await;
        let listed = call(&world, Some(&owner), "GET", INVITATIONS, None).await.is(200);
        assert_eq!((&listed["invitations"][0]["email"], &listed["invitations"][0]["pool"]), (&json!("mei@example.com"), &json!(SHOP)));
        accept(&world, &token, "mei", "12345678", false).await.is(422);
        accept(&world, "hfv_nonsense", "mei", PASSWORD, false).await.is(404);
        let both = futures::join!(
            accept(&world, &token, "mei", PASSWORD, false),
            accept(&world, &token, "lee", PASSWORD, false)
        );
        let mut statuses = [both.0.status, both.1.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 404]);
        let name = if both.0.status == 201 { "mei" } else { "lee" };
        let login = log_in(&world, name).await;
        call(&world, Some(&login), "GET", &users(SHOP), None).await.is(200);
        call(&world, Some(&login), "GET", &users(CAFE), None).await.is(404);
        assert_eq!(call(&world, Some(&owner), "GET", INVITATIONS, None).await.is(200)["invitations"], json!([]));

        // The same person is invited to another pool; a role that they have stays.
        let (_, token) = invite(&world, &owner, "mei@example.com", "support", Some(CAFE)).await;
        accept(&world, &token, name, PASSWORD, false).await.is(409);
        accept(&world, &token, name, "wrong", true).await.is(401);
        accept(&world, &token, name, PASSWORD, true).await.is(201);
        call(&world, Some(&login), "GET", &users(CAFE), None).await.is(200);
        let (_, token) = invite(&world, &owner, "mei@example.com", "auditor", Some(SHOP)).await;
        let made = accept(&world, &token, name, PASSWORD, true).await.is(201);
        assert_eq!(made["roles"], json!([{ "role": "manager", "pool": SHOP }, { "role": "support", "pool": CAFE }]));
    }

    /// An owner of a pool invites to that pool, and sees and withdraws no other invitations.
    async fn an_owner_of_a_pool_invites_to_it(database) {
        let world = World::new(database).await;
        world.secret(PASSWORD);
        let owner = key(&world, AdminRole::Owner, None).await;
        let (id, mei) = administrator(&world, &owner, "mei", json!([{ "role": "owner", "pool": CAFE }])).await;
        let (theirs, token_of_shop) = invite(&world, &owner, "a@example.com", "owner", Some(SHOP)).await;
        let (own, token) = invite(&world, &mei, "b@example.com", "auditor", Some(CAFE)).await;
        let new = |pool: Option<&str>| Some(json!({ "email": "c@example.com", "role": "auditor", "pool": pool }));
        call(&world, Some(&mei), "POST", INVITATIONS, new(Some(SHOP))).await.is(404);
        call(&world, Some(&mei), "POST", INVITATIONS, new(Some("system"))).await.is(404);
        call(&world, Some(&mei), "POST", INVITATIONS, new(None)).await.is(403);
        let listed = call(&world, Some(&mei), "GET", INVITATIONS, None).await.is(200);
        let ids: Vec<_> = listed["invitations"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
        assert_eq!(ids, [&json!(own)]);
        call(&world, Some(&mei), "DELETE", &format!("{INVITATIONS}/{theirs}"), None).await.is(404);
        call(&world, Some(&owner), "DELETE", &format!("{INVITATIONS}/{theirs}"), None).await.is(204);
        accept(&world, &token_of_shop, "eve", PASSWORD, false).await.is(404);
        // What somebody sent who is dismissed is not good any more.
        call(&world, Some(&owner), "DELETE", &format!("/admin/v1/administrators/{id}"), None).await.is(200);
        accept(&world, &token, "eve", PASSWORD, false).await.is(404);
        let log = call(&world, Some(&owner), "GET", "/admin/v1/pools/system/audit?action=invitation.changed", None).await.is(200);
        assert_eq!(log["events"].as_array().unwrap().len(), 4);
        assert!(!log.to_string().contains("a@example.com"), "{log}");
    }

    /// An administrator sends no more with keys that they made, and a pool has a limit of its own.
    async fn keys_and_pools_do_not_multiply_invitations(database) {
        let plan = Plan::new().limits(|limits| {
            limits.invitations_per_sender = 2;
            limits.invitations_per_pool = 3;
        });
        let world = plan.build(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let (_, mei) = administrator(&world, &owner, "mei", json!([{ "role": "owner" }])).await;
        let hers = made_key(&world, &mei, json!({ "name": "x", "role": "owner" })).await;
        let other = key(&world, AdminRole::Owner, None).await;
        let all = [
            (&mei, CAFE, 201),
            (&hers, CAFE, 201),
            (&hers, SHOP, 429),
            (&owner, CAFE, 201),
            (&owner, CAFE, 429),
            (&other, SHOP, 201),
        ];
        for (number, (by, pool, status)) in all.into_iter().enumerate() {
            let new = json!({ "email": format!("x{number}@example.com"), "role": "auditor", "pool": pool });
            call(&world, Some(by), "POST", INVITATIONS, Some(new)).await.is(status);
        }
    }

    /// Where people sign up, one person is as many senders as they like.
    async fn one_network_does_not_send_for_many(database) {
        let world = Plan::new().limits(|limits| limits.invitations_per_ip = 2).build(database).await;
        let app = &world.node.app;
        let invites = async |ip: &str, number: usize| {
            let key = key(&world, AdminRole::Owner, None).await;
            let origin = Origin { ip: Some(ip.to_owned()), ..Origin::default() };
            let by = app.authenticate_admin(Some(&key), origin).await.unwrap();
            let pool = Some(PoolId::parse(if number == 0 { CAFE } else { SHOP }).unwrap());
            let role = PoolRole { role: AdminRole::Auditor, pool };
            app.invite_administrator(&by, &format!("x{number}@example.com"), role, Language::English).await
        };
        invites("192.0.2.1", 0).await.unwrap();
        invites("192.0.2.1", 1).await.unwrap();
        assert!(invites("192.0.2.1", 2).await.unwrap_err().is(Code::TooOften));
        invites("198.51.100.1", 3).await.unwrap();
    }

    /// Whoever signed up has no username.
    async fn an_account_without_a_username_accepts_by_its_address(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let user = json!({ "email": "mei@example.com", "password": PASSWORD });
        call(&world, Some(&owner), "POST", "/admin/v1/pools/system/users", Some(user)).await.is(201);
        let (_, token) = invite(&world, &owner, "work@example.com", "auditor", Some(CAFE)).await;
        accept(&world, &token, "mei@example.com", "something else", true).await.is(401);
        let made = accept(&world, &token, "Mei@Example.com", PASSWORD, true).await.is(201);
        assert_eq!(made["roles"], json!([{ "role": "auditor", "pool": CAFE }]));
        let login = json!({ "username": "mei@example.com", "password": PASSWORD });
        let login = call(&world, None, "POST", "/admin/v1/sessions", Some(login)).await.is(201);
        let hers = login["key"].as_str().unwrap();
        call(&world, Some(hers), "GET", &users(CAFE), None).await.is(200);
    }

    /// The invitation of somebody who has no role there, however that came about, is not good.
    async fn an_invitation_without_its_sender_is_not_good(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let (_, mei) = administrator(&world, &owner, "mei", json!([{ "role": "owner", "pool": CAFE }])).await;
        let (_, token) = invite(&world, &mei, "a@example.com", "auditor", Some(CAFE)).await;
        hufu_testkit::raw::execute(world.database(), "DELETE FROM administrators").await;
        accept(&world, &token, "eve", PASSWORD, false).await.is(404);
    }

    /// Invitations end, and so many are sent and no more.
    async fn invitations_are_bounded(database) {
        let plan = Plan::new().limits(|limits| limits.invitations_per_sender = 4);
        let world = plan.build(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let (_, token) = invite(&world, &owner, "mei@example.com", "auditor", None).await;
        let new = |email: &str| Some(json!({ "email": email, "role": "auditor" }));
        for bad in ["none", "", "a b@example.com"] {
            call(&world, Some(&owner), "POST", INVITATIONS, new(bad)).await.is(422);
        }
        for number in 0..4 {
            let status = call(&world, Some(&owner), "POST", INVITATIONS, new(&format!("x{number}@example.com"))).await.status;
            assert_eq!(status, if number < 3 { 201 } else { 429 });
        }
        let other = key(&world, AdminRole::Owner, None).await;
        let mut statuses = Vec::new();
        for _ in 0..5 {
            let by = key(&world, AdminRole::Owner, None).await;
            statuses.push(call(&world, Some(&by), "POST", INVITATIONS, new("mei@example.com")).await.status);
        }
        assert_eq!(statuses, [201, 201, 201, 201, 429], "one address gets five a day");
        world.advance(Duration::from_secs(7 * 24 * 60 * 60));
        accept(&world, &token, "mei", PASSWORD, false).await.is(404);
        let listed: Value = call(&world, Some(&other), "GET", INVITATIONS, None).await.is(200);
        assert_eq!(listed["invitations"], json!([]));
    }
}
