//! From the body of a push to a message.

use std::time::Duration;

use super::{LARGEST_BODY, Message, MessageError, read};
use crate::crypto::message::{EncodingAesKey, decrypt, verify_message, verify_url};

/// How an account has WeChat encrypt its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all (明文模式).
    Plain,
    /// Both ways in one message (兼容模式). Only the encrypted part is read, and a message without one is refused: every
    /// encrypted push also carries the signature of a plain one, which covers no body.
    Compatible,
    /// Always (安全模式). A plain message is refused.
    Safe,
}

/// The account that messages are for, with what it agreed on with WeChat.
#[derive(Clone, Copy, Debug)]
pub struct Receiver<'a> {
    /// The AppID that the encrypted part is addressed to.
    pub app_id: &'a str,
    /// The token of signatures. An empty one verifies nothing: everything is refused.
    pub token: &'a str,
    /// The key of encrypted messages. A plain account may lack it.
    pub key: Option<&'a EncodingAesKey>,
    /// How messages are encrypted.
    pub encryption: Encryption,
    /// Whether the owner's own server may forward the encrypted part without a signature.
    pub forwarded: bool,
}

/// The signed part of a request: what stands in its query. Absent values are empty.
#[derive(Clone, Copy, Default)]
pub struct Signed<'a> {
    /// Signs token, timestamp and nonce.
    pub signature: &'a str,
    /// Unix seconds.
    pub timestamp: &'a str,
    /// A random number.
    pub nonce: &'a str,
    /// `aes` for an encrypted message.
    pub encrypt_type: &'a str,
    /// Signs the encrypted part too.
    pub msg_signature: &'a str,
}

impl std::fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signed").field("timestamp", &self.timestamp).finish_non_exhaustive()
    }
}

/// An accepted push.
#[derive(Clone)]
pub struct Opened {
    /// The message.
    pub message: Message,
    /// The message as WeChat wrote it, decrypted: XML or JSON.
    pub body: Vec<u8>,
    /// Whether it was encrypted. Then the reply is, too.
    pub encrypted: bool,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("message", &self.message).finish_non_exhaustive()
    }
}

/// Answers WeChat's check of a server's address: the `echostr` to return as plain text, if the signature is
/// right. The check is the same in all modes.
pub fn answer_url_check<'e>(
    token: &str,
    signed: &Signed<'_>,
    echostr: &'e str,
) -> Result<&'e str, MessageError> {
    if token.is_empty() || !verify_url(token, signed.timestamp, signed.nonce, signed.signature) {
        return Err(MessageError::Signature);
    }
    Ok(echostr)
}

/// Whether `timestamp` (Unix seconds, as text) is at most `max_age` before `now` and at most
/// [`MAX_CLOCK_SKEW`](crate::MAX_CLOCK_SKEW) after it.
pub fn is_timely(timestamp: &str, now: i64, max_age: Duration) -> bool {
    // A sign would make several texts of one time, and each another signature.
    let digits = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    digits && timestamp.parse().is_ok_and(|at| crate::data::is_fresh(at, now, max_age))
}

/// Verifies, decrypts and reads a push. It must have been signed at most `max_age` before `now` (Unix seconds).
///
/// The signature comes first: a push that nobody signed is refused as [`MessageError::Signature`], whatever its body is.
/// With one exception: a body without any signature is accepted in one form, and only where [`Receiver::forwarded`] says
/// so: the encrypted part as JSON inside of `xml`, which the owner's own server forwards. Whoever made it had the key, and
/// the message's own time takes the place of the signature's.
///
/// What else the caller has to check: that [`Message::to_user`] is the account's original id.
pub fn open(
    receiver: &Receiver<'_>,
    signed: &Signed<'_>,
    body: &[u8],
    now: i64,
    max_age: Duration,
) -> Result<Opened, MessageError> {
    if body.len() > LARGEST_BODY {
        return Err(too_large(receiver, signed));
    }
    if receiver.token.is_empty() {
        return Err(MessageError::Signature);
    }
    if may_be_forwarded(receiver, signed) && super::json::is_wrapped(body) {
        return open_forwarded(receiver, body, now, max_age);
    }
    if is_encrypted(signed) {
        open_encrypted(receiver, signed, body, now, max_age)
    } else {
        open_plain(receiver, signed, body, now, max_age)
    }
}

