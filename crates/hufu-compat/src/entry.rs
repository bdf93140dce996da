//! Logging in and registering with the REST calls of the newer v2 clients, of Guard and of the mobile SDKs:
//! `/api/v2/login/*`, `/api/v2/register/*` and `/api/v2/register-*`. Bearer tokens are ignored.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use hufu_app::{
    AccountName, FlowAction, FlowAnswer, FlowStep, LoginAnswer, LoginOptions, Refusal, Registration, Target,
};
use hufu_types::flow::{RequestedTokens, Stage};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Application, Gender, Profile, camel_case};
use hufu_web::Routes;
use hufu_web::cors::open;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::codes::serving;
use super::fields::{self, required};
use super::user::UserV2;
use crate::envelope::Success;
use crate::request::{Body, Head};
use crate::server::{self, Shared};
use crate::surface::Answer;
use crate::waiting;

/// The calls. Those to register have two spellings.
pub(crate) fn routes() -> Routes {
    let by = |by: By| open(post(move |shared, head, body| register(by, shared, head, body)));
    Routes::new()
        .route("/api/v2/login/account", open(post(login_by_password)))
        .route("/api/v2/login/phone-code", open(post(login_by_phone_code)))
        .route("/api/v2/login/email-code", open(post(login_by_email_code)))
        .route("/api/v2/register/email", by(By::Email))
        .route("/api/v2/register-email", by(By::Email))
        .route("/api/v2/register/email-code", by(By::EmailCode))
        .route("/api/v2/register-email-code", by(By::EmailCode))
        .route("/api/v2/register/username", by(By::Username))
        .route("/api/v2/register-username", by(By::Username))
        .route("/api/v2/register-phone", by(By::Phone))
        .route("/api/v2/register/phone-code", by(By::PhoneCode))
        .route("/api/v2/register-phone-code", by(By::PhoneCode))
}

/// The login requests of the clients. `captchaCode` and `withCustomData` are ignored: there are no image captchas.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginRequest {
    account: Option<String>,
    password: Option<String>,
    phone: Option<String>,
    phone_country_code: Option<String>,
    email: Option<String>,
    code: Option<String>,
    params: Option<String>,
    custom_data: Option<Value>,
    auto_register: Option<bool>,
    /// The ids of the agreements that the person accepted on the client's page.
    agreement_ids: Option<Vec<Value>>,
}

impl LoginRequest {
    fn options(&self) -> Result<LoginOptions, Refusal> {
        let mut custom_data = fields::params(self.params.as_ref())?;
        custom_data.extend(fields::custom_data(self.custom_data.clone())?);
        Ok(LoginOptions { requested: RequestedTokens::UserToken, custom_data })
    }

    fn code(&self) -> Result<&str, Refusal> {
        required(self.code.as_ref(), "code")
    }

    /// Logs in by a code, and creates the account if there is none.
    async fn log_in_by_code(&self, shared: &Shared, head: &Head, to: Target) -> Answer<Success<UserV2>> {
        let (code, options) = (self.code()?, self.options()?);
        let application = serving(shared, head)?;
        let create = self.auto_register != Some(false);
        let app = &shared.app;
        let answer = app.log_in_by_code(&application, to, code, create, options, &head.origin()).await?;
        finish(shared, head, &application, answer, self.agreement_ids.as_deref()).await
    }
}

/// `/api/v2/login/account`: logs in by any login name and a password. `autoRegister` has no effect, because the name is not
/// proved.
async fn login_by_password(
    State(shared): server::State,
    head: Head,
    Body(request): Body<LoginRequest>,
) -> Answer<Success<UserV2>> {
    let account = AccountName::Any(required(request.account.as_ref(), "account")?.to_owned());
    let options = request.options()?;
    let application = serving(&shared, &head)?;
    let password = fields::password(&shared, required(request.password.as_ref(), "password")?).await?;
    let app = &shared.app;
    let answer = app.log_in_by_password(&application, account, password, options, &head.origin()).await?;
    finish(&shared, &head, &application, answer, request.agreement_ids.as_deref()).await
}

/// `/api/v2/login/phone-code`
async fn login_by_phone_code(
    State(shared): server::State,
    head: Head,
    Body(request): Body<LoginRequest>,
) -> Answer<Success<UserV2>> {
    let number = required(request.phone.as_ref(), "phone")?;
    let phone = fields::phone(number, request.phone_country_code.as_ref())?;
    request.log_in_by_code(&shared, &head, Target::Phone(phone)).await
}

/// `/api/v2/login/email-code`
async fn login_by_email_code(
    State(shared): server::State,
    head: Head,
    Body(request): Body<LoginRequest>,
) -> Answer<Success<UserV2>> {
    let address = fields::email(required(request.email.as_ref(), "email")?)?;
    request.log_in_by_code(&shared, &head, Target::Email(address)).await
}

/// Answers a login. One that waits for agreements accepts those that the person accepted on the client's page.
async fn finish(
    shared: &Shared,
    head: &Head,
    application: &Arc<Application>,
    answer: LoginAnswer,
    agreed: Option<&[Value]>,
) -> Answer<Success<UserV2>> {
    let ids: Vec<String> = agreed.unwrap_or_default().iter().map(id_text).collect();
    let answer = match answer {
        LoginAnswer::Waiting(view) if view.stage == Stage::Agree && !ids.is_empty() => {
            let (handle, action) = (view.handle.as_str(), FlowAction::Accept(ids));
            let step = FlowStep { application, handle, cookie: None, action, origin: head.origin() };
            match shared.app.continue_flow(step).await.map_err(waiting::step_refused)? {
                FlowAnswer::Login(answer) => answer,
                _ => return Err(Code::StepImpossible.into()),
            }
        }
        answer => answer,
    };
    Ok(Success::new(UserV2::of_login(waiting::done(answer)?)))
}

