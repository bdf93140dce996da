//! Sentences from Fluent files that are compiled into the program.

use std::borrow::Cow;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

use crate::Language;

/// The value of a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Text that is the same in every language.
    Text(Cow<'static, str>),
    /// A number, formatted without separators.
    Number(i64),
    /// Words of ours: in Chinese for readers of Chinese, in English for all others.
    Words {
        /// In English.
        english: &'static str,
        /// In Simplified Chinese.
        chinese: &'static str,
    },
}

impl From<&'static str> for Argument {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<Cow<'static, str>> for Argument {
    fn from(text: Cow<'static, str>) -> Self {
        Self::Text(text)
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl From<$type> for Argument {
            fn from(number: $type) -> Self {
                Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
            }
        }
    )*};
}
numbers!(i64, u64, u32, usize);

/// The messages of one Fluent file per language.
pub struct Texts {
    bundles: Vec<(Language, FluentBundle<FluentResource>)>,
}

impl Texts {
    /// Parses the files. Invalid entries are skipped; a test makes sure that there are none.
    pub fn new(files: &[(Language, &str)]) -> Self {
        let bundles = files.iter().map(|(language, file)| {
            let resource = FluentResource::try_new((*file).to_owned()).unwrap_or_else(|(parsed, _)| parsed);
            let mut bundle = FluentBundle::new_concurrent(language.tag().parse().into_iter().collect());
            // Bidirectional isolation marks would end up in JSON responses and logs.
            bundle.set_use_isolating(false);
            bundle.add_resource_overriding(resource);
            (*language, bundle)
        });
        Self { bundles: bundles.collect() }
    }

    /// A message, or one of its attributes, with its placeholders filled in. Returns the key itself if there
    /// is no such message.
    pub fn say(
        &self,
        language: Language,
        key: &'static str,
        attribute: Option<&str>,
        arguments: &[(&'static str, Argument)],
    ) -> Cow<'static, str> {
        self.find(language, key, attribute, arguments).map_or(Cow::Borrowed(key), Cow::Owned)
    }

    /// Like [`Texts::say`], but returns `None` if there is no such message.
    pub fn find(
        &self,
        language: Language,
        key: &str,
        attribute: Option<&str>,
        arguments: &[(&'static str, Argument)],
    ) -> Option<String> {
        let (_, bundle) = self.bundles.iter().find(|(of, _)| *of == language)?;
        let message = bundle.get_message(key)?;
        let pattern = match attribute {
            Some(attribute) => message.get_attribute(attribute)?.value(),
            None => message.value()?,
        };
        let values: FluentArgs<'_> =
            arguments.iter().map(|(name, value)| (Cow::Borrowed(*name), value.fluent(language))).collect();
        Some(bundle.format_pattern(pattern, Some(&values), &mut Vec::new()).into_owned())
    }
}

impl Argument {
    fn fluent(&self, language: Language) -> FluentValue<'_> {
        match self {
            Self::Words { english, chinese } => FluentValue::from(match language {
                Language::SimplifiedChinese | Language::TraditionalChinese => *chinese,
                Language::English | Language::Japanese => *english,
            }),
            Self::Text(text) => FluentValue::from(text.as_ref()),
            Self::Number(number) => FluentValue::from(number.to_string()),
        }
    }
}
