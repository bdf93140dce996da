//! `GET /connect/oauth2/authorize`: the web authorization of official accounts, in WeChat's browser.
//!
//! The sandbox takes a browser for WeChat's if its User-Agent contains `MicroMessenger` and the phone has chosen a
//! person, whom a cookie names. Otherwise the parameter `sandbox_user` can name the person. WeChat's own
//! parameters must then still be in their order.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{RawQuery, State as Extract};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use hufu_html::Escaped;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::AUTHORIZE;
use super::view::{Page, phone_html, redirect};
use crate::acts::web::{Authorization, authorization_address, read_authorization};
use crate::api::{execute, param, shown_app_id};
use crate::page::text::Language;
use crate::page::theme;
use crate::phone::cookie::{self, chosen, is_in_wechat};
use crate::phone::shell::{Foot, Look, Screen, known_as};
use crate::phone::widgets::{Face, Named};
use crate::reply::WechatError;
use crate::state::State;
use crate::state::codes::Scope;
use crate::state::people::Person;

type Shared = Extract<Arc<State>>;

/// How much later everything arrives on a slow network.
pub(crate) const SLOW: Duration = Duration::from_secs(5);

pub(super) async fn page(Extract(state): Shared, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    let app = shown_app_id(&state, param(&query, "appid").as_deref());
    let chosen = chosen(&state, &headers);
    let named = param(&query, "sandbox_user").and_then(|name| state.people.named(&name).ok());
    let in_wechat = headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .is_some_and(|agent| agent.contains("MicroMessenger"))
        || is_in_wechat(&headers);
    let person = named.or_else(|| chosen.clone().filter(|_| in_wechat));
    if person.as_ref().is_some_and(|person| person.slow) {
        tokio::time::sleep(SLOW).await;
    }
    execute(&state, &AUTHORIZE, app, |_| {
        let request = read_authorization(&state, &query)?;
        let Some(person) = person else {
            return Ok(not_in_wechat(&query, chosen.as_deref(), &headers));
        };
        if person.offline {
            return Ok(no_network(&headers));
        }
        if request.scope != Scope::Base {
            return Ok(ask(&state, &request, &person, &query, &headers));
        }
        let location = authorization_address(&state, &request, &person, true, person.snapshot);
        Ok(redirect(&location.map_err(|_| WechatError(-1))?.unwrap_or_default()))
    })
    .await
}

/// What the person decided on the page.
pub(super) async fn decide(Extract(state): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let form = String::from_utf8_lossy(&body).into_owned();
    let query = param(&form, "query").unwrap_or_default().into_owned();
    let request = match read_authorization(&state, &query) {
        Ok(request) => request,
        Err(error) => return super::failure(error),
    };
    let Some(person) = param(&form, "user").and_then(|name| state.people.named(&name).ok()) else {
        return not_in_wechat(&query, None, &headers);
    };
    let consent = param(&form, "consent").as_deref() == Some("allow");
    let snapshot = person.snapshot;
    let act = if consent { "phone allow" } else { "phone refuse" };
    let app = Some(Arc::clone(&request.app.id));
    state.calls.record_act(state.clock.now(), act, app, &person.name, (Some(0), None));
    match authorization_address(&state, &request, &person, consent, snapshot) {
        Ok(Some(location)) => redirect(&location),
        Ok(None) => redirect("/phone"),
        Err(_) => super::failure(WechatError(-1)),
    }
}

