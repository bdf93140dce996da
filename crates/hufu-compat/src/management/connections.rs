//! Identity sources (`ext-idp`) and their connections.

use hufu_app::Refusal;
use hufu_app::administration::IdentitySource;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{ApplicationId, ConnectionKind, camel_case};
use serde_json::{Map, Value, json};

use super::applications::enabled_connections;
use super::call::Call;
use super::put;
use super::sent::Sent;
use super::users::{BATCH, success};
use crate::envelope::Success;
use crate::surface::Answer;

/// How often a switch is tried again while others change the same application.
const SWITCH_RETRIES: u32 = 3;
/// The only type of sources: all connections are of it.
const WECHAT: &str = "wechat";
/// The clients' names for the same fields of a connection.
const ALIASES: &[(&str, &str)] = &[
    ("clientID", "app_id"),
    ("clientId", "app_id"),
    ("appID", "app_id"),
    ("clientSecret", "app_secret"),
    ("mobileAppID", "mobile_app_id"),
    ("originalID", "original_id"),
    ("redirectURL", "callback"),
];

/// The name in a document for a member that a client sends: `appId` is `app_id`.
pub(super) fn snake(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

pub(super) fn text<'a>(document: &'a Map<String, Value>, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A source without its connections.
pub(super) fn source_told(source: &IdentitySource) -> Value {
    json!({ "id": source.id, "name": source.name, "logo": null, "type": WECHAT })
}

/// A connection, without its secrets.
pub(super) fn connection_told(source: &str, document: &Map<String, Value>) -> Value {
    let association = document.get("association");
    let of = |name| association.and_then(|association| association.get(name));
    let mode = match of("mode").and_then(Value::as_str) {
        Some("ask") => "challenge",
        Some("field") => "field",
        _ => "none",
    };
    let fields: Map<_, _> = document
        .get("fields")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, value)| (camel_case(name), value.clone()))
        .collect();
    json!({
        "id": text(document, "id"),
        "type": text(document, "type"),
        "extIdpId": source,
        "logo": document.get("logo"),
        "identifier": text(document, "identifier"),
        "displayName": text(document, "display_name"),
        "loginOnly": document.get("login_only").unwrap_or(&Value::Bool(false)),
        "enabled": document.get("enabled").unwrap_or(&Value::Bool(true)),
        "associationMode": mode,
        "challengeBindingMethods": of("methods").cloned().unwrap_or_else(|| json!([])),
        "fields": fields,
    })
}

/// What a document takes of a request: what the client names, in the document's names.
pub(super) fn document(sent: &Sent) -> Result<Map<String, Value>, Refusal> {
    sent.without(&["tenantId", "userMatchFields"])?;
    let mut document = Map::new();
    for (name, own) in [
        ("type", "type"),
        ("identifier", "identifier"),
        ("displayName", "display_name"),
        ("logo", "logo"),
        ("loginOnly", "login_only"),
    ] {
        if let Some(value) = sent.0.get(name).filter(|value| !value.is_null()) {
            document.insert(own.to_owned(), value.clone());
        }
    }
    let mut fields = Map::new();
    // The older client's examples have the name of the connection once more among its fields.
    for (name, value) in sent.object("fields")?.0.into_iter().filter(|(name, _)| name != "displayName") {
        let own = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, own)| (*own).to_owned());
        fields.insert(own.unwrap_or_else(|| snake(&name)), value);
    }
    if !fields.is_empty() {
        document.insert("fields".to_owned(), fields.into());
    }
    Ok(document)
}

/// Refuses types of sources that there are not.
pub(super) fn check_source_type(sent: &Sent) -> Result<(), Refusal> {
    if sent.required("type")? == WECHAT {
        return Ok(());
    }
    Err(Refusal::invalid("type", Reason::NotOneOf { choices: WECHAT.into() }))
}

impl Call {
    /// A connection and the id of its source.
    pub(super) async fn found_connection(&self, id: &str) -> Result<(String, Map<String, Value>), Refusal> {
        let sources = self.app.identity_sources(&self.by, &self.pool).await?;
        for source in sources {
            let found = source.connections.into_iter().find(|document| text(document, "id") == id);
            if let Some(document) = found {
                return Ok((source.id.into(), document));
            }
        }
        Err(Code::NoSuchConnection.into())
    }

