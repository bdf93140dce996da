//! A login that sends the browser to a source and back: its links on the login page, its start, and its end.
//!
//! A start belongs to an authorization request, which a hosted page carries sealed. Published clients start one by
//! themselves, and say where it is to return to.

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hufu_app::authorization::{Next, SocialResponse};
use hufu_app::sources::BrowserKind;
use hufu_app::{ApplicationHint, Arrival, Came, Leads, Refusal, SocialTarget};
use hufu_types::refusal::Code;
use hufu_types::{Connection, ConnectionKind, PoolId, origin_of};
use hufu_web::oidc::outcome;
use hufu_web::page::{Viewer, pause, refused_page};
use hufu_web::request::{Path, Query};
use hufu_web::server::Routes;
use hufu_web::surface::{refusing, sdk};

use super::common::{Caller, Person, Visit, Words};
use super::{link, login, web_view};

pub(super) fn routes() -> Routes {
    let mut routes = Routes::new();
    // Published clients write both.
    for social in ["/connections/social", "/connection/social"] {
        routes = routes
            .route(&format!("{social}/{{identifier}}"), get(start))
            .route(&format!("{social}/{{identifier}}/{{pool}}"), get(start_in_pool))
            .route(&format!("{social}/{{identifier}}/{{pool}}/callback"), get(callback));
    }
    refusing(routes, sdk)
}

/// What a login page offers beside its form or its QR code.
#[derive(Default)]
pub(super) struct Ways {
    pub(super) links: Vec<Link>,
    /// What is possible in another browser, and what is not at the moment.
    pub(super) notes: Vec<String>,
    /// Whether they stand below a form or a code.
    pub(super) are_beside: bool,
}

impl Ways {
    /// The ways in this browser.
    pub(super) fn of(visit: &Visit, are_beside: bool) -> Self {
        let links = links(visit);
        let mut notes = notes(visit, &links);
        let out = visit.app().unavailable_connections(visit.application(), visit.kind);
        notes.extend(out.iter().map(|connection| {
            visit.text_with("connection-unavailable", "connection", connection.display_name.clone())
        }));
        Self { links, notes, are_beside }
    }

    /// The origins that their pictures are loaded from.
    pub(super) fn img_origins(&self) -> impl Iterator<Item = String> {
        self.links.iter().filter_map(|link| link.logo.as_deref().and_then(origin_of))
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty() && self.notes.is_empty()
    }
}

/// A link that starts a login.
pub(super) struct Link {
    pub(super) identifier: String,
    pub(super) address: String,
    pub(super) text: String,
    /// The picture of the connection, in place of WeChat's.
    pub(super) logo: Option<String>,
    /// Whether the browser is WeChat's own, so that this is the way to log in.
    pub(super) is_at_home: bool,
}

/// The links for this browser, in the application's order.
fn links(visit: &Visit) -> Vec<Link> {
    let all = visit.app().redirecting_connections(visit.application(), visit.kind);
    let link = |connection: &Connection| Link {
        identifier: connection.identifier.to_string(),
        address: start_address(visit, connection),
        text: connection.display_name.clone(),
        // Without an origin the page's policy could not name it.
        logo: connection.extras.logo.clone().filter(|logo| origin_of(logo).is_some()),
        is_at_home: visit.kind.is_wechat(),
    };
    all.iter().map(|connection| link(connection)).collect()
}

fn start_address(visit: &Visit, connection: &Connection) -> String {
    visit.address_of_request(&format!("/connections/social/{}", connection.identifier))
}

/// What the application has for another browser, if it has nothing for this one.
fn notes(visit: &Visit, links: &[Link]) -> Vec<String> {
    if !links.is_empty() {
        return Vec::new();
    }
    let elsewhere = [(BrowserKind::Wechat, "open-in-wechat"), (BrowserKind::Desktop, "open-on-computer")];
    let has = |kind| !visit.app().redirecting_connections(visit.application(), kind).is_empty();
    // Whoever sits at a computer does not look for a way into WeChat.
    let may = |kind| visit.kind != BrowserKind::Desktop && visit.kind != kind && has(kind);
    let found = elsewhere.into_iter().filter(|(kind, _)| may(*kind));
    found.map(|(_, key)| visit.text(key)).collect()
}

/// In WeChat's own browser the login starts by itself, unless it did just now, the person logged out, or this page is to be
/// used in another way. It leads into no mini program by itself: that may be where the person comes from.
pub(super) fn start_at_once(visit: &Visit, people: &[Person], words: &Words) -> Option<Response> {
    let has_other_use = ["another", "method", "reset"].iter().any(|name| words.has(name));
    if !visit.kind.is_wechat() || visit.is_paused || has_other_use || !people.is_empty() {
        return None;
    }
    let all = visit.app().redirecting_connections(visit.application(), visit.kind);
    let first = all.first().filter(|_| !all.iter().any(|c| c.kind == ConnectionKind::WechatMiniProgram))?;
    let mut response = outcome::redirect(&start_address(visit, first));
    pause::begin(&mut response, &visit.shared);
    Some(response)
}

