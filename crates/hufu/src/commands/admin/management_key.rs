//! The management key of a pool.

use anyhow::{Context as _, bail};
use hufu_app::administration::{AdminCaller, ManagementKeyRequest, PageRequest};
use hufu_types::refusal::Code;
use hufu_types::{AccessKeyId, PoolId};
use secrecy::ExposeSecret as _;

use super::{moment, of_pool, read_role, start};
use crate::config::Config;
use crate::output::say;

pub(super) async fn create(
    pool: &str,
    role: &str,
    expires: Option<&str>,
    ends_present: bool,
    config: &Config,
) -> anyhow::Result<()> {
    let pool = PoolId::parse(pool).context("--pool")?;
    let expires_at = expires.map(moment).transpose()?;
    let request = ManagementKeyRequest { role: read_role(role)?, expires_at, ends_present };
    let (app, store) = start(config).await?;
    let made = app.create_management_key(&AdminCaller::command_line(), &pool, request).await;
    drop(app);
    store.close().await;
    let (_, secret) = made.map_err(|refusal| of_pool(&refusal, &pool))?;
    say!("{}", secret.expose_secret());
    Ok(())
}

pub(super) async fn list(pool: &str, config: &Config) -> anyhow::Result<()> {
    let pool = PoolId::parse(pool).context("--pool")?;
    let (app, store) = start(config).await?;
    // There are two at most.
    let keys = app.management_keys(&AdminCaller::command_line(), &pool, &PageRequest::default()).await;
    drop(app);
    store.close().await;
    for key in keys.map_err(|refusal| of_pool(&refusal, &pool))?.rows {
        let by = key.created_by.map_or_else(|| "the command line".to_owned(), String::from);
        say!("{}  {:8}  expires {}  made by {by}", key.id, key.role.as_str(), key.expires_at.to_iso());
    }
    Ok(())
}

pub(super) async fn end(pool: &str, key: &str, config: &Config) -> anyhow::Result<()> {
    let pool = PoolId::parse(pool).context("--pool")?;
    let id = AccessKeyId::parse(key).context("--key")?;
    let (app, store) = start(config).await?;
    let ended = app.end_management_key(&AdminCaller::command_line(), &pool, &id).await;
    drop(app);
    store.close().await;
    match ended {
        Ok(()) => say!("{id} is ended."),
        Err(refusal) if refusal.is(Code::NoSuchManagementKey) => {
            bail!("the pool {pool} has no management key {id}")
        }
        Err(refusal) => return Err(of_pool(&refusal, &pool)),
    }
    Ok(())
}
