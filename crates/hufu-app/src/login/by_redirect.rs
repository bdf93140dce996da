//! Logging in through a source that the browser is sent to, and that sends it back.
//!
//! A start is a row, found by the hash of its `state`, which only the source and this browser know. It belongs to an
//! authorization request and ends there, whoever asked for it. The code that comes back is used as every other code of a
//! source is, by [`App::log_in`].

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::rates::{self, Limit};
use hufu_store::source_logins::{self, BroughtBack, NewSourceLogin};
use hufu_store::{StoreError, Tx, Write};
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::Code;
use hufu_types::{
    Application, AuthorizationRequest, Connection, Language, LoginTab, OpaqueToken, PoolId, SocialReturn,
    Timestamp, TokenHash, TokenPurpose,
};

use super::by_source::SourceLogin;
use super::entry::{LoginAnswer, LoginOptions};
use crate::address::network_of;
use crate::authorization::{Browser, OpenRequest};
use crate::digest::hash_token;
use crate::origin::Origin;
use crate::people::linking::LinkQuestion;
use crate::sources::{
    self, BrowserKind, Departure, Evidence, FromWebView, Leads, Start, redirecting_browsers,
};
use crate::tokens::refresh::group_key;
use crate::{App, PhoneUse, Refusal};

/// Where a login that a published client begins at a connection is to end.
#[derive(Clone, Copy, Debug)]
pub enum SocialTarget<'a> {
    /// At this address.
    Address(&'a str),
    /// In a message to the page that opened the window.
    Opener,
}

/// What a source sent the browser back with.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// The pool in the address.
    pub pool: &'a PoolId,
    /// The connection in the address.
    pub identifier: &'a str,
    /// The state.
    pub state: &'a str,
    /// The code. None if the person did not agree.
    pub code: Option<&'a str>,
    /// What marks the browser.
    pub browser: &'a TokenHash,
    /// Who is logged in to it.
    pub cookie: &'a Browser,
}

/// A login that came back from a source.
#[derive(Debug)]
pub struct Arrived {
    /// The request that it belongs to.
    pub open: OpenRequest,
    /// The same, sealed.
    pub sealed: String,
    /// What became of it.
    pub came: Result<Came, Refusal>,
}

/// What came of a login that came back from a source.
#[derive(Debug)]
pub enum Came {
    /// What the login answered.
    Answer(LoginAnswer),
    /// Nobody logs in: what the source proved may be bound to an account.
    Question(LinkQuestion),
}

impl App {
    /// The connections of an application through which a login starts by sending this browser to the source, in the
    /// application's order. Those that are unavailable are not among them.
    pub fn redirecting_connections(
        &self,
        application: &Application,
        browser: BrowserKind,
    ) -> Vec<Arc<Connection>> {
        let config = self.config();
        let all = application.connections.iter().filter_map(|id| config.connection(id));
        let is_of_use = |c: &&Arc<Connection>| redirecting_browsers(c).contains(&browser);
        all.filter(|c| c.enabled && config.is_available(c)).filter(is_of_use).cloned().collect()
    }

    /// The connections that a login page would offer to this browser, were they not unavailable.
    pub fn unavailable_connections(
        &self,
        application: &Application,
        browser: BrowserKind,
    ) -> Vec<Arc<Connection>> {
        let config = self.config();
        let all = application.connections.iter().filter_map(|id| config.connection(id));
        let is_tab = |c: &Connection| {
            let mut tabs = application.login.methods.iter();
            tabs.any(|tab| matches!(tab, LoginTab::QrCode(identifier) if *identifier == c.identifier))
        };
        let is_of_use = |c: &&Arc<Connection>| redirecting_browsers(c).contains(&browser) || is_tab(c);
        all.filter(|c| c.enabled && !config.is_available(c)).filter(is_of_use).cloned().collect()
    }

    /// The connection of an application that has this identifier, if its logins start by a redirect.
    ///
    /// # Errors
    /// What is wrong with the connection.
    pub fn redirecting_connection(
        &self,
        application: &Application,
        identifier: &str,
    ) -> Result<Arc<Connection>, Refusal> {
        let config = self.config();
        let found = config.connection_of_pool(&application.pool, identifier);
        let kind = found.ok_or(Code::NamelessConnectionUnknown)?.kind;
        let connection = config.connection_for(application, kind, Some(identifier), None)?;
        if redirecting_browsers(&connection).is_empty() {
            let named = Code::ConnectionOfOtherKind.with("connection", connection.identifier.to_string());
            return Err(named.with("kind", kind.as_str()));
        }
        Ok(connection)
    }

