//! Hashing and verifying passwords with Argon2id (RFC 9106), in PHC string format.
//!
//! The default is 19 MiB of memory, two passes and one lane, the minimum that the OWASP Password Storage
//! Cheat Sheet recommends. The configuration can demand more ([`Cost`]), and [`calibrate`] measures what a
//! machine can do. Each hash contains its parameters, so they can be raised later. Hashing takes tens of
//! milliseconds of CPU time. It runs outside the asynchronous threads, with limited concurrency, and never
//! inside a unit of work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};
use async_recursion::async_recursion as boxed;
use hufu_types::Random;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use super::error::HashingError;
use super::foreign::StoredPassword;

const LANES: u32 = 1;
/// The weakest permitted costs: memory in KiB and passes. OWASP lists them as roughly equivalent.
const WEAKEST: [(u32, u32); 5] =
    [(46 * 1024, 1), (19 * 1024, 2), (12 * 1024, 3), (9 * 1024, 4), (7 * 1024, 5)];
/// Maximum memory for one hash (1 GiB). More would starve everything else.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
/// Maximum passes. More would keep everyone waiting.
const MAX_PASSES: u32 = 100;
/// RFC 9106 section 3.1 recommends 16 bytes for password hashing.
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// Maximum concurrency. More would occupy all cores.
const MAX_AT_ONCE: usize = 4;
/// Maximum queue length: some seconds of work. Clients would not wait any longer.
const WAITING: usize = 256;
/// Number of hashes that [`measure`] makes.
const SAMPLES: usize = 5;

/// The cost of one hash: memory, and passes over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
}

impl Default for Cost {
    /// 19 MiB and two passes.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

impl Cost {
    /// Takes the memory in KiB and the passes. The error says what is permitted.
    pub fn new(memory_kib: u32, passes: u32) -> Result<Self, String> {
        let is_strong = WEAKEST.iter().any(|(memory, least)| memory_kib >= *memory && passes >= *least);
        if !is_strong {
            let least: Vec<String> =
                WEAKEST.iter().map(|(memory, passes)| format!("{memory} with {passes}")).collect();
            return Err(format!("at least one of {} is needed (KiB of memory, passes)", least.join(", ")));
        }
        if memory_kib > MAX_MEMORY_KIB || passes > MAX_PASSES {
            return Err(format!(
                "at most {MAX_MEMORY_KIB} KiB of memory and {MAX_PASSES} passes are possible"
            ));
        }
        Ok(Self { memory_kib, passes })
    }

    /// Memory in KiB.
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Number of passes over the memory.
    pub const fn passes(self) -> u32 {
        self.passes
    }

    fn parameters(self) -> Result<Params, HashingError> {
        Params::new(self.memory_kib, self.passes, LANES, None).map_err(HashingError::failed)
    }
}

/// The result of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the password matches.
    pub matches: bool,
    /// Whether the hash should be replaced now that the password is known, because it uses another scheme or
    /// is weaker than new ones.
    pub rehash: bool,
}

/// Hashes and verifies passwords, with limited concurrency and a limited queue.
#[derive(Clone, Debug)]
pub struct Hasher {
    /// The cost of new hashes.
    cost: Cost,
    /// One permit for each task that is running or waiting.
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
    /// How many tasks were accepted.
    work: Arc<AtomicU64>,
}

impl Default for Hasher {
    /// Concurrency of one per core, at most four.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::new(cores.min(MAX_AT_ONCE), WAITING)
    }
}

impl Hasher {
    /// Runs up to `concurrency` tasks (at least one) in parallel and queues up to `queue` more.
    pub fn new(concurrency: usize, queue: usize) -> Self {
        let concurrency = concurrency.clamp(1, Semaphore::MAX_PERMITS / 2);
        let places = concurrency + queue.min(Semaphore::MAX_PERMITS / 2);
        Self {
            cost: Cost::default(),
            places: Arc::new(Semaphore::new(places)),
            running: Arc::new(Semaphore::new(concurrency)),
            work: Arc::default(),
        }
    }

