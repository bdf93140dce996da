//! Logins by QR code in the pool's own app: a browser shows the code, a phone confirms, the browser logs in. Each may talk
//! to another node.

mod binding;
mod mini_program;
mod streams;

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode, header};
use futures::StreamExt as _;
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::UserStatus;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::client::{Answer, Client, SIGNIN, User, claims, signin};
use crate::world::{MINI, Node, Plan, SHOP, SHOP_APP, SHOP_WEB, World};

const GENE: &str = "/api/v2/qrcode/gene";
const USERINFO: &str = "/api/v2/qrcode/userinfo";
const EXCHANGE: &str = "/api/v3/exchange-tokenset-with-qrcode-ticket";

/// A QR code, as its browser has it and as a phone sees it.
struct Code {
    /// The secret of the browser.
    random: String,
    /// What stands in the picture.
    scene: String,
}

/// What a phone that scans the picture reads.
async fn scanned(client: &Client<'_>, url: &str) -> Value {
    let path = url.strip_prefix("https://id.example.com").unwrap_or(url);
    let picture = client.get(path).await;
    assert_eq!(
        (picture.status, picture.headers["content-type"].as_bytes()),
        (StatusCode::OK, &b"image/png"[..])
    );
    let decoded = image::load_from_memory(&picture.bytes).unwrap().to_luma8();
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        decoded.get_pixel(u32::try_from(x).unwrap(), u32::try_from(y).unwrap()).0[0]
    });
    let (_, text) = prepared.detect_grids()[0].decode().unwrap();
    serde_json::from_str(&text).unwrap()
}

async fn new_code(client: &Client<'_>) -> Code {
    let data = client.post(GENE, json!({ "scene": "APP_AUTH" })).await.data();
    let random = data["random"].as_str().unwrap().to_owned();
    let seen = scanned(client, data["url"].as_str().unwrap()).await;
    client.world.secret(&random);
    Code { random, scene: seen["random"].as_str().unwrap().to_owned() }
}

async fn check(client: &Client<'_>, random: &str) -> Value {
    client.get(&format!("/api/v2/qrcode/check?random={random}")).await.data()
}

async fn phone(client: &Client<'_>, user: &User, action: &str, scene: &str) -> Answer {
    client
        .clone()
        .bearer(&user.token)
        .post(&format!("/api/v2/qrcode/{action}"), json!({ "random": scene }))
        .await
}

async fn confirm(client: &Client<'_>, user: &User, scene: &str) {
    phone(client, user, "scanned", scene).await.data();
    phone(client, user, "confirm", scene).await.data();
}

async fn take(client: &Client<'_>, ticket: &Value) -> Answer {
    client.post(USERINFO, json!({ "ticket": ticket })).await
}

/// A user of the shop who is logged in to its app.
async fn bob(world: &World) -> User {
    world.person("bob");
    world.client().referer(MINI).log_in(MINI, "bob").await
}

/// The stream of events of a code, from a node that asks the database as servers do.
struct Events {
    stream: BodyDataStream,
    rest: String,
}

impl Events {
    async fn open(node: &Node, random: &str) -> Self {
        tokio::spawn(node.app.clone().watch_tickets());
        let mut request = Request::get(format!("/api/v2/qrcode/events?random={random}"))
            .header(header::HOST, "id.example.com")
            .body(Body::empty())
            .unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([203, 0, 113, 9], 40_000))));
        let response = node.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { stream: response.into_body().into_data_stream(), rest: String::new() }
    }

    /// The next event, without the comments before it. `None` at the end of the stream.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.rest.clone().split_once("\n\n") {
                self.rest = rest.to_owned();
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                match data {
                    Some(data) => return Some(serde_json::from_str(data).unwrap()),
                    None => continue,
                }
            }
            let chunk = self.stream.next().await?.unwrap();
            self.rest.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn status(&mut self) -> Option<i64> {
        self.next().await.map(|event| event["status"].as_i64().unwrap())
    }
}

