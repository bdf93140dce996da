//! Signing keys and password keys.

use hufu_store::keys::{
    self, AddSigningKey, GetPasswordKey, ListSigningKeys, PutPasswordKey, StoredSigningKey,
};
use hufu_store::versions::ReadVersions;
use hufu_testkit::on_both_engines;
use hufu_testkit::raw;
use hufu_types::{SigningAlgorithm, Timestamp};

use crate::support::{Held, NOW, migrated, seconds, unit};

unit! { Write Sweep { now: Timestamp } -> u64, |this, tx| keys::sweep(tx, this.now).await }

fn add(id: &str, algorithm: SigningAlgorithm, signs_from: Timestamp, only_if_none: bool) -> AddSigningKey {
    let key = StoredSigningKey {
        id: id.to_owned(),
        algorithm,
        sealed: id.as_bytes().to_vec(),
        created_at: NOW,
        signs_from,
        expires_at: None,
    };
    AddSigningKey { key, only_if_none, predecessors_expire_at: NOW.plus(seconds(1000)) }
}

on_both_engines! {
    async fn a_new_key_retires_those_of_its_algorithm(database) {
        let store = migrated(&database).await;
        let version = store.read(ReadVersions).await.unwrap().keys;
        assert!(store.write(add("old", SigningAlgorithm::Es256, NOW, true)).await.unwrap());
        assert!(!store.write(add("never", SigningAlgorithm::Es256, NOW, true)).await.unwrap());
        assert!(store.write(add("other", SigningAlgorithm::Rs256, NOW, true)).await.unwrap());
        assert!(store.write(add("new", SigningAlgorithm::Es256, NOW.plus(seconds(60)), false)).await.unwrap());
        assert_eq!(store.read(ReadVersions).await.unwrap().keys, version + 3, "every node is told");

        let ends = NOW.plus(seconds(1000));
        let keys = store.read(ListSigningKeys).await.unwrap();
        let seen: Vec<_> = keys.iter().map(|key| (key.id.as_str(), key.algorithm, key.expires_at)).collect();
        let expected = [
            ("old", SigningAlgorithm::Es256, Some(ends)),
            ("other", SigningAlgorithm::Rs256, None),
            ("new", SigningAlgorithm::Es256, None),
        ];
        assert_eq!(seen, expected);
        assert_eq!((keys[2].sealed.as_slice(), keys[2].created_at), (&b"new"[..], NOW));
        assert_eq!(keys[2].signs_from, NOW.plus(seconds(60)));

        assert_eq!(store.write(Sweep { now: ends }).await.unwrap(), 0);
        assert_eq!(store.write(Sweep { now: ends.plus(seconds(1)) }).await.unwrap(), 1);
        assert_eq!(store.read(ListSigningKeys).await.unwrap().len(), 2);
    }

    async fn nodes_that_start_together_make_one_key(database) {
        let store = migrated(&database).await;
        let (first, hold) = Held::new(add("first", SigningAlgorithm::Es256, NOW, true));
        let first = tokio::spawn({ let store = store.clone(); async move { store.write(first).await } });
        hold.until_worked();
        let second = add("second", SigningAlgorithm::Es256, NOW, true);
        let second = tokio::spawn({ let store = store.clone(); async move { store.write(second).await } });
        raw::until_blocked(&database, &second).await;
        hold.release();
        assert!(first.await.unwrap().unwrap() && !second.await.unwrap().unwrap());
        assert_eq!(store.read(ListSigningKeys).await.unwrap().len(), 1);
    }

    async fn one_password_key_of_a_kind_stands(database) {
        let store = migrated(&database).await;
        assert_eq!(store.read(GetPasswordKey("rsa")).await.unwrap(), None);
        let puts = (0..20_u8).map(|n| store.write(PutPasswordKey { kind: "rsa", sealed: vec![n], now: NOW }));
        let puts: Vec<_> = futures::future::join_all(puts).await.into_iter().map(Result::unwrap).collect();
        let standing = store.read(GetPasswordKey("rsa")).await.unwrap().unwrap();
        assert!(puts.iter().all(|put| *put == standing));
        assert_eq!(store.read(GetPasswordKey("sm2")).await.unwrap(), None);
    }
}
