//! Statistics of a pool.

use axum::response::Response;
use hufu_app::statistics::{LoginQuery, Period, SplitBy, endings};
use hufu_types::refusal::Reason;
use hufu_types::{ApplicationId, ConnectionId, Day, PoolId, Refusal};
use hufu_web::request::{Path, Query};
use hufu_web::surface::Answer;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, ProblemBody, ok, pool_id};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Days {
    /// The first day, such as `2026-01-31`. The default is the 29th day before the last one.
    from: Option<String>,
    /// The last day. The default is today, in the pool's time zone. At most 366 days.
    to: Option<String>,
}

impl Days {
    fn period(&self) -> Result<Period, Refusal> {
        let read = |name: &'static str, text: &Option<String>| {
            let wrong = || Refusal::invalid(name, Reason::NotADay);
            text.as_deref().map(|text| Day::parse(text).ok_or_else(wrong)).transpose()
        };
        Ok(Period { from: read("from", &self.from)?, to: read("to", &self.to)? })
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Logins {
    /// The first day, such as `2026-01-31`. The default is the 29th day before the last one.
    from: Option<String>,
    /// The last day. The default is today, in the pool's time zone. At most 366 days.
    to: Option<String>,
    /// What the logins of a day are split by: `method`, `outcome`, `application` or `connection`.
    by: Option<String>,
    /// Logins to this application.
    application_id: Option<String>,
    /// Logins through this connection.
    connection_id: Option<String>,
    /// Logins by this method: the type of a connection, `password`, `phone-code` and so on.
    method: Option<String>,
}

/// The figures of a day.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DayView {
    /// In the pool's time zone.
    day: String,
    /// Logins.
    logins: i64,
    /// Logins that were refused.
    refused: i64,
    /// Accounts that were created, except by imports.
    new_users: i64,
    /// Users who logged in or renewed their tokens on the day.
    active_users: i64,
    /// The same, on the day or the 6 days before.
    active_users7: i64,
    /// The same, on the day or the 29 days before.
    active_users30: i64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Statistics {
    /// The pool's time zone, in which days are counted.
    time_zone: String,
    /// Every day of the period, oldest first.
    days: Vec<DayView>,
}

/// The logins of a day.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoginCount {
    /// In the pool's time zone.
    day: String,
    /// The method, application or connection; with `by=outcome` 0, or the code of the refusal; else absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Logins.
    done: i64,
    /// Logins that were refused.
    refused: i64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginStatistics {
    /// The pool's time zone, in which days are counted.
    time_zone: String,
    /// Oldest day first. Days without a login are left out.
    logins: Vec<LoginCount>,
}

/// How often logins were refused with a code.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedCount {
    code: i64,
    count: i64,
}

/// The logins through a connection.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionCount {
    /// `own` means logins with the pool's own credentials.
    connection_id: String,
    /// Logins.
    done: i64,
    /// Logins that were refused.
    refused: i64,
    /// Why, the most frequent code first.
    codes: Vec<RefusedCount>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ConnectionStatistics {
    /// The connection with the most refusals first.
    connections: Vec<ConnectionCount>,
}

/// What became of the logins that waited at a stage.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StageCount {
    /// `associate`, `select`, `new_password`, `complete` or `agree`.
    stage: String,
    /// Logins that waited there and do not any more.
    reached: i64,
    /// Those that went on to the next stage or were done.
    passed: i64,
    /// Those that the person cancelled.
    cancelled: i64,
    /// Those that ended after too many failed steps.
    out_of_tries: i64,
    /// Those that were refused.
    refused: i64,
    /// Those that nobody went on with.
    expired: i64,
    /// Those that ended with a new password, with which the person logs in anew.
    restarted: i64,
}

/// How often a step failed with a code.
#[derive(Serialize, ToSchema)]
pub(crate) struct FailedStep {
    step: String,
    code: i64,
    count: i64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WaitingStatistics {
    stages: Vec<StageCount>,
    /// Steps that failed and could be tried again.
    failed_steps: Vec<FailedStep>,
}

fn time_zone(caller: &Caller, pool: &PoolId) -> String {
    caller.app.config().settings(pool).time_zone.clone()
}

/// Count logins and users by day.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/statistics", tag = "statistics",
    params(("pool" = String, Path), Days),
    responses((status = 200, body = Statistics), (status = 422, body = ProblemBody)))]
