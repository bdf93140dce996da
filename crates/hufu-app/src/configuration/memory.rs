//! The configuration in memory: finds pools, applications and connections.

use std::collections::HashMap;
use std::sync::Arc;

use hufu_protocol::sealing::SealingKey;
use hufu_store::config::{StoredConfig, StoredConnection};
use hufu_store::outages::Outage;
use hufu_store::webhooks::Subscriber;
use hufu_types::refusal::Code;
use hufu_types::{
    ANY_ORIGIN, Application, ApplicationId, ApplicationKind, Branding, Connection, ConnectionId,
    ConnectionKind, Identifier, Pool, PoolId, PoolSettings, TicketKind, VerificationFile,
};

use super::shards::Shards;
use crate::sources::settings::SettingsError;
use crate::sources::wechat;
use crate::{Refusal, sources};

/// The application and pool that a client names. Absent, empty, `undefined` and `null` values count as not
/// named.
#[derive(Clone, Copy, Debug, Default)]
pub struct ApplicationHint<'a> {
    application: Option<&'a str>,
    pool: Option<&'a str>,
}

impl<'a> ApplicationHint<'a> {
    /// Takes the values of the application header (or `client_id`) and of the pool header.
    pub fn new(application: Option<&'a str>, pool: Option<&'a str>) -> Self {
        Self { application: application.and_then(named), pool: pool.and_then(named) }
    }

    /// The id of the application, if it is named.
    pub(crate) const fn application(&self) -> Option<&'a str> {
        self.application
    }

    /// Whether neither is named.
    pub const fn is_empty(&self) -> bool {
        self.application.is_none() && self.pool.is_none()
    }

    /// Whether everything that is named refers to this application and its pool.
    pub fn agrees_with(&self, application: &Application) -> bool {
        self.application.is_none_or(|id| id == application.id.as_str())
            && self.pool.is_none_or(|id| id == application.pool.as_str())
    }
}

/// The trimmed text, unless it is empty, `undefined` or `null`.
pub fn named(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|t| !matches!(*t, "" | "undefined" | "null"))
}

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
}

impl PoolConfig {
    /// The pool's applications in order, including disabled ones.
    pub fn applications(&self) -> &[Arc<Application>] {
        &self.applications
    }

    /// The origins of its enabled applications, each as often as applications have it.
    fn origins(&self) -> impl Iterator<Item = String> {
        self.applications.iter().filter(|application| application.enabled).flat_map(|a| a.origins())
    }

