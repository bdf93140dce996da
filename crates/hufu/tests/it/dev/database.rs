//! The databases that `hufu dev` takes: its own in the folder, or another one that is empty or was its own before.

use hufu_store::Store;
use hufu_store::config::ReadConfig;
use hufu_testkit::{on_both_engines, raw};

use super::{Dev, shown};
use crate::support::{Instance, Process, Ran, hufu};

async fn start(folder: &tempfile::TempDir, database: &str) -> Ran {
    let anywhere = ["--listen", "--sandbox-listen", "--metrics-listen"].map(|flag| [flag, "127.0.0.1:0"]);
    let mut command = hufu();
    command.current_dir(folder).arg("dev").args(anywhere.as_flattened()).args(["--database-url", database]);
    Process::start(&mut command).finish().await
}

on_both_engines! {
    async fn an_empty_database_is_taken_and_found_again(database) {
        let folder = tempfile::tempdir().unwrap();
        for login in ["created now: this is login number 1", "found: this is login number 2"] {
            let dev = Dev::start_on(&folder, &database.url()).await;
            let ran = dev.try_it("").await;
            assert_eq!(shown(ran.succeeded(), "3. The account"), login);
            dev.stop().await;
        }
        assert!(folder.path().join("hufu-data/hufu.key").exists() && !folder.path().join("hufu-data/hufu.db").exists());
    }

    async fn anothers_database_is_left_as_it_is(database) {
        // An instance that is served, with people in it.
        let instance = Instance::ready(database).await;
        let folder = tempfile::tempdir().unwrap();
        let ran = start(&folder, &instance.database_url()).await;
        let error = ran.failed();
        assert!(error.contains("not empty") && error.contains("an empty database"), "{error}");
        let store = Store::open(&instance.database_url().parse().unwrap()).await.unwrap();
        let config = store.read(ReadConfig).await.unwrap();
        assert!(config.pools.iter().all(|pool| pool.name != "Demonstration"), "{:?}", config.pools);
        store.close().await;
        instance.serve().await.stop().await.succeeded();
    }

    async fn a_database_of_another_program_is_left_as_it_is(database) {
        raw::execute(&database, "CREATE TABLE orders (id BIGINT)").await;
        let folder = tempfile::tempdir().unwrap();
        let ran = start(&folder, &database.url()).await;
        assert!(ran.failed().contains("not empty"), "{ran:?}");
        let store = Store::open(&database.url().parse().unwrap()).await.unwrap();
        assert_eq!(store.tables().await.unwrap(), ["orders"]);
        store.close().await;
    }
}

#[tokio::test]
async fn a_url_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ran = start(&folder, "mysql://127.0.0.1/shop").await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("--database-url") && ran.err.contains("postgres://"), "{ran:?}");
}
