//! What can be asked about a mini program.

use hufu_types::Connection;
use hufu_types::doctor::findings;
use hufu_wechat::{CodeImage, Endpoint, EnvVersion};

use super::{Checking, NO_CODE, accepted, budget, other_kind};
use crate::App;
use crate::doctor::finding::{Check, Finding, Severity};

/// Whether the AppID is that of a mini program.
pub(crate) fn is_mini_program<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(async move {
        const KIND: &str = "kind-mini-program";
        let outcome =
            app.wechat.code_to_session(&app.mini_program_of(connection)?, NO_CODE, budget(app)).await;
        Ok(match accepted(outcome) {
            Ok(()) => vec![Finding::ok(Check::KindOfApp, findings::KIND_OF_APP_FINE).naming("kind", KIND)],
            Err(error) => other_kind(app, connection, KIND, &error).await,
        })
    })
}

/// Whether the mini program may ask for phone numbers.
pub(crate) fn phone_numbers<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(async move {
        let outcome =
            app.wechat.phone_number(&app.mini_program_of(connection)?, NO_CODE, None, budget(app)).await;
        Ok(match accepted(outcome) {
            Ok(()) => vec![Finding::ok(Check::Phone, findings::PHONE_FINE)],
            Err(error) if error.errcode() == Some(48001) => {
                let finding = Finding::new(Check::Phone, Severity::Warning, findings::PHONE_NOT_PERMITTED);
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
        let page = connection.settings.text("page").filter(|page| !page.is_empty());
        let env_version = match connection.settings.text("env_version") {
            Some("trial") => EnvVersion::Trial,
            Some("develop") => EnvVersion::Develop,
            _ => EnvVersion::Release,
        };
        let code = CodeImage { scene: NO_CODE, page, env_version, width: SMALLEST_CODE };
        Ok(match app.wechat.code_image(&app.mini_program_of(connection)?, &code, budget(app)).await {
            Ok(_) => vec![Finding::ok(Check::Published, findings::PUBLISHED_FINE)],
            Err(error) if error.errcode().is_some_and(|code| UNPUBLISHED.contains(&code)) => {
                let key = if page.is_some() { findings::PAGE_UNPUBLISHED } else { findings::PUBLISHED_NOT };
                let finding = Finding::new(Check::Published, Severity::Warning, key);
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
