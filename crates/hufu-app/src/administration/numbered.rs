//! Pages with numbers, which the published management clients ask for, over lists that go on after a cursor.
//!
//! A node remembers where pages ended lately. Whoever reads page after page goes on there, at the cost of the first page;
//! somebody else's page is reached from the nearest such place, over at most so many rows.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hufu_store::search::CountUsers;
use hufu_types::refusal::Code;
use hufu_types::{PoolId, Timestamp, TokenHash, User};

use super::{AdminCaller, UserQuery};
use crate::digest::hash_token;
use crate::{App, Refusal};

/// The most lists that a node remembers places of.
const LISTS: u64 = 2_000;
/// The most places of one list.
const PLACES: usize = 64;
/// How long the places of a list are remembered after their last use.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// Rows passed over with one statement.
const STEP: u64 = 100;

/// A page of a list.
#[derive(Clone, Debug)]
pub struct NumberedPage<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// How many rows the list has; where nobody counts them, those up to the end of this page, and one more if there are
    /// more.
    pub total: u64,
}

/// The places of one list: how many rows lie before each, and the cursor there.
type Ends = Arc<Mutex<BTreeMap<u64, String>>>;

/// Where pages ended.
pub(crate) struct Places(moka::sync::Cache<TokenHash, Ends>);

impl Default for Places {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(LISTS).time_to_idle(REMEMBERED).build())
    }
}

impl Places {
    /// The nearest place at this row or before it.
    fn nearest(&self, list: &TokenHash, row: u64) -> (u64, Option<String>) {
        let found = self.0.get(list).and_then(|ends| {
            let ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
            ends.range(..=row).next_back().map(|(row, cursor)| (*row, Some(cursor.clone())))
        });
        found.unwrap_or_default()
    }

    fn remember(&self, list: TokenHash, row: u64, cursor: String) {
        let ends = self.0.get_with(list, Arc::default);
        let mut ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.insert(row, cursor);
        if ends.len() > PLACES {
            // Whoever reads on needs the later ones.
            ends.pop_first();
        }
    }
}

impl App {
    /// A page of a list, counted from 1. `list` says which list it is, with its filter; `read` reads so many rows after a
    /// cursor, and returns the next one.
    ///
    /// # Errors
    /// [`Code::PageTooFar`], and those of `read`.
    pub async fn numbered_page<T, F: Future<Output = Result<(Vec<T>, Option<String>), Refusal>> + Send>(
        &self,
        list: &str,
        page: u32,
        limit: u32,
        read: impl Fn(Option<String>, u32) -> F + Send + Sync,
    ) -> Result<NumberedPage<T>, Refusal> {
        let list = hash_token(list);
        let first = u64::from(page.saturating_sub(1)).saturating_mul(u64::from(limit));
        let (mut row, mut cursor) = self.places.nearest(&list, first);
        let reach = self.limits.management_list_reach;
        if first.saturating_sub(row) > u64::from(reach) {
            return Err(Code::PageTooFar.with("rows", reach.to_string()));
        }
        while row < first {
            let step = u32::try_from(STEP.min(first - row)).unwrap_or(1);
            let (passed, next) = read(cursor, step).await?;
            row = row.saturating_add(count(&passed));
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(NumberedPage { rows: Vec::new(), total: row }),
            }
        }
        let (rows, next) = read(cursor, limit).await?;
        let end = first.saturating_add(count(&rows));
        let total = end.saturating_add(u64::from(next.is_some()));
        if let Some(next) = next {
            self.places.remember(list, end, next);
        }
        Ok(NumberedPage { rows, total })
    }

    /// A page of the users that match, counted from 1. Without a text, they are counted.
    ///
    /// # Errors
    /// [`Code::Invalid`], [`Code::PageTooFar`], and the refusals of [`App::permit`].
    pub async fn numbered_users(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        query: UserQuery,
        page: u32,
        limit: u32,
    ) -> Result<NumberedPage<User>, Refusal> {
        let list = format!("users of {pool}: {query:?}");
        let read = |cursor, limit| {
            let query = UserQuery { cursor, limit: Some(limit), ..query.clone() };
            async move {
                let found = self.search_users(by, pool, query).await?;
                Ok::<_, Refusal>((found.users, found.next))
            }
        };
        let mut found = self.numbered_page(&list, page, limit, read).await?;
        if query.text.is_none() {
            let most = i64::from(self.limits.management_list_count);
            let unit = CountUsers {
                pool: pool.clone(),
                status: query.status,
                created_from: query.created_from.unwrap_or(Timestamp(0)),
                created_before: query.created_before.unwrap_or(Timestamp(i64::MAX)),
                most: most.saturating_add(1),
            };
            let counted = u64::try_from(self.read(unit).await?).unwrap_or_default();
            found.total = found.total.max(counted);
        }
        Ok(found)
    }
}

fn count<T>(rows: &[T]) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}
