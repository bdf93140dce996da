//! Passwords as the database holds them: Argon2id (RFC 9106) in PHC string format.
//!
//! 19 MiB of memory, two passes, one lane: what the OWASP Password Storage Cheat
//! Sheet recommends. The parameters stand in each hash, so that they can rise
//! later. Hashing takes tens of milliseconds of a core; it runs beside the
//! asynchronous threads, and never inside a unit of work.

use argon2::password_hash::SaltString;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use hufu_types::Random;
use secrecy::{ExposeSecret as _, SecretString};

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// RFC 9106 3.1: 16 bytes are recommended for password hashing.
const SALT_BYTES: usize = 16;

/// Why a password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("a password cannot be hashed: {0}")]
pub struct PasswordError(String);

/// Hashes a password with a fresh salt.
///
/// # Errors
/// [`PasswordError`] when there is no memory for it or the process shuts down.
pub(crate) async fn hash(password: SecretString, random: &dyn Random) -> Result<String, PasswordError> {
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt);
    tokio::task::spawn_blocking(move || hash_now(&password, &salt))
        .await
        .map_err(|error| PasswordError(error.to_string()))?
        .map_err(|error| PasswordError(error.to_string()))
}

fn hash_now(password: &SecretString, salt: &[u8]) -> Result<String, argon2::password_hash::Error> {
    let parameters = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    let salt = SaltString::encode_b64(salt)?;
    Ok(argon2.hash_password(password.expose_secret().as_bytes(), &salt)?.to_string())
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHash, PasswordVerifier as _};
    use hufu_types::TestRandom;

    use super::*;

    #[tokio::test]
    async fn a_hash_verifies_its_password_and_tells_its_parameters() {
        let random = TestRandom::new(1);
        let first = hash("correct horse".into(), &random).await.unwrap();
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, hash("correct horse".into(), &random).await.unwrap(), "each has its own salt");

        let parsed = PasswordHash::new(&first).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", &parsed).is_ok());
        assert!(Argon2::default().verify_password(b"correct horsf", &parsed).is_err());
    }
}
