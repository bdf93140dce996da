//! Encrypted user data and the signatures of a session (vectors G, H and I of WeChat's documentation).

use std::time::Duration;

use hufu_wechat::{
    DataError, SessionKey,
    crypto::{
        decrypt_data, encrypt_data, raw_data_signature, session_signature, verify_raw_data,
        verify_session_signature,
    },
    open_user_data,
    wire::{PhoneData, UserInfoData},
};
use serde_json::json;

const APP_ID: &str = "wx4f4bc4dec97d474b";
const KEY: &str = "tiihtNczf5v6AKRyjwEUhQ==";
const IV: &str = "r7BXXKkLb8qrSNn05n0qiA==";
const SEALED_AT: i64 = 1_477_314_187;
const HOUR: Duration = Duration::from_secs(3600);
const ENCRYPTED: &str = concat!(
    "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+",
    "3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6",
    "/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs",
    "8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns",
    "/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG",
    "20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew==",
);
const PLAIN: &str = concat!(
    r#"{"openId":"oGZUI0egBJY1zhBYw2KhdUfwVJJE","nickName":"Band","gender":1,"language":"zh_CN","#,
    r#""city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/"#,
    "aSKcBBPpibyKNicHNTMM0qJVh8Kjgiak2AHWr8MHM4WgMEm7GFhsf8OYrySdbvAMvTsw3mo8ibKicsnfN5pRjl1p8HQ/0",
    r#"","unionId":"ocMvos6NjeKLIBqg5Mr9QjxrP1FA","#,
    r#""watermark":{"timestamp":1477314187,"appid":"wx4f4bc4dec97d474b"}}"#,
);

fn key() -> SessionKey {
    SessionKey::parse(KEY).unwrap()
}

fn seal(data: &serde_json::Value) -> String {
    encrypt_data(&key(), &iv(), data.to_string().as_bytes())
}

fn iv() -> [u8; 16] {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(IV).unwrap().try_into().unwrap()
}

#[test]
fn the_official_sample_opens_and_is_made_again() {
    assert_eq!(ENCRYPTED.len(), 536);
    let plain = decrypt_data(&key(), IV, ENCRYPTED).unwrap();
    assert_eq!(String::from_utf8(plain).unwrap(), PLAIN);
    assert_eq!(encrypt_data(&key(), &iv(), PLAIN.as_bytes()), ENCRYPTED);
}

#[test]
fn the_official_sample_is_accepted_as_user_data() {
    let info: UserInfoData = open_user_data(&key(), IV, ENCRYPTED, APP_ID, SEALED_AT + 10, HOUR).unwrap();
    assert_eq!(info.open_id.as_deref(), Some("oGZUI0egBJY1zhBYw2KhdUfwVJJE"));
    assert_eq!(info.union_id.as_deref(), Some("ocMvos6NjeKLIBqg5Mr9QjxrP1FA"));
    assert_eq!(info.nick_name.as_deref(), Some("Band"));
    assert_eq!(info.gender, Some(1));
}

#[test]
fn what_is_damaged_gives_one_and_the_same_error() {
    let open = |key: &SessionKey, iv: &str, encrypted: &str| {
        decrypt_data(key, iv, encrypted).map_err(|e| e.to_string())
    };
    let other = SessionKey::parse("HyVFkGl5F5OQWJZZaNzBBg==").unwrap();
    let generic = Err("the data cannot be decrypted".to_owned());
    assert_eq!(open(&other, IV, ENCRYPTED), generic);
    for iv in ["", "r7BXXKkLb8qrSNn05n0q", "r7BXXKkLb8qrSNn05n0qiAAA", "not base64!"] {
        assert_eq!(open(&key(), iv, ENCRYPTED), generic, "{iv}");
    }
    for encrypted in ["", "AAAA", "not base64!", &ENCRYPTED[..ENCRYPTED.len() - 4], &ENCRYPTED[..64]] {
        assert_eq!(open(&key(), IV, encrypted), generic, "{encrypted}");
    }
}

