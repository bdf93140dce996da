//! A page that says what happened, what to do, and leads back to the login of administrators.

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use hufu_app::Refusal;
use hufu_web::page::{Page, View, Viewer, refused_page, respond};
use hufu_web::surface;

use super::{HOME, LOGIN, TEXTS};

#[derive(Template)]
#[template(path = "administration/notice.html")]
struct NoticePage {
    view: View,
    title: String,
    sentence: String,
    steps: Vec<String>,
    /// Where the button leads, and what it says.
    goes_on: Option<(&'static str, String)>,
    /// Whether the browser may be logged in, so that the page offers to log it out.
    leaves: bool,
}

impl Page for NoticePage {
    fn view(&self) -> &View {
        &self.view
    }
}

/// The page of a refusal, from which somebody logs in again.
pub(super) fn refused(refusal: &Refusal, viewer: &Viewer) -> Response {
    let viewer = viewer.clone().at(HOME);
    if refusal.code().is_internal() {
        return refused_page(refusal, &viewer);
    }
    surface::note(refusal);
    let advice = refusal.for_person(viewer.language());
    let view = viewer.view(&TEXTS);
    let goes_on = Some((HOME, view.t("notice-again")));
    let page = NoticePage {
        title: advice.title,
        sentence: advice.sentence,
        steps: advice.actions,
        goes_on,
        leaves: false,
        view,
    };
    surface::waiting((surface::status_of(refusal.code()), respond(&page)).into_response(), refusal)
}

/// The page of somebody who is logged in and has no role.
pub(super) fn without_role(viewer: &Viewer) -> Response {
    let view = viewer.view(&TEXTS);
    respond(&NoticePage {
        title: view.t("no-role-title"),
        sentence: view.t("no-role-text"),
        steps: vec![view.t("no-role-ask"), view.t("no-role-then")],
        goes_on: Some((LOGIN, view.t("no-role-again"))),
        leaves: true,
        view,
    })
}
