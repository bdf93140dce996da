//! Calls of the login mini program and of native apps that are logged in: the number that WeChat confirms, linking a
//! source, and logout.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hufu_app::Needs;
use hufu_app::authorization::Presented;
use hufu_types::refusal::Code;
use hufu_types::{ConnectionKind, OpaqueToken, Scope};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::envelope::Success;
use crate::fields::{self, required};
use crate::request::{Body, Head, Query, given};
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

/// What a browser is to be sent off with.
#[derive(Deserialize)]
pub(crate) struct LinkQuery {
    ext_idp_conn_identifier: Option<String>,
    app_id: Option<String>,
    id_token: Option<String>,
}

/// `GET /api/v3/generate-link-extidp-url`: the address where whoever is logged in binds what they are at a source. They say so
/// by their token, in the header or in the place of the id token. An id token itself is no bearer: the address says whose
/// account is meant, and the browser has to be logged in to it.
pub(crate) async fn link_address(
    State(shared): server::State,
    head: Head,
    Query(query): Query<LinkQuery>,
) -> Answer<Success<Value>> {
    let app = &shared.app;
    let identifier = required(query.ext_idp_conn_identifier.as_ref(), "ext_idp_conn_identifier")?;
    let named = head.named_or(given(query.app_id.as_ref()));
    let token = given(query.id_token.as_ref());
    let presented = head.presented().or(token.map(Presented::Bearer));
    let url = match app.authenticate(presented, named, head.origin(), Scope::Profile.into()).await {
        Ok(who) => app.link_address(&who, identifier).await?,
        Err(refusal) => {
            let config = app.config();
            let application = config.serving(named)?;
            let by_id_token =
                |token| app.link_address_by_id_token(application, identifier, token).transpose();
            token.and_then(by_id_token).transpose()?.ok_or(refusal)?
        }
    };
    Ok(Success::new(json!({ "url": url })))
}

/// `GET /api/v3/link-extidp`: the same address as published clients write it. The page is where cookies are read.
pub(crate) async fn begin_link(RawQuery(query): RawQuery) -> Answer<Response> {
    let address = HeaderValue::try_from(format!("/link?{}", query.unwrap_or_default()));
    let headers = [
        (header::LOCATION, address.map_err(|_| Code::LinkInvalid)?),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}
