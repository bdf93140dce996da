//! Pairwise subjects in a browser: hints, `claims`, logout, and what an application is told of a logout.

use hufu_testkit::client::{TOKEN, claims};
use hufu_testkit::receiver::Receiver;
use hufu_testkit::world::{SHOP_BARE, SHOP_WEB};
use hufu_testkit::{TestDatabase, on_both_engines, raw};
use hufu_types::{SubjectType, TokenAuth};
use serde_json::{Value, json};

use super::{BACK, Browser, PASSWORD, Site, authorization, encoded};
use crate::server::Answer;

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const PKCE: &str = "&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const OUT: &str = "https://shop.example.com/out";

/// The shop, whose website knows people by pairwise subjects and is told of logouts.
async fn site(database: TestDatabase) -> (Site, Receiver) {
    let (site, received) = (Site::new(database).await, Receiver::start().await);
    let uri = received.uri.clone();
    site.change(|application| {
        application.secrets.clear();
        application.client.token_auth = Some(TokenAuth::None);
        application.client.subject_type = SubjectType::Pairwise;
        application.client.logout_redirect_uris = vec![OUT.to_owned()];
        application.client.backchannel_logout_uri = Some(uri);
    })
    .await;
    site.person("bob").await;
    (site, received)
}

/// The claims of the ID token, and the token, that the code in an answer opens.
async fn exchanged(site: &Site, client: &str, answer: &Answer) -> (Value, String) {
    let location = answer.header("location");
    let (_, code) =
        location.split_once("code=").unwrap_or_else(|| panic!("no code: {location} {}", answer.text()));
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("redirect_uri", BACK),
        ("code", code.split('&').next().unwrap()),
        ("code_verifier", VERIFIER),
    ];
    let tokens = site.world.nobody().form(TOKEN, &fields).await.json();
    let id_token = tokens["id_token"].as_str().unwrap_or_else(|| panic!("{tokens}"));
    let told = claims(id_token);
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["sub"], told["sub"]);
    (told, id_token.to_owned())
}

async fn log_in(site: &Site, browser: &mut Browser<'_>, name: &str) -> (Value, String) {
    let page = browser.follow(&authorization(PKCE)).await;
    let answer = browser.submit(&page, &[("account", name), ("password", PASSWORD), ("submit", "1")]).await;
    let answer = browser.go(answer).await;
    exchanged(site, SHOP_WEB, &answer).await
}

/// A request that must be answered without a page, with one more parameter.
async fn silently(browser: &mut Browser<'_>, name: &str, value: &str) -> Answer {
    let more = format!("{PKCE}&prompt=none&{}", encoded(&[(name, value)]));
    browser.follow(&authorization(&more)).await
}

#[track_caller]
fn login_required(answer: &Answer) {
    let location = answer.header("location");
    assert!(location.starts_with(&format!("{BACK}?error=login_required")), "{location}");
}

on_both_engines! {
    async fn the_client_names_people_by_its_own_subjects(database) {
        let (site, _) = site(database).await;
        let mut browser = site.browser();
        site.person("carol").await;
        let (carol, token) = log_in(&site, &mut browser, "carol").await;
        let id = user_id(&site, "carol").await;
        let subject = carol["sub"].as_str().unwrap();
        assert!(subject.len() == 43 && !carol.to_string().contains(&id), "{carol}");

        for (name, value) in [
            ("id_token_hint", token.clone()),
            ("claims", json!({ "id_token": { "sub": { "value": subject } } }).to_string()),
            ("claims", json!({ "userinfo": { "sub": { "value": subject, "essential": true } } }).to_string()),
        ] {
            let answer = silently(&mut browser, name, &value).await;
            assert_eq!(exchanged(&site, SHOP_WEB, &answer).await.0["sub"], subject);
        }
        // The id of the account is not a subject of this client: it cannot ask whose it is.
        let by_id = json!({ "id_token": { "sub": { "value": id } } }).to_string();
        login_required(&silently(&mut browser, "claims", &by_id).await);
        // Nor is the subject of somebody else, or of another client.
        let mut other = site.browser();
        let (bob, hint) = log_in(&site, &mut other, "bob").await;
        assert_ne!(bob["sub"], subject);
        login_required(&silently(&mut browser, "id_token_hint", &hint).await);
        let bobs = json!({ "id_token": { "sub": { "value": bob["sub"] } } }).to_string();
        login_required(&silently(&mut browser, "claims", &bobs).await);

        // A public client of the same browser gets the id, and cannot ask by the pairwise subject.
        site.world.change_application(SHOP_BARE, |application| application.client.redirect_uris = vec![BACK.to_owned()]).await;
        let public = authorization(&format!("{PKCE}&prompt=none")).replace(SHOP_WEB, SHOP_BARE);
        let answer = browser.follow(&public).await;
        let (told, foreign) = exchanged(&site, SHOP_BARE, &answer).await;
        assert_eq!(told["sub"], id);
        let claims = encoded(&[("claims", &json!({ "id_token": { "sub": { "value": subject } } }).to_string())]);
        login_required(&browser.follow(&format!("{public}&{claims}")).await);
        // A hint is of the client that got it.
        let answer = silently(&mut browser, "id_token_hint", &foreign).await;
        assert!(answer.header("location").contains("error=invalid_request"), "{}", answer.header("location"));
    }

    async fn a_logout_is_told_by_the_subject_of_the_client(database) {
        let (site, received) = site(database).await;
        let mut browser = site.browser();
        let (bob, token) = log_in(&site, &mut browser, "bob").await;
        // With a hint that names who is logged in nobody is asked.
        let parameters = encoded(&[("id_token_hint", &token), ("post_logout_redirect_uri", OUT), ("state", "s2")]);
        let answer = browser.follow(&format!("/oidc/session/end?{parameters}")).await;
        assert!(answer.header("location").starts_with(OUT), "{} {}", answer.status, answer.text());
        login_required(&silently(&mut browser, "id_token_hint", &token).await);
        site.world.node.app.run_due_jobs().await;
        let bodies = received.take();
        let [body] = bodies.as_slice() else { panic!("{bodies:?}") };
        let told = claims(body.strip_prefix("logout_token=").unwrap());
        assert_eq!((&told["sub"], &told["sid"], &told["aud"]), (&bob["sub"], &bob["sid"], &json!(SHOP_WEB)));
        assert!(!told.to_string().contains(&user_id(&site, "bob").await), "{told}");

        // A hint that names somebody else leads to the question.
        let (_, other) = log_in(&site, &mut browser, "bob").await;
        site.person("carol").await;
        let mut second = site.browser();
        log_in(&site, &mut second, "carol").await;
        let parameters = encoded(&[("id_token_hint", &other)]);
        let page = second.follow(&format!("/oidc/session/end?{parameters}")).await;
        assert!(page.text().contains("name=\"confirm\""), "{}", page.text());
    }
}

async fn user_id(site: &Site, username: &str) -> String {
    let sql = format!("SELECT id FROM users WHERE username = '{username}'");
    raw::texts(site.world.database(), &sql).await[0][0].clone()
}
