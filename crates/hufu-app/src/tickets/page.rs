//! The QR code of a hosted page, which belongs to the browser's cookie.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::qr_tickets::GetTicket;
use hufu_types::refusal::Code;
use hufu_types::{Application, Connection};

use super::secrets::hash_of_secret;
use super::{SHOWN, ScannedBy, TicketView};
use crate::{App, Origin, Refusal};

/// The QR code that a hosted page shows.
#[derive(Clone, Debug)]
pub struct PageTicket {
    /// How far it has come.
    pub view: TicketView,
    /// What stands in the picture.
    pub scene: String,
    /// The code that a follower types.
    pub short_code: Option<String>,
}

impl App {
    /// The QR code of a hosted page, by the secret in its address.
    ///
    /// # Errors
    /// [`Code::QrCodeUnknown`], also for the code of another application or connection;
    /// [`Code::LoginTicketElsewhere`] for that of another browser.
    #[boxed]
    pub async fn page_ticket(
        &self,
        application: &Arc<Application>,
        connection: &Connection,
        secret: &str,
        origin: &Origin,
    ) -> Result<PageTicket, Refusal> {
        let found = self.read(GetTicket(hash_of_secret(secret))).await?.ok_or(Code::QrCodeUnknown)?;
        if found.application != application.id || found.connection.as_ref() != Some(&connection.id) {
            return Err(Code::QrCodeUnknown.into());
        }
        let is_own = found.cookie.as_deref().zip(origin.browser.as_ref());
        if !is_own.is_some_and(|(of_ticket, own)| own.matches(of_ticket)) {
            return Err(Code::LoginTicketElsewhere.into());
        }
        let shown = found.progress.shown.as_deref();
        let shown: Option<ScannedBy> = shown.and_then(|sealed| self.open_of(&found.hash, SHOWN, sealed).ok());
        let failure = found.progress.failure.and_then(|number| u32::try_from(number).ok());
        let view = TicketView {
            state: found.progress.state,
            has_expired: found.progress.expires_at <= self.now(),
            scanned_by: shown.map(Arc::new),
            failure,
            expires_at: found.progress.expires_at,
            is_kept: true,
        };
        let short_code = self.details_of(&found)?.short_code;
        Ok(PageTicket { view, scene: found.scene.ok_or(Code::QrCodeUnknown)?, short_code })
    }
}
