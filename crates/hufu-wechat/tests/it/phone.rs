//! Phone numbers, and the app token that is required for them.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use hufu_wechat::{Budget, Class, Endpoint, ErrorKind};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::fake::{
    APP_ID, CODE, OPENID, Reply, SECRET, Seen, WeChat, app, budget, everything_printed, failure,
};

const TOKEN_PATH: &str = "/cgi-bin/stable_token";
const PHONE_PATH: &str = "/wxa/business/getuserphonenumber";

/// The first fetch returns `T1`, the second `T2`.
fn token(seen: &Seen) -> Reply {
    Reply::Json(json!({ "access_token": format!("T{}", seen.earlier + 1), "expires_in": 7200 }))
}

fn phone() -> Reply {
    phone_with(&json!("86"), APP_ID)
}

fn phone_with(country_code: &Value, app_id: &str) -> Reply {
    Reply::Json(json!({
        "errcode": 0,
        "errmsg": "ok",
        "phone_info": {
            "phoneNumber": "13800000000",
            "purePhoneNumber": "13800000000",
            "countryCode": country_code,
            "watermark": { "timestamp": 1_637_744_274, "appid": app_id },
        },
    }))
}

/// A WeChat that responds to the phone number call with `answer`.
async fn wechat(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> WeChat {
    WeChat::start(move |seen| if seen.path == TOKEN_PATH { token(seen) } else { answer(seen) }).await
}

#[tokio::test]
async fn a_code_becomes_a_number() {
    let wechat = wechat(|_| phone()).await;
    let number = wechat.client().phone_number(&app(), CODE, Some(OPENID), budget()).await.unwrap();
    assert_eq!(number.e164(), "+8613800000000");
    assert_eq!(number.pure_number, "13800000000");
    assert_eq!(number.phone_number, "13800000000");
    assert_eq!(number.watermark_timestamp, 1_637_744_274);
    assert!(!format!("{number:?}").contains("138"));

    let seen = wechat.seen();
    assert_eq!((seen[1].method.as_str(), seen[1].path.as_str()), ("POST", PHONE_PATH));
    assert_eq!(seen[1].query["access_token"], "T1");
    assert_eq!(seen[1].content_type, "application/json");
    assert_eq!(seen[1].body, json!({ "code": CODE, "openid": OPENID }));

    wechat.client().phone_number(&app(), CODE, None, budget()).await.unwrap();
    assert_eq!(wechat.seen().last().unwrap().body, json!({ "code": CODE }));
}

#[tokio::test]
async fn a_calling_code_comes_as_number_or_text() {
    for country_code in [json!(852), json!("852"), json!("+852")] {
        let wechat = wechat(move |_| phone_with(&country_code, APP_ID)).await;
        let number = wechat.client().phone_number(&app(), CODE, None, budget()).await.unwrap();
        assert_eq!(number.e164(), "+85213800000000");
    }
}

#[tokio::test]
async fn a_number_for_another_app_or_without_its_parts_is_refused() {
    let other = wechat(|_| phone_with(&json!(86), "wxfedcba9876543210")).await;
    let error = other.client().phone_number(&app(), CODE, None, budget()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Watermark));
    assert!(error.is_ambiguous(), "the code is spent");

    for lie in [
        json!({}),
        json!({ "phone_info": {} }),
        json!({ "phone_info": { "watermark": { "timestamp": 1, "appid": APP_ID }, "countryCode": 86 } }),
        json!({ "phone_info": {
            "watermark": { "timestamp": 1, "appid": APP_ID }, "countryCode": 86, "purePhoneNumber": "1 or 1=1",
        }}),
    ] {
        let wechat = wechat(move |_| Reply::Json(lie.clone())).await;
        let error = wechat.client().phone_number(&app(), CODE, None, budget()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::MissingField { .. }), "{error}");
        assert!(error.is_ambiguous());
    }
}

#[tokio::test]
async fn calls_in_parallel_share_one_fetch_of_the_token() {
    let wechat = wechat(|_| phone()).await;
    let client = wechat.client();
    let app = app();
    let numbers = join_all((0..20).map(|_| client.phone_number(&app, CODE, None, budget()))).await;
    assert!(numbers.iter().all(Result::is_ok));
    assert_eq!((wechat.count(TOKEN_PATH), wechat.count(PHONE_PATH)), (1, 20));
}

