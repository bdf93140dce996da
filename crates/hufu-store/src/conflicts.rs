//! Identity conflicts: one person's ids that point to two accounts, recorded so that someone can resolve
//! them.

use hufu_types::{ConnectionId, PoolId, Timestamp, UserId};

use crate::{Read, Row, StoreError, Tx, statements};

statements! {
    RECORD = "
        INSERT INTO identity_conflicts
            (pool_id, kind, chosen_user, other_user, connection_id, first_seen_at, last_seen_at, occurrences)
        VALUES ($1, $2, $3, $4, $5, $6, $6, 1)
        ON CONFLICT (pool_id, kind, chosen_user, other_user) DO UPDATE
        SET last_seen_at = excluded.last_seen_at, occurrences = identity_conflicts.occurrences + 1";
    LIST = "
        SELECT kind, chosen_user, other_user, connection_id, first_seen_at, last_seen_at, occurrences
        FROM identity_conflicts
        WHERE pool_id = $1 AND (kind, chosen_user, other_user) > ($2, $3, $4)
        ORDER BY kind, chosen_user, other_user LIMIT $5";
    DELETE_OF_USER = "
        DELETE FROM identity_conflicts WHERE pool_id = $1 AND (chosen_user = $2 OR other_user = $2)";
}

/// One person's ids that point to two accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The kind of conflict, which says what disagrees.
    pub kind: String,
    /// The account that was logged in.
    pub chosen: UserId,
    /// The other account.
    pub other: UserId,
    /// The connection through which it was first seen.
    pub connection: ConnectionId,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
    /// How often it was seen.
    pub occurrences: i64,
}

/// Reads the conflicts of a pool, in the order of their keys.
pub struct ListConflicts {
    /// The pool.
    pub pool: PoolId,
    /// Kind and accounts of the last conflict of the previous page.
    pub after: Option<(String, String, String)>,
    /// The maximum number of conflicts.
    pub limit: i64,
}

impl Read for ListConflicts {
    type Out = Vec<Conflict>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Conflict>, StoreError> {
        let (kind, chosen, other) =
            self.after.as_ref().map_or(("", "", ""), |(kind, chosen, other)| (kind, chosen, other));
        let values = [(&self.pool).into(), kind.into(), chosen.into(), other.into(), self.limit.into()];
        tx.all(LIST, &values, decode).await
    }
}

/// Records a conflict, or that it occurred again.
pub async fn record(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    connection: &ConnectionId,
    conflict: &hufu_types::resolution::Conflict,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = [
        pool.into(),
        conflict.kind.as_str().into(),
        (&conflict.chosen).into(),
        (&conflict.other).into(),
        connection.into(),
        now.into(),
    ];
    tx.execute(RECORD, &values).await.map(drop)
}

/// Deletes the conflicts of a user.
pub async fn delete_of_user(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    tx.execute(DELETE_OF_USER, &[pool.into(), user.into()]).await.map(drop)
}

fn decode(row: &Row<'_>) -> Result<Conflict, StoreError> {
    Ok(Conflict {
        kind: row.get(0)?,
        chosen: UserId::parse(&row.get::<String>(1)?)?,
        other: UserId::parse(&row.get::<String>(2)?)?,
        connection: ConnectionId::parse(&row.get::<String>(3)?)?,
        first_seen_at: Timestamp(row.get(4)?),
        last_seen_at: Timestamp(row.get(5)?),
        occurrences: row.get(6)?,
    })
}
