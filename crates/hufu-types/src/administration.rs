//! Who administers an instance, and what each role may do.

use serde::{Deserialize, Serialize};

use crate::application::text_enum;

text_enum! {
    /// What an administrator or an access key may do, as a whole.
    AdminRole {
        /// Everything, access keys and administrators included.
        Owner = "owner",
        /// Users, webhooks and the audit log.
        Manager = "manager",
        /// Helps people: reads users, switches them off and on, ends sessions, takes identities away.
        Support = "support",
        /// Reads users and the audit log.
        Auditor = "auditor",
    }
}

text_enum! {
    /// One thing that a role may do or not.
    Permission {
        /// Read users, their identities, sessions and merges, and conflicts of identities.
        ReadUsers = "users.read",
        /// Make users, change their profile, names, custom data and password.
        WriteUsers = "users.write",
        /// Switch users off and on again.
        DisableUsers = "users.disable",
        /// Archive users, delete them for good, call a deletion off, merge users and undo it.
        DeleteUsers = "users.delete",
        /// End sessions.
        EndSessions = "sessions.end",
        /// Lead identities to users.
        LinkIdentities = "identities.link",
        /// Take identities from users.
        UnlinkIdentities = "identities.unlink",
        /// Bring many users in, or take them out.
        TransferUsers = "users.transfer",
        /// Read the audit log, and take it out.
        ReadAudit = "audit.read",
        /// Read webhooks and their deliveries.
        ReadWebhooks = "webhooks.read",
        /// Make, change and delete webhooks, and send deliveries again.
        WriteWebhooks = "webhooks.write",
        /// Make, list and revoke access keys.
        ManageKeys = "keys.manage",
        /// Appoint, list and dismiss administrators.
        ManageAdministrators = "administrators.manage",
    }
}

impl AdminRole {
    /// What the role may do.
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
                P::ReadWebhooks,
                P::WriteWebhooks,
            ],
            Self::Support => &[P::ReadUsers, P::DisableUsers, P::EndSessions, P::UnlinkIdentities],
            Self::Auditor => &[P::ReadUsers, P::ReadAudit],
        }
    }

    /// Whether the role may do this.
    pub fn may(self, permission: Permission) -> bool {
        self.permissions().contains(&permission)
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
            (Permission::ReadWebhooks, &[R::Owner, R::Manager]),
            (Permission::WriteWebhooks, &[R::Owner, R::Manager]),
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
