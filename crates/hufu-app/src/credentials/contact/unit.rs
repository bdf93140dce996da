//! The units of work that bind, change and unbind the phone number and the e-mail address of an account.

use hufu_connect::templates::AddedWay;
use hufu_store::passcodes::Target;
use hufu_store::step_tokens::{self, NewStepToken};
use hufu_store::{StoreError, Tx, Write, login_names, users};
use hufu_types::refusal::Code;
use hufu_types::{Action, Email, PasscodeChannel, Phone, PoolId, Timestamp, User, UserId};
use serde_json::{Value as Json, json};

use crate::credentials::guess::{CodeCheck, Guess};
use crate::events::{Event, Recorder, Trace};
use crate::people::holders::{holder, is_vouched, locked_and_active, release, vouched};
use crate::people::notices::way_in_added;
use crate::people::ways_in::{RecentLogin, Removal, ways_in};

/// Binds a phone number or e-mail address, or replaces the present one. Can also perform only the first of
/// two steps.
#[derive(Clone, Debug)]
pub struct ChangeContact {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The new number or address.
    pub new: Target,
    /// The proof that the user owns it.
    pub proof: Proof,
    /// What is required about the present one.
    pub old: OldContact,
    /// What to do after the checks.
    pub next: NextStep,
    /// The user logged in recently.
    pub recent: RecentLogin,
    /// Who acts, from where and when.
    pub trace: Trace,
}

/// The proof of the new number or address.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A code sent to it.
    Code(Guess),
    /// The token of the first step.
    Token(step_tokens::Presented),
    /// WeChat has just confirmed it.
    Wechat,
}

/// What is required about the present number or address. Only a verified one counts as present.
#[derive(Clone, Debug)]
pub enum OldContact {
    /// There must be none, because this binds a first one.
    Absent,
    /// Nothing.
    Any,
    /// It must be the same as at the first step, or still be absent. The first step checked everything else.
    Unchanged(Option<Target>),
    /// It must be named, and proved by a code sent to it.
    Proved(Option<(Target, Guess)>),
}

/// What to do after the checks.
#[derive(Clone, Debug)]
pub enum NextStep {
    /// Set the new number or address.
    Set,
    /// Issue a token, with which the second step sets it.
    Issue(NewStepToken),
}

/// The outcome of a change.
#[derive(Debug)]
pub enum ContactOutcome {
    /// The account has the new number or address.
    Done(Box<User>),
    /// The token was issued.
    Issued,
    /// A code is wrong.
    WrongCode,
    /// Too many wrong codes came from this IP address.
    TooOften,
    /// It belongs to another account.
    Taken,
    /// The account already has one, which has to be changed rather than bound.
    HasOne,
    /// The present one is different, or was not proved.
    OldMismatch,
    /// The token is invalid.
    TokenInvalid,
    /// The account is deleted or disabled.
    Gone,
}

impl Write for ChangeContact {
    type Out = ContactOutcome;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<ContactOutcome, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let mut events = self.trace.recorder();
        let Some(user) = locked_and_active(tx, pool, &self.user).await? else {
            return Ok(ContactOutcome::Gone);
        };
        let present = vouched(&user, self.new.channel());
        let old = match (&self.old, &present) {
            (OldContact::Absent, Some(present)) if *present != self.new => {
                return Ok(ContactOutcome::HasOne);
            }
            (OldContact::Unchanged(then), present) if then != present => {
                return Ok(ContactOutcome::OldMismatch);
            }
            (OldContact::Proved(None), Some(_)) => return Ok(ContactOutcome::OldMismatch),
            (OldContact::Proved(Some((named, _))), Some(present)) if named != present => {
                return Ok(ContactOutcome::OldMismatch);
            }
            (OldContact::Proved(Some((_, guess))), Some(_)) => Some(guess),
            _ => None,
        };
        // Check both codes before spending either.
        let mut spent = Vec::new();
        if let Proof::Token(token) = &self.proof
            && !step_tokens::take(tx, token).await?
        {
            return Ok(ContactOutcome::TokenInvalid);
        }
        let new = match &self.proof {
            Proof::Code(guess) => Some(guess),
            Proof::Token(_) | Proof::Wechat => None,
        };
        for guess in old.into_iter().chain(new) {
            match guess.check(tx, pool, now).await? {
                CodeCheck::Right(purpose) => spent.push((guess, purpose)),
                CodeCheck::TooOften => return Ok(ContactOutcome::TooOften),
                CodeCheck::Wrong => {
                    let (action, code) = (self.action(present.is_some()), Code::WrongCode.number());
                    let refused = Event { action, code, user: Some(&user.id), details: json!({}) };
                    events.record(tx, pool, refused).await?;
                    return Ok(ContactOutcome::WrongCode);
                }
            }
        }
        let holder = holder(tx, pool, &self.new).await?;
        let of_merged = match holder {
            Some(holder) if is_vouched(&holder, &self.new) && holder.id != user.id => {
                if users::survivor(tx, holder.clone()).await?.id != user.id {
                    return Ok(ContactOutcome::Taken);
                }
                Some(holder)
            }
            _ => None,
        };
        for (guess, purpose) in spent {
            guess.spend(tx, pool, purpose).await?;
        }
        if let NextStep::Issue(token) = &self.next {
            step_tokens::insert(tx, pool, &user.id, token).await?;
            return Ok(ContactOutcome::Issued);
        }
        if present.as_ref() != Some(&self.new) {
            let way = match self.new {
                Target::Phone(_) => AddedWay::Phone,
                Target::Email(_) => AddedWay::Email,
            };
            way_in_added(tx, &mut events, pool, &user.id, way).await?;
        }
        if let Some(merged) = of_merged {
            // It belongs to an account that was merged into this one: move it over.
            set(tx, &merged, self.new.channel(), None, now).await?;
        }
        release(tx, &mut events, pool, &self.new, &user.id, now).await?;
        set(tx, &user, self.new.channel(), Some(&self.new), now).await?;
        self.record(tx, &mut events, &user, present.as_ref()).await?;
        let user = users::get(tx, pool, &user.id).await?.ok_or(StoreError::LostRace)?;
        Ok(ContactOutcome::Done(Box::new(user)))
    }
}

