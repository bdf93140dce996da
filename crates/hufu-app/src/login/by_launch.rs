//! Logging in through a mini program that an app launches, in the older way: the mini program gets a ticket for its
//! codes, and the back end of the app logs the person in with the ticket and a client secret.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::rates::{self, Hit};
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::Code;
use hufu_types::{Application, Connection, ConnectionId, ConnectionKind, PoolId};
use serde::{Deserialize, Serialize};

use super::by_source::SourceLogin;
use super::entry::LoginAnswer;
use crate::address::network_of;
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

    /// Logs the person of a ticket in, for a back end that proves itself by a client secret of the pool.
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
        self.check_secret_of_pool(pool, secret, origin).await?;
        let taken = self.take_carried::<Launched>(TICKET, pool, ticket).await?;
        let (application, launched) = taken.ok_or(Code::LaunchTicketInvalid)?;
        let config = self.config();
        let application = config.application(application.as_str()).ok_or(Code::LaunchTicketInvalid)?;
        let (kind, id) = (ConnectionKind::WechatAppLaunch, launched.connection.as_str());
        let login = SourceLogin {
            application: Arc::clone(application),
            connection: config.connection_by_id(application, kind, id)?,
            evidence: Evidence {
                phone: launched.phone_code.as_deref().map(PhoneEvidence::Code),
                ..Evidence::code(&launched.code)
            },
            phone_use: PhoneUse::Fill,
            options: RequestedTokens::UserToken.into(),
            origin: origin.clone(),
        };
        self.log_in(&login).await
    }

    /// Whether a text is a client secret of an application of the pool.
    async fn check_secret_of_pool(
        &self,
        pool: &PoolId,
        secret: &str,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let config = self.config();
        let sent = hash_token(secret);
        let applications = config.of_pool(pool).ok_or(Code::PoolUnknown)?.applications();
        let known = applications.iter().filter(|a| a.enabled && a.has_secret()).flat_map(|a| &a.secrets);
        // Each is compared, so that the time tells nothing.
        let matching = known.filter(|known| sent.matches(known.hash.as_bytes())).count();
        if matching > 0 {
            return Ok(());
        }
        let network = origin.ip.as_deref().map(network_of).unwrap_or_default();
        let name = format!("client_secret:{pool}:{network}");
        let window = self.limits.failure_window;
        let hits = self.write(Hit { name, amount: 1, window, now: self.now() }).await?;
        if hits > self.limits.login_failures_per_ip {
            let wait = rates::wait(window, self.now());
            return Err(Code::TooOften.retry_after(wait).because("wrong secrets from this network"));
        }
        Err(Code::ClientUnauthorized.because("the secret is none of the pool's applications"))
    }
}
