use hufu_protocol::{AccessTokenClaims, Audience, IdTokenClaims, TokenType, half_hash, verify};
use hufu_types::{ApplicationId, ScopeSet, SessionId, SigningAlgorithm, UserId};
use serde_json::{Value, json};

use crate::fixture::{ISSUER, NOW, decode, expect, key, key_set, user_claims};

fn id_claims(profile: Value) -> IdTokenClaims<'static> {
    let Value::Object(profile) = profile else { panic!("an object") };
    IdTokenClaims {
        iss: ISSUER.into(),
        sub: UserId::parse("user").unwrap(),
        aud: ApplicationId::parse("app").unwrap(),
        sid: SessionId::parse("session").unwrap(),
        iat: NOW.seconds(),
        exp: NOW.seconds() + 60,
        auth_time: NOW.seconds() - 5,
        nonce: Some("n-0S6_WzA2Mj".into()),
        at_hash: None,
        c_hash: None,
        amr: Vec::new(),
        acr: None,
        token_use: None,
        profile,
    }
}

/// The token's payload.
fn payload(token: &str) -> String {
    String::from_utf8(decode(token.split('.').nth(1).unwrap())).unwrap()
}

#[test]
fn an_access_token_has_the_claims_of_rfc9068() {
    let claims = AccessTokenClaims {
        iss: ISSUER.into(),
        sub: UserId::parse("user").unwrap(),
        aud: Audience::One(ISSUER.into()),
        client_id: ApplicationId::parse("app").unwrap(),
        sid: SessionId::parse("session").unwrap(),
        scope: ScopeSet::parse("profile openid"),
        iat: NOW.seconds(),
        exp: NOW.seconds() + 60,
        jti: "token".into(),
        cnf: None,
    };
    let token = key(SigningAlgorithm::Es256).sign(TokenType::AccessToken, &claims).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&payload(&token)).unwrap(),
        json!({
            "iss": ISSUER, "sub": "user", "aud": ISSUER, "client_id": "app", "sid": "session",
            "scope": "openid profile", "iat": 1_700_000_000, "exp": 1_700_000_060, "jti": "token",
        })
    );
    let verified =
        verify::<AccessTokenClaims<'static>>(&token, &key_set(), &expect(&[TokenType::AccessToken])).unwrap();
    assert_eq!(verified.claims, claims);
}

#[test]
fn an_audience_is_the_application_or_its_resources() {
    let application = ApplicationId::parse("app").unwrap();
    let resources = ["https://a.example".to_owned(), "https://b.example".to_owned()];
    for (given, written) in [
        (&resources[..0], json!("app")),
        (&resources[..1], json!("https://a.example")),
        (&resources[..], json!(["https://a.example", "https://b.example"])),
    ] {
        let written_as = serde_json::to_value(Audience::of(given, &application)).unwrap();
        assert_eq!(written_as, written);
        let read: Audience<'static> = serde_json::from_value(written).unwrap();
        assert_eq!(read.resources(&application), given);
    }
}

#[test]
fn a_user_token_leaves_out_an_unknown_time_of_login() {
    let mut claims = user_claims();
    claims.auth_time = None;
    let token = key(SigningAlgorithm::Es256).sign(TokenType::UserToken, &claims).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&payload(&token)).unwrap(),
        json!({
            "iss": ISSUER, "sub": "user", "aud": "app", "sid": "session",
            "iat": 1_700_000_000, "exp": 1_700_000_060,
        })
    );
}

#[test]
fn an_id_token_carries_the_profile_beside_its_own_claims() {
    let claims = id_claims(json!({ "nickname": "小明", "phone_number_verified": true }));
    let token = key(SigningAlgorithm::Es256).sign(TokenType::IdToken, &claims).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&payload(&token)).unwrap(),
        json!({
            "iss": ISSUER, "sub": "user", "aud": "app", "sid": "session", "iat": 1_700_000_000,
            "exp": 1_700_000_060, "auth_time": 1_699_999_995, "nonce": "n-0S6_WzA2Mj",
            "nickname": "小明", "phone_number_verified": true,
        })
    );
    let verified =
        verify::<IdTokenClaims<'static>>(&token, &key_set(), &expect(&[TokenType::IdToken])).unwrap();
    assert_eq!(verified.claims, claims);
}

#[test]
fn a_profile_cannot_overwrite_a_claim_of_the_protocol() {
    let claims = id_claims(json!({
        "iss": "x", "sub": "x", "aud": "x", "exp": 1, "nbf": 1, "iat": 1, "jti": "x", "sid": "x", "auth_time": 1,
        "nonce": "x", "acr": "x", "amr": ["x"], "azp": "x", "at_hash": "x", "c_hash": "x", "name": "kept",
    }));
    let token = key(SigningAlgorithm::Es256).sign(TokenType::IdToken, &claims).unwrap();
    let written = payload(&token);
    for name in ["iss", "sub", "aud", "exp", "iat", "sid", "auth_time", "nonce"] {
        assert_eq!(written.matches(&format!("\"{name}\":")).count(), 1, "{name} in {written}");
    }
    let verified =
        verify::<IdTokenClaims<'static>>(&token, &key_set(), &expect(&[TokenType::IdToken])).unwrap();
    assert_eq!(verified.claims, id_claims(json!({ "name": "kept" })));
}

#[test]
fn the_access_token_hash_of_openid_connect_core_a3() {
    let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    assert_eq!(half_hash(SigningAlgorithm::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
    assert_eq!(half_hash(SigningAlgorithm::Es256, token), "77QmUPtjPfzWtF2AnpK9RQ");
    assert_eq!(decode(&half_hash(SigningAlgorithm::EdDsa, token)).len(), 32);
}
