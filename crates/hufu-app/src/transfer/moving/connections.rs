//! Identity sources and their connections.

use std::collections::HashMap;

use hufu_types::{BindMethod, ConnectionId, ConnectionKind, Identifier, camel_case};
use serde_json::{Map, Value, json};

use super::super::reader::Fields;
use super::report::{Fate, Finding, Kind, Remark, word};
use super::text;
use crate::configuration::document::Document;
use crate::sources;

/// Names of fields in other systems, and ours.
const ALIASES: &[(&str, &str)] = &[
    ("clientID", "app_id"),
    ("clientId", "app_id"),
    ("appID", "app_id"),
    ("appId", "app_id"),
    ("clientSecret", "app_secret"),
    ("appSecret", "app_secret"),
    ("mobileAppID", "mobile_app_id"),
    ("mobileAppId", "mobile_app_id"),
    ("originalID", "original_id"),
    ("originalId", "original_id"),
    ("encodingAESKey", "aes_key"),
    ("encodingAesKey", "aes_key"),
    ("redirectURL", "callback"),
    ("redirectUrl", "callback"),
];

/// A connection to make.
#[derive(Clone)]
pub(super) struct PlannedConnection {
    /// Its id in the other system.
    pub(super) of: String,
    /// The id that it gets.
    pub(super) id: ConnectionId,
    pub(super) identifier: Identifier,
    pub(super) kind: ConnectionKind,
    pub(super) document: Document,
    pub(super) remarks: Vec<Remark>,
}

/// Which names the other system has for what.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// The identifiers of the WeChat connections by their ids there.
    pub(super) connections: HashMap<String, Identifier>,
    /// The ids of the WeChat connections of a source.
    pub(super) sources: HashMap<String, Vec<String>>,
    /// The types of sources and connections that are not taken, by their ids.
    pub(super) others: HashMap<String, String>,
}

/// What was read of the sources.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) connections: Vec<PlannedConnection>,
    pub(super) names: Names,
    pub(super) findings: Vec<Finding>,
}

impl Sources {
    /// Reads a source with its connections. `make_id` makes ids of connections.
    pub(super) fn read(
        &mut self,
        source: &Fields,
        platform: &Identifier,
        make_id: &dyn Fn() -> ConnectionId,
    ) {
        let (id, name) = (text(source, "id").unwrap_or_default(), text(source, "name").unwrap_or_default());
        let kind = text(source, "type").unwrap_or_default();
        let connections = match source.get("connections") {
            Some(Value::Array(connections)) => connections.as_slice(),
            _ => &[],
        };
        let of_source = |outcome, reason: &str, detail: String| {
            Finding::new(Kind::Source, id, name, outcome, reason, &detail)
        };
        if connections.is_empty() {
            self.names.others.insert(id.to_owned(), kind.to_owned());
            let detail = format!("a source of type {} without connections", word(kind));
            self.findings.push(of_source(Fate::NotTaken, "source_empty", detail));
            return;
        }
        if text(source, "tenantId").is_some() {
            let detail = "it is of one tenant there, and of the whole pool here".to_owned();
            self.findings.push(of_source(Fate::Differs, "setting_without_counterpart", detail));
        }
        for connection in connections {
            if let Value::Object(connection) = connection {
                self.connection(id, kind, connection, platform, make_id);
            }
        }
    }

    fn connection(
        &mut self,
        source: &str,
        source_kind: &str,
        connection: &Fields,
        platform: &Identifier,
        make_id: &dyn Fn() -> ConnectionId,
    ) {
        let of = text(connection, "id").unwrap_or_default().to_owned();
        let name = text(connection, "displayName").or_else(|| text(connection, "identifier"));
        let name = name.unwrap_or_default().to_owned();
        let written = text(connection, "type").unwrap_or_default();
        let finding = |outcome, reason: &str, detail: String| {
            Finding::new(Kind::Connection, &of, &name, outcome, reason, &detail)
        };
        let Some(kind) = ConnectionKind::parse(written) else {
            self.names.others.insert(of.clone(), written.to_owned());
            self.names.others.entry(source.to_owned()).or_insert_with(|| source_kind.to_owned());
            let detail = format!("there are no connections of type {} here", word(written));
            self.findings.push(finding(Fate::NotTaken, "source_not_supported", detail));
            return;
        };
        let identifier = text(connection, "identifier").unwrap_or_default();
        let Ok(identifier) = Identifier::parse(identifier) else {
            let detail = if identifier.is_empty() {
                "it has no identifier"
            } else {
                "its identifier is not valid here"
            };
            self.findings.push(finding(Fate::Refused, "identifier_not_valid", detail.to_owned()));
            return;
        };
        self.names.connections.insert(of.clone(), identifier.clone());
        self.names.sources.entry(source.to_owned()).or_default().push(of.clone());
        let (document, remarks) = document(connection, kind, platform);
        let id = make_id();
        self.connections.push(PlannedConnection { of, id, identifier, kind, document, remarks });
    }
}

