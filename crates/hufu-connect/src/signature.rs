//! The signature of webhooks, as Standard Webhooks 1.0 has it: HMAC-SHA-256 over `{id}.{timestamp}.{body}`, in
//! base64, after `v1,`. It travels in the header `webhook-signature`, beside `webhook-id` and `webhook-timestamp`.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The header of the delivery's id, by which a receiver knows a delivery that came twice.
pub const ID_HEADER: &str = "webhook-id";
/// The header of the moment of signing, in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header of the signatures, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// Signs a delivery: the value of [`SIGNATURE_HEADER`]. Where a secret is being replaced, the values of both stand
/// in the header, with a space between.
pub fn sign(secret: &[u8], id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
    let tag = hmac::sign(&key(secret), &signed_text(id, timestamp_seconds, body));
    format!("v1,{}", STANDARD.encode(tag))
}

/// Whether one of the signatures in a header is right. How old a delivery may be is the caller's to decide.
pub fn verify(secret: &[u8], id: &str, timestamp_seconds: i64, body: &[u8], header: &str) -> bool {
    let (key, text) = (key(secret), signed_text(id, timestamp_seconds, body));
    header
        .split(' ')
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        .any(|tag| hmac::verify(&key, &text, &tag).is_ok())
}

fn key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

fn signed_text(id: &str, timestamp_seconds: i64, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{id}.{timestamp_seconds}.").into_bytes();
    text.extend_from_slice(body);
    text
}
