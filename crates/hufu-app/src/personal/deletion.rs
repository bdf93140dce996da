//! Deleting one's own account, in one step.

use hufu_types::Action;
use serde_json::json;

use crate::authentication::Authenticated;
use crate::credentials::Confirmation;
use crate::{App, Refusal};

impl App {
    /// Deletes the account of a person who has just logged in and confirms it once more. It is kept for the pool's
    /// days of grace; all sessions end.
    ///
    /// # Errors
    /// [`Refusal::LoginTooOld`]; what the confirmation is refused with.
    pub async fn delete_own_account(&self, who: &Authenticated, proof: Confirmation) -> Result<(), Refusal> {
        if let Err(refusal) = self.require_recent_login(who) {
            let action = Action::UserDeletionRequested;
            return Err(self.refused(who, self.trace_of(who), action, json!({}), refusal).await);
        }
        let step = self.request_deletion(who, proof).await?;
        self.delete_account(who, step.token.expose()).await
    }
}
