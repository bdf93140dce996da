//! Invitations to be an administrator.

use hufu_types::{AccessKeyId, AdminRole, PoolId, PoolRole, Reach, Timestamp, TokenHash, UserId};

use crate::administration::within;
use crate::batches::batches;
use crate::{Read, Row, StoreError, Tx, statements};

statements! {
    INSERT = "
        INSERT INTO invitations (id, hash, email, role, scope_pool, created_by, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    GET = "
        SELECT id, email, role, scope_pool, created_by, created_at, expires_at FROM invitations
        WHERE id = $1 AND expires_at > $2";
    // Not if whoever sent it has no role there.
    BY_HASH = "
        SELECT id, email, role, scope_pool, created_by, created_at, expires_at FROM invitations
        WHERE hash = $1 AND expires_at > $2 AND (created_by IS NULL OR EXISTS (
            SELECT 1 FROM administrators a WHERE a.user_id = invitations.created_by
            AND (a.scope_pool IS NULL OR a.scope_pool = invitations.scope_pool)))";
    // Good once: of two who use it the second one finds nothing.
    TAKE = "
        DELETE FROM invitations
        WHERE hash = $1 AND expires_at > $2 AND (created_by IS NULL OR EXISTS (
            SELECT 1 FROM administrators a WHERE a.user_id = invitations.created_by
            AND (a.scope_pool IS NULL OR a.scope_pool = invitations.scope_pool)))
        RETURNING id, email, role, scope_pool, created_by, created_at, expires_at";
    DELETE = "DELETE FROM invitations WHERE id = $1";
    MADE_BY = "
        SELECT id, email, role, scope_pool, created_by, created_at, expires_at FROM invitations
        WHERE created_by = $1 ORDER BY created_at, id";
    SWEEP = "DELETE FROM invitations WHERE expires_at < $1";
}

// `$3` says whether all pools are meant; otherwise the rows are those that are.
batches! {
    LIST = "
        SELECT id, email, role, scope_pool, created_by, created_at, expires_at FROM invitations
        WHERE expires_at > $1 AND id > $4 AND ($3 OR scope_pool IN (SELECT r.pool FROM "
        [pool TEXT] ")) ORDER BY id LIMIT $5";
}

/// An invitation, without its token.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The id.
    pub id: AccessKeyId,
    /// The address it was sent to.
    pub email: String,
    /// The role that it gives.
    pub role: PoolRole,
    /// The administrator who invites; `None` for the command line and its keys.
    pub created_by: Option<UserId>,
    /// When it was sent.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// Reads the invitations that are still good, by id and so in the order in which they were sent.
pub struct ListInvitations {
    /// The current time.
    pub now: Timestamp,
    /// Where the roles are.
    pub reach: Reach,
    /// The id of the last invitation of the previous page; empty for the first page.
    pub after: String,
    /// The maximum number of invitations.
    pub limit: i64,
}

impl Read for ListInvitations {
    type Out = Vec<Invitation>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Invitation>, StoreError> {
        let (all, pools) = within(&self.reach)?;
        let values = [self.now.into(), (&pools).into(), all.into(), (&self.after).into(), self.limit.into()];
        tx.all(LIST.for_engine(tx), &values, decode).await
    }
}

/// Reads an invitation by its id, if it is good at this time.
pub struct GetInvitationById(pub AccessKeyId, pub Timestamp);

impl Read for GetInvitationById {
    type Out = Option<Invitation>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Invitation>, StoreError> {
        tx.optional(GET, &[self.0.as_str().into(), self.1.into()], decode).await
    }
}

/// Reads the invitation of a token, if it is good at this time.
pub struct GetInvitation(pub TokenHash, pub Timestamp);

impl Read for GetInvitation {
    type Out = Option<Invitation>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Invitation>, StoreError> {
        tx.optional(BY_HASH, &[(&self.0).into(), self.1.into()], decode).await
    }
}

/// Inserts an invitation with the hash of its token.
pub async fn insert(tx: &mut Tx<'_>, new: &Invitation, hash: &TokenHash) -> Result<(), StoreError> {
    let values = [
        new.id.as_str().into(),
        hash.into(),
        (&new.email).into(),
        new.role.role.as_str().into(),
        new.role.pool.as_ref().map(PoolId::as_str).into(),
        new.created_by.as_ref().map(UserId::as_str).into(),
        new.created_at.into(),
        new.expires_at.into(),
    ];
    tx.execute(INSERT, &values).await.map(drop)
}

/// Takes the invitation of a token away, and returns it, if it is good at this time.
pub async fn take(
    tx: &mut Tx<'_>,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<Invitation>, StoreError> {
    tx.optional(TAKE, &[hash.into(), now.into()], decode).await
}

/// Deletes an invitation. Returns whether it existed.
pub async fn delete(tx: &mut Tx<'_>, id: &AccessKeyId) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE, &[id.as_str().into()]).await? == 1)
}

/// The invitations that an administrator sent.
pub async fn made_by(tx: &mut Tx<'_>, user: &UserId) -> Result<Vec<Invitation>, StoreError> {
    tx.all(MADE_BY, &[user.into()], decode).await
}

/// Deletes the invitations that are not good any more.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}

fn decode(row: &Row<'_>) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        id: AccessKeyId::parse(&row.get::<String>(0)?)?,
        email: row.get(1)?,
        role: PoolRole {
            role: AdminRole::parse(&row.get::<String>(2)?).ok_or(StoreError::Corrupt { column: "role" })?,
            pool: row.get::<Option<String>>(3)?.map(|id| PoolId::parse(&id)).transpose()?,
        },
        created_by: row.get::<Option<String>>(4)?.map(|id| UserId::parse(&id)).transpose()?,
        created_at: Timestamp(row.get(5)?),
        expires_at: Timestamp(row.get(6)?),
    })
}
