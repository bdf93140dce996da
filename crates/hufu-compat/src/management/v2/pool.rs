//! The pool and its settings, as the v2 client reads and changes them.

use async_graphql::SimpleObject;
use axum::routing::get;
use hufu_app::Refusal;
use hufu_types::refusal::{Code, Reason};
use hufu_web::Routes;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::call::Call;
use super::super::pool;
use super::super::sent::Sent;
use crate::envelope::Success;
use crate::surface::Answer;

pub(super) fn routes() -> Routes {
    Routes::new().route("/api/v2/userpools/detail", get(detail))
}

/// A kind of use of a pool. There are none.
#[derive(SimpleObject, Serialize)]
struct UserPoolType {
    code: Option<String>,
    name: Option<String>,
    description: Option<String>,
    image: Option<String>,
    sdks: Option<Vec<Option<String>>>,
}

/// A limit of tries. The interval is in seconds.
#[derive(SimpleObject, Serialize)]
#[serde(rename_all = "camelCase")]
struct TryLimit {
    time_interval: Option<u64>,
    limit: Option<i64>,
    enabled: Option<bool>,
}

#[derive(SimpleObject, Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangePhoneStrategy {
    verify_old_phone: Option<bool>,
}

#[derive(SimpleObject, Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeEmailStrategy {
    verify_old_email: Option<bool>,
}

/// How long QR codes and their tickets hold, in seconds.
#[derive(SimpleObject, Serialize)]
#[serde(rename_all = "camelCase")]
struct QrcodeLoginStrategy {
    qrcode_expires_after: Option<u64>,
    return_full_user_info: Option<bool>,
    allow_exchange_user_info_from_browser: Option<bool>,
    ticket_expires_after: Option<u64>,
}

/// How long the ticket of a mini program that an app launched holds, in seconds. The client spells it so.
#[derive(SimpleObject, Serialize)]
#[serde(rename_all = "camelCase")]
struct App2WxappLoginStrategy {
    ticket_exprires_after: Option<u64>,
    ticket_exchange_user_info_need_secret: Option<bool>,
}

/// Who may register. There are no such lists.
#[derive(SimpleObject, Serialize)]
#[serde(rename_all = "camelCase")]
struct RegisterWhiteListConfig {
    phone_enabled: Option<bool>,
    email_enabled: Option<bool>,
    username_enabled: Option<bool>,
}

/// The SMS gateway, which `/admin/v1` shows.
#[derive(SimpleObject, Serialize)]
struct CustomSmsProvider {
    enabled: Option<bool>,
    provider: Option<String>,
    config: Option<String>,
}

/// A pool. What Hufu does not have is as if it were off; secrets are empty.
#[derive(SimpleObject, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserPool {
    id: String,
    name: String,
    domain: String,
    description: Option<String>,
    secret: String,
    jwt_secret: String,
    owner_id: Option<String>,
    userpool_types: Vec<UserPoolType>,
    logo: String,
    created_at: Option<String>,
    updated_at: Option<String>,
    email_verified_default: Option<bool>,
    send_welcome_email: Option<bool>,
    register_disabled: bool,
    app_sso_enabled: bool,
    #[graphql(name = "showWxQRCodeWhenRegisterDisabled")]
    #[serde(rename = "showWxQRCodeWhenRegisterDisabled")]
    show_wx_qr_code_when_register_disabled: Option<bool>,
    allowed_origins: Option<String>,
    token_expires_after: Option<u64>,
    is_deleted: Option<bool>,
    frequent_register_check: Option<TryLimit>,
    login_fail_check: Option<TryLimit>,
    login_fail_strategy: Option<String>,
    login_password_fail_check: Option<TryLimit>,
    change_phone_strategy: Option<ChangePhoneStrategy>,
    change_email_strategy: Option<ChangeEmailStrategy>,
    qrcode_login_strategy: Option<QrcodeLoginStrategy>,
    app2_wxapp_login_strategy: Option<App2WxappLoginStrategy>,
    whitelist: Option<RegisterWhiteListConfig>,
    #[graphql(name = "customSMSProvider")]
    #[serde(rename = "customSMSProvider")]
    custom_sms_provider: Option<CustomSmsProvider>,
    package_type: Option<i32>,
    use_custom_user_store: Option<bool>,
    login_require_email_verified: Option<bool>,
    verify_code_length: Option<i32>,
    verify_code_max_attempts: Option<i64>,
}

/// What the client can change of a pool and Hufu does not have, or has for all pools together.
const NOT_SERVED: &[&str] = &[
    "domain",
    "description",
    "userpoolTypes",
    "emailVerifiedDefault",
    "sendWelcomeEmail",
    "appSsoEnabled",
    "allowedOrigins",
    "frequentRegisterCheck",
    "loginFailCheck",
    "passwordUpdatePolicy",
    "loginFailStrategy",
    "loginPasswordFailCheck",
    "app2WxappLoginStrategy",
    "whitelist",
    "customSMSProvider",
    "loginRequireEmailVerified",
    "verifyCodeLength",
    "verifyCodeMaxAttempts",
];

