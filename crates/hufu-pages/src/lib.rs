//! The pages of Hufu, drawn with the page kernel of hufu-web. Nothing here decides.
//!
//! - [`outbox`]: the messages that `hufu dev` sent to nobody.

pub mod outbox;

use std::sync::LazyLock;

use hufu_app::connect::Outbox;
use hufu_types::{Language, Texts};
use hufu_web::page::Asset;
use hufu_web::server::Routes;

/// The frame of the pages of development.
pub(crate) static DEV: Asset = Asset::css("dev", &[hufu_html::styles::DEV]);

/// The texts of every page here.
pub static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(&[
        (Language::SimplifiedChinese, include_str!("../texts/zh-CN.ftl")),
        (Language::TraditionalChinese, include_str!("../texts/zh-TW.ftl")),
        (Language::English, include_str!("../texts/en.ftl")),
        (Language::Japanese, include_str!("../texts/ja.ftl")),
    ])
});

/// The routes of all pages. The outbox is there in development alone.
pub fn routes(outbox: Option<Outbox>) -> Routes {
    outbox.map_or_else(Routes::new, outbox::routes)
}
