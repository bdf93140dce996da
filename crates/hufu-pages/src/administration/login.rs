//! `/administration`: an administrator logs in to the browser by the hosted pages, and sees what the login is good for.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::{get, post};
use hufu_app::Refusal;
use hufu_app::administration::Entered;
use hufu_app::authorization::Parameters;
use hufu_types::Timestamp;
use hufu_types::refusal::Code;
use hufu_web::oidc::{browser, outcome};
use hufu_web::page::{Page, PrivateCookie, Submitted, View, Viewer, respond};
use hufu_web::request::{Head, Query};
use hufu_web::server::{Routes, Shared};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::{HOME, KEY, LOGIN, TEXTS, name_of, notice};

/// What a login is kept in that has begun.
static BEGUN: PrivateCookie =
    PrivateCookie::new("__Host-hufu-administration-login", "hufu-administration-login");

/// Where the browser comes back to with a code.
const CALLBACK: &str = "/administration/callback";
/// What somebody without any role sees.
const NO_ROLE: &str = "/administration/no-role";
/// Ends the login.
const LEAVE: &str = "/administration/logout";
/// The most pools that the page lists.
const SHOWN: u32 = 20;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(HOME, get(home))
        .route(LOGIN, get(begin))
        .route(CALLBACK, get(come_back))
        .route(NO_ROLE, get(no_role))
        .route(LEAVE, post(leave))
}

#[derive(Template)]
#[template(path = "administration/home.html")]
struct HomePage {
    view: View,
    name: String,
    /// The role in all pools.
    everywhere: Option<String>,
    pools: Vec<ShownPool>,
    /// Whether there are more.
    more: bool,
    logged_in_at: Timestamp,
    /// Until when what calls for a recent login may be done; `None` if that is over.
    recent_until: Option<Timestamp>,
    expires_at: Timestamp,
    /// After how long without use it ends.
    idle: String,
    api: String,
    again: String,
}

/// A pool in which the administrator has a role.
struct ShownPool {
    /// The id of the element that holds the id.
    element: String,
    id: String,
    name: String,
    role: String,
}

impl Page for HomePage {
    fn view(&self) -> &View {
        &self.view
    }
}

async fn home(
    Extract(shared): Extract<Arc<Shared>>,
    viewer: Viewer,
    head: Head,
    headers: HeaderMap,
) -> Response {
    let Some(key) = KEY.read(&headers, &shared) else { return outcome::redirect(LOGIN) };
    match shown(&shared, &viewer, key, &head).await {
        Ok(response) => response,
        // With a key that is over and neighbours who guess keys, a login is the way on.
        Err(refusal) if refusal.is(Code::AccessKeyInvalid) || refusal.is(Code::TooOften) => {
            let mut response = outcome::redirect(LOGIN);
            KEY.clear(&mut response, &shared);
            response
        }
        Err(refusal) => notice::refused(&refusal, &viewer),
    }
}

async fn shown(shared: &Shared, viewer: &Viewer, key: &str, head: &Head) -> Result<Response, Refusal> {
    let app = &shared.app;
    let by = app.authenticate_admin(Some(key), head.origin()).await?;
    let login = app.shown_admin_login(&by).await?;
    let page = app.list_pools(&by, None, None, Some(SHOWN))?;
    let view = viewer.view(&TEXTS);
    let everywhere = by.roles.iter().find(|role| role.pool.is_none()).map(|role| view.t(name_of(role.role)));
    let pools = page.pools.into_iter().map(|(id, name, _)| {
        let own = by.roles.iter().find(|role| role.pool.as_ref() == Some(&id));
        let role = own.map(|role| view.t(name_of(role.role))).or_else(|| everywhere.clone());
        ShownPool { element: format!("pool-{id}"), id: id.to_string(), name, role: role.unwrap_or_default() }
    });
    Ok(respond(&HomePage {
        name: login.name,
        pools: pools.collect(),
        more: page.next.is_some(),
        everywhere: everywhere.clone(),
        logged_in_at: login.logged_in_at,
        recent_until: Some(login.recent_until).filter(|until| *until > app.now()),
        expires_at: login.expires_at,
        idle: view.t_with("home-idle", "minutes", app.limits().admin_idle.as_secs() / 60),
        api: format!("{}/admin/v1", app.public_url()),
        again: format!("{LOGIN}?again=1"),
        view,
    }))
}

#[derive(Deserialize)]
struct Wish {
    /// The person has to prove who they are even if they are logged in.
    again: Option<String>,
    /// The browser was sent to the public URL.
    moved: Option<String>,
}

async fn begin(
    Extract(shared): Extract<Arc<Shared>>,
    viewer: Viewer,
    headers: HeaderMap,
    Query(wish): Query<Wish>,
) -> Response {
    let again = wish.again.is_some();
    let public_url = shared.app.public_url();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_here = public_url.split_once("://").is_some_and(|(_, own)| host == Some(own));
    // The cookies would not come along to the public URL, where the login leads. Behind a proxy that changes the host, it is
    // never the same: once is enough.
    if !is_here && wish.moved.is_none() {
        let again = if again { "&again=1" } else { "" };
        return outcome::redirect(&format!("{public_url}{LOGIN}?moved=1{again}"));
    }
    match shared.app.begin_admin_login(again) {
        Ok(begun) => {
            let mut response = outcome::redirect(&begun.address);
            BEGUN.set(&mut response, &shared, &begun.kept);
            response
        }
        Err(refusal) => notice::refused(&refusal, &viewer),
    }
}

async fn come_back(
    Extract(shared): Extract<Arc<Shared>>,
    viewer: Viewer,
    head: Head,
    headers: HeaderMap,
    Query(answer): Query<Vec<(String, String)>>,
) -> Response {
    let (kept, present) = (BEGUN.read(&headers, &shared), KEY.read(&headers, &shared));
    let answer = Parameters::new(answer);
    let mut response = match shared.app.enter_by_browser(kept, &answer, present, &head.origin()).await {
        Ok(Entered::As(login)) => {
            let mut response = outcome::redirect(HOME);
            KEY.set(&mut response, &shared, login.key.expose_secret());
            response
        }
        Ok(Entered::WithoutRole) => outcome::redirect(NO_ROLE),
        // The login that this browser did begin may still come back.
        Err(refusal) => return notice::refused(&refusal, &viewer),
    };
    BEGUN.clear(&mut response, &shared);
    response
}

async fn no_role(viewer: Viewer) -> Response {
    notice::without_role(&viewer)
}

#[derive(Deserialize)]
struct Leaving {}

async fn leave(
    Extract(shared): Extract<Arc<Shared>>,
    head: Head,
    headers: HeaderMap,
    Submitted { viewer, form: Leaving {} }: Submitted<Leaving>,
) -> Response {
    let present = KEY.read(&headers, &shared);
    let own = browser::read(&headers, &shared);
    match shared.app.leave_administration(present, &own, &head.origin()).await {
        Ok(left) => {
            let mut response = outcome::redirect("/signed-out");
            KEY.clear(&mut response, &shared);
            browser::write(&mut response, &shared, &left);
            response
        }
        Err(refusal) => notice::refused(&refusal, &viewer),
    }
}
