//! The accounts that have a phone number or an e-mail address, and whether they may log in.

use hufu_store::passcodes::Target;
use hufu_store::{StoreError, Tx, login_names, users};
use hufu_types::{Action, Email, PasscodeChannel, Phone, PoolId, Timestamp, User, UserId};
use serde_json::json;

use crate::events::{Event, Recorder};

/// Why an account may not log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is disabled.
    Disabled,
    /// Its owner deleted it. It will be erased at this time.
    DeletionPending(Timestamp),
}

/// The reason that an account may not log in, if there is one.
pub(crate) fn unusable(user: &User) -> Option<Unusable> {
    match (user.is_active(), user.delete_after) {
        (true, _) => None,
        (false, Some(at)) => Some(Unusable::DeletionPending(at)),
        (false, None) => Some(Unusable::Disabled),
    }
}

/// The account, if it is active. Its row stays locked until the unit of work ends.
pub(crate) async fn locked_and_active(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
) -> Result<Option<User>, StoreError> {
    let user = users::get_locked(tx, pool, user).await?;
    Ok(user.filter(|user| user.is_active() && user.merged_into.is_none()))
}

/// The account that has this phone number or e-mail address in its row, verified or not.
pub(crate) async fn holder(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    target: &Target,
) -> Result<Option<User>, StoreError> {
    match target {
        Target::Phone(phone) => users::by_phone(tx, pool, phone).await,
        Target::Email(email) => users::by_email(tx, pool, email).await,
    }
}

/// Whether the user has this phone number or e-mail address, verified.
pub(crate) fn is_vouched(user: &User, target: &Target) -> bool {
    match target {
        Target::Phone(phone) => user.vouched_phone() == Some(phone),
        Target::Email(email) => user.vouched_email() == Some(email),
    }
}

/// The account that this verified phone number or e-mail address belongs to. If the holder was merged, this
/// is the survivor.
pub(crate) async fn owner(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    target: &Target,
) -> Result<Option<User>, StoreError> {
    match holder(tx, pool, target).await? {
        Some(user) if is_vouched(&user, target) => users::survivor(tx, user).await.map(Some),
        _ => Ok(None),
    }
}

/// Takes a proved phone number or e-mail address from any account that has it unverified, and records it in
/// the audit log.
pub(crate) async fn release(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    target: &Target,
    prover: &UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    match target {
        Target::Phone(phone) => release_phone(tx, events, pool, phone, prover, now).await,
        Target::Email(email) => release_email(tx, events, pool, email, prover, now).await,
    }
}

/// The user's phone number or e-mail address, if verified.
pub(crate) fn vouched(user: &User, channel: PasscodeChannel) -> Option<Target> {
    match channel {
        PasscodeChannel::Sms => user.vouched_phone().cloned().map(Target::Phone),
        PasscodeChannel::Email => user.vouched_email().cloned().map(Target::Email),
    }
}

/// Takes a proved phone number from any account that has it unverified, and records it in the audit log.
async fn release_phone(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    phone: &Phone,
    prover: &UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Some(from) = login_names::release_phone(tx, pool, phone, prover, now).await? {
        let why = json!({ "because": "another account proved it" });
        events.record(tx, pool, Event::of(Action::PhoneUnbound, &from).with(why)).await?;
    }
    Ok(())
}

/// Takes a proved e-mail address from any account that has it unverified, and records it in the audit log.
async fn release_email(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    email: &Email,
    prover: &UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Some(from) = login_names::release_email(tx, pool, email, prover, now).await? {
        let why = json!({ "because": "another account proved it" });
        events.record(tx, pool, Event::of(Action::EmailUnbound, &from).with(why)).await?;
    }
    Ok(())
}
