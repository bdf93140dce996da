//! Invalid input: the error names the problem, in the envelope of the client, and nothing is stored.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use futures::SinkExt as _;
use futures::channel::mpsc;
use hufu_testkit::administration::{call, key};
use hufu_testkit::on_both_engines;
use hufu_types::AdminRole;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::client::{
    AUTH, AUTH_BY_PHONE, BIND, Client, DECRYPT, GET_PHONE, GET_PROFILE, GRAPHQL, JWKS, LOGOUT, PHONE,
    REVOCATION, SIGNIN, SYSTEM, TOKEN, UPDATE_PROFILE, UPLOAD, WELL_KNOWN,
};
use crate::world::{MINI, Plan, SHOP_APP, World};

/// The calls that take a JSON object and answer in the envelope.
const ENVELOPED: [&str; 8] = [AUTH, AUTH_BY_PHONE, GET_PHONE, BIND, SIGNIN, UPDATE_PROFILE, PHONE, DECRYPT];

async fn message(client: Client<'_>) -> String {
    client.send_code("x").await.json()["message"].as_str().unwrap().to_owned()
}

on_both_engines! {
    async fn bodies_that_are_no_object_of_the_right_shape(database) {
        let world = World::new(database).await;
        world.person("bob");
        let token = world.client().log_in(MINI, "bob").await.token;
        let client = world.client().bearer(&token);
        let deep = "[".repeat(100_000);
        let bodies: [&[u8]; 14] = [
            b"",
            b" ",
            b"null",
            b"7",
            b"\"code\"",
            b"[]",
            b"[{\"code\":\"x\"}]",
            b"{",
            b"{\"code\":",
            b"{code:1}",
            b"code=x",
            b"{\"code\":\"\xff\"}",
            b"\xef\xbb\xbf{}",
            deep.as_bytes(),
        ];
        for path in ENVELOPED {
            for body in bodies {
                let send = client.send(Method::POST, path, "application/json", body.to_vec());
                let answer = world.stores_nothing(send).await;
                let message = answer.refused(2231);
                assert!(message.starts_with("The request is not valid"), "{path}: {message}");
                assert!(answer.log().contains("code=2231"), "{}", answer.log());
            }
        }
        for body in bodies {
            client.send(Method::POST, GRAPHQL, "application/json", body.to_vec()).await.refused(2231);
        }
        let wrong = json!({ "code": 7, "iv": [], "encryptedData": {}, "rawData": false, "extIdpConnidentifier": 1,
            "connection": [], "nickname": 7 });
        for path in ENVELOPED {
            world.stores_nothing(client.post(path, wrong.clone())).await.refused(2231);
            let twice =
                br#"{"code":"a","code":"b","connection":"a","connection":"b","nickname":1,"nickname":2}"#;
            client.send(Method::POST, path, "application/json", twice.to_vec()).await.refused(2231);
        }
        for query in [json!(7), json!(null), json!([]), json!(""), json!("{ user { nothing } }")] {
            client.post(GRAPHQL, json!({ "query": query })).await.refused(2231);
        }
        client.post(GRAPHQL, json!({ "query": "{ nothing }" })).await.refused(404);
        client.post(GRAPHQL, json!({ "query": "{ user { id } }", "variables": 7 })).await.refused(2231);
        assert_eq!(world.exchanges(), 1);
    }

    async fn what_is_missing_is_named(database) {
        let world = World::new(database).await;
        let sealed = json!({ "code": "x", "iv": "", "encryptedData": null });
        let both = |payload| {
            let connection = "wechat_mini_program_code_and_phone";
            json!({ "connection": connection, "wechatMiniProgramCodeAndPhonePayload": payload })
        };
        for (path, body, named) in [
            (AUTH, json!({}), "code"),
            (AUTH, json!({ "code": null }), "code"),
            (AUTH_BY_PHONE, json!({ "code": "x" }), "iv, encryptedData"),
            (AUTH_BY_PHONE, sealed.clone(), "iv, encryptedData"),
            (GET_PHONE, sealed, "iv, encryptedData"),
            (SIGNIN, json!({}), "connection"),
            (SIGNIN, json!({ "connection": "PASSWORD" }), "connection"),
            (SIGNIN, json!({ "connection": "wechat_mini_program_code" }), "wechatMiniProgramCodePayload"),
            (SIGNIN, json!({ "connection": "wechat_mini_program_phone" }), "wechatMiniProgramPhonePayload"),
            (
                SIGNIN,
                json!({ "connection": "wechat_mini_program_phone", "wechatMiniProgramPhonePayload": { "code": "x" } }),
                "encryptedData",
            ),
            (
                SIGNIN,
                json!({ "connection": "wechat_mini_program_code_and_phone" }),
                "wechatMiniProgramCodeAndPhonePayload",
            ),
            (SIGNIN, both(json!({})), "wxLoginInfo"),
            (SIGNIN, both(json!({ "wxLoginInfo": { "code": "x" } })), "wxPhoneInfo"),
            (PHONE, json!({}), "code"),
            (DECRYPT, json!({ "code": "x" }), "iv, encryptedData"),
        ] {
            let message = world.stores_nothing(world.client().post(path, body.clone())).await.refused(2231);
            assert!(message.contains(named), "{path} {body}: {message}");
        }
        assert_eq!(world.exchanges(), 0);
    }

    async fn malformed_codes_never_reach_wechat(database) {
        let world = World::new(database).await;
        for code in ["a b", "código", "co\nde", "\u{0}", &"x".repeat(513)] {
            let answer = world.stores_nothing(world.client().send_code(code)).await;
            let message = answer.refused(2207);
            assert!(message.contains("malformed"), "{message}");
        }
        assert_eq!(world.exchanges(), 0);
        // These are well-formed codes that must not be able to break out of the request to WeChat.
        for code in ["x", "&secret=y", "a%26b", "🔥", "'; DROP TABLE users; --".trim_end_matches(" --")] {
            let refusal = world.stores_nothing(world.client().send_code(code)).await;
            refusal.refused(2207);
        }
        for call in world.sandbox.calls(0) {
            assert_eq!((call.errcode, call.app_id.as_deref()), (Some(40029), Some(MINI)));
        }
    }

    async fn a_body_may_be_so_large_and_no_larger(database) {
        let world = Plan::new().limits(|limits| limits.body_bytes = 2_000).build(database).await;
        let padded = |length: usize| {
            let body = json!({ "code": "", "connection": "", "query": "", "padding": "" }).to_string();
            body.replace("\"padding\":\"\"", &format!("\"padding\":\"{}\"", "x".repeat(length - body.len())))
        };
        for path in ENVELOPED.into_iter().chain([GRAPHQL]) {
            let answer =
                world.client().send(Method::POST, path, "application/json", padded(2_001).into_bytes()).await;
            let message = answer.refused(413);
            assert!(message.contains("2000 bytes"), "{message}");
            let answer =
                world.client().send(Method::POST, path, "application/json", padded(2_000).into_bytes()).await;
            assert_ne!(answer.code(), 413, "{path}");
        }
        for path in [TOKEN, REVOCATION] {
            let answer = world.client().form(path, &[("token", &"x".repeat(2_000))]).await;
            answer.oauth_error("invalid_request");
        }
    }

    async fn oauth_forms_that_are_none(database) {
        let world = World::new(database).await;
        let client = world.client();
        client.form(TOKEN, &[]).await.oauth_error("invalid_request");
        client.form(TOKEN, &[("grant_type", "")]).await.oauth_error("invalid_request");
        client.form(TOKEN, &[("grant_type", "password")]).await.oauth_error("unsupported_grant_type");
        client.form(TOKEN, &[("grant_type", "refresh_token")]).await.oauth_error("invalid_request");
        client
            .form(TOKEN, &[("grant_type", "refresh_token"), ("refresh_token", "")])
            .await
            .oauth_error("invalid_request");
        client.refresh("unknown").await.oauth_error("invalid_grant");
        let twice = [("grant_type", "refresh_token"), ("refresh_token", "a"), ("refresh_token", "b")];
        client.form(TOKEN, &twice).await.oauth_error("invalid_request");
        client.form(REVOCATION, &[("token", "a"), ("token", "b")]).await.oauth_error("invalid_request");
        for path in [TOKEN, REVOCATION] {
            client.post(path, json!({ "grant_type": "refresh_token" })).await.oauth_error("invalid_request");
            client
                .send(Method::POST, path, "text/plain", vec![0xff, 0xfe])
                .await
                .oauth_error("invalid_request");
        }
    }

    async fn profile_changes_that_are_none(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let client = world.nobody().bearer(&user.token);
        let many: serde_json::Map<String, Value> =
            (0..101).map(|i| (format!("key{i}"), Value::Bool(true))).collect();
        for change in [
            json!({ "nickname": 7 }),
            json!({ "nickname": "x".repeat(1001) }),
            json!({ "nickname": "\u{0}" }),
            json!({ "gender": "X" }),
            json!({ "gender": 1 }),
            json!({ "photo": "javascript:alert(1)" }),
            json!({ "photo": "data:text/html,x" }),
            json!({ "customData": [] }),
            json!({ "customData": many }),
            json!({ "customData": { "": 1 } }),
            json!({ "customData": { "a b": 1 } }),
            json!({ "customData": { "a": "x".repeat(9000) } }),
        ] {
            world.stores_nothing(client.post(UPDATE_PROFILE, change)).await.refused(2231);
        }
        let privileged = json!({
            "username": "root", "phone": "+8613800000000", "email": "a@example.com", "status": "Suspended",
            "userId": "x", "loginsCount": 7, "phoneVerified": true, "password": "new",
        });
        let after = client.post(UPDATE_PROFILE, privileged).await.data();
        assert!(
            after["username"].is_null() && after["phone"].is_null() && after["email"].is_null(),
            "{after}"
        );
        assert_eq!(
            (&after["status"], &after["userId"], &after["loginsCount"]),
            (&json!("Activated"), &json!(user.id), &json!(1))
        );
        client.get(&format!("{GET_PROFILE}?withCustomData=perhaps&withCustomData=true")).await.data();
    }

    async fn calls_that_are_not_served_are_answered_as_the_clients_read_it(database) {
        let world = World::new(database).await;
        let client = world.client().header("origin", "https://h5.shop.example");
        let send = async |client: &Client<'_>, method: Method, path: &str| {
            client.send(method, path, "application/json", b"{}".to_vec()).await
        };
        for path in ["/api/v3/nothing", "/api/v2/nothing", "/api/v3/list-nothing", "/connections/social/x", "/graphql",
            "/graphql/v3", &format!("{AUTH}/x"), &format!("{GRAPHQL}/x")]
        {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                let answer = send(&client, method, path).await;
                let message = answer.refused(404);
                assert!(message.contains("docs/clients.md"), "{path}: {message}");
                assert_eq!(answer.headers["access-control-allow-origin"], "https://h5.shop.example", "{path}");
            }
            let chinese = send(&world.nobody().without("x-authing-lang"), Method::GET, path).await;
            assert!(chinese.to_string().contains("暂不支持"), "{path}: {chinese}");
        }
        for path in ENVELOPED.into_iter().chain([GRAPHQL, UPLOAD]) {
            let answer = send(&client, Method::GET, path).await;
            answer.refused(405);
            assert_eq!(answer.headers["allow"], "POST", "{path}");
        }
        for path in [WELL_KNOWN, LOGOUT, SYSTEM, GET_PROFILE] {
            send(&client, Method::POST, path).await.refused(405);
        }
    }

    async fn elsewhere_what_is_not_there_has_its_own_status(database) {
        let world = World::new(database).await;
        let client = world.client();
        let send = async |method: Method, path: &str| {
            client.send(method, path, "application/json", b"{}".to_vec()).await
        };
        for (method, path, status) in [
            (Method::GET, "/api/v3/me/nothing", 404),
            (Method::POST, "/api/v3/me/export", 405),
            (Method::GET, "/", 404),
            (Method::POST, "/nothing", 404),
            (Method::POST, "/healthz", 405),
        ] {
            let answer = send(method, path).await;
            let (json, id) = (answer.json(), answer.request_id());
            assert_eq!((u64::from(answer.status.as_u16()), answer.code()), (status, status), "{path}");
            assert_eq!((&json["statusCode"], &json["requestId"]), (&json!(status), &json!(id)), "{path}");
        }
        for (method, path, status) in
            [(Method::GET, "/admin/v1/nothing", 404), (Method::PATCH, "/admin/v1/keys", 405)]
        {
            let answer = send(method, path).await;
            assert_eq!((u64::from(answer.status.as_u16()), answer.code()), (status, status), "{path}");
            assert!(answer.json().get("statusCode").is_none(), "{answer}");
        }
        for (method, path, status) in [
            (Method::POST, "/oidc/nothing", 404),
            (Method::GET, "/oidc/auth/nothing", 404),
            (Method::GET, TOKEN, 405),
            (Method::GET, REVOCATION, 405),
            (Method::POST, JWKS, 405),
        ] {
            let answer = send(method, path).await;
            assert_eq!(answer.status, status, "{path}");
            answer.oauth_error("invalid_request");
        }
        let picture = send(Method::POST, "/uploads/x").await;
        assert_eq!((picture.status.as_u16(), picture.bytes.len()), (405, 0));
    }

    async fn a_path_parameter_that_cannot_be_read_is_not_there(database) {
        let world = World::new(database).await;
        let post = async |path: &str| world.client().post(path, json!({})).await;
        post("/api/v3/login-flows/%ff").await.refused(404);
        let own = world.client().send(Method::DELETE, "/api/v3/me/sessions/%ff", "", Vec::new()).await;
        assert_eq!((own.status.as_u16(), own.code(), &own.json()["statusCode"]), (404, 404, &json!(404)));
        let owner = key(&world, AdminRole::Owner, None).await;
        let reply = call(&world, Some(&owner), "GET", "/admin/v1/pools/%ff/users", None).await.is(404);
        assert_eq!(reply["code"], 404);
        let picture = world.nobody().get("/uploads/%ff").await;
        assert_eq!((picture.status.as_u16(), picture.bytes.len()), (404, 0));
        assert_eq!(picture.headers["cache-control"], "no-store");
    }

    async fn json_that_a_page_could_send_without_asking_is_refused(database) {
        let world = World::new(database).await;
        let body = br#"{"code":"a b","query":"{ user { id } }"}"#;
        let client = world.client();
        for path in ENVELOPED.into_iter().chain([GRAPHQL]) {
            for content_type in ["", "text/plain", "Text/Plain;charset=UTF-8", "text/plain; application/json",
                "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
            {
                let send = client.send(Method::POST, path, content_type, body.to_vec());
                let message = world.stores_nothing(send).await.refused(415);
                assert!(message.contains("application/json"), "{message}");
            }
        }
        for content_type in ["application/json", "application/json;charset=utf-8", "application/octet-stream"] {
            client.send(Method::POST, AUTH, content_type, body.to_vec()).await.refused(2207);
        }
    }

    async fn too_many_requests_at_the_token_endpoint_are_429(database) {
        let plan = Plan::new().limits(|limits| {
            limits.bodies_per_network = 1;
            limits.body_grace = Duration::from_secs(3600);
            limits.body_time = limits.body_grace;
        });
        let world = plan.build(database).await;
        let peer: SocketAddr = "203.0.113.7:40000".parse().unwrap();
        let (mut feed, chunks) = mpsc::channel::<Result<Vec<u8>, Infallible>>(0);
        let mut request = Request::post(TOKEN).body(Body::from_stream(chunks)).unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let slow = tokio::spawn(world.node.router.clone().oneshot(request));
        // A channel without capacity passes data on only when somebody reads.
        feed.send(Ok(b"grant_type=".to_vec())).await.unwrap();
        feed.flush().await.unwrap();
        let client = world.client().from(peer.ip());
        let answer = client.refresh("unknown").await;
        assert_eq!(answer.status, 429);
        answer.oauth_error("temporarily_unavailable");
        world.client().from([203, 0, 113, 8]).refresh("unknown").await.oauth_error("invalid_grant");
        drop(feed);
        slow.await.unwrap().unwrap();
        client.refresh("unknown").await.oauth_error("invalid_grant");
    }

    async fn messages_come_in_the_language_that_is_asked_for(database) {
        let world = World::new(database).await;
        let client = world.nobody().pool("unknown");
        for english in ["en", "en-US", "EN"] {
            assert!(message(client.clone().header("x-authing-lang", english)).await.is_ascii());
        }
        for chinese in ["zh-CN", "", "x", "语言"] {
            assert!(message(client.clone().header("x-authing-lang", chinese)).await.contains("用户池不存在"));
        }
        assert!(message(client.clone().without("x-authing-lang")).await.contains("用户池不存在"));
    }

    async fn a_request_id_is_taken_from_a_trusted_proxy_alone(database) {
        let plan = Plan::new().web(|web| web.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]);
        let world = plan.build(database).await;
        let proxied = world.nobody().from([10, 0, 0, 1]).header("x-forwarded-for", "203.0.113.7");
        let answer = proxied.clone().header("x-request-id", "my-own-1").send_code("x").await;
        assert_eq!((answer.request_id(), &answer.json()["requestId"]), ("my-own-1", &json!("my-own-1")));
        let long = "x".repeat(65);
        let bad = ["", "a b", "<script>", long.as_str()].map(|bad| (proxied.clone(), bad));
        for (client, id) in bad.into_iter().chain([(world.nobody(), "my-own-1")]) {
            let answer = client.header("x-request-id", id).send_code("x").await;
            assert!(answer.request_id().len() == 16 && answer.request_id() != id, "{id}");
        }
    }

    async fn the_log_calls_refused_what_was_refused(database) {
        let world = World::new(database).await;
        for (path, status, said) in [
            (WELL_KNOWN, 200, "answered"),
            ("/.well-known/openid-configuration", 302, "answered"),
            ("/no-such-path", 404, "refused"),
            ("/oidc/me", 401, "refused"),
        ] {
            let answer = world.nobody().get(path).await;
            assert_eq!(answer.status, status, "{answer}");
            let said_otherwise = ["answered", "refused"].into_iter().filter(|word| *word != said);
            let log = answer.log();
            assert!(log.contains(said), "{path}: {log}");
            assert!(said_otherwise.into_iter().all(|word| !log.contains(word)), "{path}: {log}");
        }
    }

    async fn health_and_readiness(database) {
        let world = Plan::new()
            .web(|web| web.warnings = vec!["WeChat is a simulator".to_owned()])
            .build(database)
            .await;
        let answer = world.nobody().get("/healthz").await;
        assert_eq!((answer.status.as_u16(), answer.bytes.as_slice()), (200, b"ok".as_slice()));
        let answer = world.nobody().get("/readyz").await;
        assert_eq!(answer.json(), json!({ "status": "ready", "warnings": ["WeChat is a simulator"] }));
    }

    async fn a_development_server_answers_only_to_its_own_names(database) {
        let world = Plan::new().web(|web| web.loopback_hosts_only = true).build(database).await;
        world.person("bob");
        // The test client sends `Host: id.example.com`.
        let answer = world.client().app(SHOP_APP).send_code(&world.code(MINI, "bob")).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (403, 403));
        assert_eq!(world.exchanges(), 0);
    }
}
