//! One's own login names: a username for an account that has none, and names that came with merged accounts,
//! which lead here until they are unbound. Phone numbers and e-mail addresses are changed with codes: see
//! [`crate::credentials`].

pub mod unit;

use async_recursion::async_recursion as boxed;
use hufu_store::rates::{self, Limit};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Action, Email, Phone, PoolId, User, Username};
use serde_json::json;

use crate::address::network_of;
use crate::credentials::is_phone_number;
use crate::credentials::locks::Name;
use crate::tokens::authentication::Authenticated;
use crate::{App, Origin, Refusal};
use unit::{NameUnbound, SetUsername, UnbindMergedName, UsernameSet};

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
    /// Gives one's own account a username if it has none. The login must be recent. The number of taken
    /// usernames that may be tried is limited, as for registration.
    ///
    /// # Errors
    /// [`Code::LoginTooOld`], [`Code::HasUsername`], [`Code::UsernameTaken`], [`Code::TooOften`];
    /// [`Code::Invalid`] for a phone number.
    #[boxed]
    pub async fn choose_username(&self, who: &Authenticated, username: Username) -> Result<User, Refusal> {
        if is_phone_number(username.as_str()) {
            return Err(Refusal::invalid("username", Reason::UsernameIsPhone));
        }
        let pool = who.pool().clone();
        let guard = self.username_guard(&pool, &who.origin);
        let recent = self.require_recent_login_for(who, Action::UserUpdated).await?;
        let (user, trace) = (who.user.clone(), self.trace_of(who));
        match self.write(SetUsername { pool, user, username, guard, recent, trace }).await? {
            UsernameSet::Done(user) => Ok(*user),
            UsernameSet::HasOne => Err(Code::HasUsername.into()),
            UsernameSet::Taken => Err(Code::UsernameTaken.into()),
            UsernameSet::TooOften => {
                let wait = rates::wait(self.limits.registration_window, self.now());
                Err(Code::TooOften.retry_after(wait).because("usernames that are taken, from this address"))
            }
            UsernameSet::Gone => Err(Code::NotLoggedIn.into()),
        }
    }

    /// How many taken usernames one network may try.
    pub(crate) fn username_guard(&self, pool: &PoolId, origin: &Origin) -> Option<Limit> {
        origin.ip.as_deref().map(|ip| Limit {
            name: format!("username:{pool}:{}", network_of(ip)),
            most: self.limits.registrations_per_ip,
            window: self.limits.registration_window,
        })
    }

    /// Takes a login name from an account that was merged into one's own, for example when its phone number
    /// was given up. The name is then free for others, and undoing the merge does not bring it back. The
    /// account's own names are changed by other calls.
    ///
    /// # Errors
    /// [`Code::LoginTooOld`], [`Code::NotBound`], [`Code::LastWayIn`].
    #[boxed]
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
            allow_last: false,
            trace,
        };
        match self.write(unit).await? {
            NameUnbound::Done => Ok(()),
            NameUnbound::NotBound => Err(Code::NotBound.into()),
            NameUnbound::LastWayIn => Err(Code::LastWayIn.into()),
        }
    }
}