    /// Sets the cost of new hashes. Weaker hashes are replaced when their users log in.
    #[must_use]
    pub fn with_cost(self, cost: Cost) -> Self {
        Self { cost, ..self }
    }

    /// How many passwords were hashed or verified, including those in progress.
    pub fn work(&self) -> u64 {
        self.work.load(Ordering::Relaxed)
    }

    /// Hashes a password with a fresh salt.
    #[boxed]
    pub async fn hash(&self, password: SecretString, random: &dyn Random) -> Result<String, HashingError> {
        let (salt, cost) = (salt(random), self.cost);
        self.run(move || hash_now(&password, salt, cost)).await
    }

    /// Verifies a password against the user's hash.
    ///
    /// Pass `None` if there is no such user, or the user has no password. The password is then verified
    /// against a dummy hash that nothing matches, so that the time does not reveal it. A hash that is faster
    /// to verify than ours is verified in addition to the dummy. A foreign hash that is slower can be
    /// recognized by its timing, until its owner logs in for the first time and gets a new one.
    #[boxed]
    pub async fn verify(
        &self,
        password: SecretString,
        stored: Option<StoredPassword>,
    ) -> Result<Verdict, HashingError> {
        let cost = self.cost;
        self.run(move || verify_now(&password, stored.as_ref(), cost)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashingError> + Send + 'static,
    ) -> Result<T, HashingError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| HashingError::Overloaded)?;
        self.work.fetch_add(1, Ordering::Relaxed);
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(HashingError::failed)?;
        let work = move || {
            // Held until the work ends, even if the caller is gone.
            let _held = (place, turn);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(HashingError::failed)?
    }
}

/// Hashes a password with a fresh salt and without a concurrency limit, for commands that limit themselves.
pub(crate) async fn hash(password: SecretString, random: &dyn Random) -> Result<String, HashingError> {
    let salt = salt(random);
    let work = move || hash_now(&password, salt, Cost::default());
    tokio::task::spawn_blocking(work).await.map_err(HashingError::failed)?
}

/// The result of a calibration.
#[derive(Clone, Copy, Debug)]
pub struct Calibration {
    /// The cost.
    pub cost: Cost,
    /// How long one hash takes.
    pub time: Duration,
}

/// The strongest cost whose hash takes at most `most` on this machine while it is otherwise idle, or the
/// default if that already takes longer. First raises the memory, which is an attacker's scarcest resource,
/// up to 64 MiB (RFC 9106 section 4, second recommendation), and then the passes.
pub fn calibrate(most: Duration) -> Result<Calibration, HashingError> {
    let mut found = Calibration { cost: Cost::default(), time: measure(Cost::default())? };
    while let Some(cost) = stronger(found.cost) {
        let time = measure(cost)?;
        if time > most {
            break;
        }
        found = Calibration { cost, time };
    }
    Ok(found)
}

fn stronger(cost: Cost) -> Option<Cost> {
    const ENOUGH_KIB: u32 = 64 * 1024;
    let Cost { memory_kib, passes } = cost;
    if memory_kib < ENOUGH_KIB {
        Some(Cost { memory_kib: memory_kib.saturating_add(9 * 1024).min(ENOUGH_KIB), passes })
    } else {
        Some(Cost { memory_kib, passes: passes + 1 }).filter(|cost| cost.passes <= MAX_PASSES)
    }
}

/// The time of one hash: the median of five.
fn measure(cost: Cost) -> Result<Duration, HashingError> {
    let mut times = [Duration::ZERO; SAMPLES];
    for time in &mut times {
        let start = Instant::now();
        verify_now(&SecretString::from("calibration"), None, cost)?;
        *time = start.elapsed();
    }
    times.sort_unstable();
    let [_, _, median, _, _] = times;
    Ok(median)
}

fn salt(random: &dyn Random) -> [u8; SALT_BYTES] {
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt);
    salt
}

