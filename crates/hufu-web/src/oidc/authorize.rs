//! `GET` and `POST /oidc/auth`: the authorization endpoint (OpenID Connect Core 3.1.2).

use axum::extract::{FromRequest as _, FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hufu_app::Refusal;
use hufu_app::authorization::{AuthorizationRefused, Given, Parameters};
use hufu_types::refusal::{Code, Reason};

use super::{browser, outcome};
use crate::page::{Viewer, refused_page};
use crate::request::{self, Head};
use crate::server::{self, Shared};

/// The request is in the query.
pub(crate) async fn by_query(
    State(shared): server::State,
    viewer: Viewer,
    head: Head,
    request: Request,
) -> Response {
    if request.method() == Method::HEAD {
        // Nothing is granted to somebody who does not read the answer.
        return StatusCode::OK.into_response();
    }
    let query = request.uri().query().unwrap_or_default();
    match serde_urlencoded::from_str(query) {
        Ok(list) => authorize(&shared, &viewer, &head, request.headers(), Parameters::new(list)).await,
        Err(_) => refused_page(&Refusal::invalid("query", Reason::WrongQuery), &viewer),
    }
}

/// The request is in a form.
pub(crate) async fn by_form(State(shared): server::State, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(viewer) = Viewer::from_request_parts(&mut parts, &shared).await;
    let Ok(head) = Head::from_request_parts(&mut parts, &shared).await;
    let headers = parts.headers.clone();
    let form = request::Parameters::from_request(Request::from_parts(parts, body), &shared).await;
    match form {
        Ok(request::Parameters(list)) => {
            authorize(&shared, &viewer, &head, &headers, Parameters::new(list)).await
        }
        Err(refused) => refused_page(refused.refusal(), &viewer),
    }
}

async fn authorize(
    shared: &Shared,
    viewer: &Viewer,
    head: &Head,
    headers: &HeaderMap,
    parameters: Parameters,
) -> Response {
    let open = match shared.app.authorization_request(parameters).await {
        Ok(open) => open,
        Err(AuthorizationRefused::Response(response)) => return outcome::respond(viewer, &response),
        Err(AuthorizationRefused::Page(refusal)) => {
            tracing::info!(code = refusal.number(), error = %refusal, "an authorization request is refused on a page");
            let mut page = refused_page(&as_oauth(refusal), viewer);
            // Whoever reads it did nothing that other credentials would mend.
            *page.status_mut() = StatusCode::BAD_REQUEST;
            return page;
        }
    };
    let browser = browser::read(headers, shared);
    let next = shared.app.authorize(&open, &browser, &Given::default(), &head.origin()).await;
    match next.and_then(|next| outcome::next(shared, viewer, &open, next)) {
        Ok(response) => response,
        Err(refusal) => refused_page(&refusal, viewer),
    }
}

/// An unknown application is an unknown client here.
fn as_oauth(refusal: Refusal) -> Refusal {
    if refusal.is(Code::ApplicationUnknown) { Code::ClientUnauthorized.because(refusal) } else { refusal }
}
