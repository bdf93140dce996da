//! The configuration: a TOML file, each key overridable in the environment.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_app::{DefaultMiniProgram, KeySource, Limits};
use hufu_store::DatabaseUrl;
use hufu_types::Clock;
use hufu_web::{AcmeSettings, Certificates, ExternalAccount};
use ipnet::IpNet;
use secrecy::{SecretSlice, SecretString};
use serde::Deserialize;
use url::{Host, Url};

/// The configuration file. Every key is optional.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<String>,
    http_listen: Option<String>,
    public_url: Option<String>,
    database_url: Option<String>,
    encryption_key: Option<String>,
    encryption_key_file: Option<String>,
    metrics_listen: Option<String>,
    log: Option<String>,
    trusted_proxies: Option<Vec<String>>,
    outgoing_private: Option<Vec<String>>,
    tls: Option<TlsTable>,
    #[serde(default)]
    administration: AdministrationTable,
    #[serde(default)]
    wechat: Wechat,
    #[serde(default)]
    limits: Limits,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct AdministrationTable {
    sign_up: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct TlsTable {
    cert_file: Option<String>,
    key_file: Option<String>,
    acme: Option<AcmeTable>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct AcmeTable {
    directory: Option<String>,
    contact: Option<String>,
    terms_agreed: Option<bool>,
    cache: Option<String>,
    eab_kid: Option<String>,
    eab_hmac_key: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Wechat {
    api_base: Option<String>,
    open_base: Option<String>,
    mp_base: Option<String>,
    default_mini_program: Option<MiniProgramTable>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct MiniProgramTable {
    app_id: Option<String>,
    app_secret: Option<String>,
    original_id: Option<String>,
}

/// The effective configuration.
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// Where plain HTTP is answered beside TLS. Absent if it is not.
    pub(crate) http_listen: Option<SocketAddr>,
    pub(crate) public_url: String,
    pub(crate) database: DatabaseUrl,
    pub(crate) key: KeySource,
    /// Where metrics are served. Absent if they are not served.
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) log: Log,
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// The private networks that webhooks, mail servers and SMS providers may use.
    pub(crate) outgoing_private: Vec<IpNet>,
    /// The certificate. Without one the server speaks HTTP.
    pub(crate) tls: Option<Tls>,
    /// Whether anybody may register as an administrator of a pool of their own.
    pub(crate) sign_up: bool,
    pub(crate) wechat: hufu_wechat::Endpoints,
    /// The instance's own mini program.
    pub(crate) default_mini_program: Option<DefaultMiniProgram>,
    pub(crate) limits: Limits,
}

/// Where the certificate comes from.
pub(crate) enum Tls {
    /// From two files.
    Files { certificate: PathBuf, key: PathBuf },
    /// From a certificate authority.
    Acme(AcmeSettings),
}

/// The log filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Log(pub(crate) String);

impl Config {
    /// Reads the file, if there is one, and the environment, which takes precedence.
    pub(crate) fn read(
        path: Option<&Path>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        let mut mistakes = Mistakes::default();
        let file = match path {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
                parse(&text, path, &mut mistakes)
            }
            None => File::default(),
        };
        Self::merge(file, environment, mistakes)
    }

    fn merge(
        file: File,
        environment: impl Fn(&str) -> Option<String>,
        mut mistakes: Mistakes,
    ) -> anyhow::Result<Self> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let either = |name: &str, value: Option<String>| set(name).or(value);

        let listen = either("HUFU_LISTEN", file.listen).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
        let http_listen = either("HUFU_HTTP_LISTEN", file.http_listen).filter(|value| value != "off");
        let (tls, wants_tls) = tls(file.tls, http_listen.is_some(), &set, &mut mistakes);
        let scheme = if wants_tls { "https" } else { "http" };
        let public_url =
            either("HUFU_PUBLIC_URL", file.public_url).unwrap_or_else(|| format!("{scheme}://{listen}"));
        let listen = mistakes.unless(address("listen", &listen));
        // Without a valid address there is no valid default either, and one mistake is enough.
        let public_url = listen.and_then(|_| mistakes.unless(http_url("public_url", &public_url)));
        if wants_tls && public_url.as_ref().is_some_and(|url| url.scheme() != "https") {
            mistakes.add("public_url must begin with https://, because [tls] is set".to_owned());
        }
        let is_name = public_url.as_ref().is_some_and(|url| matches!(url.host(), Some(Host::Domain(_))));
        if matches!(tls, Some(Tls::Acme(_))) && public_url.is_some() && !is_name {
            mistakes.add("public_url must have a domain, for which tls.acme orders a certificate".to_owned());
        }
        if http_listen.is_some() && !wants_tls {
            mistakes.add("http_listen leads to https and needs [tls]".to_owned());
        }
        let http_listen = http_listen.and_then(|text| mistakes.unless(address("http_listen", &text)));
        let database =
            either("HUFU_DATABASE_URL", file.database_url).unwrap_or_else(|| "sqlite://hufu.db".to_owned());
        let database = mistakes.unless(database.parse::<DatabaseUrl>().context("database_url"));
        let key = match (either("HUFU_ENCRYPTION_KEY", file.encryption_key), set("HUFU_ENCRYPTION_KEY_FILE"))
        {
            (Some(key), None) => KeySource::Given(SecretString::from(key)),
            (_, Some(path)) => KeySource::File(path.into()),
            (None, None) => KeySource::File(PathBuf::from(
                file.encryption_key_file.unwrap_or_else(|| "hufu.key".to_owned()),
            )),
        };
        let metrics = either("HUFU_METRICS_LISTEN", file.metrics_listen).filter(|value| value != "off");
        let metrics_listen = metrics.and_then(|text| mistakes.unless(address("metrics_listen", &text)));
        let mut networks = |name: &str, key: &str, written: Option<Vec<String>>| {
            let written = match set(name) {
                Some(list) => list.split(',').map(|item| item.trim().to_owned()).collect(),
                None => written.unwrap_or_default(),
            };
            written.iter().filter_map(|text| mistakes.unless(network(key, text))).collect::<Vec<IpNet>>()
        };
        let trusted_proxies = networks("HUFU_TRUSTED_PROXIES", "trusted_proxies", file.trusted_proxies);
        let outgoing_private = networks("HUFU_OUTGOING_PRIVATE", "outgoing_private", file.outgoing_private);
        let sign_up = match set("HUFU_ADMINISTRATION_SIGN_UP") {
            Some(text) => mistakes.unless(switch("HUFU_ADMINISTRATION_SIGN_UP", &text)),
            None => file.administration.sign_up,
        };
        let real = hufu_wechat::Endpoints::default();
        let mut base = |name: &str, key: &str, value: Option<String>, default: Url| match either(name, value)
        {
            Some(text) => mistakes.unless(http_url(key, &text)).unwrap_or(default),
            None => default,
        };
        let wechat = hufu_wechat::Endpoints {
            api: base("HUFU_WECHAT_API_BASE", "wechat.api_base", file.wechat.api_base, real.api),
            open: base("HUFU_WECHAT_OPEN_BASE", "wechat.open_base", file.wechat.open_base, real.open),
            mp: base("HUFU_WECHAT_MP_BASE", "wechat.mp_base", file.wechat.mp_base, real.mp),
        };
        let default_mini_program = mini_program(file.wechat.default_mini_program, &set, &mut mistakes);
        let limits = limits(file.limits, &set, &mut mistakes);
        mistakes.none()?;
        Ok(Self {
            listen: listen.context("listen")?,
            http_listen,
            public_url: public_url.context("public_url")?.as_str().trim_end_matches('/').to_owned(),
            database: database.context("database_url")?,
            key,
            metrics_listen,
            log: Log(either("HUFU_LOG", file.log).unwrap_or_else(|| "info".to_owned())),
            trusted_proxies,
            outgoing_private,
            tls,
            sign_up: sign_up.unwrap_or_default(),
            wechat,
            default_mini_program,
            limits,
        })
    }
}

