//! Imports of users: their progress and the rows they refused. Also finds the owners of unique values.

use hufu_types::{IdentityKey, ImportId, PoolId, Timestamp, UserId};
use serde::Serialize;

use crate::batches::{batches, rows};
use crate::{Read, Row, StoreError, Tx, Write, statements};

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
        UPDATE imports SET finished_at = $4, cancelled_at = $4
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
    GET_IMPORT = "
        SELECT id, file_name, rows_done, created, skipped, refused, started_at, updated_at, finished_at, failure,
               cancelled_at
        FROM imports WHERE pool_id = $1 AND id = $2";
    LIST_IMPORTS = "
        SELECT id, file_name, rows_done, created, skipped, refused, started_at, updated_at, finished_at, failure,
               cancelled_at
        FROM imports WHERE pool_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    CANCEL = "
        UPDATE imports SET finished_at = $3, cancelled_at = $3
        WHERE pool_id = $1 AND id = $2 AND finished_at IS NULL";
    SET_FAILURE = "UPDATE imports SET failure = $3 WHERE pool_id = $1 AND id = $2 AND finished_at IS NULL";
    LIST_REFUSALS = "
        SELECT row_number, reason FROM import_refusals
        WHERE pool_id = $1 AND import_id = $2 AND row_number > $3
        ORDER BY row_number LIMIT $4";
}

batches! {
    INSERT_REFUSALS = "
        INSERT INTO import_refusals (pool_id, import_id, row_number, reason)
        SELECT $1, $3, r.row_number, r.reason FROM " [row_number BIGINT, reason TEXT] "";
    NAME_OWNERS = "
        SELECT r.n,
               (SELECT u.id FROM users u WHERE u.pool_id = $1 AND u.id = r.id),
               (SELECT u.id FROM users u WHERE u.pool_id = $1 AND u.username = r.username),
               (SELECT u.id FROM users u WHERE u.pool_id = $1 AND u.email = r.email),
               (SELECT u.id FROM users u WHERE u.pool_id = $1 AND u.phone = r.phone),
               (SELECT u.id FROM users u WHERE u.pool_id = $1 AND u.external_id = r.external_id)
        FROM " [n BIGINT, id TEXT, username TEXT, email TEXT, phone TEXT, external_id TEXT] "";
    IDENTITY_OWNERS = "
        SELECT r.n, r.nth,
               (SELECT i.user_id FROM identities i
                WHERE i.pool_id = $1 AND i.realm = r.realm AND i.kind = r.kind AND i.value = r.value)
        FROM " [n BIGINT, nth BIGINT, realm TEXT, kind TEXT, value TEXT] "";
    SURVIVORS = "
        SELECT r.n, (SELECT u.id FROM users u WHERE u.pool_id = $1 AND u.id = r.id AND u.merged_into IS NULL)
        FROM " [n BIGINT, id TEXT] "";
    TAKEN_ELSEWHERE = "
        SELECT r.n,
               (SELECT COUNT((SELECT u.id FROM users u WHERE u.pool_id = p.id AND u.id = r.id))
                FROM pools p WHERE p.id <> $1)
        FROM " [n BIGINT, id TEXT] "";
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

/// Records why rows were refused.
pub async fn insert_refusals(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ImportId,
    refused: &[RefusedRow],
) -> Result<(), StoreError> {
    #[derive(Serialize)]
    struct Refusal<'a> {
        row_number: i64,
        reason: &'a str,
    }
    if refused.is_empty() {
        return Ok(());
    }
    let refused = rows(refused.iter().map(|(number, reason)| Refusal { row_number: *number, reason }))?;
    let values = [pool.into(), (&refused).into(), id.as_str().into()];
    tx.execute(INSERT_REFUSALS.for_engine(tx), &values).await.map(drop)
}

/// Whether an import was called off.
pub async fn is_cancelled(tx: &mut Tx<'_>, pool: &PoolId, id: &ImportId) -> Result<bool, StoreError> {
    let found = tx.optional(GET_IMPORT, &[pool.into(), id.as_str().into()], decode_stored).await?;
    Ok(found.is_some_and(|import| import.cancelled_at.is_some()))
}

/// Calls off an import that has not finished. Returns it as it was then; `None` if there is none to call off.
pub async fn cancel(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ImportId,
    now: Timestamp,
) -> Result<Option<StoredImport>, StoreError> {
    let values = [pool.into(), id.as_str().into(), now.into()];
    if tx.execute(CANCEL, &values).await? == 0 {
        return Ok(None);
    }
    tx.optional(GET_IMPORT, &[pool.into(), id.as_str().into()], decode_stored).await
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
    /// When it was called off, or given up for a new start.
    pub cancelled_at: Option<Timestamp>,
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
        cancelled_at: row.get::<Option<i64>>(10)?.map(Timestamp),
    })
}

/// The unique values of a user to import.
#[derive(Clone, Debug, Default)]
pub struct Sought<'a> {
    /// The id, if the file gives it.
    pub id: Option<&'a UserId>,
    /// The username.
    pub username: Option<&'a str>,
    /// The e-mail address.
    pub email: Option<&'a str>,
    /// The phone number.
    pub phone: Option<&'a str>,
    /// The id in the owner's original system.
    pub external_id: Option<&'a str>,
    /// The identities.
    pub identities: Vec<&'a IdentityKey>,
    /// The user that this one was merged into.
    pub merged_into: Option<&'a UserId>,
}

