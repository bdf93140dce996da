//! Changing a password, resetting a forgotten one, and unlocking an account.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_types::refusal::Code;
use hufu_types::{Action, Application, Email, PoolId, User, Username};
use secrecy::{ExposeSecret as _, SecretString};

use super::unit::{ChangePassword, CheckReset, MaySetPassword, PasswordChange, Reset, ResetPassword};
use super::verify::{ProvedByPassword, WrongPassword};
use super::{Place, Weakness, policy};
use crate::credentials::locks::{Found, GetPassword, Unlock, Unlocked};
use crate::credentials::{Target, accepted};
use crate::people::holders::Unusable;
use crate::refusal::deletion_pending;
use crate::{App, Authenticated, Origin, Refusal};

impl App {
    /// Checks a password against the pool's policy, without regard to the user's names.
    pub fn password_strength(&self, pool: &PoolId, password: &str) -> Result<(), Refusal> {
        self.check_new_password(pool, password, &[])
    }

    /// How many passwords this node has hashed or verified. Shows that a login attempt costs the same whether
    /// or not the account exists.
    pub fn password_work(&self) -> u64 {
        self.hasher.work()
    }

    /// Checks a password against the pool's policy for a user with these names.
    pub(crate) fn check_new_password(
        &self,
        pool: &PoolId,
        password: &str,
        names: &[&str],
    ) -> Result<(), Refusal> {
        let settings = self.config().settings(pool);
        policy::check(&settings.password, password, names).map_err(Refusal::from)
    }

    /// Resets a forgotten password. All sessions end, and the account is unlocked.
    #[boxed]
    pub async fn reset_password(
        &self,
        application: &Arc<Application>,
        target: Target,
        code: &str,
        new: SecretString,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let pool = &application.pool;
        self.check_new_password(pool, new.expose_secret(), &[])?;
        let guess = self.guess(pool, &target, code, accepted::RESET, origin);
        let trace = self.trace(pool, None, Some(&application.id), None, origin);
        // Check the code first, so that wrong codes cannot make this node hash passwords.
        let check = CheckReset {
            pool: pool.clone(),
            target: target.clone(),
            guess: guess.clone(),
            trace: trace.clone(),
        };
        if let Some(refused) = self.write(check).await? {
            return self.after_reset(refused);
        }
        let rules = self.config().settings(pool);
        let unit = ResetPassword {
            pool: pool.clone(),
            guess,
            target,
            hash: self.hash_password(new.clone(), origin.ip.as_deref()).await?,
            is_allowed: Arc::new(move |user| {
                policy::check(&rules.password, new.expose_secret(), &names_of(user)).is_ok()
            }),
            trace,
        };
        let reset = self.write(unit).await?;
        self.after_reset(reset)
    }

    fn after_reset(&self, reset: Reset) -> Result<(), Refusal> {
        match reset {
            Reset::Done(ended) => {
                self.forget_sessions(&ended);
                Ok(())
            }
            Reset::WrongCode => Err(Code::WrongCode.into()),
            Reset::TooOften => Err(self.too_many_codes()),
            Reset::NoAccount => Err(Code::NoAccount.into()),
            Reset::Unsuitable => Err(Weakness::ContainsOwnName.into()),
            Reset::Unusable(Unusable::DeletionPending(at)) => Err(deletion_pending(at)),
            Reset::Unusable(Unusable::Disabled) => Err(Code::Disabled.into()),
        }
    }

    /// Unlocks the account with this phone number or e-mail address.
    #[boxed]
    pub async fn unlock_account(
        &self,
        application: &Arc<Application>,
        target: Target,
        code: &str,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let pool = &application.pool;
        let unit = Unlock {
            pool: pool.clone(),
            guess: self.guess(pool, &target, code, accepted::UNLOCK, origin),
            target,
            trace: self.trace(pool, None, Some(&application.id), None, origin),
        };
        match self.write(unit).await? {
            Unlocked::Done => Ok(()),
            Unlocked::WrongCode => Err(Code::WrongCode.into()),
            Unlocked::TooOften => Err(self.too_many_codes()),
        }
    }

    /// Changes the password of a logged-in user, who must know the old one if there is one, and otherwise must
    /// have logged in recently. Their other sessions end.
    #[boxed]
    pub async fn change_password(
        &self,
        who: &Authenticated,
        new: SecretString,
        old: Option<SecretString>,
    ) -> Result<User, Refusal> {
        let pool = who.pool();
        let found = self.own_password(who).await?;
        let user = found.user.as_ref().ok_or(Code::NotLoggedIn)?;
        self.check_new_password(pool, new.expose_secret(), &names_of(user))?;
        let permission = match (&found.hash, old) {
            // A first password adds another way to log in. A stolen login alone must not be enough to set
            // one.
            (None, _) => {
                let action = Action::PasswordChanged;
                MaySetPassword::First(self.require_recent_login_for(who, action).await?)
            }
            (Some(_), None) => return Err(Code::OldPasswordNeeded.into()),
            (Some(_), Some(old)) => match self.verify_own(who, found, &old, Action::PasswordChanged).await {
                Ok(proved) => MaySetPassword::Verified(proved.verified, proved.counted),
                Err(refusal) if refusal.is(Code::WrongPassword) => return Err(Code::OldPasswordWrong.into()),
                Err(refusal) => return Err(refusal),
            },
        };
        let unit = ChangePassword {
            pool: pool.clone(),
            user: who.user.clone(),
            permission,
            hash: self.hash_password(new, who.origin.ip.as_deref()).await?,
            session: who.session.clone(),
            trace: self.trace_of(who),
        };
        match self.write(unit).await? {
            PasswordChange::Done(user, ended) => {
                self.forget_sessions(&ended);
                Ok(*user)
            }
            // The password was changed concurrently, so the old one is no longer right.
            PasswordChange::Changed => Err(Code::OldPasswordWrong.into()),
        }
    }

    /// The account of a logged-in user, with its password hash.
    pub(crate) async fn own_password(&self, who: &Authenticated) -> Result<Found, Refusal> {
        let pool = who.pool();
        let unit = GetPassword { pool: pool.clone(), user: who.user.clone(), lock: self.lock_rule() };
        self.read(unit).await?.ok_or_else(|| Code::NotLoggedIn.into())
    }

    /// Verifies the password of a logged-in user.
    pub(crate) async fn verify_own(
        &self,
        who: &Authenticated,
        found: Found,
        password: &SecretString,
        action: Action,
    ) -> Result<ProvedByPassword, Refusal> {
        let wrong = WrongPassword { pool: who.pool(), action, by: "password", trace: self.trace_of(who) };
        let proved = self.verify_password(found, password, wrong).await?;
        // These tries are not counted for the network, and a new password has to be hashed in the same share.
        Ok(ProvedByPassword { counted: proved.counted.keeping(Place::default()), ..proved })
    }
}

/// The user's names, which the password must not contain.
pub(crate) fn names_of(user: &User) -> Vec<&str> {
    let names = [
        user.username.as_ref().map(Username::as_str),
        user.email.as_ref().map(Email::as_str),
        user.phone.as_ref().map(|(phone, _)| phone.as_str()),
        user.profile.name.as_deref(),
        user.profile.nickname.as_deref(),
    ];
    names.into_iter().flatten().collect()
}
