//! Refusals as the use cases make them: what they say stands in [`hufu_types::refusal`].

use std::error::Error;
use std::fmt;
use std::time::Duration;

use hufu_types::flow::Stage;
use hufu_types::refusal::Code;
use hufu_types::{Refusal, Timestamp};
use serde_json::json;

use crate::FlowView;
use crate::password::Weakness;

/// A password was wrong, and so many tries are left before the account is locked.
pub(crate) fn wrong_password(remaining: i64) -> Refusal {
    Refusal::new(Code::WrongPassword).carrying(json!({ "remainCount": remaining }))
}

/// The login is older than this.
pub(crate) fn login_too_old(most: Duration) -> Refusal {
    Code::LoginTooOld.with("minutes", most.as_secs().div_ceil(60))
}

/// The account was deleted by its owner, and is gone for good at this time.
pub(crate) fn leaving(at: Timestamp) -> Refusal {
    let iso = at.to_iso();
    let date = iso.get(..10).unwrap_or_default().to_owned();
    Code::Leaving.with("at", iso).with("date", date)
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

/// A login that waits, as the reason of a refusal.
#[derive(Debug)]
struct Waits {
    view: Box<FlowView>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the login waits at {}", self.view.stage.as_str())
    }
}

impl Error for Waits {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause = self.cause.as_ref()?;
        Some(cause.as_ref())
    }
}

/// The login waits for the person's next step.
pub fn waiting(view: Box<FlowView>) -> Refusal {
    let code = match view.stage {
        Stage::Associate if view.may_create => Code::BindOrCreate,
        Stage::Associate => Code::Bind,
        Stage::NewPassword => Code::SetPassword,
        Stage::Complete => Code::FillIn,
        Stage::Agree => Code::Agree,
        Stage::Select | Stage::Identify | Stage::Done | Stage::Refused => Code::Choose,
    };
    code.because(Waits { view, cause: None })
}

/// A step of a waiting login failed, and the login waits where it was, with another handle.
pub(crate) fn step_failed(refusal: Refusal, view: Box<FlowView>) -> Refusal {
    let (refusal, cause) = refusal.take_source();
    refusal.because(Waits { view, cause })
}

/// Where the login stands, if it waits.
pub fn waits_at(refusal: &Refusal) -> Option<&FlowView> {
    refusal.source_as::<Waits>().map(|waits| &*waits.view)
}

/// The same, or the refusal.
pub(crate) fn into_waiting(refusal: Refusal) -> Result<Box<FlowView>, Refusal> {
    if waits_at(&refusal).is_none() {
        return Err(refusal);
    }
    let (refusal, source) = refusal.take_source();
    match source.and_then(|source| source.downcast::<Waits>().ok()) {
        Some(waits) => Ok(waits.view),
        None => Err(refusal),
    }
}
