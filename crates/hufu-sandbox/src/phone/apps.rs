//! A native app on the phone. It logs in with WeChat (`SendAuth`), or launches a mini program and receives what
//! that returns (`extMsg`). It shows what the app would send to its server.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use hufu_html::Escaped;
use serde_json::json;

use super::home::apps_of;
use super::minis::steps_html;
use super::shell::{Look, Screen, known_as};
use super::widgets::{Face, Icon, Named};
use super::{Owner, Shared, field, go, network, record, web};
use crate::acts::mini::PhoneChoice;
use crate::page::text::Language;
use crate::programs::{Handed, Program, What};
use crate::state::State;
use crate::state::apps::{App, AppKind};
use crate::state::codes::Grant;
use crate::state::people::Person;

pub(super) async fn show(
    Extract(state): Shared,
    Owner(person): Owner,
    Path(app_id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let look = Look::new(&state, query.as_deref(), &headers);
    let launches = query.as_deref().is_some_and(|query| query.split('&').any(|pair| pair == "launch"));
    let ring = if launches { Ring::Launch } else { Ring::Login };
    match native(&state, &app_id) {
        Some(app) => ringed(&look, &state, &app, &person, ("", None), ring),
        None => go("/phone"),
    }
}

fn native(state: &State, app_id: &str) -> Option<Arc<App>> {
    state.apps.get(app_id).filter(|app| app.settings().kind == AppKind::Mobile)
}

/// Which button of the app is the next one to press.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ring {
    Login,
    Launch,
    Nothing,
}

/// The app's first screen, with what it received last and a sheet of WeChat's over it.
fn screen(
    look: &Look<'_>,
    state: &State,
    app: &App,
    person: &Person,
    received: &str,
    sheet: Option<&str>,
) -> Response {
    ringed(look, state, app, person, (received, sheet), Ring::Nothing)
}

fn ringed(
    look: &Look<'_>,
    state: &State,
    app: &App,
    person: &Person,
    (received, sheet): (&str, Option<&str>),
    ring: Ring,
) -> Response {
    let l = look.language;
    let named = Named::of(app);
    let platform = app.settings().open_platform.clone();
    // An app can only launch mini programs that are linked with it.
    let is_program = |app: &App| state.programs.of(&app.id).is_some();
    let linked =
        |mini: &App| mini.settings().open_platform == platform && (!is_program(app) || is_program(mini));
    let mut launches = String::new();
    for mini in apps_of(state, |kind| kind == AppKind::Miniprogram).iter().filter(|mini| linked(mini)) {
        let name = Named::of(mini).name;
        let label = match l {
            Language::Chinese => format!("用「{}」登录", Escaped(&name)),
            Language::English => format!("Log in with {}", Escaped(&name)),
        };
        let _ = write!(
            launches,
            r#"<a class="btn btn-block{}" href="/phone/mini/{}?from={}">{}<span>{label}</span></a>"#,
            if ring == Ring::Launch && launches.is_empty() { " tap" } else { "" },
            mini.id,
            app.id,
            Icon("launch"),
        );
    }
    let body = format!(
        r#"<div class="ph-pad"><div class="ph-hero">{face}<strong>{name}</strong><p>{kind}</p></div>{received}<form method="post" action="/phone/app/{id}"><button class="btn btn-wechat-solid btn-block{tap}" name="act" value="login">{wechat}{login}</button></form>{launches}</div>"#,
        face = Face::app(&named),
        name = Escaped(&named.name),
        kind = l.of("一个原生 App", "A native app"),
        id = app.id,
        wechat = r#"<svg class="icon icon-wechat" aria-hidden="true"><use href="/icons.svg#wechat"/></svg>"#,
        login = l.of("微信登录", "Log in with WeChat"),
        tap = if ring == Ring::Login { " tap" } else { "" },
    );
    let screen = Screen {
        back: Some("/phone"),
        closes: true,
        title: &named.name,
        body: &body,
        sheet,
        ..Screen::default()
    };
    look.show(&screen, Some(person))
}

/// What an app received from WeChat, to copy.
fn received(l: Language, heading: &str, text: &str) -> String {
    format!(
        r#"<div class="ph-got" role="status"><div class="row"><strong>{heading}</strong><button type="button" class="btn btn-quiet btn-sm btn-icon" data-copy="got" aria-label="{copy}">{icon}</button></div><code id="got">{text}</code></div>"#,
        copy = l.of("复制", "Copy"),
        icon = Icon("copy"),
        text = Escaped(text),
    )
}

