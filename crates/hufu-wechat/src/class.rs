//! What the caller should do about an `errcode`.
//!
//! The same number can mean different things at different endpoints: 40001 is an expired app token on a
//! business call, but a wrong secret when the token is fetched. An unknown number is classed as a problem for
//! the administrator, and never causes a token to be discarded.

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// WeChat is busy or unreachable: the same call may succeed later.
    Retry,
    /// The app token was rejected: drop it, fetch another, and repeat the call once.
    Token,
    /// The user or the client has to start again, for example with a new code.
    User,
    /// WeChat rejects this user: do not retry; record it in the audit log.
    Deny,
    /// The app is misconfigured: its administrator has to act.
    Admin,
    /// A quota is exhausted: back off.
    Limit,
    /// The app is frozen, banned or closed: this login method is unavailable.
    AppDown,
    /// The request itself is wrong: a bug in this program.
    Bug,
}

impl Class {
    /// A stable lowercase name for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Token => "token",
            Self::User => "user",
            Self::Deny => "deny",
            Self::Admin => "admin",
            Self::Limit => "limit",
            Self::AppDown => "app_down",
            Self::Bug => "bug",
        }
    }
}

/// A call to WeChat's server API, distinguished only as far as it affects the meaning of error codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `GET /sns/jscode2session`: a mini program's login code.
    CodeToSession,
    /// `POST /wxa/business/getuserphonenumber`.
    PhoneNumber,
    /// `POST /cgi-bin/stable_token`.
    StableToken,
    /// `GET /cgi-bin/token`.
    Token,
    /// `GET /sns/oauth2/access_token`: a code of web or mobile authorization.
    SnsAccessToken,
    /// `GET /sns/oauth2/refresh_token`.
    SnsRefreshToken,
    /// `GET /sns/userinfo` and `/sns/auth`: calls with a user's token.
    SnsUserInfo,
    /// `GET /wxa/checksession` and `/wxa/resetusersessionkey`.
    SessionKey,
    /// `POST /wxa/generatescheme` and `/wxa/generate_urllink`.
    SchemeOrLink,
    /// `POST /wxa/getwxacodeunlimit`.
    CodeImage,
    /// `POST /cgi-bin/qrcode/create`.
    QrCode,
    /// `GET /cgi-bin/user/info`.
    Follower,
    /// Any other call with an app token.
    Business,
}

impl Endpoint {
    /// The name of the call in WeChat's documentation, for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CodeToSession => "code2Session",
            Self::PhoneNumber => "getPhoneNumber",
            Self::StableToken => "getStableAccessToken",
            Self::Token => "getAccessToken",
            Self::SnsAccessToken => "snsAccessToken",
            Self::SnsRefreshToken => "snsRefreshToken",
            Self::SnsUserInfo => "snsUserInfo",
            Self::SessionKey => "checkSessionKey",
            Self::SchemeOrLink => "generateScheme",
            Self::CodeImage => "getUnlimitedQRCode",
            Self::QrCode => "createQRCode",
            Self::Follower => "getUserInfo",
            Self::Business => "business",
        }
    }

    /// Whether the call sends a single-use code.
    pub fn spends_a_code(self) -> bool {
        matches!(self, Self::CodeToSession | Self::PhoneNumber | Self::SnsAccessToken)
    }

    /// What authenticates the call.
    fn credential(self) -> Credential {
        match self {
            Self::CodeToSession
            | Self::StableToken
            | Self::Token
            | Self::SnsAccessToken
            | Self::SnsRefreshToken => Credential::Secret,
            Self::SnsUserInfo => Credential::UserToken,
            Self::PhoneNumber
            | Self::SessionKey
            | Self::SchemeOrLink
            | Self::CodeImage
            | Self::QrCode
            | Self::Follower
            | Self::Business => Credential::AppToken,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Credential {
    Secret,
    AppToken,
    UserToken,
}

/// The class of a non-zero `errcode` at an endpoint.
///
/// Source: WeChat's global return codes and the tables on the individual pages.
#[expect(clippy::match_same_arms, reason = "one line per meaning, in the order of the codes")]
pub fn classify(endpoint: Endpoint, errcode: i64) -> Class {
    match errcode {
        -1 | -1000 => Class::Retry,

        // Credentials. Only an app token can be fetched again: a user token requires the user, and a secret
        // requires an administrator.
        40001 | 40014 | 42001 | 42006 | 48012 => match endpoint.credential() {
            Credential::AppToken => Class::Token,
            Credential::UserToken => Class::User,
            Credential::Secret => Class::Admin,
        },

        // Numbers with a different meaning at some endpoints.
        40002 if endpoint == Endpoint::SchemeOrLink => Class::Admin, // no permission to generate
        40002 => Class::Bug,                                         // grant_type
        // The phone code belongs to a different app than the token. As with a login code of another app, the
        // client sent something that does not match.
        40013 if endpoint == Endpoint::PhoneNumber => Class::User,
        40013 if endpoint == Endpoint::SchemeOrLink => Class::AppDown, // generation banned
        40013 => Class::Admin,
        48001 if endpoint == Endpoint::SnsUserInfo => Class::User, // the user's token lacks the scope
        48001 => Class::Admin,
        // "User limited". With a user's code or token, this is about the user. It is about the app, which is
        // frozen or closed, where only the app is known, and at code2Session, which has 40226 for users.
        50002 => match endpoint {
            Endpoint::SnsAccessToken | Endpoint::SnsRefreshToken | Endpoint::SnsUserInfo => Class::Deny,
            _ => Class::AppDown,
        },

        40226 => Class::Deny,

        40003 | 40029 | 40030 | 40163 | 42002 | 42003 | 42007 | 43004 | 43019 | 46004 | 50001 | 50005
        | 87007 | 87009 => Class::User,

        44990 | 44993 | 45009 | 45011 | 85406 => Class::Limit,

        45104 | 45501 | 48004 | 50004 | 50007 | 85079 | 85408 | 89013 => Class::AppDown,

        40033 | 40035 | 40048 | 40052 | 40053 | 40066 | 40097 | 40129 | 40159 | 40165 | 40169 | 40188
        | 40212 | 41001 | 41002 | 41003 | 41004 | 41008 | 41009 | 41018 | 41021 | 43001 | 43002 | 43003
        | 44002 | 47001 | 47002 | 49003 | 61014 | 61015 | 85096 | 85401 | 85402 | 87008 => Class::Bug,

        // 40094, 40125, 40164, 40243, 41030, 45029, 45035, 45063, 50003, 61003…61011, 61023, 61024, 61028,
        // 76001…76022, 85403, 85405, 85407, 89002, 89501…89507, and every unknown number.
        _ => Class::Admin,
    }
}
