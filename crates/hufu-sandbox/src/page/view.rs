//! The HTML of the page: its layout, and the sections in order. Everything that users entered goes through
//! [`Escaped`].

use std::fmt::{self, Write as _};

use hufu_html::Escaped;
use serde_json::Value;

use super::text::Text;
use super::{faults, lists, opening, phone};
use crate::state::State;
use crate::{AppView, UserView};

/// How many of the latest people are shown. The others are only counted.
const SHOWN: usize = 60;

/// What the page shows.
pub(super) struct Shown {
    pub(super) apps: Vec<AppView>,
    pub(super) people: Vec<UserView>,
    pub(super) number_of_people: usize,
}

/// Renders the page. `theme` is the attribute of `<html>`.
pub(super) fn page(state: &State, text: &Text, theme: &str) -> String {
    let apps = state.apps.all().iter().map(|app| app.view()).collect();
    let all = state.people.all();
    let latest = all.iter().skip(all.len().saturating_sub(SHOWN));
    let people = latest.map(|person| state.view(person)).collect();
    let shown = Shown { apps, people, number_of_people: all.len() };
    let mut html = String::with_capacity(32 * 1024);
    // Writing to a String cannot fail.
    let _ = write_page(&mut html, text, theme, &shown);
    html
}

fn write_page(to: &mut String, text: &Text, theme: &str, shown: &Shown) -> fmt::Result {
    write_head(to, text, theme)?;
    to.push_str("<div class=\"bench\">\n");
    phone::write(to, text, shown)?;
    to.push_str("<div class=\"bench-side\">\n");
    faults::write(to, text)?;
    write_calls(to, text)?;
    to.push_str("</div>\n</div>\n");
    lists::write_apps(to, text, &shown.apps)?;
    lists::write_people(to, text, shown)?;
    write!(
        to,
        r#"<p class="page-foot">{}</p>
</main>
<div class="toasts" role="status"><div class="toast" id="toast" hidden></div></div>
</body>
</html>
"#,
        text.footer
    )
}

fn write_head(to: &mut String, text: &Text, theme: &str) -> fmt::Result {
    write!(
        to,
        r##"{opening}</head>
<body class="dev" data-words="{words}">
<a class="skip" href="#main">{skip}</a>
<header class="top">
<div class="brand"><svg viewBox="0 0 32 32" aria-hidden="true"><use href="/icons.svg#mark"/></svg><span>{brand} <code>sandbox</code></span></div>
<a class="btn btn-sm" href="/phone">{phone_icon}{open_phone}</a>
<a class="btn btn-sm btn-quiet" href="?lang={other}" hreflang="{other}" lang="{other}">{other_name}</a>
</header>
<main id="main" class="page">
<div class="page-head">
<div><h1>{title}</h1><p>{about}</p></div>
<div class="row"><span class="small muted">{clock} <time class="num" id="clock">–</time></span><span class="btn-row"><button type="button" class="btn btn-sm" data-advance="300">{five}</button><button type="button" class="btn btn-sm" data-advance="7200">{two}</button></span></div>
</div>
<div class="banner banner-bad" id="trouble" role="alert" hidden>{alert}<div></div></div>
"##,
        opening = opening(text.tag, theme, &format!("{} · {}", text.title, text.brand), "sandbox"),
        title = text.title,
        brand = text.brand,
        words = Escaped(&words(text)),
        skip = text.skip,
        phone_icon = Icon("phone"),
        open_phone = text.open_phone,
        other = text.other_tag,
        other_name = text.other_name,
        about = text.about,
        clock = text.clock,
        five = text.plus_five_minutes,
        two = text.plus_two_hours,
        alert = Icon("alert"),
    )
}

