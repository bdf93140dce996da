//! Who calls with a published management client: by a signature of the request, or by a token.

use std::borrow::Cow;

use async_recursion::async_recursion as boxed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hufu_protocol::{
    Expectation, ManagementTokenClaims, SecretBytes, TokenType, declared_type, is_signature_of, verify,
};
use hufu_store::management_keys::{ListManagementKeys, StoredManagementKey, UseSignature};
use hufu_types::refusal::Code;
use hufu_types::{ActorKind, PoolId, PoolRole, PoolState, SigningAlgorithm, Timestamp};
use subtle::ConstantTimeEq as _;

use super::AdminCaller;
use super::management_keys::sealed_for;
use crate::digest::hash_token;
use crate::events::Actor;
use crate::{App, Origin, Refusal};

/// What a management client presents.
#[derive(Clone, Copy, Debug)]
pub enum PresentedManagement<'a> {
    /// Nothing.
    Nothing,
    /// A signature of the request.
    Signature(SignedRequest<'a>),
    /// A token.
    Token(&'a str),
}

/// A signed request.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The id of the key: that of the pool.
    pub key: &'a str,
    /// The signature in base64.
    pub signature: &'a str,
    /// The text that was signed, in each way in which the request can have been written down.
    pub texts: &'a [String],
    /// When it was signed. It is part of the text.
    pub date: Option<Timestamp>,
    /// Whether the text has a nonce.
    pub has_nonce: bool,
    /// Whether the request changes nothing.
    pub reads_only: bool,
}

impl std::fmt::Debug for SignedRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedRequest").field("key", &self.key).finish_non_exhaustive()
    }
}

/// A token of a management client. `Debug` does not show it.
#[derive(Clone)]
pub struct ManagementToken {
    /// The token.
    pub token: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for ManagementToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManagementToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Why a caller is refused, for the audit log.
const UNKNOWN: &str = "unknown";
const WRONG_SIGNATURE: &str = "wrong signature";
const STALE: &str = "stale signature";
const USED: &str = "used signature";
const WRONG_SECRET: &str = "wrong secret";
const TOKEN_INVALID: &str = "token invalid or its key ended";

impl App {
    /// Whether this is meant to be a token of a management client.
    pub fn is_management_token(token: &str) -> bool {
        declared_type(token) == Some(TokenType::ManagementToken)
    }

    /// Who calls with a management client, and their pool.
    ///
    /// # Errors
    /// [`Code::ManagementKeyInvalid`]; [`Code::SignatureStale`] and [`Code::SignatureUsed`] for a valid signature;
    /// [`Code::TooOften`] for an address that often sends what is not valid.
    #[boxed]
    pub async fn authenticate_management<'a>(
        &'a self,
        presented: PresentedManagement<'a>,
        origin: Origin,
    ) -> Result<(AdminCaller, PoolId), Refusal> {
        let (key, pool) = match presented {
            PresentedManagement::Nothing => return Err(Code::ManagementKeyInvalid.into()),
            PresentedManagement::Signature(signed) => self.check_signature(signed, &origin).await?,
            PresentedManagement::Token(token) => self.check_management_token(token, &origin).await?,
        };
        let by = AdminCaller {
            actor: actor(Some(&key)),
            roles: vec![PoolRole { pool: Some(pool.clone()), role: key.role }],
            permissions: None,
            key: None,
            user: None,
            logged_in_at: None,
            responsible: key.created_by,
            origin,
        };
        Ok((by, pool))
    }

    /// A token for a management key, presented by the id of its pool and its secret.
    ///
    /// # Errors
    /// [`Code::ManagementKeyInvalid`], [`Code::TooOften`], [`Code::PoolRemoved`].
    #[boxed]
    pub async fn management_token(
        &self,
        key: &str,
        secret: &str,
        origin: &Origin,
    ) -> Result<ManagementToken, Refusal> {
        let Some(pool) = self.named_pool(key) else { return self.no_key(None, UNKNOWN, origin).await };
        let mut found = None;
        for (key, own) in self.open_keys(&pool).await? {
            if own.expose().ct_eq(secret.as_bytes()).into() {
                found = Some(key);
            }
        }
        let Some(key) = found else { return self.no_key(Some(&pool), WRONG_SECRET, origin).await };
        // It would open nothing.
        if matches!(self.config().state(&pool), PoolState::Removed(_)) {
            return Err(Code::PoolRemoved.into());
        }
        let now = self.now();
        let ends = now.plus(self.limits.management_token).min(key.expires_at);
        let expires_at = Timestamp(ends.seconds().saturating_mul(1000));
        let claims = ManagementTokenClaims {
            iss: Cow::Borrowed(&self.issuer),
            sub: key.id,
            scoped_userpool_id: pool,
            iat: now.seconds(),
            exp: expires_at.seconds(),
        };
        let signing = self.key_of(SigningAlgorithm::Es256, now)?;
        let token = signing.sign(TokenType::ManagementToken, &claims).map_err(Refusal::internal)?;
        Ok(ManagementToken { token, issued_at: now, expires_at })
    }

