//! The frame of the pages of `open.weixin.qq.com`.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::page_code;
use crate::page::opening;
use crate::page::text::Language;

/// Websites show the QR page in a frame, so framing is allowed. A form may lead to any website.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'";

/// The phone may be shown in a frame by pages of this machine.
const PHONE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                            img-src 'self'; base-uri 'none'; \
                            frame-ancestors 'self' http://127.0.0.1:* http://localhost:*";

/// A page with this text as `<main>`.
pub(super) struct Page<'a> {
    pub(super) language: Language,
    pub(super) theme: &'a str,
    pub(super) title: &'a str,
    /// More of the head.
    pub(super) head: &'a str,
    /// The attributes of `<main>`.
    pub(super) main: &'a str,
    pub(super) body: &'a str,
}

impl Page<'_> {
    pub(super) fn response(&self) -> Response {
        let body = format!(
            r#"{opening}{head}</head>
<body class="open">
<main{main}>
{body}</main>
<footer class="open-foot">{foot}</footer>
</body>
</html>
"#,
            opening = opening(self.language.of("zh-CN", "en"), self.theme, self.title, "phone"),
            head = self.head,
            main = self.main,
            body = self.body,
            foot = self
                .language
                .of("微信沙箱：仅供开发与测试", "WeChat sandbox: for development and tests only"),
        );
        page(body, POLICY)
    }
}

/// A page of the phone.
pub(crate) fn phone_html(body: String) -> Response {
    page(body, PHONE_POLICY)
}

fn page(body: String, policy: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
        // Forms must say where they come from.
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, body).into_response()
}

/// Sends the browser on.
pub(super) fn redirect(location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        return failure(page_code::REDIRECT_URI_EMPTY);
    };
    let headers =
        [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::FOUND, headers).into_response()
}

/// WeChat's error page, with the meaning of its code in both languages: nobody's language is known here.
pub(super) fn failure(code: i32) -> Response {
    let (chinese, english) = match code {
        page_code::WRONG_DOMAIN => (
            "redirect_uri 域名与后台配置不一致",
            "The host of redirect_uri is not an authorized domain of the app",
        ),
        page_code::BANNED => ("此账号被封禁", "The account is banned"),
        page_code::NO_PERMISSION => {
            ("Scope 参数错误或没有 Scope 权限", "The app has no permission for this scope")
        }
        page_code::MUST_FOLLOW_TEST_ACCOUNT => ("请先关注此测试号", "Follow this test account first"),
        page_code::TOO_FREQUENT => ("操作太频繁，请稍后重试", "Too frequent, try again later"),
        page_code::SCOPE_EMPTY => ("scope 不能为空", "scope is empty, or not in its place"),
        page_code::REDIRECT_URI_EMPTY => {
            ("redirect_uri 不能为空", "redirect_uri is empty, or not in its place")
        }
        page_code::APPID_EMPTY => ("AppID 参数错误", "appid is empty, unknown, or not in its place"),
        page_code::STATE_EMPTY => (
            "state 不能为空，且只能是 128 字节以内的字母和数字",
            "state is empty, or not up to 128 letters and digits",
        ),
        page_code::NOT_AUTHORIZED_TO_PLATFORM => {
            ("公众号未授权第三方平台", "The account has not authorized the third-party platform")
        }
        page_code::OPEN_PLATFORM_APP => {
            ("不支持开放平台的 AppID，请用公众号的 AppID", "An official account’s AppID is needed here")
        }
        _ => ("链接参数错误", "WeChat does not open this link"),
    };
    let body = format!(
        r#"<div class="open-sheet open-failure"><span class="open-mark" aria-hidden="true">!</span><h1>{chinese}</h1><p lang="en">{english}</p><p class="muted">错误码 <span lang="en">/ error code</span> <code id="page-error">{code}</code></p></div>
"#
    );
    Page { language: Language::Chinese, theme: "", title: "微信", head: "", main: "", body: &body }.response()
}
