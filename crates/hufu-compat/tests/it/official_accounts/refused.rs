//! Messages that are refused, and the forms that are accepted.

use hufu_wechat::crypto::message::{encrypt, url_signature};
use hufu_wechat::message::LARGEST_BODY;

use super::*;
use crate::world::CAFE;

/// Sends a push that must be refused with this code, and change nothing. Returns the answer.
async fn refused(world: &World, push: &Push, number: u64) -> Answer {
    let (path, body) = push.request();
    refused_request(world, &path, body, number).await
}

async fn refused_request(world: &World, path: &str, body: Vec<u8>, number: u64) -> Answer {
    let count = "SELECT COUNT(*) FROM wechat_messages";
    let before = raw::number(world.database(), count).await;
    let answer = post(&world.nobody(), path, body).await;
    assert_eq!(answer.json()["code"], number, "{answer}");
    assert!(answer.status.is_client_error(), "{answer}");
    let text = answer.to_string();
    for secret in [TOKEN, AES_KEY, "secret-of", FOLLOWER] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(raw::number(world.database(), count).await, before);
    answer
}

/// The standard file with an account of the cafe as well, which shares everything with the shop's but its AppID.
fn with_the_cafe() -> String {
    let cafe = format!(
        "
  [[user_pool.connection]]
  identifier = \"shop-oa\"
  type = \"wechatmp-qrcode\"
  open_platform = \"cafe\"
  fields = {{ app_id = \"wx00000000000000d2\", app_secret = \"s\", original_id = \"gh_cafe\", token = \"tokenOfTheCafe\", aes_key = \"{AES_KEY}\" }}
  [[user_pool.application]]
  id = \"6560c0ffee00000000000014\""
    );
    file("").replacen("\n  [[user_pool.application]]\n  id = \"6560c0ffee00000000000014\"", &cafe, 1)
}

on_both_engines! {
    /// Lesson 2.
    async fn unsigned_foreign_stale_and_replayed_messages_are_refused(database) {
        let world = world(database).await;
        world.reconfigure(&with_the_cafe()).await;
        let ticket = ticket(&world).await;
        let push = Push::event("SCAN", &ticket.scene);
        let plain = Push { encrypted_for: None, ..push.clone() };
        let at = NOW.seconds();

        // Unsigned.
        let (path, body) = push.request();
        refused_request(&world, EVENTS, push.body.clone().into_bytes(), 2600).await;
        let (unsigned, _) = path.split_once("&msg_signature").unwrap();
        refused_request(&world, unsigned, body.clone(), 2600).await;
        // Another token, and none: whoever does not know the token could sign with the empty one.
        for token in ["tokenOfTheCafe", ""] {
            refused(&world, &Push { token, ..push.clone() }, 2600).await;
            refused(&world, &Push { token, ..plain.clone() }, 2600).await;
        }
        // Another tenant's: for its AppID, at its address, for its account.
        refused(&world, &Push { encrypted_for: Some("wx00000000000000d2"), ..push.clone() }, 2603).await;
        let elsewhere = Box::leak(EVENTS.replace(SHOP, CAFE).into_boxed_str());
        refused(&world, &Push { path: elsewhere, ..push.clone() }, 2600).await;
        let body_for_cafe = push.body.replace(ORIGINAL_ID, "gh_cafe");
        refused(&world, &Push { body: body_for_cafe, ..push.clone() }, 2606).await;
        // Too old, or too new.
        for signed_at in [at - 601, at + 601] {
            refused(&world, &Push { signed_at, ..push.clone() }, 2601).await;
        }
        // Changed after it was signed.
        let changed = String::from_utf8(body.clone()).unwrap().replacen("<Encrypt><![CDATA[", "<Encrypt><![CDATA[A", 1);
        refused_request(&world, &path, changed.into_bytes(), 2600).await;
        assert_eq!(check(&world.nobody().app(SHOP_TILL), &ticket).await["status"], 0, "nothing came of any");

        // Replayed: WeChat sends it again within seconds, and nobody does a minute later.
        acknowledged(&push.send(&world.nobody()).await);
        acknowledged(&push.send(&world.nobody()).await);
        world.advance(std::time::Duration::from_secs(61));
        refused_request(&world, &path, body, 2605).await;
        let renewed = Push { signed_at: at + 61, ..push };
        refused(&world, &renewed, 2605).await;
    }

    /// Lesson 2.
    async fn a_signature_that_was_seen_signs_nothing_else(database) {
        let world = world_with(database, ", encryption = \"plain\"").await;
        let plain = |body| Push { encrypted_for: None, ..Push::of(body) };
        acknowledged(&plain(event(FOLLOWER, NOW.seconds(), "SCAN", "none")).send(&world.nobody()).await);
        // The signature of a plain message does not cover its body.
        let ticket = ticket(&world).await;
        let forged = plain(event("oSomebodyElse", NOW.seconds(), "SCAN", &ticket.scene));
        refused(&world, &forged, 2605).await;

        // Nor that of a push that WeChat sent again, or of its check of the address.
        let sent = Push { nonce: "11", ..plain(event(FOLLOWER, NOW.seconds(), "SCAN", "none")) };
        acknowledged(&sent.send(&world.nobody()).await);
        refused(&world, &Push { nonce: "11", ..forged.clone() }, 2605).await;
        for _ in 0..2 {
            acknowledged(&Push { nonce: "11", ..sent.clone() }.send(&world.nobody()).await);
            let at = NOW.seconds().to_string();
            let query = format!("signature={}&timestamp={at}&nonce=12&echostr=1", url_signature(TOKEN, &at, "12"));
            assert_eq!(world.nobody().get(&format!("{EVENTS}?{query}")).await.status, StatusCode::OK);
        }
        refused(&world, &Push { nonce: "12", ..forged.clone() }, 2605).await;
        // The same text, divided into time and nonce in another way, has the same signature.
        let at = NOW.seconds().to_string();
        let twin = format!("{}", NOW.seconds() + 1);
        let query = |timestamp: &str, nonce: &str| {
            format!("{EVENTS}?signature={}&timestamp={timestamp}&nonce={nonce}", url_signature(TOKEN, &at, &twin))
        };
        acknowledged(&post(&world.nobody(), &query(&at, &twin), sent.body.clone().into_bytes()).await);
        refused_request(&world, &query(&twin, &at), forged.body.clone().into_bytes(), 2605).await;
        assert_eq!(check(&world.nobody().app(SHOP_TILL), &ticket).await["status"], 0);

        // Signatures are kept as long as they are timely.
        let count = "SELECT COUNT(*) FROM wechat_signatures";
        assert_eq!(raw::number(world.database(), count).await, 4);
        world.advance(std::time::Duration::from_secs(15 * 60));
        world.node.app.sweep().await.unwrap();
        assert_eq!(raw::number(world.database(), count).await, 4);
        world.advance(std::time::Duration::from_secs(15 * 60 + 1));
        world.node.app.sweep().await.unwrap();
        assert_eq!(raw::number(world.database(), count).await, 0);
        refused(&world, &forged, 2601).await;
    }

    /// Lesson 3: nor is an encrypted push made a plain one by whoever is in between.
    async fn an_encrypted_push_without_its_better_signature_is_refused(database) {
        let world = world(database).await;
        let ticket = ticket(&world).await;
        let forged = event("oSomebodyElse", NOW.seconds(), "SCAN", &ticket.scene);
        let mut stripped = Vec::new();
        for (mode, nonce) in [("safe", "1"), ("compatible", "2")] {
            world.reconfigure(&file(&format!(", encryption = \"{mode}\""))).await;
            let push = Push { nonce, ..Push::event("SCAN", "none") };
            acknowledged(&push.send(&world.nobody()).await);
            let (path, _) = push.request();
            stripped.push(path.split_once("&openid").unwrap().0.to_owned());
            refused_request(&world, stripped.last().unwrap(), forged.clone().into_bytes(), 2602).await;
        }
        // Nor does it sign anything once the account takes plain messages.
        world.reconfigure(&file(", encryption = \"plain\"")).await;
        for path in &stripped {
            refused_request(&world, path, forged.clone().into_bytes(), 2605).await;
        }
        assert_eq!(check(&world.nobody().app(SHOP_TILL), &ticket).await["status"], 0);
    }

    async fn the_id_of_a_message_is_good_for_that_message_alone(database) {
        let world = world_with(database, ", encryption = \"plain\", account = \"subscription\"").await;
        let ticket = ticket(&world).await;
        let code = ticket.short_code.clone().unwrap();
        let plain = |push| Push { encrypted_for: None, ..push };
        acknowledged(&plain(Push::text("hello", 7)).send(&world.nobody()).await);
        let id = "<MsgId>7</MsgId>";
        let scan = event(FOLLOWER, NOW.seconds(), "SCAN", &ticket.scene).replace("</xml>", &format!("{id}</xml>"));
        let text = format!("<MsgType>text</MsgType><Content>{code}</Content>{id}");
        for body in [scan, message(FOLLOWER, NOW.seconds(), &text), message("oSomebodyElse", NOW.seconds(), &text)] {
            refused(&world, &plain(Push::of(body)), 2605).await;
        }
        assert_eq!(check(&world.nobody().app(SHOP_TILL), &ticket).await["status"], 0);
    }

    /// Lesson 3.
    async fn every_mode_reads_its_messages_and_safe_mode_no_plain_ones(database) {
        let world = world(database).await;
        for (mode, accepts_plain) in [("safe", false), ("compatible", false), ("plain", true)] {
            world.reconfigure(&file(&format!(", encryption = \"{mode}\""))).await;
            let encrypted = ticket(&world).await;
            acknowledged(&Push::event("SCAN", &encrypted.scene).send(&world.nobody()).await);
            log_in(&world, &encrypted).await;

            let plain = ticket(&world).await;
            let push = Push { encrypted_for: None, nonce: "2", ..Push::event("SCAN", &plain.scene) };
            if accepts_plain {
                acknowledged(&push.send(&world.nobody()).await);
                log_in(&world, &plain).await;
            } else {
                refused(&world, &push, 2602).await;
            }
        }
        // Compatible mode: what stands in plain beside the encrypted part is not read.
        world.reconfigure(&file(", encryption = \"compatible\"")).await;
        let (meant, forged) = (ticket(&world).await, ticket(&world).await);
        let (path, body) = Push { nonce: "5", ..Push::event("SCAN", &meant.scene) }.request();
        let twin = event("oSomebodyElse", NOW.seconds(), "SCAN", &forged.scene).replace("<xml>", "").replace("</xml>", "");
        let both = String::from_utf8(body).unwrap().replace("<xml>", &format!("<xml>{twin}"));
        let both = both.replacen("<ToUserName>", "<Ignored>", 1).replacen("</ToUserName>", "</Ignored>", 1);
        acknowledged(&post(&world.nobody(), &path, both.into_bytes()).await);
        log_in(&world, &meant).await;
        assert_eq!(check(&world.nobody().app(SHOP_TILL), &forged).await["status"], 0);
    }

    /// The key here is not the one that is set at WeChat, as happens when one of them is changed: the message is not lost,
    /// because WeChat sends it again.
    async fn a_message_under_another_key_is_refused_until_the_key_is_right(database) {
        let world = world(database).await;
        let another = AES_KEY.chars().rev().collect::<String>();
        world.reconfigure(&file("").replacen(AES_KEY, &another, 1)).await;
        let ticket = ticket(&world).await;
        let push = Push::event("SCAN", &ticket.scene);
        refused(&world, &push, 2603).await;
        assert_eq!(check(&world.nobody().app(SHOP_TILL), &ticket).await["status"], 0);
        world.reconfigure(&file("")).await;
        acknowledged(&push.send(&world.nobody()).await);
        log_in(&world, &ticket).await;
    }

    async fn without_a_key_nothing_is_encrypted(database) {
        let without_key = file("").replacen(&format!(", aes_key = \"{AES_KEY}\""), "", 1);
        assert!(refused_file(&without_key).contains("aes_key"), "{}", refused_file(&without_key));
        let world = World::new(database).await;
        world.reconfigure(&without_key.replacen("gh_5h0p\"", "gh_5h0p\", encryption = \"plain\"", 1)).await;
        refused(&world, &Push::event("VIEW", "x"), 2603).await;
        acknowledged(&Push { encrypted_for: None, ..Push::event("VIEW", "x") }.send(&world.nobody()).await);
    }

    /// Lesson 16.
    async fn entities_and_outside_documents_are_refused(database) {
        let world = world_with(database, ", encryption = \"plain\"").await;
        let expansion = "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>";
        let outside = "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>";
        for (before, content) in [(expansion, "&c;"), (outside, "&f;"), ("<!DOCTYPE x SYSTEM \"http://127.0.0.1/\">", "a"), ("", "&c;")] {
            let rest = format!("<MsgType>text</MsgType><Content>{content}</Content><MsgId>1</MsgId>");
            let push = Push::of(format!("{before}{}", message(FOLLOWER, NOW.seconds(), &rest)));
            refused(&world, &push, 2604).await;
            refused(&world, &Push { encrypted_for: None, ..push.clone() }, 2604).await;
            // Around the encrypted part, before anything is known of who sent it.
            let (path, body) = push.request();
            let body = [before.as_bytes(), &body, if before.is_empty() { b"&c;" } else { b"" }].concat();
            refused_request(&world, &path, body, 2604).await;
        }
    }

    async fn what_is_no_message_is_refused(database) {
        let world = world_with(database, ", encryption = \"plain\"").await;
        for body in ["", "text", "<xml></xml>", "{}", "<xml>", "[1]"] {
            refused(&world, &Push { encrypted_for: None, ..Push::of(body.to_owned()) }, 2604).await;
        }
        let long = Push { encrypted_for: None, ..Push::text(&"x".repeat(LARGEST_BODY), 1) };
        refused(&world, &long, 413).await;
        // No such account: another pool, another kind of connection.
        for path in [EVENTS.replace(SHOP, CAFE), EVENTS.replace("shop-oa", "shop-mini"), EVENTS.replace(SHOP, "none")] {
            refused_request(&world, &path, b"<xml></xml>".to_vec(), 2402).await;
        }
    }

    async fn wechat_checks_the_address(database) {
        let world = world(database).await;
        let at = NOW.seconds().to_string();
        let signature = url_signature(TOKEN, &at, "7");
        let query = |signature: &str| format!("?signature={signature}&timestamp={at}&nonce=7&echostr=4375120948345356249");
        for events in [EVENTS.to_owned(), EVENTS.replace("/connections/", "/connection/")] {
            let answer = world.nobody().get(&format!("{events}{}", query(&signature))).await;
            assert_eq!((answer.status, answer.bytes.as_slice()), (StatusCode::OK, &b"4375120948345356249"[..]));
            assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        }
        // One that was signed long ago, or by somebody whose clock is wrong.
        for off in [-601, 601] {
            let at = (NOW.seconds() + off).to_string();
            let query = format!("signature={}&timestamp={at}&nonce=7&echostr=43751209", url_signature(TOKEN, &at, "7"));
            let answer = world.nobody().get(&format!("{EVENTS}?{query}")).await;
            assert_eq!((answer.status, answer.json()["code"].as_u64()), (StatusCode::FORBIDDEN, Some(2601)));
        }
        for wrong in [String::new(), url_signature("", &at, "7"), url_signature("another", &at, "7")] {
            let answer = world.nobody().get(&format!("{EVENTS}{}", query(&wrong))).await;
            assert_eq!((answer.status, answer.json()["code"].as_u64()), (StatusCode::FORBIDDEN, Some(2600)));
            assert!(!answer.to_string().contains("43751209"), "nothing is echoed");
        }
    }

    async fn an_owners_server_may_forward_what_is_encrypted(database) {
        let world = world_with(database, ", forwarded = true").await;
        let ticket = ticket(&world).await;
        let forwarded = |body: &str, app_id: &str| {
            let sealed = encrypt(&key(), &[3; 16], body.as_bytes(), app_id);
            json!({ "xml": { "tousername": [ORIGINAL_ID], "encrypt": [sealed] } }).to_string().into_bytes()
        };
        let scan = event(FOLLOWER, NOW.seconds(), "SCAN", &ticket.scene);
        let old = event(FOLLOWER, NOW.seconds() - 601, "SCAN", &ticket.scene);
        refused_request(&world, EVENTS, forwarded(&scan, "wx00000000000000d2"), 2603).await;
        refused_request(&world, EVENTS, forwarded(&old, ACCOUNT), 2601).await;
        let plain = json!({ "xml": { "tousername": [ORIGINAL_ID], "fromusername": [FOLLOWER] } });
        // WeChat's own form has a signature, always.
        let sealed = encrypt(&key(), &[3; 16], scan.as_bytes(), ACCOUNT);
        let xml = format!("<xml><ToUserName>{ORIGINAL_ID}</ToUserName><Encrypt>{sealed}</Encrypt></xml>");
        let flat = json!({ "ToUserName": ORIGINAL_ID, "Encrypt": sealed }).to_string();
        for body in [xml, flat] {
            refused_request(&world, EVENTS, body.into_bytes(), 2600).await;
        }
        let half_signed = format!("{EVENTS}?timestamp={}&nonce=1&encrypt_type=aes", NOW.seconds());
        refused_request(&world, &half_signed, forwarded(&scan, ACCOUNT), 2600).await;
        refused_request(&world, EVENTS, plain.to_string().into_bytes(), 2600).await;
        // Only where the owner says that a server of theirs does.
        for fields in ["", ", forwarded = false"] {
            world.reconfigure(&file(fields)).await;
            refused_request(&world, EVENTS, forwarded(&scan, ACCOUNT), 2600).await;
        }
        world.reconfigure(&file(", forwarded = true")).await;
        let answer = world.nobody().send(Method::POST, EVENTS, "application/json", forwarded(&scan, ACCOUNT)).await;
        acknowledged(&answer);
        log_in(&world, &ticket).await;
    }
}

/// What the command says of a file that it refuses.
fn refused_file(text: &str) -> String {
    hufu_app::apply::file::read(text, "hufu.toml", &|_| None)
        .err()
        .map(|errors| errors.to_string())
        .unwrap_or_default()
}
