//! `[user_pool.email]`, `[user_pool.sms]` and `[user_pool.templates.…]`.

use hufu_connect::mail::Encryption;
use hufu_connect::templates::Values;
use hufu_connect::{MailSettings, SmsSettings, TemplateKind};
use hufu_types::Language;

use super::*;

const SMTP: &str = r#"
[user_pool.email]
provider = "smtp"
host = "smtp.example.com"
port = 2525
encryption = "tls"
username = "mailer"
password = { env = "SHOP_SECRET" }
from = "Shop <no-reply@example.com>"
timeout_seconds = 20
"#;
const ALIYUN: &str = r#"
[user_pool.sms]
provider = "aliyun"
access_key_id = "id"
access_key_secret = { env = "SHOP_SECRET" }
sign_name = "店"
template_code = "SMS_1"
template_codes = { reset_password = "SMS_2" }
international_template_code = "SMS_3"
code_parameter = "number"
minutes_parameter = "minutes"
endpoint = "https://dysmsapi.example.com"
"#;
const TENCENT: &str = r#"
[user_pool.sms]
provider = "tencent"
secret_id = "id"
secret_key = { env = "SHOP_SECRET" }
sdk_app_id = "1400006666"
sign_name = "店"
template_id = "1"
template_ids = { login = "2" }
international_template_id = "3"
parameters = ["code", "minutes"]
region = "ap-beijing"
endpoint = "https://sms.example.com"
"#;
const HTTP: &str = r#"
[user_pool.sms]
provider = "http"
url = { env = "SMS_URL" }
headers = { authorization = { env = "SHOP_SECRET" }, accept = "application/json" }
body = { key = { env = "SHOP_SECRET" }, to = ["{{phone}}"], text = "{{text}}", count = 1, rate = 1.5, flash = false }
accepted = { pointer = "/code", equals = 0 }
"#;
const SECRET: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75e";

fn environment(name: &str) -> Option<String> {
    match name {
        "SMS_URL" => Some(format!("https://sms.example.com/send?key={SECRET}")),
        name => super::environment(name),
    }
}

fn read_pool(lines: &str) -> Result<DesiredPool, String> {
    let read = read(&in_pool(lines), "hufu.toml", &environment);
    read.map(|mut desired| desired.pools.remove(0)).map_err(|errors| errors.to_string())
}

fn sms(lines: &str) -> SmsSettings {
    read_pool(lines).unwrap_or_else(|errors| panic!("{errors}")).sms.expect("settings").settings
}

/// The keys of a table.
fn keys(table: &str) -> Vec<&str> {
    table.lines().filter_map(|line| line.split_once(" = ").map(|(key, _)| key)).collect()
}

#[test]
fn every_key_of_every_provider_is_read_and_documented() {
    let page = include_str!("../../../../../../../docs/apply.md");
    for table in [SMTP, ALIYUN, TENCENT, HTTP] {
        let pool = read_pool(table).unwrap_or_else(|errors| panic!("{errors}"));
        let stored = match (&pool.email, &pool.sms) {
            (Some(email), None) => serde_json::to_value(&email.settings).unwrap(),
            (None, Some(sms)) => serde_json::to_value(&sms.settings).unwrap(),
            both => panic!("{both:?}"),
        };
        let stored = stored.as_object().unwrap();
        let mut known: Vec<_> = stored.keys().map(String::as_str).collect();
        let mut written = keys(table);
        known.sort_unstable();
        written.sort_unstable();
        assert_eq!(known, written, "each key of the settings stands in the example");
        assert!(serde_json::to_string(stored).unwrap().contains(SECRET));
        for key in written {
            assert!(page.contains(&format!("`{key}`")), "docs/apply.md does not tell of {key}");
        }
        assert!(!format!("{pool:?}").contains("5ec2e7"), "{pool:?}");
    }
    let Ok(DesiredPool { email: Some(email), .. }) = read_pool(SMTP) else { panic!("e-mail") };
    let MailSettings::Smtp(smtp) = email.settings else { panic!("SMTP") };
    assert_eq!((smtp.port, smtp.timeout_seconds), (Some(2525), 20));
    let SmsSettings::Http(http) = sms(HTTP) else { panic!("HTTP") };
    assert_eq!(http.body["key"], SECRET);
    assert_eq!((&http.body["count"], &http.body["rate"]), (&1.into(), &1.5.into()));
}

