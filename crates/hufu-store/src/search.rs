//! Searching for users: all users of a pool, newest first; by a prefix of a name; by a substring of a name.
//! Triggers from migration 0003 keep the search tables up to date, whichever statement changes users.
//!
//! Pages continue from a [`PageEnd`] instead of an offset. Even with ten million users, the last page costs
//! no more than the first, and nobody appears twice when users are added between pages.

use hufu_types::{PoolId, Timestamp, User, UserStatus};

use crate::users::{decode_user, user_columns};
use crate::{Read, Row, StoreError, Tx, Value, statements};

statements! {
    LIST = concat!(
        "SELECT ", user_columns!(), "
         FROM users
         WHERE users.pool_id = $1 AND users.created_at >= $2 AND (users.created_at, users.id) < ($3, $4)
           AND users.status = COALESCE(CAST($5 AS TEXT), users.status)
         ORDER BY users.created_at DESC, users.id DESC LIMIT $6"
    );
    // The index excludes active users. The engines only use it if the query visibly excludes them too.
    LIST_UNUSUAL = concat!(
        "SELECT ", user_columns!(), "
         FROM users
         WHERE users.pool_id = $1 AND users.created_at >= $2 AND (users.created_at, users.id) < ($3, $4)
           AND users.status = $5 AND users.status <> 'Activated'
         ORDER BY users.created_at DESC, users.id DESC LIMIT $6"
    );
    COUNT = "
        SELECT COUNT(*) FROM (
            SELECT 1 FROM users
            WHERE pool_id = $1 AND created_at >= $2 AND created_at < $3
              AND status = COALESCE(CAST($4 AS TEXT), status)
            LIMIT $5) counted";
    // A user whose name, e-mail address, number or id matches exactly.
    EXACT = concat!(
        "SELECT ", user_columns!(), "
         FROM users
         WHERE users.pool_id = $1
           AND users.id IN (
               SELECT id FROM users WHERE pool_id = $1 AND id = $2
               UNION SELECT id FROM users WHERE pool_id = $1 AND external_id = $2
               UNION SELECT user_id FROM user_names WHERE pool_id = $1 AND name = $3)
           AND users.created_at >= $4 AND (users.created_at, users.id) < ($5, $6)
           AND users.status = COALESCE(CAST($7 AS TEXT), users.status)
         ORDER BY users.created_at DESC, users.id DESC LIMIT $8"
    );
}

// Both engines start an index scan at a single bound and choose the row comparison for it. The pair is
// therefore never smaller than the prefix. If several names of a user match the prefix, only the first one
// counts. The index provides the order, and users are looked up one by one until the page is full. SQLite
// keeps the join order of a CROSS JOIN, and OFFSET 0 keeps PostgreSQL from flattening the subquery.
const PREFIX_SQLITE: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", n.name
     FROM user_names n CROSS JOIN users
     WHERE n.pool_id = $1 AND (n.name, n.user_id) > ($4, $5) AND n.name < $3
       AND users.pool_id = n.pool_id AND users.id = n.user_id
       AND users.created_at >= $6 AND users.created_at < $7
       AND users.status = COALESCE($8, users.status)
       AND n.name = (
           SELECT MIN(o.name) FROM user_names o WHERE o.pool_id = $1 AND o.user_id = n.user_id AND o.name >= $2)
     ORDER BY n.name, n.user_id LIMIT $9"
);
const PREFIX_POSTGRES: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", n.name
     FROM user_names n CROSS JOIN LATERAL (
         SELECT * FROM users WHERE users.pool_id = n.pool_id AND users.id = n.user_id OFFSET 0) users
     WHERE n.pool_id = $1 AND (n.name, n.user_id) > ($4, $5) AND n.name < $3
       AND users.created_at >= $6 AND users.created_at < $7
       AND users.status = COALESCE(CAST($8 AS TEXT), users.status)
       AND n.name = (
           SELECT MIN(o.name) FROM user_names o WHERE o.pool_id = $1 AND o.user_id = n.user_id AND o.name >= $2)
     ORDER BY n.name, n.user_id LIMIT $9"
);
/// The trigrams yield candidates, newest first; `instr` checks that the text occurs as a whole.
const SUBSTRING_SQLITE: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", s.seq
     FROM user_search_grams g
     CROSS JOIN user_search s ON s.seq = g.rowid
     CROSS JOIN users ON users.pool_id = s.pool_id AND users.id = s.user_id
     WHERE user_search_grams MATCH $2 AND g.rowid < $3 AND s.pool_id = $1 AND instr(s.text, $4) > 0
       AND users.pool_id = $1 AND users.created_at >= $5 AND users.created_at < $6
       AND users.status = COALESCE($7, users.status)
     ORDER BY g.rowid DESC LIMIT $8"
);
const SUBSTRING_POSTGRES: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", s.seq
     FROM user_search s CROSS JOIN LATERAL (
         SELECT * FROM users WHERE users.pool_id = s.pool_id AND users.id = s.user_id OFFSET 0) users
     WHERE s.pool_id = $1 AND s.text LIKE $2 AND s.seq < $3
       AND users.created_at >= $4 AND users.created_at < $5
       AND users.status = COALESCE(CAST($6 AS TEXT), users.status)
     ORDER BY s.seq DESC LIMIT $7"
);

