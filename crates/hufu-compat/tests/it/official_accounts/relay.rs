//! Messages that are passed on to the owner's own server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Request, State};
use hufu_wechat::message::{Encryption, Receiver, Signed, open};
use tokio::net::TcpListener;

use super::*;

const RELAY_TOKEN: &str = "tokenOfTheOwner";
const RELAY_KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefg";

/// The address and the body of a message.
type Arrived = (String, Vec<u8>);

/// The owner's server: it writes down what arrives, and answers with the statuses that it is told, then with 200.
#[derive(Clone, Default)]
struct Owner {
    arrived: Arc<Mutex<Vec<Arrived>>>,
    answers: Arc<Mutex<Vec<u16>>>,
    /// How many of the next messages of a follower are answered with 503.
    failures: Arc<Mutex<HashMap<String, usize>>>,
}

impl Owner {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new().fallback(receive).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        format!("http://{address}/wechat?from=hufu")
    }

    /// The contents of the messages of the follower that arrived since the last time, as the owner's server opens them.
    fn read(&self, app_id: &str, key: Option<&EncodingAesKey>) -> Vec<String> {
        let all = self.read_all(app_id, key).into_iter();
        all.map(|(follower, content)| {
            assert_eq!(follower, FOLLOWER);
            content
        })
        .collect()
    }

    /// The same of several followers, with whose each is.
    fn read_all(&self, app_id: &str, key: Option<&EncodingAesKey>) -> Vec<(String, String)> {
        let arrived: Vec<_> = self.arrived.lock().unwrap().drain(..).collect();
        let read = |(query, body): (String, Vec<u8>)| {
            let query: HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            assert_eq!(query["from"], "hufu");
            let of = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
            let signed = Signed {
                signature: of("signature"),
                timestamp: of("timestamp"),
                nonce: of("nonce"),
                encrypt_type: of("encrypt_type"),
                msg_signature: of("msg_signature"),
            };
            let encryption = if key.is_some() { Encryption::Safe } else { Encryption::Plain };
            let receiver = Receiver { app_id, token: RELAY_TOKEN, key, encryption, forwarded: false };
            let opened =
                open(&receiver, &signed, &body, signed.timestamp.parse().unwrap(), Duration::ZERO).unwrap();
            assert_eq!(of("openid"), opened.message.from_user);
            let Message { from_user, content, event, .. } = opened.message;
            (from_user, content.unwrap_or_else(|| event.unwrap()))
        };
        arrived.into_iter().map(read).collect()
    }
}

async fn receive(State(owner): State<Owner>, request: Request) -> (StatusCode, String) {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec();
    let query = parts.uri.query().unwrap().to_owned();
    let (_, openid) =
        url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "openid").unwrap();
    let fails = match owner.failures.lock().unwrap().get_mut(openid.as_ref()) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    };
    owner.arrived.lock().unwrap().push((query, body));
    let mut answers = owner.answers.lock().unwrap();
    let status = match (fails, answers.is_empty()) {
        (true, _) => 503,
        (false, true) => 200,
        (false, false) => answers.remove(0),
    };
    // A reply, as WeChat would pass it on.
    let reply = format!("busy {FOLLOWER} <xml><Content>secret words</Content></xml>");
    (StatusCode::from_u16(status).unwrap(), reply)
}

async fn log(world: &World, key: &str, query: &str) -> Value {
    let path = format!("/admin/v1/pools/{SHOP}/connections/shop-oa/relay{query}");
    call(world, Some(key), "GET", &path, None).await.is(200)
}

