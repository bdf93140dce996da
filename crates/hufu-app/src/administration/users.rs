//! Administration of accounts: create, read, change, disable and enable, delete.
//!
//! Names set by an administrator count as verified. As when a user proves a name, another account that has
//! the same name unverified loses it.

use async_recursion::async_recursion as boxed;
use hufu_store::users::{self, GetUserWithIdentities};
use hufu_store::{StoreError, Tx, Write, login_names, uploads};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{
    Action, Email, Identity, Permission, Phone, PhoneProof, PoolId, Timestamp, User, UserId, UserStatus,
    Username,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value as Json, json};

use super::{AdminCaller, unit};
use crate::events::{Event, Recorder, Trace};
use crate::people::accounts;
use crate::people::profile::{Editor, apply, bytes, changed_names, check_custom_data};
use crate::people::status::SetStatus;
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
        Ok(Found { user, identities, merged_from, merged: ways.merged })
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
        let unit =
            SetPassword { pool: pool.clone(), user: user.clone(), hash, must_reset, keep_sessions, trace };
        self.write(unit).await??;
        self.sessions.forget_all();
        Ok(made)
    }

    /// Disables, enables or archives an account, or cancels its deletion.
    ///
    /// # Errors
    /// [`Code::UserUnknown`], [`Code::MergedInto`], `Code::StatusForbids`, and the refusals of
    /// [`App::permit`].
    #[boxed]
    pub async fn change_status(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        user: &UserId,
        change: StatusChange,
    ) -> Result<User, Refusal> {
        let permission = match change {
            StatusChange::Disable | StatusChange::Enable => Permission::DisableUsers,
            StatusChange::Archive | StatusChange::CancelDeletion => Permission::DeleteUsers,
        };
        self.permit(by, permission, pool).await?;
        let trace = self.trace_by(pool, by);
        let unit = ChangeStatus { pool: pool.clone(), user: user.clone(), change, trace };
        let user = self.write(unit).await??;
        self.sessions.forget_all();
        Ok(*user)
    }

    /// Permanently deletes an account with everything that leads to it.
    ///
    /// # Errors
    /// [`Code::UserUnknown`], [`Code::MergedInto`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn delete_user(&self, by: &AdminCaller, pool: &PoolId, user: &UserId) -> Result<(), Refusal> {
        self.permit(by, Permission::DeleteUsers, pool).await?;
        let trace = self.trace_by(pool, by);
        self.write(DeleteUser { pool: pool.clone(), user: user.clone(), trace }).await??;
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

/// `None` if the picture does not change. Otherwise the upload that it now points to, if it is one of ours.
type Photo = Option<Option<String>>;

/// Why an operation on an account is refused.
#[derive(Debug)]
pub(super) enum Rejection {
    Unknown,
    Merged(UserId),
    ChangedMeanwhile,
    Status(Code),
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Unknown => Code::UserUnknown.into(),
            Rejection::Merged(into) => Code::MergedInto.with("user", into.to_string()),
            Rejection::ChangedMeanwhile => Code::ChangedMeanwhile.into(),
            Rejection::Status(code) => code.into(),
        }
    }
}

/// Loads an account and locks it against changes by other units.
pub(super) async fn locked(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
) -> Result<Result<User, Rejection>, StoreError> {
    Ok(match users::get_locked(tx, pool, user).await? {
        None => Err(Rejection::Unknown),
        Some(User { merged_into: Some(into), .. }) => Err(Rejection::Merged(into)),
        Some(user) => Ok(user),
    })
}

/// Applies the names of a change to an account. Returns which of them were set.
fn put_names(user: &mut User, change: &AccountChange) -> Vec<&'static str> {
    fn put<T: Clone>(field: &mut Option<T>, change: &Change<T>) -> bool {
        match change {
            Change::Keep => return false,
            Change::Clear => *field = None,
            Change::Set(value) => *field = Some(value.clone()),
        }
        field.is_some()
    }
    let mut phone = user.phone.take();
    let had = phone.clone();
    let mut named = Vec::new();
    if put(&mut user.username, &change.username) {
        named.push("username");
    }
    if put(&mut user.email, &change.email) {
        named.push("email");
    }
    if change.email != Change::Keep {
        user.email_verified = user.email.is_some();
    }
    let by_administrator = match &change.phone {
        Change::Keep => Change::Keep,
        Change::Clear => Change::Clear,
        // Proof that vouched for the same number before remains valid.
        Change::Set(number) => Change::Set(match had {
            Some((had, proof)) if had == *number && proof.is_vouched() => (had, proof),
            _ => (number.clone(), PhoneProof::Administrator),
        }),
    };
    if put(&mut phone, &by_administrator) {
        named.push("phone");
    }
    user.phone = phone;
    if put(&mut user.external_id, &change.external_id) {
        named.push("externalId");
    }
    named
}

