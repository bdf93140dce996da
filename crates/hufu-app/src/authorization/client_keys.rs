//! The public keys of clients: those in their settings, and those behind their `jwks_uri`, which a node keeps for a while.

use std::sync::Arc;

use arc_swap::ArcSwap;
use hufu_connect::OutgoingError;
use hufu_protocol::{ClientKeys, ClientKeysError, ClientSignatureError, Signed};
use hufu_types::{Application, ApplicationId, Timestamp};
use moka::sync::Cache;
use serde_json::Value;

use crate::{App, Limits};

/// The most key sets that a node keeps.
const MOST: u64 = 1000;

/// The key sets that were fetched, by client and address.
pub(crate) struct RemoteKeys(Cache<(ApplicationId, String), Arc<Remote>>);

impl Default for RemoteKeys {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).build())
    }
}

/// A key set behind an address.
#[derive(Default)]
struct Remote {
    known: ArcSwap<Known>,
    /// Held while it is fetched, so that those who need it meanwhile wait for one answer.
    fetching: tokio::sync::Mutex<()>,
}

/// What is known of a key set.
#[derive(Clone, Default)]
struct Known {
    /// The keys, and when they were fetched.
    keys: Option<(Arc<ClientKeys>, Timestamp)>,
    /// When they were last asked for.
    tried_at: Option<Timestamp>,
}

/// Which keys to use.
enum Choice {
    /// These. `None`: there are none, and it is too early to ask again.
    Use(Option<Arc<ClientKeys>>),
    /// Those that the address has now.
    Ask,
}

impl Known {
    /// The keys to use now. `unfit` are keys among which the right one was not.
    fn now(&self, unfit: Option<&Arc<ClientKeys>>, limits: &Limits, now: Timestamp) -> Choice {
        let younger = |age| {
            let (keys, fetched_at) = self.keys.as_ref()?;
            let fits = unfit.is_none_or(|unfit| !Arc::ptr_eq(unfit, keys));
            (fits && fetched_at.plus(age) > now).then(|| keys.clone())
        };
        if let Some(keys) = younger(limits.client_keys_cached) {
            return Choice::Use(Some(keys));
        }
        let was_just_asked = self.tried_at.is_some_and(|tried| tried.plus(limits.client_keys_pause) > now);
        if was_just_asked { Choice::Use(younger(limits.client_keys_kept)) } else { Choice::Ask }
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
            // They were parsed when they were written.
            let keys = ClientKeys::parse(set.to_string().as_bytes()).map_err(|_| Unverified::Unreachable)?;
            return Ok(keys.verify(jws)?);
        }
        let uri = client.jwks_uri.as_ref().ok_or(Unverified::NoKeys)?;
        let place = (application.id.clone(), uri.clone());
        let remote = self.remote_keys.0.get_with(place, Arc::default);
        let keys = self.keys_of(&remote, application, uri, None).await.ok_or(Unverified::Unreachable)?;
        match keys.verify(jws) {
            Err(ClientSignatureError::UnknownKey) => {
                let newer = self.keys_of(&remote, application, uri, Some(&keys)).await;
                let newer = newer.ok_or(Unverified::Signature(ClientSignatureError::UnknownKey))?;
                Ok(newer.verify(jws)?)
            }
            verified => Ok(verified?),
        }
    }

    async fn keys_of(
        &self,
        remote: &Remote,
        application: &Application,
        uri: &str,
        unfit: Option<&Arc<ClientKeys>>,
    ) -> Option<Arc<ClientKeys>> {
        if let Choice::Use(keys) = remote.known.load().now(unfit, &self.limits, self.now()) {
            return keys;
        }
        let _turn = remote.fetching.lock().await;
        if let Choice::Use(keys) = remote.known.load().now(unfit, &self.limits, self.now()) {
            return keys;
        }
        let mut known = Known::clone(&remote.known.load());
        let fetched = self.fetch_keys(uri).await;
        let now = self.now();
        known.tried_at = Some(now);
        match fetched {
            Ok(keys) => known.keys = Some((Arc::new(keys), now)),
            Err(error) => {
                tracing::warn!(application = %application.id, error = hufu_types::chain(&error), "the keys at the jwks_uri of an application cannot be used");
            }
        }
        let choice = known.now(unfit, &self.limits, now);
        remote.known.store(Arc::new(known));
        match choice {
            Choice::Use(keys) => keys,
            Choice::Ask => None,
        }
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
