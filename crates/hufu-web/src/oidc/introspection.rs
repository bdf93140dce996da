//! `POST /oidc/token/introspection` (RFC 7662), with an answer in JSON or, if the client accepts that, in a JWT (RFC 9701).

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use hufu_app::Refusal;

use super::client::ClientRequest;
use crate::surface::{Answer, private_json, private_jwt};

/// The content type of an answer in a JWT.
const JWT: &str = "application/token-introspection+jwt";

/// Tells a client about a token of its own, and an API about one that is for it. A client without a secret may ask as well: whoever has the token may know
/// what is in it.
pub(crate) async fn introspect(request: ClientRequest) -> Answer<Response> {
    let told = tell(&request).await;
    request.answer(told)
}

async fn tell(request: &ClientRequest) -> Result<Response, Refusal> {
    let application = request.client().await?;
    let (app, token) = (&request.shared.app, request.parameters.required("token")?);
    let told = app.introspect(&application, token).await?;
    Ok(if accepts_jwt(&request.headers) {
        private_jwt(JWT, app.sign_introspection(&application, &told)?)
    } else {
        private_json(StatusCode::OK, &told)
    })
}

/// Whether the client asks for a JWT by name (RFC 9701 section 4).
fn accepts_jwt(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = values.flat_map(|value| value.split(','));
    types.any(|one| one.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(JWT)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_jwt_is_asked_for_by_name() {
        for (accept, is_jwt) in [
            ("application/token-introspection+jwt", true),
            ("application/json, Application/Token-Introspection+JWT;q=0.9", true),
            ("application/json", false),
            ("*/*", false),
            ("application/jwt", false),
            ("application/*", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(accepts_jwt(&headers), is_jwt, "{accept}");
        }
        assert!(!accepts_jwt(&HeaderMap::new()));
    }
}
