//! What is taken from the other system at most, so that one that misbehaves ends a move instead of keeping it busy.

use std::time::Duration;

/// How often one request is sent before the import gives up.
pub(super) const MOST_TRIES: u32 = 8;
/// The longest pause between two tries.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause that the API may ask for.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// The most rows that the API puts on a page.
pub(super) const PAGE: u64 = 50;
/// The sizes of pages of users, from the usual one to what is tried if an answer is too large.
pub(super) const PAGE_SIZES: [u64; 3] = [PAGE, 10, 1];
/// The most pages of a list of applications.
pub(super) const MOST_PAGES: u64 = 200;
/// The most identity sources.
pub(super) const MOST_SOURCES: u64 = 1000;
/// The most users in a row whose answers are too long.
pub(super) const MOST_TOO_LARGE: u32 = 20;
/// From here on the API may count no further, so that its total says nothing about where its list ends.
pub(super) const EXACT_TOTALS: u64 = 100_000;
/// After so many users it is looked whether those before them are where they were.
pub(super) const USERS_PER_CHECK: u64 = 4 * PAGE;
/// How many fields of a user may be left out because they are not valid here.
pub(super) const MOST_LEFT_OUT: usize = 64;
/// The longest answer in a file, in bytes.
pub(super) const LONGEST_ANSWER: u64 = 64 * 1024 * 1024;
/// The most characters of an error's text that are repeated.
pub(super) const LONGEST_MESSAGE: usize = 200;
/// The most characters of a word of the other system within a sentence, and of a user's id.
pub(super) const LONGEST_WORD: usize = 64;
/// The most characters of an id or a name in a finding.
pub(super) const LONGEST_NAME: usize = 256;
/// The most characters of the words of a finding.
pub(super) const LONGEST_DETAIL: usize = 1024;