fn hash_now(password: &SecretString, salt: [u8; SALT_BYTES], cost: Cost) -> Result<String, HashingError> {
    let parameters = cost.parameters()?;
    let mut hash = vec![0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters.clone())
        .hash_password_into(password.expose_secret().as_bytes(), &salt, &mut hash)
        .map_err(HashingError::failed)?;
    Ok(StoredPassword::argon2id(parameters, salt.to_vec(), hash).to_string())
}

fn verify_now(
    password: &SecretString,
    stored: Option<&StoredPassword>,
    cost: Cost,
) -> Result<Verdict, HashingError> {
    let ours = cost.parameters()?;
    let password = password.expose_secret().as_bytes();
    if stored.is_none_or(|stored| stored.is_quicker_than(&ours)) {
        // The result is discarded, so not even a password that matched this hash would be accepted.
        let dummy = StoredPassword::argon2id(ours.clone(), vec![0; SALT_BYTES], vec![0; HASH_BYTES]);
        std::hint::black_box(dummy.verify(password)?);
    }
    let Some(stored) = stored else { return Ok(Verdict { matches: false, rehash: false }) };
    let matches = stored.verify(password)?;
    Ok(Verdict { matches, rehash: matches && !stored.is_as_strong_as(&ours) })
}

#[cfg(test)]
mod tests {
    use hufu_types::TestRandom;

    use super::*;

    async fn verify(hasher: &Hasher, password: &str, stored: &str) -> Verdict {
        hasher.verify(password.into(), Some(StoredPassword::parse(stored).unwrap())).await.unwrap()
    }

    const RIGHT: Verdict = Verdict { matches: true, rehash: false };
    const WRONG: Verdict = Verdict { matches: false, rehash: false };
    const RIGHT_BUT_OLD: Verdict = Verdict { matches: true, rehash: true };

    #[tokio::test]
    async fn a_hash_verifies_its_password_and_tells_its_parameters() {
        let (hasher, random) = (Hasher::new(2, 8), TestRandom::new(1));
        let first = hasher.hash("correct horse".into(), &random).await.unwrap();
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        let second = hash("correct horse".into(), &random).await.unwrap();
        assert_ne!(first, second, "each has its own salt");

        for stored in [&first, &second] {
            assert_eq!(verify(&hasher, "correct horse", stored).await, RIGHT);
            assert_eq!(verify(&hasher, "correct horsf", stored).await, WRONG);
        }
    }

    #[tokio::test]
    async fn nobody_matches_where_there_is_no_hash() {
        let hasher = Hasher::new(1, 0);
        for password in ["", "password"] {
            assert_eq!(hasher.verify(password.into(), None).await.unwrap(), WRONG);
        }
    }

    #[tokio::test]
    async fn foreign_and_weaker_hashes_want_to_be_made_anew_once_they_match() {
        let hasher = Hasher::new(1, 1);
        let foreign = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        assert_eq!(verify(&hasher, "U*U", foreign).await, RIGHT_BUT_OLD);
        assert_eq!(verify(&hasher, "U*V", foreign).await, WRONG);

        for (algorithm, memory, passes, verdict) in [
            (Algorithm::Argon2id, 19456, 1, RIGHT_BUT_OLD),
            (Algorithm::Argon2id, 19456 / 2, 4, RIGHT_BUT_OLD),
            (Algorithm::Argon2i, 19456, 2, RIGHT_BUT_OLD),
            (Algorithm::Argon2id, 19456, 3, RIGHT),
            (Algorithm::Argon2id, 19456 * 2, 1, RIGHT),
        ] {
            let mut output = [0; HASH_BYTES];
            let parameters = Params::new(memory, passes, 1, None).unwrap();
            let argon2 = Argon2::new(algorithm, Version::V0x13, parameters);
            argon2.hash_password_into(b"password", &[7; SALT_BYTES], &mut output).unwrap();
            let stored = super::super::phc::format(
                algorithm.as_str(),
                Some(0x13),
                &[("m", memory), ("t", passes), ("p", 1)],
                &[7; SALT_BYTES],
                &output,
            );
            assert_eq!(verify(&hasher, "password", &stored).await, verdict, "{stored}");
        }
    }

