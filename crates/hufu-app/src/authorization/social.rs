//! How a login returns to a published client that began it at a connection: with the user and a token, with a ticket for
//! both, or with a refusal.

use async_recursion::async_recursion as boxed;
use hufu_store::refresh_tokens::NewRefreshToken;
use hufu_store::users::GetUserWithIdentities;
use hufu_types::refusal::Code;
use hufu_types::{
    ANY_ORIGIN, Application, Facts, Identity, OpaqueToken, ScopeSet, SessionId, SocialReturn, TokenPurpose,
    User,
};

use super::exchange::{ExchangeCode, Exchanged};
use super::request::OpenRequest;
use crate::digest::hash_token;
use crate::{App, Origin, Refusal, UserToken};

/// What a published client receives that began a login at a connection. `Debug` shows nothing of it.
pub struct SocialResponse {
    /// Who receives it.
    pub to: SocialReceiver,
    /// What they receive.
    pub result: SocialResult,
}

impl std::fmt::Debug for SocialResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocialResponse").field("to", &self.to).finish_non_exhaustive()
    }
}

/// Who receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocialReceiver {
    /// This address, one of the application's or the connection's, in its query.
    Address(String),
    /// The page that opened this window, if it is of one of these origins.
    Opener(Vec<String>),
}

/// What became of the login.
pub enum SocialResult {
    /// The user, and their token.
    User(Box<User>, Vec<Identity>, UserToken),
    /// What both can be had for, once.
    Ticket(OpaqueToken),
    /// It was refused.
    Refused(Refusal),
}

impl SocialReceiver {
    fn of(open: &OpenRequest) -> Self {
        match &open.request.social {
            Some(SocialReturn { to_opener: true, .. }) => {
                // A message for everybody would hand the user to any page that opens this one.
                Self::Opener(open.application.origins().into_iter().filter(|of| of != ANY_ORIGIN).collect())
            }
            _ => Self::Address(open.request.redirect_uri.clone()),
        }
    }
}

impl SocialResponse {
    /// A refusal of such a login.
    pub fn refused(open: &OpenRequest, refusal: Refusal) -> Self {
        Self { to: SocialReceiver::of(open), result: SocialResult::Refused(refusal) }
    }
}

impl App {
    /// The response of a login that is granted. The ticket is the code of the request: it opens the session once, within
    /// its minute, and a second use ends what it opened.
    pub(super) async fn hand_over(
        &self,
        open: &OpenRequest,
        user: &User,
        session: &SessionId,
        facts: &Facts,
        code: OpaqueToken,
    ) -> Result<SocialResponse, Refusal> {
        let result = if self.hands_user_over(&open.request) {
            let auth_time = facts.auth_time().unwrap_or_else(|| self.now());
            let token = self.user_token(&open.application, &user.id, session, auth_time)?;
            let unit = GetUserWithIdentities { pool: user.pool.clone(), user: user.id.clone() };
            let (_, identities) = self.read(unit).await?.ok_or(Code::NotLoggedIn)?;
            SocialResult::User(Box::new(user.clone()), identities, token)
        } else {
            SocialResult::Ticket(code)
        };
        Ok(SocialResponse { to: SocialReceiver::of(open), result })
    }

    /// What a ticket stands for that a login through a connection returned with: `POST /api/v2/qrcode/userinfo`.
    ///
    /// # Errors
    /// [`Code::LoginTicketInvalid`], whatever is wrong with it.
    #[boxed]
    pub async fn redeem_login_ticket(
        &self,
        application: &Application,
        ticket: &str,
        origin: &Origin,
    ) -> Result<(User, Vec<Identity>, UserToken), Refusal> {
        let now = self.now();
        let unused = OpaqueToken::generate(TokenPurpose::Refresh, &*self.random);
        let unit = ExchangeCode {
            pool: application.pool.clone(),
            application: application.id.clone(),
            code: hash_token(ticket),
            redirect_uri: None,
            verifier: None,
            key: None,
            resources: Vec::new(),
            // These scopes bring none.
            refresh: NewRefreshToken {
                hash: hash_token(unused.expose()),
                scope: ScopeSet::default(),
                expires_at: now,
                client_auth: None,
                key: None,
                resources: Vec::new(),
            },
            session_ends: now.plus(application.lifetimes.session),
            rules: self.config().settings(&application.pool).session,
            trace: self.trace(&application.pool, None, Some(&application.id), None, origin),
        };
        match self.write(unit).await? {
            Exchanged::Done(opened) => {
                let (user, session) = (opened.user, opened.session);
                let token = self.user_token(application, &user.id, &session, opened.auth_time)?;
                let unit = GetUserWithIdentities { pool: user.pool.clone(), user: user.id.clone() };
                let (_, identities) = self.read(unit).await?.ok_or(Code::LoginTicketInvalid)?;
                Ok((user, identities, token))
            }
            Exchanged::Ended(session) => {
                self.sessions.forget(&session);
                Err(Code::LoginTicketInvalid.because("a ticket was used twice"))
            }
            Exchanged::Unknown | Exchanged::NotGranted => Err(Code::LoginTicketInvalid.into()),
        }
    }
}
