//! Finding users: all of a pool, newest first; by the beginning of a name; by
//! what stands anywhere in a name. Triggers of migration 0003 keep the tables
//! behind it, whoever writes users.
//!
//! Pages go on after a [`PageEnd`], never by counting rows, so that the last page of
//! ten million costs what the first does, and nobody is seen twice while others come.

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
    // The index holds no users in use, and the engines must see that none is asked for.
    LIST_UNUSUAL = concat!(
        "SELECT ", user_columns!(), "
         FROM users
         WHERE users.pool_id = $1 AND users.created_at >= $2 AND (users.created_at, users.id) < ($3, $4)
           AND users.status = $5 AND users.status <> 'Activated'
         ORDER BY users.created_at DESC, users.id DESC LIMIT $6"
    );
    // A user whose name, e-mail address, number or id this is, to the letter.
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

// Both engines begin an index at one bound, and take the pair for it: so the pair is never before the first name.
// Of several names of a user that begin so, the first one counts. The index gives the order, and users are looked up
// one by one as far as the page goes: SQLite keeps the order of a CROSS JOIN, and PostgreSQL sees nothing to plan
// behind OFFSET 0.
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
/// The grams lead to candidates, newest first; `instr` tells whether they stand together.
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

/// The fewest characters that are looked for inside of names.
pub const SHORTEST_SUBSTRING: usize = 3;
/// The longest text that is looked for, in characters.
pub const LONGEST_TEXT: usize = 128;

/// What is looked for. Case does not matter, as far as ASCII goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchCriteria {
    /// Everybody, newest first.
    All,
    /// Whose id, external id, username, e-mail address, phone number, nickname or name it is.
    Exact(String),
    /// With a username, e-mail address, phone number (with or without the country's code), nickname or name
    /// that begins so; in the order of those.
    Prefix(String),
    /// With one in which it stands, at least [`SHORTEST_SUBSTRING`] characters; newest first.
    Substring(String),
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageEnd {
    /// After the user who was made then and has this id.
    Created(Timestamp, String),
    /// After this name of this user.
    Name(String, String),
    /// After the user at this place of the index.
    Indexed(i64),
}

/// A search among the users of a pool.
#[derive(Clone, Debug)]
pub struct SearchUsers {
    /// The pool.
    pub pool: PoolId,
    /// What is looked for.
    pub criteria: SearchCriteria,
    /// Only users of this status.
    pub status: Option<UserStatus>,
    /// Only users made then or later.
    pub created_from: Timestamp,
    /// Only users made before.
    pub created_before: Timestamp,
    /// Where the last page ended.
    pub after: Option<PageEnd>,
    /// At most so many.
    pub limit: i64,
}

impl SearchUsers {
    /// Everybody of a pool, newest first.
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

impl Read for SearchUsers {
    /// The users, each with where a page would end that ends with it.
    type Out = Vec<(User, PageEnd)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let pool = Value::from(&self.pool);
        let status = Value::from(self.status.map(UserStatus::as_str));
        let (from, before, limit) = (self.created_from.into(), self.created_before.into(), self.limit.into());
        // Whoever was made in the very moment of the end is not before it: no id is less than the empty one.
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
                // No text with this beginning is larger.
                let end = format!("{first}\u{10FFFF}");
                // Every id is more than the empty one.
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

/// The columns of a user; what a page goes on by stands behind them.
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

/// All runs of three characters, as a query of FTS5: quoted, so that no character means anything.
fn grams(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let quoted = |gram: &[char]| format!("\"{}\"", gram.iter().collect::<String>().replace('"', "\"\""));
    characters.windows(SHORTEST_SUBSTRING).map(quoted).collect::<Vec<_>>().join(" AND ")
}

/// A pattern of LIKE for what contains the text, whose own characters mean themselves.
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
