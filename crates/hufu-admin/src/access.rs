//! Administrator logins, access keys, administrators and pools.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use hufu_app::administration::{
    AccessKey, AccessKeyRequest, Administrator, Appointment, PageRequest, administrator_revision,
};
use hufu_types::Refusal;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{
    AccessKeyId, AdminRole, ApplicationId, ClientSecret, Permission, PoolId, PoolRole, UserId, WebhookId,
};
use hufu_web::request::{Head, Path, Query};
use hufu_web::server;
use hufu_web::surface::Answer;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{
    Body, Caller, Paging, ProblemBody, answer, done, iso, ok, pool_id, timestamp, with_present,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    username: String,
    #[schema(write_only)]
    password: String,
    /// Replaces the password, and ends all other logins of the administrator.
    #[schema(write_only)]
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
    /// `owner`, `manager`, `support` or `auditor`: the first of `roles`.
    role: &'static str,
    /// The pool of that role. Null if it applies to all pools.
    pool: Option<String>,
    /// The roles, of which you see those in the pools whose administrators you manage.
    roles: Vec<RoleView>,
    status: &'static str,
    created_at: String,
    /// Send it as `If-Match` to avoid overwriting changes made by others in the meantime.
    revision: String,
    /// The generated password. Present only in the response that created the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// A role in one pool or in all of them.
#[derive(Serialize, ToSchema)]
pub(crate) struct RoleView {
    /// `owner`, `manager`, `support` or `auditor`.
    role: &'static str,
    /// Null if it applies to all pools.
    pool: Option<String>,
}

/// A role in one pool or, without `pool`, in all of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleWish {
    role: String,
    pool: Option<String>,
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
    /// Whether they have no role any more where the key is valid.
    created_by_dismissed: bool,
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
    /// The role, if there is one. Otherwise send `roles`.
    role: Option<String>,
    pool: Option<String>,
    /// The roles, one for a pool.
    roles: Option<Vec<RoleWish>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRoles {
    /// The role, if there is one. Otherwise send `roles`.
    role: Option<String>,
    pool: Option<String>,
    /// The roles, one for a pool.
    roles: Option<Vec<RoleWish>>,
}

/// Which keys to list.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct Made {
    /// The id of the administrator who created them.
    created_by: Option<String>,
    /// `next` of the previous page.
    cursor: Option<String>,
    /// The page size: 1 to 100. The default is 20.
    limit: Option<u32>,
}

/// What somebody who was dismissed made that may do what they may not do there any more.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DismissedView {
    /// The ids of the access keys, which ended.
    access_keys: Vec<String>,
    /// The management keys, which ended.
    management_keys: Vec<MadeView>,
    /// The webhooks, which go on. Look whether they should.
    webhooks: Vec<MadeView>,
    /// The client secrets, which go on, because the applications need them. Replace those that they know.
    client_secrets: Vec<MadeSecretView>,
}

/// A client secret that an administrator made.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeSecretView {
    pool: String,
    application: String,
    /// The id, to end it.
    id: String,
}

/// Something that an administrator made in a pool.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeView {
    pool: String,
    id: String,
    /// Only of webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// Where to dismiss somebody.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Dismissal {
    /// The pool whose role goes. Without it, all roles that you manage.
    pool: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Keys {
    /// In the order of creation.
    keys: Vec<KeyView>,
    /// Send this as `cursor` to get the next page. Null on the last page.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Administrators {
    /// By id.
    administrators: Vec<AdministratorView>,
    /// Send this as `cursor` to get the next page. Null on the last page.
    next: Option<String>,
}

