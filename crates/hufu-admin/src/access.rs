//! Administrator logins, access keys, administrators and pools.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hufu_app::administration::{AccessKey, AccessKeyRequest, Administrator};
use hufu_types::Refusal;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{AccessKeyId, AdminRole, Permission, PoolId, UserId};
use hufu_web::request::{Head, Path};
use hufu_web::server;
use hufu_web::surface::Answer;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Body, Caller, ProblemBody, answer, done, iso, ok, pool_id, timestamp};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    username: String,
    password: String,
    /// Replaces the password, and ends all other logins of the administrator.
    #[serde(rename = "newPassword")]
    new_password: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginAnswer {
    /// The access key.
    key: String,
    expires_at: String,
    administrator: AdministratorView,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdministratorView {
    /// The id of the user in the system pool.
    id: String,
    username: Option<String>,
    /// `owner`, `manager`, `support` or `auditor`.
    role: &'static str,
    /// The pool that the role is limited to. Null if it applies to all pools.
    pool: Option<String>,
    status: &'static str,
    created_at: String,
    /// The generated password. Present only in the response that created the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyView {
    id: String,
    name: String,
    role: &'static str,
    /// What it may do, which is at most what its role may.
    permissions: Vec<&'static str>,
    pool: Option<String>,
    created_at: String,
    /// The administrator who created it, directly or with a key of theirs. Null if it was created on the command
    /// line. It ends when they are dismissed.
    created_by: Option<String>,
    /// Null for a key of an earlier version, which does not expire.
    expires_at: Option<String>,
    /// The key itself. Present only in the response that created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewKey {
    name: String,
    role: String,
    /// What the key may do of what its role may, such as `users.read`. Without it, all of it.
    permissions: Option<Vec<String>>,
    pool: Option<String>,
    /// RFC 3339. Without it the key expires after `key_life`, a year; `key_life_max` is the furthest it may lie
    /// ahead.
    expires_at: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAdministrator {
    username: String,
    role: String,
    pool: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Appointment {
    role: String,
    pool: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PoolView {
    id: String,
    name: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Keys {
    keys: Vec<KeyView>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Administrators {
    administrators: Vec<AdministratorView>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Pools {
    pools: Vec<PoolView>,
}

fn view(administrator: Administrator, password: Option<&SecretString>) -> AdministratorView {
    AdministratorView {
        id: administrator.user.into(),
        username: administrator.username,
        role: administrator.role.as_str(),
        pool: administrator.scope.map(String::from),
        status: administrator.status.as_str(),
        created_at: iso(administrator.created_at),
        password: password.map(|password| password.expose_secret().to_owned()),
    }
}

fn key_view(key: AccessKey, text: Option<&SecretString>) -> KeyView {
    KeyView {
        id: key.id.into(),
        name: key.name,
        permissions: key
            .permissions
            .as_deref()
            .unwrap_or(key.role.permissions())
            .iter()
            .map(|permission| permission.as_str())
            .collect(),
        role: key.role.as_str(),
        pool: key.scope.map(String::from),
        created_at: iso(key.created_at),
        created_by: key.created_by.map(String::from),
        expires_at: key.expires_at.map(iso),
        key: text.map(|text| text.expose_secret().to_owned()),
    }
}

pub(super) fn role(text: &str) -> Result<AdminRole, Refusal> {
    AdminRole::parse(text).ok_or_else(|| {
        Refusal::invalid("role", Reason::NotOneOf { choices: "owner, manager, support, auditor".into() })
    })
}

fn permission(text: &str) -> Result<Permission, Refusal> {
    Permission::parse(text).ok_or_else(|| {
        let choices = Permission::ALL.iter().map(|permission| permission.as_str()).collect::<Vec<_>>();
        Refusal::invalid("permissions", Reason::NotOneOf { choices: choices.join(", ").into() })
    })
}

fn scope(text: Option<&str>) -> Result<Option<PoolId>, Code> {
    text.map(pool_id).transpose()
}

/// Log in as an administrator.
///
/// The response contains an access key that is valid for some hours.
#[utoipa::path(post, path = "/admin/v1/sessions", tag = "access", request_body = Login, security(()),
    responses((status = 201, body = LoginAnswer), (status = 401, body = ProblemBody), (status = 429, body = ProblemBody)))]
pub(crate) async fn log_in(
    State(shared): server::State,
    head: Head,
    Body(login): Body<Login>,
) -> Answer<Response> {
    let Login { username, password, new_password } = login;
    let (password, new_password) = (SecretString::from(password), new_password.map(SecretString::from));
    let login = shared.app.log_in_administrator(&username, password, new_password, &head.origin()).await?;
    let body = LoginAnswer {
        key: login.key.expose_secret().to_owned(),
        expires_at: iso(login.expires_at),
        administrator: view(login.administrator, None),
    };
    Ok(answer(StatusCode::CREATED, &body))
}

/// Log out.
///
/// The access key of the login becomes invalid.
#[utoipa::path(delete, path = "/admin/v1/sessions/current", tag = "access",
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn log_out(caller: Caller) -> Answer<Response> {
    caller.app.log_out_administrator(&caller.by).await?;
    Ok(done())
}

/// List access keys.
#[utoipa::path(get, path = "/admin/v1/keys", tag = "access", responses((status = 200, body = Keys)))]
pub(crate) async fn list_keys(caller: Caller) -> Answer<Response> {
    let keys = caller.app.access_keys(&caller.by).await?;
    Ok(ok(&Keys { keys: keys.into_iter().map(|key| key_view(key, None)).collect() }))
}

/// Create an access key.
///
/// Its text is only in this response.
#[utoipa::path(post, path = "/admin/v1/keys", tag = "access", request_body = NewKey,
    responses((status = 201, body = KeyView), (status = 422, body = ProblemBody)))]
pub(crate) async fn create_key(caller: Caller, Body(new): Body<NewKey>) -> Answer<Response> {
    let permissions = new.permissions.map(|names| names.iter().map(|name| permission(name)).collect());
    let wish = AccessKeyRequest {
        role: role(&new.role)?,
        permissions: permissions.transpose()?,
        pool: scope(new.pool.as_deref())?,
        expires_at: timestamp("expiresAt", new.expires_at.as_deref())?,
        name: new.name,
    };
    let (key, text) = caller.app.create_access_key(&caller.by, wish).await?;
    Ok(answer(StatusCode::CREATED, &key_view(key, Some(&text))))
}

/// Revoke an access key.
#[utoipa::path(delete, path = "/admin/v1/keys/{key}", tag = "access", params(("key" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn revoke_key(caller: Caller, Path(key): Path<String>) -> Answer<Response> {
    let id = AccessKeyId::parse(&key).map_err(|_| Code::NoSuchAccessKey)?;
    caller.app.revoke_access_key(&caller.by, &id).await?;
    Ok(done())
}

/// List administrators.
#[utoipa::path(get, path = "/admin/v1/administrators", tag = "access", responses((status = 200, body = Administrators)))]
pub(crate) async fn list_administrators(caller: Caller) -> Answer<Response> {
    let found = caller.app.administrators(&caller.by).await?;
    Ok(ok(&Administrators { administrators: found.into_iter().map(|found| view(found, None)).collect() }))
}

/// Create an administrator.
///
/// The generated password is only in this response.
#[utoipa::path(post, path = "/admin/v1/administrators", tag = "access", request_body = NewAdministrator,
    responses((status = 201, body = AdministratorView), (status = 409, body = ProblemBody)))]
