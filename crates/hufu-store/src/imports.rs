//! Imports of users: their progress and the rows they refused. Also finds the owners of unique values.

use hufu_types::{Email, IdentityKey, ImportId, Phone, PoolId, Timestamp, UserId, Username};

use crate::{Read, Row, StoreError, Tx, Write, config, statements};

statements! {
    UNFINISHED_BY_CONTENT = "
        SELECT id, rows_done, created, skipped, refused
        FROM imports
        WHERE pool_id = $1 AND fingerprint = $2 AND finished_at IS NULL
        ORDER BY started_at DESC LIMIT 1";
    UNFINISHED_BY_NAME = "
        SELECT id, rows_done, created, skipped, refused
        FROM imports
        WHERE pool_id = $1 AND file_name = $2 AND finished_at IS NULL
        ORDER BY started_at DESC LIMIT 1";
    ABANDON = "
        UPDATE imports SET finished_at = $4
        WHERE pool_id = $1 AND (fingerprint = $2 OR file_name = $3) AND finished_at IS NULL";
    INSERT_IMPORT = "
        INSERT INTO imports
            (pool_id, id, fingerprint, file_name, rows_done, created, skipped, refused, started_at, updated_at)
        VALUES ($1, $2, $3, $4, 0, 0, 0, 0, $5, $5)";
    CLAIM_IMPORT = "
        UPDATE imports SET updated_at = $4, failure = NULL
        WHERE pool_id = $1 AND id = $2 AND rows_done = $3 AND finished_at IS NULL";
    ADVANCE = "
        UPDATE imports
        SET rows_done = rows_done + $3, created = created + $4, skipped = skipped + $5, refused = refused + $6,
            finished_at = $7
        WHERE pool_id = $1 AND id = $2";
    INSERT_REFUSAL = "
        INSERT INTO import_refusals (pool_id, import_id, row_number, reason) VALUES ($1, $2, $3, $4)";
    GET_IMPORT = "
        SELECT id, file_name, rows_done, created, skipped, refused, started_at, updated_at, finished_at, failure
        FROM imports WHERE pool_id = $1 AND id = $2";
    LIST_IMPORTS = "
        SELECT id, file_name, rows_done, created, skipped, refused, started_at, updated_at, finished_at, failure
        FROM imports WHERE pool_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    SET_FAILURE = "UPDATE imports SET failure = $3 WHERE pool_id = $1 AND id = $2 AND finished_at IS NULL";
    LIST_REFUSALS = "
        SELECT row_number, reason FROM import_refusals
        WHERE pool_id = $1 AND import_id = $2 AND row_number > $3
        ORDER BY row_number LIMIT $4";
    OTHER_POOLS = "SELECT id FROM pools WHERE id <> $1";
    ID_OWNER = "SELECT id FROM users WHERE pool_id = $1 AND id = $2";
    USERNAME_OWNER = "SELECT id FROM users WHERE pool_id = $1 AND username = $2";
    EMAIL_OWNER = "SELECT id FROM users WHERE pool_id = $1 AND email = $2";
    PHONE_OWNER = "SELECT id FROM users WHERE pool_id = $1 AND phone = $2";
    EXTERNAL_ID_OWNER = "SELECT id FROM users WHERE pool_id = $1 AND external_id = $2";
    VALUE_OWNER = "
        SELECT user_id FROM identities WHERE pool_id = $1 AND realm = $2 AND kind = $3 AND value = $4";
    IS_SURVIVOR = "SELECT 1 FROM users WHERE pool_id = $1 AND id = $2 AND merged_into IS NULL";
}

/// How many rows were processed, and with what result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All rows.
    pub rows: i64,
    /// Users created.
    pub created: i64,
    /// Rows whose users already existed.
    pub skipped: i64,
    /// Rows refused.
    pub refused: i64,
}

/// A refused row: its number and the reason.
pub type RefusedRow = (i64, String);

/// An unfinished import: its id and the counts so far.
pub type Unfinished = (ImportId, Counts);

/// The unfinished import of a file with this content.
pub async fn unfinished_by_content(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    fingerprint: &str,
) -> Result<Option<Unfinished>, StoreError> {
    tx.optional(UNFINISHED_BY_CONTENT, &[pool.into(), fingerprint.into()], decode_import).await
}

/// The unfinished import of a file with this name.
pub async fn unfinished_by_name(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    file_name: &str,
) -> Result<Option<Unfinished>, StoreError> {
    tx.optional(UNFINISHED_BY_NAME, &[pool.into(), file_name.into()], decode_import).await
}

/// Gives up the unfinished imports with this content or name.
pub async fn abandon(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    fingerprint: &str,
    file_name: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(ABANDON, &[pool.into(), fingerprint.into(), file_name.into(), now.into()]).await.map(drop)
}

/// Inserts an import.
pub async fn insert(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ImportId,
    fingerprint: &str,
    file_name: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = [pool.into(), id.as_str().into(), fingerprint.into(), file_name.into(), now.into()];
    tx.execute(INSERT_IMPORT, &values).await.map(drop)
}

/// Resumes an import at this number of completed rows. Returns `false` if it is at another row or already
/// finished.
pub async fn claim(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ImportId,
    done: i64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.execute(CLAIM_IMPORT, &[pool.into(), id.as_str().into(), done.into(), now.into()]).await? != 0)
}

/// Adds the counts of more rows, and finishes the import if `finished_at` is set.
pub async fn advance(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ImportId,
    counts: Counts,
    finished_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let values = [
        pool.into(),
        id.as_str().into(),
        counts.rows.into(),
        counts.created.into(),
        counts.skipped.into(),
        counts.refused.into(),
        finished_at.into(),
    ];
    tx.execute(ADVANCE, &values).await.map(drop)
}

