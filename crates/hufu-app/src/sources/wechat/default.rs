//! The instance's own mini program, for pools that have none.

use std::fmt;

use hufu_types::refusal::Code;
use hufu_types::{Connection, ConnectionKind, IdentityKind, OpenPlatform, realm};
use hufu_wechat::AppCredentials;
use secrecy::{ExposeSecret as _, SecretString};

use super::{APP_ID, credentials};
use crate::sources::{Evidence, Form, TextOf};
use crate::{App, Refusal};

/// The instance's own mini program. Connections that may have a mini program of their own use this one if they have not.
/// The people in it are known by realms of its own, so nobody is taken for a person of a pool's own apps.
#[derive(Clone)]
pub struct DefaultMiniProgram {
    app_id: String,
    app_secret: SecretString,
    original_id: String,
}

impl DefaultMiniProgram {
    /// Takes the values of its AppID, AppSecret and original id.
    ///
    /// # Errors
    /// The name of the first value that is not valid, and its rule.
    pub fn new(
        app_id: String,
        app_secret: SecretString,
        original_id: String,
    ) -> Result<Self, (&'static str, String)> {
        for (name, form, text) in [
            ("app_id", Form::WechatAppId, app_id.as_str()),
            ("app_secret", Form::WechatAppSecret, app_secret.expose_secret()),
            ("original_id", Form::OriginalId, original_id.as_str()),
        ] {
            form.check(text).map_err(|rule| (name, rule.into_owned()))?;
        }
        Ok(Self { app_id, app_secret, original_id })
    }

    /// Its AppID.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// Its original id, by which apps launch it.
    pub fn original_id(&self) -> &str {
        &self.original_id
    }
}

impl fmt::Debug for DefaultMiniProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultMiniProgram").field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

/// The realms of the connection's own mini program, otherwise those of the instance's: it belongs to another Open Platform
/// account than the pool's apps, so that its UnionIDs are those of other people there.
pub(super) fn realm_of(text_of: TextOf<'_>, platform: &OpenPlatform, of: IdentityKind) -> Option<String> {
    if text_of(APP_ID).is_some() {
        return super::realm(text_of, platform, of);
    }
    Some(match of {
        IdentityKind::Openid => realm::WECHAT_DEFAULT_MINI_PROGRAM.to_owned(),
        IdentityKind::Unionid => realm::WECHAT_DEFAULT_OPEN_PLATFORM.to_owned(),
    })
}

impl App {
    /// The instance's own mini program, if it has one.
    pub const fn default_mini_program(&self) -> Option<&DefaultMiniProgram> {
        self.default_mini_program.as_ref()
    }

    /// Refuses a code of the instance's own mini program that an app sends, if there are several pools: the app of one
    /// tenant could send the codes of its users to the connection of another. A ticket belongs to one pool, and only a
    /// back end of that pool can use it.
    ///
    /// # Errors
    /// [`Code::LaunchCodeUnbound`], [`Code::NoLoginMiniProgram`].
    pub(super) fn require_bound_code(
        &self,
        connection: &Connection,
        evidence: &Evidence<'_>,
    ) -> Result<(), Refusal> {
        let is_shared = connection.settings.text(APP_ID).is_none();
        if connection.kind != ConnectionKind::WechatAppLaunch || !is_shared || evidence.is_of_pool {
            return Ok(());
        }
        self.mini_program_of(connection)?;
        if self.config().only_pool().is_some() { Ok(()) } else { Err(Code::LaunchCodeUnbound.into()) }
    }

    /// The credentials of a connection's mini program: its own, otherwise the instance's.
    ///
    /// # Errors
    /// [`Code::NoLoginMiniProgram`].
    pub(crate) fn mini_program_of(&self, connection: &Connection) -> Result<AppCredentials, Refusal> {
        if connection.settings.text(APP_ID).is_some() {
            return Ok(credentials(connection));
        }
        let of_instance = self.default_mini_program().ok_or(Code::NoLoginMiniProgram)?;
        let DefaultMiniProgram { app_id, app_secret, .. } = of_instance;
        Ok(AppCredentials { app_id: app_id.clone(), app_secret: app_secret.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_values_are_checked_and_not_shown() {
        let make = |app_id: &str, app_secret: &str, original_id: &str| {
            DefaultMiniProgram::new(app_id.to_owned(), app_secret.into(), original_id.to_owned())
        };
        let made = make("wx0123456789abcdef", "5ec2e7", "gh_a781a791e29e").unwrap();
        assert!(!format!("{made:?}").contains("5ec2e7"));
        for (name, values) in [
            ("app_id", ("wx", "5ec2e7", "gh_a781a791e29e")),
            ("app_secret", ("wx0123456789abcdef", "5ec 2e7", "gh_a781a791e29e")),
            ("original_id", ("wx0123456789abcdef", "5ec2e7", "a781a791e29e")),
        ] {
            let (found, rule) = make(values.0, values.1, values.2).unwrap_err();
            assert_eq!(found, name);
            assert!(!rule.contains("2e7"), "{rule}");
        }
    }
}
