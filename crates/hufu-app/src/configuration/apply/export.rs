//! `hufu apply --export`: a pool as the file that describes it.
//!
//! The objects are those of `/admin/v1` ([`document`]), whose members are the keys of the file. Applying the file to the
//! same database changes nothing. Left out is what the file cannot say: client secrets, of which there are hashes alone,
//! applications that registered themselves, and users, whom `hufu export` writes.

use std::fmt::Write as _;

use hufu_protocol::sealing::SealingKey;
use hufu_store::config::{self, Revised, StoredConfig, StoredConnection};
use hufu_store::senders::{self, SenderKind, StoredSender};
use hufu_store::{Read, Store, StoreError, Tx, registrations};
use hufu_types::{ApplicationId, PoolId};
use secrecy::SecretString;
use serde_json::{Map, Value as Json, json};

use super::file::{APPLICATION_KEYS, CLIENT_KEYS, SENDER_SECRETS};
use crate::configuration::document::{self, Document};
use crate::configuration::senders::open as open_sender;
use crate::sources;

/// The keys that come first, in this order. The others follow by name.
const FIRST: [&str; 6] = ["id", "identifier", "key", "name", "type", "provider"];
/// What stands above the tables.
const HEADER: &str = "# Written by `hufu apply --export`. Client secrets are not in it: an application keeps the one that it \
                      has, and\n# a new one gets another.\n";

/// A file, and the secrets that it takes from the environment.
pub struct Exported {
    /// The text.
    pub text: String,
    /// The variables that the file names, with their values.
    pub secrets: Vec<(String, SecretString)>,
}

/// Why a pool cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no such pool.
    #[error("there is no user pool `{0}`")]
    NoPool(PoolId),
    /// Its secrets cannot be opened.
    #[error("{0} cannot be opened with this key — give the sealing key that the server has")]
    Sealed(String),
    /// The database returned an error.
    #[error("the user pool cannot be read")]
    Store(#[from] StoreError),
}

/// Writes the file of a pool.
///
/// # Errors
/// [`ExportError`].
pub async fn export(store: &Store, sealing: &SealingKey, pool: &PoolId) -> Result<Exported, ExportError> {
    let Present { stored, mut connections, senders, registered } = store.read(ReadPool(pool.clone())).await?;
    // Their order means nothing, and is not kept.
    connections.sort_by(|a, b| a.value.identifier.as_str().cmp(b.value.identifier.as_str()));
    let found = stored.pools.first().ok_or_else(|| ExportError::NoPool(pool.clone()))?;
    let mut file = File::default();
    let own = [("id", json!(pool.as_str())), ("name", json!(found.name))];
    file.table("[user_pool]", own.map(|(key, value)| (key.to_owned(), value)).into_iter().collect());
    let mut settings = object(document::pool::show(found).remove("settings"));
    let (branding, scopes) = (object(settings.remove("branding")), settings.remove("scopes"));
    file.table("user_pool.settings", settings);
    file.table("user_pool.branding", branding);
    for scope in scopes.as_ref().and_then(Json::as_array).into_iter().flatten() {
        file.table("[user_pool.scope]", object(Some(scope.clone())));
    }
    for sender in &senders {
        let (name, what) = match sender.kind {
            SenderKind::Email => ("email", "how the pool sends e-mail"),
            SenderKind::Sms => ("sms", "how the pool sends text messages"),
            SenderKind::Templates => ("templates", "the templates of messages"),
        };
        let opened: Json = open_sender(sender, sealing).map_err(|_| ExportError::Sealed(what.to_owned()))?;
        let mut keys = object(Some(opened));
        if sender.kind != SenderKind::Templates {
            file.hide_in_sender(name, &mut keys);
        }
        file.table(&format!("user_pool.{name}"), keys);
    }
    for connection in connections.iter().map(|found| &found.value) {
        let keys = file.connection(connection, sealing)?;
        file.table("[user_pool.connection]", keys);
    }
    let is_own = |id: &ApplicationId| !registered.contains(id);
    for application in stored.applications.iter().filter(|application| is_own(&application.id)) {
        let mut keys = document::application::show(application, &connections);
        keys.insert("id".to_owned(), json!(application.id.as_str()));
        keys.retain(|key, _| APPLICATION_KEYS.contains(&key.as_str()) || CLIENT_KEYS.contains(&key.as_str()));
        if application.enabled {
            keys.remove("enabled");
        }
        let (login, branding) = (object(keys.remove("login")), object(keys.remove("branding")));
        file.table("[user_pool.application]", keys);
        file.table("user_pool.application.login", login);
        file.table("user_pool.application.branding", branding);
    }
    Ok(Exported { text: format!("{HEADER}{}", file.text), secrets: file.secrets })
}

/// What is stored of a pool.
struct Present {
    stored: StoredConfig,
    connections: Vec<Revised<StoredConnection>>,
    senders: Vec<StoredSender>,
    /// The applications that registered themselves.
    registered: Vec<ApplicationId>,
}

struct ReadPool(PoolId);

impl Read for ReadPool {
    type Out = Present;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Present, StoreError> {
        Ok(Present {
            stored: config::read_pool(tx, &self.0).await?,
            connections: config::connections_of(tx, &self.0).await?,
            senders: senders::of_pool(tx, &self.0).await?,
            registered: registrations::of_pool(tx, &self.0).await?,
        })
    }
}

