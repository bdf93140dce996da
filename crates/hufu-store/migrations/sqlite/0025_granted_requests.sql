-- How many authorization requests a browser session was granted in a window of time.
ALTER TABLE browser_sessions ADD COLUMN granted_since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE browser_sessions ADD COLUMN granted BIGINT NOT NULL DEFAULT 0;
