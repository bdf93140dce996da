//! The design language of Hufu's pages: styles, icons, and the few helpers that every page needs. No product code, so
//! that the sandbox draws its page with it too.
//!
//! - [`styles`]: `TOKENS` and `BASE` for every page, `HOSTED` for what an end user meets, `DEV` for the pages of
//!   development.
//! - [`ICONS`]: one SVG with a symbol per icon, used as `<use href="…#name">`; [`LOGO`]: the mark, for the tab.
//! - [`SCRIPT`]: what every page adds where scripts run.
//! - [`Escaped`]: text in HTML.
//! - [`fingerprint`]: the part of a file's name that changes with its content.

mod escape;
mod fingerprint;

pub use escape::Escaped;
pub use fingerprint::{Fingerprint, fingerprint};

/// The style sheets, in the order in which a page links or joins them.
pub mod styles {
    /// Every variable, light and dark.
    pub const TOKENS: &str = include_str!("../assets/tokens.css");
    /// Reset, type, and the components that all pages share.
    pub const BASE: &str = include_str!("../assets/base.css");
    /// The frame of what an end user meets: a top bar, one sheet, a foot.
    pub const HOSTED: &str = include_str!("../assets/hosted.css");
    /// The frame of the pages of development: header, page, tables that stack on a phone.
    pub const DEV: &str = include_str!("../assets/dev.css");
}

/// The icons: 16 px, one symbol each.
pub const ICONS: &str = include_str!("../assets/icons.svg");

/// The mark: a tally of two halves.
pub const LOGO: &str = include_str!("../assets/logo.svg");

/// The halves of the mark apart: the picture of an empty state, and used nowhere else.
pub const HALVES: &str = include_str!("../assets/halves.svg");

/// What every page adds where scripts run: copying, times in the reader's zone, menus that close.
pub const SCRIPT: &str = include_str!("../assets/page.js");