fn put_rest(user: &mut User, change: &AccountChange) {
    apply(&mut user.profile, &change.profile);
    for (key, value) in &change.profile.custom_data {
        if value.is_null() {
            user.custom_data.remove(key);
        } else {
            user.custom_data.insert(key.clone(), value.clone());
        }
    }
    if let Some(must_reset) = change.must_reset {
        user.must_reset = must_reset;
    }
}

/// Takes an account's names away from other accounts that have them unverified. If another account owns one
/// of the names for good, returns which, and takes nothing.
async fn claim_names(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    user: &User,
    now: Timestamp,
) -> Result<Option<&'static str>, StoreError> {
    let pool = &user.pool;
    let is_other = |found: &User| found.id != user.id;
    if let Some(username) = &user.username
        && users::by_username(tx, pool, username).await?.is_some_and(|found| is_other(&found))
    {
        return Ok(Some("username"));
    }
    if let Some(email) = &user.email
        && users::by_email(tx, pool, email)
            .await?
            .is_some_and(|found| is_other(&found) && found.email_verified)
    {
        return Ok(Some("email"));
    }
    let vouched = |found: &User| found.phone.as_ref().is_some_and(|(_, proof)| proof.is_vouched());
    if let Some((phone, _)) = &user.phone
        && users::by_phone(tx, pool, phone).await?.is_some_and(|found| is_other(&found) && vouched(&found))
    {
        return Ok(Some("phone"));
    }
    if let Some(id) = &user.external_id
        && users::by_external_id(tx, pool, id).await?.is_some_and(|found| is_other(&found))
    {
        return Ok(Some("externalId"));
    }
    if let Some(email) = &user.email
        && let Some(from) = login_names::release_email(tx, pool, email, &user.id, now).await?
    {
        events.record(tx, pool, Event::of(Action::EmailUnbound, &from)).await?;
    }
    if let Some((phone, _)) = &user.phone
        && let Some(from) = login_names::release_phone(tx, pool, phone, &user.id, now).await?
    {
        events.record(tx, pool, Event::of(Action::PhoneUnbound, &from)).await?;
    }
    Ok(None)
}

struct CreateUser {
    user: User,
    hash: Option<String>,
    photo: Photo,
    trace: Trace,
}

impl Write for CreateUser {
    /// The error is the name that another account owns.
    type Out = Result<(), &'static str>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let (user, mut events) = (&self.user, self.trace.recorder());
        if let Some(name) = claim_names(tx, &mut events, user, self.trace.at).await? {
            return Ok(Err(name));
        }
        let details =
            json!({ "source": "admin", "after": user.masked_names(), "password": self.hash.is_some() });
        let new = accounts::NewAccount {
            password_hash: self.hash.as_deref(),
            upload: self.photo.as_ref().and_then(Option::as_deref),
            ..accounts::NewAccount::of(user)
        };
        accounts::create(tx, &mut events, new, details).await?;
        Ok(Ok(()))
    }
}

struct UpdateUser {
    pool: PoolId,
    user: UserId,
    change: AccountChange,
    photo: Photo,
    max_keys: usize,
    max_total: usize,
    trace: Trace,
}

