//! `/oauth/app2wxapp/*`: the older login of an app that launches a mini program. The mini program gets a ticket for its
//! codes (`grant`) and returns to the app with it; the app's back end logs the person in (`auth`).

use axum::extract::State;
use axum::routing::{get, post};
use hufu_types::PoolId;
use hufu_types::refusal::Code;
use hufu_web::Routes;
use hufu_web::cors::open;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::envelope::Success;
use crate::fields::required;
use crate::request::{Body, Head, Path, Query, given};
use crate::server;
use crate::surface::Answer;
use crate::user::UserV2;
use crate::waiting;

/// How these accounts are said to be registered.
const REGISTER_METHOD: &str = "oauth:app2wxapp";

/// The calls.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/oauth/app2wxapp/grant/", open(get(grant)))
        .route("/oauth/app2wxapp/auth/{pool}", open(post(auth)))
}

/// What the mini program sends: the names are those of the clients' `/oauth/wxapp/grant/`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GrantQuery {
    code: Option<String>,
    phone_info_code: Option<String>,
    user_pool_id: Option<String>,
    app_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Granted {
    ticket: String,
    expires_in: u64,
}

/// Issues a ticket for the codes of the mini program.
async fn grant(
    State(shared): server::State,
    head: Head,
    Query(query): Query<GrantQuery>,
) -> Answer<Success<Granted>> {
    let code = required(query.code.as_ref(), "code")?;
    let pool = match given(query.user_pool_id.as_ref()) {
        Some(pool) => PoolId::parse(pool).map_err(|_| Code::PoolUnknown)?,
        None => shared.app.config().serving(head.named())?.pool.clone(),
    };
    let app = &shared.app;
    let (application, connection) = app.launching(&pool, given(query.app_id.as_ref()))?;
    let phone_code = given(query.phone_info_code.as_ref());
    let issued = app.issue_launch_ticket(&application, &connection, code, phone_code)?;
    Ok(Success::new(Granted { ticket: issued.ticket, expires_in: issued.expires_in }))
}

/// What the back end of the app sends.
#[derive(Deserialize)]
struct AuthRequest {
    ticket: Option<String>,
    secret: Option<String>,
}

/// Logs the person of a ticket in, once. Returns the user with a user token.
async fn auth(
    State(shared): server::State,
    Path(pool): Path<String>,
    head: Head,
    Body(request): Body<AuthRequest>,
) -> Answer<Success<Value>> {
    let pool = PoolId::parse(&pool).map_err(|_| Code::PoolUnknown)?;
    let ticket = required(request.ticket.as_ref(), "ticket")?;
    let secret = required(request.secret.as_ref(), "secret")?;
    let answer = shared.app.log_in_by_launch_ticket(&pool, ticket, secret, &head.origin()).await?;
    let user = UserV2::of_login(waiting::done(answer)?);
    let mut user = serde_json::to_value(user).map_err(hufu_app::Refusal::internal)?;
    if let Some(members) = user.as_object_mut() {
        members.insert("registerMethod".to_owned(), REGISTER_METHOD.into());
    }
    Ok(Success::new(user))
}
