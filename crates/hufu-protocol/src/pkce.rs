//! Proof Key for Code Exchange (RFC 7636), with the method `S256` alone: `plain` protects nothing that the challenge
//! itself passes through.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The length of a challenge: SHA-256 in base64url.
const CHALLENGE: usize = 43;

/// Whether the text can be a challenge of the method `S256`.
pub fn is_challenge(text: &str) -> bool {
    text.len() == CHALLENGE && URL_SAFE_NO_PAD.decode(text).is_ok()
}

/// Whether the verifier has the required form (RFC 7636 4.1) and answers the challenge.
pub fn answers(verifier: &str, challenge: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(is_allowed) {
        return false;
    }
    verify_slices_are_equal(challenge_of(verifier).as_bytes(), challenge.as_bytes()).is_ok()
}

/// The challenge of a verifier, as a client sends it.
pub fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    #[test]
    fn the_example_of_the_standard() {
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(is_challenge(challenge) && answers(verifier, challenge));
        assert!(!answers(challenge, challenge), "the method `plain`");
        assert!(!answers(&verifier.to_lowercase(), challenge));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for wrong in ["", "short", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c==", &"a".repeat(44)] {
            assert!(!is_challenge(wrong), "{wrong}");
        }
        let of = |verifier: &str| URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        for wrong in
            ["a".repeat(42), "a".repeat(129), format!("{}ä", "a".repeat(42)), format!("{} ", "a".repeat(43))]
        {
            assert!(!answers(&wrong, &of(&wrong)), "{wrong}");
        }
    }
}
