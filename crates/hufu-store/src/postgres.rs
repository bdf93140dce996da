//! PostgreSQL: every unit is a separate transaction, run again after a lost race.

use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool, Postgres as PostgresEngine};
use tokio::sync::Semaphore;

use crate::unit::Unit;
use crate::{StoreError, Tx};

/// The maximum number of database connections.
const MAX_CONNECTIONS: u32 = 32;
/// How many units may wait for a connection before new ones are rejected.
const MAX_WAITING: usize = 4096;
/// How long a unit waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many times a unit is run if it keeps losing races.
const MAX_ATTEMPTS: u32 = 8;

#[derive(Clone)]
pub(crate) struct Postgres {
    pool: PgPool,
    waiting: Arc<Semaphore>,
}

impl Postgres {
    pub(crate) async fn open(options: PgConnectOptions) -> Result<Self, StoreError> {
        let options = options.application_name("hufu").statement_cache_capacity(512);
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // A dead connection is noticed at its first statement; a ping before each unit would cost a round
            // trip.
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await;
        let pool = match pool {
            // The pool has tried again and again, and does not tell why it failed.
            Err(sqlx::Error::PoolTimedOut) => return Err(why_unreachable(&options).await),
            pool => pool?,
        };
        Ok(Self { pool, waiting: Arc::new(Semaphore::new(MAX_WAITING)) })
    }

    async fn acquire(&self) -> Result<PoolConnection<PostgresEngine>, StoreError> {
        let _place = self.waiting.try_acquire().map_err(|_| StoreError::Overloaded)?;
        self.pool.acquire().await.map_err(|error| match error {
            sqlx::Error::PoolClosed => StoreError::Stopped,
            error => StoreError::Postgres(error),
        })
    }

    /// Runs the unit on a task of its own, so that it runs to its end even if its caller is gone.
    pub(crate) async fn write(&self, unit: Arc<dyn Unit>) -> Result<(), StoreError> {
        let store = self.clone();
        let task = tokio::spawn(async move { store.write_until_won(&*unit).await });
        let ended = task.await;
        ended.map_err(|error| if error.is_panic() { StoreError::Panicked } else { StoreError::Stopped })?
    }

    async fn write_until_won(&self, unit: &dyn Unit) -> Result<(), StoreError> {
        let mut attempt = 1;
        loop {
            match self.write_once(unit).await {
                Err(error) if error.is_lost_race() && attempt < MAX_ATTEMPTS => {
                    metrics::counter!("hufu_store_retries_total").increment(1);
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn write_once(&self, unit: &dyn Unit) -> Result<(), StoreError> {
        let mut connection = self.acquire().await?;
        let mut transaction = connection.begin().await?;
        let result = unit.run(&mut Tx::Postgres(&mut transaction)).await;
        match result {
            Ok(()) => transaction.commit().await.map_err(StoreError::Postgres),
            Err(error) => {
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    }

    pub(crate) async fn read(&self, unit: &dyn Unit) -> Result<(), StoreError> {
        let mut connection = self.acquire().await?;
        unit.run(&mut Tx::Postgres(&mut connection)).await
    }

    pub(crate) async fn close(self) {
        self.pool.close().await;
    }
}

/// Why no connection could be made in time.
async fn why_unreachable(options: &PgConnectOptions) -> StoreError {
    let source = match tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect()).await {
        Ok(Ok(_)) => return StoreError::Postgres(sqlx::Error::PoolTimedOut),
        Ok(Err(sqlx::Error::Io(source))) => source,
        Ok(Err(error)) => return StoreError::Postgres(error),
        Err(_) => std::io::ErrorKind::TimedOut.into(),
    };
    let address = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    StoreError::Unreachable { address, source }
}
