//! Access keys, administrators and their logins.
//!
//! A key has the form `hfk_ID_SECRET`. The id is public. The database only stores a hash of the whole key.
//! Logging in as an administrator issues a key that is valid for some hours; its role is read from
//! `administrators` at each use.

use async_recursion::async_recursion as boxed;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_store::administration::{
    self as store, AccessKey, Administrator, GetAccessKey, GetAdministratorCredentials, ListAccessKeys,
    ListAdministrators, NewAccessKey,
};
use hufu_store::rates::{self, Hit, Limit};
use hufu_store::{StoreError, Tx, Write, passwords, users};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{
    AccessKeyId, Action, ActorKind, AdminRole, OpaqueToken, Permission, PoolId, Timestamp, TokenPurpose,
    User, UserId, Username,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value as Json, json};

use super::{AdminCaller, unit};
use crate::address::network_of;
use crate::credentials::locks::{Admission, CountTry, Counted, Locks};
use crate::credentials::password::StoredPassword;
use crate::digest::hash_token;
use crate::events::{Actor, Event, Recorder, Trace};
use crate::people::accounts::{self, NewAccount};
use crate::{App, Origin, Refusal};

/// The prefix of every access key.
const PREFIX: &str = "hfk_";
/// Maximum length of a key's name, in characters.
const LONGEST_NAME: usize = 100;
/// The code of [`Code::AdministratorUnknown`], for the audit log.
const LOGIN_CODE: u32 = Code::AdministratorUnknown.number();

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
        let reason = if !hash_token(token).matches(&key.secret) {
            Some("wrong secret")
        } else if key.expires_at.is_some_and(|at| at <= self.now()) {
            Some("expired")
        } else if !key.is_owner_active {
            Some("administrator dismissed or switched off")
        } else {
            None
        };
        if let Some(reason) = reason {
            return Err(self.refuse_key(Some(&key), &origin, reason).await?);
        }
        let actor = match &key.user {
            Some(user) => Actor { kind: ActorKind::Administrator, id: Some(user.as_str().to_owned()) },
            None => Actor { kind: ActorKind::AccessKey, id: Some(key.id.as_str().to_owned()) },
        };
        let responsible = key.user.clone().or(key.created_by);
        let (role, permissions, scope, user) = (key.role, key.permissions, key.scope, key.user);
        Ok(AdminCaller { actor, role, permissions, scope, key: Some(key.id), user, responsible, origin })
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

    /// Creates an access key. Its text is only returned here. It ends when it expires, when it is revoked, and
    /// when the administrator who is responsible for the caller is dismissed.
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
        if let Some(permissions) = &request.permissions
            && (permissions.is_empty() || permissions.iter().any(|permission| !request.role.may(*permission)))
        {
            let of_role = request.role.permissions().iter().map(|permission| permission.as_str());
            let choices = of_role.collect::<Vec<_>>().join(", ").into();
            return Err(Refusal::invalid("permissions", Reason::NotOneOf { choices }));
        }
        let given = request.permissions.as_deref().unwrap_or(request.role.permissions());
        self.permit_giving(by, given).await?;
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
        self.write(IssueKey {
            key,
            new_hash: None,
            counted: None,
            action: Action::AccessKeyCreated,
            details,
            trace: self.trace_in(by, None),
        })
        .await?;
        let key = self.read(GetAccessKey(id)).await?.ok_or(Code::NoSuchAccessKey)?;
        Ok((key, text))
    }

    /// When a new key expires, if this is the wish.
    pub(super) fn key_end(&self, wish: Option<Timestamp>) -> Result<Timestamp, Refusal> {
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

    /// The access keys of machines that the caller may see.
    ///
    /// # Errors
    /// [`Code::NotPermitted`].
    #[boxed]
    pub async fn access_keys(&self, by: &AdminCaller) -> Result<Vec<AccessKey>, Refusal> {
        self.permit_within(by, Permission::ManageKeys, by.scope.as_ref()).await?;
        self.read(ListAccessKeys(by.scope.clone())).await
    }

    /// Revokes an access key with immediate effect.
    ///
    /// # Errors
    /// `Code::NoSuch`, [`Code::NotPermitted`].
    #[boxed]
    pub async fn revoke_access_key(&self, by: &AdminCaller, id: &AccessKeyId) -> Result<(), Refusal> {
        self.permit_within(by, Permission::ManageKeys, by.scope.as_ref()).await?;
        let key = self.read(GetAccessKey(id.clone())).await?;
        let key = key.filter(|key| by.scope.is_none() || by.scope == key.scope);
        if key.is_none() {
            return Err(Code::NoSuchAccessKey.into());
        }
        let trace = self.trace_in(by, None);
        let unit = RevokeKey { id: id.clone(), trace, action: Action::AccessKeyRevoked };
        if self.write(unit).await? { Ok(()) } else { Err(Code::NoSuchAccessKey.into()) }
    }

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
        let counted = self.count_admin_login(username, origin).await?;
        let found = match Username::parse(username) {
            Ok(username) => self.read(GetAdministratorCredentials(username)).await?,
            Err(_) => None,
        };
        let stored = found.as_ref().and_then(|found| found.hash.as_deref());
        let stored = stored.and_then(|hash| StoredPassword::parse(hash).ok());
        let schemes = self.read(ListPasswordSchemes(PoolId::system())).await?;
        // An unknown username must take as long as a known one.
        let matches = self.hasher.verify(&turn, password.clone(), stored, schemes).await?.matches;
        let pool = PoolId::system();
        let Some(found) = found.as_ref().filter(|found| matches && found.is_active) else {
            let trace = self.trace(&pool, None, None, None, origin);
            let user = found.map(|found| found.user);
            let reason = if matches { "switched off" } else { "wrong username or password" };
            self.record_refusal(&pool, trace, Action::Login, user, LOGIN_CODE, reason).await?;
            return Err(Code::AdministratorUnknown.into());
        };
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

    /// The administrators that the caller may see.
    ///
    /// # Errors
    /// [`Code::NotPermitted`].
    #[boxed]
    pub async fn administrators(&self, by: &AdminCaller) -> Result<Vec<Administrator>, Refusal> {
        self.permit_within(by, Permission::ManageAdministrators, by.scope.as_ref()).await?;
        self.read(ListAdministrators(by.scope.clone())).await
    }

    /// Creates an administrator as a new user of the system pool, with a generated password that is only
    /// returned here.
    ///
    /// # Errors
    /// [`Code::NameTaken`], [`Code::Invalid`], [`Code::PoolUnknown`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn create_administrator(
        &self,
        by: &AdminCaller,
        username: &str,
        role: AdminRole,
        scope: Option<PoolId>,
    ) -> Result<(Administrator, SecretString), Refusal> {
        self.permit_within(by, Permission::ManageAdministrators, scope.as_ref()).await?;
        self.permit_giving(by, role.permissions()).await?;
        let username =
            Username::parse(username).map_err(|error| Refusal::invalid("username", error.into()))?;
        let password = self.generate_password();
        let hash = self.hash_password(password.clone(), by.origin.ip.as_deref()).await?;
        let now = self.now();
        let user = User {
            username: Some(username),
            ..User::new(PoolId::system(), UserId::generate(now, &*self.random), "admin", now)
        };
        let trace = self.trace_in(by, None);
        match self.write(CreateAdministrator { user, hash, role, scope, trace }).await? {
            Some(administrator) => Ok((administrator, password)),
            None => Err(Code::NameTaken.with("field", "username")),
        }
    }

    /// Makes a user of the system pool an administrator, or changes the role or pool of one. Takes effect
    /// with the next request.
    ///
    /// # Errors
    /// `Code::NoSuch`, [`Code::PoolUnknown`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn appoint_administrator(
        &self,
        by: &AdminCaller,
        user: &UserId,
        role: AdminRole,
        scope: Option<PoolId>,
    ) -> Result<Administrator, Refusal> {
        self.permit_within(by, Permission::ManageAdministrators, scope.as_ref()).await?;
        self.permit_giving(by, role.permissions()).await?;
        let appointment = Some((role, scope));
        self.change_administrator(by, user, appointment)
            .await?
            .ok_or_else(|| Code::NoSuchAdministrator.into())
    }

    /// Dismisses an administrator, and ends their logins and the access keys that they created.
    ///
    /// # Errors
    /// `Code::NoSuch`, [`Code::NotPermitted`].
    #[boxed]
    pub async fn dismiss_administrator(&self, by: &AdminCaller, user: &UserId) -> Result<(), Refusal> {
        self.permit_within(by, Permission::ManageAdministrators, by.scope.as_ref()).await?;
        self.change_administrator(by, user, None).await.map(drop)
    }

    async fn change_administrator(
        &self,
        by: &AdminCaller,
        user: &UserId,
        appointment: Option<(AdminRole, Option<PoolId>)>,
    ) -> Result<Option<Administrator>, Refusal> {
        let trace = self.trace_in(by, None);
        let unit = ChangeAdministrator { user: user.clone(), reach: by.scope.clone(), appointment, trace };
        self.write(unit).await?.ok_or_else(|| Code::NoSuchAdministrator.into())
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
        };
        (key, SecretString::from(text))
    }

    /// Counts a login attempt before the password is checked. A successful login takes it back.
    ///
    /// An administrator whose failures fill the bucket of all networks still gets in from a network from which
    /// they logged in lately: strangers must not be able to lock them out.
    async fn count_admin_login(&self, username: &str, origin: &Origin) -> Result<Counted, Refusal> {
        let network = origin.ip.as_deref().map(network_of).unwrap_or_default();
        let account = hex::encode(hash_token(username.trim()).as_bytes());
        let (of_one, of_all) = (self.limits.admin_failures, self.limits.admin_account_failures);
        let limit = |name: String, most: i64| Limit { name, most, window: self.limits.admin_failure_window };
        let place = hex::encode(self.sealing.mac("admin_login:network", network.as_bytes()));
        let own = format!("admin_login:{account}@{place}");
        let locks = Locks::of_administrator(
            limit(format!("admin_login_from:{network}"), of_one),
            limit(format!("admin_login:{account}"), of_all),
            origin.ip.is_some().then(|| (format!("known {own}"), limit(own, of_one))),
        );
        match self.write(CountTry { locks, now: self.now() }).await? {
            Admission::Counted { counted, .. } => Ok(counted),
            Admission::Locked(wait) | Admission::TooOften(wait) => {
                Err(Code::TooOften.retry_after(wait).because("failed logins of administrators"))
            }
        }
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

struct GetAdministrator(UserId);

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
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
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
        record(tx, &mut events, self.action, self.key.user.as_ref(), details).await
    }
}

