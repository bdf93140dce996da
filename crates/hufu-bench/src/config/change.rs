//! Changes of the configuration: a connection is renamed, and each node serves the new name once it has
//! loaded the change.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use hufu_store::{Store, StoreError, Tx, Write, config, versions};
use hufu_types::{Clock as _, PoolId, SystemClock, Timestamp};

use super::pools::Pools;
use crate::database::Database;

/// How often a node is asked for the name.
const ASK_EVERY: Duration = Duration::from_millis(2);
/// The run fails if a change takes longer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Makes changes, each in a different pool.
pub(super) struct Changes {
    store: Store,
    pools: Pools,
    series: usize,
    made: usize,
}

impl Changes {
    /// Names contain `series`, which tells the changes of several such values apart.
    pub(super) async fn open(database: &Database<'_>, pools: Pools, series: usize) -> Result<Changes> {
        Changes::at(&database.url(), pools, series).await
    }

    async fn at(url: &str, pools: Pools, series: usize) -> Result<Changes> {
        Ok(Changes { store: Store::open(&url.parse()?).await?, pools, series, made: 0 })
    }

    /// Makes a change. Returns the application whose configuration shows it, and the new name.
    pub(super) async fn make(&mut self) -> Result<(String, String)> {
        // Pools that follow each other in the file are not changed one after the other.
        let place = (self.made + self.series * 1_000) * 7_919;
        let name = format!("Change {}-{}", self.series, self.made);
        self.made += 1;
        let unit = Rename { pool: self.pools.id(place)?, name: name.clone(), now: SystemClock.now() };
        ensure!(self.store.write(unit).await?, "the pool has no connection");
        Ok((self.pools.application(place), name))
    }

    pub(super) async fn close(self) {
        self.store.close().await;
    }
}

/// Renames a pool's first connection, with the same writes as the product's own operation.
struct Rename {
    pool: PoolId,
    name: String,
    now: Timestamp,
}

impl Write for Rename {
    /// Whether there was a connection to rename.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        versions::lock_configuration(tx).await?;
        let connections = config::read_pool(tx, &self.pool).await?.connections;
        let first = connections.into_iter().find(|connection| connection.identifier.as_str() == "mini-0");
        let Some(mut connection) = first else { return Ok(false) };
        connection.display_name.clone_from(&self.name);
        config::update_connection(tx, &connection, self.now).await?;
        versions::pools_changed(tx, [&self.pool]).await?;
        Ok(true)
    }
}

/// Asks a node for its current configuration.
pub(super) struct Probe {
    http: reqwest::Client,
    url: String,
}

impl Probe {
    pub(super) fn new(address: SocketAddr) -> Result<Probe> {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
        Ok(Probe { http, url: format!("http://{address}/api/v3/get-application-enabled-extidps") })
    }

    /// Asks until the node returns this name. Returns the time from `since` until then.
    pub(super) async fn until(&self, application: &str, name: &str, since: Instant) -> Result<Duration> {
        while since.elapsed() < TIMEOUT {
            let answer = self.http.get(&self.url).header("x-authing-app-id", application).send().await?;
            let (status, body) = (answer.status(), answer.text().await?);
            ensure!(status.is_success(), "a node answered {status}: {body}");
            if body.contains(&format!("\"{name}\"")) {
                return Ok(since.elapsed());
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        bail!("a change is not in effect after {} s", TIMEOUT.as_secs())
    }
}

/// Makes changes continuously, on a separate thread.
pub(super) struct BackgroundChanges {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Result<u32>>,
}

impl BackgroundChanges {
    pub(super) fn begin(url: String, pools: Pools, series: usize, rate: f64) -> BackgroundChanges {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut changes = Changes::at(&url, pools, series).await?;
                let mut due = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
                let mut made = 0;
                while !seen.load(Ordering::Relaxed) {
                    due.tick().await;
                    changes.make().await.context("a change that goes on")?;
                    made += 1;
                }
                changes.close().await;
                Ok(made)
            })
        });
        BackgroundChanges { over, thread }
    }

    /// Stops the changes. Returns how many were made.
    pub(super) fn stop(self) -> Result<u32> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the thread of changes panicked"))?
    }
}
