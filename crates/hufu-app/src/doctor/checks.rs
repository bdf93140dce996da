//! The checks, by capability. Each kind of connection lists those that it wants, in the order in which they are read.

use std::net::IpAddr;

use futures::future::BoxFuture;
use hufu_store::identities::HasIdentities;
use hufu_types::{Connection, IdentityKind};
use hufu_wechat::{Budget, CodeImage, Endpoint, EnvVersion, Error};
use url::{Host, Url};

use super::finding::{Check, Finding, Severity};
use crate::sources::wechat::credentials;
use crate::{App, Refusal, sources};

/// A check of a connection.
pub(crate) type ConnectionCheck =
    for<'a> fn(&'a App, &'a Connection) -> BoxFuture<'a, Result<Vec<Finding>, Refusal>>;

/// A code that WeChat never issues. It looks at the app before it looks at the code, so what it answers says whether it
/// accepts the app.
const NO_CODE: &str = "hufu-check";

/// How WeChat is asked whether it serves an app at all.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Probe {
    /// By fetching an app token.
    AppToken,
    /// By sending an impossible code, where the apps have no app tokens.
    SnsCode,
}

impl Probe {
    /// Asks WeChat.
    ///
    /// # Errors
    /// What WeChat has against the app.
    pub(crate) async fn ask(self, app: &App, connection: &Connection) -> Result<(), Error> {
        match self {
            Self::AppToken => {
                app.app_tokens.fetched(&credentials(connection), false, budget(app)).await.map(drop)
            }
            Self::SnsCode => {
                accepted(app.wechat.user_authorization(&credentials(connection), NO_CODE, budget(app)).await)
            }
        }
    }
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
pub(crate) fn connection<'a>(
    app: &'a App,
    connection: &'a Connection,
) -> BoxFuture<'a, Result<Vec<Finding>, Refusal>> {
    Box::pin(async move {
        let config = app.config();
        let mut findings = Vec::new();
        if !connection.enabled {
            findings.push(Finding::new(Check::Connection, Severity::Warning, "connection-off"));
        }
        let applications = config.of_pool(&connection.pool).map(|pool| pool.applications().to_vec());
        let users: Vec<_> = applications.into_iter().flatten().collect();
        let users = users.iter().filter(|a| a.enabled && a.connections.contains(&connection.id));
        let names: Vec<&str> = users.map(|application| application.name.as_str()).collect();
        findings.push(if names.is_empty() {
            Finding::new(Check::Connection, Severity::Warning, "connection-unused")
        } else {
            Finding::ok(Check::Connection, "connection-used").with("applications", names.join(", "))
        });
        if let Some(outage) = config.outage(connection) {
            let finding = Finding::new(Check::Connection, Severity::Error, "out-of-service");
            let finding = finding.with("since", outage.since.to_iso());
            findings.push(finding.answered_before(outage.errcode, outage.rid.as_deref()));
        }
        Ok(findings)
    })
}

/// AppID, AppSecret, the allow-list of addresses and the app token, all by fetching a token. What depends on the token is
/// checked only if there is one.
pub(crate) fn app_token<'a>(
    app: &'a App,
    connection: &'a Connection,
) -> BoxFuture<'a, Result<Vec<Finding>, Refusal>> {
    Box::pin(async move {
        let held = match app.app_tokens.fetched(&credentials(connection), false, budget(app)).await {
            Ok(held) => held,
            Err(error) => return Ok(vec![Finding::failed(app, Check::Credentials, &error)]),
        };
        // WeChat serves the app, so an outage is over.
        app.mark_available(connection).await?;
        let minutes = held.expires_at.since(app.now()).as_secs() / 60;
        Ok(vec![
            Finding::ok(Check::Credentials, "credentials-fine"),
            Finding::ok(Check::AppToken, "app-token-fine").with("minutes", minutes),
        ])
    })
}

