//! The web-view of the demonstration's mini program. A browser is not WeChat: while the phone of the sandbox shows a page of
//! this server in a web-view, a cookie says so, and the pages get what WeChat gives them there, its name as the browser's and
//! its bridge.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use hufu_html::Escaped;
use hufu_web::page::Asset;
use hufu_web::server::Routes;

use super::Demo;

/// WeChat's bridge, which leads from a page to a page of the mini program.
pub(super) static BRIDGE: Asset = Asset::script("bridge", &[include_str!("../../assets/bridge.js")]);

const COOKIE: &str = "hufu-dev-web-view";
/// What WeChat's browser calls itself in a web-view.
const USER_AGENT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                          Mobile/15E148 MicroMessenger/8.0.50 miniProgram";
/// The most bytes of a page.
const MAX_PAGE: usize = 1024 * 1024;

/// The cookie that begins the web-view, for as long as a login may take, or ends it.
pub(super) fn cookie(is_begun: bool) -> HeaderValue {
    HeaderValue::from_static(if is_begun {
        "hufu-dev-web-view=1; Path=/; Max-Age=900; SameSite=Lax; HttpOnly"
    } else {
        "hufu-dev-web-view=; Path=/; Max-Age=0; SameSite=Lax; HttpOnly"
    })
}

fn is_in_it(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.any(|(name, value)| name == COOKIE && value == "1")
}

/// Pages that the phone shows in the web-view.
pub(super) fn shows(pages: Routes, demo: &Demo) -> Routes {
    let Some(web_view) = &demo.web_view else { return pages };
    let program = format!("{}/phone/mini/{}/page", demo.sandbox, web_view.app_id);
    let bridge =
        format!(r#"<script src="{}" data-program="{}" defer></script>"#, BRIDGE.path(), Escaped(&program));
    let bridge: Arc<str> = bridge.into();
    pages.layer(from_fn(move |request: Request, next: Next| {
        let bridge = Arc::clone(&bridge);
        async move {
            if is_in_it(request.headers()) {
                shown(request, next, &bridge).await
            } else {
                next.run(request).await
            }
        }
    }))
}

async fn shown(mut request: Request, next: Next, bridge: &str) -> Response {
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    let response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("text/html")) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_PAGE).await else {
        return axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    // Before the scripts of the page, as in WeChat.
    let page = String::from_utf8_lossy(&bytes).replacen("<head>\n", &format!("<head>\n{bridge}\n"), 1);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(page))
}
