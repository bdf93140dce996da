//! Searches for users through `/admin/v1`, one after the other, in a small pool and in a full one.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hufu_types::{Clock as _, SystemClock};
use serde::Deserialize;
use serde_json::Value;

use super::Bench;
use crate::database::{Database, people};
use crate::machine::median;
use crate::server::Server;

/// How many users are stored for the searches if there are none. An empty pool would have no results.
const MIN_USERS: usize = 1_000;
/// The most searches of each kind.
const SEARCHES: usize = 200;
/// The longest time that one kind is measured.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A kind of search.
struct Kind {
    /// The name of the figure.
    name: &'static str,
    /// The value of `match`.
    matching: &'static str,
    /// The search text, made from a user's phone number.
    search_text: fn(&str) -> &str,
}

impl Kind {
    const fn new(name: &'static str, matching: &'static str, search_text: fn(&str) -> &str) -> Kind {
        Kind { name, matching, search_text }
    }
}

/// A third of the users have a phone number. A common search text matches all of these, a rare one about 33.
const KINDS: [Kind; 6] = [
    Kind::new("exact number, ms", "exact", |phone| phone),
    Kind::new("rare beginning, ms", "prefix", |phone| phone.get(..phone.len() - 2).unwrap_or(phone)),
    Kind::new("common beginning, ms", "prefix", |_| "1"),
    Kind::new("last 7 digits, ms", "substring", |phone| phone.get(phone.len() - 7..).unwrap_or(phone)),
    Kind::new("common digits inside, ms", "substring", |_| "861"),
    Kind::new("newest users, ms", "prefix", |_| ""),
];

/// The result of the searches of one kind.
pub(crate) struct Searched {
    pub(crate) name: &'static str,
    pub(crate) median: Duration,
    pub(crate) longest: Duration,
}

/// How many users are searched.
pub(super) const fn stored(users: usize) -> usize {
    if users == 0 { MIN_USERS } else { users }
}

impl Bench<'_> {
    /// Starts the server and searches.
    pub(super) fn search(
        &self,
        server: &Server,
        database: &Database<'_>,
        users: usize,
    ) -> Result<Vec<Searched>> {
        let known = if users == 0 {
            self.runtime.block_on(database.fill(&self.world, MIN_USERS, &[]))?;
            &[]
        } else {
            self.returning.as_slice()
        };
        let all = people::stored(stored(users), known, SystemClock.now());
        // A third of the users have a number.
        let apart = (stored(users) / 3 / SEARCHES).max(1);
        let phones: Vec<String> = all.filter_map(|user| user.phone).step_by(apart).take(SEARCHES).collect();
        ensure!(!phones.is_empty(), "there are too few users to search");

        let key = server.access_key("support")?;
        let (process, address) = server.start()?;
        let base = format!("http://{address}/admin/v1/pools/{}/users", self.world.pool);
        let searched = self.runtime.block_on(async {
            let client =
                Client { http: reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?, key };
            let mut searched = Vec::new();
            for Kind { name, matching, search_text } in KINDS {
                let (mut times, begin) = (Vec::new(), Instant::now());
                for phone in &phones {
                    let text = search_text(phone).replace('+', "%2B");
                    let url = format!("{base}?match={matching}&q={text}");
                    times.push(client.search(&url).await.with_context(|| name.to_owned())?);
                    if begin.elapsed() > TIMEOUT {
                        break;
                    }
                }
                let median = median(&mut times);
                searched.push(Searched { name, median, longest: times.last().copied().unwrap_or_default() });
            }
            Ok::<_, anyhow::Error>(searched)
        })?;
        process.terminate()?;
        Ok(searched)
    }
}

struct Client {
    http: reqwest::Client,
    key: String,
}

impl Client {
    /// Sends one search over the kept-alive connection and reads the whole response. It must contain a user.
    async fn search(&self, url: &str) -> Result<Duration> {
        #[derive(Deserialize)]
        struct Found {
            users: Vec<Value>,
        }
        let begin = Instant::now();
        let answer =
            self.http.get(url).header("authorization", format!("Bearer {}", self.key)).send().await?;
        let (status, body) = (answer.status(), answer.bytes().await?);
        let time = begin.elapsed();
        ensure!(status.is_success(), "a search returned {status}");
        let found: Found = serde_json::from_slice(&body)?;
        ensure!(!found.users.is_empty(), "a search found nobody");
        Ok(time)
    }
}
