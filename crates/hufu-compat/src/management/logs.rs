//! Sessions, logins and the audit log.

use std::sync::Arc;

use hufu_app::Refusal;
use hufu_app::administration::NumberedPage;
use hufu_app::audit::{AuditEvent, AuditFilter, Outcome};
use hufu_types::refusal::Reason;
use hufu_types::{Action, ActorKind, Application, ApplicationId, EventId, UserId};
use serde_json::{Value, json};

use super::call::Call;
use super::put;
use super::sent::{Page, Sent};
use super::users::listed;
use crate::envelope::Success;
use crate::surface::Answer;

/// What the clients call the actions of users.
const OF_USERS: &[(&str, Action)] = &[
    ("login", Action::Login),
    ("logout", Action::Logout),
    ("register", Action::UserCreated),
    // The clients spell it so.
    ("updateUserPrefile", Action::UserUpdated),
    ("updateUserPassword", Action::PasswordChanged),
    ("updateUserEmail", Action::EmailChanged),
    ("updateUserPhone", Action::PhoneChanged),
    ("bindEmail", Action::EmailBound),
    ("bindPhone", Action::PhoneBound),
    ("unbindEmail", Action::EmailUnbound),
    ("unbindPhone", Action::PhoneUnbound),
    ("refreshUserTokenBySelf", Action::TokenRefreshed),
    ("deleteAccount", Action::UserDeletionRequested),
];

/// What the clients call the actions of administrators, and what they are done to.
const OF_ADMINISTRATORS: &[(&str, &str, Action)] = &[
    ("create", "user", Action::UserCreated),
    ("update", "user", Action::UserUpdated),
    ("delete", "user", Action::UserDeleted),
    ("import", "user", Action::UsersImported),
    ("export", "user", Action::UsersExported),
    ("disable", "userAccountState", Action::UserDisabled),
    ("enable", "userAccountState", Action::UserEnabled),
    ("deactivate", "userAccountState", Action::UserArchived),
    ("recover", "userAccountState", Action::UserDeletionCancelled),
    ("update", "user", Action::PasswordChanged),
    ("delete", "userLoginState", Action::SessionsEnded),
    ("add", "socialConnection", Action::IdentityBound),
    ("remove", "socialConnection", Action::IdentityUnbound),
    ("update", "userpool", Action::ConfigurationChanged),
    ("update", "userpool", Action::WebhookChanged),
    ("create", "userpool", Action::ManagementKeyCreated),
    ("remove", "userpool", Action::ManagementKeyEnded),
    ("reject", "userpool", Action::AdministrationRefused),
];

/// Who does what administrators do.
const ADMINISTRATORS: &[ActorKind] =
    &[ActorKind::Administrator, ActorKind::AccessKey, ActorKind::ManagementKey, ActorKind::Command];

impl Call {
    fn application(&self, id: Option<&str>) -> Option<Arc<Application>> {
        let application = self.app.config().application(id?).cloned();
        application.filter(|application| application.pool == self.pool)
    }

    /// An application in a list, as the clients read it.
    fn application_told(&self, id: Option<&str>) -> Value {
        let application = self.application(id);
        let client = application.as_ref().map(|application| &application.client);
        json!({
            "appId": id,
            "appName": application.as_ref().map(|application| &application.name),
            "appLogo": client.and_then(|client| client.logo.as_ref()),
            "appLoginUrl": client.and_then(|client| client.init_login_uri.as_ref()),
        })
    }

    /// A page of the audit log.
    async fn page_of_events(
        &self,
        filter: AuditFilter,
        page: Page,
    ) -> Result<NumberedPage<AuditEvent>, Refusal> {
        let list = format!("audit of {}: {filter:?}", self.pool);
        let read = |cursor: Option<String>, limit: u32| {
            let filter = filter.clone();
            async move {
                let before = cursor.map(|cursor| EventId::parse(&cursor)).transpose();
                let before = before.map_err(Refusal::internal)?;
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let found = self.app.audit_events(&self.by, &self.pool, &filter, before, limit).await?;
                Ok::<_, Refusal>((found.events, found.next.map(String::from)))
            }
        };
        self.app.numbered_page(&list, page.number, page.rows, read).await
    }
}

/// What a request for entries of the audit log has in common.
fn filter(sent: &Sent) -> Result<AuditFilter, Refusal> {
    sent.without(&["requestId"])?;
    let malformed = |field| move |_| Refusal::invalid(field, Reason::Malformed);
    Ok(AuditFilter {
        user: sent.text("userId")?.map(UserId::parse).transpose().map_err(malformed("userId"))?,
        application: sent.text("appId")?.map(ApplicationId::parse).transpose().map_err(malformed("appId"))?,
        ip: sent.text("clientIp")?.map(str::to_owned),
        outcome: sent.flag("success")?.map(|done| if done { Outcome::Done } else { Outcome::Refused }),
        from: sent.time("start")?,
        to: sent.time("end")?,
        ..AuditFilter::default()
    })
}

