//! The page's HTML. Everything that somebody typed passes [`Escaped`].

use std::fmt::{self, Write as _};

use serde_json::Value;

use super::text::{Language, Text};
use crate::state::State;
use crate::{AppState, AppView, UserView};

/// The latest people are shown, the others only counted.
const SHOWN: usize = 60;

pub(super) fn page(state: &State, language: Language) -> String {
    let text = language.text();
    let apps: Vec<AppView> = state.apps.all().iter().map(|app| app.view()).collect();
    let all = state.people.all();
    let latest = all.iter().skip(all.len().saturating_sub(SHOWN));
    let people: Vec<UserView> = latest.map(|person| state.view(person)).collect();
    let mut html = String::with_capacity(16 * 1024);
    // Writing to a String cannot fail.
    let _ = write_page(&mut html, text, &apps, &people, all.len());
    html
}

fn write_page(
    to: &mut String,
    text: &Text,
    apps: &[AppView],
    people: &[UserView],
    number_of_people: usize,
) -> fmt::Result {
    write!(
        to,
        r#"<!doctype html>
<html lang="{tag}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Hufu</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/sandbox.css">
<script src="/sandbox.js" defer></script>
</head>
<body data-words="{words}">
<header class="top">
<div class="brand"><img src="/icon.svg" width="36" height="36" alt=""><div><h1>{title}</h1><p>{lead}</p></div></div>
<div class="tools">
<div class="clock" role="group" aria-label="{clock}"><span class="label">{clock}</span><time id="clock">–</time>
<button type="button" class="quiet" data-advance="300">{five}</button><button type="button" class="quiet" data-advance="7200">{two}</button></div>
<a class="lang" href="?lang={other}" hreflang="{other}" lang="{other}">{other_name}</a>
</div>
</header>
<main>
"#,
        tag = text.tag,
        title = text.title,
        lead = text.lead,
        words = Escaped(&words(text)),
        clock = text.clock,
        five = text.plus_five_minutes,
        two = text.plus_two_hours,
        other = text.other_tag,
        other_name = text.other_name,
    )?;
    to.push_str("<div class=\"column\">\n");
    write_phone(to, text, apps, people)?;
    write_faults(to, text)?;
    to.push_str("</div>\n<div class=\"column\">\n");
    write_log(to, text)?;
    write_apps(to, text, apps)?;
    write_people(to, text, people, number_of_people)?;
    write!(
        to,
        r#"</div>
</main>
<footer><p>{}</p></footer>
<div id="toast" role="status" aria-live="polite"></div>
</body>
</html>
"#,
        text.footer
    )
}

