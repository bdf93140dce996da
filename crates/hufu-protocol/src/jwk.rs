//! Public keys, used for verifying tokens and published as a key set (RFC 7517).

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_types::{SigningAlgorithm, Thumbprint};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// The number of hexadecimal digits of the thumbprint that form the key id: 128 bits.
const KEY_ID_LENGTH: usize = 32;

/// The public half of a signing key. Clones share one parsed key.
#[derive(Clone, Debug)]
pub struct VerifyingKey(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    key: ParsedPublicKey,
    jwk: Jwk,
}

impl VerifyingKey {
    /// Parses a public key in the library's format: the uncompressed point, the 32 bytes of an Ed25519 key,
    /// or a DER-encoded `RSAPublicKey` (RFC 8017 A.1.1).
    pub(crate) fn new(algorithm: SigningAlgorithm, bytes: &[u8]) -> Option<Self> {
        let (verification, public): (&'static dyn VerificationAlgorithm, _) = match algorithm {
            SigningAlgorithm::Es256 => (&ECDSA_P256_SHA256_FIXED, PublicParameters::from_p256_point(bytes)),
            SigningAlgorithm::Rs256 => {
                (&RSA_PKCS1_2048_8192_SHA256, PublicParameters::from_rsa_public_key(bytes))
            }
            SigningAlgorithm::EdDsa => (&ED25519, Some(PublicParameters::from_ed25519(bytes))),
        };
        let key = ParsedPublicKey::new(verification, bytes).ok()?;
        let public = public?;
        let mut key_id = public.thumbprint();
        key_id.truncate(KEY_ID_LENGTH);
        Some(Self(Arc::new(Inner { key, jwk: Jwk { public, usage: "sig", algorithm, key_id } })))
    }

    /// The `kid`: the first 32 hexadecimal digits of the key's thumbprint (RFC 7638).
    pub fn key_id(&self) -> &str {
        &self.0.jwk.key_id
    }

    /// The only algorithm that this key is used with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.0.jwk.algorithm
    }

    /// The published form of the key.
    pub fn jwk(&self) -> &Jwk {
        &self.0.jwk
    }

    /// Whether the signature, in its JWS form (RFC 7518 3.3 and 3.4, RFC 8037 3.1), is valid for the message
    /// and this key.
    pub fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.key.verify_sig(message, signature).is_ok()
    }
}

/// A public key in JSON form (RFC 7517 4). This type cannot represent a private key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jwk {
    #[serde(flatten)]
    public: PublicParameters,
    #[serde(rename = "use")]
    usage: &'static str,
    #[serde(rename = "alg")]
    algorithm: SigningAlgorithm,
    #[serde(rename = "kid")]
    key_id: String,
}

impl Jwk {
    /// The key material.
    pub fn public_parameters(&self) -> &PublicParameters {
        &self.public
    }
}

/// The members that define a public key, in base64url (RFC 7518 6, RFC 8037 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kty")]
pub enum PublicParameters {
    /// A point on P-256.
    #[serde(rename = "EC")]
    Ec {
        /// The curve.
        crv: &'static str,
        /// The x coordinate.
        x: String,
        /// The y coordinate.
        y: String,
    },
    /// An Ed25519 key.
    #[serde(rename = "OKP")]
    Okp {
        /// The curve.
        crv: &'static str,
        /// The public key.
        x: String,
    },
    /// An RSA key.
    #[serde(rename = "RSA")]
    Rsa {
        /// Modulus.
        n: String,
        /// Public exponent.
        e: String,
    },
}

impl PublicParameters {
    /// SHA-256 of the required members in alphabetical order (RFC 7638 3), in lowercase hexadecimal.
    pub fn thumbprint(&self) -> String {
        hex::encode(self.digest())
    }

    /// The same in base64url, as in tokens that are bound to the key.
    pub fn jkt(&self) -> Option<Thumbprint> {
        Thumbprint::parse(&URL_SAFE_NO_PAD.encode(self.digest()))
    }

    fn digest(&self) -> Digest {
        // Base64url needs no escaping in JSON.
        let json = match self {
            Self::Ec { crv, x, y } => format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Self::Okp { crv, x } => format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#),
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        };
        digest(&SHA256, json.as_bytes())
    }

    /// Parses `04 ‖ x ‖ y` (SEC 1 2.3.3).
    fn from_p256_point(point: &[u8]) -> Option<Self> {
        let coordinates = point.strip_prefix(&[4]).filter(|rest| rest.len() == 64)?;
        let (x, y) = coordinates.split_at_checked(32)?;
        Some(Self::Ec { crv: "P-256", x: URL_SAFE_NO_PAD.encode(x), y: URL_SAFE_NO_PAD.encode(y) })
    }

    fn from_ed25519(key: &[u8]) -> Self {
        Self::Okp { crv: "Ed25519", x: URL_SAFE_NO_PAD.encode(key) }
    }

    /// Parses a DER-encoded `SEQUENCE { INTEGER n, INTEGER e }`.
    fn from_rsa_public_key(der: &[u8]) -> Option<Self> {
        let (sequence, _) = der_value(0x30, der)?;
        let (n, rest) = der_value(0x02, sequence)?;
        let (e, _) = der_value(0x02, rest)?;
        // DER puts a zero byte in front of a number whose highest bit is set; a JWK does not.
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes.strip_prefix(&[0]).unwrap_or(bytes));
        Some(Self::Rsa { n: number(n), e: number(e) })
    }
}

/// Public keys by id, for verifying and publishing.
#[derive(Clone, Debug, Default)]
pub struct KeySet(BTreeMap<String, VerifyingKey>);

impl KeySet {
    /// The key with this id.
    pub fn get(&self, key_id: &str) -> Option<&VerifyingKey> {
        self.0.get(key_id)
    }

    /// Every key, ordered by id.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.0.values()
    }
}

impl FromIterator<VerifyingKey> for KeySet {
    fn from_iter<I: IntoIterator<Item = VerifyingKey>>(keys: I) -> Self {
        Self(keys.into_iter().map(|key| (key.key_id().to_owned(), key)).collect())
    }
}

/// Serializes as a JWK set (RFC 7517 5).
impl Serialize for KeySet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let keys: Vec<&Jwk> = self.iter().map(VerifyingKey::jwk).collect();
        let mut set = serializer.serialize_struct("KeySet", 1)?;
        set.serialize_field("keys", &keys)?;
        set.end()
    }
}

/// Splits off the DER value at the start if it has this tag. Returns its content and the remaining bytes.
/// Supports lengths up to 65535 bytes; no RSA key is longer.
fn der_value(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match der.strip_prefix(&[tag])? {
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [0x81, length, rest @ ..] | [length @ ..=0x7f, rest @ ..] => (usize::from(*length), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}
