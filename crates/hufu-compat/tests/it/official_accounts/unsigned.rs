//! The signature comes first: whatever the body of a push is that nobody signed, it is refused as unsigned.

use hufu_wechat::crypto::message::{encrypt, message_signature, url_signature};
use hufu_wechat::message::LARGEST_BODY;

use super::*;

/// Bodies of every kind, with the well-formed ones first.
fn bodies(scene: &str) -> Vec<(&'static str, Vec<u8>)> {
    let plain = event(FOLLOWER, NOW.seconds(), "SCAN", scene);
    let sealed = encrypt(&key(), &[7; 16], plain.as_bytes(), ACCOUNT);
    let encrypted = format!("<xml><ToUserName>{ORIGINAL_ID}</ToUserName><Encrypt>{sealed}</Encrypt></xml>");
    let expansion = "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]>";
    let outside = "<!DOCTYPE x SYSTEM \"http://127.0.0.1/\">";
    let long = "x".repeat(LARGEST_BODY);
    let texts = [
        ("plain", plain.clone()),
        ("encrypted", encrypted.clone()),
        ("empty", String::new()),
        ("no XML", "text".to_owned()),
        ("half of it", plain[..plain.len() / 2].to_owned()),
        ("half of what is encrypted", encrypted[..encrypted.len() / 2].to_owned()),
        ("a field twice", encrypted.replace("</xml>", "<Encrypt>AAAA</Encrypt></xml>")),
        ("too many fields", format!("<xml>{}</xml>", "<a>1</a>".repeat(129))),
        ("entities", format!("{expansion}<xml><Encrypt>&b;</Encrypt></xml>")),
        ("an outside document", format!("{outside}{encrypted}")),
        ("half of JSON", "{\"xml\":{\"Encrypt\":".to_owned()),
        ("JSON", format!("{{\"ToUserName\":\"{ORIGINAL_ID}\",\"Encrypt\":\"{sealed}\"}}")),
        ("too long", plain.replace("gQ==", &long)),
        ("too long and no XML", format!("{long}{long}")),
    ];
    let mut all: Vec<_> = texts.into_iter().map(|(what, text)| (what, text.into_bytes())).collect();
    all.push(("no UTF-8", [b"<xml><ToUserName>\xff\xfe</ToUserName></xml>".as_slice(), &[0, 0xc3]].concat()));
    all
}

/// Queries that sign nothing, each with a name.
fn queries() -> Vec<(&'static str, String)> {
    let (at, nonce) = (NOW.seconds().to_string(), "1514711492");
    let of_another = url_signature("another", &at, nonce);
    let better_of_another = message_signature("another", &at, nonce, "AAAA");
    let time = format!("timestamp={at}&nonce={nonce}");
    let right = url_signature(TOKEN, &at, nonce);
    vec![
        ("nothing", String::new()),
        ("no signature", time.clone()),
        ("an empty signature", format!("signature=&{time}")),
        ("another token's", format!("signature={of_another}&{time}")),
        ("the empty token's", format!("signature={}&{time}", url_signature("", &at, nonce))),
        ("half of it", format!("signature={}&{time}", &right[..20])),
        ("another time", format!("signature={right}&timestamp={}&nonce={nonce}", NOW.seconds() + 1)),
        ("said to be encrypted", format!("{time}&encrypt_type=aes")),
        ("without the better one", format!("signature={right}&{time}&encrypt_type=aes")),
        (
            "another token's, both",
            format!("signature={of_another}&{time}&encrypt_type=aes&msg_signature={better_of_another}"),
        ),
        (
            "another token's, the better one alone",
            format!("{time}&encrypt_type=aes&msg_signature={better_of_another}"),
        ),
        ("the plain one for the better one", format!("{time}&msg_signature={right}")),
    ]
}

on_both_engines! {
    async fn what_nobody_signed_is_refused_for_that_whatever_it_says(database) {
        let world = world(database).await;
        let ticket = ticket(&world).await;
        for mode in ["safe", "compatible", "plain"] {
            world.reconfigure(&file(&format!(", encryption = \"{mode}\""))).await;
            for (signed, query) in queries() {
                let mut expected = None;
                for (what, body) in bodies(&ticket.scene) {
                    let answer = post(&world.nobody(), &format!("{EVENTS}?{query}"), body).await;
                    let place = format!("{mode}, {signed}, {what}: {answer}");
                    assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::FORBIDDEN, &json!(2600)), "{place}");
                    let mut told = answer.json();
                    told.as_object_mut().unwrap().remove("requestId");
                    // To the letter what the well-formed one is told.
                    assert_eq!(&told, expected.get_or_insert_with(|| told.clone()), "{place}");
                }
            }
        }
        assert_eq!(raw::number(world.database(), "SELECT COUNT(*) FROM wechat_messages").await, 0);
        assert_eq!(check(&world.nobody().app(SHOP_TILL), &ticket).await["status"], 0);
    }

    /// Whoever knows the token is told what is wrong with the body: it is how an owner's mistake is found.
    async fn what_is_signed_and_broken_is_told_what_is_wrong(database) {
        let world = world(database).await;
        let (at, nonce) = (NOW.seconds().to_string(), "1514711492");
        let signature = url_signature(TOKEN, &at, nonce);
        let better = message_signature(TOKEN, &at, nonce, "AAAA");
        let query = format!("signature={signature}&timestamp={at}&nonce={nonce}&encrypt_type=aes&msg_signature={better}");
        let long = "x".repeat(LARGEST_BODY + 1);
        for (body, code) in [("<xml>", 2604), ("<!DOCTYPE x><xml/>", 2604), ("<xml></xml>", 2604), (&long, 413)] {
            let answer = post(&world.nobody(), &format!("{EVENTS}?{query}"), body.as_bytes().to_vec()).await;
            let expected = if body == "<xml></xml>" { 2603 } else { code };
            assert_eq!(answer.json()["code"], expected, "{body:.20}: {answer}");
        }
        // An owner's server that forwards signs nothing, so its messages are told the same.
        world.reconfigure(&file(", forwarded = true")).await;
        let answer = post(&world.nobody(), EVENTS, long.into_bytes()).await;
        assert_eq!(answer.json()["code"], 413, "{answer}");
    }
}
