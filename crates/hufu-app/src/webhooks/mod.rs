//! Webhooks: sending events to their subscribers.
//!
//! Each delivery is created with its event, in the same transaction. It is then sent until the receiver
//! accepts it or the attempts are used up. Delivery is at least once: receivers recognize duplicates by the
//! delivery's id.

mod deliveries;
mod delivering;
mod unit;

use std::net::IpAddr;

use async_recursion::async_recursion as boxed;
use hufu_store::deliveries::{GetDelivery, ListDeliveries};
use hufu_store::webhooks::{GetWebhook, ListWebhooks};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{
    DeliveryId, EventName, JobId, OpaqueToken, Permission, PoolId, Timestamp, TokenPurpose, UserId, WebhookId,
};
use secrecy::SecretString;
use serde_json::json;
use url::{Host, Url};

use crate::administration::{AdminCaller, Page, PageRequest};
use crate::{App, Refusal};

pub use self::deliveries::{Ping, RecordAttempt, Replay, ReplayFailed, Replayed};
pub(crate) use self::delivering::{REST_OF_CLOSED, Receivers, USER_AGENT, start_of};
pub use self::unit::{CreateWebhook, DeleteWebhook, UpdateWebhook, WebhookUpdate};
pub use hufu_store::deliveries::{Delivery, DeliveryState, PING};
pub use hufu_store::webhooks::Webhook;

/// The maximum length of a webhook's URL, in bytes.
const LONGEST_URL: usize = 2048;
/// The maximum length of a webhook's name, in Unicode code points.
const LONGEST_NAME: usize = 100;
/// The maximum number of deliveries on a page.
const MAX_PAGE_SIZE: usize = 200;
/// How many deliveries one unit of work replays.
const REPLAYED_AT_ONCE: usize = 500;

/// A webhook to create.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// The display name.
    pub name: String,
    /// The URL that deliveries are sent to.
    pub url: String,
    /// The names of the actions to deliver. All actions if empty.
    pub events: Vec<String>,
    /// Whether deliveries are sent.
    pub enabled: bool,
}

/// Changes of a webhook. Absent fields remain unchanged.
#[derive(Clone, Debug, Default)]
pub struct WebhookChange {
    /// The display name.
    pub name: Option<String>,
    /// The URL that deliveries are sent to.
    pub url: Option<String>,
    /// The names of the actions to deliver.
    pub events: Option<Vec<String>>,
    /// Whether deliveries are sent.
    pub enabled: Option<bool>,
    /// Whether to generate a new secret. Deliveries are signed with both secrets for a while
    /// (`webhook_secret_overlap`).
    pub new_secret: bool,
    /// The revision that the caller last saw. `None` to skip the check.
    pub expected: Option<i64>,
    /// What the caller sends back of what nobody writes.
    pub seen: Option<SeenWebhook>,
}

/// What a webhook is shown with and never becomes anything else.
#[derive(Clone, Debug, Default)]
pub struct SeenWebhook {
    /// The id.
    pub id: Option<String>,
    /// Who created it.
    pub created_by: Option<String>,
    /// When it was created.
    pub created_at: Option<String>,
}

impl SeenWebhook {
    /// Checks that it is as it was shown.
    fn check(&self, present: &Webhook) -> Result<(), Refusal> {
        let present_by = present.created_by.as_ref().map(UserId::to_string);
        let fixed = [
            ("id", &self.id, Some(present.id.to_string())),
            ("createdBy", &self.created_by, present_by),
            ("createdAt", &self.created_at, Some(present.created_at.to_iso())),
        ];
        for (name, seen, present) in fixed {
            if seen.is_some() && *seen != present {
                let choices = present.unwrap_or_else(|| "null".to_owned());
                return Err(Refusal::invalid(name, Reason::NotOneOf { choices: choices.into() }));
            }
        }
        Ok(())
    }
}

/// Deliveries to a webhook, newest first.
#[derive(Clone, Debug)]
pub struct DeliveryPage {
    /// The deliveries.
    pub deliveries: Vec<Delivery>,
    /// The `before` value for the next page, if there may be one.
    pub next: Option<DeliveryId>,
}

