//! Disabling and enabling accounts.

use hufu_store::{StoreError, Tx, Write, endings, users, versions};
use hufu_types::{Action, PoolId, UserId, UserStatus};

use crate::events::{Event, Trace};

/// Disables an account, which ends its sessions, or enables it again. All nodes are notified.
pub struct SetStatus {
    /// The pool.
    pub pool: PoolId,
    /// The user.
    pub user: UserId,
    /// The new status.
    pub status: UserStatus,
    /// The actor and time, for the audit log.
    pub trace: Trace,
}

impl Write for SetStatus {
    /// Whether the user exists.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let is_there = users::set_status(tx, &self.pool, &self.user, self.status, self.trace.at).await?;
        if self.status != UserStatus::Activated {
            endings::of_account(tx, &self.pool, &self.user, None, self.trace.at).await?;
        }
        if is_there {
            let action = match self.status {
                UserStatus::Activated => Action::UserEnabled,
                UserStatus::Suspended => Action::UserDisabled,
                UserStatus::Archived => Action::UserArchived,
                UserStatus::Deactivated => Action::UserDeletionRequested,
            };
            self.trace.recorder().record(tx, &self.pool, Event::of(action, &self.user)).await?;
        }
        versions::sessions_changed(tx).await?;
        Ok(is_there)
    }
}
