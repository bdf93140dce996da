//! Users: search, create, read, change, enable and disable, delete.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use hufu_app::administration::{
    AccountChange, Change, Found, Matching, Name, NewAccount, NewPassword, StatusChange, UserQuery,
};
use hufu_app::official_account::Following;
use hufu_app::{ProfileChange, identity_id};
use hufu_types::Refusal;
use hufu_types::refusal::Reason;
use hufu_types::{
    Email, Gender, Identity, IdentityKind, NameError, Phone, PoolId, Profile, Timestamp, User, UserId,
    UserStatus, Username,
};
use hufu_web::request::{Path, Query};
use hufu_web::surface::Answer;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::caller::{
    Body, Caller, ProblemBody, answer, done, iso, ok, pool_id, timestamp, user_id, with_present,
};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// The text to search for. Without it all users are listed, newest first. ASCII letters match in either
    /// case.
    q: Option<String>,
    /// `prefix` of a username, e-mail address, phone number, nickname or name. `substring` of one of these
    /// (at least three characters). `exact`, which also matches an id or external id.
    #[serde(rename = "match")]
    #[param(rename = "match")]
    matching: Option<String>,
    /// `Activated`, `Suspended`, `Archived` or `Deactivated`.
    status: Option<String>,
    /// RFC 3339, inclusive.
    created_from: Option<String>,
    /// RFC 3339, exclusive.
    created_before: Option<String>,
    /// `next` of the previous page.
    cursor: Option<String>,
    /// 1 to 100. The default is 20.
    limit: Option<u32>,
}

/// The fields of a user to write. Absent fields remain unchanged; `null` clears a field.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UserBody {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    username: Change<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    email: Change<String>,
    /// In international form: `+8613800000000`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    phone: Change<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    external_id: Change<String>,
    /// Profile fields: `nickname`, `name`, `givenName`, `photo`, …, and `gender`, which is `M`, `F` or `U`.
    #[serde(default)]
    #[schema(value_type = Object)]
    profile: Map<String, Value>,
    /// Custom data by key; `null` removes a key.
    #[serde(default)]
    #[schema(value_type = Object)]
    custom_data: Map<String, Value>,
    /// Whether the user must set a new password at the next login.
    must_reset: Option<bool>,
    /// Only allowed when the user is created.
    #[schema(write_only)]
    password: Option<String>,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct PasswordBody {
    /// The new password. Without it one is generated and returned.
    #[schema(write_only)]
    password: Option<String>,
    /// Whether the user must set another password at the next login.
    must_reset: bool,
    /// Whether the user's sessions are kept.
    keep_sessions: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PasswordAnswer {
    /// The generated password, which is only in this response. Null if the request contained a password.
    password: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdentityView {
    pub(super) id: String,
    provider: String,
    realm: String,
    kind: &'static str,
    value: String,
    connection_id: String,
    /// What the source last said about the person, in its own names, such as `nickname` and `headimgurl`. It proves
    /// nothing.
    user_info_in_idp: serde_json::Map<String, serde_json::Value>,
    created_at: String,
    /// When they last followed the official account whose OpenID this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    followed_at: Option<String>,
    /// When they ceased to follow it. Absent for somebody who follows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    unfollowed_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserView {
    id: String,
    pool_id: String,
    status: &'static str,
    username: Option<String>,
    email: Option<String>,
    email_verified: bool,
    phone: Option<String>,
    /// How the phone number was verified: `none`, `code`, `wechat` or `administrator`.
    phone_proof: Option<&'static str>,
    external_id: Option<String>,
    profile: Map<String, Value>,
    custom_data: Map<String, Value>,
    has_password: bool,
    must_reset: bool,
    logins_count: i64,
    last_login_at: Option<String>,
    last_ip: Option<String>,
    last_application: Option<String>,
    register_source: String,
    created_at: String,
    /// Send it as `If-Match` to avoid overwriting changes made by others in the meantime.
    updated_at: String,
    delete_after: Option<String>,
    /// The account that this one was merged into.
    merged_into: Option<String>,
    /// The id in the request, if its account was merged into this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identities: Option<Vec<IdentityView>>,
    /// Accounts that were merged into this one, with the login names that still lead here.
    #[serde(skip_serializing_if = "Option::is_none")]
    merged: Option<Vec<MergedNames>>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MergedNames {
    id: String,
    username: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    external_id: Option<String>,
}

/// Exactly one login name of an account that was merged into the one in the path.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NameBody {
    username: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    external_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Users {
    users: Vec<UserView>,
    /// Send this as `cursor` to get the next page. Null on the last page.
    next: Option<String>,
}

/// Deserializes a field that is present. `null` means that the field is cleared.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Change<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.map_or(Change::Clear, Change::Set))
}

/// Converts `given_name` to `givenName`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| {
        let mut letters = word.chars();
        let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
        text + &initial.into_iter().chain(letters).collect::<String>()
    })
}

