//! Calls of the login mini program and of native apps that are logged in: the number that WeChat confirms, linking a
//! source, and logout.

use axum::extract::State;
use hufu_app::Needs;
use hufu_app::authorization::Presented;
use hufu_types::{ConnectionKind, OpaqueToken, Scope};
use serde::Deserialize;

use crate::envelope::Success;
use crate::fields::{self, required};
use crate::request::{Body, Head, given};
use crate::server;
use crate::surface::Answer;

/// A number and the code of the phone button that proves it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PhoneRequest {
    phone: Option<String>,
    phone_country_code: Option<String>,
    code_for_update_phone: Option<String>,
    #[serde(rename = "extIdpConnidentifier")]
    connection: Option<String>,
}

/// `POST /api/v3/wechat-miniprogram/updatePhone`: sets the number that WeChat confirms by a code, which must be the number
/// that the client names, if it names one.
pub(crate) async fn update_phone(
    State(shared): server::State,
    head: Head,
    Body(request): Body<PhoneRequest>,
) -> Answer<Success<()>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let code = required(request.code_for_update_phone.as_ref(), "codeForUpdatePhone")?;
    let country = request.phone_country_code.as_ref();
    let named = given(request.phone.as_ref()).map(|phone| fields::phone(phone, country)).transpose()?;
    let config = shared.app.config();
    let identifier = given(request.connection.as_ref());
    let connection = config.opened_mini_program(&who.application, identifier, head.referer.as_deref())?;
    shared.app.set_phone_by_wechat(&who, &connection, code, named.as_ref()).await?;
    Ok(Success::empty())
}

/// The tokens that a client forgets.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogoutRequest {
    access_token: Option<String>,
    refresh_token: Option<String>,
}

/// `POST /api/v3/wechat-miniprogram/logout`: ends the session of the tokens in the body. Those that are no longer valid, or
/// of another application, are ignored, and so is the id token.
pub(crate) async fn logout(
    State(shared): server::State,
    head: Head,
    Body(request): Body<LogoutRequest>,
) -> Answer<Success<()>> {
    let app = &shared.app;
    if let Some(token) = given(request.access_token.as_ref()) {
        let presented = Some(Presented::Bearer(token));
        match app.authenticate(presented, head.named(), head.origin(), Needs::Login).await {
            Ok(who) => app.log_out(&who).await?,
            Err(refusal) if refusal.code().is_internal() => return Err(refusal.into()),
            Err(_) => {}
        }
    }
    if let Some(token) = given(request.refresh_token.as_ref()) {
        let config = app.config();
        let application = config.serving(head.named())?;
        app.revoke(application, &OpaqueToken::presented(token.to_owned()), &head.origin()).await?;
    }
    Ok(Success::empty())
}

/// A source to link, and the code that it gave.
#[derive(Deserialize)]
pub(crate) struct LinkRequest {
    #[serde(
        rename = "extIdpConnidentifier",
        alias = "ext_idp_conn_identifier",
        alias = "extIdpConnIdentifier"
    )]
    connection: Option<String>,
    code: Option<String>,
}

/// `POST /api/v3/link-extidp`: binds the identity that a code proves to the logged-in user, for sources whose code the
/// client gets itself: a native app or a mini program.
pub(crate) async fn link(
    State(shared): server::State,
    head: Head,
    Body(request): Body<LinkRequest>,
) -> Answer<Success<()>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let identifier = required(request.connection.as_ref(), "extIdpConnidentifier")?;
    let code = required(request.code.as_ref(), "code")?;
    let connection = shared.app.config().connection_for_one_of(
        &who.application,
        &[ConnectionKind::WechatMobile, ConnectionKind::WechatAppLaunch, ConnectionKind::WechatMiniProgram],
        Some(identifier),
        None,
    );
    shared.app.bind_identity(&who, &*connection?, code).await?;
    Ok(Success::empty())
}
