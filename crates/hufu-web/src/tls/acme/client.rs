//! Calls to the authority, by the guarded client: of bounded size and time, over https alone.

use std::future::Future;
use std::io::Cursor;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::{self, HeaderMap};
use axum::http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hufu_app::connect::{GuardedClient, OutgoingError};
use hufu_types::{Clock, SystemClock};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

/// No authority is believed that wants to be asked later than this.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The client. Clones share what they heard.
#[derive(Clone)]
pub(super) struct Client {
    http: GuardedClient,
    heard: Arc<Mutex<Heard>>,
}

/// What the latest answer said besides what was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Whether there was one, and not of a server that is down.
    pub(super) reached: bool,
    /// After what time to ask again, if it was a refusal that says so (RFC 8555 section 6.6).
    pub(super) retry_after: Option<Duration>,
}

impl Client {
    pub(super) fn new(http: GuardedClient) -> Self {
        Self { http, heard: Arc::default() }
    }

    pub(super) fn heard(&self) -> Heard {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was heard.
    pub(super) fn forget(&self) {
        self.hear(Heard::default());
    }

    fn hear(&self, heard: Heard) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = heard;
    }

    async fn call(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<BytesResponse, Error> {
        self.forget();
        if !url.starts_with("https://") {
            return Err(other("the directory names an address that is not https"));
        }
        let headers: Vec<_> =
            headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let answer = match method {
            Method::HEAD => self.http.head(url, &headers).await,
            Method::POST => self.http.post(url, &headers, body).await,
            _ => self.http.get(url, &headers).await,
        };
        let answer = answer.map_err(|error| Error::Other(Box::new(error)))?;
        answer.whole_body().map_err(|error: OutgoingError| Error::Other(Box::new(error)))?;
        let mut response = Response::builder().status(answer.status);
        let mut retry_after = None;
        for (name, value) in &answer.headers {
            // The library adds this time to the clock, which not every number survives.
            if name == header::RETRY_AFTER.as_str() {
                retry_after = wait(value, &SystemClock);
            } else {
                response = response.header(name, value);
            }
        }
        if let Some(wait) = retry_after {
            response = response.header(header::RETRY_AFTER, wait.as_secs());
        }
        let is_refusal = answer.status >= 400;
        self.hear(Heard { reached: answer.status < 500, retry_after: retry_after.filter(|_| is_refusal) });
        Ok(BytesResponse::from(response.body(Full::new(Cursor::new(answer.body)))?))
    }
}

impl HttpClient for Client {
    #[expect(clippy::disallowed_types, reason = "the library's own bodies, which it makes itself")]
    fn request(
        &self,
        request: Request<BodyWrapper<hyper::body::Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
            client.call(head.method, &head.uri.to_string(), head.headers, body).await
        })
    }
}

fn other(what: &'static str) -> Error {
    Error::Other(what.into())
}

/// The time of `Retry-After`: a number of seconds, or a date (RFC 9110 section 10.2.3).
fn wait(value: &str, clock: &dyn Clock) -> Option<Duration> {
    let wait = if let Ok(seconds) = value.trim().parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value.trim()).ok()?;
        hufu_types::Timestamp(date.as_millisecond()).since(clock.now())
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use hufu_types::{TestClock, Timestamp};

    use super::*;

    #[test]
    fn both_forms_of_retry_after() {
        // 1994-11-06T08:49:07Z.
        let clock = TestClock::new(Timestamp(784_111_747_000));
        for (value, told) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("Thu, 31 Dec 9998 23:59:59 GMT", Some(LONGEST_WAIT.as_secs())),
            ("18446744073709551615", Some(LONGEST_WAIT.as_secs())),
            ("18446744073709551616", None),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(wait(value, &clock).map(|wait| wait.as_secs()), told, "{value}");
        }
    }
}
