//! Finds settings that make no sense. Problems carry their location, so that files and forms can both show
//! them.

use std::collections::HashSet;

use crate::{
    Association, AssociationMode, BindMethod, ConnectionKind, CustomFieldType, MatchField, PasswordPolicy,
    PoolScope, PoolSettings, Profile, QrRules, day, lifetime,
};

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingProblem {
    /// Where: keys and indices joined by dots, such as `custom_fields.2.key`.
    pub path: String,
    /// What is wrong and how to fix it, as `what is wrong — how to fix it`.
    pub reason: String,
}

/// Upper limit for grace periods and for the retention of the audit log: ten years, in days.
const MAX_DAYS: u32 = 3650;
/// Maximum length, in characters, of the keys of custom fields and the ids of agreements.
const LONGEST_KEY: usize = 64;

impl SettingProblem {
    /// The same problem, in a table that contains this one.
    #[must_use]
    pub fn within(self, table: &str) -> Self {
        let path = if self.path.is_empty() { table.to_owned() } else { format!("{table}.{}", self.path) };
        Self { path, ..self }
    }
}

impl MatchField {
    /// Whether a source of this kind can prove the field, so that it can be used to find accounts.
    pub fn is_proved_by(self, kind: ConnectionKind) -> bool {
        kind.proves().contains(&self)
    }
}

impl Association {
    /// The problems of these settings for a connection of this kind.
    pub fn problems(&self, kind: ConnectionKind) -> Vec<SettingProblem> {
        let mut problems = Problems::default();
        if self.mode == AssociationMode::Field {
            if self.fields.is_empty() {
                let known = names(kind.proves().iter().map(|field| field.as_str()));
                let source = kind.as_str();
                let reason = match known.as_str() {
                    "" => format!("{source} proves nothing to match by — write `none` or `ask`"),
                    known => format!("`field` matches by nothing — name one of {known}"),
                };
                problems.add("fields", reason);
            }
            for (index, field) in self.fields.iter().enumerate() {
                let path = format!("fields.{index}");
                if !field.is_proved_by(kind) {
                    let (name, source) = (field.as_str(), kind.as_str());
                    let sources = ConnectionKind::ALL.iter().filter(|kind| field.is_proved_by(**kind));
                    let sources = names(sources.map(|kind| kind.as_str()));
                    let who = match sources.as_str() {
                        "" => "no connection of this version does".to_owned(),
                        sources => format!("connections of type {sources} do"),
                    };
                    let reason =
                        format!("{source} cannot prove `{name}`, and {who} — take it out of the list");
                    problems.add(&path, reason);
                } else if self.fields.iter().take(index).any(|before| before == field) {
                    problems.repeated(&path, field.as_str());
                }
            }
        }
        if self.mode != AssociationMode::None {
            if self.methods.is_empty() {
                let (mode, known) =
                    (self.mode.as_str(), names(BindMethod::ALL.iter().map(|method| method.as_str())));
                let reason =
                    format!("`{mode}` without a way to prove an account — name at least one of {known}");
                problems.add("methods", reason);
            }
            for (index, method) in self.methods.iter().enumerate() {
                if self.methods.iter().take(index).any(|before| before == method) {
                    problems.repeated(&format!("methods.{index}"), method.as_str());
                }
            }
        }
        problems.0
    }
}

impl PoolSettings {
    /// The most custom fields of a pool.
    pub const MOST_CUSTOM_FIELDS: usize = 100;
    /// The most agreements of a pool.
    pub const MOST_AGREEMENTS: usize = 64;

