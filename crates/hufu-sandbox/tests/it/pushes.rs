//! Messages that WeChat pushes to the server of an official account.

use axum::http::Method;
use hufu_sandbox::{AppKind, Delivery, MessageMode, SettingsPatch, Verdict};
use hufu_wechat::crypto::message::{
    EncodingAesKey, decrypt, encrypt, message_signature, url_signature, verify_message, verify_url,
};
use serde_json::{Value, json};

use crate::receiver::{AES_KEY, Received, Receiver, Reply, TOKEN};
use crate::support::{SERVICE, START_MS, World};

async fn world() -> (World, Receiver) {
    let world = World::new();
    world.add(SERVICE, AppKind::ServiceAccount);
    let receiver = Receiver::start().await;
    receiver.serve(&world, MessageMode::Plain);
    (world, receiver)
}

fn plainly() -> Delivery {
    Delivery::default()
}

async fn ids(world: &World) -> (String, String) {
    let apps = world.control(Method::GET, "/apps", json!({})).await;
    let app = apps["apps"].as_array().unwrap().iter().find(|app| app["app_id"] == SERVICE).unwrap().clone();
    let users = world.control(Method::GET, "/users", json!({})).await;
    let alice =
        users["users"].as_array().unwrap().iter().find(|user| user["name"] == "alice").unwrap().clone();
    let openid =
        alice["ids"].as_array().unwrap().iter().find(|ids| ids["app_id"] == SERVICE).unwrap()["openid"]
            .as_str()
            .unwrap()
            .to_owned();
    (app["original_id"].as_str().unwrap().to_owned(), openid)
}

async fn ticket(world: &World, scene: &Value, name: &str) -> String {
    let token = world.token(SERVICE).await;
    let body = json!({ "expire_seconds": 60, "action_name": name, "action_info": { "scene": scene } });
    let made = world.post(&format!("/api/cgi-bin/qrcode/create?access_token={token}"), body).await.json();
    made["ticket"].as_str().unwrap().to_owned()
}

fn field(body: &str, name: &str) -> String {
    let (_, rest) = body.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {body}"));
    let inner = rest.split_once(&format!("</{name}>")).unwrap().0;
    inner.trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned()
}

fn is_signed(received: &Received) -> bool {
    let parameter = |name: &str| received.parameter(name).unwrap();
    verify_url(TOKEN, &parameter("timestamp"), &parameter("nonce"), &parameter("signature"))
}

/// The message inside an encrypted push.
fn opened(received: &Received) -> String {
    let sealed = field(&received.body, "Encrypt");
    let parameter = |name: &str| received.parameter(name).unwrap();
    assert_eq!(parameter("encrypt_type"), "aes");
    assert!(verify_message(
        TOKEN,
        &parameter("timestamp"),
        &parameter("nonce"),
        &sealed,
        &parameter("msg_signature")
    ));
    let key = EncodingAesKey::parse(AES_KEY).unwrap();
    String::from_utf8(decrypt(&key, &sealed, SERVICE).unwrap()).unwrap()
}

#[tokio::test]
async fn a_new_follower_brings_the_scene_with_a_prefix_and_a_follower_without() {
    let (world, receiver) = world().await;
    let (account, openid) = ids(&world).await;
    for (name, scene, text) in [
        ("QR_STR_SCENE", json!({ "scene_str": "abc" }), "abc"),
        ("QR_SCENE", json!({ "scene_id": 77 }), "77"),
    ] {
        let ticket = ticket(&world, &scene, name).await;
        let subscribe = world.sandbox.scan(&ticket, "alice", &plainly()).await.unwrap();
        assert_eq!(subscribe["push"]["attempts"][0]["verdict"], "acknowledged");
        let first = receiver.take_one();
        assert_eq!(first.method, Method::POST);
        assert!(is_signed(&first) && first.parameter("encrypt_type").is_none());
        assert_eq!(first.parameter("pool").as_deref(), Some("1"), "the URL keeps its own query");
        assert_eq!(first.parameter("openid"), Some(openid.clone()));
        let expected = format!(
            "<xml><ToUserName><![CDATA[{account}]]></ToUserName><FromUserName><![CDATA[{openid}]]></FromUserName><CreateTime>{}</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[qrscene_{text}]]></EventKey><Ticket><![CDATA[{ticket}]]></Ticket></xml>",
            START_MS / 1000
        );
        assert_eq!(first.body, expected);

        world.sandbox.scan(&ticket, "alice", &plainly()).await.unwrap();
        let second = receiver.take_one().body;
        assert_eq!(
            (field(&second, "Event"), field(&second, "EventKey")),
            ("SCAN".to_owned(), text.to_owned())
        );
        assert_eq!(field(&second, "Ticket"), ticket);
        world.sandbox.unfollow(SERVICE, "alice", &plainly()).await.unwrap();
        let third = receiver.take_one().body;
        assert_eq!(
            (field(&third, "Event"), field(&third, "EventKey")),
            ("unsubscribe".to_owned(), String::new())
        );
        assert!(!third.contains("<Ticket>"));
    }
    world.sandbox.follow(SERVICE, "alice", &plainly()).await.unwrap().unwrap();
    let by_search = receiver.take_one().body;
    assert_eq!(
        (field(&by_search, "Event"), field(&by_search, "EventKey")),
        ("subscribe".to_owned(), String::new())
    );
}