impl Tls {
    /// Reads the certificate and its key for the host of a URL, if they are there to be read.
    pub(crate) fn open(self, public_url: &str, clock: Arc<dyn Clock>) -> anyhow::Result<Certificates> {
        let url: Url = public_url.parse().context("public_url")?;
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let opened = match self {
            Self::Files { certificate, key } => Certificates::read(certificate, key, host, clock),
            Self::Acme(settings) => Certificates::ordered(settings, host, clock),
        };
        opened.or_else(|errors| {
            let mut mistakes = Mistakes::default();
            for error in errors {
                mistakes.add(format!("{:#}", anyhow::Error::new(error)));
            }
            mistakes.none()?;
            bail!("the certificate cannot be read")
        })
    }
}

/// What is wrong with the configuration. All of it is reported at once.
#[derive(Default)]
struct Mistakes(Vec<String>);

impl Mistakes {
    /// The value, unless it is a mistake.
    fn unless<T>(&mut self, value: anyhow::Result<T>) -> Option<T> {
        value.map_err(|error| self.0.push(format!("{error:#}"))).ok()
    }

    fn add(&mut self, mistake: String) {
        self.0.push(mistake);
    }

    fn none(self) -> anyhow::Result<()> {
        match self.0.as_slice() {
            [] => Ok(()),
            [one] => bail!("{one}"),
            several => bail!("{} mistakes in the configuration:\n  {}", several.len(), several.join("\n  ")),
        }
    }
}

