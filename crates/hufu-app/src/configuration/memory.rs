//! The configuration in memory: finds pools, applications and connections. What serves a client is in `serving`.

mod serving;

use std::collections::HashMap;
use std::sync::Arc;

use hufu_protocol::sealing::SealingKey;
use hufu_store::config::{StoredConfig, StoredConnection};
use hufu_store::outages::Outage;
use hufu_store::webhooks::Subscriber;
use hufu_types::refusal::Code;
use hufu_types::{
    ANY_ORIGIN, Application, ApplicationId, ApplicationKind, Branding, Connection, ConnectionId, Pool,
    PoolId, PoolSettings, PoolState, VerificationFile,
};

pub use self::serving::{ApplicationHint, named};
use super::console::Console;
use super::shards::Shards;
use crate::sources::settings::SettingsError;
use crate::{Refusal, sources};

/// The configuration of the instance at one version.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The version.
    pub version: i64,
    pools: Shards<PoolId, Arc<PoolConfig>>,
    applications: Shards<ApplicationId, Arc<Application>>,
    connections: Shards<ConnectionId, Arc<Connection>>,
    /// How many enabled applications have each origin.
    origins: Shards<String, usize>,
    /// The connections with a verification file, by its name.
    files: Shards<String, Arc<Connection>>,
    /// The application by which administrators log in. Commands have none.
    console: Option<Console>,
}

/// A pool with everything in it, as last read from the database.
#[derive(Debug)]
pub struct PoolConfig {
    name: String,
    settings: Arc<PoolSettings>,
    /// Ordered by position.
    applications: Vec<Arc<Application>>,
    /// Ordered by creation.
    connections: Vec<Arc<Connection>>,
    subscribers: Arc<[Subscriber]>,
    /// The connections that are unavailable; usually none.
    outages: Vec<Outage>,
    /// Whether it serves its users. If not, its applications and connections are disabled here, whatever they are in the
    /// database. Unless it is only switched off, nobody subscribes to its events either.
    state: PoolState,
}

impl PoolConfig {
    /// The pool's applications in order, including disabled ones.
    pub fn applications(&self) -> &[Arc<Application>] {
        &self.applications
    }

    /// The pool as one that serves nobody. One whose rows are going has nothing in it any more.
    fn closed(mut self) -> Self {
        if self.state == PoolState::Going {
            self.applications.clear();
            self.connections.clear();
        }
        for application in &mut self.applications {
            Arc::make_mut(application).enabled = false;
        }
        for connection in &mut self.connections {
            Arc::make_mut(connection).enabled = false;
        }
        // What administrators do while the pool is off is told when it is on again.
        if self.state != PoolState::Off {
            self.subscribers = Arc::default();
        }
        self
    }

    /// The origins of its enabled applications, each as often as applications have it.
    fn origins(&self) -> impl Iterator<Item = String> {
        self.applications.iter().filter(|application| application.enabled).flat_map(|a| a.origins())
    }

    /// The application that serves clients which name only the pool: the one that is marked, or otherwise the
    /// first mini program.
    fn default_application(&self) -> Result<&Arc<Application>, Refusal> {
        if self.state != PoolState::On {
            return Err(Code::PoolOff.into());
        }
        let mut enabled = self.applications.iter().filter(|a| a.enabled);
        let marked = enabled.clone().find(|a| a.is_default);
        marked
            .or_else(|| enabled.find(|a| a.kind == ApplicationKind::MiniProgram))
            .ok_or_else(|| Code::NoDefaultApplication.into())
    }
}

impl Config {
    /// Unseals a stored configuration. A connection whose settings cannot be unsealed is logged and left out,
    /// so that the others keep working.
    pub fn unseal(stored: StoredConfig, key: &SealingKey) -> Self {
        Self::default().with(stored, key)
    }

    /// A configuration without any pool, in which administrators can log in.
    pub(crate) fn with_console(console: Option<Console>) -> Self {
        Self { console, ..Self::default() }
    }

    /// The application by which administrators log in.
    pub(crate) fn console(&self) -> Option<&Console> {
        self.console.as_ref()
    }

