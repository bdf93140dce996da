//! Password hashes as stored in the database: our own, and those that were imported from elsewhere.
//!
//! | scheme | read | written |
//! |---|---|---|
//! | Argon2 (RFC 9106) | PHC `$argon2id$`, `$argon2i$`, `$argon2d$` | the same |
//! | bcrypt | `$2a$`, `$2b$`, `$2y$` | the same |
//! | scrypt (RFC 7914) | PHC `$scrypt$ln=…,r=…,p=…$` | the same |
//! | PBKDF2 (RFC 8018) | PHC `$pbkdf2-sha256$i=…,l=…$`; passlib's `$pbkdf2-sha256$29000$`; Django's `pbkdf2_sha256$600000$`; with SHA-1 and SHA-512 too | PHC |
//!
//! The parameters of a hash determine how expensive it is to verify. They are bounded here, so that no
//! imported row can exhaust the server's memory or take seconds of its time.

use std::fmt;
use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::pbkdf2;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::error::HashingError;
use super::memory::Memory;
use super::phc::{self, Phc};

/// Maximum length of a hash as text.
const LONGEST_TEXT: usize = 2048;
const MEBIBYTE: u64 = 1024 * 1024;
/// Maximum memory of one verification, in bytes. For scrypt, which is slower, the bound applies to memory
/// times parallelism, which takes about 1.5 seconds.
const MAX_MEMORY: u64 = 256 * MEBIBYTE;
/// Maximum memory times passes of Argon2, which takes about a second.
const MAX_MEMORY_PASSES: u64 = 1024 * MEBIBYTE;
const MAX_LANES: u32 = 64;
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=14;
/// Maximum iterations times output blocks.
const MAX_ITERATIONS: u64 = 5_000_000;
/// Minimum hash length, as in the PHC format. A shorter hash could match wrong passwords by chance.
const SHORTEST_HASH: usize = 10;
const LONGEST_HASH: usize = 512;
/// The number of password bytes that bcrypt reads.
const BCRYPT_BYTES: usize = 72;

