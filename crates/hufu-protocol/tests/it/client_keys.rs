use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PSS_SHA256, RsaKeyPair};
use hufu_protocol::{
    ClientKeys, ClientKeysError, ClientSignatureError, PublicParameters, Signed, unverified_subject,
};
use hufu_types::{ClientAlgorithm, SigningAlgorithm};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{Owned, decode, encode, keys, owned};

const PAYLOAD: &str = r#"{"iss":"app","sub":"app","n":1}"#;

/// The public key as a client writes it.
fn jwk(owned: &Owned) -> Value {
    serde_json::to_value(owned.key.public().jwk()).unwrap()
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk.as_object_mut().unwrap().insert(name.to_owned(), value);
    jwk
}

fn without(mut jwk: Value, name: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(name);
    jwk
}

fn set(keys: &[Value]) -> Result<ClientKeys, ClientKeysError> {
    ClientKeys::parse(json!({ "keys": keys }).to_string().as_bytes())
}

fn all() -> ClientKeys {
    set(&keys().iter().map(jwk).collect::<Vec<_>>()).unwrap()
}

fn header(alg: &str, kid: &str) -> String {
    format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#)
}

fn good(owned: &Owned) -> String {
    owned.sign_raw(&header(owned.key.algorithm().as_str(), owned.key.key_id()), PAYLOAD)
}

fn refusal(keys: &ClientKeys, jws: &str) -> ClientSignatureError {
    keys.verify(jws).expect_err("it is refused")
}

fn sign_pss(owned: &Owned, header: &str) -> String {
    let pair = RsaKeyPair::from_pkcs8(owned.pkcs8.expose()).unwrap();
    let message = format!("{}.{}", encode(header), encode(PAYLOAD));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    format!("{message}.{}", encode(signature))
}

