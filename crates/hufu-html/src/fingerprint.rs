//! Names that change with the content, so that a file can be cached for ever.

use std::fmt;

/// A hash of a file's content. It tells versions of one file apart and guards nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// The fingerprint of a file that is these texts, one after another (FNV-1a, 64 bits).
pub const fn fingerprint(parts: &[&str]) -> Fingerprint {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut parts = parts;
    while let [part, later @ ..] = parts {
        let mut rest = part.as_bytes();
        while let [first, after @ ..] = rest {
            // A cast, since `u64::from` is not const.
            hash = (hash ^ *first as u64).wrapping_mul(0x0100_0000_01b3);
            rest = after;
        }
        parts = later;
    }
    Fingerprint(hash)
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
