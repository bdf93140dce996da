//! `GET /api/v3/system`: the public keys with which clients encrypt passwords. The response has no envelope.

use axum::extract::State;
use axum::response::Response;

use crate::server;
use crate::surface::{Answer, json};

/// Public. A bearer token is ignored.
pub(crate) async fn system(State(shared): server::State) -> Answer<Response> {
    let (rsa, sm2) =
        (shared.app.password_rsa_public_key().await?, shared.app.password_sm2_public_key().await?);
    Ok(json(&serde_json::json!({
        "rsa": { "publicKey": rsa },
        "sm2": { "publicKey": sm2 },
        "version": { "server": env!("CARGO_PKG_VERSION") },
        "publicIps": [],
    })))
}
