//! Facts about the instance, and the configuration's version.

use hufu_store::instance::{Fact, GetFact, Ping, PutFactIfAbsent};
use hufu_store::versions::{self, ReadVersions};
use hufu_testkit::on_both_engines;

use crate::support::{migrated, open, unit};

unit! { Write Raise {} -> (), |_this, tx| versions::pools_changed(tx, []).await }

on_both_engines! {
    async fn of_facts_that_race_one_stands_for_all(database) {
        let store = migrated(&database).await;
        assert_eq!(store.read(GetFact(Fact::SealingKeyId)).await.unwrap(), None);
        let puts = (0..50).map(|n| store.write(PutFactIfAbsent(Fact::SealingKeyId, format!("key{n}"))));
        let puts: Vec<_> = futures::future::join_all(puts).await.into_iter().map(Result::unwrap).collect();
        let standing = store.read(GetFact(Fact::SealingKeyId)).await.unwrap().unwrap();
        assert!(puts.iter().all(|answer| *answer == standing), "{puts:?}");
        assert_eq!(store.read(GetFact(Fact::MadeByDev)).await.unwrap(), None);
    }

    async fn the_version_rises_with_each_change(database) {
        let store = migrated(&database).await;
        let before = store.read(ReadVersions).await.unwrap().configuration;
        for raised in futures::future::join_all((0..20).map(|_| store.write(Raise {}))).await {
            raised.unwrap();
        }
        assert_eq!(open(&database).await.read(ReadVersions).await.unwrap().configuration, before + 20, "seen by another node");
        store.read(Ping).await.unwrap();
    }
}
