//! The outbox of development.

use hufu_app::connect::{Mail, Mailer as _, Outbox};
use hufu_testkit::on_both_engines;
use serde_json::Value;

use crate::client::Answer;
use crate::world::{Plan, World};

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.bytes.clone()).unwrap()
}

/// A world with an outbox that is shown, and two messages in it.
async fn world_with_messages(database: hufu_testkit::TestDatabase) -> World {
    let outbox = Outbox::new(std::sync::Arc::new(hufu_types::TestClock::new(crate::world::NOW)));
    for (subject, code) in [("First", "111111"), ("<script>alert('x')</script>&\"", "222222")] {
        let mail = Mail {
            to: hufu_types::Email::parse("bob@example.com").unwrap(),
            subject: subject.to_owned(),
            text: format!("Your code:\n{code} <b>"),
            html: None,
            code: Some(code.into()),
        };
        outbox.send(&mail).await.unwrap();
    }
    Plan::new().web(|web| web.outbox = Some(outbox)).build(database).await
}

on_both_engines! {
    async fn messages_speak_the_language_of_the_client(database) {
        let world = World::new(database).await;
        for (at, (language, word)) in
            [("zh-CN", "验证码"), ("zh-TW", "驗證碼"), ("ja-JP", "コード"), ("en-US", "code"), ("fr", "验证码")].iter().enumerate()
        {
            let client = world.client().header("x-authing-lang", language);
            let phone = format!("1380000000{at}");
            client.post("/api/v2/sms/send", serde_json::json!({ "phone": phone })).await.data();
            world.node.app.run_due_jobs().await;
            let sent = world.outbox().list().remove(0);
            world.secret(sent.code.as_deref().unwrap());
            assert!(sent.to.ends_with(&phone) && sent.text.contains(word), "{language}: {}", sent.text);
        }
    }

    async fn messages_are_listed_the_newest_first(database) {
        let world = world_with_messages(database).await;
        let answer = world.nobody().get("/dev/outbox.json").await;
        let list: Value = answer.json();
        assert_eq!((list[0]["code"].as_str(), list[1]["code"].as_str()), (Some("222222"), Some("111111")));
        assert_eq!((list[1]["channel"].as_str(), list[1]["to"].as_str()), (Some("email"), Some("bob@example.com")));
        assert_eq!((list[1]["subject"].as_str(), list[1]["at"].as_i64()), (Some("First"), Some(crate::world::NOW.0)));
        assert_eq!(list[1]["text"], "Your code:\n111111 <b>");
    }

    async fn the_page_speaks_the_readers_language_and_escapes_messages(database) {
        let world = world_with_messages(database).await;
        for (language, path, title) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", "/dev/outbox", "发件箱"),
            ("fr, en", "/dev/outbox", "Outbox"),
            ("fr", "/dev/outbox", "Outbox"),
            ("en", "/dev/outbox?lang=zh", "发件箱"),
        ] {
            let answer = world.nobody().header("accept-language", language).get(path).await;
            assert!(text(&answer).contains(&format!("<h1>{title}</h1>")), "{language} {path}");
            assert!(text(&answer).contains("222222") && text(&answer).contains("bob@example.com"));
            assert!(!text(&answer).contains("<script>alert") && !text(&answer).contains("222222 <b>"));
            assert!(text(&answer).contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;"));
        }
    }

    async fn nothing_is_inline_and_nothing_comes_from_elsewhere(database) {
        let world = world_with_messages(database).await;
        for path in ["/dev/outbox", "/dev/outbox.css", "/dev/outbox.js", "/dev/icon.svg"] {
            let answer = world.nobody().get(path).await;
            assert_eq!(answer.status, 200, "{path}");
            let policy = answer.headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
            assert_eq!(answer.headers["x-content-type-options"], "nosniff");
            assert!(!answer.headers.contains_key("access-control-allow-origin"));
            let elsewhere = text(&answer).replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "{path}");
            if path == "/dev/outbox" {
                assert!(!elsewhere.contains(" style=") && !elsewhere.contains(" onclick="), "{path}");
                assert_eq!(elsewhere.matches("<script").count(), 1);
            }
        }
    }

    async fn an_empty_outbox_says_how_to_begin(database) {
        let clock = std::sync::Arc::new(hufu_types::TestClock::new(crate::world::NOW));
        let world = Plan::new().web(|web| web.outbox = Some(Outbox::new(clock))).build(database).await;
        let answer = world.nobody().get("/dev/outbox").await;
        assert!(text(&answer).contains("No messages yet") && text(&answer).contains("/api/v3/send-sms"));
        assert_eq!(world.nobody().get("/dev/outbox.json").await.json(), serde_json::json!([]));
    }

    /// As in production, where no outbox is shown.
    async fn without_an_outbox_there_is_nothing(database) {
        let world = World::new(database).await;
        for path in ["/dev/outbox", "/dev/outbox.json", "/dev/outbox.css", "/dev/outbox.js", "/dev/icon.svg"] {
            assert_eq!(world.nobody().get(path).await.status, 404, "{path}");
        }
    }
}
