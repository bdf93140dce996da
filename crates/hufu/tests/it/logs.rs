//! Even at its most verbose level, the server's log is machine-readable, covers each request, and contains no
//! secrets.

use std::collections::BTreeSet;

use hufu_sandbox::{DataKind, Fault, Options, Sandbox, UserPatch};
use hufu_testkit::on_both_engines;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    APP_ID, Answer, Client, Instance, PERSON_PHONE, POOL, SECRET, Server, fill, free_address, sandbox_options,
};

/// The WeChat of these tests generates the same codes and session keys each time.
fn options() -> Options {
    Options { seed: Some([7; 32]), ..sandbox_options() }
}

/// The session keys that WeChat returned for these first codes, from a second sandbox with the same seed.
async fn session_keys(codes: &[String]) -> Vec<String> {
    let twin = Sandbox::new(options());
    fill(&twin);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::of(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(twin.clone().serve(listener, std::future::pending()));
    let mut keys = Vec::new();
    for code in codes {
        assert_eq!(twin.login_code(APP_ID, Some("alice")).unwrap(), *code, "it is a twin");
        let exchange = format!(
            "/api/sns/jscode2session?appid={APP_ID}&secret={SECRET}&js_code={code}&grant_type=authorization_code"
        );
        keys.push(client.get(&exchange).await.json()["session_key"].as_str().unwrap().to_owned());
    }
    keys
}

/// Tokens of any kind in a response.
fn tokens(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let (true, Some(text)) = (name.ends_with("token"), value.as_str()) {
                    found.push(text.to_owned());
                }
                tokens(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| tokens(item, found)),
        _ => {}
    }
}

/// A connection of the pool that gets messages of an official account.
const ACCOUNT: &str = r#"
[[user_pool]]
id = "6560c0ffee00000000000001"
name = "Shop"
  [[user_pool.connection]]
  identifier = "shop-oa"
  type = "wechatmp-qrcode"
  fields = { app_id = "wx00000000000000a5", app_secret = "s", original_id = "gh_0123456789ab", token = "shoptoken", encryption = "plain" }
"#;

