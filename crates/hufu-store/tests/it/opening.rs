//! Opening a database.

use hufu_store::{Store, StoreError};
use hufu_testkit::TestDatabase;

use crate::support::open;

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let database = TestDatabase::sqlite();
    let store = open(&database).await;
    store.migrate().await.unwrap();
    let file = database.file().unwrap();
    for entry in std::fs::read_dir(file.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
    }
    store.close().await;
    let left: Vec<_> =
        std::fs::read_dir(file.parent().unwrap()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, [file], "a closed database is one file");
}

#[tokio::test]
async fn a_file_that_cannot_be_made_is_named() {
    let database = TestDatabase::sqlite();
    let file = database.file().unwrap();
    std::fs::write(&file, "").unwrap();
    let url = format!("sqlite://{}/below/hufu.db", file.display());
    let error = Store::open(&url.parse().unwrap()).await.err().unwrap();
    assert!(matches!(&error, StoreError::NoFolder { folder } if folder.contains("below")), "{error}");
    let url = format!("sqlite://{}", file.parent().unwrap().display());
    let error = Store::open(&url.parse().unwrap()).await.err().unwrap();
    assert!(matches!(error, StoreError::File { .. }), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let database = TestDatabase::sqlite();
    std::fs::write(database.file().unwrap(), "this is a text that has been here before. ".repeat(100))
        .unwrap();
    let error = Store::open(&database.url().parse().unwrap()).await.err().unwrap();
    assert!(matches!(error, StoreError::Sqlite(_)), "{error}");
}

#[tokio::test]
async fn a_server_that_refuses_is_an_error_without_the_password() {
    let database = TestDatabase::postgres();
    let url = database.url();
    let server = url.rsplit_once('@').unwrap().1;
    let url = format!("postgres://nobody-known:geheim@{server}");
    let error = Store::open(&url.parse().unwrap()).await.err().unwrap();
    assert!(matches!(error, StoreError::Postgres(_)), "{error}");
    assert!(!format!("{error} {error:?}").contains("geheim"));
}
