//! The personal API, `/api/v3/me`: what people see and do with their own account.
//!
//! It belongs to the API of the clients: their envelope, their bearer tokens, their CORS, no cookies.
//! docs/personal.md describes it.

mod account;
mod data;
mod identities;
mod merges;
mod sessions;

use axum::routing::{delete, get, post};

use hufu_web::Routes;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/api/v3/me", get(account::me))
        .route("/api/v3/me/profile", post(account::update))
        .route("/api/v3/me/username", post(account::choose_username))
        .route("/api/v3/me/login-names/unbind", post(account::unbind_name))
        .route("/api/v3/me/deletion", post(account::delete))
        .route("/api/v3/me/identities", get(identities::list).post(identities::bind))
        .route("/api/v3/me/identities/{id}", delete(identities::unbind))
        .route("/api/v3/me/sessions", get(sessions::list).delete(sessions::end_all))
        .route("/api/v3/me/sessions/{id}", delete(sessions::end_one))
        .route("/api/v3/me/activity", get(data::activity))
        .route("/api/v3/me/export", get(data::export))
        .route("/api/v3/me/merges", get(merges::list).post(merges::merge))
        .route("/api/v3/me/merges/preview", post(merges::preview))
        .route("/api/v3/me/merges/{id}", delete(merges::undo))
}
