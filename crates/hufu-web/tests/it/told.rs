//! Back-channel logout: whatever ends a session tells the session's application, which asked to be told, and nobody else.

use axum::http::Method;
use hufu_testkit::administration::{call, key, users};
use hufu_testkit::receiver::Receiver;
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::AdminRole;
use serde_json::{Value, json};

use crate::client::{Answer, User, claims};
use crate::site::{PARTNER, Site, token_of};
use crate::world::{MINI, SHOP, SHOP_APP, SHOP_WEB, World};

const SESSIONS: &str = "/api/v3/me/sessions";
const PASSWORD: &str = "lanterns over quiet water";
const ASKED: [(&str, &str); 1] = [("scope", "openid offline_access")];

/// The shop, whose app and website are told of logouts. Its other applications are not.
struct Shop {
    site: Site,
    receiver: Receiver,
}

impl Shop {
    async fn new(database: TestDatabase) -> Self {
        let (site, receiver) = (Site::new(database).await, Receiver::start().await);
        for application in [SHOP_APP, SHOP_WEB] {
            let uri = Some(receiver.uri.clone());
            site.world.change_application(application, |shop| shop.client.backchannel_logout_uri = uri).await;
        }
        Self { site, receiver }
    }

    fn world(&self) -> &World {
        &self.site.world
    }

    /// Bob, logged in to the app once more, and the session.
    async fn logs_in(&self) -> (User, String) {
        let bob = self.world().client().log_in(MINI, "bob").await;
        let session = claims(&bob.token)["sid"].as_str().unwrap().to_owned();
        (bob, session)
    }

    async fn delete(&self, bob: &User, path: &str) -> Answer {
        let client = self.world().nobody().bearer(&bob.token);
        client.send(Method::DELETE, path, "application/json", Vec::new()).await
    }

    /// The sessions that ended since the last look, and of which the applications were told, in alphabetical order.
    async fn told(&self) -> Vec<String> {
        self.world().node.app.run_due_jobs().await;
        let token = |body: String| claims(body.strip_prefix("logout_token=").unwrap());
        let mut told: Vec<Value> = self.receiver.take().into_iter().map(token).collect();
        for token in &told {
            assert!(
                token["events"]["http://schemas.openid.net/event/backchannel-logout"].is_object(),
                "{token}"
            );
            assert!([SHOP_APP, SHOP_WEB].contains(&token["aud"].as_str().unwrap()), "{token}");
        }
        told.sort_by_key(|token| token["sid"].to_string());
        told.into_iter().map(|token| token["sid"].as_str().unwrap().to_owned()).collect()
    }
}

fn sorted<const N: usize>(sessions: [&String; N]) -> Vec<String> {
    let mut sessions: Vec<String> = sessions.into_iter().cloned().collect();
    sessions.sort();
    sessions
}

fn session_of(tokens: &Value) -> String {
    claims(token_of(tokens, "id_token"))["sid"].as_str().unwrap().to_owned()
}

