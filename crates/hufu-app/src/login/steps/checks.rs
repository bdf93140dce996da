//! What an account needs before it is logged in: a new password, missing fields, agreements. All checks come
//! before the first write.

use std::collections::BTreeMap;

use hufu_connect::templates::AddedWay;
use hufu_store::passcodes::Target;
use hufu_store::{StoreError, Tx, flows, login_names, uploads, users};
use hufu_types::flow::{self, FlowState};
use hufu_types::{Action, Gender, PhoneProof, User, Username};
use serde_json::{Map, Value as Json, json};

use super::{Continue, Outcome, PreparedAction, StepFailure};
use crate::credentials::guess::{CodeCheck, Guess};
use crate::credentials::password::unit::set;
use crate::events::{Event, Recorder};
use crate::login::finish::{LoginOutcome, LoginProgress, refuse_unusable};
use crate::people::holders::{holder, is_vouched, release};
use crate::people::notices::way_in_added;

/// What a user fills in.
#[derive(Clone, Debug)]
pub struct CheckedFillIn {
    /// Text fields of the profile by name.
    pub fields: Vec<(String, String)>,
    /// The gender.
    pub gender: Option<Gender>,
    /// The upload that the photo refers to, if any.
    pub upload: Option<String>,
    /// Custom data.
    pub custom_data: Map<String, Json>,
    /// A username.
    pub username: Option<Username>,
    /// Phone numbers and e-mail addresses, with the codes that prove them.
    pub proved: Vec<(Target, Guess)>,
    /// The limit on the number of keys in custom data.
    pub max_keys: usize,
    /// The limit on the size of custom data, in bytes of JSON.
    pub max_total: usize,
}

impl Continue {
    /// Does a step of one of the [`flow::CHECKS`], then moves on to the next stage. A step that is no longer
    /// due is skipped.
    pub(super) async fn check(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        state: &FlowState,
    ) -> Result<Outcome, StoreError> {
        let Some(id) = &state.user else { return Ok(Outcome::Gone) };
        let found = users::get_locked(tx, &self.pool, id).await?;
        let Some(user) = found.filter(|user| user.merged_into.is_none()) else { return Ok(Outcome::Gone) };
        if let Some(refused) = refuse_unusable(tx, events, &user, self.plan.method).await? {
            return Ok(Outcome::Login(refused));
        }
        let progress = LoginProgress { newly_created: state.newly_created, ..LoginProgress::default() };
        if flow::stage_of(&user, &self.plan.settings, &state.facts) != state.stage {
            return self.finish_or_end(tx, events, user, progress).await;
        }
        let user = match &self.prepared {
            // Somebody who knew the old password may be logged in, or about to be. All sessions end, and all
            // waiting logins except this one.
            PreparedAction::SetPassword { hash, .. } => {
                flows::detach(tx, &self.pool, &self.flow).await?;
                set(tx, events, user, hash, "login", None, self.plan.trace.at).await?.0
            }
            PreparedAction::Accept(accepted) => self.accept(tx, events, user, accepted).await?,
            PreparedAction::FillIn(fill_in) => match self.fill_in(tx, events, user, state, fill_in).await? {
                Ok(user) => user,
                Err(failure) => return Ok(Outcome::Failed(failure)),
            },
            _ => return Ok(Outcome::Failed(StepFailure::StillMissing)),
        };
        if flow::stage_of(&user, &self.plan.settings, &state.facts) == state.stage {
            return Ok(Outcome::Failed(StepFailure::StillMissing));
        }
        self.finish_or_end(tx, events, user, progress).await
    }

    async fn finish_or_end(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        user: User,
        progress: LoginProgress,
    ) -> Result<Outcome, StoreError> {
        if self.ends_login() {
            return Ok(Outcome::Login(LoginOutcome::Ended));
        }
        self.finish(tx, events, user, progress).await
    }

    async fn accept(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        mut user: User,
        accepted: &BTreeMap<String, u32>,
    ) -> Result<User, StoreError> {
        let now = self.plan.trace.at;
        if accepted.is_empty() {
            return Ok(user);
        }
        user.agreements.extend(accepted.iter().map(|(id, version)| (id.clone(), *version)));
        users::set_agreements(tx, &self.pool, &user.id, &user.agreements, now).await?;
        let event = Event::of(Action::AgreementsAccepted, &user.id).with(json!({ "accepted": accepted }));
        events.record(tx, &self.pool, event).await?;
        Ok(user)
    }

