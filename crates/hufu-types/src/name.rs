//! Login names and connection identifiers, validated when parsed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not a valid name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not an e-mail address.
    #[error("an e-mail address looks like name@example.com, in at most 254 characters")]
    Email,
    /// Not a phone number in international form.
    #[error(
        "a phone number is written in international form: '+', country code, number, 8 to 15 digits in all"
    )]
    Phone,
    /// Not a username.
    #[error("a username has 1 to 64 characters, without spaces at its ends, control characters or '@'")]
    Username,
    /// Not a connection identifier.
    #[error("an identifier is 1 to 31 characters of a-z, 0-9 and '-'")]
    Identifier,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The canonical text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

/// Keeps personal data out of debug output, and therefore out of logs.
macro_rules! redacted {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )*};
}

name!(/// An e-mail address, in lower case: e-mail login names are case-insensitive.
    Email);
name!(/// A phone number in E.164 form, such as `+8613800000000`.
    Phone);
name!(/// A username; case-sensitive.
    Username);
name!(/// The identifier of a connection, as used in URLs: `^[a-z0-9-]{1,31}$`.
    Identifier);
redacted!(Email, Phone, Username);

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({})", self.0)
    }
}

impl Email {
    /// Parses an address and converts all of it to lower case.
    ///
    /// # Errors
    /// [`NameError::Email`]
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim().to_lowercase();
        let (local, domain) = text.rsplit_once('@').ok_or(NameError::Email)?;
        let fits = text.len() <= 254 && (1..=64).contains(&local.len());
        let plain = |part: &str| part.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '@');
        let dotted = domain.split('.').count() >= 2
            && domain
                .split('.')
                .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
        if fits && plain(local) && plain(domain) && dotted { Ok(Self(text)) } else { Err(NameError::Email) }
    }
}

/// The country calling codes of one or two digits; all others have three (ITU-T E.164, list of assigned
/// country codes).
const SHORT_CODES: [&str; 46] = [
    "1", "7", "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47",
    "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66",
    "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
];

/// The country calling code of China.
const CHINA: &str = "+86";

impl Phone {
    /// Parses a number in international form. Spaces, hyphens and parentheses are ignored. Zeros between the
    /// country code of China and the number are dropped: they are dialled within China, but are not part of
    /// the number.
    ///
    /// # Errors
    /// [`NameError::Phone`]
    /// [`NameError::Phone`]
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let digits = text.trim().strip_prefix('+').ok_or(NameError::Phone)?;
        Self::from_digits(digits.chars())
    }

    /// Joins a country code (`86` or `+86`) and a national number, the form in which WeChat returns them.
    ///
    /// # Errors
    /// [`NameError::Phone`]
    pub fn from_parts(country_code: &str, number: &str) -> Result<Self, NameError> {
        let code = country_code.trim().trim_start_matches('+');
        Self::from_digits(code.chars().chain(number.trim().chars()))
    }

    fn from_digits(chars: impl Iterator<Item = char>) -> Result<Self, NameError> {
        let mut text = String::from("+");
        for c in chars {
            match c {
                '0'..='9' => text.push(c),
                ' ' | '-' | '(' | ')' => {}
                _ => return Err(NameError::Phone),
            }
        }
        if let Some(national) = text.strip_prefix(CHINA) {
            text = format!("{CHINA}{}", national.trim_start_matches('0'));
        }
        if (9..=16).contains(&text.len()) && !text.starts_with("+0") {
            Ok(Self(text))
        } else {
            Err(NameError::Phone)
        }
    }

    /// Whether this may be a mobile number, as far as the rules of its country are known: in China, mobile
    /// numbers have eleven digits and start with 1.
    pub fn may_be_mobile(&self) -> bool {
        match self.parts() {
            (CHINA, number) => number.len() == 11 && number.starts_with('1'),
            _ => true,
        }
    }

    /// The country calling code with its plus sign, and the rest: (`+86`, `13800000000`).
    pub fn parts(&self) -> (&str, &str) {
        let digits = self.0.get(1..).unwrap_or_default();
        let length =
            (1..=2).find(|n| digits.get(..*n).is_some_and(|code| SHORT_CODES.contains(&code))).unwrap_or(3);
        self.0.split_at_checked(length + 1).unwrap_or((self.as_str(), ""))
    }
}

