//! The page at `/`: the modes, the chosen one with its two clicks, the phone beside it, what the application received,
//! and the code.

use std::collections::BTreeSet;

use askama::Template;
use askama::filters::Safe;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hufu_types::Timestamp;
use hufu_web::page::{Page, Policy, View, Viewer, respond};
use hufu_web::request::{Head, Query};
use hufu_web::server::{self, Shared};
use serde::Deserialize;

use super::login::{Login, Refused, Seam};
use super::memory::Progress;
use super::modes::{self, Begins, Mode};
use super::samples::Here;
use super::{DemoMode, SCRIPT, STYLES, Stage, Staged, TEXTS, WechatCall, json};
use crate::{DEV, is_near};

/// What the reader asks for.
#[derive(Default, Deserialize)]
pub(super) struct Asked {
    /// The mode.
    #[serde(default)]
    mode: String,
    /// The round of it: a mode that is done can be repeated.
    #[serde(default)]
    round: u64,
}

/// `GET /`
pub(super) async fn show(
    State(shared): server::State,
    Extension(stage): Staged,
    asked: Result<Query<Asked>, hufu_web::surface::Refused>,
    headers: HeaderMap,
    head: Head,
    viewer: Viewer,
) -> Response {
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    if let Some(elsewhere) = elsewhere(&shared, &headers) {
        return elsewhere;
    }
    match stage.page(&shared, &asked, is_near(&head), viewer.view(&TEXTS)) {
        Some(page) => respond(&page),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The server has one address. Under another name of this machine (`localhost`), cookies of the login pages and of the
/// phone would be a third party's.
fn elsewhere(shared: &Shared, headers: &HeaderMap) -> Option<Response> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let public_url = shared.app.public_url();
    let own = public_url.split_once("://").map_or(public_url, |(_, host)| host);
    let to = format!("{public_url}/");
    (host != own).then(|| (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response())
}

/// A mode in the list.
struct Listed {
    slug: &'static str,
    name: String,
    about: String,
    is_done: bool,
    is_chosen: bool,
}

/// One of the two clicks.
struct Click {
    what: String,
    about: String,
    is_done: bool,
    is_next: bool,
}

/// A call of WeChat's behind the mode.
struct Behind {
    /// The path, or words for what is none.
    name: String,
    is_path: bool,
    state: &'static str,
    icon: &'static str,
    /// When it was, for those that were.
    at: Option<String>,
    /// WeChat's error code.
    code: Option<String>,
}

/// The pane in the middle: where the login begins, and how it ended.
struct Window {
    /// The address in its bar.
    address: String,
    /// The login page is shown in a frame.
    frame: Option<String>,
    /// For what happens on the phone: what the application prints.
    lines: Vec<Line>,
    /// Changes when the script must draw the pane again.
    key: String,
    /// Where the same mode begins once more.
    again: String,
    /// The whole address at which the login begins.
    lead: String,
    is_terminal: bool,
    /// The login begins on the phone, and did not yet: what is to be done there.
    waits: Option<&'static str>,
}

struct Line {
    label: String,
    text: String,
    is_ok: Option<bool>,
}

/// A tab with code or a token.
struct Tab {
    id: &'static str,
    name: String,
    html: Safe<String>,
    is_raw: bool,
}

/// What the application received.
struct Got {
    mode: String,
    at: String,
    took: Option<String>,
    name: String,
    initial: String,
    phone: Option<String>,
    user: String,
    unionid: Option<String>,
    /// The kind of app, and the person's OpenID there.
    openids: Vec<(String, String)>,
    logins: i64,
    joined: bool,
    seam: &'static str,
    tabs: Vec<Tab>,
}

/// A refusal of the chosen mode.
struct Denied {
    title: &'static str,
    /// What the application was told, if it was told anything.
    message: Option<String>,
    at: String,
}

#[derive(Template)]
#[template(path = "dev/start.html")]
struct StartPage {
    view: View,
    state: String,
    server: String,
    sandbox: String,
    phone: String,
    messages: usize,
    modes: Vec<Listed>,
    done: usize,
    number: String,
    slug: &'static str,
    name: String,
    kind: &'static str,
    about: String,
    clicks: [Click; 2],
    behind: Vec<Behind>,
    window: Window,
    denied: Option<Denied>,
    got: Option<Got>,
    /// Whether the reader is on this machine.
    is_near: bool,
    samples: Vec<Tab>,
    code_hint: String,
    /// Whether to tell of the web-view, which stands beside the modes.
    tells_of_web_view: bool,
    next: Option<(&'static str, String)>,
    own: Vec<Tab>,
}

impl Page for StartPage {
    fn view(&self) -> &View {
        &self.view
    }

    fn policy(&self) -> Policy {
        Policy { frame_sources: vec!["'self'".to_owned(), self.sandbox.clone()], ..Policy::OWN }
    }
}

impl StartPage {
    fn is_all_done(&self) -> bool {
        self.done == self.modes.len()
    }

    fn sandbox_address(&self) -> &str {
        bare(&self.sandbox)
    }

    fn server_address(&self) -> &str {
        bare(&self.server)
    }
}

fn bare(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, host)| host)
}

/// Milliseconds as seconds with one decimal.
fn seconds(millis: i64) -> String {
    let tenths = millis.max(0).saturating_add(50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// How long the machines took.
fn took(view: &View, millis: i64) -> String {
    if millis < 1000 {
        return view.t_with("dev-millis", "count", millis.max(0));
    }
    view.t_with("dev-seconds", "count", seconds(millis))
}

/// Numbers up to seven as words, for the headline.
const NUMBERS: [&str; 8] = [
    "dev-number-0",
    "dev-number-1",
    "dev-number-2",
    "dev-number-3",
    "dev-number-4",
    "dev-number-5",
    "dev-number-6",
    "dev-number-7",
];

impl Stage {
    fn page(&self, shared: &Shared, asked: &Asked, is_near: bool, view: View) -> Option<StartPage> {
        let first_open = || self.modes().find(|(mode, _)| self.memory.progress(mode.slug).login.is_none());
        let chosen = self.mode(&asked.mode).or_else(first_open).or_else(|| self.modes().next());
        let (mode, demo) = chosen?;
        let progress = self.memory.progress(mode.slug);
        let calls = self.calls_of(mode, demo, &progress);
        let clicks = clicks(&view, mode, &progress, &calls);
        let is_half_way = clicks.first().is_some_and(|click| click.is_done);
        let modes: Vec<_> = self.modes().map(|(one, _)| self.listed(&view, one, mode, is_half_way)).collect();
        let done = modes.iter().filter(|one| one.is_done).count();
        let next = modes.iter().find(|one| !one.is_done && !one.is_chosen);
        let next = next.filter(|_| progress.login.is_some()).map(|one| (one.slug, one.name.clone()));
        let server = shared.app.public_url().to_owned();
        let here = Here { server: &server, sandbox: &self.demo.sandbox, view: &view };
        let samples = mode.samples.iter().map(|sample| Tab {
            id: sample.id,
            name: sample.tab.to_owned(),
            html: Safe(sample.html(&here)),
            is_raw: false,
        });
        let samples = samples.collect();
        let own = super::samples::OWN.iter().map(|sample| Tab {
            id: sample.id,
            name: if sample.tab == "sh" { view.t("dev-shell") } else { sample.tab.to_owned() },
            html: Safe(sample.html(&here)),
            is_raw: false,
        });
        let own = own.collect();
        let tag = view.lang();
        let language = if tag.starts_with("zh") { "zh" } else { "en" };
        let page = format!("{server}/dev/try/{}", mode.slug);
        let screen = mode.screen.replace("/APP_ID", &format!("/{}", demo.app_id)).replace("PAGE", &page);
        let phone_app = self.mode("native-app").map_or("", |(_, demo)| demo.app_id);
        let screen = screen.replace("PHONE_APP", phone_app);
        let screen = screen.replace("NOW", &self.demo.surroundings.wechat_time().to_string());
        let joint = if screen.contains('?') { '&' } else { '?' };
        let phone = format!("{}{screen}{joint}lang={language}", self.demo.sandbox);
        Some(StartPage {
            state: self.state(),
            phone,
            sandbox: self.demo.sandbox.clone(),
            messages: self.demo.outbox.list().len(),
            done,
            number: view.t(NUMBERS.get(modes.len()).copied().unwrap_or("dev-number-7")),
            modes,
            slug: mode.slug,
            name: view.t(mode.texts.name),
            kind: mode.kind,
            about: view.t(mode.texts.about),
            behind: behind(&view, mode, &calls, shared.app.now()),
            window: self.window(&view, (mode, demo), &progress, asked.round, &server),
            denied: progress.refused.as_deref().map(denied),
            // Tokens and phone numbers are for whoever runs this.
            got: self.memory.latest().filter(|_| is_near).map(|login| got(&view, &login)),
            is_near,
            code_hint: view.t(mode.texts.code),
            tells_of_web_view: mode.begins == Begins::InWechat && self.demo.web_view.is_some(),
            clicks,
            samples,
            next,
            own,
            server,
            view,
        })
    }

    fn listed(&self, view: &View, mode: &'static Mode, chosen: &Mode, is_half_way: bool) -> Listed {
        let is_chosen = mode.slug == chosen.slug;
        let login = self.memory.progress(mode.slug).login;
        let about = match &login {
            Some(login) => done_by(view, login),
            None if is_chosen && is_half_way => view.t("dev-half-way"),
            None => view.t(mode.texts.hint),
        };
        let name = view.t(mode.texts.name);
        Listed { slug: mode.slug, name, about, is_done: login.is_some(), is_chosen }
    }

    /// The calls of WeChat that belong to the current login of a mode, or to its last one: the newest of each kind.
    fn calls_of(&self, mode: &Mode, demo: &DemoMode, progress: &Progress) -> Vec<WechatCall> {
        let is_of_it = |call: &WechatCall| call.app_id.as_deref().is_none_or(|app_id| app_id == demo.app_id);
        let since = |number: u64| -> Vec<WechatCall> {
            let mut calls = self.demo.surroundings.wechat_calls(number);
            calls.retain(is_of_it);
            // The person refused: what came before leads nowhere any more.
            let refused = calls.iter().rposition(|call| call.path == "phone refuse");
            let ended = refused.map_or(0, |place| place + 1);
            calls.into_iter().skip(ended).filter(|call| mode.calls.contains(&call.path)).collect()
        };
        let current = since(progress.calls_after);
        let began_anew = current.iter().any(|call| mode.calls.first() == Some(&call.path));
        if progress.login.is_none() || began_anew { current } else { since(progress.last_after) }
    }

    fn window(
        &self,
        view: &View,
        (mode, demo): (&'static Mode, &DemoMode),
        progress: &Progress,
        round: u64,
        server: &str,
    ) -> Window {
        let begins = format!("/dev/try/{}", mode.slug);
        let is_open = progress.rounds <= round;
        let is_terminal = mode.begins == Begins::InAnApp;
        let begins_on_a_page = matches!(mode.begins, Begins::InWechat | Begins::InWebView);
        let is_on_the_phone = is_terminal || begins_on_a_page;
        let frame = (!is_on_the_phone && is_open).then(|| begins.clone());
        let address = if is_terminal { "hufu dev".to_owned() } else { format!("{}{begins}", bare(server)) };
        let facts = [
            ("dev-line-server", server.to_owned()),
            ("dev-line-pool", self.demo.pool.to_owned()),
            ("dev-line-app", demo.application.to_owned()),
            ("dev-line-connection", demo.connection.to_owned()),
        ];
        let facts = facts.map(|(key, text)| Line { label: view.t(key), text, is_ok: None });
        let steps = match (&progress.refused, &progress.login) {
            (Some(refused), _) => refused.steps.as_slice(),
            (None, Some(login)) => login.steps.as_slice(),
            (None, None) => &[],
        };
        let steps = steps.iter().map(|step| {
            let took = step.millis.map(|millis| format!("  {millis} ms")).unwrap_or_default();
            Line { label: step.call.clone(), text: format!("{}{took}", step.code), is_ok: Some(step.is_ok) }
        });
        Window {
            address,
            lines: facts.into_iter().chain(steps).collect(),
            key: format!("{}-{}-{}", mode.slug, progress.rounds, frame.is_some()),
            lead: format!("{server}{begins}"),
            again: format!("/?mode={}&round={}", mode.slug, progress.rounds),
            waits: (begins_on_a_page && is_open).then_some(match mode.begins {
                Begins::InWebView => "dev-window-in-web-view",
                _ => "dev-window-in-wechat",
            }),
            frame,
            is_terminal,
        }
    }
}

/// Who did it, and how long it took.
fn done_by(view: &View, login: &Login) -> String {
    let name = login.name.clone().unwrap_or_else(|| view.t("dev-nameless"));
    match login.millis {
        Some(millis) => format!("{name} · {}", took(view, millis)),
        None => name,
    }
}

/// The two clicks: which were made, and which one is next.
fn clicks(view: &View, mode: &Mode, progress: &Progress, calls: &[WechatCall]) -> [Click; 2] {
    let seen: BTreeSet<_> = calls.iter().filter(|call| call.is_ok).map(|call| call.path).collect();
    let is_seen = |path: Option<&&str>| path.is_some_and(|path| seen.contains(path));
    let is_over = progress.login.is_some();
    let before = mode.calls.get(..mode.before_the_second).unwrap_or_default();
    let after = mode.calls.get(mode.before_the_second..).unwrap_or_default();
    let first = is_over || (!before.is_empty() && is_seen(before.last()));
    // In a mini program the first click logs in, and the second adds the number.
    let has_login = mode.kind == "wechat:miniprogram:default";
    let second = is_over && (!has_login || is_seen(after.last()) || progress.refused.is_some());
    let click = |place: usize, is_done: bool, is_next: bool| {
        let [one, two] = &mode.texts.clicks;
        let (what, about) = if place == 0 { one } else { two };
        Click { what: view.t(what), about: view.t(about), is_done, is_next }
    };
    [click(0, first, !first), click(1, second, first && !second)]
}

fn behind(view: &View, mode: &Mode, calls: &[WechatCall], now: Timestamp) -> Vec<Behind> {
    let of = |path: &&'static str| {
        let call = calls.iter().rev().find(|call| call.path == *path);
        let (state, icon) = match call {
            None => ("is-idle", "circle"),
            Some(call) if call.is_ok => ("is-ok", "check"),
            Some(_) => ("is-bad", "x"),
        };
        let words = match *path {
            "phone scan" => Some("dev-phone-scan"),
            "phone open link" => Some("dev-phone-link"),
            "phone open app" => Some("dev-phone-app"),
            "phone open mini program" => Some("dev-phone-mini"),
            "phone open web-view" => Some("dev-phone-web-view"),
            "phone leave web-view" => Some("dev-phone-from-web-view"),
            "push subscribe" => Some("dev-push-subscribe"),
            _ => None,
        };
        Behind {
            name: words.map_or_else(|| (*path).to_owned(), |key| view.t(key)),
            is_path: words.is_none(),
            state,
            icon,
            at: call.map(|call| Timestamp(now.0.saturating_sub(call.age)).to_iso()),
            code: call.filter(|call| !call.is_ok).and_then(|call| call.code).map(|code| code.to_string()),
        }
    };
    mode.calls.iter().map(of).collect()
}

fn denied(refused: &Refused) -> Denied {
    let title = if refused.by_person { "dev-denied-person" } else { "dev-denied-server" };
    let message = Some(refused.message.clone()).filter(|message| !message.is_empty());
    Denied { title, message, at: refused.at.to_iso() }
}

fn got(view: &View, login: &Login) -> Got {
    let name = login.name.clone().unwrap_or_else(|| view.t("dev-nameless"));
    let initial = name.chars().find(|c| c.is_alphanumeric()).unwrap_or('·').to_uppercase().collect();
    let app_of =
        |kind: &String| modes::of_kind(kind).map_or_else(|| kind.clone(), |mode| view.t(mode.texts.app));
    let seam = match login.seam {
        Seam::First => "dev-seam-first",
        Seam::Joined => "dev-seam-joined",
        Seam::Apart => "dev-seam-apart",
        Seam::SomebodyElse => "dev-seam-else",
        Seam::NoUnionId => "dev-seam-none",
    };
    Got {
        mode: view.t(login.mode.texts.name),
        at: login.at.to_iso(),
        took: login.millis.map(|millis| took(view, millis)),
        name,
        initial,
        phone: login.phone.clone(),
        user: login.user.clone(),
        unionid: login.unionid.clone(),
        openids: login.openids.iter().map(|(kind, openid)| (app_of(kind), openid.clone())).collect(),
        logins: login.logins,
        joined: login.seam == Seam::Joined,
        seam,
        tabs: token_tabs(view, login),
    }
}

/// Each token decoded, all of them as they were sent, and the answer of the server.
fn token_tabs(view: &View, login: &Login) -> Vec<Tab> {
    const IDS: [&str; 3] = ["token-1", "token-2", "token-3"];
    let mut tabs: Vec<_> = login
        .tokens
        .iter()
        .zip(IDS)
        .map(|(token, id)| {
            let header = json::object(view, &token.header, &login.user, true);
            let claims = json::object(view, &token.claims, &login.user, true);
            let html = format!("{header}\n.\n{claims}");
            Tab { id, name: token.name.to_owned(), html: Safe(html), is_raw: false }
        })
        .collect();
    let raw = login.tokens.iter().map(|token| {
        let mut parts = token.raw.splitn(3, '.').map(|part| hufu_html::Escaped(part).to_string());
        let mut part = || parts.next().unwrap_or_default();
        let (header, payload, signature) = (part(), part(), part());
        format!("<span class=\"c\">// {}</span>\n{header}.<mark>{payload}</mark>.{signature}", token.name)
    });
    let raw = raw.collect::<Vec<_>>().join("\n\n");
    tabs.push(Tab { id: "token-raw", name: view.t("dev-raw"), html: Safe(raw), is_raw: true });
    let (call, answer) = &login.answer;
    if let Some(members) = answer.as_object() {
        // Tokens are in the tabs beside it.
        let mut members = members.clone();
        members.retain(|name, _| !name.to_ascii_lowercase().ends_with("token"));
        let html = json::object(view, &members, &login.user, true);
        let name = if call == "/oidc/me" { call.clone() } else { view.t("dev-answer") };
        tabs.push(Tab { id: "token-answer", name, html: Safe(html), is_raw: false });
    }
    tabs
}
