//! What a phone does with a ticket: it scans the picture, and its person confirms the login or cancels it.
//!
//! Whoever reads the picture knows the scene, so a scene alone never decides anything: in the pool's own app the person is
//! logged in, and WeChat says who a follower is, or who opened the mini program.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::qr_tickets::{GetTicketByScene, Ticket};
use hufu_store::rates::Limit;
use hufu_store::users::GetUser;
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::Code;
use hufu_types::{Connection, Profile, Proof, Scope, ScopeSet, TicketKind, TicketState, User};

use super::secrets::{is_scene, read_short_code};
use super::unit::{Advance, Advanced, FindShortCode, FoundShortCode};
use super::{Lent, PROOF, Proven, SHOWN, ScannedBy};
use crate::authorization::dpop::BEARER;
use crate::login::AccountResolver;
use crate::tokens::authentication::Authenticated;
use crate::tokens::{IdTokenParts, Issue};
use crate::{App, Origin, Refusal, TokenSet};

/// What somebody who is logged in to the pool's own app does with a QR code that it scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketOrder {
    /// The app has scanned it.
    Scan,
    /// The person wants to log in.
    Confirm,
    /// The person does not.
    Cancel,
}

impl TicketOrder {
    /// What becomes of the ticket.
    pub const fn leads_to(self) -> TicketState {
        match self {
            Self::Scan => TicketState::Scanned,
            Self::Confirm => TicketState::Confirmed,
            Self::Cancel => TicketState::Cancelled,
        }
    }
}

impl App {
    /// Scans, confirms or cancels the ticket of a scene, for somebody who is logged in to an app of the same pool. The login
    /// of the browser grants no more than the token of the app, and counts as one at the time of the app's.
    ///
    /// # Errors
    /// [`Code::QrCodeUnknown`], [`Code::QrCodeExpired`], [`Code::QrCodeNotScanned`], [`Code::QrCodeDecided`],
    /// [`Code::QrCodeOfAnother`], [`Code::QrCodeByDevice`]; [`Code::InsufficientScope`] without `profile`.
    #[boxed]
    pub async fn order_ticket(
        &self,
        who: &Authenticated,
        scene: &str,
        order: TicketOrder,
    ) -> Result<TicketState, Refusal> {
        if who.is_device {
            return Err(Code::QrCodeByDevice.into());
        }
        if who.scope.as_ref().is_some_and(|scope| !scope.has(Scope::Profile)) {
            return Err(Code::InsufficientScope.with("scope", Scope::Profile.as_str()));
        }
        let ticket = self.ticket_of_scene(scene).await?;
        if ticket.kind != TicketKind::App || ticket.pool != *who.pool() {
            return Err(Code::QrCodeUnknown.into());
        }
        let unit = GetUser { pool: who.pool().clone(), user: who.user.clone() };
        let user = self.read(unit).await?.ok_or(Code::NotLoggedIn)?;
        let shown = self.seal_for(&ticket.hash, SHOWN, &ScannedBy::of(user.profile))?;
        let by = Some((who.user.clone(), who.session.clone()));
        let lent = self.seal_for(&ticket.hash, PROOF, &Lent { scope: who.scope.clone() })?;
        let (shown, proof) = (Some(shown), Some(lent));
        let advance = Advance { proof, shown, by, ..self.advance(&ticket, order.leads_to()) };
        self.advance_ticket(advance).await
    }

    /// Scans and confirms the ticket of a scene at once. Answers with new tokens of the same session, which grant what the
    /// token of the request grants: of a user token, what a login grants that asks for nothing in particular.
    ///
    /// # Errors
    /// As [`Self::order_ticket`].
    #[boxed]
    pub async fn confirm_in_app(&self, who: &Authenticated, scene: &str) -> Result<TokenSet, Refusal> {
        Self::check_surface(&who.application, &RequestedTokens::TokenSet(ScopeSet::default_login()))?;
        self.order_ticket(who, scene, TicketOrder::Scan).await?;
        self.order_ticket(who, scene, TicketOrder::Confirm).await?;
        let unit = GetUser { pool: who.pool().clone(), user: who.user.clone() };
        let user = self.read(unit).await?.ok_or(Code::NotLoggedIn)?;
        // A merged account goes by the name that its tokens have.
        let user = match &who.scope {
            None => User { id: who.subject.clone(), ..user },
            Some(_) => user,
        };
        let scope = who.scope.clone().unwrap_or_else(ScopeSet::default_login);
        let (user, session, application) = (&user, &who.session, &*who.application);
        let (auth_time, id_token) = (who.auth_time, IdTokenParts::default());
        let issue =
            Issue { application, user, session, auth_time, binding: &BEARER, id_token, resources: &[] };
        self.token_set(&issue, &scope, None)
    }

