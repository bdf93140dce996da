//! What a pool asks of passwords, as settings. The judgement needs a list of common passwords and is elsewhere.

use serde::{Deserialize, Serialize};

/// How many kinds of characters a password must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PasswordLevel {
    /// Any.
    #[default]
    Low,
    /// Letters and digits, at least eight characters.
    Middle,
    /// Lower-case letters, upper-case letters and digits, at least twelve characters.
    High,
}

/// What a password must be. Length and rarity decide how long guessing takes, so
/// that the default asks for those and for no mixture (NIST SP 800-63B 3.1.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordPolicy {
    /// At least so many characters.
    pub min_length: u32,
    /// At most so many bytes in UTF-8; never more than [`Self::LONGEST`].
    pub max_length: u32,
    /// Which kinds of characters.
    pub level: PasswordLevel,
    /// Whether passwords that everybody tries first are refused.
    pub refuse_common: bool,
    /// Whether a password may not contain its owner's own names.
    pub refuse_own_names: bool,
}

impl PasswordPolicy {
    /// No policy allows a longer password, in bytes.
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
