//! The calls of official accounts, the ways into a mini program, and where their app token comes from.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use hufu_wechat::{
    AppCredentials, AppToken, AppTokens, Budget, Class, Client, CodeImage, Endpoint, EnvVersion, Error,
    ErrorKind, ImageFormat, LONGEST_QR_LIFE, LinkExpiry, LinkTarget,
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::fake::{APP_ID, OPENID, Reply, Seen, WeChat, app, budget, everything_printed, failure};

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 and so on";
const SCENE: &str = "Zk3mQ9sT7vXc2bNa5dLe8p";

/// A WeChat that gives tokens, and responds to everything else with `answer`.
async fn wechat(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> WeChat {
    WeChat::start(move |seen| match seen.path.as_str() {
        "/cgi-bin/stable_token" => {
            Reply::Json(json!({ "access_token": format!("T{}", seen.earlier + 1), "expires_in": 7200 }))
        }
        _ => answer(seen),
    })
    .await
}

fn qr() -> Reply {
    Reply::Json(json!({ "ticket": "gQH47zwAAA==", "expire_seconds": 60, "url": "http://weixin.qq.com/q/a" }))
}

fn image() -> CodeImage<'static> {
    CodeImage { scene: SCENE, page: Some("pages/login"), env_version: EnvVersion::Release, width: 430 }
}

fn target() -> LinkTarget<'static> {
    LinkTarget {
        path: Some("/pages/login"),
        query: "ticket=abc",
        env_version: EnvVersion::Release,
        expiry: LinkExpiry::Days(1),
    }
}

/// Every call that carries an app token.
async fn call_all(client: &Client) -> Vec<Result<(), Error>> {
    let app = app();
    vec![
        client.phone_number(&app, "code", None, budget()).await.map(drop),
        client.create_qr_code(&app, SCENE, Duration::from_secs(60), budget()).await.map(drop),
        client.follower(&app, OPENID, budget()).await.map(drop),
        client.code_image(&app, &image(), budget()).await.map(drop),
        client.generate_scheme(&app, &target(), budget()).await.map(drop),
        client.generate_url_link(&app, &target(), budget()).await.map(drop),
    ]
}

fn answer(path: &str) -> Reply {
    match path {
        "/wxa/business/getuserphonenumber" => Reply::Json(json!({ "phone_info": {
            "purePhoneNumber": "13800000000", "countryCode": "86",
            "watermark": { "timestamp": 1, "appid": APP_ID },
        }})),
        "/cgi-bin/qrcode/create" => qr(),
        "/cgi-bin/user/info" => Reply::Json(json!({ "subscribe": 1, "openid": OPENID })),
        "/wxa/getwxacodeunlimit" => Reply::Raw(200, "image/jpeg", JPEG.to_vec()),
        "/wxa/generatescheme" => {
            Reply::Json(json!({ "errcode": 0, "openlink": "weixin://dl/business/?t=a" }))
        }
        "/wxa/generate_urllink" => Reply::Json(json!({ "errcode": 0, "url_link": "https://wxaurl.cn/a" })),
        path => panic!("{path}"),
    }
}

#[tokio::test]
async fn a_qr_code_is_created() {
    let wechat = wechat(|_| qr()).await;
    let client = wechat.client();
    let code = client.create_qr_code(&app(), SCENE, Duration::from_secs(60), budget()).await.unwrap();
    assert_eq!(code.ticket, "gQH47zwAAA==");
    assert_eq!(code.url, "http://weixin.qq.com/q/a");
    assert_eq!(code.expires_in, Duration::from_secs(60));
    assert!(!format!("{code:?}").contains("gQ"));

    let seen = &wechat.seen()[1];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/cgi-bin/qrcode/create"));
    assert_eq!(seen.query["access_token"], "T1");
    assert_eq!(
        seen.body,
        json!({
            "expire_seconds": 60, "action_name": "QR_STR_SCENE",
            "action_info": { "scene": { "scene_str": SCENE } },
        })
    );
    client.create_qr_code(&app(), SCENE, LONGEST_QR_LIFE * 2, budget()).await.unwrap();
    assert_eq!(wechat.seen()[2].body["expire_seconds"], 2_592_000);
}

