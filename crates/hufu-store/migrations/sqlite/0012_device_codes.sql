-- Device authorization (RFC 8628). A row is kept for a while after it expires, so that the device learns why.
CREATE TABLE device_codes (
    pool_id            TEXT   NOT NULL,
    -- Hash of the device code.
    hash               BLOB  NOT NULL,
    -- Keyed hash of the user code. The person who types it names no pool, so it is unique in the instance.
    user_code          BLOB  NOT NULL,
    -- The user code, sealed, for the page that shows it again.
    sealed_code        BLOB  NOT NULL,
    application_id     TEXT   NOT NULL,
    -- Scopes, separated by spaces.
    scopes             TEXT   NOT NULL,
    -- pending, approved, denied or used.
    status             TEXT   NOT NULL,
    -- The browser session of whoever approved it: it says who they are, and how and when they logged in.
    browser_session_id TEXT,
    -- How long the device has to wait between two questions, and when it last asked.
    interval_seconds   BIGINT NOT NULL,
    polled_at          BIGINT,
    expires_at         BIGINT NOT NULL,
    PRIMARY KEY (pool_id, hash)
) WITHOUT ROWID;
CREATE UNIQUE INDEX device_codes_user_code ON device_codes (user_code);
CREATE INDEX device_codes_expires ON device_codes (expires_at);

-- Whether a session beneath a browser session is a device's, which was approved there and is never that browser's own. NULL
-- in sessions of no browser.
ALTER TABLE sessions ADD COLUMN is_device BOOLEAN;
