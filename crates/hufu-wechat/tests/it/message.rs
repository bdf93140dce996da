//! Message pushes: vectors A to F of WeChat's documentation and of its official samples.

use hufu_wechat::{
    DecryptError,
    crypto::message::{
        EncodingAesKey, InvalidAesKey, decrypt, encrypt, message_signature, url_signature, verify_message,
        verify_url,
    },
};

pub(crate) const ZERO_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// Its last character has two bits that belong to no byte.
pub(crate) const ALPHABET_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

pub(crate) const B_ENCRYPTED: &str = concat!(
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzD",
    "pVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2I",
    "uQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F",
    "9mFUPAJGj04=",
);
pub(crate) const C_ENCRYPTED: &str = concat!(
    "D7yzvUNAL930rd28wf21s4hvXhz0L6Uit/p2Di6C5DHyYGpEgdBRnKjBec34JwoQXicwaZC7fOVihW80F4VtsdvE//1vr7oA",
    "bqjDv8KenVp+ajKYpJnyQ4zMRhIC+a31fCVOMC03FfzV/QuC94kBP55a+Za3sJgvAn+ZbsNqZI5DkyuzkhQN8OBqCzFhizGm",
    "y0xpM0MEA4agpvE+RuNO1rhHTtuJB5yltw1FiYzecSXJ+y/D2r81VkRn2eYjh2ltsoyfbDR7Is6ookXIFxTfyeNyeHxMeT4K",
    "N5WpCDmSbTcUYrbBUlkGLJ9n/rU8YOywma6G7aTb7KZKOqCxgfoUlYEZPk4FUL/TK7ShriFDMVCLyjQJ15Ob++agDWtcxhfU",
    "fe6HIoIpRW8mKNBQiY/Jd1svvuskA1wLef1RTtzKfMpagSCX/laZINmdnX4zrF6kIaR9P4xQrWXbsTFHTYe0Mg==",
);
pub(crate) const D_ENCRYPTED: &str = concat!(
    "MNn4+jJ/VsFh2gUyKAaOJArwEVYCvVmyN0iXzNarP3O6vXzK62ft1/KG2/XPZ4y5bPWU/jfIfQxODRQ7sLkUsrDRqsWimuhI",
    "T8Eq+w4E/28m+XDAQKEOjWTQIOp1p6kNsIV1DdC3B+AtcKcKSNAeJDr7x7GHLx5DZYK09qQsYDOjP6R5NqebFjKt/NpEl/GU",
    "3gWFwG8LCtRNuIYdK5axbFSfmXbh5CZ6Bk5wSwj5fu5aS90cMAgUhGsxrxZTY562QR6c+3ydXxb+GHI5w+qA+eqJjrQqR7u5",
    "hS+1x5sEsA7vS+bZ5LYAR3+PZ243avQkGllQ+rg7a6TeSGDxxhvLw+mxxinyk88BNHkJnyK//hM1k9PuvuLAASdaud4vzRQl",
    "AmnYOslZl8CN7gjCjV41skUTZv3wwGPxvEqtm/nf5fQ=",
);

fn key(text: &str) -> EncodingAesKey {
    EncodingAesKey::parse(text).unwrap()
}

fn random(text: &str) -> [u8; 16] {
    text.as_bytes().try_into().unwrap()
}

/// Decrypts, checks that encrypting produces the same text again, and returns the message.
fn open_and_seal(key_text: &str, encrypted: &str, random_text: &str, receiver: &str) -> String {
    let message = decrypt(&key(key_text), encrypted, receiver).unwrap();
    assert_eq!(encrypt(&key(key_text), &random(random_text), &message, receiver), encrypted);
    String::from_utf8(message).unwrap()
}

