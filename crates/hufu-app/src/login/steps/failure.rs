//! Why a step of a login that waits fails.

use hufu_types::PasscodeChannel;
use hufu_types::refusal::Code;

use crate::people::holders::Unusable;

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepFailure {
    /// The code is wrong, used or expired.
    WrongCode,
    /// The code was not checked: too many wrong codes came from this IP address.
    TooManyCodes,
    /// The account or the password is wrong.
    WrongPassword {
        /// How many attempts remain before the account is locked.
        remaining: i64,
    },
    /// The account is locked after too many wrong passwords.
    Locked,
    /// The proof leads to no account.
    NoAccount,
    /// The account already has another identity of the same source.
    AnotherIdentityBound,
    /// The identity belongs to another account by now.
    IdentityTaken,
    /// The account is not among those to choose from.
    NotACandidate,
    /// Creating an account is not permitted.
    MayNotCreate,
    /// The account may not log in, for this reason.
    Unusable(Unusable),
    /// The accounts cannot be merged: they are one by now, or one of them was merged into a third.
    MergeImpossible,
    /// The username is taken.
    UsernameTaken,
    /// The phone number or e-mail address belongs to another account.
    NameTaken(PasscodeChannel),
    /// Custom data would have too many keys.
    TooManyKeys,
    /// Custom data would be too long.
    TooMuchCustomData,
    /// Something that is required is still missing.
    StillMissing,
}

impl StepFailure {
    /// The refusal code for the audit log. None if the failure is already recorded there, or was not a
    /// refusal.
    pub(super) const fn code(&self) -> Option<u32> {
        Some(match self {
            Self::WrongCode => Code::WrongCode.number(),
            Self::TooManyCodes => Code::TooOften.number(),
            Self::NoAccount => Code::NoAccount.number(),
            Self::AnotherIdentityBound => Code::AnotherIdentityBound.number(),
            Self::IdentityTaken => Code::IdentityTaken.number(),
            Self::NotACandidate => Code::NotACandidate.number(),
            Self::MayNotCreate => Code::RegistrationOff.number(),
            Self::Unusable(Unusable::Disabled) => Code::Disabled.number(),
            Self::Unusable(Unusable::DeletionPending(_)) => Code::DeletionPending.number(),
            Self::MergeImpossible => Code::MergeImpossible.number(),
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