enum Updated {
    Done(Box<User>),
    Rejected(Rejection),
    Taken(&'static str),
    /// The custom data after the change, and its size before.
    TooMuch(Map<String, Json>, Option<usize>),
}

impl Write for UpdateUser {
    type Out = Updated;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Updated, StoreError> {
        let before = match locked(tx, &self.pool, &self.user).await? {
            Ok(user) => user,
            Err(rejection) => return Ok(Updated::Rejected(rejection)),
        };
        if self.change.unchanged_since.is_some_and(|at| at != before.updated_at) {
            return Ok(Updated::Rejected(Rejection::ChangedMeanwhile));
        }
        let mut user = before.clone();
        put_names(&mut user, &self.change);
        put_rest(&mut user, &self.change);
        let (was, is) = (bytes(&before.custom_data)?, bytes(&user.custom_data)?);
        if user.custom_data.len() > self.max_keys || (is > self.max_total && is > was) {
            return Ok(Updated::TooMuch(user.custom_data, Some(was)));
        }
        let mut events = self.trace.recorder();
        if let Some(name) = claim_names(tx, &mut events, &user, self.trace.at).await? {
            return Ok(Updated::Taken(name));
        }
        // Two changes within one millisecond must get different times.
        user.updated_at = self.trace.at.max(Timestamp(before.updated_at.0 + 1));
        users::write(tx, &user).await?;
        if let Some(upload) = &self.photo {
            uploads::claim(tx, &self.pool, &user.id, upload.as_deref(), self.trace.at).await?;
        }
        self.record(tx, &mut events, &before, &user).await?;
        Ok(Updated::Done(Box::new(user)))
    }
}

impl UpdateUser {
    async fn record(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        before: &User,
        after: &User,
    ) -> Result<(), StoreError> {
        let named = [
            ("username", before.username != after.username),
            ("email", before.email != after.email),
            ("phone", before.phone != after.phone),
            ("externalId", before.external_id != after.external_id),
            ("mustReset", before.must_reset != after.must_reset),
        ];
        let named = named.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned());
        let rest =
            changed_names((&before.profile, &before.custom_data), (&after.profile, &after.custom_data));
        let changed: Vec<String> = named.chain(rest).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let only_changed = |mut names: Map<String, Json>| {
            names.retain(|name, _| changed.contains(name));
            names
        };
        let details = json!({
            "changed": changed,
            "before": only_changed(before.masked_names()),
            "after": only_changed(after.masked_names()),
        });
        events.record(tx, &self.pool, Event::of(Action::UserUpdated, &after.id).with(details)).await
    }
}

struct SetPassword {
    pool: PoolId,
    user: UserId,
    hash: String,
    must_reset: bool,
    keep_sessions: bool,
    trace: Trace,
}

impl Write for SetPassword {
    type Out = Result<(), Rejection>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let user = match locked(tx, &self.pool, &self.user).await? {
            Ok(user) => user,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let now = self.trace.at.max(Timestamp(user.updated_at.0 + 1));
        unit::write_password(tx, &self.pool, &user.id, Some(&self.hash), self.must_reset, now).await?;
        if !self.keep_sessions {
            unit::sign_out(tx, &self.pool, &user.id).await?;
        }
        let details = json!({ "mustReset": self.must_reset, "sessionsEnded": !self.keep_sessions });
        let event = Event::of(Action::PasswordChanged, &user.id).with(details);
        self.trace.recorder().record(tx, &self.pool, event).await?;
        Ok(Ok(()))
    }
}

struct ChangeStatus {
    pool: PoolId,
    user: UserId,
    change: StatusChange,
    trace: Trace,
}

impl Write for ChangeStatus {
    type Out = Result<Box<User>, Rejection>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        use UserStatus::{Activated, Archived, Deactivated, Suspended};
        let user = match locked(tx, &self.pool, &self.user).await? {
            Ok(user) => user,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let wanted = match (self.change, user.status) {
            (StatusChange::Disable, Activated | Suspended) => Suspended,
            (StatusChange::Enable, Activated | Suspended | Archived)
            | (StatusChange::CancelDeletion, Deactivated) => Activated,
            (StatusChange::Archive, Activated | Suspended | Archived) => Archived,
            (StatusChange::CancelDeletion, _) => {
                return Ok(Err(Rejection::Status(Code::DeletionNotRequested)));
            }
            (StatusChange::Disable, Archived) => return Ok(Err(Rejection::Status(Code::AccountArchived))),
            (_, Deactivated) => return Ok(Err(Rejection::Status(Code::DeletionRequested))),
        };
        if self.change == StatusChange::CancelDeletion {
            users::cancel_deletion(tx, &self.pool, &user.id, self.trace.at).await?;
            let event = Event::of(Action::UserDeletionCancelled, &user.id);
            self.trace.recorder().record(tx, &self.pool, event).await?;
        } else if wanted != user.status {
            let (pool, user, trace) = (self.pool.clone(), user.id.clone(), self.trace.clone());
            if wanted != Activated {
                unit::sign_out(tx, &pool, &user).await?;
            }
            SetStatus { pool, user, status: wanted, trace }.run(tx).await?;
        }
        let user = users::get(tx, &self.pool, &self.user).await?;
        Ok(user.map(Box::new).ok_or(Rejection::Unknown))
    }
}

struct DeleteUser {
    pool: PoolId,
    user: UserId,
    trace: Trace,
}

impl Write for DeleteUser {
    type Out = Result<(), Rejection>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        if let Err(rejection) = locked(tx, &self.pool, &self.user).await? {
            return Ok(Err(rejection));
        }
        let mut events = self.trace.recorder();
        unit::delete_user(tx, &mut events, &self.pool, &self.user, self.trace.at).await?;
        Ok(Ok(()))
    }
}
