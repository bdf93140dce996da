//! The units of making, changing and deleting webhooks. Each change raises the version of the configuration, which
//! nodes hold in memory, so that the next event goes where it should.

use hufu_store::webhooks::{self, Webhook};
use hufu_store::{StoreError, Tx, Write, versions};
use hufu_types::{Action, PoolId, Timestamp, WebhookId};
use serde_json::{Value as Json, json};

use crate::events::{Event, Trace};

/// Makes a webhook.
#[derive(Clone, Debug)]
pub struct CreateWebhook {
    /// Of which pool.
    pub pool: PoolId,
    /// The webhook.
    pub webhook: Webhook,
    /// Its secret, sealed.
    pub secret: Vec<u8>,
    /// How many a pool may have.
    pub most: i64,
    /// Who does it, from where and when.
    pub trace: Trace,
}

impl Write for CreateWebhook {
    /// Whether there was room for it.
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

/// What is to change of a webhook; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct WebhookUpdate {
    /// What its owner calls it.
    pub name: Option<String>,
    /// Where deliveries go.
    pub url: Option<String>,
    /// What it wants to know of.
    pub actions: Option<Vec<Action>>,
    /// Whether anything is sent to it.
    pub enabled: Option<bool>,
    /// A new secret, sealed, and until when the old one signs as well.
    pub secret: Option<(Vec<u8>, Timestamp)>,
}

/// Changes a webhook.
#[derive(Clone, Debug)]
pub struct UpdateWebhook {
    /// Of which pool.
    pub pool: PoolId,
    /// Which.
    pub id: WebhookId,
    /// What changes.
    pub update: WebhookUpdate,
    /// Who does it, from where and when.
    pub trace: Trace,
}

impl Write for UpdateWebhook {
    /// The webhook as it is now, if there is one.
    type Out = Option<Webhook>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Webhook>, StoreError> {
        let (pool, update) = (&self.pool, self.update.clone());
        versions::lock_configuration(tx).await?;
        let Some(old) = webhooks::get(tx, pool, &self.id).await? else { return Ok(None) };
        let mut new = Webhook {
            name: update.name.unwrap_or_else(|| old.name.clone()),
            url: update.url.unwrap_or_else(|| old.url.clone()),
            actions: update.actions.unwrap_or_else(|| old.actions.clone()),
            enabled: update.enabled.unwrap_or(old.enabled),
            ..old.clone()
        };
        let rotated = update.secret.is_some();
        if new == old && !rotated {
            return Ok(Some(old));
        }
        new.updated_at = self.trace.at;
        webhooks::update(tx, pool, &new).await?;
        if let Some((secret, until)) = &update.secret {
            webhooks::rotate(tx, pool, &self.id, secret, *until).await?;
        }
        versions::pools_changed(tx, [&self.pool]).await?;
        self.trace.recorder().record(tx, pool, changed(&self.id, Some(&old), Some(&new), rotated)).await?;
        Ok(Some(new))
    }
}

/// Deletes a webhook. What was to be delivered to it is given up.
#[derive(Clone, Debug)]
pub struct DeleteWebhook {
    /// Of which pool.
    pub pool: PoolId,
    /// Which.
    pub id: WebhookId,
    /// Who does it, from where and when.
    pub trace: Trace,
}

impl Write for DeleteWebhook {
    /// Whether there was one.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        versions::lock_configuration(tx).await?;
        let Some(old) = webhooks::get(tx, &self.pool, &self.id).await? else { return Ok(false) };
        webhooks::delete(tx, &self.pool, &self.id).await?;
        versions::pools_changed(tx, [&self.pool]).await?;
        self.trace.recorder().record(tx, &self.pool, changed(&self.id, Some(&old), None, false)).await?;
        Ok(true)
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

/// What the audit log keeps of its settings. The path and the query of an address may be somebody's secret.
fn shown(webhook: &Webhook) -> Json {
    let scheme_and_host = webhook.url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let host = scheme_and_host.split(['?', '#']).next().unwrap_or_default();
    let actions: Vec<&str> = webhook.actions.iter().map(|action| action.as_str()).collect();
    json!({ "name": webhook.name, "host": host, "events": actions, "enabled": webhook.enabled })
}
