//! How clients prove who they are at the token endpoint (RFC 6749 section 2.3, OpenID Connect Core 9).

use std::sync::Arc;

use hufu_protocol::unverified_subject;
use hufu_store::rates::Limit;
use hufu_store::{StoreError, Tx, Write};
use hufu_types::refusal::Code;
use hufu_types::{Application, Timestamp, TokenAuth};

use crate::address::network_of;
use crate::digest::hash_token;
use crate::{App, Origin, Refusal};

/// What a client sends to say and prove who it is. `Debug` shows the id alone.
#[derive(Clone)]
pub enum ClientCredentials {
    /// Id and secret in the `Authorization` header.
    Basic {
        /// The id.
        id: String,
        /// The secret.
        secret: String,
    },
    /// Id and secret in the body.
    Post {
        /// The id.
        id: String,
        /// The secret.
        secret: String,
    },
    /// An assertion that the client signed.
    Assertion {
        /// The id.
        id: String,
        /// The assertion.
        assertion: String,
    },
    /// The id alone.
    Public {
        /// The id.
        id: String,
    },
}

impl std::fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(self.method().as_str()).field("id", &self.id()).finish_non_exhaustive()
    }
}

impl ClientCredentials {
    /// The id of the client.
    pub fn id(&self) -> &str {
        match self {
            Self::Basic { id, .. }
            | Self::Post { id, .. }
            | Self::Assertion { id, .. }
            | Self::Public { id } => id,
        }
    }

    /// The credentials of a client that sent an assertion, which may name it alone. `None` if nothing names it.
    pub fn of_assertion(id: Option<&str>, assertion: &str) -> Option<Self> {
        let id = match id {
            Some(id) => id.to_owned(),
            None => unverified_subject(assertion)?,
        };
        Some(Self::Assertion { id, assertion: assertion.to_owned() })
    }

    /// Whether they prove anything.
    pub const fn prove(&self) -> bool {
        !matches!(self, Self::Public { .. })
    }

    /// How the client authenticates.
    pub const fn method(&self) -> TokenAuth {
        match self {
            Self::Basic { .. } => TokenAuth::Basic,
            Self::Post { .. } => TokenAuth::Post,
            Self::Assertion { .. } => TokenAuth::PrivateKey,
            Self::Public { .. } => TokenAuth::None,
        }
    }
}

/// Counts a wrong secret or assertion.
struct CountGuess {
    guesses: Limit,
    now: Timestamp,
}

impl Write for CountGuess {
    /// Whether there was room for it.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        Ok(self.guesses.take(tx, self.now).await?.is_some())
    }
}

impl App {
    /// The application of a client that authenticates as it is registered.
    ///
    /// # Errors
    /// [`Code::ClientUnauthorized`], whatever is wrong; [`Code::TooOften`] after many wrong secrets or assertions.
    pub async fn authenticate_client(
        &self,
        credentials: &ClientCredentials,
        origin: &Origin,
    ) -> Result<Arc<Application>, Refusal> {
        let refuse = |why: &'static str| Code::ClientUnauthorized.because(why);
        let config = self.config();
        let application = match config.application_or(credentials.id(), Code::ClientUnauthorized) {
            Err(refusal) if refusal.is(Code::PoolOff) => return Err(refusal),
            found => found.map_err(|_| refuse("there is no such client"))?,
        };
        if application.token_auth() != credentials.method() {
            return Err(refuse("the client authenticates in another way"));
        }
        let Err(refusal) = self.check_credentials(application, credentials).await else {
            return Ok(application.clone());
        };
        if !refusal.is(Code::ClientUnauthorized) {
            return Err(refusal);
        }
        Err(self.count_client_failure(refusal, origin).await)
    }

    /// Counts what did not prove a client. Returns what to answer: this, or that too many came from the network.
    pub(crate) async fn count_client_failure(&self, refusal: Refusal, origin: &Origin) -> Refusal {
        let network = origin.ip.as_deref().map(network_of).unwrap_or_default();
        let guesses = Limit {
            name: format!("client_failures:{network}"),
            most: self.limits.client_failures_per_ip,
            window: self.limits.failure_window,
        };
        let (now, wait) = (self.now(), guesses.wait(self.now()));
        match self.write(CountGuess { guesses, now }).await {
            Ok(true) => refusal,
            Ok(false) => {
                let why = "wrong secrets or assertions of clients from this network";
                Code::TooOften.retry_after(wait).because(why)
            }
            Err(failed) => failed,
        }
    }

    /// Checks what proves that the client is who it says. A public client proves nothing.
    async fn check_credentials(
        &self,
        application: &Application,
        credentials: &ClientCredentials,
    ) -> Result<(), Refusal> {
        match credentials {
            ClientCredentials::Assertion { assertion, .. } => {
                self.check_assertion(application, assertion).await
            }
            ClientCredentials::Basic { secret, .. } | ClientCredentials::Post { secret, .. } => {
                let sent = hash_token(secret);
                // Each is compared, so that the time tells nothing.
                let known = application.secrets.iter();
                let matching = known.filter(|known| sent.matches(known.hash.as_bytes())).count();
                let wrong = || Code::ClientUnauthorized.because("the secret is wrong");
                if matching > 0 { Ok(()) } else { Err(wrong()) }
            }
            ClientCredentials::Public { .. } => Ok(()),
        }
    }
}
