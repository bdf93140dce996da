//! The floor: the minimum cost of a login for any server of this kind, and of a callback of a website ([`callback`]).
//!
//! It is a bare axum handler. It makes the same outbound call with the same settings of the same library,
//! signs one token of the same size with a cached key, and commits the same rows through the same engine
//! library: on SQLite one writer thread with group commit, on PostgreSQL groups of logins with one reading and one
//! writing statement over arrays. It has
//! nothing else: no configuration, limits, logs, metrics, savepoints or encryption, and no profile in the
//! response.

#![expect(clippy::disallowed_types, reason = "the floor has no limits: it shows what they cost")]

mod callback;
mod postgres;
mod sql;
mod sqlite;
mod token;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_lc_rs::digest;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use clap::Args;
use hufu_types::{Clock as _, SessionId, SystemClock, SystemRandom, Timestamp, UserId};
use reqwest::{redirect, retry};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::sandbox::announce;
use crate::world::World;
use callback::Back;
use token::Signer;

/// The lifetime of a session in milliseconds: the server's default, 90 days.
const SESSION_MS: i64 = 90 * 86_400_000;

#[derive(Args)]
pub(crate) struct Options {
    /// The URL of a migrated database: `sqlite://FILE` or `postgres://…`.
    #[arg(long)]
    database: String,
    /// Base URL of WeChat's API.
    #[arg(long)]
    api_base: String,
    #[command(flatten)]
    world: World,
}

/// The data that a login commits.
struct Login {
    openid: String,
    unionid: String,
    /// The id of the user if one must be created.
    candidate: UserId,
    session: SessionId,
    /// The hash of the code, which is the key of its record, and the sealed record.
    code_hash: [u8; 32],
    sealed: Vec<u8>,
    now: i64,
    /// The ids of the audit log's entries begin with this.
    event: String,
    /// An id of the same length as the server's request ids.
    request: String,
    /// For a browser that comes back from WeChat.
    back: Option<Back>,
}

/// Whom WeChat says a code belongs to.
struct Person {
    openid: String,
    unionid: String,
    session_key: String,
}

/// The details of the audit log's entries, as the server writes them.
const CREATED: &str = r#"{"by":"wechat:miniprogram:default"}"#;
const LOGGED_IN: &str = r#"{"by":"wechat:miniprogram:default","session":""#;

/// Values that all rows have in common.
struct Fixed {
    world: World,
    openid_realm: String,
    unionid_realm: String,
}

enum Database {
    Sqlite(sqlite::Writer),
    Postgres(postgres::Logins),
}

struct Floor {
    http: reqwest::Client,
    api_base: String,
    exchange_url: String,
    signer: Signer,
    database: Database,
    fixed: Arc<Fixed>,
}

pub(crate) fn serve(options: Options) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let floor = Floor::new(options, &format!("http://{}/oidc", listener.local_addr()?)).await?;
        announce(&listener)?;
        let router = Router::new()
            .route("/healthz", get(|| async {}))
            .route("/connections/social/wechat-miniprogram/auth", post(log_in))
            .route("/connection/social/{identifier}/{pool}/callback", get(callback::call_back))
            .with_state(Arc::new(floor));
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        axum::serve(listener, router).await?;
        Ok(())
    })
}

#[derive(Deserialize)]
struct LoginBody {
    code: String,
}

#[derive(Serialize)]
struct Envelope {
    code: u16,
    message: &'static str,
    data: LoggedIn,
}

#[derive(Serialize)]
struct LoggedIn {
    id: String,
    token: String,
}

async fn log_in(
    State(floor): State<Arc<Floor>>,
    Json(body): Json<LoginBody>,
) -> Result<Json<Envelope>, (StatusCode, String)> {
    let outcome = floor.log_in(&body.code).await;
    let data = outcome.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")))?;
    Ok(Json(Envelope { code: 200, message: "success", data }))
}

/// The response of `jscode2session`.
#[derive(Deserialize)]
struct Exchanged {
    openid: Option<String>,
    unionid: Option<String>,
    session_key: Option<String>,
    errmsg: Option<String>,
}

impl Floor {
    async fn new(options: Options, issuer: &str) -> Result<Floor> {
        let Options { database, api_base, world } = options;
        let exchange_url = format!(
            "{api_base}/sns/jscode2session?appid={}&secret={}&grant_type=authorization_code&js_code=",
            world.app_id, world.app_secret
        );
        let signer = Signer::new(issuer, &world)?;
        let fixed = Fixed { openid_realm: world.openid_realm(), unionid_realm: world.unionid_realm(), world };
        let fixed = Arc::new(fixed);
        let database = match database.strip_prefix("sqlite://") {
            Some(file) => Database::Sqlite(sqlite::Writer::open(file, Arc::clone(&fixed))?),
            None => Database::Postgres(postgres::Logins::open(&database, Arc::clone(&fixed)).await?),
        };
        // The same settings as hufu-wechat's client.
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(1))
            .pool_max_idle_per_host(256)
            .pool_idle_timeout(Duration::from_secs(20))
            .tcp_nodelay(true)
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .tls_certs_only([])
            .build()?;
        Ok(Floor { http, api_base, exchange_url, signer, database, fixed })
    }

    async fn log_in(&self, code: &str) -> Result<LoggedIn> {
        let answer = self.http.get(format!("{}{code}", self.exchange_url)).send().await?.bytes().await?;
        let exchanged: Exchanged = serde_json::from_slice(&answer)?;
        let refused = || format!("WeChat refused: {}", exchanged.errmsg.as_deref().unwrap_or_default());
        let openid = exchanged.openid.clone().with_context(refused)?;
        let unionid = exchanged.unionid.clone().context("no unionid")?;
        let session_key = exchanged.session_key.clone().context("no session key")?;

        self.finish(Person { openid, unionid, session_key }, code, None).await
    }

    /// Commits the login of a person, and signs the token.
    async fn finish(
        &self,
        person: Person,
        code: &str,
        back: Option<&(dyn Fn(Timestamp) -> Back + Sync)>,
    ) -> Result<LoggedIn> {
        let Person { openid, unionid, session_key } = person;
        let now = SystemClock.now();
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(self.fixed.world.connection.as_bytes());
        hash.update(code.as_bytes());
        let mut code_hash = [0; 32];
        code_hash.copy_from_slice(hash.finish().as_ref());
        let login = Login {
            sealed: record(&openid, &unionid, &session_key),
            openid,
            unionid,
            candidate: UserId::generate(now, &SystemRandom),
            session: SessionId::generate(now, &SystemRandom),
            code_hash,
            now: now.0,
            event: SessionId::generate(now, &SystemRandom).as_str().chars().skip(1).collect(),
            request: SessionId::generate(now, &SystemRandom).as_str().to_owned(),
            back: back.map(|back| back(now)),
        };
        let session = login.session.clone();
        let id = match &self.database {
            Database::Sqlite(writer) => writer.log_in(login).await?,
            Database::Postgres(logins) => logins.log_in(login).await?,
        };
        let token = self.signer.sign(&id, session.as_str(), now.0 / 1000)?;
        Ok(LoggedIn { id, token })
    }
}

/// A record of the same length as the server's sealed record of an exchange: version, key id, nonce and tag
/// take 37 bytes.
fn record(openid: &str, unionid: &str, session_key: &str) -> Vec<u8> {
    let plain = format!(r#"{{"openid":"{openid}","unionid":"{unionid}","session_key":"{session_key}"}}"#);
    let mut record = plain.into_bytes();
    record.extend_from_slice(&[7; 37]);
    record
}
