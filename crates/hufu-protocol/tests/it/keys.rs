use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use hufu_protocol::{KeySet, PublicParameters, SigningKey, TokenType};
use hufu_types::SigningAlgorithm;
use serde_json::{Value, json};

use crate::fixture::{decode, encode, key_set, keys, owned, user_claims};

/// The key of RFC 7515 A.3.
fn rfc7515_key() -> SigningKey {
    let (x, y) =
        ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    let point = [vec![4], decode(x), decode(y)].concat();
    let private = decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
    let pair =
        EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &private, &point)
            .unwrap();
    SigningKey::from_pkcs8(SigningAlgorithm::Es256, pair.to_pkcs8v1().unwrap().as_ref()).unwrap()
}

/// The key of RFC 8037 A.1.
fn rfc8037_key() -> SigningKey {
    let seed = decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    SigningKey::from_pkcs8(SigningAlgorithm::EdDsa, pair.to_pkcs8v1().unwrap().as_ref()).unwrap()
}

#[test]
fn verifies_the_es256_example_of_rfc7515_a3() {
    let message = "eyJhbGciOiJFUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let mut signature =
        decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    let key = rfc7515_key().public();
    assert!(key.accepts(message.as_bytes(), &signature));
    signature[40] ^= 1;
    assert!(!key.accepts(message.as_bytes(), &signature));
}

#[test]
fn verifies_the_ed25519_example_of_rfc8037_a5() {
    let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature =
        decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
    let key = rfc8037_key().public();
    assert!(key.accepts(message.as_bytes(), &signature));
    assert!(!key.accepts(b"something else", &signature));
}

#[test]
fn thumbprints_of_rfc7638_and_rfc8037() {
    let rsa = PublicParameters::Rsa {
        n: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB\
            ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8\
            KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_\
            xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
            .to_owned(),
        e: "AQAB".to_owned(),
    };
    assert_eq!(rsa.thumbprint(), hex::encode(decode("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")));

    let key = rfc8037_key();
    let thumbprint = hex::encode(decode("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    assert_eq!(key.public().jwk().public_parameters().thumbprint(), thumbprint);
    assert_eq!(key.key_id(), &thumbprint[..32]);
}

#[test]
fn public_keys_as_the_rfcs_print_them() {
    assert_eq!(
        serde_json::to_value(rfc7515_key().public().jwk()).unwrap(),
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": rfc7515_key().key_id(),
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    );
    assert_eq!(
        serde_json::to_value(rfc8037_key().public().jwk()).unwrap(),
        json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": rfc8037_key().key_id(),
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        })
    );
}

#[test]
fn an_rsa_key_is_published_without_leading_zeros() {
    let owned = owned(SigningAlgorithm::Rs256);
    let PublicParameters::Rsa { n, e } = owned.key.public().jwk().public_parameters().clone() else {
        panic!("an RSA key")
    };
    let modulus = decode(&n);
    assert_eq!(modulus.len(), 256);
    assert!(modulus[0] >= 0x80, "a modulus of 2048 bits has its highest bit set");
    assert_eq!(e, "AQAB");
    // The modulus is also in the private document, after the tag, the length and DER's zero byte.
    let in_document = [&[0x02, 0x82, 0x01, 0x01, 0x00], modulus.as_slice()].concat();
    assert!(owned.pkcs8.expose().windows(in_document.len()).any(|window| window == in_document));
}

#[test]
fn a_key_set_has_every_key_and_no_private_member() {
    let set = serde_json::to_value(key_set()).unwrap();
    assert_eq!(set.as_object().unwrap().len(), 1);
    let published = set["keys"].as_array().unwrap();
    assert_eq!(published.len(), keys().len());
    for owned in keys() {
        let kid = Value::from(owned.key.key_id());
        let jwk = published.iter().find(|jwk| jwk["kid"] == kid).unwrap();
        let mut names: Vec<&str> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        let expected: &[&str] = match owned.key.algorithm() {
            SigningAlgorithm::Es256 => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            SigningAlgorithm::Rs256 => &["alg", "e", "kid", "kty", "n", "use"],
            SigningAlgorithm::EdDsa => &["alg", "crv", "kid", "kty", "use", "x"],
        };
        assert_eq!(names, expected);
    }
    assert_eq!(serde_json::to_value(KeySet::default()).unwrap(), json!({ "keys": [] }));
}

#[test]
fn keys_are_read_back_from_their_documents() {
    for owned in keys() {
        let again = SigningKey::from_pkcs8(owned.key.algorithm(), owned.pkcs8.expose()).unwrap();
        assert_eq!(again.key_id(), owned.key.key_id());
        assert_eq!(again.key_id().len(), 32);
        assert!(again.key_id().bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    }
}

#[test]
fn documents_of_another_kind_are_rejected() {
    for owned in keys() {
        for other in SigningAlgorithm::ALL.iter().filter(|other| **other != owned.key.algorithm()) {
            assert!(SigningKey::from_pkcs8(*other, owned.pkcs8.expose()).is_err());
        }
        let document = owned.pkcs8.expose();
        assert!(SigningKey::from_pkcs8(owned.key.algorithm(), &document[..document.len() - 1]).is_err());
        assert!(SigningKey::from_pkcs8(owned.key.algorithm(), b"").is_err());
    }
}

#[test]
fn private_keys_do_not_show_in_debug() {
    for owned in keys() {
        assert_eq!(format!("{:?}", owned.pkcs8), "Pkcs8(SecretBytes(redacted))");
        let shown = format!("{:?}", owned.key);
        let expected =
            format!("SigningKey({} {}, redacted)", owned.key.algorithm().as_str(), owned.key.key_id());
        assert_eq!(shown, expected);
    }
}

#[test]
fn headers_have_three_members() {
    for owned in keys() {
        for (typ, text) in [
            (TokenType::AccessToken, "at+jwt"),
            (TokenType::IdToken, "JWT"),
            (TokenType::UserToken, "hufu-user+jwt"),
        ] {
            let token = owned.key.sign(typ, &user_claims()).unwrap();
            let (algorithm, kid) = (owned.key.algorithm().as_str(), owned.key.key_id());
            let header = format!(r#"{{"alg":"{algorithm}","typ":"{text}","kid":"{kid}"}}"#);
            assert_eq!(token.split('.').next().unwrap(), encode(header));
        }
    }
}
