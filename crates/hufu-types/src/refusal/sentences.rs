//! The sentences of refusals for their two audiences: integrators, who see JSON responses and logs, and end
//! users, who see pages.

use std::sync::LazyLock;

use super::{Argument, Reason, Refusal};
use crate::Language;
use crate::texts::Texts;

macro_rules! files {
    ($reader:literal: $($language:ident $tag:literal),*) => {
        &[$((Language::$language, include_str!(concat!("../../texts/refusals/", $reader, "/", $tag, ".ftl")))),*]
    };
}

/// The Fluent files for integrators, by language.
pub const FOR_INTEGRATORS: &[(Language, &str)] =
    files!("integrator": SimplifiedChinese "zh-CN", English "en");

/// The Fluent files for end users, by language.
pub const FOR_PEOPLE: &[(Language, &str)] = files!(
    "person": SimplifiedChinese "zh-CN", TraditionalChinese "zh-TW", English "en", Japanese "ja"
);

static INTEGRATOR: LazyLock<Texts> = LazyLock::new(|| Texts::new(FOR_INTEGRATORS));
static PERSON: LazyLock<Texts> = LazyLock::new(|| Texts::new(FOR_PEOPLE));

/// What a refusal tells an end user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// A short page title.
    pub title: String,
    /// What happened.
    pub sentence: String,
    /// What to do about it, one action after the other.
    pub actions: Vec<String>,
}

impl Refusal {
    /// The sentence for an integrator.
    pub fn for_integrator(&self, language: Language) -> String {
        let language = language.for_integrators();
        let mut arguments = self.arguments();
        if let Some((field, reason)) = self.fault() {
            arguments.push(("reason", reason.for_integrator(field, language).into()));
        }
        INTEGRATOR.say(language, self.code.integrator_key(), None, &arguments).into_owned()
    }

    /// The sentences for an end user.
    pub fn for_person(&self, language: Language) -> Advice {
        let arguments = self.arguments();
        let key = self.code.person_key();
        let say = |key, attribute| PERSON.find(language, key, attribute, &arguments);
        let title_of_status = match self.code.status() {
            401 | 403 => "title-forbidden",
            404 => "title-not-found",
            429 | 502 | 503 | 504 => "title-later",
            499 => "title-go-on",
            _ => "title-not-done",
        };
        Advice {
            title: say(key, Some("title")).or_else(|| say(title_of_status, None)).unwrap_or_default(),
            sentence: say(key, None).unwrap_or_default(),
            actions: ["action", "action-2"].into_iter().filter_map(|action| say(key, Some(action))).collect(),
        }
    }

    /// The field and what is wrong with it: the sentence to show an end user next to the field.
    pub fn field_for_person(&self, language: Language) -> Option<(&str, String)> {
        let (field, reason) = self.fault()?;
        Some((field, PERSON.say(language, reason.person_key(), None, &reason.values()).into_owned()))
    }

    fn arguments(&self) -> Vec<(&'static str, Argument)> {
        let mut arguments =
            self.details.as_ref().map(|details| details.arguments.clone()).unwrap_or_default();
        if let Some((field, _)) = self.fault() {
            arguments.push(("field", field.to_owned().into()));
        }
        if let Some(seconds) = self.seconds_to_wait() {
            arguments.extend([("seconds", seconds.into()), ("minutes", seconds.div_ceil(60).into())]);
        }
        arguments
    }
}

impl Reason {
    /// The sentence about the field, without its full stop.
    pub fn for_integrator(&self, field: &str, language: Language) -> String {
        let mut values = self.values();
        values.push(("field", field.to_owned().into()));
        INTEGRATOR.say(language.for_integrators(), self.integrator_key(), None, &values).into_owned()
    }
}
