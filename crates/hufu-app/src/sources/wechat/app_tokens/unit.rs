//! Units of work for app tokens: who fetches, and what came of it.

use hufu_store::app_tokens::{self, StoredAppToken};
use hufu_store::{StoreError, Tx, Write};
use hufu_types::Timestamp;

use super::backoff::Failure;
use super::{RENEW_BEFORE, UNUSABLE_BEFORE};

/// A keyed hash of AppID and AppSecret, by which the row is found.
pub(super) type Credential = [u8; 32];

/// What somebody wants of a token.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ask {
    /// The fetch that WeChat has refused, and those before it. 0 if there is none.
    pub(super) refused: i64,
    /// A new token, though the present one is good: it has leaked.
    pub(super) force: bool,
    /// An answer of WeChat, whatever is stored and whatever failed before: an administrator asks.
    pub(super) insist: bool,
}

/// A token as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SealedToken {
    pub(super) token: Vec<u8>,
    pub(super) expires_at: Timestamp,
    pub(super) fetch: i64,
}

/// What the row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// There is a good token.
    Token(SealedToken),
    /// The caller fetches one, with a lease of this fence. Until then, the old one may be good.
    Fetch { fence: i64, failures: i64, old: Option<SealedToken> },
    /// Another node is fetching one.
    Busy(Option<SealedToken>),
    /// The last fetch failed, and the next one has to wait until a time.
    Paused { errcode: Option<i64>, rid: Option<String>, old: Option<SealedToken> },
}

/// Asks for a token, and takes the lease if one has to be fetched.
pub(super) struct Take {
    pub(super) credential: Credential,
    pub(super) app_id: String,
    pub(super) ask: Ask,
    pub(super) node: String,
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
}

impl Write for Take {
    type Out = Answer;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Answer, StoreError> {
        let row = app_tokens::locked(tx, &self.credential, &self.app_id).await?;
        let answer = decide(row, self.ask, self.now);
        if let Answer::Fetch { fence, .. } = &answer {
            app_tokens::lease(tx, &self.credential, *fence, &self.node, self.until).await?;
        }
        Ok(answer)
    }
}

fn decide(row: StoredAppToken, ask: Ask, now: Timestamp) -> Answer {
    let StoredAppToken { token, expires_at, fetch, .. } = row;
    let is_usable = now.plus(UNUSABLE_BEFORE) < expires_at && fetch > ask.refused;
    let old = token.filter(|_| is_usable).map(|token| SealedToken { token, expires_at, fetch });
    let is_due = expires_at <= now.plus(RENEW_BEFORE);
    match old {
        Some(token) if !is_due && !ask.force && !ask.insist => Answer::Token(token),
        old if row.held_until > now => Answer::Busy(old),
        old if row.retry_at > now && !ask.insist => {
            Answer::Paused { errcode: row.errcode, rid: row.rid, old }
        }
        // A row that was swept begins anew, and nodes may hold a token of the one before. So a fence is a time at least.
        old => Answer::Fetch { fence: (row.fence + 1).max(now.0), failures: row.failures, old },
    }
}

/// Stores a fetched token.
pub(super) struct Put {
    pub(super) credential: Credential,
    pub(super) fence: i64,
    pub(super) sealed: Vec<u8>,
    pub(super) expires_at: Timestamp,
    pub(super) now: Timestamp,
}

impl Write for Put {
    /// Whether the lease was still the latest.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        app_tokens::put(tx, &self.credential, self.fence, &self.sealed, self.expires_at, self.now).await
    }
}

/// Stores that a fetch failed.
pub(super) struct Fail {
    pub(super) credential: Credential,
    pub(super) fence: i64,
    pub(super) failure: Failure,
}

impl Write for Fail {
    /// Whether the lease was still the latest.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let Failure { retry_at, errcode, rid } = &self.failure;
        app_tokens::fail(tx, &self.credential, self.fence, *retry_at, *errcode, rid.as_deref()).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp(1_750_000_000_000);
    const NEXT: i64 = NOW.0 + 1;

    fn row(seconds_left: u64) -> StoredAppToken {
        StoredAppToken {
            token: Some(b"sealed".to_vec()),
            expires_at: NOW.plus(Duration::from_secs(seconds_left)),
            fetch: 3,
            fence: NOW.0,
            holder: None,
            held_until: Timestamp(0),
            retry_at: Timestamp(0),
            failures: 0,
            errcode: None,
            rid: None,
        }
    }

    fn asked(row: StoredAppToken, ask: Ask) -> &'static str {
        match decide(row, ask, NOW) {
            Answer::Token(_) => "token",
            Answer::Fetch { fence: NEXT, old: Some(_), .. } => "fetch, with an old one",
            Answer::Fetch { fence: NEXT, old: None, .. } => "fetch",
            Answer::Fetch { .. } => "fetch with a wrong fence",
            Answer::Busy(Some(_)) => "busy, with an old one",
            Answer::Busy(None) => "busy",
            Answer::Paused { old: Some(_), .. } => "paused, with an old one",
            Answer::Paused { old: None, .. } => "paused",
        }
    }

    #[test]
    fn a_good_token_is_used_and_an_ending_one_renewed() {
        let (plain, force) = (Ask::default(), Ask { force: true, ..Ask::default() });
        for (left, expected) in [
            (7200, "token"),
            (291, "token"),
            (290, "fetch, with an old one"),
            (61, "fetch, with an old one"),
            (60, "fetch"),
            (0, "fetch"),
        ] {
            assert_eq!(asked(row(left), plain), expected, "{left}");
        }
        assert_eq!(asked(row(7200), force), "fetch, with an old one");
        let insist = Ask { insist: true, ..Ask::default() };
        assert_eq!(asked(row(7200), insist), "fetch, with an old one");
        assert_eq!(asked(row(7200), Ask { refused: 3, ..plain }), "fetch");
        assert_eq!(asked(row(7200), Ask { refused: 2, ..plain }), "token");
    }

    #[test]
    fn a_row_that_begins_anew_goes_on_with_higher_fences() {
        let fence = |row| match decide(row, Ask::default(), NOW) {
            Answer::Fetch { fence, .. } => fence,
            other => panic!("{other:?}"),
        };
        assert_eq!(fence(StoredAppToken { token: None, fetch: 0, fence: 0, ..row(0) }), NOW.0);
        assert_eq!(fence(StoredAppToken { fence: NOW.0 + 7, ..row(0) }), NOW.0 + 8, "a clock that is behind");
    }

    #[test]
    fn one_node_fetches_and_a_failure_makes_all_wait() {
        let later = NOW.plus(Duration::from_secs(5));
        let held = |left| StoredAppToken { held_until: later, ..row(left) };
        let failed = |left| StoredAppToken { retry_at: later, ..row(left) };
        let (plain, insist) = (Ask::default(), Ask { insist: true, ..Ask::default() });
        assert_eq!(asked(held(7200), plain), "token");
        assert_eq!(asked(held(100), plain), "busy, with an old one");
        assert_eq!(asked(held(60), plain), "busy");
        assert_eq!(asked(held(60), insist), "busy");
        assert_eq!(asked(failed(100), plain), "paused, with an old one");
        assert_eq!(asked(failed(60), plain), "paused");
        assert_eq!(asked(failed(60), insist), "fetch");
        let over = StoredAppToken { held_until: NOW, retry_at: NOW, ..row(60) };
        assert_eq!(asked(over, plain), "fetch", "the node with the lease is gone");
    }
}
