//! Requests that clients sign (OpenID Connect Core section 6, RFC 9101): what is signed stands in place of the
//! parameters beside it.

use std::borrow::Cow;

use hufu_protocol::ClientSignatureError;
use hufu_types::refusal::Code;
use hufu_types::{Application, ResponseType};
use serde_json::{Map, Value};

use super::client_keys::{Registered, Unverified};
use super::request::{AuthorizationRefused, Parameters, Reply};
use super::response::OAuthError;
use crate::App;

/// The `typ` of a request object (RFC 9101 section 10.8).
pub(super) const REQUEST_OBJECT_TYPE: &str = "oauth-authz-req+jwt";
/// The `typ` that a client assertion may have, which a request object may not.
const ASSERTION_TYPE: &str = "client-authentication+jwt";

/// The claims of a JWT, which are no parameters.
const OF_THE_JWT: [&str; 7] = ["iss", "aud", "exp", "nbf", "iat", "jti", "sub"];

impl App {
    /// The parameters of a request: those of its request object, if it has one, by value or by reference.
    pub(super) async fn unfolded(
        &self,
        application: &Application,
        parameters: Parameters,
    ) -> Result<Parameters, AuthorizationRefused> {
        let (value, reference) = (parameters.get("request"), parameters.get("request_uri"));
        if value.is_none() && reference.is_none() {
            return Ok(parameters);
        }
        let refuse = |error: OAuthError, code: Code, why: &str| {
            let registered = parameters.get("redirect_uri").filter(|uri| application.has_redirect_uri(uri));
            match registered {
                Some(uri) => Reply::new(self, &parameters, uri).error(error, why),
                None => AuthorizationRefused::Page(code.because(why.to_owned())),
            }
        };
        let wrong = |why: &str| refuse(OAuthError::InvalidRequest, Code::RequestObjectInvalid, why);
        let invalid = |why: &str| refuse(OAuthError::InvalidRequestObject, Code::RequestObjectInvalid, why);
        let unsupported = |why: &str| match reference {
            Some(_) => refuse(OAuthError::RequestUriNotSupported, Code::RequestUriUnsupported, why),
            None => refuse(OAuthError::RequestNotSupported, Code::RequestObjectUnsupported, why),
        };
        if parameters.repeated().is_some() {
            return Err(wrong("a parameter is there twice"));
        }
        if value.is_some() && reference.is_some() {
            return Err(wrong("request and request_uri are there together"));
        }
        if !application.client.has_keys() {
            let why = "the application has no keys to verify request objects with: set jwks_uri or jwks";
            return Err(unsupported(why));
        }
        let object = match reference {
            None => value.map(Cow::Borrowed),
            Some(_) if application.client.request_uris.is_empty() => {
                return Err(unsupported("the application has no request_uris"));
            }
            Some(uri) => self.referenced(application, uri).await.map(Cow::Owned),
        };
        let Some(object) = object else {
            let why = "request_uri is not one of the application's, or there is no request object there";
            return Err(refuse(OAuthError::InvalidRequestUri, Code::RequestUriInvalid, why));
        };
        let signed = match self.verify_signed(application, &object).await {
            Ok(signed) => signed,
            Err(Unverified::NoKeys | Unverified::Unreachable) => {
                return Err(invalid("the keys of the application cannot be read"));
            }
            Err(Unverified::Signature(ClientSignatureError::Unsigned)) => {
                return Err(unsupported("a request object must be signed"));
            }
            Err(Unverified::Signature(why)) => return Err(invalid(described(why))),
        };
        if signed.typ.eq_ignore_ascii_case(ASSERTION_TYPE) {
            return Err(invalid("a client assertion is no request object"));
        }
        if application.client.request_object_signing_alg.is_some_and(|only| only != signed.algorithm) {
            return Err(invalid("the application registered another algorithm for its request objects"));
        }
        let claims = &signed.claims;
        self.check_object(application, &parameters, claims).map_err(invalid)?;
        parameters_of(application, claims).map_err(invalid)
    }

    fn check_object(
        &self,
        application: &Application,
        outside: &Parameters,
        claims: &Map<String, Value>,
    ) -> Result<(), &'static str> {
        let (id, object) = (application.id.as_str(), Registered(claims));
        if object.text("iss") != Some(id) {
            return Err("iss of the request object is not the client");
        }
        // Otherwise it could be taken for an assertion (RFC 9101 section 10.8).
        if object.text("sub") == Some(id) {
            return Err("sub of the request object is the client, as in an assertion");
        }
        if !object.is_for(&self.issuer) {
            return Err("aud of the request object is not the issuer");
        }
        object
            .check_times(self.now(), &self.limits)
            .map_err(|_| "the request object has expired, or is not valid yet")?;
        if claims.contains_key("request") || claims.contains_key("request_uri") {
            return Err("a request object contains no other one");
        }
        if claims.contains_key("client_id") && object.text("client_id") != Some(id) {
            return Err("client_id differs between the request and its request object");
        }
        let types = [outside.get("response_type"), object.text("response_type")];
        // They are lists, whose order means nothing.
        if let [Some(outside), Some(inside)] = types
            && outside != inside
            && (ResponseType::parse(outside).is_none()
                || ResponseType::parse(outside) != ResponseType::parse(inside))
        {
            return Err("response_type differs between the request and its request object");
        }
        Ok(())
    }
}

/// The claims of a request object as parameters.
fn parameters_of(application: &Application, claims: &Map<String, Value>) -> Result<Parameters, &'static str> {
    let mut list = vec![("client_id".to_owned(), application.id.to_string())];
    for (name, value) in claims {
        if name == "client_id" || OF_THE_JWT.contains(&name.as_str()) {
            continue;
        }
        match value {
            Value::Null => {}
            Value::String(text) => list.push((name.clone(), text.clone())),
            // `claims` is JSON already, and `max_age` a number.
            Value::Object(_) | Value::Number(_) | Value::Bool(_) => {
                list.push((name.clone(), value.to_string()));
            }
            Value::Array(values) => {
                for value in values {
                    let text = value.as_str().ok_or("a list in the request object is not of texts")?;
                    list.push((name.clone(), text.to_owned()));
                }
            }
        }
    }
    Ok(Parameters::new(list))
}

const fn described(why: ClientSignatureError) -> &'static str {
    match why {
        ClientSignatureError::Malformed => "the request object is not a signed JWT",
        ClientSignatureError::Unsigned | ClientSignatureError::WrongAlgorithm => {
            "the request object must be signed with ES256, RS256, PS256 or EdDSA"
        }
        ClientSignatureError::UnknownKey => {
            "none of the application's keys fits the header of the request object"
        }
        ClientSignatureError::BadSignature => "the signature of the request object is not valid",
    }
}
