//! The password rules of a pool, as settings. Checking a password against them needs a list of common
//! passwords, so it is done in another crate.

use serde::{Deserialize, Serialize};

/// The character classes that a password must contain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PasswordLevel {
    /// No requirement.
    #[default]
    Low,
    /// Letters and digits, at least eight characters.
    Middle,
    /// Lower-case letters, upper-case letters and digits, at least twelve characters.
    High,
}

/// The requirements for passwords. How hard a password is to guess depends on its length and on how common it
/// is. The defaults therefore require those, and no mix of character classes (NIST SP 800-63B 3.1.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordPolicy {
    /// Minimum length in characters.
    pub min_length: u32,
    /// Maximum length in bytes of UTF-8; at most [`Self::LONGEST`].
    pub max_length: u32,
    /// The required character classes.
    pub level: PasswordLevel,
    /// Whether to reject common passwords, which attackers try first.
    pub refuse_common: bool,
    /// Whether to reject passwords that contain one of their owner's names.
    pub refuse_own_names: bool,
}

impl PasswordPolicy {
    /// The longest maximum that a policy can set, in bytes.
    pub const LONGEST: u32 = 128;
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            min_length: 8,
            max_length: Self::LONGEST,
            level: PasswordLevel::Low,
            refuse_common: true,
            refuse_own_names: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_is_the_default_and_typing_errors_are_errors() {
        assert_eq!(serde_json::from_str::<PasswordPolicy>("{}").unwrap(), PasswordPolicy::default());
        let strict: PasswordPolicy = serde_json::from_str(r#"{"min_length":10,"level":"high"}"#).unwrap();
        assert_eq!(strict.level, PasswordLevel::High);
        assert_eq!(strict.min_length, 10);
        assert!(strict.refuse_common);
        assert!(serde_json::from_str::<PasswordPolicy>(r#"{"min_lenght":10}"#).is_err());
        assert!(serde_json::from_str::<PasswordPolicy>(r#"{"level":"highest"}"#).is_err());
    }
}
