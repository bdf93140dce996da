//! Connections whose app WeChat has taken out of service. WeChat says so to every login; after a few such answers the
//! connection is marked as unavailable, and its logins are refused at once, without a call. A job asks WeChat from time to
//! time whether it serves the app again.
//!
//! The mark is a row that is read with the configuration of its pool, so all nodes learn of it as they learn of every
//! change, and a login through a connection that is available asks nothing. What leads to the mark is counted by each node
//! for itself.

mod unit;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use hufu_store::identities::HasIdentities;
use hufu_store::jobs::Job;
use hufu_store::outages::{Outage, OutagesOf};
use hufu_types::refusal::Code;
use hufu_types::{Connection, ConnectionId, IdentityKind, Timestamp};
use hufu_wechat::{Class, Endpoint};
use serde::{Deserialize, Serialize};

use self::unit::{MarkAvailable, MarkUnavailable};
use crate::address::network_of;
use crate::events::Actor;
use crate::jobs::JobOutcome;
use crate::origin::Origin;
use crate::{App, Refusal, sources};

/// The kind of jobs that ask WeChat whether it serves an app again. The payload is a [`Probed`] as JSON.
pub(crate) const PROBE_JOB: &str = "probe_connection";

/// The outage that a job watches.
#[derive(Serialize, Deserialize)]
struct Probed {
    connection: ConnectionId,
    /// When it began, in milliseconds: a later one has its own job.
    since: i64,
}

/// So many answers in a row that the app is out of service…
const ANSWERS: usize = 3;
/// …within this time…
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// …to so many different people. Whose login WeChat refuses is not known, so their networks are counted.
const PEOPLE: usize = 2;

/// The answers of WeChat that say that the app is frozen, banned or closed.
const OUT_OF_SERVICE: [i64; 6] = [50002, 50004, 50007, 48004, 89013, 45501];
/// The AppID is unknown. If it has worked before, the app was deleted; otherwise it is a mistake in the settings.
const UNKNOWN_APP: i64 = 40013;

/// What this node has heard of its connections.
#[derive(Default)]
pub(crate) struct Circuits {
    runs: Mutex<HashMap<ConnectionId, Vec<Heard>>>,
    /// How many runs there are, so that a login need not lock them.
    open_runs: AtomicUsize,
    /// The connections that have worked since this node started.
    worked: RwLock<HashSet<ConnectionId>>,
}

/// An answer that the app is out of service.
struct Heard {
    at: Timestamp,
    /// Somebody's network, or their OpenID.
    who: Option<String>,
}

/// What an answer of WeChat says about the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// WeChat serves it.
    Served,
    /// WeChat does not serve it.
    OutOfService(i64),
    /// WeChat does not know it.
    Unknown,
    /// Nothing: no answer, or one about something else.
    Nothing,
}

fn verdict<T>(outcome: &Result<T, hufu_wechat::Error>) -> Verdict {
    let Err(error) = outcome else { return Verdict::Served };
    // These calls can be taken from an app whose logins go on, or are about a person.
    let is_about_the_app = !matches!(
        error.endpoint(),
        Endpoint::PhoneNumber | Endpoint::SnsUserInfo | Endpoint::SessionKey | Endpoint::SchemeOrLink
    );
    match (error.errcode(), error.class()) {
        _ if !is_about_the_app => Verdict::Nothing,
        (Some(code), Class::AppDown) if OUT_OF_SERVICE.contains(&code) => Verdict::OutOfService(code),
        (Some(UNKNOWN_APP), Class::Admin) => Verdict::Unknown,
        // WeChat looks at the app before it looks at the code.
        (Some(_), Class::User) => Verdict::Served,
        _ => Verdict::Nothing,
    }
}

