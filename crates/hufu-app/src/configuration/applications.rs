//! Applications, and the connections enabled for them.

use hufu_store::config::{self, Revised};
use hufu_store::{StoreError, Tx};
use hufu_types::{Application, PoolId, Timestamp, TokenLifetimes};

use super::change::{Operation, Outcome, Rejection, created, is_expected, names_of, owned};

/// Creates an application, or changes it. If it becomes the default of its pool, the previous default loses
/// that status.
#[derive(Clone, Debug)]
pub struct PutApplication {
    /// The wanted state.
    pub application: Application,
    /// The revision that the caller last saw, to detect concurrent changes. 0 for a new application, `None`
    /// to skip the check.
    pub expected: Option<i64>,
}

impl Operation for PutApplication {
    type Object = Application;

    fn pool(&self) -> &PoolId {
        &self.application.pool
    }

    fn object(&self) -> (&'static str, String) {
        ("application", self.application.id.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<Application>, StoreError> {
        let wanted = &self.application;
        let present = config::application(tx, &wanted.pool, &wanted.id).await?;
        if let (false, Some(expected)) = (is_expected(self.expected, present.as_ref()), self.expected) {
            return Ok(Outcome::Conflict { expected, now: present });
        }
        if let Some(rejection) = self.check(tx).await? {
            return Ok(Outcome::Rejected(rejection));
        }
        let (revision, changed) = match &present {
            None => {
                if let Some(holder) = config::pool_of_application(tx, &wanted.id).await? {
                    return Ok(Outcome::Rejected(Rejection::ApplicationIdTaken(holder)));
                }
                if config::pool(tx, &wanted.pool).await?.is_none() {
                    return Ok(Outcome::Rejected(Rejection::NoPool));
                }
                config::insert_application(tx, wanted, now).await?;
                (1, created())
            }
            Some(present) => {
                let moves = present.value.position != wanted.position;
                let mut changed = differences(&present.value, wanted, moves);
                if present.value.enabled != wanted.enabled {
                    changed.push("enabled");
                }
                if changed.is_empty() {
                    let now = Some(present.clone());
                    return Ok(Outcome::Done { now, changed: Vec::new() });
                }
                config::update_application(tx, wanted, now).await?;
                (present.revision + 1, owned(changed))
            }
        };
        if wanted.is_default {
            config::clear_other_defaults(tx, &wanted.pool, &wanted.id, now).await?;
        }
        let now = Revised { revision, value: wanted.clone() };
        Ok(Outcome::Done { now: Some(now), changed })
    }
}

impl PutApplication {
    async fn check(&self, tx: &mut Tx<'_>) -> Result<Option<Rejection>, StoreError> {
        let wanted = &self.application;
        if is_session_too_short(wanted.lifetimes) {
            return Ok(Some(Rejection::SessionTooShort));
        }
        for id in &wanted.connections {
            let Some(found) = config::connection(tx, &wanted.pool, id).await? else {
                return Ok(Some(Rejection::NoConnection(id.clone())));
            };
            let connection = found.value;
            if !wanted.kind.may_use(connection.kind) {
                return Ok(Some(Rejection::ConnectionUnusable(connection.identifier, connection.kind)));
            }
        }
        Ok(None)
    }
}

/// Whether sessions would end before their tokens expire.
pub(super) fn is_session_too_short(lifetimes: TokenLifetimes) -> bool {
    lifetimes.session < lifetimes.user_token
}

/// The names of the differing keys, as in the file, except for `enabled`. The caller decides whether the
/// position changes.
pub(super) fn differences(present: &Application, wanted: &Application, moves: bool) -> Vec<&'static str> {
    names_of(&[
        ("name", wanted.name != present.name),
        ("type", wanted.kind != present.kind),
        ("default", wanted.is_default != present.is_default),
        ("position", moves),
        ("connections", wanted.connections != present.connections),
        ("signing_algorithm", wanted.signing_algorithm != present.signing_algorithm),
        ("tokens", wanted.lifetimes != present.lifetimes),
    ])
}
