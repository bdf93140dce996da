use hufu_protocol::sealing::{OpenError, SealingKey};
use hufu_types::{SystemRandom, TestRandom};
use proptest::prelude::*;

const CONTEXT: &str = "connection:shop:app_secret";
const SECRET: &[u8] = b"an AppSecret that nobody reads";

fn key() -> SealingKey {
    SealingKey::from_bytes([7; 32])
}

#[test]
fn what_is_sealed_opens_in_its_context() {
    for secret in [SECRET, b"", &[0; 5000]] {
        let sealed = key().seal(&SystemRandom, CONTEXT, secret);
        assert_eq!(key().open(CONTEXT, &sealed).unwrap().expose(), secret);
        assert_eq!(sealed.len(), 1 + 8 + 12 + secret.len() + 16);
    }
}

#[test]
fn the_form_is_version_key_id_nonce_and_ciphertext() {
    let sealed = key().seal(&TestRandom::new(1), CONTEXT, SECRET);
    assert_eq!(sealed[0], 1);
    assert_eq!(hex::encode(&sealed[1..9]), key().key_id());
    let mut nonce = [0; 12];
    hufu_types::Random::fill(&TestRandom::new(1), &mut nonce);
    assert_eq!(sealed[9..21], nonce);
    assert!(!sealed.windows(8).any(|window| SECRET.windows(8).any(|plain| plain == window)));
}

#[test]
fn the_same_secret_never_looks_the_same() {
    let random = SystemRandom;
    assert_ne!(key().seal(&random, CONTEXT, SECRET), key().seal(&random, CONTEXT, SECRET));
}

#[test]
fn the_error_names_the_key_that_is_needed() {
    let sealed = key().seal(&SystemRandom, CONTEXT, SECRET);
    let other = SealingKey::from_bytes([8; 32]);
    assert_ne!(other.key_id(), key().key_id());
    let error = other.open(CONTEXT, &sealed).unwrap_err();
    assert_eq!(error, OpenError::OtherKey { wanted: key().key_id() });
    assert!(error.to_string().contains(&key().key_id()));
}

#[test]
fn another_context_stays_shut() {
    let sealed = key().seal(&SystemRandom, CONTEXT, SECRET);
    for context in ["", "connection:shop:app_secre", "connection:toys:app_secret"] {
        assert_eq!(key().open(context, &sealed).unwrap_err(), OpenError::Refused);
    }
}

#[test]
fn a_cut_secret_stays_shut() {
    let sealed = key().seal(&SystemRandom, CONTEXT, SECRET);
    for length in 0..sealed.len() {
        let error = key().open(CONTEXT, &sealed[..length]).unwrap_err();
        let expected = if length < 1 + 8 + 12 + 16 { OpenError::Malformed } else { OpenError::Refused };
        assert_eq!(error, expected, "{length} bytes");
    }
    let longer = [sealed.as_slice(), &[0]].concat();
    assert_eq!(key().open(CONTEXT, &longer).unwrap_err(), OpenError::Refused);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let sealed = key().seal(&SystemRandom, CONTEXT, SECRET);
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let error = key().open(CONTEXT, &flipped).unwrap_err();
        match bit / 8 {
            0 => assert_eq!(error, OpenError::Malformed),
            1..=8 => assert_eq!(error, OpenError::OtherKey { wanted: hex::encode(&flipped[1..9]) }),
            _ => assert_eq!(error, OpenError::Refused),
        }
    }
}

#[test]
fn the_key_id_is_stable_and_reveals_nothing() {
    // SHA-256 of the label, a zero byte and 32 sevens. Must never change, because databases contain it.
    assert_eq!(key().key_id(), "499362935ee89538");
    assert_eq!(format!("{:?}", key()), format!("SealingKey({}, redacted)", key().key_id()));
    let opened = key().open(CONTEXT, &key().seal(&SystemRandom, CONTEXT, SECRET)).unwrap();
    assert_eq!(format!("{opened:?}"), "SecretBytes(redacted)");
}

proptest! {
    #[test]
    fn nothing_made_up_opens_or_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(key().open(CONTEXT, &bytes).is_err());
    }
}

#[test]
fn keyed_hashes_are_stable_and_differ_by_context_and_key() {
    let mac = key().mac("passcode:code", b"123456");
    assert_eq!(mac, key().mac("passcode:code", b"123456"));
    assert_ne!(mac, key().mac("passcode:target", b"123456"));
    assert_ne!(mac, key().mac("passcode:code", b"123457"));
    assert_ne!(mac, SealingKey::from_bytes([8; 32]).mac("passcode:code", b"123456"));
}
