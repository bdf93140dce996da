//! Argon2 alone: the least that a login by password can cost.

use std::io::Read as _;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use clap::Args;

use crate::generate::{Outcome, say};

/// The server's default cost: memory in KiB, and passes.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
/// The server hashes on as many threads as there are cores, but on no more than these.
pub(crate) const MOST_THREADS: usize = 4;

#[derive(Args)]
pub(crate) struct Options {
    /// The number of threads that hash.
    #[arg(long)]
    threads: usize,
    /// The length of the timed part.
    #[arg(long)]
    seconds: f64,
}

/// Hashes as many passwords as possible. Each thread uses its memory again and again.
pub(crate) fn hash(options: &Options) -> Result<()> {
    let parameters = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| anyhow!("{error}"))?;
    say("begin")?;
    let begin = Instant::now();
    let end = begin + Duration::from_secs_f64(options.seconds);
    let threads: Vec<_> = (0..options.threads)
        .map(|_| {
            let parameters = parameters.clone();
            std::thread::spawn(move || until(end, parameters))
        })
        .collect();
    let mut hashes = 0;
    for thread in threads {
        hashes += thread.join().map_err(|_| anyhow!("a thread ended too early"))??;
    }
    let outcome = Outcome {
        logins: hashes,
        answered: hashes,
        // Every thread has finished its last hash, which may be after the end.
        seconds: begin.elapsed().as_secs_f64(),
        used_up: false,
        p50: 0,
        p99: 0,
        p999: 0,
        max: 0,
    };
    say(&format!("end {}", serde_json::to_string(&outcome)?))?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn until(end: Instant, parameters: Params) -> Result<u64> {
    let mut memory = vec![Block::default(); parameters.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    let mut count = 0;
    while Instant::now() < end {
        let mut out = [0; 32];
        argon2
            .hash_password_into_with_memory(
                b"correct horse battery",
                b"sixteen bytes...",
                &mut out,
                &mut memory,
            )
            .map_err(|error| anyhow!("{error}"))?;
        count += 1;
    }
    Ok(count)
}
