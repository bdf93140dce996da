//! The few cases in which a call is sent again.

use std::time::Duration;

use hufu_wechat::{Budget, Class, Client, ErrorKind, Settings};
use tokio::net::TcpSocket;
use url::Url;

use crate::fake::{CODE, OPENID, WeChat, app, budget, failure, session, settings};

#[tokio::test]
async fn busy_twice_and_then_well_is_well() {
    let wechat =
        WeChat::start(|seen| if seen.earlier < 2 { failure(-1, "system error") } else { session() }).await;
    let session = wechat.client().code_to_session(&app(), CODE, budget()).await.unwrap();
    assert_eq!(session.openid, OPENID);
    assert_eq!(wechat.seen().len(), 3);
}

#[tokio::test]
async fn busy_for_ever_ends_after_three_requests() {
    let wechat = WeChat::start(|_| failure(-1, "system error")).await;
    let error = wechat.client().code_to_session(&app(), CODE, budget()).await.unwrap_err();
    assert_eq!((error.errcode(), error.class()), (Some(-1), Class::Retry));
    assert!(!error.is_ambiguous());
    assert_eq!(wechat.seen().len(), 3);
}

#[tokio::test]
async fn other_temporary_codes_are_not_sent_again() {
    let wechat = WeChat::start(|_| failure(-1000, "system error")).await;
    let error = wechat.client().code_to_session(&app(), CODE, budget()).await.unwrap_err();
    assert_eq!(error.class(), Class::Retry);
    assert_eq!(wechat.seen().len(), 1);
}

#[tokio::test]
async fn a_pause_longer_than_the_budget_is_not_begun() {
    let wechat = WeChat::start(|_| failure(-1, "system error")).await;
    let patient = Settings {
        backoff: Duration::from_secs(600),
        max_backoff: Duration::from_secs(600),
        ..settings(&wechat.base)
    };
    let error = Client::new(patient).unwrap().code_to_session(&app(), CODE, budget()).await.unwrap_err();
    assert_eq!(error.errcode(), Some(-1));
    assert_eq!(wechat.seen().len(), 1);
}

#[tokio::test]
async fn a_spent_budget_sends_nothing() {
    let wechat = WeChat::start(|_| session()).await;
    let error = wechat.client().code_to_session(&app(), CODE, Budget::of(Duration::ZERO)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::BudgetExhausted));
    assert!(!error.is_ambiguous());
    assert!(wechat.seen().is_empty());
}

#[tokio::test]
async fn a_refused_connection_is_tried_again() {
    // A bound socket that does not listen yet refuses connections.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let base = Url::parse(&format!("http://{}/api", socket.local_addr().unwrap())).unwrap();

    let impatient = Client::new(Settings { max_retries: 0, ..settings(&base) }).unwrap();
    let error = impatient.code_to_session(&app(), CODE, budget()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Connect(_)), "{error:?}");
    assert!(!error.is_ambiguous(), "nothing was sent");

    let client = Client::new(Settings { max_retries: 100, ..settings(&base) }).unwrap();
    let (app, mut wechat) = (app(), None);
    let (outcome, ()) = tokio::join!(biased; client.code_to_session(&app, CODE, budget()), async {
        // The call above has run until it had to wait, so its connection has been refused.
        wechat = Some(WeChat::serve(socket.listen(16).unwrap(), |_| session()));
    });
    assert_eq!(outcome.unwrap().openid, OPENID);
    assert_eq!(wechat.unwrap().seen().len(), 1);
}
