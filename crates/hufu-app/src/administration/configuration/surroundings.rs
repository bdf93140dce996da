//! What an administrator sees of the instance and of what its pools share: limits, signing keys, Open Platform accounts.

use std::collections::BTreeMap;

use async_recursion::async_recursion as boxed;
use hufu_store::keys::ListSigningKeys;
use hufu_types::{Permission, PoolId, SigningAlgorithm, Timestamp};

use super::super::AdminCaller;
use super::connections::ReadConnections;
use crate::{App, Refusal};

/// A limit in force.
#[derive(Clone, Debug)]
pub struct LimitView {
    /// Its name in `[limits]`.
    pub name: &'static str,
    /// Its value, as it is spelled there.
    pub value: String,
    /// What it limits.
    pub meaning: String,
}

/// A signing key whose public half is published.
#[derive(Clone, Debug)]
pub struct PublishedKey {
    /// The `kid`.
    pub id: String,
    /// The algorithm.
    pub algorithm: SigningAlgorithm,
    /// Whether tokens are signed with it now.
    pub signs: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it signs, or began to.
    pub signs_from: Timestamp,
    /// When it is not published any more. `None` while it is the newest.
    pub expires_at: Option<Timestamp>,
}

/// A WeChat Open Platform account, whose apps share UnionIDs.
#[derive(Clone, Debug)]
pub struct SharedPlatform {
    /// The name that the pool has for it.
    pub name: String,
    /// The identifiers of the connections that are bound to it.
    pub connections: Vec<String>,
}

impl App {
    /// The limits in force.
    ///
    /// # Errors
    /// [`hufu_types::refusal::Code::NotPermitted`], also for callers with one pool.
    pub async fn limits_in_force(&self, by: &AdminCaller) -> Result<Vec<LimitView>, Refusal> {
        self.permit_everywhere(by, Permission::ReadConfiguration).await?;
        let listed = self.limits.list().into_iter();
        Ok(listed.map(|(name, value, meaning)| LimitView { name, value, meaning }).collect())
    }

    /// The signing keys of the instance, oldest first.
    ///
    /// # Errors
    /// [`hufu_types::refusal::Code::NotPermitted`], also for callers with one pool.
    #[boxed]
    pub async fn signing_keys(&self, by: &AdminCaller) -> Result<Vec<PublishedKey>, Refusal> {
        self.permit_everywhere(by, Permission::ReadConfiguration).await?;
        let now = self.now();
        let stored = self.read(ListSigningKeys).await?;
        // The latest one whose time has come signs.
        let current = |algorithm: SigningAlgorithm| {
            let of = stored.iter().filter(|key| key.algorithm == algorithm);
            of.clone().rfind(|key| key.signs_from <= now).or_else(|| of.clone().next()).map(|key| &key.id)
        };
        let shown = stored.iter().map(|key| PublishedKey {
            id: key.id.clone(),
            algorithm: key.algorithm,
            signs: current(key.algorithm) == Some(&key.id),
            created_at: key.created_at,
            signs_from: key.signs_from,
            expires_at: key.expires_at,
        });
        Ok(shown.collect())
    }

    /// The Open Platform accounts that the connections of a pool name.
    ///
    /// # Errors
    /// The refusals of [`App::permit`].
    #[boxed]
    pub async fn open_platforms(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
    ) -> Result<Vec<SharedPlatform>, Refusal> {
        self.permit_configuration(by, Permission::ReadConfiguration, pool).await?;
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for connection in self.read(ReadConnections(pool.clone())).await? {
            let name = connection.value.open_platform.0.to_string();
            found.entry(name).or_default().push(connection.value.identifier.to_string());
        }
        Ok(found.into_iter().map(|(name, connections)| SharedPlatform { name, connections }).collect())
    }
}