/// `GET get-user-login-history`
pub(super) async fn login_history(call: Call) -> Answer<Success<Value>> {
    let user = Some(call.user_id().await?);
    let sent = Sent(call.sent.0.iter().filter(|(name, _)| *name != "userId").map(clone).collect());
    let outcome = Some(Outcome::Done);
    let filter = AuditFilter { user, actions: vec![Action::Login], outcome, ..filter(&sent)? };
    let found = call.page_of_events(filter, call.sent.page()?).await?;
    let told = |event: &AuditEvent| {
        let mut told = call.application_told(event.application.as_deref());
        put(&mut told, "clientIp", event.ip.clone());
        put(&mut told, "userAgent", event.user_agent.clone());
        put(&mut told, "time", event.at.to_iso());
        told
    };
    Ok(listed(NumberedPage { rows: found.rows.iter().map(told).collect(), total: found.total }))
}

fn clone((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// `GET get-user-loggedin-apps`: those in which the account has a session.
pub(super) async fn logged_in_apps(call: Call) -> Answer<Success<Value>> {
    let user = call.user_id().await?;
    let mut list: Vec<Value> = Vec::new();
    for session in call.app.sessions_of_user(&call.by, &call.pool, &user).await? {
        let told = call.application_told(Some(session.application.as_str()));
        if !list.contains(&told) {
            list.push(told);
        }
    }
    Ok(Success::new(list.into()))
}

/// `GET get-user-logged-in-identities`: the sources through which its sessions began.
pub(super) async fn logged_in_identities(call: Call) -> Answer<Success<Value>> {
    let user = call.user_id().await?;
    let config = call.app.config();
    let mut list: Vec<Value> = Vec::new();
    for session in call.app.sessions_of_user(&call.by, &call.pool, &user).await? {
        let Some(connection) = config.connection(&session.connection).filter(|c| c.pool == call.pool) else {
            continue;
        };
        let name = &connection.display_name;
        let told = json!({
            "identityId": connection.id, "idpName": name, "idpNameEn": name, "idpLogo": connection.extras.logo,
            "idpId": connection.id,
        });
        if !list.contains(&told) {
            list.push(told);
        }
    }
    Ok(Success::new(list.into()))
}

/// `POST check-session-status`
pub(super) async fn session_status(call: Call) -> Answer<Success<Value>> {
    let (application, user) = (call.sent.required("appId")?, call.user_id().await?);
    let sessions = call.app.sessions_of_user(&call.by, &call.pool, &user).await?;
    let active = sessions.iter().any(|session| session.application.as_str() == application);
    Ok(Success::new(json!({ "active": active })))
}

/// `POST get-user-action-logs`: what users did themselves.
pub(super) async fn user_actions(call: Call) -> Answer<Success<Value>> {
    let actions = match call.sent.text("eventType")? {
        None => OF_USERS.iter().map(|(_, action)| *action).collect(),
        Some(wanted) => {
            let found = OF_USERS.iter().find(|(name, _)| *name == wanted);
            let choices: Vec<_> = OF_USERS.iter().map(|(name, _)| *name).collect();
            let unknown =
                || Refusal::invalid("eventType", Reason::NotOneOf { choices: choices.join(", ").into() });
            vec![found.ok_or_else(unknown)?.1]
        }
    };
    let actor_kinds = vec![ActorKind::User];
    let filter = AuditFilter { actions, actor_kinds, ..filter(&call.sent)? };
    let found = call.page_of_events(filter, call.sent.object("pagination")?.page()?).await?;
    let told = |event: &AuditEvent| {
        let name = OF_USERS.iter().find(|(_, action)| action.as_str() == event.action);
        let mut told = call.application_told(event.application.as_deref());
        put(&mut told, "userId", event.user.clone());
        put(&mut told, "eventType", name.map_or(event.action.as_str(), |(name, _)| name));
        put(&mut told, "eventDetail", event.details.clone());
        add_common(&mut told, event);
        told
    };
    Ok(listed(NumberedPage { rows: found.rows.iter().map(told).collect(), total: found.total }))
}

/// `POST get-admin-audit-logs`: what administrators, access keys, the management key and the command line did.
pub(super) async fn admin_actions(call: Call) -> Answer<Success<Value>> {
    let (operation, resource) = (call.sent.text("operationType")?, call.sent.text("resourceType")?);
    let operation = operation.filter(|operation| *operation != "all");
    let fits = |(done, to, _): &&(&str, &str, Action)| {
        operation.is_none_or(|wanted| wanted == *done) && resource.is_none_or(|wanted| wanted == *to)
    };
    let actions: Vec<_> = OF_ADMINISTRATORS.iter().filter(fits).map(|(_, _, action)| *action).collect();
    let page = call.sent.object("pagination")?.page()?;
    if actions.is_empty() {
        return Ok(listed(NumberedPage { rows: Vec::new(), total: 0 }));
    }
    let mut sent = call.sent.clone();
    let actor = sent.0.remove("userId").and_then(|id| id.as_str().map(str::to_owned));
    let filter = AuditFilter { actions, actor, actor_kinds: ADMINISTRATORS.to_vec(), ..filter(&sent)? };
    let found = call.page_of_events(filter, page).await?;
    let told = |event: &AuditEvent| {
        let name = OF_ADMINISTRATORS.iter().find(|(_, _, action)| action.as_str() == event.action);
        let side = |name: &str| event.details.get(name).cloned().unwrap_or_default();
        let mut told = json!({
            "adminUserId": event.actor_id,
            "adminUserDisplayName": event.actor_kind,
            "operationType": name.map(|(done, _, _)| done),
            "resourceType": name.map(|(_, to, _)| to),
            "eventDetails": event.action,
            "operationParam": event.details,
            "originValue": side("before"),
            "targetValue": side("after"),
        });
        add_common(&mut told, event);
        told
    };
    Ok(listed(NumberedPage { rows: found.rows.iter().map(told).collect(), total: found.total }))
}

/// What a request of the v2 client has in common, whoever's actions it is about.
fn v2_filter(sent: &Sent) -> Result<AuditFilter, Refusal> {
    let application = sent.text("app_id")?.map(ApplicationId::parse).transpose();
    Ok(AuditFilter {
        application: application.map_err(|_| Refusal::invalid("app_id", Reason::Malformed))?,
        ip: sent.text("clientip")?.map(str::to_owned),
        from: sent.time("start")?,
        to: sent.time("end")?,
        ..AuditFilter::default()
    })
}

/// What users did, for the v2 client.
pub(super) async fn v2_user_actions(call: &Call) -> Result<NumberedPage<AuditEvent>, Refusal> {
    call.sent.without(&["operation_name", "eventType"])?;
    let user = match call.sent.texts("operator_arn", 1)?.first() {
        None => call.sent.text("userId")?.map(str::to_owned),
        Some(arn) => arn.rsplit(':').next().map(str::to_owned),
    };
    let user = user.as_deref().map(UserId::parse).transpose();
    let filter = AuditFilter {
        user: user.map_err(|_| Refusal::invalid("userId", Reason::Malformed))?,
        actions: OF_USERS.iter().map(|(_, action)| *action).collect(),
        actor_kinds: vec![ActorKind::User],
        ..v2_filter(&call.sent)?
    };
    call.page_of_events(filter, call.sent.page()?).await
}

/// What administrators, keys and the command line did, for the v2 client. `userId` is who did it; `eventType` is an action
/// by Hufu's name.
pub(super) async fn v2_admin_actions(call: &Call) -> Result<NumberedPage<AuditEvent>, Refusal> {
    let actions = OF_ADMINISTRATORS.iter().map(|(_, _, action)| *action);
    let actions: Vec<_> = match call.sent.text("eventType")? {
        None => actions.collect(),
        Some(wanted) => actions.filter(|action| action.as_str() == wanted).collect(),
    };
    let (actor, page) = (call.sent.text("userId")?.map(str::to_owned), call.sent.page()?);
    if actions.is_empty() {
        return Ok(NumberedPage { rows: Vec::new(), total: 0 });
    }
    let filter =
        AuditFilter { actions, actor, actor_kinds: ADMINISTRATORS.to_vec(), ..v2_filter(&call.sent)? };
    call.page_of_events(filter, page).await
}

/// What both kinds of entries have.
fn add_common(told: &mut Value, event: &AuditEvent) {
    let Some(told) = told.as_object_mut() else { return };
    let common = [
        ("clientIp", event.ip.clone().into()),
        ("userAgent", event.user_agent.clone().into()),
        ("success", (event.code == 0).into()),
        ("timestamp", event.at.to_iso().into()),
        ("requestId", event.request_id.clone().into()),
    ];
    told.extend(common.map(|(name, value)| (name.to_owned(), value)));
}
