//! The pages of Hufu, built on the page kernel of hufu-web. No decisions are made here.
//!
//! - [`administration`]: the login of administrators, and the page behind the link of an invitation to be one.
//! - [`dev`]: the start page of `hufu dev`, and the demonstration application behind it.
//! - [`hosted`]: the login pages.
//! - [`outbox`]: the messages that `hufu dev` keeps instead of sending them.
//! - [`session`]: consent, the choice of an account, the login of a device, and the logout.

mod about;
pub mod administration;
pub mod dev;
pub mod hosted;
mod looks;
pub mod outbox;
pub mod session;

use std::net::IpAddr;
use std::sync::LazyLock;

use hufu_app::connect::Outbox;
use hufu_types::{Language, Texts};
use hufu_web::page::Asset;
use hufu_web::request::Head;
use hufu_web::server::Routes;

/// The layout of development pages.
pub(crate) static DEV: Asset = Asset::css("dev", &[hufu_html::styles::DEV]);

/// The texts of the pages of development.
pub static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(&[
        (Language::SimplifiedChinese, include_str!("../texts/zh-CN.ftl")),
        (Language::TraditionalChinese, include_str!("../texts/zh-TW.ftl")),
        (Language::English, include_str!("../texts/en.ftl")),
        (Language::Japanese, include_str!("../texts/ja.ftl")),
    ])
});

/// The routes of all pages but the start page of `hufu dev`. The outbox exists only in development.
pub fn routes(outbox: Option<Outbox>) -> Routes {
    hosted::routes()
        .merge(session::routes())
        .merge(administration::routes())
        .merge(outbox.map_or_else(Routes::new, outbox::routes))
}

/// Whether a request comes from this machine. What is shown in development of logins and of codes, and who may report a
/// login, is of no other machine's concern.
fn is_near(head: &Head) -> bool {
    head.ip
        .as_deref()
        .and_then(|ip| ip.parse::<IpAddr>().ok())
        .is_none_or(|ip| ip.to_canonical().is_loopback())
}
