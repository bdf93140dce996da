//! The application by which administrators log in.
//!
//! It is a part of the program, and not a row of the configuration: all nodes have it, it follows the public URL, and
//! nobody changes or removes it. It is not among the applications of [`Config`](super::Config) either, so that no call of a
//! published client, no grant of tokens and no resolution of what a client names ever finds it. Only the authorization
//! endpoint and the hosted pages look for it, by [`Config::on_pages`](super::Config::on_pages).

use std::collections::BTreeMap;
use std::sync::Arc;

use hufu_types::{
    Application, ApplicationId, ApplicationKind, Branding, ClientSettings, Grant, Language, LoginControl,
    LoginMethod, LoginTab, PoolId, RegistrationMethod, SessionRules, SigningAlgorithm, TokenLifetimes,
};

use crate::Limits;

/// The page of the login.
pub(crate) const PAGE: &str = "/administration";
/// Where the browser comes back to with a code.
const CALLBACK: &str = "/administration/callback";

/// The title of its login page.
fn titles() -> BTreeMap<String, String> {
    let titles = Language::ALL.map(|language| {
        let title = match language {
            Language::SimplifiedChinese => "登录虎符管理",
            Language::TraditionalChinese => "登入虎符管理",
            Language::English => "Log in to Hufu administration",
            Language::Japanese => "虎符の管理にログイン",
        };
        (language.tag().to_owned(), title.to_owned())
    });
    titles.into()
}

/// The application, and how long the sessions of administrators live.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    pub(crate) application: Arc<Application>,
    /// A browser session alone must not outlive the logins that begin in it.
    pub(crate) session: SessionRules,
    /// Whether anybody may register, and gets a pool of their own.
    pub(crate) signs_up: bool,
    /// Whether mail arrives in an outbox where the pool has no sender.
    pub(crate) has_outbox: bool,
}

impl Console {
    /// That of an instance at this URL.
    pub(crate) fn new(public_url: &str, signs_up: bool, has_outbox: bool, limits: &Limits) -> Self {
        let client = ClientSettings {
            grants: Some(vec![Grant::AuthorizationCode]),
            redirect_uris: vec![format!("{public_url}{CALLBACK}")],
            init_login_uri: Some(format!("{public_url}{PAGE}")),
            ..ClientSettings::default()
        };
        // With a password, because it is by this that they log in again; and a code, where one can be sent.
        let registration = if signs_up { vec![RegistrationMethod::EmailPassword] } else { Vec::new() };
        let login = LoginControl {
            methods: vec![LoginTab::Form(LoginMethod::Password)],
            registration,
            keep_signed_in: false,
            ..LoginControl::default()
        };
        let application = Application {
            id: ApplicationId::console(),
            pool: PoolId::system(),
            name: "Hufu".to_owned(),
            kind: ApplicationKind::Spa,
            is_default: false,
            position: 0,
            enabled: true,
            connections: Vec::new(),
            signing_algorithm: SigningAlgorithm::Es256,
            lifetimes: TokenLifetimes { session: limits.admin_session, ..TokenLifetimes::default() },
            client: client.into(),
            secrets: Vec::new(),
            login: login.into(),
            branding: Branding { title: titles(), ..Branding::default() }.into(),
        };
        let session = SessionRules { idle: limits.admin_idle, life: limits.admin_session };
        Self { application: Arc::new(application), session, signs_up, has_outbox }
    }

    /// The same with the id that is free: an instance may have had an application with the one that is reserved now.
    #[must_use]
    pub(super) fn beside(self, is_taken: bool) -> Self {
        let id = if is_taken { ApplicationId::console_otherwise() } else { ApplicationId::console() };
        if self.application.id == id {
            return self;
        }
        let application = Application { id, ..(*self.application).clone() };
        Self { application: Arc::new(application), ..self }
    }

    /// Where the browser comes back to with a code.
    pub(crate) fn callback(&self) -> &str {
        self.application.client.redirect_uris.first().map(String::as_str).unwrap_or_default()
    }
}
