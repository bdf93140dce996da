//! `/api/v3/me/activity` and `/api/v3/me/export`: the data that is stored about the user.

use axum::extract::State;
use hufu_app::{OwnEvent, OwnExport, OwnSession, Refusal, StoredMerge};
use hufu_types::refusal::Reason;
use hufu_types::{Action, EventId, Identity, Profile, Scope, Timestamp, User, camel_case};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::envelope::Success;
use crate::request::{Head, Query, given};
use crate::server;
use crate::surface::{Answer, Refused};

/// The default page size.
const USUAL_PAGE: i64 = 20;

/// The requested page.
#[derive(Default, Deserialize)]
pub(crate) struct Page {
    before: Option<String>,
    limit: Option<String>,
}

/// The events of the account, latest first. To get the next page, send `next` as `before`.
pub(crate) async fn activity(
    State(shared): server::State,
    head: Head,
    page: Result<Query<Page>, Refused>,
) -> Answer<Success<Value>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let page = page.map(|Query(page)| page).unwrap_or_default();
    let before = given(page.before.as_ref()).map(EventId::parse).transpose();
    let before = before.map_err(|_| Refusal::invalid("before", Reason::NotACursor))?;
    let limit = given(page.limit.as_ref()).map(str::parse::<i64>).transpose();
    let limit = limit
        .map_err(|_| Refusal::invalid("limit", Reason::OutOfRange { min: 1, max: 100 }))?
        .unwrap_or(USUAL_PAGE);
    let events = shared.app.own_activity(&who, before, limit).await?;
    let is_full = i64::try_from(events.len()).is_ok_and(|count| count == limit.clamp(1, 100));
    let next = events.last().filter(|_| is_full).map(|event| event.id.clone());
    let list: Vec<Value> = events.iter().map(event_dto).collect();
    Ok(Success::new(json!({ "list": list, "next": next })))
}

/// Everything that is stored about the user.
pub(crate) async fn export(State(shared): server::State, head: Head) -> Answer<Success<Value>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let OwnExport { data, at } = shared.app.export_own_data(&who).await?;
    Ok(Success::new(json!({
        "exportedAt": at.to_iso(),
        "userPoolId": who.pool(),
        "accounts": data.accounts.iter().map(account_dto).collect::<Vec<_>>(),
        "identities": data.identities.iter().map(identity_dto).collect::<Vec<_>>(),
        "sessions": data.sessions.iter().map(session_dto).collect::<Vec<_>>(),
        "activity": data.events.iter().map(event_dto).collect::<Vec<_>>(),
        "merges": data.merges.iter().map(merge_dto).collect::<Vec<_>>(),
    })))
}

fn event_dto(event: &OwnEvent) -> Value {
    // Users must not learn the id of another person's account.
    let is_anothers = match event.action {
        Action::IdentityConflict => true,
        Action::UsersMerged => event.code != 0,
        _ => false,
    };
    let details = if is_anothers { json!({}) } else { event.details.clone() };
    json!({
        "id": event.id,
        "time": event.at.to_iso(),
        "action": event.action.as_str(),
        "code": event.code,
        "by": event.actor.as_str(),
        "applicationId": event.application,
        "connectionId": event.connection,
        "ip": event.ip,
        "userAgent": event.user_agent,
        "details": details,
    })
}

fn account_dto(user: &User) -> Value {
    json!({
        "userId": user.id,
        "mergedInto": user.merged_into,
        "status": user.status.as_str(),
        "username": user.username,
        "email": user.email,
        "emailVerified": user.email_verified,
        "phone": user.phone.as_ref().map(|(phone, _)| phone),
        "phoneProof": user.phone.as_ref().map(|(_, proof)| proof.as_str()),
        "externalId": user.external_id,
        "profile": profile_dto(&user.profile),
        "customData": user.custom_data,
        "agreements": user.agreements,
        "hasPassword": user.password_set_at.is_some(),
        "passwordSetAt": user.password_set_at.map(Timestamp::to_iso),
        "registerSource": user.register_source,
        "loginsCount": user.logins_count,
        "lastLogin": user.last_login_at.map(Timestamp::to_iso),
        "lastIp": user.last_ip,
        "lastLoginApp": user.last_application,
        "createdAt": user.created_at.to_iso(),
        "updatedAt": user.updated_at.to_iso(),
    })
}

/// The profile. Empty fields are left out.
fn profile_dto(profile: &Profile) -> Value {
    let fields =
        Profile::FIELDS.iter().filter_map(|field| Some((camel_case(field), profile.field(field)?.into())));
    let gender = profile.gender.map(|gender| ("gender".to_owned(), gender.as_str().into()));
    Value::Object(fields.chain(gender).collect())
}

fn identity_dto(identity: &Identity) -> Value {
    json!({
        "realm": identity.key.realm,
        "type": identity.key.kind.as_str(),
        "value": identity.key.value,
        "userId": identity.user,
        "connectionId": identity.connection,
        "userInfoInIdp": identity.user_info,
        "createdAt": identity.created_at.to_iso(),
    })
}

fn session_dto(session: &OwnSession) -> Value {
    json!({
        "id": session.id,
        "applicationId": session.application,
        "connectionId": session.connection,
        "ip": session.ip,
        "userAgent": session.user_agent,
        "createdAt": session.created_at.to_iso(),
        "lastUsedAt": session.last_used_at.map(Timestamp::to_iso),
        "expiresAt": session.expires_at.to_iso(),
    })
}

fn merge_dto(merge: &StoredMerge) -> Value {
    json!({
        "id": merge.id,
        "survivor": merge.survivor,
        "merged": merge.merged,
        "moved": merge.changes.names(),
        "createdAt": merge.created_at.to_iso(),
        "undoneAt": merge.undone_at.map(Timestamp::to_iso),
    })
}
