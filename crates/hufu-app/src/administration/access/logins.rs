//! The logins of administrators.

use async_recursion::async_recursion as boxed;
use hufu_store::administration::{
    self as store, Administrator, AdministratorCredentials, AdministratorName, GetAdministratorCredentials,
};
use hufu_store::rates::Limit;
use hufu_store::{StoreError, Tx, passwords};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Action, ActorKind, AdminRole, Email, PoolId, Timestamp, UserId, Username};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::IssueKey;
use super::keys::RevokeKey;
use crate::address::network_of;
use crate::administration::AdminCaller;
use crate::credentials::locks::{Admission, CountTry, Counted, Locks};
use crate::credentials::password::{StoredPassword, Turn};
use crate::digest::hash_token;
use crate::events::Actor;
use crate::{App, Origin, Refusal};

/// The code of [`Code::AdministratorUnknown`], for the audit log.
const LOGIN_CODE: u32 = Code::AdministratorUnknown.number();

/// A successful administrator login.
#[derive(Debug)]
pub struct AdminLogin {
    /// The access key. It is only shown here.
    pub key: SecretString,
    /// When the key expires.
    pub expires_at: Timestamp,
    /// The administrator.
    pub administrator: Administrator,
}

impl App {
    /// Logs an administrator in. If they give a new password, it is set and their other logins end.
    ///
    /// # Errors
    /// [`Code::AdministratorUnknown`], [`Code::NewPasswordNeeded`], `Code::WeakPassword`,
    /// [`Code::TooOften`].
    #[boxed]
    pub async fn log_in_administrator(
        &self,
        username: &str,
        password: SecretString,
        new_password: Option<SecretString>,
        origin: &Origin,
    ) -> Result<AdminLogin, Refusal> {
        let turn = self.hashing_turn(origin.ip.as_deref()).await?;
        let pool = PoolId::system();
        let (found, counted) = self.prove_administrator(&turn, username, &password, true, origin).await?;
        let user = &found.user;
        let new_hash = match new_password {
            None if found.must_reset => return Err(Code::NewPasswordNeeded.into()),
            None => None,
            Some(new) if new.expose_secret() == password.expose_secret() => {
                return Err(Refusal::invalid("newPassword", Reason::SameAsOld));
            }
            Some(new) => {
                self.check_new_password(&pool, new.expose_secret(), &[username])?;
                Some(self.hasher.hash(&turn, new, &*self.random).await?)
            }
        };
        let expires_at = self.now().plus(self.limits.admin_session);
        let (key, text) =
            self.new_key("login".to_owned(), AdminRole::Auditor, None, Some(user.clone()), expires_at);
        let actor = Actor { kind: ActorKind::Administrator, id: Some(user.as_str().to_owned()) };
        let trace = self.trace(&pool, Some(actor), None, None, origin);
        let details = json!({ "key": key.id.as_str() });
        let counted = Some(counted);
        self.write(IssueKey { key, new_hash, counted, action: Action::Login, details, trace }).await?;
        let administrator =
            self.read(GetAdministrator(user.clone())).await?.ok_or(Code::AdministratorUnknown)?;
        Ok(AdminLogin { key: text, expires_at, administrator })
    }

    /// Who has this username or e-mail address, and this password, in the system pool, and, if it has to be so, a role. The counted try is taken
    /// back by whoever goes on with it.
    pub(super) async fn prove_administrator(
        &self,
        turn: &Turn,
        username: &str,
        password: &SecretString,
        needs_role: bool,
        origin: &Origin,
    ) -> Result<(AdministratorCredentials, Counted), Refusal> {
        let counted = self.count_admin_login(username, origin).await?;
        let name = Username::parse(username).map(AdministratorName::Username);
        let name = name.or_else(|_| Email::parse(username).map(AdministratorName::Email));
        let found = match name {
            Ok(name) => self.read(GetAdministratorCredentials(name)).await?,
            Err(_) => None,
        };
        let found = found.filter(|found| found.has_role || !needs_role);
        let stored = found.as_ref().and_then(|found| found.hash.as_deref());
        let stored = stored.and_then(|hash| StoredPassword::parse(hash).ok());
        let pool = PoolId::system();
        let schemes = self.read(ListPasswordSchemes(pool.clone())).await?;
        // An unknown username must take as long as a known one.
        let matches = self.hasher.verify(turn, password.clone(), stored, schemes).await?.matches;
        match found {
            Some(found) if matches && found.is_active => Ok((found, counted)),
            found => {
                let trace = self.trace(&pool, None, None, None, origin);
                let user = found.map(|found| found.user);
                let reason = if matches { "switched off" } else { "wrong username or password" };
                self.record_refusal(&pool, trace, Action::Login, user, LOGIN_CODE, reason).await?;
                Err(Code::AdministratorUnknown.into())
            }
        }
    }

    /// Logs out the administrator whose key is used.
    ///
    /// # Errors
    /// `Code::NoSuch` for a machine's key, which has to be revoked instead.
    #[boxed]
    pub async fn log_out_administrator(&self, by: &AdminCaller) -> Result<(), Refusal> {
        let (Some(id), Some(_)) = (&by.key, &by.user) else { return Err(Code::NoSuchSession.into()) };
        let trace = self.trace_in(by, None);
        self.write(RevokeKey { id: id.clone(), trace, action: Action::Logout }).await.map(drop)
    }

    /// Counts a login attempt before the password is checked. A successful login takes it back.
    async fn count_admin_login(&self, username: &str, origin: &Origin) -> Result<Counted, Refusal> {
        let locks = self.administrator_locks(username, origin);
        match self.write(CountTry { locks, now: self.now() }).await? {
            Admission::Counted { counted, .. } => Ok(counted),
            Admission::Locked(wait) | Admission::TooOften(wait) => {
                Err(Code::TooOften.retry_after(wait).because("failed logins of administrators"))
            }
        }
    }

    /// The buckets in which the tries of an administrator's password are counted, on the pages and by the API.
    ///
    /// An administrator whose failures fill the bucket of all networks still gets in from a network from which
    /// they logged in lately: strangers must not be able to lock them out.
    pub(crate) fn administrator_locks(&self, name: &str, origin: &Origin) -> Locks {
        let network = origin.ip.as_deref().map(network_of).unwrap_or_default();
        let account = hex::encode(hash_token(name.trim()).as_bytes());
        let (of_one, of_all) = (self.limits.admin_failures, self.limits.admin_account_failures);
        let limit = |name: String, most: i64| Limit { name, most, window: self.limits.admin_failure_window };
        let place = hex::encode(self.sealing.mac("admin_login:network", network.as_bytes()));
        let own = format!("admin_login:{account}@{place}");
        Locks::of_administrator(
            limit(format!("admin_login_from:{network}"), of_one),
            limit(format!("admin_login:{account}"), of_all),
            origin.ip.is_some().then(|| (format!("known {own}"), limit(own, of_one))),
        )
    }
}

pub(super) struct GetAdministrator(pub(super) UserId);

impl hufu_store::Read for GetAdministrator {
    type Out = Option<Administrator>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Administrator>, StoreError> {
        store::administrator(tx, &self.0).await
    }
}

struct ListPasswordSchemes(PoolId);

impl hufu_store::Read for ListPasswordSchemes {
    type Out = Vec<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
        passwords::schemes(tx, &self.0).await
    }
}
