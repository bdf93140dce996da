//! The login mini program: what opens on the phone when somebody scans the code of a mini program.
//!
//! It tells who opened it with a code of `wx.login`, and later, without any token, that its person confirms. Whoever saw the
//! picture could send that second call, so it counts only with the OpenID that the scan was answered with, which published
//! mini programs send along always. The network of the scan is no proof: who shows the picture may be in it, too. Nothing
//! else that the call says of the person is read.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::qr_tickets::Ticket;
use hufu_store::users::GetUser;
use hufu_types::refusal::Code;
use hufu_types::{Application, Connection, OpaqueToken, TicketKind, TicketState, TokenPurpose, User};
use hufu_wechat::{Budget, CodeSession};
use subtle::ConstantTimeEq as _;

use super::unit::FindKnown;
use crate::sources::wechat::identity;
use crate::{App, Origin, Refusal};

/// For whom a mini program was opened.
#[derive(Clone, Debug)]
pub struct LaunchParams {
    /// The application that the browser logs in to.
    pub application: Arc<Application>,
    /// The connection that showed the code.
    pub connection: Arc<Connection>,
    /// The account that is about to get the WeChat of whoever scanned, by a name that its owner recognizes and nobody else
    /// learns. `None`: the code is a login.
    pub owner: Option<String>,
}

/// Who opened a mini program. `Debug` does not show it.
#[derive(Clone)]
pub struct Granted {
    /// Their OpenID in the mini program.
    pub openid: String,
    /// Their UnionID.
    pub unionid: Option<String>,
    /// A value without meaning: published mini programs expect WeChat's session key, which never leaves the server.
    pub session: OpaqueToken,
}

impl std::fmt::Debug for Granted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Granted(redacted)")
    }
}

impl App {
    /// For whom the mini program was opened that scanned this scene.
    ///
    /// # Errors
    /// [`Code::QrCodeUnknown`], [`Code::QrCodeExpired`].
    pub async fn launch_params(&self, scene: &str) -> Result<LaunchParams, Refusal> {
        let (ticket, params) = self.opened_by(scene).await?;
        let owner = match ticket.kind {
            TicketKind::Binding => Some(self.owner_of(&ticket).await?.masked_name()),
            _ => None,
        };
        Ok(LaunchParams { owner, ..params })
    }

    /// The mini program tells with a code of `wx.login` who opened it: the QR code is scanned, by them.
    ///
    /// # Errors
    /// As [`Self::launch_params`] and [`App::ticket_scanned`]; what WeChat refuses.
    #[boxed]
    pub async fn grant_scene(&self, scene: &str, code: &str, origin: &Origin) -> Result<Granted, Refusal> {
        let (_, LaunchParams { application, connection, .. }) = self.opened_by(scene).await?;
        let session = self.person_of_code(&application, &connection, code, origin).await?;
        let proof = identity(&connection, &session.openid, session.unionid.as_deref());
        self.ticket_scanned(&connection, scene, Some(proof)).await?;
        Ok(Granted {
            openid: session.openid.clone(),
            unionid: session.unionid.clone(),
            session: OpaqueToken::generate(TokenPurpose::Step, &*self.random),
        })
    }

    /// The person confirms in the mini program: the browser may log in as whoever scanned the code.
    ///
    /// # Errors
    /// As [`App::ticket_proved`]; [`Code::QrCodeOfAnother`] for a call without the OpenID of whoever scanned.
    #[boxed]
    pub async fn confirm_scene(
        &self,
        scene: &str,
        openid: Option<&str>,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let (ticket, LaunchParams { connection, .. }) = self.opened_by(scene).await?;
        if ticket.kind != TicketKind::MiniProgram {
            return Err(Code::QrCodeUnknown.into());
        }
        let proven = match (ticket.progress.state, self.proven_of(&ticket)?) {
            (TicketState::Scanned, Some(proven)) => proven,
            (TicketState::Created | TicketState::Scanned, _) => return Err(Code::QrCodeNotScanned.into()),
            _ => return Err(Code::QrCodeDecided.into()),
        };
        let own = proven.proof.own.value.as_bytes();
        let knows_person = openid.is_some_and(|openid| bool::from(openid.as_bytes().ct_eq(own)));
        if !knows_person {
            return Err(Code::QrCodeOfAnother.into());
        }
        self.ticket_proved(&connection, scene, proven.proof, origin).await
    }

    /// Whether the person of a code of `wx.login` has an account, and whether that has a phone number.
    ///
    /// # Errors
    /// What WeChat refuses.
    #[boxed]
    pub async fn account_of_code(
        &self,
        application: &Application,
        connection: &Connection,
        code: &str,
        origin: &Origin,
    ) -> Result<(bool, bool), Refusal> {
        let session = self.person_of_code(application, connection, code, origin).await?;
        let proof = identity(connection, &session.openid, session.unionid.as_deref());
        let keys = proof.ids().cloned().collect();
        let known = self.read(FindKnown { pool: application.pool.clone(), keys }).await?;
        let has_phone = known.as_ref().is_some_and(|user| user.vouched_phone().is_some());
        Ok((known.is_some(), has_phone))
    }

    /// The person of a code of `wx.login`, which is used from here on.
    pub(super) async fn person_of_code(
        &self,
        application: &Application,
        connection: &Connection,
        code: &str,
        origin: &Origin,
    ) -> Result<CodeSession, Refusal> {
        let (ip, budget) = (origin.ip.as_deref(), Budget::of(self.limits.request_budget));
        let exchanged = async {
            let _place = self.enter_lane(&application.pool, ip).await;
            let (session, spent) =
                self.mini_program_session(application, connection, code, ip, budget).await?;
            self.record_exchange(application, &spent).await?;
            Ok(session)
        };
        match exchanged.await {
            Ok(session) => Ok(session),
            Err(refusal) => Err(self.failed(application, connection, refusal, ip).await),
        }
    }

    /// Whose code this is: the account that gets the WeChat of whoever scans it.
    pub(super) async fn owner_of(&self, ticket: &Ticket) -> Result<User, Refusal> {
        let user = self.details_of(ticket)?.owner.ok_or(Code::QrCodeUnknown)?;
        let unit = GetUser { pool: ticket.pool.clone(), user };
        let owner = self.read(unit).await?.filter(User::is_active);
        owner.ok_or_else(|| Code::QrCodeUnknown.into())
    }

    /// The ticket of a scene that a mini program scanned, and whom it is for.
    pub(super) async fn opened_by(&self, scene: &str) -> Result<(Ticket, LaunchParams), Refusal> {
        let ticket = self.ticket_of_scene(scene).await?;
        if !matches!(ticket.kind, TicketKind::MiniProgram | TicketKind::Binding) {
            return Err(Code::QrCodeUnknown.into());
        }
        if ticket.progress.expires_at <= self.now() {
            return Err(Code::QrCodeExpired.into());
        }
        let config = self.config();
        let application = config.application_or(ticket.application.as_str(), Code::QrCodeUnknown)?;
        let connection = ticket.connection.as_ref().and_then(|id| config.connection(id));
        let connection = connection.filter(|connection| connection.enabled).ok_or(Code::QrCodeUnknown)?;
        let params =
            LaunchParams { application: application.clone(), connection: connection.clone(), owner: None };
        Ok((ticket, params))
    }
}