/// The document of a connection.
fn document(connection: &Fields, kind: ConnectionKind, platform: &Identifier) -> (Document, Vec<Remark>) {
    let mut remarks = Vec::new();
    let mut document = Document::new();
    document.insert("type".to_owned(), kind.as_str().into());
    document.insert("open_platform".to_owned(), platform.as_str().into());
    for (name, own) in [("identifier", "identifier"), ("displayName", "display_name"), ("logo", "logo")] {
        if let Some(value) = text(connection, name) {
            document.insert(own.to_owned(), value.into());
        }
    }
    for (name, own) in [("loginOnly", "login_only"), ("enabled", "enabled")] {
        if let Some(value) = connection.get(name).filter(|value| value.is_boolean()) {
            document.insert(own.to_owned(), value.clone());
        }
    }
    if let Some(association) = association(connection, &mut remarks) {
        document.insert("association".to_owned(), association);
    }
    let known = sources::fields(kind);
    let mut fields = Map::new();
    let given = connection.get("fields").and_then(Value::as_object);
    for (name, value) in given.into_iter().flatten() {
        if matches!(value, Value::Null | Value::Bool(false))
            || value.as_str() == Some("")
            || value.as_array().is_some_and(Vec::is_empty)
        {
            continue;
        }
        let alias = ALIASES.iter().find(|(alias, _)| alias == name).map(|(_, own)| *own);
        let own = alias.or_else(|| {
            let same = |field: &&sources::Field| field.name == name || camel_case(field.name) == *name;
            known.iter().find(same).map(|field| field.name)
        });
        match own {
            Some("callback") if kind.has_callback() => {
                let list = if value.is_array() { value.clone() } else { json!([value]) };
                document.insert("callback".to_owned(), list);
            }
            Some(own) if known.iter().any(|field| field.name == own) => {
                fields.entry(own.to_owned()).or_insert_with(|| value.clone());
            }
            // The name people see is told beside the fields as well.
            _ if name == "displayName" => {}
            _ => {
                let name = word(name);
                let detail = format!("fields.{name}: connections of this type have no such field here");
                remarks.push(Remark::new("setting_without_counterpart", detail));
            }
        }
    }
    document.insert("fields".to_owned(), fields.into());
    (document, remarks)
}

/// How a first login finds its account.
fn association(connection: &Fields, remarks: &mut Vec<Remark>) -> Option<Value> {
    let mode = text(connection, "associationMode")?;
    let methods = connection.get("challengeBindingMethods").and_then(Value::as_array);
    let mut known = Vec::new();
    for method in methods.into_iter().flatten().filter_map(Value::as_str) {
        if BindMethod::parse(method).is_some() {
            known.push(Value::from(method));
        } else {
            let method = word(method);
            let detail = format!("challengeBindingMethods: an account cannot be bound by {method} here");
            remarks.push(Remark::new("setting_without_counterpart", detail));
        }
    }
    match mode {
        "none" => Some(json!({ "mode": "none" })),
        "field" => Some(json!({ "mode": "field" })),
        "challenge" if known.is_empty() => Some(json!({ "mode": "ask" })),
        "challenge" => Some(json!({ "mode": "ask", "methods": known })),
        _ => {
            remarks.push(Remark::new("setting_without_counterpart", "associationMode: an unknown mode"));
            None
        }
    }
}
