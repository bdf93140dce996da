//! `/api/v3/me/merges`: merges two accounts of one person, and undoes merges.

use axum::extract::State;
use hufu_app::{MergePreview, StoredMerge};
use hufu_types::refusal::Code;
use hufu_types::{Identity, MergeId, Scope, Timestamp, User};
use serde::Deserialize;
use serde_json::{Value, json};

use super::data::merge_dto;
use crate::envelope::Success;
use crate::fields;
use crate::request::{Body, Head, Path};
use crate::server::{self, Shared};
use crate::surface::Answer;

/// A valid token of the account to merge into the one of the bearer token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeRequest {
    token: Option<String>,
}

/// Shows what a merge would do, without changing anything.
pub(crate) async fn preview(
    State(shared): server::State,
    head: Head,
    Body(request): Body<MergeRequest>,
) -> Answer<Success<Value>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let token = fields::required(request.token.as_ref(), "token")?;
    let MergePreview { survivor, merged, moves, collides } =
        shared.app.preview_merge_by_token(&who, token).await?;
    Ok(Success::new(json!({
        "survivor": side(&shared, &survivor),
        "merged": side(&shared, &merged),
        "moves": moves,
        "collides": collides,
    })))
}

/// Merges the account of the token in the body into the one of the bearer token.
pub(crate) async fn merge(
    State(shared): server::State,
    head: Head,
    Body(request): Body<MergeRequest>,
) -> Answer<Success<Vec<Value>>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let token = fields::required(request.token.as_ref(), "token")?;
    shared.app.merge_by_tokens(&who, token).await?;
    let merges = shared.app.merges_of(who.pool(), &who.user).await?;
    Ok(Success::new(merges.iter().map(|merge| dto(&shared, merge)).collect()))
}

/// The merges into the account, latest first.
pub(crate) async fn list(State(shared): server::State, head: Head) -> Answer<Success<Vec<Value>>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let merges = shared.app.merges_of(who.pool(), &who.user).await?;
    Ok(Success::new(merges.iter().map(|merge| dto(&shared, merge)).collect()))
}

/// Undoes a merge.
pub(crate) async fn undo(
    State(shared): server::State,
    head: Head,
    Path(id): Path<String>,
) -> Answer<Success<Value>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let merge = MergeId::parse(&id).map_err(|_| Code::MergeUnknown)?;
    let undone = shared.app.undo_merge(&who, &merge).await?;
    Ok(Success::new(json!({
        "survivor": undone.survivor.id,
        "restored": undone.restored.id,
        "kept": undone.kept,
    })))
}

fn dto(shared: &Shared, merge: &StoredMerge) -> Value {
    let mut shown = merge_dto(merge);
    let until = merge.created_at.plus(shared.app.limits().merge_undo_window);
    if let Some(members) = shown.as_object_mut() {
        members.insert("undoableUntil".to_owned(), until.to_iso().into());
    }
    shown
}

/// One of the two accounts, as shown to a user who proved both.
fn side(shared: &Shared, (user, identities): &(User, Vec<Identity>)) -> Value {
    let identities = shared.app.describe_identities(&user.pool, identities);
    json!({
        "userId": user.id,
        "nickname": user.profile.nickname,
        "photo": user.profile.photo,
        "username": user.username.as_ref().map(hufu_types::Username::masked),
        "email": user.email.as_ref().map(hufu_types::Email::masked),
        "phone": user.phone.as_ref().map(|(phone, _)| phone.masked()),
        "lastLogin": user.last_login_at.map(Timestamp::to_iso),
        "loginsCount": user.logins_count,
        "createdAt": user.created_at.to_iso(),
        "identities": identities.iter().map(super::identities::dto).collect::<Vec<_>>(),
    })
}
