//! How templates escape text.

use std::fmt::{self, Write};

use askama::filters::Escaper;
use hufu_html::Escaped;

/// The escaper of the templates. The sandbox's page uses the same one.
#[derive(Clone, Copy, Debug)]
pub struct Html;

impl Escaper for Html {
    fn write_escaped_str<W: Write>(&self, mut to: W, text: &str) -> fmt::Result {
        write!(to, "{}", Escaped(text))
    }
}
