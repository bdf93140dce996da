//! What an app's server answered to a pushed message, judged as WeChat does.

use hufu_wechat::crypto::message::{decrypt, verify_message};

use super::message::element;
use crate::state::messages::{MessageMode, Messages};
use crate::state::pushes::Verdict;

/// Whom a reply must name: it goes the other way than the message.
pub(super) struct Parties<'a> {
    pub(super) app_id: &'a str,
    pub(super) account: &'a str,
    pub(super) openid: &'a str,
}

/// The verdict on a body that came with status 200, and the text for the user if there is one.
pub(super) fn judge(body: &str, settings: &Messages, parties: &Parties<'_>) -> (Verdict, Option<String>) {
    let body = body.trim();
    if body.is_empty() || body == "success" {
        return (Verdict::Acknowledged, None);
    }
    if body.contains("<!DOCTYPE") || body.contains("<!ENTITY") || !body.starts_with("<xml>") {
        return (Verdict::Malformed, None);
    }
    let plain = match element(body, "Encrypt") {
        Some(sealed) if settings.mode != MessageMode::Plain => match opened(body, &sealed, settings, parties)
        {
            Ok(plain) => plain,
            Err(verdict) => return (verdict, None),
        },
        None if settings.mode != MessageMode::Safe => body.to_owned(),
        _ => return (Verdict::Malformed, None),
    };
    match text_of(&plain, parties) {
        Some(text) => (Verdict::Replied, text),
        None => (Verdict::Malformed, None),
    }
}

fn opened(body: &str, sealed: &str, settings: &Messages, parties: &Parties<'_>) -> Result<String, Verdict> {
    let field = |name| element(body, name).ok_or(Verdict::Malformed);
    let (signature, timestamp, nonce) = (field("MsgSignature")?, field("TimeStamp")?, field("Nonce")?);
    if !verify_message(settings.token.expose(), &timestamp, &nonce, sealed, &signature) {
        return Err(Verdict::WrongSignature);
    }
    let key = settings.key().ok_or(Verdict::Malformed)?;
    let plain = decrypt(&key, sealed, parties.app_id).map_err(|_| Verdict::Malformed)?;
    String::from_utf8(plain).map_err(|_| Verdict::Malformed)
}

/// The text of a text message, or a word for another kind. `None` if it is no message, or one to somebody else.
#[expect(clippy::option_option, reason = "not a message, a message without words, a message with words")]
fn text_of(xml: &str, parties: &Parties<'_>) -> Option<Option<String>> {
    let to_the_sender = element(xml, "ToUserName")? == parties.openid;
    let from_the_account = element(xml, "FromUserName")? == parties.account;
    let timed = element(xml, "CreateTime")?.parse::<i64>().is_ok();
    if !(to_the_sender && from_the_account && timed) {
        return None;
    }
    match element(xml, "MsgType")?.as_str() {
        "text" => element(xml, "Content").filter(|text| !text.is_empty()).map(Some),
        "image" | "voice" | "video" | "music" | "news" => {
            let kind = element(xml, "MsgType").unwrap_or_default();
            Some(Some(
                element(xml, "Title").map_or_else(|| format!("[{kind}]"), |title| format!("[{title}]")),
            ))
        }
        "transfer_customer_service" => Some(None),
        _ => None,
    }
}
