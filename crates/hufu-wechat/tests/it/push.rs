//! From a push to a message and its reply, with the vectors of WeChat's documentation.

use std::time::Duration;

use hufu_wechat::{
    crypto::message::{EncodingAesKey, decrypt, encrypt, message_signature, url_signature, verify_message},
    message::{
        Encryption, LARGEST_BODY, Message, MessageError, Opened, Receiver, Signed, answer_url_check,
        is_timely, open, sealed_reply, signed_push, text_reply,
    },
};

use crate::message::{ALPHABET_KEY, B_ENCRYPTED, C_ENCRYPTED, D_ENCRYPTED, ZERO_KEY};

const TEN_MINUTES: Duration = Duration::from_secs(600);
const AT: i64 = 1_714_112_445;

fn key(text: &str) -> EncodingAesKey {
    EncodingAesKey::parse(text).unwrap()
}

const EVENT: &str = concat!(
    "<xml><ToUserName><![CDATA[gh_account]]></ToUserName><FromUserName><![CDATA[oFollower]]></FromUserName>",
    "<CreateTime>1714112445</CreateTime><MsgType><![CDATA[event]]></MsgType>",
    "<Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[qrscene_abc]]></EventKey>",
    "<Ticket><![CDATA[gQ==]]></Ticket></xml>",
);
const APP: &str = "wxbad0b45542aa0b5e";

/// What the tests of one account share.
struct Account {
    key: EncodingAesKey,
    encryption: Encryption,
    forwarded: bool,
}

impl Account {
    fn new(encryption: Encryption) -> Self {
        Self { key: key(ALPHABET_KEY), encryption, forwarded: false }
    }

    fn receiver(&self) -> Receiver<'_> {
        Receiver {
            app_id: APP,
            token: "token",
            key: Some(&self.key),
            encryption: self.encryption,
            forwarded: self.forwarded,
        }
    }

    /// A push as WeChat makes it, opened.
    fn push(&self, body: &str, encrypted: bool) -> Result<Opened, MessageError> {
        self.push_at(body, encrypted, AT)
    }

    fn push_at(&self, body: &str, encrypted: bool, at: i64) -> Result<Opened, MessageError> {
        let key = encrypted.then_some((&self.key, APP));
        let push = signed_push("token", key, "gh_account", "oFollower", body.as_bytes(), &[7; 16], at, "n1");
        let of = |name| {
            let found = push.query.iter().find(|(of, _)| *of == name);
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let signed = Signed {
            signature: of("signature"),
            timestamp: of("timestamp"),
            nonce: of("nonce"),
            encrypt_type: of("encrypt_type"),
            msg_signature: of("msg_signature"),
        };
        open(&self.receiver(), &signed, &push.body, AT, TEN_MINUTES)
    }
}

#[test]
fn a_the_check_of_an_address() {
    let signed = Signed {
        signature: "f464b24fc39322e44b38aa78f5edd27bd1441696",
        timestamp: "1714036504",
        nonce: "1514711492",
        ..Signed::default()
    };
    assert_eq!(answer_url_check("AAAAA", &signed, "4375120948345356249"), Ok("4375120948345356249"));
    assert_eq!(answer_url_check("AAAAB", &signed, "4"), Err(MessageError::Signature));
    let empty = url_signature("", signed.timestamp, signed.nonce);
    let empty = Signed { signature: &empty, ..signed };
    assert_eq!(answer_url_check("", &empty, "4"), Err(MessageError::Signature), "an empty token");
}

