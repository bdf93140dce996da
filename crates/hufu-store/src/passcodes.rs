//! One-time codes sent by SMS and e-mail. Recipients and codes are stored as keyed hashes.

use hufu_types::{Email, PasscodeChannel, PasscodePurpose, Phone, PoolId, Timestamp, TokenHash};

use crate::{StoreError, Tx, statements};

statements! {
    PUT = "
        INSERT INTO passcodes (pool_id, channel, target, purpose, code, tries, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, 0, $6, $7)
        ON CONFLICT (pool_id, channel, target, purpose) DO UPDATE
        SET code = excluded.code, tries = 0, created_at = excluded.created_at, expires_at = excluded.expires_at";
    TRY = "
        UPDATE passcodes SET tries = tries + 1
        WHERE pool_id = $1 AND channel = $2 AND target = $3 AND purpose = $4 AND expires_at > $5
        RETURNING code, tries";
    TAKE_BACK = "
        UPDATE passcodes SET tries = tries - 1
        WHERE pool_id = $1 AND channel = $2 AND target = $3 AND purpose = $4";
    DELETE = "DELETE FROM passcodes WHERE pool_id = $1 AND channel = $2 AND target = $3 AND purpose = $4";
    SWEEP = "DELETE FROM passcodes WHERE expires_at < $1";
}

/// The recipient of a code, ownership of which the code proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A phone number, by SMS.
    Phone(Phone),
    /// An e-mail address.
    Email(Email),
}

impl Target {
    /// The channel by which codes are sent to it.
    pub const fn channel(&self) -> PasscodeChannel {
        match self {
            Self::Phone(_) => PasscodeChannel::Sms,
            Self::Email(_) => PasscodeChannel::Email,
        }
    }

    /// The phone number or e-mail address.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Phone(phone) => phone.as_str(),
            Self::Email(email) => email.as_str(),
        }
    }

    /// Masked so that only its owner recognizes it.
    pub fn masked(&self) -> String {
        match self {
            Self::Phone(phone) => phone.masked(),
            Self::Email(email) => email.masked(),
        }
    }
}

/// Identifies the codes of one recipient.
#[derive(Clone, Debug)]
pub struct Addressed {
    /// How it was sent.
    pub channel: PasscodeChannel,
    /// The keyed hash of the recipient.
    pub target: TokenHash,
}

/// Stores a code and invalidates an earlier one for the same purpose.
pub async fn put(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    to: &Addressed,
    purpose: PasscodePurpose,
    code: &TokenHash,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let values = [
        pool.into(),
        to.channel.as_str().into(),
        (&to.target).into(),
        purpose.as_str().into(),
        code.into(),
        now.into(),
        expires_at.into(),
    ];
    tx.execute(PUT, &values).await.map(drop)
}

/// Counts an attempt at an unexpired code. Returns the keyed hash of the code and the number of attempts
/// including this one. The attempt only counts if the unit is committed.
pub async fn count_try(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    to: &Addressed,
    purpose: PasscodePurpose,
    now: Timestamp,
) -> Result<Option<(Vec<u8>, i64)>, StoreError> {
    let (channel, target) = (to.channel.as_str(), &to.target);
    let values = [pool.into(), channel.into(), target.into(), purpose.as_str().into(), now.into()];
    tx.optional(TRY, &values, |row| Ok((row.get::<Vec<u8>>(0)?, row.get::<i64>(1)?))).await
}

/// Undoes the attempt counted for a correct code, in the unit that compared it.
pub async fn refund_try(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    to: &Addressed,
    purpose: PasscodePurpose,
) -> Result<(), StoreError> {
    let values = [pool.into(), to.channel.as_str().into(), (&to.target).into(), purpose.as_str().into()];
    tx.execute(TAKE_BACK, &values).await.map(drop)
}

/// Invalidates a code.
pub async fn spend(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    to: &Addressed,
    purpose: PasscodePurpose,
) -> Result<(), StoreError> {
    let values = [pool.into(), to.channel.as_str().into(), (&to.target).into(), purpose.as_str().into()];
    tx.execute(DELETE, &values).await.map(drop)
}

/// Deletes the codes that expired before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}
