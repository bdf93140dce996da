//! `wechat:pc`: login on a website, whose visitor scans a QR code on a page of WeChat's.

use hufu_types::Language;
use hufu_wechat::{PageLanguage, website_page};

use super::{app_id, app_id_field, app_secret_field, authorized};
use crate::doctor::checks::{self, Menus, Probe};
use crate::sources::{BrowserKind, Departure, Field, Kind, Start, Text};
use crate::{App, Refusal};

/// The definition of this kind.
pub(crate) const KIND: Kind = Kind {
    fields: FIELDS,
    // A phone cannot scan its own screen.
    start: Start::Redirect { page, browsers: &[BrowserKind::Desktop] },
    realm: super::realm,
    prove: |app, attempt| Box::pin(authorized::prove(app, attempt)),
    probe: Probe::SnsCode,
    menus: Menus::Website,
    has_app_tokens: false,
    checks: &[checks::website_credentials, checks::connection, checks::website_domain, checks::union_ids],
};

const HINT: Text = Text {
    zh: "微信开放平台 › 管理中心 › 网站应用 › 查看",
    en: "WeChat Open Platform: 管理中心 › 网站应用 › 查看",
};

const FIELDS: &[Field] = &[app_id_field(HINT), app_secret_field(HINT)];

fn page(app: &App, departure: &Departure<'_>) -> Result<String, Refusal> {
    let Departure { connection, state, callback, language } = departure;
    let language = match language {
        Language::SimplifiedChinese | Language::TraditionalChinese => PageLanguage::Chinese,
        Language::English | Language::Japanese => PageLanguage::English,
    };
    let state = super::state(state)?;
    Ok(website_page(app.wechat.endpoints(), app_id(connection), callback, &state, Some(language)))
}
