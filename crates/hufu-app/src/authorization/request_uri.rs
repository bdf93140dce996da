//! Request objects by reference (OpenID Connect Core 6.2, RFC 9101 section 5.2): the client registers where they are, and
//! this node fetches them.
//!
//! A registered address may end in a fragment, the SHA-256 of what is there in base64url. It tells one content from
//! another, so that a content that has this hash is used for longer. One that has not is used all the same: the signature
//! says whose it is, and clients register fragments before the content is there.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_connect::OutgoingError;
use hufu_protocol::MAX_TOKEN_LENGTH;
use hufu_types::{Application, without_fragment};

use super::remote::{Documents, Life};
use crate::App;

/// The request objects that were fetched, by address without fragment.
pub(crate) type RequestObjects = Documents<String, Fetched>;

/// What is at an address.
pub(crate) struct Fetched {
    /// The request object.
    object: String,
    /// The hash of all that was there.
    hash: String,
}

/// Why there is no request object. Clients learn nothing of it, or they could ask what answers where.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("no answer")]
    Outgoing(#[from] OutgoingError),
    #[error("no answer in time")]
    Late,
    #[error("status {0}")]
    Status(u16),
    #[error("longer than {MAX_TOKEN_LENGTH} bytes, or no text")]
    NoToken,
}

impl App {
    /// The request object that an address stands for. `None` if the application did not register it, which then is not
    /// asked either, or there is none.
    pub(super) async fn referenced(&self, application: &Application, uri: &str) -> Option<String> {
        if !application.client.has_request_uri(uri) {
            return None;
        }
        let pause = self.limits.request_object_pause;
        let life = |fetched: &Arc<Fetched>| {
            let is_that = uri.split_once('#').is_some_and(|(_, hash)| hash == fetched.hash);
            // Without its hash the next request may find another content there.
            let life = if is_that { self.limits.request_object_cached } else { pause };
            Some(Life { cached: life, kept: life })
        };
        let address = without_fragment(uri);
        let fetch = async || match self.fetch_request_object(address).await {
            Ok(fetched) => Some(fetched),
            Err(error) => {
                tracing::warn!(application = %application.id, error = hufu_types::chain(&error), "the request object at a request_uri of an application cannot be used");
                None
            }
        };
        let document = self.request_objects.at(address.to_owned());
        let fetched = document.get(life, pause, || self.now(), fetch).await?;
        Some(fetched.object.clone())
    }

    async fn fetch_request_object(&self, address: &str) -> Result<Fetched, FetchError> {
        let accept = ("accept", "application/oauth-authz-req+jwt, application/jwt");
        let headers = [accept];
        let response = self.sender_context.http.get(address, &headers);
        let response = tokio::time::timeout(self.limits.request_object_wait, response);
        let response = response.await.map_err(|_| FetchError::Late)??;
        if response.status != 200 {
            return Err(FetchError::Status(response.status));
        }
        let body = response.whole_body()?;
        let object =
            std::str::from_utf8(body).ok().map(str::trim).filter(|text| text.len() <= MAX_TOKEN_LENGTH);
        let object = object.ok_or(FetchError::NoToken)?.to_owned();
        Ok(Fetched { object, hash: URL_SAFE_NO_PAD.encode(digest(&SHA256, body)) })
    }
}
