//! Administrator roles and their permissions.

use serde::{Deserialize, Serialize};

use crate::PoolId;
use crate::application::text_enum;

text_enum! {
    /// The role of an administrator or of an access key.
    AdminRole {
        /// Everything, including the configuration, access keys and administrators.
        Owner = "owner",
        /// Users, webhooks and the audit log. Reads the configuration.
        Manager = "manager",
        /// Helps users: reads users, disables and enables them, ends sessions, unlinks identities.
        Support = "support",
        /// Reads users, statistics and the audit log.
        Auditor = "auditor",
    }
}

text_enum! {
    /// A single permission that roles grant.
    Permission {
        /// Read users with their identities, sessions, merges and identity conflicts.
        ReadUsers = "users.read",
        /// Create users, and change their profile, login names, custom data and password.
        WriteUsers = "users.write",
        /// Disable users and enable them again.
        DisableUsers = "users.disable",
        /// Archive users, delete them permanently, cancel a requested deletion, merge users and undo merges.
        DeleteUsers = "users.delete",
        /// End sessions.
        EndSessions = "sessions.end",
        /// Link identities to users.
        LinkIdentities = "identities.link",
        /// Unlink identities from users.
        UnlinkIdentities = "identities.unlink",
        /// Import and export users in bulk.
        TransferUsers = "users.transfer",
        /// Read and export the audit log.
        ReadAudit = "audit.read",
        /// Read the pool's statistics.
        ReadStatistics = "statistics.read",
        /// Read webhooks and their deliveries.
        ReadWebhooks = "webhooks.read",
        /// Create, change and delete webhooks, and resend deliveries.
        WriteWebhooks = "webhooks.write",
        /// Read pools with their settings, applications and connections.
        ReadConfiguration = "configuration.read",
        /// Create, change and delete them, and make client secrets: whoever may decides who can log in to what.
        WriteConfiguration = "configuration.write",
        /// Create, list and revoke access keys.
        ManageKeys = "keys.manage",
        /// Appoint, list and dismiss administrators.
        ManageAdministrators = "administrators.manage",
    }
}

impl Permission {
    /// Whether it changes nothing.
    pub const fn only_reads(self) -> bool {
        match self {
            Self::ReadUsers
            | Self::ReadAudit
            | Self::ReadStatistics
            | Self::ReadWebhooks
            | Self::ReadConfiguration => true,
            Self::WriteUsers
            | Self::DisableUsers
            | Self::DeleteUsers
            | Self::EndSessions
            | Self::LinkIdentities
            | Self::UnlinkIdentities
            | Self::TransferUsers
            | Self::WriteWebhooks
            | Self::WriteConfiguration
            | Self::ManageKeys
            | Self::ManageAdministrators => false,
        }
    }
}

impl AdminRole {
    /// The permissions of the role.
    pub const fn permissions(self) -> &'static [Permission] {
        use Permission as P;
        match self {
            Self::Owner => P::ALL,
            Self::Manager => &[
                P::ReadUsers,
                P::WriteUsers,
                P::DisableUsers,
                P::DeleteUsers,
                P::EndSessions,
                P::LinkIdentities,
                P::UnlinkIdentities,
                P::TransferUsers,
                P::ReadAudit,
                P::ReadStatistics,
                P::ReadWebhooks,
                P::WriteWebhooks,
                P::ReadConfiguration,
            ],
            Self::Support => &[P::ReadUsers, P::DisableUsers, P::EndSessions, P::UnlinkIdentities],
            Self::Auditor => &[P::ReadUsers, P::ReadAudit, P::ReadStatistics],
        }
    }

    /// Whether the role has this permission.
    pub fn may(self, permission: Permission) -> bool {
        self.permissions().contains(&permission)
    }
}

/// A role of somebody, in one pool or in all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolRole {
    /// The pool; `None` means all pools.
    pub pool: Option<PoolId>,
    /// The role there.
    pub role: AdminRole,
}

impl PoolRole {
    /// Whether the role counts in a pool, or in the whole instance if no pool is given.
    pub fn is_in(&self, pool: Option<&PoolId>) -> bool {
        self.pool.is_none() || self.pool.as_ref() == pool
    }
}

/// Some pools, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All pools, and what belongs to none.
    All,
    /// These pools alone.
    Pools(Vec<PoolId>),
}

impl Reach {
    /// Whether a pool is within reach. What belongs to no pool, and so to all, is not within reach of some.
    pub fn has(&self, pool: Option<&PoolId>) -> bool {
        match (self, pool) {
            (Self::All, _) => true,
            (Self::Pools(pools), Some(pool)) => pools.contains(pool),
            (Self::Pools(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_role_may_do() {
        use AdminRole as R;
        let table: &[(Permission, &[AdminRole])] = &[
            (Permission::ReadUsers, &[R::Owner, R::Manager, R::Support, R::Auditor]),
            (Permission::WriteUsers, &[R::Owner, R::Manager]),
            (Permission::DisableUsers, &[R::Owner, R::Manager, R::Support]),
            (Permission::DeleteUsers, &[R::Owner, R::Manager]),
            (Permission::EndSessions, &[R::Owner, R::Manager, R::Support]),
            (Permission::LinkIdentities, &[R::Owner, R::Manager]),
            (Permission::UnlinkIdentities, &[R::Owner, R::Manager, R::Support]),
            (Permission::TransferUsers, &[R::Owner, R::Manager]),
            (Permission::ReadAudit, &[R::Owner, R::Manager, R::Auditor]),
            (Permission::ReadStatistics, &[R::Owner, R::Manager, R::Auditor]),
            (Permission::ReadWebhooks, &[R::Owner, R::Manager]),
            (Permission::WriteWebhooks, &[R::Owner, R::Manager]),
            (Permission::ReadConfiguration, &[R::Owner, R::Manager]),
            (Permission::WriteConfiguration, &[R::Owner]),
            (Permission::ManageKeys, &[R::Owner]),
            (Permission::ManageAdministrators, &[R::Owner]),
        ];
        assert_eq!(table.len(), Permission::ALL.len(), "the table names every permission");
        for (permission, roles) in table {
            for role in AdminRole::ALL {
                assert_eq!(role.may(*permission), roles.contains(role), "{role:?} {permission:?}");
            }
        }
    }
}
