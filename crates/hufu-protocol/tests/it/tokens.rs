use std::time::Duration;

use hufu_protocol::{
    Expectation, KeySet, MAX_TOKEN_LENGTH, SigningKey, TokenError, TokenType, UserTokenClaims, verify,
};
use hufu_types::{SigningAlgorithm, Timestamp};
use serde_json::{Value, json};

use crate::fixture::{ISSUER, NOW, expect, key, key_set, keys, read, refusal, user_claims, user_token};

#[test]
fn tokens_of_every_algorithm_and_type_come_back() {
    for owned in keys() {
        for typ in TokenType::ALL {
            let token = owned.key.sign(typ, &user_claims()).unwrap();
            let verified = verify::<UserTokenClaims<'_>>(&token, &key_set(), &expect(&[typ])).unwrap();
            assert_eq!((verified.typ, verified.claims), (typ, user_claims()));
        }
    }
}

#[test]
fn no_type_passes_for_another() {
    for typ in TokenType::ALL {
        let token = key(SigningAlgorithm::Es256).sign(typ, &user_claims()).unwrap();
        for expected in TokenType::ALL {
            let outcome = verify::<Value>(&token, &key_set(), &expect(&[expected]));
            if expected == typ {
                assert_eq!(outcome.unwrap().typ, typ);
            } else {
                assert_eq!(outcome, Err(TokenError::WrongType), "{typ:?} as {expected:?}");
            }
        }
        let others: Vec<TokenType> = TokenType::ALL.into_iter().filter(|other| *other != typ).collect();
        assert_eq!(verify::<Value>(&token, &key_set(), &expect(&others)), Err(TokenError::WrongType));
        assert_eq!(verify::<Value>(&token, &key_set(), &expect(&[])), Err(TokenError::WrongType));
    }
}

#[test]
fn a_key_outside_the_set_is_unknown() {
    let (stranger, _) = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
    let token = stranger.sign(TokenType::UserToken, &user_claims()).unwrap();
    assert_eq!(refusal(&token), TokenError::UnknownKey);
    let outcome = verify::<Value>(&token, &KeySet::default(), &expect(&TokenType::ALL));
    assert_eq!(outcome, Err(TokenError::UnknownKey));
}

#[test]
fn another_issuer_is_refused() {
    for issuer in
        ["", "https://id.example.com/shop/", "https://ID.example.com/shop", "https://id.example.com"]
    {
        let expectation = Expectation { issuer, ..expect(&TokenType::ALL) };
        let outcome = verify::<Value>(&user_token(SigningAlgorithm::EdDsa), &key_set(), &expectation);
        assert_eq!(outcome, Err(TokenError::WrongIssuer), "{issuer:?}");
    }
}

/// The result of verifying a token with these claims at this time.
fn at(claims: &Value, now: Timestamp, leeway: Duration) -> Result<(), TokenError> {
    let token = key(SigningAlgorithm::EdDsa).sign(TokenType::UserToken, claims).unwrap();
    let expectation = Expectation { now, leeway, ..expect(&TokenType::ALL) };
    verify::<Value>(&token, &key_set(), &expectation).map(drop)
}

#[test]
fn a_token_ends_on_the_second_of_exp_and_the_leeway_later() {
    let claims = json!({ "iss": ISSUER, "exp": NOW.seconds() });
    let leeway = Duration::from_secs(30);
    let (before, after) = (Duration::from_millis(1), Duration::from_secs(30));
    assert_eq!(at(&claims, NOW.minus(before), Duration::ZERO), Ok(()));
    assert_eq!(at(&claims, NOW, Duration::ZERO), Err(TokenError::Expired));
    assert_eq!(at(&claims, NOW, leeway), Ok(()));
    assert_eq!(at(&claims, NOW.plus(after).minus(before), leeway), Ok(()));
    assert_eq!(at(&claims, NOW.plus(after), leeway), Err(TokenError::Expired));
}

#[test]
fn a_token_begins_on_the_second_of_nbf_and_the_leeway_earlier() {
    let claims = json!({ "iss": ISSUER, "exp": NOW.seconds() + 60, "nbf": NOW.seconds() });
    let leeway = Duration::from_secs(30);
    let earlier = Duration::from_millis(1);
    assert_eq!(at(&claims, NOW, Duration::ZERO), Ok(()));
    assert_eq!(at(&claims, NOW.minus(earlier), Duration::ZERO), Err(TokenError::NotYetValid));
    assert_eq!(at(&claims, NOW.minus(leeway), leeway), Ok(()));
    assert_eq!(at(&claims, NOW.minus(leeway).minus(earlier), leeway), Err(TokenError::NotYetValid));
}

#[test]
fn extreme_times_do_not_wrap_around() {
    let no_leeway = Duration::ZERO;
    assert_eq!(at(&json!({ "iss": ISSUER, "exp": i64::MAX }), NOW, Duration::MAX), Ok(()));
    assert_eq!(at(&json!({ "iss": ISSUER, "exp": i64::MIN }), NOW, no_leeway), Err(TokenError::Expired));
    let never = json!({ "iss": ISSUER, "exp": i64::MAX, "nbf": i64::MAX });
    assert_eq!(at(&never, NOW, no_leeway), Err(TokenError::NotYetValid));
}

#[test]
fn the_issuer_and_the_end_are_required_and_of_their_types() {
    let end = NOW.seconds() + 60;
    for claims in [
        json!({ "iss": ISSUER }),
        json!({ "exp": end }),
        json!({ "iss": ISSUER, "exp": null }),
        json!({ "iss": ISSUER, "exp": end.to_string() }),
        json!({ "iss": ISSUER, "exp": 1e30 }),
        json!({ "iss": [ISSUER], "exp": end }),
        json!({ "iss": ISSUER, "exp": end, "nbf": "soon" }),
        json!([]),
        json!("text"),
    ] {
        assert_eq!(at(&claims, NOW, Duration::ZERO), Err(TokenError::Malformed), "{claims}");
    }
}

#[test]
fn claims_of_another_shape_are_malformed() {
    let claims = json!({ "iss": ISSUER, "exp": NOW.seconds() + 60, "sub": "not an id!" });
    let token = key(SigningAlgorithm::EdDsa).sign(TokenType::UserToken, &claims).unwrap();
    let outcome = verify::<UserTokenClaims<'_>>(&token, &key_set(), &expect(&TokenType::ALL));
    assert_eq!(outcome, Err(TokenError::Malformed));
}

#[test]
fn tokens_up_to_the_limit_are_read_and_longer_ones_are_not() {
    let key = key(SigningAlgorithm::EdDsa);
    let of_length = |filler: usize| {
        let claims = json!({ "iss": ISSUER, "exp": NOW.seconds() + 60, "filler": "x".repeat(filler) });
        key.sign(TokenType::IdToken, &claims).unwrap()
    };
    let tokens: Vec<String> = (5_800..6_100).map(of_length).collect();
    let (short, long): (Vec<_>, Vec<_>) = tokens.iter().partition(|token| token.len() <= MAX_TOKEN_LENGTH);
    assert!(!short.is_empty() && !long.is_empty(), "the limit lies in the range");
    assert!(read(short.last().unwrap()).is_ok());
    assert_eq!(refusal(long.first().unwrap()), TokenError::Malformed);
}
