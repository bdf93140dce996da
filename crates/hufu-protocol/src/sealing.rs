//! Encryption of stored secrets: AES-256-GCM with the keys of the instance, of which one seals and all open.
//!
//! A sealed secret consists of a version byte, the key's id (8 bytes), the nonce (12 bytes) and the
//! ciphertext with its tag (16 bytes). It can only be opened in the context in which it was sealed, so a
//! value copied to another row cannot be opened.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

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
/// The context of the key of keyed hashes, where it is stored.
const HASH_KEY_CONTEXT: &str = "key of the keyed hashes";

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

/// The key that protects the secrets of an instance, and those that did so before or will. They can be replaced while
/// they are used.
pub struct SealingKey(RwLock<Arc<Ring>>);

/// The keys at one time.
struct Ring {
    /// The one that seals comes first.
    keys: Vec<Arc<Key>>,
    /// The key of keyed hashes. It outlives the sealing key that it was derived from.
    hashes: Zeroizing<[u8; 32]>,
    /// The same, ready for use.
    mac: hmac::Key,
}

impl Ring {
    fn new(keys: Vec<Arc<Key>>, hashes: Zeroizing<[u8; 32]>) -> Arc<Self> {
        let mac = hmac::Key::new(hmac::HMAC_SHA256, hashes.as_slice());
        Arc::new(Self { keys, hashes, mac })
    }
}

struct Key {
    key: LessSafeKey,
    id: [u8; KEY_ID_LENGTH],
    hashes: Zeroizing<[u8; 32]>,
}

impl Key {
    #[expect(clippy::expect_used, reason = "the library rejects only other lengths")]
    fn new(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let key = UnboundKey::new(&AES_256_GCM, bytes.as_slice()).expect("AES-256 takes 32 bytes");
        let hashes = derive(&hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice()), MAC_LABEL);
        Self { key: LessSafeKey::new(key), id: key_id(&bytes), hashes }
    }
}

