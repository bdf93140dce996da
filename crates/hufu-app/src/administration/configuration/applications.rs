//! Applications, with their client secrets.

use std::collections::HashSet;

use async_recursion::async_recursion as boxed;
use hufu_store::config::{self, Revised, StoredConnection};
use hufu_store::{Read, StoreError, Tx, administration};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{
    Application, ApplicationId, ClientSecret, OpaqueToken, Permission, PoolId, TokenPurpose, UserId,
};
use secrecy::SecretString;
use serde_json::json;

use super::super::AdminCaller;
use super::super::paging::{decode_cursor, encode_cursor, page_size};
use super::{SECRETS, expected, identified, wished_id};
use crate::configuration::document::application::{self, EditAfterLogin, EditApplication};
use crate::configuration::document::{Document, Edit};
use crate::configuration::{AddClientSecret, Operation, RemoveApplication, RemoveClientSecret};
use crate::digest::hash_token;
use crate::{App, Refusal};

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
        let (mut found, around) = self.read(unit).await?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = found.len() > size;
        found.truncate(size);
        let next = found.last().filter(|_| more).map(|last| {
            let Application { position, id, .. } = &last.value;
            encode_cursor(&[&position.to_string(), id.as_str()])
        });
        let applications = found.iter().map(|found| self.show_application(found, &around)).collect();
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
        let (found, around) = self.read(unit).await?;
        Ok(self.show_application(&found.ok_or(Code::NoSuchApplication)?, &around))
    }

    /// Makes an application. `id` in the document is the wish for an id.
    ///
    /// # Errors
    /// [`Code::ConfigurationInvalid`], [`Code::ObjectTaken`], [`Code::RecentLoginNeeded`] if it gets a secret, and the
    /// refusals of [`App::permit`].
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
    /// [`Code::ConfigurationInvalid`], [`Code::ObjectChanged`], [`Code::NoSuchApplication`], [`Code::RecentLoginNeeded`] if
    /// it gets a secret, and the refusals of [`App::permit`].
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
        let (present, around) = self.read(unit).await?;
        let shown = self.show_application(&present.ok_or(Code::NoSuchApplication)?, &around);
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
    /// [`Code::ConfigurationInvalid`] for a client without secrets, [`Code::NoSuchApplication`],
    /// [`Code::RecentLoginNeeded`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn add_client_secret(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        application: &ApplicationId,
    ) -> Result<WrittenApplication, Refusal> {
        self.add_client_secret_unless_changed(by, pool, application, None).await
    }

    /// The same, unless the application is not as the caller saw it.
    ///
    /// # Errors
    /// Also [`Code::ObjectChanged`].
    #[boxed]
    pub async fn add_client_secret_unless_changed(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        application: &ApplicationId,
        expected: Option<i64>,
    ) -> Result<WrittenApplication, Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        self.check_recent_login(by)?;
        let (secret, stored) = self.new_client_secret(by);
        let (pool, application) = (pool.clone(), application.clone());
        let operation = AddClientSecret { pool, application, secret: stored, expected };
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
        let found =
            secrets.find(|stored| self.client_secret_id(stored) == secret).ok_or(Code::NoSuchSecret)?;
        let (pool, application) = (pool.clone(), application.clone());
        let operation = RemoveClientSecret { pool, application, secret: found.hash, expected };
        self.reconfigure_application(by, operation).await.map(drop)
    }

    async fn write_application(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: ApplicationId,
        edit: Edit,
        expected: Option<i64>,
    ) -> Result<WrittenApplication, Refusal> {
        let (secret, candidate) = self.new_client_secret(by);
        let made = candidate.hash.clone();
        let edit = EditApplication { pool: pool.clone(), id, edit, expected, candidate };
        let is_stale = self.check_recent_login(by).is_err();
        let within = is_stale.then_some(self.limits.admin_step_up.as_secs() / 60);
        let operation = EditAfterLogin { edit, within };
        let (document, now) = self.reconfigure_application(by, operation).await?;
        let is_made = |now: &Application| now.secrets.iter().any(|stored| stored.hash == made);
        let secret = now.as_ref().is_some_and(is_made).then_some(secret);
        Ok(WrittenApplication { document, secret })
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
        let makers = written.now().map(|now| makers(std::iter::once(&now.value))).unwrap_or_default();
        let around = self.read(ReadAround { pool, makers }).await?;
        let show = |now: &_| self.show_application(now, &around);
        let now = written.unless_changed(show)?;
        Ok((now.as_ref().map(show).unwrap_or_default(), now.map(|now| now.value)))
    }

    fn show_application(&self, found: &Revised<Application>, around: &Around) -> Document {
        let mut document = application::show(&found.value, &around.connections);
        let show = |secret: &ClientSecret| {
            json!({
                "id": self.client_secret_id(secret),
                "created_at": secret.created_at.to_iso(),
                "created_by": secret.created_by.as_ref().map(UserId::as_str),
                "created_by_dismissed": secret.created_by.as_ref().is_some_and(|by| around.dismissed.contains(by)),
            })
        };
        document.insert(SECRETS.to_owned(), found.value.secrets.iter().map(show).collect());
        identified(document, found.value.id.as_str(), found.revision)
    }

    fn new_client_secret(&self, by: &AdminCaller) -> (SecretString, ClientSecret) {
        let secret = OpaqueToken::generate(TokenPurpose::ClientSecret, &*self.random);
        let hash = hash_token(secret.expose());
        let (created_at, created_by) = (self.now(), by.responsible.clone());
        (SecretString::from(secret.expose()), ClientSecret { hash, created_at, created_by })
    }

    /// The name of a client secret. It is keyed, so that it tells nothing of a secret that somebody chose.
    pub fn client_secret_id(&self, secret: &ClientSecret) -> String {
        let mac = self.sealing.mac("client_secret:id", secret.hash.as_bytes());
        hex::encode(mac.get(..8).unwrap_or_default())
    }
}

