//! Confirmed logins survive the process. The server is killed under load again and again, and comes back with
//! every confirmed login and no partial one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use hufu_sandbox::NewUser;
use hufu_store::{Read, Store, StoreError, Tx};
use hufu_testkit::on_both_engines;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::support::{Answer, Client, Instance, Server, TIMEOUT, claims};

/// How often the server is killed.
const KILLS: u64 = 12;
/// Connections that log in concurrently.
const CONNECTIONS: usize = 16;
/// People who log in again. As many other logins are by new people.
const PEOPLE: u64 = 12;
/// The minimum number of confirmed logins before a kill, chosen at random in this range.
const ANSWERS: (u64, u64) = (1, 160);
/// How many unconfirmed logins are sent again after a kill. Even if all of them are refused, this is below
/// the limit per address and minute.
const TRIED_AGAIN: usize = 8;
/// How much longer the load continues at most, in microseconds.
const MOMENT: u64 = 10_000;

on_both_engines! {
    async fn every_answered_login_outlives_a_kill_and_none_is_half_made(database) {
        let instance = Arc::new(Instance::ready(database).await);
        for person in 0..PEOPLE {
            let person = NewUser { name: Some(name_of(person)), ..NewUser::default() };
            instance.sandbox.add_user(person).unwrap();
        }
        let mut users = HashMap::new();
        let mut all = Vec::new();
        let mut lost = Vec::new();
        for kill in 0..=KILLS {
            let mut server = instance.serve().await;
            // The responses of the killed server count. Logins without a response are retried with the same
            // code.
            let again = try_again(&instance, &server.client, std::mem::take(&mut lost)).await;
            all.extend(again);
            check(&server.client, &all).await;
            for login in &all {
                let Some(person) = &login.attempt.person else { continue };
                let first = users.entry(person.clone()).or_insert_with(|| login.user.clone());
                assert_eq!(*first, login.user, "one person has one account");
            }
            assert_whole(&instance, &all).await;
            if kill < KILLS {
                let mut dice = Dice(kill);
                let enough = ANSWERS.0 + dice.below(ANSWERS.1 - ANSWERS.0 + 1);
                let moment = Duration::from_micros(dice.below(MOMENT));
                let (answered, unanswered) = load_until_killed(&instance, &mut server, dice, enough, moment).await;
                assert!(answered.len() >= usize::try_from(enough).unwrap());
                all.extend(answered);
                lost = unanswered;
                lost.truncate(TRIED_AGAIN);
            } else {
                assert_eq!(server.stop().await.code, Some(0));
            }
        }
        assert_whole(&instance, &all).await;
    }
}

fn name_of(person: u64) -> String {
    format!("person-{person}")
}

/// Numbers that depend only on a seed (SplitMix64).
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A login that was sent.
#[derive(Clone, Debug)]
struct Attempt {
    /// Whether it uses the v3 API.
    v3: bool,
    /// Who logs in; absent for a new person.
    person: Option<String>,
    code: String,
}

/// A confirmed login.
struct Answered {
    attempt: Attempt,
    token: String,
    refresh_token: Option<String>,
    user: String,
    session: String,
    /// Whether its tokens were checked after the kill.
    checked: AtomicBool,
}

impl Attempt {
    fn draw(instance: &Instance, dice: &mut Dice) -> Self {
        let person = (dice.below(2) == 0).then(|| name_of(dice.below(PEOPLE)));
        Self { v3: dice.below(2) == 0, code: instance.code(person.as_deref()), person }
    }

    async fn send(&self, client: &Client) -> reqwest::Result<Answer> {
        if self.v3 { client.try_log_in_v3(&self.code).await } else { client.try_log_in(&self.code).await }
    }

    #[track_caller]
    fn answered(self, answer: &Answer) -> Answered {
        let token = answer.token();
        let claims = claims(&token);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Answered {
            refresh_token: self.v3.then(|| text(&answer.data()["refresh_token"])),
            user: text(&claims["sub"]),
            session: text(&claims["sid"]),
            checked: AtomicBool::new(false),
            attempt: self,
            token,
        }
    }
}

/// Logs people in until enough logins are confirmed and the chosen time has come, then kills the server.
/// Returns the confirmed and the unconfirmed logins.
async fn load_until_killed(
    instance: &Arc<Instance>,
    server: &mut Server,
    mut dice: Dice,
    enough: u64,
    moment: Duration,
) -> (Vec<Answered>, Vec<Attempt>) {
    let killed = Arc::new(AtomicBool::new(false));
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        // Each client has its own connection, since it never sends two requests at once.
        let mut dice = Dice(dice.below(u64::MAX));
        let client = Client::of(&format!("http://{}", server.address));
        let (instance, killed, tell) = (instance.clone(), killed.clone(), tell.clone());
        connections.spawn(async move {
            loop {
                let attempt = Attempt::draw(&instance, &mut dice);
                match attempt.send(&client).await {
                    Ok(answer) => tell.send(attempt.answered(&answer)).unwrap(),
                    Err(_) if killed.load(Ordering::SeqCst) => return attempt,
                    Err(error) => panic!("the server failed before it was killed: {error:?}"),
                }
            }
        });
    }
    drop(tell);
    let mut answered = Vec::new();
    for _ in 0..enough {
        let login = tokio::time::timeout(TIMEOUT, told.recv()).await;
        answered.push(login.expect("a login in time").expect("somebody who logs in"));
    }
    // This sleep does not wait for anything. It chooses the moment of the kill.
    tokio::time::sleep(moment).await;
    killed.store(true, Ordering::SeqCst);
    server.process.kill();
    let unanswered = connections.join_all().await;
    while let Some(login) = told.recv().await {
        answered.push(login);
    }
    (answered, unanswered)
}