impl SealingKey {
    /// Creates the key from 32 unpredictable bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self::of(bytes, [])
    }

    /// Creates a key with others that only open. Keyed hashes are those of the first one.
    pub fn of(bytes: [u8; 32], others: impl IntoIterator<Item = [u8; 32]>) -> Self {
        let first = Key::new(bytes);
        let hashes = first.hashes.clone();
        let keys = std::iter::once(first).chain(others.into_iter().map(Key::new)).map(Arc::new).collect();
        Self(RwLock::new(Ring::new(keys, hashes)))
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Identifies the key that seals, without revealing anything about it: 16 hexadecimal digits.
    pub fn key_id(&self) -> String {
        self.key_ids().into_iter().next().unwrap_or_default()
    }

    /// The ids of all keys. The one that seals comes first.
    pub fn key_ids(&self) -> Vec<String> {
        self.ring().keys.iter().map(|key| hex::encode(key.id)).collect()
    }

    /// Takes over the keys of another one, for all who hold this one.
    pub fn become_like(&self, other: &Self) {
        let ring = other.ring();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = ring;
    }

    /// The same keys, of which the one with this id seals. Keyed hashes stay. `None` if there is no such key.
    #[must_use]
    pub fn sealing_with(&self, id: &str) -> Option<Self> {
        let ring = self.ring();
        let (mut keys, others): (Vec<_>, Vec<_>) =
            ring.keys.iter().cloned().partition(|key| hex::encode(key.id) == id);
        if keys.is_empty() {
            return None;
        }
        keys.extend(others);
        Some(Self(RwLock::new(Ring::new(keys, ring.hashes.clone()))))
    }

    /// The same keys, with the keyed hashes of the one that seals.
    #[must_use]
    pub fn with_own_hashes(self) -> Self {
        let keys = self.ring().keys.clone();
        let hashes = keys.first().map(|key| key.hashes.clone()).unwrap_or_default();
        Self(RwLock::new(Ring::new(keys, hashes)))
    }

    /// What every value begins with that the key with this id seals. `None` if that is no id.
    pub fn prefix_of(id: &str) -> Option<Vec<u8>> {
        let id = hex::decode(id).ok().filter(|id| id.len() == KEY_ID_LENGTH)?;
        Some([&[VERSION], id.as_slice()].concat())
    }

    /// The key of keyed hashes, sealed, so that hashes stay as they are when another key seals.
    pub fn sealed_hash_key(&self, random: &dyn Random) -> Vec<u8> {
        let hashes = self.ring().hashes.clone();
        self.seal(random, HASH_KEY_CONTEXT, hashes.as_slice())
    }

    /// The same keys with a stored key of keyed hashes.
    ///
    /// # Errors
    /// [`OpenError`] if none of the keys opens it.
    pub fn with_hash_key(&self, sealed: &[u8]) -> Result<Self, OpenError> {
        let opened = self.open(HASH_KEY_CONTEXT, sealed)?;
        let hashes = opened.expose().try_into().map_err(|_| OpenError::Malformed)?;
        let keys = self.ring().keys.clone();
        Ok(Self(RwLock::new(Ring::new(keys, Zeroizing::new(hashes)))))
    }

    /// Seals a value again with the key that seals now. `None` if it is sealed with that one already.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn reseal(
        &self,
        random: &dyn Random,
        context: &str,
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>, OpenError> {
        let parts = Parts::split(sealed).ok_or(OpenError::Malformed)?;
        if self.ring().keys.first().is_some_and(|key| key.id == parts.key_id) {
            return Ok(None);
        }
        let opened = self.open(context, sealed)?;
        Ok(Some(self.seal(random, context, opened.expose())))
    }

    /// The context of the key of keyed hashes, for [`Self::reseal`].
    pub const fn hash_key_context() -> &'static str {
        HASH_KEY_CONTEXT
    }

    /// A keyed hash: HMAC-SHA-256 (RFC 2104) with a key derived for the context. For values too short to be
    /// hashed without a key, such as six-digit codes, which an attacker who has the database could otherwise
    /// find by trying them all.
    pub fn mac(&self, context: &str, data: &[u8]) -> [u8; 32] {
        let derived = derive(&self.ring().mac, context.as_bytes());
        tag(&hmac::Key::new(hmac::HMAC_SHA256, derived.as_slice()), data)
    }

    /// Encrypts a secret. The context says what the secret is and who owns it; opening requires the same
    /// context. Nonces are random, which is safe for about 2³² secrets per key (NIST SP 800-38D 8.3).
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "there is always a key, and the library rejects only 64 GiB or more"
    )]
    pub fn seal(&self, random: &dyn Random, context: &str, plain: &[u8]) -> Vec<u8> {
        let ring = self.ring();
        let key = ring.keys.first().expect("a key is made with the ring");
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);

        // Allocated once, so that no reallocation leaves a copy of the plaintext behind.
        let mut sealed = Vec::with_capacity(1 + KEY_ID_LENGTH + NONCE_LEN + plain.len() + TAG_LENGTH);
        sealed.push(VERSION);
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(&nonce);
        let head = sealed.len();
        sealed.extend_from_slice(plain);

        let (_, body) = sealed.split_at_mut(head);
        let tag = key
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

    /// Decrypts what [`Self::seal`] encrypted with one of these keys and in the same context.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<SecretBytes, OpenError> {
        let parts = Parts::split(sealed).ok_or(OpenError::Malformed)?;
        let ring = self.ring();
        let Some(key) = ring.keys.iter().find(|key| key.id == parts.key_id) else {
            return Err(OpenError::OtherKey { wanted: hex::encode(parts.key_id) });
        };
        let mut plain = Zeroizing::new(vec![0; parts.ciphertext.len()]);
        let nonce = Nonce::assume_unique_for_key(parts.nonce);
        key.key
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

/// Derives the bytes of a key for one purpose: a MAC of the purpose with the master key (NIST SP 800-108, with one block).
fn derive(master: &hmac::Key, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(tag(master, purpose))
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
