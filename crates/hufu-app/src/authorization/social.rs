//! How a login returns to a published client that began it at a connection: with the user and a token, with a ticket for
//! both, or with a refusal.

use hufu_store::refresh_tokens::NewRefreshToken;
use hufu_store::users::GetUserWithIdentities;
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::Code;
use hufu_types::{
    ANY_ORIGIN, Application, Facts, Identity, IdentityKind, OpaqueToken, ScopeSet, SessionId, SocialReturn,
    TokenPurpose, User,
};

use super::dpop::BEARER;
use super::exchange::{ExchangeCode, Exchanged, Opened};
use super::request::OpenRequest;
use crate::digest::hash_token;
use crate::tokens::{IdTokenParts, Issue};
use crate::{App, ApplicationHint, LoginAnswer, LoginDone, Origin, Refusal, Tokens, UserToken};

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

/// A ticket that a login through a connection returned with: the code of its request, and the application, because calls
/// with a ticket may name none.
pub(crate) struct HandedTicket<'a> {
    code: &'a str,
    application: &'a str,
}

impl<'a> HandedTicket<'a> {
    /// Reads a ticket, if it is one of these.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let (code, application) = text.split_once(BETWEEN)?;
        code.starts_with(TokenPurpose::AuthorizationCode.prefix()).then_some(Self { code, application })
    }

    fn write(code: &OpaqueToken, application: &Application) -> OpaqueToken {
        OpaqueToken::presented(format!("{}{BETWEEN}{}", code.expose(), application.id))
    }
}

/// Separates the parts of a ticket. It is in neither.
const BETWEEN: char = '.';

impl App {
    /// The response of a login that is granted. The ticket opens the session once, within the minute of a code, and a
    /// second use ends what it opened.
    pub(super) fn social_response(
        &self,
        open: &OpenRequest,
        user: User,
        identities: Vec<Identity>,
        session: &SessionId,
        facts: &Facts,
        code: &OpaqueToken,
    ) -> Result<SocialResponse, Refusal> {
        let application = &open.application;
        let result = if self.hands_user_over(&open.request) {
            let auth_time = facts.auth_time().unwrap_or_else(|| self.now());
            let token = self.user_token(application, &user.id, session, auth_time)?;
            SocialResult::User(Box::new(user), identities, token)
        } else {
            SocialResult::Ticket(HandedTicket::write(code, application))
        };
        Ok(SocialResponse { to: SocialReceiver::of(open), result })
    }

    async fn identities_of(&self, user: &User) -> Result<Vec<Identity>, Refusal> {
        let unit = GetUserWithIdentities { pool: user.pool.clone(), user: user.id.clone() };
        Ok(self.read(unit).await?.map(|(_, identities)| identities).unwrap_or_default())
    }

    /// The login that a ticket stands for: see [`App::log_in_by_ticket`].
    ///
    /// # Errors
    /// [`Code::LoginTicketInvalid`], whatever is wrong with it.
    pub(crate) async fn log_in_by_handed_ticket(
        &self,
        ticket: HandedTicket<'_>,
        named: ApplicationHint<'_>,
        requested: &RequestedTokens,
        origin: &Origin,
    ) -> Result<LoginAnswer, Refusal> {
        let config = self.config();
        let application = config.application(ticket.application).filter(|of| named.agrees_with(of));
        let application = application.ok_or(Code::LoginTicketInvalid)?;
        Self::check_surface(application, requested)?;
        let now = self.now();
        let unused = OpaqueToken::generate(TokenPurpose::Refresh, &*self.random);
        let unit = ExchangeCode {
            pool: application.pool.clone(),
            application: application.id.clone(),
            code: hash_token(ticket.code),
            redirect_uri: None,
            verifier: None,
            key: None,
            resources: Vec::new(),
            // The scopes of these requests bring none.
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
            Exchanged::Done(opened) => self.opened_by_ticket(application, *opened, requested).await,
            Exchanged::Ended(session) => {
                self.forget_session(&session);
                Err(Code::LoginTicketInvalid.because("a ticket was used twice"))
            }
            Exchanged::Unknown | Exchanged::NotGranted => Err(Code::LoginTicketInvalid.into()),
        }
    }

    async fn opened_by_ticket(
        &self,
        application: &Application,
        opened: Opened,
        requested: &RequestedTokens,
    ) -> Result<LoginAnswer, Refusal> {
        let Opened { user, session, auth_time, .. } = opened;
        let tokens = match requested {
            RequestedTokens::TokenSet(scope) => {
                let (binding, id_token, resources) = (&BEARER, IdTokenParts::default(), [].as_slice());
                let (user, session) = (&user, &session);
                let issue = Issue { application, user, session, auth_time, binding, id_token, resources };
                Tokens::Set(Box::new(self.token_set(&issue, scope, None)?))
            }
            RequestedTokens::UserToken | RequestedTokens::Authorization(_) => {
                Tokens::User(self.user_token(application, &user.id, &session, auth_time)?)
            }
        };
        let identities = self.identities_of(&user).await?;
        let id = |kind| identities.iter().find(|of| of.key.kind == kind).map(|of| of.key.value.clone());
        let (openid, unionid) = (id(IdentityKind::Openid), id(IdentityKind::Unionid));
        let done = LoginDone { user, newly_created: false, openid, unionid, tokens, browser: None };
        Ok(LoginAnswer::Done(Box::new(done)))
    }
}

#[cfg(test)]
mod tests {
    use hufu_types::{ApplicationId, SystemRandom};

    use super::*;

    #[test]
    fn a_ticket_names_its_application() {
        let code = OpaqueToken::generate(TokenPurpose::AuthorizationCode, &SystemRandom);
        let id = ApplicationId::parse("6560c0ffee00000000000003").unwrap();
        let text = format!("{}.{id}", code.expose());
        let read = HandedTicket::read(&text).unwrap();
        assert_eq!((read.code, read.application), (code.expose(), id.as_str()));
        for other in ["", ".", "hfa_1", "hfq_1.app", code.expose()] {
            assert!(HandedTicket::read(other).is_none(), "{other}");
        }
    }
}
