//! What an authorization request needs before it can be answered.

use hufu_types::flow::{self, Stage};
use hufu_types::{Application, AuthorizationRequest, BrowserSessionId, PoolSettings, Prompt, Timestamp};

use super::browser::BrowserAccount;
use crate::subjects::Subjects;

/// What the person has done for this request so far.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The account that they chose, or just logged in to.
    pub account: Option<BrowserSessionId>,
    /// Whether they just agreed to what the application wants.
    pub consented: bool,
}

/// What a request needs.
#[derive(Debug)]
pub enum Need<'a> {
    /// A login.
    Login,
    /// The choice of an account.
    Choice,
    /// The user whom the client named, and not the one who just logged in.
    AnotherUser,
    /// Nothing but, possibly, the consent of this account.
    Account(&'a BrowserAccount),
}

/// Decides what a request needs, given who is logged in to the browser. Consent is looked at later: it is stored.
pub(super) fn decide<'a>(
    request: &AuthorizationRequest,
    application: &Application,
    settings: &PoolSettings,
    accounts: &'a [BrowserAccount],
    given: &Given,
    subjects: &Subjects,
    now: Timestamp,
) -> Need<'a> {
    let chosen = match &given.account {
        Some(id) => match accounts.iter().find(|account| account.id() == id) {
            Some(chosen) => Some(chosen),
            // It is gone. What the person did, they did for that account, and for no other.
            None if accounts.is_empty() => return Need::Login,
            None => return Need::Choice,
        },
        None => None,
    };
    let wants_choice = request.prompts.has(Prompt::SelectAccount);
    if wants_choice && chosen.is_none() && !accounts.is_empty() {
        return Need::Choice;
    }
    let is_expected = |account: &&BrowserAccount| match &request.expected_user {
        Some(expected) => account.is_called(expected, application, subjects),
        None => true,
    };
    // The client is never answered with another user than the one it named (OpenID Connect Core 3.1.2.2).
    if chosen.is_some_and(|chosen| !is_expected(&chosen)) {
        return Need::AnotherUser;
    }
    let found = chosen.or_else(|| accounts.iter().find(is_expected));
    let Some(account) = found else { return Need::Login };
    let login = account.session.facts.auth_time().unwrap_or(account.session.created_at);
    let is_new = login >= request.at;
    let is_old_enough = |seconds: u64| login.plus(std::time::Duration::from_secs(seconds)) < now;
    let must_log_in = (request.prompts.has(Prompt::Login) && !is_new)
        || request.max_age.is_some_and(|seconds| !is_new && is_old_enough(seconds))
        || flow::stage_of(&account.user, settings, &account.session.facts) != Stage::Done;
    debug_assert_eq!(account.user.pool, application.pool, "accounts are of the application's pool");
    if must_log_in { Need::Login } else { Need::Account(account) }
}
