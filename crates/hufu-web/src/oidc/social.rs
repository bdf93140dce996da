//! How a login returns to a published client that began it at a connection: `code`, `message` and `data`, in the query of
//! an address or in a message to the page that opened this window.

use askama::Template;
use axum::response::Response;
use hufu_app::Refusal;
use hufu_app::authorization::{SocialReceiver, SocialResponse, SocialResult};
use hufu_types::Language;
use hufu_types::refusal::Code;
use serde_json::{Value, json};

use super::outcome::{SENDS_ITSELF, redirect};
use crate::page::{Page, View, Viewer, respond as page};
use crate::server::Shared;
use crate::surface;

/// What the client reads.
struct Result {
    code: u32,
    message: String,
    /// Absent for a refusal: clients parse it wherever it is.
    data: Option<Value>,
    /// The refusal as other calls of these clients write it.
    envelope: Option<Value>,
}

/// The response to the client.
///
/// # Errors
/// This server has no surface for the published clients.
pub(super) fn respond(
    shared: &Shared,
    viewer: &Viewer,
    response: SocialResponse,
) -> std::result::Result<Response, Refusal> {
    let result = match response.result {
        SocialResult::User(user, identities, token) => {
            let write = shared.settings.user_object;
            let write = write.ok_or_else(|| Code::Internal.because("no surface writes users"))?;
            Result::done(write(*user, identities, &token))
        }
        SocialResult::Ticket(ticket) => Result::done(json!({ "ticket": ticket.expose() })),
        SocialResult::Refused(refusal) => Result::refused(&refusal, viewer),
    };
    Ok(match response.to {
        SocialReceiver::Address(address) => redirect(&result.in_query(&address)),
        SocialReceiver::Opener(origins) => page(&ReturnedPage {
            view: viewer.at_own_address(),
            origins: origins.join(" "),
            message: result.as_message().to_string(),
        }),
    })
}

impl Result {
    fn done(data: Value) -> Self {
        Self { code: 200, message: "OK".to_owned(), data: Some(data), envelope: None }
    }

    fn refused(refusal: &Refusal, viewer: &Viewer) -> Self {
        surface::note(refusal);
        let (code, status) = (refusal.number(), surface::status_of(refusal.code()).as_u16());
        let message = said(refusal, viewer.language());
        let envelope = json!({
            "code": code,
            "statusCode": status,
            "apiCode": code,
            "message": message,
            "requestId": viewer.request_id(),
        });
        Self { code, message, data: None, envelope: Some(envelope) }
    }

    fn in_query(&self, address: &str) -> String {
        let mut pairs = vec![("code", self.code.to_string()), ("message", self.message.clone())];
        pairs.extend(self.data.as_ref().map(|data| ("data", data.to_string())));
        let query = serde_urlencoded::to_string(pairs).unwrap_or_default();
        let between = if address.contains('?') { '&' } else { '?' };
        format!("{address}{between}{query}")
    }

    fn as_message(&self) -> Value {
        // Clients go on with a login that waits by what stands in the text of a refusal.
        let message = self.envelope.as_ref().map_or_else(|| self.message.clone(), Value::to_string);
        let mut sent = json!({
            "code": self.code,
            "message": message,
            "event": { "source": "authing", "eventType": "socialLogin" },
        });
        if let (Some(data), Some(sent)) = (&self.data, sent.as_object_mut()) {
            sent.insert("data".to_owned(), data.clone());
        }
        sent
    }
}

/// The page that sends the message.
#[derive(Template)]
#[template(path = "returned.html")]
struct ReturnedPage {
    view: View,
    /// The origins that may receive it, separated by spaces.
    origins: String,
    message: String,
}

impl Page for ReturnedPage {
    fn view(&self) -> &View {
        &self.view
    }
}

/// What is wrong and what to do, since the page that shows it may have nothing else.
fn said(refusal: &Refusal, language: Language) -> String {
    let advice = refusal.for_person(language);
    let between = if language == Language::English { " " } else { "" };
    std::iter::once(advice.sentence).chain(advice.actions).collect::<Vec<_>>().join(between)
}
