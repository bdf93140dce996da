//! The Content-Security-Policy of a page.

use axum::http::HeaderValue;

/// What a page may load, where its forms may go, and who may frame it. Everything else is forbidden, inline scripts and
/// styles above all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Origins, beyond our own, to which a form may lead, redirects included.
    pub form_origins: Vec<String>,
    /// Origins that may show the page in a frame; none if empty.
    pub frame_ancestors: Vec<String>,
}

impl Policy {
    /// A page of our own: its forms stay here, and nobody frames it.
    pub const OWN: Self = Self { form_origins: Vec::new(), frame_ancestors: Vec::new() };

    /// The header's value.
    pub fn value(&self) -> HeaderValue {
        // Origins are parsed where they are configured; one that is no header text opens nothing.
        let value = HeaderValue::from_str(&self.text());
        value.unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
    }

    fn text(&self) -> String {
        let own = ["'self'"].into_iter();
        let forms: Vec<_> = own.chain(self.form_origins.iter().map(String::as_str)).collect();
        let frames = if self.frame_ancestors.is_empty() {
            "'none'".to_owned()
        } else {
            self.frame_ancestors.join(" ")
        };
        format!(
            "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; \
             form-action {}; frame-ancestors {frames}; base-uri 'none'",
            forms.join(" ")
        )
    }
}
