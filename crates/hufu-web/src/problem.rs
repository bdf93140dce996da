//! Refusals as the published clients understand them: a stable code, a sentence
//! that says what to do, in the language that the client asks for.

use std::borrow::Cow;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hufu_app::{FlowView, Refusal};
use hufu_types::flow::Stage;
use serde::Serialize;
use serde_json::Value;

use crate::envelope::ApiCode;

/// The language of messages, by the header `x-authing-lang`; Chinese without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    /// Simplified Chinese.
    #[default]
    Chinese,
    /// English.
    English,
}

impl Language {
    pub(crate) fn of(tag: Option<&str>) -> Self {
        if tag.is_some_and(|tag| tag.get(..2).is_some_and(|two| two.eq_ignore_ascii_case("en"))) {
            Self::English
        } else {
            Self::Chinese
        }
    }
}

/// How a refusal reads: docs/errors.md lists all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable code.
    pub code: u32,
    /// What kind of problem it is, in numbers of HTTP.
    pub status: u16,
    /// The sentence in Chinese.
    pub chinese: Cow<'static, str>,
    /// The sentence in English.
    pub english: Cow<'static, str>,
}

fn problem(
    code: u32,
    status: u16,
    chinese: impl Into<Cow<'static, str>>,
    english: impl Into<Cow<'static, str>>,
) -> Problem {
    Problem { code, status, chinese: chinese.into(), english: english.into() }
}

/// The code tells the clients which page to show: see docs/errors.md.
fn waiting(view: &FlowView) -> Problem {
    match view.stage {
        Stage::Associate if view.may_create => problem(
            1641,
            499,
            "尚无关联账号：请绑定已有账号或创建新账号。",
            "No account is known by this identity: bind an existing account or make a new one.",
        ),
        Stage::Associate => problem(
            1640,
            499,
            "尚无关联账号：请绑定已有账号。",
            "No account is known by this identity: bind an existing account.",
        ),
        Stage::NewPassword => {
            problem(1639, 499, "请先设置新密码，再继续登录。", "Set a new password first, then the login goes on.")
        }
        Stage::Complete => {
            problem(1642, 499, "请先补全必填资料，再继续登录。", "Fill in what is missing, then the login goes on.")
        }
        Stage::Agree => problem(
            2414,
            499,
            "请先阅读并同意协议，再继续登录。",
            "Read and accept the agreements, then the login goes on.",
        ),
        Stage::Select | Stage::Identify | Stage::Done | Stage::Refused => problem(
            2921,
            499,
            "找到多个账号：请选择其中一个登录，或合并它们。",
            "Several accounts are yours: choose one to log in, or merge them.",
        ),
    }
}