pub(super) fn view(administrator: Administrator, password: Option<&SecretString>) -> AdministratorView {
    let revision = administrator_revision(&administrator.roles);
    let show = |role: PoolRole| RoleView { role: role.role.as_str(), pool: role.pool.map(String::from) };
    let first = administrator.roles.first();
    AdministratorView {
        id: administrator.user.into(),
        username: administrator.username,
        role: first.map_or("", |first| first.role.as_str()),
        pool: first.and_then(|first| first.pool.clone()).map(String::from),
        roles: administrator.roles.into_iter().map(show).collect(),
        revision,
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
        created_by_dismissed: key.is_orphan,
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

pub(super) fn scope(text: Option<&str>) -> Result<Option<PoolId>, Code> {
    text.map(pool_id).transpose()
}

/// The roles of a request: `roles`, or the one of `role` and `pool`.
fn roles(
    one: Option<&str>,
    pool: Option<&str>,
    many: Option<Vec<RoleWish>>,
) -> Result<Vec<PoolRole>, Refusal> {
    let read = |one: &str, pool: Option<&str>| Ok(PoolRole { role: role(one)?, pool: scope(pool)? });
    match (one, many) {
        (Some(one), None) => Ok(vec![read(one, pool)?]),
        (None, Some(many)) if pool.is_none() => {
            many.iter().map(|wish| read(&wish.role, wish.pool.as_deref())).collect()
        }
        (None, None) => Err(Refusal::invalid("role", Reason::Missing)),
        _ => Err(Refusal::invalid("roles", Reason::Malformed)),
    }
}

fn if_match(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(tag) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let tag = tag.to_str().map_err(|_| Refusal::invalid("If-Match", Reason::Malformed))?.trim_matches('"');
    Ok(Some(tag.to_owned()).filter(|tag| tag != "*"))
}

/// What became of a change. If somebody else was first, the refusal says what they made of the administrator.
async fn unless_changed<T>(
    caller: &Caller,
    user: &UserId,
    outcome: Result<T, Refusal>,
) -> Result<T, Refusal> {
    let Err(refusal) = outcome else { return outcome };
    let present = async { Ok(view(caller.app.administrator(&caller.by, user).await?, None)) };
    Err(with_present(refusal, present).await)
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
#[utoipa::path(get, path = "/admin/v1/keys", tag = "access", params(Made),
    responses((status = 200, body = Keys), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_keys(caller: Caller, Query(made): Query<Made>) -> Answer<Response> {
    let Made { created_by, cursor, limit } = made;
    let malformed = |_| Refusal::invalid("createdBy", Reason::Malformed);
    let created_by = created_by.as_deref().map(UserId::parse).transpose().map_err(malformed)?;
    let page = caller.app.access_keys(&caller.by, created_by, &PageRequest { cursor, limit }).await?;
    Ok(ok(&Keys { keys: page.rows.into_iter().map(|key| key_view(key, None)).collect(), next: page.next }))
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
///
/// Those who have roles in the pools whose administrators you manage, with these roles.
#[utoipa::path(get, path = "/admin/v1/administrators", tag = "access", params(Paging),
    responses((status = 200, body = Administrators), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_administrators(caller: Caller, Query(paging): Query<Paging>) -> Answer<Response> {
    let page = caller.app.administrators(&caller.by, &paging.into()).await?;
    let administrators = page.rows.into_iter().map(|found| view(found, None)).collect();
    Ok(ok(&Administrators { administrators, next: page.next }))
}

/// Create an administrator.
///
/// The generated password is only in this response. It is good for a first login with a `newPassword`.
#[utoipa::path(post, path = "/admin/v1/administrators", tag = "access", request_body = NewAdministrator,
    responses((status = 201, body = AdministratorView), (status = 409, body = ProblemBody)))]
pub(crate) async fn create_administrator(
    caller: Caller,
    Body(new): Body<NewAdministrator>,
) -> Answer<Response> {
    let roles = roles(new.role.as_deref(), new.pool.as_deref(), new.roles)?;
    let (administrator, password) = caller.app.create_administrator(&caller.by, &new.username, roles).await?;
    Ok(answer(StatusCode::CREATED, &view(administrator, Some(&password))))
}

/// Make a user of the system pool an administrator, or change an administrator's roles.
///
/// What is sent takes the place of all roles that you see. With `If-Match`, only if they have not been changed in the
/// meantime.
#[utoipa::path(put, path = "/admin/v1/administrators/{user}", tag = "access", request_body = NewRoles,
    params(("user" = String, Path)),
    responses((status = 200, body = AdministratorView), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody)))]
pub(crate) async fn appoint_administrator(
    caller: Caller,
    Path(user): Path<String>,
    headers: HeaderMap,
    Body(new): Body<NewRoles>,
) -> Answer<Response> {
    let roles = roles(new.role.as_deref(), new.pool.as_deref(), new.roles)?;
    let user = UserId::parse(&user).map_err(|_| Code::NoSuchAdministrator)?;
    let appointment = Appointment { roles, revision: if_match(&headers)? };
    let made = caller.app.appoint_administrator(&caller.by, &user, appointment).await;
    Ok(ok(&view(unless_changed(&caller, &user, made).await?, None)))
}

/// Dismiss an administrator.
///
/// In one pool, or in all whose administrators you manage. The access and management keys that they made and that may do
/// what they may not do there any more end immediately and, with the last role, their logins. The response says what they
/// made. With `If-Match`, only if the roles that you see have not been changed in the meantime.
#[utoipa::path(delete, path = "/admin/v1/administrators/{user}", tag = "access", params(("user" = String, Path), Dismissal),
    responses((status = 200, body = DismissedView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn dismiss_administrator(
    caller: Caller,
    Path(user): Path<String>,
    Query(dismissal): Query<Dismissal>,
    headers: HeaderMap,
) -> Answer<Response> {
    let user = UserId::parse(&user).map_err(|_| Code::NoSuchAdministrator)?;
    let pool = scope(dismissal.pool.as_deref())?;
    let revision = if_match(&headers)?;
    let made = caller.app.dismiss_administrator(&caller.by, &user, pool.as_ref(), revision).await;
    let made = unless_changed(&caller, &user, made).await?;
    let key = |(pool, id): (PoolId, AccessKeyId)| MadeView { pool: pool.into(), id: id.into(), name: None };
    let webhook = |(pool, id, name): (PoolId, WebhookId, String)| MadeView {
        pool: pool.into(),
        id: id.into(),
        name: Some(name),
    };
    let secret = |(pool, application, secret): (PoolId, ApplicationId, ClientSecret)| MadeSecretView {
        pool: pool.into(),
        application: application.into(),
        id: caller.app.client_secret_id(&secret),
    };
    Ok(ok(&DismissedView {
        access_keys: made.access_keys.into_iter().map(String::from).collect(),
        management_keys: made.management_keys.into_iter().map(key).collect(),
        webhooks: made.webhooks.into_iter().map(webhook).collect(),
        client_secrets: made.client_secrets.into_iter().map(secret).collect(),
    }))
}
