//! How pools send messages. Written by [`PutSender`], read when messages are sent.
//!
//! Each setting is JSON, sealed for its pool and its kind: [`MailSettings`], [`SmsSettings`], [`Templates`].

use std::sync::Arc;

use hufu_connect::{MailSettings, SmsSettings, Templates};
use hufu_protocol::sealing::{OpenError, SealingKey};
use hufu_store::senders::{self, SenderKind, StoredSender};
use hufu_store::{StoreError, Tx, config};
use hufu_types::{PoolId, Random, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::change::{self, Operation, Outcome, Rejection, created, is_expected};
use super::pools::key_differences;

/// The settings of one pool. Without a sender, nothing is sent; in development, messages go to the outbox.
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
    /// The parser's own message is dropped, because it may quote a value.
    #[error("its content is not what this version writes: set it again")]
    Content,
}

impl SenderSettings {
    /// Unseals the stored settings of a pool.
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

/// Sets how a pool sends e-mail or SMS, or the texts of its messages.
#[derive(Clone)]
pub struct PutSender {
    /// The pool.
    pub pool: PoolId,
    /// The wanted setting.
    pub sender: Sender,
    /// The revision that the caller last saw, to detect concurrent changes. 0 for a new setting, `None` to
    /// skip the check.
    pub expected: Option<i64>,
    /// The key that seals the setting.
    pub sealing: Arc<SealingKey>,
    /// The source of randomness for sealing.
    pub random: Arc<dyn Random>,
}

/// Removes such a setting, if it exists.
#[derive(Clone, Debug)]
pub struct RemoveSender {
    /// The pool.
    pub pool: PoolId,
    /// The kind of setting to remove.
    pub kind: SenderKind,
    /// The revision that the caller last saw, to detect concurrent changes. `None` to skip the check.
    pub expected: Option<i64>,
}

/// One messaging setting of a pool.
#[derive(Clone, Debug)]
pub enum Sender {
    /// How e-mail is sent.
    Email(MailSettings),
    /// How text messages are sent.
    Sms(SmsSettings),
    /// The texts of messages.
    Templates(Templates),
}

impl Sender {
    /// The kind of setting.
    pub const fn kind(&self) -> SenderKind {
        match self {
            Self::Email(_) => SenderKind::Email,
            Self::Sms(_) => SenderKind::Sms,
            Self::Templates(_) => SenderKind::Templates,
        }
    }

    /// The JSON to be stored, unsealed.
    pub(super) fn json(&self) -> Result<Map<String, Json>, serde_json::Error> {
        let json = match self {
            Self::Email(settings) => serde_json::to_value(settings),
            Self::Sms(settings) => serde_json::to_value(settings),
            Self::Templates(templates) => serde_json::to_value(templates),
        };
        Ok(match json? {
            Json::Object(object) => object,
            _ => Map::new(),
        })
    }
}

/// The keys that differ from the stored setting. `None` if that cannot be unsealed, for example because the
/// key was lost.
pub(super) fn differences(
    present: &StoredSender,
    wanted: &Map<String, Json>,
    sealing: &SealingKey,
) -> Option<Vec<String>> {
    let Json::Object(present) = open::<Json>(present, sealing).ok()? else { return None };
    Some(key_differences(&present, wanted).into_iter().map(str::to_owned).collect())
}

impl Operation for PutSender {
    type Object = StoredSender;

    fn pool(&self) -> &PoolId {
        &self.pool
    }

    fn object(&self) -> (&'static str, String) {
        (self.sender.kind().as_str(), self.pool.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<StoredSender>, StoreError> {
        let kind = self.sender.kind();
        let present = senders::get(tx, &self.pool, kind).await?;
        if let (false, Some(expected)) = (is_expected(self.expected, present.as_ref()), self.expected) {
            return Ok(Outcome::Conflict { expected, now: present });
        }
        if config::pool(tx, &self.pool).await?.is_none() {
            return Ok(Outcome::Rejected(Rejection::NoPool));
        }
        let wanted = self.sender.json()?;
        let changed = match &present {
            None => created(),
            Some(present) => {
                let unreadable = || vec!["unreadable".to_owned()];
                differences(&present.value, &wanted, &self.sealing).unwrap_or_else(unreadable)
            }
        };
        if changed.is_empty() {
            return Ok(Outcome::Done { now: present, changed });
        }
        let sealed = seal(&self.pool, kind, &wanted, &self.sealing, &*self.random)?;
        senders::put(tx, &sealed, now).await?;
        Ok(Outcome::Done { now: senders::get(tx, &self.pool, kind).await?, changed })
    }
}

impl Operation for RemoveSender {
    type Object = StoredSender;

    fn pool(&self) -> &PoolId {
        &self.pool
    }

    fn object(&self) -> (&'static str, String) {
        (self.kind.as_str(), self.pool.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, _now: Timestamp) -> Result<Outcome<StoredSender>, StoreError> {
        let present = senders::get(tx, &self.pool, self.kind).await?;
        if let (false, Some(expected)) = (is_expected(self.expected, present.as_ref()), self.expected) {
            return Ok(Outcome::Conflict { expected, now: present });
        }
        let removed = senders::delete(tx, &self.pool, self.kind).await?;
        let changed = if removed { change::removed() } else { Vec::new() };
        Ok(Outcome::Done { now: None, changed })
    }
}

/// Seals a setting for its pool and kind.
fn seal(
    pool: &PoolId,
    kind: SenderKind,
    settings: &Map<String, Json>,
    key: &SealingKey,
    random: &dyn Random,
) -> Result<StoredSender, serde_json::Error> {
    let json = zeroize::Zeroizing::new(serde_json::to_vec(settings)?);
    let sealed = key.seal(random, &context(pool, kind), &json);
    Ok(StoredSender { pool: pool.clone(), kind, sealed })
}

/// Unseals a setting.
pub(crate) fn open<T: DeserializeOwned>(stored: &StoredSender, key: &SealingKey) -> Result<T, SenderError> {
    let json = key.open(&context(&stored.pool, stored.kind), &stored.sealed)?;
    serde_json::from_slice(json.expose()).map_err(|_| SenderError::Content)
}

/// The sealing context of a setting.
fn context(pool: &PoolId, kind: SenderKind) -> String {
    context_of(pool.as_str(), kind.as_str())
}

/// The same, by the names in the table.
pub(crate) fn context_of(pool: &str, kind: &str) -> String {
    format!("sender:{pool}:{kind}")
}
