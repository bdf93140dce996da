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
mod batches;
mod caller;
mod case;
mod configuration;
mod connections;
mod instance;
mod invitations;
mod items;
mod listed;
mod management_keys;
mod people;
mod pools;
pub mod readable;
mod relay;
mod schema;
mod senders;
mod sent;
mod statistics;
mod transfer;
mod users;
mod webhooks;

use std::collections::HashMap;
use std::sync::Arc;

use axum::routing::get;
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, Ref, RefOr, Required, Schema};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use hufu_types::refusal::Code;
use hufu_web::Routes;
use hufu_web::page::{Viewer, routes_of};
use hufu_web::server::Shared;
use hufu_web::surface::{json, refusing, unserved};

/// The path of the OpenAPI document.
const DESCRIPTION: &str = "/admin/v1/openapi.json";

/// The path of the page that says the same to people.
const PAGE: &str = "/admin/v1/docs";

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

/// Every route may refuse, for reasons that are the same everywhere: see docs/errors.md. Every operation has an id of its own.
fn with_refusals(mut description: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let body = RefOr::Ref(Ref::from_schema_name("ProblemBody"));
    let content = ContentBuilder::new().schema(Some(body)).build();
    let refusal = ResponseBuilder::new()
        .description("A refusal: the status and the code say why.")
        .content("application/json", content)
        .build();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for item in description.paths.paths.values() {
        let operations = [&item.get, &item.post, &item.put, &item.patch, &item.delete];
        for id in operations.into_iter().flatten().filter_map(|operation| operation.operation_id.clone()) {
            *seen.entry(id).or_default() += 1;
        }
    }
    for (path, item) in &mut description.paths.paths {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            // Handlers are told apart by their modules, operations by what they are about.
            if let Some(id) = operation.operation_id.as_mut().filter(|id| seen.get(*id) != Some(&1)) {
                let subject = path.rsplit('/').find(|part| !part.starts_with('{')).unwrap_or_default();
                *id = format!("{id}_{}", subject.replace('-', "_"));
            }
            if let Some(RefOr::T(body)) = &mut operation.request_body
                && !needs_body(body, description.components.as_ref())
            {
                body.required = Some(Required::False);
            }
            operation.responses.responses.insert("default".to_owned(), RefOr::T(refusal.clone()));
        }
    }
    description
}

/// Whether a body has members that are needed. One that is absent counts as an empty object.
fn needs_body(body: &RequestBody, components: Option<&Components>) -> bool {
    let Some(RefOr::T(media)) = body.content.get("application/json") else { return true };
    let Some(RefOr::Ref(at)) = &media.schema else { return true };
    let name = at.ref_location.rsplit('/').next().unwrap_or_default();
    let schema = components.and_then(|components| components.schemas.get(name));
    matches!(schema, Some(RefOr::T(Schema::Object(object))) if !object.required.is_empty())
}

/// The routes of the configuration.
fn with_configuration(router: OpenApiRouter<Arc<Shared>>) -> OpenApiRouter<Arc<Shared>> {
    router
        .routes(routes!(instance::list_pools, configuration::create_pool))
        .routes(routes!(instance::limits))
        .routes(routes!(instance::signing_keys))
        .routes(routes!(instance::open_platforms))
        .routes(routes!(items::scopes::list))
        .routes(routes!(items::scopes::get, items::scopes::put, items::scopes::remove))
        .routes(routes!(items::agreements::list))
        .routes(routes!(items::agreements::get, items::agreements::put, items::agreements::remove))
        .routes(routes!(items::custom_fields::list))
        .routes(routes!(items::custom_fields::get, items::custom_fields::put, items::custom_fields::remove))
        .routes(routes!(senders::list))
        .routes(routes!(senders::get, senders::change, senders::delete))
        .routes(routes!(senders::test))
        .routes(routes!(senders::templates, senders::change_templates))
        .routes(routes!(senders::preview))
        .routes(routes!(configuration::get_pool, configuration::change_pool, pools::remove))
        .routes(routes!(pools::switch_off))
        .routes(routes!(pools::switch_on))
        .routes(routes!(pools::restore))
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
        .routes(routes!(batches::users))
        .routes(routes!(batches::applications))
        .routes(routes!(batches::connections))
}

/// The routes of this surface.
pub fn routes() -> Routes {
    let (router, description) = with_configuration(OpenApiRouter::with_openapi(Description::openapi()))
        .routes(routes!(access::log_in))
        .routes(routes!(access::log_out))
        .routes(routes!(access::list_keys, access::create_key))
        .routes(routes!(access::revoke_key))
        .routes(routes!(management_keys::list, management_keys::create))
        .routes(routes!(management_keys::end))
        .routes(routes!(access::list_administrators, access::create_administrator))
        .routes(routes!(access::appoint_administrator, access::dismiss_administrator))
        .routes(routes!(invitations::list, invitations::create))
        .routes(routes!(invitations::accept))
        .routes(routes!(invitations::withdraw))
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
    let description = Arc::new(with_refusals(description));
    let document = serde_json::to_value(&*description).unwrap_or_default();
    let content = Arc::new(readable::Content::of(&document));
    let read = move |viewer: Viewer| {
        let content = Arc::clone(&content);
        async move { readable::page(&content, &viewer) }
    };
    let describe = move || {
        let description = Arc::clone(&description);
        async move { json(&*description) }
    };
    let unknown = unserved("/admin", Code::PathUnknown);
    let router = sent::telling(router, &document).route(DESCRIPTION, get(describe)).route(PAGE, get(read));
    refusing(router.merge(unknown), caller::refused).merge(routes_of(&[&readable::STYLES]))
}
