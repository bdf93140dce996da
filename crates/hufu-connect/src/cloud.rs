//! Helpers for calling both clouds: hashes, timestamps, and endpoint URLs.

use aws_lc_rs::{digest, hmac};
use hufu_types::Timestamp;
use url::Url;

use crate::BuildError;

/// SHA-256 in lowercase hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// HMAC-SHA-256.
pub(crate) fn hmac_sha256(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

/// A time in UTC, in a `strftime` format.
pub(crate) fn utc(moment: Timestamp, format: &str) -> String {
    jiff::Timestamp::from_second(moment.seconds())
        .map_or_else(|_| String::new(), |at| at.strftime(format).to_string())
}

/// Parses a provider's base URL: an origin with an optional path.
pub(crate) fn endpoint(provider: &'static str, text: &str) -> Result<Url, BuildError> {
    let wrong = || {
        BuildError::setting(
            provider,
            "endpoint",
            "must start with http:// or https:// and have no query, fragment or user",
        )
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let plain = url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    let web = matches!(url.scheme(), "http" | "https") && url.has_host();
    if plain && anonymous && web { Ok(url) } else { Err(wrong()) }
}

/// The value of the `Host` header as the HTTP client sends it: with the port, unless that is the scheme's
/// default.
pub(crate) fn host_header(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