on_both_engines! {
    async fn messages_are_passed_on_in_order(database) {
        let owner = Owner::default();
        let url = owner.start().await;
        let relay = format!(", relay = {{ url = \"{url}\", token = \"{RELAY_TOKEN}\", aes_key = \"{RELAY_KEY}\" }}");
        let world = world_with(database, &relay).await;
        for secret in [RELAY_TOKEN, RELAY_KEY] {
            world.secret(secret);
        }
        let app = &world.node.app;
        let owners_key = EncodingAesKey::parse(RELAY_KEY).unwrap();
        let admin = access_key(&world, AdminRole::Manager, Some(SHOP)).await;

        for (number, text) in [(1, "one"), (2, "two"), (3, "three")] {
            acknowledged(&Push { nonce: ["", "1", "2", "3"][number], ..Push::text(text, u32::try_from(number).unwrap()) }.send(&world.nobody()).await);
            // Ids order by time.
            world.advance(Duration::from_millis(2));
        }
        // The first fails twice: the others wait for it.
        owner.answers.lock().unwrap().extend([500, 404]);
        app.run_due_jobs().await;
        assert_eq!(owner.read(ACCOUNT, Some(&owners_key)), ["one"]);
        app.run_due_jobs().await;
        assert!(owner.read(ACCOUNT, Some(&owners_key)).is_empty(), "not before its time");
        let waiting = log(&world, &admin, "?state=pending").await;
        assert_eq!(waiting["messages"].as_array().unwrap().len(), 3);
        let first = &waiting["messages"][2];
        assert_eq!((&first["event"], &first["attempts"], &first["responseStatus"]), (&json!("text"), &json!(1), &json!(500)));
        assert!(first["nextAttemptAt"].is_string());
        assert_eq!(first["response"], "busy …", "what went wrong, but no reply");

        for _ in 0..4 {
            world.advance(Duration::from_secs(60));
            app.run_due_jobs().await;
        }
        assert_eq!(owner.read(ACCOUNT, Some(&owners_key)), ["one", "one", "two", "three"]);
        let all = log(&world, &admin, "").await;
        let states: Vec<_> = all["messages"].as_array().unwrap().iter().map(|of| of["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["delivered"; 3]);
        for said in [FOLLOWER, "three", "secret words", "busy"] {
            assert!(!all.to_string().contains(said), "{said}");
        }
        assert_eq!(raw::number(world.database(), "SELECT COUNT(*) FROM wechat_messages WHERE response LIKE '%busy%'").await, 0);
        assert_eq!(raw::number(world.database(), "SELECT COUNT(*) FROM wechat_messages WHERE body IS NOT NULL").await, 0);
        assert_eq!(raw::number(world.database(), "SELECT COUNT(*) FROM jobs WHERE kind = 'wechat_relay'").await, 0);

        // Page by page.
        let page = log(&world, &admin, "?limit=2").await;
        assert_eq!(page["messages"].as_array().unwrap().len(), 2);
        let rest = log(&world, &admin, &format!("?limit=2&cursor={}", page["next"].as_str().unwrap())).await;
        assert_eq!((rest["messages"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
        let path = format!("/admin/v1/pools/{SHOP}/connections/shop-mini/relay");
        call(&world, Some(&admin), "GET", &path, None).await.is(404);
        call(&world, None, "GET", &path, None).await.is(401);
    }

    async fn messages_of_a_closed_pool_wait(database) {
        let server = Owner::default();
        let url = server.start().await;
        let relay = format!(", relay = {{ url = \"{url}\", token = \"{RELAY_TOKEN}\" }}");
        let world = world_with(database, &relay).await;
        let owner = access_key(&world, AdminRole::Owner, None).await;
        let switch = async |to: &str| {
            call(&world, Some(&owner), "POST", &format!("/admin/v1/pools/{SHOP}/switch-{to}"), None).await.is(200);
        };
        acknowledged(&Push::text("one", 1).send(&world.nobody()).await);
        switch("off").await;
        world.node.app.run_due_jobs().await;
        assert!(server.read(ACCOUNT, None).is_empty(), "it is switched off");
        switch("on").await;
        world.advance(Duration::from_secs(61));
        world.node.app.run_due_jobs().await;
        assert_eq!(server.read(ACCOUNT, None), ["one"]);
    }

    async fn a_burst_of_one_follower_is_passed_on_at_once_in_wechats_order(database) {
        let owner = Owner::default();
        let url = owner.start().await;
        let relay = format!(", relay = {{ url = \"{url}\", token = \"{RELAY_TOKEN}\" }}");
        let world = world_with(database, &relay).await;
        let text = |content: &str, id: u32, at: i64| {
            let rest = format!("<MsgType>text</MsgType><Content>{content}</Content><MsgId>{id}</MsgId>");
            Push::of(message(FOLLOWER, at, &rest))
        };
        // They arrive in another order, within one millisecond of the node: ids tell nothing of it.
        let at = NOW.seconds();
        for (content, id, at) in [("six", 6, at + 1), ("two", 2, at), ("three", 3, at), ("four", 4, at), ("five", 5, at), ("one", 1, at - 1)] {
            acknowledged(&text(content, id, at).send(&world.nobody()).await);
        }
        // All at one time: nobody waits for those who found another one under way.
        world.node.app.run_due_jobs().await;
        assert_eq!(owner.read(ACCOUNT, None), ["one", "two", "three", "four", "five", "six"]);
        // The jobs of the others find nothing left to do. A few of them at a time: there is a limit for each receiver.
        for _ in 0..3 {
            world.advance(Duration::from_secs(61));
            world.node.app.run_due_jobs().await;
        }
        assert!(owner.read(ACCOUNT, None).is_empty());
        assert_eq!(raw::number(world.database(), "SELECT COUNT(*) FROM jobs WHERE kind = 'wechat_relay'").await, 0);
    }

    async fn each_follower_has_an_order_of_their_own(database) {
        let owner = Owner::default();
        let url = owner.start().await;
        let relay = format!(", relay = {{ url = \"{url}\", token = \"{RELAY_TOKEN}\", aes_key = \"{RELAY_KEY}\" }}");
        let world = world_with(database, &relay).await;
        let second = world.another_node().await;
        let owners_key = EncodingAesKey::parse(RELAY_KEY).unwrap();
        let admin = access_key(&world, AdminRole::Manager, Some(SHOP)).await;
        let [a, b, c] = ["oFollower-A-23456789_AbCdEfG", "oFollower-B-23456789_AbCdEfG", "oFollower-C-23456789_AbCdEfG"];
        for secret in [RELAY_TOKEN, RELAY_KEY, a, b, c] {
            world.secret(secret);
        }
        let push = async |follower: &'static str, content: &str, id: u32| {
            let rest = format!("<MsgType>text</MsgType><Content>{content}</Content><MsgId>{id}</MsgId>");
            let push = Push { from: follower, ..Push::of(message(follower, NOW.seconds(), &rest)) };
            acknowledged(&push.send(&world.nobody()).await);
            // Ids order by time.
            world.advance(Duration::from_millis(2));
        };
        // What arrived of each since the last time.
        let arrived = || {
            let mut of: HashMap<String, Vec<String>> = HashMap::new();
            for (follower, content) in owner.read_all(ACCOUNT, Some(&owners_key)) {
                of.entry(follower).or_default().push(content);
            }
            [a, b, c].map(|follower| of.remove(follower).unwrap_or_default().join(" "))
        };
        for (id, (follower, content)) in
            [(a, "a1"), (b, "b1"), (a, "a2"), (c, "c1"), (b, "b2"), (a, "a3"), (c, "c2"), (b, "b3"), (c, "c3")].into_iter().enumerate()
        {
            push(follower, content, u32::try_from(id).unwrap()).await;
        }
        // The first of A fails twice. Theirs wait for it, and nobody else's.
        owner.failures.lock().unwrap().insert(a.to_owned(), 2);
        let run = async || tokio::join!(world.node.app.run_due_jobs(), second.app.run_due_jobs());
        run().await;
        // There is a limit of jobs for each receiver: who found it reached comes a second later.
        world.advance(Duration::from_secs(1));
        run().await;
        assert_eq!(arrived(), ["a1", "b1 b2 b3", "c1 c2 c3"]);
        // What comes meanwhile is for A the last, and for the others the next.
        push(a, "a4", 20).await;
        push(b, "b4", 21).await;
        run().await;
        assert_eq!(arrived(), ["", "b4", ""]);
        let waiting = log(&world, &admin, "?state=pending").await;
        assert_eq!(waiting["messages"].as_array().unwrap().len(), 4);
        world.advance(Duration::from_secs(10));
        run().await;
        push(c, "c4", 22).await;
        run().await;
        assert_eq!(arrived(), ["a1", "", "c4"], "again, in vain");
        for _ in 0..4 {
            world.advance(Duration::from_secs(60));
            run().await;
        }
        assert_eq!(arrived(), ["a1 a2 a3 a4", "", ""]);
        let all = log(&world, &admin, "").await;
        let states: Vec<_> = all["messages"].as_array().unwrap().iter().map(|of| of["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["delivered"; 12]);
        for follower in [a, b, c] {
            assert!(!all.to_string().contains(follower));
        }
        assert_eq!(raw::number(world.database(), "SELECT COUNT(*) FROM jobs WHERE kind = 'wechat_relay'").await, 0);
    }

    async fn a_message_waits_for_its_turn_however_often_a_job_was_begun(database) {
        let owner = Owner::default();
        let url = owner.start().await;
        let relay = format!(", relay = {{ url = \"{url}\", token = \"{RELAY_TOKEN}\" }}");
        let world = world_with(database, &relay).await;
        let admin = access_key(&world, AdminRole::Manager, Some(SHOP)).await;
        acknowledged(&Push::event("VIEW", "x").send(&world.nobody()).await);
        owner.answers.lock().unwrap().extend([503; 3]);
        for _ in 0..3 {
            world.node.app.run_due_jobs().await;
            world.advance(Duration::from_secs(2 * 60 * 60));
        }
        assert_eq!(owner.read(ACCOUNT, None).len(), 3);
        // The job has made attempts, and counts none of them: it could pass on others yet.
        assert_eq!(raw::number(world.database(), "SELECT MAX(attempts) FROM jobs WHERE kind = 'wechat_relay'").await, 0);

        // A message that no node gets through with is given up, and what follows it goes on.
        raw::execute(world.database(), "UPDATE wechat_messages SET attempts = 8").await;
        let signed_at = NOW.seconds() + 6 * 60 * 60;
        acknowledged(&Push { signed_at, ..Push::event("CLICK", "x") }.send(&world.nobody()).await);
        world.node.app.run_due_jobs().await;
        assert_eq!(owner.read(ACCOUNT, None), ["CLICK"]);
        let failed = log(&world, &admin, "?state=failed").await;
        assert_eq!((&failed["messages"][0]["event"], &failed["messages"][0]["attempts"]), (&json!("VIEW"), &json!(8)));
    }

    async fn a_server_that_never_answers_well_is_given_up(database) {
        let owner = Owner::default();
        let url = owner.start().await;
        let relay = format!(", relay = {{ url = \"{url}\", token = \"{RELAY_TOKEN}\" }}");
        let world = world_with(database, &relay).await;
        let admin = access_key(&world, AdminRole::Manager, Some(SHOP)).await;
        owner.answers.lock().unwrap().extend([503; 8]);
        acknowledged(&Push::event("VIEW", "x").send(&world.nobody()).await);
        world.advance(Duration::from_millis(2));
        acknowledged(&Push { nonce: "2", ..Push::event("CLICK", "x") }.send(&world.nobody()).await);
        for _ in 0..8 {
            world.advance(Duration::from_secs(2 * 60 * 60));
            world.node.app.run_due_jobs().await;
        }
        world.advance(Duration::from_secs(2 * 60 * 60));
        world.node.app.run_due_jobs().await;
        // In plain text, since there is no key.
        assert_eq!(owner.read(ACCOUNT, None), ["VIEW", "VIEW", "VIEW", "VIEW", "VIEW", "VIEW", "VIEW", "VIEW", "CLICK"]);
        let failed = log(&world, &admin, "?state=failed").await;
        assert_eq!((&failed["messages"][0]["event"], &failed["messages"][0]["attempts"]), (&json!("VIEW"), &json!(8)));
        assert_eq!(failed["messages"].as_array().unwrap().len(), 1);

        // Old ones are forgotten.
        world.advance(Duration::from_secs(8 * 24 * 60 * 60));
        world.node.app.sweep().await.unwrap();
        assert_eq!(log(&world, &admin, "").await["messages"], json!([]));
    }
}