/// Records why a row was refused.
pub async fn insert_refusal(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ImportId,
    row: i64,
    reason: &str,
) -> Result<(), StoreError> {
    tx.execute(INSERT_REFUSAL, &[pool.into(), id.as_str().into(), row.into(), reason.into()]).await.map(drop)
}

fn decode_import(row: &Row<'_>) -> Result<Unfinished, StoreError> {
    let counts =
        Counts { rows: row.get(1)?, created: row.get(2)?, skipped: row.get(3)?, refused: row.get(4)? };
    Ok((ImportId::parse(&row.get::<String>(0)?)?, counts))
}

/// Reads a page of an import's refused rows, in order.
pub struct ListRefusals {
    /// The pool.
    pub pool: PoolId,
    /// The import.
    pub import: ImportId,
    /// The number of the last row of the previous page, or 0.
    pub after: i64,
    /// The maximum number of rows.
    pub limit: i64,
}

impl Read for ListRefusals {
    type Out = Vec<RefusedRow>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<RefusedRow>, StoreError> {
        let values = [(&self.pool).into(), self.import.as_str().into(), self.after.into(), self.limit.into()];
        tx.all(LIST_REFUSALS, &values, |row| Ok((row.get(0)?, row.get(1)?))).await
    }
}

/// An import as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImport {
    /// Its id.
    pub id: ImportId,
    /// The name of its file.
    pub file_name: String,
    /// The counts so far.
    pub counts: Counts,
    /// When it started.
    pub started_at: Timestamp,
    /// When the last batch was committed.
    pub updated_at: Timestamp,
    /// When it finished or was given up.
    pub finished_at: Option<Timestamp>,
    /// Why it stopped early.
    pub failure: Option<String>,
}

/// Reads an import.
pub struct GetImport {
    /// The pool.
    pub pool: PoolId,
    /// The import.
    pub import: ImportId,
}

impl Read for GetImport {
    type Out = Option<StoredImport>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<StoredImport>, StoreError> {
        tx.optional(GET_IMPORT, &[(&self.pool).into(), self.import.as_str().into()], decode_stored).await
    }
}

/// Reads the imports of a pool, newest first.
pub struct ListImports {
    /// The pool.
    pub pool: PoolId,
    /// Only imports before this one.
    pub before: Option<ImportId>,
    /// The maximum number of imports.
    pub limit: i64,
}

impl Read for ListImports {
    type Out = Vec<StoredImport>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<StoredImport>, StoreError> {
        // Ids consist of lowercase hexadecimal digits.
        let before = self.before.as_ref().map_or("g", ImportId::as_str);
        tx.all(LIST_IMPORTS, &[(&self.pool).into(), before.into(), self.limit.into()], decode_stored).await
    }
}

/// Records why an import stopped early.
pub struct StopImport {
    /// The pool.
    pub pool: PoolId,
    /// The import.
    pub import: ImportId,
    /// The reason.
    pub failure: String,
}

impl Write for StopImport {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let values = [(&self.pool).into(), self.import.as_str().into(), (&self.failure).into()];
        tx.execute(SET_FAILURE, &values).await.map(drop)
    }
}

fn decode_stored(row: &Row<'_>) -> Result<StoredImport, StoreError> {
    Ok(StoredImport {
        id: ImportId::parse(&row.get::<String>(0)?)?,
        file_name: row.get(1)?,
        counts: Counts {
            rows: row.get(2)?,
            created: row.get(3)?,
            skipped: row.get(4)?,
            refused: row.get(5)?,
        },
        started_at: Timestamp(row.get(6)?),
        updated_at: Timestamp(row.get(7)?),
        finished_at: row.get::<Option<i64>>(8)?.map(Timestamp),
        failure: row.get(9)?,
    })
}

/// All pools except this one.
pub async fn other_pools(tx: &mut Tx<'_>, pool: &PoolId) -> Result<Vec<PoolId>, StoreError> {
    tx.all(OTHER_POOLS, &[pool.into()], |row| config::pool_id(row, 0)).await
}

/// A value that is unique among the users of a pool.
#[derive(Clone, Copy, Debug)]
pub enum Unique<'a> {
    /// The id.
    Id(&'a UserId),
    /// The username.
    Username(&'a Username),
    /// The e-mail address.
    Email(&'a Email),
    /// The phone number.
    Phone(&'a Phone),
    /// The id in the owner's original system.
    ExternalId(&'a str),
    /// An identity.
    Identity(&'a IdentityKey),
}

/// The user who has this unique value.
pub async fn owner(tx: &mut Tx<'_>, pool: &PoolId, unique: Unique<'_>) -> Result<Option<String>, StoreError> {
    let (sql, value) = match unique {
        Unique::Id(id) => (ID_OWNER, id.as_str()),
        Unique::Username(name) => (USERNAME_OWNER, name.as_str()),
        Unique::Email(email) => (EMAIL_OWNER, email.as_str()),
        Unique::Phone(phone) => (PHONE_OWNER, phone.as_str()),
        Unique::ExternalId(id) => (EXTERNAL_ID_OWNER, id),
        Unique::Identity(key) => {
            let values = [pool.into(), (&key.realm).into(), key.kind.as_str().into(), (&key.value).into()];
            return tx.optional(VALUE_OWNER, &values, |row| row.get(0)).await;
        }
    };
    tx.optional(sql, &[pool.into(), value.into()], |row| row.get(0)).await
}

/// Whether the pool has this user and it was not merged into another one.
pub async fn is_survivor(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<bool, StoreError> {
    Ok(tx.optional(IS_SURVIVOR, &[pool.into(), user.into()], |_| Ok(())).await?.is_some())
}
