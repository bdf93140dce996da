//! What can be asked about an official account.

use hufu_types::Connection;
use hufu_types::doctor::findings;
use hufu_wechat::Endpoint;

use super::{Checking, NO_CODE, accepted, budget, other_kind};
use crate::App;
use crate::doctor::finding::{Check, Finding, Severity};
use crate::sources::wechat::official_account::ACCOUNT;

/// WeChat's answer to an account that is not verified, or of a kind without this permission.
pub(super) const NOT_PERMITTED: i64 = 48001;

/// Whether the account may ask about its followers, as a verified service account may. It is asked about an OpenID that
/// there is not.
pub(crate) fn may_ask_about_followers<'a>(app: &'a App, connection: &'a Connection) -> Checking<'a> {
    Box::pin(async move {
        const KIND: &str = "kind-official-account";
        let outcome = app.wechat.follower(&app.mini_program_of(connection)?, NO_CODE, budget(app)).await;
        Ok(match accepted(outcome) {
            Ok(()) => vec![Finding::ok(Check::KindOfApp, findings::KIND_OF_APP_FINE).naming("kind", KIND)],
            Err(error) if error.errcode() == Some(NOT_PERMITTED) => {
                let is_subscription = connection.settings.text(ACCOUNT) == Some("subscription");
                let severity = if is_subscription { Severity::Note } else { Severity::Error };
                vec![
                    Finding::new(Check::KindOfApp, severity, findings::FOLLOWERS_NOT_PERMITTED)
                        .answered(&error),
                ]
            }
            // There is no token, which another check says.
            Err(error) if error.endpoint() != Endpoint::Follower => Vec::new(),
            Err(error) => {
                let told = other_kind(app, connection, KIND, &error).await;
                let is_told = !told.is_empty();
                if is_told { told } else { vec![Finding::failed(app, Check::KindOfApp, &error)] }
            }
        })
    })
}
