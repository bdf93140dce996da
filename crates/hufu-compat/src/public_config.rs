//! `GET /api/v2/applications/{id}/public-config`: what Guard and the mobile SDKs read before they show anything.
//!
//! Everybody may read it, so nothing in it is a secret. Of the settings of connections it has those that
//! [`connections::PUBLIC`] lists, and no others. It costs no database. The clients read many of the members without
//! looking whether they are there, so none may be missing.

mod agreements;
mod connections;
mod tabs;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hufu_app::DefaultMiniProgram;
use hufu_types::refusal::Code;
use hufu_types::{
    Application, Connection, Grant, Language, PasswordLevel, PoolSettings, RegistrationMethod, origin_of,
};
use hufu_web::Routes;
use hufu_web::cors::open;
use serde_json::{Map, Value, json};

use crate::envelope::Success;
use crate::request::Path;
use crate::server;
use crate::surface::{Answer, ApiCode, json as json_answer};

/// How long the answer may be kept, in seconds. Changes of the configuration are seen no later.
const MAX_AGE: &str = "public, max-age=60";

/// The header in which the clients say which one they are.
const CLIENT: &str = "x-authing-request-from";

/// The calls.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/api/v2/applications/{id}/public-config", open(get(public_config)))
        .route("/api/v2/applications/{id}/components-public-config/guard", open(get(guard)))
        .route("/svg-string/{component}", open(get(icons)))
}

async fn public_config(
    State(shared): server::State,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let public_key = shared.app.password_rsa_public_key().await?;
    let config = shared.app.config();
    let application = config.application_or(&id, Code::ApplicationUnknown)?;
    let enabled = application.connections.iter().filter_map(|id| config.connection(id)).filter(|c| c.enabled);
    let source = Source {
        application,
        pool_name: config.pool_name(&application.pool).unwrap_or_default(),
        settings: &config.settings(&application.pool),
        connections: enabled.map(Arc::as_ref).collect(),
        public_url: shared.app.public_url(),
        public_key: &public_key,
        default_original_id: shared.app.default_mini_program().map(DefaultMiniProgram::original_id),
        tells_codes_apart: headers
            .get(CLIENT)
            .is_some_and(|client| client.as_bytes().starts_with(b"Guard-iOS")),
    };
    let mut response = kept_shortly(source.describe().into());
    response.headers_mut().append(header::VARY, HeaderValue::from_static(CLIENT));
    Ok(response)
}

/// What belongs to the component alone.
async fn guard(State(shared): server::State, Path(id): Path<String>) -> Answer<Response> {
    let config = shared.app.config();
    let application = config.application_or(&id, Code::ApplicationUnknown)?;
    let language = language_of(application.branding.language.as_deref());
    let global = json!({ "showChangeLanguage": true, "defaultLanguage": language });
    Ok(kept_shortly(json!({ "global": global })))
}

/// The icons that a component puts into its page before it shows anything. Its buttons for connections, and the corner
/// that leads to QR codes, are icons and nothing else.
async fn icons() -> Response {
    const ICONS: &str = include_str!("public_config/icons.svg");
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=86400")];
    let mut response = (headers, ICONS).into_response();
    response.extensions_mut().insert(ApiCode(200));
    response
}

fn kept_shortly(data: Value) -> Response {
    let answer = json_answer(&Success::new(data));
    let mut response = ([(header::CACHE_CONTROL, MAX_AGE)], answer).into_response();
    response.extensions_mut().insert(ApiCode(200));
    response
}

/// A language as these clients name it: `browser` follows the reader.
fn language_of(tag: Option<&str>) -> &'static str {
    tag.and_then(Language::of_tag).map_or("browser", client_tag)
}

/// The clients' name of a language.
const fn client_tag(language: Language) -> &'static str {
    match language {
        Language::SimplifiedChinese => "zh-CN",
        Language::TraditionalChinese => "zh-TW",
        Language::English => "en-US",
        Language::Japanese => "ja-JP",
    }
}

/// What an application's public configuration is made of.
struct Source<'a> {
    application: &'a Application,
    pool_name: &'a str,
    settings: &'a PoolSettings,
    /// The enabled connections, in the order of the application.
    connections: Vec<&'a Connection>,
    public_url: &'a str,
    public_key: &'a str,
    /// The original id of the instance's own mini program.
    default_original_id: Option<&'a str>,
    /// Whether the client shows a tab for each kind of code by itself. The others have one for all of them.
    tells_codes_apart: bool,
}

