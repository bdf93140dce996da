//! How a pool sends messages: senders with test messages, templates with previews.

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hufu_app::administration::{SenderChannel, SenderTest};
use hufu_app::connect::{Fault, TemplateKind};
use hufu_types::doctor::explain;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Language, Refusal};
use hufu_web::request::{Head, Path};
use hufu_web::surface::Answer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::caller::{Body, Caller, ProblemBody, done, ok, pool_id};
use super::case;
use super::configuration::{if_match, tagged};
use super::schema::{SenderView, TemplatesBody};

type Document = Map<String, Value>;

#[derive(Serialize, ToSchema)]
pub(crate) struct Senders {
    /// The senders of the channels that have one: `email`, `sms`.
    #[schema(value_type = Vec<SenderView>)]
    senders: Vec<Document>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestMessage {
    /// The recipient: an e-mail address, or a phone number with `+` and the country code.
    to: String,
    /// The language of the message: `zh-CN` (the default), `zh-TW`, `en`, `ja`.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    language: Option<Language>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TestResult {
    /// Whether the provider has taken the message. That it arrives is another matter.
    sent: bool,
    /// The provider that refused it: `smtp`, `aliyun`, `tencent`, `http`. Null if none was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'static str>,
    /// What has to be done: `settings`, `recipient`, `too-often` or `temporary`.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'static str>,
    /// The provider's error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// What the provider says, without the recipient and secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What to do, in Chinese, or in English with `x-authing-lang: en-US`.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewRequest {
    /// The purpose, as in `templates`: `login`, `resetPassword`.
    purpose: String,
    /// `zh-CN`, `zh-TW`, `en` or `ja`.
    #[schema(value_type = String)]
    language: Language,
    /// Texts that are not saved yet. Without any of them, those that the pool has are shown.
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    html: Option<String>,
    #[serde(default)]
    sms: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewView {
    /// The subject of the mail.
    subject: String,
    /// The plain text of the mail.
    text: String,
    /// The HTML of the mail.
    html: String,
    /// The text message. Alibaba Cloud and Tencent Cloud send their approved template instead.
    sms: String,
}

fn channel(name: &str) -> Result<SenderChannel, Code> {
    SenderChannel::parse(name).ok_or(Code::NoSuchSender)
}

const fn fault_name(fault: Fault) -> &'static str {
    match fault {
        Fault::Recipient => "recipient",
        Fault::TooOften => "too-often",
        Fault::Settings => "settings",
        Fault::Temporary => "temporary",
    }
}

/// What to do, as docs/administration.md says it.
fn advice(fault: Fault, language: Language) -> String {
    let key = match fault {
        Fault::Recipient => "sender-recipient",
        Fault::TooOften => "sender-too-often",
        Fault::Settings => "sender-settings",
        Fault::Temporary => "sender-temporary",
    };
    explain(key, &[], language).message
}

/// List the senders of a pool.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/senders", tag = "configuration", operation_id = "list_senders",
    params(("pool" = String, Path)),
    responses((status = 200, body = Senders), (status = 404, body = ProblemBody)))]
pub(crate) async fn list(caller: Caller, Path(pool): Path<String>) -> Answer<Response> {
    let found = caller.app.list_senders(&caller.by, &pool_id(&pool)?).await?;
    Ok(ok(&Senders { senders: found.into_iter().map(case::shown).collect() }))
}

/// Get the sender of a channel: `email` or `sms`.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/senders/{channel}", tag = "configuration", operation_id = "get_sender",
    params(("pool" = String, Path), ("channel" = String, Path)),
    responses((status = 200, body = SenderView), (status = 404, body = ProblemBody)))]
pub(crate) async fn get(caller: Caller, Path((pool, name)): Path<(String, String)>) -> Answer<Response> {
    let (pool, channel) = (pool_id(&pool)?, channel(&name)?);
    Ok(tagged(StatusCode::OK, caller.app.sender(&caller.by, &pool, channel).await?))
}

