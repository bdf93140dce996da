//! What SQLite is told of the sizes of tables, so that it finds rows by the index that leads to them.
//!
//! Without figures, SQLite takes an index that begins with the pool alone to lead to ten rows, and reads all of a pool's
//! identities where it could look up those of one person. Figures of the present rows (`ANALYZE`) would make its plans
//! depend on when they were taken. So it gets the same for every database: those of a large pool. PostgreSQL keeps
//! figures of its own.
//!
//! See <https://www.sqlite.org/queryplanner-ng.html#fixes>, "manual control of the content of the sqlite_stat1 table".

use crate::{StoreError, Tx, Value};

/// The rows of a table.
const ROWS: u64 = 1_000_000;
/// One row in so many has a given value of a column that tells little.
const COARSE: u64 = 10;
/// The columns that tell little: many rows have the same value.
const COARSE_COLUMNS: [&str; 11] = [
    "pool_id",
    "connection_id",
    "application_id",
    "realm",
    "kind",
    "status",
    "state",
    "action",
    "outcome",
    "day",
    "method",
];
/// The rows that a value of another column leads to.
const FEW: u64 = 5;

/// The table of figures exists once something was analysed. This table has one row.
const MAKE_TABLE: &str = "ANALYZE instance";
const INDEXES: &str = "
    SELECT t.name, CASE WHEN t.wr AND l.origin = 'pk' THEN t.name ELSE l.name END, l.\"unique\" AND NOT l.partial,
           (SELECT group_concat(c.name, ',') FROM (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno) c)
    FROM pragma_table_list t JOIN pragma_index_list(t.name) l
    WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND EXISTS (
        SELECT 1 FROM pragma_table_info(t.name) p WHERE p.name = 'pool_id')
    ORDER BY 1, 2";
const PRESENT: &str = "SELECT tbl, idx, stat FROM sqlite_stat1 WHERE tbl <> 'instance' ORDER BY 1, 2";
const FORGET: &str = "DELETE FROM sqlite_stat1";
const NOTE: &str = "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ($1, $2, $3)";
/// Reads the figures again.
const TAKE: &str = "ANALYZE sqlite_schema";

/// The figures of an index: table, index, and the rows that each number of its columns leads to.
type Figures = (String, String, String);

/// Writes the figures of all indexes, unless they are there.
pub(crate) async fn inform(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.batch(MAKE_TABLE).await?;
    let decode = |row: &crate::Row<'_>| {
        let (table, index, unique, columns) =
            (row.get::<String>(0)?, row.get(1)?, row.get(2)?, row.get::<String>(3)?);
        Ok((table, index, figures(&columns.split(',').collect::<Vec<_>>(), unique)))
    };
    let wanted: Vec<Figures> = tx.all(INDEXES, &[], decode).await?;
    let present: Vec<Figures> =
        tx.all(PRESENT, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).await?;
    if present == wanted {
        return Ok(());
    }
    tx.execute(FORGET, &[]).await?;
    for (table, index, stat) in &wanted {
        let values: [Value<'_>; 3] = [table.into(), index.into(), stat.into()];
        tx.execute(NOTE, &values).await?;
    }
    tx.batch(TAKE).await
}

/// As in `sqlite_stat1`: the rows of the table, then how many the first column leads to, the first two, and so on.
fn figures(columns: &[&str], unique: bool) -> String {
    let mut rows = ROWS;
    let mut text = rows.to_string();
    for (number, column) in (1..).zip(columns) {
        let is_coarse = COARSE_COLUMNS.contains(column);
        rows = if is_coarse { rows.div_ceil(COARSE) } else { rows.min(FEW) };
        if unique && number == columns.len() {
            rows = 1;
        }
        text = format!("{text} {rows}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_leads_to_many_rows_and_a_key_to_one() {
        assert_eq!(figures(&["pool_id", "user_id"], false), "1000000 100000 5");
        assert_eq!(figures(&["pool_id", "id"], true), "1000000 100000 1");
        assert_eq!(figures(&["pool_id", "realm", "kind", "value"], true), "1000000 100000 10000 1000 1");
    }
}
