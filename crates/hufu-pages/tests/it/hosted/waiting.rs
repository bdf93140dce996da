//! Logins that wait for a step.

use hufu_app::{Evidence, LoginAnswer, Origin, PhoneUse, SourceLogin};
use hufu_testkit::administration::{call, key};
use hufu_testkit::world::{FILE, MINI, Plan, SHOP, SHOP_WEB, TWO, World};
use hufu_testkit::{on_both_engines, raw};
use hufu_types::flow::RequestedTokens;
use hufu_types::{AdminRole, ConnectionId};

use super::{BACK, Browser, PASSWORD, Site, authorization, has, has_code, has_not};
use crate::samples::well_formed;
use crate::server::Answer;

const SETTINGS: &str = "name = \"Shop\"\n  [user_pool.settings]\n  required_fields = [\"nickname\", \"email\", \"custom.size\"]\n  custom_fields = [{ key = \"size\", type = \"number\", label = \"Shoe size\" }]\n  agreements = [{ id = \"terms\", version = 2, title = \"Terms of use\", url = \"https://shop.example.com/terms\" }]\n";

async fn demanding(database: hufu_testkit::TestDatabase) -> Site {
    let site = Site::new(database).await;
    site.person("bob").await;
    site.world.reconfigure_with("name = \"Shop\"\n", SETTINGS).await;
    site
}

on_both_engines! {
    async fn what_is_missing_is_filled_in_and_agreed_to(database) {
        let site = demanding(database).await;
        let mut browser = site.browser();
        let page = browser.log_in("bob").await;
        assert!(page.header("location").starts_with("/login/continue?"), "{}", page.header("location"));
        let page = browser.go(page).await;
        for name in ["nickname", "custom.size", "email", "send-code", "code", "submit", "cancel"] {
            has(&page, name);
        }
        assert!(page.text().contains("Shoe size"), "{}", page.text());
        let sent = browser.submit(&page, &[("nickname", "Bob"), ("custom.size", "x"), ("email", "bob@example.com"), ("code", ""), ("send-code", "1")]).await;
        assert!(sent.status == 200 && sent.text().contains("value=\"Bob\""), "{}", sent.text());
        let code = site.sent_code().await;
        let values = |size: &'static str| [("nickname", "Bob"), ("custom.size", size), ("email", "bob@example.com"), ("code", code.as_str()), ("submit", "1")];
        let wrong = browser.submit(&sent, &values("x")).await;
        assert!(wrong.status == 400 && wrong.text().contains("id=\"custom.size-error\""), "{}", wrong.text());
        let next = browser.submit(&wrong, &values("41")).await;
        let page = browser.go(next).await;
        assert!(page.text().contains("Terms of use"), "{}", page.text());
        has(&page, "accept");
        has(&page, "cancel");
        has_code(&browser.submit(&page, &[("accept", "1")]).await);
        // The old page is over.
        let late = browser.submit(&page, &[("accept", "1")]).await;
        assert!(late.status == 400 && late.text().contains("This login has expired"), "{}", late.text());
        has(&late, "link-login");
        has_code(&browser.begin().await);
    }

    /// Whoever was logging in to an application that is removed reads that it is gone, on whatever page they are.
    async fn an_application_is_removed_while_a_login_waits(database) {
        let site = demanding(database).await;
        let owner = key(&site.world, AdminRole::Owner, None).await;
        let mut waiting = site.browser();
        let answer = waiting.log_in("bob").await;
        let address = answer.header("location").to_owned();
        let page = waiting.go(answer).await;
        has(&page, "nickname");
        let mut fresh = site.browser();
        let login = fresh.begin().await;
        let path = format!("/admin/v1/pools/{SHOP}/applications/{SHOP_WEB}");
        call(&site.world, Some(&owner), "DELETE", &path, None).await.is(204);

        let gone = |page: &Answer| {
            assert_eq!(page.status, 404, "{}", page.text());
            assert!(page.text().contains("t available any more."), "{}", page.text());
            well_formed(&page.text(), "gone");
        };
        let fields = [("nickname", "Bob"), ("custom.size", "41"), ("email", "bob@example.com"), ("code", "000000"), ("submit", "1")];
        gone(&waiting.submit(&page, &fields).await);
        gone(&waiting.open(&address).await);
        gone(&fresh.submit(&login, &[("account", "bob"), ("password", PASSWORD), ("submit", "1")]).await);
        // A new request is about an application that there is not.
        let page = fresh.begin().await;
        assert!(page.status.is_client_error() && page.header("location").is_empty(), "{}", page.text());
        let flows = "SELECT COUNT(*) FROM sessions";
        assert_eq!(raw::number(site.world.database(), flows).await, 0, "nobody was logged in");
    }

    async fn a_waiting_login_goes_on_in_its_browser_alone(database) {
        let site = demanding(database).await;
        let mut browser = site.browser();
        let answer = browser.log_in("bob").await;
        let address = answer.header("location").to_owned();
        let elsewhere = site.browser().open(&address).await;
        assert!(elsewhere.status == 400 && elsewhere.text().contains("This login has expired"));
        // A wrong step gives the page a new handle.
        let page = browser.open(&address).await;
        let wrong = browser.submit(&page, &[("nickname", "Bob"), ("custom.size", "4"), ("email", "bob@example.com"), ("code", "000000"), ("submit", "1")]).await;
        assert!(wrong.text().contains("id=\"code-error\""), "{}", wrong.text());
        assert_eq!(browser.open(&address).await.status, 400, "the old one is void");
        let denied = browser.submit(&wrong, &[("cancel", "1")]).await;
        assert!(denied.header("location").starts_with(&format!("{BACK}?error=access_denied")), "{}", denied.header("location"));
    }
}