#[tokio::test]
async fn a_code_is_found_by_scene_address_and_content_until_it_expires() {
    let (world, receiver) = world().await;
    let token = world.token(SERVICE).await;
    let body = json!({ "expire_seconds": 60, "action_name": "QR_STR_SCENE", "action_info": { "scene": { "scene_str": "abc" } } });
    let made = world.post(&format!("/api/cgi-bin/qrcode/create?access_token={token}"), body).await.json();
    let (ticket, url) = (made["ticket"].as_str().unwrap(), made["url"].as_str().unwrap());
    let picture =
        format!("http://127.0.0.1:3100/mp/cgi-bin/showqrcode?ticket={}", crate::support::encoded(ticket));
    let ways = [
        json!({ "scene": "abc" }),
        json!({ "scene": "abc", "app_id": SERVICE }),
        json!({ "url": picture }),
        json!({ "url": url }),
        json!({ "ticket": ticket }),
    ];
    for mut way in ways.clone() {
        way["user"] = json!("alice");
        let answer = world.control(Method::POST, "/scan", way.clone()).await;
        assert_eq!((&answer["kind"], &answer["app_id"]), (&json!("account"), &json!(SERVICE)), "{way}");
        receiver.take_one();
    }
    let pending = world.control(Method::GET, "/pending", json!({})).await;
    assert_eq!(pending["accounts"][0]["scene"], "abc");
    world.advance(60);
    for mut way in ways {
        way["user"] = json!("alice");
        assert_eq!(world.post("/__sandbox/scan", way.clone()).await.status, 404, "{way}");
    }
    assert_eq!(world.sandbox.pending()["accounts"], json!([]));
    assert!(receiver.take().is_empty());
}

#[tokio::test]
async fn texts_and_menus_are_pushed_too() {
    let (world, receiver) = world().await;
    world.sandbox.follow(SERVICE, "alice", &plainly()).await.unwrap();
    receiver.take_one();
    let text = "4821 ]]> <b>&";
    world.sandbox.message(SERVICE, "alice", text, &plainly()).await.unwrap();
    let message = receiver.take_one().body;
    assert_eq!(field(&message, "MsgType"), "text");
    assert!(message.contains("<Content><![CDATA[4821 ]]]]><![CDATA[> <b>&]]></Content>"), "{message}");
    assert_eq!(field(&message, "MsgId").len(), 19);
    let too_late = Delivery { late_ms: 60_001, ..plainly() };
    assert!(world.sandbox.tap_menu(SERVICE, "alice", "KEY", &too_late).await.is_err());
    for (key, event) in [("KEY", "CLICK"), ("https://example.com/", "VIEW")] {
        let tap = json!({ "app_id": SERVICE, "user": "alice", "key": key });
        world.control(Method::POST, "/menu", tap).await;
        let message = receiver.take_one().body;
        assert_eq!(
            (field(&message, "Event"), field(&message, "EventKey")),
            (event.to_owned(), key.to_owned())
        );
    }
}