/// A file that is being written.
#[derive(Default)]
struct File {
    text: String,
    secrets: Vec<(String, SecretString)>,
}

impl File {
    /// Writes a table. `header` has brackets of its own if it is one of several.
    fn table(&mut self, header: &str, keys: Document) {
        let depth = header.matches('.').count();
        let indent = "  ".repeat(depth);
        let _ = writeln!(self.text, "\n{indent}[{header}]");
        let mut keys: Vec<(String, Json)> = keys.into_iter().collect();
        let place = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
        keys.sort_by(|(a, _), (b, _)| (place(a), a).cmp(&(place(b), b)));
        for (key, value) in keys {
            // What has no value is absent in TOML.
            if let Some(value) = toml_of(value) {
                let _ = writeln!(self.text, "{indent}{} = {value}", key_of(&key));
            }
        }
    }

    /// A reference to a variable that has a secret. Its name is made of these parts.
    fn hide(&mut self, parts: &[&str], secret: &str) -> Json {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let name: String = parts.join("__").chars().map(letter).collect();
        let first = if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name };
        let is_taken = |name: &String| self.secrets.iter().any(|(taken, _)| taken == name);
        let mut names = std::iter::once(first.clone()).chain((2..).map(|n| format!("{first}_{n}")));
        let name = names.find(|name| !is_taken(name)).unwrap_or(first);
        self.secrets.push((name.clone(), secret.into()));
        json!({ "env": name })
    }

    /// The keys of a connection.
    fn connection(
        &mut self,
        stored: &StoredConnection,
        sealing: &SealingKey,
    ) -> Result<Document, ExportError> {
        let identifier = stored.identifier.as_str();
        let settings = sources::settings::open(stored, sealing)
            .map_err(|_| ExportError::Sealed(format!("the connection `{identifier}`")))?;
        let shown = document::connection::show(stored, sealing);
        let values = json!(settings.values());
        let mut keys = shown.document;
        for (path, _) in shown.secrets {
            let pointer = format!("/{}", path.replace('.', "/"));
            let Some(secret) = values.pointer(&pointer).and_then(Json::as_str) else { continue };
            let reference = self.hide(&[identifier, &path], secret);
            put(keys.entry("fields").or_insert_with(|| json!({})), &path, reference);
        }
        // Not every kind has these, and nothing is what all have without them.
        keys.retain(|key, value| key == "fields" || *value != json!([]) && *value != json!(false));
        if stored.enabled {
            keys.remove("enabled");
        } else {
            keys.insert("enabled".to_owned(), json!(false));
        }
        Ok(keys)
    }

    /// Replaces the secrets of a sender.
    fn hide_in_sender(&mut self, name: &str, keys: &mut Document) {
        for (key, value) in keys {
            match value {
                Json::String(secret) if SENDER_SECRETS.contains(&key.as_str()) => {
                    *value = self.hide(&[name, key], &secret.clone());
                }
                // Any text of the request of an HTTP gateway may be one.
                Json::Object(_) if ["headers", "body"].contains(&key.as_str()) => {
                    self.hide_texts(&[name, key], value);
                }
                _ => {}
            }
        }
    }

    /// Replaces all texts but those that are a placeholder and nothing else.
    fn hide_texts(&mut self, parts: &[&str], value: &mut Json) {
        match value {
            Json::String(text) if !is_placeholder(text) => *value = self.hide(parts, &text.clone()),
            Json::Array(list) => list.iter_mut().for_each(|value| self.hide_texts(parts, value)),
            Json::Object(members) => {
                for (key, value) in members {
                    self.hide_texts(&[parts, &[key.as_str()]].concat(), value);
                }
            }
            _ => {}
        }
    }
}

/// Whether a text of the body of an HTTP gateway is `{{name}}`.
fn is_placeholder(text: &str) -> bool {
    let name = text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}"));
    name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
}

/// Puts a value at a path into an object.
fn put(object: &mut Json, path: &str, value: Json) {
    let Json::Object(members) = object else { return };
    match path.split_once('.') {
        None => drop(members.insert(path.to_owned(), value)),
        Some((first, rest)) => put(members.entry(first).or_insert_with(|| json!({})), rest, value),
    }
}

/// The members of an object; none if it is none.
fn object(value: Option<Json>) -> Document {
    match value {
        Some(Json::Object(members)) => members,
        _ => Map::new(),
    }
}

/// A value as TOML, in one line. `None` for null, which TOML does not have.
fn toml_of(value: Json) -> Option<String> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (None, Some(number)) => toml::Value::Float(number).to_string(),
            _ => number.to_string(),
        },
        Json::String(text) => toml::Value::String(text).to_string(),
        Json::Array(list) => {
            format!("[{}]", list.into_iter().filter_map(toml_of).collect::<Vec<_>>().join(", "))
        }
        Json::Object(members) => {
            let member =
                |(key, value): (String, Json)| Some(format!("{} = {}", key_of(&key), toml_of(value)?));
            let members: Vec<String> = members.into_iter().filter_map(member).collect();
            if members.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", members.join(", ")) }
        }
    })
}

/// A key, in quotes where it needs them.
fn key_of(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if is_bare { key.to_owned() } else { json!(key).to_string() }
}
