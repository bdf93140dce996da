//! The configuration by administrators: pools with their settings, applications and connections, as documents whose
//! members are the keys of the file of `hufu apply`. See [`crate::configuration::document`].

use async_recursion::async_recursion as boxed;
use hufu_store::config::{self, Revised, StoredConnection};
use hufu_store::{Read, StoreError, Tx};
use hufu_types::doctor::meaning_when_fetching_tokens;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{
    Application, ApplicationId, ClientSecret, ConnectionId, Identifier, OpaqueToken, Permission, Pool,
    PoolId, SettingProblem, TokenPurpose,
};
use secrecy::SecretString;
use serde_json::{Value as Json, json};

use super::AdminCaller;
use super::search::{decode_cursor, encode_cursor, page_size};
use crate::configuration::document::application::{self, EditApplication};
use crate::configuration::document::connection::{self, EditConnection};
use crate::configuration::document::pool::{self, EditPool};
use crate::configuration::document::{Document, Edit};
use crate::configuration::{
    AddClientSecret, Change, Operation, Outcome, Rejection, RemoveApplication, RemoveClientSecret,
    RemoveConnection,
};
use crate::digest::hash_token;
use crate::{App, Refusal};

/// The revision of an object, a member of each shown document.
const REVISION: &str = "revision";
/// Whether a connection is available, a member of each shown document that nobody writes.
const AVAILABILITY: &str = "availability";

/// Some applications of a pool.
#[derive(Clone, Debug)]
pub struct ApplicationPage {
    /// Their documents.
    pub applications: Vec<Document>,
    /// The cursor of the next page. `None` on the last page.
    pub next: Option<String>,
}

/// An application that was written.
#[derive(Debug)]
pub struct WrittenApplication {
    /// Its document.
    pub document: Document,
    /// The client secret that was made for it. It is only shown here.
    pub secret: Option<SecretString>,
}

