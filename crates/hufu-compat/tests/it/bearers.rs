//! Bearer tokens: what is accepted as one, and which calls ignore it.

use std::time::Duration;

use hufu_protocol::{SigningKey, TokenType, UserTokenClaims};
use hufu_testkit::on_both_engines;
use hufu_types::{ApplicationId, SessionId, SigningAlgorithm, UserId};
use serde_json::{Value, json};

use crate::client::{
    GET_PROFILE, GRAPHQL, LOGOUT, Mode, SYSTEM, UPDATE_PROFILE, WELL_KNOWN, claims, header_of,
};
use crate::world::{CAFE, CAFE_APP, CAFE_MINI, MINI, PUBLIC_URL, SHOP, SHOP_APP, SHOP_WEB, World};

/// A token with the right claims, signed with a foreign key.
fn forged(token: &str, issuer: &str) -> String {
    let (key, _) = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
    let original = claims(token);
    let text = |name: &str| original[name].as_str().unwrap();
    let claims = UserTokenClaims {
        iss: issuer.into(),
        sub: UserId::parse(text("sub")).unwrap(),
        aud: ApplicationId::parse(original["aud"].as_str().unwrap()).unwrap(),
        sid: SessionId::parse(text("sid")).unwrap(),
        iat: original["iat"].as_i64().unwrap(),
        exp: original["exp"].as_i64().unwrap(),
        auth_time: None,
    };
    key.sign(TokenType::UserToken, &claims).unwrap()
}

