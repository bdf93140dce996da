//! User authorizations in mobile apps, on websites, and on web pages inside WeChat.

use hufu_wechat::{Class, Endpoint, ErrorKind};
use serde_json::{Value, json};

use crate::fake::{APP_ID, CODE, OPENID, Reply, SECRET, WeChat, app, budget, everything_printed, failure};

const TOKEN_PATH: &str = "/sns/oauth2/access_token";
const INFO_PATH: &str = "/sns/userinfo";

fn granted() -> Value {
    json!({
        "access_token": "USER-TOKEN",
        "expires_in": 7200,
        "refresh_token": "REFRESH-TOKEN",
        "openid": OPENID,
        "scope": "snsapi_base,snsapi_userinfo",
        "unionid": "oUnion",
    })
}

#[tokio::test]
async fn a_code_becomes_ids_and_a_token_that_asks_for_more() {
    let wechat = WeChat::start(|seen| {
        Reply::Json(match seen.path.as_str() {
            TOKEN_PATH => granted(),
            _ => json!({
                "openid": OPENID, "nickname": "小明", "sex": "1", "headimgurl": "https://thirdwx.qlogo.cn/a/132",
                "privilege": [], "unionid": "oUnion",
            }),
        })
    })
    .await;
    let client = wechat.client();
    let user = client.user_authorization(&app(), CODE, budget()).await.unwrap();
    assert_eq!((user.openid.as_str(), user.unionid.as_deref()), (OPENID, Some("oUnion")));
    assert!(user.has_scope("snsapi_userinfo") && !user.has_scope("snsapi") && !user.snapshot);
    let info = client.user_info(&user, budget()).await.unwrap();
    assert_eq!((info.nickname.as_deref(), info.sex), (Some("小明"), Some(1)));
    assert_eq!(info.avatar.as_deref(), Some("https://thirdwx.qlogo.cn/a/132"));
    assert!(!format!("{user:?}{info:?}").contains("小明") && !format!("{user:?}").contains("TOKEN"));

    let seen = wechat.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("GET", TOKEN_PATH));
    for (name, value) in
        [("appid", APP_ID), ("secret", SECRET), ("code", CODE), ("grant_type", "authorization_code")]
    {
        assert_eq!(seen[0].query[name], value);
    }
    assert_eq!((seen[1].path.as_str(), seen[1].query["access_token"].as_str()), (INFO_PATH, "USER-TOKEN"));
    assert_eq!(seen[1].query["openid"], OPENID);
}

#[tokio::test]
async fn a_snapshot_user_is_told_from_a_person() {
    let wechat = WeChat::start(|_| {
        let mut answer = granted();
        answer["is_snapshotuser"] = 1.into();
        Reply::Json(answer)
    })
    .await;
    assert!(wechat.client().user_authorization(&app(), CODE, budget()).await.unwrap().snapshot);
}

#[tokio::test]
async fn an_answer_without_its_parts_is_refused() {
    for lie in [
        json!({}),
        json!({ "openid": OPENID }),
        json!({ "access_token": "t" }),
        json!({ "access_token": "t", "openid": "a b" }),
        json!({ "access_token": "t", "openid": OPENID, "unionid": "x".repeat(200) }),
    ] {
        let wechat = WeChat::start(move |_| Reply::Json(lie.clone())).await;
        let error = wechat.client().user_authorization(&app(), CODE, budget()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::MissingField { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_is_said_of_another_user_is_refused() {
    let wechat = WeChat::start(|seen| {
        Reply::Json(if seen.path == TOKEN_PATH { granted() } else { json!({ "openid": "oSomebodyElse" }) })
    })
    .await;
    let client = wechat.client();
    let user = client.user_authorization(&app(), CODE, budget()).await.unwrap();
    let error = client.user_info(&user, budget()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::MissingField { field: "openid" }), "{error}");
}

#[tokio::test]
async fn a_refusal_names_its_class_and_no_secret() {
    for (errcode, class) in
        [(40029, Class::User), (40163, Class::User), (40125, Class::Admin), (50002, Class::Deny)]
    {
        let wechat = WeChat::start(move |_| failure(errcode, "no")).await;
        let error = wechat.client().user_authorization(&app(), CODE, budget()).await.unwrap_err();
        assert_eq!((error.class(), error.endpoint()), (class, Endpoint::SnsAccessToken), "{errcode}");
        let printed = everything_printed(&error);
        assert!(!printed.contains(SECRET) && !printed.contains(CODE), "{printed}");
    }
}
