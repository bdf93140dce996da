//! Authorization requests that clients sent ahead (RFC 9126), under the hashes of their references.

use hufu_types::{ApplicationId, PoolId, Timestamp, TokenHash};

use crate::{StoreError, Tx, Write, statements};

statements! {
    INSERT = "
        INSERT INTO pushed_requests (pool_id, hash, application_id, parameters, expires_at)
        VALUES ($1, $2, $3, $4, $5)";
    TAKE = "
        DELETE FROM pushed_requests
        WHERE pool_id = $1 AND hash = $2 AND application_id = $3 AND expires_at > $4
        RETURNING parameters";
    SWEEP = "DELETE FROM pushed_requests WHERE expires_at < $1";
}

/// Stores a request. `Debug` does not show it.
#[derive(Clone)]
pub struct Push {
    /// The pool.
    pub pool: PoolId,
    /// The client that sent it.
    pub application: ApplicationId,
    /// The hash of its reference.
    pub hash: TokenHash,
    /// Names and values of its parameters.
    pub parameters: Vec<(String, String)>,
    /// Until when it can be used.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Push {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Push").field("application", &self.application).finish_non_exhaustive()
    }
}

impl Write for Push {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let parameters = serde_json::to_string(&self.parameters)?;
        let values = [
            (&self.pool).into(),
            (&self.hash).into(),
            (&self.application).into(),
            (&parameters).into(),
            self.expires_at.into(),
        ];
        tx.execute(INSERT, &values).await.map(drop)
    }
}

/// Takes a request out, which can be done once. That of another client stays.
#[derive(Clone, Debug)]
pub struct TakePushed {
    /// The pool.
    pub pool: PoolId,
    /// The client that uses it.
    pub application: ApplicationId,
    /// The hash of its reference.
    pub hash: TokenHash,
    /// The current time.
    pub now: Timestamp,
}

impl Write for TakePushed {
    /// Names and values of its parameters.
    type Out = Option<Vec<(String, String)>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let values = [(&self.pool).into(), (&self.hash).into(), (&self.application).into(), self.now.into()];
        let found = tx.optional(TAKE, &values, |row| row.get::<String>(0)).await?;
        Ok(found.map(|text| serde_json::from_str(&text)).transpose()?)
    }
}

/// Deletes the requests that expired before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}
