//! The SM2 key pair with which clients encrypt passwords: public key encryption by
//! GB/T 32918.4-2016 with SM3, on the recommended curve of GB/T 32918.5.
//!
//! A ciphertext is C1‖C3‖C2: a point, a digest of 32 bytes, and as many bytes as
//! the plaintext has. The digest makes a damaged ciphertext known as such, so that
//! saying so helps nobody.

use ::sm2::elliptic_curve::sec1::{FromEncodedPoint as _, ToEncodedPoint as _};
use ::sm2::{AffinePoint, EncodedPoint, ProjectivePoint, PublicKey, SecretKey};
use hufu_types::Random;
use secrecy::SecretString;
use sm3::{Digest as _, Sm3};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Bytes of a coordinate and of the private scalar.
const FIELD: usize = 32;
/// Bytes of an SM3 digest.
const DIGEST: usize = 32;
/// SEC 1 2.3.3: the mark of an uncompressed point.
const UNCOMPRESSED: u8 = 4;

/// The scalar is none.
#[derive(Debug, thiserror::Error)]
#[error("the SM2 key pair for passwords cannot be read")]
pub(crate) struct Sm2KeyError;

/// A key pair, parsed.
#[derive(Debug)]
pub(crate) struct Sm2Key {
    private: SecretKey,
    public_hex: String,
}

impl Sm2Key {
    /// Makes the private scalar of a new pair.
    pub(crate) fn generate(random: &dyn Random) -> Zeroizing<Vec<u8>> {
        let mut scalar = Zeroizing::new(vec![0; FIELD]);
        loop {
            random.fill(&mut scalar);
            // Zero, or not below the order of the curve: once in 2^32 times.
            if SecretKey::from_slice(&scalar).is_ok() {
                return scalar;
            }
        }
    }

    /// Reads the private scalar of a pair.
    pub(crate) fn from_scalar(scalar: &[u8]) -> Result<Self, Sm2KeyError> {
        let private = SecretKey::from_slice(scalar).map_err(|_| Sm2KeyError)?;
        let public_hex = hex::encode(private.public_key().to_encoded_point(false));
        Ok(Self { private, public_hex })
    }

    /// The public key: `04` and both coordinates, in hexadecimal.
    pub(crate) fn public_hex(&self) -> &str {
        &self.public_hex
    }

    /// Decrypts C1‖C3‖C2, whose C1 may lack its leading `04` byte, as some clients
    /// leave it away. `None` if it is damaged, for another key, or no text.
    pub(crate) fn decrypt(&self, ciphertext: &[u8]) -> Option<SecretString> {
        // A coordinate may begin with the same byte, so that both readings are tried.
        let marked = ciphertext.strip_prefix(&[UNCOMPRESSED]);
        let plain =
            marked.and_then(|c| self.decrypt_unmarked(c)).or_else(|| self.decrypt_unmarked(ciphertext))?;
        std::str::from_utf8(&plain).ok().map(SecretString::from)
    }

    /// GB/T 32918.4 7.1; the steps are named as there.
    fn decrypt_unmarked(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (c1, rest) = ciphertext.split_at_checked(2 * FIELD)?;
        let (c3, c2) = rest.split_at_checked(DIGEST)?;
        // B1: a point of the curve. B2: the cofactor is 1, so that it is not the identity either.
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

/// The point (x2, y2) that both sides know.
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

    /// XORs with KDF(x2‖y2) (GB/T 32918.4 5.4.3); `None` if that is all zeros, or nothing is asked of it.
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

    /// Encrypts as a client does (GB/T 32918.4 6.1), from the published key alone. C1 without its mark.
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

    /// The example of GB/T 32918.5-2017, annex C.2.
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