#[test]
fn what_may_be_left_out_has_the_default_of_its_provider() {
    let least = "[user_pool.email]\nprovider = \"smtp\"\nhost = \"mail\"\nfrom = \"a@example.com\"";
    let MailSettings::Smtp(smtp) = read_pool(least).unwrap().email.unwrap().settings else { panic!("SMTP") };
    assert_eq!((smtp.port, smtp.encryption, smtp.timeout_seconds), (None, Encryption::Starttls, 15));
    assert!(smtp.username.is_none() && smtp.password.is_none());
    let least = "[user_pool.sms]\nprovider = \"aliyun\"\naccess_key_id = \"i\"\naccess_key_secret = \"s\"\n\
                 sign_name = \"n\"\ntemplate_code = \"t\"";
    let SmsSettings::Aliyun(aliyun) = sms(least) else { panic!("Aliyun") };
    assert_eq!(
        (aliyun.code_parameter.as_str(), aliyun.endpoint.as_str()),
        ("code", "https://dysmsapi.aliyuncs.com")
    );
    let least = "[user_pool.sms]\nprovider = \"tencent\"\nsecret_id = \"i\"\nsecret_key = \"s\"\nsdk_app_id = \"1\"\n\
                 template_id = \"t\"";
    let SmsSettings::Tencent(tencent) = sms(least) else { panic!("Tencent") };
    assert_eq!((tencent.region.as_str(), tencent.parameters.len()), ("ap-guangzhou", 1));
    assert!(matches!(sms("[user_pool.sms]\nprovider = \"outbox\""), SmsSettings::Outbox {}));
    let outbox = read_pool("[user_pool.email]\nprovider = \"outbox\"").unwrap();
    assert!(matches!(outbox.email.unwrap().settings, MailSettings::Outbox {}));
}

#[test]
fn senders_that_cannot_be() {
    for (table, old, new, message) in [
        (SMTP, "\"smtp\"", "\"sendmail\"", "6:12: unknown provider `sendmail` — write one of smtp, outbox"),
        (
            ALIYUN,
            "\"aliyun\"",
            "\"pigeon\"",
            "6:12: unknown provider `pigeon` — write one of aliyun, tencent, http, outbox",
        ),
        (
            SMTP,
            "provider = \"smtp\"",
            "",
            "5:1: the e-mail settings without `provider` — add the key `provider`",
        ),
        (
            SMTP,
            "host = \"smtp.example.com\"",
            "",
            "5:1: the e-mail settings without `host` — add the key `host`",
        ),
        (SMTP, "host = ", "hots = ", "7:1: unknown key `hots` in the e-mail settings — did you mean `host`?"),
        (SMTP, "2525", "\"25\"", "8:8: `port` is a string — write a whole number"),
        (SMTP, "2525", "70000", "8:8: `port` is not valid — a port is 1 to 65535"),
        (SMTP, "2525", "0", "8:8: `port` is not valid — a port is 1 to 65535"),
        (
            SMTP,
            "\"tls\"",
            "\"ssl\"",
            "9:14: `encryption` is not valid — unknown variant `ssl`, expected one of `none`, `starttls`, `tls`",
        ),
        (
            SMTP,
            "SHOP_SECRET",
            "UNSET",
            "11:20: the environment variable UNSET is not set — set it for this command",
        ),
        (
            SMTP,
            "\"Shop <no-reply@example.com>\"",
            "\"Shop\"",
            "12:8: `from`: must have the form name@example.com or A Name <name@example.com>",
        ),
        (SMTP, "username = \"mailer\"", "", "5:1: `username`: required with `password`"),
        (ALIYUN, "https://dysmsapi", "dysmsapi", "15:12: `endpoint`: must start with http:// or https://"),
        (
            ALIYUN,
            "reset_password",
            "forgot",
            "11:20: `template_codes` is not valid — unknown variant `forgot`, expected one of",
        ),
        (
            TENCENT,
            "\"minutes\"]",
            "\"hours\"]",
            "14:23: `parameters` is not valid — unknown variant `hours`, expected `code` or `minutes`",
        ),
        (
            TENCENT,
            "template_id = \"1\"",
            "template_id = \"\"",
            "11:15: `template_id` is not valid — write at least one character",
        ),
        (HTTP, "{{text}}", "{{txt}}", "9:8: `body`: {{txt}} is not one of the placeholders"),
        (HTTP, "{{phone}}", "me", "9:8: `body`: must contain {{phone}} or {{national}}"),
        (HTTP, "\"/code\"", "\"code\"", "10:12: `accepted`: a JSON pointer must start with '/'"),
        (HTTP, "SMS_URL", "SHOP_SECRET", "7:7: `url`: "),
        (
            HTTP,
            "equals = 0",
            "equal = 0",
            "10:33: unknown key `equal` in `accepted` — did you mean `equals`?",
        ),
    ] {
        assert!(table.contains(old), "{old}");
        let errors = read_pool(&table.replace(old, new)).expect_err(new);
        // A mistake in one key may also cause an error for the key it belongs with.
        let first = errors.lines().next().unwrap();
        let second = errors.lines().nth(1).unwrap_or_default();
        let expected = format!("hufu.toml:{message}");
        assert!(
            first.starts_with(&expected) || second.starts_with(&expected),
            "{new}:\n{errors}\n{expected}"
        );
        assert!(!errors.contains("5ec2e7"), "{errors}");
    }
}

