//! Connections: what they are, and their credentials, which are sealed for the one row that they belong to.

use std::sync::Arc;

use hufu_protocol::sealing::SealingKey;
use hufu_store::config::{self, Revised, StoredConnection};
use hufu_store::{StoreError, Tx};
use hufu_types::{
    Association, ConnectionId, ConnectionKind, Identifier, OpenPlatform, PoolId, Random, Timestamp, WechatApp,
};
use secrecy::ExposeSecret as _;

use super::change::{Operation, Outcome, Unfit, created, is_expected, names_of, owned};
use super::memory::{open_secret, secret_context};

/// Makes a connection, or changes it.
#[derive(Clone)]
pub struct PutConnection {
    /// Of which pool.
    pub pool: PoolId,
    /// Which; the id of a new one.
    pub id: ConnectionId,
    /// What it is to be.
    pub connection: WantedConnection,
    /// The revision that the caller knows, if it matters; 0 for a new connection.
    pub expected: Option<i64>,
    /// Seals its credentials.
    pub sealing: Arc<SealingKey>,
    /// Randomness for that.
    pub random: Arc<dyn Random>,
}

/// What a connection is to be.
#[derive(Clone, Debug)]
pub struct WantedConnection {
    /// The name in URLs and SDK calls, fixed once made, unique in the pool.
    pub identifier: Identifier,
    /// The login mode, fixed once made.
    pub kind: ConnectionKind,
    /// The text of its login button.
    pub display_name: String,
    /// Whether strangers are refused instead of made users.
    pub login_only: bool,
    /// Whether it serves at all.
    pub enabled: bool,
    /// Where its UnionIDs are unique.
    pub open_platform: OpenPlatform,
    /// How first logins find their account.
    pub association: Association,
    /// Its credentials; none leaves them as they are.
    pub wechat: Option<WechatApp>,
}

impl WantedConnection {
    /// What is there, with its credentials left alone.
    pub(super) fn like(present: &StoredConnection) -> Self {
        Self {
            identifier: present.identifier.clone(),
            kind: present.kind,
            display_name: present.display_name.clone(),
            login_only: present.login_only,
            enabled: present.enabled,
            open_platform: present.open_platform.clone(),
            association: present.association.clone(),
            wechat: None,
        }
    }

    /// What differs, by the names of the file; credentials are compared unsealed. One that does not open, as after the
    /// loss of the key, differs.
    pub(super) fn differences(&self, present: &StoredConnection, sealing: &SealingKey) -> Vec<&'static str> {
        let wechat = self.wechat.as_ref();
        names_of(&[
            ("display_name", self.display_name != present.display_name),
            ("login_only", self.login_only != present.login_only),
            ("open_platform", self.open_platform != present.open_platform),
            ("association", self.association != present.association),
            ("app_id", wechat.is_some_and(|app| app.app_id != present.app_id)),
            ("app_secret", wechat.is_some_and(|app| !is_secret_of(app, present, sealing))),
        ])
    }
}

fn is_secret_of(app: &WechatApp, present: &StoredConnection, sealing: &SealingKey) -> bool {
    open_secret(present, sealing).is_ok_and(|secret| secret.expose_secret() == app.app_secret.expose_secret())
}

impl Operation for PutConnection {
    type Object = StoredConnection;

    fn pool(&self) -> &PoolId {
        &self.pool
    }

    fn object(&self) -> (&'static str, String) {
        ("connection", self.connection.identifier.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<StoredConnection>, StoreError> {
        let wanted = &self.connection;
        let present = config::connection(tx, &self.pool, &self.id).await?;
        if let (false, Some(expected)) = (is_expected(self.expected, present.as_ref()), self.expected) {
            return Ok(Outcome::Conflict { expected, now: present });
        }
        let problems = wanted.association.problems(wanted.kind);
        if !problems.is_empty() {
            return Ok(Outcome::Unfit(Unfit::Settings(problems)));
        }
        let Some(present) = present else { return self.insert(tx, now).await };
        if present.value.identifier != wanted.identifier || present.value.kind != wanted.kind {
            let fixed = Unfit::Fixed(present.value.identifier, present.value.kind);
            return Ok(Outcome::Unfit(fixed));
        }
        let mut changed = wanted.differences(&present.value, &self.sealing);
        let seals = changed.contains(&"app_secret");
        if present.value.enabled != wanted.enabled {
            changed.push("enabled");
        }
        if changed.is_empty() {
            return Ok(Outcome::Done { now: Some(present), changed: Vec::new() });
        }
        let stored = StoredConnection {
            display_name: wanted.display_name.clone(),
            login_only: wanted.login_only,
            enabled: wanted.enabled,
            open_platform: wanted.open_platform.clone(),
            association: wanted.association.clone(),
            ..present.value
        };
        let stored = match &wanted.wechat {
            Some(app) if seals => {
                StoredConnection { app_id: app.app_id.clone(), app_secret: self.seal(app), ..stored }
            }
            Some(app) => StoredConnection { app_id: app.app_id.clone(), ..stored },
            None => stored,
        };
        config::update_connection(tx, &stored, now).await?;
        let now = Revised { revision: present.revision + 1, value: stored };
        Ok(Outcome::Done { now: Some(now), changed: owned(changed) })
    }
}

impl PutConnection {
    async fn insert(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<StoredConnection>, StoreError> {
        let wanted = self.connection.clone();
        if config::pool(tx, &self.pool).await?.is_none() {
            return Ok(Outcome::Unfit(Unfit::NoPool));
        }
        if config::connection_of(tx, &self.pool, &wanted.identifier).await?.is_some() {
            return Ok(Outcome::Unfit(Unfit::IdentifierTaken));
        }
        let Some(app) = wanted.wechat else { return Ok(Outcome::Unfit(Unfit::NoCredentials)) };
        let stored = StoredConnection {
            id: self.id.clone(),
            pool: self.pool.clone(),
            identifier: wanted.identifier,
            kind: wanted.kind,
            display_name: wanted.display_name,
            login_only: wanted.login_only,
            enabled: wanted.enabled,
            open_platform: wanted.open_platform,
            app_secret: self.seal(&app),
            app_id: app.app_id,
            association: wanted.association,
        };
        config::insert_connection(tx, &stored, now).await?;
        Ok(Outcome::Done { now: Some(Revised { revision: 1, value: stored }), changed: created() })
    }

    fn seal(&self, app: &WechatApp) -> Vec<u8> {
        let secret = app.app_secret.expose_secret();
        self.sealing.seal(&*self.random, &secret_context(&self.id), secret.as_bytes())
    }
}
