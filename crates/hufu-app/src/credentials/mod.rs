//! What people prove themselves with: passwords, and codes sent by SMS and e-mail; and how they change
//! what they log in with.
//!
//! Reading order: the types here, `messages` (sending codes), `password`, `contact`. Passwords are hashed and
//! verified outside any unit of work.
//!
//! No answer and no timing tells whether an account exists, unless the pool says so (`tell_existence`) or what is
//! asked about was proved. A registration that is refused for a name tells it nevertheless: usernames are public,
//! and an e-mail address that needs no code (`register_email_without_code`) cannot be hidden.

pub mod contact;
pub mod guess;
pub mod locks;
mod messages;
pub mod password;

use async_recursion::async_recursion as boxed;
use hufu_store::passcodes::Addressed;
use hufu_store::rates::{Hit, Limit};
use hufu_types::refusal::Code;
use hufu_types::{
    Application, Email, OpaqueToken, PasscodePurpose, Phone, PoolId, Profile, TokenHash, Username,
};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::address::network_of;
use crate::{App, Origin, Refusal};
use guess::{Guess, Presented};
use locks::{FindAccount, LockRule, Name};

pub use hufu_store::passcodes::Target;
pub(crate) use messages::MESSAGE_JOB;
pub(crate) use password::change::names_of;

/// The purposes for which a code is accepted. Codes of the older clients say none ([`PasscodePurpose::General`]);
/// they never unlock or delete an account.
pub(crate) mod accepted {
    use hufu_types::flow::RequestedTokens;

    use super::PasscodePurpose::{
        self, Bind, Change, DeleteAccount, General, Login, Register, ResetPassword, Unbind, Unlock, Verify,
    };

    /// Only the older clients' codes say no purpose.
    pub(crate) const fn login(requested: &RequestedTokens) -> &'static [PasscodePurpose] {
        match requested {
            RequestedTokens::UserToken => &[Login, General],
            RequestedTokens::TokenSet(_) | RequestedTokens::Authorization(_) => &[Login],
        }
    }
    pub(crate) const REGISTER: &[PasscodePurpose] = &[Register, General];
    pub(crate) const RESET: &[PasscodePurpose] = &[ResetPassword, General];
    pub(crate) const UNLOCK: &[PasscodePurpose] = &[Unlock];
    /// The older clients know no purpose for binding an e-mail address.
    pub(crate) const BIND: &[PasscodePurpose] = &[Bind, Change, Verify, General];
    pub(crate) const CHANGE_TO: &[PasscodePurpose] = &[Change, Bind, Verify, General];
    pub(crate) const CHANGE_FROM: &[PasscodePurpose] = &[Change, Unbind, General];
    pub(crate) const DELETE: &[PasscodePurpose] = &[DeleteAccount];
}

/// What an account is called by, as it was typed. What has not the form of such a name is an account that does not exist.
#[derive(Clone, Debug)]
pub enum AccountName {
    /// A username.
    Username(String),
    /// An e-mail address.
    Email(String),
    /// A phone number.
    Phone(Phone),
    /// Whatever the person calls themselves.
    Any(String),
    /// The id in the owner's original system: nobody logs in with it.
    ExternalId(String),
}

/// A new account.
#[derive(Clone, Default)]
pub struct Registration {
    /// Its username.
    pub username: Option<Username>,
    /// Its e-mail address.
    pub email: Option<Email>,
    /// Its phone number, which needs the code.
    pub phone: Option<Phone>,
    /// What proves the phone number, else the e-mail address.
    pub code: Option<String>,
    /// Its password.
    pub password: Option<SecretString>,
    /// What the person says of themselves.
    pub profile: Profile,
    /// What the application keeps with them.
    pub custom_data: Map<String, Value>,
}

/// What leads from the first step of a change to the second.
#[derive(Clone, Debug)]
pub struct StepToken {
    /// The token.
    pub token: OpaqueToken,
    /// For how many seconds it is good.
    pub expires_in: u64,
}

