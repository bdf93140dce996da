//! How a pool sends messages: its senders, and the texts of its messages.

use async_recursion::async_recursion as boxed;
use hufu_connect::templates::Values;
use hufu_connect::{Fault, TemplateKind};
use hufu_store::config::Revised;
use hufu_store::rates::{self, Hit};
use hufu_store::senders::{self, SenderKind, StoredSender};
use hufu_store::{Read, StoreError, Tx, Write};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Action, Email, Language, Permission, Phone, PoolId, chain};
use serde_json::{Value as Json, json};

use super::super::AdminCaller;
use super::{REVISION, expected, invalid};
use crate::configuration::RemoveSender;
use crate::configuration::document::Document;
use crate::configuration::document::sender::{self, EditSender};
use crate::credentials::Target;
use crate::credentials::messages::{Content, NotSent};
use crate::events::{Event, Trace};
use crate::{App, Refusal};

/// The code of test messages, which opens nothing.
const TEST_CODE: &str = "123456";

/// A channel that has a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderChannel {
    /// E-mail.
    Email,
    /// Text messages.
    Sms,
}

impl SenderChannel {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Email, Self::Sms];

    /// The name: `email` or `sms`.
    pub const fn as_str(self) -> &'static str {
        self.kind().as_str()
    }

    /// The channel of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name)
    }

    const fn kind(self) -> SenderKind {
        match self {
            Self::Email => SenderKind::Email,
            Self::Sms => SenderKind::Sms,
        }
    }
}

/// What became of a test message.
#[derive(Clone, Debug)]
pub enum SenderTest {
    /// The provider has taken it.
    Sent,
    /// It was not sent.
    Failed {
        /// The provider, if it was asked: `smtp`, `aliyun`, `tencent`, `http`.
        provider: Option<&'static str>,
        /// What has to be done.
        fault: Fault,
        /// The provider's error code.
        code: Option<String>,
        /// What happened, without the recipient, the code and secrets.
        reason: String,
    },
}

/// How a message reads.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The subject of the mail.
    pub subject: String,
    /// The plain text of the mail.
    pub text: String,
    /// The HTML of the mail.
    pub html: String,
    /// The text message.
    pub sms: String,
}

impl App {
    /// The senders of a pool. Their secrets are not shown. Those of the pool of the administrators send invitations; an owner
    /// of all pools sets them.
    ///
    /// # Errors
    /// The refusals of [`App::permit`].
    #[boxed]
    pub async fn list_senders(&self, by: &AdminCaller, pool: &PoolId) -> Result<Vec<Document>, Refusal> {
        self.permit(by, Permission::ReadConfiguration, pool).await?;
        let mut found = Vec::new();
        for channel in SenderChannel::ALL {
            let sender = self.read(ReadSender { pool: pool.clone(), kind: channel.kind() }).await?;
            found.extend(sender.map(|sender| self.show_sender(&sender)));
        }
        Ok(found)
    }

