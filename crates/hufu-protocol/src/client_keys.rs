//! Public keys of clients (RFC 7517), and what clients sign with them: client assertions (RFC 7523) and request objects
//! (RFC 9101).
//!
//! A header is not believed. Its algorithm must be one of [`ClientAlgorithm`], and of the key's own type; its `kid` chooses
//! among the registered keys and nothing else. Secrets that both sides know (`HS256`) and `none` are not in the list.

use std::borrow::Cow;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_types::ClientAlgorithm;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::PublicParameters;
use crate::token::{Parts, decode, parse, present};

fn verification(algorithm: ClientAlgorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        ClientAlgorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
        ClientAlgorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        ClientAlgorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        ClientAlgorithm::EdDsa => &ED25519,
    }
}

/// Why a key set is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientKeysError {
    /// It is longer than [`ClientKeys::MAX_BYTES`].
    #[error("the key set is too long: write at most 64 KiB")]
    TooLong,
    /// It is not an object with a list `keys` of objects.
    #[error("not a key set: write an object with the list `keys` of public keys")]
    Malformed,
    /// It has more than [`ClientKeys::MAX_KEYS`] keys.
    #[error("too many keys: list at most 16")]
    TooMany,
    /// It has a private or secret key, which is nobody else's business.
    #[error("a key has its private part: take it out, and make a new key, since this one is known now")]
    Private,
    /// No key of it can be used.
    #[error(
        "no key to verify signatures with: write an EC key on P-256, an RSA key of 2048 to 8192 bits, or an Ed25519 key"
    )]
    NoUsableKey,
}

/// Why something that a client signed is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientSignatureError {
    /// Too long, not three base64url parts, not JSON objects, or with a critical header extension (none is supported).
    #[error("it is not a signed JWT")]
    Malformed,
    /// It is not signed: its algorithm is `none`.
    #[error("it is not signed")]
    Unsigned,
    /// It is signed in a way that is not supported.
    #[error("its algorithm is not one of ES256, RS256, PS256 and EdDSA")]
    WrongAlgorithm,
    /// No key fits, or without a `kid` more than one.
    #[error("none of the client's keys fits its header, or more than one does and it has no `kid`")]
    UnknownKey,
    /// The signature is not valid.
    #[error("its signature is not valid")]
    BadSignature,
}

/// What a client signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Signed {
    /// The algorithm of the signature.
    pub algorithm: ClientAlgorithm,
    /// The `typ` of the header; empty if there is none.
    pub typ: String,
    /// The claims.
    pub claims: Map<String, Value>,
}

/// The public keys of a client.
#[derive(Debug)]
pub struct ClientKeys(Vec<ClientKey>);

#[derive(Debug)]
pub(crate) struct ClientKey {
    key_id: Option<String>,
    /// The algorithms that fit its type, each with the parsed key.
    uses: Vec<(ClientAlgorithm, ParsedPublicKey)>,
}

/// Whether it has a member that only private and secret keys have (RFC 7518 6).
pub(crate) fn has_private_part(jwk: &Map<String, Value>) -> bool {
    ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|member| jwk.contains_key(*member))
}

impl ClientKeys {
    /// The most keys of a set.
    pub const MAX_KEYS: usize = 16;
    /// The most bytes of a set.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// Reads a key set. Keys for other purposes or of unknown types are left out (RFC 7517 section 5).
    ///
    /// # Errors
    /// [`ClientKeysError`]
    pub fn parse(json: &[u8]) -> Result<Self, ClientKeysError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Map<String, Value>>,
        }
        if json.len() > Self::MAX_BYTES {
            return Err(ClientKeysError::TooLong);
        }
        let Set { keys } = parse(json).map_err(|_| ClientKeysError::Malformed)?;
        if keys.len() > Self::MAX_KEYS {
            return Err(ClientKeysError::TooMany);
        }
        if keys.iter().any(has_private_part) {
            return Err(ClientKeysError::Private);
        }
        let keys: Vec<_> = keys.iter().filter_map(ClientKey::read).collect();
        if keys.is_empty() { Err(ClientKeysError::NoUsableKey) } else { Ok(Self(keys)) }
    }

    /// Verifies a compact JWS whose payload is a JSON object. Says nothing about its claims.
    ///
    /// # Errors
    /// [`ClientSignatureError`]
    pub fn verify(&self, jws: &str) -> Result<Signed, ClientSignatureError> {
        let malformed = |_| ClientSignatureError::Malformed;
        let parts = Parts::split(jws).ok_or(ClientSignatureError::Malformed)?;
        let header = decode(parts.header).map_err(malformed)?;
        let header: Header<'_> = parse(&header).map_err(malformed)?;
        if header.crit {
            return Err(ClientSignatureError::Malformed);
        }
        if header.alg == "none" {
            return Err(ClientSignatureError::Unsigned);
        }
        let algorithm = ClientAlgorithm::parse(&header.alg).ok_or(ClientSignatureError::WrongAlgorithm)?;
        let mut fitting = self.0.iter().filter_map(|key| key.fitting(algorithm, header.kid.as_deref()));
        let (Some(key), None) = (fitting.next(), fitting.next()) else {
            return Err(ClientSignatureError::UnknownKey);
        };
        let signature = decode(parts.signature).map_err(malformed)?;
        key.verify_sig(parts.signed.as_bytes(), &signature)
            .map_err(|_| ClientSignatureError::BadSignature)?;
        let payload = decode(parts.payload).map_err(malformed)?;
        let claims = parse(&payload).map_err(malformed)?;
        Ok(Signed { algorithm, typ: header.typ.into_owned(), claims })
    }
}

