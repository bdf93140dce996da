//! The reader of a page, and what a template knows about them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use askama::filters::Safe;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use hufu_html::Escaped;
use hufu_types::refusal::Argument;
use hufu_types::{Language, Texts, Timestamp, TokenHash};

use super::csrf::{self, BrowserSecret};
use super::{Asset, ICONS, LOGO, Theme, cookies, language};
use crate::middleware::RequestId;
use crate::server::Shared;

/// Texts of the layout and of refusals.
static KERNEL: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(&[
        (Language::SimplifiedChinese, include_str!("../../texts/pages/zh-CN.ftl")),
        (Language::TraditionalChinese, include_str!("../../texts/pages/zh-TW.ftl")),
        (Language::English, include_str!("../../texts/pages/en.ftl")),
        (Language::Japanese, include_str!("../../texts/pages/ja.ftl")),
    ])
});

/// The reader of a page, with their preferences.
#[derive(Clone)]
pub struct Viewer {
    language: Language,
    /// The reader chose the language, in the query or earlier.
    has_language: bool,
    /// The query asked for the language, so the choice is stored in a cookie.
    chose_language: bool,
    /// What the reader chose, or the page for them.
    theme: Option<Theme>,
    /// The address of a style sheet that the page has of its own.
    sheet: Option<String>,
    path: String,
    query: Option<String>,
    request_id: String,
    at: Timestamp,
    secret: BrowserSecret,
    /// `https://id.example.com`
    own_origin: String,
}

impl std::fmt::Debug for Viewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Viewer").field("language", &self.language).finish_non_exhaustive()
    }
}

impl FromRequestParts<Arc<Shared>> for Viewer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts, shared))
    }
}

/// The longest address that the page of a refusal repeats, in bytes.
const SHORT: usize = 1024;

/// The path as links on the page may contain it: browsers read `//host` and `/\\host` as another server.
fn own_path(path: &str) -> String {
    format!("/{}", path.trim_start_matches(['/', '\\']))
}

impl Viewer {
    pub(super) fn of(parts: &Parts, shared: &Shared) -> Self {
        let Parts { headers, uri, extensions, .. } = parts;
        let public_url = shared.app.public_url();
        let is_https = public_url.starts_with("https://");
        let chosen = language::chosen(uri.query(), headers);
        Self {
            language: chosen.unwrap_or_else(|| language::preferred(headers)),
            has_language: chosen.is_some(),
            chose_language: language::asked(uri.query()).is_some(),
            theme: Theme::chosen(headers),
            sheet: None,
            path: own_path(uri.path()),
            query: uri.query().map(str::to_owned),
            request_id: extensions.get::<RequestId>().map(|id| id.0.to_string()).unwrap_or_default(),
            at: shared.app.now(),
            secret: BrowserSecret::of(headers, is_https, shared.app.random()),
            own_origin: public_url.to_owned(),
        }
    }

    /// The view for a template, with the texts of its page.
    pub fn view(&self, texts: &'static Texts) -> View {
        View { texts: Some(texts), ..self.bare_view() }
    }

    /// The same reader on a page that has a language and a theme of its own, as far as the reader did not choose.
    #[must_use]
    pub fn on_page_of(self, language: Option<Language>, theme: Option<Theme>) -> Self {
        let language = language.filter(|_| !self.has_language).unwrap_or(self.language);
        Self { language, theme: self.theme.or(theme), ..self }
    }

    /// The same reader on pages with one more style sheet. `address` is a path of this server.
    #[must_use]
    pub fn with_sheet(self, address: Option<String>) -> Self {
        Self { sheet: address, ..self }
    }

    /// The same reader at another address, to which the links of the page lead back. A page that answers a form has the
    /// one without.
    #[must_use]
    pub fn at(self, address: &str) -> Self {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        Self { path: own_path(path), query: Some(query.to_owned()).filter(|query| !query.is_empty()), ..self }
    }