/// A secret is never quoted, whatever the type of its value and wherever the mistake.
#[test]
fn secrets_of_senders_are_never_shown() {
    for (table, old, new) in [
        (SMTP, "{ env = \"SHOP_SECRET\" }", "5275275275"),
        (SMTP, "{ env = \"SHOP_SECRET\" }", "[\"5275275275\"]"),
        (SMTP, "{ env = \"SHOP_SECRET\" }", "{ env = \"5275275275 x\" }"),
        (HTTP, "{ env = \"SMS_URL\" }", "\"5275275275\""),
        (HTTP, "{ env = \"SMS_URL\" }", "\"https://5275275275@example.com/{{txt}}\""),
        (HTTP, "authorization = { env = \"SHOP_SECRET\" }", "authorization = 5275275275"),
        (ALIYUN, "{ env = \"SHOP_SECRET\" }", "\"5275275275\\u0000\""),
    ] {
        assert!(table.contains(old), "{old}");
        let errors = read_pool(&table.replace(old, new)).expect_err(new);
        assert!(!errors.contains("527527"), "{errors}");
    }
}

#[test]
fn templates_are_read() {
    let text = "[user_pool.templates.login.zh-CN]\nsms = \"{app}：{code}\"\n\
                [user_pool.templates.login.en]\nsubject = \"{app}: {code}\"\ntext = \"{code}\"\nhtml = \"<b>{code}</b>\"";
    let templates = read_pool(text).unwrap().templates.unwrap();
    let values = Values { app: "Shop", code: "123456", minutes: 5 };
    assert_eq!(templates.sms(TemplateKind::Login, Language::SimplifiedChinese, &values), "Shop：123456");
    let mail = templates.mail(TemplateKind::Login, Language::English, &values);
    assert_eq!((mail.subject.as_str(), mail.html.as_str()), ("Shop: 123456", "<b>123456</b>"));
    assert_eq!(read_pool("").unwrap().templates, None);

    for (text, message) in [
        (
            "[user_pool.templates.signin.en]\nsms = \"{code}\"",
            "unknown purpose of messages `signin` — write one of login, register, reset_password",
        ),
        (
            "[user_pool.templates.login.fr]\nsms = \"{code}\"",
            "unknown language `fr` — write one of zh-CN, zh-TW, en, ja",
        ),
        (
            "[user_pool.templates.login.en]\nsms = \"Hello\"",
            "4:1: the sms of the template Login in en lacks {code} — correct the text",
        ),
        (
            "[user_pool.templates.login.en]\nsms = \"{code} {name}\"",
            "4:1: the sms of the template Login in en has {name}, which is not one of {app}, {code}, {minutes} — correct \
             the text",
        ),
        (
            "[user_pool.templates.login.en]\nsms = 1",
            "5:7: `en` is not valid — invalid type: integer `1`, expected a string",
        ),
        (
            "[user_pool.templates.login.en]\nbody = \"{code}\"",
            "5:1: unknown key `body` in a template — the keys here are",
        ),
        (
            "[user_pool.templates]\nlogin = \"{code}\"",
            "5:9: `login` is a string — write [user_pool.templates.login.zh-CN]",
        ),
    ] {
        let errors = read_pool(text).expect_err(text);
        assert!(errors.contains(message) && errors.lines().count() == 1, "{errors}");
    }
}