#[tokio::test]
async fn compatible_and_safe_mode_encrypt() {
    let (world, receiver) = world().await;
    let (account, openid) = ids(&world).await;
    receiver.serve(&world, MessageMode::Safe);
    world.sandbox.follow(SERVICE, "alice", &plainly()).await.unwrap();
    let safe = receiver.take_one();
    assert!(is_signed(&safe));
    assert!(
        !safe.body.contains("FromUserName") && field(&safe.body, "ToUserName") == account,
        "{}",
        safe.body
    );
    assert_eq!(field(&opened(&safe), "Event"), "subscribe");

    receiver.serve(&world, MessageMode::Compatible);
    world.sandbox.unfollow(SERVICE, "alice", &plainly()).await.unwrap();
    let both = receiver.take_one();
    assert_eq!(field(&both.body, "Event"), "unsubscribe");
    let inside = opened(&both);
    assert_eq!((field(&inside, "Event"), field(&inside, "FromUserName")), ("unsubscribe".to_owned(), openid));

    let unsafe_one = Delivery { plain: true, ..plainly() };
    receiver.serve(&world, MessageMode::Safe);
    world.sandbox.follow(SERVICE, "alice", &unsafe_one).await.unwrap();
    let plain = receiver.take_one();
    assert!(plain.body.contains("<Event>") && plain.parameter("encrypt_type").is_none());
}

/// A text reply to alice, as XML.
fn text_reply(from: &str, to: &str, text: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[{to}]]></ToUserName><FromUserName><![CDATA[{from}]]></FromUserName><CreateTime>1</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{text}]]></Content></xml>"
    )
}

fn sealed_reply(plain: &str, token: &str) -> String {
    let key = EncodingAesKey::parse(AES_KEY).unwrap();
    let sealed = encrypt(&key, &[7; 16], plain.as_bytes(), SERVICE);
    let signature = message_signature(token, "1749960000", "42", &sealed);
    format!(
        "<xml><Encrypt><![CDATA[{sealed}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature><TimeStamp>1749960000</TimeStamp><Nonce><![CDATA[42]]></Nonce></xml>"
    )
}

#[tokio::test]
async fn a_reply_is_judged_as_wechat_does() {
    let (world, receiver) = world().await;
    let (account, openid) = ids(&world).await;
    world.sandbox.follow(SERVICE, "alice", &plainly()).await.unwrap();
    let good = text_reply(&account, &openid, "welcome");
    let (plain, compatible, safe) = (MessageMode::Plain, MessageMode::Compatible, MessageMode::Safe);
    let cases = [
        (plain, String::new(), Verdict::Acknowledged, None),
        (plain, "success\n".to_owned(), Verdict::Acknowledged, None),
        (safe, "success".to_owned(), Verdict::Acknowledged, None),
        (plain, good.clone(), Verdict::Replied, Some("welcome")),
        (compatible, good.clone(), Verdict::Replied, Some("welcome")),
        (safe, good.clone(), Verdict::Malformed, None),
        (plain, sealed_reply(&good, TOKEN), Verdict::Malformed, None),
        (compatible, sealed_reply(&good, TOKEN), Verdict::Replied, Some("welcome")),
        (safe, sealed_reply(&good, TOKEN), Verdict::Replied, Some("welcome")),
        (safe, sealed_reply(&good, "wrong"), Verdict::WrongSignature, None),
        (safe, sealed_reply("nonsense", TOKEN), Verdict::Malformed, None),
        (plain, "ok".to_owned(), Verdict::Malformed, None),
        (plain, text_reply(&openid, &account, "turned round"), Verdict::Malformed, None),
        (plain, text_reply(&account, &openid, ""), Verdict::Malformed, None),
        (plain, format!("<!DOCTYPE x>{good}"), Verdict::Malformed, None),
    ];
    for (mode, body, verdict, reply) in cases {
        receiver.serve(&world, mode);
        receiver.reply(Reply::Text(200, body.clone()));
        let push = world.sandbox.message(SERVICE, "alice", "hello", &plainly()).await.unwrap();
        assert_eq!(push.attempts.len(), 1, "what was answered is not sent again: {body}");
        assert_eq!(
            (push.verdict(), push.attempts[0].reply.as_deref()),
            (Some(verdict), reply),
            "{mode:?} {body}"
        );
    }
    let chat = world.screen(&format!("/phone/chat/{SERVICE}"), "alice").await.text;
    assert!(
        chat.contains("<p>welcome</p>") && chat.contains("The service of this account is faulty"),
        "{chat}"
    );
}

