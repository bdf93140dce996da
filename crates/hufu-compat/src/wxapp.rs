//! The calls of the published login mini program, which opens when somebody scans the code of a mini program on a website.
//! `hufu_app::tickets` says why its last call, which has no token, confirms nothing by the scene alone.

use axum::extract::State;
use hufu_app::Refusal;
use hufu_types::TicketKind;
use hufu_types::refusal::{Code, Reason};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::envelope::Success;
use crate::fields::required;
use crate::request::{Body, Head, Query, given};
use crate::server;
use crate::surface::Answer;

/// The scene of the code, as each call names it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LaunchQuery {
    qrcode_id: Option<String>,
}

/// `launch-params`: for whom the mini program was opened. Without a scene it was opened by itself, for the application
/// that the request names.
pub(crate) async fn launch_params(
    State(shared): server::State,
    head: Head,
    Query(query): Query<LaunchQuery>,
) -> Answer<Success<Value>> {
    let (application, connection, owner) = if let Some(scene) = given(query.qrcode_id.as_ref()) {
        let params = shared.app.launch_params(scene).await?;
        (params.application, params.connection, params.owner)
    } else {
        let config = shared.app.config();
        let application = config.serving(head.named())?.clone();
        let connection = config.qr_connection(&application, TicketKind::MiniProgram, None)?;
        (application, connection.ok_or(Code::QrCodeUnknown)?, None)
    };
    let mut params = json!({
        "userpool": { "id": application.pool.as_str() },
        "app": { "id": application.id.as_str(), "name": application.name },
        "extIdpConnIdentifier": connection.identifier.to_string(),
        "showPointsFunc": false,
    });
    // What a mini program says before its person agrees to `bind`.
    if let (Some(owner), Some(params)) = (owner, params.as_object_mut()) {
        params.insert("bind".to_owned(), json!({ "account": owner }));
    }
    Ok(Success::new(params))
}

/// The query of `grant`.
#[derive(Deserialize)]
pub(crate) struct GrantQuery {
    code: Option<String>,
    random: Option<String>,
}

/// The answer of `grant`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Grant {
    openid: String,
    unionid: Option<String>,
    session_key: String,
}

/// `grant`: who opened the mini program. From here on the code is scanned.
pub(crate) async fn grant(
    State(shared): server::State,
    head: Head,
    Query(query): Query<GrantQuery>,
) -> Answer<Success<Grant>> {
    let (code, random) = (required(query.code.as_ref(), "code")?, required(query.random.as_ref(), "random")?);
    let granted = shared.app.grant_scene(random, code, &head.origin()).await?;
    Ok(Success::new(Grant {
        openid: granted.openid,
        unionid: granted.unionid,
        session_key: granted.session.expose().to_owned(),
    }))
}

/// The scene in the query.
#[derive(Deserialize)]
pub(crate) struct SceneQuery {
    random: Option<String>,
}

/// The body of `redirect`: a whole profile, of which nothing is believed.
#[derive(Deserialize)]
pub(crate) struct Confirmed {
    openid: Option<Value>,
}

/// `redirect`: the person confirms.
pub(crate) async fn redirect(
    State(shared): server::State,
    head: Head,
    Query(query): Query<SceneQuery>,
    Body(body): Body<Confirmed>,
) -> Answer<Success<()>> {
    let random = required(query.random.as_ref(), "random")?;
    let openid = body.openid.as_ref().and_then(Value::as_str);
    shared.app.confirm_scene(random, openid, &head.origin()).await?;
    Ok(Success::empty())
}

/// The body of `bind`: the code of `wx.login`. The number that comes along is no part of what is bound.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BindRequest {
    wx_login_info: Option<LoginInfo>,
}

#[derive(Deserialize)]
pub(crate) struct LoginInfo {
    code: Option<String>,
}

/// `bind`: whoever scanned a code with an owner agrees that their WeChat is bound to the owner's account, who confirms it
/// with `POST /api/v3/me/identities/qr-code/bind`.
pub(crate) async fn bind(
    State(shared): server::State,
    head: Head,
    Query(query): Query<SceneQuery>,
    Body(body): Body<BindRequest>,
) -> Answer<Success<()>> {
    let random = required(query.random.as_ref(), "random")?;
    let code = body.wx_login_info.as_ref().and_then(|info| info.code.as_ref());
    shared.app.agree_to_binding(random, required(code, "wxLoginInfo.code")?, &head.origin()).await?;
    Ok(Success::empty())
}

/// The request of `checkExistsUser`.
#[derive(Deserialize)]
pub(crate) struct ExistsRequest {
    code: Option<String>,
    #[serde(rename = "extIdpConnidentifier")]
    connection: Option<String>,
}

/// The answer of `checkExistsUser`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exists {
    has_bind_user: bool,
    has_bind_phone: bool,
}

/// `checkExistsUser`: whether whoever opened the mini program has an account.
pub(crate) async fn check_exists_user(
    State(shared): server::State,
    head: Head,
    Body(request): Body<ExistsRequest>,
) -> Answer<Success<Exists>> {
    let config = shared.app.config();
    let application = config.serving(head.named())?;
    let code = given(request.code.as_ref());
    let code = code.ok_or_else(|| Refusal::invalid("code", Reason::MissingFromWechat))?;
    let identifier = given(request.connection.as_ref());
    let connection = config.opened_mini_program(application, identifier, head.referer.as_deref())?;
    let (has_bind_user, has_bind_phone) =
        shared.app.account_of_code(application, &connection, code, &head.origin()).await?;
    Ok(Success::new(Exists { has_bind_user, has_bind_phone }))
}
