//! How templates escape text.

use std::fmt::{self, Write};

use askama::filters::Escaper;
use hufu_html::Escaped;

/// The escaper of templates: the one that the sandbox's page has as well.
#[derive(Clone, Copy, Debug)]
pub struct Html;

impl Escaper for Html {
    fn write_escaped_str<W: Write>(&self, mut to: W, text: &str) -> fmt::Result {
        write!(to, "{}", Escaped(text))
    }
}
