-- One login of one person in one browser: the parent of the sessions of single applications.
CREATE TABLE browser_sessions (
    pool_id        TEXT   NOT NULL,
    id             TEXT   NOT NULL,
    -- Hash of the secret in the browser's cookie.
    cookie         BYTEA  NOT NULL,
    user_id        TEXT   NOT NULL,
    -- JSON: what the person proved themselves with, and when.
    facts          TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    last_used_at   BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    ip             TEXT,
    user_agent     TEXT,
    PRIMARY KEY (pool_id, id)
);
CREATE UNIQUE INDEX browser_sessions_cookie ON browser_sessions (pool_id, cookie);
CREATE INDEX browser_sessions_user ON browser_sessions (pool_id, user_id);
CREATE INDEX browser_sessions_expires ON browser_sessions (expires_at);

-- The browser session that a session of an application belongs to, where there is one.
ALTER TABLE sessions ADD COLUMN browser_session_id TEXT;
CREATE INDEX sessions_browser ON sessions (pool_id, browser_session_id) WHERE browser_session_id IS NOT NULL;
