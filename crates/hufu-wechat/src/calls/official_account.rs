//! Official accounts: QR codes that lead to following, and followers.

use std::{fmt, time::Duration};

use crate::{
    api::json,
    class::Endpoint,
    client::{AppCall, Client},
    error::{Error, ErrorKind},
    fields::{LONGEST_TOKEN, given, printable},
    settings::{AppCredentials, Budget},
    wire::{FollowerAnswer, QrAction, QrAnswer, QrRequest, QrScene},
};

/// The longest life that WeChat gives a temporary QR code.
pub const LONGEST_QR_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A temporary QR code of an official account. Scanning it sends the account a message with the scene.
#[derive(Clone, PartialEq, Eq)]
pub struct QrCode {
    /// For [`qr_image`](crate::qr_image), and part of the message about a scan.
    pub ticket: String,
    /// What the code contains. Drawing it oneself needs no further request.
    pub url: String,
    /// How long the code can be scanned.
    pub expires_in: Duration,
}

impl fmt::Debug for QrCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QrCode").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// What an official account learns about one of its users.
#[derive(Clone, PartialEq, Eq)]
pub struct Follower {
    /// Whether the user follows the account. If not, WeChat tells nothing but the ids.
    pub subscribed: bool,
    /// The user's id within the Open Platform account, if the account is bound to one.
    pub unionid: Option<String>,
    /// When the user followed, in Unix seconds.
    pub subscribed_at: Option<i64>,
    /// The language of the user's WeChat, such as `zh_CN`.
    pub language: Option<String>,
    /// How the user came to follow, such as `ADD_SCENE_QR_CODE`.
    pub subscribe_scene: Option<String>,
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("subscribed", &self.subscribed).finish_non_exhaustive()
    }
}

impl Client {
    /// Creates a temporary QR code with a scene of 1 to 64 characters. A life beyond [`LONGEST_QR_LIFE`] is
    /// cut.
    ///
    /// Source: "createQRCode". Only verified service accounts may (48001).
    pub async fn create_qr_code(
        &self,
        app: &AppCredentials,
        scene: &str,
        life: Duration,
        budget: Budget,
    ) -> Result<QrCode, Error> {
        const ENDPOINT: Endpoint = Endpoint::QrCode;
        let request = QrRequest {
            expire_seconds: Some(life.clamp(Duration::from_secs(1), LONGEST_QR_LIFE).as_secs()),
            action_name: "QR_STR_SCENE".to_owned(),
            action_info: QrAction { scene: QrScene { scene_id: None, scene_str: Some(scene.to_owned()) } },
        };
        let call = AppCall {
            endpoint: ENDPOINT,
            path: "/cgi-bin/qrcode/create",
            query: &[],
            body: Some(json(ENDPOINT, &request)?),
            sent: &[scene],
        };
        let answer: QrAnswer = self.app_call(app, &call, budget).await?;
        qr_code(answer).map_err(|field| Error::new(ENDPOINT, ErrorKind::MissingField { field }))
    }

    /// Whether a user follows an official account, and the user's unionid.
    ///
    /// Source: "getUserInfo" of official accounts.
    pub async fn follower(
        &self,
        app: &AppCredentials,
        openid: &str,
        budget: Budget,
    ) -> Result<Follower, Error> {
        const ENDPOINT: Endpoint = Endpoint::Follower;
        let call = AppCall {
            endpoint: ENDPOINT,
            path: "/cgi-bin/user/info",
            query: &[("openid", openid), ("lang", "zh_CN")],
            body: None,
            sent: &[openid],
        };
        let answer: FollowerAnswer = self.app_call(app, &call, budget).await?;
        follower(answer, openid).map_err(|field| Error::new(ENDPOINT, ErrorKind::MissingField { field }))
    }
}

fn qr_code(answer: QrAnswer) -> Result<QrCode, &'static str> {
    let seconds = answer.expire_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Ok(QrCode {
        ticket: printable(answer.ticket, LONGEST_TOKEN).ok_or("ticket")?,
        url: printable(answer.url, LONGEST_TOKEN).ok_or("url")?,
        expires_in: Duration::from_secs(seconds.filter(|&seconds| seconds > 0).ok_or("expire_seconds")?),
    })
}

fn follower(answer: FollowerAnswer, openid: &str) -> Result<Follower, &'static str> {
    if answer.openid.as_deref() != Some(openid) {
        return Err("openid");
    }
    Ok(Follower {
        subscribed: answer.subscribe.ok_or("subscribe")? == 1,
        unionid: given(answer.unionid, "unionid")?,
        subscribed_at: answer.subscribe_time,
        language: answer.language,
        subscribe_scene: answer.subscribe_scene,
    })
}