on_both_engines! {
    async fn a_person_who_ends_their_sessions(database) {
        let shop = Shop::new(database).await;
        let (bob, own) = shop.logs_in().await;
        let (_, one) = shop.logs_in().await;
        assert_eq!(shop.delete(&bob, &format!("{SESSIONS}/{one}")).await.code(), 200);
        assert_eq!(shop.told().await, sorted([&one]));
        shop.delete(&bob, &format!("{SESSIONS}/{one}")).await.refused(2462);
        assert_eq!(shop.told().await, Vec::<String>::new(), "once");

        // The website's session in a browser ends with the browser's; that of the request stays.
        let (_, other) = shop.logs_in().await;
        let website = session_of(&shop.site.tokens(&ASKED).await);
        assert_eq!(shop.delete(&bob, SESSIONS).await.data(), json!({ "ended": 2 }));
        assert_eq!(shop.told().await, sorted([&other, &website]));

        let (_, other) = shop.logs_in().await;
        assert_eq!(shop.delete(&bob, &format!("{SESSIONS}?current=true")).await.data(), json!({ "ended": 2 }));
        assert_eq!(shop.told().await, sorted([&other, &own]));

        let (bob, own) = shop.logs_in().await;
        let (_, other) = shop.logs_in().await;
        let change = json!({ "newPassword": PASSWORD });
        shop.world().client().bearer(&bob.token).post("/api/v3/update-password", change).await.data_or_nothing();
        assert_eq!(shop.told().await, sorted([&other]));
        shop.world().client().bearer(&bob.token).get("/api/v2/logout").await.data_or_nothing();
        assert_eq!(shop.told().await, sorted([&own]));

        let (bob, own) = shop.logs_in().await;
        let confirm = json!({ "connection": "shop-mini", "code": shop.world().code(MINI, "bob") });
        shop.world().nobody().bearer(&bob.token).post("/api/v3/me/deletion", confirm).await.data_or_nothing();
        assert_eq!(shop.told().await, sorted([&own]));
    }

    async fn an_administrator_who_ends_them(database) {
        let shop = Shop::new(database).await;
        let world = shop.world();
        let owner = key(world, AdminRole::Owner, None).await;
        let (bob, one) = shop.logs_in().await;
        let user = format!("{}/{}", users(SHOP), bob.id);
        call(world, Some(&owner), "DELETE", &format!("{user}/sessions/{one}"), None).await.is(204);
        assert_eq!(shop.told().await, sorted([&one]));

        let keeps = Some(json!({ "password": PASSWORD, "keepSessions": true }));
        let ends = Some(json!({ "password": PASSWORD }));
        for (method, path, body, ends_them) in [
            ("DELETE", "/sessions", None, true),
            ("POST", "/password", keeps, false),
            ("POST", "/password", ends, true),
            ("POST", "/disable", None, true),
            ("POST", "/archive", None, true),
            ("DELETE", "", None, true),
        ] {
            let (_, one) = shop.logs_in().await;
            let (_, other) = shop.logs_in().await;
            let reply = call(world, Some(&owner), method, &format!("{user}{path}"), body).await;
            assert!(reply.status < 300, "{method} {path}");
            assert_eq!(shop.told().await, if ends_them { sorted([&one, &other]) } else { Vec::new() }, "{method} {path}");
            if matches!(path, "/disable" | "/archive") {
                call(world, Some(&owner), "POST", &format!("{user}/enable"), None).await.is(200);
            }
            if !ends_them {
                call(world, Some(&owner), "DELETE", &format!("{user}/sessions"), None).await.is(200);
                assert_eq!(shop.told().await.len(), 2);
            }
        }

        // A connection that is removed takes the sessions along that began through it.
        let (_, own) = shop.logs_in().await;
        call(world, Some(&owner), "DELETE", &format!("/admin/v1/pools/{SHOP}/connections/shop-mini"), None).await.is(204);
        assert_eq!(shop.told().await, sorted([&own]));
    }

    async fn a_client_that_ends_one(database) {
        let shop = Shop::new(database).await;
        let tokens = shop.site.tokens(&ASKED).await;
        let revoked = [("token", token_of(&tokens, "refresh_token"))];
        assert_eq!(shop.site.call(SHOP_WEB, "/oidc/token/revocation", &revoked).await.status, 200);
        assert_eq!(shop.told().await, sorted([&session_of(&tokens)]));

        // A refresh token that comes back, and a code.
        let tokens = shop.site.tokens(&ASKED).await;
        let first = token_of(&tokens, "refresh_token");
        assert_eq!(shop.site.refresh(first, &[]).await.status, 200);
        shop.world().advance(std::time::Duration::from_secs(60));
        shop.site.refresh(first, &[]).await.oauth_error("invalid_grant");
        assert_eq!(shop.told().await, sorted([&session_of(&tokens)]));
        let code = shop.site.code(&ASKED).await;
        let tokens = shop.site.exchange(&code, &[]).await.json();
        shop.site.exchange(&code, &[]).await.oauth_error("invalid_grant");
        assert_eq!(shop.told().await, sorted([&session_of(&tokens)]));
    }

    /// Until the application takes it or says that it never will.
    async fn a_logout_token_is_sent_again(database) {
        let shop = Shop::new(database).await;
        let ends = async || {
            let (bob, own) = shop.logs_in().await;
            assert_eq!(shop.delete(&bob, &format!("{SESSIONS}/{own}")).await.code(), 200);
            own
        };
        shop.receiver.answer(503);
        let session = ends().await;
        for _ in 0..3 {
            assert_eq!(shop.told().await, sorted([&session]));
            assert_eq!(shop.told().await, Vec::<String>::new(), "not at once");
            shop.world().advance(std::time::Duration::from_secs(60 * 60));
        }
        shop.receiver.answer(200);
        assert_eq!(shop.told().await, sorted([&session]));
        shop.receiver.answer(400);
        let refused = ends().await;
        assert_eq!(shop.told().await.len(), 1, "{refused}");
        shop.world().advance(std::time::Duration::from_secs(60 * 60));
        assert_eq!(shop.told().await, Vec::<String>::new(), "both are done with");
    }

    async fn who_did_not_ask_is_not_told(database) {
        let shop = Shop::new(database).await;
        let asked = [("response_type", "code"), ("scope", "openid"), ("prompt", "consent")];
        let answer = shop.site.authorize(PARTNER, &asked).await;
        shop.site.agree(&shop.site.opened(&answer, "/consent")).await;
        let (bob, own) = shop.logs_in().await;
        assert_eq!(shop.delete(&bob, &format!("{SESSIONS}?current=true")).await.data(), json!({ "ended": 2 }));
        assert_eq!(shop.told().await, sorted([&own]));
    }
}
