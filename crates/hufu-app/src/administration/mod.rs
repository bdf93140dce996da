//! Administration: who may do what to whom, by access key.
//!
//! Reading order: [`AdminCaller`] (who asks, and what they may), `access` (keys
//! and administrators), then users: `users`, `names`, `identities`, `sessions`, `search`.
//! Every deed and every refusal is in the audit log, with who did it.

mod access;
mod people;
mod search;
mod unit;
mod users;

pub use crate::credentials::locks::Name;
pub use access::{AccessKeyRequest, AdminLogin};
pub use hufu_store::administration::{AccessKey, Administrator};
pub use hufu_store::conflicts::Conflict;
pub use people::ConflictPage;
pub use search::{Matching, UserPage, UserQuery};
pub use unit::write_password;
pub use users::{AccountChange, Change, Found, NewAccount, NewPassword, StatusChange};

use async_recursion::async_recursion as boxed;
use hufu_types::refusal::Code;
use hufu_types::{AccessKeyId, Action, ActorKind, AdminRole, Permission, PoolId, UserId};

use crate::events::{Actor, Trace};
use crate::{App, Origin, Refusal};

/// Someone who administers: an access key, an administrator who is logged in, or the command line.
#[derive(Clone, Debug)]
pub struct AdminCaller {
    /// Who it is, for the audit log.
    pub actor: Actor,
    /// What they may do.
    pub role: AdminRole,
    /// The only pool that they may do it in; all pools without it.
    pub scope: Option<PoolId>,
    /// The access key of the request.
    pub key: Option<AccessKeyId>,
    /// The administrator, where the key is of a login.
    pub user: Option<UserId>,
    /// Where the request comes from.
    pub origin: Origin,
}

impl AdminCaller {
    /// The command line on the machine itself, which may do everything.
    pub fn command_line() -> Self {
        Self {
            actor: Actor { kind: ActorKind::Command, id: None },
            role: AdminRole::Owner,
            scope: None,
            key: None,
            user: None,
            origin: Origin::default(),
        }
    }

    /// Whether this pool is theirs to see.
    pub fn reaches(&self, pool: &PoolId) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope == pool)
    }
}

impl App {
    /// What all events of an administrator's deed have in common.
    pub(crate) fn trace_by(&self, pool: &PoolId, by: &AdminCaller) -> Trace {
        self.trace(pool, Some(by.actor.clone()), None, None, &by.origin)
    }

    /// Whether someone may do this in a pool. A pool beyond their reach does not exist for them.
    ///
    /// # Errors
    /// [`Code::PoolUnknown`]; [`Code::NotPermitted`], which the audit log keeps.
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
        // Whoever could change the users of the system pool could make themselves an owner.
        if *pool == PoolId::system() && by.role != AdminRole::Owner {
            return Err(self.not_permitted(by, permission, pool).await?);
        }
        self.permit_role(by, permission, pool).await
    }

    /// Whether someone may do this in the instance as a whole: keys of one pool may not.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], which the audit log keeps.
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
        if by.role.may(permission) { Ok(()) } else { Err(self.not_permitted(by, permission, pool).await?) }
    }

    async fn not_permitted(
        &self,
        by: &AdminCaller,
        permission: Permission,
        pool: &PoolId,
    ) -> Result<Refusal, Refusal> {
        let trace = self.trace_by(pool, by);
        let reason = format!("role {} lacks {}", by.role.as_str(), permission.as_str());
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
