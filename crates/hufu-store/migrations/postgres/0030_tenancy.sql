-- An administrator has a role in each of many pools, or one in all of them, or both.
ALTER TABLE administrators DROP CONSTRAINT administrators_pkey;
CREATE UNIQUE INDEX administrators_role ON administrators (user_id, COALESCE(scope_pool, ''));
CREATE INDEX administrators_of_pool ON administrators (scope_pool);
-- When an administrator's login was last used, to the minute.
ALTER TABLE access_keys ADD COLUMN used_at BIGINT;
-- Whether the pool serves. A removed pool has a time when its rows go, 0 once they are going.
ALTER TABLE pools ADD COLUMN enabled BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE pools ADD COLUMN goes_at BIGINT;
-- The administrator who created it; NULL for the command line and earlier versions.
ALTER TABLE webhooks ADD COLUMN created_by TEXT;
