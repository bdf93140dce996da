//! Durable logins on PostgreSQL: those that wait are written together, on as many connections as hufu-store uses.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgPool, Postgres, Row as _};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::callback::{Back, FACTS};
use super::{CREATED, Fixed, LOGGED_IN, Login, SESSION_MS, sql};
use crate::world::{CLIENT_ADDRESS, REGISTER_SOURCE};

/// As hufu-store.
const LANES: u32 = 2;
const MAX_GROUP: usize = 32;
const SETTINGS: &str = "SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan; \
     SET enable_hashjoin = off; SET enable_mergejoin = off";
const NEW_PLANS: &str = "DISCARD PLANS";
/// How often statements are planned anew while the tables grow: about as often as hufu-store does it.
const GROUPS_PER_PLAN: u64 = 64;

type Waiting = (Login, oneshot::Sender<Result<String>>);

/// The channel to the tasks that write.
pub(super) struct Logins(mpsc::Sender<Waiting>);

impl Logins {
    pub(super) async fn open(url: &str, fixed: Arc<Fixed>) -> Result<Logins> {
        let options: PgConnectOptions = url.parse()?;
        let pool = PgPoolOptions::new()
            .max_connections(LANES)
            .test_before_acquire(false)
            .after_connect(|connection, _| {
                Box::pin(async move { sqlx::raw_sql(SETTINGS).execute(connection).await.map(drop) })
            })
            .connect_with(options)
            .await?;
        let (sender, receiver) = mpsc::channel(4096);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..LANES {
            tokio::spawn(write(pool.clone(), Arc::clone(&fixed), Arc::clone(&receiver)));
        }
        Ok(Logins(sender))
    }

    /// Returns the user's id after the COMMIT.
    pub(super) async fn log_in(&self, login: Login) -> Result<String> {
        let (sender, answer) = oneshot::channel();
        self.0.send((login, sender)).await.map_err(|_| anyhow!("the writers have ended"))?;
        answer.await.context("the writers have ended")?
    }
}

async fn write(pool: PgPool, fixed: Arc<Fixed>, queue: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
    let mut connection = None;
    for number in 0_u64.. {
        let mut waiting = Vec::with_capacity(MAX_GROUP);
        if queue.lock().await.recv_many(&mut waiting, MAX_GROUP).await == 0 {
            return;
        }
        // The generator logs nobody in twice at the same time, but may by chance.
        let mut rest = waiting;
        while !rest.is_empty() {
            let mut openids = HashSet::new();
            let (group, again): (Vec<_>, Vec<_>) =
                rest.into_iter().partition(|(login, _)| openids.insert(login.openid.clone()));
            rest = again;
            let (logins, callers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            let plan_anew = number % GROUPS_PER_PLAN == 0;
            match commit(&pool, &mut connection, plan_anew, &fixed, &logins).await {
                Ok(ids) => {
                    for (caller, id) in callers.into_iter().zip(ids) {
                        let _ = caller.send(Ok(id));
                    }
                }
                Err(error) => {
                    for caller in callers {
                        let _ = caller.send(Err(anyhow!("the group failed: {error:#}")));
                    }
                }
            }
        }
    }
}

/// Returns the ids of the users, after the COMMIT.
async fn commit(
    pool: &PgPool,
    kept: &mut Option<PoolConnection<Postgres>>,
    plan_anew: bool,
    fixed: &Fixed,
    logins: &[Login],
) -> Result<Vec<String>> {
    fn all<'a, T>(logins: &'a [Login], value: impl Fn(&'a Login) -> T) -> Vec<T> {
        logins.iter().map(value).collect()
    }
    let Fixed { world, openid_realm, unionid_realm } = fixed;
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => pool.acquire().await?,
    };
    if plan_anew {
        sqlx::raw_sql(NEW_PLANS).execute(&mut *connection).await?;
    }
    let mut transaction = connection.begin().await?;
    let find = sqlx::query(sql::FIND_GROUP).bind(&world.pool).bind(openid_realm).bind(unionid_realm);
    let (openids, unionids) = (all(logins, |l| l.openid.as_str()), all(logins, |l| l.unionid.as_str()));
    let found = find.bind(&openids).bind(&unionids).fetch_all(&mut *transaction).await?;
    let mut users: Vec<(bool, String)> = all(logins, |l| (true, l.candidate.as_str().to_owned()));
    for row in found {
        let place = usize::try_from(row.try_get::<i64, _>(0)?)? - 1;
        *users.get_mut(place).context("a row of nobody")? = (false, row.try_get(1)?);
    }
    let (are_new, users): (Vec<bool>, Vec<String>) = users.into_iter().unzip();
    let write = sqlx::query(sql::WRITE_GROUP).bind(&world.pool).bind(openid_realm).bind(unionid_realm);
    let write = write.bind(&world.application).bind(&world.connection).bind(CLIENT_ADDRESS);
    let write = write.bind(are_new).bind(&users).bind(openids).bind(unionids);
    let write = write.bind(all(logins, |l| l.session.as_str()));
    let write =
        write.bind(all(logins, |l| l.code_hash.as_slice())).bind(all(logins, |l| l.sealed.as_slice()));
    let write = write.bind(all(logins, |l| l.now)).bind(all(logins, |l| l.event.as_str()));
    let write = write.bind(all(logins, |l| l.request.as_str()));
    let write = write.bind(REGISTER_SOURCE).bind(SESSION_MS).bind(CREATED).bind(LOGGED_IN);
    write.execute(&mut *transaction).await?;
    let back: Vec<(&Back, &String, i64)> = logins
        .iter()
        .zip(&users)
        .filter_map(|(login, user)| login.back.as_ref().map(|back| (back, user, login.now)))
        .collect();
    if !back.is_empty() {
        let column =
            |value: fn(&Back) -> &[u8]| back.iter().map(|(back, ..)| value(back)).collect::<Vec<_>>();
        let at: Vec<i64> = back.iter().map(|(_, _, at)| *at).collect();
        let answer = sqlx::query(sql::ANSWER_GROUP).bind(&world.pool);
        let answer = answer.bind(column(|back| &back.code)).bind(column(|back| &back.state)).bind(&at);
        let answered = answer.execute(&mut *transaction).await?.rows_affected();
        ensure!(usize::try_from(answered)? == back.len(), "a login that did not begin, or has ended");
        let insert = sqlx::query(sql::INSERT_BROWSER_SESSIONS).bind(&world.pool);
        let insert = insert.bind(back.iter().map(|(back, ..)| back.session.as_str()).collect::<Vec<_>>());
        let insert = insert.bind(column(|back| &back.cookie));
        let insert = insert.bind(back.iter().map(|(_, user, _)| user.as_str()).collect::<Vec<_>>()).bind(&at);
        let insert = insert.bind(FACTS).bind(SESSION_MS).bind(CLIENT_ADDRESS);
        insert.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    *kept = Some(connection);
    Ok(users)
}
