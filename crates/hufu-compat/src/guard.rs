//! What Guard alone calls: whether an account exists, and whether its page is logged in.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use hufu_app::authorization::Presented;
use hufu_app::{AccountName, Needs, Refusal};
use hufu_types::refusal::{Code, Reason};
use hufu_web::Routes;
use hufu_web::cors::open;
use serde::Deserialize;
use serde_json::json;

use crate::codes::serving;
use crate::envelope::Success;
use crate::fields::{phone, required};
use crate::request::{Body, Head, Query};
use crate::server::{self, Shared};
use crate::surface::{Answer, private_json};

/// The calls.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/api/v2/users/find", open(get(find)))
        .route("/api/v2/users/is-user-exists", open(get(exists)))
        .route("/api/v2/users/login/check-status", open(post(check_status)))
}

/// A name, and what kind of name it is.
#[derive(Deserialize)]
pub(crate) struct FindQuery {
    key: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// `GET /api/v2/users/find`: whether an account has this name. Guard asks before it logs somebody in with a code or
/// resets a password, and goes on with those that exist; and before it registers somebody, and goes on with others. A
/// pool that hides who has an account cannot say so to both, and lets those who have one in.
async fn find(
    State(shared): server::State,
    head: Head,
    Query(query): Query<FindQuery>,
) -> Answer<Success<bool>> {
    let key = required(query.key.as_ref(), "key")?;
    let name = match required(query.kind.as_ref(), "type")? {
        "phone" => AccountName::Phone(phone(key, None)?),
        "email" => AccountName::Email(key.to_owned()),
        "username" => AccountName::Username(key.to_owned()),
        _ => {
            let choices = "phone, email, username".into();
            return Err(Refusal::invalid("type", Reason::NotOneOf { choices }).into());
        }
    };
    match is_taken(&shared, &head, name).await {
        Err(refusal) if refusal.code() == Code::ExistenceHidden => Ok(Success::new(true)),
        answer => Ok(Success::new(answer?)),
    }
}

/// A username.
#[derive(Deserialize)]
pub(crate) struct ExistsQuery {
    username: Option<String>,
}

/// `GET /api/v2/users/is-user-exists`: whether a username is taken. Guard goes on after a refusal, and is told by the step
/// itself.
async fn exists(
    State(shared): server::State,
    head: Head,
    Query(query): Query<ExistsQuery>,
) -> Answer<Success<bool>> {
    let name = AccountName::Username(required(query.username.as_ref(), "username")?.to_owned());
    Ok(Success::new(is_taken(&shared, &head, name).await?))
}

async fn is_taken(shared: &Shared, head: &Head, name: AccountName) -> Result<bool, Refusal> {
    let application = serving(shared, head)?;
    shared.app.user_exists(&application, name, &head.origin()).await
}

/// A token of a login.
#[derive(Deserialize)]
pub(crate) struct CheckRequest {
    token: Option<String>,
}

/// `POST /api/v2/users/login/check-status`: whose login a token is of. The answer has no envelope, and a token that is of
/// none is no error: its `status` is false.
async fn check_status(
    State(shared): server::State,
    head: Head,
    Body(request): Body<CheckRequest>,
) -> Answer<Response> {
    let token = required(request.token.as_ref(), "token")?;
    let who = shared
        .app
        .authenticate(Some(Presented::Bearer(token)), head.named(), head.origin(), Needs::Login)
        .await;
    let answer = match who {
        Ok(who) => json!({
            "code": 200,
            "status": true,
            "exp": who.expires_at,
            "iat": who.issued_at,
            "data": { "id": who.user.as_str(), "userPoolId": who.pool().as_str() },
        }),
        Err(refusal) if refusal.code().is_internal() || refusal.code().is_about_dpop() => {
            return Err(refusal.into());
        }
        Err(_) => {
            let refusal = Refusal::new(Code::NotLoggedIn);
            json!({
                "code": refusal.number(),
                "message": refusal.for_integrator(head.language),
                "status": false,
            })
        }
    };
    Ok(private_json(StatusCode::OK, &answer))
}
