//! The texts of messages by purpose and language, and how pools replace them.
//!
//! A text contains the placeholders `{app}`, `{code}` and `{minutes}`; that of a notice `{app}` and `{way}`.
//! Braces around anything other than a word, such as those of a style sheet, are left unchanged.

mod texts;

use std::{borrow::Cow, collections::BTreeMap};

use hufu_types::{Email, Language};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::Mail;

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateKind {
    /// Logging in.
    Login,
    /// Creating an account.
    Register,
    /// Choosing a new password after forgetting the old one.
    ResetPassword,
    /// The first login to an account that an administrator created.
    FirstLogin,
    /// Adding a phone number.
    BindPhone,
    /// Removing a phone number.
    UnbindPhone,
    /// Replacing the phone number: sent to the old and to the new one.
    ChangePhone,
    /// Adding an e-mail address.
    BindEmail,
    /// Removing an e-mail address.
    UnbindEmail,
    /// Replacing the e-mail address: sent to the old and to the new one.
    ChangeEmail,
    /// Proving an e-mail address that the account already has.
    VerifyEmail,
    /// Completing a profile that requires a phone number or an e-mail address.
    CompleteProfile,
    /// Confirming one's identity before a sensitive operation.
    VerifyIdentity,
    /// The second factor of a login.
    SecondFactor,
    /// Unlocking an account after too many attempts.
    UnlockAccount,
    /// Deleting the account.
    DeleteAccount,
    /// Tells the owner of an account that a way to log in was added. Has no code.
    NewWayIn,
}

impl TemplateKind {
    /// Every purpose.
    pub const ALL: [Self; 17] = [
        Self::Login,
        Self::Register,
        Self::ResetPassword,
        Self::FirstLogin,
        Self::BindPhone,
        Self::UnbindPhone,
        Self::ChangePhone,
        Self::BindEmail,
        Self::UnbindEmail,
        Self::ChangeEmail,
        Self::VerifyEmail,
        Self::CompleteProfile,
        Self::VerifyIdentity,
        Self::SecondFactor,
        Self::UnlockAccount,
        Self::DeleteAccount,
        Self::NewWayIn,
    ];

    /// The name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Register => "register",
            Self::ResetPassword => "reset_password",
            Self::FirstLogin => "first_login",
            Self::BindPhone => "bind_phone",
            Self::UnbindPhone => "unbind_phone",
            Self::ChangePhone => "change_phone",
            Self::BindEmail => "bind_email",
            Self::UnbindEmail => "unbind_email",
            Self::ChangeEmail => "change_email",
            Self::VerifyEmail => "verify_email",
            Self::CompleteProfile => "complete_profile",
            Self::VerifyIdentity => "verify_identity",
            Self::SecondFactor => "second_factor",
            Self::UnlockAccount => "unlock_account",
            Self::DeleteAccount => "delete_account",
            Self::NewWayIn => "new_way_in",
        }
    }

    /// The purpose of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether the message delivers a code.
    pub const fn has_code(self) -> bool {
        !matches!(self, Self::NewWayIn)
    }

    /// The placeholders of the texts.
    const fn placeholders(self) -> &'static [&'static str] {
        if self.has_code() { &["app", "code", "minutes"] } else { &["app", "way"] }
    }
}

/// A way to log in that was added to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddedWay {
    /// An identity of a source, such as WeChat.
    Identity,
    /// A phone number.
    Phone,
    /// An e-mail address.
    Email,
    /// A username.
    Username,
    /// A first password.
    Password,
    /// Everything that led to another account, which was merged into this one.
    Account,
}

impl AddedWay {
    /// The name in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Username => "username",
            Self::Password => "password",
            Self::Account => "account",
        }
    }
}

/// The values for the placeholders of a message with a code.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    /// The name of the application or the pool.
    pub app: &'a str,
    /// The code.
    pub code: &'a str,
    /// For how many minutes it is valid.
    pub minutes: u32,
}