pub(super) async fn act(
    Extract(state): Shared,
    Owner(person): Owner,
    Path(app_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(app) = native(&state, &app_id) else {
        return go("/phone");
    };
    let look = Look::new(&state, None, &headers);
    let l = look.language;
    if !network(&person).await {
        return web::offline(&look, &person, false);
    }
    let form = String::from_utf8_lossy(&body).into_owned();
    match field(&form, "act").as_str() {
        "login" => {
            record(&state, &person, "phone open app", Some(&app.id));
            screen(&look, &state, &app, &person, "", Some(&consent(l, &app, &person)))
        }
        "allow" => {
            record(&state, &person, "phone allow", Some(&app.id));
            let granted = state.granted_code(&app, person.key, Grant::default());
            if let (Some(program), Ok(code)) = (state.programs.of(&app.id), &granted) {
                let what = What::Authorized { code: code.clone() };
                let got = run(l, &*program, &app, &person, what).await;
                return screen(&look, &state, &app, &person, &got, None);
            }
            let answer = match granted {
                Ok(code) => json!({ "errCode": 0, "code": code, "lang": "zh_CN", "country": "CN" }),
                Err(_) => json!({ "errCode": -1 }),
            };
            let got = received(l, "SendAuth.Resp", &answer.to_string());
            screen(&look, &state, &app, &person, &got, None)
        }
        _ => {
            record(&state, &person, "phone refuse", Some(&app.id));
            if let Some(program) = state.programs.of(&app.id) {
                let got = run(l, &*program, &app, &person, What::Refused { mini_program: None }).await;
                return screen(&look, &state, &app, &person, &got, None);
            }
            let got = received(l, "SendAuth.Resp", &json!({ "errCode": -4 }).to_string());
            screen(&look, &state, &app, &person, &got, None)
        }
    }
}

fn consent(l: Language, app: &App, person: &Person) -> String {
    let named = Named::of(app);
    format!(
        r#"<form class="ph-sheet" method="post" action="/phone/app/{id}" aria-label="{heading}">
<p class="ph-from">{face}<span>{name}</span><span>{asks}</span></p>
<h2>{heading}</h2>
<ul class="ph-pick"><li><label>{person_face}<span>{nickname}<small>{what}</small></span><input type="radio" name="profile" value="own" checked></label></li></ul>
<div class="ph-two"><button class="btn" name="act" value="deny">{deny}</button><button class="btn btn-wechat-solid tap" name="act" value="allow">{allow}</button></div>
</form>"#,
        id = app.id,
        heading = l.of("使用你的昵称和头像", "to use your nickname and avatar"),
        face = Face::app(&named).small(),
        name = Escaped(&named.name),
        asks = l.of("申请", "asks"),
        person_face = Face::person(known_as(person)).small(),
        nickname = Escaped(&person.nickname),
        what = l.of("昵称和头像", "Nickname and avatar"),
        deny = l.of("拒绝", "Refuse"),
        allow = l.of("允许", "Allow"),
    )
}

/// Hands something to the program of the app, and shows what came of it.
async fn run(l: Language, program: &dyn Program, app: &App, person: &Person, what: What) -> String {
    let refused = matches!(what, What::Refused { .. });
    let outcome = program.handed(Handed::new(app, person, what)).await;
    let (class, icon, heading) = match (outcome.ok, refused) {
        (true, _) => ("is-ok", "check", l.of("登录成功", "Logged in")),
        (false, true) => ("", "x", l.of("你没有允许", "You refused")),
        (false, false) => ("", "x", l.of("没有登录", "Not logged in")),
    };
    format!(
        r#"<div class="ph-hero" role="status"><span class="ph-mark {class}">{}</span><strong>{heading}</strong><p>{}</p></div>{}"#,
        Icon(icon),
        Escaped(&outcome.name),
        steps_html(l, &outcome.steps),
    )
}

/// The mini program that an app launched sends the person back, with its codes as `extMsg`.
pub(super) async fn returned(
    look: &Look<'_>,
    state: &State,
    app_id: &str,
    mini: &App,
    person: &Person,
    choice: PhoneChoice,
) -> Response {
    let Some(app) = native(state, app_id) else {
        return go("/phone");
    };
    let code = state.login_codes(mini, Some(person.key), 1).ok().and_then(|mut codes| codes.pop());
    if let Some(program) = state.programs.of(&app.id) {
        let mini_program = mini.id.to_string();
        let phone_code = || state.phone_code(mini, person).ok();
        let what = match (choice, code) {
            (PhoneChoice::Refuse, _) | (_, None) => What::Refused { mini_program: Some(mini_program) },
            (PhoneChoice::Hide, Some(code)) => What::Returned { mini_program, code, phone_code: None },
            (PhoneChoice::Allow, Some(code)) => {
                What::Returned { mini_program, code, phone_code: phone_code() }
            }
        };
        let got = run(look.language, &*program, &app, person, what).await;
        return screen(look, state, &app, person, &got, None);
    }
    let message = match (choice, code) {
        (PhoneChoice::Refuse, _) | (_, None) => String::new(),
        (PhoneChoice::Hide, Some(code)) => json!({ "code": code }).to_string(),
        (PhoneChoice::Allow, Some(code)) => {
            json!({ "code": code, "phoneInfoCode": state.phone_code(mini, person).ok() }).to_string()
        }
    };
    let l = look.language;
    let got = if message.is_empty() {
        received(l, "WXLaunchMiniProgram.Resp", &json!({ "errCode": -2 }).to_string())
    } else {
        received(l, "WXLaunchMiniProgram.Resp · extMsg", &message)
    };
    screen(look, state, &app, person, &got, None)
}
