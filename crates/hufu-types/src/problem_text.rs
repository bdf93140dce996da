//! What is wrong with a setting, in other languages than the code's own. The English sentences are the keys, as with
//! gettext: files and the command line show them as they are.

use std::sync::LazyLock;

use crate::Language;

/// Between what is wrong and what to do.
const DASH: &str = " — ";
/// The most values in one half of a sentence.
const HOLES: usize = 3;

/// Half a sentence with holes, and its translation.
struct Entry {
    /// The texts around the holes.
    parts: Vec<&'static str>,
    translation: &'static str,
}

static CHINESE: LazyLock<Vec<Entry>> =
    LazyLock::new(|| read(include_str!("../texts/problems/zh-CN.txt")).collect());

/// The reason of a problem ([`SettingProblem::reason`](crate::SettingProblem::reason)) for readers of this language. A
/// half of it that has no translation stays in English.
pub fn problem_text(reason: &str, language: Language) -> String {
    if !matches!(language, Language::SimplifiedChinese | Language::TraditionalChinese) {
        return reason.to_owned();
    }
    let half = |text: &str| translated(text).unwrap_or_else(|| text.to_owned());
    match reason.rsplit_once(DASH) {
        Some((what, advice)) => format!("{}：{}", half(what), half(advice)),
        None => half(reason),
    }
}

fn read(file: &'static str) -> impl Iterator<Item = Entry> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(" => ")).map(|(english, translation)| {
        let mut parts = vec![english];
        for hole in ["{1}", "{2}", "{3}"] {
            let Some(last) = parts.pop() else { break };
            match last.split_once(hole) {
                Some((before, after)) => parts.extend([before, after]),
                None => parts.push(last),
            }
        }
        Entry { parts, translation }
    })
}

/// The translation of half a sentence. Of the forms that fit, it has the one with the most text of its own.
fn translated(text: &str) -> Option<String> {
    let fitting = CHINESE.iter().filter_map(|entry| Some((entry, entry.values(text)?)));
    let (entry, values) =
        fitting.max_by_key(|(entry, _)| entry.parts.iter().map(|part| part.len()).sum::<usize>())?;
    let mut filled = String::new();
    let mut rest = entry.translation;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let (number, after) = after.split_once('}')?;
        filled.push_str(values.get(number.parse::<usize>().ok()?.checked_sub(1)?)?);
        rest = after;
    }
    Some(filled + rest)
}

impl Entry {
    /// What stands in the holes, if the text is of this form.
    fn values<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let (first, others) = self.parts.split_first()?;
        let mut rest = text.strip_prefix(first)?;
        let mut values = Vec::with_capacity(HOLES);
        for (index, part) in others.iter().enumerate() {
            let is_last = index + 1 == others.len();
            let (value, after) =
                if is_last { (rest.strip_suffix(part)?, "") } else { rest.split_once(part)? };
            if value.is_empty() {
                return None;
            }
            values.push(value);
            rest = after;
        }
        rest.is_empty().then_some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chinese(reason: &str) -> String {
        problem_text(reason, Language::SimplifiedChinese)
    }

    #[test]
    fn both_halves_are_translated_with_their_values() {
        assert_eq!(chinese("out of range — write 1 to 3650"), "超出范围：请填写 1 到 3650");
        assert_eq!(chinese("`a — b` is there already — name each once"), "`a — b` 重复了：每个只写一次");
        assert_eq!(
            chinese("there is no field `custom.size` — declare it in custom_fields, or take it out"),
            "没有字段 `custom.size`：请在 custom_fields 中声明它，或将其去掉"
        );
        assert_eq!(
            chinese("a public client has no secret — take it out, or write token_auth = a or b"),
            "公开客户端没有密钥：请去掉，或填写 token_auth = a 或 b"
        );
        assert_eq!(chinese("what nobody translated — take it out"), "what nobody translated：请去掉");
        assert_eq!(
            problem_text("missing — take it out", Language::TraditionalChinese),
            "缺少：请去掉",
            "there is no other Chinese"
        );
        for other in [Language::English, Language::Japanese] {
            assert_eq!(problem_text("missing — take it out", other), "missing — take it out");
        }
    }

    #[test]
    fn no_line_is_there_twice_or_incomplete() {
        let file = include_str!("../texts/problems/zh-CN.txt");
        let mut seen = std::collections::HashSet::new();
        for line in file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (english, translation) = line.split_once(" => ").unwrap_or_else(|| panic!("{line}"));
            assert!(seen.insert(english), "{english}");
            for hole in ["{1}", "{2}", "{3}"] {
                assert_eq!(english.contains(hole), translation.contains(hole), "{line}");
            }
            assert!(!translation.is_ascii(), "{line}");
        }
    }

    /// What the sentences of the code may have in their holes.
    const VALUES: [&str; 5] = [
        "7",
        "7, 8",
        "7 or 8",
        "no connection of this version does",
        "characters, not only spaces and no control characters",
    ];

    /// A format string with this value in all of its holes.
    fn filled(format: &str, value: &str) -> String {
        let (mut text, mut rest) = (String::new(), format);
        while let Some((before, after)) = rest.split_once('{') {
            text.extend([before, value]);
            rest = after.split_once('}').unwrap().1;
        }
        text + rest
    }

    /// Every sentence in the code is translated: each string literal with a dash is one.
    #[test]
    fn every_sentence_of_the_checks_is_translated() {
        let files = [
            include_str!("client_check.rs"),
            include_str!("settings_check.rs"),
            include_str!("pool_scope.rs"),
        ];
        let mut count = 0;
        for file in files {
            let code = file.split("#[cfg(test)]").next().unwrap();
            for literal in literals(code).into_iter().filter(|literal| literal.contains(DASH)) {
                let (what, advice) = literal.split_once(DASH).unwrap();
                for half in
                    [what, advice].into_iter().filter(|half| !half.starts_with('{') || half.len() > 20)
                {
                    let is_translated = VALUES.iter().any(|value| translated(&filled(half, value)).is_some());
                    assert!(is_translated, "{half}");
                    count += 1;
                }
            }
        }
        assert!(count > 80, "{count}");
    }

    /// The string literals of a file, as the program has them.
    fn literals(code: &str) -> Vec<String> {
        let (mut all, mut chars) = (Vec::new(), code.chars().peekable());
        while let Some(first) = chars.next() {
            match first {
                '/' if chars.peek() == Some(&'/') => while chars.next_if(|c| *c != '\n').is_some() {},
                '\'' => {
                    // A character, unless it is a lifetime.
                    let mut ahead = chars.clone();
                    let escaped = ahead.next() == Some('\\');
                    if escaped {
                        ahead.next();
                    }
                    if ahead.next() == Some('\'') {
                        chars = ahead;
                    }
                }
                '"' => {
                    let mut text = String::new();
                    while let Some(next) = chars.next() {
                        match next {
                            '"' => break,
                            '\\' => match chars.next() {
                                Some('\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                                Some(other) => text.push(other),
                                None => {}
                            },
                            other => text.push(other),
                        }
                    }
                    all.push(text);
                }
                _ => {}
            }
        }
        all
    }
}
