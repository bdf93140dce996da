//! A text for people, in one language for all of them or in several.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Language;
use crate::client_check::check_tags;
use crate::settings_check::Problems;

/// A text for people. Written as one string, or as an object of strings by language tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Localized {
    /// The same in every language.
    One(String),
    /// By language tag.
    Many(BTreeMap<String, String>),
}

impl Localized {
    /// The name under which it is deserialized, by which its shape is recognized.
    pub const NAME: &str = "Localized";

    /// The text in this language, otherwise in the other Chinese, in English, or in any language. Empty if there is none.
    pub fn in_language(&self, language: Language) -> &str {
        let texts = match self {
            Self::One(text) => return text,
            Self::Many(texts) => texts,
        };
        let near = match language {
            Language::SimplifiedChinese => Language::TraditionalChinese,
            Language::TraditionalChinese => Language::SimplifiedChinese,
            Language::English | Language::Japanese => Language::English,
        };
        let of = |language: Language| texts.get(language.tag());
        let found = of(language).or_else(|| of(near)).or_else(|| of(Language::English));
        found.or_else(|| texts.values().next()).map_or("", String::as_str)
    }

    /// The texts by language tag; none if there is one for all.
    pub fn by_language(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Self::One(_) => None,
            Self::Many(texts) => Some(texts),
        }
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::One(text) => text.is_empty(),
            Self::Many(texts) => texts.is_empty(),
        }
    }

    /// Every text, with the part of its path.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        let (one, many) = match self {
            Self::One(text) => (Some(("", text.as_str())), None),
            Self::Many(texts) => (None, Some(texts.iter().map(|(tag, text)| (tag.as_str(), text.as_str())))),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Reports languages that there are not.
    pub(crate) fn check_tags(&self, problems: &mut Problems, path: &str) {
        if let Self::Many(texts) = self {
            check_tags(problems, path, texts.keys());
        }
    }
}

impl Default for Localized {
    fn default() -> Self {
        Self::One(String::new())
    }
}

impl From<&str> for Localized {
    fn from(text: &str) -> Self {
        Self::One(text.to_owned())
    }
}

/// The text for all languages, or one of several: for a text that was chosen for a reader before.
impl fmt::Display for Localized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.in_language(Language::default()))
    }
}

impl Serialize for Localized {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(text) => serializer.serialize_str(text),
            Self::Many(texts) => texts.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Localized {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(Self::NAME, Texts)
    }
}

struct Texts;

impl<'de> Visitor<'de> for Texts {
    type Value = Localized;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or strings by language")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Localized, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Localized, E> {
        Ok(Localized::One(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Localized, A::Error> {
        let mut texts = BTreeMap::new();
        while let Some((tag, text)) = map.next_entry()? {
            texts.insert(tag, text);
        }
        Ok(Localized::Many(texts))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: serde_json::Value) -> Localized {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn it_is_read_as_it_is_written() {
        for json in [json!("Terms"), json!({ "zh-CN": "条款", "en": "Terms" }), json!({})] {
            assert_eq!(serde_json::to_value(read(json.clone())).unwrap(), json);
        }
        for wrong in [json!(1), json!(["a"]), json!({ "en": 1 }), json!(null)] {
            assert!(serde_json::from_value::<Localized>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn readers_get_the_nearest_language() {
        let texts = read(json!({ "zh-CN": "简", "en": "en" }));
        assert_eq!(Language::ALL.map(|language| texts.in_language(language)), ["简", "简", "en", "en"]);
        let texts = read(json!({ "ja": "日" }));
        assert_eq!(Language::ALL.map(|language| texts.in_language(language)), ["日"; 4]);
        assert_eq!(read(json!("x")).in_language(Language::Japanese), "x");
    }
}