/// How somebody proves themselves before something that matters.
#[derive(Clone)]
pub enum Confirmation {
    /// By a code sent to their own phone number or e-mail address.
    Code {
        /// Where it was sent to.
        target: Target,
        /// The code.
        code: String,
    },
    /// By their password.
    Password(SecretString),
}

impl AccountName {
    /// The names that it may be, in the order in which they are looked up; none where it has no form of a name.
    pub(crate) fn names(&self) -> Vec<Name> {
        let username = |text: &str| Username::parse(text).ok().map(Name::Username);
        let email = |text: &str| Email::parse(text).ok().map(Name::Email);
        match self {
            Self::Username(text) => username(text).into_iter().collect(),
            Self::Email(text) => email(text).into_iter().collect(),
            Self::Phone(phone) => vec![Name::Phone(phone.clone())],
            Self::Any(text) if text.contains('@') => email(text).into_iter().collect(),
            // The phone number first: nobody takes another's number away by calling themselves so.
            Self::Any(text) => phone_in(text).map(Name::Phone).into_iter().chain(username(text)).collect(),
            Self::ExternalId(id) => vec![Name::ExternalId(id.clone())],
        }
    }

    /// What was typed, with what it was to be: of a text that may be no name.
    fn typed(&self) -> (&'static str, &str) {
        match self {
            Self::Username(text) => ("no username", text),
            Self::Email(text) => ("no email", text),
            Self::Phone(phone) => ("no phone", phone.as_str()),
            Self::Any(text) => ("no name", text),
            Self::ExternalId(text) => ("no external id", text),
        }
    }
}

/// Whether a text would be read as a phone number of somebody: an international one, or a Chinese mobile number.
/// A username may not be one.
pub(crate) fn is_phone_number(text: &str) -> bool {
    let is_mobile = |phone: &Phone| {
        let (country, number) = phone.parts();
        country == "+86" && number.len() == 11 && number.starts_with('1')
    };
    phone_in(text).is_some_and(|phone| text.trim().starts_with('+') || is_mobile(&phone))
}

/// The phone number that a text is; without a country code it is a Chinese one.
fn phone_in(text: &str) -> Option<Phone> {
    let text = text.trim();
    let digits = !text.is_empty() && text.chars().all(|c| matches!(c, '0'..='9' | ' ' | '-'));
    if digits { Phone::from_parts("86", text) } else { Phone::parse(text) }.ok()
}

impl App {
    /// Where a code was sent to, as the database knows it.
    fn addressed(&self, pool: &PoolId, target: &Target) -> Addressed {
        let channel = target.channel();
        let text = format!("{pool}\0{}\0{}", channel.as_str(), target.as_str());
        Addressed { channel, target: TokenHash(self.sealing.mac("passcode:target", text.as_bytes())) }
    }

    /// A code, as the database knows it.
    fn code_hash(&self, pool: &PoolId, target: &Target, code: &str) -> TokenHash {
        let text = format!("{pool}\0{}\0{}\0{code}", target.channel().as_str(), target.as_str());
        TokenHash(self.sealing.mac("passcode:code", text.as_bytes()))
    }

    /// A code that somebody presents.
    pub(crate) fn presented(
        &self,
        pool: &PoolId,
        target: &Target,
        code: &str,
        purposes: &'static [PasscodePurpose],
    ) -> Presented {
        Presented {
            to: self.addressed(pool, target),
            code: self.code_hash(pool, target, code.trim()),
            purposes,
            max_tries: self.limits.passcode_tries,
        }
    }

    /// A code that somebody presents, with the bucket of wrong ones.
    pub(crate) fn guess(
        &self,
        pool: &PoolId,
        target: &Target,
        code: &str,
        purposes: &'static [PasscodePurpose],
        origin: &Origin,
    ) -> Guess {
        let code = self.presented(pool, target, code, purposes);
        Guess { code, guard: self.guard("wrong_code", pool, origin) }
    }

