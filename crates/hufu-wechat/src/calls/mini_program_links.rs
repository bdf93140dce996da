//! Ways into a mini program: its code, URL schemes and URL links.

use std::fmt;

use crate::{
    api::json,
    class::Endpoint,
    client::{AppCall, Client},
    error::{Error, ErrorKind},
    fields::{LONGEST_TOKEN, printable},
    image::Image,
    settings::{AppCredentials, Budget},
    wire::{CodeImageRequest, JumpTarget, SchemeAnswer, SchemeRequest, UrlLinkAnswer, UrlLinkRequest},
};

/// Which version of a mini program opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EnvVersion {
    /// The released one.
    #[default]
    Release,
    /// The trial version.
    Trial,
    /// The version in development.
    Develop,
}

impl EnvVersion {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Trial => "trial",
            Self::Develop => "develop",
        }
    }
}

/// The code of a mini program to draw.
#[derive(Clone)]
pub struct CodeImage<'a> {
    /// What the page receives: 1 to 32 letters, digits and ``!#$&'()*+,/:;=?@-._~``. Whoever sees the code can
    /// read it.
    pub scene: &'a str,
    /// The page, such as `pages/index/index`, without leading slash and query; the first page if absent.
    pub page: Option<&'a str>,
    /// Which version opens. A page of a version that is not released is not checked.
    pub env_version: EnvVersion,
    /// The width in pixels, 280 to 1280.
    pub width: u32,
}

/// Where a link leads in a mini program.
#[derive(Clone)]
pub struct LinkTarget<'a> {
    /// The page; the first one if absent.
    pub path: Option<&'a str>,
    /// What the page receives, at most 1024 characters.
    pub query: &'a str,
    /// Which version opens. It counts only outside of WeChat.
    pub env_version: EnvVersion,
    /// When the link ends.
    pub expiry: LinkExpiry,
}

/// When a link into a mini program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkExpiry {
    /// At a time in Unix seconds, at least a minute and at most 30 days from now.
    At(i64),
    /// After 1 to 30 days.
    Days(u8),
}

impl fmt::Debug for CodeImage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeImage").field("page", &self.page).finish_non_exhaustive()
    }
}

impl fmt::Debug for LinkTarget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkTarget").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Client {
    /// Draws a code that opens a mini program with a scene.
    ///
    /// Source: "getUnlimitedQRCode".
    pub async fn code_image(
        &self,
        app: &AppCredentials,
        code: &CodeImage<'_>,
        budget: Budget,
    ) -> Result<Image, Error> {
        const ENDPOINT: Endpoint = Endpoint::CodeImage;
        let request = CodeImageRequest {
            scene: code.scene.to_owned(),
            page: code.page.map(str::to_owned),
            check_path: Some(code.env_version == EnvVersion::Release),
            env_version: Some(code.env_version.as_str().to_owned()),
            width: Some(code.width),
            ..CodeImageRequest::default()
        };
        let call = AppCall {
            endpoint: ENDPOINT,
            path: "/wxa/getwxacodeunlimit",
            query: &[],
            body: Some(json(ENDPOINT, &request)?),
            sent: &[code.scene],
        };
        self.app_call(app, &call, budget).await
    }

    /// Generates a `weixin://` address that opens a mini program.
    ///
    /// Source: "generateScheme". Only released mini programs that do not belong to a person may.
    pub async fn generate_scheme(
        &self,
        app: &AppCredentials,
        target: &LinkTarget<'_>,
        budget: Budget,
    ) -> Result<String, Error> {
        const ENDPOINT: Endpoint = Endpoint::SchemeOrLink;
        let (expire_type, expire_time, expire_interval) = expiry(target.expiry);
        let request = SchemeRequest {
            jump_wxa: JumpTarget {
                path: target.path.map(str::to_owned),
                query: target.query.to_owned(),
                env_version: Some(target.env_version.as_str().to_owned()),
            },
            expire_type,
            expire_time,
            expire_interval,
        };
        let call = AppCall {
            endpoint: ENDPOINT,
            path: "/wxa/generatescheme",
            query: &[],
            body: Some(json(ENDPOINT, &request)?),
            sent: &[target.query],
        };
        let answer: SchemeAnswer = self.app_call(app, &call, budget).await?;
        printable(answer.openlink, LONGEST_TOKEN)
            .ok_or_else(|| Error::new(ENDPOINT, ErrorKind::MissingField { field: "openlink" }))
    }

    /// Generates an `https://` address that opens a mini program.
    ///
    /// Source: "generateUrlLink". Only released mini programs that do not belong to a person may.
    pub async fn generate_url_link(
        &self,
        app: &AppCredentials,
        target: &LinkTarget<'_>,
        budget: Budget,
    ) -> Result<String, Error> {
        const ENDPOINT: Endpoint = Endpoint::SchemeOrLink;
        let (expire_type, expire_time, expire_interval) = expiry(target.expiry);
        let request = UrlLinkRequest {
            path: target.path.map(str::to_owned),
            query: target.query.to_owned(),
            env_version: Some(target.env_version.as_str().to_owned()),
            expire_type,
            expire_time,
            expire_interval,
        };
        let call = AppCall {
            endpoint: ENDPOINT,
            path: "/wxa/generate_urllink",
            query: &[],
            body: Some(json(ENDPOINT, &request)?),
            sent: &[target.query],
        };
        let answer: UrlLinkAnswer = self.app_call(app, &call, budget).await?;
        printable(answer.url_link, LONGEST_TOKEN)
            .ok_or_else(|| Error::new(ENDPOINT, ErrorKind::MissingField { field: "url_link" }))
    }
}

/// `expire_type`, `expire_time` and `expire_interval`.
fn expiry(expiry: LinkExpiry) -> (u8, Option<i64>, Option<u8>) {
    match expiry {
        LinkExpiry::At(time) => (0, Some(time), None),
        LinkExpiry::Days(days) => (1, None, Some(days)),
    }
}
