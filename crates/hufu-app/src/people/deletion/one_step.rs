//! Deleting one's own account, in one step.

use async_recursion::async_recursion as boxed;
use hufu_store::step_tokens::StepPurpose;
use hufu_types::refusal::Code;
use hufu_types::{Action, Connection};
use serde_json::json;

use super::unit::{ConfirmByIdentity, ConfirmationProof, IdentityConfirmed};
use crate::credentials::{Confirmation, StepToken};
use crate::events::Trace;
use crate::sources::Proved;
use crate::sources::wechat::log_refusal;
use crate::tokens::authentication::Authenticated;
use crate::{App, Refusal};

/// How a user confirms the deletion of the account.
pub enum DeletionProof<'a> {
    /// With the account's own password, phone number or e-mail address.
    Own(Confirmation),
    /// With a code of a mini program whose identity is bound to the account.
    MiniProgram {
        /// The connection of the mini program.
        connection: &'a Connection,
        /// The code from `wx.login`.
        code: &'a str,
    },
    /// By the login itself, which is recent. The published mobile SDKs send nothing else.
    RecentLogin,
}

impl App {
    /// Deletes the account of a user who has logged in recently and confirms the deletion. All sessions end.
    /// The account is kept for the pool's grace period.
    ///
    /// # Errors
    /// [`Code::LoginTooOld`], or the refusal of the confirmation.
    #[boxed]
    pub async fn delete_own_account<'a>(
        &'a self,
        who: &Authenticated,
        proof: DeletionProof<'a>,
    ) -> Result<(), Refusal> {
        if let Err(refusal) = self.require_recent_login(who) {
            let action = Action::UserDeletionRequested;
            return Err(self.refused(who, self.trace_of(who), action, json!({}), refusal).await);
        }
        let step = match proof {
            DeletionProof::Own(proof) => self.request_deletion(who, proof).await?,
            DeletionProof::MiniProgram { connection, code } => {
                self.confirm_deletion(who, connection, code).await?
            }
            DeletionProof::RecentLogin => {
                self.confirm_deletion_by(who, ConfirmationProof::RecentLogin).await?
            }
        };
        self.delete_account(who, step.token.expose()).await
    }

    async fn confirm_deletion(
        &self,
        who: &Authenticated,
        connection: &Connection,
        code: &str,
    ) -> Result<StepToken, Refusal> {
        let trace = Trace { connection: Some(connection.id.clone()), ..self.trace_of(who) };
        let Proved { proof, code } = match self.prove_for(who, connection, code).await {
            Ok(proved) => proved,
            Err(refusal) => {
                log_refusal(&who.application, connection, &refusal);
                let action = Action::UserDeletionRequested;
                return Err(self.refused(who, trace, action, json!({}), refusal).await);
            }
        };
        let (token, new) = self.new_step_token(StepPurpose::DeleteAccount, &[]);
        let unit = ConfirmByIdentity {
            pool: who.pool().clone(),
            user: who.user.clone(),
            keys: proof.ids().cloned().collect(),
            token: new,
            trace,
        };
        match self.write(unit).await? {
            IdentityConfirmed::Issued => {
                self.record_exchange(&who.application, &code).await?;
                Ok(token)
            }
            IdentityConfirmed::TakenByAnother => Err(Code::IdentityTaken.into()),
            IdentityConfirmed::NotBound => Err(Code::NotBound.into()),
        }
    }
}
