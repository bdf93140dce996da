//! The mutations that change credentials, and those that send and use codes.

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use hufu_app::{FlowAction, FlowStep, Refusal, Target};
use hufu_types::refusal::Reason;
use hufu_types::{Language, PasscodePurpose, Scope};

use super::Call;
use crate::codes::{send, serving};
use crate::fields;
use crate::request::given;
use crate::user::UserV2;
use crate::waiting::step_refused;

/// Passwords, phone numbers, e-mail addresses.
#[derive(Default)]
pub(crate) struct CredentialMutation;

/// The purpose of an e-mail.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum EmailScene {
    ResetPassword,
    VerifyEmail,
    ChangeEmail,
    MfaVerify,
    ResetPasswordVerifyCode,
    FirstEmailLoginVerify,
    ConsoleConductedVerify,
    EmailBindVerifyCode,
    EmailUnbindVerifyCode,
    VerifyCode,
    RegisterVerifyCode,
    LoginVerifyCode,
    MfaVerifyCode,
    InformationCompletionVerifyCode,
}

impl EmailScene {
    const fn purpose(self) -> PasscodePurpose {
        match self {
            Self::ResetPassword | Self::ResetPasswordVerifyCode => PasscodePurpose::ResetPassword,
            Self::VerifyEmail | Self::FirstEmailLoginVerify | Self::ConsoleConductedVerify => {
                PasscodePurpose::Verify
            }
            Self::ChangeEmail => PasscodePurpose::Change,
            Self::MfaVerify | Self::MfaVerifyCode => PasscodePurpose::Confirm,
            Self::EmailBindVerifyCode => PasscodePurpose::Bind,
            Self::EmailUnbindVerifyCode => PasscodePurpose::Unbind,
            Self::VerifyCode => PasscodePurpose::General,
            Self::RegisterVerifyCode => PasscodePurpose::Register,
            Self::LoginVerifyCode => PasscodePurpose::Login,
            Self::InformationCompletionVerifyCode => PasscodePurpose::Complete,
        }
    }
}

/// Confirms that an operation succeeded.
#[derive(SimpleObject)]
pub(super) struct CommonMessage {
    message: Option<String>,
    code: Option<i32>,
}

impl CommonMessage {
    pub(super) fn done(language: Language) -> Self {
        let message = match language.for_integrators() {
            Language::SimplifiedChinese => "操作成功",
            _ => "Done",
        };
        Self { message: Some(message.to_owned()), code: Some(200) }
    }
}

/// Sets the new password that a login waits for. That ends the login, since these calls do not return its
/// tokens.
async fn reset_due_password(call: &Call, token: &str, password: &str) -> Result<(), Refusal> {
    let application = serving(&call.shared, &call.head)?;
    let handle = fields::required(Some(&token.to_owned()), "token")?.to_owned();
    let action = FlowAction::ResetPassword(fields::password(&call.shared, password).await?);
    let origin = call.head.origin();
    let step = FlowStep { application: &application, handle: &handle, cookie: None, action, origin };
    call.shared.app.continue_flow(step).await.map_err(step_refused)?;
    Ok(())
}

#[Object]
impl CredentialMutation {
    /// Sends a code by e-mail. A bearer token is ignored.
    async fn send_email(
        &self,
        context: &Context<'_>,
        email: String,
        scene: EmailScene,
    ) -> Result<CommonMessage> {
        let call = Call::of(context)?;
        let address = fields::email(&email)?;
        send(&call.shared, &call.head, Target::Email(address), scene.purpose()).await?;
        Ok(CommonMessage::done(call.head.language))
    }

    /// Sets a new password for the account of a phone number or e-mail address that a code proves. A bearer
    /// token is ignored.
    async fn reset_password(
        &self,
        context: &Context<'_>,
        phone: Option<String>,
        phone_country_code: Option<String>,
        email: Option<String>,
        code: String,
        new_password: String,
    ) -> Result<CommonMessage> {
        let call = Call::of(context)?;
        let target = match (given(phone.as_ref()), given(email.as_ref())) {
            (Some(phone), _) => Target::Phone(fields::phone(phone, phone_country_code.as_ref())?),
            (None, Some(email)) => Target::Email(fields::email(email)?),
            (None, None) => {
                return Err(Refusal::invalid("phone, email", Reason::OneNeeded).into());
            }
        };
        let (application, origin) = (serving(&call.shared, &call.head)?, call.head.origin());
        let new = fields::password(&call.shared, &new_password).await?;
        call.shared.app.reset_password(&application, target, &code, new, &origin).await?;
        Ok(CommonMessage::done(call.head.language))
    }

    /// Sets the new password of an account whose login waits for one. The token is the one of that login. The
    /// user then logs in with the new password. A bearer token is ignored.
    async fn reset_password_by_first_login_token(
        &self,
        context: &Context<'_>,
        token: String,
        password: String,
    ) -> Result<CommonMessage> {
        let call = Call::of(context)?;
        reset_due_password(call, &token, &password).await?;
        Ok(CommonMessage::done(call.head.language))
    }

