//! Hashing and verifying passwords with Argon2id (RFC 9106), in PHC string format.
//!
//! The default is 19 MiB of memory, two passes and one lane, the minimum that the OWASP Password Storage
//! Cheat Sheet recommends. The configuration can demand more ([`Cost`]), and [`calibrate`] measures what a
//! machine can do. Each hash contains its parameters, so they can be raised later. Hashing takes tens of
//! milliseconds of CPU time. It runs outside the asynchronous threads, with limited concurrency, and never
//! inside a unit of work.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};
use async_recursion::async_recursion as boxed;
use hufu_types::Random;
use moka::sync::Cache;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::HashingError;
use super::foreign::StoredPassword;
use super::memory::{Memory, Spares};

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
/// The part of the queue that one network may hold.
const SHARE_OF_QUEUE: usize = 4;
/// Networks that a node remembers, and for how long after their last password.
const NETWORKS: u64 = 100_000;
const REMEMBERED: Duration = Duration::from_secs(60);
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the password matches.
    pub matches: bool,
    /// Whether the hash should be replaced now that the password is known, because it uses another scheme or
    /// is weaker than new ones.
    pub rehash: bool,
    /// The schemes that were computed, in alphabetical order.
    pub work: Vec<String>,
}

/// A turn to hash and verify. Others wait until it is dropped and what was begun in it has ended.
#[derive(Clone, Debug)]
pub struct Turn {
    place: Place,
    _worker: Arc<Worker>,
}

/// A worker at a task. The last that goes while nobody waits frees the memory that was kept for those who do.
#[derive(Debug)]
struct Worker {
    _permits: [OwnedSemaphorePermit; 2],
    places: Arc<Semaphore>,
    queue: usize,
    spares: Arc<Spares>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Whoever holds a place beyond those that run waits.
        if self.places.available_permits() >= self.queue {
            self.spares.clear();
        }
    }
}

impl Turn {
    /// What the network holds of its share. As long as it is kept, so many fewer of its passwords get a turn.
    pub fn place(&self) -> Place {
        self.place.clone()
    }
}

/// A place in the share of a network, if the password comes from one.
#[derive(Clone, Debug, Default)]
pub struct Place {
    _held: Option<Arc<[OwnedSemaphorePermit; 2]>>,
}

