//! Whose phone it is, and what is the matter with it.

use std::fmt::Write as _;

use axum::body::Bytes;
use axum::extract::{RawQuery, State as Extract};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use hufu_html::Escaped;

use super::shell::{Foot, Look, Screen, Tab, known_as};
use super::widgets::{Face, Icon};
use super::{Owner, Shared, cookie, field, go, record};
use crate::api::param;
use crate::page::text::Language;
use crate::state::people::{NewUser, Person, UserPatch};

/// How many of the latest people are offered.
const SHOWN: usize = 60;

pub(super) async fn show(
    Extract(state): Shared,
    Owner(person): Owner,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let look = Look::new(&state, query.as_deref(), &headers);
    let l = look.language;
    let failed = query.as_deref().is_some_and(|query| query.contains("refused"));
    let error = if failed {
        let text = l.of(
            "手机号只能是数字，昵称不能太长。",
            "A number has digits only, and a nickname is not that long.",
        );
        format!(r#"<p class="error" role="alert">{text}</p>"#)
    } else {
        String::new()
    };
    let body = format!(
        r#"<a class="ph-me" href="/phone/people">{face}<span><strong>{nickname}</strong><small>{name} · {number}</small></span>{right}</a>
<form class="ph-set" id="settings" method="post" action="/phone/me">
<h2 class="ph-h">{trouble}</h2>{switches}
<h2 class="ph-h">{profile}</h2>
<div class="ph-pad ph-paste">{error}<div class="field"><label for="nickname">{nickname_label}</label><input class="input" id="nickname" name="nickname" value="{nickname}" maxlength="200" autocomplete="off"></div>
<div class="field"><label for="phone">{phone_label}</label><input class="input" id="phone" name="phone" value="{phone}" inputmode="numeric" pattern="[0-9]{{0,15}}" autocomplete="off"></div>
<button class="btn btn-block">{save}</button></div>
</form>"#,
        face = Face::person(known_as(&person)),
        nickname = Escaped(&person.nickname),
        name = Escaped(&person.name),
        number = Escaped(&number(&person, l)),
        right = Icon("right"),
        trouble = l.of("这部手机", "This phone"),
        switches = switches(&person, l),
        profile = l.of("资料", "Profile"),
        nickname_label = l.of("昵称", "Nickname"),
        phone_label = l.of("手机号", "Phone number"),
        phone = Escaped(&person.phone),
        save = l.of("保存", "Save"),
    );
    let screen =
        Screen { title: l.of("我", "Me"), body: &body, foot: Foot::Tabs(Tab::Me), ..Screen::default() };
    look.show(&screen, Some(&person))
}

fn number(person: &Person, l: Language) -> String {
    if person.phone.is_empty() {
        l.of("没有手机号", "no phone number").to_owned()
    } else {
        format!("+{} {}", person.country_code, person.phone)
    }
}

fn switches(person: &Person, l: Language) -> String {
    let all = [
        ("slow", person.slow, l.of("网慢", "Slow"), l.of("每一步晚 5 秒", "Every step takes 5 s longer")),
        (
            "offline",
            person.offline,
            l.of("断网", "Offline"),
            l.of("什么都发不出去，码留着", "Nothing gets out; codes stay"),
        ),
        (
            "risky",
            person.risky,
            l.of("被微信冻结", "Frozen by WeChat"),
            l.of("登录答 40226 或 50002", "Logins answer 40226 or 50002"),
        ),
        (
            "snapshot",
            person.snapshot,
            l.of("快照用户", "Snapshot user"),
            l.of("公众号只收到虚拟账号", "Accounts receive a virtual person"),
        ),
        (
            "hide_phone",
            person.hide_phone,
            l.of("不给手机号", "Hides the number"),
            l.of("小程序问起时默认不提供", "Mini programs do not get it by default"),
        ),
    ];
    let mut html = String::from(r#"<ul class="ph-switches">"#);
    for (name, on, title, about) in all {
        let checked = if on { " checked" } else { "" };
        let _ = write!(
            html,
            r#"<li><label><span><strong>{title}</strong><small>{about}</small></span><input class="switch" type="checkbox" role="switch" name="{name}" value="1" aria-label="{title}"{checked}></label></li>"#
        );
    }
    html.push_str("</ul>");
    html
}

pub(super) async fn change(Extract(state): Shared, Owner(person): Owner, body: Bytes) -> Response {
    let form = String::from_utf8_lossy(&body).into_owned();
    let on = |name: &str| Some(field(&form, name) == "1");
    let patch = UserPatch {
        nickname: Some(field(&form, "nickname")),
        phone: Some(field(&form, "phone")),
        slow: on("slow"),
        offline: on("offline"),
        risky: on("risky"),
        snapshot: on("snapshot"),
        hide_phone: on("hide_phone"),
        ..UserPatch::default()
    };
    if state.people.patch(&person.name, patch).is_err() {
        return go("/phone/me?refused");
    }
    record(&state, &person, "phone settings", None);
    go("/phone/me")
}

/// Whose phone it can be.
pub(super) async fn people(
    Extract(state): Shared,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let look = Look::new(&state, query.as_deref(), &headers);
    let l = look.language;
    let chosen = cookie::chosen(&state, &headers);
    let all = state.people.all();
    let mut body = String::from(r#"<ul class="ph-list">"#);
    for person in all.iter().skip(all.len().saturating_sub(SHOWN)) {
        let is_chosen = chosen.as_ref().is_some_and(|chosen| chosen.name == person.name);
        let _ = write!(
            body,
            r#"<li><form method="post" action="/phone/people"><input type="hidden" name="name" value="{name}"><button{pressed}>{face}<span><strong>{name}</strong><small>{nickname} · {number}</small></span>{check}</button></form></li>"#,
            name = Escaped(&person.name),
            pressed = if is_chosen { r#" aria-pressed="true""# } else { "" },
            face = Face::person(known_as(person)),
            nickname = Escaped(&person.nickname),
            number = Escaped(&number(person, l)),
            check = if is_chosen { Icon("check").to_string() } else { String::new() },
        );
    }
    let failed = query.as_deref().is_some_and(|query| query.contains("refused"));
    let open = if failed || all.is_empty() { " open" } else { "" };
    let error = if failed {
        let text = l.of(
            "名字最长 64 字节，手机号只能是数字。",
            "A name has at most 64 bytes, and a number digits only.",
        );
        format!(r#"<p class="error" role="alert">{text}</p>"#)
    } else {
        String::new()
    };
    let _ = write!(
        body,
        r#"</ul><details class="ph-new"{open}><summary>{face}<span><strong>{title}</strong><small>{about}</small></span></summary>
<form class="ph-pad ph-paste" method="post" action="/phone/people"><input type="hidden" name="make" value="1">{error}<div class="field"><label for="new-name">{name}</label><input class="input" id="new-name" name="name" placeholder="{drawn}" maxlength="64" autocomplete="off"></div>
<div class="field"><label for="new-phone">{phone}</label><input class="input" id="new-phone" name="phone" placeholder="{drawn}" inputmode="numeric" pattern="[0-9]{{0,15}}" autocomplete="off"></div>
<button class="btn btn-wechat-solid btn-block">{make}</button></form></details>"#,
        face = Face::new(),
        title = l.of("造一个新的人", "Make somebody new"),
        about = l.of("名字和手机号，留空则随机", "Name and number, drawn if empty"),
        name = l.of("名字", "Name"),
        phone = l.of("手机号", "Phone number"),
        drawn = l.of("留空则随机", "drawn if empty"),
        make = l.of("拿起手机", "Take the phone"),
    );
    let screen = Screen {
        back: chosen.is_some().then_some("/phone/me"),
        title: l.of("我是谁", "Who am I"),
        body: &body,
        ..Screen::default()
    };
    look.show(&screen, chosen.as_deref())
}

pub(super) async fn choose(Extract(state): Shared, body: Bytes) -> Response {
    let form = String::from_utf8_lossy(&body).into_owned();
    let name = field(&form, "name");
    let person = if field(&form, "make") == "1" {
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let new = NewUser {
            nickname: given(name.clone()),
            name: given(name),
            phone: given(field(&form, "phone")),
            ..NewUser::default()
        };
        // Somebody who exists already is chosen, not replaced.
        match new.name.as_deref().map(|name| state.people.named(name)) {
            Some(Ok(person)) => Ok(person),
            _ => state.put_person(new).map(|(person, _)| person),
        }
    } else {
        state.people.named(&name)
    };
    let Ok(person) = person else {
        return go("/phone/people?refused");
    };
    record(&state, &person, "phone choose", None);
    let mut response = go("/phone");
    response.headers_mut().insert(header::SET_COOKIE, cookie::choose(&person));
    response
}

/// Comes back to the screen that the reader was on.
pub(super) async fn language(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    let to = if param(&query, "to").as_deref() == Some("zh") { Language::Chinese } else { Language::English };
    let from = headers.get(header::REFERER).and_then(|from| from.to_str().ok());
    let from = from.and_then(|from| url::Url::parse(from).ok()).map(|url| url.path().to_owned());
    let from = from.filter(|path| path.starts_with("/phone/")).unwrap_or_else(|| "/phone".to_owned());
    let mut response = go(&from);
    response.headers_mut().insert(header::SET_COOKIE, cookie::speak(to));
    response
}
