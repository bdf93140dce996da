//! The lists of apps and people, with the forms that add one.

use std::fmt::{self, Write as _};

use hufu_html::Escaped;

use super::phone::{hue, initial};
use super::text::Text;
use super::view::{Icon, Named, Shown, Tile};
use crate::{AppKind, AppState, AppView, UserView};

/// In the order of [`Text::states`].
pub(super) const STATES: [AppState; 7] = [
    AppState::Ok,
    AppState::Frozen,
    AppState::Banned,
    AppState::SecretFrozen,
    AppState::SecretReset,
    AppState::Deleted,
    AppState::Unreleased,
];

/// The page's name for a kind of app.
pub(super) fn kind_name(text: &Text, kind: AppKind) -> &'static str {
    AppKind::ALL.iter().zip(text.kinds).find(|(one, _)| **one == kind).map_or("", |(_, name)| name)
}

pub(super) fn write_apps(to: &mut String, text: &Text, apps: &[AppView]) -> fmt::Result {
    write!(
        to,
        r#"<section aria-labelledby="apps-title"><div class="section-head"><h2 id="apps-title">{} <span class="count">{}</span></h2></div>
<div class="panel">"#,
        text.apps,
        apps.len()
    )?;
    if apps.is_empty() {
        write!(to, r#"<p class="panel-body muted">{}</p>"#, text.no_apps)?;
    } else {
        writeln!(
            to,
            r#"<table class="table table-stack"><thead><tr><th scope="col">{}</th><th scope="col">{}</th><th scope="col">{}</th><th scope="col">{}</th><th scope="col">{}</th></tr></thead><tbody>"#,
            text.app_id, text.kind, text.open_platform, text.secret, text.state
        )?;
        for (place, app) in apps.iter().enumerate() {
            write_app(to, text, app, place)?;
        }
        to.push_str("</tbody></table>");
    }
    writeln!(
        to,
        r#"<details class="panel-foot add"><summary class="btn btn-sm btn-quiet">{plus}{add_app}</summary><form data-post="/apps">
<div class="field"><label for="new-app-kind">{kind}</label><select class="select" id="new-app-kind" name="kind">{kinds}</select></div>
<div class="field"><label for="new-app-name">{name}</label><input class="input" id="new-app-name" name="name" maxlength="64" autocomplete="off"></div>
<div class="field"><label for="new-app-id">{app_id}</label><input class="input mono" id="new-app-id" name="app_id" placeholder="{drawn}" pattern="wx[0-9a-f]{{16}}" autocomplete="off" spellcheck="false"></div>
<div class="field"><label for="new-app-secret">{secret}</label><input class="input mono" id="new-app-secret" name="secret" placeholder="{drawn}" autocomplete="off" spellcheck="false"></div>
<div class="field"><label for="new-app-platform">{platform}</label><input class="input" id="new-app-platform" name="open_platform" placeholder="{none}" autocomplete="off"></div>
<button class="btn btn-primary">{add}</button><p class="error" role="alert" hidden></p></form></details>
</div></section>"#,
        plus = Icon("plus"),
        add_app = text.add_app,
        kind = text.kind,
        kinds = kind_options(text),
        name = text.name,
        app_id = text.app_id,
        drawn = text.drawn_if_empty,
        secret = text.secret,
        platform = text.open_platform,
        none = text.none,
        add = text.add,
    )
}

fn kind_options(text: &Text) -> String {
    let mut options = String::new();
    for (kind, name) in AppKind::ALL.iter().zip(text.kinds) {
        let _ = write!(options, r#"<option value="{}">{name}</option>"#, kind.name());
    }
    options
}

fn write_app(to: &mut String, text: &Text, app: &AppView, place: usize) -> fmt::Result {
    write!(
        to,
        r#"<tr><td class="lead"><span class="cell-main">{tile}{named}</span></td><td data-label="{kind}"><span>{kind_name}</span></td><td data-label="{platform}"><span>{bound}</span></td><td data-label="{secret}"><span class="copy"><span aria-hidden="true">••••</span><button type="button" class="btn btn-quiet btn-sm btn-icon" data-copy-text="{value}" aria-label="{copy}: {secret}, {id}">{copy_icon}</button></span></td>
<td data-label="{state}"><select class="select state" data-app="{id}" aria-label="{state}: {id}" autocomplete="off">"#,
        tile = Tile { app_id: &app.app_id, place },
        named = Named { app_id: &app.app_id, name: app.name.as_deref() },
        id = Escaped(&app.app_id),
        kind = text.kind,
        kind_name = kind_name(text, app.kind),
        platform = text.open_platform,
        bound = Escaped(app.open_platform.as_deref().unwrap_or(text.none)),
        secret = text.secret,
        value = Escaped(app.secret.expose()),
        copy = text.copy,
        copy_icon = Icon("copy"),
        state = text.state,
    )?;
    for (state, name) in STATES.into_iter().zip(text.states) {
        let value = serde_json::to_value(state).unwrap_or_default();
        let selected = if state == app.state { " selected" } else { "" };
        write!(to, r#"<option value="{}"{selected}>{name}</option>"#, value.as_str().unwrap_or_default())?;
    }
    to.push_str("</select></td></tr>\n");
    Ok(())
}

pub(super) fn write_people(to: &mut String, text: &Text, shown: &Shown) -> fmt::Result {
    write!(
        to,
        r#"<section aria-labelledby="people-title"><div class="section-head"><h2 id="people-title">{} <span class="count">{}</span></h2><p>{}</p></div>
<div class="panel">"#,
        text.people, shown.number_of_people, text.people_about
    )?;
    if shown.people.is_empty() {
        write!(to, r#"<p class="panel-body muted">{}</p>"#, text.no_people)?;
    } else {
        writeln!(
            to,
            r#"<table class="table table-stack people"><thead><tr><th scope="col">{}</th><th scope="col">{}</th><th scope="col">{}</th><th scope="col">OpenID</th><th scope="col">UnionID</th></tr></thead>"#,
            text.person, text.phone, text.app
        )?;
        for person in &shown.people {
            write_person(to, text, person, &shown.apps)?;
        }
        to.push_str("</table>");
    }
    writeln!(
        to,
        r#"<details class="panel-foot add"><summary class="btn btn-sm btn-quiet">{plus}{add_person}</summary><form data-post="/users">
<div class="field"><label for="new-name">{name}</label><input class="input" id="new-name" name="name" placeholder="{drawn}" maxlength="64" autocomplete="off"></div>
<div class="field"><label for="new-nickname">{nickname}</label><input class="input" id="new-nickname" name="nickname" placeholder="微信用户" autocomplete="off"></div>
<div class="field"><label for="new-country">{country_code}</label><input class="input" id="new-country" name="country_code" placeholder="86" pattern="[0-9]{{1,4}}" inputmode="numeric" autocomplete="off"></div>
<div class="field"><label for="new-phone">{phone}</label><input class="input" id="new-phone" name="phone" placeholder="{drawn}" pattern="[0-9]{{0,15}}" inputmode="numeric" autocomplete="off"></div>
<label class="check"><input type="checkbox" name="risky"><span>{risky}</span></label>
<button class="btn btn-primary">{add}</button><p class="error" role="alert" hidden></p></form></details>
</div></section>"#,
        plus = Icon("plus"),
        add_person = text.add_person,
        name = text.name,
        drawn = text.drawn_if_empty,
        nickname = text.nickname,
        country_code = text.country_code,
        phone = text.phone,
        risky = text.risky,
        add = text.add,
    )
}

/// Writes one row per mini program, so that each id is beside its label and its mini program.
fn write_person(to: &mut String, text: &Text, person: &UserView, apps: &[AppView]) -> fmt::Result {
    let rows = person.ids.len().max(1);
    let risky = if person.risky {
        format!(r#" <span class="badge badge-bad">{} 40226</span>"#, text.risky_short)
    } else {
        String::new()
    };
    let number = if person.phone.is_empty() {
        "–".to_owned()
    } else {
        format!("+{} {}", person.country_code, person.phone)
    };
    write!(
        to,
        r#"<tbody><tr><td class="lead" rowspan="{rows}"><span class="cell-main"><span class="avatar avatar-{hue}" aria-hidden="true">{initial}</span><span><strong>{name}{risky}</strong><span class="cell-sub">{nickname}</span></span></span></td><td class="num" rowspan="{rows}" data-label="{phone}"><span>{number}</span></td>"#,
        hue = hue(&person.name),
        initial = Escaped(&initial(&person.name)),
        name = Escaped(&person.name),
        nickname = Escaped(&person.nickname),
        phone = text.phone,
        number = Escaped(&number),
    )?;
    if person.ids.is_empty() {
        to.push_str("<td>–</td><td>–</td><td>–</td>");
    }
    for (at, ids) in person.ids.iter().enumerate() {
        if at > 0 {
            to.push_str("</tr><tr>");
        }
        write!(
            to,
            r#"<td data-label="{app}"><span class="cell-main">{tile}{named}</span></td><td data-label="OpenID"><code class="mono id">{openid}</code></td><td data-label="UnionID"><code class="mono id">{unionid}</code></td>"#,
            app = text.app,
            tile = Tile::of(&ids.app_id, apps),
            named = Named::of(&ids.app_id, apps),
            openid = ids.openid,
            unionid = ids.unionid.as_deref().unwrap_or("–"),
        )?;
    }
    to.push_str("</tr></tbody>\n");
    Ok(())
}
