//! The start page of `hufu dev`, and the demonstration application behind it. `hufu serve` has neither.
//!
//! - `modes`: the login modes of WeChat in the order in which they are tried, one row each.
//! - `start`: the page. `state`: by what it sees that something happened.
//! - `website`: the website of the demonstration, a relying party that logs people in as any other would.
//! - `report`: the back end of the demonstration's mini program and phone app, to which they send what Hufu answered.
//! - `login`: what the application has of a login. `memory`: the last logins; nothing is written to disk.
//! - `web_view`: the pages in the web-view of the demonstration's mini program.
//! - `tokens`, `json`, `samples`: how tokens and code are shown.

mod json;
mod login;
mod memory;
mod modes;
mod report;
mod samples;
mod start;
mod state;
mod tokens;
mod web_view;
mod website;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use axum::routing::{get, post};
use hufu_app::connect::Outbox;
use hufu_types::{Language, Texts};
use hufu_web::page::{Asset, routes_of};
use hufu_web::server::Routes;
use secrecy::SecretString;

use memory::Memory;
use modes::Mode;

/// The texts of the start page.
pub static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(&[
        (Language::SimplifiedChinese, include_str!("../../texts/dev/zh-CN.ftl")),
        (Language::TraditionalChinese, include_str!("../../texts/dev/zh-TW.ftl")),
        (Language::English, include_str!("../../texts/dev/en.ftl")),
        (Language::Japanese, include_str!("../../texts/dev/ja.ftl")),
    ])
});

static STYLES: Asset = Asset::css("start", &[include_str!("../../assets/start.css")]);
static SCRIPT: Asset = Asset::script("start", &[hufu_html::SCRIPT, include_str!("../../assets/start.js")]);

/// What the page needs of the program around it.
pub trait Surroundings: Send + Sync + 'static {
    /// The calls that the sandbox's WeChat received after number `after`, oldest first.
    fn wechat_calls(&self, after: u64) -> Vec<WechatCall>;

    /// The number of the latest of these calls.
    fn last_wechat_call(&self) -> u64 {
        self.wechat_calls(0).last().map_or(0, |call| call.number)
    }

    /// The time at WeChat, in Unix milliseconds.
    fn wechat_time(&self) -> i64;

    /// Calls this very server over HTTP, as an application on another machine would.
    ///
    /// # Errors
    /// Whatever kept an answer from coming, in words for the log.
    fn call(&self, call: Call) -> Answering<'_>;
}

/// An answer that is on its way.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answered, String>> + Send + 'a>>;

/// A call of the application to the server.
#[derive(Clone, Debug)]
pub struct Call {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path with its query.
    pub path: String,
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

/// The server's answer.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// Where it leads, if it is a redirect.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// A call that the sandbox's WeChat received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WechatCall {
    /// Counts up.
    pub number: u64,
    /// WeChat's name of the endpoint.
    pub path: &'static str,
    /// The AppID that it named.
    pub app_id: Option<String>,
    /// Whether WeChat answered with what was asked for.
    pub is_ok: bool,
    /// WeChat's error code, 0 for none.
    pub code: Option<i32>,
    /// How long ago it was, in milliseconds.
    pub age: i64,
}

/// How one of the modes is set up in the demonstration. Modes that no row is about are not on the page.
#[derive(Clone, Debug)]
pub struct DemoMode {
    /// The kind of its connection, such as `wechat:pc`.
    pub kind: &'static str,
    /// The identifier of the connection.
    pub connection: &'static str,
    /// The id of the application that people log in to.
    pub application: &'static str,
    /// The AppID in the sandbox.
    pub app_id: &'static str,
}

/// The demonstration as `hufu dev` sets it up.
pub struct Demo {
    /// The origin of the sandbox.
    pub sandbox: String,
    /// The id of the pool.
    pub pool: &'static str,
    /// The modes.
    pub modes: Vec<DemoMode>,
    /// How the website logs in within the web-view of the mini program, if it has one.
    pub web_view: Option<DemoMode>,
    /// The client secret of the website.
    pub client_secret: SecretString,
    /// What the demonstration's apps show when they report to [`REPORTS`].
    pub report_secret: SecretString,
    /// The messages that are not sent.
    pub outbox: Outbox,
    /// The program around the page.
    pub surroundings: Arc<dyn Surroundings>,
}

/// Where the website of the demonstration is returned to, below the server's own address.
pub const CALLBACK: &str = "/dev/callback";

/// Where the login of the website begins in the web-view of the demonstration's mini program.
pub const IN_WEB_VIEW: &str = "/dev/try/web-view";

/// Where the demonstration's mini program and phone app report what Hufu answered.
pub const REPORTS: &str = "/dev/received";

/// What the handlers share.
struct Stage {
    demo: Demo,
    memory: Memory,
}

impl Stage {
    /// The modes on the page, each with its set-up.
    fn modes(&self) -> impl Iterator<Item = (&'static Mode, &DemoMode)> {
        let of = |mode: &Mode| self.demo.modes.iter().find(|one| one.kind == mode.kind);
        modes::ALL.iter().filter_map(move |mode| of(mode).map(|demo| (mode, demo)))
    }

    fn last_call(&self) -> u64 {
        self.demo.surroundings.last_wechat_call()
    }

    /// The mode of this name in addresses: one of those, or what stands beside them.
    fn mode(&self, slug: &str) -> Option<(&'static Mode, &DemoMode)> {
        let beside = self.demo.web_view.as_ref().map(|demo| (&modes::WEB_VIEW, demo));
        self.modes().chain(beside).find(|(mode, _)| mode.slug == slug)
    }
}

/// These pages with the start page at `/` and the demonstration application, which shows some of them in web-views.
pub fn with_start_page(pages: Routes, demo: Demo) -> Routes {
    web_view::shows(pages, &demo).merge(routes(demo))
}

/// The start page at `/`, and the demonstration application.
fn routes(demo: Demo) -> Routes {
    let stage = Arc::new(Stage { demo, memory: Memory::default() });
    Routes::new()
        .route("/", get(start::show))
        .route("/dev/state.json", get(state::show))
        .route("/dev/try/{mode}", get(website::begin))
        .route(CALLBACK, get(website::returned))
        .route(REPORTS, post(report::receive))
        .layer(axum::Extension(stage))
        .merge(routes_of(&[&STYLES, &SCRIPT, &web_view::BRIDGE]))
}

type Staged = axum::Extension<Arc<Stage>>;