#[test]
fn b_json_in_safe_mode_is_opened() {
    let key = key(ZERO_KEY);
    let app_id = "wxba5fad812f8e6fb9";
    let receiver =
        Receiver { app_id, token: "AAAAA", key: Some(&key), encryption: Encryption::Safe, forwarded: false };
    let signed = Signed {
        signature: "6c5c811b55cc85e0e1b54100749188c20beb3f5d",
        timestamp: "1714112445",
        nonce: "415670741",
        encrypt_type: "aes",
        msg_signature: "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
    };
    let body = format!(r#"{{"ToUserName":"gh_97417a04a28d","Encrypt":"{B_ENCRYPTED}"}}"#);
    let opened = open(&receiver, &signed, body.as_bytes(), AT + 5, TEN_MINUTES).unwrap();
    assert!(opened.encrypted);
    assert_eq!(opened.message.to_user, "gh_97417a04a28d");
    assert_eq!(opened.message.from_user, "o9AgO5Kd5ggOC-bXrbNODIiE3bGY");
    assert_eq!(opened.message.create_time, AT);
    assert!(opened.message.is_event("debug_demo") && opened.message.is_event("DEBUG_DEMO"));
    assert!(!format!("{opened:?}").contains("o9Ag"));

    let refused = |receiver: &Receiver<'_>, signed: &Signed<'_>, body: &str, now| {
        open(receiver, signed, body.as_bytes(), now, TEN_MINUTES).unwrap_err()
    };
    assert_eq!(refused(&receiver, &signed, &body, AT + 601), MessageError::Stale);
    assert_eq!(refused(&receiver, &signed, &body, AT - 601), MessageError::Stale);
    for wrong in [
        Signed { msg_signature: "", ..signed },
        Signed { msg_signature: signed.signature, ..signed },
        Signed { nonce: "415670742", ..signed },
        Signed { timestamp: "1714112446", ..signed },
    ] {
        assert_eq!(refused(&receiver, &wrong, &body, AT), MessageError::Signature);
    }
    let empty_token = Receiver { token: "", ..receiver };
    let own = message_signature("", "1714112445", "415670741", B_ENCRYPTED);
    assert_eq!(
        refused(&empty_token, &Signed { msg_signature: &own, ..signed }, &body, AT),
        MessageError::Signature
    );
    assert_eq!(
        refused(&Receiver { app_id: "wx0123456789abcdef", ..receiver }, &signed, &body, AT),
        MessageError::Decrypt
    );
    let other = self::key(ALPHABET_KEY);
    assert_eq!(
        refused(&Receiver { key: Some(&other), ..receiver }, &signed, &body, AT),
        MessageError::Decrypt
    );
    assert_eq!(refused(&Receiver { key: None, ..receiver }, &signed, &body, AT), MessageError::Half);
}

#[test]
fn c_and_d_xml_is_opened() {
    let zero = key(ZERO_KEY);
    let platform = Receiver {
        app_id: "wx134c8103faa5a59e",
        token: "AAAAA",
        key: Some(&zero),
        encryption: Encryption::Safe,
        forwarded: false,
    };
    let signed = Signed {
        timestamp: "1715943329",
        nonce: "1590219412",
        encrypt_type: "aes",
        msg_signature: "6c12a4205838198b8fa631b3220723bb07f1015c",
        ..Signed::default()
    };
    let body = format!("<xml><Encrypt><![CDATA[{C_ENCRYPTED}]]></Encrypt></xml>");
    let opened = open(&platform, &signed, body.as_bytes(), 1_715_943_329, TEN_MINUTES).unwrap();
    assert!(opened.message.to_user.starts_with("gh_"));

    let alphabet = key(ALPHABET_KEY);
    let account = Receiver {
        app_id: APP,
        token: "weixin",
        key: Some(&alphabet),
        encryption: Encryption::Compatible,
        forwarded: false,
    };
    let signed = Signed {
        signature: "35703636de2f9df2a77a662b68e521ce17c34db4",
        timestamp: "1414243737",
        nonce: "1792106704",
        encrypt_type: "aes",
        msg_signature: "6147984331daf7a1a9eed6e0ec3ba69055256154",
    };
    // Compatible mode: what stands in plain beside it is not read.
    let body = format!(
        "<xml>\n<FromUserName><![CDATA[oSomebodyElse]]></FromUserName>\n<Encrypt>{D_ENCRYPTED}</Encrypt></xml>\n"
    );
    let message = open(&account, &signed, body.as_bytes(), 1_414_243_737, TEN_MINUTES).unwrap().message;
    assert_eq!(message.from_user, "oIDrpjpQ8j8mBuQ8nM26HWzNEZgg");
    assert_eq!(message.to_user, "gh_680bdefc8c5d");
    assert_eq!(message.content.as_deref(), Some("?"));
    assert_eq!(message.msg_id.as_deref(), Some("6074130599188426998"));
    assert_eq!(
        message.deduplication_key(),
        "19:60741305991884269980:28:oIDrpjpQ8j8mBuQ8nM26HWzNEZgg4:text0:0:1:?"
    );
    assert_eq!((message.msg_type.as_str(), message.event), ("text", None));
}

#[test]
fn each_mode_accepts_what_it_should() {
    for (encryption, plain, encrypted) in [
        (Encryption::Plain, None, None),
        (Encryption::Compatible, Some(MessageError::NotEncrypted), None),
        (Encryption::Safe, Some(MessageError::NotEncrypted), None),
    ] {
        let account = Account::new(encryption);
        assert_eq!(account.push(EVENT, false).err(), plain, "{encryption:?}");
        assert_eq!(account.push(EVENT, true).err(), encrypted, "{encryption:?}");
        assert_eq!(account.push_at(EVENT, true, AT - 601).err(), Some(MessageError::Stale));
        assert_eq!(account.push_at(EVENT, false, AT - 601).err(), Some(MessageError::Stale));
    }
}

#[test]
fn what_is_half_encrypted_is_refused() {
    let mut account = Account::new(Encryption::Compatible);
    let sealed = encrypt(&account.key, &[7; 16], EVENT.as_bytes(), APP);
    let timestamp = AT.to_string();
    let signature = url_signature("token", &timestamp, "n1");
    let msg_signature = message_signature("token", &timestamp, "n1", &sealed);
    let plain = Signed { signature: &signature, timestamp: &timestamp, nonce: "n1", ..Signed::default() };
    let both = EVENT.replace("</xml>", &format!("<Encrypt>{sealed}</Encrypt></xml>"));
    let opened = |signed: &Signed<'_>, body: &str| {
        open(&account.receiver(), signed, body.as_bytes(), AT, TEN_MINUTES).map(|opened| opened.encrypted)
    };
    // An encrypted part that nobody says is there, and one that is not there. Whoever takes the better signature out of a
    // push is left with one that covers no body.
    assert_eq!(opened(&plain, &both), Err(MessageError::NotEncrypted));
    assert_eq!(opened(&plain, EVENT), Err(MessageError::NotEncrypted));
    let encrypted = Signed { encrypt_type: "aes", msg_signature: &msg_signature, ..plain };
    assert_eq!(opened(&encrypted, &both), Ok(true));
    assert_eq!(opened(&encrypted, EVENT), Err(MessageError::Half));
    assert_eq!(opened(&Signed { encrypt_type: "aes", ..plain }, &both), Err(MessageError::Signature));
    // Without the word for it, the better signature still decides.
    assert_eq!(opened(&Signed { encrypt_type: "", ..encrypted }, &both), Ok(true));
    // Unsigned and plain.
    assert_eq!(opened(&Signed::default(), EVENT), Err(MessageError::Signature));
    let twice = both.replace("</xml>", "<encrypt>AAAA</encrypt></xml>");
    assert!(matches!(opened(&encrypted, &twice), Err(MessageError::Malformed(_))));
    account.encryption = Encryption::Plain;
    let opened = open(&account.receiver(), &plain, both.as_bytes(), AT, TEN_MINUTES);
    assert_eq!(opened.err(), Some(MessageError::Half));
}

