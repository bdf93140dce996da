//! Authorization requests that are granted at the same time: on PostgreSQL they share a transaction, with the same results.

use futures::future::join_all;
use hufu_app::authorization::{IssueCode, Issued};
use hufu_store::Store;
use hufu_store::consents::Consent;
use hufu_testkit::{TestDatabase, on_both_engines, raw};
use hufu_types::{ScopeSet, SessionId};

use crate::authorization::{enters, granted, issue};
use crate::support::{Held, migrated};

/// The answers to requests that wait while others are written.
async fn at_once(store: &Store, units: Vec<IssueCode>) -> Vec<Issued> {
    let mut held = Vec::new();
    // One for each group that PostgreSQL writes at a time.
    for lane in ["lane0", "lane1"] {
        enters(store, lane, lane).await;
    }
    for lane in if store.engine() == "postgres" { &["lane0", "lane1"][..] } else { &["lane0"] } {
        let (unit, hold) = Held::new(issue(lane, lane));
        let store = store.clone();
        let task = tokio::spawn(async move { store.write(unit).await });
        hold.until_worked();
        held.push((task, hold));
    }
    let mut waiting: Vec<_> = units.into_iter().map(|unit| Box::pin(store.write(unit))).collect();
    for unit in &mut waiting {
        assert!(futures::poll!(unit.as_mut()).is_pending());
    }
    for (task, hold) in held {
        hold.release();
        task.await.unwrap().unwrap();
    }
    join_all(waiting).await.into_iter().map(Result::unwrap).collect()
}

#[track_caller]
fn session_of(issued: &Issued) -> SessionId {
    let Issued::Done { session, .. } = issued else { panic!("{issued:?}") };
    session.clone()
}

/// How many transactions stored the codes of these sessions.
async fn transactions(database: &TestDatabase, sessions: &[SessionId]) -> usize {
    let ids: Vec<String> = sessions.iter().map(|id| format!("'{}'", id.as_str())).collect();
    let ids = ids.join(", ");
    let sql =
        format!("SELECT DISTINCT CAST(xmin AS TEXT) FROM authorization_codes WHERE session_id IN ({ids})");
    raw::texts(database, &sql).await.len()
}

on_both_engines! {
    async fn browsers_that_ask_at_once_are_answered_together(database) {
        let store = migrated(&database).await;
        let mut before = Vec::new();
        for number in 0..8 {
            enters(&store, &format!("b{number}"), &format!("o{number}")).await;
            if number < 4 {
                before.push(granted(&store, issue(&format!("b{number}"), &format!("before{number}"))).await);
            }
        }
        let units = (0..8).map(|number| issue(&format!("b{number}"), &format!("c{number}"))).collect();
        let answers = at_once(&store, units).await;
        let sessions: Vec<SessionId> = answers.iter().map(session_of).collect();
        assert_eq!(sessions[..4], before, "they go on");
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM sessions WHERE browser_session_id LIKE 'b%'").await, 8);
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM browser_sessions WHERE granted = 2").await, 4);
        if store.engine() == "postgres" {
            assert_eq!(transactions(&database, &sessions[4..]).await, 1);
        }
        let silent = "SELECT COUNT(*) FROM audit_events WHERE details LIKE '%browser-session%'";
        let lanes = if store.engine() == "postgres" { 2 } else { 1 };
        assert_eq!(raw::number(&database, silent).await, 8 + lanes, "each session that began");
    }

    async fn one_browser_that_asks_twice_at_once_has_one_session(database) {
        let store = migrated(&database).await;
        enters(&store, "b1", "o1").await;
        let answers = at_once(&store, vec![issue("b1", "c1"), issue("b1", "c2"), issue("b1", "c3")]).await;
        let first = session_of(&answers[0]);
        assert!(answers.iter().all(|answer| session_of(answer) == first), "{answers:?}");
        assert_eq!(raw::number(&database, "SELECT granted FROM browser_sessions WHERE id = 'b1'").await, 3);
    }

    async fn who_may_not_is_told_beside_those_who_may(database) {
        let store = migrated(&database).await;
        let wants = |scopes: &str| Consent { scopes: ScopeSet::parse(scopes), ..Consent::default() };
        for (browser, who) in [("b1", "o1"), ("b2", "o2"), ("b3", "o3")] {
            enters(&store, browser, who).await;
        }
        let agreed = IssueCode { consent: Some(wants("openid")), ..issue("b1", "agreed") };
        granted(&store, agreed).await;
        let asks = |unit: IssueCode| IssueCode { consent: Some(wants("openid")), asks: true, ..unit };
        let units = vec![asks(issue("b1", "c1")), asks(issue("b2", "c2")), issue("gone", "c3"), issue("b3", "c4")];
        let answers = at_once(&store, units).await;
        session_of(&answers[0]);
        session_of(&answers[3]);
        assert!(matches!(answers[1], Issued::NeedsConsent), "{answers:?}");
        assert!(matches!(answers[2], Issued::NeedsLogin), "{answers:?}");
    }
}
