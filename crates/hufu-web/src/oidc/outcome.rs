//! What the browser gets next in an authorization request: a page of ours, or the response to the client.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hufu_app::Refusal;
use hufu_app::authorization::{AuthorizationResponse, Next, OpenRequest};
use hufu_types::{ResponseMode, origin_of};

use super::social;
use crate::page::{Asset, Page, Policy, View, Viewer, respond as page};
use crate::server::Shared;

/// Submits the form of a `form_post` page, or sends the message of a `web_message` page.
pub static SENDS_ITSELF: Asset = Asset::script("response", &[include_str!("../../assets/response.js")]);

/// The browser's next step.
///
/// # Errors
/// The request cannot be sealed.
pub fn next(shared: &Shared, viewer: &Viewer, open: &OpenRequest, next: Next) -> Result<Response, Refusal> {
    Ok(match next {
        Next::Respond(response) => respond(viewer, &response),
        Next::LogIn => redirect(&page_of(shared, "/login", open)?),
        Next::LogInAsAnother => redirect(&format!("{}&another=not-listed", page_of(shared, "/login", open)?)),
        Next::Choose(_) => redirect(&page_of(shared, "/accounts", open)?),
        Next::Consent { account, .. } => {
            let page = page_of(shared, "/consent", open)?;
            redirect(&format!("{page}&account={}", account.id().as_str()))
        }
        Next::Device(account) => {
            let page = page_of(shared, "/device/confirm", open)?;
            redirect(&format!("{page}&account={}", account.id().as_str()))
        }
        Next::Application(_) => to_application(shared, open),
        Next::Return(response) => social::respond(shared, viewer, *response)?,
    })
}

/// The address of a page that goes on with a request. The language that the client asked for goes along.
fn page_of(shared: &Shared, path: &str, open: &OpenRequest) -> Result<String, Refusal> {
    let sealed = shared.app.seal_request(open)?;
    let mut address = format!("{path}?request={sealed}");
    if let Some(locales) = &open.request.ui_locales
        && let Ok(text) = serde_urlencoded::to_string([("ui_locales", locales)])
    {
        address = format!("{address}&{text}");
    }
    Ok(address)
}

/// A redirect that is fetched with GET, whatever the request was.
pub fn redirect(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => {
            let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, NO_STORE)];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        // Addresses are checked when they are configured.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// After a login that no application asked for: to the application, which may start a request of its own.
fn to_application(shared: &Shared, open: &OpenRequest) -> Response {
    let client = &open.application.client;
    match (&client.init_login_uri, client.redirect_uris.first()) {
        (Some(uri), _) => {
            // OpenID Connect Core section 4.
            let issuer = serde_urlencoded::to_string([("iss", shared.app.issuer())]).unwrap_or_default();
            let between = if uri.contains('?') { '&' } else { '?' };
            redirect(&format!("{uri}{between}{issuer}"))
        }
        (None, Some(uri)) => redirect(uri),
        (None, None) => redirect("/accounts"),
    }
}

/// The response to the client.
pub fn respond(viewer: &Viewer, response: &AuthorizationResponse) -> Response {
    match response.mode {
        ResponseMode::Query | ResponseMode::Fragment => redirect(&response.location()),
        ResponseMode::FormPost | ResponseMode::WebMessage => {
            let is_message = response.mode == ResponseMode::WebMessage;
            let origin = origin_of(&response.redirect_uri);
            page(&ResponsePage {
                view: viewer.at_own_address(),
                is_message,
                target: if is_message { origin.unwrap_or_default() } else { response.redirect_uri.clone() },
                parameters: response.parameters.clone(),
            })
        }
    }
}

/// The page that carries a response: a form that submits itself, or a message to the page that opened this one.
#[derive(Template)]
#[template(path = "response.html")]
struct ResponsePage {
    view: View,
    is_message: bool,
    /// Where the form is sent, or the origin that the message is for.
    target: String,
    parameters: Vec<(&'static str, String)>,
}

impl Page for ResponsePage {
    fn view(&self) -> &View {
        &self.view
    }

    fn policy(&self) -> Policy {
        let origin = if self.is_message { Some(self.target.clone()) } else { origin_of(&self.target) };
        let origin = || origin.clone().into_iter().collect();
        if self.is_message {
            // Published clients load it in a frame.
            return Policy { frame_ancestors: origin(), ..Policy::OWN };
        }
        Policy { form_origins: form_targets(&self.target), ..Policy::OWN }
    }
}

/// Where a form may lead whose answer goes to this redirect URI: browsers apply the policy to redirects as well, and
/// the application may send the browser on to another page of its own.
pub fn form_targets(redirect_uri: &str) -> Vec<String> {
    let scheme = redirect_uri.split_once(':').map(|(scheme, _)| format!("{scheme}:"));
    let own = match scheme.as_deref() {
        // Any port of this machine: it is the developer's.
        Some("http:") => origin_of(redirect_uri),
        _ => scheme,
    };
    let mut targets = vec!["https:".to_owned()];
    targets.extend(own.filter(|own| own != "https:"));
    targets
}
