//! Logging in with a password or a code.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_types::refusal::Code;
use hufu_types::{
    Application, ConnectionId, LoginMethod, Method, PasscodeChannel, RegistrationMethod, UserId,
};
use secrecy::SecretString;

use super::by_code::{CodeLogin, LogInByCode};
use super::by_password::{LogInByPassword, PasswordLogin};
use crate::credentials::{AccountName, Target, accepted};
use crate::login::entry::{LoginAnswer, LoginOptions};
use crate::refusal::too_many_changes;
use crate::{App, Origin, Refusal};

/// How often a login starts again because the account changed in the meantime.
const ATTEMPTS: usize = 3;

impl App {
    /// Logs an account in by one of its login names and its password. An unknown account is refused in the
    /// same way as a wrong password, and takes as long.
    #[boxed]
    pub async fn log_in_by_password(
        &self,
        application: &Arc<Application>,
        account: AccountName,
        password: SecretString,
        options: LoginOptions,
        origin: &Origin,
    ) -> Result<LoginAnswer, Refusal> {
        let (pool, LoginOptions { requested, custom_data }) = (&application.pool, options);
        Self::check_surface(application, &requested)?;
        check_method(application, LoginMethod::Password)?;
        let patch = self.custom_data_patch(pool, custom_data)?;
        for _ in 0..ATTEMPTS {
            let trace = self.trace(pool, None, Some(&application.id), Some(&ConnectionId::own()), origin);
            let proved = self.prove_by_password(pool, &account, &password, "password", origin, trace).await?;
            // Passwords may queue: what begins with the login begins after that.
            let options = (requested.clone(), patch.clone());
            let prepared = self.prepare_own_login(application, "password", Method::Password, options, origin);
            let unit = LogInByPassword {
                user: proved.user.id,
                pool: pool.clone(),
                verified: proved.verified,
                rehash: proved.rehash,
                counted: proved.counted,
                plan: prepared.plan.clone(),
            };
            match self.write(unit).await? {
                PasswordLogin::Login(outcome) => {
                    return self.conclude(application, &prepared.plan, prepared.secrets, *outcome);
                }
                PasswordLogin::Changed => {}
            }
        }
        Err(too_many_changes())
    }

    /// Logs in the owner of the phone number or e-mail address that a code proves, or creates an account.
    #[boxed]
    pub async fn log_in_by_code(
        &self,
        application: &Arc<Application>,
        target: Target,
        code: &str,
        create: bool,
        options: LoginOptions,
        origin: &Origin,
    ) -> Result<LoginAnswer, Refusal> {
        let (pool, LoginOptions { requested, custom_data }) = (&application.pool, options);
        let (method, offered, registers) = match target.channel() {
            PasscodeChannel::Sms => {
                (Method::PhoneCode, LoginMethod::PhoneCode, RegistrationMethod::PhoneCode)
            }
            PasscodeChannel::Email => {
                (Method::EmailCode, LoginMethod::EmailCode, RegistrationMethod::EmailCode)
            }
        };
        Self::check_surface(application, &requested)?;
        check_method(application, offered)?;
        let create = create && application.login.ways_to_register().contains(&registers);
        let patch = self.custom_data_patch(pool, custom_data)?;
        let purposes = accepted::login(&requested);
        let prepared =
            self.prepare_own_login(application, method.as_str(), method, (requested, patch), origin);
        let unit = LogInByCode {
            pool: pool.clone(),
            guess: self.guess(pool, &target, code, purposes, origin),
            target,
            create,
            candidate: UserId::generate(self.now(), &*self.random),
            plan: prepared.plan.clone(),
        };
        match self.write(unit).await? {
            CodeLogin::Login(outcome) => {
                self.conclude(application, &prepared.plan, prepared.secrets, *outcome)
            }
            CodeLogin::WrongCode => Err(Code::WrongCode.into()),
            CodeLogin::TooOften => Err(self.too_many_codes()),
        }
    }
}

/// Refuses a method of logging in that the application does not offer.
fn check_method(application: &Application, method: LoginMethod) -> Result<(), Refusal> {
    if application.login.offers(method) {
        return Ok(());
    }
    Err(Code::LoginMethodOff.with("method", method.as_str()))
}
