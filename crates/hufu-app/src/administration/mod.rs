//! Administration with access keys, including who is permitted to do what.
//!
//! Reading order: [`AdminCaller`] (who calls, and what they may do), `access` (keys, administrators and their logins), then
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
pub(crate) mod paging;
mod people;
mod pools;
mod search;
mod unit;
mod users;

pub use crate::credentials::locks::Name;
pub(crate) use access::invitations::INVITATION_JOB;
pub use access::{
    Acceptance, AccessKeyRequest, AdminLogin, Appointment, BegunLogin, Entered, InvitationShown, ShownLogin,
    administrator_revision,
};
pub use app_tokens::AppTokenView;
use async_recursion::async_recursion as boxed;
pub use configuration::{
    ApplicationPage, ConnectionPage, Item, LimitView, PoolPage, Preview, PublishedKey, SenderChannel,
    SenderTest, SharedPlatform, WrittenApplication,
};
pub use hufu_store::administration::{AccessKey, Administrator};
pub use hufu_store::conflicts::Conflict;
pub use hufu_store::invitations::Invitation;
pub use identity_sources::IdentitySource;
pub use listed::ListedPage;
pub use lookup::UserName;
pub use management_clients::{ManagementToken, PresentedManagement, SignedRequest};
pub use management_keys::{ManagementKey, ManagementKeyRequest};
pub use numbered::NumberedPage;
pub(crate) use numbered::Places;
pub use paging::{Page, PageRequest};
pub use people::ConflictPage;
pub use pools::{PoolLife, Removal};
pub use search::{Matching, UserPage, UserQuery};
pub use unit::{Made, write_password};
pub(crate) use unit::{end_keys, takes_last_owner};
pub use users::{AccountChange, Change, Found, NewAccount, NewPassword, StatusChange};

use hufu_types::refusal::Code;
use hufu_types::{
    AccessKeyId, Action, ActorKind, AdminRole, Permission, PoolId, PoolRole, PoolState, Reach, Timestamp,
    UserId,
};

use crate::events::{Actor, Trace};
use crate::{App, Origin, Refusal};

/// The caller of an administrative operation: an access key, a logged-in administrator, or the command line.
#[derive(Clone, Debug)]
pub struct AdminCaller {
    /// The caller's identity, for the audit log.
    pub actor: Actor,
    /// The caller's roles, each in one pool or in all of them.
    pub roles: Vec<PoolRole>,
    /// What the caller may do of what the roles may. `None` means all of it.
    pub permissions: Option<Vec<Permission>>,
    /// The access key used for the request.
    pub key: Option<AccessKeyId>,
    /// The administrator, if the key belongs to a login.
    pub user: Option<UserId>,
    /// When that administrator logged in.
    pub logged_in_at: Option<Timestamp>,
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
            roles: vec![PoolRole { pool: None, role: AdminRole::Owner }],
            permissions: None,
            key: None,
            user: None,
            logged_in_at: None,
            responsible: None,
            origin: Origin::default(),
        }
    }

    /// Whether the caller has this permission in a pool, or in the whole instance if no pool is given.
    pub fn may(&self, permission: Permission, pool: Option<&PoolId>) -> bool {
        self.permissions.as_ref().is_none_or(|own| own.contains(&permission))
            && self.roles_in(pool).any(|role| role.may(permission))
    }

    /// Whether the caller has a role in this pool.
    pub fn reaches(&self, pool: &PoolId) -> bool {
        self.roles_in(Some(pool)).next().is_some()
    }

    /// Where the caller has this permission. Without any role that gives it, nowhere.
    pub fn reach(&self, permission: Permission) -> Reach {
        if self.may(permission, None) {
            return Reach::All;
        }
        let pools = self.roles.iter().filter_map(|role| role.pool.as_ref());
        Reach::Pools(pools.filter(|pool| self.may(permission, Some(pool))).cloned().collect())
    }

    /// Whether the caller is an owner of the whole instance, with all that an owner may do.
    pub fn is_owner_of_all(&self) -> bool {
        self.permissions.is_none() && self.roles_in(None).any(|role| role == AdminRole::Owner)
    }

    /// The roles that count in a pool, or in the whole instance.
    fn roles_in(&self, pool: Option<&PoolId>) -> impl Iterator<Item = AdminRole> {
        self.roles.iter().filter(move |role| role.is_in(pool)).map(|role| role.role)
    }
}

impl App {
    /// The context that all events of an administrator's operation share.
    pub(crate) fn trace_by(&self, pool: &PoolId, by: &AdminCaller) -> Trace {
        self.trace(pool, Some(by.actor.clone()), None, None, &by.origin)
    }

    /// Checks that the caller has this permission in a pool. A pool in which the caller has no role
    /// is reported as unknown.
    ///
    /// # Errors
    /// [`Code::PoolUnknown`]; [`Code::PoolRemoved`]; [`Code::NotPermitted`], which is recorded in the audit log;
    /// [`Code::RecentLoginNeeded`] to change anything in the pool of the administrators.
    #[boxed]
    pub async fn permit(
        &self,
        by: &AdminCaller,
        permission: Permission,
        pool: &PoolId,
    ) -> Result<(), Refusal> {
        self.permit_in_any(by, permission, pool).await?;
        match self.config().state(pool) {
            PoolState::Removed(_) => Err(Code::PoolRemoved.into()),
            PoolState::On | PoolState::Off | PoolState::Going => Ok(()),
        }
    }