/// The values for the placeholders of [`TemplateKind::NewWayIn`].
#[derive(Clone, Copy)]
pub struct Notice<'a> {
    /// The name of the application or the pool.
    pub app: &'a str,
    /// What was added.
    pub way: AddedWay,
}

/// Says what a placeholder stands for.
type Lookup<'a> = dyn Fn(&str) -> Cow<'a, str> + 'a;

impl<'a> Values<'a> {
    fn lookup(self) -> impl Fn(&str) -> Cow<'a, str> + 'a {
        move |name| match name {
            "app" => self.app.into(),
            "code" => self.code.into(),
            _ => self.minutes.to_string().into(),
        }
    }
}

impl<'a> Notice<'a> {
    fn lookup(self, language: Language) -> impl Fn(&str) -> Cow<'a, str> + 'a {
        move |name| match name {
            "app" => self.app.into(),
            _ => texts::way(self.way, language).into(),
        }
    }
}

/// The texts of a mail.
#[derive(Clone, PartialEq, Eq)]
pub struct MailText {
    /// The subject, in one line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The HTML version.
    pub html: String,
}

impl MailText {
    /// Addresses the message to a mailbox; `code` is the one in the texts, if there is one.
    pub fn to(self, to: Email, code: Option<SecretString>) -> Mail {
        Mail { to, subject: self.subject, text: self.text, html: Some(self.html), code }
    }
}

/// A pool's replacements of built-in texts, for one purpose and language. Omitted texts keep their built-in
/// version. If the plain text is replaced but not the HTML, the HTML is generated from the plain text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The subject of the mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The plain text of the mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The HTML of the mail. Values are escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// The text message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<String>,
}

type Overrides = BTreeMap<TemplateKind, BTreeMap<Language, Override>>;

/// The texts of a pool: the built-in ones, and those that the pool replaces. Keyed by purpose, then by
/// language, as in `[login.zh-CN]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Overrides", into = "Overrides")]
pub struct Templates(Overrides);

/// Why a text cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// An unknown placeholder.
    #[error(
        "the {part} of the template {kind:?} in {language} has {{{name}}}, which is not one of {{{}}}",
        .kind.placeholders().join("}, {")
    )]
    Unknown {
        /// The purpose.
        kind: TemplateKind,
        /// The language.
        language: &'static str,
        /// `subject`, `text`, `html` or `sms`.
        part: &'static str,
        /// The placeholder.
        name: String,
    },
    /// The text does not contain the code.
    #[error("the {part} of the template {kind:?} in {language} lacks {{code}}")]
    NoCode {
        /// The purpose.
        kind: TemplateKind,
        /// The language.
        language: &'static str,
        /// `text`, `html` or `sms`.
        part: &'static str,
    },
}

impl TemplateError {
    /// The text that is wrong: `subject`, `text`, `html` or `sms`.
    pub const fn part(&self) -> &'static str {
        match self {
            Self::Unknown { part, .. } | Self::NoCode { part, .. } => part,
        }
    }
}

impl TryFrom<Overrides> for Templates {
    type Error = TemplateError;

    fn try_from(overrides: Overrides) -> Result<Self, TemplateError> {
        for (kind, languages) in &overrides {
            for (language, texts) in languages {
                check(*kind, *language, texts)?;
            }
        }
        Ok(Self(overrides))
    }
}

impl From<Templates> for Overrides {
    fn from(templates: Templates) -> Self {
        templates.0
    }
}

impl Templates {
    /// The mail for a code in a language.
    pub fn mail(&self, kind: TemplateKind, language: Language, values: &Values<'_>) -> MailText {
        self.fill_mail(kind, language, &values.lookup())
    }

    /// The SMS text for a code in a language.
    pub fn sms(&self, kind: TemplateKind, language: Language, values: &Values<'_>) -> String {
        self.fill_sms(kind, language, &values.lookup())
    }

