//! Filling and measuring a SQLite file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};

use super::people::Stored;
use crate::world::{CLIENT_ADDRESS, REGISTER_SOURCE, World};

/// The same settings as in hufu-store.
pub(crate) const DURABLE: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA wal_autocheckpoint = 1000;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -8192;";
const INSERT_USER: &str = "
    INSERT INTO users
        (pool_id, id, status, email_verified, phone, phone_proof, profile, custom_data, logins_count, last_login_at,
         last_ip, last_application, register_source, created_at, updated_at)
    VALUES ($1, $2, 'Activated', FALSE, $3, $4, $5, '{}', $6, $7, $8, $9, $10, $11, $11)";
const INSERT_IDENTITY: &str = "
    INSERT INTO identities (pool_id, realm, kind, value, user_id, connection_id, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

pub(super) fn fill(file: &Path, world: &World, stored: impl Iterator<Item = Stored>) -> Result<()> {
    let mut connection = Connection::open(file)?;
    // Only for filling, which starts over if it fails: one transaction without a journal, in memory first.
    // Rows are inserted in order of time, as in real life, so that the identity index grows at random
    // positions.
    connection.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000;",
    )?;
    let transaction = connection.transaction()?;
    insert(&transaction, world, stored)?;
    transaction.commit()?;
    connection.execute_batch("ANALYZE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    connection.close().map_err(|(_, error)| error)?;
    // Otherwise the operating system would write its buffers during the measurement.
    Ok(fs::File::open(file)?.sync_all()?)
}

/// Stores users with one transaction per batch, using the settings of a server.
pub(super) fn insert_plainly(
    file: &Path,
    world: &World,
    stored: impl Iterator<Item = Stored>,
    at_once: usize,
) -> Result<()> {
    let mut connection = Connection::open(file)?;
    connection.execute_batch(DURABLE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let mut stored = stored.peekable();
    while stored.peek().is_some() {
        let transaction = connection.transaction()?;
        insert(&transaction, world, stored.by_ref().take(at_once))?;
        transaction.commit()?;
    }
    connection.close().map_err(|(_, error)| error.into())
}

fn insert(connection: &Connection, world: &World, stored: impl Iterator<Item = Stored>) -> Result<()> {
    let (openid_realm, unionid_realm) = (world.openid_realm(), world.unionid_realm());
    let mut insert_user = connection.prepare_cached(INSERT_USER)?;
    let mut insert_identity = connection.prepare_cached(INSERT_IDENTITY)?;
    for user in stored {
        let profile = user.profile();
        let Stored { id, phone, logins_count, last_login_at, created_at, openid, unionid, .. } = user;
        let proof = phone.as_ref().map(|_| "wechat");
        insert_user.execute(params![
            world.pool,
            id,
            phone,
            proof,
            profile,
            logins_count,
            last_login_at,
            CLIENT_ADDRESS,
            world.application,
            REGISTER_SOURCE,
            created_at,
        ])?;
        for (realm, kind, value) in [(&openid_realm, "openid", openid), (&unionid_realm, "unionid", unionid)]
        {
            let values = params![world.pool, realm, kind, value, id, world.connection, created_at];
            insert_identity.execute(values)?;
        }
    }
    Ok(())
}

pub(super) fn connection_id(file: &Path, world: &World) -> Result<String> {
    let connection = Connection::open(file)?;
    Ok(connection
        .query_row("SELECT id FROM connections WHERE pool_id = $1", [&world.pool], |row| row.get(0))?)
}

pub(super) fn size(file: &Path) -> Result<u64> {
    let connection = Connection::open(file)?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(fs::metadata(file)?.len())
}

pub(super) fn count(file: &Path) -> Result<[i64; 3]> {
    let connection = Connection::open(file)?;
    Ok(connection.query_row(super::COUNT, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?)
}

pub(super) fn copy(file: &Path, name: &str) -> Result<PathBuf> {
    let copy = file.with_file_name(format!("{name}.db"));
    remove(&copy)?;
    fs::copy(file, &copy)?;
    fs::File::open(&copy)?.sync_all()?;
    Ok(copy)
}

pub(super) fn remove(file: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
