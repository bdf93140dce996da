//! Refusals as a page: what happened, what to do, and the id of the request.

use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hufu_types::Refusal;
use hufu_types::refusal::Code;

use super::{Page, View, Viewer, respond};
use crate::server::Shared;
use crate::surface::{self, Refused};

/// Renders the page of a refusal.
pub(super) fn page(refusal: &Refusal, viewer: &Viewer) -> Response {
    of(refusal, viewer, viewer.is_at("/oidc/"))
}

/// The page of a refusal, with the OAuth error for whoever integrates the application.
pub fn refused_page(refusal: &Refusal, viewer: &Viewer) -> Response {
    surface::note(refusal);
    of(refusal, viewer, true)
}

fn of(refusal: &Refusal, viewer: &Viewer, names_error: bool) -> Response {
    let code = refusal.code();
    let (_, error) = surface::oauth_error(code);
    let advice = refusal.for_person(viewer.language());
    let page = RefusedPage {
        view: viewer.at_short_address().bare_view(),
        icon: icon(code),
        title: advice.title,
        sentence: advice.sentence,
        steps: advice.actions,
        may_retry: code.is_internal(),
        code: code.number(),
        error: names_error.then_some(error),
        detail: names_error.then(|| refusal.for_integrator(viewer.language())),
        detail_language: viewer.language().for_integrators().tag(),
    };
    surface::waiting((surface::status_of(code), respond(&page)).into_response(), refusal)
}

fn icon(code: Code) -> &'static str {
    match code {
        Code::PathUnknown | Code::NotServed => "search",
        Code::WrongMethod | Code::ForeignHost | Code::ForeignMachine => "lock",
        Code::FormExpired => "clock",
        Code::FormTooLarge | Code::FormIncomplete => "document",
        _ if code.is_internal() => "alert",
        _ => "info",
    }
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    view: View,
    icon: &'static str,
    title: String,
    sentence: String,
    steps: Vec<String>,
    /// Whether trying again may help.
    may_retry: bool,
    code: u32,
    /// The OAuth error, and what it means here, for whoever integrates the application.
    error: Option<&'static str>,
    detail: Option<String>,
    /// The language of that.
    detail_language: &'static str,
}

impl Page for RefusedPage {
    fn view(&self) -> &View {
        &self.view
    }
}

/// A request, and who reads its answer as a page, if a browser asks for one.
pub(crate) fn viewer_of(shared: &Shared, request: Request) -> (Request, Option<Viewer>) {
    if !asks_for_page(&request) {
        return (request, None);
    }
    let (parts, body) = request.into_parts();
    let viewer = Viewer::of(&parts, shared);
    (Request::from_parts(parts, body), Some(viewer))
}

/// Gives browsers an HTML page where other clients get JSON.
pub(crate) fn as_page(response: Response, viewer: Option<&Viewer>) -> Response {
    let Some(viewer) = viewer else { return response };
    // A handler returned a bare 404, such as for an image that is gone.
    let is_bare_404 =
        response.status() == StatusCode::NOT_FOUND && !response.headers().contains_key(header::CONTENT_TYPE);
    let refused = response.extensions().get::<Refused>().cloned();
    match refused.or_else(|| is_bare_404.then(|| Code::PathUnknown.into())) {
        Some(refused) => page(refused.refusal(), viewer),
        None => response,
    }
}

/// Paths that are never answered with a page, whatever the request accepts: only programs call them.
const FOR_PROGRAMS: [&str; 5] = ["/api/", "/admin/", "/graphql", "/oidc/token", "/oidc/.well-known/"];

/// Whether the response will be shown to a person in a browser.
fn asks_for_page(request: &Request) -> bool {
    let path = request.uri().path();
    matches!(*request.method(), Method::GET | Method::HEAD)
        && accepts_html(request.headers())
        && !FOR_PROGRAMS.iter().any(|start| path.starts_with(start))
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|list| list.split(',')).any(|range| range.trim().starts_with("text/html"))
}
