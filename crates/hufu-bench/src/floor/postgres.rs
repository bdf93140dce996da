//! Durable logins on PostgreSQL: one transaction each, through a pool of the same size as hufu-store's.

use std::sync::Arc;

use anyhow::Result;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Row as _};

use super::{Fixed, Login, SESSION_MS, sql};
use crate::world::{CLIENT_ADDRESS, REGISTER_SOURCE};

const MAX_CONNECTIONS: u32 = 32;

pub(super) struct Logins {
    pool: PgPool,
    fixed: Arc<Fixed>,
}

impl Logins {
    pub(super) async fn open(url: &str, fixed: Arc<Fixed>) -> Result<Logins> {
        let options: PgConnectOptions = url.parse()?;
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        Ok(Logins { pool, fixed })
    }

    /// Returns the user's id after the COMMIT.
    pub(super) async fn log_in(&self, login: &Login) -> Result<String> {
        let Fixed { world, openid_realm, unionid_realm } = &*self.fixed;
        let Login { openid, unionid, candidate, session, code_hash, sealed, now } = login;
        let (candidate, session) = (candidate.as_str(), session.as_str());
        let mut transaction = self.pool.begin().await?;
        let find = sqlx::query(sql::FIND).bind(&world.pool).bind(openid_realm).bind(openid);
        let known = find.bind(unionid_realm).bind(unionid).fetch_optional(&mut *transaction).await?;
        let user = if let Some(known) = known {
            let known: String = known.try_get(0)?;
            let note = sqlx::query(sql::NOTE_LOGIN).bind(now).bind(CLIENT_ADDRESS).bind(&world.application);
            note.bind(&world.pool).bind(&known).execute(&mut *transaction).await?;
            known
        } else {
            let insert = sqlx::query(sql::INSERT_USER).bind(&world.pool).bind(candidate).bind(now);
            let insert = insert.bind(CLIENT_ADDRESS).bind(&world.application).bind(REGISTER_SOURCE);
            insert.execute(&mut *transaction).await?;
            let insert =
                sqlx::query(sql::INSERT_IDENTITIES).bind(&world.pool).bind(openid_realm).bind(openid);
            let insert =
                insert.bind(candidate).bind(&world.connection).bind(now).bind(unionid_realm).bind(unionid);
            insert.execute(&mut *transaction).await?;
            candidate.to_owned()
        };
        let insert = sqlx::query(sql::INSERT_SESSION).bind(&world.pool).bind(session).bind(&user);
        let insert = insert.bind(&world.application).bind(&world.connection).bind(now).bind(now + SESSION_MS);
        insert.bind(CLIENT_ADDRESS).execute(&mut *transaction).await?;
        let insert = sqlx::query(sql::INSERT_EXCHANGE).bind(&world.pool).bind(code_hash.as_slice());
        let insert = insert.bind(&world.application).bind(sealed).bind(&user).bind(session).bind(now);
        insert.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(user)
    }
}
