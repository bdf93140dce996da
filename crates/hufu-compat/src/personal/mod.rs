//! The personal API, `/api/v3/me`: what users see and do with their own account.
//!
//! It is part of the API of the clients: it has their envelope, bearer tokens and CORS, and uses no cookies.
//! docs/personal.md describes it.

mod account;
mod consents;
mod data;
mod identities;
mod merges;
mod sessions;

use axum::response::Response;
use axum::routing::{delete, get, post};

use hufu_types::Refusal;
use hufu_types::refusal::Code;
use hufu_web::Routes;
use hufu_web::cors::open;
use hufu_web::surface::{Reader, refusing, sdk, sdk_with_status, unserved};

pub(crate) fn routes() -> Routes {
    let routes = Routes::new()
        .route("/api/v3/me", open(get(account::me)))
        .route("/api/v3/me/profile", open(post(account::update)))
        .route("/api/v3/me/username", open(post(account::choose_username)))
        .route("/api/v3/me/login-names/unbind", open(post(account::unbind_name)))
        .route("/api/v3/me/deletion", open(post(account::delete)))
        .route("/api/v3/me/identities", open(get(identities::list).post(identities::bind)))
        .route("/api/v3/me/identities/qr-code", open(post(identities::show_code)))
        .route("/api/v3/me/identities/qr-code/bind", open(post(identities::bind_by_code)))
        .route("/api/v3/me/identities/{id}", open(delete(identities::unbind)))
        .route("/api/v3/me/sessions", open(get(sessions::list).delete(sessions::end_all)))
        .route("/api/v3/me/sessions/{id}", open(delete(sessions::end_one)))
        .route("/api/v3/me/consents", open(get(consents::list)))
        .route("/api/v3/me/consents/{application}", open(delete(consents::withdraw)))
        .route("/api/v3/me/activity", open(get(data::activity)))
        .route("/api/v3/me/export", open(get(data::export)))
        .route("/api/v3/me/merges", open(get(merges::list).post(merges::merge)))
        .route("/api/v3/me/merges/preview", open(post(merges::preview)))
        .route("/api/v3/me/merges/{id}", open(delete(merges::undo)))
        .merge(unserved("/api/v3/me", Code::PathUnknown));
    refusing(routes, refused)
}

/// The envelope of the clients. None of them calls these paths, so what is not there has its own status.
fn refused(refusal: &Refusal, reader: &Reader) -> Response {
    match refusal.code() {
        Code::PathUnknown | Code::WrongMethod => sdk_with_status(refusal, reader),
        _ => sdk(refusal, reader),
    }
}
