//! The start page of `hufu dev` and the sandbox's phone, as a browser without script opens them.

use hufu_testkit::on_both_engines;
use serde_json::json;

use super::Dev;
use crate::support::Client;

/// A browser with cookies, for the start page and the phone.
struct Browser {
    http: reqwest::Client,
    cookies: std::cell::RefCell<std::collections::BTreeMap<String, String>>,
}

impl Browser {
    fn new() -> Self {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        let http = http.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, cookies: std::cell::RefCell::default() }
    }

    /// Opens an address and whatever it redirects to, or submits a form. Returns the last address and its page.
    async fn send(&self, url: &str, mut form: Option<String>) -> (String, String) {
        let mut url = reqwest::Url::parse(url).unwrap();
        for _ in 0..12 {
            let request = match form.take() {
                Some(form) => self.http.post(url.clone()).body(form),
                None => self.http.get(url.clone()),
            };
            let cookies: Vec<_> =
                self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
            let request = request.header("accept", "text/html").header("accept-language", "en");
            let answer = request.header("cookie", cookies.join("; ")).send().await.unwrap();
            for set in answer.headers().get_all("set-cookie") {
                let (name, value) = set.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
            let Some(next) = answer.headers().get("location") else {
                assert!(!answer.status().is_server_error(), "{url}: {}", answer.status());
                return (url.to_string(), answer.text().await.unwrap());
            };
            url = url.join(next.to_str().unwrap()).unwrap();
        }
        panic!("too many redirects: {url}");
    }
}

/// The value of the first hidden field of this name.
fn hidden(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&mark).unwrap_or_else(|| panic!("no {name}: {page}"));
    rest.split('"').next().unwrap().replace("&amp;", "&")
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    let mut url = reqwest::Url::parse("http://x/").unwrap();
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap().to_owned()
}

on_both_engines! {
    async fn the_start_page_leads_through_every_mode(database) {
        walk(&database.url()).await;
    }
}

