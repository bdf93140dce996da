//! The users whom an application lists, if it lets only those log in.

use async_recursion::async_recursion as boxed;
use hufu_store::application_users::{self, ListApplicationUsers};
use hufu_store::{StoreError, Tx, Write, endings, versions};
use hufu_types::refusal::Code;
use hufu_types::{Action, ApplicationId, Permission, PoolId, UserId};
use serde_json::json;

use super::AdminCaller;
use super::paging::{decode_cursor, encode_cursor, page_size};
use super::users::{Rejection, locked};
use crate::events::{Event, Trace};
use crate::tokens::EndedSession;
use crate::{App, Refusal};

/// A page of the users whom an application lists.
#[derive(Clone, Debug)]
pub struct ListedPage {
    /// Their ids.
    pub users: Vec<UserId>,
    /// Pass this as `cursor` to get the next page. Absent on the last page.
    pub next: Option<String>,
}

impl App {
    /// The users whom an application lists, in the order of their ids.
    ///
    /// # Errors
    /// [`Code::NoSuchApplication`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn users_of_application(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        application: &str,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<ListedPage, Refusal> {
        self.permit(by, Permission::ReadUsers, pool).await?;
        let application = self.application_in(pool, application)?;
        let limit = page_size(limit)?;
        let after = cursor.map(decode_cursor::<1>).transpose()?.map(|[after]| after).unwrap_or_default();
        let unit = ListApplicationUsers { pool: pool.clone(), application, after, limit: limit + 1 };
        let mut users = self.read(unit).await?;
        let has_more = users.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        if has_more {
            users.pop();
        }
        let last = users.last().filter(|_| has_more);
        Ok(ListedPage { next: last.map(|last| encode_cursor(&[last.as_str()])), users })
    }

    /// Lists a user, who may then log in to the application.
    ///
    /// # Errors
    /// [`Code::NoSuchApplication`], [`Code::UserUnknown`], [`Code::MergedInto`], and the refusals of [`App::permit`].
    pub async fn list_user(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        application: &str,
        user: &UserId,
    ) -> Result<(), Refusal> {
        self.set_listed(by, pool, application, user, true).await
    }

    /// Takes a user off the list, and ends their sessions of the application, which is told.
    ///
    /// # Errors
    /// [`Code::NoSuchApplication`], [`Code::UserUnknown`], [`Code::MergedInto`], and the refusals of [`App::permit`].
    pub async fn unlist_user(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        application: &str,
        user: &UserId,
    ) -> Result<(), Refusal> {
        self.set_listed(by, pool, application, user, false).await
    }

    #[boxed]
    async fn set_listed(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        application: &str,
        user: &UserId,
        listed: bool,
    ) -> Result<(), Refusal> {
        self.permit(by, Permission::WriteUsers, pool).await?;
        let application = self.application_in(pool, application)?;
        let (pool, user, trace) = (pool.clone(), user.clone(), self.trace_by(pool, by));
        let ended = self.write(SetListed { pool, application, user, listed, trace }).await??;
        self.forget_sessions(&ended);
        Ok(())
    }

    fn application_in(&self, pool: &PoolId, id: &str) -> Result<ApplicationId, Refusal> {
        let config = self.config();
        let applications = config.of_pool(pool).ok_or(Code::PoolUnknown)?.applications();
        let found = applications.iter().find(|application| application.id.as_str() == id);
        Ok(found.ok_or(Code::NoSuchApplication)?.id.clone())
    }
}

/// Lists a user or takes them off the list.
struct SetListed {
    pool: PoolId,
    application: ApplicationId,
    user: UserId,
    listed: bool,
    trace: Trace,
}

impl Write for SetListed {
    /// The sessions that ended.
    type Out = Result<Vec<EndedSession>, Rejection>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let user = match locked(tx, pool, &self.user).await? {
            Ok(user) => user,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let changes = if self.listed {
            application_users::put(tx, pool, &self.application, &user.id, now).await?
        } else {
            application_users::remove(tx, pool, &self.application, &user.id).await?
        };
        let mut ended = Vec::new();
        if !changes {
            return Ok(Ok(ended));
        }
        if !self.listed {
            ended = endings::of_account_at(tx, pool, &user.id, &self.application, now).await?;
            if !ended.is_empty() {
                versions::sessions_changed(tx).await?;
            }
        }
        let details = json!({ "application": self.application.as_str(), "listed": self.listed });
        self.trace
            .recorder()
            .record(tx, pool, Event::of(Action::UserUpdated, &user.id).with(details))
            .await?;
        Ok(Ok(ended))
    }
}
