//! Searching users, page by page.

use async_recursion::async_recursion as boxed;
use hufu_store::search::{LONGEST_TEXT, PageEnd, SHORTEST_SUBSTRING, SearchCriteria, SearchUsers};
use hufu_types::refusal::Reason;
use hufu_types::{Permission, PoolId, Timestamp, User, UserStatus};

use super::AdminCaller;
use super::paging::{decode_cursor, encode_cursor, invalid_cursor, page_size};
use crate::{App, Refusal};

/// How the search text is compared with names. Case-insensitive for ASCII letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// An id, external id or name equals the text.
    Exact,
    /// A name starts with the text.
    #[default]
    Prefix,
    /// A name contains the text.
    Substring,
}

/// The criteria of a user search.
#[derive(Clone, Debug, Default)]
pub struct UserQuery {
    /// The search text. Without it, all users match, newest first.
    pub text: Option<String>,
    /// How the text is matched.
    pub matching: Matching,
    /// Only users with this status.
    pub status: Option<UserStatus>,
    /// Only users created at this time or later.
    pub created_from: Option<Timestamp>,
    /// Only users created before this time.
    pub created_before: Option<Timestamp>,
    /// The `next` of the previous page.
    pub cursor: Option<String>,
    /// Maximum number of users: 1 to 100, 20 by default.
    pub limit: Option<u32>,
}

/// A page of users.
#[derive(Clone, Debug)]
pub struct UserPage {
    /// The users.
    pub users: Vec<User>,
    /// Pass this as `cursor` to get the next page. Absent on the last page.
    pub next: Option<String>,
}

impl App {
    /// Searches the users of a pool.
    ///
    /// # Errors
    /// [`hufu_types::refusal::Code::Invalid`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn search_users(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        query: UserQuery,
    ) -> Result<UserPage, Refusal> {
        self.permit(by, Permission::ReadUsers, pool).await?;
        let limit = page_size(query.limit)?;
        let criteria = criteria(query.text.as_deref(), query.matching)?;
        let after = query.cursor.as_deref().map(|cursor| read_cursor(cursor, &criteria)).transpose()?;
        let search = SearchUsers {
            criteria,
            status: query.status,
            created_from: query.created_from.unwrap_or(Timestamp(0)),
            created_before: query.created_before.unwrap_or(Timestamp(i64::MAX)),
            after,
            // One extra row shows whether there is a next page.
            ..SearchUsers::all(pool.clone(), i64::from(limit) + 1)
        };
        let mut found = self.read(search).await?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = found.len() > size;
        found.truncate(size);
        let next = found.last().filter(|_| more).map(|(_, place)| cursor(place));
        Ok(UserPage { users: found.into_iter().map(|(user, _)| user).collect(), next })
    }
}

fn criteria(text: Option<&str>, matching: Matching) -> Result<SearchCriteria, Refusal> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(SearchCriteria::All);
    };
    let length = text.chars().count();
    if length > LONGEST_TEXT || text.chars().any(char::is_control) {
        return Err(Refusal::invalid("q", Reason::NotALine { max: LONGEST_TEXT }));
    }
    let text = text.to_owned();
    match matching {
        Matching::Exact => Ok(SearchCriteria::Exact(text)),
        Matching::Prefix => Ok(SearchCriteria::Prefix(text)),
        Matching::Substring if length < SHORTEST_SUBSTRING => {
            Err(Refusal::invalid("q", Reason::TooShortToSearch { min: SHORTEST_SUBSTRING }))
        }
        Matching::Substring => Ok(SearchCriteria::Substring(text)),
    }
}

fn cursor(place: &PageEnd) -> String {
    match place {
        PageEnd::Created(at, id) => encode_cursor(&["c", &at.0.to_string(), id]),
        PageEnd::Name(name, id) => encode_cursor(&["n", name, id]),
        PageEnd::Indexed(seq) => encode_cursor(&["i", &seq.to_string(), ""]),
    }
}

fn read_cursor(text: &str, criteria: &SearchCriteria) -> Result<PageEnd, Refusal> {
    let [kind, first, second] = decode_cursor(text)?;
    let number = || first.parse::<i64>().map_err(|_| invalid_cursor());
    match (kind.as_str(), criteria) {
        ("c", SearchCriteria::All | SearchCriteria::Exact(_)) => {
            Ok(PageEnd::Created(Timestamp(number()?), second))
        }
        ("n", SearchCriteria::Prefix(_)) => Ok(PageEnd::Name(first, second)),
        ("i", SearchCriteria::Substring(_)) => Ok(PageEnd::Indexed(number()?)),
        _ => Err(invalid_cursor()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hufu_types::refusal::Code;

    #[test]
    fn cursors_round_trip_and_foreign_ones_are_refused() {
        let (all, prefix) = (SearchCriteria::All, SearchCriteria::Prefix("a".to_owned()));
        for (place, criteria) in [
            (PageEnd::Created(Timestamp(5), "id".to_owned()), &all),
            (PageEnd::Name("na\"me".to_owned(), "id".to_owned()), &prefix),
            (PageEnd::Indexed(7), &SearchCriteria::Substring("abc".to_owned())),
        ] {
            assert_eq!(read_cursor(&cursor(&place), criteria).unwrap(), place);
        }
        for (bad, criteria) in [
            ("", &all),
            ("!", &all),
            (encode_cursor(&["c", "x", ""]).as_str(), &all),
            (encode_cursor(&["c", "5"]).as_str(), &all),
            (cursor(&PageEnd::Indexed(7)).as_str(), &all),
            (encode_cursor(&["n", "a\0", ""]).as_str(), &prefix),
        ] {
            assert!(
                matches!(read_cursor(bad, criteria), Err(ref refusal) if refusal.is(Code::Invalid)),
                "{bad}"
            );
        }
    }

    #[test]
    fn short_texts_are_looked_for_at_the_beginning_only() {
        assert!(criteria(Some("ab"), Matching::Prefix).is_ok());
        assert!(criteria(Some("ab"), Matching::Substring).is_err());
        assert_eq!(
            criteria(Some("小明同"), Matching::Substring).unwrap(),
            SearchCriteria::Substring("小明同".to_owned())
        );
        assert_eq!(criteria(Some("  "), Matching::Substring).unwrap(), SearchCriteria::All);
    }
}
