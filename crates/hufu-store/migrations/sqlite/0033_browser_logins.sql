-- When the administrator of a login proved who they are, if that was before the login: in a browser session.
ALTER TABLE access_keys ADD COLUMN logged_in_at INTEGER;
-- The session beneath that browser session. The login ends with it.
ALTER TABLE access_keys ADD COLUMN session_id TEXT;
