//! Removing pools with everything in them: what goes, and its deletion in bounded batches.

use hufu_types::{PoolId, Timestamp};

use crate::{Read, StoreError, Tx, statements};

/// For each table with rows of pools: its name in the report, and the columns that name a row beside the pool.
macro_rules! tables {
    ($($name:ident $erase:ident $table:literal $key:literal;)*) => {
        statements! {
            $($name = concat!("SELECT COUNT(pool_id) FROM ", $table, " WHERE pool_id = $1");
            $erase = concat!(
                "DELETE FROM ", $table, " WHERE pool_id = $1 AND (", $key, ") IN (SELECT ", $key, " FROM ", $table,
                " WHERE pool_id = $1 LIMIT $2)"
            );)*
            COUNT_KEYS = "SELECT COUNT(*) FROM access_keys WHERE scope_pool = $1";
            ERASE_KEYS = "DELETE FROM access_keys WHERE scope_pool = $1";
            COUNT_ROLES = "SELECT COUNT(*) FROM administrators WHERE scope_pool = $1";
            ERASE_ROLES = "DELETE FROM administrators WHERE scope_pool = $1";
            ERASE_INVITATIONS = "DELETE FROM invitations WHERE scope_pool = $1";
            ERASE_POOL = "DELETE FROM pools WHERE id = $1";
        }

        /// The tables in the order in which their rows go: what leads to something before that.
        const TABLES: &[(&str, &str)] = &[$(($table, $erase)),*];
    };
}

tables! {
    COUNT_JOBS ERASE_JOBS "jobs" "id";
    COUNT_FLOWS ERASE_FLOWS "login_flows" "id";
    COUNT_CODES ERASE_CODES "authorization_codes" "hash";
    COUNT_DEVICES ERASE_DEVICES "device_codes" "hash";
    COUNT_REQUESTS ERASE_REQUESTS "pushed_requests" "hash";
    COUNT_STARTS ERASE_STARTS "source_logins" "hash";
    COUNT_TICKETS ERASE_TICKETS "qr_tickets" "hash";
    COUNT_PICTURES ERASE_PICTURES "qr_pictures" "hash";
    COUNT_STEPS ERASE_STEPS "step_tokens" "hash";
    COUNT_PASSCODES ERASE_PASSCODES "passcodes" "channel, target, purpose";
    COUNT_JTIS ERASE_JTIS "used_jtis" "application_id, hash";
    COUNT_EXCHANGES ERASE_EXCHANGES "exchanges" "code_hash";
    COUNT_REFRESH ERASE_REFRESH "refresh_tokens" "hash";
    COUNT_SESSIONS ERASE_SESSIONS "sessions" "id";
    COUNT_BROWSERS ERASE_BROWSERS "browser_sessions" "id";
    COUNT_CONSENTS ERASE_CONSENTS "consents" "user_id, application_id";
    COUNT_LISTED ERASE_LISTED "application_users" "application_id, user_id";
    COUNT_CONFLICTS ERASE_CONFLICTS "identity_conflicts" "kind, chosen_user, other_user";
    COUNT_CHOICES ERASE_CHOICES "login_choices" "realm, kind, value";
    COUNT_IDENTITIES ERASE_IDENTITIES "identities" "realm, kind, value";
    COUNT_FOLLOWERS ERASE_FOLLOWERS "wechat_followers" "realm, openid";
    COUNT_MESSAGES ERASE_MESSAGES "wechat_messages" "id";
    COUNT_SIGNATURES ERASE_SIGNATURES "wechat_signatures" "connection_id, hash";
    COUNT_MERGES ERASE_MERGES "merges" "id";
    COUNT_UPLOADS ERASE_UPLOADS "uploads" "name";
    COUNT_REJECTED ERASE_REJECTED "import_refusals" "import_id, row_number";
    COUNT_NOTES ERASE_NOTES "import_notes" "import_id, row_number, nth";
    COUNT_IMPORTS ERASE_IMPORTS "imports" "id";
    // Their names and what finds them go with them.
    COUNT_USERS ERASE_USERS "users" "id";
    COUNT_NAMES ERASE_NAMES "user_names" "name, user_id";
    COUNT_SEARCH ERASE_SEARCH "user_search" "user_id";
    COUNT_OF_STATISTICS ERASE_OF_STATISTICS "statistics_counts"
        "what, day, application_id, connection_id, name, code";
    COUNT_SLICES ERASE_SLICES "statistics_slices" "start";
    COUNT_ACTIVE ERASE_ACTIVE "statistics_users" "user_id";
    COUNT_PROGRESS ERASE_PROGRESS "statistics_progress" "pool_id";
    COUNT_DELIVERIES ERASE_DELIVERIES "webhook_deliveries" "id";
    COUNT_WEBHOOKS ERASE_WEBHOOKS "webhooks" "id";
    COUNT_SENDERS ERASE_SENDERS "senders" "channel";
    COUNT_MANAGEMENT_SIGNATURES ERASE_MANAGEMENT_SIGNATURES "management_signatures" "hash";
    COUNT_MANAGEMENT_KEYS ERASE_MANAGEMENT_KEYS "management_keys" "id";
    COUNT_REGISTERED ERASE_REGISTERED "registered_clients" "application_id";
    COUNT_REGISTRATION_TOKENS ERASE_REGISTRATION_TOKENS "registration_tokens" "id";
    COUNT_SOURCES ERASE_SOURCES "identity_sources" "id";
    COUNT_OUTAGES ERASE_OUTAGES "unavailable_connections" "connection_id";
    COUNT_USES ERASE_USES "application_connections" "application_id, connection_id";
    COUNT_APPLICATIONS ERASE_APPLICATIONS "applications" "id";
    COUNT_CONNECTIONS ERASE_CONNECTIONS "connections" "id";
    COUNT_EVENTS ERASE_EVENTS "audit_events" "id";
}

