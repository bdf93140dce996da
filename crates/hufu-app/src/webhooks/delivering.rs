//! Sending one delivery, and evaluating the response.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hufu_connect::signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use hufu_connect::{OutgoingError, guarded};
use hufu_protocol::SecretBytes;
use hufu_store::deliveries::{Attempt, DeliveryState, Destination, Outgoing, PING, ReadOutgoing};
use hufu_store::jobs::Job;
use hufu_types::{DeliveryId, PoolId, PoolState, Timestamp, WebhookId};

use super::deliveries::RecordAttempt;
use super::secret_context;
use crate::jobs::JobOutcome;
use crate::{App, Refusal};

/// How long deliveries of a pool that serves nobody rest before they are looked at again.
pub(crate) const REST_OF_CLOSED: Duration = Duration::from_secs(60);
/// How much of a response body is stored, in bytes.
const KEPT_ANSWER: usize = 1024;
/// The `User-Agent` of deliveries.
pub(crate) const USER_AGENT: &str = concat!("Hufu/", env!("CARGO_PKG_VERSION"));

/// What this node knows about receivers: webhooks, and the servers that messages of official accounts are passed on to,
/// each by its id. A slow or silent receiver must not take every slot of the lane,
/// because it would hold up all others.
#[derive(Debug, Default)]
pub(crate) struct Receivers(Mutex<HashMap<String, Receiver>>);

#[derive(Clone, Copy, Debug, Default)]
struct Receiver {
    /// Deliveries in progress.
    under_way: usize,
    /// Consecutive attempts without a response.
    consecutive_timeouts: i64,
    /// Nothing is sent before this time.
    paused_until: Option<Timestamp>,
}

impl Receivers {
    fn with<T>(&self, receiver: &str, work: impl FnOnce(&mut Receiver) -> T) -> T {
        let mut receivers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = receivers.entry(receiver.to_owned()).or_default();
        let out = work(state);
        if state.under_way == 0 && state.consecutive_timeouts == 0 {
            receivers.remove(receiver);
        }
        out
    }

    /// Reserves a slot for a delivery to this receiver.
    ///
    /// # Errors
    /// The time until which the receiver is paused, or none if `at_once` deliveries are already in progress.
    pub(crate) fn enter(
        &self,
        receiver: &str,
        at_once: usize,
        now: Timestamp,
    ) -> Result<DeliveryPermit<'_>, Option<Timestamp>> {
        self.with(receiver, |state| {
            if let Some(until) = state.paused_until.filter(|until| *until > now) {
                return Err(Some(until));
            }
            if state.under_way >= at_once {
                return Err(None);
            }
            state.under_way += 1;
            Ok(DeliveryPermit { receivers: self, receiver: receiver.to_owned() })
        })
    }
}

/// A delivery in progress.
pub(crate) struct DeliveryPermit<'a> {
    receivers: &'a Receivers,
    receiver: String,
}

impl Drop for DeliveryPermit<'_> {
    fn drop(&mut self) {
        self.receivers.with(&self.receiver, |state| state.under_way = state.under_way.saturating_sub(1));
    }
}

impl App {
    /// Sends the delivery of a job, and records the result.
    pub(crate) async fn deliver_webhook(&self, job: &Job) -> JobOutcome {
        match self.deliver(job).await {
            Ok(outcome) => outcome,
            Err(refusal) => {
                tracing::error!(
                    job = %job.id, pool = %job.pool, error = hufu_types::chain(&refusal),
                    "a delivery cannot be read or recorded; it is tried again"
                );
                let (first, longest) = (self.limits.webhook_retry_first, self.limits.webhook_retry_longest);
                JobOutcome::RetryAt(self.retry_at(first, longest, job.attempts))
            }
        }
    }

