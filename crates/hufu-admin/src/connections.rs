//! What can be done with a connection besides configuring it: checking it, and getting its app token.

use axum::response::Response;
use hufu_app::doctor::Finding;
use hufu_types::Language;
use hufu_web::request::{Head, Path, Query};
use hufu_web::surface::Answer;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, ProblemBody, iso, ok, pool_id};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppToken {
    /// WeChat's `access_token` of the app.
    access_token: String,
    /// How many seconds it has left.
    expires_in: u64,
    expires_at: String,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Refreshing {
    /// The token has leaked: WeChat ends it at once, everywhere, and issues another one. At most ten times a day, and
    /// every 30 seconds.
    #[serde(default)]
    refresh: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Findings {
    /// The worst severity: `ok`, `note`, `warning` or `error`.
    severity: &'static str,
    findings: Vec<FindingView>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FindingView {
    /// What was checked.
    check: &'static str,
    /// `ok`, `note`, `warning` or `error`.
    severity: &'static str,
    /// What was found, as a stable name. docs/doctor.md lists them.
    finding: &'static str,
    /// What was found, in Chinese, or in English with `x-authing-lang: en-US`.
    message: String,
    /// What it breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    breaks: Option<String>,
    /// How to mend it, and where.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
    /// WeChat's error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    errcode: Option<i64>,
    /// WeChat's id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    rid: Option<String>,
}

impl FindingView {
    fn of(finding: Finding, language: Language) -> Self {
        let said = finding.explain(language);
        Self {
            check: finding.check.as_str(),
            severity: finding.severity.as_str(),
            finding: finding.key,
            message: said.message,
            breaks: said.breaks,
            mend: said.mend,
            errcode: finding.errcode,
            rid: finding.rid,
        }
    }
}

/// Get WeChat's app token of a connection.
///
/// It is the one that Hufu itself uses. Services of the owner that get it here do not end one another's tokens. Ask again
/// when it has ended, or when WeChat refuses it.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/connections/{connection}/app-token", tag = "configuration",
    params(("pool" = String, Path), ("connection" = String, Path), Refreshing),
    responses((status = 200, body = AppToken), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 429, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn app_token(
    caller: Caller,
    Path((pool, connection)): Path<(String, String)>,
    Query(asked): Query<Refreshing>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let got = caller.app.app_token(&caller.by, &pool, &connection, asked.refresh).await?;
    Ok(ok(&AppToken {
        access_token: got.token.expose_secret().to_owned(),
        expires_in: got.expires_in.as_secs(),
        expires_at: iso(got.expires_at),
    }))
}

/// Check a connection against WeChat.
///
/// What is wrong, what it breaks and how to mend it: what `hufu doctor` says. The calls count towards the app's quota.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/connections/{connection}/check", tag = "configuration",
    params(("pool" = String, Path), ("connection" = String, Path)),
    responses((status = 200, body = Findings), (status = 404, body = ProblemBody), (status = 429, body = ProblemBody)))]
pub(crate) async fn check(
    caller: Caller,
    head: Head,
    Path((pool, connection)): Path<(String, String)>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let checked = caller.app.check_connection_by(&caller.by, &pool, &connection).await?;
    let severity = checked.severity().as_str();
    let view = |finding| FindingView::of(finding, head.language);
    Ok(ok(&Findings { severity, findings: checked.findings.into_iter().map(view).collect() }))
}
