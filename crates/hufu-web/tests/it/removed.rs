//! An application that is removed while its codes, tokens, devices and requests are under way: each gets the standard error,
//! on the node that removed it and on one that has not heard of it yet.

use axum::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::join_all;
use hufu_testkit::administration::{call, key};
use hufu_testkit::{on_both_engines, raw};
use hufu_types::AdminRole;
use serde_json::Value;

use crate::client::{Answer, Client, TOKEN};
use crate::site::{CALLBACK, INTROSPECTION, PUSH, SECRET, Site, TV, token_of};
use crate::world::{Node, SHOP, SHOP_WEB};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const SCOPE: [(&str, &str); 1] = [("scope", "openid profile offline_access")];
const CODE: [(&str, &str); 2] = [("response_type", "code"), SCOPE[0]];

impl Site {
    /// A call of a confidential client at a node. The values need no escaping.
    async fn call_at(&self, node: &Node, client: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let basic = format!("Basic {}", STANDARD.encode(format!("{client}:{SECRET}")));
        Client::of(&self.world, node).header("authorization", &basic).form(path, fields).await
    }

    async fn exchange_at(&self, node: &Node, code: &str) -> Answer {
        let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
        self.call_at(node, SHOP_WEB, TOKEN, &fields).await
    }

    async fn remove(&self, application: &str) {
        let owner = key(&self.world, AdminRole::Owner, None).await;
        let path = format!("/admin/v1/pools/{SHOP}/applications/{application}");
        call(&self.world, Some(&owner), "DELETE", &path, None).await.is(204);
    }

    /// Pushes a request. Returns its `request_uri`.
    async fn pushed(&self) -> String {
        let fields = [&CODE[..], &[("redirect_uri", CALLBACK), ("nonce", "n")]].concat();
        let answer = self.call(SHOP_WEB, PUSH, &fields).await;
        assert_eq!(answer.status, 201, "{answer}");
        answer.json()["request_uri"].as_str().unwrap().to_owned()
    }

    async fn started(&self) -> (String, String) {
        let started = self.call(TV, "/oidc/device/auth", &[("scope", "openid offline_access")]).await.json();
        (token_of(&started, "device_code").to_owned(), token_of(&started, "user_code").to_owned())
    }
}

