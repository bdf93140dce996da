//! Access keys, administrators and their logins.
//!
//! A key has the form `hfk_ID_SECRET`. The id is public. The database only stores a hash of the whole key.
//! Logging in as an administrator issues a key that is valid for some hours; the roles are read from `administrators` at
//! each use.

mod administrators;
mod by_browser;
pub(crate) mod invitations;
mod keys;
mod links;
mod logins;
mod sign_up;

use std::time::Duration;

use async_recursion::async_recursion as boxed;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_store::administration::{self as store, AccessKey, GetAccessKey, NewAccessKey, UseAccessKey};
use hufu_store::rates::{self, Hit};
use hufu_store::{StoreError, Tx, Write};
use hufu_types::refusal::Code;
use hufu_types::{
    AccessKeyId, Action, ActorKind, AdminRole, OpaqueToken, Permission, PoolId, Timestamp, TokenPurpose,
    UserId,
};
use secrecy::SecretString;
use serde_json::{Value as Json, json};

pub(super) use self::administrators::appointments;
pub use self::administrators::{Appointment, revision as administrator_revision};
pub use self::by_browser::{BegunLogin, Entered, ShownLogin};
pub use self::invitations::{Acceptance, InvitationShown};
pub use self::keys::AccessKeyRequest;
pub use self::logins::AdminLogin;
use super::{AdminCaller, unit};
use crate::address::network_of;
use crate::credentials::locks::Counted;
use crate::digest::hash_token;
use crate::events::{Actor, Event, Recorder, Trace};
use crate::{App, Origin, Refusal};

/// The prefix of every access key.
const PREFIX: &str = "hfk_";
/// How long after its last noted use the use of a login is noted again: not every call writes.
const USE_NOTED: Duration = Duration::from_secs(60);

impl App {
    /// Authenticates the caller by access key.
    ///
    /// # Errors
    /// [`Code::AccessKeyInvalid`]; [`Code::TooOften`] for an address that sends many invalid keys.
    #[boxed]
    pub async fn authenticate_admin(
        &self,
        token: Option<&str>,
        origin: Origin,
    ) -> Result<AdminCaller, Refusal> {
        let token = token.ok_or(Code::AccessKeyInvalid)?;
        let parts = token.strip_prefix(PREFIX).and_then(|rest| rest.rsplit_once('_'));
        let id = parts.and_then(|(id, _)| AccessKeyId::parse(id).ok());
        let key = match &id {
            Some(id) => self.read(GetAccessKey(id.clone())).await?,
            None => None,
        };
        let Some(key) = key else { return Err(self.refuse_key(None, &origin, "unknown").await?) };
        let now = self.now();
        let used_at = key.used_at.unwrap_or(key.created_at);
        let reason = if !hash_token(token).matches(&key.secret) {
            Some("wrong secret")
        } else if key.expires_at.is_some_and(|at| at <= now) {
            Some("expired")
        } else if key.user.is_some() && used_at.plus(self.limits.admin_idle) <= now {
            Some("not used for long")
        } else if key.session_has_ended {
            Some("its browser session ended")
        } else if !key.is_owner_active {
            Some("administrator dismissed or switched off")
        } else if key.user.is_none() && key.is_orphan {
            Some("its maker was dismissed")
        } else {
            None
        };
        if let Some(reason) = reason {
            return Err(self.refuse_key(Some(&key), &origin, reason).await?);
        }
        if key.user.is_some() && used_at.plus(USE_NOTED) <= now {
            self.write(UseAccessKey(key.id.clone(), now)).await?;
        }
        let logged_in_at = key.user.is_some().then_some(key.logged_in_at.unwrap_or(key.created_at));
        let actor = match &key.user {
            Some(user) => Actor { kind: ActorKind::Administrator, id: Some(user.as_str().to_owned()) },
            None => Actor { kind: ActorKind::AccessKey, id: Some(key.id.as_str().to_owned()) },
        };
        let responsible = key.user.clone().or(key.created_by);
        let AccessKey { id, roles, permissions, user, .. } = key;
        Ok(AdminCaller { actor, roles, permissions, key: Some(id), user, logged_in_at, responsible, origin })
    }

    /// Records an invalid key in the audit log, unless its address has already sent many: guessing must not
    /// flood the log.
    async fn refuse_key(
        &self,
        key: Option<&AccessKey>,
        origin: &Origin,
        reason: &str,
    ) -> Result<Refusal, Refusal> {
        let actor = Actor { kind: ActorKind::AccessKey, id: key.map(|key| key.id.as_str().to_owned()) };
        self.refuse_credential(&PoolId::system(), actor, Code::AccessKeyInvalid, reason, origin).await
    }

