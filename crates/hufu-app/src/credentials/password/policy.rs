//! Which passwords a pool accepts.
//!
//! The list of common passwords, `common.txt`, contains what people worldwide and in China try first:
//! sequences of digits and keys, names, words and dates. The comparison ignores case, symbols and up to four
//! digits at the end, and common character substitutions (`P@ssw0rd2024!`).

use std::collections::HashSet;
use std::sync::LazyLock;

use hufu_types::{PasswordLevel, PasswordPolicy};

/// In lower case, sorted, one per line.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("common.txt").lines().collect());

/// Names with fewer bytes occur in too many passwords by chance.
const SHORTEST_NAME: usize = 4;
/// This many trailing digits of a phone number identify it.
const PHONE_TAIL: usize = 8;
/// A year, or a counter that is incremented with each password change.
const DIGITS_AT_END: usize = 4;

/// Why a password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// It has fewer characters than the policy requires.
    #[error("the password is too short")]
    TooShort,
    /// It has more bytes than the policy allows.
    #[error("the password is too long")]
    TooLong,
    /// It is among the passwords that attackers try first.
    #[error("the password is among those that are tried first")]
    TooCommon,
    /// It contains one of the user's names.
    #[error("the password contains a name of the account")]
    ContainsOwnName,
    /// It lacks some kinds of characters that the policy requires.
    #[error("the password does not have the kinds of characters that are asked for")]
    NeedsMoreKinds,
}

impl Weakness {
    /// The name used in the API. It never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::TooCommon => "too_common",
            Self::ContainsOwnName => "contains_own_name",
            Self::NeedsMoreKinds => "needs_more_kinds",
        }
    }
}

/// Checks a password against the policy. `names` are the user's username, e-mail address (only the part
/// before the @ counts), phone number and name.
pub fn check(policy: &PasswordPolicy, password: &str, names: &[&str]) -> Result<(), Weakness> {
    if password.len() > size(policy.max_length.min(PasswordPolicy::LONGEST)) {
        return Err(Weakness::TooLong);
    }
    if password.is_empty() || password.chars().count() < size(policy.min_length) {
        return Err(Weakness::TooShort);
    }
    if level(password) < policy.level {
        return Err(Weakness::NeedsMoreKinds);
    }
    if policy.refuse_common && is_common(password) {
        return Err(Weakness::TooCommon);
    }
    if policy.refuse_own_names && names.iter().any(|name| contains_name(password, name)) {
        return Err(Weakness::ContainsOwnName);
    }
    Ok(())
}

/// The strength of a password by its length and its kinds of characters: 1 low, 2 middle, 3 high.
pub fn level_of(password: &str) -> u8 {
    match level(password) {
        PasswordLevel::Low => 1,
        PasswordLevel::Middle => 2,
        PasswordLevel::High => 3,
    }
}

fn level(password: &str) -> PasswordLevel {
    let length = password.chars().count();
    let has = |kind: fn(char) -> bool| password.chars().any(kind);
    let digit = has(|c| c.is_ascii_digit());
    if length >= 12 && digit && has(char::is_lowercase) && has(char::is_uppercase) {
        PasswordLevel::High
    } else if length >= 8 && digit && has(char::is_alphabetic) {
        PasswordLevel::Middle
    } else {
        PasswordLevel::Low
    }
}

fn is_common(password: &str) -> bool {
    let lower = password.to_lowercase();
    let without_signs = lower.trim_end_matches(|c: char| !c.is_alphanumeric());
    known(&lower) || known(without_signs) || known(without_digits(without_signs)) || is_one_character(&lower)
}

/// Whether the list contains the word, as it is or with common character substitutions undone.
fn known(word: &str) -> bool {
    COMMON.contains(word)
        || (word.contains(char::is_alphabetic)
            && ['i', 'l'].into_iter().any(|one| COMMON.contains(unleet(word, one).as_str())))
}

/// Turns `p@ssw0rd` into `password`. The letter that 1 stands for is a parameter.
fn unleet(word: &str, one: char) -> String {
    let letter = |c| match c {
        '@' | '4' => 'a',
        '3' => 'e',
        '0' => 'o',
        '5' | '$' => 's',
        '7' => 't',
        '1' | '!' => one,
        c => c,
    };
    word.chars().map(letter).collect()
}

fn without_digits(word: &str) -> &str {
    let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
    if word.len() - letters.len() <= DIGITS_AT_END { letters } else { word }
}

fn is_one_character(word: &str) -> bool {
    let mut characters = word.chars();
    let first = characters.next();
    characters.all(|c| Some(c) == first)
}

