//! Logging in, registering, and a forgotten password.

use hufu_testkit::on_both_engines;
use hufu_testkit::world::SHOP_WEB;
use hufu_types::{LoginMethod, RegistrationMethod};

use super::{PASSWORD, Site, authorization, has, has_code, has_not};

on_both_engines! {
    async fn a_password_leads_back_with_a_code(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        let mut browser = site.browser();
        let page = browser.begin().await;
        for name in ["account", "password", "submit", "keep", "link-register", "link-forgot"] {
            has(&page, name);
        }
        assert!(page.text().contains("<h1>Log in to Shop website</h1>"), "{}", page.text());
        let answer = browser.submit(&page, &[("account", " bob "), ("password", PASSWORD), ("keep", "1"), ("submit", "1")]).await;
        has_code(&answer);
        let cookie = answer.header("set-cookie");
        assert!(cookie.starts_with("__Host-hufu=") && cookie.contains("Max-Age="), "{cookie}");
        // The next request is answered at once.
        has_code(&browser.open(&authorization("")).await);
    }

    async fn who_does_not_keep_it_is_logged_out_with_the_browser(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        let answer = site.browser().log_in("bob").await;
        has_code(&answer);
        assert!(!answer.header("set-cookie").contains("Max-Age="));
        site.change(|application| application.login.keep_signed_in = false).await;
        let mut browser = site.browser();
        let page = browser.begin().await;
        has_not(&page, "keep");
        let answer = browser.submit(&page, &[("account", "bob"), ("password", PASSWORD), ("keep", "1")]).await;
        assert!(!answer.header("set-cookie").contains("Max-Age="), "the application decides");
    }

    async fn a_wrong_password_shows_the_form_again(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        let mut browser = site.browser();
        let page = browser.begin().await;
        let wrong = browser.submit(&page, &[("account", "bob"), ("password", "wrong-secret"), ("submit", "1")]).await;
        assert_eq!((wrong.status.as_u16(), wrong.header("location")), (400, ""));
        let text = wrong.text();
        assert!(text.contains("The account or the password is wrong.") && text.contains("role=\"alert\""), "{text}");
        assert!(text.contains("tries left") && text.contains("value=\"bob\"") && !text.contains("wrong-secret"), "{text}");
        assert!(!text.contains("checked"), "the box is as it was");
        // The page goes on.
        has_code(&browser.submit(&wrong, &[("account", "bob"), ("password", PASSWORD), ("submit", "1")]).await);
        let empty = browser.submit(&page, &[("account", ""), ("password", ""), ("submit", "1")]).await;
        assert_eq!(empty.status, 400);
        assert!(empty.text().contains("id=\"account-error\""), "{}", empty.text());
    }

    async fn a_form_of_another_browser_is_refused(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        let page = site.browser().begin().await;
        for path in ["/login", "/register", "/forgot", "/login/continue"] {
            let answer = site.browser().post(path, &[("account", "bob"), ("password", PASSWORD)]).await;
            assert_eq!(answer.status, 403, "{path}");
        }
        let answer = site.browser().submit(&page, &[("account", "bob"), ("password", PASSWORD)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (403, ""));
    }

    async fn each_method_has_its_fields(database) {
        let site = Site::new(database).await;
        let mut browser = site.browser();
        let page = browser.begin().await.text();
        let request = page.split("name=\"request\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        for (method, names) in [
            ("password", ["account", "password", "submit"].as_slice()),
            ("phone-code", &["phone", "send-code", "code", "submit"]),
            ("email-code", &["email", "send-code", "code", "submit"]),
        ] {
            let page = browser.open(&format!("/login?request={request}&method={method}")).await;
            assert_eq!(page.status, 200);
            for name in names {
                has(&page, name);
            }
            assert!(page.text().contains(&format!("method={method}\" aria-current=\"true\"")), "{}", page.text());
        }
    }

    async fn a_method_that_is_off_is_neither_shown_nor_taken(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        let mut browser = site.browser();
        let before = browser.begin().await;
        site.change(|application| application.login.methods = vec![LoginMethod::PhoneCode.into()]).await;
        let page = browser.open(&format!("/login?app_id={SHOP_WEB}&method=password")).await;
        has(&page, "phone");
        for name in ["account", "password", "link-forgot"] {
            has_not(&page, name);
        }
        let answer = browser.submit(&before, &[("account", "bob"), ("password", PASSWORD), ("submit", "1")]).await;
        assert_eq!(answer.status, 403);
        assert!(answer.text().contains("This way of logging in isn&#39;t available here."), "{}", answer.text());
        has(&answer, "phone");
        site.change(|application| application.login.methods = Vec::new()).await;
        let page = browser.begin().await;
        assert!(page.text().contains("No way to log in is switched on"), "{}", page.text());
    }

    async fn a_code_logs_in_and_creates_where_the_page_is_for_both(database) {
        let site = Site::new(database).await;
        let mut browser = site.browser();
        let page = browser.open(&format!("/login?app_id={SHOP_WEB}")).await;
        let page = browser.submit(&page, &[("method", "phone-code"), ("phone", "13800000009"), ("send-code", "1")]).await;
        assert_eq!(page.status, 400, "the hidden method comes first");
        site.change(|application| {
            application.login.default_method = Some(LoginMethod::PhoneCode.into());
            application.login.merged = true;
        }).await;
        let page = browser.begin().await;
        assert!(page.text().contains("Log in or sign up"));
        let sent = browser.submit(&page, &[("phone", "138 0000 0009"), ("code", ""), ("send-code", "1")]).await;
        assert_eq!(sent.status, 200);
        let text = sent.text();
        assert!(text.contains("We sent a code to +8613800000009.") && text.contains("value=\"138 0000 0009\""), "{text}");
        let code = site.sent_code().await;
        let wrong = if code == "000000" { "000001" } else { "000000" };
        let again = browser.submit(&sent, &[("phone", "13800000009"), ("code", wrong), ("submit", "1")]).await;
        assert_eq!(again.status, 400);
        assert!(again.text().contains("id=\"code-error\"") && !again.text().contains(&format!("value=\"{wrong}\"")), "{}", again.text());
        // The enter key presses no button.
        has_code(&browser.submit(&again, &[("phone", "13800000009"), ("code", &code)]).await);
        let wrong = browser.submit(&page, &[("phone", "1"), ("code", ""), ("send-code", "1")]).await;
        assert!(wrong.status == 400 && wrong.text().contains("id=\"phone-error\""), "{}", wrong.text());
    }

    async fn registering_by_each_way(database) {
        let site = Site::new(database).await;
        let mut browser = site.browser();
        let page = browser.open(&format!("/register?app_id={SHOP_WEB}")).await;
        for name in ["phone", "send-code", "code", "new-password", "submit", "link-login"] {
            has(&page, name);
        }
        for (method, field, value) in
            [("phone-code", "phone", "13800000008"), ("email-code", "email", "eve@example.com")]
        {
            let mut browser = site.browser();
            let page = browser.open(&format!("/register?app_id={SHOP_WEB}&method={method}")).await;
            let sent = browser.submit(&page, &[(field, value), ("code", ""), ("send-code", "1")]).await;
            assert_eq!(sent.status, 200, "{}", sent.text());
            let code = site.sent_code().await;
            let weak = [(field, value), ("code", code.as_str()), ("new-password", "short"), ("submit", "1")];
            let weak = browser.submit(&sent, &weak).await;
            assert!(weak.status == 400 && weak.text().contains("id=\"new-password-error\""), "{}", weak.text());
            let filled = [(field, value), ("code", code.as_str()), ("new-password", PASSWORD), ("submit", "1")];
            let done = browser.submit(&weak, &filled).await;
            assert_eq!(done.header("location"), "https://shop.example.com/callback", "{}", done.text());
            assert!(done.header("set-cookie").starts_with("__Host-hufu="));
        }
        // The address is proved by the code of the same form.
        site.change(|application| application.login.registration = vec![RegistrationMethod::EmailPassword]).await;
        let mut browser = site.browser();
        let page = browser.open(&format!("/register?app_id={SHOP_WEB}")).await;
        let values = [("email", "sam@example.com"), ("code", ""), ("new-password", PASSWORD), ("submit", "1")];
        let needed = browser.submit(&page, &values).await;
        assert!(needed.status == 400 && needed.text().contains("You need a code"), "{}", needed.text());
        browser.submit(&needed, &[("email", "sam@example.com"), ("code", ""), ("send-code", "1")]).await;
        let code = site.sent_code().await;
        let values = [("email", "sam@example.com"), ("code", &code), ("new-password", PASSWORD), ("submit", "1")];
        assert_eq!(browser.submit(&needed, &values).await.header("location"), "https://shop.example.com/callback");
        site.change(|application| application.login.registration = Vec::new()).await;
        let page = browser.open(&format!("/login?app_id={SHOP_WEB}&another=1")).await;
        has_not(&page, "link-register");
        let page = browser.open(&format!("/register?app_id={SHOP_WEB}")).await;
        assert!(page.text().contains("New accounts can&#39;t be created here."), "{}", page.text());
    }

    async fn a_forgotten_password_is_reset_by_a_code(database) {
        let site = Site::new(database).await;
        let mut browser = site.browser();
        let page = browser.open(&format!("/forgot?app_id={SHOP_WEB}")).await;
        for name in ["phone", "send-code", "code", "new-password", "submit", "link-login"] {
            has(&page, name);
        }
        // Whether there is such an account is not told.
        for number in ["13800000007", "13912340000"] {
            let sent = browser.submit(&page, &[("phone", number), ("code", ""), ("send-code", "1")]).await;
            assert!(sent.status == 200 && sent.text().contains("belongs to an account"), "{}", sent.text());
        }
        let code = site.sent_code().await;
        let values = [("phone", "13912340000"), ("code", code.as_str()), ("new-password", PASSWORD), ("submit", "1")];
        let done = browser.submit(&page, &values).await;
        assert_eq!(done.status, 303, "{}", done.text());
        let login = browser.go(done).await;
        assert!(login.text().contains("Your password is changed."), "{}", login.text());
        let done = browser.submit(&login, &[("account", "alice"), ("password", PASSWORD), ("submit", "1")]).await;
        assert_eq!(done.header("location"), "https://shop.example.com/callback", "{}", done.text());
    }

    async fn who_is_logged_in_already_goes_on_with_a_click(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        let mut browser = site.browser();
        has_code(&browser.log_in("bob").await);
        let page = browser.open(&format!("/login?app_id={SHOP_WEB}")).await;
        has(&page, "link-another");
        has_not(&page, "password");
        let text = page.text();
        let session = text.split("id=\"session-").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let done = browser.submit(&page, &[("session", &session)]).await;
        assert_eq!(done.header("location"), "https://shop.example.com/callback", "{}", done.text());
        has(&browser.open(&format!("/login?app_id={SHOP_WEB}&another=1")).await, "password");
        // A session of another browser opens nothing.
        let mut other = site.browser();
        let page = other.open(&format!("/login?app_id={SHOP_WEB}")).await;
        let answer = other.submit(&page, &[("session", &session)]).await;
        assert!(answer.header("location").starts_with("/login?"), "{}", answer.header("location"));
        site.change(|application| application.client.init_login_uri = Some("https://shop.example.com/start".to_owned())).await;
        let page = browser.open(&format!("/login?app_id={SHOP_WEB}")).await;
        let done = browser.submit(&page, &[("session", &session)]).await;
        assert_eq!(done.header("location"), "https://shop.example.com/start?iss=https%3A%2F%2Fid.example.com%2Foidc");
    }

    async fn without_a_request_there_is_no_page(database) {
        let site = Site::new(database).await;
        for path in ["/login", "/login?request=nonsense", "/register?app_id=none", "/login/continue?request=x&flow=y"] {
            let page = site.browser().open(path).await;
            assert!(page.status.is_client_error() && page.text().contains("<h1>"), "{path}: {}", page.text());
        }
    }
}