impl ChangeContact {
    fn action(&self, has_one: bool) -> Action {
        match (self.new.channel(), has_one) {
            (PasscodeChannel::Sms, false) => Action::PhoneBound,
            (PasscodeChannel::Sms, true) => Action::PhoneChanged,
            (PasscodeChannel::Email, false) => Action::EmailBound,
            (PasscodeChannel::Email, true) => Action::EmailChanged,
        }
    }

    async fn record(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        user: &User,
        present: Option<&Target>,
    ) -> Result<(), StoreError> {
        if present == Some(&self.new) {
            return Ok(());
        }
        // The address was already set, but unverified until now.
        let was_written = matches!(&self.new, Target::Email(email) if user.email.as_ref() == Some(email));
        let action = if was_written { Action::EmailVerified } else { self.action(present.is_some()) };
        let details = changed(&self.new, present);
        events.record(tx, &self.pool, Event::of(action, &user.id).with(details)).await
    }
}

/// The change in masked form.
fn changed(new: &Target, present: Option<&Target>) -> Json {
    let field = match new {
        Target::Phone(_) => "phone",
        Target::Email(_) => "email",
    };
    json!({ "before": { field: present.map(Target::masked) }, "after": { field: new.masked() } })
}

/// Unbinds the phone number or e-mail address, unless nobody could log in to the account any more.
#[derive(Clone, Debug)]
pub struct UnbindContact {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// Which of the two to unbind.
    pub channel: PasscodeChannel,
    /// Whether a verified one may be removed: the pool requires no proof, or the login is recent.
    pub may_be_vouched: bool,
    /// Who acts, from where and when.
    pub trace: Trace,
}

/// The outcome of unbinding.
#[derive(Debug)]
pub enum Unbound {
    /// It was removed.
    Done(Box<User>),
    /// There was none.
    NotBound,
    /// It is the last way to log in.
    LastWayIn,
    /// The login is too old.
    LoginTooOld,
    /// The account is deleted or disabled.
    Gone,
}

impl Write for UnbindContact {
    type Out = Unbound;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Unbound, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let Some(user) = locked_and_active(tx, pool, &self.user).await? else { return Ok(Unbound::Gone) };
        let (present, removal, action) = match self.channel {
            PasscodeChannel::Sms => {
                let phone = user.phone.as_ref().map(|(phone, _)| Target::Phone(phone.clone()));
                (phone, Removal::Phone, Action::PhoneUnbound)
            }
            PasscodeChannel::Email => {
                (user.email.clone().map(Target::Email), Removal::Email, Action::EmailUnbound)
            }
        };
        let Some(present) = present else { return Ok(Unbound::NotBound) };
        if !self.may_be_vouched && vouched(&user, self.channel).is_some() {
            return Ok(Unbound::LoginTooOld);
        }
        if !ways_in(tx, pool, &user.id).await?.accessible_after(removal) {
            return Ok(Unbound::LastWayIn);
        }
        set(tx, &user, self.channel, None, now).await?;
        let details = json!({ "before": present.masked() });
        self.trace.recorder().record(tx, pool, Event::of(action, &user.id).with(details)).await?;
        let user = users::get(tx, pool, &user.id).await?.ok_or(StoreError::LostRace)?;
        Ok(Unbound::Done(Box::new(user)))
    }
}

/// Sets the proved number or address, or removes the present one.
async fn set(
    tx: &mut Tx<'_>,
    user: &User,
    channel: PasscodeChannel,
    proved: Option<&Target>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let phone = |target: &Target| match target {
        Target::Phone(phone) => Some(phone.clone()),
        Target::Email(_) => None,
    };
    let email = |target: &Target| match target {
        Target::Email(email) => Some(email.clone()),
        Target::Phone(_) => None,
    };
    match channel {
        PasscodeChannel::Sms => {
            let phone: Option<Phone> = proved.and_then(phone);
            login_names::set_phone(tx, &user.pool, &user.id, phone.as_ref(), now).await
        }
        PasscodeChannel::Email => {
            let email: Option<Email> = proved.and_then(email);
            login_names::set_email(tx, &user.pool, &user.id, email.as_ref(), now).await
        }
    }
}
