//! The unit of work that unbinds identities.

use hufu_store::{StoreError, Tx, Write, choices, flows, identities, users};
use hufu_types::refusal::Code;
use hufu_types::{Action, Identity, IdentityKey, PoolId, UserId};
use serde_json::json;

use crate::events::{Event, Trace};
use crate::people::ways_in::{Removal, ways_in};

/// Unbinds identities from an account, unless this would leave no way to log in.
pub struct Unbind {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The identities. Those of other accounts are left alone.
    pub keys: Vec<IdentityKey>,
    /// Whether the last way to log in may be removed too. Administrators may do this.
    pub allow_last: bool,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

/// The outcome of unbinding.
#[derive(Debug)]
pub enum Unbound {
    /// Done. These identities remain.
    Done(Vec<Identity>),
    /// The account has none of them.
    NotBound,
    /// No way to log in would remain.
    LastWayIn,
}

impl Unbound {
    /// The refusal code for the audit log, which is also what clients receive. None if nothing was refused.
    pub const fn code(&self) -> Option<u32> {
        match self {
            Self::Done(_) => None,
            Self::NotBound => Some(Code::NotBound.number()),
            Self::LastWayIn => Some(Code::LastWayIn.number()),
        }
    }
}

impl Write for Unbind {
    type Out = Unbound;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Unbound, StoreError> {
        let unbound = self.unbind(tx).await?;
        if let Some(code) = unbound.code() {
            let event = Event { code, ..Event::of(Action::IdentityUnbound, &self.user) };
            self.trace.recorder().record(tx, &self.pool, event).await?;
        }
        Ok(unbound)
    }
}

impl Unbind {
    async fn unbind(&self, tx: &mut Tx<'_>) -> Result<Unbound, StoreError> {
        let (pool, user) = (&self.pool, &self.user);
        // If two requests remove the last two ways to log in, the second waits here, and then sees that only
        // one is left.
        if users::get_locked(tx, pool, user).await?.is_none() {
            return Ok(Unbound::NotBound);
        }
        let held = identities::of_account(tx, pool, user).await?;
        let (gone, left): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|identity| self.keys.contains(&identity.key));
        if gone.is_empty() {
            return Ok(Unbound::NotBound);
        }
        let ways = ways_in(tx, pool, user).await?;
        if !self.allow_last && !ways.accessible_after(Removal::Identities(&self.keys)) {
            return Ok(Unbound::LastWayIn);
        }
        let mut events = self.trace.recorder();
        for Identity { key, connection, .. } in &gone {
            identities::delete(tx, pool, key).await?;
            let details = json!({
                "realm": key.realm,
                "kind": key.kind.as_str(),
                "connection": connection.as_str(),
                "before": hufu_types::masked(&key.value),
            });
            events.record(tx, pool, Event::of(Action::IdentityUnbound, user).with(details)).await?;
        }
        // A waiting login may have started through one of them.
        flows::end_of_user(tx, pool, user).await?;
        choices::forget(tx, pool, user).await?;
        Ok(Unbound::Done(left))
    }
}