#[tokio::test]
async fn a_follower_is_told_from_who_is_none() {
    for (answer, subscribed, unionid) in [
        (
            json!({ "subscribe": 1, "openid": OPENID, "unionid": "oU", "nickname": "", "sex": 0 }),
            true,
            Some("oU"),
        ),
        (json!({ "subscribe": "1", "openid": OPENID, "tagid_list": [1], "unionid": "" }), true, None),
        (json!({ "subscribe": 0, "openid": OPENID }), false, None),
    ] {
        let wechat = wechat(move |_| Reply::Json(answer.clone())).await;
        let follower = wechat.client().follower(&app(), OPENID, budget()).await.unwrap();
        assert_eq!((follower.subscribed, follower.unionid.as_deref()), (subscribed, unionid));
        let seen = &wechat.seen()[1];
        assert_eq!((seen.method.as_str(), seen.query["openid"].as_str()), ("GET", OPENID));
    }
    for lie in [
        json!({ "subscribe": 1 }),
        json!({ "subscribe": 1, "openid": "another" }),
        json!({ "openid": OPENID }),
    ] {
        let wechat = wechat(move |_| Reply::Json(lie.clone())).await;
        let error = wechat.client().follower(&app(), OPENID, budget()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::MissingField { .. }), "{error}");
    }
}

#[tokio::test]
async fn the_code_of_a_mini_program_is_an_image_or_an_error() {
    let png = b"\x89PNG\r\n\x1a\n and so on";
    for (bytes, format) in [(JPEG, ImageFormat::Jpeg), (png.as_slice(), ImageFormat::Png)] {
        // Whatever the content type says.
        let wechat = wechat(move |_| Reply::Raw(200, "application/json", bytes.to_vec())).await;
        let drawn = wechat.client().code_image(&app(), &image(), budget()).await.unwrap();
        assert_eq!((drawn.format, drawn.bytes.as_slice()), (format, bytes));
        assert_eq!(
            wechat.seen()[1].body,
            json!({
                "scene": SCENE, "page": "pages/login", "check_path": true, "env_version": "release", "width": 430,
            })
        );
    }

    let refused = wechat(|_| failure(41030, "invalid page")).await;
    let error = refused.client().code_image(&app(), &image(), budget()).await.unwrap_err();
    assert_eq!((error.errcode(), error.class()), (Some(41030), Class::Admin));

    for (body, kind) in [
        (b"<html>".to_vec(), "the response is not JSON"),
        (b"{}".to_vec(), "the response lacks a valid `image`"),
        (Vec::new(), "the response is not JSON"),
    ] {
        let wechat = wechat(move |_| Reply::Raw(200, "image/jpeg", body.clone())).await;
        let error = wechat.client().code_image(&app(), &image(), budget()).await.unwrap_err();
        assert_eq!(error.kind().to_string(), kind);
    }
    let huge = wechat(|_| Reply::Raw(200, "image/jpeg", [JPEG, &vec![0; 1024 * 1024]].concat())).await;
    let error = huge.client().code_image(&app(), &image(), budget()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge { limit: 1_048_576 }));
}

#[tokio::test]
async fn links_into_a_mini_program() {
    let wechat = wechat(|seen| answer(&seen.path)).await;
    let client = wechat.client();
    let scheme = client.generate_scheme(&app(), &target(), budget()).await.unwrap();
    assert_eq!(scheme, "weixin://dl/business/?t=a");
    let at = LinkTarget { expiry: LinkExpiry::At(1_700_000_000), ..target() };
    assert_eq!(client.generate_url_link(&app(), &at, budget()).await.unwrap(), "https://wxaurl.cn/a");
    assert_eq!(
        wechat.seen()[1].body,
        json!({
            "jump_wxa": { "path": "/pages/login", "query": "ticket=abc", "env_version": "release" },
            "expire_type": 1, "expire_interval": 1,
        })
    );
    assert_eq!(
        wechat.seen()[2].body,
        json!({
            "path": "/pages/login", "query": "ticket=abc", "env_version": "release",
            "expire_type": 0, "expire_time": 1_700_000_000,
        })
    );
}

#[tokio::test]
async fn every_call_fetches_a_refused_token_anew_once() {
    for errcode in [40001, 40014, 42001] {
        let wechat = wechat(move |seen| match seen.query["access_token"].as_str() {
            "T1" => failure(errcode, "invalid credential"),
            _ => answer(&seen.path),
        })
        .await;
        let client = wechat.client();
        for outcome in call_all(&client).await {
            outcome.unwrap();
        }
        // Only the first call meets the old token.
        assert_eq!(wechat.count("/cgi-bin/stable_token"), 2);
        assert_eq!(wechat.seen().len(), 2 + 6 + 1);
    }
    let wechat = wechat(|_| failure(40001, "invalid credential")).await;
    for (calls, outcome) in (1..).zip(call_all(&wechat.client()).await) {
        assert_eq!(outcome.unwrap_err().class(), Class::Token, "call {calls}");
    }
    assert_eq!(wechat.seen().len() - wechat.count("/cgi-bin/stable_token"), 2 * 6);
}

