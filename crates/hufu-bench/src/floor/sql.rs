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

/// The audit log's entries: `user.created` or `user.login`, with details of the same length as the server's.
pub(super) const INSERT_EVENT: &str = "
    INSERT INTO audit_events
        (pool_id, id, at, action, code, actor_kind, actor_id, user_id, application_id, connection_id, ip, request_id,
         details)
    VALUES ($1, $2, $3, $4, 0, 'user', $5, $5, $6, $7, $8, $9, $10)";

/// Notes the code of a browser that comes back, if its login began and has not ended.
pub(super) const ANSWER: &str = "
    UPDATE source_logins SET code = $1 WHERE pool_id = $2 AND hash = $3 AND code IS NULL AND expires_at > $4";

pub(super) const INSERT_BROWSER_SESSION: &str = "
    INSERT INTO browser_sessions
        (pool_id, id, cookie, user_id, facts, created_at, last_used_at, expires_at, ip)
    VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)";

/// The two for a group of logins, on PostgreSQL.
pub(super) const ANSWER_GROUP: &str = "
    UPDATE source_logins SET code = d.code
    FROM unnest($2::bytea[], $3::bytea[], $4::int8[]) AS d(code, state, at)
    WHERE pool_id = $1 AND hash = d.state AND source_logins.code IS NULL AND expires_at > d.at";
pub(super) const INSERT_BROWSER_SESSIONS: &str = "
    INSERT INTO browser_sessions
        (pool_id, id, cookie, user_id, facts, created_at, last_used_at, expires_at, ip)
    SELECT $1, id, cookie, user_id, $6, at, at, at + $7, $8
    FROM unnest($2::text[], $3::bytea[], $4::text[], $5::int8[]) AS d(id, cookie, user_id, at)";

/// Finds the users of a group of logins, on PostgreSQL.
pub(super) const FIND_GROUP: &str = "
    SELECT d.o, u.id
    FROM unnest($4::text[], $5::text[]) WITH ORDINALITY AS d(openid, unionid, o)
    CROSS JOIN LATERAL (
        SELECT u.id, u.status, u.username, u.email, u.phone, u.profile, u.logins_count, u.created_at
        FROM identities i JOIN users u ON u.pool_id = i.pool_id AND u.id = i.user_id
        WHERE i.pool_id = $1 AND i.realm = $2 AND i.kind = 'openid' AND i.value = d.openid
        UNION ALL
        SELECT u.id, u.status, u.username, u.email, u.phone, u.profile, u.logins_count, u.created_at
        FROM identities i JOIN users u ON u.pool_id = i.pool_id AND u.id = i.user_id
        WHERE i.pool_id = $1 AND i.realm = $3 AND i.kind = 'unionid' AND i.value = d.unionid
        LIMIT 1) u";

/// Writes a group of logins, on PostgreSQL.
pub(super) const WRITE_GROUP: &str = "
    WITH d AS (
        SELECT * FROM unnest($7::bool[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bytea[],
                             $13::bytea[], $14::int8[], $15::text[], $16::text[])
            AS d(is_new, user_id, openid, unionid, session, code_hash, sealed, at, event, request)),
    known AS (
        UPDATE users
        SET logins_count = logins_count + 1, last_login_at = d.at, last_ip = $6, last_application = $4
        FROM d WHERE NOT d.is_new AND users.pool_id = $1 AND users.id = d.user_id),
    made AS (
        INSERT INTO users
            (pool_id, id, status, email_verified, profile, custom_data, logins_count, last_login_at, last_ip,
             last_application, register_source, created_at, updated_at)
        SELECT $1, user_id, 'Activated', FALSE, '{}', '{}', 1, at, $6, $4, $17, at, at FROM d WHERE is_new),
    linked AS (
        INSERT INTO identities (pool_id, realm, kind, value, user_id, connection_id, created_at)
        SELECT $1, $2, 'openid', openid, user_id, $5, at FROM d WHERE is_new
        UNION ALL
        SELECT $1, $3, 'unionid', unionid, user_id, $5, at FROM d WHERE is_new),
    begun AS (
        INSERT INTO sessions (pool_id, id, user_id, application_id, connection_id, created_at, expires_at, ip)
        SELECT $1, session, user_id, $4, $5, at, at + $18, $6 FROM d),
    recorded AS (
        INSERT INTO audit_events
            (pool_id, id, at, action, code, actor_kind, actor_id, user_id, application_id, connection_id, ip,
             request_id, details)
        SELECT $1, event || '1', at, 'user.created', 0, 'user', user_id, user_id, $4, $5, $6, request, $19
        FROM d WHERE is_new
        UNION ALL
        SELECT $1, event || '2', at, 'user.login', 0, 'user', user_id, user_id, $4, $5, $6, request,
               $20 || session || '\"}'
        FROM d)
    INSERT INTO exchanges (pool_id, code_hash, application_id, sealed, user_id, session_id, created_at)
    SELECT $1, code_hash, $4, sealed, user_id, session, at FROM d";
