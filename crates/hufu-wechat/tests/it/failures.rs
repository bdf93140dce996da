//! Failures and invalid responses of the server: what the error says, and what it does not reveal.

use std::time::Duration;

use hufu_wechat::{Class, Client, Error, ErrorKind, Settings};
use serde_json::json;
use tokio::{io::AsyncReadExt as _, net::TcpListener};
use url::Url;

use crate::fake::{
    CODE, OPENID, RID, Reply, SECRET, SESSION_KEY, WeChat, app, budget, everything_printed, failure, settings,
};

async fn refused(answer: impl Fn() -> Reply + Send + Sync + 'static) -> Error {
    let wechat = WeChat::start(move |_| answer()).await;
    let error = wechat.client().code_to_session(&app(), CODE, budget()).await.unwrap_err();
    if error.errcode() != Some(-1) {
        assert_eq!(wechat.seen().len(), 1, "sent again after {error}");
    }
    error
}

#[tokio::test]
async fn a_refusal_has_a_code_a_class_and_a_request_id() {
    let error = refused(|| failure(40029, "invalid code")).await;
    assert_eq!(error.errcode(), Some(40029));
    assert_eq!(error.class(), Class::User);
    assert_eq!(error.rid(), Some(RID));
    assert!(!error.is_ambiguous());
    assert_eq!(error.to_string(), format!("WeChat code2Session: errcode 40029: invalid code, rid: {RID}"));
}

#[tokio::test]
async fn a_code_in_text_and_a_strange_shape_beside_it_are_understood() {
    let error = refused(|| Reply::Json(json!({ "errcode": "40163", "errmsg": "code been used" }))).await;
    assert_eq!((error.errcode(), error.class(), error.rid()), (Some(40163), Class::User, None));
    let error = refused(|| Reply::Json(json!({ "errcode": 40226, "openid": { "of": [] } }))).await;
    assert_eq!((error.errcode(), error.class()), (Some(40226), Class::Deny));
}

#[tokio::test]
async fn lies_are_ambiguous_and_never_a_session() {
    type Expected = fn(&ErrorKind) -> bool;
    let lies: [(Vec<u8>, Expected); 13] = [
        (b"<html>busy</html>".to_vec(), |kind| matches!(kind, ErrorKind::NotJson)),
        (b"".to_vec(), |kind| matches!(kind, ErrorKind::NotJson)),
        (b"{\"openid\":\"o".to_vec(), |kind| matches!(kind, ErrorKind::NotJson)),
        (b"{\"openid\":\"\xff\"}".to_vec(), |kind| matches!(kind, ErrorKind::NotJson)),
        (b"7".to_vec(), |kind| matches!(kind, ErrorKind::WrongShape)),
        (b"\"ok\"".to_vec(), |kind| matches!(kind, ErrorKind::WrongShape)),
        (b"{\"openid\":[]}".to_vec(), |kind| matches!(kind, ErrorKind::WrongShape)),
        (b"[]".to_vec(), |kind| matches!(kind, ErrorKind::MissingField { field: "openid" })),
        (b"{}".to_vec(), |kind| matches!(kind, ErrorKind::MissingField { field: "openid" })),
        (json!({ "openid": OPENID }).to_string().into_bytes(), |kind| {
            matches!(kind, ErrorKind::MissingField { field: "session_key" })
        }),
        (json!({ "openid": OPENID, "session_key": "c2hvcnQ=" }).to_string().into_bytes(), |kind| {
            matches!(kind, ErrorKind::MissingField { field: "session_key" })
        }),
        (json!({ "openid": "o\u{202e}", "session_key": SESSION_KEY }).to_string().into_bytes(), |kind| {
            matches!(kind, ErrorKind::MissingField { field: "openid" })
        }),
        (
            json!({ "openid": OPENID, "session_key": SESSION_KEY, "unionid": "x".repeat(500) })
                .to_string()
                .into_bytes(),
            |kind| matches!(kind, ErrorKind::MissingField { field: "unionid" }),
        ),
    ];
    for (body, expected) in lies {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let error = refused(move || Reply::Raw(200, "text/html", body.clone())).await;
        assert!(expected(error.kind()), "{shown}: {error}");
        assert!(error.is_ambiguous(), "{shown}");
        assert_eq!(error.class(), Class::Retry, "{shown}");
    }
}

