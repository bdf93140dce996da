//! What ends an application's sessions from outside: consent that is withdrawn, and lists of who may log in. Also what the
//! audit log knows of devices.

use axum::http::Method;

use hufu_testkit::administration::{call, key};
use hufu_testkit::{on_both_engines, raw};
use hufu_types::refusal::Code;
use hufu_types::{Access, AdminRole};
use serde_json::{Value, json};

use crate::client::{Client, TOKEN};
use crate::site::{CALLBACK, PARTNER, Site, TV, token_of};
use crate::world::{AuditEvent, SHOP, SHOP_WEB};

const CONSENTS: &str = "/api/v3/me/consents";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const ASKED: [(&str, &str); 2] = [("response_type", "code"), ("scope", "openid profile loyalty")];

impl Site {
    /// The tokens of the partner, which asks for consent, and bob agrees.
    async fn partner_tokens(&self) -> Value {
        let asked = [
            ("response_type", "code"),
            ("scope", "openid profile loyalty offline_access"),
            ("prompt", "consent"),
        ];
        let answer = self.authorize(PARTNER, &asked).await;
        let code = self.agree(&self.opened(&answer, "/consent")).await;
        let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK)];
        let answer = self.call(PARTNER, TOKEN, &fields).await;
        assert_eq!(answer.status, 200, "{answer}");
        answer.json()
    }

    /// Begins the login of the television. Returns device code and user code.
    async fn device(&self) -> (String, String) {
        let started = self.call(TV, "/oidc/device/auth", &[("scope", "openid offline_access")]).await.json();
        (token_of(&started, "device_code").to_owned(), token_of(&started, "user_code").to_owned())
    }

    async fn poll(&self, device_code: &str) -> crate::client::Answer {
        self.call(TV, TOKEN, &[("grant_type", DEVICE), ("device_code", device_code)]).await
    }

    /// The entry of this action, with its code.
    async fn entry(&self, action: &str, code: Option<Code>) -> AuditEvent {
        let code = code.map_or(0, |code| i64::from(code.number()));
        let is_it = |event: &AuditEvent| event.action == action && event.code == code;
        let found = self.world.audit().await.into_iter().find(is_it);
        found.unwrap_or_else(|| panic!("no {action} with {code}"))
    }
}

