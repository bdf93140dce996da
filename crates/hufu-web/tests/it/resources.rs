//! Resource indicators (RFC 8707): tokens for APIs.

use axum::http::Method;
use hufu_testkit::{on_both_engines, raw};
use hufu_types::{ApplicationKind, TokenAuth};
use serde_json::{Value, json};

use crate::client::{GET_PROFILE, LOGOUT, REVOCATION, TOKEN, UPDATE_PROFILE, claims};
use crate::client_keys::{Signer, inline};
use crate::site::{
    CAFE_API, CAFE_CLIENT, CALLBACK, ORDERS, ORDERS_API, PUSH, STOCK, STOCK_API, STOCK_OLD, Site, TV,
    audience, file, token_of,
};
use crate::world::{PUBLIC_URL, SHOP_APP, SHOP_WEB};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The file without the resource of the orders.
fn without_orders() -> String {
    let line = format!("resources = [\"{ORDERS}\"]");
    assert!(file().contains(&line));
    file().replace(&line, "resources = []")
}

on_both_engines! {
    async fn a_token_is_for_the_resources_that_it_was_asked_for(database) {
        let site = Site::new(database).await;
        assert_eq!(audience(&site.tokens(&[("scope", "openid")]).await), json!(SHOP_WEB));
        let one = site.tokens(&[("scope", "openid orders:read"), ("resource", ORDERS)]).await;
        assert_eq!(audience(&one), json!(ORDERS));
        let access = claims(token_of(&one, "access_token"));
        assert_eq!((&access["client_id"], &access["scope"]), (&json!(SHOP_WEB), &json!("openid orders:read")));
        assert_eq!(access["iss"], format!("{PUBLIC_URL}/oidc"));
        for name in ["sub", "exp", "iat", "jti"] {
            assert!(!access[name].is_null(), "{name} (RFC 9068 2.2)");
        }
        assert_eq!(claims(token_of(&one, "id_token"))["aud"], json!(SHOP_WEB), "an ID token is for the client");

        let all = [("scope", "openid"), ("resource", ORDERS), ("resource", STOCK_OLD), ("resource", ORDERS)];
        assert_eq!(audience(&site.tokens(&all).await), json!([ORDERS, STOCK_OLD]));

        // At the token endpoint, a part of it. What was not granted spends nothing.
        let code = site.code(&all).await;
        for wrong in [STOCK, "https://unknown.example.com", CAFE_API, SHOP_WEB] {
            site.exchange(&code, &[("resource", wrong)]).await.oauth_error("invalid_target");
            site.exchange(&code, &[("resource", ORDERS), ("resource", wrong)]).await.oauth_error("invalid_target");
        }
        let part = site.exchange(&code, &[("resource", STOCK_OLD)]).await.json();
        assert_eq!(audience(&part), json!(STOCK_OLD));
        let plain = site.code(&[("scope", "openid")]).await;
        site.exchange(&plain, &[("resource", ORDERS)]).await.oauth_error("invalid_target");
        assert_eq!(audience(&site.exchange(&plain, &[]).await.json()), json!(SHOP_WEB));

        // In the response itself.
        let parameters = [("response_type", "id_token token"), ("scope", "openid"), ("resource", STOCK)];
        let answer = Site::answered(&site.authorize(SHOP_WEB, &parameters).await);
        let access = answer.iter().find(|(name, _)| name == "access_token").unwrap();
        site.world.secret(&access.1);
        assert_eq!(claims(&access.1)["aud"], STOCK);

        // Pushed.
        let own = [("response_type", "code"), ("redirect_uri", CALLBACK), ("scope", "openid")];
        let fields = [&own[..], &[("resource", ORDERS), ("resource", STOCK)]].concat();
        let pushed = site.call(SHOP_WEB, PUSH, &fields).await.json();
        let tokens = site.tokens(&[("request_uri", token_of(&pushed, "request_uri"))]).await;
        assert_eq!(audience(&tokens), json!([ORDERS, STOCK]));
    }

    async fn an_id_token_of_a_login_for_resources_is_no_bearer(database) {
        let site = Site::new(database).await;
        let plain = site.tokens(&[("scope", "openid profile")]).await;
        let of_resource = site.tokens(&[("scope", "openid profile"), ("resource", ORDERS)]).await;
        let (plain, of_resource) = (token_of(&plain, "id_token"), token_of(&of_resource, "id_token"));
        assert_eq!(claims(plain).get("token_use"), None);
        assert_eq!(claims(of_resource)["token_use"], "id");
        // As if a native app had them, whose id tokens are bearers of the mobile SDKs' calls.
        site.world.change_application(SHOP_WEB, |application| {
            application.kind = ApplicationKind::Native;
            application.client.token_auth = Some(TokenAuth::Basic);
            application.client.grants = None;
        }).await;
        let me = "/api/v2/users/me";
        site.world.nobody().bearer(plain).get(me).await.data();
        site.world.nobody().bearer(of_resource).get(me).await.refused(2020);
    }

    async fn what_is_no_resource_of_the_pool_is_no_target(database) {
        let site = Site::new(database).await;
        site.world.reconfigure(&file()).await;
        let own = [("response_type", "code"), ("redirect_uri", CALLBACK), ("scope", "openid")];
        let many: Vec<String> = (0..100).map(|n| format!("https://api.shop.example.com/{n}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|uri| ("resource", uri.as_str())).collect();
        let hundred_times = vec![("resource", ORDERS); 100];
        let refused = [
            vec![("resource", "https://unknown.example.com")],
            vec![("resource", "https://orders.shop.example.com/")],
            vec![("resource", "https://ORDERS.shop.example.com")],
            vec![("resource", "https://orders.shop.example.com#x")],
            vec![("resource", "orders-api")],
            vec![("resource", SHOP_WEB)],
            vec![("resource", CAFE_API)],
            vec![("resource", ORDERS), ("resource", "https://unknown.example.com")],
            many,
        ];
        for resources in &refused {
            let at_auth = site.authorize(SHOP_WEB, &[&[("response_type", "code"), ("scope", "openid")], &resources[..]].concat()).await;
            assert_eq!(Site::error(&at_auth), "invalid_target", "{resources:?}");
            site.call(SHOP_WEB, PUSH, &[&own[..], resources].concat()).await.oauth_error("invalid_target");
            site.for_itself(SHOP_WEB, resources).await.oauth_error("invalid_target");
            site.call(TV, "/oidc/device/auth", resources).await.oauth_error("invalid_target");
        }
        // The same one a hundred times is one.
        assert_eq!(audience(&site.for_itself(SHOP_WEB, &hundred_times).await.json()), json!(ORDERS));
        // An empty one is none.
        assert_eq!(audience(&site.for_itself(SHOP_WEB, &[("resource", "")]).await.json()), json!(SHOP_WEB));
        // A user token was granted for none.
        let user = site.world.client().log_in(crate::world::MINI, "bob").await;
        let fields = [
            ("grant_type", "http://authing.cn/oidc/grant_type/authing_token"), ("token", user.token.as_str()),
            ("client_id", SHOP_APP), ("resource", ORDERS),
        ];
        site.world.nobody().form(TOKEN, &fields).await.oauth_error("invalid_target");

        // An API that is switched off is none.
        site.world.change_application(ORDERS_API, |application| application.enabled = false).await;
        site.for_itself(SHOP_WEB, &[("resource", ORDERS)]).await.oauth_error("invalid_target");
    }

    async fn a_token_for_a_resource_opens_nothing_of_hufu(database) {
        let site = Site::new(database).await;
        // The same login and scopes without a resource open all of it.
        let scope = ("scope", "openid profile username email phone extended_fields");
        let own = site.tokens(&[scope]).await;
        let own = token_of(&own, "access_token");
        let one = site.tokens(&[scope, ("resource", ORDERS)]).await;
        let both = site.tokens(&[scope, ("resource", ORDERS), ("resource", STOCK)]).await;
        assert_eq!(site.userinfo(own).await.status, 200);
        site.world.nobody().bearer(own).get(GET_PROFILE).await.data();
        for tokens in [&one, &both] {
            let token = token_of(tokens, "access_token");
            site.userinfo(token).await.oauth_error("invalid_token");
            let in_body = site.world.nobody().form("/oidc/me", &[("access_token", token)]).await;
            in_body.oauth_error("invalid_token");
            for client in [site.world.nobody().bearer(token), site.world.nobody().app(SHOP_WEB).bearer(token)] {
                client.get(GET_PROFILE).await.refused(2020);
                client.post(UPDATE_PROFILE, json!({ "nickname": "thief" })).await.refused(2020);
                client.graphql("{ user { id } }", Value::Null).await.refused(2020);
                client.update_user(json!({ "nickname": "thief" })).await.refused(2020);
                client.get("/api/v2/users/me").await.refused(2020);
                for path in ["/api/v3/me", "/api/v3/me/sessions", "/api/v3/me/export", "/api/v3/get-identities"] {
                    let answer = client.get(path).await;
                    assert!(answer.to_string().contains("2020"), "{path}: {answer}");
                }
                let deleted = client.send(Method::DELETE, "/api/v3/me/sessions", "application/json", Vec::new()).await;
                assert!(deleted.to_string().contains("2020"), "{deleted}");
                client.post(crate::client::BIND, json!({ "code": "x" })).await.refused(2020);
                assert!(client.get("/admin/v1/users").await.status.is_client_error());
            }
            for name in ["access_token", "id_token"] {
                let path = format!("/api/v2/oidc/validate_token?{name}={token}");
                site.world.nobody().get(&path).await.refused(2020);
            }
            let fields = [
                ("grant_type", "http://authing.cn/oidc/grant_type/authing_token"), ("token", token),
                ("client_id", SHOP_WEB),
            ];
            site.world.nobody().form(TOKEN, &fields).await.oauth_error("invalid_grant");
            site.world.nobody().bearer(token).get(LOGOUT).await;
        }
        // None of it ended the session, nor changed the account.
        let profile = site.world.nobody().bearer(own).get(GET_PROFILE).await.data();
        assert_ne!(profile["nickname"], "thief", "{profile}");
    }

    async fn an_api_learns_of_tokens_that_are_for_it(database) {
        let site = Site::new(database).await;
        let scope = ("scope", "openid orders:read");
        let both = site.tokens(&[scope, ("resource", ORDERS), ("resource", STOCK), ("resource", STOCK_OLD)]).await;
        let token = token_of(&both, "access_token");
        let user = claims(token)["sub"].clone();

        let told = site.introspect(ORDERS_API, token).await;
        assert_eq!((&told["active"], &told["aud"], &told["sub"]), (&json!(true), &json!(ORDERS), &user), "{told}");
        assert_eq!((&told["client_id"], &told["scope"]), (&json!(SHOP_WEB), &json!("openid orders:read")));
        for name in ["sid", "auth_time", "level"] {
            assert!(told.get(name).is_none(), "{name}: {told}");
        }
        assert_eq!(site.introspect(STOCK_API, token).await["aud"], json!([STOCK, STOCK_OLD]));
        let told = site.introspect(SHOP_WEB, token).await;
        assert_eq!((&told["aud"], told["sid"].is_string()), (&json!([ORDERS, STOCK, STOCK_OLD]), true));

        // Others learn nothing: another API, another client, another pool.
        let one = site.tokens(&[scope, ("resource", ORDERS)]).await;
        let token = token_of(&one, "access_token");
        assert_eq!(site.introspect(ORDERS_API, token).await["active"], true);
        for other in [STOCK_API, TV, CAFE_CLIENT] {
            assert_eq!(site.introspect(other, token).await, json!({ "active": false }), "{other}");
        }
        // Nor does an API of tokens for no resource, and of refresh tokens.
        let plain = site.tokens(&[("scope", "openid offline_access"), ("resource", ORDERS)]).await;
        assert_eq!(site.introspect(ORDERS_API, token_of(&plain, "refresh_token")).await, json!({ "active": false }));
        let own = site.tokens(&[scope]).await;
        assert_eq!(site.introspect(ORDERS_API, token_of(&own, "access_token")).await, json!({ "active": false }));
        let user = site.world.client().log_in(crate::world::MINI, "bob").await;
        assert_eq!(site.introspect(ORDERS_API, &user.token).await, json!({ "active": false }));
        // An API revokes nothing that is not its own.
        site.call(ORDERS_API, REVOCATION, &[("token", token)]).await;
        assert_eq!(site.introspect(ORDERS_API, token).await["active"], true);

        // A client's own token for a resource.
        let machine = site.for_itself(STOCK_API, &[("resource", ORDERS), ("scope", "orders:read")]).await.json();
        let machine = token_of(&machine, "access_token");
        assert_eq!(claims(machine)["aud"], ORDERS);
        let told = site.introspect(ORDERS_API, machine).await;
        assert_eq!((&told["sub"], &told["aud"], &told["scope"]), (&json!(STOCK_API), &json!(ORDERS), &json!("orders:read")));
        assert_eq!(site.introspect(STOCK_API, machine).await["active"], true);
        for other in [TV, SHOP_WEB, CAFE_CLIENT] {
            assert_eq!(site.introspect(other, machine).await, json!({ "active": false }), "{other}");
        }

        // The client revokes its token, and the API learns of it.
        let revoked = site.call(SHOP_WEB, REVOCATION, &[("token", token)]).await;
        assert_eq!(revoked.status, 200, "{revoked}");
        assert_eq!(site.introspect(ORDERS_API, token).await, json!({ "active": false }));
        // An API that gave up the resource learns nothing any more.
        assert_eq!(site.introspect(ORDERS_API, machine).await["active"], true);
        site.world.reconfigure(&without_orders()).await;
        assert_eq!(site.introspect(ORDERS_API, machine).await, json!({ "active": false }));
    }

    async fn a_refresh_never_widens(database) {
        let site = Site::new(database).await;
        let scope = ("scope", "openid offline_access");
        let first = site.tokens(&[scope, ("resource", ORDERS), ("resource", STOCK)]).await;
        let mut refresh = token_of(&first, "refresh_token").to_owned();
        for wrong in [STOCK_OLD, CAFE_API, "https://unknown.example.com", SHOP_WEB] {
            site.refresh(&refresh, &[("resource", wrong)]).await.oauth_error("invalid_target");
            site.refresh(&refresh, &[("resource", ORDERS), ("resource", wrong)]).await.oauth_error("invalid_target");
        }
        // Each of them left it as it was; a part does not make it forget the rest.
        for (asked, gives) in [
            (vec![("resource", STOCK)], json!(STOCK)),
            (vec![], json!([ORDERS, STOCK])),
            (vec![("resource", STOCK), ("resource", ORDERS)], json!([STOCK, ORDERS])),
        ] {
            let tokens = site.refresh(&refresh, &asked).await;
            assert_eq!(tokens.status, 200, "{tokens}");
            assert_eq!(audience(&tokens.json()), gives);
            refresh = token_of(&tokens.json(), "refresh_token").to_owned();
        }
        // The part that a code was exchanged for is the token's, not the grant's.
        let code = site.code(&[scope, ("resource", ORDERS), ("resource", STOCK)]).await;
        let part = site.exchange(&code, &[("resource", STOCK)]).await.json();
        let tokens = site.refresh(token_of(&part, "refresh_token"), &[]).await.json();
        assert_eq!(audience(&tokens), json!([ORDERS, STOCK]));
        // A login without resources gets none later.
        let plain = site.tokens(&[scope]).await;
        let plain = token_of(&plain, "refresh_token");
        site.refresh(plain, &[("resource", ORDERS)]).await.oauth_error("invalid_target");
        assert_eq!(audience(&site.refresh(plain, &[]).await.json()), json!(SHOP_WEB));
        let stored = raw::texts(site.world.database(), "SELECT resources FROM refresh_tokens WHERE resources IS NOT NULL").await;
        assert!(stored.len() >= 4 && stored.iter().all(|row| serde_json::from_str::<serde_json::Value>(&row[0]).unwrap() == json!([ORDERS, STOCK])), "{stored:?}");
    }

    async fn a_grant_for_a_resource_that_is_gone_opens_nothing_instead(database) {
        let site = Site::new(database).await;
        let scope = ("scope", "openid offline_access");
        let alone = site.tokens(&[scope, ("resource", ORDERS)]).await;
        let both = site.tokens(&[scope, ("resource", ORDERS), ("resource", STOCK)]).await;
        let code = site.code(&[scope, ("resource", ORDERS)]).await;
        site.world.reconfigure(&without_orders()).await;
        // Never a token without an audience, which would open Hufu's own endpoints.
        site.refresh(token_of(&alone, "refresh_token"), &[]).await.oauth_error("invalid_target");
        site.exchange(&code, &[]).await.oauth_error("invalid_target");
        let tokens = site.refresh(token_of(&both, "refresh_token"), &[]).await.json();
        assert_eq!(audience(&tokens), json!(STOCK));
        site.refresh(token_of(&tokens, "refresh_token"), &[("resource", ORDERS)]).await.oauth_error("invalid_target");
    }

    async fn a_device_and_a_client_get_tokens_for_resources(database) {
        let site = Site::new(database).await;
        let fields = [("scope", "openid offline_access"), ("resource", ORDERS), ("resource", STOCK)];
        let started = site.call(TV, "/oidc/device/auth", &fields).await.json();
        let device = token_of(&started, "device_code");
        site.approve(token_of(&started, "user_code")).await;
        let poll = async |more: &[(&str, &str)]| {
            site.call(TV, TOKEN, &[&[("grant_type", DEVICE), ("device_code", device)], more].concat()).await
        };
        poll(&[("resource", STOCK_OLD)]).await.oauth_error("invalid_target");
        poll(&[("resource", "https://unknown.example.com")]).await.oauth_error("invalid_target");
        let tokens = poll(&[("resource", STOCK)]).await.json();
        assert_eq!(audience(&tokens), json!(STOCK));
        let again = [("grant_type", "refresh_token"), ("refresh_token", token_of(&tokens, "refresh_token"))];
        assert_eq!(audience(&site.call(TV, TOKEN, &again).await.json()), json!([ORDERS, STOCK]));

        let two = site.for_itself(ORDERS_API, &[("resource", STOCK), ("resource", STOCK_OLD)]).await.json();
        assert_eq!(audience(&two), json!([STOCK, STOCK_OLD]));
        site.userinfo(token_of(&two, "access_token")).await.oauth_error("invalid_token");
        assert_eq!(audience(&site.for_itself(CAFE_CLIENT, &[("resource", CAFE_API)]).await.json()), json!(CAFE_API));
        site.for_itself(CAFE_CLIENT, &[("resource", ORDERS)]).await.oauth_error("invalid_target");
    }

    async fn a_request_object_names_resources(database) {
        let site = Site::new(database).await;
        let signer = Signer::new("first");
        let website = format!("  redirect_uris = [\"{CALLBACK}\"]\n  grants");
        assert!(file().contains(&website));
        let keys = format!("  {}\n{website}", inline(&[signer.jwk()]));
        site.world.reconfigure(&file().replacen(&website, &keys, 1)).await;
        let object = |resource: Value| {
            json!({
                "iss": SHOP_WEB, "aud": format!("{PUBLIC_URL}/oidc"), "client_id": SHOP_WEB, "response_type": "code",
                "redirect_uri": CALLBACK, "scope": "openid loyalty", "resource": resource,
                "exp": site.world.node.app.now().seconds() + 60,
            })
        };
        for (resource, gives) in [(json!(ORDERS), json!(ORDERS)), (json!([ORDERS, STOCK]), json!([ORDERS, STOCK]))] {
            let tokens = site.tokens(&[("request", &signer.sign(&object(resource)))]).await;
            assert_eq!((audience(&tokens), &tokens["scope"]), (gives, &json!("openid loyalty")));
        }
        let wrong = signer.sign(&object(json!([ORDERS, "https://unknown.example.com"])));
        let answer = site.authorize(SHOP_WEB, &[("response_type", "code"), ("request", &wrong)]).await;
        assert_eq!(Site::error(&answer), "invalid_target");
    }
}
