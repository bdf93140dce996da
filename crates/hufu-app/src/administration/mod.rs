//! Administration with access keys, including who is permitted to do what.
//!
//! Reading order: [`AdminCaller`] (who calls, and what they may do), `access` (keys and administrators), then
//! accounts: `users`, `people` (identities, sessions, merges, conflicts) and `search`; `configuration`. Every operation and
//! every refused permission is recorded in the audit log, with who attempted it.

mod access;
mod app_tokens;
mod configuration;
mod identity_sources;
mod listed;
mod lookup;
mod management_clients;
pub(crate) mod management_keys;
mod numbered;
mod people;
mod search;
mod unit;
mod users;

pub use crate::credentials::locks::Name;
pub use access::{AccessKeyRequest, AdminLogin};
pub use app_tokens::AppTokenView;
use async_recursion::async_recursion as boxed;
pub use configuration::{ApplicationPage, WrittenApplication};
pub use hufu_store::administration::{AccessKey, Administrator};
pub use hufu_store::conflicts::Conflict;
pub use identity_sources::IdentitySource;
pub use listed::ListedPage;
pub use lookup::UserName;
pub use management_clients::{ManagementToken, PresentedManagement, SignedRequest};
pub use management_keys::{ManagementKey, ManagementKeyRequest};
pub use numbered::NumberedPage;
pub(crate) use numbered::Places;
pub use people::ConflictPage;
pub use search::{Matching, UserPage, UserQuery};
pub use unit::write_password;
pub use users::{AccountChange, Change, Found, NewAccount, NewPassword, StatusChange};

use hufu_types::refusal::Code;
use hufu_types::{AccessKeyId, Action, ActorKind, AdminRole, Permission, PoolId, UserId};

use crate::events::{Actor, Trace};
use crate::{App, Origin, Refusal};

/// The caller of an administrative operation: an access key, a logged-in administrator, or the command line.
#[derive(Clone, Debug)]
pub struct AdminCaller {
    /// The caller's identity, for the audit log.
    pub actor: Actor,
    /// The caller's role.
    pub role: AdminRole,
    /// What the caller may do of what the role may. `None` means all of it.
    pub permissions: Option<Vec<Permission>>,
    /// The only pool the caller has access to. `None` means all pools.
    pub scope: Option<PoolId>,
    /// The access key used for the request.
    pub key: Option<AccessKeyId>,
    /// The administrator, if the key belongs to a login.
    pub user: Option<UserId>,
    /// The administrator who answers for what the caller does: the one who is logged in, or who made the
    /// access key. `None` for the command line and its keys.
    pub responsible: Option<UserId>,
    /// Where the request comes from.
    pub origin: Origin,
}

impl AdminCaller {
    /// The command line on the machine itself, which may do everything.
    pub fn command_line() -> Self {
        Self {
            actor: Actor { kind: ActorKind::Command, id: None },
            role: AdminRole::Owner,
            permissions: None,
            scope: None,
            key: None,
            user: None,
            responsible: None,
            origin: Origin::default(),
        }
    }

    /// Whether the caller has this permission, wherever their scope is.
    pub fn may(&self, permission: Permission) -> bool {
        self.role.may(permission) && self.permissions.as_ref().is_none_or(|own| own.contains(&permission))
    }

    /// Whether the caller's scope includes this pool.
    pub fn reaches(&self, pool: &PoolId) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope == pool)
    }
}

impl App {
    /// The context that all events of an administrator's operation share.
    pub(crate) fn trace_by(&self, pool: &PoolId, by: &AdminCaller) -> Trace {
        self.trace(pool, Some(by.actor.clone()), None, None, &by.origin)
    }

    /// Checks that the caller has this permission in a pool. A pool outside the caller's scope is reported as
    /// unknown.
    ///
    /// # Errors
    /// [`Code::PoolUnknown`]; [`Code::NotPermitted`], which is recorded in the audit log.
    #[boxed]
    pub async fn permit(
        &self,
        by: &AdminCaller,
        permission: Permission,
        pool: &PoolId,
    ) -> Result<(), Refusal> {
        if !by.reaches(pool) || !self.config().has_pool(pool) {
            return Err(Code::PoolUnknown.into());
        }
        // Anyone who can change users of the system pool could make themselves an owner.
        if *pool == PoolId::system() && (by.role != AdminRole::Owner || by.permissions.is_some()) {
            return Err(self.not_permitted(by, permission, pool).await?);
        }
        self.permit_role(by, permission, pool).await
    }

    /// Checks that the caller has this permission in the whole instance. Callers limited to one pool never
    /// do.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], which is recorded in the audit log.
    pub async fn permit_everywhere(&self, by: &AdminCaller, permission: Permission) -> Result<(), Refusal> {
        let pool = PoolId::system();
        if by.scope.is_some() {
            return Err(self.not_permitted(by, permission, &pool).await?);
        }
        self.permit_role(by, permission, &pool).await
    }

    async fn permit_role(
        &self,
        by: &AdminCaller,
        permission: Permission,
        pool: &PoolId,
    ) -> Result<(), Refusal> {
        if by.may(permission) { Ok(()) } else { Err(self.not_permitted(by, permission, pool).await?) }
    }

    /// Checks that the caller has all of these permissions, because they give them to somebody else.
    async fn permit_giving(&self, by: &AdminCaller, permissions: &[Permission]) -> Result<(), Refusal> {
        match permissions.iter().find(|permission| !by.may(**permission)) {
            None => Ok(()),
            Some(lacking) => Err(self.not_permitted(by, *lacking, &PoolId::system()).await?),
        }
    }

    async fn not_permitted(
        &self,
        by: &AdminCaller,
        permission: Permission,
        pool: &PoolId,
    ) -> Result<Refusal, Refusal> {
        let trace = self.trace_by(pool, by);
        let reason = if by.role.may(permission) {
            format!("the key lacks {}", permission.as_str())
        } else {
            format!("role {} lacks {}", by.role.as_str(), permission.as_str())
        };
        self.record_refusal(
            pool,
            trace,
            Action::AdministrationRefused,
            None,
            Code::NotPermitted.number(),
            &reason,
        )
        .await?;
        Ok(Code::NotPermitted.with("permission", permission.as_str()))
    }
}