/// The refusal of a change by somebody who has not seen the last one.
fn changed_meanwhile(present: &Webhook) -> Refusal {
    let events: Vec<String> = present.actions.iter().map(ToString::to_string).collect();
    Refusal::new(Code::ObjectChanged).carrying(json!({ "present": {
        "id": present.id.as_str(),
        "name": present.name,
        "url": present.url,
        "events": events,
        "enabled": present.enabled,
        "failures": present.failures,
        "created_at": present.created_at.to_iso(),
        "updated_at": present.updated_at.to_iso(),
        "revision": present.revision,
        "created_by": present.created_by.as_ref().map(UserId::as_str),
        "created_by_dismissed": present.is_orphan,
    } }))
}

impl App {
    /// Creates a webhook. Its secret is returned only this once.
    ///
    /// # Errors
    /// [`Code::Invalid`], [`Code::TooManyWebhooks`], and the refusals of [`Self::permit`].
    #[boxed]
    pub async fn create_webhook(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        new: NewWebhook,
    ) -> Result<(Webhook, SecretString), Refusal> {
        self.permit(by, Permission::WriteWebhooks, pool).await?;
        self.check_recent_login(by)?;
        let now = self.now();
        let webhook = Webhook {
            id: WebhookId::generate(now, &*self.random),
            name: check_name(&new.name)?,
            url: self.check_webhook_url(&new.url)?,
            actions: check_events(&new.events)?,
            enabled: new.enabled,
            failures: 0,
            created_by: by.responsible.clone(),
            is_orphan: false,
            created_at: now,
            updated_at: now,
            revision: 1,
        };
        let (secret, sealed) = self.new_webhook_secret(pool, &webhook.id);
        let most = self.limits.webhooks_per_pool;
        let trace = self.trace_by(pool, by);
        let unit =
            CreateWebhook { pool: pool.clone(), webhook: webhook.clone(), secret: sealed, most, trace };
        if !self.write(unit).await? {
            return Err(Code::TooManyWebhooks.with("most", most));
        }
        self.reload_config().await;
        Ok((webhook, secret))
    }

    /// Changes a webhook. Returns it with the changes, and the new secret if one was requested.
    ///
    /// # Errors
    /// [`Code::NoSuchWebhook`], [`Code::ObjectChanged`], [`Code::Invalid`], and the refusals of [`Self::permit`].
    #[boxed]
    pub async fn update_webhook(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: &WebhookId,
        change: WebhookChange,
    ) -> Result<(Webhook, Option<SecretString>), Refusal> {
        self.permit(by, Permission::WriteWebhooks, pool).await?;
        self.check_recent_login(by)?;
        if let Some(seen) = &change.seen {
            let present = self.read(GetWebhook(pool.clone(), id.clone())).await?;
            seen.check(&present.ok_or(Code::NoSuchWebhook)?)?;
        }
        let (secret, sealed) = change.new_secret.then(|| self.new_webhook_secret(pool, id)).unzip();
        let until = self.now().plus(self.limits.webhook_secret_overlap);
        let update = WebhookUpdate {
            name: change.name.as_deref().map(check_name).transpose()?,
            url: change.url.as_deref().map(|url| self.check_webhook_url(url)).transpose()?,
            actions: change.events.as_deref().map(check_events).transpose()?,
            enabled: change.enabled,
            secret: sealed.map(|sealed| (sealed, until)),
        };
        let trace = self.trace_by(pool, by);
        let expected = change.expected;
        let unit = UpdateWebhook { pool: pool.clone(), id: id.clone(), update, expected, trace };
        let written = self.write(unit).await?.map_err(|present| changed_meanwhile(&present))?;
        let webhook = written.ok_or(Code::NoSuchWebhook)?;
        self.reload_config().await;
        Ok((webhook, secret))
    }

