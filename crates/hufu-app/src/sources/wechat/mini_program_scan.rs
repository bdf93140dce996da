//! `wechat:miniprogram:qrconnect`: login on a website by scanning the code of a mini program. The mini program learns from
//! `wx.login` who opened it, and its person confirms there. It is the pool's own one, or the instance's.

use hufu_store::qr_pictures::StoredPicture;
use hufu_types::{Connection, TicketKind};
use hufu_wechat::{Budget, CodeImage, EnvVersion};

use super::exchange::wechat_refusal;
use super::{APP_ID, app_id_field, app_secret_field, default, mini_program};
use crate::doctor::checks::{Menus, Probe};
use crate::sources::{Field, Form, Kind, QrCodes, Start, Text};
use crate::{App, Refusal};

/// The definition of this kind.
pub(crate) const KIND: Kind = Kind {
    fields: FIELDS,
    start: Start::QrCode(QrCodes {
        scanned_by: TicketKind::MiniProgram,
        has_short_codes: |_| false,
        picture: |app, connection, scene, _| Box::pin(picture(app, connection, scene)),
    }),
    realm: default::realm_of,
    prove: |app, attempt| Box::pin(mini_program::prove(app, attempt)),
    probe: Probe::MiniProgram,
    menus: Menus::MiniProgram,
    has_app_tokens: true,
    checks: mini_program::CHECKS,
};

const HINT: Text = Text {
    zh: "自有小程序才需要：微信公众平台 › 小程序 › 开发管理 › 开发设置；留空则使用服务器的登录小程序",
    en: "Of a mini program of your own: 开发管理 › 开发设置 on WeChat's platform; without it the server's login mini program is used",
};

const PAGE: &str = "page";
const ENV_VERSION: &str = "env_version";
const LOGO: &str = "logo";

const FIELDS: &[Field] = &[
    Field { required: false, ..app_id_field(HINT) },
    Field { required: false, ..app_secret_field(HINT) },
    Field {
        name: PAGE,
        form: Form::Text { most: 128 },
        secret: false,
        required: false,
        label: Text { zh: "页面", en: "Page" },
        hint: Text {
            zh: "扫码打开的页面，例如 pages/index/index；留空则打开首页",
            en: "which page opens, such as pages/index/index; the first one without it",
        },
    },
    Field {
        name: ENV_VERSION,
        form: Form::Choice { names: &["release", "trial", "develop"], default: "release" },
        secret: false,
        required: false,
        label: Text { zh: "版本", en: "Version" },
        hint: Text {
            zh: "打开正式版、体验版还是开发版",
            en: "whether the released, the trial or the development version opens",
        },
    },
    Field {
        name: LOGO,
        form: Form::Address,
        secret: false,
        required: false,
        label: Text { zh: "小程序图标", en: "Logo of the mini program" },
        hint: Text {
            zh: "已发布的登录组件显示在二维码中央的图片",
            en: "which picture published login components show in the middle of the code",
        },
    },
];

/// The width of the picture in pixels. Published clients show it at 240.
const WIDTH: u32 = 480;

async fn picture(app: &App, connection: &Connection, scene: &str) -> Result<StoredPicture, Refusal> {
    let program = app.mini_program_of(connection)?;
    let is_own = connection.settings.text(APP_ID).is_some();
    let env_version = match connection.settings.text(ENV_VERSION).filter(|_| is_own) {
        Some("trial") => EnvVersion::Trial,
        Some("develop") => EnvVersion::Develop,
        _ => EnvVersion::Release,
    };
    let page = connection.settings.text(PAGE).filter(|_| is_own);
    let code = CodeImage { scene, page, env_version, width: WIDTH };
    let image = app.wechat.code_image(&program, &code, Budget::of(app.limits.request_budget)).await;
    let image = image.map_err(wechat_refusal)?;
    Ok(StoredPicture::Image { bytes: image.bytes, media_type: image.format.media_type().to_owned() })
}

/// The picture in the middle of the code, for clients that show one.
pub(crate) fn logo(connection: &Connection) -> Option<&str> {
    connection.settings.text(LOGO)
}
