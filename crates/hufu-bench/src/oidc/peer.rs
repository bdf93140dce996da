//! The npm package `oidc-provider` in a process of its own, for comparison.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;

use super::world::{CLIENT, Client, REDIRECT, SCOPE, SECRET};
use crate::load::{Figures, Load, Watched};
use crate::process::Process;
use crate::requests::{Order, Template};
use crate::run::whole;

/// The program that serves it.
const SCRIPT: &str = include_str!("peer.mjs");
/// Codes that are made at most, all of which it keeps in memory.
const MOST_CODES: usize = 100_000;

/// Its figures.
pub(super) struct Peer {
    pub(super) version: String,
    pub(super) discovery: Figures,
    pub(super) own_token: Figures,
    pub(super) exchange: Figures,
    pub(super) refresh: Figures,
}

/// Why there is nothing to compare with.
pub(super) enum Missing {
    /// No folder was named.
    NotAsked,
    /// The package is not in this folder.
    NotThere(PathBuf),
    /// Node.js is not there.
    NoNode(String),
}

/// The version of the package in this folder, if it and Node.js are there.
pub(super) fn version(node: &str, modules: Option<&Path>) -> Result<String, Missing> {
    let modules = modules.ok_or(Missing::NotAsked)?;
    let package = std::fs::read_to_string(modules.join("oidc-provider/package.json"));
    let package = package.map_err(|_| Missing::NotThere(modules.to_owned()))?;
    let package: serde_json::Value = serde_json::from_str(&package).unwrap_or_default();
    let version = package.get("version").and_then(serde_json::Value::as_str).unwrap_or("unknown");
    let ran = Command::new(node).arg("--version").output();
    let ran = ran.map_err(|error| Missing::NoNode(format!("{node}: {error}")))?;
    Ok(format!("{version} on Node.js {}", String::from_utf8_lossy(&ran.stdout).trim()))
}

/// Measures it.
pub(super) fn measure(
    load: &Load<'_>,
    runtime: &Runtime,
    node: &str,
    modules: &Path,
    version: String,
) -> Result<Peer> {
    let script = load.folder.join("peer.mjs");
    std::fs::write(&script, SCRIPT)?;
    let modules = modules.canonicalize()?;
    let mut command = Command::new(node);
    command.arg(&script).arg(&modules).args([CLIENT, SECRET, REDIRECT, SCOPE]).env("NODE_ENV", "production");
    let mut process = Process::start("oidc-provider", &mut command)?;
    let target = process.address()?.to_string();
    let watched = Watched { target: target.clone(), program: process.id(), database: None };
    let client = Client { token_path: "/token" };
    let nothing = [String::new()];

    let discovery = Template::get("/.well-known/openid-configuration").answered(200, "\"token_endpoint\"");
    let discovery = load.measure(&watched, &discovery, &nothing, Order::Repeat)?;
    let own_token = load.measure(&watched, &client.own_token(), &nothing, Order::Repeat)?;
    // An exchange costs more than a token of the client alone, so these do not run out.
    let wanted = whole(own_token.rate() * load.seconds * 1.2).min(MOST_CODES).max(load.connections * 3);
    let codes = runtime.block_on(codes(&target, wanted))?;
    ensure!(codes.len() == wanted, "oidc-provider made {} codes in place of {wanted}", codes.len());
    let exchange = load.measure(&watched, &client.exchange(), &codes, Order::Once)?;
    let refresh = load.measure(&watched, &client.refresh(), &exchange.kept, Order::Chain)?;
    Ok(Peer { version, discovery, own_token, exchange, refresh })
}

async fn codes(target: &str, count: usize) -> Result<Vec<String>> {
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    let made = http.get(format!("http://{target}/codes?count={count}")).send().await?.error_for_status()?;
    Ok(made.text().await?.lines().map(str::to_owned).collect())
}