    /// Deletes a webhook. Its outstanding deliveries fail.
    ///
    /// # Errors
    /// [`Code::NoSuchWebhook`], [`Code::ObjectChanged`], and the refusals of [`Self::permit`].
    #[boxed]
    pub async fn delete_webhook(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: &WebhookId,
        expected: Option<i64>,
    ) -> Result<(), Refusal> {
        self.permit(by, Permission::WriteWebhooks, pool).await?;
        self.check_recent_login(by)?;
        let trace = self.trace_by(pool, by);
        let unit = DeleteWebhook { pool: pool.clone(), id: id.clone(), expected, trace };
        if !self.write(unit).await?.map_err(|present| changed_meanwhile(&present))? {
            return Err(Code::NoSuchWebhook.into());
        }
        self.reload_config().await;
        Ok(())
    }

    /// The webhooks of a pool, in order of creation.
    ///
    /// # Errors
    /// [`Code::Invalid`], and the refusals of [`Self::permit`].
    #[boxed]
    pub async fn webhooks(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        page: &PageRequest,
    ) -> Result<Page<Webhook>, Refusal> {
        self.permit(by, Permission::ReadWebhooks, pool).await?;
        let wanted = page.read()?;
        let (pool, after) = (pool.clone(), wanted.after_id());
        let found = self.read(ListWebhooks { pool, after, limit: wanted.limit() }).await?;
        Ok(wanted.page(found, |last| [last.id.as_str().to_owned()]))
    }

    /// Returns one webhook.
    ///
    /// # Errors
    /// [`Code::NoSuchWebhook`], and the refusals of [`Self::permit`].
    #[boxed]
    pub async fn webhook(&self, by: &AdminCaller, pool: &PoolId, id: &WebhookId) -> Result<Webhook, Refusal> {
        self.permit(by, Permission::ReadWebhooks, pool).await?;
        self.read(GetWebhook(pool.clone(), id.clone())).await?.ok_or_else(|| Code::NoSuchWebhook.into())
    }

    /// Deliveries to a webhook before `before`, newest first, at most `limit` (up to 200). Those of a deleted
    /// webhook remain until they are purged by age.
    ///
    /// # Errors
    /// The refusals of [`Self::permit`].
    #[boxed]
    pub async fn deliveries(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        webhook: &WebhookId,
        state: Option<DeliveryState>,
        before: Option<DeliveryId>,
        limit: usize,
    ) -> Result<DeliveryPage, Refusal> {
        self.permit(by, Permission::ReadWebhooks, pool).await?;
        let limit = limit.clamp(1, MAX_PAGE_SIZE);
        let (pool, webhook) = (pool.clone(), webhook.clone());
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let deliveries = self.read(ListDeliveries { pool, webhook, state, before, limit: rows }).await?;
        let next = deliveries.last().filter(|_| deliveries.len() == limit).map(|last| last.id.clone());
        Ok(DeliveryPage { deliveries, next })
    }

    /// Returns one delivery, with its body and the receiver's response.
    ///
    /// # Errors
    /// [`Code::NoSuchDelivery`], and the refusals of [`Self::permit`].
    #[boxed]
    pub async fn delivery(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: &DeliveryId,
    ) -> Result<Delivery, Refusal> {
        self.permit(by, Permission::ReadWebhooks, pool).await?;
        self.read(GetDelivery(pool.clone(), id.clone())).await?.ok_or_else(|| Code::NoSuchDelivery.into())
    }

    /// Replays a delivery under its existing id.
    ///
    /// # Errors
    /// [`Code::NoSuchDelivery`], [`Code::DeliveryWaiting`], and the refusals of [`Self::permit`].
    #[boxed]
    pub async fn replay(&self, by: &AdminCaller, pool: &PoolId, id: &DeliveryId) -> Result<(), Refusal> {
        self.permit(by, Permission::WriteWebhooks, pool).await?;
        let now = self.now();
        let job = JobId::generate(now, &*self.random);
        match self.write(Replay { pool: pool.clone(), id: id.clone(), job, now }).await? {
            Replayed::Queued => self.jobs_waiting.notify_one(),
            Replayed::Waiting => return Err(Code::DeliveryWaiting.into()),
            Replayed::Unknown => return Err(Code::NoSuchDelivery.into()),
        }
        Ok(())
    }

