//! The hosted login pages: what a person meets when an application sends them here. Everything works without script.
//!
//! - `common`: a visit of such a page, and how a login ends. `fields`: what forms are made of. `brand`: an
//!   application's own color.
//! - `login`, `register`, `forgot`, and `go_on`: a login that waits for a step. `connections`: a login that
//!   sends the browser to a source and back. `web_view`: the way out of a mini program's web-view. `link`: whether to bind what a source
//!   proved.

pub(crate) mod brand;
mod common;
mod connections;
mod fields;
mod forgot;
mod go_on;
mod link;
mod login;
mod qr;
mod register;
mod web_view;

use std::sync::LazyLock;

use hufu_types::{Language, Texts};
use hufu_web::server::Routes;

/// The texts of the hosted pages.
pub static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(&[
        (Language::SimplifiedChinese, include_str!("../../texts/hosted/zh-CN.ftl")),
        (Language::TraditionalChinese, include_str!("../../texts/hosted/zh-TW.ftl")),
        (Language::English, include_str!("../../texts/hosted/en.ftl")),
        (Language::Japanese, include_str!("../../texts/hosted/ja.ftl")),
    ])
});

/// The routes of the hosted pages.
pub fn routes() -> Routes {
    Routes::new()
        .merge(brand::routes())
        .merge(login::routes())
        .merge(qr::routes())
        .merge(web_view::routes())
        .merge(link::routes())
        .merge(register::routes())
        .merge(forgot::routes())
        .merge(go_on::routes())
        .merge(connections::routes())
}
