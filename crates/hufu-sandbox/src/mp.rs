//! `/mp`, like `mp.weixin.qq.com`: the pictures of official accounts' QR codes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State as Extract};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::api::{Endpoint, execute, param};
use crate::picture::{self, Look};
use crate::reply::Label;
use crate::state::State;

pub(crate) const SHOW_QR_CODE: Endpoint = Endpoint { path: "/cgi-bin/showqrcode", label: Label::Page };

pub(crate) fn router() -> Router<Arc<State>> {
    Router::new().route("/mp/cgi-bin/showqrcode", get(show_qr_code))
}

/// Needs no token. The picture of an expired ticket is still a picture, but one of an unknown ticket is 404.
async fn show_qr_code(Extract(state): Extract<Arc<State>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let ticket = param(&query, "ticket").and_then(|sent| {
        // A plus sign that was not encoded has become a space.
        let sent = sent.replace(' ', "+");
        state.tickets.find(|ticket| ticket.ticket == sent)
    });
    let app = ticket.as_ref().and_then(|ticket| state.apps.at(ticket.app)).map(|app| Arc::clone(&app.id));
    execute(&state, &SHOW_QR_CODE, app, |_| {
        let picture = ticket.and_then(|ticket| picture::draw(&ticket.url, Look::default()));
        Ok(match picture {
            // WeChat's own label, which is no registered type.
            Some((_, bytes)) => ([(header::CONTENT_TYPE, "image/jpg")], bytes).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        })
    })
    .await
}
