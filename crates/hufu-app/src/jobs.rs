//! Background work: jobs that units of work put into the queue. Any node may claim and run them.
//!
//! A job is claimed for twice its maximum run time. If its node dies, another node picks it up after that. A
//! job may therefore run twice, and every kind of job must tolerate this. Each kind has its own lane, so that
//! slow webhook receivers do not delay messages.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use futures::FutureExt as _;
use hufu_store::deliveries::WEBHOOK_JOB;
use hufu_store::endings::LOGOUT_JOB;
use hufu_store::jobs::{Claim, End, EndJob, Job};
use hufu_store::pool_removal::POOL_JOB;
use hufu_store::wechat_messages::RELAY_JOB;
use hufu_types::{Random, Timestamp};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::administration::INVITATION_JOB;
use crate::credentials::MESSAGE_JOB;
use crate::people::notices::NOTICE_JOB;
use crate::sources::availability::PROBE_JOB;
use crate::{App, Refusal};

/// The outcome of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobOutcome {
    /// It succeeded.
    Done,
    /// It failed and should be retried at this time.
    RetryAt(Timestamp),
    /// It was not attempted and should wait until this time.
    Postponed(Timestamp),
    /// It failed permanently.
    Failed,
}

impl JobOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::RetryAt(_) => "retried",
            Self::Postponed(_) => "put_off",
            Self::Failed => "failed",
        }
    }

    const fn end(self) -> End {
        match self {
            Self::Done | Self::Failed => End::Done,
            Self::RetryAt(at) => End::RetryAt(at),
            Self::Postponed(at) => End::Postponed(at),
        }
    }
}

/// The jobs of one kind, with the number that a node may run concurrently.
struct Lane {
    kind: &'static str,
    free: Arc<Semaphore>,
}

impl App {
    fn lanes(&self) -> Vec<Lane> {
        let lane = |kind, at_once| Lane { kind, free: Arc::new(Semaphore::new(at_once)) };
        vec![
            lane(WEBHOOK_JOB, self.limits.webhook_jobs),
            lane(MESSAGE_JOB, self.limits.message_jobs),
            lane(NOTICE_JOB, self.limits.message_jobs),
            lane(LOGOUT_JOB, self.limits.webhook_jobs),
            lane(PROBE_JOB, self.limits.webhook_at_once),
            lane(RELAY_JOB, self.limits.webhook_jobs),
            lane(POOL_JOB, 1),
            lane(INVITATION_JOB, self.limits.message_jobs),
        ]
    }

    async fn work(&self, job: &Job) -> JobOutcome {
        match job.kind.as_str() {
            WEBHOOK_JOB => self.deliver_webhook(job).await,
            MESSAGE_JOB => self.send_message(job).await,
            NOTICE_JOB => self.send_notice(job).await,
            LOGOUT_JOB => self.tell_of_logout(job).await,
            PROBE_JOB => self.probe_connection(job).await,
            RELAY_JOB => self.relay_message(job).await,
            POOL_JOB => self.erase_pool(job).await,
            INVITATION_JOB => self.send_invitation(job).await,
            // Only known kinds are claimed.
            _ => JobOutcome::Failed,
        }
    }

    /// Runs jobs until the process ends.
    pub async fn run_jobs_forever(self: Arc<Self>) {
        self.run_jobs_until(std::future::pending()).await;
    }

