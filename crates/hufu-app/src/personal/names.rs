//! Login names that came with accounts that were merged into one's own: they lead here until they are unbound.

use hufu_store::credentials::Name;
use hufu_store::personal::{NameUnbound, UnbindMergedName};
use hufu_types::{Action, Email, Phone, Username};
use serde_json::json;

use crate::authentication::Authenticated;
use crate::{App, Refusal};

/// A login name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginName {
    /// A username.
    Username(Username),
    /// An e-mail address.
    Email(Email),
    /// A phone number.
    Phone(Phone),
}

impl From<LoginName> for Name {
    fn from(name: LoginName) -> Self {
        match name {
            LoginName::Username(name) => Self::Username(name),
            LoginName::Email(email) => Self::Email(email),
            LoginName::Phone(phone) => Self::Phone(phone),
        }
    }
}

impl App {
    /// Takes a login name from an account that was merged into one's own, as when its number was given up. It is free
    /// for others then, and an undo of the merge does not bring it back. The account's own names are changed by the
    /// calls for them.
    ///
    /// # Errors
    /// [`Refusal::LoginTooOld`], [`Refusal::NotBound`], [`Refusal::LastWayIn`].
    pub async fn unbind_merged_name(&self, who: &Authenticated, name: LoginName) -> Result<(), Refusal> {
        let trace = self.trace_of(who);
        if let Err(refusal) = self.require_recent_login(who) {
            let action = match name {
                LoginName::Username(_) => Action::UserUpdated,
                LoginName::Email(_) => Action::EmailUnbound,
                LoginName::Phone(_) => Action::PhoneUnbound,
            };
            return Err(self.refused(who, trace, action, json!({}), refusal).await);
        }
        let unit = UnbindMergedName {
            pool: who.pool().clone(),
            user: who.user.clone(),
            name: name.into(),
            even_the_last: false,
            trace,
        };
        match self.write(unit).await? {
            NameUnbound::Done => Ok(()),
            NameUnbound::NotBound => Err(Refusal::NotBound),
            NameUnbound::LastWayIn => Err(Refusal::LastWayIn),
        }
    }
}
