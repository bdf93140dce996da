//! Links that log an administrator in to a browser, once: made on the instance's own machine, for whoever cannot log in
//! otherwise.

use async_recursion::async_recursion as boxed;
use hufu_store::administration::{
    self as store, Administrator, AdministratorName, GetAdministratorCredentials, NewAccessKey,
};
use hufu_store::entry_links::{self, GetEntryLink};
use hufu_store::{StoreError, Tx, Write, users};
use hufu_types::refusal::Code;
use hufu_types::{
    AccessKeyId, Action, AdminRole, OpaqueToken, PoolId, Timestamp, TokenHash, TokenPurpose, UserId, Username,
};
use secrecy::SecretString;
use serde_json::json;

use super::by_browser::{name_of, write_login};
use super::logins::GetAdministrator;
use super::{AdminLogin, record};
use crate::administration::AdminCaller;
use crate::digest::hash_token;
use crate::events::Trace;
use crate::people::holders::unusable;
use crate::{App, Origin, Refusal};

/// The page that the link opens.
const PAGE: &str = "/administration/enter";

impl App {
    /// Makes a link that logs an administrator in to a browser, once. It takes the place of the one before. For the command
    /// line: whoever calls this may do everything.
    ///
    /// # Errors
    /// [`Code::NoSuchAdministrator`], [`Code::Disabled`].
    #[boxed]
    pub async fn make_entry_link(&self, username: &str) -> Result<SecretString, Refusal> {
        let username =
            Username::parse(username).map_err(|error| Refusal::invalid("username", error.into()))?;
        let found = self.read(GetAdministratorCredentials(AdministratorName::Username(username))).await?;
        let found = found.filter(|found| found.has_role).ok_or(Code::NoSuchAdministrator)?;
        if !found.is_active {
            return Err(Code::Disabled.into());
        }
        let token = OpaqueToken::generate(TokenPurpose::EntryLink, &*self.random);
        let unit = MakeLink {
            hash: hash_token(token.expose()),
            user: found.user,
            expires_at: self.now().plus(self.limits.entry_link_life),
            trace: self.trace_in(&AdminCaller::command_line(), None),
        };
        self.write(unit).await?;
        Ok(SecretString::from(format!("{}{PAGE}?token={}", self.public_url, token.expose())))
    }

    /// The name of the administrator whose link this is.
    ///
    /// # Errors
    /// [`Code::EntryLinkUnknown`].
    #[boxed]
    pub async fn entry_link(&self, token: &str) -> Result<String, Refusal> {
        let found = self.read(GetEntryLink(hash_token(token), self.now())).await?;
        let user = found.ok_or(Code::EntryLinkUnknown)?;
        let administrator = self.read(GetAdministrator(user)).await?.ok_or(Code::EntryLinkUnknown)?;
        Ok(name_of(administrator, None))
    }

    /// Logs in the administrator whose link this is. `present` is the access key that the browser has had.
    ///
    /// # Errors
    /// [`Code::EntryLinkUnknown`].
    #[boxed]
    pub async fn enter_by_link(
        &self,
        token: &str,
        present: Option<&str>,
        origin: &Origin,
    ) -> Result<AdminLogin, Refusal> {
        let replaces = self.replaced_login(present, origin).await;
        let expires_at = self.now().plus(self.limits.admin_session);
        let (key, text) = self.new_key("login".to_owned(), AdminRole::Auditor, None, None, expires_at);
        let trace = self.trace(&PoolId::system(), None, None, None, origin);
        let unit = EnterByLink { hash: hash_token(token), key, replaces, trace };
        let administrator = self.write(unit).await?.ok_or(Code::EntryLinkUnknown)?;
        Ok(AdminLogin { key: text, expires_at, administrator })
    }
}

struct MakeLink {
    hash: TokenHash,
    user: UserId,
    expires_at: Timestamp,
    trace: Trace,
}

impl Write for MakeLink {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let Self { hash, user, expires_at, trace } = self;
        users::get_locked(tx, &PoolId::system(), user).await?;
        entry_links::put(tx, hash, user, *expires_at).await?;
        let details = json!({ "link": { "expiresAt": expires_at.to_iso() } });
        record(tx, &mut trace.recorder(), Action::AdministratorChanged, Some(user), details).await
    }
}

struct EnterByLink {
    hash: TokenHash,
    key: NewAccessKey,
    replaces: Option<(AccessKeyId, UserId)>,
    trace: Trace,
}

impl Write for EnterByLink {
    /// The administrator; `None` if the link is not good.
    type Out = Option<Administrator>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let Self { hash, key, replaces, trace } = self;
        let Some(user) = entry_links::take(tx, hash, trace.at).await? else { return Ok(None) };
        let account = users::get_locked(tx, &PoolId::system(), &user).await?;
        if account.is_none_or(|account| unusable(&account).is_some()) {
            return Ok(None);
        }
        let Some(administrator) = store::administrator(tx, &user).await? else { return Ok(None) };
        let key = NewAccessKey { user: Some(user.clone()), ..key.clone() };
        write_login(tx, &key, &user, replaces.as_ref(), "link", trace).await?;
        Ok(Some(administrator))
    }
}