pub(super) fn view(user: User) -> UserView {
    let fields =
        Profile::FIELDS.iter().filter_map(|name| Some((camel(name), user.profile.field(name)?.into())));
    let gender = user.profile.gender.map(|gender| ("gender".to_owned(), gender.as_str().into()));
    let profile = fields.chain(gender).collect();
    UserView {
        id: user.id.into(),
        pool_id: user.pool.into(),
        status: user.status.as_str(),
        username: user.username.map(|name| name.as_str().to_owned()),
        email: user.email.map(|email| email.as_str().to_owned()),
        email_verified: user.email_verified,
        phone_proof: user.phone.as_ref().map(|(_, proof)| proof.as_str()),
        phone: user.phone.map(|(phone, _)| phone.as_str().to_owned()),
        external_id: user.external_id,
        profile,
        custom_data: user.custom_data,
        has_password: user.password_set_at.is_some(),
        must_reset: user.must_reset,
        logins_count: user.logins_count,
        last_login_at: user.last_login_at.map(iso),
        last_ip: user.last_ip,
        last_application: user.last_application.map(String::from),
        register_source: user.register_source,
        created_at: iso(user.created_at),
        updated_at: iso(user.updated_at),
        delete_after: user.delete_after.map(iso),
        merged_into: user.merged_into.map(String::from),
        merged_from: None,
        identities: None,
        merged: None,
    }
}

pub(super) fn identity_view(pool: &PoolId, identity: &Identity, following: &[Following]) -> IdentityView {
    let key = &identity.key;
    let is_its =
        |of: &&Following| key.kind == IdentityKind::Openid && of.realm == key.realm && of.openid == key.value;
    let of_account = following.iter().find(is_its);
    IdentityView {
        followed_at: of_account.and_then(|of| of.followed_at).map(iso),
        unfollowed_at: of_account.and_then(|of| of.unfollowed_at).map(iso),
        id: identity_id(pool, &identity.key),
        provider: identity.key.provider().to_owned(),
        realm: identity.key.realm.clone(),
        kind: identity.key.kind.as_str(),
        value: identity.key.value.clone(),
        connection_id: identity.connection.as_str().to_owned(),
        user_info_in_idp: identity.user_info.members().clone(),
        created_at: iso(identity.created_at),
    }
}

/// A user as `GET` shows them.
fn found_view(pool: &PoolId, found: Found) -> UserView {
    let Found { user, identities, following, merged_from, merged } = found;
    let identities = identities.iter().map(|identity| identity_view(pool, identity, &following)).collect();
    let merged_from = merged_from.map(String::from);
    let merged = merged.into_iter().map(|merged| MergedNames {
        id: merged.id.into(),
        username: merged.username.map(|name| name.as_str().to_owned()),
        email: merged.email.map(|email| email.as_str().to_owned()),
        phone: merged.phone.map(|(phone, _)| phone.as_str().to_owned()),
        external_id: merged.external_id,
    });
    let (identities, merged) = (Some(identities), Some(merged.collect()));
    UserView { merged_from, identities, merged, ..view(user) }
}

