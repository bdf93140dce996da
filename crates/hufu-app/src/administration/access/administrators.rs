//! Administrators: users of the system pool with roles, each in one pool or in all of them.
//!
//! Whoever may manage the administrators of some pools alone sees and changes the roles there, and knows of no others.

use async_recursion::async_recursion as boxed;
use hufu_store::administration::{self as store, Administrator, ListAdministrators};
use hufu_store::{Read, StoreError, Tx, Write, users};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Action, AdminRole, Permission, PoolId, PoolRole, Reach, User, UserId, Username};
use secrecy::SecretString;
use serde_json::{Value as Json, json};

use super::record;
use crate::administration::AdminCaller;
use crate::administration::paging::{Page, PageRequest};
use crate::administration::unit::{self, Made};
use crate::digest::hash_token;
use crate::events::Trace;
use crate::people::accounts::{self, NewAccount};
use crate::{App, Refusal};

/// The roles that somebody is to have.
#[derive(Clone, Debug)]
pub struct Appointment {
    /// All the roles within the caller's reach; at least one, and one for a pool.
    pub roles: Vec<PoolRole>,
    /// The revision that the caller has seen. `None` changes whatever there is.
    pub revision: Option<String>,
}

/// The revision of what somebody sees of an administrator: it differs if a role does.
pub fn revision(roles: &[PoolRole]) -> String {
    let hash = hash_token(&appointments(roles).to_string());
    hex::encode(hash.as_bytes().get(..8).unwrap_or_default())
}

impl App {
    /// The administrators who have roles where the caller manages administrators, with those roles alone; by id.
    ///
    /// # Errors
    /// [`Code::Invalid`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn administrators(
        &self,
        by: &AdminCaller,
        page: &PageRequest,
    ) -> Result<Page<Administrator>, Refusal> {
        let reach = self.permit_somewhere(by, Permission::ManageAdministrators).await?;
        let wanted = page.read()?;
        let (after, limit) = (wanted.after_id(), wanted.limit());
        let found = self.read(ListAdministrators { reach, after, limit }).await?;
        Ok(wanted.page(found, |last| [last.user.as_str().to_owned()]))
    }

    /// An administrator who has roles where the caller manages administrators, with those roles alone.
    ///
    /// # Errors
    /// [`Code::NoSuchAdministrator`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn administrator(&self, by: &AdminCaller, user: &UserId) -> Result<Administrator, Refusal> {
        let reach = self.permit_somewhere(by, Permission::ManageAdministrators).await?;
        let found = self.read(GetAdministrator(user.clone())).await?;
        found.and_then(|found| found.within(&reach)).ok_or_else(|| Code::NoSuchAdministrator.into())
    }

    /// Creates an administrator as a new user of the system pool, with a generated password that is only
    /// returned here, and that the first login replaces.
    ///
    /// # Errors
    /// [`Code::NameTaken`], [`Code::Invalid`], [`Code::PoolUnknown`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn create_administrator(
        &self,
        by: &AdminCaller,
        username: &str,
        roles: Vec<PoolRole>,
    ) -> Result<(Administrator, SecretString), Refusal> {
        let roles = self.permit_appointing(by, roles).await?;
        let username =
            Username::parse(username).map_err(|error| Refusal::invalid("username", error.into()))?;
        let password = self.generate_password();
        let hash = self.hash_password(password.clone(), by.origin.ip.as_deref()).await?;
        let now = self.now();
        let user = User {
            username: Some(username),
            // The caller knows the password as well.
            must_reset: true,
            ..User::new(PoolId::system(), UserId::generate(now, &*self.random), "admin", now)
        };
        let trace = self.trace_in(by, None);
        let responsible = by.responsible.clone();
        match self.write(CreateAdministrator { user, hash, roles, responsible, trace }).await? {
            Created::Yes(administrator) => Ok((*administrator, password)),
            Created::NameTaken => Err(Code::NameTaken.with("field", "username")),
            Created::Dismissed => Err(self.no_longer_permitted(by, Permission::ManageAdministrators).await?),
        }
    }

    /// Gives these roles to a user of the system pool, in place of all that they have within the caller's reach. Takes
    /// effect with the next request. The keys and invitations that they made and that may do what they may not do there any
    /// more end, as the audit log says.
    ///
    /// # Errors
    /// [`Code::NoSuchAdministrator`], [`Code::ChangedMeanwhile`], [`Code::LastOwner`], [`Code::Invalid`],
    /// [`Code::PoolUnknown`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn appoint_administrator(
        &self,
        by: &AdminCaller,
        user: &UserId,
        appointment: Appointment,
    ) -> Result<Administrator, Refusal> {
        let Appointment { roles, revision } = appointment;
        let roles = self.permit_appointing(by, roles).await?;
        let reach = self.permit_somewhere(by, Permission::ManageAdministrators).await?;
        let seen = revision.map(|revision| (reach.clone(), revision));
        let (administrator, _) = self.change_administrator(by, user, reach, roles, seen).await?;
        administrator.ok_or_else(|| Code::NoSuchAdministrator.into())
    }

    /// Dismisses an administrator in one pool, or wherever the caller manages administrators. Without any role left
    /// their logins end; the keys and invitations that they made and that may do what they may not do there any more end in
    /// any case. Returns what that is about.
    ///
    /// # Errors
    /// [`Code::NoSuchAdministrator`], [`Code::ChangedMeanwhile`], [`Code::LastOwner`], [`Code::PoolUnknown`],
    /// [`Code::NotPermitted`].
    #[boxed]
    pub async fn dismiss_administrator(
        &self,
        by: &AdminCaller,
        user: &UserId,
        pool: Option<&PoolId>,
        revision: Option<String>,
    ) -> Result<Made, Refusal> {
        let whole = self.permit_somewhere(by, Permission::ManageAdministrators).await?;
        let reach = match pool {
            Some(pool) => {
                self.permit_within(by, Permission::ManageAdministrators, Some(pool)).await?;
                Reach::Pools(vec![pool.clone()])
            }
            None => whole.clone(),
        };
        self.check_recent_login(by)?;
        let seen = revision.map(|revision| (whole, revision));
        Ok(self.change_administrator(by, user, reach, Vec::new(), seen).await?.1)
    }

    async fn change_administrator(
        &self,
        by: &AdminCaller,
        user: &UserId,
        reach: Reach,
        roles: Vec<PoolRole>,
        seen: Option<(Reach, String)>,
    ) -> Result<(Option<Administrator>, Made), Refusal> {
        let trace = self.trace_in(by, None);
        let (user, responsible) = (user.clone(), by.responsible.clone());
        let unit = ChangeAdministrator { user, reach, roles, seen, responsible, trace };
        match self.write(unit).await? {
            Changed::Unknown => Err(Code::NoSuchAdministrator.into()),
            Changed::Dismissed => Err(self.no_longer_permitted(by, Permission::ManageAdministrators).await?),
            Changed::Meanwhile => Err(Code::ChangedMeanwhile.into()),
            Changed::LastOwner => Err(Code::LastOwner.into()),
            Changed::To(administrator, made) => Ok((administrator, made)),
        }
    }

    /// Checks that the caller may give these roles, of which there have to be some, and one for a pool.
    pub(super) async fn permit_appointing(
        &self,
        by: &AdminCaller,
        mut roles: Vec<PoolRole>,
    ) -> Result<Vec<PoolRole>, Refusal> {
        roles.sort_by(|one, other| one.pool.cmp(&other.pool));
        if roles.is_empty()
            || roles.windows(2).any(|two| matches!(two, [one, other] if one.pool == other.pool))
        {
            return Err(Refusal::invalid("roles", Reason::Malformed));
        }
        for PoolRole { pool, role } in &roles {
            self.permit_within(by, Permission::ManageAdministrators, pool.as_ref()).await?;
            let permission = Permission::ManageAdministrators;
            self.permit_giving_role(by, permission, *role, pool.as_ref()).await?;
        }
        self.check_recent_login(by)?;
        Ok(roles)
    }
}

