//! A server without WeChat, and requests as browsers send them.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use hufu_app::connect::{Mail, Mailer as _, Outbox};
use hufu_app::{App, Parts};
use hufu_testkit::Base;
use hufu_testkit::TestDatabase;
use hufu_types::{SystemRandom, TestClock, Timestamp};
use hufu_web::WebSettings;
use hufu_web::server::Routes;
use tower::ServiceExt as _;

pub(crate) const NOW: Timestamp = Timestamp(1_795_671_727_000);

/// A server with its own database.
pub(crate) struct Server {
    router: Router,
    _base: Base,
}

/// How to set up a server.
pub(crate) struct Plan {
    pub(crate) public_url: &'static str,
    pub(crate) outbox: Option<Outbox>,
    pub(crate) more: Routes,
    pub(crate) web: WebSettings,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:3000",
            outbox: Some(Outbox::new(Arc::new(TestClock::new(NOW)))),
            more: Routes::new(),
            web: WebSettings::default(),
        }
    }
}

impl Plan {
    pub(crate) async fn start(self, database: TestDatabase) -> Server {
        let base = Base::new(database, NOW, SystemRandom).await;
        let parts =
            Parts { public_url: self.public_url.to_owned(), outbox: self.outbox.clone(), ..base.parts() };
        let app = App::start(parts).await.unwrap();
        let router = hufu_web::router(app, self.web, [hufu_pages::routes(self.outbox), self.more]);
        Server { router, _base: base }
    }
}

/// A server with two messages in its outbox.
pub(crate) async fn with_messages(database: TestDatabase) -> Server {
    let plan = Plan::default();
    for (subject, code) in [("First", "111111"), ("<script>alert('x')</script>&\"", "222222")] {
        plan.outbox.as_ref().unwrap().send(&mail(subject, code)).await.unwrap();
    }
    plan.start(database).await
}

/// A mail with a code.
pub(crate) fn mail(subject: &str, code: &str) -> Mail {
    Mail {
        to: hufu_types::Email::parse("bob@example.com").unwrap(),
        subject: subject.to_owned(),
        text: format!("Your code:\n{code} <b>"),
        html: None,
        code: Some(code.into()),
    }
}

/// A response.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The cookies that the response sets, as a browser would send them back.
    pub(crate) fn cookies(&self) -> String {
        let set = self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap());
        set.map(|value| value.split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
    }

    /// The value of the hidden field with the CSRF token.
    pub(crate) fn form_token(&self) -> String {
        let text = self.text();
        let (_, rest) = text.split_once(r#"name="form_token" value=""#).expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Server {
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:3000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, "").await
    }

    /// Opens an address as a browser does.
    pub(crate) async fn open(&self, path: &str, language: &str) -> Answer {
        self.get(
            path,
            &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8"), ("accept-language", language)],
        )
        .await
    }
}

/// The addresses of the assets that a page links to.
pub(crate) fn assets_of(page: &str) -> Vec<String> {
    let after = page.split(['"', '#']).filter(|text| text.starts_with("/assets/"));
    let mut assets: Vec<String> = after.map(str::to_owned).collect();
    assets.sort();
    assets.dedup();
    assets
}