/// bcrypt's own base64. Some old writers left stray bits after the 16 bytes of the salt; all implementations
/// ignore them.
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Why a text is not accepted as a password hash. Never contains the text itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForeignHashError {
    /// The prefix matches no supported scheme.
    #[error("the hash is of no known scheme: argon2, bcrypt ($2a$, $2b$, $2y$), scrypt and pbkdf2 are known")]
    UnknownScheme,
    /// The scheme is known, but the rest is malformed.
    #[error("the {scheme} hash is malformed: {what}")]
    Malformed {
        /// The scheme.
        scheme: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// Verifying it would be too expensive.
    #[error("the {scheme} hash costs too much: {parameter} is {value}, and at most {most} is taken")]
    TooCostly {
        /// The scheme.
        scheme: &'static str,
        /// The parameter that is too large.
        parameter: &'static str,
        /// Its value.
        value: u64,
        /// The maximum value.
        most: u64,
    },
}

/// A parsed and validated password hash. `Display` writes the form in which it is stored.
#[derive(Clone)]
pub struct StoredPassword(Scheme);

#[derive(Clone)]
enum Scheme {
    Argon2 { algorithm: Algorithm, version: Version, parameters: Params, salt: Vec<u8>, hash: Vec<u8> },
    Bcrypt { minor: char, cost: u32, salt: [u8; 16], hash: [u8; 23] },
    Scrypt { parameters: scrypt::Params, salt: Vec<u8>, hash: Vec<u8> },
    Pbkdf2 { digest: Digest, iterations: NonZeroU32, salt: Vec<u8>, hash: Vec<u8> },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

impl StoredPassword {
    /// Parses a hash in any of the forms above.
    pub fn parse(text: &str) -> Result<Self, ForeignHashError> {
        if text.len() > LONGEST_TEXT {
            return Err(ForeignHashError::Malformed { scheme: "password", what: "it is too long" });
        }
        let (id, rest) =
            text.strip_prefix('$').unwrap_or(text).split_once('$').ok_or(ForeignHashError::UnknownScheme)?;
        let malformed = |scheme| move |what| ForeignHashError::Malformed { scheme, what };
        let scheme = match (text.starts_with('$'), id) {
            (true, "argon2id") => argon2(Algorithm::Argon2id, rest)?,
            (true, "argon2i") => argon2(Algorithm::Argon2i, rest)?,
            (true, "argon2d") => argon2(Algorithm::Argon2d, rest)?,
            (true, "2a") => bcrypt('a', rest)?,
            (true, "2b") => bcrypt('b', rest)?,
            (true, "2y") => bcrypt('y', rest)?,
            (true, "scrypt") => scrypt(rest)?,
            (_, id) => match Digest::of(id) {
                Some((digest, django)) if django != text.starts_with('$') => {
                    let read = match rest.split_once('$') {
                        _ if django => pbkdf2_of_django(rest),
                        Some((first, _)) if first.contains('=') => pbkdf2_phc(rest),
                        _ => pbkdf2_of_passlib(rest),
                    };
                    pbkdf2(digest, read.map_err(malformed("pbkdf2"))?)?
                }
                _ => return Err(ForeignHashError::UnknownScheme),
            },
        };
        Ok(Self(scheme))
    }

    /// A hash of our own: Argon2id in its current version.
    pub(super) const fn argon2id(parameters: Params, salt: Vec<u8>, hash: Vec<u8>) -> Self {
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        Self(Scheme::Argon2 { algorithm, version, parameters, salt, hash })
    }

    /// Whether it is Argon2id and costs at least as much as these parameters.
    pub(super) fn is_as_strong_as(&self, ours: &Params) -> bool {
        match &self.0 {
            Scheme::Argon2 {
                algorithm: Algorithm::Argon2id,
                version: Version::V0x13,
                parameters,
                salt,
                hash,
            } => {
                parameters.m_cost() >= ours.m_cost()
                    && memory_passes(parameters) >= memory_passes(ours)
                    && salt.len() >= 16
                    && hash.len() >= 32
            }
            _ => false,
        }
    }

    /// Its scheme and parameters, on which depends how long it takes to verify: the text without salt and hash.
    /// `hufu_store::passwords` cuts stored hashes in the same way.
    pub(super) fn scheme(&self) -> String {
        let text = self.to_string();
        let cut = |text: &str| text.rfind('$').map_or(0, |at| at + 1);
        let mut end = cut(&text);
        if !matches!(self.0, Scheme::Bcrypt { .. }) {
            // bcrypt does not separate the two.
            end = cut(text.get(..end.saturating_sub(1)).unwrap_or_default());
        }
        text.get(..end).unwrap_or_default().to_owned()
    }

    /// A hash of this scheme that stands for nobody's password. `None` if the scheme is unknown.
    pub(super) fn decoy(scheme: &str) -> Option<Self> {
        if scheme.starts_with("$2") {
            // Salt and hash have 53 characters.
            return Self::parse(&format!("{scheme}{:.<53}", "")).ok();
        }
        // PBKDF2 says how many bytes it makes. For the others, the number changes nothing.
        let said = scheme.split(['$', ',']).find_map(|part| part.strip_prefix("l=")?.parse().ok());
        let bytes: usize = said.unwrap_or(32).clamp(SHORTEST_HASH, LONGEST_HASH);
        let (salt, hash) = (phc::BASE64.encode([0; 16]), phc::BASE64.encode(vec![0; bytes]));
        Self::parse(&format!("{scheme}{salt}${hash}")).ok()
    }

    /// Whether the password matches. This is slow: do not call it on an asynchronous thread.
    pub(super) fn verify(&self, password: &[u8], memory: &mut Memory) -> Result<bool, HashingError> {
        Ok(match &self.0 {
            Scheme::Argon2 { algorithm, version, parameters, salt, hash } => {
                let mut output = Zeroizing::new(vec![0; hash.len()]);
                let argon2 = Argon2::new(*algorithm, *version, parameters.clone());
                memory.hash(&argon2, password, salt, &mut output)?;
                output.ct_eq(hash).into()
            }
            Scheme::Bcrypt { cost, salt, hash, .. } => {
                // The key includes a terminating zero byte, unless it is truncated before that.
                let mut key = Zeroizing::new([0; BCRYPT_BYTES]);
                let end = key.iter_mut().zip(password).map(|(to, from)| *to = *from).count();
                let key = key.get(..(end + 1).min(BCRYPT_BYTES)).unwrap_or_default();
                let output = bcrypt::bcrypt(*cost, *salt, key);
                output[..23].ct_eq(hash).into()
            }
            Scheme::Scrypt { parameters, salt, hash } => {
                let mut output = Zeroizing::new(vec![0; hash.len()]);
                scrypt::scrypt(password, salt, parameters, &mut output).map_err(HashingError::failed)?;
                output.ct_eq(hash).into()
            }
            Scheme::Pbkdf2 { digest, iterations, salt, hash } => {
                pbkdf2::verify(digest.algorithm(), *iterations, salt, password, hash).is_ok()
            }
        })
    }
}

impl fmt::Display for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match &self.0 {
            Scheme::Argon2 { algorithm, version, parameters, salt, hash } => {
                // The format implies version 0x10 if none is given.
                let version = (*version == Version::V0x13).then_some(0x13);
                let (m, t, p) = (parameters.m_cost(), parameters.t_cost(), parameters.p_cost());
                phc::format(algorithm.as_str(), version, &[("m", m), ("t", t), ("p", p)], salt, hash)
            }
            Scheme::Bcrypt { minor, cost, salt, hash } => {
                let (salt, hash) = (BCRYPT_BASE64.encode(salt), BCRYPT_BASE64.encode(hash));
                format!("$2{minor}${cost:02}${salt}{hash}")
            }
            Scheme::Scrypt { parameters, salt, hash } => {
                let (ln, r, p) = (parameters.log_n().into(), parameters.r(), parameters.p());
                phc::format("scrypt", None, &[("ln", ln), ("r", r), ("p", p)], salt, hash)
            }
            Scheme::Pbkdf2 { digest, iterations, salt, hash } => {
                let length = u32::try_from(hash.len()).unwrap_or_default();
                let parameters = [("i", iterations.get()), ("l", length)];
                phc::format(digest.id(), None, &parameters, salt, hash)
            }
        })
    }
}

impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match &self.0 {
            Scheme::Argon2 { algorithm, .. } => algorithm.as_str(),
            Scheme::Bcrypt { .. } => "bcrypt",
            Scheme::Scrypt { .. } => "scrypt",
            Scheme::Pbkdf2 { digest, .. } => digest.id(),
        };
        write!(f, "StoredPassword({scheme}, redacted)")
    }
}

impl Digest {
    /// The digest for a scheme id, and whether the id is in Django's spelling.
    fn of(id: &str) -> Option<(Self, bool)> {
        Some(match id {
            "pbkdf2-sha256" => (Self::Sha256, false),
            "pbkdf2-sha512" => (Self::Sha512, false),
            // passlib's name for SHA-1.
            "pbkdf2-sha1" | "pbkdf2" => (Self::Sha1, false),
            "pbkdf2_sha256" => (Self::Sha256, true),
            "pbkdf2_sha512" => (Self::Sha512, true),
            "pbkdf2_sha1" => (Self::Sha1, true),
            _ => return None,
        })
    }

    const fn id(self) -> &'static str {
        match self {
            Self::Sha1 => "pbkdf2-sha1",
            Self::Sha256 => "pbkdf2-sha256",
            Self::Sha512 => "pbkdf2-sha512",
        }
    }

    const fn algorithm(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }

    /// The total iterations of one verification. Each output block needs all of them.
    fn work(self, iterations: NonZeroU32, output: usize) -> u64 {
        let block = match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        };
        u64::from(iterations.get()) * u64::try_from(output.div_ceil(block)).unwrap_or(u64::MAX)
    }
}

