//! SMS through the three kinds of provider.

use std::collections::BTreeMap;

use aws_lc_rs::{digest, hmac};
use hufu_connect::{
    Fault, GuardedClient, SendError, SenderContext, Sms, SmsSettings, TemplateKind, guarded,
    sms::{Accepted, AliyunSettings, HttpSettings, Parameter, TencentSettings},
};
use hufu_types::{Language, Phone};
use serde_json::json;

use crate::{
    everything_printed,
    fake_http::{Reply, Seen, Server},
    sender_context,
};

const KEY: &str = "s3cret-key";

fn sms_to(number: &str) -> Sms {
    Sms {
        to: Phone::parse(number).unwrap(),
        code: Some("012345".into()),
        minutes: 5,
        template: TemplateKind::Login,
        language: Language::SimplifiedChinese,
        text: "【店\"{{code}}】验证码：012345".into(),
    }
}

fn sms() -> Sms {
    sms_to("+8613800000000")
}

async fn send(settings: SmsSettings, sms: &Sms) -> Result<(), SendError> {
    settings.build(&sender_context()).unwrap().send(sms).await
}

fn aliyun(base: &str) -> AliyunSettings {
    AliyunSettings {
        access_key_id: "LTAI-id".into(),
        access_key_secret: KEY.into(),
        sign_name: "虎符 测试".into(),
        template_code: "SMS_1".into(),
        template_codes: BTreeMap::from([(TemplateKind::ResetPassword, "SMS_2".to_owned())]),
        international_template_code: Some("SMS_9".into()),
        code_parameter: "code".into(),
        minutes_parameter: None,
        endpoint: base.into(),
    }
}

fn tencent(base: &str) -> TencentSettings {
    TencentSettings {
        secret_id: "AKID-id".into(),
        secret_key: KEY.into(),
        sdk_app_id: "1400006666".into(),
        sign_name: "虎符".into(),
        template_id: "1".into(),
        template_ids: BTreeMap::from([(TemplateKind::ResetPassword, "2".to_owned())]),
        international_template_id: None,
        parameters: vec![Parameter::Code, Parameter::Minutes],
        region: "ap-guangzhou".into(),
        endpoint: base.into(),
    }
}

fn http(base: &str) -> HttpSettings {
    HttpSettings {
        url: format!("{base}/send?key={KEY}").as_str().into(),
        headers: BTreeMap::from([("authorization".to_owned(), KEY.into())]),
        body: json!({
            "to": ["{{phone}}", "{{country_code}}-{{ national }}"],
            "vars": { "code": "{{code}}", "minutes": "{{minutes}}" },
            "content": "{{text}}",
            "count": 1,
            "literal": "{{",
        }),
        accepted: Some(Accepted { pointer: "/result/code".into(), equals: json!(0) }),
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

fn hmac256(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// The text after `name=` in an Authorization header.
fn part<'a>(header: &'a str, name: &str) -> &'a str {
    let (_, after) = header.split_once(&format!("{name}=")).unwrap();
    after.split([',', ' ']).next().unwrap()
}

fn query(seen: &Seen) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(seen.query.as_bytes()).into_owned().collect()
}

/// Computes the signature of the received request as documented by Alibaba Cloud, from the request alone.
fn aliyun_signature(seen: &Seen) -> String {
    let names = part(seen.header("authorization"), "SignedHeaders");
    let headers: Vec<_> = names.split(';').map(|name| format!("{name}:{}\n", seen.header(name))).collect();
    let canonical =
        [&seen.method, &seen.path, &seen.query, &headers.concat(), names, &sha256(&seen.body)].join("\n");
    hex::encode(hmac256(KEY.as_bytes(), &format!("ACS3-HMAC-SHA256\n{}", sha256(canonical.as_bytes()))))
}

