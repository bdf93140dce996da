//! Scan: the codes that wait for a phone, newest first, and a field for everything else.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use hufu_html::Escaped;

use super::shell::{Foot, Look, Screen, Tab};
use super::widgets::{Face, Icon, Named, Row};
use super::{Owner, Shared, encoded, field, go, network, patiently, record};
use crate::acts::account;
use crate::acts::push::Delivery;
use crate::acts::scan::{Target, resolve};
use crate::clock::Millis;
use crate::control::phone::MAX_PENDING;
use crate::page::text::Language;
use crate::state::State;
use crate::state::apps::{App, AppKind};
use crate::state::people::Person;
use crate::state::web_logins;

/// How long an official account's or a mini program's code is offered. Pages that show one do not wait longer.
const OFFERED: Millis = 10 * 60 * 1000;
const SHOWN: usize = 12;

/// A code that can be scanned.
pub(super) struct Waiting {
    created_at: Millis,
    /// Seconds until nobody waits for it any more.
    left: i64,
    kind: AppKind,
    app: u32,
    /// What tells it from others of the same app.
    about: String,
    /// How it is scanned: an address, or a ticket to post.
    way: Way,
}

enum Way {
    Link(String),
    Ticket(String),
}

/// Every code that waits, newest first.
pub(super) fn waiting(state: &State) -> Vec<Waiting> {
    let now = state.clock.now();
    let left = |end: Millis| end.saturating_sub(now) / 1000;
    let mut codes = Vec::new();
    for login in state.web_logins.waiting(MAX_PENDING, now) {
        let host = url::Url::parse(&login.redirect_uri).ok();
        codes.push(Waiting {
            created_at: login.created_at,
            left: left(login.created_at.saturating_add(web_logins::LIFE)),
            kind: AppKind::Website,
            app: login.app,
            about: host.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default(),
            way: Way::Link(format!("/phone/web/{}", login.uuid)),
        });
    }
    let offered = |created_at: Millis| now < created_at.saturating_add(OFFERED);
    for ticket in state.tickets.latest(MAX_PENDING, |one| one.is_live(now) && offered(one.created_at)) {
        let end = ticket.expires_at.unwrap_or(Millis::MAX).min(ticket.created_at.saturating_add(OFFERED));
        codes.push(Waiting {
            created_at: ticket.created_at,
            left: left(end),
            kind: AppKind::ServiceAccount,
            app: ticket.app,
            about: ticket.scene.to_string(),
            way: Way::Ticket(ticket.ticket.clone()),
        });
    }
    for code in state.mini_codes.latest(MAX_PENDING, |one| offered(one.created_at)) {
        codes.push(Waiting {
            created_at: code.created_at,
            left: left(code.created_at.saturating_add(OFFERED)),
            kind: AppKind::Miniprogram,
            app: code.app,
            about: code.scene.clone(),
            way: Way::Link(mini_address(state, code.app, &code.scene)),
        });
    }
    codes.sort_by_key(|code| std::cmp::Reverse(code.created_at));
    codes.truncate(SHOWN);
    codes
}

fn mini_address(state: &State, app: u32, scene: &str) -> String {
    let app_id = state.apps.at(app).map(|app| app.id.to_string()).unwrap_or_default();
    format!("/phone/mini/{app_id}?scene={}", encoded(scene))
}

pub(super) async fn show(
    Extract(state): Shared,
    Owner(person): Owner,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let failed = query.as_deref().is_some_and(|query| query.contains("unknown"));
    screen(&state, &person, query.as_deref(), &headers, failed)
}

