//! Codes that somebody presents, inside a unit of work: compared, counted, spent.
//!
//! A wrong code is an outcome and not an error, so that the counted try is committed with it.

use hufu_store::passcodes::{self, Addressed};
use hufu_store::rates::Limit;
use hufu_store::{StoreError, Tx};
use hufu_types::{PasscodePurpose, PoolId, Timestamp, TokenHash};

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

/// A code that somebody presents, and the bucket in which wrong ones of their address are counted.
#[derive(Clone, Debug)]
pub struct Guess {
    /// The code.
    pub code: Presented,
    /// Where wrong ones are counted.
    pub guard: Option<Limit>,
}

/// What a presented code is.
pub(crate) enum CodeCheck {
    /// The right one, sent for this purpose.
    Right(PasscodePurpose),
    /// A wrong one, or there is none.
    Wrong,
    /// It was not looked at: too many wrong ones came from this address.
    TooOften,
}

impl Guess {
    pub(crate) async fn check(
        &self,
        tx: &mut Tx<'_>,
        pool: &PoolId,
        now: Timestamp,
    ) -> Result<CodeCheck, StoreError> {
        if let Some(guard) = &self.guard
            && guard.is_full(tx, now).await?
        {
            return Ok(CodeCheck::TooOften);
        }
        if let Some(purpose) = verify(tx, pool, &self.code, now).await? {
            return Ok(CodeCheck::Right(purpose));
        }
        if let Some(guard) = &self.guard {
            guard.hit(tx, now).await?;
        }
        Ok(CodeCheck::Wrong)
    }

    /// Judges without spending a try of a right code, so that it can be judged once more.
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

/// Compares a code, and says for which purpose it was sent, if it is right. The comparison counts as a try, so
/// that the unit has to end well, with an outcome that says so. The code can be presented again until
/// [`passcodes::spend`], as long as it has tries.
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
