//! Ciphers and signatures of mini programs. Those of message pushes are in [`message`].
//!
//! Sources: WeChat's pages "signature verification and decryption of open data" and "login state signature".
//! Comparisons are constant-time. A failed decryption gives no details, so that it cannot be used as a
//! padding oracle.

pub mod message;

use aes::cipher::{BlockDecryptMut as _, BlockEncryptMut as _, KeyIvInit as _, block_padding};
use aws_lc_rs::hmac;
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;

use crate::identity::SessionKey;

/// The data cannot be decrypted: wrong key, damaged, or not encrypted this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the data cannot be decrypted")]
pub struct DecryptError;

/// Decodes base64 as leniently as WeChat's own libraries do. The last character of a 43-character key has
/// bits that belong to no byte and need not be zero, and padding may be missing.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const BLOCK: usize = 16;

/// Decrypts `encryptedData`: AES-128-CBC with PKCS#7, with all inputs in base64. Do not trust the result yet:
/// [`open_user_data`](crate::open_user_data) also checks the watermark.
pub fn decrypt_data(key: &SessionKey, iv: &str, encrypted: &str) -> Result<Vec<u8>, DecryptError> {
    let key = key.bytes().ok_or(DecryptError)?;
    let iv: [u8; BLOCK] = LENIENT.decode(iv).ok().and_then(|iv| iv.try_into().ok()).ok_or(DecryptError)?;
    let mut data = LENIENT.decode(encrypted).map_err(|_| DecryptError)?;
    if data.is_empty() {
        return Err(DecryptError);
    }
    let plain = cbc::Decryptor::<aes::Aes128>::new(key.as_slice().into(), &iv.into())
        .decrypt_padded_mut::<block_padding::NoPadding>(&mut data)
        .map_err(|_| DecryptError)?
        .len();
    data.truncate(plain);
    unpad(&mut data, BLOCK)?;
    Ok(data)
}

/// Encrypts data as WeChat does, for simulators and tests. Returns base64.
pub fn encrypt_data(key: &SessionKey, iv: &[u8; 16], plain: &[u8]) -> String {
    // A SessionKey can always be decoded. Zeros would only produce text that cannot be decrypted.
    let key = key.bytes().unwrap_or_default();
    let sealed = cbc::Encryptor::<aes::Aes128>::new(key.as_slice().into(), iv.into())
        .encrypt_padded_vec_mut::<block_padding::Pkcs7>(plain);
    STANDARD.encode(sealed)
}

/// The `signature` sent with `rawData`: the hexadecimal SHA-1 of the raw text followed by the key's base64
/// text. It proves that the client has a session with this key, but not that the data is true.
pub fn raw_data_signature(raw: &str, key: &SessionKey) -> String {
    sha1_hex([raw.as_bytes(), key.expose().as_bytes()])
}

/// Whether `signature` is valid for `raw`.
pub fn verify_raw_data(raw: &str, key: &SessionKey, signature: &str) -> bool {
    same(&raw_data_signature(raw, key), signature)
}

/// The login state signature: the hexadecimal HMAC-SHA-256 of `data` (the body of a POST, empty for a GET),
/// keyed with the key's base64 text.
pub fn session_signature(key: &SessionKey, data: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    hex::encode(hmac::sign(&key, data))
}

/// Whether `signature` is the login state signature for `data`.
pub fn verify_session_signature(key: &SessionKey, data: &[u8], signature: &str) -> bool {
    same(&session_signature(key, data), signature)
}

/// Compares two texts of public length in constant time.
fn same(expected: &str, given: &str) -> bool {
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

fn sha1_hex<const N: usize>(parts: [&[u8]; N]) -> String {
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// Removes PKCS#7 padding for blocks of up to `block` bytes. All padding bytes must agree.
fn unpad(data: &mut Vec<u8>, block: usize) -> Result<(), DecryptError> {
    let pad = *data.last().ok_or(DecryptError)?;
    let length = usize::from(pad);
    if length == 0 || length > block {
        return Err(DecryptError);
    }
    let end = data.len().checked_sub(length).ok_or(DecryptError)?;
    let padding = data.get(end..).ok_or(DecryptError)?;
    if padding.iter().fold(0, |differs, byte| differs | (byte ^ pad)) != 0 {
        return Err(DecryptError);
    }
    data.truncate(end);
    Ok(())
}