    async fn deliver(&self, job: &Job) -> Result<JobOutcome, Refusal> {
        let id = std::str::from_utf8(&job.payload).ok().and_then(|text| DeliveryId::parse(text).ok());
        let Some(id) = id else { return Ok(JobOutcome::Failed) };
        let pool = &job.pool;
        // If a node crashed after a successful delivery and before finishing the job, the delivery is not
        // sent again.
        let outgoing = self.read(ReadOutgoing(pool.clone(), id.clone())).await?;
        let Some(outgoing) = outgoing else { return Ok(JobOutcome::Done) };
        if self.config().state(pool) != PoolState::On {
            return Ok(JobOutcome::Postponed(self.now().plus(REST_OF_CLOSED)));
        }
        let attempt = match self.ready(pool, &outgoing) {
            Err(why) => given_up(why),
            Ok((destination, secrets)) => {
                let now = self.now();
                let place = self.receivers.enter(outgoing.webhook.as_str(), self.limits.webhook_at_once, now);
                let Ok(place) = place else {
                    let rest = place.err().flatten();
                    return Ok(JobOutcome::Postponed(rest.unwrap_or_else(|| now.plus(self.limits.job_poll))));
                };
                let answer = self.send(&id, destination, &secrets, &outgoing.body).await;
                let paused_until = self.record_timeout(&outgoing.webhook, &answer);
                drop(place);
                self.attempt_of(answer, job.attempts, paused_until)
            }
        };
        let outcome = match attempt.next {
            Some(next) => JobOutcome::RetryAt(next),
            None if attempt.state == DeliveryState::Delivered => JobOutcome::Done,
            None => JobOutcome::Failed,
        };
        self.record_attempt(pool, id, &outgoing, attempt).await?;
        Ok(outcome)
    }

    /// The destination of a delivery and the secrets to sign it with, or the reason that it cannot be sent.
    fn ready<'o>(
        &self,
        pool: &PoolId,
        outgoing: &'o Outgoing,
    ) -> Result<(&'o Destination, Vec<SecretBytes>), &'static str> {
        let destination = outgoing.to.as_ref().ok_or("the webhook was deleted")?;
        if !destination.enabled && outgoing.action != PING {
            return Err("the webhook is switched off");
        }
        let context = secret_context(pool, &outgoing.webhook);
        let open = |sealed: &[u8]| self.sealing.open(&context, sealed);
        let mut secrets = vec![open(&destination.secret).map_err(|error| {
            tracing::error!(%pool, webhook = %outgoing.webhook, %error, "a webhook's secret cannot be opened");
            "the webhook's secret cannot be opened"
        })?];
        if let Some((previous, until)) = &destination.previous
            && *until > self.now()
        {
            secrets.extend(open(previous).ok());
        }
        Ok((destination, secrets))
    }

    async fn send(
        &self,
        id: &DeliveryId,
        to: &Destination,
        secrets: &[SecretBytes],
        body: &str,
    ) -> Result<guarded::Response, OutgoingError> {
        let (id, seconds) = (id.as_str(), self.now().seconds());
        let signatures: Vec<String> =
            secrets.iter().map(|secret| sign(secret.expose(), id, seconds, body.as_bytes())).collect();
        let headers = [
            (ID_HEADER, id),
            (TIMESTAMP_HEADER, &seconds.to_string()),
            (SIGNATURE_HEADER, &signatures.join(" ")),
            ("content-type", "application/json"),
            ("user-agent", USER_AGENT),
        ];
        self.sender_context.http.post(&to.url, &headers, body.as_bytes().to_vec()).await
    }

    /// Pauses a receiver that does not respond: each call would take up a slot of the lane until it times
    /// out.
    fn record_timeout(
        &self,
        webhook: &WebhookId,
        answer: &Result<guarded::Response, OutgoingError>,
    ) -> Option<Timestamp> {
        let silent = matches!(
            answer,
            Err(OutgoingError::Timeout
                | OutgoingError::Connect(_)
                | OutgoingError::Http(_)
                | OutgoingError::Resolve)
        );
        self.receivers.with(webhook.as_str(), |receiver| {
            receiver.consecutive_timeouts = if silent { receiver.consecutive_timeouts + 1 } else { 0 };
            let rest = |n: i64| {
                self.limits.webhook_retry_first * (1 << u32::try_from(n.clamp(1, 6) - 1).unwrap_or(0))
            };
            receiver.paused_until = silent.then(|| self.now().plus(rest(receiver.consecutive_timeouts)));
            receiver.paused_until
        })
    }

    fn attempt_of(
        &self,
        answer: Result<guarded::Response, OutgoingError>,
        tries: i64,
        paused_until: Option<Timestamp>,
    ) -> Attempt {
        let (status, response, hopeless) = match &answer {
            // 410 Gone: the receiver wants no more deliveries.
            Ok(answer) => (Some(i64::from(answer.status)), start_of(&answer.body), answer.status == 410),
            Err(error) => (None, format!("{}: {error}", error.code()), error.is_permanent()),
        };
        let attempt = |state, next| Attempt { sent: true, state, next, status, response };
        if answer.is_ok_and(|answer| answer.is_success()) {
            return attempt(DeliveryState::Delivered, None);
        }
        if hopeless || tries >= self.limits.webhook_attempts {
            return attempt(DeliveryState::Failed, None);
        }
        let (first, longest) = (self.limits.webhook_retry_first, self.limits.webhook_retry_longest);
        let next = self.retry_at(first, longest, tries);
        attempt(DeliveryState::Pending, Some(paused_until.map_or(next, |rest| rest.max(next))))
    }

    async fn record_attempt(
        &self,
        pool: &PoolId,
        id: DeliveryId,
        outgoing: &Outgoing,
        attempt: Attempt,
    ) -> Result<(), Refusal> {
        let (state, status) = (attempt.state, attempt.status);
        metrics::counter!("hufu_webhook_deliveries_total", "outcome" => match state {
            DeliveryState::Pending => "retried",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Failed => "failed",
        })
        .increment(1);
        let unit = RecordAttempt { pool: pool.clone(), id: id.clone(), attempt, now: self.now() };
        let failures = self.write(unit).await?;
        if state == DeliveryState::Failed {
            let webhook = &outgoing.webhook;
            tracing::warn!(%pool, %webhook, delivery = %id, status, failures, "a delivery was given up");
            if failures == self.limits.webhook_give_up {
                metrics::counter!("hufu_webhooks_failing_total").increment(1);
                tracing::error!(%pool, %webhook, failures, "a webhook takes nothing any more");
            }
        }
        Ok(())
    }
}

