//! Clients that register themselves (RFC 7591), and manage what they registered (RFC 7592).

use std::time::Duration;

use axum::http::{Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::join_all;
use hufu_app::administration::AdminCaller;
use hufu_app::authorization::OpenRequest;
use hufu_app::client_registration::{RegistrationToken, RegistrationTokenRequest};
use hufu_testkit::{on_both_engines, raw};
use hufu_types::refusal::Code;
use hufu_types::{ApplicationKind, Grant, PoolId, SigningAlgorithm};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::{Answer, Client, TOKEN};
use crate::world::{CAFE, FILE, Node, PUBLIC_URL, Plan, SHOP, SHOP_WEB, World};

const REGISTER: &str = "/oidc/reg";
const CALLBACK: &str = "https://rp.example.com/callback";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A token with which clients register in a pool.
async fn token_with(
    world: &World,
    pool: &str,
    change: impl FnOnce(&mut RegistrationTokenRequest),
) -> (RegistrationToken, String) {
    let pool = PoolId::parse(pool).unwrap();
    let mut request = RegistrationTokenRequest { pool, name: String::new(), expires_at: None, clients: None };
    change(&mut request);
    let by = AdminCaller::command_line();
    let (token, text) = world.node.app.create_registration_token(&by, request).await.unwrap();
    world.secret(text.expose_secret());
    (token, text.expose_secret().to_owned())
}

async fn token(world: &World) -> String {
    token_with(world, SHOP, |_| {}).await.1
}

/// The least that a client says of itself.
fn least() -> Value {
    json!({ "redirect_uris": [CALLBACK] })
}

fn with(mut metadata: Value, name: &str, value: Value) -> Value {
    metadata[name] = value;
    metadata
}

async fn register(world: &World, token: &str, metadata: Value) -> Answer {
    world.nobody().bearer(token).post(REGISTER, metadata).await
}

/// A client that registered.
struct Registered {
    json: Value,
}

impl Registered {
    async fn new(world: &World, token: &str, metadata: Value) -> Self {
        Self::of(&register(world, token, metadata).await)
    }

    #[track_caller]
    fn of(answer: &Answer) -> Self {
        assert!(answer.status.is_success(), "{answer}");
        assert_eq!(answer.headers["cache-control"], "no-store");
        Self { json: answer.json() }
    }

    fn text(&self, name: &str) -> &str {
        self.json[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", self.json))
    }

    fn id(&self) -> &str {
        self.text("client_id")
    }

    fn path(&self) -> String {
        format!("{REGISTER}/{}", self.id())
    }

    fn token(&self) -> &str {
        self.text("registration_access_token")
    }

    async fn read(&self, world: &World) -> Answer {
        world.nobody().bearer(self.token()).get(&self.path()).await
    }

    async fn change(&self, world: &World, metadata: Value) -> Answer {
        let metadata = with(metadata, "client_id", json!(self.id()));
        put(&world.nobody().bearer(self.token()), &self.path(), metadata).await
    }

    async fn remove(&self, world: &World) -> Answer {
        delete(&world.nobody().bearer(self.token()), &self.path()).await
    }
}

async fn put(client: &Client<'_>, path: &str, body: Value) -> Answer {
    client.send(Method::PUT, path, "application/json", body.to_string().into_bytes()).await
}

async fn delete(client: &Client<'_>, path: &str) -> Answer {
    client.send(Method::DELETE, path, "", Vec::new()).await
}

#[track_caller]
fn unauthorized(answer: &Answer) {
    assert_eq!(answer.status, 401, "{answer}");
    answer.oauth_error("invalid_token");
    let challenge = answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.starts_with("Bearer"), "{challenge}");
}

/// Fails unless the metadata is refused, in words of ASCII that say where.
#[track_caller]
fn refused(answer: &Answer, error: &str, field: &str) {
    assert_eq!(answer.status, 400, "{answer}");
    answer.oauth_error(error);
    let json = answer.json();
    let description = json["error_description"].as_str().unwrap();
    assert!(description.contains(&format!(" {field} ")), "{field}: {answer}");
    let is_plain = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    assert!(description.chars().all(is_plain), "{answer}");
}

async fn authorize(world: &World, node: &Node, parameters: &[(&str, &str)]) -> Answer {
    let query = serde_urlencoded::to_string(parameters).unwrap();
    Client::of(world, node).get(&format!("/oidc/auth?{query}")).await
}

fn location(answer: &Answer) -> String {
    answer.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap()).to_owned()
}

#[track_caller]
fn opened(node: &Node, answer: &Answer) -> OpenRequest {
    let location = location(answer);
    let (_, sealed) = location.split_once("request=").unwrap_or_else(|| panic!("no login: {answer}"));
    node.app.open_request(sealed.split('&').next().unwrap()).unwrap()
}

