//! How requests of the management API are signed, and how its answers are read.

use std::time::Duration;

use hufu_connect::guarded::{OutgoingError, Response};
use hufu_types::Timestamp;
use serde_json::{Map, Value};
use url::{Host, Url};

use super::limits::LONGEST_MESSAGE;
use super::report::plain as fit;

/// Why the API did not give what was asked for. The texts hold no secret and nothing about people.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address cannot be used.
    #[error("--host: {0}")]
    Host(&'static str),
    /// The access key is not accepted.
    #[error("the API does not accept the access key ({path}: {code}, {message})")]
    Unauthorized {
        /// What was asked.
        path: String,
        /// The code of the answer.
        code: i64,
        /// Its text.
        message: String,
    },
    /// The request is refused.
    #[error("the API refuses {path}: {code}, {message}")]
    Refused {
        /// What was asked.
        path: String,
        /// The code of the answer.
        code: i64,
        /// Its text.
        message: String,
    },
    /// The answer is not one of this API.
    #[error("what answers to {path} is not this API: {what}")]
    Malformed {
        /// What was asked.
        path: String,
        /// What is wrong with the answer.
        what: &'static str,
    },
    /// The answer is too long.
    #[error("the answer to {path} is longer than {limit} bytes")]
    TooLarge {
        /// What was asked.
        path: String,
        /// The limit.
        limit: usize,
    },
    /// The list is too long.
    #[error("{path} lists more than {limit}, and no more than that are moved")]
    TooMany {
        /// What was asked.
        path: String,
        /// The limit.
        limit: u64,
    },
    /// It failed as often as it was tried.
    #[error("{path} failed {tries} times, at last with {last}; run the same command again, it goes on there")]
    Unavailable {
        /// What was asked.
        path: String,
        /// How often.
        tries: u32,
        /// What happened at last.
        last: String,
        /// Why, if there was no answer.
        #[source]
        source: Option<OutgoingError>,
    },
    /// The request cannot be sent.
    #[error("{path} cannot be asked")]
    Unsendable {
        /// What was asked.
        path: String,
        /// Why.
        #[source]
        source: OutgoingError,
    },
}

/// What a request has besides its path.
pub(super) enum Parameters<'p> {
    Query(&'p [(&'static str, String)]),
    Body(Map<String, Value>),
}

/// What to do after a try.
pub(super) enum Tried {
    Answered(Value),
    Again { what: String, after: Option<Duration>, source: Option<OutgoingError> },
    TokenRefused,
}

/// What is signed: the method, the headers that are the API's own, the path and the parameters.
pub(super) fn text_to_sign(
    method: &str,
    headers: &[(&'static str, String)],
    path: &str,
    parameters: &Parameters<'_>,
) -> String {
    let mut signed: Vec<_> =
        headers.iter().filter(|(name, _)| name.starts_with("x-authing-") || *name == "date").collect();
    signed.sort();
    let mut text = format!("{method}\n");
    for (name, value) in signed {
        text = format!("{text}{name}:{value}\n");
    }
    let mut members: Vec<(&str, String)> = match parameters {
        Parameters::Query(query) => query.iter().map(|(name, value)| (*name, value.clone())).collect(),
        Parameters::Body(body) => body.iter().map(|(name, value)| (name.as_str(), plain(value))).collect(),
    };
    members.sort();
    text.push_str(path);
    if !members.is_empty() {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}={value}")).collect();
        text.push('?');
        text.push_str(&members.join("&"));
    }
    text
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Reads an answer: its `data`, or whether to ask again.
pub(super) fn read(path: &str, answer: Result<Response, OutgoingError>) -> Result<Tried, ApiError> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(source) if source.is_permanent() => {
            return Err(ApiError::Unsendable { path: path.to_owned(), source });
        }
        Err(source) => {
            return Ok(Tried::Again { what: source.to_string(), after: None, source: Some(source) });
        }
    };
    if answer.cut {
        return Err(ApiError::TooLarge { path: path.to_owned(), limit: answer.body.len() });
    }
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let member = |name: &str| body.as_ref().and_then(|body| body.get(name));
    // What the API means is in the body; what stands before it says it with the status alone.
    let code = member("statusCode").or_else(|| member("code")).and_then(Value::as_i64);
    let code = if answer.is_success() { code.unwrap_or(200) } else { i64::from(answer.status) };
    let after = answer
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .map(Duration::from_secs);
    match code {
        200 => {
            let data = body.and_then(|mut body| body.get_mut("data").map(Value::take));
            data.map(Tried::Answered).ok_or_else(|| malformed(path, "it is no JSON with `data`"))
        }
        401 => Ok(Tried::TokenRefused),
        // 499 and its like come from what stands before the API, and mean that it is busy. 501 says that there is no such
        // call.
        429 | 408 | 499 | 500 | 502..600 => {
            Ok(Tried::Again { what: format!("status {code}"), after, source: None })
        }
        code => {
            let message = member("message").and_then(Value::as_str).unwrap_or("no message");
            let message = fit(message, LONGEST_MESSAGE);
            Err(match code {
                403 => ApiError::Unauthorized { path: path.to_owned(), code, message },
                _ => ApiError::Refused { path: path.to_owned(), code, message },
            })
        }
    }
}

