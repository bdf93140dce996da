//! Finding an account by what a customer's back end knows of it.

use async_recursion::async_recursion as boxed;
use hufu_store::{Read, StoreError, Tx, identities, users};
use hufu_types::refusal::Code;
use hufu_types::{IdentityKey, IdentityKind, Permission, PoolId, UserId};

use super::users::Found;
use super::{AdminCaller, Name};
use crate::{App, Refusal};

/// What an account is found by.
#[derive(Clone, Debug)]
pub enum UserName {
    /// Its id.
    Id(UserId),
    /// A login name, or its id in the operator's original system.
    Name(Name),
    /// An identity.
    Identity {
        /// The id or identifier of a connection of the pool.
        connection: String,
        /// What the source calls the person: an OpenID or a UnionID.
        value: String,
    },
}

impl App {
    /// The id of an account; if that was merged into another one, of that.
    ///
    /// # Errors
    /// [`Code::UserUnknown`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn find_user_id(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        name: UserName,
    ) -> Result<UserId, Refusal> {
        self.permit(by, Permission::ReadUsers, pool).await?;
        let wanted = match name {
            UserName::Id(id) => Wanted::Id(id),
            UserName::Name(name) => Wanted::Name(name),
            UserName::Identity { connection, value } => {
                let connection = self.connection_called(pool, &connection).ok_or(Code::UserUnknown)?;
                let key = |kind| crate::sources::identity_key(&connection, kind, &value);
                Wanted::Identity([key(IdentityKind::Openid), key(IdentityKind::Unionid)])
            }
        };
        let found = self.read(FindUser { pool: pool.clone(), wanted }).await?;
        found.ok_or_else(|| Code::UserUnknown.into())
    }

    /// An account with its identities.
    ///
    /// # Errors
    /// As [`Self::find_user_id`].
    #[boxed]
    pub async fn find_named_user(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        name: UserName,
    ) -> Result<Found, Refusal> {
        let user = self.find_user_id(by, pool, name).await?;
        self.find_user(by, pool, &user).await
    }
}

enum Wanted {
    Id(UserId),
    Name(Name),
    Identity([IdentityKey; 2]),
}

struct FindUser {
    pool: PoolId,
    wanted: Wanted,
}

impl Read for FindUser {
    type Out = Option<UserId>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let pool = &self.pool;
        let found = match &self.wanted {
            Wanted::Id(id) => users::get(tx, pool, id).await?,
            Wanted::Name(Name::Username(name)) => users::by_username(tx, pool, name).await?,
            Wanted::Name(Name::Email(email)) => users::by_email(tx, pool, email).await?,
            Wanted::Name(Name::Phone(phone)) => users::by_phone(tx, pool, phone).await?,
            Wanted::Name(Name::ExternalId(id)) => users::by_external_id(tx, pool, id).await?,
            Wanted::Identity(keys) => {
                for key in keys.iter().filter(|key| !key.realm.is_empty()) {
                    if let Some(owner) = identities::owner(tx, pool, key).await? {
                        return Ok(Some(owner));
                    }
                }
                None
            }
        };
        Ok(found.map(|user| user.merged_into.unwrap_or(user.id)))
    }
}
