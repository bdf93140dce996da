//! Pages of lists. Each goes on after the last row of the one before it, which its cursor names, so nothing is missed or
//! returned twice while others are added, and the last page costs no more than the first.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_types::refusal::Reason;

use crate::Refusal;

/// Default number of rows per page.
const DEFAULT_PAGE_SIZE: u32 = 20;
/// Maximum number of rows per page.
const MAX_PAGE_SIZE: u32 = 100;

/// Which page of a list a caller wants.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    /// The `next` of the previous page. `None` for the first page.
    pub cursor: Option<String>,
    /// Maximum number of rows: 1 to 100, 20 by default.
    pub limit: Option<u32>,
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Pass this as `cursor` to get the next page. `None` on the last page.
    pub next: Option<String>,
}

/// A request whose place is known by `N` texts, read.
pub(crate) struct Wanted<const N: usize> {
    size: u32,
    /// What names the last row of the previous page.
    pub(crate) after: Option<[String; N]>,
}

impl PageRequest {
    /// Reads the request.
    ///
    /// # Errors
    /// [`hufu_types::refusal::Code::Invalid`]
    pub(crate) fn read<const N: usize>(&self) -> Result<Wanted<N>, Refusal> {
        let after = self.cursor.as_deref().map(decode_cursor).transpose()?;
        Ok(Wanted { size: page_size(self.limit)?, after })
    }
}

impl<const N: usize> Wanted<N> {
    /// How many rows to read: one extra row shows whether there is a next page.
    pub(crate) fn limit(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// The page, of the rows that were read, with what names a row.
    pub(crate) fn page<T>(&self, mut rows: Vec<T>, name: impl Fn(&T) -> [String; N]) -> Page<T> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        let cursor = |last: &T| encode_cursor(&name(last).each_ref().map(String::as_str));
        let next = rows.last().filter(|_| more).map(cursor);
        Page { rows, next }
    }
}

impl Wanted<1> {
    /// The id of the last row of the previous page; empty for the first page.
    pub(crate) fn after_id(&self) -> String {
        self.before_id().unwrap_or_default()
    }

    /// The id of the last row of the previous page, in a list from the latest id to the first.
    pub(crate) fn before_id(&self) -> Option<String> {
        self.after.clone().map(|[id]| id)
    }
}

/// Validates the requested page size, or returns the default.
///
/// # Errors
/// [`hufu_types::refusal::Code::Invalid`]
pub(super) fn page_size(limit: Option<u32>) -> Result<u32, Refusal> {
    let limit = limit.unwrap_or(DEFAULT_PAGE_SIZE);
    if (1..=MAX_PAGE_SIZE).contains(&limit) {
        Ok(limit)
    } else {
        Err(Refusal::invalid("limit", Reason::OutOfRange { min: 1, max: MAX_PAGE_SIZE }))
    }
}

/// Encodes an opaque cursor.
pub(super) fn encode_cursor(parts: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(parts).unwrap_or_default())
}

/// Decodes the parts of a cursor.
///
/// # Errors
/// [`hufu_types::refusal::Code::Invalid`]
pub(super) fn decode_cursor<const N: usize>(cursor: &str) -> Result<[String; N], Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let parts: Option<Vec<String>> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let parts = parts.and_then(|parts| <[String; N]>::try_from(parts).ok());
    // PostgreSQL rejects NUL in text.
    parts.filter(|parts| !parts.iter().any(|part| part.contains('\0'))).ok_or_else(invalid_cursor)
}

pub(super) fn invalid_cursor() -> Refusal {
    Refusal::invalid("cursor", Reason::NotACursor)
}
