//! The development outbox: messages that are kept instead of sent, as a page and as JSON. `hufu serve` has no
//! outbox.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use hufu_app::connect::Outbox;
use hufu_app::connect::outbox::{Channel, Message};
use hufu_web::page::{Asset, Page, View, Viewer, respond, routes_of};
use hufu_web::server::Routes;
use hufu_web::surface::private_json;

use crate::{DEV, TEXTS};

static STYLES: Asset = Asset::css("outbox", &[include_str!("../assets/outbox.css")]);
static SCRIPT: Asset = Asset::script("outbox", &[hufu_html::SCRIPT, include_str!("../assets/outbox.js")]);

/// The page, its messages as JSON, and its assets.
pub fn routes(outbox: Outbox) -> Routes {
    let shown = outbox.clone();
    Routes::new()
        .route("/dev/outbox", get(async move |viewer: Viewer| page(&shown, &viewer)))
        .route("/dev/outbox.json", get(async move || list(&outbox)))
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

fn page(outbox: &Outbox, viewer: &Viewer) -> Response {
    respond(&OutboxPage { view: viewer.view(&TEXTS), messages: outbox.list() })
}

fn list(outbox: &Outbox) -> Response {
    private_json(StatusCode::OK, &outbox.list())
}
