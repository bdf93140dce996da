//! Upgrading the database of an earlier release without losing anything.

use std::sync::Arc;

use hufu_app::App;
use hufu_protocol::sealing::SealingKey;
use hufu_store::config::{ReadConfig, StoredSettings};
use hufu_store::{Read, Store, StoreError, Tx, Write};
use hufu_testkit::{Base, TestDatabase, on_both_engines};
use hufu_types::{Connection, ConnectionId, PoolId, SystemRandom, Timestamp};

/// The last migration of releases that stored a connection's AppID and AppSecret in columns.
const BEFORE_SETTINGS: i64 = 3;
const NOW: Timestamp = Timestamp(1_750_000_000_000);
const SECRET: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75e";

/// A pool with two connections, as the earlier release wrote them.
struct OldRows {
    sealed: Vec<u8>,
    of_a_lost_key: Vec<u8>,
}

impl Write for OldRows {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        const POOL: &str =
            "INSERT INTO pools (id, name, settings, created_at) VALUES ('shop', 'Shop', '{}', 1)";
        const CONNECTION: &str = "
            INSERT INTO connections
                (pool_id, id, identifier, kind, display_name, login_only, enabled, open_platform, app_id, app_secret,
                 association, created_at, updated_at)
            VALUES ('shop', $1, $1, 'wechat:miniprogram:default', 'WeChat', $2, $3, 'shop', $4, $5, '{}', 1, 1)";
        tx.execute(POOL, &[]).await?;
        for (id, app_id, secret) in [
            ("good", "wx0123456789abcdef", &self.sealed),
            ("lost", "wx0123456789abcdee", &self.of_a_lost_key),
        ] {
            let values = [id.into(), false.into(), true.into(), app_id.into(), secret.into()];
            tx.execute(CONNECTION, &values).await?;
        }
        Ok(())
    }
}

/// Reads the columns of the earlier release, which may still be running.
struct OldColumns;

impl Read for OldColumns {
    type Out = Vec<(String, Vec<u8>)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        const SQL: &str = "SELECT app_id, app_secret FROM connections ORDER BY id";
        tx.all(SQL, &[], |row| Ok((row.get(0)?, row.get(1)?))).await
    }
}

async fn started(base: &Base) -> Arc<App> {
    App::start(base.parts()).await.unwrap()
}

fn connection(app: &App, id: &str) -> Option<Arc<Connection>> {
    app.config().connection(&ConnectionId::parse(id).unwrap()).cloned()
}

async fn old_database(database: TestDatabase) -> (Base, OldRows) {
    let store = Store::open(&database.url().parse().unwrap()).await.unwrap();
    store.migrate_to(BEFORE_SETTINGS).await.unwrap();
    let seal = |key: [u8; 32], id: &str| {
        let context = format!("connection:{id}:app_secret");
        SealingKey::from_bytes(key).seal(&SystemRandom, &context, SECRET.as_bytes())
    };
    // Sealed with the key of `Base`, and with another.
    let rows = OldRows { sealed: seal([7; 32], "good"), of_a_lost_key: seal([8; 32], "lost") };
    let copy = OldRows { sealed: rows.sealed.clone(), of_a_lost_key: rows.of_a_lost_key.clone() };
    store.write(copy).await.unwrap();
    store.close().await;
    (Base::new(database, NOW, SystemRandom).await, rows)
}

on_both_engines! {
    async fn the_settings_of_connections_are_sealed_by_the_first_node_that_starts(database) {
        let (base, rows) = old_database(database).await;
        let stored = base.store.read(ReadConfig).await.unwrap().connections;
        assert!(stored.iter().all(|row| matches!(row.settings, StoredSettings::Columns { .. })));

        let app = started(&base).await;
        let good = connection(&app, "good").unwrap();
        assert_eq!(good.settings.text("app_id"), Some("wx0123456789abcdef"));
        assert_eq!(good.settings.text("app_secret"), Some(SECRET));
        assert!(connection(&app, "lost").is_none(), "its secret does not open, and the other goes on");
        assert_eq!(good.pool, PoolId::parse("shop").unwrap());

        let stored = base.store.read(ReadConfig).await.unwrap().connections;
        let [sealed, left] = stored.as_slice() else { panic!("two connections") };
        let StoredSettings::Sealed(bytes) = &sealed.settings else { panic!("sealed") };
        assert!(!bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()));
        assert!(matches!(left.settings, StoredSettings::Columns { .. }), "for whoever brings the key back");
        let columns = base.store.read(OldColumns).await.unwrap();
        assert_eq!(columns[0], ("wx0123456789abcdef".to_owned(), rows.sealed), "the program before goes on");

        // Settings that are already sealed are unchanged.
        let again = started(&base).await;
        assert_eq!(connection(&again, "good").unwrap().settings, good.settings);
        assert_eq!(base.store.read(ReadConfig).await.unwrap().connections[0].settings, sealed.settings);
    }
}
