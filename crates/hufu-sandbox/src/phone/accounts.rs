//! The chat with an official account: follow it, write to it, tap its menu, stop following.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use hufu_html::Escaped;

use super::shell::{Foot, Look, Screen, known_as};
use super::widgets::{Face, Named, Time};
use super::{Owner, Shared, field, go, network, patiently, record};
use crate::acts::account;
use crate::acts::push::Delivery;
use crate::page::text::Language;
use crate::state::apps::AppKind;
use crate::state::chats::{Chat, Note, Writer};
use crate::state::people::Person;

pub(super) async fn show(
    Extract(state): Shared,
    Owner(person): Owner,
    Path(app_id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(app) = state.apps.get(&app_id).filter(|app| app.settings().kind.is_account()) else {
        return go("/phone");
    };
    let look = Look::new(&state, query.as_deref(), &headers);
    let l = look.language;
    let named = Named::of(&app);
    let chat = state.chats.of(app.index, person.key);
    state.chats.mark_read(app.index, person.key);
    let kind = match named.kind {
        AppKind::SubscriptionAccount => l.of("订阅号", "Subscription account"),
        _ => l.of("服务号", "Service account"),
    };
    let follows = account::follows(&state, &app, &person);
    let offline = person.offline || query.as_deref().is_some_and(|query| query.contains("offline"));
    let body = lines(&chat, &named, &person, l, offline);
    let foot = compose(&app_id, follows, l);
    let screen = Screen {
        back: Some("/phone"),
        title: &named.name,
        subtitle: kind,
        body: &body,
        foot: Foot::Html(&foot),
        is_live: true,
        ..Screen::default()
    };
    look.show(&screen, Some(&person))
}

fn lines(chat: &Chat, app: &Named, person: &Person, l: Language, offline: bool) -> String {
    let mut body = String::from(r#"<div class="ph-chat">"#);
    if chat.lines.is_empty() {
        let hint =
            l.of("还没有消息。关注以后，可以发消息给它。", "No messages yet. Follow it to write to it.");
        let _ = write!(
            body,
            r#"<div class="ph-hero">{}<strong>{}</strong><p>{hint}</p></div>"#,
            Face::app(app),
            Escaped(&app.name)
        );
    }
    let mut last = i64::MIN;
    for line in &chat.lines {
        if line.at.saturating_sub(last) > 60_000 {
            let _ = write!(body, r#"<p class="ph-time">{}</p>"#, Time { ms: line.at, is_short: true });
            last = line.at;
        }
        let text = Escaped(&line.text);
        let _ = match line.by {
            Writer::Person => write!(
                body,
                r#"<div class="say say-me"><p>{text}</p>{}</div>"#,
                Face::person(known_as(person)).small()
            ),
            Writer::Account => {
                write!(body, r#"<div class="say">{}<p>{text}</p></div>"#, Face::app(app).small())
            }
            Writer::Wechat(note) => write!(body, r#"<p class="ph-time">{}</p>"#, note_text(note, l)),
        };
    }
    if offline {
        let note = l.of("这部手机断网了，消息发不出去", "This phone is offline; nothing can be sent");
        let _ = write!(body, r#"<p class="ph-time is-bad" role="alert">{note}</p>"#);
    }
    body.push_str("</div>");
    body
}

/// WeChat's own words.
pub(super) fn note_text(note: Note, l: Language) -> &'static str {
    match note {
        Note::Followed => l.of("你已关注，现在可以开始聊天了", "You follow it now, and can write to it"),
        Note::Unfollowed => l.of("你已取消关注", "You no longer follow it"),
        Note::Broken => l.of(
            "该公众号提供的服务出现故障，请稍后再试",
            "The service of this account is faulty, try again later",
        ),
        Note::Unavailable => l.of(
            "该公众号暂时无法提供服务，请稍后再试",
            "This account is temporarily unavailable, try again later",
        ),
    }
}

fn compose(app_id: &str, follows: bool, l: Language) -> String {
    if !follows {
        return format!(
            r#"<form class="ph-compose" method="post" action="/phone/chat/{app_id}"><button class="btn btn-wechat-solid btn-block" name="act" value="follow">{}</button></form>"#,
            l.of("关注公众号", "Follow")
        );
    }
    format!(
        r#"<form class="ph-compose" method="post" action="/phone/chat/{app_id}"><input class="input" name="text" aria-label="{write}" placeholder="{write}" autocomplete="off" maxlength="600"><button class="btn btn-wechat-solid" name="act" value="message">{send}</button></form>
<form class="ph-compose ph-menu" method="post" action="/phone/chat/{app_id}"><button name="act" value="menu">{menu}</button><button name="act" value="unfollow" formnovalidate>{unfollow}</button></form>"#,
        write = l.of("发消息", "Write a message"),
        send = l.of("发送", "Send"),
        menu = l.of("点菜单", "Tap the menu"),
        unfollow = l.of("取消关注", "Unfollow"),
    )
}

pub(super) async fn act(
    Extract(state): Shared,
    Owner(person): Owner,
    Path(app_id): Path<String>,

    body: Bytes,
) -> Response {
    let Some(app) = state.apps.get(&app_id) else {
        return go("/phone");
    };
    let chat = format!("/phone/chat/{}", app.id);
    if !network(&person).await {
        return go(&format!("{chat}?offline"));
    }
    let form = String::from_utf8_lossy(&body).into_owned();
    let text = field(&form, "text");
    let act = match field(&form, "act").as_str() {
        "follow" => "phone follow",
        "unfollow" => "phone unfollow",
        "menu" => "phone menu",
        _ if text.is_empty() => return go(&chat),
        _ => "phone message",
    };
    record(&state, &person, act, Some(&app.id));
    let state = Arc::clone(&state);
    patiently(async move {
        let delivery = Delivery::default();
        // A refusal leaves the chat as it is, which says enough.
        let _ = match act {
            "phone follow" => account::follow(&state, &app, &person, None, &delivery).await.map(drop),
            "phone unfollow" => account::unfollow(&state, &app, &person, &delivery).await.map(drop),
            "phone menu" => account::tap_menu(&state, &app, &person, "MENU", &delivery).await.map(drop),
            _ => account::say(&state, &app, &person, &text, &delivery).await.map(drop),
        };
    })
    .await;
    go(&chat)
}
