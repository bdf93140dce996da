//! The SM2 key pair with which clients encrypt passwords: public key encryption according to GB/T
//! 32918.4-2016 with SM3, on the recommended curve of GB/T 32918.5.
//!
//! A ciphertext is C1‖C3‖C2: a point, a digest of 32 bytes, and as many bytes as the plaintext has. The
//! digest detects damaged ciphertexts, so revealing that decryption failed does not help an attacker.

use ::sm2::elliptic_curve::sec1::{FromEncodedPoint as _, ToEncodedPoint as _};
use ::sm2::{AffinePoint, EncodedPoint, ProjectivePoint, PublicKey, SecretKey};
use hufu_types::Random;
use secrecy::SecretString;
use sm3::{Digest as _, Sm3};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Length of a coordinate and of the private scalar, in bytes.
const FIELD: usize = 32;
/// Length of an SM3 digest, in bytes.
const DIGEST: usize = 32;
/// Length of the shortest ciphertext, in bytes.
pub(super) const SHORTEST: usize = 2 * FIELD + DIGEST;
/// The prefix of an uncompressed point (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// The private scalar is invalid.
#[derive(Debug, thiserror::Error)]
#[error("the SM2 key pair for passwords cannot be read")]
pub(crate) struct Sm2KeyError;

/// A parsed key pair.
#[derive(Debug)]
pub(crate) struct Sm2Key {
    private: SecretKey,
    public_hex: String,
}

impl Sm2Key {
    /// Generates the private scalar of a new key pair.
    pub(crate) fn generate(random: &dyn Random) -> Zeroizing<Vec<u8>> {
        let mut scalar = Zeroizing::new(vec![0; FIELD]);
        loop {
            random.fill(&mut scalar);
            // Fails once in 2^32 times: the number is zero, or not below the order of the curve.
            if SecretKey::from_slice(&scalar).is_ok() {
                return scalar;
            }
        }
    }

    /// Parses the private scalar of a key pair.
    pub(crate) fn from_scalar(scalar: &[u8]) -> Result<Self, Sm2KeyError> {
        let private = SecretKey::from_slice(scalar).map_err(|_| Sm2KeyError)?;
        let public_hex = hex::encode(private.public_key().to_encoded_point(false));
        Ok(Self { private, public_hex })
    }

    /// The public key in hexadecimal: `04` and both coordinates.
    pub(crate) fn public_hex(&self) -> &str {
        &self.public_hex
    }

    /// Decrypts C1‖C3‖C2. C1 may lack its leading `04` byte, which some clients omit. `None` if the
    /// ciphertext is damaged, was made for another key, or does not contain UTF-8.
    pub(crate) fn decrypt(&self, ciphertext: &[u8]) -> Option<SecretString> {
        // A coordinate may begin with the same byte, so both readings are tried.
        let marked = ciphertext.strip_prefix(&[UNCOMPRESSED]);
        let plain =
            marked.and_then(|c| self.decrypt_unmarked(c)).or_else(|| self.decrypt_unmarked(ciphertext))?;
        std::str::from_utf8(&plain).ok().map(SecretString::from)
    }

    /// GB/T 32918.4 section 7.1. Comments name the steps as in the standard.
    fn decrypt_unmarked(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (c1, rest) = ciphertext.split_at_checked(2 * FIELD)?;
        let (c3, c2) = rest.split_at_checked(DIGEST)?;
        // B1: a point on the curve. B2: the cofactor is 1, so it is not the identity either.
        let (x, y) = c1.split_at_checked(FIELD)?;
        let point = EncodedPoint::from_affine_coordinates(x.into(), y.into(), false);
        let point = Option::<PublicKey>::from(PublicKey::from_encoded_point(&point))?;
        // B3
        let shared = ProjectivePoint::from(*point.as_affine()) * *self.private.to_nonzero_scalar();
        let shared = Shared::of(&shared.to_affine())?;
        // B4 and B5
        let mut plain = Zeroizing::new(c2.to_vec());
        shared.apply_key_stream(&mut plain)?;
        // B6
        let digest = shared.digest(&plain);
        bool::from(digest.ct_eq(c3)).then_some(plain)
    }
}

/// The shared point (x2, y2).
struct Shared {
    x: Zeroizing<[u8; FIELD]>,
    y: Zeroizing<[u8; FIELD]>,
}

impl Shared {
    fn of(point: &AffinePoint) -> Option<Self> {
        let encoded = Zeroizing::new(point.to_encoded_point(false).as_bytes().to_vec());
        let (x, y) = encoded.get(1..)?.split_at_checked(FIELD)?;
        Some(Self { x: Zeroizing::new(x.try_into().ok()?), y: Zeroizing::new(y.try_into().ok()?) })
    }

