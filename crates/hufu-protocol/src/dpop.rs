//! DPoP proofs (RFC 9449 section 4): JWTs by which a client shows, with each request, that it has a key.
//!
//! The key is in the header, so the signature alone says nothing of who signed. Whoever reads a proof compares the key's
//! thumbprint with what is known of it, and the claims with the request.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_types::Thumbprint;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::client_keys::{ClientKey, has_private_part, public_parameters};
use crate::token::{Parts, decode, parse, present};
use hufu_types::ClientAlgorithm;

/// The `typ` of a proof.
const TYPE: &str = "dpop+jwt";
/// The most bytes of the id of a proof.
const LONGEST_JTI: usize = 256;

/// What a proof says, once its signature is verified with the key in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpopProof {
    /// The thumbprint of the key.
    pub key: Thumbprint,
    /// The method of the request.
    pub htm: String,
    /// The address of the request.
    pub htu: String,
    /// When it was made, in seconds since the Unix epoch.
    pub iat: i64,
    /// Its own id.
    pub jti: String,
    /// The nonce that the server gave the client.
    pub nonce: Option<String>,
    /// The hash of the access token that it is sent with: see [`token_hash`].
    pub ath: Option<String>,
}

/// Why a proof is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Too long, not three base64url parts, not JSON objects, or with a critical header extension (none is supported).
    #[error("it is not a signed JWT")]
    Malformed,
    /// It is a JWT of another kind.
    #[error("its typ is not dpop+jwt")]
    WrongType,
    /// It is signed in a way that is not supported, or not at all.
    #[error("its algorithm is not one of ES256, RS256, PS256 and EdDSA")]
    WrongAlgorithm,
    /// The key is missing, is no public key, or does not fit the algorithm.
    #[error("its jwk is not a public key for its algorithm")]
    WrongKey,
    /// The signature is not valid.
    #[error("its signature is not valid")]
    BadSignature,
    /// A claim is missing, or is not what it has to be.
    #[error("its claim {0} is missing or not valid")]
    Claim(&'static str),
}

impl ProofError {
    /// The part of the proof that is wrong, as RFC 9449 calls it.
    pub const fn part(self) -> &'static str {
        match self {
            Self::Malformed => "JWT",
            Self::WrongType => "typ",
            Self::WrongAlgorithm => "alg",
            Self::WrongKey => "jwk",
            Self::BadSignature => "signature",
            Self::Claim(name) => name,
        }
    }
}

/// Reads a proof and verifies its signature: checks 2 to 7 of RFC 9449 section 4.3. The others are about the request.
///
/// # Errors
/// [`ProofError`]
pub fn read(proof: &str) -> Result<DpopProof, ProofError> {
    let malformed = |_| ProofError::Malformed;
    let parts = Parts::split(proof).ok_or(ProofError::Malformed)?;
    let header = decode(parts.header).map_err(malformed)?;
    let header: Header<'_> = parse(&header).map_err(malformed)?;
    if header.crit {
        return Err(ProofError::Malformed);
    }
    if header.typ != TYPE {
        return Err(ProofError::WrongType);
    }
    let algorithm = ClientAlgorithm::parse(&header.alg).ok_or(ProofError::WrongAlgorithm)?;
    let jwk = header.jwk.filter(|jwk| !has_private_part(jwk)).ok_or(ProofError::WrongKey)?;
    let key = ClientKey::read(&jwk).ok_or(ProofError::WrongKey)?;
    let verifying = key.fitting(algorithm, None).ok_or(ProofError::WrongKey)?;
    let thumbprint = public_parameters(&jwk).and_then(|public| public.jkt()).ok_or(ProofError::WrongKey)?;
    let signature = decode(parts.signature).map_err(malformed)?;
    verifying.verify_sig(parts.signed.as_bytes(), &signature).map_err(|_| ProofError::BadSignature)?;
    let payload = decode(parts.payload).map_err(malformed)?;
    let claims: Map<String, Value> = parse(&payload).map_err(malformed)?;
    let optional = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(|text| Some(text.to_owned())).ok_or(ProofError::Claim(name)),
    };
    let text = |name| optional(name)?.ok_or(ProofError::Claim(name));
    let jti = text("jti")?;
    if !(1..=LONGEST_JTI).contains(&jti.len()) {
        return Err(ProofError::Claim("jti"));
    }
    Ok(DpopProof {
        key: thumbprint,
        htm: text("htm")?,
        htu: text("htu")?,
        iat: claims.get("iat").and_then(seconds).ok_or(ProofError::Claim("iat"))?,
        jti,
        nonce: optional("nonce")?,
        ath: optional("ath")?,
    })
}

/// The `ath` of an access token: its SHA-256 in base64url.
pub fn token_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()))
}

/// A time, in seconds; fractions are cut off.
#[expect(clippy::cast_possible_truncation, reason = "floats are cast to the nearest integer there is")]
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))
}

/// An absent `alg` or `typ` is empty.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow, default)]
    alg: Cow<'a, str>,
    #[serde(borrow, default)]
    typ: Cow<'a, str>,
    jwk: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}
