//! A QR code with an owner: somebody who is logged in shows it, scans it with WeChat, and binds their WeChat to the account.
//!
//! Either side may be a stranger. Whoever sees the picture can scan it with a WeChat of their own, which must not become a
//! way into somebody else's account; and whoever is shown a picture can be talked into scanning it. So both agree: the
//! mini program says to which account its person's WeChat is about to be bound, and proves who they are; and nothing is bound
//! before the owner, who has just logged in, sees that it was scanned and says so.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::qr_tickets::GetTicket;
use hufu_types::refusal::Code;
use hufu_types::{Action, Connection, TicketKind, TicketState};

use super::secrets::hash_of_secret;
use super::unit::TakeTicket;
use super::{IssuedTicket, TicketRequest};
use crate::people::identities::Bind;
use crate::sources::wechat::{identity, log_refusal};
use crate::tokens::authentication::Authenticated;
use crate::{App, Origin, Refusal};

impl App {
    /// Issues a QR code that belongs to whoever is logged in. Scanned through this connection, it binds a WeChat to their
    /// account. `None` means the first connection of the application that shows codes of a mini program.
    ///
    /// # Errors
    /// [`Code::LoginTooOld`]; as [`App::issue_ticket`].
    #[boxed]
    pub async fn issue_binding(
        &self,
        who: &Authenticated,
        connection: Option<&str>,
    ) -> Result<IssuedTicket, Refusal> {
        self.require_recent_login_for(who, Action::IdentityBound).await?;
        let connection =
            self.config().qr_connection(&who.application, TicketKind::MiniProgram, connection)?;
        self.issue_ticket(TicketRequest {
            application: Arc::clone(&who.application),
            connection,
            custom_data: serde_json::Map::new(),
            owner: Some(who.user.clone()),
            origin: who.origin.clone(),
        })
        .await
    }

    /// Whoever scanned a code with an owner agrees in the mini program, which proves who they are by a code of `wx.login`.
    /// Nothing is bound yet.
    ///
    /// # Errors
    /// [`Code::QrCodeUnknown`], [`Code::QrCodeExpired`], [`Code::QrCodeDecided`], [`Code::QrCodeOfAnother`];
    /// [`Code::IdentityTaken`], which the owner's browser is told too; what WeChat refuses.
    #[boxed]
    pub async fn agree_to_binding(&self, scene: &str, code: &str, origin: &Origin) -> Result<(), Refusal> {
        let (ticket, params) = self.opened_by(scene).await?;
        if ticket.kind != TicketKind::Binding {
            return Err(Code::QrCodeUnknown.into());
        }
        let (application, connection) = (&params.application, &params.connection);
        let session = self.person_of_code(application, connection, code, origin).await?;
        let proof = identity(connection, &session.openid, session.unionid.as_deref());
        let owner = self.owner_of(&ticket).await?;
        let known = self.known_by(&ticket.pool, &proof).await?;
        self.ticket_scanned(connection, scene, Some(proof.clone())).await?;
        if known.is_some_and(|known| known.id != owner.id) {
            let _ = self.fail_ticket(&ticket, Code::IdentityTaken).await;
            return Err(Code::IdentityTaken.into());
        }
        self.confirm_binding(connection, scene, proof).await
    }

    async fn confirm_binding(
        &self,
        connection: &Connection,
        scene: &str,
        proof: hufu_types::Proof,
    ) -> Result<(), Refusal> {
        let ticket = self.ticket_of(connection, scene).await?;
        let advance = self.advance(&ticket, TicketState::Confirmed);
        let advance = self.with_proof(advance, &ticket, proof).await?;
        self.advance_ticket(advance).await.map(drop)
    }

    /// Binds what was proved for a code to the account of its owner, who holds its secret. The code is used, whatever comes
    /// of it.
    ///
    /// # Errors
    /// [`Code::LoginTooOld`]; [`Code::LoginTicketInvalid`] for a code that nobody has agreed to, or that is another person's;
    /// [`Code::IdentityTaken`], [`Code::AnotherIdentityBound`].
    #[boxed]
    pub async fn bind_by_qr_code(&self, who: &Authenticated, secret: &str) -> Result<(), Refusal> {
        let recent = self.require_recent_login_for(who, Action::IdentityBound).await?;
        let hash = hash_of_secret(secret);
        let ticket = self.read(GetTicket(hash.clone())).await?.ok_or(Code::LoginTicketInvalid)?;
        let is_own = ticket.kind == TicketKind::Binding
            && ticket.pool == *who.pool()
            && self.details_of(&ticket)?.owner.as_ref() == Some(&who.user);
        if !is_own {
            return Err(Code::LoginTicketInvalid.into());
        }
        let application = Some(ticket.application.clone());
        let take = TakeTicket { hash, application, cookie: None, binds: true, now: self.now() };
        let ticket = self.ticket_to_take(&take).await?;
        let config = self.config();
        let connection = ticket.connection.as_ref().and_then(|id| config.connection(id));
        let connection =
            connection.filter(|connection| connection.enabled).ok_or(Code::LoginTicketInvalid)?;
        let proof = self.proven_of(&ticket)?.ok_or(Code::LoginTicketInvalid)?.proof;
        let unit = Bind {
            pool: who.pool().clone(),
            user: who.user.clone(),
            connection: connection.id.clone(),
            proof,
            exchange: None,
            recent,
            trace: self.trace_of_connection(who, connection),
        };
        let bound = self.take_and(take, unit).await?.into_result();
        bound.inspect_err(|refusal| log_refusal(&who.application, connection, refusal))
    }
}
