//! Tokens as the application reads them: verified with the public keys of the server, then taken apart.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_protocol::ClientKeys;
use hufu_types::Timestamp;
use serde_json::{Map, Value};

/// A token whose signature was verified.
#[derive(Debug)]
pub(super) struct Token {
    /// What it is.
    pub(super) name: &'static str,
    /// The header, the payload and the signature as they were sent.
    pub(super) raw: String,
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
}

impl Token {
    /// Verifies the signature, and takes it apart.
    pub(super) fn verified(name: &'static str, raw: &str, keys: &ClientKeys) -> Result<Self, String> {
        let signed = keys.verify(raw).map_err(|error| error.to_string())?;
        let header = raw.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let header = header.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(Self {
            name,
            raw: raw.to_owned(),
            header: header.ok_or("the header of a token is not an object")?,
            claims: signed.claims,
        })
    }

    /// Checks who issued it, for whom, and whether it is still good (OpenID Connect Core 3.1.3.7).
    pub(super) fn check(&self, issuer: &str, client: &str, now: Timestamp) -> Result<(), String> {
        let text = |name: &str| self.claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(issuer) {
            return Err("a token has another issuer".to_owned());
        }
        let is_for_us = match self.claims.get("aud") {
            Some(Value::String(one)) => one == client,
            Some(Value::Array(all)) => all.iter().any(|one| one == client),
            _ => false,
        };
        // The audience of an access token is the resource server; it names the client beside that.
        if !is_for_us && text("client_id") != Some(client) && text("azp") != Some(client) {
            return Err("a token is for another application".to_owned());
        }
        match self.claims.get("exp").and_then(Value::as_i64) {
            Some(end) if end.saturating_mul(1000) > now.0 => Ok(()),
            _ => Err("a token is not good any more".to_owned()),
        }
    }
}
