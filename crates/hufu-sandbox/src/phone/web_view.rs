//! The web-view of a mini program: it opens a page of the web, which may lead back to a page of the mini program by WeChat's
//! bridge. Whoever brings the mini program along says which page that is, and what the mini program does then; whoever
//! serves the page brings the bridge.

use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;

use super::minis::{login_code, mini_program};
use super::shell::Look;
use super::{Owner, Shared, go, network, record, web};
use crate::api::param;
use crate::programs::{Handed, What};

/// Opens the web-view with its first page.
pub(super) async fn open(
    Extract(state): Shared,
    Owner(person): Owner,
    Path(app_id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let app = mini_program(&state, &app_id);
    let first = app.and_then(|app| Some((state.programs.of(&app.id)?.web_view(&app.id)?, app)));
    let Some((first, app)) = first else {
        return go("/phone/minis");
    };
    if !network(&person).await {
        return web::offline(&Look::new(&state, query.as_deref(), &headers), &person, false);
    }
    record(&state, &person, "phone open web-view", Some(&app.id));
    go(&first)
}

/// The page in the web-view led to a page of the mini program, which logs in and opens the web-view again.
pub(super) async fn page(
    Extract(state): Shared,
    Owner(person): Owner,
    Path(app_id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let look = Look::new(&state, query.as_deref(), &headers);
    let l = look.language;
    let Some(app) = mini_program(&state, &app_id) else {
        return go("/phone/minis");
    };
    if !network(&person).await {
        return web::offline(&look, &person, false);
    }
    let page = param(query.as_deref().unwrap_or_default(), "url").unwrap_or_default().into_owned();
    record(&state, &person, "phone leave web-view", Some(&app.id));
    let code = login_code(&state, &app, &person);
    let program = state.programs.of(&app.id);
    if let (Some(program), Some(code)) = (program, code) {
        let what = What::Led { page, code };
        if let Some(address) = program.handed(Handed::new(&app, &person, what)).await.opens {
            return go(&address);
        }
    }
    let about = l.of("这个小程序没有这一页。", "The mini program has no such page.");
    web::note(&look, &person, l.of("打不开", "It does not open"), about, false)
}
