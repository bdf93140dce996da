//! The units of work of tickets: they are stored, found by a short code, advanced by a phone, and taken by a browser.

use hufu_store::qr_tickets::{self, NewTicket, Progress, Ticket};
use hufu_store::rates::{self, Limit};
use hufu_store::{Read, StoreError, Tx, Write, users};
use hufu_types::{
    ApplicationId, IdentityKey, IdpUserInfo, PoolId, SessionId, TicketKind, TicketState, Timestamp,
    TokenHash, User, UserId,
};

/// Stores a ticket.
pub struct IssueTicket {
    /// The pool.
    pub pool: PoolId,
    /// The ticket, each time with another short code.
    pub tickets: Vec<NewTicket>,
    /// The buckets that it counts in.
    pub guards: Vec<Limit>,
    /// The current time.
    pub now: Timestamp,
}

/// The outcome of [`IssueTicket`].
#[derive(Clone, Debug)]
pub enum TicketIssued {
    /// The ticket at this place was stored.
    At(usize),
    /// This bucket is full.
    TooOften(Limit),
    /// All short codes are taken.
    NoneFree,
}

impl Write for IssueTicket {
    type Out = TicketIssued;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<TicketIssued, StoreError> {
        if let Some(full) = rates::admit(tx, &self.guards, self.now).await? {
            return Ok(TicketIssued::TooOften(full.clone()));
        }
        for (place, ticket) in self.tickets.iter().enumerate() {
            if qr_tickets::insert(tx, &self.pool, ticket).await? {
                return Ok(TicketIssued::At(place));
            }
        }
        Ok(TicketIssued::NoneFree)
    }
}

/// Finds the ticket of a short code, and counts the try.
pub struct FindShortCode {
    /// The keyed hash of the code.
    pub code: TokenHash,
    /// The buckets for wrong ones.
    pub guards: Vec<Limit>,
    /// The current time.
    pub now: Timestamp,
}

/// The outcome of [`FindShortCode`].
#[derive(Debug)]
pub enum FoundShortCode {
    /// The ticket.
    Ticket(Box<Ticket>),
    /// There is none.
    Nothing,
    /// It was not looked at: too many wrong ones came from there.
    TooOften,
}

impl Write for FindShortCode {
    type Out = FoundShortCode;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<FoundShortCode, StoreError> {
        if rates::admit(tx, &self.guards, self.now).await?.is_some() {
            return Ok(FoundShortCode::TooOften);
        }
        let Some(ticket) = qr_tickets::by_short_code(tx, &self.code, self.now).await? else {
            return Ok(FoundShortCode::Nothing);
        };
        rates::refund(tx, &self.guards, self.now).await?;
        Ok(FoundShortCode::Ticket(Box::new(ticket)))
    }
}

/// Finds the account that has one of these ids.
pub(super) struct FindKnown {
    pub(super) pool: PoolId,
    pub(super) keys: Vec<IdentityKey>,
}

impl Read for FindKnown {
    type Out = Option<User>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        for key in &self.keys {
            if let Some(found) = users::by_identity(tx, &self.pool, key, &IdpUserInfo::default()).await? {
                return users::survivor(tx, found.user).await.map(Some);
            }
        }
        Ok(None)
    }
}

/// Takes a ticket one step further, for a phone.
#[derive(Clone)]
pub struct Advance {
    /// The ticket.
    pub hash: TokenHash,
    /// What becomes of it.
    pub to: TicketState,
    /// What the phone proved, sealed. What was proved before stays where there is nothing.
    pub proof: Option<Vec<u8>>,
    /// What had been proved when this was decided, as it is stored. Nothing else is replaced by a scan.
    pub over: Option<Vec<u8>>,
    /// Who it was, for the browser, sealed. The same.
    pub shown: Option<Vec<u8>>,
    /// Who does it, in the pool's own app: the one who scans, and nobody else after that.
    pub by: Option<(UserId, SessionId)>,
    /// The number of the refusal, if it failed.
    pub failure: Option<i64>,
    /// Until when the browser may log in, if the ticket is confirmed.
    pub confirmed_until: Timestamp,
    /// The current time.
    pub now: Timestamp,
}

/// The outcome of [`Advance`].
#[derive(Clone)]
pub enum Advanced {
    /// It has come so far.
    Done(Progress),
    /// There is no such ticket.
    Unknown,
    /// It has expired.
    Expired,
    /// It has to be scanned first.
    NotScanned,
    /// It was decided before.
    Decided,
    /// Somebody else has scanned it.
    OfAnother,
}

