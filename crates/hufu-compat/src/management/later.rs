//! Calls of the published management clients about what Hufu does not have: the answer says what that is.

use axum::routing::any;
use hufu_types::Language;
use hufu_types::refusal::Code;
use hufu_web::Routes;
use hufu_web::request::Head;
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

pub(super) fn routes() -> Routes {
    let mut routes = Routes::new();
    for ([english, chinese], names) in subjects() {
        for name in names {
            let refuse = async move |head: Head| {
                let is_chinese = head.language.for_integrators() == Language::SimplifiedChinese;
                let subject = if is_chinese { chinese } else { english };
                Refused::from(Code::NotServedYet.with("subject", subject))
            };
            routes = routes.route(&format!("/api/v3/{name}"), any(refuse));
        }
    }
    routes
}