fn read_cursor(text: &str) -> Result<(i64, ApplicationId), Refusal> {
    let wrong = || Refusal::invalid("cursor", Reason::NotACursor);
    let [position, id] = decode_cursor(text)?;
    Ok((position.parse().map_err(|_| wrong())?, ApplicationId::parse(&id).map_err(|_| wrong())?))
}

/// What applications are shown with.
struct Around {
    /// The connections of the pool.
    connections: Vec<Revised<StoredConnection>>,
    /// Who made client secrets of theirs and has no role in the pool any more.
    dismissed: HashSet<UserId>,
}

/// Who made the client secrets of applications.
fn makers<'a>(applications: impl Iterator<Item = &'a Application>) -> HashSet<UserId> {
    applications.flat_map(|one| &one.secrets).filter_map(|secret| secret.created_by.clone()).collect()
}

struct ReadAround {
    pool: PoolId,
    makers: HashSet<UserId>,
}

impl Read for ReadAround {
    type Out = Around;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Around, StoreError> {
        let mut dismissed = HashSet::new();
        for maker in &self.makers {
            let roles = administration::roles_of(tx, maker).await?;
            if !roles.iter().any(|role| role.is_in(Some(&self.pool))) {
                dismissed.insert(maker.clone());
            }
        }
        Ok(Around { connections: config::connections_of(tx, &self.pool).await?, dismissed })
    }
}

struct ReadApplications {
    pool: PoolId,
    after: Option<(i64, ApplicationId)>,
    limit: i64,
}

impl Read for ReadApplications {
    type Out = (Vec<Revised<Application>>, Around);

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let found = config::page_of_applications(tx, &self.pool, self.after.as_ref(), self.limit).await?;
        let makers = makers(found.iter().map(|found| &found.value));
        Ok((found, ReadAround { pool: self.pool.clone(), makers }.run(tx).await?))
    }
}

struct ReadApplication {
    pool: PoolId,
    id: ApplicationId,
}

impl Read for ReadApplication {
    type Out = (Option<Revised<Application>>, Around);

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let found = config::application(tx, &self.pool, &self.id).await?;
        let makers = makers(found.iter().map(|found| &found.value));
        Ok((found, ReadAround { pool: self.pool.clone(), makers }.run(tx).await?))
    }
}