    /// A phone has opened what the picture of this connection leads to. What it proved so far is what a later
    /// confirmation confirms.
    ///
    /// # Errors
    /// As [`Self::ticket_proved`].
    #[boxed]
    pub async fn ticket_scanned(
        &self,
        connection: &Connection,
        scene: &str,
        proof: Option<Proof>,
    ) -> Result<(), Refusal> {
        let scanned = self.scan_once(connection, scene, proof.as_ref()).await;
        match scanned {
            // Somebody was faster, who may be the same person: the second look tells.
            Err(refusal) if refusal.is(Code::QrCodeOfAnother) => {
                self.scan_once(connection, scene, proof.as_ref()).await
            }
            scanned => scanned,
        }
    }

    async fn scan_once(
        &self,
        connection: &Connection,
        scene: &str,
        proof: Option<&Proof>,
    ) -> Result<(), Refusal> {
        let ticket = self.ticket_of(connection, scene).await?;
        // Whoever scans second does not become the one who logs in.
        if ticket.progress.state == TicketState::Scanned
            && let Some(before) = self.proven_of(&ticket)?
            && proof.is_none_or(|proof| proof.own != before.proof.own)
        {
            return Err(Code::QrCodeOfAnother.into());
        }
        let advance = self.advance(&ticket, TicketState::Scanned);
        let advance = match proof {
            Some(proof) => self.with_proof(advance, &ticket, proof.clone()).await?,
            None => advance,
        };
        self.advance_ticket(advance).await.map(drop)
    }

    /// A phone has proved who its person is, who wants to log in: the browser may. Somebody who may not log in is refused
    /// here, and the browser is told too. `proof` replaces what was proved when the phone scanned.
    ///
    /// # Errors
    /// [`Code::QrCodeUnknown`] for a scene that is not one of this connection's; [`Code::QrCodeExpired`],
    /// [`Code::QrCodeNotScanned`], [`Code::QrCodeDecided`]; as [`App::log_in`] for somebody who may not log in.
    #[boxed]
    pub async fn ticket_proved(
        &self,
        connection: &Arc<Connection>,
        scene: &str,
        proof: Proof,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let ticket = self.ticket_of(connection, scene).await?;
        self.confirm_proved(connection, &ticket, proof, origin).await
    }

    /// Whether the ticket of a scene is this connection's, and can still be confirmed.
    ///
    /// # Errors
    /// [`Code::QrCodeUnknown`], [`Code::QrCodeDecided`], [`Code::QrCodeExpired`].
    pub(crate) async fn ticket_waits(&self, connection: &Connection, scene: &str) -> Result<(), Refusal> {
        let ticket = self.ticket_of(connection, scene).await?;
        if ticket.progress.state.is_final() {
            return Err(Code::QrCodeDecided.into());
        }
        if ticket.progress.expires_at <= self.now() {
            return Err(Code::QrCodeExpired.into());
        }
        Ok(())
    }

    /// As [`Self::ticket_proved`], for a follower who sends the code that the page shows. Wrong codes of one follower are
    /// counted.
    ///
    /// # Errors
    /// [`Code::ShortCodeUnknown`], also for a message that is no code; [`Code::TooOften`]; as [`Self::ticket_proved`].
    #[boxed]
    pub async fn ticket_proved_by_short_code(
        &self,
        connection: &Arc<Connection>,
        message: &str,
        proof: Proof,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let code = read_short_code(message).ok_or(Code::ShortCodeUnknown)?;
        // The address is WeChat's, so that followers are told apart by who they are.
        let follower = format!("{}\0{}", connection.id, proof.own.value);
        let follower = hex::encode(self.sealing.mac("qr_ticket:follower", follower.as_bytes()));
        let guard = Limit {
            name: format!("short_code:{follower}"),
            most: self.limits.short_code_tries,
            window: self.limits.guess_window,
        };
        let code = self.short_code_hash(connection, &code);
        let unit = FindShortCode { code, guards: vec![guard], now: self.now() };
        match self.write(unit).await? {
            FoundShortCode::Ticket(ticket) if ticket.connection.as_ref() == Some(&connection.id) => {
                self.confirm_proved(connection, &ticket, proof, origin).await
            }
            FoundShortCode::Ticket(_) | FoundShortCode::Nothing => Err(Code::ShortCodeUnknown.into()),
            FoundShortCode::TooOften => Err(self.too_many_codes()),
        }
    }