/// A user, with the `ETag` that `If-Match` accepts.
fn tagged(status: StatusCode, view: &UserView) -> Response {
    let tag = HeaderValue::from_str(&format!("\"{}\"", view.updated_at));
    let mut response = answer(status, view);
    if let Ok(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn change(body: UserBody, unchanged_since: Option<Timestamp>) -> Result<AccountChange, Refusal> {
    fn name<T, E: Into<Reason>>(
        field: &'static str,
        text: Change<String>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Change<T>, Refusal> {
        match text {
            Change::Keep => Ok(Change::Keep),
            Change::Clear => Ok(Change::Clear),
            Change::Set(text) => {
                parse(&text).map(Change::Set).map_err(|error| Refusal::invalid(field, error.into()))
            }
        }
    }
    let mut profile = ProfileChange { custom_data: body.custom_data, ..ProfileChange::default() };
    for (key, value) in body.profile {
        let text = match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            _ => return Err(Refusal::invalid(format!("profile.{}", shown(&key)), Reason::NotText)),
        };
        if key == "gender" {
            let gender = Gender::parse(text.as_deref().unwrap_or("U"));
            profile.gender = Some(gender.ok_or_else(|| {
                Refusal::invalid("profile.gender", Reason::NotOneOf { choices: "M, F, U".into() })
            })?);
            continue;
        }
        let field = Profile::FIELDS.iter().find(|field| camel(field) == key);
        let field = field.ok_or_else(|| {
            let choices: Vec<String> = Profile::FIELDS.iter().map(|field| camel(field)).collect();
            let choices: Vec<&str> = choices.iter().map(String::as_str).chain(["gender"]).collect();
            Refusal::no_such_field(&format!("profile.{key}"), &choices)
        })?;
        profile.fields.push((field, text));
    }
    let external_id = |text: &str| Ok::<_, std::convert::Infallible>(text.to_owned());
    Ok(AccountChange {
        username: name("username", body.username, Username::parse)?,
        email: name("email", body.email, Email::parse)?,
        phone: name("phone", body.phone, Phone::parse)?,
        external_id: name("externalId", body.external_id, external_id)?,
        must_reset: body.must_reset,
        profile,
        unchanged_since,
    })
}

fn shown(key: &str) -> String {
    key.chars().filter(|c| !c.is_control()).take(64).collect()
}

fn if_match(headers: &HeaderMap) -> Result<Option<Timestamp>, Refusal> {
    let Some(tag) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let tag = tag.to_str().unwrap_or("?").trim_matches('"');
    if tag == "*" { Ok(None) } else { timestamp("If-Match", Some(tag)) }
}

/// Search users.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/users", tag = "users", params(("pool" = String, Path), Search),
    responses((status = 200, body = Users), (status = 422, body = ProblemBody)))]
pub(crate) async fn search(
    caller: Caller,
    Path(pool): Path<String>,
    Query(asked): Query<Search>,
) -> Answer<Response> {
    let matching = match asked.matching.as_deref() {
        None | Some("prefix") => Matching::Prefix,
        Some("substring") => Matching::Substring,
        Some("exact") => Matching::Exact,
        Some(_) => {
            return Err(Refusal::invalid(
                "match",
                Reason::NotOneOf { choices: "prefix, substring, exact".into() },
            )
            .into());
        }
    };
    let status = asked.status.as_deref().map(|text| {
        let choices = "Activated, Suspended, Archived, Deactivated".into();
        UserStatus::parse(text).ok_or_else(|| Refusal::invalid("status", Reason::NotOneOf { choices }))
    });
    let query = UserQuery {
        matching,
        status: status.transpose()?,
        created_from: timestamp("createdFrom", asked.created_from.as_deref())?,
        created_before: timestamp("createdBefore", asked.created_before.as_deref())?,
        text: asked.q,
        cursor: asked.cursor,
        limit: asked.limit,
    };
    let pool = pool_id(&pool)?;
    let page = caller.app.search_users(&caller.by, &pool, query).await?;
    Ok(ok(&Users { users: page.users.into_iter().map(view).collect(), next: page.next }))
}

