//! Sessions of one's own account: listing and ending them.

pub mod unit;

use async_recursion::async_recursion as boxed;
use hufu_store::sessions::{ListSessions, OwnSession};
use hufu_types::SessionId;
use hufu_types::refusal::Code;

use super::{UserAgent, read_user_agent};
use crate::tokens::authentication::Authenticated;
use crate::{App, Refusal};
use unit::{EndSessions, SessionSelection};

/// A session as shown to its owner.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// The session.
    pub session: OwnSession,
    /// The application's name, if it still exists.
    pub application: Option<String>,
    /// The device and browser, from the `User-Agent` at login.
    pub client: UserAgent,
    /// Whether this is the session of the request.
    pub current: bool,
}

impl App {
    /// The account's sessions, most recently used first.
    #[boxed]
    pub async fn own_sessions(&self, who: &Authenticated) -> Result<Vec<SessionView>, Refusal> {
        let unit = ListSessions { pool: who.pool().clone(), user: who.user.clone(), now: self.now() };
        let sessions = self.read(unit).await?;
        let config = self.config();
        let rules = config.settings(who.pool()).session;
        let is_alive = |s: &OwnSession| {
            let last_used = s.last_used_at.unwrap_or(s.created_at);
            rules.end(s.created_at, last_used, s.expires_at) > self.now()
        };
        let view = |session: OwnSession| SessionView {
            application: config.application(session.application.as_str()).map(|a| a.name.clone()),
            client: session.user_agent.as_deref().map(read_user_agent).unwrap_or_default(),
            current: session.id == who.session,
            session,
        };
        Ok(sessions.into_iter().filter(is_alive).map(view).collect())
    }

    /// Ends one session of one's own account.
    ///
    /// # Errors
    /// [`Code::SessionUnknown`].
    #[boxed]
    pub async fn end_own_session(&self, who: &Authenticated, session: &SessionId) -> Result<(), Refusal> {
        match self.end_own(who, SessionSelection::One(session.clone())).await? {
            0 => Err(Code::SessionUnknown.into()),
            _ => Ok(()),
        }
    }

    /// Ends the sessions of one's own account, with or without the current one. Returns how many ended.
    ///
    /// # Errors
    /// Database errors.
    #[boxed]
    pub async fn end_own_sessions(&self, who: &Authenticated, with_current: bool) -> Result<usize, Refusal> {
        let which =
            if with_current { SessionSelection::All } else { SessionSelection::AllBut(who.session.clone()) };
        self.end_own(who, which).await
    }

    async fn end_own(&self, who: &Authenticated, which: SessionSelection) -> Result<usize, Refusal> {
        let (pool, user) = (who.pool().clone(), who.user.clone());
        let ended = self.write(EndSessions { pool, user, which, trace: self.trace_of(who) }).await?;
        self.forget_sessions(&ended);
        Ok(ended.len())
    }
}
