//! Codes and the messages that deliver them.
//!
//! A code is stored as a keyed hash. Its message waits in the job queue, sealed, and is sent by whichever
//! node takes the job, so that a slow or broken sender does not block any request.

mod unit;

use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use hufu_connect::sms::Sms;
use hufu_connect::templates::{Notice, Values};
use hufu_connect::{Fault, Mail, Mailer, SendError, SmsSender, TemplateKind};
use hufu_store::jobs::{Job, NewJob};
use hufu_store::rates::Limit;
use hufu_store::senders::{ReadSenders, SenderKind};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{
    Application, Email, JobId, Language, PasscodeChannel, PasscodePurpose, Phone, PoolId, Random, Timestamp,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::Target;
use crate::address::{network_of, site_of};
use crate::configuration::senders::SenderSettings;
use crate::jobs::JobOutcome;
use crate::{App, Origin, Refusal};
use unit::{SendCode, Sent};

/// The kind of jobs that send messages. The payload is a sealed [`Message`].
pub(crate) const MESSAGE_JOB: &str = "message";

/// Number of digits of a code.
const DIGITS: usize = 6;
/// Number of possible codes.
const CODES: u32 = 1_000_000;
/// The shortest and the longest delay before a message is sent again.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A message waiting to be sent.
#[derive(Serialize, Deserialize)]
struct Message {
    channel: PasscodeChannel,
    target: String,
    code: String,
    template: TemplateKind,
    language: Language,
    app: String,
    minutes: u32,
    expires_at: Timestamp,
    /// Whether this message is a decoy that is never sent. It exists so that nobody can tell the difference.
    suppressed: bool,
}

impl Drop for Message {
    fn drop(&mut self) {
        self.code.zeroize();
    }
}

impl App {
    /// Sends a code. Codes for resetting a password or unlocking are only sent if the account exists;
    /// otherwise the response is the same, but no message is sent.
    #[boxed]
    pub async fn send_code(
        &self,
        application: &Arc<Application>,
        to: Target,
        purpose: PasscodePurpose,
        language: Language,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let (pool, channel, now) = (&application.pool, to.channel(), self.now());
        if let Target::Phone(phone) = &to {
            self.check_destination(pool, phone)?;
        }
        self.require_sender(pool, channel).await?;
        let code = new_code(&*self.random);
        let expires_at = now.plus(self.limits.passcode_life);
        let message = Message {
            channel,
            target: to.as_str().to_owned(),
            code: code.to_string(),
            template: template(purpose, channel),
            language,
            app: application.name.clone(),
            minutes: self.passcode_minutes(),
            expires_at,
            suppressed: false,
        };
        let id = JobId::generate(now, &*self.random);
        let payload = self.seal_message(&id, &message)?;
        let decoy_payload = match purpose {
            PasscodePurpose::ResetPassword | PasscodePurpose::Unlock => Some(self.seal_message(
                &id,
                &Message {
                    suppressed: true,
                    code: code.to_string(),
                    target: String::new(),
                    app: String::new(),
                    ..message
                },
            )?),
            _ => None,
        };
        let addressed = self.addressed(pool, &to);
        let target_name = format!("{pool}:{}", hex::encode(addressed.target.as_bytes()));
        let unit = SendCode {
            pool: pool.clone(),
            code: self.code_hash(pool, &to, &code),
            to: addressed,
            purpose,
            expires_at,
            limits: self.sending_limits(pool, &target_name, origin),
            pause: format!("passcode_pause:{target_name}"),
            pause_length: self.limits.passcode_pause,
            job: NewJob { id, kind: MESSAGE_JOB, pool: pool.clone(), payload, run_at: now },
            decoy_payload,
            trace: self.trace(pool, None, Some(&application.id), None, origin),
            target: to,
        };
        match self.write(unit).await? {
            Sent::Queued => {
                self.jobs_waiting.notify_one();
                Ok(())
            }
            Sent::TooOften(wait) => Err(Code::TooOften.retry_after(wait).because("codes")),
        }
    }

    /// For how many minutes a code is valid, as messages say it.
    pub(crate) fn passcode_minutes(&self) -> u32 {
        u32::try_from(self.limits.passcode_life.as_secs() / 60).unwrap_or(u32::MAX).max(1)
    }

    fn sending_limits(&self, pool: &PoolId, target: &str, origin: &Origin) -> Vec<Limit> {
        let limits = &self.limits;
        let limit = |name: String, most: i64| Limit { name, most, window: limits.passcode_window };
        let mut all = vec![
            limit(format!("passcode_pool:{pool}"), limits.passcodes_per_pool),
            limit(format!("passcode_target:{target}"), limits.passcodes_per_target),
        ];
        if let Some(ip) = &origin.ip {
            if let Some(site) = site_of(ip) {
                all.push(limit(format!("passcode_site:{pool}:{site}"), limits.passcodes_per_site));
            }
            all.push(limit(format!("passcode_ip:{pool}:{}", network_of(ip)), limits.passcodes_per_ip));
        }
        all
    }

    /// Refuses numbers that the pool does not send to. Also refuses numbers that cannot be mobile: a provider
    /// might take one for another spelling of a shorter number, whose messages are counted separately.
    pub(crate) fn check_destination(&self, pool: &PoolId, phone: &Phone) -> Result<(), Refusal> {
        if !phone.may_be_mobile() {
            return Err(Refusal::invalid("phone", Reason::NotMobile));
        }
        if !self.config().settings(pool).sends_sms_to(phone) {
            return Err(Refusal::invalid("phone", Reason::CountryNotServed));
        }
        Ok(())
    }

    /// Refuses if the pool has no sender for this channel, whoever the recipient is.
    pub(crate) async fn require_sender(
        &self,
        pool: &PoolId,
        channel: PasscodeChannel,
    ) -> Result<(), Refusal> {
        if self.outbox.is_some() {
            return Ok(());
        }
        let kind = match channel {
            PasscodeChannel::Sms => SenderKind::Sms,
            PasscodeChannel::Email => SenderKind::Email,
        };
        let senders = self.read(ReadSenders(pool.clone())).await?;
        if senders.iter().any(|sender| sender.kind == kind) {
            Ok(())
        } else {
            Err(match channel {
                PasscodeChannel::Sms => Code::NoSmsSender.into(),
                PasscodeChannel::Email => Code::NoMailSender.into(),
            })
        }
    }

    fn seal_message(&self, id: &JobId, message: &Message) -> Result<Vec<u8>, Refusal> {
        let plain = Zeroizing::new(serde_json::to_vec(message).map_err(Refusal::internal)?);
        Ok(self.sealing.seal(&*self.random, &context(id), &plain))
    }

    /// Sends a queued message, unless its code has expired.
    pub(crate) async fn send_message(&self, job: &Job) -> JobOutcome {
        let message: Message = match self.sealing.open(&context(&job.id), &job.payload) {
            Ok(plain) => match serde_json::from_slice(plain.expose()) {
                Ok(message) => message,
                Err(_) => return not_sent(job, "the message is not what this version writes"),
            },
            Err(_) => return not_sent(job, "the message cannot be opened with this key"),
        };
        if message.suppressed {
            return JobOutcome::Done;
        }
        if message.expires_at <= self.now() {
            return not_sent(job, "its code has expired before a sender took it");
        }
        match self.deliver_message(&job.pool, &message).await {
            Ok(()) => JobOutcome::Done,
            Err(NotSent::NotTried) => JobOutcome::Postponed(self.now().plus(FIRST_WAIT)),
            Err(NotSent::NoSender) => not_sent(job, "the pool has no sender any more"),
            Err(NotSent::NoTemplate) => not_sent(job, "the pool's sender has no template for it"),
            Err(NotSent::Reason(reason)) => not_sent(job, reason),
            Err(NotSent::Failed(error)) => {
                let (provider, code, fault) = (error.provider(), error.code(), error.fault());
                let text = hufu_types::chain(&error);
                match fault {
                    // Users mistype numbers; the operator need not be alerted.
                    Fault::Recipient => {
                        tracing::info!(pool = %job.pool, provider, code, error = text, "a message has no recipient");
                        JobOutcome::Done
                    }
                    Fault::Settings => {
                        tracing::error!(pool = %job.pool, provider, code, error = text, "the sender refuses a message: check its settings");
                        JobOutcome::Failed
                    }
                    Fault::TooOften | Fault::Temporary => {
                        tracing::warn!(pool = %job.pool, provider, code, error = text, attempts = job.attempts, "a message was not sent");
                        let at = self.retry_at(FIRST_WAIT, LONGEST_WAIT, job.attempts);
                        if at < message.expires_at { JobOutcome::RetryAt(at) } else { JobOutcome::Failed }
                    }
                }
            }
        }
    }

    async fn deliver_message(&self, pool: &PoolId, message: &Message) -> Result<(), NotSent> {
        let to = match message.channel {
            PasscodeChannel::Sms => Phone::parse(&message.target).map(Target::Phone),
            PasscodeChannel::Email => Email::parse(&message.target).map(Target::Email),
        };
        let values = Values { app: &message.app, code: &message.code, minutes: message.minutes };
        let content = Content::Code(values);
        self.send_to(pool, to.map_err(|_| UNREADABLE)?, message.template, message.language, content).await
    }

    /// Sends a mail that has no template through the pool's sender.
    pub(crate) async fn send_mail(&self, pool: &PoolId, mail: &Mail) -> Result<(), NotSent> {
        let stored = self.read(ReadSenders(pool.clone())).await.map_err(|_| NotSent::NotTried)?;
        let settings = SenderSettings::open(&stored, &self.sealing);
        let settings =
            settings.map_err(|_| NotSent::Reason("the pool's sender cannot be opened with this key"))?;
        let sender: Arc<dyn Mailer> = match (&settings.email, &self.outbox) {
            (Some(mail), _) => mail.build(&self.sender_context).map_err(|_| UNUSABLE)?,
            (None, Some(outbox)) => Arc::new(outbox.clone()),
            (None, None) => return Err(NotSent::NoSender),
        };
        sender.send(mail).await.map_err(NotSent::Failed)
    }

    /// Sends a message through the pool's sender.
    pub(crate) async fn send_to(
        &self,
        pool: &PoolId,
        to: Target,
        template: TemplateKind,
        language: Language,
        content: Content<'_>,
    ) -> Result<(), NotSent> {
        let stored = self.read(ReadSenders(pool.clone())).await;
        let stored = stored.map_err(|_| NotSent::NotTried)?;
        let settings = SenderSettings::open(&stored, &self.sealing);
        let settings =
            settings.map_err(|_| NotSent::Reason("the pool's sender cannot be opened with this key"))?;
        let templates = &settings.templates;
        let (code, minutes) = match content {
            Content::Code(values) => (Some(SecretString::from(values.code)), values.minutes),
            Content::Notice(_) => (None, 0),
        };
        match to {
            Target::Phone(to) => {
                let sender: Arc<dyn SmsSender> = match (&settings.sms, &self.outbox) {
                    (Some(sms), _) => sms.build(&self.sender_context).map_err(|_| UNUSABLE)?,
                    (None, Some(outbox)) => Arc::new(outbox.clone()),
                    (None, None) => return Err(NotSent::NoSender),
                };
                let text = match content {
                    Content::Code(values) => templates.sms(template, language, &values),
                    Content::Notice(notice) => templates.notice_sms(language, notice),
                };
                let sms = Sms { to, code, minutes, template, language, text };
                if !sender.has_template(&sms) {
                    return Err(NotSent::NoTemplate);
                }
                sender.send(&sms).await.map_err(NotSent::Failed)
            }
            Target::Email(to) => {
                let sender: Arc<dyn Mailer> = match (&settings.email, &self.outbox) {
                    (Some(mail), _) => mail.build(&self.sender_context).map_err(|_| UNUSABLE)?,
                    (None, Some(outbox)) => Arc::new(outbox.clone()),
                    (None, None) => return Err(NotSent::NoSender),
                };
                let mail = match content {
                    Content::Code(values) => templates.mail(template, language, &values),
                    Content::Notice(notice) => templates.notice_mail(language, notice),
                };
                sender.send(&mail.to(to, code)).await.map_err(NotSent::Failed)
            }
        }
    }
}

fn not_sent(job: &Job, reason: &str) -> JobOutcome {
    tracing::error!(pool = %job.pool, job = %job.id, "a message was not sent: {reason}");
    JobOutcome::Failed
}

const UNUSABLE: NotSent = NotSent::Reason("the pool's sender is misconfigured");
const UNREADABLE: NotSent = NotSent::Reason("its recipient cannot be read");

/// What a message says.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    /// A code.
    Code(Values<'a>),
    /// That a way to log in was added.
    Notice(Notice<'a>),
}

/// Why a message was not sent.
pub(crate) enum NotSent {
    /// The database did not respond, so sending was not attempted.
    NotTried,
    /// The pool has no sender for this channel.
    NoSender,
    /// The pool's sender has no template for this message.
    NoTemplate,
    /// This version or this key cannot send it.
    Reason(&'static str),
    /// The sender failed.
    Failed(SendError),
}

/// The sealing context of a message.
fn context(id: &JobId) -> String {
    format!("job:{id}:message")
}

/// A new code, uniformly distributed.
fn new_code(random: &dyn Random) -> Zeroizing<String> {
    // Numbers above the largest multiple of `CODES` would make low codes more likely.
    const FAIR: u32 = u32::MAX / CODES * CODES;
    loop {
        let mut bytes = [0; 4];
        random.fill(&mut bytes);
        let number = u32::from_be_bytes(bytes);
        if number < FAIR {
            return Zeroizing::new(format!("{:0DIGITS$}", number % CODES));
        }
    }
}

/// The template for codes of this purpose.
fn template(purpose: PasscodePurpose, channel: PasscodeChannel) -> TemplateKind {
    let either = |sms, email| match channel {
        PasscodeChannel::Sms => sms,
        PasscodeChannel::Email => email,
    };
    match purpose {
        PasscodePurpose::General | PasscodePurpose::Confirm => TemplateKind::VerifyIdentity,
        PasscodePurpose::Login => TemplateKind::Login,
        PasscodePurpose::Register => TemplateKind::Register,
        PasscodePurpose::ResetPassword => TemplateKind::ResetPassword,
        PasscodePurpose::Bind => either(TemplateKind::BindPhone, TemplateKind::BindEmail),
        PasscodePurpose::Unbind => either(TemplateKind::UnbindPhone, TemplateKind::UnbindEmail),
        PasscodePurpose::Change => either(TemplateKind::ChangePhone, TemplateKind::ChangeEmail),
        PasscodePurpose::Verify => either(TemplateKind::VerifyIdentity, TemplateKind::VerifyEmail),
        PasscodePurpose::Complete => TemplateKind::CompleteProfile,
        PasscodePurpose::DeleteAccount => TemplateKind::DeleteAccount,
        PasscodePurpose::Unlock => TemplateKind::UnlockAccount,
    }
}

#[cfg(test)]
mod tests {
    use hufu_types::TestRandom;

    use super::*;

    #[test]
    fn codes_are_six_digits_and_spread_evenly() {
        let random = TestRandom::new(1);
        let mut first = [0_u32; 10];
        for _ in 0..10_000 {
            let code = new_code(&random);
            assert!(code.len() == DIGITS && code.bytes().all(|b| b.is_ascii_digit()), "{}", *code);
            first[usize::from(code.as_bytes()[0] - b'0')] += 1;
        }
        assert!(first.iter().all(|count| (850..1150).contains(count)), "{first:?}");
    }
}
