//! Units of work for accounts.

use hufu_store::{StoreError, Tx, Write, login_names, uploads, users};
use hufu_types::refusal::Code;
use hufu_types::{Action, PhoneProof, PoolId, Timestamp, User, UserId, UserStatus};
use serde_json::{Map, Value as Json, json};

use super::{AccountChange, Change, StatusChange};
use crate::Refusal;
use crate::administration::unit;
use crate::events::{Event, Recorder, Trace};
use crate::people::accounts;
use crate::people::profile::{apply, bytes, changed_names};
use crate::people::status::SetStatus;

/// `None` if the picture does not change. Otherwise the upload that it now points to, if it is one of ours.
pub(super) type Photo = Option<Option<String>>;

/// Why an operation on an account is refused.
#[derive(Debug)]
pub(in crate::administration) enum Rejection {
    Unknown,
    Merged(UserId),
    ChangedMeanwhile,
    Status(Code),
    /// Nobody would be an owner of all pools any more.
    LastOwner,
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Unknown => Code::UserUnknown.into(),
            Rejection::Merged(into) => Code::MergedInto.with("user", into.to_string()),
            Rejection::ChangedMeanwhile => Code::ChangedMeanwhile.into(),
            Rejection::Status(code) => code.into(),
            Rejection::LastOwner => Code::LastOwner.into(),
        }
    }
}

/// Loads an account and locks it against changes by other units.
pub(in crate::administration) async fn locked(
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

/// The same, unless the account was changed after this time.
async fn locked_since(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    since: Option<Timestamp>,
) -> Result<Result<User, Rejection>, StoreError> {
    Ok(locked(tx, pool, user).await?.and_then(|user| {
        if since.is_some_and(|at| at != user.updated_at) {
            Err(Rejection::ChangedMeanwhile)
        } else {
            Ok(user)
        }
    }))
}

/// Applies the names of a change to an account. Returns which of them were set.
pub(super) fn put_names(user: &mut User, change: &AccountChange) -> Vec<&'static str> {
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

pub(super) fn put_rest(user: &mut User, change: &AccountChange) {
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

pub(super) struct CreateUser {
    pub(super) user: User,
    pub(super) hash: Option<String>,
    pub(super) photo: Photo,
    pub(super) trace: Trace,
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

pub(super) struct UpdateUser {
    pub(super) pool: PoolId,
    pub(super) user: UserId,
    pub(super) change: AccountChange,
    pub(super) photo: Photo,
    pub(super) max_keys: usize,
    pub(super) max_total: usize,
    pub(super) trace: Trace,
}

pub(super) enum Updated {
    Done(Box<User>),
    Rejected(Rejection),
    Taken(&'static str),
    /// The custom data after the change, and its size before.
    TooMuch(Map<String, Json>, Option<usize>),
}

impl Write for UpdateUser {
    type Out = Updated;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Updated, StoreError> {
        let before = match locked_since(tx, &self.pool, &self.user, self.change.unchanged_since).await? {
            Ok(user) => user,
            Err(rejection) => return Ok(Updated::Rejected(rejection)),
        };
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
        users::write(tx, &mut user, self.trace.at).await?;
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

pub(super) struct SetPassword {
    pub(super) pool: PoolId,
    pub(super) user: UserId,
    pub(super) unchanged_since: Option<Timestamp>,
    pub(super) hash: String,
    pub(super) must_reset: bool,
    pub(super) keep_sessions: bool,
    pub(super) trace: Trace,
}

impl Write for SetPassword {
    type Out = Result<(), Rejection>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let user = match locked_since(tx, &self.pool, &self.user, self.unchanged_since).await? {
            Ok(user) => user,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let now = self.trace.at;
        unit::write_password(tx, &self.pool, &user.id, Some(&self.hash), self.must_reset, now).await?;
        if !self.keep_sessions {
            unit::sign_out(tx, &self.pool, &user.id, now).await?;
        }
        let details = json!({ "mustReset": self.must_reset, "sessionsEnded": !self.keep_sessions });
        let event = Event::of(Action::PasswordChanged, &user.id).with(details);
        self.trace.recorder().record(tx, &self.pool, event).await?;
        Ok(Ok(()))
    }
}

pub(super) struct ChangeStatus {
    pub(super) pool: PoolId,
    pub(super) user: UserId,
    pub(super) change: StatusChange,
    pub(super) unchanged_since: Option<Timestamp>,
    pub(super) trace: Trace,
}

impl Write for ChangeStatus {
    type Out = Result<Box<User>, Rejection>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        use UserStatus::{Activated, Archived, Deactivated, Suspended};
        let user = match locked_since(tx, &self.pool, &self.user, self.unchanged_since).await? {
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
        if wanted != Activated && unit::takes_last_owner(tx, &self.trace, &self.pool, &user.id).await? {
            return Ok(Err(Rejection::LastOwner));
        }
        if self.change == StatusChange::CancelDeletion {
            users::cancel_deletion(tx, &self.pool, &user.id, self.trace.at).await?;
            let event = Event::of(Action::UserDeletionCancelled, &user.id);
            self.trace.recorder().record(tx, &self.pool, event).await?;
        } else if wanted != user.status {
            let (pool, user, trace) = (self.pool.clone(), user.id.clone(), self.trace.clone());
            if wanted != Activated {
                unit::sign_out(tx, &pool, &user, self.trace.at).await?;
            }
            SetStatus { pool, user, status: wanted, trace }.run(tx).await?;
        }
        let user = users::get(tx, &self.pool, &self.user).await?;
        Ok(user.map(Box::new).ok_or(Rejection::Unknown))
    }
}

pub(super) struct DeleteUser {
    pub(super) pool: PoolId,
    pub(super) user: UserId,
    pub(super) unchanged_since: Option<Timestamp>,
    pub(super) trace: Trace,
}

impl Write for DeleteUser {
    type Out = Result<(), Rejection>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        if let Err(rejection) = locked_since(tx, &self.pool, &self.user, self.unchanged_since).await? {
            return Ok(Err(rejection));
        }
        if unit::takes_last_owner(tx, &self.trace, &self.pool, &self.user).await? {
            return Ok(Err(Rejection::LastOwner));
        }
        let mut events = self.trace.recorder();
        unit::delete_user(tx, &mut events, &self.pool, &self.user, self.trace.at).await?;
        Ok(Ok(()))
    }
}