on_both_engines! {
    async fn a_consent_is_listed_and_withdrawn(database) {
        let site = Site::new(database).await;
        let world = &site.world;
        world.change_application(PARTNER, |partner| {
            partner.client.backchannel_logout_uri = Some("https://partner.example.com/logout".to_owned());
            partner.client.grants = Some(vec![hufu_types::Grant::AuthorizationCode, hufu_types::Grant::RefreshToken]);
        }).await;
        let own = site.tokens(&[("scope", "openid profile")]).await;
        let me = || world.nobody().bearer(token_of(&own, "access_token"));
        assert_eq!(me().get(CONSENTS).await.data(), json!([]));

        let tokens = site.partner_tokens().await;
        assert_eq!(site.userinfo(token_of(&tokens, "access_token")).await.status, 200);
        let listed = me().get(CONSENTS).await.data();
        let [one] = listed.as_array().unwrap().as_slice() else { panic!("{listed}") };
        assert_eq!((&one["applicationId"], &one["applicationName"]), (&json!(PARTNER), &json!("Partner")));
        let mut scopes: Vec<_> = one["scopes"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
        scopes.sort_unstable();
        assert_eq!(scopes, ["loyalty", "offline_access", "openid", "profile"]);
        assert!(one["grantedAt"].as_str().unwrap().ends_with('Z'), "{one}");
        // The partner's own token does not open this.
        world.nobody().bearer(token_of(&tokens, "access_token")).get(CONSENTS).await.refused(2488);

        let withdraw = |id: &str| {
            let (client, path) = (me(), format!("{CONSENTS}/{id}"));
            async move { client.send(Method::DELETE, &path, "application/json", Vec::new()).await }
        };
        withdraw(SHOP_WEB).await.refused(2640);
        withdraw("no.such-application").await.refused(2640);
        let jobs = "SELECT COUNT(*) FROM jobs WHERE kind = 'backchannel_logout'";
        assert_eq!(raw::number(world.database(), jobs).await, 0);
        assert_eq!(withdraw(PARTNER).await.data(), json!({ "ended": 1 }));
        let event = site.entry("consent.withdrawn", None).await;
        assert_eq!(event.details["application"], PARTNER);
        assert_eq!(event.details["sessions"].as_array().unwrap().len(), 1);
        assert_eq!(raw::number(world.database(), jobs).await, 1, "the partner is told");
        assert_eq!(site.userinfo(token_of(&tokens, "access_token")).await.status, 401);
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token_of(&tokens, "refresh_token"))];
        site.call(PARTNER, TOKEN, &fields).await.oauth_error("invalid_grant");
        assert_eq!(me().get(CONSENTS).await.data(), json!([]), "the person is logged in where they were");
        withdraw(PARTNER).await.refused(2640);
        let refused = site.world.audit().await;
        let refused = refused.iter().filter(|event| event.action == "consent.withdrawn" && event.code == 2640);
        assert_eq!(refused.filter(|event| event.details["application"] == PARTNER).count(), 1);

        // The next login asks again: without a page it cannot.
        let silent = site.authorize(PARTNER, &[&ASKED[..], &[("prompt", "none")]].concat()).await;
        assert_eq!(Site::error(&silent), "consent_required");
        site.opened(&site.authorize(PARTNER, &ASKED).await, "/consent");
    }

    async fn a_withdrawn_consent_takes_codes_and_devices_along(database) {
        let site = Site::new(database).await;
        let world = &site.world;
        world.change_application(TV, |tv| tv.login.consent = true).await;
        let own = site.tokens(&[("scope", "openid profile")]).await;
        let withdraw = async |id: &str| {
            let client = world.nobody().bearer(token_of(&own, "access_token"));
            client.send(Method::DELETE, &format!("{CONSENTS}/{id}"), "application/json", Vec::new()).await
        };
        let (device, user_code) = site.device().await;
        site.approve(&user_code).await;
        assert_eq!(withdraw(TV).await.data(), json!({ "ended": 0 }));
        site.poll(&device).await.oauth_error("access_denied");

        let answer = site.authorize(PARTNER, &ASKED).await;
        site.agree(&site.opened(&answer, "/consent")).await;
        let code = Site::parameter(&site.authorize(PARTNER, &ASKED).await, "code");
        world.secret(&code);
        assert_eq!(withdraw(PARTNER).await.data(), json!({ "ended": 1 }));
        let fields = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK)];
        site.call(PARTNER, TOKEN, &fields).await.oauth_error("invalid_grant");
    }

    async fn what_a_person_answers_to_a_device_is_audited(database) {
        let site = Site::new(database).await;
        let bob = site.tokens(&[("scope", "openid")]).await;
        let bob = crate::client::claims(token_of(&bob, "access_token"))["sub"].as_str().unwrap().to_owned();
        let (device, user_code) = site.device().await;
        site.approve(&user_code).await;
        let event = site.entry("device.approved", None).await;
        assert_eq!((event.user.as_deref(), event.application.as_deref()), (Some(bob.as_str()), Some(TV)));
        assert_eq!(event.actor_id.as_deref(), Some(bob.as_str()));
        assert!(event.details["scopes"].as_str().unwrap().contains("offline_access"), "{event:?}");
        assert_eq!(site.poll(&device).await.status, 200);

        let (device, user_code) = site.device().await;
        site.deny(&user_code).await;
        let event = site.entry("device.denied", None).await;
        assert_eq!((event.user.as_deref(), event.application.as_deref()), (Some(bob.as_str()), Some(TV)));
        site.poll(&device).await.oauth_error("access_denied");
        let approvals = |events: &[AuditEvent]| events.iter().filter(|event| event.action.starts_with("device.")).count();
        assert_eq!(approvals(&site.world.audit().await), 2, "one entry for each answer");

        // An approval that is refused is an entry too, and the device goes on waiting.
        site.world.change_application(TV, |tv| tv.login.access = Access::Listed).await;
        let (device, user_code) = site.device().await;
        assert!(site.try_approve(&user_code).await.is_err_and(|refusal| refusal.is(Code::NotListed)));
        let event = site.entry("device.approved", Some(Code::NotListed)).await;
        assert_eq!(event.user.as_deref(), Some(bob.as_str()));
        site.poll(&device).await.oauth_error("authorization_pending");
    }

    async fn whom_an_application_does_not_list_any_more_is_out(database) {
        let site = Site::new(database).await;
        let world = &site.world;
        let other = world.another_node().await;
        let tokens = site.tokens(&[("scope", "openid profile offline_access")]).await;
        let access = token_of(&tokens, "access_token");
        let elsewhere = || Client::of(world, &other).bearer(access);
        assert_eq!(elsewhere().get("/oidc/me").await.status, 200);
        assert_eq!(site.userinfo(access).await.status, 200);

        // From now on it asks its list, for those who are logged in too.
        world.change_application(SHOP_WEB, |shop| shop.login.access = Access::Listed).await;
        other.app.refresh_config().await.unwrap();
        assert_eq!(site.userinfo(access).await.status, 401);
        assert_eq!(elsewhere().get("/oidc/me").await.status, 401);
        assert_eq!(site.introspect(SHOP_WEB, access).await["active"], false);
        let silent = site.authorize(SHOP_WEB, &[("response_type", "code"), ("scope", "openid"), ("prompt", "none")]).await;
        assert_eq!(Site::error(&silent), "access_denied");

        // Listed in time, they go on as if nothing had been.
        let bob = crate::client::claims(access)["sub"].as_str().unwrap().to_owned();
        let manager = key(world, AdminRole::Manager, Some(SHOP)).await;
        let list = format!("/admin/v1/pools/{SHOP}/applications/{SHOP_WEB}/users/{bob}");
        call(world, Some(&manager), "PUT", &list, None).await.is(204);
        assert_eq!(site.userinfo(access).await.status, 200);
        assert_eq!(elsewhere().get("/oidc/me").await.status, 200);

        // Taken off the list, they are logged out, on every node as soon as it sees that sessions ended.
        call(world, Some(&manager), "DELETE", &list, None).await.is(204);
        other.app.refresh_config().await.unwrap();
        assert_eq!(site.userinfo(access).await.status, 401);
        assert_eq!(elsewhere().get("/oidc/me").await.status, 401);
        call(world, Some(&manager), "PUT", &list, None).await.is(204);
        assert_eq!(site.userinfo(access).await.status, 401, "that session has ended");
    }

    async fn a_refresh_asks_the_list(database) {
        let site = Site::new(database).await;
        let world = &site.world;
        let tokens = site.tokens(&[("scope", "openid profile offline_access")]).await;
        let refresh = token_of(&tokens, "refresh_token");
        world.change_application(SHOP_WEB, |shop| shop.login.access = Access::Listed).await;
        site.refresh(refresh, &[]).await.oauth_error("invalid_grant");
        let event = site.entry("token.refreshed", Some(Code::NotListed)).await;
        assert_eq!(event.application.as_deref(), Some(SHOP_WEB));
        // That ended the session.
        world.change_application(SHOP_WEB, |shop| shop.login.access = Access::Everybody).await;
        assert_eq!(site.userinfo(token_of(&tokens, "access_token")).await.status, 401);
        site.refresh(refresh, &[]).await.oauth_error("invalid_grant");
    }
}