/// Statements that only SQLite understands.
pub(crate) const SQLITE_STATEMENTS: &[(&str, &str)] =
    &[("PREFIX_SQLITE", PREFIX_SQLITE), ("SUBSTRING_SQLITE", SUBSTRING_SQLITE)];
/// Statements that only PostgreSQL understands.
pub(crate) const POSTGRES_STATEMENTS: &[(&str, &str)] =
    &[("PREFIX_POSTGRES", PREFIX_POSTGRES), ("SUBSTRING_POSTGRES", SUBSTRING_POSTGRES)];

/// The minimum length of a substring to search for, in characters.
pub const SHORTEST_SUBSTRING: usize = 3;
/// The maximum length of a text to search for, in characters.
pub const LONGEST_TEXT: usize = 128;

/// What to search for. Ignores ASCII case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchCriteria {
    /// All users, newest first.
    All,
    /// Users whose id, external id, username, e-mail address, phone number, nickname or name equals the text.
    Exact(String),
    /// Users with a username, e-mail address, phone number (with or without country code), nickname or name
    /// that starts with the text, in the order of those values.
    Prefix(String),
    /// Users with such a value that contains the text, which has at least [`SHORTEST_SUBSTRING`] characters.
    /// Newest first.
    Substring(String),
}

/// Where a page ended, and the next one continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageEnd {
    /// After the user with this creation time and id.
    Created(Timestamp, String),
    /// After this name of the user with this id.
    Name(String, String),
    /// After the user at this position in the search index.
    Indexed(i64),
}

/// A search for users of a pool.
#[derive(Clone, Debug)]
pub struct SearchUsers {
    /// The pool.
    pub pool: PoolId,
    /// What to search for.
    pub criteria: SearchCriteria,
    /// Only users with this status.
    pub status: Option<UserStatus>,
    /// Only users created at or after this time.
    pub created_from: Timestamp,
    /// Only users created before this time.
    pub created_before: Timestamp,
    /// Where the previous page ended.
    pub after: Option<PageEnd>,
    /// The maximum number of users.
    pub limit: i64,
}

impl SearchUsers {
    /// All users of a pool, newest first.
    pub fn all(pool: PoolId, limit: i64) -> Self {
        Self {
            pool,
            criteria: SearchCriteria::All,
            status: None,
            created_from: Timestamp(0),
            created_before: Timestamp(i64::MAX),
            after: None,
            limit,
        }
    }
}

/// Counts the users of a pool, up to a number.
#[derive(Clone, Debug)]
pub struct CountUsers {
    /// The pool.
    pub pool: PoolId,
    /// Only users with this status.
    pub status: Option<UserStatus>,
    /// Only users created at or after this time.
    pub created_from: Timestamp,
    /// Only users created before this time.
    pub created_before: Timestamp,
    /// The number to count to.
    pub most: i64,
}

impl Read for CountUsers {
    type Out = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let values = [
            (&self.pool).into(),
            self.created_from.into(),
            self.created_before.into(),
            self.status.map(UserStatus::as_str).into(),
            self.most.into(),
        ];
        Ok(tx.optional(COUNT, &values, |row| row.get(0)).await?.unwrap_or_default())
    }
}

