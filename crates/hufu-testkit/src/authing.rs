//! The management API of Authing and GenAuth (version 3), as far as moving in reads it: signed requests and management
//! tokens, pages, and the troubles that such an API has.
//!
//! What it answers (`recorded/authing`) is made from the types that the published clients declare.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hufu_protocol::is_signature_of;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The id of the access key.
pub const KEY_ID: &str = "62e221f85f5ac5cc47037a39";
/// Its secret.
pub const KEY_SECRET: &str = "5b7f3c1d9e2a4860b1c2d3e4f5061728";

/// The most rows of a page.
const MOST_ROWS: u64 = 50;
/// The longest body that is read.
const LONGEST_BODY: usize = 64 * 1024;

/// What a request meets instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// This status, with `Retry-After` in seconds.
    Status(u16, Option<u64>),
    /// Status 200, and this `statusCode` in the body.
    Code(u16),
    /// An answer of so many bytes, if it is for more than one row.
    Large(usize),
    /// An answer of so many bytes, however few rows it is for.
    Longer(usize),
    /// The answer has this page, whichever is asked for.
    Page(u64),
    /// The answer counts one more than there are.
    CountsMore,
    /// The user at this place is removed before the answer.
    Leaves(usize),
    /// The same, and somebody else registers.
    Replaced(usize),
    /// The token that the request carries does not hold any more.
    TokenEnds,
}

/// What the pool has. `sources` are the details of identity sources.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Users, oldest first.
    pub users: Vec<Value>,
    /// Applications.
    pub applications: Vec<Value>,
    /// Their secrets.
    pub secrets: HashMap<String, String>,
    /// Identity sources with their connections.
    pub sources: Vec<Value>,
    /// Custom fields.
    pub fields: Vec<Value>,
}

/// The answers that were recorded: users, applications, sources and custom fields.
pub const RECORDED: [&str; 4] = [
    include_str!("../recorded/authing/users.json"),
    include_str!("../recorded/authing/applications.json"),
    include_str!("../recorded/authing/sources.json"),
    include_str!("../recorded/authing/fields.json"),
];

impl Content {
    /// What was recorded, with other words in the place of some: the ids of people, which only a test knows.
    pub fn recorded(words: &[(&str, &str)]) -> Self {
        let read = |text: &str| -> Value {
            let text = words.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
            serde_json::from_str(&text).unwrap()
        };
        let list = |value: &Value| value.as_array().unwrap().clone();
        let [users, applications, sources, fields] = RECORDED.map(read);
        let secret = ("6560c0ffee00000000000003".to_owned(), "0123456789abcdef0123456789abcdef".to_owned());
        Self {
            users: list(&users["data"]["list"]),
            applications: list(&applications["data"]["list"]),
            secrets: HashMap::from([secret]),
            sources: list(&sources),
            fields: list(&fields["data"]),
        }
    }
}

#[derive(Default)]
struct Inside {
    content: Content,
    /// By path, what the next requests meet; nothing where there is `None`.
    troubles: HashMap<String, VecDeque<Option<Trouble>>>,
    calls: Vec<String>,
    nonces: HashSet<String>,
    tokens: HashSet<String>,
    made_tokens: u64,
}

/// The server.
#[derive(Clone)]
pub struct Authing {
    /// Where it is.
    pub uri: String,
    inside: Arc<Mutex<Inside>>,
}

impl Authing {
    /// Starts one on this machine.
    pub async fn start(content: Content) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let inside = Arc::new(Mutex::new(Inside { content, ..Inside::default() }));
        let router = Router::new().fallback(answer).with_state(inside.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { uri, inside }
    }

    /// Changes what the pool has.
    pub fn change(&self, change: impl FnOnce(&mut Content)) {
        change(&mut self.inside.lock().unwrap().content);
    }

    /// What the next requests for a path meet, in their order; `None` is an ordinary answer.
    pub fn trouble(&self, path: &str, troubles: impl IntoIterator<Item = Option<Trouble>>) {
        self.inside.lock().unwrap().troubles.entry(path.to_owned()).or_default().extend(troubles);
    }

    /// The paths that were asked for since the last look. Those of users with the page and its size.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.inside.lock().unwrap().calls)
    }

    /// How many users have been asked for.
    pub fn calls(&self) -> usize {
        self.inside.lock().unwrap().calls.len()
    }
}

fn said(status_code: u16, data: &Value) -> Response {
    let message = if status_code == 200 { "" } else { "refused" };
    let body = json!({ "statusCode": status_code, "message": message, "requestId": "r", "data": data });
    (StatusCode::OK, body.to_string()).into_response()
}

