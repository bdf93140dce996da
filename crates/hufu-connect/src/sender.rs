//! The stored settings for mail and SMS, and how to create senders from them.

use std::{fmt, sync::Arc};

use hufu_types::{Clock, Random};
use serde::{Deserialize, Serialize};

use crate::{
    BuildError, GuardedClient, Mailer, Outbox, SmsSender, Smtp, SmtpSettings,
    sms::{AliyunSettings, AliyunSms, HttpSettings, HttpSms, TencentSettings, TencentSms},
};

/// The dependencies of senders.
#[derive(Clone)]
pub struct SenderContext {
    /// Used to call providers.
    pub http: GuardedClient,
    /// In development, collects messages instead of sending them.
    pub outbox: Option<Outbox>,
    /// Provides the time for messages and signatures.
    pub clock: Arc<dyn Clock>,
    /// Generates nonces and message ids.
    pub random: Arc<dyn Random>,
}

impl fmt::Debug for SenderContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SenderContext")
    }
}

/// How mail is sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "provider", rename_all = "lowercase", deny_unknown_fields)]
pub enum MailSettings {
    /// Through a mail server.
    Smtp(SmtpSettings),
    /// Not sent, but kept in the development outbox.
    Outbox {},
}

impl MailSettings {
    /// Creates the sender described by the settings.
    ///
    /// # Errors
    /// [`BuildError`]
    pub fn build(&self, sender_context: &SenderContext) -> Result<Arc<dyn Mailer>, BuildError> {
        Ok(match self {
            Self::Smtp(settings) => Arc::new(Smtp::new(settings, sender_context)?),
            Self::Outbox {} => Arc::new(sender_context.outbox.clone().ok_or(BuildError::NoOutbox)?),
        })
    }
}

/// How SMS are sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "provider", rename_all = "lowercase", deny_unknown_fields)]
pub enum SmsSettings {
    /// Through Alibaba Cloud.
    Aliyun(AliyunSettings),
    /// Through Tencent Cloud.
    Tencent(TencentSettings),
    /// Through any provider that accepts JSON.
    Http(HttpSettings),
    /// Not sent, but kept in the development outbox.
    Outbox {},
}

impl SmsSettings {
    /// Creates the sender described by the settings.
    ///
    /// # Errors
    /// [`BuildError`]
    pub fn build(&self, sender_context: &SenderContext) -> Result<Arc<dyn SmsSender>, BuildError> {
        Ok(match self {
            Self::Aliyun(settings) => Arc::new(AliyunSms::new(settings, sender_context)?),
            Self::Tencent(settings) => Arc::new(TencentSms::new(settings, sender_context)?),
            Self::Http(settings) => Arc::new(HttpSms::new(settings, sender_context)?),
            Self::Outbox {} => Arc::new(sender_context.outbox.clone().ok_or(BuildError::NoOutbox)?),
        })
    }
}
