//! A browser asks for a QR code.

use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use hufu_store::qr_tickets::NewTicket;
use hufu_store::rates::Limit;
use hufu_types::refusal::Code;
use hufu_types::{
    Application, Connection, OpaqueToken, TicketKind, Timestamp, TokenHash, TokenPurpose, UserId,
};
use serde_json::{Map, Value};

use super::secrets::{hash_of_secret, new_scene, new_short_code};
use super::unit::{IssueTicket, TicketIssued};
use super::{DETAILS, Details};
use crate::address::network_of;
use crate::people::profile::Excess;
use crate::sources::wechat::{log_refusal, mini_program_scan};
use crate::{App, Origin, Refusal, sources};

/// How many short codes are tried until one is free. There are 100,000,000 for each connection.
const CANDIDATES: usize = 4;

/// What a browser asks for.
#[derive(Clone, Debug)]
pub struct TicketRequest {
    /// The application to log in to.
    pub application: Arc<Application>,
    /// The connection that shows the code. `None`: the pool's own app scans it.
    pub connection: Option<Arc<Connection>>,
    /// Custom data for the account.
    pub custom_data: Map<String, Value>,
    /// The account that is to get the WeChat of whoever scans the code. `None`: the code is a login.
    pub owner: Option<UserId>,
    /// Where the request comes from. With the mark of a browser the ticket belongs to a hosted page.
    pub origin: Origin,
}

/// A new ticket. `Debug` does not show the secret.
pub struct IssuedTicket {
    /// The secret of the browser.
    pub secret: OpaqueToken,
    /// What stands in the picture.
    pub scene: String,
    /// The code that a follower types.
    pub short_code: Option<String>,
    /// How long it can be scanned and confirmed.
    pub life: Duration,
    /// When it was made.
    pub created_at: Timestamp,
    /// The picture that published login components show in the middle of the code.
    pub logo: Option<String>,
}

impl std::fmt::Debug for IssuedTicket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedTicket").field("life", &self.life).finish_non_exhaustive()
    }
}

impl App {
    /// Issues the ticket of a QR code.
    ///
    /// # Errors
    /// [`Code::TooOften`]; [`Code::ConnectionUnavailable`]; [`Code::Invalid`] for custom data that the pool does not take;
    /// [`Code::ConnectionWithoutQrCode`]; what WeChat refuses, if it draws the picture.
    #[boxed]
    pub async fn issue_ticket(&self, request: TicketRequest) -> Result<IssuedTicket, Refusal> {
        let TicketRequest { application, connection, custom_data, owner, origin } = request;
        let (kind, has_short_code) = match connection.as_deref() {
            None => (TicketKind::App, false),
            Some(connection) => {
                let without =
                    || Code::ConnectionWithoutQrCode.with("connection", connection.identifier.to_string());
                let codes = sources::qr_codes(connection.kind).ok_or_else(without)?;
                (codes.scanned_by, (codes.has_short_codes)(connection))
            }
        };
        let kind = if owner.is_some() { TicketKind::Binding } else { kind };
        let pool = &application.pool;
        // What is refused at the login is better refused now.
        if let Some(connection) = &connection {
            self.require_available(connection)?;
        }
        self.check_ticket_data(&custom_data)?;
        self.custom_data_patch(pool, custom_data.clone())?;
        let (now, life) = (self.now(), self.config().settings(pool).qr.life);
        let secret = OpaqueToken::generate(TokenPurpose::QrCode, &*self.random);
        let hash = hash_of_secret(secret.expose());
        let scene = new_scene(&*self.random);
        let short_codes: Vec<Option<String>> = if has_short_code {
            (0..CANDIDATES).map(|_| Some(new_short_code(&*self.random))).collect()
        } else {
            vec![None]
        };
        let mut tickets = Vec::with_capacity(short_codes.len());
        for short_code in &short_codes {
            let details = Details {
                custom_data: custom_data.clone(),
                short_code: short_code.clone(),
                owner: owner.clone(),
                created_at: now,
            };
            tickets.push(NewTicket {
                hash: hash.clone(),
                scene: Some(scene.clone()),
                short_code: short_code
                    .as_deref()
                    .zip(connection.as_deref())
                    .map(|(code, connection)| self.short_code_hash(connection, code)),
                kind,
                application: application.id.clone(),
                connection: connection.as_ref().map(|connection| connection.id.clone()),
                cookie: origin.browser.clone(),
                details: self.seal_for(&hash, DETAILS, &details)?,
                created_at: now,
                expires_at: now.plus(life),
            });
        }
        let made_by_wechat = connection.as_deref().filter(|_| !has_short_code);
        let mut guards = self.code_guards(&origin);
        guards.extend(
            made_by_wechat.into_iter().flat_map(|connection| self.wechat_guards(connection, &origin)),
        );
        let place = self.store_ticket(&application, tickets, guards).await?;
        if let Some(connection) = made_by_wechat
            && let Err(refusal) = self.make_picture(connection, hash, (kind, &scene), life).await
        {
            log_refusal(&application, connection, &refusal);
            return Err(refusal);
        }
        let short_code = short_codes.into_iter().nth(place).flatten();
        let logo = connection.as_deref().and_then(mini_program_scan::logo).map(str::to_owned);
        Ok(IssuedTicket { secret, scene, short_code, life, created_at: now, logo })
    }

