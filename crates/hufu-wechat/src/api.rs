//! WeChat's server API without app tokens of its own: what a [`Client`](crate::Client) and the default source
//! of its app tokens share.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use url::{Url, form_urlencoded::byte_serialize};

use crate::{
    class::Endpoint,
    error::{BuildError, Error, ErrorKind},
    fields::{LONGEST_TOKEN, printable},
    settings::{AppCredentials, Budget, Endpoints, Settings},
    transport::{Call, Reply, Transport},
    wire::{StableTokenAnswer, StableTokenRequest},
};

/// An app token as WeChat returned it.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token.
    pub token: SecretString,
    /// Its remaining lifetime when WeChat responded.
    pub expires_in: Duration,
}

/// Connections to WeChat, and where it is.
#[derive(Clone)]
pub(crate) struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    endpoints: Endpoints,
}

impl Api {
    pub(crate) fn new(settings: Settings) -> Result<Self, BuildError> {
        let Endpoints { api, open, mp } = &settings.endpoints;
        for (name, base) in [("api", api), ("open", open), ("mp", mp)] {
            if !is_base(base) {
                return Err(BuildError::Base { name });
            }
        }
        let transport = Transport::new(&settings)?;
        Ok(Self { inner: Arc::new(Inner { transport, endpoints: settings.endpoints }) })
    }

    pub(crate) fn endpoints(&self) -> &Endpoints {
        &self.inner.endpoints
    }

    /// The maximum duration of a call without a caller's budget.
    pub(crate) fn call_timeout(&self) -> Duration {
        self.inner.transport.call_timeout()
    }

    pub(crate) async fn call<T: Reply>(&self, call: &Call<'_>, budget: Budget) -> Result<T, Error> {
        self.inner.transport.call(call, budget).await
    }

    /// Fetches an app token, whether or not one is held.
    pub(crate) async fn stable_access_token(
        &self,
        app: &AppCredentials,
        force_refresh: bool,
        budget: Budget,
    ) -> Result<AccessToken, Error> {
        const ENDPOINT: Endpoint = Endpoint::StableToken;
        let secret = app.app_secret.expose_secret();
        let body = json(
            ENDPOINT,
            &StableTokenRequest {
                grant_type: "client_credential".to_owned(),
                appid: app.app_id.clone(),
                secret: secret.to_owned(),
                force_refresh,
            },
        )?;
        let url = self.url("/cgi-bin/stable_token", &[]);
        let call = Call { endpoint: ENDPOINT, url, body: Some(body), sent: &[secret] };
        let answer: StableTokenAnswer = self.call(&call, budget).await?;
        access_token(answer).map_err(|field| Error::new(ENDPOINT, ErrorKind::MissingField { field }))
    }

    /// The URL of a call. Only path and query are parsed; the base URL was when the client was created.
    pub(crate) fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.inner.endpoints.api.clone();
        if matches!(url.path(), "" | "/") {
            url.set_path(path);
        } else {
            let path = format!("{}{path}", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        let mut text = String::with_capacity(192);
        for (name, value) in query {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(name);
            text.push('=');
            text.extend(byte_serialize(value.as_bytes()));
        }
        url.set_query(Some(text.as_str()).filter(|text| !text.is_empty()));
        url
    }
}

fn is_base(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

pub(crate) fn json(endpoint: Endpoint, body: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(body).map_err(|_| Error::new(endpoint, ErrorKind::WrongShape))
}

fn access_token(answer: StableTokenAnswer) -> Result<AccessToken, &'static str> {
    let token = printable(answer.access_token, LONGEST_TOKEN).ok_or("access_token")?;
    let expires_in =
        answer.expires_in.and_then(|seconds| u64::try_from(seconds).ok()).filter(|&seconds| seconds > 0);
    Ok(AccessToken { token: token.into(), expires_in: Duration::from_secs(expires_in.ok_or("expires_in")?) })
}
