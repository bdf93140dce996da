//! How pages look: the color, the theme and the language of the application that they are about, or of a pool.

use hufu_app::App;
use hufu_types::{Application, Branding, Language, PageTheme, PoolId};
use hufu_web::page::{Theme, Viewer};

use crate::hosted::brand;

/// What a page takes from the branding.
pub(crate) struct Looks(Branding);

impl Looks {
    /// Those of an application's pages.
    pub(crate) fn of(app: &App, application: &Application) -> Self {
        Self(app.config().branding_of(application))
    }

    /// Those of a page that is about no application, in a browser with logins in these pools: of the pool, if only one is
    /// in question.
    pub(crate) fn of_pools(app: &App, pools: &[PoolId]) -> Self {
        let config = app.config();
        let all: Vec<&PoolId> = match pools {
            [] => config.pools().filter(|pool| **pool != PoolId::system()).collect(),
            pools => pools.iter().collect(),
        };
        let [pool] = all.as_slice() else { return Self(Branding::default()) };
        Self(config.settings(pool).branding.clone())
    }

    /// The reader of such a page. `ui_locales` are the languages that a request asks for. What the reader chose goes first.
    pub(crate) fn on(&self, viewer: Viewer, ui_locales: Option<&str>) -> Viewer {
        let asked = ui_locales.unwrap_or_default().split_whitespace().find_map(Language::of_tag);
        let language = asked.or_else(|| self.0.language.as_deref().and_then(Language::of_tag));
        let theme = self.0.theme.map(|theme| match theme {
            PageTheme::Auto => Theme::Auto,
            PageTheme::Light => Theme::Light,
            PageTheme::Dark => Theme::Dark,
        });
        viewer.on_page_of(language, theme).with_sheet(brand::address(&self.0))
    }

    /// The title in a language.
    pub(crate) fn title_in(&self, language: Language) -> Option<&str> {
        self.0.title_in(language)
    }

    /// The address of the logo, if it has an origin: without one the page's policy could not name it.
    pub(crate) fn logo(&self) -> Option<&str> {
        self.0.logo.as_deref().filter(|logo| hufu_types::origin_of(logo).is_some())
    }
}
