//! Whatever a request calls this server: callbacks are on `public_url` alone, and nobody is sent anywhere else.

use hufu_testkit::client::{Answer as Called, Client};
use hufu_testkit::on_both_engines;
use hufu_testkit::world::{SHOP, SHOP_WEB};
use serde_json::json;

use super::ways::{Mode, SHOP_PHONE};
use super::{GENE, Outcome, Shop};
use crate::hosted::{BACK, authorization, has_code};
use crate::server::Answer;

const EVIL: &str = "evil.example";

/// A client whose requests call the server by another name, in each header that could say one.
fn calling(client: Client<'_>) -> Client<'_> {
    client
        .header("host", EVIL)
        .header("x-forwarded-host", EVIL)
        .header("x-forwarded-proto", "http")
        .header("forwarded", "host=evil.example;proto=http")
}

/// Fails if an answer names the other host anywhere.
#[track_caller]
fn is_untouched(answer: &Answer) {
    let headers = format!("{:?}", answer.headers);
    assert!(!headers.contains(EVIL) && !answer.text().contains(EVIL), "{headers}\n{}", answer.text());
}

#[track_caller]
fn is_as_ever(answer: &Called) {
    let headers = format!("{:?}", answer.headers);
    let body = String::from_utf8_lossy(&answer.bytes);
    assert!(!headers.contains(EVIL) && !body.contains(EVIL), "{headers}\n{body}");
}

on_both_engines! {
    async fn no_name_in_a_request_changes_where_a_login_goes(database) {
        let shop = Shop::new(database).await;
        let world = &shop.site.world;
        world.person("mei");
        for mode in [Mode::Pc, Mode::Webpage] {
            // Begun by a published client, and from the login page.
            let of_client =
                format!("/connections/social/{}?app_id={SHOP_WEB}&redirect_url={BACK}", mode.connection());
            for from_page in [false, true] {
                let mut browser = shop.browser(mode);
                browser.foreign_host = Some(EVIL);
                let at_wechat = if from_page {
                    let page = browser.follow(&authorization("")).await;
                    is_untouched(&page);
                    if mode == Mode::Webpage {
                        // It starts at once.
                        page
                    } else {
                        let text = page.text();
                        let link = format!("data-connection=\"{}\" href=\"", mode.connection());
                        let (_, rest) = text.split_once(&link).unwrap();
                        browser.open(&rest.split('"').next().unwrap().replace("&amp;", "&")).await
                    }
                } else {
                    browser.open(&of_client).await
                };
                is_untouched(&at_wechat);
                let callback = format!(
                    "redirect_uri=https%3A%2F%2Fid.example.com%2Fconnection%2Fsocial%2F{}%2F{SHOP}%2Fcallback&",
                    mode.connection()
                );
                let location = at_wechat.header("location");
                assert!(location.contains(&callback), "{mode:?}: {location}");
                let returns = shop.agreed(&at_wechat, "mei");
                // The address alone logs nobody in, whatever host it is opened on.
                let mut stranger = shop.browser(mode);
                stranger.foreign_host = Some(EVIL);
                let refused = stranger.open(&returns).await;
                is_untouched(&refused);
                assert!(refused.status.is_client_error() && refused.text().contains("2551"), "{mode:?}: {}", refused.text());
                assert!(!stranger.keeps("__Host-hufu"), "{mode:?}");
                let arrived = browser.open(&returns).await;
                is_untouched(&arrived);
                if from_page {
                    has_code(&arrived);
                } else {
                    assert!(arrived.header("location").starts_with(&format!("{BACK}?")), "{mode:?}");
                    Outcome::of_return(&arrived).id();
                }
            }
            // Nor is an address good because the request was sent to its host.
            let elsewhere = format!(
                "/connections/social/{}?app_id={SHOP_WEB}&redirect_url=https%3A%2F%2F{EVIL}%2Fcallback",
                mode.connection()
            );
            let mut browser = shop.browser(mode);
            browser.foreign_host = Some(EVIL);
            let refused = browser.open(&elsewhere).await;
            assert!(refused.status.is_client_error() && refused.header("location").is_empty(), "{}", refused.text());
        }
    }

    async fn no_name_in_a_request_changes_what_clients_are_told(database) {
        let shop = Shop::new(database).await;
        let world = &shop.site.world;
        world.person("mei");
        for (mode, scene) in [(Mode::Follow, "WECHATMP_AUTH"), (Mode::Scan, "WXAPP_AUTH")] {
            let order = json!({ "scene": scene, "extIdpConnId": shop.connection(mode) });
            let issued = calling(shop.client(SHOP_WEB)).post(GENE, order).await;
            is_as_ever(&issued);
            let data = issued.data();
            world.secret(data["random"].as_str().unwrap());
            let url = data["url"].as_str().unwrap();
            assert!(url.starts_with("https://id.example.com/api/v2/qrcode/"), "{mode:?}: {url}");
        }
        let token = shop.log_in(Mode::Pc, "mei").await.user.unwrap().1;
        let link = format!("/api/v3/generate-link-extidp-url?ext_idp_conn_identifier=shop-pc&app_id={SHOP_WEB}");
        let linked = calling(shop.client(SHOP_WEB)).bearer(&token).get(&link).await;
        is_as_ever(&linked);
        let url = linked.data()["url"].as_str().unwrap().to_owned();
        assert!(url.starts_with("https://id.example.com/"), "{url}");
        for path in [
            format!("/api/v2/applications/{SHOP_WEB}/public-config"),
            format!("/api/v2/applications/{SHOP_PHONE}/public-config"),
            "/oidc/.well-known/openid-configuration".to_owned(),
        ] {
            let here = shop.client(SHOP_WEB).get(&path).await;
            let there = calling(shop.client(SHOP_WEB)).get(&path).await;
            is_as_ever(&there);
            assert_eq!(there.status, here.status, "{path}");
            assert!(here.status.is_success(), "{path}: {here}");
        }
    }
}
