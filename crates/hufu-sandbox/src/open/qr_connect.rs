//! `GET /connect/qrconnect`: a website's page with a QR code. A phone scans it and confirms; the page learns of
//! it by polling and goes back to the website.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hufu_html::Escaped;

use super::QR_CONNECT;
use super::view::{Page, redirect};
use crate::acts::web::{host_of, read_qr_connect, return_address};
use crate::api::{execute, param, shown_app_id};
use crate::page::text::Language;
use crate::page::theme;
use crate::picture::{self, Look};
use crate::state::State;
use crate::state::web_logins::{LIFE, Progress, WebLogin};

type Shared = Extract<Arc<State>>;

pub(super) async fn page(Extract(state): Shared, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    let app = shown_app_id(&state, param(&query, "appid").as_deref());
    execute(&state, &QR_CONNECT, app, |_| {
        let login = read_qr_connect(&state, &query)?;
        state.web_logins.put(login.clone());
        state.changed();
        Ok(show(&state, &login, language(&query, &headers), &headers))
    })
    .await
}

/// WeChat's own parameter says `cn` or `en`.
fn language(query: &str, headers: &HeaderMap) -> Language {
    match param(query, "lang").as_deref() {
        Some("cn") => Language::Chinese,
        _ => Language::choose(Some(query), headers),
    }
}

/// How far it has come, as a page. Leads back to the website as soon as the phone has confirmed.
pub(super) async fn status(
    Extract(state): Shared,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let uuid = param(&query, "uuid").unwrap_or_default();
    let Some(login) = state.web_logins.get(&uuid, state.clock.now()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match return_address(&login) {
        Some(location) => redirect(&location),
        None => show(&state, &login, language(&query, &headers), &headers),
    }
}

/// The address that the QR code of this page stands for.
pub(super) fn confirm_address(headers: &HeaderMap, uuid: &str) -> String {
    format!("http://{}/open/connect/confirm?uuid={uuid}", host_of(headers))
}

pub(super) async fn picture(
    Extract(state): Shared,
    Path(uuid): Path<String>,
    headers: HeaderMap,
) -> Response {
    if state.web_logins.get(&uuid, state.clock.now()).is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let Some((kind, bytes)) = picture::draw(&confirm_address(&headers, &uuid), Look::default()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], bytes).into_response()
}

/// What the page polls, as WeChat's own page does: a script that sets two variables.
pub(super) async fn poll(Extract(state): Shared, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let uuid = param(&query, "uuid").unwrap_or_default();
    let login = state.web_logins.get(&uuid, state.clock.now());
    let (errcode, code) = match login.map(|login| login.progress) {
        Some(Progress::Waiting) => (408, String::new()),
        Some(Progress::Scanned) => (404, String::new()),
        Some(Progress::Confirmed(code)) => (405, code),
        Some(Progress::Cancelled(_)) => (403, String::new()),
        Some(Progress::Expired) => (402, String::new()),
        None => (500, String::new()),
    };
    let body = format!("window.wx_errcode={errcode};window.wx_code='{code}';");
    ([(header::CONTENT_TYPE, "text/javascript"), (header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// Where a camera that reads the QR code arrives: the sandbox's phone.
pub(super) async fn confirm(RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let uuid = param(&query, "uuid").unwrap_or_default();
    let uuid: String = uuid.chars().filter(char::is_ascii_alphanumeric).collect();
    redirect(&format!("/phone/web/{uuid}"))
}

fn show(state: &State, login: &WebLogin, language: Language, headers: &HeaderMap) -> Response {
    let app = state.apps.at(login.app);
    let name = app.map(|app| app.settings().name.clone().unwrap_or_else(|| app.id.to_string()));
    let name = name.unwrap_or_default();
    let left = login.created_at.saturating_add(LIFE).saturating_sub(state.clock.now()) / 1000;
    let again = format!("/open/connect/status?uuid={}&lang={}", login.uuid, language.of("zh", "en"));
    let (heading, hint) = words(language, &login.progress);
    let mut body =
        format!(r#"<div class="open-sheet"><h1>{}</h1>"#, language.of("微信登录", "Log in with WeChat"));
    let over = !matches!(login.progress, Progress::Waiting);
    let _ = write!(
        body,
        r#"<div class="open-qr{over}"><img src="/open/connect/qrcode/{uuid}" width="240" height="240" alt="{alt}">{cover}</div>"#,
        over = if over { " is-over" } else { "" },
        uuid = login.uuid,
        alt = language.of("二维码", "QR code"),
        cover = cover(&login.progress),
    );
    let _ = writeln!(
        body,
        r#"<div class="open-say" role="status"><strong>{heading}</strong><p>{hint} <b>{name}</b></p></div></div>"#,
        name = Escaped(&name),
    );
    let open = matches!(login.progress, Progress::Waiting | Progress::Scanned);
    let head = if open {
        format!("<noscript><meta http-equiv=\"refresh\" content=\"2; url={}\"></noscript>\n", Escaped(&again))
    } else {
        String::new()
    };
    let main = format!(
        r#" id="qr-connect" data-uuid="{}" data-again="{}" data-open="{open}" data-leaves-frame="{}" data-left="{left}""#,
        login.uuid,
        Escaped(&again),
        login.leaves_frame,
    );
    let title = language.of("微信登录", "WeChat login");
    let theme = theme(headers);
    Page { language, theme, title, head: &head, main: &main, body: &body }.response()
}

fn words(language: Language, progress: &Progress) -> (&'static str, &'static str) {
    match progress {
        Progress::Waiting => {
            (language.of("请使用微信扫描二维码", "Scan with WeChat"), language.of("登录", "to log in to"))
        }
        Progress::Scanned | Progress::Confirmed(_) => (
            language.of("扫描成功", "Scanned"),
            language.of("在手机上点「登录」，即可登录", "Now confirm on the phone, to log in to"),
        ),
        Progress::Cancelled(_) => (
            language.of("你已取消此次登录", "You cancelled this login"),
            language.of("你可再次登录，或关闭窗口：", "Log in again, or close the window:"),
        ),
        Progress::Expired => (
            language.of("二维码已过期", "The QR code has expired"),
            language.of("请返回后重新登录", "Go back and log in again to"),
        ),
    }
}

fn cover(progress: &Progress) -> &'static str {
    match progress {
        Progress::Waiting => "",
        Progress::Scanned | Progress::Confirmed(_) => {
            r#"<span class="open-cover is-ok"><svg class="icon" aria-hidden="true"><use href="/icons.svg#check"/></svg></span>"#
        }
        Progress::Cancelled(_) | Progress::Expired => {
            r#"<span class="open-cover"><svg class="icon" aria-hidden="true"><use href="/icons.svg#x"/></svg></span>"#
        }
    }
}
