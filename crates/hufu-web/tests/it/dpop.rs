//! DPoP: tokens that only the holder of a key can use (RFC 9449).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hufu_app::authorization::{Browser, Given};
use hufu_app::{AccountName, App, Limits, Origin, Parts};
use hufu_protocol::sealing::SealingKey;
use hufu_testkit::{Base, TestDatabase, on_both_engines, raw};
use hufu_types::flow::RequestedTokens;
use serde_json::{Value, json};

use crate::client::{Answer, Client, GET_PROFILE, GRAPHQL, JWKS, LOGOUT, REVOCATION, TOKEN, claims};
use crate::world::{FILE, MINI, NOW, PUBLIC_URL, Plan, SHOP_APP, SHOP_BARE, SHOP_WEB, World};

/// A call of the mobile SDKs, which takes id tokens for bearers.
const ME_OF_SDKS: &str = "/api/v2/users/me";
const ME: &str = "/oidc/me";
const INTROSPECTION: &str = "/oidc/token/introspection";
const PUSH: &str = "/oidc/request";
const CALLBACK: &str = "https://shop.example.com/callback";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const USER_TOKEN_GRANT: &str = "http://authing.cn/oidc/grant_type/authing_token";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const USED_PROOFS: &str = "SELECT COUNT(*) FROM used_jtis";

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

/// A key of a client.
struct Key(EcdsaKeyPair);

impl Key {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn jwk(&self) -> Value {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
    }

    fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let text = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
        encode(digest(&SHA256, text.as_bytes()))
    }

    fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() })
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.header(), claims)
    }

    fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", encode(signature))
    }
}

/// A world with a website, a public client and a back end, and with somebody who is logged in to a browser.
struct Shop {
    world: World,
    browser: Browser,
    ids: AtomicUsize,
}

impl Shop {
    async fn new(database: TestDatabase) -> Self {
        Self::with(database, "", |_| ()).await
    }

    /// With more lines for the public client.
    async fn with(database: TestDatabase, lines: &str, limits: impl FnOnce(&mut Limits)) -> Self {
        let uris = format!("  redirect_uris = [\"{CALLBACK}\"]\n");
        let (web, counter) = ("  name = \"Shop website\"\n", "  name = \"Shop counter\"\n");
        let user = "  [[user_pool.user]]\n  username = \"alice\"\n";
        assert!([web, counter, user].iter().all(|place| FILE.contains(place)));
        let grants =
            "  grants = [\"authorization_code\", \"refresh_token\", \"client_credentials\", \"hybrid\"]\n";
        let own = "  grants = [\"authorization_code\", \"refresh_token\", \"device_code\", \"hybrid\"]\n";
        let file = FILE
            .replace(web, &format!("{web}{uris}{grants}  secret = \"{SECRET}\"\n"))
            .replace(counter, &format!("{counter}{uris}{own}  {lines}\n"))
            .replacen(user, &format!("{user}  password = \"correct horse battery\"\n"), 1);
        let file = Box::leak(file.into_boxed_str());
        let world = Plan::new().file(file).limits(limits).build(database).await;
        let app = &world.node.app;
        let open = app.own_request(Some(SHOP_BARE)).unwrap();
        let requested = RequestedTokens::Authorization(Box::new(open.request));
        let alice = AccountName::Username("alice".to_owned());
        let password = "correct horse battery".to_owned().into();
        let origin = Origin::default();
        let answer =
            app.log_in_by_password(&open.application, alice, password, requested.into(), &origin).await;
        let login = answer.unwrap().done().unwrap().browser.unwrap();
        let browser = Browser::default().with(&open.application.pool, &login.secret, true);
        world.secret(login.secret.expose());
        Self { world, browser, ids: AtomicUsize::new(0) }
    }

    /// The claims of a proof that is good now.
    fn claims(&self, method: &str, path: &str) -> Value {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let iat = self.world.node.app.now().seconds();
        json!({ "jti": format!("id-{id}"), "htm": method, "htu": format!("{PUBLIC_URL}{path}"), "iat": iat })
    }

    /// The same, for a call with this access token.
    fn call_claims(&self, method: &str, path: &str, token: &str) -> Value {
        with(self.claims(method, path), "ath", json!(encode(digest(&SHA256, token.as_bytes()))))
    }

    /// A proof for the token endpoint.
    fn proof(&self, key: &Key) -> String {
        key.sign(&self.claims("POST", TOKEN))
    }

