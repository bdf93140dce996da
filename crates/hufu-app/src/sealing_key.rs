//! The key that seals secrets. It is created once and stored outside the database, with those that sealed before or will:
//! [`change`].

pub mod change;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use async_recursion::async_recursion as boxed;
use hufu_protocol::sealing::{OpenError, SealingKey};
use hufu_store::instance::{Fact, GetFact, PutFactIfAbsent};
use hufu_store::{Store, StoreError};
use hufu_types::Random;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

/// Where the key comes from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// Keys of 64 hexadecimal digits each, separated by spaces, commas or line breaks.
    Given(SecretString),
    /// A file with such keys. Created if it does not exist and the database has no key id yet.
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
    /// The key of keyed hashes cannot be opened.
    #[error("the key of keyed hashes cannot be opened")]
    HashKey(#[source] OpenError),
    /// The text is not a valid key.
    #[error(
        "an encryption key must be 64 hexadecimal digits (32 bytes); several are separated by commas or line breaks"
    )]
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
    let keys = match source {
        KeySource::Given(text) => parse(text.expose_secret())?,
        KeySource::File(path) => match (read(path)?, &wanted) {
            (Some(text), _) => parse(&text)?,
            (None, Some(wanted)) => {
                return Err(SealingKeyError::Missing { path: path.clone(), wanted: wanted.clone() });
            }
            (None, None) => make(path, random)?,
        },
    };
    let found = keys.key_id();
    let wanted = match wanted {
        Some(wanted) => wanted,
        None => store.write(PutFactIfAbsent(Fact::SealingKeyId, found.clone())).await?,
    };
    let key = keys.sealing_with(&wanted).ok_or(SealingKeyError::Wrong { found, wanted })?;
    let Some(sealed) = store.read(GetFact(Fact::HashKey)).await? else {
        // As long as the key has not been changed, hashes are those of the key that seals.
        return Ok(key.with_own_hashes());
    };
    let sealed = hex::decode(sealed).map_err(|_| SealingKeyError::HashKey(OpenError::Malformed))?;
    key.with_hash_key(&sealed).map_err(SealingKeyError::HashKey)
}

/// Reads keys, of which the first seals as long as the database names none.
fn parse(text: &str) -> Result<SealingKey, SealingKeyError> {
    let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    let keys: Vec<[u8; 32]> = words.map(parse_one).collect::<Result<_, _>>()?;
    let (first, others) = keys.split_first().ok_or(SealingKeyError::Malformed)?;
    Ok(SealingKey::of(*first, others.iter().copied()))
}

fn parse_one(word: &str) -> Result<[u8; 32], SealingKeyError> {
    let mut bytes = [0_u8; 32];
    hex::decode_to_slice(word, &mut bytes).map_err(|_| SealingKeyError::Malformed)?;
    Ok(bytes)
}

/// Makes another key and adds it to a file of keys. Returns its id.
///
/// # Errors
/// [`SealingKeyError`], in which case the file is as it was.
pub fn add_key(path: &Path, random: &dyn Random) -> Result<String, SealingKeyError> {
    let text = read(path)?.ok_or_else(|| SealingKeyError::File {
        path: path.to_owned(),
        source: std::io::ErrorKind::NotFound.into(),
    })?;
    parse(&text)?;
    let (key, id) = new_key(random);
    let text = Zeroizing::new(format!("{}\n{}\n", text.trim_end(), *key));
    replace(path, &text)?;
    Ok(id)
}

/// Takes a key out of a file of keys.
///
/// # Errors
/// [`SealingKeyError`], in which case the file is as it was.
pub fn remove_key(path: &Path, id: &str) -> Result<(), SealingKeyError> {
    let text = read(path)?.unwrap_or_default();
    let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    let mut kept = Zeroizing::new(String::new());
    for word in words {
        if SealingKey::from_bytes(parse_one(word)?).key_id() != id {
            kept.push_str(word);
            kept.push('\n');
        }
    }
    replace(path, &kept)
}

/// Makes a key. Returns its text and its id.
pub fn new_key(random: &dyn Random) -> (Zeroizing<String>, String) {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    random.fill(bytes.as_mut_slice());
    (Zeroizing::new(hex::encode(bytes.as_slice())), SealingKey::from_bytes(*bytes).key_id())
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
    let (text, _) = new_key(random);
    write_new(path, &format!("{}\n", *text))?;
    parse(&text)
}

/// Replaces a file of keys. At every moment there is a whole one.
fn replace(path: &Path, text: &str) -> Result<(), SealingKeyError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let wrap = |source| SealingKeyError::File { path: path.to_owned(), source };
    // What a process left that ended in the middle.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(wrap(error)),
        _ => {}
    }
    write_new(&new, text)?;
    std::fs::rename(&new, path).map_err(wrap)
}

fn write_new(path: &Path, text: &str) -> Result<(), SealingKeyError> {
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| SealingKeyError::File { path: path.to_owned(), source })
}
