//! Pairwise subjects: a person has another id for each sector of clients (OpenID Connect Core 8.1).

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_types::{PoolId, UserId};
use zeroize::Zeroizing;

/// The key from which pairwise subjects are derived. Another key means other subjects, by which no client knows anybody.
pub struct PairwiseKey(hmac::Key);

impl PairwiseKey {
    /// The key of 32 unpredictable bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice()))
    }

    /// The subject of a user in a sector: HMAC-SHA-256, 43 characters of base64url. Without the key nobody can tell
    /// whose it is, or whether two of different sectors are the same person's.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "base64url consists of characters of ids"
    )]
    pub fn subject(&self, sector: &str, pool: &PoolId, user: &UserId) -> UserId {
        let mut context = hmac::Context::with_key(&self.0);
        // Neither hosts nor ids contain the byte in between.
        for part in [sector, pool.as_str(), user.as_str()] {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        UserId::parse(&URL_SAFE_NO_PAD.encode(context.sign())).expect("43 characters")
    }
}

impl fmt::Debug for PairwiseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairwiseKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_subject_is_of_one_key_sector_pool_and_user() {
        let of = |key: u8, sector: &str, pool: &str, user: &str| {
            let (pool, user) = (PoolId::parse(pool).unwrap(), UserId::parse(user).unwrap());
            PairwiseKey::from_bytes([key; 32]).subject(sector, &pool, &user)
        };
        let all = [
            of(1, "a.example", "pool", "user"),
            of(2, "a.example", "pool", "user"),
            of(1, "b.example", "pool", "user"),
            of(1, "a.example", "pool2", "user"),
            of(1, "a.example", "pool", "2user"),
        ];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert!(all.iter().all(|subject| subject.as_str().len() == 43));
        assert_eq!(of(1, "a.example", "pool", "user"), all[0]);
    }
}
