//! Sessions: how they end, are extended and are purged.

use hufu_app::tokens::EndSession;
use hufu_store::sessions::{self, GetSession};
use hufu_testkit::on_both_engines;
use hufu_testkit::raw;
use hufu_types::{SessionId, Timestamp};

use crate::support::{
    APP, NOW, Variant as _, application, hash, log_in, login, migrated, openid, pool, seconds, trace, unit,
};

unit! {
    Write Prolong { session: SessionId, until: Timestamp } -> bool, |this, tx| {
        sessions::prolong(tx, &pool(), &this.session, NOW, this.until).await
    }
}
unit! { Write Sweep { now: Timestamp } -> u64, |this, tx| sessions::sweep(tx, this.now).await }

on_both_engines! {
    async fn a_session_is_what_the_login_wrote(database) {
        let store = migrated(&database).await;
        let begun = log_in(&store, login(openid(APP, "o1"), None)).await;
        let session = store.read(GetSession { pool: pool(), session: begun.session }).await.unwrap().unwrap();
        assert_eq!((session.user, session.application), (begun.user.id, application()));
        assert_eq!((session.created_at, session.expires_at), (NOW, NOW.plus(seconds(90 * 86_400))));
        assert!(session.user_is_active);
    }

    async fn an_ended_session_takes_its_refresh_tokens_along(database) {
        let store = migrated(&database).await;
        let begun = log_in(&store, login(openid(APP, "o1"), None).with_refresh_token(hash("a"))).await;
        let other = log_in(&store, login(openid(APP, "o1"), None).with_refresh_token(hash("b"))).await;
        let end = || EndSession { pool: pool(), session: begun.session.clone(), trace: trace(NOW) };
        store.write(end()).await.unwrap();
        store.write(end()).await.unwrap();
        let get = |session: &SessionId| GetSession { pool: pool(), session: session.clone() };
        assert!(store.read(get(&begun.session)).await.unwrap().is_none());
        assert!(store.read(get(&other.session)).await.unwrap().is_some());
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM refresh_tokens").await, 1);
    }

    async fn a_session_is_lengthened_and_never_shortened(database) {
        let store = migrated(&database).await;
        let session = log_in(&store, login(openid(APP, "o1"), None)).await.session;
        let ends = NOW.plus(seconds(90 * 86_400));
        for (until, expected) in [(NOW, ends), (ends.plus(seconds(5)), ends.plus(seconds(5))), (ends, ends.plus(seconds(5)))] {
            assert!(store.write(Prolong { session: session.clone(), until }).await.unwrap());
            let get = GetSession { pool: pool(), session: session.clone() };
            assert_eq!(store.read(get).await.unwrap().unwrap().expires_at, expected);
        }
    }

    async fn sessions_that_are_over_are_swept(database) {
        let store = migrated(&database).await;
        let session = log_in(&store, login(openid(APP, "o1"), None)).await.session;
        let ends = NOW.plus(seconds(90 * 86_400));
        assert_eq!(store.write(Sweep { now: ends }).await.unwrap(), 0);
        assert_eq!(store.write(Sweep { now: ends.plus(seconds(1)) }).await.unwrap(), 1);
        assert!(store.read(GetSession { pool: pool(), session }).await.unwrap().is_none());
    }
}
