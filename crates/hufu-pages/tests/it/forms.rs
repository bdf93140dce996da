//! Forms are accepted only from our own page in the same browser.

use hufu_testkit::on_both_engines;

use crate::server::{Answer, Plan, Server};

const THEME: &str = "/preferences/theme";

async fn choose(server: &Server, headers: &[(&str, &str)], token: &str, rest: &str) -> Answer {
    server.send("POST", THEME, headers, &format!("form_token={token}&{rest}")).await
}

on_both_engines! {
    async fn a_form_of_this_browser_is_taken(database) {
        let server = Plan::default().start(database).await;
        let page = server.open("/dev/outbox?a=1", "en").await;
        let (cookies, token) = (page.cookies(), page.form_token());
        let cookie = page.header("set-cookie");
        assert!(cookie.starts_with("hufu-form=") && cookie.ends_with("; Path=/; SameSite=Lax; HttpOnly"), "{cookie}");
        for more in [
            vec![],
            vec![("origin", "http://127.0.0.1:3000"), ("sec-fetch-site", "same-origin")],
        ] {
            let headers: Vec<_> = more.into_iter().chain([("cookie", cookies.as_str())]).collect();
            let answer = choose(&server, &headers, &token, "theme=dark&back=%2Fdev%2Foutbox%3Fa%3D1").await;
            assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/dev/outbox?a=1"));
            assert!(answer.header("set-cookie").starts_with("hufu-theme=dark; Path=/;"));
        }
        // The cookie is set only once; the next page has the same token.
        let again = server.get("/dev/outbox", &[("cookie", &cookies)]).await;
        assert_eq!((again.header("set-cookie"), again.form_token()), ("", token));
    }

    async fn what_comes_from_elsewhere_is_refused(database) {
        let server = Plan::default().start(database).await;
        let page = server.open("/dev/outbox", "en").await;
        let (cookies, token) = (page.cookies(), page.form_token());
        let other = server.open("/dev/outbox", "en").await;
        let rest = "theme=dark&back=%2F";
        let with_cookie = [("cookie", cookies.as_str())];
        for (headers, token) in [
            // Without the cookie, with that of another browser, or with an invalid one.
            (vec![], token.as_str()),
            (vec![("cookie", other.cookies().as_str())], token.as_str()),
            (vec![("cookie", "hufu-form=")], token.as_str()),
            (vec![("cookie", "hufu-form=AAAA")], token.as_str()),
            // Without the token, or with a wrong one.
            (with_cookie.to_vec(), ""),
            (with_cookie.to_vec(), other.form_token().as_str()),
            // Sent by a page of another site.
            (vec![with_cookie[0], ("origin", "https://evil.example")], token.as_str()),
            (vec![with_cookie[0], ("origin", "null")], token.as_str()),
            // More than one origin: no browser sends that.
            (
                vec![with_cookie[0], ("origin", "http://127.0.0.1:3000"), ("origin", "https://evil.example")],
                token.as_str(),
            ),
            (
                vec![with_cookie[0], ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
                token.as_str(),
            ),
            (vec![with_cookie[0], ("origin", "http://127.0.0.1:3100")], token.as_str()),
            (vec![with_cookie[0], ("sec-fetch-site", "cross-site")], token.as_str()),
            (vec![with_cookie[0], ("sec-fetch-site", "same-site")], token.as_str()),
        ] {
            let answer = choose(&server, &headers, token, rest).await;
            assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (403, ""), "{headers:?} {token}");
            assert!(answer.text().contains("<h1>This form has expired</h1>"));
        }
        let unfilled = choose(&server, &with_cookie, &token, "theme=purple&back=%2F").await;
        assert_eq!(unfilled.status, 400);
        let long = "x".repeat(5_000_000);
        let answer = choose(&server, &with_cookie, &token, &format!("theme=dark&back={long}")).await;
        assert_eq!(answer.status, 413);
    }

    async fn a_form_leads_to_no_other_host(database) {
        let server = Plan::default().start(database).await;
        let page = server.open("/dev/outbox", "en").await;
        let (cookies, token) = (page.cookies(), page.form_token());
        for back in ["//evil.example", "https%3A%2F%2Fevil.example", "%2F%5Cevil.example", "%2F%0A%2Fevil.example", "", "evil"] {
            let headers = [("cookie", cookies.as_str())];
            let answer = choose(&server, &headers, &token, &format!("theme=auto&back={back}")).await;
            assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/"), "{back}");
        }
    }

    async fn over_https_no_neighbour_can_plant_the_secret(database) {
        let server = Plan { public_url: "https://id.example.com", ..Plan::default() }.start(database).await;
        let page = server.open("/dev/outbox", "en").await;
        let cookie = page.header("set-cookie");
        assert!(cookie.starts_with("__Host-hufu-form="), "{cookie}");
        assert!(cookie.ends_with("; Path=/; SameSite=Lax; HttpOnly; Secure"), "{cookie}");
        let (cookies, token) = (page.cookies(), page.form_token());
        let headers = [("cookie", cookies.as_str()), ("origin", "https://id.example.com")];
        assert_eq!(choose(&server, &headers, &token, "theme=dark&back=%2F").await.status, 303);
        let planted = cookies.replace("__Host-", "");
        let answer = choose(&server, &[("cookie", planted.as_str())], &token, "theme=dark&back=%2F").await;
        assert_eq!(answer.status, 403);
    }
}
