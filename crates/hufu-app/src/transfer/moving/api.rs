//! The management API of Authing and GenAuth (version 3), as far as it is read here.
//!
//! Every request is signed with the access key (`authing ID:SIGNATURE`), or carries a management token that was fetched
//! with it. Requests only read, so each of them can be sent again: after a 429, a 5xx, a time-out or a broken connection
//! it is, with growing pauses, or after as long as `Retry-After` asks for.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hufu_connect::guarded::GuardedClient;
use hufu_protocol::signature_of;
use hufu_types::{Random, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use super::super::reader::Fields;
use super::limits::{
    EXACT_TOTALS, LONGEST_PAUSE, LONGEST_WAIT, MOST_PAGES, MOST_SOURCES, MOST_TOO_LARGE, MOST_TRIES, PAGE,
    PAGE_SIZES, USERS_PER_CHECK,
};
use super::wire::{ApiError, Parameters, Tried, check_host, http_date, malformed, read, text_to_sign};

/// The list of users.
const USERS: &str = "/api/v3/list-users";
/// How long before its end a management token is fetched anew.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// Where the API is, and with what it is asked.
#[derive(Clone, Debug)]
pub struct Access {
    /// Its address, such as `https://api.authing.cn` or `https://api.genauth.ai`.
    pub host: String,
    /// The id of the access key: that of the user pool, or of a key made in the console.
    pub key_id: String,
    /// The secret of the access key.
    pub secret: SecretString,
    /// How requests say who sends them.
    pub authentication: Authentication,
    /// The pause before the second try of a request. Each further one is twice as long.
    pub pause: Duration,
}

/// How requests say who sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// Each is signed.
    Signature,
    /// Each carries a token, which is fetched first.
    Token,
}

/// Some users, in the order of the API.
#[derive(Debug)]
pub(super) struct UserPage {
    /// The users; the reason for one that cannot be read.
    pub(super) users: Vec<Result<Fields, String>>,
    /// How many there are altogether, as far as the API counts.
    pub(super) total: u64,
    /// Whether these are the last ones.
    pub(super) last: bool,
    /// Whether those before them are not where they were, so that somebody was passed over: one of them was removed.
    pub(super) has_shifted: bool,
    /// Whether the list ended before its own total.
    pub(super) is_short: bool,
}

struct Token {
    text: SecretString,
    /// The pool that it is for, if it says so.
    pool: Option<String>,
    until: Timestamp,
}

/// The API of one user pool.
pub(super) struct Api<'r> {
    http: GuardedClient,
    access: Access,
    base: String,
    now: Box<dyn Fn() -> Timestamp + Send + Sync + 'r>,
    random: &'r dyn Random,
    token: Option<Token>,
    /// Whether users are asked for in the order of their creation, as the API can and its lookalikes may not.
    sorts: bool,
    /// Whether a list of users was answered.
    has_listed: bool,
    page_size: u64,
    /// How many users there are altogether, as the API said last.
    total: u64,
    /// How many users in a row were too long.
    too_large: u32,
    /// Where the page before began, and its first user.
    first: Option<(u64, Value)>,
    /// The last user of the page before, and where they stood.
    tail: Option<(u64, Value)>,
}

impl<'r> Api<'r> {
    /// Checks the address. Nothing is sent yet.
    pub(super) fn new(
        http: GuardedClient,
        access: Access,
        now: impl Fn() -> Timestamp + Send + Sync + 'r,
        random: &'r dyn Random,
    ) -> Result<Self, ApiError> {
        let base = check_host(&access.host)?;
        let now = Box::new(now);
        Ok(Self {
            http,
            access,
            base,
            now,
            random,
            token: None,
            sorts: true,
            has_listed: false,
            page_size: PAGE,
            total: 0,
            too_large: 0,
            first: None,
            tail: None,
        })
    }

    /// A name of what is read, which the next run has as well.
    pub(super) fn name(&self) -> String {
        format!("authing {} {}", self.base, self.access.key_id)
    }

    /// The custom fields of users.
    pub(super) async fn custom_fields(&mut self) -> Result<Vec<Fields>, ApiError> {
        let path = "/api/v3/get-custom-fields";
        let found = self.call(path, Parameters::Query(&[("targetType", "USER".to_owned())])).await?;
        list(path, found)
    }