fn argon2(algorithm: Algorithm, rest: &str) -> Result<Scheme, ForeignHashError> {
    const SCHEME: &str = "argon2";
    let malformed = |what| ForeignHashError::Malformed { scheme: SCHEME, what };
    let mut phc = Phc::parse(rest).map_err(malformed)?;
    let version = match phc.version {
        Some(0x13) => Version::V0x13,
        Some(0x10) | None => Version::V0x10,
        Some(_) => return Err(malformed("its version is unknown")),
    };
    let mut take = |name| phc.take(name).ok_or(malformed("it does not say m, t and p"));
    let (memory, passes, lanes) = (take("m")?, take("t")?, take("p")?);
    phc.finish().map_err(malformed)?;
    bounded(SCHEME, "memory in KiB", memory.into(), MAX_MEMORY / 1024)?;
    bounded(
        SCHEME,
        "memory in KiB times passes",
        u64::from(memory) * u64::from(passes),
        MAX_MEMORY_PASSES / 1024,
    )?;
    bounded(SCHEME, "lanes", lanes.into(), MAX_LANES.into())?;
    let parameters = Params::new(memory, passes, lanes, None)
        .map_err(|_| malformed("its parameters contradict each other"))?;
    if phc.salt.len() < argon2::MIN_SALT_LEN {
        return Err(malformed("its salt is too short"));
    }
    let (salt, hash) = (phc.salt, sized(SCHEME, phc.hash)?);
    Ok(Scheme::Argon2 { algorithm, version, parameters, salt, hash })
}

fn bcrypt(minor: char, rest: &str) -> Result<Scheme, ForeignHashError> {
    const SCHEME: &str = "bcrypt";
    let malformed = |what| ForeignHashError::Malformed { scheme: SCHEME, what };
    let (cost, rest) = rest.split_once('$').ok_or(malformed("it does not say its cost"))?;
    if cost.len() != 2 || !cost.bytes().all(|b| b.is_ascii_digit()) {
        return Err(malformed("its cost is not two digits"));
    }
    let cost = cost.parse().map_err(|_| malformed("its cost is not two digits"))?;
    bounded(SCHEME, "the cost", u64::from(cost), u64::from(*BCRYPT_COSTS.end()))?;
    if !BCRYPT_COSTS.contains(&cost) {
        return Err(malformed("its cost is below 4"));
    }
    let (salt, hash) = rest.split_at_checked(22).ok_or(malformed("it is too short"))?;
    let salt: [u8; 16] = decode(&BCRYPT_BASE64, salt).ok_or(malformed("its salt is not of 16 bytes"))?;
    let hash: [u8; 23] = decode(&BCRYPT_BASE64, hash).ok_or(malformed("its hash is not of 23 bytes"))?;
    Ok(Scheme::Bcrypt { minor, cost, salt, hash })
}

fn decode<const N: usize>(engine: &GeneralPurpose, text: &str) -> Option<[u8; N]> {
    engine.decode(text).ok()?.try_into().ok()
}

fn scrypt(rest: &str) -> Result<Scheme, ForeignHashError> {
    const SCHEME: &str = "scrypt";
    let malformed = |what| ForeignHashError::Malformed { scheme: SCHEME, what };
    let mut phc = Phc::parse(rest).map_err(malformed)?;
    let mut take = |name| phc.take(name).ok_or(malformed("it does not say ln, r and p"));
    let (ln, r, p) = (take("ln")?, take("r")?, take("p")?);
    phc.finish().map_err(malformed)?;
    if ln == 0 || r == 0 || p == 0 || phc.version.is_some() {
        return Err(malformed("its parameters are not those of scrypt"));
    }
    // 2^32 already exceeds the bound.
    let memory = (128_u64 << ln.min(32)).saturating_mul(r.into());
    bounded(SCHEME, "memory in bytes times p", memory.saturating_mul(p.into()), MAX_MEMORY)?;
    let parameters = u8::try_from(ln)
        .ok()
        .and_then(|ln| scrypt::Params::new(ln, r, p).ok())
        .ok_or(malformed("its parameters contradict each other"))?;
    let (salt, hash) = (phc.salt, sized(SCHEME, phc.hash)?);
    Ok(Scheme::Scrypt { parameters, salt, hash })
}

