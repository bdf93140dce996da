//! `GET /oidc/.well-known/openid-configuration` (OpenID Connect Discovery 1.0, RFC 8414).

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hufu_types::{
    ClientAlgorithm, Grant, Language, Prompt, ResponseMode, ResponseType, Scope, SigningAlgorithm,
    SubjectType, TokenAuth, USER_CLAIMS,
};
use serde_json::{Value, json};

use super::jwks::written;
use crate::server;

/// The claims of tokens themselves, and those that hold more than one value of a user (docs/openid.md).
const OTHER_CLAIMS: [&str; 13] = [
    "sub",
    "iss",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "sid",
    "amr",
    "acr",
    "at_hash",
    "c_hash",
    "extended_fields",
];

/// What the provider offers. The same for every application of the instance.
pub(crate) async fn discovery(State(shared): server::State) -> Response {
    let document = || document(shared.app.public_url(), shared.app.issuer()).to_string().into_bytes();
    written(shared.discovery.get_or_init(document))
}

/// Where the document is for clients that look for it at the root.
pub(crate) async fn elsewhere(State(shared): server::State) -> Response {
    let location = format!("{}/.well-known/openid-configuration", shared.app.issuer());
    (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
}

fn document(public_url: &str, issuer: &str) -> Value {
    fn names<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> Vec<&'static str> {
        all.iter().map(|one| name(*one)).collect()
    }
    let at = |path: &str| format!("{public_url}{path}");
    let algorithms = names(SigningAlgorithm::ALL, SigningAlgorithm::as_str);
    let client_algorithms = names(ClientAlgorithm::ALL, ClientAlgorithm::as_str);
    let grants = names(Grant::ALL, Grant::on_the_wire);
    let grants = grants.into_iter().filter(|grant| *grant != Grant::Hybrid.on_the_wire());
    let claims: Vec<&str> = OTHER_CLAIMS.into_iter().chain(USER_CLAIMS).collect();
    let types: Vec<String> = ResponseType::ALL.iter().map(ToString::to_string).collect();
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("/oidc/auth"),
        "token_endpoint": at("/oidc/token"),
        "userinfo_endpoint": at("/oidc/me"),
        "jwks_uri": at("/oidc/.well-known/jwks.json"),
        "introspection_endpoint": at("/oidc/token/introspection"),
        "revocation_endpoint": at("/oidc/token/revocation"),
        "device_authorization_endpoint": at("/oidc/device/auth"),
        "pushed_authorization_request_endpoint": at("/oidc/request"),
        "registration_endpoint": at("/oidc/reg"),
        "end_session_endpoint": at("/oidc/session/end"),
        "scopes_supported": names(Scope::ALL, Scope::as_str),
        "response_types_supported": types,
        "response_modes_supported": names(ResponseMode::ALL, ResponseMode::as_str),
        "grant_types_supported": grants.collect::<Vec<_>>(),
        "subject_types_supported": names(SubjectType::ALL, SubjectType::as_str),
        "id_token_signing_alg_values_supported": algorithms,
        "userinfo_signing_alg_values_supported": algorithms,
        "introspection_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_methods_supported": names(TokenAuth::ALL, TokenAuth::as_str),
        "token_endpoint_auth_signing_alg_values_supported": client_algorithms,
        "introspection_endpoint_auth_methods_supported": names(TokenAuth::ALL, TokenAuth::as_str),
        "introspection_endpoint_auth_signing_alg_values_supported": client_algorithms,
        "revocation_endpoint_auth_methods_supported": names(TokenAuth::ALL, TokenAuth::as_str),
        "revocation_endpoint_auth_signing_alg_values_supported": client_algorithms,
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": client_algorithms,
        "claims_supported": claims,
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": true,
        "request_parameter_supported": true,
        "request_object_signing_alg_values_supported": client_algorithms,
        "request_uri_parameter_supported": true,
        "require_request_uri_registration": true,
        "require_pushed_authorization_requests": false,
        "prompt_values_supported": names(Prompt::ALL, Prompt::as_str),
        "acr_values_supported": [hufu_app::ACR_ONE_FACTOR],
        "display_values_supported": ["page", "popup"],
        "ui_locales_supported": Language::ALL.map(Language::tag),
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
    })
}