#[test]
fn what_an_owners_server_forwards_needs_the_key() {
    let account = Account { forwarded: true, ..Account::new(Encryption::Safe) };
    let sealed = encrypt(&account.key, &[7; 16], EVENT.as_bytes(), APP);
    let forwarded = format!(r#"{{"xml":{{"tousername":["gh_account"],"encrypt":["{sealed}"]}}}}"#);
    let opened =
        |body: &str, now| open(&account.receiver(), &Signed::default(), body.as_bytes(), now, TEN_MINUTES);
    let closed = Account::new(Encryption::Safe);
    let unasked = open(&closed.receiver(), &Signed::default(), forwarded.as_bytes(), AT, TEN_MINUTES);
    assert_eq!(unasked.err(), Some(MessageError::Signature), "only where the owner says so");
    let message = opened(&forwarded, AT + 600).unwrap().message;
    assert_eq!((message.from_user.as_str(), message.scene()), ("oFollower", Some("abc")));
    assert_eq!(opened(&forwarded, AT + 601).err(), Some(MessageError::Stale));
    assert_eq!(opened(&forwarded.replace(&sealed[..8], "AAAAAAAA"), AT).err(), Some(MessageError::Decrypt));
    let plain = r#"{"xml":{"tousername":["gh_account"],"fromusername":["oFollower"]}}"#;
    assert_eq!(opened(plain, AT).err(), Some(MessageError::Signature));
    let other = encrypt(&account.key, &[7; 16], EVENT.as_bytes(), "wx0123456789abcdef");
    assert_eq!(opened(&forwarded.replace(&sealed, &other), AT).err(), Some(MessageError::Decrypt));
}

#[test]
fn a_message_is_read_from_xml_and_from_json() {
    let read = |xml: &str| Message::parse(xml.as_bytes()).unwrap();
    let event = read(EVENT);
    assert_eq!(event.ticket.as_deref(), Some("gQ=="));
    assert_eq!(event.deduplication_key(), "0:10:17141124459:oFollower5:event9:subscribe11:qrscene_abc0:");
    // Nothing that a receiver acts on can differ between two pushes of one message.
    for (field, other) in [
        ("oFollower", "oSomebodyElse"),
        ("1714112445", "1714112446"),
        ("[event]", "[text]"),
        ("[subscribe]", "[SCAN]"),
        ("qrscene_abc", "qrscene_abd"),
        ("</xml>", "<Content>x</Content></xml>"),
        ("</xml>", "<MsgId>1</MsgId></xml>"),
    ] {
        let other = read(&EVENT.replace(field, other));
        assert_ne!(other.deduplication_key(), event.deduplication_key(), "{field}");
    }
    assert_eq!(read(&EVENT.replace("subscribe", "SUBSCRIBE")).deduplication_key(), event.deduplication_key());
    let json = r#" {"ToUserName":"gh_a","FromUserName":"o","CreateTime":"7","MsgType":"text","Content":" 你 ",
        "MsgId":23,"Nested":{"Content":"x"}}"#;
    let message = read(json);
    assert_eq!((message.create_time, message.msg_id.as_deref()), (7, Some("23")));
    assert_eq!(message.content.as_deref(), Some("你"));

    let with = |event: &str, key: &str| {
        let xml = EVENT.replace("subscribe", event);
        read(&xml.replace("<EventKey><![CDATA[qrscene_abc]]></EventKey>", key))
    };
    let key = |key: &str| format!("<EventKey><![CDATA[{key}]]></EventKey>");
    for (event, key, scene) in [
        ("subscribe", key("qrscene_abc"), Some("abc")),
        ("SUBSCRIBE", key("qrscene_abc"), Some("abc")),
        ("subscribe", key("qrscene_"), None),
        ("subscribe", key("last_trade_no_1"), None),
        ("subscribe", key(""), None),
        ("subscribe", "<EventKey/>".to_owned(), None),
        ("subscribe", String::new(), None),
        ("SCAN", key("abc"), Some("abc")),
        ("scan", key("qrscene_abc"), Some("qrscene_abc")),
        ("CLICK", key("abc"), None),
        ("unsubscribe", key(""), None),
    ] {
        assert_eq!(with(event, &key).scene(), scene, "{event} {key}");
    }
    // Entities that every document has, references to characters, and a nested field that is none.
    let text = read(
        "\u{feff}<?xml version=\"1.0\"?><!-- c --><xml><ToUserName>g</ToUserName><FromUserName>o</FromUserName>\
         <CreateTime>1</CreateTime><MsgType>text</MsgType><Content>&lt;a&amp;b&gt; &#20320;&#x4f60;]]<![CDATA[<>]]>\
         </Content><A><Content>x</Content></A></xml>",
    );
    assert_eq!(text.content.as_deref(), Some("<a&b> 你你]]<>"));
}

