//! Refusals, paths that do not exist and defects, as a page: what happened, what to do, and the request's id.

use std::sync::Arc;

use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hufu_types::Refusal;

use super::{Page, View, Viewer, respond};
use crate::server::State;

/// Why there is no answer but this page.
#[derive(Clone, Debug)]
pub enum Cause {
    /// Nothing is at the address.
    NotFound,
    /// The address is there, but is not for looking at.
    NotForLooking,
    /// A defect of ours.
    Broken,
    /// A development server was asked by another name than this machine's own.
    ForeignHost,
    /// A form without the token of this browser, or sent by another site's page.
    FormFromElsewhere,
    /// A form that is longer than any of ours.
    FormTooLarge,
    /// A form that is not filled in as ours are.
    FormUnreadable,
    /// A refusal, which has its own sentences for people.
    Refused(Arc<Refusal>),
}

/// A refusal on its way to whoever asked. As an extension of a response it becomes a page where a browser asks; every
/// other client gets the response itself.
#[derive(Clone, Debug)]
pub struct Refused {
    status: StatusCode,
    /// The code in docs/errors.md, or the status.
    code: u32,
    cause: Cause,
}

impl Refused {
    /// With the status as its code.
    pub fn new(status: StatusCode, cause: Cause) -> Self {
        Self { status, code: u32::from(status.as_u16()), cause }
    }

    /// A refusal of the table.
    pub fn of(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.code().status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code: refusal.number(), cause: Cause::Refused(Arc::new(refusal)) }
    }

    /// The page.
    pub fn page(&self, viewer: &Viewer) -> Response {
        let view = viewer.bare_view();
        let (title, sentence, steps) = match &self.cause {
            Cause::Refused(refusal) => {
                let advice = refusal.for_person(viewer.language());
                (advice.title, advice.sentence, vec![advice.action])
            }
            cause => {
                let (key, number) = cause.texts();
                let steps = (1..=number).map(|step| view.t_of(key, &format!("do-{step}")));
                (view.t_of(key, "title"), view.t_of(key, "text"), steps.collect())
            }
        };
        let icon = self.cause.icon();
        let may_retry = matches!(self.cause, Cause::Broken);
        let page = RefusedPage { view, icon, title, sentence, steps, may_retry, code: self.code };
        (self.status, respond(&page)).into_response()
    }

    /// The response, marked with what it refuses.
    pub fn mark(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }
}

impl Cause {
    const fn icon(&self) -> &'static str {
        match self {
            Self::NotFound => "search",
            Self::NotForLooking | Self::ForeignHost => "lock",
            Self::Broken => "alert",
            Self::FormFromElsewhere => "clock",
            Self::FormTooLarge | Self::FormUnreadable => "document",
            Self::Refused(_) => "info",
        }
    }

    /// The key of the texts, and how many things there are to do.
    const fn texts(&self) -> (&'static str, u8) {
        match self {
            Self::NotFound => ("refused-not-found", 2),
            Self::NotForLooking => ("refused-not-for-looking", 1),
            Self::ForeignHost => ("refused-foreign-host", 1),
            Self::FormFromElsewhere => ("refused-form", 2),
            Self::FormTooLarge => ("refused-form-too-large", 1),
            Self::FormUnreadable => ("refused-form-unreadable", 1),
            // A refusal has its own.
            Self::Broken | Self::Refused(_) => ("refused-broken", 1),
        }
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
    /// Whether asking again may help.
    may_retry: bool,
    code: u32,
}

impl Page for RefusedPage {
    fn view(&self) -> &View {
        &self.view
    }
}

/// Answers browsers with pages where other clients get JSON.
pub(crate) async fn as_pages(shared: State, request: Request, next: Next) -> Response {
    if !asks_for_page(&request) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let viewer = Viewer::of(&parts, &shared.0);
    let response = next.run(Request::from_parts(parts, body)).await;
    let by_status = || match response.status() {
        status @ StatusCode::METHOD_NOT_ALLOWED => Some(Refused::new(status, Cause::NotForLooking)),
        // A handler that says no more than that: a picture that is gone.
        status @ StatusCode::NOT_FOUND if !response.headers().contains_key(header::CONTENT_TYPE) => {
            Some(Refused::new(status, Cause::NotFound))
        }
        _ => None,
    };
    match response.extensions().get::<Refused>().cloned().or_else(by_status) {
        Some(refused) => refused.page(&viewer),
        None => response,
    }
}

/// Paths that programs call, whatever they accept.
const FOR_PROGRAMS: [&str; 5] = ["/api/", "/admin/", "/graphql", "/oidc/token", "/oidc/.well-known/"];

/// Whether somebody wants to look at what comes back.
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