    /// Sets a new password for an account that must replace its password. The login that returned the token
    /// has already verified the old password, so it is not checked again. A bearer token is ignored.
    async fn reset_password_by_force_reset_token(
        &self,
        context: &Context<'_>,
        token: String,
        old_password: String,
        new_password: String,
    ) -> Result<CommonMessage> {
        let call = Call::of(context)?;
        fields::required(Some(&old_password), "oldPassword")?;
        reset_due_password(call, &token, &new_password).await?;
        Ok(CommonMessage::done(call.head.language))
    }

    /// Sends a code to the e-mail address of an account that must set a new password at its next login. The
    /// response does not reveal whether there is such an account. A bearer token is ignored.
    async fn send_first_login_verify_email(
        &self,
        context: &Context<'_>,
        user_id: String,
        app_id: String,
    ) -> Result<CommonMessage> {
        let call = Call::of(context)?;
        let application = call.shared.app.config().serving(call.head.named_or(given(Some(&app_id))))?.clone();
        let (app, language) = (&call.shared.app, call.head.language);
        app.send_first_login_code(&application, &user_id, language, &call.head.origin()).await?;
        Ok(CommonMessage::done(call.head.language))
    }

    /// Sets a new password.
    async fn update_password(
        &self,
        context: &Context<'_>,
        new_password: String,
        old_password: Option<String>,
    ) -> Result<UserV2> {
        let call = Call::of(context)?;
        let who = call.authenticate(None, Scope::Profile).await?;
        let new = fields::password(&call.shared, &new_password).await?;
        let old = match given(old_password.as_ref()) {
            Some(old) => Some(fields::password(&call.shared, old).await?),
            None => None,
        };
        call.shared.app.change_password(&who, new, old).await?;
        Ok(call.user(&who).await?)
    }

    /// Changes the phone number to one that a code proves.
    #[expect(clippy::too_many_arguments, reason = "the clients send these arguments")]
    async fn update_phone(
        &self,
        context: &Context<'_>,
        phone: String,
        phone_code: String,
        phone_country_code: Option<String>,
        old_phone: Option<String>,
        old_phone_code: Option<String>,
        old_phone_country_code: Option<String>,
    ) -> Result<UserV2> {
        let call = Call::of(context)?;
        let who = call.authenticate(None, Scope::Profile).await?;
        let new = fields::phone(&phone, phone_country_code.as_ref())?;
        let old = match (given(old_phone.as_ref()), given(old_phone_code.as_ref())) {
            (Some(phone), code) => Some((
                fields::phone(phone, old_phone_country_code.as_ref())?,
                code.unwrap_or_default().to_owned(),
            )),
            (None, _) => None,
        };
        call.shared.app.change_phone(&who, new, &phone_code, old).await?;
        Ok(call.user(&who).await?)
    }

    /// Changes the e-mail address to one that a code proves.
    async fn update_email(
        &self,
        context: &Context<'_>,
        email: String,
        email_code: String,
        old_email: Option<String>,
        old_email_code: Option<String>,
    ) -> Result<UserV2> {
        let call = Call::of(context)?;
        let who = call.authenticate(None, Scope::Profile).await?;
        let new = fields::email(&email)?;
        let old = match (given(old_email.as_ref()), given(old_email_code.as_ref())) {
            (Some(email), code) => Some((fields::email(email)?, code.unwrap_or_default().to_owned())),
            (None, _) => None,
        };
        call.shared.app.change_email(&who, new, &email_code, old).await?;
        Ok(call.user(&who).await?)
    }

    /// Binds a phone number that a code proves.
    async fn bind_phone(
        &self,
        context: &Context<'_>,
        phone: String,
        phone_code: String,
        phone_country_code: Option<String>,
    ) -> Result<UserV2> {
        let call = Call::of(context)?;
        let who = call.authenticate(None, Scope::Profile).await?;
        let phone = fields::phone(&phone, phone_country_code.as_ref())?;
        call.shared.app.bind_phone(&who, phone, &phone_code).await?;
        Ok(call.user(&who).await?)
    }

    /// Binds an e-mail address that a code proves.
    async fn bind_email(&self, context: &Context<'_>, email: String, email_code: String) -> Result<UserV2> {
        let call = Call::of(context)?;
        let who = call.authenticate(None, Scope::Profile).await?;
        let email = fields::email(&email)?;
        call.shared.app.bind_email(&who, email, &email_code).await?;
        Ok(call.user(&who).await?)
    }

    /// Removes the phone number, unless it is the last way to log in to the account.
    async fn unbind_phone(&self, context: &Context<'_>) -> Result<UserV2> {
        let call = Call::of(context)?;
        let who = call.authenticate(None, Scope::Profile).await?;
        call.shared.app.unbind_phone(&who).await?;
        Ok(call.user(&who).await?)
    }

    /// Removes the e-mail address, unless it is the last way to log in to the account.
    async fn unbind_email(&self, context: &Context<'_>) -> Result<UserV2> {
        let call = Call::of(context)?;
        let who = call.authenticate(None, Scope::Profile).await?;
        call.shared.app.unbind_email(&who).await?;
        Ok(call.user(&who).await?)
    }
}
