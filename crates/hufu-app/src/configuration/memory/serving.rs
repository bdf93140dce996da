//! Which application and which connection serve a client, by what it names.

use std::sync::Arc;

use hufu_types::refusal::Code;
use hufu_types::{
    Application, Connection, ConnectionId, ConnectionKind, Identifier, PoolId, PoolState, TicketKind,
};

use super::{Config, PoolConfig};
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

impl Config {
    /// The application that serves a client before login: the one that it names; or the default application of
    /// the pool that it names; or, if it names nothing, that of the only pool.
    pub fn serving(&self, named: ApplicationHint<'_>) -> Result<&Arc<Application>, Refusal> {
        match (named.application, named.pool) {
            (None, None) => self.only_pool().ok_or(Code::NothingNamed)?.default_application(),
            (Some(id), pool) => {
                let application = self.application_or(id, Code::ApplicationUnknown)?;
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
        let is_removed = |id: &PoolId| matches!(self.state(id), PoolState::Removed(_) | PoolState::Going);
        let mut ids = self.pools.keys().filter(|id| **id != system && !is_removed(id));
        let only = ids.next()?;
        if ids.next().is_none() { self.pools.get(only) } else { None }
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

    fn pool(&self, id: &str) -> Option<&Arc<PoolConfig>> {
        self.pools.get(&PoolId::parse(id).ok()?)
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