/// Where the certificate comes from, by the file and the environment, and whether there is to be one. The first is None
/// without `[tls]`, and if that is a mistake.
fn tls(
    table: Option<TlsTable>,
    http: bool,
    set: &impl Fn(&str) -> Option<String>,
    mistakes: &mut Mistakes,
) -> (Option<Tls>, bool) {
    let is_table = table.is_some();
    let TlsTable { cert_file, key_file, acme } = table.unwrap_or_default();
    let (certificate, key) = (set("HUFU_TLS_CERT_FILE").or(cert_file), set("HUFU_TLS_KEY_FILE").or(key_file));
    let acme = acme_table(acme, set, mistakes);
    if !is_table && certificate.is_none() && key.is_none() && acme.is_none() {
        return (None, false);
    }
    let tls = match (acme, certificate, key) {
        (Some(acme), None, None) => acme_settings(acme, http, mistakes).map(Tls::Acme),
        (Some(_), _, _) => {
            mistakes.add("[tls] has either cert_file and key_file or acme, not both".to_owned());
            None
        }
        (None, Some(certificate), Some(key)) => {
            Some(Tls::Files { certificate: certificate.into(), key: key.into() })
        }
        (None, certificate, key) => {
            for (name, value) in [("tls.cert_file", &certificate), ("tls.key_file", &key)] {
                if value.is_none() {
                    mistakes.add(format!("{name} is missing; [tls] needs cert_file and key_file, or acme"));
                }
            }
            None
        }
    };
    (tls, true)
}

/// `tls.acme`, from the file and the environment.
fn acme_table(
    table: Option<AcmeTable>,
    set: &impl Fn(&str) -> Option<String>,
    mistakes: &mut Mistakes,
) -> Option<AcmeTable> {
    let agreed = set("HUFU_TLS_ACME_TERMS_AGREED")
        .and_then(|text| mistakes.unless(switch("HUFU_TLS_ACME_TERMS_AGREED", &text)));
    let in_environment = AcmeTable {
        directory: set("HUFU_TLS_ACME_DIRECTORY"),
        contact: set("HUFU_TLS_ACME_CONTACT"),
        terms_agreed: agreed,
        cache: set("HUFU_TLS_ACME_CACHE"),
        eab_kid: set("HUFU_TLS_ACME_EAB_KID"),
        eab_hmac_key: set("HUFU_TLS_ACME_EAB_HMAC_KEY"),
    };
    let AcmeTable { directory, contact, terms_agreed, cache, eab_kid, eab_hmac_key } = &in_environment;
    let texts = [directory, contact, cache, eab_kid, eab_hmac_key];
    if table.is_none() && terms_agreed.is_none() && texts.into_iter().all(Option::is_none) {
        return None;
    }
    let table = table.unwrap_or_default();
    Some(AcmeTable {
        directory: in_environment.directory.or(table.directory),
        contact: in_environment.contact.or(table.contact),
        terms_agreed: in_environment.terms_agreed.or(table.terms_agreed),
        cache: in_environment.cache.or(table.cache),
        eab_kid: in_environment.eab_kid.or(table.eab_kid),
        eab_hmac_key: in_environment.eab_hmac_key.or(table.eab_hmac_key),
    })
}