    /// XORs with KDF(x2‖y2) (GB/T 32918.4 section 5.4.3). `None` if the key stream is all zeros, or the text
    /// is empty.
    fn apply_key_stream(&self, text: &mut [u8]) -> Option<()> {
        let mut any = 0;
        for (counter, chunk) in (1_u32..).zip(text.chunks_mut(DIGEST)) {
            let mut hasher = Sm3::new();
            hasher.update(self.x.as_slice());
            hasher.update(self.y.as_slice());
            hasher.update(counter.to_be_bytes());
            for (byte, key) in chunk.iter_mut().zip(hasher.finalize()) {
                *byte ^= key;
                any |= key;
            }
        }
        (any != 0).then_some(())
    }

    fn digest(&self, plain: &[u8]) -> [u8; DIGEST] {
        let mut hasher = Sm3::new();
        hasher.update(self.x.as_slice());
        hasher.update(plain);
        hasher.update(self.y.as_slice());
        hasher.finalize().into()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use hufu_types::TestRandom;
    use secrecy::ExposeSecret as _;

    use super::*;

    /// Encrypts like a client, which only has the public key (GB/T 32918.4 section 6.1). C1 is without its
    /// prefix.
    pub(in crate::credentials::password) fn encrypt(
        public_hex: &str,
        plain: &[u8],
        random: &dyn Random,
    ) -> Vec<u8> {
        let public = PublicKey::from_sec1_bytes(&hex::decode(public_hex).unwrap()).unwrap();
        let k = SecretKey::from_slice(&Sm2Key::generate(random)).unwrap();
        let shared = (ProjectivePoint::from(*public.as_affine()) * *k.to_nonzero_scalar()).to_affine();
        let shared = Shared::of(&shared).unwrap();
        let mut c2 = plain.to_vec();
        shared.apply_key_stream(&mut c2).unwrap();
        let c1 = k.public_key().to_encoded_point(false);
        [&c1.as_bytes()[1..], &shared.digest(plain), &c2].concat()
    }

    /// The example in GB/T 32918.5-2017, annex C.2.
    #[test]
    fn the_example_of_the_standard_is_decrypted() {
        let scalar = hex::decode("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8").unwrap();
        let key = Sm2Key::from_scalar(&scalar).unwrap();
        assert_eq!(
            key.public_hex(),
            "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020\
             ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
        );
        let ciphertext = hex::decode(
            "0404ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73\
             e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0\
             59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766\
             21886ca989ca9c7d58087307ca93092d651efa",
        )
        .unwrap();
        assert_eq!(key.decrypt(&ciphertext).unwrap().expose_secret(), "encryption standard");
        assert_eq!(key.decrypt(&ciphertext[1..]).unwrap().expose_secret(), "encryption standard");
    }

    #[test]
    fn texts_of_all_lengths_come_back_and_damaged_ones_do_not() {
        let random = TestRandom::new(1);
        let key = Sm2Key::from_scalar(&Sm2Key::generate(&random)).unwrap();
        for length in [1, 31, 32, 33, 100] {
            let plain = "p".repeat(length);
            let ciphertext = encrypt(key.public_hex(), plain.as_bytes(), &random);
            assert_eq!(key.decrypt(&ciphertext).unwrap().expose_secret(), plain);
            for at in [0, 64, ciphertext.len() - 1] {
                let mut damaged = ciphertext.clone();
                damaged[at] ^= 1;
                assert!(key.decrypt(&damaged).is_none(), "{length} {at}");
            }
        }
        let other = Sm2Key::from_scalar(&Sm2Key::generate(&random)).unwrap();
        assert!(key.decrypt(&encrypt(other.public_hex(), b"password", &random)).is_none());
        for short in [&[][..], &[4], &[0; 64], &[0; 96], &[4; 97], &[0; 200]] {
            assert!(key.decrypt(short).is_none());
        }
    }

    #[test]
    fn a_coordinate_that_begins_like_the_mark_is_no_mark() {
        let random = TestRandom::new(2);
        let key = Sm2Key::from_scalar(&Sm2Key::generate(&random)).unwrap();
        let ciphertext = (0..100_000)
            .map(|_| encrypt(key.public_hex(), b"password", &random))
            .find(|c| c[0] == 4)
            .unwrap();
        assert_eq!(key.decrypt(&ciphertext).unwrap().expose_secret(), "password");
    }
}
