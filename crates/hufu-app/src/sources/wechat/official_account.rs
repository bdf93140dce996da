//! `wechatmp-qrcode`: login by following an official account, or by scanning its QR code as a follower. WeChat says who it
//! was in a message: see [`crate::official_account`].

use std::time::Duration;

use hufu_store::qr_pictures::StoredPicture;
use hufu_types::refusal::Code;
use hufu_types::{Connection, Proof, SettingProblem, TicketKind};
use hufu_wechat::{Budget, Class};
use serde_json::{Map, Value as Json};

use super::exchange::wechat_refusal;
use super::{app_id_field, app_secret_field, credentials, identity};
use crate::doctor::checks::{self, Menus, Probe};
use crate::sources::field::Stays;
use crate::sources::{Field, Form, Kind, QrCodes, Start, Text};
use crate::{App, Refusal};

/// The definition of this kind.
pub(crate) const KIND: Kind = Kind {
    fields: FIELDS,
    start: Start::QrCode(QrCodes {
        scanned_by: TicketKind::OfficialAccount,
        has_short_codes: |connection| connection.settings.text(ACCOUNT) == Some("subscription"),
        picture: |app, connection, scene, life| Box::pin(picture(app, connection, scene, life)),
    }),
    realm: super::realm,
    // No client brings a code: a message proves who the person is.
    prove: |_, attempt| {
        let connection = attempt.connection;
        let refusal = Code::ConnectionOfOtherKind
            .with("connection", connection.identifier.to_string())
            .with("kind", connection.kind.as_str());
        Box::pin(async move { Err(refusal.into()) })
    },
    probe: Probe::OfficialAccount,
    menus: Menus::OfficialAccount,
    has_app_tokens: true,
    checks: &[
        checks::app_token,
        checks::connection,
        checks::may_ask_about_followers,
        checks::message_url,
        checks::union_ids,
    ],
};

const HINT: Text = Text {
    zh: "微信公众平台 › 设置与开发 › 开发接口管理 › 基本配置",
    en: "WeChat's platform: official account › 设置与开发 › 开发接口管理 › 基本配置",
};
const SERVER_HINT: Text = Text {
    zh: "微信公众平台 › 设置与开发 › 开发接口管理 › 基本配置 › 服务器配置",
    en: "WeChat's platform: official account › 设置与开发 › 开发接口管理 › 基本配置 › 服务器配置",
};
const RELAY_HINT: Text = Text {
    zh: "你自己的服务器的消息接口的配置",
    en: "the configuration of your own server for messages",
};

pub(crate) const ORIGINAL_ID: &str = "original_id";
pub(crate) const ACCOUNT: &str = "account";
pub(crate) const TOKEN: &str = "token";
pub(crate) const AES_KEY: &str = "aes_key";
pub(crate) const ENCRYPTION: &str = "encryption";
pub(crate) const FORWARDED: &str = "forwarded";
pub(crate) const WELCOME: &str = "welcome";
pub(crate) const RELAY: &str = "relay";
pub(crate) const URL: &str = "url";

/// The longest text that WeChat passes on to a follower is about 2048 bytes.
const LONGEST_WELCOME: usize = 600;

const FIELDS: &[Field] = &[
    app_id_field(HINT),
    app_secret_field(HINT),
    Field {
        name: ORIGINAL_ID,
        form: Form::OriginalId,
        secret: false,
        required: true,
        label: Text { zh: "原始 ID", en: "Original id" },
        hint: Text {
            zh: "微信公众平台 › 设置与开发 › 账号设置 › 原始ID",
            en: "WeChat's platform: official account › 设置与开发 › 账号设置 › 原始ID",
        },
    },
    Field {
        name: ACCOUNT,
        form: Form::Choice { names: &["service", "subscription"], default: "service" },
        secret: false,
        required: false,
        label: Text { zh: "账号类型", en: "Kind of account" },
        hint: Text {
            zh: "service 是已认证的服务号，扫码即登录；subscription 是订阅号，关注者发送登录页上的数字",
            en: "service is a verified service account, whose QR codes log in; followers of a subscription account send the digits that the login page shows",
        },
    },
    secret_field(TOKEN, Form::WechatToken, true, Text { zh: "令牌 (Token)", en: "Token" }, SERVER_HINT),
    secret_field(
        AES_KEY,
        Form::EncodingAesKey,
        false,
        Text { zh: "消息加解密密钥 (EncodingAESKey)", en: "EncodingAESKey" },
        SERVER_HINT,
    ),
    Field {
        name: ENCRYPTION,
        form: Form::Choice { names: &["safe", "compatible", "plain"], default: "safe" },
        secret: false,
        required: false,
        label: Text { zh: "消息加解密方式", en: "Encryption" },
        hint: SERVER_HINT,
    },
    Field {
        name: FORWARDED,
        form: Form::Flag { default: false },
        secret: false,
        required: false,
        label: Text { zh: "接收转发的消息", en: "Forwarded messages" },
        hint: Text {
            zh: "你自己的服务器把收到的加密消息转发过来，不带微信的签名；由微信直接推送时保持关闭",
            en: "your own server forwards the encrypted part of what it receives, without WeChat's signature; off where WeChat pushes messages itself",
        },
    },
    Field {
        name: WELCOME,
        form: Form::ByLanguage { most: LONGEST_WELCOME },
        secret: false,
        required: false,
        label: Text { zh: "关注后的欢迎语", en: "Welcome" },
        hint: Text {
            zh: "新关注者收到的文字，按其微信的语言",
            en: "what somebody who follows is told, in the language of their WeChat",
        },
    },
    Field {
        name: RELAY,
        form: Form::Table(RELAY_FIELDS),
        secret: false,
        required: false,
        label: Text { zh: "消息转发", en: "Relay" },
        hint: Text {
            zh: "把每条消息转发到你自己的服务器，签名和加密方式与微信相同",
            en: "every message is passed on to your own server, signed and encrypted as WeChat does it",
        },
    },
];

