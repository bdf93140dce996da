//! `/api/v2/ecConn/wechatMobile/*`: native apps that log in through the WeChat app, as the published mobile SDKs call
//! it. `POST /api/v3/signin-by-mobile` does the same with a token set.

use axum::extract::State;
use hufu_app::{Evidence, PhoneUse, SourceLogin};
use hufu_types::ConnectionKind;
use hufu_types::flow::RequestedTokens;
use serde::Deserialize;

use super::fields::required;
use super::user::UserV2;
use crate::envelope::Success;
use crate::request::{Body, Head};
use crate::server;
use crate::surface::Answer;
use crate::waiting;

/// What the clients send.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CodeRequest {
    /// The id of the connection.
    conn_id: Option<String>,
    /// What `SendAuth` gave.
    code: Option<String>,
}

/// `authByCode`: logs in and answers with the user and a user token.
pub(crate) async fn auth_by_code(
    State(shared): server::State,
    head: Head,
    Body(request): Body<CodeRequest>,
) -> Answer<Success<UserV2>> {
    let config = shared.app.config();
    let application = config.serving(head.named())?;
    let id = required(request.conn_id.as_ref(), "connId")?;
    let code = required(request.code.as_ref(), "code")?;
    let login = SourceLogin {
        application: application.clone(),
        connection: config.connection_by_id(application, ConnectionKind::WechatMobile, id)?,
        evidence: Evidence::code(code),
        phone_use: PhoneUse::Fill,
        options: RequestedTokens::UserToken.into(),
        origin: head.origin(),
    };
    let done = waiting::done(shared.app.log_in(&login).await?)?;
    Ok(Success::new(UserV2::of_login(done)))
}
