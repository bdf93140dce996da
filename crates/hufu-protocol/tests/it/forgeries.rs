use aws_lc_rs::hmac;
use hufu_protocol::{PublicParameters, TokenError};
use hufu_types::SigningAlgorithm;
use proptest::prelude::*;

use crate::fixture::{ISSUER, NOW, decode, encode, key, keys, owned, read, refusal, user_claims, user_token};

fn header(alg: &str, kid: &str) -> String {
    format!(r#"{{"alg":"{alg}","typ":"hufu-user+jwt","kid":"{kid}"}}"#)
}

fn payload() -> String {
    serde_json::to_string(&user_claims()).unwrap()
}

#[test]
fn hand_made_tokens_pass_when_nothing_is_wrong() {
    for owned in keys() {
        let header = header(owned.key.algorithm().as_str(), owned.key.key_id());
        assert!(read(&owned.sign_raw(&header, &payload())).is_ok());
    }
}

#[test]
fn an_unsigned_token_is_refused() {
    for owned in keys() {
        for alg in ["none", "None", "NONE", "nOnE", ""] {
            let message = format!("{}.{}", encode(header(alg, owned.key.key_id())), encode(payload()));
            assert_eq!(refusal(&format!("{message}.")), TokenError::BadSignature);
            let signed = owned.sign_raw(&header(alg, owned.key.key_id()), &payload());
            assert_eq!(refusal(&signed), TokenError::BadSignature);
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
            for alg in ["HS256", owned.key.algorithm().as_str()] {
                let message = format!("{}.{}", encode(header(alg, public.key_id())), encode(payload()));
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
                assert_eq!(refusal(&format!("{message}.{}", encode(tag))), TokenError::BadSignature);
            }
        }
    }
}

#[test]
fn the_algorithm_is_the_keys_and_not_the_headers() {
    for owned in keys() {
        for named in ["ES256", "RS256", "EdDSA", "PS256", "ES384", "es256", "Ed25519"] {
            if named == owned.key.algorithm().as_str() {
                continue;
            }
            // The signature itself is valid; only the algorithm name is wrong.
            let token = owned.sign_raw(&header(named, owned.key.key_id()), &payload());
            assert_eq!(refusal(&token), TokenError::BadSignature, "{named}");
        }
    }
}

#[test]
fn a_key_does_not_sign_under_the_id_of_another() {
    for signer in keys() {
        for named in keys().iter().filter(|named| named.key.key_id() != signer.key.key_id()) {
            for alg in [signer.key.algorithm(), named.key.algorithm()] {
                let token = signer.sign_raw(&header(alg.as_str(), named.key.key_id()), &payload());
                assert_eq!(refusal(&token), TokenError::BadSignature);
            }
        }
    }
}

#[test]
fn keys_in_the_header_are_not_believed() {
    let (stranger, _) = hufu_protocol::SigningKey::generate(SigningAlgorithm::Es256).unwrap();
    let jwk = serde_json::to_string(stranger.public().jwk()).unwrap();
    let owned = owned(SigningAlgorithm::Rs256);
    let kid = stranger.key_id();
    let header = format!(
        r#"{{"alg":"ES256","typ":"hufu-user+jwt","kid":"{kid}","jwk":{jwk},"jku":"https://example.com"}}"#
    );
    assert_eq!(refusal(&owned.sign_raw(&header, &payload())), TokenError::UnknownKey);
}

#[test]
fn headers_that_are_refused_although_signed() {
    let owned = owned(SigningAlgorithm::EdDsa);
    let kid = owned.key.key_id();
    for (header, error) in [
        // No extension is supported, so none can be critical (RFC 7515 4.1.11).
        (
            format!(r#"{{"alg":"EdDSA","typ":"hufu-user+jwt","kid":"{kid}","crit":["b64"],"b64":false}}"#),
            TokenError::Malformed,
        ),
        (
            format!(r#"{{"alg":"EdDSA","typ":"hufu-user+jwt","kid":"{kid}","crit":[]}}"#),
            TokenError::Malformed,
        ),
        (
            format!(r#"{{"alg":"EdDSA","typ":"hufu-user+jwt","kid":"{kid}","crit":null}}"#),
            TokenError::Malformed,
        ),
        (
            format!(r#"{{"alg":"EdDSA","alg":"EdDSA","typ":"hufu-user+jwt","kid":"{kid}"}}"#),
            TokenError::Malformed,
        ),
        (
            format!(r#"{{"alg":"EdDSA","typ":"JWT","typ":"hufu-user+jwt","kid":"{kid}"}}"#),
            TokenError::Malformed,
        ),
        (format!(r#"{{"alg":"EdDSA","typ":"hufu-user+jwt","kid":["{kid}"]}}"#), TokenError::Malformed),
        (format!(r#"{{"alg":"EdDSA","typ":"hufu-user+jwt","kid":"{kid}"}} x"#), TokenError::Malformed),
        (format!(r#"["EdDSA","hufu-user+jwt","{kid}",false]"#), TokenError::Malformed),
        (String::new(), TokenError::Malformed),
        (format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#), TokenError::WrongType),
        (format!(r#"{{"alg":"EdDSA","typ":"","kid":"{kid}"}}"#), TokenError::WrongType),
        (format!(r#"{{"alg":"EdDSA","typ":"HUFU-USER+JWT","kid":"{kid}"}}"#), TokenError::WrongType),
        (format!(r#"{{"alg":"EdDSA","typ":"jwt","kid":"{kid}"}}"#), TokenError::WrongType),
        (r#"{"alg":"EdDSA","typ":"hufu-user+jwt"}"#.to_owned(), TokenError::UnknownKey),
        (r#"{"alg":"EdDSA","typ":"hufu-user+jwt","kid":""}"#.to_owned(), TokenError::UnknownKey),
        (
            format!(r#"{{"alg":"EdDSA","typ":"hufu-user+jwt","kid":"{}"}}"#, kid.to_uppercase()),
            TokenError::UnknownKey,
        ),
        (format!(r#"{{"typ":"hufu-user+jwt","kid":"{kid}"}}"#), TokenError::BadSignature),
    ] {
        assert_eq!(refusal(&owned.sign_raw(&header, &payload())), error, "{header}");
    }
}

#[test]
fn a_changed_payload_or_signature_is_refused() {
    for owned in keys() {
        let token = user_token(owned.key.algorithm());
        let parts: Vec<&str> = token.split('.').collect();
        let (header, payload, signature) = (parts[0], parts[1], parts[2]);

        let other = String::from_utf8(decode(payload)).unwrap().replace(r#""sub":"user""#, r#""sub":"root""#);
        assert_ne!(other.as_bytes(), decode(payload));
        assert_eq!(refusal(&format!("{header}.{}.{signature}", encode(other))), TokenError::BadSignature);

        let bytes = decode(signature);
        let mut flipped = bytes.clone();
        flipped[17] ^= 0x10;
        let longer = [bytes.as_slice(), &[0]].concat();
        for forged in [&flipped, &longer, &bytes[1..].to_vec(), &vec![0; bytes.len()], &Vec::new()] {
            let forged = format!("{header}.{payload}.{}", encode(forged));
            assert_eq!(refusal(&forged), TokenError::BadSignature);
        }
    }
}

#[test]
fn the_form_is_strict() {
    let token = user_token(SigningAlgorithm::Es256);
    let parts: Vec<&str> = token.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    let escaped = token.replacen('.', "%2E", 1);
    for malformed in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!(".{payload}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{header}..{payload}.{signature}"),
        format!("{token}="),
        format!("{token}=="),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}==.{signature}"),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{header}\n.{payload}.{signature}"),
        format!("{header}.{payload}\u{3000}.{signature}"),
        format!("{token}\0"),
        format!("{token}+"),
        format!("Bearer {token}"),
        escaped,
    ] {
        // A payload is only decoded once it has been authenticated. Until then, only its signature matters.
        let error = refusal(&malformed);
        assert!(matches!(error, TokenError::Malformed | TokenError::BadSignature), "{malformed:?}: {error}");
    }
    assert!(read(&token).is_ok());
}

#[test]
fn a_signed_payload_that_is_not_strict_is_malformed() {
    let owned = owned(SigningAlgorithm::EdDsa);
    let header = header("EdDSA", owned.key.key_id());
    let (iss, exp) = (ISSUER, NOW.seconds() + 60);
    for payload in [
        String::new(),
        "{".to_owned(),
        format!(r#"["{iss}",{exp},null]"#),
        format!(r#"{{"iss":"{iss}","exp":{exp}}} "x""#),
        format!(r#"{{"iss":"{iss}","exp":1,"exp":{exp}}}"#),
        format!(r#"{{"iss":"other","iss":"{iss}","exp":{exp}}}"#),
    ] {
        assert_eq!(refusal(&owned.sign_raw(&header, &payload)), TokenError::Malformed, "{payload}");
    }
    assert!(read(&owned.sign_raw(&header, &format!(r#"{{"iss":"{iss}","exp":{exp}}}"#))).is_ok());
}

#[test]
fn error_texts_hold_nothing_of_the_token() {
    for error in [
        TokenError::Malformed,
        TokenError::UnknownKey,
        TokenError::WrongType,
        TokenError::BadSignature,
        TokenError::Expired,
        TokenError::NotYetValid,
        TokenError::WrongIssuer,
    ] {
        let text = error.to_string();
        assert!(text.starts_with("the token"), "{text}");
        assert!(!text.contains(ISSUER) && !text.contains(key(SigningAlgorithm::Es256).key_id()), "{text}");
    }
}

proptest! {
    #[test]
    fn any_other_byte_anywhere_is_refused(which in 0..3_usize, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = user_token(keys()[which].key.algorithm()).into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        if let Ok(mutated) = String::from_utf8(bytes) {
            prop_assert!(read(&mutated).is_err());
        }
    }

    #[test]
    fn nothing_made_up_passes_or_panics(text in "[A-Za-z0-9_.=-]{0,200}|\\PC{0,60}") {
        prop_assert!(read(&text).is_err());
    }
}
