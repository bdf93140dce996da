//! A new client secret, made for an application on the operator's demand.

use hufu_store::{Read, Store, StoreError, Tx, config};
use hufu_types::{ApplicationId, ClientSecret, Clock, OpaqueToken, PoolId, Random, TokenPurpose};

use super::applications::AddClientSecret;
use super::change::{Change, Outcome, Rejection};
use crate::digest::hash_token;
use crate::events::Trace;

/// Why an application did not get a new secret. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The application cannot have one, or does not exist.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The database returned an error.
    #[error("the secret could not be stored")]
    Store(#[from] StoreError),
}

/// Makes a new client secret from the command line and returns it; only its hash is stored. The one before stays valid,
/// the one before that does not.
///
/// # Errors [`RotateError`], in which case nothing was written.
pub async fn rotate_secret(
    store: &Store,
    clock: &dyn Clock,
    random: &dyn Random,
    application: &ApplicationId,
) -> Result<OpaqueToken, RotateError> {
    let pool = store.read(PoolOf(application.clone())).await?.ok_or(Rejection::NoApplication)?;
    let now = clock.now();
    let secret = OpaqueToken::generate(TokenPurpose::ClientSecret, random);
    let stored = ClientSecret { hash: hash_token(secret.expose()), created_at: now, created_by: None };
    let operation =
        AddClientSecret { pool, application: application.clone(), secret: stored, expected: None };
    match store.write(Change { operation, trace: Trace::of_command(now, random) }).await? {
        Outcome::Done { .. } => Ok(secret),
        Outcome::Rejected(rejection) => Err(rejection.into()),
        Outcome::Conflict { .. } => Err(StoreError::LostRace.into()),
    }
}

struct PoolOf(ApplicationId);

impl Read for PoolOf {
    type Out = Option<PoolId>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        config::pool_of_application(tx, &self.0).await
    }
}
