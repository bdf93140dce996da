//! `POST /api/v3/send-sms` and `POST /api/v3/send-email` send codes; `POST /api/v3/unlock-account` uses one.
//! A bearer token is ignored.

use axum::extract::State;
use hufu_app::{Refusal, Target};
use serde::Deserialize;

use crate::codes::{of_email_channel, of_sms_channel, send, serving};
use crate::envelope::Success;
use crate::fields::{self, required};
use crate::request::{Body, Head, given};
use crate::server;
use crate::surface::Answer;
use hufu_types::refusal::Reason;

/// The request of the clients.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SmsRequest {
    phone_number: Option<String>,
    phone_country_code: Option<String>,
    channel: Option<String>,
}

/// Sends a code by SMS.
pub(crate) async fn send_sms(
    State(shared): server::State,
    head: Head,
    Body(request): Body<SmsRequest>,
) -> Answer<Success<()>> {
    let number = required(request.phone_number.as_ref(), "phoneNumber")?;
    let phone = fields::phone(number, request.phone_country_code.as_ref())?;
    send(&shared, &head, Target::Phone(phone), of_sms_channel(request.channel.as_ref())?).await?;
    Ok(Success::empty())
}

/// The request of the clients.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EmailRequest {
    email: Option<String>,
    channel: Option<String>,
}

/// Sends a code by e-mail.
pub(crate) async fn send_email(
    State(shared): server::State,
    head: Head,
    Body(request): Body<EmailRequest>,
) -> Answer<Success<()>> {
    let address = fields::email(required(request.email.as_ref(), "email")?)?;
    send(&shared, &head, Target::Email(address), of_email_channel(request.channel.as_ref())?).await?;
    Ok(Success::empty())
}

/// The proof that unlocks an account: its phone number or e-mail address, and a code sent there through the
/// channel `CHANNEL_UNLOCK_ACCOUNT`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnlockRequest {
    phone_number: Option<String>,
    phone_country_code: Option<String>,
    email: Option<String>,
    pass_code: Option<String>,
}

/// Unlocks an account that was locked after wrong passwords. No SDK calls it.
pub(crate) async fn unlock_account(
    State(shared): server::State,
    head: Head,
    Body(request): Body<UnlockRequest>,
) -> Answer<Success<()>> {
    let target = match (given(request.phone_number.as_ref()), given(request.email.as_ref())) {
        (Some(number), _) => Target::Phone(fields::phone(number, request.phone_country_code.as_ref())?),
        (None, Some(address)) => Target::Email(fields::email(address)?),
        (None, None) => {
            return Err(Refusal::invalid("phoneNumber, email", Reason::OneNeeded).into());
        }
    };
    let code = required(request.pass_code.as_ref(), "passCode")?;
    let application = serving(&shared, &head)?;
    shared.app.unlock_account(&application, target, code, &head.origin()).await?;
    Ok(Success::empty())
}
