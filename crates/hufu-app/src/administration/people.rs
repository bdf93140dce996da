//! Administration of what is attached to accounts: identities, sessions, merges, conflicts.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::conflicts::{Conflict, ListConflicts};
use hufu_store::endings::EndedSession;
use hufu_store::identities::{self, NewIdentity};
use hufu_store::merges::{PageOfMerges, StoredMerge};
use hufu_store::sessions::{ListSessions, OwnSession, PageOfSessions};
use hufu_store::{StoreError, Tx, Write, users, versions};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{
    Action, Connection, ConnectionId, Identity, IdentityKey, IdentityKind, IdpUserInfo, MergeId, Permission,
    PoolId, SessionId, Timestamp, User, UserId,
};
use serde_json::json;

use super::paging::{Page, PageRequest, decode_cursor, encode_cursor, invalid_cursor, page_size};
use super::users::{Rejection, locked};
use super::{AdminCaller, Found, unit};
use crate::credentials::locks::Name;
use crate::events::{Event, Trace};
use crate::people::identities::{Unbind, Unbound};
use crate::people::names::unit::{NameUnbound, UnbindMergedName};
use crate::people::sessions::unit::{EndSessions, SessionSelection};
use crate::{App, MergePreview, MergeUndone, Refusal, identity_id};

/// Longest value of an identity, in bytes.
const LONGEST_VALUE: usize = 128;

/// A page of identity conflicts.
#[derive(Clone, Debug)]
pub struct ConflictPage {
    /// The conflicts.
    pub conflicts: Vec<Conflict>,
    /// Pass this as `cursor` to get the next page. Absent on the last page.
    pub next: Option<String>,
}

