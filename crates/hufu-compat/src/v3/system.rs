//! `GET /api/v3/system`: the keys with which clients encrypt passwords. Not enveloped.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::problem::Failure;
use crate::request::Head;
use crate::server;

/// Public: a bearer is ignored.
pub(crate) async fn system(State(shared): server::State, head: Head) -> Result<Json<Value>, Failure> {
    let keys = async {
        Ok((shared.app.password_rsa_public_key().await?, shared.app.password_sm2_public_key().await?))
    };
    let (rsa, sm2) = keys.await.map_err(|refusal| head.refuse(refusal))?;
    Ok(Json(json!({
        "rsa": { "publicKey": rsa },
        "sm2": { "publicKey": sm2 },
        "version": { "server": env!("CARGO_PKG_VERSION") },
        "publicIps": [],
    })))
}
