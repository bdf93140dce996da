//! Hashes of tokens, codes and handles: what the database stores of them.

use aws_lc_rs::digest::{Digest, SHA256, digest};
use hufu_types::TokenHash;

/// The hash of an opaque token. It is unsalted: the tokens have full entropy.
pub(crate) fn hash_token(text: &str) -> TokenHash {
    hash_of(&digest(&SHA256, text.as_bytes()))
}

/// Wraps a digest as a token hash.
pub(crate) fn hash_of(digest: &Digest) -> TokenHash {
    let mut bytes = [0_u8; 32];
    bytes.copy_from_slice(digest.as_ref());
    TokenHash(bytes)
}
