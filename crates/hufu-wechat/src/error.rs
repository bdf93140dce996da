//! Errors of calls. They contain what operators need, and nothing that identifies or authenticates anyone.

use std::{net::IpAddr, sync::Arc};

use crate::class::{Class, Endpoint, classify};

/// Why a client could not be created.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A base URL is not a plain `http` or `https` URL.
    #[error("the base address `{name}` must be http or https, without query, fragment or user")]
    Base {
        /// Which of the three base URLs.
        name: &'static str,
    },
    /// The proxy's URL cannot be used.
    #[error("the proxy's address cannot be used")]
    Proxy(#[source] reqwest::Error),
    /// The HTTP client could not be created; usually because no root certificate was found.
    #[error("the HTTP client could not be created")]
    Http(#[source] reqwest::Error),
}

/// A call that failed.
///
/// The text is for operators. It never contains a URL, a secret, a token, a code or an openid.
#[derive(Clone, Debug, thiserror::Error)]
#[error("WeChat {}: {kind}", .endpoint.as_str())]
pub struct Error {
    endpoint: Endpoint,
    #[source]
    kind: ErrorKind,
}

/// What went wrong.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// WeChat responded with an `errcode`.
    #[error("errcode {code}: {message}")]
    Api {
        /// The `errcode`, never 0.
        code: i64,
        /// Its class at this endpoint.
        class: Class,
        /// WeChat's id of the request. WeChat's support can look it up for seven days.
        rid: Option<Box<str>>,
        /// The address to put on the allow-list (40164 only).
        ip: Option<IpAddr>,
        /// WeChat's `errmsg`, shortened, and without anything that was sent. Its wording changes; never match
        /// on it.
        message: Box<str>,
    },
    /// No response in time. The request may have been processed.
    #[error("no response in time")]
    Timeout,
    /// No connection could be made; the request was definitely not sent.
    #[error("no connection")]
    Connect(#[source] Arc<reqwest::Error>),
    /// The connection broke after the request may have been sent.
    #[error("the connection broke before the whole response was read")]
    Interrupted(#[source] Arc<reqwest::Error>),
    /// An unsuccessful HTTP status. WeChat itself does not send these; it comes from a gateway.
    #[error("HTTP status {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// The body is longer than allowed.
    #[error("the response is longer than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body is not JSON.
    #[error("the response is not JSON")]
    NotJson,
    /// The body is JSON of a different shape.
    #[error("the response is JSON of the wrong shape")]
    WrongShape,
    /// A success response in which a required field is missing or invalid.
    #[error("the response lacks a valid `{field}`")]
    MissingField {
        /// The field's name on the wire.
        field: &'static str,
    },
    /// The data was encrypted for another app.
    #[error("the response's watermark names another app")]
    Watermark,
    /// The caller's time budget was used up before the request was sent.
    #[error("the time budget was used up before the request was sent")]
    BudgetExhausted,
    /// The source of app tokens failed, without WeChat being asked.
    #[error("the source of app tokens failed")]
    TokenSource(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The shared fetch of the app token ended without a result, for example at shutdown.
    #[error("the fetch of the app token was abandoned")]
    Abandoned,
}

impl Error {
    pub(crate) fn new(endpoint: Endpoint, kind: ErrorKind) -> Self {
        Self { endpoint, kind }
    }

    /// An `errcode` with its `errmsg`, from which everything in `sent` is redacted.
    pub(crate) fn api(endpoint: Endpoint, code: i64, errmsg: &str, sent: &[&str]) -> Self {
        Self::new(
            endpoint,
            ErrorKind::Api {
                code,
                class: classify(endpoint, code),
                rid: find_rid(errmsg).map(Box::from),
                ip: if code == 40164 { find_ip(errmsg) } else { None },
                message: redact(errmsg, sent).into_boxed_str(),
            },
        )
    }

    /// The failure of an [`AppTokens`](crate::AppTokens), for example of its database. The text of `source`
    /// ends up in logs, so it must not contain a token.
    pub fn token_source(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::new(Endpoint::StableToken, ErrorKind::TokenSource(Arc::new(source)))
    }

    /// The caller's time ended before a token was there, for an [`AppTokens`](crate::AppTokens).
    pub fn token_budget_exhausted() -> Self {
        Self::new(Endpoint::StableToken, ErrorKind::BudgetExhausted)
    }

    /// WeChat's answer to an earlier fetch of an app token, for an [`AppTokens`](crate::AppTokens) that does not ask
    /// again before some time has passed.
    pub fn remembered(errcode: i64, rid: Option<&str>) -> Self {
        let errmsg = rid.map_or_else(|| REMEMBERED.to_owned(), |rid| format!("{REMEMBERED}, rid: {rid}"));
        Self::api(Endpoint::StableToken, errcode, &errmsg, &[])
    }

    /// The call that failed.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// What the caller should do about it.
    pub fn class(&self) -> Class {
        match &self.kind {
            ErrorKind::Api { class, .. } => *class,
            ErrorKind::Watermark => Class::Deny,
            ErrorKind::Timeout
            | ErrorKind::Connect(_)
            | ErrorKind::Interrupted(_)
            | ErrorKind::Status { .. }
            | ErrorKind::TooLarge { .. }
            | ErrorKind::NotJson
            | ErrorKind::WrongShape
            | ErrorKind::MissingField { .. }
            | ErrorKind::BudgetExhausted
            | ErrorKind::TokenSource(_)
            | ErrorKind::Abandoned => Class::Retry,
        }
    }

    /// WeChat's `errcode`, if there is one.
    pub fn errcode(&self) -> Option<i64> {
        match &self.kind {
            ErrorKind::Api { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// WeChat's id of the request, if there is one.
    pub fn rid(&self) -> Option<&str> {
        match &self.kind {
            ErrorKind::Api { rid, .. } => rid.as_deref(),
            _ => None,
        }
    }

    /// The IP address that has to be added to the allow-list (40164).
    pub fn unlisted_ip(&self) -> Option<IpAddr> {
        match &self.kind {
            ErrorKind::Api { ip, .. } => *ip,
            _ => None,
        }
    }

    /// Whether the code that was sent may have been consumed although there was no usable response. Such a
    /// call must not be repeated with the same code. `false` if no code was sent, for example because no app
    /// token could be fetched.
    pub fn is_ambiguous(&self) -> bool {
        self.endpoint.spends_a_code() && self.kind.leaves_the_outcome_open()
    }
}

impl ErrorKind {
    fn leaves_the_outcome_open(&self) -> bool {
        match self {
            ErrorKind::Timeout
            | ErrorKind::Interrupted(_)
            | ErrorKind::Status { .. }
            | ErrorKind::TooLarge { .. }
            | ErrorKind::NotJson
            | ErrorKind::WrongShape
            | ErrorKind::MissingField { .. }
            | ErrorKind::Watermark => true,
            ErrorKind::Api { .. }
            | ErrorKind::Connect(_)
            | ErrorKind::BudgetExhausted
            | ErrorKind::TokenSource(_)
            | ErrorKind::Abandoned => false,
        }
    }
}

/// Stands in place of an `errmsg` that was not kept.
const REMEMBERED: &str = "as answered before";

/// The longest `errmsg` examined, and the longest part of it kept.
const MAX_EXAMINED_ERRMSG: usize = 1024;
const MAX_KEPT_CHARS: usize = 200;

/// What stands in place of a value that was sent.
const REDACTED: &str = "***";
/// A value of fewer bytes is hidden only where it stands by itself. A code of one or two characters is part of
/// half the words in a message: replacing those would leave nothing to read, and show what the code is.
const SHORT: usize = 4;

/// Makes an `errmsg` suitable for logs: a single short line without any of `sent`.
fn redact(errmsg: &str, sent: &[&str]) -> String {
    if errmsg.len() > MAX_EXAMINED_ERRMSG {
        return "(a very long errmsg)".to_owned();
    }
    // All values are looked for in the original text, since one may be part of another.
    let mut hidden: Vec<_> = sent.iter().flat_map(|value| places(errmsg, value)).collect();
    hidden.sort_unstable();
    let (mut shown, mut at) = (String::new(), 0);
    for (start, end) in hidden {
        if start >= at {
            shown.push_str(errmsg.get(at..start).unwrap_or_default());
            shown.push_str(REDACTED);
        }
        at = at.max(end);
    }
    shown.push_str(errmsg.get(at..).unwrap_or_default());
    shown.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_KEPT_CHARS).collect()
}

/// Where a value begins and ends in a text.
fn places<'t>(text: &'t str, value: &'t str) -> impl Iterator<Item = (usize, usize)> + 't {
    let starts = if value.is_empty() { 0 } else { text.len() };
    (0..starts).filter_map(move |start| {
        let end = start + value.len();
        let found = text.get(start..end)? == value;
        let alone = || {
            let before = text.get(..start).and_then(|before| before.chars().next_back());
            let after = text.get(end..).and_then(|after| after.chars().next());
            !before.into_iter().chain(after).any(|c| c.is_ascii_alphanumeric())
        };
        (found && (value.len() >= SHORT || alone())).then_some((start, end))
    })
}

/// The request id in `…, rid: 6129ee10-272863a4-64d75414`: three groups of eight hexadecimal digits.
fn find_rid(errmsg: &str) -> Option<&str> {
    const GROUP: usize = 8;
    let (_, after) = errmsg.rsplit_once("rid:")?;
    let rid = after.trim_start().get(..3 * GROUP + 2)?;
    let is_rid = rid.bytes().enumerate().all(|(at, byte)| match at {
        8 | 17 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    is_rid.then_some(rid)
}

/// The first address in `invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist`.
fn find_ip(errmsg: &str) -> Option<IpAddr> {
    errmsg.split([' ', ',']).find_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_id_is_found_with_and_without_comma() {
        for errmsg in [
            "invalid code, rid: 6129ee10-272863a4-64d75414",
            "invalid code rid: 6129ee10-272863a4-64d75414",
            "invalid code, rid:6129ee10-272863a4-64d75414 more",
        ] {
            assert_eq!(find_rid(errmsg), Some("6129ee10-272863a4-64d75414"), "{errmsg}");
        }
        for errmsg in
            ["ok", "rid: ", "rid: 6129ee10-272863a4-64d7541", "rid: 6129ee10+272863a4-64d75414", "rid: é"]
        {
            assert_eq!(find_rid(errmsg), None, "{errmsg}");
        }
    }

    #[test]
    fn an_unlisted_address_is_kept() {
        let error = Error::api(
            Endpoint::StableToken,
            40164,
            "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist, rid: 6129ee10-272863a4-64d75414",
            &[],
        );
        assert_eq!(error.unlisted_ip(), Some([203, 0, 113, 9].into()));
        assert_eq!(error.class(), Class::Admin);
        assert_eq!(error.rid(), Some("6129ee10-272863a4-64d75414"));
    }

    #[test]
    fn everything_sent_is_redacted_from_the_message() {
        let text = Error::api(
            Endpoint::CodeToSession,
            40029,
            "invalid code c0de\nfor s3cret",
            &["c0de", "s3cret", ""],
        )
        .to_string();
        assert_eq!(text, "WeChat code2Session: errcode 40029: invalid code *** for ***");
        for (errmsg, sent, shown) in [
            // A short value is hidden where it stands by itself, and does not eat the rest of the message.
            ("invalid code 4, rid: 4004", vec!["4"], "invalid code ***, rid: 4004"),
            ("invalid code [i]", vec!["i"], "invalid code [***]"),
            // One value is part of another, or they overlap.
            ("code 1234567 not 1234", vec!["1234", "1234567"], "code *** not ***"),
            ("abcdefgh", vec!["abcde", "defgh"], "***"),
        ] {
            assert_eq!(redact(errmsg, &sent), shown);
        }
        let long = Error::api(Endpoint::CodeToSession, 40029, &"x".repeat(5000), &[]).to_string();
        assert!(long.len() < 300);
    }
}
