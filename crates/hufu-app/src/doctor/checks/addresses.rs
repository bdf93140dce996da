//! Addresses that WeChat or its users come to. Which of them are set at WeChat cannot be asked, so what to set is said; what
//! is served there can be looked at.

use std::net::IpAddr;

use hufu_types::Connection;
use hufu_types::doctor::{FindingKey, findings};
use hufu_wechat::crypto::message::url_signature;
use url::{Host, Url};

use super::Checking;
use crate::doctor::finding::{Check, Finding, Severity};
use crate::sources::wechat::official_account::{ENCRYPTION, TOKEN};
use crate::sources::{self, Start};
use crate::{App, Refusal};

/// The domains of a mini program: those of its requests, and that of the web-views in which login pages open.
pub(crate) fn mini_program_domains<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    let to_set: &[(FindingKey, Domain)] = match has_web_views(connection) {
        None => &[REQUESTS],
        Some(false) if connection.extras.verification_file.is_none() => &[REQUESTS, PERHAPS_WEB_VIEWS],
        Some(_) => &[REQUESTS, WEB_VIEWS],
    };
    Box::pin(std::future::ready(Ok(domains(&app.public_url, to_set))))
}

/// Whether login pages lead back to the mini program in whose web-view they are. `None` of kinds that have no such pages.
fn has_web_views(connection: &Connection) -> Option<bool> {
    match &sources::kind(connection.kind).start {
        Start::Code { from_web_view: Some(way), .. } => Some((way.is_there)(connection)),
        _ => None,
    }
}

/// The callback domain of a website: a host alone.
pub(crate) fn website_domain<'a>(app: &'a App, _: &'a Connection) -> Checking<'a> {
    let to_set = [(findings::WEBSITE_DOMAIN_SET, Domain::Browser)];
    Box::pin(std::future::ready(Ok(domains(&app.public_url, &to_set))))
}

/// The domain of web pages that an official account logs people in on: a host alone.
pub(crate) fn webpage_domain<'a>(app: &'a App, _: &'a Connection) -> Checking<'a> {
    let to_set = [(findings::WEBPAGE_DOMAIN_SET, Domain::Browser)];
    Box::pin(std::future::ready(Ok(domains(&app.public_url, &to_set))))
}

/// What a domain is for, which decides what WeChat takes as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Domain {
    /// Requests of a mini program: https, and a port only if it is set there too.
    Requests,
    /// Pages in a web-view of a mini program: https and no port, since WeChat looks for the file at the host alone.
    WebViews,
    /// The same, where only the mini program knows whether there are such pages.
    PerhapsWebViews,
    /// Pages in a browser: a host alone.
    Browser,
}

const REQUESTS: (FindingKey, Domain) = (findings::SERVER_DOMAIN_SET, Domain::Requests);
const WEB_VIEWS: (FindingKey, Domain) = (findings::BUSINESS_DOMAIN_SET, Domain::WebViews);
const PERHAPS_WEB_VIEWS: (FindingKey, Domain) = (findings::BUSINESS_DOMAIN_OPTIONAL, Domain::PerhapsWebViews);

impl Domain {
    fn without_https(self) -> Severity {
        if self == Self::Browser { Severity::Warning } else { Severity::Error }
    }

    fn with_port(self) -> Severity {
        if matches!(self, Self::Requests | Self::PerhapsWebViews) {
            Severity::Warning
        } else {
            Severity::Error
        }
    }
}

