//! The checks, by capability. Each kind of connection lists those that it wants, in the order in which they are read.

mod addresses;
mod mini_program;
mod official_account;

use futures::future::BoxFuture;
use hufu_store::identities::HasIdentities;
use hufu_types::doctor::findings;
use hufu_types::{Connection, IdentityKind};
use hufu_wechat::{AppCredentials, Budget, Error};

use super::finding::{Check, Finding, Severity};
use crate::{App, Refusal, sources};

pub(crate) use addresses::{
    business_domain_file, message_url, mini_program_domains, webpage_domain, webpage_domain_file,
    website_domain,
};
pub(crate) use mini_program::{is_mini_program, phone_numbers, published};
pub(crate) use official_account::may_ask_about_followers;

/// A check of a connection.
pub(crate) type ConnectionCheck = for<'a> fn(&'a App, &'a Connection) -> Checking<'a>;

/// A check that is under way.
pub(crate) type Checking<'a> = BoxFuture<'a, Result<Vec<Finding>, Refusal>>;

/// A code that WeChat never issues. It looks at the app before it looks at the code, so what it answers says whether it
/// accepts the app.
const NO_CODE: &str = "hufu-check";

/// How WeChat is asked whether it serves an app at all: by the call that logins make. WeChat issues app tokens for apps whose
/// logins it refuses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Probe {
    /// By an app token, and an impossible code of a mini program.
    MiniProgram,
    /// By an app token, and a follower that there is not.
    OfficialAccount,
    /// By an impossible code, where the apps have no app tokens.
    SnsCode,
}

/// Whose menus on WeChat's platforms a finding names: each kind of app is set up in others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Menus {
    /// A mini program's.
    MiniProgram,
    /// An official account's.
    OfficialAccount,
    /// A website's.
    Website,
    /// A mobile app's.
    MobileApp,
}

impl Menus {
    /// The value of `$app` in the sentences.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::MiniProgram => "mini-program",
            Self::OfficialAccount => "official-account",
            Self::Website => "website",
            Self::MobileApp => "mobile",
        }
    }
}

impl Probe {
    /// Asks WeChat.
    ///
    /// # Errors
    /// What WeChat has against the app.
    pub(crate) async fn ask(self, app: &App, connection: &Connection) -> Result<(), Error> {
        let of = credentials(app, connection)?;
        if !matches!(self, Self::SnsCode) {
            app.app_tokens.fetched(&of, false, budget(app)).await?;
        }
        self.ask_as_a_login(app, connection).await
    }

    /// The same, where there is an app token.
    async fn ask_as_a_login(self, app: &App, connection: &Connection) -> Result<(), Error> {
        let of = credentials(app, connection)?;
        match self {
            Self::MiniProgram => accepted(app.wechat.code_to_session(&of, NO_CODE, budget(app)).await),
            Self::SnsCode => accepted(app.wechat.user_authorization(&of, NO_CODE, budget(app)).await),
            Self::OfficialAccount => {
                match accepted(app.wechat.follower(&of, NO_CODE, budget(app)).await) {
                    // Its logins do without what WeChat does not permit it to ask.
                    Err(error) if error.errcode() == Some(official_account::NOT_PERMITTED) => Ok(()),
                    outcome => outcome,
                }
            }
        }
    }
}

/// Without a mini program of the instance, WeChat cannot be asked.
fn credentials(app: &App, connection: &Connection) -> Result<AppCredentials, Error> {
    app.mini_program_of(connection).map_err(|_| Error::token_budget_exhausted())
}

fn budget(app: &App) -> Budget {
    Budget::of(app.limits.request_budget)
}

/// The answer to an impossible code: if only the code is wrong, the app is accepted.
fn accepted<T>(outcome: Result<T, Error>) -> Result<(), Error> {
    match outcome {
        Err(error) if error.class() != hufu_wechat::Class::User => Err(error),
        _ => Ok(()),
    }
}

/// Whether the connection is on, used by an application and available.
pub(crate) fn connection<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(async move {
        let config = app.config();
        let mut found = Vec::new();
        if !connection.enabled {
            found.push(Finding::new(Check::Connection, Severity::Warning, findings::CONNECTION_OFF));
        }
        let applications = config.of_pool(&connection.pool).map(|pool| pool.applications().to_vec());
        let users: Vec<_> = applications.into_iter().flatten().collect();
        let users = users.iter().filter(|a| a.enabled && a.connections.contains(&connection.id));
        let names: Vec<&str> = users.map(|application| application.name.as_str()).collect();
        found.push(if names.is_empty() {
            Finding::new(Check::Connection, Severity::Warning, findings::CONNECTION_UNUSED)
        } else {
            Finding::ok(Check::Connection, findings::CONNECTION_USED).with("applications", names.join(", "))
        });
        if let Some(outage) = config.outage(connection) {
            let finding = Finding::new(Check::Connection, Severity::Error, findings::OUT_OF_SERVICE);
            let finding = finding.with("since", outage.since.to_iso());
            found.push(finding.answered_before(outage.errcode, outage.rid.as_deref()));
        }
        Ok(found)
    })
}