    #[test]
    fn what_is_quicker_than_ours_is_known() {
        let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for (stored, quicker) in [
            (format!("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ${hash}"), false),
            (format!("$argon2id$v=19$m=4096,t=3,p=1$c29tZXNhbHQ${hash}"), true),
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(), true),
            ("$2a$12$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(), false),
            (format!("$scrypt$ln=13,r=8,p=1$c29tZXNhbHQ${hash}"), true),
            (format!("$scrypt$ln=14,r=8,p=1$c29tZXNhbHQ${hash}"), false),
            (format!("$pbkdf2-sha256$i=29000$c29tZXNhbHQ${hash}"), true),
            (format!("$pbkdf2-sha256$i=600000$c29tZXNhbHQ${hash}"), false),
        ] {
            let parsed = StoredPassword::parse(&stored).unwrap();
            assert_eq!(parsed.is_quicker_than(&Cost::default().parameters().unwrap()), quicker, "{stored}");
        }
    }

    #[tokio::test]
    async fn who_finds_no_place_is_told_so_and_places_come_back() {
        let hasher = Hasher::new(1, 1);
        let random = TestRandom::new(2);
        let (first, second, third) = futures::join!(
            hasher.hash("one".into(), &random),
            hasher.verify("two".into(), None),
            hasher.verify("three".into(), None),
        );
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(third, Err(HashingError::Overloaded)), "{third:?}");
        assert!(hasher.verify("four".into(), None).await.is_ok());
    }

    #[tokio::test]
    async fn work_whose_caller_is_gone_keeps_its_place_until_it_ends() {
        let hasher = Hasher::new(1, 0);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let abandoned = hasher.run(move || wait.recv().map_err(HashingError::failed));
        // Poll once to start the work, then drop it.
        assert!(futures::FutureExt::now_or_never(abandoned).is_none());
        assert!(matches!(hasher.verify("x".into(), None).await, Err(HashingError::Overloaded)));
        go.send(()).unwrap();
        let freed = hasher.places.acquire().await.unwrap();
        drop(freed);
        assert_eq!(hasher.verify("x".into(), None).await.unwrap(), WRONG);
    }

    #[test]
    fn calibration_measures_and_stays_between_its_bounds() {
        let impatient = calibrate(Duration::ZERO).unwrap();
        assert_eq!(impatient.cost, Cost::default(), "never weaker");
        assert!(impatient.time > Duration::ZERO);
        let patient = calibrate(impatient.time * 4).unwrap();
        assert!(patient.cost == Cost::default() || patient.time <= impatient.time * 4);
        assert!(Cost::new(patient.cost.memory_kib(), patient.cost.passes()).is_ok());
    }

    #[test]
    fn costs_that_are_permitted() {
        for (memory, passes) in [(19 * 1024, 2), (7 * 1024, 5), (46 * 1024, 1), (64 * 1024, 3)] {
            assert!(Cost::new(memory, passes).is_ok());
        }
        for (memory, passes) in
            [(19 * 1024, 1), (7 * 1024, 4), (1024, 50), (2 * 1024 * 1024, 2), (19 * 1024, 101)]
        {
            assert!(Cost::new(memory, passes).is_err());
        }
    }

    #[tokio::test]
    async fn a_cost_that_was_raised_makes_old_hashes_anew() {
        let (usual, random) = (Hasher::new(1, 1), TestRandom::new(3));
        let raised = Hasher::new(1, 1).with_cost(Cost::new(32 * 1024, 2).unwrap());
        let old = usual.hash("password".into(), &random).await.unwrap();
        let new = raised.hash("password".into(), &random).await.unwrap();
        assert!(new.starts_with("$argon2id$v=19$m=32768,t=2,p=1$"), "{new}");
        assert_eq!(verify(&raised, "password", &old).await, RIGHT_BUT_OLD);
        assert_eq!(verify(&raised, "password", &new).await, RIGHT);
        assert_eq!(verify(&usual, "password", &new).await, RIGHT, "what is stronger stays");
    }
}
