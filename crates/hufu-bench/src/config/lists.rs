//! The list pages of `/admin/v1` with many pools: how long one page takes, one request after the other. Which lists there
//! are, the server's own OpenAPI document says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::pools::Pools;
use crate::machine::{median, percentile};
use crate::world::World;

/// Pages of each list.
const PAGES: usize = 100;
/// The list of pools.
const POOLS: &str = "/admin/v1/pools";
/// Lists that are one page.
const WHOLE: [&str; 1] = ["/admin/v1/pools/{pool}/scopes"];
/// Not pages: files.
const FILES: [&str; 1] = ["/admin/v1/pools/{pool}/audit/export"];

/// The figures of one list.
pub(crate) struct ListFigures {
    pub(crate) name: String,
    pub(crate) median: Duration,
    pub(crate) p95: Duration,
    pub(crate) longest: Duration,
}

/// Reads pages of each list as an owner does.
pub(super) async fn measure(
    address: SocketAddr,
    key: &str,
    pools: Pools,
    world: &World,
) -> Result<Vec<ListFigures>> {
    let reader = Reader {
        http: reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?,
        base: format!("http://{address}"),
        key,
    };
    let names = reader.lists().await?;
    let own = reader.own(world).await?;
    let mut figures = Vec::new();
    for name in names {
        let mut times = Vec::new();
        let mut next = None;
        for number in 0..PAGES {
            let path = match next.take() {
                Some(next) => next,
                None => at(&name, number, pools, &own)?,
            };
            let (page, time) = reader.get(&path).await?;
            times.push(time);
            // One page after the other, so that late ones are among them.
            let first = path.split("&cursor=").next().unwrap_or_default();
            next = page.get("next").and_then(Value::as_str).map(|cursor| format!("{first}&cursor={cursor}"));
        }
        figures.push(figures_of(name.trim_start_matches("/admin/v1/").to_owned(), times));
    }

    let mut times = Vec::new();
    for number in 0..PAGES {
        let place = number * 97 % pools.0.max(1);
        let (page, time) = reader.get(&format!("{POOLS}?limit=20&q=pool%20{place}")).await?;
        let found = page.get("pools").and_then(Value::as_array).context("no list of pools")?;
        ensure!(!found.is_empty(), "no pool is found by its name");
        times.push(time);
    }
    figures.push(figures_of("pools by name".to_owned(), times));
    Ok(figures)
}

fn figures_of(name: String, mut times: Vec<Duration>) -> ListFigures {
    let median = median(&mut times);
    let (p95, longest) = (percentile(&times, 95), times.last().copied().unwrap_or_default());
    ListFigures { name, median, p95, longest }
}

/// The address of the first page of a list: in turn of one of the many pools, and of the pool that people log in to. What is
/// below an object is that pool's.
fn at(name: &str, number: usize, pools: Pools, own: &BTreeMap<&str, String>) -> Result<String> {
    let is_of_pool = name.matches('{').count() == 1;
    let mut path = name.to_owned();
    if is_of_pool && number.is_multiple_of(2) {
        path = path.replace("{pool}", &pools.id(number * 7_919)?.to_string());
    }
    for (parameter, value) in own {
        path = path.replace(&format!("{{{parameter}}}"), value);
    }
    ensure!(!path.contains('{'), "{name}: nothing here has such an id; see `Reader::own`");
    Ok(path + "?limit=100")
}

struct Reader<'k> {
    http: reqwest::Client,
    base: String,
    key: &'k str,
}

impl Reader<'_> {
    async fn get(&self, path: &str) -> Result<(Value, Duration)> {
        let begin = Instant::now();
        let answer = self.http.get(format!("{}{path}", self.base)).bearer_auth(self.key).send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        let time = begin.elapsed();
        ensure!(status.is_success(), "{path}: {status}: {body}");
        Ok((serde_json::from_str(&body)?, time))
    }

    async fn make(&self, path: &str, object: &Value) -> Result<Value> {
        let request = self.http.post(format!("{}{path}", self.base)).bearer_auth(self.key);
        let request = request.header("content-type", "application/json").body(object.to_string());
        let answer = request.send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{path}: {status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    /// The paths of all lists.
    async fn lists(&self) -> Result<Vec<String>> {
        let (document, _) = self.get("/admin/v1/openapi.json").await?;
        let paths = document.get("paths").and_then(Value::as_object).context("no paths")?;
        let is_list = |path: &str, item: &Value| {
            let parameters = item.pointer("/get/parameters").and_then(Value::as_array);
            let has_pages = parameters.is_some_and(|all| {
                all.iter().any(|one| one.get("name").and_then(Value::as_str) == Some("cursor"))
            });
            (has_pages || WHOLE.contains(&path)) && !FILES.contains(&path)
        };
        let lists = paths.iter().filter(|(path, item)| is_list(path, item));
        let lists: Vec<String> = lists.map(|(path, _)| path.clone()).collect();
        ensure!(lists.iter().any(|path| path == POOLS), "the list of pools is not in the document");
        Ok(lists)
    }

    /// The ids of the pool that people log in to, by the names of parameters.
    async fn own(&self, world: &World) -> Result<BTreeMap<&'static str, String>> {
        let pool = format!("{POOLS}/{}", world.pool);
        let id = |value: &Value, pointer: &str| -> Result<String> {
            let id = value.pointer(pointer).and_then(Value::as_str);
            Ok(id.with_context(|| format!("no {pointer} in {value}"))?.to_owned())
        };
        let (users, _) = self.get(&format!("{pool}/users?limit=1")).await?;
        // It is off: nothing here is sent anywhere.
        let webhook =
            json!({ "name": "List pages", "url": "https://hooks.example.com/hufu", "enabled": false });
        let webhook = self.make(&format!("{pool}/webhooks"), &webhook).await?;
        // Only official accounts have a list of messages that are passed on.
        let account = json!({ "identifier": "list-pages", "type": "wechatmp-qrcode", "fields": {
            "appId": "wx6560c0ffee00000a", "appSecret": world.app_secret, "originalId": "gh_bench", "token": "bench",
            "encryption": "plain",
        } });
        self.make(&format!("{pool}/connections"), &account).await?;
        Ok(BTreeMap::from([
            ("pool", world.pool.clone()),
            ("application", world.application.clone()),
            ("connection", "list-pages".to_owned()),
            ("user", id(&users, "/users/0/id")?),
            ("webhook", id(&webhook, "/id")?),
        ]))
    }
}
