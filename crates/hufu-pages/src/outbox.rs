//! The development outbox: messages that are kept instead of sent, as a page and as JSON. `hufu serve` has no
//! outbox. It answers to its own machine alone, also where `hufu dev` may be reached from others.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use hufu_app::connect::Outbox;
use hufu_app::connect::outbox::{Channel, Message};
use hufu_types::Refusal;
use hufu_types::refusal::Code;
use hufu_web::page::{Asset, Page, View, Viewer, refused_page, respond, routes_of};
use hufu_web::request::Head;
use hufu_web::server::Routes;
use hufu_web::surface::{Answer, private_json};

use crate::{DEV, TEXTS, is_near};

static STYLES: Asset = Asset::css("outbox", &[include_str!("../assets/outbox.css")]);
static SCRIPT: Asset = Asset::script("outbox", &[hufu_html::SCRIPT, include_str!("../assets/outbox.js")]);

/// The page, its messages as JSON, and its assets.
pub fn routes(outbox: Outbox) -> Routes {
    let shown = outbox.clone();
    Routes::new()
        .route("/dev/outbox", get(async move |head: Head, viewer: Viewer| page(&shown, &head, &viewer)))
        .route("/dev/outbox.json", get(async move |head: Head| list(&outbox, &head)))
        .merge(routes_of(&[&DEV, &STYLES, &SCRIPT]))
}

/// The page of the messages, newest first.
#[derive(Template)]
#[template(path = "outbox.html")]
struct OutboxPage {
    view: View,
    messages: Vec<Message>,
}

impl Page for OutboxPage {
    fn view(&self) -> &View {
        &self.view
    }
}

impl OutboxPage {
    fn newest(&self) -> u64 {
        self.messages.first().map_or(0, |message| message.number)
    }

    /// The icon and the text key of a message's channel.
    fn channel(message: &Message) -> (&'static str, &'static str) {
        match message.channel {
            Channel::Email => ("mail", "outbox-email"),
            Channel::Sms => ("phone", "outbox-sms"),
        }
    }
}

/// The messages, which have codes to log in with, for whoever runs this.
fn messages(outbox: &Outbox, head: &Head) -> Result<Vec<Message>, Refusal> {
    if is_near(head) { Ok(outbox.list()) } else { Err(Code::ForeignMachine.into()) }
}

fn page(outbox: &Outbox, head: &Head, viewer: &Viewer) -> Response {
    match messages(outbox, head) {
        Ok(messages) => respond(&OutboxPage { view: viewer.view(&TEXTS), messages }),
        Err(refusal) => refused_page(&refusal, viewer),
    }
}

fn list(outbox: &Outbox, head: &Head) -> Answer<Response> {
    Ok(private_json(StatusCode::OK, &messages(outbox, head)?))
}
