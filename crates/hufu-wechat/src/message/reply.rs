//! Replies to messages, and pushes as WeChat makes them.

use std::fmt;

use super::xml::{element, number};
use crate::crypto::message::{EncodingAesKey, encrypt, message_signature, url_signature};

/// A text in reply to a message, as XML. `to_user` is the openid of the user and `from_user` the original id of
/// the account.
pub fn text_reply(to_user: &str, from_user: &str, create_time: i64, content: &str) -> String {
    let mut xml = "<xml>".to_owned();
    element(&mut xml, "ToUserName", to_user);
    element(&mut xml, "FromUserName", from_user);
    number(&mut xml, "CreateTime", create_time);
    element(&mut xml, "MsgType", "text");
    element(&mut xml, "Content", content);
    xml.push_str("</xml>");
    xml
}

/// Encrypts a reply, as XML. `random` must be fresh random bytes; `timestamp` is the time of the reply in Unix
/// seconds, and `nonce` a random number.
pub fn sealed_reply(
    key: &EncodingAesKey,
    token: &str,
    app_id: &str,
    reply: &str,
    random: &[u8; 16],
    timestamp: i64,
    nonce: &str,
) -> String {
    let encrypted = encrypt(key, random, reply.as_bytes(), app_id);
    let signature = message_signature(token, &timestamp.to_string(), nonce, &encrypted);
    let mut xml = "<xml>".to_owned();
    element(&mut xml, "Encrypt", &encrypted);
    element(&mut xml, "MsgSignature", &signature);
    number(&mut xml, "TimeStamp", timestamp);
    element(&mut xml, "Nonce", nonce);
    xml.push_str("</xml>");
    xml
}

/// A push to a server, signed and encrypted as WeChat does it.
#[derive(Clone)]
pub struct Push {
    /// The parameters to add to the query of the server's address.
    pub query: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Its content type.
    pub content_type: &'static str,
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push").finish_non_exhaustive()
    }
}

/// Signs a message for a server that shares `token`, and encrypts it if there is a `key` for `app_id` (safe
/// mode). `body` is the message as WeChat wrote it, XML or JSON; `to_user` and `openid` are its receiver and
/// its sender. `random` must be fresh random bytes, and `nonce` a random number.
#[expect(clippy::too_many_arguments, reason = "a push has this many parts, and each is another one's")]
pub fn signed_push(
    token: &str,
    key: Option<(&EncodingAesKey, &str)>,
    to_user: &str,
    openid: &str,
    body: &[u8],
    random: &[u8; 16],
    timestamp: i64,
    nonce: &str,
) -> Push {
    let timestamp = timestamp.to_string();
    let is_json = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let mut query = vec![
        ("signature", url_signature(token, &timestamp, nonce)),
        ("timestamp", timestamp.clone()),
        ("nonce", nonce.to_owned()),
        ("openid", openid.to_owned()),
    ];
    let content_type = if is_json { "application/json" } else { "text/xml" };
    let Some((key, app_id)) = key else { return Push { query, body: body.to_vec(), content_type } };

    let encrypted = encrypt(key, random, body, app_id);
    query.push(("encrypt_type", "aes".to_owned()));
    query.push(("msg_signature", message_signature(token, &timestamp, nonce, &encrypted)));
    let body = if is_json {
        serde_json::json!({ "ToUserName": to_user, "Encrypt": encrypted }).to_string()
    } else {
        let mut xml = "<xml>".to_owned();
        element(&mut xml, "ToUserName", to_user);
        element(&mut xml, "Encrypt", &encrypted);
        xml.push_str("</xml>");
        xml
    };
    Push { query, body: body.into_bytes(), content_type }
}