    /// The problems of these settings.
    pub fn problems(&self) -> Vec<SettingProblem> {
        let mut problems = Problems::default();
        self.check_password(&mut problems);
        self.check_custom_fields(&mut problems);
        self.check_required_fields(&mut problems);
        self.check_agreements(&mut problems);
        for (index, code) in self.sms_countries.iter().enumerate() {
            let digits = code.strip_prefix('+').unwrap_or(code);
            let is_one = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            if !is_one || digits.starts_with('0') {
                let reason = "no country calling code — write one to three digits, such as 86";
                problems.add(&format!("sms_countries.{index}"), reason);
            }
        }
        if self.session.idle > self.session.life {
            let life = lifetime::print(self.session.life);
            problems.add("session.idle", format!("longer than `life` — write at most \"{life}\""));
        }
        for (name, time) in [("qr.life", self.qr.life), ("qr.ticket", self.qr.ticket)] {
            if time > QrRules::LONGEST {
                let most = lifetime::print(QrRules::LONGEST);
                problems.add(name, format!("too long — write at most \"{most}\""));
            }
        }
        if self.deletion_grace_days > MAX_DAYS {
            problems.add("deletion_grace_days", format!("too long — write 0 to {MAX_DAYS}"));
        }
        if !(1..=MAX_DAYS).contains(&self.audit_days) {
            problems.add("audit_days", format!("out of range — write 1 to {MAX_DAYS}"));
        }
        if day::zone(&self.time_zone).is_none() {
            problems
                .add("time_zone", "no time zone of the IANA database — write a name such as Asia/Shanghai");
        }
        problems.0.extend(self.scope_problems().into_iter().map(|problem| problem.within("scopes")));
        problems.0.extend(self.branding.problems().into_iter().map(|problem| problem.within("branding")));
        problems.0
    }

    /// The problems of the scopes, each under the place of the scope in the list.
    pub fn scope_problems(&self) -> Vec<SettingProblem> {
        PoolScope::problems(&self.scopes, Some(&self.custom_fields))
    }

    fn check_password(&self, problems: &mut Problems) {
        let PasswordPolicy { min_length, max_length, .. } = self.password;
        let longest = PasswordPolicy::LONGEST;
        if !(1..=longest).contains(&min_length) {
            problems.add("password.min_length", format!("out of range — write 1 to {longest}"));
        } else if !(min_length..=longest).contains(&max_length) {
            let reason = format!("out of range — write min_length ({min_length}) to {longest}");
            problems.add("password.max_length", reason);
        }
    }

    fn check_custom_fields(&self, problems: &mut Problems) {
        if self.custom_fields.len() > Self::MOST_CUSTOM_FIELDS {
            let reason = format!("too many custom fields — declare at most {}", Self::MOST_CUSTOM_FIELDS);
            problems.add("custom_fields", reason);
        }
        let mut keys = HashSet::new();
        for (index, field) in self.custom_fields.iter().enumerate() {
            let at = |part: &str| format!("custom_fields.{index}.{part}");
            if !is_key(&field.key) {
                problems.key(&at("key"));
            } else if !keys.insert(&field.key) {
                problems.repeated(&at("key"), &field.key);
            }
            match (field.kind, field.options.as_slice()) {
                (CustomFieldType::Enumeration, []) => {
                    let reason = "an enum without options — write options = [\"…\"]";
                    problems.add(&format!("custom_fields.{index}"), reason);
                }
                (CustomFieldType::Enumeration, options) => {
                    let mut seen = HashSet::new();
                    for (option, text) in options.iter().enumerate() {
                        let path = at(&format!("options.{option}"));
                        if text.trim().is_empty() {
                            problems.add(&path, "an empty option — write what it is called");
                        } else if !seen.insert(text) {
                            problems.repeated(&path, text);
                        }
                    }
                }
                (_, []) => {}
                (_, _) => {
                    let reason = "only an enum has options — take them out, or write type = \"enum\"";
                    problems.add(&at("options"), reason);
                }
            }
        }
    }

