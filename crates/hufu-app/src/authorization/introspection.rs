//! What a client may learn of a token: introspection (RFC 7662) and userinfo (OpenID Connect Core 5.3).

use async_recursion::async_recursion as boxed;
use hufu_protocol::{Audience, ClientTokenClaims, Expectation, TokenType, verify};
use hufu_store::refresh_tokens::{self, RefreshToken};
use hufu_store::users::GetUser;
use hufu_store::{Read, StoreError, Tx};
use hufu_types::refusal::Code;
use hufu_types::{Application, ApplicationId, PoolId, Thumbprint, TokenHash};
use serde_json::{Map, Value, json};

use super::dpop::token_type;
use crate::digest::hash_token;
use crate::tokens::{claims_asked, claims_of};
use crate::{App, Authenticated, Refusal};

impl App {
    /// Tells a client about a token of its own, and an API about one that is for it (RFC 7662). All others are inactive to
    /// them, whatever is the matter with them.
    ///
    /// # Errors
    /// Database errors.
    #[boxed]
    pub async fn introspect(&self, application: &Application, token: &str) -> Result<Value, Refusal> {
        let inactive = || Ok(json!({ "active": false }));
        if let Ok(bearer) = self.bearer_claims(token) {
            let Some(audience) = self.audience_for(application, &bearer.application, &bearer.resources)
            else {
                return inactive();
            };
            let Ok(session) = self.living_session(&application.pool, &bearer.session).await else {
                return inactive();
            };
            let scope = bearer.scope.as_ref().map(ToString::to_string);
            let key = bearer.key.as_ref();
            let told = json!({
                "active": true, "iss": self.issuer, "sub": bearer.user, "aud": audience,
                "client_id": bearer.application, "token_type": token_type(key), "scope": scope,
                "iat": bearer.issued_at, "exp": bearer.expires_at,
            });
            // The session is between the client and Hufu.
            let own = (bearer.application == application.id)
                .then(|| json!({ "sid": bearer.session, "auth_time": session.auth_time().seconds() }));
            return Ok(with(with_key(told, key), own));
        }
        if let Some(claims) = self.client_claims(token) {
            let resources = claims.aud.resources(&claims.client_id);
            let Some(audience) = self.audience_for(application, &claims.client_id, &resources) else {
                return inactive();
            };
            let key = claims.cnf.as_ref().map(|confirmation| &confirmation.jkt);
            let told = json!({
                "active": true, "iss": self.issuer, "sub": claims.sub, "aud": audience,
                "client_id": claims.client_id, "token_type": token_type(key), "iat": claims.iat,
                "exp": claims.exp, "jti": claims.jti,
            });
            let scope = (!claims.scope.is_empty()).then(|| json!({ "scope": claims.scope }));
            return Ok(with(with_key(told, key), scope));
        }
        let find = FindRefreshToken { pool: application.pool.clone(), hash: hash_token(token) };
        let found = self.read(find).await?.filter(|token| token.application == application.id);
        let Some(refresh) = found.filter(|token| token.used_at.is_none() && token.expires_at > self.now())
        else {
            return inactive();
        };
        let Ok(session) = self.living_session(&application.pool, &refresh.session).await else {
            return inactive();
        };
        Ok(json!({
            "active": true, "iss": self.issuer, "sub": self.subject(application, &session.user), "client_id": application.id,
            "sid": refresh.session, "scope": refresh.scope.to_string(), "exp": refresh.expires_at.seconds(),
            "auth_time": session.auth_time().seconds(),
        }))
    }

    /// Whom a token is for, as far as an application may know: its own tokens it knows whole, and of others what is for
    /// itself. `None` if that is nothing.
    fn audience_for(
        &self,
        application: &Application,
        issued_to: &ApplicationId,
        resources: &[String],
    ) -> Option<Value> {
        if *issued_to == application.id {
            return Some(json!(Audience::of(resources, issued_to)));
        }
        let own = resources.iter().filter(|resource| application.client.resources.contains(resource));
        let own: Vec<String> = own.cloned().collect();
        // Resources are of one application in the instance, and so of one pool. This does not depend on it.
        let config = self.config();
        let issued_to =
            config.application(issued_to.as_str()).filter(|client| client.pool == application.pool)?;
        (!own.is_empty()).then(|| json!(Audience::of(&own, &issued_to.id)))
    }

