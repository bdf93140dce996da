//! The key that seals secrets. It is created once and stored outside the database.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use async_recursion::async_recursion as boxed;
use hufu_protocol::sealing::SealingKey;
use hufu_store::instance::{Fact, GetFact, PutFactIfAbsent};
use hufu_store::{Store, StoreError};
use hufu_types::Random;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

/// Where the key comes from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// 64 hexadecimal digits.
    Given(SecretString),
    /// A file with 64 hexadecimal digits. Created if it does not exist and the database has no key id yet.
    File(PathBuf),
}

/// Why the key could not be loaded. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SealingKeyError {
    /// The database returned an error.
    #[error("the database cannot be read")]
    Store(#[from] StoreError),
    /// The file cannot be read or created.
    #[error("the key file {path} cannot be read or made: {source}")]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file does not exist, although the database was sealed with a key.
    #[error("the key file {path} is missing: this database needs the key {wanted}; put its file back")]
    Missing {
        /// The path of the file.
        path: PathBuf,
        /// The id of the required key.
        wanted: String,
    },
    /// The key is not the one this database was sealed with.
    #[error("the encryption key is {found}, but this database needs the key {wanted}; give that one")]
    Wrong {
        /// The id of the given key.
        found: String,
        /// The id of the required key.
        wanted: String,
    },
    /// The text is not a valid key.
    #[error("the encryption key must be 64 hexadecimal digits (32 bytes)")]
    Malformed,
}

/// Reads the key, or creates one if the database has none yet.
#[boxed]
pub async fn load_sealing_key(
    store: &Store,
    source: &KeySource,
    random: &dyn Random,
) -> Result<SealingKey, SealingKeyError> {
    let wanted = store.read(GetFact(Fact::SealingKeyId)).await?;
    let key = match source {
        KeySource::Given(text) => parse(text.expose_secret())?,
        KeySource::File(path) => match (read(path)?, &wanted) {
            (Some(text), _) => parse(&text)?,
            (None, Some(wanted)) => {
                return Err(SealingKeyError::Missing { path: path.clone(), wanted: wanted.clone() });
            }
            (None, None) => make(path, random)?,
        },
    };
    let found = key.key_id();
    let wanted = match wanted {
        Some(wanted) => wanted,
        None => store.write(PutFactIfAbsent(Fact::SealingKeyId, found.clone())).await?,
    };
    if found == wanted { Ok(key) } else { Err(SealingKeyError::Wrong { found, wanted }) }
}

fn parse(text: &str) -> Result<SealingKey, SealingKeyError> {
    let mut bytes = [0_u8; 32];
    hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| SealingKeyError::Malformed)?;
    Ok(SealingKey::from_bytes(bytes))
}

fn read(path: &Path) -> Result<Option<Zeroizing<String>>, SealingKeyError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SealingKeyError::File { path: path.to_owned(), source }),
    }
}

/// Creates the file, readable only by its owner, and syncs it to disk: without the key, everything sealed
/// with it is lost.
fn make(path: &Path, random: &dyn Random) -> Result<SealingKey, SealingKeyError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    random.fill(bytes.as_mut_slice());
    let text = Zeroizing::new(hex::encode(bytes.as_slice()));
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    };
    write().map_err(|source| SealingKeyError::File { path: path.to_owned(), source })?;
    Ok(SealingKey::from_bytes(*bytes))
}
