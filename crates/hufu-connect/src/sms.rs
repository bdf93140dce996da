//! SMS messages, and three kinds of provider.

mod aliyun;
mod http;
mod tencent;

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use hufu_types::{Language, Phone};
use secrecy::SecretString;

use crate::{SendError, TemplateKind};

pub use aliyun::{AliyunSettings, AliyunSms};
pub use http::{Accepted, HttpSettings, HttpSms};
pub use tencent::{Parameter, TencentSettings, TencentSms};

/// A message to one number.
#[derive(Clone, Debug)]
pub struct Sms {
    /// The recipient.
    pub to: Phone,
    /// The code.
    pub code: SecretString,
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
}

/// The calling code of mainland China, for which both clouds have separate templates.
const MAINLAND: &str = "+86";

/// The provider's approved template for a message: for foreign numbers, the one for those; otherwise the one
/// for the purpose, or else the default.
fn approved_template<'a>(
    sms: &Sms,
    common: &'a str,
    by_kind: &'a BTreeMap<TemplateKind, String>,
    abroad: Option<&'a String>,
) -> &'a str {
    let abroad = abroad.filter(|_| sms.to.parts().0 != MAINLAND);
    abroad.or_else(|| by_kind.get(&sms.template)).map_or(common, String::as_str)
}