fn write_calls(to: &mut String, text: &Text) -> fmt::Result {
    write!(
        to,
        r#"<section aria-labelledby="log-title">
<div class="section-head"><h2 id="log-title">{log}</h2><div class="row small muted"><span class="status status-ok live">{live}</span><button type="button" class="btn btn-sm btn-quiet" id="clear-log" hidden>{clear}</button></div></div>
<div class="api-base small"><span class="muted">{base}</span> <code id="api-base">/api</code><button type="button" class="btn btn-sm btn-quiet btn-icon" data-copy="api-base" aria-label="{copy}: {base}">{copy_icon}</button></div>
<div class="panel calls" id="calls" hidden><table class="table table-stack"><caption class="visually-hidden">{log}</caption><thead><tr><th scope="col">{time}</th><th scope="col">{call}</th><th scope="col">{app}</th><th scope="col">{outcome}</th></tr></thead><tbody id="log"></tbody></table></div>
<div class="panel" id="no-calls"><div class="empty">{halves}<h3>{no_calls}</h3><p>{how}</p></div></div>
<p class="hint">{log_about}</p>
</section>
"#,
        log = text.log,
        live = text.live,
        clear = text.clear,
        base = text.api_base,
        copy = text.copy,
        copy_icon = Icon("copy"),
        time = text.time,
        call = text.call,
        app = text.app,
        outcome = text.outcome,
        halves = hufu_html::HALVES,
        no_calls = text.no_calls,
        how = text.no_calls_how,
        log_about = text.log_about,
    )
}

/// An icon from the sprite.
pub(super) struct Icon(pub(super) &'static str);

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<svg class="icon" aria-hidden="true"><use href="/icons.svg#{}"/></svg>"#, self.0)
    }
}

/// Makes mini programs recognizable: a color by position, and the end of the AppID.
pub(super) struct Tile<'a> {
    pub(super) app_id: &'a str,
    pub(super) place: usize,
}

impl<'a> Tile<'a> {
    /// The tile of an app, the same as in the list of apps.
    pub(super) fn of(app_id: &'a str, apps: &[AppView]) -> Tile<'a> {
        Tile { app_id, place: apps.iter().position(|app| app.app_id == app_id).unwrap_or_default() }
    }
}

impl fmt::Display for Tile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.app_id.get(self.app_id.len().saturating_sub(2)..).unwrap_or_default();
        write!(
            f,
            r#"<span class="face face-sm app-{}" aria-hidden="true">{}</span>"#,
            self.place % 4,
            Escaped(end)
        )
    }
}

/// An app in a list: its name with the AppID below, or the AppID alone.
pub(super) struct Named<'a> {
    pub(super) app_id: &'a str,
    pub(super) name: Option<&'a str>,
}

impl<'a> Named<'a> {
    pub(super) fn of(app_id: &'a str, apps: &'a [AppView]) -> Named<'a> {
        let app = apps.iter().find(|app| app.app_id == app_id);
        Named { app_id, name: app.and_then(|app| app.name.as_deref()) }
    }
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = Escaped(self.app_id);
        match self.name {
            Some(name) => write!(
                f,
                r#"<span><strong>{}</strong><span class="cell-sub"><code class="mono">{id}</code></span></span>"#,
                Escaped(name)
            ),
            None => write!(f, r#"<code class="mono">{id}</code>"#),
        }
    }
}

/// The AppID in the small print of an app whose name is shown in its place.
pub(super) struct NamedId<'a>(pub(super) &'a AppView);

impl fmt::Display for NamedId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name {
            Some(_) => write!(f, r#"<span class="mono">{}</span> · "#, Escaped(&self.0.app_id)),
            None => Ok(()),
        }
    }
}

/// The texts that the script needs.
fn words(text: &Text) -> String {
    let words = [
        ("copied", text.copied),
        ("left", text.expires_in),
        ("expired", text.expired),
        ("login", text.login_code),
        ("phone", text.phone_code),
        ("phoneOf", text.phone_of),
        ("someoneNew", text.someone_new),
        ("faultsLeft", text.left),
        ("outcome", text.outcome),
        ("app", text.app),
        ("ok", text.ok),
        ("fault", text.by_fault),
        ("none", text.no_answer),
        ("done", text.done),
        ("unreachable", text.unreachable),
    ];
    let map = words.into_iter().map(|(key, word)| (key.to_owned(), Value::from(word)));
    Value::Object(map.collect()).to_string()
}