impl Circuits {
    fn runs(&self) -> MutexGuard<'_, HashMap<ConnectionId, Vec<Heard>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn served(&self, connection: &ConnectionId, is_success: bool) {
        if self.open_runs.load(Ordering::Relaxed) > 0 {
            let mut runs = self.runs();
            runs.remove(connection);
            self.open_runs.store(runs.len(), Ordering::Relaxed);
        }
        if is_success && !self.has_worked(connection) {
            self.worked.write().unwrap_or_else(PoisonError::into_inner).insert(connection.clone());
        }
    }

    fn has_worked(&self, connection: &ConnectionId) -> bool {
        self.worked.read().unwrap_or_else(PoisonError::into_inner).contains(connection)
    }

    /// Counts an answer. Returns whether there have been enough of them.
    fn out_of_service(&self, connection: &ConnectionId, who: Option<String>, now: Timestamp) -> bool {
        let mut runs = self.runs();
        let run = runs.entry(connection.clone()).or_default();
        run.retain(|heard| now.minus(WINDOW) < heard.at);
        run.push(Heard { at: now, who });
        let people: HashSet<_> = run.iter().map(|heard| &heard.who).collect();
        let is_enough = run.len() >= ANSWERS && people.len() >= PEOPLE;
        if is_enough {
            runs.remove(connection);
        } else if run.len() > ANSWERS * 4 {
            // One person who tries again and again. The latest of them, and the first, are enough to know.
            run.drain(1..=ANSWERS);
        }
        self.open_runs.store(runs.len(), Ordering::Relaxed);
        is_enough
    }
}

impl App {
    /// Refuses a login through a connection that is unavailable, before WeChat is called.
    ///
    /// # Errors
    /// [`Code::ConnectionUnavailable`].
    pub(crate) fn require_available(&self, connection: &Connection) -> Result<(), Refusal> {
        if self.config.load().is_available(connection) {
            return Ok(());
        }
        Err(Code::ConnectionUnavailable.with("connection", connection.identifier.to_string()))
    }

    /// Notes what an answer of WeChat says about the app of a connection. To be called with the outcome of each call that
    /// a login makes; a login that succeeds costs nothing here.
    pub(crate) async fn heard<T>(
        &self,
        connection: &Connection,
        ip: Option<&str>,
        outcome: &Result<T, hufu_wechat::Error>,
    ) {
        self.heard_for(connection, || ip.map(network_of), outcome).await;
    }

    /// The same, for somebody who is told from others by `who`.
    pub(crate) async fn heard_for<T>(
        &self,
        connection: &Connection,
        who: impl FnOnce() -> Option<String>,
        outcome: &Result<T, hufu_wechat::Error>,
    ) {
        let errcode = match verdict(outcome) {
            Verdict::Served => return self.circuits.served(&connection.id, outcome.is_ok()),
            Verdict::OutOfService(code) => code,
            Verdict::Unknown if self.has_worked(connection).await => UNKNOWN_APP,
            Verdict::Unknown | Verdict::Nothing => return,
        };
        if self.circuits.out_of_service(&connection.id, who(), self.now()) {
            let rid = outcome.as_ref().err().and_then(hufu_wechat::Error::rid);
            self.mark_unavailable(connection, errcode, rid).await;
        }
    }

    /// Whether anybody has ever logged in through the app of a connection.
    async fn has_worked(&self, connection: &Connection) -> bool {
        if self.circuits.has_worked(&connection.id) {
            return true;
        }
        let key = sources::identity_key(connection, IdentityKind::Openid, "");
        let unit = HasIdentities { pool: connection.pool.clone(), realm: key.realm };
        self.read(unit).await.unwrap_or_default()
    }

    async fn mark_unavailable(&self, connection: &Connection, errcode: i64, rid: Option<&str>) {
        let now = self.now();
        let outage = Outage {
            pool: connection.pool.clone(),
            connection: connection.id.clone(),
            since: now,
            errcode,
            rid: rid.map(str::to_owned),
        };
        let unit = MarkUnavailable {
            outage,
            identifier: connection.identifier.clone(),
            probe_at: now.plus(self.limits.outage_probe),
            trace: self.trace_of_circuit(connection),
        };
        match self.write(unit).await {
            Ok(true) => {
                count_change(connection, "unavailable");
                tracing::error!(pool = %connection.pool, connection = %connection.identifier, errcode, rid, "WeChat has taken the app of this connection out of service: its logins are refused until WeChat serves it again");
                self.reload_config().await;
            }
            // Another node was first, and this one is about to learn of it.
            Ok(false) => self.reload_config().await,
            Err(refusal) => tracing::error!(
                error = hufu_types::chain(&refusal),
                "an unavailable connection cannot be marked as such"
            ),
        }
    }

