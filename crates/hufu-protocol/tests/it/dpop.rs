use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PSS_SHA256, RsaKeyPair};
use hufu_protocol::dpop::{DpopProof, ProofError, read, token_hash};
use hufu_protocol::{MAX_TOKEN_LENGTH, PublicParameters};
use hufu_types::SigningAlgorithm;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{Owned, encode, keys, owned};

/// RFC 9449 section 4.1, with the claims of section 7.1.
const EXAMPLE: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";

fn jwk(owned: &Owned) -> Value {
    // The parameters alone, as clients write them.
    serde_json::to_value(owned.key.public().jwk().public_parameters()).unwrap()
}

fn header(owned: &Owned) -> Value {
    json!({ "typ": "dpop+jwt", "alg": owned.key.algorithm().as_str(), "jwk": jwk(owned) })
}

fn claims() -> Value {
    json!({ "jti": "one", "htm": "POST", "htu": "https://id.example.com/oidc/token", "iat": 1_700_000_000 })
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object.as_object_mut().unwrap().insert(name.to_owned(), value);
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

fn sign(owned: &Owned, header: &Value, claims: &Value) -> String {
    owned.sign_raw(&header.to_string(), &claims.to_string())
}

#[track_caller]
fn refused(proof: &str) -> ProofError {
    read(proof).expect_err("it is refused")
}

#[test]
fn the_proof_of_the_rfc_is_read() {
    let proof = read(EXAMPLE).unwrap();
    // RFC 9449 section 6.1.
    assert_eq!(proof.key.as_str(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    assert_eq!(
        (proof.htm.as_str(), proof.htu.as_str()),
        ("GET", "https://resource.example.org/protectedresource")
    );
    assert_eq!((proof.iat, proof.jti.as_str(), proof.nonce), (1_562_262_618, "e1j3V_bKic8-LAEB", None));
    let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    assert_eq!(proof.ath, Some(token_hash(token)));
}

#[test]
fn proofs_of_every_algorithm_are_read() {
    for owned in keys() {
        let proof = read(&sign(owned, &header(owned), &with(claims(), "nonce", json!("n")))).unwrap();
        let key = owned.key.public().jwk().public_parameters().jkt().unwrap();
        let wanted = DpopProof {
            key,
            htm: "POST".to_owned(),
            htu: "https://id.example.com/oidc/token".to_owned(),
            iat: 1_700_000_000,
            jti: "one".to_owned(),
            nonce: Some("n".to_owned()),
            ath: None,
        };
        assert_eq!(proof, wanted);
        let more = with(with(jwk(owned), "kid", json!("k")), "use", json!("sig"));
        let proof = read(&sign(owned, &with(header(owned), "jwk", more), &claims())).unwrap();
        assert_eq!(proof.key, wanted.key, "other members are not in the thumbprint");
    }
    // PS256, and a time with a fraction.
    let rsa = owned(SigningAlgorithm::Rs256);
    let (header, claims) = (with(header(rsa), "alg", json!("PS256")), with(claims(), "iat", json!(17.9)));
    let pair = RsaKeyPair::from_pkcs8(rsa.pkcs8.expose()).unwrap();
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    assert_eq!(read(&format!("{message}.{}", encode(signature))).unwrap().iat, 17);
}

#[test]
fn another_kind_of_jwt_is_no_proof() {
    for owned in keys() {
        for typ in
            [json!("JWT"), json!("at+jwt"), json!("client-authentication+jwt"), json!("DPOP+JWT"), json!("")]
        {
            let proof = sign(owned, &with(header(owned), "typ", typ), &claims());
            assert_eq!(refused(&proof), ProofError::WrongType);
        }
        assert_eq!(refused(&sign(owned, &without(header(owned), "typ"), &claims())), ProofError::WrongType);
        let critical = with(header(owned), "crit", json!(["exp"]));
        assert_eq!(refused(&sign(owned, &critical, &claims())), ProofError::Malformed);
    }
}

#[test]
fn unsigned_and_symmetric_are_refused() {
    for owned in keys() {
        for alg in ["none", "None", "nOnE", "", "HS256", "HS512", "ES384", "RS1", "es256"] {
            let header = with(header(owned), "alg", json!(alg));
            let message = format!("{}.{}", encode(header.to_string()), encode(claims().to_string()));
            for proof in [format!("{message}."), sign(owned, &header, &claims())] {
                assert_eq!(refused(&proof), ProofError::WrongAlgorithm, "{alg}");
            }
        }
        // A secret as the key, and the public key as the secret.
        for secret in [json!({ "kty": "oct", "k": encode([7; 32]) }), jwk(owned)] {
            let header = json!({ "typ": "dpop+jwt", "alg": "HS256", "jwk": secret });
            let message = format!("{}.{}", encode(header.to_string()), encode(claims().to_string()));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]), message.as_bytes());
            assert_eq!(refused(&format!("{message}.{}", encode(tag))), ProofError::WrongAlgorithm);
        }
    }
}

