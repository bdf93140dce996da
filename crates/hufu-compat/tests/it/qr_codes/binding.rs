//! A QR code with an owner: whoever scans it agrees in the mini program, the owner confirms, and the WeChat is bound.

use std::time::Duration;

use hufu_testkit::on_both_engines;
use serde_json::{Value, json};

use super::mini_program::{LOGIN, grant, new_code, redirect, website, world};
use super::{Code, USERINFO, check, take};
use crate::client::{Answer, Client, User};
use crate::world::{MINI, SHOP, SHOP_WEB, TWO, World};

const SHOW: &str = "/api/v3/me/identities/qr-code";
const BIND: &str = "/api/v3/me/identities/qr-code/bind";

/// Somebody who is logged in to the website.
async fn owner(world: &World, name: &str) -> User {
    world.person(name);
    website(world).referer(TWO).log_in(TWO, name).await
}

fn as_owner<'w>(world: &'w World, user: &User) -> Client<'w> {
    website(world).bearer(&user.token)
}

/// A new code of somebody who is logged in.
async fn own_code(client: &Client<'_>, connection: &str) -> Code {
    let data = client.post(SHOW, json!({ "connection": connection })).await.data();
    let random = data["random"].as_str().unwrap().to_owned();
    client.world.secret(&random);
    let url = data["url"].as_str().unwrap();
    assert!(data["expiresIn"].is_u64(), "{data}");
    let picture = client.get(url.strip_prefix("https://id.example.com").unwrap()).await;
    assert!(picture.headers["content-type"].to_str().unwrap().starts_with("image/"), "{picture}");
    Code { random, scene: url.rsplit('/').next().unwrap().strip_suffix(".png").unwrap().to_owned() }
}

/// The published mini program's call.
async fn agree(phone: &Client<'_>, app_id: &str, name: &str, scene: &str) -> Answer {
    let body = json!({ "wxLoginInfo": { "code": phone.world.code(app_id, name) }, "wxPhoneInfo": { "code": "unused" } });
    phone.post(&format!("/oauth/wxapp/bind?random={scene}"), body).await
}

async fn confirm(client: &Client<'_>, code: &Code) -> Answer {
    client.post(BIND, json!({ "random": code.random })).await
}

