//! What can be asked about a mini program.

use hufu_types::Connection;
use hufu_wechat::{CodeImage, Endpoint, EnvVersion};

use super::{Checking, NO_CODE, accepted, budget, other_kind};
use crate::App;
use crate::doctor::finding::{Check, Finding, Severity};

/// Whether the AppID is that of a mini program.
pub(crate) fn is_mini_program<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(async move {
        const KIND: &str = "kind-mini-program";
        // Without a mini program there is nothing to ask, which the check of the credentials says.
        let Ok(own) = app.mini_program_of(connection) else { return Ok(Vec::new()) };
        let outcome = app.wechat.code_to_session(&own, NO_CODE, budget(app)).await;
        Ok(match accepted(outcome) {
            Ok(()) => vec![Finding::ok(Check::KindOfApp, "kind-of-app-fine").naming("kind", KIND)],
            Err(error) => other_kind(app, connection, KIND, &error).await,
        })
    })
}

/// Whether the mini program may ask for phone numbers.
pub(crate) fn phone_numbers<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(async move {
        let Ok(own) = app.mini_program_of(connection) else { return Ok(Vec::new()) };
        let outcome = app.wechat.phone_number(&own, NO_CODE, None, budget(app)).await;
        Ok(match accepted(outcome) {
            Ok(()) => vec![Finding::ok(Check::Phone, "phone-fine")],
            Err(error) if error.errcode() == Some(48001) => {
                let finding = Finding::new(Check::Phone, Severity::Warning, "phone-not-permitted");
                vec![finding.answered(&error)]
            }
            // There is no token, which another check says.
            Err(error) if error.endpoint() != Endpoint::PhoneNumber => Vec::new(),
            Err(error) => vec![Finding::failed(app, Check::Phone, &error)],
        })
    })
}

/// Whether the mini program is published, by drawing a code of its first page.
pub(crate) fn published<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(async move {
        let (scene, page, env_version) = (NO_CODE, None, EnvVersion::Release);
        let code = CodeImage { scene, page, env_version, width: SMALLEST_CODE };
        let Ok(own) = app.mini_program_of(connection) else { return Ok(Vec::new()) };
        Ok(match app.wechat.code_image(&own, &code, budget(app)).await {
            Ok(_) => vec![Finding::ok(Check::Published, "published-fine")],
            Err(error) if error.errcode().is_some_and(|code| UNPUBLISHED.contains(&code)) => {
                let finding = Finding::new(Check::Published, Severity::Warning, "published-not");
                vec![finding.answered(&error)]
            }
            // There is no token, which another check says.
            Err(error) if error.endpoint() != Endpoint::CodeImage => Vec::new(),
            Err(error) => {
                vec![Finding::failed(app, Check::Published, &error).at_most(Severity::Warning)]
            }
        })
    })
}

/// WeChat's answers about a mini program without a published version.
const UNPUBLISHED: [i64; 2] = [41030, 85079];
/// The width of the smallest code, in pixels.
const SMALLEST_CODE: u32 = 280;
