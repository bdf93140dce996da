//! Units of work for creating, changing and deleting webhooks. Each change increments the version of the
//! configuration that nodes cache, so that the next event goes to the right places.

use hufu_store::webhooks::{self, Webhook};
use hufu_store::{StoreError, Tx, Write, versions};
use hufu_types::{Action, EventName, PoolId, Timestamp, WebhookId};
use serde_json::{Value as Json, json};

use crate::events::{Event, Trace};

/// Creates a webhook.
#[derive(Clone, Debug)]
pub struct CreateWebhook {
    /// The pool.
    pub pool: PoolId,
    /// The webhook.
    pub webhook: Webhook,
    /// Its secret, sealed.
    pub secret: Vec<u8>,
    /// The maximum number of webhooks per pool.
    pub most: i64,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

impl Write for CreateWebhook {
    /// Whether the webhook was created. It is not if the pool has the maximum number.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let (pool, new) = (&self.pool, &self.webhook);
        versions::lock_configuration(tx).await?;
        if webhooks::count(tx, pool).await? >= self.most {
            return Ok(false);
        }
        webhooks::insert(tx, pool, new, &self.secret).await?;
        versions::pools_changed(tx, [&self.pool]).await?;
        self.trace.recorder().record(tx, pool, changed(&new.id, None, Some(new), false)).await?;
        Ok(true)
    }
}

/// Changes of a webhook. Absent fields remain unchanged.
#[derive(Clone, Debug, Default)]
pub struct WebhookUpdate {
    /// The display name.
    pub name: Option<String>,
    /// The URL that deliveries are sent to.
    pub url: Option<String>,
    /// The actions to deliver.
    pub actions: Option<Vec<EventName>>,
    /// Whether deliveries are sent.
    pub enabled: Option<bool>,
    /// A new secret, sealed, and the time until which the old one still signs as well.
    pub secret: Option<(Vec<u8>, Timestamp)>,
}

/// Changes a webhook.
#[derive(Clone, Debug)]
pub struct UpdateWebhook {
    /// The pool.
    pub pool: PoolId,
    /// The webhook.
    pub id: WebhookId,
    /// The changes.
    pub update: WebhookUpdate,
    /// The revision that the caller last saw. `None` to skip the check.
    pub expected: Option<i64>,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

impl Write for UpdateWebhook {
    /// The webhook with the changes, if it exists. An error is the webhook as somebody else has changed it.
    type Out = Result<Option<Webhook>, Box<Webhook>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let (pool, update) = (&self.pool, self.update.clone());
        versions::lock_configuration(tx).await?;
        let Some(old) = webhooks::get(tx, pool, &self.id).await? else { return Ok(Ok(None)) };
        if self.expected.is_some_and(|expected| expected != old.revision) {
            return Ok(Err(Box::new(old)));
        }
        let mut new = Webhook {
            name: update.name.unwrap_or_else(|| old.name.clone()),
            url: update.url.unwrap_or_else(|| old.url.clone()),
            actions: update.actions.unwrap_or_else(|| old.actions.clone()),
            enabled: update.enabled.unwrap_or(old.enabled),
            ..old.clone()
        };
        let rotated = update.secret.is_some();
        if new == old && !rotated {
            return Ok(Ok(Some(old)));
        }
        new.updated_at = self.trace.at;
        webhooks::update(tx, pool, &new).await?;
        new.revision += 1;
        if let Some((secret, until)) = &update.secret {
            webhooks::rotate(tx, pool, &self.id, secret, *until).await?;
        }
        versions::pools_changed(tx, [&self.pool]).await?;
        self.trace.recorder().record(tx, pool, changed(&self.id, Some(&old), Some(&new), rotated)).await?;
        Ok(Ok(Some(new)))
    }
}

/// Deletes a webhook. Its outstanding deliveries fail.
#[derive(Clone, Debug)]
pub struct DeleteWebhook {
    /// The pool.
    pub pool: PoolId,
    /// The webhook.
    pub id: WebhookId,
    /// The revision that the caller last saw. `None` to skip the check.
    pub expected: Option<i64>,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

impl Write for DeleteWebhook {
    /// Whether it existed. An error is the webhook as somebody else has changed it.
    type Out = Result<bool, Box<Webhook>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        versions::lock_configuration(tx).await?;
        let Some(old) = webhooks::get(tx, &self.pool, &self.id).await? else { return Ok(Ok(false)) };
        if self.expected.is_some_and(|expected| expected != old.revision) {
            return Ok(Err(Box::new(old)));
        }
        webhooks::delete(tx, &self.pool, &self.id).await?;
        versions::pools_changed(tx, [&self.pool]).await?;
        self.trace.recorder().record(tx, &self.pool, changed(&self.id, Some(&old), None, false)).await?;
        Ok(Ok(true))
    }
}

fn changed(
    id: &WebhookId,
    before: Option<&Webhook>,
    after: Option<&Webhook>,
    rotated: bool,
) -> Event<'static> {
    let mut details = json!({
        "webhook": id.as_str(),
        "before": before.map(shown),
        "after": after.map(shown),
    });
    if let (Some(details), true) = (details.as_object_mut(), rotated) {
        details.insert("secretReplaced".to_owned(), true.into());
    }
    Event { action: Action::WebhookChanged, code: 0, user: None, details }
}

/// A webhook's settings for the audit log. The path and query of its URL are left out, because they may
/// contain a secret.
fn shown(webhook: &Webhook) -> Json {
    let scheme_and_host = webhook.url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let host = scheme_and_host.split(['?', '#']).next().unwrap_or_default();
    let actions: Vec<String> = webhook.actions.iter().map(EventName::to_string).collect();
    json!({ "name": webhook.name, "host": host, "events": actions, "enabled": webhook.enabled })
}