fn not_in_wechat(query: &str, chosen: Option<&Person>, headers: &HeaderMap) -> Response {
    let language = cookie::language(None, headers);
    let heading = language.of("请在微信客户端打开链接", "Please open this link in the WeChat client");
    let way = match chosen {
        Some(person) => {
            let name = utf8_percent_encode(&person.name, NON_ALPHANUMERIC);
            let shown = Escaped(&person.name);
            let label = match language {
                Language::Chinese => format!("以 {shown} 的身份打开"),
                Language::English => format!("Open as {shown}"),
            };
            let query = Escaped(query);
            format!(r#"<a class="btn btn-wechat-solid" href="?sandbox_user={name}&amp;{query}">{label}</a>"#)
        }
        None => format!(
            r#"<a class="btn" href="/phone/me">{}</a>"#,
            language.of("先在沙箱手机上选一个人", "Choose a person on the sandbox’s phone first")
        ),
    };
    let body = format!(
        r#"<div class="open-sheet open-failure"><span class="open-mark" aria-hidden="true">!</span><h1 id="not-in-wechat">{heading}</h1><p>{about}</p>{way}</div>
"#,
        about = language.of(
            "这是公众号网页授权。沙箱手机可以替微信打开它。",
            "This is the web authorization of an official account. The sandbox’s phone can open it in WeChat’s place."
        ),
    );
    let title = language.of("微信", "WeChat");
    Page { language, theme: theme(headers), title, head: "", main: "", body: &body }.response()
}

fn no_network(headers: &HeaderMap) -> Response {
    let language = cookie::language(None, headers);
    let body = format!(
        r#"<div class="open-sheet open-failure"><span class="open-mark" aria-hidden="true">!</span><h1>{}</h1><p>{}</p></div>
"#,
        language.of("网络出错", "No network"),
        language.of(
            "这部手机断网了，可以在「我」里接上。",
            "This phone is offline. “Me” on the phone brings it back."
        ),
    );
    Page { language, theme: theme(headers), title: "微信", head: "", main: "", body: &body }.response()
}

/// Asks for the nickname and the avatar, in the phone.
fn ask(
    state: &State,
    request: &Authorization,
    person: &Person,
    query: &str,
    headers: &HeaderMap,
) -> Response {
    let look = Look::new(state, None, headers);
    let l = look.language;
    let app = Named::of(&request.app);
    let sheet = format!(
        r#"<form class="ph-sheet" method="post" action="/open/connect/oauth2/authorize" aria-label="{label}">
<input type="hidden" name="query" value="{query}"><input type="hidden" name="user" value="{name}">
<p class="ph-from">{face}<span>{app}</span><span>{asks}</span></p>
<h2>{heading}</h2>
<ul class="ph-pick"><li><label>{person_face}<span>{nickname}<small>{what}</small></span><input type="radio" name="profile" value="own" checked></label></li></ul>{snapshot}
<div class="ph-two"><button class="btn" name="consent" value="deny">{deny}</button><button class="btn btn-wechat-solid tap" name="consent" value="allow">{allow}</button></div>
</form>"#,
        label = l.of("网页授权", "Web authorization"),
        query = Escaped(query),
        name = Escaped(&person.name),
        face = Face::app(&app).small(),
        app = Escaped(&app.name),
        asks = l.of("申请", "asks"),
        heading = l.of("使用你的昵称和头像", "to use your nickname and avatar"),
        person_face = Face::person(known_as(person)).small(),
        nickname = Escaped(&person.nickname),
        what = l.of("昵称和头像", "Nickname and avatar"),
        snapshot = if person.snapshot {
            format!(
                r#"<p class="ph-note">{}</p>"#,
                l.of(
                    "这部手机只看网页快照：应用收到的是虚拟账号",
                    "Snapshot mode: the app receives a virtual account"
                )
            )
        } else {
            String::new()
        },
        deny = l.of("拒绝", "Refuse"),
        allow = l.of("允许", "Allow"),
    );
    let host = url::Url::parse(&request.redirect_uri)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default();
    let body = format!(
        r#"<div class="ph-pad ph-hero">{}<strong>{}</strong><p>{}</p></div>"#,
        Face::app(&app),
        Escaped(&app.name),
        l.of("正在登录", "Logging in")
    );
    let screen = Screen {
        back: Some("/phone/browser"),
        closes: true,
        title: &app.name,
        subtitle: &host,
        body: &body,
        foot: Foot::Gesture,
        sheet: Some(&sheet),
        ..Screen::default()
    };
    phone_html(look.page(&screen, Some(person)))
}
