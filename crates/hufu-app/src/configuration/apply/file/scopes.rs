//! Reads the scopes of a pool, `[[user_pool.scope]]`.

use std::collections::BTreeMap;

use hufu_types::{PoolScope, SettingProblem};

use super::client::read_title;
use super::error::Position;
use super::table::{Item, Table};

/// A scope, `[[user_pool.scope]]`.
#[derive(Clone, Debug)]
pub struct DesiredScope {
    /// Its position in the file.
    pub at: Position,
    /// The scope.
    pub scope: PoolScope,
    /// Where its claims are in the file.
    claims: BTreeMap<String, Position>,
}

impl DesiredScope {
    /// Where something in the scope is in the file: `claims.NAME`, or the scope itself.
    pub(in crate::configuration::apply) fn place_of(&self, path: &str) -> Position {
        let claim = path.strip_prefix("claims.").and_then(|claim| self.claims.get(claim));
        claim.copied().unwrap_or(self.at)
    }
}

/// Reads the scopes of a pool. Whether the pool has the custom fields that they name is the planner's to judge, which knows
/// the settings.
pub(super) fn read_scopes(pool: Table<'_>) -> Vec<DesiredScope> {
    let known = ["name", "title", "claims"];
    let tables = pool.tables("scope", "user_pool.scope", "a scope", &known);
    let (scopes, named): (Vec<_>, Vec<_>) = tables.iter().map(|table| read_scope(*table)).unzip();
    // Those that are not sound keep their places.
    let all: Vec<_> = scopes.iter().map(|scope| scope.scope.clone()).collect();
    for SettingProblem { path, reason } in PoolScope::problems(&all, None) {
        let (index, within) = path.split_once('.').unwrap_or((&path, ""));
        let index = index.parse().unwrap_or(usize::MAX);
        match tables.get(index) {
            // What could not be read was reported already.
            Some(_) if within == "name" && named.get(index) == Some(&false) => {}
            Some(table) => table.refuse_within(within, &reason),
            None => pool.refuse_within("scope", &reason),
        }
    }
    scopes
}

/// Reads a scope. Also says whether its name could be read.
fn read_scope(table: Table<'_>) -> (DesiredScope, bool) {
    let name = table.required("name").and_then(|item| item.text());
    let mut claims = BTreeMap::new();
    let read = |item: Item<'_>| {
        claims.insert(item.key.to_owned(), item.at);
        Some((item.key.to_owned(), item.text()?.to_owned()))
    };
    let sources = table.optional("claims").and_then(|item| {
        let table = item.open_table("write { CLAIM = \"custom.KEY\" }", "the claims of a scope")?;
        Some(table.items().filter_map(read).collect())
    });
    let scope = PoolScope {
        name: name.unwrap_or_default().to_owned(),
        title: table
            .optional("title")
            .and_then(|item| read_title(item, "the title of a scope"))
            .unwrap_or_default(),
        claims: sources.unwrap_or_default(),
    };
    (DesiredScope { at: table.at, scope, claims }, name.is_some())
}
