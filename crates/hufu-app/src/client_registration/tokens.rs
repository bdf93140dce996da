//! The tokens with which clients register: initial access tokens (RFC 7591 section 3).
//!
//! A token has the form `hfi_ID_SECRET`. The id is public; the database holds a hash of the whole token.

use std::collections::HashSet;

use async_recursion::async_recursion as boxed;
use hufu_store::rates::{self, Hit};
use hufu_store::registrations::{self, GetRegistrationToken, ListRegistrationTokens, RegistrationToken};
use hufu_store::{StoreError, Tx, Write};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{
    Action, OpaqueToken, Permission, PoolId, RegistrationTokenId, SigningAlgorithm, Timestamp, TokenPurpose,
};
use secrecy::SecretString;
use serde_json::{Value as Json, json};

use crate::administration::AdminCaller;
use crate::digest::hash_token;
use crate::events::{Event, Trace};
use crate::{App, Origin, Refusal};

/// What every token begins with.
const PREFIX: &str = "hfi_";
/// The most characters of a name.
const LONGEST_NAME: usize = 100;

/// A request for a token with which clients register.
#[derive(Clone, Debug)]
pub struct RegistrationTokenRequest {
    /// The pool that they register in.
    pub pool: PoolId,
    /// What it is for, as shown in lists. May be empty.
    pub name: String,
    /// When it expires. `None`: after [`crate::Limits::registration_token_life`].
    pub expires_at: Option<Timestamp>,
    /// How many clients that it registered there may be at a time. `None`: as many as the pool may have.
    pub clients: Option<i64>,
}

/// Somebody who may register clients in a pool.
#[derive(Debug)]
pub struct MayRegister {
    pool: PoolId,
    id: RegistrationTokenId,
}

impl MayRegister {
    pub(super) fn pool(&self) -> &PoolId {
        &self.pool
    }

    pub(super) fn id(&self) -> &RegistrationTokenId {
        &self.id
    }
}

impl App {
    /// Authenticates whoever wants to register a client.
    ///
    /// # Errors
    /// [`Code::RegistrationUnauthorized`]; [`Code::TooOften`] for a network that sends many wrong tokens.
    #[boxed]
    pub async fn may_register(&self, token: Option<&str>, origin: &Origin) -> Result<MayRegister, Refusal> {
        let Some(token) = token else { return Err(Code::RegistrationUnauthorized.into()) };
        let parts = token.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let found = match parts.and_then(|(id, _)| RegistrationTokenId::parse(id).ok()) {
            Some(id) => self.read(GetRegistrationToken(id)).await?,
            None => None,
        };
        let sent = hash_token(token);
        match found {
            Some(known) if sent.matches(&known.hash) && known.expires_at > self.now() => {
                Ok(MayRegister { pool: known.pool, id: known.id })
            }
            _ => Err(self.wrong_registration_token(origin).await?),
        }
    }

    /// Counts a registration with this token, or a change by this client.
    pub(super) async fn count_registration(&self, by: &str) -> Result<(), Refusal> {
        let (window, now) = (self.limits.registration_token_window, self.now());
        let hit = Hit { name: format!("registered:{by}"), amount: 1, window, now };
        if self.write(hit).await? > self.limits.registrations_per_token {
            let wait = rates::wait(window, now);
            return Err(Code::TooOften
                .retry_after(wait)
                .because("registrations with this token, or changes of this client"));
        }
        Ok(())
    }

