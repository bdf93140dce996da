//! `/api/v2/ecConn/wechatMobile/*`: logins of native apps through the WeChat app, with the calls of the
//! published mobile SDKs. `POST /api/v3/signin-by-mobile` does the same and returns a token set.

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

/// The request of the clients.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CodeRequest {
    /// The id of the connection.
    conn_id: Option<String>,
    /// The code that `SendAuth` returned.
    code: Option<String>,
}

/// `authByCode`: logs in and returns the user with a user token.
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
