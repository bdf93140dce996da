//! What is sent, and how a success response is read.

use std::{collections::HashSet, time::Duration};

use hufu_wechat::{BuildError, Client, Endpoints, Settings};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use url::Url;

use crate::fake::{APP_ID, CODE, OPENID, Reply, SECRET, SESSION_KEY, WeChat, app, budget, session};

#[tokio::test]
async fn a_code_becomes_a_session() {
    let wechat = WeChat::start(|_| session()).await;
    let session = wechat.client().code_to_session(&app(), CODE, budget()).await.unwrap();
    assert_eq!(session.openid, OPENID);
    assert_eq!(session.unionid, None);
    assert_eq!(session.session_key.expose(), SESSION_KEY);
    assert!(!format!("{session:?}").contains(OPENID));

    let seen = wechat.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("GET", "/sns/jscode2session"));
    for (name, value) in
        [("appid", APP_ID), ("secret", SECRET), ("js_code", CODE), ("grant_type", "authorization_code")]
    {
        assert_eq!(seen[0].query[name], value);
    }
}

#[tokio::test]
async fn what_a_client_sends_as_a_code_stays_one_parameter() {
    let wechat = WeChat::start(|_| session()).await;
    let code = "a&secret=x#y z+%41中";
    wechat.client().code_to_session(&app(), code, budget()).await.unwrap();
    let seen = wechat.seen();
    assert_eq!(seen[0].query["js_code"], code);
    assert_eq!(seen[0].query["secret"], SECRET);
}

#[tokio::test]
async fn a_unionid_counts_unless_empty() {
    let cases = [
        (json!("ocMvos6NjeKLIBqg5Mr9QjxrP1FA"), Some("ocMvos6NjeKLIBqg5Mr9QjxrP1FA")),
        (json!(""), None),
        (Value::Null, None),
    ];
    for (unionid, expected) in cases {
        let wechat = WeChat::start(move |_| {
            Reply::Json(json!({
                "errcode": 0, "errmsg": "ok", "openid": OPENID, "session_key": SESSION_KEY,
                "unionid": unionid, "expires_in": 7200, "later": { "added": [] },
            }))
        })
        .await;
        let session = wechat.client().code_to_session(&app(), CODE, budget()).await.unwrap();
        assert_eq!(session.unionid.as_deref(), expected);
    }
}

#[tokio::test]
async fn an_answer_may_come_compressed() {
    // gzip of {"session_key":…,"openid":…} with the constants of `fake`
    let body = hex::decode(concat!(
        "1f8b0800000000000203ab562a4e2d2ececccf8bcf4ead54b2522ac9cccc28f14bae4a332d3373f40eaacc2a770dcd08",
        "b4b555d251ca2f48cdcb4c01aac9778f0af534484d77f28a34acca708a2c37f2ce48094d2b0ff3f27255aa0500c1668c",
        "2052000000",
    ))
    .unwrap();
    let wechat = WeChat::start(move |_| Reply::Gzip(body.clone())).await;
    let session = wechat.client().code_to_session(&app(), CODE, budget()).await.unwrap();
    assert_eq!(session.openid, OPENID);
}

#[tokio::test]
async fn a_connection_serves_many_calls() {
    let wechat = WeChat::start(|_| session()).await;
    let client = wechat.client();
    for _ in 0..20 {
        client.clone().code_to_session(&app(), CODE, budget()).await.unwrap();
    }
    let peers: HashSet<_> = wechat.seen().into_iter().map(|seen| seen.peer).collect();
    assert_eq!(peers.len(), 1);
}

#[tokio::test]
async fn a_stable_token_is_asked_for_with_json() {
    let wechat = WeChat::start(|_| Reply::Json(json!({ "access_token": "T1", "expires_in": 7200 }))).await;
    let token = wechat.client().stable_access_token(&app(), true, budget()).await.unwrap();
    assert_eq!(token.token.expose_secret(), "T1");
    assert_eq!(token.expires_in, Duration::from_secs(7200));

    let seen = wechat.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("POST", "/cgi-bin/stable_token"));
    assert_eq!(seen[0].content_type, "application/json");
    assert_eq!(
        seen[0].body,
        json!({
            "grant_type": "client_credential", "appid": APP_ID, "secret": SECRET, "force_refresh": true,
        })
    );
}

#[test]
fn a_base_is_an_address_to_which_paths_can_be_added() {
    for bad in ["ftp://127.0.0.1/", "http://127.0.0.1/?a=1", "http://127.0.0.1/#a", "http://user@127.0.0.1/"]
    {
        let endpoints = Endpoints { open: Url::parse(bad).unwrap(), ..Endpoints::default() };
        let outcome = Client::new(Settings { endpoints, ..Settings::default() });
        assert!(matches!(outcome.err(), Some(BuildError::Base { name: "open" })), "{bad}");
    }
}

#[tokio::test]
async fn calls_can_be_moved_between_threads() {
    let wechat = WeChat::start(|_| session()).await;
    let client = wechat.client();
    let call = tokio::spawn(async move { client.code_to_session(&app(), CODE, budget()).await });
    assert_eq!(call.await.unwrap().unwrap().openid, OPENID);
}
