//! Binding, changing and unbinding phone numbers and e-mail addresses. To bind or change one, the login must be
//! recent.

pub mod unit;

use async_recursion::async_recursion as boxed;
use hufu_store::step_tokens::{self, GetStepToken, NewStepToken, StepPurpose};
use hufu_types::refusal::Code;
use hufu_types::{
    Action, Connection, Email, OpaqueToken, PasscodeChannel, Phone, TokenHash, TokenPurpose, User,
};
use serde::{Deserialize, Serialize};

use super::{StepToken, Target, accepted};
use crate::digest::hash_token;
use crate::people::ways_in::RecentLogin;
use crate::refusal::login_too_old;
use crate::{App, Authenticated, Refusal};
use unit::{ChangeContact, ContactOutcome, NextStep, OldContact, Proof, UnbindContact, Unbound};

/// The content of a step token: what the first step of a change proved.
#[derive(Serialize, Deserialize)]
struct Change {
    new: String,
    /// The verified contact that the account had at that time.
    old: Option<String>,
}

impl App {
    /// Binds a phone number, proved by a code, to an account that has none.
    #[boxed]
    pub async fn bind_phone(&self, who: &Authenticated, phone: Phone, code: &str) -> Result<User, Refusal> {
        self.bind(who, Target::Phone(phone), code).await
    }

    /// Binds an e-mail address, proved by a code, to an account that has none, or verifies the present one.
    #[boxed]
    pub async fn bind_email(&self, who: &Authenticated, email: Email, code: &str) -> Result<User, Refusal> {
        self.bind(who, Target::Email(email), code).await
    }

    /// Unbinds the phone number, unless it is the last way to log in. If the pool requires proof of the old
    /// number and the number is verified, the login must be recent.
    #[boxed]
    pub async fn unbind_phone(&self, who: &Authenticated) -> Result<User, Refusal> {
        self.unbind(who, PasscodeChannel::Sms).await
    }

    /// Unbinds the e-mail address, unless it is the last way to log in. If the pool requires proof of the old
    /// address and the address is verified, the login must be recent.
    #[boxed]
    pub async fn unbind_email(&self, who: &Authenticated) -> Result<User, Refusal> {
        self.unbind(who, PasscodeChannel::Email).await
    }

    /// Changes the phone number. If the pool requires it, the old one must be proved by a code too.
    #[boxed]
    pub async fn change_phone(
        &self,
        who: &Authenticated,
        new: Phone,
        new_code: &str,
        old: Option<(Phone, String)>,
    ) -> Result<User, Refusal> {
        let old = old.map(|(phone, code)| (Target::Phone(phone), code));
        self.change(who, Target::Phone(new), new_code, old).await
    }

    /// Changes the e-mail address. If the pool requires it, the old one must be proved by a code too.
    #[boxed]
    pub async fn change_email(
        &self,
        who: &Authenticated,
        new: Email,
        new_code: &str,
        old: Option<(Email, String)>,
    ) -> Result<User, Refusal> {
        let old = old.map(|(email, code)| (Target::Email(email), code));
        self.change(who, Target::Email(new), new_code, old).await
    }

    /// Sets the phone number that WeChat confirms by a code of a mini program's phone button. If the account has a verified
    /// number and the pool requires proof of it, it cannot be replaced in this way.
    ///
    /// # Errors
    /// [`Code::PhoneCodeInvalid`] also if it is not the number that is `named`.
    #[boxed]
    pub async fn set_phone_by_wechat(
        &self,
        who: &Authenticated,
        connection: &Connection,
        code: &str,
        named: Option<&Phone>,
    ) -> Result<User, Refusal> {
        // Before the code is spent.
        self.recent_login_for_contact(who, PasscodeChannel::Sms).await?;
        let ip = who.origin.ip.as_deref();
        let confirmed = self.phone_by_code(&who.application, connection, code, ip).await?;
        let phone = Phone::from_parts(&confirmed.country_code, &confirmed.pure_phone_number);
        let phone = phone.map_err(|_| Code::PhoneMalformed)?;
        if named.is_some_and(|named| *named != phone) {
            return Err(Code::PhoneCodeInvalid.because("the code is for another number"));
        }
        let old = self.old(who, PasscodeChannel::Sms, None);
        self.set_contact(who, Target::Phone(phone), Proof::Wechat, old).await
    }

    /// The first step of a two-step change.
    #[boxed]
    pub async fn request_phone_change(
        &self,
        who: &Authenticated,
        new: Phone,
        new_code: &str,
        old: Option<(Phone, String)>,
    ) -> Result<StepToken, Refusal> {
        let old = old.map(|(phone, code)| (Target::Phone(phone), code));
        self.request_change(who, Target::Phone(new), new_code, old, StepPurpose::ChangePhone).await
    }