/// The pool of a call.
pub(crate) async fn shown(call: &Call) -> Result<UserPool, Refusal> {
    let document = call.app.pool(&call.by, &call.pool).await?;
    let name = document.get("name").and_then(Value::as_str).unwrap_or_default();
    let settings = call.app.config().settings(&call.pool);
    let limits = call.app.limits();
    let tries = |limit, window: std::time::Duration| TryLimit {
        time_interval: Some(window.as_secs()),
        limit: Some(limit),
        enabled: Some(true),
    };
    Ok(UserPool {
        id: call.pool.to_string(),
        name: name.to_owned(),
        domain: String::new(),
        description: None,
        secret: String::new(),
        jwt_secret: String::new(),
        owner_id: None,
        userpool_types: Vec::new(),
        logo: settings.branding.logo.clone().unwrap_or_default(),
        created_at: None,
        updated_at: None,
        email_verified_default: Some(false),
        send_welcome_email: Some(false),
        register_disabled: !settings.registration,
        app_sso_enabled: true,
        // Whoever has an account goes on logging in with it.
        show_wx_qr_code_when_register_disabled: Some(true),
        allowed_origins: None,
        token_expires_after: Some(settings.session.life.as_secs()),
        is_deleted: Some(false),
        frequent_register_check: Some(tries(limits.registrations_per_ip, limits.registration_window)),
        login_fail_check: None,
        login_fail_strategy: Some("password-fail".to_owned()),
        login_password_fail_check: Some(tries(limits.password_failures, limits.password_window)),
        change_phone_strategy: Some(ChangePhoneStrategy {
            verify_old_phone: Some(settings.verify_old_phone),
        }),
        change_email_strategy: Some(ChangeEmailStrategy {
            verify_old_email: Some(settings.verify_old_email),
        }),
        qrcode_login_strategy: Some(QrcodeLoginStrategy {
            qrcode_expires_after: Some(settings.qr.life.as_secs()),
            return_full_user_info: Some(true),
            allow_exchange_user_info_from_browser: Some(true),
            ticket_expires_after: Some(settings.qr.ticket.as_secs()),
        }),
        app2_wxapp_login_strategy: Some(App2WxappLoginStrategy {
            ticket_exprires_after: Some(limits.launch_ticket.as_secs()),
            ticket_exchange_user_info_need_secret: None,
        }),
        whitelist: None,
        custom_sms_provider: None,
        package_type: None,
        use_custom_user_store: Some(false),
        login_require_email_verified: Some(false),
        verify_code_length: Some(6),
        verify_code_max_attempts: Some(limits.passcode_tries),
    })
}

/// Changes the pool of a call by what the client sends.
pub(crate) async fn change(call: &Call, sent: Map<String, Value>) -> Result<UserPool, Refusal> {
    let sent = Sent(sent);
    sent.without(NOT_SERVED)?;
    let mut patch = Map::new();
    if let Some(name) = sent.text("name")? {
        patch.insert("name".to_owned(), name.into());
    }
    let mut settings = pool::common(&sent)?;
    if let Some(seconds) = sent.number("tokenExpiresAfter")? {
        let session = pool::session(&call.app.config().settings(&call.pool), seconds);
        settings.insert("session".to_owned(), session);
    }
    let codes = sent.object("qrcodeLoginStrategy")?;
    for name in ["returnFullUserInfo", "allowExchangeUserInfoFromBrowser"] {
        if codes.flag(name)? == Some(false) {
            return Err(Code::FieldNotServed.with("field", name));
        }
    }
    let mut qr = Map::new();
    for (name, own) in [("qrcodeExpiresAfter", "life"), ("ticketExpiresAfter", "ticket")] {
        if let Some(seconds) = codes.number(name)? {
            qr.insert(own.to_owned(), format!("{seconds}s").into());
        }
    }
    if !qr.is_empty() {
        settings.insert("qr".to_owned(), qr.into());
    }
    if let Some(logo) = sent.text("logo")? {
        settings.insert("branding".to_owned(), json!({ "logo": logo }));
    }
    if !settings.is_empty() {
        patch.insert("settings".to_owned(), settings.into());
    }
    if patch.is_empty() {
        return Err(Refusal::invalid("input", Reason::Missing));
    }
    call.app.change_pool(&call.by, &call.pool, patch, None).await?;
    shown(call).await
}

/// `GET userpools/detail`
async fn detail(call: Call) -> Answer<Success<UserPool>> {
    Ok(Success::new(shown(&call).await?))
}
