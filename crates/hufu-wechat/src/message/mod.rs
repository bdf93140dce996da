//! Messages that WeChat pushes: verifying, decrypting and reading them, replying, and pushing as WeChat does.
//!
//! [`open`] does everything in the right order: signature, decryption, reading. Nothing is trusted before the
//! signature of the push has been verified.
//!
//! Source: WeChat's pages "message push", "receiving event pushes" and "message encryption and decryption".

mod fields;
mod json;
mod open;
mod reply;
mod xml;

use std::fmt;

use crate::fields::{LONGEST_ID, LONGEST_TOKEN};

pub use open::{Encryption, Opened, Receiver, Signed, answer_url_check, is_timely, open, too_large};
pub use reply::{Push, sealed_reply, signed_push, text_reply};

/// The largest body that is read, in bytes.
pub const LARGEST_BODY: usize = 64 * 1024;

/// Why a push is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The signature is missing or wrong.
    #[error("the signature is missing or wrong")]
    Signature,
    /// It was signed more than the allowed time ago, or in the future.
    #[error("the push was signed too long ago")]
    Stale,
    /// The receiver demands encryption, and the message is plain.
    #[error("the message is not encrypted")]
    NotEncrypted,
    /// It says that it is encrypted and is not, or the other way round, or there is no key to open it with.
    #[error("the message is encrypted in an unexpected way")]
    Half,
    /// Wrong key, damaged, or for another app.
    #[error("the message cannot be decrypted")]
    Decrypt,
    /// It has a document type or an entity of its own.
    #[error("the message declares or uses an entity")]
    Entity,
    /// It is larger than [`LARGEST_BODY`], or has too many fields.
    #[error("the message is too large")]
    TooLarge,
    /// It is neither XML nor JSON of the expected shape.
    #[error("the message is malformed: {0}")]
    Malformed(&'static str),
}

/// A message, as far as a receiver needs to understand it. A field that is empty counts as missing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The original id (`gh_…`) of the account or mini program that it is for.
    pub to_user: String,
    /// The openid of the user that it comes from.
    pub from_user: String,
    /// Unix seconds. A push that is sent again keeps it.
    pub create_time: i64,
    /// `event`, `text`, `image` and so on.
    pub msg_type: String,
    /// The name of an event, in the case in which WeChat wrote it. Compare it with [`Message::is_event`].
    pub event: Option<String>,
    /// What an event is about. Read the scene of a QR code with [`Message::scene`].
    pub event_key: Option<String>,
    /// The ticket of the QR code that was scanned.
    pub ticket: Option<String>,
    /// The id of a message. Events have none.
    pub msg_id: Option<String>,
    /// The text of a text message.
    pub content: Option<String>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("msg_type", &self.msg_type)
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

impl Message {
    /// Reads a message: JSON if it begins with a brace, otherwise XML.
    pub fn parse(body: &[u8]) -> Result<Self, MessageError> {
        Self::from_fields(&read(body)?)
    }

    /// Whether this is the event of that name. WeChat writes some names in upper case.
    pub fn is_event(&self, name: &str) -> bool {
        self.msg_type.eq_ignore_ascii_case("event")
            && self.event.as_deref().is_some_and(|event| event.eq_ignore_ascii_case(name))
    }

    /// The scene of the QR code that led to this event: a follower scanned it (`SCAN`), or somebody followed
    /// after scanning it (`subscribe`, where the scene has a prefix).
    pub fn scene(&self) -> Option<&str> {
        let key = self.event_key.as_deref()?;
        if self.is_event("subscribe") {
            key.strip_prefix("qrscene_").filter(|scene| !scene.is_empty())
        } else if self.is_event("scan") {
            Some(key)
        } else {
            None
        }
    }

    /// What all pushes of one message have in common, and no other message has, within one account: its id, or the
    /// time of what has none, and everything that a receiver may act on. So a repeat says what the first push said.
    pub fn deduplication_key(&self) -> String {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let time = if self.msg_id.is_none() { self.create_time.to_string() } else { String::new() };
        let parts = [
            text(&self.msg_id),
            time,
            self.from_user.clone(),
            self.msg_type.to_ascii_lowercase(),
            text(&self.event).to_ascii_lowercase(),
            text(&self.event_key),
            text(&self.content),
        ];
        // With their lengths, so that nothing can stand in two parts.
        parts.iter().fold(String::new(), |key, part| key + &format!("{}:{part}", part.len()))
    }

    fn from_fields(fields: &fields::Fields) -> Result<Self, MessageError> {
        let required =
            |name, missing| fields.get(name)?.ok_or(MessageError::Malformed(missing)).map(str::to_owned);
        let optional = |name| Ok(fields.get(name)?.map(str::to_owned));
        let create_time = required("CreateTime", "no CreateTime")?;
        let message = Self {
            to_user: required("ToUserName", "no ToUserName")?,
            from_user: required("FromUserName", "no FromUserName")?,
            create_time: create_time.parse().map_err(|_| MessageError::Malformed("no CreateTime"))?,
            msg_type: required("MsgType", "no MsgType")?,
            event: optional("Event")?,
            event_key: optional("EventKey")?,
            ticket: optional("Ticket")?,
            msg_id: optional("MsgId")?,
            content: optional("Content")?,
        };
        let id = |text: &str| text.len() <= LONGEST_ID && text.bytes().all(|byte| byte.is_ascii_graphic());
        let short = |text: &Option<String>| text.as_ref().is_none_or(|text| text.len() <= LONGEST_TOKEN);
        let ids = [&message.to_user, &message.from_user, &message.msg_type];
        if !ids.into_iter().all(|text| id(text))
            || !message.msg_id.as_deref().is_none_or(id)
            || ![&message.event, &message.event_key, &message.ticket].into_iter().all(short)
        {
            return Err(MessageError::Malformed("an id that is none"));
        }
        Ok(message)
    }
}

fn read(body: &[u8]) -> Result<fields::Fields, MessageError> {
    if body.len() > LARGEST_BODY {
        return Err(MessageError::TooLarge);
    }
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => json::read(body),
        Some(b'<') => {
            let text = std::str::from_utf8(body).map_err(|_| MessageError::Malformed("not UTF-8"))?;
            xml::read(text)
        }
        _ => Err(MessageError::Malformed("neither XML nor JSON")),
    }
}
