//! Identity sources, as the published management clients have them: a name for some connections of a pool. Logins know
//! nothing of them. A connection that was made in another way is a source by itself, of its own name and id.

use async_recursion::async_recursion as boxed;
use hufu_store::identity_sources::{self as store, ListSources};
use hufu_store::{StoreError, Tx, Write};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Action, ConnectionId, Permission, PoolId};
use serde_json::{Value as Json, json};

use super::AdminCaller;
use crate::configuration::document::Document;
use crate::events::{Event, Trace};
use crate::{App, Refusal};

/// The longest name, in characters.
const LONGEST_NAME: usize = 100;

/// An identity source.
#[derive(Clone, Debug)]
pub struct IdentitySource {
    /// The id; that of the connection if it is a source by itself.
    pub id: ConnectionId,
    /// The name.
    pub name: String,
    /// Its connections, as documents.
    pub connections: Vec<Document>,
}

impl App {
    /// The identity sources of a pool.
    ///
    /// # Errors
    /// The refusals of [`App::permit`].
    #[boxed]
    pub async fn identity_sources(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
    ) -> Result<Vec<IdentitySource>, Refusal> {
        let connections = self.all_connections(by, pool).await?;
        let stored = self.read(ListSources(pool.clone())).await?;
        let mut sources: Vec<_> = stored
            .sources
            .into_iter()
            .map(|(id, name)| IdentitySource { id, name, connections: Vec::new() })
            .collect();
        for connection in connections {
            let text = |name| connection.get(name).and_then(Json::as_str).unwrap_or_default();
            let Ok(id) = ConnectionId::parse(text("id")) else { continue };
            let source = stored.of_connections.get(&id).unwrap_or(&id);
            if let Some(found) = sources.iter_mut().find(|found| found.id == *source) {
                found.connections.push(connection);
            } else {
                let name = text("display_name").to_owned();
                sources.push(IdentitySource { id, name, connections: vec![connection] });
            }
        }
        Ok(sources)
    }

    /// An identity source by its id.
    ///
    /// # Errors
    /// [`Code::NoSuchSource`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn identity_source(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: &str,
    ) -> Result<IdentitySource, Refusal> {
        let sources = self.identity_sources(by, pool).await?;
        sources.into_iter().find(|source| source.id.as_str() == id).ok_or_else(|| Code::NoSuchSource.into())
    }

    /// Makes an identity source without connections.
    ///
    /// # Errors
    /// [`Code::Invalid`], [`Code::TooManySources`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn create_identity_source(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        name: &str,
    ) -> Result<IdentitySource, Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let name = source_name(name)?;
        let id = ConnectionId::generate(self.now(), &*self.random);
        let most = self.limits.identity_sources;
        let change = SourceChange::Create { name: name.clone(), most };
        if !self.change_source(by, pool, &id, change).await? {
            return Err(Code::TooManySources.with("most", most.to_string()));
        }
        Ok(IdentitySource { id, name, connections: Vec::new() })
    }

    /// Renames an identity source. One that is a connection by itself gets its display name changed.
    ///
    /// # Errors
    /// [`Code::Invalid`], [`Code::NoSuchSource`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn rename_identity_source(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: &str,
        name: &str,
    ) -> Result<IdentitySource, Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let name = source_name(name)?;
        let source = self.identity_source(by, pool, id).await?;
        if !self.change_source(by, pool, &source.id, SourceChange::Rename(name.clone())).await? {
            let patch = Document::from_iter([("display_name".to_owned(), name.clone().into())]);
            self.change_connection(by, pool, source.id.as_str(), patch, None).await?;
        }
        self.identity_source(by, pool, id).await
    }

    /// Removes an identity source with its connections.
    ///
    /// # Errors
    /// [`Code::NoSuchSource`], and the refusals of [`App::remove_connection`].
    #[boxed]
    pub async fn remove_identity_source(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: &str,
    ) -> Result<(), Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let source = self.identity_source(by, pool, id).await?;
        for connection in &source.connections {
            let id = connection.get("id").and_then(Json::as_str).unwrap_or_default();
            self.remove_connection(by, pool, id, None).await?;
        }
        self.change_source(by, pool, &source.id, SourceChange::Remove).await.map(drop)
    }

    /// Makes a connection in an identity source.
    ///
    /// # Errors
    /// [`Code::NoSuchSource`], [`Code::SourceNotOne`] for a source that is a connection by itself, and the refusals of
    /// [`App::create_connection`].
    #[boxed]
    pub async fn create_connection_in(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        source: &str,
        document: Document,
    ) -> Result<Document, Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let source = self.identity_source(by, pool, source).await?.id;
        let stored = self.read(ListSources(pool.clone())).await?;
        if !stored.sources.iter().any(|(id, _)| *id == source) {
            return Err(Code::SourceNotOne.into());
        }
        let made = self.create_connection(by, pool, document).await?;
        let id = made.get("id").and_then(Json::as_str).unwrap_or_default();
        if let Ok(connection) = ConnectionId::parse(id) {
            self.change_source(by, pool, &source, SourceChange::Link(connection)).await?;
        }
        Ok(made)
    }

    async fn change_source(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: &ConnectionId,
        change: SourceChange,
    ) -> Result<bool, Refusal> {
        let trace = self.trace_by(pool, by);
        self.write(ChangeSource { pool: pool.clone(), id: id.clone(), change, trace }).await
    }
}

fn source_name(name: &str) -> Result<String, Refusal> {
    let name = name.trim();
    if !(1..=LONGEST_NAME).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(Refusal::invalid("name", Reason::NotALine { max: LONGEST_NAME }));
    }
    Ok(name.to_owned())
}

enum SourceChange {
    Create { name: String, most: usize },
    Rename(String),
    Remove,
    Link(ConnectionId),
}

struct ChangeSource {
    pool: PoolId,
    id: ConnectionId,
    change: SourceChange,
    trace: Trace,
}

impl Write for ChangeSource {
    /// Whether anything was changed.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let Self { pool, id, change, trace } = self;
        let (is_done, done) = match change {
            SourceChange::Create { name, most } => {
                let is_room = usize::try_from(store::count(tx, pool).await?).is_ok_and(|count| count < *most);
                if is_room {
                    store::insert(tx, pool, id, name, trace.at).await?;
                }
                (is_room, json!({ "after": { "name": name } }))
            }
            SourceChange::Rename(name) => {
                (store::rename(tx, pool, id, name).await?, json!({ "after": { "name": name } }))
            }
            SourceChange::Remove => (store::delete(tx, pool, id).await?, json!({ "after": null })),
            SourceChange::Link(connection) => {
                store::link(tx, pool, connection, id).await?;
                (true, json!({ "after": { "connection": connection.as_str() } }))
            }
        };
        if is_done {
            let mut details = json!({ "kind": "identity_source", "id": id.as_str() });
            if let (Some(details), Json::Object(done)) = (details.as_object_mut(), done) {
                details.extend(done);
            }
            let event = Event { action: Action::ConfigurationChanged, code: 0, user: None, details };
            trace.recorder().record(tx, pool, event).await?;
        }
        Ok(is_done)
    }
}