/// What `tls.acme` says, if all of it can be used.
fn acme_settings(table: AcmeTable, http: bool, mistakes: &mut Mistakes) -> Option<AcmeSettings> {
    let AcmeTable { directory, contact, terms_agreed, cache, eab_kid, eab_hmac_key } = table;
    let directory =
        directory.context("tls.acme.directory is missing: the URL of a certificate authority's directory");
    let directory = mistakes.unless(directory.and_then(|text| https_url("tls.acme.directory", &text)));
    let contact = contact.context("tls.acme.contact is missing: whom the certificate authority may write to");
    let contact = mistakes.unless(contact.and_then(|text| mailto("tls.acme.contact", text)));
    if terms_agreed != Some(true) {
        mistakes.add(
            "tls.acme.terms_agreed must be true: an order needs your agreement to the terms of the certificate authority"
                .to_owned(),
        );
    }
    let external_account = match (eab_kid, eab_hmac_key) {
        (None, None) => Some(None),
        (Some(key_id), Some(key)) => {
            let bytes =
                URL_SAFE_NO_PAD.decode(key.trim_end_matches('=')).ok().filter(|bytes| !bytes.is_empty());
            let key = bytes.context("tls.acme.eab_hmac_key is not base64url, in which authorities give it");
            let key = mistakes.unless(key);
            key.map(|key| Some(ExternalAccount { key_id, mac_key: SecretSlice::from(key) }))
        }
        _ => {
            mistakes.add("tls.acme.eab_kid and tls.acme.eab_hmac_key belong together".to_owned());
            None
        }
    };
    let cache = PathBuf::from(cache.unwrap_or_else(|| "acme".to_owned()));
    Some(AcmeSettings {
        directory: directory?,
        contact: contact?,
        cache,
        external_account: external_account?,
        http,
    })
}

/// `wechat.default_mini_program`, from the file and the environment. All of it or nothing.
fn mini_program(
    table: Option<MiniProgramTable>,
    set: &impl Fn(&str) -> Option<String>,
    mistakes: &mut Mistakes,
) -> Option<DefaultMiniProgram> {
    let is_table = table.is_some();
    let MiniProgramTable { app_id, app_secret, original_id } = table.unwrap_or_default();
    let values = [
        ("app_id", set("HUFU_WECHAT_DEFAULT_MINI_PROGRAM_APP_ID").or(app_id)),
        ("app_secret", set("HUFU_WECHAT_DEFAULT_MINI_PROGRAM_APP_SECRET").or(app_secret)),
        ("original_id", set("HUFU_WECHAT_DEFAULT_MINI_PROGRAM_ORIGINAL_ID").or(original_id)),
    ];
    if !is_table && values.iter().all(|(_, value)| value.is_none()) {
        return None;
    }
    let mut given = Vec::new();
    for (key, value) in values {
        match value {
            Some(value) => given.push(value),
            None => mistakes.add(format!("wechat.default_mini_program.{key} is missing")),
        }
    }
    let [app_id, app_secret, original_id] = <[String; 3]>::try_from(given).ok()?;
    let made = DefaultMiniProgram::new(app_id, app_secret.into(), original_id);
    mistakes.unless(made.map_err(|(key, rule)| anyhow::anyhow!("wechat.default_mini_program.{key}: {rule}")))
}

/// An https URL, as it is written.
fn https_url(key: &str, text: &str) -> anyhow::Result<String> {
    let url: Option<Url> =
        text.parse().ok().filter(|url: &Url| url.scheme() == "https" && url.fragment().is_none());
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    url.with_context(|| format!("{key} must be an https URL"))?;
    Ok(text.to_owned())
}

/// A `mailto:` URL with one address and nothing else (RFC 8555 section 7.3).
fn mailto(key: &str, text: String) -> anyhow::Result<String> {
    let address = text.strip_prefix("mailto:").and_then(|address| address.split_once('@'));
    let is_one = address.is_some_and(|(name, host)| {
        let is_plain = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_graphic() && !matches!(c, ',' | '?' | '@' | '<' | '>'))
        };
        is_plain(name) && is_plain(host)
    });
    if is_one { Ok(text) } else { bail!("{key} must be an address such as mailto:ops@example.com") }
}

