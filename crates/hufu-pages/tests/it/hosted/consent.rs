//! What the consent page asks for: scopes of Hufu and of the pool, and APIs.

use hufu_testkit::on_both_engines;

use super::{Site, authorization, has, has_code};

/// What a shop adds, with everything in it that could break a page.
const MORE: &str = r#"  [[user_pool.scope]]
  name = "loyalty"
  title = { en = "See your <b>level</b>", zh-CN = "查看你的会员等级" }
  [[user_pool.scope]]
  name = "orders<read>&'x'"
  [[user_pool.application]]
  id = "orders-api"
  name = "Shop <orders>"
  type = "api"
  description = "Where orders are."
  resources = ["https://orders.shop.example.com"]
  [[user_pool.user]]
  username = "alice"
"#;

on_both_engines! {
    async fn the_page_names_scopes_and_apis(database) {
        let site = Site::new(database).await;
        site.world.reconfigure_with("  [[user_pool.user]]\n  username = \"alice\"\n", MORE).await;
        site.person("alice2").await;
        site.change(|application| application.login.consent = true).await;
        let asks = |scope: &str, more: &str| authorization(more).replace("scope=openid", &format!("scope={scope}"));
        let mut browser = site.browser();
        let answer = browser.log_in("alice2").await;
        let page = browser.go(answer).await;
        has(&page, "allow");
        assert!(!page.text().contains("orders"), "{}", page.text());
        has_code(&browser.submit(&page, &[("allow", "1")]).await);

        let scope = "openid+loyalty+orders%3Cread%3E%26%27x%27";
        let all = asks(scope, "&resource=https%3A%2F%2Forders.shop.example.com");
        let page = browser.follow(&all).await;
        has(&page, "allow");
        let html = page.text();
        for shown in ["<strong>See your ", "loyalty", "Shop ", "Use ", "Where orders are."] {
            assert!(html.contains(shown), "{shown}: {html}");
        }
        for raw in ["<b>", "<orders>", "<read>"] {
            assert!(!html.contains(raw), "{raw}: {html}");
        }
        browser.language = "zh-CN";
        let html = browser.follow(&all).await.text();
        assert!(html.contains("查看你的会员等级") && html.contains("代表你使用"), "{html}");
        let page = browser.follow(&all).await;
        has_code(&browser.submit(&page, &[("allow", "1")]).await);
        // What they agreed to is not asked again.
        has_code(&browser.follow(&all).await);
        has_code(&browser.follow(&asks("loyalty", "")).await);
    }
}
