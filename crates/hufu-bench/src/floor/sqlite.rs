//! Durable logins on SQLite: one writer thread with one COMMIT for all waiting logins, and the settings of
//! hufu-store.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{mpsc, oneshot};

use super::callback::{Back, FACTS};
use super::{CREATED, Fixed, LOGGED_IN, Login, SESSION_MS, sql};
use crate::database::DURABLE;
use crate::world::{CLIENT_ADDRESS, REGISTER_SOURCE, World};

/// The most logins per COMMIT.
const MAX_BATCH: usize = 256;

type Waiting = (Login, oneshot::Sender<Result<String>>);

/// The channel to the writer thread.
pub(super) struct Writer(mpsc::Sender<Waiting>);

impl Writer {
    pub(super) fn open(file: &str, fixed: Arc<Fixed>) -> Result<Writer> {
        let connection = Connection::open(file)?;
        connection.execute_batch(DURABLE)?;
        // Without this setting, this build of SQLite (STAT4) plans some statements anew for each bound value.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        let (sender, receiver) = mpsc::channel(4096);
        std::thread::spawn(move || write(&connection, &fixed, receiver));
        Ok(Writer(sender))
    }

    /// Returns the user's id after the COMMIT.
    pub(super) async fn log_in(&self, login: Login) -> Result<String> {
        let (sender, answer) = oneshot::channel();
        self.0.send((login, sender)).await.map_err(|_| anyhow!("the writer has ended"))?;
        answer.await.context("the writer has ended")?
    }
}

fn write(connection: &Connection, fixed: &Fixed, mut queue: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    while queue.blocking_recv_many(&mut batch, MAX_BATCH) > 0 {
        let ids = commit(connection, fixed, &batch);
        match ids {
            Ok(ids) => {
                for ((_, caller), id) in batch.drain(..).zip(ids) {
                    let _ = caller.send(Ok(id));
                }
            }
            Err(error) => {
                let _ = connection.execute_batch("ROLLBACK");
                for (_, caller) in batch.drain(..) {
                    let _ = caller.send(Err(anyhow!("the batch failed: {error}")));
                }
            }
        }
    }
}

fn commit(connection: &Connection, fixed: &Fixed, batch: &[Waiting]) -> rusqlite::Result<Vec<String>> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let ids = batch.iter().map(|(login, _)| log_in(connection, fixed, login)).collect::<Result<_, _>>()?;
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(ids)
}

fn log_in(connection: &Connection, fixed: &Fixed, login: &Login) -> rusqlite::Result<String> {
    let Fixed { world, openid_realm, unionid_realm } = fixed;
    let Login { openid, unionid, candidate, session, code_hash, sealed, now, .. } = login;
    let (candidate, session) = (candidate.as_str(), session.as_str());
    let known: Option<String> = connection
        .prepare_cached(sql::FIND)?
        .query_row(params![world.pool, openid_realm, openid, unionid_realm, unionid], |row| row.get(0))
        .optional()?;
    let user = if let Some(known) = known {
        let values = params![now, CLIENT_ADDRESS, world.application, world.pool, known];
        connection.prepare_cached(sql::NOTE_LOGIN)?.execute(values)?;
        known
    } else {
        let values = params![world.pool, candidate, now, CLIENT_ADDRESS, world.application, REGISTER_SOURCE];
        connection.prepare_cached(sql::INSERT_USER)?.execute(values)?;
        let values = params![
            world.pool,
            openid_realm,
            openid,
            candidate,
            world.connection,
            now,
            unionid_realm,
            unionid
        ];
        connection.prepare_cached(sql::INSERT_IDENTITIES)?.execute(values)?;
        record(connection, world, login, ("1", "user.created", candidate, CREATED))?;
        candidate.to_owned()
    };
    let values = params![
        world.pool,
        session,
        user,
        world.application,
        world.connection,
        now,
        now + SESSION_MS,
        CLIENT_ADDRESS
    ];
    connection.prepare_cached(sql::INSERT_SESSION)?.execute(values)?;
    record(connection, world, login, ("2", "user.login", &user, &format!("{LOGGED_IN}{session}\"}}")))?;
    let values = params![world.pool, code_hash, world.application, sealed, user, session, now];
    connection.prepare_cached(sql::INSERT_EXCHANGE)?.execute(values)?;
    if let Some(back) = &login.back {
        let values = params![back.code, world.pool, back.state, now];
        if connection.prepare_cached(sql::ANSWER)?.execute(values)? == 0 {
            return Err(rusqlite::Error::QueryReturnedNoRows);
        }
        let Back { session, cookie, .. } = back;
        let (session, ends) = (session.as_str(), now + SESSION_MS);
        let values = params![world.pool, session, cookie, user, FACTS, now, ends, CLIENT_ADDRESS];
        connection.prepare_cached(sql::INSERT_BROWSER_SESSION)?.execute(values)?;
    }
    Ok(user)
}

/// Writes an entry of the audit log: the end of its id, the action, the user and the details.
fn record(
    connection: &Connection,
    world: &World,
    login: &Login,
    (number, action, user, details): (&str, &str, &str, &str),
) -> rusqlite::Result<()> {
    let id = format!("{}{number}", login.event);
    let values = params![
        world.pool,
        id,
        login.now,
        action,
        user,
        world.application,
        world.connection,
        CLIENT_ADDRESS,
        login.request,
        details
    ];
    connection.prepare_cached(sql::INSERT_EVENT)?.execute(values).map(drop)
}
