-- Keys of the published management clients. They sign requests with the secret, so it is sealed and not hashed.
CREATE TABLE management_keys (
    pool_id    TEXT   NOT NULL REFERENCES pools (id),
    id         TEXT   NOT NULL,
    -- Sealed.
    secret     BLOB   NOT NULL,
    role       TEXT   NOT NULL,
    -- The administrator who made it. NULL for the command line.
    created_by TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (pool_id, id)
) WITHOUT ROWID;
CREATE INDEX management_keys_created_by ON management_keys (created_by) WHERE created_by IS NOT NULL;

-- Signatures of requests by such keys, each of which is good for one request.
CREATE TABLE management_signatures (
    pool_id    TEXT   NOT NULL,
    hash       BLOB   NOT NULL,
    -- Until then the request would be accepted again.
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (pool_id, hash)
) WITHOUT ROWID;
CREATE INDEX management_signatures_expires ON management_signatures (expires_at);

-- What the published management clients call an identity source: a name for some connections of the pool. A connection
-- without one is a source by itself.
CREATE TABLE identity_sources (
    pool_id    TEXT   NOT NULL REFERENCES pools (id),
    id         TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (pool_id, id)
) WITHOUT ROWID;
ALTER TABLE connections ADD COLUMN source_id TEXT;
