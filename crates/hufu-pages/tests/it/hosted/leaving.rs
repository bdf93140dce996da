//! Logging out of one account on the page of accounts: its applications are told as at every other logout.

use hufu_testkit::client::claims;
use hufu_testkit::on_both_engines;
use hufu_testkit::receiver::Receiver;

use super::{Site, authorization, has_code};

const FRONT: &str = "https://shop.example.com/front";

on_both_engines! {
    async fn leaving_an_account_tells_its_applications(database) {
        let (site, receiver) = (Site::new(database).await, Receiver::start().await);
        let back = receiver.uri.clone();
        site.change(|application| {
            application.client.frontchannel_logout_uri = Some(FRONT.to_owned());
            application.client.backchannel_logout_uri = Some(back);
        })
        .await;
        site.person("bob").await;
        let mut browser = site.browser();
        let answer = browser.log_in("bob").await;
        has_code(&browser.go(answer).await);
        let page = browser.open("/accounts").await;
        let text = page.text();
        let (_, rest) = text.split_once("name=\"leave\" value=\"").unwrap();
        let left = browser.submit(&page, &[("leave", rest.split('"').next().unwrap())]).await;
        let text = left.text();

        site.world.node.app.run_due_jobs().await;
        let [body] = receiver.take().try_into().unwrap();
        let told = claims(body.strip_prefix("logout_token=").unwrap());
        let sid = told["sid"].as_str().unwrap();
        assert!(text.contains(&format!("<iframe class=\"visually-hidden\" src=\"{FRONT}?iss=")), "{text}");
        assert!(text.contains(&format!("sid={sid}\"")), "{text}");
        assert!(text.contains("content=\"2; url=/accounts\""), "it goes back: {text}");
        let policy = left.header("content-security-policy");
        assert!(policy.contains("frame-src https://shop.example.com"), "{policy}");
        let page = browser.follow(&authorization("")).await;
        assert!(page.text().contains("name=\"password\""), "nobody is logged in: {}", page.text());
    }
}
