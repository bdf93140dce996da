//! The names that users log in with: usernames, phone numbers and e-mail addresses. They are stored in the
//! rows of users.

use hufu_types::{Email, Phone, PhoneProof, PoolId, Timestamp, User, UserId, Username};

use crate::users::touched;
use crate::{StoreError, Tx, Value, statements};

statements! {
    RELEASE_PHONE = concat!(
        "UPDATE users SET phone = NULL, phone_proof = NULL, ", touched!(4), "
         WHERE pool_id = $1 AND phone = $2 AND phone_proof = 'none' AND id <> $3
         RETURNING id"
    );
    RELEASE_EMAIL = concat!(
        "UPDATE users SET email = NULL, ", touched!(4), "
         WHERE pool_id = $1 AND email = $2 AND NOT email_verified AND id <> $3
         RETURNING id"
    );
    SET_NAMES = concat!(
        "UPDATE users
         SET username = $3, email = $4, email_verified = $5, phone = $6, phone_proof = $7, ", touched!(8), "
         WHERE pool_id = $1 AND id = $2"
    );
    SET_PHONE = concat!(
        "UPDATE users SET phone = $3, phone_proof = $4, ", touched!(5), " WHERE pool_id = $1 AND id = $2"
    );
    SET_EMAIL = concat!(
        "UPDATE users SET email = $3, email_verified = $4, ", touched!(5), " WHERE pool_id = $1 AND id = $2"
    );
    SET_USERNAME = concat!("UPDATE users SET username = $3, ", touched!(4), " WHERE pool_id = $1 AND id = $2");
    TAKE_USERNAME = concat!("UPDATE users SET username = NULL, ", touched!(3), " WHERE pool_id = $1 AND id = $2");
    TAKE_EMAIL = concat!(
        "UPDATE users SET email = NULL, email_verified = FALSE, ", touched!(3), " WHERE pool_id = $1 AND id = $2"
    );
    TAKE_PHONE = concat!(
        "UPDATE users SET phone = NULL, phone_proof = NULL, ", touched!(3), " WHERE pool_id = $1 AND id = $2"
    );
    TAKE_EXTERNAL_ID = concat!(
        "UPDATE users SET external_id = NULL, ", touched!(3), " WHERE pool_id = $1 AND id = $2"
    );
}

/// A login name in the row of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginName {
    /// The username.
    Username,
    /// The e-mail address.
    Email,
    /// The phone number.
    Phone,
    /// The id in the owner's original system.
    ExternalId,
}

/// Removes a phone number, which `prover` has proved, from an account that has it unverified. Returns that
/// account.
pub async fn release_phone(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    phone: &Phone,
    prover: &UserId,
    now: Timestamp,
) -> Result<Option<UserId>, StoreError> {
    let values = [pool.into(), phone.as_str().into(), prover.into(), now.into()];
    let from: Option<String> = tx.optional(RELEASE_PHONE, &values, |row| row.get(0)).await?;
    Ok(from.map(|id| UserId::parse(&id)).transpose()?)
}

/// Removes an e-mail address, which `prover` has proved, from an account that has it unverified. Returns that
/// account.
pub async fn release_email(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    email: &Email,
    prover: &UserId,
    now: Timestamp,
) -> Result<Option<UserId>, StoreError> {
    let values = [pool.into(), email.as_str().into(), prover.into(), now.into()];
    let from: Option<String> = tx.optional(RELEASE_EMAIL, &values, |row| row.get(0)).await?;
    Ok(from.map(|id| UserId::parse(&id)).transpose()?)
}

/// Updates all login names of a user whom the unit has locked.
pub async fn set_all(tx: &mut Tx<'_>, user: &mut User, now: Timestamp) -> Result<(), StoreError> {
    user.touch(now);
    let values = [
        (&user.pool).into(),
        (&user.id).into(),
        user.username.as_ref().map(Username::as_str).into(),
        user.email.as_ref().map(Email::as_str).into(),
        user.email_verified.into(),
        user.phone.as_ref().map(|(phone, _)| phone.as_str()).into(),
        user.phone.as_ref().map(|(_, proof)| proof.as_str()).into(),
        user.updated_at.into(),
    ];
    tx.execute(SET_NAMES, &values).await.map(drop)
}

/// Sets a phone number that was proved with a code, or removes it.
pub async fn set_phone(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    proved: Option<&Phone>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let phone: Value<'_> = proved.map(Phone::as_str).into();
    let proof = proved.map(|_| PhoneProof::Code.as_str());
    tx.execute(SET_PHONE, &[pool.into(), user.into(), phone, proof.into(), now.into()]).await.map(drop)
}

/// Sets an e-mail address that was proved with a code, or removes it.
pub async fn set_email(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    proved: Option<&Email>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let email: Value<'_> = proved.map(Email::as_str).into();
    tx.execute(SET_EMAIL, &[pool.into(), user.into(), email, proved.is_some().into(), now.into()])
        .await
        .map(drop)
}

/// Sets the username.
pub async fn set_username(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    username: &Username,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(SET_USERNAME, &[pool.into(), user.into(), username.as_str().into(), now.into()])
        .await
        .map(drop)
}

/// Removes a login name of a user.
pub async fn take(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    name: LoginName,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = match name {
        LoginName::Username => TAKE_USERNAME,
        LoginName::Email => TAKE_EMAIL,
        LoginName::Phone => TAKE_PHONE,
        LoginName::ExternalId => TAKE_EXTERNAL_ID,
    };
    tx.execute(sql, &[pool.into(), user.into(), now.into()]).await.map(drop)
}
