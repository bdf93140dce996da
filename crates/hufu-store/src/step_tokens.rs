//! Tokens that authorize the second step of a change after the first one: short-lived, single-use, and valid
//! for one user and one purpose.

use hufu_types::{PoolId, Timestamp, TokenHash, UserId};

use crate::{Read, StoreError, Tx, statements};

statements! {
    INSERT = "
        INSERT INTO step_tokens (pool_id, hash, user_id, purpose, sealed, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    PEEK = "
        SELECT sealed FROM step_tokens
        WHERE pool_id = $1 AND hash = $2 AND user_id = $3 AND purpose = $4 AND expires_at > $5";
    TAKE = "
        DELETE FROM step_tokens
        WHERE pool_id = $1 AND hash = $2 AND user_id = $3 AND purpose = $4 AND expires_at > $5
        RETURNING 1";
    DELETE_OF_USER = "DELETE FROM step_tokens WHERE pool_id = $1 AND user_id = $2";
    SWEEP = "DELETE FROM step_tokens WHERE expires_at < $1";
}

/// What the second step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepPurpose {
    /// Changes the phone number.
    ChangePhone,
    /// Changes the e-mail address.
    ChangeEmail,
    /// Deletes the account.
    DeleteAccount,
}

impl StepPurpose {
    /// The name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChangePhone => "change_phone",
            Self::ChangeEmail => "change_email",
            Self::DeleteAccount => "delete_account",
        }
    }
}

/// A token to insert.
#[derive(Clone, Debug)]
pub struct NewStepToken {
    /// The hash of the token.
    pub hash: TokenHash,
    /// What the second step does.
    pub purpose: StepPurpose,
    /// What the first step proved, sealed.
    pub sealed: Vec<u8>,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// A token presented by a client, and what it has to match.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The pool.
    pub pool: PoolId,
    /// The user it must belong to.
    pub user: UserId,
    /// The hash of the token.
    pub hash: TokenHash,
    /// The purpose it must have.
    pub purpose: StepPurpose,
    /// The current time.
    pub now: Timestamp,
}

impl Presented {
    fn values(&self) -> [crate::Value<'_>; 5] {
        [
            (&self.pool).into(),
            (&self.hash).into(),
            (&self.user).into(),
            self.purpose.as_str().into(),
            self.now.into(),
        ]
    }
}

/// Reads what the first step proved, which is sealed. Does not consume the token.
pub struct GetStepToken(pub Presented);

impl Read for GetStepToken {
    type Out = Option<Vec<u8>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        tx.optional(PEEK, &self.0.values(), |row| row.get(0)).await
    }
}

/// Inserts a token of a user.
pub async fn insert(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    new: &NewStepToken,
) -> Result<(), StoreError> {
    let values = [
        pool.into(),
        (&new.hash).into(),
        user.into(),
        new.purpose.as_str().into(),
        (&new.sealed).into(),
        new.expires_at.into(),
    ];
    tx.execute(INSERT, &values).await.map(drop)
}

/// Consumes a token. Returns whether it was valid. A token of another user or with another purpose is kept.
pub async fn take(tx: &mut Tx<'_>, presented: &Presented) -> Result<bool, StoreError> {
    Ok(tx.optional(TAKE, &presented.values(), |_| Ok(())).await?.is_some())
}

/// Deletes the tokens of a user.
pub async fn delete_of_user(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    tx.execute(DELETE_OF_USER, &[pool.into(), user.into()]).await.map(drop)
}

/// Deletes the tokens that expired before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}
