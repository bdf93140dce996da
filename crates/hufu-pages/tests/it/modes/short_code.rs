//! A subscription account has no codes to scan: the page shows a short code, which the follower sends to the account.

use hufu_sandbox::{Delivery, Verdict};
use hufu_testkit::on_both_engines;
use hufu_types::{Identifier, LoginTab};

use super::Shop;
use super::advice::{attribute, open_tab};
use super::ways::{ACCOUNT, Mode, file};
use crate::hosted::has_code;
use crate::server::Answer;

/// The digits on the page.
#[track_caller]
fn short_code(page: &Answer) -> String {
    let text = page.text();
    let (_, rest) = text.split_once("id=\"short-code\">").unwrap_or_else(|| panic!("no short code: {text}"));
    rest.split('<').next().unwrap().to_owned()
}

on_both_engines! {
    async fn the_digits_on_the_page_log_its_browser_in(database) {
        let shop = Shop::new(database).await;
        let world = &shop.site.world;
        let account = "original_id = \"gh_5h0p\"";
        let subscription = file("").replacen(account, &format!("{account}, account = \"subscription\""), 1);
        world.reconfigure(&subscription).await;
        let tab = LoginTab::QrCode(Identifier::parse(Mode::Follow.connection()).unwrap());
        shop.site.change(|application| application.login.methods.push(tab)).await;
        for name in ["mei", "lin"] {
            world.person(name);
            world.sandbox.follow(ACCOUNT, name, &Delivery::default()).await.unwrap();
        }
        let (mut browser, mut other) = (shop.browser(Mode::Follow), shop.browser(Mode::Follow));
        let page = open_tab(&mut browser, Mode::Follow).await;
        assert_eq!(attribute(&page, "data-state"), "created");
        assert!(!page.text().contains("src=\"/api/v2/qrcode/"), "there is no picture to scan");
        let (code, next) = (short_code(&page), attribute(&page, "data-next"));
        let page_of_other = open_tab(&mut other, Mode::Follow).await;
        assert_ne!(short_code(&page_of_other), code);

        // As people type what they read.
        let digits: String = code.chars().filter(char::is_ascii_digit).collect();
        world.secret(&digits);
        let push = world.sandbox.message(ACCOUNT, "mei", &digits, &Delivery::default()).await.unwrap();
        assert_eq!(push.verdict(), Some(Verdict::Acknowledged), "{push:?}");
        let waits = other.open(&attribute(&page_of_other, "data-next")).await;
        assert_eq!(attribute(&waits, "data-state"), "created", "the other browser's code is not used");
        has_code(&browser.follow(&next).await);
        assert!(browser.keeps("__Host-hufu") && !other.keeps("__Host-hufu"));

        // Once.
        let push = world.sandbox.message(ACCOUNT, "lin", &digits, &Delivery::default()).await.unwrap();
        assert_ne!(push.verdict(), Some(Verdict::Acknowledged), "{push:?}");
        let waits = other.open(&attribute(&page_of_other, "data-next")).await;
        assert_eq!(attribute(&waits, "data-state"), "created");
    }
}
