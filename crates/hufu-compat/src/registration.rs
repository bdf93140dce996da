//! `/api/v2/login/email-code` and `/api/v2/register/email-code`: the e-mail code calls of the newer v2
//! clients.

use axum::extract::State;
use hufu_app::{LoginOptions, Refusal, Registration, Target};
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::Reason;
use hufu_types::{Gender, Profile, camel_case};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::codes::serving;
use super::fields::{self, required};
use super::user::UserV2;
use crate::envelope::Success;
use crate::request::{Body, Head};
use crate::server;
use crate::surface::Answer;
use crate::waiting;

/// The login request of the clients.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginRequest {
    email: Option<String>,
    code: Option<String>,
    params: Option<String>,
    auto_register: Option<bool>,
}

/// Logs in by a code sent to an e-mail address, and creates the account if there is none. A bearer token is
/// ignored.
pub(crate) async fn login_by_email_code(
    State(shared): server::State,
    head: Head,
    Body(request): Body<LoginRequest>,
) -> Answer<Success<UserV2>> {
    let address = fields::email(required(request.email.as_ref(), "email")?)?;
    let code = required(request.code.as_ref(), "code")?;
    let custom_data = fields::params(request.params.as_ref())?;
    let (application, origin) = (serving(&shared, &head)?, head.origin());
    let wish = LoginOptions { requested: RequestedTokens::UserToken, custom_data };
    let create = request.auto_register != Some(false);
    let (app, to) = (&shared.app, Target::Email(address));
    let answer = app.log_in_by_code(&application, to, code, create, wish, &origin).await?;
    Ok(Success::new(UserV2::of_login(waiting::done(answer)?)))
}

/// The registration request of the clients. Unknown profile fields are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegisterRequest {
    email: Option<String>,
    code: Option<String>,
    password: Option<String>,
    profile: Option<Map<String, Value>>,
    force_login: Option<bool>,
    generate_token: Option<bool>,
    /// JSON text, or the JSON value itself.
    params: Option<Value>,
    custom_data: Option<Value>,
}

/// Creates an account with an e-mail address that a code proves. A token is issued only on request. A bearer
/// token is ignored.
pub(crate) async fn register_by_email_code(
    State(shared): server::State,
    head: Head,
    Body(request): Body<RegisterRequest>,
) -> Answer<Success<UserV2>> {
    let address = fields::email(required(request.email.as_ref(), "email")?)?;
    let code = required(request.code.as_ref(), "code")?.to_owned();
    let profile = request.profile.unwrap_or_default();
    let username = profile.get("username").and_then(Value::as_str).map(str::to_owned);
    let params = match request.params {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(list) => Some(list.to_string()),
    };
    let mut custom_data = fields::params(params.as_ref())?;
    custom_data.extend(fields::custom_data(request.custom_data)?);
    let password = match request.password.as_deref().filter(|password| !password.is_empty()) {
        Some(password) => Some(fields::password(&shared, password).await?),
        None => None,
    };
    let registration = Registration {
        username: fields::username(username.as_ref())?,
        email: Some(address),
        code: Some(code),
        password,
        profile: read_profile(&profile)?,
        custom_data,
        ..Registration::default()
    };
    let wanted = request.force_login == Some(true) || request.generate_token == Some(true);
    let (application, origin) = (serving(&shared, &head)?, head.origin());
    let requested = wanted.then_some(RequestedTokens::UserToken);
    let (user, answer) = shared.app.register(&application, registration, requested, &origin).await?;
    Ok(Success::new(match answer {
        Some(answer) => UserV2::of_login(waiting::done(answer)?),
        None => UserV2::new(user, None),
    }))
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