    /// Runs jobs until `stop` completes, then waits for running jobs to finish. This takes at most
    /// [`crate::Limits::job_time`].
    pub async fn run_jobs_until(self: Arc<Self>, stop: impl Future<Output = ()> + Send) {
        let lanes = self.lanes();
        let mut running = JoinSet::new();
        let mut tick = tokio::time::interval(self.limits.job_poll);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut stop = pin!(stop);
        loop {
            for lane in &lanes {
                match self.claim(lane.kind, lane.free.available_permits()).await {
                    Ok(jobs) => {
                        for job in jobs {
                            let (app, place) =
                                (Arc::clone(&self), Arc::clone(&lane.free).try_acquire_owned());
                            running.spawn(async move {
                                app.run_job(&job).await;
                                drop(place);
                            });
                        }
                    }
                    Err(error) => tracing::error!(
                        kind = lane.kind,
                        error = hufu_types::chain(&error),
                        "jobs cannot be taken from the queue"
                    ),
                }
            }
            tokio::select! {
                () = &mut stop => break,
                Some(_) = running.join_next() => {}
                () = self.jobs_waiting.notified() => {}
                _ = tick.tick() => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Runs all jobs that are due now and returns how many. For tests, where the clock does not advance.
    #[boxed]
    pub async fn run_due_jobs(&self) -> usize {
        let mut done = 0;
        loop {
            let before = done;
            for lane in self.lanes() {
                let jobs = self.claim(lane.kind, lane.free.available_permits()).await.unwrap_or_default();
                done += jobs.len();
                futures::future::join_all(jobs.iter().map(|job| self.run_job(job))).await;
            }
            if done == before {
                return done;
            }
        }
    }

    async fn claim(&self, kind: &'static str, room: usize) -> Result<Vec<Job>, Refusal> {
        if room == 0 {
            return Ok(Vec::new());
        }
        let now = self.now();
        let limit = i64::try_from(room).unwrap_or(i64::MAX);
        let until = now.plus(self.limits.job_time * 2);
        self.write(Claim { kind, now, until, node: self.node.clone(), limit }).await
    }

    async fn run_job(&self, job: &Job) {
        // A panic in one job must not affect others.
        let work = AssertUnwindSafe(self.work(job)).catch_unwind();
        let outcome = match tokio::time::timeout(self.limits.job_time, work).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => {
                metrics::counter!("hufu_panics_total").increment(1);
                self.unfinished_outcome(job, "it panicked")
            }
            Err(_) => self.unfinished_outcome(job, "it took too long"),
        };
        metrics::counter!("hufu_jobs_total", "kind" => job.kind.clone(), "outcome" => outcome.as_str())
            .increment(1);
        let unit = EndJob { id: job.id.clone(), attempts: job.attempts, end: outcome.end() };
        match self.write(unit).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(job = %job.id, kind = job.kind, "the job took so long that another node took it up");
            }
            Err(error) => tracing::error!(
                job = %job.id, kind = job.kind, error = hufu_types::chain(&error),
                "the end of a job cannot be written; it is done again"
            ),
        }
    }

    /// The outcome of a job that panicked or timed out, and so returned none itself.
    fn unfinished_outcome(&self, job: &Job, how: &str) -> JobOutcome {
        tracing::error!(job = %job.id, kind = job.kind, pool = %job.pool, attempts = job.attempts, "a job failed: {how}");
        // A job of the relay may have begun with several messages, and each counts its own attempts.
        if job.attempts >= self.limits.job_tries && job.kind != RELAY_JOB {
            return JobOutcome::Failed;
        }
        JobOutcome::RetryAt(self.retry_at(Duration::from_secs(5), Duration::from_secs(60 * 60), job.attempts))
    }

    /// When to retry something that has failed `attempt` times.
    pub(crate) fn retry_at(&self, first: Duration, longest: Duration, attempt: i64) -> Timestamp {
        self.now().plus(backoff(first, longest, attempt, &*self.random))
    }
}

/// The delay after the `attempt`th failure. Each delay is five times the previous one, up to `longest`, plus
/// up to 20 % jitter, so that jobs that failed together are not retried together.
fn backoff(first: Duration, longest: Duration, attempt: i64, random: &dyn Random) -> Duration {
    let exponent = u32::try_from(attempt.clamp(1, 20) - 1).unwrap_or_default();
    let wait = first.saturating_mul(5_u32.saturating_pow(exponent)).min(longest);
    let mut share = [0; 2];
    random.fill(&mut share);
    wait + wait / 5 * u32::from(u16::from_be_bytes(share)) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use hufu_types::TestRandom;

    use super::*;

    #[test]
    fn the_wait_grows_to_its_limit() {
        let (first, longest) = (Duration::from_secs(5), Duration::from_secs(12 * 60 * 60));
        let random = TestRandom::new(1);
        for (attempt, seconds) in
            [(-1, 5), (0, 5), (1, 5), (2, 25), (3, 125), (4, 625), (5, 3125), (7, 43_200), (i64::MAX, 43_200)]
        {
            for _ in 0..100 {
                let wait = backoff(first, longest, attempt, &random);
                let least = Duration::from_secs(seconds);
                assert!(wait >= least && wait <= least + least / 5, "{attempt}: {wait:?}");
            }
        }
        let waits: std::collections::HashSet<_> =
            (0..10).map(|_| backoff(first, longest, 1, &random)).collect();
        assert!(waits.len() > 1, "they differ");
    }
}