    /// The mail that tells of a new way to log in.
    pub fn notice_mail(&self, language: Language, notice: Notice<'_>) -> MailText {
        self.fill_mail(TemplateKind::NewWayIn, language, &notice.lookup(language))
    }

    /// The SMS text that tells of a new way to log in.
    pub fn notice_sms(&self, language: Language, notice: Notice<'_>) -> String {
        self.fill_sms(TemplateKind::NewWayIn, language, &notice.lookup(language))
    }

    fn fill_mail(&self, kind: TemplateKind, language: Language, values: &Lookup<'_>) -> MailText {
        let own = self.own(kind, language);
        let built_in = texts::built_in(kind, language);
        let text = match own.and_then(|own| own.text.as_deref()) {
            Some(text) => fill(text, values, Escape::No),
            None => fill(&built_in.text, values, Escape::No),
        };
        let html = match own {
            Some(Override { html: Some(html), .. }) => fill(html, values, Escape::Html),
            Some(Override { text: Some(_), .. }) => {
                texts::page(language, &format!("<p>{}</p>", escape(&text).replace('\n', "<br>")))
            }
            _ => fill(&built_in.html, values, Escape::Html),
        };
        let subject = own.and_then(|own| own.subject.as_deref()).unwrap_or(&built_in.subject);
        let subject = fill(subject, values, Escape::No).replace(char::is_control, " ");
        MailText { subject, text, html }
    }

    fn fill_sms(&self, kind: TemplateKind, language: Language, values: &Lookup<'_>) -> String {
        match self.own(kind, language).and_then(|own| own.sms.as_deref()) {
            Some(text) => fill(text, values, Escape::No),
            None => fill(&texts::built_in(kind, language).sms, values, Escape::No),
        }
    }

    fn own(&self, kind: TemplateKind, language: Language) -> Option<&Override> {
        self.0.get(&kind)?.get(&language)
    }
}

fn check(kind: TemplateKind, language: Language, texts: &Override) -> Result<(), TemplateError> {
    let language = language.tag();
    let parts =
        [("subject", &texts.subject), ("text", &texts.text), ("html", &texts.html), ("sms", &texts.sms)];
    for (part, text) in parts {
        let Some(text) = text else { continue };
        let names: Vec<_> = pieces(text).filter_map(|(_, name)| name).collect();
        if let Some(name) = names.iter().find(|name| !kind.placeholders().contains(name)) {
            return Err(TemplateError::Unknown { kind, language, part, name: (*name).to_owned() });
        }
        if part != "subject" && kind.has_code() && !names.contains(&"code") {
            return Err(TemplateError::NoCode { kind, language, part });
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Escape {
    No,
    Html,
}

/// A single pass: inserted values are not scanned again.
fn fill(template: &str, values: &Lookup<'_>, how: Escape) -> String {
    let mut filled = String::with_capacity(template.len() + 32);
    for (before, name) in pieces(template) {
        filled.push_str(before);
        let Some(name) = name else { continue };
        let value = values(name);
        filled.push_str(&match how {
            Escape::No => value,
            Escape::Html => escape(&value).into_owned().into(),
        });
    }
    filled
}

/// Splits a template into pieces, each with the text before a placeholder and the placeholder. The last piece
/// has no placeholder.
fn pieces(template: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(template);
    std::iter::from_fn(move || {
        let text = rest?;
        let opened = text.match_indices('{').find_map(|(at, _)| {
            let (name, after) = text.get(at + 1..)?.split_once('}')?;
            let word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
            word.then_some((text.get(..at)?, name, after))
        });
        rest = opened.map(|(_, _, after)| after);
        Some(opened.map_or((text, None), |(before, name, _)| (before, Some(name))))
    })
}

fn escape(value: &str) -> Cow<'_, str> {
    if !value.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(value);
    }
    let mut escaped = String::with_capacity(value.len() + 16);
    for c in value.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}
