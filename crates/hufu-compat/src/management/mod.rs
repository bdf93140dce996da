//! The calls of the published management clients, with which back ends administer one pool.
//!
//! They render the use cases of administration in these clients' forms. [`call`] says who calls: a request is signed with
//! the pool's management key ([`signature`]), or brings a token that was got for it ([`token`]). What the clients can ask
//! for and Hufu does not have is refused by name ([`later`]). No page of another site can call: there is no CORS.

mod applications;
pub(crate) mod call;
mod changes;
mod connections;
pub(crate) mod custom_data;
pub(crate) mod later;
mod logs;
mod pool;
mod sent;
mod signature;
mod token;
pub(crate) mod users;
pub(crate) mod v2;
mod webhooks;

use std::sync::Arc;

use axum::routing::{MethodRouter, get, post};
use hufu_web::Routes;
use hufu_web::server::Shared;
use serde_json::Value;

/// Adds a member to an object of an answer.
fn put(told: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(members) = told.as_object_mut() {
        members.insert(name.to_owned(), value.into());
    }
}

/// A call that is served.
type Row = (&'static str, MethodRouter<Arc<Shared>>);

/// The calls that are served, below `/api/v3/`. `get-user` is shared with the mobile clients: see `v3::profile`.
fn served() -> Vec<Row> {
    vec![
        ("get-management-token", post(token::get_management_token)),
        ("get-user-batch", get(users::get_batch)),
        ("list-users", get(users::list_by_query).post(users::list)),
        ("list-archived-users", get(users::list_archived)),
        ("is-user-exists", post(users::exists)),
        ("get-user-identities", get(users::identities)),
        ("get-user-mfa-info", get(users::mfa_info)),
        ("create-user", post(changes::create)),
        ("create-users-batch", post(changes::create_batch)),
        ("update-user", post(changes::update)),
        ("update-user-batch", post(changes::update_batch)),
        ("delete-users-batch", post(changes::delete_batch)),
        ("kick-users", post(changes::kick)),
        ("link-identity", post(changes::link_identity)),
        ("unlink-identity", post(changes::unlink_identity)),
        ("get-user-login-history", get(logs::login_history)),
        ("get-user-loggedin-apps", get(logs::logged_in_apps)),
        ("get-user-logged-in-identities", get(logs::logged_in_identities)),
        ("check-session-status", post(logs::session_status)),
        ("get-user-action-logs", post(logs::user_actions)),
        ("get-admin-audit-logs", post(logs::admin_actions)),
        ("list-applications", get(applications::list)),
        ("list-application-simple-info", get(applications::list_shortly)),
        ("get-application", get(applications::get)),
        ("get-application-simple-info", get(applications::get_shortly)),
        ("create-application", post(applications::create)),
        ("update-application", post(applications::update)),
        ("delete-application", post(applications::delete)),
        ("get-application-secret", get(applications::get_secret)),
        ("refresh-application-secret", post(applications::refresh_secret)),
        ("list-ext-idp", get(connections::list)),
        ("get-ext-idp", get(connections::get)),
        ("create-ext-idp", post(connections::create)),
        ("update-ext-idp", post(connections::update)),
        ("delete-ext-idp", post(connections::delete)),
        ("create-ext-idp-conn", post(connections::create_connection)),
        ("update-ext-idp-conn", post(connections::update_connection)),
        ("delete-ext-idp-conn", post(connections::delete_connection)),
        ("change-ext-idp-conn-state", post(connections::change_state)),
        ("change-ext-idp-conn-association-state", post(connections::change_association)),
        ("ext-idp-conn-apps", get(connections::applications)),
        ("get-security-settings", get(pool::get)),
        ("update-security-settings", post(pool::update)),
        ("get-custom-fields", get(custom_data::fields)),
        ("list-custom-fields", get(custom_data::fields)),
        ("set-custom-fields", post(custom_data::set_fields)),
        ("delete-custom-fields", post(custom_data::delete_fields)),
        ("set-custom-data", post(custom_data::set)),
        ("get-custom-data", get(custom_data::get)),
        ("create-webhook", post(webhooks::create)),
        ("update-webhook", post(webhooks::update)),
        ("delete-webhook", post(webhooks::delete)),
        ("get-webhook", get(webhooks::get)),
        ("list-webhooks", get(webhooks::list)),
        ("trigger-webhook", post(webhooks::trigger)),
        ("get-webhook-logs", post(webhooks::logs)),
        ("get-webhook-event-list", get(webhooks::event_list)),
    ]
}

pub(crate) fn routes() -> Routes {
    let served = served()
        .into_iter()
        .fold(Routes::new(), |routes, (name, methods)| routes.route(&format!("/api/v3/{name}"), methods));
    served.merge(v2::routes()).merge(later::routes())
}