#[tokio::test]
async fn a_refused_token_is_fetched_anew_and_the_call_repeated_once() {
    for errcode in [40001, 40014, 42001] {
        let wechat = wechat(move |seen| {
            if seen.query["access_token"] == "T1" { failure(errcode, "invalid credential") } else { phone() }
        })
        .await;
        wechat.client().phone_number(&app(), CODE, None, budget()).await.unwrap();
        assert_eq!((wechat.count(TOKEN_PATH), wechat.count(PHONE_PATH)), (2, 2));
        assert!(
            wechat
                .seen()
                .iter()
                .filter(|seen| seen.path == TOKEN_PATH)
                .all(|seen| seen.body["force_refresh"] == false)
        );
    }
}

#[tokio::test]
async fn a_token_that_is_refused_for_ever_is_fetched_anew_once() {
    let wechat = wechat(|_| failure(40001, "invalid credential")).await;
    let error = wechat.client().phone_number(&app(), CODE, None, budget()).await.unwrap_err();
    assert_eq!((error.errcode(), error.class()), (Some(40001), Class::Token));
    assert_eq!((wechat.count(TOKEN_PATH), wechat.count(PHONE_PATH)), (2, 2));
}

#[tokio::test]
async fn a_token_refused_to_many_is_fetched_anew_once() {
    let wechat = wechat(|seen| {
        if seen.query["access_token"] == "T1" { failure(42001, "access_token expired") } else { phone() }
    })
    .await;
    let client = wechat.client();
    let app = app();
    let numbers = join_all((0..10).map(|_| client.phone_number(&app, CODE, None, budget()))).await;
    assert!(numbers.iter().all(Result::is_ok));
    assert_eq!(wechat.count(TOKEN_PATH), 2);
}

#[tokio::test]
async fn other_errors_leave_the_token_alone() {
    for errcode in [40029, 40013, 45011, 48001, 50004, 99999] {
        let wechat = wechat(move |_| failure(errcode, "no")).await;
        let client = wechat.client();
        for _ in 0..2 {
            client.phone_number(&app(), CODE, None, budget()).await.unwrap_err();
        }
        assert_eq!((wechat.count(TOKEN_PATH), wechat.count(PHONE_PATH)), (1, 2), "{errcode}");
    }
}

#[tokio::test]
async fn a_wrong_secret_is_no_reason_to_fetch_again() {
    let wechat = WeChat::start(|_| failure(40001, &format!("invalid credential {SECRET}"))).await;
    let error = wechat.client().phone_number(&app(), CODE, None, budget()).await.unwrap_err();
    assert_eq!((error.errcode(), error.class()), (Some(40001), Class::Admin));
    assert!(!everything_printed(&error).contains(SECRET));
    assert_eq!(wechat.seen().len(), 1);
}

#[tokio::test]
async fn errors_reveal_no_token_code_or_openid() {
    let wechat = wechat(|seen| {
        failure(
            40003,
            &format!("{} {} {}", seen.query["access_token"], seen.body["code"], seen.body["openid"]),
        )
    })
    .await;
    let error = wechat.client().phone_number(&app(), CODE, Some(OPENID), budget()).await.unwrap_err();
    let text = everything_printed(&error);
    for hidden in ["T1", CODE, OPENID, "access_token"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_end_the_fetch_of_the_others() {
    let release = Arc::new(Notify::new());
    let held = Arc::clone(&release);
    let wechat = WeChat::start(move |seen| match seen.path.as_str() {
        TOKEN_PATH => Reply::Held(Arc::clone(&held), json!({ "access_token": "T1", "expires_in": 7200 })),
        _ => phone(),
    })
    .await;
    let client = wechat.client();
    let hurried =
        client.phone_number(&app(), CODE, None, Budget::of(Duration::from_millis(50))).await.unwrap_err();
    assert!(matches!(hurried.kind(), ErrorKind::BudgetExhausted));
    assert!(!hurried.is_ambiguous(), "the code was not sent");
    release.notify_one();
    client.phone_number(&app(), CODE, None, budget()).await.unwrap();
    assert_eq!((wechat.count(TOKEN_PATH), wechat.count(PHONE_PATH)), (1, 1));
}

#[tokio::test]
async fn a_token_that_cannot_be_had_leaves_the_code_unspent() {
    let wechat = WeChat::start(|_| Reply::Raw(502, "text/html", b"<html>".to_vec())).await;
    let error = wechat.client().phone_number(&app(), CODE, None, budget()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Status { status: 502 }));
    assert_eq!((error.endpoint(), error.class()), (Endpoint::StableToken, Class::Retry));
    assert!(!error.is_ambiguous());
    assert_eq!((wechat.count(TOKEN_PATH), wechat.count(PHONE_PATH)), (1, 0));
}