/// Whether the AppID is that of a mini program.
pub(crate) fn is_mini_program<'a>(
    app: &'a App,
    connection: &'a Connection,
) -> BoxFuture<'a, Result<Vec<Finding>, Refusal>> {
    Box::pin(async move {
        const KIND: &str = "kind-mini-program";
        let outcome = app.wechat.code_to_session(&credentials(connection), NO_CODE, budget(app)).await;
        Ok(match accepted(outcome) {
            Ok(()) => vec![Finding::ok(Check::KindOfApp, "kind-of-app-fine").naming("kind", KIND)],
            Err(error) => other_kind(app, connection, KIND, &error).await,
        })
    })
}

/// AppID and AppSecret of an app of the Open Platform, and that it is one. There is no call that checks only the secret,
/// so an impossible code is sent.
pub(crate) fn sns_credentials<'a>(
    app: &'a App,
    connection: &'a Connection,
) -> BoxFuture<'a, Result<Vec<Finding>, Refusal>> {
    Box::pin(async move {
        const KIND: &str = "kind-mobile";
        let outcome = app.wechat.user_authorization(&credentials(connection), NO_CODE, budget(app)).await;
        match accepted(outcome) {
            Ok(()) => {
                app.mark_available(connection).await?;
                Ok(vec![
                    Finding::ok(Check::Credentials, "credentials-fine"),
                    Finding::ok(Check::KindOfApp, "kind-of-app-fine").naming("kind", KIND),
                ])
            }
            Err(error) => {
                let findings = other_kind(app, connection, KIND, &error).await;
                let is_told = !findings.is_empty();
                Ok(if is_told { findings } else { vec![Finding::failed(app, Check::Credentials, &error)] })
            }
        }
    })
}

/// WeChat's answers to the AppID of another kind of app.
const OTHER_KIND: [i64; 3] = [40013, 45063, 48001];

/// Whether an answer means that the AppID is that of another kind of app: WeChat does not take it for this call, but
/// issues an app token for it. Without a token, it is another check that says what is wrong.
async fn other_kind(app: &App, connection: &Connection, kind: &'static str, error: &Error) -> Vec<Finding> {
    if !error.errcode().is_some_and(|code| OTHER_KIND.contains(&code)) {
        return Vec::new();
    }
    if app.app_tokens.held(&credentials(connection), budget(app)).await.is_err() {
        return Vec::new();
    }
    let finding = Finding::new(Check::KindOfApp, Severity::Error, "kind-of-app-wrong");
    vec![finding.naming("kind", kind).answered(error)]
}

/// Whether the mini program may ask for phone numbers.
pub(crate) fn phone_numbers<'a>(
    app: &'a App,
    connection: &'a Connection,
) -> BoxFuture<'a, Result<Vec<Finding>, Refusal>> {
    Box::pin(async move {
        let outcome = app.wechat.phone_number(&credentials(connection), NO_CODE, None, budget(app)).await;
        Ok(match accepted(outcome) {
            Ok(()) => vec![Finding::ok(Check::Phone, "phone-fine")],
            Err(error) if error.errcode() == Some(48001) => {
                let finding = Finding::new(Check::Phone, Severity::Warning, "phone-not-permitted");
                vec![finding.answered(&error)]
            }
            // There is no token, which another check says.
            Err(error) if error.endpoint() != Endpoint::PhoneNumber => Vec::new(),
            Err(error) => vec![Finding::failed(app, Check::Phone, &error)],
        })
    })
}

/// Whether the mini program is published, by drawing a code of its first page.
pub(crate) fn published<'a>(
    app: &'a App,
    connection: &'a Connection,
) -> BoxFuture<'a, Result<Vec<Finding>, Refusal>> {
    Box::pin(async move {
        let (scene, page, env_version) = (NO_CODE, None, EnvVersion::Release);
        let code = CodeImage { scene, page, env_version, width: SMALLEST_CODE };
        Ok(match app.wechat.code_image(&credentials(connection), &code, budget(app)).await {
            Ok(_) => vec![Finding::ok(Check::Published, "published-fine")],
            Err(error) if error.errcode().is_some_and(|code| UNPUBLISHED.contains(&code)) => {
                let finding = Finding::new(Check::Published, Severity::Warning, "published-not");
                vec![finding.answered(&error)]
            }
            // There is no token, which another check says.
            Err(error) if error.endpoint() != Endpoint::CodeImage => Vec::new(),
            Err(error) => {
                vec![Finding::failed(app, Check::Published, &error).at_most(Severity::Warning)]
            }
        })
    })
}

