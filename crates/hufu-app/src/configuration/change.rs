//! What every change of the configuration has in common: it keeps other changes out, looks whether the object is still
//! the one that the caller knows, checks, writes, tells every node, and writes the audit log, all in one unit.

use std::future::Future;

use hufu_store::config::Revised;
use hufu_store::{StoreError, Tx, Write, versions};
use hufu_types::{Action, ConnectionId, ConnectionKind, Identifier, PoolId, SettingProblem, Timestamp};
use serde_json::json;

use crate::events::{Event, Trace};

/// A change of one object. `hufu apply` runs many of them in one unit, everybody else one, as a [`Change`].
pub trait Operation: Send + Sync + 'static {
    /// The object as it is stored.
    type Object: Send + Sync + 'static;

    /// The pool that the object belongs to.
    fn pool(&self) -> &PoolId;

    /// What the audit log calls the object: its sort, and which one it is.
    fn object(&self) -> (&'static str, String);

    /// Checks and writes, within a unit that has locked the configuration.
    fn run(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Outcome<Self::Object>, StoreError>> + Send;
}

/// The unit of one operation.
pub struct Change<O> {
    /// What is to be.
    pub operation: O,
    /// Who does it, from where and when.
    pub trace: Trace,
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The object is as it was to be.
    Done {
        /// What it is now; nothing where it was taken away.
        now: Option<Revised<T>>,
        /// The names of what is different from before; `created` for a new object. Where this is empty, nothing was written.
        changed: Vec<String>,
    },
    /// Somebody else changed the object. Nothing was written.
    Conflict {
        /// The revision that the caller knows; 0 for an object that is not to be there yet.
        expected: i64,
        /// What it is now, if it is there.
        now: Option<Revised<T>>,
    },
    /// It cannot be so. Nothing was written.
    Rejected(Rejection),
}

/// Why an object cannot be as it was to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no such user pool.
    #[error("there is no such user pool")]
    NoPool,
    /// A new user pool has no name.
    #[error("a new user pool needs a name")]
    NoName,
    /// Settings that cannot be meant.
    #[error("a setting cannot be meant so")]
    Settings(Vec<SettingProblem>),
    /// Another connection of the pool has the identifier.
    #[error("another connection of the user pool has this identifier")]
    IdentifierTaken,
    /// Identifier and kind of a connection are fixed once it is made.
    #[error("identifier and kind of a connection are fixed once it is made: {0}, {1:?}")]
    Fixed(Identifier, ConnectionKind),
    /// A field of the connection's kind is missing, or has not the form that it must have: its name, and the rule.
    #[error("{0}: {1}")]
    Field(&'static str, &'static str),
    /// The application's id is taken in another pool.
    #[error("the application id is taken in the user pool {0}")]
    ApplicationIdTaken(PoolId),
    /// An application names a connection that its pool does not have.
    #[error("the user pool has no connection {0}")]
    NoConnection(ConnectionId),
    /// An application of its kind cannot use the connection.
    #[error("an application of this kind cannot use {0}, which is {1:?}")]
    ConnectionUnusable(Identifier, ConnectionKind),
    /// A session would end before its token.
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

/// Whether the object is still the one that the caller knows; 0 stands for one that is not there.
pub(super) fn is_expected<T>(expected: Option<i64>, present: Option<&Revised<T>>) -> bool {
    expected.is_none_or(|expected| expected == present.map_or(0, |present| present.revision))
}

/// What a new object differs by.
pub(super) fn created() -> Vec<String> {
    vec!["created".to_owned()]
}

/// The names of what differs.
pub(super) fn names_of(changes: &[(&'static str, bool)]) -> Vec<&'static str> {
    changes.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect()
}

pub(super) fn owned(names: Vec<&'static str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}
