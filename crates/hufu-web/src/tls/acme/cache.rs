//! The folder for what is ordered. For each authority it has a folder of its own, so that whoever tries the one for tests
//! first gets a certificate of the real one afterwards, and in it one file each:
//!
//! - `account.json`: the account with its key; `HOST.pem`: the certificate with its key.
//! - `HOST.challenge.json`: the challenge that the authority looks at right now.
//! - `lock`: whoever has locked it orders. The operating system takes the lock from a process that ends.
//!
//! All of them are written whole or not at all, and open to nobody but their owner.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Result, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};

use crate::tls::files::CertificateError;

/// The account at an authority.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredAccount {
    /// Whom the authority was told that it may write to.
    pub(super) contact: String,
    pub(super) credentials: AccountCredentials,
}

/// A challenge that the authority looks at (RFC 8555 section 8).
#[derive(Serialize, Deserialize)]
pub(super) struct Challenge {
    pub(super) token: String,
    pub(super) key_authorization: String,
}

/// The folder of an authority, for one host. Clones share it.
#[derive(Clone)]
pub(super) struct Cache(Arc<Paths>);

struct Paths {
    folder: PathBuf,
    lock: PathBuf,
    account: PathBuf,
    certificate: PathBuf,
    challenge: PathBuf,
}

/// The right to order. It ends when this is dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "the lock is that of the open file")] File);

/// A challenge that is answered until this is dropped.
pub(super) struct Answering(Cache);

impl Drop for Answering {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0.0.challenge);
    }
}

impl Cache {
    /// Makes the folder if it is missing.
    pub(super) fn open(
        cache: &Path,
        directory: &str,
        host: &str,
    ) -> std::result::Result<Self, CertificateError> {
        let folder = cache.join(name_of(directory));
        for folder in [cache, &folder] {
            make(folder).map_err(|source| CertificateError::Cache { path: folder.to_owned(), source })?;
            if is_open(folder) {
                return Err(CertificateError::CacheIsOpen(folder.to_owned()));
            }
        }
        let paths = Paths {
            lock: folder.join("lock"),
            account: folder.join("account.json"),
            certificate: folder.join(format!("{host}.pem")),
            challenge: folder.join(format!("{host}.challenge.json")),
            folder,
        };
        // Whether files can be written is better known before anything is ordered.
        writable()
            .open(&paths.lock)
            .map_err(|source| CertificateError::Cache { path: paths.lock.clone(), source })?;
        Ok(Self(Arc::new(paths)))
    }

    pub(super) fn certificate_file(&self) -> PathBuf {
        self.0.certificate.clone()
    }

    /// The right to order, unless another node has it. Whatever challenge a node left that ended meanwhile is removed.
    pub(super) async fn lock(&self) -> Result<Option<Lock>> {
        let this = self.clone();
        blocking(move || {
            let file = writable().open(&this.0.lock)?;
            match file.try_lock() {
                Ok(()) => {
                    remove(&this.0.challenge)?;
                    Ok(Some(Lock(file)))
                }
                Err(TryLockError::WouldBlock) => Ok(None),
                Err(TryLockError::Error(error)) => Err(error),
            }
        })
        .await
    }

    pub(super) async fn account(&self) -> Result<Option<StoredAccount>> {
        self.read(|paths| &paths.account).await
    }

    pub(super) async fn write_account(&self, account: &StoredAccount) -> Result<()> {
        self.write(|paths| &paths.account, serde_json::to_vec(account)?).await
    }

    /// Forgets an account that the authority does not know any more.
    pub(super) async fn forget_account(&self) -> Result<()> {
        let this = self.clone();
        blocking(move || remove(&this.0.account)).await
    }

    pub(super) async fn write_certificate(&self, pem: Vec<u8>) -> Result<()> {
        self.write(|paths| &paths.certificate, pem).await
    }

    /// Lets all nodes answer a challenge.
    pub(super) async fn answer(&self, challenge: &Challenge) -> Result<Answering> {
        let answering = Answering(self.clone());
        self.write(|paths| &paths.challenge, serde_json::to_vec(challenge)?).await?;
        Ok(answering)
    }

    pub(super) async fn challenge(&self) -> Result<Option<Challenge>> {
        self.read(|paths| &paths.challenge).await
    }

    async fn read<T: for<'de> Deserialize<'de> + Send + 'static>(
        &self,
        file: impl FnOnce(&Paths) -> &Path + Send + 'static,
    ) -> Result<Option<T>> {
        let this = self.clone();
        blocking(move || match std::fs::read(file(&this.0)) {
            // What is wrong with it is not told: that could quote a key.
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "it is damaged; remove it")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    /// Replaces a file. Whoever reads it sees all of the old one or all of the new one, also after the power failed.
    async fn write(&self, file: impl FnOnce(&Paths) -> &Path + Send + 'static, bytes: Vec<u8>) -> Result<()> {
        let this = self.clone();
        blocking(move || {
            let path = file(&this.0);
            let new = path.with_extension("new");
            let mut written = writable().truncate(true).open(&new)?;
            written.write_all(&bytes)?;
            written.sync_all()?;
            std::fs::rename(&new, path)?;
            #[cfg(unix)]
            File::open(&this.0.folder)?.sync_all()?;
            Ok(())
        })
        .await
    }
}

/// The folder's name for an authority: its host, for people, and a hash of all of its URL.
fn name_of(directory: &str) -> String {
    let host = directory.split("://").nth(1).and_then(|rest| rest.split(['/', '?', ':']).next());
    let host: String = host
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' })
        .collect();
    let hash = digest(&SHA256, directory.as_bytes());
    let hash = hash.as_ref().iter().take(4).fold(0_u32, |hash, byte| hash << 8 | u32::from(*byte));
    format!("{host}-{hash:08x}")
}

fn make(folder: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Whether others than its owner can do anything with a folder.
fn is_open(folder: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(folder).is_ok_and(|folder| folder.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    false
}

fn writable() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn remove(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_authority_has_a_folder() {
        let real = name_of("https://acme.example.com/directory");
        assert!(real.starts_with("acme.example.com-"), "{real}");
        assert_ne!(real, name_of("https://acme.example.com/tests"));
        assert_ne!(real, name_of("https://acme.example.com:8443/directory"));
        for odd in ["https://../../etc", "https://a\\b/", "https://[::1]:1/x", "https:///", ""] {
            let name = name_of(odd);
            assert!(
                name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')),
                "{name}"
            );
            assert!(!matches!(name.as_str(), "." | ".."), "{name}");
        }
    }
}
