//! The calls of official accounts, and the ways into a mini program.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Answer, integer, text};

/// Body of `POST /cgi-bin/qrcode/create`.
#[derive(Clone, Serialize, Deserialize)]
pub struct QrRequest {
    /// The life of a temporary code, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_seconds: Option<u64>,
    /// `QR_STR_SCENE` for a temporary code with text.
    pub action_name: String,
    /// What the code carries.
    pub action_info: QrAction,
}

/// What a QR code carries.
#[derive(Clone, Serialize, Deserialize)]
pub struct QrAction {
    /// The scene.
    pub scene: QrScene,
}

/// The scene of a QR code: a number or a text.
#[derive(Clone, Serialize, Deserialize)]
pub struct QrScene {
    /// For `QR_SCENE` and `QR_LIMIT_SCENE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene_id: Option<u32>,
    /// For `QR_STR_SCENE` and `QR_LIMIT_STR_SCENE`: 1 to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene_str: Option<String>,
}

/// Response of `POST /cgi-bin/qrcode/create`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct QrAnswer {
    /// 0 or absent on success.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i64>,
    /// For logs only; the wording changes.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub errmsg: Option<String>,
    /// For `showqrcode`, and part of the message about a scan.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The life of the code, in seconds.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub expire_seconds: Option<i64>,
    /// What the code contains.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Response of `GET /cgi-bin/user/info`. Who does not follow has nothing but `subscribe` and the ids.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct FollowerAnswer {
    /// 0 or absent on success.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i64>,
    /// For logs only; the wording changes.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub errmsg: Option<String>,
    /// 1 for a follower.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<i64>,
    /// The user's id within the account.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub openid: Option<String>,
    /// The user's id within the Open Platform account.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub unionid: Option<String>,
    /// The language of the user's WeChat.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// When the user followed, in Unix seconds.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub subscribe_time: Option<i64>,
    /// How the user came to follow.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub subscribe_scene: Option<String>,
    /// The scene of the code that the user scanned to follow, if it is text.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub qr_scene_str: Option<String>,
}

/// Body of `POST /wxa/getwxacodeunlimit`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct CodeImageRequest {
    /// 1 to 32 characters for the page.
    pub scene: String,
    /// The page; the first one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Whether the page must be in the released version; `true` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_path: Option<bool>,
    /// `release` if absent, `trial` or `develop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_version: Option<String>,
    /// The width in pixels; 430 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Whether the background is transparent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_hyaline: Option<bool>,
}

/// Body of `POST /wxa/generatescheme`.
#[derive(Clone, Serialize, Deserialize)]
pub struct SchemeRequest {
    /// Where it leads.
    pub jump_wxa: JumpTarget,
    /// 0 if it ends at a time, 1 if after days.
    #[serde(default)]
    pub expire_type: u8,
    /// Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<i64>,
    /// Days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_interval: Option<u8>,
}

/// Where a URL scheme leads.
#[derive(Clone, Serialize, Deserialize)]
pub struct JumpTarget {
    /// The page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What the page receives.
    #[serde(default)]
    pub query: String,
    /// `release` if absent, `trial` or `develop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_version: Option<String>,
}

/// Response of `POST /wxa/generatescheme`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct SchemeAnswer {
    /// 0 or absent on success.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i64>,
    /// For logs only; the wording changes.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub errmsg: Option<String>,
    /// `weixin://dl/business/?t=…`
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub openlink: Option<String>,
}

/// Body of `POST /wxa/generate_urllink`.
#[derive(Clone, Serialize, Deserialize)]
pub struct UrlLinkRequest {
    /// The page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What the page receives.
    #[serde(default)]
    pub query: String,
    /// `release` if absent, `trial` or `develop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_version: Option<String>,
    /// 0 if it ends at a time, 1 if after days.
    #[serde(default)]
    pub expire_type: u8,
    /// Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<i64>,
    /// Days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_interval: Option<u8>,
}

/// Response of `POST /wxa/generate_urllink`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct UrlLinkAnswer {
    /// 0 or absent on success.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i64>,
    /// For logs only; the wording changes.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub errmsg: Option<String>,
    /// `https://wxaurl.cn/…`
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub url_link: Option<String>,
}

answers!(QrAnswer, FollowerAnswer, SchemeAnswer, UrlLinkAnswer);
redacted!(
    QrRequest,
    QrAction,
    QrScene,
    QrAnswer,
    FollowerAnswer,
    CodeImageRequest,
    SchemeRequest,
    JumpTarget,
    SchemeAnswer,
    UrlLinkRequest,
    UrlLinkAnswer
);
