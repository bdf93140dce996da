//! Userinfo and introspection in JWTs, and that neither is taken for a token.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_testkit::on_both_engines;
use hufu_types::{SigningAlgorithm, SubjectType, TokenAuth};
use serde_json::{Value, json};

use crate::client::{Answer, GET_PROFILE, JWKS, Tokens, claims, header_of};
use crate::client_keys::{CALLBACK, INTROSPECTION, authorize, error_of};
use crate::world::{PUBLIC_URL, SHOP_APP, SHOP_WEB, TWO, World};

const INTROSPECTED: &str = "application/token-introspection+jwt";

/// The website as a public client, whose userinfo is signed with this algorithm.
async fn website(world: &World, algorithm: Option<SigningAlgorithm>) {
    world
        .change_application(SHOP_WEB, |application| {
            application.secrets.clear();
            application.client.token_auth = Some(TokenAuth::None);
            application.client.redirect_uris = vec![CALLBACK.to_owned()];
            application.client.userinfo_signed_response_alg = algorithm;
        })
        .await;
}

async fn log_in(world: &World) -> Tokens {
    world.nobody().app(SHOP_WEB).log_in_v3(TWO, "bob").await
}

async fn introspect(world: &World, client: &str, token: &str, accept: &str) -> Answer {
    let caller = world.nobody().header("accept", accept);
    caller.form(INTROSPECTION, &[("client_id", client), ("token", token)]).await
}

/// The JWT in an answer, with a signature of one of the published keys.
async fn signed(world: &World, answer: &Answer, content_type: &str) -> String {
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!(answer.headers["content-type"], content_type);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let jwt = String::from_utf8(answer.bytes.clone()).unwrap();
    let header = header_of(&jwt);
    let keys = world.nobody().get(JWKS).await.json();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    assert_eq!(key["alg"], header["alg"]);
    let (message, signature) = jwt.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let part = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let verified = match header["alg"].as_str().unwrap() {
        "ES256" => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [vec![4], part("x"), part("y")].concat())
            .verify(message.as_bytes(), &signature),
        "EdDSA" => UnparsedPublicKey::new(&ED25519, part("x")).verify(message.as_bytes(), &signature),
        _ => RsaPublicKeyComponents { n: part("n"), e: part("e") }.verify(
            &RSA_PKCS1_2048_8192_SHA256,
            message.as_bytes(),
            &signature,
        ),
    };
    verified.unwrap();
    jwt
}

/// Fails unless this is no token of any kind.
async fn is_no_token(world: &World, jwt: &str) {
    let bearer = world.nobody().bearer(jwt);
    bearer.get("/oidc/me").await.oauth_error("invalid_token");
    bearer.get(GET_PROFILE).await.refused(2020);
    for parameter in ["id_token", "access_token"] {
        let path = format!("/api/v2/oidc/validate_token?{parameter}={jwt}");
        assert_ne!(world.nobody().get(&path).await.json()["iss"], format!("{PUBLIC_URL}/oidc"));
    }
    let told = introspect(world, SHOP_WEB, jwt, "application/json").await;
    assert_eq!(told.json(), json!({ "active": false }));
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let hint = [
        ("client_id", SHOP_WEB),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
        ("prompt", "none"),
    ];
    let without = authorize(world, &hint).await;
    assert_eq!(error_of(&without), "login_required");
    let with = authorize(world, &[&hint[..], &[("id_token_hint", jwt)]].concat()).await;
    assert_eq!(error_of(&with), "invalid_request");
    // Nor is it an assertion or a request object of its client.
    let object = authorize(world, &[&hint[..1], &[("request", jwt)]].concat()).await;
    assert_eq!(object.status, 400, "{object}");
}

