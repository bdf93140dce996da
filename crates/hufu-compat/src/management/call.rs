//! A call of a management client: who calls, and what they sent.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::request::Parts;
use axum::http::{Method, header};
use hufu_app::administration::{PresentedManagement, SignedRequest};
use hufu_app::{AdminCaller, App, Refusal};
use hufu_types::PoolId;
use hufu_types::refusal::{Code, Reason};
use serde_json::Value;

use super::sent::{Sent, parameters};
use super::signature;
use crate::request::{Head, read_json};
use crate::server::Shared;
use crate::surface::{Answer, Refused};

/// A call with a valid signature or token.
pub(crate) struct Call {
    pub(crate) by: AdminCaller,
    /// The pool of the key, the only one that it is good in.
    pub(crate) pool: PoolId,
    pub(crate) app: Arc<App>,
    pub(super) sent: Sent,
    /// Whether passwords may be encrypted without saying so, as those of the v2 client are.
    pub(super) is_v2: bool,
}

/// Whether a request that has no body is by a management client. Some calls have the same path as one of a user.
pub(crate) fn is_management(parts: &Parts, head: &Head) -> bool {
    signature::signature(&parts.headers).is_some() || head.bearer().is_some_and(App::is_management_token)
}

impl FromRequest<Arc<Shared>> for Call {
    type Rejection = Refused;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        // A `DELETE` of the v2 client has no body.
        let has_body = match parts.method {
            Method::GET => false,
            Method::DELETE => parts.headers.contains_key(header::CONTENT_TYPE),
            _ => true,
        };
        let request = || Request::from_parts(parts.clone(), body);
        let body = if has_body { read_json(request(), shared).await? } else { Vec::new() };
        Self::read(parts, &body, shared).await
    }
}

impl Call {
    /// Authenticates a request that was read.
    pub(crate) async fn read(mut parts: Parts, body: &[u8], shared: &Arc<Shared>) -> Answer<Self> {
        let Ok(head) = Head::from_request_parts(&mut parts, shared).await;
        let (by, pool) = authenticate(&parts, body, &head, shared).await?;
        let sent = match parts.method {
            Method::GET => parameters(parts.uri.query().unwrap_or_default())?,
            _ if body.is_empty() => parameters(parts.uri.query().unwrap_or_default())?,
            _ => match serde_json::from_slice(body) {
                Ok(Value::Object(sent)) => sent,
                Ok(_) => return Err(Refusal::invalid("body", Reason::NotAnObject).into()),
                Err(error) => {
                    let (line, column) = (error.line(), error.column());
                    return Err(Refusal::invalid("body", Reason::NotJson { line, column }).into());
                }
            },
        };
        let (app, sent) = (Arc::clone(&shared.app), Sent(sent));
        Ok(Self { by, pool, app, sent, is_v2: false })
    }
}

/// Who calls. The pool that the client names beside its token has to be that of the token.
pub(crate) async fn authenticate(
    parts: &Parts,
    body: &[u8],
    head: &Head,
    shared: &Shared,
) -> Result<(AdminCaller, PoolId), Refusal> {
    let texts;
    let presented = match (signature::signature(&parts.headers), head.bearer()) {
        (Some((key, signature)), _) => {
            texts = signature::texts(parts, body);
            PresentedManagement::Signature(SignedRequest {
                key,
                signature,
                texts: &texts,
                date: signature::date(&parts.headers),
                has_nonce: signature::has_nonce(&parts.headers),
                reads_only: parts.method == Method::GET,
            })
        }
        (None, Some(token)) => PresentedManagement::Token(token),
        (None, None) => PresentedManagement::Nothing,
    };
    agreeing(shared.app.authenticate_management(presented, head.origin()).await?, head)
}

/// Who calls with a token.
pub(super) async fn by_token(head: &Head, shared: &Shared) -> Result<(AdminCaller, PoolId), Refusal> {
    let presented = head.bearer().map_or(PresentedManagement::Nothing, PresentedManagement::Token);
    agreeing(shared.app.authenticate_management(presented, head.origin()).await?, head)
}

fn agreeing(who: (AdminCaller, PoolId), head: &Head) -> Result<(AdminCaller, PoolId), Refusal> {
    match head.pool_named() {
        Some(other) if other != who.1.as_str() => Err(Code::Disagreement.into()),
        _ => Ok(who),
    }
}