/// What the database holds of a user's unique values: the ids of the users who have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether another pool has a user with the id.
    pub id_elsewhere: bool,
    /// The user with the id.
    pub id: Option<String>,
    /// The user with the username.
    pub username: Option<String>,
    /// The user with the e-mail address.
    pub email: Option<String>,
    /// The user with the phone number.
    pub phone: Option<String>,
    /// The user with the external id.
    pub external_id: Option<String>,
    /// The users with the identities, in their order.
    pub identities: Vec<Option<String>>,
    /// Whether the pool has the user that this one was merged into, and that one was not merged itself.
    pub has_survivor: bool,
}

/// Looks up the unique values of many users with a few statements.
pub async fn known(tx: &mut Tx<'_>, pool: &PoolId, users: &[Sought<'_>]) -> Result<Vec<Known>, StoreError> {
    let mut known: Vec<Known> = users
        .iter()
        .map(|sought| Known { identities: vec![None; sought.identities.len()], ..Known::default() })
        .collect();
    name_owners(tx, pool, users, &mut known).await?;
    identity_owners(tx, pool, users, &mut known).await?;
    let ids = |of: for<'s> fn(&'s Sought<'_>) -> Option<&'s UserId>| {
        users.iter().enumerate().filter_map(move |(n, sought)| Some(Numbered { n, id: of(sought)?.as_str() }))
    };
    let given: Vec<_> = ids(|sought| sought.id).collect();
    if !given.is_empty() {
        let given = rows(given)?;
        let values = [pool.into(), (&given).into()];
        let found: Vec<(i64, i64)> =
            tx.all(TAKEN_ELSEWHERE.for_engine(tx), &values, |row| Ok((row.get(0)?, row.get(1)?))).await?;
        for (n, pools) in found {
            if let Some(known) = nth(&mut known, n) {
                known.id_elsewhere = pools > 0;
            }
        }
    }
    let merged: Vec<_> = ids(|sought| sought.merged_into).collect();
    if !merged.is_empty() {
        let merged = rows(merged)?;
        let values = [pool.into(), (&merged).into()];
        let found: Vec<(i64, Option<String>)> =
            tx.all(SURVIVORS.for_engine(tx), &values, |row| Ok((row.get(0)?, row.get(1)?))).await?;
        for (n, survivor) in found {
            if let Some(known) = nth(&mut known, n) {
                known.has_survivor = survivor.is_some();
            }
        }
    }
    Ok(known)
}

#[derive(Serialize)]
struct Numbered<'a> {
    n: usize,
    id: &'a str,
}

fn nth(known: &mut [Known], n: i64) -> Option<&mut Known> {
    usize::try_from(n).ok().and_then(|n| known.get_mut(n))
}

async fn name_owners(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    users: &[Sought<'_>],
    known: &mut [Known],
) -> Result<(), StoreError> {
    #[derive(Serialize)]
    struct Names<'a> {
        n: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        username: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        email: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        phone: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        external_id: Option<&'a str>,
    }
    let names = users.iter().enumerate().map(|(n, sought)| Names {
        n,
        id: sought.id.map(UserId::as_str),
        username: sought.username,
        email: sought.email,
        phone: sought.phone,
        external_id: sought.external_id,
    });
    let names = rows(names)?;
    let values = [pool.into(), (&names).into()];
    let found = tx.all(NAME_OWNERS.for_engine(tx), &values, |row| {
        let owners: [Option<String>; 5] = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
        Ok((row.get::<i64>(0)?, owners))
    });
    for (n, [id, username, email, phone, external_id]) in found.await? {
        if let Some(known) = nth(known, n) {
            *known = Known {
                id,
                username,
                email,
                phone,
                external_id,
                identities: std::mem::take(&mut known.identities),
                ..Known::default()
            };
        }
    }
    Ok(())
}

async fn identity_owners(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    users: &[Sought<'_>],
    known: &mut [Known],
) -> Result<(), StoreError> {
    #[derive(Serialize)]
    struct Key<'a> {
        n: usize,
        nth: usize,
        realm: &'a str,
        kind: &'static str,
        value: &'a str,
    }
    let mut keys = Vec::new();
    for (n, sought) in users.iter().enumerate() {
        for (nth, key) in sought.identities.iter().enumerate() {
            keys.push(Key { n, nth, realm: &key.realm, kind: key.kind.as_str(), value: &key.value });
        }
    }
    if keys.is_empty() {
        return Ok(());
    }
    let keys = rows(keys)?;
    let found: Vec<(i64, i64, Option<String>)> = tx
        .all(IDENTITY_OWNERS.for_engine(tx), &[pool.into(), (&keys).into()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .await?;
    for (n, at, owner) in found {
        let identity = usize::try_from(at).ok().zip(nth(known, n));
        if let Some(identity) = identity.and_then(|(at, known)| known.identities.get_mut(at)) {
            *identity = owner;
        }
    }
    Ok(())
}
