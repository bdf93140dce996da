//! How pools send messages, as `hufu apply` stores it and whoever sends reads it.
//!
//! Each setting is JSON, sealed for its pool and its kind: [`MailSettings`], [`SmsSettings`], [`Templates`].

use hufu_connect::{MailSettings, SmsSettings, Templates};
use hufu_protocol::sealing::{OpenError, SealingKey};
use hufu_store::senders::{SenderKind, StoredSender};
use hufu_types::{PoolId, Random};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The settings of one pool. Without a sender, nothing is sent; in development it goes to the outbox.
#[derive(Clone, Debug, Default)]
pub(crate) struct SenderSettings {
    pub(crate) email: Option<MailSettings>,
    pub(crate) sms: Option<SmsSettings>,
    pub(crate) templates: Templates,
}

/// Why a stored setting cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SenderError {
    #[error("it cannot be opened with this key")]
    Open(#[from] OpenError),
    #[error("it is not what this version writes")]
    Content(#[source] serde_json::Error),
}

impl SenderSettings {
    /// Opens what a pool has stored.
    pub(crate) fn open(stored: &[StoredSender], key: &SealingKey) -> Result<Self, SenderError> {
        let mut settings = Self::default();
        for sender in stored {
            match sender.kind {
                SenderKind::Email => settings.email = Some(open(sender, key)?),
                SenderKind::Sms => settings.sms = Some(open(sender, key)?),
                SenderKind::Templates => settings.templates = open(sender, key)?,
            }
        }
        Ok(settings)
    }
}

/// Seals a setting.
pub(crate) fn seal(
    pool: &PoolId,
    kind: SenderKind,
    settings: &impl Serialize,
    key: &SealingKey,
    random: &dyn Random,
) -> Result<StoredSender, serde_json::Error> {
    let json = zeroize::Zeroizing::new(serde_json::to_vec(settings)?);
    let sealed = key.seal(random, &context(pool, kind), &json);
    Ok(StoredSender { pool: pool.clone(), kind, sealed })
}

/// Opens a setting.
pub(crate) fn open<T: DeserializeOwned>(stored: &StoredSender, key: &SealingKey) -> Result<T, SenderError> {
    let json = key.open(&context(&stored.pool, stored.kind), &stored.sealed)?;
    // The library's own words may quote a value.
    serde_json::from_slice(json.expose()).map_err(SenderError::Content)
}

/// What a setting is sealed for.
fn context(pool: &PoolId, kind: SenderKind) -> String {
    format!("sender:{pool}:{}", kind.as_str())
}