    /// Fills in empty fields. A login does not change existing values. Username, phone number and e-mail
    /// address are accepted only if the pool requires them, and never replace a verified one.
    async fn fill_in(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        mut user: User,
        state: &FlowState,
        fill_in: &CheckedFillIn,
    ) -> Result<Result<User, StepFailure>, StoreError> {
        let (pool, now) = (&self.pool, self.plan.trace.at);
        let missing: Vec<String> =
            flow::missing_fields(&user, &self.plan.settings).map(str::to_owned).collect();
        let asked_for = |name: &str| missing.iter().any(|missing| missing == name);
        let mut changed = fill_profile(&mut user, fill_in);
        let has_photo = changed.iter().any(|name| name == "photo");
        match fill_custom_data(&mut user, fill_in)? {
            Ok(keys) => changed.extend(keys),
            Err(failure) => return Ok(Err(failure)),
        }
        if let Some(name) = fill_in.username.as_ref().filter(|_| asked_for("username")) {
            if users::by_username(tx, pool, name).await?.is_some() {
                return Ok(Err(StepFailure::UsernameTaken));
            }
            user.username = Some(name.clone());
            changed.push("username".to_owned());
        }
        // All codes are checked before any is spent.
        let mut spent = Vec::new();
        let mut from_merged = Vec::new();
        for (target, guess) in &fill_in.proved {
            let name = name_of(target);
            if !asked_for(name) || changed.iter().any(|changed| changed == name) {
                continue;
            }
            match guess.check(tx, pool, now).await? {
                CodeCheck::Right(purpose) => spent.push((target, guess, purpose)),
                CodeCheck::Wrong => return Ok(Err(StepFailure::WrongCode)),
                CodeCheck::TooOften => return Ok(Err(StepFailure::TooManyCodes)),
            }
            // Checked after the code, so that only the name's owner learns that it is taken.
            if let Some(holder) = holder(tx, pool, target).await?
                && holder.id != user.id
                && is_vouched(&holder, target)
            {
                if users::survivor(tx, holder.clone()).await?.id != user.id {
                    return Ok(Err(StepFailure::NameTaken(target.channel())));
                }
                from_merged.push((holder, target));
            }
            set_name(&mut user, target);
            changed.push(name.to_owned());
        }
        if changed.is_empty() {
            return Ok(Ok(user));
        }

        let username = changed.iter().any(|name| name == "username") && user.password_set_at.is_some();
        let added = spent.iter().map(|(target, ..)| match target {
            Target::Phone(_) => AddedWay::Phone,
            Target::Email(_) => AddedWay::Email,
        });
        // What an account gets while it is created is not new to it.
        for way in added.chain(username.then_some(AddedWay::Username)).filter(|_| !state.newly_created) {
            way_in_added(tx, events, pool, &user.id, way).await?;
        }
        for (target, guess, purpose) in spent {
            guess.spend(tx, pool, purpose).await?;
            release(tx, events, pool, target, &user.id, now).await?;
        }
        for (mut merged, target) in from_merged {
            // An account that was merged into this one has the name. It moves here.
            match target {
                Target::Phone(_) => merged.phone = None,
                Target::Email(_) => (merged.email, merged.email_verified) = (None, false),
            }
            login_names::set_all(tx, &mut merged, now).await?;
        }
        users::set_profile(tx, &mut user, now).await?;
        login_names::set_all(tx, &mut user, now).await?;
        if has_photo {
            uploads::claim(tx, pool, &user.id, fill_in.upload.as_deref(), now).await?;
        }
        let details = json!({ "changed": changed, "by": "login" });
        events.record(tx, pool, Event::of(Action::UserUpdated, &user.id).with(details)).await?;
        Ok(Ok(user))
    }
}

/// Fills empty profile fields. Returns the names of those filled.
fn fill_profile(user: &mut User, fill_in: &CheckedFillIn) -> Vec<String> {
    let mut changed = Vec::new();
    for (name, value) in &fill_in.fields {
        let field = user.profile.field_mut(name);
        if let Some(field) = field.filter(|field| field.as_deref().is_none_or(str::is_empty)) {
            *field = Some(value.clone());
            changed.push(name.clone());
        }
    }
    if fill_in.gender.is_some() && user.profile.gender.is_none() {
        user.profile.gender = fill_in.gender;
        changed.push("gender".to_owned());
    }
    changed
}

/// Fills empty keys of custom data, within the limits. Returns the names of those filled.
fn fill_custom_data(
    user: &mut User,
    fill_in: &CheckedFillIn,
) -> Result<Result<Vec<String>, StepFailure>, StoreError> {
    let mut changed = Vec::new();
    for (key, value) in fill_in.custom_data.iter().filter(|(_, value)| !value.is_null()) {
        if user.custom_data.get(key).is_none_or(Json::is_null) {
            user.custom_data.insert(key.clone(), value.clone());
            changed.push(format!("custom.{key}"));
        }
    }
    if !changed.is_empty() {
        if user.custom_data.len() > fill_in.max_keys {
            return Ok(Err(StepFailure::TooManyKeys));
        }
        if serde_json::to_string(&user.custom_data)?.len() > fill_in.max_total {
            return Ok(Err(StepFailure::TooMuchCustomData));
        }
    }
    Ok(Ok(changed))
}

/// The required field that a target fills.
fn name_of(target: &Target) -> &'static str {
    match target {
        Target::Phone(_) => "phone",
        Target::Email(_) => "email",
    }
}

fn set_name(user: &mut User, target: &Target) {
    match target {
        Target::Phone(phone) => user.phone = Some((phone.clone(), PhoneProof::Code)),
        Target::Email(email) => (user.email, user.email_verified) = (Some(email.clone()), true),
    }
}
