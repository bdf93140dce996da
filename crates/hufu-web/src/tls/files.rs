//! A certificate and its key in files.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, InconsistentKeys};

use super::x509::Validity;

/// No certificate or key is longer than this.
const LONGEST_FILE: u64 = 1024 * 1024;

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
    /// The folder for what is ordered cannot be made, or not be written to.
    #[error("tls.acme.cache: {} cannot be used", path.display())]
    Cache {
        /// The folder, or a file in it.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others than its owner can open the folder.
    #[error(
        "tls.acme.cache: private keys are kept in {}, which is open to others than its owner; close it with chmod 700 {}",
        .0.display(), .0.display()
    )]
    CacheIsOpen(PathBuf),
}

/// What the files hold: its hashes, or why there is nothing to hash.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Hashes([Vec<u8>; 2]),
    Unreadable(String),
}

/// A certificate that can be presented.
pub(super) struct Loaded {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) validity: Option<Validity>,
    pub(super) is_for_host: bool,
}

pub(super) type Contents = std::io::Result<Vec<u8>>;

pub(super) fn contents(certificates: &Path, key: &Path) -> (Contents, Contents) {
    let read = |path: &Path| {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(LONGEST_FILE).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    (read(certificates), read(key))
}

pub(super) fn seen(certificates: &Contents, key: &Contents) -> Seen {
    match (certificates, key) {
        (Ok(certificates), Ok(key)) => {
            Seen::Hashes([certificates, key].map(|bytes| digest(&SHA256, bytes).as_ref().to_vec()))
        }
        (Err(error), _) | (_, Err(error)) => Seen::Unreadable(error.to_string()),
    }
}

pub(super) fn load(
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
