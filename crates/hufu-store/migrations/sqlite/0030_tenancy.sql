-- An administrator has a role in each of many pools, or one in all of them, or both.
CREATE TABLE administrators_of_pools (
    user_id    TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    -- The pool that the role is for; all pools without it.
    scope_pool TEXT,
    created_at INTEGER NOT NULL
);
INSERT INTO administrators_of_pools (user_id, role, scope_pool, created_at)
SELECT user_id, role, scope_pool, created_at FROM administrators;
DROP TABLE administrators;
ALTER TABLE administrators_of_pools RENAME TO administrators;
CREATE UNIQUE INDEX administrators_role ON administrators (user_id, COALESCE(scope_pool, ''));
CREATE INDEX administrators_of_pool ON administrators (scope_pool);
-- When an administrator's login was last used, to the minute.
ALTER TABLE access_keys ADD COLUMN used_at INTEGER;
-- Whether the pool serves. A removed pool has a time when its rows go, 0 once they are going.
ALTER TABLE pools ADD COLUMN enabled BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE pools ADD COLUMN goes_at INTEGER;
-- The administrator who created it; NULL for the command line and earlier versions.
ALTER TABLE webhooks ADD COLUMN created_by TEXT;
