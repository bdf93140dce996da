//! SMS messages, and three kinds of provider.

mod aliyun;
mod http;
mod tencent;

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use hufu_types::{Language, Phone};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{SendError, TemplateKind};

pub use aliyun::{AliyunSettings, AliyunSms};
pub use http::{Accepted, HttpSettings, HttpSms};
pub use tencent::{Parameter, TencentSettings, TencentSms};

/// A message to one number.
#[derive(Clone, Debug)]
pub struct Sms {
    /// The recipient.
    pub to: Phone,
    /// The code. None for a message that only tells something.
    pub code: Option<SecretString>,
    /// For how many minutes it is valid.
    pub minutes: u32,
    /// The purpose. Providers that only send approved templates choose the template by it.
    pub template: TemplateKind,
    /// The language.
    pub language: Language,
    /// The complete text, for providers that accept one.
    pub text: String,
}

/// Sends SMS messages.
pub trait SmsSender: Send + Sync {
    /// Passes a message to the provider. It is sent at most once, because providers charge for each one.
    fn send<'a>(&'a self, sms: &'a Sms) -> BoxFuture<'a, Result<(), SendError>>;

    /// Whether the provider has a template for this message, or accepts any text. Every provider has one for
    /// codes.
    fn has_template(&self, sms: &Sms) -> bool;
}

/// The calling code of mainland China, for which both clouds have separate templates.
const MAINLAND: &str = "+86";

/// The provider's approved template for a message: for foreign numbers, the one for those; otherwise the one
/// for the purpose, or else the default. Only the one for its purpose fits a message without a code.
fn approved_template<'a>(
    sms: &Sms,
    common: &'a str,
    by_kind: &'a BTreeMap<TemplateKind, String>,
    abroad: Option<&'a String>,
) -> Option<&'a str> {
    let is_abroad = sms.to.parts().0 != MAINLAND;
    let of_kind = by_kind.get(&sms.template);
    if sms.code.is_none() {
        return of_kind.filter(|_| !is_abroad).map(String::as_str);
    }
    Some(abroad.filter(|_| is_abroad).or(of_kind).map_or(common, String::as_str))
}

impl Sms {
    /// The code; empty if there is none.
    fn code(&self) -> &str {
        self.code.as_ref().map_or("", |code| code.expose_secret())
    }
}
