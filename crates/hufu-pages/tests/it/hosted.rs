//! The login pages, as a browser uses them: forms are sent as the pages have them.

mod access;
mod administrators;
mod attacks;
mod connections;
mod consent;
mod forms;
mod leaving;
mod looks;
mod pairwise;
mod qr_codes;
mod registered;
mod waiting;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::routing::get;
use hufu_app::{Origin, Registration};
use hufu_testkit::TestDatabase;
use hufu_testkit::world::{SHOP_WEB, World, web_settings};
use hufu_types::{Application, TokenHash, Username};
use hufu_web::page::Viewer;
use hufu_web::server::Routes;
use secrecy::SecretString;
use tower::ServiceExt as _;

use crate::server::Answer;

pub(crate) const BACK: &str = "https://shop.example.com/callback";
pub(crate) const PASSWORD: &str = "correct horse battery";
const HOST: &str = "id.example.com";

/// An instance with the login pages.
pub(crate) struct Site {
    pub(crate) world: World,
    router: Router,
}

impl Site {
    pub(crate) async fn new(database: TestDatabase) -> Self {
        Self::of(World::new(database).await).await
    }

    pub(crate) async fn of(world: World) -> Self {
        let app = world.node.app.clone();
        let mark = Routes::new().route("/mark", get(async |viewer: Viewer| hex(&viewer.browser_mark())));
        let router = hufu_web::router(app, web_settings(), [hufu_pages::routes(None), mark]);
        let site = Self { world, router };
        site.change(|application| application.client.redirect_uris = vec![BACK.to_owned()]).await;
        site
    }

    /// Changes the website of the shop.
    pub(crate) async fn change(&self, change: impl FnOnce(&mut Application)) {
        self.world.change_application(SHOP_WEB, change).await;
    }

    pub(crate) fn application(&self) -> std::sync::Arc<Application> {
        self.world.node.app.config().application(SHOP_WEB).unwrap().clone()
    }

    /// A person with a username and [`PASSWORD`].
    pub(crate) async fn person(&self, username: &str) {
        let registration = Registration {
            username: Some(Username::parse(username).unwrap()),
            password: Some(SecretString::from(PASSWORD)),
            ..Registration::default()
        };
        let app = &self.world.node.app;
        app.register(&self.application(), registration, None, &Origin::default()).await.unwrap();
    }

    /// The code that was sent last.
    pub(crate) async fn sent_code(&self) -> String {
        self.world.node.app.run_due_jobs().await;
        self.world.outbox().list().into_iter().find_map(|message| message.code).unwrap()
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser {
            site: self,
            cookies: BTreeMap::new(),
            language: "en",
            user_agent: "Mozilla/5.0 (X11; Linux x86_64)",
            destination: None,
            ip: None,
            foreign_host: None,
        }
    }
}

/// A browser: it keeps cookies. A clone is the same one, asking twice at once.
#[derive(Clone)]
pub(crate) struct Browser<'s> {
    site: &'s Site,
    cookies: BTreeMap<String, String>,
    pub(crate) language: &'static str,
    pub(crate) user_agent: &'static str,
    /// What it wants the answer for, if it says.
    pub(crate) destination: Option<&'static str>,
    /// Its address. Limits are counted by it.
    pub(crate) ip: Option<[u8; 4]>,
    /// Another name for this server, in each header that could say one.
    pub(crate) foreign_host: Option<&'static str>,
}