pub(super) fn malformed(path: &str, what: &'static str) -> ApiError {
    ApiError::Malformed { path: path.to_owned(), what }
}

/// The address without a slash at its end. It is https, or http on this machine.
pub(super) fn check_host(host: &str) -> Result<String, ApiError> {
    let url =
        Url::parse(host).map_err(|_| ApiError::Host("write an address, such as https://api.authing.cn"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_this_machine(&url) => {}
        "http" => return Err(ApiError::Host("write https; http is for this machine alone")),
        _ => return Err(ApiError::Host("write an https address")),
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(ApiError::Host("write only the address, such as https://api.authing.cn"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether the API is on this machine, so that the guarded client has to be allowed to go there.
pub fn is_on_this_machine(host: &str) -> bool {
    Url::parse(host).is_ok_and(|url| is_this_machine(&url))
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The time as HTTP writes it (RFC 9110 section 5.6.7).
pub(super) fn http_date(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_signed_is_what_the_published_client_signs() {
        let headers = [
            ("accept", "application/json".to_owned()),
            ("x-authing-lang", "en-US".to_owned()),
            ("date", http_date(Timestamp(1_700_000_000_000))),
        ];
        let head = "date:Tue, 14 Nov 2023 22:13:20 GMT\nx-authing-lang:en-US\n";
        let query = [("page", "1".to_owned()), ("limit", "50".to_owned())];
        assert_eq!(
            text_to_sign("GET", &headers, "/api/v3/a", &Parameters::Query(&query)),
            format!("GET\n{head}/api/v3/a?limit=50&page=1")
        );
        assert_eq!(
            text_to_sign("GET", &headers, "/api/v3/a", &Parameters::Query(&[])),
            format!("GET\n{head}/api/v3/a")
        );
        let Value::Object(body) = json!({ "b": { "x": [1, true] }, "a": "t" }) else { panic!() };
        assert_eq!(
            text_to_sign("POST", &headers, "/api/v3/a", &Parameters::Body(body)),
            format!("POST\n{head}/api/v3/a?a=t&b={{\"x\":[1,true]}}")
        );
    }

    #[test]
    fn secrets_go_over_https_or_nowhere() {
        for host in
            ["https://api.authing.cn", "https://api.genauth.ai/", "http://127.0.0.1:3000", "http://[::1]"]
        {
            assert!(check_host(host).is_ok(), "{host}");
        }
        for host in
            ["http://api.authing.cn", "api.authing.cn", "ftp://a.b", "https://a:b@c.d", "https://a.b/?x"]
        {
            assert!(check_host(host).is_err(), "{host}");
        }
        assert_eq!(check_host("https://id.example.com/base/").unwrap(), "https://id.example.com/base");
    }
}