#[test]
fn the_key_is_a_public_one_that_fits() {
    let [first, second, third] = keys() else { panic!("three keys") };
    for owned in keys() {
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            let header = with(header(owned), "jwk", with(jwk(owned), private, json!("AAAA")));
            assert_eq!(refused(&sign(owned, &header, &claims())), ProofError::WrongKey, "{private}");
        }
        let wrong = [
            Value::Null,
            json!({}),
            json!({ "kty": "oct", "alg": "ES256" }),
            without(jwk(owned), "kty"),
            with(jwk(owned), "use", json!("enc")),
            with(jwk(owned), "key_ops", json!(["sign"])),
            with(jwk(owned), "alg", json!("PS256")),
        ];
        for wrong in wrong {
            let header = with(header(owned), "jwk", wrong.clone());
            assert_eq!(refused(&sign(owned, &header, &claims())), ProofError::WrongKey, "{wrong}");
        }
        assert_eq!(refused(&sign(owned, &without(header(owned), "jwk"), &claims())), ProofError::WrongKey);
        for wrong in [json!("x"), json!([]), json!([jwk(owned)])] {
            let header = with(header(owned), "jwk", wrong);
            assert_eq!(refused(&sign(owned, &header, &claims())), ProofError::Malformed);
        }
    }
    // The algorithm of another key, and another key of the same algorithm.
    for (owned, other) in [(first, second), (second, third), (third, first)] {
        let mixed = with(header(owned), "jwk", jwk(other));
        assert_eq!(refused(&sign(owned, &mixed, &claims())), ProofError::WrongKey);
    }
    let (stranger, pkcs8) = hufu_protocol::SigningKey::generate(SigningAlgorithm::Es256).unwrap();
    let stranger = Owned { key: stranger, pkcs8 };
    let es256 = owned(SigningAlgorithm::Es256);
    assert_eq!(refused(&sign(&stranger, &header(es256), &claims())), ProofError::BadSignature);
    let off_the_curve = with(jwk(es256), "y", json!(encode([1; 32])));
    let header = with(header(es256), "jwk", off_the_curve);
    assert_eq!(refused(&sign(es256, &header, &claims())), ProofError::WrongKey);
}

#[test]
fn a_small_rsa_key_is_no_key() {
    let rsa = owned(SigningAlgorithm::Rs256);
    let PublicParameters::Rsa { e, .. } = rsa.key.public().jwk().public_parameters().clone() else {
        panic!("RSA")
    };
    let small = json!({ "kty": "RSA", "n": encode([0xff; 128]), "e": e });
    let huge = json!({ "kty": "RSA", "n": encode([0xff; 1025]), "e": e });
    for jwk in [small, huge] {
        let header = with(header(rsa), "jwk", jwk);
        assert_eq!(refused(&sign(rsa, &header, &claims())), ProofError::WrongKey);
    }
}

#[test]
fn claims_that_are_missing_or_of_another_type() {
    let owned = owned(SigningAlgorithm::EdDsa);
    for name in ["jti", "htm", "htu", "iat"] {
        let proof = sign(owned, &header(owned), &without(claims(), name));
        assert_eq!(refused(&proof), ProofError::Claim(name));
        for wrong in [Value::Null, json!([]), json!({}), json!(true)] {
            let proof = sign(owned, &header(owned), &with(claims(), name, wrong));
            assert_eq!(refused(&proof), ProofError::Claim(name));
        }
    }
    for (name, wrong) in [
        ("jti", json!("")),
        ("jti", json!("j".repeat(257))),
        ("jti", json!(1)),
        ("iat", json!("1700000000")),
        ("nonce", json!(1)),
        ("nonce", Value::Null),
        ("ath", json!(["x"])),
    ] {
        let proof = sign(owned, &header(owned), &with(claims(), name, wrong));
        assert_eq!(refused(&proof).part(), name);
    }
    read(&sign(owned, &header(owned), &with(claims(), "jti", json!("j".repeat(256))))).unwrap();
}

#[test]
fn what_is_no_jwt() {
    let owned = owned(SigningAlgorithm::EdDsa);
    let good = sign(owned, &header(owned), &claims());
    let long = sign(owned, &header(owned), &with(claims(), "more", json!("x".repeat(MAX_TOKEN_LENGTH))));
    let twice = r#"{"typ":"JWT","typ":"dpop+jwt","alg":"EdDSA"}"#;
    for wrong in [
        "",
        "..",
        "a.b.c",
        &good.replace('.', ""),
        &format!("{good}="),
        &format!(" {good}"),
        &long,
        &owned.sign_raw(&header(owned).to_string(), "[]"),
        &owned.sign_raw("[\"EdDSA\",\"dpop+jwt\"]", &claims().to_string()),
        &owned.sign_raw(twice, &claims().to_string()),
    ] {
        assert_eq!(refused(wrong), ProofError::Malformed, "{wrong}");
    }
    for two in [format!("{good}.{good}"), format!("{good}, {good}"), format!("{good},{good}")] {
        assert_eq!(refused(&two), ProofError::BadSignature);
    }
}

proptest! {
    #[test]
    fn a_changed_proof_is_refused(place in 0_usize..400, byte in any::<u8>()) {
        let owned = owned(SigningAlgorithm::EdDsa);
        let good = sign(owned, &header(owned), &claims());
        let mut bytes = good.clone().into_bytes();
        let place = place % bytes.len();
        bytes[place] = byte;
        if let Ok(changed) = String::from_utf8(bytes) {
            prop_assert_eq!(read(&changed).is_ok(), changed == good);
        }
    }
}
