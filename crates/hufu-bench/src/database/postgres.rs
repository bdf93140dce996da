//! Filling and measuring a PostgreSQL database.

use std::fmt::Write as _;

use anyhow::Result;
use sqlx::postgres::PgPoolCopyExt as _;
use sqlx::{Connection as _, PgConnection, PgPool, Row as _};

use super::people::Stored;
use crate::world::{CLIENT_ADDRESS, REGISTER_SOURCE, World};

/// Users whose rows are sent in one piece.
const PIECE: usize = 20_000;

const COPY_USERS: &str = "
    COPY users
        (pool_id, id, status, email_verified, phone, phone_proof, profile, custom_data, logins_count, last_login_at,
         last_ip, last_application, register_source, created_at, updated_at)
    FROM STDIN";
const COPY_IDENTITIES: &str = "
    COPY identities (pool_id, realm, kind, value, user_id, connection_id, created_at) FROM STDIN";

pub(super) async fn fill(url: &str, world: &World, stored: impl Iterator<Item = Stored>) -> Result<()> {
    let pool = PgPool::connect(url).await?;
    let mut stored = stored.peekable();
    while stored.peek().is_some() {
        let (mut users, mut identities) = (String::new(), String::new());
        for user in stored.by_ref().take(PIECE) {
            write_rows(world, &user, &mut users, &mut identities)?;
        }
        for (statement, rows) in [(COPY_USERS, users), (COPY_IDENTITIES, identities)] {
            let mut copy = pool.copy_in_raw(statement).await?;
            copy.send(rows.as_bytes()).await?;
            copy.finish().await?;
        }
    }
    for statement in ["VACUUM (ANALYZE)", "CHECKPOINT"] {
        sqlx::query(statement).execute(&pool).await?;
    }
    pool.close().await;
    Ok(())
}

/// Rows in the text form of COPY. Nothing here holds a tabulator, a line break or a backslash.
fn write_rows(world: &World, user: &Stored, users: &mut String, identities: &mut String) -> Result<()> {
    let World { pool, application, connection, .. } = world;
    let Stored { id, phone, profile, logins_count, last_login_at, created_at, openid, unionid } = user;
    let (phone, proof) = phone.as_ref().map_or(("\\N", "\\N"), |phone| (phone, "wechat"));
    writeln!(
        users,
        "{pool}\t{id}\tActivated\tf\t{phone}\t{proof}\t{profile}\t{{}}\t{logins_count}\t{last_login_at}\t\
         {CLIENT_ADDRESS}\t{application}\t{REGISTER_SOURCE}\t{created_at}\t{created_at}"
    )?;
    for (realm, kind, value) in
        [(world.openid_realm(), "openid", openid), (world.unionid_realm(), "unionid", unionid)]
    {
        writeln!(identities, "{pool}\t{realm}\t{kind}\t{value}\t{id}\t{connection}\t{created_at}")?;
    }
    Ok(())
}

pub(super) async fn connection_id(url: &str, world: &World) -> Result<String> {
    let mut connection = PgConnection::connect(url).await?;
    let query = sqlx::query_scalar("SELECT id FROM connections WHERE pool_id = $1").bind(&world.pool);
    let id = query.fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(id)
}

pub(super) async fn size(url: &str) -> Result<u64> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query("CHECKPOINT").execute(&mut connection).await?;
    let size: i64 =
        sqlx::query_scalar("SELECT pg_database_size(current_database())").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(u64::try_from(size)?)
}

pub(super) async fn count(url: &str) -> Result<[i64; 3]> {
    let mut connection = PgConnection::connect(url).await?;
    let row = sqlx::query(super::COUNT).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok([row.try_get(0)?, row.try_get(1)?, row.try_get(2)?])
}