    /// Records in the audit log of a pool that a key, or what stands for one, was not valid.
    pub(super) async fn refuse_credential(
        &self,
        pool: &PoolId,
        actor: Actor,
        code: Code,
        reason: &str,
        origin: &Origin,
    ) -> Result<Refusal, Refusal> {
        let network = origin.ip.as_deref().map(network_of).unwrap_or_default();
        let hit = Hit {
            name: format!("admin_key:{network}"),
            amount: 1,
            window: self.limits.failure_window,
            now: self.now(),
        };
        if self.write(hit).await? > self.limits.admin_key_failures {
            let wait = rates::wait(self.limits.failure_window, self.now());
            return Ok(Code::TooOften
                .retry_after(wait)
                .because("access keys that do not hold, from this address"));
        }
        let trace = self.trace(pool, Some(actor), None, None, origin);
        self.record_refusal(pool, trace, Action::AdministrationRefused, None, code.number(), reason).await?;
        Ok(code.into())
    }

    /// Generates a password that cannot be guessed.
    pub(super) fn generate_password(&self) -> SecretString {
        let mut bytes = [0_u8; 18];
        self.random.fill(&mut bytes);
        SecretString::from(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Checks a permission in one pool, or in the whole instance if no pool is given.
    pub(super) async fn permit_within(
        &self,
        by: &AdminCaller,
        permission: Permission,
        pool: Option<&PoolId>,
    ) -> Result<(), Refusal> {
        match pool {
            None => self.permit_everywhere(by, permission).await,
            Some(pool) if *pool == PoolId::system() => Err(Code::PoolUnknown.into()),
            Some(pool) => self.permit(by, permission, pool).await,
        }
    }

    /// Keys and administrators are recorded in the audit log of the system pool.
    fn trace_in(&self, by: &AdminCaller, pool: Option<&PoolId>) -> Trace {
        self.trace_by(pool.unwrap_or(&PoolId::system()), by)
    }

    fn new_key(
        &self,
        name: String,
        role: AdminRole,
        scope: Option<PoolId>,
        user: Option<UserId>,
        expires_at: Timestamp,
    ) -> (NewAccessKey, SecretString) {
        let now = self.now();
        let id = AccessKeyId::generate(now, &*self.random);
        let secret = OpaqueToken::generate(TokenPurpose::AccessKey, &*self.random);
        let secret = secret.expose().trim_start_matches(PREFIX);
        let text = format!("{PREFIX}{id}_{secret}");
        let secret = hash_token(&text);
        let expires_at = Some(expires_at);
        let key = NewAccessKey {
            id,
            secret,
            name,
            role,
            permissions: None,
            scope,
            user,
            created_by: None,
            created_at: now,
            expires_at,
            logged_in_at: None,
            session: None,
        };
        (key, SecretString::from(text))
    }
}

pub(super) fn key_details(
    name: &str,
    role: AdminRole,
    scope: Option<&PoolId>,
    expires_at: Option<Timestamp>,
) -> Json {
    json!({
        "name": name,
        "role": role.as_str(),
        "pool": scope.map(PoolId::as_str),
        "expiresAt": expires_at.map(Timestamp::to_iso),
    })
}

struct IssueKey {
    key: NewAccessKey,
    /// The new password's hash, if the login sets one.
    new_hash: Option<String>,
    /// The counted attempt to log in, if this is a login.
    counted: Option<Counted>,
    action: Action,
    details: Json,
    trace: Trace,
}

impl Write for IssueKey {
    /// Whether its maker may still make it.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let key = &self.key;
        let may = key.permissions.as_deref().unwrap_or(key.role.permissions());
        let maker = key.created_by.as_ref();
        if !unit::may_still(tx, maker, Permission::ManageKeys, may, key.scope.as_ref()).await? {
            return Ok(false);
        }
        let mut events = self.trace.recorder();
        if let Some(counted) = &self.counted {
            counted.was_right(tx).await?;
        }
        if let (Some(user), Some(hash)) = (&self.key.user, &self.new_hash) {
            let pool = PoolId::system();
            unit::write_password(tx, &pool, user, Some(hash), false, self.trace.at).await?;
            unit::sign_out(tx, &pool, user, self.trace.at).await?;
            let details = json!({ "by": "login" });
            record(tx, &mut events, Action::PasswordChanged, Some(user), details).await?;
        }
        store::insert_access_key(tx, &self.key).await?;
        let mut details = self.details.clone();
        if let Some(details) = details.as_object_mut() {
            details.insert("key".to_owned(), self.key.id.as_str().into());
        }
        record(tx, &mut events, self.action, self.key.user.as_ref(), details).await?;
        Ok(true)
    }
}

async fn record(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    action: Action,
    user: Option<&UserId>,
    details: Json,
) -> Result<(), StoreError> {
    events.record(tx, &PoolId::system(), Event { action, code: 0, user, details }).await
}