    /// Anybody may ask for a QR code, and what comes with it is stored: it is less than an account may have.
    fn check_ticket_data(&self, data: &Map<String, Value>) -> Result<(), Refusal> {
        let (keys, bytes) = (self.limits.qr_custom_keys, self.limits.qr_custom_data);
        if data.len() > keys {
            return Err(Excess::Keys(keys).into());
        }
        let size = serde_json::to_vec(data).map_err(Refusal::internal)?.len();
        if size > bytes { Err(Excess::Bytes(bytes).into()) } else { Ok(()) }
    }

    /// Stores the first of these whose short code is free. Returns its place.
    async fn store_ticket(
        &self,
        application: &Application,
        tickets: Vec<NewTicket>,
        guards: Vec<Limit>,
    ) -> Result<usize, Refusal> {
        let now = self.now();
        let unit = IssueTicket { pool: application.pool.clone(), tickets, guards, now };
        match self.write(unit).await? {
            TicketIssued::At(place) => Ok(place),
            TicketIssued::TooOften(full) => {
                Err(Code::TooOften.retry_after(full.wait(now)).because(format!("QR codes: {}", full.name)))
            }
            TicketIssued::NoneFree => Err(Code::Internal.because("no short code was free")),
        }
    }

    /// The bucket of the network for all QR codes.
    fn code_guards(&self, origin: &Origin) -> Vec<Limit> {
        let of_network = |ip| Limit {
            name: format!("qr_code:{}", network_of(ip)),
            most: self.limits.qr_codes_per_ip,
            window: self.limits.qr_code_window,
        };
        origin.ip.as_deref().map(of_network).into_iter().collect()
    }

    /// The buckets for those that cost a call to WeChat: of the network, and of the connection, whose owner has so many at
    /// WeChat.
    fn wechat_guards(&self, connection: &Connection, origin: &Origin) -> Vec<Limit> {
        let of_network = |ip| Limit {
            name: format!("qr_code_of_wechat:{}", network_of(ip)),
            most: self.limits.qr_wechat_codes_per_ip,
            window: self.limits.qr_code_window,
        };
        let of_connection = Limit {
            name: format!("qr_code_of_connection:{}", connection.id),
            most: self.limits.qr_wechat_codes_per_connection,
            window: self.limits.qr_connection_window,
        };
        origin.ip.as_deref().map(of_network).into_iter().chain([of_connection]).collect()
    }

    /// The keyed hash of a short code, which only followers of this connection send.
    pub(super) fn short_code_hash(&self, connection: &Connection, code: &str) -> TokenHash {
        let text = format!("{}\0{code}", connection.id);
        TokenHash(self.sealing.mac("qr_ticket:short_code", text.as_bytes()))
    }
}
