//! Client assertions: JWTs that clients sign in place of sending a secret (RFC 7523 sections 2.2 and 3, OpenID Connect
//! Core section 9).

use hufu_store::used_jtis::UseJti;
use hufu_types::refusal::Code;
use hufu_types::{Application, Timestamp};

use super::client_keys::Registered;
use super::request_object::REQUEST_OBJECT_TYPE;
use crate::digest::hash_token;
use crate::{App, Refusal};

/// The most bytes of the id of an assertion.
const LONGEST_JTI: usize = 256;

impl App {
    /// Checks that an assertion proves that the client sent it, now and for the first time.
    ///
    /// # Errors
    /// [`Code::ClientUnauthorized`], whatever is wrong.
    pub(super) async fn check_assertion(
        &self,
        application: &Application,
        assertion: &str,
    ) -> Result<(), Refusal> {
        let signed = self.verify_signed(application, assertion).await;
        let signed = signed.map_err(|why| Code::ClientUnauthorized.because(why))?;
        if signed.typ.eq_ignore_ascii_case(REQUEST_OBJECT_TYPE) {
            return Err(Code::ClientUnauthorized.because("a request object is no assertion"));
        }
        if application.client.token_auth_signing_alg.is_some_and(|only| only != signed.algorithm) {
            return Err(Code::ClientUnauthorized.because("the client registered another algorithm"));
        }
        let claims = Registered(&signed.claims);
        let (jti, expires_at) = self
            .read_assertion(application, &claims)
            .map_err(|why| Code::ClientUnauthorized.because(format!("the assertion is refused: {why}")))?;
        // Another node's clock may be behind by as much again.
        let expires_at = expires_at.plus(self.limits.clock_leeway * 2);
        let unit = UseJti {
            pool: application.pool.clone(),
            application: application.id.clone(),
            hash: hash_token(jti),
            expires_at,
        };
        if self.write(unit).await? {
            return Ok(());
        }
        tracing::warn!(application = %application.id, "a client assertion was used twice");
        Err(Code::ClientUnauthorized.because("the assertion was used before"))
    }

    /// The id of an assertion, and when it expires.
    fn read_assertion<'a>(
        &self,
        application: &Application,
        claims: &Registered<'a>,
    ) -> Result<(&'a str, Timestamp), &'static str> {
        let id = Some(application.id.as_str());
        if claims.text("iss") != id || claims.text("sub") != id {
            return Err("iss and sub are not the client");
        }
        // RFC 9126 section 2 asks for the third.
        let [token, pushed] =
            ["/oidc/token", "/oidc/request"].map(|path| format!("{}{path}", self.public_url));
        if !claims.is_only_for(&[&self.issuer, &token, &pushed]) {
            return Err("aud is not the issuer or the token endpoint alone");
        }
        let now = self.now();
        let expires_at = claims.check_times(now, &self.limits)?.ok_or("exp is missing")?;
        let latest = now.plus(self.limits.client_assertion_life).plus(self.limits.clock_leeway);
        if expires_at > latest {
            return Err("exp is too far ahead");
        }
        let jti = claims.text("jti").filter(|jti| (1..=LONGEST_JTI).contains(&jti.len()));
        Ok((jti.ok_or("jti is missing or too long")?, expires_at))
    }
}
