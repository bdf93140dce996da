//! The ways to log in to an account, so that nobody can remove the last one, and nobody can add one with a
//! login that is not recent ([`RecentLogin`]). The owner is told of a new one: see `notices`.
//!
//! Accounts that were merged into it count, because their names and identities lead to it. A unit of work
//! that removes a way first locks the account (`users::get_locked`). So if two run in parallel, the second
//! sees what the first has left.

use std::time::Duration;

use hufu_store::{Read, StoreError, Tx, identities, users};
use hufu_types::{Action, Identity, IdentityKey, PoolId, Timestamp, User, UserId};
use serde_json::json;

use crate::refusal::login_too_old;
use crate::tokens::authentication::Authenticated;
use crate::{App, Refusal};

/// The kind of a login name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A username.
    Username,
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
}

/// A login name and the account that holds it: the account itself, or one merged into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldName {
    /// The kind of name.
    pub kind: NameKind,
    /// The account whose row has it.
    pub holder: UserId,
}

/// The ways to log in to an account.
#[derive(Clone, Debug, PartialEq)]
pub struct WaysIn {
    /// The account.
    pub account: UserId,
    /// The names that can log in with the password. Empty if there is no password.
    pub password_names: Vec<HeldName>,
    /// The accounts whose phone number can receive a code: those with a verified one.
    pub phone: Vec<UserId>,
    /// The accounts whose e-mail address can receive a code: those with a verified one.
    pub email: Vec<UserId>,
    /// The identities of connections that are enabled for an application.
    pub identities: Vec<Identity>,
    /// The accounts merged into this one, oldest first. Their names lead here as well.
    pub merged: Vec<User>,
}

/// Proof that a person has logged in recently. Every unit that adds a way to log in to the account of somebody
/// who is logged in contains one, because whoever holds a stolen token would otherwise keep the account.
///
/// A login itself needs none: it proves who the person is.
#[derive(Clone, Copy, Debug)]
pub struct RecentLogin(());

impl RecentLogin {
    /// The proof, if the login at `auth_time` was at most `most` ago.
    pub fn of(auth_time: Timestamp, now: Timestamp, most: Duration) -> Option<Self> {
        (auth_time >= now.minus(most)).then_some(Self(()))
    }
}

impl App {
    /// Requires a recent login, for operations that somebody who has found the user's phone should not be
    /// able to do.
    ///
    /// # Errors
    /// [`hufu_types::refusal::Code::LoginTooOld`].
    pub(crate) fn require_recent_login(&self, who: &Authenticated) -> Result<RecentLogin, Refusal> {
        let most = self.limits.recent_login;
        if who.is_device {
            return Err(login_too_old(most));
        }
        RecentLogin::of(who.auth_time, self.now(), most).ok_or_else(|| login_too_old(most))
    }

    /// As [`Self::require_recent_login`], for adding a way to log in. A refusal is in the audit log, under the
    /// action that was refused.
    pub(crate) async fn require_recent_login_for(
        &self,
        who: &Authenticated,
        action: Action,
    ) -> Result<RecentLogin, Refusal> {
        match self.require_recent_login(who) {
            Ok(recent) => Ok(recent),
            Err(refusal) => Err(self.refused(who, self.trace_of(who), action, json!({}), refusal).await),
        }
    }
}

