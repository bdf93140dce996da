//! The REST calls of the mobile SDKs about one's own account: profile, password, login names, custom data. They do what
//! the GraphQL operations of the same names do. The clients send their id token or their user token.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, post};
use hufu_app::{Authenticated, ProfileChange, Refusal, Target};
use hufu_types::Scope;
use hufu_types::refusal::{Code, Reason};
use hufu_web::Routes;
use hufu_web::cors::open;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::codes::serving;
use crate::envelope::Success;
use crate::fields::{self, required};
use crate::graphql::custom_data::{self, UserDefinedData};
use crate::request::{Body, Head, given};
use crate::server::{self, Shared};
use crate::surface::{Answer, private_json};
use crate::user::UserV2;
use crate::users::own;
use crate::v3::profile::read_change;

/// The calls.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/api/v2/users/refresh-token", open(post(refresh_token)))
        .route("/api/v2/users/profile/update", open(post(update_profile)))
        .route("/api/v2/users/phone/bind", open(post(bind_phone)))
        .route("/api/v2/users/phone/unbind", open(post(unbind_phone)))
        .route("/api/v2/users/phone/update", open(post(update_phone)))
        .route("/api/v2/users/email/bind", open(post(bind_email)))
        .route("/api/v2/users/email/unbind", open(post(unbind_email)))
        .route("/api/v2/users/email/update", open(post(update_email)))
        .route("/api/v2/users/delete", open(delete(delete_account)))
        .route("/api/v2/password/update", open(post(update_password)))
        .route("/api/v2/password/reset/sms", open(post(reset_password_by_phone)))
        .route("/api/v2/password/reset/email", open(post(reset_password_by_email)))
        .route("/api/v2/udvs/get", open(post(get_custom_data)))
        .route("/api/v2/udfs/values", open(post(set_custom_data)))
}

/// Authenticates the user of a call.
async fn authenticate(shared: &Shared, head: &Head) -> Result<Authenticated, Refusal> {
    head.authenticate_mobile(shared, Scope::Profile).await
}

/// A new user token. Times are Unix seconds.
#[derive(Serialize)]
struct Renewed {
    token: String,
    iat: i64,
    exp: i64,
}

/// `POST /api/v2/users/refresh-token`: issues a new user token of the same session in exchange for a user token. Others are
/// renewed at the token endpoint.
async fn refresh_token(State(shared): server::State, head: Head) -> Answer<Success<Renewed>> {
    let who = authenticate(&shared, &head).await?;
    if who.scope.is_some() {
        return Err(Refusal::invalid("token", Reason::RenewedElsewhere).into());
    }
    let renewed = shared.app.renew(&who)?;
    let (iat, exp) = (renewed.issued_at.seconds(), renewed.expires_at.seconds());
    Ok(Success::new(Renewed { token: renewed.token, iat, exp }))
}

/// `POST /api/v2/users/profile/update`: login names and what is no field of a profile are ignored.
async fn update_profile(
    State(shared): server::State,
    head: Head,
    Body(request): Body<Map<String, Value>>,
) -> Answer<Success<UserV2>> {
    let who = authenticate(&shared, &head).await?;
    let change = read_change(request, &mut |_| Ok(()))?;
    shared.app.update_profile(&who, change).await?;
    Ok(Success::new(own(&shared, &head, &who).await?))
}

/// A phone number with the code that proves it, and the old one with its code.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PhoneRequest {
    phone: Option<String>,
    phone_country_code: Option<String>,
    #[serde(alias = "code")]
    phone_code: Option<String>,
    old_phone: Option<String>,
    old_phone_country_code: Option<String>,
    old_phone_code: Option<String>,
}

impl PhoneRequest {
    fn proved(&self) -> Result<(hufu_types::Phone, &str), Refusal> {
        let number = required(self.phone.as_ref(), "phone")?;
        let phone = fields::phone(number, self.phone_country_code.as_ref())?;
        Ok((phone, required(self.phone_code.as_ref(), "phoneCode")?))
    }
}