    /// The sender of a channel.
    ///
    /// # Errors
    /// [`Code::NoSuchSender`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn sender(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        channel: SenderChannel,
    ) -> Result<Document, Refusal> {
        self.permit(by, Permission::ReadConfiguration, pool).await?;
        let found = self.read(ReadSender { pool: pool.clone(), kind: channel.kind() }).await?;
        Ok(self.show_sender(&found.ok_or(Code::NoSuchSender)?))
    }

    /// Makes the sender of a channel, or changes it, by a JSON Merge Patch. A patch with another provider begins from
    /// nothing.
    ///
    /// # Errors
    /// [`Code::ConfigurationInvalid`], [`Code::ObjectChanged`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn change_sender(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        channel: SenderChannel,
        mut patch: Document,
        revision: Option<i64>,
    ) -> Result<Document, Refusal> {
        self.permit(by, Permission::WriteConfiguration, pool).await?;
        self.check_recent_login(by)?;
        let present = self.read(ReadSender { pool: pool.clone(), kind: channel.kind() }).await?;
        let shown = present.as_ref().map(|present| self.show_sender(present)).unwrap_or_default();
        let expected = expected(&mut patch, revision, &shown);
        let operation = self.edit_sender(pool, channel.kind(), patch, expected);
        let now = self.reconfigure(by, operation).await?.unless_changed(|now| self.show_sender(now))?;
        Ok(now.as_ref().map(|now| self.show_sender(now)).unwrap_or_default())
    }

    /// Removes the sender of a channel. Codes cannot be sent through it any more.
    ///
    /// # Errors
    /// [`Code::NoSuchSender`], [`Code::ObjectChanged`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn remove_sender(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        channel: SenderChannel,
        expected: Option<i64>,
    ) -> Result<(), Refusal> {
        self.permit(by, Permission::WriteConfiguration, pool).await?;
        self.check_recent_login(by)?;
        let kind = channel.kind();
        self.read(ReadSender { pool: pool.clone(), kind }).await?.ok_or(Code::NoSuchSender)?;
        let operation = RemoveSender { pool: pool.clone(), kind, expected };
        self.reconfigure(by, operation).await?.unless_changed(|now| self.show_sender(now)).map(drop)
    }

    /// Sends a message with a code that opens nothing, at once and not by the queue, and tells what the provider says.
    ///
    /// # Errors
    /// [`Code::NoMailSender`], [`Code::NoSmsSender`], [`Code::Invalid`], [`Code::TooOften`], and the refusals of
    /// [`App::permit`].
    #[boxed]
    pub async fn test_sender(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        channel: SenderChannel,
        to: &str,
        language: Language,
    ) -> Result<SenderTest, Refusal> {
        self.permit(by, Permission::WriteConfiguration, pool).await?;
        let to = match channel {
            SenderChannel::Email => {
                Email::parse(to).map(Target::Email).map_err(|_| Refusal::invalid("to", Reason::NotAnEmail))?
            }
            SenderChannel::Sms => {
                let phone = Phone::parse(to).map_err(|_| Refusal::invalid("to", Reason::NotAPhone))?;
                self.check_destination(pool, &phone)?;
                Target::Phone(phone)
            }
        };
        self.require_sender(pool, to.channel()).await?;
        let (most, window) = (self.limits.sender_tests, self.limits.sender_test_window);
        let hit = Hit { name: format!("sender_test:{pool}"), amount: 1, window, now: self.now() };
        if self.write(hit).await? > most {
            let wait = rates::wait(window, self.now());
            return Err(Code::TooOften.retry_after(wait).because("test messages of this pool"));
        }
        let app = self.config().pool_name(pool).unwrap_or_default().to_owned();
        let values = Values { app: &app, code: TEST_CODE, minutes: self.passcode_minutes() };
        let template = TemplateKind::VerifyIdentity;
        let sent = self.send_to(pool, to, template, language, Content::Code(values)).await;
        let failed = |fault, reason: &str| SenderTest::Failed {
            provider: None,
            fault,
            code: None,
            reason: reason.to_owned(),
        };
        let test = match sent {
            Ok(()) => SenderTest::Sent,
            Err(NotSent::NotTried) => failed(Fault::Temporary, "the database does not answer"),
            Err(NotSent::NoSender) => failed(Fault::Settings, "the pool has no sender any more"),
            Err(NotSent::NoTemplate) => failed(Fault::Settings, "the sender has no template for it"),
            Err(NotSent::Reason(reason)) => failed(Fault::Settings, reason),
            Err(NotSent::Failed(error)) => {
                let (provider, fault) = (Some(error.provider()), error.fault());
                // What a server in the operator's network says is none of the pool's business.
                let (code, reason) = match error.summary() {
                    Some(summary) => (None, summary.to_owned()),
                    None => (error.code().map(str::to_owned), chain(&error)),
                };
                if error.summary().is_some() {
                    tracing::info!(%pool, error = chain(&error), "a test message was not sent");
                }
                SenderTest::Failed { provider, fault, code, reason }
            }
        };
        let is_sent = matches!(test, SenderTest::Sent);
        let trace = self.trace_by(pool, by);
        self.write(RecordTest { pool: pool.clone(), channel, is_sent, trace }).await?;
        Ok(test)
    }

    /// The texts that a pool has of its own.
    ///
    /// # Errors
    /// The refusals of [`App::permit`].
    #[boxed]
    pub async fn templates(&self, by: &AdminCaller, pool: &PoolId) -> Result<Document, Refusal> {
        self.permit_configuration(by, Permission::ReadConfiguration, pool).await?;
        let found = self.read(ReadSender { pool: pool.clone(), kind: SenderKind::Templates }).await?;
        Ok(self.show_templates(found.as_ref()))
    }

    /// Changes the texts of a pool by a JSON Merge Patch. `null` takes the built-in text.
    ///
    /// # Errors
    /// [`Code::ConfigurationInvalid`], [`Code::ObjectChanged`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn change_templates(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        mut patch: Document,
        revision: Option<i64>,
    ) -> Result<Document, Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let expected = expected(&mut patch, revision, &Document::new());
        let operation = self.edit_sender(pool, SenderKind::Templates, patch, expected);
        let show = |now: &_| self.show_templates(Some(now));
        let written = self.reconfigure(by, operation).await?;
        let now = written.unless_changed_or(self.show_templates(None), show)?;
        Ok(self.show_templates(now.as_ref()))
    }

    /// How a message reads with sample values: with these texts, or with those that the pool has if there are none.
    ///
    /// # Errors
    /// [`Code::ConfigurationInvalid`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn preview_template(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        kind: TemplateKind,
        language: Language,
        texts: Document,
    ) -> Result<Preview, Refusal> {
        self.permit_configuration(by, Permission::ReadConfiguration, pool).await?;
        let templates = if texts.is_empty() {
            let found = self.read(ReadSender { pool: pool.clone(), kind: SenderKind::Templates }).await?;
            let opened =
                found.and_then(|found| crate::configuration::senders::open(&found.value, &self.sealing).ok());
            opened.unwrap_or_default()
        } else {
            sender::read_texts(kind, language, &texts).map_err(|problems| invalid(&problems))?
        };
        let app = self.config().pool_name(pool).unwrap_or_default().to_owned();
        let (mail, sms) = if kind.has_code() {
            let values = Values { app: &app, code: TEST_CODE, minutes: self.passcode_minutes() };
            (templates.mail(kind, language, &values), templates.sms(kind, language, &values))
        } else {
            let notice =
                hufu_connect::templates::Notice { app: &app, way: hufu_connect::templates::AddedWay::Phone };
            (templates.notice_mail(language, notice), templates.notice_sms(language, notice))
        };
        Ok(Preview { subject: mail.subject, text: mail.text, html: mail.html, sms })
    }

    fn edit_sender(
        &self,
        pool: &PoolId,
        kind: SenderKind,
        patch: Document,
        expected: Option<i64>,
    ) -> EditSender {
        let (sealing, random) = (self.sealing.clone(), self.random.clone());
        EditSender { pool: pool.clone(), kind, patch, expected, sealing, random }
    }

    fn show_sender(&self, found: &Revised<StoredSender>) -> Document {
        let sender::ShownSender { mut document, secrets } = sender::show(&found.value, &self.sealing);
        let secrets = secrets.into_iter().map(|(name, is_set)| (name.to_owned(), is_set.into()));
        document.insert("secrets".to_owned(), Json::Object(secrets.collect()));
        document.insert("channel".to_owned(), found.value.kind.as_str().into());
        document.insert(REVISION.to_owned(), found.revision.into());
        document
    }

    fn show_templates(&self, found: Option<&Revised<StoredSender>>) -> Document {
        let mut document = sender::show_templates(found.map(|found| &found.value), &self.sealing);
        document.insert(REVISION.to_owned(), found.map_or(0, |found| found.revision).into());
        document
    }
}

/// One such setting of a pool.
struct ReadSender {
    pool: PoolId,
    kind: SenderKind,
}

impl Read for ReadSender {
    type Out = Option<Revised<StoredSender>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        senders::get(tx, &self.pool, self.kind).await
    }
}

/// The entry of a test in the audit log, without the recipient.
struct RecordTest {
    pool: PoolId,
    channel: SenderChannel,
    is_sent: bool,
    trace: Trace,
}

impl Write for RecordTest {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let details = json!({ "channel": self.channel.as_str(), "sent": self.is_sent });
        let event = Event { action: Action::SenderTested, code: 0, user: None, details };
        self.trace.recorder().record(tx, &self.pool, event).await
    }
}
