//! What an account lets applications have: listing it, and taking it back.

use async_recursion::async_recursion as boxed;
use hufu_store::consents::{self, GivenConsent, ListConsents};
use hufu_store::{StoreError, Tx, Write, browser_sessions, device_codes, endings};
use hufu_types::refusal::Code;
use hufu_types::{Action, ApplicationId, PoolId, UserId};
use serde_json::json;

use crate::events::{Event, Trace};
use crate::tokens::EndedSession;
use crate::tokens::authentication::Authenticated;
use crate::{App, Refusal};

/// A consent as shown to whoever gave it.
#[derive(Clone, Debug)]
pub struct ConsentView {
    /// The consent.
    pub given: GivenConsent,
    /// The application's name, if it is still there.
    pub application: Option<String>,
}

impl App {
    /// What the account lets applications have, the latest first.
    #[boxed]
    pub async fn own_consents(&self, who: &Authenticated) -> Result<Vec<ConsentView>, Refusal> {
        let unit = ListConsents { pool: who.pool().clone(), user: who.user.clone() };
        let given = self.read(unit).await?;
        let config = self.config();
        let name = |id: &ApplicationId| config.application(id.as_str()).map(|found| found.name.clone());
        Ok(given
            .into_iter()
            .map(|given| ConsentView { application: name(&given.application), given })
            .collect())
    }

    /// Takes back what the account lets an application have. The application's sessions and refresh tokens end, and it
    /// is told; whoever logs in to it next is asked again. Returns how many sessions ended.
    ///
    /// # Errors
    /// [`Code::ConsentUnknown`].
    #[boxed]
    pub async fn withdraw_consent(&self, who: &Authenticated, application: &str) -> Result<usize, Refusal> {
        let id = ApplicationId::parse(application).map_err(|_| Code::ConsentUnknown)?;
        let unit = WithdrawConsent {
            pool: who.pool().clone(),
            user: who.user.clone(),
            application: id,
            trace: self.trace_of(who),
        };
        let ended = self.write(unit).await?.ok_or(Code::ConsentUnknown)?;
        self.forget_sessions(&ended);
        Ok(ended.len())
    }
}

/// Takes back a consent, with all that came of it.
pub struct WithdrawConsent {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The application.
    pub application: ApplicationId,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

impl Write for WithdrawConsent {
    /// The sessions that ended, or nothing if there was no consent.
    type Out = Option<Vec<EndedSession>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let Self { pool, user, application, trace } = self;
        // Whatever begins a session of the application locks them too, and looks at the consent then.
        browser_sessions::lock_of_account(tx, pool, user).await?;
        let action = Action::ConsentWithdrawn;
        if !consents::withdraw(tx, pool, user, application).await? {
            let details = json!({ "application": application.as_str() });
            let code = Code::ConsentUnknown.number();
            let event = Event { code, ..Event::of(action, user) }.with(details);
            trace.recorder().record(tx, pool, event).await?;
            return Ok(None);
        }
        device_codes::deny_of_account(tx, pool, user, application).await?;
        let ended = endings::of_account_at(tx, pool, user, application, trace.at).await?;
        let ids: Vec<&str> = ended.iter().map(|ended| ended.session.as_str()).collect();
        let details = json!({ "application": application.as_str(), "sessions": ids });
        trace.recorder().record(tx, pool, Event::of(action, user).with(details)).await?;
        Ok(Some(ended))
    }
}
