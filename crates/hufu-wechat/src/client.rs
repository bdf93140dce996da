//! The client, and the one way of all calls that carry an app token. The calls themselves are in `calls`.

use std::sync::Arc;

use secrecy::ExposeSecret as _;

use crate::{
    api::{AccessToken, Api},
    broker::TokensInMemory,
    class::{Class, Endpoint},
    error::{BuildError, Error},
    settings::{AppCredentials, Budget, Endpoints, Settings},
    tokens::{AppToken, AppTokens},
    transport::{Call, Reply},
};

/// A client of WeChat's server API. Clones share connections and app tokens.
#[derive(Clone)]
pub struct Client {
    pub(crate) api: Api,
    tokens: Arc<dyn AppTokens>,
}

/// A call that carries the app's token, which is added to its query.
pub(crate) struct AppCall<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) path: &'static str,
    /// What follows the token in the query.
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// The JSON to POST. Without it, the call is a GET.
    pub(crate) body: Option<Vec<u8>>,
    /// Values besides the token that must never appear in the text of an error.
    pub(crate) sent: &'a [&'a str],
}

impl Client {
    /// Creates a client with its own connection pool, which keeps app tokens in memory. Create one and clone
    /// it.
    pub fn new(settings: Settings) -> Result<Self, BuildError> {
        let api = Api::new(settings)?;
        Ok(Self { tokens: Arc::new(TokensInMemory::new(api.clone())), api })
    }

    /// The same client with another source of app tokens. It shares the connections, so that a source can
    /// hold the client that it came from, to fetch with.
    #[must_use]
    pub fn with_app_tokens(&self, tokens: Arc<dyn AppTokens>) -> Self {
        Self { api: self.api.clone(), tokens }
    }

    /// The base URLs of WeChat that this client uses.
    pub fn endpoints(&self) -> &Endpoints {
        self.api.endpoints()
    }

    /// Fetches an app token, bypassing what [`AppTokens`] holds.
    ///
    /// With `force_refresh`, the current token is invalidated immediately and everywhere. WeChat allows that
    /// 20 times a day. It is meant for administrators whose token has leaked.
    ///
    /// Source: "getStableAccessToken".
    pub async fn stable_access_token(
        &self,
        app: &AppCredentials,
        force_refresh: bool,
        budget: Budget,
    ) -> Result<AccessToken, Error> {
        self.api.stable_access_token(app, force_refresh, budget).await
    }

    /// Performs a call with the app's token. If the token is rejected, another one is asked for once, and the
    /// call is repeated once. A code in the call is not spent by a call whose token was rejected.
    pub(crate) async fn app_call<T: Reply>(
        &self,
        app: &AppCredentials,
        call: &AppCall<'_>,
        budget: Budget,
    ) -> Result<T, Error> {
        let held = self.tokens.get(app, budget).await?;
        match self.call_with(&held, call, budget).await {
            Err(error) if error.class() == Class::Token => {
                tracing::debug!(rid = error.rid(), "WeChat refused the app token; fetching one");
                self.tokens.refused(app, &held).await;
                let held = self.tokens.get(app, budget).await?;
                self.call_with(&held, call, budget).await
            }
            outcome => outcome,
        }
    }

    async fn call_with<T: Reply>(
        &self,
        held: &AppToken,
        call: &AppCall<'_>,
        budget: Budget,
    ) -> Result<T, Error> {
        let token = held.token.expose_secret();
        let query: Vec<_> = [("access_token", token)].into_iter().chain(call.query.iter().copied()).collect();
        let sent: Vec<_> = [token].into_iter().chain(call.sent.iter().copied()).collect();
        let url = self.api.url(call.path, &query);
        let call = Call { endpoint: call.endpoint, url, body: call.body.clone(), sent: &sent };
        self.api.call(&call, budget).await
    }
}
