//! WeChat refuses, fails or sends wrong data. The client gets a stable code, the operator gets a log line
//! with WeChat's rid, and neither contains a secret.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header;
use axum::response::IntoResponse as _;
use hufu_sandbox::{AppPatch, AppState, Fault, NewUser};
use hufu_testkit::on_both_engines;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::{BIND, DECRYPT, GET_PHONE, Mode, PHONE};
use crate::world::{MINI, NOW, Plan, TWO, World};

fn exchange_answers(errcode: i32) -> Fault {
    Fault {
        path: Some("/sns/jscode2session".to_owned()),
        count: 1,
        errcode: Some(errcode),
        ..Fault::default()
    }
}

fn set_state(world: &World, state: AppState) {
    world.sandbox.change_app(MINI, AppPatch { state: Some(state), ..AppPatch::default() }).unwrap();
}

/// Does not wait for the record of another node, since there is none.
fn impatient() -> Plan {
    Plan::new().limits(|limits| limits.code_record_wait = Duration::ZERO)
}

/// Asserts that there is a line of this level with WeChat's request id.
fn assert_told(log: &str, level: &str) {
    let told = |line: &&str| line.contains("rid=") && line.contains("connection=shop-mini");
    let line = log.lines().find(told).unwrap_or_else(|| panic!("no rid: {log}"));
    assert!(line.trim_start().starts_with(level) && line.contains("errcode="), "{line}");
    let (_, rid) = line.split_once("rid=").unwrap();
    let rid = rid.trim_start_matches('"').get(..26).unwrap();
    assert!(rid.split('-').count() == 3 && rid.chars().all(|c| c == '-' || c.is_ascii_hexdigit()), "{line}");
}