#[tokio::test]
async fn without_an_answer_it_is_sent_three_times() {
    let (world, receiver) = world().await;
    world.sandbox.follow(SERVICE, "alice", &plainly()).await.unwrap();
    receiver.take();
    let quick = SettingsPatch { push_timeout_ms: Some(30), ..SettingsPatch::default() };
    world.sandbox.change_settings(quick).unwrap();
    receiver.reply(Reply::Never);
    receiver.reply(Reply::Text(503, "down".to_owned()));
    let push = world.sandbox.message(SERVICE, "alice", "hello", &plainly()).await.unwrap();
    let verdicts: Vec<_> = push.attempts.iter().map(|attempt| attempt.verdict).collect();
    assert_eq!(verdicts, [Verdict::Timeout, Verdict::BadStatus, Verdict::Acknowledged]);
    let received = receiver.take();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|one| one.body == received[0].body), "the same message each time");
    assert_ne!(received[0].parameter("nonce"), received[1].parameter("nonce"));

    for _ in 0..4 {
        receiver.reply(Reply::Text(500, String::new()));
    }
    let push = world.sandbox.message(SERVICE, "alice", "hello", &plainly()).await.unwrap();
    assert_eq!((push.attempts.len(), push.verdict()), (3, Some(Verdict::BadStatus)));
    let once = SettingsPatch { push_sends: Some(1), ..SettingsPatch::default() };
    world.sandbox.change_settings(once).unwrap();
    let push = world.sandbox.message(SERVICE, "alice", "hello", &plainly()).await.unwrap();
    assert_eq!(push.attempts.len(), 1);
}

#[tokio::test]
async fn a_push_can_come_twice_old_or_forged() {
    let (world, receiver) = world().await;
    world.sandbox.follow(SERVICE, "alice", &Delivery { twice: true, ..plainly() }).await.unwrap();
    let received = receiver.take();
    assert_eq!((received.len(), received[0].body == received[1].body), (2, true));

    let old = Delivery { age_seconds: 900, ..plainly() };
    world.sandbox.message(SERVICE, "alice", "old", &old).await.unwrap();
    let received = receiver.take_one();
    let at = (START_MS / 1000 - 900).to_string();
    assert_eq!(received.parameter("timestamp").as_deref(), Some(at.as_str()));
    assert!(is_signed(&received) && field(&received.body, "CreateTime") == at);

    let forged = json!({ "app_id": SERVICE, "user": "alice", "text": "hi", "delivery": { "forged": true } });
    world.control(Method::POST, "/message", forged).await;
    assert!(!is_signed(&receiver.take_one()));
    let unsigned =
        json!({ "app_id": SERVICE, "user": "alice", "text": "hi", "delivery": { "unsigned": true } });
    world.control(Method::POST, "/message", unsigned).await;
    assert!(receiver.take_one().parameter("signature").is_none());
    receiver.serve(&world, MessageMode::Safe);
    let forged = Delivery { forged: true, ..plainly() };
    world.sandbox.message(SERVICE, "alice", "hi", &forged).await.unwrap();
    let received = receiver.take_one();
    let parameter = |name: &str| received.parameter(name).unwrap();
    let sealed = field(&received.body, "Encrypt");
    assert!(!verify_message(
        TOKEN,
        &parameter("timestamp"),
        &parameter("nonce"),
        &sealed,
        &parameter("msg_signature")
    ));
}

#[tokio::test]
async fn every_push_is_recorded() {
    let (world, receiver) = world().await;
    world.sandbox.follow(SERVICE, "alice", &plainly()).await.unwrap();
    world.sandbox.message(SERVICE, "alice", "hello", &plainly()).await.unwrap();
    let pushes = world.control(Method::GET, "/pushes", json!({})).await["pushes"].clone();
    assert_eq!(pushes.as_array().unwrap().len(), 2);
    assert_eq!((&pushes[0]["event"], &pushes[1]["event"]), (&json!("subscribe"), &json!("text")));
    assert_eq!((&pushes[1]["key"], &pushes[1]["user"]), (&json!("hello"), &json!("alice")));
    assert_eq!(pushes[1]["attempts"][0]["body"], "success");
    let later = world.control(Method::GET, "/pushes?after=1", json!({})).await["pushes"].clone();
    assert_eq!(later.as_array().unwrap().len(), 1);
    let log = world.get("/__sandbox/log").await.json();
    let last = log["calls"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["path"], &last["user"], &last["http_status"]),
        (&json!("push text"), &json!("alice"), &json!(200))
    );
    world.control(Method::DELETE, "/pushes", json!({})).await;
    assert!(world.sandbox.pushes(0).is_empty());
    assert_eq!(receiver.take().len(), 2);
}