on_both_engines! {
    async fn a_message_that_is_refused_is_told_in_one_sentence(database) {
        let instance = Instance::ready(database).await;
        instance.write("account.toml", ACCOUNT);
        instance.run(&["apply", "account.toml"]).await.succeeded();
        let server = instance.serve().await;
        let answer = server.client.post(&format!("/connections/social/shop-oa/{POOL}/events"), &json!({})).await;
        assert_eq!(answer.json()["code"], 2600, "{answer:?}");
        let line: Value = serde_json::from_str(&server.process.err.line_with("message of an official account").await).unwrap();
        let told = "The signature of the message is missing or wrong: check that the token in WeChat's settings is the \
                    connection's";
        assert_eq!((line["error"].as_str(), line["code"].as_u64()), (Some(told), Some(2600)), "{line}");
    }

    async fn every_line_is_json_and_none_holds_a_secret(database) {
        let instance = Instance::with_sandbox(database, options()).await;
        let codes: Vec<String> = (0..9).map(|_| instance.code(Some("alice"))).collect();
        instance.prepare().await;
        let metrics = free_address();
        let mut command = instance.command(&["serve"]);
        command.env("HUFU_LOG", "debug").env("HUFU_METRICS_LISTEN", metrics.to_string());
        let server = Server::start(&mut command).await;
        let client = &server.client;

        let mut answers = vec![
            client.log_in(&codes[0]).await,
            client.log_in_v3(&codes[1]).await,
            client.log_in_from(APP_ID, &codes[2]).await,
        ];
        let sealed = instance.sandbox.sealed_data(APP_ID, &codes[3], DataKind::Phone).unwrap();
        let by_phone = json!({ "code": codes[3], "iv": sealed.iv, "encryptedData": sealed.encrypted_data });
        answers.push(client.post("/connections/social/wechat-miniprogram/auth-by-phone", &by_phone).await);
        let phone_code = instance.sandbox.phone_code(APP_ID, Some("alice")).unwrap();
        let by_both = json!({
            "connection": "wechat_mini_program_code_and_phone",
            "wechatMiniProgramCodeAndPhonePayload": {
                "wxLoginInfo": { "code": codes[4], "iv": "", "encryptedData": "" },
                "wxPhoneInfo": { "code": phone_code },
            },
            "options": { "scope": "openid phone offline_access" },
        });
        answers.push(client.post("/api/v3/signin-by-mobile", &by_both).await);
        for answer in &answers {
            answer.data();
        }
        let refresh_token = answers[1].data()["refresh_token"].as_str().unwrap().to_owned();
        answers.push(client.refresh(&refresh_token).await);
        answers.push(client.profile(&answers[1].token()).await);
        assert_eq!(answers[6].code(), 200);

        // Refusals: a code used twice, codes that fail because of WeChat or the network, and invalid tokens
        // and bodies.
        let mut refused = vec![client.log_in(&"f".repeat(32)).await];
        for fault in [
            Fault { errcode: Some(40226), ..Fault::default() },
            Fault { errcode: Some(40125), ..Fault::default() },
            Fault { html: true, ..Fault::default() },
            Fault { drop_connection: true, ..Fault::default() },
        ] {
            let fault = Fault { path: Some("/sns/jscode2session".to_owned()), count: 1, ..fault };
            instance.sandbox.add_fault(fault).unwrap();
            refused.push(client.log_in(&codes[4 + refused.len()]).await);
        }
        refused.push(client.post("/connections/social/wechat-miniprogram/auth", &json!({ "code": 5 })).await);
        refused.push(client.profile("no.such.token").await);
        for answer in &refused {
            assert_ne!(answer.code(), 200, "{answer:?}");
        }
        let leaky = format!("/api/v3/get-profile?access_token={refresh_token}&code={}", codes[0]);
        refused.push(client.get(&leaky).await);
        refused.push(client.get(&format!("/nothing/{}", codes[0])).await);
        refused.push(client.refresh("none").await);
        // Tokens in the URL, as the published clients send them here.
        let (user, access) = (answers[0].token(), answers[1].token());
        for query in [format!("id_token={user}"), format!("access_token={access}")] {
            let answer = client.get(&format!("/api/v2/oidc/validate_token?{query}")).await;
            assert!(answer.json()["sub"].is_string(), "{answer:?}");
            answers.push(answer);
        }
        let wrong = format!("/api/v2/oidc/validate_token?access_token={refresh_token}");
        refused.push(client.get(&wrong).await);
        let counted = Client::of(&format!("http://{metrics}")).get("/metrics").await.text;
        assert!(counted.contains("route=\"/api/v2/oidc/validate_token\""), "{counted}");
        let ran = server.stop().await;
        assert_eq!(ran.code, Some(0));

        let lines: Vec<Value> = ran.err.lines().map(|line| {
            serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))
        }).collect();
        assert_tells(&lines, &answers, &refused);

        let mut secrets = vec![SECRET.to_owned(), PERSON_PHONE.to_owned(), phone_code, sealed.encrypted_data];
        secrets.extend(std::fs::read_to_string(instance.path("hufu.key")).map(|key| key.trim().to_owned()));
        secrets.extend(session_keys(&codes).await);
        secrets.extend(codes);
        for answer in &answers {
            tokens(&answer.json(), &mut secrets);
        }
        let alice = instance.sandbox.change_user("alice", UserPatch::default()).unwrap();
        for ids in alice.ids {
            secrets.extend([Some(ids.openid), ids.unionid].into_iter().flatten());
        }
        assert!(secrets.len() > 30 && secrets.iter().all(|secret| secret.len() > 8), "{}", secrets.len());
        let openid = answers[0].data()["openid"].as_str().unwrap().to_owned();
        assert!(secrets.contains(&openid), "they are the right ones");
        for secret in secrets {
            let line = ran.err.lines().find(|line| line.contains(&secret));
            assert!(line.is_none(), "{secret} was logged: {line:?}");
            let found = counted.lines().find(|line| line.contains(&secret));
            assert!(found.is_none(), "{secret} is in the metrics: {found:?}");
        }
    }
}

/// Asserts that each line has a time, a level and a message, and that each request has a line with the id
/// that its client received.
fn assert_tells(lines: &[Value], answers: &[Answer], refused: &[Answer]) {
    for line in lines {
        for field in ["timestamp", "level", "message", "target"] {
            assert!(line[field].is_string(), "no {field}: {line}");
        }
    }
    let has =
        |id: &str, what: fn(&Value) -> bool| lines.iter().any(|line| line["span"]["id"] == id && what(line));
    let mut ids = BTreeSet::new();
    for answer in answers.iter().chain(refused) {
        let id = answer.request_id.as_str();
        assert!(ids.insert(id) && has(id, |line| line["micros"].is_u64()), "no line of {answer:?}");
    }
    for answer in refused {
        if answer.json()["requestId"].is_string() {
            assert_eq!(answer.json()["requestId"], answer.request_id.as_str());
        }
    }
    for login in &refused[..5] {
        let told = has(&login.request_id, |line| line["level"] == "WARN" || line["level"] == "ERROR");
        assert!(told, "the operator is told nothing of {login:?}");
    }
}
