//! WeChat's responses: JSON with HTTP 200. Failures have an `errcode` and a text that ends in a request id.

use axum::http::HeaderValue;

/// The error codes of WeChat that the sandbox returns on its own.
///
/// Source: WeChat's global return codes and the pages of the individual calls.
pub(crate) mod code {
    pub(crate) const INVALID_CREDENTIAL: i32 = 40001;
    pub(crate) const INVALID_GRANT_TYPE: i32 = 40002;
    pub(crate) const INVALID_OPENID: i32 = 40003;
    pub(crate) const INVALID_APPID: i32 = 40013;
    pub(crate) const INVALID_ACCESS_TOKEN: i32 = 40014;
    pub(crate) const INVALID_CODE: i32 = 40029;
    pub(crate) const INVALID_URL: i32 = 40066;
    pub(crate) const INVALID_APPSECRET: i32 = 40125;
    pub(crate) const CODE_USED: i32 = 40163;
    pub(crate) const CODE_BLOCKED: i32 = 40226;
    pub(crate) const APPSECRET_FROZEN: i32 = 40243;
    pub(crate) const ACCESS_TOKEN_MISSING: i32 = 41001;
    pub(crate) const APPID_MISSING: i32 = 41002;
    pub(crate) const APPSECRET_MISSING: i32 = 41004;
    pub(crate) const CODE_MISSING: i32 = 41008;
    pub(crate) const ACCESS_TOKEN_EXPIRED: i32 = 42001;
    pub(crate) const REQUIRE_GET: i32 = 43001;
    pub(crate) const REQUIRE_POST: i32 = 43002;
    pub(crate) const EMPTY_POST_DATA: i32 = 44002;
    pub(crate) const DAILY_QUOTA: i32 = 45009;
    pub(crate) const MINUTE_QUOTA: i32 = 45011;
    pub(crate) const DATA_FORMAT: i32 = 47001;
    pub(crate) const API_UNAUTHORIZED: i32 = 48001;
    pub(crate) const API_FORBIDDEN: i32 = 48004;
    pub(crate) const USER_LIMITED: i32 = 50002;
    pub(crate) const TOKEN_FORBIDDEN: i32 = 50004;
    pub(crate) const ACCOUNT_FROZEN: i32 = 50007;
    pub(crate) const SESSION_KEY_GONE: i32 = 87007;
    pub(crate) const INVALID_SIG_METHOD: i32 = 87008;
    pub(crate) const INVALID_SIGNATURE: i32 = 87009;
}

/// One of WeChat's error codes, with its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WechatError(pub(crate) i32);

/// A response body, or the error code of a failure.
pub(crate) type Answer = Result<String, WechatError>;

/// The content type of WeChat's JSON: `sns` calls use plain text, the others JSON with an unusual parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    Text,
    Json,
}

impl Label {
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Label::Text => "text/plain",
            Label::Json => "application/json; encoding=utf-8",
        })
    }
}

impl WechatError {
    pub(crate) fn body(self, rid: &str) -> String {
        format!(r#"{{"errcode":{},"errmsg":"{}, rid: {rid}"}}"#, self.0, self.text())
    }

    pub(crate) fn text(self) -> &'static str {
        match self.0 {
            code::INVALID_CREDENTIAL => "invalid credential, access_token is invalid or not latest",
            code::INVALID_GRANT_TYPE => "invalid grant_type",
            code::INVALID_OPENID => "invalid openid",
            code::INVALID_APPID => "invalid appid",
            code::INVALID_ACCESS_TOKEN => "invalid access_token",
            code::INVALID_CODE => "invalid code",
            code::INVALID_URL => "invalid url",
            code::INVALID_APPSECRET => "invalid appsecret",
            code::CODE_USED => "code been used",
            40164 => "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist",
            code::CODE_BLOCKED => "code blocked",
            code::APPSECRET_FROZEN => "appsecret is frozen by the administrator",
            code::ACCESS_TOKEN_MISSING => "access_token missing",
            code::APPID_MISSING => "appid missing",
            code::APPSECRET_MISSING => "appsecret missing",
            code::CODE_MISSING => "missing code",
            code::ACCESS_TOKEN_EXPIRED => "access_token expired",
            code::REQUIRE_GET => "require GET method",
            code::REQUIRE_POST => "require POST method",
            code::EMPTY_POST_DATA => "empty post data",
            code::DAILY_QUOTA => "reach max api daily quota limit",
            code::MINUTE_QUOTA => "api minute-quota reach limit mustslower retry next minute",
            code::DATA_FORMAT => "data format error",
            code::API_UNAUTHORIZED => "api unauthorized",
            code::API_FORBIDDEN => "api forbidden for irregularities",
            code::USER_LIMITED => "user limited",
            code::TOKEN_FORBIDDEN => "access_token use forbidden",
            code::ACCOUNT_FROZEN => "account frozen",
            61024 => "appid is a third-party platform, use api_component_token",
            code::SESSION_KEY_GONE => "session_key is not existed or expired",
            code::INVALID_SIG_METHOD => "invalid sig_method",
            code::INVALID_SIGNATURE => "invalid signature",
            89503 => "this call needs the confirmation of the administrator",
            -1 => "system error",
            _ => "error",
        }
    }
}
