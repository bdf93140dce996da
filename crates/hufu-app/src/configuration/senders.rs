//! How pools send messages: written by [`PutSender`], read by whoever sends.
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

use super::change::{Operation, Outcome, Rejection, created, is_expected};
use super::pools::key_differences;

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

/// Sets how a pool sends e-mail or SMS, or what its messages say.
#[derive(Clone)]
pub struct PutSender {
    /// Of which pool.
    pub pool: PoolId,
    /// What it is to be.
    pub sender: Sender,
    /// The revision that the caller knows, if it matters; 0 where there is to be none yet.
    pub expected: Option<i64>,
    /// Seals it.
    pub sealing: Arc<SealingKey>,
    /// Randomness for that.
    pub random: Arc<dyn Random>,
}

/// Takes such a setting away, if it is there.
#[derive(Clone, Debug)]
pub struct RemoveSender {
    /// Of which pool.
    pub pool: PoolId,
    /// Which.
    pub kind: SenderKind,
    /// The revision that the caller knows, if it matters.
    pub expected: Option<i64>,
}

/// One setting of a pool about messages.
#[derive(Clone, Debug)]
pub enum Sender {
    /// How e-mail is sent.
    Email(MailSettings),
    /// How text messages are sent.
    Sms(SmsSettings),
    /// What messages say.
    Templates(Templates),
}

impl Sender {
    /// What it is about.
    pub const fn kind(&self) -> SenderKind {
        match self {
            Self::Email(_) => SenderKind::Email,
            Self::Sms(_) => SenderKind::Sms,
            Self::Templates(_) => SenderKind::Templates,
        }
    }

    /// What is stored, unsealed.
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

/// What differs from what is stored; nothing where that cannot be opened, as after the loss of the key.
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
        let changed = if removed { vec!["removed".to_owned()] } else { Vec::new() };
        Ok(Outcome::Done { now: None, changed })
    }
}

/// Seals a setting.
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