    fn nobody(&self) -> Client<'_> {
        self.world.nobody()
    }

    /// The website, as it authenticates.
    fn website(&self) -> Client<'_> {
        let credentials = STANDARD.encode(format!("{SHOP_WEB}:{SECRET}"));
        self.nobody().header("authorization", &format!("Basic {credentials}"))
    }

    /// The answer of the authorization endpoint to this request, in the browser.
    async fn authorize(&self, parameters: &[(&str, &str)]) -> Answer {
        let query: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookie = format!("__Host-hufu={}", self.browser.cookie());
        self.nobody().header("cookie", &cookie).get(&format!("/oidc/auth?{}", query.join("&"))).await
    }

    /// A code for this client.
    async fn code(&self, client: &str, more: &[(&str, &str)]) -> String {
        let parameters = [
            ("client_id", client),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid+profile+offline_access"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let answer = self.authorize(&[&parameters, more].concat()).await;
        let code =
            returned(&answer, "code").unwrap_or_else(|| panic!("no code: {answer} {}", location(&answer)));
        self.world.secret(&code);
        code
    }

    /// The public client exchanges a code.
    async fn exchange(&self, client: Client<'_>, code: &str) -> Answer {
        let fields = [("client_id", SHOP_BARE), ("code", code)];
        client.form(TOKEN, &[&exchange_fields()[..], &fields].concat()).await
    }

    /// The tokens of the public client, bound to this key.
    async fn login(&self, key: &Key) -> (String, String) {
        let code = self.code(SHOP_BARE, &[]).await;
        tokens(&self.exchange(self.nobody().header("dpop", &self.proof(key)), &code).await)
    }

    /// The public client renews its tokens.
    async fn refresh(&self, client: Client<'_>, refresh_token: &str) -> Answer {
        let fields =
            [("grant_type", "refresh_token"), ("client_id", SHOP_BARE), ("refresh_token", refresh_token)];
        client.form(TOKEN, &fields).await
    }

    /// A client that presents a bound token with this proof.
    fn bound(&self, token: &str, proof: &str) -> Client<'_> {
        self.nobody().header("authorization", &format!("DPoP {token}")).header("dpop", proof)
    }

    /// The answer of the userinfo endpoint to a token with a good proof.
    async fn me(&self, key: &Key, token: &str) -> Answer {
        self.bound(token, &key.sign(&self.call_claims("GET", ME, token))).get(ME).await
    }

    async fn used_proofs(&self) -> i64 {
        raw::number(self.world.database(), USED_PROOFS).await
    }
}

fn exchange_fields() -> [(&'static str, &'static str); 3] {
    [("grant_type", "authorization_code"), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)]
}

fn location(answer: &Answer) -> &str {
    answer.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
}

/// A parameter of an authorization response.
fn returned(answer: &Answer, name: &str) -> Option<String> {
    let parameters = location(answer).strip_prefix(CALLBACK)?.split(['?', '#', '&']);
    parameters.filter_map(|one| one.split_once('=')).find(|(own, _)| *own == name).map(|(_, v)| v.to_owned())
}

/// Access token and refresh token of a response with bound tokens.
#[track_caller]
fn tokens(answer: &Answer) -> (String, String) {
    let json = answer.json();
    assert_eq!((answer.status.as_u16(), &json["token_type"]), (200, &json!("DPoP")), "{answer}");
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    (text("access_token"), text("refresh_token"))
}

/// The nonce that an answer offers.
fn nonce(headers: &HeaderMap) -> Option<&str> {
    headers.get("dpop-nonce").map(|value| value.to_str().unwrap())
}

/// Fails unless a call is refused with this error, by status and challenge.
#[track_caller]
fn is_challenged(answer: &Answer, error: &str) {
    assert_eq!(answer.status, 401, "{answer}");
    let challenge = answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
    assert_eq!(challenge, format!("DPoP error=\"{error}\", algs=\"ES256 RS256 PS256 EdDSA\""), "{answer}");
}

