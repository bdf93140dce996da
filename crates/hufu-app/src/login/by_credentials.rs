//! Logging in with a password or a code.

use async_recursion::async_recursion as boxed;
use std::sync::Arc;

use hufu_types::refusal::Code;
use hufu_types::{Application, Method, PasscodeChannel, UserId};
use secrecy::SecretString;

use super::by_code::{CodeLogin, LogInByCode};
use super::by_password::{LogInByPassword, PasswordLogin};
use crate::credentials::{AccountName, Target, accepted, too_many_codes};
use crate::login::entry::{LoginAnswer, Wish};
use crate::{App, Origin, Refusal};

/// How often a login begins again because the account was changed under its hands.
const ATTEMPTS: usize = 3;

impl App {
    /// Logs an account in by one of its names and its password. An account that does not exist is refused as one with
    /// another password is, and after as long.
    #[boxed]
    pub async fn log_in_by_password(
        &self,
        application: &Arc<Application>,
        account: AccountName,
        password: SecretString,
        wish: Wish,
        origin: &Origin,
    ) -> Result<LoginAnswer, Refusal> {
        let (pool, Wish { want, custom_data }) = (&application.pool, wish.into());
        let brought = self.brought(pool, custom_data)?;
        for _ in 0..ATTEMPTS {
            let wish = (want.clone(), brought.clone());
            let entry = self.own_entry(application, "password", Method::Password, wish, origin);
            let trace = entry.ticket.trace.clone();
            let proved = self.prove_by_password(pool, &account, &password, "password", origin, trace).await?;
            let unit = LogInByPassword {
                user: proved.user.id,
                pool: pool.clone(),
                verified: proved.verified,
                rehash: proved.rehash,
                lock: proved.lock,
                ticket: entry.ticket.clone(),
            };
            match self.write(unit).await? {
                PasswordLogin::Login(outcome) => {
                    return self.conclude(application, &entry.ticket, entry.back, *outcome);
                }
                PasswordLogin::Locked => return Err(Code::Locked.into()),
                PasswordLogin::Changed => {}
            }
        }
        Err(Code::TooOften.because("changes of this account"))
    }

    /// Logs whoever is proved by a code in, or makes their account.
    #[boxed]
    pub async fn log_in_by_code(
        &self,
        application: &Arc<Application>,
        target: Target,
        code: &str,
        create: bool,
        wish: Wish,
        origin: &Origin,
    ) -> Result<LoginAnswer, Refusal> {
        let (pool, Wish { want, custom_data }) = (&application.pool, wish.into());
        let brought = self.brought(pool, custom_data)?;
        let method = match target.channel() {
            PasscodeChannel::Sms => Method::PhoneCode,
            PasscodeChannel::Email => Method::EmailCode,
        };
        let purposes = accepted::login(&want);
        let entry = self.own_entry(application, method.as_str(), method, (want, brought), origin);
        let unit = LogInByCode {
            pool: pool.clone(),
            guess: self.guess(pool, &target, code, purposes, origin),
            target,
            create,
            candidate: UserId::generate(self.now(), &*self.random),
            ticket: entry.ticket.clone(),
        };
        match self.write(unit).await? {
            CodeLogin::Login(outcome) => self.conclude(application, &entry.ticket, entry.back, *outcome),
            CodeLogin::WrongCode => Err(Code::WrongCode.into()),
            CodeLogin::TooOften => Err(too_many_codes()),
        }
    }
}