#[tokio::test]
async fn a_status_of_a_gateway_is_ambiguous_and_no_redirect_is_followed() {
    for status in [302, 412, 500, 502, 503] {
        let error = refused(move || Reply::Raw(status, "text/html", b"<html>".to_vec())).await;
        assert!(matches!(error.kind(), ErrorKind::Status { status: got } if *got == status));
        assert!(error.is_ambiguous());
        assert_eq!(error.class(), Class::Retry);
    }
}

#[tokio::test]
async fn a_long_body_is_not_read_to_its_end() {
    let error = refused(|| Reply::Raw(200, "text/plain", vec![b' '; 64 * 1024 + 1])).await;
    assert!(matches!(error.kind(), ErrorKind::TooLarge { limit: 65536 }));
    assert!(error.is_ambiguous());

    // 4 KiB of JSON sent as 147 bytes: the limit counts decompressed bytes.
    let bomb = hex::decode(concat!(
        "1f8b0800000000000203edcac10a82301c07e077f99f3da45087c08383114e080a26e825a46d6e054e9838347a77ed29",
        "bafcbef3f7a1a043707e78bcf542679a9cb3d3f5b99ae37c2aaafbf28a5cda5b9e53427ed48353fbf197569607dd33d1",
        "a4ab654dcc2aaba489b5107c7f63f74b1d00000000000000fc1d7d376241f23ffb0f0000",
    ))
    .unwrap();
    let wechat = WeChat::start(move |_| Reply::Gzip(bomb.clone())).await;
    let client = Client::new(Settings { max_response_bytes: 1024, ..settings(&wechat.base) }).unwrap();
    let error = client.code_to_session(&app(), CODE, budget()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge { limit: 1024 }), "{error}");
}

#[tokio::test]
async fn silence_ends_in_a_time_out_after_one_request() {
    let wechat = WeChat::start(|_| Reply::Silence).await;
    let client =
        Client::new(Settings { call_timeout: Duration::from_millis(200), ..settings(&wechat.base) }).unwrap();
    let error = client.code_to_session(&app(), CODE, budget()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout));
    assert!(error.is_ambiguous());
    assert_eq!(error.class(), Class::Retry);
    assert_eq!(wechat.seen().len(), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_ambiguous() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let client = Client::new(settings(&base)).unwrap();
    let (app, breaks) = (app(), async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let _ = connection.read(&mut [0; 4096]).await.unwrap();
        drop(connection);
        // A client that connects again sends again.
        listener.accept().await.unwrap()
    });
    let error = tokio::select! {
        outcome = client.code_to_session(&app, CODE, budget()) => outcome.unwrap_err(),
        _ = breaks => panic!("the request was sent again"),
    };
    assert!(matches!(error.kind(), ErrorKind::Interrupted(_)), "{error:?}");
    assert!(error.is_ambiguous());
}

#[tokio::test]
async fn errors_reveal_no_secret_code_or_address() {
    let echo = format!("bad {SECRET} and {CODE}\r\nFAKE LOG LINE");
    let quoted = echo.clone();
    let lies = move |seen: &crate::fake::Seen| match seen.earlier {
        0 => failure(40029, &quoted),
        1 => Reply::Raw(200, "text/html", quoted.clone().into_bytes()),
        2 => Reply::Json(json!({ "openid": { "no": quoted } })),
        3 => Reply::Raw(502, "text/plain", quoted.clone().into_bytes()),
        4 => failure(-1, &quoted),
        5 => Reply::Silence,
        _ => unreachable!("sent again"),
    };
    let wechat = WeChat::start(lies).await;
    let client = Client::new(Settings {
        call_timeout: Duration::from_millis(200),
        max_retries: 0,
        ..settings(&wechat.base)
    })
    .unwrap();
    let mut errors = Vec::new();
    for _ in 0..6 {
        errors.push(client.code_to_session(&app(), CODE, budget()).await.unwrap_err());
    }
    drop(wechat);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nowhere = Url::parse(&format!("http://{nobody}/api")).unwrap();
    let unreachable = Client::new(Settings { max_retries: 0, ..settings(&nowhere) }).unwrap();
    errors.push(unreachable.code_to_session(&app(), CODE, budget()).await.unwrap_err());

    for error in errors {
        let text = everything_printed(&error);
        for hidden in [SECRET, CODE, "jscode2session", "FAKE LOG LINE\n", "\nFAKE"] {
            assert!(!text.contains(hidden), "{hidden:?} in {text}");
        }
    }
}
