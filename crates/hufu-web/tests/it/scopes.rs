//! The scopes that a pool declares, and the claims that they give.

use hufu_testkit::on_both_engines;
use serde_json::{Value, json};

use crate::client::{Client, claims};
use crate::site::{PARTNER, PUSH, STOCK, STOCK_API, Site, TV, file, token_of};
use crate::world::{CAFE, FILE, SHOP_WEB};

const CAFE_WEB: &str = "6560c0ffee00000000000014";

on_both_engines! {
    async fn a_scope_of_the_pool_gives_its_claims_and_no_others(database) {
        let site = Site::new(database).await;
        let tokens = site.tokens(&[("scope", "openid loyalty nonsense orders:read loyalty")]).await;
        assert_eq!(tokens["scope"], "openid loyalty orders:read");
        let (access, id) = (token_of(&tokens, "access_token"), claims(token_of(&tokens, "id_token")));
        assert_eq!(claims(access)["scope"], "openid loyalty orders:read");
        assert_eq!(id["level"], 7);
        let user = site.userinfo(access).await.json();
        assert_eq!(user["level"], 7);
        assert_eq!(site.introspect(SHOP_WEB, access).await["scope"], "openid loyalty orders:read");
        for told in [&id, &user] {
            for name in ["tier", "loose", "risk", "extended_fields", "nickname", "name", "email"] {
                assert!(told.get(name).is_none(), "{name}: {told}");
            }
        }

        let tokens = site.tokens(&[("scope", "openid orders:read")]).await;
        assert_eq!(claims(token_of(&tokens, "id_token")).get("level"), None);
        let user = site.userinfo(token_of(&tokens, "access_token")).await.json();
        assert_eq!(user.as_object().unwrap().keys().collect::<Vec<_>>(), ["sub"], "{user}");

        // A scope of the pool alone opens no userinfo, since that needs `openid`.
        let tokens = site.tokens(&[("scope", "loyalty")]).await;
        assert_eq!((&tokens["scope"], tokens.get("id_token")), (&json!("loyalty"), None));
        site.userinfo(token_of(&tokens, "access_token")).await.oauth_error("insufficient_scope");
    }

    async fn a_claim_of_the_pool_can_be_asked_for_by_itself(database) {
        let site = Site::new(database).await;
        let asked = json!({ "userinfo": { "level": null, "tier": null, "risk": null }, "id_token": { "called": null } });
        let tokens = site.tokens(&[("scope", "openid"), ("claims", &asked.to_string())]).await;
        let user = site.userinfo(token_of(&tokens, "access_token")).await.json();
        assert_eq!((&user["level"], user.as_object().unwrap().len()), (&json!(7), 2), "{user}");
        let id = claims(token_of(&tokens, "id_token"));
        assert!(id.get("level").is_none() && id.get("tier").is_none(), "{id}");
    }

    async fn a_scope_of_the_pool_is_asked_for_everywhere(database) {
        let site = Site::new(database).await;
        // In the response itself.
        let parameters = [("response_type", "id_token token"), ("scope", "openid loyalty")];
        let answer = Site::answered(&site.authorize(SHOP_WEB, &parameters).await);
        let of = |name: &str| answer.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str()).unwrap();
        assert_eq!((of("scope"), &claims(of("id_token"))["level"]), ("openid+loyalty", &json!(7)));
        site.world.secret(of("id_token"));
        site.world.secret(of("access_token"));

        // A pushed request.
        let own = [("response_type", "code"), ("redirect_uri", crate::site::CALLBACK)];
        let pushed = site.call(SHOP_WEB, PUSH, &[&own[..], &[("scope", "openid loyalty")]].concat()).await.json();
        let code = site.code(&[("request_uri", token_of(&pushed, "request_uri"))]).await;
        assert_eq!(site.exchange(&code, &[]).await.json()["scope"], "openid loyalty");

        // A device.
        let started = site.call(TV, "/oidc/device/auth", &[("scope", "openid loyalty nonsense")]).await.json();
        site.approve(token_of(&started, "user_code")).await;
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let fields = [("grant_type", grant), ("device_code", token_of(&started, "device_code"))];
        let tokens = site.call(TV, crate::client::TOKEN, &fields).await.json();
        assert_eq!((&tokens["scope"], &claims(token_of(&tokens, "id_token"))["level"]), (&json!("openid loyalty"), &json!(7)));

        // A client for itself: scopes about a person are none.
        let tokens = site.for_itself(STOCK_API, &[("scope", "openid loyalty offline_access nonsense")]).await.json();
        assert_eq!(tokens["scope"], "loyalty");
        let access = token_of(&tokens, "access_token");
        assert_eq!(claims(access)["scope"], "loyalty");
        assert_eq!(site.introspect(STOCK_API, access).await["scope"], "loyalty");
        site.userinfo(access).await.oauth_error("invalid_token");
        let plain = site.for_itself(STOCK_API, &[]).await.json();
        assert_eq!((plain.get("scope"), claims(token_of(&plain, "access_token")).get("scope")), (None, None));

        // The mobile clients.
        let user = site.world.client().log_in(crate::world::MINI, "bob").await;
        let fields = [
            ("grant_type", "http://authing.cn/oidc/grant_type/authing_token"), ("token", user.token.as_str()),
            ("client_id", crate::world::SHOP_APP), ("scope", "openid+loyalty+nonsense"),
        ];
        let tokens = site.world.nobody().form(crate::client::TOKEN, &fields).await.json();
        assert_eq!(tokens["scope"], "openid loyalty", "{tokens}");
    }

    async fn a_refresh_gives_less_but_never_more(database) {
        let site = Site::new(database).await;
        let first = site.tokens(&[("scope", "openid offline_access loyalty")]).await;
        let tokens = site.refresh(token_of(&first, "refresh_token"), &[("scope", "loyalty orders:read phone")]).await.json();
        assert_eq!((&tokens["scope"], tokens.get("id_token")), (&json!("loyalty"), None));
        // The refresh token keeps what it has.
        let tokens = site.refresh(token_of(&tokens, "refresh_token"), &[]).await.json();
        assert_eq!(tokens["scope"], "openid offline_access loyalty");
        assert_eq!(claims(token_of(&tokens, "id_token"))["level"], 7);

        // The pool gives up the scope: what was granted is less from then on, and nothing breaks.
        let code = site.code(&[("scope", "openid loyalty orders:read")]).await;
        let loyalty = file().split("  [[user_pool.scope]]\n").nth(1).unwrap().to_owned();
        assert!(loyalty.contains("loyalty"));
        site.world.reconfigure(&file().replace(&format!("  [[user_pool.scope]]\n{loyalty}"), "")).await;
        assert_eq!(site.exchange(&code, &[]).await.json()["scope"], "openid orders:read");
        let tokens = site.refresh(token_of(&tokens, "refresh_token"), &[]).await.json();
        assert_eq!(tokens["scope"], "openid offline_access");
        assert_eq!(claims(token_of(&tokens, "id_token")).get("level"), None);
        let user = site.userinfo(token_of(&first, "access_token")).await.json();
        assert_eq!(user.as_object().unwrap().len(), 1, "an old token tells no more either: {user}");
        assert_eq!(site.tokens(&[("scope", "openid loyalty")]).await["scope"], "openid");
    }

    async fn scopes_of_another_pool_and_malformed_ones_are_none(database) {
        let site = Site::new(database).await;
        let answer = site.authorize(CAFE_WEB, &[("response_type", "code"), ("scope", "openid loyalty orders:read")]).await;
        let open = site.opened(&answer, "/login");
        assert_eq!((open.application.pool.as_str(), open.request.scopes.to_string().as_str()), (CAFE, "openid"));
        for scope in ["openid \"loyalty\"", "openid loyalty\\", "openid loyalty\u{0}", "openid LOYALTY", "openid custom.level",
            "openid loyalty,orders:read", "openid 忠诚"] {
            assert_eq!(site.tokens(&[("scope", scope)]).await["scope"], "openid", "{scope:?}");
        }
        let many = (0..1000).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ");
        assert_eq!(site.tokens(&[("scope", &format!("openid {many}"))]).await["scope"], "openid");
        // The published clients' logins know the pool's scopes as well, and only those.
        let (path, mut body) = crate::client::Mode::Code.request(&site.world, crate::world::MINI, "bob");
        body["options"]["scope"] = json!("openid loyalty nonsense");
        let client = Client::of(&site.world, &site.world.node).app(crate::world::SHOP_APP);
        let data = client.referer(crate::world::MINI).post(path, body).await.data();
        assert_eq!((&data["scope"], data["refresh_token"].is_null()), (&json!("openid loyalty"), true), "{data}");
    }

    async fn whoever_asks_for_more_is_asked_again(database) {
        let site = Site::new(database).await;
        let ask = async |parameters: &[(&str, &str)]| {
            site.authorize(PARTNER, &[&[("response_type", "code")], parameters].concat()).await
        };
        let first = ask(&[("scope", "openid")]).await;
        site.agree(&site.opened(&first, "/consent")).await;
        Site::answered(&ask(&[("scope", "openid")]).await);

        let more = site.opened(&ask(&[("scope", "openid loyalty")]).await, "/consent");
        assert_eq!(site.asked(&more).await, ("openid loyalty".to_owned(), Vec::new()));
        let silent = ask(&[("scope", "openid loyalty"), ("prompt", "none")]).await;
        assert_eq!(Site::error(&silent), "consent_required");
        site.agree(&more).await;
        Site::answered(&ask(&[("scope", "openid loyalty"), ("prompt", "none")]).await);
        Site::answered(&ask(&[("scope", "loyalty"), ("prompt", "none")]).await);
        site.opened(&ask(&[("scope", "openid orders:read")]).await, "/consent");

        // So is whoever asks for an API.
        let api = [("scope", "openid loyalty"), ("resource", STOCK)];
        let open = site.opened(&ask(&api).await, "/consent");
        assert_eq!(site.asked(&open).await, ("openid loyalty".to_owned(), vec!["Shop stock".to_owned()]));
        site.agree(&open).await;
        Site::answered(&ask(&[api[0], api[1], ("prompt", "none")]).await);
        let other = ask(&[api[0], ("resource", crate::site::ORDERS)]).await;
        site.opened(&other, "/consent");
        // What they agreed to before is still there.
        Site::answered(&ask(&[api[0], ("prompt", "none")]).await);
    }

    async fn discovery_names_the_scopes_of_every_pool_alone(database) {
        let site = Site::new(database).await;
        let document = site.world.nobody().get("/oidc/.well-known/openid-configuration").await.json();
        let scopes = document["scopes_supported"].as_array().unwrap();
        assert!(scopes.contains(&json!("openid")) && !scopes.contains(&json!("loyalty")), "{scopes:?}");
        assert!(!FILE.contains("loyalty") && document["claims_supported"].as_array().unwrap().iter().all(Value::is_string));
    }
}
