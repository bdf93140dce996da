//! WeChat's app token of a connection, for the owner's other services: who fetches one of their own throws Hufu out, or is
//! thrown out by it.

use std::time::Duration;

use async_recursion::async_recursion as boxed;
use hufu_store::rates::{self, Limit};
use hufu_store::{StoreError, Tx, Write};
use hufu_types::refusal::Code;
use hufu_types::{Action, Connection, Permission, PoolId, Timestamp};
use hufu_wechat::Budget;
use secrecy::SecretString;
use serde_json::json;

use super::AdminCaller;
use crate::events::{Event, Trace};
use crate::sources::wechat::exchange::wechat_refusal;
use crate::sources::wechat::{APP_ID, credentials};
use crate::{App, Refusal, sources};

/// An app token.
#[derive(Clone, Debug)]
pub struct AppTokenView {
    /// The token.
    pub token: SecretString,
    /// When WeChat ends it.
    pub expires_at: Timestamp,
    /// How long that is from now.
    pub expires_in: Duration,
}

impl App {
    /// The app token that all nodes use for a connection, named by its identifier or id. With `refresh`, it has leaked:
    /// WeChat ends it at once and issues another one.
    ///
    /// # Errors
    /// [`Code::NoSuchConnection`], [`Code::NoAppTokens`], [`Code::TooOften`], [`Code::RecentLoginNeeded`], the refusals of
    /// WeChat, and those of [`App::permit`].
    #[boxed]
    pub async fn app_token(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        name: &str,
        refresh: bool,
    ) -> Result<AppTokenView, Refusal> {
        self.permit(by, Permission::WriteConfiguration, pool).await?;
        self.check_recent_login(by)?;
        let connection = self.connection_named(pool, name)?;
        // The token of the server's own mini program is nobody's business but the server's.
        let has_own_app = connection.settings.text(APP_ID).is_some();
        if !sources::kind(connection.kind).has_app_tokens || !has_own_app {
            return Err(Code::NoAppTokens.with("connection", connection.identifier.to_string()));
        }
        let (app, budget) = (credentials(&connection), Budget::of(self.limits.request_budget));
        let held = if refresh {
            self.take_refresh(by, &connection, &self.app_tokens.name_of(&app)).await?;
            self.app_tokens.fetched(&app, true, budget).await
        } else {
            self.app_tokens.held(&app, budget).await
        };
        let held = held.map_err(wechat_refusal)?;
        if !refresh {
            self.write(self.record_of(by, &connection, Action::AppTokenRead)).await?;
        }
        let (token, expires_at) = (held.token.token, held.expires_at);
        Ok(AppTokenView { token, expires_at, expires_in: expires_at.since(self.now()) })
    }

    /// Counts a forced refresh and records it, before WeChat is asked: whatever comes of it, the token may have ended.
    async fn take_refresh(
        &self,
        by: &AdminCaller,
        connection: &Connection,
        app: &str,
    ) -> Result<(), Refusal> {
        let limits = &self.limits;
        let unit = TakeRefresh {
            limit: Limit {
                name: format!("app_token_refresh:{app}"),
                most: limits.app_token_refreshes,
                window: limits.app_token_refresh_window,
            },
            pause: limits.app_token_refresh_pause,
            record: self.record_of(by, connection, Action::AppTokenRefreshed),
        };
        match self.write(unit).await? {
            None => Ok(()),
            Some(wait) => Err(Code::TooOften.retry_after(wait).because("forced refreshes of this app token")),
        }
    }

    fn record_of(&self, by: &AdminCaller, connection: &Connection, action: Action) -> Record {
        let trace = self.trace_by(&connection.pool, by);
        Record {
            pool: connection.pool.clone(),
            action,
            connection: connection.identifier.to_string(),
            trace: Trace { connection: Some(connection.id.clone()), ..trace },
        }
    }
}

/// An entry of the audit log.
struct Record {
    pool: PoolId,
    action: Action,
    connection: String,
    trace: Trace,
}

impl Write for Record {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let details = json!({ "connection": self.connection });
        let event = Event { action: self.action, code: 0, user: None, details };
        self.trace.recorder().record(tx, &self.pool, event).await
    }
}

/// Counts a forced refresh, if it is not one too many.
struct TakeRefresh {
    limit: Limit,
    pause: Duration,
    record: Record,
}

impl Write for TakeRefresh {
    /// How long to wait; none if it was counted.
    type Out = Option<Duration>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Duration>, StoreError> {
        let (now, pause) = (self.record.trace.at, format!("{}:pause", self.limit.name));
        let left = rates::pause_left(tx, &pause, now).await?;
        if !left.is_zero() {
            return Ok(Some(left));
        }
        if self.limit.take(tx, now).await?.is_none() {
            return Ok(Some(self.limit.wait(now)));
        }
        rates::pause(tx, &pause, self.pause, now).await?;
        self.record.run(tx).await?;
        Ok(None)
    }
}
