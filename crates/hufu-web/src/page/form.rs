//! Forms that browsers submit.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::response::Response;
use hufu_types::refusal::Code;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::refused;
use super::view::Viewer;
use crate::request::collect;
use crate::server::Shared;
use crate::surface;

/// A form of our own that this browser submitted. The extractor checks the length, the origin and the CSRF
/// token. It rejects the request with an error page.
#[derive(Debug)]
pub struct Submitted<T> {
    /// Who submitted it.
    pub viewer: Viewer,
    /// The submitted values.
    pub form: T,
}

/// The hidden field that carries the CSRF token; see `parts.html`.
#[derive(Deserialize)]
struct Token {
    form_token: String,
}

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Submitted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Ok(viewer) = Viewer::from_request_parts(&mut parts, shared).await;
        let refuse = |code: Code| {
            let refusal = code.into();
            surface::note(&refusal);
            refused::page(&refusal, &viewer)
        };
        if !viewer.sent_from_own_page(&parts.headers) {
            return Err(refuse(Code::FormExpired));
        }
        let bytes = match collect(&parts, body, shared.app.limits().body_bytes, shared).await {
            Ok(bytes) => bytes,
            Err(refusal) if refusal.is(Code::BodyTooLarge) => {
                return Err(refuse(Code::FormTooLarge));
            }
            Err(_) => return Err(refuse(Code::FormIncomplete)),
        };
        let token = serde_urlencoded::from_bytes(&bytes).map(|Token { form_token }| form_token);
        if !token.is_ok_and(|token| viewer.opens_form(parts.uri.path(), &token)) {
            return Err(refuse(Code::FormExpired));
        }
        match serde_urlencoded::from_bytes(&bytes) {
            Ok(form) => Ok(Self { viewer, form }),
            Err(_) => Err(refuse(Code::FormIncomplete)),
        }
    }
}