/// The subject that a JWT names. Nothing is verified: this only tells whose keys to verify it with.
pub fn unverified_subject(jws: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Subject {
        sub: String,
    }
    let payload = decode(Parts::split(jws)?.payload).ok()?;
    parse::<Subject>(&payload).ok().map(|claims| claims.sub)
}

/// An absent `alg` or `typ` is empty.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow, default)]
    alg: Cow<'a, str>,
    #[serde(borrow, default)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    kid: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

impl ClientKey {
    /// `None` if the key cannot be used: its type is unknown, a member is missing or out of range, or it is for
    /// something else than verifying.
    pub(crate) fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).map(Value::as_str);
        if text("use").is_some_and(|usage| usage != Some("sig")) {
            return None;
        }
        if let Some(operations) = jwk.get("key_ops") {
            operations.as_array()?.iter().find(|operation| operation.as_str() == Some("verify"))?;
        }
        let key_id = match text("kid") {
            Some(key_id) => Some(key_id?.to_owned()),
            None => None,
        };
        let only = match text("alg") {
            Some(name) => Some(ClientAlgorithm::parse(name?)?),
            None => None,
        };
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)??).ok();
        let (algorithms, public): (&[_], _) = match (text("kty")??, text("crv").flatten()) {
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                (x.len() == 32 && y.len() == 32).then_some(())?;
                (&[ClientAlgorithm::Es256], [vec![4], x, y].concat())
            }
            ("OKP", Some("Ed25519")) => (&[ClientAlgorithm::EdDsa], bytes("x")?),
            ("RSA", _) => (
                &[ClientAlgorithm::Rs256, ClientAlgorithm::Ps256],
                rsa_public_key(&bytes("n")?, &bytes("e")?)?,
            ),
            _ => return None,
        };
        let uses: Vec<_> = algorithms
            .iter()
            .filter(|algorithm| only.is_none_or(|only| only == **algorithm))
            .filter_map(|algorithm| {
                let key = ParsedPublicKey::new(verification(*algorithm), &public).ok()?;
                Some((*algorithm, key))
            })
            .collect();
        (!uses.is_empty()).then_some(Self { key_id, uses })
    }

    pub(crate) fn fitting(
        &self,
        algorithm: ClientAlgorithm,
        key_id: Option<&str>,
    ) -> Option<&ParsedPublicKey> {
        if key_id.is_some() && self.key_id.as_deref() != key_id {
            return None;
        }
        self.uses.iter().find(|(own, _)| *own == algorithm).map(|(_, key)| key)
    }
}

/// The members that define a key which [`ClientKey::read`] could read, as they are written.
pub(crate) fn public_parameters(jwk: &Map<String, Value>) -> Option<PublicParameters> {
    let text = |name: &str| jwk.get(name)?.as_str().map(str::to_owned);
    Some(match text("kty")?.as_str() {
        "EC" => PublicParameters::Ec { crv: "P-256", x: text("x")?, y: text("y")? },
        "OKP" => PublicParameters::Okp { crv: "Ed25519", x: text("x")? },
        _ => PublicParameters::Rsa { n: text("n")?, e: text("e")? },
    })
}

/// The DER of an RSA public key (RFC 8017 A.1.1). `None` unless it has 2048 to 8192 bits and a usual exponent.
fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    fn without_zeros(mut number: &[u8]) -> &[u8] {
        while let [0, rest @ ..] = number {
            number = rest;
        }
        number
    }
    let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
    let zeros = usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    let bits = modulus.len().checked_mul(8)?.checked_sub(zeros)?;
    let is_usual = exponent.len() <= 4 && exponent != [1] && exponent.last()? % 2 == 1;
    if !(2048..=8192).contains(&bits) || !is_usual {
        return None;
    }
    // A number whose highest bit is set has a zero byte in front, because DER's integers have signs.
    let integer = |number: &[u8]| {
        let sign: &[u8] = if number.first().is_some_and(|byte| *byte >= 0x80) { &[0] } else { &[] };
        der_value(0x02, &[sign, number].concat())
    };
    der_value(0x30, &[integer(modulus)?, integer(exponent)?].concat())
}

/// A DER value of at most 65535 bytes.
fn der_value(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(content.len()).ok()?;
    let [high, low] = length.to_be_bytes();
    let head: &[u8] = match (high, low) {
        (0, ..=0x7f) => &[tag, low],
        (0, _) => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    Some([head, content].concat())
}