impl App {
    /// Links an identity to an account, as if it had been proved through a connection of the pool.
    ///
    /// # Errors
    /// `Code::NoSuch` for the connection, [`Code::IdentityTaken`], [`Code::AnotherIdentityBound`],
    /// [`Code::UserUnknown`], [`Code::MergedInto`], [`Code::Invalid`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn link_identity(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        user: &UserId,
        connection: &str,
        kind: IdentityKind,
        value: &str,
    ) -> Result<Vec<Identity>, Refusal> {
        self.permit(by, Permission::LinkIdentities, pool).await?;
        let plain = value.bytes().all(|b| b.is_ascii_graphic());
        if !(1..=LONGEST_VALUE).contains(&value.len()) || !plain {
            return Err(Refusal::invalid("value", Reason::NotAscii { max: LONGEST_VALUE }));
        }
        let connection = self.connection_called(pool, connection).ok_or(Code::NoSuchConnection)?;
        let unit = Link {
            pool: pool.clone(),
            user: user.clone(),
            connection: connection.id.clone(),
            key: crate::sources::identity_key(&connection, kind, value),
            trace: self.trace_by(pool, by),
        };
        match self.write(unit).await? {
            Linked::Done(identities) => Ok(identities),
            Linked::Rejected(rejection) => Err(rejection.into()),
            Linked::Taken => Err(Code::IdentityTaken.into()),
            Linked::AnotherBound => Err(Code::AnotherIdentityBound.into()),
        }
    }

    /// The connection of a pool with this identifier or id.
    pub(super) fn connection_called(&self, pool: &PoolId, name: &str) -> Option<Arc<Connection>> {
        let config = self.config();
        let found = config.connection_of_pool(pool, name).or_else(|| {
            let id = ConnectionId::parse(name).ok()?;
            config.connection(&id).filter(|found| found.pool == *pool)
        });
        found.cloned()
    }

    /// Unlinks an identity from an account, even if it is the last way to log in.
    ///
    /// # Errors
    /// `Code::NoSuch`, [`Code::UserUnknown`], [`Code::MergedInto`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn unlink_identity(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        user: &UserId,
        identity: &str,
    ) -> Result<Vec<Identity>, Refusal> {
        self.permit(by, Permission::UnlinkIdentities, pool).await?;
        let found = self.account(pool, user).await?;
        let identity = found.identities.iter().find(|found| identity_id(pool, &found.key) == identity);
        let key = identity.ok_or(Code::NoSuchIdentity)?.key.clone();
        let unit = Unbind {
            pool: pool.clone(),
            user: user.clone(),
            keys: vec![key],
            allow_last: true,
            trace: self.trace_by(pool, by),
        };
        match self.write(unit).await? {
            Unbound::Done(left) => Ok(left),
            Unbound::NotBound | Unbound::LastWayIn => Err(Code::NoSuchIdentity.into()),
        }
    }

    /// Removes a login name that came from an account merged into this one, even if it is the last way to log
    /// in. Others may then use the name. The account's own names are changed with [`App::update_user`].
    ///
    /// # Errors
    /// `Code::NoSuch`, [`Code::UserUnknown`], [`Code::MergedInto`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn unbind_merged_name_of(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        user: &UserId,
        name: Name,
    ) -> Result<(), Refusal> {
        self.permit(by, Permission::WriteUsers, pool).await?;
        self.account(pool, user).await?;
        let (pool, user, trace) = (pool.clone(), user.clone(), self.trace_by(pool, by));
        match self.write(UnbindMergedName { pool, user, name, allow_last: true, trace }).await? {
            NameUnbound::Done => Ok(()),
            NameUnbound::NotBound | NameUnbound::LastWayIn => Err(Code::NoSuchLoginName.into()),
        }
    }

    /// The active sessions of an account, most recently used first.
    ///
    /// # Errors
    /// [`Code::UserUnknown`], [`Code::MergedInto`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn sessions_of_user(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        user: &UserId,
    ) -> Result<Vec<OwnSession>, Refusal> {
        self.permit(by, Permission::ReadUsers, pool).await?;
        self.account(pool, user).await?;
        self.read(ListSessions { pool: pool.clone(), user: user.clone(), now: self.now() }).await
    }

    /// Some of the same sessions.
    ///
    /// # Errors
    /// [`Code::UserUnknown`], [`Code::MergedInto`], [`Code::Invalid`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn page_of_sessions(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        user: &UserId,
        page: &PageRequest,
    ) -> Result<Page<OwnSession>, Refusal> {
        self.permit(by, Permission::ReadUsers, pool).await?;
        self.account(pool, user).await?;
        let wanted = page.read::<2>()?;
        let before = match &wanted.after {
            Some([at, id]) => Some((Timestamp(at.parse().map_err(|_| invalid_cursor())?), id.clone())),
            None => None,
        };
        let (pool, user, now) = (pool.clone(), user.clone(), self.now());
        let found = self.read(PageOfSessions { pool, user, now, before, limit: wanted.limit() }).await?;
        Ok(wanted.page(found, |last| {
            let at = last.last_used_at.unwrap_or(last.created_at);
            [at.0.to_string(), last.id.as_str().to_owned()]
        }))
    }

    /// Ends one session of an account, or all of them. Their tokens become invalid immediately on this node,
    /// and within a second on the others.
    ///
    /// # Errors
    /// `Code::NoSuch`, [`Code::UserUnknown`], [`Code::MergedInto`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn end_sessions_of_user(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        user: &UserId,
        session: Option<SessionId>,
    ) -> Result<usize, Refusal> {
        self.permit(by, Permission::EndSessions, pool).await?;
        self.account(pool, user).await?;
        let one = session.is_some();
        let which = session.map_or(SessionSelection::All, SessionSelection::One);
        let trace = self.trace_by(pool, by);
        let unit = SignOut(EndSessions { pool: pool.clone(), user: user.clone(), which, trace });
        let ended = self.write(unit).await?;
        self.forget_sessions(&ended);
        if one && ended.is_empty() { Err(Code::NoSuchSession.into()) } else { Ok(ended.len()) }
    }

    /// The merges into an account, latest first.
    ///
    /// # Errors
    /// [`Code::UserUnknown`], [`Code::Invalid`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn merges_of_user(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        user: &UserId,
        page: &PageRequest,
    ) -> Result<Page<StoredMerge>, Refusal> {
        let user = self.find_user(by, pool, user).await?.user.id;
        let wanted = page.read()?;
        let (pool, before) = (pool.clone(), wanted.before_id());
        let found = self.read(PageOfMerges { pool, user, before, limit: wanted.limit() }).await?;
        Ok(wanted.page(found, |last| [last.id.as_str().to_owned()]))
    }

    /// Previews merging an account into another.
    ///
    /// # Errors
    /// Those of [`App::preview_merge`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn preview_merge_of_users(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        survivor: &UserId,
        merged: &UserId,
    ) -> Result<MergePreview, Refusal> {
        self.permit(by, Permission::DeleteUsers, pool).await?;
        self.preview_merge(pool, survivor, merged).await
    }

    /// Merges an account into another.
    ///
    /// # Errors
    /// Those of [`App::merge_users`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn merge_two_users(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        survivor: &UserId,
        merged: &UserId,
    ) -> Result<User, Refusal> {
        self.permit(by, Permission::DeleteUsers, pool).await?;
        self.merge_users(pool, survivor, merged, self.trace_by(pool, by)).await
    }

    /// Undoes a merge.
    ///
    /// # Errors
    /// Those of [`App::undo_merge_of`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn undo_merge_of_users(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        merge: &MergeId,
    ) -> Result<MergeUndone, Refusal> {
        self.permit(by, Permission::DeleteUsers, pool).await?;
        self.undo_merge_of(pool, merge, None, self.trace_by(pool, by)).await
    }

    /// Cases in which the ids of one person pointed to two accounts.
    ///
    /// # Errors
    /// [`Code::Invalid`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn conflicts(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<ConflictPage, Refusal> {
        self.permit(by, Permission::ReadUsers, pool).await?;
        let limit = page_size(limit)?;
        let after =
            cursor.map(decode_cursor::<3>).transpose()?.map(|[kind, chosen, other]| (kind, chosen, other));
        let unit = ListConflicts { pool: pool.clone(), after, limit: i64::from(limit) + 1 };
        let mut conflicts = self.read(unit).await?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = conflicts.len() > size;
        conflicts.truncate(size);
        let place = |last: &Conflict| encode_cursor(&[&last.kind, last.chosen.as_str(), last.other.as_str()]);
        let next = conflicts.last().filter(|_| more).map(place);
        Ok(ConflictPage { conflicts, next })
    }

    /// An account, refused if it was merged into another.
    async fn account(&self, pool: &PoolId, user: &UserId) -> Result<Found, Refusal> {
        let unit = users::GetUserWithIdentities { pool: pool.clone(), user: user.clone() };
        let (user, identities) = self.read(unit).await?.ok_or(Code::UserUnknown)?;
        match user.merged_into {
            Some(into) => Err(Code::MergedInto.with("user", into.to_string())),
            None => {
                Ok(Found { user, identities, following: Vec::new(), merged_from: None, merged: Vec::new() })
            }
        }
    }
}

