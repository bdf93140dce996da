//! Alibaba Cloud: `SendSms` of Dysmsapi 2017-05-25, signed with ACS3-HMAC-SHA256 (the documentation's
//! "request syntax and signature method V3").

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{MAINLAND, Sms, SmsSender, approved_template};
use crate::{
    BuildError, Fault, SendError, SenderContext, StoredSecret, TemplateKind,
    cloud::{endpoint, hmac_sha256, host_header, sha256_hex, utc},
};

/// An account of Alibaba Cloud's SMS service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliyunSettings {
    /// The access key's id.
    pub access_key_id: String,
    /// The access key's secret.
    pub access_key_secret: StoredSecret,
    /// The approved signature, without brackets.
    pub sign_name: String,
    /// The approved template for every purpose that has no template in `template_codes`, such as
    /// `SMS_123456789`.
    pub template_code: String,
    /// Approved templates for specific purposes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub template_codes: BTreeMap<TemplateKind, String>,
    /// The approved template for numbers outside mainland China.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub international_template_code: Option<String>,
    /// The name of the code's parameter in the templates.
    #[serde(default = "default_code_parameter")]
    pub code_parameter: String,
    /// The name of the parameter for the number of minutes, if the templates have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes_parameter: Option<String>,
    /// The URL of the service.
    #[serde(default = "default_endpoint")]
    pub endpoint: String,
}

fn default_code_parameter() -> String {
    "code".to_owned()
}

fn default_endpoint() -> String {
    "https://dysmsapi.aliyuncs.com".to_owned()
}

const PROVIDER: &str = "aliyun";

/// Sends through Alibaba Cloud.
#[derive(Debug)]
pub struct AliyunSms {
    settings: AliyunSettings,
    endpoint: Url,
    sender_context: SenderContext,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Code")]
    code: String,
    #[serde(rename = "Message", default)]
    message: String,
}

impl AliyunSms {
    /// Creates a sender.
    ///
    /// # Errors
    /// [`BuildError::Setting`]
    pub fn new(settings: &AliyunSettings, sender_context: &SenderContext) -> Result<Self, BuildError> {
        let endpoint = endpoint(PROVIDER, &settings.endpoint)?;
        Ok(Self { settings: settings.clone(), endpoint, sender_context: sender_context.clone() })
    }

    async fn call(&self, sms: &Sms) -> Result<(), SendError> {
        let query = self.query(sms);
        let mut nonce = [0_u8; 16];
        self.sender_context.random.fill(&mut nonce);
        let host = host_header(&self.endpoint);
        let call = Call {
            action: "SendSms",
            version: "2017-05-25",
            host: &host,
            path: self.endpoint.path(),
            query: &query,
            date: &utc(self.sender_context.clock.now(), "%Y-%m-%dT%H:%M:%SZ"),
            nonce: &hex::encode(nonce),
        };
        let authorization =
            call.authorization(&self.settings.access_key_id, &self.settings.access_key_secret);
        let mut headers: Vec<_> = call.headers().into_iter().filter(|(name, _)| *name != "host").collect();
        headers.push(("authorization", &authorization));

        let mut url = self.endpoint.clone();
        url.set_query(Some(&query));
        let fail = |error| SendError::outgoing(PROVIDER, error);
        let response =
            self.sender_context.http.post(url.as_str(), &headers, Vec::new()).await.map_err(fail)?;
        let body = response.whole_body().map_err(fail)?;
        let answer: Answer = serde_json::from_slice(body).map_err(|_| {
            SendError::new(
                PROVIDER,
                Fault::Temporary,
                &format!("an unreadable response, HTTP {}", response.status),
            )
        })?;
        if answer.code == "OK" {
            return Ok(());
        }
        let (_, national) = sms.to.parts();
        let sent =
            [national, sms.code(), &self.settings.access_key_id, self.settings.access_key_secret.expose()];
        let fault = fault_of(&answer.code, response.status);
        Err(SendError::from_provider(PROVIDER, fault, &answer.code, &answer.message, &sent))
    }

    fn template(&self, sms: &Sms) -> Option<&str> {
        let settings = &self.settings;
        let abroad = settings.international_template_code.as_ref();
        approved_template(sms, &settings.template_code, &settings.template_codes, abroad)
    }

    /// The parameters, which this operation takes in the query. They are sorted and encoded as the signature
    /// requires.
    fn query(&self, sms: &Sms) -> String {
        let settings = &self.settings;
        let (country, national) = sms.to.parts();
        let number = match country {
            MAINLAND => national,
            _ => sms.to.as_str().trim_start_matches('+'),
        };
        let template = self.template(sms).unwrap_or_default();
        let minutes = sms.minutes.to_string();
        let mut values = BTreeMap::new();
        if sms.code.is_some() {
            values.insert(settings.code_parameter.as_str(), sms.code());
            if let Some(name) = &settings.minutes_parameter {
                values.insert(name, &minutes);
            }
        }
        let values = serde_json::json!(values).to_string();
        let pairs = [
            ("PhoneNumbers", number),
            ("SignName", &settings.sign_name),
            ("TemplateCode", template),
            ("TemplateParam", &values),
        ];
        pairs.map(|(name, value)| format!("{name}={}", encode(value))).join("&")
    }
}

