//! The Content-Security-Policy of a page.

use axum::http::{HeaderMap, HeaderValue, header};

/// What a page may load, where its forms may be submitted, and who may frame it. Everything else is
/// forbidden, above all inline scripts and styles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Other origins to which a form may be submitted or redirected.
    pub form_origins: Vec<String>,
    /// Other origins whose pages this page loads in frames.
    pub frame_sources: Vec<String>,
    /// Other origins from which images are loaded.
    pub img_origins: Vec<String>,
    /// Origins that may embed the page in a frame. Empty means none.
    pub frame_ancestors: Vec<String>,
}

impl Policy {
    /// The default: forms are submitted to this origin only, and no one may frame the page.
    pub const OWN: Self = Self {
        form_origins: Vec::new(),
        frame_sources: Vec::new(),
        img_origins: Vec::new(),
        frame_ancestors: Vec::new(),
    };

    /// The value of the header.
    pub fn value(&self) -> HeaderValue {
        // Origins are parsed with the configuration. If one still does not fit into a header, nothing is
        // allowed.
        let value = HeaderValue::from_str(&self.text());
        value.unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
    }

    fn text(&self) -> String {
        let joined = |own: &str, others: &[String]| {
            let all: Vec<_> = std::iter::once(own).chain(others.iter().map(String::as_str)).collect();
            all.join(" ")
        };
        let frames = if self.frame_ancestors.is_empty() {
            "'none'".to_owned()
        } else {
            self.frame_ancestors.join(" ")
        };
        let loaded = match self.frame_sources.as_slice() {
            [] => String::new(),
            sources => format!("frame-src {}; ", sources.join(" ")),
        };
        format!(
            "default-src 'none'; style-src 'self'; img-src {}; script-src 'self'; connect-src 'self'; {loaded}\
             form-action {}; frame-ancestors {frames}; base-uri 'none'",
            joined("'self' data:", &self.img_origins),
            joined("'self'", &self.form_origins)
        )
    }
}

/// Lets pages of this server frame a page that nobody may frame otherwise.
pub(crate) fn framed_by_own(headers: &mut HeaderMap) {
    const NOBODY: &str = "frame-ancestors 'none'";
    let policy = headers.get(header::CONTENT_SECURITY_POLICY).and_then(|value| value.to_str().ok());
    let Some(policy) = policy.filter(|policy| policy.contains(NOBODY)) else { return };
    if let Ok(value) = HeaderValue::try_from(policy.replace(NOBODY, "frame-ancestors 'self'")) {
        headers.insert(header::CONTENT_SECURITY_POLICY, value);
    }
}
