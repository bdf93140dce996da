//! Webhooks of pools: who is told of what. Each change raises the version of the configuration, which nodes hold in
//! memory, so that the next event goes where it should.

use hufu_types::{Action, PoolId, Timestamp, WebhookId};
use serde_json::{Value as Json, json};

use crate::events::{Event, Trace};
use crate::{Read, Row, StoreError, Tx, Write, statements, versions};

statements! {
    COUNT = "SELECT COUNT(*) FROM webhooks WHERE pool_id = $1";
    LIST = "
        SELECT id, name, url, events, enabled, failures, created_at, updated_at
        FROM webhooks WHERE pool_id = $1 ORDER BY id";
    GET = "
        SELECT id, name, url, events, enabled, failures, created_at, updated_at
        FROM webhooks WHERE pool_id = $1 AND id = $2";
    INSERT = "
        INSERT INTO webhooks (pool_id, id, name, url, events, secret, enabled, failures, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $8)";
    UPDATE = "
        UPDATE webhooks SET name = $3, url = $4, events = $5, enabled = $6, updated_at = $7, revision = revision + 1
        WHERE pool_id = $1 AND id = $2";
    ROTATE = "
        UPDATE webhooks SET previous_secret = secret, previous_until = $4, secret = $3
        WHERE pool_id = $1 AND id = $2";
    DELETE = "DELETE FROM webhooks WHERE pool_id = $1 AND id = $2";
}

/// A webhook, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The id.
    pub id: WebhookId,
    /// What its owner calls it.
    pub name: String,
    /// Where deliveries go.
    pub url: String,
    /// What it wants to know of; everything, where this is empty.
    pub actions: Vec<Action>,
    /// Whether anything is sent to it.
    pub enabled: bool,
    /// Deliveries that were given up since the last that arrived.
    pub failures: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its settings were last changed.
    pub updated_at: Timestamp,
}

impl Webhook {
    /// What the audit log keeps of its settings. The path and the query of an address may be somebody's secret.
    fn told(&self) -> Json {
        let scheme_and_host = self.url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let host = scheme_and_host.split(['?', '#']).next().unwrap_or_default();
        let actions: Vec<&str> = self.actions.iter().map(|action| action.as_str()).collect();
        json!({ "name": self.name, "host": host, "events": actions, "enabled": self.enabled })
    }
}

/// The webhooks of a pool, in the order in which they were made.
#[derive(Clone, Debug)]
pub struct ListWebhooks(pub PoolId);

impl Read for ListWebhooks {
    type Out = Vec<Webhook>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Webhook>, StoreError> {
        tx.all(LIST, &[(&self.0).into()], decode).await
    }
}

/// One webhook of a pool.
#[derive(Clone, Debug)]
pub struct GetWebhook(pub PoolId, pub WebhookId);

impl Read for GetWebhook {
    type Out = Option<Webhook>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Webhook>, StoreError> {
        get(tx, &self.0, &self.1).await
    }
}

async fn get(tx: &mut Tx<'_>, pool: &PoolId, id: &WebhookId) -> Result<Option<Webhook>, StoreError> {
    tx.optional(GET, &[pool.into(), id.as_str().into()], decode).await
}

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
        let count: i64 = tx.optional(COUNT, &[pool.into()], |row| row.get(0)).await?.unwrap_or_default();
        if count >= self.most {
            return Ok(false);
        }
        let events = serde_json::to_string(&new.actions)?;
        let values = [
            pool.into(),
            new.id.as_str().into(),
            (&new.name).into(),
            (&new.url).into(),
            (&events).into(),
            (&self.secret).into(),
            new.enabled.into(),
            new.created_at.into(),
        ];
        tx.execute(INSERT, &values).await?;
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
        let Some(old) = get(tx, pool, &self.id).await? else { return Ok(None) };
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
        let events = serde_json::to_string(&new.actions)?;
        let values = [
            pool.into(),
            self.id.as_str().into(),
            (&new.name).into(),
            (&new.url).into(),
            (&events).into(),
            new.enabled.into(),
            new.updated_at.into(),
        ];
        tx.execute(UPDATE, &values).await?;
        if let Some((secret, until)) = &update.secret {
            let values = [pool.into(), self.id.as_str().into(), secret.into(), (*until).into()];
            tx.execute(ROTATE, &values).await?;
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
        let Some(old) = get(tx, &self.pool, &self.id).await? else { return Ok(false) };
        tx.execute(DELETE, &[(&self.pool).into(), self.id.as_str().into()]).await?;
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
        "before": before.map(Webhook::told),
        "after": after.map(Webhook::told),
    });
    if let (Some(details), true) = (details.as_object_mut(), rotated) {
        details.insert("secretReplaced".to_owned(), true.into());
    }
    Event { action: Action::WebhookChanged, code: 0, user: None, details }
}

fn decode(row: &Row<'_>) -> Result<Webhook, StoreError> {
    Ok(Webhook {
        id: WebhookId::parse(&row.get::<String>(0)?)?,
        name: row.get(1)?,
        url: row.get(2)?,
        actions: serde_json::from_str(&row.get::<String>(3)?)?,
        enabled: row.get(4)?,
        failures: row.get(5)?,
        created_at: Timestamp(row.get(6)?),
        updated_at: Timestamp(row.get(7)?),
    })
}