    /// The same reader, whose page does not repeat an address that is long: it is in several links, so the
    /// page would be many times as long as the request.
    pub(super) fn at_short_address(&self) -> Self {
        let length = self.path.len() + self.query.as_ref().map_or(0, String::len);
        if length <= SHORT {
            return self.clone();
        }
        Self { path: "/".to_owned(), query: None, ..self.clone() }
    }

    /// The view with only the kernel's own texts.
    pub(super) fn bare_view(&self) -> View {
        View { viewer: self.clone(), texts: None, has_form: AtomicBool::new(false) }
    }

    /// Whether the page is below this path.
    pub(super) fn is_at(&self, path: &str) -> bool {
        self.path.starts_with(path)
    }

    /// The view of a page whose links do not repeat its address, because that holds what is for others.
    pub(crate) fn at_own_address(&self) -> View {
        let viewer = Self { path: "/".to_owned(), query: None, ..self.clone() };
        viewer.bare_view()
    }

    /// The hash of the secret that marks the browser, for logins that go on in it.
    pub fn browser_mark(&self) -> TokenHash {
        self.secret.mark()
    }

    /// Makes the browser keep the secret that marks it, if it has none yet.
    pub fn mark_browser(&self, response: &mut Response) {
        if self.secret.is_new
            && let Some(cookie) = self.secret.cookie(self.is_https())
        {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }

    /// The id of the request.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The reader's language.
    pub const fn language(&self) -> Language {
        self.language
    }

    /// Whether browsers reach this server over https.
    pub fn is_https(&self) -> bool {
        self.own_origin.starts_with("https://")
    }

    pub(super) fn sent_from_own_page(&self, headers: &HeaderMap) -> bool {
        csrf::is_own(headers, &self.own_origin)
    }

    pub(super) fn opens_form(&self, path: &str, token: &str) -> bool {
        self.secret.opens(path, token)
    }
}

/// What a template knows about its reader. `layout.html` and `parts.html` call its methods.
pub struct View {
    viewer: Viewer,
    texts: Option<&'static Texts>,
    /// Whether a CSRF token was rendered, in which case the browser needs its secret.
    has_form: AtomicBool,
}

/// A link to the same page in another language.
#[derive(Debug)]
pub struct LanguageLink {
    /// The language tag (RFC 5646).
    pub tag: &'static str,
    /// The language's name for itself.
    pub name: &'static str,
    /// The address it links to.
    pub address: String,
    /// Whether this is the current language.
    pub is_current: bool,
}

/// An entry of the theme menu.
#[derive(Debug)]
pub struct ThemeChoice {
    /// The value that the form submits.
    pub value: &'static str,
    /// The name shown in the menu.
    pub name: String,
    /// Whether this is the current theme.
    pub is_current: bool,
}

impl View {
    /// A text of the page or of the layout. A missing key is rendered as `⟦key⟧`, which the tests look for.
    pub fn t(&self, key: &'static str) -> String {
        self.text(key, &[])
    }

    /// A text with one argument.
    pub fn t_with(&self, key: &'static str, name: &'static str, value: impl Into<Argument>) -> String {
        self.text(key, &[(name, value.into())])
    }

