//! `/api/v3/login-flows/{id}`: a login that waits goes on.

use hufu_app::FlowView;
use hufu_types::User;
use serde_json::{Value, json};

use super::user::phone_text;

/// What a client needs to go on with a login that waits. `key` is the handle, as the mobile clients call it.
pub(crate) fn flow_data(view: &FlowView) -> Value {
    json!({
        "flowId": view.id.as_str(),
        "key": view.handle,
        "stage": view.stage.as_str(),
        "actions": view.stage.steps().map(hufu_types::flow::Step::as_str).collect::<Vec<_>>(),
        "mayCreate": view.may_create,
        "mayMerge": view.may_merge,
        "methods": view.methods.iter().map(|method| method.as_str()).collect::<Vec<_>>(),
        "accounts": view.accounts.iter().map(brief).collect::<Vec<_>>(),
        "missing": view.missing,
        "agreements": view.agreements,
        "expiresAt": view.expires_at.to_iso(),
    })
}

/// An account to choose: enough to know it by, and no more.
fn brief(user: &User) -> Value {
    let phone = user.phone.as_ref().map(|(phone, _)| masked(&phone_text(phone)));
    json!({
        "id": user.id.as_str(),
        "username": user.username.as_ref().map(|name| masked(name.as_str())),
        "nickname": user.profile.nickname,
        "photo": user.profile.photo,
        "phone": phone,
        "email": user.email.as_ref().map(|email| masked(email.as_str())),
        "lastLogin": user.last_login_at.map(hufu_types::Timestamp::to_iso),
        "createdAt": user.created_at.to_iso(),
    })
}

/// The first three and the last two characters.
fn masked(text: &str) -> String {
    let length = text.chars().count();
    let hidden = length.saturating_sub(5).max(1);
    text.chars().enumerate().map(|(at, c)| if at >= 3 && at < 3 + hidden { '*' } else { c }).collect()
}