/// Set or change the sender of a channel by a JSON Merge Patch (RFC 7396).
///
/// What the body does not name stays, secrets too. A body with another `provider` begins from nothing. With `If-Match`, or
/// `revision` in the body, only if it has not been changed in the meantime; 0 means that there is none yet.
#[utoipa::path(patch, path = "/admin/v1/pools/{pool}/senders/{channel}", tag = "configuration", operation_id = "change_sender",
    params(("pool" = String, Path), ("channel" = String, Path)), request_body = SenderView,
    responses((status = 200, body = SenderView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(crate) async fn change(
    caller: Caller,
    Path((pool, name)): Path<(String, String)>,
    headers: HeaderMap,
    Body(body): Body<Document>,
) -> Answer<Response> {
    let (pool, channel) = (pool_id(&pool)?, channel(&name)?);
    let (patch, revision) = (case::written(body), if_match(&headers)?);
    Ok(tagged(StatusCode::OK, caller.app.change_sender(&caller.by, &pool, channel, patch, revision).await?))
}

/// Delete the sender of a channel.
///
/// Codes cannot be sent through the channel any more.
#[utoipa::path(delete, path = "/admin/v1/pools/{pool}/senders/{channel}", tag = "configuration", operation_id = "delete_sender",
    params(("pool" = String, Path), ("channel" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn delete(
    caller: Caller,
    Path((pool, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (pool, channel) = (pool_id(&pool)?, channel(&name)?);
    caller.app.remove_sender(&caller.by, &pool, channel, if_match(&headers)?).await?;
    Ok(done())
}

/// Send a test message through the sender of a channel.
///
/// It goes out at once, with a code that opens nothing. What the provider says is in the answer.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/senders/{channel}/test", tag = "configuration", operation_id = "test_sender",
    params(("pool" = String, Path), ("channel" = String, Path)), request_body = TestMessage,
    responses((status = 200, body = TestResult), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 429, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn test(
    caller: Caller,
    head: Head,
    Path((pool, name)): Path<(String, String)>,
    Body(message): Body<TestMessage>,
) -> Answer<Response> {
    let (pool, channel) = (pool_id(&pool)?, channel(&name)?);
    let language = message.language.unwrap_or_default();
    let tested = caller.app.test_sender(&caller.by, &pool, channel, &message.to, language).await?;
    Ok(ok(&match tested {
        SenderTest::Sent => {
            TestResult { sent: true, provider: None, fault: None, code: None, reason: None, advice: None }
        }
        SenderTest::Failed { provider, fault, code, reason } => TestResult {
            sent: false,
            provider,
            fault: Some(fault_name(fault)),
            code,
            reason: Some(reason),
            advice: Some(advice(fault, head.language)),
        },
    }))
}

/// Get the texts that a pool has of its own.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/templates", tag = "configuration", operation_id = "get_templates",
    params(("pool" = String, Path)),
    responses((status = 200, body = TemplatesBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn templates(caller: Caller, Path(pool): Path<String>) -> Answer<Response> {
    Ok(tagged(StatusCode::OK, caller.app.templates(&caller.by, &pool_id(&pool)?).await?))
}

/// Change the texts of a pool by a JSON Merge Patch (RFC 7396).
///
/// `null` takes the built-in text. With `If-Match`, or `revision` in the body, only if they have not been changed in the
/// meantime; 0 means that there are none yet.
#[utoipa::path(patch, path = "/admin/v1/pools/{pool}/templates", tag = "configuration", operation_id = "change_templates",
    params(("pool" = String, Path)), request_body = TemplatesBody,
    responses((status = 200, body = TemplatesBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(crate) async fn change_templates(
    caller: Caller,
    Path(pool): Path<String>,
    headers: HeaderMap,
    Body(body): Body<Document>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let (patch, revision) = (case::written(body), if_match(&headers)?);
    Ok(tagged(StatusCode::OK, caller.app.change_templates(&caller.by, &pool, patch, revision).await?))
}

/// Show how a message reads, with a sample code.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/templates/preview", tag = "configuration", operation_id = "preview_template",
    params(("pool" = String, Path)), request_body = PreviewRequest,
    responses((status = 200, body = PreviewView), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn preview(
    caller: Caller,
    Path(pool): Path<String>,
    Body(asked): Body<PreviewRequest>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let purpose = TemplateKind::ALL.into_iter().find(|kind| case::camel(kind.as_str()) == asked.purpose);
    let purpose = purpose.ok_or_else(|| Refusal::invalid("purpose", Reason::Malformed))?;
    let texts = [("subject", asked.subject), ("text", asked.text), ("html", asked.html), ("sms", asked.sms)];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))).collect();
    let shown = caller.app.preview_template(&caller.by, &pool, purpose, asked.language, texts).await?;
    Ok(ok(&PreviewView { subject: shown.subject, text: shown.text, html: shown.html, sms: shown.sms }))
}
