//! Creating accounts. All accounts are created here, wherever they come from.

use hufu_store::identities::{self, NewIdentity};
use hufu_store::passcodes::Target;
use hufu_store::{StoreError, Tx, uploads, users};
use hufu_types::{Action, PoolId, User};
use serde_json::Value as Json;

use super::holders::release;
use crate::events::{Event, Recorder};

/// An account to create.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewAccount<'a> {
    /// The user.
    pub(crate) user: &'a User,
    /// The hash of the password.
    pub(crate) password_hash: Option<&'a str>,
    /// The identities bound to the account.
    pub(crate) identities: &'a [NewIdentity],
    /// The upload that the photo refers to.
    pub(crate) upload: Option<&'a str>,
}

impl<'a> NewAccount<'a> {
    /// A user without password, identities or upload.
    pub(crate) fn of(user: &'a User) -> Self {
        Self { user, password_hash: None, identities: &[], upload: None }
    }
}

/// Creates an account, and records it in the audit log with these details. A verified phone number or e-mail
/// address is taken from any account that has it unverified.
///
/// # Errors
/// [`StoreError::LostRace`] if another name or identity is taken: another unit of work was faster.
pub(crate) async fn create(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    new: NewAccount<'_>,
    details: Json,
) -> Result<(), StoreError> {
    let (user, now) = (new.user, events.now());
    if let Some(phone) = user.vouched_phone() {
        release(tx, events, &user.pool, &Target::Phone(phone.clone()), &user.id, now).await?;
    }
    if let Some(email) = user.vouched_email() {
        release(tx, events, &user.pool, &Target::Email(email.clone()), &user.id, now).await?;
    }
    users::insert(tx, user, new.password_hash).await?;
    for identity in new.identities {
        if !identities::insert_if_free(tx, &user.pool, &user.id, identity).await? {
            return Err(StoreError::LostRace);
        }
    }
    if let Some(upload) = new.upload {
        uploads::claim(tx, &user.pool, &user.id, Some(upload), now).await?;
    }
    events.record(tx, &user.pool, Event::of(Action::UserCreated, &user.id).with(details)).await
}

/// Writes the rows of many accounts of a pool. For imports, which have found no conflict, and write one event for all.
///
/// # Errors
/// If a name or identity has been taken meanwhile, the unit runs again.
pub(crate) async fn insert_all(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    new: &[NewAccount<'_>],
) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let users: Vec<_> = new.iter().map(|new| (new.user, new.password_hash)).collect();
    users::insert_all(tx, pool, &users).await?;
    let mut identities = Vec::new();
    for new in new {
        identities.extend(new.identities.iter().map(|identity| (&new.user.id, identity)));
    }
    identities::insert_all(tx, pool, &identities).await
}