impl std::fmt::Debug for Advanced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Done(_) => "Done",
            Self::Unknown => "Unknown",
            Self::Expired => "Expired",
            Self::NotScanned => "NotScanned",
            Self::Decided => "Decided",
            Self::OfAnother => "OfAnother",
        })
    }
}

impl Write for Advance {
    type Out = Advanced;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Advanced, StoreError> {
        let Some(ticket) = qr_tickets::get_locked(tx, &self.hash).await? else {
            return Ok(Advanced::Unknown);
        };
        let before = ticket.progress;
        if before.state.is_final() {
            return Ok(Advanced::Decided);
        }
        if before.expires_at <= self.now {
            return Ok(Advanced::Expired);
        }
        // An official account tells of scan and person at once.
        let is_at_once = ticket.kind == TicketKind::OfficialAccount && self.to == TicketState::Confirmed;
        if !before.state.leads_to(self.to) && !is_at_once {
            return Ok(Advanced::NotScanned);
        }
        let by = self.by.as_ref().map(|(user, _)| user);
        if before.user.is_some() && before.user.as_ref() != by {
            return Ok(Advanced::OfAnother);
        }
        // Whoever scans second does not become the one who logs in.
        let is_again = before.state == TicketState::Scanned && self.to == TicketState::Scanned;
        if is_again && self.by.is_none() && before.proof != self.over {
            return Ok(Advanced::OfAnother);
        }
        let (user, session) = self.by.clone().unzip();
        let progress = Progress {
            state: self.to,
            proof: self.proof.clone().or(before.proof),
            shown: self.shown.clone().or(before.shown),
            user: user.or(before.user),
            session: session.or(before.session),
            failure: self.failure,
            expires_at: match self.to {
                TicketState::Confirmed => self.confirmed_until,
                _ => before.expires_at,
            },
        };
        qr_tickets::set(tx, &ticket.pool, &self.hash, &progress).await?;
        Ok(Advanced::Done(progress))
    }
}

/// A confirmed ticket that a browser wants to log in with, which can be done once.
#[derive(Clone, Debug)]
pub struct TakeTicket {
    /// The ticket.
    pub hash: TokenHash,
    /// The application that the browser logs in to, if it says.
    pub application: Option<ApplicationId>,
    /// The hash of the browser's cookie, on a hosted page.
    pub cookie: Option<TokenHash>,
    /// Whether it is to bind an identity. Otherwise it is to log in, and neither is good for the other.
    pub binds: bool,
    /// The current time.
    pub now: Timestamp,
}

/// Why a ticket cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It is unknown, not confirmed, used or expired, or for another application.
    Invalid,
    /// It belongs to another browser.
    Elsewhere,
}

impl TakeTicket {
    /// Whether this browser may take the ticket now.
    pub(super) fn may_take(&self, ticket: &Ticket) -> Result<(), NotTaken> {
        if self.application.as_ref().is_some_and(|application| *application != ticket.application) {
            return Err(NotTaken::Invalid);
        }
        if self.binds != (ticket.kind == TicketKind::Binding) {
            return Err(NotTaken::Invalid);
        }
        let is_own = match (&ticket.cookie, &self.cookie) {
            (Some(of_ticket), Some(own)) => own.matches(of_ticket),
            (None, None) => true,
            _ => false,
        };
        if !is_own {
            return Err(NotTaken::Elsewhere);
        }
        if ticket.progress.state != TicketState::Confirmed || ticket.progress.expires_at <= self.now {
            return Err(NotTaken::Invalid);
        }
        Ok(())
    }
}

/// Uses a ticket up, and does what it was for, in one transaction: a node that dies leaves both undone. `U` is a unit that
/// logs in. What it refuses uses the ticket up as well.
#[derive(Clone, Debug)]
pub struct TakeAnd<U> {
    /// The ticket.
    pub take: TakeTicket,
    /// The login.
    pub then: U,
}

impl<U: Write> Write for TakeAnd<U> {
    type Out = Result<U::Out, NotTaken>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let Some(ticket) = qr_tickets::get_locked(tx, &self.take.hash).await? else {
            return Ok(Err(NotTaken::Invalid));
        };
        if let Err(why) = self.take.may_take(&ticket) {
            return Ok(Err(why));
        }
        let used = Progress { state: TicketState::Consumed, proof: None, ..ticket.progress };
        qr_tickets::set(tx, &ticket.pool, &self.take.hash, &used).await?;
        self.then.run(tx).await.map(Ok)
    }
}