    /// The request of a login that a published client begins at a connection. Without a target it ends at the first
    /// address of the connection, or is one of ours ([`App::own_request`]).
    ///
    /// # Errors
    /// [`Code::CallbackUnknown`]; [`Code::ConsentNeeded`] where the client would get what people have to agree to.
    pub fn social_request(
        &self,
        application: &Arc<Application>,
        connection: &Connection,
        target: Option<SocialTarget<'_>>,
    ) -> Result<OpenRequest, Refusal> {
        let own = self.own_request(Some(application.id.as_str()))?;
        let callback = connection.extras.callback.first().map(|address| SocialTarget::Address(address));
        let Some(target) = target.or(callback) else { return Ok(own) };
        Self::check_surface(application, &RequestedTokens::UserToken)?;
        let redirect_uri = match target {
            SocialTarget::Address(address) => address.to_owned(),
            SocialTarget::Opener => String::new(),
        };
        let to_opener = matches!(target, SocialTarget::Opener);
        let social = SocialReturn { connection: connection.id.clone(), to_opener };
        let request =
            AuthorizationRequest { redirect_uri, is_own: false, social: Some(social), ..own.request };
        if !self.may_return(application, &request) {
            return Err(Code::CallbackUnknown.into());
        }
        Ok(OpenRequest { application: application.clone(), request })
    }

    /// Whether a request may return to its redirect URI.
    pub(crate) fn may_return(&self, application: &Application, request: &AuthorizationRequest) -> bool {
        let uri = &request.redirect_uri;
        match &request.social {
            _ if request.is_own => true,
            Some(SocialReturn { to_opener: true, .. }) => true,
            Some(social) => {
                let config = self.config();
                let of_connection = |c: &Arc<Connection>| c.extras.callback.contains(uri);
                application.has_redirect_uri(uri)
                    || config.connection(&social.connection).is_some_and(of_connection)
            }
            None => application.has_redirect_uri(uri),
        }
    }

    /// Whether the result of such a login holds the user with their token. Otherwise it holds a ticket for them.
    pub(crate) fn hands_user_over(&self, request: &AuthorizationRequest) -> bool {
        request.social.as_ref().is_some_and(|social| {
            let config = self.config();
            social.to_opener || config.connection(&social.connection).is_some_and(|c| c.extras.return_user)
        })
    }

    /// Starts a login at a source. Returns where it leads the browser.
    ///
    /// # Errors
    /// [`Code::TooOften`], [`Code::ConnectionUnavailable`].
    #[boxed]
    pub async fn depart(
        &self,
        open: &OpenRequest,
        connection: &Connection,
        browser: TokenHash,
        language: Language,
        origin: &Origin,
    ) -> Result<Leads, Refusal> {
        self.require_available(connection)?;
        let OpenRequest { application, .. } = open;
        let (now, window) = (self.now(), self.limits.source_login_window);
        let state = OpaqueToken::generate(TokenPurpose::SourceLogin, &*self.random);
        let unit = Depart {
            pool: application.pool.clone(),
            new: NewSourceLogin {
                hash: hash_token(state.expose()),
                connection: connection.id.clone(),
                application: application.id.clone(),
                browser,
                purpose: self.seal_request(open)?.into_bytes(),
                expires_at: now.plus(self.limits.source_login),
            },
            guard: origin.ip.as_deref().map(|ip| Limit {
                name: format!("source_login:{}", network_of(ip)),
                most: self.limits.source_logins_per_ip,
                window,
            }),
            now,
        };
        if !self.write(unit).await? {
            let wait = rates::wait(window, now);
            return Err(Code::TooOften.retry_after(wait).because("logins at sources from this network"));
        }
        let callback = self.callback(connection);
        let departure = Departure { connection, state: &state, callback: &callback, language };
        match &sources::kind(connection.kind).start {
            Start::Redirect { page, .. } => page(self, &departure).map(Leads::ToSource),
            Start::Code { from_web_view: Some(FromWebView { page, .. }), .. } => {
                page(&departure).map(Leads::ToMiniProgram)
            }
            Start::Code { .. } | Start::QrCode(_) => {
                Err(Code::Internal.because("the connection does not start by a redirect"))
            }
        }
    }

    /// Where a source sends the browser back to. Sources let only one host be registered, so it is always this one.
    pub fn callback(&self, connection: &Connection) -> String {
        let Connection { pool, identifier, .. } = connection;
        format!("{}/connection/social/{identifier}/{pool}/callback", self.public_url().trim_end_matches('/'))
    }

