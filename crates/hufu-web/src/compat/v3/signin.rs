//! `POST /api/v3/signin-by-mobile` with the payloads of WeChat mini programs.

use axum::extract::State;
use hufu_app::{MiniProgramLogin, PhoneProofData, PhoneUse, Refusal, SealedData};
use hufu_types::ScopeSet;
use hufu_types::flow::Want;
use hufu_types::refusal::{Code, Reason};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::compat::fields;
use crate::envelope::Success;
use crate::oidc::TokenAnswer;
use crate::problem::Failure;
use crate::request::{Body, Head, given};
use crate::server;

/// What the clients send.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SigninRequest {
    connection: Option<String>,
    #[serde(rename = "extIdpConnidentifier")]
    identifier: Option<String>,
    wechat_mini_program_code_payload: Option<LoginInfo>,
    wechat_mini_program_phone_payload: Option<LoginInfo>,
    wechat_mini_program_code_and_phone_payload: Option<CodeAndPhone>,
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

/// The connections that are served.
const CONNECTIONS: &str =
    "wechat_mini_program_code, wechat_mini_program_phone, wechat_mini_program_code_and_phone";

fn missing(field: &'static str) -> Refusal {
    Refusal::invalid(field, Reason::Missing)
}

/// A login as one of the three payloads describes it.
struct Described<'a> {
    info: &'a LoginInfo,
    user_info: Option<SealedData<'a>>,
    phone: Option<PhoneProofData<'a>>,
}

impl SigninRequest {
    fn describe(&self) -> Result<Described<'_>, Refusal> {
        match given(self.connection.as_ref()) {
            Some("wechat_mini_program_code") => {
                let info = self.wechat_mini_program_code_payload.as_ref();
                let info = info.ok_or_else(|| missing("wechatMiniProgramCodePayload"))?;
                Ok(Described { info, user_info: info.sealed(), phone: None })
            }
            Some("wechat_mini_program_phone") => {
                let info = self.wechat_mini_program_phone_payload.as_ref();
                let info = info.ok_or_else(|| missing("wechatMiniProgramPhonePayload"))?;
                let sealed = info.sealed().ok_or_else(|| missing("encryptedData, iv"))?;
                Ok(Described { info, user_info: None, phone: Some(PhoneProofData::Sealed(sealed)) })
            }
            Some("wechat_mini_program_code_and_phone") => {
                let both = self.wechat_mini_program_code_and_phone_payload.as_ref();
                let both = both.ok_or_else(|| missing("wechatMiniProgramCodeAndPhonePayload"))?;
                let info = both.wx_login_info.as_ref().ok_or_else(|| missing("wxLoginInfo"))?;
                let phone = both.wx_phone_info.as_ref().and_then(|p| given(p.code.as_ref()));
                let phone = phone.ok_or_else(|| missing("wxPhoneInfo.code"))?;
                Ok(Described { info, user_info: info.sealed(), phone: Some(PhoneProofData::Code(phone)) })
            }
            Some(_) => Err(Refusal::invalid("connection", Reason::NotOneOf { choices: CONNECTIONS.into() })),
            None => Err(missing("connection")),
        }
    }

    fn scope(&self) -> ScopeSet {
        ScopeSet::asked(self.options.as_ref().and_then(|options| given(options.scope.as_ref())))
    }

    fn custom_data(&self) -> Result<Map<String, Value>, Refusal> {
        fields::custom_data(self.options.as_ref().and_then(|options| options.custom_data.clone()))
    }
}

/// Logs in and answers with a token set.
pub(crate) async fn signin_by_mobile(
    State(shared): server::State,
    head: Head,
    Body(request): Body<SigninRequest>,
) -> Result<Success<TokenAnswer>, Failure> {
    let tokens = async {
        let config = shared.app.config();
        let application = config.serving(head.named_or(request.client_id.as_deref()))?;
        let (described, custom_data) = (request.describe()?, request.custom_data()?);
        let identifier = given(request.identifier.as_ref());
        let connection = config.mini_program(application, identifier, head.referer.as_deref())?;
        let login = MiniProgramLogin {
            application: application.clone(),
            connection,
            code: described.info.code()?,
            user_info: described.user_info,
            raw_data: None,
            phone: described.phone.map(|proof| (proof, PhoneUse::Fill)),
            want: Want::TokenSet(request.scope()),
            origin: head.origin(),
        };
        let done = shared.app.log_in(&login).await?;
        let done = fields::keep_custom_data(&shared, &head, done, custom_data).await?;
        done.token_set().ok_or_else(|| Code::StepImpossible.into())
    };
    let tokens = tokens.await.map_err(|refusal| head.refuse(refusal))?;
    Ok(Success::new(TokenAnswer::from(tokens)))
}