on_both_engines! {
    async fn whoever_scans_agrees_and_the_owner_confirms(database) {
        let world = world(database).await;
        let bob = owner(&world, "bob").await;
        let (browser, second) = (as_owner(&world, &bob), world.another_node().await);
        let code = own_code(&browser, "shop-scan-ours").await;
        let phone = Client::of(&world, &second).from([198, 51, 100, 9]);

        // The mini program says whose account it is, before anything is agreed to.
        let params = phone.get(&format!("/api/v2/wechat-miniprogram-config/launch-params?qrcodeId={}", code.scene)).await;
        let params = params.data();
        assert_eq!((&params["userpool"]["id"], &params["app"]["id"]), (&json!(SHOP), &json!(SHOP_WEB)));
        let account = params["bind"]["account"].as_str().unwrap();
        assert!(account.contains("***") && !bob.id.starts_with(account), "{params}");

        confirm(&browser, &code).await.refused(2574);
        agree(&phone, LOGIN, "bob", &code.scene).await.data_or_nothing();
        assert_eq!(world.rows("identities").await, 2, "nothing is bound yet");
        let seen = check(&browser, &code.random).await;
        assert_eq!((&seen["status"], seen.get("ticket")), (&json!(2), None));
        let bound = confirm(&browser, &code).await.data();
        assert_eq!(bound.as_array().unwrap().len(), 4, "an OpenID and a UnionID more: {bound}");
        confirm(&browser, &code).await.refused(2574);

        let actions: Vec<String> = world.audit().await.into_iter().map(|event| event.action).collect();
        for action in ["identity.bound", "way_in.added"] {
            assert_eq!(actions.iter().filter(|one| *one == action).count(), 1, "{action}: {actions:?}");
        }
        // From now on it is a way in.
        let login = new_code(&website(&world), "shop-scan-ours").await;
        let granted = grant(&phone, LOGIN, "bob", &login.scene).await.data();
        redirect(&phone, &login.scene, json!({ "openid": granted["openid"] })).await.data_or_nothing();
        let ticket = check(&website(&world), &login.random).await["ticket"].clone();
        assert_eq!(take(&website(&world), &ticket).await.user().id, bob.id);
    }

    async fn nobody_but_the_owner_confirms_and_only_lately_logged_in(database) {
        let world = world(database).await;
        let (bob, eve) = (owner(&world, "bob").await, owner(&world, "eve").await);
        let browser = as_owner(&world, &bob);
        let code = own_code(&browser, "shop-scan-ours").await;
        agree(&world.nobody(), LOGIN, "bob", &code.scene).await.data_or_nothing();
        confirm(&as_owner(&world, &eve), &code).await.refused(2574);
        confirm(&website(&world), &code).await.refused(2020);
        confirm(&browser, &Code { random: "nonsense".to_owned(), scene: String::new() }).await.refused(2574);
        assert_eq!(confirm(&browser, &code).await.data().as_array().unwrap().len(), 4);

        // A stolen token is older than that.
        world.advance(Duration::from_secs(14 * 60));
        let late = own_code(&browser, "shop-scan-ours").await;
        agree(&world.nobody(), LOGIN, "bob", &late.scene).await.data_or_nothing();
        world.advance(Duration::from_secs(61));
        confirm(&browser, &late).await.refused(2460);
        browser.post(SHOW, json!({ "connection": "shop-scan-ours" })).await.refused(2460);
        website(&world).post(SHOW, json!({})).await.refused(2020);
    }

    async fn a_stranger_who_scans_first_is_not_bound_unseen(database) {
        let world = world(database).await;
        let bob = owner(&world, "bob").await;
        let browser = as_owner(&world, &bob);
        let code = own_code(&browser, "shop-scan-ours").await;
        agree(&world.nobody(), LOGIN, "eve", &code.scene).await.data_or_nothing();
        // Bob's own phone says that somebody else was faster, so he does not confirm.
        agree(&world.nobody(), LOGIN, "bob", &code.scene).await.refused(2572);
        world.advance(Duration::from_secs(301));
        confirm(&browser, &code).await.refused(2574);
        assert_eq!(world.rows("identities").await, 2);

        // What is another account's stays there, and the browser is told.
        world.client().referer(MINI).log_in(MINI, "mei").await;
        let code = own_code(&browser, "shop-scan").await;
        agree(&world.nobody(), MINI, "mei", &code.scene).await.refused(2213);
        let failed = check(&browser, &code.random).await;
        assert_eq!((&failed["status"], &failed["scannedResult"]["apiCode"]), (&json!(5), &json!(2213)));
        confirm(&browser, &code).await.refused(2574);
        // A second WeChat of one app would be another person's.
        let code = own_code(&browser, "shop-scan").await;
        agree(&world.nobody(), MINI, "eve", &code.scene).await.data_or_nothing();
        confirm(&browser, &code).await.refused(2215);
    }

    async fn a_code_that_binds_logs_nobody_in_and_the_other_way_round(database) {
        let world = world(database).await;
        let bob = owner(&world, "bob").await;
        let browser = as_owner(&world, &bob);
        let code = own_code(&browser, "shop-scan-ours").await;
        let granted = grant(&world.nobody(), LOGIN, "bob", &code.scene).await.data();
        redirect(&world.nobody(), &code.scene, json!({ "openid": granted["openid"] })).await.refused(2241);
        // The published mini program may have told who opened it before.
        agree(&world.nobody(), LOGIN, "eve", &code.scene).await.refused(2573);
        agree(&world.nobody(), LOGIN, "bob", &code.scene).await.data_or_nothing();
        let ticket = world.node.app.login_ticket(&code.random);
        browser.post(USERINFO, json!({ "ticket": ticket.expose() })).await.refused(2574);
        assert_eq!(confirm(&browser, &code).await.data().as_array().unwrap().len(), 4, "the try spent nothing");

        let login = new_code(&browser, "shop-scan").await;
        agree(&world.nobody(), MINI, "bob", &login.scene).await.refused(2241);
        grant(&world.nobody(), MINI, "bob", &login.scene).await.data();
        confirm(&browser, &login).await.refused(2574);
        for body in [json!({}), json!({ "wxLoginInfo": {} }), json!({ "wxLoginInfo": { "code": Value::Null } })] {
            world.nobody().post(&format!("/oauth/wxapp/bind?random={}", code.scene), body).await.refused(2231);
        }
        agree(&world.nobody(), LOGIN, "bob", "nonsense").await.refused(2241);
        browser.post(SHOW, json!({ "connection": "shop-mini" })).await.refused(2579);
    }
}
