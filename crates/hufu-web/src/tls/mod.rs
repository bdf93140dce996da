//! TLS without a proxy: a certificate and its key from two files, which are read again when they change.

mod validity;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::aws_lc_rs::digest::{SHA256, digest};
use arc_swap::ArcSwap;
use hufu_types::Clock;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, InconsistentKeys, ServerConfig};

use validity::Validity;

/// HTTP/2, as ALPN names it.
pub(crate) const H2: &[u8] = b"h2";
/// HTTP/1.1, as ALPN names it.
const HTTP_11: &[u8] = b"http/1.1";
/// No certificate or key is longer than this.
const LONGEST_FILE: u64 = 1024 * 1024;
/// How long before its end a certificate is worth a warning, if its whole life is long enough.
const WARN_BEFORE: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How often a warning is repeated in the log.
const WARN_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// What is wrong with a certificate or its key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{key}: {} cannot be read", path.display())]
    Unreadable {
        /// The key of the configuration that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not PEM. The library's reason is left out: it can quote the file.
    #[error("{key}: {} is not valid PEM", path.display())]
    NotPem {
        /// The key of the configuration that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// There is no certificate in the file.
    #[error(
        "tls.cert_file: {} contains no certificate; it must be PEM, the server's own certificate first and then \
         those of its issuers", .0.display()
    )]
    NoCertificate(PathBuf),
    /// There is no key in the file.
    #[error("tls.key_file: {} contains no private key; it must be PEM without a passphrase", .0.display())]
    NoKey(PathBuf),
    /// The certificate is not one.
    #[error("tls.cert_file: the first certificate in {} is malformed", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The key is of a kind that TLS does not use.
    #[error("tls.key_file: the key in {} cannot be used", path.display())]
    UnusableKey {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The key belongs to another certificate.
    #[error("tls.key_file: the key in {} is not that of the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
    },
}

/// The certificate that a listener presents, with its key. Clones share it.
#[derive(Clone)]
pub struct Certificates(Arc<Inner>);

struct Inner {
    certificate_file: PathBuf,
    key_file: PathBuf,
    /// The name under which people reach the server.
    host: String,
    clock: Arc<dyn Clock>,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    /// What the files held at the start.
    first: Seen,
}

/// What the files hold: its hashes, or why there is nothing to hash.
#[derive(Clone, PartialEq, Eq)]
enum Seen {
    Hashes([Vec<u8>; 2]),
    Unreadable(String),
}

/// A certificate that can be presented.
struct Loaded {
    key: Arc<CertifiedKey>,
    validity: Option<Validity>,
    is_for_host: bool,
}

/// The certificate that is presented now.
struct Current(ArcSwap<Loaded>);

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().key))
    }
}

impl Certificates {
    /// Reads a certificate, with those of its issuers, and its key. All that is wrong is told at once.
    pub fn read(
        certificate_file: PathBuf,
        key_file: PathBuf,
        host: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Vec<CertificateError>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let (certificates, key) = contents(&certificate_file, &key_file);
        let first = seen(&certificates, &key);
        let loaded = load((&certificate_file, certificates), (&key_file, key), host, &provider)?;
        let current = Arc::new(Current(ArcSwap::from_pointee(loaded)));
        let inner =
            Inner { certificate_file, key_file, host: host.to_owned(), clock, provider, current, first };
        inner.measure();
        Ok(Self(Arc::new(inner)))
    }

    /// What an operator should know about the certificate.
    pub fn warnings(&self) -> Vec<String> {
        self.0.warnings()
    }

    /// Reads the files again when they change, without end. Files that cannot be used leave the certificate as
    /// it is.
    pub async fn watch(self, every: Duration) {
        let inner = self.0;
        let mut known = inner.first.clone();
        // Two files are not replaced at one moment: what has just changed is looked at the next time.
        let mut settling = None;
        let mut warned = inner.clock.now();
        loop {
            tokio::time::sleep(every).await;
            let files = (inner.certificate_file.clone(), inner.key_file.clone());
            let Ok((certificates, key)) =
                tokio::task::spawn_blocking(move || contents(&files.0, &files.1)).await
            else {
                continue;
            };
            let now = seen(&certificates, &key);
            let is_settled = settling.as_ref() == Some(&now);
            settling = Some(now.clone());
            if now != known && is_settled {
                known = now;
                inner.replace(certificates, key);
                warned = inner.clock.now();
            } else if inner.clock.now().since(warned) >= WARN_EVERY {
                warned = inner.clock.now();
                inner.warn();
            }
        }
    }