#[test]
fn entities_and_outside_documents_are_refused() {
    let inside = |before: &str, content: &str| {
        format!(
            "<?xml version=\"1.0\"?>{before}<xml><ToUserName>g</ToUserName><FromUserName>o</FromUserName>\
             <CreateTime>1</CreateTime><MsgType>text</MsgType><Content>{content}</Content></xml>"
        )
    };
    let expansion =
        "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>";
    let outside = "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>";
    let remote = "<!DOCTYPE x SYSTEM \"http://127.0.0.1:1/x.dtd\">";
    for (before, content) in [
        (expansion, "&c;"),
        (expansion, "a"),
        (outside, "&f;"),
        (remote, "a"),
        ("<!DOCTYPE x>", "a"),
        ("", "&c;"),
        ("", "&#0;"),
        ("", "&#xFFFFFFFF;"),
    ] {
        let document = inside(before, content);
        assert_eq!(Message::parse(document.as_bytes()).err(), Some(MessageError::Entity), "{document}");
        // No way in either: signed, the same is said.
        for encrypted in [true, false] {
            let account = Account::new(if encrypted { Encryption::Compatible } else { Encryption::Plain });
            assert_eq!(account.push(&document, encrypted).err(), Some(MessageError::Entity));
        }
    }
    assert!(Message::parse(inside("", "a").as_bytes()).is_ok());
}

