//! Message pushes: their signatures and their encryption.
//!
//! Source: WeChat's pages "message push" and "message encryption and decryption". The same scheme is used for
//! mini programs, official accounts, third-party platforms and, with a different trailing id, WeCom.

use aes::cipher::{BlockDecryptMut as _, BlockEncryptMut as _, KeyIvInit as _, block_padding::NoPadding};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::zeroize::Zeroizing;
use subtle::ConstantTimeEq as _;

use super::{BLOCK, DecryptError, LENIENT, same, sha1_hex, unpad};

/// Messages are padded to a multiple of this, twice the cipher's own block.
const PADDING_BLOCK: usize = 32;

/// Random bytes, then the message length in four bytes.
const HEADER: usize = 16 + 4;

/// The `signature` of a URL check and of a plain push: SHA-1 of token, timestamp and nonce in byte order.
pub fn url_signature(token: &str, timestamp: &str, nonce: &str) -> String {
    let mut parts = [token.as_bytes(), timestamp.as_bytes(), nonce.as_bytes()];
    parts.sort_unstable();
    sha1_hex(parts)
}

/// Whether `signature` is valid for a URL check or a plain push.
pub fn verify_url(token: &str, timestamp: &str, nonce: &str, signature: &str) -> bool {
    same(&url_signature(token, timestamp, nonce), signature)
}

/// The `msg_signature` of an encrypted push or reply, which covers the ciphertext as well.
pub fn message_signature(token: &str, timestamp: &str, nonce: &str, encrypted: &str) -> String {
    let mut parts = [token.as_bytes(), timestamp.as_bytes(), nonce.as_bytes(), encrypted.as_bytes()];
    parts.sort_unstable();
    sha1_hex(parts)
}

/// Whether `signature` is the `msg_signature` of an encrypted push. For encrypted pushes, check this instead
/// of `signature`.
pub fn verify_message(token: &str, timestamp: &str, nonce: &str, encrypted: &str, signature: &str) -> bool {
    same(&message_signature(token, timestamp, nonce, encrypted), signature)
}

/// An EncodingAESKey: 43 letters and digits, base64 of 32 bytes without its padding.
#[derive(Clone)]
pub struct EncodingAesKey(Zeroizing<[u8; 32]>);

/// The text is not an EncodingAESKey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an EncodingAESKey has 43 letters and digits")]
pub struct InvalidAesKey;

impl EncodingAesKey {
    /// Parses a key.
    pub fn parse(text: &str) -> Result<Self, InvalidAesKey> {
        if text.len() != 43 || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(InvalidAesKey);
        }
        let bytes = Zeroizing::new(LENIENT.decode(text).map_err(|_| InvalidAesKey)?);
        let key = bytes.as_slice().try_into().map_err(|_| InvalidAesKey)?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// The first half of the key is also its IV.
    fn iv(&self) -> [u8; BLOCK] {
        let mut iv = [0; BLOCK];
        for (to, from) in iv.iter_mut().zip(self.0.iter()) {
            *to = *from;
        }
        iv
    }
}

impl std::fmt::Debug for EncodingAesKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EncodingAesKey(***)")
    }
}

/// Decrypts the `Encrypt` field of a push. `receiver` is the AppID to which it must be addressed: that of the
/// app, of the third-party platform that receives the push in its place, or a WeCom id. Check
/// [`verify_message`] first.
pub fn decrypt(key: &EncodingAesKey, encrypted: &str, receiver: &str) -> Result<Vec<u8>, DecryptError> {
    let mut data = LENIENT.decode(encrypted).map_err(|_| DecryptError)?;
    cbc::Decryptor::<aes::Aes256>::new(key.0.as_slice().into(), &key.iv().into())
        .decrypt_padded_mut::<NoPadding>(&mut data)
        .map_err(|_| DecryptError)?;
    unpad(&mut data, PADDING_BLOCK)?;

    let length: [u8; 4] =
        data.get(BLOCK..HEADER).and_then(|length| length.try_into().ok()).ok_or(DecryptError)?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| DecryptError)?;
    let end = HEADER.checked_add(length).ok_or(DecryptError)?;
    let addressee = data.get(end..).ok_or(DecryptError)?;
    if !bool::from(addressee.ct_eq(receiver.as_bytes())) {
        return Err(DecryptError);
    }
    data.truncate(end);
    data.drain(..HEADER);
    Ok(data)
}

/// Encrypts a reply (or, in a simulator, a push) for `receiver`. `random` must be fresh random bytes. Returns
/// base64.
pub fn encrypt(key: &EncodingAesKey, random: &[u8; 16], message: &[u8], receiver: &str) -> String {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut data = Vec::with_capacity(HEADER + message.len() + receiver.len() + PADDING_BLOCK);
    data.extend_from_slice(random);
    data.extend_from_slice(&length.to_be_bytes());
    data.extend_from_slice(message);
    data.extend_from_slice(receiver.as_bytes());
    let pad = PADDING_BLOCK - data.len() % PADDING_BLOCK;
    data.resize(data.len() + pad, u8::try_from(pad).unwrap_or_default());

    let sealed = cbc::Encryptor::<aes::Aes256>::new(key.0.as_slice().into(), &key.iv().into())
        .encrypt_padded_vec_mut::<NoPadding>(&data);
    STANDARD.encode(sealed)
}