#[tokio::test]
async fn nothing_is_pushed_elsewhere_or_for_a_frozen_account() {
    let (world, receiver) = world().await;
    let path = format!("/apps/{SERVICE}");
    let elsewhere = json!({ "messages": { "url": "http://192.0.2.1/", "token": TOKEN } });
    world.control(Method::PATCH, &path, elsewhere).await;
    let push = world.sandbox.follow(SERVICE, "alice", &plainly()).await.unwrap().unwrap();
    assert_eq!(push.verdict(), Some(Verdict::NotAllowed));
    assert_eq!(world.post(&format!("/__sandbox/apps/{SERVICE}/verify-url"), json!({})).await.status, 400);

    receiver.serve(&world, MessageMode::Plain);
    world.control(Method::PATCH, &path, json!({ "state": "frozen" })).await;
    let push = world.sandbox.message(SERVICE, "alice", "hello", &plainly()).await.unwrap();
    assert_eq!((push.attempts.len(), push.verdict()), (0, None));
    world.control(Method::PATCH, &path, json!({ "state": "ok", "messages": null })).await;
    let push = world.sandbox.message(SERVICE, "alice", "hello", &plainly()).await.unwrap();
    assert_eq!(push.verdict(), None);
    assert!(receiver.take().is_empty());
    assert_eq!(world.post(&format!("/__sandbox/apps/{SERVICE}/verify-url"), json!({})).await.status, 409);
}

/// Of an answer no more is read than is worth reading.
#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let (world, receiver) = world().await;
    receiver.reply(Reply::Endless);
    let push = world.sandbox.follow(SERVICE, "alice", &plainly()).await.unwrap().unwrap();
    assert_eq!((push.attempts[0].http_status, push.verdict()), (Some(200), Some(Verdict::Malformed)));
    receiver.reply(Reply::Endless);
    let verified = world.control(Method::POST, &format!("/apps/{SERVICE}/verify-url"), json!({})).await;
    assert_eq!((&verified["verified"], &verified["http_status"]), (&json!(false), &json!(200)));
}

#[tokio::test]
async fn a_message_url_is_verified_by_an_echo() {
    let (world, receiver) = world().await;
    let path = format!("/apps/{SERVICE}/verify-url");
    let wrong = world.control(Method::POST, &path, json!({})).await;
    assert_eq!((&wrong["verified"], &wrong["body"]), (&json!(false), &json!("success")));
    let asked = receiver.take_one();
    let parameter = |name: &str| asked.parameter(name).unwrap();
    assert_eq!(asked.method, Method::GET);
    let echo = parameter("echostr");
    assert!(echo.len() == 19 && echo.bytes().all(|b| b.is_ascii_digit()), "{echo}");
    let expected = url_signature(TOKEN, &parameter("timestamp"), &parameter("nonce"));
    assert_eq!(parameter("signature"), expected);

    let echoing = axum::Router::new().fallback(async |uri: axum::http::Uri| {
        crate::support::parameter(&format!("http://x{uri}"), "echostr").unwrap_or_default()
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, echoing).await.unwrap() });
    let messages = json!({ "messages": { "url": url, "token": TOKEN } });
    world.control(Method::PATCH, &format!("/apps/{SERVICE}"), messages).await;
    assert_eq!(world.control(Method::POST, &path, json!({})).await["verified"], true);
}

#[tokio::test]
async fn wrong_push_settings_are_refused() {
    let (world, _) = world().await;
    for messages in [
        json!({ "url": "ftp://127.0.0.1/", "token": TOKEN }),
        json!({ "url": "http://127.0.0.1/", "token": "a" }),
        json!({ "url": "http://127.0.0.1/", "token": "a-b-c" }),
        json!({ "url": "http://127.0.0.1/", "token": TOKEN, "mode": "safe" }),
        json!({ "url": "http://127.0.0.1/", "token": TOKEN, "encoding_aes_key": "short" }),
        json!({ "url": "http://127.0.0.1/", "token": TOKEN, "mode": "other" }),
    ] {
        let answer = world
            .call(
                Method::PATCH,
                &format!("/__sandbox/apps/{SERVICE}"),
                json!({ "messages": messages }).to_string(),
            )
            .await;
        assert_eq!(answer.status, 400, "{messages}");
    }
    for settings in [
        json!({ "push_sends": 0 }),
        json!({ "push_sends": 11 }),
        json!({ "push_timeout_ms": 0 }),
        json!({ "login_mini_program_host": "hufu.example" }),
        json!({ "login_mini_program_host": "http://169.254.169.254" }),
        json!({ "login_mini_program_host": "http://localhost.example" }),
        json!({ "push_anywhere": true }),
        json!({ "unknown": 1 }),
    ] {
        assert_eq!(world.post("/__sandbox/settings", settings.clone()).await.status, 400, "{settings}");
    }
}
