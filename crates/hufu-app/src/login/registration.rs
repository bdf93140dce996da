//! Self-service registration.

pub(super) mod unit;

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::rates::{self, Limit};
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{
    Application, Email, Method, Phone, PoolId, Profile, RegistrationMethod, User, UserId, Username,
};
use secrecy::ExposeSecret as _;

use crate::address::network_of;
use crate::credentials::{Registration, Target, accepted, is_phone_number};
use crate::login::entry::LoginAnswer;
use crate::login::finish::CustomDataPatch;
use crate::people::profile::{Editor, ProfileChange, check_custom_data};
use crate::{App, Origin, Refusal};
use unit::{NamesTaken, Register, Registered};

impl App {
    /// Creates an account, and logs it in if `requested` says what to issue. The account is created even if
    /// the login has to wait for a step.
    #[boxed]
    pub async fn register(
        &self,
        application: &Arc<Application>,
        registration: Registration,
        requested: Option<RequestedTokens>,
        origin: &Origin,
    ) -> Result<(User, Option<LoginAnswer>), Refusal> {
        let pool = &application.pool;
        let settings = self.config().settings(pool);
        if !settings.registration {
            return Err(Code::RegistrationOff.into());
        }
        if let Some(requested) = &requested {
            Self::check_surface(application, requested)?;
        }
        check_offered(application, &registration)?;
        self.check_registration(pool, &registration)?;
        let Registration { username, email, phone, code, password, profile, custom_data } = registration;
        let proved = match (phone, code) {
            (Some(phone), Some(code)) => Some((Target::Phone(phone), code)),
            (Some(_), None) => return Err(Code::WrongCode.into()),
            (None, Some(code)) => email.clone().map(|email| (Target::Email(email), code)),
            (None, None) => None,
        };
        let unproved = email.filter(|_| !matches!(proved, Some((Target::Email(_), _))));
        if unproved.is_some() && !settings.register_email_without_code {
            return Err(Code::CodeNeeded.into());
        }
        let photo = profile.photo.as_deref().and_then(|photo| self.upload_of_photo(photo)).map(str::to_owned);
        let id = UserId::generate(self.now(), &*self.random);
        let by = match &proved {
            Some((Target::Phone(_), _)) => Method::PhoneCode,
            Some((Target::Email(_), _)) => Method::EmailCode,
            None => Method::Password,
        };
        let mut prepared = requested.map(|requested| {
            self.prepare_own_login(
                application,
                "register",
                by,
                (requested, CustomDataPatch::default()),
                origin,
            )
        });
        if let Some(prepared) = prepared.as_mut().filter(|_| password.is_some()) {
            // The password may queue, and a code lives for a minute.
            prepared.plan.answer = None;
        }
        let trace = match &prepared {
            Some(prepared) => prepared.plan.trace.clone(),
            None => self.trace(pool, None, Some(&application.id), None, origin),
        };
        let mut unit = Register {
            dry_run: false,
            user: User {
                username,
                profile,
                custom_data,
                ..User::new(pool.clone(), id, "register", trace.at)
            },
            password: None,
            limit: if proved.is_none() { self.registrations_of(pool, origin) } else { None },
            proved: proved.map(|(target, code)| {
                let guess = self.guess(pool, &target, &code, accepted::REGISTER, origin);
                (target, guess)
            }),
            unproved,
            guard: self.username_guard(pool, origin),
            photo,
            plan: prepared.as_ref().map(|prepared| prepared.plan.clone()),
            trace,
        };
        let is_proved = unit.proved.is_some();
        let made = match password {
            None => self.write(unit).await?,
            // The dry run counts the attempt and checks the code before the password is hashed, so that
            // nobody can make this node hash passwords for free.
            Some(password) => match self.write(Register { dry_run: true, ..unit.clone() }).await? {
                Registered::Possible => {
                    unit.password = Some(self.hash_password(password, origin.ip.as_deref()).await?);
                    unit.limit = None;
                    self.write(unit).await?
                }
                refused => refused,
            },
        };
        match made {
            Registered::Done(user, outcome) => match (prepared, outcome) {
                (Some(prepared), Some(outcome)) => {
                    let answer = self.conclude(application, &prepared.plan, prepared.secrets, *outcome)?;
                    Ok((*user, Some(answer)))
                }
                _ => Ok((*user, None)),
            },
            Registered::WrongCode => Err(Code::WrongCode.into()),
            Registered::TooOften if is_proved => Err(self.too_many_codes()),
            Registered::TooOften => {
                let wait = rates::wait(self.limits.registration_window, self.now());
                Err(Code::TooOften.retry_after(wait).because("registrations from this address"))
            }
            Registered::Taken(NamesTaken::Username) => Err(Code::UsernameTaken.into()),
            Registered::Taken(NamesTaken::Phone) => Err(Code::PhoneTaken.into()),
            Registered::Taken(NamesTaken::Email) => Err(Code::EmailTaken.into()),
            Registered::Taken(NamesTaken::UnprovedEmail) => Err(Code::AccountExists.into()),
            Registered::Taken(NamesTaken::UnusedEmail) => Err(Code::CodeNeeded.into()),
            // Only a dry run answers this, and it is handled above.
            Registered::Possible => Err(Code::StepImpossible.into()),
        }
    }

