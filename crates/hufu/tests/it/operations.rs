//! Readiness and metrics, which an operator's tools query.

use hufu_testkit::on_both_engines;

use crate::support::{Client, Instance, Server, free_address};

/// The value of a metric with these labels.
fn value(metrics: &str, name: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

on_both_engines! {
    async fn readiness_warns_of_a_wechat_that_is_not_wechats(database) {
        let instance = Instance::ready(database).await;
        let server = instance.serve().await;
        let readiness = server.client.get("/readyz").await;
        assert_eq!(readiness.status, 200);
        let readiness = readiness.json();
        assert_eq!(readiness["status"], "ready");
        let [warning] = readiness["warnings"].as_array().unwrap().as_slice() else { panic!("{readiness}") };
        let warning = warning.as_str().unwrap();
        assert!(warning.starts_with("[wechat] does not use WeChat's own hosts"), "{warning}");
        assert!(server.process.err.line_with(warning).await.contains(r#""level":"WARN""#));
        server.stop().await;

        // With WeChat's own addresses there is nothing to warn about, and no request is made.
        let file = std::fs::read_to_string(instance.path("hufu.toml")).unwrap();
        instance.write("hufu.toml", file.split("[wechat]").next().unwrap());
        let server = instance.serve().await;
        let readiness = server.client.get("/readyz").await.json();
        assert_eq!(readiness, serde_json::json!({ "status": "ready", "warnings": [] }));
    }

    async fn metrics_are_served_at_their_own_address_alone(database) {
        let instance = Instance::ready(database).await;
        let address = free_address();
        let mut command = instance.command(&["serve"]);
        let server = Server::start(command.env("HUFU_METRICS_LISTEN", address.to_string())).await;
        server.client.log_in(&instance.code(Some("alice"))).await.data();
        server.client.log_in(&instance.code(Some("alice"))).await.data();
        server.client.log_in_v3(&instance.code(Some("bob"))).await.data();
        let refused = server.client.log_in(&"0".repeat(32)).await;
        assert_eq!(refused.code(), 2207);

        let metrics = Client::of(&format!("http://{address}"));
        let text = metrics.get("/metrics").await.text;
        for (metric, expected) in [
            (r#"hufu_logins_total{outcome="created"}"#, 2.0),
            (r#"hufu_logins_total{outcome="known"}"#, 1.0),
            (r#"hufu_logins_total{outcome="refused"}"#, 1.0),
            (r#"hufu_refusals_total{code="2207"}"#, 1.0),
            (r#"hufu_http_request_seconds_count{route="/api/v3/signin-by-mobile"}"#, 1.0),
        ] {
            assert_eq!(value(&text, metric), Some(expected), "{metric}\n{text}");
        }
        assert_eq!(server.client.get("/metrics").await.status, 404);
        // Nobody can ask elsewhere while there is no certificate yet.
        for path in ["/healthz", "/readyz"] {
            assert_eq!(metrics.get(path).await.status, 200, "{path}");
        }
        for path in ["/oidc/.well-known/jwks.json", "/__sandbox/users", "/"] {
            assert_eq!(metrics.get(path).await.status, 404, "{path}");
        }
        server.stop().await.succeeded();
    }

    async fn without_an_address_metrics_are_served_nowhere_and_the_sandbox_never(database) {
        let instance = Instance::ready(database).await;
        let server = instance.serve().await;
        for path in ["/metrics", "/__sandbox", "/__sandbox/users", "/__sandbox/codes", "/api/sns/jscode2session", "/"] {
            assert_eq!(server.client.get(path).await.status, 404, "{path}");
        }
        let introspection = serde_json::json!({ "query": "{ __schema { queryType { name } } }" });
        let answer = server.client.post("/graphql/v2", &introspection).await.json();
        assert!(answer["errors"].is_array() && answer["data"]["__schema"].is_null(), "{answer}");
    }
}