    /// The identity sources, each with its connections.
    pub(super) async fn sources(&mut self) -> Result<Vec<Fields>, ApiError> {
        let path = "/api/v3/list-ext-idp";
        let listed = self.call(path, Parameters::Query(&[])).await?;
        let total = total_of(&listed);
        let listed = list(path, listed)?;
        check_length(path, &listed, total, MOST_SOURCES)?;
        let mut sources = Vec::new();
        for source in listed {
            let Some(Value::String(id)) = source.get("id") else { continue };
            let path = "/api/v3/get-ext-idp";
            match self.call(path, Parameters::Query(&[("id", id.clone())])).await? {
                Value::Object(detail) => sources.push(detail),
                _ => return Err(malformed(path, "its data is no object")),
            }
        }
        Ok(sources)
    }

    /// The applications, each with its secret where the API gives it (`secret`).
    pub(super) async fn applications(&mut self) -> Result<Vec<Fields>, ApiError> {
        let path = "/api/v3/list-applications";
        let mut applications = Vec::new();
        let mut page = 0;
        loop {
            page += 1;
            let query = [("page", page.to_string()), ("limit", PAGE.to_string())];
            let found = self.call(path, Parameters::Query(&query)).await?;
            let total = total_of(&found);
            let found = list(path, found)?;
            let count = length(&found);
            if count > PAGE {
                return Err(malformed(path, LONG_PAGE));
            }
            applications.extend(found);
            if count < PAGE {
                check_length(path, &applications, total, MOST_PAGES * PAGE)?;
                break;
            }
            if page > MOST_PAGES {
                return Err(ApiError::TooMany { path: path.to_owned(), limit: MOST_PAGES * PAGE });
            }
        }
        for application in &mut applications {
            let Some(Value::String(id)) = application.get("appId") else { continue };
            let query = [("appId", id.clone())];
            let answer = self.call("/api/v3/get-application-secret", Parameters::Query(&query)).await;
            match answer {
                Ok(secret) => {
                    if let Some(secret) = secret.get("secret").filter(|secret| secret.is_string()) {
                        application.insert("secret".to_owned(), secret.clone());
                    }
                }
                // It is not given to everybody, and public clients have none.
                Err(ApiError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(applications)
    }

    /// The users from this place on, with their identities and custom data. A page that is too large is asked for in
    /// smaller parts.
    pub(super) async fn users(&mut self, offset: u64) -> Result<UserPage, ApiError> {
        if offset == 0 {
            (self.total, self.first, self.tail) = (0, None, None);
        }
        if offset.is_multiple_of(PAGE) {
            self.page_size = PAGE;
        }
        loop {
            let size = self.page_size;
            let body = self.body_of_users(offset / size + 1, size);
            let found = match self.call(USERS, Parameters::Body(body)).await {
                Ok(found) => found,
                Err(ApiError::Refused { .. }) if self.sorts && !self.has_listed => {
                    self.sorts = false;
                    continue;
                }
                Err(ApiError::TooLarge { path, limit }) => {
                    if let Some(smaller) = PAGE_SIZES.into_iter().find(|other| *other < size) {
                        self.page_size = smaller;
                        continue;
                    }
                    self.too_large += 1;
                    if self.too_large > MOST_TOO_LARGE {
                        return Err(ApiError::TooLarge { path, limit });
                    }
                    return Ok(self.unreadable(offset, limit));
                }
                Err(error) => return Err(error),
            };
            self.has_listed = true;
            self.too_large = 0;
            let total = total_of(&found);
            let mut users = list(USERS, found)?;
            let (count, skipped) = (length(&users), offset % size);
            if count > size {
                return Err(malformed(USERS, LONG_PAGE));
            }
            self.check_begin(offset - skipped, users.first())?;
            let last = count < size;
            let is_short = last && offset - skipped + count < total && total < EXACT_TOTALS;
            // Those before them are looked at if somebody must have been removed, and every now and then, as somebody may
            // have come at the same time.
            let is_due = total < self.total || last || offset.is_multiple_of(USERS_PER_CHECK);
            self.total = total;
            let has_shifted = is_due && !self.holds(offset).await?;
            users.drain(..usize::try_from(skipped.min(count)).unwrap_or_default());
            if let Some(user) = users.last() {
                self.tail = Some((offset + length(&users) - 1, key_of(user)));
            }
            let users = users.into_iter().map(Ok).collect();
            return Ok(UserPage { users, total, last, has_shifted, is_short });
        }
    }

    /// What stands for a user whose answer is too long. Behind the last user there is none.
    fn unreadable(&mut self, offset: u64, limit: usize) -> UserPage {
        let last = self.has_listed && (1..EXACT_TOTALS).contains(&self.total) && offset >= self.total;
        let user = (!last).then(|| Err(format!("the user is longer than {limit} bytes")));
        self.tail = Some((offset, Value::Null));
        let users = user.into_iter().collect();
        UserPage { users, total: self.total, last, has_shifted: false, is_short: false }
    }

    /// Refuses a page that is the one before it.
    fn check_begin(&mut self, begin: u64, first: Option<&Fields>) -> Result<(), ApiError> {
        let Some(first) = first.map(key_of) else { return Ok(()) };
        if self.first.as_ref().is_some_and(|(before, known)| *before != begin && *known == first) {
            return Err(malformed(USERS, "its pages are all the same"));
        }
        self.first = Some((begin, first));
        Ok(())
    }

    /// Whether the user before this place is the one who was read there.
    async fn holds(&mut self, offset: u64) -> Result<bool, ApiError> {
        let Some((place, known)) = self.tail.clone().filter(|(place, _)| place + 1 == offset) else {
            return Ok(true);
        };
        match self.call(USERS, Parameters::Body(self.body_of_users(place + 1, 1))).await {
            Ok(found) => Ok(list(USERS, found)?.first().map(key_of) == Some(known)),
            Err(ApiError::TooLarge { .. }) => Ok(known.is_null()),
            Err(error) => Err(error),
        }
    }

    fn body_of_users(&self, page: u64, size: u64) -> Map<String, Value> {
        let mut options = json!({
            "pagination": { "page": page, "limit": size },
            "withCustomData": true,
            "withIdentities": true,
        });
        if let (true, Value::Object(options)) = (self.sorts, &mut options) {
            options.insert("sort".to_owned(), json!([{ "field": "createdAt", "order": "asc" }]));
        }
        Map::from_iter([("options".to_owned(), options)])
    }

    /// The `data` of an answer.
    async fn call(&mut self, path: &str, parameters: Parameters<'_>) -> Result<Value, ApiError> {
        let mut pause = self.access.pause;
        let mut has_new_token = false;
        let mut tries = 0;
        loop {
            tries += 1;
            if self.access.authentication == Authentication::Token {
                Box::pin(self.keep_token()).await?;
            }
            match self.try_once(path, &parameters).await? {
                Tried::Answered(data) => return Ok(data),
                // It may have ended in the meantime; once.
                Tried::TokenRefused if self.token.is_some() && !has_new_token => {
                    has_new_token = true;
                    self.token = None;
                }
                Tried::TokenRefused => {
                    return Err(ApiError::Unauthorized {
                        path: path.to_owned(),
                        code: 401,
                        message: "not authorized".to_owned(),
                    });
                }
                Tried::Again { what, source, .. } if tries >= MOST_TRIES => {
                    return Err(ApiError::Unavailable { path: path.to_owned(), tries, last: what, source });
                }
                Tried::Again { after, .. } => {
                    tokio::time::sleep(after.unwrap_or(pause).min(LONGEST_WAIT)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Fetches a management token if there is none, or if it ends soon.
    async fn keep_token(&mut self) -> Result<(), ApiError> {
        let now = (self.now)();
        if self.token.as_ref().is_some_and(|token| now.plus(TOKEN_MARGIN) < token.until) {
            return Ok(());
        }
        let path = "/api/v3/get-management-token";
        let mut pause = self.access.pause;
        for tries in 1..=MOST_TRIES {
            let body = json!({
                "accessKeyId": self.access.key_id, "accessKeySecret": self.access.secret.expose_secret(),
            });
            let url = format!("{}{path}", self.base);
            let sent = [("content-type", "application/json"), ("accept", "application/json")];
            let answer = self.http.post(&url, &sent, body.to_string().into_bytes()).await;
            match read(path, answer)? {
                Tried::Answered(data) => {
                    let text = data.get("access_token").and_then(Value::as_str);
                    let text = text.ok_or_else(|| malformed(path, "it has no access_token"))?;
                    let life = data.get("expires_in").and_then(Value::as_u64).unwrap_or(3600);
                    let until = now.plus(Duration::from_secs(life));
                    self.token = Some(Token { text: text.into(), pool: pool_of(text), until });
                    return Ok(());
                }
                Tried::TokenRefused => {
                    return Err(ApiError::Unauthorized {
                        path: path.to_owned(),
                        code: 401,
                        message: "not authorized".to_owned(),
                    });
                }
                Tried::Again { what, source, .. } if tries == MOST_TRIES => {
                    return Err(ApiError::Unavailable { path: path.to_owned(), tries, last: what, source });
                }
                Tried::Again { after, .. } => {
                    tokio::time::sleep(after.unwrap_or(pause).min(LONGEST_WAIT)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        Err(malformed(path, "it gives no token"))
    }

    async fn try_once(&self, path: &str, parameters: &Parameters<'_>) -> Result<Tried, ApiError> {
        let mut headers =
            vec![("accept", "application/json".to_owned()), ("x-authing-lang", "en-US".to_owned())];
        match self.access.authentication {
            Authentication::Signature => {
                headers.push(("date", http_date((self.now)())));
                headers.push(("x-authing-signature-method", "HMAC-SHA1".to_owned()));
                let mut nonce = [0; 16];
                self.random.fill(&mut nonce);
                headers.push(("x-authing-signature-nonce", hex::encode(nonce)));
                headers.push(("x-authing-signature-version", "1.0".to_owned()));
                let method = if matches!(parameters, Parameters::Query(_)) { "GET" } else { "POST" };
                let text = text_to_sign(method, &headers, path, parameters);
                let secret = self.access.secret.expose_secret().as_bytes();
                let signature = STANDARD.encode(signature_of(secret, text.as_bytes()));
                headers.push(("authorization", format!("authing {}:{signature}", self.access.key_id)));
            }
            Authentication::Token => {
                let token = self.token.as_ref();
                let text = token.map(|token| token.text.expose_secret()).unwrap_or_default();
                headers.push(("authorization", format!("Bearer {text}")));
                if let Some(pool) = token.and_then(|token| token.pool.clone()) {
                    headers.push(("x-authing-userpool-id", pool));
                }
            }
        }
        let answer = match parameters {
            Parameters::Query(query) => {
                let mut url = Url::parse(&format!("{}{path}", self.base))
                    .map_err(|_| ApiError::Host("it is no address"))?;
                if !query.is_empty() {
                    url.query_pairs_mut().extend_pairs(*query);
                }
                self.http.get(url.as_str(), &borrowed(&headers)).await
            }
            Parameters::Body(body) => {
                headers.push(("content-type", "application/json".to_owned()));
                let text = Value::Object(body.clone()).to_string();
                self.http.post(&format!("{}{path}", self.base), &borrowed(&headers), text.into_bytes()).await
            }
        };
        read(path, answer)
    }
}

fn borrowed<'h>(headers: &'h [(&'static str, String)]) -> Vec<(&'h str, &'h str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// The rows of `data`: a list, or an object with one.
fn list(path: &str, data: Value) -> Result<Vec<Fields>, ApiError> {
    let rows = match data {
        Value::Array(rows) => rows,
        Value::Object(mut data) => match data.remove("list") {
            Some(Value::Array(rows)) => rows,
            _ => return Err(malformed(path, "its data has no list")),
        },
        Value::Null => Vec::new(),
        _ => return Err(malformed(path, "its data is no list")),
    };
    let rows = rows.into_iter().map(|row| match row {
        Value::Object(row) => Ok(row),
        _ => Err(malformed(path, "a row is no object")),
    });
    rows.collect()
}

const LONG_PAGE: &str = "its pages are longer than they were asked for";

/// The list of users ended before its own total.
pub(super) fn short_list() -> ApiError {
    malformed(USERS, "its pages are shorter than they were asked for")
}

fn length(rows: &[Fields]) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}

/// How many rows there are, as far as the API counts.
fn total_of(data: &Value) -> u64 {
    data.get("totalCount").and_then(Value::as_u64).unwrap_or_default()
}

/// Refuses a list that is too long, or not whole.
fn check_length(path: &str, rows: &[Fields], total: u64, most: u64) -> Result<(), ApiError> {
    if length(rows) > most {
        return Err(ApiError::TooMany { path: path.to_owned(), limit: most });
    }
    if length(rows) < total {
        return Err(malformed(path, "it lists fewer than its totalCount"));
    }
    Ok(())
}

/// What tells a user from the others.
fn key_of(user: &Fields) -> Value {
    let id = ["userId", "_id", "id"].into_iter().find_map(|name| user.get(name).filter(|id| !id.is_null()));
    id.cloned().unwrap_or_else(|| Value::Object(user.clone()))
}

/// The pool of a management token, which is a JWT. It is only repeated to the API, and not trusted.
fn pool_of(token: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    let pool = claims.get("scoped_userpool_id")?.as_str()?;
    pool.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| pool.to_owned())
}