/// Sends the unconfirmed logins again. Either the code still gives the same login, or it is consumed and
/// another code is used.
async fn try_again(instance: &Instance, client: &Client, lost: Vec<Attempt>) -> Vec<Answered> {
    let again = lost.into_iter().map(|attempt| async move {
        let answer = attempt.send(client).await.unwrap();
        if answer.code() == 200 {
            return attempt.answered(&answer);
        }
        assert_eq!(answer.code(), 2206, "{answer:?}");
        let attempt = Attempt { code: instance.code(attempt.person.as_deref()), ..attempt };
        let answer = attempt.send(client).await.unwrap();
        attempt.answered(&answer)
    });
    stream::iter(again).buffer_unordered(CONNECTIONS).collect().await
}

/// Asserts that the tokens of every login work. Skips logins that were checked before.
async fn check(client: &Client, logins: &[Answered]) {
    let checks =
        logins.iter().filter(|login| !login.checked.swap(true, Ordering::SeqCst)).map(|login| async {
            if let Some(refresh_token) = &login.refresh_token {
                let profile = client.profile(&login.token).await.data();
                assert_eq!(profile["userId"].as_str(), Some(login.user.as_str()));
                let refreshed = client.refresh(refresh_token).await;
                assert!(refreshed.json()["access_token"].is_string(), "{refreshed:?}");
            } else {
                assert!(client.is_logged_in(&login.token).await, "an answered login is lost");
            }
        });
    stream::iter(checks).buffer_unordered(CONNECTIONS).collect::<Vec<()>>().await;
}

/// Queries that count partial rows, which complete logins never leave behind.
const HALF_MADE: [(&str, &str); 9] = [
    (
        "users without both identities",
        "SELECT COUNT(*) FROM users u
         WHERE 2 <> (SELECT COUNT(*) FROM identities i WHERE i.pool_id = u.pool_id AND i.user_id = u.id)",
    ),
    (
        "identities without a user",
        "SELECT COUNT(*) FROM identities i
         WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.pool_id = i.pool_id AND u.id = i.user_id)",
    ),
    (
        "sessions without a user",
        "SELECT COUNT(*) FROM sessions s
         WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.pool_id = s.pool_id AND u.id = s.user_id)",
    ),
    (
        "users who logged in another number of times than they have sessions",
        "SELECT COUNT(*) FROM users u
         WHERE u.logins_count
            <> (SELECT COUNT(*) FROM sessions s WHERE s.pool_id = u.pool_id AND s.user_id = u.id)",
    ),
    (
        "sessions without the record of their code",
        "SELECT COUNT(*) FROM sessions s
         WHERE NOT EXISTS (SELECT 1 FROM exchanges e WHERE e.pool_id = s.pool_id AND e.session_id = s.id)",
    ),
    (
        "records of codes that name absent sessions",
        "SELECT COUNT(*) FROM exchanges e
         WHERE e.session_id IS NULL
            OR NOT EXISTS (SELECT 1 FROM sessions s WHERE s.pool_id = e.pool_id AND s.id = e.session_id)",
    ),
    (
        "records of codes that name absent users",
        "SELECT COUNT(*) FROM exchanges e
         WHERE e.user_id IS NULL
            OR NOT EXISTS (SELECT 1 FROM users u WHERE u.pool_id = e.pool_id AND u.id = e.user_id)",
    ),
    (
        "refresh tokens without a session",
        "SELECT COUNT(*) FROM refresh_tokens t
         WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.pool_id = t.pool_id AND s.id = t.session_id)",
    ),
    ("conflicts of identities", "SELECT COUNT(*) FROM identity_conflicts"),
];

/// Asserts that the database contains every confirmed login, and nothing partial.
async fn assert_whole(instance: &Instance, logins: &[Answered]) {
    let store = Store::open(&instance.database_url().parse().unwrap()).await.unwrap();
    let found = store.read(ReadState).await.unwrap();
    store.close().await;
    for login in logins {
        assert_eq!(found.sessions.get(&login.session), Some(&login.user), "an answered login is lost");
    }
    for ((what, _), count) in HALF_MADE.iter().zip(found.half_made) {
        assert_eq!(count, 0, "{what}");
    }
    if instance.engine() == "sqlite" {
        let url = instance.database_url();
        let file = rusqlite::Connection::open(url.strip_prefix("sqlite://").unwrap()).unwrap();
        let check: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
    }
}

struct Found {
    /// The user of each session.
    sessions: HashMap<String, String>,
    half_made: Vec<i64>,
}

struct ReadState;

impl Read for ReadState {
    type Out = Found;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Found, StoreError> {
        let sessions =
            tx.all("SELECT id, user_id FROM sessions", &[], |row| Ok((row.get(0)?, row.get(1)?))).await?;
        let mut half_made = Vec::new();
        for (_, sql) in HALF_MADE {
            half_made.push(tx.optional(sql, &[], |row| row.get(0)).await?.unwrap_or_default());
        }
        Ok(Found { sessions: sessions.into_iter().collect(), half_made })
    }
}
