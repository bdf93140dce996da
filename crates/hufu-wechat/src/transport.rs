//! One call to WeChat: sending it, limiting it, reading and judging the response, and the few cases in which
//! it is sent again.

use std::{sync::Arc, time::Duration};

use reqwest::{
    Response,
    header::{CONTENT_TYPE, HeaderValue},
    redirect, retry,
};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use crate::{
    class::Endpoint,
    error::{BuildError, Error, ErrorKind},
    image::{Image, ImageFormat},
    settings::{Budget, Settings},
    wire::{Answer, ErrorBody, from_json},
};

/// The HTTP side of a client.
pub(crate) struct Transport {
    http: reqwest::Client,
    places: Semaphore,
    call_timeout: Duration,
    max_response_bytes: usize,
    max_image_bytes: usize,
    max_retries: u32,
    backoff: Duration,
    max_backoff: Duration,
}

/// A request that can be sent more than once.
pub(crate) struct Call<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) url: Url,
    /// The JSON to POST. Without it, the call is a GET.
    pub(crate) body: Option<Vec<u8>>,
    /// Values that must never appear in the text of an error.
    pub(crate) sent: &'a [&'a str],
}

/// What a call returns: JSON, or an image with JSON in its place on failure.
pub(crate) trait Reply: Sized {
    /// Whether the body is held to the limit of images instead of that of JSON.
    const IS_IMAGE: bool = false;

    /// Judges the body of a successful HTTP response.
    fn read(call: &Call<'_>, body: Vec<u8>) -> Result<Self, Error>;
}

impl<T: Answer> Reply for T {
    fn read(call: &Call<'_>, body: Vec<u8>) -> Result<Self, Error> {
        read(call, &body)
    }
}

impl Reply for Image {
    const IS_IMAGE: bool = true;

    /// An image begins with the mark of its format, and a failure, which is JSON, with a brace. The content
    /// type says nothing reliable.
    fn read(call: &Call<'_>, bytes: Vec<u8>) -> Result<Self, Error> {
        if let Some(format) = ImageFormat::of(&bytes) {
            return Ok(Self { format, bytes });
        }
        read::<ErrorBody>(call, &bytes)
            .and_then(|_| Err(Error::new(call.endpoint, ErrorKind::MissingField { field: "image" })))
    }
}

impl Transport {
    pub(crate) fn new(settings: &Settings) -> Result<Self, BuildError> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(settings.connect_timeout)
            .pool_max_idle_per_host(settings.max_idle_connections)
            .pool_idle_timeout(settings.idle_timeout)
            .tcp_nodelay(true)
            .http1_only()
            .redirect(redirect::Policy::none())
            // Only this module decides what is sent twice. Below it, there is only the connection pool's own
            // rule, which moves a request to another connection if none of its bytes has been written.
            .retry(retry::never())
            .referer(false)
            .no_proxy();
        if let Some(proxy) = &settings.proxy {
            http = http.proxy(reqwest::Proxy::all(proxy.clone()).map_err(BuildError::Proxy)?);
        }
        let bases = [&settings.endpoints.api, &settings.endpoints.open, &settings.endpoints.mp];
        if settings.proxy.is_none() && bases.iter().all(|base| base.scheme() == "http") {
            // TLS will never be used, so do not load the system's root certificates, which a minimal
            // container may lack anyway.
            http = http.tls_certs_only([]);
        }
        Ok(Self {
            http: http.build().map_err(|error| BuildError::Http(error.without_url()))?,
            places: Semaphore::new(settings.max_calls),
            call_timeout: settings.call_timeout,
            max_response_bytes: settings.max_response_bytes,
            max_image_bytes: settings.max_image_bytes,
            max_retries: settings.max_retries,
            backoff: settings.backoff,
            max_backoff: settings.max_backoff,
        })
    }

    /// The maximum duration of a call without a caller's budget.
    pub(crate) fn call_timeout(&self) -> Duration {
        self.call_timeout
    }