/// WeChat's answers about a mini program without a published version.
const UNPUBLISHED: [i64; 2] = [41030, 85079];
/// The width of the smallest code, in pixels.
const SMALLEST_CODE: u32 = 280;

/// Whether logins have brought UnionIDs. WeChat has no call that says so.
pub(crate) fn union_ids<'a>(
    app: &'a App,
    connection: &'a Connection,
) -> BoxFuture<'a, Result<Vec<Finding>, Refusal>> {
    Box::pin(async move {
        let has = async |kind| {
            let realm = sources::identity_key(connection, kind, "").realm;
            app.read(HasIdentities { pool: connection.pool.clone(), realm }).await
        };
        let finding = match (has(IdentityKind::Openid).await?, has(IdentityKind::Unionid).await?) {
            (false, _) => Finding::new(Check::UnionId, Severity::Note, "unionid-unknown"),
            (true, false) => Finding::new(Check::UnionId, Severity::Warning, "unionid-missing"),
            (true, true) => Finding::ok(Check::UnionId, "unionid-fine"),
        };
        Ok(vec![finding])
    })
}

/// The domains of a mini program, which WeChat cannot be asked for.
pub(crate) fn server_domains<'a>(
    app: &'a App,
    _: &'a Connection,
) -> BoxFuture<'a, Result<Vec<Finding>, Refusal>> {
    Box::pin(std::future::ready(Ok(domains(&app.public_url))))
}

fn domains(public_url: &str) -> Vec<Finding> {
    let Ok(url) = Url::parse(public_url) else { return Vec::new() };
    let (shown, origin) = (public_url.to_owned(), url.origin().ascii_serialization());
    let finding = |severity, key| Finding::new(Check::Domains, severity, key);
    let address: Option<IpAddr> = match url.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        _ => None,
    };
    let is_local_name =
        matches!(url.host(), Some(Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost"));
    if is_local_name || address.is_some_and(|address| address.is_loopback()) {
        return vec![finding(Severity::Warning, "domain-is-local").with("url", shown)];
    }
    let mut findings = Vec::new();
    if url.scheme() != "https" {
        findings.push(finding(Severity::Error, "domain-not-https").with("url", shown));
    }
    if address.is_some() {
        let host = url.host_str().unwrap_or_default().to_owned();
        findings.push(finding(Severity::Error, "domain-is-address").with("host", host));
    }
    if let Some(port) = url.port() {
        let finding = finding(Severity::Warning, "domain-with-port").with("port", i64::from(port));
        findings.push(finding.with("origin", origin.clone()));
    }
    if !findings.iter().any(|finding| finding.severity == Severity::Error) {
        findings.push(finding(Severity::Note, "server-domain-set").with("origin", origin));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wechat_takes_as_a_domain() {
        for (url, expected) in [
            ("https://id.example.com", vec!["server-domain-set"]),
            ("https://id.example.com:8443", vec!["domain-with-port", "server-domain-set"]),
            ("http://id.example.com", vec!["domain-not-https"]),
            ("https://203.0.113.9", vec!["domain-is-address"]),
            ("http://[2001:db8::1]:81", vec!["domain-not-https", "domain-is-address", "domain-with-port"]),
            ("http://127.0.0.1:3000", vec!["domain-is-local"]),
            ("http://localhost", vec!["domain-is-local"]),
        ] {
            let keys: Vec<_> = domains(url).iter().map(|finding| finding.key).collect();
            assert_eq!(keys, expected, "{url}");
        }
    }
}