const RELAY_FIELDS: &[Field] = &[
    Field {
        name: URL,
        form: Form::Address,
        secret: false,
        required: true,
        label: Text { zh: "URL", en: "URL" },
        hint: RELAY_HINT,
    },
    secret_field(TOKEN, Form::WechatToken, true, Text { zh: "令牌 (Token)", en: "Token" }, RELAY_HINT),
    secret_field(
        AES_KEY,
        Form::EncodingAesKey,
        false,
        Text { zh: "消息加解密密钥 (EncodingAESKey)", en: "EncodingAESKey" },
        Text { zh: "不填则以明文转发", en: "without it, messages are passed on in plain text" },
    ),
];

const fn secret_field(name: &'static str, form: Form, required: bool, label: Text, hint: Text) -> Field {
    Field { name, form, secret: true, required, label, hint }
}

/// What is wrong with the fields as a whole: a message that is encrypted needs the key.
pub(crate) fn problem(values: &Map<String, Json>, stays: &Stays<'_>) -> Option<SettingProblem> {
    let is_plain = values.get(ENCRYPTION).and_then(Json::as_str) == Some("plain");
    let has_key = values.get(AES_KEY).is_some_and(|key| !key.is_null()) || stays(AES_KEY);
    (!is_plain && !has_key).then(|| SettingProblem {
        path: AES_KEY.to_owned(),
        reason: "missing — write the EncodingAESKey, or encryption = \"plain\"".to_owned(),
    })
}

/// What the picture of a scene is drawn from. WeChat makes the code, and it is drawn here: no browser asks WeChat for it.
async fn picture(
    app: &App,
    connection: &Connection,
    scene: &str,
    life: Duration,
) -> Result<StoredPicture, Refusal> {
    let budget = Budget::of(app.limits.request_budget);
    let code = app.wechat.create_qr_code(&credentials(connection), scene, life, budget).await;
    Ok(StoredPicture::Link(code.map_err(wechat_refusal)?.url))
}

/// A proof of a follower's ids.
pub(crate) fn proof(connection: &Connection, openid: &str, unionid: Option<&str>) -> Proof {
    identity(connection, openid, unionid)
}

/// What WeChat tells of a follower.
#[derive(Debug, Default)]
pub(crate) struct FollowerInfo {
    pub(crate) unionid: Option<String>,
    /// The language of their WeChat, such as `zh_CN`.
    pub(crate) language: Option<String>,
}

/// Asks WeChat about a follower. Without it they can log in as well: the message said who they are. Where WeChat may tell
/// another time it fails, because a person who is known by their UnionID must not become a second one.
pub(crate) async fn follower_info(
    app: &App,
    connection: &Connection,
    openid: &str,
    budget: Budget,
) -> Result<FollowerInfo, Refusal> {
    let outcome = app.wechat.follower(&credentials(connection), openid, budget).await;
    app.heard_for(connection, || Some(openid.to_owned()), &outcome).await;
    match outcome {
        Ok(follower) => Ok(FollowerInfo { unionid: follower.unionid, language: follower.language }),
        Err(error) => {
            let (pool, connection) = (&connection.pool, &connection.identifier);
            let (rid, errcode) = (error.rid(), error.errcode());
            tracing::warn!(%pool, %connection, rid, errcode, %error, "WeChat does not tell about a follower");
            if matches!(error.class(), Class::Retry | Class::Token | Class::Limit) {
                return Err(wechat_refusal(error));
            }
            Ok(FollowerInfo::default())
        }
    }
}