on_both_engines! {
    /// Lesson 5.
    async fn one_node_issues_a_code_another_hears_the_phone_a_third_serves_the_browser(database) {
        let world = World::new(database).await;
        let (second, third) = (world.another_node().await, world.another_node().await);
        let bob = bob(&world).await;
        let (issuing, hearing, serving) = (world.client(), world.client_of(&second), world.client_of(&third));
        let code = new_code(&issuing).await;
        let waiting = check(&serving, &code.random).await;
        assert_eq!((&waiting["status"], &waiting["random"]), (&json!(0), &json!(code.random)));
        assert_eq!(waiting["userInfo"], json!({ "nickname": null, "photo": null }), "js-sdk reads it unseen");
        assert!(waiting.get("ticket").is_none());

        let data = phone(&hearing, &bob, "scanned", &code.scene).await.data();
        assert_eq!(data, json!({ "random": code.scene, "status": 1, "description": "scanned" }));
        assert_eq!(check(&serving, &code.random).await["status"], 1);
        assert_eq!(phone(&hearing, &bob, "confirm", &code.scene).await.data()["status"], 2);
        let confirmed = check(&serving, &code.random).await;
        assert_eq!(confirmed["status"], 2);
        assert!(confirmed["userInfo"].get("token").is_none(), "js-sdk would never call back");

        let sessions = world.rows("sessions").await;
        let done = take(&serving, &confirmed["ticket"]).await;
        assert_eq!(done.user().id, bob.id);
        assert_eq!(world.rows("sessions").await, sessions + 1);
        take(&issuing, &confirmed["ticket"]).await.refused(2574);
        assert_eq!(check(&serving, &code.random).await["status"], -1, "used is over");
        let audit = world.audit().await;
        assert!(audit.iter().any(|entry| entry.action == "login" && entry.details["by"] == "app-qrcode"));
    }

    async fn the_calls_of_v3_do_the_same(database) {
        let world = World::new(database).await;
        let bob = bob(&world).await;
        let client = world.client();
        let data = client.post("/api/v3/gene-qrcode", json!({ "type": "MOBILE_APP" })).await.data();
        let id = data["qrcodeId"].as_str().unwrap().to_owned();
        let scene = scanned(&client, data["url"].as_str().unwrap()).await["random"].clone();
        let (app, node) = (client.clone().bearer(&bob.token), &client);
        let status = async |path: &str| node.get(&format!("/api/v3/{path}?qrcodeId={id}")).await.data();
        assert_eq!(status("get-qrcode-status").await, json!({ "status": "PENDING" }));
        for (action, expected) in [("SCAN", "SCANNED"), ("CONFIRM", "AUTHORIZED")] {
            app.post("/api/v3/set-qrcode-status", json!({ "qrcodeId": scene, "action": action })).await.data_or_nothing();
            assert_eq!(status("check-qrcode-status").await["status"], expected);
        }
        let ticket = status("get-qrcode-status").await["ticket"].clone();
        assert!(status("get-qrcode-status").await.get("tokenSet").is_none(), "a poll gives no tokens");
        let done = client.post(EXCHANGE, json!({ "ticket": ticket, "client_id": SHOP_APP })).await.data();
        assert!(done["access_token"].is_string() && done["id_token"].is_string(), "{done}");
        client.post(EXCHANGE, json!({ "ticket": ticket })).await.refused(2574);

        let data = client.post("/api/v3/gene-qrcode", json!({ "type": "MOBILE_APP" })).await.data();
        let id = data["qrcodeId"].as_str().unwrap().to_owned();
        let scene = scanned(&client, data["url"].as_str().unwrap()).await["random"].clone();
        app.post("/api/v3/change-qrcode-status", json!({ "qrcodeId": scene, "action": "LOOK" })).await.refused(2231);
        let body = json!({ "qrcodeId": scene, "action": "APP_LOGIN" });
        client.post("/api/v3/qrcode-app-login", body.clone()).await.refused(2020);
        let tokens = app.post("/api/v3/qrcode-app-login", body).await.data();
        assert!(tokens["access_token"].is_string() && tokens["refresh_token"].is_null(), "{tokens}");
        let status = client.get(&format!("/api/v3/get-qrcode-status?qrcodeId={id}")).await.data();
        assert_eq!(status["status"], "AUTHORIZED");
    }

    async fn a_confirmed_login_is_no_newer_and_lasts_no_longer_than_the_one_that_confirmed_it(database) {
        let world = World::new(database).await;
        let hour = Duration::from_secs(60 * 60);
        world.change_application(SHOP_APP, |application| {
            (application.lifetimes.session, application.lifetimes.user_token) = (hour, hour);
        }).await;
        let bob = bob(&world).await;
        let client = world.client();
        world.advance(hour * 2 / 3);
        let code = new_code(&client).await;
        confirm(&client, &bob, &code.scene).await;
        let done = take(&client, &check(&client, &code.random).await["ticket"]).await.user();
        assert_eq!(claims(&done.token)["auth_time"], claims(&bob.token)["auth_time"]);
        let browser = client.clone().bearer(&done.token);
        browser.get("/api/v2/users/me").await.data();
        let code = new_code(&client).await;
        phone(&client, &done, "scanned", &code.scene).await.refused(2576);
        world.advance(hour / 3 + Duration::from_secs(6));
        browser.get("/api/v2/users/me").await.refused(2020);

        // However new it is, it deletes no account.
        let bob = world.client().referer(MINI).log_in(MINI, "bob").await;
        let code = new_code(&client).await;
        confirm(&client, &bob, &code.scene).await;
        let done = take(&client, &check(&client, &code.random).await["ticket"]).await.user();
        let deleting = client.clone().bearer(&done.token);
        deleting.send(Method::DELETE, "/api/v2/users/delete", "application/json", Vec::new()).await.refused(2460);
    }

    async fn a_confirmed_login_grants_no_more_than_the_token_that_confirmed_it(database) {
        let world = World::new(database).await;
        world.person("bob");
        let client = world.client();
        let log_in = async |scope: &str| {
            let payload = json!({ "code": world.code(MINI, "bob") });
            let mut body = signin("wechat_mini_program_code", "wechatMiniProgramCodePayload", &payload);
            body["options"]["scope"] = scope.into();
            client.post(SIGNIN, body).await.data()["access_token"].as_str().unwrap().to_owned()
        };
        let order = async |token: &str, scene: &str, action: &str| {
            let body = json!({ "qrcodeId": scene, "action": action });
            client.clone().bearer(token).post("/api/v3/set-qrcode-status", body).await
        };
        let (narrow, wide) = (log_in("openid").await, log_in("openid profile").await);
        let code = new_code(&client).await;
        order(&narrow, &code.scene, "SCAN").await.refused(2470);
        let body = json!({ "qrcodeId": code.scene, "action": "APP_LOGIN" });
        client.clone().bearer(&narrow).post("/api/v3/qrcode-app-login", body).await.refused(2470);
        assert_eq!(check(&client, &code.random).await["status"], 0);
        for action in ["SCAN", "CONFIRM"] {
            order(&wide, &code.scene, action).await.data_or_nothing();
        }
        let done = take(&client, &check(&client, &code.random).await["ticket"]).await.user();
        let browser = client.clone().bearer(&done.token);
        browser.get("/api/v2/users/me").await.data();
        // As an access token, it never becomes one that grants everything.
        browser.post("/api/v2/users/refresh-token", json!({})).await.refused(2231);
        let me = browser.get("/oidc/me").await.json();
        assert!(me.get("sub").is_some() && me.get("phone_number").is_none() && me.get("email").is_none(), "{me}");
    }

    async fn custom_data_of_a_code_is_bounded(database) {
        let world = World::new(database).await;
        let client = world.client();
        let ask = async |params: Value| client.post(GENE, json!({ "scene": "APP_AUTH", "params": params })).await;
        ask(json!({ "a": "x".repeat(4000) })).await.data();
        world.stores_nothing(ask(json!({ "a": "x".repeat(4096) }))).await.refused(2231);
        let many: serde_json::Map<_, _> = (0..21).map(|n| (format!("k{n}"), json!(1))).collect();
        world.stores_nothing(ask(many.into())).await.refused(2231);
    }

    /// Lesson 15.
    async fn streams_are_counted_by_code_and_by_network(database) {
        let world = Plan::new().limits(|limits| limits.qr_streams_per_ip = 6).build(database).await;
        let client = world.client();
        let codes = [new_code(&client).await, new_code(&client).await];
        let path = |code: &Code| format!("/api/v2/qrcode/events?random={}", code.random);
        let mut open = Vec::new();
        for _ in 0..4 {
            open.push(Events::open(&world.node, &codes[0].random).await);
        }
        client.clone().from([203, 0, 113, 9]).get(&path(&codes[0])).await.refused(1002);
        for _ in 0..2 {
            open.push(Events::open(&world.node, &codes[1].random).await);
        }
        client.clone().from([203, 0, 113, 9]).get(&path(&codes[1])).await.refused(1002);
        // A stream that ended has given its place back.
        drop(open.remove(0));
        open.push(Events::open(&world.node, &codes[1].random).await);
    }

    async fn streams_count_as_questions(database) {
        let world = Plan::new().limits(|limits| limits.qr_checks_per_code = 2).build(database).await;
        let code = new_code(&world.client()).await;
        for _ in 0..2 {
            drop(Events::open(&world.node, &code.random).await);
        }
        world.client().get(&format!("/api/v2/qrcode/events?random={}", code.random)).await.refused(1002);
    }

    /// Lesson 15: only the secret of the browser reads the state.
    async fn a_scene_opens_nothing(database) {
        let world = World::new(database).await;
        let bob = bob(&world).await;
        let client = world.client();
        let code = new_code(&client).await;
        let seen = client.post(GENE, json!({ "scene": "APP_AUTH" })).await.data();
        let seen = scanned(&client, seen["url"].as_str().unwrap()).await;
        assert_eq!((&seen["scene"], &seen["userPoolId"]), (&json!("APP_AUTH"), &json!(SHOP)));
        assert!(!seen.to_string().contains(&code.random));
        confirm(&client, &bob, &code.scene).await;
        client.get(&format!("/api/v2/qrcode/check?random={}", code.scene)).await.refused(2241);
        client.get(&format!("/api/v2/qrcode/events?random={}", code.scene)).await.refused(2241);
        take(&client, &json!(code.scene)).await.refused(2574);
        take(&client, &json!(code.random)).await.refused(2574);
        // And a secret is no scene.
        phone(&client, &bob, "scanned", &code.random).await.refused(2241);
        client.get("/api/v2/qrcode/check?random=nonsense").await.refused(2241);
        client.get("/api/v2/qrcode/check").await.refused(2231);
        client.get("/api/v2/qrcode/AAAAAAAAAAAAAAAAAAAAAA.png").await.refused(2241);
    }

    async fn what_a_phone_may_do_and_when(database) {
        let world = World::new(database).await;
        let bob = bob(&world).await;
        world.person("eve");
        let eve = world.client().referer(MINI).log_in(MINI, "eve").await;
        let client = world.client();
        let code = new_code(&client).await;
        client.post("/api/v2/qrcode/scanned", json!({ "random": code.scene })).await.refused(2020);
        phone(&client, &bob, "confirm", &code.scene).await.refused(2571);
        phone(&client, &bob, "cancel", &code.scene).await.refused(2571);
        phone(&client, &bob, "scanned", &code.scene).await.data();
        phone(&client, &bob, "scanned", &code.scene).await.data();
        for action in ["scanned", "confirm", "cancel"] {
            phone(&client, &eve, action, &code.scene).await.refused(2573);
        }
        phone(&client, &bob, "cancel", &code.scene).await.data();
        assert_eq!(check(&client, &code.random).await["status"], 3);
        phone(&client, &bob, "confirm", &code.scene).await.refused(2572);

        // Another tenant's app knows no such code.
        let code = new_code(&client).await;
        world.person("mei");
        let cafe = world.cafe();
        let mei = cafe.clone().referer(crate::world::CAFE_MINI).log_in(crate::world::CAFE_MINI, "mei").await;
        phone(&cafe, &mei, "scanned", &code.scene).await.refused(2241);
        client.post(GENE, json!({ "scene": "ZJ_AUTH" })).await.refused(2231);
    }

    async fn a_code_and_its_ticket_are_over_after_a_while(database) {
        let world = World::new(database).await;
        let bob = bob(&world).await;
        let client = world.client();
        let code = new_code(&client).await;
        world.advance(Duration::from_secs(119));
        phone(&client, &bob, "scanned", &code.scene).await.data();
        world.advance(Duration::from_secs(1));
        assert_eq!(check(&client, &code.random).await["status"], -1);
        phone(&client, &bob, "confirm", &code.scene).await.refused(2570);

        let code = new_code(&client).await;
        confirm(&client, &bob, &code.scene).await;
        world.advance(Duration::from_secs(299));
        let ticket = check(&client, &code.random).await["ticket"].clone();
        assert!(ticket.is_string());
        world.advance(Duration::from_secs(1));
        let late = check(&client, &code.random).await;
        assert!(late["status"] == -1 && late.get("ticket").is_none(), "{late}");
        take(&client, &ticket).await.refused(2574);

        world.advance(Duration::from_secs(601));
        world.node.app.sweep().await.unwrap();
        client.get(&format!("/api/v2/qrcode/check?random={}", code.random)).await.refused(2241);
    }

    async fn a_pool_says_how_long_codes_hold(database) {
        let world = World::new(database).await;
        let settings = "name = \"Shop\"\n  [user_pool.settings]\n  qr = { life = \"60s\", ticket = \"90s\" }";
        world.reconfigure_with("name = \"Shop\"", settings).await;
        let bob = bob(&world).await;
        let client = world.client();
        let data = client.post(GENE, json!({ "scene": "APP_AUTH" })).await.data();
        assert_eq!(data["expiresIn"], 60);
        let code = new_code(&client).await;
        confirm(&client, &bob, &code.scene).await;
        world.advance(Duration::from_secs(89));
        assert_eq!(check(&client, &code.random).await["status"], 2);
        world.advance(Duration::from_secs(1));
        assert_eq!(check(&client, &code.random).await["status"], -1);
    }

    async fn a_ticket_is_for_one_application_and_somebody_who_may_log_in(database) {
        let world = World::new(database).await;
        let bob = bob(&world).await;
        let client = world.client();
        let ticket = async |code: &Code| check(&client, &code.random).await["ticket"].clone();
        let code = new_code(&client).await;
        confirm(&client, &bob, &code.scene).await;
        let first = ticket(&code).await;
        take(&world.nobody().app(SHOP_WEB), &first).await.refused(2574);
        take(&world.cafe(), &first).await.refused(2574);
        assert_eq!(take(&client, &first).await.user().id, bob.id, "others do not use it up");

        let code = new_code(&client).await;
        confirm(&client, &bob, &code.scene).await;
        let second = ticket(&code).await;
        client.clone().bearer(&bob.token).get("/api/v2/logout").await.data_or_nothing();
        take(&client, &second).await.refused(2574);

        let bob = world.client().referer(MINI).log_in(MINI, "bob").await;
        let code = new_code(&client).await;
        confirm(&client, &bob, &code.scene).await;
        world.set_status(SHOP, &bob.id, UserStatus::Suspended).await;
        let refused = take(&client, &ticket(&code).await).await.code();
        assert!([2005, 2574].contains(&refused), "{refused}");
    }

    async fn custom_data_comes_with_the_code_and_goes_into_the_account(database) {
        let world = World::new(database).await;
        let bob = bob(&world).await;
        let client = world.client();
        for params in [json!("[{\"key\":\"source\",\"value\":\"poster\"}]"), json!({ "source": "poster" })] {
            let data = client.post(GENE, json!({ "scene": "APP_AUTH", "params": params })).await.data();
            let seen = scanned(&client, data["url"].as_str().unwrap()).await;
            assert!(!seen.to_string().contains("poster"), "a picture is public");
            confirm(&client, &bob, seen["random"].as_str().unwrap()).await;
            let ticket = check(&client, data["random"].as_str().unwrap()).await["ticket"].clone();
            take(&client, &ticket).await.user();
        }
        let profile = client.clone().bearer(&bob.token).get("/api/v3/get-profile?withCustomData=true").await.data();
        assert_eq!(profile["customData"], json!({ "source": "poster" }));
    }

    async fn a_browser_that_waits_hears_of_what_happens_on_another_node(database) {
        let world = World::new(database).await;
        let (second, third) = (world.another_node().await, world.another_node().await);
        let bob = bob(&world).await;
        let client = world.client();
        let (code, other) = (new_code(&client).await, new_code(&client).await);
        let mut events = Events::open(&third, &code.random).await;
        let mut others = Events::open(&third, &other.random).await;
        assert_eq!((events.status().await, others.status().await), (Some(0), Some(0)));
        phone(&world.client_of(&second), &bob, "scanned", &code.scene).await.data();
        let scanned = events.next().await.unwrap();
        assert_eq!((&scanned["status"], &scanned["random"]), (&json!(1), &json!(code.random)));
        phone(&client, &bob, "confirm", &code.scene).await.data();
        let confirmed = events.next().await.unwrap();
        assert_eq!(confirmed["status"], 2);
        assert_eq!(events.next().await, None, "the stream ends");
        assert_eq!(take(&client, &confirmed["ticket"]).await.user().id, bob.id);

        phone(&client, &bob, "scanned", &other.scene).await.data();
        assert_eq!(others.status().await, Some(1), "the other one goes on by itself");
        phone(&world.client_of(&second), &bob, "cancel", &other.scene).await.data();
        assert_eq!((others.status().await, others.status().await), (Some(3), None));

        // A stream that begins late begins with the state.
        let mut late = Events::open(&third, &other.random).await;
        assert_eq!((late.status().await, late.status().await), (Some(3), None));
    }

    /// Lesson 15.
    async fn questions_are_answered_from_memory_and_only_so_often(database) {
        let world = Plan::new()
            .limits(|limits| {
                (limits.qr_checks_per_code, limits.qr_unknown_per_ip, limits.qr_codes_per_ip) = (5, 3, 4);
            })
            .build(database)
            .await;
        let client = world.client();
        let codes = [new_code(&client).await, new_code(&client).await];
        let path = |code: &Code| format!("/api/v2/qrcode/check?random={}", code.random);
        for _ in 0..6 {
            client.get(&path(&codes[0])).await.data();
        }
        client.get(&path(&codes[0])).await.refused(1002);
        client.get(&path(&codes[1])).await.data();
        for _ in 0..3 {
            client.get("/api/v2/qrcode/check?random=guess").await.refused(2241);
        }
        client.get("/api/v2/qrcode/check?random=guess").await.refused(1002);
        client.get(&path(&codes[1])).await.data();
        // Nor does a neighbour who guesses keep anybody from a code that this node has not seen yet.
        let other = world.another_node().await;
        let elsewhere = world.client_of(&other);
        for _ in 0..3 {
            elsewhere.get("/api/v2/qrcode/check?random=guess").await.refused(2241);
        }
        elsewhere.get("/api/v2/qrcode/check?random=guess").await.refused(1002);
        elsewhere.get(&path(&codes[1])).await.data();
        client.post(GENE, json!({ "scene": "APP_AUTH" })).await.data();
        client.post(GENE, json!({ "scene": "APP_AUTH" })).await.data();
        client.post(GENE, json!({ "scene": "APP_AUTH" })).await.refused(1002);
        client.clone().from([198, 51, 100, 1]).post(GENE, json!({ "scene": "APP_AUTH" })).await.data();
    }
}

/// Two browsers bring one ticket at the same time: one of them logs in.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_bring_a_ticket_one_logs_in() {
    for database in TestDatabase::all() {
        let world = World::new(database).await;
        let bob = bob(&world).await;
        let client = world.client();
        let code = new_code(&client).await;
        confirm(&client, &bob, &code.scene).await;
        let ticket = check(&client, &code.random).await["ticket"].clone();
        let answers = futures::future::join_all((0..8).map(|_| take(&client, &ticket))).await;
        let logged_in = answers.iter().filter(|answer| answer.json()["code"] == 200).count();
        assert_eq!(logged_in, 1);
    }
}
