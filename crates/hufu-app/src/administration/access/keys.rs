//! The access keys of machines.

use async_recursion::async_recursion as boxed;
use hufu_store::administration::{self as store, AccessKey, GetAccessKey, ListAccessKeys, NewAccessKey};
use hufu_store::{StoreError, Tx, Write};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{AccessKeyId, Action, AdminRole, Permission, PoolId, Timestamp, UserId};
use secrecy::SecretString;
use serde_json::json;

use super::{IssueKey, key_details, record};
use crate::administration::AdminCaller;
use crate::administration::paging::{Page, PageRequest};
use crate::events::Trace;
use crate::{App, Refusal};

/// Maximum length of a key's name, in characters.
const LONGEST_NAME: usize = 100;

/// A request for a new access key.
#[derive(Clone, Debug)]
pub struct AccessKeyRequest {
    /// The name shown in lists.
    pub name: String,
    /// The role of the key.
    pub role: AdminRole,
    /// What the key may do of what its role may. `None` means all of it.
    pub permissions: Option<Vec<Permission>>,
    /// The only pool the key has access to. `None` means all pools.
    pub pool: Option<PoolId>,
    /// When the key expires. `None` means after [`crate::Limits::key_life`].
    pub expires_at: Option<Timestamp>,
}

impl App {
    /// Creates an access key. Its text is only returned here. It ends when it expires, when it is revoked, and
    /// when the administrator who is responsible for the caller may not do any more what it may do.
    ///
    /// # Errors
    /// [`Code::Invalid`], [`Code::PoolUnknown`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn create_access_key(
        &self,
        by: &AdminCaller,
        request: AccessKeyRequest,
    ) -> Result<(AccessKey, SecretString), Refusal> {
        self.permit_within(by, Permission::ManageKeys, request.pool.as_ref()).await?;
        self.check_recent_login(by)?;
        if let Some(permissions) = &request.permissions
            && (permissions.is_empty() || permissions.iter().any(|permission| !request.role.may(*permission)))
        {
            let of_role = request.role.permissions().iter().map(|permission| permission.as_str());
            let choices = of_role.collect::<Vec<_>>().join(", ").into();
            return Err(Refusal::invalid("permissions", Reason::NotOneOf { choices }));
        }
        let pool = request.pool.as_ref();
        match &request.permissions {
            Some(given) => self.permit_giving(by, given, pool).await?,
            None => self.permit_giving_role(by, Permission::ManageKeys, request.role, pool).await?,
        }
        let name = request.name.trim().to_owned();
        if !(1..=LONGEST_NAME).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(Refusal::invalid("name", Reason::NotALine { max: LONGEST_NAME }));
        }
        let expires_at = self.key_end(request.expires_at)?;
        let (key, text) = self.new_key(name, request.role, request.pool, None, expires_at);
        let (created_by, permissions) = (by.responsible.clone(), request.permissions);
        let key = NewAccessKey { created_by, permissions, ..key };
        let mut after = key_details(&key.name, key.role, key.scope.as_ref(), key.expires_at);
        if let (Some(after), Some(permissions)) = (after.as_object_mut(), &key.permissions) {
            let names = permissions.iter().map(|permission| permission.as_str());
            after.insert("permissions".to_owned(), names.collect::<Vec<_>>().into());
        }
        let details = json!({ "after": after });
        let id = key.id.clone();
        let (action, trace) = (Action::AccessKeyCreated, self.trace_in(by, None));
        if !self.write(IssueKey { key, new_hash: None, counted: None, action, details, trace }).await? {
            return Err(self.no_longer_permitted(by, Permission::ManageKeys).await?);
        }
        let key = self.read(GetAccessKey(id)).await?.ok_or(Code::NoSuchAccessKey)?;
        Ok((key, text))
    }

    /// When a new key expires, if this is the wish.
    pub(in crate::administration) fn key_end(&self, wish: Option<Timestamp>) -> Result<Timestamp, Refusal> {
        let (now, latest) = (self.now(), self.now().plus(self.limits.key_life_max));
        let expires_at = wish.unwrap_or_else(|| now.plus(self.limits.key_life).min(latest));
        if expires_at <= now {
            return Err(Refusal::invalid("expiresAt", Reason::InThePast));
        }
        if expires_at > latest {
            return Err(Refusal::invalid("expiresAt", Reason::TooFarAhead { latest: latest.to_iso() }));
        }
        Ok(expires_at)
    }

    /// The access keys of machines that the caller may see, all or those that one administrator created; in the order of
    /// creation.
    ///
    /// # Errors
    /// [`Code::Invalid`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn access_keys(
        &self,
        by: &AdminCaller,
        created_by: Option<UserId>,
        page: &PageRequest,
    ) -> Result<Page<AccessKey>, Refusal> {
        let reach = self.permit_somewhere(by, Permission::ManageKeys).await?;
        let wanted = page.read()?;
        let (after, limit) = (wanted.after_id(), wanted.limit());
        let found = self.read(ListAccessKeys { reach, created_by, after, limit }).await?;
        Ok(wanted.page(found, |last| [last.id.as_str().to_owned()]))
    }

    /// Revokes an access key with immediate effect.
    ///
    /// # Errors
    /// `Code::NoSuch`, [`Code::NotPermitted`].
    #[boxed]
    pub async fn revoke_access_key(&self, by: &AdminCaller, id: &AccessKeyId) -> Result<(), Refusal> {
        let reach = self.permit_somewhere(by, Permission::ManageKeys).await?;
        self.check_recent_login(by)?;
        let key = self.read(GetAccessKey(id.clone())).await?;
        let key = key.filter(|key| reach.has(key.scope.as_ref()));
        if key.is_none() {
            return Err(Code::NoSuchAccessKey.into());
        }
        let trace = self.trace_in(by, None);
        let unit = RevokeKey { id: id.clone(), trace, action: Action::AccessKeyRevoked };
        if self.write(unit).await? { Ok(()) } else { Err(Code::NoSuchAccessKey.into()) }
    }
}

pub(super) struct RevokeKey {
    pub(super) id: AccessKeyId,
    pub(super) action: Action,
    pub(super) trace: Trace,
}

impl Write for RevokeKey {
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let Some(key) = store::access_key(tx, &self.id).await? else { return Ok(false) };
        if !store::delete_access_key(tx, &self.id).await? {
            return Ok(false);
        }
        let before = key_details(&key.name, key.role, key.scope.as_ref(), key.expires_at);
        let details = json!({ "key": self.id.as_str(), "before": before });
        record(tx, &mut self.trace.recorder(), self.action, key.user.as_ref(), details).await?;
        Ok(true)
    }
}
