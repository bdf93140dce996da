//! TLS without a proxy: a certificate and its key, which are read again when they change. They are in two files that
//! somebody else writes, or in one that `acme` writes, with what it orders from a certificate authority.

mod acme;
mod files;
mod plain;
mod x509;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use hufu_types::Clock;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::server::{Acceptor as HelloReader, ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use acme::Acme;
use files::{Contents, Loaded, Seen, contents, load, seen};
use x509::Validity;

pub use acme::{AcmeSettings, ExternalAccount};
pub use files::CertificateError;
pub use plain::plain_router;

/// HTTP/2, as ALPN names it.
pub(crate) const H2: &[u8] = b"h2";
/// HTTP/1.1, as ALPN names it.
const HTTP_11: &[u8] = b"http/1.1";
/// How long before its end a certificate is worth a warning, if its whole life is long enough.
const WARN_BEFORE: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How often a warning is repeated in the log.
const WARN_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// The certificate that a listener presents, with its key. Clones share it.
#[derive(Clone)]
pub struct Certificates(Arc<Inner>);

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificates")
    }
}

struct Inner {
    /// The two files are one, if the certificate is ordered.
    certificate_file: PathBuf,
    key_file: PathBuf,
    /// The name under which people reach the server.
    host: String,
    clock: Arc<dyn Clock>,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    /// What the files held when they were read last. Whoever reads or writes them holds it.
    known: Mutex<Seen>,
    acme: Option<Acme>,
}

/// The certificate that is presented now. There is none before the first that was ordered.
struct Current(ArcSwapOption<Loaded>);

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().as_ref().map(|loaded| Arc::clone(&loaded.key))
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
        let (inner, outcome) = Inner::read(certificate_file, key_file, host, clock, None);
        outcome.map(|()| Self(Arc::new(inner)))
    }

    /// The certificate that was ordered before, if it can be used, and from then on those that [`Self::order`] orders.
    pub fn ordered(
        settings: AcmeSettings,
        host: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Vec<CertificateError>> {
        let acme = Acme::open(settings, host).map_err(|error| vec![error])?;
        let file = acme.certificate_file();
        let is_there = file.exists();
        let (inner, outcome) = Inner::read(file.clone(), file, host, clock, Some(acme));
        for error in outcome.err().into_iter().flatten().filter(|_| is_there) {
            tracing::warn!(
                error = told(&error),
                "the certificate of the cache is not used; another is ordered"
            );
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Whether there is a certificate to present. One that has to be ordered may not be there yet.
    pub fn are_there(&self) -> bool {
        self.0.current.0.load().is_some()
    }

    /// What an operator should know about the certificate.
    pub fn warnings(&self) -> Vec<String> {
        self.0.warnings()
    }

    /// Reads the files again when they change, without end. Files that cannot be used leave the certificate as
    /// it is.
    pub async fn watch(self, every: Duration) {
        let inner = self.0;
        // Two files are not replaced at one moment: what has just changed is looked at the next time.
        let mut settling = None;
        let mut warned = inner.clock.now();
        loop {
            tokio::time::sleep(every).await;
            let mut known = inner.known.lock().await;
            let Some((certificates, key)) = inner.contents().await else { continue };
            let now = seen(&certificates, &key);
            let is_settled = settling.as_ref() == Some(&now);
            settling = Some(now.clone());
            if now != *known && is_settled {
                *known = now;
                inner.replace(certificates, key);
                warned = inner.clock.now();
            } else if inner.clock.now().since(warned) >= WARN_EVERY {
                warned = inner.clock.now();
                inner.warn();
            }
        }
    }

    /// The answer to the challenge of HTTP-01 with this token, if that is what the certificate authority waits for.
    pub(crate) async fn http_answer(&self, token: &str) -> Option<String> {
        self.0.acme.as_ref()?.http_answer(token).await
    }

    /// What makes connections of TLS.
    pub(crate) fn acceptor(&self) -> Result<Acceptor, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.0.provider))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.0.current) as _);
        config.alpn_protocols = vec![H2.to_vec(), HTTP_11.to_vec()];
        Ok(Acceptor { tls: TlsAcceptor::from(Arc::new(config)), certificates: self.clone() })
    }
}

/// What makes connections of TLS.
pub(crate) struct Acceptor {
    tls: TlsAcceptor,
    certificates: Certificates,
}

impl Acceptor {
    /// Does the handshake. No connection comes of it if it was the certificate authority that looked at the answer to its
    /// challenge (RFC 8737 section 4): nothing else is served there.
    pub(crate) async fn accept(&self, stream: TcpStream) -> std::io::Result<Option<TlsStream<TcpStream>>> {
        let Some(acme) = &self.certificates.0.acme else { return self.tls.accept(stream).await.map(Some) };
        let start = LazyConfigAcceptor::new(HelloReader::default(), stream).await?;
        if acme.is_challenge(&start.client_hello())
            && let Some(answer) = acme.tls_answer(&self.certificates.0.provider).await
        {
            start.into_stream(answer).await?;
            return Ok(None);
        }
        start.into_stream(Arc::clone(self.tls.config())).await.map(Some)
    }
}

impl Inner {
    /// Reads the files, and measures what is in them. The outcome says what is wrong with them.
    fn read(
        certificate_file: PathBuf,
        key_file: PathBuf,
        host: &str,
        clock: Arc<dyn Clock>,
        acme: Option<Acme>,
    ) -> (Self, Result<(), Vec<CertificateError>>) {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let (certificates, key) = contents(&certificate_file, &key_file);
        let known = Mutex::new(seen(&certificates, &key));
        let (loaded, outcome) =
            match load((&certificate_file, certificates), (&key_file, key), host, &provider) {
                Ok(loaded) => (Some(Arc::new(loaded)), Ok(())),
                Err(errors) => (None, Err(errors)),
            };
        let (host, current) = (host.to_owned(), Arc::new(Current(ArcSwapOption::new(loaded))));
        let inner = Self { certificate_file, key_file, host, clock, provider, current, known, acme };
        inner.measure();
        (inner, outcome)
    }

    async fn contents(&self) -> Option<(Contents, Contents)> {
        let files = (self.certificate_file.clone(), self.key_file.clone());
        tokio::task::spawn_blocking(move || contents(&files.0, &files.1)).await.ok()
    }

    /// Presents what was read, if it can be used.
    fn replace(&self, certificates: Contents, key: Contents) {
        let certificates = (self.certificate_file.as_path(), certificates);
        match load(certificates, (&self.key_file, key), &self.host, &self.provider) {
            Ok(loaded) => {
                self.current.0.store(Some(Arc::new(loaded)));
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

    /// From when until when the certificate that is presented is valid.
    fn validity(&self) -> Option<Validity> {
        self.current.0.load().as_ref()?.validity
    }

    fn expires(&self) -> String {
        self.validity().map(|validity| validity.until.to_iso()).unwrap_or_default()
    }

    fn measure(&self) {
        if let Some(validity) = self.validity() {
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
        let Some(loaded) = loaded.as_ref() else { return Vec::new() };
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
