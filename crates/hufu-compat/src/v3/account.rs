//! How logged-in users change their credentials, and how they delete their account.

use axum::extract::State;
use hufu_app::{Confirmation, Refusal, StepToken, Target};
use hufu_types::refusal::Reason;
use hufu_types::{Email, Phone, Scope};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::envelope::Success;
use crate::fields::{self, required};
use crate::request::{Body, Head, given};
use crate::server;
use crate::surface::Answer;

/// The request to change the password.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasswordRequest {
    new_password: Option<String>,
    old_password: Option<String>,
    password_encrypt_type: Option<String>,
}

/// `POST /api/v3/update-password`. One of the clients encrypts the new password but sends the old one in
/// plain text.
pub(crate) async fn update_password(
    State(shared): server::State,
    head: Head,
    Body(request): Body<PasswordRequest>,
) -> Answer<Success<()>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let declared = Some(fields::encryption_or_none(request.password_encrypt_type.as_ref())?);
    let new = required(request.new_password.as_ref(), "newPassword")?;
    let new = shared.app.open_password(new, declared).await?;
    let old = match given(request.old_password.as_ref()) {
        Some(old) => Some(shared.app.open_password_leniently(old, declared).await?),
        None => None,
    };
    shared.app.change_password(&who, new, old).await?;
    Ok(Success::empty())
}

/// A phone number and the code that was sent to it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PhoneRequest {
    phone_number: Option<String>,
    phone_country_code: Option<String>,
    pass_code: Option<String>,
}

/// An e-mail address and the code that was sent to it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EmailRequest {
    email: Option<String>,
    pass_code: Option<String>,
}

impl PhoneRequest {
    fn read(&self) -> Result<(Phone, &str), Refusal> {
        let number = required(self.phone_number.as_ref(), "phoneNumber")?;
        let phone = fields::phone(number, self.phone_country_code.as_ref())?;
        Ok((phone, required(self.pass_code.as_ref(), "passCode")?))
    }
}

impl EmailRequest {
    fn read(&self) -> Result<(Email, &str), Refusal> {
        let email = fields::email(required(self.email.as_ref(), "email")?)?;
        Ok((email, required(self.pass_code.as_ref(), "passCode")?))
    }
}

/// `POST /api/v3/bind-phone`
pub(crate) async fn bind_phone(
    State(shared): server::State,
    head: Head,
    Body(request): Body<PhoneRequest>,
) -> Answer<Success<()>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let (phone, code) = request.read()?;
    shared.app.bind_phone(&who, phone, code).await?;
    Ok(Success::empty())
}

/// `POST /api/v3/bind-email`
pub(crate) async fn bind_email(
    State(shared): server::State,
    head: Head,
    Body(request): Body<EmailRequest>,
) -> Answer<Success<()>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let (email, code) = request.read()?;
    shared.app.bind_email(&who, email, code).await?;
    Ok(Success::empty())
}

/// The first step of a change, with the proof of the new phone number or e-mail address and of the old one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangeRequest {
    verify_method: Option<String>,
    phone_pass_code_payload: Option<PhoneChange>,
    email_pass_code_payload: Option<EmailChange>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PhoneChange {
    new_phone_number: Option<String>,
    new_phone_country_code: Option<String>,
    new_phone_pass_code: Option<String>,
    old_phone_number: Option<String>,
    old_phone_country_code: Option<String>,
    old_phone_pass_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EmailChange {
    new_email: Option<String>,
    new_email_pass_code: Option<String>,
    old_email: Option<String>,
    old_email_pass_code: Option<String>,
}

/// The payload, if the request names the only supported method.
fn payload<'a, T>(
    request: Option<&String>,
    method: &str,
    name: &'static str,
    payload: Option<&'a T>,
) -> Result<&'a T, Refusal> {
    if given(request) != Some(method) {
        return Err(Refusal::invalid("verifyMethod", Reason::NotOneOf { choices: method.to_owned().into() }));
    }
    payload.ok_or_else(|| Refusal::invalid(name, Reason::Missing))
}

/// The response to a first step, with the token under the name that the clients expect.
fn step(name: &str, step: &StepToken) -> Success<Value> {
    Success::new(json!({ name: step.token.expose(), "tokenExpiresIn": step.expires_in }))
}

/// `POST /api/v3/verify-update-phone-request`: the first of two steps.
pub(crate) async fn request_phone_change(
    State(shared): server::State,
    head: Head,
    Body(request): Body<ChangeRequest>,
) -> Answer<Success<Value>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let method = request.verify_method.as_ref();
    let sent = request.phone_pass_code_payload.as_ref();
    let sent = payload(method, "PHONE_PASSCODE", "phonePassCodePayload", sent)?;
    let new = required(sent.new_phone_number.as_ref(), "newPhoneNumber")?;
    let new = fields::phone(new, sent.new_phone_country_code.as_ref())?;
    let code = required(sent.new_phone_pass_code.as_ref(), "newPhonePassCode")?;
    let old = match given(sent.old_phone_number.as_ref()) {
        Some(old) => {
            let code = required(sent.old_phone_pass_code.as_ref(), "oldPhonePassCode")?;
            Some((fields::phone(old, sent.old_phone_country_code.as_ref())?, code.to_owned()))
        }
        None => None,
    };
    Ok(step("updatePhoneToken", &shared.app.request_phone_change(&who, new, code, old).await?))
}

