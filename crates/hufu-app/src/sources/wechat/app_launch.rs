//! `wechat:miniprogram:app-launch`: login in a native app, with the codes of a mini program that the app launches. That
//! is the connection's own, or the instance's.

use super::{app_id_field, app_secret_field, default, mini_program};
use crate::doctor::checks::{Menus, Probe};
use crate::sources::{Field, Form, Kind, Start, Text};

/// The definition of this kind.
pub(crate) const KIND: Kind = Kind {
    fields: FIELDS,
    start: Start::Code {
        client_names: &["wechat_mini_program_code", "wechat_mini_program_code_and_phone"],
        from_web_view: None,
    },
    realm: default::realm_of,
    prove: |app, attempt| Box::pin(mini_program::prove(app, attempt)),
    probe: Probe::MiniProgram,
    menus: Menus::MiniProgram,
    has_app_tokens: true,
    checks: mini_program::CHECKS,
};

const OF_APP: Text = Text {
    zh: "微信开放平台 › 管理中心 › 移动应用 › 查看",
    en: "WeChat Open Platform: 管理中心 › 移动应用 › 查看",
};

const OF_MINI_PROGRAM: Text = Text {
    zh: "微信公众平台 › 小程序 › 开发管理 › 开发设置；不填则用服务器的默认小程序",
    en: "WeChat's platform: mini program › 开发管理 › 开发设置; without it the server's own mini program is used",
};

const FIELDS: &[Field] = &[
    Field {
        name: "mobile_app_id",
        form: Form::WechatAppId,
        secret: false,
        required: true,
        label: Text { zh: "移动应用的 AppID", en: "AppID of the mobile app" },
        hint: OF_APP,
    },
    Field { required: false, ..app_id_field(OF_MINI_PROGRAM) },
    Field { required: false, ..app_secret_field(OF_MINI_PROGRAM) },
    Field {
        name: "original_id",
        form: Form::OriginalId,
        secret: false,
        required: false,
        label: Text { zh: "小程序原始 ID", en: "Original id of the mini program" },
        hint: OF_MINI_PROGRAM,
    },
];