#[test]
fn every_length_survives_sealing_and_opening() {
    for length in 0..=48 {
        let plain = vec![b'x'; length];
        assert_eq!(decrypt_data(&key(), IV, &encrypt_data(&key(), &iv(), &plain)).unwrap(), plain);
    }
}

#[test]
fn data_of_another_app_or_another_time_is_refused() {
    let open =
        |app_id, now| open_user_data::<UserInfoData>(&key(), IV, ENCRYPTED, app_id, now, HOUR).map(|_| ());
    assert_eq!(open("wx0123456789abcdef", SEALED_AT), Err(DataError::OtherApp));
    assert_eq!(open(APP_ID, SEALED_AT + 3600), Ok(()));
    assert_eq!(open(APP_ID, SEALED_AT + 3601), Err(DataError::Stale));
    assert_eq!(open(APP_ID, SEALED_AT - 600), Ok(()));
    assert_eq!(open(APP_ID, SEALED_AT - 601), Err(DataError::Stale));
    assert_eq!(open(APP_ID, i64::MIN), Err(DataError::Stale));
}

#[test]
fn data_of_another_shape_is_refused() {
    let open = |data: &serde_json::Value| {
        open_user_data::<UserInfoData>(&key(), IV, &seal(data), APP_ID, SEALED_AT, HOUR).map(|_| ())
    };
    assert_eq!(open(&json!({ "openId": "o" })), Err(DataError::OtherApp));
    assert_eq!(open(&json!("text")), Err(DataError::WrongShape));
    assert_eq!(open(&json!({ "watermark": { "appid": APP_ID } })), Err(DataError::WrongShape));
    let watermark = json!({ "appid": APP_ID, "timestamp": SEALED_AT });
    assert_eq!(open(&json!({ "watermark": watermark, "nickName": {} })), Err(DataError::WrongShape));
    assert_eq!(open(&json!({ "watermark": watermark })), Ok(()));
}

#[test]
fn the_old_phone_data_opens() {
    let sealed = seal(&json!({
        "phoneNumber": "13800000000", "purePhoneNumber": "13800000000", "countryCode": "86",
        "watermark": { "appid": APP_ID, "timestamp": SEALED_AT },
    }));
    let phone: PhoneData = open_user_data(&key(), IV, &sealed, APP_ID, SEALED_AT, HOUR).unwrap();
    assert_eq!(phone.pure_phone_number.as_deref(), Some("13800000000"));
    assert_eq!(phone.country_code.as_deref(), Some("86"));
}

#[test]
fn the_official_raw_data_signature() {
    let key = SessionKey::parse("HyVFkGl5F5OQWJZZaNzBBg==").unwrap();
    let raw = concat!(
        r#"{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","#,
        r#""country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/"#,
        r#"1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}"#,
    );
    let signature = "75e81ceda165f4ffa64f4068af58c64b8f54b88c";
    assert_eq!(raw_data_signature(raw, &key), signature);
    assert!(verify_raw_data(raw, &key, signature));
    for wrong in ["", "75e81ceda165f4ffa64f4068af58c64b8f54b88d", &signature[1..], &format!("{signature} ")] {
        assert!(!verify_raw_data(raw, &key, wrong), "{wrong}");
    }
    assert!(!verify_raw_data(&raw.replace("Band", "Bond"), &key, signature));
}

#[test]
fn the_official_session_signature() {
    let key = SessionKey::parse("o0q0otL8aEzpcZL/FT9WsQ==").unwrap();
    let of_body = "654571f79995b2ce1e149e53c0a33dc39c0a74090db514261454e8dbe432aa0b";
    assert_eq!(session_signature(&key, br#"{"foo":"bar"}"#), of_body);
    assert_eq!(
        session_signature(&key, b""),
        "46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128"
    );
    assert!(verify_session_signature(&key, br#"{"foo":"bar"}"#, of_body));
    assert!(!verify_session_signature(&key, b"", of_body));
}
