//! Filling and measuring a PostgreSQL database.

use std::fmt::Write as _;

use anyhow::Result;
use sqlx::postgres::PgPoolCopyExt as _;
use sqlx::{Connection as _, PgConnection, PgPool, QueryBuilder, Row as _};

use super::people::Stored;
use crate::world::{CLIENT_ADDRESS, REGISTER_SOURCE, World};

/// The number of users whose rows are sent in one batch.
const BATCH_USERS: usize = 20_000;
/// The number of users in the first batch.
const FIRST_BATCH_USERS: usize = 1_000;

const COPY_USERS: &str = "
    COPY users
        (pool_id, id, status, email_verified, phone, phone_proof, profile, custom_data, logins_count, last_login_at,
         last_ip, last_application, register_source, created_at, updated_at)
    FROM STDIN";
const COPY_IDENTITIES: &str = "
    COPY identities (pool_id, realm, kind, value, user_id, connection_id, created_at) FROM STDIN";

const INSERT_USERS: &str = "
    INSERT INTO users
        (pool_id, id, status, email_verified, phone, phone_proof, profile, custom_data, logins_count, last_login_at,
         last_ip, last_application, register_source, created_at, updated_at) ";
const INSERT_IDENTITIES: &str = "
    INSERT INTO identities (pool_id, realm, kind, value, user_id, connection_id, created_at) ";

pub(super) async fn fill(url: &str, world: &World, stored: impl Iterator<Item = Stored>) -> Result<()> {
    let pool = PgPool::connect(url).await?;
    let mut stored = stored.peekable();
    let mut batch_users = FIRST_BATCH_USERS;
    while stored.peek().is_some() {
        let (mut users, mut identities) = (String::new(), String::new());
        for user in stored.by_ref().take(batch_users) {
            write_rows(world, &user, &mut users, &mut identities)?;
        }
        for (statement, rows) in [(COPY_USERS, users), (COPY_IDENTITIES, identities)] {
            let mut copy = pool.copy_in_raw(statement).await?;
            copy.send(rows.as_bytes()).await?;
            copy.finish().await?;
        }
        if batch_users == FIRST_BATCH_USERS {
            // The statements of the triggers were planned for an empty table, and would scan the whole table
            // for each row.
            sqlx::query("ANALYZE users").execute(&pool).await?;
            batch_users = BATCH_USERS;
        }
    }
    for statement in ["VACUUM (ANALYZE)", "CHECKPOINT"] {
        sqlx::query(statement).execute(&pool).await?;
    }
    pool.close().await;
    Ok(())
}

/// Writes rows in the text format of COPY. No value contains a tab, a line break or a backslash.
fn write_rows(world: &World, user: &Stored, users: &mut String, identities: &mut String) -> Result<()> {
    let World { pool, application, connection, .. } = world;
    let profile = user.profile();
    let Stored { id, phone, logins_count, last_login_at, created_at, openid, unionid, .. } = user;
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

/// Stores users with one transaction per batch: one statement for the users, one for their identities.
pub(super) async fn insert_plainly(
    url: &str,
    world: &World,
    stored: impl Iterator<Item = Stored>,
    at_once: usize,
) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    let (openid_realm, unionid_realm) = (world.openid_realm(), world.unionid_realm());
    let mut stored = stored.peekable();
    while stored.peek().is_some() {
        let users: Vec<Stored> = stored.by_ref().take(at_once).collect();
        let mut transaction = connection.begin().await?;
        let mut insert = QueryBuilder::new(INSERT_USERS);
        insert.push_values(&users, |mut row, user| {
            row.push_bind(&world.pool).push_bind(&user.id).push_bind("Activated").push_bind(false);
            row.push_bind(&user.phone).push_bind(user.phone.as_ref().map(|_| "wechat"));
            row.push_bind(user.profile()).push_bind("{}").push_bind(user.logins_count);
            row.push_bind(user.last_login_at).push_bind(CLIENT_ADDRESS).push_bind(&world.application);
            row.push_bind(REGISTER_SOURCE).push_bind(user.created_at).push_bind(user.created_at);
        });
        insert.build().execute(&mut *transaction).await?;
        let mut insert = QueryBuilder::new(INSERT_IDENTITIES);
        let identities = users.iter().flat_map(|user| {
            [(&openid_realm, "openid", &user.openid, user), (&unionid_realm, "unionid", &user.unionid, user)]
        });
        insert.push_values(identities, |mut row, (realm, kind, value, user)| {
            row.push_bind(&world.pool).push_bind(realm).push_bind(kind).push_bind(value);
            row.push_bind(&user.id).push_bind(&world.connection).push_bind(user.created_at);
        });
        insert.build().execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    Ok(connection.close().await?)
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
