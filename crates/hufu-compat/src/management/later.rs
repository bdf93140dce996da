//! Calls of the published management clients about what Hufu does not have: the answer says what that is.

use axum::routing::any;
use hufu_types::Refusal;
use hufu_types::refusal::{Argument, Code};
use hufu_web::Routes;
use hufu_web::surface::Refused;

/// A subject in English and Chinese, and the calls about it below `/api/v3/`.
const CALLS: &str = include_str!("later.txt");

/// What some calls are about, and the calls.
type Subject = ([&'static str; 2], Vec<&'static str>);

/// Each subject with its calls.
fn subjects() -> impl Iterator<Item = Subject> {
    CALLS.lines().filter_map(|line| {
        let (subject, names) = line.split_once(": ")?;
        let (english, chinese) = subject.split_once('|')?;
        Some(([english, chinese], names.split(' ').collect()))
    })
}

/// The refusal of what Hufu does not have, by its name in English and in Chinese.
pub(crate) fn no([english, chinese]: [&'static str; 2]) -> Refusal {
    Code::NotServedYet.with("subject", Argument::Words { english, chinese })
}

pub(super) fn routes() -> Routes {
    let mut routes = Routes::new();
    for (subject, names) in subjects() {
        for name in names {
            let refuse = async move || Refused::from(no(subject));
            routes = routes.route(&format!("/api/v3/{name}"), any(refuse));
        }
    }
    routes
}
