//! `wechat:webpage-authorization`: login on a web page in WeChat's own browser, by an official account.

use hufu_wechat::{WebScope, official_account_page};

use super::{app_id, app_id_field, app_secret_field, authorized};
use crate::doctor::checks::{self, Menus, Probe};
use crate::sources::{BrowserKind, Departure, Field, Form, Kind, Start, Text};
use crate::{App, Refusal};

/// The definition of this kind.
pub(crate) const KIND: Kind = Kind {
    fields: FIELDS,
    start: Start::Redirect { page, browsers: &[BrowserKind::Wechat, BrowserKind::WebView] },
    realm: super::realm,
    prove: |app, attempt| Box::pin(authorized::prove(app, attempt)),
    probe: Probe::SnsCode,
    menus: Menus::OfficialAccount,
    has_app_tokens: true,
    checks: &[
        checks::webpage_credentials,
        checks::connection,
        checks::webpage_domain,
        checks::webpage_domain_file,
        checks::union_ids,
    ],
};

const HINT: Text = Text {
    zh: "微信公众平台 › 设置与开发 › 开发接口管理 › 基本配置",
    en: "WeChat's platform: official account › 设置与开发 › 开发接口管理 › 基本配置",
};

/// The name of the scope field.
const SCOPE: &str = "scope";

const FIELDS: &[Field] = &[
    app_id_field(HINT),
    app_secret_field(HINT),
    Field {
        name: SCOPE,
        form: Form::Choice { names: &["snsapi_userinfo", "snsapi_base"], default: "snsapi_userinfo" },
        secret: false,
        required: false,
        label: Text { zh: "授权范围", en: "Scope" },
        hint: Text {
            zh: "snsapi_userinfo 征得同意后可得到昵称和头像；snsapi_base 静默授权，只得到 OpenID 和 UnionID",
            en: "snsapi_userinfo asks the person, and tells nickname and picture; snsapi_base asks nothing, and tells the ids alone",
        },
    },
];

fn page(app: &App, departure: &Departure<'_>) -> Result<String, Refusal> {
    let Departure { connection, state, callback, .. } = departure;
    let scope = match connection.settings.text(SCOPE) {
        Some("snsapi_base") => WebScope::Base,
        _ => WebScope::UserInfo,
    };
    let state = super::state(state)?;
    let endpoints = app.wechat.endpoints();
    Ok(official_account_page(endpoints, app_id(connection), callback, scope, &state, false))
}
