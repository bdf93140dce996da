//! `/api/v2/ecConn/{wechatMobile,wechatminiprogramapplaunch}/*`: logins of native apps through the WeChat app and
//! through a mini program that the app launches, with the calls of the published mobile SDKs.
//! `POST /api/v3/signin-by-mobile` does the same and returns a token set. Bearer tokens are ignored.

mod binding;

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use hufu_app::{Evidence, LoginAnswer, PhoneEvidence, PhoneUse, Refusal, SealedData, SourceLogin};
use hufu_types::flow::RequestedTokens;
use hufu_types::{Application, ConnectionKind, ScopeSet};
use hufu_web::Routes;
use hufu_web::cors::open;
use serde::Deserialize;

use super::fields::required;
use super::user::UserV2;
use crate::envelope::Success;
use crate::request::{Body, Head, Path, given};
use crate::server::{self, Shared};
use crate::surface::Answer;
use crate::waiting;

/// The calls for each source.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/api/v2/ecConn/{source}/authByCode", open(post(auth_by_code)))
        .route("/api/v2/ecConn/{source}/authByCodeIdentity", open(post(binding::auth_by_code_identity)))
        .route("/api/v2/ecConn/{source}/register", open(post(binding::register)))
        .route("/api/v2/ecConn/{source}/byAccount", open(post(binding::by_account)))
        .route("/api/v2/ecConn/{source}/byPhoneCode", open(post(binding::by_phone_code)))
        .route("/api/v2/ecConn/{source}/byEmailCode", open(post(binding::by_email_code)))
        .route("/api/v2/ecConn/{source}/select", open(post(binding::choose)))
        .route("/api/v2/ecConn/{source}/byAccountId", open(post(binding::choose)))
}

/// A source, by its name in the paths.
#[derive(Clone, Copy, Deserialize)]
pub(crate) enum Source {
    #[serde(rename = "wechatMobile")]
    Mobile,
    #[serde(rename = "wechatminiprogramapplaunch")]
    AppLaunch,
}

impl Source {
    const fn kind(self) -> ConnectionKind {
        match self {
            Self::Mobile => ConnectionKind::WechatMobile,
            Self::AppLaunch => ConnectionKind::WechatAppLaunch,
        }
    }
}

/// The request of the clients.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CodeRequest {
    /// The id of the connection.
    conn_id: Option<String>,
    /// The code that `SendAuth` returned, or the launched mini program.
    code: Option<String>,
    /// From the launched mini program: the code of its phone button, unless the user declined.
    phone_info_code: Option<String>,
    /// From the launched mini program: encrypted data, empty in the present clients.
    iv: Option<String>,
    encrypted_data: Option<String>,
    /// The application, which the clients name in a header as well.
    app_id: Option<String>,
    options: Option<Options>,
}

#[derive(Deserialize)]
struct Options {
    scope: Option<String>,
}

impl CodeRequest {
    fn evidence(&self, kind: ConnectionKind) -> Result<Evidence<'_>, Refusal> {
        let by_code = Evidence::code(required(self.code.as_ref(), "code")?);
        if kind == ConnectionKind::WechatMobile {
            return Ok(by_code);
        }
        let sealed = given(self.iv.as_ref()).zip(given(self.encrypted_data.as_ref()));
        Ok(Evidence {
            user_info: sealed.map(|(iv, encrypted_data)| SealedData { iv, encrypted_data }),
            phone: given(self.phone_info_code.as_ref()).map(PhoneEvidence::Code),
            ..by_code
        })
    }

    async fn log_in(
        &self,
        kind: ConnectionKind,
        (shared, head): (&Shared, &Head),
        requested: impl FnOnce(&Application) -> RequestedTokens,
    ) -> Result<LoginAnswer, Refusal> {
        let config = shared.app.config();
        let application = config.serving(head.named_or(self.app_id.as_deref()))?;
        let id = required(self.conn_id.as_ref(), "connId")?;
        let evidence = self.evidence(kind)?;
        let login = SourceLogin {
            application: Arc::clone(application),
            connection: config.connection_by_id(application, kind, id)?,
            evidence,
            phone_use: PhoneUse::Fill,
            options: requested(application).into(),
            origin: head.origin(),
        };
        shared.app.log_in(&login).await
    }

    fn scope(&self, shared: &Shared, application: &Application) -> ScopeSet {
        let options = self.options.as_ref();
        let asked = options.and_then(|options| given(options.scope.as_ref()));
        ScopeSet::asked(asked, &shared.app.config().settings(&application.pool).scopes)
    }
}

/// `authByCode`: logs in and returns the user with a user token.
async fn auth_by_code(
    State(shared): server::State,
    Path(source): Path<Source>,
    head: Head,
    Body(request): Body<CodeRequest>,
) -> Answer<Success<UserV2>> {
    let answer = request.log_in(source.kind(), (&shared, &head), |_| RequestedTokens::UserToken).await?;
    Ok(Success::new(UserV2::of_login(waiting::done(answer)?)))
}
