//! Keys, claims and hand-made tokens for tests.

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_protocol::{
    Expectation, KeySet, Pkcs8, SigningKey, TokenError, TokenType, UserTokenClaims, Verified, verify,
};
use hufu_types::{ApplicationId, SessionId, SigningAlgorithm, Timestamp, UserId};
use serde_json::Value;

pub(crate) const ISSUER: &str = "https://id.example.com/shop";
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A key with the document it was made from, so that tests can sign anything with it.
pub(crate) struct Owned {
    pub(crate) key: SigningKey,
    pub(crate) pkcs8: Pkcs8,
}

/// One key per algorithm, generated only once because RSA keys are slow.
static KEYS: LazyLock<Vec<Owned>> = LazyLock::new(|| {
    SigningAlgorithm::ALL
        .iter()
        .map(|algorithm| SigningKey::generate(*algorithm).unwrap())
        .map(|(key, pkcs8)| Owned { key, pkcs8 })
        .collect()
});

pub(crate) fn keys() -> &'static [Owned] {
    &KEYS
}

pub(crate) fn owned(algorithm: SigningAlgorithm) -> &'static Owned {
    KEYS.iter().find(|owned| owned.key.algorithm() == algorithm).unwrap()
}

pub(crate) fn key(algorithm: SigningAlgorithm) -> &'static SigningKey {
    &owned(algorithm).key
}

pub(crate) fn key_set() -> KeySet {
    KEYS.iter().map(|owned| owned.key.public()).collect()
}

impl Owned {
    /// Signs this header and this payload without changing them.
    pub(crate) fn sign_raw(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.sign_bytes(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn sign_bytes(&self, message: &[u8]) -> Vec<u8> {
        let (der, random) = (self.pkcs8.expose(), SystemRandom::new());
        match self.key.algorithm() {
            SigningAlgorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                .unwrap()
                .sign(&random, message)
                .unwrap()
                .as_ref()
                .to_vec(),
            SigningAlgorithm::EdDsa => {
                Ed25519KeyPair::from_pkcs8(der).unwrap().sign(message).as_ref().to_vec()
            }
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(der).unwrap();
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }
}

pub(crate) fn user_claims() -> UserTokenClaims<'static> {
    UserTokenClaims {
        iss: ISSUER.into(),
        sub: UserId::parse("user").unwrap(),
        aud: ApplicationId::parse("app").unwrap(),
        sid: SessionId::parse("session").unwrap(),
        iat: NOW.seconds(),
        exp: NOW.seconds() + 60,
        auth_time: Some(NOW.seconds() - 5),
    }
}

pub(crate) fn user_token(algorithm: SigningAlgorithm) -> String {
    key(algorithm).sign(TokenType::UserToken, &user_claims()).unwrap()
}

pub(crate) fn expect(types: &[TokenType]) -> Expectation<'_> {
    Expectation { types, issuer: ISSUER, now: NOW, leeway: Duration::ZERO }
}

/// Verifies a token of any type with any claims.
pub(crate) fn read(token: &str) -> Result<Verified<Value>, TokenError> {
    verify(token, &key_set(), &expect(&TokenType::ALL))
}

pub(crate) fn refusal(token: &str) -> TokenError {
    read(token).expect_err("the token is refused")
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
