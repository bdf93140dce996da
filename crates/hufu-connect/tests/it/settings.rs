//! The format of stored settings.

use hufu_connect::{MailSettings, SmsSettings, mail::Encryption};

use crate::sender_context;

const SMTP: &str = r#"
provider = "smtp"
host = "smtp.example.com"
username = "mailer"
password = "s3cret"
from = "Shop <no-reply@example.com>"
"#;
const ALIYUN: &str = r#"
provider = "aliyun"
access_key_id = "id"
access_key_secret = "s3cret"
sign_name = "店"
template_code = "SMS_1"
template_codes = { reset_password = "SMS_2" }
"#;
const TENCENT: &str = r#"
provider = "tencent"
secret_id = "id"
secret_key = "s3cret"
sdk_app_id = "1400006666"
sign_name = "店"
template_id = "1"
parameters = ["code", "minutes"]
"#;
const HTTP: &str = r#"
provider = "http"
url = "https://sms.example.com/send?key=s3cret"
headers = { authorization = "Bearer s3cret" }
body = { to = ["{{phone}}"], content = "{{text}}" }
accepted = { pointer = "/code", equals = 0 }
"#;

#[test]
fn settings_are_read_written_and_not_debugged() {
    let mail: MailSettings = toml::from_str(SMTP).unwrap();
    let MailSettings::Smtp(smtp) = &mail else { panic!("{mail:?}") };
    assert_eq!((smtp.encryption, smtp.port, smtp.encryption.port()), (Encryption::Starttls, None, 587));
    assert!(!format!("{mail:?}").contains("s3cret"));
    let stored = serde_json::to_string(&mail).unwrap();
    assert!(stored.contains(r#""provider":"smtp""#) && stored.contains("s3cret"));
    assert_eq!(
        serde_json::to_string(&serde_json::from_str::<MailSettings>(&stored).unwrap()).unwrap(),
        stored
    );

    for text in [ALIYUN, TENCENT, HTTP] {
        let sms: SmsSettings = toml::from_str(text).unwrap();
        assert!(!format!("{sms:?}").contains("s3cret"), "{sms:?}");
        let stored = serde_json::to_string(&sms).unwrap();
        let again: SmsSettings = serde_json::from_str(&stored).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), stored);
        sms.build(&sender_context()).unwrap();
    }
    assert_eq!(serde_json::to_string(&SmsSettings::Outbox {}).unwrap(), r#"{"provider":"outbox"}"#);
    toml::from_str::<SmsSettings>("provider = \"outbox\"").unwrap();
    toml::from_str::<MailSettings>("provider = \"outbox\"").unwrap();
}

#[test]
fn misspelt_keys_are_reported() {
    for (text, word) in [
        (format!("{ALIYUN}\nendpiont = \"x\""), "endpiont"),
        (format!("{TENCENT}\nreigon = \"x\""), "reigon"),
        (format!("{HTTP}\nheader = {{}}"), "header"),
        ("provider = \"outbox\"\nhost = \"x\"".to_owned(), "host"),
        ("provider = \"pigeon\"".to_owned(), "pigeon"),
        (ALIYUN.replace("reset_password", "forgot"), "forgot"),
    ] {
        let error = toml::from_str::<SmsSettings>(&text).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
    for (text, word) in
        [(format!("{SMTP}\nsecure = true"), "secure"), (format!("{SMTP}\nencryption = \"ssl\""), "ssl")]
    {
        let error = toml::from_str::<MailSettings>(&text).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
}

#[test]
fn senders_that_cannot_work_are_not_made() {
    for (text, setting) in [
        (ALIYUN.to_owned() + "endpoint = \"dysmsapi.aliyuncs.com\"", "endpoint"),
        (ALIYUN.to_owned() + "endpoint = \"https://u:p@dysmsapi.aliyuncs.com\"", "endpoint"),
        (TENCENT.to_owned() + "endpoint = \"https://sms.tencentcloudapi.com?x\"", "endpoint"),
        (HTTP.replace("https://sms", "sms"), "endpoint"),
        (HTTP.replace("{{text}}", "{{txt}}"), "{{txt}}"),
        (HTTP.replace("{{text}}", "hello"), "{{code}}"),
        (HTTP.replace("{{phone}}", "x"), "{{phone}}"),
        (HTTP.replace("/code", "code"), "pointer"),
    ] {
        let settings: SmsSettings = toml::from_str(&text).unwrap();
        let Err(error) = settings.build(&sender_context()) else { panic!("{text}") };
        assert!(error.to_string().contains(setting), "{setting}: {error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}