#[tokio::test]
async fn errors_reveal_nothing_that_was_sent() {
    let wechat = wechat(|seen| failure(40097, &format!("{:?} {}", seen.query, seen.body))).await;
    for outcome in call_all(&wechat.client()).await {
        let text = everything_printed(&outcome.unwrap_err());
        for hidden in ["T1", OPENID, SCENE, "ticket=abc"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }
}

/// A source of app tokens that counts, and can fail.
#[derive(Default)]
struct Shared {
    fetches: Mutex<i64>,
    refused: Mutex<Vec<i64>>,
    broken: bool,
}

impl AppTokens for Shared {
    fn get<'a>(&'a self, app: &'a AppCredentials, _: Budget) -> BoxFuture<'a, Result<AppToken, Error>> {
        async move {
            if self.broken {
                return Err(Error::token_source(std::io::Error::other("no database")));
            }
            assert_eq!(app.app_id, APP_ID);
            let fetch = *self.fetches.lock().unwrap();
            Ok(AppToken { token: format!("S{fetch}").into(), fetch })
        }
        .boxed()
    }

    fn refused<'a>(&'a self, _: &'a AppCredentials, token: &'a AppToken) -> BoxFuture<'a, ()> {
        async move {
            assert_eq!(token.token.expose_secret(), format!("S{}", token.fetch));
            self.refused.lock().unwrap().push(token.fetch);
            *self.fetches.lock().unwrap() += 1;
        }
        .boxed()
    }
}

#[tokio::test]
async fn tokens_come_from_where_the_caller_says() {
    let wechat = wechat(|seen| match seen.query["access_token"].as_str() {
        "S0" => failure(40001, "invalid credential"),
        _ => answer(&seen.path),
    })
    .await;
    let shared = Arc::new(Shared::default());
    let client = wechat.client().with_app_tokens(Arc::clone(&shared) as Arc<dyn AppTokens>);
    for outcome in call_all(&client).await {
        outcome.unwrap();
    }
    assert_eq!(*shared.refused.lock().unwrap(), [0]);
    assert_eq!(wechat.count("/cgi-bin/stable_token"), 0);

    let broken = client.with_app_tokens(Arc::new(Shared { broken: true, ..Shared::default() }));
    let error = broken.phone_number(&app(), "code", None, budget()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TokenSource(_)), "{error}");
    assert_eq!((error.endpoint(), error.class()), (Endpoint::StableToken, Class::Retry));
    assert!(!error.is_ambiguous() && everything_printed(&error).contains("no database"));
}

#[tokio::test]
async fn a_profile_is_read_whatever_its_lesser_fields_are() {
    let long_text = "A\u{1}\u{1f600}\n";
    let profile = |sex: Value, privilege: Value| {
        let body =
            json!({ "openid": OPENID, "nickname": "%", "sex": sex, "privilege": privilege }).to_string();
        body.replace('%', long_text).into_bytes()
    };
    for (sex, privilege, read) in [
        (json!(1), json!([]), Some(1)),
        (json!("2"), json!(["chinaunicom"]), Some(2)),
        (json!("male"), json!("chinaunicom"), None),
        (json!(null), json!(null), None),
        (json!(1.5), json!({}), None),
    ] {
        let body = profile(sex, privilege);
        let wechat = WeChat::start(move |seen| match seen.path.as_str() {
            "/sns/oauth2/access_token" => Reply::Json(json!({
                "access_token": "U1", "openid": OPENID, "scope": "snsapi_userinfo", "is_snapshotuser": "1",
            })),
            _ => Reply::Raw(200, "text/plain", body.clone()),
        })
        .await;
        let client = wechat.client();
        let user = client.user_authorization(&app(), "code", budget()).await.unwrap();
        assert!(user.snapshot);
        let info = client.user_info(&user, budget()).await.unwrap();
        assert_eq!((info.nickname.as_deref(), info.sex), (Some("A\u{1f600}"), read));
    }
}
