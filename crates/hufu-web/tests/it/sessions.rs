//! What keeps a session alive and what ends it: lifetimes, refresh tokens, revocation.

use std::collections::HashSet;
use std::time::Duration;

use futures::future::join_all;
use hufu_testkit::on_both_engines;
use hufu_types::Language;
use hufu_types::refusal::Code;
use hufu_web::surface::{Reader, oauth};
use serde_json::{Value, json};

use crate::client::{GET_PROFILE, LOGOUT, Mode, REVOCATION, TOKEN, claims, session_of, signin};
use crate::world::{CAFE_APP, FILE, MINI, SHOP_APP, SHOP_WEB, World};

const DAY: Duration = Duration::from_secs(86_400);

fn lifetime(token: &str) -> i64 {
    let claims = claims(token);
    claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()
}

/// The standard configuration file with token lifetimes for the shop's mini program.
fn with_lifetimes(lifetimes: &str) -> String {
    let place = "  connections = [\"shop-mini\", \"shop-two\", \"shop-members\"]\n";
    assert!(FILE.contains(place));
    FILE.replace(place, &format!("{place}  tokens = {{ {lifetimes} }}\n"))
}

on_both_engines! {
    async fn tokens_live_as_long_as_the_application_says(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let tokens = world.client().log_in_v3(MINI, "bob").await;
        assert_eq!(lifetime(&user.token), 14 * 86_400);
        assert_eq!((lifetime(&tokens.access), lifetime(&tokens.id)), (7_200, 7_200));
        assert_eq!(user.data["tokenExpiredAt"], "2025-06-29T15:06:40.000Z");

        world
            .reconfigure(&with_lifetimes(r#"user_token = "3h", access_token = "5m", refresh_token = "2d""#))
            .await;
        let user = world.client().log_in(MINI, "bob").await;
        let answer = world.client().try_log_in(Mode::Code, MINI, "bob").await;
        let tokens = answer.tokens();
        assert_eq!(answer.data()["expires_in"], 300);
        assert_eq!(
            (lifetime(&user.token), lifetime(&tokens.access), lifetime(&tokens.id)),
            (10_800, 300, 300)
        );
        world.advance(2 * DAY + Duration::from_millis(1));
        world.client().refresh(&tokens.refresh).await.oauth_error("invalid_grant");
    }

    async fn a_user_token_is_renewed_until_its_session_ends(database) {
        let world = World::new(database).await;
        world.person("bob");
        let first = world.client().log_in(MINI, "bob").await.token;
        let login = claims(&first)["iat"].as_i64().unwrap();
        let mut token = first.clone();
        for _ in 0..8 {
            world.advance(11 * DAY);
            let client = world.client().bearer(&token);
            let answer =
                client.graphql("mutation { refreshToken { token iat exp } }", Value::Null).await.data();
            let renewed = &answer["refreshToken"];
            token = renewed["token"].as_str().unwrap().to_owned();
            let now = claims(&token);
            assert_eq!((&renewed["iat"], &renewed["exp"]), (&now["iat"], &now["exp"]));
            assert_eq!(session_of(&token), session_of(&first));
            assert_eq!(now["auth_time"], login);
        }
        assert_eq!(claims(&token)["exp"], login + 90 * 86_400, "no token outlives its session");
        world.advance(2 * DAY);
        let client = world.client().bearer(&token);
        client.get(GET_PROFILE).await.refused(2020);
        client.graphql("mutation { refreshToken { token } }", Value::Null).await.refused(2020);
    }

    async fn refresh_tokens_are_rotated(database) {
        let world = World::new(database).await;
        world.person("bob");
        let first = world.client().log_in_v3(MINI, "bob").await;
        let mut seen = HashSet::from([first.refresh.clone()]);
        let mut last = first.clone();
        for _ in 0..3 {
            world.advance(DAY);
            let answer = world.client().refresh(&last.refresh).await;
            assert_eq!(answer.headers["cache-control"], "no-store");
            last = answer.tokens();
            assert!(seen.insert(last.refresh.clone()), "each is another");
            assert_eq!(session_of(&last.access), session_of(&first.access));
            assert_eq!(claims(&last.access)["scope"], claims(&first.access)["scope"]);
            world.nobody().bearer(&last.access).get(GET_PROFILE).await.data();
        }
        world.nobody().bearer(&last.access).get(GET_PROFILE).await.data();
    }

    /// A session ends fourteen days after its last use and ninety days after the login, however often its tokens
    /// are refreshed, unless the pool says otherwise.
    async fn sessions_with_refresh_tokens_end(database) {
        let world = World::new(database).await;
        world.person("bob");
        let idle = world.client().log_in_v3(MINI, "bob").await;
        let mut last = world.client().log_in_v3(MINI, "bob").await;
        for _ in 0..6 {
            world.advance(13 * DAY);
            last = world.client().refresh(&last.refresh).await.tokens();
        }
        world.client().refresh(&idle.refresh).await.oauth_error("invalid_grant");
        world.advance((12 * DAY).saturating_sub(Duration::from_secs(1)));
        let answer = world.client().refresh(&last.refresh).await;
        assert_eq!(answer.json()["expires_in"], 1, "no token outlives the session: {answer}");
        last = answer.tokens();
        world.nobody().bearer(&last.access).get(GET_PROFILE).await.data();
        world.advance(Duration::from_secs(1));
        world.client().refresh(&last.refresh).await.oauth_error("invalid_grant");
        world.nobody().bearer(&last.access).get(GET_PROFILE).await.refused(2020);

        let settings = "name = \"Shop\"\n  [user_pool.settings]\n  session = { idle = \"2h\", life = \"3h\" }";
        world.reconfigure_with("name = \"Shop\"", settings).await;
        let user = world.client().log_in(MINI, "bob").await;
        assert_eq!(lifetime(&user.token), 10_800);
        let client = world.nobody().bearer(&user.token);
        world.advance(Duration::from_secs(7_000));
        client.get(GET_PROFILE).await.data();
        world.advance(Duration::from_secs(3_799));
        client.get(GET_PROFILE).await.data();
        let other = world.client().log_in(MINI, "bob").await;
        world.advance(Duration::from_secs(1));
        client.get(GET_PROFILE).await.refused(2020);
        world.advance(Duration::from_secs(7_199));
        world.nobody().bearer(&other.token).get(GET_PROFILE).await.refused(2020);
    }

    async fn a_lost_answer_is_forgiven_for_thirty_seconds(database) {
        let world = World::new(database).await;
        world.person("bob");
        let first = world.client().log_in_v3(MINI, "bob").await;
        world.client().refresh(&first.refresh).await.tokens();
        world.advance(Duration::from_secs(30));
        let second = world.client().refresh(&first.refresh).await.tokens();
        assert_eq!(session_of(&second.access), session_of(&first.access));
        world.client().refresh(&second.refresh).await.tokens();
    }

    async fn a_token_used_again_later_ends_the_family(database) {
        let world = World::new(database).await;
        world.person("bob");
        let first = world.client().log_in_v3(MINI, "bob").await;
        let second = world.client().refresh(&first.refresh).await.tokens();
        world.nobody().bearer(&second.access).get(GET_PROFILE).await.data();
        world.advance(Duration::from_millis(30_001));
        let answer = world.client().refresh(&first.refresh).await;
        answer.oauth_error("invalid_grant");
        assert!(answer.log().contains("used twice"), "{}", answer.log());
        world.client().refresh(&second.refresh).await.oauth_error("invalid_grant");
        world.nobody().bearer(&second.access).get(GET_PROFILE).await.refused(2020);
        assert_eq!((world.rows("sessions").await, world.rows("refresh_tokens").await), (0, 0));
    }

    async fn a_token_used_again_after_its_successor_ends_the_family_at_once(database) {
        let world = World::new(database).await;
        world.person("bob");
        let first = world.client().log_in_v3(MINI, "bob").await;
        let second = world.client().refresh(&first.refresh).await.tokens();
        let third = world.client().refresh(&second.refresh).await.tokens();
        world.client().refresh(&first.refresh).await.oauth_error("invalid_grant");
        world.client().refresh(&third.refresh).await.oauth_error("invalid_grant");
        world.nobody().bearer(&third.access).get(GET_PROFILE).await.refused(2020);
    }

    async fn the_same_token_at_once_leaves_one_successor(database) {
        let world = World::new(database).await;
        world.person("bob");
        let first = world.client().log_in_v3(MINI, "bob").await;
        let other_node = world.another_node().await;
        let refreshes = (0..8).map(|index| {
            let client = if index % 2 == 0 { world.client() } else { world.client_of(&other_node) };
            let token = &first.refresh;
            async move { client.refresh(token).await.tokens().refresh }
        });
        let successors = join_all(refreshes).await;
        assert_eq!(world.rows("sessions").await, 1);
        let mut standing = 0;
        for successor in &successors {
            standing += usize::from(world.client().refresh(successor).await.status == 200);
        }
        assert!(standing <= 1, "{standing} successors of one token were accepted");
        assert_eq!(world.rows("sessions").await, 0, "a replaced successor ends the session");
    }

    async fn a_refresh_token_is_its_application_s_own(database) {
        let world = World::new(database).await;
        world.person("bob");
        let tokens = world.client().log_in_v3(MINI, "bob").await;
        for app in [SHOP_WEB, CAFE_APP] {
            let other = world.nobody().app(app);
            world.stores_nothing(other.refresh(&tokens.refresh)).await.oauth_error("invalid_grant");
        }
        world.nobody().refresh(&tokens.refresh).await.oauth_error("invalid_client");
        world.nobody().app("undefined").refresh(&tokens.refresh).await.oauth_error("invalid_client");
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", tokens.refresh.as_str()),
            ("client_id", SHOP_WEB),
        ];
        world.client().form(TOKEN, &fields).await.oauth_error("invalid_client");
        let fields = [fields[0], fields[1], ("client_id", SHOP_APP)];
        world.nobody().form(TOKEN, &fields).await.tokens();
    }

    async fn scopes_decide_what_is_issued(database) {
        let world = World::new(database).await;
        world.person("bob");
        let log_in = |options: Value| {
            let payload = json!({ "code": world.code(MINI, "bob"), "iv": "", "encryptedData": "" });
            let mut body = signin("wechat_mini_program_code", "wechatMiniProgramCodePayload", &payload);
            body["options"] = options;
            let client = world.client();
            async move { client.post(crate::client::SIGNIN, body).await.data() }
        };
        for (options, id_token, refresh_token) in [
            (json!({ "scope": "openid" }), true, false),
            (json!({ "scope": "profile offline_access" }), false, true),
            (json!({ "scope": "openid profile offline_access made_up" }), true, true),
            (json!({}), true, false),
            (Value::Null, true, false),
            (json!({ "scope": "" }), true, false),
        ] {
            let data = log_in(options.clone()).await;
            assert_eq!(data["id_token"].is_string(), id_token, "{options} {data}");
            assert_eq!(data["refresh_token"].is_string(), refresh_token, "{options} {data}");
            assert!(!data["scope"].as_str().unwrap().contains("made_up"), "{data}");
        }
        let data = log_in(json!({ "scope": "openid" })).await;
        let id_token = claims(data["id_token"].as_str().unwrap());
        for personal in ["nickname", "picture", "phone_number", "email", "username", "updated_at"] {
            assert!(id_token.get(personal).is_none(), "{personal} was not asked for");
        }
    }

    async fn revocation_ends_the_session_of_either_token(database) {
        let world = World::new(database).await;
        world.person("bob");
        for by_access_token in [true, false] {
            let tokens = world.client().log_in_v3(MINI, "bob").await;
            let bearer = world.nobody().bearer(&tokens.access);
            bearer.get(GET_PROFILE).await.data();
            let token = if by_access_token { &tokens.access } else { &tokens.refresh };

            // A token presented by another application changes nothing. Neither does an unknown token.
            for (client, token) in
                [(SHOP_WEB, token.as_str()), (CAFE_APP, token.as_str()), (SHOP_APP, "unknown")]
            {
                let fields = [("client_id", client), ("token", token)];
                let answer = world.stores_nothing(world.nobody().form(REVOCATION, &fields)).await;
                assert_eq!(answer.status, 200, "{answer}");
            }
            world.client().form(REVOCATION, &[("client_id", SHOP_APP)]).await.oauth_error("invalid_request");
            world.nobody().form(REVOCATION, &[("token", token)]).await.oauth_error("invalid_client");
            world
                .nobody()
                .form(REVOCATION, &[("token", token), ("client_id", "x")])
                .await
                .oauth_error("invalid_client");
            bearer.get(GET_PROFILE).await.data();

            let fields = [("client_id", SHOP_APP), ("token", token.as_str())];
            let answer = world.nobody().form(REVOCATION, &fields).await;
            assert_eq!((answer.status.as_u16(), answer.bytes.len()), (200, 0), "{answer}");
            bearer.get(GET_PROFILE).await.refused(2020);
            world.client().refresh(&tokens.refresh).await.oauth_error("invalid_grant");
            assert_eq!(world.nobody().form(REVOCATION, &fields).await.status, 200, "again is no error");
        }
        assert_eq!((world.rows("sessions").await, world.rows("refresh_tokens").await), (0, 0));
    }

    async fn a_code_again_after_logout_is_refused(database) {
        let world = World::new(database).await;
        world.person("bob");
        let code = world.code(MINI, "bob");
        let first = world.client().send_code(&code).await.user();
        world.nobody().bearer(&first.token).get(LOGOUT).await.data();
        world.client().send_code(&code).await.refused(2206);
        world.nobody().bearer(&first.token).get(GET_PROFILE).await.refused(2020);
        assert_eq!(world.rows("sessions").await, 0);
    }

    async fn what_has_ended_is_swept(database) {
        let world = World::new(database).await;
        world.person("bob");
        world.client().log_in_v3(MINI, "bob").await;
        world.advance(Duration::from_secs(121));
        world.node.app.sweep().await.unwrap();
        assert_eq!((world.rows("exchanges").await, world.rows("sessions").await), (0, 1));
        world.advance(91 * DAY);
        world.node.app.sweep().await.unwrap();
        assert_eq!((world.rows("sessions").await, world.rows("refresh_tokens").await), (0, 0));
    }
}

/// A token with too little scope gets the challenge of RFC 6750 section 3.
#[test]
fn too_little_scope_is_said_as_the_standard_wants() {
    let refusal = Code::InsufficientScope.with("scope", "profile");
    let reader =
        Reader { language: Language::English, request_id: "".into(), accepted: None, uses_dpop: false };
    let answer = oauth(&refusal, &reader);
    assert_eq!(answer.status(), 403);
    let challenge = &answer.headers()["www-authenticate"];
    assert_eq!(challenge, "Bearer error=\"insufficient_scope\", scope=\"profile\"");
}