    fn check_required_fields(&self, problems: &mut Problems) {
        let mut seen = HashSet::new();
        for (index, name) in self.required_fields.iter().enumerate() {
            let path = format!("required_fields.{index}");
            let is_known = match name.strip_prefix("custom.") {
                Some(key) => self.custom_fields.iter().any(|field| field.key == key),
                None => {
                    matches!(name.as_str(), "phone" | "email" | "username" | "gender")
                        || Profile::FIELDS.contains(&name.as_str())
                }
            };
            if !is_known {
                let advice = if name.starts_with("custom.") {
                    "declare it in custom_fields, or take it out"
                } else {
                    "write phone, email, username, a field of the profile, or custom.KEY"
                };
                problems.add(&path, format!("there is no field `{}` — {advice}", name.escape_debug()));
            } else if !seen.insert(name) {
                problems.repeated(&path, name);
            }
        }
    }

    fn check_agreements(&self, problems: &mut Problems) {
        if self.agreements.len() > Self::MOST_AGREEMENTS {
            let reason = format!("too many agreements — declare at most {}", Self::MOST_AGREEMENTS);
            problems.add("agreements", reason);
        }
        let mut ids = HashSet::new();
        for (index, agreement) in self.agreements.iter().enumerate() {
            let at = |part: &str| format!("agreements.{index}.{part}");
            if !is_key(&agreement.id) {
                problems.key(&at("id"));
            } else if !ids.insert(&agreement.id) {
                problems.repeated(&at("id"), &agreement.id);
            }
            if agreement.version == 0 {
                problems.add(&at("version"), "versions count from 1 — write 1 or more");
            }
            let within = |part: &str, tag: &str| {
                if tag.is_empty() { at(part) } else { format!("{}.{tag}", at(part)) }
            };
            agreement.title.check_tags(problems, &at("title"));
            agreement.url.check_tags(problems, &at("url"));
            if agreement.title.is_empty() {
                problems.add(&at("title"), "an empty title — write what people are asked to accept");
            }
            for (tag, title) in agreement.title.texts().filter(|(_, title)| title.trim().is_empty()) {
                if !title.is_empty() || !tag.is_empty() {
                    let reason = "an empty title — write what people are asked to accept";
                    problems.add(&within("title", tag), reason);
                }
            }
            for (tag, url) in agreement.url.texts().filter(|(_, url)| !url.is_empty()) {
                if !url.starts_with("https://") && !url.starts_with("http://") {
                    problems.add(&within("url", tag), "no address — write one that begins with https://");
                }
            }
        }
    }
}

#[derive(Default)]
pub(crate) struct Problems(pub(crate) Vec<SettingProblem>);

impl Problems {
    pub(crate) fn add(&mut self, path: &str, reason: impl Into<String>) {
        self.0.push(SettingProblem { path: path.to_owned(), reason: reason.into() });
    }

    pub(crate) fn repeated(&mut self, path: &str, name: &str) {
        self.add(path, format!("`{}` is there already — name each once", name.escape_debug()));
    }

    fn key(&mut self, path: &str) {
        let rule = format!("write 1 to {LONGEST_KEY} characters of A-Z, a-z, 0-9, '_', '-' and '.'");
        self.add(path, format!("not a key — {rule}"));
    }
}

fn is_key(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(plain)
}

