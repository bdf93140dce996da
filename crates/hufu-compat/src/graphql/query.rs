//! The queries.

use async_graphql::{Context, MergedObject, Object, Result, SimpleObject};
use hufu_app::authorization::Presented;
use hufu_app::{AccountName, Authenticated, Needs, Refusal};

use super::Call;
use super::custom_data::{self, TargetType, UserDefinedData};
use super::management::{self, ManagementQuery};
use crate::codes::serving;
use crate::fields;
use crate::management::v2;
use crate::request::given;
use crate::user::{UserV2, arn};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Language, Scope, UserId};

/// The queries.
#[derive(Default, MergedObject)]
pub(crate) struct Query(UserQuery, ManagementQuery);

/// The queries of users.
#[derive(Default)]
pub(crate) struct UserQuery;

/// Whether a token belongs to a logged-in user. Times are Unix seconds.
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

/// The owner of a token.
#[derive(SimpleObject)]
#[graphql(name = "JWTTokenStatusDetail")]
pub(super) struct TokenStatusDetail {
    id: Option<String>,
    user_pool_id: Option<String>,
    arn: Option<String>,
}

/// Whether a pool accepts a password.
#[derive(SimpleObject)]
pub(super) struct CheckPasswordStrengthResult {
    valid: bool,
    message: Option<String>,
}

#[Object]
impl UserQuery {
    /// The logged-in user; any user of the pool for a management client.
    async fn user(&self, context: &Context<'_>, id: Option<String>) -> Result<Option<UserV2>> {
        let call = Call::of(context)?;
        if let Some(manager) = call.manager().await? {
            let id = UserId::parse(id.as_deref().unwrap_or_default())
                .map_err(|_| Refusal::from(Code::UserUnknown))?;
            return Ok(Some(v2::with_identities(&manager, &id).await?));
        }
        let who = call.authenticate(id.as_deref(), Scope::Profile).await?;
        Ok(Some(call.user(&who).await?))
    }

    /// Whether the token, or else the bearer token, belongs to a logged-in user. If not, that is not an
    /// error.
    async fn check_login_status(
        &self,
        context: &Context<'_>,
        token: Option<String>,
    ) -> Result<Option<TokenStatus>> {
        let call = Call::of(context)?;
        let token = given(token.as_ref()).map(Presented::Bearer).or(call.head.presented());
        match logged_in(call, token).await {
            Ok(status) => Ok(Some(status)),
            Err(refusal) if refusal.code().is_internal() || refusal.code().is_about_dpop() => {
                Err(refusal.into())
            }
            Err(_) => Ok(Some(not_logged_in(call.head.language))),
        }
    }

    /// The custom data of the logged-in user; of any user of the pool for a management client.
    async fn udv(
        &self,
        context: &Context<'_>,
        target_type: TargetType,
        target_id: String,
    ) -> Result<Vec<UserDefinedData>> {
        let call = Call::of(context)?;
        if let Some(manager) = call.manager().await? {
            return Ok(management::data_of(&manager, target_type, &target_id).await?);
        }
        let who = custom_data::target(call, target_type, &target_id).await?;
        let user = call.shared.app.user(&who).await?;
        Ok(custom_data::list(&user.custom_data, &call.shared.app.config().settings(who.pool())))
    }

    /// Whether the pool accepts a password, which is sent unencrypted. A bearer token is ignored.
    #[expect(clippy::unused_async, reason = "resolvers are asynchronous")]
    async fn check_password_strength(
        &self,
        context: &Context<'_>,
        password: String,
    ) -> Result<CheckPasswordStrengthResult> {
        let call = Call::of(context)?;
        let application = serving(&call.shared, &call.head)?;
        match call.shared.app.password_strength(&application.pool, &password) {
            Ok(()) => Ok(CheckPasswordStrengthResult { valid: true, message: None }),
            Err(refusal) if refusal.code().is_weak_password() => {
                let message = refusal.for_integrator(call.head.language);
                Ok(CheckPasswordStrengthResult { valid: false, message: Some(message) })
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Whether there is an account with this name, if the pool lets anyone ask, or a management client asks. Other
    /// bearer tokens are ignored.
    async fn is_user_exists(
        &self,
        context: &Context<'_>,
        email: Option<String>,
        phone: Option<String>,
        username: Option<String>,
        external_id: Option<String>,
    ) -> Result<Option<bool>> {
        let call = Call::of(context)?;
        if let Some(manager) = call.manager().await? {
            let names =
                [("email", email), ("phone", phone), ("username", username), ("external_id", external_id)];
            return Ok(Some(v2::find(&manager, names).await?.is_some()));
        }
        let text = |text: &Option<String>| given(text.as_ref()).map(str::to_owned);
        let name = if let Some(email) = text(&email) {
            AccountName::Email(email)
        } else if let Some(phone) = text(&phone) {
            AccountName::Phone(fields::phone(&phone, None)?)
        } else if let Some(username) = text(&username) {
            AccountName::Username(username)
        } else if let Some(id) = text(&external_id) {
            AccountName::ExternalId(id)
        } else {
            return Err(Refusal::invalid("email, phone, username, externalId", Reason::OneNeeded).into());
        };
        let application = serving(&call.shared, &call.head)?;
        Ok(Some(call.shared.app.user_exists(&application, name, &call.head.origin()).await?))
    }
}

async fn logged_in(call: &Call, token: Option<Presented<'_>>) -> Result<TokenStatus, Refusal> {
    let app = &call.shared.app;
    let who: Authenticated =
        app.authenticate(token, call.head.named(), call.head.origin(), Needs::Login).await?;
    let user = app.user(&who).await?;
    let message = match call.head.language.for_integrators() {
        Language::SimplifiedChinese => "已登录",
        _ => "Logged in",
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
    let refusal = Refusal::new(Code::NotLoggedIn);
    TokenStatus {
        code: i32::try_from(refusal.number()).ok(),
        message: Some(refusal.for_integrator(language)),
        status: Some(false),
        ..TokenStatus::default()
    }
}