/// Limits from the file and from the environment (`HUFU_LIMITS_UPLOAD_BYTES`). The environment takes
/// precedence.
fn limits(mut limits: Limits, set: &impl Fn(&str) -> Option<String>, mistakes: &mut Mistakes) -> Limits {
    for name in Limits::NAMES {
        let variable = format!("HUFU_LIMITS_{}", name.to_uppercase());
        if let Some(value) = set(&variable) {
            let read = limits.set(name, &value).map_err(|reason| anyhow::anyhow!("{variable}: {reason}"));
            mistakes.unless(read);
        }
    }
    limits
}

/// Parses the file. TOML's own message quotes the line, which may contain a key, so only the position and the
/// reason are reported.
///
/// The parser stops at the first key that it does not know or cannot read. That key's lines are blanked out
/// for another attempt, until the rest can be read.
fn parse(text: &str, path: &Path, mistakes: &mut Mistakes) -> File {
    let mut text = text.to_owned();
    let mut found: Vec<(usize, usize, String)> = Vec::new();
    let file = loop {
        let error = match toml::from_str(&text) {
            Ok(file) => break file,
            Err(error) => error,
        };
        let span = error.span();
        let before = span.as_ref().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let (line, column) = (
            before.matches('\n').count() + 1,
            before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1,
        );
        found.push((line, column, error.message().to_owned()));
        match span.and_then(|span| without_lines_of(&text, &span)) {
            Some(rest) => text = rest,
            None => break File::default(),
        }
    };
    // The parser does not keep the order of the file.
    found.sort_unstable();
    let told = found.iter().map(|(line, column, why)| format!("{}:{line}:{column}: {why}", path.display()));
    mistakes.0.extend(told);
    file
}

/// The text with the lines of a span blanked out, and those after them that belong to the same value. None if
/// it is the line of a table, without which the rest would mean something else.
fn without_lines_of(text: &str, span: &Range<usize>) -> Option<String> {
    let start = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let is_table = |line: &str| line.trim_start().starts_with('[');
    let mut end = span.end.max(start);
    loop {
        let rest = text.get(end..)?;
        let line_end = rest.find('\n').map_or(text.len(), |at| end + at);
        let lines = text.get(start..line_end)?;
        if lines.trim().is_empty() || lines.lines().any(is_table) {
            return None;
        }
        let blank = "\n".repeat(lines.matches('\n').count());
        let left = format!("{}{blank}{}", text.get(..start)?, text.get(line_end..)?);
        if toml::from_str::<toml::Table>(&left).is_ok() {
            return Some(left);
        }
        if line_end == text.len() {
            return None;
        }
        end = line_end + 1;
    }
}

fn switch(key: &str, text: &str) -> anyhow::Result<bool> {
    text.parse().ok().with_context(|| format!("{key} must be true or false"))
}

fn address(key: &str, text: &str) -> anyhow::Result<SocketAddr> {
    text.parse().with_context(|| format!("{key} is not an address and port such as 127.0.0.1:3000: {text}"))
}

fn network(key: &str, text: &str) -> anyhow::Result<IpNet> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .ok()
        .with_context(|| format!("{key}: {text} is not an address or network such as 10.0.0.0/8"))
}

