-- The values of the fields of a connection's kind, as JSON, sealed. A row without them is one of the program before: its
-- values stand in app_id and app_secret, and the first node of this program that starts seals them. The old columns stay
-- as they are until nobody reads them any more.
ALTER TABLE connections ADD COLUMN settings BYTEA;
-- Where the ids of its people are unique: one realm of the app, one that apps share. Whoever seals the settings writes
-- them too, so that statements can tell which identities a connection lets in.
ALTER TABLE connections ADD COLUMN own_realm TEXT;
ALTER TABLE connections ADD COLUMN shared_realm TEXT;
