//! The fields of each kind of connection, as data. `hufu apply`, its messages, its documentation, `/admin/v1` and the
//! JSON Schema all come from these tables.

mod schema;

use std::borrow::Cow;

use hufu_types::{ClientSettings, Language, SettingProblem, check_address};
use serde_json::{Map, Value as Json};

pub(super) use self::schema::{json_schema, markdown};

/// The values of fields, by name.
pub(crate) type Values = Map<String, Json>;

/// A field of a kind of connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// The key in files and forms.
    pub name: &'static str,
    /// The format of its values.
    pub form: Form,
    /// Whether the value is never shown again once it is set. Secrets are texts; a table has its secrets inside.
    pub secret: bool,
    /// Whether a connection must have it.
    pub required: bool,
    /// The label in forms.
    pub label: Text,
    /// Where to find the value.
    pub hint: Text,
}

/// A text in the languages of administrators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// In Simplified Chinese.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
}

/// The format of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A WeChat AppID: `wx` and 16 hexadecimal digits.
    WechatAppId,
    /// A WeChat AppSecret. WeChat's are 32 hexadecimal digits; those of a WeChat stand-in may look different.
    WechatAppSecret,
    /// The token that signs WeChat's messages: 3 to 32 letters and digits.
    WechatToken,
    /// The EncodingAESKey of WeChat's messages: 43 letters and digits.
    EncodingAesKey,
    /// The original id of an official account or mini program: `gh_…`.
    OriginalId,
    /// A text.
    Text {
        /// The most characters.
        most: usize,
    },
    /// An https address.
    Address,
    /// A list of https addresses.
    Addresses,
    /// One of these names.
    Choice {
        /// The names.
        names: &'static [&'static str],
        /// What is taken if there is no value.
        default: &'static str,
    },
    /// On or off.
    Flag {
        /// What is taken if there is no value.
        default: bool,
    },
    /// Texts by language tag.
    ByLanguage {
        /// The most characters of each.
        most: usize,
    },
    /// A table with fields of its own.
    Table(&'static [Field]),
}