/// Iterations, salt and hash.
type Pbkdf2Parts = (u32, Vec<u8>, Vec<u8>);

fn pbkdf2(digest: Digest, (iterations, salt, hash): Pbkdf2Parts) -> Result<Scheme, ForeignHashError> {
    const SCHEME: &str = "pbkdf2";
    let iterations = NonZeroU32::new(iterations)
        .ok_or(ForeignHashError::Malformed { scheme: SCHEME, what: "it has no iterations" })?;
    let hash = sized(SCHEME, hash)?;
    bounded(SCHEME, "iterations of all blocks", digest.work(iterations, hash.len()), MAX_ITERATIONS)?;
    Ok(Scheme::Pbkdf2 { digest, iterations, salt, hash })
}

/// Parses `i=29000,l=32$salt$hash`. The length is optional, but must match the hash if present.
fn pbkdf2_phc(rest: &str) -> Result<Pbkdf2Parts, &'static str> {
    let mut phc = Phc::parse(rest)?;
    let iterations = phc.take("i").ok_or("it does not say i")?;
    if phc.take("l").is_some_and(|length| usize::try_from(length) != Ok(phc.hash.len())) {
        return Err("its hash is not as long as it says");
    }
    phc.finish()?;
    Ok((iterations, phc.salt, phc.hash))
}

/// Parses `29000$salt$hash`, in base64 with a dot instead of the plus sign.
fn pbkdf2_of_passlib(rest: &str) -> Result<Pbkdf2Parts, &'static str> {
    let [iterations, salt, hash] = three(rest)?;
    let decode = |text: &str| phc::BASE64.decode(text.replace('.', "+"));
    let salt = decode(salt).map_err(|_| "its salt is no base64")?;
    Ok((phc::number(iterations)?, salt, decode(hash).map_err(|_| "its hash is no base64")?))
}

/// Parses `600000$salt$hash`, where the salt is not encoded.
fn pbkdf2_of_django(rest: &str) -> Result<Pbkdf2Parts, &'static str> {
    let [iterations, salt, hash] = three(rest)?;
    let hash = phc::BASE64.decode(hash).map_err(|_| "its hash is no base64")?;
    Ok((phc::number(iterations)?, salt.as_bytes().to_vec(), hash))
}

fn three(rest: &str) -> Result<[&str; 3], &'static str> {
    rest.split('$').collect::<Vec<_>>().try_into().map_err(|_| "it is not of iterations, salt and hash")
}

fn sized(scheme: &'static str, hash: Vec<u8>) -> Result<Vec<u8>, ForeignHashError> {
    if (SHORTEST_HASH..=LONGEST_HASH).contains(&hash.len()) {
        Ok(hash)
    } else {
        Err(ForeignHashError::Malformed {
            scheme,
            what: "its hash is shorter than 10 or longer than 512 bytes",
        })
    }
}

fn bounded(
    scheme: &'static str,
    parameter: &'static str,
    value: u64,
    most: u64,
) -> Result<(), ForeignHashError> {
    if value <= most { Ok(()) } else { Err(ForeignHashError::TooCostly { scheme, parameter, value, most }) }
}

/// The bytes that Argon2 fills, over all passes.
fn memory_passes(parameters: &Params) -> u64 {
    u64::from(parameters.m_cost()) * 1024 * u64::from(parameters.t_cost())
}

#[cfg(test)]
mod tests;
