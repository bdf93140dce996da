//! The page behind the link of an invitation to be an administrator.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use hufu_app::administration::AdminCaller;
use hufu_app::connect::Outbox;
use hufu_app::{App, Parts};
use hufu_testkit::{Base, on_both_engines};
use hufu_types::{AdminRole, Language, PoolRole, SystemRandom, TestClock};
use hufu_web::WebSettings;
use tower::ServiceExt as _;

use crate::samples::well_formed;
use crate::server::NOW;

const PASSWORD: &str = "correct horse battery";

/// A response: its status, headers and text.
struct Answer(u16, axum::http::HeaderMap, String);

async fn send(router: &axum::Router, request: axum::http::request::Builder, body: String) -> Answer {
    let request = request.header("host", "127.0.0.1:3000").body(Body::from(body)).unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Answer(parts.status.as_u16(), parts.headers, String::from_utf8(bytes).unwrap())
}

on_both_engines! {
    /// Somebody opens the link, is told what is wrong, makes an account, and the link is good no more.
    async fn an_invitation_is_accepted_on_its_page(database) {
        let base = Base::new(database, NOW, SystemRandom).await;
        let outbox = Outbox::new(Arc::new(TestClock::new(NOW)));
        let public_url = "http://127.0.0.1:3000".to_owned();
        let parts = Parts { public_url, outbox: Some(outbox.clone()), ..base.parts() };
        let app = App::start(parts).await.unwrap();
        let router = hufu_web::router(app.clone(), WebSettings::default(), [hufu_pages::routes(None)]);
        let role = PoolRole { pool: None, role: AdminRole::Support };
        let by = AdminCaller::command_line();
        app.invite_administrator(&by, "mei@example.com", role, Language::English).await.unwrap();
        app.run_due_jobs().await;
        let link = outbox.list().into_iter().find_map(|message| message.code).unwrap();
        let path = link.strip_prefix("http://127.0.0.1:3000").unwrap();
        for language in Language::ALL {
            let request = Request::get(path).header("accept-language", language.tag());
            let Answer(status, _, text) = send(&router, request, String::new()).await;
            assert_eq!(status, 200, "{text}");
            well_formed(&text, language.tag());
            assert!(!text.contains('⟦') && !text.contains("{$"), "{text}");
        }
        let opened = send(&router, Request::get(path).header("accept-language", "en"), String::new()).await;
        assert!(opened.2.contains("all user pools") && opened.2.contains("support"), "{}", opened.2);
        let cookie = opened.1.get("set-cookie").unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
        let token = path.split_once("token=").unwrap().1;
        let post = async |username: &str, password: &str| {
            let (_, rest) = opened.2.split_once(r#"action="/administration/invitation""#).unwrap();
            let (_, rest) = rest.split_once(r#"name="form_token" value=""#).unwrap();
            let form_token = rest.split('"').next().unwrap();
            let fields = [("form_token", form_token), ("token", token), ("username", username), ("password", password)];
            let request = Request::post("/administration/invitation")
                .header("content-type", "application/x-www-form-urlencoded")
                .header("origin", "http://127.0.0.1:3000")
                .header("accept-language", "en")
                .header("cookie", &cookie);
            send(&router, request, serde_urlencoded::to_string(fields).unwrap()).await
        };
        let weak = post("mei", "12345678").await;
        assert!(weak.0 >= 400 && weak.2.contains("password-error"), "{}", weak.2);
        assert!(!weak.2.contains("12345678"));
        let done = post("mei", PASSWORD).await;
        assert_eq!((done.0, done.1["location"].to_str().unwrap()), (303, "/administration/invitation/accepted"), "{}", done.2);
        let shown = send(&router, Request::get("/administration/invitation/accepted"), String::new()).await;
        assert_eq!(shown.0, 200);
        let again = post("lee", PASSWORD).await;
        assert_eq!(again.0, 404);
        let login = app.log_in_administrator("mei", PASSWORD.into(), None, &hufu_app::Origin::default()).await;
        assert_eq!(login.unwrap().administrator.roles, [PoolRole { pool: None, role: AdminRole::Support }]);
        let gone = send(&router, Request::get(path), String::new()).await;
        assert_eq!(gone.0, 404);
    }
}
