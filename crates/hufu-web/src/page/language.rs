//! The language of a page.

use axum::http::{HeaderMap, header};
use hufu_types::Language;

use super::cookies;

/// The cookie that stores the reader's choice.
pub(super) const COOKIE: &str = "hufu-language";

/// A language's name for itself.
pub(super) const fn own_name(language: Language) -> &'static str {
    match language {
        Language::SimplifiedChinese => "简体中文",
        Language::TraditionalChinese => "繁體中文",
        Language::English => "English",
        Language::Japanese => "日本語",
    }
}

/// The language requested in the query: the first supported tag in `ui_locales` (OpenID Connect), otherwise
/// in `lang`.
pub(super) fn asked(query: Option<&str>) -> Option<Language> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query?).ok()?;
    let of = |name: &str| {
        let mut tags =
            pairs.iter().filter(|(key, _)| key == name).flat_map(|(_, tags)| tags.split_whitespace());
        tags.find_map(Language::of_tag)
    };
    of("ui_locales").or_else(|| of("lang"))
}

/// What the reader chose: in the query, otherwise earlier.
pub(super) fn chosen(query: Option<&str>, headers: &HeaderMap) -> Option<Language> {
    let kept = || cookies::read(headers, COOKIE).and_then(Language::of_tag);
    asked(query).or_else(kept)
}

/// What the browser prefers. English is the fallback, since readers of unsupported languages most likely read it.
pub(super) fn preferred(headers: &HeaderMap) -> Language {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    accepted.and_then(Language::of_header).unwrap_or(Language::English)
}

/// The same address in another language.
pub(super) fn address_in(path: &str, query: Option<&str>, language: Language) -> String {
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query.unwrap_or_default()).unwrap_or_default();
    let kept = pairs.into_iter().filter(|(key, _)| key != "ui_locales" && key != "lang");
    let all: Vec<_> = kept.chain([("ui_locales".to_owned(), language.tag().to_owned())]).collect();
    format!("{path}?{}", serde_urlencoded::to_string(all).unwrap_or_default())
}
