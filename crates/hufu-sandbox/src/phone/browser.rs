//! WeChat's browser: opens a link as the person. Links of web authorization open in the phone; any other in a new
//! tab, whose authorization then finds the person by the phone's cookie. Pages of the server that the sandbox knows open
//! in the phone as well.

use axum::body::Bytes;
use axum::extract::{RawQuery, State as Extract};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use hufu_html::Escaped;

use super::shell::{Look, Screen};
use super::{Owner, Shared, cookie, encoded, field, go, network, record, web};
use crate::api::param;
use crate::state::State;
use crate::state::people::Person;

/// The address at which the sandbox asks this person for what a link wants.
pub(super) fn as_person(link: &str, person: &Person) -> String {
    let query = link.split('#').next().unwrap_or_default().split_once('?').map_or("", |(_, query)| query);
    format!("/open/connect/oauth2/authorize?sandbox_user={}&{query}", encoded(&person.name))
}

fn is_authorization(link: &str) -> bool {
    link.split(['?', '#']).next().unwrap_or_default().ends_with("/connect/oauth2/authorize")
}

pub(super) async fn show(
    Extract(state): Shared,
    Owner(person): Owner,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let look = Look::new(&state, query.as_deref(), &headers);
    let l = look.language;
    let query = query.unwrap_or_default();
    let sent = param(&query, "url").unwrap_or_default();
    let link = sent.trim();
    let fault = param(&query, "fault");
    let error = match fault.as_deref() {
        Some("link") => l.of("这不是 http 或 https 链接。", "That is no http or https link."),
        Some("fragment") => l.of(
            "链接末尾没有 #wechat_redirect，微信打不开它。",
            "The link does not end in #wechat_redirect. WeChat does not open it.",
        ),
        Some("offline") => l.of("这部手机断网了。", "This phone is offline."),
        _ => "",
    };
    let error = if error.is_empty() {
        String::new()
    } else {
        format!(r#"<p class="error" role="alert">{error}</p>"#)
    };
    let ended = param(&query, "ended");
    if let Some(ended) = ended.as_deref() {
        return at_the_end(&look, &person, ended == "ok");
    }
    let is_page = error.is_empty() && (link.starts_with("http://") || link.starts_with("https://"));
    let opens = if is_page && is_of_the_server(&state, link) {
        format!(
            r#"<a class="btn btn-wechat-solid btn-block tap" href="/phone/browser/go?url={}" data-open>{}</a>"#,
            encoded(link),
            l.of("打开网页", "Open the page"),
        )
    } else if is_page {
        format!(
            r#"<a class="btn btn-wechat-solid btn-block" href="{}" target="_blank" rel="noreferrer" data-open>{}</a><p class="ph-note">{}</p>"#,
            Escaped(link),
            l.of("打开网页", "Open the page"),
            l.of(
                "网页在新标签页打开。走到公众号授权时，沙箱认得这部手机，会请你允许。",
                "The page opens in a new tab. When it comes to the authorization, the sandbox knows this phone and asks you."
            ),
        )
    } else {
        String::new()
    };
    let body = format!(
        r#"<form class="ph-pad ph-paste" method="post" action="/phone/browser"><div class="field"><label for="url">{label}</label><input class="input" id="url" name="url" value="{link}" placeholder="http://127.0.0.1:3000/" inputmode="url" autocomplete="off" spellcheck="false" required>{error}</div><button class="btn btn-block">{go}</button></form><div class="ph-pad">{opens}</div>"#,
        label = l.of("链接", "Link"),
        link = Escaped(link),
        go = l.of("用微信打开", "Open in WeChat"),
    );
    let screen = Screen {
        back: Some("/phone"),
        closes: true,
        title: l.of("微信里的网页", "A page in WeChat"),
        body: &body,
        ..Screen::default()
    };
    look.show(&screen, Some(&person))
}

/// Whether the page is one of the server's that the sandbox's apps log in to.
fn is_of_the_server(state: &State, link: &str) -> bool {
    let host = state.settings().login_mini_program_host.clone().unwrap_or_default();
    !host.is_empty() && link.strip_prefix(&host).is_some_and(|rest| rest.starts_with('/'))
}

/// What the phone shows when a page of the server's has led back.
fn at_the_end(look: &Look<'_>, person: &Person, is_done: bool) -> Response {
    let l = look.language;
    if is_done {
        let about = l.of("网页已经知道你是谁。", "The page knows who you are.");
        return web::note(look, person, l.of("登录成功", "Logged in"), about, true);
    }
    let about = l.of("这次登录没有发生。", "Nobody was logged in.");
    web::note(look, person, l.of("没有登录", "Not logged in"), about, false)
}

/// Opens a page of the server's in the phone.
pub(super) async fn leave(
    Extract(state): Shared,
    Owner(person): Owner,
    RawQuery(query): RawQuery,
) -> Response {
    let link = param(query.as_deref().unwrap_or_default(), "url").unwrap_or_default();
    if !is_of_the_server(&state, &link) {
        return go("/phone/browser?fault=link");
    }
    if !network(&person).await {
        return go(&format!("/phone/browser?fault=offline&url={}", encoded(&link)));
    }
    record(&state, &person, "phone open link", None);
    let mut response = go(&link);
    response.headers_mut().insert(header::SET_COOKIE, cookie::in_wechat());
    response
}

pub(super) async fn open(Extract(state): Shared, Owner(person): Owner, body: Bytes) -> Response {
    let form = String::from_utf8_lossy(&body).into_owned();
    let link = field(&form, "url");
    let back = |fault: &str| go(&format!("/phone/browser?fault={fault}&url={}", encoded(&link)));
    if !link.starts_with("http://") && !link.starts_with("https://") {
        return back("link");
    }
    if !network(&person).await {
        return back("offline");
    }
    if is_authorization(&link) && !link.ends_with("#wechat_redirect") {
        return back("fragment");
    }
    record(&state, &person, "phone open link", None);
    if is_authorization(&link) {
        return go(&as_person(&link, &person));
    }
    go(&format!("/phone/browser?url={}", encoded(&link)))
}
