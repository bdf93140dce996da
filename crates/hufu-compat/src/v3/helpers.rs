//! Calls of mini programs besides login: phone numbers by code, and decryption of sealed data.

use axum::extract::State;
use hufu_app::{Refusal, SealedData};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::envelope::Success;
use crate::request::{Body, Head, given};
use crate::server;
use crate::surface::Answer;
use hufu_types::refusal::Reason;

/// The request of the clients.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HelperRequest {
    #[serde(rename = "extIdpConnidentifier")]
    identifier: Option<String>,
    code: Option<String>,
    iv: Option<String>,
    encrypted_data: Option<String>,
}

impl HelperRequest {
    fn code(&self) -> Result<&str, Refusal> {
        given(self.code.as_ref()).ok_or_else(|| Refusal::invalid("code", Reason::Missing))
    }
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct PhoneInfo {
    country_code: String,
    phone_number: String,
    pure_phone_number: String,
    watermark: Watermark,
}

#[derive(Clone, Serialize)]
struct Watermark {
    appid: String,
    timestamp: i64,
}

/// The SDK reads the nested form. Integrators who follow the documentation read the flat one.
#[derive(Serialize)]
pub(crate) struct PhoneAnswer {
    phone_info: PhoneInfo,
    #[serde(flatten)]
    flat: PhoneInfo,
}

/// `POST /api/v3/get-wechat-miniprogram-phone`
pub(crate) async fn phone(
    State(shared): server::State,
    head: Head,
    Body(request): Body<HelperRequest>,
) -> Answer<Success<PhoneAnswer>> {
    let config = shared.app.config();
    let identifier = given(request.identifier.as_ref());
    let application = config.serving_connection(head.named(), identifier)?;
    let connection = config.opened_mini_program(application, identifier, head.referer.as_deref())?;
    let phone =
        shared.app.phone_by_code(application, &connection, request.code()?, head.ip.as_deref()).await?;
    let info = PhoneInfo {
        country_code: phone.country_code,
        phone_number: phone.phone_number,
        pure_phone_number: phone.pure_phone_number,
        watermark: Watermark { appid: phone.app_id, timestamp: phone.timestamp },
    };
    Ok(Success::new(PhoneAnswer { phone_info: info.clone(), flat: info }))
}

/// `POST /api/v3/decrypt-wechat-miniprogram-data`
pub(crate) async fn decrypt(
    State(shared): server::State,
    head: Head,
    Body(request): Body<HelperRequest>,
) -> Answer<Success<Map<String, Value>>> {
    let config = shared.app.config();
    let identifier = given(request.identifier.as_ref());
    let application = config.serving_connection(head.named(), identifier)?;
    let connection = config.opened_mini_program(application, identifier, head.referer.as_deref())?;
    let missing = || Refusal::invalid("iv, encryptedData", Reason::MissingFromWechat);
    let iv = given(request.iv.as_ref()).ok_or_else(missing)?;
    let encrypted_data = given(request.encrypted_data.as_ref()).ok_or_else(missing)?;
    let sealed = SealedData { iv, encrypted_data };
    Ok(Success::new(
        shared
            .app
            .open_for_client(application, &connection, request.code()?, sealed, head.ip.as_deref())
            .await?,
    ))
}
