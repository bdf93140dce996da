//! Webhook signatures, following Standard Webhooks 1.0: `v1,` and the base64 of the HMAC-SHA-256 over
//! `{id}.{timestamp}.{body}`. The signature is sent in the header `webhook-signature`, together with
//! `webhook-id` and `webhook-timestamp`.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The header with the delivery's id, which lets a receiver detect duplicates.
pub const ID_HEADER: &str = "webhook-id";
/// The header with the time of signing, in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header with the signatures, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// Signs a delivery and returns the value of [`SIGNATURE_HEADER`]. While a secret is being replaced, the
/// header contains the values for both secrets, separated by a space.
pub fn sign(secret: &[u8], id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
    let tag = hmac::sign(&key(secret), &signed_text(id, timestamp_seconds, body));
    format!("v1,{}", STANDARD.encode(tag))
}

/// Whether one of the signatures in the header is valid. The caller decides how old a delivery may be.
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