struct Link {
    pool: PoolId,
    user: UserId,
    connection: ConnectionId,
    key: IdentityKey,
    trace: Trace,
}

enum Linked {
    Done(Vec<Identity>),
    Rejected(Rejection),
    Taken,
    AnotherBound,
}

impl Write for Link {
    type Out = Linked;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Linked, StoreError> {
        let (pool, user, key) = (&self.pool, &self.user, &self.key);
        if let Err(rejection) = locked(tx, pool, user).await? {
            return Ok(Linked::Rejected(rejection));
        }
        match identities::owner(tx, pool, key).await? {
            Some(owner) if owner == *user => {
                return Ok(Linked::Done(identities::of_account(tx, pool, user).await?));
            }
            Some(_) => return Ok(Linked::Taken),
            None => {}
        }
        if identities::has_other_in_realm(tx, pool, user, key).await? {
            return Ok(Linked::AnotherBound);
        }
        let new = NewIdentity {
            connection: self.connection.clone(),
            key: key.clone(),
            created_at: self.trace.at,
            user_info: IdpUserInfo::default(),
        };
        identities::insert(tx, pool, user, &new).await?;
        let details = json!({
            "realm": key.realm,
            "kind": key.kind.as_str(),
            "connection": self.connection.as_str(),
            "after": hufu_types::masked(&key.value),
        });
        let event = Event::of(Action::IdentityBound, user).with(details);
        self.trace.recorder().record(tx, pool, event).await?;
        Ok(Linked::Done(identities::of_account(tx, pool, user).await?))
    }
}

/// Ends sessions and notifies all nodes.
struct SignOut(EndSessions);

impl Write for SignOut {
    type Out = Vec<EndedSession>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<EndedSession>, StoreError> {
        let ended = self.0.run(tx).await?;
        if matches!(self.0.which, SessionSelection::All) {
            unit::sign_out(tx, &self.0.pool, &self.0.user, self.0.trace.at).await?;
        } else if !ended.is_empty() {
            versions::sessions_changed(tx).await?;
        }
        Ok(ended)
    }
}
