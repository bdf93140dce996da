//! How a client names and proves itself in a request (RFC 6749 section 2.3.1, RFC 7523 section 2.2).

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hufu_app::Refusal;
use hufu_app::authorization::{ClientCredentials, Parameters};
use hufu_types::refusal::Code;
use hufu_types::{Application, TokenAuth};

use super::token::challenging;
use crate::request::{self, Head};
use crate::server::Shared;
use crate::surface::{Answer, Refused};

/// A request of a client to an endpoint of its own: its parameters, and all that says who it is.
pub(crate) struct ClientRequest {
    pub(crate) shared: Arc<Shared>,
    pub(crate) head: Head,
    pub(crate) headers: HeaderMap,
    pub(crate) parameters: Parameters,
}

impl FromRequest<Arc<Shared>> for ClientRequest {
    type Rejection = Refused;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Answer<Self> {
        let (mut parts, body) = request.into_parts();
        let Ok(head) = Head::from_request_parts(&mut parts, shared).await;
        let headers = parts.headers.clone();
        let request = Request::from_parts(parts, body);
        let request::Parameters(list) = request::Parameters::from_request(request, shared).await?;
        Ok(Self { shared: shared.clone(), head, headers, parameters: Parameters::new(list) })
    }
}

impl ClientRequest {
    /// What it says about its client.
    ///
    /// # Errors
    /// [`Code::Invalid`] for repeated parameters, and those of [`credentials`].
    pub(crate) fn credentials(&self) -> Result<Option<ClientCredentials>, Refusal> {
        self.parameters.check_repeated()?;
        credentials(&self.headers, &self.parameters)
    }

    /// Its client, which has authenticated.
    pub(crate) async fn client(&self) -> Result<Arc<Application>, Refusal> {
        Ok(self.client_and_method().await?.0)
    }

    /// Its client, and how it has authenticated.
    pub(crate) async fn client_and_method(&self) -> Result<(Arc<Application>, TokenAuth), Refusal> {
        let credentials = self.credentials()?.ok_or(Code::ClientUnauthorized)?;
        let application = self.shared.app.authenticate_client(&credentials, &self.head.origin()).await?;
        Ok((application, credentials.method()))
    }

    /// The answer to it.
    pub(crate) fn answer(&self, answer: Result<Response, Refusal>) -> Answer<Response> {
        challenging(&self.headers, answer)
    }
}

/// What a request says about its client. `None` if it names none.
///
/// # Errors
/// [`Code::ClientUnauthorized`] for two ways at once, or a header that cannot be read.
pub(crate) fn credentials(
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Option<ClientCredentials>, Refusal> {
    let (id, secret) = (parameters.get("client_id"), parameters.get("client_secret"));
    let basic = basic(headers)?;
    if let Some(credentials) = assertion(parameters, id)? {
        if basic.is_some() || secret.is_some() {
            return Err(refuse("the client authenticates in two ways"));
        }
        return Ok(Some(credentials));
    }
    Ok(match (basic, id, secret) {
        (Some(_), _, Some(_)) => return Err(refuse("the client authenticates in two ways")),
        (Some((own, _)), Some(id), None) if own != id => {
            return Err(refuse("header and body name different clients"));
        }
        (Some((id, secret)), _, None) => Some(ClientCredentials::Basic { id, secret }),
        (None, Some(id), Some(secret)) => {
            Some(ClientCredentials::Post { id: id.to_owned(), secret: secret.to_owned() })
        }
        (None, Some(id), None) => Some(ClientCredentials::Public { id: id.to_owned() }),
        (None, None, _) => None,
    })
}

/// What proves the client by a signature (RFC 7521 section 4.2).
fn assertion(parameters: &Parameters, id: Option<&str>) -> Result<Option<ClientCredentials>, Refusal> {
    match (parameters.get("client_assertion_type"), parameters.get("client_assertion")) {
        (None, None) => Ok(None),
        (Some(ASSERTION_TYPE), Some(assertion)) => {
            let credentials = ClientCredentials::of_assertion(id, assertion);
            credentials.map(Some).ok_or_else(|| refuse("the assertion names no client"))
        }
        _ => Err(refuse("client_assertion_type or client_assertion is missing, or the type is unknown")),
    }
}

/// The only type of assertions that is understood (RFC 7523 section 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn refuse(why: &'static str) -> Refusal {
    Code::ClientUnauthorized.because(why)
}

/// Id and secret of HTTP Basic. Both are encoded as in a form.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let Some((scheme, encoded)) = value.to_str().ok().and_then(|text| text.trim().split_once(' ')) else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let read = || {
        let bytes = STANDARD.decode(encoded.trim()).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (id, secret) = text.split_once(':')?;
        Some((decoded(id), decoded(secret)))
    };
    read().map(Some).ok_or_else(|| refuse("the header Authorization cannot be read"))
}

/// Text that is encoded as in a form. Some clients do not encode it; what is no encoding stands for itself.
fn decoded(text: &str) -> String {
    let pairs: Option<Vec<(String, String)>> = serde_urlencoded::from_str(&format!("v={text}")).ok();
    match pairs.as_deref() {
        Some([(_, value)]) => value.clone(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with_header(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
    }

    fn parameters(list: &[(&str, &str)]) -> Parameters {
        Parameters::new(list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_client_is_read_from_header_or_body() {
        let headers = with_header(&format!("basic {}", STANDARD.encode("a:b%2Bc+d:e")));
        let found = credentials(&headers, &parameters(&[])).unwrap().unwrap();
        assert!(matches!(found, ClientCredentials::Basic { id, secret } if id == "a" && secret == "b+c d:e"));
        let raw = with_header(&format!("Basic {}", STANDARD.encode("a:b&c")));
        let found = credentials(&raw, &parameters(&[("client_id", "a")])).unwrap().unwrap();
        assert!(matches!(found, ClientCredentials::Basic { secret, .. } if secret == "b&c"));
        let none = HeaderMap::new();
        let found = credentials(&none, &parameters(&[("client_id", "a"), ("client_secret", "b")])).unwrap();
        assert!(matches!(found, Some(ClientCredentials::Post { .. })));
        let found = credentials(&none, &parameters(&[("client_id", "a")])).unwrap();
        assert!(matches!(found, Some(ClientCredentials::Public { .. })));
        assert!(credentials(&with_header("Bearer x"), &parameters(&[])).unwrap().is_none());
    }

    #[test]
    fn a_client_authenticates_once() {
        let headers = with_header(&format!("Basic {}", STANDARD.encode("a:b")));
        for wrong in
            [parameters(&[("client_id", "a"), ("client_secret", "b")]), parameters(&[("client_id", "other")])]
        {
            assert!(credentials(&headers, &wrong).is_err());
        }
        for wrong in ["Basic", "Basic ", "Basic ?", "Basic YQ=="] {
            let found = credentials(&with_header(wrong), &parameters(&[]));
            assert!(!matches!(found, Ok(Some(_))), "{wrong}");
        }
    }
}