#[test]
fn what_a_client_signs_is_read() {
    for owned in keys() {
        let Signed { typ, claims, .. } = all().verify(&good(owned)).unwrap();
        assert_eq!((typ.as_str(), &claims["sub"], &claims["n"]), ("", &json!("app"), &json!(1)));
        // Without a `kid`, if one key fits.
        let alg = owned.key.algorithm().as_str();
        let typed = owned.sign_raw(&format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#), PAYLOAD);
        assert_eq!(all().verify(&typed).unwrap().typ, "JWT");
        // The key may say less than ours do.
        let bare = ["use", "alg", "kid"].into_iter().fold(jwk(owned), without);
        set(std::slice::from_ref(&bare)).unwrap().verify(&typed).unwrap();
        let operations = with(bare, "key_ops", json!(["verify"]));
        set(&[operations]).unwrap().verify(&typed).unwrap();
    }
    assert_eq!(unverified_subject(&good(&keys()[0])).as_deref(), Some("app"));
    for wrong in ["", "a.b.c", "..", &owned(SigningAlgorithm::Es256).sign_raw("{}", "{}")] {
        assert_eq!(unverified_subject(wrong), None, "{wrong}");
    }
}

#[test]
fn an_rsa_key_signs_in_two_ways_unless_it_names_one() {
    let rsa = owned(SigningAlgorithm::Rs256);
    let signed = sign_pss(rsa, &header("PS256", rsa.key.key_id()));
    assert_eq!(refusal(&all(), &signed), ClientSignatureError::UnknownKey, "the key is for RS256");
    let both = set(&[without(jwk(rsa), "alg")]).unwrap();
    both.verify(&signed).unwrap();
    both.verify(&good(rsa)).unwrap();
    let only = set(&[with(jwk(rsa), "alg", json!("PS256"))]).unwrap();
    only.verify(&signed).unwrap();
    assert_eq!(refusal(&only, &good(rsa)), ClientSignatureError::UnknownKey);
    // The one is not taken for the other.
    let mixed = sign_pss(rsa, &header("RS256", rsa.key.key_id()));
    assert_eq!(refusal(&both, &mixed), ClientSignatureError::BadSignature);
}

#[test]
fn unsigned_is_refused() {
    for owned in keys() {
        for alg in ["none", "None", "NONE", "nOnE", ""] {
            let header = header(alg, owned.key.key_id());
            let message = format!("{}.{}", encode(&header), encode(PAYLOAD));
            for jws in [format!("{message}."), owned.sign_raw(&header, PAYLOAD)] {
                let error = match alg {
                    "none" => ClientSignatureError::Unsigned,
                    _ => ClientSignatureError::WrongAlgorithm,
                };
                assert_eq!(refusal(&all(), &jws), error, "{alg}");
            }
        }
    }
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    for owned in keys() {
        let public = owned.key.public();
        let secrets = match public.jwk().public_parameters() {
            PublicParameters::Ec { x, y, .. } => vec![[vec![4], decode(x), decode(y)].concat(), decode(x)],
            PublicParameters::Okp { x, .. } => vec![decode(x)],
            PublicParameters::Rsa { n, .. } => vec![decode(n), n.clone().into_bytes()],
        };
        for secret in secrets {
            for (alg, error) in [
                ("HS256", ClientSignatureError::WrongAlgorithm),
                ("HS512", ClientSignatureError::WrongAlgorithm),
                (owned.key.algorithm().as_str(), ClientSignatureError::BadSignature),
            ] {
                let message = format!("{}.{}", encode(header(alg, public.key_id())), encode(PAYLOAD));
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
                assert_eq!(refusal(&all(), &format!("{message}.{}", encode(tag))), error, "{alg}");
            }
        }
    }
}

#[test]
fn the_algorithm_is_bound_to_the_type_of_the_key() {
    for owned in keys() {
        let own = owned.key.algorithm().as_str();
        for named in ["ES256", "RS256", "EdDSA", "PS256", "ES384", "RS512", "ES256K", "es256", "Ed25519"] {
            if named == own {
                continue;
            }
            // The signature itself is valid; only the name of the algorithm is wrong.
            let jws = owned.sign_raw(&header(named, owned.key.key_id()), PAYLOAD);
            let is_known = ClientAlgorithm::ALL.iter().any(|known| known.as_str() == named);
            let error = if is_known {
                ClientSignatureError::UnknownKey
            } else {
                ClientSignatureError::WrongAlgorithm
            };
            assert_eq!(refusal(&all(), &jws), error, "{named}");
        }
    }
}

#[test]
fn a_key_does_not_sign_for_another() {
    for signer in keys() {
        for named in keys().iter().filter(|named| named.key.key_id() != signer.key.key_id()) {
            let jws = signer.sign_raw(&header(named.key.algorithm().as_str(), named.key.key_id()), PAYLOAD);
            assert_eq!(refusal(&all(), &jws), ClientSignatureError::BadSignature);
        }
        // Nor for a client that has not registered it, whatever its header brings along.
        let others: Vec<_> =
            keys().iter().filter(|other| other.key.key_id() != signer.key.key_id()).map(jwk).collect();
        let (alg, kid, own) = (signer.key.algorithm().as_str(), signer.key.key_id(), jwk(signer));
        let jws = signer.sign_raw(
            &format!(r#"{{"alg":"{alg}","kid":"{kid}","jwk":{own},"jku":"https://a.example"}}"#),
            PAYLOAD,
        );
        assert_eq!(refusal(&set(&others).unwrap(), &jws), ClientSignatureError::UnknownKey);
    }
}

#[test]
fn the_key_id_selects_one_key() {
    let es = owned(SigningAlgorithm::Es256);
    let (other, _) = hufu_protocol::SigningKey::generate(SigningAlgorithm::Es256).unwrap();
    let other = serde_json::to_value(other.public().jwk()).unwrap();
    let nameless = es.sign_raw(r#"{"alg":"ES256"}"#, PAYLOAD);
    let named = |kid: &str| es.sign_raw(&header("ES256", kid), PAYLOAD);
    let two = set(&[jwk(es), other.clone()]).unwrap();
    two.verify(&good(es)).unwrap();
    for unfit in [&nameless, &named("x"), &named("")] {
        assert_eq!(refusal(&two, unfit), ClientSignatureError::UnknownKey);
    }
    // The `kid` of another key: only that one is tried.
    let of_other = named(other["kid"].as_str().unwrap());
    assert_eq!(refusal(&two, &of_other), ClientSignatureError::BadSignature);
    // One `kid` for two keys of a type says nothing; for two types it does (RFC 7517 4.5).
    let twice = set(&[with(jwk(es), "kid", json!("a")), with(other, "kid", json!("a"))]).unwrap();
    assert_eq!(refusal(&twice, &named("a")), ClientSignatureError::UnknownKey);
    let ed = with(jwk(owned(SigningAlgorithm::EdDsa)), "kid", json!("a"));
    set(&[with(jwk(es), "kid", json!("a")), ed]).unwrap().verify(&named("a")).unwrap();
    // A key without a `kid` is not meant by one.
    let without_id = set(&[without(jwk(es), "kid")]).unwrap();
    assert_eq!(refusal(&without_id, &good(es)), ClientSignatureError::UnknownKey);
    without_id.verify(&nameless).unwrap();
}

#[test]
fn headers_and_forms_that_are_refused_although_signed() {
    let owned = owned(SigningAlgorithm::EdDsa);
    let kid = owned.key.key_id();
    for header in [
        format!(r#"{{"alg":"EdDSA","kid":"{kid}","crit":["b64"],"b64":false}}"#),
        format!(r#"{{"alg":"EdDSA","kid":"{kid}","crit":[]}}"#),
        format!(r#"{{"alg":"EdDSA","kid":"{kid}","crit":null}}"#),
        format!(r#"{{"alg":"EdDSA","alg":"EdDSA","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"none","alg":"EdDSA","kid":"{kid}"}}"#),
        format!(r#"{{"alg":["EdDSA"],"kid":"{kid}"}}"#),
        r#"{"alg":"EdDSA","kid":1}"#.to_owned(),
        format!(r#"["EdDSA","","{kid}",false]"#),
        String::new(),
    ] {
        assert_eq!(
            refusal(&all(), &owned.sign_raw(&header, PAYLOAD)),
            ClientSignatureError::Malformed,
            "{header}"
        );
    }
    for payload in ["", "1", "[]", "null", "\"x\"", "{", r#"{"a":1} x"#] {
        let jws = owned.sign_raw(&header("EdDSA", kid), payload);
        assert_eq!(refusal(&all(), &jws), ClientSignatureError::Malformed, "{payload}");
    }
    let jws = good(owned);
    let long = owned.sign_raw(&header("EdDSA", kid), &format!(r#"{{"a":"{}"}}"#, "a".repeat(8192)));
    for wrong in [format!("{jws}="), format!(" {jws}"), format!("{jws}\n"), long] {
        assert_eq!(refusal(&all(), &wrong), ClientSignatureError::Malformed);
    }
}

#[test]
fn a_changed_payload_or_signature_is_refused() {
    for owned in keys() {
        let jws = good(owned);
        let parts: Vec<&str> = jws.split('.').collect();
        let (header, payload, signature) = (parts[0], parts[1], parts[2]);
        let other = encode(PAYLOAD.replace("app", "ape"));
        assert_eq!(
            refusal(&all(), &format!("{header}.{other}.{signature}")),
            ClientSignatureError::BadSignature
        );
        let bytes = decode(signature);
        for forged in
            [&[bytes.as_slice(), &[0]].concat(), &bytes[1..].to_vec(), &vec![0; bytes.len()], &vec![]]
        {
            let forged = format!("{header}.{payload}.{}", encode(forged));
            assert_eq!(refusal(&all(), &forged), ClientSignatureError::BadSignature);
        }
    }
}

#[test]
fn key_sets_that_are_refused() {
    let es = jwk(owned(SigningAlgorithm::Es256));
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let private = with(es.clone(), member, json!("AAAA"));
        assert_eq!(set(&[es.clone(), private]).unwrap_err(), ClientKeysError::Private, "{member}");
    }
    let secret = json!({ "kty": "oct", "k": "AAAA", "alg": "HS256" });
    assert_eq!(set(&[es.clone(), secret]).unwrap_err(), ClientKeysError::Private);
    assert_eq!(set(&vec![es.clone(); 17]).unwrap_err(), ClientKeysError::TooMany);
    assert!(set(&vec![es.clone(); 16]).is_ok());
    for wrong in
        ["", "{}", "[]", "null", r#"{"keys":{}}"#, r#"{"keys":[1]}"#, r#"{"keys":[],"keys":[]}"#, "[[]]"]
    {
        assert_eq!(ClientKeys::parse(wrong.as_bytes()).unwrap_err(), ClientKeysError::Malformed, "{wrong}");
    }
    let long = json!({ "keys": [es], "x": "x".repeat(64 * 1024) }).to_string();
    assert_eq!(ClientKeys::parse(long.as_bytes()).unwrap_err(), ClientKeysError::TooLong);
    assert_eq!(set(&[]).unwrap_err(), ClientKeysError::NoUsableKey);
}

#[test]
fn keys_that_are_left_out() {
    let jwk_of = |algorithm| jwk(owned(algorithm));
    let (es, ed, rsa) =
        (jwk_of(SigningAlgorithm::Es256), jwk_of(SigningAlgorithm::EdDsa), jwk_of(SigningAlgorithm::Rs256));
    let modulus = decode(rsa["n"].as_str().unwrap());
    let short = {
        let mut short = modulus[1..].to_vec();
        short[0] |= 0x80;
        encode(short)
    };
    for unusable in [
        with(es.clone(), "use", json!("enc")),
        with(es.clone(), "use", json!(1)),
        with(es.clone(), "key_ops", json!(["encrypt"])),
        with(es.clone(), "key_ops", json!("verify")),
        with(es.clone(), "alg", json!("RS256")),
        with(es.clone(), "alg", json!("ES384")),
        with(es.clone(), "alg", json!("none")),
        with(es.clone(), "crv", json!("P-384")),
        with(es.clone(), "kty", json!("OKP")),
        with(es.clone(), "kid", json!(1)),
        // Not on the curve.
        with(es.clone(), "y", es["x"].clone()),
        with(es.clone(), "x", json!(format!("{}=", es["x"].as_str().unwrap()))),
        without(es.clone(), "y"),
        with(ed.clone(), "crv", json!("X25519")),
        with(ed.clone(), "x", json!("AAAA")),
        with(ed, "alg", json!("ES256")),
        with(rsa.clone(), "n", json!(short)),
        with(rsa.clone(), "n", json!("")),
        with(rsa.clone(), "e", json!("AQ")),
        with(rsa.clone(), "e", json!("BA")),
        with(rsa.clone(), "e", json!("")),
        with(rsa.clone(), "alg", json!("EdDSA")),
        json!({}),
        json!({ "kty": "oct" }),
    ] {
        assert_eq!(
            set(std::slice::from_ref(&unusable)).unwrap_err(),
            ClientKeysError::NoUsableKey,
            "{unusable}"
        );
        assert!(set(&[unusable, es.clone()]).is_ok());
    }
    // Zeros in front of a modulus are common, and make it no longer.
    let padded = with(rsa, "n", json!(encode([&[0, 0], modulus.as_slice()].concat())));
    set(&[padded]).unwrap().verify(&good(owned(SigningAlgorithm::Rs256))).unwrap();
}

proptest! {
    #[test]
    fn any_other_byte_anywhere_is_refused(which in 0..3_usize, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = good(&keys()[which]).into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        if let Ok(mutated) = String::from_utf8(bytes) {
            prop_assert!(all().verify(&mutated).is_err());
        }
    }

    #[test]
    fn nothing_made_up_passes_or_panics(text in "[A-Za-z0-9_.=-]{0,200}|\\PC{0,60}") {
        prop_assert!(all().verify(&text).is_err());
        prop_assert!(ClientKeys::parse(text.as_bytes()).is_err());
    }
}