    /// Makes a token with which clients register. Its text is only returned here. The key that signs for clients which ask
    /// for nothing else is there from now on, so that it is published before the first of them registers.
    ///
    /// # Errors
    /// [`Code::Invalid`], [`Code::PoolUnknown`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn create_registration_token(
        &self,
        by: &AdminCaller,
        request: RegistrationTokenRequest,
    ) -> Result<(RegistrationToken, SecretString), Refusal> {
        let RegistrationTokenRequest { pool, name, expires_at, clients } = request;
        self.permit_clients(by, &pool).await?;
        let name = name.trim().to_owned();
        if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(Refusal::invalid("name", Reason::NotALine { max: LONGEST_NAME }));
        }
        let (now, latest) = (self.now(), self.now().plus(self.limits.key_life_max));
        let expires_at =
            expires_at.unwrap_or_else(|| now.plus(self.limits.registration_token_life).min(latest));
        if expires_at <= now {
            return Err(Refusal::invalid("expiresAt", Reason::InThePast));
        }
        if expires_at > latest {
            return Err(Refusal::invalid("expiresAt", Reason::TooFarAhead { latest: latest.to_iso() }));
        }
        if clients.is_some_and(|clients| clients < 1) {
            return Err(Refusal::invalid("clients", Reason::OutOfRange { min: 1, max: u32::MAX }));
        }
        let algorithms = HashSet::from([SigningAlgorithm::Rs256]);
        self.make_missing_keys(algorithms).await.map_err(Refusal::internal)?;
        let id = RegistrationTokenId::generate(now, &*self.random);
        let secret = OpaqueToken::generate(TokenPurpose::Registration, &*self.random);
        let text = format!("{PREFIX}{id}_{}", secret.expose().trim_start_matches(PREFIX));
        let hash = hash_token(&text).as_bytes().to_vec();
        let token = RegistrationToken { pool, id, hash, name, clients, created_at: now, expires_at };
        let details = json!({
            "token": token.id.as_str(),
            "after": { "name": token.name, "clients": token.clients, "expiresAt": token.expires_at.to_iso() },
        });
        let trace = self.trace_by(&token.pool, by);
        self.write(IssueToken { token: token.clone(), details, trace }).await?;
        Ok((token, SecretString::from(text)))
    }

    /// The tokens of a pool, the oldest first, each with the number of clients that registered with it and are still there.
    ///
    /// # Errors
    /// [`Code::PoolUnknown`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn registration_tokens(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
    ) -> Result<Vec<(RegistrationToken, i64)>, Refusal> {
        self.permit_clients(by, pool).await?;
        self.read(ListRegistrationTokens(pool.clone())).await
    }

    /// Revokes a token. The clients that it registered stay. Returns whether it was there.
    ///
    /// # Errors
    /// [`Code::PoolUnknown`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn revoke_registration_token(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: &RegistrationTokenId,
    ) -> Result<bool, Refusal> {
        self.permit_clients(by, pool).await?;
        self.write(RevokeToken { pool: pool.clone(), id: id.clone(), trace: self.trace_by(pool, by) }).await
    }

    /// Nobody registers as an application of the administrators.
    async fn permit_clients(&self, by: &AdminCaller, pool: &PoolId) -> Result<(), Refusal> {
        if *pool == PoolId::system() {
            return Err(Code::PoolUnknown.into());
        }
        self.permit(by, Permission::ManageKeys, pool).await
    }
}

struct IssueToken {
    token: RegistrationToken,
    details: Json,
    trace: Trace,
}

impl Write for IssueToken {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        registrations::insert_token(tx, &self.token).await?;
        record(tx, &self.trace, &self.token.pool, Action::RegistrationTokenCreated, self.details.clone())
            .await
    }
}

struct RevokeToken {
    pool: PoolId,
    id: RegistrationTokenId,
    trace: Trace,
}

impl Write for RevokeToken {
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        if !registrations::delete_token(tx, &self.pool, &self.id).await? {
            return Ok(false);
        }
        let details = json!({ "token": self.id.as_str() });
        record(tx, &self.trace, &self.pool, Action::RegistrationTokenRevoked, details).await?;
        Ok(true)
    }
}

async fn record(
    tx: &mut Tx<'_>,
    trace: &Trace,
    pool: &PoolId,
    action: Action,
    details: Json,
) -> Result<(), StoreError> {
    trace.recorder().record(tx, pool, Event { action, code: 0, user: None, details }).await
}
