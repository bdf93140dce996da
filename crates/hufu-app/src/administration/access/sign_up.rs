//! Sign-up: whoever registered while that was on, and has had no role yet, gets a pool of their own when they log in.

use hufu_store::rates::Limit;
use hufu_store::{StoreError, Tx, Write as _, administration as store, sign_ups};
use hufu_types::{Action, AdminRole, PoolId, PoolRole, User, Username};
use serde_json::json;

use super::{appointments, record};
use crate::address::network_of;
use crate::configuration::{Change, Outcome, PutPool};
use crate::events::{Actor, Trace};
use crate::{App, Origin};

/// The first pool of somebody who registered.
pub(super) struct FirstPool {
    /// The id that it gets.
    id: PoolId,
    limit: Limit,
    trace: Trace,
    /// Of the pool's own audit log.
    of_pool: Trace,
}

/// What became of it.
pub(super) enum Made {
    /// They own it.
    Yes,
    /// They get none: they did not register, or have had a role since.
    NotTheirs,
    /// Too many of their network got one lately.
    TooOften,
}

impl App {
    /// The first pool of whoever logs in, if sign-up is on.
    pub(super) fn first_pool(&self, origin: &Origin) -> Option<FirstPool> {
        if !self.config().console()?.signs_up {
            return None;
        }
        let network = origin.ip.as_deref().map(network_of).unwrap_or_default();
        let id = PoolId::generate(self.now(), &*self.random);
        Some(FirstPool {
            limit: Limit {
                name: format!("first_pools:{network}"),
                most: self.limits.first_pools_per_ip,
                window: self.limits.first_pool_window,
            },
            trace: self.trace(&PoolId::system(), None, None, None, origin),
            of_pool: self.trace(&id, None, None, None, origin),
            id,
        })
    }
}

impl FirstPool {
    /// Makes the pool of a user, who is locked, and whose it is from then on.
    pub(super) async fn make(&self, tx: &mut Tx<'_>, user: &User) -> Result<Made, StoreError> {
        let Self { id, limit, trace, of_pool } = self;
        if !sign_ups::is_open(tx, &user.id).await? {
            return Ok(Made::NotTheirs);
        }
        if limit.take(tx, trace.at).await?.is_none() {
            return Ok(Made::TooOften);
        }
        let by = |trace: &Trace| Trace { actor: Some(Actor::administrator(&user.id)), ..trace.clone() };
        let operation =
            PutPool { id: id.clone(), name: Some(name_of(user)), settings: None, expected: Some(0) };
        let made = Change { operation, trace: by(of_pool) }.run(tx).await?;
        if !matches!(made, Outcome::Done { .. }) {
            // Nobody has this id: most of it is random.
            return Err(StoreError::LostRace);
        }
        let role = PoolRole { pool: Some(id.clone()), role: AdminRole::Owner };
        store::put_role(tx, &user.id, &role, trace.at).await?;
        let details = json!({ "by": "sign-up", "after": appointments(std::slice::from_ref(&role)) });
        let trace = by(trace);
        record(tx, &mut trace.recorder(), Action::AdministratorChanged, Some(&user.id), details).await?;
        Ok(Made::Yes)
    }
}

/// What the pool of somebody is called until they change it.
fn name_of(user: &User) -> String {
    let username = user.username.as_ref().map(Username::as_str);
    let email = user.email.as_ref().and_then(|email| email.as_str().split('@').next());
    let named = [user.profile.nickname.as_deref(), user.profile.name.as_deref(), username, email];
    let name = named.into_iter().flatten().map(str::trim).find(|name| !name.is_empty());
    name.unwrap_or(user.id.as_str()).chars().filter(|c| !c.is_control()).take(64).collect()
}
