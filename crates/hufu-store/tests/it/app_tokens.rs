//! App tokens: only the latest lease writes.

use hufu_store::Store;
use hufu_store::app_tokens::{self, StoredAppToken};
use hufu_testkit::{on_both_engines, raw};
use hufu_types::Timestamp;

use crate::support::{NOW, migrated, seconds, unit};

const APP: &str = "wx0123456789abcdef";

const CREDENTIAL: [u8; 32] = [7; 32];

unit! { Write Locked {} -> StoredAppToken, |_this, tx| app_tokens::locked(tx, &CREDENTIAL, APP).await }

unit! { Write Lease { fence: i64 } -> (), |this, tx| {
    app_tokens::lease(tx, &CREDENTIAL, this.fence, "node", NOW.plus(seconds(6))).await
} }

unit! { Write Put { fence: i64 } -> bool, |this, tx| {
    let expires_at = NOW.plus(seconds(7200));
    app_tokens::put(tx, &CREDENTIAL, this.fence, b"sealed", expires_at, NOW).await
} }

unit! { Write Fail { fence: i64 } -> bool, |this, tx| {
    app_tokens::fail(tx, &CREDENTIAL, this.fence, NOW.plus(seconds(30)), Some(40125), Some("a rid")).await
} }

unit! { Write Sweep { before: Timestamp } -> u64, |this, tx| app_tokens::sweep(tx, this.before).await }

async fn row(store: &Store) -> StoredAppToken {
    store.write(Locked {}).await.unwrap()
}

on_both_engines! {
    async fn a_node_that_was_given_up_on_writes_nothing(database) {
        let store = migrated(&database).await;
        assert_eq!((row(&store).await.fence, row(&store).await.token), (0, None));
        store.write(Lease { fence: 1 }).await.unwrap();
        assert_eq!(row(&store).await.holder.as_deref(), Some("node"));
        store.write(Lease { fence: 2 }).await.unwrap();
        assert!(!store.write(Put { fence: 1 }).await.unwrap());
        assert!(!store.write(Fail { fence: 1 }).await.unwrap());
        assert_eq!((row(&store).await.token, row(&store).await.failures), (None, 0));

        assert!(store.write(Fail { fence: 2 }).await.unwrap());
        let failed = row(&store).await;
        assert_eq!((failed.failures, failed.errcode, failed.rid.as_deref()), (1, Some(40125), Some("a rid")));
        assert_eq!((failed.holder, failed.retry_at), (None, NOW.plus(seconds(30))));

        store.write(Lease { fence: 3 }).await.unwrap();
        assert!(store.write(Put { fence: 3 }).await.unwrap());
        let held = row(&store).await;
        assert_eq!((held.token.as_deref(), held.fetch, held.failures), (Some(&b"sealed"[..]), 3, 0));
        assert_eq!((held.errcode, held.retry_at, held.held_until), (None, Timestamp(0), Timestamp(0)));
        assert_eq!(held.expires_at, NOW.plus(seconds(7200)));
    }

    async fn what_nobody_needs_any_more_is_swept(database) {
        let store = migrated(&database).await;
        row(&store).await;
        store.write(Lease { fence: 1 }).await.unwrap();
        store.write(Put { fence: 1 }).await.unwrap();
        assert_eq!(store.write(Sweep { before: NOW.plus(seconds(7200)) }).await.unwrap(), 0);
        assert_eq!(store.write(Sweep { before: NOW.plus(seconds(7201)) }).await.unwrap(), 1);
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM app_tokens").await, 0);
    }
}
