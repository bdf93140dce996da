//! Injected faults.

use axum::http::Method;
use hufu_sandbox::{Fault, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{SECRET, SHOP, SHOP_ALSO, World};

async fn inject(world: &World, fault: Value) {
    world.control(Method::POST, "/faults", fault).await;
}

#[tokio::test]
async fn busy_for_as_many_calls_as_asked_and_only_there() {
    let world = World::new();
    inject(&world, json!({ "path": "/sns/jscode2session", "app_id": SHOP, "errcode": -1, "count": 2 })).await;
    assert_eq!(world.stable_token(SHOP, false).await.errcode(), 0, "another endpoint");
    world.log_in(SHOP_ALSO, "alice").await;
    let code = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
    for _ in 0..2 {
        let answer = world.login(SHOP, &code).await;
        assert_eq!(answer.errcode(), -1);
        assert!(answer.text.contains("system error, rid: "), "{}", answer.text);
    }
    assert_eq!(world.login(SHOP, &code).await.errcode(), 0, "the code was not spent");
}

#[tokio::test]
async fn a_fault_after_the_call_leaves_the_code_spent() {
    let world = World::new();
    inject(&world, json!({ "errcode": -1, "after": true })).await;
    let code = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
    assert_eq!(world.login(SHOP, &code).await.errcode(), -1);
    assert_eq!(world.login(SHOP, &code).await.errcode(), 40163);
}

#[tokio::test]
async fn gateways_answer_html() {
    let world = World::new();
    inject(&world, json!({ "path": "/sns/jscode2session", "http_status": 502 })).await;
    inject(&world, json!({ "path": "/sns/jscode2session", "html": true })).await;
    let code = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
    for status in [502, 200] {
        let answer = world.login(SHOP, &code).await;
        assert_eq!((answer.status.as_u16(), answer.label()), (status, "text/html"));
        assert!(answer.text.starts_with("<html>"));
    }
    assert_eq!(world.login(SHOP, &code).await.errcode(), 0);
}

#[tokio::test]
async fn json_can_be_wrong_in_four_ways() {
    let world = World::new();
    for way in [json!(true), json!("truncated"), json!("types"), json!("empty"), json!("array")] {
        inject(&world, json!({ "path": "/sns/jscode2session", "wrong_json": way })).await;
        let answer = world.login(SHOP, "x").await;
        let openid = serde_json::from_str::<Value>(&answer.text)
            .ok()
            .and_then(|it| it["openid"].as_str().map(str::len));
        assert_eq!((answer.status.as_u16(), openid), (200, None), "{way}");
    }
}

#[tokio::test]
async fn a_watermark_can_name_another_app() {
    let world = World::new();
    inject(&world, json!({ "path": "/wxa/business/getuserphonenumber", "wrong_watermark": true })).await;
    let token = world.token(SHOP).await;
    let code = world.sandbox.phone_code(SHOP, Some("alice")).unwrap();
    let answer = world.phone_number(&token, json!({ "code": code })).await.json();
    assert_eq!(answer["errcode"], 0);
    assert_ne!(answer["phone_info"]["watermark"]["appid"], SHOP);
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_is_carried_out_before_it_waits() {
    let world = World::new();
    inject(&world, json!({ "path": "/sns/jscode2session", "delay_ms": 5000 })).await;
    let code = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
    let impatient = tokio::time::timeout(std::time::Duration::from_secs(1), world.login(SHOP, &code)).await;
    assert!(impatient.is_err());
    assert_eq!(world.login(SHOP, &code).await.errcode(), 40163, "the caller gave up, the code is spent");

    inject(&world, json!({ "path": "/sns/jscode2session", "delay_ms": 5000, "errcode": -1 })).await;
    let began = tokio::time::Instant::now();
    assert_eq!(world.login(SHOP, &code).await.errcode(), -1);
    assert!(began.elapsed().as_millis() >= 5000);
}

#[tokio::test]
async fn a_dropped_connection_ends_without_a_byte() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let sandbox: Sandbox = world.sandbox.clone();
    let server = tokio::spawn(sandbox.serve(listener, async { drop(stopped.await) }));

    let code = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
    let request = format!(
        "GET /api/sns/jscode2session?appid={SHOP}&secret={SECRET}&js_code={code}&grant_type=authorization_code \
         HTTP/1.1\r\nHost: api.weixin.qq.com\r\nConnection: close\r\n\r\n"
    );
    let exchange = async || {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        drop(connection.read_to_string(&mut answer).await);
        answer
    };
    let fault = Fault { drop_connection: true, count: 1, ..Fault::default() };
    world.sandbox.add_fault(fault).unwrap();
    assert_eq!(exchange().await, "");
    let answer = exchange().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("openid"), "{answer}");

    let errcodes: Vec<_> =
        world.sandbox.calls(0).iter().map(|call| (call.errcode, call.http_status)).collect();
    assert_eq!(errcodes, [(None, None), (Some(0), Some(200))]);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn faults_are_listed_cleared_and_checked() {
    let world = World::new();
    inject(&world, json!({ "errcode": 45011, "count": 5 })).await;
    let listed = world.control(Method::GET, "/faults", json!({})).await;
    assert_eq!(listed, json!({ "faults": [{ "errcode": 45011, "count": 5 }] }));
    world.control(Method::DELETE, "/faults", json!({})).await;
    assert_eq!(world.stable_token(SHOP, false).await.errcode(), 0);
    let senseless = [
        json!({}),
        json!({ "errcode": 0 }),
        json!({ "errcode": -1, "html": true }),
        json!({ "http_status": 99 }),
        json!({ "delay_ms": 120_001 }),
        json!({ "errorcode": -1 }),
    ];
    for fault in senseless {
        assert_eq!(world.post("/__sandbox/faults", fault.clone()).await.status, 400, "{fault}");
    }
}

#[tokio::test]
async fn a_fault_for_a_mistyped_path_is_refused_with_the_list_of_paths() {
    let world = World::new();
    for path in
        ["/sns/jscode2sesion", "/api/sns/jscode2session", "sns/jscode2session", "/sns/jscode2session/", ""]
    {
        let answer = world.post("/__sandbox/faults", json!({ "path": path, "errcode": -1 })).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(
            answer.text.contains("/sns/jscode2session, /wxa/business/getuserphonenumber"),
            "{}",
            answer.text
        );
    }
    let listed = world.control(Method::GET, "/faults", json!({})).await;
    assert_eq!(listed, json!({ "faults": [] }));
}