struct RevokeKey {
    id: AccessKeyId,
    action: Action,
    trace: Trace,
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

struct CreateAdministrator {
    user: User,
    hash: String,
    role: AdminRole,
    scope: Option<PoolId>,
    trace: Trace,
}

impl Write for CreateAdministrator {
    /// `None` if the username is taken.
    type Out = Option<Administrator>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let (user, now) = (&self.user, self.trace.at);
        if let Some(username) = &user.username
            && users::by_username(tx, &user.pool, username).await?.is_some()
        {
            return Ok(None);
        }
        let mut events = self.trace.recorder();
        let new = NewAccount { password_hash: Some(&self.hash), ..NewAccount::of(user) };
        accounts::create(tx, &mut events, new, json!({})).await?;
        store::insert_administrator(tx, &user.id, self.role, self.scope.as_ref(), now).await?;
        let details = json!({ "after": appointment(self.role, self.scope.as_ref()) });
        record(tx, &mut events, Action::AdministratorChanged, Some(&user.id), details).await?;
        store::administrator(tx, &user.id).await
    }
}

struct ChangeAdministrator {
    user: UserId,
    /// The caller's scope. An administrator of another pool is out of reach.
    reach: Option<PoolId>,
    /// The new role and pool. `None` dismisses the administrator.
    appointment: Option<(AdminRole, Option<PoolId>)>,
    trace: Trace,
}