pub(crate) async fn create_administrator(
    caller: Caller,
    Body(new): Body<NewAdministrator>,
) -> Answer<Response> {
    let (role, scope) = (role(&new.role)?, scope(new.pool.as_deref())?);
    let (administrator, password) =
        caller.app.create_administrator(&caller.by, &new.username, role, scope).await?;
    Ok(answer(StatusCode::CREATED, &view(administrator, Some(&password))))
}

/// Make a user of the system pool an administrator, or change an administrator's role.
#[utoipa::path(put, path = "/admin/v1/administrators/{user}", tag = "access", request_body = Appointment,
    params(("user" = String, Path)),
    responses((status = 200, body = AdministratorView), (status = 404, body = ProblemBody)))]
pub(crate) async fn appoint_administrator(
    caller: Caller,
    Path(user): Path<String>,
    Body(appointment): Body<Appointment>,
) -> Answer<Response> {
    let (role, scope) = (role(&appointment.role)?, scope(appointment.pool.as_deref())?);
    let user = UserId::parse(&user).map_err(|_| Code::NoSuchAdministrator)?;
    let made = caller.app.appoint_administrator(&caller.by, &user, role, scope).await;
    Ok(ok(&view(made?, None)))
}

/// Dismiss an administrator.
///
/// Their logins and the access keys that they created end immediately.
#[utoipa::path(delete, path = "/admin/v1/administrators/{user}", tag = "access", params(("user" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn dismiss_administrator(caller: Caller, Path(user): Path<String>) -> Answer<Response> {
    let user = UserId::parse(&user).map_err(|_| Code::NoSuchAdministrator)?;
    caller.app.dismiss_administrator(&caller.by, &user).await?;
    Ok(done())
}

/// List the user pools that the key has access to.
#[utoipa::path(get, path = "/admin/v1/pools", tag = "access", responses((status = 200, body = Pools)))]
pub(crate) async fn list_pools(caller: Caller) -> Answer<Response> {
    let pools = caller.app.pools_of(&caller.by).into_iter();
    Ok(ok(&Pools { pools: pools.map(|(id, name)| PoolView { id: id.into(), name }).collect() }))
}