async fn bind_phone(
    State(shared): server::State,
    head: Head,
    Body(request): Body<PhoneRequest>,
) -> Answer<Success<UserV2>> {
    let who = authenticate(&shared, &head).await?;
    let (phone, code) = request.proved()?;
    shared.app.bind_phone(&who, phone, code).await?;
    Ok(Success::new(own(&shared, &head, &who).await?))
}

async fn unbind_phone(State(shared): server::State, head: Head) -> Answer<Success<UserV2>> {
    let who = authenticate(&shared, &head).await?;
    shared.app.unbind_phone(&who).await?;
    Ok(Success::new(own(&shared, &head, &who).await?))
}

async fn update_phone(
    State(shared): server::State,
    head: Head,
    Body(request): Body<PhoneRequest>,
) -> Answer<Success<UserV2>> {
    let who = authenticate(&shared, &head).await?;
    let (phone, code) = request.proved()?;
    let old = match given(request.old_phone.as_ref()) {
        Some(old) => {
            let country = request.old_phone_country_code.as_ref();
            Some((fields::phone(old, country)?, request.old_phone_code.clone().unwrap_or_default()))
        }
        None => None,
    };
    shared.app.change_phone(&who, phone, code, old).await?;
    Ok(Success::new(own(&shared, &head, &who).await?))
}

/// An e-mail address with the code that proves it, and the old one with its code.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EmailRequest {
    email: Option<String>,
    #[serde(alias = "code")]
    email_code: Option<String>,
    old_email: Option<String>,
    old_email_code: Option<String>,
}

impl EmailRequest {
    fn proved(&self) -> Result<(hufu_types::Email, &str), Refusal> {
        let email = fields::email(required(self.email.as_ref(), "email")?)?;
        Ok((email, required(self.email_code.as_ref(), "emailCode")?))
    }
}

async fn bind_email(
    State(shared): server::State,
    head: Head,
    Body(request): Body<EmailRequest>,
) -> Answer<Success<UserV2>> {
    let who = authenticate(&shared, &head).await?;
    let (email, code) = request.proved()?;
    shared.app.bind_email(&who, email, code).await?;
    Ok(Success::new(own(&shared, &head, &who).await?))
}

async fn unbind_email(State(shared): server::State, head: Head) -> Answer<Success<UserV2>> {
    let who = authenticate(&shared, &head).await?;
    shared.app.unbind_email(&who).await?;
    Ok(Success::new(own(&shared, &head, &who).await?))
}

async fn update_email(
    State(shared): server::State,
    head: Head,
    Body(request): Body<EmailRequest>,
) -> Answer<Success<UserV2>> {
    let who = authenticate(&shared, &head).await?;
    let (email, code) = request.proved()?;
    let old = match given(request.old_email.as_ref()) {
        Some(old) => Some((fields::email(old)?, request.old_email_code.clone().unwrap_or_default())),
        None => None,
    };
    shared.app.change_email(&who, email, code, old).await?;
    Ok(Success::new(own(&shared, &head, &who).await?))
}

/// `DELETE /api/v2/users/delete`: the clients prove nothing, so the login must be recent. The account can be restored within
/// the pool's grace period.
async fn delete_account(State(shared): server::State, head: Head) -> Answer<Success<()>> {
    let who = authenticate(&shared, &head).await?;
    shared.app.delete_own_account(&who, hufu_app::DeletionProof::RecentLogin).await?;
    Ok(Success::empty())
}

/// A new password with the old one, or with a code that proves a login name.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PasswordRequest {
    new_password: Option<String>,
    old_password: Option<String>,
    phone: Option<String>,
    phone_country_code: Option<String>,
    email: Option<String>,
    code: Option<String>,
}

