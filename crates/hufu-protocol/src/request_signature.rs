//! Signatures of requests as the published management clients make them: HMAC-SHA1 (RFC 2104) with the whole secret. SHA-1
//! is their choice; that collisions of it can be found does not help against a keyed hash (RFC 6194 section 3.3).

use aws_lc_rs::hmac;

/// Whether this is the signature of the text by this secret. Takes as long whether it is or not.
pub fn is_signature_of(secret: &[u8], text: &[u8], signature: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    hmac::verify(&key, text, signature).is_ok()
}

/// The signature of the text by this secret.
pub fn signature_of(secret: &[u8], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    hmac::sign(&key, text).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_case_of_rfc_2202() {
        let signature = hex::decode("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79").unwrap();
        let (secret, text) = (b"Jefe".as_slice(), b"what do ya want for nothing?".as_slice());
        assert!(is_signature_of(secret, text, &signature));
        assert_eq!(signature_of(secret, text), signature);
        assert!(!is_signature_of(b"jefe", text, &signature));
        assert!(!is_signature_of(secret, b"what do ya want for nothing!", &signature));
        for wrong in [&signature[..19], b"".as_slice()] {
            assert!(!is_signature_of(secret, text, wrong));
        }
    }
}