/// AppID, AppSecret, the allow-list of addresses and the app token, all by fetching a token. What depends on the token is
/// checked only if there is one.
pub(crate) fn app_token<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(async move {
        let held = match app.app_tokens.fetched(&app.mini_program_of(connection)?, false, budget(app)).await {
            Ok(held) => held,
            Err(error) => return Ok(vec![Finding::failed(app, Check::Credentials, &error)]),
        };
        let probe = sources::kind(connection.kind).probe;
        let is_out = app.config().outage(connection).is_some();
        if is_out && probe.ask_as_a_login(app, connection).await.is_ok() {
            app.mark_available(connection).await?;
        }
        let minutes = held.expires_at.since(app.now()).as_secs() / 60;
        Ok(vec![
            Finding::ok(Check::Credentials, findings::CREDENTIALS_FINE),
            Finding::ok(Check::AppToken, findings::APP_TOKEN_FINE).with("minutes", minutes),
        ])
    })
}

/// AppID and AppSecret of a mobile app, and that it is one.
pub(crate) fn mobile_credentials<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(sns_credentials(app, connection, "kind-mobile"))
}

/// AppID and AppSecret of a website, and that it is one.
pub(crate) fn website_credentials<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(sns_credentials(app, connection, "kind-website"))
}

/// AppID and AppSecret of an official account, without an app token: its allow-list of addresses does not matter here.
pub(crate) fn webpage_credentials<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(sns_credentials(app, connection, "kind-official-account"))
}

/// There is no call that checks only the secret, so an impossible code is sent.
async fn sns_credentials(
    app: &App,
    connection: &Connection,
    kind: &'static str,
) -> Result<Vec<Finding>, Refusal> {
    let outcome =
        app.wechat.user_authorization(&app.mini_program_of(connection)?, NO_CODE, budget(app)).await;
    let Err(error) = accepted(outcome) else {
        app.mark_available(connection).await?;
        return Ok(vec![
            Finding::ok(Check::Credentials, findings::CREDENTIALS_FINE),
            Finding::ok(Check::KindOfApp, findings::KIND_OF_APP_FINE).naming("kind", kind),
        ]);
    };
    let told = other_kind(app, connection, kind, &error).await;
    let is_told = !told.is_empty();
    Ok(if is_told { told } else { vec![Finding::failed(app, Check::Credentials, &error)] })
}

/// WeChat's answers to the AppID of another kind of app.
const OTHER_KIND: [i64; 3] = [40013, 45063, 48001];

/// Whether an answer means that the AppID is that of another kind of app: WeChat does not take it for this call, but
/// issues an app token for it. Without a token, it is another check that says what is wrong.
async fn other_kind(app: &App, connection: &Connection, kind: &'static str, error: &Error) -> Vec<Finding> {
    if !error.errcode().is_some_and(|code| OTHER_KIND.contains(&code)) {
        return Vec::new();
    }
    let Ok(of) = app.mini_program_of(connection) else { return Vec::new() };
    if app.app_tokens.held(&of, budget(app)).await.is_err() {
        return Vec::new();
    }
    let finding = Finding::new(Check::KindOfApp, Severity::Error, findings::KIND_OF_APP_WRONG);
    vec![finding.naming("kind", kind).answered(error)]
}

/// Whether logins have brought UnionIDs. WeChat has no call that says so.
pub(crate) fn union_ids<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(async move {
        let has = async |kind| {
            let realm = sources::identity_key(connection, kind, "").realm;
            app.read(HasIdentities { pool: connection.pool.clone(), realm }).await
        };
        let finding = match (has(IdentityKind::Openid).await?, has(IdentityKind::Unionid).await?) {
            (false, _) => Finding::new(Check::UnionId, Severity::Note, findings::UNIONID_UNKNOWN),
            (true, false) => Finding::new(Check::UnionId, Severity::Warning, findings::UNIONID_MISSING),
            (true, true) => Finding::ok(Check::UnionId, findings::UNIONID_FINE),
        };
        Ok(vec![finding])
    })
}