    /// Replays all failed deliveries to a webhook created at `since` or later. Returns how many.
    ///
    /// # Errors
    /// [`Code::NoSuchWebhook`], and the refusals of [`Self::permit`].
    #[boxed]
    pub async fn replay_failed(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        webhook: &WebhookId,
        since: Timestamp,
    ) -> Result<usize, Refusal> {
        self.permit(by, Permission::WriteWebhooks, pool).await?;
        self.read(GetWebhook(pool.clone(), webhook.clone())).await?.ok_or(Code::NoSuchWebhook)?;
        let mut queued = 0;
        loop {
            let now = self.now();
            let jobs = (0..REPLAYED_AT_ONCE).map(|_| JobId::generate(now, &*self.random)).collect();
            let unit = ReplayFailed { pool: pool.clone(), webhook: webhook.clone(), since, jobs, now };
            let some = self.write(unit).await?;
            queued += some;
            self.jobs_waiting.notify_one();
            if some < REPLAYED_AT_ONCE {
                return Ok(queued);
            }
        }
    }

    /// Queues a delivery of type [`PING`] to check that a webhook works, whether it is enabled or not.
    ///
    /// # Errors
    /// [`Code::NoSuchWebhook`], and the refusals of [`Self::permit`].
    #[boxed]
    pub async fn ping_webhook(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        webhook: &WebhookId,
    ) -> Result<DeliveryId, Refusal> {
        self.permit(by, Permission::WriteWebhooks, pool).await?;
        let now = self.now();
        let id = DeliveryId::generate(now, &*self.random);
        let unit = Ping { pool: pool.clone(), webhook: webhook.clone(), id: id.clone(), now };
        if !self.write(unit).await? {
            return Err(Code::NoSuchWebhook.into());
        }
        self.jobs_waiting.notify_one();
        Ok(id)
    }

    fn new_webhook_secret(&self, pool: &PoolId, id: &WebhookId) -> (SecretString, Vec<u8>) {
        let secret = OpaqueToken::generate(TokenPurpose::Webhook, &*self.random);
        let sealed = self.sealing.seal(&*self.random, &secret_context(pool, id), secret.expose().as_bytes());
        (SecretString::from(secret.expose()), sealed)
    }

    /// Reloads the configuration on this node immediately. The other nodes notice the change soon.
    pub(crate) async fn reload_config(&self) {
        if let Err(error) = self.refresh_config().await {
            tracing::error!(
                error = hufu_types::chain(&error),
                "the configuration cannot be read; the last one stays"
            );
        }
    }

    /// Checks a webhook's URL. Its host name is resolved only when something is sent, because the addresses
    /// behind it may change.
    fn check_webhook_url(&self, text: &str) -> Result<String, Refusal> {
        let refused = |reason| Refusal::invalid("url", reason);
        let settings = self.sender_context.http.settings();
        if text.len() > LONGEST_URL {
            return Err(refused(Reason::TooManyBytes { max: LONGEST_URL }));
        }
        let url = Url::parse(text.trim()).map_err(|_| refused(Reason::NotAnAddress))?;
        match url.scheme() {
            "https" => {}
            "http" if !settings.private.is_empty() => {}
            "http" => return Err(refused(Reason::WrongScheme { choices: "https://" })),
            _ => return Err(refused(Reason::WrongScheme { choices: "https://, http://" })),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(Reason::AddressWithUser));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return Err(refused(Reason::NoHost)),
        };
        if literal.is_some_and(|address| !settings.permits(address)) {
            return Err(refused(Reason::NotPublic));
        }
        Ok(url.into())
    }
}

/// The context that a webhook's secret is sealed under.
pub(crate) fn secret_context(pool: &PoolId, id: &WebhookId) -> String {
    format!("webhook:{pool}:{id}:secret")
}

fn check_name(text: &str) -> Result<String, Refusal> {
    let name = text.trim();
    let length = name.chars().count();
    if length == 0 || length > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Refusal::invalid("name", Reason::NotALine { max: LONGEST_NAME }));
    }
    Ok(name.to_owned())
}

fn check_events(names: &[String]) -> Result<Vec<EventName>, Refusal> {
    let mut actions = Vec::new();
    for name in names {
        let Some(action) = EventName::parse(name) else {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            return Err(Refusal::invalid("events", Reason::Unknown { value: shown }));
        };
        if !actions.contains(&action) {
            actions.push(action);
        }
    }
    Ok(actions)
}