/// The id of an agreement. Ids elsewhere are numbers.
fn id_text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// What an account is registered with.
#[derive(Clone, Copy)]
enum By {
    Email,
    EmailCode,
    Username,
    Phone,
    PhoneCode,
}

/// The registration requests of the clients. Some call the login name `account`. Unknown profile fields are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegisterRequest {
    account: Option<String>,
    email: Option<String>,
    username: Option<String>,
    phone: Option<String>,
    phone_country_code: Option<String>,
    code: Option<String>,
    password: Option<String>,
    profile: Option<Map<String, Value>>,
    force_login: Option<bool>,
    generate_token: Option<bool>,
    /// JSON text, or the JSON value itself.
    params: Option<Value>,
    custom_data: Option<Value>,
    agreement_ids: Option<Vec<Value>>,
}

impl RegisterRequest {
    /// The login name, which must be there.
    fn name<'a>(&'a self, of: Option<&'a String>, name: &'static str) -> Result<&'a str, Refusal> {
        required(of.or(self.account.as_ref()), name)
    }

    async fn read(&self, by: By, shared: &Shared) -> Result<Registration, Refusal> {
        let profile = self.profile.clone().unwrap_or_default();
        let mut registration = Registration {
            username: fields::username(
                profile.get("username").and_then(Value::as_str).map(str::to_owned).as_ref(),
            )?,
            profile: read_profile(&profile)?,
            ..Registration::default()
        };
        match by {
            By::Email | By::EmailCode => {
                registration.email = Some(fields::email(self.name(self.email.as_ref(), "email")?)?);
            }
            By::Phone | By::PhoneCode => {
                let number = self.name(self.phone.as_ref(), "phone")?;
                registration.phone = Some(fields::phone(number, self.phone_country_code.as_ref())?);
            }
            By::Username => {
                let name = self.name(self.username.as_ref(), "username")?.to_owned();
                registration.username = fields::username(Some(&name))?;
            }
        }
        let is_by_code = matches!(by, By::EmailCode | By::PhoneCode);
        registration.code =
            if is_by_code { Some(required(self.code.as_ref(), "code")?.to_owned()) } else { None };
        registration.password = match self.password.as_deref().filter(|password| !password.is_empty()) {
            Some(password) => Some(fields::password(shared, password).await?),
            None if is_by_code => None,
            None => return Err(Refusal::invalid("password", Reason::Missing)),
        };
        let params = match &self.params {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(list) => Some(list.to_string()),
        };
        registration.custom_data = fields::params(params.as_ref())?;
        registration.custom_data.extend(fields::custom_data(self.custom_data.clone())?);
        Ok(registration)
    }
}

/// Creates an account. A token is issued only on request.
async fn register(
    by: By,
    State(shared): server::State,
    head: Head,
    Body(request): Body<RegisterRequest>,
) -> Answer<Success<UserV2>> {
    let registration = request.read(by, &shared).await?;
    let wanted = request.force_login == Some(true) || request.generate_token == Some(true);
    let (application, origin) = (serving(&shared, &head)?, head.origin());
    let requested = wanted.then_some(RequestedTokens::UserToken);
    let (user, answer) = shared.app.register(&application, registration, requested, &origin).await?;
    match answer {
        Some(answer) => finish(&shared, &head, &application, answer, request.agreement_ids.as_deref()).await,
        None => Ok(Success::new(UserV2::new(user, None))),
    }
}

/// Reads the profile of a new user from the clients' JSON.
pub(crate) fn read_profile(fields: &Map<String, Value>) -> Result<Profile, Refusal> {
    let mut profile = Profile::default();
    for (key, value) in fields {
        let text = match value {
            Value::String(text) if !text.is_empty() => text,
            Value::String(_) | Value::Null => continue,
            _ if key == "gender" || field_of(key).is_some() => {
                return Err(Refusal::invalid(key.clone(), Reason::NotText));
            }
            _ => continue,
        };
        if key == "gender" {
            profile.gender = Gender::parse(text);
        } else if let Some(field) = field_of(key).and_then(|name| profile.field_mut(name)) {
            *field = Some(text.clone());
        }
    }
    Ok(profile)
}

/// The profile field with this name in the API.
pub(crate) fn field_of(key: &str) -> Option<&'static str> {
    Profile::FIELDS.iter().copied().find(|field| camel_case(field) == key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use hufu_types::refusal::Code;

    #[test]
    fn fields_are_named_as_the_clients_name_them() {
        assert_eq!(camel_case("given_name"), "givenName");
        assert_eq!(camel_case("nickname"), "nickname");
        assert_eq!(field_of("streetAddress"), Some("street_address"));
        assert_eq!(field_of("password"), None);
    }

    #[test]
    fn what_is_no_profile_is_ignored() {
        let Value::Object(fields) = json!({
            "nickname": "Bob", "givenName": "B", "gender": "M", "username": "root", "phone": "1", "blocked": true,
            "company": "", "city": null,
        }) else {
            panic!("an object")
        };
        let profile = read_profile(&fields).unwrap();
        let expected = Profile {
            nickname: Some("Bob".to_owned()),
            given_name: Some("B".to_owned()),
            gender: Some(Gender::Male),
            ..Profile::default()
        };
        assert_eq!(profile, expected);
        let wrong = Map::from_iter([("nickname".to_owned(), json!(7))]);
        assert!(matches!(read_profile(&wrong), Err(ref refusal) if refusal.is(Code::Invalid)));
    }
}
