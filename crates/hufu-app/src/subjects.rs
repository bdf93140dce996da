//! By which subject a client knows a person (OpenID Connect Core 8).
//!
//! A public subject is the user's id. A pairwise one is derived from it for the sector of the client, with a key that is
//! made once for the instance. The key is random and not derived from the sealing key, which only seals it, as it seals
//! the signing keys: a new sealing key would leave every subject as it is.

use hufu_protocol::PairwiseKey;
use hufu_protocol::sealing::{OpenError, SealingKey};
use hufu_store::instance::{Fact, GetFact, PutFactIfAbsent};
use hufu_store::{Store, StoreError};
use hufu_types::{Application, Random, Sector, UserId};
use zeroize::Zeroizing;

use crate::App;

/// What the sealed key is bound to.
pub(crate) const CONTEXT: &str = "key of the pairwise subjects";

/// The subjects of users.
#[derive(Debug)]
pub(crate) struct Subjects(PairwiseKey);

/// Why the key of the pairwise subjects cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SubjectsError {
    /// A database error.
    #[error("the database cannot be read")]
    Store(#[from] StoreError),
    /// It was sealed under another sealing key.
    #[error("their key cannot be opened")]
    Sealed(#[from] OpenError),
    /// It is not a key.
    #[error("their key is malformed")]
    Malformed,
}

impl Subjects {
    /// Loads the key, or makes the one of a new instance.
    pub(crate) async fn load(
        store: &Store,
        sealing: &SealingKey,
        random: &dyn Random,
    ) -> Result<Self, SubjectsError> {
        let sealed = if let Some(sealed) = store.read(GetFact(Fact::SubjectKey)).await? {
            sealed
        } else {
            let mut key = Zeroizing::new([0; 32]);
            random.fill(key.as_mut_slice());
            let sealed = hex::encode(sealing.seal(random, CONTEXT, key.as_slice()));
            // Of nodes that start together, one makes the key of all.
            store.write(PutFactIfAbsent(Fact::SubjectKey, sealed)).await?
        };
        let sealed = hex::decode(sealed).map_err(|_| SubjectsError::Malformed)?;
        let key = sealing.open(CONTEXT, &sealed)?;
        let key = key.expose().try_into().map_err(|_| SubjectsError::Malformed)?;
        Ok(Self(PairwiseKey::from_bytes(key)))
    }

    /// The `sub` that an application gets for a user.
    pub(crate) fn of(&self, application: &Application, user: &UserId) -> UserId {
        if application.client.subject_type.is_public() {
            return user.clone();
        }
        // Neither is a part of the other's: an id of an application is no host.
        let sector = match application.client.sector() {
            Some(Sector::Host(host)) => format!("host {host}"),
            // Several hosts without a sector are not configured. Nobody shares this one.
            Some(Sector::Client) | None => format!("client {}", application.id),
        };
        self.0.subject(&sector, &application.pool, user)
    }
}

impl App {
    /// The `sub` that an application gets for a user.
    pub(crate) fn subject(&self, application: &Application, user: &UserId) -> UserId {
        self.subjects.of(application, user)
    }
}
