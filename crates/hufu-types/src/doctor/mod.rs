//! The sentences of checks of connections (`hufu doctor`), and what WeChat's error codes mean.

pub mod findings;
mod wechat_errors;

use std::sync::LazyLock;

use crate::Language;
use crate::texts::{Argument, Texts};

pub use findings::{FindingKey, Says};
pub use wechat_errors::{WECHAT_ERRORS, meaning_of, meaning_when_fetching_tokens};

/// The Fluent files, by language.
pub const FOR_ADMINISTRATORS: &[(Language, &str)] = &[
    (Language::SimplifiedChinese, include_str!("../../texts/doctor/zh-CN.ftl")),
    (Language::English, include_str!("../../texts/doctor/en.ftl")),
];

static TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts::new(FOR_ADMINISTRATORS));

/// What is said about something, in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What is so, or what is wrong.
    pub message: String,
    /// What it breaks.
    pub breaks: Option<String>,
    /// How to mend it, and where.
    pub mend: Option<String>,
}

/// The sentences under a key. Placeholders are filled in with the arguments.
pub fn explain(key: &'static str, arguments: &[(&'static str, Argument)], language: Language) -> Explanation {
    let language = language.for_integrators();
    let attribute = |name| TEXTS.find(language, key, Some(name), arguments);
    Explanation {
        message: TEXTS.say(language, key, None, arguments).into_owned(),
        breaks: attribute("breaks"),
        mend: attribute("mend"),
    }
}