/// What stands in the way of these domains, and what to set of those that nothing stands in the way of.
fn domains(public_url: &str, to_set: &[(FindingKey, Domain)]) -> Vec<Finding> {
    let Ok(url) = Url::parse(public_url) else { return Vec::new() };
    let (shown, origin) = (public_url.to_owned(), url.origin().ascii_serialization());
    let host = url.host_str().unwrap_or_default().to_owned();
    let finding = |severity, key| Finding::new(Check::Domains, severity, key);
    let address: Option<IpAddr> = match url.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        _ => None,
    };
    let is_local_name =
        matches!(url.host(), Some(Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost"));
    if is_local_name || address.is_some_and(|address| address.is_loopback()) {
        return vec![finding(Severity::Warning, findings::DOMAIN_IS_LOCAL).with("url", shown)];
    }
    // As bad as it is for one of them.
    let worst = |severity: fn(Domain) -> Severity| {
        to_set.iter().map(|(_, domain)| severity(*domain)).max().unwrap_or(Severity::Ok)
    };
    let (is_https, port) = (url.scheme() == "https", url.port());
    let mut found = Vec::new();
    if !is_https {
        let severity = worst(Domain::without_https);
        let key = match severity {
            Severity::Error => findings::DOMAIN_NOT_HTTPS,
            _ => findings::DOMAIN_IN_PLAIN_TEXT,
        };
        found.push(finding(severity, key).with("url", shown));
    }
    if address.is_some() {
        found.push(finding(Severity::Error, findings::DOMAIN_IS_ADDRESS).with("host", host.clone()));
    }
    if let Some(port) = port {
        let finding = finding(worst(Domain::with_port), findings::DOMAIN_WITH_PORT);
        found.push(finding.with("port", i64::from(port)).with("origin", origin.clone()));
    }
    for (key, domain) in to_set {
        let is_refused = address.is_some()
            || (!is_https && domain.without_https() == Severity::Error)
            || (port.is_some() && domain.with_port() == Severity::Error)
            // Of no use to say, where the pages could not be shown.
            || (port.is_some() && *domain == Domain::PerhapsWebViews);
        if !is_refused {
            let finding = finding(Severity::Note, *key);
            found.push(finding.with("origin", origin.clone()).with("host", host.clone()));
        }
    }
    found
}

/// Whether the file is served by which WeChat recognizes the owner of the domain of web pages.
pub(crate) fn webpage_domain_file<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(verification_file(app, connection, "menu-webpage-domain"))
}

/// Whether the file is served by which WeChat recognizes the owner of the business domain of a mini program. Without pages
/// in web-views there need not be one.
pub(crate) fn business_domain_file<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    let is_needed = has_web_views(connection) == Some(true);
    if !is_needed && connection.extras.verification_file.is_none() {
        return Box::pin(std::future::ready(Ok(Vec::new())));
    }
    Box::pin(verification_file(app, connection, "menu-business-domain"))
}