impl Form {
    /// Checks the text of a field whose values are texts.
    ///
    /// # Errors
    /// The rule that the value breaks. It does not quote the value, which may be a secret.
    pub fn check(self, text: &str) -> Result<(), Cow<'static, str>> {
        let consists_of = |length: std::ops::RangeInclusive<usize>, fits: fn(u8) -> bool| {
            length.contains(&text.len()) && text.bytes().all(fits)
        };
        let alphanumeric = |byte: u8| byte.is_ascii_alphanumeric();
        let holds = match self {
            Self::WechatAppId => is_wechat_app_id(text),
            Self::WechatAppSecret => consists_of(1..=128, |byte| byte.is_ascii_graphic()),
            Self::WechatToken => consists_of(3..=32, alphanumeric),
            Self::EncodingAesKey => consists_of(43..=43, alphanumeric),
            Self::OriginalId => text.strip_prefix("gh_").is_some_and(|rest| {
                (1..=32).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
            }),
            Self::Text { most } | Self::ByLanguage { most } => is_plain(text, most),
            Self::Address | Self::Addresses => return check_address(text).map_err(Cow::Owned),
            Self::Choice { names, .. } => names.contains(&text),
            Self::Flag { .. } | Self::Table(_) => false,
        };
        if holds { Ok(()) } else { Err(self.rule()) }
    }

    /// The rule, as a sentence.
    pub fn rule(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::WechatAppId => "a WeChat AppID is 'wx' and 16 characters of 0-9 and a-f",
            Self::WechatAppSecret => {
                "an AppSecret is 1 to 128 printable ASCII characters without spaces or line breaks"
            }
            Self::WechatToken => "a token is 3 to 32 letters and digits",
            Self::EncodingAesKey => "an EncodingAESKey is 43 letters and digits",
            Self::OriginalId => "an original id is 'gh_' and 1 to 32 letters and digits",
            Self::Text { most } => {
                return format!("a text is 1 to {most} characters, no control characters but line breaks")
                    .into();
            }
            Self::Address => "an https address",
            Self::Addresses => "a list of https addresses",
            Self::Choice { names, .. } => return format!("one of {}", names.join(", ")).into(),
            Self::Flag { .. } => "true or false",
            Self::ByLanguage { most } => {
                let tags: Vec<_> = Language::ALL.iter().map(|language| language.tag()).collect();
                return format!("a text of at most {most} characters for each of {}", tags.join(", ")).into();
            }
            Self::Table(_) => "a table",
        })
    }

    /// What is taken if there is no value.
    fn default(self) -> Option<Json> {
        match self {
            Self::Choice { default, .. } => Some(default.into()),
            Self::Flag { default } => Some(default.into()),
            _ => None,
        }
    }

    /// Collects what is wrong with a value.
    fn check_value(self, value: &Json, at: &str, stays: &Stays<'_>, found: &mut Vec<SettingProblem>) {
        let mut refuse = |path: String, reason: String| found.push(SettingProblem { path, reason });
        match (self, value) {
            (Self::Flag { .. }, Json::Bool(_)) => {}
            (Self::Addresses, Json::Array(list)) => {
                if list.len() > ClientSettings::MOST_ADDRESSES {
                    refuse(
                        at.to_owned(),
                        format!("too many — list at most {}", ClientSettings::MOST_ADDRESSES),
                    );
                }
                for (index, element) in list.iter().enumerate() {
                    let path = format!("{at}.{index}");
                    match element.as_str().map(|text| self.check(text)) {
                        Some(Ok(())) => {}
                        Some(Err(rule)) => refuse(path, format!("not valid — {rule}")),
                        None => refuse(path, "not a string — an https address".to_owned()),
                    }
                }
            }
            (Self::ByLanguage { .. }, Json::Object(texts)) => {
                for (tag, text) in texts {
                    let is_tag = Language::ALL.iter().any(|language| language.tag() == tag);
                    let is_sound = text.as_str().is_some_and(|text| self.check(text).is_ok());
                    if !is_tag || !is_sound {
                        refuse(joined(at, tag), format!("not valid — {}", self.rule()));
                    }
                }
            }
            (Self::Table(fields), Json::Object(values)) => check_all(fields, values, at, stays, found),
            (Self::Flag { .. } | Self::Addresses | Self::ByLanguage { .. } | Self::Table(_), _) => {
                refuse(at.to_owned(), format!("not valid — {}", self.rule()));
            }
            (_, Json::String(text)) => {
                if let Err(rule) = self.check(text) {
                    refuse(at.to_owned(), format!("not valid — {rule}"));
                }
            }
            _ => refuse(at.to_owned(), format!("not a string — {}", self.rule())),
        }
    }
}

/// Says of the path of a secret that has no value whether the one that is set stays.
pub(crate) type Stays<'a> = dyn Fn(&str) -> bool + 'a;

/// What is wrong with the values of fields. A problem reads `what is wrong — what to do`, and quotes no value.
pub(crate) fn problems(fields: &[Field], values: &Values, stays: &Stays<'_>) -> Vec<SettingProblem> {
    let mut found = Vec::new();
    check_all(fields, values, "", stays, &mut found);
    found
}

fn check_all(
    fields: &[Field],
    values: &Values,
    path: &str,
    stays: &Stays<'_>,
    found: &mut Vec<SettingProblem>,
) {
    for name in values.keys().filter(|name| !fields.iter().any(|field| field.name == **name)) {
        let known = fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
        let reason = format!("there is no such field — those here are {known}");
        found.push(SettingProblem { path: joined(path, name), reason });
    }
    check_own_app(fields, values, path, stays, found);
    for field in fields {
        let at = joined(path, field.name);
        match values.get(field.name).filter(|value| !value.is_null()) {
            Some(value) => field.form.check_value(value, &at, stays, found),
            None if field.required && !(field.secret && stays(&at)) => {
                let reason = format!("missing — {}", field.form.rule());
                found.push(SettingProblem { path: at, reason });
            }
            None => {}
        }
    }
}

/// The fields of an app that a connection may have of its own. Where they are optional, all are there or none.
const OWN_APP: [&str; 3] = ["app_id", "app_secret", "original_id"];

fn is_of_own_app(field: &Field) -> bool {
    !field.required && OWN_APP.contains(&field.name)
}

