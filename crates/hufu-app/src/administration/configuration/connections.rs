//! Connections.

use async_recursion::async_recursion as boxed;
use hufu_store::config::{self, Revised, StoredConnection};
use hufu_store::{Read, StoreError, Tx};
use hufu_types::doctor::meaning_when_fetching_tokens;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{ConnectionId, Identifier, Permission, PoolId};
use serde_json::{Value as Json, json};

use super::super::AdminCaller;
use super::super::paging::{decode_cursor, encode_cursor, page_size};
use super::{AVAILABILITY, expected, identified};
use crate::configuration::RemoveConnection;
use crate::configuration::document::connection::{self, EditConnection};
use crate::configuration::document::{Document, Edit};
use crate::{App, Refusal};

/// Some connections of a pool.
#[derive(Clone, Debug)]
pub struct ConnectionPage {
    /// Their documents.
    pub connections: Vec<Document>,
    /// The cursor of the next page. `None` on the last page.
    pub next: Option<String>,
}

impl App {
    /// The connections of a pool by id, including those that are switched off.
    ///
    /// # Errors
    /// [`Code::Invalid`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn list_connections(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<ConnectionPage, Refusal> {
        self.permit_configuration(by, Permission::ReadConfiguration, pool).await?;
        let limit = page_size(limit)?;
        let after = cursor.map(read_cursor).transpose()?;
        // One extra row shows whether there is a next page.
        let unit = ReadConnectionPage { pool: pool.clone(), after, limit: i64::from(limit) + 1 };
        let mut found = self.read(unit).await?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = found.len() > size;
        found.truncate(size);
        let next = found.last().filter(|_| more).map(|last| encode_cursor(&[last.value.id.as_str()]));
        Ok(ConnectionPage { connections: found.iter().map(|it| self.show_connection(it)).collect(), next })
    }

    /// All connections of a pool in the order of their creation, for surfaces without pages.
    ///
    /// # Errors
    /// The refusals of [`App::permit`].
    #[boxed]
    pub(crate) async fn all_connections(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
    ) -> Result<Vec<Document>, Refusal> {
        self.permit_configuration(by, Permission::ReadConfiguration, pool).await?;
        let found = self.read(ReadConnections(pool.clone())).await?;
        Ok(found.iter().map(|found| self.show_connection(found)).collect())
    }

    /// A connection by its identifier or id.
    ///
    /// # Errors
    /// [`Code::NoSuchConnection`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn connection(&self, by: &AdminCaller, pool: &PoolId, name: &str) -> Result<Document, Refusal> {
        self.permit_configuration(by, Permission::ReadConfiguration, pool).await?;
        Ok(self.show_connection(&self.find_connection(pool, name).await?))
    }

    /// Makes a connection.
    ///
    /// # Errors
    /// [`Code::ConfigurationInvalid`], [`Code::ObjectTaken`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn create_connection(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        document: Document,
    ) -> Result<Document, Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let id = ConnectionId::generate(self.now(), &*self.random);
        let identifier = document.get("identifier").and_then(Json::as_str).map(Identifier::parse);
        let name = identifier.and_then(Result::ok).map_or_else(|| id.to_string(), |known| known.to_string());
        self.write_connection(by, pool, id, name, Edit::New(document), None).await
    }

    /// Changes a connection by a JSON Merge Patch. Its identifier and type cannot change.
    ///
    /// # Errors
    /// [`Code::ConfigurationInvalid`], [`Code::ObjectChanged`], [`Code::NoSuchConnection`], and the refusals of
    /// [`App::permit`].
    #[boxed]
    pub async fn change_connection(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        name: &str,
        mut patch: Document,
        revision: Option<i64>,
    ) -> Result<Document, Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let present = self.find_connection(pool, name).await?;
        let expected = expected(&mut patch, revision, &self.show_connection(&present));
        let (id, name) = (present.value.id, present.value.identifier.to_string());
        self.write_connection(by, pool, id, name, Edit::Patch(patch), expected).await
    }

    /// Removes a connection. The sessions that began through it end. Identities stay.
    ///
    /// # Errors
    /// [`Code::ObjectChanged`], [`Code::NoSuchConnection`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn remove_connection(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        name: &str,
        expected: Option<i64>,
    ) -> Result<(), Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let StoredConnection { id, identifier, .. } = self.find_connection(pool, name).await?.value;
        let operation = RemoveConnection { pool: pool.clone(), id, identifier, expected };
        let written = self.reconfigure(by, operation).await?;
        written.unless_changed(|now| self.show_connection(now)).map(drop)
    }

    async fn write_connection(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: ConnectionId,
        name: String,
        mut edit: Edit,
        expected: Option<i64>,
    ) -> Result<Document, Refusal> {
        let (sealing, random) = (self.sealing.clone(), self.random.clone());
        let knows_of_new_app = edit.take_confirmation();
        let pool = pool.clone();
        let operation = EditConnection { pool, id, name, edit, expected, knows_of_new_app, sealing, random };
        let show = |now: &_| self.show_connection(now);
        let now = self.reconfigure(by, operation).await?.unless_changed(show)?;
        Ok(now.as_ref().map(show).unwrap_or_default())
    }

    async fn find_connection(&self, pool: &PoolId, name: &str) -> Result<Revised<StoredConnection>, Refusal> {
        let all = self.read(ReadConnections(pool.clone())).await?;
        let place = |is: fn(&StoredConnection, &str) -> bool| all.iter().position(|c| is(&c.value, name));
        let found = place(|connection, name| connection.identifier.as_str() == name)
            .or_else(|| place(|connection, name| connection.id.as_str() == name));
        found.and_then(|place| all.get(place)).cloned().ok_or_else(|| Code::NoSuchConnection.into())
    }

    fn show_connection(&self, found: &Revised<StoredConnection>) -> Document {
        let shown = connection::show(&found.value, &self.sealing);
        let mut document = shown.document;
        let secrets = shown.secrets.into_iter().map(|(name, is_set)| (name, is_set.into()));
        document.insert("secrets".to_owned(), Json::Object(secrets.collect()));
        document.insert(AVAILABILITY.to_owned(), self.availability(&found.value));
        identified(document, found.value.id.as_str(), found.revision)
    }

    /// Whether WeChat serves the app of a connection, as this node knows it.
    fn availability(&self, connection: &StoredConnection) -> Json {
        match self.config().outage_of(&connection.pool, &connection.id) {
            None => json!({ "available": true }),
            Some(outage) => json!({
                "available": false,
                "since": outage.since.to_iso(),
                "reason": meaning_when_fetching_tokens(outage.errcode),
                "errcode": outage.errcode,
                "rid": outage.rid,
            }),
        }
    }
}

pub(super) struct ReadConnections(pub(super) PoolId);

impl Read for ReadConnections {
    type Out = Vec<Revised<StoredConnection>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        config::connections_of(tx, &self.0).await
    }
}

fn read_cursor(text: &str) -> Result<ConnectionId, Refusal> {
    let [id] = decode_cursor(text)?;
    ConnectionId::parse(&id).map_err(|_| Refusal::invalid("cursor", Reason::NotACursor))
}

struct ReadConnectionPage {
    pool: PoolId,
    after: Option<ConnectionId>,
    limit: i64,
}

impl Read for ReadConnectionPage {
    type Out = Vec<Revised<StoredConnection>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        config::page_of_connections(tx, &self.pool, self.after.as_ref(), self.limit).await
    }
}