/// Asks for the file as WeChat does: at the root of the host, without following a redirect.
async fn verification_file(
    app: &App,
    connection: &Connection,
    menu: &'static str,
) -> Result<Vec<Finding>, Refusal> {
    let url = Url::parse(&app.public_url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
    let finding = |severity, key| {
        let finding = Finding::new(Check::VerificationFile, severity, key);
        finding.with("host", host.clone()).naming("menu", menu)
    };
    let Some(file) = &connection.extras.verification_file else {
        return Ok(vec![finding(Severity::Note, findings::VERIFICATION_FILE_NONE)]);
    };
    // Also where `public_url` has a path.
    let root = url.as_ref().map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let url = format!("{root}/{}", file.name);
    let found = match app.sender_context.http.get(&url, &[]).await {
        Ok(answer) if answer.is_success() && answer.body.trim_ascii() == file.content.trim().as_bytes() => {
            finding(Severity::Ok, findings::VERIFICATION_FILE_FINE)
        }
        Ok(answer) => finding(Severity::Error, findings::VERIFICATION_FILE_OTHER)
            .with("status", i64::from(answer.status)),
        Err(error) => finding(Severity::Warning, findings::ADDRESS_UNREACHABLE)
            .with("reason", hufu_types::chain(&error)),
    };
    Ok(vec![found.with("url", url)])
}

/// Whether the address for the messages of an official account answers as WeChat demands when it is entered there.
pub(crate) fn message_url<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(async move {
        const CHECK: Check = Check::Messages;
        let url = format!(
            "{}/connections/social/{}/{}/events",
            app.public_url, connection.identifier, connection.pool
        );
        let mode = match connection.settings.text(ENCRYPTION) {
            Some("plain") => "mode-plain",
            Some("compatible") => "mode-compatible",
            _ => "mode-safe",
        };
        let to_set = Finding::new(CHECK, Severity::Note, findings::MESSAGE_URL_SET);
        let to_set = to_set.with("url", url.clone()).naming("mode", mode);

        let token = connection.settings.text(TOKEN).unwrap_or_default();
        let mut digits = [0; 8];
        app.random.fill(&mut digits);
        let (nonce, timestamp) = (u64::from_be_bytes(digits).to_string(), app.now().seconds().to_string());
        let signature = url_signature(token, &timestamp, &nonce);
        let asked =
            format!("{url}?signature={signature}&timestamp={timestamp}&nonce={nonce}&echostr={nonce}");
        let finding = |severity, key| Finding::new(CHECK, severity, key).with("url", url.clone());
        let found = match app.sender_context.http.get(&asked, &[]).await {
            Ok(answer) if answer.is_success() && answer.body == nonce.as_bytes() => {
                finding(Severity::Ok, findings::MESSAGE_URL_FINE)
            }
            Ok(answer) => {
                finding(Severity::Error, findings::MESSAGE_URL_OTHER).with("status", i64::from(answer.status))
            }
            Err(error) => finding(Severity::Warning, findings::ADDRESS_UNREACHABLE)
                .with("reason", hufu_types::chain(&error)),
        };
        Ok(vec![found, to_set])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wechat_takes_as_a_domain() {
        const WEBSITE: &[(FindingKey, Domain)] = &[(findings::WEBSITE_DOMAIN_SET, Domain::Browser)];
        const PLAIN: &[(FindingKey, Domain)] = &[REQUESTS];
        const WITH_WEB_VIEWS: &[(FindingKey, Domain)] = &[REQUESTS, WEB_VIEWS];
        const PERHAPS: &[(FindingKey, Domain)] = &[REQUESTS, PERHAPS_WEB_VIEWS];
        for (url, to_set, expected) in [
            ("https://id.example.com", PLAIN, "note server-domain-set"),
            ("https://id.example.com", WEBSITE, "note website-domain-set"),
            ("https://id.example.com", WITH_WEB_VIEWS, "note server-domain-set, note business-domain-set"),
            ("https://id.example.com", PERHAPS, "note server-domain-set, note business-domain-optional"),
            ("https://id.example.com:8443", PLAIN, "warning domain-with-port, note server-domain-set"),
            ("https://id.example.com:8443", WEBSITE, "error domain-with-port"),
            ("https://id.example.com:8443", WITH_WEB_VIEWS, "error domain-with-port, note server-domain-set"),
            ("https://id.example.com:8443", PERHAPS, "warning domain-with-port, note server-domain-set"),
            ("http://id.example.com", PLAIN, "error domain-not-https"),
            ("http://id.example.com", WEBSITE, "warning domain-in-plain-text, note website-domain-set"),
            ("http://id.example.com", WITH_WEB_VIEWS, "error domain-not-https"),
            ("http://id.example.com", PERHAPS, "error domain-not-https"),
            ("https://203.0.113.9", WITH_WEB_VIEWS, "error domain-is-address"),
            ("https://203.0.113.9", WEBSITE, "error domain-is-address"),
            (
                "http://[2001:db8::1]:81",
                PLAIN,
                "error domain-not-https, error domain-is-address, warning domain-with-port",
            ),
            (
                "http://[2001:db8::1]:81",
                WEBSITE,
                "warning domain-in-plain-text, error domain-is-address, error domain-with-port",
            ),
            ("http://127.0.0.1:3000", WITH_WEB_VIEWS, "warning domain-is-local"),
            ("http://localhost", WEBSITE, "warning domain-is-local"),
        ] {
            let found = domains(url, to_set);
            let found: Vec<_> = found
                .iter()
                .map(|finding| format!("{} {}", finding.severity.as_str(), finding.key))
                .collect();
            assert_eq!(found.join(", "), expected, "{url} {to_set:?}");
        }
    }
}
