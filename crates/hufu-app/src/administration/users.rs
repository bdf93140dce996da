//! Administration of accounts: create, read, change, disable and enable, delete.
//!
//! Names set by an administrator count as verified. As when a user proves a name, another account that has
//! the same name unverified loses it.

mod unit;

use async_recursion::async_recursion as boxed;
use hufu_store::users::GetUserWithIdentities;
use hufu_store::wechat_followers::{Following, FollowingOf};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Email, Identity, Permission, Phone, PoolId, Timestamp, User, UserId, Username};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value as Json};

use self::unit::{
    ChangeStatus, CreateUser, DeleteUser, Photo, SetPassword, UpdateUser, Updated, put_names, put_rest,
};
pub(super) use self::unit::{Rejection, locked};
use super::AdminCaller;
use crate::people::profile::{Editor, bytes, check_custom_data};
use crate::people::ways_in::GetWaysIn;
use crate::{App, ProfileChange, Refusal};

/// Maximum length of an external id, in characters.
const LONGEST_EXTERNAL_ID: usize = 128;

/// A change to an optional value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// Leave it unchanged.
    #[default]
    Keep,
    /// Remove it.
    Clear,
    /// Set it to this value.
    Set(T),
}

/// Changes to an account: the names that lead to it, and other data that only administrators write.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// The username.
    pub username: Change<Username>,
    /// The e-mail address.
    pub email: Change<Email>,
    /// The phone number.
    pub phone: Change<Phone>,
    /// The user's id in the operator's original system.
    pub external_id: Change<String>,
    /// Whether the next login requires a new password.
    pub must_reset: Option<bool>,
    /// Profile and custom data.
    pub profile: ProfileChange,
    /// Refuse the change if the account was changed after this time.
    pub unchanged_since: Option<Timestamp>,
}

/// A request for a new account.
#[derive(Clone, Debug, Default)]
pub struct NewAccount {
    /// Its names (at least one), profile, custom data, and whether the first login requires a new password.
    pub account: AccountChange,
    /// Its password.
    pub password: Option<SecretString>,
}

/// An account with its identities.
#[derive(Clone, Debug)]
pub struct Found {
    /// The account.
    pub user: User,
    /// The identities linked to it.
    pub identities: Vec<Identity>,
    /// The official accounts that it follows or followed.
    pub following: Vec<Following>,
    /// The requested id, if that account was merged into this one.
    pub merged_from: Option<UserId>,
    /// The accounts merged into this one, oldest first. Their names lead to this account too.
    pub merged: Vec<User>,
}

/// A status change made by an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusChange {
    /// Disable the account and end its sessions.
    Disable,
    /// Enable the account again, or take it out of the archive.
    Enable,
    /// Archive the account and end its sessions.
    Archive,
    /// Cancel the deletion that the owner requested.
    CancelDeletion,
}

/// A request to set a password.
#[derive(Debug, Default)]
pub struct NewPassword {
    /// The password. Without it, one is generated.
    pub password: Option<SecretString>,
    /// Whether the next login requires another password.
    pub must_reset: bool,
    /// Whether to keep the account's sessions.
    pub keep_sessions: bool,
}