    /// The bucket in which wrong guesses of an address are counted.
    pub(crate) fn guard(&self, what: &str, pool: &PoolId, origin: &Origin) -> Option<Limit> {
        let network = network_of(origin.ip.as_deref()?);
        let name = format!("{what}:{pool}:{network}");
        Some(Limit { name, most: self.limits.guesses_per_ip, window: self.limits.guess_window })
    }

    /// When a name is locked.
    pub(crate) fn lock_rule(&self) -> LockRule {
        LockRule { most: self.limits.password_failures, window: self.limits.password_window }
    }

    /// The bucket of wrong passwords for what was typed, where it is nobody's: of the name that it is looked up as
    /// first, so that all ways to write the same have one, and what is not looked up has none of theirs.
    pub(crate) fn unknown_bucket(&self, pool: &PoolId, account: &AccountName) -> String {
        let names = account.names();
        let (kind, text) = match names.first() {
            Some(Name::Username(name)) => ("username", name.as_str()),
            Some(Name::Email(email)) => ("email", email.as_str()),
            Some(Name::Phone(phone)) => ("phone", phone.as_str()),
            Some(Name::ExternalId(id)) => ("external id", id.as_str()),
            None => account.typed(),
        };
        self.unknown_name_bucket(pool, kind, text)
    }

    /// A bucket that does not tell the database what was typed.
    fn unknown_name_bucket(&self, pool: &PoolId, kind: &str, text: &str) -> String {
        let hash = self.sealing.mac("password:name", format!("{pool}\0{kind}\0{text}").as_bytes());
        format!("password:{pool}:-{}", hex::encode(hash))
    }

    /// Whether somebody has this name, where the pool tells. An address asks only so often, so that nobody finds out
    /// who has an account by going through all names.
    #[boxed]
    pub async fn user_exists(
        &self,
        application: &Application,
        name: AccountName,
        origin: &Origin,
    ) -> Result<bool, Refusal> {
        let pool = &application.pool;
        if !self.config().settings(pool).tell_existence {
            return Err(Code::ExistenceHidden.into());
        }
        if let Some(Limit { name, most, window }) = self.guard("existence", pool, origin) {
            let hits = self.write(Hit { name, amount: 1, window, now: self.now() }).await?;
            if hits > most {
                return Err(Code::TooOften.because("questions whether accounts exist, from this address"));
            }
        }
        let unit = FindAccount {
            pool: pool.clone(),
            names: name.names(),
            unknown: String::new(),
            lock: self.lock_rule(),
            guard: None,
            now: self.now(),
        };
        Ok(self.read(unit).await?.user.is_some())
    }
}

/// What is said where too many wrong codes came from an address.
pub(crate) fn too_many_codes() -> Refusal {
    Code::TooOften.because("wrong codes from this address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_account_is_called_by() {
        let phone = |text| Name::Phone(Phone::parse(text).unwrap());
        let username = |text| Name::Username(Username::parse(text).unwrap());
        for (text, names) in [
            ("alice", vec![username("alice")]),
            ("Bob@Example.com", vec![Name::Email(Email::parse("bob@example.com").unwrap())]),
            ("bob@", vec![]),
            ("13800000000", vec![phone("+8613800000000"), username("13800000000")]),
            ("+1 202 555 0123", vec![phone("+12025550123"), username("+1 202 555 0123")]),
            ("", vec![]),
        ] {
            assert_eq!(AccountName::Any(text.to_owned()).names(), names, "{text}");
        }
        assert_eq!(AccountName::Username("a@b".to_owned()).names(), []);
    }

    #[test]
    fn what_no_username_may_be() {
        for number in
            ["13800000000", "138-0000-0000", "+8613800000000", "+1 202 555 0123", "+44 20 7946 0018"]
        {
            assert!(is_phone_number(number), "{number}");
        }
        for name in ["alice", "10086", "12345678", "20240115001", "1380000000", "bob+1", ""] {
            assert!(!is_phone_number(name), "{name}");
        }
    }
}
