//! Deleting one's own account: two steps, then a grace period.

mod one_step;
pub mod unit;

use std::time::Duration;

use async_recursion::async_recursion as boxed;
use hufu_store::StoreError;
use hufu_store::step_tokens::StepPurpose;
use hufu_types::refusal::Code;
use hufu_types::{Action, PasscodeChannel};

use crate::credentials::{Confirmation, StepToken, accepted};
use crate::events::Actor;
use crate::{App, Authenticated, Origin, Refusal};
use unit::{Confirm, ConfirmationProof, Confirmed, DeleteExpired, ListExpired, ScheduleDeletion};

pub use one_step::DeletionProof;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl App {
    /// The first step of deleting one's own account: confirms the user's identity again.
    #[boxed]
    pub async fn request_deletion(
        &self,
        who: &Authenticated,
        proof: Confirmation,
    ) -> Result<StepToken, Refusal> {
        let pool = who.pool();
        let by = match proof {
            Confirmation::Code { target, code } => {
                let guess = self.guess(pool, &target, &code, accepted::DELETE, &who.origin);
                ConfirmationProof::Code(target, guess)
            }
            Confirmation::Password(password) => {
                let found = self.own_password(who).await?;
                let proved = self.verify_own(who, found, &password, Action::UserDeletionRequested).await?;
                ConfirmationProof::Password(proved.verified, proved.counted)
            }
        };
        self.confirm_deletion_by(who, by).await
    }

    async fn confirm_deletion_by(
        &self,
        who: &Authenticated,
        by: ConfirmationProof,
    ) -> Result<StepToken, Refusal> {
        let pool = who.pool();
        let (token, new) = self.new_step_token(StepPurpose::DeleteAccount, &[]);
        let unit =
            Confirm { pool: pool.clone(), user: who.user.clone(), by, token: new, trace: self.trace_of(who) };
        match self.write(unit).await? {
            Confirmed::Issued => Ok(token),
            Confirmed::WrongCode => Err(Code::WrongCode.into()),
            Confirmed::TooOften => Err(self.too_many_codes()),
            Confirmed::NotOwn(PasscodeChannel::Sms) => Err(Code::OldPhoneMismatch.into()),
            Confirmed::NotOwn(PasscodeChannel::Email) => Err(Code::OldEmailMismatch.into()),
            Confirmed::Changed | Confirmed::Gone => Err(Code::NotLoggedIn.into()),
        }
    }

    /// The second step. From now on, nobody can log in to the account. After the pool's grace period it is
    /// erased.
    #[boxed]
    pub async fn delete_account(&self, who: &Authenticated, token: &str) -> Result<(), Refusal> {
        let days = self.config().settings(who.pool()).deletion_grace_days;
        let unit = ScheduleDeletion {
            token: self.presented_step(who, token, StepPurpose::DeleteAccount),
            delete_after: self.now().plus(DAY.saturating_mul(days)),
            trace: self.trace_of(who),
        };
        let ended = self.write(unit).await??;
        self.forget_sessions(&ended);
        Ok(())
    }

    /// Erases accounts whose grace period is over, up to the limit for one run. The webhooks to notify are
    /// looked up for each account's pool.
    pub(crate) async fn delete_expired(&self) -> Result<usize, StoreError> {
        let now = self.now();
        let expired = self.store.read(ListExpired { now, limit: self.limits.deletions_at_once }).await?;
        let mut deleted = 0;
        for (pool, user) in expired {
            let trace = self.trace(&pool, Some(Actor::system()), None, None, &Origin::default());
            if self.store.write(DeleteExpired { pool, user, trace }).await? {
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}