fn check_own_app(
    fields: &[Field],
    values: &Values,
    path: &str,
    stays: &Stays<'_>,
    found: &mut Vec<SettingProblem>,
) {
    let of_app = || fields.iter().filter(|field| is_of_own_app(field));
    let has = |field: &Field| values.get(field.name).is_some_and(|value| !value.is_null());
    // A secret that stays does not make a connection keep an app that is taken out.
    if !of_app().any(has) {
        return;
    }
    let names: Vec<_> = of_app().map(|field| field.name).collect();
    for field in of_app().filter(|field| !has(field)) {
        let at = joined(path, field.name);
        if !(field.secret && stays(&at)) {
            let reason = format!(
                "missing — {} go together: write all of them, or none to use the server's own mini program",
                names.join(", ")
            );
            found.push(SettingProblem { path: at, reason });
        }
    }
}

/// The path of the first required field that has no value.
pub(crate) fn missing(fields: &[Field], values: &Values) -> Option<String> {
    let missing = |field: &Field| match (field.form, values.get(field.name)) {
        (_, None) => field.required.then(|| field.name.to_owned()),
        (Form::Table(fields), Some(Json::Object(inner))) => {
            missing(fields, inner).map(|rest| joined(field.name, &rest))
        }
        _ => None,
    };
    fields.iter().find_map(missing)
}

/// Takes out what has no value, and adds the defaults.
pub(crate) fn complete(fields: &[Field], values: &mut Values) {
    take_out_nulls(fields, values);
    add_defaults(fields, values);
}

fn take_out_nulls(fields: &[Field], values: &mut Values) {
    values.retain(|_, value| !value.is_null());
    for field in fields {
        if let (Form::Table(fields), Some(Json::Object(inner))) = (field.form, values.get_mut(field.name)) {
            take_out_nulls(fields, inner);
        }
    }
}

/// Adds the defaults of fields without a value. A secret that is null stays so: it is to be removed.
pub(crate) fn add_defaults(fields: &[Field], values: &mut Values) {
    for field in fields {
        match (field.form, values.get_mut(field.name)) {
            (Form::Table(fields), Some(Json::Object(inner))) => add_defaults(fields, inner),
            (form, None) => {
                if let Some(default) = form.default() {
                    values.insert(field.name.to_owned(), default);
                }
            }
            _ => {}
        }
    }
}

/// Marks as null the secrets that are to be removed, so that they are not kept: those whose paths this says.
pub(crate) fn mark_removed(fields: &[Field], values: &mut Values, is_removed: &dyn Fn(&str) -> bool) {
    mark_in(fields, values, "", is_removed);
}

fn mark_in(fields: &[Field], values: &mut Values, path: &str, is_removed: &dyn Fn(&str) -> bool) {
    for field in fields {
        let at = joined(path, field.name);
        match (field.form, values.get_mut(field.name)) {
            (Form::Table(fields), Some(Json::Object(inner))) => mark_in(fields, inner, &at, is_removed),
            (_, None) if field.secret && is_removed(&at) => {
                values.insert(field.name.to_owned(), Json::Null);
            }
            _ => {}
        }
    }
}

/// Keeps the secrets that are set where the values that are wanted leave them out. One that is null is removed, and those
/// of a table that is left out as a whole go with it.
pub(crate) fn keep_secrets(fields: &[Field], wanted: &mut Values, present: &Values) {
    let has = |field: &Field| wanted.get(field.name).is_some_and(|value| !value.is_null());
    let keeps_app = fields.iter().any(|field| is_of_own_app(field) && has(field));
    for field in fields {
        match (field.form, wanted.get_mut(field.name), present.get(field.name)) {
            (Form::Table(fields), Some(Json::Object(wanted)), Some(Json::Object(present))) => {
                keep_secrets(fields, wanted, present);
            }
            // That of an app of its own goes with the app.
            (_, None, Some(value)) if field.secret && (keeps_app || !is_of_own_app(field)) => {
                wanted.insert(field.name.to_owned(), value.clone());
            }
            _ => {}
        }
    }
}

/// The values that may be shown.
pub(crate) fn shown(fields: &[Field], values: &Values) -> Values {
    let shown = fields.iter().filter(|field| !field.secret).filter_map(|field| {
        let value = match (field.form, values.get(field.name)?) {
            (Form::Table(fields), Json::Object(inner)) => Json::Object(shown(fields, inner)),
            (_, value) => value.clone(),
        };
        Some((field.name.to_owned(), value))
    });
    shown.collect()
}