pub(crate) async fn days(
    caller: Caller,
    Path(pool): Path<String>,
    Query(asked): Query<Days>,
) -> Answer<Response> {
    let (pool, period) = (pool_id(&pool)?, asked.period()?);
    let figures = caller.app.statistics(&caller.by, &pool, period).await?.into_iter();
    let days = figures.map(|(day, figures)| DayView {
        day: day.to_string(),
        logins: figures.logins,
        refused: figures.refused,
        new_users: figures.new_users,
        active_users: figures.active_users,
        active_users7: figures.active_users_7,
        active_users30: figures.active_users_30,
    });
    Ok(ok(&Statistics { time_zone: time_zone(&caller, &pool), days: days.collect() }))
}

/// Count logins by day and by method, outcome, application or connection.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/statistics/logins", tag = "statistics",
    params(("pool" = String, Path), Logins),
    responses((status = 200, body = LoginStatistics), (status = 422, body = ProblemBody)))]
pub(crate) async fn logins(
    caller: Caller,
    Path(pool): Path<String>,
    Query(asked): Query<Logins>,
) -> Answer<Response> {
    let Logins { from, to, by, application_id, connection_id, method } = asked;
    let (pool, period) = (pool_id(&pool)?, Days { from, to }.period()?);
    let by = match by.as_deref() {
        None => SplitBy::Nothing,
        Some("method") => SplitBy::Name,
        Some("outcome") => SplitBy::Code,
        Some("application") => SplitBy::Application,
        Some("connection") => SplitBy::Connection,
        Some(_) => {
            let choices = "method, outcome, application, connection".into();
            return Err(Refusal::invalid("by", Reason::NotOneOf { choices }).into());
        }
    };
    // No method has another name, and PostgreSQL takes no text with a NUL.
    let is_name = |text: &String| text.bytes().all(|b| b.is_ascii_graphic());
    if !method.iter().all(is_name) {
        return Err(Refusal::invalid("method", Reason::Malformed).into());
    }
    let malformed = |name: &'static str| move |_| Refusal::invalid(name, Reason::Malformed);
    let application = application_id.as_deref().map(ApplicationId::parse).transpose();
    let connection = connection_id.as_deref().map(ConnectionId::parse).transpose();
    let query = LoginQuery {
        application: application.map_err(malformed("applicationId"))?,
        connection: connection.map_err(malformed("connectionId"))?,
        method,
        by,
    };
    let counts = caller.app.login_statistics(&caller.by, &pool, period, query).await?.into_iter();
    let logins = counts.map(|count| LoginCount {
        day: count.day.to_string(),
        value: (by != SplitBy::Nothing).then_some(count.value),
        done: count.done,
        refused: count.refused,
    });
    Ok(ok(&LoginStatistics { time_zone: time_zone(&caller, &pool), logins: logins.collect() }))
}

/// Count logins by connection, those that fail most first.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/statistics/connections", tag = "statistics",
    params(("pool" = String, Path), Days),
    responses((status = 200, body = ConnectionStatistics), (status = 422, body = ProblemBody)))]
pub(crate) async fn connections(
    caller: Caller,
    Path(pool): Path<String>,
    Query(asked): Query<Days>,
) -> Answer<Response> {
    let (pool, period) = (pool_id(&pool)?, asked.period()?);
    let figures = caller.app.connection_statistics(&caller.by, &pool, period).await?.into_iter();
    let connections = figures.map(|figures| ConnectionCount {
        connection_id: figures.connection,
        done: figures.done,
        refused: figures.refused,
        codes: figures.codes.into_iter().map(|(code, count)| RefusedCount { code, count }).collect(),
    });
    Ok(ok(&ConnectionStatistics { connections: connections.collect() }))
}

/// Count what became of logins that waited for the person's next step.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/statistics/waiting", tag = "statistics",
    params(("pool" = String, Path), Days),
    responses((status = 200, body = WaitingStatistics), (status = 422, body = ProblemBody)))]
pub(crate) async fn waiting(
    caller: Caller,
    Path(pool): Path<String>,
    Query(asked): Query<Days>,
) -> Answer<Response> {
    let (pool, period) = (pool_id(&pool)?, asked.period()?);
    let figures = caller.app.waiting_statistics(&caller.by, &pool, period).await?;
    let stages = figures.stages.into_iter().map(|stage| {
        let count = |name| {
            let place = endings().iter().position(|ending| *ending == name);
            place.and_then(|place| stage.endings.get(place)).copied().unwrap_or_default()
        };
        StageCount {
            reached: stage.reached,
            passed: count("passed"),
            cancelled: count("cancelled"),
            out_of_tries: count("out_of_tries"),
            refused: count("refused"),
            expired: count("expired"),
            restarted: count("restarted"),
            stage: stage.stage.clone(),
        }
    });
    let failed = figures.failed_steps.into_iter();
    let failed_steps = failed.map(|(step, code, count)| FailedStep { step, code, count }).collect();
    Ok(ok(&WaitingStatistics { stages: stages.collect(), failed_steps }))
}
