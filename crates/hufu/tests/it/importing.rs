//! `hufu import` and `hufu export`, including an import that is killed.

use std::fmt::Write as _;

use hufu_store::{Read, Store, StoreError, Tx};
use hufu_testkit::on_both_engines;

use crate::support::{Instance, POOL, Process, TIMEOUT};

/// The number of rows in the file.
const ROWS: usize = 12_000;
/// How often the import is killed.
const KILLS: i64 = 4;

fn rows() -> String {
    let mut text = String::new();
    for n in 1..=ROWS {
        // Every hundredth row has the name of the previous one.
        let name = if n % 100 == 0 { n - 1 } else { n };
        writeln!(
            text,
            r#"{{"id":"user-{n}","username":"name-{name}","identities":[{{"connection":"shop-mini","type":"openid","value":"o-{n}"}}]}}"#
        )
        .unwrap();
    }
    text
}

/// Reads what an import has written to the database.
struct ReadState;

#[derive(Debug, PartialEq, Eq)]
struct Found {
    rows_done: i64,
    users: i64,
    identities: i64,
    refusals: i64,
}

impl Read for ReadState {
    type Out = Found;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Found, StoreError> {
        let mut counts = Vec::new();
        for sql in [
            "SELECT COALESCE(MAX(rows_done), 0) FROM imports",
            "SELECT COUNT(*) FROM users",
            "SELECT COUNT(*) FROM identities",
            "SELECT COUNT(*) FROM import_refusals",
        ] {
            counts.push(tx.optional(sql, &[], |row| row.get(0)).await?.unwrap_or_default());
        }
        let [rows_done, users, identities, refusals] = counts[..] else { panic!("four counts") };
        Ok(Found { rows_done, users, identities, refusals })
    }
}

async fn look(instance: &Instance) -> Found {
    let store = Store::open(&instance.database_url().parse().unwrap()).await.unwrap();
    let found = store.read(ReadState).await.unwrap();
    store.close().await;
    found
}

on_both_engines! {
    async fn an_import_that_is_killed_goes_on_where_it_was(database) {
        let instance = Instance::ready(database).await;
        instance.write("users.jsonl", &rows());
        let arguments = ["import", "users.jsonl", "--pool", POOL, "--report", "refused.csv"];
        let mut done = 0;
        for kill in 1..=KILLS {
            let mut import = Process::start(&mut instance.command(&arguments));
            let until = done + i64::try_from(ROWS).unwrap() / (KILLS + 2);
            let begun = std::time::Instant::now();
            let store = Store::open(&instance.database_url().parse().unwrap()).await.unwrap();
            while store.read(ReadState).await.unwrap().rows_done < until {
                assert!(begun.elapsed() < TIMEOUT, "the import does not get on");
                tokio::task::yield_now().await;
            }
            import.kill();
            store.close().await;
            let found = look(&instance).await;
            assert!(found.rows_done >= until, "what was committed stays");
            // No batch is partial: every row is a user with an identity, or a refusal.
            assert_eq!((found.users + found.refusals, found.identities), (found.rows_done, found.users), "kill {kill}");
            done = found.rows_done;
        }
        let ran = instance.run(&arguments).await;
        assert_eq!(ran.code, Some(2), "{ran:?}");
        if done < i64::try_from(ROWS).unwrap() {
            assert!(ran.out.contains(&format!("Resumed after row {done}")), "{}", ran.out);
            let refused = i64::try_from(ROWS / 100).unwrap();
            let rows = i64::try_from(ROWS).unwrap();
            assert_eq!(
                look(&instance).await,
                Found { rows_done: rows, users: rows - refused, identities: rows - refused, refusals: refused }
            );
        }
        let report = std::fs::read_to_string(instance.path("refused.csv")).unwrap();
        assert_eq!(report.lines().count(), 1 + ROWS / 100, "the report has the rows of every run");
        assert!(report.contains("\r\n100,username: taken"), "{report}");
    }

    async fn what_is_exported_is_imported_by_another_instance(database) {
        let instance = Instance::ready(database).await;
        instance.write(
            "users.csv",
            "id,username,phone,passwordHash,openid\r\n\
             a,=alice,'+8613800000001,$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW,o-alice\r\nb,bob,,,\r\n",
        );
        let dry = instance.run(&["import", "users.csv", "--pool", POOL, "--dry-run"]).await;
        assert!(dry.succeeded().ends_with("Dry run: nothing was changed.\n"), "{dry:?}");
        let ran = instance.run(&["import", "users.csv", "--pool", POOL]).await;
        assert!(ran.succeeded().contains("2 imported, 0 skipped, 0 refused"), "{ran:?}");

        let arguments = ["export", "out.csv", "--pool", POOL, "--with-hashes"];
        assert!(instance.run(&arguments).await.succeeded().starts_with("2 users"));
        let out = std::fs::read_to_string(instance.path("out.csv")).unwrap();
        assert!(!instance.run(&arguments).await.failed().is_empty(), "no file is written over");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(instance.path("out.csv")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }

        let other = Instance::ready(hufu_testkit::TestDatabase::sqlite()).await;
        other.write("in.csv", &out);
        assert!(other.run(&["import", "in.csv", "--pool", POOL]).await.succeeded().contains("2 imported"));
        other.run(&arguments).await.succeeded();
        assert_eq!(std::fs::read_to_string(other.path("out.csv")).unwrap(), out);
    }
}

#[tokio::test]
async fn mistakes_are_reported_and_nothing_starts() {
    let instance = Instance::ready(hufu_testkit::TestDatabase::sqlite()).await;
    std::fs::write(instance.path("gbk.csv"), b"username\n\xc0\xcf\xbb\xa2\n").unwrap();
    instance.write("typo.csv", "usernam\nx\n");
    instance.write("users", "[]");
    instance.write("empty.json", "[]");
    for (file, pool, reason) in [
        ("gbk.csv", POOL, "iconv -f GB18030 -t UTF-8"),
        ("typo.csv", POOL, "`usernam`"),
        ("users", POOL, "--format"),
        ("absent.csv", POOL, "cannot be read"),
        ("empty.json", "nobody", "no such user pool"),
        ("empty.json", "system", "administrators"),
    ] {
        let ran = instance.run(&["import", file, "--pool", pool]).await;
        assert!(ran.failed().contains(reason), "{ran:?}");
    }
    assert_eq!(look(&instance).await.users, 0);
}
