//! Logins that send the browser to WeChat and back.

mod linking;
mod returns;
mod web_view;

use std::time::Duration;

use hufu_sandbox::{AppKind, Fault, NewApp, NewUser};
use hufu_testkit::world::{CAFE, FILE, SHOP, SHOP_WEB, World, secret_of};
use hufu_testkit::{TestDatabase, on_both_engines, raw};
use hufu_types::refusal::Code;
use hufu_types::{Language, Refusal};

use super::{BACK, Browser, Site, authorization, has, has_code};
use crate::server::Answer;

/// The website app at WeChat.
const WEBSITE: &str = "wx00000000000000d1";
/// The official account.
const ACCOUNT: &str = "wx00000000000000d2";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148";
const IN_WECHAT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50(0x18003230) NetType/WIFI Language/zh_CN";
const IN_WECOM: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 wxwork/4.1.0 MicroMessenger/7.0.1";
const ACCESS_TOKEN: &str = "/sns/oauth2/access_token";

/// The standard file with both connections for the shop's website. The text is further lines of both.
fn file(more: &str) -> String {
    let connection = |identifier: &str, kind: &str, app: &str, fields: &str| {
        format!(
            "
  [[user_pool.connection]]
  identifier = \"{identifier}\"
  type = \"{kind}\"
  display_name = \"{identifier} here\"
  open_platform = \"shop\"
  {more}
  fields = {{ app_id = \"{app}\", app_secret = \"secret-of-{app}\"{fields} }}"
        )
    };
    let website = connection("shop-pc", "wechat:pc", WEBSITE, "");
    let page = connection("shop-h5", "wechat:webpage-authorization", ACCOUNT, ", scope = \"snsapi_base\"");
    let first = "\n  [[user_pool.application]]\n  id = \"6560c0ffee00000000000003\"";
    let file = FILE.replacen(first, &format!("{website}{page}{first}"), 1);
    let list = "connections = [\"shop-two\", \"shop-mini\"]";
    let uris =
        format!("connections = [\"shop-two\", \"shop-pc\", \"shop-h5\"]\n  redirect_uris = [\"{BACK}\"]");
    file.replacen(list, &uris, 1)
}

async fn site(database: TestDatabase) -> Site {
    site_with(database, "").await
}

async fn site_with(database: TestDatabase, more: &str) -> Site {
    let world = World::new(database).await;
    for (app_id, kind) in [(WEBSITE, AppKind::Website), (ACCOUNT, AppKind::ServiceAccount)] {
        world.secret(&secret_of(app_id));
        let app = NewApp {
            app_id: Some(app_id.to_owned()),
            secret: Some(secret_of(app_id).as_str().into()),
            open_platform: Some("shop".to_owned()),
            kind,
            domains: vec!["id.example.com".to_owned()],
            ..NewApp::default()
        };
        world.sandbox.add_app(app).unwrap();
    }
    let site = Site::of(world).await;
    site.world.reconfigure(&file(more)).await;
    for name in ["mei", "bob"] {
        site.world.person_with(NewUser {
            name: Some(name.to_owned()),
            nickname: Some(format!("{name} 小美 😀")),
            ..NewUser::default()
        });
    }
    site
}

/// The start of a connection that the login page links to.
#[track_caller]
fn link(page: &Answer, identifier: &str) -> String {
    let text = page.text();
    let (_, rest) = text
        .split_once(&format!("data-connection=\"{identifier}\" href=\""))
        .unwrap_or_else(|| panic!("no {identifier}: {text}"));
    rest.split('"').next().unwrap().replace("&amp;", "&")
}

/// The value of a parameter of an address.
#[track_caller]
fn value(address: &str, name: &str) -> String {
    let query = address.split_once('?').expect("a query").1;
    let query = query.split('#').next().unwrap();
    let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("no {name}: {address}")).to_owned()
}

/// What the browser brings back from WeChat.
fn back(identifier: &str, query: &str) -> String {
    format!("/connection/social/{identifier}/{SHOP}/callback?{query}")
}

/// A start, and the state that went to WeChat.
async fn start(browser: &mut Browser<'_>, identifier: &str) -> String {
    let page = browser.begin().await;
    let at_wechat = browser.open(&link(&page, identifier)).await;
    assert_eq!(at_wechat.status, 303, "{}", at_wechat.text());
    value(at_wechat.header("location"), "state")
}

/// The page of a refusal: with its number and the id of the request, never kept, and nobody is logged in.
#[track_caller]
fn is_refused(browser: &Browser<'_>, answer: &Answer, code: &str) {
    let text = answer.text();
    assert!(answer.status.is_client_error() && text.contains(code), "{}: {text}", answer.status);
    assert!(
        text.contains(answer.header("x-request-id")) && !answer.header("x-request-id").is_empty(),
        "{text}"
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(!browser.keeps("__Host-hufu"), "nobody is logged in");
}

on_both_engines! {
    async fn both_kinds_log_in_from_the_page_to_the_code(database) {
        let site = site(database).await;
        for (identifier, agent) in [("shop-pc", "Mozilla/5.0 (X11; Linux x86_64)"), ("shop-h5", IN_WECHAT)] {
            let mut browser = site.browser();
            browser.user_agent = agent;
            let at_wechat = if agent == IN_WECHAT {
                // It starts at once.
                let start = browser.follow(&authorization("")).await;
                assert!(start.header("location").ends_with("#wechat_redirect"), "{}", start.header("location"));
                start
            } else {
                let page = browser.begin().await;
                browser.open(&link(&page, identifier)).await
            };
            // WeChat's page is opened, and the person agrees there.
            let returns = site.world.sandbox.authorize(at_wechat.header("location"), "mei", true).unwrap().unwrap();
            let arrived = browser.open(&returns).await;
            has_code(&arrived);
            assert_eq!(arrived.header("cache-control"), "no-store");
        }
        assert_eq!(site.world.rows("users").await, 2, "the UnionID joins both, beside alice");
        assert_eq!(site.world.rows("identities").await, 3, "two OpenIDs and a UnionID");
        let users: Vec<_> = site.world.audit().await.into_iter().filter(|e| e.action == "login" && e.code == 0).collect();
        assert!(users.iter().any(|event| event.details.to_string().contains("wechat:webpage-authorization")), "{users:?}");
    }

    /// Lesson 10: WeChat compares the order of the parameters, wants the fragment, and brings no other state back.
    async fn the_addresses_that_go_to_wechat(database) {
        let site = site(database).await;
        for (identifier, agent, expected) in [
            ("shop-pc", "Mozilla/5.0", format!("/api/connect/qrconnect?appid={WEBSITE}&redirect_uri=https%3A%2F%2Fid.example.com%2Fconnection%2Fsocial%2Fshop-pc%2F{SHOP}%2Fcallback&response_type=code&scope=snsapi_login&state=STATE&lang=en#wechat_redirect")),
            ("shop-h5", IN_WECHAT, format!("/api/connect/oauth2/authorize?appid={ACCOUNT}&redirect_uri=https%3A%2F%2Fid.example.com%2Fconnection%2Fsocial%2Fshop-h5%2F{SHOP}%2Fcallback&response_type=code&scope=snsapi_base&state=STATE#wechat_redirect")),
        ] {
            let mut states = Vec::new();
            for path in ["/connections/social", "/connection/social"] {
                for pool in [String::new(), format!("/{SHOP}")] {
                    let mut browser = site.browser();
                    browser.user_agent = agent;
                    let answer = browser.open(&format!("{path}/{identifier}{pool}?app_id={SHOP_WEB}")).await;
                    let location = answer.header("location");
                    let state = value(location, "state");
                    assert!(state.len() <= 128 && state.bytes().all(|b| b.is_ascii_alphanumeric()), "{state}");
                    let (_, rest) = location.split_once("/api/").unwrap();
                    assert_eq!(format!("/api/{rest}").replace(&state, "STATE"), expected);
                    assert_eq!(answer.header("cache-control"), "no-store");
                    states.push(state);
                }
            }
            states.dedup();
            assert_eq!(states.len(), 4, "each start has its own");
        }
    }

    async fn a_connection_that_is_unavailable_has_no_link_and_starts_nothing(database) {
        let site = site(database).await;
        link(&site.browser().begin().await, "shop-pc");
        let out = "INSERT INTO unavailable_connections (pool_id, connection_id, since, errcode) \
                   SELECT pool_id, id, 1750000000000, 50002 FROM connections WHERE identifier IN ('shop-pc', 'shop-h5')";
        raw::execute(site.world.database(), out).await;
        site.world.reconfigure(&file("logo = \"https://img.example.com/wechat.png\"")).await;
        for (agent, name) in [("Mozilla/5.0 (X11; Linux x86_64)", "shop-pc here"), (IN_WECHAT, "shop-h5 here")] {
            let mut browser = site.browser();
            browser.user_agent = agent;
            let page = browser.follow(&authorization("")).await;
            let text = page.text();
            assert!(page.status == 200 && !text.contains("data-connection=\"shop-"), "{text}");
            assert!(text.contains(&format!("Logging in with {name} is not possible at the moment")), "{text}");
        }
        assert_eq!(site.world.calls(ACCESS_TOKEN), 0);
    }

    /// Lesson 9: WeChat's browser calls the callback twice.
    async fn the_same_code_twice_is_one_login(database) {
        let site = site(database).await;
        let mut browser = site.browser();
        let state = start(&mut browser, "shop-pc").await;
        let callback = back("shop-pc", &format!("code={}&state={state}", site.world.code(WEBSITE, "mei")));
        let mut twin = browser.clone();
        let (one, other) = tokio::join!(browser.open(&callback), twin.open(&callback));
        has_code(&one);
        has_code(&other);
        has_code(&browser.open(&callback).await);
        assert_eq!(site.world.calls(ACCESS_TOKEN), 1, "WeChat was asked once");
        assert_eq!(site.world.rows("logins").await, 1, "and one login is counted");
        // Another code for the same state is refused, and does not reach WeChat.
        let another = back("shop-pc", &format!("code={}&state={state}", site.world.code(WEBSITE, "bob")));
        let mut fresh = site.browser();
        let refused = browser.open(&another).await;
        assert!(refused.status == 400 && refused.text().contains("2553"), "{}", refused.text());
        let elsewhere = fresh.open(&another).await;
        is_refused(&fresh, &elsewhere, "2551");
        assert_eq!(site.world.calls(ACCESS_TOKEN), 1);
        // A minute later the code is used up.
        site.world.advance(Duration::from_secs(61));
        let late = browser.open(&callback).await;
        assert!(late.status == 400 && late.header("location").is_empty(), "{}", late.text());
        assert_eq!(site.world.rows("users").await, 2);
    }

    async fn of_many_who_come_back_at_once_each_is_logged_in_as_themselves(database) {
        let site = site(database).await;
        let mut leaving = Vec::new();
        for number in 0..12 {
            let name = format!("visitor-{number}");
            let nickname = Some(name.clone());
            site.world.person_with(NewUser { name: Some(name.clone()), nickname, ..NewUser::default() });
            let mut browser = site.browser();
            let state = start(&mut browser, "shop-pc").await;
            let code = site.world.code(WEBSITE, &name);
            leaving.push((browser, back("shop-pc", &format!("code={code}&state={state}"))));
        }
        let back = leaving.iter_mut().map(async |(browser, callback)| has_code(&browser.open(callback).await));
        futures::future::join_all(back).await;
        // The first user is that of the file.
        assert_eq!(site.world.rows("users").await, 1 + 12);
        assert_eq!(site.world.rows("logins").await, 12);
        let own = "SELECT COUNT(*) FROM browser_sessions b JOIN users u ON u.pool_id = b.pool_id AND u.id = b.user_id
                   JOIN sessions s ON s.pool_id = b.pool_id AND s.browser_session_id = b.id AND s.user_id = u.id
                   WHERE u.profile LIKE '%visitor-%'";
        assert_eq!(raw::number(site.world.database(), own).await, 12);
    }

    /// Lesson 14: the state is random, of one login, and bound to the browser.
    async fn another_browsers_login_ends_nowhere_else(database) {
        let site = site(database).await;
        let mut attacker = site.browser();
        let state = start(&mut attacker, "shop-pc").await;
        let code = site.world.code(WEBSITE, "mei");
        let callback = back("shop-pc", &format!("code={code}&state={state}"));
        let mut victim = site.browser();
        // Whatever code another browser brings, the login does not take it for its own.
        let foreign = back("shop-pc", &format!("code={}&state={state}", site.world.code(WEBSITE, "mei")));
        let refused = victim.open(&foreign).await;
        is_refused(&victim, &refused, "2551");
        victim.begin().await;
        let refused = victim.open(&callback).await;
        is_refused(&victim, &refused, "2551");
        assert_eq!(site.world.calls(ACCESS_TOKEN), 0, "the code is not spent");
        assert_eq!(site.world.rows("users").await, 1);
        // A prefetch without an answer that anybody reads has no effect either.
        assert_eq!(attacker.head(&callback).await.status, 200);
        assert_eq!(site.world.calls(ACCESS_TOKEN), 0);
        has_code(&attacker.open(&callback).await);
    }

    async fn a_login_that_cannot_be_told_whose_it_is_is_a_page(database) {
        let site = site(database).await;
        let mut browser = site.browser();
        let code = site.world.code(WEBSITE, "mei");
        for query in [format!("code={code}"), format!("code={code}&state="), format!("code={code}&state=0123"), "state=0123".to_owned()] {
            let refused = browser.open(&back("shop-pc", &query)).await;
            is_refused(&browser, &refused, "2550");
        }
        // The page says what is the matter and what to do, in the reader's language.
        for (language, tag) in [(Language::English, "en"), (Language::SimplifiedChinese, "zh-CN")] {
            let mut reader = site.browser();
            reader.language = tag;
            let refused = reader.open(&back("shop-pc", "state=0123")).await;
            let advice = Refusal::new(Code::SourceLoginUnknown).for_person(language);
            assert!(!advice.actions.is_empty());
            for said in std::iter::once(&advice.sentence).chain(&advice.actions) {
                let escaped = said.replace('\'', "&#39;").replace('"', "&#34;");
                assert!(refused.text().contains(&escaped), "{said}: {}", refused.text());
            }
        }
        let state = start(&mut browser, "shop-pc").await;
        let query = format!("code={code}&state={state}");
        for path in [
            back("shop-h5", &query),
            back("shop-none", &query),
            back("shop-pc", &query).replace(SHOP, CAFE),
            back("shop-pc", &query).replace(SHOP, "no-such-pool"),
        ] {
            let refused = browser.open(&path).await;
            is_refused(&browser, &refused, "2550");
        }
        site.world.advance(Duration::from_secs(601));
        let late = browser.open(&back("shop-pc", &query)).await;
        is_refused(&browser, &late, "2550");
        assert_eq!(site.world.calls(ACCESS_TOKEN), 0);
        site.world.node.app.sweep().await.unwrap();
    }

    /// Lesson 11: the virtual user of a snapshot page is nobody.
    async fn a_snapshot_user_gets_no_account_and_is_told_why(database) {
        let site = site(database).await;
        site.world.person_with(NewUser { name: Some("preview".to_owned()), snapshot: true, ..NewUser::default() });
        let mut browser = site.browser();
        browser.user_agent = IN_WECHAT;
        let started = browser.follow(&authorization("")).await;
        let returns = site.world.sandbox.authorize(started.header("location"), "preview", true).unwrap().unwrap();
        let refused = site.world.stores_nothing(browser.open(&returns)).await;
        assert!(refused.status == 403 && refused.text().contains("full service"), "{}", refused.text());
        assert!(!browser.keeps("__Host-hufu"));
        // The same person, once the page is open as a whole.
        site.world.sandbox.change_user("preview", serde_json::from_str(r#"{ "snapshot": false }"#).unwrap()).unwrap();
        let page = browser.begin().await;
        let started = browser.open(&link(&page, "shop-h5")).await;
        let returns = site.world.sandbox.authorize(started.header("location"), "preview", true).unwrap().unwrap();
        has_code(&browser.open(&returns).await);
    }

    async fn the_verification_file_is_served_to_the_letter_and_moves(database) {
        const NAME: &str = "MP_verify_0123456789abcdef.txt";
        let site = site(database).await;
        let with = |identifier: &str| {
            let line = format!("identifier = \"{identifier}\"");
            let more = format!("{line}\n  verification_file = {{ name = \"{NAME}\", content = \"0123456789abcdef\" }}");
            file("").replacen(&line, &more, 1)
        };
        let mut browser = site.browser();
        assert_eq!(browser.open(&format!("/{NAME}")).await.status, 404);
        for owner in ["shop-h5", "shop-pc"] {
            site.world.reconfigure(&with(owner)).await;
            let served = browser.open(&format!("/{NAME}")).await;
            assert_eq!((served.status.as_u16(), served.text().as_str()), (200, "0123456789abcdef"), "{owner}");
            assert_eq!(served.header("content-type"), "text/plain; charset=utf-8");
            assert_eq!(served.header("x-content-type-options"), "nosniff");
            assert!(served.cookies().is_empty() && served.header("location").is_empty());
        }
        for other in ["/MP_verify_0123456789abcdee.txt", "/robots.txt", "/a/MP_verify_0123456789abcdef.txt", "/MP_verify_0123456789abcdef.txt/"] {
            assert_eq!(browser.open(other).await.status, 404, "{other}");
        }
        assert_eq!(browser.post(&format!("/{NAME}"), &[]).await.status, 404);
        site.world.reconfigure(&file("")).await;
        assert_eq!(browser.open(&format!("/{NAME}")).await.status, 404);
    }

    async fn whoever_does_not_agree_is_back_on_the_login_page(database) {
        let site = site(database).await;
        let mut browser = site.browser();
        let state = start(&mut browser, "shop-pc").await;
        let denied = browser.open(&back("shop-pc", &format!("state={state}"))).await;
        assert_eq!(denied.status, 403);
        assert!(denied.text().contains("you did not agree") && denied.header("cache-control") == "no-store", "{}", denied.text());
        has(&denied, "account");
        // Everything goes on from there.
        let again = browser.open(&link(&denied, "shop-pc")).await;
        let state = value(again.header("location"), "state");
        has_code(&browser.open(&back("shop-pc", &format!("code={}&state={state}", site.world.code(WEBSITE, "mei")))).await);
    }

    /// Lesson 17: nothing is sent to WeChat again after an outcome that nobody knows.
    async fn an_unclear_outcome_spends_the_code(database) {
        let site = site(database).await;
        let mut browser = site.browser();
        let state = start(&mut browser, "shop-pc").await;
        let callback = back("shop-pc", &format!("code={}&state={state}", site.world.code(WEBSITE, "mei")));
        site.world.sandbox.add_fault(Fault { path: Some(ACCESS_TOKEN.to_owned()), html: true, after: true, ..serde_json::from_str("{}").unwrap() }).unwrap();
        for _ in 0..2 {
            let failed = browser.open(&callback).await;
            assert!(failed.header("location").is_empty() && !browser.keeps("__Host-hufu"), "{}", failed.text());
            link(&failed, "shop-pc");
        }
        assert_eq!(site.world.calls(ACCESS_TOKEN), 1);
    }

    async fn refusals_are_told_on_the_login_page(database) {
        let site = site_with(database, "login_only = true").await;
        let mut browser = site.browser();
        let state = start(&mut browser, "shop-pc").await;
        let refused = browser.open(&back("shop-pc", &format!("code={}&state={state}", site.world.code(WEBSITE, "mei")))).await;
        assert_eq!(refused.status, 403, "{}", refused.text());
        has(&refused, "account");
        assert_eq!(site.world.rows("users").await, 1);
        // Switched off between start and end, for this application alone.
        let state = start(&mut browser, "shop-pc").await;
        site.change(|application| application.connections.clear()).await;
        let off = browser.open(&back("shop-pc", &format!("code={}&state={state}", site.world.code(WEBSITE, "mei")))).await;
        assert_eq!(off.status, 403, "{}", off.text());
        assert!(!off.text().contains("data-connection"), "{}", off.text());
        assert_eq!(site.world.calls(ACCESS_TOKEN), 1, "its code was not spent");
        let start = browser.open(&format!("/connections/social/shop-pc?app_id={SHOP_WEB}")).await;
        is_refused(&browser, &start, "2404");
        for (path, code) in [("shop-none", "2402"), ("shop-two", "2409")] {
            site.world.reconfigure(&file("")).await;
            let start = browser.open(&format!("/connections/social/{path}?app_id={SHOP_WEB}")).await;
            is_refused(&browser, &start, code);
        }
    }

    async fn a_login_that_has_to_wait_goes_on_on_the_pages(database) {
        let site = site_with(database, "association = { mode = \"ask\" }").await;
        let mut browser = site.browser();
        let state = start(&mut browser, "shop-pc").await;
        let callback = back("shop-pc", &format!("code={}&state={state}", site.world.code(WEBSITE, "mei")));
        let waits = browser.open(&callback).await;
        assert!(waits.header("location").starts_with("/login/continue?"), "{}", waits.header("location"));
        let page = browser.go(waits).await;
        has(&page, "create");
        has_code(&browser.submit(&page, &[("create", "1")]).await);
        assert_eq!(site.world.rows("users").await, 2);
    }

    async fn what_a_browser_is_offered(database) {
        let site = site(database).await;
        let mut desktop = site.browser();
        let page = desktop.begin().await;
        link(&page, "shop-pc");
        assert!(!page.text().contains("data-connection=\"shop-h5\"") && !page.text().contains("data-connection=\"shop-two\""), "{}", page.text());
        assert!(page.text().contains("shop-pc here") && page.text().contains("#wechat"), "{}", page.text());
        for agent in [IPHONE, IN_WECOM] {
            let mut phone = site.browser();
            phone.user_agent = agent;
            let page = phone.begin().await;
            assert!(page.status == 200 && !page.text().contains("data-connection"), "{}", page.text());
            assert!(page.text().contains("Open this page in WeChat"), "{}", page.text());
        }
    }

    async fn in_wechats_browser_it_starts_at_once_and_never_over_and_over(database) {
        let site = site(database).await;
        let mut browser = site.browser();
        browser.user_agent = IN_WECHAT;
        let silent = browser.follow(&authorization("&prompt=none")).await;
        assert!(silent.header("location").contains("error=login_required"), "{}", silent.header("location"));
        let started = browser.follow(&authorization("")).await;
        let state = value(started.header("location"), "state");
        // It came to nothing: the page is there, and does not start again.
        let denied = browser.open(&back("shop-h5", &format!("state={state}"))).await;
        assert_eq!(denied.status, 403);
        let page = browser.begin().await;
        assert_eq!(page.status, 200);
        let at_wechat = browser.open(&link(&page, "shop-h5")).await;
        let state = value(at_wechat.header("location"), "state");
        has_code(&browser.open(&back("shop-h5", &format!("code={}&state={state}", site.world.code(ACCOUNT, "mei")))).await);
        assert!(!browser.keeps("hufu-pause"), "the next one starts at once again");
        // Whoever logs out is not logged in again at once.
        let question = browser.open("/oidc/session/end").await;
        browser.submit(&question, &[("confirm", "1")]).await;
        let page = browser.begin().await;
        assert_eq!(page.status, 200, "{}", page.header("location"));
        link(&page, "shop-h5");
        // Another way to log in is not cut short either.
        let mut other = site.browser();
        other.user_agent = IN_WECHAT;
        let page = other.open(&format!("/login?app_id={SHOP_WEB}&method=phone-code")).await;
        has(&page, "phone");
    }

    async fn whoever_does_not_read_the_answer_starts_nothing(database) {
        let site = site(database).await;
        let mut browser = site.browser();
        let page = browser.begin().await;
        let address = link(&page, "shop-pc");
        browser.ip = Some([203, 0, 113, 7]);
        assert_eq!(browser.head(&address).await.status, 200);
        assert_eq!(hufu_testkit::raw::texts(site.world.database(), "SELECT connection_id FROM source_logins").await.len(), 0, "nobody reads the answer to HEAD");
        // As a picture or a script on somebody's page, which any visitor of that page would ask for.
        for destination in ["image", "script", "empty", "style"] {
            browser.destination = Some(destination);
            assert_eq!(browser.open(&address).await.status, 403, "{destination}");
        }
        let counted = "SELECT name FROM rate_buckets WHERE name LIKE 'source_login:%'";
        assert_eq!(hufu_testkit::raw::texts(site.world.database(), counted).await.len(), 0, "nothing is counted");
        for destination in ["document", "iframe"] {
            browser.destination = Some(destination);
            assert_eq!(browser.open(&address).await.status, 303, "{destination}");
        }
        assert_eq!(hufu_testkit::raw::texts(site.world.database(), "SELECT connection_id FROM source_logins").await.len(), 2);
        assert_eq!(hufu_testkit::raw::texts(site.world.database(), counted).await.len(), 1);
    }
}
