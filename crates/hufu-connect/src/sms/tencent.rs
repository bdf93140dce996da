//! Tencent Cloud: `SendSms` 2021-01-11, signed with TC3-HMAC-SHA256 (the documentation's "signature v3").

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use hufu_types::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Sms, SmsSender, approved_template};
use crate::{
    BuildError, Fault, SendError, SenderContext, StoredSecret, TemplateKind,
    cloud::{endpoint, hmac_sha256, host_header, sha256_hex, utc},
};

/// The value for one placeholder of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parameter {
    /// The code.
    Code,
    /// For how many minutes it is valid.
    Minutes,
}

/// An account of Tencent Cloud's SMS service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TencentSettings {
    /// The id of the secret key.
    pub secret_id: String,
    /// The secret key.
    pub secret_key: StoredSecret,
    /// The application id in the SMS service, such as `1400006666`.
    pub sdk_app_id: String,
    /// The approved signature, without brackets. Not required for foreign numbers.
    #[serde(default)]
    pub sign_name: String,
    /// The approved template for every purpose that has no template in `template_ids`.
    pub template_id: String,
    /// Approved templates for specific purposes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub template_ids: BTreeMap<TemplateKind, String>,
    /// The approved template for numbers outside mainland China.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub international_template_id: Option<String>,
    /// The values for `{1}`, `{2}` … of the templates; by default, the code for `{1}`. The service requires
    /// exactly as many values as the template has placeholders.
    #[serde(default = "default_parameters")]
    pub parameters: Vec<Parameter>,
    /// The region of the service.
    #[serde(default = "default_region")]
    pub region: String,
    /// The URL of the service.
    #[serde(default = "default_endpoint")]
    pub endpoint: String,
}

fn default_parameters() -> Vec<Parameter> {
    vec![Parameter::Code]
}

fn default_region() -> String {
    "ap-guangzhou".to_owned()
}

fn default_endpoint() -> String {
    "https://sms.tencentcloudapi.com".to_owned()
}

const PROVIDER: &str = "tencent";
const ACTION: &str = "SendSms";
const CONTENT_TYPE: &str = "application/json; charset=utf-8";

/// Sends through Tencent Cloud.
#[derive(Debug)]
pub struct TencentSms {
    settings: TencentSettings,
    endpoint: Url,
    sender_context: SenderContext,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'a> {
    phone_number_set: [&'a str; 1],
    sms_sdk_app_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    sign_name: &'a str,
    template_id: &'a str,
    template_param_set: Vec<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    response: Outcome,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Outcome {
    error: Option<Status>,
    #[serde(default)]
    send_status_set: Vec<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    code: String,
    #[serde(default)]
    message: String,
}

impl TencentSms {
    /// Creates a sender.
    ///
    /// # Errors
    /// [`BuildError::Setting`]
    pub fn new(settings: &TencentSettings, sender_context: &SenderContext) -> Result<Self, BuildError> {
        let endpoint = endpoint(PROVIDER, &settings.endpoint)?;
        Ok(Self { settings: settings.clone(), endpoint, sender_context: sender_context.clone() })
    }

    async fn call(&self, sms: &Sms) -> Result<(), SendError> {
        let settings = &self.settings;
        let send_error = |what: &str| SendError::new(PROVIDER, Fault::Temporary, what);
        let body = serde_json::to_vec(&self.request(sms, &sms.minutes.to_string()))
            .map_err(|_| send_error("the message cannot be written as JSON"))?;
        let host = host_header(&self.endpoint);
        let now = self.sender_context.clock.now();
        let call = Call { service: "sms", action: ACTION, host: &host, body: &body, now };
        let authorization =
            call.authorization(self.endpoint.path(), &settings.secret_id, &settings.secret_key);
        let seconds = now.seconds().to_string();
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", CONTENT_TYPE),
            ("x-tc-action", ACTION),
            ("x-tc-version", "2021-01-11"),
            ("x-tc-timestamp", &seconds),
            ("x-tc-region", &settings.region),
        ];
        let fail = |error| SendError::outgoing(PROVIDER, error);
        let response =
            self.sender_context.http.post(self.endpoint.as_str(), &headers, body).await.map_err(fail)?;
        let answer: Answer = serde_json::from_slice(response.whole_body().map_err(fail)?)
            .map_err(|_| send_error(&format!("an unreadable response, HTTP {}", response.status)))?;
        let Outcome { error, send_status_set } = answer.response;
        // There was one number, so there is one status. If the whole call failed, there is none.
        let status = error.or_else(|| send_status_set.into_iter().next());
        let status = status.ok_or_else(|| send_error("a response without a status"))?;
        if status.code == "Ok" {
            return Ok(());
        }
        let sent = [sms.to.parts().1, sms.code(), &settings.secret_id, settings.secret_key.expose()];
        Err(SendError::from_provider(PROVIDER, fault_of(&status.code), &status.code, &status.message, &sent))
    }

    fn template(&self, sms: &Sms) -> Option<&str> {
        let settings = &self.settings;
        let abroad = settings.international_template_id.as_ref();
        approved_template(sms, &settings.template_id, &settings.template_ids, abroad)
    }

    fn request<'a>(&'a self, sms: &'a Sms, minutes: &'a str) -> Request<'a> {
        let settings = &self.settings;
        let value = |parameter: &Parameter| match parameter {
            Parameter::Code => sms.code(),
            Parameter::Minutes => minutes,
        };
        Request {
            phone_number_set: [sms.to.as_str()],
            sms_sdk_app_id: &settings.sdk_app_id,
            sign_name: &settings.sign_name,
            template_id: self.template(sms).unwrap_or_default(),
            template_param_set: sms.code.iter().flat_map(|_| &settings.parameters).map(value).collect(),
        }
    }
}