    async fn check_signature(
        &self,
        signed: SignedRequest<'_>,
        origin: &Origin,
    ) -> Result<(StoredManagementKey, PoolId), Refusal> {
        let Some(pool) = self.named_pool(signed.key) else {
            return self.no_key(None, UNKNOWN, origin).await;
        };
        let signature = STANDARD.decode(signed.signature).unwrap_or_default();
        let mut found = None;
        for (key, secret) in self.open_keys(&pool).await? {
            let is_of = |text: &String| is_signature_of(secret.expose(), text.as_bytes(), &signature);
            if signed.texts.iter().any(is_of) {
                found = Some(key);
            }
        }
        let Some(key) = found else { return self.no_key(Some(&pool), WRONG_SIGNATURE, origin).await };
        let refuse = |code, reason| self.refuse_credential(&pool, actor(Some(&key)), code, reason, origin);
        // Without both of them the same request could not be told from one that is brought again.
        let Some(date) = signed.date.filter(|_| signed.has_nonce) else {
            return Err(refuse(Code::ManagementKeyInvalid, WRONG_SIGNATURE).await?);
        };
        let (now, most) = (self.now(), self.limits.management_signature_age);
        if date.plus(most) < now || now.plus(most) < date {
            let refusal = refuse(Code::SignatureStale, STALE).await?;
            let is_stale = refusal.is(Code::SignatureStale);
            return Err(if is_stale {
                Code::SignatureStale.with("most", most.as_secs().to_string())
            } else {
                refusal
            });
        }
        // It may have been made ahead of its time by as much, and `date` counts whole seconds.
        let life = most * 2 + self.limits.clock_leeway;
        let text = format!("management {pool} {}", hex::encode(&signature));
        let mut is_new = self.seen_signatures.see_text(&text, now, life);
        if is_new && !signed.reads_only {
            let unit =
                UseSignature { pool: pool.clone(), hash: hash_token(&text), expires_at: now.plus(life) };
            is_new = self.write(unit).await?;
        }
        if !is_new {
            return Err(refuse(Code::SignatureUsed, USED).await?);
        }
        Ok((key, pool))
    }

    async fn check_management_token(
        &self,
        token: &str,
        origin: &Origin,
    ) -> Result<(StoredManagementKey, PoolId), Refusal> {
        let expect = Expectation {
            types: &[TokenType::ManagementToken],
            issuer: &self.issuer,
            now: self.now(),
            leeway: self.limits.clock_leeway,
        };
        let verified = verify::<ManagementTokenClaims<'static>>(token, self.keys.load().published(), &expect);
        let Ok(verified) = verified else { return self.no_key(None, TOKEN_INVALID, origin).await };
        let ManagementTokenClaims { sub, scoped_userpool_id: pool, .. } = verified.claims;
        let keys = self.read(ListManagementKeys { pool: pool.clone(), now: self.now() }).await?;
        let key = keys.into_iter().find(|key| key.id == sub).filter(|_| self.config().has_pool(&pool));
        match key {
            Some(key) => Ok((key, pool)),
            None => self.no_key(Some(&pool), TOKEN_INVALID, origin).await,
        }
    }

    /// The pool that a client names, if its clients can have a key.
    fn named_pool(&self, id: &str) -> Option<PoolId> {
        PoolId::parse(id).ok().filter(|pool| *pool != PoolId::system() && self.config().has_pool(pool))
    }

    /// The valid keys of a pool with their secrets.
    async fn open_keys(&self, pool: &PoolId) -> Result<Vec<(StoredManagementKey, SecretBytes)>, Refusal> {
        let keys = self.read(ListManagementKeys { pool: pool.clone(), now: self.now() }).await?;
        let open = |key: StoredManagementKey| {
            let secret = self.sealing.open(&sealed_for(pool, &key.id), &key.secret);
            secret.map(|secret| (key, secret)).map_err(Refusal::internal)
        };
        keys.into_iter().map(open).collect()
    }

    async fn no_key<T>(&self, pool: Option<&PoolId>, reason: &str, origin: &Origin) -> Result<T, Refusal> {
        let (system, code) = (PoolId::system(), Code::ManagementKeyInvalid);
        let pool = pool.filter(|pool| self.config().has_pool(pool)).unwrap_or(&system);
        Err(self.refuse_credential(pool, actor(None), code, reason, origin).await?)
    }
}

fn actor(key: Option<&StoredManagementKey>) -> Actor {
    Actor { kind: ActorKind::ManagementKey, id: key.map(|key| key.id.as_str().to_owned()) }
}
