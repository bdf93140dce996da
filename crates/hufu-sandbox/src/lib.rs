//! A faithful WeChat for development and tests, in memory, listening on loopback.
//!
//! `/api` stands for `api.weixin.qq.com`, `/open` for `open.weixin.qq.com` and `/mp` for `mp.weixin.qq.com`: what
//! mini programs, official accounts, websites and mobile apps need for logins, with WeChat's order of checks,
//! error codes, content types and lifetimes. Messages are pushed to the servers of official accounts.
//! `/__sandbox` is the control API: create people and apps, generate codes, scan, follow, inject faults, advance
//! the time. The page at `/` offers the same in the browser, and `/phone` is a phone with WeChat on it.
//!
//! ```text
//! GET  /api/sns/jscode2session              POST /api/wxa/business/getuserphonenumber
//! POST /api/cgi-bin/stable_token            GET  /api/cgi-bin/token
//! GET  /api/wxa/checksession                GET  /api/wxa/resetusersessionkey
//! GET  /api/sns/oauth2/access_token         GET  /api/sns/oauth2/refresh_token
//! GET  /api/sns/userinfo                    GET  /api/sns/auth
//! POST /api/cgi-bin/qrcode/create           GET  /api/cgi-bin/user/info
//! GET  /api/cgi-bin/getcallbackip           POST /api/cgi-bin/clear_quota
//! POST /api/wxa/getwxacodeunlimit           POST /api/wxa/generatescheme
//! POST /api/wxa/generate_urllink            GET  /mp/cgi-bin/showqrcode
//! GET  /open/connect/qrconnect              GET  /open/connect/oauth2/authorize
//! ```
//!
//! Three rules always apply. Openids and unionids are derived, never chosen. Everything stored is bounded.
//! The control API responds only to this machine.

#![expect(
    clippy::disallowed_types,
    reason = "no product code is used here, and axum's own limit of 2 MB is enough for a sandbox on loopback"
)]

mod acts;
mod api;
mod caller;
mod clock;
mod control;
mod ids;
mod in_process;
mod mp;
mod open;
mod page;
mod phone;
mod picture;
mod programs;
mod reach;
mod reply;
mod state;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::serve::ListenerExt as _;
use control::seal::SealRequest;
use tokio::net::TcpListener;

pub use acts::mini::{MiniLogin, PhoneChoice, Step};
pub use acts::push::Delivery;
pub use clock::ClockStart;
pub use control::ControlError;
pub use control::seal::{DataKind, Sealed};
pub use programs::{Handed, Outcome, Program, What};
pub use state::apps::{AppKind, AppPatch, AppSecret, AppState, AppView, NewApp};
pub use state::calls::Call;
pub use state::faults::{Fault, WrongJson};
pub use state::messages::{MessageMode, Messages};
pub use state::people::{AppIds, NewUser, UserPatch, UserView};
pub use state::pushes::{Attempt, Push, Verdict};
pub use state::settings::{Settings, SettingsPatch};

pub(crate) const MAX_APPS: usize = 1_000;
pub(crate) const MAX_PEOPLE: usize = 10_000;
pub(crate) const MAX_FRESH_PEOPLE: usize = 1_000;
pub(crate) const MAX_FAULTS: usize = 1_000;

/// How a sandbox behaves. The default is WeChat's behaviour.
#[derive(Clone, Debug)]
pub struct Options {
    /// Logins per person and app within a minute. Further ones fail with 45011. `None` means no limit.
    pub per_minute_code_limit: Option<u32>,
    /// Calls of `/cgi-bin/token` per app and day. Further ones fail with 45009.
    pub daily_token_limit: u32,
    /// Where the clock starts.
    pub clock: ClockStart,
    /// Generates the same codes, tokens and keys each time. For reproducible tests.
    pub seed: Option<[u8; 32]>,
    /// Additional host names for which the control API and the page are available, besides `localhost`,
    /// `127.0.0.1` and `[::1]`. For a sandbox in its own container.
    pub control_hosts: Vec<String>,
    /// The maximum number of stored codes of each kind. A code takes about 100 bytes.
    pub max_codes: usize,
    /// The maximum number of session keys, and of users' tokens. Beyond it, the oldest is dropped.
    pub max_sessions: usize,
    /// The number of calls that the log keeps.
    pub log_capacity: usize,
    /// The base URL of the server that the login mini program speaks to. This and what follows are
    /// [`Settings`], which can be changed later too.
    pub login_mini_program_host: Option<String>,
    /// See [`Settings::push_sends`].
    pub push_sends: u32,
    /// See [`Settings::push_timeout_ms`].
    pub push_timeout_ms: u64,
    /// See [`Settings::push_anywhere`].
    pub push_anywhere: bool,
    /// See [`Settings::deny_redirects`].
    pub deny_redirects: bool,
    /// The name of the person who holds the phone, until another one is chosen.
    pub phone_owner: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            per_minute_code_limit: Some(100),
            daily_token_limit: 2_000,
            clock: ClockStart::Now,
            seed: None,
            control_hosts: Vec::new(),
            max_codes: 2_000_000,
            max_sessions: 100_000,
            log_capacity: 1_000,
            login_mini_program_host: None,
            push_sends: 3,
            push_timeout_ms: 5_000,
            push_anywhere: false,
            deny_redirects: true,
            phone_owner: None,
        }
    }
}

