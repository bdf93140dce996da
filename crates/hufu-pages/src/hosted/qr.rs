//! The QR code of a connection as a tab of the login page. The page is opened again whenever something has become of the
//! code, and goes on with the login once a phone has confirmed it. The secret of the code is in the page's address; without
//! this browser's cookie it opens nothing.

use askama::Template;
use axum::response::Response;
use hufu_app::Refusal;
use hufu_app::tickets::{PageTicket, ScannedBy, TicketRequest};
use hufu_types::refusal::Code;
use hufu_types::{Connection, Identifier, TicketState};
use hufu_web::page::{Asset, View, routes_of};
use hufu_web::server::Routes;

use super::common::{Banner, Frame, Said, Visit, Words, in_frame, initial_of, show};
use super::connections::Ways;
use super::login::{self, Tab};

/// How codes look.
pub(super) static STYLES: Asset = Asset::css("qr", &[include_str!("../../assets/qr.css")]);
/// Waits for what becomes of a code.
pub(super) static SCRIPT: Asset = Asset::script("qr", &[include_str!("../../assets/qr.js")]);

/// The name in the page's address of the secret of its code.
pub(super) const SECRET: &str = "qr";
/// How often the page opens itself again without script, in seconds.
const REFRESH: u32 = 3;

pub(super) fn routes() -> Routes {
    routes_of(&[&STYLES, &SCRIPT])
}

#[derive(Template)]
#[template(path = "hosted/qr.html")]
struct QrPage {
    view: View,
    frame: Frame,
    title: String,
    banner: Option<Banner>,
    tabs: Vec<Tab>,
    /// The connection's name.
    connection: String,
    /// `created`, `scanned`, `expired`, `cancelled` or `failed`.
    state: &'static str,
    /// The number of the state in the events.
    status: i8,
    picture: String,
    short_code: Option<String>,
    /// Who scanned it.
    person: Option<Scanner>,
    /// Where events tell of changes, while something can change.
    events: Option<String>,
    /// For how many seconds it can be scanned and confirmed, and how many there are as a whole.
    left: u64,
    life: u64,
    /// How often the page opens itself again without script, in seconds.
    refresh: Option<u32>,
    /// This page with this code.
    next: String,
    /// This page with a new code.
    again: String,
    register: Option<String>,
    /// Through connections.
    ways: Ways,
}

struct Scanner {
    name: String,
    initial: String,
}

in_frame!(QrPage);

/// Opens the page: with a new code, or with the one that its address names.
pub(super) async fn open(visit: &Visit, identifier: &Identifier, words: &Words) -> Response {
    if visit.is_embedded {
        return super::connections::unseen();
    }
    match shown(visit, identifier, words).await {
        Ok(response) => response,
        Err(refusal) => login::refused(visit, &refusal),
    }
}

async fn shown(visit: &Visit, identifier: &Identifier, words: &Words) -> Result<Response, Refusal> {
    let (app, application) = (visit.app(), visit.application());
    let connection = app.config().qr_connection_called(application, identifier.as_str())?;
    let Some(secret) = words.get(SECRET) else { return new_code(visit, &connection).await };
    let ticket = match app.page_ticket(application, &connection, secret, &visit.origin).await {
        Ok(ticket) => ticket,
        // It is long over, or was made in another browser: this one gets its own.
        Err(refusal) if matches!(refusal.code(), Code::QrCodeUnknown | Code::LoginTicketElsewhere) => {
            return new_code(visit, &connection).await;
        }
        Err(refusal) => return Err(refusal),
    };
    if ticket.view.state == TicketState::Confirmed && !ticket.view.has_expired {
        let login = app.log_in_by_qr_code(application, secret, visit.requested(), &visit.origin).await;
        match login {
            // There was no box to tick, so it is as the login page has it at first.
            Ok(answer) => return visit.answer(answer, application.login.keep_signed_in).await,
            Err(refusal) if refusal.code().is_internal() => return Err(refusal),
            Err(refusal) => {
                let said = visit.refused(&refusal, &[]);
                return Ok(page(visit, &connection, secret, &ticket, "failed", said));
            }
        }
    }
    let (state, said) = match ticket.view.state {
        TicketState::Cancelled => ("cancelled", Said::default()),
        TicketState::Failed => {
            let number = ticket.view.failure.unwrap_or_default();
            let refusal = Refusal::new(Code::of_kept(number).unwrap_or(Code::LoginTicketInvalid));
            let said = visit.refused(&refusal, &[]);
            ("failed", Said { status: axum::http::StatusCode::OK, ..said })
        }
        _ if ticket.view.has_expired => ("expired", Said::default()),
        TicketState::Created => ("created", Said::default()),
        TicketState::Scanned => ("scanned", Said::default()),
        TicketState::Confirmed | TicketState::Consumed => ("expired", Said::default()),
    };
    Ok(page(visit, &connection, secret, &ticket, state, said))
}