    /// Takes the mark off a connection, if it has one.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn mark_available(&self, connection: &Connection) -> Result<(), Refusal> {
        let unit = MarkAvailable {
            pool: connection.pool.clone(),
            connection: connection.id.clone(),
            identifier: connection.identifier.clone(),
            trace: self.trace_of_circuit(connection),
        };
        if self.write(unit).await? {
            count_change(connection, "restored");
            tracing::info!(pool = %connection.pool, connection = %connection.identifier, "WeChat serves the app of this connection again");
            self.reload_config().await;
        }
        Ok(())
    }

    fn trace_of_circuit(&self, connection: &Connection) -> crate::events::Trace {
        let origin = Origin::default();
        self.trace(&connection.pool, Some(Actor::system()), None, Some(&connection.id), &origin)
    }

    /// Asks WeChat whether it serves the app of an unavailable connection again.
    pub(crate) async fn probe_connection(&self, job: &Job) -> JobOutcome {
        let again = JobOutcome::Postponed(self.now().plus(self.limits.outage_probe));
        let Ok(Probed { connection: id, since }) = serde_json::from_slice(&job.payload) else {
            return JobOutcome::Failed;
        };
        let config = self.config();
        // A node that has not read the mark yet must not take it for gone.
        let Ok(outages) = self.read(OutagesOf(job.pool.clone())).await else { return again };
        if !outages.iter().any(|outage| outage.connection == id && outage.since.0 == since) {
            return JobOutcome::Done;
        }
        // Its settings cannot be read here; it serves nobody anyway.
        let Some(connection) = config.connection(&id) else { return again };
        let outcome = sources::kind(connection.kind).probe.ask(self, connection).await;
        metrics::counter!("hufu_connection_probes_total", "outcome" => if outcome.is_ok() { "served" } else { "refused" })
            .increment(1);
        match outcome {
            Ok(()) if self.mark_available(connection).await.is_ok() => JobOutcome::Done,
            Ok(()) => again,
            Err(error) => {
                tracing::info!(pool = %connection.pool, connection = %connection.identifier, %error, rid = error.rid(), "the connection is still unavailable");
                again
            }
        }
    }
}

fn count_change(connection: &Connection, to: &'static str) {
    let identifier = connection.identifier.to_string();
    metrics::counter!("hufu_connection_availability_changes_total", "connection" => identifier, "to" => to)
        .increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ConnectionId {
        ConnectionId::parse("6560c0ffee00000000000003").unwrap()
    }

    /// Which of these answers, as seconds and networks, are enough.
    fn enough(answers: &[(u64, &str)]) -> Vec<bool> {
        let circuits = Circuits::default();
        let at = |seconds| Timestamp(1_750_000_000_000).plus(Duration::from_secs(seconds));
        let heard = |(seconds, network): &(u64, &str)| {
            circuits.out_of_service(&id(), Some((*network).to_owned()), at(*seconds))
        };
        answers.iter().map(heard).collect()
    }

    #[test]
    fn three_answers_in_five_minutes_to_two_people() {
        assert_eq!(enough(&[(0, "a"), (1, "b"), (2, "a")]), [false, false, true]);
        assert_eq!(enough(&[(0, "a"), (299, "b"), (299, "c")]), [false, false, true]);
        assert_eq!(enough(&[(0, "a"), (299, "b"), (300, "c")]), [false, false, false], "too long ago");
        assert_eq!(enough(&[(0, "a"), (1, "a"), (2, "a"), (3, "b")]), [false, false, false, true]);
        let mut alone: Vec<_> = (0..100).map(|second| (second, "a")).collect();
        assert!(!enough(&alone).contains(&true), "one person alone");
        alone.push((100, "b"));
        assert_eq!(enough(&alone).last(), Some(&true));
    }

    #[test]
    fn an_answer_that_serves_ends_the_run() {
        let circuits = Circuits::default();
        let now = Timestamp(1_750_000_000_000);
        let heard = |network: &str| circuits.out_of_service(&id(), Some(network.to_owned()), now);
        assert!(!heard("a") && !heard("b"));
        circuits.served(&id(), false);
        assert!(!heard("a") && !heard("b") && heard("c"));
        assert!(!circuits.has_worked(&id()));
        circuits.served(&id(), true);
        assert!(circuits.has_worked(&id()));
    }
}