fn given_up(why: &str) -> Attempt {
    Attempt { sent: false, state: DeliveryState::Failed, next: None, status: None, response: why.to_owned() }
}

/// The beginning of a response as text. Control characters except line feeds are replaced by spaces.
pub(crate) fn start_of(body: &[u8]) -> String {
    let start = body.get(..KEPT_ANSWER).unwrap_or(body);
    let mut text = String::from_utf8_lossy(start).replace(|c: char| c.is_control() && c != '\n', " ");
    while text.len() > KEPT_ANSWER {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_an_answer_is_short_text() {
        assert_eq!(start_of(b"ok\r\n\0\x1b[31m"), "ok \n  [31m");
        assert_eq!(start_of("虎".repeat(1000).as_bytes()).chars().next(), Some('虎'));
        for body in ["虎".repeat(1000).into_bytes(), vec![0xff; 5000], vec![b'a'; 5000]] {
            assert!(start_of(&body).len() <= KEPT_ANSWER);
        }
    }

    #[test]
    fn a_receiver_that_rests_takes_no_place() {
        let receivers = Receivers::default();
        let webhook = "w";
        let now = Timestamp(1000);
        let one = receivers.enter(webhook, 2, now).ok().unwrap();
        let two = receivers.enter(webhook, 2, now).ok().unwrap();
        assert_eq!(receivers.enter(webhook, 2, now).err(), Some(None));
        receivers.with(webhook, |receiver| {
            receiver.consecutive_timeouts = 1;
            receiver.paused_until = Some(Timestamp(2000));
        });
        drop((one, two));
        assert_eq!(receivers.enter(webhook, 2, now).err(), Some(Some(Timestamp(2000))));
        drop(receivers.enter(webhook, 2, Timestamp(2000)).ok().unwrap());
        receivers.with(webhook, |receiver| receiver.consecutive_timeouts = 0);
        assert!(receivers.0.lock().unwrap().is_empty(), "nothing is kept of who answers");
    }
}
