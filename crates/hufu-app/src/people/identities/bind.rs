//! Binding ids that a source has proved to the logged-in user.

use hufu_connect::templates::AddedWay;
use hufu_store::identities::{self, NewIdentity};
use hufu_store::{StoreError, Tx, Write, exchanges, users};
use hufu_types::refusal::Code;
use hufu_types::{Action, ConnectionId, PoolId, Proof, TokenHash, User, UserId};
use serde_json::json;

use super::shown;
use crate::Refusal;
use crate::events::{Event, Recorder, Trace};
use crate::people::notices::way_in_added;
use crate::people::ways_in::RecentLogin;

/// Binds ids that a source has proved to the logged-in user.
pub struct Bind {
    /// The pool.
    pub pool: PoolId,
    /// The user.
    pub user: UserId,
    /// The connection that proved them.
    pub connection: ConnectionId,
    /// What the source proved.
    pub proof: Proof,
    /// The record of the code: its hash and the exchange.
    pub exchange: Option<(TokenHash, exchanges::Exchange)>,
    /// The user logged in recently.
    pub recent: RecentLogin,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

/// The outcome of binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindOutcome {
    /// The ids are bound to the user, now or already before.
    Bound,
    /// One of the ids is bound to another user.
    TakenByAnother,
    /// The user already has a different id of the same app.
    HasAnother,
}

impl BindOutcome {
    /// What whoever asked for it gets.
    pub(crate) fn into_result(self) -> Result<(), Refusal> {
        match self {
            Self::Bound => Ok(()),
            Self::TakenByAnother => Err(Code::IdentityTaken.into()),
            Self::HasAnother => Err(Code::AnotherIdentityBound.into()),
        }
    }

    /// The refusal code for the audit log, which is also what clients receive. None if nothing was refused.
    pub const fn code(self) -> Option<u32> {
        match self {
            Self::Bound => None,
            Self::TakenByAnother => Some(Code::IdentityTaken.number()),
            Self::HasAnother => Some(Code::AnotherIdentityBound.number()),
        }
    }
}

impl Write for Bind {
    type Out = BindOutcome;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<BindOutcome, StoreError> {
        // The account is locked from here on, so of two parallel binds the second sees what the first has
        // bound.
        let user = locked_account(tx, &self.pool, &self.user).await?.id;
        let mut events = self.trace.recorder();
        let outcome = self.bind(tx, &mut events, &user).await?;
        if let Some(code) = outcome.code() {
            let event = Event { code, ..Event::of(Action::IdentityBound, &user) };
            events.record(tx, &self.pool, event).await?;
        }
        Ok(outcome)
    }
}

impl Bind {
    async fn bind(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        user: &UserId,
    ) -> Result<BindOutcome, StoreError> {
        let pool = &self.pool;
        let (mut missing, mut held) = (Vec::new(), Vec::new());
        for key in self.proof.ids() {
            match identities::owner(tx, pool, key).await? {
                Some(owner) if owner != *user => return Ok(BindOutcome::TakenByAnother),
                Some(_) => held.push(key),
                None if identities::has_other_in_realm(tx, pool, user, key).await? => {
                    return Ok(BindOutcome::HasAnother);
                }
                None => missing.push(key),
            }
        }
        if !missing.is_empty() {
            way_in_added(tx, events, pool, user, AddedWay::Identity).await?;
        }
        for &key in &missing {
            let new = NewIdentity {
                connection: self.connection.clone(),
                key: key.clone(),
                created_at: self.trace.at,
                user_info: self.proof.raw.clone(),
            };
            identities::insert(tx, pool, user, &new).await?;
        }
        for key in held.into_iter().filter(|_| !self.proof.raw.is_empty()) {
            identities::set_user_info(tx, pool, key, &self.proof.raw).await?;
        }
        if !missing.is_empty() {
            let details = json!({ "after": shown(missing.into_iter()) });
            events.record(tx, pool, Event::of(Action::IdentityBound, user).with(details)).await?;
        }
        if let Some((code, exchange)) = &self.exchange {
            exchanges::put(tx, pool, code, exchange).await?;
        }
        Ok(BindOutcome::Bound)
    }
}

/// The user's account, or the survivor if it was merged. Its row stays locked until the unit of work ends.
async fn locked_account(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<User, StoreError> {
    let known = users::get(tx, pool, user).await?.ok_or(StoreError::LostRace)?;
    let account = known.merged_into.unwrap_or(known.id);
    let locked = users::get_locked(tx, pool, &account).await?;
    locked.filter(|user| user.merged_into.is_none()).ok_or(StoreError::LostRace)
}
