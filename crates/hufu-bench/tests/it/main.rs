//! Every benchmark runs to its end, in its smallest form: one that nobody runs for a month measures nothing when it is needed.

#![cfg(test)]

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use hufu_testkit::TestDatabase;

/// On a PostgreSQL server, all benchmarks have a database of the same name.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The server's program, beside the benchmark's own.
fn hufu() -> PathBuf {
    let hufu = PathBuf::from(env!("CARGO_BIN_EXE_hufu-bench")).with_file_name("hufu");
    assert!(hufu.is_file(), "{} is missing; build it: cargo build -p hufu", hufu.display());
    hufu
}

/// Runs a benchmark and checks that it printed each of these figures on both engines. Returns what it printed.
fn measures(arguments: &str, figures: &[&str]) -> String {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let database = TestDatabase::postgres();
    let server = database.url();
    let (server, _) = server.rsplit_once('/').unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hufu-bench"))
        .args(arguments.split(' '))
        .args(["--postgres", server, "--hufu"])
        .arg(hufu())
        .output()
        .unwrap();
    let (printed, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments}\n{printed}\n{complaints}");
    for engine in ["sqlite", "postgres"] {
        for figure in figures {
            let line = printed.lines().find(|line| line.starts_with(engine) && line.contains(figure));
            assert!(line.is_some(), "{arguments}: no figure '{figure}' of {engine} in\n{printed}");
        }
    }
    printed.into_owned()
}

/// The numbers of a figure of the server on PostgreSQL.
fn numbers(printed: &str, figure: &str) -> Vec<u32> {
    let mut lines = printed.lines().filter(|line| line.starts_with("postgres") && !line.contains(" aim "));
    let found = lines.find_map(|line| line.split_once(figure));
    let (_, values) = found.unwrap_or_else(|| panic!("no figure '{figure}' in\n{printed}"));
    let number = |value: &str| value.parse().unwrap_or_else(|_| panic!("'{figure}' is '{values}'"));
    values.split_whitespace().map(number).collect()
}

#[test]
fn run() {
    let small = "run --users 0 --seconds 0.3 --rounds 1 --starts 1 --returning 20 --connections 4";
    measures(small, &["logins/s", "CPU per login", "server / floor"]);
}

#[test]
fn import() {
    measures("import --rows 300", &["rows/s"]);
}

#[test]
fn config() {
    let small = "config --pools 10 --timed-changes 2 --seconds 0.3 --rounds 1 --connections 4";
    measures(small, &["resident memory", "p99", "list: pools/{pool}/users"]);
}

#[test]
fn oidc() {
    let figures = ["client_credentials", "exchange", "refresh", "userinfo", "login page"];
    measures("oidc --seconds 0.3 --connections 4", &figures);
}

#[test]
fn statistics() {
    measures("statistics --users 50,100 --logins 2", &["ms"]);
}

#[test]
fn wechat() {
    let small = "wechat --seconds 0.3 --browsers 40 --scans 8 --asking 50 --people 10 --connections 8";
    let printed = measures(small, &["events/s", "callbacks of a website, logins/s"]);

    // Three nodes, one of which is killed, on PostgreSQL alone: everybody is in, and is one user.
    let [people, logins, users, sessions] = numbers(&printed, "people, logins, users, sessions")[..] else {
        panic!("{printed}")
    };
    assert_eq!((people, logins, users), (10, 10, 10), "{printed}");
    let [again] = numbers(&printed, "people who had to scan again")[..] else { panic!("{printed}") };
    // An answer that was lost with the node left a session that nobody has.
    assert!((people..=people + again).contains(&sessions), "{printed}");
    for figure in ["one killed, logins/s", "requests that were not answered, and sent again"] {
        assert_eq!(numbers(&printed, figure).len(), 1, "{figure}: {printed}");
    }
    for aim in ["no login lost", "none doubled"] {
        let is_told =
            |line: &str| line.contains(" aim ") && line.contains(aim) && line.starts_with("postgres");
        assert!(printed.lines().any(is_told), "no aim '{aim}' in\n{printed}");
    }
    assert!(!printed.lines().any(|line| line.starts_with("sqlite") && line.contains("nodes")), "{printed}");
}
