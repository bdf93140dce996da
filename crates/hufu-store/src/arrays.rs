//! PostgreSQL: the text of a statement that runs once for many sets of parameters, made from the text for one.
//!
//! The parameters become arrays, and `$n` the column `cn` of `unnest` over them. Its ordinality, the last column of the
//! result, says which set a row belongs to.

use std::fmt::Write as _;
use std::sync::Arc;

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
    Bool,
    Bytes,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Int => "INT8",
            Self::Bool => "BOOL",
            Self::Bytes => "BYTEA",
        }
    }

    /// Parses PostgreSQL's name of the type.
    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::Text, Self::Int, Self::Bool, Self::Bytes].into_iter().find(|kind| kind.name() == name)
    }
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    /// Its rows end with the ordinality.
    Select,
    /// It returns a row for each updated row, which ends with the ordinality.
    Update,
    /// It returns no rows: PostgreSQL cannot say which set a row was inserted from.
    Insert,
}

/// A statement over arrays.
#[derive(Clone, Debug)]
pub(crate) struct ArrayText {
    pub(crate) sql: Arc<str>,
    pub(crate) kinds: Arc<[Kind]>,
    pub(crate) shape: Shape,
}

impl ArrayText {
    /// None if the statement has a form that cannot be rewritten.
    pub(crate) fn new(sql: &str, kinds: &[Kind]) -> Option<Self> {
        let sql = sql.trim();
        let sets = sets(kinds);
        let (shape, sql) = if sql.starts_with("SELECT ") {
            let inner = with_columns(sql);
            // OFFSET 0: the query is planned as it is for one set, and is not mixed with what is around it.
            let outer = format!("SELECT q.*, d.o FROM {sets} CROSS JOIN LATERAL ({inner} OFFSET 0) q");
            (Shape::Select, outer)
        } else if sql.starts_with("INSERT ") {
            let values = at_top_level(sql, "VALUES")?;
            let (head, tail) = sql.split_at(values);
            let row = tail.strip_prefix("VALUES")?.trim_start().strip_prefix('(')?;
            let (row, rest) = row.split_at(end_of_list(row)?);
            let rest = rest.strip_prefix(')')?;
            if rest.contains('$') || rest.contains("RETURNING") {
                return None;
            }
            (Shape::Insert, format!("{head}SELECT {} FROM {sets}{rest}", with_columns(row)))
        } else if sql.starts_with("UPDATE ") && at_top_level(sql, "FROM").is_none() {
            let (head, condition) = sql.split_at(at_top_level(sql, "WHERE")?);
            let returning = if at_top_level(condition, "RETURNING").is_some() { "," } else { " RETURNING" };
            let (head, condition) = (with_columns(head), with_columns(condition));
            (Shape::Update, format!("{head}FROM {sets} {condition}{returning} d.o"))
        } else {
            return None;
        };
        Some(Self { sql: sql.into(), kinds: kinds.into(), shape })
    }
}

/// The sets of parameters, as a table.
fn sets(kinds: &[Kind]) -> String {
    let (mut arrays, mut names) = (String::new(), String::new());
    for (number, kind) in (1..).zip(kinds) {
        let kind = kind.name();
        let comma = if number == 1 { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(arrays, "{comma}${number}::{kind}[]");
        let _ = write!(names, "c{number}, ");
    }
    format!("unnest({arrays}) WITH ORDINALITY AS d({names}o)")
}

/// `$n` becomes `d.cn`.
fn with_columns(sql: &str) -> String {
    sql.replace('$', "d.c")
}

/// Where a keyword stands outside all parentheses.
fn at_top_level(sql: &str, keyword: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut after_space = true;
    for (at, c) in sql.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && after_space => {
                let rest = sql.get(at..).and_then(|rest| rest.strip_prefix(keyword));
                if rest.is_some_and(|rest| rest.starts_with([' ', '\n', '('])) {
                    return Some(at);
                }
            }
            _ => {}
        }
        after_space = c.is_whitespace();
    }
    None
}

/// Where the list ends whose opening parenthesis stands before this text.
fn end_of_list(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(sql: &str, kinds: &[Kind]) -> String {
        ArrayText::new(sql, kinds).unwrap().sql.to_string()
    }

    #[test]
    fn a_query_runs_for_each_set() {
        assert_eq!(
            text("SELECT a FROM t WHERE b = $1 AND c IN (SELECT $2) LIMIT 1", &[Kind::Text, Kind::Int]),
            "SELECT q.*, d.o FROM unnest($1::TEXT[], $2::INT8[]) WITH ORDINALITY AS d(c1, c2, o) CROSS JOIN LATERAL \
             (SELECT a FROM t WHERE b = d.c1 AND c IN (SELECT d.c2) LIMIT 1 OFFSET 0) q"
        );
    }

    #[test]
    fn an_insert_selects_its_rows() {
        assert_eq!(
            text(
                "INSERT INTO t (a, b, c) VALUES ($2, 'x', COALESCE($1, 0)) ON CONFLICT DO NOTHING",
                &[Kind::Int, Kind::Bytes]
            ),
            "INSERT INTO t (a, b, c) SELECT d.c2, 'x', COALESCE(d.c1, 0) FROM unnest($1::INT8[], $2::BYTEA[]) \
             WITH ORDINALITY AS d(c1, c2, o) ON CONFLICT DO NOTHING"
        );
    }

    #[test]
    fn an_update_says_which_sets_it_used() {
        let sets = "unnest($1::BOOL[]) WITH ORDINALITY AS d(c1, o)";
        assert_eq!(
            text("UPDATE t SET a = (SELECT 1 WHERE TRUE) WHERE b = $1", &[Kind::Bool]),
            format!("UPDATE t SET a = (SELECT 1 WHERE TRUE) FROM {sets} WHERE b = d.c1 RETURNING d.o")
        );
        assert_eq!(
            text("UPDATE t SET a = 1 WHERE b = $1 RETURNING t.a", &[Kind::Bool]),
            format!("UPDATE t SET a = 1 FROM {sets} WHERE b = d.c1 RETURNING t.a, d.o")
        );
    }

    #[test]
    fn other_forms_are_left_alone() {
        for sql in [
            "DELETE FROM t WHERE a = $1",
            "WITH x AS (SELECT 1) SELECT 1",
            "INSERT INTO t (a) SELECT $1",
            "INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET a = $1",
            "INSERT INTO t (a) VALUES ($1) RETURNING a",
            "UPDATE t SET a = 1 FROM u WHERE u.a = $1",
            "UPDATE t SET a = $1",
        ] {
            assert!(ArrayText::new(sql, &[Kind::Int]).is_none(), "{sql}");
        }
    }
}
