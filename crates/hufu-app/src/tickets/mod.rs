//! Logins by QR code. A browser asks for a ticket and shows its picture; a phone scans that and proves who its person is;
//! the browser logs in.
//!
//! The phone only *proves*. The login is the browser's: with its address, for what it asked, by the engine of every other
//! login, so that refusals, logins that wait, binding and consent are as everywhere. Any node issues a ticket, another
//! one hears of the phone, a third serves the browser.
//!
//! A ticket has two names. The *secret* is the browser's: it alone reads the state, and what it logs in with is derived
//! from it. The *scene* stands in the picture, where everybody can read it, and yields nothing. A ticket that a hosted
//! page made is bound to the browser's cookie as well.
//!
//! Reading order: `issue`, `phone` (what a phone does; `mini_program` is the login
//! mini program's part), `binding` (codes that log nobody in), `picture`, `take` (the browser logs in), `unit` (the units of work of all
//! three), `watch` (how the browsers that wait on a node learn what happened elsewhere; `streams`:
//! how many of them may).

mod binding;
mod issue;
mod mini_program;
mod page;
mod phone;
pub(crate) mod picture;
mod secrets;
mod streams;
mod take;
pub(crate) mod unit;
pub(crate) mod watch;

use hufu_store::qr_tickets::Ticket;
use hufu_types::{OpaqueToken, Proof, ScopeSet, TicketState, Timestamp, TokenHash, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use issue::{IssuedTicket, TicketRequest};
pub use mini_program::{Granted, LaunchParams};
pub use page::PageTicket;
pub use phone::TicketOrder;
pub use picture::QrPicture;
pub use unit::{
    Advance, Advanced, FindShortCode, FoundShortCode, IssueTicket, NotTaken, TakeAnd, TakeTicket,
    TicketIssued,
};
pub use watch::TicketWatch;

/// Whether a message can be the short code of a ticket.
pub(crate) fn is_short_code(message: &str) -> bool {
    secrets::read_short_code(message).is_some()
}

use crate::{App, Refusal};

/// What a browser sends along when it asks for a QR code. It is stored sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Details {
    /// Custom data for the account, stored with the login.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) custom_data: Map<String, Value>,
    /// The code that a follower types, as the page shows it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) short_code: Option<String>,
    /// The account that is to get what is proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<UserId>,
    /// When the ticket was made.
    pub(crate) created_at: Timestamp,
}

/// What a phone proved. It is stored sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Proven {
    pub(crate) proof: Proof,
}

/// What the token grants that somebody confirms with in the pool's own app. It is stored sealed, in the place of a proof.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Lent {
    /// `None` for a user token, which grants everything.
    pub(crate) scope: Option<ScopeSet>,
}

/// Who scanned a QR code, as the browser shows them. It is stored sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScannedBy {
    /// The nickname.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// The address of the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo: Option<String>,
}

/// How far a ticket has come, for the browser that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketView {
    /// What became of it.
    pub state: TicketState,
    /// Whether its time is over. Then the state counts no more.
    pub has_expired: bool,
    /// Who scanned it.
    pub scanned_by: Option<std::sync::Arc<ScannedBy>>,
    /// The number of the refusal, if it failed.
    pub failure: Option<u32>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Whether nobody is told what to log in with: it belongs to a hosted page, and logs in there, or it binds.
    pub is_kept: bool,
}

impl TicketView {
    /// Whether nothing comes after it.
    pub fn is_final(&self) -> bool {
        self.has_expired || self.state.is_final()
    }
}

impl App {
    /// What a browser logs in with once the ticket of this secret is confirmed.
    pub fn login_ticket(&self, secret: &str) -> OpaqueToken {
        secrets::ticket_of(secret)
    }

    fn seal_for<T: Serialize>(&self, hash: &TokenHash, what: &str, value: &T) -> Result<Vec<u8>, Refusal> {
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(value).map_err(Refusal::internal)?);
        Ok(self.sealing.seal(&*self.random, &context(hash, what), &plain))
    }

    fn open_of<T: for<'de> Deserialize<'de>>(
        &self,
        hash: &TokenHash,
        what: &str,
        sealed: &[u8],
    ) -> Result<T, Refusal> {
        let opened = self.sealing.open(&context(hash, what), sealed).map_err(Refusal::internal)?;
        serde_json::from_slice(opened.expose()).map_err(Refusal::internal)
    }

    fn details_of(&self, ticket: &Ticket) -> Result<Details, Refusal> {
        self.open_of(&ticket.hash, DETAILS, &ticket.details)
    }

    fn proven_of(&self, ticket: &Ticket) -> Result<Option<Proven>, Refusal> {
        ticket.progress.proof.as_deref().map(|sealed| self.open_of(&ticket.hash, PROOF, sealed)).transpose()
    }
}

const DETAILS: &str = "details";
const PROOF: &str = "proof";
const SHOWN: &str = "shown";

/// What a sealed part of a ticket is bound to.
fn context(hash: &TokenHash, what: &str) -> String {
    format!("qr_ticket:{}:{what}", hex::encode(hash.as_bytes()))
}
