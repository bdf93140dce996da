//! What a check finds.

use hufu_types::Language;
use hufu_types::doctor::{
    Explanation, FindingKey, explain, findings, meaning_of, meaning_when_fetching_tokens,
};
use hufu_types::refusal::Argument;
use hufu_wechat::{Class, Endpoint, Error, ErrorKind};

use super::checks::Menus;
use crate::App;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// To be known or to be set, without anything being wrong.
    Note,
    /// Something does not work as well as it could.
    Warning,
    /// Logins fail.
    Error,
}

impl Severity {
    /// The name in answers and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A check of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Whether the connection is switched on, used and available.
    Connection,
    /// Whether the source accepts the app's id and secret.
    Credentials,
    /// Whether the id is that of an app of this kind.
    KindOfApp,
    /// Whether an app token can be had.
    AppToken,
    /// The domains that have to be set at WeChat.
    Domains,
    /// Whether the file is served by which WeChat recognizes the owner of the domain.
    VerificationFile,
    /// Whether messages of an official account can arrive.
    Messages,
    /// Whether WeChat sends UnionIDs.
    UnionId,
    /// Whether the mini program is published.
    Published,
    /// Whether the mini program may ask for phone numbers.
    Phone,
}

impl Check {
    /// The name in answers and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Credentials => "credentials",
            Self::KindOfApp => "kind-of-app",
            Self::AppToken => "app-token",
            Self::Domains => "domains",
            Self::VerificationFile => "verification",
            Self::Messages => "messages",
            Self::UnionId => "unionid",
            Self::Published => "published",
            Self::Phone => "phone",
        }
    }
}

/// A finding of a check.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was checked.
    pub check: Check,
    /// How much it matters.
    pub severity: Severity,
    /// What was found: the key of its sentences. It is stable.
    pub key: &'static str,
    arguments: Vec<(&'static str, Argument)>,
    /// Names that have sentences of their own, such as the kind of app.
    named: Vec<(&'static str, &'static str)>,
    /// WeChat's `errcode`, if it answered with one.
    pub errcode: Option<i64>,
    /// WeChat's id of the request, which its support can look up for seven days.
    pub rid: Option<String>,
}

impl Finding {
    pub(crate) fn new(check: Check, severity: Severity, key: FindingKey) -> Self {
        Self::named(check, severity, key.name)
    }

    fn named(check: Check, severity: Severity, key: &'static str) -> Self {
        Self { check, severity, key, arguments: Vec::new(), named: Vec::new(), errcode: None, rid: None }
    }

    pub(crate) fn ok(check: Check, key: FindingKey) -> Self {
        Self::new(check, Severity::Ok, key)
    }

    /// Fills in a placeholder.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Argument>) -> Self {
        self.arguments.push((name, value.into()));
        self
    }

    /// Fills in a placeholder with what a key says.
    #[must_use]
    pub(crate) fn naming(mut self, name: &'static str, key: &'static str) -> Self {
        self.named.push((name, key));
        self
    }

    /// It is mended in these menus.
    #[must_use]
    pub(crate) fn mended_in(self, menus: Menus) -> Self {
        self.with("app", menus.as_str())
    }

    /// Adds the answer of WeChat that it comes from.
    #[must_use]
    pub(crate) fn answered(mut self, error: &Error) -> Self {
        self.errcode = error.errcode();
        self.rid = error.rid().map(str::to_owned);
        self
    }

    /// Adds the answer of WeChat, as it was kept.
    #[must_use]
    pub(crate) fn answered_before(mut self, errcode: i64, rid: Option<&str>) -> Self {
        self.errcode = Some(errcode);
        self.rid = rid.map(str::to_owned);
        self
    }

    /// It matters so much at most.
    #[must_use]
    pub(crate) fn at_most(mut self, severity: Severity) -> Self {
        self.severity = self.severity.min(severity);
        self
    }

    /// What a failed call of WeChat means.
    pub(crate) fn failed(app: &App, check: Check, error: &Error) -> Self {
        let Some(errcode) = error.errcode() else { return Self::without_answer(app, check, error) };
        let fetches_tokens = matches!(error.endpoint(), Endpoint::StableToken | Endpoint::Token);
        let meaning =
            if fetches_tokens { meaning_when_fetching_tokens(errcode) } else { meaning_of(errcode) };
        let severity = match error.class() {
            Class::Retry | Class::Limit => Severity::Warning,
            _ => Severity::Error,
        };
        let ip = error.unlisted_ip().map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
        Self::named(check, severity, meaning.unwrap_or(findings::UNKNOWN_ERROR.name))
            .with("ip", ip)
            .with("errcode", errcode)
            .answered(error)
    }

    /// The call did not lead to an answer of WeChat.
    fn without_answer(app: &App, check: Check, error: &Error) -> Self {
        let base = &app.wechat.endpoints().api;
        let key = match error.kind() {
            ErrorKind::NotJson
            | ErrorKind::WrongShape
            | ErrorKind::MissingField { .. }
            | ErrorKind::TooLarge { .. }
            | ErrorKind::Status { .. }
            | ErrorKind::Watermark => findings::NONSENSE,
            _ => findings::UNREACHABLE,
        };
        Self::new(check, Severity::Error, key)
            .with("reason", hufu_types::chain(error.kind()))
            .with("host", base.host_str().unwrap_or_default().to_owned())
            .with("port", i64::from(base.port_or_known_default().unwrap_or_default()))
    }

    /// What it says to an administrator.
    pub fn explain(&self, language: Language) -> Explanation {
        let mut arguments = self.arguments.clone();
        for (name, key) in &self.named {
            arguments.push((name, explain(key, &[], language).message.into()));
        }
        explain(self.key, &arguments, language)
    }
}