/// The phone: choose an app and a person, make a code.
fn write_phone(to: &mut String, text: &Text, apps: &[AppView], people: &[UserView]) -> fmt::Result {
    write!(
        to,
        r#"<section class="card device" aria-labelledby="phone-title">
<h2 id="phone-title">{}</h2>
<label>{}<select id="app">"#,
        text.phone_title, text.in_app
    )?;
    for app in apps {
        write!(
            to,
            r#"<option value="{0}" data-secret="{1}">{0}</option>"#,
            Escaped(&app.app_id),
            Escaped(app.secret.expose())
        )?;
    }
    write!(to, r#"</select></label><label>{}<select id="person">"#, text.as_person)?;
    for person in people {
        write!(to, r#"<option value="{0}">{0}</option>"#, Escaped(&person.name))?;
    }
    let disabled = if apps.is_empty() { " disabled" } else { "" };
    write!(
        to,
        r#"<option value="new">{someone_new}</option></select></label>
<div class="pair"><button type="button" class="primary" id="login-code"{disabled}>{login}</button>
<button type="button" class="primary second" id="phone-code"{disabled}>{phone}</button></div>
<p class="hint" id="screen-hint">{hint}</p>
<div class="result" id="result" hidden>
<div class="result-head"><strong id="result-title"></strong><span class="badge" id="countdown"></span></div>
<div class="copyable"><code id="result-code"></code><button type="button" class="quiet" data-copy="result-code">{copy}</button></div>
<details id="try"><summary>{try_it}</summary><div class="copyable"><code id="result-curl"></code><button type="button" class="quiet" data-copy="result-curl">{copy}</button></div></details>
</div>
</section>
"#,
        someone_new = text.someone_new,
        login = text.login_code,
        phone = text.phone_code,
        hint = text.screen_hint,
        copy = text.copy,
        try_it = text.try_it,
    )
}

fn write_faults(to: &mut String, text: &Text) -> fmt::Result {
    write!(
        to,
        r#"<section class="card" aria-labelledby="faults-title">
<h2 id="faults-title">{faults}</h2>
<p class="hint">{lead}</p>
<label class="inline">{for_next} <input id="fault-count" type="number" min="1" max="1000000" value="3" inputmode="numeric"> {unit}</label>
<div class="chips">
<button type="button" data-fault='{{"errcode":-1}}'>{busy}</button>
<button type="button" data-fault='{{"delay_ms":5000}}'>{slow}</button>
<button type="button" data-fault='{{"http_status":502}}'>{gateway}</button>
<button type="button" data-fault='{{"drop_connection":true}}'>{dropped}</button>
<button type="button" data-fault='{{"wrong_json":"truncated"}}'>{nonsense}</button>
<button type="button" data-discard>{discard}</button>
<button type="button" data-state="frozen">{frozen}</button>
<button type="button" data-state="secret_reset">{wrong_secret}</button>
</div>
<div class="waiting"><div class="row"><strong>{waiting}</strong><button type="button" class="quiet" id="clear-faults" hidden>{clear}</button></div>
<ul id="fault-list"></ul><p class="hint" id="no-faults">{no_faults}</p></div>
</section>
"#,
        faults = text.faults,
        lead = text.faults_lead,
        for_next = text.for_next,
        unit = text.calls_unit,
        busy = text.busy,
        slow = text.slow,
        gateway = text.gateway,
        dropped = text.dropped,
        nonsense = text.nonsense,
        discard = text.discard,
        frozen = text.frozen,
        wrong_secret = text.wrong_secret,
        waiting = text.waiting_faults,
        clear = text.clear,
        no_faults = text.no_faults,
    )
}

fn write_log(to: &mut String, text: &Text) -> fmt::Result {
    write!(
        to,
        r#"<section class="card" aria-labelledby="log-title">
<div class="row"><h2 id="log-title">{log}</h2><span class="live"><i></i>{base} <code id="api-base">/api</code><button type="button" class="quiet" data-copy="api-base">{copy}</button></span></div>
<p class="hint">{lead}</p>
<div class="scroll"><table><thead><tr><th scope="col">{time}</th><th scope="col">{call}</th><th scope="col" class="wide">{app}</th><th scope="col">{outcome}</th></tr></thead><tbody id="log"></tbody></table></div>
<p class="empty" id="no-calls">{no_calls}</p>
</section>
"#,
        log = text.log,
        base = text.api_base,
        copy = text.copy,
        lead = text.log_lead,
        time = text.time,
        call = text.call,
        app = text.app,
        outcome = text.outcome,
        no_calls = text.no_calls,
    )
}

fn write_apps(to: &mut String, text: &Text, apps: &[AppView]) -> fmt::Result {
    write!(
        to,
        r#"<section class="card" aria-labelledby="apps-title"><h2 id="apps-title">{}</h2>"#,
        text.apps
    )?;
    if apps.is_empty() {
        write!(to, r#"<p class="empty">{}</p>"#, text.no_apps)?;
    }
    to.push_str("<ul class=\"list\">\n");
    for app in apps {
        let well = if app.state == AppState::Ok { "good" } else { "bad" };
        write!(
            to,
            r#"<li class="{well}"><div class="row"><code class="id">{id}</code>
<select class="state" data-app="{id}" aria-label="{state} {id}">"#,
            id = Escaped(&app.app_id),
            state = text.state,
        )?;
        for (state, name) in STATES.into_iter().zip(text.states) {
            let value = serde_json::to_value(state).unwrap_or_default();
            let selected = if state == app.state { " selected" } else { "" };
            write!(
                to,
                r#"<option value="{}"{selected}>{name}</option>"#,
                value.as_str().unwrap_or_default()
            )?;
        }
        write!(
            to,
            r#"</select></div><div class="facts"><span>{platform}: {bound}</span><span>{secret}: <code>••••</code></span>
<button type="button" class="quiet" data-copy-text="{value}">{copy}</button></div></li>
"#,
            platform = text.open_platform,
            bound = Escaped(app.open_platform.as_deref().unwrap_or(text.none)),
            secret = text.secret,
            value = Escaped(app.secret.expose()),
            copy = text.copy,
        )?;
    }
    write!(
        to,
        r#"</ul><details class="form"><summary>{add_app}</summary><form data-post="/__sandbox/apps">
<label>{app_id}<input name="app_id" placeholder="{drawn}" pattern="wx[0-9a-f]{{16}}" autocomplete="off" spellcheck="false"></label>
<label>{secret}<input name="secret" placeholder="{drawn}" autocomplete="off" spellcheck="false"></label>
<label>{platform}<input name="open_platform" placeholder="{none}" autocomplete="off"></label>
<button class="primary">{add}</button></form></details></section>
"#,
        add_app = text.add_app,
        app_id = text.app_id,
        drawn = text.drawn_if_empty,
        secret = text.secret,
        platform = text.open_platform,
        none = text.none,
        add = text.add,
    )
}

fn write_people(to: &mut String, text: &Text, people: &[UserView], number: usize) -> fmt::Result {
    write!(
        to,
        r#"<section class="card" aria-labelledby="people-title"><h2 id="people-title">{} <span class="count">{number}</span></h2>"#,
        text.people
    )?;
    if people.is_empty() {
        write!(to, r#"<p class="empty">{}</p>"#, text.no_people)?;
    }
    to.push_str("<ul class=\"list people\">\n");
    for person in people {
        let initial: String = person.name.chars().take(1).flat_map(char::to_uppercase).collect();
        let risky = if person.risky { r#" <span class="badge bad">40226</span>"# } else { "" };
        write!(
            to,
            r#"<li><span class="face hue{hue}" aria-hidden="true">{initial}</span><div class="who"><div><strong>{name}</strong>{risky}</div>
<div class="facts"><span>{nickname}</span><span>+{code} {phone}</span></div>
<details><summary>{ids}</summary><dl>"#,
            hue = person.name.bytes().map(usize::from).sum::<usize>() % 6,
            initial = Escaped(&initial),
            name = Escaped(&person.name),
            nickname = Escaped(&person.nickname),
            code = Escaped(&person.country_code),
            phone = Escaped(&person.phone),
            ids = text.ids,
        )?;
        for ids in &person.ids {
            let unionid = ids.unionid.as_deref().unwrap_or("–");
            write!(
                to,
                "<dt>{}</dt><dd><code>{}</code><br><code>{unionid}</code></dd>",
                Escaped(&ids.app_id),
                ids.openid
            )?;
        }
        to.push_str("</dl></details></div></li>\n");
    }
    write!(
        to,
        r#"</ul><details class="form"><summary>{add_person}</summary><form data-post="/__sandbox/users">
<label>{name}<input name="name" placeholder="{drawn}" maxlength="64" autocomplete="off"></label>
<div class="pair narrow"><label>{country_code}<input name="country_code" placeholder="86" pattern="[0-9]{{1,4}}" inputmode="numeric"></label>
<label>{phone}<input name="phone" placeholder="{drawn}" pattern="[0-9]{{0,15}}" inputmode="numeric"></label></div>
<label>{nickname}<input name="nickname" placeholder="微信用户" autocomplete="off"></label>
<label class="check"><input type="checkbox" name="risky"> {risky}</label>
<button class="primary">{add}</button></form></details></section>
"#,
        add_person = text.add_person,
        name = text.name,
        drawn = text.drawn_if_empty,
        country_code = text.country_code,
        phone = text.phone,
        nickname = text.nickname,
        risky = text.risky,
        add = text.add,
    )
}

/// In the order of [`Text::states`].
const STATES: [AppState; 6] = [
    AppState::Ok,
    AppState::Frozen,
    AppState::Banned,
    AppState::SecretFrozen,
    AppState::SecretReset,
    AppState::Deleted,
];

/// The words that the script needs.
fn words(text: &Text) -> String {
    let words: [(&str, &str); 9] = [
        ("copied", text.copied),
        ("left", text.expires_in),
        ("expired", text.expired),
        ("login", text.login_code),
        ("phone", text.phone_code),
        ("ok", text.ok),
        ("fault", text.by_fault),
        ("none", text.no_answer),
        ("done", text.done),
    ];
    let mut map: serde_json::Map<String, Value> =
        words.into_iter().map(|(key, word)| (key.to_owned(), Value::from(word))).collect();
    map.insert("unreachable".to_owned(), Value::from(text.unreachable));
    Value::Object(map).to_string()
}

/// Text as HTML shows it, in content and in quoted attributes.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