    /// What makes connections of TLS.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.0.provider))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.0.current) as _);
        config.alpn_protocols = vec![H2.to_vec(), HTTP_11.to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl Inner {
    /// Presents what was read, if it can be used.
    fn replace(&self, certificates: Contents, key: Contents) {
        let certificates = (self.certificate_file.as_path(), certificates);
        match load(certificates, (&self.key_file, key), &self.host, &self.provider) {
            Ok(loaded) => {
                self.current.0.store(Arc::new(loaded));
                tracing::info!(expires = self.expires(), "the certificate was replaced");
                self.measure();
                self.warn();
            }
            Err(errors) => {
                for error in errors {
                    let error = told(&error);
                    tracing::error!(error, "the new certificate is not used; the previous one stays");
                }
            }
        }
    }

    fn expires(&self) -> String {
        self.current.0.load().validity.map(|validity| validity.until.to_iso()).unwrap_or_default()
    }

    fn measure(&self) {
        if let Some(validity) = self.current.0.load().validity {
            #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
            metrics::gauge!("hufu_tls_certificate_expires_seconds").set(validity.until.seconds() as f64);
        }
    }

    fn warn(&self) {
        for warning in self.warnings() {
            tracing::warn!("{warning}");
        }
    }

    fn warnings(&self) -> Vec<String> {
        let (now, file) = (self.clock.now(), self.certificate_file.display());
        let loaded = self.current.0.load();
        let mut warnings = Vec::new();
        if let Some(Validity { from, until }) = loaded.validity {
            let before = WARN_BEFORE.min(until.since(from) / 4);
            if until <= now {
                warnings.push(format!("the certificate in {file} expired at {}", until.to_iso()));
            } else if until.since(now) < before {
                warnings.push(format!("the certificate in {file} expires at {}", until.to_iso()));
            }
            if now < from {
                warnings.push(format!("the certificate in {file} is not valid before {}", from.to_iso()));
            }
        }
        if !loaded.is_for_host {
            warnings
                .push(format!("the certificate in {file} is not for {}, the host of public_url", self.host));
        }
        warnings
    }
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

type Contents = std::io::Result<Vec<u8>>;

fn contents(certificates: &Path, key: &Path) -> (Contents, Contents) {
    let read = |path: &Path| {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(LONGEST_FILE).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    (read(certificates), read(key))
}

fn seen(certificates: &Contents, key: &Contents) -> Seen {
    match (certificates, key) {
        (Ok(certificates), Ok(key)) => {
            Seen::Hashes([certificates, key].map(|bytes| digest(&SHA256, bytes).as_ref().to_vec()))
        }
        (Err(error), _) | (_, Err(error)) => Seen::Unreadable(error.to_string()),
    }
}

fn load(
    (certificate_file, certificates): (&Path, Contents),
    (key_file, key): (&Path, Contents),
    host: &str,
    provider: &CryptoProvider,
) -> Result<Loaded, Vec<CertificateError>> {
    let (chain, key) = match (chain(certificate_file, certificates), private_key(key_file, key)) {
        (Ok(chain), Ok(key)) => (chain, key),
        (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
    };
    let (validity, is_for_host) = chain.first().map_or((None, false), |first| {
        let name = ServerName::try_from(host);
        let is_for_host = ParsedCertificate::try_from(first).is_ok_and(|parsed| {
            name.is_ok_and(|name| rustls::client::verify_server_name(&parsed, &name).is_ok())
        });
        (Validity::of(first), is_for_host)
    });
    let key = CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        vec![match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => CertificateError::Mismatch {
                certificate: certificate_file.to_owned(),
                key: key_file.to_owned(),
            },
            source => CertificateError::UnusableKey { path: key_file.to_owned(), source },
        }]
    })?;
    Ok(Loaded { key: Arc::new(key), validity, is_for_host })
}

fn chain(path: &Path, contents: Contents) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let (key, path) = ("tls.cert_file", path.to_owned());
    let bytes = match contents {
        Ok(bytes) => bytes,
        Err(source) => return Err(CertificateError::Unreadable { key, path, source }),
    };
    let chain: Vec<_> = match CertificateDer::pem_slice_iter(&bytes).collect() {
        Ok(chain) => chain,
        Err(_) => return Err(CertificateError::NotPem { key, path }),
    };
    match chain.first().map(ParsedCertificate::try_from) {
        None => Err(CertificateError::NoCertificate(path)),
        Some(Err(source)) => Err(CertificateError::Malformed { path, source }),
        Some(Ok(_)) => Ok(chain),
    }
}

fn private_key(path: &Path, contents: Contents) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let (key, path) = ("tls.key_file", path.to_owned());
    let bytes = match contents {
        Ok(bytes) => bytes,
        Err(source) => return Err(CertificateError::Unreadable { key, path, source }),
    };
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => CertificateError::NoKey(path),
        _ => CertificateError::NotPem { key, path },
    })
}
