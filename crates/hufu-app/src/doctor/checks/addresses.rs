//! Addresses that WeChat or its users come to. Which of them are set at WeChat cannot be asked, so what to set is said; what
//! is served there can be looked at.

use std::net::IpAddr;

use hufu_types::Connection;
use hufu_wechat::crypto::message::url_signature;
use url::{Host, Url};

use super::Checking;
use crate::App;
use crate::doctor::finding::{Check, Finding, Severity};
use crate::sources::wechat::official_account::{ENCRYPTION, TOKEN};

/// The domains of a mini program: `https`, and a port only if it is set there too.
pub(crate) fn server_domains<'a>(app: &'a App, _: &'a Connection) -> Checking<'a> {
    Box::pin(std::future::ready(Ok(domains(&app.public_url, "server-domain-set", true))))
}

/// The callback domain of a website: a host alone.
pub(crate) fn website_domain<'a>(app: &'a App, _: &'a Connection) -> Checking<'a> {
    Box::pin(std::future::ready(Ok(domains(&app.public_url, "website-domain-set", false))))
}

/// The domain of web pages that an official account logs people in on: a host alone.
pub(crate) fn webpage_domain<'a>(app: &'a App, _: &'a Connection) -> Checking<'a> {
    Box::pin(std::future::ready(Ok(domains(&app.public_url, "webpage-domain-set", false))))
}

/// What stands in the way of a domain, or else what to set.
fn domains(public_url: &str, to_set: &'static str, is_for_mini_programs: bool) -> Vec<Finding> {
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
        return vec![finding(Severity::Warning, "domain-is-local").with("url", shown)];
    }
    let mut findings = Vec::new();
    if url.scheme() != "https" {
        let (severity, key) = if is_for_mini_programs {
            (Severity::Error, "domain-not-https")
        } else {
            (Severity::Warning, "domain-in-plain-text")
        };
        findings.push(finding(severity, key).with("url", shown));
    }
    if address.is_some() {
        findings.push(finding(Severity::Error, "domain-is-address").with("host", host.clone()));
    }
    if let Some(port) = url.port() {
        let severity = if is_for_mini_programs { Severity::Warning } else { Severity::Error };
        let finding = finding(severity, "domain-with-port").with("port", i64::from(port));
        findings.push(finding.with("origin", origin.clone()));
    }
    if !findings.iter().any(|finding| finding.severity == Severity::Error) {
        findings.push(finding(Severity::Note, to_set).with("origin", origin).with("host", host));
    }
    findings
}

/// Whether the file is served by which WeChat recognizes the owner of the domain.
pub(crate) fn verification_file<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(async move {
        const CHECK: Check = Check::VerificationFile;
        let Some(file) = &connection.extras.verification_file else {
            return Ok(vec![Finding::new(CHECK, Severity::Note, "verification-file-none")]);
        };
        let url = format!("{}/{}", app.public_url, file.name);
        let finding = |severity, key| Finding::new(CHECK, severity, key).with("url", url.clone());
        Ok(vec![match app.sender_context.http.get(&url, &[]).await {
            Ok(answer)
                if answer.is_success() && answer.body.trim_ascii() == file.content.trim().as_bytes() =>
            {
                finding(Severity::Ok, "verification-file-fine")
            }
            Ok(_) => finding(Severity::Error, "verification-file-other"),
            Err(error) => {
                finding(Severity::Warning, "address-unreachable").with("reason", hufu_types::chain(&error))
            }
        }])
    })
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
        let to_set = Finding::new(CHECK, Severity::Note, "message-url-set");
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
                finding(Severity::Ok, "message-url-fine")
            }
            Ok(answer) => {
                finding(Severity::Error, "message-url-other").with("status", i64::from(answer.status))
            }
            Err(error) => {
                finding(Severity::Warning, "address-unreachable").with("reason", hufu_types::chain(&error))
            }
        };
        Ok(vec![found, to_set])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wechat_takes_as_a_domain() {
        for (url, mini_program, website) in [
            ("https://id.example.com", vec!["set"], vec!["set"]),
            ("https://id.example.com:8443", vec!["domain-with-port", "set"], vec!["domain-with-port"]),
            ("http://id.example.com", vec!["domain-not-https"], vec!["domain-in-plain-text", "set"]),
            ("https://203.0.113.9", vec!["domain-is-address"], vec!["domain-is-address"]),
            (
                "http://[2001:db8::1]:81",
                vec!["domain-not-https", "domain-is-address", "domain-with-port"],
                vec!["domain-in-plain-text", "domain-is-address", "domain-with-port"],
            ),
            ("http://127.0.0.1:3000", vec!["domain-is-local"], vec!["domain-is-local"]),
            ("http://localhost", vec!["domain-is-local"], vec!["domain-is-local"]),
        ] {
            for (is_for_mini_programs, expected) in [(true, mini_program), (false, website)] {
                let found = domains(url, "set", is_for_mini_programs);
                let keys: Vec<_> = found.iter().map(|finding| finding.key).collect();
                assert_eq!(keys, expected, "{url}");
            }
        }
    }
}