    pub(super) async fn fail_ticket(&self, ticket: &Ticket, why: Code) -> Result<(), Refusal> {
        let failure = Some(i64::from(why.number()));
        let advance = Advance { failure, ..self.advance(ticket, TicketState::Failed) };
        self.advance_ticket(advance).await.map(drop)
    }

    async fn confirm_proved(
        &self,
        connection: &Arc<Connection>,
        ticket: &Ticket,
        proof: Proof,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let config = self.config();
        let application = config.application_or(ticket.application.as_str(), Code::QrCodeUnknown)?;
        let (pool, rules) = (ticket.pool.clone(), self.rules(application, connection));
        let resolver = AccountResolver { pool, proof: proof.clone(), rules };
        if let Err(failure) = self.check_login_permitted(resolver).await {
            let refusal = self.refuse_source_login(application, connection, origin, failure).await;
            // What failed here says nothing of the person: whoever told of the scan tells again.
            if !refusal.code().is_internal() {
                // The refusal of the person counts, whatever else has become of the ticket meanwhile.
                let _ = self.fail_ticket(ticket, refusal.code()).await;
            }
            return Err(refusal);
        }
        let advance = self.advance(ticket, TicketState::Confirmed);
        let advance = self.with_proof(advance, ticket, proof).await?;
        self.advance_ticket(advance).await.map(drop)
    }

    /// The same with what was proved, and with name and picture for the browser.
    pub(super) async fn with_proof(
        &self,
        advance: Advance,
        ticket: &Ticket,
        proof: Proof,
    ) -> Result<Advance, Refusal> {
        let known = self.known_by(&ticket.pool, &proof).await?;
        let shown = ScannedBy::of(known.map_or_else(|| proof.profile.clone(), |user| user.profile));
        let proven = Proven { proof };
        Ok(Advance {
            proof: Some(self.seal_for(&ticket.hash, PROOF, &proven)?),
            shown: Some(self.seal_for(&ticket.hash, SHOWN, &shown)?),
            ..advance
        })
    }

    /// The account that this proof belongs to already.
    pub(crate) async fn known_by(
        &self,
        pool: &hufu_types::PoolId,
        proof: &Proof,
    ) -> Result<Option<User>, Refusal> {
        let keys = proof.ids().cloned().collect();
        self.read(super::unit::FindKnown { pool: pool.clone(), keys }).await
    }

    /// The ticket of a scene.
    pub(super) async fn ticket_of_scene(&self, scene: &str) -> Result<Ticket, Refusal> {
        let scene = scene.trim();
        if !is_scene(scene) {
            return Err(Code::QrCodeUnknown.into());
        }
        let found = self.read(GetTicketByScene(scene.to_owned())).await?;
        found.ok_or_else(|| Code::QrCodeUnknown.into())
    }

    /// The ticket of a scene, if it is one of this connection's.
    pub(super) async fn ticket_of(&self, connection: &Connection, scene: &str) -> Result<Ticket, Refusal> {
        let ticket = self.ticket_of_scene(scene).await?;
        let is_its = ticket.pool == connection.pool && ticket.connection.as_ref() == Some(&connection.id);
        if is_its { Ok(ticket) } else { Err(Code::QrCodeUnknown.into()) }
    }

    pub(super) fn advance(&self, ticket: &Ticket, to: TicketState) -> Advance {
        let now = self.now();
        Advance {
            hash: ticket.hash.clone(),
            to,
            proof: None,
            over: ticket.progress.proof.clone(),
            shown: None,
            by: None,
            failure: None,
            confirmed_until: now.plus(self.config().settings(&ticket.pool).qr.ticket),
            now,
        }
    }

    pub(super) async fn advance_ticket(&self, unit: Advance) -> Result<TicketState, Refusal> {
        let hash = unit.hash.clone();
        match self.write(unit).await? {
            Advanced::Done(progress) => {
                self.tickets.note(self, &hash, &progress);
                Ok(progress.state)
            }
            Advanced::Unknown => Err(Code::QrCodeUnknown.into()),
            Advanced::Expired => Err(Code::QrCodeExpired.into()),
            Advanced::NotScanned => Err(Code::QrCodeNotScanned.into()),
            Advanced::Decided => Err(Code::QrCodeDecided.into()),
            Advanced::OfAnother => Err(Code::QrCodeOfAnother.into()),
        }
    }
}

impl ScannedBy {
    fn of(profile: Profile) -> Self {
        Self { nickname: profile.nickname, photo: profile.photo }
    }
}
