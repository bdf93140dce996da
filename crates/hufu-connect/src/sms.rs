//! Text messages, and three kinds of provider.

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
    /// To whom.
    pub to: Phone,
    /// The code.
    pub code: SecretString,
    /// For how many minutes it is valid.
    pub minutes: u32,
    /// What it is for. Providers that only send approved templates choose by it.
    pub template: TemplateKind,
    /// In which language.
    pub language: Language,
    /// The whole text, for providers that accept one.
    pub text: String,
}

/// Sends text messages.
pub trait SmsSender: Send + Sync {
    /// Passes a message to the provider. It is sent at most once, since providers charge for each.
    fn send<'a>(&'a self, sms: &'a Sms) -> BoxFuture<'a, Result<(), SendError>>;
}

/// The calling code of mainland China, where both clouds have templates of their own.
const MAINLAND: &str = "+86";

/// Which of a provider's approved templates fits a message: abroad, the one for foreign numbers; otherwise
/// the one for the purpose, or the default one.
fn approved_template<'a>(
    sms: &Sms,
    common: &'a str,
    by_kind: &'a BTreeMap<TemplateKind, String>,
    abroad: Option<&'a String>,
) -> &'a str {
    let abroad = abroad.filter(|_| sms.to.parts().0 != MAINLAND);
    abroad.or_else(|| by_kind.get(&sms.template)).map_or(common, String::as_str)
}