async fn answer(State(inside): State<Arc<Mutex<Inside>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LONGEST_BODY).await.unwrap();
    let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
    let query: BTreeMap<String, String> = pairs(&query);
    let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut inside = inside.lock().unwrap();
    let options = &sent["options"];
    let pagination = &options["pagination"];
    let (mut page, size) = (pagination["page"].as_u64(), pagination["limit"].as_u64());
    let mut too_many = 0;
    inside.calls.push(match (page, size) {
        (Some(page), Some(size)) => format!("{path} {page}/{size}"),
        _ => path.clone(),
    });
    if let Some(trouble) = inside.troubles.get_mut(&path).and_then(VecDeque::pop_front).flatten() {
        match trouble {
            Trouble::Status(status, after) => {
                let mut response = (StatusCode::from_u16(status).unwrap(), "busy").into_response();
                if let Some(after) = after {
                    response.headers_mut().insert("retry-after", after.into());
                }
                return response;
            }
            Trouble::Code(code) => return said(code, &Value::Null),
            Trouble::Large(bytes) if size.is_none_or(|size| size > 1) => {
                return (StatusCode::OK, Body::from("x".repeat(bytes))).into_response();
            }
            Trouble::Large(_) => {}
            Trouble::Longer(bytes) => {
                return (StatusCode::OK, Body::from("x".repeat(bytes))).into_response();
            }
            Trouble::Page(other) => page = Some(other),
            Trouble::CountsMore => too_many = 1,
            Trouble::Leaves(place) => drop(inside.content.users.remove(place)),
            Trouble::Replaced(place) => {
                let users = &mut inside.content.users;
                users.remove(place);
                users.push(json!({ "userId": "newcomer", "username": "newcomer", "status": "Activated" }));
            }
            Trouble::TokenEnds => inside.tokens.clear(),
        }
    }
    if path == "/api/v3/get-management-token" {
        if sent != json!({ "accessKeyId": KEY_ID, "accessKeySecret": KEY_SECRET }) {
            return said(401, &Value::Null);
        }
        inside.made_tokens += 1;
        let claims = json!({ "scoped_userpool_id": KEY_ID, "n": inside.made_tokens });
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        inside.tokens.insert(token.clone());
        return said(200, &json!({ "access_token": token, "expires_in": 7200 }));
    }
    if !is_authorized(&mut inside, parts.method.as_str(), &path, &query, &parts.headers, &body) {
        return said(401, &Value::Null);
    }
    let content = &inside.content;
    match (parts.method.as_str(), path.as_str()) {
        ("GET", "/api/v3/get-custom-fields") if query["targetType"] == "USER" => {
            said(200, &json!(content.fields))
        }
        ("GET", "/api/v3/list-ext-idp") => {
            let short = |source: &Value| json!({ "id": source["id"], "name": source["name"], "type": source["type"] });
            let list: Vec<_> = content.sources.iter().map(short).collect();
            said(200, &json!({ "totalCount": list.len() + too_many, "list": list }))
        }
        ("GET", "/api/v3/get-ext-idp") => {
            let found = content.sources.iter().find(|source| source["id"] == query["id"].as_str());
            found.map_or_else(|| said(404, &Value::Null), |found| said(200, found))
        }
        ("GET", "/api/v3/list-applications") => {
            let number = |name: &str| query[name].parse().unwrap();
            said(200, &page_of(&content.applications, number("page"), number("limit"), too_many))
        }
        ("GET", "/api/v3/get-application-secret") => match content.secrets.get(&query["appId"]) {
            Some(secret) => said(200, &json!({ "secret": secret })),
            None => said(404, &Value::Null),
        },
        ("POST", "/api/v3/list-users") => {
            let (Some(page), Some(size)) = (page, size) else { return said(400, &Value::Null) };
            if size > MOST_ROWS {
                return said(400, &Value::Null);
            }
            let mut users = content.users.clone();
            // Newest first, unless it is said otherwise.
            if options["sort"] != json!([{ "field": "createdAt", "order": "asc" }]) {
                users.reverse();
            }
            for (option, member) in [("withIdentities", "identities"), ("withCustomData", "customData")] {
                if options[option] != true {
                    for user in &mut users {
                        user.as_object_mut().unwrap().remove(member);
                    }
                }
            }
            said(200, &page_of(&users, page, size, too_many))
        }
        _ => said(404, &Value::Null),
    }
}

fn page_of(rows: &[Value], page: u64, size: u64, too_many: usize) -> Value {
    let skipped = usize::try_from((page - 1) * size).unwrap();
    let list: Vec<_> = rows.iter().skip(skipped).take(usize::try_from(size).unwrap()).collect();
    json!({ "totalCount": rows.len() + too_many, "list": list })
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        assert!(!pair.contains(['%', '+']), "nothing that is sent here needs escapes");
        (name.to_owned(), value.to_owned())
    });
    pairs.collect()
}

/// Whether a request carries a token that holds, or is signed as the published clients sign, with a nonce of its own.
fn is_authorized(
    inside: &mut Inside,
    method: &str,
    path: &str,
    query: &BTreeMap<String, String>,
    headers: &HeaderMap,
    body: &[u8],
) -> bool {
    let of = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    let authorization = of("authorization").unwrap_or_default();
    if let Some(token) = authorization.strip_prefix("Bearer ") {
        return inside.tokens.contains(token) && of("x-authing-userpool-id") == Some(KEY_ID);
    }
    let Some((id, signature)) = authorization.strip_prefix("authing ").and_then(|rest| rest.split_once(':'))
    else {
        return false;
    };
    let Some(nonce) = of("x-authing-signature-nonce") else { return false };
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    let mut signed: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-authing-") || name.as_str() == "date")
        .map(|(name, value)| format!("{name}:{}\n", value.to_str().unwrap()))
        .collect();
    signed.sort();
    let members: BTreeMap<String, String> = if body.is_empty() {
        query.clone()
    } else {
        let members: BTreeMap<String, &RawValue> = serde_json::from_slice(body).unwrap();
        let plain = |raw: &RawValue| {
            serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
        };
        members.into_iter().map(|(name, raw)| (name, plain(raw))).collect()
    };
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mark = if members.is_empty() { "" } else { "?" };
    let text = format!("{method}\n{}{path}{mark}{}", signed.concat(), members.join("&"));
    let is_new = inside.nonces.insert(nonce.to_owned());
    id == KEY_ID
        && is_new
        && of("date").is_some()
        && is_signature_of(KEY_SECRET.as_bytes(), text.as_bytes(), &signature)
}