on_both_engines! {
    async fn a_client_may_ask_for_tokens_that_are_bound_to_a_key(database) {
        let world = World::new(database).await;
        let token = token(&world).await;
        let metadata = json!({ "grant_types": ["client_credentials"], "response_types": [], "dpop_bound_access_tokens": true });
        let client = Registered::new(&world, &token, metadata).await;
        assert_eq!(client.json["dpop_bound_access_tokens"], json!(true));
        let basic = STANDARD.encode(format!("{}:{}", client.id(), client.text("client_secret")));
        let asker = world.nobody().header("authorization", &format!("Basic {basic}"));
        let answer = asker.send(Method::POST, TOKEN, "application/x-www-form-urlencoded", b"grant_type=client_credentials".to_vec()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_dpop_proof")));
    }

    async fn a_client_registers_and_is_served_at_once(database) {
        let world = World::new(database).await;
        let other = world.another_node().await;
        let token = token(&world).await;
        let keys = || async { world.nobody().get("/oidc/.well-known/jwks.json").await.json()["keys"].clone() };
        let before = keys().await;
        let has_rsa = |keys: &Value| keys.as_array().unwrap().iter().any(|key| key["kty"] == "RSA");
        assert!(has_rsa(&before), "the key of the default algorithm is published before the first client registers");

        let answer = register(&world, &token, least()).await;
        assert_eq!(answer.status, 201, "{answer}");
        let client = Registered::of(&answer);
        assert_eq!(client.json, json!({
            "client_id": client.id(), "client_id_issued_at": world.node.app.now().seconds(),
            "client_secret": client.text("client_secret"), "client_secret_expires_at": 0,
            "registration_access_token": client.token(),
            "registration_client_uri": format!("{PUBLIC_URL}{}", client.path()),
            "client_name": "rp.example.com", "application_type": "web", "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code"], "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_basic", "id_token_signed_response_alg": "RS256",
            "subject_type": "public", "require_auth_time": true,
        }));
        assert_eq!(keys().await, before);

        let request = [("client_id", client.id()), ("redirect_uri", CALLBACK), ("response_type", "code"), ("scope", "openid")];
        let OpenRequest { application, .. } = opened(&world.node, &authorize(&world, &world.node, &request).await);
        assert_eq!((application.pool.as_str(), application.kind), (SHOP, ApplicationKind::Web));
        assert!(application.login.consent, "a third party asks for consent");
        assert!(application.connections.is_empty() && !application.is_default);
        assert_eq!(application.signing_algorithm, SigningAlgorithm::Rs256);
        // Others take it up when they poll.
        other.app.refresh_config().await.unwrap();
        opened(&other, &authorize(&world, &other, &request).await);
        // Its secret is one.
        let basic = format!("{}:{}", client.id(), client.text("client_secret"));
        let basic = format!("Basic {}", STANDARD.encode(basic));
        let sent = world.nobody().header("authorization", &basic);
        let fields = [("grant_type", "authorization_code"), ("code", "hfa_unknown"), ("redirect_uri", CALLBACK)];
        sent.form(TOKEN, &fields).await.oauth_error("invalid_grant");
        let document = world.nobody().get("/oidc/.well-known/openid-configuration").await.json();
        assert_eq!(document["registration_endpoint"], format!("{PUBLIC_URL}{REGISTER}"));

        // What was stored are hashes, and the log names the client as whoever did it.
        let mut tables = vec![];
        for sql in ["SELECT secrets, client FROM applications", "SELECT name FROM registration_tokens", "SELECT application_id FROM registered_clients", "SELECT details FROM audit_events"] {
            tables.push(raw::texts(world.database(), sql).await);
        }
        let stored = format!("{tables:?}");
        for secret in [&token, client.token(), client.text("client_secret")] {
            assert!(secret.len() > 60 && !stored.contains(secret), "{stored}");
        }
        let event = world.audit().await.into_iter().find(|event| event.application.as_deref() == Some(client.id())).unwrap();
        assert_eq!((event.action.as_str(), event.actor_kind.as_str(), event.actor_id.as_deref()), ("configuration.changed", "client", Some(client.id())));
        assert_eq!(event.details["changed"], json!(["created"]));
    }

    async fn everything_that_a_client_says_is_told_again_and_takes_effect(database) {
        let world = World::new(database).await;
        let token = token(&world).await;
        let metadata = json!({
            "application_type": "native",
            "redirect_uris": [CALLBACK, "https://rp.example.com/callback?tenant=1", "com.example.rp:/callback"],
            "post_logout_redirect_uris": ["https://rp.example.com/out"],
            "response_types": ["code", "id_token token", "code id_token"],
            "grant_types": ["authorization_code", "implicit", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"],
            "client_name": "Tea & <b>Time</b>", "client_name#zh-CN": "茶",
            "logo_uri": "https://rp.example.com/logo.png", "client_uri": "https://rp.example.com/",
            "policy_uri": "https://rp.example.com/policy", "tos_uri": "https://rp.example.com/terms",
            "contacts": ["ann@rp.example.com"], "software_id": "tea", "software_version": "1.2",
            "token_endpoint_auth_method": "client_secret_post", "id_token_signed_response_alg": "ES256",
            "userinfo_signed_response_alg": "ES256", "request_object_signing_alg": "PS256",
            "token_endpoint_auth_signing_alg": "EdDSA", "jwks_uri": "https://rp.example.com/keys",
            "default_max_age": 3600, "require_auth_time": false, "default_acr_values": ["1"],
            "initiate_login_uri": "https://rp.example.com/start", "request_uris": ["https://rp.example.com/request#hash"],
            "backchannel_logout_uri": "https://rp.example.com/back", "backchannel_logout_session_required": false,
            "frontchannel_logout_uri": "https://rp.example.com/front", "frontchannel_logout_session_required": true,
            "scope": "openid email", "dpop_bound_access_tokens": false, "something_else": { "a": 1 }, "tos_uri#de": null,
        });
        let client = Registered::new(&world, &token, metadata.clone()).await;
        let mut told = metadata.as_object().unwrap().clone();
        for unknown in ["client_name#zh-CN", "dpop_bound_access_tokens", "something_else", "tos_uri#de"] {
            told.remove(unknown);
        }
        // More than it asked for.
        for name in ["require_auth_time", "backchannel_logout_session_required"] {
            told.insert(name.to_owned(), json!(true));
        }
        told.insert("subject_type".to_owned(), json!("public"));
        let of_the_server = ["client_id", "client_id_issued_at", "client_secret", "client_secret_expires_at", "registration_access_token", "registration_client_uri"];
        let only_told = |json: &Value| {
            let mut told = json.as_object().unwrap().clone();
            told.retain(|name, _| !of_the_server.contains(&name.as_str()));
            Value::Object(told)
        };
        assert_eq!(only_told(&client.json), Value::Object(told.clone()));
        // The secret is not known any more.
        let read = client.read(&world).await;
        assert_eq!(read.status, 200, "{read}");
        let mut expected = client.json.clone();
        expected.as_object_mut().unwrap().retain(|name, _| !name.starts_with("client_secret"));
        assert_eq!(read.json(), expected);

        let application = world.node.app.config().application(client.id()).unwrap().clone();
        assert_eq!(application.kind, ApplicationKind::Native);
        assert!(application.has_grant(Grant::Hybrid) && application.has_grant(Grant::DeviceCode));
        let base = [("client_id", client.id()), ("redirect_uri", CALLBACK), ("nonce", "n"), ("scope", "openid profile email")];
        let ask = async |more: &[(&str, &str)]| authorize(&world, &world.node, &[&base[..], more].concat()).await;
        let OpenRequest { request, .. } = opened(&world.node, &ask(&[("response_type", "code")]).await);
        assert_eq!((request.max_age, request.acr_values.as_slice()), (Some(3600), &["1".to_owned()][..]));
        assert_eq!(request.scopes.to_string(), "openid email", "what it did not register is left out");
        let OpenRequest { request, .. } = opened(&world.node, &ask(&[("response_type", "code"), ("max_age", "5"), ("acr_values", "2")]).await);
        assert_eq!((request.max_age, request.acr_values.as_slice()), (Some(5), &["2".to_owned()][..]));
        opened(&world.node, &ask(&[("response_type", "id_token code")]).await);
        for other in ["id_token", "code token", "code id_token token"] {
            let answer = location(&ask(&[("response_type", other)]).await);
            assert!(answer.contains("error=unauthorized_client"), "{other}: {answer}");
        }
    }

    async fn what_is_missing_follows_from_what_is_there(database) {
        let world = World::new(database).await;
        let token = token(&world).await;
        for (metadata, grants, types, method) in [
            (json!({ "response_types": ["id_token"] }), json!(["implicit"]), json!(["id_token"]), "client_secret_basic"),
            (json!({ "response_types": ["code id_token"] }), json!(["authorization_code", "implicit"]), json!(["code id_token"]), "client_secret_basic"),
            (json!({ "grant_types": ["implicit"] }), json!(["implicit"]), json!(["id_token"]), "client_secret_basic"),
            (json!({ "grant_types": ["authorization_code", "refresh_token"] }), json!(["authorization_code", "refresh_token"]), json!(["code"]), "client_secret_basic"),
            (json!({ "grant_types": ["client_credentials"] }), json!(["client_credentials"]), Value::Null, "client_secret_basic"),
            (json!({ "token_endpoint_auth_method": "none", "redirect_uris": [""] , "logo_uri": "" }), Value::Null, Value::Null, ""),
            (json!({ "token_endpoint_auth_method": "none", "logo_uri": null }), json!(["authorization_code"]), json!(["code"]), "none"),
        ] {
            let is_wrong = method.is_empty();
            let base = if metadata.get("redirect_uris").is_some() || metadata["grant_types"] == json!(["client_credentials"]) { json!({}) } else { least() };
            let mut all = base.as_object().unwrap().clone();
            all.extend(metadata.as_object().unwrap().clone());
            let answer = register(&world, &token, Value::Object(all)).await;
            if is_wrong {
                refused(&answer, "invalid_redirect_uri", "redirect_uris.0");
                continue;
            }
            let json = Registered::of(&answer).json;
            assert_eq!((&json["grant_types"], &json["response_types"]), (&grants, &types), "{metadata}");
            assert_eq!(json["token_endpoint_auth_method"], method);
            assert_eq!(json.get("client_secret").is_some(), method != "none", "{json}");
            assert_eq!(json.get("client_secret_expires_at").is_some(), method != "none", "{json}");
        }
        // Without a secret a client needs PKCE, and with one it does not.
        let public = Registered::new(&world, &token, with(least(), "token_endpoint_auth_method", json!("none"))).await;
        let request = [("client_id", public.id()), ("redirect_uri", CALLBACK), ("response_type", "code"), ("scope", "openid")];
        assert!(location(&authorize(&world, &world.node, &request).await).contains("error=invalid_request"));
        let challenged = [&request[..], &[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]].concat();
        opened(&world.node, &authorize(&world, &world.node, &challenged).await);
        // A name in one language is better than none.
        let tagged = with(least(), "client_name#ja", json!("お茶"));
        assert_eq!(Registered::new(&world, &token, tagged).await.json["client_name"], "お茶");
    }

    async fn metadata_that_is_refused(database) {
        let world = World::new(database).await;
        let token = token(&world).await;
        let private = json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] });
        for (name, value, field) in [
            ("redirect_uris", json!([]), "redirect_uris"),
            ("redirect_uris", json!(["https://rp.example.com/cb#fragment"]), "redirect_uris.0"),
            ("redirect_uris", json!(["https://rp.example.com/cb#"]), "redirect_uris.0"),
            ("redirect_uris", json!([CALLBACK, "http://rp.example.com/cb"]), "redirect_uris.1"),
            ("redirect_uris", json!(["javascript:alert(1)"]), "redirect_uris.0"),
            ("redirect_uris", json!(["com.example.rp:/callback"]), "redirect_uris.0"),
            ("redirect_uris", json!(["https://*.example.com/"]), "redirect_uris.0"),
            ("redirect_uris", json!([CALLBACK, CALLBACK]), "redirect_uris.1"),
            ("redirect_uris", json!((0..65).map(|n| format!("https://rp.example.com/{n}")).collect::<Vec<_>>()), "redirect_uris"),
        ] {
            let answer = world.stores_nothing(register(&world, &token, with(least(), name, value.clone()))).await;
            refused(&answer, "invalid_redirect_uri", field);
        }
        let implicit = json!({ "redirect_uris": ["http://127.0.0.1/cb"], "response_types": ["id_token"] });
        refused(&register(&world, &token, implicit).await, "invalid_redirect_uri", "redirect_uris.0");
        for (name, value, field) in [
            ("redirect_uris", json!("https://rp.example.com/"), "redirect_uris"),
            ("redirect_uris", json!([1]), "redirect_uris"),
            ("response_types", json!(["token"]), "response_types"),
            ("response_types", json!(["code", "code"]), "response_types.1"),
            ("response_types", json!("code"), "response_types"),
            ("grant_types", json!(["password"]), "grant_types"),
            ("grant_types", json!(["hybrid"]), "grant_types"),
            ("grant_types", json!(["authorization_code", "authorization_code"]), "grant_types.1"),
            ("application_type", json!("spa"), "application_type"),
            ("client_name", json!(7), "client_name"),
            ("client_name", json!("a\nb"), "client_name"),
            ("client_name", json!("reknaB\u{202e}"), "client_name"),
            ("client_name", json!("x".repeat(256)), "client_name"),
            ("logo_uri", json!("javascript:alert(1)"), "logo_uri"),
            ("logo_uri", json!("data:image/png;base64,AA"), "logo_uri"),
            ("logo_uri", json!("http://rp.example.com/logo.png"), "logo_uri"),
            ("policy_uri", json!("javascript:alert(1)"), "policy_uri"),
            ("tos_uri", json!("JavaScript:alert(1)"), "tos_uri"),
            ("client_uri", json!("vbscript:x"), "client_uri"),
            ("contacts", json!("ann@rp.example.com"), "contacts"),
            ("contacts", json!(["a\u{0}b"]), "contacts.0"),
            ("jwks_uri", json!("http://rp.example.com/keys"), "jwks_uri"),
            ("jwks", json!({ "keys": [] }), "jwks"),
            ("jwks", private.clone(), "jwks"),
            ("jwks", json!("keys"), "jwks"),
            ("token_endpoint_auth_method", json!("client_secret_jwt"), "token_endpoint_auth_method"),
            ("token_endpoint_auth_method", json!("private_key_jwt"), "token_endpoint_auth_method"),
            ("token_endpoint_auth_signing_alg", json!("HS256"), "token_endpoint_auth_signing_alg"),
            ("id_token_signed_response_alg", json!("none"), "id_token_signed_response_alg"),
            ("id_token_signed_response_alg", json!("HS256"), "id_token_signed_response_alg"),
            ("id_token_encrypted_response_alg", json!("RSA-OAEP"), "id_token_encrypted_response_alg"),
            ("userinfo_signed_response_alg", json!("none"), "userinfo_signed_response_alg"),
            ("request_object_signing_alg", json!("none"), "request_object_signing_alg"),
            ("require_signed_request_object", json!(true), "require_signed_request_object"),
            ("tls_client_certificate_bound_access_tokens", json!("yes"), "tls_client_certificate_bound_access_tokens"),
            ("subject_type", json!("private"), "subject_type"),
            ("sector_identifier_uri", json!("http://rp.example.com/sector.json"), "sector_identifier_uri"),
            ("default_max_age", json!(-1), "default_max_age"),
            ("default_max_age", json!("10"), "default_max_age"),
            ("require_auth_time", json!("true"), "require_auth_time"),
            ("default_acr_values", json!(["a b"]), "default_acr_values.0"),
            ("initiate_login_uri", json!("http://rp.example.com/"), "initiate_login_uri"),
            ("request_uris", json!(["http://rp.example.com/r"]), "request_uris.0"),
            ("post_logout_redirect_uris", json!(["https://rp.example.com/#x"]), "post_logout_redirect_uris.0"),
            ("backchannel_logout_uri", json!("http://rp.example.com/"), "backchannel_logout_uri"),
            ("frontchannel_logout_uri", json!("https://other.example.com/"), "frontchannel_logout_uri"),
            ("scope", json!(["openid"]), "scope"),
            ("software_id", json!("\u{7}"), "software_id"),
        ] {
            let answer = world.stores_nothing(register(&world, &token, with(least(), name, value.clone()))).await;
            refused(&answer, "invalid_client_metadata", field);
        }
        for (metadata, field) in [
            (json!({ "response_types": ["code id_token"], "grant_types": ["authorization_code"] }), "grant_types"),
            (json!({ "response_types": ["code"], "grant_types": ["implicit"] }), "grant_types"),
            (json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": "none" }), "grant_types"),
            (json!({ "jwks_uri": "https://rp.example.com/keys", "jwks": { "keys": [] } }), "jwks"),
        ] {
            let mut all = least().as_object().unwrap().clone();
            all.extend(metadata.as_object().unwrap().clone());
            refused(&register(&world, &token, Value::Object(all)).await, "invalid_client_metadata", field);
        }
        assert_eq!(raw::number(world.database(), "SELECT COUNT(*) FROM registered_clients").await, 0);
    }

    async fn bodies_that_are_no_metadata(database) {
        let world = World::new(database).await;
        let token = token(&world).await;
        let client = world.nobody().bearer(&token);
        let send = async |content_type: &str, body: &str| {
            world.stores_nothing(client.send(Method::POST, REGISTER, content_type, body.as_bytes().to_vec())).await
        };
        for (body, status) in [("", 400), ("{", 400), ("[]", 400), ("\"a\"", 400), ("null", 400), ("{\"redirect_uris\":[\"\u{0}\"]}", 400)] {
            let answer = send("application/json", body).await;
            assert_eq!(answer.status, status, "{body}: {answer}");
            assert!(answer.json()["error"].is_string(), "{answer}");
        }
        // What a page of another site could send without asking.
        for content_type in ["", "text/plain", "application/x-www-form-urlencoded"] {
            assert_eq!(send(content_type, &least().to_string()).await.status, 415);
        }
        let long = with(least(), "client_uri", json!("x".repeat(33 * 1024))).to_string();
        assert_eq!(send("application/json", &long).await.status, 413);
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(send("application/json", &deep).await.status, 400);
        // Nothing is read for whoever may not register.
        let stranger = world.nobody().bearer("hfi_x_y");
        let answer = stranger.send(Method::POST, REGISTER, "application/json", long.into_bytes()).await;
        unauthorized(&answer);
        for path in [REGISTER.to_owned(), format!("{REGISTER}/a/b"), format!("{REGISTER}/")] {
            let answer = client.get(&path).await;
            assert!([404, 405].contains(&answer.status.as_u16()), "{path}: {answer}");
        }
        // No script of another origin gets an answer.
        let script = client.clone().header("origin", "https://rp.example.com");
        let answer = script.post(REGISTER, least()).await;
        assert!(answer.headers.get("access-control-allow-origin").is_none(), "{answer}");
    }

    async fn nobody_registers_without_a_token(database) {
        let world = Plan::new().limits(|limits| limits.guesses_per_ip = 12).build(database).await;
        let (known, text) = token_with(&world, SHOP, |request| {
            request.expires_at = Some(world.node.app.now().plus(Duration::from_secs(600)));
        }).await;
        for answer in [
            world.nobody().post(REGISTER, least()).await,
            world.nobody().header("authorization", "Basic YTpi").post(REGISTER, least()).await,
        ] {
            unauthorized(&answer);
        }
        let secret = text.rsplit_once('_').unwrap().1;
        for wrong in [
            "x", "hfi_", "hfi__", "hfi_a_b", &text[1..], &text[..text.len() - 1], &format!("{text}0"),
            &format!("hfi_{}_{}", known.id, "0".repeat(64)), &format!("hfi_unknown_{secret}"), &text.to_uppercase(),
        ] {
            unauthorized(&register(&world, wrong, least()).await);
        }
        Registered::new(&world, &text, least()).await;
        // Guesses are counted by network, and whoever has a token is let in all the same.
        for _ in 0..2 {
            unauthorized(&register(&world, "hfi_a_b", least()).await);
        }
        let often = register(&world, "hfi_a_b", least()).await;
        assert_eq!(often.status, 429, "{often}");
        unauthorized(&world.nobody().from([198, 51, 100, 7]).bearer("hfi_a_b").post(REGISTER, least()).await);
        Registered::new(&world, &text, least()).await;

        // It expires, or is revoked; its clients stay.
        world.advance(Duration::from_secs(1));
        let (revoked, other) = token_with(&world, SHOP, |_| {}).await;
        let client = Registered::new(&world, &other, least()).await;
        let app = &world.node.app;
        let by = AdminCaller::command_line();
        let (shop, cafe) = (PoolId::parse(SHOP).unwrap(), PoolId::parse(CAFE).unwrap());
        assert!(!app.revoke_registration_token(&by, &cafe, &revoked.id).await.unwrap(), "it is another pool's");
        let listed = app.registration_tokens(&by, &shop).await.unwrap();
        assert_eq!(listed.iter().map(|(_, clients)| *clients).collect::<Vec<_>>(), [2, 1]);
        assert!(app.registration_tokens(&by, &cafe).await.unwrap().is_empty());
        assert!(app.revoke_registration_token(&by, &shop, &revoked.id).await.unwrap());
        assert!(!app.revoke_registration_token(&by, &shop, &revoked.id).await.unwrap());
        unauthorized(&world.nobody().from([198, 51, 100, 8]).bearer(&other).post(REGISTER, least()).await);
        assert_eq!(client.read(&world).await.status, 200);
        world.advance(Duration::from_secs(600));
        unauthorized(&world.nobody().from([198, 51, 100, 9]).bearer(&text).post(REGISTER, least()).await);
        app.sweep().await.unwrap();
        world.advance(Duration::from_secs(1));
        app.sweep().await.unwrap();
        assert_eq!(raw::number(world.database(), "SELECT COUNT(*) FROM registration_tokens").await, 0);
        // Nobody registers as an application of the administrators, or of a pool that is not there.
        for pool in ["system", "nowhere"] {
            let pool = PoolId::parse(pool).unwrap();
            let request = RegistrationTokenRequest { pool, name: String::new(), expires_at: None, clients: None };
            assert!(app.create_registration_token(&by, request).await.unwrap_err().is(Code::PoolUnknown));
        }
        for change in [
            (|request: &mut RegistrationTokenRequest| request.clients = Some(0)) as fn(&mut RegistrationTokenRequest),
            |request| request.name = "a\nb".to_owned(),
            |request| request.expires_at = Some(hufu_types::Timestamp(0)),
            |request| request.expires_at = Some(hufu_types::Timestamp(i64::MAX)),
        ] {
            let mut request = RegistrationTokenRequest { pool: shop.clone(), name: String::new(), expires_at: None, clients: None };
            change(&mut request);
            assert!(app.create_registration_token(&by, request).await.unwrap_err().is(Code::Invalid));
        }
        let actions: Vec<_> = world.audit().await.into_iter().map(|event| event.action.as_str().to_owned()).collect();
        let times = |action: &str| actions.iter().filter(|known| *known == action).count();
        assert_eq!((times("registration_token.created"), times("registration_token.revoked")), (2, 1));
    }

    async fn a_client_manages_itself(database) {
        let world = World::new(database).await;
        let token = token(&world).await;
        let first = Registered::new(&world, &token, with(least(), "client_name", json!("First"))).await;
        let secret = first.text("client_secret").to_owned();
        world.advance(Duration::from_secs(60));

        // All of it is replaced, the secret and the id stay, and the token is another one.
        let next = json!({ "redirect_uris": ["https://rp.example.com/other"], "tos_uri": "https://rp.example.com/terms", "client_secret": secret });
        let answer = first.change(&world, next).await;
        assert_eq!(answer.status, 200, "{answer}");
        let second = Registered::of(&answer);
        assert_eq!(second.id(), first.id());
        assert_eq!(second.json["client_id_issued_at"], first.json["client_id_issued_at"]);
        assert_eq!((second.text("client_name"), second.text("tos_uri")), ("rp.example.com", "https://rp.example.com/terms"));
        assert_eq!(second.text("client_secret"), secret, "it sent it itself");
        assert_eq!(second.json["redirect_uris"], json!(["https://rp.example.com/other"]));
        let request = [("client_id", first.id()), ("redirect_uri", CALLBACK), ("response_type", "code")];
        assert_eq!(authorize(&world, &world.node, &request).await.status, 400, "the address is gone");
        assert_ne!(second.token(), first.token());
        unauthorized(&first.read(&world).await);
        unauthorized(&first.change(&world, least()).await);
        unauthorized(&first.remove(&world).await);
        assert_eq!(second.read(&world).await.status, 200);

        // What is not its to say.
        for (name, value, field) in [
            ("client_secret", json!("s".repeat(40)), "client_secret"),
            ("client_secret", json!(7), "client_secret"),
            ("registration_access_token", json!(second.token()), "registration_access_token"),
            ("registration_client_uri", json!("https://rp.example.com/"), "registration_client_uri"),
            ("client_secret_expires_at", json!(0), "client_secret_expires_at"),
            ("client_id_issued_at", json!(0), "client_id_issued_at"),
            ("logo_uri", json!("javascript:alert(1)"), "logo_uri"),
        ] {
            refused(&second.change(&world, with(least(), name, value)).await, "invalid_client_metadata", field);
        }
        let client = world.nobody().bearer(second.token());
        for wrong in [least(), with(least(), "client_id", json!(SHOP_WEB)), with(least(), "client_id", json!(1))] {
            refused(&put(&client, &second.path(), wrong).await, "invalid_client_metadata", "client_id");
        }
        let json = second.read(&world).await.json();
        assert_eq!(json["tos_uri"], "https://rp.example.com/terms", "nothing of that was taken");

        // A client that needs no secret any more has none, and gets a new one when it needs it again.
        let public = Registered::of(&second.change(&world, with(least(), "token_endpoint_auth_method", json!("none"))).await);
        assert!(public.json.get("client_secret").is_none());
        let again = Registered::of(&public.change(&world, least()).await);
        assert_ne!(again.text("client_secret"), secret);
        assert_eq!(again.json["client_secret_expires_at"], 0);
        let unchanged = Registered::of(&again.change(&world, least()).await);
        assert!(unchanged.json.get("client_secret").is_none(), "it has it, and nobody else does");
        assert_ne!(unchanged.token(), again.token());

        let removed = unchanged.remove(&world).await;
        assert!(removed.status == 204 && removed.bytes.is_empty(), "{removed}");
        unauthorized(&unchanged.remove(&world).await);
        unauthorized(&unchanged.read(&world).await);
        assert!(world.node.app.config().application(first.id()).is_none());
        assert_eq!(authorize(&world, &world.node, &request).await.status, 400);
        for table in ["registered_clients", "applications WHERE name = 'rp.example.com'", "application_connections WHERE application_id NOT IN (SELECT id FROM applications)"] {
            assert_eq!(raw::number(world.database(), &format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
        }
        let audit = world.audit().await;
        let removed = audit.iter().find(|event| event.details["changed"] == json!(["removed"])).unwrap();
        assert_eq!((removed.action.as_str(), removed.actor_id.as_deref()), ("configuration.changed", Some(first.id())));
    }

    async fn a_client_of_a_closed_pool_is_not_answered(database) {
        let world = World::new(database).await;
        let owner = hufu_testkit::administration::key(&world, hufu_types::AdminRole::Owner, None).await;
        let token = token(&world).await;
        let client = Registered::new(&world, &token, least()).await;
        let pool = format!("/admin/v1/pools/{SHOP}");
        let switch = async |method: &str, path: &str, body: Option<Value>| {
            hufu_testkit::administration::call(&world, Some(&owner), method, path, body).await.is(200)
        };
        for (method, path, body, back) in [
            ("POST", format!("{pool}/switch-off"), None, format!("{pool}/switch-on")),
            ("DELETE", pool.clone(), Some(json!({ "name": "Shop" })), format!("{pool}/restore")),
        ] {
            assert_eq!(client.read(&world).await.status, 200);
            switch(method, &path, body).await;
            for answer in [client.read(&world).await, client.change(&world, least()).await, client.remove(&world).await] {
                assert_eq!(answer.status, 403, "{answer}");
                answer.oauth_error("temporarily_unavailable");
            }
            let wrong = world.nobody().bearer("wrong").get(&client.path()).await;
            unauthorized(&wrong);
            switch("POST", &back, None).await;
        }
        assert_eq!(client.read(&world).await.status, 200, "it is as it was");
    }

    async fn what_is_no_client_s_own_stays(database) {
        let world = World::new(database).await;
        let (ours, theirs) = (token(&world).await, token_with(&world, CAFE, |_| {}).await.1);
        let (shop, cafe) = (Registered::new(&world, &ours, least()).await, Registered::new(&world, &theirs, least()).await);
        let of = |client: &Registered| world.node.app.config().application(client.id()).unwrap().pool.to_string();
        assert_eq!((of(&shop), of(&cafe)), (SHOP.to_owned(), CAFE.to_owned()));
        // Another client's token, a token to register with, a client's secret, another pool's: none of them manages it.
        for wrong in [cafe.token(), &ours, shop.text("client_secret"), "hfg_0", ""] {
            let client = world.nobody().bearer(wrong);
            unauthorized(&client.get(&shop.path()).await);
            unauthorized(&put(&client, &shop.path(), with(least(), "client_id", json!(shop.id()))).await);
            unauthorized(&delete(&client, &shop.path()).await);
        }
        unauthorized(&register(&world, shop.token(), least()).await);
        // An application of the file is not to be managed so, whatever is sent.
        for id in [SHOP_WEB, "unknown", "a%2Fb", "%00"] {
            let client = world.nobody().bearer(shop.token());
            let path = format!("{REGISTER}/{id}");
            unauthorized(&client.get(&path).await);
            unauthorized(&put(&client, &path, with(least(), "client_id", json!(id))).await);
            unauthorized(&delete(&client, &path).await);
        }
        assert!(world.node.app.config().application(SHOP_WEB).is_some());
    }

    async fn only_so_many_register(database) {
        let plan = Plan::new().limits(|limits| {
            limits.registered_clients = 3;
            limits.registrations_per_token = 12;
        });
        let world = plan.build(database).await;
        let (_, few) = token_with(&world, SHOP, |request| request.clients = Some(1)).await;
        let (_, many) = token_with(&world, SHOP, |_| {}).await;
        let too_many = |answer: &Answer| {
            assert_eq!(answer.status, 403, "{answer}");
            answer.oauth_error("access_denied");
        };
        let only = Registered::new(&world, &few, least()).await;
        too_many(&register(&world, &few, least()).await);
        // Of those who come at once no more are let in, on whatever node.
        let other = world.another_node().await;
        let tries = (0..8).map(|n| {
            let client = Client::of(&world, if n % 2 == 0 { &world.node } else { &other }).bearer(&many);
            async move { client.post(REGISTER, least()).await }
        });
        let answers = join_all(tries).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
        answers.iter().filter(|answer| answer.status != 201).for_each(too_many);
        // Another pool has room, and so has this one when somebody leaves.
        let cafe = token_with(&world, CAFE, |_| {}).await.1;
        Registered::new(&world, &cafe, least()).await;
        assert_eq!(only.remove(&world).await.status, 204);
        let last = Registered::new(&world, &many, least()).await;
        for _ in 0..3 {
            too_many(&register(&world, &many, least()).await);
        }
        let often = register(&world, &many, least()).await;
        assert!(often.status == 429 && often.headers.contains_key("retry-after"), "{often}");
        world.advance(Duration::from_secs(3600));
        assert_eq!(last.remove(&world).await.status, 204);
        Registered::new(&world, &many, least()).await;
    }

    async fn of_two_that_change_a_client_at_once_one_does(database) {
        let world = World::new(database).await;
        let token = token(&world).await;
        let client = Registered::new(&world, &token, least()).await;
        let other = world.another_node().await;
        let change = |node, n: usize| {
            let body = json!({ "client_id": client.id(), "redirect_uris": [format!("https://rp.example.com/{n}")] });
            let sender = Client::of(&world, node).bearer(client.token());
            let path = client.path();
            async move { put(&sender, &path, body).await }
        };
        let answers = join_all((0..6).map(|n| change(if n % 2 == 0 { &world.node } else { &other }, n))).await;
        let winners: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        answers.iter().filter(|answer| answer.status != 200).for_each(unauthorized);
        let now = Registered::of(winners[0]);
        assert_eq!(now.read(&world).await.json()["redirect_uris"], now.json["redirect_uris"]);
        let removals = join_all((0..4).map(|_| now.remove(&world))).await;
        assert_eq!(removals.iter().filter(|answer| answer.status == 204).count(), 1);
    }

    async fn apply_and_registered_clients_do_not_fight(database) {
        let world = World::new(database).await;
        let token = token(&world).await;
        let (kept, taken) = (Registered::new(&world, &token, least()).await, Registered::new(&world, &token, least()).await);
        // Neither with pruning nor with another order is one touched that the file does not name.
        let revisions = "SELECT CAST(revision AS TEXT) FROM applications WHERE id NOT IN (SELECT id FROM applications WHERE name LIKE 'Shop%' OR name LIKE 'Cafe%') ORDER BY id";
        let before = raw::texts(world.database(), revisions).await;
        assert!(before.len() >= 2);
        let said = world.reconfigure(FILE).await;
        assert!(said.contains("2 applications that registered themselves"), "{said}");
        let added = FILE.replacen("name = \"Shop\"\n", "name = \"Shop\"\n  [[user_pool.application]]\n  id = \"new-first\"\n  name = \"Shop first\"\n  type = \"web\"\n  secret = \"0123456789012345678901234567890123456789\"\n", 1);
        world.reconfigure(&added).await;
        assert_eq!(raw::texts(world.database(), revisions).await, before);
        assert_eq!((kept.read(&world).await.status.as_u16(), taken.read(&world).await.status.as_u16()), (200, 200));

        // Once the file names one, it is the file's.
        let names = format!("{FILE}\n").replacen("name = \"Shop\"\n", &format!("name = \"Shop\"\n  [[user_pool.application]]\n  id = \"{}\"\n  name = \"Adopted\"\n  type = \"web\"\n", taken.id()), 1);
        let said = world.reconfigure(&names).await;
        assert!(said.contains("manages itself no longer") && said.contains("1 application that registered itself"), "{said}");
        unauthorized(&taken.read(&world).await);
        unauthorized(&taken.remove(&world).await);
        let adopted = world.node.app.config().application(taken.id()).unwrap().clone();
        assert_eq!((adopted.name.as_str(), adopted.client.redirect_uris.as_slice()), ("Adopted", &[CALLBACK.to_owned()][..]));
        assert!(adopted.login.consent && adopted.secrets.len() == 1, "what the file does not say stays");
        assert_eq!(kept.read(&world).await.status, 200);
        let again = world.reconfigure(&names).await;
        assert!(!again.contains("manages itself"), "{again}");
    }

    async fn a_client_belongs_to_the_sector_that_it_names(database) {
        let world = World::new(database).await;
        let token = token(&world).await;
        let listed = json!([CALLBACK, "https://other.example.com/callback"]).to_string();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sector = format!("http://{}/sector.json", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/sector.json", axum::routing::get(move || std::future::ready(listed)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let pairwise = with(least(), "subject_type", json!("pairwise"));
        Registered::new(&world, &token, pairwise.clone()).await;
        let of_sector = with(pairwise.clone(), "sector_identifier_uri", json!(sector));
        let client = Registered::new(&world, &token, of_sector.clone()).await;
        assert_eq!((client.text("subject_type"), client.text("sector_identifier_uri")), ("pairwise", sector.as_str()));
        let both = json!([CALLBACK, "https://other.example.com/callback"]);
        let two = Registered::new(&world, &token, with(of_sector.clone(), "redirect_uris", both.clone())).await;
        // On several hosts without a sector, not in its file, or with a file that is not there.
        let elsewhere = json!([CALLBACK, "https://evil.example.com/callback"]);
        refused(&register(&world, &token, with(pairwise.clone(), "redirect_uris", both)).await, "invalid_client_metadata", "subject_type");
        for wrong in [
            with(of_sector.clone(), "redirect_uris", elsewhere),
            with(pairwise.clone(), "sector_identifier_uri", json!(format!("{sector}x"))),
            with(pairwise, "sector_identifier_uri", json!("https://10.0.0.1/sector.json")),
        ] {
            let answer = register(&world, &token, wrong.clone()).await;
            assert_eq!(answer.status, 400, "{wrong}: {answer}");
            answer.oauth_error("invalid_client_metadata");
            let answer = two.change(&world, wrong).await;
            assert_eq!(answer.status, 400, "{answer}");
        }
        assert_eq!(two.read(&world).await.status, 200);
    }

    async fn the_keys_of_a_client_are_fetched_from_public_networks_alone(database) {
        let world = World::new(database).await;
        let token = token(&world).await;
        let listener = TcpListener::bind("[::1]:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for uri in [format!("http://[::1]:{port}/keys"), "https://10.0.0.1/keys".to_owned(), "https://169.254.169.254/latest".to_owned()] {
            let metadata = json!({
                "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri,
                "grant_types": ["client_credentials"], "response_types": [],
            });
            let client = Registered::new(&world, &token, metadata).await;
            assert!(client.json.get("client_secret").is_none());
            let assertion = "eyJhbGciOiJFUzI1NiJ9.e30.AAAA";
            let fields = [
                ("grant_type", "client_credentials"), ("client_id", client.id()),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", assertion),
            ];
            world.nobody().form(TOKEN, &fields).await.oauth_error("invalid_client");
        }
        let accepted = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
        assert!(accepted.is_err(), "this machine was called");
    }
}
