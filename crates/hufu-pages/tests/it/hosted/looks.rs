//! How the pages look: languages, the application's name, color and logo, and what the browser may load.

use hufu_testkit::on_both_engines;
use hufu_testkit::world::SHOP_WEB;
use hufu_types::{Language, PageTheme};

use super::{BACK, Site, authorization};
use crate::samples::well_formed;

on_both_engines! {
    async fn every_page_is_complete_in_every_language(database) {
        let site = Site::new(database).await;
        for language in Language::ALL {
            let mut browser = site.browser();
            browser.language = language.tag();
            for path in ["/login?", "/login?method=phone-code&", "/login?method=email-code&", "/register?", "/register?method=email-code&", "/forgot?", "/login/continue?"] {
                let page = browser.open(&format!("{path}app_id={SHOP_WEB}")).await.text();
                let place = format!("{path} in {language}");
                assert!(page.contains(&format!("<html lang=\"{}\">", language.tag())), "{place}");
                assert!(!page.contains('⟦') && !page.contains("{$") && !page.contains("{{"), "{place}: {page}");
                assert_eq!(page.matches("<h1").count(), 1, "{place}");
                well_formed(&page, &place);
                let ids: Vec<_> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
                let once: std::collections::BTreeSet<_> = ids.iter().collect();
                assert_eq!(once.len(), ids.len(), "{place}: {ids:?}");
            }
        }
    }

    async fn the_application_decides_how_its_pages_look(database) {
        let site = Site::new(database).await;
        let plain = site.browser().begin().await;
        assert!(plain.header("content-security-policy").contains("img-src 'self' data:;"));
        assert!(!plain.text().contains("/assets/brand/"));
        assert_eq!(site.browser().open("/assets/brand/red.css").await.status, 404);
        site.change(|application| {
            let branding = &mut application.branding;
            branding.title = [("en".to_owned(), "The <Shop>".to_owned()), ("ja".to_owned(), "店".to_owned())].into();
            branding.logo = Some("https://img.example.com/logo.png".to_owned());
            branding.primary_color = Some("#1A7F5A".to_owned());
            branding.theme = Some(PageTheme::Dark);
            branding.language = Some("ja".to_owned());
        }).await;
        let mut browser = site.browser();
        let page = browser.begin().await;
        let text = page.text();
        assert!(text.contains("<html lang=\"ja\" data-theme=\"dark\">") && text.contains("<h1>店</h1>"), "{text}");
        assert!(text.contains("src=\"https://img.example.com/logo.png\""), "{text}");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("img-src 'self' data: https://img.example.com;"), "{policy}");
        assert!(policy.contains("form-action 'self' https:;"), "{policy}");
        let style = text.split("href=\"").find(|rest| rest.starts_with("/assets/brand/")).unwrap();
        let css = browser.open(style.split('"').next().unwrap()).await;
        assert!(css.text().contains("--hufu-brand: #1a7f5a;"), "{}", css.text());
        assert_eq!(css.header("content-type"), "text/css; charset=utf-8");
        // What the reader chose comes first, then what the request asks for.
        let page = browser.open(&format!("/login?app_id={SHOP_WEB}&ui_locales=en")).await.text();
        assert!(page.contains("<html lang=\"en\"") && page.contains("<h1>The &lt;Shop&gt;</h1>"), "{page}");
        browser.cookies.insert("hufu-theme".to_owned(), "light".to_owned());
        assert!(browser.begin().await.text().contains("<html lang=\"en\" data-theme=\"light\">"));
        let asked = site.browser().follow(&authorization("&ui_locales=fr%20zh-TW")).await.text();
        assert!(asked.contains("<html lang=\"zh-TW\""), "{asked}");
    }

    async fn the_pool_decides_where_the_application_does_not(database) {
        let site = Site::new(database).await;
        site.world.reconfigure_with(
            "name = \"Shop\"\n",
            "name = \"Shop\"\n  [user_pool.branding]\n  title = { en = \"All shops\", ja = \"店\" }\n  logo = \"https://img.example.com/pool.png\"\n  primary_color = \"#b23a1e\"\n  theme = \"dark\"\n  language = \"ja\"\n",
        ).await;
        site.change(|application| application.client.redirect_uris = vec![BACK.to_owned()]).await;
        let mut browser = site.browser();
        let page = browser.begin().await;
        let text = page.text();
        assert!(text.contains("<html lang=\"ja\" data-theme=\"dark\">") && text.contains("<h1>店</h1>"), "{text}");
        assert!(text.contains("src=\"https://img.example.com/pool.png\""), "{text}");
        assert!(page.header("content-security-policy").contains("img-src 'self' data: https://img.example.com;"));
        assert!(text.contains("href=\"/assets/brand/b23a1e.css\""), "{text}");
        assert!(browser.open("/assets/brand/b23a1e.css").await.text().contains("--hufu-brand: #b23a1e;"));

        // The other pages of the pool, too: about a request, and about nobody's.
        site.change(|application| application.login.consent = true).await;
        site.person("ann").await;
        let mut ann = site.browser();
        let answer = ann.log_in("ann").await;
        let consent = ann.go(answer).await.text();
        assert!(consent.contains("/consent") && consent.contains("/assets/brand/b23a1e.css"), "{consent}");
        assert!(consent.contains("<html lang=\"ja\" data-theme=\"dark\">"), "{consent}");
        assert!(consent.contains("src=\"https://img.example.com/pool.png\""), "{consent}");
        for path in ["/accounts", "/oidc/session/end"] {
            let page = ann.open(path).await.text();
            assert!(page.contains("data-theme=\"dark\"") && page.contains("/assets/brand/b23a1e.css"), "{path}: {page}");
        }
        // This instance has more than one pool: a page that names none looks like none.
        assert!(!ann.open("/device").await.text().contains("/assets/brand/"));

        // The application's own go first, key by key; its titles are one key, its logo as a client is its own as well.
        site.change(|application| {
            application.client.logo = Some("https://own.example.com/logo.png".to_owned());
            application.branding.title = [("zh-CN".to_owned(), "小店".to_owned())].into();
            application.branding.theme = Some(PageTheme::Auto);
            application.branding.language = Some("auto".to_owned());
        }).await;
        let text = site.browser().begin().await.text();
        assert!(text.contains("<html lang=\"en\"") && !text.contains("data-theme=\"dark\""), "{text}");
        assert!(text.contains("<h1>小店</h1>") && text.contains("src=\"https://own.example.com/logo.png\""), "{text}");
        assert!(text.contains("/assets/brand/b23a1e.css"), "{text}");
    }

    async fn a_page_keeps_its_request_in_another_language(database) {
        let site = Site::new(database).await;
        let mut browser = site.browser();
        let page = browser.begin().await;
        let wrong = browser.submit(&page, &[("account", "x"), ("password", "y"), ("submit", "1")]).await.text();
        let link = wrong.split("href=\"").find(|rest| rest.contains("ui_locales=ja\"")).unwrap();
        let link = link.split('"').next().unwrap().replace("&amp;", "&");
        assert!(link.starts_with("/login?request="), "{link}");
        assert!(browser.open(&link).await.text().contains("ログイン"));
    }

    async fn agreements_and_hints_are_shown(database) {
        let site = Site::new(database).await;
        site.world.reconfigure_with(
            "name = \"Shop\"\n",
            "name = \"Shop\"\n  [user_pool.settings]\n  agreements = [{ id = \"terms\", version = 1, title = \"Terms\", url = \"https://shop.example.com/terms\" }]\n",
        ).await;
        site.change(|application| application.login.agreements = vec!["terms".to_owned()]).await;
        let page = site.browser().follow(&authorization("&login_hint=bob%40example.com")).await.text();
        assert!(page.contains("href=\"https://shop.example.com/terms\""), "{page}");
        assert!(page.contains("value=\"bob@example.com\""), "{page}");
    }

    async fn agreements_are_shown_in_the_readers_language(database) {
        let site = Site::new(database).await;
        site.world.reconfigure_with(
            "name = \"Shop\"\n",
            "name = \"Shop\"\n  [user_pool.settings]\n  agreements = [{ id = \"terms\", version = 1, title = { zh-CN = \"服务条款\", en = \"Terms\" }, url = { zh-CN = \"https://shop.example.com/zh\", en = \"https://shop.example.com/en\" } }]\n",
        ).await;
        site.change(|application| application.login.agreements = vec!["terms".to_owned()]).await;
        for (tag, title, url) in [("zh-CN", "服务条款", "zh"), ("zh-TW", "服务条款", "zh"), ("en", "Terms", "en"), ("ja", "Terms", "en")] {
            let page = site.browser().follow(&authorization(&format!("&ui_locales={tag}"))).await.text();
            assert!(page.contains(&format!("href=\"https://shop.example.com/{url}\"")), "{tag}: {page}");
            assert!(page.contains(&format!(">{title}</a>")), "{tag}: {page}");
        }
    }
}
