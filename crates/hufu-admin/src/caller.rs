//! Who asks, what they send, and how they are refused.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hufu_app::{Administrating, App, Refusal};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{PoolId, Timestamp, UserId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::envelope::ApiCode;
use crate::problem::Failure;
use crate::request::{Head, parse, read};
use crate::server::Shared;

/// A refusal, or why it is none of the caller's doing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProblemBody {
    /// The stable code: docs/errors.md lists all of them.
    code: u32,
    /// What to do, in Chinese, or in English with `x-authing-lang: en-US`.
    message: String,
    /// The id of the request, which the log has beside the reason.
    request_id: String,
}

/// A refusal as an answer: its status code, and [`ProblemBody`].
pub(crate) struct Refused {
    failure: Box<Failure>,
    status: u16,
    request_id: String,
}

pub(crate) type Answer<T> = Result<T, Refused>;

impl Refused {
    fn new(refusal: Refusal, head: &Head) -> Self {
        let unprocessable = refusal.is(Code::Invalid) || refusal.code().is_weak_password();
        let failure = Box::new(head.refuse(refusal));
        let status = if unprocessable { 422 } else { failure.status() };
        Self { failure, status, request_id: head.request_id.clone() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = self.failure.number();
        let message = self.failure.message();
        let body = ProblemBody { code, message, request_id: self.request_id };
        let mut response = (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(ApiCode(code));
        response
    }
}

/// A caller whose access key holds.
pub(crate) struct Caller {
    pub(crate) by: Administrating,
    pub(crate) app: Arc<App>,
    head: Head,
}

impl Caller {
    /// A refusal as the answer to this request.
    pub(crate) fn refuse(&self, refusal: Refusal) -> Refused {
        Refused::new(refusal, &self.head)
    }

    /// The pool of the path.
    pub(crate) fn pool(&self, text: &str) -> Answer<PoolId> {
        PoolId::parse(text).map_err(|_| self.refuse(Code::PoolUnknown.into()))
    }

    /// The pool and the user of the path.
    pub(crate) fn user(&self, pool: &str, user: &str) -> Answer<(PoolId, UserId)> {
        let user = UserId::parse(user).map_err(|_| self.refuse(Code::UserUnknown.into()));
        Ok((self.pool(pool)?, user?))
    }

    /// Something wrong with a field.
    pub(crate) fn invalid(&self, field: impl Into<Cow<'static, str>>, reason: Reason) -> Refused {
        self.refuse(Refusal::invalid(field, reason))
    }

    /// The number of rows that a page may have.
    pub(crate) fn limit(&self, asked: Option<usize>, usual: usize, most: usize) -> Answer<usize> {
        match asked.unwrap_or(usual) {
            limit if (1..=most).contains(&limit) => Ok(limit),
            _ => Err(self.invalid(
                "limit",
                Reason::OutOfRange { min: 1, max: u32::try_from(most).unwrap_or(u32::MAX) },
            )),
        }
    }

    /// A moment by RFC 3339.
    pub(crate) fn moment(&self, name: &'static str, text: Option<&str>) -> Answer<Option<Timestamp>> {
        let Some(text) = text else { return Ok(None) };
        let moment: Result<jiff::Timestamp, _> = text.parse();
        moment
            .map(|moment| Some(Timestamp(moment.as_millisecond())))
            .map_err(|_| self.invalid(name, Reason::NotATimestamp))
    }
}

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refused> {
        let Ok(head) = Head::from_request_parts(parts, shared).await;
        let app = Arc::clone(&shared.app);
        match app.administrate(head.bearer(), head.origin()).await {
            Ok(by) => Ok(Self { by, app, head }),
            Err(refusal) => Err(Refused::new(refusal, &head)),
        }
    }
}

/// A caller nobody knows yet.
pub(crate) struct Stranger<T> {
    pub(crate) app: Arc<App>,
    pub(crate) head: Head,
    pub(crate) body: T,
}

impl<T> Stranger<T> {
    pub(crate) fn refuse(&self, refusal: Refusal) -> Refused {
        Refused::new(refusal, &self.head)
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Stranger<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Refused> {
        let app = Arc::clone(&shared.app);
        let (head, body) = body(request, shared).await?;
        Ok(Self { app, head, body })
    }
}

/// A JSON object as body, of bounded size.
pub(crate) struct Sent<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Sent<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Refused> {
        body(request, shared).await.map(|(_, body)| Self(body))
    }
}

async fn body<T: DeserializeOwned>(request: Request, shared: &Arc<Shared>) -> Answer<(Head, T)> {
    let (mut parts, body) = request.into_parts();
    let Ok(head) = Head::from_request_parts(&mut parts, shared).await;
    let request = Request::from_parts(parts, body);
    let (_, bytes) = match read(request, shared).await {
        Ok(read) => read,
        Err(failure) => {
            let status = failure.status();
            return Err(Refused { failure: Box::new(failure), status, request_id: head.request_id });
        }
    };
    // What is left out of an optional body is an empty object.
    let bytes = if bytes.is_empty() { bytes::Bytes::from_static(b"{}") } else { bytes };
    match parse(&bytes) {
        Ok(body) => Ok((head, body)),
        Err(refusal) => Err(Refused::new(refusal, &head)),
    }
}

/// The query of the address.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Shared>> for Asked<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refused> {
        if let Ok(Query(query)) = Query::<T>::from_request_parts(parts, shared).await {
            return Ok(Self(query));
        }
        let Ok(head) = Head::from_request_parts(parts, shared).await;
        Err(Refused::new(Refusal::invalid("query", Reason::WrongQuery), &head))
    }
}

/// A page of rows.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// What the page before gave as `next`.
    pub(crate) cursor: Option<String>,
    /// Rows on the page: 1 to 100, and 20 where nothing is said.
    pub(crate) limit: Option<u32>,
}

/// An answer that no cache keeps.
pub(crate) fn answer<T: Serialize>(status: StatusCode, body: T) -> Response {
    let mut response = (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response();
    response.extensions_mut().insert(ApiCode(200));
    response
}

pub(crate) fn ok<T: Serialize>(body: T) -> Response {
    answer(StatusCode::OK, body)
}

/// It is done, and there is nothing to say.
pub(crate) fn done() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.extensions_mut().insert(ApiCode(200));
    response
}

pub(crate) fn iso(at: Timestamp) -> String {
    at.to_iso()
}
