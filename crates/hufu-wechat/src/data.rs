//! Data that a client brings sealed under its session key.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    crypto::{DecryptError, decrypt_data},
    identity::SessionKey,
    wire::{Watermark, from_json},
};

/// How far ahead of ours WeChat's clock may be: clocks of servers drift, and a watermark of the future is no
/// attack as long as the seal holds.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(10 * 60);

/// Why sealed data is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// Wrong key, most often because the client logged in again after it got the data; or damaged.
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
    /// It opens, but holds no JSON of the expected shape.
    #[error("the sealed data is not what it should be")]
    WrongShape,
    /// It was sealed for another app, or says not for which.
    #[error("the sealed data is for another app")]
    OtherApp,
    /// It was sealed too long ago, or ahead of time.
    #[error("the sealed data is too old")]
    Stale,
}

/// Opens `encryptedData` and accepts it only if it was sealed for `app_id`, at most `max_age` before `now`
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

/// Whether a watermark's `timestamp` is at most `max_age` before `now` and at most [`MAX_CLOCK_SKEW`] after it;
/// both in Unix seconds.
pub fn is_fresh(timestamp: i64, now: i64, max_age: Duration) -> bool {
    let seconds = |limit: Duration| i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    let age = now.saturating_sub(timestamp);
    age <= seconds(max_age) && age >= -seconds(MAX_CLOCK_SKEW)
}
