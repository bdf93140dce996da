//! The procedure that every configuration change follows, all in one unit of work: lock out other changes,
//! verify that the object is still at the revision the caller saw, validate, write, notify all nodes, and
//! record the change in the audit log.

use std::future::Future;

use hufu_store::config::Revised;
use hufu_store::{StoreError, Tx, Write, versions};
use hufu_types::{Action, ConnectionId, ConnectionKind, Identifier, PoolId, SettingProblem, Timestamp};
use serde_json::json;

use crate::events::{Event, Trace};

/// A change of one object. `hufu apply` runs many of them in one unit. All other callers run one, as a
/// [`Change`].
pub trait Operation: Send + Sync + 'static {
    /// The object as it is stored.
    type Object: Send + Sync + 'static;

    /// The pool that the object belongs to.
    fn pool(&self) -> &PoolId;

    /// The name of the object in the audit log: its type and its id.
    fn object(&self) -> (&'static str, String);

    /// Validates and writes, inside a unit that has locked the configuration.
    fn run(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Outcome<Self::Object>, StoreError>> + Send;
}

/// The unit of work that runs one operation.
pub struct Change<O> {
    /// The operation to run.
    pub operation: O,
    /// Who makes the change, from where and when.
    pub trace: Trace,
}

/// The outcome of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The object is now as requested.
    Done {
        /// The current state. `None` if the object was removed.
        now: Option<Revised<T>>,
        /// The names of what changed; `created` for a new object. If empty, nothing was written.
        changed: Vec<String>,
    },
    /// Someone else has changed the object. Nothing was written.
    Conflict {
        /// The revision that the caller expected; 0 for an object that should not exist yet.
        expected: i64,
        /// The current state, if the object exists.
        now: Option<Revised<T>>,
    },
    /// The requested state is invalid. Nothing was written.
    Rejected(Rejection),
}

/// What becomes of the people if a connection gets another app.
pub(in crate::configuration) const NEW_APP: &str = "people have logged in through this app, and another app knows them by other OpenIDs: whoever has no UnionID of the \
     same Open Platform account gets a new account, or none with login_only";

/// Why a requested state is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The user pool does not exist.
    #[error("there is no such user pool")]
    NoPool,
    /// A new user pool has no name.
    #[error("a new user pool needs a name")]
    NoName,
    /// Some settings are invalid.
    #[error("a setting cannot be meant so")]
    Settings(Vec<SettingProblem>),
    /// Another connection of the pool has the identifier.
    #[error("another connection of the user pool has this identifier")]
    IdentifierTaken,
    /// The identifier and kind of a connection cannot be changed after creation.
    #[error("identifier and kind of a connection are fixed once it is made: {0}, {1:?}")]
    Fixed(Identifier, ConnectionKind),
    /// People have logged in through the connection, and it would get another app.
    #[error("{NEW_APP}")]
    AppInUse,
    /// Another connection of the instance has the verification file.
    #[error("another connection has a verification file of this name")]
    VerificationFileTaken,
    /// The application id is taken in another pool.
    #[error("the application id is taken in the user pool {0}")]
    ApplicationIdTaken(PoolId),
    /// The administrator, who would get a secret, did not log in within this number of minutes.
    #[error("a new secret needs a login within the last {0} minutes")]
    LoginTooOld(u64),
    /// An application names a connection that its pool does not have.
    #[error("the user pool has no connection {0}")]
    NoConnection(ConnectionId),
    /// An application of this kind cannot use the connection.
    #[error("an application of this kind cannot use {0}, which is {1:?}")]
    ConnectionUnusable(Identifier, ConnectionKind),
    /// The application does not exist.
    #[error("there is no such application")]
    NoApplication,
    /// The connection does not exist.
    #[error("there is no such connection")]
    NoSuchConnection,
    /// The pool was removed, and nothing but its return can change that.
    #[error("the user pool was removed")]
    PoolRemoved,
    /// The pool was not removed, or its rows are going.
    #[error("the user pool was not removed, or its rows are going")]
    PoolNotRemoved,
    /// The id of a new pool is taken.
    #[error("the id of the user pool is taken")]
    PoolIdTaken,
    /// The application has no such secret.
    #[error("the application has no such secret")]
    NoSecret,
    /// The secret is the application's only one.
    #[error("the application has no other secret")]
    OnlySecret,
    /// The application is a public client, which has no secret.
    #[error("the application is a public client, which has no secret")]
    PublicClient,
    /// The token with which a client registers, or manages itself, does not hold any more.
    #[error("the token of the registration does not hold any more")]
    RegistrationEnded,
    /// As many clients as may have registered themselves.
    #[error("{0} clients have registered, and no more may")]
    TooManyClients(i64),
    /// Sessions would end before their tokens expire.
    #[error("a session lasts at least as long as its token")]
    SessionTooShort,
}

impl<O: Operation> Write for Change<O> {
    type Out = Outcome<O::Object>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        versions::lock_configuration(tx).await?;
        let outcome = self.operation.run(tx, self.trace.at).await?;
        if let Outcome::Done { now, changed } = &outcome
            && !changed.is_empty()
        {
            let pool = self.operation.pool();
            versions::pools_changed(tx, [pool]).await?;
            let (object, id) = self.operation.object();
            let revision = now.as_ref().map(|now| now.revision);
            let details = json!({ "object": object, "id": id, "changed": changed, "revision": revision });
            let event = Event { action: Action::ConfigurationChanged, code: 0, user: None, details };
            self.trace.recorder().record(tx, pool, event).await?;
        }
        Ok(outcome)
    }
}

/// Whether the object is at the expected revision. 0 means that it does not exist.
pub(super) fn is_expected<T>(expected: Option<i64>, present: Option<&Revised<T>>) -> bool {
    expected.is_none_or(|expected| expected == present.map_or(0, |present| present.revision))
}

/// The list of changes for a new object.
pub(super) fn created() -> Vec<String> {
    vec!["created".to_owned()]
}

/// The list of changes for an object that is gone.
pub(super) fn removed() -> Vec<String> {
    vec!["removed".to_owned()]
}

/// The names of the entries marked as changed.
pub(super) fn names_of(changes: &[(&'static str, bool)]) -> Vec<&'static str> {
    changes.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect()
}

pub(super) fn owned(names: Vec<&'static str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}