on_both_engines! {
    async fn what_is_under_way_gets_the_standard_error(database) {
        let site = Site::new(database).await;
        let world = &site.world;
        let other = world.another_node().await;
        let codes = [site.code(&SCOPE).await, site.code(&SCOPE).await];
        let tokens = site.tokens(&SCOPE).await;
        let (access, refresh) = (token_of(&tokens, "access_token"), token_of(&tokens, "refresh_token"));
        let (approved, user_code) = site.started().await;
        site.approve(&user_code).await;
        let (waiting, waiting_code) = site.started().await;
        let requests = [site.pushed().await, site.pushed().await];
        assert_eq!(site.userinfo(access).await.status, 200);
        for application in [SHOP_WEB, TV] {
            site.remove(application).await;
        }

        // A node that has not heard of it knows the client, and finds nothing.
        site.exchange_at(&other, &codes[0]).await.oauth_error("invalid_grant");
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        site.call_at(&other, SHOP_WEB, TOKEN, &fields).await.oauth_error("invalid_grant");
        for device in [&approved, &waiting] {
            let fields = [("grant_type", DEVICE), ("device_code", device.as_str())];
            let answer = site.call_at(&other, TV, TOKEN, &fields).await;
            assert!(answer.status.is_client_error(), "{answer}");
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(["invalid_grant", "expired_token", "access_denied"].contains(&error.as_str()), "{error}");
        }
        let path = format!("/oidc/auth?client_id={SHOP_WEB}&request_uri={}", requests[0]);
        let answer = Client::of(world, &other).get(&path).await;
        assert!(answer.status.is_redirection() || answer.status.is_client_error(), "{answer}");
        assert!(!location(&answer).contains("code="), "{answer}");

        // The node that removed it does not know the client.
        for node in [&world.node, &other] {
            node.app.refresh_config().await.unwrap();
            site.exchange_at(node, &codes[1]).await.oauth_error("invalid_client");
            site.call_at(node, SHOP_WEB, TOKEN, &[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await.oauth_error("invalid_client");
            for device in [&approved, &waiting] {
                let fields = [("grant_type", DEVICE), ("device_code", device.as_str())];
                site.call_at(node, TV, TOKEN, &fields).await.oauth_error("invalid_client");
            }
            site.call_at(node, SHOP_WEB, PUSH, &CODE).await.oauth_error("invalid_client");
            site.call_at(node, SHOP_WEB, INTROSPECTION, &[("token", access)]).await.oauth_error("invalid_client");
            assert_eq!(Client::of(world, node).bearer(access).get("/oidc/me").await.status, 401);
            // There is nowhere to send the browser: the server's own page says it.
            let path = format!("/oidc/auth?client_id={SHOP_WEB}&request_uri={}", requests[1]);
            let answer = Client::of(world, node).get(&path).await;
            assert!(answer.status.is_client_error() && location(&answer).is_empty(), "{answer}");
        }
        // Nobody approves a device that is gone.
        let origin = hufu_app::Origin::default();
        assert!(world.node.app.find_device(&waiting_code, &origin).await.is_err());
        for table in ["authorization_codes", "device_codes", "refresh_tokens"] {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE application_id IN ('{SHOP_WEB}', '{TV}')");
            assert_eq!(raw::number(world.database(), &sql).await, 0, "{table}");
        }
    }

    /// Exchanges and refreshes at the very moment of the removal succeed or get the standard error, and what they got is
    /// worth nothing afterwards.
    async fn an_application_goes_at_that_moment(database) {
        let site = Site::new(database).await;
        let world = &site.world;
        let other = world.another_node().await;
        let mut codes = Vec::new();
        for _ in 0..12 {
            codes.push(site.code(&SCOPE).await);
        }
        let mut refreshes = Vec::new();
        for _ in 0..6 {
            let tokens = site.tokens(&SCOPE).await;
            refreshes.push(token_of(&tokens, "refresh_token").to_owned());
        }
        let node = |number: usize| if number.is_multiple_of(2) { &world.node } else { &other };
        let exchanges = codes.iter().enumerate().map(|(number, code)| site.exchange_at(node(number), code));
        let renewals = refreshes.iter().enumerate().map(|(number, token)| {
            let site = &site;
            async move {
                let fields = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
                site.call_at(node(number), SHOP_WEB, TOKEN, &fields).await
            }
        });
        let asking = (0..6).map(|_| site.authorize(SHOP_WEB, &CODE));
        let (exchanged, renewed, asked, ()) =
            futures::join!(join_all(exchanges), join_all(renewals), join_all(asking), site.remove(SHOP_WEB));
        for answer in exchanged.iter().chain(&renewed) {
            if answer.status == 200 {
                let got: Value = answer.json();
                for name in ["access_token", "refresh_token"] {
                    world.secret(token_of(&got, name));
                }
                continue;
            }
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(answer.status.is_client_error(), "{answer}");
            assert!(["invalid_client", "invalid_grant"].contains(&error.as_str()), "{answer}");
        }
        for answer in &asked {
            assert!(!answer.status.is_server_error(), "{answer}");
        }
        for node in [&world.node, &other] {
            node.app.refresh_config().await.unwrap();
            for answer in exchanged.iter().chain(&renewed).filter(|answer| answer.status == 200) {
                let got = answer.json();
                let me = Client::of(world, node).bearer(token_of(&got, "access_token")).get("/oidc/me").await;
                assert_eq!(me.status, 401, "{me}");
                let fields = [("grant_type", "refresh_token"), ("refresh_token", token_of(&got, "refresh_token"))];
                site.call_at(node, SHOP_WEB, TOKEN, &fields).await.oauth_error("invalid_client");
            }
        }
    }
}

fn location(answer: &Answer) -> &str {
    answer.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
}
