//! The QR login of a website, on the phone: what is asked, and the two answers.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use hufu_html::Escaped;

use super::shell::{Look, Screen, known_as};
use super::widgets::{Face, Icon, Named};
use super::{Owner, Shared, field, go, network, record};
use crate::acts::web;
use crate::page::text::Language;
use crate::state::web_logins::Progress;

/// Opening it is the scan.
pub(super) async fn show(
    Extract(state): Shared,
    Owner(person): Owner,
    Path(uuid): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let look = Look::new(&state, query.as_deref(), &headers);
    let l = look.language;
    let known = state.web_logins.get(&uuid, state.clock.now());
    let was_waiting = known.as_ref().is_some_and(|login| login.progress == Progress::Waiting);
    if person.offline || (was_waiting && !network(&person).await) {
        return offline(&look, &person, true);
    }
    let scanned = if was_waiting { web::scan(&state, &uuid, &person).ok() } else { known };
    let Some(login) = scanned else {
        return go("/phone/scan?unknown");
    };
    let Some(app) = state.apps.at(login.app) else {
        return go("/phone/scan?unknown");
    };
    if was_waiting {
        record(&state, &person, "phone scan", Some(&app.id));
    }
    let named = Named::of(&app);
    match login.progress {
        Progress::Confirmed(_) => {
            return note(
                &look,
                &person,
                l.of("已登录", "Logged in"),
                l.of("请看电脑上的网页。", "Now look at the page on the computer."),
                true,
            );
        }
        Progress::Cancelled(_) => {
            return note(
                &look,
                &person,
                l.of("已取消", "Cancelled"),
                l.of("这次登录没有发生。", "Nobody was logged in."),
                false,
            );
        }
        Progress::Expired => {
            return note(
                &look,
                &person,
                l.of("二维码已过期", "The code has expired"),
                l.of("请刷新电脑上的网页，再扫一次。", "Reload the page on the computer, and scan again."),
                false,
            );
        }
        Progress::Waiting | Progress::Scanned => {}
    }
    let asks = match l {
        Language::Chinese => format!("登录「{}」", Escaped(&named.name)),
        Language::English => format!("Log in to {}", Escaped(&named.name)),
    };
    let body = format!(
        r#"<div class="ph-pad ph-hero ph-ask">{computer}<strong>{asks}</strong><p>{about}</p></div>"#,
        computer = Face::app(&named),
        about = l.of("在电脑上扫码登录", "on the computer, by QR code"),
    );
    let sheet = format!(
        r#"<form class="ph-sheet" method="post" action="/phone/web/{uuid}" aria-label="{asks}">
<p class="ph-from">{face}<span>{app}</span><span>{from}</span></p>
<h2>{heading}</h2>
<ul class="ph-pick"><li><label>{person_face}<span>{nickname}<small>{what}</small></span><input type="radio" name="profile" value="own" checked></label></li></ul>
<div class="ph-two"><button class="btn" name="answer" value="deny">{deny}</button><button class="btn btn-wechat-solid tap" name="answer" value="allow">{allow}</button></div>
</form>"#,
        uuid = Escaped(&uuid),
        face = Face::app(&named).small(),
        app = Escaped(&named.name),
        from = l.of("申请", "asks"),
        heading = l.of("使用你的昵称和头像登录", "to log you in with your nickname and avatar"),
        person_face = Face::person(known_as(&person)).small(),
        nickname = Escaped(&person.nickname),
        what = l.of("昵称和头像", "Nickname and avatar"),
        deny = l.of("取消", "Cancel"),
        allow = l.of("登录", "Log in"),
    );
    let screen = Screen {
        back: Some("/phone/scan"),
        closes: true,
        title: l.of("微信登录", "WeChat login"),
        body: &body,
        sheet: Some(&sheet),
        ..Screen::default()
    };
    look.show(&screen, Some(&person))
}

/// A screen that says how something ended.
pub(super) fn note(
    look: &Look<'_>,
    person: &crate::state::people::Person,
    heading: &str,
    about: &str,
    is_good: bool,
) -> Response {
    let l = look.language;
    let (class, icon) = if is_good { ("ph-mark is-ok", "check") } else { ("ph-mark", "x") };
    let body = format!(
        r#"<div class="ph-pad ph-hero"><span class="{class}">{}</span><strong>{}</strong><p>{}</p><a class="btn" href="/phone">{}</a></div>"#,
        Icon(icon),
        Escaped(heading),
        Escaped(about),
        l.of("完成", "Done"),
    );
    let screen = Screen { back: Some("/phone"), closes: true, title: "", body: &body, ..Screen::default() };
    look.show(&screen, Some(person))
}

/// The phone has no network. A code that it was about to scan is still there.
pub(super) fn offline(look: &Look<'_>, person: &crate::state::people::Person, has_code: bool) -> Response {
    let l = look.language;
    let about = if has_code {
        l.of(
            "这部手机断网了。码留着，接上再扫。",
            "This phone is offline. The code stays; scan it again later.",
        )
    } else {
        l.of("这部手机断网了。", "This phone is offline.")
    };
    note(look, person, l.of("网络出错", "No network"), about, false)
}

pub(super) async fn decide(
    Extract(state): Shared,
    Owner(person): Owner,
    Path(uuid): Path<String>,

    body: Bytes,
) -> Response {
    let form = String::from_utf8_lossy(&body).into_owned();
    let consent = field(&form, "answer") == "allow";
    if network(&person).await
        && let Ok(login) = web::decide(&state, &uuid, &person, consent)
    {
        let act = if consent { "phone allow" } else { "phone refuse" };
        record(&state, &person, act, state.apps.at(login.app).map(|app| app.id.clone()).as_ref());
    }
    go(&format!("/phone/web/{uuid}"))
}
