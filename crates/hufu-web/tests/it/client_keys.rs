//! Clients that sign: assertions, request objects, and requests that they push.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use axum::Router;
use axum::http::{Method, StatusCode, header};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hufu_app::authorization::OpenRequest;
use hufu_testkit::{TestDatabase, on_both_engines, raw};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::{Answer, Client, REVOCATION, TOKEN};
use crate::world::{FILE, NOW, PUBLIC_URL, Plan, SHOP_BARE, SHOP_WEB, World};

pub(crate) const INTROSPECTION: &str = "/oidc/token/introspection";
pub(crate) const PUSH: &str = "/oidc/request";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
pub(crate) const CALLBACK: &str = "https://shop.example.com/callback";
const HOUR: Duration = Duration::from_secs(3600);

/// A key of a client.
pub(crate) struct Signer {
    pair: Ed25519KeyPair,
    kid: &'static str,
}

impl Signer {
    pub(crate) fn new(kid: &'static str) -> Self {
        Self { pair: Ed25519KeyPair::generate().unwrap(), kid }
    }

    pub(crate) fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "use": "sig", "alg": "EdDSA" })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({ "alg": "EdDSA", "kid": self.kid }), claims)
    }

    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.pair.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

pub(crate) fn unsigned(claims: &Value) -> String {
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", encode(json!({ "alg": "none" }).to_string()), encode(claims.to_string()))
}

/// The standard file with these lines for the shop's website.
pub(crate) fn website(lines: &str) -> String {
    let name = "  name = \"Shop website\"\n";
    assert!(FILE.contains(name));
    let counter = "  name = \"Shop counter\"\n";
    let uris = format!("  redirect_uris = [\"{CALLBACK}\"]\n");
    FILE.replace(name, &format!("{name}{uris}{lines}\n")).replace(counter, &format!("{counter}{uris}"))
}

/// The standard file with a website that signs.
fn signing(keys: &str) -> String {
    website(&format!(
        "  token_auth = \"private_key_jwt\"\n  grants = [\"authorization_code\", \"client_credentials\"]\n  {keys}"
    ))
}

/// A key set as the file has it.
pub(crate) fn inline(keys: &[Value]) -> String {
    let tables: Vec<String> = keys
        .iter()
        .map(|key| {
            let members = key.as_object().unwrap().iter();
            let members: Vec<_> = members.map(|(name, value)| format!("{name} = {value}")).collect();
            format!("{{ {} }}", members.join(", "))
        })
        .collect();
    format!("jwks = {{ keys = [{}] }}", tables.join(", "))
}

pub(crate) async fn world_with(database: TestDatabase, file: &str) -> World {
    let world = World::new(database).await;
    world.reconfigure(file).await;
    world
}

pub(crate) fn seconds(world: &World) -> i64 {
    world.node.app.now().seconds()
}

/// The claims of an assertion that is good now.
fn claims(world: &World, jti: &str) -> Value {
    json!({
        "iss": SHOP_WEB, "sub": SHOP_WEB, "aud": format!("{PUBLIC_URL}/oidc"), "jti": jti,
        "iat": seconds(world), "exp": seconds(world) + 60,
    })
}

pub(crate) fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

pub(crate) fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

async fn with_assertion(client: Client<'_>, path: &str, fields: &[(&str, &str)], assertion: &str) -> Answer {
    let own = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)];
    client.form(path, &[fields, &own].concat()).await
}

async fn own_token(client: Client<'_>, assertion: &str) -> Answer {
    with_assertion(client, TOKEN, &[("grant_type", "client_credentials")], assertion).await
}

/// Whether the assertion is accepted at the token endpoint.
async fn is_accepted(world: &World, assertion: &str) -> bool {
    let answer = own_token(world.nobody(), assertion).await;
    if answer.status != 200 {
        answer.oauth_error("invalid_client");
    }
    answer.status == 200
}

