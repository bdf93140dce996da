//! The RSA key pair with which clients encrypt passwords: RSAES-PKCS1-v1_5 (RFC 8017 section 7.2), because
//! the published clients use it.
//!
//! aws-lc does the arithmetic and removes the padding in constant time.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use zeroize::Zeroizing;

/// Some releases of JSEncrypt drop leading zero bytes of the ciphertext. Fewer than one in 2^32 ciphertexts
/// starts with more of them than this.
const DROPPED_AT_MOST: usize = 4;
/// Lines of 64 characters (RFC 7468 section 2).
const PEM_LINE: usize = 64;

/// Why the key pair cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the RSA key pair for passwords cannot be {0}")]
pub(crate) struct RsaKeyError(&'static str);

/// A parsed key pair.
#[derive(Debug)]
pub(crate) struct RsaKey {
    private: Pkcs1PrivateDecryptingKey,
    public_pem: String,
}

impl RsaKey {
    /// Generates a 2048-bit key pair as PKCS#8 (RFC 5958). Takes a tenth of a second or more.
    pub(crate) fn generate() -> Result<Zeroizing<Vec<u8>>, RsaKeyError> {
        let error = |_| RsaKeyError("made");
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(error)?;
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).map_err(error)?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    /// Parses a key pair.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, RsaKeyError> {
        let key = PrivateDecryptingKey::from_pkcs8(der).map_err(|_| RsaKeyError("read"))?;
        let error = |_| RsaKeyError("used");
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(&key.public_key()).map_err(error)?;
        let public_pem = pem("PUBLIC KEY", public.as_ref());
        Ok(Self { private: Pkcs1PrivateDecryptingKey::new(key).map_err(error)?, public_pem })
    }

    /// The public key as PEM (SubjectPublicKeyInfo, RFC 7468 section 13).
    pub(crate) fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// Decodes a text that has the form of a ciphertext for this key: base64 of the right length.
    pub(crate) fn ciphertext(&self, text: &str) -> Option<Vec<u8>> {
        let length = self.private.key_size_bytes();
        let shortest = length - DROPPED_AT_MOST;
        // Avoids decoding long texts in vain.
        (text.len() <= length.div_ceil(3) * 4).then_some(())?;
        let decoded = STANDARD.decode(text).ok().filter(|d| (shortest..=length).contains(&d.len()))?;
        let mut ciphertext = vec![0; length - decoded.len()];
        ciphertext.extend_from_slice(&decoded);
        Some(ciphertext)
    }

    /// Decrypts. `None` if the padding is wrong or the content is not UTF-8. Takes about a millisecond. The
    /// caller must not reveal whether this returned `None`: that would help an attacker decrypt intercepted
    /// ciphertexts (Bleichenbacher 1998).
    pub(crate) fn decrypt(&self, ciphertext: &[u8]) -> Option<SecretString> {
        let mut buffer = Zeroizing::new(vec![0; self.private.min_output_size()]);
        let plain = self.private.decrypt(ciphertext, &mut buffer).ok()?;
        std::str::from_utf8(plain).ok().map(SecretString::from)
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut encoded = STANDARD.encode(der);
    while !encoded.is_empty() {
        let rest = encoded.split_off(encoded.len().min(PEM_LINE));
        text.push_str(&encoded);
        text.push('\n');
        encoded = rest;
    }
    text + "-----END " + label + "-----\n"
}

#[cfg(test)]
pub(super) mod tests {
    use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey};
    use secrecy::ExposeSecret as _;

    use super::*;

    /// Encrypts like a client, which only has the PEM.
    pub(in crate::credentials::password) fn encrypt(public_pem: &str, plain: &[u8]) -> Vec<u8> {
        let base64: String = public_pem.lines().filter(|line| !line.starts_with('-')).collect();
        let public = PublicEncryptingKey::from_der(&STANDARD.decode(base64).unwrap()).unwrap();
        let public = Pkcs1PublicEncryptingKey::new(public).unwrap();
        let mut ciphertext = vec![0; public.ciphertext_size()];
        public.encrypt(plain, &mut ciphertext).unwrap().to_vec()
    }

    #[test]
    fn what_a_client_encrypts_is_decrypted() {
        let key = RsaKey::from_pkcs8(&RsaKey::generate().unwrap()).unwrap();
        assert!(key.public_pem().starts_with("-----BEGIN PUBLIC KEY-----\nMIIB"));
        assert!(key.public_pem().ends_with("\n-----END PUBLIC KEY-----\n"));
        assert!(key.public_pem().lines().all(|line| line.len() <= 64));

        let text = STANDARD.encode(encrypt(key.public_pem(), "密码 and password".as_bytes()));
        let ciphertext = key.ciphertext(&text).expect("it has the form");
        assert_eq!(key.decrypt(&ciphertext).unwrap().expose_secret(), "密码 and password");

        let mut damaged = ciphertext.clone();
        damaged[100] ^= 1;
        assert!(key.decrypt(&damaged).is_none());
        assert!(key.decrypt(&ciphertext[1..]).is_none());
        let no_text = encrypt(key.public_pem(), &[0xff, 0xfe]);
        assert!(key.decrypt(&no_text).is_none());
    }

    #[test]
    fn a_ciphertext_that_lost_its_leading_zeros_is_still_one() {
        let key = RsaKey::from_pkcs8(&RsaKey::generate().unwrap()).unwrap();
        let text = (0..100_000).map(|_| encrypt(key.public_pem(), b"password")).find(|c| c[0] == 0).unwrap();
        let ciphertext = key.ciphertext(&STANDARD.encode(&text[1..])).unwrap();
        assert_eq!(key.decrypt(&ciphertext).unwrap().expose_secret(), "password");
    }

    #[test]
    fn other_texts_do_not_have_the_form() {
        let key = RsaKey::from_pkcs8(&RsaKey::generate().unwrap()).unwrap();
        for length in [0, 1, 128, 251, 257, 512] {
            assert!(key.ciphertext(&STANDARD.encode(vec![7; length])).is_none(), "{length}");
        }
        assert!(key.ciphertext("correct horse battery staple").is_none());
        assert!(key.ciphertext(&"密".repeat(114)).is_none());
    }
}
