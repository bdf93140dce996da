//! Authentication, parsing of requests, and responses.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hufu_app::administration::PageRequest;
use hufu_app::{AdminCaller, App, Refusal};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Language, PoolId, Timestamp, UserId, problem_text};
use hufu_web::request::{Head, parse, read};
use hufu_web::server::Shared;
use hufu_web::surface::{self, Answer, ApiCode, Reader, Refused, private_json};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{case, sent};

/// The body of a refusal.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProblemBody {
    /// The stable code. docs/errors.md lists all codes.
    code: u32,
    /// What to do, in Chinese, or in English with `x-authing-lang: en-US`.
    message: String,
    /// The id of the request. The log has the reason under this id.
    request_id: String,
    /// What is wrong with a configuration object, all at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Problem>,
    /// The object as it is now, if the request was about an older revision of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    present: Option<Value>,
    /// What the request wanted to make of it: its body as it was sent, without what is written and never shown, such as
    /// secrets. Only if the request was about an older revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Value>,
}

/// Something that is wrong with a configuration object.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The member: names and indices joined by dots, such as `redirectUris.0`.
    field: String,
    /// What is wrong and what to do, as `hufu apply` says it: in English, or in Chinese with `Accept-Language: zh`.
    reason: String,
}

fn problems(refusal: &Refusal, language: Language) -> Vec<Problem> {
    let problems = refusal.data().and_then(|data| data.get("problems")?.as_array());
    let read = |problem: &Value| {
        let text = |name| problem.get(name).and_then(Value::as_str);
        let reason = problem_text(text("reason")?, language);
        Some(Problem { field: case::camel(text("field")?), reason: case::sentence(&reason) })
    };
    problems.into_iter().flatten().filter_map(read).collect()
}

/// Writes a refusal for this surface: its status code and a [`ProblemBody`]. An invalid field is 422.
pub(crate) fn refused(refusal: &Refusal, reader: &Reader) -> Response {
    let is_unprocessable = refusal.is(Code::Invalid) || refusal.code().is_weak_password();
    let status =
        if is_unprocessable { StatusCode::UNPROCESSABLE_ENTITY } else { surface::status_of(refusal.code()) };
    let body = ProblemBody {
        code: refusal.number(),
        message: refusal.for_integrator(reader.language),
        request_id: reader.request_id.to_string(),
        problems: problems(refusal, reader.prefers()),
        present: refusal
            .data()
            .and_then(|data| data.get("present")?.as_object().cloned())
            .map(|present| Value::Object(case::shown(present))),
        sent: refusal.data().and_then(|data| data.get("sent").cloned()),
    };
    let mut response = private_json(status, &body);
    if status == StatusCode::UNAUTHORIZED {
        let challenge = header::HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// A caller with a valid access key.
pub(crate) struct Caller {
    pub(crate) by: AdminCaller,
    pub(crate) app: Arc<App>,
}

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Answer<Self> {
        let Ok(head) = Head::from_request_parts(parts, shared).await;
        let app = Arc::clone(&shared.app);
        let by = app.authenticate_admin(head.bearer(), head.origin()).await?;
        Ok(Self { by, app })
    }
}

/// A refusal; if somebody else was first, with what they made of the object, as far as the caller may see it.
pub(crate) async fn with_present<V: Serialize>(
    refusal: Refusal,
    present: impl Future<Output = Result<V, Refusal>>,
) -> Refusal {
    if refusal.is(Code::ChangedMeanwhile) {
        let present = present.await.ok();
        refusal.carrying(json!({ "present": present }))
    } else {
        refusal
    }
}

/// The pool in the path.
pub(crate) fn pool_id(text: &str) -> Result<PoolId, Code> {
    PoolId::parse(text).map_err(|_| Code::PoolUnknown)
}

/// The pool and the user in the path.
pub(crate) fn user_id(pool: &str, user: &str) -> Result<(PoolId, UserId), Code> {
    Ok((pool_id(pool)?, UserId::parse(user).map_err(|_| Code::UserUnknown)?))
}

/// The page size: `wanted` from 1 to `most`, or `usual` if absent.
pub(crate) fn rows(wanted: Option<usize>, usual: usize, most: usize) -> Result<usize, Refusal> {
    match wanted.unwrap_or(usual) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        _ => {
            let max = u32::try_from(most).unwrap_or(u32::MAX);
            Err(Refusal::invalid("limit", Reason::OutOfRange { min: 1, max }))
        }
    }
}

/// An RFC 3339 timestamp.
pub(crate) fn timestamp(name: &'static str, text: Option<&str>) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let timestamp: Result<jiff::Timestamp, _> = text.parse();
    timestamp
        .map(|timestamp| Some(Timestamp(timestamp.as_millisecond())))
        .map_err(|_| Refusal::invalid(name, Reason::NotATimestamp))
}

/// A JSON object as the body, of limited size. An empty body counts as an empty object.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Answer<Self> {
        let kept = sent::place(request.extensions());
        let bytes = read(request, shared).await?;
        let body = parse(if bytes.is_empty() { b"{}" } else { &bytes })?;
        if let Some(kept) = kept {
            kept.keep(bytes);
        }
        Ok(Self(body))
    }
}

/// The requested page.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// `next` of the previous page.
    pub(crate) cursor: Option<String>,
    /// The page size: 1 to 100. The default is 20.
    pub(crate) limit: Option<u32>,
}

impl From<Paging> for PageRequest {
    fn from(paging: Paging) -> Self {
        Self { cursor: paging.cursor, limit: paging.limit }
    }
}

/// A response that no cache stores.
pub(crate) fn answer<T: Serialize>(status: StatusCode, body: &T) -> Response {
    let mut response = private_json(status, body);
    response.extensions_mut().insert(ApiCode(200));
    response
}

pub(crate) fn ok<T: Serialize>(body: &T) -> Response {
    answer(StatusCode::OK, body)
}

/// A success without a body.
pub(crate) fn done() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.extensions_mut().insert(ApiCode(200));
    response
}

pub(crate) fn iso(at: Timestamp) -> String {
    at.to_iso()
}
