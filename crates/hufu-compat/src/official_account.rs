//! `/connections/social/{identifier}/{pool}/events`: what WeChat sends to the server of an official account, or what the
//! owner's own server forwards. An answer other than 200 makes WeChat send the message again.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hufu_app::official_account::{LARGEST_BODY, Pushed, Reply, Signed};
use hufu_types::refusal::Code;
use serde::Deserialize;

use crate::request::{Head, Path, Query, collect};
use crate::server;
use crate::surface::Answer;

/// The query of WeChat's requests. Others of its parameters, such as the openid, are not signed.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct SignedQuery {
    signature: String,
    timestamp: String,
    nonce: String,
    encrypt_type: String,
    msg_signature: String,
    echostr: String,
}

impl SignedQuery {
    fn signed(&self) -> Signed<'_> {
        Signed {
            signature: &self.signature,
            timestamp: &self.timestamp,
            nonce: &self.nonce,
            encrypt_type: &self.encrypt_type,
            msg_signature: &self.msg_signature,
        }
    }
}

/// WeChat checks the address, when the owner enters it.
pub(crate) async fn check(
    State(shared): server::State,
    Path((identifier, pool)): Path<(String, String)>,
    Query(query): Query<SignedQuery>,
) -> Answer<Response> {
    let echo = shared.app.wechat_url_check(&pool, &identifier, &query.signed(), &query.echostr).await?;
    Ok(text("text/plain; charset=utf-8", echo.to_owned()))
}

/// WeChat pushes a message.
pub(crate) async fn receive(
    State(shared): server::State,
    Path((identifier, pool)): Path<(String, String)>,
    Query(query): Query<SignedQuery>,
    head: Head,
    request: Request,
) -> Answer<Response> {
    let (parts, body) = request.into_parts();
    let body = match collect(&parts, body, LARGEST_BODY, &shared).await {
        // The signature comes first.
        Err(refusal) if refusal.is(Code::BodyTooLarge) => {
            return Err(shared.app.refuse_large_wechat_message(&pool, &identifier, &query.signed()).into());
        }
        body => body?,
    };
    let pushed = Pushed { signed: query.signed(), body: &body };
    let reply = shared.app.receive_wechat_message(&pool, &identifier, &pushed, &head.origin()).await?;
    Ok(match reply {
        Reply::Nothing => text("text/plain; charset=utf-8", "success".to_owned()),
        Reply::Xml(xml) => text("text/xml; charset=utf-8", xml),
    })
}

fn text(content_type: &'static str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (StatusCode::OK, headers, body).into_response()
}
