//! What a request says of itself is worth nothing, in all seven ways.

use hufu_testkit::on_both_engines;
use hufu_testkit::routes::ROUTES;
use hufu_testkit::world::{MINI, SHOP, SHOP_APP, SHOP_WEB, secret_of};
use serde_json::{Value, json};

use super::ways::{AES_KEY, LAUNCHED, Mode, SHOP_PHONE, TOKEN, WEBSITE};
use super::{Begun, GENE, Shop, USERINFO};
use crate::hosted::authorization;

/// Adds members to a JSON object and to all objects in it.
fn with(value: &mut Value, claims: &Value) {
    let Some(object) = value.as_object_mut() else { return };
    for member in object.values_mut() {
        with(member, claims);
    }
    for (name, claim) in claims.as_object().unwrap() {
        object.entry(name.clone()).or_insert_with(|| claim.clone());
    }
}

/// The same login, claiming to be somebody else in every place.
fn claiming<'s>(begun: &Begun<'s>, claims: &Value) -> Begun<'s> {
    let query: Vec<_> = claims
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, claim)| format!("{name}={}", claim.as_str().unwrap()))
        .collect();
    match begun.clone() {
        Begun::Post(client, path, mut body) => {
            with(&mut body, claims);
            Begun::Post(client, format!("{path}?{}", query.join("&")), body)
        }
        Begun::Return(browser, address) => Begun::Return(browser, format!("{address}&{}", query.join("&"))),
    }
}

/// Fails if an answer holds one of these secrets, or looks as if it held one.
#[track_caller]
fn check(secrets: &[String], path: &str, text: &str) {
    let names = ["secret-of", "app_secret", "aes_key", "session_key"];
    for secret in secrets.iter().map(String::as_str).chain(names) {
        assert!(!text.contains(secret), "{secret} at {path}: {text}");
    }
}

on_both_engines! {
    /// Lesson 4: an OpenID or a UnionID in a request makes nobody another person.
    async fn ids_in_a_request_are_not_believed_in_any_mode(database) {
        let shop = Shop::new(database).await;
        let world = &shop.site.world;
        let victim = world.person("victim");
        world.person("eve");
        let of_victim = shop.log_in(Mode::MiniProgram, "victim").await.id().to_owned();
        let of_eve = shop.log_in(Mode::Pc, "eve").await.id().to_owned();
        for mode in Mode::ALL {
            assert_eq!(shop.log_in(mode, "victim").await.id(), of_victim, "{mode:?}");
            let ids = victim.ids.iter().find(|ids| ids.app_id == mode.app_id()).unwrap();
            let claims = json!({
                "openid": ids.openid, "openId": ids.openid, "unionid": ids.unionid, "unionId": ids.unionid,
                "userId": of_victim, "sub": of_victim,
            });
            let begun = shop.begin(mode, "eve").await;
            let outcome = shop.finish(&claiming(&begun, &claims)).await;
            if let Some((id, _)) = &outcome.user {
                assert_eq!(*id, of_eve, "{mode:?}");
            }
            // Without what WeChat gave for it they are nothing at all.
            let without = match shop.begin(mode, "eve").await {
                Begun::Post(client, path, mut body) => {
                    body.as_object_mut().unwrap().retain(|name, _| !["code", "ticket", "wechatPayload"].contains(&name.as_str()));
                    Begun::Post(client, path, body)
                }
                Begun::Return(browser, address) => Begun::Return(browser, address.replace("code=", "kode=")),
            };
            let outcome = shop.finish(&claiming(&without, &claims)).await;
            assert!(outcome.user.is_none() && outcome.code >= 400, "{mode:?}: {outcome:?}");
        }
    }

    /// Lesson 4: who sees a QR code knows its scene, and a scene opens nothing: no state, no events, no login.
    async fn a_scene_opens_nothing_in_any_mode(database) {
        let shop = Shop::new(database).await;
        let world = &shop.site.world;
        world.person("mei");
        for (mode, name) in [(Mode::Follow, "WECHATMP_AUTH"), (Mode::Scan, "WXAPP_AUTH")] {
            let client = shop.client(SHOP_WEB);
            let order = json!({ "scene": name, "extIdpConnId": shop.connection(mode) });
            let issued = client.post(GENE, order).await.data();
            let picture = issued["url"].as_str().unwrap();
            let scene = picture.rsplit('/').next().unwrap().strip_suffix(".png").unwrap();
            assert!(!picture.contains(issued["random"].as_str().unwrap()));
            for path in ["check", "events"] {
                client.get(&format!("/api/v2/qrcode/{path}?random={scene}")).await.refused(2241);
            }
            client.get(&format!("/api/v3/get-qrcode-status?qrcodeId={scene}")).await.refused(2241);
            client.post(USERINFO, json!({ "ticket": scene })).await.refused(2574);
            // Nor does the browser's secret, which is no ticket, before anybody has confirmed, or a made-up scene.
            client.post(USERINFO, json!({ "ticket": issued["random"] })).await.refused(2574);
            let guessed = "A".repeat(scene.len());
            let code = world.code(MINI, "mei");
            client.get(&format!("/oauth/wxapp/grant/?code={code}&random={guessed}")).await.refused(2241);
            client.post(&format!("/oauth/wxapp/redirect?random={guessed}"), json!({ "openid": "o" })).await.refused(2241);
            if mode == Mode::Scan {
                client.post(&format!("/oauth/wxapp/redirect?random={scene}"), json!({ "openid": "o" })).await.refused(2571);
            }
        }
    }

    /// Lesson 2: no answer that anybody can have holds a token, a key or a secret of a connection.
    async fn no_public_answer_holds_a_secret_of_a_connection(database) {
        let shop = Shop::new(database).await;
        let secrets = [TOKEN.to_owned(), AES_KEY.to_owned(), secret_of(MINI), secret_of(WEBSITE), secret_of(LAUNCHED)];
        let mut asked = 0;
        for application in [SHOP_WEB, SHOP_PHONE, SHOP_APP] {
            for (method, path) in ROUTES {
                for identifier in Mode::ALL.map(Mode::connection) {
                    let path = path.replace("{identifier}", identifier).replace("{pool}", SHOP).replace("{id}", application);
                    let body = if *method == "GET" { Vec::new() } else { b"{}".to_vec() };
                    let client = shop.client(application);
                    let answer = client.send(method.parse().unwrap(), &path, "application/json", body).await;
                    check(&secrets, &path, &answer.to_string());
                    asked += usize::from(answer.status == 200);
                    if !path.contains(identifier) {
                        break;
                    }
                }
            }
        }
        assert!(asked > 100, "{asked}");
        let mut browser = shop.site.browser();
        for path in [authorization(""), format!("/login?app_id={SHOP_WEB}")] {
            let page = browser.follow(&path).await;
            assert_eq!(page.status, 200, "{path}");
            check(&secrets, &path, &page.text());
        }
        for mode in [Mode::Pc, Mode::Webpage] {
            let started = shop.browser(mode).open(&format!("/connections/social/{}?app_id={SHOP_WEB}", mode.connection())).await;
            check(&secrets, "a start", &format!("{} {}", started.header("location"), started.text()));
        }
    }
}
