//! Pools with their settings.

use async_recursion::async_recursion as boxed;
use hufu_store::config::{self, Revised};
use hufu_store::{Read, StoreError, Tx};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Permission, Pool, PoolId, PoolState};

use super::super::AdminCaller;
use super::super::paging::{decode_cursor, encode_cursor, page_size};
use super::{expected, identified, wished_id};
use crate::configuration::document::pool::{self, EditPool};
use crate::configuration::document::{Document, Edit};
use crate::{App, Refusal};

/// Some pools.
#[derive(Clone, Debug)]
pub struct PoolPage {
    /// Their ids and names, and whether they serve their users.
    pub pools: Vec<(PoolId, String, PoolState)>,
    /// The cursor of the next page. `None` on the last page.
    pub next: Option<String>,
}

/// The most characters of a text that is searched for.
const LONGEST_QUERY: usize = 128;

/// Whether an id begins with this text in lower case, regardless of its own case.
fn begins_with(id: &str, wanted: &str) -> bool {
    id.as_bytes().get(..wanted.len()).is_some_and(|start| start.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// Whether a name contains this text in lower case, regardless of its own case. Ten thousand of them are looked at: those in
/// ASCII need no copy.
fn contains(name: &str, wanted: &str) -> bool {
    if !name.is_ascii() {
        return name.to_lowercase().contains(wanted);
    }
    let wanted = wanted.as_bytes();
    name.as_bytes().windows(wanted.len().max(1)).any(|part| part.eq_ignore_ascii_case(wanted))
}

impl App {
    /// The pools that the caller may see, by id. With a text, those whose name contains it or whose id begins with it,
    /// regardless of case.
    ///
    /// # Errors
    /// [`Code::Invalid`].
    pub fn list_pools(
        &self,
        by: &AdminCaller,
        text: Option<&str>,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<PoolPage, Refusal> {
        let size = usize::try_from(page_size(limit)?).unwrap_or(usize::MAX);
        let after = cursor.map(read_cursor).transpose()?;
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        if text.is_some_and(|text| text.chars().count() > LONGEST_QUERY || text.chars().any(char::is_control))
        {
            return Err(Refusal::invalid("q", Reason::NotALine { max: LONGEST_QUERY }));
        }
        let wanted = text.map(str::to_lowercase);
        let config = self.config();
        // Only owners of the whole instance may see the system pool.
        let all = by.is_owner_of_all();
        let is_seen = |pool: &PoolId, name: &str| {
            let matches =
                |wanted: &String| begins_with(pool.as_str(), wanted) || contains(name, wanted.as_str());
            by.reaches(pool) && (all || *pool != PoolId::system()) && wanted.as_ref().is_none_or(matches)
        };
        let rest = config.named_pools().filter(|(pool, _)| after.as_ref().is_none_or(|after| *pool > after));
        let mut found: Vec<&PoolId> =
            rest.filter(|(pool, name)| is_seen(pool, name)).map(|(pool, _)| pool).collect();
        let more = found.len() > size;
        if more {
            // Of ten thousand pools, only those of the page are sorted.
            let _ = found.select_nth_unstable(size);
            found.truncate(size);
        }
        found.sort_unstable();
        let next = found.last().filter(|_| more).map(|last| encode_cursor(&[last.as_str()]));
        let named = |pool: &&PoolId| {
            ((*pool).clone(), config.pool_name(pool).unwrap_or_default().to_owned(), config.state(pool))
        };
        Ok(PoolPage { pools: found.iter().map(named).collect(), next })
    }

    /// A pool with its settings.
    ///
    /// # Errors
    /// The refusals of [`App::permit`].
    #[boxed]
    pub async fn pool(&self, by: &AdminCaller, pool: &PoolId) -> Result<Document, Refusal> {
        self.permit_pool(by, Permission::ReadConfiguration, pool).await?;
        let found = self.read(ReadPool(pool.clone())).await?.ok_or(Code::PoolUnknown)?;
        Ok(self.show_served_pool(&found))
    }

    /// Makes a pool. `id` in the document is the wish for an id. Only callers with access to all pools may.
    ///
    /// # Errors
    /// [`Code::ConfigurationInvalid`], [`Code::ObjectTaken`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn create_pool(&self, by: &AdminCaller, mut document: Document) -> Result<Document, Refusal> {
        self.permit_everywhere(by, Permission::WriteConfiguration).await?;
        let id = wished_id(&mut document, PoolId::parse)?;
        let id = id.unwrap_or_else(|| PoolId::generate(self.now(), &*self.random));
        if id == PoolId::system() {
            return Err(Code::ObjectTaken.with("field", "id"));
        }
        self.write_pool(by, EditPool { id, edit: Edit::New(document), expected: None }).await
    }

    /// Changes the name or the settings of a pool by a JSON Merge Patch.
    ///
    /// # Errors
    /// [`Code::ConfigurationInvalid`], [`Code::ObjectChanged`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn change_pool(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        mut patch: Document,
        revision: Option<i64>,
    ) -> Result<Document, Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let present = self.read(ReadPool(pool.clone())).await?.ok_or(Code::PoolUnknown)?;
        let expected = expected(&mut patch, revision, &self.show_served_pool(&present));
        self.write_pool(by, EditPool { id: pool.clone(), edit: Edit::Patch(patch), expected }).await
    }

    async fn write_pool(&self, by: &AdminCaller, operation: EditPool) -> Result<Document, Refusal> {
        let show = |now: &_| self.show_served_pool(now);
        let now = self.reconfigure(by, operation).await?.unless_changed(show)?;
        Ok(now.as_ref().map(show).unwrap_or_default())
    }
}

pub(in crate::administration) fn show_pool(found: &Revised<Pool>) -> Document {
    identified(pool::show(&found.value), found.value.id.as_str(), found.revision)
}

pub(in crate::administration) struct ReadPool(pub(in crate::administration) PoolId);

impl Read for ReadPool {
    type Out = Option<Revised<Pool>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        config::pool(tx, &self.0).await
    }
}

fn read_cursor(text: &str) -> Result<PoolId, Refusal> {
    let [id] = decode_cursor(text)?;
    PoolId::parse(&id).map_err(|_| Refusal::invalid("cursor", Reason::NotACursor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_are_found_regardless_of_case() {
        for (name, wanted, is_found) in [
            ("Pool 12", "pool 1", true),
            ("Pool 12", "l 12", true),
            ("Pool 12", "pool 123", false),
            ("Pool 12", "店", false),
            ("", "p", false),
            ("小店 ÉTÉ", "été", true),
            ("小店 ÉTÉ", "店 é", true),
            ("小店", "大店", false),
        ] {
            assert_eq!(contains(name, wanted), is_found, "{name}: {wanted}");
        }
        for (id, wanted, is_found) in
            [("aB12", "ab", true), ("aB12", "b1", false), ("aB", "ab1", false), ("aB12", "店", false)]
        {
            assert_eq!(begins_with(id, wanted), is_found, "{id}: {wanted}");
        }
    }
}
