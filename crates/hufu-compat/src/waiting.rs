//! Waiting logins, as clients see them: what they need to continue.

use hufu_app::{FlowView, LoginAnswer, LoginDone, Refusal, StepRefused};
use hufu_types::flow::{Stage, Step};
use hufu_types::refusal::Code;
use hufu_types::{Agreement, Email, Language, User, Username};
use serde_json::{Value, json};

/// Returns a login that is done. For the published clients a waiting login is a refusal, whose code tells
/// them how to continue.
pub(crate) fn done(answer: LoginAnswer) -> Result<LoginDone, Refusal> {
    answer.done().map_err(|view| Refusal::from(next_step(&view)).carrying(flow_data(&view)))
}

/// A refused step, with the state of the login, so that the client can try the step again.
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

/// The code that tells a client which page to show: see docs/errors.md.
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

/// What a client needs to continue a waiting login. `key` is the handle, named as the mobile clients name it.
pub(crate) fn flow_data(view: &FlowView) -> Value {
    let permitted = |step: &Step| match step {
        Step::Create => view.may_create,
        Step::Merge => view.may_merge,
        _ => true,
    };
    // A merge can be previewed first, which is no step of the login.
    let names = |step: Step| (step == Step::Merge).then_some("preview").into_iter().chain([step.as_str()]);
    let data = json!({
        "flowId": view.id.as_str(),
        "key": view.handle,
        "stage": view.stage.as_str(),
        "actions": view.stage.steps().filter(permitted).flat_map(names).collect::<Vec<_>>(),
        "mayCreate": view.may_create,
        "mayMerge": view.may_merge,
        "methods": view.methods.iter().map(|method| method.as_str()).collect::<Vec<_>>(),
        "accounts": view.accounts.iter().map(brief).collect::<Vec<_>>(),
        "missing": view.missing,
        "agreements": view.agreements.iter().map(agreement).collect::<Vec<_>>(),
        "expiresAt": view.expires_at.to_iso(),
    });
    // If a password has to be set, the published clients look for the handle under this name.
    if view.stage == Stage::NewPassword { with(data, "token", view.handle.as_str()) } else { data }
}

/// An agreement: its title and address as one text each, and those in other languages beside them.
fn agreement(agreement: &Agreement) -> Value {
    let mut shown = json!(agreement.in_language(Language::default()));
    for (name, texts) in [("titles", &agreement.title), ("urls", &agreement.url)] {
        if let Some(texts) = texts.by_language() {
            shown = with(shown, name, json!(texts));
        }
    }
    shown
}

fn with(mut data: Value, name: &str, value: impl Into<Value>) -> Value {
    if let Value::Object(fields) = &mut data {
        fields.insert(name.to_owned(), value.into());
    }
    data
}

/// The same for a step that failed, with the data of its refusal.
pub(crate) fn failed_data(refusal: &Refusal, view: &FlowView) -> Value {
    let data = flow_data(view);
    let own = refusal.data().and_then(Value::as_object).into_iter().flatten();
    own.fold(data, |data, (name, value)| with(data, name, value.clone()))
}

/// An account to choose from, with just enough data to recognize it.
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