on_both_engines! {
    async fn userinfo_is_signed_as_the_client_wants(database) {
        let world = World::new(database).await;
        world.person("bob");
        website(&world, None).await;
        let plain = log_in(&world).await;
        let client = world.nobody().bearer(&plain.access);
        let answer = client.get("/oidc/me").await;
        assert_eq!(answer.headers["content-type"], "application/json");
        let expected = answer.json();
        assert!(expected.get("iss").is_none() && expected.get("aud").is_none());
        for algorithm in [SigningAlgorithm::Rs256, SigningAlgorithm::EdDsa, SigningAlgorithm::Es256] {
            website(&world, Some(algorithm)).await;
            let answer = client.get("/oidc/me").await;
            let jwt = signed(&world, &answer, "application/jwt").await;
            let header = header_of(&jwt);
            assert_eq!((&header["alg"], &header["typ"]), (&json!(algorithm.as_str()), &json!("userinfo+jwt")));
            let mut told = claims(&jwt);
            let own = ["iss", "aud", "iat"].map(|name| told.as_object_mut().unwrap().remove(name).unwrap());
            let now = world.node.app.now().seconds();
            assert_eq!(own, [json!(format!("{PUBLIC_URL}/oidc")), json!(SHOP_WEB), json!(now)]);
            assert_eq!(told, expected);
            is_no_token(&world, &jwt).await;
            let posted = world.nobody().form("/oidc/me", &[("access_token", &plain.access)]).await;
            signed(&world, &posted, "application/jwt").await;
        }
        // Refusals are as they are.
        world.nobody().bearer("x").get("/oidc/me").await.oauth_error("invalid_token");
        // With a pairwise subject.
        world.change_application(SHOP_WEB, |application| application.client.subject_type = SubjectType::Pairwise).await;
        let tokens = log_in(&world).await;
        let answer = world.nobody().bearer(&tokens.access).get("/oidc/me").await;
        let jwt = signed(&world, &answer, "application/jwt").await;
        assert_eq!(claims(&jwt)["sub"], tokens.user());
        assert_ne!(claims(&jwt)["sub"], expected["sub"]);
        // Another client's answers stay as they were.
        let other = world.client().log_in_v3(TWO, "bob").await;
        assert_eq!(world.nobody().bearer(&other.access).get("/oidc/me").await.json()["sub"], expected["sub"]);
    }

    async fn introspection_is_signed_for_who_asks(database) {
        let world = World::new(database).await;
        world.person("bob");
        website(&world, None).await;
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
            world.change_application(SHOP_WEB, |application| application.signing_algorithm = algorithm).await;
            let tokens = log_in(&world).await;
            for (token, active) in [(&*tokens.access, true), (&tokens.refresh, true), (&tokens.id, false), ("x", false)] {
                let plain = introspect(&world, SHOP_WEB, token, "application/json").await;
                assert_eq!(plain.headers["content-type"], "application/json");
                assert_eq!(plain.json()["active"], active);
                let answer = introspect(&world, SHOP_WEB, token, INTROSPECTED).await;
                let jwt = signed(&world, &answer, INTROSPECTED).await;
                let header = header_of(&jwt);
                assert_eq!(
                    (&header["alg"], &header["typ"]),
                    (&json!(algorithm.as_str()), &json!("token-introspection+jwt"))
                );
                let now = world.node.app.now().seconds();
                let expected: Value = json!({
                    "iss": format!("{PUBLIC_URL}/oidc"), "aud": SHOP_WEB, "iat": now,
                    "token_introspection": plain.json(),
                });
                assert_eq!(claims(&jwt), expected);
                is_no_token(&world, &jwt).await;
            }
            // Somebody else's token is inactive, and the answer is for who asks.
            let answer = introspect(&world, SHOP_APP, &tokens.access, INTROSPECTED).await;
            let told = claims(&signed(&world, &answer, INTROSPECTED).await);
            assert_eq!((&told["aud"], &told["token_introspection"]), (&json!(SHOP_APP), &json!({ "active": false })));
        }
        let nobody = world.nobody().header("accept", INTROSPECTED);
        nobody.form(INTROSPECTION, &[("token", "x")]).await.oauth_error("invalid_client");
        nobody.form(INTROSPECTION, &[("client_id", SHOP_WEB)]).await.oauth_error("invalid_request");
    }

    async fn discovery_tells_of_them(database) {
        let world = World::new(database).await;
        let document = world.nobody().get("/oidc/.well-known/openid-configuration").await.json();
        let algorithms = &document["id_token_signing_alg_values_supported"];
        for answer in ["userinfo", "introspection"] {
            assert_eq!(document[format!("{answer}_signing_alg_values_supported")], *algorithms);
        }
        assert!(algorithms.as_array().unwrap().contains(&json!("RS256")));
        assert_eq!(document["subject_types_supported"], json!(["public", "pairwise"]));
    }
}