/// Create a user.
///
/// At least one of username, email, phone and externalId is required.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/users", tag = "users", params(("pool" = String, Path)),
    request_body = UserBody,
    responses((status = 201, body = UserView), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn create(
    caller: Caller,
    Path(pool): Path<String>,
    Body(mut body): Body<UserBody>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let password = body.password.take().map(SecretString::from);
    let new = NewAccount { account: change(body, None)?, password };
    let user = caller.app.create_user(&caller.by, &pool, new).await?;
    Ok(tagged(StatusCode::CREATED, &view(user)))
}

/// Get a user with identities.
///
/// For a user that was merged into another, the other one is returned.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/users/{user}", tag = "users",
    params(("pool" = String, Path), ("user" = String, Path)),
    responses((status = 200, body = UserView), (status = 404, body = ProblemBody)))]
pub(crate) async fn get(caller: Caller, Path((pool, user)): Path<(String, String)>) -> Answer<Response> {
    let (pool, user) = user_id(&pool, &user)?;
    let found = caller.app.find_user(&caller.by, &pool, &user).await?;
    Ok(tagged(StatusCode::OK, &found_view(&pool, found)))
}

/// Remove a login name that came from a merged account, for example because its phone number was given up.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/users/{user}/unbind-merged-name", tag = "users",
    params(("pool" = String, Path), ("user" = String, Path)), request_body = NameBody,
    responses((status = 204), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn unbind_merged_name(
    caller: Caller,
    Path((pool, user)): Path<(String, String)>,
    Body(body): Body<NameBody>,
) -> Answer<Response> {
    let (pool, user) = user_id(&pool, &user)?;
    let wrong = |field: &'static str, error: NameError| Refusal::invalid(field, error.into());
    let name = match (body.username, body.email, body.phone, body.external_id) {
        (Some(name), None, None, None) => {
            Name::Username(Username::parse(&name).map_err(|error| wrong("username", error))?)
        }
        (None, Some(email), None, None) => {
            Name::Email(Email::parse(&email).map_err(|error| wrong("email", error))?)
        }
        (None, None, Some(phone), None) => {
            Name::Phone(Phone::parse(&phone).map_err(|error| wrong("phone", error))?)
        }
        (None, None, None, Some(id)) => Name::ExternalId(id),
        _ => return Err(Refusal::invalid("username, email, phone, externalId", Reason::OneNeeded).into()),
    };
    let done_with = caller.app.unbind_merged_name_of(&caller.by, &pool, &user, name).await;
    done_with?;
    Ok(done())
}

/// Change a user.
///
/// With `If-Match`, only if it has not been changed in the meantime.
#[utoipa::path(patch, path = "/admin/v1/pools/{pool}/users/{user}", tag = "users", request_body = UserBody,
    params(("pool" = String, Path), ("user" = String, Path)),
    responses((status = 200, body = UserView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn update(
    caller: Caller,
    Path((pool, user)): Path<(String, String)>,
    headers: HeaderMap,
    Body(body): Body<UserBody>,
) -> Answer<Response> {
    let (pool, user) = user_id(&pool, &user)?;
    if body.password.is_some() {
        return Err(Refusal::invalid("password", Reason::SetElsewhere { place: "POST …/password" }).into());
    }
    let change = change(body, if_match(&headers)?)?;
    let changed = caller.app.update_user(&caller.by, &pool, &user, change).await;
    Ok(tagged(StatusCode::OK, &view(unless_changed(&caller, &pool, &user, changed).await?)))
}

/// Delete a user permanently.
///
/// With `If-Match`, only if it has not been changed in the meantime.
#[utoipa::path(delete, path = "/admin/v1/pools/{pool}/users/{user}", tag = "users",
    params(("pool" = String, Path), ("user" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn delete(
    caller: Caller,
    Path((pool, user)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let ((pool, user), since) = (user_id(&pool, &user)?, if_match(&headers)?);
    let deleted = caller.app.delete_user_unless_changed(&caller.by, &pool, &user, since).await;
    unless_changed(&caller, &pool, &user, deleted).await?;
    Ok(done())
}

/// Set a password, or generate one.
///
/// With `If-Match`, only if the user has not been changed in the meantime.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/users/{user}/password", tag = "users",
    params(("pool" = String, Path), ("user" = String, Path)), request_body = PasswordBody,
    responses((status = 200, body = PasswordAnswer), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(crate) async fn set_password(
    caller: Caller,
    Path((pool, user)): Path<(String, String)>,
    headers: HeaderMap,
    Body(body): Body<PasswordBody>,
) -> Answer<Response> {
    let ((pool, user), since) = (user_id(&pool, &user)?, if_match(&headers)?);
    let PasswordBody { password, must_reset, keep_sessions } = body;
    let wish = NewPassword { password: password.map(SecretString::from), must_reset, keep_sessions };
    let made = caller.app.set_password_unless_changed(&caller.by, &pool, &user, wish, since).await;
    let made = unless_changed(&caller, &pool, &user, made).await?;
    Ok(ok(&PasswordAnswer { password: made.map(|made| made.expose_secret().to_owned()) }))
}

/// What became of a change. If somebody else was first, the refusal says what they made of the user.
async fn unless_changed<T>(
    caller: &Caller,
    pool: &PoolId,
    user: &UserId,
    outcome: Result<T, Refusal>,
) -> Result<T, Refusal> {
    let Err(refusal) = outcome else { return outcome };
    let present = async {
        let found = caller.app.find_user(&caller.by, pool, user).await?;
        Ok(found_view(pool, found))
    };
    Err(with_present(refusal, present).await)
}

async fn set_status(
    caller: &Caller,
    pool: &str,
    user: &str,
    headers: &HeaderMap,
    change: StatusChange,
) -> Answer<Response> {
    let ((pool, user), since) = (user_id(pool, user)?, if_match(headers)?);
    let changed = caller.app.change_status_unless_changed(&caller.by, &pool, &user, change, since).await;
    Ok(tagged(StatusCode::OK, &view(unless_changed(caller, &pool, &user, changed).await?)))
}

/// Disable a user.
///
/// All their sessions end. With `If-Match`, only if the user has not been changed in the meantime.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/users/{user}/disable", tag = "users",
    params(("pool" = String, Path), ("user" = String, Path)),
    responses((status = 200, body = UserView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn disable(
    caller: Caller,
    Path((pool, user)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    set_status(&caller, &pool, &user, &headers, StatusChange::Disable).await
}

/// Enable a disabled or archived user.
///
/// With `If-Match`, only if the user has not been changed in the meantime.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/users/{user}/enable", tag = "users",
    params(("pool" = String, Path), ("user" = String, Path)),
    responses((status = 200, body = UserView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn enable(
    caller: Caller,
    Path((pool, user)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    set_status(&caller, &pool, &user, &headers, StatusChange::Enable).await
}

/// Archive a user.
///
/// All their sessions end. With `If-Match`, only if the user has not been changed in the meantime.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/users/{user}/archive", tag = "users",
    params(("pool" = String, Path), ("user" = String, Path)),
    responses((status = 200, body = UserView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn archive(
    caller: Caller,
    Path((pool, user)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    set_status(&caller, &pool, &user, &headers, StatusChange::Archive).await
}

/// Cancel the deletion that a user requested.
///
/// With `If-Match`, only if the user has not been changed in the meantime.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/users/{user}/cancel-deletion", tag = "users",
    params(("pool" = String, Path), ("user" = String, Path)),
    responses((status = 200, body = UserView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn cancel_deletion(
    caller: Caller,
    Path((pool, user)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    set_status(&caller, &pool, &user, &headers, StatusChange::CancelDeletion).await
}
