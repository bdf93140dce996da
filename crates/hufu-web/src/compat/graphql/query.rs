//! The queries.

use async_graphql::{Context, Object, Result, SimpleObject};
use hufu_app::{Authenticated, Refusal};

use super::Call;
use super::custom_data::{self, TargetType, UserDefinedData};
use crate::compat::user::{UserV2, arn};
use crate::problem::{Language, Problem};
use crate::request::given;

/// The queries.
pub(crate) struct Query;

/// Whether a token is of somebody who is logged in. Times are Unix seconds.
#[derive(Default, SimpleObject)]
#[graphql(name = "JWTTokenStatus")]
pub(super) struct TokenStatus {
    code: Option<i32>,
    message: Option<String>,
    status: Option<bool>,
    exp: Option<i64>,
    iat: Option<i64>,
    data: Option<TokenStatusDetail>,
}

/// Whose a token is.
#[derive(SimpleObject)]
#[graphql(name = "JWTTokenStatusDetail")]
pub(super) struct TokenStatusDetail {
    id: Option<String>,
    user_pool_id: Option<String>,
    arn: Option<String>,
}

#[Object]
impl Query {
    /// The user who is logged in.
    async fn user(&self, context: &Context<'_>, id: Option<String>) -> Result<Option<UserV2>> {
        let call = Call::of(context)?;
        let who = call.authenticate(id.as_deref()).await?;
        Ok(Some(call.user(&who).await?))
    }

    /// Whether the token, or else the bearer, is of somebody who is logged in. If not, that is no error.
    async fn check_login_status(
        &self,
        context: &Context<'_>,
        token: Option<String>,
    ) -> Result<Option<TokenStatus>> {
        let call = Call::of(context)?;
        let token = given(token.as_ref()).or(call.head.bearer());
        match logged_in(call, token).await {
            Ok(status) => Ok(Some(status)),
            Err(refusal @ (Refusal::Internal(_) | Refusal::Overloaded(_))) => {
                Err(call.refuse(refusal).into())
            }
            Err(_) => Ok(Some(not_logged_in(call.head.language))),
        }
    }

    /// The custom data of the user who is logged in.
    async fn udv(
        &self,
        context: &Context<'_>,
        target_type: TargetType,
        target_id: String,
    ) -> Result<Vec<UserDefinedData>> {
        let call = Call::of(context)?;
        let who = custom_data::target(call, target_type, &target_id).await?;
        let user = call.shared.app.user(&who).await.map_err(|refusal| call.refuse(refusal))?;
        Ok(custom_data::list(&user.custom_data))
    }
}

async fn logged_in(call: &Call, token: Option<&str>) -> Result<TokenStatus, Refusal> {
    let app = &call.shared.app;
    let who: Authenticated = app.authenticate(token, call.head.named(), call.head.origin()).await?;
    let user = app.user(&who).await?;
    let message = match call.head.language {
        Language::Chinese => "已登录",
        Language::English => "Logged in",
    };
    Ok(TokenStatus {
        code: Some(200),
        message: Some(message.to_owned()),
        status: Some(true),
        exp: Some(who.expires_at),
        iat: Some(who.issued_at),
        data: Some(TokenStatusDetail {
            id: Some(user.id.as_str().to_owned()),
            user_pool_id: Some(user.pool.as_str().to_owned()),
            arn: Some(arn(&user)),
        }),
    })
}

fn not_logged_in(language: Language) -> TokenStatus {
    let problem = Problem::of(&Refusal::NotLoggedIn);
    TokenStatus {
        code: i32::try_from(problem.code).ok(),
        message: Some(problem.message(language).to_owned()),
        status: Some(false),
        ..TokenStatus::default()
    }
}
