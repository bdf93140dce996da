//! Passing messages on to the owner's own server, as WeChat would have sent them: signed with the server's token, and
//! encrypted with its key. Messages of one follower arrive in order, one after another. What the server answers is not
//! passed on to the follower: it comes too late. It is not kept either, because it may say what the follower is told.
//!
//! Each message has a job, and any job of a follower passes on what comes next. So as long as a message waits there is a job
//! for it, however the messages before it fare.

use async_recursion::async_recursion as boxed;
use hufu_connect::{OutgoingError, guarded};
use hufu_store::deliveries::{Attempt, DeliveryState};
use hufu_store::jobs::Job;
use hufu_store::wechat_messages::{Line, ListRelayed, Next, RecordRelay, Relayed, TakeNext};
use hufu_types::refusal::Code;
use hufu_types::{Connection, ConnectionKind, Permission, PoolId, PoolState, PushedMessageId};
use hufu_wechat::message::{Message, signed_push};
use url::Url;

use super::account::{Account, RelayTarget};
use crate::jobs::JobOutcome;
use crate::sources::wechat::app_id;
use crate::webhooks::{REST_OF_CLOSED, USER_AGENT, start_of};
use crate::{App, Refusal};

/// What a stored message is sealed for.
pub(super) fn context(pool: &PoolId, id: &PushedMessageId) -> String {
    format!("wechat_message:{pool}:{id}")
}

/// A page of the log of passed-on messages.
#[derive(Clone, Debug)]
pub struct RelayPage {
    /// Newest first.
    pub messages: Vec<Relayed>,
    /// The `before` of the next page, if there may be one.
    pub next: Option<PushedMessageId>,
}

impl App {
    /// Passes on the messages of a follower that have not been, oldest first, as far as they get in the time of a job.
    pub(crate) async fn relay_message(&self, job: &Job) -> JobOutcome {
        let Some(line) = Line::parse(&job.payload) else { return JobOutcome::Failed };
        match self.relay(&job.pool, line).await {
            Ok(outcome) => outcome,
            Err(refusal) => {
                tracing::error!(
                    job = %job.id, pool = %job.pool, error = hufu_types::chain(&refusal),
                    "a message cannot be read or recorded; it is tried again"
                );
                let (first, longest) = (self.limits.webhook_retry_first, self.limits.relay_retry_longest);
                JobOutcome::RetryAt(self.retry_at(first, longest, job.attempts))
            }
        }
    }

    async fn relay(&self, pool: &PoolId, line: Line) -> Result<JobOutcome, Refusal> {
        let (now, begun) = (self.now(), tokio::time::Instant::now());
        let config = self.config();
        let connection = config.connection(&line.connection).filter(|connection| connection.pool == *pool);
        // Its messages were deleted with it.
        let Some(connection) = connection else { return Ok(JobOutcome::Done) };
        if config.state(pool) != PoolState::On {
            return Ok(JobOutcome::Postponed(now.plus(REST_OF_CLOSED)));
        }
        let place = self.receivers.enter(connection.id.as_str(), self.limits.webhook_at_once, now);
        let _place = match place {
            Ok(place) => place,
            Err(rest) => {
                return Ok(JobOutcome::Postponed(rest.unwrap_or_else(|| now.plus(self.limits.job_poll))));
            }
        };
        loop {
            if let Some(outcome) = self.relay_next(connection, &line).await? {
                return Ok(outcome);
            }
            // What is begun has to end within the time of the job.
            if begun.elapsed() > self.limits.job_time / 4 {
                return Ok(JobOutcome::Postponed(self.now()));
            }
        }
    }

    /// Passes on the oldest message of a line. Nothing is returned if the next one can follow: jobs that found this one
    /// under way wait for much longer.
    async fn relay_next(&self, connection: &Connection, line: &Line) -> Result<Option<JobOutcome>, Refusal> {
        let (pool, now) = (&connection.pool, self.now());
        let until = now.plus(self.limits.job_time * 2);
        let take = TakeNext { pool: pool.clone(), line: line.clone(), now, until };
        let (id, body, attempts) = match self.write(take).await? {
            Next::Nothing => return Ok(Some(JobOutcome::Done)),
            // Not much later, however long the other job may take in the worst case.
            Next::NotBefore(at) => {
                let at = at.min(now.plus(self.limits.relay_retry_longest));
                return Ok(Some(JobOutcome::Postponed(at)));
            }
            Next::Message { id, body, attempts } => (id, body, attempts),
        };
        let attempt = if attempts > self.limits.relay_attempts {
            given_up("no attempt came to an end")
        } else {
            self.send_on(connection, &id, &body, attempts).await.unwrap_or_else(given_up)
        };
        // The message counts its attempts. The job may have made some for other messages, and counts none.
        let outcome = attempt.next.map(JobOutcome::Postponed);
        metrics::counter!("hufu_wechat_relayed_total", "outcome" => attempt.state.as_str()).increment(1);
        if attempt.state == DeliveryState::Failed {
            let connection = &connection.identifier;
            tracing::warn!(%pool, %connection, message = %id, status = attempt.status, "a message was not passed on");
        }
        self.write(RecordRelay { pool: pool.clone(), id, attempt, now: self.now() }).await?;
        Ok(outcome)
    }

