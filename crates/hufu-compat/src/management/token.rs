//! `POST get-management-token`: the token of the clients that do not sign.

use axum::extract::State;
use hufu_app::administration::ManagementToken;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::envelope::Success;
use crate::fields::required;
use crate::request::{Body, Head};
use crate::server;
use crate::surface::Answer;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    access_key_id: Option<String>,
    access_key_secret: Option<String>,
}

pub(super) async fn get_management_token(
    State(shared): server::State,
    head: Head,
    Body(request): Body<Request>,
) -> Answer<Success<Value>> {
    let key = required(request.access_key_id.as_ref(), "accessKeyId")?;
    let secret = required(request.access_key_secret.as_ref(), "accessKeySecret")?;
    let made = shared.app.management_token(key, secret, &head.origin()).await?;
    let ManagementToken { token, issued_at, expires_at } = made;
    let expires_in = expires_at.since(issued_at).as_secs();
    Ok(Success::new(json!({ "access_token": token, "expires_in": expires_in, "token_type": "Bearer" })))
}
