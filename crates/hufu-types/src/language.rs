//! The languages of Hufu's texts, for end users and for integrators.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A language of pages, messages and error responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Language {
    /// Simplified Chinese.
    #[default]
    #[serde(rename = "zh-CN")]
    SimplifiedChinese,
    /// Traditional Chinese.
    #[serde(rename = "zh-TW")]
    TraditionalChinese,
    /// English.
    #[serde(rename = "en")]
    English,
    /// Japanese.
    #[serde(rename = "ja")]
    Japanese,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 4] =
        [Self::SimplifiedChinese, Self::TraditionalChinese, Self::English, Self::Japanese];

    /// The languages of JSON responses and logs.
    pub const FOR_INTEGRATORS: [Self; 2] = [Self::SimplifiedChinese, Self::English];

    /// The language tag (RFC 5646).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::SimplifiedChinese => "zh-CN",
            Self::TraditionalChinese => "zh-TW",
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }

    /// The language for a tag, found by lookup (RFC 4647, 3.4): `zh-Hant-HK` is Traditional Chinese, `en-GB`
    /// is English.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let tag = tag.trim().to_ascii_lowercase().replace('_', "-");
        let mut parts = tag.split('-');
        match parts.next()? {
            "zh" => {
                let rest: Vec<_> = parts.collect();
                let has = |names: &[&str]| rest.iter().any(|part| names.contains(part));
                let traditional = has(&["hant"]) || (!has(&["hans"]) && has(&["tw", "hk", "mo"]));
                Some(if traditional { Self::TraditionalChinese } else { Self::SimplifiedChinese })
            }
            "en" => Some(Self::English),
            "ja" => Some(Self::Japanese),
            _ => None,
        }
    }

    /// The preferred supported language of an `Accept-Language` header (RFC 9110, 12.5.4): the one with the
    /// highest weight, and the first of those with equal weight. A weight of zero means "not acceptable".
    pub fn of_header(header: &str) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for range in header.split(',') {
            let mut parts = range.split(';');
            let Some(language) = parts.next().and_then(Self::of_tag) else { continue };
            let weight =
                parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
            let Some(weight) = weight.filter(|weight| *weight > 0.0) else { continue };
            if best.is_none_or(|(most, _)| weight > most) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// The language to use for integrators: Simplified Chinese for either Chinese, English for everything
    /// else.
    #[must_use]
    pub const fn for_integrators(self) -> Self {
        match self {
            Self::SimplifiedChinese | Self::TraditionalChinese => Self::SimplifiedChinese,
            Self::English | Self::Japanese => Self::English,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

#[cfg(test)]
mod tests {
    use super::Language::{self, English, Japanese, SimplifiedChinese, TraditionalChinese};

    #[test]
    fn languages_are_found_by_their_tags() {
        for (tag, language) in [
            ("zh", Some(SimplifiedChinese)),
            ("zh-CN", Some(SimplifiedChinese)),
            ("zh_Hans_HK", Some(SimplifiedChinese)),
            ("zh-TW", Some(TraditionalChinese)),
            ("zh-hant-hk", Some(TraditionalChinese)),
            ("zh-HK", Some(TraditionalChinese)),
            ("zh-MO", Some(TraditionalChinese)),
            ("en-GB", Some(English)),
            ("ja-JP", Some(Japanese)),
            ("fr", None),
            ("", None),
        ] {
            assert_eq!(Language::of_tag(tag), language, "{tag}");
        }
        for language in Language::ALL {
            assert_eq!(Language::of_tag(language.tag()), Some(language));
        }
    }

    #[test]
    fn headers_name_languages_by_weight() {
        for (header, language) in [
            ("fr-FR, ja;q=0.8, en;q=0.7", Some(Japanese)),
            ("en;q=0.5, zh-TW;q=0.9", Some(TraditionalChinese)),
            ("en, ja", Some(English)),
            ("ja;q=0, en;q=0.1", Some(English)),
            ("ja;q=nonsense, en;q=0.1", Some(English)),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(Language::of_header(header), language, "{header}");
        }
    }

    #[test]
    fn integrators_read_chinese_or_english() {
        for (asked, language) in [
            (SimplifiedChinese, SimplifiedChinese),
            (TraditionalChinese, SimplifiedChinese),
            (English, English),
            (Japanese, English),
        ] {
            assert_eq!(asked.for_integrators(), language, "{asked}");
        }
    }
}