fn contains_name(password: &str, name: &str) -> bool {
    let phone = name.strip_prefix('+').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let name = match (phone, name.split_once('@')) {
        (Some(digits), _) => digits.get(digits.len().saturating_sub(PHONE_TAIL)..).unwrap_or(digits),
        (None, Some((local, _))) => local,
        (None, None) => name,
    };
    // The length is in bytes, so a name of two Chinese characters (six bytes) is long enough.
    name.len() >= SHORTEST_NAME && password.to_lowercase().contains(&name.to_lowercase())
}

fn size(setting: u32) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str) -> Result<(), Weakness> {
        super::check(
            &PasswordPolicy::default(),
            password,
            &["liming", "li.ming@example.com", "+8613800138000", "李明"],
        )
    }

    #[test]
    fn the_list_is_sorted_lower_case_and_long() {
        let lines: Vec<&str> = include_str!("common.txt").lines().collect();
        assert!(lines.len() >= 1000, "{}", lines.len());
        assert!(lines.is_sorted_by(|a, b| a < b), "sorted, nothing twice");
        for line in lines {
            assert!(line.len() >= 4 && *line == line.trim().to_lowercase(), "{line:?}");
        }
    }

    #[test]
    fn common_passwords_are_refused_in_their_disguises() {
        for password in [
            "password",
            "PASSWORD",
            "Password1!",
            "p@ssw0rd",
            "P@ssw0rd2024!!",
            "12345678",
            "1234567890",
            "88888888",
            "11111111111",
            "qwertyuiop",
            "1qaz2wsx",
            "woaini1314",
            "woaini520",
            "woaini1314520",
            "5201314520",
            "iloveyou",
            "1loveyou",
            "zhangwei123",
            "admin123",
            "asdfghjkl",
            "Qq123456",
            "a1234567",
            "abcd1234",
            "wangyang1990",
            "q1w2e3r4t5",
            "aaaaaaaa",
            "密密密密密密密密",
        ] {
            assert_eq!(check(password), Err(Weakness::TooCommon), "{password}");
        }
        for password in [
            "correct horse",
            "tiger tally 37",
            "xk4$mQ9w",
            "虎符虎符一二三四",
            "83746152",
            "zhangwei83746152",
        ] {
            assert_eq!(check(password), Ok(()), "{password}");
        }
        let policy = PasswordPolicy { refuse_common: false, ..PasswordPolicy::default() };
        assert_eq!(super::check(&policy, "password", &[]), Ok(()));
    }

    #[test]
    fn a_password_has_at_least_and_at_most_so_much() {
        assert_eq!(check("xk4$mQ9"), Err(Weakness::TooShort));
        assert_eq!(check(""), Err(Weakness::TooShort));
        assert_eq!(check(&"correct horse ".repeat(9)), Ok(()));
        assert_eq!(check(&"correct horse ".repeat(10)), Err(Weakness::TooLong));
        let generous = PasswordPolicy { min_length: 0, max_length: u32::MAX, ..PasswordPolicy::default() };
        assert_eq!(super::check(&generous, "", &[]), Err(Weakness::TooShort));
        assert_eq!(super::check(&generous, &"x y ".repeat(33), &[]), Err(Weakness::TooLong));
        assert_eq!(super::check(&generous, "xk4", &[]), Ok(()));
    }

    #[test]
    fn a_password_does_not_contain_its_owners_names() {
        for password in
            ["the LiMing way", "li.ming and li", "tel 13800138000", "x00138000x", "这是李明的很长的密码"]
        {
            assert_eq!(check(password), Err(Weakness::ContainsOwnName), "{password}");
        }
        let policy = PasswordPolicy { refuse_own_names: false, ..PasswordPolicy::default() };
        assert_eq!(super::check(&policy, "the LiMing way", &["liming"]), Ok(()));
        assert_eq!(super::check(&PasswordPolicy::default(), "correct horse", &["", "or", "@"]), Ok(()));
    }

    #[test]
    fn levels() {
        for (password, level) in [
            ("", 1),
            ("abcdefgh", 1),
            ("12345678", 1),
            ("abc1234", 1),
            ("abcd1234", 2),
            ("abcdefgh1234", 2),
            ("ABCDEFGH1234", 2),
            ("Abcdefgh123", 2),
            ("Abcdefgh1234", 3),
        ] {
            assert_eq!(level_of(password), level, "{password}");
        }
        let middle = PasswordPolicy { level: PasswordLevel::Middle, ..PasswordPolicy::default() };
        assert_eq!(super::check(&middle, "correct horse", &[]), Err(Weakness::NeedsMoreKinds));
        assert_eq!(super::check(&middle, "correct horse 7", &[]), Ok(()));
        let high = PasswordPolicy { level: PasswordLevel::High, ..PasswordPolicy::default() };
        assert_eq!(super::check(&high, "correct horse 7", &[]), Err(Weakness::NeedsMoreKinds));
        assert_eq!(super::check(&high, "Correct horse 7", &[]), Ok(()));
    }
}