impl Source<'_> {
    fn describe(&self) -> Map<String, Value> {
        let parts = [
            self.names(),
            self.rules(),
            self.client(),
            Self::absent(),
            tabs::of(self),
            connections::of(self),
        ];
        let parts = parts.into_iter().filter_map(|part| match part {
            Value::Object(members) => Some(members),
            _ => None,
        });
        parts.flatten().collect()
    }

    /// Whether people can register through this application.
    fn registers(&self) -> bool {
        self.settings.registration && !self.application.login.ways_to_register().is_empty()
    }

    fn ways_to_register(&self) -> &[RegistrationMethod] {
        if self.settings.registration { self.application.login.ways_to_register() } else { &[] }
    }

    fn names(&self) -> Value {
        let Application { id, pool, name, kind, client, branding, .. } = self.application;
        // Empty where there is none: the SDK for Android reads null as a text.
        let logo = branding.logo.as_deref().or(client.logo.as_deref()).unwrap_or_default();
        let host = self.public_url.split_once("://").map_or(self.public_url, |(_, host)| host);
        json!({
            "id": id.as_str(),
            "appId": id.as_str(),
            "userPoolId": pool.as_str(),
            "rootUserPoolId": null,
            "userpoolName": self.pool_name,
            // The clients put it before the host if there is no `requestHostname`.
            "identifier": id.as_str(),
            "requestHostname": host,
            "name": name,
            "title": branding.title,
            "description": client.description,
            "logo": logo,
            "userpoolLogo": logo,
            "appType": kind.as_str(),
            "applicationType": kind.as_str(),
            "primaryColor": branding.primary_color,
            "theme": branding.theme,
            "defaultLanguage": language_of(branding.language.as_deref()),
            // Guard shows a broken picture where there is no logo.
            "css": logo.is_empty().then_some(".g2-view-header img[src='']{display:none}"),
            "template": null,
            "cdnBase": self.public_url,
        })
    }

    /// What the server checks; the clients tell it before they ask.
    fn rules(&self) -> Value {
        let policy = &self.settings.password;
        let strength = match policy.level {
            PasswordLevel::Low => 1,
            PasswordLevel::Middle => 2,
            PasswordLevel::High => 3,
        };
        let countries = &self.settings.sms_countries;
        let abroad =
            countries.is_empty() || countries.iter().any(|code| code.trim_start_matches('+') != "86");
        let agreements = agreements::of(self.application, self.settings);
        let fields = self.settings.required_fields.iter().map(|name| self.required_field(name));
        json!({
            "publicKey": self.public_key,
            "verifyCodeLength": 6,
            "passwordStrength": strength,
            "customPasswordStrength": {
                "enabled": false,
                "minLength": policy.min_length,
                "maxLength": policy.max_length,
            },
            "changePhoneStrategy": { "verifyOldPhone": self.settings.verify_old_phone },
            "changeEmailStrategy": { "verifyOldEmail": self.settings.verify_old_email },
            "internationalSmsConfig": { "enabled": abroad, "defaultISOType": "CN" },
            "agreementEnabled": !agreements.is_empty(),
            "agreements": agreements,
            // Such a login waits for them; they cannot be left out.
            "skipComplateFileds": false,
            "complateFiledsPlace": [],
            "extendsFieldsEnabled": !self.settings.required_fields.is_empty(),
            "extendsFields": fields.collect::<Vec<_>>(),
            "extendsFieldsI18n": {},
            "loginFailCheckEnabled": true,
            "showAuthorizationPage": self.application.login.consent,
            "enableLoginAccountSwitch": true,
            "ssoEnabled": true,
        })
    }

    /// A field that a login asks for if it is empty.
    fn required_field(&self, name: &str) -> Value {
        let custom = name.strip_prefix("custom.");
        let declared = custom.and_then(|key| self.settings.custom_field(key));
        let label = declared.map(|field| field.label.as_str()).filter(|label| !label.is_empty());
        json!({
            "type": if custom.is_some() { "user" } else { "internal" },
            "name": custom.unwrap_or(name),
            "label": label.unwrap_or(custom.unwrap_or(name)),
            "inputType": if declared.is_some_and(|field| !field.options.is_empty()) { "select" } else { "text" },
            "options": declared.map(|field| field.options.as_slice()).unwrap_or_default(),
            "required": true,
            "validateRules": [],
        })
    }

    /// The application as a client of OpenID Connect.
    fn client(&self) -> Value {
        let Application { id, client, lifetimes, login, .. } = self.application;
        let origins: Vec<String> = self.application.origins().into_iter().collect();
        let grants: Vec<_> = self.application.grants().iter().map(|grant| grant.on_the_wire()).collect();
        let own_origin = origin_of(self.public_url);
        json!({
            "protocol": "oidc",
            "redirectUris": client.redirect_uris,
            "logoutRedirectUris": client.logout_redirect_uris,
            "allowedOrigins": origins,
            "corsWhitelist": origins,
            "initLoginUri": client.init_login_uri,
            "issuerOrigin": own_origin,
            "oauthConfig": {},
            "oidcConfig": {
                "client_id": id.as_str(),
                "grant_types": grants,
                "response_types": if self.application.has_grant(Grant::AuthorizationCode) { vec!["code"] } else { vec![] },
                "id_token_signed_response_alg": self.application.signing_algorithm.as_str(),
                "token_endpoint_auth_method": self.application.token_auth().as_str(),
                "introspection_endpoint_auth_method": self.application.token_auth().as_str(),
                "revocation_endpoint_auth_method": self.application.token_auth().as_str(),
                "access_token_expire": lifetimes.access_token.as_secs(),
                "id_token_expire": lifetimes.access_token.as_secs(),
                "refresh_token_expire": lifetimes.refresh_token.as_secs(),
                "skip_consent": !login.consent,
                "redirect_uris": client.redirect_uris,
                "post_logout_redirect_uris": client.logout_redirect_uris,
            },
        })
    }

    /// What this server does not have. The clients look at it all the same.
    fn absent() -> Value {
        json!({
            "websocket": "",
            "eventSocket": "",
            "deviceFuncEnabled": false,
            "enableAppLogin": false,
            "enableFingerprintLogin": false,
            "enableFaceLogin": false,
            "enableSubAccount": false,
            "enableCompletePassword": false,
            "isTenantConsole": false,
            "customBrandingEnabled": false,
            "packageType": null,
            "selfUnlockStrategy": "captcha",
            "welcomeMessage": {},
            "userPortal": {},
            // The SDK for Android reads anything else as a list, and fails if it is none.
            "livingAuthSortConfig": null,
            "regexRules": [],
            "customScope": [],
            "identityProviders": [],
        })
    }
}
