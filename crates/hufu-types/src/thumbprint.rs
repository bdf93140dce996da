//! Thumbprints of public keys (RFC 7638).

use serde::{Deserialize, Serialize};

/// The SHA-256 thumbprint of a public key in base64url: the `jkt` that a token is bound to (RFC 9449 section 6.1). It is
/// no secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Thumbprint(String);

impl Thumbprint {
    /// 256 bits in base64url.
    const LENGTH: usize = 43;

    /// Reads a thumbprint. `None` if it is no SHA-256 in base64url.
    pub fn parse(text: &str) -> Option<Self> {
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (text.len() == Self::LENGTH && text.bytes().all(is_base64url)).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is no thumbprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 in base64url")]
pub struct NotAThumbprint;

impl TryFrom<String> for Thumbprint {
    type Error = NotAThumbprint;

    fn try_from(text: String) -> Result<Self, NotAThumbprint> {
        Self::parse(&text).ok_or(NotAThumbprint)
    }
}

impl From<Thumbprint> for String {
    fn from(thumbprint: Thumbprint) -> Self {
        thumbprint.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sha_256_in_base64url_is_a_thumbprint() {
        // RFC 7638 section 3.1.
        let good = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(Thumbprint::parse(good).unwrap().as_str(), good);
        for wrong in ["", &good[1..], &format!("{good}="), &good.replace('-', "+"), &format!("{good}A")] {
            assert_eq!(Thumbprint::parse(wrong), None, "{wrong}");
        }
    }
}