impl Read for SearchUsers {
    /// The users, each with the [`PageEnd`] of a page that would end with that user.
    type Out = Vec<(User, PageEnd)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let pool = Value::from(&self.pool);
        let status = Value::from(self.status.map(UserStatus::as_str));
        let (from, before, limit) = (self.created_from.into(), self.created_before.into(), self.limit.into());
        // A user created at exactly `created_before` is excluded, because no id is smaller than the empty
        // one.
        let (last_at, last_id) = match &self.after {
            Some(PageEnd::Created(at, id)) => (*at, id.as_str()),
            _ => (self.created_before, ""),
        };
        match &self.criteria {
            SearchCriteria::All => {
                let unusual = self.status.is_some_and(|status| status != UserStatus::Activated);
                let sql = if unusual { LIST_UNUSUAL } else { LIST };
                tx.all(sql, &[pool, from, last_at.into(), last_id.into(), status, limit], by_creation).await
            }
            SearchCriteria::Exact(text) => {
                let folded = text.to_ascii_lowercase();
                let values = [
                    pool,
                    text.into(),
                    (&folded).into(),
                    from,
                    last_at.into(),
                    last_id.into(),
                    status,
                    limit,
                ];
                tx.all(EXACT, &values, by_creation).await
            }
            SearchCriteria::Prefix(text) => {
                let first = text.to_ascii_lowercase();
                // No text with this prefix is greater.
                let end = format!("{first}\u{10FFFF}");
                // Every id is greater than the empty one.
                let (last_name, last_id) = match &self.after {
                    Some(PageEnd::Name(name, id)) if *name >= first => (name.as_str(), id.as_str()),
                    _ => (first.as_str(), ""),
                };
                let sql = if matches!(tx, Tx::Sqlite(_)) { PREFIX_SQLITE } else { PREFIX_POSTGRES };
                let values = [
                    pool,
                    (&first).into(),
                    (&end).into(),
                    last_name.into(),
                    last_id.into(),
                    from,
                    before,
                    status,
                    limit,
                ];
                tx.all_with_custom_plan(sql, &values, by_name).await
            }
            SearchCriteria::Substring(text) => {
                let text = text.to_ascii_lowercase();
                let last = match self.after {
                    Some(PageEnd::Indexed(seq)) => seq,
                    _ => i64::MAX,
                };
                if matches!(tx, Tx::Sqlite(_)) {
                    let grams = grams(&text);
                    let values =
                        [pool, (&grams).into(), last.into(), (&text).into(), from, before, status, limit];
                    tx.all(SUBSTRING_SQLITE, &values, by_index).await
                } else {
                    let pattern = contains(&text);
                    let values = [pool, (&pattern).into(), last.into(), from, before, status, limit];
                    tx.all_with_custom_plan(SUBSTRING_POSTGRES, &values, by_index).await
                }
            }
        }
    }
}

/// The number of columns of a user. The column for the page end follows them.
const COLUMNS: usize = 23;

fn by_creation(row: &Row<'_>) -> Result<(User, PageEnd), StoreError> {
    let user = decode_user(row)?;
    let place = PageEnd::Created(user.created_at, user.id.as_str().to_owned());
    Ok((user, place))
}

fn by_name(row: &Row<'_>) -> Result<(User, PageEnd), StoreError> {
    let user = decode_user(row)?;
    let place = PageEnd::Name(row.get(COLUMNS)?, user.id.as_str().to_owned());
    Ok((user, place))
}

fn by_index(row: &Row<'_>) -> Result<(User, PageEnd), StoreError> {
    Ok((decode_user(row)?, PageEnd::Indexed(row.get(COLUMNS)?)))
}

/// All trigrams of the text as an FTS5 query. They are quoted, so that no character has a special meaning.
fn grams(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let quoted = |gram: &[char]| format!("\"{}\"", gram.iter().collect::<String>().replace('"', "\"\""));
    characters.windows(SHORTEST_SUBSTRING).map(quoted).collect::<Vec<_>>().join(" AND ")
}

/// A LIKE pattern that matches texts containing this one, with its wildcards escaped.
fn contains(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_means_itself() {
        assert_eq!(grams("a\"b%"), "\"a\"\"b\" AND \"\"\"b%\"");
        assert_eq!(contains("50%_\\"), "%50\\%\\_\\\\%");
    }
}