async fn new_code(visit: &Visit, connection: &std::sync::Arc<Connection>) -> Result<Response, Refusal> {
    let request = TicketRequest {
        application: visit.application().clone(),
        connection: Some(connection.clone()),
        custom_data: serde_json::Map::new(),
        owner: None,
        origin: visit.origin.clone(),
    };
    let issued = visit.app().issue_ticket(request).await?;
    let secret = issued.secret.expose();
    let ticket = visit.app().page_ticket(visit.application(), connection, secret, &visit.origin).await?;
    let mut response = page(visit, connection, secret, &ticket, "created", Said::default());
    // There is no form, and this may be the first page that the browser sees: without its mark the code would be another's.
    visit.viewer.mark_browser(&mut response);
    Ok(response)
}

fn page(
    visit: &Visit,
    connection: &Connection,
    secret: &str,
    ticket: &PageTicket,
    state: &'static str,
    said: Said,
) -> Response {
    let method = ("method", connection.identifier.as_str());
    let (next, again) =
        (visit.address("/login", &[method, (SECRET, secret)]), visit.address("/login", &[method]));
    let waits = matches!(state, "created" | "scanned");
    let life = visit.app().config().settings(&visit.application().pool).qr.life;
    let ways = Ways::of(visit, true);
    let mut frame = visit.frame();
    frame.policy.img_origins.extend(ways.img_origins());
    let status = match state {
        "created" => 0,
        "scanned" => 1,
        "cancelled" => 3,
        "failed" => 5,
        _ => -1,
    };
    show(
        &QrPage {
            view: visit.view(&again),
            title: login::title(visit, &frame),
            frame,
            banner: said.banner,
            tabs: login::tabs(visit, connection.identifier.as_str()),
            connection: connection.display_name.clone(),
            state,
            status,
            picture: format!("/api/v2/qrcode/{}.png", ticket.scene),
            short_code: ticket.short_code.as_deref().map(spaced),
            person: ticket.view.scanned_by.as_deref().and_then(scanner),
            events: waits.then(|| format!("/api/v2/qrcode/events?random={secret}")),
            left: ticket.view.expires_at.since(visit.app().now()).as_secs().min(life.as_secs()),
            life: life.as_secs(),
            refresh: waits.then_some(REFRESH),
            next,
            again,
            register: visit.may_register().then(|| visit.address("/register", &[])),
            ways,
        },
        said.status,
    )
}

/// A code in two halves, as it is easier to read.
fn spaced(code: &str) -> String {
    let (first, second) = code.split_at_checked(code.len() / 2).unwrap_or((code, ""));
    format!("{first} {second}")
}

/// Who scanned the code. Their picture is not loaded: it is not ours.
fn scanner(by: &ScannedBy) -> Option<Scanner> {
    let name = by.nickname.clone().filter(|name| !name.trim().is_empty())?;
    Some(Scanner { initial: initial_of(&name), name })
}
