//! Clients that registered themselves, as people meet them: what they show of themselves, consent, and their end.

use axum::http::{Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hufu_app::administration::AdminCaller;
use hufu_app::client_registration::RegistrationTokenRequest;
use hufu_testkit::client::{Answer, TOKEN};
use hufu_testkit::on_both_engines;
use hufu_testkit::raw;
use hufu_testkit::world::SHOP;
use hufu_types::PoolId;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{PASSWORD, Site, encoded, has, has_code, has_not};
use crate::samples::well_formed;

const CALLBACK: &str = "https://rp.example.com/callback";

/// A client that registered.
struct Client<'s> {
    site: &'s Site,
    json: Value,
}

impl<'s> Client<'s> {
    async fn register(site: &'s Site, metadata: Value) -> Self {
        let request = RegistrationTokenRequest {
            pool: PoolId::parse(SHOP).unwrap(),
            name: String::new(),
            expires_at: None,
            clients: None,
        };
        let app = &site.world.node.app;
        let (_, token) = app.create_registration_token(&AdminCaller::command_line(), request).await.unwrap();
        let sender = site.world.nobody().bearer(token.expose_secret());
        let answer = sender.post("/oidc/reg", metadata).await;
        assert_eq!(answer.status, 201, "{answer}");
        Self { site, json: answer.json() }
    }

    fn text(&self, name: &str) -> &str {
        self.json[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", self.json))
    }

    fn authorization(&self, more: &[(&str, &str)]) -> String {
        let own = [
            ("client_id", self.text("client_id")),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid profile offline_access"),
            ("prompt", "consent"),
            ("state", "s1"),
        ];
        format!("/oidc/auth?{}", encoded(&[&own, more].concat()))
    }

    async fn token(&self, fields: &[(&str, &str)]) -> Answer {
        let basic = STANDARD.encode(format!("{}:{}", self.text("client_id"), self.text("client_secret")));
        let sender = self.site.world.nobody().header("authorization", &format!("Basic {basic}"));
        sender.form(TOKEN, fields).await
    }

    async fn exchange(&self, code: &str) -> Answer {
        self.token(&[("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)]).await
    }
}

fn code_of(answer: &crate::server::Answer) -> String {
    let location = answer.header("location");
    let (_, rest) = location.split_once(&format!("{CALLBACK}?code=")).unwrap_or_else(|| panic!("{location}"));
    rest.split('&').next().unwrap().to_owned()
}

fn shown() -> Value {
    json!({
        "redirect_uris": [CALLBACK], "grant_types": ["authorization_code", "refresh_token"],
        "client_name": "<script>alert(1)</script> & \"Tea\"",
        "logo_uri": "https://img.rp.example.com/logo.png?a=1&b=\"", "policy_uri": "https://rp.example.com/policy?x=<b>",
        "tos_uri": "https://rp.example.com/terms", "client_uri": "https://rp.example.com/",
    })
}

on_both_engines! {
    async fn a_registered_client_shows_itself_and_runs_nothing(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        let client = Client::register(&site, shown()).await;
        let mut browser = site.browser();
        let login = browser.follow(&client.authorization(&[])).await;
        let form = [("account", "bob"), ("password", PASSWORD), ("submit", "1")];
        let answer = browser.submit(&login, &form).await;
        let consent = browser.go(answer).await;
        has(&login, "submit");
        has(&consent, "allow");
        for (name, page) in [("login", &login), ("consent", &consent)] {
            let text = page.text();
            well_formed(&text, name);
            assert!(!text.contains("<script>alert") && text.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp;"), "{text}");
            let policy = page.header("content-security-policy");
            assert!(policy.contains("img-src 'self' data: https://img.rp.example.com;") && policy.contains("script-src 'self';"), "{policy}");
            for (id, attribute, address) in [
                ("app-logo", "src", "https://img.rp.example.com/logo.png"),
                ("link-policy", "href", "https://rp.example.com/policy"),
                ("link-terms", "href", "https://rp.example.com/terms"),
                ("link-home", "href", "https://rp.example.com/"),
            ] {
                let (_, rest) = text.split_once(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no {id}: {text}"));
                let element = rest.split('>').next().unwrap();
                assert!(element.contains(&format!(" {attribute}=\"{address}")), "{element}");
                assert!(id == "app-logo" || element.contains("rel=\"noopener noreferrer\""), "{element}");
            }
            assert!(!text.contains("b=\"\"") && !text.contains("x=<b>"), "{text}");
        }
        // An application that says nothing of itself shows nothing.
        let plain = site.browser().begin().await;
        for id in ["app-logo", "link-policy", "link-terms", "link-home"] {
            has_not(&plain, id);
        }
    }

    async fn with_a_client_ends_what_it_holds(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        let client = Client::register(&site, shown()).await;
        let mut browser = site.browser();
        has_code(&browser.log_in("bob").await);
        let mut enter = async || {
            let page = browser.follow(&client.authorization(&[])).await;
            code_of(&browser.submit(&page, &[("allow", "1")]).await)
        };
        let tokens = client.exchange(&enter().await).await.json();
        let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
        let fresh = client.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await.json();
        let refresh = fresh["refresh_token"].as_str().unwrap();
        let world = &site.world;
        let other = world.another_node().await;
        let me = async |node| hufu_testkit::client::Client::of(world, node).bearer(access).get("/oidc/me").await.status;
        assert_eq!((me(&world.node).await, me(&other).await), (StatusCode::OK, StatusCode::OK));
        // A third party's token opens nothing else.
        let own = world.nobody().bearer(access).get("/api/v3/get-profile").await;
        assert_eq!(own.code(), 2488, "{own}");
        let unused = enter().await;
        let rows = async |table: &str| raw::number(world.database(), &format!("SELECT COUNT(*) FROM {table}")).await;
        assert_eq!((rows("consents").await, rows("sessions").await > 1, rows("refresh_tokens").await > 0), (1, true, true));

        let manager = world.nobody().bearer(client.text("registration_access_token"));
        let path = format!("/oidc/reg/{}", client.text("client_id"));
        assert_eq!(manager.send(Method::DELETE, &path, "", Vec::new()).await.status, 204);
        other.app.refresh_config().await.unwrap();
        assert_eq!((me(&world.node).await, me(&other).await), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
        client.exchange(&unused).await.oauth_error("invalid_client");
        client.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await.oauth_error("invalid_client");
        let of_client = format!("WHERE application_id = '{}'", client.text("client_id"));
        for table in ["sessions", "consents"] {
            assert_eq!(rows(&format!("{table} {of_client}")).await, 0, "{table}");
        }
        assert_eq!(rows("refresh_tokens").await, 0);
        // The person stays logged in, and so does the other application.
        assert_eq!((rows("sessions").await, rows("browser_sessions").await), (1, 1));
        has_code(&browser.begin().await);
        let gone = browser.follow(&client.authorization(&[])).await;
        assert!(gone.status == 400 && gone.header("location").is_empty(), "{}", gone.text());
    }
}
