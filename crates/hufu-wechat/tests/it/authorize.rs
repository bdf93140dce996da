//! The addresses to which browsers are sent, character by character.

use hufu_wechat::{
    Endpoints, InvalidState, PageLanguage, State, WebScope, official_account_page, qr_image, website_page,
};
use url::Url;

use crate::fake::APP_ID;

const CALLBACK: &str = "https://id.example.com/connection/social/wechat-pc/5f/callback?a=b c&d=~é";

fn state() -> State {
    State::parse("Ab9Z").unwrap()
}

#[test]
fn a_website_sends_to_the_page_with_the_code() {
    let expected = concat!(
        "https://open.weixin.qq.com/connect/qrconnect?appid=wx0123456789abcdef",
        "&redirect_uri=https%3A%2F%2Fid.example.com%2Fconnection%2Fsocial%2Fwechat-pc%2F5f%2Fcallback",
        "%3Fa%3Db%20c%26d%3D~%C3%A9&response_type=code&scope=snsapi_login&state=Ab9Z",
    );
    let page = |language| website_page(&Endpoints::default(), APP_ID, CALLBACK, &state(), language);
    assert_eq!(page(None), format!("{expected}#wechat_redirect"));
    assert_eq!(page(Some(PageLanguage::Chinese)), format!("{expected}&lang=cn#wechat_redirect"));
    assert_eq!(page(Some(PageLanguage::English)), format!("{expected}&lang=en#wechat_redirect"));
}

#[test]
fn a_page_inside_wechat_keeps_the_order_that_wechat_compares() {
    let page = |scope, popup| {
        official_account_page(
            &Endpoints::default(),
            APP_ID,
            "https://id.example.com/cb",
            scope,
            &state(),
            popup,
        )
    };
    assert_eq!(
        page(WebScope::Base, false),
        concat!(
            "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx0123456789abcdef",
            "&redirect_uri=https%3A%2F%2Fid.example.com%2Fcb&response_type=code&scope=snsapi_base&state=Ab9Z",
            "#wechat_redirect",
        )
    );
    assert_eq!(
        page(WebScope::UserInfo, true),
        concat!(
            "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx0123456789abcdef",
            "&redirect_uri=https%3A%2F%2Fid.example.com%2Fcb&response_type=code&scope=snsapi_userinfo",
            "&state=Ab9Z&forcePopup=true#wechat_redirect",
        )
    );
}

#[test]
fn a_simulator_stands_below_a_path() {
    let base = |text: &str| Url::parse(text).unwrap();
    let endpoints = Endpoints {
        api: base("http://127.0.0.1:3100/api"),
        open: base("http://127.0.0.1:3100/open/"),
        mp: base("http://127.0.0.1:3100/mp"),
    };
    let page = website_page(&endpoints, APP_ID, "http://a/", &state(), None);
    assert!(page.starts_with("http://127.0.0.1:3100/open/connect/qrconnect?appid=wx"), "{page}");
    assert_eq!(
        qr_image(&endpoints, "gQ+/a=="),
        "http://127.0.0.1:3100/mp/cgi-bin/showqrcode?ticket=gQ%2B%2Fa%3D%3D"
    );
    assert_eq!(
        qr_image(&Endpoints::default(), "gQ"),
        "https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket=gQ"
    );
}

#[test]
fn a_state_is_what_wechat_returns_unchanged() {
    let longest = "a".repeat(128);
    assert_eq!(State::parse(longest.as_str()).unwrap().as_str(), longest);
    assert_eq!(format!("{:?}", state()), "State(***)");
    for bad in ["", "a-b", "a_b", "a.b", "a b", "a%20", "状态", &"a".repeat(129)] {
        assert_eq!(State::parse(bad).err(), Some(InvalidState), "{bad}");
    }
}