fn http_url(key: &str, text: &str) -> anyhow::Result<Url> {
    let url: Url = text.parse().with_context(|| format!("{key} is not a URL such as https://example.com"))?;
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
        bail!("{key} must be an http or https URL without query and fragment");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read(text: &str, environment: &[(&str, &str)]) -> anyhow::Result<Config> {
        let mut mistakes = Mistakes::default();
        let file = parse(text, Path::new("hufu.toml"), &mut mistakes);
        let set = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Config::merge(file, set, mistakes)
    }

    #[test]
    fn the_example_of_the_readme() {
        let config = read(
            r#"
            listen = "127.0.0.1:4000"
            public_url = "https://id.example.com/"
            database_url = "postgres://hufu@localhost/hufu"
            encryption_key_file = "hufu.key"
            metrics_listen = "127.0.0.1:3001"
            [wechat]
            api_base = "https://api.weixin.qq.com"
            open_base = "https://open.weixin.qq.com"
            mp_base = "https://mp.weixin.qq.com"
            "#,
            &[],
        )
        .unwrap();
        assert_eq!(config.listen.port(), 4000);
        assert_eq!(config.public_url, "https://id.example.com");
        assert_eq!(config.wechat, hufu_wechat::Endpoints::default());
    }

    #[test]
    fn the_environment_wins() {
        let environment = [
            ("HUFU_LISTEN", "0.0.0.0:80"),
            ("HUFU_WECHAT_API_BASE", "http://127.0.0.1:9/api"),
            ("HUFU_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1"),
            ("HUFU_METRICS_LISTEN", ""),
            ("HUFU_OUTGOING_PRIVATE", "10.1.0.0/16,fd00::/8"),
        ];
        let config =
            read("listen = \"127.0.0.1:1\"\nmetrics_listen = \"127.0.0.1:2\"", &environment).unwrap();
        assert_eq!(config.listen.to_string(), "0.0.0.0:80");
        assert_eq!(config.wechat.api.as_str(), "http://127.0.0.1:9/api");
        assert_eq!(config.trusted_proxies.len(), 2);
        assert_eq!(config.outgoing_private.len(), 2);
        assert!(read("", &[]).unwrap().outgoing_private.is_empty());
        assert_eq!(read("outgoing_private = [\"10.0.0.1\"]", &[]).unwrap().outgoing_private.len(), 1);
        assert!(read("", &[("HUFU_OUTGOING_PRIVATE", "yes")]).is_err());
        let limited =
            read("[limits]\nupload_bytes = 7", &[("HUFU_LIMITS_REQUEST_BUDGET", "3s")]).unwrap().limits;
        assert_eq!((limited.upload_bytes, limited.request_budget.as_secs()), (7, 3));
        assert!(read("", &[("HUFU_LIMITS_REQUEST_BUDGET", "3")]).is_err());
        assert_eq!(config.metrics_listen.map(|a| a.port()), Some(2), "empty is not set");
    }

    #[test]
    fn nobody_signs_up_unless_it_is_switched_on() {
        const NAME: &str = "HUFU_ADMINISTRATION_SIGN_UP";
        let on = "[administration]\nsign_up = true";
        for (text, environment, is_on) in [
            ("", &[][..], false),
            ("[administration]", &[], false),
            (on, &[], true),
            (on, &[(NAME, "false")], false),
            ("", &[(NAME, "true")], true),
        ] {
            assert_eq!(read(text, environment).unwrap().sign_up, is_on, "{text} {environment:?}");
        }
        let error = read("", &[(NAME, "yes")]).err().unwrap().to_string();
        assert_eq!(error, "HUFU_ADMINISTRATION_SIGN_UP must be true or false");
    }

    #[test]
    fn mistakes_are_reported_with_their_place_and_without_secrets() {
        for (text, told) in [
            ("listen = 5", "hufu.toml:1:10: invalid type"),
            ("a = 1", "hufu.toml:1:1: unknown field `a`"),
            ("listen = \"here\"", "listen is not an address"),
            ("public_url = \"ftp://x\"", "public_url must be an http"),
            ("database_url = \"mysql://u:geheim@h/d\"", "database_url: a database URL is"),
            ("trusted_proxies = [\"x\"]", "trusted_proxies: x is not an address"),
            ("encryption_key = \"geheim", "hufu.toml:1:"),
            ("[limits]\nupload_bytes = 0", "hufu.toml:2:16: it must be a whole number above 0"),
        ] {
            let error = format!("{:#}", read(text, &[]).err().unwrap());
            assert!(error.starts_with(told), "{text}: {error}");
            assert!(!error.contains("geheim"), "{error}");
        }
    }

    #[test]
    fn tls_needs_both_files_and_https() {
        let both = "[tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n";
        let config = read(both, &[("HUFU_TLS_KEY_FILE", "/run/key.pem")]).unwrap();
        let Some(Tls::Files { certificate, key }) = config.tls else { panic!("no files") };
        assert_eq!((certificate, key), ("cert.pem".into(), "/run/key.pem".into()));
        assert_eq!(config.public_url, "https://127.0.0.1:3000");
        let files = [("HUFU_TLS_CERT_FILE", "cert.pem"), ("HUFU_TLS_KEY_FILE", "key.pem")];
        assert!(read("", &files).unwrap().tls.is_some());
        assert!(read("", &[("HUFU_TLS_CERT_FILE", "")]).unwrap().tls.is_none());
        let http = format!("public_url = \"http://id.example.com\"\n{both}");
        for (text, environment, told) in [
            (http.as_str(), &[][..], "public_url must begin with https://, because [tls] is set"),
            ("[tls]\nkey_file = \"key.pem\"", &[], "tls.cert_file is missing;"),
            ("", &files[..1], "tls.key_file is missing;"),
            ("[tls]", &[], "2 mistakes in the configuration:\n  tls.cert_file is missing;"),
            (
                "[tls]\ncertfile = \"a\"\nkey_file = \"b\"",
                &[],
                "2 mistakes in the configuration:\n  hufu.toml:2:1: ",
            ),
            ("http_listen = \"0.0.0.0:80\"", &[], "http_listen leads to https and needs [tls]"),
        ] {
            let error = read(text, environment).err().unwrap().to_string();
            assert!(error.starts_with(told), "{text}: {error}");
        }
    }

    const ACME: &str = r#"
        public_url = "https://id.example.com"
        [tls]
        acme = { directory = "https://acme.example.com/dir", contact = "mailto:ops@example.com", terms_agreed = true }
    "#;

    #[test]
    fn certificates_can_be_ordered() {
        let config = read(ACME, &[]).unwrap();
        let Some(Tls::Acme(acme)) = config.tls else { panic!("no acme") };
        assert_eq!(acme.directory, "https://acme.example.com/dir");
        assert_eq!((acme.contact.as_str(), acme.cache.to_str()), ("mailto:ops@example.com", Some("acme")));
        assert!(!acme.http && acme.external_account.is_none() && config.http_listen.is_none());

        let environment = [
            ("HUFU_PUBLIC_URL", "https://id.example.com"),
            ("HUFU_TLS_ACME_DIRECTORY", "https://other.example.com/dir"),
            ("HUFU_TLS_ACME_CONTACT", "mailto:other@example.com"),
            ("HUFU_TLS_ACME_TERMS_AGREED", "true"),
            ("HUFU_TLS_ACME_CACHE", "/var/lib/hufu/acme"),
            ("HUFU_TLS_ACME_EAB_KID", "kid-1"),
            ("HUFU_TLS_ACME_EAB_HMAC_KEY", "AAECAw=="),
            ("HUFU_HTTP_LISTEN", "0.0.0.0:80"),
        ];
        for text in ["", ACME] {
            let config = read(text, &environment).unwrap();
            let Some(Tls::Acme(acme)) = config.tls else { panic!("no acme") };
            assert_eq!(acme.directory, "https://other.example.com/dir");
            assert_eq!(
                (acme.contact.as_str(), acme.cache.to_str()),
                ("mailto:other@example.com", Some("/var/lib/hufu/acme"))
            );
            let account = acme.external_account.unwrap();
            assert_eq!(
                (account.key_id.as_str(), account.mac_key.expose_secret()),
                ("kid-1", &[0, 1, 2, 3][..])
            );
            assert!(acme.http);
            assert_eq!(config.http_listen.map(|address| address.port()), Some(80));
        }
    }

    #[test]
    fn mistakes_about_orders_are_told_at_once() {
        let text = "[tls]\nacme = { directory = \"http://acme.example.com\", contact = \"ops@example.com\", \
                    eab_kid = \"geheim\" }\nkey = 1";
        let error = read(text, &[]).err().unwrap().to_string();
        let told: Vec<&str> = error.lines().map(str::trim).collect();
        let begins = [
            "5 mistakes in the configuration:",
            "hufu.toml:3:1: unknown field `key`",
            "tls.acme.directory must be an https URL",
            "tls.acme.contact must be an address such as",
            "tls.acme.terms_agreed must be true: an order needs your agreement",
            "tls.acme.eab_kid and tls.acme.eab_hmac_key belong together",
        ];
        assert_eq!(told.len(), begins.len(), "{error}");
        for (told, begin) in told.iter().zip(begins) {
            assert!(told.starts_with(begin), "{told}: {begin}");
        }
        assert!(!error.contains("geheim"), "{error}");

        for (from, to, told) in [
            ("true", "false", "tls.acme.terms_agreed must be true"),
            ("terms_agreed", "agreed", "3 mistakes in the configuration:\n  hufu.toml:4:"),
            ("id.example.com", "192.0.2.1", "public_url must have a domain"),
            ("https://id.", "http://id.", "public_url must begin with https://"),
            ("mailto:ops@example.com", "mailto:a@b,c@d", "tls.acme.contact must be"),
            ("mailto:ops@example.com", "mailto:a@b?cc=c@d", "tls.acme.contact must be"),
            ("contact = \"mailto:ops@example.com\", ", "", "tls.acme.contact is missing"),
            ("directory = \"https://acme.example.com/dir\", ", "", "tls.acme.directory is missing"),
            ("https://acme.", "https://u:geheim@acme.", "tls.acme.directory must be an https URL"),
            ("[tls]", "[tls]\ncert_file = \"a\"", "[tls] has either cert_file and key_file or acme"),
            ("[tls]", "http_listen = \"80\"\n[tls]", "http_listen is not an address and port"),
        ] {
            assert!(ACME.contains(from), "{from}");
            let error = read(&ACME.replace(from, to), &[]).err().unwrap().to_string();
            assert!(error.starts_with(told), "{to}: {error}");
            assert!(!error.contains("geheim"), "{error}");
        }
        let key = [("HUFU_TLS_ACME_EAB_KID", "kid"), ("HUFU_TLS_ACME_EAB_HMAC_KEY", "geheim!")];
        let error = read(ACME, &key).err().unwrap().to_string();
        assert!(error.starts_with("tls.acme.eab_hmac_key is not base64url"), "{error}");
        assert!(!error.contains("geheim"), "{error}");
    }

    #[test]
    fn the_default_mini_program_is_whole_or_absent() {
        const SECRET: &str = "HUFU_WECHAT_DEFAULT_MINI_PROGRAM_APP_SECRET";
        assert!(read("[wechat]", &[]).unwrap().default_mini_program.is_none());
        let table = "[wechat.default_mini_program]\napp_id = \"wx0123456789abcdef\"\noriginal_id = \"gh_a781a791e29e\"\n";
        let whole = read(table, &[(SECRET, "5ec2e7")]).unwrap().default_mini_program.unwrap();
        assert_eq!((whole.app_id(), whole.original_id()), ("wx0123456789abcdef", "gh_a781a791e29e"));
        for (text, environment, told) in [
            (table, &[][..], "wechat.default_mini_program.app_secret is missing"),
            ("", &[(SECRET, "5ec2e7")][..], "wechat.default_mini_program.app_id is missing"),
            (table, &[(SECRET, "5ec 2e7")][..], "wechat.default_mini_program.app_secret: an AppSecret is"),
        ] {
            let error = read(text, environment).err().unwrap().to_string();
            assert!(error.contains(told) && !error.contains("2e7"), "{error}");
        }
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let text = "listen = \"here\"\nlisen = [\n  1,\n]\npublic_url = 7\ndatabase_url = \"mysql://u:geheim@h/d\"\n\
                    trusted_proxies = [\"x\", \"10.0.0.0/8\", \"y\"]\n[wechat]\napi = \"http://x\"\nmp_base = \"ftp://x\"\n\
                    [limits]\nupload_bytes = 0\nno_such_limit = 1\n";
        let error = read(text, &[("HUFU_LIMITS_REQUEST_BUDGET", "3")]).err().unwrap().to_string();
        let told: Vec<&str> = error.lines().map(str::trim).collect();
        let begins = [
            "11 mistakes in the configuration:",
            "hufu.toml:2:1: unknown field `lisen`",
            "hufu.toml:5:14: invalid type",
            "hufu.toml:9:1: unknown field `api`",
            "hufu.toml:12:16: it must be a whole number above 0",
            "hufu.toml:13:1: unknown",
            "listen is not an address",
            "database_url: a database URL is",
            "trusted_proxies: x is not an address",
            "trusted_proxies: y is not an address",
            "wechat.mp_base must be an http",
            "HUFU_LIMITS_REQUEST_BUDGET: ",
        ];
        assert_eq!(told.len(), begins.len(), "{error}");
        for (told, begin) in told.iter().zip(begins) {
            assert!(told.starts_with(begin), "{told}: {begin}");
        }
        assert!(!error.contains("geheim"), "{error}");
    }
}
