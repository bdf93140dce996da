//! Codes by SMS and e-mail: the clients' names for their purposes, and the v2 call that sends one.

use std::sync::Arc;

use axum::extract::State;
use hufu_app::{Refusal, Target};
use hufu_types::refusal::Reason;
use hufu_types::{Application, PasscodePurpose};
use serde::Deserialize;

use super::fields::{email, phone, required};
use crate::envelope::Success;
use crate::request::{Body, Head, given};
use crate::server::{self, Shared};
use crate::surface::Answer;

use PasscodePurpose::{
    Bind, Change, Complete, Confirm, DeleteAccount, General, Login, Register, ResetPassword, Unbind, Unlock,
    Verify,
};

/// The scenes of `sendSmsCode` in the newer v2 clients. The older clients send none.
const SMS_SCENES: [(&str, PasscodePurpose); 9] = [
    ("login", Login),
    ("register", Register),
    ("reset", ResetPassword),
    ("bind", Bind),
    ("unbind", Unbind),
    ("mfa-bind", Confirm),
    ("mfa-verify", Confirm),
    ("mfa-unbind", Confirm),
    ("complete-phone", Complete),
];

/// The v3 channels for SMS. To change a number, clients use the channels that bind and unbind one.
const SMS_CHANNELS: [(&str, PasscodePurpose); 12] = [
    ("CHANNEL_LOGIN", Login),
    ("CHANNEL_REGISTER", Register),
    ("CHANNEL_RESET_PASSWORD", ResetPassword),
    ("CHANNEL_BIND_PHONE", Bind),
    ("CHANNEL_UNBIND_PHONE", Unbind),
    ("CHANNEL_BIND_MFA", Confirm),
    ("CHANNEL_VERIFY_MFA", Confirm),
    ("CHANNEL_UNBIND_MFA", Confirm),
    ("CHANNEL_COMPLETE_PHONE", Complete),
    ("CHANNEL_IDENTITY_VERIFICATION", Confirm),
    ("CHANNEL_DELETE_ACCOUNT", DeleteAccount),
    ("CHANNEL_UNLOCK_ACCOUNT", Unlock),
];

/// The v3 channels for e-mail.
const EMAIL_CHANNELS: [(&str, PasscodePurpose); 11] = [
    ("CHANNEL_LOGIN", Login),
    ("CHANNEL_REGISTER", Register),
    ("CHANNEL_RESET_PASSWORD", ResetPassword),
    ("CHANNEL_VERIFY_EMAIL_LINK", Verify),
    ("CHANNEL_UPDATE_EMAIL", Change),
    ("CHANNEL_BIND_EMAIL", Bind),
    ("CHANNEL_UNBIND_EMAIL", Unbind),
    ("CHANNEL_VERIFY_MFA", Confirm),
    ("CHANNEL_UNLOCK_ACCOUNT", Unlock),
    ("CHANNEL_COMPLETE_EMAIL", Complete),
    ("CHANNEL_DELETE_ACCOUNT", DeleteAccount),
];

/// The scenes for e-mail. Upper and lower case count as the same.
const EMAIL_SCENES: [(&str, PasscodePurpose); 14] = [
    ("RESET_PASSWORD", ResetPassword),
    ("RESET_PASSWORD_VERIFY_CODE", ResetPassword),
    ("VERIFY_EMAIL", Verify),
    ("FIRST_EMAIL_LOGIN_VERIFY", Verify),
    ("CONSOLE_CONDUCTED_VERIFY", Verify),
    ("CHANGE_EMAIL", Change),
    ("MFA_VERIFY", Confirm),
    ("MFA_VERIFY_CODE", Confirm),
    ("EMAIL_BIND_VERIFY_CODE", Bind),
    ("EMAIL_UNBIND_VERIFY_CODE", Unbind),
    ("VERIFY_CODE", General),
    ("REGISTER_VERIFY_CODE", Register),
    ("LOGIN_VERIFY_CODE", Login),
    ("INFORMATION_COMPLETION_VERIFY_CODE", Complete),
];

/// The purpose of an SMS code, from the scene of a v2 client.
fn of_sms_scene(scene: Option<&String>) -> Result<PasscodePurpose, Refusal> {
    given(scene).map_or(Ok(General), |scene| look_up(&SMS_SCENES, scene, "scene"))
}