    fn registrations_of(&self, pool: &PoolId, origin: &Origin) -> Option<Limit> {
        let name = format!("registration:{pool}:{}", network_of(origin.ip.as_deref()?));
        Some(Limit { name, most: self.limits.registrations_per_ip, window: self.limits.registration_window })
    }

    fn check_registration(&self, pool: &PoolId, registration: &Registration) -> Result<(), Refusal> {
        let Registration { username, email, phone, code, password, profile, custom_data } = registration;
        if username.is_none() && email.is_none() && phone.is_none() {
            return Err(Refusal::invalid("username, email, phone", Reason::OneNeeded));
        }
        if username.as_ref().is_some_and(|name| is_phone_number(name.as_str())) {
            return Err(Refusal::invalid("username", Reason::UsernameIsPhone));
        }
        let has_code = code.is_some() && (phone.is_some() || email.is_some());
        if password.is_none() && !has_code {
            return Err(Refusal::invalid("password", Reason::Missing));
        }
        if let Some(password) = password {
            let names = [
                username.as_ref().map(Username::as_str),
                email.as_ref().map(Email::as_str),
                phone.as_ref().map(Phone::as_str),
                profile.name.as_deref(),
                profile.nickname.as_deref(),
            ];
            let names: Vec<_> = names.into_iter().flatten().collect();
            self.check_new_password(pool, password.expose_secret(), &names)?;
        }
        let max = self.limits.custom_keys;
        if custom_data.len() > max {
            return Err(Refusal::invalid("customData", Reason::TooManyKeys { max }));
        }
        let size = serde_json::to_string(custom_data).map_err(Refusal::internal)?.len();
        let max = self.limits.custom_total;
        if size > max {
            return Err(Refusal::invalid("customData", Reason::TooMuchData { max }));
        }
        check_custom_data(&self.config().settings(pool), custom_data, Editor::Person)?;
        let fields = Profile::FIELDS.iter().map(|name| (*name, profile.field(name).map(str::to_owned)));
        self.check_change(&ProfileChange {
            fields: fields.filter(|(_, value)| value.is_some()).collect(),
            gender: profile.gender,
            custom_data: custom_data.clone(),
        })
    }
}

/// Refuses a way of registering that the application does not offer. Whoever has neither phone number nor address needs
/// a password, so that counts as one with a password. An address with both code and password is either way: the pool may
/// ask for the code.
fn check_offered(application: &Application, registration: &Registration) -> Result<(), Refusal> {
    let Registration { phone, email, code, password, .. } = registration;
    let offers = |way| application.login.ways_to_register().contains(&way);
    let way = match (phone, email, code) {
        (Some(_), _, _) => RegistrationMethod::PhoneCode,
        (None, Some(_), Some(_)) if password.is_none() || !offers(RegistrationMethod::EmailPassword) => {
            RegistrationMethod::EmailCode
        }
        (None, _, _) => RegistrationMethod::EmailPassword,
    };
    if offers(way) {
        return Ok(());
    }
    Err(Code::LoginMethodOff.with("method", way.as_str()))
}
