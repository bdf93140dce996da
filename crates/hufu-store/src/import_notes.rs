//! What an import from another system has to tell of its rows, and how far it is in the list of that system.

use hufu_types::{ImportId, PoolId};
use serde::Serialize;

use crate::batches::{batches, rows};
use crate::{Read, Row, StoreError, Tx, Write, statements};

statements! {
    SET_LAST_ITEM = "UPDATE imports SET last_item = $3 WHERE pool_id = $1 AND id = $2";
    LAST_ITEM = "SELECT last_item FROM imports WHERE pool_id = $1 AND id = $2";
    LIST_NOTES = "
        SELECT row_number, nth, item, outcome, reason, detail FROM import_notes
        WHERE pool_id = $1 AND import_id = $2 AND (row_number, nth) > ($3, $4)
        ORDER BY row_number, nth LIMIT $5";
    FORGET_NOTES = "
        DELETE FROM import_notes
        WHERE pool_id = $1 AND (import_id, row_number, nth) IN (
            SELECT n.import_id, n.row_number, n.nth
            FROM imports i JOIN import_notes n ON n.pool_id = i.pool_id AND n.import_id = i.id
            WHERE i.pool_id = $1 AND n.pool_id = $1 AND i.finished_at IS NOT NULL
            LIMIT $2)";
}

batches! {
    INSERT_NOTES = "
        INSERT INTO import_notes (pool_id, import_id, row_number, nth, item, outcome, reason, detail)
        SELECT $1, $3, r.row_number, r.nth, r.item, r.outcome, r.reason, r.detail FROM "
        [row_number BIGINT, nth BIGINT, item TEXT, outcome TEXT, reason TEXT, detail TEXT] "";
}

/// What an import from another system has to tell of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The number of the row.
    pub row_number: i64,
    /// The place among the notes of the row.
    pub nth: i64,
    /// The id of the row in the other system.
    pub item: String,
    /// What became of it: `refused` or `differs`.
    pub outcome: String,
    /// The reason, a name that never changes.
    pub reason: String,
    /// The reason in words.
    pub detail: String,
}

/// Records what there is to tell of rows.
pub async fn insert_notes(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ImportId,
    notes: &[Note],
) -> Result<(), StoreError> {
    if notes.is_empty() {
        return Ok(());
    }
    let notes = rows(notes.iter())?;
    let values = [pool.into(), (&notes).into(), id.as_str().into()];
    tx.execute(INSERT_NOTES.for_engine(tx), &values).await.map(drop)
}

/// Records the id, in the other system, of the last row that is done.
pub async fn set_last_item(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ImportId,
    item: &str,
) -> Result<(), StoreError> {
    tx.execute(SET_LAST_ITEM, &[pool.into(), id.as_str().into(), item.into()]).await.map(drop)
}

/// Reads the id, in the other system, of the last row of an import that is done.
pub struct LastItem {
    /// The pool.
    pub pool: PoolId,
    /// The import.
    pub import: ImportId,
}

impl Read for LastItem {
    type Out = Option<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<String>, StoreError> {
        let values = [(&self.pool).into(), self.import.as_str().into()];
        Ok(tx.optional(LAST_ITEM, &values, |row| row.get::<Option<String>>(0)).await?.flatten())
    }
}

/// Reads a page of what an import has to tell, in order.
pub struct ListNotes {
    /// The pool.
    pub pool: PoolId,
    /// The import.
    pub import: ImportId,
    /// The row number and the place of the last note of the previous page, or zeros.
    pub after: (i64, i64),
    /// The maximum number of notes.
    pub limit: i64,
}

impl Read for ListNotes {
    type Out = Vec<Note>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Note>, StoreError> {
        let (row, nth) = self.after;
        let values =
            [(&self.pool).into(), self.import.as_str().into(), row.into(), nth.into(), self.limit.into()];
        let decode = |row: &Row<'_>| {
            Ok(Note {
                row_number: row.get(0)?,
                nth: row.get(1)?,
                item: row.get(2)?,
                outcome: row.get(3)?,
                reason: row.get(4)?,
                detail: row.get(5)?,
            })
        };
        tx.all(LIST_NOTES, &values, decode).await
    }
}

/// Deletes notes of the pool's imports that have finished or were called off. Returns how many.
#[derive(Clone)]
pub struct ForgetNotes {
    /// The pool.
    pub pool: PoolId,
    /// The maximum number of notes.
    pub limit: i64,
}

impl Write for ForgetNotes {
    type Out = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64, StoreError> {
        tx.execute(FORGET_NOTES, &[(&self.pool).into(), self.limit.into()]).await
    }
}
