//! The browser logs in with a ticket that a phone has confirmed.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::Write;
use hufu_store::qr_tickets::{GetTicket, Ticket};
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::Code;
use hufu_types::{Application, ApplicationId, Facts, Method, TicketKind};

use super::secrets::hash_of_secret;
use super::unit::{NotTaken, TakeAnd, TakeTicket};
use super::{Lent, PROOF};
use crate::authorization::HandedTicket;
use crate::configuration::ApplicationHint;
use crate::digest::hash_token;
use crate::login::{BrowserBinding, LogInByTicket, TicketLogin};
use crate::{App, LoginAnswer, LoginOptions, Origin, Refusal};

impl App {
    /// Logs in the browser that has this ticket, at the application that it was made for. It can be used once, whatever
    /// comes of it.
    ///
    /// # Errors
    /// [`Code::LoginTicketInvalid`]; [`Code::LoginTicketElsewhere`] for one of a hosted page; as every login.
    #[boxed]
    pub async fn log_in_by_ticket<'a>(
        &'a self,
        ticket: &str,
        named: ApplicationHint<'a>,
        requested: RequestedTokens,
        origin: &Origin,
    ) -> Result<LoginAnswer, Refusal> {
        if let Some(handed) = HandedTicket::read(ticket.trim()) {
            return self.log_in_by_handed_ticket(handed, named, &requested, origin).await;
        }
        let config = self.config();
        let application = named.application().map(ApplicationId::parse).transpose();
        let application = application.map_err(|_| Code::LoginTicketInvalid)?;
        let hash = hash_token(ticket.trim());
        let take = TakeTicket { hash, application, cookie: None, binds: false, now: self.now() };
        let ticket = self.ticket_to_take(&take).await?;
        let application = config.application(ticket.application.as_str());
        let application = application.filter(|application| named.agrees_with(application));
        let application = application.ok_or(Code::LoginTicketInvalid)?;
        self.log_in_with(application, &ticket, take, requested, origin).await
    }

    /// Logs in the browser of a hosted page, with the secret of its QR code.
    ///
    /// # Errors
    /// As [`Self::log_in_by_ticket`]; [`Code::LoginTicketElsewhere`] also for the secret of another browser.
    #[boxed]
    pub async fn log_in_by_qr_code(
        &self,
        application: &Arc<Application>,
        secret: &str,
        requested: RequestedTokens,
        origin: &Origin,
    ) -> Result<LoginAnswer, Refusal> {
        let (hash, cookie) = (hash_of_secret(secret), origin.browser.clone());
        let application_id = Some(application.id.clone());
        let take = TakeTicket { hash, application: application_id, cookie, binds: false, now: self.now() };
        let ticket = self.ticket_to_take(&take).await?;
        self.log_in_with(application, &ticket, take, requested, origin).await
    }

    /// A ticket that can be taken. It is looked at again when it is.
    pub(super) async fn ticket_to_take(&self, take: &TakeTicket) -> Result<Ticket, Refusal> {
        let found = self.read(GetTicket(take.hash.clone())).await?.ok_or(Code::LoginTicketInvalid)?;
        take.may_take(&found).map_err(not_taken)?;
        Ok(found)
    }

    /// Takes a ticket, and runs the unit that it was for in the same transaction.
    pub(crate) async fn take_and<U: Write>(&self, take: TakeTicket, then: U) -> Result<U::Out, Refusal> {
        let hash = take.hash.clone();
        let out = self.write(TakeAnd { take, then }).await?.map_err(not_taken)?;
        self.tickets.consumed(&hash);
        Ok(out)
    }

    async fn log_in_with(
        &self,
        application: &Arc<Application>,
        ticket: &Ticket,
        take: TakeTicket,
        requested: RequestedTokens,
        origin: &Origin,
    ) -> Result<LoginAnswer, Refusal> {
        let custom_data = self.details_of(ticket)?.custom_data;
        let options = LoginOptions { requested, custom_data };
        if ticket.kind == TicketKind::App {
            return self.log_in_scanned(application, ticket, take, options, origin).await;
        }
        let config = self.config();
        let connection = ticket.connection.as_ref().and_then(|id| config.connection(id));
        let connection = connection.filter(|connection| connection.pool == application.pool);
        let connection = connection.ok_or(Code::LoginTicketInvalid)?;
        if !connection.enabled || !application.connections.contains(&connection.id) {
            let name = connection.identifier.to_string();
            return Err(Code::ConnectionNotForApplication.with("connection", name));
        }
        let proven = self.proven_of(ticket)?.ok_or(Code::LoginTicketInvalid)?;
        self.log_in_proved(application, connection, proven.proof, options, origin, take).await
    }

    /// Logs in whoever confirmed in the pool's own app, if they are still logged in there. It is no new proof of who they
    /// are: the login keeps the time of theirs, ends no later, and grants no more than the token that confirmed it.
    async fn log_in_scanned(
        &self,
        application: &Arc<Application>,
        ticket: &Ticket,
        take: TakeTicket,
        options: LoginOptions,
        origin: &Origin,
    ) -> Result<LoginAnswer, Refusal> {
        let LoginOptions { requested, custom_data } = options;
        Self::check_surface(application, &requested)?;
        let session = ticket.progress.session.as_ref().ok_or(Code::LoginTicketInvalid)?;
        let session = self.living_session(&ticket.pool, session).await;
        let session = session.map_err(|_| Code::LoginTicketInvalid)?;
        let sealed = ticket.progress.proof.as_deref().ok_or(Code::LoginTicketInvalid)?;
        let Lent { scope: most } = self.open_of(&ticket.hash, PROOF, sealed)?;
        let requested = match (requested, &most) {
            (RequestedTokens::TokenSet(scope), Some(most)) => {
                RequestedTokens::TokenSet(scope.intersect(most))
            }
            (requested, _) => requested,
        };
        let patch = self.custom_data_patch(&ticket.pool, custom_data)?;
        let method = Method::AppQrCode;
        let mut prepared =
            self.prepare_own_login(application, method.as_str(), method, (requested, patch), origin);
        let auth_time = session.auth_time();
        let latest = self.config().settings(&ticket.pool).session.latest_end(auth_time);
        let latest = session.expires_at.min(latest);
        let plan = &mut prepared.plan;
        plan.facts = Facts::lent(auth_time, most);
        plan.session.expires_at = plan.session.expires_at.min(latest);
        if let Some(BrowserBinding::New(new)) = &mut plan.browser {
            // Its life counts from the login in the app.
            (new.created_at, new.expires_at) = (auth_time, new.expires_at.min(latest));
        }
        // The account that the session leads to: that of whoever confirmed, or what it has been merged into since.
        let unit = LogInByTicket {
            user: session.account.clone(),
            pool: ticket.pool.clone(),
            plan: prepared.plan.clone(),
        };
        match self.take_and(take, unit).await? {
            TicketLogin::Login(outcome) => {
                self.conclude(application, &prepared.plan, prepared.secrets, *outcome)
            }
            TicketLogin::Gone => Err(Code::LoginTicketInvalid.into()),
        }
    }
}

fn not_taken(why: NotTaken) -> Refusal {
    match why {
        NotTaken::Invalid => Code::LoginTicketInvalid.into(),
        NotTaken::Elsewhere => Code::LoginTicketElsewhere.into(),
    }
}