impl App {
    /// The applications of a pool in their order, including those that are switched off.
    ///
    /// # Errors
    /// [`Code::Invalid`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn list_applications(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<ApplicationPage, Refusal> {
        self.permit_configuration(by, Permission::ReadConfiguration, pool).await?;
        let limit = page_size(limit)?;
        let after = cursor.map(read_cursor).transpose()?;
        // One extra row shows whether there is a next page.
        let unit = ReadApplications { pool: pool.clone(), after, limit: i64::from(limit) + 1 };
        let (mut found, connections) = self.read(unit).await?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = found.len() > size;
        found.truncate(size);
        let next = found.last().filter(|_| more).map(|last| {
            let Application { position, id, .. } = &last.value;
            encode_cursor(&[&position.to_string(), id.as_str()])
        });
        let applications = found.iter().map(|found| self.show_application(found, &connections)).collect();
        Ok(ApplicationPage { applications, next })
    }

    /// An application.
    ///
    /// # Errors
    /// [`Code::NoSuchApplication`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn application(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: &ApplicationId,
    ) -> Result<Document, Refusal> {
        self.permit_configuration(by, Permission::ReadConfiguration, pool).await?;
        let unit = ReadApplication { pool: pool.clone(), id: id.clone() };
        let (found, connections) = self.read(unit).await?;
        Ok(self.show_application(&found.ok_or(Code::NoSuchApplication)?, &connections))
    }

    /// Makes an application. `id` in the document is the wish for an id.
    ///
    /// # Errors
    /// [`Code::ConfigurationInvalid`], [`Code::ObjectTaken`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn create_application(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        mut document: Document,
    ) -> Result<WrittenApplication, Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let id = wished_id(&mut document, ApplicationId::parse)?
            .unwrap_or_else(|| ApplicationId::generate(self.now(), &*self.random));
        self.write_application(by, pool, id, Edit::New(document), None).await
    }

    /// Changes an application by a JSON Merge Patch.
    ///
    /// # Errors
    /// [`Code::ConfigurationInvalid`], [`Code::ObjectChanged`], [`Code::NoSuchApplication`], and the refusals of
    /// [`App::permit`].
    #[boxed]
    pub async fn change_application(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: &ApplicationId,
        mut patch: Document,
        revision: Option<i64>,
    ) -> Result<WrittenApplication, Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let unit = ReadApplication { pool: pool.clone(), id: id.clone() };
        let (present, connections) = self.read(unit).await?;
        let shown = self.show_application(&present.ok_or(Code::NoSuchApplication)?, &connections);
        let expected = expected(&mut patch, revision, &shown);
        self.write_application(by, pool, id.clone(), Edit::Patch(patch), expected).await
    }

    /// Removes an application. Its sessions end.
    ///
    /// # Errors
    /// [`Code::ObjectChanged`], [`Code::NoSuchApplication`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn remove_application(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: &ApplicationId,
        expected: Option<i64>,
    ) -> Result<(), Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let operation = RemoveApplication { pool: pool.clone(), id: id.clone(), expected };
        self.reconfigure_application(by, operation).await.map(drop)
    }

    /// Makes a new client secret. The one before stays valid, the one before that does not.
    ///
    /// # Errors
    /// [`Code::ConfigurationInvalid`] for a client without secrets, [`Code::NoSuchApplication`], and the refusals of
    /// [`App::permit`].
    #[boxed]
    pub async fn add_client_secret(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        application: &ApplicationId,
    ) -> Result<WrittenApplication, Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let (secret, stored) = self.new_client_secret();
        let operation =
            AddClientSecret { pool: pool.clone(), application: application.clone(), secret: stored };
        let (document, _) = self.reconfigure_application(by, operation).await?;
        Ok(WrittenApplication { document, secret: Some(secret) })
    }

    /// Ends a client secret at once. Tokens that were issued by it stay valid.
    ///
    /// # Errors
    /// [`Code::OnlySecret`], [`Code::NoSuchSecret`], [`Code::ObjectChanged`], [`Code::NoSuchApplication`], and the
    /// refusals of [`App::permit`].
    #[boxed]
    pub async fn end_client_secret(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        application: &ApplicationId,
        secret: &str,
        expected: Option<i64>,
    ) -> Result<(), Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let unit = ReadApplication { pool: pool.clone(), id: application.clone() };
        let (present, _) = self.read(unit).await?;
        let mut secrets = present.ok_or(Code::NoSuchApplication)?.value.secrets.into_iter();
        let found = secrets.find(|stored| self.secret_id(stored) == secret).ok_or(Code::NoSuchSecret)?;
        let (pool, application) = (pool.clone(), application.clone());
        let operation = RemoveClientSecret { pool, application, secret: found.hash, expected };
        self.reconfigure_application(by, operation).await.map(drop)
    }

    /// The connections of a pool in the order of their creation, including those that are switched off.
    ///
    /// # Errors
    /// The refusals of [`App::permit`].
    #[boxed]
    pub async fn list_connections(&self, by: &AdminCaller, pool: &PoolId) -> Result<Vec<Document>, Refusal> {
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

    /// A pool with its settings.
    ///
    /// # Errors
    /// The refusals of [`App::permit`].
    #[boxed]
    pub async fn pool(&self, by: &AdminCaller, pool: &PoolId) -> Result<Document, Refusal> {
        self.permit_configuration(by, Permission::ReadConfiguration, pool).await?;
        Ok(show_pool(&self.read(ReadPool(pool.clone())).await?.ok_or(Code::PoolUnknown)?))
    }

    /// Makes a pool. `id` in the document is the wish for an id. Only callers with access to all pools may.
    ///
    /// # Errors
    /// [`Code::ConfigurationInvalid`], [`Code::ObjectTaken`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn create_pool(&self, by: &AdminCaller, mut document: Document) -> Result<Document, Refusal> {
        self.permit_everywhere(by, Permission::WriteConfiguration).await?;
        let id = wished_id(&mut document, PoolId::parse)?;
        let id = id.unwrap_or_else(|| PoolId::generate(self.now(), &*self.random));
        if id == PoolId::system() {
            return Err(Code::ObjectTaken.with("field", "id"));
        }
        self.write_pool(by, EditPool { id, edit: Edit::New(document), expected: None }).await
    }

    /// Changes the name or the settings of a pool by a JSON Merge Patch.
    ///
    /// # Errors
    /// [`Code::ConfigurationInvalid`], [`Code::ObjectChanged`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn change_pool(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        mut patch: Document,
        revision: Option<i64>,
    ) -> Result<Document, Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let present = self.read(ReadPool(pool.clone())).await?.ok_or(Code::PoolUnknown)?;
        let expected = expected(&mut patch, revision, &show_pool(&present));
        self.write_pool(by, EditPool { id: pool.clone(), edit: Edit::Patch(patch), expected }).await
    }

    /// Checks a permission. The pool of the administrators is not configured, so here there is none.
    pub(crate) async fn permit_configuration(
        &self,
        by: &AdminCaller,
        permission: Permission,
        pool: &PoolId,
    ) -> Result<(), Refusal> {
        if *pool == PoolId::system() {
            return Err(Code::PoolUnknown.into());
        }
        self.permit(by, permission, pool).await
    }

    async fn write_application(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: ApplicationId,
        edit: Edit,
        expected: Option<i64>,
    ) -> Result<WrittenApplication, Refusal> {
        let (secret, candidate) = self.new_client_secret();
        let made = candidate.hash.clone();
        let operation = EditApplication { pool: pool.clone(), id, edit, expected, candidate };
        let (document, now) = self.reconfigure_application(by, operation).await?;
        let is_made = |now: &Application| now.secrets.iter().any(|stored| stored.hash == made);
        let secret = now.as_ref().is_some_and(is_made).then_some(secret);
        Ok(WrittenApplication { document, secret })
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

    async fn write_pool(&self, by: &AdminCaller, operation: EditPool) -> Result<Document, Refusal> {
        let now = self.reconfigure(by, operation).await?.unless_changed(show_pool)?;
        Ok(now.as_ref().map(show_pool).unwrap_or_default())
    }

    /// Runs an operation on an application. Returns its document, and the application if it is still there.
    async fn reconfigure_application(
        &self,
        by: &AdminCaller,
        operation: impl Operation<Object = Application>,
    ) -> Result<(Document, Option<Application>), Refusal> {
        let pool = operation.pool().clone();
        let written = self.reconfigure(by, operation).await?;
        // Identifiers never change, so those of a moment later are right as well.
        let connections = self.read(ReadConnections(pool)).await?;
        let show = |now: &_| self.show_application(now, &connections);
        let now = written.unless_changed(show)?;
        Ok((now.as_ref().map(show).unwrap_or_default(), now.map(|now| now.value)))
    }

    /// Runs an operation. Other nodes take the change up by their poll, this one at once.
    async fn reconfigure<O: Operation>(
        &self,
        by: &AdminCaller,
        operation: O,
    ) -> Result<Written<O::Object>, Refusal> {
        let trace = self.trace_by(operation.pool(), by);
        match self.write(Change { operation, trace }).await? {
            Outcome::Done { now, changed } => {
                if !changed.is_empty() {
                    self.reload_config().await;
                }
                Ok(Written::Done(now))
            }
            Outcome::Conflict { now, .. } => Ok(Written::Conflict(now)),
            Outcome::Rejected(rejection) => Err(refusal_of(rejection)),
        }
    }

    async fn find_connection(&self, pool: &PoolId, name: &str) -> Result<Revised<StoredConnection>, Refusal> {
        let all = self.read(ReadConnections(pool.clone())).await?;
        let place = |is: fn(&StoredConnection, &str) -> bool| all.iter().position(|c| is(&c.value, name));
        let found = place(|connection, name| connection.identifier.as_str() == name)
            .or_else(|| place(|connection, name| connection.id.as_str() == name));
        found.and_then(|place| all.get(place)).cloned().ok_or_else(|| Code::NoSuchConnection.into())
    }

    fn show_application(
        &self,
        found: &Revised<Application>,
        connections: &[Revised<StoredConnection>],
    ) -> Document {
        let mut document = application::show(&found.value, connections);
        let secrets =
            found.value.secrets.iter().map(
                |secret| json!({ "id": self.secret_id(secret), "created_at": secret.created_at.to_iso() }),
            );
        document.insert("secrets".to_owned(), secrets.collect());
        identified(document, found.value.id.as_str(), found.revision)
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

    fn new_client_secret(&self) -> (SecretString, ClientSecret) {
        let secret = OpaqueToken::generate(TokenPurpose::ClientSecret, &*self.random);
        let hash = hash_token(secret.expose());
        (SecretString::from(secret.expose()), ClientSecret { hash, created_at: self.now() })
    }

    /// The name of a client secret. It is keyed, so that it tells nothing of a secret that somebody chose.
    fn secret_id(&self, secret: &ClientSecret) -> String {
        let mac = self.sealing.mac("client_secret:id", secret.hash.as_bytes());
        hex::encode(mac.get(..8).unwrap_or_default())
    }
}

/// What became of an operation that was not refused.
enum Written<T> {
    Done(Option<Revised<T>>),
    /// Somebody else has changed the object, which is now so.
    Conflict(Option<Revised<T>>),
}

impl<T> Written<T> {
    /// The object as it is now.
    ///
    /// # Errors
    /// [`Code::ObjectChanged`] with the present object, if somebody else has changed it.
    fn unless_changed(self, show: impl Fn(&Revised<T>) -> Document) -> Result<Option<Revised<T>>, Refusal> {
        match self {
            Self::Done(now) => Ok(now),
            Self::Conflict(now) => {
                let present = now.as_ref().map_or(Json::Null, |now| Json::Object(show(now)));
                Err(Refusal::new(Code::ObjectChanged).carrying(json!({ "present": present })))
            }
        }
    }
}

fn show_pool(found: &Revised<Pool>) -> Document {
    identified(pool::show(&found.value), found.value.id.as_str(), found.revision)
}

fn identified(mut document: Document, id: &str, revision: i64) -> Document {
    document.insert("id".to_owned(), id.into());
    document.insert(REVISION.to_owned(), revision.into());
    document
}

/// Takes out of a patch what a caller sends back as it was shown, and which revision they have seen. What remains of
/// that is reported by whoever reads the document.
fn expected(patch: &mut Document, revision: Option<i64>, shown: &Document) -> Option<i64> {
    for name in ["id", "secrets", AVAILABILITY] {
        if patch.get(name).is_some_and(|sent| Some(sent) == shown.get(name)) {
            patch.remove(name);
        }
    }
    let sent = patch.get(REVISION).and_then(Json::as_i64);
    if sent.is_some() && (revision.is_none() || revision == sent) {
        patch.remove(REVISION);
    }
    revision.or(sent)
}

/// Takes the id that somebody wishes for out of a new object.
fn wished_id<T, E>(document: &mut Document, parse: fn(&str) -> Result<T, E>) -> Result<Option<T>, Refusal> {
    match document.remove("id") {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => parse(&text).map(Some).map_err(|_| unfit_id()),
        Some(_) => Err(unfit_id()),
    }
}

fn unfit_id() -> Refusal {
    let rule = hufu_types::IdError;
    invalid(&[SettingProblem { path: "id".to_owned(), reason: format!("not valid — {rule}") }])
}

/// The refusal of an object that cannot be as requested.
fn invalid(problems: &[SettingProblem]) -> Refusal {
    let problems: Vec<Json> =
        problems.iter().map(|problem| json!({ "field": problem.path, "reason": problem.reason })).collect();
    Refusal::new(Code::ConfigurationInvalid).carrying(json!({ "problems": problems }))
}

fn refusal_of(rejection: Rejection) -> Refusal {
    let at = |path: &str, reason: String| invalid(&[SettingProblem { path: path.to_owned(), reason }]);
    match rejection {
        Rejection::Settings(problems) => invalid(&problems),
        Rejection::NoPool => Code::PoolUnknown.into(),
        Rejection::NoApplication => Code::NoSuchApplication.into(),
        Rejection::NoSuchConnection => Code::NoSuchConnection.into(),
        Rejection::NoSecret => Code::NoSuchSecret.into(),
        Rejection::OnlySecret => Code::OnlySecret.into(),
        // Which pool has it is nobody's business here.
        Rejection::ApplicationIdTaken(_) | Rejection::PoolIdTaken => Code::ObjectTaken.with("field", "id"),
        Rejection::AppInUse => {
            let reason = format!("{rejection} — send confirm = true to go on");
            at("fields.app_id", reason)
        }
        Rejection::VerificationFileTaken => Code::ObjectTaken.with("field", "verification_file.name"),
        Rejection::IdentifierTaken => Code::ObjectTaken.with("field", "identifier"),
        Rejection::PublicClient => {
            let advice = "write client_secret_basic or client_secret_post first";
            at("token_auth", format!("a client of this kind has no secret — {advice}"))
        }
        // Only a client that registers or manages itself is told these.
        Rejection::RegistrationEnded => Code::RegistrationUnauthorized.into(),
        Rejection::TooManyClients(most) => Code::TooManyClients.with("most", most.to_string()),
        // The reader of the document has already found these.
        Rejection::NoName => at("name", rejection.to_string()),
        Rejection::Fixed(..) => at("type", rejection.to_string()),
        Rejection::NoConnection(_) | Rejection::ConnectionUnusable(..) => {
            at("connections", rejection.to_string())
        }
        Rejection::SessionTooShort => at("tokens.session", rejection.to_string()),
    }
}

fn read_cursor(text: &str) -> Result<(i64, ApplicationId), Refusal> {
    let wrong = || Refusal::invalid("cursor", Reason::NotACursor);
    let [position, id] = decode_cursor(text)?;
    Ok((position.parse().map_err(|_| wrong())?, ApplicationId::parse(&id).map_err(|_| wrong())?))
}

struct ReadApplications {
    pool: PoolId,
    after: Option<(i64, ApplicationId)>,
    limit: i64,
}

impl Read for ReadApplications {
    type Out = (Vec<Revised<Application>>, Vec<Revised<StoredConnection>>);

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let found = config::page_of_applications(tx, &self.pool, self.after.as_ref(), self.limit).await?;
        Ok((found, config::connections_of(tx, &self.pool).await?))
    }
}

struct ReadApplication {
    pool: PoolId,
    id: ApplicationId,
}

impl Read for ReadApplication {
    type Out = (Option<Revised<Application>>, Vec<Revised<StoredConnection>>);

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let found = config::application(tx, &self.pool, &self.id).await?;
        Ok((found, config::connections_of(tx, &self.pool).await?))
    }
}

struct ReadConnections(PoolId);

impl Read for ReadConnections {
    type Out = Vec<Revised<StoredConnection>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        config::connections_of(tx, &self.0).await
    }
}

struct ReadPool(PoolId);

impl Read for ReadPool {
    type Out = Option<Revised<Pool>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        config::pool(tx, &self.0).await
    }
}
