-- What a connection has besides the fields of its kind, as JSON. NULL: nothing.
ALTER TABLE connections ADD COLUMN extras TEXT;
-- The name of its verification file. All pools share the host that serves it.
ALTER TABLE connections ADD COLUMN verification_file TEXT;
CREATE UNIQUE INDEX connections_verification_file ON connections (verification_file);

-- Logins that are under way at a source that the browser was sent to.
CREATE TABLE source_logins (
    pool_id        TEXT   NOT NULL,
    -- Hash of the state, which the source brings back.
    hash           BLOB   NOT NULL,
    connection_id  TEXT   NOT NULL,
    application_id TEXT   NOT NULL,
    -- Hash of the secret in the browser's cookie.
    browser        BLOB   NOT NULL,
    -- What the login is for, sealed.
    purpose        BLOB   NOT NULL,
    -- Hash of the code that the source brought.
    code           BLOB,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (pool_id, hash)
) WITHOUT ROWID;
CREATE INDEX source_logins_expires ON source_logins (expires_at);