/// The paths of the secrets, and whether they are set.
pub(crate) fn secrets(fields: &[Field], values: &Values) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for field in fields {
        let value = values.get(field.name);
        if let Form::Table(inner) = field.form {
            let none = Values::new();
            let inner = secrets(inner, value.and_then(Json::as_object).unwrap_or(&none));
            found.extend(inner.into_iter().map(|(path, is_set)| (joined(field.name, &path), is_set)));
        } else if field.secret {
            found.push((field.name.to_owned(), value.is_some()));
        }
    }
    found
}

impl Field {
    /// Its name, and those of the fields inside.
    pub fn names(&self) -> Vec<&'static str> {
        let inner: &[Self] = if let Form::Table(fields) = self.form { fields } else { &[] };
        std::iter::once(self.name).chain(inner.iter().flat_map(Self::names)).collect()
    }

    /// Whether it is a secret that a connection can do without.
    pub(crate) fn is_removable_secret(&self) -> bool {
        self.secret && !self.required && !is_of_own_app(self)
    }

    /// Whether it is a secret or has one inside.
    pub(crate) fn holds_secrets(&self) -> bool {
        match self.form {
            Form::Table(fields) => fields.iter().any(Self::holds_secrets),
            _ => self.secret,
        }
    }
}

/// The path of a field, whose name may be anything.
fn joined(path: &str, name: &str) -> String {
    const LONGEST: usize = 64;
    let name: String = name.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

/// Text for people, which may have several lines.
fn is_plain(text: &str, most: usize) -> bool {
    let fits = !text.trim().is_empty() && text.chars().count() <= most;
    fits && !text.chars().any(|c| c.is_control() && c != '\n')
}

/// Whether a text has the form of a WeChat AppID.
pub(crate) fn is_wechat_app_id(text: &str) -> bool {
    text.strip_prefix("wx").is_some_and(|digits| {
        digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NONE: Text = Text { zh: "", en: "" };

    const fn field(name: &'static str, form: Form, secret: bool, required: bool) -> Field {
        Field { name, form, secret, required, label: NONE, hint: NONE }
    }

    const RELAY: &[Field] = &[
        field("url", Form::Address, false, true),
        field("token", Form::WechatToken, true, true),
        field("aes_key", Form::EncodingAesKey, true, false),
    ];
    const ALL: &[Field] = &[
        field("app_id", Form::WechatAppId, false, true),
        field("secret", Form::WechatAppSecret, true, true),
        field("mode", Form::Choice { names: &["safe", "plain"], default: "safe" }, false, false),
        field("on", Form::Flag { default: true }, false, false),
        field("list", Form::Addresses, false, false),
        field("welcome", Form::ByLanguage { most: 5 }, false, false),
        field("relay", Form::Table(RELAY), false, false),
    ];

    fn values(json: Json) -> Values {
        match json {
            Json::Object(values) => values,
            _ => panic!("an object"),
        }
    }

    fn whole() -> Values {
        values(json!({
            "app_id": "wx0123456789abcdef", "secret": "s", "mode": "plain", "on": false,
            "list": ["https://a.example/cb"], "welcome": { "zh-CN": "你好" },
            "relay": { "url": "https://b.example/", "token": "abc", "aes_key": "a".repeat(43) },
        }))
    }

    #[track_caller]
    fn check(form: Form, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(form.check(text), Ok(()), "{text:?}");
        }
        for text in bad {
            assert_eq!(form.check(text), Err(form.rule()), "{text:?}");
        }
    }

    #[test]
    fn texts_of_wechat() {
        let good = ["wx0123456789abcdef"];
        let bad = [
            "",
            "wx",
            "wx0123456789ABCDEF",
            "wx0123456789abcde",
            "0123456789abcdef00",
            "wx0123456789abcdef0",
        ];
        check(Form::WechatAppId, &good, &bad);
        let good = ["s", "5ec2e75ec2e75ec2e75ec2e75ec2e75e", &"x".repeat(128)];
        check(Form::WechatAppSecret, &good, &["", "a b", "ä", "a\n", &"x".repeat(129)]);
        check(Form::WechatToken, &["abc", &"A1".repeat(16)], &["ab", "a-b", "a b", &"x".repeat(33)]);
        let key = "a".repeat(43);
        check(Form::EncodingAesKey, &[&key], &["", &key[1..], &format!("{key}a"), &key.replace('a', "+")]);
        check(Form::OriginalId, &["gh_0123456789ab"], &["", "gh_", "0123456789ab", "gh_a b"]);
        check(Form::Text { most: 3 }, &["你好!", "a\nb"], &["", " ", "abcd", "a\u{7}"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_path() {
        let of = |values: &Values| {
            problems(ALL, values, &|_| false).into_iter().map(|p| p.path).collect::<Vec<_>>()
        };
        assert!(of(&whole()).is_empty());
        let wrong = values(json!({
            "app_id": 1, "mode": "fast", "on": "yes", "list": ["https://a.example", "ftp://a.example", 5],
            "welcome": { "fr": "salut", "en": "longer than five" }, "relay": { "url": "x", "key": 1 }, "other": 1,
        }));
        let expected = [
            "other",
            "app_id",
            "secret",
            "mode",
            "on",
            "list.1",
            "list.2",
            "welcome.en",
            "welcome.fr",
            "relay.key",
            "relay.url",
            "relay.token",
        ];
        assert_eq!(of(&wrong), expected);
        let kept =
            values(json!({ "app_id": "wx0123456789abcdef", "relay": { "url": "https://b.example/" } }));
        assert!(problems(ALL, &kept, &|path| ["secret", "relay.token"].contains(&path)).is_empty());
        assert_eq!(missing(ALL, &kept).as_deref(), Some("secret"));
        assert_eq!(missing(&ALL[6..], &kept).as_deref(), Some("relay.token"));
    }

    #[test]
    fn defaults_are_filled_in() {
        let mut few = values(json!({ "app_id": "wx0123456789abcdef", "mode": null }));
        complete(ALL, &mut few);
        assert_eq!(Json::Object(few), json!({ "app_id": "wx0123456789abcdef", "mode": "safe", "on": true }));
    }

    #[test]
    fn secrets_stay_and_are_not_shown() {
        let shown = shown(ALL, &whole());
        assert_eq!(shown["relay"], json!({ "url": "https://b.example/" }));
        assert!(!shown.contains_key("secret") && shown["mode"] == "plain");
        let names: Vec<_> = secrets(ALL, &shown);
        let expected = ["secret", "relay.token", "relay.aes_key"].map(|name| (name.to_owned(), false));
        assert_eq!(names, expected);
        let mut wanted = shown.clone();
        keep_secrets(ALL, &mut wanted, &whole());
        assert_eq!(wanted, whole());
        let mut without = shown;
        without.remove("relay");
        keep_secrets(ALL, &mut without, &whole());
        assert!(!without.contains_key("relay"), "the table goes with its secrets");
    }

    #[test]
    fn an_app_of_its_own_is_whole_or_absent() {
        let fields = crate::sources::fields(hufu_types::ConnectionKind::WechatAppLaunch);
        let values = |text: serde_json::Value| text.as_object().cloned().unwrap();
        let paths = |own: &Values, stays: bool| -> Vec<String> {
            problems(fields, own, &|_| stays).into_iter().map(|problem| problem.path).collect()
        };
        let app = "wx0123456789abcdef";
        let none = values(serde_json::json!({ "mobile_app_id": app }));
        assert!(paths(&none, false).is_empty());
        let half = values(serde_json::json!({ "mobile_app_id": app, "app_id": app }));
        assert_eq!(paths(&half, false), ["app_secret", "original_id"]);
        let changed =
            values(serde_json::json!({ "mobile_app_id": app, "app_id": app, "original_id": "gh_1" }));
        assert!(paths(&changed, true).is_empty(), "the secret that is set stays");
        // Without the app its secret goes too.
        let present = values(serde_json::json!({
            "mobile_app_id": app, "app_id": app, "app_secret": "5ec2e7", "original_id": "gh_1",
        }));
        let (mut kept, mut dropped) = (changed, none);
        keep_secrets(fields, &mut kept, &present);
        keep_secrets(fields, &mut dropped, &present);
        assert!(kept.contains_key("app_secret") && !dropped.contains_key("app_secret"));
    }
}