/// All seven modes of the start page, each by its two clicks.
async fn walk(database: &str) {
    const MINI: &str = "wx0de30de30de30001";
    const PHONE_APP: &str = "wx0de30de30de30003";
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start_on(&folder, database).await;
    let told = dev.process.out.line_with("  Start ").await;
    assert!(told.ends_with(&format!("{}/", dev.server)), "{told}");
    let browser = Browser::new();
    let phone = async |path: &str, form: Option<&[(&str, &str)]>| {
        browser.send(&format!("{}{path}", dev.sandbox), form.map(encoded)).await
    };
    let ticked = async |count: usize, mode: &str| {
        let (_, page) = browser.send(&format!("{}/?mode={mode}", dev.server), None).await;
        assert_eq!(page.matches("<li class=\"done\"><a ").count(), count, "{mode}: {page}");
        page
    };
    // Where the page of a code goes when something has become of it.
    let next = |page: &str| {
        let (_, rest) = page.split_once("data-next=\"").unwrap_or_else(|| panic!("no code: {page}"));
        format!("{}{}", dev.server, rest.split('"').next().unwrap().replace("&amp;", "&"))
    };
    let page = ticked(0, "mini-program").await;
    assert!(page.contains("Seven WeChat logins") && page.contains("One half is here"), "{page}");

    // The mini program: it is opened, and the number is given.
    phone(&format!("/phone/mini/{MINI}"), None).await;
    ticked(1, "mini-program").await;
    phone(&format!("/phone/mini/{MINI}"), Some(&[("answer", "allow"), ("phone", "allow")])).await;
    let page = ticked(1, "mini-program").await;
    assert!(page.contains("+8613900000008") && page.contains("林晓"), "{page}");

    // The official account: its code is on the login page.
    let (_, login) = browser.send(&format!("{}/dev/try/official-account", dev.server), None).await;
    let (_, scanner) = phone("/phone/scan", None).await;
    let ticket = hidden(&scanner, "ticket");
    let (_, asked) = phone("/phone/ticket", Some(&[("ticket", &ticket)])).await;
    assert!(asked.contains("value=\"follow\""), "{asked}");
    phone("/phone/ticket", Some(&[("ticket", &ticket), ("answer", "follow")])).await;
    let (end, _) = browser.send(&next(&login), None).await;
    assert!(end.contains("/?mode=official-account"), "{end}");
    let page = ticked(2, "official-account").await;
    assert!(page.contains("The halves fit."), "{page}");

    // The website's code, refused first, which is no tick.
    let control = Client::of(&dev.sandbox);
    for (consent, count) in [(false, 2), (true, 3)] {
        let (url, _) = browser.send(&format!("{}/dev/try/pc-scan", dev.server), None).await;
        assert!(url.contains("/open/connect/qrconnect?"), "{url}");
        let decided = json!({ "url": url, "user": "lin", "consent": consent });
        let decided = control.post("/__sandbox/authorize", &decided).await.json();
        let (_, page) = browser.send(decided["location"].as_str().unwrap(), None).await;
        // After a refusal the login page says so, and offers its other ways.
        assert_eq!(page.contains("name=\"password\""), !consent, "{page}");
        ticked(count, "pc-scan").await;
    }

    // The mini program's code: the login mini program is opened by its scene.
    let (_, login) = browser.send(&format!("{}/dev/try/mini-program-scan", dev.server), None).await;
    let (_, scanner) = phone("/phone/scan", None).await;
    let (_, rest) = scanner.split_once(&format!("/phone/mini/{MINI}?scene=")).expect("a code that waits");
    let scene = rest.split('"').next().unwrap();
    let run = json!({ "app_id": MINI, "user": "lin", "scene": scene });
    let run = control.post("/__sandbox/mini-login", &run).await.json();
    assert_eq!(run["ok"], true, "{run}");
    browser.send(&next(&login), None).await;
    ticked(4, "mini-program-scan").await;

    // A page in WeChat: the phone opens it, and comes back.
    let link = format!("{}/dev/try/web-page", dev.server);
    let (_, asked) = phone(&format!("/phone/browser/go?{}", encoded(&[("url", &link)])), None).await;
    let query = hidden(&asked, "query");
    let answer = [("query", query.as_str()), ("user", "lin"), ("consent", "allow")];
    let (end, _) = phone("/open/connect/oauth2/authorize", Some(&answer)).await;
    assert!(end.starts_with(&dev.sandbox) && end.ends_with("ended=ok"), "{end}");
    ticked(5, "web-page").await;

    // The native app, and the mini program that it launches.
    phone(&format!("/phone/app/{PHONE_APP}"), Some(&[("act", "login")])).await;
    phone(&format!("/phone/app/{PHONE_APP}"), Some(&[("act", "deny")])).await;
    let page = ticked(5, "native-app").await;
    let told = "The application was told: <code>SendAuth.Resp {&quot;errCode&quot;:-4}</code>";
    assert!(page.contains("The person refused.") && page.contains(told), "{page}");
    phone(&format!("/phone/app/{PHONE_APP}"), Some(&[("act", "allow")])).await;
    ticked(6, "native-app").await;
    phone(&format!("/phone/mini/{MINI}?from={PHONE_APP}"), None).await;
    let answered: &[_] = &[("answer", "allow"), ("phone", "allow"), ("from", PHONE_APP)];
    phone(&format!("/phone/mini/{MINI}"), Some(answered)).await;
    ticked(7, "app-launch").await;
    dev.stop().await;
}

/// Each start prints a link that logs the administrator in, once. A later start makes no second administrator.
#[tokio::test]
async fn the_printed_link_logs_the_administrator_in_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut earlier = None;
    for _ in 0..2 {
        let dev = Dev::start(&folder).await;
        let told = dev.process.out.line_with("  Enter ").await;
        let link = told.split_whitespace().nth(1).unwrap().to_owned();
        assert!(told.ends_with("   once, within 15 minutes"), "{told}");
        assert!(link.starts_with(&format!("{}/administration/enter?token=hfe_", dev.server)), "{link}");
        let browser = Browser::new();
        let (_, page) = browser.send(&link, None).await;
        assert!(page.contains("Log in as admin"), "{page}");
        let form = |page: &str| {
            encoded(&[("form_token", &hidden(page, "form_token")), ("token", &hidden(page, "token"))])
        };
        let enter = format!("{}/administration/enter", dev.server);
        let (end, home) = browser.send(&enter, Some(form(&page))).await;
        assert!(end.ends_with("/administration") && home.contains("logged in as admin."), "{end} {home}");
        let key = browser.cookies.borrow()["hufu-administration"].clone();
        let listed = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let listed = listed.get(format!("{}/admin/v1/administrators", dev.server)).bearer_auth(&key);
        let listed: serde_json::Value =
            serde_json::from_str(&listed.send().await.unwrap().text().await.unwrap()).unwrap();
        let all = listed["administrators"].as_array().unwrap();
        assert!(all.len() == 1 && all[0]["username"] == "admin", "{listed}");
        for over in [Some(link.clone()), earlier.replace(link)].into_iter().flatten() {
            let token = over.split_once("token=").unwrap().1;
            let (_, page) = browser.send(&format!("{enter}?token={token}"), None).await;
            assert!(page.contains("is not valid any more") && page.contains("hufu dev"), "{page}");
        }
        dev.stop().await;
    }
}