impl SmsSender for AliyunSms {
    fn send<'a>(&'a self, sms: &'a Sms) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.call(sms))
    }

    fn has_template(&self, sms: &Sms) -> bool {
        self.template(sms).is_some()
    }
}

/// RFC 3986: escapes everything except the unreserved characters.
fn encode(value: &str) -> String {
    const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(value, &ESCAPED).to_string()
}

/// SHA-256 of an empty body: calls have none.
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The signed parts of a call without a body.
struct Call<'a> {
    action: &'a str,
    version: &'a str,
    host: &'a str,
    path: &'a str,
    query: &'a str,
    date: &'a str,
    nonce: &'a str,
}

impl Call<'_> {
    /// The signed headers, sorted by name.
    fn headers(&self) -> [(&'static str, &str); 6] {
        [
            ("host", self.host),
            ("x-acs-action", self.action),
            ("x-acs-content-sha256", EMPTY_HASH),
            ("x-acs-date", self.date),
            ("x-acs-signature-nonce", self.nonce),
            ("x-acs-version", self.version),
        ]
    }

    fn authorization(&self, key_id: &str, secret: &StoredSecret) -> String {
        let names = self.headers().map(|(name, _)| name).join(";");
        let headers: String = self.headers().map(|(name, value)| format!("{name}:{value}\n")).concat();
        let request = format!("POST\n{}\n{}\n{headers}\n{names}\n{EMPTY_HASH}", self.path, self.query);
        let text = format!("ACS3-HMAC-SHA256\n{}", sha256_hex(request.as_bytes()));
        let signature = hex::encode(hmac_sha256(secret.expose().as_bytes(), text.as_bytes()));
        format!("ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={names},Signature={signature}")
    }
}

/// Maps the service's error codes to faults (from its page of error codes, and the common codes of the
/// gateway in front of it).
fn fault_of(code: &str, status: u16) -> Fault {
    match code {
        "isv.MOBILE_NUMBER_ILLEGAL" | "isv.BLACK_KEY_CONTROL_LIMIT" | "isv.DOMESTIC_NUMBER_NOT_SUPPORTED" => {
            Fault::Recipient
        }
        "isv.BUSINESS_LIMIT_CONTROL" | "isv.DAY_LIMIT_CONTROL" | "isv.MONTH_LIMIT_CONTROL" => Fault::TooOften,
        "isp.RAM_PERMISSION_DENY" => Fault::Settings,
        // The next attempt uses a different nonce and timestamp.
        "SignatureNonceUsed" | "ServiceUnavailable" | "InternalError" => Fault::Temporary,
        code if code.starts_with("isp.") || code.starts_with("Throttling") => Fault::Temporary,
        _ if status >= 500 => Fault::Temporary,
        // All others are about the account: its keys, signature, template or balance.
        _ => Fault::Settings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example from the documentation of the signature.
    #[test]
    fn the_published_example_is_signed_alike() {
        let call = Call {
            action: "RunInstances",
            version: "2014-05-26",
            host: "ecs.cn-shanghai.aliyuncs.com",
            path: "/",
            query: "ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai",
            date: "2023-10-26T10:22:32Z",
            nonce: "3156853299f313e23d1673dc12e1703d",
        };
        let value = call.authorization("YourAccessKeyId", &"YourAccessKeySecret".into());
        let (head, signature) = value.rsplit_once('=').unwrap();
        assert_eq!(signature, "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0");
        assert_eq!(
            head,
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;\
             x-acs-date;x-acs-signature-nonce;x-acs-version,Signature"
        );
        assert_eq!(EMPTY_HASH, sha256_hex(b""));
    }

    #[test]
    fn codes_have_their_faults() {
        for (code, status, fault) in [
            ("isv.MOBILE_NUMBER_ILLEGAL", 200, Fault::Recipient),
            ("isv.BLACK_KEY_CONTROL_LIMIT", 200, Fault::Recipient),
            ("isv.BUSINESS_LIMIT_CONTROL", 200, Fault::TooOften),
            ("isv.DAY_LIMIT_CONTROL", 200, Fault::TooOften),
            ("isv.AMOUNT_NOT_ENOUGH", 200, Fault::Settings),
            ("isv.SMS_TEMPLATE_ILLEGAL", 200, Fault::Settings),
            ("isp.RAM_PERMISSION_DENY", 200, Fault::Settings),
            ("InvalidAccessKeyId.NotFound", 404, Fault::Settings),
            ("SignatureDoesNotMatch", 400, Fault::Settings),
            ("isp.SYSTEM_ERROR", 200, Fault::Temporary),
            ("Throttling.User", 400, Fault::Temporary),
            ("SomethingNew", 503, Fault::Temporary),
        ] {
            assert_eq!(fault_of(code, status), fault, "{code}");
        }
    }
}
