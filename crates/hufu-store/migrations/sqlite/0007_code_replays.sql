-- Where a code came from first, and what it led to: the same code again is refused from elsewhere, goes on with the same
-- waiting login, and replaces the refresh token that it gave before. NULL in rows of the program before.
ALTER TABLE exchanges ADD COLUMN network TEXT;
ALTER TABLE exchanges ADD COLUMN flow_id TEXT;
ALTER TABLE exchanges ADD COLUMN refresh_hash BLOB;
