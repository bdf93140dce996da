//! The words of pages: Fluent files, one per language, compiled into the program.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use hufu_types::Language;

/// The texts of some pages in every language.
pub struct Texts([OneLanguage; 4]);

struct OneLanguage {
    source: &'static str,
    bundle: FluentBundle<FluentResource>,
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Texts")
    }
}

impl Texts {
    /// Texts from Fluent files, in the order of [`Language::ALL`]. What cannot be parsed is left out and logged; the
    /// tests hold that nothing is.
    pub fn new(sources: [&'static str; 4]) -> Self {
        let mut languages = Language::ALL.into_iter();
        Self(sources.map(|source| {
            let language = languages.next().unwrap_or_default();
            let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, errors)| {
                tracing::error!(language = language.tag(), ?errors, "a file of texts cannot be read whole");
                resource
            });
            let tag = language.tag().parse().unwrap_or_default();
            let mut bundle = FluentBundle::new_concurrent(vec![tag]);
            // The marks around what is filled in would stand in what people copy.
            bundle.set_use_isolating(false);
            if let Err(errors) = bundle.add_resource(resource) {
                tracing::error!(language = language.tag(), ?errors, "a text is there twice");
            }
            OneLanguage { source, bundle }
        }))
    }

    /// A text, or an attribute of it; `None` where the file has none of this key.
    pub(super) fn get(
        &self,
        language: Language,
        key: &str,
        attribute: Option<&str>,
        arguments: &[(&'static str, FluentValue<'_>)],
    ) -> Option<String> {
        let OneLanguage { bundle, .. } = self.of(language)?;
        let message = bundle.get_message(key)?;
        let pattern = match attribute {
            Some(attribute) => message.get_attribute(attribute)?.value(),
            None => message.value()?,
        };
        let arguments: FluentArgs<'_> = arguments.iter().cloned().collect();
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, Some(&arguments), &mut errors);
        if !errors.is_empty() {
            tracing::error!(language = language.tag(), key, ?errors, "a text is not filled in");
        }
        Some(Cow::into_owned(text))
    }

    /// The keys of one language, each with its attributes (`key.attribute`), for the test that holds them equal.
    pub fn keys(&self, language: Language) -> BTreeSet<String> {
        let mut key = "";
        let mut keys = BTreeSet::new();
        for line in self.of(language).map_or("", |one| one.source).lines() {
            let Some((name, _)) = line.split_once('=') else { continue };
            if let Some(attribute) = name.trim().strip_prefix('.') {
                keys.insert(format!("{key}.{attribute}"));
            } else if line.starts_with(|c: char| c.is_ascii_alphabetic()) {
                key = name.trim();
                keys.insert(key.to_owned());
            }
        }
        keys
    }

    fn of(&self, language: Language) -> Option<&OneLanguage> {
        Language::ALL.iter().position(|one| *one == language).and_then(|at| self.0.get(at))
    }
}
