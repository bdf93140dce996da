//! A secret in settings.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A secret that is part of stored settings. Redacted by `Debug`, and overwritten when dropped.
///
/// `Serialize` outputs plain text, because settings are stored as a whole. Code that stores them has to
/// encrypt them, and code that displays them has to omit the secret.
#[derive(Clone)]
pub struct StoredSecret(SecretString);

impl StoredSecret {
    /// The text.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<&str> for StoredSecret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<SecretString> for StoredSecret {
    fn from(text: SecretString) -> Self {
        Self(text)
    }
}

impl fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredSecret(redacted)")
    }
}

impl Serialize for StoredSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for StoredSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}
