//! `POST /api/v3/signin` and `POST /api/v3/signup`, by password and by codes. A bearer token is ignored.

use axum::extract::State;
use hufu_app::{AccountName, LoginOptions, Refusal, Registration, Target};
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Email, Phone, ScopeSet};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::profile::user_dto;
use crate::codes::serving;
use crate::entry::read_profile;
use crate::envelope::Success;
use crate::fields::{self, required};
use crate::oidc::TokenAnswer;
use crate::request::{Body, Head, given};
use crate::server::{self, Shared};
use crate::surface::Answer;
use crate::waiting;

/// The login request of the clients.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SigninRequest {
    connection: Option<String>,
    password_payload: Option<PasswordPayload>,
    pass_code_payload: Option<PassCodePayload>,
    options: Option<Options>,
    #[serde(rename = "client_id")]
    client_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PasswordPayload {
    password: Option<String>,
    account: Option<String>,
    email: Option<String>,
    username: Option<String>,
    phone: Option<String>,
    phone_country_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PassCodePayload {
    pass_code: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    phone_country_code: Option<String>,
}

/// The other options that clients can send are ignored: the server sees addresses itself, and has no
/// pipelines.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    password_encrypt_type: Option<String>,
    scope: Option<String>,
    auto_register: Option<bool>,
    custom_data: Option<Value>,
}

fn missing(field: &'static str) -> Refusal {
    Refusal::invalid(field, Reason::Missing)
}

impl PasswordPayload {
    fn account(&self) -> Result<AccountName, Refusal> {
        if let Some(account) = given(self.account.as_ref()) {
            Ok(AccountName::Any(account.to_owned()))
        } else if let Some(email) = given(self.email.as_ref()) {
            Ok(AccountName::Email(email.to_owned()))
        } else if let Some(username) = given(self.username.as_ref()) {
            Ok(AccountName::Username(username.to_owned()))
        } else if let Some(phone) = given(self.phone.as_ref()) {
            Ok(AccountName::Phone(fields::phone(phone, self.phone_country_code.as_ref())?))
        } else {
            Err(Refusal::invalid("account, email, username, phone", Reason::OneNeeded))
        }
    }
}

impl PassCodePayload {
    fn target(&self) -> Result<Target, Refusal> {
        Ok(match (self.phone()?, self.email()?) {
            (Some(phone), _) => Target::Phone(phone),
            (None, Some(email)) => Target::Email(email),
            (None, None) => return Err(Refusal::invalid("phone, email", Reason::OneNeeded)),
        })
    }

    fn phone(&self) -> Result<Option<Phone>, Refusal> {
        let country = self.phone_country_code.as_ref();
        given(self.phone.as_ref()).map(|phone| fields::phone(phone, country)).transpose()
    }

    fn email(&self) -> Result<Option<Email>, Refusal> {
        given(self.email.as_ref()).map(fields::email).transpose()
    }

    fn code(&self) -> Result<&str, Refusal> {
        given(self.pass_code.as_ref()).ok_or_else(|| missing("passCode"))
    }
}

/// The payload of a request.
enum Payload {
    Password(PasswordPayload),
    PassCode(PassCodePayload),
}

fn payload(
    connection: Option<&String>,
    password: Option<PasswordPayload>,
    pass_code: Option<PassCodePayload>,
) -> Result<Payload, Refusal> {
    match given(connection) {
        Some("PASSWORD") => password.map(Payload::Password).ok_or_else(|| missing("passwordPayload")),
        Some("PASSCODE") => pass_code.map(Payload::PassCode).ok_or_else(|| missing("passCodePayload")),
        Some(_) => {
            Err(Refusal::invalid("connection", Reason::NotOneOf { choices: "PASSWORD, PASSCODE".into() }))
        }
        None => Err(missing("connection")),
    }
}