struct GetAdministrator(UserId);

impl Read for GetAdministrator {
    type Out = Option<Administrator>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        store::administrator(tx, &self.0).await
    }
}

struct CreateAdministrator {
    user: User,
    hash: String,
    roles: Vec<PoolRole>,
    /// Who answers for the caller.
    responsible: Option<UserId>,
    trace: Trace,
}

enum Created {
    Yes(Box<Administrator>),
    NameTaken,
    /// Whoever answers for the caller may not give these roles any more.
    Dismissed,
}

impl Write for CreateAdministrator {
    type Out = Created;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Created, StoreError> {
        let (user, now) = (&self.user, self.trace.at);
        if !may_still_appoint(tx, self.responsible.as_ref(), &self.roles).await? {
            return Ok(Created::Dismissed);
        }
        if let Some(username) = &user.username
            && users::by_username(tx, &user.pool, username).await?.is_some()
        {
            return Ok(Created::NameTaken);
        }
        let mut events = self.trace.recorder();
        let new = NewAccount { password_hash: Some(&self.hash), ..NewAccount::of(user) };
        accounts::create(tx, &mut events, new, json!({})).await?;
        for role in &self.roles {
            store::put_role(tx, &user.id, role, now).await?;
        }
        let details = json!({ "after": appointments(&self.roles) });
        record(tx, &mut events, Action::AdministratorChanged, Some(&user.id), details).await?;
        let made = store::administrator(tx, &user.id).await?;
        Ok(made.map_or(Created::Dismissed, |administrator| Created::Yes(Box::new(administrator))))
    }
}

