//! Encryption of stored secrets: AES-256-GCM with one key per instance.
//!
//! A sealed secret consists of a version byte, the key's id (8 bytes), the nonce (12 bytes) and the
//! ciphertext with its tag (16 bytes). It can only be opened in the context in which it was sealed, so a
//! value copied to another row cannot be opened.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hmac;
use hufu_types::Random;
use zeroize::Zeroizing;

use crate::SecretBytes;

const VERSION: u8 = 1;
const KEY_ID_LENGTH: usize = 8;
const TAG_LENGTH: usize = 16;
const KEY_ID_LABEL: &[u8] = b"hufu sealing key id\0";
const MAC_LABEL: &[u8] = b"hufu keyed hashes\0";

/// Why a sealed secret cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was sealed with another key.
    #[error("the secret is sealed with a different key, {wanted}")]
    OtherKey {
        /// The id of the key that can open it, as returned by [`SealingKey::key_id`].
        wanted: String,
    },
    /// It is not a sealed secret, or has a later version.
    #[error("not a sealed secret of a known version")]
    Malformed,
    /// It was modified, or it was sealed for a different context.
    #[error("the sealed secret was changed or belongs elsewhere")]
    Refused,
}

/// The key that protects the secrets of an instance.
pub struct SealingKey {
    key: LessSafeKey,
    mac: hmac::Key,
    id: [u8; KEY_ID_LENGTH],
}

impl SealingKey {
    /// Creates the key from 32 unpredictable bytes.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "the library rejects only other lengths"
    )]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let key = UnboundKey::new(&AES_256_GCM, bytes.as_slice()).expect("AES-256 takes 32 bytes");
        let mac = derive(&hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice()), MAC_LABEL);
        Self { key: LessSafeKey::new(key), mac, id: key_id(&bytes) }
    }

    /// Identifies the key without revealing anything about it: 16 hexadecimal digits.
    pub fn key_id(&self) -> String {
        hex::encode(self.id)
    }

    /// A keyed hash: HMAC-SHA-256 (RFC 2104) with a key derived for the context. For values too short to be
    /// hashed without a key, such as six-digit codes, which an attacker who has the database could otherwise
    /// find by trying them all.
    pub fn mac(&self, context: &str, data: &[u8]) -> [u8; 32] {
        tag(&derive(&self.mac, context.as_bytes()), data)
    }

    /// Encrypts a secret. The context says what the secret is and who owns it; opening requires the same
    /// context. Nonces are random, which is safe for about 2³² secrets per key (NIST SP 800-38D 8.3).
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "the library rejects only 64 GiB or more"
    )]
    pub fn seal(&self, random: &dyn Random, context: &str, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);

        // Allocated once, so that no reallocation leaves a copy of the plaintext behind.
        let mut sealed = Vec::with_capacity(1 + KEY_ID_LENGTH + NONCE_LEN + plain.len() + TAG_LENGTH);
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(&nonce);
        let head = sealed.len();
        sealed.extend_from_slice(plain);

        let (_, body) = sealed.split_at_mut(head);
        let tag = self
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context.as_bytes()),
                body,
            )
            .expect("AES-GCM encrypts any secret that fits in memory");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Decrypts what [`Self::seal`] encrypted with this key and in the same context.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<SecretBytes, OpenError> {
        let parts = Parts::split(sealed).ok_or(OpenError::Malformed)?;
        if parts.key_id != self.id {
            return Err(OpenError::OtherKey { wanted: hex::encode(parts.key_id) });
        }
        let mut plain = Zeroizing::new(vec![0; parts.ciphertext.len()]);
        let nonce = Nonce::assume_unique_for_key(parts.nonce);
        self.key
            .open_separate_gather(
                nonce,
                Aad::from(context.as_bytes()),
                parts.ciphertext,
                parts.tag,
                &mut plain,
            )
            .map_err(|_| OpenError::Refused)?;
        Ok(SecretBytes::new(std::mem::take(&mut *plain)))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({}, redacted)", self.key_id())
    }
}

struct Parts<'a> {
    key_id: [u8; KEY_ID_LENGTH],
    nonce: [u8; NONCE_LEN],
    ciphertext: &'a [u8],
    tag: &'a [u8],
}

impl<'a> Parts<'a> {
    fn split(sealed: &'a [u8]) -> Option<Self> {
        let rest = sealed.strip_prefix(&[VERSION])?;
        let (key_id, rest) = rest.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG_LENGTH>()?;
        Some(Self { key_id: *key_id, nonce: *nonce, ciphertext, tag })
    }
}

/// Derives a key for one purpose: a MAC of the purpose with the master key (NIST SP 800-108, with one block).
fn derive(master: &hmac::Key, purpose: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, Zeroizing::new(tag(master, purpose)).as_slice())
}

fn tag(key: &hmac::Key, data: &[u8]) -> [u8; 32] {
    hmac::sign(key, data).as_ref().first_chunk().copied().unwrap_or_default()
}

fn key_id(key: &[u8; 32]) -> [u8; KEY_ID_LENGTH] {
    let mut hash = Context::new(&SHA256);
    hash.update(KEY_ID_LABEL);
    hash.update(key);
    let hash = hash.finish();
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}
