//! The development outbox.

use hufu_testkit::on_both_engines;
use serde_json::Value;

use crate::server::{NOW, Plan, assets_of, with_messages};

on_both_engines! {
    async fn messages_are_listed_the_newest_first(database) {
        let server = with_messages(database).await;
        let answer = server.get("/dev/outbox.json", &[]).await;
        let list: Value = serde_json::from_slice(&answer.bytes).unwrap();
        assert_eq!((list[0]["code"].as_str(), list[1]["code"].as_str()), (Some("222222"), Some("111111")));
        assert_eq!((list[1]["channel"].as_str(), list[1]["to"].as_str()), (Some("email"), Some("bob@example.com")));
        assert_eq!((list[1]["subject"].as_str(), list[1]["at"].as_i64()), (Some("First"), Some(NOW.0)));
        assert_eq!(list[1]["text"], "Your code:\n111111 <b>");
    }

    async fn the_page_speaks_the_readers_language_and_escapes_messages(database) {
        let server = with_messages(database).await;
        for (language, path, title) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", "/dev/outbox", "发件箱"),
            ("fr, en", "/dev/outbox", "Outbox"),
            ("fr", "/dev/outbox", "Outbox"),
            ("en", "/dev/outbox?lang=zh", "发件箱"),
        ] {
            let answer = server.get(path, &[("accept-language", language)]).await;
            assert!(answer.text().contains(&format!("<h1>{title}</h1>")), "{language} {path}");
            assert!(answer.text().contains("222222") && answer.text().contains("bob@example.com"));
            assert!(!answer.text().contains("<script>alert") && !answer.text().contains("222222 <b>"));
            assert!(answer.text().contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;"));
        }
    }

    async fn nothing_is_inline_and_nothing_comes_from_elsewhere(database) {
        let server = with_messages(database).await;
        let mut paths = assets_of(&server.get("/dev/outbox", &[]).await.text());
        assert_eq!(paths.len(), 6, "{paths:?}");
        paths.push("/dev/outbox".to_owned());
        for path in paths {
            let answer = server.get(&path, &[]).await;
            assert_eq!(answer.status, 200, "{path}");
            let policy = answer.headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
            assert_eq!(answer.headers["x-content-type-options"], "nosniff");
            assert!(!answer.headers.contains_key("access-control-allow-origin"));
            let elsewhere = answer.text().replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "{path}");
            if path == "/dev/outbox" {
                assert!(!elsewhere.contains(" style=") && !elsewhere.contains(" onclick="), "{path}");
                assert_eq!(elsewhere.matches("<script").count(), 1);
            }
        }
    }

    async fn an_empty_outbox_says_how_to_begin(database) {
        let server = Plan::default().start(database).await;
        let answer = server.get("/dev/outbox", &[]).await;
        assert!(answer.text().contains("No messages yet") && answer.text().contains("/api/v3/send-sms"));
        assert_eq!(server.get("/dev/outbox.json", &[]).await.text(), "[]");
    }

    /// As in production, where there is no outbox.
    async fn without_an_outbox_there_is_nothing(database) {
        let server = Plan { outbox: None, ..Plan::default() }.start(database).await;
        for path in ["/dev/outbox", "/dev/outbox.json", "/dev/outbox.css", "/dev/outbox.js", "/dev/icon.svg"] {
            assert_eq!(server.get(path, &[]).await.status, 404, "{path}");
        }
    }
}
