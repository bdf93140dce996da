//! Codes presented by a client, inside a unit of work: compared, counted and spent.
//!
//! A wrong code is an outcome rather than an error, so that the counted attempt is committed.

use hufu_store::passcodes::{self, Addressed};
use hufu_store::rates::Limit;
use hufu_store::{StoreError, Tx};
use hufu_types::{PasscodePurpose, PoolId, Timestamp, TokenHash};

/// A code presented by a client.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The target that it was sent to.
    pub to: Addressed,
    /// The keyed hash of the code.
    pub code: TokenHash,
    /// The purposes accepted here.
    pub purposes: &'static [PasscodePurpose],
    /// Number of attempts after which the code becomes invalid.
    pub max_tries: i64,
}

/// A presented code, with the bucket that counts wrong codes from its address.
#[derive(Clone, Debug)]
pub struct Guess {
    /// The code.
    pub code: Presented,
    /// The bucket for wrong codes.
    pub guard: Option<Limit>,
}

/// The result of checking a code.
pub(crate) enum CodeCheck {
    /// The code is correct and was sent for this purpose.
    Right(PasscodePurpose),
    /// The code is wrong, or there is no code.
    Wrong,
    /// The code was not checked, because too many wrong ones came from this address.
    TooOften,
}

impl Guess {
    /// Counts the guess for its address before the code is looked at, and takes it back if the code is right. So
    /// of many guesses at once, no more are looked at than of as many in a row.
    pub(crate) async fn check(
        &self,
        tx: &mut Tx<'_>,
        pool: &PoolId,
        now: Timestamp,
    ) -> Result<CodeCheck, StoreError> {
        if let Some(guard) = &self.guard
            && guard.take(tx, now).await?.is_none()
        {
            return Ok(CodeCheck::TooOften);
        }
        let Some(purpose) = verify(tx, pool, &self.code, now).await? else { return Ok(CodeCheck::Wrong) };
        if let Some(guard) = &self.guard {
            guard.take_back(tx, now).await?;
        }
        Ok(CodeCheck::Right(purpose))
    }

    /// Checks the code without using up an attempt if it is right, so that it can be checked again.
    pub(crate) async fn check_uncounted(
        &self,
        tx: &mut Tx<'_>,
        pool: &PoolId,
        now: Timestamp,
    ) -> Result<CodeCheck, StoreError> {
        let judged = self.check(tx, pool, now).await?;
        if let CodeCheck::Right(purpose) = judged {
            passcodes::refund_try(tx, pool, &self.code.to, purpose).await?;
        }
        Ok(judged)
    }

    pub(crate) async fn spend(
        &self,
        tx: &mut Tx<'_>,
        pool: &PoolId,
        purpose: PasscodePurpose,
    ) -> Result<(), StoreError> {
        passcodes::spend(tx, pool, &self.code.to, purpose).await
    }
}

/// Compares a code and, if it is right, returns the purpose that it was sent for. The comparison counts as an
/// attempt, so the unit must commit and report a wrong code as an outcome. A right code can be presented
/// again until it is spent with [`passcodes::spend`] or runs out of attempts.
async fn verify(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    presented: &Presented,
    now: Timestamp,
) -> Result<Option<PasscodePurpose>, StoreError> {
    for purpose in presented.purposes {
        let found = passcodes::count_try(tx, pool, &presented.to, *purpose, now).await?;
        let Some((code, tries)) = found else { continue };
        if tries <= presented.max_tries && presented.code.matches(&code) {
            return Ok(Some(*purpose));
        }
        if tries >= presented.max_tries {
            passcodes::spend(tx, pool, &presented.to, *purpose).await?;
        }
    }
    Ok(None)
}
