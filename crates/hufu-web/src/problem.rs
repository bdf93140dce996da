//! Refusals as the published clients understand them: a stable code, a sentence
//! that says what to do, in the language that the client asks for.

use std::borrow::Cow;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hufu_app::credentials::password::Weakness;
use hufu_app::{FlowView, Refusal};
use hufu_types::PasscodeChannel;
use hufu_types::flow::Stage;
use serde::Serialize;
use serde_json::Value;

use crate::envelope::ApiCode;
use crate::waiting::{NoTokens, failed_data, flow_data};

/// The language of messages, by the header `x-authing-lang`; Chinese without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Simplified Chinese.
    #[default]
    Chinese,
    /// English.
    English,
}

impl Language {
    /// The language that a tag such as `en-US` stands for.
    pub fn of(tag: Option<&str>) -> Self {
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
        Stage::NewPassword => problem(
            1639,
            499,
            "请先设置新密码，再继续登录。",
            "Set a new password first, then the login goes on.",
        ),
        Stage::Complete => problem(
            1642,
            499,
            "请先补全必填资料，再继续登录。",
            "Fill in what is missing, then the login goes on.",
        ),
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

/// What a better password would be.
fn weak(weakness: Weakness) -> Problem {
    let (chinese, english) = match weakness {
        Weakness::TooShort => {
            ("密码过短：请使用更长的密码。", "The password is too short: choose a longer one.")
        }
        Weakness::TooLong => {
            ("密码过长：请使用更短的密码。", "The password is too long: choose a shorter one.")
        }
        Weakness::TooCommon => (
            "密码过于常见，容易被猜到：请换一个。",
            "The password is one of those that are tried first: choose another.",
        ),
        Weakness::ContainsOwnName => (
            "密码不能包含自己的用户名、邮箱、手机号或姓名：请换一个。",
            "The password contains a name of the account: choose one without.",
        ),
        Weakness::NeedsMoreKinds => (
            "密码强度不足：请同时使用字母和数字（高强度还需大小写字母且不少于 12 位）。",
            "The password is too plain: mix letters and digits (at the high level lower and upper case, 12 characters or more).",
        ),
    };
    problem(2061, 400, chinese, english)
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
            Refusal::NoConnection(kind) => problem(
                2405,
                403,
                format!("该应用没有启用 {} 类型的身份源连接：请先创建并启用一个。", kind.as_str()),
                format!(
                    "No connection of type {} is switched on for this application: make one and switch it on.",
                    kind.as_str()
                ),
            ),
            Refusal::ConnectionOfOtherKind(identifier, kind) => problem(
                2409,
                400,
                format!(
                    "身份源连接 {identifier} 的类型是 {}，不适用于该接口：请核对 extIdpConnidentifier。",
                    kind.as_str()
                ),
                format!(
                    "The connection {identifier} is of type {}, which this call is not for: check extIdpConnidentifier.",
                    kind.as_str()
                ),
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
                format!(
                    "The account was deleted by its owner and is gone for good at {}: ask the administrator to bring it back before.",
                    at.to_iso()
                ),
            ),
            Refusal::FlowUnknown => problem(
                2206,
                400,
                "登录流程不存在或已结束：请重新登录。",
                "There is no such login in progress, or it is over: log in again.",
            ),
            Refusal::MethodNotPermitted => problem(
                2415,
                403,
                "该身份源连接不支持这种绑定方式：请使用返回的 methods 中的方式。",
                "This connection does not permit this way of binding: use one of the methods that were offered.",
            ),
            Refusal::StillMissing => problem(
                2416,
                400,
                "仍有必填项未完成：请按返回的 missing 或 agreements 补全。",
                "Something that is required is still missing: see missing and agreements of the answer.",
            ),
            Refusal::NotACandidate => problem(
                2417,
                400,
                "该账号不在可选列表中：请选择返回的 accounts 中的账号。",
                "This account is none of those to choose from: send the id of one of the accounts of the answer.",
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
            Refusal::NotAdministrating => problem(
                2440,
                401,
                "访问密钥无效：请在 Authorization 头中携带有效的密钥，可用 hufu admin create-key 创建。",
                "The access key is not valid: send one as `Authorization: Bearer …`; `hufu admin create-key` makes one.",
            ),
            Refusal::AdministratorUnknown => problem(
                2441,
                401,
                "用户名或密码错误：请核对后重试。",
                "Username or password is wrong: check them and try again.",
            ),
            Refusal::NewPasswordNeeded => problem(
                2449,
                403,
                "首次登录须更换密码：请在请求中同时提供 newPassword。",
                "The password must be replaced first: send `newPassword` as well.",
            ),
            Refusal::NotPermitted(permission) => problem(
                2442,
                403,
                format!("权限不足（{}）：请换用具备该权限的角色。", permission.as_str()),
                format!("Your role lacks {}: use a key whose role has it.", permission.as_str()),
            ),
            Refusal::ImportUnfit(why) => problem(
                2450,
                422,
                format!("文件无法导入：{why}。"),
                format!("The file cannot be imported: {why}."),
            ),
            Refusal::ImportUnfinished(rows) => problem(
                2451,
                409,
                format!(
                    "同名文件的导入在第 {rows} 行后中断，而文件已改变：请用原文件继续，或加 startOver=true 重新开始。"
                ),
                format!(
                    "The import of another file of this name stopped after {rows} rows: send that file again, or `startOver=true`."
                ),
            ),
            Refusal::ImportRunning => problem(
                2452,
                409,
                "已有导入正在进行：请等待其完成。",
                "An import is running: wait until it has finished.",
            ),
            Refusal::ImportTooLarge(limit) => problem(
                2453,
                413,
                format!("文件过大：最多 {limit} 字节，更大的文件请用 hufu import。"),
                format!("The file is too large: at most {limit} bytes; `hufu import` takes larger ones."),
            ),
            Refusal::UserUnknown => {
                problem(2443, 404, "用户不存在：请核对用户 ID。", "There is no such user: check the id.")
            }
            Refusal::ChangedMeanwhile => problem(
                2444,
                409,
                "用户已被他人修改：请重新读取后再提交。",
                "The user was changed since you read it: read it again, then send your change.",
            ),
            Refusal::NameTaken(field) => problem(
                2445,
                409,
                format!("{field} 已被其他用户使用：请换一个。"),
                format!("Another user has this {field}: choose another one."),
            ),
            Refusal::TooManyWebhooks(most) => problem(
                2430,
                409,
                format!("该用户池已有 {most} 个 Webhook：请先删除不用的。"),
                format!("The user pool has {most} webhooks already: delete one that is not used."),
            ),
            Refusal::DeliveryWaiting => problem(
                2431,
                409,
                "该投递仍在等待发送：无需重放。",
                "The delivery is on its way already: there is nothing to send again.",
            ),
            Refusal::NoSuch(what) => problem(
                2446,
                404,
                format!("未找到该对象（{what}）：请核对 ID。"),
                format!("There is no such {what}: check its id."),
            ),
            Refusal::MergedInto(user) => problem(
                2447,
                409,
                format!("该账号已合并到 {user}：请对该账号操作。"),
                format!("The account was merged into {user}: act on that one."),
            ),
            Refusal::StatusForbids(_) => problem(
                2448,
                409,
                "账号当前状态不允许此操作：请先查看其 status。",
                "The account's status does not allow this: look at its status first.",
            ),
            Refusal::WrongCode => problem(
                2001,
                400,
                "验证码错误或已过期：请核对后重试，或重新获取验证码。",
                "The code is wrong or has expired: check it, or ask for a new one.",
            ),
            Refusal::NoSender(channel) => match channel {
                PasscodeChannel::Sms => problem(
                    2420,
                    503,
                    "尚未配置短信服务：请联系管理员为该用户池配置短信发送方。",
                    "No SMS sender is configured: let the administrator set one up for this user pool.",
                ),
                PasscodeChannel::Email => problem(
                    2420,
                    503,
                    "尚未配置邮件服务：请联系管理员为该用户池配置邮件发送方。",
                    "No e-mail sender is configured: let the administrator set one up for this user pool.",
                ),
            },
            Refusal::WrongPassword { .. } => problem(
                2333,
                400,
                "账号或密码错误：请核对后重试，或重置密码。",
                "The account or the password is wrong: check both, or reset the password.",
            ),
            Refusal::Locked => problem(
                2057,
                403,
                "密码错误次数过多，账号已暂时锁定：请 15 分钟后重试，或用短信、邮件验证码解锁或重置密码。",
                "Too many wrong passwords, the account is locked for now: wait 15 minutes, or unlock it or reset the password with a code by SMS or e-mail.",
            ),
            Refusal::WeakPassword(weakness) => weak(*weakness),
            Refusal::UsernameTaken => problem(
                2034,
                409,
                "用户名已被使用：请换一个。",
                "Somebody has this username: choose another.",
            ),
            Refusal::PhoneTaken => problem(
                2035,
                409,
                "该手机号已绑定其他账号：请直接用它登录，或先在那个账号中解绑。",
                "This phone number is another account's: log in with it, or unbind it there first.",
            ),
            Refusal::EmailTaken => problem(
                2200,
                409,
                "该邮箱已绑定其他账号：请直接用它登录，或先在那个账号中解绑。",
                "This e-mail address is another account's: log in with it, or unbind it there first.",
            ),
            Refusal::AccountExists => problem(
                2026,
                409,
                "该账号已存在：请直接登录，或重置密码。",
                "This account exists: log in, or reset the password.",
            ),
            Refusal::CodeNeeded => problem(
                2422,
                400,
                "使用邮箱注册需要验证码：请先向该邮箱发送注册验证码，再用验证码注册；也可改用手机号或用户名注册。",
                "Registering with an e-mail address needs a code: have one sent to it for registration, then register \
                 with the code; or register with a phone number or a username.",
            ),
            Refusal::OldPasswordNeeded => problem(
                2201,
                400,
                "修改密码需要提供旧密码：请填写旧密码，或用验证码重置密码。",
                "The old password is needed: send it along, or reset the password with a code.",
            ),
            Refusal::OldPasswordWrong => problem(
                2203,
                400,
                "旧密码错误：请核对后重试，或用验证码重置密码。",
                "The old password is wrong: check it, or reset the password with a code.",
            ),
            Refusal::OldPhoneMismatch => problem(
                2038,
                400,
                "原手机号不正确或未验证：请填写账号当前的手机号，并带上发送到它的验证码。",
                "The old phone number is not the account's, or is not proved: send the present number with the code sent to it.",
            ),
            Refusal::OldEmailMismatch => problem(
                2037,
                400,
                "原邮箱不正确或未验证：请填写账号当前的邮箱，并带上发送到它的验证码。",
                "The old e-mail address is not the account's, or is not proved: send the present address with the code sent to it.",
            ),
            Refusal::HasPhone => problem(
                2226,
                409,
                "账号已绑定手机号：请使用更换手机号的接口。",
                "The account has a phone number: change it instead of binding one.",
            ),
            Refusal::HasEmail => problem(
                2225,
                409,
                "账号已绑定邮箱：请使用更换邮箱的接口。",
                "The account has an e-mail address: change it instead of binding one.",
            ),
            Refusal::NotBound => problem(
                2216,
                400,
                "账号没有绑定该项：无需解绑。",
                "The account has nothing of this kind bound: there is nothing to unbind.",
            ),
            Refusal::LastWayIn => problem(
                2217,
                409,
                "这是账号唯一的登录方式，无法解绑：请先绑定另一种登录方式。",
                "This is the last way into the account: bind another one first.",
            ),
            Refusal::StepTokenInvalid => problem(
                2421,
                400,
                "操作凭证无效、已使用或已过期（有效期 60 秒）：请重新验证后再试。",
                "The token of the first step is unknown, used or expired (it lasts 60 s): begin again.",
            ),
            Refusal::NotTold => problem(
                1001,
                403,
                "该用户池不允许查询账号是否存在：请联系管理员开启，或直接登录、注册。",
                "This user pool does not tell which accounts exist: let the administrator allow it, or just log in or register.",
            ),
            Refusal::LoginTooOld(most) => {
                let minutes = most.as_secs().div_ceil(60);
                problem(
                    2460,
                    403,
                    format!("为了账号安全，该操作要求 {minutes} 分钟内登录过：请重新登录后再试。"),
                    format!(
                        "For your safety this needs a login of the last {minutes} minutes: log in again, then repeat it."
                    ),
                )
            }
            Refusal::FieldNotEditable(key) => problem(
                2461,
                403,
                format!("字段 {key} 只能由管理员修改：请去掉该字段后重试。"),
                format!("Only administrators change the field {key}: leave it out."),
            ),
            Refusal::HasUsername => problem(
                2469,
                409,
                "账号已有用户名，不能再修改：如需更换请联系管理员。",
                "The account has a username already: ask the administrator to change it.",
            ),
            Refusal::SessionUnknown => problem(
                2462,
                404,
                "登录会话不存在或已结束：请刷新会话列表。",
                "There is no such session, or it is over: read the list again.",
            ),
            Refusal::MergeUnknown => {
                problem(2463, 404, "未找到该合并记录：请核对 ID。", "There is no such merge: check its id.")
            }
            Refusal::MergeUndoneBefore => problem(
                2464,
                409,
                "该合并已被撤销：无需再次操作。",
                "This merge was undone before: there is nothing to undo.",
            ),
            Refusal::MergeTooOld => problem(
                2465,
                403,
                "合并已超过可撤销的期限：两个账号将保持为一个。",
                "The merge is too long ago to be undone: the accounts stay one.",
            ),
            Refusal::MergedOn => problem(
                2466,
                409,
                "合并后的账号又被合并到其他账号：请先撤销较晚的合并。",
                "The account was merged on into another one since: undo that later merge first.",
            ),
            Refusal::SameAccount => problem(
                2467,
                409,
                "两者已是同一个账号：无需合并。",
                "Both are one account already: there is nothing to merge.",
            ),
            Refusal::MergeImpossible => problem(
                2468,
                409,
                "其中一个账号已停用、已申请注销或已合并到其他账号：请用正常使用中的账号合并。",
                "One of the accounts is switched off, leaving, or was merged into another: only accounts in use are merged.",
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
    pub fn message(&self, language: Language) -> &str {
        match language {
            Language::Chinese => &self.chinese,
            Language::English => &self.english,
        }
    }
}

/// A refusal as an answer: HTTP 200, `code` = `apiCode`, and `statusCode`.
#[derive(Debug)]
pub struct Failure {
    /// Its code and sentences.
    pub problem: Problem,
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
    pub fn new(refusal: &Refusal, language: Language, request_id: String) -> Self {
        let problem = Problem::of(refusal);
        if matches!(refusal, Refusal::Internal(_) | Refusal::Overloaded(_)) {
            tracing::error!(code = problem.code, error = hufu_types::chain(refusal), "request failed");
        }
        metrics::counter!("hufu_refusals_total", "code" => problem.code.to_string()).increment(1);
        let data = match refusal {
            Refusal::WrongPassword { remaining } => Some(serde_json::json!({ "remainCount": remaining })),
            _ => None,
        };
        Self { problem, data, language, request_id }
    }

    /// Why a call that logs in hands out no tokens. A login that waits is told by the code of what it waits for.
    pub fn of(why: &NoTokens, language: Language, request_id: String) -> Self {
        match why {
            NoTokens::Refused(refusal) => Self::new(refusal, language, request_id),
            NoTokens::Waiting(view) => {
                let problem = waiting(view);
                metrics::counter!("hufu_refusals_total", "code" => problem.code.to_string()).increment(1);
                Self { problem, data: Some(flow_data(view)), language, request_id }
            }
            NoTokens::StepRefused(refusal, view) => {
                let failure = Self::new(refusal, language, request_id);
                Self { data: Some(failed_data(refusal, view)), ..failure }
            }
        }
    }

    /// The sentence for the person.
    pub fn message(&self) -> &str {
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