impl Browser<'_> {
    async fn send(&mut self, method: &str, address: &str, body: String) -> Answer {
        let path = address.strip_prefix("https://id.example.com").unwrap_or(address);
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::builder();
        if let Some(destination) = self.destination {
            request = request.header("sec-fetch-dest", destination);
        }
        if let Some(ip) = self.ip {
            request = request.extension(ConnectInfo(SocketAddr::from((ip, 40_000))));
        }
        if let Some(name) = self.foreign_host {
            request = request
                .header("x-forwarded-host", name)
                .header("x-forwarded-proto", "http")
                .header("forwarded", format!("host={name};proto=http"));
        }
        let request = request
            .method(method)
            .uri(path)
            .header("host", self.foreign_host.unwrap_or(HOST))
            .header("accept", "text/html")
            .header("accept-language", self.language)
            .header("user-agent", self.user_agent)
            .header("cookie", cookies.join("; "))
            .body(Body::from(body))
            .unwrap();
        let response = self.site.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        let answer = Answer { status: parts.status, headers: parts.headers, bytes };
        for pair in answer.cookies().split("; ").filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
            self.note(value);
        }
        let (_, query) = answer.header("location").split_once('?').unwrap_or_default();
        for pair in query.split(['&', '#']) {
            if let Some(("code" | "state" | "ticket", value)) = pair.split_once('=') {
                self.note(value);
            }
        }
        answer
    }

    /// Records what must never be logged: the secrets of cookies, codes and states, which are long.
    fn note(&self, value: &str) {
        if value.len() >= 20 {
            self.site.world.secret(value);
        }
    }

    pub(crate) async fn open(&mut self, address: &str) -> Answer {
        self.send("GET", address, String::new()).await
    }

    pub(crate) async fn head(&mut self, address: &str) -> Answer {
        self.send("HEAD", address, String::new()).await
    }

    /// Whether it keeps a cookie of this name.
    pub(crate) fn keeps(&self, name: &str) -> bool {
        self.cookies.get(name).is_some_and(|value| !value.is_empty())
    }

    /// Opens an address, and whatever it redirects to on this server.
    pub(crate) async fn follow(&mut self, address: &str) -> Answer {
        let mut answer = self.open(address).await;
        while answer.status == 303 && answer.header("location").starts_with('/') {
            let next = answer.header("location").to_owned();
            answer = self.open(&next).await;
        }
        answer
    }

    /// What stands for the browser in the database.
    pub(crate) async fn mark(&mut self) -> TokenHash {
        let text = self.open("/mark").await.text();
        let mut hash = [0; 32];
        for (place, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap();
        }
        TokenHash(hash)
    }

    /// Begins a login for the shop's website.
    pub(crate) async fn begin(&mut self) -> Answer {
        self.follow(&authorization("")).await
    }

    /// Sends the form of a page with these values beside the hidden ones.
    pub(crate) async fn submit(&mut self, page: &Answer, values: &[(&str, &str)]) -> Answer {
        let text = page.text();
        let (_, rest) = text.split_once("method=\"post\" action=\"").expect("a form");
        let (action, rest) = rest.split_once('"').unwrap();
        let form = rest.split("</form>").next().unwrap();
        let hidden = form.split("type=\"hidden\" name=\"").skip(1).map(|input| {
            let (name, rest) = input.split_once("\" value=\"").unwrap();
            (name, rest.split('"').next().unwrap())
        });
        let all: Vec<_> = hidden.chain(values.iter().copied()).collect();
        self.send("POST", action, encoded(&all)).await
    }

    pub(crate) async fn post(&mut self, path: &str, values: &[(&str, &str)]) -> Answer {
        self.send("POST", path, encoded(values)).await
    }

    /// Begins a login, and fills in username and password.
    pub(crate) async fn log_in(&mut self, username: &str) -> Answer {
        let page = self.begin().await;
        self.submit(&page, &[("account", username), ("password", PASSWORD), ("submit", "1")]).await
    }

    /// Follows the answer to a form as far as this server goes.
    pub(crate) async fn go(&mut self, answer: Answer) -> Answer {
        if answer.status == 303 && answer.header("location").starts_with('/') {
            let next = answer.header("location").to_owned();
            return self.follow(&next).await;
        }
        answer
    }
}

fn hex(hash: &TokenHash) -> String {
    hash.0.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn encoded(values: &[(&str, &str)]) -> String {
    let escaped = |text: &str| {
        text.bytes().fold(String::new(), |mut all, byte| {
            if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || byte == b'.' {
                all.push(char::from(byte));
            } else {
                let _ = write!(all, "%{byte:02X}");
            }
            all
        })
    };
    let pairs: Vec<_> =
        values.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    pairs.join("&")
}

/// An authorization request of the shop's website, with more parameters.
pub(crate) fn authorization(more: &str) -> String {
    let back = "https%3A%2F%2Fshop.example.com%2Fcallback";
    format!(
        "/oidc/auth?client_id={SHOP_WEB}&redirect_uri={back}&response_type=code&scope=openid&state=s1{more}"
    )
}

/// Fails unless the browser is sent back to the shop with a code.
#[track_caller]
pub(crate) fn has_code(answer: &Answer) {
    let location = answer.header("location");
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert!(location.starts_with(&format!("{BACK}?code=")) && location.contains("&state=s1"), "{location}");
}

/// Whether the page has an element of this id, which is its name as well.
#[track_caller]
pub(crate) fn has(page: &Answer, name: &str) {
    let text = page.text();
    assert!(text.contains(&format!("id=\"{name}\"")), "no {name}: {text}");
    assert!(
        name.starts_with("link-") || text.contains(&format!("name=\"{name}\"")),
        "no name {name}: {text}"
    );
}

#[track_caller]
pub(crate) fn has_not(page: &Answer, name: &str) {
    let text = page.text();
    assert!(
        !text.contains(&format!("id=\"{name}\"")) && !text.contains(&format!("name=\"{name}\"")),
        "{name}: {text}"
    );
}
