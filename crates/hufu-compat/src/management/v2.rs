//! The calls of the published v2 management client: users in the form of its GraphQL ([`crate::graphql`]), and its REST calls.

use axum::extract::{FromRequest as _, FromRequestParts as _};
use axum::extract::{Request, State};
use axum::routing::{get, patch, post};
use hufu_app::administration::UserName;
use hufu_app::audit::AuditEvent;
use hufu_app::{Refusal, named};
use hufu_types::refusal::Code;
use hufu_types::{ApplicationId, Identity, User, UserId};
use hufu_web::Routes;
use hufu_web::request::Path;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

pub(crate) mod pool;
mod sources;

use super::call::Call;
use super::sent::Sent;
use super::users::{BATCH, user_name};
use super::{applications, changes, logs, put};
use crate::envelope::Success;
use crate::graphql::custom_data;
use crate::request::Head;
use crate::server;
use crate::surface::Answer;
use crate::user::UserV2;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/api/v2/users/{id}", get(detail))
        .route("/api/v2/users/batch", post(batch))
        .route("/api/v2/users/kick", post(kick))
        .route("/api/v2/users/login-status", get(login_status))
        .route("/api/v2/users/identity/link", post(link_identity))
        .route("/api/v2/users/identity/unlink", post(unlink_identity))
        .route("/api/v2/analysis/user-action", get(user_actions))
        .route("/api/v2/analysis/audit", get(admin_actions))
        .route("/api/v2/applications", get(list_applications).post(create_application))
        .route("/api/v2/applications/{id}", get(get_application).delete(delete_application))
        .route("/api/v2/application/{id}/refresh-secret", patch(refresh_secret))
        .merge(sources::routes())
        .merge(pool::routes())
}

/// A user with identities and custom data.
fn told(user: User, identities: Vec<Identity>) -> UserV2 {
    let custom = user.custom_data.clone();
    UserV2 { custom, ..UserV2::new(user, None).with_identities(identities) }
}

/// A user with identities, by id.
pub(crate) async fn with_identities(call: &Call, id: &UserId) -> Result<UserV2, Refusal> {
    let found = call.app.find_user(&call.by, &call.pool, id).await?;
    Ok(told(found.user, found.identities))
}

