//! Answered logins survive a crash: a child process that logs people in is killed again and again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use hufu_app::login::Login;
use hufu_store::{SchemaState, Store};
use hufu_testkit::on_both_engines;
use hufu_testkit::raw;

use crate::support::{APP, Variant as _, log_in, login, migrated, open, openid, random_hash, unionid};

/// Set in the child process, to the URL of the database.
const CHILD: &str = "HUFU_STORE_TEST_CHILD";
/// The prefix of the lines that the child prints for answered logins.
const ANSWERED: &str = "answered ";
/// How often the child is killed.
const KILLS: usize = 25;

on_both_engines! {
    async fn every_answered_login_outlives_a_kill_and_none_is_half_made(database) {
        let store = migrated(&database).await;
        store.close().await;
        let mut answered = Vec::new();
        for kill in 0..KILLS {
            let new = tokio::task::block_in_place(|| run_and_kill(&database.url(), 1 + 7 * kill));
            assert!(new.len() > 7 * kill, "the child was killed while it worked");
            answered.extend(new);

            let store = open(&database).await;
            assert_eq!(store.schema_state().await.unwrap(), SchemaState::Current);
            store.close().await;
            let stored = raw::texts(
                &database,
                "SELECT u.id, s.id FROM users u JOIN sessions s ON s.pool_id = u.pool_id AND s.user_id = u.id",
            )
            .await;
            let stored: std::collections::HashSet<(&str, &str)> =
                stored.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
            for login in &answered {
                assert!(stored.contains(&login.split_once(' ').unwrap()), "an answered login is lost");
            }
            for (what, half_made) in HALF_MADE {
                assert_eq!(raw::number(&database, half_made).await, 0, "{what}");
            }
        }
    }
}

/// Every login of the child writes one user, two identities, a session, a refresh token and the record of a
/// code.
const HALF_MADE: [(&str, &str); 5] = [
    (
        "users without both identities",
        "SELECT COUNT(*) FROM users u
         WHERE 2 <> (SELECT COUNT(*) FROM identities i WHERE i.pool_id = u.pool_id AND i.user_id = u.id)",
    ),
    (
        "users without a session",
        "SELECT COUNT(*) FROM users u
         WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.pool_id = u.pool_id AND s.user_id = u.id)",
    ),
    (
        "sessions without a user",
        "SELECT COUNT(*) FROM sessions s
         WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.pool_id = s.pool_id AND u.id = s.user_id)",
    ),
    (
        "sessions without a refresh token",
        "SELECT COUNT(*) FROM sessions s
         WHERE NOT EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.pool_id = s.pool_id AND t.session_id = s.id)",
    ),
    (
        "sessions without the record of the code",
        "SELECT COUNT(*) FROM sessions s
         WHERE NOT EXISTS (SELECT 1 FROM exchanges e WHERE e.pool_id = s.pool_id AND e.session_id = s.id)",
    ),
];

/// Runs the child until it has answered `enough` logins, then kills it with SIGKILL. Returns all that it
/// answered.
fn run_and_kill(url: &str, enough: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["durability::in_a_child_people_log_in_until_it_is_killed", "--exact", "--nocapture"])
        .env(CHILD, url)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answered = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The test runner may print something before it. The kill may have cut off the last line.
        let Some(login) = line.split_once(ANSWERED).and_then(|(_, login)| login.strip_suffix('.')) else {
            continue;
        };
        answered.push(login.to_owned());
        if answered.len() == enough {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    answered
}

/// The child's part of the test above. On its own, it checks that the child's logins succeed.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_child_people_log_in_until_it_is_killed() {
    let Ok(url) = std::env::var(CHILD) else {
        let database = hufu_testkit::TestDatabase::sqlite();
        let store = migrated(&database).await;
        log_in(&store, whole_login(0)).await;
        for (what, half_made) in HALF_MADE {
            assert_eq!(raw::number(&database, half_made).await, 0, "{what}");
        }
        return;
    };
    let store = Store::open(&url.parse().unwrap()).await.unwrap();
    let people = AtomicU32::new(0);
    let clients = (0..16).map(|_| async {
        loop {
            let done = log_in(&store, whole_login(people.fetch_add(1, Ordering::SeqCst))).await;
            let line = format!("{ANSWERED}{} {}.\n", done.user.id, done.session);
            let mut out = std::io::stdout().lock();
            out.write_all(line.as_bytes()).unwrap();
            out.flush().unwrap();
        }
    });
    futures::future::join_all::<_>(clients.collect::<Vec<_>>()).await.into_iter().for_each(drop::<()>);
}

fn whole_login(person: u32) -> Login {
    let name = format!("{}-{person}", std::process::id());
    let login = login(openid(APP, &format!("o{name}")), Some(unionid(&format!("u{name}"))));
    Login { exchange: Some((random_hash(), b"sealed".to_vec())), ..login.with_refresh_token(random_hash()) }
}