/// Whether the administrator who answers for a unit may still give these roles.
pub(super) async fn may_still_appoint(
    tx: &mut Tx<'_>,
    responsible: Option<&UserId>,
    roles: &[PoolRole],
) -> Result<bool, StoreError> {
    for PoolRole { pool, role } in roles {
        let (permission, given) = (Permission::ManageAdministrators, role.permissions());
        if !unit::may_still(tx, responsible, permission, given, pool.as_ref()).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the administrator who answers for a unit may still take these roles from somebody: of two who dismiss each
/// other, the second one may not any more.
async fn may_still_take(
    tx: &mut Tx<'_>,
    responsible: Option<&UserId>,
    roles: &[PoolRole],
) -> Result<bool, StoreError> {
    for PoolRole { pool, .. } in roles {
        if !unit::may_still(tx, responsible, Permission::ManageAdministrators, &[], pool.as_ref()).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

struct ChangeAdministrator {
    user: UserId,
    /// Where the caller manages administrators. Roles elsewhere are out of reach.
    reach: Reach,
    /// The roles within reach from now on. None dismisses the administrator.
    roles: Vec<PoolRole>,
    /// The revision that the caller has seen, and where: it is that of all roles which they see.
    seen: Option<(Reach, String)>,
    /// Who answers for the caller.
    responsible: Option<UserId>,
    trace: Trace,
}

/// What became of a change.
enum Changed {
    /// Whoever answers for the caller may not give or take these roles any more.
    Dismissed,
    /// There is no such administrator within reach.
    Unknown,
    /// Somebody else was first.
    Meanwhile,
    /// Nobody would be an owner of all pools any more.
    LastOwner,
    /// The administrator after the change, with the roles within reach; and what they made that is about more
    /// than they may do now.
    To(Option<Administrator>, Made),
}

impl Write for ChangeAdministrator {
    type Out = Changed;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Changed, StoreError> {
        let Self { user, reach, roles, seen, responsible, trace } = self;
        // Of two who change each other neither waits for the other: both lock in the order of the ids.
        let mut both: Vec<&UserId> = responsible.iter().chain([user]).collect();
        both.sort_unstable();
        for one in both {
            users::get_locked(tx, &PoolId::system(), one).await?;
        }
        if !may_still_appoint(tx, responsible.as_ref(), roles).await? {
            return Ok(Changed::Dismissed);
        }
        if users::get_locked(tx, &PoolId::system(), user).await?.is_none() {
            return Ok(Changed::Unknown);
        }
        let before = store::roles_of(tx, user).await?;
        let within = |reach: &Reach| -> Vec<_> {
            before.iter().filter(|role| reach.has(role.pool.as_ref())).cloned().collect()
        };
        let seen_roles = within(reach);
        // Whoever manages some pools alone reaches no other users of the system pool.
        if seen_roles.is_empty() && (*reach != Reach::All || roles.is_empty()) {
            return Ok(Changed::Unknown);
        }
        if !may_still_take(tx, responsible.as_ref(), &seen_roles).await? {
            return Ok(Changed::Dismissed);
        }
        if seen.as_ref().is_some_and(|(sees, seen)| *seen != revision(&within(sees))) {
            return Ok(Changed::Meanwhile);
        }
        let is_owner_of_all = |role: &PoolRole| role.pool.is_none() && role.role == AdminRole::Owner;
        if seen_roles.iter().any(is_owner_of_all)
            && !roles.iter().any(is_owner_of_all)
            && unit::takes_last_owner(tx, trace, &PoolId::system(), user).await?
        {
            return Ok(Changed::LastOwner);
        }
        let mut events = trace.recorder();
        for gone in seen_roles.iter().filter(|old| !roles.iter().any(|new| new.pool == old.pool)) {
            store::delete_role(tx, user, gone.pool.as_ref()).await?;
        }
        for role in roles {
            store::put_role(tx, user, role, trace.at).await?;
        }
        let left = store::roles_of(tx, user).await?;
        // What somebody made elsewhere before is none of the caller's business.
        let made = unit::end_keys(tx, &mut events, user, &left, reach).await?;
        let details = json!({ "before": appointments(&seen_roles), "after": appointments(roles) });
        record(tx, &mut events, Action::AdministratorChanged, Some(user), details).await?;
        let now = store::administrator(tx, user).await?;
        Ok(Changed::To(now.and_then(|administrator| administrator.within(reach)), made))
    }
}

/// Roles, as the audit log names them: one as an object, several as a list, none as null.
pub(in crate::administration) fn appointments(roles: &[PoolRole]) -> Json {
    let one = |role: &PoolRole| json!({ "role": role.role.as_str(), "pool": role.pool.as_ref().map(PoolId::as_str) });
    match roles {
        [] => Json::Null,
        [role] => one(role),
        roles => roles.iter().map(one).collect(),
    }
}
