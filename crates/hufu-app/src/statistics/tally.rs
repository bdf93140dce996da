//! What an entry of the audit log counts.

use std::collections::BTreeSet;

use hufu_store::statistics::{Counter, Counts, Entry};
use hufu_types::Action;
use serde::Deserialize;

/// Logins, by application, connection, method and code.
pub(super) const LOGINS: &str = "logins";
/// The same, by fewer of them, which is less to read: by method and code, application and code, connection and code.
pub(super) const BY_METHOD: &str = "logins.by_method";
pub(super) const BY_APPLICATION: &str = "logins.by_application";
pub(super) const BY_CONNECTION: &str = "logins.by_connection";
/// Users created.
pub(super) const CREATED: &str = "users.created";
/// Users active in a period that ends on the day; the name is its length in days.
pub(super) const ACTIVE: &str = "users.active";
/// Stages at which logins waited; the code is how they went on, a place in [`ENDINGS`].
pub(super) const WAITING: &str = "logins.waiting";
/// Steps of waiting logins that failed.
pub(super) const FAILED_STEPS: &str = "logins.failed_steps";

/// How a login goes on from a stage at which it waited. But for the first one, these are the reasons in entries of
/// [`Action::LoginAbandoned`].
pub(super) const ENDINGS: [&str; 6] =
    ["passed", "cancelled", "out_of_tries", "refused", "expired", "restarted"];
/// The place of the first one.
pub(super) const PASSED: i64 = 0;

/// What a slice of the audit log counts.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    /// The users who were active.
    pub(super) active: BTreeSet<String>,
}

/// The details that count.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    by: String,
    step: Option<String>,
    waited: Vec<String>,
    reason: String,
}

impl Tally {
    /// Counts an entry.
    pub(super) fn count(&mut self, entry: Entry) {
        // Another version may have written other details.
        let details: Details = serde_json::from_str(&entry.details).unwrap_or_default();
        match Action::parse(&entry.action) {
            Some(Action::Login) => self.count_login(entry, details),
            Some(Action::LoginAbandoned) => {
                let ending = ENDINGS.iter().position(|ending| *ending == details.reason);
                let mut stages = details.waited;
                let last = stages.pop();
                self.pass(stages);
                if let (Some(stage), Some(ending)) = (last, ending) {
                    self.add(WAITING, stage, i64::try_from(ending).unwrap_or_default());
                }
            }
            Some(Action::TokenRefreshed) if entry.code == 0 => self.active.extend(entry.user),
            Some(Action::UserCreated) if entry.code == 0 => self.add(CREATED, String::new(), 0),
            _ => {}
        }
    }

    fn count_login(&mut self, entry: Entry, details: Details) {
        if let Some(step) = details.step {
            // The login goes on.
            return self.add(FAILED_STEPS, step, entry.code);
        }
        let application = entry.application.as_deref().unwrap_or_default();
        let connection = entry.connection.as_deref().unwrap_or_default();
        for (what, application, connection, name) in [
            (LOGINS, application, connection, details.by.as_str()),
            (BY_METHOD, "", "", details.by.as_str()),
            (BY_APPLICATION, application, "", ""),
            (BY_CONNECTION, "", connection, ""),
        ] {
            let [what, application, connection, name] =
                [what, application, connection, name].map(str::to_owned);
            let counter = Counter { what, application, connection, name, code: entry.code };
            *self.counts.entry(counter).or_default() += 1;
        }
        if entry.code == 0 {
            self.active.extend(entry.user);
            self.pass(details.waited);
        }
    }

    fn pass(&mut self, stages: Vec<String>) {
        for stage in stages {
            self.add(WAITING, stage, PASSED);
        }
    }

    fn add(&mut self, what: &str, name: String, code: i64) {
        let counter = Counter { what: what.to_owned(), name, code, ..Counter::default() };
        *self.counts.entry(counter).or_default() += 1;
    }
}
