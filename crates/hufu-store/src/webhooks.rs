//! Webhooks: URLs that a pool's events are sent to.

use hufu_types::{EventName, PoolId, Timestamp, UserId, WebhookId};

use crate::{Read, Row, StoreError, Tx, statements};

statements! {
    COUNT = "SELECT COUNT(*) FROM webhooks WHERE pool_id = $1";
    LIST = "
        SELECT id, name, url, events, enabled, failures, created_at, updated_at, revision, created_by,
               created_by IS NOT NULL AND NOT EXISTS (
                   SELECT 1 FROM administrators a
                   WHERE a.user_id = webhooks.created_by AND (a.scope_pool IS NULL OR a.scope_pool = webhooks.pool_id))
        FROM webhooks WHERE pool_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    GET = "
        SELECT id, name, url, events, enabled, failures, created_at, updated_at, revision, created_by,
               created_by IS NOT NULL AND NOT EXISTS (
                   SELECT 1 FROM administrators a
                   WHERE a.user_id = webhooks.created_by AND (a.scope_pool IS NULL OR a.scope_pool = webhooks.pool_id))
        FROM webhooks WHERE pool_id = $1 AND id = $2";
    INSERT = "
        INSERT INTO webhooks (pool_id, id, name, url, events, secret, enabled, failures, created_at, updated_at,
                              created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $8, $9)";
    UPDATE = "
        UPDATE webhooks SET name = $3, url = $4, events = $5, enabled = $6, updated_at = $7, revision = revision + 1
        WHERE pool_id = $1 AND id = $2";
    ROTATE = "
        UPDATE webhooks SET previous_secret = secret, previous_until = $4, secret = $3
        WHERE pool_id = $1 AND id = $2";
    // The administrators are those of all pools.
    MADE_BY = "SELECT pool_id, id, name FROM webhooks WHERE created_by = $1 ORDER BY pool_id, id";
    DELETE = "DELETE FROM webhooks WHERE pool_id = $1 AND id = $2";
}

/// A webhook that subscribes to events of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// The webhook.
    pub webhook: WebhookId,
    /// The events it subscribes to; empty means all.
    pub actions: Vec<EventName>,
}

/// A webhook, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The id.
    pub id: WebhookId,
    /// The name chosen by its owner.
    pub name: String,
    /// The URL to which deliveries are sent.
    pub url: String,
    /// The events it subscribes to; empty means all.
    pub actions: Vec<EventName>,
    /// Whether deliveries are sent to it.
    pub enabled: bool,
    /// The number of deliveries given up since the last successful one.
    pub failures: i64,
    /// The administrator who created it, directly or with a key of theirs; `None` for the command line and for one of an
    /// earlier version.
    pub created_by: Option<UserId>,
    /// Whether that administrator has no role in the pool any more.
    pub is_orphan: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its settings were last changed.
    pub updated_at: Timestamp,
    /// Rises with each change of its settings.
    pub revision: i64,
}

/// Reads the webhooks of a pool, in the order of creation.
#[derive(Clone, Debug)]
pub struct ListWebhooks {
    /// The pool.
    pub pool: PoolId,
    /// The id of the last webhook of the previous page; empty for the first page.
    pub after: String,
    /// The maximum number of webhooks.
    pub limit: i64,
}

impl Read for ListWebhooks {
    type Out = Vec<Webhook>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Webhook>, StoreError> {
        tx.all(LIST, &[(&self.pool).into(), (&self.after).into(), self.limit.into()], decode).await
    }
}

/// Reads a webhook of a pool.
#[derive(Clone, Debug)]
pub struct GetWebhook(pub PoolId, pub WebhookId);

impl Read for GetWebhook {
    type Out = Option<Webhook>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Webhook>, StoreError> {
        get(tx, &self.0, &self.1).await
    }
}

/// Reads a webhook.
pub async fn get(tx: &mut Tx<'_>, pool: &PoolId, id: &WebhookId) -> Result<Option<Webhook>, StoreError> {
    tx.optional(GET, &[pool.into(), id.as_str().into()], decode).await
}

/// The number of webhooks of a pool.
pub async fn count(tx: &mut Tx<'_>, pool: &PoolId) -> Result<i64, StoreError> {
    Ok(tx.optional(COUNT, &[pool.into()], |row| row.get(0)).await?.unwrap_or_default())
}

/// Inserts a webhook with this secret, which is sealed.
pub async fn insert(tx: &mut Tx<'_>, pool: &PoolId, new: &Webhook, secret: &[u8]) -> Result<(), StoreError> {
    let events = serde_json::to_string(&new.actions)?;
    let values = [
        pool.into(),
        new.id.as_str().into(),
        (&new.name).into(),
        (&new.url).into(),
        (&events).into(),
        secret.into(),
        new.enabled.into(),
        new.created_at.into(),
        new.created_by.as_ref().map(UserId::as_str).into(),
    ];
    tx.execute(INSERT, &values).await.map(drop)
}

/// Updates the settings of a webhook.
pub async fn update(tx: &mut Tx<'_>, pool: &PoolId, new: &Webhook) -> Result<(), StoreError> {
    let events = serde_json::to_string(&new.actions)?;
    let values = [
        pool.into(),
        new.id.as_str().into(),
        (&new.name).into(),
        (&new.url).into(),
        (&events).into(),
        new.enabled.into(),
        new.updated_at.into(),
    ];
    tx.execute(UPDATE, &values).await.map(drop)
}

/// Replaces the secret of a webhook with this one, which is sealed. The previous secret also signs until
/// `until`.
pub async fn rotate(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &WebhookId,
    secret: &[u8],
    until: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(ROTATE, &[pool.into(), id.as_str().into(), secret.into(), until.into()]).await.map(drop)
}

/// The webhooks that an administrator created, of all pools: pool, id and name.
pub async fn made_by(tx: &mut Tx<'_>, user: &UserId) -> Result<Vec<(PoolId, WebhookId, String)>, StoreError> {
    let decode = |row: &Row<'_>| {
        Ok((PoolId::parse(&row.get::<String>(0)?)?, WebhookId::parse(&row.get::<String>(1)?)?, row.get(2)?))
    };
    tx.all(MADE_BY, &[user.into()], decode).await
}

/// Deletes a webhook.
pub async fn delete(tx: &mut Tx<'_>, pool: &PoolId, id: &WebhookId) -> Result<(), StoreError> {
    tx.execute(DELETE, &[pool.into(), id.as_str().into()]).await.map(drop)
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
        revision: row.get(8)?,
        created_by: row.get::<Option<String>>(9)?.map(|id| UserId::parse(&id)).transpose()?,
        is_orphan: row.get(10)?,
    })
}
