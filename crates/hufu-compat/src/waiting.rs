//! A login that waits, as the clients are told of it: what they need to go on.

use hufu_app::{FlowView, LoginAnswer, LoginDone, Refusal, StepRefused};
use hufu_types::flow::{Stage, Step};
use hufu_types::refusal::Code;
use hufu_types::{Email, User, Username};
use serde_json::{Value, json};

/// A login that is done. The published clients go on with one that waits by a code, as if it were refused.
pub(crate) fn done(answer: LoginAnswer) -> Result<LoginDone, Refusal> {
    answer.done().map_err(|view| Refusal::from(next_step(&view)).carrying(flow_data(&view)))
}

/// A step that was refused, with where the login stands, so that the client can try it again.
pub(crate) fn step_refused(step: StepRefused) -> Refusal {
    let StepRefused { refusal, waiting } = step;
    match waiting {
        Some(view) => {
            let data = failed_data(&refusal, &view);
            refusal.carrying(data)
        }
        None => refusal,
    }
}

/// The code that tells the clients which page to show: see docs/errors.md.
pub(crate) fn next_step(view: &FlowView) -> Code {
    match view.stage {
        Stage::Associate if view.may_create => Code::BindOrCreate,
        Stage::Associate => Code::Bind,
        Stage::NewPassword => Code::SetPassword,
        Stage::Complete => Code::FillIn,
        Stage::Agree => Code::Agree,
        Stage::Select | Stage::Identify | Stage::Done | Stage::Refused => Code::Choose,
    }
}

/// What a client needs to go on with a login that waits. `key` is the handle, as the mobile clients call it.
pub(crate) fn flow_data(view: &FlowView) -> Value {
    let permitted = |step: &Step| match step {
        Step::Create => view.may_create,
        Step::Merge => view.may_merge,
        _ => true,
    };
    let data = json!({
        "flowId": view.id.as_str(),
        "key": view.handle,
        "stage": view.stage.as_str(),
        "actions": view.stage.steps().filter(permitted).map(Step::as_str).collect::<Vec<_>>(),
        "mayCreate": view.may_create,
        "mayMerge": view.may_merge,
        "methods": view.methods.iter().map(|method| method.as_str()).collect::<Vec<_>>(),
        "accounts": view.accounts.iter().map(brief).collect::<Vec<_>>(),
        "missing": view.missing,
        "agreements": view.agreements,
        "expiresAt": view.expires_at.to_iso(),
    });
    // The published clients look for it under this name where a password has to be set.
    if view.stage == Stage::NewPassword { with(data, "token", view.handle.as_str()) } else { data }
}

fn with(mut data: Value, name: &str, value: impl Into<Value>) -> Value {
    if let Value::Object(fields) = &mut data {
        fields.insert(name.to_owned(), value.into());
    }
    data
}

/// The same for a step that failed, with what its refusal tells.
pub(crate) fn failed_data(refusal: &Refusal, view: &FlowView) -> Value {
    let data = flow_data(view);
    let own = refusal.data().and_then(Value::as_object).into_iter().flatten();
    own.fold(data, |data, (name, value)| with(data, name, value.clone()))
}

/// An account to choose: enough to know it by, and no more.
pub(crate) fn brief(user: &User) -> Value {
    json!({
        "id": user.id.as_str(),
        "username": user.username.as_ref().map(Username::masked),
        "nickname": user.profile.nickname,
        "photo": user.profile.photo,
        "phone": user.phone.as_ref().map(|(phone, _)| phone.masked()),
        "email": user.email.as_ref().map(Email::masked),
        "lastLogin": user.last_login_at.map(hufu_types::Timestamp::to_iso),
        "createdAt": user.created_at.to_iso(),
    })
}

/// A number as the clients write it: the national number for +86, E.164 otherwise.
pub(crate) fn phone_text(phone: &hufu_types::Phone) -> String {
    match phone.parts() {
        ("+86", national) => national.to_owned(),
        _ => phone.as_str().to_owned(),
    }
}
