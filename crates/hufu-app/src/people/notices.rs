//! Telling the owner of an account that a way to log in was added, by the verified phone number and e-mail
//! address that the account had before. So whoever takes an account over does not stay unseen.

use std::time::Duration;

use hufu_connect::TemplateKind;
use hufu_connect::templates::{AddedWay, Notice};
use hufu_store::jobs::{self, Job, NewJob};
use hufu_store::passcodes::Target;
use hufu_store::rates::Limit;
use hufu_store::{StoreError, Tx, users};
use hufu_types::{Action, ApplicationId, Email, Language, PasscodeChannel, Phone, PoolId, User, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::App;
use crate::credentials::messages::{Content, NotSent};
use crate::events::{Event, Recorder};
use crate::jobs::JobOutcome;
use crate::limits::{NOTICE_WINDOW, NOTICES_PER_ACCOUNT};

/// The kind of jobs that send notices. The payload is a [`StoredNotice`] as JSON.
pub(crate) const NOTICE_JOB: &str = "notice";

/// The shortest and the longest delay before a notice is sent again.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// A notice that waits to be sent. It contains no secrets.
#[derive(Serialize, Deserialize)]
struct StoredNotice {
    channel: PasscodeChannel,
    to: String,
    way: AddedWay,
    language: Language,
    application: Option<ApplicationId>,
}

/// Records that a way to log in is added to an account, and queues the notices to its owner. To be called
/// before it is written, so that the owner is told by what the account had before.
pub(crate) async fn way_in_added(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    user: &UserId,
    way: AddedWay,
) -> Result<(), StoreError> {
    let mut rows = users::with_merged(tx, pool, user).await?;
    // The account's own ones first.
    rows.sort_by_key(|row| row.id != *user);
    let phone = rows.iter().find_map(User::vouched_phone).cloned().map(Target::Phone);
    let email = rows.iter().find_map(User::vouched_email).cloned().map(Target::Email);
    let told: Vec<&str> = email.iter().chain(&phone).map(|to| to.channel().as_str()).collect();
    let (details, is_told) = (json!({ "way": way.as_str(), "told": told }), !told.is_empty());
    events.record(tx, pool, Event::of(Action::WayInAdded, user).with(details)).await?;
    if !is_told {
        return Ok(());
    }
    let limit =
        Limit { name: format!("notices:{pool}:{user}"), most: NOTICES_PER_ACCOUNT, window: NOTICE_WINDOW };
    if limit.take(tx, events.now()).await?.is_none() {
        return Ok(());
    }
    // The language of the request is that of whoever adds it, who may be somebody else.
    let locale = rows.iter().find_map(|row| row.profile.locale.as_deref());
    let language = locale.and_then(Language::of_tag).unwrap_or_default();
    for to in email.iter().chain(&phone) {
        let notice = StoredNotice {
            channel: to.channel(),
            to: to.as_str().to_owned(),
            way,
            language,
            application: events.application().cloned(),
        };
        let job = NewJob {
            id: events.job_id()?,
            kind: NOTICE_JOB,
            pool: pool.clone(),
            payload: serde_json::to_vec(&notice)?,
            run_at: events.now(),
        };
        jobs::enqueue(tx, &job).await?;
    }
    Ok(())
}

impl App {
    /// Sends a queued notice. A pool without a sender, and a sender without a template for notices, send none.
    pub(crate) async fn send_notice(&self, job: &Job) -> JobOutcome {
        let Some((to, notice)) = read(&job.payload) else {
            tracing::error!(pool = %job.pool, job = %job.id, "a notice is not what this version writes");
            return JobOutcome::Failed;
        };
        let config = self.config();
        let application = notice.application.as_ref().and_then(|id| config.application(id.as_str()));
        let app = application.map(|application| application.name.as_str());
        let app = app.or_else(|| config.pool_name(&job.pool)).unwrap_or_default();
        let content = Content::Notice(Notice { app, way: notice.way });
        match self.send_to(&job.pool, to, TemplateKind::NewWayIn, notice.language, content).await {
            Ok(()) | Err(NotSent::NoSender | NotSent::NoTemplate) => JobOutcome::Done,
            Err(NotSent::NotTried) => JobOutcome::Postponed(self.now().plus(FIRST_WAIT)),
            Err(NotSent::Reason(reason)) => {
                tracing::error!(pool = %job.pool, job = %job.id, "a notice was not sent: {reason}");
                JobOutcome::Failed
            }
            Err(NotSent::Failed(error)) => {
                let (provider, code) = (error.provider(), error.code());
                let text = hufu_types::chain(&error);
                tracing::warn!(pool = %job.pool, provider, code, error = text, attempts = job.attempts, "a notice was not sent");
                if error.is_permanent() || job.attempts >= self.limits.job_tries {
                    JobOutcome::Failed
                } else {
                    JobOutcome::RetryAt(self.retry_at(FIRST_WAIT, LONGEST_WAIT, job.attempts))
                }
            }
        }
    }
}

fn read(payload: &[u8]) -> Option<(Target, StoredNotice)> {
    let notice: StoredNotice = serde_json::from_slice(payload).ok()?;
    let to = match notice.channel {
        PasscodeChannel::Sms => Target::Phone(Phone::parse(&notice.to).ok()?),
        PasscodeChannel::Email => Target::Email(Email::parse(&notice.to).ok()?),
    };
    Some((to, notice))
}
