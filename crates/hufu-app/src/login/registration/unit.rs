//! The unit of work behind self-service registration.

use hufu_store::passcodes::Target;
use hufu_store::rates::Limit;
use hufu_store::{StoreError, Tx, Write, sign_ups, users};
use hufu_types::{Email, PhoneProof, PoolId, User};
use serde_json::json;

use crate::credentials::guess::{CodeCheck, Guess};
use crate::events::Trace;
use crate::login::finish::{self, LoginOutcome, LoginPlan, LoginProgress};
use crate::people::accounts::{self, NewAccount};
use crate::people::holders::{holder, is_vouched};

/// Creates an account, and logs it in if requested.
#[derive(Clone)]
pub struct Register {
    /// Only checks whether the account could be created, before its password is hashed. The attempt counts
    /// towards the limits, and so does a wrong code, but no code is spent.
    pub dry_run: bool,
    /// The account, without anything that a code has to prove.
    pub user: User,
    /// The hash of its password.
    pub password: Option<String>,
    /// What the code proves, and the code.
    pub proved: Option<(Target, Guess)>,
    /// An e-mail address that is not proved.
    pub unproved: Option<Email>,
    /// Limits how many accounts one IP address may create without a code.
    pub limit: Option<Limit>,
    /// Counts taken usernames that one network tries, so that nobody can probe a list of them.
    pub guard: Option<Limit>,
    /// The upload that the photo refers to.
    pub photo: Option<String>,
    /// What the login writes, if one is requested.
    pub plan: Option<LoginPlan>,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

/// The login name that another account has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamesTaken {
    /// The username.
    Username,
    /// The phone number, which a code has proved.
    Phone,
    /// The e-mail address, which a code has proved.
    Email,
    /// The unproved e-mail address. Its holder has proved it, or has logged in before.
    UnprovedEmail,
    /// The unproved e-mail address. Its holder has not proved it either, and has never logged in.
    UnusedEmail,
}

/// The outcome of a registration.
#[derive(Debug)]
pub enum Registered {
    /// The account could be created (the answer of a dry run).
    Possible,
    /// The account was created, and logged in if requested.
    Done(Box<User>, Option<Box<LoginOutcome>>),
    /// The code is wrong.
    WrongCode,
    /// Too many accounts or too many wrong codes came from this IP address.
    TooOften,
    /// Another account has this login name.
    Taken(NamesTaken),
}

impl Write for Register {
    type Out = Registered;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Registered, StoreError> {
        let (pool, now) = (&self.user.pool, self.trace.at);
        let mut events = self.trace.recorder();
        if let Some(limit) = &self.limit
            && limit.hit(tx, now).await? < 0
        {
            return Ok(Registered::TooOften);
        }
        // Checked before the code, so that a taken username does not cost the user a code. Usernames are
        // public.
        if let Some(name) = &self.user.username {
            if let Some(guard) = &self.guard
                && guard.take(tx, now).await?.is_none()
            {
                return Ok(Registered::TooOften);
            }
            if users::by_username(tx, pool, name).await?.is_some() {
                return Ok(Registered::Taken(NamesTaken::Username));
            }
            if let Some(guard) = &self.guard {
                guard.take_back(tx, now).await?;
            }
        }
        let mut user = self.user.clone();
        if let Some((target, guess)) = &self.proved {
            let judged = if self.dry_run {
                guess.check_uncounted(tx, pool, now).await?
            } else {
                guess.check(tx, pool, now).await?
            };
            let purpose = match judged {
                CodeCheck::Right(purpose) => purpose,
                CodeCheck::Wrong => return Ok(Registered::WrongCode),
                CodeCheck::TooOften => return Ok(Registered::TooOften),
            };
            if holder(tx, pool, target).await?.is_some_and(|holder| is_vouched(&holder, target)) {
                return Ok(Registered::Taken(match target {
                    Target::Phone(_) => NamesTaken::Phone,
                    Target::Email(_) => NamesTaken::Email,
                }));
            }
            if !self.dry_run {
                guess.spend(tx, pool, purpose).await?;
            }
        }
        if let Some(email) = &self.unproved {
            if let Some(holder) = users::by_email(tx, pool, email).await? {
                let is_used = holder.email_verified || holder.logins_count > 0;
                let taken = if is_used { NamesTaken::UnprovedEmail } else { NamesTaken::UnusedEmail };
                return Ok(Registered::Taken(taken));
            }
            user.email = Some(email.clone());
        }
        if self.dry_run {
            return Ok(Registered::Possible);
        }
        if let Some((target, _)) = &self.proved {
            match target.clone() {
                Target::Phone(phone) => user.phone = Some((phone, PhoneProof::Code)),
                Target::Email(email) => (user.email, user.email_verified) = (Some(email), true),
            }
        }
        if let Some(plan) = &self.plan {
            user.logins_count = 1;
            user.last_login_at = Some(now);
            user.last_ip.clone_from(&plan.session.ip);
            user.last_application = Some(plan.session.application.clone());
        }
        user.password_set_at = self.password.as_ref().map(|_| now);
        let new = NewAccount {
            password_hash: self.password.as_deref(),
            upload: self.photo.as_deref(),
            ..NewAccount::of(&user)
        };
        accounts::create(tx, &mut events, new, json!({ "by": "register" })).await?;
        if *pool == PoolId::system() {
            sign_ups::insert(tx, &user.id, now).await?;
        }
        let Some(plan) = &self.plan else { return Ok(Registered::Done(Box::new(user), None)) };
        let progress = LoginProgress { newly_created: true, ..LoginProgress::default() };
        let outcome = finish::finish(tx, plan, &mut events, user.clone(), progress).await?;
        Ok(Registered::Done(Box::new(user), Some(Box::new(outcome))))
    }
}
