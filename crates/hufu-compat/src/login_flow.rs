//! `/api/v3/login-flows/{id}`: continues a login that waits for a step.

use axum::extract::State;
use hufu_app::credentials::{AccountName, Target};
use hufu_app::{
    FillIn, FlowAction, FlowAnswer, FlowStep, LoginDone, MergePreview, Refusal, StepRefused, Tokens,
};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Email, Phone, UserId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::user::UserV2;
use super::v3::profile::read_gender;
use crate::envelope::Success;
use crate::fields;
use crate::oidc::TokenAnswer;
use crate::request::{Body, Head, Path, given};
use crate::server;
use crate::surface::Answer;
use crate::waiting::{brief, done, flow_data, step_refused};

/// The request: the handle from the last response, the action, and what the action needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepRequest {
    /// The handle: `key` of the last response.
    key: Option<String>,
    /// `view`, `create`, `bind`, `choose`, `preview`, `merge`, `set_password`, `fill_in`, `accept` or `expire`.
    action: Option<String>,
    /// For `bind`: one of the methods that were offered.
    method: Option<String>,
    account: Option<String>,
    password: Option<String>,
    password_encrypt_type: Option<String>,
    phone: Option<String>,
    phone_country_code: Option<String>,
    email: Option<String>,
    code: Option<String>,
    /// For `choose`: the chosen account. For `preview` and `merge`: the account that survives.
    account_id: Option<String>,
    /// For `fill_in`: profile fields, by their API names.
    #[serde(default)]
    profile: Map<String, Value>,
    #[serde(default)]
    custom_data: Map<String, Value>,
    username: Option<String>,
    phone_code: Option<String>,
    email_code: Option<String>,
    /// For `accept`: the ids of the agreements.
    #[serde(default)]
    agreements: Vec<String>,
}

/// `POST /api/v3/login-flows/{id}`: takes the next step of a waiting login.
pub(crate) async fn step(
    State(shared): server::State,
    Path(id): Path<String>,
    head: Head,
    Body(request): Body<StepRequest>,
) -> Answer<Success<Value>> {
    let config = shared.app.config();
    let application = config.serving(head.named())?;
    let handle = given(request.key.as_ref()).ok_or_else(|| missing("key"))?;
    if handle.split_once('.').is_none_or(|(of_flow, _)| of_flow != id) {
        return Err(Refusal::new(Code::FlowUnknown).into());
    }
    let step = |action| FlowStep { application, handle, cookie: None, action, origin: head.origin() };
    let action = match request.action(&shared.app).await {
        Ok(action) => action,
        // The client can send another action with the same key.
        Err(refusal) => {
            let viewed = shared.app.continue_flow(step(FlowAction::View)).await.map_err(step_refused)?;
            let FlowAnswer::Viewed(view) = viewed else { return Err(refusal.into()) };
            return Err(step_refused(StepRefused { refusal, waiting: Some(view) }).into());
        }
    };
    match shared.app.continue_flow(step(action)).await.map_err(step_refused)? {
        // A step that leads to another stage is answered like the login itself.
        FlowAnswer::Login(answer) => Ok(Success::new(done_answer(done(answer)?))),
        FlowAnswer::Preview(preview) => Ok(Success::new(preview_data(&preview))),
        FlowAnswer::GivenUp => Ok(Success::new(json!({ "stage": "refused" }))),
        FlowAnswer::Viewed(view) => Ok(Success::new(flow_data(&view))),
    }
}

/// Answers with a user and its token for the v2 clients, and with a token set for the others.
fn done_answer(done: LoginDone) -> Value {
    let answer = match &done.tokens {
        Tokens::Set(tokens) => serde_json::to_value(TokenAnswer::from((**tokens).clone())),
        Tokens::User(_) | Tokens::Authorization(_) => serde_json::to_value(UserV2::of_login(done)),
    };
    answer.unwrap_or_default()
}

fn missing(field: &'static str) -> Refusal {
    Refusal::invalid(field, Reason::Missing)
}

