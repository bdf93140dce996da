//! The mutations of a user's profile and data. The others are in [`super::login`] and [`super::credentials`].

use async_graphql::{Context, MergedObject, Object, Result, SimpleObject};
use hufu_app::Refusal;

use super::Call;
use super::credentials::CredentialMutation;
use super::custom_data::{self, TargetType, UserDefinedData, UserDefinedDataInput};
use super::login::LoginMutation;
use super::management::{self, ManagementMutation};
use super::profile::UpdateUserInput;
use crate::management::v2;
use crate::user::UserV2;
use hufu_types::Scope;
use hufu_types::refusal::{Code, Reason};

/// The mutations.
#[derive(Default, MergedObject)]
pub(crate) struct Mutation(ProfileMutation, LoginMutation, CredentialMutation, ManagementMutation);

/// The user's profile, data and token.
#[derive(Default)]
pub(crate) struct ProfileMutation;

/// A new token. Times are Unix seconds.
#[derive(SimpleObject)]
pub(super) struct RefreshToken {
    token: Option<String>,
    iat: Option<i64>,
    exp: Option<i64>,
}

#[Object]
impl ProfileMutation {
    /// Changes the profile of the logged-in user. Everything in the input that is not part of the profile is
    /// ignored, and so are the tokens that prove an e-mail address or a phone number: login names have
    /// separate calls.
    async fn update_user(
        &self,
        context: &Context<'_>,
        id: Option<String>,
        input: UpdateUserInput,
        email_token: Option<String>,
        phone_token: Option<String>,
    ) -> Result<UserV2> {
        let _ = (email_token, phone_token);
        let call = Call::of(context)?;
        if let Some(manager) = call.manager().await? {
            let changes = management::argument(context, "input")?;
            return Ok(v2::update(&manager, id.as_deref().unwrap_or_default(), changes).await?);
        }
        let who = call.authenticate(id.as_deref(), Scope::Profile).await?;
        if let Some(change) = input.into_change() {
            call.shared.app.update_profile(&who, change).await?;
        }
        Ok(call.user(&who).await?)
    }

    /// Issues a new user token of the same session in exchange for a user token. A management client gets no token of
    /// a user: nobody has logged in.
    async fn refresh_token(&self, context: &Context<'_>, id: Option<String>) -> Result<Option<RefreshToken>> {
        let call = Call::of(context)?;
        if call.manager().await?.is_some() {
            return Err(Refusal::from(Code::NotServed).into());
        }
        let who = call.authenticate(id.as_deref(), Scope::Profile).await?;
        if who.scope.is_some() {
            return Err(Refusal::invalid("token", Reason::RenewedElsewhere).into());
        }
        let renewed = call.shared.app.renew(&who)?;
        Ok(Some(RefreshToken {
            iat: Some(renewed.issued_at.seconds()),
            exp: Some(renewed.expires_at.seconds()),
            token: Some(renewed.token),
        }))
    }

    /// Sets a value of custom data, given as JSON. Returns all custom data.
    async fn set_udv(
        &self,
        context: &Context<'_>,
        target_type: TargetType,
        target_id: String,
        key: String,
        value: String,
    ) -> Result<Vec<UserDefinedData>> {
        let udv = UserDefinedDataInput { key, value: Some(value) };
        set(Call::of(context)?, target_type, &target_id, vec![udv]).await
    }

    /// Sets several values of custom data, given as JSON. Returns all custom data.
    async fn set_udv_batch(
        &self,
        context: &Context<'_>,
        target_type: TargetType,
        target_id: String,
        udv_list: Option<Vec<UserDefinedDataInput>>,
    ) -> Result<Vec<UserDefinedData>> {
        set(Call::of(context)?, target_type, &target_id, udv_list.unwrap_or_default()).await
    }

    /// Removes a value of custom data, if it exists. Returns the remaining custom data.
    async fn remove_udv(
        &self,
        context: &Context<'_>,
        target_type: TargetType,
        target_id: String,
        key: String,
    ) -> Result<Vec<UserDefinedData>> {
        let call = Call::of(context)?;
        if let Some(manager) = call.manager().await? {
            let removal = custom_data::removal(key);
            return Ok(management::change_data(&manager, target_type, &target_id, removal).await?);
        }
        let who = custom_data::target(call, target_type, &target_id).await?;
        Ok(custom_data::change(call, &who, custom_data::removal(key)).await?)
    }
}

async fn set(
    call: &Call,
    target_type: TargetType,
    target_id: &str,
    list: Vec<UserDefinedDataInput>,
) -> Result<Vec<UserDefinedData>> {
    let values = custom_data::read(list)?;
    if let Some(manager) = call.manager().await? {
        return Ok(management::change_data(&manager, target_type, target_id, values).await?);
    }
    let who = custom_data::target(call, target_type, target_id).await?;
    Ok(custom_data::change(call, &who, values).await?)
}
