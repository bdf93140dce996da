-- The administrator who made the key; none for the command line. Dismissing them ends it.
ALTER TABLE access_keys ADD COLUMN created_by TEXT;
CREATE INDEX access_keys_created_by ON access_keys (created_by) WHERE created_by IS NOT NULL;

-- When the import was called off, or given up for a new start.
ALTER TABLE imports ADD COLUMN cancelled_at BIGINT;