    /// Sends a message, or says why that is not possible.
    async fn send_on(
        &self,
        connection: &Connection,
        id: &PushedMessageId,
        sealed: &[u8],
        attempts: i64,
    ) -> Result<Attempt, &'static str> {
        let target = Account::of(connection).relay().ok_or("the relay was switched off")?;
        let opened = self.sealing.open(&context(&connection.pool, id), sealed);
        let body = opened.map_err(|_| "the message cannot be opened")?;
        let message = Message::parse(body.expose()).map_err(|_| "the message cannot be read")?;
        let mut url = Url::parse(&target.url).map_err(|_| "the address is not valid")?;
        let push = self.push_for(connection, &target, &message, body.expose());
        url.query_pairs_mut().extend_pairs(&push.query);
        let headers = [("content-type", push.content_type), ("user-agent", USER_AGENT)];
        let answer = self.sender_context.http.post(url.as_str(), &headers, push.body).await;
        Ok(self.relay_attempt(answer, &message.from_user, attempts))
    }

    fn push_for(
        &self,
        connection: &Connection,
        target: &RelayTarget,
        message: &Message,
        body: &[u8],
    ) -> hufu_wechat::message::Push {
        let (mut random, mut nonce) = ([0; 16], [0; 8]);
        self.random.fill(&mut random);
        self.random.fill(&mut nonce);
        let nonce = u64::from_be_bytes(nonce).to_string();
        let key = target.key.as_ref().map(|key| (key, app_id(connection)));
        let (to, from, now) = (&message.to_user, &message.from_user, self.now().seconds());
        signed_push(&target.token, key, to, from, body, &random, now, &nonce)
    }

    fn relay_attempt(
        &self,
        answer: Result<guarded::Response, OutgoingError>,
        openid: &str,
        attempts: i64,
    ) -> Attempt {
        let (status, response) = match &answer {
            Ok(answer) if answer.is_success() => (Some(i64::from(answer.status)), String::new()),
            Ok(answer) => (Some(i64::from(answer.status)), what_went_wrong(&answer.body, openid)),
            Err(error) => (None, format!("{}: {error}", error.code())),
        };
        let is_hopeless = answer.as_ref().is_err_and(OutgoingError::is_permanent);
        let attempt = |state, next| Attempt { sent: true, state, next, status, response };
        if answer.is_ok_and(|answer| answer.is_success()) {
            return attempt(DeliveryState::Delivered, None);
        }
        if is_hopeless || attempts >= self.limits.relay_attempts {
            return attempt(DeliveryState::Failed, None);
        }
        let (first, longest) = (self.limits.webhook_retry_first, self.limits.relay_retry_longest);
        attempt(DeliveryState::Pending, Some(self.retry_at(first, longest, attempts)))
    }

    /// The log of an account's messages that were or are to be passed on, for administrators. The connection is named by
    /// its identifier or id.
    ///
    /// # Errors
    /// [`Code::NotPermitted`]; [`Code::NoSuchConnection`].
    #[boxed]
    pub async fn relayed_messages(
        &self,
        by: &crate::AdminCaller,
        pool: &PoolId,
        identifier: &str,
        state: Option<DeliveryState>,
        before: Option<PushedMessageId>,
        limit: usize,
    ) -> Result<RelayPage, Refusal> {
        self.permit_configuration(by, Permission::ReadConfiguration, pool).await?;
        let config = self.config();
        let is_named = |of: &&std::sync::Arc<Connection>| {
            of.identifier.as_str() == identifier || of.id.as_str() == identifier
        };
        let connection = config.connections(pool).iter().find(is_named);
        let connection = connection.filter(|of| of.kind == ConnectionKind::WechatOfficialAccount);
        let connection = connection.ok_or(Code::NoSuchConnection)?.id.clone();
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let unit = ListRelayed { pool: pool.clone(), connection, state, before, limit: rows };
        let messages = self.read(unit).await?;
        let next = if messages.len() < limit { None } else { messages.last().map(|last| last.id.clone()) };
        Ok(RelayPage { messages, next })
    }
}

/// What an answer says of a failure: its beginning as text, up to what looks like XML, which may be a reply to the follower,
/// and without whose message it was.
fn what_went_wrong(body: &[u8], openid: &str) -> String {
    let text = start_of(body).replace(openid, "…");
    text.split_once('<').map_or(text.as_str(), |(before, _)| before).trim_end().to_owned()
}

fn given_up(why: &str) -> Attempt {
    Attempt { sent: false, state: DeliveryState::Failed, next: None, status: None, response: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_an_answer_is_no_reply() {
        for (body, kept) in [
            ("out of order", "out of order"),
            ("no room for oFollower: try later", "no room for …: try later"),
            ("warning: x\n<xml><Content>secret</Content></xml>", "warning: x"),
            ("<xml><ToUserName>oFollower</ToUserName></xml>", ""),
            ("", ""),
        ] {
            assert_eq!(what_went_wrong(body.as_bytes(), "oFollower"), kept);
        }
        assert!(what_went_wrong(&vec![b'a'; 100_000], "o").len() < 10_000);
    }
}
