//! Data that clients send encrypted with their session key.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    crypto::{DecryptError, decrypt_data},
    identity::SessionKey,
    wire::{Watermark, from_json},
};

/// How far WeChat's clock may be ahead of the local clock. Server clocks drift, and a watermark from the
/// future is no attack as long as the encryption is valid.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(10 * 60);

/// Why encrypted data is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// Wrong key, usually because the client logged in again after it got the data; or the data is damaged.
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
    /// It decrypts, but is not JSON of the expected shape.
    #[error("the encrypted data does not have the expected form")]
    WrongShape,
    /// It was encrypted for another app, or does not name one.
    #[error("the encrypted data is for another app")]
    OtherApp,
    /// It was encrypted too long ago, or in the future.
    #[error("the encrypted data is too old")]
    Stale,
}

/// Decrypts `encryptedData`. Accepts it only if it was encrypted for `app_id`, at most `max_age` before `now`
/// (Unix seconds) and at most [`MAX_CLOCK_SKEW`] after it.
pub fn open_user_data<T: DeserializeOwned>(
    key: &SessionKey,
    iv: &str,
    encrypted: &str,
    app_id: &str,
    now: i64,
    max_age: Duration,
) -> Result<T, DataError> {
    #[derive(Deserialize)]
    struct Sealed {
        watermark: Option<Watermark>,
    }

    let plain = decrypt_data(key, iv, encrypted)?;
    let sealed: Sealed = from_json(&plain).map_err(|_| DataError::WrongShape)?;
    let watermark = sealed.watermark.filter(|mark| mark.appid == app_id).ok_or(DataError::OtherApp)?;
    if !is_fresh(watermark.timestamp, now, max_age) {
        return Err(DataError::Stale);
    }
    from_json(&plain).map_err(|_| DataError::WrongShape)
}

/// Whether a watermark's `timestamp` is at most `max_age` before `now` and at most [`MAX_CLOCK_SKEW`] after
/// it. Both times are in Unix seconds.
pub fn is_fresh(timestamp: i64, now: i64, max_age: Duration) -> bool {
    let seconds = |limit: Duration| i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    let age = now.saturating_sub(timestamp);
    age <= seconds(max_age) && age >= -seconds(MAX_CLOCK_SKEW)
}