/// The purpose of an SMS code, from the channel of a v3 client.
pub(crate) fn of_sms_channel(channel: Option<&String>) -> Result<PasscodePurpose, Refusal> {
    look_up(&SMS_CHANNELS, required(channel, "channel")?, "channel")
}

/// The purpose of an e-mail code, from the channel of a v3 client.
pub(crate) fn of_email_channel(channel: Option<&String>) -> Result<PasscodePurpose, Refusal> {
    look_up(&EMAIL_CHANNELS, required(channel, "channel")?, "channel")
}

fn look_up(
    table: &[(&str, PasscodePurpose)],
    name: &str,
    what: &'static str,
) -> Result<PasscodePurpose, Refusal> {
    table.iter().find(|(known, _)| *known == name).map(|(_, purpose)| *purpose).ok_or_else(|| {
        let known: Vec<&str> = table.iter().map(|(known, _)| *known).collect();
        Refusal::invalid(what, Reason::NotOneOf { choices: known.join(", ").into() })
    })
}

/// The application that serves the request. A bearer token is ignored.
pub(crate) fn serving(shared: &Shared, head: &Head) -> Result<Arc<Application>, Refusal> {
    shared.app.config().serving(head.named()).cloned()
}

/// Sends a code on behalf of the application that serves the request.
pub(crate) async fn send(
    shared: &Shared,
    head: &Head,
    to: Target,
    purpose: PasscodePurpose,
) -> Result<(), Refusal> {
    let application = serving(shared, head)?;
    shared.app.send_code(&application, to, purpose, head.language, &head.origin()).await
}

/// The request of the v2 clients.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SmsRequest {
    phone: Option<String>,
    phone_country_code: Option<String>,
    scene: Option<String>,
}

/// `POST /api/v2/sms/send`: sends a code by SMS.
pub(crate) async fn send_sms(
    State(shared): server::State,
    head: Head,
    Body(request): Body<SmsRequest>,
) -> Answer<Success<()>> {
    let number = phone(required(request.phone.as_ref(), "phone")?, request.phone_country_code.as_ref())?;
    send(&shared, &head, Target::Phone(number), of_sms_scene(request.scene.as_ref())?).await?;
    Ok(Success::empty())
}

/// The request of the v2 clients.
#[derive(Deserialize)]
pub(crate) struct EmailRequest {
    email: Option<String>,
    scene: Option<String>,
}

/// `POST /api/v2/email/send`: sends a code by e-mail.
pub(crate) async fn send_email(
    State(shared): server::State,
    head: Head,
    Body(request): Body<EmailRequest>,
) -> Answer<Success<()>> {
    let address = email(required(request.email.as_ref(), "email")?)?;
    let purpose = match given(request.scene.as_ref()) {
        Some(scene) => look_up(&EMAIL_SCENES, &scene.to_ascii_uppercase(), "scene")?,
        None => General,
    };
    send(&shared, &head, Target::Email(address), purpose).await?;
    Ok(Success::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hufu_types::refusal::Code;

    #[test]
    fn purposes_have_names() {
        let name = |text: &str| Some(text.to_owned());
        assert_eq!(of_sms_scene(None).unwrap(), General);
        assert_eq!(of_sms_scene(name("").as_ref()).unwrap(), General);
        assert_eq!(of_sms_scene(name("reset").as_ref()).unwrap(), ResetPassword);
        assert_eq!(of_sms_channel(name("CHANNEL_UNBIND_PHONE").as_ref()).unwrap(), Unbind);
        assert_eq!(of_email_channel(name("CHANNEL_UPDATE_EMAIL").as_ref()).unwrap(), Change);
        for refused in [
            of_sms_scene(name("nonsense").as_ref()),
            of_sms_channel(None),
            of_sms_channel(name("CHANNEL_UPDATE_EMAIL").as_ref()),
            of_email_channel(name("CHANNEL_BIND_PHONE").as_ref()),
        ] {
            assert!(matches!(refused, Err(ref refusal) if refusal.is(Code::Invalid)));
        }
    }
}
