//! Applications that let only those log in whom they list, in a browser.

use hufu_testkit::administration::{call, key};
use hufu_testkit::on_both_engines;
use hufu_testkit::world::{SHOP, SHOP_WEB};
use hufu_types::{Access, AdminRole};

use super::{BACK, PASSWORD, Site, authorization, has, has_code, has_not};

on_both_engines! {
    async fn a_listed_user_gets_through_and_another_is_told_what_to_do(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        site.person("carol").await;
        site.change(|application| application.login.access = Access::Listed).await;
        let manager = key(&site.world, AdminRole::Manager, Some(SHOP)).await;
        let users = call(&site.world, Some(&manager), "GET", &format!("/admin/v1/pools/{SHOP}/users?limit=100"), None).await.is(200);
        let carol = users["users"].as_array().unwrap().iter().find(|user| user["username"] == "carol").unwrap();
        let list = format!("/admin/v1/pools/{SHOP}/applications/{SHOP_WEB}/users/{}", carol["id"].as_str().unwrap());
        call(&site.world, Some(&manager), "PUT", &list, None).await.is(204);

        let mut browser = site.browser();
        let page = browser.begin().await;
        has_not(&page, "link-register");
        let answer = browser.log_in("bob").await;
        let page = browser.go(answer).await;
        assert!(page.status == 200 && page.text().contains("can&#39;t be used here"), "{}", page.text());
        has(&page, "password");
        // Bob is logged in to the pool and not to the application: without a page, the client is told.
        let silent = browser.open(&authorization("&prompt=none")).await;
        let location = silent.header("location").to_owned();
        assert!(location.starts_with(&format!("{BACK}?error=access_denied")), "{location}");
        // Another account, on the same page.
        has_code(&browser.submit(&page, &[("account", "carol"), ("password", PASSWORD), ("submit", "1")]).await);

        call(&site.world, Some(&manager), "DELETE", &list, None).await.is(204);
        let mut later = site.browser();
        let answer = later.log_in("carol").await;
        let page = later.go(answer).await;
        assert!(page.text().contains("can&#39;t be used here"), "{}", page.text());
    }
}
