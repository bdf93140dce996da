//! The configuration: a TOML file, each key overridable in the environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use hufu_app::{KeySource, Limits};
use hufu_store::DatabaseUrl;
use ipnet::IpNet;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

/// The configuration file. Every key is optional.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<String>,
    public_url: Option<String>,
    database_url: Option<String>,
    encryption_key: Option<String>,
    encryption_key_file: Option<String>,
    metrics_listen: Option<String>,
    log: Option<String>,
    trusted_proxies: Option<Vec<String>>,
    outgoing_private: Option<Vec<String>>,
    #[serde(default)]
    wechat: Wechat,
    #[serde(default)]
    limits: Limits,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Wechat {
    api_base: Option<String>,
    open_base: Option<String>,
    mp_base: Option<String>,
}

/// The effective configuration.
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) public_url: String,
    pub(crate) database: DatabaseUrl,
    pub(crate) key: KeySource,
    /// Where metrics are served. Absent if they are not served.
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) log: Log,
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// The private networks that webhooks and SMS providers may use.
    pub(crate) outgoing_private: Vec<IpNet>,
    pub(crate) wechat: hufu_wechat::Endpoints,
    pub(crate) limits: Limits,
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
        let file = match path {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
                parse(&text, path)?
            }
            None => File::default(),
        };
        Self::merge(file, environment)
    }

    fn merge(file: File, environment: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let either = |name: &str, value: Option<String>| set(name).or(value);

        let listen = either("HUFU_LISTEN", file.listen).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
        let listen = address("listen", &listen)?;
        let public_url =
            either("HUFU_PUBLIC_URL", file.public_url).unwrap_or_else(|| format!("http://{listen}"));
        let database =
            either("HUFU_DATABASE_URL", file.database_url).unwrap_or_else(|| "sqlite://hufu.db".to_owned());
        let key = match (either("HUFU_ENCRYPTION_KEY", file.encryption_key), set("HUFU_ENCRYPTION_KEY_FILE"))
        {
            (Some(key), None) => KeySource::Given(SecretString::from(key)),
            (_, Some(path)) => KeySource::File(path.into()),
            (None, None) => KeySource::File(PathBuf::from(
                file.encryption_key_file.unwrap_or_else(|| "hufu.key".to_owned()),
            )),
        };
        let metrics = either("HUFU_METRICS_LISTEN", file.metrics_listen).filter(|value| value != "off");
        let networks = |name: &str, key: &str, written: Option<Vec<String>>| {
            let written = match set(name) {
                Some(list) => list.split(',').map(|item| item.trim().to_owned()).collect(),
                None => written.unwrap_or_default(),
            };
            written.iter().map(|text| network(key, text)).collect::<anyhow::Result<Vec<_>>>()
        };
        let real = hufu_wechat::Endpoints::default();
        let base = |name: &str, key: &str, value: Option<String>, default: Url| match either(name, value) {
            Some(text) => http_url(key, &text),
            None => Ok(default),
        };
        let limits = limits(file.limits, &set)?;
        Ok(Self {
            limits,
            public_url: http_url("public_url", &public_url)?.as_str().trim_end_matches('/').to_owned(),
            listen,
            outgoing_private: networks("HUFU_OUTGOING_PRIVATE", "outgoing_private", file.outgoing_private)?,
            database: database.parse().context("database_url")?,
            key,
            metrics_listen: metrics.map(|text| address("metrics_listen", &text)).transpose()?,
            log: Log(either("HUFU_LOG", file.log).unwrap_or_else(|| "info".to_owned())),
            trusted_proxies: networks("HUFU_TRUSTED_PROXIES", "trusted_proxies", file.trusted_proxies)?,
            wechat: hufu_wechat::Endpoints {
                api: base("HUFU_WECHAT_API_BASE", "wechat.api_base", file.wechat.api_base, real.api)?,
                open: base("HUFU_WECHAT_OPEN_BASE", "wechat.open_base", file.wechat.open_base, real.open)?,
                mp: base("HUFU_WECHAT_MP_BASE", "wechat.mp_base", file.wechat.mp_base, real.mp)?,
            },
        })
    }
}

/// Limits from the file and from the environment (`HUFU_LIMITS_UPLOAD_BYTES`). The environment takes
/// precedence.
fn limits(mut limits: Limits, set: &impl Fn(&str) -> Option<String>) -> anyhow::Result<Limits> {
    for name in Limits::NAMES {
        let variable = format!("HUFU_LIMITS_{}", name.to_uppercase());
        if let Some(value) = set(&variable) {
            limits.set(name, &value).map_err(|reason| anyhow::anyhow!("{variable}: {reason}"))?;
        }
    }
    Ok(limits)
}

/// Parses the file. TOML's own message quotes the line, which may contain a key, so only the position and the
/// reason are reported.
fn parse(text: &str, path: &Path) -> anyhow::Result<File> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let (line, column) = (
            before.matches('\n').count() + 1,
            before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1,
        );
        anyhow::anyhow!("{}:{line}:{column}: {}", path.display(), error.message())
    })
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
    use super::*;

    fn read(text: &str, environment: &[(&str, &str)]) -> anyhow::Result<Config> {
        let file = parse(text, Path::new("hufu.toml"))?;
        Config::merge(file, |name| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
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
}