/// `POST /api/v3/verify-update-email-request`: the first of two steps.
pub(crate) async fn request_email_change(
    State(shared): server::State,
    head: Head,
    Body(request): Body<ChangeRequest>,
) -> Answer<Success<Value>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let method = request.verify_method.as_ref();
    let sent = request.email_pass_code_payload.as_ref();
    let sent = payload(method, "EMAIL_PASSCODE", "emailPassCodePayload", sent)?;
    let new = fields::email(required(sent.new_email.as_ref(), "newEmail")?)?;
    let code = required(sent.new_email_pass_code.as_ref(), "newEmailPassCode")?;
    let old = match given(sent.old_email.as_ref()) {
        Some(old) => {
            let code = required(sent.old_email_pass_code.as_ref(), "oldEmailPassCode")?;
            Some((fields::email(old)?, code.to_owned()))
        }
        None => None,
    };
    Ok(step("updateEmailToken", &shared.app.request_email_change(&who, new, code, old).await?))
}

/// The second step, with the token from the first one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepRequest {
    update_phone_token: Option<String>,
    update_email_token: Option<String>,
    delete_account_token: Option<String>,
}

/// `POST /api/v3/update-phone`
pub(crate) async fn update_phone(
    State(shared): server::State,
    head: Head,
    Body(request): Body<StepRequest>,
) -> Answer<Success<()>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let token = required(request.update_phone_token.as_ref(), "updatePhoneToken")?;
    shared.app.change_phone_by_token(&who, token).await?;
    Ok(Success::empty())
}

/// `POST /api/v3/update-email`
pub(crate) async fn update_email(
    State(shared): server::State,
    head: Head,
    Body(request): Body<StepRequest>,
) -> Answer<Success<()>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let token = required(request.update_email_token.as_ref(), "updateEmailToken")?;
    shared.app.change_email_by_token(&who, token).await?;
    Ok(Success::empty())
}

/// The proof of ownership that a deletion needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletionRequest {
    verify_method: Option<String>,
    phone_pass_code_payload: Option<PhoneRequest>,
    email_pass_code_payload: Option<EmailRequest>,
    password_payload: Option<DeletionPassword>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletionPassword {
    password: Option<String>,
    password_encrypt_type: Option<String>,
}

/// `POST /api/v3/verify-delete-account-request`: the first of two steps. The client sends the password
/// unencrypted, whatever it declares.
pub(crate) async fn request_deletion(
    State(shared): server::State,
    head: Head,
    Body(request): Body<DeletionRequest>,
) -> Answer<Success<Value>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let method = request.verify_method.as_ref();
    let proof = match given(method) {
        Some(named @ "PHONE_PASSCODE") => {
            let sent = request.phone_pass_code_payload.as_ref();
            let (phone, code) = payload(method, named, "phonePassCodePayload", sent)?.read()?;
            Confirmation::Code { target: Target::Phone(phone), code: code.to_owned() }
        }
        Some(named @ "EMAIL_PASSCODE") => {
            let sent = request.email_pass_code_payload.as_ref();
            let (email, code) = payload(method, named, "emailPassCodePayload", sent)?.read()?;
            Confirmation::Code { target: Target::Email(email), code: code.to_owned() }
        }
        Some(named @ "PASSWORD") => {
            let sent = payload(method, named, "passwordPayload", request.password_payload.as_ref())?;
            let declared = Some(fields::encryption_or_none(sent.password_encrypt_type.as_ref())?);
            let text = required(sent.password.as_ref(), "password")?;
            Confirmation::Password(shared.app.open_password_leniently(text, declared).await?)
        }
        _ => {
            let choices = "PHONE_PASSCODE, EMAIL_PASSCODE, PASSWORD".into();
            return Err(Refusal::invalid("verifyMethod", Reason::NotOneOf { choices }).into());
        }
    };
    Ok(step("deleteAccountToken", &shared.app.request_deletion(&who, proof).await?))
}

/// `POST /api/v3/delete-account`. The account can be restored for some days.
pub(crate) async fn delete_account(
    State(shared): server::State,
    head: Head,
    Body(request): Body<StepRequest>,
) -> Answer<Success<()>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let token = required(request.delete_account_token.as_ref(), "deleteAccountToken")?;
    shared.app.delete_account(&who, token).await?;
    Ok(Success::empty())
}
