//! Signing keys. They are generated or parsed once and kept in memory, with the headers of their tokens
//! already encoded.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_types::SigningAlgorithm;
use serde::Serialize;

use crate::{SecretBytes, TokenType, VerifyingKey};

/// Why a key could not be generated or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Key generation failed in the library.
    #[error("could not generate a key for {}", .0.as_str())]
    Generate(SigningAlgorithm),
    /// The document is not PKCS#8, or its key is of a different type, damaged, or too weak.
    #[error("the document is not a PKCS#8 key for {}", .0.as_str())]
    Rejected(SigningAlgorithm),
}

/// Why claims could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The claims cannot be written as JSON.
    #[error("the claims cannot be written as JSON")]
    Claims(#[source] serde_json::Error),
    /// The library failed to sign.
    #[error("signing failed")]
    Signature,
}

/// A private key as an unencrypted DER-encoded PKCS#8 document (RFC 5958), to be encrypted before it is
/// stored.
#[derive(Debug)]
pub struct Pkcs8(SecretBytes);

impl Pkcs8 {
    /// The DER bytes.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

/// A private key that signs tokens. Clones share one parsed key.
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

struct Inner {
    pair: Pair,
    public: VerifyingKey,
    /// The encoded header with its trailing dot for each type, in the order of [`TokenType::ALL`].
    headers: [String; TokenType::ALL.len()],
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// The protected header (RFC 7515 4.1). It has exactly these members.
#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

impl SigningKey {
    /// Generates a key, and the document from which [`Self::from_pkcs8`] restores it. RSA keys have 2048 bits
    /// and take at least a tenth of a second.
    pub fn generate(algorithm: SigningAlgorithm) -> Result<(Self, Pkcs8), KeyError> {
        let (pair, document) = Pair::generate(algorithm).map_err(|_| KeyError::Generate(algorithm))?;
        let key = Self::assemble(algorithm, pair).ok_or(KeyError::Generate(algorithm))?;
        Ok((key, Pkcs8(SecretBytes::new(document))))
    }

    /// Parses a key from an unencrypted DER-encoded PKCS#8 document.
    pub fn from_pkcs8(algorithm: SigningAlgorithm, der: &[u8]) -> Result<Self, KeyError> {
        Pair::read(algorithm, der)
            .ok()
            .and_then(|pair| Self::assemble(algorithm, pair))
            .ok_or(KeyError::Rejected(algorithm))
    }

    fn assemble(algorithm: SigningAlgorithm, pair: Pair) -> Option<Self> {
        let public = VerifyingKey::new(algorithm, pair.public_key())?;
        let headers = TokenType::ALL.map(|typ| header(&public, typ));
        Some(Self(Arc::new(Inner { pair, public, headers })))
    }

    /// The `kid`: the first 32 hexadecimal digits of the key's thumbprint (RFC 7638).
    pub fn key_id(&self) -> &str {
        self.0.public.key_id()
    }

    /// The algorithm that this key signs with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.0.public.algorithm()
    }

    /// The public half, for key sets.
    pub fn public(&self) -> VerifyingKey {
        self.0.public.clone()
    }

    /// Signs claims as a compact JWS (RFC 7515 3.1). The header contains only `alg`, `typ` and `kid`.
    pub fn sign<C: Serialize>(&self, typ: TokenType, claims: &C) -> Result<String, SignError> {
        let payload = serde_json::to_vec(claims).map_err(SignError::Claims)?;
        let header = self.header(typ);
        let mut token = String::with_capacity(
            header.len() + encoded(payload.len()) + 1 + encoded(self.0.pair.signature_length()),
        );
        token.push_str(header);
        URL_SAFE_NO_PAD.encode_string(&payload, &mut token);
        self.0.pair.append_signature(&mut token).map_err(|_| SignError::Signature)?;
        Ok(token)
    }

    fn header(&self, typ: TokenType) -> &str {
        let [access_token, id_token, user_token, logout_token, userinfo, introspection, management] =
            &self.0.headers;
        match typ {
            TokenType::AccessToken => access_token,
            TokenType::IdToken => id_token,
            TokenType::UserToken => user_token,
            TokenType::LogoutToken => logout_token,
            TokenType::Userinfo => userinfo,
            TokenType::Introspection => introspection,
            TokenType::ManagementToken => management,
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {}, redacted)", self.algorithm().as_str(), self.key_id())
    }
}

impl Pair {
    fn generate(algorithm: SigningAlgorithm) -> Result<(Self, Vec<u8>), Unspecified> {
        Ok(match algorithm {
            SigningAlgorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
                let document = pair.to_pkcs8v1()?.as_ref().to_vec();
                (Self::Ecdsa(pair), document)
            }
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
                let document = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair)?.as_ref().to_vec();
                (Self::Rsa(pair), document)
            }
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate()?;
                // Version 1, because all other tools can read it.
                let document = pair.to_pkcs8v1()?.as_ref().to_vec();
                (Self::Ed25519(pair), document)
            }
        })
    }

    fn read(algorithm: SigningAlgorithm, der: &[u8]) -> Result<Self, KeyRejected> {
        Ok(match algorithm {
            SigningAlgorithm::Es256 => {
                Self::Ecdsa(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)?)
            }
            SigningAlgorithm::Rs256 => Self::Rsa(RsaKeyPair::from_pkcs8(der)?),
            SigningAlgorithm::EdDsa => Self::Ed25519(Ed25519KeyPair::from_pkcs8(der)?),
        })
    }

    fn public_key(&self) -> &[u8] {
        match self {
            Self::Ecdsa(pair) => pair.public_key().as_ref(),
            Self::Rsa(pair) => pair.public_key().as_ref(),
            Self::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    fn signature_length(&self) -> usize {
        match self {
            Self::Ecdsa(_) | Self::Ed25519(_) => 64,
            Self::Rsa(pair) => pair.public_modulus_len(),
        }
    }

    /// Signs the token built so far, and appends a dot and the signature.
    fn append_signature(&self, token: &mut String) -> Result<(), Unspecified> {
        match self {
            Self::Ecdsa(pair) => append(token, pair.sign(&SystemRandom::new(), token.as_bytes())?.as_ref()),
            Self::Ed25519(pair) => append(token, pair.try_sign(token.as_bytes())?.as_ref()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)?;
                append(token, &signature);
            }
        }
        Ok(())
    }
}

fn append(token: &mut String, signature: &[u8]) {
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, token);
}

fn header(public: &VerifyingKey, typ: TokenType) -> String {
    let header = Header { alg: public.algorithm().as_str(), typ: typ.as_str(), kid: public.key_id() };
    // Serializing a struct of three strings cannot fail.
    let json = serde_json::to_vec(&header).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(json) + "."
}

/// The length of `length` bytes in base64url without padding.
const fn encoded(length: usize) -> usize {
    length.div_ceil(3) * 4
}
