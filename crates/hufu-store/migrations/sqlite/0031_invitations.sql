-- Invitations to be an administrator: a link by mail gives a role to whoever opens it.
CREATE TABLE invitations (
    id         TEXT    NOT NULL PRIMARY KEY,
    -- The hash of the link's token.
    hash       BLOB    NOT NULL,
    email      TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    -- The pool that the role is for; all pools without it.
    scope_pool TEXT,
    -- The administrator who invites; NULL for the command line and its keys.
    created_by TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX invitations_hash ON invitations (hash);
CREATE INDEX invitations_expires ON invitations (expires_at);
