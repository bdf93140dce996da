//! `wechat:mobile`: login in a native app, with the code from WeChat's OpenSDK (`SendAuth`).

use super::{app_id_field, app_secret_field, authorized};
use crate::doctor::checks::{self, Menus, Probe};
use crate::sources::{Field, Kind, Start, Text};

/// The definition of this kind.
pub(crate) const KIND: Kind = Kind {
    fields: FIELDS,
    start: Start::Code { client_names: &["wechat"], from_web_view: None },
    realm: super::realm,
    prove: |app, attempt| Box::pin(authorized::prove(app, attempt)),
    probe: Probe::SnsCode,
    menus: Menus::MobileApp,
    has_app_tokens: false,
    checks: &[checks::mobile_credentials, checks::connection, checks::union_ids],
};

const HINT: Text = Text {
    zh: "微信开放平台 › 管理中心 › 移动应用 › 查看",
    en: "WeChat Open Platform: 管理中心 › 移动应用 › 查看",
};

const FIELDS: &[Field] = &[app_id_field(HINT), app_secret_field(HINT)];