    /// Performs the call. It is sent again only after `errcode` -1 or a failed connect, and only within the
    /// budget.
    pub(crate) async fn call<T: Reply>(&self, call: &Call<'_>, budget: Budget) -> Result<T, Error> {
        let mut retries = 0;
        loop {
            let error = match self.attempt(call, budget).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let again = matches!(error.kind(), ErrorKind::Connect(_) | ErrorKind::Api { code: -1, .. });
            let pause = self.backoff.saturating_mul(1 << retries.min(16)).min(self.max_backoff);
            if !again || retries >= self.max_retries || pause >= budget.remaining() {
                return Err(error);
            }
            tracing::debug!(
                endpoint = call.endpoint.as_str(),
                rid = error.rid(),
                errcode = error.errcode(),
                "WeChat is busy or out of reach; retrying"
            );
            sleep(pause).await;
            retries += 1;
        }
    }

    async fn attempt<T: Reply>(&self, call: &Call<'_>, budget: Budget) -> Result<T, Error> {
        let fail = |kind| Error::new(call.endpoint, kind);
        // If a caller gets no slot before the deadline, nothing was sent.
        let place = timeout_at(budget.deadline(), self.places.acquire()).await;
        let Ok(Ok(_place)) = place else { return Err(fail(ErrorKind::BudgetExhausted)) };
        let now = Instant::now();
        if budget.deadline() <= now {
            return Err(fail(ErrorKind::BudgetExhausted));
        }
        let deadline = budget.deadline().min(now + self.call_timeout);
        let limit = if T::IS_IMAGE { self.max_image_bytes } else { self.max_response_bytes };
        let body = timeout_at(deadline, self.exchange(call, limit))
            .await
            .map_err(|_| fail(ErrorKind::Timeout))?
            .map_err(fail)?;
        T::read(call, body)
    }

    async fn exchange(&self, call: &Call<'_>, limit: usize) -> Result<Vec<u8>, ErrorKind> {
        let request = match &call.body {
            None => self.http.get(call.url.clone()),
            Some(json) => self
                .http
                .post(call.url.clone())
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(json.clone()),
        };
        let response = request.send().await.map_err(|error| {
            let never_sent = error.is_connect() || error.is_builder();
            let error = Arc::new(error.without_url());
            if never_sent { ErrorKind::Connect(error) } else { ErrorKind::Interrupted(error) }
        })?;
        if !response.status().is_success() {
            return Err(ErrorKind::Status { status: response.status().as_u16() });
        }
        read_body(response, limit).await
    }
}

/// Reads at most the allowed number of bytes, regardless of the headers.
async fn read_body(mut response: Response, limit: usize) -> Result<Vec<u8>, ErrorKind> {
    let mut body = Vec::new();
    loop {
        let chunk =
            response.chunk().await.map_err(|error| ErrorKind::Interrupted(Arc::new(error.without_url())))?;
        let Some(chunk) = chunk else { return Ok(body) };
        if body.len() + chunk.len() > limit {
            return Err(ErrorKind::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
}

/// Judges a body by its content alone, because WeChat labels JSON as text. An `errcode` other than 0 is a
/// failure even if the rest has an unexpected shape.
fn read<T: Answer>(call: &Call<'_>, body: &[u8]) -> Result<T, Error> {
    let refusal = |(code, errmsg): (i64, &str)| match code {
        0 => None,
        code => Some(Error::api(call.endpoint, code, errmsg, call.sent)),
    };
    match from_json::<T>(body) {
        Ok(answer) => match refusal(answer.status()) {
            Some(error) => Err(error),
            None => Ok(answer),
        },
        // serde's message may quote the body, so it is dropped.
        Err(error) if error.is_data() => Err(from_json::<ErrorBody>(body)
            .ok()
            .and_then(|body| refusal(body.status()))
            .unwrap_or_else(|| Error::new(call.endpoint, ErrorKind::WrongShape))),
        Err(_) => Err(Error::new(call.endpoint, ErrorKind::NotJson)),
    }
}
