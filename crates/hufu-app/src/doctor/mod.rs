//! Checks of connections against WeChat: what is wrong, what it breaks, and how to mend it. `hufu doctor`, `/admin/v1` and
//! the console run the same ones.
//!
//! Reading order: [`Finding`], then `checks`, one function for each capability. The module of a kind lists its checks.

pub(crate) mod checks;
mod finding;

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::rates::{self, Hit};
use hufu_types::doctor::findings;
use hufu_types::refusal::Code;
use hufu_types::{Connection, Permission, PoolId};

use crate::administration::AdminCaller;
use crate::{App, Refusal, sources};

pub use finding::{Check, Finding, Severity};

/// A connection and what was found.
#[derive(Clone, Debug)]
pub struct CheckedConnection {
    /// The connection.
    pub connection: Arc<Connection>,
    /// The findings, in the order in which they are read.
    pub findings: Vec<Finding>,
}

impl CheckedConnection {
    fn new(connection: &Arc<Connection>, found: Vec<Finding>) -> Self {
        let menus = sources::kind(connection.kind).menus;
        let findings = found.into_iter().map(|finding| finding.mended_in(menus)).collect();
        Self { connection: Arc::clone(connection), findings }
    }

    /// The worst finding.
    pub fn severity(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
    }

    /// The AppID, if the kind has one.
    pub fn app_id(&self) -> &str {
        sources::wechat::app_id(&self.connection)
    }
}

impl App {
    /// Checks a connection against its source. The calls count towards the app's own quota: there are at most five.
    ///
    /// # Errors
    /// Those of the database. What is wrong with the connection is a finding.
    #[boxed]
    pub async fn check_connection(&self, connection: &Arc<Connection>) -> Result<CheckedConnection, Refusal> {
        let mut found = Vec::new();
        if self.mini_program_of(connection).is_err() {
            found.push(Finding::new(
                Check::Credentials,
                Severity::Error,
                findings::LOGIN_MINI_PROGRAM_MISSING,
            ));
            found.extend(checks::connection(self, connection).await?);
            return Ok(CheckedConnection::new(connection, found));
        }
        for check in sources::kind(connection.kind).checks {
            found.extend(check(self, connection).await?);
        }
        Ok(CheckedConnection::new(connection, found))
    }

    /// Checks a connection for an administrator, by its identifier or id.
    ///
    /// # Errors
    /// [`Code::NoSuchConnection`], [`Code::TooOften`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn check_connection_by(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        name: &str,
    ) -> Result<CheckedConnection, Refusal> {
        self.permit(by, Permission::WriteConfiguration, pool).await?;
        let connection = self.connection_named(pool, name)?;
        // The checks of the server's own mini program cost its quota, however many connections a pool makes.
        let is_shared = sources::wechat::app_id(&connection).is_empty();
        let of = if is_shared { pool.as_str() } else { connection.id.as_str() };
        let bucket = format!("connection_check:{of}");
        let (most, window) = (self.limits.connection_checks, self.limits.connection_check_window);
        let hit = Hit { name: bucket, amount: 1, window, now: self.now() };
        if self.write(hit).await? > most {
            let wait = rates::wait(window, self.now());
            return Err(Code::TooOften.retry_after(wait).because("checks of this connection"));
        }
        self.check_connection(&connection).await
    }

    /// The connection of a pool with this identifier or id.
    pub(crate) fn connection_named(&self, pool: &PoolId, name: &str) -> Result<Arc<Connection>, Refusal> {
        let config = self.config();
        let all = config.connections(pool);
        let found = all.iter().find(|connection| connection.identifier.as_str() == name);
        let found = found.or_else(|| all.iter().find(|connection| connection.id.as_str() == name));
        found.cloned().ok_or_else(|| Code::NoSuchConnection.into())
    }
}
