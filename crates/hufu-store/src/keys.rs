//! Token signing keys, and the key pairs with which clients encrypt passwords.

use hufu_types::{SigningAlgorithm, Timestamp};

use crate::{Read, Row, StoreError, Tx, Write, statements, versions};

statements! {
    LIST_SIGNING = "
        SELECT id, algorithm, sealed, created_at, signs_from, expires_at
        FROM signing_keys ORDER BY signs_from, id";
    INSERT_SIGNING = "
        INSERT INTO signing_keys (id, algorithm, sealed, created_at, signs_from) VALUES ($1, $2, $3, $4, $5)";
    HAS_SIGNING = "SELECT 1 FROM signing_keys WHERE algorithm = $1 LIMIT 1";
    RETIRE_SIGNING = "
        UPDATE signing_keys SET expires_at = $3 WHERE algorithm = $1 AND id <> $2 AND expires_at IS NULL";
    SWEEP_SIGNING = "DELETE FROM signing_keys WHERE expires_at < $1";
    GET_PASSWORD_KEY = "SELECT sealed FROM password_keys WHERE kind = $1";
    PUT_PASSWORD_KEY = "
        INSERT INTO password_keys (kind, sealed, created_at) VALUES ($1, $2, $3) ON CONFLICT (kind) DO NOTHING";
}

/// A signing key as stored.
#[derive(Clone, Debug)]
pub struct StoredSigningKey {
    /// The `kid`.
    pub id: String,
    /// The algorithm.
    pub algorithm: SigningAlgorithm,
    /// The key, sealed.
    pub sealed: Vec<u8>,
    /// When it was created.
    pub created_at: Timestamp,
    /// From when on it signs. It is published earlier.
    pub signs_from: Timestamp,
    /// When it is deleted; set once it has a successor.
    pub expires_at: Option<Timestamp>,
}

/// Reads all signing keys, in the order in which they start to sign.
pub struct ListSigningKeys;

impl Read for ListSigningKeys {
    type Out = Vec<StoredSigningKey>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        tx.all(LIST_SIGNING, &[], decode).await
    }
}

/// Adds a signing key and notifies all nodes.
pub struct AddSigningKey {
    /// The key.
    pub key: StoredSigningKey,
    /// Only add it if there is no key for its algorithm.
    pub only_if_none: bool,
    /// When the keys that it replaces are deleted.
    pub predecessors_expire_at: Timestamp,
}

impl Write for AddSigningKey {
    /// Whether it was added.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let (key, algorithm) = (&self.key, self.key.algorithm.as_str());
        if self.only_if_none && has_signing(tx, algorithm).await? {
            return Ok(false);
        }
        // Locks out other nodes. One of them may just have added the first key.
        versions::keys_changed(tx).await?;
        if self.only_if_none && has_signing(tx, algorithm).await? {
            return Ok(false);
        }
        let values = [
            (&key.id).into(),
            algorithm.into(),
            (&key.sealed).into(),
            key.created_at.into(),
            key.signs_from.into(),
        ];
        tx.execute(INSERT_SIGNING, &values).await?;
        let retire = [algorithm.into(), (&key.id).into(), self.predecessors_expire_at.into()];
        tx.execute(RETIRE_SIGNING, &retire).await?;
        Ok(true)
    }
}

async fn has_signing(tx: &mut Tx<'_>, algorithm: &str) -> Result<bool, StoreError> {
    Ok(tx.optional(HAS_SIGNING, &[algorithm.into()], |_| Ok(())).await?.is_some())
}

/// Deletes the keys whose last token has expired.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP_SIGNING, &[now.into()]).await
}

/// Reads a password key pair (`rsa` or `sm2`), which is sealed.
pub struct GetPasswordKey(pub &'static str);

impl Read for GetPasswordKey {
    type Out = Option<Vec<u8>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Vec<u8>>, StoreError> {
        tx.optional(GET_PASSWORD_KEY, &[self.0.into()], |row| row.get(0)).await
    }
}

/// Stores a password key pair unless another node already did. Returns the stored pair.
pub struct PutPasswordKey {
    /// `rsa` or `sm2`.
    pub kind: &'static str,
    /// The pair, sealed.
    pub sealed: Vec<u8>,
    /// The current time.
    pub now: Timestamp,
}

impl Write for PutPasswordKey {
    type Out = Vec<u8>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<u8>, StoreError> {
        tx.execute(PUT_PASSWORD_KEY, &[self.kind.into(), (&self.sealed).into(), self.now.into()]).await?;
        let standing = tx.optional(GET_PASSWORD_KEY, &[self.kind.into()], |row| row.get(0)).await?;
        Ok(standing.unwrap_or_else(|| self.sealed.clone()))
    }
}

fn decode(row: &Row<'_>) -> Result<StoredSigningKey, StoreError> {
    Ok(StoredSigningKey {
        id: row.get(0)?,
        algorithm: SigningAlgorithm::parse(&row.get::<String>(1)?)
            .ok_or(StoreError::Corrupt { column: "algorithm" })?,
        sealed: row.get(2)?,
        created_at: Timestamp(row.get(3)?),
        signs_from: Timestamp(row.get(4)?),
        expires_at: row.get::<Option<i64>>(5)?.map(Timestamp),
    })
}
