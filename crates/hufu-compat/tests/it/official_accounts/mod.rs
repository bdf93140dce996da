//! Official accounts: what WeChat pushes to their server, the logins that come of it, and the relay.

mod many_codes;
mod refused;
mod relay;
mod sandbox;
mod stored;
mod unsigned;

use axum::http::{Method, StatusCode};
use hufu_app::tickets::{IssuedTicket, TicketRequest};
use hufu_sandbox::{AppKind, Fault, NewApp};
use hufu_testkit::administration::{call, key as access_key};
use hufu_testkit::{TestDatabase, on_both_engines, raw};
use hufu_types::{AdminRole, ConnectionId, UserStatus};
use hufu_wechat::crypto::message::{EncodingAesKey, decrypt, verify_message};
use hufu_wechat::message::{Message, signed_push};
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::world::{FILE, NOW, Plan, SHOP, World, secret_of};

/// The AppID of the shop's account, and what it agreed on with WeChat.
const ACCOUNT: &str = "wx00000000000000d1";
const ORIGINAL_ID: &str = "gh_5h0p";
const TOKEN: &str = "tokenOfTheShop";
const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
/// The application that shows its QR codes.
const SHOP_TILL: &str = "6560c0ffee00000000000006";
const EVENTS: &str = "/connections/social/shop-oa/6560c0ffee00000000000001/events";
/// Where WeChat tells of a follower.
const FOLLOWER_INFO: &str = "/cgi-bin/user/info";
const FOLLOWER: &str = "oFollower-0123456789_AbCdEfG";

/// The standard world with the account. `fields` are further fields of the connection.
async fn world_with(database: TestDatabase, fields: &str) -> World {
    world_of(Plan::new(), database, fields).await
}

async fn world_of(plan: Plan, database: TestDatabase, fields: &str) -> World {
    let world = Box::pin(plan.build(database)).await;
    let app = NewApp {
        app_id: Some(ACCOUNT.to_owned()),
        secret: Some(secret_of(ACCOUNT).as_str().into()),
        open_platform: Some("shop".to_owned()),
        kind: AppKind::ServiceAccount,
        original_id: Some(ORIGINAL_ID.to_owned()),
        ..NewApp::default()
    };
    world.sandbox.add_app(app).unwrap();
    world.reconfigure(&file(fields)).await;
    for secret in [TOKEN, AES_KEY, FOLLOWER] {
        world.secret(secret);
    }
    world
}

async fn world(database: TestDatabase) -> World {
    world_with(database, "").await
}

