//! `POST /api/v3/signin-by-mobile`: logins with what the client got from the identity source itself.

use axum::extract::State;
use hufu_app::{Evidence, LoginOptions, PhoneEvidence, PhoneUse, Refusal, SealedData, SourceLogin, sources};
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{ConnectionKind, PoolSettings, ScopeSet};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::envelope::Success;
use crate::fields;
use crate::oidc::TokenAnswer;
use crate::request::{Body, Head, given};
use crate::server;
use crate::surface::Answer;
use crate::waiting;

/// The request of the clients.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SigninRequest {
    connection: Option<String>,
    #[serde(rename = "extIdpConnidentifier")]
    identifier: Option<String>,
    wechat_mini_program_code_payload: Option<LoginInfo>,
    wechat_mini_program_phone_payload: Option<LoginInfo>,
    wechat_mini_program_code_and_phone_payload: Option<CodeAndPhone>,
    wechat_payload: Option<LoginInfo>,
    options: Option<Options>,
    #[serde(rename = "client_id")]
    client_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginInfo {
    code: Option<String>,
    iv: Option<String>,
    encrypted_data: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CodeAndPhone {
    wx_login_info: Option<LoginInfo>,
    wx_phone_info: Option<PhoneInfo>,
}

#[derive(Deserialize)]
struct PhoneInfo {
    code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    scope: Option<String>,
    custom_data: Option<Value>,
}

impl LoginInfo {
    fn code(&self) -> Result<&str, Refusal> {
        given(self.code.as_ref()).ok_or_else(|| missing("code"))
    }

    fn sealed(&self) -> Option<SealedData<'_>> {
        Some(SealedData {
            iv: given(self.iv.as_ref())?,
            encrypted_data: given(self.encrypted_data.as_ref())?,
        })
    }
}

fn missing(field: &'static str) -> Refusal {
    Refusal::invalid(field, Reason::Missing)
}

impl SigninRequest {
    /// The kind of source that the client names, and the evidence from it.
    fn evidence(&self) -> Result<(ConnectionKind, Evidence<'_>), Refusal> {
        let name = given(self.connection.as_ref()).ok_or_else(|| missing("connection"))?;
        let kind = sources::kind_by_client_name(name).ok_or_else(|| {
            let served = sources::client_names_of_kinds().collect::<Vec<_>>().join(", ");
            Refusal::invalid("connection", Reason::NotOneOf { choices: served.into() })
        })?;
        let evidence = match name {
            "wechat_mini_program_code" => {
                let info = self.wechat_mini_program_code_payload.as_ref();
                let info = info.ok_or_else(|| missing("wechatMiniProgramCodePayload"))?;
                Evidence { user_info: info.sealed(), ..Evidence::code(info.code()?) }
            }
            "wechat_mini_program_phone" => {
                let info = self.wechat_mini_program_phone_payload.as_ref();
                let info = info.ok_or_else(|| missing("wechatMiniProgramPhonePayload"))?;
                let sealed = info.sealed().ok_or_else(|| missing("encryptedData or iv"))?;
                Evidence { phone: Some(PhoneEvidence::Sealed(sealed)), ..Evidence::code(info.code()?) }
            }
            "wechat_mini_program_code_and_phone" => {
                let both = self.wechat_mini_program_code_and_phone_payload.as_ref();
                let both = both.ok_or_else(|| missing("wechatMiniProgramCodeAndPhonePayload"))?;
                let info = both.wx_login_info.as_ref().ok_or_else(|| missing("wxLoginInfo"))?;
                let phone = both.wx_phone_info.as_ref().and_then(|p| given(p.code.as_ref()));
                let phone = phone.ok_or_else(|| missing("wxPhoneInfo.code"))?;
                let phone = Some(PhoneEvidence::Code(phone));
                Evidence { user_info: info.sealed(), phone, ..Evidence::code(info.code()?) }
            }
            _ => {
                let info = self.wechat_payload.as_ref().ok_or_else(|| missing("wechatPayload"))?;
                Evidence::code(info.code()?)
            }
        };
        Ok((kind, evidence))
    }

    fn scope(&self, settings: &PoolSettings) -> ScopeSet {
        let options = self.options.as_ref();
        ScopeSet::asked(options.and_then(|options| given(options.scope.as_ref())), &settings.scopes)
    }

    fn custom_data(&self) -> Result<Map<String, Value>, Refusal> {
        fields::custom_data(self.options.as_ref().and_then(|options| options.custom_data.clone()))
    }
}

/// Logs in and returns a token set.
pub(crate) async fn signin_by_mobile(
    State(shared): server::State,
    head: Head,
    Body(request): Body<SigninRequest>,
) -> Answer<Success<TokenAnswer>> {
    let config = shared.app.config();
    let application = config.serving(head.named_or(request.client_id.as_deref()))?;
    let ((kind, evidence), custom_data) = (request.evidence()?, request.custom_data()?);
    let identifier = given(request.identifier.as_ref());
    // The login mini program names the connection whose code it scanned.
    let is_scan = kind == ConnectionKind::WechatMiniProgram
        && identifier.is_some_and(|identifier| config.scans(application, identifier));
    let kind = if is_scan { ConnectionKind::WechatMiniProgramScan } else { kind };
    let connection = config.connection_for(application, kind, identifier, head.referer.as_deref())?;
    let requested = RequestedTokens::TokenSet(request.scope(&config.settings(&application.pool)));
    let login = SourceLogin {
        application: application.clone(),
        connection,
        evidence,
        phone_use: PhoneUse::Fill,
        options: LoginOptions { requested, custom_data },
        origin: head.origin(),
    };
    let done = waiting::done(shared.app.log_in(&login).await?)?;
    let tokens = done.token_set().ok_or(Code::StepImpossible)?;
    Ok(Success::new(TokenAnswer::from(tokens)))
}
