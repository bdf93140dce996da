//! Constructors for refusals that carry data. The refusals themselves are defined in [`hufu_types::refusal`].

use std::time::Duration;

use hufu_types::refusal::Code;
use hufu_types::{Refusal, Timestamp};
use serde_json::json;

use crate::credentials::password::Weakness;

/// The password was wrong; `remaining` attempts are left before the account is locked.
pub(crate) fn wrong_password(remaining: i64) -> Refusal {
    Refusal::new(Code::WrongPassword).carrying(json!({ "remainCount": remaining }))
}

/// The account kept changing while its password was verified.
pub(crate) fn too_many_changes() -> Refusal {
    Code::TooOften.retry_after(Duration::from_secs(1)).because("changes of this account")
}

/// The login is older than `most`.
pub(crate) fn login_too_old(most: Duration) -> Refusal {
    Code::LoginTooOld.with("minutes", most.as_secs().div_ceil(60))
}

/// The owner deleted the account. It will be erased permanently at this time.
pub(crate) fn deletion_pending(at: Timestamp) -> Refusal {
    let iso = at.to_iso();
    let date = iso.get(..10).unwrap_or_default().to_owned();
    Code::DeletionPending.with("at", iso).with("date", date)
}

impl From<Weakness> for Refusal {
    fn from(weakness: Weakness) -> Self {
        let code = match weakness {
            Weakness::TooShort => Code::PasswordTooShort,
            Weakness::TooLong => Code::PasswordTooLong,
            Weakness::TooCommon => Code::PasswordTooCommon,
            Weakness::ContainsOwnName => Code::PasswordContainsName,
            Weakness::NeedsMoreKinds => Code::PasswordTooPlain,
        };
        code.because(weakness)
    }
}
