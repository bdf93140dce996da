//! The SQL statements of a login, the same on both engines. They write the same rows as the server, with as
//! few statements as possible.

// SQLite numbers `$n` by first occurrence, PostgreSQL by its digits. Here the two agree.

/// Finds the user, with the columns that a response needs. The openid takes precedence over the unionid.
pub(super) const FIND: &str = "
    SELECT u.id, u.status, u.username, u.email, u.phone, u.profile, u.logins_count, u.created_at
    FROM identities i JOIN users u ON u.pool_id = i.pool_id AND u.id = i.user_id
    WHERE i.pool_id = $1 AND i.realm = $2 AND i.kind = 'openid' AND i.value = $3
    UNION ALL
    SELECT u.id, u.status, u.username, u.email, u.phone, u.profile, u.logins_count, u.created_at
    FROM identities i JOIN users u ON u.pool_id = i.pool_id AND u.id = i.user_id
    WHERE i.pool_id = $1 AND i.realm = $4 AND i.kind = 'unionid' AND i.value = $5
    LIMIT 1";

pub(super) const NOTE_LOGIN: &str = "
    UPDATE users
    SET logins_count = logins_count + 1, last_login_at = $1, last_ip = $2, last_application = $3
    WHERE pool_id = $4 AND id = $5";

pub(super) const INSERT_USER: &str = "
    INSERT INTO users
        (pool_id, id, status, email_verified, profile, custom_data, logins_count, last_login_at, last_ip,
         last_application, register_source, created_at, updated_at)
    VALUES ($1, $2, 'Activated', FALSE, '{}', '{}', 1, $3, $4, $5, $6, $3, $3)";

pub(super) const INSERT_IDENTITIES: &str = "
    INSERT INTO identities (pool_id, realm, kind, value, user_id, connection_id, created_at)
    VALUES ($1, $2, 'openid', $3, $4, $5, $6), ($1, $7, 'unionid', $8, $4, $5, $6)";

pub(super) const INSERT_SESSION: &str = "
    INSERT INTO sessions (pool_id, id, user_id, application_id, connection_id, created_at, expires_at, ip)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

pub(super) const INSERT_EXCHANGE: &str = "
    INSERT INTO exchanges (pool_id, code_hash, application_id, sealed, user_id, session_id, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