impl App {
    /// Creates an account.
    ///
    /// # Errors
    /// [`Code::Invalid`], `Code::WeakPassword`, [`Code::NameTaken`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn create_user(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        new: NewAccount,
    ) -> Result<User, Refusal> {
        self.permit(by, Permission::WriteUsers, pool).await?;
        let NewAccount { account, password } = new;
        let now = self.now();
        let mut user = User::new(pool.clone(), UserId::generate(now, &*self.random), "admin", now);
        let photo = self.check_account(pool, &account)?;
        if put_names(&mut user, &account).is_empty() {
            return Err(Refusal::invalid("username, email, phone, externalId", Reason::OneNeeded));
        }
        put_rest(&mut user, &account);
        self.check_amount(&user.custom_data, None)?;
        let hash = match password {
            None => None,
            Some(password) => {
                self.check_password_of(&user, &password)?;
                Some(self.hash_password(password, by.origin.ip.as_deref()).await?)
            }
        };
        user.password_set_at = hash.as_ref().map(|_| now);
        let trace = self.trace_by(pool, by);
        match self.write(CreateUser { user: user.clone(), hash, photo, trace }).await? {
            Ok(()) => Ok(user),
            Err(name) => Err(Code::NameTaken.with("field", name)),
        }
    }

    /// An account with its identities. If it was merged into another, returns that one.
    ///
    /// # Errors
    /// [`Code::UserUnknown`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn find_user(&self, by: &AdminCaller, pool: &PoolId, user: &UserId) -> Result<Found, Refusal> {
        self.permit(by, Permission::ReadUsers, pool).await?;
        let read =
            |user: &UserId| self.read(GetUserWithIdentities { pool: pool.clone(), user: user.clone() });
        let (found, identities) = read(user).await?.ok_or(Code::UserUnknown)?;
        let (user, identities, merged_from) = match found.merged_into {
            None => (found, identities, None),
            Some(survivor) => {
                let (user, identities) = read(&survivor).await?.ok_or(Code::UserUnknown)?;
                (user, identities, Some(found.id))
            }
        };
        let ways = self.read(GetWaysIn { pool: pool.clone(), user: user.id.clone() }).await?;
        let following = self.read(FollowingOf(pool.clone(), user.id.clone())).await?;
        Ok(Found { user, identities, following, merged_from, merged: ways.merged })
    }

    /// Changes the names, profile and custom data of an account.
    ///
    /// # Errors
    /// [`Code::UserUnknown`], [`Code::MergedInto`], [`Code::ChangedMeanwhile`], [`Code::NameTaken`],
    /// [`Code::Invalid`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn update_user(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        user: &UserId,
        change: AccountChange,
    ) -> Result<User, Refusal> {
        self.permit(by, Permission::WriteUsers, pool).await?;
        let photo = self.check_account(pool, &change)?;
        let unit = UpdateUser {
            pool: pool.clone(),
            user: user.clone(),
            change,
            photo,
            max_keys: self.limits.custom_keys,
            max_total: self.limits.custom_total,
            trace: self.trace_by(pool, by),
        };
        match self.write(unit).await? {
            Updated::Done(user) => Ok(*user),
            Updated::Rejected(why) => Err(why.into()),
            Updated::Taken(name) => Err(Code::NameTaken.with("field", name)),
            Updated::TooMuch(custom_data, before) => {
                self.check_amount(&custom_data, before)?;
                Err(Refusal::invalid("customData", Reason::TooMuchData { max: self.limits.custom_total }))
            }
        }
    }

    /// Sets the password of an account. Returns the generated password if none was given.
    ///
    /// # Errors
    /// [`Code::UserUnknown`], [`Code::MergedInto`], `Code::WeakPassword`, and the refusals of
    /// [`App::permit`].
    #[boxed]
    pub async fn set_password(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        user: &UserId,
        request: NewPassword,
    ) -> Result<Option<SecretString>, Refusal> {
        self.set_password_unless_changed(by, pool, user, request, None).await
    }

    /// The same, unless the account was changed after this time.
    ///
    /// # Errors
    /// Also [`Code::ChangedMeanwhile`].
    #[boxed]
    pub async fn set_password_unless_changed(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        user: &UserId,
        request: NewPassword,
        unchanged_since: Option<Timestamp>,
    ) -> Result<Option<SecretString>, Refusal> {
        self.permit(by, Permission::WriteUsers, pool).await?;
        let NewPassword { password, must_reset, keep_sessions } = request;
        let made = if password.is_none() { Some(self.generate_password()) } else { None };
        if let Some(password) = &password {
            let read = GetUserWithIdentities { pool: pool.clone(), user: user.clone() };
            let (user, _) = self.read(read).await?.ok_or(Code::UserUnknown)?;
            self.check_password_of(&user, password)?;
        }
        let Some(password) = password.or_else(|| made.clone()) else { return Ok(None) };
        let hash = self.hash_password(password, by.origin.ip.as_deref()).await?;
        let trace = self.trace_by(pool, by);
        let (pool, user) = (pool.clone(), user.clone());
        let unit = SetPassword { pool, user, unchanged_since, hash, must_reset, keep_sessions, trace };
        self.write(unit).await??;
        self.sessions.forget_all();
        Ok(made)
    }

    /// Disables, enables or archives an account, or cancels its deletion.
    ///
    /// # Errors
    /// [`Code::UserUnknown`], [`Code::MergedInto`], `Code::StatusForbids`, [`Code::LastOwner`], and the refusals of
    /// [`App::permit`].
    #[boxed]
    pub async fn change_status(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        user: &UserId,
        change: StatusChange,
    ) -> Result<User, Refusal> {
        self.change_status_unless_changed(by, pool, user, change, None).await
    }

    /// The same, unless the account was changed after this time.
    ///
    /// # Errors
    /// Also [`Code::ChangedMeanwhile`].
    #[boxed]
    pub async fn change_status_unless_changed(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        user: &UserId,
        change: StatusChange,
        unchanged_since: Option<Timestamp>,
    ) -> Result<User, Refusal> {
        let permission = match change {
            StatusChange::Disable | StatusChange::Enable => Permission::DisableUsers,
            StatusChange::Archive | StatusChange::CancelDeletion => Permission::DeleteUsers,
        };
        self.permit(by, permission, pool).await?;
        let trace = self.trace_by(pool, by);
        let unit = ChangeStatus { pool: pool.clone(), user: user.clone(), change, unchanged_since, trace };
        let user = self.write(unit).await??;
        self.sessions.forget_all();
        Ok(*user)
    }

    /// Permanently deletes an account with everything that leads to it.
    ///
    /// # Errors
    /// [`Code::UserUnknown`], [`Code::MergedInto`], [`Code::LastOwner`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn delete_user(&self, by: &AdminCaller, pool: &PoolId, user: &UserId) -> Result<(), Refusal> {
        self.delete_user_unless_changed(by, pool, user, None).await
    }

    /// The same, unless the account was changed after this time.
    ///
    /// # Errors
    /// Also [`Code::ChangedMeanwhile`].
    #[boxed]
    pub async fn delete_user_unless_changed(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        user: &UserId,
        unchanged_since: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        self.permit(by, Permission::DeleteUsers, pool).await?;
        let trace = self.trace_by(pool, by);
        self.write(DeleteUser { pool: pool.clone(), user: user.clone(), unchanged_since, trace }).await??;
        self.sessions.forget_all();
        Ok(())
    }

    /// Validates the values of a change. Returns what happens to the picture.
    fn check_account(&self, pool: &PoolId, change: &AccountChange) -> Result<Photo, Refusal> {
        if let Change::Set(id) = &change.external_id {
            let fits = (1..=LONGEST_EXTERNAL_ID).contains(&id.chars().count());
            if !fits || id.trim() != id || id.chars().any(char::is_control) {
                return Err(Refusal::invalid(
                    "externalId",
                    Reason::NotATrimmedLine { max: LONGEST_EXTERNAL_ID },
                ));
            }
        }
        self.check_change(&change.profile)?;
        check_custom_data(&self.config().settings(pool), &change.profile.custom_data, Editor::Administrator)?;
        let photo = change.profile.fields.iter().rfind(|(name, _)| *name == "photo");
        Ok(photo.map(|(_, address)| {
            let upload = address.as_deref().and_then(|address| self.upload_of_photo(address));
            upload.map(str::to_owned)
        }))
    }

    /// Checks the size of custom data. Existing data that exceeds a limit lowered since may still be changed,
    /// as long as it does not grow.
    fn check_amount(&self, data: &Map<String, Json>, before: Option<usize>) -> Result<(), Refusal> {
        let (keys, total) = (self.limits.custom_keys, self.limits.custom_total);
        if data.len() > keys {
            return Err(Refusal::invalid("customData", Reason::TooManyKeys { max: keys }));
        }
        let size = bytes(data)?;
        if size > total && before.is_none_or(|before| size > before) {
            return Err(Refusal::invalid("customData", Reason::TooMuchData { max: total }));
        }
        Ok(())
    }

    fn check_password_of(&self, user: &User, password: &SecretString) -> Result<(), Refusal> {
        let phone = user.phone.as_ref().map(|(phone, _)| phone.as_str());
        let email = user.email.as_ref().map(Email::as_str);
        let username = user.username.as_ref().map(Username::as_str);
        let names: Vec<&str> =
            [username, email, phone, user.profile.name.as_deref()].into_iter().flatten().collect();
        self.check_new_password(&user.pool, password.expose_secret(), &names)
    }
}