impl Write for ChangeAdministrator {
    /// The administrator after the change, if still one. `None` if there was none within reach.
    type Out = Option<Option<Administrator>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let system = PoolId::system();
        if users::get_locked(tx, &system, &self.user).await?.is_none() {
            return Ok(None);
        }
        let before = store::administrator(tx, &self.user).await?;
        // A caller limited to one pool only reaches the administrators of that pool, and no other users of
        // the system pool.
        let theirs = before.as_ref().and_then(|before| before.scope.as_ref());
        if self.reach.is_some() && self.reach.as_ref() != theirs {
            return Ok(None);
        }
        let mut events = self.trace.recorder();
        match (&before, &self.appointment) {
            (None, None) => return Ok(None),
            (None, Some((role, scope))) => {
                store::insert_administrator(tx, &self.user, *role, scope.as_ref(), self.trace.at).await?;
            }
            (Some(_), Some((role, scope))) => {
                store::set_administrator(tx, &self.user, *role, scope.as_ref()).await?;
            }
            (Some(_), None) => {
                store::delete_administrator(tx, &self.user).await?;
                unit::end_keys(tx, &mut events, &self.user).await?;
            }
        }
        let details = json!({
            "before": before.map(|before| appointment(before.role, before.scope.as_ref())),
            "after": self.appointment.as_ref().map(|(role, scope)| appointment(*role, scope.as_ref())),
        });
        record(tx, &mut events, Action::AdministratorChanged, Some(&self.user), details).await?;
        Ok(Some(store::administrator(tx, &self.user).await?))
    }
}

fn appointment(role: AdminRole, scope: Option<&PoolId>) -> Json {
    json!({ "role": role.as_str(), "pool": scope.map(PoolId::as_str) })
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
