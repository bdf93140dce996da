//! The page that leads from a mini program's web-view back into the mini program, which logs the person in by `wx.login` and
//! opens the web-view again with the code, at the callback of the connection. Only there is a script needed: no link leads
//! out of a web-view.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use hufu_types::Connection;
use hufu_web::page::{Asset, View, routes_of};
use hufu_web::server::Routes;

use super::common::{Frame, Visit, in_frame, show};
use super::login;

/// Leads to the page of the mini program.
pub(super) static SCRIPT: Asset = Asset::script("web-view", &[include_str!("../../assets/web-view.js")]);

pub(super) fn routes() -> Routes {
    routes_of(&[&SCRIPT])
}

#[derive(Template)]
#[template(path = "hosted/web_view.html")]
struct WebViewPage {
    view: View,
    frame: Frame,
    title: String,
    /// The connection's name.
    connection: String,
    /// The page of the mini program, with the state of the login.
    page: String,
    /// The login page, with what else there is.
    back: String,
}

in_frame!(WebViewPage);

/// Leads to this page of the connection's mini program.
pub(super) fn page(visit: &Visit, connection: &Connection, page: String) -> Response {
    let frame = visit.frame();
    let back = visit.address("/login", &[]);
    let page = WebViewPage {
        view: visit.view(&back),
        title: login::title(visit, &frame),
        frame,
        connection: connection.display_name.clone(),
        page,
        back,
    };
    show(&page, StatusCode::OK)
}
