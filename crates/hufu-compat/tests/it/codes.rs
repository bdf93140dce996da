//! Login codes: within a minute the same code gives the same login. After an unclear outcome a code is not
//! sent to WeChat again.

use std::collections::HashSet;
use std::time::Duration;

use futures::future::join_all;
use hufu_sandbox::{Fault, WrongJson};
use hufu_testkit::on_both_engines;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{AUTH, DECRYPT, GET_PHONE, Mode, session_of};
use crate::logs;
use crate::world::{MINI, Plan, SHOP_APP, SHOP_WEB, World};

on_both_engines! {
    async fn the_same_code_again_is_the_same_login(database) {
        let world = World::new(database).await;
        world.person("bob");
        let code = world.code(MINI, "bob");
        let first = world.client().send_code(&code).await.user();
        let second = world.client().send_code(&code).await.user();
        world.advance(Duration::from_secs(60));
        let third = world.client().send_code(&code).await.user();
        for again in [&second, &third] {
            assert_eq!((&again.id, session_of(&again.token)), (&first.id, session_of(&first.token)));
        }
        let (path, body) = Mode::Code.request_with(&world, MINI, "bob", &code);
        let v3 = world.client().post(path, body).await.tokens();
        assert_eq!(session_of(&v3.access), session_of(&first.token), "whichever client sends it");
        assert_eq!((world.rows("sessions").await, world.exchanges()), (1, 1));

        world.advance(Duration::from_millis(1));
        world.stores_nothing(world.client().send_code(&code)).await.refused(2206);
    }

    async fn the_same_code_twenty_times_at_once_is_one_login(database) {
        let world = World::new(database).await;
        world.person("bob");
        for mode in [Mode::V2Code, Mode::Code] {
            let before = (world.rows("sessions").await, world.exchanges());
            let (path, body) = mode.request(&world, MINI, "bob");
            let logins = (0..20).map(|_| {
                let (client, body) = (world.client(), body.clone());
                async move { client.post(path, body).await }
            });
            let answers = join_all(logins).await;
            let sessions: HashSet<String> = answers
                .iter()
                .map(|answer| match mode {
                    Mode::V2Code => session_of(&answer.user().token),
                    _ => session_of(&answer.tokens().access),
                })
                .collect();
            assert_eq!(sessions.len(), 1);
            assert_eq!((world.rows("sessions").await, world.exchanges()), (before.0 + 1, before.1 + 1));
        }
    }

    async fn a_code_belongs_to_the_application_that_sent_it(database) {
        let world = World::new(database).await;
        world.person("bob");
        let code = world.code(MINI, "bob");
        world.client().send_code(&code).await.user();
        let other = world.nobody().app(SHOP_WEB);
        let body = json!({ "code": code, "extIdpConnidentifier": "shop-mini" });
        world.stores_nothing(other.post(AUTH, body)).await.refused(2206);
        assert_eq!(world.exchanges(), 1);
    }

    async fn helpers_and_a_login_share_one_exchange(database) {
        let world = World::new(database).await;
        world.person("bob");
        let code = world.code(MINI, "bob");
        let sealed = world.sealed(MINI, &code, hufu_sandbox::DataKind::Phone);
        let body = json!({ "code": code, "iv": sealed.iv, "encryptedData": sealed.encrypted_data });
        world.client().post(GET_PHONE, body.clone()).await.data();
        let user = world.client().send_code(&code).await.user();
        world.client().post(DECRYPT, body).await.data();
        let again = world.client().send_code(&code).await.user();
        assert_eq!(session_of(&again.token), session_of(&user.token), "a helper does not forget the login");
        assert_eq!(world.exchanges(), 1);
    }

    async fn another_node_finds_the_login_of_a_code(database) {
        let world = World::new(database).await;
        let other_node = world.another_node().await;
        world.person("bob");
        let code = world.code(MINI, "bob");
        let first = world.client().send_code(&code).await.user();
        let second = world.client_of(&other_node).send_code(&code).await.user();
        assert_eq!(session_of(&second.token), session_of(&first.token));
        assert_eq!(world.exchanges(), 2, "the other node asked WeChat, which said that the code was used");
        assert_eq!(world.rows("sessions").await, 1);

        world.advance(Duration::from_millis(60_001));
        world.client_of(&other_node).send_code(&code).await.refused(2206);
    }

    async fn another_node_waits_for_the_login_of_a_code(database) {
        let world = World::new(database).await;
        let other_node = world.another_node().await;
        world.person("bob");
        let code = world.code(MINI, "bob");
        // WeChat carries out the first call immediately, but its response is delayed.
        world.exchange_fault(Fault { delay_ms: 300, ..Fault::default() });
        let client = world.client();
        let first = client.send_code(&code);
        let second = async {
            while world.exchanges() == 0 {
                tokio::task::yield_now().await;
            }
            world.client_of(&other_node).send_code(&code).await
        };
        let (first, second) = tokio::join!(first, second);
        assert_eq!(session_of(&second.user().token), session_of(&first.user().token));
        assert_eq!(world.rows("sessions").await, 1);
    }

    async fn another_node_waits_no_longer_than_it_should(database) {
        let plan = Plan::new().limits(|limits| limits.code_record_wait = Duration::from_millis(60));
        let world = plan.build(database).await;
        let other_node = world.another_node().await;
        world.person("bob");
        let code = world.code(MINI, "bob");
        // The response to the first node is lost, so the record will never be written.
        world.exchange_fault(Fault { drop_connection: true, after: true, ..Fault::default() });
        world.client().send_code(&code).await.refused(1000);
        world.client_of(&other_node).send_code(&code).await.refused(2206);
    }

    /// After a timeout, a gateway error, HTML, garbage, or a connection cut after the request, WeChat may
    /// have consumed the code.
    async fn after_an_unclear_outcome_a_code_is_not_sent_again(database) {
        let plan = Plan::new().wechat(|wechat| wechat.call_timeout = Duration::from_millis(150));
        let world = plan.build(database).await;
        world.person("bob");
        let faults = [
            (Fault { delay_ms: 60_000, ..Fault::default() }, 408),
            (Fault { http_status: Some(502), ..Fault::default() }, 1000),
            (Fault { http_status: Some(500), after: true, ..Fault::default() }, 1000),
            (Fault { html: true, ..Fault::default() }, 500),
            (Fault { drop_connection: true, ..Fault::default() }, 1000),
            (Fault { wrong_json: Some(WrongJson::Truncated), ..Fault::default() }, 500),
            (Fault { wrong_json: Some(WrongJson::Types), ..Fault::default() }, 500),
            (Fault { wrong_json: Some(WrongJson::Empty), ..Fault::default() }, 500),
            (Fault { wrong_json: Some(WrongJson::Array), after: true, ..Fault::default() }, 500),
        ];
        for mode in [Mode::V2Code, Mode::Code] {
            for (fault, refusal) in &faults {
                let before = world.exchanges();
                let (path, body) = mode.request(&world, MINI, "bob");
                world.exchange_fault(fault.clone());
                let answer = world.stores_nothing(world.client().post(path, body.clone())).await;
                answer.refused(*refusal);
                assert_eq!(world.exchanges(), before + 1, "{fault:?}: one request arrives at WeChat");
                world.stores_nothing(world.client().post(path, body)).await.refused(2206);
                assert_eq!(world.exchanges(), before + 1, "{fault:?}: the same code is not sent again");
            }
        }
        world.client().log_in(MINI, "bob").await;
    }

    async fn twenty_at_once_share_one_unclear_outcome(database) {
        let world = World::new(database).await;
        world.person("bob");
        let code = world.code(MINI, "bob");
        world.exchange_fault(Fault { http_status: Some(502), ..Fault::default() });
        let logins = (0..20).map(|_| {
            let (client, code) = (world.client(), &code);
            async move { client.send_code(code).await.code() }
        });
        let codes = world.stores_nothing(join_all(logins)).await;
        assert_eq!(world.exchanges(), 1);
        assert_eq!(codes.iter().filter(|code| **code == 1000).count(), 1);
        assert_eq!(codes.iter().filter(|code| **code == 2206).count(), 19);
    }

    async fn a_busy_wechat_is_asked_again(database) {
        let world = World::new(database).await;
        world.person("bob");
        world.exchange_fault(Fault { errcode: Some(-1), ..Fault::default() });
        world.exchange_fault(Fault { errcode: Some(-1), ..Fault::default() });
        world.client().log_in(MINI, "bob").await;
        assert_eq!(world.exchanges(), 3);

        // WeChat is busy for longer than one request keeps retrying. The code is still valid.
        let code = world.code(MINI, "bob");
        for _ in 0..3 {
            world.exchange_fault(Fault { errcode: Some(-1), ..Fault::default() });
        }
        let answer = world.stores_nothing(world.client().send_code(&code)).await;
        answer.refused(1000);
        world.client().send_code(&code).await.user();
    }

    async fn a_refused_connection_is_tried_again(database) {
        // A proxy, whose request id the test knows before there is an answer.
        let proxies = vec!["203.0.113.7/32".parse().unwrap()];
        let plan = Plan::new().web(|web| web.trusted_proxies = proxies).wechat(|wechat| {
            wechat.max_retries = 1_000;
            wechat.backoff = Duration::from_millis(5);
            wechat.max_backoff = Duration::from_millis(5);
        });
        let (world, address) = plan.build_unreachable(database).await;
        world.person("bob");
        let code = world.code(MINI, "bob");
        let id = format!("it-out-of-reach-{}", database_name(&world));
        let client = world.client().header("x-request-id", &id);
        let back = async {
            logs::wait_for(&id, "out of reach").await;
            world.serve_wechat(TcpListener::bind(address).await.unwrap());
        };
        let (answer, ()) = tokio::join!(client.send_code(&code), back);
        answer.user();
        assert_eq!(world.exchanges(), 1);
    }

    async fn a_code_that_never_left_is_still_good(database) {
        let (world, address) = Plan::new().build_unreachable(database).await;
        world.person("bob");
        let code = world.code(MINI, "bob");
        world.stores_nothing(world.client().send_code(&code)).await.refused(1000);
        world.serve_wechat(TcpListener::bind(address).await.unwrap());
        world.client().send_code(&code).await.user();
        assert_eq!(world.exchanges(), 1);
    }

    /// Phones lose connections. The work that the request began is completed, and the next attempt finds the
    /// result.
    async fn a_client_that_hangs_up_finds_its_login_later(database) {
        let world = World::new(database).await;
        world.person("bob");
        let code = world.code(MINI, "bob");
        world.exchange_fault(Fault { delay_ms: 200, ..Fault::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = world.node.router.clone();
        let listener = hufu_web::Listener::new(listener, hufu_app::Limits::default());
        tokio::spawn(listener.serve(router, std::future::pending()));

        let body = json!({ "code": code }).to_string();
        let request = format!(
            "POST {AUTH} HTTP/1.1\r\nHost: {address}\r\nx-authing-app-id: {SHOP_APP}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut phone = TcpStream::connect(address).await.unwrap();
        phone.write_all(request.as_bytes()).await.unwrap();
        while world.exchanges() == 0 {
            tokio::task::yield_now().await;
        }
        drop(phone);

        let mut phone = TcpStream::connect(address).await.unwrap();
        let request = request.replace("Content-Length", "Connection: close\r\nContent-Length");
        phone.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        phone.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["code"], 200, "{body}");
        world.secret(body["data"]["token"].as_str().unwrap());
        assert_eq!((world.exchanges(), world.rows("sessions").await), (1, 1));
    }
}

/// Tells the test runs on the two engines apart.
fn database_name(world: &World) -> &'static str {
    world.node.app.store().engine()
}
