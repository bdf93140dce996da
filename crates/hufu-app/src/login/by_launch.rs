//! Logging in through a mini program that an app launches, in the older way: the mini program gets a ticket for its
//! codes, and the back end of the app logs the person in with the ticket and a client secret.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::Code;
use hufu_types::{Application, ApplicationId, Connection, ConnectionId, ConnectionKind, PoolId};
use serde::{Deserialize, Serialize};

use super::by_source::SourceLogin;
use super::entry::LoginAnswer;
use crate::digest::hash_token;
use crate::sources::wechat::exchange::check_code;
use crate::sources::{Evidence, PhoneEvidence};
use crate::{App, Origin, PhoneUse, Refusal};

/// What tells these tickets from other sealed values.
const TICKET: &str = "launch_ticket";

/// A ticket for the codes of a mini program.
#[derive(Clone)]
pub struct LaunchTicket {
    /// The ticket.
    pub ticket: String,
    /// For how many seconds it can be used, once.
    pub expires_in: u64,
}

/// The content of a ticket. The codes have not been used yet.
#[derive(Serialize, Deserialize)]
struct Launched {
    connection: ConnectionId,
    code: String,
    phone_code: Option<String>,
}

impl App {
    /// The application and the connection of a pool whose app launches a mini program: those that are named, otherwise the
    /// first.
    ///
    /// # Errors
    /// [`Code::NoConnection`].
    pub fn launching(
        &self,
        pool: &PoolId,
        application: Option<&str>,
    ) -> Result<(Arc<Application>, Arc<Connection>), Refusal> {
        let config = self.config();
        let found = config.of_pool(pool).ok_or(Code::PoolUnknown)?;
        config.check_open(pool)?;
        let kind = ConnectionKind::WechatAppLaunch;
        let is_named = |candidate: &&Arc<Application>| {
            candidate.enabled && application.is_none_or(|id| id == candidate.id.as_str())
        };
        let with_connection = |application: &Arc<Application>| {
            let connection = config.connection_for(application, kind, None, None).ok()?;
            Some((Arc::clone(application), connection))
        };
        let found = found.applications().iter().filter(is_named).find_map(with_connection);
        found.ok_or_else(|| Code::NoConnection.with("kind", kind.as_str()))
    }

    /// Issues a ticket for the codes of a launched mini program. They are used with the ticket.
    pub fn issue_launch_ticket(
        &self,
        application: &Application,
        connection: &Connection,
        code: &str,
        phone_code: Option<&str>,
    ) -> Result<LaunchTicket, Refusal> {
        check_code(code)?;
        phone_code.map(check_code).transpose()?;
        let launched = Launched {
            connection: connection.id.clone(),
            code: code.to_owned(),
            phone_code: phone_code.map(str::to_owned),
        };
        let life = self.limits.launch_ticket;
        let ticket = self.carry(TICKET, application, launched, life)?;
        Ok(LaunchTicket { ticket, expires_in: life.as_secs() })
    }

    /// Logs the person of a ticket in, for a back end that proves itself by the client secret of the application, or of another
    /// one of the pool if it has none.
    ///
    /// # Errors
    /// [`Code::ClientUnauthorized`], [`Code::TooOften`], [`Code::LaunchTicketInvalid`], and those of every login.
    #[boxed]
    pub async fn log_in_by_launch_ticket(
        &self,
        pool: &PoolId,
        ticket: &str,
        secret: &str,
        origin: &Origin,
    ) -> Result<LoginAnswer, Refusal> {
        // Looked at before it is used: a wrong secret uses no ticket up.
        let of_ticket = self.application_carried::<Launched>(TICKET, pool, ticket);
        self.check_back_end(pool, of_ticket.as_ref(), secret, origin).await?;
        let taken = self.take_carried::<Launched>(TICKET, pool, ticket).await?;
        let (application, launched) = taken.ok_or(Code::LaunchTicketInvalid)?;
        let config = self.config();
        let application = config.application_or(application.as_str(), Code::LaunchTicketInvalid)?;
        let (kind, id) = (ConnectionKind::WechatAppLaunch, launched.connection.as_str());
        let login = SourceLogin {
            application: Arc::clone(application),
            connection: config.connection_by_id(application, kind, id)?,
            evidence: Evidence {
                phone: launched.phone_code.as_deref().map(PhoneEvidence::Code),
                is_of_pool: true,
                ..Evidence::code(&launched.code)
            },
            phone_use: PhoneUse::Fill,
            options: RequestedTokens::UserToken.into(),
            origin: origin.clone(),
        };
        self.log_in(&login).await
    }

    /// Refuses whoever has no client secret of the application. Where it has none, as an app that people install has none,
    /// that of another application of the pool will do, if it is the owner's own: one that asks its users for consent, as
    /// those that registered themselves do, logs nobody in this way.
    async fn check_back_end(
        &self,
        pool: &PoolId,
        application: Option<&ApplicationId>,
        secret: &str,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let config = self.config();
        let sent = hash_token(secret);
        let applications = config.of_pool(pool).ok_or(Code::PoolUnknown)?.applications();
        let mut own = applications.iter().filter(|of| Some(&of.id) == application);
        let has_own = own.any(|of| of.has_secret() && !of.secrets.is_empty());
        let may_speak = |of: &&Arc<Application>| {
            let is_meant = if has_own { Some(&of.id) == application } else { !of.login.consent };
            of.enabled && of.has_secret() && is_meant
        };
        let known = applications.iter().filter(may_speak).flat_map(|of| &of.secrets);
        // Each is compared, so that the time tells nothing.
        let matching = known.filter(|known| sent.matches(known.hash.as_bytes())).count();
        if matching > 0 {
            return Ok(());
        }
        let refusal =
            Code::ClientUnauthorized.because("the secret is none of the pool's back ends for this app");
        Err(self.count_client_failure(refusal, origin).await)
    }
}