/// Opens the authorization endpoint.
pub(crate) async fn authorize(world: &World, parameters: &[(&str, &str)]) -> Answer {
    let query: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    world.nobody().get(&format!("/oidc/auth?{}", query.join("&"))).await
}

pub(crate) fn location(answer: &Answer) -> &str {
    answer.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
}

/// The request that the login page gets.
#[track_caller]
pub(crate) fn opened(world: &World, answer: &Answer) -> OpenRequest {
    let (_, sealed) = location(answer).split_once("request=").unwrap_or_else(|| panic!("no login: {answer}"));
    world.node.app.open_request(sealed.split('&').next().unwrap()).unwrap()
}

/// The error that the client gets.
#[track_caller]
pub(crate) fn error_of(answer: &Answer) -> &str {
    let parameters = location(answer).strip_prefix(CALLBACK).unwrap_or_else(|| panic!("not there: {answer}"));
    let mut parameters = parameters.split(['?', '#', '&']);
    parameters.find_map(|one| one.strip_prefix("error=")).unwrap_or_else(|| panic!("no error: {answer}"))
}

#[track_caller]
pub(crate) fn is_page(answer: &Answer) {
    assert!(answer.status == 400 && location(answer).is_empty(), "{answer}");
}

on_both_engines! {
    async fn an_assertion_proves_a_client_once(database) {
        let signer = Signer::new("first");
        let world = world_with(database, &signing(&inline(&[signer.jwk()]))).await;
        let assertion = signer.sign(&claims(&world, "one"));
        let token = own_token(world.nobody(), &assertion).await;
        assert_eq!(token.status, 200, "{token}");
        let token = token.json()["access_token"].as_str().unwrap().to_owned();

        // Once, at every endpoint and node.
        let other = world.another_node().await;
        own_token(world.nobody(), &assertion).await.oauth_error("invalid_client");
        own_token(Client::of(&world, &other), &assertion).await.oauth_error("invalid_client");
        let again = with_assertion(world.nobody(), INTROSPECTION, &[("token", &token)], &assertion).await;
        again.oauth_error("invalid_client");
        let crowd = signer.sign(&claims(&world, "crowd"));
        let tries = (0..6).map(|n| {
            let node = if n % 2 == 0 { &world.node } else { &other };
            own_token(Client::of(&world, node), &crowd)
        });
        let answers = futures::future::join_all(tries).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);

        let next = signer.sign(&claims(&world, "two"));
        let told = with_assertion(world.nobody(), INTROSPECTION, &[("token", &token)], &next).await;
        assert_eq!(told.json()["active"], true, "{told}");
        let next = signer.sign(&claims(&world, "three"));
        let fields = [("token", "hfr_unknown"), ("client_id", SHOP_WEB)];
        let revoked = with_assertion(world.nobody(), REVOCATION, &fields, &next).await;
        assert_eq!(revoked.status, 200, "{revoked}");
        let next = signer.sign(&claims(&world, "three"));
        with_assertion(world.nobody(), REVOCATION, &fields, &next).await.oauth_error("invalid_client");

        for (n, audience) in [
            json!(format!("{PUBLIC_URL}/oidc/token")),
            json!([format!("{PUBLIC_URL}/oidc/token")]),
            json!([format!("{PUBLIC_URL}/oidc")]),
        ].into_iter().enumerate() {
            let claims = with(claims(&world, &format!("audience {n}")), "aud", audience);
            assert!(is_accepted(&world, &signer.sign(&claims)).await);
        }

        // What has expired is swept, and not accepted again.
        let stored = "SELECT application_id FROM used_jtis";
        assert_eq!(raw::texts(world.database(), stored).await.len(), 7);
        world.advance(Duration::from_secs(64));
        world.node.app.sweep().await.unwrap();
        assert!(!is_accepted(&world, &assertion).await);
        world.advance(Duration::from_secs(60));
        world.node.app.sweep().await.unwrap();
        assert!(raw::texts(world.database(), stored).await.is_empty());
        assert!(!is_accepted(&world, &assertion).await);
    }

    async fn assertions_that_prove_nothing(database) {
        let (signer, stranger) = (Signer::new("first"), Signer::new("first"));
        let world = world_with(database, &signing(&inline(&[signer.jwk()]))).await;
        let (good, now) = (|| claims(&world, "a"), seconds(&world));
        let issuer = format!("{PUBLIC_URL}/oidc");
        for wrong in [
            with(good(), "iss", json!(SHOP_BARE)),
            with(good(), "sub", json!("somebody")),
            without(good(), "iss"),
            with(good(), "aud", json!(PUBLIC_URL)),
            with(good(), "aud", json!("https://evil.example/oidc")),
            with(good(), "aud", json!([issuer, "https://evil.example"])),
            with(good(), "aud", json!([])),
            with(good(), "aud", json!({ "a": issuer })),
            without(good(), "aud"),
            without(good(), "exp"),
            with(good(), "exp", json!(now - 5)),
            with(good(), "exp", json!(now + 306)),
            with(good(), "exp", json!(u64::MAX)),
            with(good(), "exp", json!("tomorrow")),
            with(good(), "exp", Value::Null),
            with(good(), "iat", json!(now + 6)),
            with(good(), "nbf", json!(now + 6)),
            with(good(), "iat", json!("now")),
            without(good(), "jti"),
            with(good(), "jti", json!("")),
            with(good(), "jti", json!(1)),
            with(good(), "jti", json!("j".repeat(257))),
        ] {
            assert!(!is_accepted(&world, &signer.sign(&wrong)).await, "{wrong}");
        }
        let header = |name: &str, value: &str| with(json!({ "alg": "EdDSA", "kid": "first" }), name, json!(value));
        for forged in [
            stranger.sign(&good()),
            unsigned(&good()),
            signer.sign_as(&header("alg", "HS256"), &good()),
            signer.sign_as(&header("alg", "ES256"), &good()),
            signer.sign_as(&header("kid", "second"), &good()),
            signer.sign_as(&header("crit", "exp"), &good()),
            signer.sign_as(&header("typ", "oauth-authz-req+jwt"), &good()),
            "x".to_owned(),
        ] {
            assert!(!is_accepted(&world, &forged).await, "{forged}");
        }
        // All of that used up nothing, and the limits are included.
        let fields = [("grant_type", "client_credentials")];
        let assertion = signer.sign(&good());
        let named = [fields[0], ("client_id", SHOP_BARE)];
        with_assertion(world.nobody(), TOKEN, &named, &assertion).await.oauth_error("invalid_client");
        let basic = format!("Basic {}", STANDARD.encode(format!("{SHOP_WEB}:secret")));
        let client = world.nobody().header("authorization", &basic);
        with_assertion(client.clone(), TOKEN, &fields, &assertion).await.oauth_error("invalid_client");
        client.form(TOKEN, &fields).await.oauth_error("invalid_client");
        let both = [fields[0], ("client_id", SHOP_WEB), ("client_secret", "secret")];
        with_assertion(world.nobody(), TOKEN, &both, &assertion).await.oauth_error("invalid_client");
        let untyped = [fields[0], ("client_id", SHOP_WEB), ("client_assertion", &*assertion)];
        world.nobody().form(TOKEN, &untyped).await.oauth_error("invalid_client");
        let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
        let mistyped = [untyped[0], untyped[1], untyped[2], ("client_assertion_type", saml)];
        world.nobody().form(TOKEN, &mistyped).await.oauth_error("invalid_client");
        let alone = [fields[0], ("client_id", SHOP_WEB), ("client_assertion_type", ASSERTION_TYPE)];
        world.nobody().form(TOKEN, &alone).await.oauth_error("invalid_client");
        world.nobody().form(TOKEN, &[fields[0], ("client_id", SHOP_WEB)]).await.oauth_error("invalid_client");
        assert!(is_accepted(&world, &assertion).await);
        let latest = with(claims(&world, "b"), "exp", json!(now + 305));
        assert!(is_accepted(&world, &signer.sign(&with(latest, "nbf", json!(now + 5)))).await);
        let fraction = with(claims(&world, "c"), "exp", json!(60.5 + 1_750_000_000.0));
        assert!(is_accepted(&world, &signer.sign(&fraction)).await);
        assert_eq!(NOW.seconds(), 1_750_000_000);

        // The keys of one client are not those of another.
        let other = with(with(claims(&world, "d"), "iss", json!(SHOP_BARE)), "sub", json!(SHOP_BARE));
        assert!(!is_accepted(&world, &signer.sign(&other)).await);
    }

    async fn failed_assertions_and_wrong_secrets_are_counted_together(database) {
        let (signer, stranger) = (Signer::new("first"), Signer::new("first"));
        let world = Plan::new().limits(|limits| limits.client_failures_per_ip = 3).build(database).await;
        let counter = "  name = \"Shop counter\"\n";
        let confidential = "  token_auth = \"client_secret_basic\"\n  secret = \"0123456789abcdef0123456789abcdef\"\n";
        let file = signing(&inline(&[signer.jwk()])).replace(counter, &format!("{counter}{confidential}"));
        world.reconfigure(&file).await;
        let forged = stranger.sign(&claims(&world, "forged"));
        // Whoever is right is not counted.
        for number in 0..5 {
            assert!(is_accepted(&world, &signer.sign(&claims(&world, &format!("right-{number}")))).await);
        }
        for _ in 0..2 {
            own_token(world.nobody(), &forged).await.oauth_error("invalid_client");
        }
        let wrong_secret = || async {
            let basic = format!("Basic {}", STANDARD.encode(format!("{SHOP_BARE}:{}", "x".repeat(32))));
            let body = b"grant_type=client_credentials".to_vec();
            let caller = world.nobody().header("authorization", &basic);
            caller.send(Method::POST, TOKEN, "application/x-www-form-urlencoded", body).await
        };
        wrong_secret().await.oauth_error("invalid_client");
        let often = wrong_secret().await;
        assert_eq!(often.status, 429, "{often}");
        let buckets = "SELECT COALESCE(MAX(hits), 0) FROM rate_buckets WHERE name LIKE 'client_failures:%'";
        assert_eq!(raw::number(world.database(), buckets).await, 3);
        let often = own_token(world.nobody(), &forged).await;
        assert_eq!(often.status, 429, "{often}");
        // Those of others are not, and neither is the client itself.
        own_token(world.nobody().from([198, 51, 100, 7]), &forged).await.oauth_error("invalid_client");
        let good = signer.sign(&claims(&world, "good"));
        assert!(is_accepted(&world, &good).await);
        let replayed = own_token(world.nobody(), &good).await;
        assert_eq!(replayed.status, 429, "{replayed}");
        world.advance(Duration::from_secs(60));
        own_token(world.nobody(), &good).await.oauth_error("invalid_client");
    }

    async fn keys_in_the_settings_are_those_of_now(database) {
        let (first, second) = (Signer::new("first"), Signer::new("first"));
        let world = world_with(database, &signing(&inline(&[first.jwk()]))).await;
        let mut jtis = 0..;
        let mut signed = |signer: &Signer| signer.sign(&claims(&world, &jtis.next().unwrap().to_string()));
        assert!(is_accepted(&world, &signed(&first)).await);
        assert!(!is_accepted(&world, &signed(&second)).await);
        world.reconfigure(&signing(&inline(&[second.jwk()]))).await;
        assert!(is_accepted(&world, &signed(&second)).await);
        assert!(!is_accepted(&world, &signed(&first)).await);
    }

    async fn keys_at_an_address_are_kept_for_a_while(database) {
        let (first, second) = (Signer::new("first"), Signer::new("second"));
        let keys = KeyServer::start(json!({ "keys": [first.jwk()] })).await;
        let world = world_with(database, &signing(&format!("jwks_uri = \"{}\"", keys.uri))).await;
        let mut jtis = 0..;
        let mut signed = |signer: &Signer| signer.sign(&claims(&world, &jtis.next().unwrap().to_string()));
        for _ in 0..3 {
            assert!(is_accepted(&world, &signed(&first)).await);
        }
        assert_eq!(keys.asked(), 1);

        // A new key: the set is fetched again, but not at once.
        keys.answer(json!({ "keys": [second.jwk()] }));
        assert!(!is_accepted(&world, &signed(&second)).await);
        assert_eq!(keys.asked(), 1);
        world.advance(Duration::from_secs(30));
        assert!(is_accepted(&world, &signed(&second)).await);
        assert!(is_accepted(&world, &signed(&second)).await);
        assert_eq!(keys.asked(), 2);
        for _ in 0..3 {
            assert!(!is_accepted(&world, &signed(&first)).await, "the key is gone");
        }
        assert_eq!(keys.asked(), 2);

        // A set that is old is fetched again; if it cannot be, the old one is used for an hour.
        world.advance(Duration::from_secs(600));
        assert!(is_accepted(&world, &signed(&second)).await);
        assert_eq!(keys.asked(), 3);
        let private = with(first.jwk(), "d", json!("AAAA"));
        for broken in [Value::Null, json!({ "keys": [] }), json!({ "keys": [private] }), json!("x".repeat(70_000))] {
            keys.answer(broken);
            world.advance(Duration::from_secs(600));
            assert!(is_accepted(&world, &signed(&second)).await);
            assert!(is_accepted(&world, &signed(&second)).await);
        }
        assert_eq!(keys.asked(), 7);
        world.advance(HOUR);
        assert!(!is_accepted(&world, &signed(&second)).await);
        assert!(!is_accepted(&world, &signed(&second)).await);
        assert_eq!(keys.asked(), 8);
        keys.answer(json!({ "keys": [first.jwk()] }));
        world.advance(Duration::from_secs(30));
        assert!(is_accepted(&world, &signed(&first)).await);
        assert_eq!(keys.asked(), 9);
    }

    async fn a_request_object_stands_in_place_of_the_parameters(database) {
        let signer = Signer::new("first");
        let file = website(&format!("  token_auth = \"client_secret_basic\"\n  {}", inline(&[signer.jwk()])));
        let world = world_with(database, &file).await;
        let now = seconds(&world);
        let object = || json!({
            "iss": SHOP_WEB, "aud": format!("{PUBLIC_URL}/oidc"), "client_id": SHOP_WEB, "response_type": "code",
            "redirect_uri": CALLBACK, "scope": "openid email", "state": "inside", "nonce": "n", "max_age": 600,
            "claims": { "userinfo": { "email": null } }, "exp": now + 60, "jti": "j",
        });
        let outside = [("client_id", SHOP_WEB), ("response_type", "code"), ("redirect_uri", CALLBACK), ("state", "outside")];
        let ask = async |object: &str| authorize(&world, &[&outside[..], &[("request", object)]].concat()).await;

        let signed = signer.sign(&object());
        let beside = [("scope", "openid"), ("prompt", "consent"), ("request", &*signed)];
        let all = [&outside[..], &beside[..]].concat();
        let OpenRequest { request, application } = opened(&world, &authorize(&world, &all).await);
        assert_eq!(application.id.as_str(), SHOP_WEB);
        assert_eq!((request.state.as_deref(), request.nonce.as_deref()), (Some("inside"), Some("n")));
        assert_eq!((request.scopes.to_string().as_str(), request.max_age), ("openid email", Some(600)));
        assert_eq!(request.redirect_uri, CALLBACK);
        assert!(request.claims.contains_key("userinfo"));
        assert_eq!(request.prompts, hufu_types::Prompts::default(), "what is not signed is not taken");
        // The request object alone is enough, by a form as well; it may be sent again.
        let alone = [("client_id", SHOP_WEB), ("request", &*signed)];
        opened(&world, &authorize(&world, &alone).await);
        opened(&world, &world.nobody().form("/oidc/auth", &alone).await);
        let typed = json!({ "alg": "EdDSA", "kid": "first", "typ": "oauth-authz-req+jwt" });
        opened(&world, &ask(&signer.sign_as(&typed, &without(object(), "exp"))).await);

        let stranger = Signer::new("first");
        let assertion = json!({ "alg": "EdDSA", "kid": "first", "typ": "client-authentication+jwt" });
        for refused in [
            stranger.sign(&object()),
            "x".to_owned(),
            signer.sign_as(&assertion, &object()),
            signer.sign_as(&json!({ "alg": "HS256", "kid": "first" }), &object()),
            signer.sign(&with(object(), "iss", json!(SHOP_BARE))),
            signer.sign(&without(object(), "iss")),
            signer.sign(&with(object(), "sub", json!(SHOP_WEB))),
            signer.sign(&with(object(), "aud", json!(PUBLIC_URL))),
            signer.sign(&without(object(), "aud")),
            signer.sign(&with(object(), "exp", json!(now - 5))),
            signer.sign(&with(object(), "exp", json!("x"))),
            signer.sign(&with(object(), "nbf", json!(now + 6))),
            signer.sign(&with(object(), "client_id", json!(SHOP_BARE))),
            signer.sign(&with(object(), "client_id", json!(1))),
            signer.sign(&with(object(), "response_type", json!("code id_token"))),
            signer.sign(&with(object(), "request", json!("x"))),
            signer.sign(&with(object(), "request_uri", json!("https://a.example/"))),
            signer.sign(&with(object(), "ui_locales", json!([1]))),
        ] {
            let answer = ask(&refused).await;
            assert_eq!(error_of(&answer), "invalid_request_object", "{refused}");
            assert!(location(&answer).contains("state=outside"), "{answer}");
            is_page(&authorize(&world, &[outside[0], outside[1], ("request", &refused)]).await);
        }
        assert_eq!(error_of(&ask(&unsigned(&object())).await), "request_not_supported");
        // What is inside is checked as outside.
        for (wrong, error) in [
            (with(object(), "scope", json!(["openid", "email"])), "invalid_request"),
            (with(object(), "max_age", json!("long")), "invalid_request"),
            (with(object(), "code_challenge_method", json!("plain")), "invalid_request"),
        ] {
            assert_eq!(error_of(&ask(&signer.sign(&wrong)).await), error, "{wrong}");
        }
        for wrong in [with(object(), "redirect_uri", json!("https://evil.example/")), without(object(), "redirect_uri")] {
            is_page(&ask(&signer.sign(&wrong)).await);
        }
        for both in ["https://a.example/request", "urn:x"] {
            let two = [&outside[..], &[("request", &*signed), ("request_uri", both)]].concat();
            assert_eq!(error_of(&authorize(&world, &two).await), "invalid_request");
        }
        let by_address = [&outside[..], &[("request_uri", "https://a.example/request")]].concat();
        assert_eq!(error_of(&authorize(&world, &by_address).await), "request_uri_not_supported");
        let foreign = [("client_id", SHOP_BARE), ("response_type", "code"), ("redirect_uri", CALLBACK), ("request", &*signed)];
        assert_eq!(error_of(&authorize(&world, &foreign).await), "request_not_supported");
        is_page(&authorize(&world, &[foreign[0], foreign[3]]).await);
    }

    async fn a_pushed_request_is_used_once(database) {
        let signer = Signer::new("first");
        let world = world_with(database, &signing(&inline(&[signer.jwk()]))).await;
        let other = world.another_node().await;
        let parameters = [("response_type", "code"), ("redirect_uri", CALLBACK), ("scope", "openid"), ("state", "s")];
        let mut jtis = 0..;
        let mut assertion = || signer.sign(&claims(&world, &jtis.next().unwrap().to_string()));
        let pushed = |answer: Answer| {
            let json = answer.json();
            assert_eq!((answer.status, &json["expires_in"]), (StatusCode::CREATED, &json!(90)), "{answer}");
            assert_eq!(answer.headers["cache-control"], "no-store");
            let uri = json["request_uri"].as_str().unwrap().to_owned();
            assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:") && uri.len() > 80, "{uri}");
            uri
        };
        let audience = with(claims(&world, "audience"), "aud", json!(format!("{PUBLIC_URL}{PUSH}")));
        let uri = pushed(with_assertion(world.nobody(), PUSH, &parameters, &signer.sign(&audience)).await);
        let stored = "SELECT parameters FROM pushed_requests";
        let rows = raw::texts(world.database(), stored).await;
        assert!(rows.len() == 1 && !rows[0][0].contains("assertion") && !rows[0][0].contains(&uri), "{rows:?}");

        // Another client cannot use it, nor use it up. Nothing beside it counts.
        is_page(&authorize(&world, &[("client_id", SHOP_BARE), ("request_uri", &uri)]).await);
        is_page(&authorize(&world, &[("request_uri", &*uri)]).await);
        let more = [("client_id", SHOP_WEB), ("request_uri", &*uri), ("state", "other"), ("redirect_uri", "https://evil.example/")];
        let OpenRequest { request, application } = opened(&world, &authorize(&world, &more).await);
        assert_eq!((application.id.as_str(), request.state.as_deref()), (SHOP_WEB, Some("s")));
        assert_eq!(request.redirect_uri, CALLBACK);
        is_page(&authorize(&world, &more[..2]).await);
        let unknown = "urn:ietf:params:oauth:request_uri:hfp_0";
        is_page(&authorize(&world, &[("client_id", SHOP_WEB), ("request_uri", unknown)]).await);

        // On another node, until it expires.
        let use_at = async |uri: &str| {
            let path = format!("/oidc/auth?client_id={SHOP_WEB}&request_uri={uri}");
            Client::of(&world, &other).get(&path).await
        };
        let uri = pushed(with_assertion(world.nobody(), PUSH, &parameters, &assertion()).await);
        world.advance(Duration::from_millis(89_999));
        opened(&world, &use_at(&uri).await);
        let uri = pushed(with_assertion(world.nobody(), PUSH, &parameters, &assertion()).await);
        world.advance(Duration::from_secs(90));
        is_page(&use_at(&uri).await);
        world.advance(Duration::from_secs(1));
        world.node.app.sweep().await.unwrap();
        assert!(raw::texts(world.database(), stored).await.is_empty());

        // A request object may be pushed. It is checked when it comes.
        let object = json!({
            "iss": SHOP_WEB, "aud": format!("{PUBLIC_URL}/oidc"), "response_type": "code", "redirect_uri": CALLBACK,
            "scope": "openid", "state": "signed", "exp": seconds(&world) + 10,
        });
        let signed = signer.sign(&object);
        let uri = pushed(with_assertion(world.nobody(), PUSH, &[("request", &*signed)], &assertion()).await);
        world.advance(Duration::from_secs(30));
        assert_eq!(opened(&world, &use_at(&uri).await).request.state.as_deref(), Some("signed"));

        for (fields, error) in [
            (vec![("request", unsigned(&object))], "request_not_supported"),
            (vec![("request", signer.sign(&with(object.clone(), "aud", json!("x"))))], "invalid_request_object"),
            (vec![("response_type", "code".to_owned())], "invalid_request"),
            (vec![("response_type", "code".to_owned()), ("redirect_uri", "https://evil.example/".to_owned())], "invalid_request"),
            (vec![("response_type", "token".to_owned()), ("redirect_uri", CALLBACK.to_owned())], "unsupported_response_type"),
            (vec![("redirect_uri", CALLBACK.to_owned())], "invalid_request"),
            (vec![("response_type", "id_token".to_owned()), ("redirect_uri", CALLBACK.to_owned())], "unauthorized_client"),
            (vec![("request_uri", uri.clone())], "invalid_request"),
            (vec![("state", "a".to_owned()), ("state", "b".to_owned())], "invalid_request"),
        ] {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = with_assertion(world.nobody(), PUSH, &fields, &assertion()).await;
            answer.oauth_error(error);
        }
        let named = [&[("client_id", SHOP_WEB)], &parameters[..]].concat();
        world.nobody().form(PUSH, &named).await.oauth_error("invalid_client");
        world.nobody().form(PUSH, &parameters).await.oauth_error("invalid_client");
        assert!(raw::texts(world.database(), stored).await.is_empty());
    }

    async fn a_public_client_pushes_by_its_name(database) {
        let world = Plan::new().limits(|limits| limits.pushed_requests_per_ip = 3).build(database).await;
        world.reconfigure(&website("")).await;
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let parameters = [
            ("client_id", SHOP_BARE), ("response_type", "code"), ("redirect_uri", CALLBACK), ("scope", "openid"),
            ("code_challenge", challenge), ("code_challenge_method", "S256"),
        ];
        let answer = world.nobody().form(PUSH, &parameters).await;
        assert_eq!(answer.status, 201, "{answer}");
        let uri = answer.json()["request_uri"].as_str().unwrap().to_owned();
        let OpenRequest { request, .. } = opened(&world, &authorize(&world, &[parameters[0], ("request_uri", &uri)]).await);
        assert_eq!(request.code_challenge.unwrap().challenge, challenge);
        world.nobody().form(PUSH, &parameters[..4]).await.oauth_error("invalid_request");
        let object = [parameters[0], ("request", "a.b.c")];
        world.nobody().form(PUSH, &object).await.oauth_error("request_not_supported");
        let often = world.nobody().form(PUSH, &parameters).await;
        assert_eq!(often.status, 429, "{often}");
        let elsewhere = world.nobody().from([198, 51, 100, 7]).form(PUSH, &parameters).await;
        assert_eq!(elsewhere.status, 201, "{elsewhere}");
    }

    async fn discovery_tells_of_it(database) {
        let world = World::new(database).await;
        let document = world.nobody().get("/oidc/.well-known/openid-configuration").await.json();
        let algorithms = json!(["ES256", "RS256", "PS256", "EdDSA"]);
        for endpoint in ["token", "introspection", "revocation"] {
            let methods = document[format!("{endpoint}_endpoint_auth_methods_supported")].as_array().unwrap();
            assert!(methods.contains(&json!("private_key_jwt")), "{methods:?}");
            assert_eq!(document[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")], algorithms);
        }
        assert_eq!(document["request_object_signing_alg_values_supported"], algorithms);
        assert_eq!(document["request_parameter_supported"], true);
        assert_eq!(document["request_uri_parameter_supported"], true);
        assert_eq!(document["require_request_uri_registration"], true);
        assert_eq!(document["pushed_authorization_request_endpoint"], format!("{PUBLIC_URL}{PUSH}"));
    }
}

/// A client's server with its key set.
struct KeyServer {
    uri: String,
    state: Arc<Mutex<(Value, usize)>>,
}

impl KeyServer {
    async fn start(set: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/keys", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new((set, 0)));
        let own = state.clone();
        let answer = move || {
            let mut state = own.lock().unwrap();
            state.1 += 1;
            let status = if state.0.is_null() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
            std::future::ready((status, state.0.to_string()))
        };
        let router = Router::new().route("/keys", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { uri, state }
    }

    /// What it answers from now on; null for an error.
    fn answer(&self, set: Value) {
        self.state.lock().unwrap().0 = set;
    }

    /// How often it was asked.
    fn asked(&self) -> usize {
        self.state.lock().unwrap().1
    }
}
