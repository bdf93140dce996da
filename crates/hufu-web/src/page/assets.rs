//! Assets compiled into the binary: style sheets, scripts and images. Their names change with their content.

use std::io::Write as _;
use std::sync::OnceLock;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use hufu_html::{Fingerprint, fingerprint, styles};

/// The path prefix of all assets.
pub(crate) const ASSETS: &str = "/assets/";

/// Design tokens, typography and components. Every page uses it.
pub static BASE: Asset = Asset::css("base", &[styles::TOKENS, styles::BASE]);
/// The layout of pages for end users. Loaded after [`BASE`].
pub static HOSTED: Asset = Asset::css("hosted", &[styles::HOSTED]);
/// The icon sprite, with one symbol per icon.
pub static ICONS: Asset = Asset::svg("icons", &[hufu_html::ICONS]);
/// The logo, used as the favicon.
pub static LOGO: Asset = Asset::svg("logo", &[hufu_html::LOGO]);
/// Copy buttons, local times and menus that close. Pages work without it.
pub static SCRIPT: Asset = Asset::script("page", &[hufu_html::SCRIPT]);

/// A file that is compiled into the binary.
#[derive(Debug)]
pub struct Asset {
    name: &'static str,
    ending: &'static str,
    kind: &'static str,
    parts: &'static [&'static str],
    print: Fingerprint,
    /// Compressed on first use.
    gzip: OnceLock<Vec<u8>>,
}

impl Asset {
    /// A style sheet, concatenated from parts.
    pub const fn css(name: &'static str, parts: &'static [&'static str]) -> Self {
        Self::new(name, "css", "text/css; charset=utf-8", parts)
    }

    /// A script, concatenated from parts.
    pub const fn script(name: &'static str, parts: &'static [&'static str]) -> Self {
        Self::new(name, "js", "text/javascript; charset=utf-8", parts)
    }

    /// An SVG image.
    pub const fn svg(name: &'static str, parts: &'static [&'static str]) -> Self {
        Self::new(name, "svg", "image/svg+xml", parts)
    }

    const fn new(
        name: &'static str,
        ending: &'static str,
        kind: &'static str,
        parts: &'static [&'static str],
    ) -> Self {
        Self { name, ending, kind, parts, print: fingerprint(parts), gzip: OnceLock::new() }
    }

    /// The path that pages link to, with the fingerprint of the content.
    pub fn path(&self) -> String {
        format!("{ASSETS}{}.{}.{}", self.name, self.print, self.ending)
    }

    fn gzip(&self) -> &[u8] {
        self.gzip.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            // Writing to memory cannot fail. If it did, the result would be empty, and the file is then
            // served uncompressed.
            let written = encoder.write_all(self.parts.concat().as_bytes()).and_then(|()| encoder.finish());
            written.unwrap_or_default()
        })
    }

    fn answer(&'static self, request: &HeaderMap) -> Response {
        let packed = if takes_gzip(request) { self.gzip() } else { &[] };
        let mut response =
            if packed.is_empty() { self.parts.concat().into_response() } else { packed.into_response() };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        if !packed.is_empty() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
        // An SVG may be opened as a document. It cannot run anything there either.
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
        response
    }
}

/// Routes that serve the given assets.
pub fn routes_of<S: Clone + Send + Sync + 'static>(assets: &[&'static Asset]) -> Router<S> {
    assets.iter().fold(Router::new(), |router, asset| {
        let asset: &'static Asset = asset;
        router.route(&asset.path(), get(async move |headers: HeaderMap| asset.answer(&headers)))
    })
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.unwrap_or_default().split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("gzip") && parts.next().is_none_or(|quality| !is_zero(quality))
    })
}

/// Whether this parameter is `q=0`, which means that the client does not accept the coding.
fn is_zero(quality: &str) -> bool {
    quality
        .strip_prefix("q=")
        .and_then(|number| number.parse::<f32>().ok())
        .is_some_and(|number| number <= 0.0)
}