/// The user that the first of these names is of. `None` if there is none.
pub(crate) async fn find(
    call: &Call,
    names: [(&'static str, Option<String>); 4],
) -> Result<Option<UserV2>, Refusal> {
    let name = names.iter().find_map(|(kind, text)| Some((*kind, named(text.as_deref()?)?)));
    let Some((kind, text)) = name else {
        let field = "email, phone, username, externalId";
        return Err(Refusal::invalid(field, hufu_types::refusal::Reason::OneNeeded));
    };
    match call.app.find_named_user(&call.by, &call.pool, user_name(Some(kind), text)?).await {
        Ok(found) => Ok(Some(told(found.user, found.identities))),
        Err(refusal) if refusal.is(Code::UserUnknown) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// What a change of the v2 client says, in the words of v3.
fn in_v3(mut sent: Map<String, Value>) -> Map<String, Value> {
    if let Some(blocked) = sent.remove("blocked").and_then(|blocked| blocked.as_bool()) {
        sent.insert("status".to_owned(), if blocked { "Suspended" } else { "Activated" }.into());
    }
    sent
}

/// The user whose identity this is, at a connection by its identifier; without one, at those of a type.
pub(crate) async fn find_by_identity(
    call: &Call,
    identity: Map<String, Value>,
) -> Result<Option<UserV2>, Refusal> {
    let sent = Sent(identity);
    let value = sent.required("userIdInIdp")?;
    let connections = match sent.text("identifier")? {
        Some(identifier) => vec![identifier.to_owned()],
        None => call.connections_of_type(sent.required("provider")?).await?,
    };
    for connection in connections {
        let name = UserName::Identity { connection, value: value.to_owned() };
        match call.app.find_named_user(&call.by, &call.pool, name).await {
            Ok(found) => return Ok(Some(told(found.user, found.identities))),
            Err(refusal) if refusal.is(Code::UserUnknown) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(None)
}

/// Creates a user, with an identity that names its connection.
pub(crate) async fn create(
    call: &Call,
    sent: Map<String, Value>,
    identity: Option<Value>,
    must_reset: bool,
) -> Result<UserV2, Refusal> {
    let mut sent = in_v3(sent);
    if let Some(Value::Object(identity)) = identity {
        let of = |name: &str| identity.get(name).cloned().unwrap_or_default();
        let identity = json!({ "extIdpId": of("connectionId"), "userIdInIdp": of("userIdInIdp") });
        sent.insert("identities".to_owned(), json!([identity]));
    }
    let options = Sent(Map::from_iter([("resetPasswordOnFirstLogin".to_owned(), must_reset.into())]));
    let made = call.create_one(&Sent(sent), &options).await?;
    with_identities(call, &id_of(&made)?).await
}

/// Changes a user.
pub(crate) async fn update(call: &Call, id: &str, sent: Map<String, Value>) -> Result<UserV2, Refusal> {
    let mut sent = in_v3(sent);
    sent.insert("userId".to_owned(), id.into());
    let changed = call.update_one(&Sent(sent), &Sent::default()).await?;
    with_identities(call, &id_of(&changed)?).await
}

fn id_of(user: &Value) -> Result<UserId, Refusal> {
    let id = user.get("userId").and_then(Value::as_str).unwrap_or_default();
    UserId::parse(id).map_err(|_| Code::UserUnknown.into())
}

/// Deletes users by their ids.
pub(crate) async fn delete(call: &Call, ids: &[String]) -> Result<(), Refusal> {
    for id in ids.iter().take(BATCH) {
        call.delete_named(user_name(None, id)).await?;
    }
    if ids.len() > BATCH {
        let reason = hufu_types::refusal::Reason::TooManyItems { max: BATCH };
        return Err(Refusal::invalid("ids", reason));
    }
    Ok(())
}

/// A user as REST, with custom data if it is asked for.
fn rest(call: &Call, user: UserV2, with_custom_data: bool) -> Value {
    let custom =
        with_custom_data.then(|| custom_data::list(&user.custom, &call.app.config().settings(&call.pool)));
    let mut told = serde_json::to_value(user).unwrap_or_default();
    if let Some(custom) = custom {
        put(&mut told, "customData", serde_json::to_value(custom).unwrap_or_default());
    }
    told
}

/// The call, and the id in its path.
async fn with_path(shared: &std::sync::Arc<server::Shared>, request: Request) -> Answer<(Call, String)> {
    let (mut parts, _) = request.into_parts();
    let Path(id) = Path::<String>::from_request_parts(&mut parts, shared).await?;
    Ok((Call::read(parts, &[], shared).await?, id))
}

/// The same of a call with a body.
async fn with_path_and_body(
    shared: &std::sync::Arc<server::Shared>,
    request: Request,
) -> Answer<(Call, String)> {
    let (mut parts, body) = request.into_parts();
    let Path(id) = Path::<String>::from_request_parts(&mut parts, shared).await?;
    Ok((Call::from_request(Request::from_parts(parts, body), shared).await?, id))
}

/// `GET users/{id}`
async fn detail(State(shared): server::State, request: Request) -> Answer<Success<Value>> {
    let (call, id) = with_path(&shared, request).await?;
    let id = UserId::parse(&id).map_err(|_| Code::UserUnknown)?;
    let user = with_identities(&call, &id).await?;
    let with_custom_data = call.sent.is("with_custom_data")?;
    Ok(Success::new(rest(&call, user, with_custom_data)))
}

/// `POST users/batch`
async fn batch(call: Call) -> Answer<Success<Value>> {
    let kind = match call.sent.text("type")? {
        None | Some("id") => "user_id",
        Some("externalId") => "external_id",
        Some(kind) => kind,
    };
    let with_custom_data = call.sent.is("withCustomData")?;
    let mut list = Vec::new();
    for id in call.sent.texts("ids", BATCH)? {
        match call.app.find_named_user(&call.by, &call.pool, user_name(Some(kind), &id)?).await {
            Ok(found) => list.push(rest(&call, told(found.user, found.identities), with_custom_data)),
            Err(refusal) if refusal.is(Code::UserUnknown) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(Success::new(list.into()))
}

/// `POST users/kick`
async fn kick(call: Call) -> Answer<Success<()>> {
    for id in call.sent.texts("userIds", BATCH)? {
        let id = UserId::parse(&id).map_err(|_| Code::UserUnknown)?;
        call.kick(&id, &[]).await?;
    }
    Ok(Success::empty())
}

/// `GET /logout` by a management client: ends the sessions of the user that it names.
pub(crate) async fn log_out(call: &Call) -> Result<(), Refusal> {
    let id = UserId::parse(call.sent.required("userId")?).map_err(|_| Code::UserUnknown)?;
    let application: Vec<String> = call.sent.text("appId")?.map(str::to_owned).into_iter().collect();
    call.kick(&id, &application).await
}

/// `GET users/login-status`
async fn login_status(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["deviceId"])?;
    let id = UserId::parse(call.sent.required("userId")?).map_err(|_| Code::UserUnknown)?;
    let wanted = call.sent.text("appId")?;
    let sessions = call.app.sessions_of_user(&call.by, &call.pool, &id).await?;
    let mut sessions = sessions.iter();
    let is_logged_in =
        sessions.any(|session| wanted.is_none_or(|wanted| wanted == session.application.as_str()));
    Ok(Success::new(json!({ "isLogin": is_logged_in })))
}

/// `GET analysis/user-action`
async fn user_actions(call: Call) -> Answer<Success<Value>> {
    let found = logs::v2_user_actions(&call).await?;
    let told = |event: &AuditEvent| {
        json!({
            "userpool_id": call.pool, "user": { "id": event.user }, "app_id": event.application,
            "geoip": { "ip": event.ip }, "operation_name": event.action, "operation_desc": event.action,
            "timestamp": event.at.to_iso(), "operation_param": event.details, "success": event.code == 0,
        })
    };
    let list: Vec<_> = found.rows.iter().map(told).collect();
    Ok(Success::new(json!({ "totalCount": found.total, "list": list })))
}

/// `GET analysis/audit`: what administrators, keys and the command line did.
async fn admin_actions(call: Call) -> Answer<Success<Value>> {
    let found = logs::v2_admin_actions(&call).await?;
    let told = |event: &AuditEvent| {
        let application =
            event.application.as_deref().and_then(|id| call.app.config().application(id).cloned());
        json!({
            "timestamp": event.at.to_iso(), "userPoolId": call.pool, "userId": event.actor_id,
            "userName": event.actor_kind, "clientIp": event.ip, "ua": event.user_agent, "geoip": null,
            "appId": event.application, "appName": application.map(|application| application.name.clone()),
            "operationParam": event.details.to_string(), "eventType": event.action, "eventDetails": event.action,
            "eventResultCode": event.code.to_string(), "operationMode": event.actor_kind,
        })
    };
    let list: Vec<_> = found.rows.iter().map(told).collect();
    Ok(Success::new(json!({ "totalCount": found.total, "list": list })))
}

/// The call in the words of v3: a connection is named by its identifier, or else by the id of its source.
fn of_identity(call: &Call) -> Result<Call, Refusal> {
    let sent = &call.sent;
    let source = match sent.text("identifier")? {
        Some(identifier) => identifier,
        None => sent.required("extIdpId")?,
    };
    let mut in_v3 = Map::from_iter([("extIdpId".to_owned(), source.into())]);
    for name in ["userId", "userIdInIdp", "type"] {
        in_v3.extend(sent.text(name)?.map(|text| (name.to_owned(), text.into())));
    }
    Ok(call.with(Sent(in_v3)))
}

/// `POST users/identity/link`
async fn link_identity(call: Call) -> Answer<Success<Value>> {
    changes::link_identity(of_identity(&call)?).await
}

/// `POST users/identity/unlink`
async fn unlink_identity(call: Call) -> Answer<Success<Value>> {
    changes::unlink_identity(of_identity(&call)?).await
}

/// `GET applications`
async fn list_applications(call: Call) -> Answer<Success<Value>> {
    let found = call.page_of_applications(call.sent.page()?).await?;
    let list: Vec<_> = found.rows.iter().map(|document| applications::told_v2(&call, document)).collect();
    Ok(Success::new(json!({ "totalCount": found.total, "list": list })))
}

/// `POST applications`
async fn create_application(call: Call) -> Answer<Success<Value>> {
    let mut document = Map::new();
    for (name, own) in [("name", "name"), ("logo", "logo"), ("redirectUris", "redirect_uris")] {
        if let Some(value) = call.sent.0.get(name).filter(|value| !value.is_null()) {
            document.insert(own.to_owned(), value.clone());
        }
    }
    document.insert("type".to_owned(), "web".into());
    let made = call.app.create_application(&call.by, &call.pool, document).await?;
    let mut told = applications::told_v2(&call, &made.document);
    put(&mut told, "secret", made.secret.as_ref().map(ExposeSecret::expose_secret));
    Ok(Success::new(told))
}

/// `GET applications/{id}`
async fn get_application(State(shared): server::State, request: Request) -> Answer<Success<Value>> {
    let (call, id) = with_path(&shared, request).await?;
    let id = ApplicationId::parse(&id).map_err(|_| Code::NoSuchApplication)?;
    let document = call.app.application(&call.by, &call.pool, &id).await?;
    Ok(Success::new(applications::told_v2(&call, &document)))
}

/// `PATCH application/{id}/refresh-secret`: the one before stays valid until the next.
async fn refresh_secret(State(shared): server::State, request: Request) -> Answer<Success<Value>> {
    let (call, id) = with_path(&shared, request).await?;
    let id = ApplicationId::parse(&id).map_err(|_| Code::NoSuchApplication)?;
    let made = call.app.add_client_secret(&call.by, &call.pool, &id).await?;
    let document = call.app.application(&call.by, &call.pool, &id).await?;
    let mut told = applications::told_v2(&call, &document);
    put(&mut told, "secret", made.secret.as_ref().map(ExposeSecret::expose_secret));
    Ok(Success::new(told))
}

/// `DELETE applications/{id}`
async fn delete_application(State(shared): server::State, request: Request) -> Answer<Success<()>> {
    let (call, id) = with_path(&shared, request).await?;
    let id = ApplicationId::parse(&id).map_err(|_| Code::NoSuchApplication)?;
    call.app.remove_application(&call.by, &call.pool, &id, None).await?;
    Ok(Success::empty())
}

impl Call {
    /// The same call with other members.
    fn with(&self, sent: Sent) -> Self {
        let (by, pool, app) = (self.by.clone(), self.pool.clone(), std::sync::Arc::clone(&self.app));
        Self { by, pool, app, sent, is_v2: self.is_v2 }
    }

    /// A call by a token alone, whose parameters are elsewhere.
    pub(crate) async fn of_token(
        head: &Head,
        shared: &std::sync::Arc<server::Shared>,
    ) -> Result<Self, Refusal> {
        let (by, pool) = super::call::by_token(head, shared).await?;
        let app = std::sync::Arc::clone(&shared.app);
        Ok(Self { by, pool, app, sent: Sent::default(), is_v2: true })
    }
}
