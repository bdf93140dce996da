//! `/api/v2/.well-known` and `/api/v2/logout`.

use axum::extract::State;
use serde::Serialize;

use crate::envelope::Success;
use crate::problem::Failure;
use crate::request::Head;
use crate::server;

/// The key with which v2 clients encrypt passwords.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WellKnown {
    public_key: String,
}

/// Public: a bearer is ignored.
pub(crate) async fn well_known(
    State(shared): server::State,
    head: Head,
) -> Result<Success<WellKnown>, Failure> {
    let public_key = shared.app.password_rsa_public_key().await.map_err(|refusal| head.refuse(refusal))?;
    Ok(Success::new(WellKnown { public_key }))
}

/// Ends the session of the bearer token. Without a valid one there is nothing to end, which is no error.
pub(crate) async fn logout(State(shared): server::State, head: Head) -> Result<Success<()>, Failure> {
    match shared.app.authenticate(head.bearer(), head.named(), head.origin()).await {
        Ok(who) => shared.app.log_out(&who).await.map_err(|refusal| head.refuse(refusal))?,
        Err(refusal @ (hufu_app::Refusal::Internal(_) | hufu_app::Refusal::Overloaded(_))) => {
            return Err(head.refuse(refusal));
        }
        Err(_) => {}
    }
    Ok(Success::empty())
}