/// Computes the signature of the received request as documented by Tencent Cloud, from the request alone.
fn tencent_signature(seen: &Seen, date: &str) -> String {
    let names = part(seen.header("authorization"), "SignedHeaders");
    let line = |name: &str| format!("{name}:{}\n", seen.header(name).to_lowercase());
    let headers: Vec<_> = names.split(';').map(line).collect();
    let canonical =
        [&seen.method, &seen.path, &seen.query, &headers.concat(), names, &sha256(&seen.body)].join("\n");
    let text = format!(
        "TC3-HMAC-SHA256\n{}\n{date}/sms/tc3_request\n{}",
        seen.header("x-tc-timestamp"),
        sha256(canonical.as_bytes())
    );
    let key = hmac256(format!("TC3{KEY}").as_bytes(), date);
    hex::encode(hmac256(&hmac256(&hmac256(&key, "sms"), "tc3_request"), &text))
}

#[tokio::test]
async fn alibaba_cloud_gets_a_signed_call() {
    let server = Server::answering(200, r#"{"Code":"OK","Message":"OK","BizId":"1","RequestId":"r"}"#).await;
    send(SmsSettings::Aliyun(aliyun(&server.base)), &sms()).await.unwrap();

    let seen = server.only();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/"));
    assert_eq!((seen.header("x-acs-action"), seen.header("x-acs-version")), ("SendSms", "2017-05-25"));
    assert_eq!(seen.header("x-acs-date"), "2026-03-01T00:00:00Z");
    assert_eq!(seen.header("x-acs-signature-nonce").len(), 32);
    assert_eq!(seen.header("x-acs-content-sha256"), sha256(b""));
    let authorization = seen.header("authorization");
    assert!(authorization.starts_with("ACS3-HMAC-SHA256 Credential=LTAI-id,"), "{authorization}");
    assert_eq!(part(authorization, "Signature"), aliyun_signature(&seen));
    assert!(seen.query.contains("%E8%99%8E%E7%AC%A6%20%E6%B5%8B%E8%AF%95"), "{}", seen.query);
    let query = query(&seen);
    assert_eq!(query["PhoneNumbers"], "13800000000");
    assert_eq!((query["SignName"].as_str(), query["TemplateCode"].as_str()), ("虎符 测试", "SMS_1"));
    assert_eq!(query["TemplateParam"], r#"{"code":"012345"}"#);
}

#[tokio::test]
async fn alibaba_cloud_gets_the_template_that_fits() {
    let server = Server::answering(200, r#"{"Code":"OK"}"#).await;
    let settings = AliyunSettings { minutes_parameter: Some("time".into()), ..aliyun(&server.base) };
    let reset = Sms { template: TemplateKind::ResetPassword, ..sms() };
    send(SmsSettings::Aliyun(settings.clone()), &reset).await.unwrap();
    send(SmsSettings::Aliyun(settings), &sms_to("+85291234567")).await.unwrap();

    let [at_home, abroad] = &server.seen()[..] else { panic!("two calls") };
    assert_eq!(query(at_home)["TemplateCode"], "SMS_2");
    assert_eq!(query(at_home)["TemplateParam"], r#"{"code":"012345","time":"5"}"#);
    assert_eq!(query(abroad)["PhoneNumbers"], "85291234567");
    assert_eq!(query(abroad)["TemplateCode"], "SMS_9");
}

/// A message without a code is sent only with a template of its own, and that one gets no values.
#[tokio::test]
async fn a_notice_needs_a_template_of_its_own() {
    let notice = |number| Sms { code: None, template: TemplateKind::NewWayIn, ..sms_to(number) };
    let (mainland, abroad) = (notice("+8613800000000"), notice("+85291234567"));
    let server = Server::answering(200, r#"{"Code":"OK"}"#).await;
    let none = SmsSettings::Aliyun(aliyun(&server.base)).build(&sender_context()).unwrap();
    assert!(!none.has_template(&mainland) && none.has_template(&sms()));
    let template_codes = BTreeMap::from([(TemplateKind::NewWayIn, "SMS_3".to_owned())]);
    let settings = SmsSettings::Aliyun(AliyunSettings { template_codes, ..aliyun(&server.base) });
    let own = settings.build(&sender_context()).unwrap();
    assert!(own.has_template(&mainland) && !own.has_template(&abroad));
    own.send(&mainland).await.unwrap();
    let query = query(&server.seen()[0]);
    assert_eq!((query["TemplateCode"].as_str(), query["TemplateParam"].as_str()), ("SMS_3", "{}"));

    let none = SmsSettings::Tencent(tencent(&server.base)).build(&sender_context()).unwrap();
    assert!(!none.has_template(&mainland) && none.has_template(&sms()));
    let none = SmsSettings::Http(http(&server.base)).build(&sender_context()).unwrap();
    assert!(!none.has_template(&mainland), "its body wants a code");
    let text =
        HttpSettings { body: json!({ "to": "{{phone}}", "text": "{{ text }}" }), ..http(&server.base) };
    assert!(SmsSettings::Http(text).build(&sender_context()).unwrap().has_template(&mainland));
}

#[tokio::test]
async fn alibaba_clouds_refusals_say_whose_fault_it_is() {
    for (status, code, fault) in [
        (200, "isv.MOBILE_NUMBER_ILLEGAL", Fault::Recipient),
        (200, "isv.BUSINESS_LIMIT_CONTROL", Fault::TooOften),
        (200, "isv.AMOUNT_NOT_ENOUGH", Fault::Settings),
        (400, "SignatureDoesNotMatch", Fault::Settings),
        (200, "isp.SYSTEM_ERROR", Fault::Temporary),
        (503, "ServiceUnavailable", Fault::Temporary),
    ] {
        let message = format!("refused 13800000000 with 012345, LTAI-id and {KEY}");
        let server = Server::answering(status, &json!({"Code": code, "Message": message}).to_string()).await;
        let error = send(SmsSettings::Aliyun(aliyun(&server.base)), &sms()).await.unwrap_err();
        check_refusal(&error, "aliyun", code, fault);
    }
}

#[tokio::test]
async fn tencent_cloud_gets_a_signed_call() {
    let answer = json!({"Response": {"SendStatusSet": [{"Code": "Ok", "Message": "send success"}]}});
    let server = Server::answering(200, &answer.to_string()).await;
    send(SmsSettings::Tencent(tencent(&server.base)), &sms()).await.unwrap();

    let seen = server.only();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/"));
    assert_eq!((seen.header("x-tc-action"), seen.header("x-tc-version")), ("SendSms", "2021-01-11"));
    assert_eq!((seen.header("x-tc-timestamp"), seen.header("x-tc-region")), ("1772323200", "ap-guangzhou"));
    let authorization = seen.header("authorization");
    assert_eq!(part(authorization, "Credential"), "AKID-id/2026-03-01/sms/tc3_request");
    assert_eq!(part(authorization, "SignedHeaders"), "content-type;host;x-tc-action");
    assert_eq!(part(authorization, "Signature"), tencent_signature(&seen, "2026-03-01"));
    assert_eq!(
        seen.json(),
        json!({
            "PhoneNumberSet": ["+8613800000000"],
            "SmsSdkAppId": "1400006666",
            "SignName": "虎符",
            "TemplateId": "1",
            "TemplateParamSet": ["012345", "5"],
        })
    );
}

#[tokio::test]
async fn tencent_clouds_refusals_say_whose_fault_it_is() {
    let message = format!("refused +8613800000000 with 012345, AKID-id and {KEY}");
    for (code, fault) in [
        ("InvalidParameterValue.IncorrectPhoneNumber", Fault::Recipient),
        ("FailedOperation.PhoneNumberInBlacklist", Fault::Recipient),
        ("LimitExceeded.PhoneNumberDailyLimit", Fault::TooOften),
        ("AuthFailure.SignatureFailure", Fault::Settings),
        ("InternalError.Timeout", Fault::Temporary),
    ] {
        let status = json!({"Code": code, "Message": message});
        // A failure is reported for the number, or for the whole call.
        for answer in [json!({"SendStatusSet": [status]}), json!({"Error": status})] {
            let server = Server::answering(200, &json!({"Response": answer}).to_string()).await;
            let error = send(SmsSettings::Tencent(tencent(&server.base)), &sms()).await.unwrap_err();
            check_refusal(&error, "tencent", code, fault);
        }
    }
}

#[tokio::test]
async fn any_provider_gets_its_json() {
    let server = Server::answering(200, r#"{"result":{"code":0}}"#).await;
    send(SmsSettings::Http(http(&server.base)), &sms()).await.unwrap();
    let seen = server.only();
    assert_eq!((seen.path.as_str(), seen.query.as_str()), ("/send", "key=s3cret-key"));
    assert_eq!((seen.header("authorization"), seen.header("content-type")), (KEY, "application/json"));
    // Quotes and placeholders in values are inserted literally.
    assert_eq!(
        seen.json(),
        json!({
            "to": ["+8613800000000", "86-13800000000"],
            "vars": { "code": "012345", "minutes": "5" },
            "content": "【店\"{{code}}】验证码：012345",
            "count": 1,
            "literal": "{{",
        })
    );
}

#[tokio::test]
async fn any_providers_refusals_say_whose_fault_it_is() {
    for (status, body, fault, code) in [
        (200, r#"{"result":{"code":7}}"#, Fault::Settings, Some("7")),
        (200, r#"{"result":{"code":"no 13800000000"}}"#, Fault::Settings, Some("no ***")),
        (200, r#"{"result":{}}"#, Fault::Settings, None),
        (200, "<html>", Fault::Temporary, None),
        (401, "", Fault::Settings, Some("401")),
        (429, "", Fault::TooOften, Some("429")),
        (502, "", Fault::Temporary, Some("502")),
    ] {
        let server = Server::answering(status, body).await;
        let error = send(SmsSettings::Http(http(&server.base)), &sms()).await.unwrap_err();
        assert_eq!((error.fault(), error.code()), (fault, code), "{error}");
        assert!(!everything_printed(&error).contains("13800000000"));
    }
    let server = Server::answering(204, "").await;
    let settings = HttpSettings { accepted: None, ..http(&server.base) };
    send(SmsSettings::Http(settings), &sms()).await.unwrap();
}

#[tokio::test]
async fn answers_that_say_nothing_are_temporary() {
    for body in ["", "<html>bad gateway</html>", "{}", r#"{"Response":{}}"#, &"x".repeat(200_000)] {
        let server = Server::answering(200, body).await;
        let settings =
            [SmsSettings::Aliyun(aliyun(&server.base)), SmsSettings::Tencent(tencent(&server.base))];
        for settings in settings {
            let error = send(settings, &sms()).await.unwrap_err();
            assert_eq!((error.fault(), error.code()), (Fault::Temporary, None), "{error}");
        }
    }
}

#[tokio::test]
async fn providers_are_called_through_the_guard() {
    let server = Server::start(|_| Reply::Body(200, "{}".into())).await;
    let guarded = GuardedClient::new(guarded::Settings::default()).unwrap();
    let sender_context = SenderContext { http: guarded, ..sender_context() };
    for settings in [
        SmsSettings::Aliyun(aliyun(&server.base)),
        SmsSettings::Tencent(tencent(&server.base)),
        SmsSettings::Http(http(&server.base)),
    ] {
        let error = settings.build(&sender_context).unwrap().send(&sms()).await.unwrap_err();
        assert_eq!(error.fault(), Fault::Settings);
        let printed = everything_printed(&error);
        assert!(printed.contains("not public"), "{printed}");
        for hidden in [KEY, "13800000000", "012345"] {
            assert!(!printed.contains(hidden), "{printed}");
        }
    }
    assert!(server.seen().is_empty());
}

fn check_refusal(error: &SendError, provider: &str, code: &str, fault: Fault) {
    assert_eq!((error.provider(), error.fault(), error.code()), (provider, fault, Some(code)), "{error}");
    assert_eq!(error.is_permanent(), matches!(fault, Fault::Recipient | Fault::Settings));
    let printed = everything_printed(error);
    for hidden in [KEY, "13800000000", "012345", "LTAI-id", "AKID-id"] {
        assert!(!printed.contains(hidden), "{printed}");
    }
}
