//! Settings of a [`Client`](crate::Client): where WeChat is, how long to wait, and which app to call for.

use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;
use url::Url;

/// Base URLs of WeChat. A base URL may have a path prefix (`http://127.0.0.1:3100/api`), to which calls
/// append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The server API, `https://api.weixin.qq.com`.
    pub api: Url,
    /// The authorize pages for browsers, `https://open.weixin.qq.com`.
    pub open: Url,
    /// QR images, `https://mp.weixin.qq.com`.
    pub mp: Url,
}

impl Default for Endpoints {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "three constants; a test parses them")]
        let real = |host: &str| Url::parse(host).expect("a constant address");
        Self {
            api: real("https://api.weixin.qq.com"),
            open: real("https://open.weixin.qq.com"),
            mp: real("https://mp.weixin.qq.com"),
        }
    }
}

/// How a client connects and waits. [`Settings::default`] is meant for production.
#[derive(Clone)]
pub struct Settings {
    /// The base URLs of WeChat.
    pub endpoints: Endpoints,
    /// The maximum duration of one attempt, including connecting. A shorter [`Budget`] takes precedence.
    pub call_timeout: Duration,
    /// The maximum duration of connecting (name resolution, TCP, TLS).
    pub connect_timeout: Duration,
    /// The number of idle connections kept per host. It should cover the calls in progress under full load,
    /// because connections beyond it are closed after one use.
    pub max_idle_connections: usize,
    /// The maximum number of concurrent calls. Further calls wait, within their budget. This keeps a slow
    /// WeChat from using up the machine's file descriptors.
    pub max_calls: usize,
    /// How long an idle connection is kept. It must be shorter than the server's timeout, because a request
    /// on a closing connection is lost, and if it carries a code, it may not be repeated.
    pub idle_timeout: Duration,
    /// The maximum size of a body after decompression, in bytes.
    pub max_response_bytes: usize,
    /// The same for an image: the code of a mini program, which is at most 1280 pixels wide.
    pub max_image_bytes: usize,
    /// The maximum number of retries after "busy" or a failed connect.
    pub max_retries: u32,
    /// The pause before the first retry. It doubles with each retry, up to [`Settings::max_backoff`].
    pub backoff: Duration,
    /// The maximum pause between two attempts.
    pub max_backoff: Duration,
    /// The proxy for all calls. Without it, calls are direct, regardless of the environment.
    pub proxy: Option<Url>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoints: Endpoints::default(),
            call_timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(1),
            max_idle_connections: 256,
            max_calls: 256,
            idle_timeout: Duration::from_secs(20),
            max_response_bytes: 64 * 1024,
            max_image_bytes: 1024 * 1024,
            max_retries: 2,
            backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(1),
            proxy: None,
        }
    }
}

/// The app on whose behalf a call is made.
#[derive(Clone, Debug)]
pub struct AppCredentials {
    /// AppID: `wx` and 16 hexadecimal digits.
    pub app_id: String,
    /// AppSecret: 32 hexadecimal digits.
    pub app_secret: SecretString,
}

/// The time a caller has left for everything it does, including waiting for WeChat.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    deadline: Instant,
}

impl Budget {
    /// A budget that starts now.
    pub fn of(duration: Duration) -> Self {
        Self { deadline: Instant::now() + duration }
    }

    /// A budget that ends at `deadline`.
    pub fn until(deadline: Instant) -> Self {
        Self { deadline }
    }

    /// When it ends.
    pub fn deadline(self) -> Instant {
        self.deadline
    }

    /// The remaining time; zero after the deadline.
    pub fn remaining(self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_real_hosts() {
        let endpoints = Endpoints::default();
        assert_eq!(endpoints.api.host_str(), Some("api.weixin.qq.com"));
        assert_eq!(endpoints.open.host_str(), Some("open.weixin.qq.com"));
        assert_eq!(endpoints.mp.host_str(), Some("mp.weixin.qq.com"));
    }

    #[test]
    fn a_spent_budget_has_nothing_left() {
        assert_eq!(Budget::of(Duration::ZERO).remaining(), Duration::ZERO);
    }
}