fn file(fields: &str) -> String {
    let added = format!(
        "
  [[user_pool.connection]]
  identifier = \"shop-oa\"
  type = \"wechatmp-qrcode\"
  open_platform = \"shop\"
  fields = {{ app_id = \"{ACCOUNT}\", app_secret = \"secret-of-{ACCOUNT}\", original_id = \"{ORIGINAL_ID}\", token = \"{TOKEN}\", aes_key = \"{AES_KEY}\"{fields} }}
  [[user_pool.application]]
  id = \"{SHOP_TILL}\"
  name = \"Shop till\"
  type = \"web\"
  connections = [\"shop-oa\"]
  [[user_pool.user]]
  username = \"alice\""
    );
    FILE.replacen("\n  [[user_pool.user]]\n  username = \"alice\"", &added, 1)
}

fn key() -> EncodingAesKey {
    EncodingAesKey::parse(AES_KEY).unwrap()
}

/// A push as WeChat makes it. Its fields are what a test changes.
#[derive(Clone)]
struct Push {
    path: &'static str,
    token: &'static str,
    /// The AppID that it is encrypted for, if it is.
    encrypted_for: Option<&'static str>,
    signed_at: i64,
    nonce: &'static str,
    /// The follower whose message it is.
    from: &'static str,
    body: String,
}

impl Push {
    fn of(body: String) -> Self {
        Self {
            path: EVENTS,
            token: TOKEN,
            encrypted_for: Some(ACCOUNT),
            signed_at: NOW.seconds(),
            nonce: "1514711492",
            from: FOLLOWER,
            body,
        }
    }

    /// An event of the follower.
    fn event(name: &str, event_key: &str) -> Self {
        Self::of(event(FOLLOWER, NOW.seconds(), name, event_key))
    }

    fn text(content: &str, id: u32) -> Self {
        Self::of(message(
            FOLLOWER,
            NOW.seconds(),
            &format!(
                "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{content}]]></Content><MsgId>{id}</MsgId>"
            ),
        ))
    }

    fn request(&self) -> (String, Vec<u8>) {
        let key = key();
        let key = self.encrypted_for.map(|app_id| (&key, app_id));
        let body = self.body.as_bytes();
        let push =
            signed_push(self.token, key, ORIGINAL_ID, self.from, body, &[7; 16], self.signed_at, self.nonce);
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        (format!("{}?{}", self.path, query.extend_pairs(&push.query).finish()), push.body)
    }

    async fn send(&self, client: &Client<'_>) -> Answer {
        let (path, body) = self.request();
        post(client, &path, body).await
    }
}

async fn post(client: &Client<'_>, path: &str, body: Vec<u8>) -> Answer {
    client.send(Method::POST, path, "text/xml", body).await
}

fn message(from: &str, at: i64, rest: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[{ORIGINAL_ID}]]></ToUserName><FromUserName><![CDATA[{from}]]></FromUserName>\
         <CreateTime>{at}</CreateTime>{rest}</xml>"
    )
}

fn event(from: &str, at: i64, name: &str, event_key: &str) -> String {
    message(
        from,
        at,
        &format!(
            "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{name}]]></Event>\
         <EventKey><![CDATA[{event_key}]]></EventKey><Ticket><![CDATA[gQ==]]></Ticket>"
        ),
    )
}

#[track_caller]
fn acknowledged(answer: &Answer) {
    assert_eq!((answer.status, answer.bytes.as_slice()), (StatusCode::OK, &b"success"[..]), "{answer}");
}

/// The text in an encrypted reply.
#[track_caller]
fn told(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{answer}");
    assert_eq!(answer.headers["content-type"], "text/xml; charset=utf-8");
    let xml = String::from_utf8(answer.bytes.clone()).unwrap();
    let part = |name: &str| {
        let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name}: {xml}"));
        let (value, _) = rest.split_once(&format!("</{name}>")).unwrap();
        value.trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned()
    };
    let sealed = part("Encrypt");
    assert!(verify_message(TOKEN, &part("TimeStamp"), &part("Nonce"), &sealed, &part("MsgSignature")));
    read_reply(&decrypt(&key(), &sealed, ACCOUNT).unwrap())
}

#[track_caller]
fn read_reply(xml: &[u8]) -> String {
    let reply = Message::parse(xml).unwrap();
    assert_eq!((reply.to_user.as_str(), reply.from_user.as_str()), (FOLLOWER, ORIGINAL_ID));
    reply.content.unwrap()
}

/// A QR code of the account.
async fn ticket(world: &World) -> IssuedTicket {
    let config = world.node.app.config();
    let application = config.application(SHOP_TILL).unwrap().clone();
    let id = ConnectionId::parse(&world.connection(ACCOUNT)).unwrap();
    let ticket = world.node.app.issue_ticket(TicketRequest {
        connection: Some(config.connection(&id).unwrap().clone()),
        application,
        custom_data: serde_json::Map::new(),
        owner: None,
        origin: hufu_app::Origin::default(),
    });
    let ticket = ticket.await.unwrap();
    world.secret(ticket.secret.expose());
    ticket
}

async fn check(client: &Client<'_>, ticket: &IssuedTicket) -> Value {
    client.get(&format!("/api/v2/qrcode/check?random={}", ticket.secret.expose())).await.data()
}