/// The share of one network: some places in the queue, and never all that run.
#[derive(Clone, Debug)]
struct Share {
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// Hashes and verifies passwords, with limited concurrency and a limited queue.
#[derive(Clone, Debug)]
pub struct Hasher {
    /// The cost of new hashes.
    cost: Cost,
    /// One permit for each task that is running or waiting.
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
    /// How many tasks may wait.
    queue: usize,
    /// The memory of tasks that are through, for those that wait.
    spares: Arc<Spares>,
    /// The shares of networks, by name.
    shares: Cache<String, Share>,
    /// How many tasks of one network may run, and how many may run or wait.
    share: [usize; 2],
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
    /// Runs up to `concurrency` tasks (at least one) in parallel and queues up to `queue` more. One network may
    /// hold half of the former and a quarter of the latter.
    pub fn new(concurrency: usize, queue: usize) -> Self {
        let concurrency = concurrency.clamp(1, Semaphore::MAX_PERMITS / 2);
        let queue = queue.min(Semaphore::MAX_PERMITS / 2);
        let run = (concurrency / 2).max(1);
        Self {
            cost: Cost::default(),
            places: Arc::new(Semaphore::new(concurrency + queue)),
            running: Arc::new(Semaphore::new(concurrency)),
            queue,
            spares: Arc::default(),
            shares: Cache::builder().max_capacity(NETWORKS).time_to_idle(REMEMBERED).build(),
            share: [run, run + queue / SHARE_OF_QUEUE],
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

    /// Waits for a turn of this network. However many passwords it sends, others find places and workers.
    ///
    /// # Errors
    /// [`HashingError::ShareExhausted`] if too many of the network's passwords wait already, and
    /// [`HashingError::Overloaded`] if too many of all do.
    #[boxed]
    pub async fn turn(&self, network: Option<String>) -> Result<Turn, HashingError> {
        let mut held = None;
        if let Some(network) = network {
            let [run, most] = self.share;
            let share = self.shares.get_with(network, || Share {
                places: Arc::new(Semaphore::new(most)),
                running: Arc::new(Semaphore::new(run)),
            });
            let place = share.places.try_acquire_owned().map_err(|_| HashingError::ShareExhausted)?;
            let running = share.running.acquire_owned().await.map_err(HashingError::failed)?;
            held = Some(Arc::new([place, running]));
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| HashingError::Overloaded)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(HashingError::failed)?;
        let (places, queue, spares) = (Arc::clone(&self.places), self.queue, Arc::clone(&self.spares));
        let worker = Worker { _permits: [place, running], places, queue, spares };
        Ok(Turn { place: Place { _held: held }, _worker: Arc::new(worker) })
    }

    /// Hashes a password with a fresh salt.
    #[boxed]
    pub async fn hash(
        &self,
        turn: &Turn,
        password: SecretString,
        random: &dyn Random,
    ) -> Result<String, HashingError> {
        let (salt, cost) = (salt(random), self.cost);
        self.run(turn, move |memory| hash_now(&password, salt, cost, memory)).await
    }

    /// Verifies a password against the user's hash. Pass `None` if there is no such user, or the user has no
    /// password.
    ///
    /// `schemes` are those of all hashes among which the user's may be. If the password does not match, it is
    /// also verified against a decoy of each other scheme, and of our own. So whether the user exists, and
    /// where the hash comes from, makes no difference to the work.
    #[boxed]
    pub async fn verify(
        &self,
        turn: &Turn,
        password: SecretString,
        stored: Option<StoredPassword>,
        schemes: Vec<String>,
    ) -> Result<Verdict, HashingError> {
        let cost = self.cost;
        self.run(turn, move |memory| verify_now(&password, stored.as_ref(), &schemes, cost, memory)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        turn: &Turn,
        work: impl FnOnce(&mut Memory) -> Result<T, HashingError> + Send + 'static,
    ) -> Result<T, HashingError> {
        self.work.fetch_add(1, Ordering::Relaxed);
        let most = self.cost.parameters()?.block_count();
        let (turn, spares) = (turn.clone(), Arc::clone(&self.spares));
        let work = move || {
            // Held until the work ends, even if the caller is gone.
            let _held = turn;
            let mut memory = spares.take();
            let result = work(&mut memory);
            // Before the turn ends: whoever ends it last frees what nobody waits for.
            spares.give_back(memory, most);
            result
        };
        tokio::task::spawn_blocking(work).await.map_err(HashingError::failed)?
    }
}

/// Hashes a password with a fresh salt and without a concurrency limit, for commands that limit themselves.
pub(crate) async fn hash(password: SecretString, random: &dyn Random) -> Result<String, HashingError> {
    let salt = salt(random);
    let work = move || hash_now(&password, salt, Cost::default(), &mut Memory::default());
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
        verify_now(&SecretString::from("calibration"), None, &[], cost, &mut Memory::default())?;
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

fn hash_now(
    password: &SecretString,
    salt: [u8; SALT_BYTES],
    cost: Cost,
    memory: &mut Memory,
) -> Result<String, HashingError> {
    let parameters = cost.parameters()?;
    let mut hash = vec![0; HASH_BYTES];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters.clone());
    memory.hash(&argon2, password.expose_secret().as_bytes(), &salt, &mut hash)?;
    Ok(StoredPassword::argon2id(parameters, salt.to_vec(), hash).to_string())
}

fn verify_now(
    password: &SecretString,
    stored: Option<&StoredPassword>,
    schemes: &[String],
    cost: Cost,
    memory: &mut Memory,
) -> Result<Verdict, HashingError> {
    let ours = cost.parameters()?;
    let password = password.expose_secret().as_bytes();
    let mut work = BTreeSet::new();
    if let Some(stored) = stored {
        work.insert(stored.scheme());
        if stored.verify(password, memory)? {
            let work = work.into_iter().collect();
            return Ok(Verdict { matches: true, rehash: !stored.is_as_strong_as(&ours), work });
        }
    }
    let own = StoredPassword::argon2id(ours, vec![0; SALT_BYTES], vec![0; HASH_BYTES]);
    for decoy in schemes.iter().filter_map(|scheme| StoredPassword::decoy(scheme)).chain([own]) {
        if work.insert(decoy.scheme()) {
            // The result is discarded, so not even a password that matched a decoy would be accepted.
            std::hint::black_box(decoy.verify(password, memory)?);
        }
    }
    Ok(Verdict { matches: false, rehash: false, work: work.into_iter().collect() })
}

#[cfg(test)]
mod tests {
    use hufu_types::TestRandom;

    use super::*;

    async fn verify(hasher: &Hasher, password: &str, stored: &str) -> (bool, bool) {
        let (turn, stored) = (hasher.turn(None).await.unwrap(), StoredPassword::parse(stored).unwrap());
        let Verdict { matches, rehash, .. } =
            hasher.verify(&turn, password.into(), Some(stored), Vec::new()).await.unwrap();
        (matches, rehash)
    }

    async fn verify_nobody(hasher: &Hasher, password: &str) -> Result<Verdict, HashingError> {
        hasher.verify(&hasher.turn(None).await?, password.into(), None, Vec::new()).await
    }

    async fn hash(hasher: &Hasher, password: &str, random: &TestRandom) -> Result<String, HashingError> {
        hasher.hash(&hasher.turn(None).await?, password.into(), random).await
    }

    /// Whether it matches, and whether it should be hashed anew.
    const RIGHT: (bool, bool) = (true, false);
    const WRONG: (bool, bool) = (false, false);
    const RIGHT_BUT_OLD: (bool, bool) = (true, true);

    #[tokio::test]
    async fn a_hash_verifies_its_password_and_tells_its_parameters() {
        let (hasher, random) = (Hasher::new(2, 8), TestRandom::new(1));
        let first = hash(&hasher, "correct horse", &random).await.unwrap();
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        let second = super::hash("correct horse".into(), &random).await.unwrap();
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
            assert!(!verify_nobody(&hasher, password).await.unwrap().matches);
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

    /// A wrong password costs the same for nobody, for a hash of ours and for one that was imported.
    #[tokio::test]
    async fn a_failed_login_does_the_same_work_whoever_is_meant() {
        let (hasher, random) = (Hasher::new(1, 1), TestRandom::new(4));
        let ours = hash(&hasher, "password", &random).await.unwrap();
        let turn = hasher.turn(None).await.unwrap();
        let bcrypt = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        let pbkdf2 = format!("$pbkdf2-sha256$i=1000,l=32$c29tZXNhbHQ${}", "A".repeat(43));
        let schemes = ["$2a$05$", "$argon2id$v=19$m=19456,t=2,p=1$", "$pbkdf2-sha256$i=1000,l=32$"];
        for stored in [None, Some(ours.as_str()), Some(bcrypt), Some(&pbkdf2)] {
            let stored = stored.map(|text| StoredPassword::parse(text).unwrap());
            let of_pool = schemes.map(str::to_owned).to_vec();
            let verdict = hasher.verify(&turn, "wrong".into(), stored, of_pool).await.unwrap();
            assert_eq!(
                verdict,
                Verdict { matches: false, rehash: false, work: schemes.map(str::to_owned).to_vec() }
            );
        }
        // Without imported hashes there is nothing else to do, and who knows the password knows the account.
        let verdict = hasher.verify(&turn, "wrong".into(), None, Vec::new()).await.unwrap();
        assert_eq!(verdict.work, ["$argon2id$v=19$m=19456,t=2,p=1$"]);
        let stored = Some(StoredPassword::parse(bcrypt).unwrap());
        let of_pool = schemes.map(str::to_owned).to_vec();
        let verdict = hasher.verify(&turn, "U*U".into(), stored, of_pool).await.unwrap();
        assert_eq!(verdict, Verdict { matches: true, rehash: true, work: vec!["$2a$05$".to_owned()] });
    }

    /// A network that sends many passwords holds neither all workers nor the whole queue.
    #[tokio::test]
    async fn no_network_holds_more_than_its_share() {
        let hasher = Hasher::new(2, 8);
        let near = || hasher.turn(Some("203.0.113.9".to_owned()));
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = near().await.unwrap();
        let mut waiting = vec![near(), near()];
        {
            let working = hasher.run(&first, move |_| wait.recv().map_err(HashingError::failed));
            let mut working = std::pin::pin!(working);
            assert!(futures::poll!(working.as_mut()).is_pending());
            // One is at work, two wait, and the others are refused.
            for turn in &mut waiting {
                assert!(futures::poll!(turn).is_pending());
            }
            assert!(matches!(near().await, Err(HashingError::ShareExhausted)));
            // Somebody else gets ahead meanwhile. This would never end if the network held both workers.
            let far = hasher.turn(Some("198.51.100.9".to_owned())).await.unwrap();
            assert!(!hasher.verify(&far, "x".into(), None, Vec::new()).await.unwrap().matches);
            go.send(()).unwrap();
            working.await.unwrap();
        }
        assert!(futures::poll!(&mut waiting[0]).is_pending(), "the turn has not ended");
        drop(first);
        for turn in waiting {
            drop(turn.await.unwrap());
        }
        near().await.unwrap();
    }

    #[tokio::test]
    async fn who_finds_no_place_is_told_so_and_places_come_back() {
        let hasher = Hasher::new(1, 1);
        let random = TestRandom::new(2);
        let (first, second, third) = futures::join!(
            hash(&hasher, "one", &random),
            verify_nobody(&hasher, "two"),
            verify_nobody(&hasher, "three"),
        );
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(third, Err(HashingError::Overloaded)), "{third:?}");
        assert!(verify_nobody(&hasher, "four").await.is_ok());
    }

    #[tokio::test]
    async fn memory_goes_on_to_who_waits_and_is_freed_when_nobody_does() {
        let hasher = Hasher::new(1, 1);
        let at_work = hasher.turn(None).await.unwrap();
        let mut waiting = std::pin::pin!(hasher.turn(None));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        hasher.verify(&at_work, "x".into(), None, Vec::new()).await.unwrap();
        assert_eq!(hasher.spares.blocks(), 19 * 1024);
        drop(at_work);
        let last = waiting.await.unwrap();
        assert_eq!(hasher.spares.blocks(), 19 * 1024);
        hasher.verify(&last, "x".into(), None, Vec::new()).await.unwrap();
        drop(last);
        assert_eq!(hasher.spares.blocks(), 0);
        // Somebody who waited, and then has nothing to hash.
        let at_work = hasher.turn(None).await.unwrap();
        let mut waiting = Box::pin(hasher.turn(None));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        hasher.verify(&at_work, "x".into(), None, Vec::new()).await.unwrap();
        drop(at_work);
        drop(waiting.await.unwrap());
        assert_eq!(hasher.spares.blocks(), 0);
    }

    #[tokio::test]
    async fn work_whose_caller_is_gone_keeps_its_place_until_it_ends() {
        let hasher = Hasher::new(1, 0);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let turn = hasher.turn(None).await.unwrap();
        let abandoned = hasher.run(&turn, move |_| wait.recv().map_err(HashingError::failed));
        // Poll once to start the work, then drop it.
        assert!(futures::FutureExt::now_or_never(abandoned).is_none());
        drop(turn);
        assert!(matches!(verify_nobody(&hasher, "x").await, Err(HashingError::Overloaded)));
        go.send(()).unwrap();
        let freed = hasher.places.acquire().await.unwrap();
        drop(freed);
        assert!(!verify_nobody(&hasher, "x").await.unwrap().matches);
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
        let old = hash(&usual, "password", &random).await.unwrap();
        let new = hash(&raised, "password", &random).await.unwrap();
        assert!(new.starts_with("$argon2id$v=19$m=32768,t=2,p=1$"), "{new}");
        assert_eq!(verify(&raised, "password", &old).await, RIGHT_BUT_OLD);
        assert_eq!(verify(&raised, "password", &new).await, RIGHT);
        assert_eq!(verify(&usual, "password", &new).await, RIGHT, "what is stronger stays");
    }
}
