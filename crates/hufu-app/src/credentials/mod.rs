//! What users prove their identity with: passwords, and codes sent by SMS and e-mail. Also how they change
//! what they log in with.
//!
//! Reading order: the types here, `messages` (sending codes), `password`, `contact`. Passwords are hashed and
//! verified outside any unit of work.
//!
//! Neither responses nor timing reveal whether an account exists, unless the pool allows it
//! (`tell_existence`) or the client has proved the name it asks about. The exception is a registration
//! refused because a name is taken: usernames are public, and an e-mail address that needs no code
//! (`register_email_without_code`) cannot be hidden.

pub mod contact;
pub mod guess;
pub mod locks;
pub(crate) mod messages;
pub mod password;

use async_recursion::async_recursion as boxed;
use hufu_store::passcodes::Addressed;
use hufu_store::rates::{self, Hit, Limit};
use hufu_types::refusal::Code;
use hufu_types::{
    Application, Email, OpaqueToken, PasscodePurpose, Phone, PoolId, Profile, TokenHash, Username,
};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::address::network_of;
use crate::{App, Origin, Refusal};
use guess::{Guess, Presented};
use locks::{FindAccount, LockRule, Name, Network};

pub use hufu_store::passcodes::Target;
pub(crate) use messages::MESSAGE_JOB;
pub(crate) use password::change::names_of;

/// The purposes for which a code is accepted. Codes requested by older clients have no purpose
/// ([`PasscodePurpose::General`]); they never unlock or delete an account.
pub(crate) mod accepted {
    use hufu_types::flow::RequestedTokens;

    use super::PasscodePurpose::{
        self, Bind, Change, DeleteAccount, General, Login, Register, ResetPassword, Unbind, Unlock, Verify,
    };

    /// Only older clients, which request user tokens, use codes without a purpose.
    pub(crate) const fn login(requested: &RequestedTokens) -> &'static [PasscodePurpose] {
        match requested {
            RequestedTokens::UserToken => &[Login, General],
            RequestedTokens::TokenSet(_) | RequestedTokens::Authorization(_) => &[Login],
        }
    }
    pub(crate) const REGISTER: &[PasscodePurpose] = &[Register, General];
    pub(crate) const RESET: &[PasscodePurpose] = &[ResetPassword, General];
    pub(crate) const UNLOCK: &[PasscodePurpose] = &[Unlock];
    /// Older clients know no purpose for binding an e-mail address.
    pub(crate) const BIND: &[PasscodePurpose] = &[Bind, Change, Verify, General];
    pub(crate) const CHANGE_TO: &[PasscodePurpose] = &[Change, Bind, Verify, General];
    pub(crate) const CHANGE_FROM: &[PasscodePurpose] = &[Change, Unbind, General];
    pub(crate) const DELETE: &[PasscodePurpose] = &[DeleteAccount];
}

/// The name of an account as typed. Text that is not a valid name of its kind is treated as a nonexistent
/// account.
#[derive(Clone, Debug)]
pub enum AccountName {
    /// A username.
    Username(String),
    /// An e-mail address.
    Email(String),
    /// A phone number.
    Phone(Phone),
    /// Any of username, e-mail address or phone number.
    Any(String),
    /// The user's id in the operator's original system. It cannot be used to log in.
    ExternalId(String),
}

/// A request to register an account.
#[derive(Clone, Default)]
pub struct Registration {
    /// Its username.
    pub username: Option<Username>,
    /// Its e-mail address.
    pub email: Option<Email>,
    /// Its phone number, which must be proved by the code.
    pub phone: Option<Phone>,
    /// Proves the phone number or, if there is none, the e-mail address.
    pub code: Option<String>,
    /// Its password.
    pub password: Option<SecretString>,
    /// Its profile.
    pub profile: Profile,
    /// Custom data that the application stores with it.
    pub custom_data: Map<String, Value>,
}

/// The token that leads from the first step of a change to the second.
#[derive(Clone, Debug)]
pub struct StepToken {
    /// The token.
    pub token: OpaqueToken,
    /// Its lifetime in seconds.
    pub expires_in: u64,
}

/// How a user confirms their identity before a sensitive operation.
#[derive(Clone)]
pub enum Confirmation {
    /// With a code sent to their own phone number or e-mail address.
    Code {
        /// The phone number or e-mail address that it was sent to.
        target: Target,
        /// The code.
        code: String,
    },
    /// With their password.
    Password(SecretString),
}

impl AccountName {
    /// The name that a text has the form of: an e-mail address, a phone number, otherwise a username.
    pub fn of_form(text: &str) -> Self {
        let phone = Some(text).filter(|text| is_phone_number(text)).and_then(phone_in);
        match phone {
            Some(phone) => Self::Phone(phone),
            None if text.contains('@') => Self::Email(text.to_owned()),
            None => Self::Username(text.to_owned()),
        }
    }