    /// The first step of a two-step change.
    #[boxed]
    pub async fn request_email_change(
        &self,
        who: &Authenticated,
        new: Email,
        new_code: &str,
        old: Option<(Email, String)>,
    ) -> Result<StepToken, Refusal> {
        let old = old.map(|(email, code)| (Target::Email(email), code));
        self.request_change(who, Target::Email(new), new_code, old, StepPurpose::ChangeEmail).await
    }

    /// The second step of a two-step change.
    #[boxed]
    pub async fn change_phone_by_token(&self, who: &Authenticated, token: &str) -> Result<User, Refusal> {
        self.change_by_token(who, token, StepPurpose::ChangePhone).await
    }

    /// The second step of a two-step change.
    #[boxed]
    pub async fn change_email_by_token(&self, who: &Authenticated, token: &str) -> Result<User, Refusal> {
        self.change_by_token(who, token, StepPurpose::ChangeEmail).await
    }

    async fn bind(&self, who: &Authenticated, new: Target, code: &str) -> Result<User, Refusal> {
        let guess = self.guess(who.pool(), &new, code, accepted::BIND, &who.origin);
        self.set_contact(who, new, Proof::Code(guess), OldContact::Absent).await
    }

    async fn change(
        &self,
        who: &Authenticated,
        new: Target,
        code: &str,
        old: Option<(Target, String)>,
    ) -> Result<User, Refusal> {
        let guess = self.guess(who.pool(), &new, code, accepted::CHANGE_TO, &who.origin);
        let old = self.old(who, new.channel(), old);
        self.set_contact(who, new, Proof::Code(guess), old).await
    }

    async fn request_change(
        &self,
        who: &Authenticated,
        new: Target,
        code: &str,
        old: Option<(Target, String)>,
        purpose: StepPurpose,
    ) -> Result<StepToken, Refusal> {
        let recent = self.recent_login_for_contact(who, new.channel()).await?;
        let present = self.user(who).await?;
        let present = match new {
            Target::Phone(_) => present.vouched_phone().map(|phone| phone.as_str().to_owned()),
            Target::Email(_) => present.vouched_email().map(|email| email.as_str().to_owned()),
        };
        let change = Change { new: new.as_str().to_owned(), old: present };
        let content = serde_json::to_vec(&change).map_err(Refusal::internal)?;
        let (token, new_token) = self.new_step_token(purpose, &content);
        let unit = ChangeContact {
            pool: who.pool().clone(),
            user: who.user.clone(),
            proof: Proof::Code(self.guess(who.pool(), &new, code, accepted::CHANGE_TO, &who.origin)),
            old: self.old(who, new.channel(), old),
            new,
            next: NextStep::Issue(new_token),
            recent,
            trace: self.trace_of(who),
        };
        let channel = unit.new.channel();
        match self.write(unit).await? {
            ContactOutcome::Issued => Ok(token),
            outcome => self.contact_refusal(&outcome, channel),
        }
    }

    async fn change_by_token(
        &self,
        who: &Authenticated,
        token: &str,
        purpose: StepPurpose,
    ) -> Result<User, Refusal> {
        let presented = self.presented_step(who, token, purpose);
        let sealed = self.read(GetStepToken(presented.clone())).await?.ok_or(Code::StepTokenInvalid)?;
        let opened = self.sealing.open(&step_context(&presented.hash), &sealed).map_err(Refusal::internal)?;
        let change: Change = serde_json::from_slice(opened.expose()).map_err(Refusal::internal)?;
        let read = |text: &str| match purpose {
            StepPurpose::ChangeEmail => Email::parse(text).map(Target::Email),
            _ => Phone::parse(text).map(Target::Phone),
        };
        let new = read(&change.new).map_err(Refusal::internal)?;
        let old = change.old.as_deref().map(read).transpose().map_err(Refusal::internal)?;
        self.set_contact(who, new, Proof::Token(presented), OldContact::Unchanged(old)).await
    }

    async fn set_contact(
        &self,
        who: &Authenticated,
        new: Target,
        proof: Proof,
        old: OldContact,
    ) -> Result<User, Refusal> {
        let channel = new.channel();
        let recent = self.recent_login_for_contact(who, channel).await?;
        let unit = ChangeContact {
            pool: who.pool().clone(),
            user: who.user.clone(),
            new,
            proof,
            old,
            next: NextStep::Set,
            recent,
            trace: self.trace_of(who),
        };
        match self.write(unit).await? {
            ContactOutcome::Done(user) => Ok(*user),
            outcome => self.contact_refusal(&outcome, channel),
        }
    }