/// Logs in with a ticket that was confirmed.
async fn log_in(world: &World, ticket: &IssuedTicket) -> String {
    let client = world.nobody().app(SHOP_TILL);
    let seen = check(&client, ticket).await;
    assert_eq!(seen["status"], 2, "{seen}");
    client.post("/api/v2/qrcode/userinfo", json!({ "ticket": seen["ticket"] })).await.user().id
}

on_both_engines! {
    /// Lesson 1.
    async fn a_new_follower_and_an_old_one_finish_the_same_login(database) {
        let world = world(database).await;
        let first = ticket(&world).await;
        acknowledged(&Push::event("subscribe", &format!("qrscene_{}", first.scene)).send(&world.nobody()).await);
        let user = log_in(&world, &first).await;

        let second = ticket(&world).await;
        acknowledged(&Push::event("SCAN", &second.scene).send(&world.nobody()).await);
        assert_eq!(log_in(&world, &second).await, user);

        // A prefix belongs to the first follow alone, and a follow without a scene is nobody's login.
        let third = ticket(&world).await;
        acknowledged(&Push::event("SCAN", &format!("qrscene_{}", third.scene)).send(&world.nobody()).await);
        acknowledged(&Push::event("subscribe", &third.scene).send(&world.nobody()).await);
        assert_eq!(check(&world.nobody().app(SHOP_TILL), &third).await["status"], 0);
    }

    async fn wechat_makes_a_code_once_for_all_who_look_at_it(database) {
        let world = world(database).await;
        let node = world.another_node().await;
        let code = ticket(&world).await;
        let look = async |client: Client<'_>| client.get(&format!("/api/v2/qrcode/{}.png", code.scene)).await;
        let first = look(world.client()).await;
        for _ in 0..5 {
            let seen = look(world.client_of(&node)).await;
            assert_eq!((seen.status, &seen.bytes), (StatusCode::OK, &first.bytes));
        }
        assert_eq!(world.calls("/cgi-bin/qrcode/create"), 1);
        // Without what WeChat made there is nothing to see, and WeChat is not asked again.
        raw::execute(world.database(), "DELETE FROM qr_pictures").await;
        look(world.client_of(&world.another_node().await)).await.refused(2241);
        assert_eq!(world.calls("/cgi-bin/qrcode/create"), 1);
    }

    /// Lesson 5.
    async fn one_node_issues_another_hears_a_third_serves(database) {
        let world = world(database).await;
        let (hears, serves) = (world.another_node().await, world.another_node().await);
        let ticket = ticket(&world).await;
        acknowledged(&Push::event("SCAN", &ticket.scene).send(&Client::of(&world, &hears)).await);
        let browser = Client::of(&world, &serves).app(SHOP_TILL);
        let seen = check(&browser, &ticket).await;
        browser.post("/api/v2/qrcode/userinfo", json!({ "ticket": seen["ticket"] })).await.user();
    }

    async fn a_message_that_wechat_sends_again_is_one(database) {
        let world = world(database).await;
        let ticket = ticket(&world).await;
        let push = Push::event("SCAN", &ticket.scene);
        for nonce in ["1", "2", "2"] {
            acknowledged(&Push { nonce, ..push.clone() }.send(&world.nobody()).await);
        }
        log_in(&world, &ticket).await;
        acknowledged(&Push { nonce: "3", ..push }.send(&world.nobody()).await);
        assert_eq!(raw::number(world.database(), "SELECT COUNT(*) FROM wechat_messages").await, 1);
        let openids = "SELECT COUNT(*) FROM identities WHERE kind = 'openid'";
        assert_eq!(raw::number(world.database(), openids).await, 1);
    }

    async fn a_disabled_account_is_not_logged_in_and_told_why(database) {
        let world = world(database).await;
        let first = ticket(&world).await;
        acknowledged(&Push::event("SCAN", &first.scene).send(&world.nobody()).await);
        let user = log_in(&world, &first).await;
        world.set_status(SHOP, &user, UserStatus::Suspended).await;

        let second = ticket(&world).await;
        let answer = Push::event("SCAN", &second.scene).send(&world.nobody()).await;
        assert!(told(&answer).contains("停用"), "{}", told(&answer));
        let seen = check(&world.nobody().app(SHOP_TILL), &second).await;
        assert_eq!((seen["status"].as_i64(), seen["ticket"].as_str()), (Some(5), None));
    }

    async fn following_and_its_end_are_kept(database) {
        let world = world(database).await;
        let rows = async || raw::texts(world.database(), "
            SELECT CAST(followed_at AS TEXT), COALESCE(CAST(unfollowed_at AS TEXT), '') FROM wechat_followers").await;
        let at = NOW.seconds();
        let of = |name, at| Push { signed_at: at, ..Push::of(event(FOLLOWER, at, name, "")) };
        acknowledged(&of("subscribe", at - 60).send(&world.nobody()).await);
        assert_eq!(rows().await, [[format!("{}000", at - 60), String::new()]]);
        acknowledged(&of("unsubscribe", at).send(&world.nobody()).await);
        assert_eq!(rows().await, [[format!("{}000", at - 60), format!("{at}000")]]);
        // An older one that arrives later.
        acknowledged(&of("subscribe", at - 30).send(&world.nobody()).await);
        assert_eq!(rows().await, [[format!("{}000", at - 60), format!("{at}000")]]);
        acknowledged(&of("subscribe", at + 1).send(&world.nobody()).await);
        assert_eq!(rows().await, [[format!("{}000", at + 1), String::new()]]);

        // Administrators see it beside the identity, once there is one.
        let ticket = ticket(&world).await;
        acknowledged(&Push { nonce: "9", ..Push::event("SCAN", &ticket.scene) }.send(&world.nobody()).await);
        let user = log_in(&world, &ticket).await;
        let admin = access_key(&world, AdminRole::Manager, Some(SHOP)).await;
        let path = format!("/admin/v1/pools/{SHOP}/users/{user}/identities");
        let seen = call(&world, Some(&admin), "GET", &path, None).await.is(200);
        let identity = &seen["identities"][0];
        assert_eq!((&identity["value"], identity["followedAt"].is_string()), (&json!(FOLLOWER), true), "{seen}");
        assert!(identity.get("unfollowedAt").is_none());
        acknowledged(&of("unsubscribe", at + 2).send(&world.nobody()).await);
        let seen = call(&world, Some(&admin), "GET", &path, None).await.is(200);
        let identity = &seen["identities"][0];
        assert_eq!((&identity["value"], identity["unfollowedAt"].is_string()), (&json!(FOLLOWER), true), "{seen}");
        let owner = access_key(&world, AdminRole::Owner, None).await;
        call(&world, Some(&owner), "DELETE", &format!("/admin/v1/pools/{SHOP}/users/{user}"), None).await.is(204);
        assert_eq!(rows().await, Vec::<Vec<String>>::new());
    }

    async fn a_new_follower_is_welcomed(database) {
        let welcome = ", welcome = { zh-CN = \"欢迎 ]]> 光临\", en = \"Welcome\" }";
        let world = world_with(database, welcome).await;
        let answer = Push::event("subscribe", "").send(&world.nobody()).await;
        assert_eq!(told(&answer), "欢迎 ]]> 光临");
        acknowledged(&Push::event("unsubscribe", "").send(&world.nobody()).await);
        acknowledged(&Push::text("hello", 1).send(&world.nobody()).await);

        // In plain text where the message was.
        world.reconfigure(&file(&format!("{welcome}, encryption = \"plain\""))).await;
        let again = event(FOLLOWER, NOW.seconds() + 1, "subscribe", "");
        let answer = Push { encrypted_for: None, nonce: "2", ..Push::of(again) }.send(&world.nobody()).await;
        assert_eq!(read_reply(&answer.bytes), "欢迎 ]]> 光临");
    }

    async fn a_follower_of_a_subscription_account_sends_the_digits(database) {
        let world = world_with(database, ", account = \"subscription\"").await;
        let ticket = ticket(&world).await;
        let code = ticket.short_code.clone().unwrap();
        let wrong = if code.starts_with('1') { "29999999" } else { "19999999" };
        let answer = Push::text(wrong, 1).send(&world.nobody()).await;
        assert!(!told(&answer).is_empty());
        acknowledged(&Push::text("请问几点开门", 2).send(&world.nobody()).await);
        let browser = world.nobody().app(SHOP_TILL);
        assert_eq!(check(&browser, &ticket).await["status"], 0);

        let (one, other) = code.split_at(4);
        acknowledged(&Push::text(&format!(" {one} {other} "), 3).send(&world.nobody()).await);
        log_in(&world, &ticket).await;
    }

    async fn wechat_is_asked_only_about_who_logs_in_here(database) {
        let world = world(database).await;
        let ticket = ticket(&world).await;
        let asked = || world.calls(FOLLOWER_INFO);
        // QR codes of the owner's own, and texts: this kind of account has no short codes.
        for (nonce, push) in [
            ("1", Push::event("SCAN", "spring-sale")),
            ("2", Push::event("subscribe", "qrscene_spring-sale")),
            ("3", Push::text("12345678", 1)),
        ] {
            acknowledged(&Push { nonce, ..push }.send(&world.nobody()).await);
        }
        assert_eq!(asked(), 0);
        let push = Push::event("SCAN", &ticket.scene);
        acknowledged(&Push { nonce: "4", ..push.clone() }.send(&world.nobody()).await);
        assert_eq!(asked(), 1);
        // A ticket that has done its work.
        acknowledged(&Push { nonce: "5", ..push }.send(&world.nobody()).await);
        acknowledged(&Push { nonce: "6", ..Push::of(event("oOther", NOW.seconds(), "SCAN", &ticket.scene)) }.send(&world.nobody()).await);
        assert_eq!(asked(), 1);
        log_in(&world, &ticket).await;
    }

    async fn while_the_quota_is_out_nobody_becomes_a_second_person(database) {
        let world = world_with(database, ", welcome = { zh-CN = \"欢迎\", en = \"Welcome\" }").await;
        let no_quota = |world: &World| {
            let path = Some(FOLLOWER_INFO.to_owned());
            world.sandbox.add_fault(Fault { path, errcode: Some(45009), count: 1, ..Fault::default() }).unwrap();
        };
        let first = ticket(&world).await;
        no_quota(&world);
        let push = Push::event("SCAN", &first.scene);
        let answer = push.send(&world.nobody()).await;
        assert_eq!(answer.json()["code"], 1002, "{answer}");
        assert!(!answer.status.is_success(), "WeChat sends it again");
        assert_eq!(check(&world.nobody().app(SHOP_TILL), &first).await["status"], 0);
        acknowledged(&Push { nonce: "2", ..push }.send(&world.nobody()).await);
        let user = log_in(&world, &first).await;

        // Who is known by their OpenID needs no UnionID, and a greeting needs none either.
        let second = ticket(&world).await;
        no_quota(&world);
        acknowledged(&Push { nonce: "3", ..Push::event("SCAN", &second.scene) }.send(&world.nobody()).await);
        assert_eq!(log_in(&world, &second).await, user);
        no_quota(&world);
        let answer = Push { nonce: "4", ..Push::event("subscribe", "") }.send(&world.nobody()).await;
        assert_eq!(told(&answer), "欢迎");
    }

    async fn a_connection_that_is_switched_off_receives_and_logs_nobody_in(database) {
        let world = world(database).await;
        let ticket = ticket(&world).await;
        let owner = access_key(&world, AdminRole::Owner, None).await;
        let path = format!("/admin/v1/pools/{SHOP}/connections/shop-oa");
        call(&world, Some(&owner), "PATCH", &path, Some(json!({ "enabled": false }))).await.is(200);
        acknowledged(&Push::event("SCAN", &ticket.scene).send(&world.nobody()).await);
        assert_eq!(check(&world.nobody().app(SHOP_TILL), &ticket).await["status"], 0);
    }
}