/// What would be removed.
#[derive(Clone, Copy, Debug)]
pub enum Removal<'a> {
    /// The account's own phone number.
    Phone,
    /// The account's own e-mail address.
    Email,
    /// A name of an account that was merged into this one.
    Merged(NameKind, &'a UserId),
    /// The password.
    Password,
    /// These identities.
    Identities(&'a [IdentityKey]),
}

impl WaysIn {
    /// Whether there would still be a way to log in after this removal.
    pub fn accessible_after(&self, removal: Removal<'_>) -> bool {
        let gone = match removal {
            Removal::Phone => Some((NameKind::Phone, &self.account)),
            Removal::Email => Some((NameKind::Email, &self.account)),
            Removal::Merged(kind, holder) => Some((kind, holder)),
            Removal::Password | Removal::Identities(_) => None,
        };
        let remains = |kind: NameKind, holder: &UserId| gone != Some((kind, holder));
        let by_password = !matches!(removal, Removal::Password)
            && self.password_names.iter().any(|name| remains(name.kind, &name.holder));
        let parted: &[IdentityKey] = match removal {
            Removal::Identities(keys) => keys,
            _ => &[],
        };
        by_password
            || self.phone.iter().any(|holder| remains(NameKind::Phone, holder))
            || self.email.iter().any(|holder| remains(NameKind::Email, holder))
            || self.identities.iter().any(|identity| !parted.contains(&identity.key))
    }
}

/// Reads the ways to log in to an account.
pub struct GetWaysIn {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
}

impl Read for GetWaysIn {
    type Out = WaysIn;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<WaysIn, StoreError> {
        ways_in(tx, &self.pool, &self.user).await
    }
}

/// The ways to log in to an account, including those of the accounts merged into it.
pub async fn ways_in(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<WaysIn, StoreError> {
    let rows = users::with_merged(tx, pool, user).await?;
    let mut ways = WaysIn {
        account: user.clone(),
        password_names: Vec::new(),
        phone: Vec::new(),
        email: Vec::new(),
        identities: identities::of_enabled_connections(tx, pool, user).await?,
        merged: Vec::new(),
    };
    // Every name logs in with this account's password, never with that of a merged account.
    let has_password = rows.iter().any(|row| row.id == *user && row.password_set_at.is_some());
    for row in rows {
        let names = [
            (NameKind::Username, row.username.is_some()),
            (NameKind::Email, row.email.is_some()),
            (NameKind::Phone, row.phone.is_some()),
        ];
        let held = names.into_iter().filter(|(_, is_held)| *is_held && has_password);
        ways.password_names.extend(held.map(|(kind, _)| HeldName { kind, holder: row.id.clone() }));
        ways.phone.extend(row.vouched_phone().map(|_| row.id.clone()));
        ways.email.extend(row.vouched_email().map(|_| row.id.clone()));
        if row.id != *user {
            ways.merged.push(row);
        }
    }
    Ok(ways)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> UserId {
        UserId::parse(text).unwrap()
    }

    fn nothing() -> WaysIn {
        WaysIn {
            account: id("a"),
            password_names: Vec::new(),
            phone: Vec::new(),
            email: Vec::new(),
            identities: Vec::new(),
            merged: Vec::new(),
        }
    }

    #[test]
    fn the_last_way_in_is_told_apart() {
        let phone = WaysIn { phone: vec![id("a")], ..nothing() };
        assert!(!phone.accessible_after(Removal::Phone) && phone.accessible_after(Removal::Email));
        let merged = WaysIn { phone: vec![id("a"), id("b")], ..nothing() };
        assert!(merged.accessible_after(Removal::Phone), "the number of what was merged stays");
        let (own, other) = (id("a"), id("b"));
        assert!(merged.accessible_after(Removal::Merged(NameKind::Phone, &other)), "and the account's own");
        let of_merged = WaysIn { phone: vec![id("b")], ..nothing() };
        assert!(!of_merged.accessible_after(Removal::Merged(NameKind::Phone, &other)));
        assert!(of_merged.accessible_after(Removal::Merged(NameKind::Email, &other)));
        assert!(of_merged.accessible_after(Removal::Merged(NameKind::Phone, &own)));
        let held = |kind| HeldName { kind, holder: id("a") };
        let password =
            WaysIn { password_names: vec![held(NameKind::Phone)], phone: vec![id("a")], ..nothing() };
        assert!(!password.accessible_after(Removal::Phone), "no password without a name");
        assert!(password.accessible_after(Removal::Password));
        let named = WaysIn { password_names: vec![held(NameKind::Username)], ..nothing() };
        assert!(named.accessible_after(Removal::Phone) && !named.accessible_after(Removal::Password));
    }

    #[test]
    fn identities_are_ways_in() {
        let key = |value| IdentityKey::wechat_openid("wx0123456789abcdef", value);
        let identity = |value| Identity {
            key: key(value),
            user: id("a"),
            connection: hufu_types::ConnectionId::own(),
            created_at: hufu_types::Timestamp(0),
            user_info: hufu_types::IdpUserInfo::default(),
        };
        let two = WaysIn { identities: vec![identity("o1"), identity("o2")], ..nothing() };
        assert!(two.accessible_after(Removal::Identities(&[key("o1")])));
        assert!(!two.accessible_after(Removal::Identities(&[key("o1"), key("o2")])));
        assert!(!nothing().accessible_after(Removal::Identities(&[])));
    }
}
