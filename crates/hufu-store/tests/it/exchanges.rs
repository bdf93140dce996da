//! Records of exchanged WeChat codes.

use hufu_store::exchanges::{self, Exchange, GetExchange, PutExchange};
use hufu_testkit::on_both_engines;
use hufu_types::{SessionId, Timestamp, UserId};

use crate::support::{NOW, application, hash, migrated, other_pool, pool, seconds, unit};

unit! { Write Sweep { before: Timestamp } -> u64, |this, tx| exchanges::sweep(tx, this.before).await }

fn put(login: Option<(&str, &str)>, sealed: &[u8], created_at: Timestamp) -> PutExchange {
    let login =
        login.map(|(user, session)| (UserId::parse(user).unwrap(), SessionId::parse(session).unwrap()));
    let exchange = Exchange {
        application: application(),
        sealed: sealed.to_owned(),
        login,
        created_at,
        network: Some("203.0.113.9".to_owned()),
        flow: None,
        refresh: None,
    };
    PutExchange { pool: pool(), code: hash("code"), exchange }
}

on_both_engines! {
    async fn a_record_is_kept_and_a_login_is_noted_on_it(database) {
        let store = migrated(&database).await;
        let get = || GetExchange { pool: pool(), code: hash("code") };
        assert!(store.read(get()).await.unwrap().is_none());
        store.write(put(None, b"sealed", NOW)).await.unwrap();
        let record = store.read(get()).await.unwrap().unwrap();
        assert_eq!((record.application, record.sealed.as_slice(), record.created_at), (application(), &b"sealed"[..], NOW));
        assert!(record.login.is_none());
        assert!(store.read(GetExchange { pool: other_pool(), code: hash("code") }).await.unwrap().is_none());
        assert!(store.read(GetExchange { pool: pool(), code: hash("other") }).await.unwrap().is_none());

        let login = (UserId::parse("u").unwrap(), SessionId::parse("s").unwrap());
        for again in [put(Some(("u", "s")), b"other", NOW.plus(seconds(5))), put(None, b"", NOW)] {
            store.write(again).await.unwrap();
            let record = store.read(get()).await.unwrap().unwrap();
            assert_eq!(record.login, Some(login.clone()), "a login is noted and stays noted");
            assert_eq!((record.sealed.as_slice(), record.created_at), (&b"sealed"[..], NOW), "the rest stays");
        }
    }

    async fn old_records_are_swept(database) {
        let store = migrated(&database).await;
        store.write(put(None, b"sealed", NOW)).await.unwrap();
        assert_eq!(store.write(Sweep { before: NOW }).await.unwrap(), 0);
        assert_eq!(store.write(Sweep { before: NOW.plus(seconds(1)) }).await.unwrap(), 1);
    }
}
