//! `/admin/v1`: administration over HTTP, for scripts and consoles.
//!
//! Plain REST: the status code is the result, and a refusal has the body `{code, message, requestId}`. Every
//! request needs an access key; no handler reads a cookie, and there is no CORS. Each route is declared once,
//! with its description beside its handler. `/admin/v1/openapi.json` and the router are built from the same
//! declarations.
//!
//! Start reading with `caller` (authentication and refusals). Each of the other modules covers one subject.

mod access;
mod audit;
mod caller;
mod case;
mod configuration;
mod connections;
mod listed;
mod management_keys;
mod people;
mod relay;
mod schema;
mod statistics;
mod transfer;
mod users;
mod webhooks;

use std::sync::Arc;

use axum::routing::get;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use hufu_types::refusal::Code;
use hufu_web::Routes;
use hufu_web::surface::{json, refusing, unserved};

/// The path of the OpenAPI document.
const DESCRIPTION: &str = "/admin/v1/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(title = "Hufu administration", version = "1", description = "Users, webhooks, the audit log, statistics, the configuration, access keys."),
    modifiers(&Bearer),
    security(("accessKey" = []))
)]
struct Description;

/// The security scheme: an access key, sent as `Authorization: Bearer …`.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("hfk_…")).build();
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("accessKey", SecurityScheme::Http(scheme));
    }
}

/// The routes of this surface.
pub fn routes() -> Routes {
    let (router, description) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(access::log_in))
        .routes(routes!(access::log_out))
        .routes(routes!(access::list_keys, access::create_key))
        .routes(routes!(access::revoke_key))
        .routes(routes!(management_keys::list, management_keys::create))
        .routes(routes!(management_keys::end))
        .routes(routes!(access::list_administrators, access::create_administrator))
        .routes(routes!(access::appoint_administrator, access::dismiss_administrator))
        .routes(routes!(access::list_pools, configuration::create_pool))
        .routes(routes!(configuration::get_pool, configuration::change_pool))
        .routes(routes!(configuration::list_applications, configuration::create_application))
        .routes(routes!(
            configuration::get_application,
            configuration::change_application,
            configuration::delete_application
        ))
        .routes(routes!(configuration::add_secret))
        .routes(routes!(configuration::end_secret))
        .routes(routes!(configuration::list_connections, configuration::create_connection))
        .routes(routes!(
            configuration::get_connection,
            configuration::change_connection,
            configuration::delete_connection
        ))
        .routes(routes!(connections::app_token))
        .routes(routes!(connections::check))
        .routes(routes!(relay::list))
        .routes(routes!(users::search, users::create))
        .routes(routes!(users::get, users::update, users::delete))
        .routes(routes!(users::set_password))
        .routes(routes!(users::unbind_merged_name))
        .routes(routes!(users::disable))
        .routes(routes!(users::enable))
        .routes(routes!(users::archive))
        .routes(routes!(users::cancel_deletion))
        .routes(routes!(people::list_identities, people::link_identity))
        .routes(routes!(people::unlink_identity))
        .routes(routes!(people::list_sessions, people::end_sessions))
        .routes(routes!(people::end_session))
        .routes(routes!(people::list_merges, people::merge))
        .routes(routes!(people::undo_merge))
        .routes(routes!(people::list_conflicts))
        .routes(routes!(listed::list))
        .routes(routes!(listed::put, listed::remove))
        .routes(routes!(transfer::list, transfer::import))
        .routes(routes!(transfer::get, transfer::cancel))
        .routes(routes!(transfer::report))
        .routes(routes!(transfer::export))
        .routes(routes!(audit::list))
        .routes(routes!(audit::export))
        .routes(routes!(audit::get))
        .routes(routes!(statistics::days))
        .routes(routes!(statistics::logins))
        .routes(routes!(statistics::connections))
        .routes(routes!(statistics::waiting))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::get, webhooks::update, webhooks::delete))
        .routes(routes!(webhooks::ping))
        .routes(routes!(webhooks::list_deliveries))
        .routes(routes!(webhooks::replay_failed))
        .routes(routes!(webhooks::get_delivery))
        .routes(routes!(webhooks::replay))
        .split_for_parts();
    let description = Arc::new(description);
    let describe = move || {
        let description = Arc::clone(&description);
        async move { json(&*description) }
    };
    let unknown = unserved("/admin", Code::PathUnknown);
    refusing(router.route(DESCRIPTION, get(describe)).merge(unknown), caller::refused)
}