impl SmsSender for TencentSms {
    fn send<'a>(&'a self, sms: &'a Sms) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.call(sms))
    }

    fn has_template(&self, sms: &Sms) -> bool {
        self.template(sms).is_some()
    }
}

/// The signed parts of a call.
struct Call<'a> {
    service: &'a str,
    action: &'a str,
    host: &'a str,
    body: &'a [u8],
    now: Timestamp,
}

impl Call<'_> {
    fn authorization(&self, path: &str, key_id: &str, secret: &StoredSecret) -> String {
        let headers = [
            ("content-type", CONTENT_TYPE.to_owned()),
            ("host", self.host.to_owned()),
            ("x-tc-action", self.action.to_lowercase()),
        ];
        self.sign(path, &headers, key_id, secret)
    }

    fn sign(&self, path: &str, headers: &[(&str, String)], key_id: &str, secret: &StoredSecret) -> String {
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines =
            headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect::<Vec<_>>().concat();
        let request = format!("POST\n{path}\n\n{lines}\n{names}\n{}", sha256_hex(self.body));

        let date = utc(self.now, "%Y-%m-%d");
        let scope = format!("{date}/{}/tc3_request", self.service);
        let text =
            format!("TC3-HMAC-SHA256\n{}\n{scope}\n{}", self.now.seconds(), sha256_hex(request.as_bytes()));
        let key = hmac_sha256(format!("TC3{}", secret.expose()).as_bytes(), date.as_bytes());
        let key = hmac_sha256(key.as_ref(), self.service.as_bytes());
        let key = hmac_sha256(key.as_ref(), b"tc3_request");
        let signature = hex::encode(hmac_sha256(key.as_ref(), text.as_bytes()));
        format!("TC3-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}")
    }
}

/// Maps the service's error codes to faults (from its page of error codes, and the common codes of the API).
fn fault_of(code: &str) -> Fault {
    match code {
        "InvalidParameterValue.IncorrectPhoneNumber"
        | "FailedOperation.PhoneNumberInBlacklist"
        | "UnsupportedOperation.UnsuportedRegion"
        | "UnsupportedOperation.UnsupportedRegion" => Fault::Recipient,
        // The clock or the key is wrong, so the next attempt would fail too.
        "InternalError.RequestTimeException" | "InternalError.SigVerificationFail" => Fault::Settings,
        code if code.starts_with("LimitExceeded") => Fault::TooOften,
        code if ["InternalError", "RequestLimitExceeded", "ResourceUnavailable", "ServiceUnavailable"]
            .iter()
            .any(|start| code.starts_with(start)) =>
        {
            Fault::Temporary
        }
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
            service: "cvm",
            action: "DescribeInstances",
            host: "cvm.tencentcloudapi.com",
            body:
                br#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#,
            now: Timestamp(1_551_113_065_000),
        };
        let headers = [("content-type", CONTENT_TYPE.to_owned()), ("host", call.host.to_owned())];
        let value = call.sign(
            "/",
            &headers,
            "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
            &"Gu5t9xGARNpq86cd98joQYCN3EXAMPLE".into(),
        );
        assert_eq!(
            value,
            "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, \
             SignedHeaders=content-type;host, \
             Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
        );
    }

    #[test]
    fn codes_have_their_faults() {
        for (code, fault) in [
            ("InvalidParameterValue.IncorrectPhoneNumber", Fault::Recipient),
            ("FailedOperation.PhoneNumberInBlacklist", Fault::Recipient),
            ("LimitExceeded.PhoneNumberThirtySecondLimit", Fault::TooOften),
            ("LimitExceeded.DeliveryFrequencyLimit", Fault::TooOften),
            ("RequestLimitExceeded", Fault::Temporary),
            ("InternalError.Timeout", Fault::Temporary),
            ("InternalError.RequestTimeException", Fault::Settings),
            ("AuthFailure.SecretIdNotFound", Fault::Settings),
            ("FailedOperation.InsufficientBalanceInSmsPackage", Fault::Settings),
            ("FailedOperation.TemplateIncorrectOrUnapproved", Fault::Settings),
        ] {
            assert_eq!(fault_of(code), fault, "{code}");
        }
    }
}