    /// A new number or address can be used to reset the password, or to have the other one removed. So a
    /// stolen login alone must not be enough to set one, even with a code that was sent to the old one.
    async fn recent_login_for_contact(
        &self,
        who: &Authenticated,
        channel: PasscodeChannel,
    ) -> Result<RecentLogin, Refusal> {
        let action = match channel {
            PasscodeChannel::Sms => Action::PhoneBound,
            PasscodeChannel::Email => Action::EmailBound,
        };
        self.require_recent_login_for(who, action).await
    }

    /// What the pool requires about the present number or address.
    fn old(
        &self,
        who: &Authenticated,
        channel: PasscodeChannel,
        old: Option<(Target, String)>,
    ) -> OldContact {
        if !self.requires_old_proof(who, channel) {
            return OldContact::Any;
        }
        OldContact::Proved(old.map(|(target, code)| {
            let guess = self.guess(who.pool(), &target, &code, accepted::CHANGE_FROM, &who.origin);
            (target, guess)
        }))
    }

    /// Whether the pool requires proof of the present number or address before it is changed or removed.
    fn requires_old_proof(&self, who: &Authenticated, channel: PasscodeChannel) -> bool {
        let settings = self.config().settings(who.pool());
        match channel {
            PasscodeChannel::Sms => settings.verify_old_phone,
            PasscodeChannel::Email => settings.verify_old_email,
        }
    }

    async fn unbind(&self, who: &Authenticated, channel: PasscodeChannel) -> Result<User, Refusal> {
        let unit = UnbindContact {
            pool: who.pool().clone(),
            user: who.user.clone(),
            channel,
            // Clients send no proof with this request, so a recent login has to do.
            may_be_vouched: !self.requires_old_proof(who, channel) || self.require_recent_login(who).is_ok(),
            trace: self.trace_of(who),
        };
        match self.write(unit).await? {
            Unbound::Done(user) => Ok(*user),
            Unbound::NotBound => Err(Code::NotBound.into()),
            Unbound::LastWayIn => Err(Code::LastWayIn.into()),
            Unbound::LoginTooOld => Err(login_too_old(self.limits.recent_login)),
            Unbound::Gone => Err(Code::NotLoggedIn.into()),
        }
    }

    fn contact_refusal<T>(&self, outcome: &ContactOutcome, channel: PasscodeChannel) -> Result<T, Refusal> {
        let either = |phone: Code, email: Code| match channel {
            PasscodeChannel::Sms => phone.into(),
            PasscodeChannel::Email => email.into(),
        };
        Err(match outcome {
            ContactOutcome::WrongCode => Code::WrongCode.into(),
            ContactOutcome::TooOften => self.too_many_codes(),
            ContactOutcome::Taken => either(Code::PhoneTaken, Code::EmailTaken),
            ContactOutcome::HasOne => either(Code::HasPhone, Code::HasEmail),
            ContactOutcome::OldMismatch => either(Code::OldPhoneMismatch, Code::OldEmailMismatch),
            ContactOutcome::TokenInvalid => Code::StepTokenInvalid.into(),
            // `Done` and `Issued` are not refusals; callers handle them.
            ContactOutcome::Gone | ContactOutcome::Done(_) | ContactOutcome::Issued => {
                Code::NotLoggedIn.into()
            }
        })
    }

    /// A new token for the second step: the form for the client and the form for the database.
    pub(crate) fn new_step_token(&self, purpose: StepPurpose, content: &[u8]) -> (StepToken, NewStepToken) {
        let token = OpaqueToken::generate(TokenPurpose::Step, &*self.random);
        let hash = hash_token(token.expose());
        let new = NewStepToken {
            sealed: self.sealing.seal(&*self.random, &step_context(&hash), content),
            hash,
            purpose,
            expires_at: self.now().plus(self.limits.step_token_life),
        };
        (StepToken { token, expires_in: self.limits.step_token_life.as_secs() }, new)
    }

    /// A token that a user presents.
    pub(crate) fn presented_step(
        &self,
        who: &Authenticated,
        token: &str,
        purpose: StepPurpose,
    ) -> step_tokens::Presented {
        step_tokens::Presented {
            pool: who.pool().clone(),
            user: who.user.clone(),
            hash: hash_token(token),
            purpose,
            now: self.now(),
        }
    }
}

/// The sealing context of a token's content.
fn step_context(hash: &TokenHash) -> String {
    format!("step_token:{}", hex::encode(hash.as_bytes()))
}
