//! Mini programs on the phone. Each is played by the login mini program: it says what it asks for, and the person
//! allows it with or without the phone number, or refuses.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use hufu_html::Escaped;

use super::home::apps_of;
use super::shell::{Foot, Look, Screen, Tab, known_as};
use super::widgets::{Face, Icon, Named, Row};
use super::{Owner, Shared, apps, field, go, network, record, web};
use crate::acts::mini::{self, MiniLogin, Opened, PhoneChoice, Step, Target};
use crate::api::param;
use crate::control::ControlError;
use crate::page::text::Language;
use crate::programs::{Handed, Program, What};
use crate::state::State;
use crate::state::apps::{App, AppKind};
use crate::state::people::Person;
use crate::state::settings::SettingsPatch;

pub(super) async fn list(
    Extract(state): Shared,
    Owner(person): Owner,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let look = Look::new(&state, query.as_deref(), &headers);
    let l = look.language;
    let minis = apps_of(&state, |kind| kind == AppKind::Miniprogram);
    let in_web_view = query.as_deref().is_some_and(|query| query.split('&').any(|pair| pair == "web-view"));
    let mut body = String::from(r#"<ul class="ph-list">"#);
    for app in &minis {
        let named = Named::of(app);
        let program = state.programs.of(&app.id);
        let row = Row {
            href: &format!("/phone/mini/{}", app.id),
            face: Face::app(&named),
            title: &named.name,
            about: &named.id,
            end: &Icon("right").to_string(),
            is_next: program.is_some() && !in_web_view,
        };
        let _ = write!(body, "{row}");
        if program.is_some_and(|program| program.web_view(&app.id).is_some()) {
            let title = match l {
                Language::Chinese => format!("{} · 网页", named.name),
                Language::English => format!("{} · web page", named.name),
            };
            let row = Row {
                href: &format!("/phone/mini/{}/web", app.id),
                face: Face::app(&named),
                title: &title,
                about: l.of("在小程序的 web-view 里", "In the mini program’s web-view"),
                end: &Icon("right").to_string(),
                is_next: in_web_view,
            };
            let _ = write!(body, "{row}");
        }
    }
    body.push_str("</ul>");
    if minis.is_empty() {
        let _ = write!(
            body,
            r#"<p class="ph-pad muted">{}</p>"#,
            l.of(
                "还没有小程序。在「应用、用户与故障」里登记一个。",
                "No mini program yet. Register one under “Apps, people, faults”."
            )
        );
    }
    let screen = Screen {
        title: l.of("小程序", "Mini programs"),
        body: &body,
        foot: Foot::Tabs(Tab::Minis),
        is_live: true,
        ..Screen::default()
    };
    look.show(&screen, Some(&person))
}

/// Opens the mini program, with the scene of a code or without, or launched by a native app (`from`).
pub(super) async fn show(
    Extract(state): Shared,
    Owner(person): Owner,
    Path(app_id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(app) = mini_program(&state, &app_id) else {
        return go("/phone/minis");
    };
    let look = Look::new(&state, query.as_deref(), &headers);
    let l = look.language;
    let query = query.unwrap_or_default();
    if !network(&person).await {
        return web::offline(&look, &person, true);
    }
    record(&state, &person, "phone open mini program", Some(&app.id));
    if let Some(from) = param(&query, "from") {
        let opened = Opened { ok: true, ..Opened::default() };
        return ask(&look, &app, &person, &opened, Some(&from));
    }
    let scene = param(&query, "scene").unwrap_or_default();
    if let Some(program) = state.programs.of(&app.id).filter(|_| scene.is_empty()) {
        return open_program(&look, &*program, &app, &person).await;
    }
    match mini::open(&state, &app, &person, &scene).await {
        Ok(opened) if opened.ok => ask(&look, &app, &person, &opened, None),
        Ok(opened) => {
            let run = MiniLogin { ok: false, refused: false, steps: opened.steps };
            show_end(&look, &app, &person, &run)
        }
        Err(ControlError::NoLoginHost) => ask_for_host(&look, &app, &person, &scene),
        Err(error) => {
            web::note(&look, &person, l.of("打不开", "It does not open"), &error.to_string(), false)
        }
    }
}

/// Opens a mini program that somebody brought along: it logs the person in at once, then asks for the number.
async fn open_program(look: &Look<'_>, program: &dyn Program, app: &App, person: &Person) -> Response {
    let Some(code) = login_code(look.state, app, person) else {
        return go("/phone/minis");
    };
    let outcome = program.handed(Handed::new(app, person, What::Opened { code })).await;
    if !outcome.ok {
        let run = MiniLogin { ok: false, refused: false, steps: outcome.steps };
        return show_end(look, app, person, &run);
    }
    let opened = Opened { ok: true, ..Opened::default() };
    ask(look, app, person, &opened, None)
}

/// The person answered the question of such a mini program for the number.
async fn phone_given(
    look: &Look<'_>,
    program: &dyn Program,
    app: &App,
    person: &Person,
    choice: PhoneChoice,
) -> Response {
    let codes = (login_code(look.state, app, person), look.state.phone_code(app, person).ok());
    let what = match (choice, codes) {
        (PhoneChoice::Allow, (Some(code), Some(phone_code))) => What::Phone { code, phone_code },
        _ => What::Refused { mini_program: None },
    };
    let refused = choice == PhoneChoice::Refuse;
    let outcome = program.handed(Handed::new(app, person, what)).await;
    show_end(look, app, person, &MiniLogin { ok: outcome.ok && !refused, refused, steps: outcome.steps })
}

pub(super) fn login_code(state: &State, app: &App, person: &Person) -> Option<String> {
    state.login_codes(app, Some(person.key), 1).ok().and_then(|mut codes| codes.pop())
}

pub(super) fn mini_program(state: &State, app_id: &str) -> Option<Arc<App>> {
    state.apps.get(app_id).filter(|app| app.settings().kind == AppKind::Miniprogram)
}

/// A number of which the middle is hidden.
fn masked(phone: &str) -> String {
    let end = phone.len().saturating_sub(4);
    phone.char_indices().map(|(at, digit)| if (3..end).contains(&at) { '*' } else { digit }).collect()
}

fn hidden(name: &str, value: &str) -> String {
    format!(r#"<input type="hidden" name="{name}" value="{}">"#, Escaped(value))
}

/// The sheet with the question for the phone number.
fn ask(look: &Look<'_>, app: &App, person: &Person, opened: &Opened, from: Option<&str>) -> Response {
    let l = look.language;
    let named = Named::of(app);
    let asks_phone = !opened.has_phone && !person.phone.is_empty();
    let hides = person.hide_phone || person.phone.is_empty();
    let checked = |on: bool| if on { " checked" } else { "" };
    let mut pick = String::new();
    if asks_phone {
        let _ = write!(
            pick,
            r#"<li><label><span>{}<small>{}</small></span><input type="radio" name="phone" value="allow"{}></label></li>"#,
            Escaped(&masked(&person.phone)),
            l.of("微信绑定的号码", "The number bound to WeChat"),
            checked(!hides),
        );
    }
    let _ = write!(
        pick,
        r#"<li><label><span>{}<small>{}</small></span><input type="radio" name="phone" value="hide"{}></label></li>"#,
        if opened.has_phone {
            l.of("用已有的号码", "The number that is known already")
        } else {
            l.of("不提供手机号", "Without a phone number")
        },
        if opened.has_phone {
            l.of("服务器已有这个人的手机号", "The server has this person’s number")
        } else {
            l.of("只用微信登录", "Only log in with WeChat")
        },
        checked(hides || !asks_phone),
    );
    let heading = match (opened.binds, asks_phone) {
        (true, _) => l.of("把微信绑定到你的账号", "to bind WeChat to your account"),
        (false, true) => l.of("获取并验证你的手机号", "for your verified phone number"),
        (false, false) => l.of("用微信登录", "to log you in with WeChat"),
    };
    let steps = serde_json::to_string(&opened.steps).unwrap_or_default();
    let fields = [
        hidden("pool", &opened.target.pool),
        hidden("app", &opened.target.app),
        hidden("connection", &opened.target.connection),
        hidden("random", &opened.random),
        hidden("binds", if opened.binds { "1" } else { "" }),
        hidden("known", if opened.has_phone { "1" } else { "" }),
        hidden("steps", &steps),
        hidden("from", from.unwrap_or_default()),
    ];
    let sheet = format!(
        r#"<form class="ph-sheet" method="post" action="/phone/mini/{id}" aria-label="{heading}">{fields}
<p class="ph-from">{face}<span>{name}</span><span>{asks}</span></p>
<h2>{heading}</h2>
<ul class="ph-pick ph-pick-plain">{pick}</ul>
<div class="ph-two"><button class="btn" name="answer" value="refuse">{deny}</button><button class="btn btn-wechat-solid tap" name="answer" value="allow">{allow}</button></div>
</form>"#,
        id = app.id,
        fields = fields.concat(),
        face = Face::app(&named).small(),
        name = Escaped(&named.name),
        asks = l.of("申请", "asks"),
        deny = l.of("不允许", "Refuse"),
        allow = l.of("允许", "Allow"),
    );
    let purpose = if opened.app_name.is_empty() {
        String::new()
    } else {
        match l {
            Language::Chinese => format!("<p>登录「{}」</p>", Escaped(&opened.app_name)),
            Language::English => format!("<p>Log in to {}</p>", Escaped(&opened.app_name)),
        }
    };
    let body = format!(
        r#"<div class="ph-pad ph-hero">{}<strong>{}</strong>{purpose}</div>"#,
        Face::person(known_as(person)),
        Escaped(&person.nickname),
    );
    let screen =
        Screen { title: &named.name, is_mini: true, body: &body, sheet: Some(&sheet), ..Screen::default() };
    look.show(&screen, Some(person))
}

fn ask_for_host(look: &Look<'_>, app: &App, person: &Person, scene: &str) -> Response {
    let l = look.language;
    let named = Named::of(app);
    let body = format!(
        r#"<div class="ph-pad ph-hero">{face}<strong>{heading}</strong><p>{about}</p></div>
<form class="ph-pad ph-paste" method="post" action="/phone/mini/{id}">{scene}<div class="field"><label for="host">{label}</label><input class="input" id="host" name="host" placeholder="http://127.0.0.1:3000" inputmode="url" required></div><button class="btn btn-wechat-solid btn-block">{open}</button></form>"#,
        face = Face::app(&named),
        heading = l.of("登录小程序还没有服务器", "The login mini program has no server yet"),
        about = l.of("它要向虎符登录。虎符的地址是？", "It logs in to Hufu. Where is Hufu?"),
        id = app.id,
        scene = hidden("scene", scene),
        label = l.of("服务器地址", "Address of the server"),
        open = l.of("打开小程序", "Open the mini program"),
    );
    let screen = Screen { title: &named.name, is_mini: true, body: &body, ..Screen::default() };
    look.show(&screen, Some(person))
}

pub(super) async fn decide(
    Extract(state): Shared,
    Owner(person): Owner,
    Path(app_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(app) = mini_program(&state, &app_id) else {
        return go("/phone/minis");
    };
    let look = Look::new(&state, None, &headers);
    let l = look.language;
    let form = String::from_utf8_lossy(&body).into_owned();
    let host = field(&form, "host");
    if !host.is_empty() {
        let patch = SettingsPatch { login_mini_program_host: Some(host), ..SettingsPatch::default() };
        let scene = field(&form, "scene");
        return match state.patch_settings(patch) {
            Ok(_) => go(&format!("/phone/mini/{app_id}?scene={}", super::encoded(&scene))),
            Err(_) => ask_for_host(&look, &app, &person, &scene),
        };
    }
    let choice = match (field(&form, "answer").as_str(), field(&form, "phone").as_str()) {
        ("allow", "allow") => PhoneChoice::Allow,
        ("allow", _) => PhoneChoice::Hide,
        _ => PhoneChoice::Refuse,
    };
    let act = if choice == PhoneChoice::Refuse { "phone refuse" } else { "phone allow" };
    record(&state, &person, act, Some(&app.id));
    if !network(&person).await {
        return web::offline(&look, &person, false);
    }
    let from = field(&form, "from");
    if !from.is_empty() {
        return apps::returned(&look, &state, &from, &app, &person, choice).await;
    }
    if let Some(program) = state.programs.of(&app.id).filter(|_| field(&form, "random").is_empty()) {
        return phone_given(&look, &*program, &app, &person, choice).await;
    }
    match mini::finish(&state, &app, &person, &opened_of(&form), choice).await {
        Ok(run) => show_end(&look, &app, &person, &run),
        Err(error) => web::note(&look, &person, l.of("没有登录", "Not logged in"), &error.to_string(), false),
    }
}

/// What the form remembers of the opening.
fn opened_of(form: &str) -> Opened {
    let steps: Vec<Step> = serde_json::from_str(&field(form, "steps")).unwrap_or_default();
    Opened {
        app_name: String::new(),
        random: field(form, "random"),
        binds: field(form, "binds") == "1",
        has_phone: field(form, "known") == "1",
        ok: true,
        steps,
        target: Target {
            pool: field(form, "pool"),
            app: field(form, "app"),
            connection: field(form, "connection"),
        },
    }
}

fn show_end(look: &Look<'_>, app: &App, person: &Person, run: &MiniLogin) -> Response {
    let l = look.language;
    let named = Named::of(app);
    let (class, icon, heading, about) = match run {
        MiniLogin { ok: true, .. } => (
            "ph-mark is-ok",
            "check",
            l.of("登录成功", "Logged in"),
            l.of("可以关掉小程序，看你的应用了。", "Close the mini program, and look at your application."),
        ),
        MiniLogin { refused: true, .. } => (
            "ph-mark",
            "x",
            l.of("你没有允许", "You refused"),
            l.of("什么都没有发生，码会自己过期。", "Nothing happened. The code expires by itself."),
        ),
        _ => (
            "ph-mark",
            "x",
            l.of("没有登录", "Not logged in"),
            l.of("服务器没有同意，下面是它的回答。", "The server did not agree. Below is its answer."),
        ),
    };
    let steps = steps_html(l, &run.steps);
    let body = format!(
        r#"<div class="ph-pad ph-hero"><span class="{class}">{}</span><strong>{heading}</strong><p>{about}</p></div>{steps}"#,
        Icon(icon),
    );
    let screen = Screen { title: &named.name, is_mini: true, body: &body, ..Screen::default() };
    look.show(&screen, Some(person))
}

/// Calls to the server as a list, if there are any.
pub(super) fn steps_html(l: Language, all: &[Step]) -> String {
    let mut steps = String::new();
    for step in all {
        let status = match (step.http_status, step.code) {
            (None, _) => l.of("连不上", "unreachable").to_owned(),
            (Some(status), None) => status.to_string(),
            (Some(_), Some(code)) => code.to_string(),
        };
        let class = if step.is_ok() { "status status-ok" } else { "status status-bad" };
        let message = if step.is_ok() { "" } else { &step.message };
        let _ = write!(
            steps,
            r#"<li><code>{}</code><span class="{class}">{status}</span><small>{}</small></li>"#,
            Escaped(&step.call),
            Escaped(message),
        );
    }
    if steps.is_empty() { steps } else { format!(r#"<ol class="ph-steps">{steps}</ol>"#) }
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn a_number_keeps_its_ends() {
        assert_eq!(masked("13800000001"), "138****0001");
        assert_eq!(masked("123"), "123");
    }
}
