//! The first screen: codes that wait, accounts, the browser and the native apps.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{RawQuery, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;

use super::shell::{Foot, Look, Screen, Tab};
use super::widgets::{Face, Icon, Named, Row, Time};
use super::{Owner, Shared, scan};
use crate::acts::account::follows;
use crate::page::text::Language;
use crate::state::State;
use crate::state::apps::{App, AppKind};
use crate::state::people::Person;

pub(super) async fn show(
    Extract(state): Shared,
    Owner(person): Owner,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let look = Look::new(&state, query.as_deref(), &headers);
    let l = look.language;
    let body = format!(
        r#"<ul class="ph-list">{}{}{}{}</ul>"#,
        waiting(&state, l),
        accounts(&state, &person, l),
        Row {
            href: "/phone/browser",
            face: Face::icon("link"),
            title: l.of("微信里的网页", "A page in WeChat"),
            about: l.of("用微信打开一个链接", "Open a link in WeChat’s browser"),
            end: &Icon("right").to_string(),
            is_next: false,
        },
        apps(&state, l),
    );
    let screen = Screen {
        title: l.of("聊天", "Chats"),
        body: &body,
        foot: Foot::Tabs(Tab::Chats),
        is_live: true,
        ..Screen::default()
    };
    look.show(&screen, Some(&person))
}

fn waiting(state: &State, l: Language) -> String {
    let number = scan::waiting(state).len();
    if number == 0 {
        return String::new();
    }
    let title = match l {
        Language::Chinese => format!("有 {number} 张码在等这部手机"),
        Language::English if number == 1 => "One code waits for this phone".to_owned(),
        Language::English => format!("{number} codes wait for this phone"),
    };
    let row = Row {
        href: "/phone/scan",
        face: Face::icon("scan"),
        title: &title,
        about: l.of("扫一扫", "Scan it"),
        end: &Icon("right").to_string(),
        is_next: true,
    };
    row.to_string()
}

/// The apps of these kinds that have not gone.
pub(super) fn apps_of(state: &State, fits: impl Fn(AppKind) -> bool) -> Vec<Arc<App>> {
    state.apps.all().into_iter().filter(|app| fits(app.settings().kind)).collect()
}

/// Accounts with news first.
fn accounts(state: &State, person: &Person, l: Language) -> String {
    let mut accounts = apps_of(state, AppKind::is_account);
    accounts.sort_by_key(|app| {
        let chat = state.chats.of(app.index, person.key);
        std::cmp::Reverse(chat.lines.back().map(|line| line.at))
    });
    let mut rows = String::new();
    for app in accounts {
        let (chat, named) = (state.chats.of(app.index, person.key), Named::of(&app));
        let last = chat.lines.back();
        let about = match last {
            Some(line) if follows(state, &app, person) => line.text.clone(),
            _ if follows(state, &app, person) => l.of("已关注", "You follow it").to_owned(),
            _ => l.of("公众号，还没有关注", "Official account, not followed yet").to_owned(),
        };
        let end = last.map(|line| Time { ms: line.at, is_short: true }.to_string()).unwrap_or_default();
        let row = Row {
            href: &format!("/phone/chat/{}", app.id),
            face: Face::app(&named).unread(chat.unread),
            title: &named.name,
            about: &about,
            end: &end,
            is_next: false,
        };
        let _ = write!(rows, "{row}");
    }
    rows
}

fn apps(state: &State, l: Language) -> String {
    let mut rows = String::new();
    for app in apps_of(state, |kind| kind == AppKind::Mobile) {
        let named = Named::of(&app);
        let row = Row {
            href: &format!("/phone/app/{}", app.id),
            face: Face::app(&named),
            title: &named.name,
            about: l.of("原生 App，可以拉起微信", "Native app, which can launch WeChat"),
            end: &Icon("right").to_string(),
            is_next: false,
        };
        let _ = write!(rows, "{row}");
    }
    rows
}
