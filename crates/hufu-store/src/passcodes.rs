//! Codes sent by SMS and e-mail. What is stored of target and code are keyed hashes.

use hufu_types::{PasscodeChannel, PasscodePurpose, PoolId, Timestamp, TokenHash};

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
    DELETE = "DELETE FROM passcodes WHERE pool_id = $1 AND channel = $2 AND target = $3 AND purpose = $4";
    SWEEP = "DELETE FROM passcodes WHERE expires_at < $1";
}

/// Which code is meant.
#[derive(Clone, Debug)]
pub struct Addressed {
    /// By what it was sent.
    pub channel: PasscodeChannel,
    /// The keyed hash of where it was sent to.
    pub target: TokenHash,
}

/// Keeps a code; an earlier one for the same purpose is void.
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

/// A code that somebody presents.
#[derive(Clone, Debug)]
pub struct Presented {
    /// Where it was sent to.
    pub to: Addressed,
    /// The keyed hash of the code.
    pub code: TokenHash,
    /// The purposes for which a code is accepted here.
    pub purposes: &'static [PasscodePurpose],
    /// Wrong codes after which the right one is void.
    pub max_tries: i64,
}

/// What became of a code that was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumed {
    /// It was right, and is void from now on.
    Accepted,
    /// It was wrong; or there is none.
    Wrong,
}

/// Spends a code. A wrong one counts as a try: the unit has to end well for that, with an outcome that says so.
pub async fn consume(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    presented: &Presented,
    now: Timestamp,
) -> Result<Consumed, StoreError> {
    let (channel, target) = (presented.to.channel.as_str(), &presented.to.target);
    let mut accepted = Consumed::Wrong;
    for purpose in presented.purposes {
        let values = [pool.into(), channel.into(), target.into(), purpose.as_str().into(), now.into()];
        let found = tx.optional(TRY, &values, |row| Ok((row.get::<Vec<u8>>(0)?, row.get::<i64>(1)?))).await?;
        let Some((code, tries)) = found else { continue };
        let right = presented.code.matches(&code);
        if right || tries >= presented.max_tries {
            tx.execute(DELETE, &[pool.into(), channel.into(), target.into(), purpose.as_str().into()]).await?;
        }
        if right && tries <= presented.max_tries {
            accepted = Consumed::Accepted;
            break;
        }
    }
    Ok(accepted)
}

/// Forgets the codes that expired before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}