#[test]
fn a_url_checks_and_plain_pushes() {
    for (token, timestamp, nonce, signature) in [
        ("AAAAA", "1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"),
        ("AAAAA", "1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
        ("test", "1410685589", "test", "f21891de399b4e33a1a93c9a7b8a8fffb5a443ff"),
    ] {
        assert_eq!(url_signature(token, timestamp, nonce), signature);
        assert!(verify_url(token, timestamp, nonce, signature));
        assert!(!verify_url(token, timestamp, nonce, &signature.replace('4', "5")));
        assert!(!verify_url(token, timestamp, nonce, ""));
        assert!(!verify_url("other", timestamp, nonce, signature));
    }
}

#[test]
fn b_json_in_safe_mode() {
    let app_id = "wxba5fad812f8e6fb9";
    let signature = "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3";
    assert!(verify_message("AAAAA", "1714112445", "415670741", B_ENCRYPTED, signature));
    assert!(verify_url("AAAAA", "1714112445", "415670741", "6c5c811b55cc85e0e1b54100749188c20beb3f5d"));
    assert!(!verify_message("AAAAA", "1714112445", "415670742", B_ENCRYPTED, signature));
    assert_eq!(
        open_and_seal(ZERO_KEY, B_ENCRYPTED, "a8eedb185eb2fecf", app_id),
        concat!(
            r#"{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","#,
            r#""CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}"#,
        )
    );

    let reply = encrypt(&key(ZERO_KEY), &random("707722b803182950"), br#"{"demo_resp":"good luck"}"#, app_id);
    assert_eq!(
        reply,
        "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
    );
    assert_eq!(
        message_signature("AAAAA", "1713424427", "415670741", &reply),
        "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"
    );
}

#[test]
fn c_xml_for_a_third_party_platform() {
    let signature = "6c12a4205838198b8fa631b3220723bb07f1015c";
    assert!(verify_message("AAAAA", "1715943329", "1590219412", C_ENCRYPTED, signature));
    assert!(verify_url("AAAAA", "1715943329", "1590219412", "cc0c594499c1634947d5b502f158ee518947db27"));
    let message = open_and_seal(ZERO_KEY, C_ENCRYPTED, "1205899eaf019bbd", "wx134c8103faa5a59e");
    assert!(message.starts_with("<xml>") && message.contains("<![CDATA[gh_"), "{message}");
}

#[test]
fn d_xml_of_an_official_account() {
    let signature = "6147984331daf7a1a9eed6e0ec3ba69055256154";
    assert!(verify_message("weixin", "1414243737", "1792106704", D_ENCRYPTED, signature));
    assert!(verify_url("weixin", "1414243737", "1792106704", "35703636de2f9df2a77a662b68e521ce17c34db4"));
    let message = open_and_seal(ALPHABET_KEY, D_ENCRYPTED, "fd219fb17e4d1657", "wxbad0b45542aa0b5e");
    for part in ["oIDrpjpQ8j8mBuQ8nM26HWzNEZgg", "gh_680bdefc8c5d", "6074130599188426998"] {
        assert!(message.contains(part), "{part}");
    }
}

#[test]
fn e_a_message_in_chinese() {
    let sealed = encrypt(
        &key(ALPHABET_KEY),
        &random("aaaabbbbccccdddd"),
        "我是中文abcd123".as_bytes(),
        "wxb11529c136998cb6",
    );
    assert_eq!(
        sealed,
        "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg=="
    );
    assert_eq!(
        message_signature("pamtest", "1409304348", "xxxxxx", &sealed),
        "82c962d39941aa48552f90ef55aa323dc620cc10"
    );
}

#[test]
fn f_a_url_check_of_wecom() {
    let echo = "4ByGGj+sVCYcvGeQYhaKIk1o0pQRNbRjxybjTGblXrBaXlTXeOo1+bXFXDQQb1o6co6Yh9Bv41n7hOchLF6p+Q==";
    let signature = "dd6b9c95b495b3f7e2901bfbc76c664930ffdb96";
    assert!(verify_message("123456", "1411443780", "437374425", echo, signature));
    let key = key("kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR");
    assert_eq!(decrypt(&key, echo, "wx49f0ab532d5d035a").unwrap(), b"5927782489442352469");
}

#[test]
fn every_length_survives_sealing_and_opening() {
    for length in 0..=70 {
        let message = vec![b'm'; length];
        let sealed = encrypt(&key(ALPHABET_KEY), &[7; 16], &message, "wxb11529c136998cb6");
        assert_eq!(decrypt(&key(ALPHABET_KEY), &sealed, "wxb11529c136998cb6").unwrap(), message);
    }
}

#[test]
fn what_is_damaged_or_for_another_is_refused() {
    let open = |key_text, encrypted: &str, receiver| decrypt(&key(key_text), encrypted, receiver);
    assert_eq!(open(ZERO_KEY, B_ENCRYPTED, "wx0123456789abcdef"), Err(DecryptError));
    assert_eq!(open(ZERO_KEY, B_ENCRYPTED, ""), Err(DecryptError));
    assert_eq!(open(ALPHABET_KEY, B_ENCRYPTED, "wxba5fad812f8e6fb9"), Err(DecryptError));
    for encrypted in ["", "AAAA", "not base64!", "AAAAAAAAAAAAAAAAAAAAAA==", &B_ENCRYPTED[..256]] {
        assert_eq!(open(ZERO_KEY, encrypted, "wxba5fad812f8e6fb9"), Err(DecryptError), "{encrypted}");
    }
}

#[test]
fn a_key_is_43_letters_and_digits_and_stays_hidden() {
    assert_eq!(format!("{:?}", key(ALPHABET_KEY)), "EncodingAesKey(***)");
    for bad in ["", &ALPHABET_KEY[1..], &format!("{ALPHABET_KEY}="), &format!("{}-", &ALPHABET_KEY[1..])] {
        assert_eq!(EncodingAesKey::parse(bad).err(), Some(InvalidAesKey), "{bad}");
    }
}
