-- Each object of the configuration has a revision, which rises with each change of it.
ALTER TABLE pools ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
ALTER TABLE connections ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
ALTER TABLE applications ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
ALTER TABLE senders ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
ALTER TABLE webhooks ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;

-- The version of the configuration at the last change of the pool or of anything in it: nodes read it again by this.
ALTER TABLE pools ADD COLUMN config_version BIGINT NOT NULL DEFAULT 0;
CREATE INDEX pools_config_version ON pools (config_version);
-- How many changes of the configuration marked the pools that they changed. The program before marks none: where
-- `version` rises and this does not, nodes read everything.
ALTER TABLE config_version ADD COLUMN marked BIGINT NOT NULL DEFAULT 0;

-- What else nodes look at: `keys` rises when signing keys change, `sessions` when sessions end that nodes may believe alive.
CREATE TABLE versions (
    name    TEXT   NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO versions (name, version) VALUES ('keys', 1), ('sessions', 1);