impl Username {
    /// Parses a username.
    ///
    /// # Errors
    /// [`NameError::Username`]
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fits = (1..=64).contains(&text.chars().count());
        let plain = text.trim() == text && !text.chars().any(|c| c.is_control() || c == '@');
        if fits && plain { Ok(Self(text.to_owned())) } else { Err(NameError::Username) }
    }
}

impl Identifier {
    /// Parses a connection identifier.
    ///
    /// # Errors
    /// [`NameError::Identifier`]
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fits = (1..=31).contains(&text.len());
        if fits && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Identifier)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_stored_in_one_form() {
        assert_eq!(Phone::parse("+86 138-0000-0000").unwrap().as_str(), "+8613800000000");
        assert_eq!(Phone::from_parts("86", "13800000000").unwrap().as_str(), "+8613800000000");
        assert_eq!(Phone::from_parts("+1", "2025550123").unwrap().as_str(), "+12025550123");
        assert_eq!(Phone::parse("+86 013800000000").unwrap().as_str(), "+8613800000000");
        assert_eq!(Phone::from_parts("86", "0013800000000").unwrap().as_str(), "+8613800000000");
        assert_eq!(
            Phone::parse("+390612345678").unwrap().as_str(),
            "+390612345678",
            "a zero that is dialled"
        );
        for bad in ["", "13800000000", "+", "+123", "+86abc00000000", "+0123456789", "+1234567890123456"] {
            assert_eq!(Phone::parse(bad), Err(NameError::Phone), "{bad:?}");
        }
    }

    #[test]
    fn calling_codes_of_one_two_and_three_digits() {
        for (number, code, rest) in [
            ("+8613800000000", "+86", "13800000000"),
            ("+12025550123", "+1", "2025550123"),
            ("+79161234567", "+7", "9161234567"),
            ("+85291234567", "+852", "91234567"),
            ("+353851234567", "+353", "851234567"),
        ] {
            assert_eq!(Phone::parse(number).unwrap().parts(), (code, rest));
        }
    }

    #[test]
    fn mobile_numbers_of_china_have_one_length() {
        for (number, may_be) in [
            ("+8613800000000", true),
            ("+86138000000001", false),
            ("+861012345678", false),
            ("+12025550123", true),
        ] {
            assert_eq!(Phone::parse(number).unwrap().may_be_mobile(), may_be, "{number}");
        }
    }

    #[test]
    fn emails_ignore_case_and_need_a_dotted_domain() {
        assert_eq!(Email::parse(" Bob@Example.COM ").unwrap().as_str(), "bob@example.com");
        for bad in ["bob", "bob@", "@example.com", "bob@localhost", "b ob@example.com", "bob@exa..mple.com"] {
            assert_eq!(Email::parse(bad), Err(NameError::Email), "{bad:?}");
        }
    }

    #[test]
    fn identifiers_and_usernames() {
        assert!(Identifier::parse("shop-mini").is_ok());
        for bad in ["", "Shop", "a_b", &"a".repeat(32)] {
            assert_eq!(Identifier::parse(bad), Err(NameError::Identifier), "{bad:?}");
        }
        assert!(Username::parse("小明").is_ok());
        for bad in ["", " bob", "a@b", "a\u{0}b", &"x".repeat(65)] {
            assert_eq!(Username::parse(bad), Err(NameError::Username), "{bad:?}");
        }
    }

    #[test]
    fn personal_data_is_not_debugged() {
        assert!(!format!("{:?}", Phone::parse("+8613800000000").unwrap()).contains("138"));
        assert!(!format!("{:?}", Email::parse("bob@example.com").unwrap()).contains("bob"));
    }
}