    /// The configuration with these pools replaced. A copy shares the other pools with the original.
    #[must_use]
    pub(crate) fn with(self, stored: StoredConfig, key: &SealingKey) -> Self {
        let mut config = Self { version: stored.version, ..self };
        let mut applications = by_pool(stored.applications, |application| &application.pool);
        let mut connections = by_pool(stored.connections, |connection| &connection.pool);
        let mut subscribers = by_pool(stored.subscribers, |(pool, _)| pool);
        let mut outages = by_pool(stored.outages, |outage| &outage.pool);
        let states: HashMap<PoolId, PoolState> = stored.closed.into_iter().collect();
        // Few pools set anything of their own.
        let usual = Arc::new(PoolSettings::default());
        for Pool { id, name, mut settings } in stored.pools {
            if let Some(console) = config.console.as_ref().filter(|_| id == PoolId::system()) {
                settings.session = console.session;
                // An address is proved where a code can be sent to it.
                settings.register_email_without_code = !stored.administrators_get_mail && !console.has_outbox;
            }
            let state = states.get(&id).copied().unwrap_or_default();
            let pool = PoolConfig {
                name,
                settings: if settings == *usual { usual.clone() } else { Arc::new(settings) },
                applications: applications
                    .remove(&id)
                    .unwrap_or_default()
                    .into_iter()
                    .map(Arc::new)
                    .collect(),
                connections: unseal_all(connections.remove(&id).unwrap_or_default(), key),
                subscribers: subscribers
                    .remove(&id)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(_, s)| s)
                    .collect(),
                outages: outages.remove(&id).unwrap_or_default(),
                state,
            };
            config.replace(id, &Arc::new(if state == PoolState::On { pool } else { pool.closed() }));
        }
        let going = states.iter().filter(|(_, state)| **state == PoolState::Going);
        going.for_each(|(id, _)| config.pools.remove(id));
        let is_taken = config.applications.get(&ApplicationId::console()).is_some();
        config.console = config.console.take().map(|console| console.beside(is_taken));
        config
    }

    fn replace(&mut self, id: PoolId, pool: &Arc<PoolConfig>) {
        for application in &pool.applications {
            self.applications.insert(application.id.clone(), application.clone());
        }
        for connection in &pool.connections {
            self.connections.insert(connection.id.clone(), connection.clone());
            if let Some(file) = &connection.extras.verification_file {
                self.files.insert(file.name.clone(), connection.clone());
            }
        }
        for origin in pool.origins() {
            let count = self.origins.get(&origin).copied().unwrap_or_default();
            self.origins.insert(origin, count + 1);
        }
        let Some(before) = self.pools.insert(id, pool.clone()) else { return };
        for origin in before.origins() {
            match self.origins.get(&origin).copied() {
                Some(count @ 2..) => drop(self.origins.insert(origin, count - 1)),
                _ => self.origins.remove(&origin),
            }
        }
        for old in &before.connections {
            let Some(file) = &old.extras.verification_file else { continue };
            let has_it = |connection: &Arc<Connection>| {
                connection.extras.verification_file.as_ref().is_some_and(|own| own.name == file.name)
            };
            // A connection of another pool may have it by now.
            let is_its = self.files.get(&file.name).is_some_and(|of| of.pool == old.pool);
            if is_its && !pool.connections.iter().any(has_it) {
                self.files.remove(&file.name);
            }
        }
        // A connection may also be gone because its secret can no longer be unsealed.
        for gone in before.applications.iter().filter(|old| !pool.applications.iter().any(|a| a.id == old.id))
        {
            self.applications.remove(&gone.id);
        }
        for gone in before.connections.iter().filter(|old| !pool.connections.iter().any(|c| c.id == old.id)) {
            self.connections.remove(&gone.id);
        }
    }

    /// Whether scripts of this origin may call the endpoints of OpenID Connect, because an application has it. The
    /// browser asks before it says for which application it calls (Fetch, "CORS-preflight request").
    pub fn knows_origin(&self, origin: &str) -> bool {
        self.origins.get(origin).is_some() || self.origins.get(ANY_ORIGIN).is_some()
    }

    /// An application, if it is enabled.
    pub fn application(&self, id: &str) -> Option<&Arc<Application>> {
        let id = ApplicationId::parse(id).ok()?;
        self.applications.get(&id).filter(|a| a.enabled)
    }

    /// An application, if it is enabled.
    ///
    /// # Errors
    /// [`Code::PoolOff`] if its pool serves nobody; otherwise this code.
    pub fn application_or(&self, id: &str, otherwise: Code) -> Result<&Arc<Application>, Refusal> {
        self.application(id).ok_or_else(|| {
            let known = ApplicationId::parse(id).ok().and_then(|id| self.applications.get(&id));
            let is_closed = known.is_some_and(|known| self.state(&known.pool) != PoolState::On);
            if is_closed { Code::PoolOff.into() } else { otherwise.into() }
        })
    }

    /// An application whose login pages somebody opens: an enabled one, or that of the administrators, to which no other
    /// call leads.
    ///
    /// # Errors
    /// As [`Self::application_or`].
    pub fn on_pages(&self, id: &str, otherwise: Code) -> Result<&Arc<Application>, Refusal> {
        let console = self.console.as_ref().map(|console| &console.application);
        match console.filter(|console| console.id.as_str() == id) {
            Some(console) => Ok(console),
            None => self.application_or(id, otherwise),
        }
    }

    /// Checks that a pool serves its users.
    ///
    /// # Errors
    /// [`Code::PoolOff`].
    pub fn check_open(&self, pool: &PoolId) -> Result<(), Refusal> {
        if self.state(pool) == PoolState::On { Ok(()) } else { Err(Code::PoolOff.into()) }
    }

    /// Whether a pool serves its users. What is no pool is going.
    pub fn state(&self, pool: &PoolId) -> PoolState {
        self.pools.get(pool).map_or(PoolState::Going, |pool| pool.state)
    }

    /// The enabled application of a pool that is this resource (RFC 8707). They are compared as strings.
    pub fn resource(&self, pool: &PoolId, resource: &str) -> Option<&Arc<Application>> {
        let is_it = |application: &&Arc<Application>| {
            application.enabled && application.client.resources.iter().any(|own| own == resource)
        };
        self.pools.get(pool)?.applications.iter().find(is_it)
    }

    /// All applications.
    pub fn applications(&self) -> impl Iterator<Item = &Arc<Application>> {
        self.applications.values()
    }

    /// A connection by its id.
    pub fn connection(&self, id: &ConnectionId) -> Option<&Arc<Connection>> {
        self.connections.get(id)
    }

    /// The verification file with this name.
    pub fn verification_file(&self, name: &str) -> Option<&VerificationFile> {
        self.files.get(name)?.extras.verification_file.as_ref()
    }

    /// The connections of a pool.
    pub fn connections(&self, pool: &PoolId) -> &[Arc<Connection>] {
        self.pools.get(pool).map(|pool| pool.connections.as_slice()).unwrap_or_default()
    }

    /// A pool with everything in it.
    pub fn of_pool(&self, id: &PoolId) -> Option<&Arc<PoolConfig>> {
        self.pools.get(id)
    }

    /// Whether there is such a pool.
    pub fn has_pool(&self, id: &PoolId) -> bool {
        self.pools.get(id).is_some()
    }

    /// The name of a pool.
    pub fn pool_name(&self, id: &PoolId) -> Option<&str> {
        self.pools.get(id).map(|pool| pool.name.as_str())
    }

    /// All pools.
    pub fn pools(&self) -> impl Iterator<Item = &PoolId> {
        self.pools.keys()
    }

    /// All pools with their names.
    pub fn named_pools(&self) -> impl Iterator<Item = (&PoolId, &str)> {
        self.pools.iter().map(|(id, pool)| (id, pool.name.as_str()))
    }

    /// The settings of a pool.
    pub fn settings(&self, pool: &PoolId) -> Arc<PoolSettings> {
        self.pools.get(pool).map(|pool| pool.settings.clone()).unwrap_or_default()
    }

    /// How the pages of an application look: as it says itself, then as its pool does. The one place that decides it.
    pub fn branding_of(&self, application: &Application) -> Branding {
        let own = application.branding.clone().into_inner();
        let logo = own.logo.or_else(|| application.client.logo.clone());
        Branding { logo, ..own }.over(&self.settings(&application.pool).branding)
    }

    /// The webhooks that subscribe to events of a pool.
    pub fn subscribers(&self, pool: &PoolId) -> Arc<[Subscriber]> {
        self.pools.get(pool).map(|pool| pool.subscribers.clone()).unwrap_or_default()
    }

    /// Since when a connection has been unavailable, and why. `None` if it is available.
    pub fn outage(&self, connection: &Connection) -> Option<&Outage> {
        self.outage_of(&connection.pool, &connection.id)
    }

    /// The same, of a connection that may be unusable.
    pub(crate) fn outage_of(&self, pool: &PoolId, connection: &ConnectionId) -> Option<&Outage> {
        self.pools.get(pool)?.outages.iter().find(|outage| outage.connection == *connection)
    }

    /// Whether logins through a connection can succeed: WeChat has not taken its app out of service.
    pub fn is_available(&self, connection: &Connection) -> bool {
        self.outage(connection).is_none()
    }

    /// The connection of a pool with this identifier.
    pub(crate) fn connection_of_pool(&self, pool: &PoolId, identifier: &str) -> Option<&Arc<Connection>> {
        self.pools.get(pool)?.connections.iter().find(|c| c.identifier.as_str() == identifier)
    }
}

