//! The public keys of clients: those in their settings, and those behind their `jwks_uri`, which a node keeps for a while.

use std::sync::Arc;

use hufu_connect::OutgoingError;
use hufu_protocol::{ClientKeys, ClientKeysError, ClientSignatureError, Signed};
use hufu_types::{Application, ApplicationId, Timestamp};
use moka::sync::Cache;
use serde_json::Value;

use super::remote::{Documents, Life};
use crate::{App, Limits};

/// The most key sets of settings that a node keeps parsed.
const MOST_PARSED: u64 = 1000;

/// The key sets of clients.
pub(crate) struct KeySets {
    /// Those that were fetched, by client and address.
    remote: Documents<(ApplicationId, String), ClientKeys>,
    /// Those that are written in the settings, parsed, beside what was parsed.
    inline: Cache<ApplicationId, Arc<(Value, ClientKeys)>>,
}

impl Default for KeySets {
    fn default() -> Self {
        let inline = Cache::builder().max_capacity(MOST_PARSED).build();
        Self { remote: Documents::default(), inline }
    }
}

/// Why something that a client signed is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unverified {
    /// The client has no keys.
    #[error("the application has no public keys")]
    NoKeys,
    /// Its keys are not to be had.
    #[error("the keys of the application cannot be read")]
    Unreachable,
    /// It is not signed with one of them.
    #[error(transparent)]
    Signature(#[from] ClientSignatureError),
}

/// Why a key set cannot be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("no answer")]
    Outgoing(#[from] OutgoingError),
    #[error("status {0}")]
    Status(u16),
    #[error("no usable key set")]
    Keys(#[from] ClientKeysError),
}

impl App {
    /// Verifies what a client signed with its keys. A key that is not known yet is looked for at its `jwks_uri`.
    pub(super) async fn verify_signed(
        &self,
        application: &Application,
        jws: &str,
    ) -> Result<Signed, Unverified> {
        let client = &application.client;
        if let Some(set) = &client.jwks {
            return Ok(self.inline_keys(&application.id, set)?.1.verify(jws)?);
        }
        let uri = client.jwks_uri.as_ref().ok_or(Unverified::NoKeys)?;
        let keys = self.keys_of(application, uri, None).await.ok_or(Unverified::Unreachable)?;
        match keys.verify(jws) {
            Err(ClientSignatureError::UnknownKey) => {
                let newer = self.keys_of(application, uri, Some(&keys)).await;
                let newer = newer.ok_or(Unverified::Signature(ClientSignatureError::UnknownKey))?;
                Ok(newer.verify(jws)?)
            }
            verified => Ok(verified?),
        }
    }

    /// The keys that are written in the settings of a client.
    fn inline_keys(
        &self,
        client: &ApplicationId,
        set: &Value,
    ) -> Result<Arc<(Value, ClientKeys)>, Unverified> {
        let inline = &self.client_keys.inline;
        if let Some(parsed) = inline.get(client).filter(|parsed| parsed.0 == *set) {
            return Ok(parsed);
        }
        // They were checked when they were written.
        let keys = ClientKeys::parse(set.to_string().as_bytes()).map_err(|_| Unverified::Unreachable)?;
        let parsed = Arc::new((set.clone(), keys));
        inline.insert(client.clone(), parsed.clone());
        Ok(parsed)
    }

    /// The keys behind an address. `unfit` are keys among which the right one was not.
    async fn keys_of(
        &self,
        application: &Application,
        uri: &str,
        unfit: Option<&Arc<ClientKeys>>,
    ) -> Option<Arc<ClientKeys>> {
        let Limits { client_keys_cached: cached, client_keys_kept: kept, client_keys_pause: pause, .. } =
            self.limits;
        let life = |keys: &Arc<ClientKeys>| {
            let fits = unfit.is_none_or(|unfit| !Arc::ptr_eq(unfit, keys));
            fits.then_some(Life { cached, kept })
        };
        let fetch = async || match self.fetch_keys(uri).await {
            Ok(keys) => Some(keys),
            Err(error) => {
                tracing::warn!(application = %application.id, error = hufu_types::chain(&error), "the keys at the jwks_uri of an application cannot be used");
                None
            }
        };
        let document = self.client_keys.remote.at((application.id.clone(), uri.to_owned()));
        document.get(life, pause, || self.now(), fetch).await
    }

    async fn fetch_keys(&self, uri: &str) -> Result<ClientKeys, FetchError> {
        let accept = ("accept", "application/jwk-set+json, application/json");
        let response = self.sender_context.http.get(uri, &[accept]).await?;
        if response.status != 200 {
            return Err(FetchError::Status(response.status));
        }
        Ok(ClientKeys::parse(response.whole_body()?)?)
    }
}

/// The claims that say by whom, for whom and when something was signed (RFC 7519 section 4.1).
pub(super) struct Registered<'a>(pub(super) &'a serde_json::Map<String, Value>);

impl<'a> Registered<'a> {
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    /// Whether it is for one of these, and for nobody else.
    pub(super) fn is_only_for(&self, accepted: &[&str]) -> bool {
        let audience = match self.0.get("aud") {
            Some(Value::String(audience)) => Some(audience.as_str()),
            Some(Value::Array(list)) => match list.as_slice() {
                [audience] => audience.as_str(),
                _ => None,
            },
            _ => None,
        };
        audience.is_some_and(|audience| accepted.contains(&audience))
    }

    /// Whether this is among those that it is for.
    pub(super) fn is_for(&self, accepted: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::String(audience)) => audience == accepted,
            Some(Value::Array(list)) => list.iter().any(|audience| audience.as_str() == Some(accepted)),
            _ => false,
        }
    }

    /// A time, in seconds; fractions are cut off.
    fn time(&self, name: &str) -> Result<Option<Timestamp>, &'static str> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "floats are cast to the nearest integer there is"
        )]
        let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64));
        let seconds = seconds.ok_or("a time of it is no number")?;
        Ok(Some(Timestamp(seconds.saturating_mul(1000))))
    }

    /// Checks that it is valid now. Returns when it expires, if it says so.
    pub(super) fn check_times(
        &self,
        now: Timestamp,
        limits: &Limits,
    ) -> Result<Option<Timestamp>, &'static str> {
        let leeway = limits.clock_leeway;
        let expires_at = self.time("exp")?;
        if expires_at.is_some_and(|expires_at| expires_at.plus(leeway) <= now) {
            return Err("it has expired");
        }
        for name in ["nbf", "iat"] {
            if self.time(name)?.is_some_and(|time| now.plus(leeway) < time) {
                return Err("it is not valid yet");
            }
        }
        Ok(expires_at)
    }
}