async fn update_password(
    State(shared): server::State,
    head: Head,
    Body(request): Body<PasswordRequest>,
) -> Answer<Success<UserV2>> {
    let who = authenticate(&shared, &head).await?;
    let new = fields::password(&shared, required(request.new_password.as_ref(), "newPassword")?).await?;
    let old = match given(request.old_password.as_ref()) {
        Some(old) => Some(fields::password(&shared, old).await?),
        None => None,
    };
    shared.app.change_password(&who, new, old).await?;
    Ok(Success::new(own(&shared, &head, &who).await?))
}

/// `POST /api/v2/password/reset/sms`. A bearer token is ignored.
async fn reset_password_by_phone(
    State(shared): server::State,
    head: Head,
    Body(request): Body<PasswordRequest>,
) -> Answer<Success<()>> {
    let number = required(request.phone.as_ref(), "phone")?;
    let phone = fields::phone(number, request.phone_country_code.as_ref())?;
    reset_password(&shared, &head, Target::Phone(phone), &request).await
}

/// `POST /api/v2/password/reset/email`. A bearer token is ignored.
async fn reset_password_by_email(
    State(shared): server::State,
    head: Head,
    Body(request): Body<PasswordRequest>,
) -> Answer<Success<()>> {
    let email = fields::email(required(request.email.as_ref(), "email")?)?;
    reset_password(&shared, &head, Target::Email(email), &request).await
}

async fn reset_password(
    shared: &Shared,
    head: &Head,
    of: Target,
    request: &PasswordRequest,
) -> Answer<Success<()>> {
    let code = required(request.code.as_ref(), "code")?;
    let application = serving(shared, head)?;
    let new = fields::password(shared, required(request.new_password.as_ref(), "newPassword")?).await?;
    shared.app.reset_password(&application, of, code, new, &head.origin()).await?;
    Ok(Success::empty())
}

/// Whose custom data is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomDataRequest {
    target_type: Option<String>,
    target_id: Option<String>,
}

/// `POST /api/v2/udvs/get`: the custom data of the user, as a list without an envelope.
async fn get_custom_data(
    State(shared): server::State,
    head: Head,
    Body(request): Body<CustomDataRequest>,
) -> Answer<Response> {
    let who = authenticate(&shared, &head).await?;
    if given(request.target_type.as_ref()).is_some_and(|kind| kind != "USER") {
        return Err(Refusal::invalid("targetType", Reason::NotOneOf { choices: "USER".into() }).into());
    }
    let is_own = |id: &str| id == who.user.as_str() || id == who.subject.as_str();
    if given(request.target_id.as_ref()).is_some_and(|id| !is_own(id)) {
        return Err(Code::NotYourself.into());
    }
    let user = shared.app.user(&who).await?;
    let settings = shared.app.config().settings(who.pool());
    Ok(private_json(StatusCode::OK, &custom_data::list(&user.custom_data, &settings)))
}

/// Values of custom data by the names of their fields.
#[derive(Deserialize)]
struct ValuesRequest {
    #[serde(default)]
    udfs: Vec<NamedValue>,
}

#[derive(Deserialize)]
struct NamedValue {
    definition: String,
    #[serde(default)]
    value: Value,
}

/// `POST /api/v2/udfs/values`: sets values of custom data; null removes one. Returns all custom data.
async fn set_custom_data(
    State(shared): server::State,
    head: Head,
    Body(request): Body<ValuesRequest>,
) -> Answer<Success<Vec<UserDefinedData>>> {
    let who = authenticate(&shared, &head).await?;
    let values = request.udfs.into_iter().map(|NamedValue { definition, value }| (definition, value));
    let change = ProfileChange { custom_data: values.collect(), ..ProfileChange::default() };
    let user = shared.app.update_profile(&who, change).await?;
    let settings = shared.app.config().settings(who.pool());
    Ok(Success::new(custom_data::list(&user.custom_data, &settings)))
}
