//! Refusals, paths that do not exist and defects, as a page: what happened, what to do, and the request's id.

use std::sync::LazyLock;

use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::{Page, Texts, View, Viewer, respond};
use crate::server::State;

/// Why there is no answer but this page.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// A refusal: its sentence for the person who reads it.
    Refused(String),
}

/// A refusal on its way to whoever asked. As an extension of a response it becomes a page where a browser asks; every
/// other client gets the response itself.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// With a code of docs/errors.md.
    #[must_use]
    pub fn with_code(self, code: u32) -> Self {
        Self { code, ..self }
    }

    /// The page.
    pub fn page(&self, viewer: &Viewer) -> Response {
        static NONE: LazyLock<Texts> = LazyLock::new(|| Texts::new([""; 4]));
        let page = RefusedPage { view: viewer.view(&NONE), refused: self };
        (self.status, respond(&page)).into_response()
    }

    /// The response, marked with what it refuses.
    pub fn mark(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage<'r> {
    view: View,
    refused: &'r Refused,
}

impl Page for RefusedPage<'_> {
    fn view(&self) -> &View {
        &self.view
    }
}

impl RefusedPage<'_> {
    /// The icon, the key of the texts, and how many things there are to do.
    const fn kind(&self) -> (&'static str, &'static str, u8) {
        match self.refused.cause {
            Cause::NotFound => ("search", "refused-not-found", 2),
            Cause::NotForLooking => ("lock", "refused-not-for-looking", 1),
            Cause::Broken => ("alert", "refused-broken", 1),
            Cause::ForeignHost => ("lock", "refused-foreign-host", 1),
            Cause::FormFromElsewhere => ("clock", "refused-form", 2),
            Cause::FormTooLarge => ("document", "refused-form-too-large", 1),
            Cause::FormUnreadable => ("document", "refused-form-unreadable", 1),
            Cause::Refused(_) => ("info", "refused-other", 1),
        }
    }

    fn title(&self) -> String {
        self.view.t_of(self.kind().1, "title")
    }

    fn sentence(&self) -> String {
        match &self.refused.cause {
            Cause::Refused(sentence) => sentence.clone(),
            _ => self.view.t_of(self.kind().1, "text"),
        }
    }

    fn steps(&self) -> Vec<String> {
        let (_, key, number) = self.kind();
        (1..=number).map(|step| self.view.t_of(key, &format!("do-{step}"))).collect()
    }

    /// Whether asking again may help.
    fn may_retry(&self) -> bool {
        self.refused.cause == Cause::Broken
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
    let by_status = || {
        let not_allowed = response.status() == StatusCode::METHOD_NOT_ALLOWED;
        not_allowed.then(|| Refused::new(response.status(), Cause::NotForLooking))
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