impl StepRequest {
    async fn action(&self, app: &hufu_app::App) -> Result<FlowAction, Refusal> {
        Ok(match given(self.action.as_ref()).ok_or_else(|| missing("action"))? {
            "view" => FlowAction::View,
            "create" => FlowAction::Create,
            "bind" => self.bind(app).await?,
            "choose" => FlowAction::Choose(self.account_id()?),
            "preview" => FlowAction::Preview(self.account_id()?),
            "merge" => FlowAction::Merge(self.account_id()?),
            "set_password" => FlowAction::SetPassword(self.password(app).await?),
            "fill_in" => FlowAction::FillIn(self.fill_in()?),
            "accept" => FlowAction::Accept(self.agreements.clone()),
            "expire" => FlowAction::GiveUp,
            _ => {
                return Err(Refusal::invalid("action", Reason::UnknownName));
            }
        })
    }

    async fn bind(&self, app: &hufu_app::App) -> Result<FlowAction, Refusal> {
        let code = || given(self.code.as_ref()).map(str::to_owned).ok_or_else(|| missing("code"));
        let account = || given(self.account.as_ref()).map(str::to_owned).ok_or_else(|| missing("account"));
        Ok(match given(self.method.as_ref()).ok_or_else(|| missing("method"))? {
            "phone-code" => FlowAction::BindByCode(Target::Phone(self.phone()?), code()?),
            "email-code" => FlowAction::BindByCode(Target::Email(self.email()?), code()?),
            "username-password" => {
                FlowAction::BindByPassword(AccountName::Username(account()?), self.password(app).await?)
            }
            "phone-password" => {
                FlowAction::BindByPassword(AccountName::Phone(self.phone()?), self.password(app).await?)
            }
            "email-password" => {
                let email = given(self.email.as_ref()).map(str::to_owned).map_or_else(account, Ok)?;
                FlowAction::BindByPassword(AccountName::Email(email), self.password(app).await?)
            }
            _ => return Err(Code::MethodNotPermitted.into()),
        })
    }

    async fn password(&self, app: &hufu_app::App) -> Result<secrecy::SecretString, Refusal> {
        let text = given(self.password.as_ref()).ok_or_else(|| missing("password"))?;
        let declared = given(self.password_encrypt_type.as_ref()).map(fields::encryption).transpose()?;
        app.open_password(text, declared).await
    }

    fn phone(&self) -> Result<Phone, Refusal> {
        let number = given(self.phone.as_ref()).ok_or_else(|| missing("phone"))?;
        let code = given(self.phone_country_code.as_ref()).unwrap_or("+86");
        let parsed =
            if number.starts_with('+') { Phone::parse(number) } else { Phone::from_parts(code, number) };
        parsed.map_err(|error| Refusal::invalid("phone", error.into()))
    }

    fn email(&self) -> Result<Email, Refusal> {
        let email = given(self.email.as_ref()).ok_or_else(|| missing("email"))?;
        Email::parse(email).map_err(|error| Refusal::invalid("email", error.into()))
    }

    fn account_id(&self) -> Result<UserId, Refusal> {
        let id = given(self.account_id.as_ref()).ok_or_else(|| missing("accountId"))?;
        UserId::parse(id).map_err(|_| Code::NotACandidate.into())
    }

    fn fill_in(&self) -> Result<FillIn, Refusal> {
        let mut fields = Vec::new();
        let mut gender = None;
        for (name, value) in &self.profile {
            if name == "gender" {
                gender = read_gender(value)?;
                continue;
            }
            let Some(text) = value.as_str() else {
                return Err(Refusal::invalid(format!("profile.{name}"), Reason::NotText));
            };
            fields.push((snake(name), text.to_owned()));
        }
        let mut proved = Vec::new();
        if let Some(code) = given(self.phone_code.as_ref()) {
            proved.push((Target::Phone(self.phone()?), code.to_owned()));
        }
        if let Some(code) = given(self.email_code.as_ref()) {
            proved.push((Target::Email(self.email()?), code.to_owned()));
        }
        let username = given(self.username.as_ref()).map(str::to_owned);
        Ok(FillIn { fields, gender, custom_data: self.custom_data.clone(), username, proved })
    }
}

/// Converts `givenName` to the profile's spelling, `given_name`.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 2);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// The effect of a merge.
fn preview_data(preview: &MergePreview) -> Value {
    json!({
        "survivor": brief(&preview.survivor.0),
        "merged": brief(&preview.merged.0),
        "moves": preview.moves,
        "collides": preview.collides,
    })
}