/// What goes with a pool: how many rows of which kind, those that mean something to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(pub Vec<(&'static str, i64)>);

/// Counts what goes with a pool.
pub struct CountPool(pub PoolId);

impl Read for CountPool {
    type Out = Report;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Report, StoreError> {
        count(tx, &self.0).await
    }
}

/// Counts what goes with a pool.
pub async fn count(tx: &mut Tx<'_>, pool: &PoolId) -> Result<Report, StoreError> {
    let mut counted = Vec::new();
    for (name, statement) in [
        ("users", COUNT_USERS),
        ("identities", COUNT_IDENTITIES),
        ("sessions", COUNT_SESSIONS),
        ("consents", COUNT_CONSENTS),
        ("merges", COUNT_MERGES),
        ("applications", COUNT_APPLICATIONS),
        ("connections", COUNT_CONNECTIONS),
        ("senders", COUNT_SENDERS),
        ("webhooks", COUNT_WEBHOOKS),
        ("deliveries", COUNT_DELIVERIES),
        ("auditEntries", COUNT_EVENTS),
        ("imports", COUNT_IMPORTS),
        ("uploads", COUNT_UPLOADS),
        ("managementKeys", COUNT_MANAGEMENT_KEYS),
        ("accessKeys", COUNT_KEYS),
        ("administratorRoles", COUNT_ROLES),
    ] {
        let number = tx.optional(statement, &[pool.into()], |row| row.get::<i64>(0)).await?;
        counted.push((name, number.unwrap_or_default()));
    }
    Ok(Report(counted))
}

/// Deletes up to so many rows of one table of a pool; at the end the pool itself. Returns whether anything is left.
pub async fn erase(tx: &mut Tx<'_>, pool: &PoolId, rows: i64) -> Result<bool, StoreError> {
    for (_, statement) in TABLES {
        if tx.execute(statement, &[pool.into(), rows.into()]).await? > 0 {
            return Ok(true);
        }
    }
    for statement in [ERASE_KEYS, ERASE_ROLES, ERASE_INVITATIONS, ERASE_POOL] {
        tx.execute(statement, &[pool.into()]).await?;
    }
    Ok(false)
}

/// Whether [`erase`] empties the table of this name.
pub fn knows(table: &str) -> bool {
    TABLES.iter().any(|(known, _)| *known == table)
}

/// The payload of a job that removes a pool: when its rows were to go.
pub fn payload(pool: &PoolId, goes_at: Timestamp) -> Vec<u8> {
    format!("{pool} {}", goes_at.0).into_bytes()
}

/// Reads the payload of such a job.
pub fn read_payload(payload: &[u8]) -> Option<(PoolId, Timestamp)> {
    let (pool, at) = std::str::from_utf8(payload).ok()?.split_once(' ')?;
    Some((PoolId::parse(pool).ok()?, Timestamp(at.parse().ok()?)))
}

/// The kind of job that removes a pool.
pub const POOL_JOB: &str = "pool_removal";
