//! Proving the e-mail address of a user who must set a new password at the next login.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::users::GetUser;
use hufu_types::{Application, Language, PasscodePurpose, UserId};

use crate::credentials::Target;
use crate::{App, Origin, Refusal};

impl App {
    /// Sends a code to the e-mail address of an account that must set a new password at its next login. If
    /// there is no such account, or it has no e-mail address, the answer is the same and nothing is sent.
    #[boxed]
    pub async fn send_first_login_code(
        &self,
        application: &Arc<Application>,
        user: &str,
        language: Language,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let pool = &application.pool;
        let Ok(user) = UserId::parse(user) else { return Ok(()) };
        let found = self.read(GetUser { pool: pool.clone(), user }).await?;
        match found.filter(|user| user.must_reset && user.is_active()).and_then(|user| user.email) {
            Some(email) => {
                let to = Target::Email(email);
                self.send_code(application, to, PasscodePurpose::Verify, language, origin).await
            }
            None => Ok(()),
        }
    }
}