pub(crate) fn names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Agreement, CustomField};

    #[test]
    fn which_source_proves_which_field() {
        // WeChat confirms the phone number in a mini program, and nothing else anywhere.
        for kind in ConnectionKind::ALL {
            let is_mini_program = kind.as_str().starts_with("wechat:miniprogram:");
            for field in MatchField::ALL {
                let proves = is_mini_program && *field == MatchField::Phone;
                assert_eq!(field.is_proved_by(*kind), proves, "{kind:?} {field:?}");
            }
        }
        assert_eq!(ConnectionKind::WechatMiniProgram.proves(), [MatchField::Phone]);
    }

    fn paths(problems: Vec<SettingProblem>) -> Vec<String> {
        for problem in &problems {
            assert!(problem.reason.contains(" — "), "{problem:?}");
        }
        problems.into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn associations_that_cannot_be_meant() {
        let mini = ConnectionKind::WechatMiniProgram;
        let association = |json: &str| serde_json::from_str::<Association>(json).unwrap();
        assert!(Association::default().problems(mini).is_empty());
        for (json, wrong) in [
            (r#"{"mode":"field","fields":["phone"],"conflict":"choose"}"#, &[][..]),
            (r#"{"mode":"field","fields":[]}"#, &["fields"]),
            (r#"{"mode":"field","fields":["email","phone","external_id"]}"#, &["fields.0", "fields.2"]),
            (r#"{"mode":"field","fields":["phone","phone"]}"#, &["fields.1"]),
            (r#"{"mode":"field","fields":["phone"],"methods":["phone-code"]}"#, &[]),
            (r#"{"mode":"field","fields":["phone"],"methods":[]}"#, &["methods"]),
            (r#"{"mode":"ask"}"#, &[]),
            (r#"{"mode":"ask","methods":[]}"#, &["methods"]),
            (r#"{"mode":"ask","methods":["phone-code","email-code","phone-code"]}"#, &["methods.2"]),
            (r#"{"mode":"none","fields":["email"],"methods":[]}"#, &[]),
        ] {
            assert_eq!(paths(association(json).problems(mini)), wrong, "{json}");
        }
    }

    #[test]
    fn settings_that_cannot_be_meant() {
        assert!(PoolSettings::default().problems().is_empty());
        let settings: PoolSettings = serde_json::from_str(
            r#"{
                "password": { "min_length": 12, "max_length": 10 },
                "custom_fields": [
                    { "key": "a b", "type": "string" },
                    { "key": "size", "type": "enum" },
                    { "key": "size", "type": "number", "options": ["x"] },
                    { "key": "tone", "type": "enum", "options": ["c", "", "c"] }
                ],
                "required_fields": ["phone", "phone", "shoe", "custom.size", "custom.none", "gender", "city"],
                "agreements": [
                    { "id": "", "version": 0, "title": " ", "url": "terms.html" },
                    { "id": "terms", "version": 1, "title": "T", "url": "https://example.com/terms" },
                    { "id": "terms", "version": 2, "title": "T" }
                ],
                "sms_countries": ["86", "+852", "CN", "0086", ""],
                "deletion_grace_days": 3651,
                "audit_days": 0,
                "scopes": [{ "name": "openid" }, { "name": "sizes", "claims": { "size": "custom.none" } }]
            }"#,
        )
        .unwrap();
        assert_eq!(
            paths(settings.problems()),
            [
                "password.max_length",
                "custom_fields.0.key",
                "custom_fields.1",
                "custom_fields.2.key",
                "custom_fields.2.options",
                "custom_fields.3.options.1",
                "custom_fields.3.options.2",
                "required_fields.1",
                "required_fields.2",
                "required_fields.4",
                "agreements.0.id",
                "agreements.0.version",
                "agreements.0.title",
                "agreements.0.url",
                "agreements.2.id",
                "sms_countries.2",
                "sms_countries.3",
                "sms_countries.4",
                "deletion_grace_days",
                "audit_days",
                "scopes.0.name",
                "scopes.1.claims.size",
            ]
        );
        for (min_length, wrong) in [(0, 1), (1, 0), (128, 0), (129, 1)] {
            let mut settings = PoolSettings::default();
            settings.password.min_length = min_length;
            assert_eq!(settings.problems().len(), wrong, "{min_length}");
        }
    }

    #[test]
    fn sound_settings_have_no_problems() {
        let mut settings =
            PoolSettings { required_fields: vec!["custom.x".to_owned()], ..PoolSettings::default() };
        settings.custom_fields.push(CustomField {
            key: "x".to_owned(),
            kind: CustomFieldType::Text,
            label: String::new(),
            options: Vec::new(),
            visible: true,
            editable: true,
        });
        settings.agreements.push(Agreement {
            id: "terms".to_owned(),
            version: 1,
            title: "Terms".into(),
            url: crate::Localized::default(),
            required: true,
        });
        assert_eq!(settings.problems(), []);
    }
}
