//! The list pages of `/admin/v1` with many pools: how long one page takes, one request after the other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::pools::Pools;
use crate::machine::median;

/// Pages of each list.
const PAGES: usize = 100;

/// The figures of one list.
pub(crate) struct ListFigures {
    pub(crate) name: &'static str,
    pub(crate) median: Duration,
    pub(crate) longest: Duration,
}

/// Reads pages of each list as an owner does.
pub(super) async fn measure(address: SocketAddr, key: &str, pools: Pools) -> Result<Vec<ListFigures>> {
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    let get = async |path: &str| -> Result<(Value, Duration)> {
        let begin = Instant::now();
        let answer = http.get(format!("http://{address}{path}")).bearer_auth(key).send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        let time = begin.elapsed();
        ensure!(status.is_success(), "{path}: {status}: {body}");
        Ok((serde_json::from_str(&body)?, time))
    };
    let mut figures = Vec::new();
    let mut add = |name, mut times: Vec<Duration>| {
        let median = median(&mut times);
        figures.push(ListFigures { name, median, longest: times.last().copied().unwrap_or_default() });
    };

    // One page after the other, so that late ones are among them.
    let (mut times, mut cursor) = (Vec::new(), String::new());
    for _ in 0..PAGES {
        let (page, time) = get(&format!("/admin/v1/pools?limit=100{cursor}")).await?;
        times.push(time);
        cursor = page
            .get("next")
            .and_then(Value::as_str)
            .map_or_else(String::new, |next| format!("&cursor={next}"));
    }
    add("pools, 100 a page", times);

    let mut times = Vec::new();
    for number in 0..PAGES {
        let (page, time) =
            get(&format!("/admin/v1/pools?limit=20&q=pool%20{}", number * 97 % pools.0.max(1))).await?;
        let found = page.get("pools").and_then(Value::as_array).context("no list of pools")?;
        ensure!(!found.is_empty(), "no pool is found by its name");
        times.push(time);
    }
    add("pools by name", times);

    for (name, list) in [
        ("applications of a pool", "applications"),
        ("connections of a pool", "connections"),
        ("scopes of a pool", "scopes"),
    ] {
        let mut times = Vec::new();
        for number in 0..PAGES {
            let pool = pools.id(number * 7_919)?;
            times.push(get(&format!("/admin/v1/pools/{pool}/{list}")).await?.1);
        }
        add(name, times);
    }
    Ok(figures)
}