impl Problem {
    /// How a refusal reads.
    #[expect(clippy::too_many_lines, reason = "one table, one row a refusal")]
    pub fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NothingNamed => problem(
                2101,
                400,
                "请求未指明应用或用户池：请在初始化 SDK 时填写 appId 或 userPoolId。",
                "The request names no application or user pool: give the SDK an appId or a userPoolId.",
            ),
            Refusal::PoolUnknown => problem(
                2224,
                404,
                "用户池不存在：请核对 userPoolId 和 host。",
                "There is no such user pool: check userPoolId and host.",
            ),
            Refusal::ApplicationUnknown => problem(
                2011,
                404,
                "应用不存在或已停用：请核对 appId 和 host。",
                "There is no such application, or it is switched off: check appId and host.",
            ),
            Refusal::NoDefaultApplication => problem(
                2011,
                404,
                "该用户池没有默认应用：请改用 appId，或将一个应用设为默认。",
                "The user pool has no default application: name an appId, or mark an application as default.",
            ),
            Refusal::Disagreement => problem(
                2020,
                401,
                "appId、userPoolId 与登录凭证不属于同一用户池：请核对配置后重新登录。",
                "appId, userPoolId and token belong to different user pools: check the settings and log in again.",
            ),
            Refusal::ConnectionUnknown(identifier) => problem(
                2402,
                404,
                format!("身份源连接 {identifier} 不存在：请核对 extIdpConnidentifier。"),
                format!("There is no connection {identifier}: check extIdpConnidentifier."),
            ),
            Refusal::ConnectionOff(identifier) => problem(
                2403,
                403,
                format!("身份源连接 {identifier} 已停用：请联系管理员启用，或换一种登录方式。"),
                format!(
                    "The connection {identifier} is switched off: ask the administrator, or log in another way."
                ),
            ),
            Refusal::ConnectionNotForApplication(identifier) => problem(
                2404,
                403,
                format!("身份源连接 {identifier} 未对该应用启用：请在应用的登录方式中启用它。"),
                format!(
                    "The connection {identifier} is not switched on for this application: switch it on there."
                ),
            ),
            Refusal::NoConnection => problem(
                2405,
                403,
                "该应用没有启用小程序身份源连接：请先创建并启用一个。",
                "No mini program connection is switched on for this application: make one and switch it on.",
            ),
            Refusal::OtherMiniProgram(app_id) => problem(
                2406,
                403,
                format!("请求来自小程序 {app_id}，但该应用没有此小程序的连接：请核对 AppID。"),
                format!(
                    "The request comes from mini program {app_id}, for which this application has no connection: check the AppID."
                ),
            ),
            Refusal::CodeMalformed => problem(
                2207,
                400,
                "code 格式不正确：请传入 wx.login 返回的 code。",
                "The code is malformed: send the code that wx.login returned.",
            ),
            Refusal::CodeInvalid(_) => problem(
                2207,
                400,
                "微信不接受该 code（无效、已过期或属于其他小程序）：请重新调用 wx.login，并核对小程序 AppID。",
                "WeChat does not accept the code (unknown, expired, or of another mini program): call wx.login again and check the AppID.",
            ),
            Refusal::CodeUsed(_) => problem(
                2206,
                400,
                "该 code 已被使用：请重新调用 wx.login 获取新的 code。",
                "The code was used before: call wx.login again for a new one.",
            ),
            Refusal::PhoneCodeInvalid(_) => problem(
                2207,
                400,
                "微信不接受该手机号 code（无效、已过期或已使用）：请让用户再次点击手机号按钮。",
                "WeChat does not accept the phone code (unknown, expired or used): let the user tap the phone button again.",
            ),
            Refusal::Denied(_) => problem(
                1001,
                403,
                "微信拒绝了该用户的登录：请换一种登录方式。",
                "WeChat refuses to log this person in: use another way to log in.",
            ),
            Refusal::Misconfigured(_) => problem(
                2407,
                503,
                "小程序连接配置有误：请管理员核对 AppID 和 AppSecret。",
                "The mini program connection is misconfigured: let the administrator check AppID and AppSecret.",
            ),
            Refusal::AppDown(_) => problem(
                2408,
                503,
                "该小程序已被微信冻结或下线：请换一种登录方式，管理员请到微信公众平台处理。",
                "WeChat has frozen this mini program or taken it down: log in another way; the administrator finds the reason on WeChat's platform.",
            ),
            Refusal::WechatLimit(_) => problem(
                1002,
                429,
                "微信接口调用过于频繁：请一分钟后重试。",
                "WeChat's call limit is reached: try again in a minute.",
            ),
            Refusal::WechatSlow(_) => problem(
                408,
                504,
                "微信没有及时响应：请重新调用 wx.login 后重试。",
                "WeChat did not answer in time: call wx.login again and retry.",
            ),
            Refusal::WechatDown(_) => problem(
                1000,
                503,
                "微信服务繁忙或无法连接：请稍后重新调用 wx.login 再试。",
                "WeChat is busy or not reachable: call wx.login again in a moment and retry.",
            ),
            Refusal::WechatNonsense(_) => problem(
                500,
                502,
                "微信返回了无法识别的内容：请稍后重试，若持续出现请联系管理员。",
                "WeChat's answer makes no sense: try again; if it stays, tell the administrator.",
            ),
            Refusal::DataUndecryptable(_) => problem(
                2016,
                400,
                "加密数据无法解密：请先调用 wx.login，再获取加密数据，并使用同一个 code。",
                "The encrypted data does not open: call wx.login first, then get the data, and send the same code with it.",
            ),
            Refusal::PhoneMalformed => problem(
                2016,
                502,
                "微信返回的手机号格式不正确：请让用户再次点击手机号按钮。",
                "WeChat's phone number is malformed: let the user tap the phone button again.",
            ),
            Refusal::Stranger => problem(
                2004,
                403,
                "用户不存在：该登录方式仅限已有账号，请先用其他方式注册或绑定。",
                "The user does not exist: this way of logging in is for existing accounts; register or bind another way first.",
            ),
            Refusal::RegistrationOff => problem(
                2031,
                403,
                "该用户池已关闭注册：请使用已有账号登录，或联系管理员开通账号。",
                "This user pool takes no registrations: log in with an existing account, or ask the administrator for one.",
            ),
            Refusal::SnapshotUser => problem(
                2412,
                403,
                "当前为微信快照页，无法登录：请点击页面右下角的“使用完整服务”后重试。",
                "This is WeChat's snapshot page, where nobody can log in: tap \"Use full service\" at its bottom right and try again.",
            ),
            Refusal::Leaving(at) => problem(
                2413,
                403,
                format!("账号已申请注销，将于 {} 彻底删除：如需恢复请联系管理员。", at.to_iso()),
                format!("The account was deleted by its owner and is gone for good at {}: ask the administrator to bring it back before.", at.to_iso()),
            ),
            Refusal::Waiting(view) => waiting(view),
            Refusal::FlowUnknown => problem(
                2206,
                400,
                "登录流程不存在或已结束：请重新登录。",
                "There is no such login in progress, or it is over: log in again.",
            ),
            Refusal::StepImpossible => problem(
                2231,
                400,
                "当前登录步骤不支持该操作：请按返回的 stage 和 actions 继续。",
                "This step is not possible where the login stands: go on as its stage and actions say.",
            ),
            Refusal::Disabled => problem(
                2005,
                403,
                "账号已被停用：请联系管理员。",
                "The account is switched off: ask the administrator.",
            ),
            Refusal::NotLoggedIn => problem(
                2020,
                401,
                "尚未登录或登录已失效：请重新登录。",
                "Not logged in, or the login has ended: log in again.",
            ),
            Refusal::NotYourself => problem(
                1001,
                403,
                "只能操作自己的账号：请使用本人的用户 ID。",
                "You can only act on your own account: send your own user id.",
            ),
            Refusal::IdentityTaken => problem(
                2213,
                409,
                "该微信已绑定其他账号：请先在那个账号中解绑。",
                "This WeChat identity is bound to another account: unbind it there first.",
            ),
            Refusal::AnotherIdentityBound => problem(
                2215,
                409,
                "当前账号已绑定另一个微信：请先解绑。",
                "Your account is bound to another WeChat identity of this app: unbind that first.",
            ),
            Refusal::Invalid(what) => problem(
                2231,
                400,
                format!("请求参数有误：{what}"),
                format!("The request is not right: {what}."),
            ),
            Refusal::BodyTooLarge(limit) => problem(
                413,
                413,
                format!("请求内容过大：最多 {limit} 字节。"),
                format!("The body is too large: send at most {limit} bytes."),
            ),
            Refusal::TooOften(_) => {
                problem(1002, 429, "操作过于频繁：请稍后再试。", "Too often: wait a while and try again.")
            }
            Refusal::NotAPicture => problem(
                2410,
                400,
                "上传的文件不是图片：请选择 PNG、JPEG、GIF 或 WebP 图片。",
                "The upload is no picture: choose a PNG, JPEG, GIF or WebP.",
            ),
            Refusal::PictureTooLarge => problem(
                2411,
                413,
                "图片过大：最大 10 MB、5000 万像素。",
                "The picture is too large: at most 10 MB and 50 megapixels.",
            ),
            Refusal::GrantInvalid => problem(
                2207,
                400,
                "refresh_token 无效：请重新登录。",
                "The refresh token is not valid: log in again.",
            ),
            Refusal::Overloaded(_) => {
                problem(1000, 503, "服务繁忙：请稍后重试。", "The server is busy: try again in a moment.")
            }
            Refusal::Internal(_) => problem(
                500,
                500,
                "服务器内部错误：请稍后重试，若持续出现请把 requestId 告诉管理员。",
                "Something broke inside the server: try again; if it stays, give the requestId to the administrator.",
            ),
        }
    }

    /// The sentence in a language.
    pub(crate) fn message(&self, language: Language) -> &str {
        match language {
            Language::Chinese => &self.chinese,
            Language::English => &self.english,
        }
    }
}

/// A refusal as an answer: HTTP 200, `code` = `apiCode`, and `statusCode`.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) problem: Problem,
    /// What the client goes on with, where it can.
    pub(crate) data: Option<Value>,
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
    pub(crate) fn new(refusal: &Refusal, language: Language, request_id: String) -> Self {
        let problem = Problem::of(refusal);
        if matches!(refusal, Refusal::Internal(_) | Refusal::Overloaded(_)) {
            tracing::error!(code = problem.code, error = hufu_types::chain(refusal), "request failed");
        }
        metrics::counter!("hufu_refusals_total", "code" => problem.code.to_string()).increment(1);
        let data = match refusal {
            Refusal::Waiting(view) => Some(crate::compat::flow_data(view)),
            _ => None,
        };
        Self { problem, data, language, request_id }
    }

    /// The sentence for the person.
    pub(crate) fn message(&self) -> &str {
        self.problem.message(self.language)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = Envelope {
            code: self.problem.code,
            status_code: self.problem.status,
            api_code: self.problem.code,
            message: self.message(),
            request_id: &self.request_id,
            data: self.data.as_ref(),
        };
        let mut response = Json(body).into_response();
        response.extensions_mut().insert(ApiCode(self.problem.code));
        response
    }
}