on_both_engines! {
    async fn every_grant_binds_its_tokens(database) {
        let shop = Shop::new(database).await;
        let key = Key::new();
        let jkt = json!({ "jkt": key.thumbprint() });
        let is_bound = |answer: &Answer| {
            let (access, refresh) = tokens(answer);
            assert_eq!(claims(&access)["cnf"], jkt);
            assert_eq!(claims(&access).as_object().unwrap().contains_key("sid"), !refresh.is_empty());
            (access, refresh)
        };
        // A public client: code, then refresh.
        let code = shop.code(SHOP_BARE, &[]).await;
        let answer = shop.exchange(shop.nobody().header("dpop", &shop.proof(&key)), &code).await;
        let (_, refresh) = is_bound(&answer);
        let answer = shop.refresh(shop.nobody().header("dpop", &shop.proof(&key)), &refresh).await;
        let (public, _) = is_bound(&answer);
        // A device.
        let started = [("client_id", SHOP_BARE), ("scope", "openid+offline_access")];
        let started = shop.nobody().form("/oidc/device/auth", &started).await.json();
        let app = &shop.world.node.app;
        let open = app.find_device(started["user_code"].as_str().unwrap(), &Origin::default()).await.unwrap();
        let device_code = started["device_code"].as_str().unwrap();
        shop.world.secret(device_code);
        let fields = [("grant_type", DEVICE_GRANT), ("client_id", SHOP_BARE), ("device_code", device_code)];
        let early = shop.nobody().header("dpop", &shop.proof(&key)).form(TOKEN, &fields).await;
        early.oauth_error("authorization_pending");
        app.approve_device(&open, &shop.browser, &Given::default(), &Origin::default()).await.unwrap().unwrap();
        shop.world.advance(Duration::from_secs(5));
        is_bound(&shop.nobody().header("dpop", &shop.proof(&key)).form(TOKEN, &fields).await);
        // The user token of a published client.
        shop.world.person("bob");
        let user = shop.world.client().log_in(MINI, "bob").await;
        let fields = [
            ("grant_type", USER_TOKEN_GRANT),
            ("client_id", SHOP_APP),
            ("token", &*user.token),
            ("scope", "openid+profile+offline_access"),
        ];
        is_bound(&shop.nobody().header("dpop", &shop.proof(&key)).form(TOKEN, &fields).await);
        // A confidential client: code, then a token for itself.
        let code = shop.code(SHOP_WEB, &[]).await;
        let fields = [&exchange_fields()[..], &[("code", &*code)]].concat();
        is_bound(&shop.website().header("dpop", &shop.proof(&key)).form(TOKEN, &fields).await);
        let fields = [("grant_type", "client_credentials")];
        let (own, _) = is_bound(&shop.website().header("dpop", &shop.proof(&key)).form(TOKEN, &fields).await);

        // Refresh tokens of clients that do not authenticate have the key: three of the public one, one of the mini program.
        let keys = "SELECT COUNT(*) FROM refresh_tokens WHERE jkt IS NOT NULL";
        assert_eq!(raw::number(shop.world.database(), keys).await, 4);
        let none = "SELECT client_auth FROM refresh_tokens WHERE jkt IS NULL";
        assert_eq!(raw::texts(shop.world.database(), none).await, [["client_secret_basic"]]);

        // Introspection tells of it, and so does validation.
        let told = shop.website().form(INTROSPECTION, &[("token", &*own)]).await.json();
        assert_eq!((&told["active"], &told["token_type"], &told["cnf"]), (&json!(true), &json!("DPoP"), &jkt));
        let fields = [("token", &*public), ("client_id", SHOP_BARE)];
        let told = shop.nobody().form(INTROSPECTION, &fields).await.json();
        assert_eq!((&told["active"], &told["token_type"], &told["cnf"]), (&json!(true), &json!("DPoP"), &jkt));
        let path = format!("/api/v2/oidc/validate_token?access_token={public}");
        assert_eq!(shop.nobody().get(&path).await.json()["cnf"], jkt);

        // Without a proof all is as before.
        let bearer = shop.website().form(TOKEN, &[("grant_type", "client_credentials")]).await;
        assert_eq!((&bearer.json()["token_type"], nonce(&bearer.headers)), (&json!("Bearer"), None));
        let token = bearer.json()["access_token"].as_str().unwrap().to_owned();
        assert!(claims(&token).get("cnf").is_none());
        let told = shop.website().form(INTROSPECTION, &[("token", &*token)]).await.json();
        assert!(told["token_type"] == "Bearer" && told.get("cnf").is_none(), "{told}");

        // Revocation needs no proof (RFC 7009).
        assert_eq!(shop.nobody().form(REVOCATION, &fields).await.status, 200);
        is_challenged(&shop.me(&key, &public).await, "invalid_token");
    }

    async fn an_id_token_of_a_bound_login_is_no_bearer(database) {
        let shop = Shop::new(database).await;
        // A native app, whose id tokens are bearers of the mobile SDKs' calls.
        shop.world.change_application(SHOP_BARE, |application| application.client.grants = None).await;
        let text = |answer: &Answer, name: &str| answer.json()[name].as_str().unwrap().to_owned();
        let code = shop.code(SHOP_BARE, &[]).await;
        let plain = text(&shop.exchange(shop.nobody(), &code).await, "id_token");
        assert_eq!(claims(&plain).get("token_use"), None);
        shop.nobody().bearer(&plain).get(ME_OF_SDKS).await.data();

        let key = Key::new();
        let code = shop.code(SHOP_BARE, &[]).await;
        let bound = shop.exchange(shop.nobody().header("dpop", &shop.proof(&key)), &code).await;
        let renewed = shop.nobody().header("dpop", &shop.proof(&key));
        let renewed = shop.refresh(renewed, &text(&bound, "refresh_token")).await;
        for id_token in [text(&bound, "id_token"), text(&renewed, "id_token")] {
            assert_eq!(claims(&id_token)["token_use"], "id");
            shop.nobody().bearer(&id_token).get(ME_OF_SDKS).await.refused(2020);
            let proof = key.sign(&shop.call_claims("GET", ME_OF_SDKS, &id_token));
            shop.bound(&id_token, &proof).get(ME_OF_SDKS).await.refused(2020);
        }
    }

    async fn a_bound_token_opens_nothing_without_its_key(database) {
        let shop = Shop::new(database).await;
        let (key, other) = (Key::new(), Key::new());
        let (token, _) = shop.login(&key).await;
        let call = |method: &str, path: &str| shop.bound(&token, &key.sign(&shop.call_claims(method, path, &token)));
        let query = json!({ "query": "{ user { id } }" });

        // Every surface takes it with a proof.
        let me = shop.me(&key, &token).await;
        assert_eq!((me.status.as_u16(), &me.json()["sub"]), (200, &claims(&token)["sub"]), "{me}");
        let posted = call("POST", ME).form(ME, &[]).await;
        assert_eq!(posted.status, 200, "{posted}");
        call("GET", GET_PROFILE).get(GET_PROFILE).await.data();
        call("GET", "/api/v3/me/sessions").get("/api/v3/me/sessions").await.data();
        call("POST", GRAPHQL).post(GRAPHQL, query.clone()).await.data();
        // The scheme is read without regard to case, and the query is no part of the address.
        let proof = key.sign(&shop.call_claims("GET", ME, &token));
        let client = shop.nobody().header("authorization", &format!("dpop  {token}")).header("dpop", &proof);
        assert_eq!(client.get(&format!("{ME}?a=b")).await.status, 200);

        // As a bearer token it is worth nothing, even beside a proof, in a body, or in a query.
        let bearer = shop.nobody().bearer(&token);
        let proof = key.sign(&shop.call_claims("GET", ME, &token));
        for answer in [
            bearer.get(ME).await,
            bearer.clone().header("dpop", &proof).get(ME).await,
            shop.nobody().header("authorization", &token).get(ME).await,
            shop.nobody().form(ME, &[("access_token", &*token)]).await,
            shop.nobody().header("dpop", &proof).form(ME, &[("access_token", &*token)]).await,
            bearer.get(GET_PROFILE).await,
            bearer.get("/api/v3/me/sessions").await,
            bearer.post(GRAPHQL, query.clone()).await,
            bearer.get(LOGOUT).await,
            shop.nobody().post("/api/v2/users/unlink", json!({ "primaryUserToken": token, "provider": "wechat" })).await,
        ] {
            is_challenged(&answer, "invalid_token");
        }
        // The proof was not used up by that.
        assert_eq!(shop.bound(&token, &proof).get(ME).await.status, 200);
        // As a user token it is no grant.
        let fields = [("grant_type", USER_TOKEN_GRANT), ("client_id", SHOP_BARE), ("token", &*token)];
        shop.nobody().form(TOKEN, &fields).await.oauth_error("invalid_grant");

        // The proof of another key, with its own signature or under the name of this one.
        let stolen = other.sign(&shop.call_claims("GET", ME, &token));
        is_challenged(&shop.bound(&token, &stolen).get(ME).await, "invalid_token");
        let forged = other.sign_as(&key.header(), &shop.call_claims("GET", ME, &token));
        is_challenged(&shop.bound(&token, &forged).get(ME).await, "invalid_dpop_proof");

        // A token that is bound to no key is no DPoP token.
        let code = shop.code(SHOP_BARE, &[]).await;
        let unbound = shop.exchange(shop.nobody(), &code).await.json()["access_token"].as_str().unwrap().to_owned();
        shop.world.person("bob");
        let user = shop.world.client().log_in(MINI, "bob").await.token;
        for (path, token) in [(ME, &unbound), (GET_PROFILE, &unbound), (GET_PROFILE, &user)] {
            is_challenged(&shop.bound(token, &key.sign(&shop.call_claims("GET", path, token))).get(path).await, "invalid_token");
            shop.nobody().bearer(token).get(GET_PROFILE).await.data();
        }
        // One that is not valid at all is told in the scheme that was used.
        let answer = shop.bound("x", &proof).get(ME).await;
        assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "DPoP error=\"invalid_token\", algs=\"ES256 RS256 PS256 EdDSA\"");
        assert_eq!(shop.nobody().bearer("x").get(ME).await.headers[header::WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
        // A token for the client itself opens no endpoint of a user.
        let fields = [("grant_type", "client_credentials")];
        let (own, _) = tokens(&shop.website().header("dpop", &shop.proof(&key)).form(TOKEN, &fields).await);
        assert_eq!(shop.me(&key, &own).await.status, 401);
        assert_eq!(shop.me(&key, &token).await.status, 200, "all the while it is good");
    }

    async fn a_proof_is_for_one_call(database) {
        let shop = Shop::new(database).await;
        let key = Key::new();
        let (token, _) = shop.login(&key).await;
        let good = || shop.call_claims("GET", ME, &token);
        let (header, now) = (key.header(), shop.world.node.app.now().seconds());
        let other_token = json!(encode(digest(&SHA256, b"another token")));
        for wrong in [
            with(good(), "ath", other_token),
            with(good(), "ath", json!(token)),
            without(good(), "ath"),
            with(good(), "htm", json!("POST")),
            with(good(), "htm", json!("get")),
            with(good(), "htu", json!(format!("{PUBLIC_URL}/oidc/token"))),
            with(good(), "htu", json!(format!("{PUBLIC_URL}{ME}/"))),
            with(good(), "htu", json!("https://evil.example/oidc/me")),
            with(good(), "htu", json!(ME)),
            with(good(), "iat", json!(now - 61)),
            with(good(), "iat", json!(now + 61)),
            without(good(), "jti"),
        ] {
            is_challenged(&shop.bound(&token, &key.sign(&wrong)).get(ME).await, "invalid_dpop_proof");
        }
        for wrong in [
            with(header.clone(), "typ", json!("JWT")),
            with(header.clone(), "alg", json!("none")),
            with(header.clone(), "jwk", with(key.jwk(), "d", json!("AAAA"))),
        ] {
            is_challenged(&shop.bound(&token, &key.sign_as(&wrong, &good())).get(ME).await, "invalid_dpop_proof");
        }
        let scheme = shop.nobody().header("authorization", &format!("DPoP {token}"));
        is_challenged(&scheme.get(ME).await, "invalid_dpop_proof");
        let two = shop.bound(&token, &key.sign(&good())).header_again("dpop", &key.sign(&good()));
        is_challenged(&two.get(ME).await, "invalid_dpop_proof");
        // A proof for one call is none for another, on the surface of the published clients too.
        let proof = key.sign(&good());
        is_challenged(&shop.bound(&token, &proof).get(GET_PROFILE).await, "invalid_dpop_proof");
        is_challenged(&shop.bound(&token, &proof).form(ME, &[]).await, "invalid_dpop_proof");
        is_challenged(&shop.bound(&token, &proof).post(GRAPHQL, json!({ "query": "{ user { id } }" })).await, "invalid_dpop_proof");
        for last in [with(good(), "iat", json!(now - 60)), with(good(), "iat", json!(now + 60))] {
            assert_eq!(shop.bound(&token, &key.sign(&last)).get(ME).await.status, 200, "{last}");
        }

        // Once: a call that reads on one node, without a word to the database, and one that may change something on all.
        let before = shop.used_proofs().await;
        let other = shop.world.another_node().await;
        let elsewhere = |proof: &str| {
            Client::of(&shop.world, &other).header("authorization", &format!("DPoP {token}")).header("dpop", proof)
        };
        assert_eq!(shop.bound(&token, &proof).get(ME).await.status, 200);
        is_challenged(&shop.bound(&token, &proof).get(ME).await, "invalid_dpop_proof");
        shop.world.advance(Duration::from_secs(60));
        is_challenged(&shop.bound(&token, &proof).get(ME).await, "invalid_dpop_proof");
        assert_eq!(elsewhere(&proof).get(ME).await.status, 200, "this is the price of writing nothing");
        is_challenged(&elsewhere(&proof).get(ME).await, "invalid_dpop_proof");
        assert_eq!(shop.used_proofs().await, before);
        shop.world.advance(Duration::from_secs(1));
        is_challenged(&shop.bound(&token, &proof).get(ME).await, "invalid_dpop_proof");

        let proof = key.sign(&shop.call_claims("POST", ME, &token));
        let crowd = (0..6).map(async |n| {
            let client = if n % 2 == 0 { shop.bound(&token, &proof) } else { elsewhere(&proof) };
            client.form(ME, &[]).await.status.as_u16()
        });
        let answers = futures::future::join_all(crowd).await;
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        assert_eq!(shop.used_proofs().await, before + 1);
    }

    async fn proofs_that_bind_nothing(database) {
        let shop = Shop::new(database).await;
        let (key, stranger) = (Key::new(), Key::new());
        let code = shop.code(SHOP_BARE, &[]).await;
        let good = || shop.claims("POST", TOKEN);
        let now = shop.world.node.app.now().seconds();
        let mut wrong: Vec<String> = [
            with(good(), "htm", json!("GET")),
            with(good(), "htm", json!("post")),
            with(good(), "htu", json!(format!("{PUBLIC_URL}{ME}"))),
            with(good(), "htu", json!(format!("{PUBLIC_URL}/oidc"))),
            with(good(), "htu", json!(format!("http://id.example.com{TOKEN}"))),
            with(good(), "htu", json!(format!("https://id.example.com:8443{TOKEN}"))),
            with(good(), "htu", json!(format!("https://id.example.com.evil.example{TOKEN}"))),
            with(good(), "htu", json!(format!("https://x@id.example.com{TOKEN}"))),
            with(good(), "iat", json!(now - 61)),
            with(good(), "iat", json!(now - 86_400)),
            with(good(), "iat", json!(now + 61)),
            with(good(), "iat", json!(i64::MAX)),
            with(good(), "iat", json!(now.to_string())),
            without(good(), "iat"),
            without(good(), "jti"),
            without(good(), "htm"),
            without(good(), "htu"),
            with(good(), "jti", json!("j".repeat(257))),
        ].iter().map(|claims| key.sign(claims)).collect();
        for header in [
            without(key.header(), "typ"),
            with(key.header(), "typ", json!("JWT")),
            with(key.header(), "alg", json!("none")),
            with(key.header(), "alg", json!("HS256")),
            with(key.header(), "alg", json!("RS256")),
            with(key.header(), "crit", json!(["b64"])),
            without(key.header(), "jwk"),
            with(key.header(), "jwk", with(key.jwk(), "d", json!("AAAA"))),
            with(key.header(), "jwk", json!({ "kty": "oct", "k": encode([7; 32]) })),
            stranger.header(),
        ] {
            wrong.push(key.sign_as(&header, &good()));
        }
        let unsigned = json!({ "typ": "dpop+jwt", "alg": "none", "jwk": key.jwk() }).to_string();
        wrong.push(format!("{}.{}.", encode(unsigned), encode(good().to_string())));
        wrong.push(format!("{}, {}", key.sign(&good()), key.sign(&good())));
        wrong.push(key.sign(&with(good(), "more", json!("x".repeat(9000)))));
        wrong.extend(["", "x", "..", "虎"].map(str::to_owned));
        for proof in &wrong {
            let answer = shop.exchange(shop.nobody().header("dpop", proof), &code).await;
            answer.oauth_error("invalid_dpop_proof");
            assert_eq!(answer.status, 400);
        }
        let two = shop.nobody().header("dpop", &shop.proof(&key)).header_again("dpop", &shop.proof(&key));
        shop.exchange(two, &code).await.oauth_error("invalid_dpop_proof");

        // All of that used up neither the code nor an id; and the address is compared as RFC 3986 says.
        assert_eq!(shop.used_proofs().await, 0);
        let proof = key.sign(&with(good(), "htu", json!("HTTPS://ID.example.com:443/oidc/x/../%74oken?a=b#c")));
        tokens(&shop.exchange(shop.nobody().header("dpop", &proof), &code).await);
        for edge in [now - 60, now + 60] {
            let code = shop.code(SHOP_BARE, &[]).await;
            let proof = key.sign(&with(good(), "iat", json!(edge)));
            tokens(&shop.exchange(shop.nobody().header("dpop", &proof), &code).await);
        }
    }

    async fn a_proof_gets_tokens_once(database) {
        let shop = Shop::new(database).await;
        let key = Key::new();
        let other = shop.world.another_node().await;
        let fields = [("grant_type", "client_credentials")];
        let credentials = format!("Basic {}", STANDARD.encode(format!("{SHOP_WEB}:{SECRET}")));
        let own = async |node, proof: &str| {
            let client = Client::of(&shop.world, node).header("authorization", &credentials);
            client.header("dpop", proof).form(TOKEN, &fields).await
        };
        let (here, proof) = (&shop.world.node, shop.proof(&key));
        tokens(&own(here, &proof).await);
        own(here, &proof).await.oauth_error("invalid_dpop_proof");
        own(&other, &proof).await.oauth_error("invalid_dpop_proof");
        let crowd = shop.proof(&key);
        let tries = (0..6).map(|n| own(if n % 2 == 0 { here } else { &other }, &crowd));
        let answers = futures::future::join_all(tries).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        // An id is one key's own: nobody can use up another client's.
        let claims = shop.claims("POST", TOKEN);
        tokens(&own(here, &Key::new().sign(&claims)).await);
        tokens(&own(here, &key.sign(&claims)).await);

        // It is remembered for as long as it could be accepted, even if it was made ahead of its time.
        let late = with(shop.claims("POST", TOKEN), "iat", json!(NOW.seconds() + 60));
        let late = key.sign(&late);
        tokens(&own(here, &late).await);
        shop.world.advance(Duration::from_secs(120));
        here.app.sweep().await.unwrap();
        own(&other, &late).await.oauth_error("invalid_dpop_proof");
        shop.world.advance(Duration::from_secs(6));
        here.app.sweep().await.unwrap();
        assert_eq!(shop.used_proofs().await, 0);
        own(here, &late).await.oauth_error("invalid_dpop_proof");
    }

    async fn proofs_of_unknown_senders_are_bounded(database) {
        let shop = Shop::with(database, "", |limits| limits.dpop_proofs_per_ip = 2).await;
        let key = Key::new();
        for _ in 0..2 {
            shop.refresh(shop.nobody().header("dpop", &shop.proof(&key)), "hfr_x").await.oauth_error("invalid_grant");
        }
        let often = shop.refresh(shop.nobody().header("dpop", &shop.proof(&key)), "hfr_x").await;
        assert_eq!(often.status, 429, "{often}");
        // Naming a confidential client makes nobody one.
        let fields = [("grant_type", "refresh_token"), ("client_id", SHOP_WEB), ("refresh_token", "hfr_x")];
        let often = shop.nobody().header("dpop", &shop.proof(&key)).form(TOKEN, &fields).await;
        assert_eq!(often.status, 429, "{often}");
        assert_eq!(shop.used_proofs().await, 2);
        let elsewhere = shop.nobody().from([198, 51, 100, 7]).header("dpop", &shop.proof(&key));
        shop.refresh(elsewhere, "hfr_x").await.oauth_error("invalid_grant");
        for _ in 0..3 {
            let client = shop.website().header("dpop", &shop.proof(&key));
            tokens(&client.form(TOKEN, &[("grant_type", "client_credentials")]).await);
        }
    }

    async fn nonces_are_offered_and_end(database) {
        let shop = Shop::new(database).await;
        let key = Key::new();
        let own = async |more: Option<&str>| {
            let claims = shop.claims("POST", TOKEN);
            let claims = more.map_or_else(|| claims.clone(), |nonce| with(claims.clone(), "nonce", json!(nonce)));
            shop.website().header("dpop", &key.sign(&claims)).form(TOKEN, &[("grant_type", "client_credentials")]).await
        };
        let answer = own(None).await;
        tokens(&answer);
        let first = nonce(&answer.headers).unwrap().to_owned();
        assert!(first.len() >= 20);
        // All nodes have the same one, and refuse those of other instances.
        let other = shop.world.another_node().await;
        assert_eq!(other.app.dpop_nonce(), first);
        tokens(&own(Some(&first)).await);
        let [elsewhere, _] = TestDatabase::all();
        let base = Base::new(elsewhere, NOW, hufu_types::SystemRandom).await;
        let sealing = Arc::new(SealingKey::from_bytes([8; 32]));
        let foreign = App::start(Parts { sealing, ..base.parts() }).await.unwrap().dpop_nonce();
        assert_ne!(foreign, first);
        for wrong in [&*foreign, "", "x", &first[1..], &format!("{first}A"), &first.to_lowercase()] {
            let answer = own(Some(wrong)).await;
            answer.oauth_error("use_dpop_nonce");
            assert_eq!((answer.status.as_u16(), nonce(&answer.headers)), (400, Some(&*first)));
        }
        // The next one is offered before the first one ends.
        let (mut answer, mut waited) = (answer, 0);
        while nonce(&answer.headers) == Some(&first) {
            shop.world.advance(Duration::from_secs(10));
            waited += 10;
            answer = own(Some(&first)).await;
            tokens(&answer);
        }
        let second = nonce(&answer.headers).unwrap().to_owned();
        assert!(waited <= 120, "{waited}");
        shop.world.advance(Duration::from_secs(100));
        tokens(&own(Some(&first)).await);
        shop.world.advance(Duration::from_secs(30));
        let ended = own(Some(&first)).await;
        ended.oauth_error("use_dpop_nonce");
        let third = nonce(&ended.headers).unwrap().to_owned();
        assert!(third != first && third != second);
        tokens(&own(Some(&second)).await);
        tokens(&own(Some(&third)).await);

        // A call gets one too, whether it is refused or not; what has no proof gets none.
        let (token, _) = shop.login(&key).await;
        let me = shop.me(&key, &token).await;
        assert_eq!((me.status.as_u16(), nonce(&me.headers)), (200, Some(&*third)));
        let old = with(shop.call_claims("GET", ME, &token), "nonce", json!(first));
        let refused = shop.bound(&token, &key.sign(&old)).get(ME).await;
        is_challenged(&refused, "use_dpop_nonce");
        assert_eq!(nonce(&refused.headers), Some(&*third));
        assert_eq!(nonce(&shop.nobody().get(JWKS).await.headers), None);
    }

    async fn an_application_can_demand_nonces(database) {
        let shop = Shop::with(database, "dpop_nonce_required = true", |_| ()).await;
        let key = Key::new();
        let code = shop.code(SHOP_BARE, &[]).await;
        let answer = shop.exchange(shop.nobody().header("dpop", &shop.proof(&key)), &code).await;
        answer.oauth_error("use_dpop_nonce");
        assert_eq!(answer.status, 400);
        let nonce = nonce(&answer.headers).unwrap().to_owned();
        let again = || key.sign(&with(shop.claims("POST", TOKEN), "nonce", json!(nonce)));
        let (token, _) = tokens(&shop.exchange(shop.nobody().header("dpop", &again()), &code).await);
        for path in [ME, GET_PROFILE] {
            let claims = || shop.call_claims("GET", path, &token);
            is_challenged(&shop.bound(&token, &key.sign(&claims())).get(path).await, "use_dpop_nonce");
            let claims = with(claims(), "nonce", json!(nonce));
            assert_eq!(shop.bound(&token, &key.sign(&claims)).get(path).await.status, 200);
        }
        let claims = || shop.call_claims("POST", GRAPHQL, &token);
        let query = json!({ "query": "{ checkLoginStatus { status } }" });
        is_challenged(&shop.bound(&token, &key.sign(&claims())).post(GRAPHQL, query.clone()).await, "use_dpop_nonce");
        let claims = with(claims(), "nonce", json!(nonce));
        let status = shop.bound(&token, &key.sign(&claims)).post(GRAPHQL, query).await.data();
        assert_eq!(status["checkLoginStatus"]["status"], true);
        // Its other clients are not asked: the setting is the application's own.
        let client = shop.website().header("dpop", &shop.proof(&key));
        tokens(&client.form(TOKEN, &[("grant_type", "client_credentials")]).await);
        let push = key.sign(&shop.claims("POST", PUSH));
        let fields = [("client_id", SHOP_BARE), ("response_type", "code"), ("redirect_uri", CALLBACK)];
        shop.nobody().header("dpop", &push).form(PUSH, &fields).await.oauth_error("use_dpop_nonce");
    }

    async fn a_code_is_bound_to_the_key_that_was_named(database) {
        let shop = Shop::new(database).await;
        let (key, thief) = (Key::new(), Key::new());
        let jkt = key.thumbprint();
        let bound = async || shop.code(SHOP_BARE, &[("dpop_jkt", &*jkt)]).await;
        let code = bound().await;
        let (token, _) = tokens(&shop.exchange(shop.nobody().header("dpop", &shop.proof(&key)), &code).await);
        assert_eq!(claims(&token)["cnf"]["jkt"], *jkt);
        // With another key, or with none, it is worth nothing any more.
        for client in [shop.nobody().header("dpop", &shop.proof(&thief)), shop.nobody()] {
            let code = bound().await;
            shop.exchange(client, &code).await.oauth_error("invalid_grant");
            let late = shop.nobody().header("dpop", &shop.proof(&key));
            shop.exchange(late, &code).await.oauth_error("invalid_grant");
        }
        assert_eq!(shop.me(&key, &token).await.status, 200, "the session is not its fault");
        for wrong in ["x", &jkt[1..], &format!("{jkt}x"), &jkt.replace(&jkt[..1], "!")] {
            let parameters = [
                ("client_id", SHOP_BARE), ("redirect_uri", CALLBACK), ("response_type", "code"), ("dpop_jkt", wrong),
                ("code_challenge", CHALLENGE), ("code_challenge_method", "S256"),
            ];
            let answer = shop.authorize(&parameters).await;
            assert_eq!(returned(&answer, "error").as_deref(), Some("invalid_request"), "{wrong}");
        }

        // A request that is pushed with a proof is bound as well.
        let parameters = [
            ("client_id", SHOP_BARE), ("redirect_uri", CALLBACK), ("response_type", "code"),
            ("code_challenge", CHALLENGE), ("code_challenge_method", "S256"),
        ];
        let push = async |proof: &str, more: &[(&str, &str)]| {
            shop.nobody().header("dpop", proof).form(PUSH, &[&parameters[..], more].concat()).await
        };
        let pushed = async |more: &[(&str, &str)]| {
            let answer = push(&key.sign(&shop.claims("POST", PUSH)), more).await;
            assert_eq!(answer.status, 201, "{answer}");
            let uri = answer.json()["request_uri"].as_str().unwrap().to_owned();
            let answer = shop.authorize(&[("client_id", SHOP_BARE), ("request_uri", &*uri)]).await;
            returned(&answer, "code").unwrap()
        };
        let code = pushed(&[]).await;
        shop.exchange(shop.nobody().header("dpop", &shop.proof(&thief)), &code).await.oauth_error("invalid_grant");
        for more in [vec![], vec![("dpop_jkt", &*jkt)]] {
            let code = pushed(&more[..]).await;
            tokens(&shop.exchange(shop.nobody().header("dpop", &shop.proof(&key)), &code).await);
        }
        let other = thief.thumbprint();
        let proof = key.sign(&shop.claims("POST", PUSH));
        push(&proof, &[("dpop_jkt", &*other)]).await.oauth_error("invalid_dpop_proof");
        push(&proof, &[]).await.oauth_error("invalid_dpop_proof");
        push(&shop.proof(&key), &[]).await.oauth_error("invalid_dpop_proof");
        push("x", &[]).await.oauth_error("invalid_dpop_proof");
    }

    async fn a_refresh_token_of_a_public_client_is_bound_to_its_key(database) {
        let shop = Shop::new(database).await;
        let (key, thief) = (Key::new(), Key::new());
        let (_, refresh) = shop.login(&key).await;
        for client in [shop.nobody(), shop.nobody().header("dpop", &shop.proof(&thief))] {
            shop.refresh(client, &refresh).await.oauth_error("invalid_grant");
        }
        let renew = async |key: &Key, refresh: &str| {
            tokens(&shop.refresh(shop.nobody().header("dpop", &shop.proof(key)), refresh).await)
        };
        let (_, second) = renew(&key, &refresh).await;
        // A thief does not even end the session by using the first one again.
        shop.refresh(shop.nobody().header("dpop", &shop.proof(&thief)), &refresh).await.oauth_error("invalid_grant");
        shop.refresh(shop.nobody(), &second).await.oauth_error("invalid_grant");
        let (token, _) = renew(&key, &second).await;
        assert_eq!(shop.me(&key, &token).await.status, 200);

        // One that is bound to no key is bound by the first proof.
        let code = shop.code(SHOP_BARE, &[]).await;
        let bearer = shop.exchange(shop.nobody(), &code).await.json()["refresh_token"].as_str().unwrap().to_owned();
        let (_, bound) = renew(&key, &bearer).await;
        shop.refresh(shop.nobody(), &bound).await.oauth_error("invalid_grant");
        renew(&key, &bound).await;

        // That of a client that authenticates is bound to the client, which may take another key, or none.
        let code = shop.code(SHOP_WEB, &[]).await;
        let fields = [&exchange_fields()[..], &[("code", &*code)]].concat();
        let (_, refresh) = tokens(&shop.website().header("dpop", &shop.proof(&key)).form(TOKEN, &fields).await);
        let fields = |refresh: &str| [("grant_type", "refresh_token".to_owned()), ("refresh_token", refresh.to_owned())];
        let renew = async |client: Client<'_>, refresh: &str| {
            let fields = fields(refresh);
            client.form(TOKEN, &[(fields[0].0, &*fields[0].1), (fields[1].0, &*fields[1].1)]).await
        };
        let (token, refresh) = tokens(&renew(shop.website().header("dpop", &shop.proof(&thief)), &refresh).await);
        assert_eq!(claims(&token)["cnf"]["jkt"], thief.thumbprint());
        let answer = renew(shop.website(), &refresh).await;
        assert_eq!(answer.json()["token_type"], "Bearer", "{answer}");
    }

    async fn an_application_can_get_bound_tokens_alone(database) {
        let shop = Shop::with(database, "dpop_bound_access_tokens = true", |_| ()).await;
        let key = Key::new();
        let code = shop.code(SHOP_BARE, &[]).await;
        shop.exchange(shop.nobody(), &code).await.oauth_error("invalid_dpop_proof");
        let (_, refresh) = tokens(&shop.exchange(shop.nobody().header("dpop", &shop.proof(&key)), &code).await);
        shop.refresh(shop.nobody(), &refresh).await.oauth_error("invalid_dpop_proof");
        tokens(&shop.refresh(shop.nobody().header("dpop", &shop.proof(&key)), &refresh).await);
        for fields in [
            [("grant_type", DEVICE_GRANT), ("device_code", "hfd_x"), ("client_id", SHOP_BARE)],
            [("grant_type", USER_TOKEN_GRANT), ("token", "x"), ("client_id", SHOP_BARE)],
        ] {
            shop.nobody().form(TOKEN, &fields).await.oauth_error("invalid_dpop_proof");
        }
        // Nor is there one in an authorization response, or from a login of the published clients.
        let parameters = [
            ("client_id", SHOP_BARE), ("redirect_uri", CALLBACK), ("response_type", "code+token"), ("nonce", "n"),
            ("code_challenge", CHALLENGE), ("code_challenge_method", "S256"),
        ];
        let answer = shop.authorize(&parameters).await;
        assert_eq!(returned(&answer, "error").as_deref(), Some("unauthorized_client"), "{}", location(&answer));
        let login = json!({
            "connection": "PASSWORD", "passwordPayload": { "username": "alice", "password": "correct horse battery" },
        });
        let answer = shop.world.stores_nothing(shop.nobody().app(SHOP_BARE).post("/api/v3/signin", login.clone())).await;
        answer.refused(2510);
        shop.nobody().app(SHOP_WEB).post("/api/v3/signin", login).await.data();
    }

    async fn scripts_of_other_origins_can_use_proofs(database) {
        let shop = Shop::new(database).await;
        let key = Key::new();
        let origin = shop.nobody().header("origin", "https://spa.example");
        for (method, path) in [("POST", TOKEN), ("GET", ME), ("POST", PUSH), ("GET", GET_PROFILE)] {
            let asked = origin.clone().header("access-control-request-method", method);
            let asked = asked.header("access-control-request-headers", "authorization,dpop");
            let asked = asked.send(Method::OPTIONS, path, "", Vec::new()).await;
            let allowed = asked.headers["access-control-allow-headers"].to_str().unwrap();
            assert!(allowed.split(',').any(|name| name == "dpop"), "{path}: {allowed}");
        }
        for answer in [
            origin.clone().header("dpop", &shop.proof(&key)).form(TOKEN, &[]).await,
            origin.clone().header("authorization", "DPoP x").header("dpop", "x").get(ME).await,
        ] {
            let exposed = answer.headers["access-control-expose-headers"].to_str().unwrap();
            assert_eq!(exposed, "www-authenticate,dpop-nonce");
            assert!(nonce(&answer.headers).is_some());
        }
        let document = shop.nobody().get("/oidc/.well-known/openid-configuration").await.json();
        assert_eq!(document["dpop_signing_alg_values_supported"], json!(["ES256", "RS256", "PS256", "EdDSA"]));
    }
}
