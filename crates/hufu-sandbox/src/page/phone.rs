//! The phone: choose a mini program and a person, and get a code. Its two screens are radio buttons, so the
//! script only has to handle the codes.

use std::fmt::{self, Write as _};

use hufu_html::Escaped;

use super::lists::kind_name;
use super::text::Text;
use super::view::{Icon, NamedId, Shown, Tile};
use crate::AppState;

pub(super) fn write(to: &mut String, text: &Text, shown: &Shown) -> fmt::Result {
    let first = shown.people.first().map_or(text.someone_new, |person| person.name.as_str());
    writeln!(
        to,
        r#"<aside class="phone-side" aria-label="{title}">
<div class="phone-who"><span class="avatar" id="phone-face" aria-hidden="true">{initial}</span><strong id="phone-of">{of}</strong></div>
<div class="phone"><div class="screen" role="group" aria-label="{screen}">
<input class="visually-hidden" type="radio" name="screen" id="screen-apps" checked><input class="visually-hidden" type="radio" name="screen" id="screen-me">
<div class="ph-status" aria-hidden="true"><span class="num" id="phone-clock">–</span><span>{signal}{battery}</span></div>
<div class="ph-bar"><strong class="of-apps">{choose}</strong><strong class="of-me">{me}</strong></div>
<div class="ph-body">"#,
        title = text.phone_title,
        initial = Escaped(&initial(first)),
        of = Escaped(&text.phone_of.replace("{}", first)),
        screen = text.screen,
        signal = Icon("signal"),
        battery = Icon("battery"),
        choose = text.choose_app,
        me = text.tab_me,
    )?;
    write_apps(to, text, shown)?;
    write_people(to, text, shown)?;
    let disabled = if shown.apps.is_empty() { " disabled" } else { "" };
    writeln!(
        to,
        r#"</div>
<div class="ph-draw"><button type="button" class="btn" id="phone-code"{disabled}>{phone}</button><button type="button" class="btn btn-primary" id="login-code"{disabled}>{login}</button></div>
<div class="ph-tabs"><label for="screen-apps">{apps_icon}{apps}</label><label for="screen-me">{me_icon}{me}</label></div>
<div class="ph-veil" id="veil" hidden></div>
<div class="ph-sheet" id="result" role="group" aria-labelledby="result-title" hidden>
<div class="ph-from"><h2 id="result-title"></h2><button type="button" class="btn btn-quiet btn-sm btn-icon" id="result-close" aria-label="{close}">{close_icon}</button></div>
<code class="ph-code" id="result-code"></code>
<div class="ph-left"><progress class="progress" id="left-bar" max="300" value="300" aria-hidden="true"></progress><span class="num" id="countdown"></span></div>
<details class="ph-try" id="try"><summary>{try_it}</summary><div class="code"><code id="result-curl"></code><button type="button" class="btn btn-sm btn-icon" data-copy="result-curl" aria-label="{copy}: curl">{copy_icon}</button></div></details>
<button type="button" class="btn btn-primary btn-block" data-copy="result-code" data-copied="{copied}">{copy_icon}<span data-word="{copy}">{copy}</span></button>
</div>
</div></div>
</aside>"#,
        phone = text.phone_code,
        login = text.login_code,
        apps_icon = Icon("miniprogram"),
        apps = text.tab_apps,
        me_icon = Icon("user"),
        me = text.tab_me,
        close = text.close,
        close_icon = Icon("x"),
        try_it = text.try_it,
        copy = text.copy,
        copied = text.copied,
        copy_icon = Icon("copy"),
    )
}

fn write_apps(to: &mut String, text: &Text, shown: &Shown) -> fmt::Result {
    write!(
        to,
        r#"<fieldset class="ph-list of-apps"><legend class="visually-hidden">{}</legend>"#,
        text.choose_app
    )?;
    for (place, app) in shown.apps.iter().enumerate() {
        let checked = if place == 0 { " checked" } else { "" };
        let well = if app.state == AppState::Ok { "" } else { " is-bad" };
        let state = super::lists::STATES.iter().zip(text.states).find(|(state, _)| **state == app.state);
        writeln!(
            to,
            r#"<label><input class="visually-hidden" type="radio" name="app" value="{id}" data-secret="{secret}" data-place="{place}" data-kind="{kind}"{checked}><span class="ph-row">{tile}<span><strong{mono}>{name}</strong><small>{app_id}{kind_name} · <span class="app-state{well}" data-app="{id}">{state}</span> · {platform}</small></span>{check}</span></label>"#,
            id = Escaped(&app.app_id),
            mono = if app.name.is_some() { "" } else { " class=\"mono\"" },
            name = Escaped(app.name.as_deref().unwrap_or(&app.app_id)),
            app_id = NamedId(app),
            secret = Escaped(app.secret.expose()),
            kind = app.kind.name(),
            kind_name = kind_name(text, app.kind),
            tile = Tile { app_id: &app.app_id, place },
            platform =
                Escaped(&text.platform_of.replace("{}", app.open_platform.as_deref().unwrap_or(text.none))),
            state = state.map_or("", |(_, name)| name),
            check = Icon("check"),
        )?;
    }
    if shown.apps.is_empty() {
        write!(to, r#"<p class="ph-pad muted small">{}</p>"#, text.no_apps)?;
    }
    to.push_str("</fieldset>\n");
    Ok(())
}

fn write_people(to: &mut String, text: &Text, shown: &Shown) -> fmt::Result {
    write!(
        to,
        r#"<fieldset class="ph-list of-me"><legend class="visually-hidden">{}</legend>"#,
        text.tab_me
    )?;
    for (place, person) in shown.people.iter().enumerate() {
        let checked = if place == 0 { " checked" } else { "" };
        let number = if person.phone.is_empty() {
            String::new()
        } else {
            format!(" · +{} {}", person.country_code, person.phone)
        };
        writeln!(
            to,
            r#"<label><input class="visually-hidden" type="radio" name="person" value="{name}"{checked}><span class="ph-row"><span class="face face-{hue}" aria-hidden="true">{initial}</span><span><strong>{name}</strong><small>{nickname}{number}</small></span>{check}</span></label>"#,
            name = Escaped(&person.name),
            hue = hue(&person.name),
            initial = Escaped(&initial(&person.name)),
            nickname = Escaped(&person.nickname),
            number = Escaped(&number),
            check = Icon("check"),
        )?;
    }
    let checked = if shown.people.is_empty() { " checked" } else { "" };
    writeln!(
        to,
        r#"<label><input class="visually-hidden" type="radio" name="person" value="new"{checked}><span class="ph-row"><span class="face face-new" aria-hidden="true">{plus}</span><span><strong>{new}</strong><small>{about}</small></span>{check}</span></label>
</fieldset>"#,
        plus = Icon("plus"),
        new = text.someone_new,
        about = text.someone_new_about,
        check = Icon("check"),
    )
}

/// The initial on a person's avatar.
pub(crate) fn initial(name: &str) -> String {
    name.chars().take(1).flat_map(char::to_uppercase).collect()
}

/// A color that is always the same for a person.
pub(crate) fn hue(name: &str) -> char {
    match name.bytes().map(usize::from).sum::<usize>() % 3 {
        0 => 'a',
        1 => 'b',
        _ => 'c',
    }
}
