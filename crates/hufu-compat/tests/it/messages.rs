//! Messages to users.

use hufu_testkit::on_both_engines;

use crate::world::World;

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
}
