//! The mutations that log users in and create accounts. A bearer token is ignored.

use async_graphql::{Context, InputObject, Object, Result};
use hufu_app::{AccountName, LoginOptions, Refusal, Registration, Target};
use hufu_types::flow::RequestedTokens;
use hufu_types::{Gender, Profile};
use serde_json::{Map, Value};

use super::Call;
use super::custom_data::{self, UserDefinedDataInput};
use crate::codes::serving;
use crate::fields;
use crate::request::given;
use crate::user::UserV2;
use crate::waiting;

/// Logging in and registering.
#[derive(Default)]
pub(crate) struct LoginMutation;

/// Input of all logins by password. `autoRegister` has no effect, because an account is never created from a
/// name that is not proved. `clientIp` is ignored, because the server sees the address itself. There are no
/// image captchas and no pipelines.
#[derive(InputObject)]
pub(super) struct PasswordOptions {
    password: String,
    captcha_code: Option<String>,
    auto_register: Option<bool>,
    client_ip: Option<String>,
    params: Option<String>,
    context: Option<String>,
}

/// A login by e-mail address and password.
#[derive(InputObject)]
pub(super) struct LoginByEmailInput {
    email: String,
    #[graphql(flatten)]
    options: PasswordOptions,
}

/// A login by username and password.
#[derive(InputObject)]
pub(super) struct LoginByUsernameInput {
    username: String,
    #[graphql(flatten)]
    options: PasswordOptions,
}

/// A login by phone number and password.
#[derive(InputObject)]
pub(super) struct LoginByPhonePasswordInput {
    phone: String,
    phone_country_code: Option<String>,
    #[graphql(flatten)]
    options: PasswordOptions,
}

/// A login by a code that was sent to a phone number. It creates the account if there is none, unless
/// `autoRegister` is false. The published clients do not send `autoRegister`.
#[derive(InputObject)]
pub(super) struct LoginByPhoneCodeInput {
    phone: String,
    phone_country_code: Option<String>,
    code: String,
    auto_register: Option<bool>,
    client_ip: Option<String>,
    params: Option<String>,
    context: Option<String>,
}

/// Input of all registrations.
#[derive(InputObject)]
pub(super) struct RegisterOptions {
    profile: Option<RegisterProfile>,
    force_login: Option<bool>,
    generate_token: Option<bool>,
    client_ip: Option<String>,
    params: Option<String>,
    context: Option<String>,
}

/// A registration with an e-mail address, without a code that proves it.
#[derive(InputObject)]
pub(super) struct RegisterByEmailInput {
    email: String,
    password: String,
    phone_token: Option<String>,
    #[graphql(flatten)]
    options: RegisterOptions,
}

/// A registration with a username.
#[derive(InputObject)]
pub(super) struct RegisterByUsernameInput {
    username: String,
    password: String,
    #[graphql(flatten)]
    options: RegisterOptions,
}

/// A registration with a phone number and the code that was sent to it.
#[derive(InputObject)]
pub(super) struct RegisterByPhoneCodeInput {
    phone: String,
    phone_country_code: Option<String>,
    code: String,
    password: Option<String>,
    email_token: Option<String>,
    #[graphql(flatten)]
    options: RegisterOptions,
}

/// A value of custom data, as text or as JSON.
#[derive(InputObject)]
#[graphql(name = "UserDdfInput")]
pub(super) struct UserDdfInput {
    key: String,
    value: String,
}

macro_rules! register_profile {
    ($($field:ident),* $(,)?) => {
        /// The profile of a new user. Of the login names only the username is used, since a phone number or
        /// an e-mail address given here is not proved.
        #[derive(Default, InputObject)]
        pub(super) struct RegisterProfile {
            $($field: Option<String>,)*
            gender: Option<String>,
            username: Option<String>,
            phone: Option<String>,
            email: Option<String>,
            ip: Option<String>,
            oauth: Option<String>,
            udf: Option<Vec<UserDdfInput>>,
        }

        impl RegisterProfile {
            fn into_profile(self) -> Profile {
                let mut profile = Profile::default();
                $(profile.$field = self.$field.filter(|text| !text.is_empty());)*
                profile.gender = self.gender.as_deref().and_then(Gender::parse);
                profile
            }
        }
    };
}

register_profile!(
    nickname,
    company,
    photo,
    device,
    browser,
    name,
    given_name,
    family_name,
    middle_name,
    profile,
    preferred_username,
    website,
    birthdate,
    zoneinfo,
    locale,
    address,
    formatted,
    street_address,
    locality,
    region,
    postal_code,
    city,
    province,
    country,
);

#[Object]
impl LoginMutation {
    /// Logs in by e-mail address and password.
    async fn login_by_email(&self, context: &Context<'_>, input: LoginByEmailInput) -> Result<UserV2> {
        by_password(Call::of(context)?, AccountName::Email(input.email), input.options).await
    }

    /// Logs in by username and password.
    async fn login_by_username(&self, context: &Context<'_>, input: LoginByUsernameInput) -> Result<UserV2> {
        by_password(Call::of(context)?, AccountName::Username(input.username), input.options).await
    }