    /// Ends a login at a source: the code is exchanged, and the person is logged in.
    ///
    /// WeChat's browser may come twice with the same code, which is one login. Another code is refused.
    ///
    /// # Errors
    /// What is to be said on a page, since nobody can be told: [`Code::SourceLoginUnknown`],
    /// [`Code::SourceLoginElsewhere`], [`Code::SourceLoginAnswered`].
    #[boxed]
    pub async fn arrive(&self, arrival: &Arrival<'_>, origin: &Origin) -> Result<Arrived, Refusal> {
        let Arrival { pool, identifier, state, code, browser, cookie } = *arrival;
        let config = self.config();
        let found = config.connection_of_pool(pool, identifier).ok_or(Code::SourceLoginUnknown)?;
        let unit = Arrive {
            pool: pool.clone(),
            state: hash_token(state),
            brought: BroughtBack {
                connection: found.id.clone(),
                browser: browser.clone(),
                code: code.map(hash_token),
            },
            now: self.now(),
        };
        let sealed = match self.write(unit).await? {
            Answered::Purpose(sealed) => String::from_utf8(sealed).map_err(Refusal::internal)?,
            Answered::Unknown => return Err(Code::SourceLoginUnknown.into()),
            Answered::Elsewhere => return Err(Code::SourceLoginElsewhere.into()),
            Answered::Before => return Err(Code::SourceLoginAnswered.into()),
        };
        let open = self.open_request(&sealed)?;
        let identifier = Some(found.identifier.as_str());
        // It may have been switched off meanwhile.
        let came = match (config.connection_for(&open.application, found.kind, identifier, None), code) {
            (Err(refusal), _) => Err(refusal),
            (Ok(_), None) => Err(Code::SourceLoginDenied.into()),
            (Ok(connection), Some(code)) => {
                if let Some(by) = open.request.link.clone() {
                    let browser = (cookie, browser);
                    let question = self.ask_to_link(&open, &connection, code, &by, browser, origin).await;
                    return Ok(Arrived { open, sealed, came: question.map(Came::Question) });
                }
                let login = SourceLogin {
                    application: open.application.clone(),
                    connection,
                    evidence: Evidence::code(code),
                    phone_use: PhoneUse::default(),
                    options: LoginOptions::from(RequestedTokens::Authorization(Box::new(
                        open.request.clone(),
                    ))),
                    origin: Origin {
                        browser: Some(browser.clone()),
                        is_alone: cookie.is_empty(),
                        ..origin.clone()
                    },
                };
                self.log_in(&login).await.map(Came::Answer)
            }
        };
        Ok(Arrived { open, sealed, came })
    }
}

/// Stores the start of a login, unless the network sends too many. Returns whether it did.
struct Depart {
    pool: PoolId,
    new: NewSourceLogin,
    guard: Option<Limit>,
    now: Timestamp,
}

impl Write for Depart {
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        if let Some(guard) = &self.guard
            && guard.take(tx, self.now).await?.is_none()
        {
            return Ok(false);
        }
        source_logins::insert(tx, &self.pool, &self.new).await?;
        Ok(true)
    }
}

/// Looks up the login of a state, and notes the code that came with it.
struct Arrive {
    pool: PoolId,
    state: TokenHash,
    brought: BroughtBack,
    now: Timestamp,
}

/// The outcome of [`Arrive`].
enum Answered {
    /// What the login is for, sealed.
    Purpose(Vec<u8>),
    /// There is no such login, or it is too old, or of another connection.
    Unknown,
    /// It is another browser's. Nothing was noted: that one may still come.
    Elsewhere,
    /// It had another code.
    Before,
}

impl Write for Arrive {
    type Out = Answered;

    /// The same state twice never shares a transaction: the second has to see what code the first brought.
    fn group(&self) -> Option<u64> {
        Some(group_key(&self.pool, self.state.as_bytes()))
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Answered, StoreError> {
        let BroughtBack { connection, browser, code } = &self.brought;
        let found = source_logins::answer(tx, &self.pool, &self.state, &self.brought, self.now).await?;
        let Some(login) = found else { return Ok(Answered::Unknown) };
        if login.expires_at <= self.now || login.connection != *connection {
            return Ok(Answered::Unknown);
        }
        if login.browser != browser.as_bytes() {
            return Ok(Answered::Elsewhere);
        }
        let is_another = |code: &TokenHash| login.code.as_deref() != Some(code.as_bytes());
        if code.as_ref().is_some_and(is_another) {
            return Ok(Answered::Before);
        }
        Ok(Answered::Purpose(login.purpose))
    }
}
