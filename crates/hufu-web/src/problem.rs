//! Refusals as the published clients read them: what they say stands in [`hufu_types::refusal`].

use axum::Json;
use axum::response::{IntoResponse, Response};
use hufu_types::{Language, Refusal};
use serde::Serialize;
use serde_json::Value;

use crate::envelope::ApiCode;
use crate::page::Refused;
use crate::waiting::{NoTokens, failed_data, flow_data, next_step};

/// A refusal as an answer: HTTP 200, `code` = `apiCode`, and `statusCode`.
#[derive(Debug)]
pub struct Failure {
    /// The refusal.
    pub refusal: Refusal,
    /// What the client goes on with, where it can.
    pub data: Option<Value>,
    language: Language,
    request_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    code: u32,
    status_code: u16,
    api_code: u32,
    message: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

impl Failure {
    /// Internal errors are logged here, once, with their whole chain of causes.
    pub fn new(refusal: Refusal, language: Language, request_id: String) -> Self {
        let code = refusal.code();
        if code.is_internal() {
            tracing::error!(code = code.number(), error = hufu_types::chain(&refusal), "request failed");
        }
        metrics::counter!("hufu_refusals_total", "code" => code.number().to_string()).increment(1);
        let data = refusal.data().cloned();
        Self { refusal, data, language, request_id }
    }

    /// Why a call that logs in hands out no tokens. The code of a login that waits says what it waits for.
    pub fn of(why: NoTokens, language: Language, request_id: String) -> Self {
        match why {
            NoTokens::Refused(refusal) => Self::new(refusal, language, request_id),
            NoTokens::Waiting(view) => {
                let failure = Self::new(next_step(&view).into(), language, request_id);
                Self { data: Some(flow_data(&view)), ..failure }
            }
            NoTokens::StepRefused(refusal, view) => {
                let data = failed_data(&refusal, &view);
                Self { data: Some(data), ..Self::new(refusal, language, request_id) }
            }
        }
    }

    /// The stable number.
    pub const fn number(&self) -> u32 {
        self.refusal.number()
    }

    /// What kind of refusal it is, in numbers of HTTP.
    pub const fn status(&self) -> u16 {
        self.refusal.code().status()
    }

    /// The sentence for the integrator.
    pub fn message(&self) -> String {
        self.refusal.for_integrator(self.language)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let code = self.number();
        let body = Envelope {
            code,
            status_code: self.status(),
            api_code: code,
            message: &self.message(),
            request_id: &self.request_id,
            data: self.data.as_ref(),
        };
        let mut response = Json(body).into_response();
        response.extensions_mut().insert(ApiCode(code));
        Refused::of(self.refusal).mark(response)
    }
}