    /// The connection that a client means by this id: its own, its identifier, or that of a source with one connection.
    pub(super) async fn connection_meant(&self, id: &str) -> Result<String, Refusal> {
        let sources = self.app.identity_sources(&self.by, &self.pool).await?;
        let mut connections = sources.iter().flat_map(|source| &source.connections);
        let is_meant = |document: &&Map<String, Value>| {
            [text(document, "id"), text(document, "identifier")].contains(&id)
        };
        if let Some(document) = connections.find(is_meant) {
            return Ok(text(document, "id").to_owned());
        }
        match sources
            .iter()
            .find(|source| source.id.as_str() == id)
            .map(|source| source.connections.as_slice())
        {
            Some([one]) => Ok(text(one, "id").to_owned()),
            Some(_) => Err(Code::SourceNotOne.into()),
            None => Err(Code::NoSuchConnection.into()),
        }
    }

    /// The identifiers of the connections of a type, or of all types of a source such as `wechat`.
    pub(super) async fn connections_of_type(&self, wanted: &str) -> Result<Vec<String>, Refusal> {
        let sources = self.app.identity_sources(&self.by, &self.pool).await?;
        let of_type = |document: &&Map<String, Value>| wanted == WECHAT || text(document, "type") == wanted;
        let connections = sources.iter().flat_map(|source| &source.connections);
        Ok(connections.filter(of_type).map(|document| text(document, "identifier").to_owned()).collect())
    }

    /// Makes a connection in a source.
    pub(super) async fn made_connection(&self, source: &str, sent: &Sent) -> Result<Value, Refusal> {
        let kind = sent.required("type")?;
        if ConnectionKind::parse(kind).is_none() {
            let choices: Vec<_> = ConnectionKind::ALL.iter().map(|kind| kind.as_str()).collect();
            return Err(Refusal::invalid("type", Reason::NotOneOf { choices: choices.join(", ").into() }));
        }
        let made = self.app.create_connection_in(&self.by, &self.pool, source, document(sent)?).await?;
        Ok(connection_told(source, &made))
    }

    /// Switches a connection on or off for applications; without any, altogether.
    pub(super) async fn switch(
        &self,
        connection: &Map<String, Value>,
        enabled: bool,
        applications: &[String],
    ) -> Result<(), Refusal> {
        if applications.is_empty() {
            let patch = Map::from_iter([("enabled".to_owned(), enabled.into())]);
            return self.patched(text(connection, "id"), patch).await.map(drop);
        }
        for application in applications {
            let id = ApplicationId::parse(application).map_err(|_| Code::NoSuchApplication)?;
            self.switch_for(&id, text(connection, "identifier"), enabled).await?;
        }
        Ok(())
    }

    /// The same for one application, whose list of connections somebody else may be changing.
    async fn switch_for(&self, id: &ApplicationId, connection: &str, enabled: bool) -> Result<(), Refusal> {
        let mut tries = 0;
        loop {
            let document = self.app.application(&self.by, &self.pool, id).await?;
            let mut connections = enabled_connections(&document);
            connections.retain(|present| present != connection);
            if enabled {
                connections.push(connection.to_owned());
            }
            let patch = Map::from_iter([("connections".to_owned(), connections.into())]);
            let revision = document.get("revision").and_then(Value::as_i64);
            match self.app.change_application(&self.by, &self.pool, id, patch, revision).await {
                Err(refusal) if refusal.is(Code::ObjectChanged) && tries < SWITCH_RETRIES => tries += 1,
                done => return done.map(drop),
            }
        }
    }

    /// Changes a connection, and shows it.
    pub(super) async fn patched(&self, id: &str, patch: Map<String, Value>) -> Result<Value, Refusal> {
        let (source, _) = self.found_connection(id).await?;
        let document = self.app.change_connection(&self.by, &self.pool, id, patch, None).await?;
        Ok(connection_told(&source, &document))
    }
}

