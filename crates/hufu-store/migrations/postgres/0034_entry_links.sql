-- Links that log an administrator in to a browser, once.
CREATE TABLE entry_links (
    -- The hash of the link's token.
    hash       BYTEA   NOT NULL PRIMARY KEY,
    user_id    TEXT    NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX entry_links_user ON entry_links (user_id);
CREATE INDEX entry_links_expires ON entry_links (expires_at);

-- Users of the system pool who registered themselves and have had no role yet: their first login makes them a pool.
CREATE TABLE sign_ups (
    user_id    TEXT    NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);
