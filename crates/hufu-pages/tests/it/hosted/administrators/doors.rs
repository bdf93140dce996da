//! The application `console` is no door but to its own page, and nobody changes it.

use hufu_app::ApplicationHint;
use hufu_testkit::administration::{call, key};
use hufu_testkit::client::{SIGNIN, TOKEN};
use hufu_testkit::world::{Plan, SHOP, SHOP_WEB};
use hufu_testkit::{on_both_engines, raw};
use hufu_types::refusal::Code;
use hufu_types::{AdminRole, ApplicationId};
use serde_json::json;

use super::{HOME, administrator, is_home, log_in, owner, visit, walk};
use crate::hosted::{PASSWORD, Site, has_not};

on_both_engines! {
    /// No published client finds it: nobody logs in, registers or gets a token by it.
    async fn no_published_client_finds_it(database) {
        let site = Site::new(database).await;
        administrator(&site, "mei", owner()).await;
        let client = site.world.nobody().app("console");
        let password = json!({ "account": "mei", "username": "mei", "password": PASSWORD });
        for path in ["/api/v2/login/account", "/api/v2/register/username"] {
            client.post(path, password.clone()).await.code_is(2011);
        }
        let signin = json!({ "connection": "PASSWORD", "client_id": "console", "passwordPayload": { "username": "mei", "password": PASSWORD } });
        for path in ["/api/v3/signin", "/api/v3/signup"] {
            client.post(path, signin.clone()).await.code_is(2011);
        }
        client.post(SIGNIN, signin).await.code_is(2011);
        client.get("/api/v2/applications/console/public-config").await.code_is(2011);
        let pool = site.world.nobody().pool("system");
        pool.post("/api/v2/login/account", password).await.code_is(2011);

        // A code of it is worth nothing at the token endpoint, though somebody asks for one by hand.
        let mut browser = site.browser();
        is_home(&log_in(&mut browser, "mei").await, "mei");
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let back = "https%3A%2F%2Fid.example.com%2Fadministration%2Fcallback";
        let asks = |more: &str| format!("/oidc/auth?client_id=console&redirect_uri={back}&scope=openid&code_challenge={challenge}&code_challenge_method=S256{more}");
        let answer = browser.open(&asks("&response_type=code")).await;
        let (_, code) = answer.header("location").split_once("code=").unwrap();
        let code = code.split('&').next().unwrap();
        let grant = [("grant_type", "authorization_code"), ("client_id", "console"), ("code", code), ("code_verifier", verifier), ("redirect_uri", "https://id.example.com/administration/callback")];
        site.world.nobody().form(TOKEN, &grant).await.oauth_error("invalid_client");
        site.world.nobody().form("/oidc/request", &[("client_id", "console")]).await.oauth_error("invalid_client");
        site.world.nobody().form("/oidc/device/auth", &[("client_id", "console")]).await.oauth_error("invalid_client");
        // Nor does it answer with tokens on the way.
        for response_type in ["id_token", "id_token%20token", "code%20id_token"] {
            let refused = browser.open(&asks(&format!("&nonce=n&response_type={response_type}"))).await;
            assert!(refused.header("location").contains("error=unauthorized_client"), "{response_type}: {}", refused.header("location"));
        }
    }

    async fn nobody_registers_by_it(database) {
        let site = Site::new(database).await;
        let mut browser = site.browser();
        let page = browser.open("/register?app_id=console").await;
        assert!(page.status == 200 && page.text().contains("be created here"), "{}", page.text());
        has_not(&page, "new-password");
        let shop = browser.open(&format!("/register?app_id={SHOP_WEB}")).await;
        let token = shop.form_token();
        let values = [("form_token", token.as_str()), ("app_id", "console"), ("method", "email-password"), ("email", "eve@example.com"), ("new-password", PASSWORD), ("submit", "1")];
        let refused = browser.post("/register", &values).await;
        assert!(refused.status == 403 || refused.status == 400, "{} {}", refused.status, refused.text());
        assert_eq!(raw::number(site.world.database(), "SELECT COUNT(*) FROM users WHERE pool_id = 'system'").await, 0);
    }

    /// Its login page leads to the page of the administrators, whoever opened it.
    async fn its_login_page_leads_to_the_administration(database) {
        let site = Site::new(database).await;
        administrator(&site, "mei", owner()).await;
        let mut browser = site.browser();
        let page = browser.open("/login?app_id=console").await;
        let answer = browser.submit(&page, &[("account", "mei"), ("password", PASSWORD), ("submit", "1")]).await;
        assert!(answer.header("location").starts_with("https://id.example.com/administration?iss="), "{}", answer.header("location"));
        is_home(&walk(&mut browser, answer).await, "mei");
    }

    /// It is in no list, nothing changes it, and nobody else gets its id.
    async fn nobody_changes_it_or_takes_its_id(database) {
        let site = Site::new(database).await;
        let owner = key(&site.world, AdminRole::Owner, None).await;
        let path = |pool: &str, rest: &str| format!("/admin/v1/pools/{pool}/applications{rest}");
        for (method, rest) in [("GET", ""), ("GET", "/console"), ("PATCH", "/console"), ("DELETE", "/console"), ("POST", "")] {
            let body = (method == "PATCH" || method == "POST").then(|| json!({ "name": "Mine", "type": "web" }));
            let refused = call(&site.world, Some(&owner), method, &path("system", rest), body).await;
            assert_eq!(refused.is(404)["code"], 2224, "{method} {rest}");
        }
        let before = site.world.node.app.config().on_pages("console", Code::ApplicationUnknown).unwrap().clone();
        for id in ["console", "hufu-console"] {
            let taken = call(&site.world, Some(&owner), "POST", &path(SHOP, ""), Some(json!({ "id": id, "name": "Mine", "type": "web" }))).await;
            assert_eq!(taken.is(409)["code"], 2445);
        }
        let after = site.world.node.app.config().on_pages("console", Code::ApplicationUnknown).unwrap().clone();
        assert_eq!(before, after);
        let listed = call(&site.world, Some(&owner), "GET", &path(SHOP, ""), None).await.is(200);
        assert!(!listed.to_string().contains("console"), "{listed}");
    }

    /// A request that names nothing is still of the only pool's default application.
    async fn it_is_no_default_application(database) {
        let world = Plan::new().file(ONE_POOL).build(database).await;
        let config = world.node.app.config();
        let serving = config.serving(ApplicationHint::default()).unwrap();
        assert_eq!(serving.id.as_str(), "only-app");
        let system = ApplicationHint::new(None, Some("system"));
        assert!(config.serving(system).unwrap_err().is(Code::NoDefaultApplication));
        assert!(config.serving(ApplicationHint::new(Some("console"), None)).unwrap_err().is(Code::ApplicationUnknown));
    }

    /// Before its id was reserved, an application of somebody's may have had it: that one goes on.
    async fn an_application_that_had_its_id_before_goes_on(database) {
        let site = Site::new(database).await;
        administrator(&site, "mei", owner()).await;
        site.world.reconfigure_with("id = \"6560c0ffee00000000000003\"", "id = \"6560c0ffee00000000000009\"").await;
        raw::execute(site.world.database(), "UPDATE applications SET id = 'console' WHERE id = '6560c0ffee00000000000009'").await;
        let node = site.world.another_node().await;
        let config = node.app.config();
        assert_eq!(config.on_pages("console", Code::ApplicationUnknown).unwrap().pool.as_str(), SHOP);
        assert_eq!(config.application("console").unwrap().pool.as_str(), SHOP);
        assert_eq!(config.on_pages("hufu-console", Code::ApplicationUnknown).unwrap().pool.as_str(), "system");
        let begun = node.app.begin_admin_login(false).unwrap();
        assert!(begun.address.starts_with("/oidc/auth?client_id=hufu-console&"), "{}", begun.address);
        // Its owner may change it, and keeps it.
        let owner = key(&site.world, AdminRole::Owner, None).await;
        let path = format!("/admin/v1/pools/{SHOP}/applications/console");
        call(&site.world, Some(&owner), "PATCH", &path, Some(json!({ "name": "Theirs" }))).await.is(200);
        assert!(ApplicationId::console().is_reserved());
    }

    /// Whatever the public URL is when a node starts, the login comes back to it.
    async fn it_follows_the_public_url(database) {
        let site = Site::new(database).await;
        let moved = hufu_app::Parts { public_url: "https://login.example.com".to_owned(), ..site.world.parts() };
        let app = hufu_app::App::start(moved).await.unwrap();
        let begun = app.begin_admin_login(false).unwrap().address;
        let back = "redirect_uri=https%3A%2F%2Flogin.example.com%2Fadministration%2Fcallback";
        assert!(begun.contains(back), "{begun}");
        let (_, query) = begun.split_once('?').unwrap();
        let read = |query: &str| serde_urlencoded::from_str(query).unwrap();
        let request = hufu_app::authorization::Parameters::new(read(query));
        app.authorization_request(request).await.unwrap();
        // The node at the other URL does not send anybody there.
        let request = hufu_app::authorization::Parameters::new(read(query));
        site.world.node.app.authorization_request(request).await.unwrap_err();
    }

    /// On another host of this server the cookies would be lost on the way.
    async fn a_browser_elsewhere_is_sent_to_the_public_url(database) {
        let site = Site::new(database).await;
        let request = axum::http::Request::get("/administration/login?again=1").header("host", "localhost:3000");
        let answer = tower::ServiceExt::oneshot(site.router.clone(), request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.headers()["location"], "https://id.example.com/administration/login?moved=1&again=1");
        let request = axum::http::Request::get("/administration/login?moved=1").header("host", "localhost:3000");
        let answer = tower::ServiceExt::oneshot(site.router.clone(), request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        assert!(answer.headers()["location"].to_str().unwrap().starts_with("/oidc/auth?"));
        let mut browser = site.browser();
        assert_eq!(visit(&mut browser, HOME).await.status, 200);
    }
}

const ONE_POOL: &str = r#"
[[user_pool]]
id = "only"
name = "Only"
[[user_pool.application]]
id = "only-app"
name = "App"
type = "mini-program"
default = true
"#;
