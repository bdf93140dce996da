//! Identities of one's own account: listing and unbinding them.

pub mod bind;
pub mod unit;

use async_recursion::async_recursion as boxed;
use hufu_store::users::GetUserWithIdentities;
use hufu_types::refusal::Code;
use hufu_types::{ConnectionId, Identity, IdentityKey, PoolId, User};
use serde_json::json;

use crate::configuration::Config;
use crate::digest::hash_token;
use crate::people::ways_in::{GetWaysIn, WaysIn};
use crate::tokens::authentication::Authenticated;
use crate::{App, Refusal};

pub use bind::{Bind, BindOutcome};
pub use unit::{Unbind, Unbound};

/// An identity as shown to its owner.
#[derive(Clone, Debug)]
pub struct BoundIdentity {
    /// A stable id that does not reveal the value.
    pub id: String,
    /// The identity.
    pub identity: Identity,
    /// The identifier and display name of the connection it was bound through, if it still exists.
    pub connection: Option<(String, String)>,
}

/// The identities to unbind.
#[derive(Clone, Debug)]
pub enum WhichIdentities {
    /// The one with this id ([`identity_id`]).
    One(String),
    /// All that were bound through this connection. The older clients unbind like this.
    Connection(ConnectionId),
    /// All of this provider, or of connections of this kind. The oldest clients unbind like this.
    Provider(String),
}

/// The result of unbinding identities.
#[derive(Clone, Debug)]
pub struct UnboundIdentities {
    /// The ids of remaining identities that the source gives to the same person. The next login through one
    /// of them binds the unbound ones again.
    pub still_linked: Vec<String>,
}

/// The id of an identity for clients. It is stable, and does not reveal the value.
pub fn identity_id(pool: &PoolId, key: &IdentityKey) -> String {
    let text = format!("identity\n{pool}\n{}\n{}\n{}", key.realm, key.kind.as_str(), key.value);
    hex::encode(hash_token(&text).as_bytes().get(..12).unwrap_or_default())
}

impl App {
    /// The account's identities, as shown to their owner.
    #[boxed]
    pub async fn own_identities(&self, who: &Authenticated) -> Result<Vec<BoundIdentity>, Refusal> {
        let (_, identities) = self.account_with_identities(who).await?;
        Ok(self.describe_identities(who.pool(), &identities))
    }

    /// Describes identities as shown to their owner.
    pub fn describe_identities(&self, pool: &PoolId, identities: &[Identity]) -> Vec<BoundIdentity> {
        let config = self.config();
        identities.iter().map(|identity| view(&config, pool, identity.clone())).collect()
    }

    /// The ways to log in to one's own account.
    #[boxed]
    pub async fn own_ways_in(&self, who: &Authenticated) -> Result<WaysIn, Refusal> {
        self.read(GetWaysIn { pool: who.pool().clone(), user: who.user.clone() }).await
    }

    /// Unbinds identities from one's own account, unless this would leave no way to log in.
    ///
    /// # Errors
    /// [`Code::NotBound`], [`Code::LastWayIn`].
    #[boxed]
    pub async fn unbind_identities(
        &self,
        who: &Authenticated,
        which: &WhichIdentities,
    ) -> Result<UnboundIdentities, Refusal> {
        let (_, held) = self.account_with_identities(who).await?;
        let config = self.config();
        let is_meant = |identity: &&Identity| match which {
            WhichIdentities::One(id) => identity_id(who.pool(), &identity.key) == *id,
            WhichIdentities::Connection(connection) => identity.connection == *connection,
            WhichIdentities::Provider(name) => {
                let kind = config.connection(&identity.connection).map(|connection| connection.kind.as_str());
                identity.key.provider() == name || kind == Some(name)
            }
        };
        let gone: Vec<IdentityKey> =
            held.iter().filter(is_meant).map(|identity| identity.key.clone()).collect();
        let unit = Unbind {
            pool: who.pool().clone(),
            user: who.user.clone(),
            keys: gone.clone(),
            allow_last: false,
            trace: self.trace_of(who),
        };
        match self.write(unit).await? {
            Unbound::Done(left) => {
                let leads = |identity: &&Identity| {
                    gone.iter().any(|key| is_akin(&config, who.pool(), key, &identity.key))
                };
                let still_linked = left.iter().filter(leads);
                Ok(UnboundIdentities {
                    still_linked: still_linked.map(|i| identity_id(who.pool(), &i.key)).collect(),
                })
            }
            Unbound::NotBound => Err(Code::NotBound.into()),
            Unbound::LastWayIn => Err(Code::LastWayIn.into()),
        }
    }

    async fn account_with_identities(&self, who: &Authenticated) -> Result<(User, Vec<Identity>), Refusal> {
        let unit = GetUserWithIdentities { pool: who.pool().clone(), user: who.user.clone() };
        self.read(unit).await?.ok_or_else(|| Code::NotLoggedIn.into())
    }
}

fn view(config: &Config, pool: &PoolId, identity: Identity) -> BoundIdentity {
    let connection = config.connection(&identity.connection);
    BoundIdentity {
        id: identity_id(pool, &identity.key),
        connection: connection.map(|c| (c.identifier.as_str().to_owned(), c.display_name.clone())),
        identity,
    }
}

/// Whether the source gives both ids to the same person: an OpenID of an app, and a UnionID of the app's Open
/// Platform account.
fn is_akin(config: &Config, pool: &PoolId, one: &IdentityKey, other: &IdentityKey) -> bool {
    config
        .connections(pool)
        .iter()
        .any(|connection| crate::sources::are_of_one_source(connection, one, other))
}

/// Identities for the audit log, with masked values.
pub(crate) fn shown<'k>(keys: impl Iterator<Item = &'k IdentityKey>) -> serde_json::Value {
    keys.map(|key| {
        json!({ "realm": key.realm, "kind": key.kind.as_str(), "value": hufu_types::masked(&key.value) })
    })
    .collect()
}
