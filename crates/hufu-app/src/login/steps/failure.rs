//! Why a step of a login that waits fails.

use hufu_types::PasscodeChannel;
use hufu_types::refusal::Code;

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepFailure {
    /// The code is wrong, used or expired.
    WrongCode,
    /// The code was not looked at: too many wrong ones came from the address.
    TooManyCodes,
    /// The account or the password is wrong.
    WrongPassword {
        /// How many tries are left before the account is locked.
        remaining: i64,
    },
    /// The account is locked after wrong passwords.
    Locked,
    /// No account is proved by it.
    NoAccount,
    /// The account has another identity of the same source.
    AnotherIdentityBound,
    /// The identity leads to another account by now.
    IdentityTaken,
    /// The account is not among those to choose from.
    NotACandidate,
    /// No account may be made.
    MayNotCreate,
    /// The account is switched off or deleted.
    Unusable,
    /// The username is taken.
    UsernameTaken,
    /// The phone number or the e-mail address is another account's.
    NameTaken(PasscodeChannel),
    /// Custom data would have too many keys.
    TooManyKeys,
    /// Custom data would be too long.
    TooMuchCustomData,
    /// Something that is required is still missing.
    StillMissing,
}

impl StepFailure {
    /// The code of the refusal in the audit log; none where it stands there already, or nothing was refused.
    pub(super) const fn code(&self) -> Option<u32> {
        Some(match self {
            Self::WrongCode => Code::WrongCode.number(),
            Self::TooManyCodes => Code::TooOften.number(),
            Self::NoAccount => Code::NoAccount.number(),
            Self::AnotherIdentityBound => Code::AnotherIdentityBound.number(),
            Self::IdentityTaken => Code::IdentityTaken.number(),
            Self::NotACandidate => Code::NotACandidate.number(),
            Self::MayNotCreate => Code::RegistrationOff.number(),
            Self::Unusable => Code::Disabled.number(),
            Self::UsernameTaken => Code::UsernameTaken.number(),
            Self::NameTaken(PasscodeChannel::Sms) => Code::PhoneTaken.number(),
            Self::NameTaken(PasscodeChannel::Email) => Code::EmailTaken.number(),
            Self::WrongPassword { .. }
            | Self::Locked
            | Self::TooManyKeys
            | Self::TooMuchCustomData
            | Self::StillMissing => return None,
        })
    }
}
