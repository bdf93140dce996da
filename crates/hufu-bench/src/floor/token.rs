//! One ES256 token per login, like the server's user token.

use anyhow::Result;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::world::World;

/// The lifetime of a user token in seconds: 14 days.
const TOKEN_SECONDS: i64 = 14 * 86_400;

/// A parsed key, with the header that every token starts with.
pub(super) struct Signer {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    header: String,
    issuer: String,
    application: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    sid: &'a str,
    iat: i64,
    exp: i64,
    auth_time: i64,
}

impl Signer {
    pub(super) fn new(issuer: &str, world: &World) -> Result<Signer> {
        let header = r#"{"alg":"ES256","typ":"hufu-user+jwt","kid":"0123456789abcdef0123456789abcdef"}"#;
        Ok(Signer {
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
            random: SystemRandom::new(),
            header: URL_SAFE_NO_PAD.encode(header) + ".",
            issuer: issuer.to_owned(),
            application: world.application.clone(),
        })
    }

    pub(super) fn sign(&self, user: &str, session: &str, now: i64) -> Result<String> {
        let claims = Claims {
            iss: &self.issuer,
            sub: user,
            aud: &self.application,
            sid: session,
            iat: now,
            exp: now + TOKEN_SECONDS,
            auth_time: now,
        };
        let mut token = String::with_capacity(512);
        token.push_str(&self.header);
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&claims)?, &mut token);
        let signature = self.pair.sign(&self.random, token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Ok(token)
    }
}