#[test]
fn what_is_no_message_is_refused() {
    let deep = format!("<xml>{}a{}</xml>", "<a>".repeat(8), "</a>".repeat(8));
    for bad in [
        "",
        "  ",
        "text",
        "<xml>",
        "<xml></xml>",
        "<xml></wrong>",
        "<xml/><xml/>",
        "<xml></xml>text",
        "<xml>&",
        "{}",
        "{",
        "[]",
        "{\"xml\":[]}",
        &deep,
        &EVENT.replace("1714112445", "soon"),
        &EVENT.replace("oFollower", ""),
        &EVENT.replace("oFollower", "o Follower"),
        &EVENT.replace("oFollower", &"o".repeat(129)),
        &EVENT.replace("<MsgType>", "<ToUserName>gh_other</ToUserName><MsgType>"),
        &EVENT.replace("<CreateTime>", "<CreateTime><!-- c -->"),
        &EVENT.replace("<CreateTime>", "<CreateTime><?c c?>"),
        &EVENT.replace("<CreateTime>", "<A><B><!-- c --></B></A><CreateTime>"),
    ] {
        let refused = Message::parse(bad.as_bytes()).unwrap_err();
        assert!(matches!(refused, MessageError::Malformed(_)), "{bad}: {refused}");
    }
    assert!(matches!(Message::parse(b"<xml>\xff</xml>"), Err(MessageError::Malformed(_))));
    let many = format!("<xml>{}</xml>", "<a>1</a>".repeat(129));
    assert_eq!(Message::parse(many.as_bytes()).err(), Some(MessageError::TooLarge));
    let long = EVENT.replace("gQ==", &"g".repeat(LARGEST_BODY));
    assert_eq!(Message::parse(long.as_bytes()).err(), Some(MessageError::TooLarge));
    assert_eq!(Account::new(Encryption::Plain).push(&long, false).err(), Some(MessageError::TooLarge));
}

#[test]
fn a_time_is_digits_and_close() {
    assert!(is_timely("1714112445", AT, TEN_MINUTES));
    assert!(is_timely("1714112445", AT + 600, TEN_MINUTES));
    for bad in ["1714111844", "1714113046", "", "+1714112445", " 1714112445", "17141124450000000000", "-1"] {
        assert!(!is_timely(bad, AT, TEN_MINUTES), "{bad}");
    }
}

#[test]
fn a_reply_is_read_by_who_has_the_key() {
    let reply = text_reply("oFollower", "gh_account", 5, "欢迎 ]]> <b>&amp;\u{0}");
    assert_eq!(
        reply,
        "<xml><ToUserName><![CDATA[oFollower]]></ToUserName><FromUserName><![CDATA[gh_account]]></FromUserName>\
         <CreateTime>5</CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[欢迎 ]]]]><![CDATA[> <b>&amp;]]></Content></xml>"
    );
    let key = key(ALPHABET_KEY);
    let sealed = sealed_reply(&key, "token", APP, &reply, &[9; 16], 6, "n2");
    let part = |name: &str| {
        let (_, after) = sealed.split_once(&format!("<{name}>")).unwrap();
        let (value, _) = after.split_once(&format!("</{name}>")).unwrap();
        value.trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned()
    };
    assert_eq!((part("TimeStamp"), part("Nonce")), ("6".to_owned(), "n2".to_owned()));
    assert!(verify_message("token", "6", "n2", &part("Encrypt"), &part("MsgSignature")));
    assert_eq!(decrypt(&key, &part("Encrypt"), APP).unwrap(), reply.as_bytes());
    // Read as a message, the text is what was written.
    assert_eq!(Message::parse(reply.as_bytes()).unwrap().content.as_deref(), Some("欢迎 ]]> <b>&amp;"));
}

#[test]
fn b_the_official_reply_is_made_again() {
    let key = key(ZERO_KEY);
    let random = b"707722b803182950";
    let reply = r#"{"demo_resp":"good luck"}"#;
    let sealed = sealed_reply(&key, "AAAAA", "wxba5fad812f8e6fb9", reply, random, 1_713_424_427, "415670741");
    assert!(sealed.contains("1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"), "{sealed}");
}

#[test]
fn a_json_message_is_pushed_as_json() {
    let key = key(ZERO_KEY);
    let push = signed_push("t", Some((&key, APP)), "gh_a", "o", b"{\"a\":1}", &[1; 16], 9, "n");
    assert_eq!(push.content_type, "application/json");
    let body: serde_json::Value = serde_json::from_slice(&push.body).unwrap();
    assert_eq!(body["ToUserName"], "gh_a");
    let sealed = body["Encrypt"].as_str().unwrap();
    assert_eq!(decrypt(&key, sealed, APP).unwrap(), b"{\"a\":1}");
    let names: Vec<_> = push.query.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["signature", "timestamp", "nonce", "openid", "encrypt_type", "msg_signature"]);
}
