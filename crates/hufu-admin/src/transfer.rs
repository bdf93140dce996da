//! Import and export of files of users.

use std::fs::File;
use std::io::{self, Write as _};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::TryStreamExt as _;
use hufu_app::Refusal;
use hufu_app::transfer::{Counts, Format, Import, ImportOptions, ImportSlot, ImportStarted, OnExisting};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{ImportId, PoolId};
use hufu_web::request::{Arriving, Path, Query};
use hufu_web::server::{self, Shared};
use hufu_web::surface::Answer;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, ProblemBody, answer, iso, ok, pool_id, rows};

/// How many bytes are buffered before they are written to disk.
const WRITTEN_AT_ONCE: usize = 256 * 1024;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// `csv`, `json` or `jsonl`. If absent, the content type says it (`text/csv`, `application/json`,
    /// `application/x-ndjson`), or else the ending of the file's name.
    format: Option<String>,
    /// The name of the file. An import is refused while an import of another file with the same name is
    /// unfinished.
    file_name: Option<String>,
    /// What to do with a row whose user is already in the pool: `refuse` or `skip`.
    on_existing: Option<String>,
    /// Only check every row, without writing anything.
    #[serde(default)]
    dry_run: bool,
    /// Abandon an unfinished import of this file.
    #[serde(default)]
    start_over: bool,
    /// The country code of phone numbers without one, such as `86`.
    phone_country_code: Option<String>,
    /// Ignore unknown fields instead of refusing them.
    #[serde(default)]
    ignore_unknown: bool,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// `next` of the previous page.
    cursor: Option<String>,
    /// 1 to 100. The default is 20.
    limit: Option<usize>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// `csv`, `json` or `jsonl`.
    format: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportView {
    id: String,
    file_name: String,
    /// `running`, `stopped`, `finished` or `cancelled`. A stopped import continues when the same file is sent
    /// again.
    state: &'static str,
    #[serde(flatten)]
    counts: CountsView,
    started_at: String,
    updated_at: String,
    finished_at: Option<String>,
    /// Why the import stopped.
    failure: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CountsView {
    /// The number of rows read so far.
    rows: i64,
    created: i64,
    skipped: i64,
    refused: i64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Checked {
    #[serde(flatten)]
    counts: CountsView,
    /// The first rows that would be refused.
    refusals: Vec<RefusedView>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedView {
    /// Counted from 1, not including a header.
    row: i64,
    reason: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Imports {
    /// Latest first.
    imports: Vec<ImportView>,
    /// Send this as `cursor` to get the next page, which may be empty. Null if there are no more imports.
    next: Option<String>,
}

fn counts_view(counts: Counts) -> CountsView {
    CountsView {
        rows: counts.rows,
        created: counts.created,
        skipped: counts.skipped,
        refused: counts.refused,
    }
}

fn view(import: Import) -> ImportView {
    let Import { stored, state } = import;
    ImportView {
        id: stored.id.into(),
        file_name: stored.file_name,
        state: state.as_str(),
        counts: counts_view(stored.counts),
        started_at: iso(stored.started_at),
        updated_at: iso(stored.updated_at),
        finished_at: stored.finished_at.map(iso),
        failure: stored.failure,
    }
}

fn ids(pool: &str, import: &str) -> Result<(PoolId, ImportId), Code> {
    let import = ImportId::parse(import).map_err(|_| Code::NoSuchImport);
    Ok((pool_id(pool)?, import?))
}

fn options(query: ImportQuery, headers: &HeaderMap) -> Result<ImportOptions, Refusal> {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let media_type = match media_type.split(';').next().unwrap_or_default().trim() {
        "text/csv" => Some("csv"),
        "application/json" => Some("json"),
        "application/x-ndjson" | "application/jsonl" => Some("jsonl"),
        _ => None,
    };
    let file_name = query.file_name.unwrap_or_else(|| "upload".to_owned());
    let ending = file_name.rsplit_once('.').map(|(_, ending)| ending);
    let format = match query.format.as_deref() {
        Some(named) => Format::parse(named).ok_or_else(|| {
            Refusal::invalid("format", Reason::NotOneOf { choices: "csv, json, jsonl".into() })
        })?,
        None => [media_type, ending]
            .into_iter()
            .flatten()
            .find_map(Format::parse)
            .ok_or_else(|| Refusal::invalid("format", Reason::FormatUnknown))?,
    };
    if file_name.chars().count() > 200 || file_name.chars().any(char::is_control) {
        return Err(Refusal::invalid("fileName", Reason::NotALine { max: 200 }));
    }
    Ok(ImportOptions {
        format,
        file_name,
        on_existing: match query.on_existing.as_deref() {
            None | Some("refuse") => OnExisting::Refuse,
            Some("skip") => OnExisting::Skip,
            Some(_) => {
                return Err(Refusal::invalid(
                    "onExisting",
                    Reason::NotOneOf { choices: "refuse, skip".into() },
                ));
            }
        },
        dry_run: query.dry_run,
        start_over: query.start_over,
        country_code: query.phone_country_code,
        ignore_unknown: query.ignore_unknown,
    })
}

/// Writes the body to an unnamed temporary file, which disappears when it is closed.
async fn keep(request: Request, shared: &Shared, slot: &mut ImportSlot) -> Result<File, Refusal> {
    let limits = shared.app.limits();
    let most = limits.import_bytes;
    let (parts, body) = request.into_parts();
    let arriving = Arriving::begin(&parts, body, most, limits.import_time, shared);
    let mut arriving = arriving.map_err(|refusal| {
        if refusal.is(Code::BodyTooLarge) { Code::ImportTooLarge.with("limit", most) } else { refusal }
    })?;
    let mut file = on_disk(tempfile::tempfile).await?;
    let mut waiting = Vec::new();
    while let Some(chunk) = arriving.chunk().await? {
        let chunk = chunk.as_ref();
        slot.reserve(chunk.len())?;
        waiting.extend_from_slice(chunk);
        if waiting.len() >= WRITTEN_AT_ONCE {
            file = write(file, std::mem::take(&mut waiting)).await?;
        }
    }
    write(file, waiting).await
}

async fn write(mut file: File, bytes: Vec<u8>) -> Result<File, Refusal> {
    on_disk(move || file.write_all(&bytes).map(|()| file)).await
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(Refusal::internal)?.map_err(Refusal::internal)
}

/// Import the users in a file.
///
/// The format is described in docs/import.md. The import continues in the background after the response.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/imports", tag = "transfer", params(("pool" = String, Path), ImportQuery),
    request_body(content = String, description = "The file, in UTF-8.", content_type = "application/octet-stream"),
    responses((status = 202, body = ImportView), (status = 200, body = Checked), (status = 409, body = ProblemBody),
        (status = 413, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn import(
    caller: Caller,
    State(shared): server::State,
    Path(pool): Path<String>,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    // Nothing is written to disk for callers that may not import, or whose pool has an import already.
    let mut slot = caller.app.begin_import(&caller.by, &pool).await?;
    let options = options(query, request.headers())?;
    let file = keep(request, &shared, &mut slot).await?;
    let started = caller.app.start_import(&caller.by, slot, file, options).await;
    Ok(match started? {
        ImportStarted::Running(import) => answer(StatusCode::ACCEPTED, &view(import)),
        ImportStarted::Checked(counts, refused) => {
            let refusals = refused.into_iter().map(|(row, reason)| RefusedView { row, reason }).collect();
            ok(&Checked { counts: counts_view(counts), refusals })
        }
    })
}

/// List the imports of a pool.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/imports", tag = "transfer",
    params(("pool" = String, Path), Paging),
    responses((status = 200, body = Imports), (status = 422, body = ProblemBody)))]
pub(crate) async fn list(
    caller: Caller,
    Path(pool): Path<String>,
    Query(paging): Query<Paging>,
) -> Answer<Response> {
    let (pool, limit) = (pool_id(&pool)?, rows(paging.limit, 20, 100)?);
    let before = paging.cursor.as_deref().map(ImportId::parse).transpose();
    let before = before.map_err(|_| Refusal::invalid("cursor", Reason::NotACursor))?;
    let found = caller.app.imports(&caller.by, &pool, before, limit).await;
    let imports: Vec<_> = found?.into_iter().map(view).collect();
    let next = imports.last().filter(|_| imports.len() == limit).map(|last| last.id.clone());
    Ok(ok(&Imports { imports, next }))
}

/// Get an import with its progress.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/imports/{import}", tag = "transfer",
    params(("pool" = String, Path), ("import" = String, Path)),
    responses((status = 200, body = ImportView), (status = 404, body = ProblemBody)))]
pub(crate) async fn get(caller: Caller, Path((pool, import)): Path<(String, String)>) -> Answer<Response> {
    let (pool, import) = ids(&pool, &import)?;
    let found = caller.app.import_of(&caller.by, &pool, &import).await;
    Ok(ok(&view(found?)))
}

/// Cancel an import that is running or stopped.
///
/// It stops after the batch that is being written. The users that have been imported by then stay.
#[utoipa::path(delete, path = "/admin/v1/pools/{pool}/imports/{import}", tag = "transfer",
    params(("pool" = String, Path), ("import" = String, Path)),
    responses((status = 200, body = ImportView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn cancel(caller: Caller, Path((pool, import)): Path<(String, String)>) -> Answer<Response> {
    let (pool, import) = ids(&pool, &import)?;
    let left = caller.app.cancel_import(&caller.by, &pool, &import).await;
    Ok(ok(&view(left?)))
}

/// Download the refused rows of an import, with the reasons.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/imports/{import}/report", tag = "transfer",
    params(("pool" = String, Path), ("import" = String, Path)),
    responses((status = 200, content_type = "text/csv"), (status = 404, body = ProblemBody)))]
pub(crate) async fn report(caller: Caller, Path((pool, import)): Path<(String, String)>) -> Answer<Response> {
    let (pool, import) = ids(&pool, &import)?;
    let pages = caller.app.import_report(&caller.by, &pool, &import).await?;
    Ok(file("text/csv; charset=utf-8", "refused.csv", Body::from_stream(pages.inspect_err(broke_off))))
}

/// Export all users of a pool as a file.
///
/// Password hashes are not included; `hufu export` can include them.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/export", tag = "transfer", operation_id = "export_users", params(("pool" = String, Path), ExportQuery),
    responses((status = 200), (status = 422, body = ProblemBody)))]
pub(crate) async fn export(
    caller: Caller,
    Path(pool): Path<String>,
    Query(out): Query<ExportQuery>,
) -> Answer<Response> {
    let format = Format::parse(out.format.as_deref().unwrap_or("jsonl"));
    let format = format
        .ok_or_else(|| Refusal::invalid("format", Reason::NotOneOf { choices: "csv, json, jsonl".into() }))?;
    let pages = caller.app.export_users(&caller.by, &pool_id(&pool)?, format).await?;
    let kind = match format {
        Format::Csv => "text/csv; charset=utf-8",
        Format::Json => "application/json",
        Format::JsonLines => "application/x-ndjson",
    };
    let pages = pages.map_ok(|page| page.text).inspect_err(broke_off);
    Ok(file(kind, &format!("users.{}", format.as_str()), Body::from_stream(pages)))
}

fn broke_off(error: &(impl std::error::Error + 'static)) {
    tracing::error!(error = hufu_types::chain(error), "a file that was sent broke off");
}

fn file(kind: &str, name: &str, body: Body) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, body).into_response()
}