fn by_pool<T>(stored: Vec<T>, pool: impl Fn(&T) -> &PoolId) -> HashMap<PoolId, Vec<T>> {
    let mut by_pool: HashMap<PoolId, Vec<T>> = HashMap::new();
    for item in stored {
        by_pool.entry(pool(&item).clone()).or_default().push(item);
    }
    by_pool
}

fn unseal_all(stored: Vec<StoredConnection>, key: &SealingKey) -> Vec<Arc<Connection>> {
    let mut connections = Vec::with_capacity(stored.len());
    for stored in stored {
        let (pool, identifier) = (stored.pool.clone(), stored.identifier.clone());
        match unseal(stored, key) {
            Ok(connection) => connections.push(Arc::new(connection)),
            Err(error) => {
                tracing::error!(%pool, %identifier, %error, "a connection's settings cannot be used; it serves nobody");
            }
        }
    }
    connections
}

/// Opens the settings of a connection.
pub(crate) fn unseal(stored: StoredConnection, key: &SealingKey) -> Result<Connection, SettingsError> {
    let settings = sources::settings::open(&stored, key)?;
    Ok(Connection {
        id: stored.id,
        pool: stored.pool,
        identifier: stored.identifier,
        kind: stored.kind,
        display_name: stored.display_name,
        login_only: stored.login_only,
        enabled: stored.enabled,
        open_platform: stored.open_platform,
        association: stored.association.into(),
        settings: settings.into(),
        extras: stored.extras.into(),
    })
}