    /// The application that serves clients which name only the pool: the one that is marked, or otherwise the
    /// first mini program.
    fn default_application(&self) -> Result<&Arc<Application>, Refusal> {
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

    /// Returns a copy with these pools replaced. The other pools are shared, not copied.
    #[must_use]
    pub(crate) fn with(&self, stored: StoredConfig, key: &SealingKey) -> Self {
        let mut config = Self { version: stored.version, ..self.clone() };
        let mut applications = by_pool(stored.applications, |application| &application.pool);
        let mut connections = by_pool(stored.connections, |connection| &connection.pool);
        let mut subscribers = by_pool(stored.subscribers, |(pool, _)| pool);
        let mut outages = by_pool(stored.outages, |outage| &outage.pool);
        for Pool { id, name, settings } in stored.pools {
            let pool = PoolConfig {
                name,
                settings: Arc::new(settings),
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
            };
            config.replace(id, &Arc::new(pool));
        }
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

    /// The settings of a pool.
    pub fn settings(&self, pool: &PoolId) -> Arc<PoolSettings> {
        self.pools.get(pool).map(|pool| pool.settings.clone()).unwrap_or_default()
    }

    /// How the pages of an application look: as it says itself, then as its pool does. The one place that decides it.
    pub fn branding_of(&self, application: &Application) -> Branding {
        let own = application.branding.clone();
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

    /// The application that serves a client before login: the one that it names; or the default application of
    /// the pool that it names; or, if it names nothing, that of the only pool.
    pub fn serving(&self, named: ApplicationHint<'_>) -> Result<&Arc<Application>, Refusal> {
        match (named.application, named.pool) {
            (None, None) => self.only_pool().ok_or(Code::NothingNamed)?.default_application(),
            (Some(id), pool) => {
                let application = self.application(id).ok_or(Code::ApplicationUnknown)?;
                match pool {
                    Some(pool) if self.pool(pool).is_none() => Err(Code::PoolUnknown.into()),
                    Some(pool) if pool != application.pool.as_str() => Err(Code::Disagreement.into()),
                    _ => Ok(application),
                }
            }
            (None, Some(pool)) => self.pool(pool).ok_or(Code::PoolUnknown)?.default_application(),
        }
    }

    /// The pool of an instance that has a single one. The administrators' pool does not count.
    pub(crate) fn only_pool(&self) -> Option<&Arc<PoolConfig>> {
        let system = PoolId::system();
        let mut ids = self.pools.keys().filter(|id| **id != system);
        let only = ids.next()?;
        if ids.next().is_none() { self.pools.get(only) } else { None }
    }

    fn pool(&self, id: &str) -> Option<&Arc<PoolConfig>> {
        self.pools.get(&PoolId::parse(id).ok()?)
    }

    /// The mini program connection for an application. See [`Self::connection_for`].
    pub fn mini_program(
        &self,
        application: &Application,
        identifier: Option<&str>,
        referer: Option<&str>,
    ) -> Result<Arc<Connection>, Refusal> {
        self.connection_for(application, ConnectionKind::WechatMiniProgram, identifier, referer)
    }

    /// The mini program that the person is in, for calls that the login mini program makes too: it names the connection
    /// whose code it scanned.
    pub fn opened_mini_program(
        &self,
        application: &Application,
        identifier: Option<&str>,
        referer: Option<&str>,
    ) -> Result<Arc<Connection>, Refusal> {
        if identifier.is_some_and(|identifier| self.scans(application, identifier)) {
            return self.connection_for(application, ConnectionKind::WechatMiniProgramScan, identifier, None);
        }
        self.mini_program(application, identifier, referer)
    }

    /// The connection of a kind that serves an application: the one the client names; otherwise the one whose
    /// AppID is in the `Referer` that real mini programs send; otherwise the application's first.
    pub fn connection_for(
        &self,
        application: &Application,
        kind: ConnectionKind,
        identifier: Option<&str>,
        referer: Option<&str>,
    ) -> Result<Arc<Connection>, Refusal> {
        if let Some(identifier) = identifier.and_then(named) {
            return self.named_connection(application, kind, identifier);
        }
        let usable = |id: &ConnectionId| self.connection(id).filter(|c| c.enabled && c.kind == kind);
        let mut switched_on = application.connections.iter().filter_map(usable);
        let found = match referer.and_then(mini_program_of_referer) {
            Some(app_id) if kind == ConnectionKind::WechatMiniProgram => switched_on
                .find(|c| wechat::app_id(c) == app_id)
                .ok_or_else(|| Code::OtherMiniProgram.with("app", app_id.to_owned()))?,
            _ => switched_on.next().ok_or_else(|| Code::NoConnection.with("kind", kind.as_str()))?,
        };
        Ok(found.clone())
    }

    /// As [`Self::connection_for`], for a call that several kinds serve: the kind of the connection that the client names;
    /// otherwise the first of them that the application has an enabled connection of; otherwise the first of them.
    pub fn connection_for_one_of(
        &self,
        application: &Application,
        kinds: &[ConnectionKind],
        identifier: Option<&str>,
        referer: Option<&str>,
    ) -> Result<Arc<Connection>, Refusal> {
        let named = identifier.and_then(named).and_then(|i| self.connection_of_pool(&application.pool, i));
        let of = |id: &ConnectionId| self.connection(id).filter(|c| c.enabled).map(|c| c.kind);
        let has = |kind: &&ConnectionKind| application.connections.iter().any(|id| of(id) == Some(**kind));
        let kind = named.map(|connection| connection.kind).filter(|kind| kinds.contains(kind));
        let kind = kind.or_else(|| kinds.iter().find(has).copied()).or(kinds.first().copied());
        self.connection_for(application, kind.ok_or(Code::NamelessConnectionUnknown)?, identifier, referer)
    }

    fn named_connection(
        &self,
        application: &Application,
        kind: ConnectionKind,
        identifier: &str,
    ) -> Result<Arc<Connection>, Refusal> {
        // Text that is not a valid identifier is not echoed in the response.
        let unknown = || match Identifier::parse(identifier) {
            Ok(shown) => Code::ConnectionUnknown.with("connection", String::from(shown)),
            Err(_) => Code::NamelessConnectionUnknown.into(),
        };
        let connection = self.connection_of_pool(&application.pool, identifier).ok_or_else(unknown)?;
        serving(application, kind, connection)
    }

    /// The connection with this id, if it is of this kind and serves the application.
    pub fn connection_by_id(
        &self,
        application: &Application,
        kind: ConnectionKind,
        id: &str,
    ) -> Result<Arc<Connection>, Refusal> {
        let found = self.connections(&application.pool).iter().find(|c| c.id.as_str() == id);
        serving(application, kind, found.ok_or(Code::NamelessConnectionUnknown)?)
    }

    /// The connection of an application that shows QR codes which are scanned in this way: the one that is named, by its id
    /// or its identifier; otherwise the application's first. The pool's own app needs none.
    ///
    /// # Errors
    /// As [`Self::connection_for`].
    pub fn qr_connection(
        &self,
        application: &Application,
        scanned_by: TicketKind,
        named: Option<&str>,
    ) -> Result<Option<Arc<Connection>>, Refusal> {
        if scanned_by == TicketKind::App {
            return Ok(None);
        }
        let is_wanted = |connection: &Connection| {
            sources::qr_codes(connection.kind).is_some_and(|codes| codes.scanned_by == scanned_by)
        };
        if let Some(name) = named.and_then(self::named) {
            let is_named = |c: &&Arc<Connection>| c.id.as_str() == name || c.identifier.as_str() == name;
            let found = self.connections(&application.pool).iter().find(is_named);
            let found = found.ok_or(Code::NamelessConnectionUnknown)?;
            if !is_wanted(found) {
                return Err(Code::ConnectionWithoutQrCode.with("connection", found.identifier.to_string()));
            }
            return serving(application, found.kind, found).map(Some);
        }
        let mut usable = application.connections.iter().filter_map(|id| self.connection(id));
        let found = usable.find(|connection| connection.enabled && is_wanted(connection));
        let kinds = ConnectionKind::ALL
            .iter()
            .filter(|kind| sources::qr_codes(**kind).is_some_and(|codes| codes.scanned_by == scanned_by));
        let kind = kinds.map(|kind| kind.as_str()).next().unwrap_or(scanned_by.as_str());
        found.cloned().map(Some).ok_or_else(|| Code::NoConnection.with("kind", kind))
    }

    /// Whether an application's connection of this identifier shows the code of a mini program. What is said about mini
    /// programs in calls of published clients goes for it too.
    pub fn scans(&self, application: &Application, identifier: &str) -> bool {
        let found = self.connection_of_pool(&application.pool, identifier);
        found.is_some_and(|connection| connection.kind == ConnectionKind::WechatMiniProgramScan)
    }

    /// The connection of this identifier, if it shows QR codes and serves the application.
    ///
    /// # Errors
    /// As [`Self::connection_for`].
    pub fn qr_connection_called(
        &self,
        application: &Application,
        identifier: &str,
    ) -> Result<Arc<Connection>, Refusal> {
        let found = self.connection_of_pool(&application.pool, identifier);
        let found = found.ok_or(Code::NamelessConnectionUnknown)?;
        if sources::qr_codes(found.kind).is_none() {
            return Err(Code::ConnectionWithoutQrCode.with("connection", found.identifier.to_string()));
        }
        serving(application, found.kind, found)
    }

    pub(crate) fn connection_of_pool(&self, pool: &PoolId, identifier: &str) -> Option<&Arc<Connection>> {
        self.pools.get(pool)?.connections.iter().find(|c| c.identifier.as_str() == identifier)
    }

    /// The application for a helper call that names a connection and at most the pool: the serving
    /// application if it has the connection, otherwise the first enabled one of the pool that has it.
    pub fn serving_connection(
        &self,
        named: ApplicationHint<'_>,
        identifier: Option<&str>,
    ) -> Result<&Arc<Application>, Refusal> {
        let application = self.serving(named)?;
        if named.application.is_some() {
            return Ok(application);
        }
        let Some(connection) = identifier.and_then(|i| self.connection_of_pool(&application.pool, i)) else {
            return Ok(application);
        };
        let has = |a: &&Arc<Application>| a.enabled && a.connections.contains(&connection.id);
        let others = self.pools.get(&application.pool).map(|p| p.applications.as_slice()).unwrap_or_default();
        Ok(Some(application).filter(has).or_else(|| others.iter().find(has)).unwrap_or(application))
    }
}

/// A connection, if it is of this kind and serves the application.
fn serving(
    application: &Application,
    kind: ConnectionKind,
    connection: &Arc<Connection>,
) -> Result<Arc<Connection>, Refusal> {
    if connection.kind != kind {
        let kind = connection.kind.as_str();
        return Err(Code::ConnectionOfOtherKind
            .with("connection", connection.identifier.to_string())
            .with("kind", kind));
    }
    if !connection.enabled {
        return Err(Code::ConnectionOff.with("connection", connection.identifier.to_string()));
    }
    if !application.connections.contains(&connection.id) {
        return Err(Code::ConnectionNotForApplication.with("connection", connection.identifier.to_string()));
    }
    Ok(connection.clone())
}

/// The AppID in `https://servicewechat.com/{appid}/{version}/page-frame.html`.
fn mini_program_of_referer(referer: &str) -> Option<&str> {
    let (app_id, _) = referer.strip_prefix("https://servicewechat.com/")?.split_once('/')?;
    sources::is_wechat_app_id(app_id).then_some(app_id)
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

fn unseal(stored: StoredConnection, key: &SealingKey) -> Result<Connection, SettingsError> {
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
        association: stored.association,
        settings,
        extras: stored.extras,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_many_spellings() {
        for nothing in ["", " ", "undefined", "null"] {
            assert_eq!(named(nothing), None);
        }
        assert_eq!(named(" a "), Some("a"));
        assert!(ApplicationHint::new(Some("undefined"), Some("")).is_empty());
    }

    #[test]
    fn the_referer_of_a_mini_program() {
        let app = "wx0123456789abcdef";
        for (referer, found) in [
            (format!("https://servicewechat.com/{app}/0/page-frame.html"), Some(app)),
            (format!("https://servicewechat.com/{app}/devtools/page-frame.html"), Some(app)),
            (format!("https://servicewechat.com.evil.example/{app}/0/x"), None),
            (format!("http://servicewechat.com/{app}/0/x"), None),
            (format!("https://servicewechat.com/{app}"), None),
            ("https://servicewechat.com/touristappid/0/x".to_owned(), None),
        ] {
            assert_eq!(mini_program_of_referer(&referer), found, "{referer}");
        }
    }
}
