//! The units of work for one's own login names: a username for an account that has none, and names that came
//! with merged accounts. Phone numbers and e-mail addresses are changed with codes: see
//! [`crate::credentials`].

use hufu_connect::templates::AddedWay;
use hufu_store::login_names::{self, LoginName};
use hufu_store::rates::Limit;
use hufu_store::{StoreError, Tx, Write, users};
use hufu_types::refusal::Code;
use hufu_types::{Action, PoolId, User, UserId, Username};
use serde_json::json;

use crate::credentials::locks::Name;
use crate::events::{Event, Recorder, Trace};
use crate::people::holders::locked_and_active;
use crate::people::notices::way_in_added;
use crate::people::ways_in::{NameKind, RecentLogin, Removal, ways_in};

/// Gives an account a username if it has none.
pub struct SetUsername {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The username.
    pub username: Username,
    /// Counts attempts at taken usernames, so that nobody can probe a list of them.
    pub guard: Option<Limit>,
    /// The user logged in recently.
    pub recent: RecentLogin,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

/// The outcome of setting a username.
#[derive(Debug)]
pub enum UsernameSet {
    /// The username is set.
    Done(Box<User>),
    /// The account already has a username.
    HasOne,
    /// Another account has this username.
    Taken,
    /// Too many taken usernames were tried recently.
    TooOften,
    /// The account is gone or disabled.
    Gone,
}

impl UsernameSet {
    /// The refusal code for the audit log, which is also what clients receive. None if nothing was refused.
    pub const fn code(&self) -> Option<u32> {
        match self {
            Self::Done(_) | Self::TooOften | Self::Gone => None,
            Self::HasOne => Some(Code::HasUsername.number()),
            Self::Taken => Some(Code::UsernameTaken.number()),
        }
    }
}

impl Write for SetUsername {
    type Out = UsernameSet;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<UsernameSet, StoreError> {
        let mut events = self.trace.recorder();
        let set = self.set(tx, &mut events).await?;
        let event = match (&set, set.code()) {
            (_, Some(code)) => Event { code, ..Event::of(Action::UserUpdated, &self.user) },
            (UsernameSet::Done(user), _) => {
                let after = json!({ "username": user.username.as_ref().map(Username::masked) });
                let details =
                    json!({ "changed": ["username"], "before": { "username": null }, "after": after });
                Event::of(Action::UserUpdated, &self.user).with(details)
            }
            _ => return Ok(set),
        };
        events.record(tx, &self.pool, event).await?;
        Ok(set)
    }
}

impl SetUsername {
    async fn set(&self, tx: &mut Tx<'_>, events: &mut Recorder<'_>) -> Result<UsernameSet, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let Some(user) = locked_and_active(tx, pool, &self.user).await? else { return Ok(UsernameSet::Gone) };
        if user.username.is_some() {
            return Ok(UsernameSet::HasOne);
        }
        if let Some(guard) = &self.guard
            && guard.take(tx, now).await?.is_none()
        {
            return Ok(UsernameSet::TooOften);
        }
        if users::by_username(tx, pool, &self.username).await?.is_some() {
            return Ok(UsernameSet::Taken);
        }
        if let Some(guard) = &self.guard {
            guard.take_back(tx, now).await?;
        }
        // Without a password, nobody can log in with it.
        if user.password_set_at.is_some() {
            way_in_added(tx, events, pool, &user.id, AddedWay::Username).await?;
        }
        login_names::set_username(tx, pool, &user.id, &self.username, now).await?;
        let mut user = User { username: Some(self.username.clone()), ..user };
        user.touch(now);
        Ok(UsernameSet::Done(Box::new(user)))
    }
}

/// Takes a login name from an account that was merged into this one, so that it no longer leads here.
///
/// The account's own names are changed elsewhere, with stricter checks.
pub struct UnbindMergedName {
    /// The pool.
    pub pool: PoolId,
    /// The survivor of the merge.
    pub user: UserId,
    /// The name.
    pub name: Name,
    /// Whether the last way to log in may be removed too. Administrators may do this.
    pub allow_last: bool,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

/// The outcome of unbinding a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameUnbound {
    /// The name is unbound, and free for others.
    Done,
    /// No account merged into this one has it.
    NotBound,
    /// No way to log in would remain.
    LastWayIn,
}

impl Write for UnbindMergedName {
    type Out = NameUnbound;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<NameUnbound, StoreError> {
        let (pool, user) = (&self.pool, &self.user);
        let (kind, action, take, field, masked) = match &self.name {
            Name::Username(name) => (
                Some(NameKind::Username),
                Action::UserUpdated,
                LoginName::Username,
                "username",
                name.masked(),
            ),
            Name::Email(email) => {
                (Some(NameKind::Email), Action::EmailUnbound, LoginName::Email, "email", email.masked())
            }
            Name::Phone(phone) => {
                (Some(NameKind::Phone), Action::PhoneUnbound, LoginName::Phone, "phone", phone.masked())
            }
            Name::ExternalId(id) => {
                (None, Action::UserUpdated, LoginName::ExternalId, "externalId", hufu_types::masked(id))
            }
        };
        let mut events = self.trace.recorder();
        // If two requests remove the last two ways to log in, the second waits here. So does an undo of the
        // merge.
        users::get_locked(tx, pool, user).await?;
        let ways = ways_in(tx, pool, user).await?;
        let holder = ways.merged.iter().find(|merged| self.is_of(merged)).map(|merged| &merged.id);
        let remains = |holder| {
            kind.is_none_or(|kind| self.allow_last || ways.accessible_after(Removal::Merged(kind, holder)))
        };
        let (holder, code) = match holder {
            None => (None, Some(Code::NotBound)),
            Some(holder) if !remains(holder) => (None, Some(Code::LastWayIn)),
            Some(holder) => (Some(holder), None),
        };
        let details = json!({ "before": { field: masked }, "of": holder });
        if let Some(holder) = holder {
            login_names::take(tx, pool, holder, take, self.trace.at).await?;
        }
        events
            .record(tx, pool, Event { action, code: code.map_or(0, Code::number), user: Some(user), details })
            .await?;
        Ok(match code {
            Some(Code::NotBound) => NameUnbound::NotBound,
            Some(_) => NameUnbound::LastWayIn,
            None => NameUnbound::Done,
        })
    }
}

impl UnbindMergedName {
    fn is_of(&self, user: &User) -> bool {
        match &self.name {
            Name::Username(name) => user.username.as_ref() == Some(name),
            Name::Email(email) => user.email.as_ref() == Some(email),
            Name::Phone(phone) => user.phone.as_ref().is_some_and(|(held, _)| held == phone),
            Name::ExternalId(id) => user.external_id.as_ref() == Some(id),
        }
    }
}
