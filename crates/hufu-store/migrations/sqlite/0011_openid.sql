-- Applications as OAuth clients; JSON. NULL in rows of the version before: the defaults of the application's kind.
ALTER TABLE applications ADD COLUMN client TEXT;
ALTER TABLE applications ADD COLUMN secrets TEXT;
ALTER TABLE applications ADD COLUMN login TEXT;
ALTER TABLE applications ADD COLUMN branding TEXT;

-- Authorization codes (RFC 6749 4.1). A row is kept for a while after its use, so that a second use is noticed.
CREATE TABLE authorization_codes (
    pool_id        TEXT   NOT NULL,
    -- Hash of the code.
    hash           BLOB   NOT NULL,
    application_id TEXT   NOT NULL,
    -- The session that the code opens. It begins with the code, and ends soon if nobody brings it.
    session_id     TEXT   NOT NULL,
    -- JSON: the authorization request.
    request        TEXT   NOT NULL,
    -- JSON: what the person proved themselves with, and when.
    facts          TEXT   NOT NULL,
    expires_at     BIGINT NOT NULL,
    used_at        BIGINT,
    PRIMARY KEY (pool_id, hash)
) WITHOUT ROWID;
CREATE INDEX authorization_codes_expires ON authorization_codes (expires_at);

-- What people let an application have.
CREATE TABLE consents (
    pool_id        TEXT   NOT NULL,
    user_id        TEXT   NOT NULL,
    application_id TEXT   NOT NULL,
    -- Scopes, separated by spaces.
    scopes         TEXT   NOT NULL,
    -- JSON list: names of claims that were requested one by one.
    claims         TEXT   NOT NULL,
    granted_at     BIGINT NOT NULL,
    PRIMARY KEY (pool_id, user_id, application_id)
) WITHOUT ROWID;

-- Of sessions that began in a browser session; NULL in all others. JSON: what the person proved themselves with, and
-- when; and the claims that the application requested one by one.
ALTER TABLE sessions ADD COLUMN facts TEXT;
ALTER TABLE sessions ADD COLUMN claims TEXT;
-- How the client authenticated when it got the token, and must again. NULL: not at all.
ALTER TABLE refresh_tokens ADD COLUMN client_auth TEXT;
