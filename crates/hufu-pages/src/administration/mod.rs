//! The pages of administrators.
//!
//! - `login`: `/administration`, where an administrator is logged in to a browser. `notice`: a page that says what happened
//!   and leads back there.
//! - `enter`: the page behind a link that logs an administrator in, once.
//! - `invitation`: the page behind the link of an invitation to be an administrator.

mod enter;
mod invitation;
mod login;
mod notice;

use std::sync::LazyLock;

use hufu_types::{AdminRole, Language, Texts};
use hufu_web::page::PrivateCookie;
use hufu_web::server::Routes;

/// The texts of these pages.
pub static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(&[
        (Language::SimplifiedChinese, include_str!("../../texts/administration/zh-CN.ftl")),
        (Language::TraditionalChinese, include_str!("../../texts/administration/zh-TW.ftl")),
        (Language::English, include_str!("../../texts/administration/en.ftl")),
        (Language::Japanese, include_str!("../../texts/administration/ja.ftl")),
    ])
});

/// The access key of the login. `/admin/v1` reads no cookie: only these pages use it.
static KEY: PrivateCookie = PrivateCookie::new("__Host-hufu-administration", "hufu-administration");

/// The page where an administrator is logged in.
const HOME: &str = "/administration";
/// Begins a login.
const LOGIN: &str = "/administration/login";

pub(crate) fn routes() -> Routes {
    Routes::new().merge(login::routes()).merge(enter::routes()).merge(invitation::routes())
}

/// The text that names a role.
const fn name_of(role: AdminRole) -> &'static str {
    match role {
        AdminRole::Owner => "role-owner",
        AdminRole::Manager => "role-manager",
        AdminRole::Support => "role-support",
        AdminRole::Auditor => "role-auditor",
    }
}
