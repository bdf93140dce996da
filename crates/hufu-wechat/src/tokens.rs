//! Where app tokens come from.
//!
//! By default a [`Client`](crate::Client) keeps them in memory. A program of several nodes can replace that
//! by a store that all nodes share: see [`Client::with_app_tokens`](crate::Client::with_app_tokens).

use std::fmt;

use futures::future::BoxFuture;
use secrecy::SecretString;

use crate::{
    error::Error,
    settings::{AppCredentials, Budget},
};

/// A source of app tokens, which all calls with an app token share.
///
/// After 40001, 40014 or 42001 a client reports the token with [`AppTokens::refused`], asks once more with
/// [`AppTokens::get`], and repeats the call once. An implementation fetches with
/// [`Client::stable_access_token`](crate::Client::stable_access_token), without force: that call is never
/// answered from here.
pub trait AppTokens: Send + Sync {
    /// A token of `app` that can be used now. The future ends within `budget`.
    ///
    /// Errors are those of the fetch, or [`Error::token_source`] if the source itself failed.
    fn get<'a>(&'a self, app: &'a AppCredentials, budget: Budget) -> BoxFuture<'a, Result<AppToken, Error>>;

    /// WeChat rejected a token that `get` returned: the next `get` must not return that fetch again. Does
    /// nothing if a later fetch has already replaced it.
    fn refused<'a>(&'a self, app: &'a AppCredentials, token: &'a AppToken) -> BoxFuture<'a, ()>;
}

/// An app token, and the fetch that it came from.
#[derive(Clone)]
pub struct AppToken {
    /// The token.
    pub token: SecretString,
    /// Grows with each fetch for one app. It tells two fetches apart even where WeChat returned the same token
    /// to both, as it does outside a token's last five minutes.
    pub fetch: i64,
}

impl fmt::Debug for AppToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppToken").field("fetch", &self.fetch).finish_non_exhaustive()
    }
}