fn screen(
    state: &State,
    person: &Person,
    query: Option<&str>,
    headers: &HeaderMap,
    failed: bool,
) -> Response {
    let look = Look::new(state, query, headers);
    let l = look.language;
    let codes = waiting(state);
    // What waited before the reader came is offered, but it is not what the reader is to tap.
    let since: Millis = query.map_or(0, |query| field(query, "since").parse().unwrap_or_default());
    let hint = if codes.is_empty() {
        l.of(
            "还没有码。打开你的登录页，或把链接粘在下面",
            "No codes yet. Open your login page, or paste a link below",
        )
    } else {
        l.of("点一张，就算扫到了", "Tap one: that is a scan")
    };
    let mut body = format!(
        r#"<div class="ph-finder"><svg viewBox="0 0 16 16" aria-hidden="true"><use href="/icons.svg#scan"/></svg><p>{hint}</p></div>"#
    );
    if !codes.is_empty() {
        let heading = l.of("在等的码", "Codes that wait");
        let _ = write!(body, r#"<h2 class="ph-h">{heading}</h2><ul class="ph-list">"#);
        for (at, code) in codes.iter().enumerate() {
            write_code(&mut body, state, l, code, at == 0 && code.created_at >= since);
        }
        body.push_str("</ul>");
    }
    let error = if failed {
        format!(
            r#"<p class="error" role="alert">{}</p>"#,
            l.of("这不是沙箱里的码，或者它已经过期。", "That is no code of this sandbox, or it has expired.")
        )
    } else {
        String::new()
    };
    let _ = write!(
        body,
        r#"<form class="ph-pad ph-paste" method="post" action="/phone/scan"><div class="field"><label for="pasted">{label}</label><input class="input" id="pasted" name="text" autocomplete="off" spellcheck="false" placeholder="{hint}" required>{error}</div><button class="btn btn-block">{scan}</button></form>"#,
        label = l.of("或者粘贴", "Or paste"),
        hint = l.of("链接、ticket 或 scene", "A link, ticket or scene"),
        scan = l.of("扫它", "Scan it"),
    );
    let screen = Screen {
        back: Some("/phone"),
        title: l.of("扫一扫", "Scan"),
        body: &body,
        foot: Foot::Tabs(Tab::Scan),
        is_live: true,
        ..Screen::default()
    };
    look.show(&screen, Some(person))
}

fn write_code(to: &mut String, state: &State, l: Language, code: &Waiting, is_next: bool) {
    let Some(app) = state.apps.at(code.app) else { return };
    let named = Named::of(&app);
    let what = match code.kind {
        AppKind::Website => l.of("网站扫码", "Website login"),
        AppKind::Miniprogram => l.of("小程序码", "Mini program code"),
        _ => l.of("公众号关注", "Official account"),
    };
    let left = match l {
        Language::Chinese => format!("剩 {} 秒", code.left),
        Language::English => format!("{} s left", code.left),
    };
    let about = format!("{} · {left} · {}", named.name, code.about);
    let face = Face::app(&named);
    match &code.way {
        Way::Link(href) => {
            let row =
                Row { href, face, title: what, about: &about, end: &Icon("right").to_string(), is_next };
            let _ = write!(to, "{row}");
        }
        Way::Ticket(ticket) => {
            let _ = write!(
                to,
                r#"<li><form method="post" action="/phone/ticket"><input type="hidden" name="ticket" value="{ticket}"><button{tap}>{face}<span><strong>{what}</strong><small>{about}</small></span>{end}</button></form></li>"#,
                tap = if is_next { r#" class="tap""# } else { "" },
                about = Escaped(&about),
                end = Icon("right"),
            );
        }
    }
}

/// Whatever was pasted: goes to what it means.
pub(super) async fn pasted(
    Extract(state): Shared,
    Owner(person): Owner,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = String::from_utf8_lossy(&body).into_owned();
    let text = field(&form, "text");
    match resolve(&state, &text) {
        Some(Target::Web(uuid)) => go(&format!("/phone/web/{uuid}")),
        Some(Target::Account(found)) => scan_ticket(&state, &person, &headers, &found.ticket, "").await,
        Some(Target::Mini(code)) => go(&mini_address(&state, code.app, &code.scene)),
        Some(Target::Authorize(link)) => go(&super::browser::as_person(&link, &person)),
        None if text.starts_with("http://") || text.starts_with("https://") => {
            go(&format!("/phone/browser?url={}", encoded(&text)))
        }
        None => screen(&state, &person, None, &headers, true),
    }
}

/// Scanning an account's code asks whether to follow it, or greets it again. The chat opens in the end.
pub(super) async fn ticket(
    Extract(state): Shared,
    Owner(person): Owner,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = String::from_utf8_lossy(&body).into_owned();
    scan_ticket(&state, &person, &headers, &field(&form, "ticket"), &field(&form, "answer")).await
}

async fn scan_ticket(
    state: &Arc<State>,
    person: &Arc<Person>,
    headers: &HeaderMap,
    ticket: &str,
    answer: &str,
) -> Response {
    let now = state.clock.now();
    let found = state.tickets.find(|one| one.ticket == ticket && one.is_live(now));
    let app = found.as_ref().and_then(|found| state.apps.at(found.app));
    let (Some(found), Some(app)) = (found, app) else {
        return screen(state, person, None, headers, true);
    };
    if !network(person).await {
        return go(&format!("/phone/chat/{}?offline", app.id));
    }
    if answer == "leave" {
        record(state, person, "phone refuse", Some(&app.id));
        return go("/phone/scan");
    }
    if !account::follows(state, &app, person) && answer != "follow" {
        record(state, person, "phone scan", Some(&app.id));
        return ask_to_follow(&Look::new(state, None, headers), &app, person, ticket);
    }
    if answer.is_empty() {
        record(state, person, "phone scan", Some(&app.id));
    }
    let address = format!("/phone/chat/{}", app.id);
    let (state, person) = (Arc::clone(state), Arc::clone(person));
    patiently(async move {
        // A refusal can only mean that there are too many followers. The chat shows that nobody follows.
        let _ = account::follow(&state, &app, &person, Some(&found), &Delivery::default()).await;
    })
    .await;
    go(&address)
}

/// What WeChat shows of an account that the person does not follow yet.
fn ask_to_follow(look: &Look<'_>, app: &App, person: &Person, ticket: &str) -> Response {
    let l = look.language;
    let named = Named::of(app);
    let sheet = format!(
        r#"<form class="ph-sheet" method="post" action="/phone/ticket" aria-label="{follow}"><input type="hidden" name="ticket" value="{ticket}">
<p class="ph-from">{face}<span>{name}</span><span>{kind}</span></p>
<h2>{heading}</h2>
<div class="ph-two"><button class="btn" name="answer" value="leave">{leave}</button><button class="btn btn-wechat-solid tap" name="answer" value="follow">{follow}</button></div>
</form>"#,
        face = Face::app(&named).small(),
        name = Escaped(&named.name),
        kind = l.of("公众号", "official account"),
        heading = l.of("关注以后，它可以给你发消息", "Once you follow it, it may write to you"),
        leave = l.of("不关注", "Leave"),
        follow = l.of("关注", "Follow"),
        ticket = Escaped(ticket),
    );
    let body = format!(
        r#"<div class="ph-pad ph-hero">{}<strong>{}</strong></div>"#,
        Face::app(&named),
        Escaped(&named.name)
    );
    let screen = Screen {
        back: Some("/phone/scan"),
        closes: true,
        title: &named.name,
        body: &body,
        sheet: Some(&sheet),
        ..Screen::default()
    };
    look.show(&screen, Some(person))
}
