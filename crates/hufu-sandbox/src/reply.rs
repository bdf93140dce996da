//! WeChat's responses: JSON with HTTP 200. Failures have an `errcode` and a text that ends in a request id.

use std::borrow::Cow;
use std::net::IpAddr;

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
    pub(crate) const INVALID_REFRESH_TOKEN: i32 = 40030;
    pub(crate) const INVALID_ARGS: i32 = 40035;
    pub(crate) const INVALID_ACTION_NAME: i32 = 40052;
    pub(crate) const INVALID_ACTION_INFO: i32 = 40053;
    pub(crate) const INVALID_ARG: i32 = 40097;
    pub(crate) const INVALID_SCENE: i32 = 40129;
    pub(crate) const CODE_USED: i32 = 40163;
    pub(crate) const INVALID_IP: i32 = 40164;
    pub(crate) const INVALID_PATH: i32 = 40165;
    pub(crate) const INVALID_SCENE_LENGTH: i32 = 40169;
    pub(crate) const INVALID_QUERY: i32 = 40212;
    pub(crate) const CODE_BLOCKED: i32 = 40226;
    pub(crate) const APPSECRET_FROZEN: i32 = 40243;
    pub(crate) const ACCESS_TOKEN_MISSING: i32 = 41001;
    pub(crate) const APPID_MISSING: i32 = 41002;
    pub(crate) const REFRESH_TOKEN_MISSING: i32 = 41003;
    pub(crate) const APPSECRET_MISSING: i32 = 41004;
    pub(crate) const CODE_MISSING: i32 = 41008;
    pub(crate) const OPENID_MISSING: i32 = 41009;
    pub(crate) const INVALID_PAGE: i32 = 41030;
    pub(crate) const ACCESS_TOKEN_EXPIRED: i32 = 42001;
    pub(crate) const REFRESH_TOKEN_EXPIRED: i32 = 42002;
    pub(crate) const REQUIRE_GET: i32 = 43001;
    pub(crate) const REQUIRE_POST: i32 = 43002;
    pub(crate) const EMPTY_POST_DATA: i32 = 44002;
    pub(crate) const DAILY_QUOTA: i32 = 45009;
    pub(crate) const MINUTE_QUOTA: i32 = 45011;
    pub(crate) const TOO_MANY_QR_CODES: i32 = 45029;
    pub(crate) const NOT_A_MINI_PROGRAM: i32 = 45063;
    pub(crate) const DATA_FORMAT: i32 = 47001;
    pub(crate) const API_UNAUTHORIZED: i32 = 48001;
    pub(crate) const API_FORBIDDEN: i32 = 48004;
    pub(crate) const CLEAR_QUOTA_LIMIT: i32 = 48006;
    pub(crate) const USER_LIMITED: i32 = 50002;
    pub(crate) const TOKEN_FORBIDDEN: i32 = 50004;
    pub(crate) const ACCOUNT_FROZEN: i32 = 50007;
    pub(crate) const NO_RELEASE: i32 = 85079;
    pub(crate) const SCANCODE_TIME: i32 = 85096;
    pub(crate) const INVALID_EXPIRY: i32 = 85401;
    pub(crate) const INVALID_ENV: i32 = 85402;
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
    /// A page for people; failures are pages too.
    Page,
}

impl Label {
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Label::Text => "text/plain",
            Label::Json => "application/json; encoding=utf-8",
            Label::Page => "text/html; charset=utf-8",
        })
    }
}

impl WechatError {
    /// The body of the failure for a caller at this address.
    pub(crate) fn body(self, rid: &str, caller: IpAddr) -> String {
        let text = match caller.to_canonical() {
            IpAddr::V4(ip) if self.0 == code::INVALID_IP => {
                Cow::Owned(format!("invalid ip {ip} ipv6 ::ffff:{ip}, not in whitelist"))
            }
            IpAddr::V6(ip) if self.0 == code::INVALID_IP => {
                Cow::Owned(format!("invalid ip {ip}, not in whitelist"))
            }
            _ => Cow::Borrowed(self.text()),
        };
        format!(r#"{{"errcode":{},"errmsg":"{text}, rid: {rid}"}}"#, self.0)
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
            code::INVALID_REFRESH_TOKEN => "invalid refresh_token",
            code::INVALID_ARGS | code::INVALID_ARG => "invalid args",
            code::INVALID_ACTION_NAME => "invalid action name",
            code::INVALID_ACTION_INFO => "invalid action info",
            code::INVALID_SCENE => "invalid scene",
            code::INVALID_PATH => "invalid weapp pagepath",
            code::INVALID_SCENE_LENGTH => "invalid length for scene, or the data is not json string",
            code::INVALID_QUERY => "invalid query",
            code::CODE_USED => "code been used",
            code::INVALID_IP => "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist",
            code::CODE_BLOCKED => "code blocked",
            code::APPSECRET_FROZEN => "appsecret is frozen by the administrator",
            code::ACCESS_TOKEN_MISSING => "access_token missing",
            code::APPID_MISSING => "appid missing",
            code::REFRESH_TOKEN_MISSING => "missing refresh_token",
            code::OPENID_MISSING => "missing openid",
            code::INVALID_PAGE => "invalid page",
            code::REFRESH_TOKEN_EXPIRED => "refresh_token expired",
            code::TOO_MANY_QR_CODES => "qrcode count out of limit",
            code::NOT_A_MINI_PROGRAM => "the token is not a mini program's",
            code::CLEAR_QUOTA_LIMIT => "forbid to clear quota because of reaching the limit",
            code::NO_RELEASE => "the mini program has no online release",
            code::SCANCODE_TIME => "scancode_time is a reserved parameter name",
            code::INVALID_EXPIRY => "invalid expire time",
            code::INVALID_ENV => "invalid env_version",
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