    /// The claims of a token that a client got for itself.
    pub(crate) fn client_claims(&self, token: &str) -> Option<ClientTokenClaims<'static>> {
        let expectation = Expectation {
            types: &[TokenType::AccessToken],
            issuer: &self.issuer,
            now: self.now(),
            leeway: self.limits.clock_leeway,
        };
        let keys = self.keys.load();
        let verified = verify::<ClientTokenClaims<'static>>(token, keys.published(), &expectation).ok()?;
        // Of every other access token the subject is a person.
        Some(verified.claims).filter(|claims| claims.sub == claims.client_id)
    }

    /// The claims about the user of an access token: those of its scope, and those that were requested one by one.
    /// A JWT if the application wants one.
    ///
    /// # Errors
    /// [`Code::NotLoggedIn`] if the account is gone.
    pub async fn userinfo(&self, who: &Authenticated) -> Result<Userinfo, Refusal> {
        let unit = GetUser { pool: who.pool().clone(), user: who.user.clone() };
        let user = self.read(unit).await?.ok_or(Code::NotLoggedIn)?;
        let session = self.living_session(who.pool(), &who.session).await?;
        let settings = self.config().settings(who.pool());
        let mut claims = claims_of(&user, &who.scope.clone().unwrap_or_default(), &settings);
        if let Some(asked) = session.claims.get("userinfo").and_then(Value::as_object) {
            claims.extend(claims_asked(&user, asked, &settings));
        }
        claims.insert("sub".to_owned(), who.subject.as_str().into());
        let Some(algorithm) = who.application.client.userinfo_signed_response_alg else {
            return Ok(Userinfo::Claims(claims));
        };
        let now = self.now();
        claims.insert("iss".to_owned(), self.issuer.as_str().into());
        claims.insert("aud".to_owned(), who.application.id.as_str().into());
        claims.insert("iat".to_owned(), now.seconds().into());
        let signed = self.key_of(algorithm, now)?.sign(TokenType::Userinfo, &claims);
        Ok(Userinfo::Signed(signed.map_err(Refusal::internal)?))
    }

    /// Signs what a client is told about a token (RFC 9701 section 5), with the algorithm of its tokens.
    ///
    /// # Errors
    /// [`Code::Internal`]
    pub fn sign_introspection(&self, application: &Application, told: &Value) -> Result<String, Refusal> {
        let now = self.now();
        let claims = json!({
            "iss": self.issuer, "aud": application.id, "iat": now.seconds(), "token_introspection": told,
        });
        let signed = self.signing_key(application, now)?.sign(TokenType::Introspection, &claims);
        signed.map_err(Refusal::internal)
    }
}

/// The claims about the user of an access token.
#[derive(Clone, Debug)]
pub enum Userinfo {
    /// Themselves.
    Claims(Map<String, Value>),
    /// In a JWT (OpenID Connect Core 5.3.2).
    Signed(String),
}

/// What is told of a token, with the key that it is bound to (RFC 9449 section 6.2).
fn with_key(told: Value, key: Option<&Thumbprint>) -> Value {
    with(told, key.map(|jkt| json!({ "cnf": { "jkt": jkt } })))
}

/// An answer with more members, if there are some.
fn with(mut told: Value, more: Option<Value>) -> Value {
    if let (Some(told), Some(Value::Object(more))) = (told.as_object_mut(), more) {
        told.extend(more);
    }
    told
}

/// Reads a refresh token.
struct FindRefreshToken {
    pool: PoolId,
    hash: TokenHash,
}

impl Read for FindRefreshToken {
    type Out = Option<RefreshToken>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<RefreshToken>, StoreError> {
        refresh_tokens::get(tx, &self.pool, &self.hash).await
    }
}