/// Logs in and returns a token set. With a code, `autoRegister` creates the account if there is none. With a
/// password it has no effect, because the name is not proved.
pub(crate) async fn signin(
    State(shared): server::State,
    head: Head,
    Body(request): Body<SigninRequest>,
) -> Answer<Success<TokenAnswer>> {
    let config = shared.app.config();
    let application = config.serving(head.named_or(request.client_id.as_deref()))?.clone();
    let (options, origin) = (request.options.unwrap_or_default(), head.origin());
    let of_pool = &config.settings(&application.pool).scopes;
    let requested = RequestedTokens::TokenSet(ScopeSet::asked(given(options.scope.as_ref()), of_pool));
    let wish = LoginOptions { requested, custom_data: fields::custom_data(options.custom_data)? };
    let app = &shared.app;
    let answer =
        match payload(request.connection.as_ref(), request.password_payload, request.pass_code_payload)? {
            Payload::Password(payload) => {
                let account = payload.account()?;
                let text = required(payload.password.as_ref(), "password")?;
                let declared = Some(fields::encryption_or_none(options.password_encrypt_type.as_ref())?);
                let password = app.open_password(text, declared).await?;
                app.log_in_by_password(&application, account, password, wish, &origin).await?
            }
            Payload::PassCode(payload) => {
                let (to, code) = (payload.target()?, payload.code()?);
                let create = options.auto_register == Some(true);
                app.log_in_by_code(&application, to, code, create, wish, &origin).await?
            }
        };
    Ok(Success::new(TokenAnswer::from(waiting::done(answer)?.token_set().ok_or(Code::StepImpossible)?)))
}

/// The registration request of the clients.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignupRequest {
    connection: Option<String>,
    password_payload: Option<PasswordPayload>,
    pass_code_payload: Option<PassCodePayload>,
    profile: Option<Map<String, Value>>,
    options: Option<Options>,
}

/// Creates an account and returns the user. Logging in is a separate call.
pub(crate) async fn signup(
    State(shared): server::State,
    head: Head,
    Body(request): Body<SignupRequest>,
) -> Answer<Success<Map<String, Value>>> {
    let application = serving(&shared, &head)?;
    let registration = registration(&shared, request).await?;
    let (user, _) = shared.app.register(&application, registration, None, &head.origin()).await?;
    Ok(Success::new(user_dto(&user)))
}

async fn registration(shared: &Shared, request: SignupRequest) -> Result<Registration, Refusal> {
    let options = request.options.unwrap_or_default();
    let fields_of_profile = request.profile.unwrap_or_default();
    let text = |name: &str| fields_of_profile.get(name).and_then(Value::as_str).map(str::to_owned);
    let custom_data = options.custom_data.or_else(|| fields_of_profile.get("customData").cloned());
    let mut registration = Registration {
        username: fields::username(text("username").as_ref())?,
        profile: read_profile(&fields_of_profile)?,
        custom_data: fields::custom_data(custom_data)?,
        ..Registration::default()
    };
    match payload(request.connection.as_ref(), request.password_payload, request.pass_code_payload)? {
        Payload::Password(payload) => {
            let declared = Some(fields::encryption_or_none(options.password_encrypt_type.as_ref())?);
            let password = required(payload.password.as_ref(), "password")?;
            registration.password = Some(shared.app.open_password(password, declared).await?);
            registration.email = given(payload.email.as_ref()).map(fields::email).transpose()?;
            if let Some(username) = fields::username(payload.username.as_ref())? {
                registration.username = Some(username);
            }
            if registration.email.is_none() && registration.username.is_none() {
                return Err(Refusal::invalid("email, username", Reason::OneNeeded));
            }
        }
        Payload::PassCode(payload) => {
            match payload.target()? {
                Target::Phone(phone) => registration.phone = Some(phone),
                Target::Email(email) => registration.email = Some(email),
            }
            registration.code = Some(payload.code()?.to_owned());
        }
    }
    Ok(registration)
}
