//! `/connections/social/wechat-miniprogram/*`: the calls of authing-wxapp-sdk, and binding.

use std::sync::Arc;

use axum::extract::State;
use hufu_app::{Evidence, PhoneEvidence, PhoneUse, Refusal, SealedData, SourceLogin};
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::Reason;
use hufu_types::{Application, Connection, Scope};
use serde::{Deserialize, Serialize};

use super::user::UserV2;
use crate::envelope::Success;
use crate::request::{Body, Head, given};
use crate::server::{self, Shared};
use crate::surface::Answer;
use crate::waiting;

/// The request of the clients. Empty text counts as missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CodeRequest {
    code: Option<String>,
    iv: Option<String>,
    encrypted_data: Option<String>,
    raw_data: Option<String>,
    #[serde(rename = "extIdpConnidentifier")]
    connection: Option<String>,
}

impl CodeRequest {
    /// The application and the connection that serve the request.
    fn place(&self, shared: &Shared, who: &Head) -> Result<(Arc<Application>, Arc<Connection>), Refusal> {
        let config = shared.app.config();
        let application = config.serving(who.named())?;
        let connection =
            config.mini_program(application, given(self.connection.as_ref()), who.referer.as_deref())?;
        Ok((application.clone(), connection))
    }

    fn code(&self) -> Result<&str, Refusal> {
        given(self.code.as_ref()).ok_or_else(|| Refusal::invalid("code", Reason::MissingFromWechat))
    }

    fn sealed(&self) -> Option<SealedData<'_>> {
        Some(SealedData {
            iv: given(self.iv.as_ref())?,
            encrypted_data: given(self.encrypted_data.as_ref())?,
        })
    }

    fn required_sealed(&self) -> Result<SealedData<'_>, Refusal> {
        self.sealed().ok_or_else(|| Refusal::invalid("iv, encryptedData", Reason::MissingFromWechat))
    }
}

/// `loginByCode`: logs in without user interaction.
pub(crate) async fn auth(
    shared: server::State,
    head: Head,
    Body(request): Body<CodeRequest>,
) -> Answer<Success<UserV2>> {
    log_in(shared, head, request, |_| Ok(None)).await
}

/// `loginByPhone`: logs in by the sealed phone number from WeChat's old phone button.
pub(crate) async fn auth_by_phone(
    shared: server::State,
    head: Head,
    Body(request): Body<CodeRequest>,
) -> Answer<Success<UserV2>> {
    log_in(shared, head, request, |request| request.required_sealed().map(Some)).await
}

/// Logs in. If `phone` finds sealed data in the request, the login is by the phone number too.
async fn log_in(
    State(shared): server::State,
    head: Head,
    request: CodeRequest,
    phone: fn(&CodeRequest) -> Result<Option<SealedData<'_>>, Refusal>,
) -> Answer<Success<UserV2>> {
    let (application, connection) = request.place(&shared, &head)?;
    let phone = phone(&request)?;
    let login = SourceLogin {
        application,
        connection,
        evidence: Evidence {
            code: request.code()?,
            // In a login by phone, `iv` and `encryptedData` contain the phone number.
            user_info: if phone.is_none() { request.sealed() } else { None },
            raw_data: given(request.raw_data.as_ref()),
            phone: phone.map(PhoneEvidence::Sealed),
            is_of_pool: false,
        },
        phone_use: PhoneUse::LogIn,
        options: RequestedTokens::UserToken.into(),
        origin: head.origin(),
    };
    let done = waiting::done(shared.app.log_in(&login).await?)?;
    Ok(Success::new(UserV2::of_login(done)))
}

/// The response of `getPhone`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PhoneAnswer {
    country_code: String,
    phone_number: String,
    pure_phone_number: String,
    openid: String,
    unionid: Option<String>,
}

/// `getPhone`: returns the number, without logging in or binding.
pub(crate) async fn get_phone(
    State(shared): server::State,
    head: Head,
    Body(request): Body<CodeRequest>,
) -> Answer<Success<PhoneAnswer>> {
    let (application, connection) = request.place(&shared, &head)?;
    let (code, sealed) = (request.code()?, request.required_sealed()?);
    let owner =
        shared.app.phone_by_sealed_data(&application, &connection, code, sealed, head.ip.as_deref()).await?;
    Ok(Success::new(PhoneAnswer {
        country_code: owner.phone.country_code,
        phone_number: owner.phone.phone_number,
        pure_phone_number: owner.phone.pure_phone_number,
        openid: owner.openid,
        unionid: owner.unionid,
    }))
}

/// `bindPlatformByCode`: binds the WeChat identity to the logged-in user.
pub(crate) async fn bind(
    State(shared): server::State,
    head: Head,
    Body(request): Body<CodeRequest>,
) -> Answer<Success<()>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let config = shared.app.config();
    let named = given(request.connection.as_ref());
    let connection = config.mini_program(&who.application, named, head.referer.as_deref())?;
    shared.app.bind_identity(&who, &connection, request.code()?).await?;
    Ok(Success::empty())
}
