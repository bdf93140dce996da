//! Facts about the instance as a whole.

use crate::{Read, StoreError, Tx, Write, statements};

statements! {
    GET = "SELECT value FROM instance WHERE key = $1";
    PUT_IF_ABSENT = "INSERT INTO instance (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
    PING = "SELECT only_row FROM config_version";
}

/// A fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The id of the key used to seal secrets.
    SealingKeyId,
    /// The key of the pairwise subjects, sealed, in hexadecimal.
    SubjectKey,
    /// The key of keyed hashes, sealed, in hexadecimal. Absent as long as it is derived from the sealing key.
    HashKey,
    /// Set if `hufu dev` created the database.
    MadeByDev,
}

impl Fact {
    /// The name in the table.
    pub const fn key(self) -> &'static str {
        match self {
            Self::SealingKeyId => "sealing_key_id",
            Self::SubjectKey => "subject_key",
            Self::HashKey => "hash_key",
            Self::MadeByDev => "made_by_dev",
        }
    }
}

/// Reads a fact.
pub struct GetFact(pub Fact);

impl Read for GetFact {
    type Out = Option<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<String>, StoreError> {
        tx.optional(GET, &[self.0.key().into()], |row| row.get(0)).await
    }
}

/// Writes a fact unless it already exists. Returns the stored one.
pub struct PutFactIfAbsent(pub Fact, pub String);

impl Write for PutFactIfAbsent {
    type Out = String;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<String, StoreError> {
        put_if_absent(tx, self.0, &self.1).await?;
        let standing = tx.optional(GET, &[self.0.key().into()], |row| row.get(0)).await?;
        Ok(standing.unwrap_or_else(|| self.1.clone()))
    }
}

/// Writes a fact unless it already exists.
pub async fn put_if_absent(tx: &mut Tx<'_>, fact: Fact, value: &str) -> Result<(), StoreError> {
    tx.execute(PUT_IF_ABSENT, &[fact.key().into(), value.into()]).await.map(drop)
}

/// Runs a trivial query to see whether the database responds.
pub struct Ping;

impl Read for Ping {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        tx.optional(PING, &[], |_| Ok(())).await.map(drop)
    }
}
