//! Exporting users page by page, in the order of their ids.

use std::collections::HashMap;

use hufu_types::{ConnectionId, IdentityKey, IdentityKind, PoolId, Timestamp, User, UserId};

use crate::identities::{NewIdentity, user_info};
use crate::users::{USER_COLUMNS, decode_user, user_columns};
use crate::{Read, Row, StoreError, Tx, statements};

statements! {
    EXPORT_WHOLE = concat!(
        "SELECT ", user_columns!(), ", users.password_hash FROM users
         WHERE users.pool_id = $1 AND users.id > $2 AND users.merged_into IS NULL
         ORDER BY users.id LIMIT $3"
    );
    EXPORT_MERGED = concat!(
        "SELECT ", user_columns!(), ", users.password_hash FROM users
         WHERE users.pool_id = $1 AND users.id > $2 AND users.merged_into IS NOT NULL
         ORDER BY users.id LIMIT $3"
    );
    EXPORT_IDENTITIES = "
        SELECT user_id, realm, kind, value, connection_id, created_at, user_info
        FROM identities
        WHERE pool_id = $1 AND user_id > $2 AND user_id <= $3
        ORDER BY user_id, realm, kind, value";
}

/// A page of a pool's users.
pub struct ExportPage {
    /// The pool.
    pub pool: PoolId,
    /// The last id of the previous page; empty for the first page.
    pub after: String,
    /// The maximum number of users.
    pub limit: i64,
    /// If set, returns only accounts that were merged into others. Otherwise, returns only those that were
    /// not.
    pub merged: bool,
}

/// A user as stored in the database.
#[derive(Clone, Debug)]
pub struct ExportedUser {
    /// The user.
    pub user: User,
    /// The hash of the password.
    pub password_hash: Option<String>,
    /// The identities linked to this account itself.
    pub identities: Vec<NewIdentity>,
}

impl Read for ExportPage {
    type Out = Vec<ExportedUser>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<ExportedUser>, StoreError> {
        let sql = if self.merged { EXPORT_MERGED } else { EXPORT_WHOLE };
        let mut users =
            tx.all(sql, &[(&self.pool).into(), (&self.after).into(), self.limit.into()], decode).await?;
        let Some(last) = users.last().map(|last| last.user.id.clone()) else { return Ok(users) };
        let values = [(&self.pool).into(), (&self.after).into(), (&last).into()];
        let mut identities: HashMap<UserId, Vec<NewIdentity>> = HashMap::new();
        for (owner, identity) in tx.all(EXPORT_IDENTITIES, &values, decode_identity).await? {
            identities.entry(owner).or_default().push(identity);
        }
        for exported in &mut users {
            exported.identities = identities.remove(&exported.user.id).unwrap_or_default();
        }
        Ok(users)
    }
}

fn decode(row: &Row<'_>) -> Result<ExportedUser, StoreError> {
    Ok(ExportedUser {
        user: decode_user(row)?,
        password_hash: row.get(USER_COLUMNS)?,
        identities: Vec::new(),
    })
}

fn decode_identity(row: &Row<'_>) -> Result<(UserId, NewIdentity), StoreError> {
    let kind = IdentityKind::parse(&row.get::<String>(2)?).ok_or(StoreError::Corrupt { column: "kind" })?;
    let identity = NewIdentity {
        connection: ConnectionId::parse(&row.get::<String>(4)?)?,
        key: IdentityKey { realm: row.get(1)?, kind, value: row.get(3)? },
        created_at: Timestamp(row.get(5)?),
        user_info: user_info(row.get(6)?)?,
    };
    Ok((UserId::parse(&row.get::<String>(0)?)?, identity))
}