    /// Logs in by phone number and password.
    async fn login_by_phone_password(
        &self,
        context: &Context<'_>,
        input: LoginByPhonePasswordInput,
    ) -> Result<UserV2> {
        let call = Call::of(context)?;
        let phone = fields::phone(&input.phone, input.phone_country_code.as_ref());
        let phone = phone?;
        by_password(call, AccountName::Phone(phone), input.options).await
    }

    /// Logs in by a code that was sent to a phone number, and creates the account if there is none.
    async fn login_by_phone_code(
        &self,
        context: &Context<'_>,
        input: LoginByPhoneCodeInput,
    ) -> Result<UserV2> {
        let call = Call::of(context)?;
        let phone = fields::phone(&input.phone, input.phone_country_code.as_ref())?;
        let custom_data = fields::params(input.params.as_ref())?;
        let (application, origin) = (serving(&call.shared, &call.head)?, call.head.origin());
        let (app, to) = (&call.shared.app, Target::Phone(phone));
        let create = input.auto_register != Some(false);
        let wish = LoginOptions { requested: RequestedTokens::UserToken, custom_data };
        let answer = app.log_in_by_code(&application, to, &input.code, create, wish, &origin).await?;
        Ok(UserV2::of_login(waiting::done(answer)?))
    }

    /// Logs in by any login name and a password.
    async fn login_by_sub_account(
        &self,
        context: &Context<'_>,
        account: String,
        password: String,
        captcha_code: Option<String>,
        client_ip: Option<String>,
    ) -> Result<UserV2> {
        let options = PasswordOptions {
            password,
            captcha_code,
            auto_register: None,
            client_ip,
            params: None,
            context: None,
        };
        by_password(Call::of(context)?, AccountName::Any(account), options).await
    }

    /// Creates an account with an e-mail address and a password. A token is issued only on request.
    async fn register_by_email(&self, context: &Context<'_>, input: RegisterByEmailInput) -> Result<UserV2> {
        let call = Call::of(context)?;
        let registration = Registration {
            email: Some(fields::email(&input.email)?),
            password: Some(fields::password(&call.shared, &input.password).await?),
            ..Registration::default()
        };
        Box::pin(register(call, registration, input.options)).await
    }

    /// Creates an account with a username and a password. A token is issued only on request.
    async fn register_by_username(
        &self,
        context: &Context<'_>,
        input: RegisterByUsernameInput,
    ) -> Result<UserV2> {
        let call = Call::of(context)?;
        fields::required(Some(&input.username), "username")?;
        let registration = Registration {
            username: fields::username(Some(&input.username))?,
            password: Some(fields::password(&call.shared, &input.password).await?),
            ..Registration::default()
        };
        Box::pin(register(call, registration, input.options)).await
    }

    /// Creates an account with a phone number that a code proves. A token is issued only on request.
    async fn register_by_phone_code(
        &self,
        context: &Context<'_>,
        input: RegisterByPhoneCodeInput,
    ) -> Result<UserV2> {
        let call = Call::of(context)?;
        let password = match given(input.password.as_ref()) {
            Some(password) => Some(fields::password(&call.shared, password).await?),
            None => None,
        };
        let registration = Registration {
            phone: Some(fields::phone(&input.phone, input.phone_country_code.as_ref())?),
            code: Some(input.code),
            password,
            ..Registration::default()
        };
        Box::pin(register(call, registration, input.options)).await
    }
}

async fn by_password(call: &Call, account: AccountName, options: PasswordOptions) -> Result<UserV2> {
    let custom_data = fields::params(options.params.as_ref())?;
    let (application, origin) = (serving(&call.shared, &call.head)?, call.head.origin());
    let password = fields::password(&call.shared, &options.password).await?;
    let app = &call.shared.app;
    let wish = LoginOptions { requested: RequestedTokens::UserToken, custom_data };
    let answer = app.log_in_by_password(&application, account, password, wish, &origin).await?;
    Ok(UserV2::of_login(waiting::done(answer)?))
}

async fn register(call: &Call, mut registration: Registration, options: RegisterOptions) -> Result<UserV2> {
    let profile = options.profile.unwrap_or_default();
    if registration.username.is_none() {
        registration.username = fields::username(profile.username.as_ref())?;
    }
    registration.custom_data = fields::params(options.params.as_ref())?;
    registration.custom_data.extend(udf(&profile)?);
    registration.profile = profile.into_profile();
    let wanted = options.force_login == Some(true) || options.generate_token == Some(true);
    let (application, origin) = (serving(&call.shared, &call.head)?, call.head.origin());
    let requested = wanted.then_some(RequestedTokens::UserToken);
    let (user, answer) = call.shared.app.register(&application, registration, requested, &origin).await?;
    Ok(match answer {
        Some(answer) => UserV2::of_login(waiting::done(answer)?),
        None => UserV2::new(user, None),
    })
}

fn udf(profile: &RegisterProfile) -> Result<Map<String, Value>, Refusal> {
    let pairs = profile.udf.iter().flatten();
    let pairs = pairs.map(|UserDdfInput { key, value }| UserDefinedDataInput {
        key: key.clone(),
        value: Some(value.clone()),
    });
    custom_data::read(pairs.collect())
}
