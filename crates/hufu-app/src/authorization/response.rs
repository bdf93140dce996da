//! Authorization responses (RFC 6749 section 4.1.2, RFC 9207).

use hufu_types::{AuthorizationRequest, ResponseMode};

/// An error of an authorization response (RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the standard's own name")]
pub enum OAuthError {
    InvalidRequest,
    UnauthorizedClient,
    AccessDenied,
    UnsupportedResponseType,
    InvalidScope,
    InvalidTarget,
    LoginRequired,
    ConsentRequired,
    AccountSelectionRequired,
    InvalidRequestObject,
    RequestNotSupported,
    RequestUriNotSupported,
    InvalidRequestUri,
    RegistrationNotSupported,
    UnmetAuthenticationRequirements,
    TemporarilyUnavailable,
}

impl OAuthError {
    /// The error code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::InvalidRequestObject => "invalid_request_object",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}

/// What the client receives, and how. `Debug` does not show the parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizationResponse {
    /// Where it is sent.
    pub redirect_uri: String,
    /// How it is sent.
    pub mode: ResponseMode,
    /// The parameters.
    pub parameters: Vec<(&'static str, String)>,
}

impl std::fmt::Debug for AuthorizationResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthorizationResponse").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl AuthorizationResponse {
    /// A response that grants the request, with these parameters and what every response has.
    pub(super) fn granted(
        request: &AuthorizationRequest,
        issuer: &str,
        mut parameters: Vec<(&'static str, String)>,
    ) -> Self {
        parameters.extend(common(request.state.as_deref(), issuer));
        Self { redirect_uri: request.redirect_uri.clone(), mode: request.response_mode, parameters }
    }

    /// A response that refuses the request.
    pub(super) fn refused(
        request: &AuthorizationRequest,
        issuer: &str,
        error: OAuthError,
        description: &str,
    ) -> Self {
        let state = request.state.as_deref();
        let description = description.to_owned();
        Self::error(&request.redirect_uri, request.response_mode, state, issuer, error, description)
    }

    pub(super) fn error(
        redirect_uri: &str,
        mode: ResponseMode,
        state: Option<&str>,
        issuer: &str,
        error: OAuthError,
        description: String,
    ) -> Self {
        tracing::debug!(error = error.as_str(), description, "an authorization request is refused");
        let mut parameters = vec![("error", error.as_str().to_owned()), ("error_description", description)];
        parameters.extend(common(state, issuer));
        Self { redirect_uri: redirect_uri.to_owned(), mode, parameters }
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }

    /// The address to redirect to, for the modes `query` and `fragment`.
    pub fn location(&self) -> String {
        let parameters = serde_urlencoded::to_string(&self.parameters).unwrap_or_default();
        let uri = &self.redirect_uri;
        match self.mode {
            ResponseMode::Fragment => format!("{uri}#{parameters}"),
            _ if uri.contains('?') => format!("{uri}&{parameters}"),
            _ => format!("{uri}?{parameters}"),
        }
    }
}

/// The parameters of every response: `state` if the request had one, and the issuer (RFC 9207), so that a client of
/// several providers notices an answer of another one.
fn common(state: Option<&str>, issuer: &str) -> impl Iterator<Item = (&'static str, String)> {
    let state = state.map(|state| ("state", state.to_owned()));
    state.into_iter().chain([("iss", issuer.to_owned())])
}