    fn text(&self, key: &'static str, arguments: &[(&'static str, Argument)]) -> String {
        let language = self.viewer.language;
        let mut texts = self.texts.into_iter().chain([&*KERNEL]);
        texts.find_map(|texts| texts.find(language, key, None, arguments)).unwrap_or_else(|| {
            tracing::error!(key, %language, "a text is missing");
            format!("⟦{key}⟧")
        })
    }

    /// The language tag of the page.
    pub fn lang(&self) -> &'static str {
        self.viewer.language.tag()
    }

    /// The page's language in that language.
    pub fn language_name(&self) -> &'static str {
        language::own_name(self.viewer.language)
    }

    /// Links to this page in every language.
    pub fn languages(&self) -> Vec<LanguageLink> {
        let Viewer { path, query, .. } = &self.viewer;
        let link = |one: Language| LanguageLink {
            tag: one.tag(),
            name: language::own_name(one),
            address: language::address_in(path, query.as_deref(), one),
            is_current: one == self.viewer.language,
        };
        Language::ALL.map(link).into()
    }

    /// The themes, with the current one marked.
    pub fn themes(&self) -> [ThemeChoice; 3] {
        Theme::ALL.map(|theme| ThemeChoice {
            value: theme.as_str(),
            name: self.t(match theme {
                Theme::Auto => "page-theme-auto",
                Theme::Light => "page-theme-light",
                Theme::Dark => "page-theme-dark",
            }),
            is_current: theme == self.viewer.theme.unwrap_or_default(),
        })
    }

    /// The attribute of `<html>` that selects the theme. Empty for the system's theme.
    pub const fn theme_attribute(&self) -> Safe<&'static str> {
        Safe(match self.viewer.theme {
            None | Some(Theme::Auto) => "",
            Some(Theme::Light) => " data-theme=\"light\"",
            Some(Theme::Dark) => " data-theme=\"dark\"",
        })
    }

    /// The path and query of this page, to return to it.
    pub fn here(&self) -> String {
        let Viewer { path, query, .. } = &self.viewer;
        query.as_ref().map_or_else(|| path.clone(), |query| format!("{path}?{query}"))
    }

    /// The origin under which browsers reach this server: `https://id.example.com`.
    pub fn origin(&self) -> &str {
        &self.viewer.own_origin
    }

    /// The id of this request.
    pub fn request_id(&self) -> &str {
        &self.viewer.request_id
    }

    /// When the page was rendered: `2026-11-26T13:42:07Z`.
    pub fn at(&self) -> String {
        self.viewer.at.to_iso()
    }

    /// An icon from the sprite.
    pub fn icon(&self, name: &str) -> Safe<String> {
        Safe(format!(r#"<svg class="icon" aria-hidden="true"><use href="{}#{name}"/></svg>"#, ICONS.path()))
    }

    /// The logo.
    pub fn mark(&self) -> Safe<String> {
        Safe(format!(
            r#"<svg viewBox="0 0 32 32" aria-hidden="true"><use href="{}#mark"/></svg>"#,
            ICONS.path()
        ))
    }

    /// The two halves of the logo apart, for a page that has nothing to show yet.
    pub const fn halves(&self) -> Safe<&'static str> {
        Safe(hufu_html::HALVES)
    }

    /// The path of the favicon.
    pub fn tab_icon(&self) -> String {
        LOGO.path()
    }

    /// Links to the style sheets of a page: the base one, then the given ones.
    pub fn styles(&self, sheets: &[&Asset]) -> Safe<String> {
        let sheets = [&super::BASE].into_iter().chain(sheets.iter().copied()).map(Asset::path);
        let sheets = sheets.chain(self.viewer.sheet.clone());
        let links =
            sheets.map(|address| format!("<link rel=\"stylesheet\" href=\"{}\">\n", Escaped(&address)));
        Safe(links.collect::<Vec<_>>().concat())
    }

    /// The CSRF token of the form that is submitted to this path, for the hidden field `form_token`.
    pub fn token(&self, path: &str) -> String {
        self.has_form.store(true, Ordering::Relaxed);
        self.viewer.secret.token(path)
    }

    /// The cookies that the response must set.
    pub(super) fn new_cookies(&self) -> impl Iterator<Item = HeaderValue> {
        let Viewer { language, chose_language, secret, .. } = &self.viewer;
        let is_https = self.viewer.is_https();
        let chosen = chose_language.then(|| cookies::preference(language::COOKIE, language.tag(), is_https));
        let needs_secret = secret.is_new && self.has_form.load(Ordering::Relaxed);
        let secret = needs_secret.then(|| secret.cookie(is_https));
        [chosen, secret].into_iter().flatten().flatten()
    }
}