on_both_engines! {
    async fn an_app_that_wechat_does_not_serve(database) {
        let world = World::new(database).await;
        world.person("bob");
        world.client().log_in(MINI, "bob").await;
        for (state, refusal) in [
            (AppState::Frozen, 2408),
            (AppState::Banned, 2408),
            (AppState::SecretReset, 2407),
            (AppState::SecretFrozen, 2407),
            (AppState::Deleted, 2407),
        ] {
            set_state(&world, state);
            for mode in Mode::ALL {
                let answer = world.stores_nothing(world.client().try_log_in(mode, MINI, "bob")).await;
                answer.refused(refusal);
                assert_told(&answer.log(), "ERROR");
            }
            // The other apps still work.
            world.client().log_in(TWO, "bob").await;
            set_state(&world, AppState::Ok);
            world.client().log_in(MINI, "bob").await;
        }
    }

    async fn an_app_whose_token_is_not_to_be_had_gives_no_numbers(database) {
        let world = World::new(database).await;
        world.person("bob");
        for (state, refusal) in
            [(AppState::Frozen, 2408), (AppState::SecretReset, 2407), (AppState::Deleted, 2407)]
        {
            let code = world.phone_code(MINI, "bob");
            set_state(&world, state);
            let answer = world.stores_nothing(world.client().post(PHONE, json!({ "code": code }))).await;
            answer.refused(refusal);
            assert_told(&answer.log(), "ERROR");
            set_state(&world, AppState::Ok);
            world.client().post(PHONE, json!({ "code": code })).await.data();
            // The next case needs a new token.
            world.sandbox.discard_tokens(MINI).unwrap();
        }
    }

    async fn every_refusal_of_an_exchange(database) {
        let world = impatient().build(database).await;
        world.person("bob");
        world.person_with(NewUser { name: Some("risky".to_owned()), risky: true, ..NewUser::default() });
        let answer = world.stores_nothing(world.client().try_log_in(Mode::V2Code, MINI, "risky")).await;
        answer.refused(1001);
        assert_told(&answer.log(), "WARN");
        for (errcode, refusal, level) in [
            (40029, 2207, "WARN"),
            (40163, 2206, "WARN"),
            (40226, 1001, "WARN"),
            (45011, 1002, "WARN"),
            (45009, 1002, "WARN"),
            (40013, 2407, "ERROR"),
            (40125, 2407, "ERROR"),
            (40164, 2407, "ERROR"),
            (50002, 2408, "ERROR"),
            (40002, 500, "WARN"),
            (99_999, 2407, "ERROR"),
        ] {
            world.sandbox.add_fault(exchange_answers(errcode)).unwrap();
            let mode = if errcode % 2 == 0 { Mode::Code } else { Mode::V2Code };
            let answer = world.stores_nothing(world.client().try_log_in(mode, MINI, "bob")).await;
            answer.refused(refusal);
            assert_told(&answer.log(), level);
            assert!(answer.log().contains(&format!("errcode={errcode}")), "{}", answer.log());
        }
    }

    async fn helpers_and_binding_are_told_the_same(database) {
        let world = World::new(database).await;
        world.person("bob");
        let token = world.client().log_in(TWO, "bob").await.token;
        for path in [GET_PHONE, DECRYPT, BIND] {
            for (errcode, refusal) in [(50002, 2408), (40125, 2407), (45011, 1002), (40029, 2207)] {
                world.sandbox.add_fault(exchange_answers(errcode)).unwrap();
                let body = json!({ "code": world.code(MINI, "bob"), "iv": "AAAA", "encryptedData": "AAAA" });
                let client = world.client().bearer(&token).referer(MINI);
                let answer = world.stores_nothing(client.post(path, body)).await;
                answer.refused(refusal);
                assert!(answer.log().contains("rid="), "{path}: {}", answer.log());
            }
        }
    }

    async fn a_code_of_another_mini_program_or_too_old(database) {
        let world = World::new(database).await;
        world.person("bob");
        let of_two = world.code(TWO, "bob");
        world.stores_nothing(world.client().referer(MINI).send_code(&of_two)).await.refused(2207);
        world.client().referer(TWO).send_code(&of_two).await.user();
        let old = world.code(MINI, "bob");
        world.advance(Duration::from_secs(301));
        world.stores_nothing(world.client().send_code(&old)).await.refused(2207);
    }

    async fn the_budget_of_a_request_ends_all_waiting(database) {
        let plan = Plan::new().limits(|limits| limits.request_budget = Duration::from_millis(150));
        let world = plan.build(database).await;
        world.person("bob");
        world.exchange_fault(Fault { delay_ms: 60_000, ..Fault::default() });
        let message = world.client().send_code(&world.code(MINI, "bob")).await.refused(408);
        assert!(message.contains("call wx.login again"), "{message}");
    }

    /// Lesson 13: a WeChat that repeats everything it was sent in its errors, and adds more.
    async fn no_secret_is_ever_logged(database) {
        const SESSION_KEY: &str = "tiihtNczf5v6AKRyjwEUhQ==";
        const OPENID: &str = "oGZUI0egBJY1zhBYw2KhdUfwVJJE";
        const UNIONID: &str = "oQ6J86_secret_unionid_0000001";
        const APP_TOKEN: &str = "61_app-token-that-nobody-should-see";
        const NUMBER: &str = "13700001111";

        let (world, address) = impatient().build_unreachable(database).await;
        let errcode = Arc::new(Mutex::new(0));
        let wanted = errcode.clone();
        let talkative = Router::new().fallback(move |request: Request| {
            let errcode = *wanted.lock().unwrap();
            async move {
                let (parts, body) = request.into_parts();
                let sent = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let sent = format!("{} {}", parts.uri, String::from_utf8_lossy(&sent));
                let answer: Value = match (errcode, parts.uri.path()) {
                    (0, "/api/sns/jscode2session") => {
                        json!({ "session_key": SESSION_KEY, "openid": OPENID, "unionid": UNIONID })
                    }
                    (_, "/api/cgi-bin/stable_token") => {
                        json!({ "access_token": APP_TOKEN, "expires_in": 7200 })
                    }
                    (0, _) => json!({ "errcode": 0, "errmsg": "ok", "phone_info": {
                        "phoneNumber": NUMBER, "purePhoneNumber": NUMBER, "countryCode": "86",
                        "watermark": { "timestamp": NOW.seconds(), "appid": MINI },
                    }}),
                    (errcode, _) => json!({
                        "errcode": errcode,
                        "errmsg": format!("bad {sent}, rid: 6129ee10-272863a4-64d75414"),
                    }),
                };
                ([(header::CONTENT_TYPE, "text/plain")], answer.to_string()).into_response()
            }
        });
        let listener = TcpListener::bind(address).await.unwrap();
        tokio::spawn(async move { axum::serve(listener, talkative).await });

        for secret in [SESSION_KEY, OPENID, UNIONID, APP_TOKEN, NUMBER] {
            world.secret(secret);
        }
        world.person("bob");
        let modes = [Mode::V2Code, Mode::Code, Mode::CodeAndPhone];
        for mode in modes {
            world.client().try_log_in(mode, MINI, "bob").await.logged_in();
        }
        let told = world.client().post(PHONE, json!({ "code": world.phone_code(MINI, "bob") })).await.data();
        assert_eq!(told["phoneNumber"], NUMBER);
        for code in [40029, 40163, 40226, 45011, 40013, 40125, 50002, -1, 99_999, 40001] {
            *errcode.lock().unwrap() = code;
            for mode in modes {
                let answer = world.client().try_log_in(mode, MINI, "bob").await;
                assert_ne!(answer.code(), 200);
                assert!(answer.log().contains("6129ee10-272863a4-64d75414"), "{code}: {}", answer.log());
                for secret in ["secret-of", APP_TOKEN, OPENID] {
                    assert!(!answer.to_string().contains(secret), "{answer}");
                }
            }
            world.client().post(PHONE, json!({ "code": world.phone_code(MINI, "bob") })).await;
        }
        // The world searches the log when it is dropped.
    }
}

/// The search that every test ends with does find secrets.
#[tokio::test]
#[should_panic(expected = "was logged")]
async fn the_scan_of_the_log_finds_secrets() {
    crate::logs::keep();
    let mark = crate::logs::mark();
    tracing::debug!(code = "a-secret-that-slipped-out", "a line of a test");
    crate::logs::assert_free_of(&["a-secret-that-slipped-out".to_owned()], mark);
}