on_both_engines! {
    async fn a_number_and_an_address_are_asked_for_one_after_the_other(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        let settings = "name = \"Shop\"\n  [user_pool.settings]\n  required_fields = [\"email\", \"phone\", \"gender\"]\n";
        site.world.reconfigure_with("name = \"Shop\"\n", settings).await;
        let mut browser = site.browser();
        let page = browser.begin().await;
        let answer = browser.submit(&page, &[("account", "bob"), ("password", PASSWORD), ("keep", "1"), ("submit", "1")]).await;
        let page = browser.go(answer).await;
        has(&page, "phone");
        has(&page, "gender");
        has_not(&page, "email");
        // The enter key presses no button.
        let sent = browser.submit(&page, &[("phone", "13800000005"), ("code", ""), ("gender", "F")]).await;
        assert!(sent.text().contains("We sent a code to +8613800000005."), "{}", sent.text());
        let code = site.sent_code().await;
        let page = browser.submit(&sent, &[("phone", "13800000005"), ("code", &code), ("gender", "F"), ("submit", "1")]).await;
        assert_eq!(page.status, 200, "{}", page.text());
        has(&page, "email");
        has_not(&page, "phone");
        let sent = browser.submit(&page, &[("email", "bob@example.com"), ("code", ""), ("send-code", "1")]).await;
        let code = site.sent_code().await;
        let done = browser.submit(&sent, &[("email", "bob@example.com"), ("code", &code), ("submit", "1")]).await;
        has_code(&done);
        assert!(done.header("set-cookie").contains("Max-Age="), "what was ticked at the beginning counts");
    }

    async fn a_first_password_is_replaced(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        let sql = "UPDATE users SET must_reset = (1 = 1) WHERE username = 'bob'";
        raw::execute(site.world.database(), sql).await;
        let mut browser = site.browser();
        let answer = browser.log_in("bob").await;
        let page = browser.go(answer).await;
        has(&page, "new-password");
        has(&page, "submit");
        let weak = browser.submit(&page, &[("new-password", "short"), ("submit", "1")]).await;
        assert!(weak.status == 400 && weak.text().contains("id=\"new-password-error\""), "{}", weak.text());
        has_code(&browser.submit(&weak, &[("new-password", "another horse battery"), ("submit", "1")]).await);
        // The login itself has granted the request.
        let granted = "SELECT granted FROM browser_sessions";
        assert_eq!(raw::number(site.world.database(), granted).await, 1);
    }

    /// A login that waited may go on in the page of another request, which is then the one that is answered.
    async fn a_login_that_waited_answers_no_request_but_its_own(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        let sql = "UPDATE users SET must_reset = (1 = 1) WHERE username = 'bob'";
        raw::execute(site.world.database(), sql).await;
        let mut browser = site.browser();
        let waiting = browser.log_in("bob").await.header("location").to_owned();
        let flow = waiting.split("flow=").nth(1).unwrap().to_owned();
        let login = browser.follow(&authorization("&prompt=consent")).await.text();
        let request = login.split("name=\"request\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let page = browser.open(&format!("/login/continue?request={request}&flow={flow}")).await;
        let done = browser.submit(&page, &[("new-password", "another horse battery"), ("submit", "1")]).await;
        assert!(done.header("location").starts_with("/consent?"), "{}", done.header("location"));
    }
}

/// A shop whose mini program asks. The surface that sends browsers to WeChat does not matter here: the login is made
/// for the mark of the browser.
async fn asking(database: hufu_testkit::TestDatabase, more: &str) -> Site {
    let identifier = "identifier = \"shop-mini\"\n";
    let file =
        FILE.replacen(identifier, &format!("{identifier}  association = {{ mode = \"ask\"{more} }}\n"), 1);
    let world: World = Plan::new().file(Box::leak(file.into_boxed_str())).build(database).await;
    Site::of(world).await
}

/// Begins a login through WeChat for the request of a login page. Returns the page on which it waits.
async fn from_wechat(site: &Site, browser: &mut Browser<'_>, name: &str) -> Answer {
    let page = browser.begin().await.text();
    let request = page.split("name=\"request\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let app = &site.world.node.app;
    let open = app.open_request(request).unwrap();
    let connection = ConnectionId::parse(&site.world.connection(MINI)).unwrap();
    let code = site.world.code(MINI, name);
    let login = SourceLogin {
        application: open.application.clone(),
        connection: app.config().connection(&connection).unwrap().clone(),
        evidence: Evidence::code(&code),
        phone_use: PhoneUse::LogIn,
        options: RequestedTokens::Authorization(Box::new(open.request.clone())).into(),
        origin: Origin { browser: Some(browser.mark().await), ..Origin::default() },
    };
    let answer = app.log_in(&login).await.unwrap();
    let LoginAnswer::Waiting(view) = answer else { panic!("{answer:?}") };
    browser.open(&format!("/login/continue?request={request}&flow={}", view.handle)).await
}

on_both_engines! {
    async fn an_unknown_identity_is_bound_or_gets_an_account(database) {
        let site = asking(database, ", methods = [\"phone-code\", \"username-password\"]").await;
        site.person("bob").await;
        site.world.person("stranger");
        site.world.person("newcomer");
        let mut browser = site.browser();
        let page = from_wechat(&site, &mut browser, "stranger").await;
        for name in ["bind-phone-code", "phone", "send-code", "code", "submit", "create", "cancel"] {
            has(&page, name);
        }
        let text = page.text();
        well_formed(&text, "associate");
        assert!(text.contains("id=\"bind-username-password\"") && !text.contains('⟦'), "{text}");
        let link = text.split("id=\"bind-username-password\" href=\"").nth(1).unwrap().split('"').next().unwrap();
        let page = browser.open(&link.replace("&amp;", "&")).await;
        has(&page, "account");
        has(&page, "bind-username-password");
        // The button of the method opens its fields, and submits them once they are filled in.
        let opened = browser.submit(&page, &[("account", ""), ("password", ""), ("bind-username-password", "1")]).await;
        assert!(opened.status == 200 && !opened.text().contains("-error"), "{}", opened.text());
        let wrong = browser.submit(&opened, &[("account", "bob"), ("password", "wrong"), ("submit", "1")]).await;
        assert!(wrong.status == 400 && wrong.text().contains("The account or the password is wrong."), "{}", wrong.text());
        has_code(&browser.submit(&wrong, &[("account", "bob"), ("password", PASSWORD), ("bind-username-password", "1")]).await);
        let mut browser = site.browser();
        let page = from_wechat(&site, &mut browser, "newcomer").await;
        has_code(&browser.submit(&page, &[("create", "1")]).await);
    }

    async fn a_code_of_the_page_binds(database) {
        let site = asking(database, ", methods = [\"phone-code\"]").await;
        site.world.person("stranger");
        let mut browser = site.browser();
        let page = from_wechat(&site, &mut browser, "stranger").await;
        let sent = browser.submit(&page, &[("phone", "13912340000"), ("code", ""), ("send-code", "1")]).await;
        assert_eq!(sent.status, 200, "{}", sent.text());
        let code = site.sent_code().await;
        has_code(&browser.submit(&sent, &[("phone", "13912340000"), ("code", &code), ("submit", "1")]).await);
    }

    async fn several_accounts_are_chosen_from_or_merged(database) {
        let site = Site::new(database).await;
        site.world.person("bob");
        let client = site.world.client();
        // Two accounts of one person: the identities came apart.
        let by_openid = client.log_in(MINI, "bob").await.id;
        apart(&site, &by_openid).await;
        let by_unionid = client.log_in(TWO, "bob").await.id;
        assert_ne!(by_openid, by_unionid);
        let identifier = "identifier = \"shop-mini\"\n";
        site.world.reconfigure_with(identifier, &format!("{identifier}  association = {{ conflict = \"choose\" }}\n")).await;
        let mut browser = site.browser();
        let page = from_wechat(&site, &mut browser, "bob").await;
        well_formed(&page.text(), "select");
        for name in [format!("choose-{by_openid}"), format!("choose-{by_unionid}"), "merge".to_owned(), "cancel".to_owned()] {
            has(&page, &name);
        }
        let preview = browser.submit(&page, &[("merge", &by_openid)]).await;
        let text = preview.text();
        assert!(preview.status == 200 && text.contains("Merge these accounts?") && !text.contains('⟦'), "{text}");
        well_formed(&text, "merge");
        has(&preview, "link-back");
        let swap = text.split("id=\"link-swap\" href=\"").nth(1).unwrap().split('"').next().unwrap();
        let swapped = browser.open(&swap.replace("&amp;", "&")).await;
        assert!(swapped.text().contains(&format!("value=\"{by_unionid}\"")), "{}", swapped.text());
        let foreign = browser.submit(&page, &[("choose-6560c0ffee00000000000009", "1")]).await;
        assert!(foreign.status == 400 && foreign.text().contains("This account can&#39;t be chosen here."), "{}", foreign.text());
        let preview = browser.submit(&foreign, &[("merge", &by_openid)]).await;
        has_code(&browser.submit(&preview, &[("merge", &by_openid)]).await);
        assert_eq!(client.log_in(TWO, "bob").await.id, by_openid);
    }
}

/// Takes the UnionID from an account, as if the app had joined its Open Platform account later.
async fn apart(site: &Site, user: &str) {
    let sql = format!(
        "DELETE FROM identities WHERE pool_id = '{SHOP}' AND kind = 'unionid' AND user_id = '{user}'"
    );
    raw::execute(site.world.database(), &sql).await;
}