/// Why a push with a body over [`LARGEST_BODY`], which nobody has to read, is not accepted: whoever did not sign it is told
/// that, as of any other body.
pub fn too_large(receiver: &Receiver<'_>, signed: &Signed<'_>) -> MessageError {
    let lacks_the_better_one = is_encrypted(signed) && signed.msg_signature.is_empty();
    let is_known = !receiver.token.is_empty() && !lacks_the_better_one && verify_query(receiver, signed);
    if is_known || may_be_forwarded(receiver, signed) {
        MessageError::TooLarge
    } else {
        MessageError::Signature
    }
}

/// Whether the query says that the message is encrypted.
fn is_encrypted(signed: &Signed<'_>) -> bool {
    signed.encrypt_type.eq_ignore_ascii_case("aes") || !signed.msg_signature.is_empty()
}

/// Whether the body could be one that the owner's own server forwards, without a signature.
fn may_be_forwarded(receiver: &Receiver<'_>, signed: &Signed<'_>) -> bool {
    let Signed { signature, timestamp, nonce, encrypt_type, msg_signature } = signed;
    let parts = [signature, timestamp, nonce, encrypt_type, msg_signature];
    receiver.forwarded && parts.iter().all(|part| part.is_empty())
}

fn open_plain(
    receiver: &Receiver<'_>,
    signed: &Signed<'_>,
    body: &[u8],
    now: i64,
    max_age: Duration,
) -> Result<Opened, MessageError> {
    if !verify_query(receiver, signed) {
        return Err(MessageError::Signature);
    }
    if !is_timely(signed.timestamp, now, max_age) {
        return Err(MessageError::Stale);
    }
    if receiver.encryption != Encryption::Plain {
        return Err(MessageError::NotEncrypted);
    }
    let fields = read(body)?;
    // The signature does not cover the encrypted part, so neither is that read nor what stands beside it.
    if fields.get("Encrypt")?.is_some() {
        return Err(MessageError::Half);
    }
    Ok(Opened { message: Message::from_fields(&fields)?, body: body.to_vec(), encrypted: false })
}

fn open_encrypted(
    receiver: &Receiver<'_>,
    signed: &Signed<'_>,
    body: &[u8],
    now: i64,
    max_age: Duration,
) -> Result<Opened, MessageError> {
    if signed.msg_signature.is_empty() {
        return Err(MessageError::Signature);
    }
    // The signature covers a part of the body, so that has to be found first. Only who shows by the query to know the token
    // is told what is wrong with the body: for anybody else it is that nothing signs it.
    let is_known = verify_query(receiver, signed);
    let unsigned = |error| if is_known { error } else { MessageError::Signature };
    let fields = read(body).map_err(unsigned)?;
    let encrypted = fields.get("Encrypt").map_err(unsigned)?.ok_or_else(|| unsigned(MessageError::Half))?;
    let (timestamp, nonce) = (signed.timestamp, signed.nonce);
    if !verify_message(receiver.token, timestamp, nonce, encrypted, signed.msg_signature) {
        return Err(MessageError::Signature);
    }
    if !is_timely(timestamp, now, max_age) {
        return Err(MessageError::Stale);
    }
    decrypted(receiver, encrypted)
}

/// Whether the query is signed with the token. WeChat signs that of every push, encrypted or not.
fn verify_query(receiver: &Receiver<'_>, signed: &Signed<'_>) -> bool {
    verify_url(receiver.token, signed.timestamp, signed.nonce, signed.signature)
}

fn open_forwarded(
    receiver: &Receiver<'_>,
    body: &[u8],
    now: i64,
    max_age: Duration,
) -> Result<Opened, MessageError> {
    let fields = read(body)?;
    let encrypted = fields.get("Encrypt")?.ok_or(MessageError::Signature)?;
    let opened = decrypted(receiver, encrypted)?;
    if !crate::data::is_fresh(opened.message.create_time, now, max_age) {
        return Err(MessageError::Stale);
    }
    Ok(opened)
}

fn decrypted(receiver: &Receiver<'_>, encrypted: &str) -> Result<Opened, MessageError> {
    let key = receiver.key.ok_or(MessageError::Half)?;
    let body = decrypt(key, encrypted, receiver.app_id).map_err(|_| MessageError::Decrypt)?;
    Ok(Opened { message: Message::parse(&body)?, body, encrypted: true })
}