    /// The names it may stand for, in the order in which they are looked up. Empty if it is not a valid name.
    pub(crate) fn names(&self) -> Vec<Name> {
        let username = |text: &str| Username::parse(text).ok().map(Name::Username);
        let email = |text: &str| Email::parse(text).ok().map(Name::Email);
        match self {
            Self::Username(text) => username(text).into_iter().collect(),
            Self::Email(text) => email(text).into_iter().collect(),
            Self::Phone(phone) => vec![Name::Phone(phone.clone())],
            Self::Any(text) if text.contains('@') => email(text).into_iter().collect(),
            // The phone number first: nobody can hijack another person's number by choosing it as a username.
            Self::Any(text) => phone_in(text).map(Name::Phone).into_iter().chain(username(text)).collect(),
            Self::ExternalId(id) => vec![Name::ExternalId(id.clone())],
        }
    }

    /// The typed text, labelled with its kind, for text that is not a valid name.
    pub(crate) fn typed(&self) -> (&'static str, &str) {
        match self {
            Self::Username(text) => ("no username", text),
            Self::Email(text) => ("no email", text),
            Self::Phone(phone) => ("no phone", phone.as_str()),
            Self::Any(text) => ("no name", text),
            Self::ExternalId(text) => ("no external id", text),
        }
    }
}

/// Whether a text would be read as a phone number: an international one, or a Chinese mobile number.
/// Usernames must not look like one.
pub(crate) fn is_phone_number(text: &str) -> bool {
    let is_mobile = |phone: &Phone| {
        let (country, number) = phone.parts();
        country == "+86" && number.len() == 11 && number.starts_with('1')
    };
    phone_in(text).is_some_and(|phone| text.trim().starts_with('+') || is_mobile(&phone))
}

/// Parses a text as a phone number. Without a country code, it is read as a Chinese one.
fn phone_in(text: &str) -> Option<Phone> {
    let text = text.trim();
    let digits = !text.is_empty() && text.chars().all(|c| matches!(c, '0'..='9' | ' ' | '-'));
    if digits { Phone::from_parts("86", text) } else { Phone::parse(text) }.ok()
}

impl App {
    /// The recipient of a code, hashed as in the database.
    fn addressed(&self, pool: &PoolId, target: &Target) -> Addressed {
        let channel = target.channel();
        let text = format!("{pool}\0{}\0{}", channel.as_str(), target.as_str());
        Addressed { channel, target: TokenHash(self.sealing.mac("passcode:target", text.as_bytes())) }
    }

    /// The keyed hash of a code, as in the database.
    fn code_hash(&self, pool: &PoolId, target: &Target, code: &str) -> TokenHash {
        let text = format!("{pool}\0{}\0{}\0{code}", target.channel().as_str(), target.as_str());
        TokenHash(self.sealing.mac("passcode:code", text.as_bytes()))
    }

    /// A code presented by a client.
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

    /// A code presented by a client, with the bucket for wrong codes.
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

    /// The network that tries passwords, with its bucket for wrong ones.
    pub(crate) fn network(&self, what: &str, pool: &PoolId, origin: &Origin) -> Option<Network> {
        let guard = self.guard(what, pool, origin)?;
        let text = format!("{pool}\0{}", network_of(origin.ip.as_deref()?));
        Some(Network { name: hex::encode(self.sealing.mac("password:network", text.as_bytes())), guard })
    }

    /// The bucket that counts wrong guesses from this address.
    pub(crate) fn guard(&self, what: &str, pool: &PoolId, origin: &Origin) -> Option<Limit> {
        let network = network_of(origin.ip.as_deref()?);
        let name = format!("{what}:{pool}:{network}");
        Some(Limit { name, most: self.limits.guesses_per_ip, window: self.limits.guess_window })
    }

    /// When a name is locked.
    pub(crate) fn lock_rule(&self) -> LockRule {
        LockRule { most: self.limits.password_failures, window: self.limits.password_window }
    }

    /// The bucket for wrong passwords if the typed name belongs to nobody. It is derived from the parsed name
    /// that is looked up first, so that all spellings of a name share one bucket. Text that is not a valid
    /// name gets a bucket of its own kind.
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

    /// A bucket name that does not reveal the typed text to the database.
    fn unknown_name_bucket(&self, pool: &PoolId, kind: &str, text: &str) -> String {
        let hash = self.sealing.mac("password:name", format!("{pool}\0{kind}\0{text}").as_bytes());
        format!("password:{pool}:-{}", hex::encode(hash))
    }

    /// Whether an account has this name, if the pool reveals that. Queries per address are limited, so that
    /// nobody can enumerate all names.
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
                let wait = rates::wait(window, self.now());
                return Err(Code::TooOften
                    .retry_after(wait)
                    .because("questions whether accounts exist, from this address"));
            }
        }
        let unit = FindAccount {
            pool: pool.clone(),
            names: name.names(),
            unknown: String::new(),
            lock: self.lock_rule(),
            network: None,
        };
        Ok(self.read(unit).await?.user.is_some())
    }

    /// The refusal after too many wrong codes from one address.
    pub(crate) fn too_many_codes(&self) -> Refusal {
        let wait = rates::wait(self.limits.guess_window, self.now());
        Code::TooOften.retry_after(wait).because("wrong codes from this address")
    }
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