async fn start(
    method: Method,
    viewer: Viewer,
    caller: Caller,
    Path(identifier): Path<String>,
    Query(words): Query<Words>,
) -> Response {
    begin(&method, &viewer, caller, &identifier, None, &words).await
}

async fn start_in_pool(
    method: Method,
    viewer: Viewer,
    caller: Caller,
    Path((identifier, pool)): Path<(String, String)>,
    Query(words): Query<Words>,
) -> Response {
    begin(&method, &viewer, caller, &identifier, Some(&pool), &words).await
}

async fn begin(
    method: &Method,
    viewer: &Viewer,
    caller: Caller,
    identifier: &str,
    pool: Option<&str>,
    words: &Words,
) -> Response {
    if method == Method::HEAD {
        return nothing();
    }
    let visit = match visit_of(viewer, caller, identifier, pool, words) {
        Ok(visit) => visit,
        Err(refusal) => return refused_page(&refusal, viewer),
    };
    if visit.is_embedded {
        return unseen();
    }
    match depart(&visit, identifier).await {
        Ok(response) => response,
        Err(refusal) => refuse(&visit, refusal),
    }
}

/// The request that the login belongs to.
fn visit_of(
    viewer: &Viewer,
    caller: Caller,
    identifier: &str,
    pool: Option<&str>,
    words: &Words,
) -> Result<Visit, Refusal> {
    if words.has("request") {
        return Visit::begin(caller, viewer, words);
    }
    let app = &caller.shared.app;
    let config = app.config();
    let application = config.serving(ApplicationHint::new(words.get("app_id"), pool))?;
    let connection = app.redirecting_connection(application, identifier)?;
    let to_opener = (words.get("from_guard") == Some("1")).then_some(SocialTarget::Opener);
    let target = words.get("redirect_url").map(SocialTarget::Address).or(to_opener);
    let open = app.social_request(application, &connection, target)?;
    Visit::of(caller, viewer, open)
}

pub(super) async fn depart(visit: &Visit, identifier: &str) -> Result<Response, Refusal> {
    let connection = visit.app().redirecting_connection(visit.application(), identifier)?;
    let (browser, language) = (visit.viewer.browser_mark(), visit.language());
    let leads = visit.app().depart(&visit.open, &connection, browser, language, &visit.origin).await?;
    let mut response = match leads {
        Leads::ToSource(address) => outcome::redirect(&address),
        Leads::ToMiniProgram(page) => web_view::page(visit, &connection, page),
    };
    visit.viewer.mark_browser(&mut response);
    Ok(response)
}

/// The end of a login that is refused: who asked for it is told, or the login page says it and what else there is.
fn refuse(visit: &Visit, refusal: Refusal) -> Response {
    if visit.open.request.social.is_none() {
        return login::refused(visit, &refusal);
    }
    let next = Next::Return(Box::new(SocialResponse::refused(&visit.open, refusal)));
    let told = outcome::next(&visit.shared, &visit.viewer, &visit.open, next);
    told.unwrap_or_else(|refusal| refused_page(&refusal, &visit.viewer))
}

async fn callback(
    method: Method,
    viewer: Viewer,
    caller: Caller,
    Path((identifier, pool)): Path<(String, String)>,
    Query(words): Query<Words>,
) -> Response {
    if method == Method::HEAD {
        // Nobody is logged in who does not read the answer.
        return nothing();
    }
    let Ok(pool) = PoolId::parse(&pool) else {
        return refused_page(&Code::SourceLoginUnknown.into(), &viewer);
    };
    let arrival = Arrival {
        pool: &pool,
        identifier: &identifier,
        state: words.get("state").unwrap_or_default(),
        code: words.get("code"),
        browser: &viewer.browser_mark(),
        cookie: &caller.browser,
    };
    let arrived = caller.shared.app.arrive(&arrival, &caller.origin).await;
    let arrived = match arrived {
        Ok(arrived) => arrived,
        Err(refusal) => return refused_page(&refusal, &viewer),
    };
    let visit = Visit::sealed(caller, &viewer, arrived.open, arrived.sealed);
    let answered = match arrived.came {
        Ok(Came::Question(question)) => return link::ask(&visit, question),
        Err(refusal) if visit.open.request.link.is_some() => return refused_page(&refusal, &visit.viewer),
        // There was no box to tick, so it is as the login page has it at first.
        Ok(Came::Answer(answer)) => visit.answer(answer, visit.application().login.keep_signed_in).await,
        Err(refusal) => return refuse(&visit, refusal),
    };
    match answered {
        Ok(mut response) => {
            if visit.is_paused {
                pause::end(&mut response, &visit.shared);
            }
            response
        }
        Err(refusal) => refused_page(&refusal, &visit.viewer),
    }
}

/// The answer to a browser that shows it to nobody.
pub(super) fn unseen() -> Response {
    (StatusCode::FORBIDDEN, [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response()
}

/// The answer to somebody who does not read it.
pub(super) fn nothing() -> Response {
    (StatusCode::OK, [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response()
}