/// Tells browsers to believe the content type of every answer.
async fn no_sniffing(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// A simulated WeChat. Clones share all state.
#[derive(Clone)]
pub struct Sandbox {
    state: Arc<state::State>,
}

impl Sandbox {
    /// An empty sandbox, without apps and people.
    pub fn new(options: Options) -> Sandbox {
        Sandbox { state: Arc::new(state::State::new(options)) }
    }

    /// WeChat's hosts under `/api`, `/open` and `/mp`, the control API under `/__sandbox`, the page at `/` and the
    /// phone at `/phone`.
    pub fn router(&self) -> Router {
        api::router()
            .merge(open::router(&self.state))
            .merge(mp::router())
            .merge(phone::router(&self.state))
            .merge(control::http::router(&self.state))
            .merge(page::router(&self.state))
            .layer(map_response(no_sniffing))
            .with_state(Arc::clone(&self.state))
    }

    /// Serves until `shutdown` completes, then finishes running calls.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "the WeChat sandbox can be reached from other machines: anyone who reaches it can log in as anybody");
        }
        // Responses are one small packet. Waiting for more data would cost 40 ms per call.
        let listener = listener.tap_io(|connection| {
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY was refused");
            }
        });
        let service = self.router().into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).with_graceful_shutdown(shutdown).await
    }

    /// Registers an app, or replaces the settings of the one with this AppID.
    pub fn add_app(&self, app: NewApp) -> Result<AppView, ControlError> {
        Ok(self.state.apps.put(app, &self.state.ids)?.0.view())
    }

    /// Changes an app.
    pub fn change_app(&self, app_id: &str, patch: AppPatch) -> Result<AppView, ControlError> {
        Ok(self.state.apps.patch(app_id, patch)?.view())
    }

    /// Creates a person, or replaces the one with this name.
    pub fn add_user(&self, user: NewUser) -> Result<UserView, ControlError> {
        Ok(self.state.view(&self.state.put_person(user)?.0))
    }

    /// Changes a person.
    pub fn change_user(&self, name: &str, patch: UserPatch) -> Result<UserView, ControlError> {
        Ok(self.state.view(&*self.state.people.patch(name, patch)?))
    }

    /// Returns a code as `wx.login` does in a mini program, or `SendAuth` in a mobile app. It is valid for
    /// five minutes and one use. Without a name, or for `new`, it is for a new person.
    pub fn login_code(&self, app_id: &str, user: Option<&str>) -> Result<String, ControlError> {
        let app = self.state.app(app_id)?;
        let person = self.state.person_or_fresh(user)?;
        self.state.login_codes(&app, Some(person.key), 1).map(|mut codes| codes.pop().unwrap_or_default())
    }

    /// Returns one code for each of `count` new people, about whom nothing else is stored. For load tests.
    pub fn fresh_login_codes(&self, app_id: &str, count: usize) -> Result<Vec<String>, ControlError> {
        let app = self.state.app(app_id)?;
        self.state.login_codes(&app, None, count)
    }

    /// Returns a code as `getPhoneNumber` does for this person in this app. It is valid for five minutes and
    /// one use.
    pub fn phone_code(&self, app_id: &str, user: Option<&str>) -> Result<String, ControlError> {
        let app = self.state.app(app_id)?;
        let person = self.state.person_or_fresh(user)?;
        self.state.phone_code(&app, &person)
    }

    /// The data that a phone passes to the mini program for the person of a login code. It is encrypted with
    /// the session key that the exchange of the code returns.
    pub fn sealed_data(&self, app_id: &str, code: &str, kind: DataKind) -> Result<Sealed, ControlError> {
        let code = Some(code.to_owned());
        self.state.seal(&SealRequest { app_id: app_id.to_owned(), code, kind, ..SealRequest::default() })
    }

    /// Lets a program run in an app on the phone.
    pub fn install(&self, app_id: &str, program: Arc<dyn Program>) {
        self.state.programs.install(app_id, program);
    }

    /// Injects a fault.
    pub fn add_fault(&self, fault: Fault) -> Result<(), ControlError> {
        self.state.faults.add(fault)
    }

    /// Removes every fault.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// Invalidates an app's tokens as if another service had refreshed them. Their next use returns 40001.
    pub fn discard_tokens(&self, app_id: &str) -> Result<(), ControlError> {
        self.state.discard_tokens(app_id)
    }

    /// Moves the sandbox's clock forward.
    pub fn advance(&self, time: Duration) {
        self.state.clock.advance(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    }

    /// The sandbox's time in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.state.clock.now()
    }

    /// The latest calls after number `after`, oldest first.
    pub fn calls(&self, after: u64) -> Vec<Call> {
        self.state.calls.after(after, usize::MAX)
    }
}