/// `GET list-ext-idp`
pub(super) async fn list(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["tenantId"])?;
    let mut sources = call.app.identity_sources(&call.by, &call.pool).await?;
    if let Some(application) = call.sent.text("appId")? {
        let enabled = call.connections_of(application).await?;
        let is_enabled =
            |document: &Map<String, Value>| enabled.contains(&text(document, "identifier").to_owned());
        sources.retain(|source| source.connections.iter().any(is_enabled));
    }
    let list: Vec<_> = sources.iter().map(source_told).collect();
    Ok(Success::new(json!({ "totalCount": list.len(), "list": list })))
}

/// `GET get-ext-idp`
pub(super) async fn get(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["tenantId"])?;
    let source = call.app.identity_source(&call.by, &call.pool, call.sent.required("id")?).await?;
    let id = source.id.as_str();
    let connections: Vec<_> =
        source.connections.iter().map(|document| connection_told(id, document)).collect();
    let mut told = source_told(&source);
    put(&mut told, "connections", connections);
    put(&mut told, "autoJoin", false);
    Ok(Success::new(told))
}

/// `POST create-ext-idp`
pub(super) async fn create(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["tenantId"])?;
    check_source_type(&call.sent)?;
    let made = call.app.create_identity_source(&call.by, &call.pool, call.sent.required("name")?).await?;
    Ok(Success::new(source_told(&made)))
}

/// `POST update-ext-idp`
pub(super) async fn update(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["tenantId"])?;
    let (id, name) = (call.sent.required("id")?, call.sent.required("name")?);
    let source = call.app.rename_identity_source(&call.by, &call.pool, id, name).await?;
    Ok(Success::new(source_told(&source)))
}

/// `POST delete-ext-idp`
pub(super) async fn delete(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["tenantId"])?;
    call.app.remove_identity_source(&call.by, &call.pool, call.sent.required("id")?).await?;
    Ok(success())
}

/// `POST create-ext-idp-conn`
pub(super) async fn create_connection(call: Call) -> Answer<Success<Value>> {
    Ok(Success::new(call.made_connection(call.sent.required("extIdpId")?, &call.sent).await?))
}

/// `POST update-ext-idp-conn`: `fields` are merged one by one.
pub(super) async fn update_connection(call: Call) -> Answer<Success<Value>> {
    let id = call.sent.required("id")?;
    Ok(Success::new(call.patched(id, document(&call.sent)?).await?))
}

/// `POST delete-ext-idp-conn`
pub(super) async fn delete_connection(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["tenantId"])?;
    let (_, document) = call.found_connection(call.sent.required("id")?).await?;
    call.app.remove_connection(&call.by, &call.pool, text(&document, "id"), None).await?;
    Ok(success())
}

/// `POST change-ext-idp-conn-state`: switches a connection on or off for applications; without any, altogether.
pub(super) async fn change_state(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["tenantId"])?;
    let (_, document) = call.found_connection(call.sent.required("id")?).await?;
    let enabled = call.sent.flag("enabled")?.ok_or_else(|| Refusal::invalid("enabled", Reason::Missing))?;
    let mut applications = call.sent.texts("appIds", BATCH)?;
    applications.extend(call.sent.text("appId")?.map(str::to_owned));
    applications.dedup();
    call.switch(&document, enabled, &applications).await?;
    Ok(success())
}

/// `POST change-ext-idp-conn-association-state`: whether people whom nobody knows may bind an account that they have.
pub(super) async fn change_association(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["tenantId"])?;
    let asks =
        call.sent.flag("association")?.ok_or_else(|| Refusal::invalid("association", Reason::Missing))?;
    let mode = if asks { "ask" } else { "none" };
    let patch = Map::from_iter([("association".to_owned(), json!({ "mode": mode }))]);
    call.patched(call.sent.required("id")?, patch).await?;
    Ok(success())
}

/// `GET ext-idp-conn-apps`: the applications of the pool, and whether the connection is switched on for each.
pub(super) async fn applications(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["tenantId"])?;
    let (_, document) = call.found_connection(call.sent.required("id")?).await?;
    let list = call.applications_with(text(&document, "identifier")).await?;
    Ok(Success::new(list.into()))
}