    /// The same, also in a pool that was removed.
    async fn permit_in_any(
        &self,
        by: &AdminCaller,
        permission: Permission,
        pool: &PoolId,
    ) -> Result<(), Refusal> {
        if !by.reaches(pool) || !self.config().has_pool(pool) {
            return Err(Code::PoolUnknown.into());
        }
        // Anyone who can change users of the system pool could make themselves an owner.
        if *pool == PoolId::system() && !by.is_owner_of_all() {
            return Err(self.not_permitted(by, permission, pool).await?);
        }
        self.permit_role(by, permission, Some(pool)).await?;
        // Changing its users comes to the same as changing administrators.
        if *pool == PoolId::system() && !permission.only_reads() {
            self.check_recent_login(by)?;
        }
        Ok(())
    }

    /// Checks that the caller has this permission in the whole instance. Callers with roles in
    /// single pools never do.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], which is recorded in the audit log.
    pub async fn permit_everywhere(&self, by: &AdminCaller, permission: Permission) -> Result<(), Refusal> {
        self.permit_role(by, permission, None).await
    }

    /// Checks that an administrator logged in lately enough for what others must not do who find them logged in. Access keys
    /// have no login.
    ///
    /// # Errors
    /// [`Code::RecentLoginNeeded`].
    pub(crate) fn check_recent_login(&self, by: &AdminCaller) -> Result<(), Refusal> {
        let most = self.limits.admin_step_up;
        match by.logged_in_at {
            Some(at) if at.plus(most) <= self.now() => {
                Err(Code::RecentLoginNeeded.with("minutes", (most.as_secs() / 60).to_string()))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Checks that the caller has this permission somewhere. Returns where.
    async fn permit_somewhere(&self, by: &AdminCaller, permission: Permission) -> Result<Reach, Refusal> {
        match by.reach(permission) {
            Reach::Pools(pools) if pools.is_empty() => {
                Err(self.not_permitted(by, permission, &PoolId::system()).await?)
            }
            reach => Ok(reach),
        }
    }

    async fn permit_role(
        &self,
        by: &AdminCaller,
        permission: Permission,
        pool: Option<&PoolId>,
    ) -> Result<(), Refusal> {
        if by.may(permission, pool) {
            return Ok(());
        }
        Err(self.not_permitted(by, permission, pool.unwrap_or(&PoolId::system())).await?)
    }

    /// Checks that the caller has all of these permissions in a pool, or in the whole instance, because they give them to
    /// somebody else there.
    async fn permit_giving(
        &self,
        by: &AdminCaller,
        permissions: &[Permission],
        pool: Option<&PoolId>,
    ) -> Result<(), Refusal> {
        match permissions.iter().find(|permission| !by.may(**permission, pool)) {
            None => Ok(()),
            Some(lacking) => Err(self.not_permitted(by, *lacking, &PoolId::system()).await?),
        }
    }

    /// Checks that the caller may give all that a role may, whatever that comes to be, in a pool or in the whole instance.
    /// A key that may do listed things alone makes nothing for all pools that has no such list.
    async fn permit_giving_role(
        &self,
        by: &AdminCaller,
        permission: Permission,
        role: AdminRole,
        pool: Option<&PoolId>,
    ) -> Result<(), Refusal> {
        if pool.is_none() && by.permissions.is_some() {
            let why = "the key may do listed things alone";
            return Err(self.refuse_permission(by, permission, &PoolId::system(), why).await?);
        }
        self.permit_giving(by, role.permissions(), pool).await
    }

    /// The refusal of a caller whose administrator was dismissed, or got another role, while the call was under way.
    async fn no_longer_permitted(
        &self,
        by: &AdminCaller,
        permission: Permission,
    ) -> Result<Refusal, Refusal> {
        let why = "the administrator lost the role meanwhile";
        self.refuse_permission(by, permission, &PoolId::system(), why).await
    }

    async fn not_permitted(
        &self,
        by: &AdminCaller,
        permission: Permission,
        pool: &PoolId,
    ) -> Result<Refusal, Refusal> {
        let here: Vec<_> = by.roles_in(Some(pool).filter(|pool| **pool != PoolId::system())).collect();
        let reason = if here.iter().any(|role| role.may(permission)) {
            format!("the key lacks {}", permission.as_str())
        } else {
            let roles = here.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
            let roles = if roles.is_empty() { "none" } else { &roles };
            format!("role {roles} lacks {}", permission.as_str())
        };
        self.refuse_permission(by, permission, pool, &reason).await
    }

    async fn refuse_permission(
        &self,
        by: &AdminCaller,
        permission: Permission,
        pool: &PoolId,
        reason: &str,
    ) -> Result<Refusal, Refusal> {
        let (trace, code) = (self.trace_by(pool, by), Code::NotPermitted.number());
        self.record_refusal(pool, trace, Action::AdministrationRefused, None, code, reason).await?;
        Ok(Code::NotPermitted.with("permission", permission.as_str()))
    }
}