on_both_engines! {
    async fn a_login_ignores_whatever_bearer_comes_with_it(database) {
        let world = World::new(database).await;
        world.person("bob");
        world.person("eve");
        let foreign = world.cafe().log_in(CAFE_MINI, "eve").await;
        let stale = world.client().log_in(MINI, "eve").await;
        world.nobody().bearer(&stale.token).get(LOGOUT).await.data();
        let id_token = world.client().log_in_v3(MINI, "eve").await.id;
        let bob = world.client().log_in(MINI, "bob").await.id;
        let long = "x".repeat(9000);
        let bearers = [
            format!("Bearer {}", foreign.token),
            foreign.token.clone(),
            format!("Bearer {}", stale.token),
            format!("Bearer {id_token}"),
            "Bearer undefined".into(),
            "null".into(),
            "Bearer ".into(),
            "Bearer".into(),
            "Basic YTpi".into(),
            "Bearer a.b.c".into(),
            "🔑".into(),
            format!("Bearer {long}"),
        ];
        for bearer in &bearers {
            let client = world.client().header("authorization", bearer);
            for mode in Mode::ALL {
                assert_eq!(
                    client.try_log_in(mode, MINI, "bob").await.logged_in(),
                    bob,
                    "{mode:?} with {bearer}"
                );
            }
            client.get(WELL_KNOWN).await.data();
            assert!(client.get(SYSTEM).await.json()["rsa"]["publicKey"].is_string());
            client.get(LOGOUT).await.data();
        }
    }

    async fn a_bearer_counts_with_and_without_its_scheme(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let access = world.client().log_in_v3(MINI, "bob").await.access;
        for token in [&user.token, &access] {
            for value in
                [format!("Bearer {token}"), token.clone(), format!("bearer {token}"), format!("  {token} ")]
            {
                let client = world.nobody().header("authorization", &value);
                assert_eq!(client.get(GET_PROFILE).await.data()["userId"], user.id.as_str());
                let answer = client.graphql("{ user { id token } }", Value::Null).await;
                assert_eq!(answer.data()["user"]["id"], user.id.as_str());
            }
            world
                .nobody()
                .header("authorization", &format!("Basic {token}"))
                .get(GET_PROFILE)
                .await
                .refused(2020);
        }
    }

    async fn no_kind_of_token_passes_for_another(database) {
        let world = World::new(database).await;
        world.person("bob");
        let client = world.client();
        let user = client.log_in(MINI, "bob").await;
        let tokens = client.log_in_v3(MINI, "bob").await;
        for (token, typ) in [(&user.token, "hufu-user+jwt"), (&tokens.access, "at+jwt"), (&tokens.id, "JWT")]
        {
            assert_eq!(header_of(token)["typ"], typ);
            assert_eq!(claims(token)["iss"], format!("{PUBLIC_URL}/oidc"));
            assert_eq!(claims(token)["aud"], SHOP_APP);
        }
        for bearer in [&user.token, &tokens.access] {
            let client = world.nobody().bearer(bearer);
            client.get(GET_PROFILE).await.data();
            client.post(UPDATE_PROFILE, json!({ "company": "Shop" })).await.data();
            client.update_user(json!({ "nickname": "Bob" })).await.data();
        }
        for bearer in [&tokens.id, &tokens.refresh] {
            let client = world.nobody().bearer(bearer);
            world.stores_nothing(client.get(GET_PROFILE)).await.refused(2020);
            world.stores_nothing(client.update_user(json!({ "nickname": "Eve" }))).await.refused(2020);
        }
        for token in [&user.token, &tokens.access, &tokens.id] {
            client.refresh(token).await.oauth_error("invalid_grant");
        }
    }

    async fn an_access_token_never_becomes_a_user_token(database) {
        const USER: &str = "{ user { token tokenExpiredAt } }";
        const REFRESH: &str = "mutation { refreshToken { token } }";
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let tokens = world.client().log_in_v3(MINI, "bob").await;

        let client = world.nobody().bearer(&tokens.access);
        let data = client.graphql(USER, Value::Null).await.data();
        assert_eq!(data["user"], json!({ "token": null, "tokenExpiredAt": null }));
        let data = client.update_user(json!({ "nickname": "Bob" })).await.data();
        assert_eq!((&data["updateUser"]["nickname"], &data["updateUser"]["token"]), (&json!("Bob"), &Value::Null));
        let message = world.stores_nothing(client.graphql(REFRESH, Value::Null)).await.refused(2231);
        assert!(message.contains("/oidc/token"), "{message}");

        // The v2 clients store the token of the response. For a request with a user token it is the same
        // token.
        let client = world.nobody().bearer(&user.token);
        let data = client.graphql(USER, Value::Null).await.data();
        assert_eq!(data["user"]["token"], user.token.as_str());
        assert!(data["user"]["tokenExpiredAt"].is_string());
        let data = client.graphql(REFRESH, Value::Null).await.data();
        assert_eq!(header_of(data["refreshToken"]["token"].as_str().unwrap())["typ"], "hufu-user+jwt");
    }

    async fn forged_foreign_and_expired_tokens_are_no_login(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let issuer = format!("{PUBLIC_URL}/oidc");
        let (head, signature) = user.token.rsplit_once('.').unwrap();
        let unsigned = format!(
            "{}.{}.",
            "eyJhbGciOiJub25lIiwidHlwIjoiaHVmdS11c2VyK2p3dCJ9",
            head.split('.').nth(1).unwrap()
        );
        let tokens = [
            forged(&user.token, &issuer),
            forged(&user.token, "https://evil.example/oidc"),
            unsigned,
            format!("{head}."),
            head.to_owned(),
            format!("{head}.{signature}x"),
            String::new(),
        ];
        for token in &tokens {
            world.nobody().bearer(token).get(GET_PROFILE).await.refused(2020);
            let client = world.nobody().bearer(token);
            client.graphql("{ user { id } }", Value::Null).await.refused(2020);
            let status = client.graphql("{ checkLoginStatus { status code } }", Value::Null).await.data();
            assert_eq!(status["checkLoginStatus"], json!({ "status": false, "code": 2020 }));
        }
        world.nobody().get(GET_PROFILE).await.refused(2020);

        let client = world.nobody().bearer(&user.token);
        client.get(GET_PROFILE).await.data();
        world.advance(Duration::from_secs(14 * 86_400 + 6));
        client.get(GET_PROFILE).await.refused(2020);
    }

    async fn what_the_client_names_must_agree_with_its_token(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let client = world.nobody().bearer(&user.token);
        for (app, pool) in [(SHOP_APP, ""), ("", SHOP), (SHOP_APP, SHOP), ("undefined", "null")] {
            client.clone().app(app).pool(pool).get(GET_PROFILE).await.data();
        }
        let changes = json!({ "query": "mutation { updateUser(input: {nickname: \"Eve\"}) { id } }" });
        for (app, pool) in [
            (CAFE_APP, ""),
            ("", CAFE),
            (SHOP_APP, CAFE),
            (CAFE_APP, SHOP),
            (SHOP_WEB, ""),
            ("x", ""),
            ("", "x"),
        ] {
            let client = client.clone().app(app).pool(pool);
            client.get(GET_PROFILE).await.refused(2020);
            world
                .stores_nothing(client.post(UPDATE_PROFILE, json!({ "nickname": "Eve" })))
                .await
                .refused(2020);
            world.stores_nothing(client.post(GRAPHQL, changes.clone())).await.refused(2020);
        }
    }

    async fn logout_ends_the_session_at_once(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let other = world.client().log_in(MINI, "bob").await;
        let client = world.nobody().bearer(&user.token);
        client.get(GET_PROFILE).await.data();
        client.clone().app(SHOP_APP).get(&format!("{LOGOUT}?app_id={SHOP_APP}")).await.data();
        client.get(GET_PROFILE).await.refused(2020);
        client.update_user(json!({ "nickname": "Bob" })).await.refused(2020);
        client.get(LOGOUT).await.data();
        world.nobody().bearer(&other.token).get(GET_PROFILE).await.data();
        assert_eq!(world.rows("sessions").await, 1, "the other device stays logged in");
    }

    async fn another_node_believes_a_session_for_five_seconds(database) {
        let plan = crate::world::Plan::new().limits(|limits| limits.session_cache = Duration::ZERO);
        let world = plan.build(database).await;
        let other_node = world.another_node().await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let there = world.client_of(&other_node).bearer(&user.token);
        there.get(GET_PROFILE).await.data();
        world.nobody().bearer(&user.token).get(LOGOUT).await.data();
        there.get(GET_PROFILE).await.refused(2020);
        assert_eq!(hufu_app::Limits::default().session_cache, Duration::from_secs(5));
    }
}
